/*
 * A view: rows in memory in front of a view store.
 *
 * `struct sl_view_table` belongs to the engine's thread. It applies durable events
 * (sl_view_project), publishes the rows at once, and hands dirty rows with their checkpoint to the
 * view writer, an actor of its own: `flush_ms` after the first of them, but not before the writer
 * has rested four times as long as its last work took; at once when somebody waits for the store.
 * Clean rows may be evicted when memory is over its ceiling; a dirty row stays until the writer has
 * answered for it.
 *
 * A row that is neither in memory nor known to be absent is fetched by a reader, an actor too. When
 * a projection asks for such a row, nothing of that event is applied: sl_view_project answers
 * SL_VIEW_WAITS, the row is fetched, and the same event is projected again.
 */
#ifndef SL_VIEW_VIEW_H
#define SL_VIEW_VIEW_H

#include <stdatomic.h>

#include "base/heap.h"
#include "base/table.h"
#include "contracts/view_store.h"

/* ---- The actors that block: one writer and one or more readers for all views of an engine ---- */

struct sl_view_service;

struct sl_view_service_options {
    const struct sl_view_store_ops *ops;
    struct sl_view_store_options store;
    struct sl_mailbox *engine; /* where answers go: messages to be handed to sl_view_service_step */
    uint32_t readers;          /* 1 to 16, for lists; others are for rows that are fetched */
};

/* Opens the store and starts the actors. Engine's thread, like all below. */
enum sl_err sl_view_service_open(struct sl_env *env, const struct sl_view_service_options *options,
                                 struct sl_view_service **out,
                                 struct sl_error *error) SL_USE_RESULT;

/* Messages of these kinds in the engine's mailbox are the service's own: hand them to its step. */
#define SL_VIEW_MESSAGE_FIRST 0x2000u
#define SL_VIEW_MESSAGE_LAST 0x20ffu
void sl_view_service_step(struct sl_view_service *service, struct sl_message *message);

/* Waits for the actors, takes their last answers from the engine's mailbox (others' mail stays
 * there; lists that were asked for are told `done`), flushes what is dirty and closes the store.
 * NULL is allowed. Tables must be closed after it; until then they still answer what they know. */
void sl_view_service_close(struct sl_view_service *service);

/* ---- One view -------------------------------------------------------------------------------- */

struct sl_view_table;

enum sl_view_state {
    SL_VIEW_STARTING = 1, /* its checkpoint is being read */
    SL_VIEW_RUNNING,
    SL_VIEW_DEGRADED, /* a projection failed: `why` and position say it */
    SL_VIEW_FAILED,   /* its store failed */
};

struct sl_view_table_options {
    const char *domain;
    const struct sl_view *view;
    struct sl_uuid log;
    uint64_t salt; /* of the present reign */
    /* Instead of view->project, for rows that are not a domain's view (processes); or NULL. */
    void (*project)(void *project_context, const struct sl_event *event, struct sl_rows *rows);
    void *project_context;
    /* Is a checkpoint's (salt, position) part of this log's history? */
    bool (*knows)(void *context, uint64_t salt, uint64_t position);
    size_t memory_max; /* bytes of rows; 0: 64 MiB */
    int64_t flush_ms;  /* 0: 250 */
    /* Called on the engine's thread, never from inside a call on this table: something that a
     * waiter may wait for has moved (started, row fetched, store caught up, failed). */
    void (*moved)(void *context);
    void *context;
    struct sl_view_table *beside; /* internal: NULL */
    /* The caller finds out, of each event that cannot be applied, whether it is to be skipped:
     * until sl_view_settle or sl_view_skip the view stands there, but is not DEGRADED. */
    bool settles;
};

/* Begins to attach: state STARTING until `moved`. */
enum sl_err sl_view_table_open(struct sl_view_service *service,
                               const struct sl_view_table_options *options,
                               struct sl_view_table **out, struct sl_error *error) SL_USE_RESULT;
void sl_view_table_close(struct sl_view_table *table); /* NULL is allowed */

/* A store that is found damaged, or of another history, starts over: the view is STARTING again,
 * then RUNNING with position and stored 0 and the next generation. FAILED tries again by itself. */
struct sl_view_status {
    enum sl_view_state state;
    bool attached;     /* its checkpoint was read: position and stored mean something */
    uint64_t position; /* memory: all events below are applied; lookups see them */
    uint64_t stored;   /* store: likewise; lists and searches see them */
    uint64_t generation;
    uint64_t rows_in_memory;
    uint64_t rows_dirty;
    uint64_t bytes;
    const char *why; /* when degraded or failed */
    bool unsettled;  /* RUNNING, but it stands: see sl_view_settle */
};
struct sl_view_status sl_view_table_status(const struct sl_view_table *table);

