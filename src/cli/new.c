/* `sluice new NAME`: a domain that builds, passes its specification and can be served. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/parts.h"

enum { NAME_BYTES_MAX = 32 };

static bool is_name(const char *name)
{
    const size_t len = strlen(name);

    return len > 0 && len <= NAME_BYTES_MAX && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && name[len - 1] != '-';
}

/* @name@ as it is, @id@ with "_" for "-". */
void cli_fill_in(struct sl_buf *out, const char *text, const char *name)
{
    while (*text) {
        const size_t plain = strcspn(text, "@");
        sl_buf_append(out, text, plain);
        text += plain;
        if (strncmp(text, "@name@", 6) == 0) {
            sl_buf_append(out, name, strlen(name));
            text += 6;
        } else if (strncmp(text, "@id@", 4) == 0) {
            for (const char *c = name; *c; c++)
                sl_buf_byte(out, (uint8_t)(*c == '-' ? '_' : *c));
            text += 4;
        } else if (*text) {
            sl_buf_byte(out, (uint8_t)*text++);
        }
    }
}

static bool write_file(const char *folder, const char *name, const struct sl_buf *content)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wx");
    if (!file) {
        fprintf(stderr, "sluice: %s: %s\n", path, strerror(errno)); /* NOLINT: one thread */
        return false;
    }
    const bool written = fwrite(content->ptr, 1, content->len, file) == content->len;
    const bool closed = fclose(file) == 0;
    if (!written || !closed)
        fprintf(stderr, "sluice: %s could not be written\n", path);
    return written && closed;
}

static bool write_all(const char *name)
{
    bool good = true;

    for (const struct cli_skeleton_file *file = cli_skeleton; file->name && good; file++) {
        struct sl_buf path = {0}, content = {0};
        cli_fill_in(&path, file->name, name);
        sl_buf_byte(&path, '\0');
        cli_fill_in(&content, file->content, name);
        good =
            !path.failed && !content.failed && write_file(name, (const char *)path.ptr, &content);
        sl_buf_close(&path);
        sl_buf_close(&content);
    }
    return good;
}

int cli_new(struct sl_cli *cli, int argc, char **argv)
{
    (void)cli;
    if (argc != 2)
        return cli_wrong("new takes the domain's name");
    if (!is_name(argv[1]))
        return cli_wrong("%s is no name for a domain: lower-case letters, digits and -", argv[1]);
    if (mkdir(argv[1], 0777) != 0) {
        fprintf(stderr, "sluice: folder %s: %s\n", argv[1], strerror(errno)); /* NOLINT: likewise */
        return SL_EXIT_FAILED;
    }
    if (!write_all(argv[1]))
        return SL_EXIT_FAILED;
    printf("The domain %s is in the folder %s; its README.md says how to build and run it.\n",
           argv[1], argv[1]);
    return SL_EXIT_OK;
}
