/*
 * manifest.json:
 *
 *     {"checksum":"0123456789abcdef",
 *     "manifest":{"format":"sluice-backup","version":1,…}}
 *
 * The checksum is XXH3-64 of the bytes of the manifest's value. It is written under another name,
 * synced, and renamed: there is always one whole manifest, the one before or the new one.
 */
#include "cli/backup_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "record/json.h"

enum { MANIFEST_BYTES_MAX = 1 << 30, LOGS_MAX = CLI_LOGS_MAX };

static const struct sl_record file_record = SL_RECORD(struct backup_file,
    SL_FIELD(struct backup_file, file, .required = true, .length_max = 512),
    SL_FIELD(struct backup_file, segment),
    SL_FIELD(struct backup_file, sealed),
    SL_FIELD(struct backup_file, complete),
    SL_FIELD(struct backup_file, bytes),
    SL_FIELD(struct backup_file, bytes_full),
    SL_FIELD(struct backup_file, checksum, .required = true, .length_max = 16),
    SL_FIELD(struct backup_file, next_batch),
    SL_FIELD(struct backup_file, next_position),
    SL_FIELD(struct backup_file, last, .required = true, .length_max = 16));

static const struct sl_record log_record = SL_RECORD(struct backup_log,
    SL_FIELD(struct backup_log, name, .required = true, .length_max = 127),
    SL_FIELD(struct backup_log, log, .required = true),
    SL_FIELD(struct backup_log, epoch),
    SL_FIELD(struct backup_log, salt, .required = true, .length_max = 16),
    SL_FIELD(struct backup_log, batches),
    SL_FIELD(struct backup_log, position),
    SL_FIELD(struct backup_log, last_time),
    SL_FIELD(struct backup_log, files, .required = true, .record = &file_record,
             .length_max = BACKUP_SEGMENTS_MAX));

static const struct sl_record manifest_record = SL_RECORD(struct backup_manifest,
    SL_FIELD(struct backup_manifest, format, .required = true, .length_max = 32),
    SL_FIELD(struct backup_manifest, version),
    SL_FIELD(struct backup_manifest, program, .length_max = 32),
    SL_FIELD(struct backup_manifest, cut),
    SL_FIELD(struct backup_manifest, logs, .record = &log_record, .length_max = LOGS_MAX));

/* ---- Small things ---------------------------------------------------------------------------- */

struct sl_text backup_hex(struct sl_arena *arena, uint64_t value)
{
    return sl_arena_printf(arena, "%016llx", (unsigned long long)value);
}

bool backup_hex_read(struct sl_text text, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;

    if (text.len != 16)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = strchr(digits, text.ptr[i]);
        if (!digit || !*digit)
            return false;
        value = value << 4 | (uint64_t)(digit - digits);
    }
    *out = value;
    return true;
}

