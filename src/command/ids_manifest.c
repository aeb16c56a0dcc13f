/*
 * MANIFEST, 4 KiB, little-endian:
 *
 *     0 checksum (XXH3, 64 bits) of the rest   8 magic   16 version   24 log 16 B   40 seed
 *     48 next number   56 count   64 files of 32 bytes: number, key, first, end
 *
 * Written as MANIFEST.tmp, synced, renamed, its folder synced.
 */
#include "command/ids_manifest.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

enum { VERSION = 1, FILES_AT = 64, FILE_BYTES = 32 };

static const char magic[8] = "sluiceIM";

static void path_of(const char *folder, const char *name, char out[SL_ID_PATH_MAX])
{
    const int len = snprintf(out, SL_ID_PATH_MAX, "%s/%s", folder, name);
    SL_ASSERT(len > 0 && len < SL_ID_PATH_MAX, "M1");
}

static bool decode(const uint8_t *page, struct sl_id_manifest *out)
{
    uint64_t count = sl_le64(page + 56);

    if (count > SL_ID_FILES_MAX)
        return false;
    *out = (struct sl_id_manifest){.seed = sl_le64(page + 40),
                                   .next_number = sl_le64(page + 48),
                                   .count = (size_t)count};
    memcpy(out->log.bytes, page + 24, sizeof out->log.bytes);
    for (size_t i = 0; i < out->count; i++) {
        const uint8_t *p = page + FILES_AT + i * FILE_BYTES;
        out->files[i] = (struct sl_id_listed){sl_le64(p), sl_le64(p + 8), sl_le64(p + 16),
                                              sl_le64(p + 24)};
        if (i > 0 && out->files[i].first != out->files[i - 1].end)
            return false;
    }
    return true;
}

enum sl_err sl_id_manifest_read(struct sl_env *env, const char *folder, struct sl_id_manifest *out,
                                struct sl_error *error)
{
    char path[SL_ID_PATH_MAX];
    uint8_t page[SL_ID_PAGE];
    struct sl_id_manifest manifest;
    struct sl_file *file;
    size_t got;

    path_of(folder, "MANIFEST", path);
    enum sl_err err = sl_disk_open(env, path, SL_OPEN_READ, &file, error);
    if (err != SL_OK)
        return err;
    err = sl_file_read(file, 0, page, sizeof page, &got, error);
    sl_file_close(file);
    if (err != SL_OK)
        return err;
    if (got < sizeof page || memcmp(page + 8, magic, sizeof magic) != 0)
        return sl_fail(error, SL_CORRUPT, "%s: damaged", path);
    if (sl_le64(page + 16) > VERSION)
        return sl_fail(error, SL_UNSUPPORTED, "%s is of a newer version", path);
    if (sl_le64(page) != sl_hash64(page + 8, SL_ID_PAGE - 8, 0) || !decode(page, &manifest))
        return sl_fail(error, SL_CORRUPT, "%s: damaged", path);
    *out = manifest;
    return SL_OK;
}

enum sl_err sl_id_manifest_write(struct sl_env *env, const char *folder,
                                 const struct sl_id_manifest *manifest, struct sl_error *error)
{
    char path[SL_ID_PATH_MAX], temporary[SL_ID_PATH_MAX];
    uint8_t page[SL_ID_PAGE] = {0};
    struct sl_file *file;

    path_of(folder, "MANIFEST", path);
    path_of(folder, "MANIFEST.tmp", temporary);
    memcpy(page + 8, magic, sizeof magic);
    sl_put_le64(page + 16, VERSION);
    memcpy(page + 24, manifest->log.bytes, sizeof manifest->log.bytes);
    sl_put_le64(page + 40, manifest->seed);
    sl_put_le64(page + 48, manifest->next_number);
    sl_put_le64(page + 56, manifest->count);
    for (size_t i = 0; i < manifest->count; i++) {
        uint8_t *p = page + FILES_AT + i * FILE_BYTES;
        sl_put_le64(p, manifest->files[i].number);
        sl_put_le64(p + 8, manifest->files[i].key);
        sl_put_le64(p + 16, manifest->files[i].first);
        sl_put_le64(p + 24, manifest->files[i].end);
    }
    sl_put_le64(page, sl_hash64(page + 8, SL_ID_PAGE - 8, 0));
    enum sl_err err =
        sl_disk_open(env, temporary, SL_OPEN_WRITE | SL_OPEN_CREATE, &file, error);
    if (err != SL_OK)
        return err;
    err = sl_file_write(file, 0, page, sizeof page, error);
    if (err == SL_OK)
        err = sl_file_sync(file, error);
    sl_file_close(file);
    if (err == SL_OK)
        err = sl_disk_rename(env, temporary, path, error);
    return err == SL_OK ? sl_disk_sync_folder(env, folder, error) : err;
}
