#include "stores/log/shelf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOT_BLOCK_BYTES = 2 * SL_LOG_SEALED_BLOCK_BYTES, /* larger blocks do not stay */
    CLOSE_LOOKS = 16,
};

enum sl_err sl_log_shelf_init(struct sl_log_shelf *shelf, const struct sl_log_folder *folder,
                              uint64_t cache_bytes)
{
    *shelf = (struct sl_log_shelf){.folder = folder, .unpacker = sl_log_unpacker_new()};
    if (!shelf->unpacker)
        return SL_NO_MEMORY;
    enum sl_err err = sl_log_cache_init(&shelf->pages, cache_bytes / 4 * 3, SL_LOG_PAGE);
    if (err == SL_OK)
        err = sl_log_cache_init(&shelf->blocks, cache_bytes / 4, SL_LOG_SEALED_BLOCK_BYTES);
    return err;
}

void sl_log_shelf_close(struct sl_log_shelf *shelf)
{
    for (size_t i = 0; i < shelf->count; i++)
        if (shelf->segments[i].file)
            sl_file_close(shelf->segments[i].file);
    free(shelf->segments);
    free(shelf->stored);
    sl_log_unpacker_free(shelf->unpacker);
    sl_log_groups_close(&shelf->groups);
    sl_log_cache_close(&shelf->pages);
    sl_log_cache_close(&shelf->blocks);
    *shelf = (struct sl_log_shelf){0};
}

/* ---- Segments -------------------------------------------------------------------------------- */

enum sl_err sl_log_shelf_add(struct sl_log_shelf *shelf, const struct sl_log_sealed_head *head)
{
    SL_ASSERT(head->segment.number == shelf->count, "L1");
    if (shelf->count == shelf->capacity) {
        const size_t capacity = shelf->capacity > 0 ? shelf->capacity * 2 : 16;
        struct sl_log_sealed *segments = realloc(shelf->segments, capacity * sizeof *segments);
        if (!segments)
            return SL_NO_MEMORY;
        shelf->segments = segments;
        shelf->capacity = capacity;
    }
    if (sl_log_groups_grow(&shelf->groups, shelf->count + 1) != SL_OK)
        return SL_NO_MEMORY;
    shelf->segments[shelf->count++] = (struct sl_log_sealed){.head = *head};
    return SL_OK;
}

