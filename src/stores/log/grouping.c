/*
 * The filter is made from its first page to its last, a window of pages at a time, so that it takes
 * a fixed amount of memory however large the group is. Keys lie sorted in each segment, and a
 * hash's page rises with it: for each window every segment is read on from where the last one
 * ended.
 *
 * How many keys there are, each counted once, and once for each part that has it, is estimated
 * before: by counting those with small hashes, which come first in each segment and are a fair
 * sample, in a bit map.
 */
#include "stores/log/grouping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADS_A_STEP = 8,
    WINDOW_PAGES = 256,
    PIECE_PAGES = 16, /* read or written at once */
    SAMPLE_PAIRS = 64 << 10,
};

#define WINDOW_BYTES ((size_t)WINDOW_PAGES * SL_LOG_PAGE)

enum phase {
    HEADS,  /* of the segments are read */
    SAMPLE, /* keys are counted */
    KEYS,   /* go into the window */
    PAGES,  /* of the window are written */
    ENDING, /* header and name */
};

/* What is left to be read of a segment. */
struct source {
    uint64_t salt, base;
    uint32_t next, end; /* pages of keys */
    uint64_t left;      /* pairs in them */
};

struct sl_log_grouping {
    const struct sl_log_folder *folder;
    char tmp_path[SL_LOG_PATH_MAX], path[SL_LOG_PATH_MAX];
    unsigned level;
    uint64_t first; /* segment */
    size_t source_count;
    struct source *sources;
    struct sl_log_group_sum sum;
    enum phase phase;
    unsigned sample_bits;                                /* one of 2^sample_bits keys is counted, */
    uint64_t sampled;                                    /* and these are */
    uint32_t sample_next;                                /* page of keys, in the source under way */
    size_t at;                                           /* source under way */
    struct sl_file *keys;                                /* its file; NULL: not open */
    uint8_t *piece;                                      /* of its pages */
    struct sl_file *file;                                /* in the making; NULL: not begun */
    uint8_t *window;                                     /* aligned for direct writes */
    uint32_t window_first, window_count, window_written; /* pages */
    bool is_named;
};

static enum sl_err no_memory(struct sl_error *error)
{
    return sl_fail(error, SL_NO_MEMORY, "no memory to index segments of the log together");
}

static void close_file(struct sl_file **file)
{
    if (*file)
        sl_file_close(*file);
    *file = NULL;
}

enum sl_err sl_log_grouping_begin(const struct sl_log_folder *folder, unsigned level,
                                  uint64_t index, struct sl_log_grouping **out,
                                  struct sl_error *error)
{
    struct sl_log_grouping *grouping = calloc(1, sizeof *grouping);
    char name[SL_LOG_GROUP_NAME_MAX], part[SL_LOG_GROUP_NAME_MAX + 4];

    if (!grouping)
        return no_memory(error);
    grouping->folder = folder;
    grouping->level = level;
    grouping->source_count = (size_t)1 << sl_log_group_shift(level);
    grouping->first = index << sl_log_group_shift(level);
    grouping->sources = calloc(grouping->source_count, sizeof *grouping->sources);
    grouping->piece = malloc((size_t)PIECE_PAGES * SL_LOG_PAGE);
    grouping->window = aligned_alloc(SL_LOG_BLOCK, WINDOW_BYTES);
    if (!grouping->sources || !grouping->piece || !grouping->window) {
        sl_log_grouping_free(grouping);
        return no_memory(error);
    }
    sl_log_group_name(level, index, name);
    sl_log_path(folder, name, grouping->path);
    snprintf(part, sizeof part, "%s.tmp", name);
    sl_log_path(folder, part, grouping->tmp_path);
    *out = grouping;
    return SL_OK;
}

/* ---- Heads ----------------------------------------------------------------------------------- */