bool backup_path(char out[CLI_PATH_MAX], const char *a, const char *b, const char *c)
{
    const int len = snprintf(out, CLI_PATH_MAX, "%s/%s%s%s", a, b, c ? "/" : "", c ? c : "");

    return len > 0 && len < CLI_PATH_MAX;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static enum sl_err read_all(struct sl_env *env, const char *path, struct sl_buf *out,
                            struct sl_error *error)
{
    struct sl_file *file;
    uint64_t size;
    size_t got = 0;

    enum sl_err err = sl_disk_open(env, path, SL_OPEN_READ, &file, error);
    if (err != SL_OK)
        return err;
    out->bytes_max = MANIFEST_BYTES_MAX;
    err = sl_file_size(file, &size, error);
    if (err == SL_OK) {
        uint8_t *room = size < MANIFEST_BYTES_MAX ? sl_buf_reserve(out, (size_t)size + 1) : NULL;
        err = room ? sl_file_read(file, 0, room, (size_t)size, &got, error)
                   : sl_fail(error, SL_LIMIT, "%s is too large", path);
    }
    out->len = got;
    sl_file_close(file);
    return err;
}

/* The bytes that the checksum is of; empty where the frame around them is not as it must be. */
static struct sl_text value_of(struct sl_text all)
{
    static const char head[] = "{\"checksum\":\"0123456789abcdef\",\n\"manifest\":";
    const size_t head_len = sizeof head - 1;
    uint64_t checksum;

    if (all.len < head_len + 3 || memcmp(all.ptr, head, 13) != 0 ||
        memcmp(all.ptr + 29, head + 29, head_len - 29) != 0 ||
        memcmp(all.ptr + all.len - 2, "}\n", 2) != 0 ||
        !backup_hex_read((struct sl_text){all.ptr + 13, 16}, &checksum))
        return (struct sl_text){0};
    const struct sl_text value = {all.ptr + head_len, all.len - head_len - 2};
    if (sl_hash64(value.ptr, value.len, 0) != checksum)
        return (struct sl_text){0};
    return value;
}

/* Names come from outside: they must not lead out of the backup or of a data folder. */
static bool is_plain_name(struct sl_text name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '/' || (unsigned char)name.ptr[i] < ' ')
            return false;
    return name.len > 0 && name.ptr[0] != '.';
}

static bool is_plain_path(struct sl_text path)
{
    struct sl_text rest = path;

    while (rest.len > 0) {
        const char *slash = memchr(rest.ptr, '/', rest.len);
        const size_t len = slash ? (size_t)(slash - rest.ptr) : rest.len;
        if (!is_plain_name((struct sl_text){rest.ptr, len}))
            return false;
        rest = slash ? (struct sl_text){slash + 1, rest.len - len - 1} : (struct sl_text){0};
    }
    return path.len > 0 && path.ptr[path.len - 1] != '/';
}

static bool makes_sense(const struct backup_manifest *manifest)
{
    const struct backup_log *logs = manifest->logs.items;
    uint64_t number;

    for (size_t i = 0; i < manifest->logs.count; i++) {
        const struct backup_file *files = logs[i].files.items;
        if (!is_plain_name(logs[i].name) || !backup_hex_read(logs[i].salt, &number))
            return false;
        for (size_t j = 0; j < logs[i].files.count; j++)
            if (files[j].segment != j || !is_plain_path(files[j].file) ||
                !backup_hex_read(files[j].checksum, &number) ||
                !backup_hex_read(files[j].last, &number))
                return false;
    }
    return true;
}

/* They are used as names of files: terminated copies. */
static bool terminate(struct sl_arena *arena, struct sl_text *text)
{
    *text = sl_arena_text(arena, *text);
    return text->ptr != NULL;
}

static bool terminate_all(struct sl_arena *arena, const struct backup_manifest *manifest)
{
    struct backup_log *logs = manifest->logs.items;
    bool good = true;

    for (size_t i = 0; i < manifest->logs.count; i++) {
        struct backup_file *files = logs[i].files.items;
        good = good && terminate(arena, &logs[i].name) && terminate(arena, &logs[i].salt);
        for (size_t j = 0; j < logs[i].files.count; j++)
            good = good && terminate(arena, &files[j].file) &&
                   terminate(arena, &files[j].checksum) && terminate(arena, &files[j].last);
    }
    return good;
}

static enum sl_err parse(struct sl_text value, struct sl_arena *arena,
                         struct backup_manifest *out, const char *path, struct sl_error *error)
{
    struct sl_broken_rule broken = {0};
    struct sl_json_parser *parser;