enum sl_view_result {
    SL_VIEW_APPLIED = 1,
    SL_VIEW_WAITS, /* for a row: call again with the same event after `moved` */
    SL_VIEW_STUCK, /* degraded or failed: the event was not applied */
};

/* Applies one event, at status.position (events of other positions below are ignored). */
enum sl_view_result sl_view_project(struct sl_view_table *table, const struct sl_event *event);

/* The event will be projected after others: what its projection looks for and is not in memory is
 * fetched meanwhile, as far as readers have room. Changes nothing, and never fails. */
void sl_view_foresee(struct sl_view_table *table, const struct sl_event *event);

/* A projection that fails is tried a second time at once; then the view is DEGRADED: it stands at
 * the event's position and takes nothing more. Rows stay as they are and are answered. This lets it
 * try again; the caller offers the event anew. False: it is not degraded, or not settled. */
bool sl_view_retry(struct sl_view_table *table);

/* The event at this position, where the view stands, cannot be read: it is DEGRADED there. `why` is
 * copied. Does nothing where the view stands elsewhere, or still already. */
void sl_view_break(struct sl_view_table *table, uint64_t position, const char *why);

/* With the option `settles`: the event at which the view stands is not to be skipped. Only from now
 * on it is DEGRADED; who watches it is told, `moved` is not called. Where it does not stand, or is
 * settled, it does nothing. */
void sl_view_settle(struct sl_view_table *table);

/* A degraded view, settled or not, goes on behind the event at this position without having applied
 * it. False: it does not stand there, or is not degraded. */
bool sl_view_skip(struct sl_view_table *table, uint64_t position);

/* The reason of a failure that passes: with it as `why`, a projection's failure makes the view
 * FAILED for a while instead of DEGRADED, and `moved` says when the event can be tried again. */
extern const char sl_view_no_memory[];

/* A new reign of the same log has begun: checkpoints carry its salt from now on. */
void sl_view_table_reign(struct sl_view_table *table, uint64_t salt);

/* Moves the position on over events that do not concern any projection. */
void sl_view_advance(struct sl_view_table *table, uint64_t position);

/* When the table next wants sl_view_table_turn to be called (monotonic ns; INT64_MAX: never). */
int64_t sl_view_table_deadline(const struct sl_view_table *table);
/* Flushes when it is time. Called at the end of each engine turn in which the deadline passed. */
void sl_view_table_turn(struct sl_view_table *table, int64_t monotonic_ns);

/* ---- Reading --------------------------------------------------------------------------------- */

/* A row as it stands, borrowed until the next call on the table. */
struct sl_view_row {
    struct sl_text json; /* rendered when first read, and kept */
    const void *row;
    uint64_t version;
};

enum sl_lookup_result {
    SL_LOOKUP_FOUND = 1,
    SL_LOOKUP_ABSENT,
    SL_LOOKUP_PENDING, /* not in memory: ask with sl_view_fetch */
};

enum sl_lookup_result sl_view_lookup(struct sl_view_table *table, struct sl_text key,
                                     struct sl_view_row *out);

/* Fetches a row into memory; `moved` is called, then look up again. SL_BUSY: 1,024 are under way,
 * or the view is starting. SL_IO: its store fails. SL_INVALID: longer than a key can be. */
enum sl_err sl_view_fetch(struct sl_view_table *table, struct sl_text key) SL_USE_RESULT;

/* A row as it was when all events below the position had been applied. */
struct sl_past_query {
    struct sl_text key; /* written as the view writes it */
    uint64_t position;
};

/* A list or search, answered by a reader from what is stored. */
struct sl_view_listing {
    struct sl_message message; /* internal */
    struct sl_view_table *table;
    struct view_build *build;                   /* internal: the build that it is answered from */
    struct sl_list_query query;                 /* texts and struct must live until `done` */
    void (*done)(struct sl_view_listing *list); /* engine's thread */
    bool as_rows;                               /* structs are wanted, in `page`, not JSON */
    /* Aggregates are wanted of the rows that it says, not rows, and `query` is not looked at; NULL:
     * not. Lives until `done`. */
    const struct sl_aggregate_query *aggregate;
    /* The nearest rows are wanted, and `query` is not looked at; NULL: not. Lives until `done`. The
     * answer is {"rows": [{"metres": …, "row": {…}}], "exact": true}, or `nearby`, in `arena`. */
    const struct sl_near_query *near;
    struct sl_near_page nearby;
    /* A row as it was is wanted, and `query` is not looked at; NULL: not. Lives until `done`. The
     * answer is the row alone, or nothing: there was none. Of a temporal view that is stored that
     * far (SL_PATH_LIST); SL_BUSY: it is not, as it is being built again. */
    const struct sl_past_query *past;
    /* Answer: {"rows": […], "next": "cursor"}, and "facets" if they are asked for; or the page,
     * which lives in `arena`, which the caller closes. Of aggregates {"groups": [{"start": …,
     * "by": …, "count": …, "sum(x)": …}], "rows": how many were looked at, "next": "cursor"},
     * unless they are refused. */
    struct sl_list_page page;
    enum sl_aggregate_refusal refusal;
    uint32_t refused; /* the place of the aggregate */
    struct sl_arena arena;
    enum sl_err err;
    struct sl_error error;
    struct sl_buf json; /* the caller closes it */
    uint64_t hash;      /* of the JSON: sl_hash64 with seed 0 */
    uint64_t position;  /* that the rows reflect */
};
void sl_view_list(struct sl_view_table *table, struct sl_view_listing *list);
/* "sum": how queries and answers write it. */
const char *sl_aggregate_name(enum sl_aggregate_kind kind);

