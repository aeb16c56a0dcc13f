/*
 * Any bytes as a file of command ids. The first byte says what they are: 0: the manifest; 1: the
 * file itself; 2: patches of a good file, three bytes of place and one of content each, after which
 * the pages' checksums are made right again, so that these do not stand between the fuzzer and what
 * lies behind; 3: the same without that. Nothing may crash; and what is damaged without its
 * checksum being made right (3) must be refused, or answer as the good file does.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/env_sim.h"
#include "base/hash.h"
#include "command/ids_manifest.h"

enum { IDS = 1500, KEY = 77 };

static const struct sl_id_head head = {.seed = 5, .key = KEY, .first = 1000, .end = 1000 + IDS,
                                       .newest_s = 9, .timed_from_s = 3, .timed_to_s = 9,
                                       .counts = {500, 500, 500}};

static uint64_t print_of(size_t i)
{
    const uint64_t step = (UINT64_C(1) << SL_ID_HASH_BITS) / 500;

    return (uint64_t)(i / 500) << SL_ID_HASH_BITS | (uint64_t)(i % 500) * step;
}

static void make_good(struct sl_env *env)
{
    struct sl_id_file_writer *writer;
    struct sl_error error;

    SL_ASSERT(sl_id_file_create(env, "ids", 1, &head, &writer, &error) == SL_OK);
    for (size_t i = 0; i < IDS; i++)
        SL_ASSERT(sl_id_file_add(writer, (struct sl_id_entry){print_of(i), 1000 + i}, &error) ==
                  SL_OK);
    SL_ASSERT(sl_id_file_finish(writer, &error) == SL_OK);
}

static void put_file(struct sl_env *env, const char *path, const uint8_t *bytes, size_t len)
{
    struct sl_error error;
    struct sl_file *file;

    SL_ASSERT(sl_disk_open(env, path, SL_OPEN_WRITE | SL_OPEN_CREATE, &file, &error) == SL_OK);
    if (len > 0)
        SL_ASSERT(sl_file_write(file, 0, bytes, len, &error) == SL_OK);
    sl_file_close(file);
}

static void patch(struct sl_env *env, const uint8_t *bytes, size_t len, bool seals)
{
    struct sl_slice now;
    char path[SL_ID_PATH_MAX];

    sl_id_file_path("ids", 1, path);
    SL_ASSERT(sl_sim_disk_peek(env, path, &now) == SL_OK);
    const size_t size = now.len;
    uint8_t *file = malloc(size);
    SL_ASSERT(file);
    memcpy(file, now.ptr, size);
    for (; len >= 4; bytes += 4, len -= 4)
        file[(bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16) % size] ^= bytes[3];
    for (size_t page = 0; seals && page < size / SL_ID_PAGE; page++) {
        uint8_t *p = file + page * SL_ID_PAGE;
        const uint64_t key = sl_le64(file + 64);
        sl_put_le64(p, sl_hash64(p + 8, SL_ID_PAGE - 8, page == 0 ? 0x51D5 + 1 : key + page));
    }
    put_file(env, path, file, size);
    free(file);
}

/* Reads all there is in all ways there are. `good`: what is read must be what was written. */
static void use(struct sl_id_file *file, bool good)
{
    uint64_t cursors[SL_ID_FOUND_MAX];
    struct sl_id_entry entry;
    struct sl_error error;
    struct sl_id_scan scan;
    size_t count;

    for (unsigned class = 0; class < SL_ID_CLASSES; class++)
        for (unsigned i = 0; i < SL_ID_LAYERS && file->filters[class].blocks > 0 &&
                             file->filters[class].blocks < 1000; i++)
            if (sl_id_file_load_layer(file, (enum sl_id_class)class, &error) != SL_OK)
                break;
    for (size_t i = 0; i < IDS; i += 7) {
        const struct sl_id_filter *filter = &file->filters[sl_id_print_class(print_of(i))];
        const bool passes = sl_id_filter_passes(filter, filter->loaded, print_of(i));
        SL_ASSERT(passes || !good, "a filter passes what was added");
        const enum sl_err err =
            sl_id_file_find(file, print_of(i), cursors, SL_ID_FOUND_MAX, &count, &error);
        if (err == SL_OK && good)
            SL_ASSERT(count == 1 && cursors[0] == 1000 + i, "C1");
    }
    SL_ASSERT(sl_id_scan_open(&scan, file) == SL_OK);
    enum sl_err err = SL_OK;
    for (count = 0; err == SL_OK; count += err == SL_OK) {
        err = sl_id_scan_next(&scan, &entry, &error);
        if (err == SL_OK && good)
            SL_ASSERT(entry.print == print_of(count) && entry.cursor == 1000 + count, "C1");
    }
    SL_ASSERT(err != SL_NOT_FOUND || count == file->head.end - file->head.first, "C1");
    sl_id_scan_close(&scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sl_id_manifest manifest;
    struct sl_id_file *file;
    struct sl_error error;
    struct sl_env *env;
    char path[SL_ID_PATH_MAX];

    if (len < 1 || len > 1 << 20)
        return 0;
    SL_ASSERT(sl_env_sim_new(1, &env) == SL_OK);
    SL_ASSERT(sl_disk_make_folder(env, "ids", &error) == SL_OK);
    sl_id_file_path("ids", 1, path);
    const unsigned how = bytes[0] % 4;
    if (how == 0)
        put_file(env, "ids/MANIFEST", bytes + 1, len - 1);
    else if (how == 1)
        put_file(env, path, bytes + 1, len - 1);
    else
        make_good(env);
    if (how >= 2)
        patch(env, bytes + 1, len - 1, how == 2);
    if (how == 0) {
        const enum sl_err err = sl_id_manifest_read(env, "ids", &manifest, &error);
        SL_ASSERT(err != SL_OK || manifest.count <= SL_ID_FILES_MAX);
    } else if (sl_id_file_open(env, "ids", 1, &file, &error) == SL_OK) {
        use(file, how == 3);
        sl_id_file_close(file);
    }
    sl_env_free(env);
    return 0;
}
