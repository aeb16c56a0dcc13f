/*
 * What the reader knows of its log: sealed segments on the shelf, raw ones with their index in
 * memory, and one way to go through both. Owned by the reader.
 */
#ifndef SL_STORES_LOG_KNOWN_H
#define SL_STORES_LOG_KNOWN_H

#include "stores/log/shelf.h"
#include "stores/log/window.h"

struct sl_log_known {
    struct sl_log_shelf shelf;
    struct sl_log_index **raws; /* of raw segments that have batches, in order, behind the shelf */
    size_t raw_count, raw_capacity;
    struct sl_log_windows windows;
    const struct sl_schema **schemas; /* by id; NULL where there is none */
    size_t schema_count;
    uint64_t next_position;
    uint64_t next_outcome;
    struct sl_log_hits hits[2]; /* for the trace of the read that is being answered */
};

enum sl_err sl_log_known_init(struct sl_log_known *known, const struct sl_log_folder *folder,
                              uint64_t cache_bytes) SL_USE_RESULT;
void sl_log_known_close(struct sl_log_known *known);

/* Takes in one durable batch. SL_NO_MEMORY: part of it is missing, and nothing must be answered any
 * more. */
enum sl_err sl_log_known_learn(struct sl_log_known *known, const struct sl_log_entry *entry,
                               const uint64_t *keys, size_t key_count) SL_USE_RESULT;
enum sl_err sl_log_known_schema(struct sl_log_known *known,
                                const struct sl_schema *schema) SL_USE_RESULT;

/* A segment is sealed: the first raw one, or, when there is none, the next of the log. Afterwards
 * nothing of the raw file is open. SL_NO_MEMORY: nothing was changed. */
enum sl_err sl_log_known_shelve(struct sl_log_known *known,
                                const struct sl_log_sealed_head *head) SL_USE_RESULT;

/* ---- Stretches ------------------------------------------------------------------------------- */

/* Events and outcomes that lie, and are read, together: a batch of a raw segment or a block of a
 * sealed one. */
struct sl_log_stretch {
    uint64_t first_position;
    uint64_t first_outcome;
    uint32_t event_count;
    uint32_t outcome_count;
    struct sl_time outcome_latest;
    const uint64_t *marks; /* its events can be read alone; else NULL */
    bool sealed;
    size_t segment; /* on the shelf, or in raws */
    size_t at;      /* block, or entry */
};

/* The stretch that has, or first follows, a position (an outcome). SL_NOT_FOUND: there is none. All
 * of these give SL_CORRUPT with file and offset, SL_IO, SL_NO_MEMORY. */
enum sl_err sl_log_known_find(struct sl_log_known *known, bool by_outcome, uint64_t sought,
                              struct sl_log_stretch *out, struct sl_error *error) SL_USE_RESULT;

/* The stretch behind it; SL_NOT_FOUND at the end. */
enum sl_err sl_log_known_next(struct sl_log_known *known, struct sl_log_stretch *stretch,
                              struct sl_error *error) SL_USE_RESULT;

/* Its frames; until the next call of this or the next function. With `ahead` those behind it are
 * read along. */
enum sl_err sl_log_known_frames(struct sl_log_known *known, const struct sl_log_stretch *stretch,
                                bool ahead, struct sl_slice *out,
                                struct sl_error *error) SL_USE_RESULT;

/* The payload of one event of a stretch with marks. */
enum sl_err sl_log_known_event(struct sl_log_known *known, const struct sl_log_stretch *stretch,
                               uint32_t event, struct sl_slice *out,
                               struct sl_error *error) SL_USE_RESULT;

#endif
