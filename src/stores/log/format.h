/*
 * The bytes of the log: segment headers, batches, frames. Pure functions over memory; the essay
 * that owns the format stands in format.c.
 */
#ifndef SL_STORES_LOG_FORMAT_H
#define SL_STORES_LOG_FORMAT_H

#include "base/bytes.h"
#include "contracts/event_store.h"

#define SL_LOG_VERSION 1u
#define SL_LOG_BLOCK 4096u
#define SL_LOG_BATCH_HEAD 104u
/* Ceiling of an encoded batch: 16 MiB of content (M1) and as much again for what frames it. */
#define SL_LOG_BATCH_BYTES_MAX (32u << 20)
#define SL_LOG_SCHEMA_ID_MAX 65535u
#define SL_LOG_TAGS_MAX 16u
#define SL_LOG_SCHEMAS_MAX 4096u /* new ones in a batch */

/* ---- Segments -------------------------------------------------------------------------------- */

struct sl_log_segment_head {
    struct sl_uuid log;
    uint64_t number; /* of the segment in its log, from 0; also the file's name */
    uint64_t salt;   /* random for every use of the file */
    uint64_t bytes;  /* of the file, header included */
    uint64_t first_position;
    uint64_t first_batch;
    uint64_t previous; /* checksum of the last batch before this segment */
    struct sl_time time;
};

/* Fills a block of SL_LOG_BLOCK bytes. */
void sl_log_segment_head_write(const struct sl_log_segment_head *head, uint8_t *block);

/* Puts the checksum into a header that was changed. */
void sl_log_segment_head_seal(uint8_t *block);

/* Of a header that was read: is it a sealed segment's (sealed.h)? */
static inline bool sl_log_segment_is_sealed(const uint8_t *block)
{
    return sl_le32(block + 104) != 0;
}

/* SL_CORRUPT, or SL_UNSUPPORTED when a newer program wrote it (F1). `path` is for the message. */
enum sl_err sl_log_segment_head_read(const uint8_t *block, const char *path,
                                     struct sl_log_segment_head *out,
                                     struct sl_error *error) SL_USE_RESULT;

/* ---- Batches --------------------------------------------------------------------------------- */

struct sl_log_batch_head {
    uint64_t checksum;
    uint32_t flags; /* unknown ones say "a newer program wrote this" */
    uint32_t block_count;
    uint32_t payload_bytes;
    uint32_t frame_count;
    uint32_t event_count;
    uint32_t outcome_count;
    uint64_t salt;
    uint64_t number; /* of the batch in its log, from 0 */
    uint64_t first_position;
    uint64_t epoch;
    uint64_t previous;        /* checksum of the batch before this one; 0 for the very first */
    uint64_t durable_batches; /* when it was written, batches with lower numbers were durable, */
    uint64_t durable_through; /* and events with lower positions */
    struct sl_time time;
    uint64_t kept; /* with SL_LOG_SCAVENGED: checksum of what is left (stone.c) */
};

enum sl_log_batch_flags {
    SL_LOG_SCAVENGED = 1, /* it has stones; only in sealed segments */
};

/* Writes the head over the first bytes of `batch`, whose block_count blocks are otherwise complete
 * (zero behind the payload), and puts the checksum in; also into `head`. */
void sl_log_batch_seal(struct sl_log_batch_head *head, uint8_t *batch);

/* Does a batch of the segment with this salt seem to begin in this block? Nothing is believed
 * before sl_log_batch_is_whole. */
bool sl_log_batch_peek(const uint8_t *block, uint64_t salt, struct sl_log_batch_head *out);

/* Does a batch begin here that an earlier use of the file left? */
bool sl_log_batch_is_stale(const uint8_t *block, uint64_t salt);

/* `batch` has all of head->block_count blocks. */
bool sl_log_batch_is_whole(const struct sl_log_batch_head *head, const uint8_t *batch);

/* The frames of a whole batch. */
static inline struct sl_slice sl_log_batch_frames(const uint8_t *batch)
{
    return (struct sl_slice){batch + SL_LOG_BATCH_HEAD, sl_le32(batch + 20)};
}

/* ---- Frames ---------------------------------------------------------------------------------- */

enum sl_log_frame_kind {
    SL_LOG_EVENT = 1,
    SL_LOG_OUTCOME = 2,
    SL_LOG_SCHEMA = 3,
    SL_LOG_EPOCH = 4,
    SL_LOG_ENCRYPTED = 5, /* reserved: an event whose body is under a subject's key */
    SL_LOG_STONE = 6,     /* where an event was scavenged, with its hash (stone.h) */
    SL_LOG_PROGRESS = 7,  /* reserved: how far a process or relay has come */
    SL_LOG_BATCH = 8,     /* in sealed segments: where a batch begins (sealed.h); may be skipped */
};

enum sl_log_frame_flags {
    SL_LOG_MAY_SKIP = 1, /* a reader that does not know the kind goes on behind it */
};

struct sl_log_frame {
    uint8_t kind;
    uint8_t flags;
    struct sl_slice whole; /* with its header; in the batch */
    struct sl_slice payload;
};

/* The next frame; SL_NOT_FOUND at the end, SL_CORRUPT where lengths do not fit, SL_UNSUPPORTED for
 * a kind that this program doesn't know and may not skip. Frames to be skipped are not handed
 * out. */
enum sl_err sl_log_frame_next(struct sl_cursor *cursor, struct sl_log_frame *out) SL_USE_RESULT;

/* The next frame of whatever kind; SL_NOT_FOUND, SL_CORRUPT as above. For copying and verifying. */
enum sl_err sl_log_frame_next_any(struct sl_cursor *cursor, struct sl_log_frame *out) SL_USE_RESULT;

/* An event as it lies in its frame; everything points into it. Tags: sl_log_tag_next. */
struct sl_log_event {
    uint32_t schema;
    uint32_t tag_count;
    uint64_t revision;
    struct sl_time time;
    struct sl_uuid command;
    struct sl_text stream;
    struct sl_cursor tags;
    struct sl_slice body;
};

bool sl_log_event_read(struct sl_slice payload, struct sl_log_event *out);
bool sl_log_outcome_read(struct sl_slice payload, struct sl_stored_outcome *out);
bool sl_log_schema_read(struct sl_slice payload, struct sl_schema *out);
bool sl_log_epoch_read(struct sl_slice payload, struct sl_epoch *out);

/* Called at most tag_count times, on a copy of `event->tags`; the event was read, so it can't
 * fail. */
struct sl_text sl_log_tag_next(struct sl_cursor *tags);

/* Bytes of a whole frame, its own header included. */
size_t sl_log_event_size(const struct sl_stored_event *event);
size_t sl_log_outcome_size(const struct sl_stored_outcome *outcome);
size_t sl_log_schema_size(const struct sl_schema *schema);
size_t sl_log_epoch_size(const struct sl_epoch *epoch);

/* Write exactly that many bytes and return the end. */
uint8_t *sl_log_event_write(uint8_t *p, const struct sl_stored_event *event);
uint8_t *sl_log_outcome_write(uint8_t *p, const struct sl_stored_outcome *outcome);
uint8_t *sl_log_schema_write(uint8_t *p, const struct sl_schema *schema);
uint8_t *sl_log_epoch_write(uint8_t *p, const struct sl_epoch *epoch);

#endif