static enum sl_err begin_file(struct sl_log_grouping *grouping, struct sl_error *error)
{
    if (!sl_log_group_end(&grouping->sum))
        return sl_fail(error, SL_LIMIT, "%s: would be too large", grouping->path);
    const enum sl_err err =
        sl_disk_open(grouping->folder->env, grouping->tmp_path,
                     SL_OPEN_WRITE | SL_OPEN_CREATE | SL_OPEN_DIRECT, &grouping->file, error);
    /* What an earlier try left is not mixed in. */
    return err == SL_OK ? sl_file_truncate(grouping->file, 0, error) : err;
}

static void begin_window(struct sl_log_grouping *grouping, uint32_t first)
{
    const uint32_t left = grouping->sum.head.page_count - first;

    grouping->window_first = first;
    grouping->window_count = left < WINDOW_PAGES ? left : WINDOW_PAGES;
    grouping->window_written = 0;
    grouping->at = 0;
    grouping->phase = grouping->window_count > 0 ? KEYS : ENDING;
    memset(grouping->window, 0, WINDOW_BYTES);
}

static enum sl_err read_heads(struct sl_log_grouping *grouping, struct sl_error *error)
{
    struct sl_log_sealed_head head;
    struct sl_file *file;

    for (int i = 0; i < HEADS_A_STEP && grouping->at < grouping->source_count; i++) {
        const enum sl_err err = sl_log_sealed_open(grouping->folder, grouping->first + grouping->at,
                                                   &head, &file, error);
        if (err != SL_OK)
            return err;
        sl_file_close(file);
        const struct sl_log_pages *pages = sl_log_sealed_pages(&head, SL_LOG_PAGES_KEYS);
        grouping->sources[grouping->at++] = (struct source){.salt = head.segment.salt,
                                                            .base = head.segment.first_position,
                                                            .next = pages->first,
                                                            .end = pages->first + pages->count,
                                                            .left = head.key_count};
        sl_log_group_add(&grouping->sum, &head);
    }
    if (grouping->at < grouping->source_count)
        return SL_OK;
    while (grouping->sum.key_count >> grouping->sample_bits > SAMPLE_PAIRS)
        grouping->sample_bits++;
    memset(grouping->window, 0, WINDOW_BYTES);
    grouping->at = 0;
    grouping->phase = SAMPLE;
    return begin_file(grouping, error);
}

/* ---- Pages of keys --------------------------------------------------------------------------- */

static enum sl_err damaged(const struct sl_log_grouping *grouping, struct sl_error *error)
{
    const unsigned long long segment = grouping->first + grouping->at;

    return sl_fail(error, SL_CORRUPT,
                   "%s: segment %llu has a damaged index: see `sluice log "
                   "verify`",
                   grouping->path, segment);
}

/* Reads a piece of the source under way, from a page on; how many pages. */
static enum sl_err read_piece(struct sl_log_grouping *grouping, uint32_t first, uint32_t *out_count,
                              struct sl_error *error)
{
    const uint32_t left = grouping->sources[grouping->at].end - first;
    const uint32_t count = left < PIECE_PAGES ? left : PIECE_PAGES;
    char path[SL_LOG_PATH_MAX];
    enum sl_err err = SL_OK;
    size_t got = 0;

    *out_count = count;
    if (count > 0 && !grouping->keys) {
        sl_log_sealed_path(grouping->folder, grouping->first + grouping->at, path);
        err = sl_disk_open(grouping->folder->env, path, SL_OPEN_READ, &grouping->keys, error);
    }
    if (err == SL_OK && count > 0)
        err = sl_file_read(grouping->keys, (uint64_t)first * SL_LOG_PAGE, grouping->piece,
                           (size_t)count * SL_LOG_PAGE, &got, error);
    return err == SL_OK && got < (size_t)count * SL_LOG_PAGE ? damaged(grouping, error) : err;
}

/* The next source; false: that was the last one. */
static bool next_source(struct sl_log_grouping *grouping)
{
    close_file(&grouping->keys);
    return ++grouping->at < grouping->source_count;
}