static size_t first_above(const struct sl_log_shelf *shelf, bool by_outcome, uint64_t sought)
{
    size_t low = 0, high = shelf->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct sl_log_sealed_head *head = &shelf->segments[middle].head;
        if ((by_outcome ? head->next_outcome : head->next_position) <= sought)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t sl_log_shelf_at_position(const struct sl_log_shelf *shelf, uint64_t position)
{
    return first_above(shelf, false, position);
}

size_t sl_log_shelf_at_outcome(const struct sl_log_shelf *shelf, uint64_t outcome)
{
    return first_above(shelf, true, outcome);
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* The least used of the next few: to look at all would cost more than to open one again. */
static void close_least_used(struct sl_log_shelf *shelf)
{
    struct sl_log_sealed *oldest = NULL;

    SL_ASSERT(shelf->open_count > 0);
    for (unsigned looks = 0; looks < CLOSE_LOOKS || !oldest; looks++) {
        shelf->hand = shelf->hand + 1 < shelf->count ? shelf->hand + 1 : 0;
        struct sl_log_sealed *segment = &shelf->segments[shelf->hand];
        if (segment->file && (!oldest || segment->used < oldest->used))
            oldest = segment;
    }
    sl_file_close(oldest->file);
    oldest->file = NULL;
    shelf->open_count--;
}

static enum sl_err open_file(struct sl_log_shelf *shelf, struct sl_log_sealed *segment,
                             struct sl_error *error)
{
    char path[SL_LOG_PATH_MAX];

    segment->used = ++shelf->clock;
    if (segment->file)
        return SL_OK;
    if (shelf->open_count == SL_LOG_SHELF_FILES_MAX)
        close_least_used(shelf);
    sl_log_sealed_path(shelf->folder, segment->head.segment.number, path);
    struct sl_error why = {0};
    enum sl_err err = sl_disk_open(shelf->folder->env, path, SL_OPEN_READ, &segment->file, &why);
    /* A process may have fewer files open than we would like: then fewer of ours are. */
    while (err != SL_OK && (why.os_errno == EMFILE || why.os_errno == ENFILE) &&
           shelf->open_count > 0) {
        close_least_used(shelf);
        err = sl_disk_open(shelf->folder->env, path, SL_OPEN_READ, &segment->file, &why);
    }
    if (err == SL_OK)
        shelf->open_count++;
    else if (error)
        *error = why;
    return err;
}

static enum sl_err damaged(const struct sl_log_shelf *shelf, size_t segment, uint64_t offset,
                           const char *what, struct sl_error *error)
{
    char path[SL_LOG_PATH_MAX];

    SL_MARK("log: damage met in a sealed segment");
    sl_log_sealed_path(shelf->folder, shelf->segments[segment].head.segment.number, path);
    return sl_fail(error, SL_CORRUPT,
                   "%s: damaged at offset %llu (%s): restore it from a backup "
                   "or a follower, or see `sluice log salvage`",
                   path, (unsigned long long)offset, what);
}

static enum sl_err read_exactly(struct sl_log_shelf *shelf, size_t segment, uint64_t offset,
                                uint8_t *bytes, size_t len, struct sl_error *error)
{
    struct sl_log_sealed *sealed = &shelf->segments[segment];
    size_t got = 0;

    enum sl_err err = open_file(shelf, sealed, error);
    if (err == SL_OK)
        err = sl_file_read(sealed->file, offset, bytes, len, &got, error);
    if (err == SL_OK && got < len)
        err = damaged(shelf, segment, offset, "the file is too short", error);
    return err;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static enum sl_err load_page(struct sl_log_shelf *shelf, size_t segment,
                             enum sl_log_page_kind kind, uint32_t number,
                             struct sl_log_cached *slot, struct sl_error *error)
{
    const struct sl_log_sealed_head *head = &shelf->segments[segment].head;
    const uint64_t offset = (uint64_t)number * SL_LOG_PAGE;
    uint32_t count;

    if (!sl_log_slot_room(slot, SL_LOG_PAGE))
        return sl_fail(error, SL_NO_MEMORY, "no memory to read the log's index");
    const enum sl_err err = read_exactly(shelf, segment, offset, slot->bytes, SL_LOG_PAGE, error);
    if (err != SL_OK)
        return err;
    shelf->page_reads++;
    if (!sl_log_page_check(slot->bytes, head->segment.salt, number, kind, &count))
        return damaged(shelf, segment, offset, "index", error);
    slot->len = SL_LOG_PAGE;
    slot->segment = segment;
    slot->number = number;
    return SL_OK;
}

/* The room of the index-th page of a kind, its count with it; until the next call. */
static enum sl_err get_page(struct sl_log_shelf *shelf, size_t segment, enum sl_log_page_kind kind,
                            uint32_t index, const uint8_t **out, uint32_t *out_count,
                            struct sl_error *error)
{
    const struct sl_log_sealed_head *head = &shelf->segments[segment].head;
    const uint32_t number = sl_log_sealed_pages(head, kind)->first + index;
    bool hit;

    SL_ASSERT(index < sl_log_sealed_pages(head, kind)->count, "L4");
    struct sl_log_cached *slot = sl_log_cache_slot(&shelf->pages, segment, number, &hit);
    slot->used = ++shelf->clock;
    if (!hit && shelf->memory_only)
        return SL_BUSY;
    if (!hit) {
        const enum sl_err err = load_page(shelf, segment, kind, number, slot, error);
        if (err != SL_OK)
            return err;
    }
    *out_count = sl_le32(slot->bytes + 12);
    *out = slot->bytes;
    return SL_OK;
}

static enum sl_err bad_index(const struct sl_log_shelf *shelf, size_t segment,
                             enum sl_log_page_kind kind, uint32_t index, struct sl_error *error)
{
    const uint64_t number =
        sl_log_sealed_pages(&shelf->segments[segment].head, kind)->first + (uint64_t)index;

    return damaged(shelf, segment, number * SL_LOG_PAGE, "index", error);
}

/* ---- Places ---------------------------------------------------------------------------------- */

enum sl_err sl_log_shelf_place(struct sl_log_shelf *shelf, size_t segment, uint32_t number,
                               struct sl_log_place *out, struct sl_error *error)
{
    const struct sl_log_sealed_head *head = &shelf->segments[segment].head;
    const uint32_t index = number / SL_LOG_PLACES_A_PAGE, slot = number % SL_LOG_PLACES_A_PAGE;
    struct sl_log_place place = {0};
    const uint8_t *page;
    uint32_t count;

    const enum sl_err err =
        get_page(shelf, segment, SL_LOG_PAGES_PLACES, index, &page, &count, error);
    if (err != SL_OK)
        return err;
    sl_log_place_read(page + SL_LOG_PAGE_HEAD + slot * SL_LOG_PLACE_BYTES, &place);
    if (slot >= count || place.offset > head->data_end ||
        place.bytes > head->data_end - place.offset || place.bytes < SL_LOG_SEALED_BLOCK_HEAD)
        return bad_index(shelf, segment, SL_LOG_PAGES_PLACES, index, error);
    *out = place;
    return SL_OK;
}

enum sl_err sl_log_shelf_find_place(struct sl_log_shelf *shelf, size_t segment, bool by_outcome,
                                    uint64_t sought, uint32_t *out_number, struct sl_log_place *out,
                                    struct sl_error *error)
{
    uint32_t low = 0, high = shelf->segments[segment].head.block_count;
    struct sl_log_place place = {0}, found = {0};

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const enum sl_err err = sl_log_shelf_place(shelf, segment, middle, &place, error);
        if (err != SL_OK)
            return err;
        const uint64_t end = by_outcome ? place.first_outcome + place.outcome_count
                                        : place.first_position + place.event_count;
        if (end <= sought) {
            low = middle + 1;
        } else {
            high = middle;
            found = place;
        }
    }
    *out_number = low;
    *out = found;
    return SL_OK;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static enum sl_err load_block(struct sl_log_shelf *shelf, size_t segment,
                              const struct sl_log_place *place, struct sl_log_cached *slot,
                              struct sl_error *error)
{
    struct sl_log_block_head head;

    if (shelf->stored_capacity < place->bytes) {
        uint8_t *stored = realloc(shelf->stored, place->bytes);
        if (!stored)
            return sl_fail(error, SL_NO_MEMORY, "no memory to read the log");
        shelf->stored = stored;
        shelf->stored_capacity = place->bytes;
    }
    const enum sl_err err =
        read_exactly(shelf, segment, place->offset, shelf->stored, place->bytes, error);
    if (err != SL_OK)
        return err;
    shelf->block_reads++;
    if (!sl_log_block_peek(shelf->stored, &head) ||
        SL_LOG_SEALED_BLOCK_HEAD + head.stored_bytes != place->bytes ||
        head.first_position != place->first_position || head.event_count != place->event_count ||
        head.frame_bytes != place->frame_bytes ||
        !sl_log_block_is_whole(&head, shelf->segments[segment].head.segment.salt, shelf->stored))
        return damaged(shelf, segment, place->offset, "a block", error);
    if (!sl_log_slot_room(slot, head.frame_bytes))
        return sl_fail(error, SL_NO_MEMORY, "no memory to read the log");
    if (!sl_log_block_unpack_with(shelf->unpacker, &head, shelf->stored, slot->bytes))
        return damaged(shelf, segment, place->offset, "a block", error);
    slot->len = head.frame_bytes;
    return SL_OK;
}

enum sl_err sl_log_shelf_frames(struct sl_log_shelf *shelf, size_t segment, uint32_t number,
                                struct sl_slice *out, struct sl_error *error)
{
    struct sl_log_place place = {0};
    bool hit;
    struct sl_log_cached *slot = sl_log_cache_slot(&shelf->blocks, segment, number, &hit);

    if (!hit && shelf->memory_only)
        return SL_BUSY;
    if (!hit) {
        enum sl_err err = sl_log_shelf_place(shelf, segment, number, &place, error);
        if (err != SL_OK)
            return err;
        if (place.frame_bytes > SLOT_BLOCK_BYTES)
            slot = &shelf->blocks.large;
        err = load_block(shelf, segment, &place, slot, error);
        if (err != SL_OK)
            return err;
        slot->segment = segment;
        slot->number = number;
    }
    slot->used = ++shelf->clock;
    *out = (struct sl_slice){slot->bytes, slot->len};
    return SL_OK;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

enum sl_err sl_log_shelf_may_have(struct sl_log_shelf *shelf, size_t segment, uint64_t hash,
                                  bool *out, struct sl_error *error)
{
    const struct sl_log_sealed_head *head = &shelf->segments[segment].head;
    const uint32_t page_count = sl_log_sealed_pages(head, SL_LOG_PAGES_FILTER)->count;
    const uint8_t *page;
    uint32_t count;

    *out = false;
    if (page_count == 0)
        return SL_OK;
    const enum sl_err err = get_page(shelf, segment, SL_LOG_PAGES_FILTER,
                                     sl_log_filter_page(hash, page_count), &page, &count, error);
    if (err == SL_OK)
        *out = sl_log_filter_has(page, hash);
    return err;
}

/* The last page of keys whose first pair is not above `pair` (below it, when `below`); 0 if
 * none. */
static enum sl_err find_guide(struct sl_log_shelf *shelf, size_t segment,
                              const struct sl_log_pair *pair, bool below, uint32_t *out,
                              struct sl_error *error)
{
    uint32_t low = 0;
    uint32_t high = sl_log_sealed_pages(&shelf->segments[segment].head, SL_LOG_PAGES_KEYS)->count;

    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        const uint32_t index = middle / SL_LOG_GUIDES_A_PAGE;
        struct sl_log_pair first;
        const uint8_t *page;
        uint32_t count;
        const enum sl_err err =
            get_page(shelf, segment, SL_LOG_PAGES_GUIDES, index, &page, &count, error);
        if (err != SL_OK)
            return err;
        sl_log_guide_read(
            page + SL_LOG_PAGE_HEAD + middle % SL_LOG_GUIDES_A_PAGE * SL_LOG_GUIDE_BYTES, &first);
        if (first.hash < pair->hash ||
            (first.hash == pair->hash &&
             (below ? first.position < pair->position : first.position <= pair->position)))
            low = middle;
        else
            high = middle;
    }
    *out = low;
    return SL_OK;
}

/* What page `index` holds of the hash, on the right side of the bound. `*past`: the page goes on
 * behind the hash. */
static enum sl_err take_hits(struct sl_log_shelf *shelf, size_t segment, uint32_t index,
                             const struct sl_log_pair *bound, bool backwards,
                             struct sl_log_hits *out, bool *past, struct sl_error *error)
{
    struct sl_log_pair pair;
    struct sl_log_run run;
    const uint8_t *page;
    uint32_t count;

    const enum sl_err err =
        get_page(shelf, segment, SL_LOG_PAGES_KEYS, index, &page, &count, error);
    if (err != SL_OK)
        return err;
    sl_log_run_begin(&run, page, count, shelf->segments[segment].head.segment.first_position);
    sl_log_run_seek(&run, bound->hash);
    out->count = 0;
    *past = false;
    while (!*past && sl_log_run_next(&run, &pair)) {
        if (pair.hash > bound->hash)
            *past = true;
        else if (pair.hash == bound->hash && (pair.position < bound->position) == backwards)
            out->positions[out->count++] = pair.position;
    }
    if (run.cursor.failed)
        return bad_index(shelf, segment, SL_LOG_PAGES_KEYS, index, error);
    return SL_OK;
}

enum sl_err sl_log_shelf_hits(struct sl_log_shelf *shelf, size_t segment, uint64_t hash,
                              uint64_t bound, bool backwards, struct sl_log_hits *out,
                              struct sl_error *error)
{
    const uint32_t page_count =
        sl_log_sealed_pages(&shelf->segments[segment].head, SL_LOG_PAGES_KEYS)->count;
    const struct sl_log_pair pair = {sl_log_short_hash(hash), bound};
    uint32_t index;
    bool past = false;

    out->count = 0;
    out->more = false;
    if (page_count == 0)
        return SL_OK;
    enum sl_err err = find_guide(shelf, segment, &pair, backwards, &index, error);
    if (err != SL_OK)
        return err;
    err = take_hits(shelf, segment, index, &pair, backwards, out, &past, error);
    /* Forwards, the bound may lie behind the page's last pair. */
    while (err == SL_OK && !backwards && out->count == 0 && !past && index + 1 < page_count)
        err = take_hits(shelf, segment, ++index, &pair, false, out, &past, error);
    out->more = out->count > 0 && (backwards ? index > 0 : !past && index + 1 < page_count);
    return err;
}
