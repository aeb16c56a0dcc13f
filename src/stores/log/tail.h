/*
 * The writing end of a log: everything that claims and appends change.
 *
 * It has one owner at a time (T1): the writer actor, or, while every request that was sent to that
 * actor has come back, the store's owner, who may then write a small batch on its own thread. How
 * it passes between the two stands in writer.h.
 */
#ifndef SL_STORES_LOG_TAIL_H
#define SL_STORES_LOG_TAIL_H

#include "stores/log/batch.h"
#include "stores/log/recover.h"
#include "stores/log/sealer.h"

enum sl_log_spare_state {
    SL_LOG_SPARE_NONE,
    SL_LOG_SPARE_ASKED, /* the sealer has the request */
    SL_LOG_SPARE_READY,
};

/* For operators and for deciding whether a write is quick. */
struct sl_log_numbers {
    uint64_t position;
    uint64_t epoch;
    uint64_t segments;
    uint64_t bytes; /* of batches, padding included */
    uint64_t writes;
    uint64_t last_write_ns;
    uint64_t usual_write_ns; /* a moving average that one slow write moves little; 0: none yet */
    bool failed;
    uint64_t sealed; /* segments, as far as the sealer has told */
    bool sealing_failed;
};

struct sl_log_tail {
    const struct sl_log_folder *folder;
    uint64_t segment_bytes_max; /* of a segment, unless a batch needs more */
    uint64_t segment_keys_max;  /* with so many a segment is full, too: its index is in memory */
    uint64_t filled_bytes;      /* of the last segment that is full: what was used of it */
    uint64_t keyed_bytes;       /* of the next, when the last was full of keys; 0: it was not */
    struct sl_mailbox *reader;  /* of the actor that gets the notes */
    struct sl_log_sealer *sealer;

    struct sl_log_end end;
    struct sl_file *file; /* the last segment; NULL when it can't be trusted any more */
    struct sl_log_catalog catalog;
    uint64_t epoch;                /* claimed by this store; 0: none */
    enum sl_append_result failure; /* of all appends until the next claim; 0: none */
    struct sl_error error;         /* why */
    struct sl_log_batch batch;     /* in the making */

    struct sl_log_note *note; /* what is durable and not yet told to the reader; NULL: none */
    struct sl_mailbox *notes; /* where empty notes come back */
    bool unsettled;           /* the note holds what a failed recovery read: not to be told yet */

    enum sl_log_spare_state spare_state;
    struct sl_log_spare spare;
    struct sl_mailbox *spares; /* where its answer comes */
    struct sl_message hurry;
    bool hurry_sent; /* and not come back */
    struct sl_log_rolled rolled;
    bool rolled_sent;     /* and not come back */
    bool seals;           /* the sealer does */
    uint64_t sealed_before; /* segments sealed when this one began */
    int64_t wait_since;     /* appends wait for the sealer in this segment; 0: they did not */
    uint64_t rolled_told; /* full_below that the sealer knows */

    struct sl_log_numbers numbers;
};

/* Makes the mailboxes. The other parts of the environment (folder, segment_bytes_max, reader,
 * sealer) are the caller's to set. `tail` is zeroed. */
enum sl_err sl_log_tail_init(struct sl_log_tail *tail, struct sl_error *error) SL_USE_RESULT;
void sl_log_tail_close(struct sl_log_tail *tail);

/* Makes the first segment of a new log. */
enum sl_err sl_log_tail_create(struct sl_log_tail *tail, struct sl_error *error) SL_USE_RESULT;

/* Looks whether a spare is there, and asks for one if not. */
void sl_log_tail_want_spare(struct sl_log_tail *tail, bool is_there);

/* Should appends wait a moment, because full segments pile up faster than they are sealed, and
 * their index in memory with them? Only near the end of a segment, and no longer than until one
 * more is sealed, or cannot be, or for half a second, doubled with each one more that waits, up to
 * half a minute: a machine that starves the sealer slows the log down, and does not stop it. */
bool sl_log_tail_must_wait(struct sl_log_tail *tail);

/* Tells the sealer which segments are full; nothing happens when it knows. */
void sl_log_tail_tell_sealer(struct sl_log_tail *tail);

/* Fills the answer of the claim. After a failure it reads the log's end again first. */
void sl_log_tail_claim(struct sl_log_tail *tail, struct sl_claim *claim);

/* Begins a batch. */
void sl_log_tail_begin(struct sl_log_tail *tail);

/* Adds an append to the batch; false: it is answered already, and not in the batch. */
bool sl_log_tail_add(struct sl_log_tail *tail, struct sl_append *append);

/* Writes the batch durably; the result is that of every append in it. UNKNOWN and FAILED stay. */
enum sl_append_result sl_log_tail_commit(struct sl_log_tail *tail);

/* Is the batch within `bytes_max`, and has the segment room for it? */
bool sl_log_tail_has_room(const struct sl_log_tail *tail, size_t bytes_max);

/* The note of what is durable and not told to the reader yet; NULL: there is none. */
struct sl_log_note *sl_log_tail_untold(const struct sl_log_tail *tail);

/* Posts what is durable to the reader, before any answer that a read may follow (L2, P3). */
void sl_log_tail_tell(struct sl_log_tail *tail);

#endif
