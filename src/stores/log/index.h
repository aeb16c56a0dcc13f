/*
 * Where events of a raw segment lie: from position, stream and tag to places in it.
 *
 * Rebuilt at open, then extended by a note with each durable batch (L4: it never knows a batch that
 * the log doesn't have), given up when the segment is sealed. Owned by the reader. Streams and tags
 * are kept as 64-bit hashes, so whoever uses a posting compares the event's own text.
 */
#ifndef SL_STORES_LOG_INDEX_H
#define SL_STORES_LOG_INDEX_H

#include "base/arena.h"
#include "base/queue.h"
#include "base/table.h"
#include "contracts/event_store.h"

/* One batch. The order of batches is the order of positions and of outcomes. */
struct sl_log_entry {
    uint64_t first_position;
    uint64_t first_outcome; /* outcomes of the log before this batch */
    struct sl_time outcome_latest;
    uint32_t event_count;
    uint32_t outcome_count;
    uint32_t segment;
    uint32_t block; /* in the segment; the header's is 0 */
    uint32_t block_count;
    uint32_t frame_count;
    const uint64_t *marks; /* of its events, when the batch is large; set by the index */
};

/* Where an event's frame lies in its batch, and a checksum of it: so that one event of a large
 * batch can be read without the others. The lowest 8 bits hold the number of the event's keys. */
#define SL_LOG_MARK_OFFSET_BITS 25 /* SL_LOG_BATCH_BYTES_MAX */
uint64_t sl_log_mark(uint64_t offset, struct sl_slice frame, uint32_t key_count);

static inline uint32_t sl_log_mark_keys(uint64_t mark)
{
    return (uint32_t)(mark & 0xff);
}

static inline uint32_t sl_log_mark_offset(uint64_t mark)
{
    return (uint32_t)(mark >> 8) & ((UINT32_C(1) << SL_LOG_MARK_OFFSET_BITS) - 1);
}

/* Is this the frame that was marked? */
bool sl_log_mark_fits(uint64_t mark, struct sl_slice frame);

/* Keys of events: for each event, in order, its mark and so many hashes. */
struct sl_log_keys {
    uint64_t *items;
    size_t count;
    size_t capacity;
};

/* Adds the keys of one event, its stream and its tags, whose frame lies at `offset` of its batch.
 * False: no memory, nothing was added. */
bool sl_log_keys_add(struct sl_log_keys *keys, uint64_t offset, struct sl_slice frame,
                     struct sl_text stream, const struct sl_text *tags, uint32_t tag_count);
bool sl_log_keys_append(struct sl_log_keys *keys, const uint64_t *items, size_t count);
void sl_log_keys_close(struct sl_log_keys *keys);

uint64_t sl_log_stream_hash(struct sl_text stream);
uint64_t sl_log_tag_hash(struct sl_text tag);

/* What became durable since the note before: the writer fills it, the index takes it in, and it
 * goes back empty. */
struct sl_log_note {
    struct sl_message message;
    struct sl_log_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
    struct sl_log_keys keys;
    const struct sl_schema **schemas; /* new ones; they live as long as the store */
    size_t schema_count;
    size_t schema_capacity;
};

/* Room for one more entry and `schema_count` schemas, so that what was made durable can be
 * noted. */
bool sl_log_note_reserve(struct sl_log_note *note, size_t key_count, size_t schema_count);
void sl_log_note_empty(struct sl_log_note *note);
void sl_log_note_free(struct sl_log_note *note); /* NULL is allowed */

/* Of one raw segment. sl_log_index_init before use; next_position and next_outcome are then where
 * the segment begins. */
struct sl_log_index {
    uint64_t segment; /* its number */
    struct sl_log_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
    struct sl_table postings; /* hash -> struct sl_log_posting */
    struct sl_arena arena;    /* postings */
    uint64_t next_position;
    uint64_t next_outcome;
    uint64_t bytes;
};

/* The positions under one hash, ascending, without repeats. */
struct sl_log_posting {
    uint64_t few[2]; /* until there are more */
    uint64_t *many;
    uint32_t count;
    uint32_t capacity;
};

void sl_log_index_init(struct sl_log_index *index);

/* Takes in one batch. SL_NO_MEMORY: the index lacks part of it and must not be used further. */
enum sl_err sl_log_index_add(struct sl_log_index *index, const struct sl_log_entry *entry,
                             const uint64_t *keys, size_t key_count) SL_USE_RESULT;

/* The number of the first entry that has, or follows, this position (outcome): entry_count if
 * none. */
size_t sl_log_index_at_position(const struct sl_log_index *index, uint64_t position);
size_t sl_log_index_at_outcome(const struct sl_log_index *index, uint64_t outcome);

/* Positions under a hash; lives until the next add. */
struct sl_log_positions {
    const uint64_t *items;
    size_t count;
};
struct sl_log_positions sl_log_index_find(const struct sl_log_index *index, uint64_t hash);

void sl_log_index_close(struct sl_log_index *index);

#endif
