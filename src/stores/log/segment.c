#include "stores/log/segment.h"

#include "stores/log/sealed.h"

#include <stdio.h>
#include <string.h>

/* Never written: the source of all zeros, aligned for direct writes. */
static _Alignas(4096) uint8_t zeros[64 << 10];

void sl_log_path(const struct sl_log_folder *folder, const char *name, char *out)
{
    const int len = snprintf(out, SL_LOG_PATH_MAX, "%s/%s", folder->path, name);
    SL_ASSERT(len > 0 && (unsigned)len < SL_LOG_PATH_MAX);
}

static void numbered_path(const struct sl_log_folder *folder, uint64_t number, const char *ending,
                          char *out)
{
    const int len = snprintf(out, SL_LOG_PATH_MAX, "%s/%020llu.%s", folder->path,
                             (unsigned long long)number, ending);
    SL_ASSERT(len > 0 && (unsigned)len < SL_LOG_PATH_MAX);
}

void sl_log_segment_path(const struct sl_log_folder *folder, uint64_t number, char *out)
{
    numbered_path(folder, number, "seg", out);
}

void sl_log_sealed_path(const struct sl_log_folder *folder, uint64_t number, char *out)
{
    numbered_path(folder, number, "sealed", out);
}

void sl_log_sealed_tmp_path(const struct sl_log_folder *folder, uint64_t number, char *out)
{
    numbered_path(folder, number, "sealed.tmp", out);
}

/* ---- Listing --------------------------------------------------------------------------------- */

/* The number of "00000000000000000007" and the ending behind its dot; NULL for other names. */
static const char *parse_name(const char *name, uint64_t *out)
{
    uint64_t number = 0;

    if (strlen(name) < 22 || name[20] != '.')
        return NULL;
    for (int i = 0; i < 20; i++) {
        if (name[i] < '0' || name[i] > '9' ||
            __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(name[i] - '0'), &number))
            return NULL;
    }
    *out = number;
    return name + 21;
}

static void count_one(uint64_t number, uint64_t *count, uint64_t *first, uint64_t *last)
{
    if (*count == 0 || number < *first)
        *first = number;
    if (*count == 0 || number > *last)
        *last = number;
    ++*count;
}

static void list_one(void *context, const char *name)
{
    struct sl_log_listing *out = context;
    uint64_t number;

    if (strcmp(name, SL_LOG_SPARE) == 0)
        out->has_spare = true;
    const char *ending = parse_name(name, &number);
    if (ending && strcmp(ending, "seg") == 0)
        count_one(number, &out->segment_count, &out->first, &out->last);
    else if (ending && strcmp(ending, "sealed") == 0)
        count_one(number, &out->sealed_count, &out->sealed_first, &out->sealed_last);
}

enum sl_err sl_log_folder_list(const struct sl_log_folder *folder, struct sl_log_listing *out,
                               struct sl_error *error)
{
    struct sl_log_listing found = {0};
    const enum sl_err err = sl_disk_list(folder->env, folder->path, list_one, &found, error);

    if (err == SL_OK)
        *out = found;
    return err;
}

struct sweep {
    const struct sl_log_folder *folder;
    uint64_t last; /* raw files up to this number; else unfinished ones */
    enum sl_err err;
    struct sl_error *error;
};

static void remove_one(struct sweep *sweep, const char *name)
{
    char path[SL_LOG_PATH_MAX];

    if (sweep->err != SL_OK)
        return;
    sl_log_path(sweep->folder, name, path);
    sweep->err = sl_disk_remove(sweep->folder->env, path, sweep->error);
}

static void sweep_one(void *context, const char *name)
{
    const size_t len = strlen(name);

    if (len <= 4 || len > 40 || strcmp(name + len - 4, ".tmp") != 0)
        return;
    SL_MARK("log: swept");
    remove_one(context, name);
}

enum sl_err sl_log_folder_sweep(const struct sl_log_folder *folder, struct sl_error *error)
{
    struct sweep sweep = {folder, 0, SL_OK, error};
    const enum sl_err err = sl_disk_list(folder->env, folder->path, sweep_one, &sweep, error);

    return err != SL_OK ? err : sweep.err;
}

static void drop_one(void *context, const char *name)
{
    struct sweep *sweep = context;
    uint64_t number;
    const char *ending = parse_name(name, &number);

    if (!ending || strcmp(ending, "seg") != 0 || number > sweep->last)
        return;
    SL_MARK("log: raw beside sealed");
    remove_one(sweep, name);
}

enum sl_err sl_log_folder_drop_raw(const struct sl_log_folder *folder, uint64_t last,
                                   struct sl_error *error)
{
    struct sweep sweep = {folder, last, SL_OK, error};
    const enum sl_err err = sl_disk_list(folder->env, folder->path, drop_one, &sweep, error);

    return err != SL_OK ? err : sweep.err;
}

/* ---- Making ---------------------------------------------------------------------------------- */

enum sl_err sl_log_zero(struct sl_file *file, uint64_t from, uint64_t until,
                        struct sl_error *error)
{
    while (from < until) {
        const uint64_t len = until - from < sizeof zeros ? until - from : sizeof zeros;
        const enum sl_err err = sl_file_write(file, from, zeros, (size_t)len, error);
        if (err != SL_OK)
            return err;
        from += len;
    }
    return SL_OK;
}