/* ---- How many keys --------------------------------------------------------------------------- */

/* The part of the group that the source under way is in. */
static unsigned part_of(const struct sl_log_grouping *grouping)
{
    return sl_log_group_part(grouping->level, grouping->first + grouping->at);
}

static void count_one(struct sl_log_grouping *grouping, uint64_t group_hash)
{
    const size_t bit = group_hash % (WINDOW_BYTES * 8);

    if (grouping->window[bit / 8] & 1u << bit % 8)
        return;
    grouping->window[bit / 8] |= (uint8_t)(1u << bit % 8);
    grouping->sampled++;
}

/* Counts what a page of keys has of the sample; false: it is damaged. */
static bool count_keys(struct sl_log_grouping *grouping, const struct source *source,
                       const uint8_t *page, uint32_t number, bool *past)
{
    const uint64_t limit = (UINT64_C(1) << 40) >> grouping->sample_bits;
    struct sl_log_pair pair;
    struct sl_log_run run;
    uint32_t count;

    if (!sl_log_page_check(page, source->salt, number, SL_LOG_PAGES_KEYS, &count))
        return false;
    sl_log_run_begin(&run, page, count, source->base);
    while (!*past && sl_log_run_next(&run, &pair)) {
        *past = pair.hash >= limit;
        if (*past)
            break;
        count_one(grouping, sl_log_group_hash(pair.hash << 24));
        count_one(grouping, sl_log_group_part_hash(pair.hash << 24, part_of(grouping)));
    }
    return !run.cursor.failed;
}

static void end_sample(struct sl_log_grouping *grouping)
{
    uint64_t keys = grouping->sampled << grouping->sample_bits;
    uint32_t *page_count = &grouping->sum.head.page_count; /* the most that there may be */

    keys += keys / 16; /* it may be a few more */
    const uint64_t pages = keys / SL_LOG_FILTER_KEYS_A_PAGE + 1;
    if (pages < *page_count)
        *page_count = (uint32_t)pages;
    begin_window(grouping, 0);
}

static enum sl_err sample(struct sl_log_grouping *grouping, struct sl_error *error)
{
    const struct source *source = &grouping->sources[grouping->at];
    uint32_t count, number = source->next + grouping->sample_next;
    bool past = false;

    const enum sl_err err = read_piece(grouping, number, &count, error);
    if (err != SL_OK)
        return err;
    for (uint32_t i = 0; i < count && !past; i++, number++)
        if (!count_keys(grouping, source, grouping->piece + (size_t)i * SL_LOG_PAGE, number, &past))
            return damaged(grouping, error);
    grouping->sample_next = number - source->next;
    if (past || number == source->end) {
        grouping->sample_next = 0;
        if (!next_source(grouping))
            end_sample(grouping);
    }
    return SL_OK;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

/* Puts what a page of keys has of the window into it, and is done with the page unless it has what
 * lies behind (`*past`). False: it is damaged. */
static bool add_keys(struct sl_log_grouping *grouping, struct source *source, const uint8_t *page,
                     bool *past)
{
    const uint32_t page_count = grouping->sum.head.page_count;
    const uint32_t window_end = grouping->window_first + grouping->window_count;
    uint64_t last = UINT64_MAX;
    struct sl_log_pair pair;
    struct sl_log_run run;
    uint32_t count;

    if (!sl_log_page_check(page, source->salt, source->next, SL_LOG_PAGES_KEYS, &count))
        return false;
    sl_log_run_begin(&run, page, count, source->base);
    while (!*past && sl_log_run_next(&run, &pair)) {
        const uint64_t hash = pair.hash << 24; /* the short one's bits in their places */
        const uint32_t number = sl_log_filter_page(hash, page_count);
        *past = number >= window_end;
        if (*past || number < grouping->window_first || pair.hash == last)
            continue;
        last = pair.hash;
        uint8_t *made =
            grouping->window + (size_t)(number - grouping->window_first) * SL_LOG_PAGE;
        sl_log_filter_add(made, sl_log_group_hash(hash));
        sl_log_filter_add(made, sl_log_group_part_hash(hash, part_of(grouping)));
    }
    if (run.cursor.failed || count > source->left)
        return false;
    if (*past)
        return true;
    source->left -= count;
    source->next++;
    /* The header says how many there are: no page is left out. */
    return source->next < source->end || source->left == 0;
}

/* A piece of one segment, from the page on that the last window ended in. */
static enum sl_err read_keys(struct sl_log_grouping *grouping, struct sl_error *error)
{
    struct source *source = &grouping->sources[grouping->at];
    bool past = false;
    uint32_t count;

