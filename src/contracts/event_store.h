/*
 * The event store: where a log lives.
 *
 * One log, one position space, one writer. To open for writing is to claim the next epoch; from
 * then on the store itself refuses appends of an older one (SL_APPEND_FENCED).
 *
 * Everything that may wait is a message: the caller owns the struct, fills it, hands it over, and
 * gets the same struct back in the mailbox `message.reply_to` when it is done. Until then caller
 * and callee share nothing of it. Answers to claims and appends come in the order in which these
 * were made; answers to reads in any order. `message.kind` is the caller's, for its own mailbox: a
 * number below 65536 that comes back as it was (while the store has the message, the bits above are
 * the store's).
 *
 * All calls on one store are made by one thread at a time, its owner; the store has threads of its
 * own for what waits.
 *
 * A read looks at a state of the log that holds at least every batch whose answer DURABLE was
 * posted, or returned, before the read was handed over: who was told of an event can read it.
 *
 * Invariants: L1 positions are 0,1,2,… without gaps; L3 a batch is there whole or not at all; what
 * a read hands out is durable (L2).
 */
#ifndef SL_CONTRACTS_EVENT_STORE_H
#define SL_CONTRACTS_EVENT_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"

#define SL_EVENT_STORE_ABI 1u

/* Limits of what is handed to a store (M1); the wrappers assert them. */
enum {
    SL_STORE_STREAM_BYTES_MAX = 512 + 64, /* key, and the aggregate's name before it */
    SL_STORE_TAG_BYTES_MAX = 512 + 64,
    SL_STORE_TAGS_MAX = 16,
    SL_STORE_EVENT_BYTES_MAX = 1 << 20,  /* a body; likewise an outcome's reply */
    SL_STORE_BATCH_BYTES_MAX = 16 << 20, /* bodies and replies of one append */
    SL_STORE_KIND_BITS = 16,             /* of message.kind, that are the caller's */
};

/* What a packed body means; written to the log before the first event that uses it. `id` is small,
 * unique in its log, and given by the engine. Lives as long as the store. */
struct sl_schema {
    uint32_t id;
    uint32_t version;
    struct sl_text name;        /* "DeskBooked" */
    struct sl_text description; /* JSON, as sl_record_describe writes it */
};

struct sl_stored_event {
    uint64_t position;
    uint64_t revision; /* in its stream, from 0 */
    struct sl_time time;
    struct sl_uuid command;
    const struct sl_schema *schema;
    struct sl_text stream;      /* "account/7", at most 512 + 64 bytes */
    const struct sl_text *tags; /* "account:7" */
    uint32_t tag_count;
    struct sl_slice body; /* packed */
    bool is_stone;        /* retention took the body, which is empty now; all else is as it was.
                             Never appended */
};

/* An outcome of a command, remembered for its id. */
struct sl_stored_outcome {
    struct sl_uuid id;
    struct sl_uuid digest; /* of body and principal */
    struct sl_time time;
    uint32_t status;       /* 201 accepted, 422 refused, … */
    uint32_t event_count;  /* events of the command: positions [position, position + event_count) */
    uint64_t position;     /* that the outcome depends on: the next position at its decision, less
                              event_count */
    struct sl_slice reply; /* what is needed to answer again; opaque to the store */
};

/* A reign. Position tokens are valid in [first_position, the next epoch's first_position). */
struct sl_epoch {
    uint64_t number;
    uint64_t salt;
    uint64_t first_position;
};

/* ---- Requests -------------------------------------------------------------------------------- */

/* Claim the next epoch. Comes back with what the log is. */
struct sl_claim {
    struct sl_message message;
    uint64_t salt; /* random, by the caller */
    /* Answer; lists live until the store is closed. */
    enum sl_err err;
    struct sl_error error;
    struct sl_uuid log; /* the log's identity */
    uint64_t epoch;
    uint64_t next_position; /* of the next event */
    const struct sl_epoch *epochs;
    size_t epoch_count;
    const struct sl_schema *const *schemas;
    size_t schema_count;
};

enum sl_append_result {
    SL_APPEND_DURABLE = 1, /* all of it is in the log, for good */
    SL_APPEND_FAILED,      /* none of it is, and never will be: the store says so for certain */
    SL_APPEND_UNKNOWN,     /* nobody knows; claim again to find out */
    SL_APPEND_FENCED,      /* none of it is: another writer reigns */
};

enum sl_append_flags {
    SL_APPEND_MAY_BLOCK = 1, /* the caller allows a short write on its own thread (see append) */
};

/* A batch: whole or not at all. Everything it points at stays until it comes back. After one that
 * was not DURABLE every later append of that epoch gets the same result, until the next claim
 * (which also finds out what became of an UNKNOWN one). */
