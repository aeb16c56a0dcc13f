#include "cli/log_parts.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "record/json.h"
#include "record/value.h"

/* ---- Options --------------------------------------------------------------------------------- */

static const struct cli_option *find_option(const struct cli_option *options, size_t count,
                                            const char *word)
{
    const size_t len = strcspn(word, "=");

    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == len && strncmp(options[i].name, word, len) == 0)
            return &options[i];
    return NULL;
}

static int set_option(const struct cli_option *option, const char *value)
{
    if (option->kind == CLI_TEXT) {
        *(const char **)option->target = value;
        return SL_EXIT_OK;
    }
    if (!sl_value_read_u64((struct sl_text){value, strlen(value)}, option->target))
        return cli_wrong("%s %s: a whole number is wanted", option->name, value);
    return SL_EXIT_OK;
}

int cli_read_options(int argc, char **argv, const struct cli_option *options, size_t option_count,
                     const char **words, int word_max, int *out_word_count)
{
    int count = 0;

    for (int i = 1; i < argc; i++) {
        const struct cli_option *option = find_option(options, option_count, argv[i]);
        const char *value = strchr(argv[i], '=');
        if (!option && argv[i][0] == '-')
            return cli_wrong("%s knows no option %s; see: sluice help log", argv[0], argv[i]);
        if (!option && count == word_max)
            return cli_wrong("%s: what is %s?", argv[0], argv[i]);
        if (!option) {
            words[count++] = argv[i];
        } else if (option->kind == CLI_FLAG) {
            if (value)
                return cli_wrong("%s takes no value", option->name);
            *(bool *)option->target = true;
        } else if (!value && i + 1 == argc) {
            return cli_wrong("no value for %s", option->name);
        } else {
            const int code = set_option(option, value ? value + 1 : argv[++i]);
            if (code != SL_EXIT_OK)
                return code;
        }
    }
    *out_word_count = count;
    return SL_EXIT_OK;
}

/* ---- Logs ------------------------------------------------------------------------------------ */

int cli_log_failed(const struct sl_error *error)
{
    fprintf(stderr, "sluice: %s\n", error->message);
    switch (error->code) {
    case SL_CORRUPT:
        return SL_EXIT_DAMAGED;
    case SL_BUSY:
        return SL_EXIT_IN_USE;
    default:
        return SL_EXIT_FAILED;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct cli_log *)a)->name, ((const struct cli_log *)b)->name);
}

static int add(struct cli_logs *logs, const char *folder, const char *name)
{
    struct cli_log *log = &logs->logs[logs->count];

    if (logs->count == CLI_LOGS_MAX) {
        fprintf(stderr, "sluice: more than %d logs in %s\n", CLI_LOGS_MAX, folder);
        return SL_EXIT_FAILED;
    }
    const int len = folder ? snprintf(log->path, sizeof log->path, "%s/%s", folder, name)
                           : snprintf(log->path, sizeof log->path, "%s", name);
    if (len >= (int)sizeof log->path || strlen(name) >= sizeof log->path) {
        fprintf(stderr, "sluice: the name of the folder %s is too long\n", name);
        return SL_EXIT_FAILED;
    }
    for (size_t end = strlen(log->path); end > 1 && log->path[end - 1] == '/'; end--)
        log->path[end - 1] = '\0';
    const char *base = strrchr(log->path, '/');
    snprintf(log->name, sizeof log->name, "%.127s", base ? base + 1 : log->path);
    logs->count++;
    return SL_EXIT_OK;
}

static int find_all(const char *folder, struct cli_logs *logs)
{
    DIR *dir = opendir(folder);
    int code = SL_EXIT_OK;

    if (!dir) {
        fprintf(stderr, "sluice: there are no logs in %s; name the data folder with --data DIR\n",
                folder);
        return SL_EXIT_FAILED;
    }
    /* One thread reads this stream. */
    for (struct dirent *entry; code == SL_EXIT_OK && (entry = readdir(dir)) != NULL;) /* NOLINT */
        if (entry->d_name[0] != '.' && (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN))
            code = add(logs, folder, entry->d_name);
    closedir(dir);
    qsort(logs->logs, logs->count, sizeof logs->logs[0], by_name);
    if (code == SL_EXIT_OK && logs->count == 0) {
        fprintf(stderr, "sluice: there are no logs in %s\n", folder);
        code = SL_EXIT_FAILED;
    }
    return code;
}

int cli_logs_open(const struct sl_cli *cli, const char *which, struct cli_logs *out)
{
    struct sl_error error = {0};
    char folder[CLI_PATH_MAX];

    *out = (struct cli_logs){0};
    if (sl_env_posix_new(&out->env, &error) != SL_OK)
        return cli_log_failed(&error);
    if (snprintf(folder, sizeof folder, "%s/logs", cli->data) >= (int)sizeof folder)
        return cli_wrong("--data has too long a name");
    if (!which)
        return find_all(folder, out);
    return add(out, strchr(which, '/') ? NULL : folder, which);
}