/* Asks that the store be brought up to the present position soon: for a list that waits. */
void sl_view_hurry(struct sl_view_table *table);

const struct sl_view_shape *sl_view_table_shape(const struct sl_view_table *table);

/* A digest of all rows in the store: builds of the same log at the same position have the same one
 * (V2). The struct is the caller's until `done`, which is called once, on the engine's thread, also
 * when the service closes. `done` and `user` are his to fill. */
struct sl_view_digest {
    struct sl_message message; /* internal */
    void (*done)(struct sl_view_digest *digest);
    void *user;
    enum sl_err err;
    struct sl_error error;
    uint64_t sum, rows, position;
    struct sl_view_table *table; /* internal, like all below */
    struct view_build *build;
    struct sl_view_store *store;
    struct sl_mailbox *mailbox;
    struct sl_view_digest *next;
    atomic_bool stops;
};
/* SL_BUSY: the view is starting. SL_LIMIT, SL_NO_MEMORY: no thread for it. */
enum sl_err sl_view_digest(struct sl_view_table *table, struct sl_view_digest *digest,
                           struct sl_error *error) SL_USE_RESULT;

/* ---- Building it anew -------------------------------------------------------------------------
 *
 * A table beside the view's own: it starts with nothing, in a file of its own, and is fed by the
 * caller with the log's events from position 0, while the view is read and fed as before. When it
 * has caught up, the two exchange what they hold, in one moment on the engine's thread: a lookup
 * sees the old rows or the new, a list is answered from the file it was asked of, and neither goes
 * back to an earlier position. Who held the view's table holds it still.
 *
 * The store's pointer to the build that serves is moved before that. Whatever stood beside a view
 * when the program ended is removed at the next start.
 */

/* SL_BUSY: the view has one already, or is not attached. Close with sl_view_beside_end. */
enum sl_err sl_view_beside_open(struct sl_view_table *table, void (*moved)(void *context),
                                void *context, struct sl_view_table **out,
                                struct sl_error *error) SL_USE_RESULT;

enum sl_view_beside {
    SL_VIEW_GOES_ON = 1, /* call again in the next turn */
    SL_VIEW_PENDING,     /* call again after either table has `moved` */
    SL_VIEW_DONE,
    SL_VIEW_GAVE_UP,
};

/* Goes on with the exchange; to be called once it has caught up but for what is live. DONE: the
 * view's table has the new rows, and `beside` the old ones, for nobody but its end. GAVE_UP: the
 * store could not, `*out_why` says why and lives as long as `beside`; the view is as it was. */
enum sl_view_beside sl_view_beside_swap(struct sl_view_table *beside, const char **out_why);

/* Goes on with the end of a table beside another: what it holds and its file go, a little at a
 * time. DONE: it is closed. Not while an exchange is PENDING. */
enum sl_view_beside sl_view_beside_end(struct sl_view_table *beside);

/* ---- Live ------------------------------------------------------------------------------------ */

/* Told of each row that changes, as it is published, in order. */
struct sl_view_watch {
    struct sl_view_watch *next; /* internal */
    /* `row.row` NULL: the row is gone. Must not call into the table but for sl_view_unwatch. */
    void (*changed)(struct sl_view_watch *watch, struct sl_text key, const struct sl_view_row *row,
                    uint64_t position);
    /* Or NULL. Rows may have become others without being told, all of them: the view was built
     * anew, and the new build has taken the old one's place. The watch goes on. Must not call into
     * the table but for sl_view_lookup and sl_view_unwatch. */
    void (*resync)(struct sl_view_watch *watch, uint64_t position);
    /* Or NULL. The view stands at the position, where its projection failed; `why` NULL: it goes on
     * from there. Must not call into the table but for sl_view_unwatch. */
    void (*state)(struct sl_view_watch *watch, const char *why, uint64_t position);
    struct sl_text key; /* one row only, or empty: all; lives until unwatch */
};
void sl_view_watch(struct sl_view_table *table, struct sl_view_watch *watch);
void sl_view_unwatch(struct sl_view_table *table, struct sl_view_watch *watch);

#endif