struct sl_append {
    struct sl_message message;
    uint64_t epoch;
    uint64_t position; /* of the first event: must be the log's next position */
    const struct sl_stored_event *events;
    size_t event_count; /* may be 0 */
    const struct sl_stored_outcome *outcomes;
    size_t outcome_count;
    const struct sl_schema *const *schemas; /* new ones, that the events use */
    size_t schema_count;
    size_t bytes; /* estimated size, for the store's decisions */
    unsigned flags;
    /* Answer */
    enum sl_append_result result;
    struct sl_error error;
};

enum sl_read_by {
    SL_READ_POSITION = 1, /* every event */
    SL_READ_STREAM,       /* events of the stream `key` */
    SL_READ_TAG,          /* events with the tag `key` */
    SL_READ_AGGREGATE,    /* events of the stream `key` ("name/…") or tagged "name:…" likewise */
    SL_READ_OUTCOMES,     /* outcomes, oldest first, from time `since` on; `from` is a cursor: the
                             number of outcomes before it since the log began, those of other
                             reigns too. An outcome keeps it for good, over restarts, sealing and
                             retention; who knows it finds the outcome again. With `since` at its
                             least, the n-th handed out has the cursor `from` + n; `next` is one
                             more than that of the last handed out, or, where none was, passed */
};

/* Read durable events with positions in [from, until), in order (or the reverse order). */
struct sl_read {
    struct sl_message message;
    enum sl_read_by by;
    struct sl_text key;
    uint64_t from;
    uint64_t until; /* UINT64_MAX: to the end */
    bool backwards; /* the newest first: starts below `until` */
    struct sl_time since;
    size_t count_max; /* at least one event is handed out if there is one */
    size_t bytes_max;
    bool at_once; /* an answer that needs no wait may be given on the spot, see below */
    /* Answer; everything lives in `arena`, which the caller closes or resets. */
    enum sl_err err;
    struct sl_error error;
    struct sl_arena arena;
    struct sl_stored_event *events;
    size_t event_count;
    struct sl_stored_outcome *outcomes;
    size_t outcome_count;
    uint64_t next; /* where to go on: `from` of the next read (`until` when backwards) */
    bool end;      /* nothing is left in the range as the log stood when it was read */
    uint64_t durable; /* the log's next durable position at that time: all below it was looked at */
};

/* ---- The interface --------------------------------------------------------------------------- */

struct sl_event_store;

struct sl_store_options {
    const char *location; /* a folder, or the rest of the URL behind the scheme */
    const char *name;     /* the domain's */
    /* NULL where it is not configured; lives as long as the store. */
    const char *(*setting)(void *context, const char *key);
    void *context;
};

enum sl_event_store_capabilities {
    SL_STORE_READS_TAGS = 1,
    SL_STORE_BACKWARDS = 2,
    SL_STORE_APPENDS_INLINE = 4,
    SL_STORE_READS_AT_ONCE = 8, /* what lies in memory, mostly */
};

struct sl_event_store_ops {
    uint32_t abi;
    const char *scheme; /* "log" */
    uint32_t capabilities;

    /* Opens, makes what is missing, recovers. Blocks; called before the engine runs. SL_BUSY,
     * SL_CORRUPT, SL_UNSUPPORTED and SL_IO name what is wrong and what to do. */
    enum sl_err (*open)(struct sl_env *env, const struct sl_store_options *options,
                        struct sl_event_store **out, struct sl_error *error);

    void (*claim)(struct sl_event_store *store, struct sl_claim *claim);

    /* Returns true when the append is done already and its answer is filled in: then it is not
     * posted. Only with SL_APPEND_MAY_BLOCK, when nothing is in flight, and when it is quick. */
    bool (*append)(struct sl_event_store *store, struct sl_append *append);

    /* Returns true when the answer is filled in already: then it is not posted. Only with at_once,
     * and when it lies in memory; never an error. */
    bool (*read)(struct sl_event_store *store, struct sl_read *read);

    /* What an operator should know, as JSON members ("\"segments\":3,…"); any numbers. Optional.
     * Called on the owner's thread; must not block. */
    void (*describe)(struct sl_event_store *store, struct sl_buf *out);

    /* Waits for what is under way, answers it, releases all. */
    void (*close)(struct sl_event_store *store);
};

/* Every store struct begins with this. */
struct sl_event_store {
    const struct sl_event_store_ops *ops;
};

/* ---- Wrappers: what callers use. They check before and after. -------------------------------- */

enum sl_err sl_event_store_open(const struct sl_event_store_ops *ops, struct sl_env *env,
                                const struct sl_store_options *options,
                                struct sl_event_store **out, struct sl_error *error) SL_USE_RESULT;
void sl_event_store_claim(struct sl_event_store *store, struct sl_claim *claim);
bool sl_event_store_append(struct sl_event_store *store, struct sl_append *append);
bool sl_event_store_read(struct sl_event_store *store, struct sl_read *read);
void sl_event_store_describe(struct sl_event_store *store, struct sl_buf *out);
void sl_event_store_close(struct sl_event_store *store); /* NULL is allowed */

#endif