    const enum sl_err err = read_piece(grouping, source->next, &count, error);
    if (err != SL_OK)
        return err;
    for (uint32_t i = 0; i < count && !past; i++)
        if (!add_keys(grouping, source, grouping->piece + (size_t)i * SL_LOG_PAGE, &past))
            return damaged(grouping, error);
    if ((past || source->next == source->end) && !next_source(grouping))
        grouping->phase = PAGES;
    return SL_OK;
}

/* ---- The file -------------------------------------------------------------------------------- */

static enum sl_err write_pages(struct sl_log_grouping *grouping, struct sl_error *error)
{
    const struct sl_log_page_head head = {.kind = SL_LOG_PAGES_FILTER};
    const uint32_t from = grouping->window_written;
    const uint64_t number = 1 + (uint64_t)grouping->window_first + from;
    uint32_t count = grouping->window_count - from;

    if (count > PIECE_PAGES)
        count = PIECE_PAGES;
    uint8_t *pages = grouping->window + (size_t)from * SL_LOG_PAGE;
    for (uint32_t i = 0; i < count; i++)
        sl_log_page_seal(&head, grouping->sum.head.identity, number + i,
                         pages + (size_t)i * SL_LOG_PAGE);
    const enum sl_err err = sl_file_write(grouping->file, number * SL_LOG_PAGE, pages,
                                          (size_t)count * SL_LOG_PAGE, error);
    grouping->window_written += count;
    if (err == SL_OK && grouping->window_written == grouping->window_count)
        begin_window(grouping, grouping->window_first + grouping->window_count);
    return err;
}

/* The folder is not synced: a file whose name a crash takes back is made again. */
static enum sl_err end(struct sl_log_grouping *grouping, bool *done, struct sl_error *error)
{
    sl_log_group_head_write(&grouping->sum.head, grouping->window);
    enum sl_err err = sl_file_write(grouping->file, 0, grouping->window, SL_LOG_BLOCK, error);
    if (err == SL_OK)
        err = sl_file_sync(grouping->file, error);
    if (err == SL_OK)
        err = sl_disk_rename(grouping->folder->env, grouping->tmp_path, grouping->path, error);
    *done = grouping->is_named = err == SL_OK;
    return err;
}

enum sl_err sl_log_grouping_step(struct sl_log_grouping *grouping, bool *done,
                                 struct sl_error *error)
{
    *done = false;
    switch (grouping->phase) {
    case HEADS:
        return read_heads(grouping, error);
    case SAMPLE:
        return sample(grouping, error);
    case KEYS:
        return read_keys(grouping, error);
    case PAGES:
        return write_pages(grouping, error);
    case ENDING:
        break;
    }
    return end(grouping, done, error);
}

void sl_log_grouping_free(struct sl_log_grouping *grouping)
{
    struct sl_error ignored = {0};

    if (!grouping)
        return;
    close_file(&grouping->keys);
    if (grouping->file && !grouping->is_named)
        (void)!sl_disk_remove(grouping->folder->env, grouping->tmp_path, &ignored);
    close_file(&grouping->file);
    free(grouping->sources);
    free(grouping->piece);
    free(grouping->window);
    free(grouping);
}
