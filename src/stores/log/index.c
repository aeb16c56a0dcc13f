#include "stores/log/index.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum {
    STREAM_SEED = 1,
    TAG_SEED = 2,
    FRAME_SEED = 3,
    LARGE_BLOCKS = 16, /* smaller batches are read whole */
};

uint64_t sl_log_stream_hash(struct sl_text stream)
{
    return sl_hash64(stream.ptr, stream.len, STREAM_SEED);
}

uint64_t sl_log_tag_hash(struct sl_text tag)
{
    return sl_hash64(tag.ptr, tag.len, TAG_SEED);
}

/* Makes `*items` hold `count` things of `size` bytes, doubling; false: no memory, nothing
 * changed. */
static bool grow(void *items, size_t *capacity, size_t count, size_t size)
{
    void *old;
    size_t room = *capacity > 0 ? *capacity : 16;
    size_t bytes;

    if (count <= *capacity)
        return true;
    while (room < count)
        if (__builtin_mul_overflow(room, 2, &room))
            return false;
    if (__builtin_mul_overflow(room, size, &bytes))
        return false;
    memcpy(&old, items, sizeof old); /* object pointers look alike, whatever they point to */
    void *larger = realloc(old, bytes);
    if (!larger)
        return false;
    memcpy(items, &larger, sizeof larger);
    *capacity = room;
    return true;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static uint64_t frame_check(struct sl_slice frame)
{
    return sl_hash64(frame.ptr, frame.len, FRAME_SEED) >> (8 + SL_LOG_MARK_OFFSET_BITS);
}

uint64_t sl_log_mark(uint64_t offset, struct sl_slice frame, uint32_t key_count)
{
    return frame_check(frame) << (8 + SL_LOG_MARK_OFFSET_BITS) | offset << 8 | key_count;
}

bool sl_log_mark_fits(uint64_t mark, struct sl_slice frame)
{
    return mark >> (8 + SL_LOG_MARK_OFFSET_BITS) == frame_check(frame);
}

bool sl_log_keys_add(struct sl_log_keys *keys, uint64_t offset, struct sl_slice frame,
                     struct sl_text stream, const struct sl_text *tags, uint32_t tag_count)
{
    if (!grow(&keys->items, &keys->capacity, keys->count + 2 + tag_count, sizeof *keys->items))
        return false;
    keys->items[keys->count++] = sl_log_mark(offset, frame, 1 + tag_count);
    keys->items[keys->count++] = sl_log_stream_hash(stream);
    for (uint32_t i = 0; i < tag_count; i++)
        keys->items[keys->count++] = sl_log_tag_hash(tags[i]);
    return true;
}

bool sl_log_keys_append(struct sl_log_keys *keys, const uint64_t *items, size_t count)
{
    if (!grow(&keys->items, &keys->capacity, keys->count + count, sizeof *keys->items))
        return false;
    if (count > 0)
        memcpy(keys->items + keys->count, items, count * sizeof *items);
    keys->count += count;
    return true;
}

void sl_log_keys_close(struct sl_log_keys *keys)
{
    free(keys->items);
    *keys = (struct sl_log_keys){0};
}

/* ---- Notes ----------------------------------------------------------------------------------- */

bool sl_log_note_reserve(struct sl_log_note *note, size_t key_count, size_t schema_count)
{
    return grow(&note->entries, &note->entry_capacity, note->entry_count + 1,
                sizeof *note->entries) &&
           grow(&note->keys.items, &note->keys.capacity, note->keys.count + key_count,
                sizeof *note->keys.items) &&
           grow(&note->schemas, &note->schema_capacity, note->schema_count + schema_count,
                sizeof *note->schemas);
}

void sl_log_note_empty(struct sl_log_note *note)
{
    note->entry_count = 0;
    note->keys.count = 0;
    note->schema_count = 0;
}

void sl_log_note_free(struct sl_log_note *note)
{
    if (!note)
        return;
    free(note->entries);
    free(note->schemas);
    sl_log_keys_close(&note->keys);
    free(note);
}

/* ---- The index ------------------------------------------------------------------------------- */

/* The table compares the whole 64-bit hash before it asks, and the hash is all there is. */
static bool same_hash(const void *value, struct sl_slice key)
{
    (void)value;
    (void)key;
    return true;
}

void sl_log_index_init(struct sl_log_index *index)
{
    *index = (struct sl_log_index){.postings = {.same = same_hash},
                                   .arena = {.bytes_max = SIZE_MAX / 2}};
}

static enum sl_err add_posting(struct sl_log_index *index, uint64_t hash, uint64_t position)
{
    struct sl_log_posting *posting =
        sl_table_find(&index->postings, hash, (struct sl_slice){NULL, 0});

    if (!posting) {
        posting = sl_arena_zeroed(&index->arena, 1, sizeof *posting);
        if (!posting || sl_table_add(&index->postings, hash, posting) != SL_OK)
            return SL_NO_MEMORY;
        posting->capacity = 2;
        index->bytes += sizeof *posting + sizeof(struct sl_table_slot);
    }
    uint64_t *items = posting->many ? posting->many : posting->few;
    if (posting->count > 0 && items[posting->count - 1] == position)
        return SL_OK; /* a tag twice on one event */
    if (posting->count == posting->capacity) {
        const uint32_t capacity = posting->capacity * 2;
        uint64_t *many =
            capacity == 0 ? NULL : realloc(posting->many, (size_t)capacity * sizeof *many);
        if (!many)
            return SL_NO_MEMORY;
        if (!posting->many)
            memcpy(many, posting->few, sizeof posting->few);
        index->bytes += (uint64_t)(capacity - posting->capacity) * sizeof *many;
        posting->many = items = many;
        posting->capacity = capacity;
    }
    items[posting->count++] = position;
    return SL_OK;
}

enum sl_err sl_log_index_add(struct sl_log_index *index, const struct sl_log_entry *entry,
                             const uint64_t *keys, size_t key_count)
{
    const uint64_t *end = key_count > 0 ? keys + key_count : keys; /* NULL + 0 is undefined */
    uint64_t *marks = NULL;

    SL_ASSERT(entry->first_position == index->next_position, "L1");
    SL_ASSERT(entry->first_outcome == index->next_outcome, "L4");
    if (!grow(&index->entries, &index->entry_capacity, index->entry_count + 1,
              sizeof *index->entries))
        return SL_NO_MEMORY;
    if (entry->block_count > LARGE_BLOCKS && entry->event_count > 1) {
        marks = sl_arena_take(&index->arena, entry->event_count * sizeof *marks);
        if (!marks)
            return SL_NO_MEMORY;
        index->bytes += entry->event_count * sizeof *marks;
    }
    for (uint32_t i = 0; i < entry->event_count; i++) {
        SL_ASSERT(keys < end && sl_log_mark_keys(*keys) < (uint64_t)(end - keys), "L4");
        if (marks)
            marks[i] = *keys;
        for (uint32_t left = sl_log_mark_keys(*keys++); left > 0; left--) {
            const enum sl_err err = add_posting(index, *keys++, entry->first_position + i);
            if (err != SL_OK)
                return err;
        }
    }
    SL_ASSERT(keys == end, "L4");
    index->entries[index->entry_count] = *entry;
    index->entries[index->entry_count++].marks = marks;
    index->next_position = entry->first_position + entry->event_count;
    index->next_outcome = entry->first_outcome + entry->outcome_count;
    index->bytes += sizeof *entry;
    return SL_OK;
}

size_t sl_log_index_at_position(const struct sl_log_index *index, uint64_t position)
{
    size_t low = 0, high = index->entry_count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct sl_log_entry *entry = &index->entries[middle];
        if (entry->first_position + entry->event_count <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t sl_log_index_at_outcome(const struct sl_log_index *index, uint64_t outcome)
{
    size_t low = 0, high = index->entry_count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct sl_log_entry *entry = &index->entries[middle];
        if (entry->first_outcome + entry->outcome_count <= outcome)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct sl_log_positions sl_log_index_find(const struct sl_log_index *index, uint64_t hash)
{
    const struct sl_log_posting *posting =
        sl_table_find(&index->postings, hash, (struct sl_slice){NULL, 0});

    if (!posting)
        return (struct sl_log_positions){NULL, 0};
    return (struct sl_log_positions){posting->many ? posting->many : posting->few, posting->count};
}

void sl_log_index_close(struct sl_log_index *index)
{
    struct sl_log_posting *posting;

    for (size_t cursor = 0; (posting = sl_table_next(&index->postings, &cursor));)
        free(posting->many);
    sl_table_close(&index->postings);
    sl_arena_close(&index->arena);
    free(index->entries);
    *index = (struct sl_log_index){0};
}