/* Filled, header in it, all of it durable; the name is the caller's matter. */
static enum sl_err prepare(const struct sl_log_segment_head *head, bool spare,
                           struct sl_file *file, struct sl_error *error)
{
    _Alignas(4096) uint8_t block[SL_LOG_BLOCK];
    enum sl_err err = SL_OK;

    if (!spare)
        err = sl_log_zero(file, SL_LOG_BLOCK, head->bytes, error);
    sl_log_segment_head_write(head, block);
    if (err == SL_OK)
        err = sl_file_write(file, 0, block, sizeof block, error);
    if (err == SL_OK)
        err = sl_file_sync(file, error);
    return err;
}

enum sl_err sl_log_segment_begin(const struct sl_log_folder *folder,
                                 const struct sl_log_segment_head *head, bool spare,
                                 struct sl_file **out, struct sl_error *error)
{
    char from[SL_LOG_PATH_MAX], to[SL_LOG_PATH_MAX];
    const unsigned flags = SL_OPEN_WRITE | SL_OPEN_DIRECT | (spare ? 0u : SL_OPEN_CREATE);
    struct sl_file *file;

    sl_log_path(folder, spare ? SL_LOG_SPARE : "next.tmp", from);
    sl_log_segment_path(folder, head->number, to);
    enum sl_err err = sl_disk_open(folder->env, from, flags, &file, error);
    if (err != SL_OK)
        return err;
    err = prepare(head, spare, file, error);
    if (err == SL_OK)
        err = sl_disk_rename(folder->env, from, to, error);
    if (err == SL_OK)
        err = sl_disk_sync_folder(folder->env, folder->path, error);
    if (err != SL_OK) {
        SL_MARK("log: segment not begun");
        sl_file_close(file);
        if (!spare) {
            /* Gives the room back; what can't be removed now, the next open removes. */
            struct sl_error ignored = {0};
            (void)!sl_disk_remove(folder->env, from, &ignored);
        }
        return err;
    }
    *out = file;
    return SL_OK;
}

/* Opens a file and reads its first block. */
static enum sl_err open_block(const struct sl_log_folder *folder, const char *path, unsigned flags,
                              uint8_t *block, struct sl_file **out, struct sl_error *error)
{
    struct sl_file *file;
    size_t len;

    enum sl_err err = sl_disk_open(folder->env, path, flags, &file, error);
    if (err == SL_NOT_FOUND)
        return sl_fail(error, SL_CORRUPT, "%s is missing: restore it from a backup", path);
    if (err != SL_OK)
        return err;
    err = sl_file_read(file, 0, block, SL_LOG_BLOCK, &len, error);
    if (err == SL_OK && len < SL_LOG_BLOCK)
        err = sl_fail(error, SL_CORRUPT, "%s: damaged at offset 0 (too short): restore it from a "
                      "backup", path);
    if (err == SL_OK)
        *out = file;
    else
        sl_file_close(file);
    return err;
}

static enum sl_err check_number(const struct sl_log_segment_head *head, uint64_t number,
                                const char *path, struct sl_error *error)
{
    if (head->number == number)
        return SL_OK;
    return sl_fail(error, SL_CORRUPT, "%s is segment %llu under a wrong name", path,
                   (unsigned long long)head->number);
}

enum sl_err sl_log_segment_open(const struct sl_log_folder *folder, uint64_t number,
                                unsigned flags, struct sl_log_segment_head *out_head,
                                struct sl_file **out, struct sl_error *error)
{
    _Alignas(4096) uint8_t block[SL_LOG_BLOCK];
    char path[SL_LOG_PATH_MAX];
    struct sl_log_segment_head head;
    struct sl_file *file;

    sl_log_segment_path(folder, number, path);
    enum sl_err err = open_block(folder, path, flags, block, &file, error);
    if (err != SL_OK)
        return err;
    err = sl_log_segment_head_read(block, path, &head, error);
    if (err == SL_OK && sl_log_segment_is_sealed(block))
        err = sl_fail(error, SL_CORRUPT, "%s is a sealed segment under the name of a raw one",
                      path);
    if (err == SL_OK)
        err = check_number(&head, number, path, error);
    if (err != SL_OK) {
        sl_file_close(file);
        return err;
    }
    *out_head = head;
    *out = file;
    return SL_OK;
}

enum sl_err sl_log_sealed_open(const struct sl_log_folder *folder, uint64_t number,
                               struct sl_log_sealed_head *out_head, struct sl_file **out,
                               struct sl_error *error)
{
    uint8_t block[SL_LOG_BLOCK];
    char path[SL_LOG_PATH_MAX];
    struct sl_log_sealed_head head;
    struct sl_file *file;
    uint64_t bytes = 0;

    sl_log_sealed_path(folder, number, path);
    enum sl_err err = open_block(folder, path, SL_OPEN_READ, block, &file, error);
    if (err != SL_OK)
        return err;
    err = sl_log_sealed_head_read(block, path, &head, error);
    if (err == SL_OK)
        err = check_number(&head.segment, number, path, error);
    if (err == SL_OK)
        err = sl_file_size(file, &bytes, error);
    if (err == SL_OK && bytes < head.segment.bytes)
        err = sl_fail(error, SL_CORRUPT, "%s: damaged at offset %llu (too short): restore it from "
                      "a backup", path, (unsigned long long)bytes);
    if (err != SL_OK) {
        sl_file_close(file);
        return err;
    }
    *out_head = head;
    *out = file;
    return SL_OK;
}
