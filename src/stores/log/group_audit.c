#include "stores/log/group_audit.h"

#include "stores/log/group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct look {
    const struct sl_log_folder *folder;
    struct sl_log_group_audit *out;
    struct sl_error *error;
    enum sl_err err;
    bool reads;

    /* The group under way. */
    char path[SL_LOG_PATH_MAX];
    unsigned level;
    struct sl_file *file;
    struct sl_log_group_head head;
    uint8_t page[SL_LOG_PAGE]; /* of the group, */
    uint32_t page_number;      /* this one; 0: none */
};

static void complain(struct look *look, uint64_t offset, const char *why)
{
    struct sl_log_group_audit *out = look->out;

    out->damaged++;
    if (out->why)
        return;
    memcpy(out->path, look->path, sizeof out->path);
    out->offset = offset;
    out->why = why;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* SL_NOT_FOUND: the file is shorter. */
static enum sl_err read_page(struct look *look, struct sl_file *file, uint64_t number,
                             uint8_t *page)
{
    size_t got = 0;
    const enum sl_err err =
        sl_file_read(file, number * SL_LOG_PAGE, page, SL_LOG_PAGE, &got, look->error);

    return err == SL_OK && got < SL_LOG_PAGE ? SL_NOT_FOUND : err;
}

/* Makes look->page the group's page of that number. SL_NOT_FOUND: it is damaged, and told. */
static enum sl_err turn_to(struct look *look, uint32_t number)
{
    uint32_t count;

    if (look->page_number == number)
        return SL_OK;
    look->page_number = 0;
    enum sl_err err = read_page(look, look->file, number, look->page);
    if (err == SL_OK &&
        !sl_log_page_check(look->page, look->head.identity, number, SL_LOG_PAGES_FILTER, &count))
        err = SL_NOT_FOUND;
    if (err == SL_NOT_FOUND)
        complain(look, (uint64_t)number * SL_LOG_PAGE, "a page of the filter");
    if (err == SL_OK)
        look->page_number = number;
    return err;
}

/* ---- Does it have what its segments have? ---------------------------------------------------- */

static bool has(const struct look *look, uint64_t hash, unsigned part)
{
    return sl_log_filter_has(look->page, sl_log_group_hash(hash)) &&
           (look->head.version == SL_LOG_GROUP_VERSION_OLD ||
            sl_log_filter_has(look->page, sl_log_group_part_hash(hash, part)));
}

/* SL_NOT_FOUND: it lacks one, or is damaged; that was told. */
static enum sl_err compare_keys(struct look *look, const struct sl_log_sealed_head *segment,
                                const uint8_t *keys, uint32_t count)
{
    const unsigned part = sl_log_group_part(look->level, segment->segment.number);
    struct sl_log_pair pair;
    struct sl_log_run run;

    sl_log_run_begin(&run, keys, count, segment->segment.first_position);
    while (sl_log_run_next(&run, &pair)) {
        const uint64_t hash = pair.hash << 24; /* the short one's bits in their places */
        uint32_t number = 0;
        if (look->head.page_count > 0) {
            number = 1 + sl_log_filter_page(hash, look->head.page_count);
            const enum sl_err err = turn_to(look, number);
            if (err != SL_OK)
                return err;
        }
        if (number == 0 || !has(look, hash, part)) {
            complain(look, (uint64_t)number * SL_LOG_PAGE, "it denies what a segment has");
            return SL_NOT_FOUND;
        }
    }
    return SL_OK; /* a page that makes no sense is the segment's damage, told by its own check */
}

static enum sl_err compare_segment(struct look *look, uint64_t number)
{
    struct sl_log_sealed_head head;
    uint8_t keys[SL_LOG_PAGE];
    struct sl_file *file;
    uint32_t count;

    enum sl_err err = sl_log_sealed_open(look->folder, number, &head, &file, look->error);
    if (err != SL_OK)
        return err == SL_CORRUPT ? SL_OK : err; /* told as the segment's own */
    const struct sl_log_pages *pages = sl_log_sealed_pages(&head, SL_LOG_PAGES_KEYS);
    for (uint32_t i = 0; i < pages->count && err == SL_OK; i++) {
        const uint32_t at = pages->first + i;
        err = read_page(look, file, at, keys);
        if (err == SL_NOT_FOUND ||
            (err == SL_OK &&
             !sl_log_page_check(keys, head.segment.salt, at, SL_LOG_PAGES_KEYS, &count))) {
            err = SL_OK; /* likewise */
            break;
        }
        if (err == SL_OK)
            err = compare_keys(look, &head, keys, count);
    }
    sl_file_close(file);
    return err;
}

/* ---- A file ---------------------------------------------------------------------------------- */

/* The header that follows from the segments; SL_NOT_FOUND: one of them is not there. */
static enum sl_err sum_up(struct look *look, uint64_t first, struct sl_log_group_sum *sum)
{
    const uint64_t count = UINT64_C(1) << sl_log_group_shift(look->level);

    for (uint64_t i = 0; i < count; i++) {
        struct sl_log_sealed_head head;
        struct sl_file *file;
        const enum sl_err err =
            sl_log_sealed_open(look->folder, first + i, &head, &file, look->error);
        if (err != SL_OK)
            return err == SL_CORRUPT ? SL_NOT_FOUND : err;
        sl_file_close(file);
        sl_log_group_add(sum, &head);
    }
    return sl_log_group_end(sum) ? SL_OK : SL_NOT_FOUND;
}

static enum sl_err read_file(struct look *look, uint64_t first)
{
    struct sl_log_group_sum sum = {0};
    const uint64_t count = UINT64_C(1) << sl_log_group_shift(look->level);

    enum sl_err err = read_page(look, look->file, 0, look->page);
    if (err == SL_NOT_FOUND || (err == SL_OK && !sl_log_group_head_is_whole(look->page))) {
        complain(look, 0, "its header");
        return SL_OK;
    }
    if (err == SL_OK)
        err = sum_up(look, first, &sum);
    if (err == SL_NOT_FOUND || (err == SL_OK && !sl_log_group_head_check(look->page, &sum.head))) {
        look->out->unused++;
        return SL_OK;
    }
    look->head = sum.head;
    for (uint32_t number = 1; err == SL_OK && number <= look->head.page_count; number++)
        err = turn_to(look, number);
    for (uint64_t i = 0; err == SL_OK && i < count; i++)
        err = compare_segment(look, first + i);
    return err == SL_NOT_FOUND ? SL_OK : err;
}

static bool parse(const char *name, unsigned *out_level, uint64_t *out_first)
{
    for (unsigned level = 0; level < SL_LOG_GROUP_LEVELS; level++) {
        char again[SL_LOG_GROUP_NAME_MAX];
        const uint64_t first = strtoull(name, NULL, 10);
        sl_log_group_name(level, first >> sl_log_group_shift(level), again);
        if (strcmp(name, again) != 0)
            continue;
        *out_level = level;
        *out_first = first;
        return true;
    }
    return false;
}

static void look_at(void *context, const char *name)
{
    struct look *look = context;
    uint64_t first, bytes = 0;

    if (look->err != SL_OK || !parse(name, &look->level, &first))
        return;
    sl_log_path(look->folder, name, look->path);
    look->page_number = 0;
    look->err =
        sl_disk_open(look->folder->env, look->path, SL_OPEN_READ, &look->file, look->error);
    if (look->err == SL_NOT_FOUND) {
        look->err = SL_OK;
        return;
    }
    if (look->err != SL_OK)
        return;
    look->err = sl_file_size(look->file, &bytes, look->error);
    look->out->files++;
    look->out->bytes += bytes;
    if (look->err == SL_OK && look->reads)
        look->err = read_file(look, first);
    sl_file_close(look->file);
}

enum sl_err sl_log_group_audit(const struct sl_log_folder *folder, bool reads,
                               struct sl_log_group_audit *out, struct sl_error *error)
{
    struct look look = {.folder = folder, .out = out, .error = error, .reads = reads};

    *out = (struct sl_log_group_audit){0};
    const enum sl_err err = sl_disk_list(folder->env, folder->path, look_at, &look, error);
    return err != SL_OK ? err : look.err;
}