void cli_logs_close(struct cli_logs *logs)
{
    sl_env_free(logs->env);
    logs->env = NULL;
}

bool cli_is_locked(struct sl_env *env, const char *folder, const char *name)
{
    struct sl_error ignored = {0};
    struct sl_file *file;
    char path[CLI_PATH_MAX + 64];

    snprintf(path, sizeof path, "%.999s/%.32s", folder, name);
    if (sl_disk_open(env, path, SL_OPEN_READ, &file, &ignored) != SL_OK)
        return false;
    const bool taken = sl_file_lock(file, &ignored) == SL_BUSY;
    sl_file_close(file);
    return taken;
}

/* ---- Progress -------------------------------------------------------------------------------- */

void cli_progress_step(struct cli_progress *progress, uint64_t bytes_done)
{
    const bool is_terminal = isatty(STDERR_FILENO) == 1;

    if (!is_terminal && !progress->forced)
        return;
    const int64_t now = sl_env_monotonic(progress->env);
    if (now < progress->next_ns)
        return;
    progress->next_ns = now + (is_terminal ? INT64_C(100000000) : INT64_C(1000000000));
    progress->shown = true;
    fprintf(stderr, "%s%s: %s", is_terminal ? "\r" : "", progress->what, cli_size(bytes_done));
    if (progress->bytes_total > bytes_done)
        fprintf(stderr, " of %s, %llu %%", cli_size(progress->bytes_total),
                (unsigned long long)(bytes_done * 100 / progress->bytes_total));
    fputs(is_terminal ? "\033[K" : "\n", stderr);
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->shown && isatty(STDERR_FILENO) == 1)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}

struct sizes {
    struct sl_env *env;
    const char *path;
    uint64_t bytes;
};

static void add_size(void *context, const char *name)
{
    struct sizes *sizes = context;
    struct sl_error ignored = {0};
    struct sl_file *file;
    char path[CLI_PATH_MAX + 300];
    uint64_t bytes;

    if (name[0] < '0' || name[0] > '9')
        return;
    snprintf(path, sizeof path, "%s/%.255s", sizes->path, name);
    if (sl_disk_open(sizes->env, path, SL_OPEN_READ, &file, &ignored) != SL_OK)
        return;
    if (sl_file_size(file, &bytes, &ignored) == SL_OK)
        sizes->bytes += bytes;
    sl_file_close(file);
}

uint64_t cli_log_bytes(struct sl_env *env, const char *path)
{
    struct sizes sizes = {.env = env, .path = path};
    struct sl_error ignored = {0};

    if (sl_disk_list(env, path, add_size, &sizes, &ignored) != SL_OK)
        return 0;
    return sizes.bytes;
}

/* ---- JSON and text --------------------------------------------------------------------------- */

void cli_json_name(struct sl_buf *out, const char *name)
{
    if (out->len > 0 && out->ptr[out->len - 1] != '{' && out->ptr[out->len - 1] != '[')
        sl_buf_byte(out, ',');
    sl_json_write_text(out, (struct sl_text){name, strlen(name)});
    sl_buf_byte(out, ':');
}

void cli_json_item(struct sl_buf *out)
{
    if (out->len > 0 && out->ptr[out->len - 1] == '}')
        sl_buf_byte(out, ',');
    sl_buf_byte(out, '{');
}

void cli_json_u64(struct sl_buf *out, const char *name, uint64_t value)
{
    cli_json_name(out, name);
    sl_buf_u64(out, value);
}

void cli_json_text(struct sl_buf *out, const char *name, const char *value)
{
    cli_json_name(out, name);
    sl_json_write_text(out, (struct sl_text){value, strlen(value)});
}

void cli_json_hex(struct sl_buf *out, const char *name, uint64_t value)
{
    cli_json_name(out, name);
    sl_buf_printf(out, "\"%016llx\"", (unsigned long long)value);
}

void cli_json_bool(struct sl_buf *out, const char *name, bool value)
{
    cli_json_name(out, name);
    sl_buf_text(out, value ? SL_TEXT("true") : SL_TEXT("false"));
}

void cli_json_time(struct sl_buf *out, const char *name, struct sl_time value)
{
    cli_json_name(out, name);
    sl_buf_byte(out, '"');
    sl_value_write_time(out, value);
    sl_buf_byte(out, '"');
}

void cli_json_uuid(struct sl_buf *out, const char *name, struct sl_uuid value)
{
    cli_json_name(out, name);
    sl_buf_byte(out, '"');
    sl_value_write_uuid(out, value);
    sl_buf_byte(out, '"');
}

bool cli_print(struct sl_buf *out)
{
    const bool good = !out->failed && fwrite(out->ptr, 1, out->len, stdout) == out->len;

    if (out->failed)
        fputs("sluice: no memory for the output\n", stderr);
    else if (!good)
        fputs("sluice: cannot write the output\n", stderr);
    sl_buf_reset(out);
    return good;
}

const char *cli_size(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    static char texts[4][24];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    double value = (double)bytes;
    size_t unit = 0;

    for (; value >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        value /= 1024;
    snprintf(text, sizeof texts[0], unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}