    if (sl_json_parser_new(&parser) != SL_OK)
        return sl_fail(error, SL_NO_MEMORY, "no memory to read %s", path);
    const enum sl_err err =
        sl_json_read(parser, &manifest_record, value, arena, out, &broken);
    sl_json_parser_free(parser);
    if (err == SL_NO_MEMORY)
        return sl_fail(error, err, "no memory to read %s", path);
    if (err != SL_OK)
        return sl_fail(error, SL_UNSUPPORTED, "%s: %s %s: a newer program may have written it",
                       path, broken.field, broken.message);
    if (!sl_text_equals(out->format, SL_TEXT(BACKUP_FORMAT)) || out->version > BACKUP_VERSION)
        return sl_fail(error, SL_UNSUPPORTED, "%s has version %u of its format, this program knows "
                       "up to %d: use a newer one", path, out->version, BACKUP_VERSION);
    if (!terminate_all(arena, out))
        return sl_fail(error, SL_NO_MEMORY, "no memory to read %s", path);
    return makes_sense(out) ? SL_OK
                            : sl_fail(error, SL_CORRUPT, "%s contradicts itself: take an earlier "
                                      "backup", path);
}

enum sl_err backup_manifest_read(struct sl_env *env, const char *dir, struct sl_arena *arena,
                                 struct backup_manifest *out, struct sl_error *error)
{
    char path[CLI_PATH_MAX];
    struct sl_buf all = {0};

    if (!backup_path(path, dir, "manifest.json", NULL))
        return sl_fail(error, SL_LIMIT, "the backup's folder has too long a name");
    enum sl_err err = read_all(env, path, &all, error);
    if (err == SL_NOT_FOUND)
        err = sl_fail(error, err, "%s holds no backup: there is no manifest.json", dir);
    if (err == SL_OK) {
        const struct sl_text value = value_of(sl_buf_as_text(&all));
        err = value.len > 0 ? parse(value, arena, out, path, error)
                            : sl_fail(error, SL_CORRUPT, "%s is damaged: its checksum is wrong; "
                                      "take an earlier backup", path);
    }
    sl_buf_close(&all);
    return err;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static enum sl_err write_file(struct sl_env *env, const char *path, const struct sl_buf *bytes,
                              struct sl_error *error)
{
    struct sl_file *file;

    enum sl_err err = sl_disk_open(env, path, SL_OPEN_WRITE | SL_OPEN_CREATE, &file, error);
    if (err != SL_OK)
        return err;
    err = sl_file_truncate(file, 0, error);
    if (err == SL_OK)
        err = sl_file_write(file, 0, bytes->ptr, bytes->len, error);
    if (err == SL_OK)
        err = sl_file_sync(file, error);
    sl_file_close(file);
    return err;
}

enum sl_err backup_manifest_write(struct sl_env *env, const char *dir,
                                  const struct backup_manifest *manifest, struct sl_error *error)
{
    struct sl_buf value = {.bytes_max = MANIFEST_BYTES_MAX};
    struct sl_buf all = {.bytes_max = MANIFEST_BYTES_MAX};
    char from[CLI_PATH_MAX], to[CLI_PATH_MAX];
    enum sl_err err = SL_OK;

    if (!backup_path(from, dir, "manifest.tmp", NULL) ||
        !backup_path(to, dir, "manifest.json", NULL))
        return sl_fail(error, SL_LIMIT, "the backup's folder has too long a name");
    sl_json_write(&value, &manifest_record, manifest);
    sl_buf_printf(&all, "{\"checksum\":\"%016llx\",\n\"manifest\":",
                  (unsigned long long)sl_hash64(value.ptr, value.len, 0));
    sl_buf_text(&all, sl_buf_as_text(&value));
    SL_BUF_LITERAL(&all, "}\n");
    if (value.failed || all.failed)
        err = sl_fail(error, SL_NO_MEMORY, "no memory for the backup's manifest");
    if (err == SL_OK)
        err = write_file(env, from, &all, error);
    if (err == SL_OK)
        err = sl_disk_rename(env, from, to, error);
    if (err == SL_OK)
        err = sl_disk_sync_folder(env, dir, error);
    sl_buf_close(&value);
    sl_buf_close(&all);
    return err;
}
