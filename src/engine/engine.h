/*
 * The engine: domains, each with its log, write side, views and processes, in one actor.
 *
 * Everything here is called on the engine's thread; callbacks come on it, too, and never from
 * inside the call that asked, except where it says so. Doors (`api`), the embedding library and the
 * simulator drive it alike.
 */
#ifndef SL_ENGINE_ENGINE_H
#define SL_ENGINE_ENGINE_H

#include <sluice/domain.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"
#include "base/histogram.h"
#include "command/submission.h"
#include "model/model.h"
#include "contracts/event_store.h"
#include "process/process.h"
#include "record/json.h"
#include "view/view.h"

struct sl_core; /* the engine */

struct sl_core_domain_options {
    const struct sl_domain *domain;
    const struct sl_event_store_ops *store;
    struct sl_store_options store_options; /* location: the log's folder */
    const char *ids_folder; /* for files of command ids; NULL: all of them stay in memory */
    const char *snapshots;  /* folder for states of aggregates; NULL: none are kept */
};

struct sl_core_options {
    struct sl_env *env;
    /* the engine's own; its messages are to be handed to sl_core_step */
    struct sl_mailbox *mailbox;
    /* Sends what commands were answered just now, before the work that follows it. May be NULL:
     * it leaves at the end of the turn. */
    void (*send)(void *context);
    void *context;
    const struct sl_core_domain_options *domains;
    size_t domain_count;
    const struct sl_view_store_ops *view_store;
    struct sl_view_store_options view_store_options;
    uint32_t readers;     /* that answer lists; 0: 2 */
    uint32_t queue_max;   /* commands waiting or in work; 0: 65,536 */
    int64_t id_window_s;  /* how long command ids are remembered; 0: 24 h */
    size_t id_memory_max; /* bytes a domain, about, where it has a folder for ids; 0: 512 MiB */
    size_t aggregate_memory_max; /* bytes; 0: 256 MiB; beyond it, resting aggregates are dropped */
    size_t view_memory_max; /* bytes of rows a view; 0: 64 MiB; beyond it, they are fetched again */
};

/* Opens all logs (which blocks and recovers), claims their epochs and starts the views. The core is
 * usable at once; commands wait until sl_core_is_ready. */
enum sl_err sl_core_open(const struct sl_core_options *options, struct sl_core **out,
                         struct sl_error *error) SL_USE_RESULT;

/* One message from the mailbox. */
void sl_core_step(struct sl_core *core, struct sl_message *message);

/* The end of a turn: closes the open batch if the last one is durable, answers, lets views
 * flush. Returns the next deadline on the monotonic clock, INT64_MAX for none. */
int64_t sl_core_turn(struct sl_core *core);

/* All logs are recovered and command ids loaded. Views may still be catching up. */
bool sl_core_is_ready(const struct sl_core *core);

/* SL_OK, or why the engine cannot begin (a log that is damaged or held by another process, a record
 * that changed without a new version): the program should end with this. */
enum sl_err sl_core_failure(const struct sl_core *core, struct sl_error *out) SL_USE_RESULT;

/* No more commands (503); when all that is under way has been answered, `done` is called. */
void sl_core_drain(struct sl_core *core, void (*done)(void *context), void *context);

/* Flushes views, closes stores. No callback is called any more. NULL is allowed. */
void sl_core_close(struct sl_core *core);

/* ---- Domains and what they have -------------------------------------------------------------- */

struct sl_core_domain; /* a domain at work */

struct sl_core_domain *sl_core_find(struct sl_core *core, struct sl_text name); /* NULL: none */
size_t sl_core_domain_count(const struct sl_core *core);
struct sl_core_domain *sl_core_domain_at(struct sl_core *core, size_t place);
const struct sl_domain *sl_core_domain_of(const struct sl_core_domain *domain);
const struct sl_command *sl_core_command(const struct sl_core_domain *domain, struct sl_text name);
struct sl_view_table *sl_core_view(const struct sl_core_domain *domain, struct sl_text name);

/* ---- Commands -------------------------------------------------------------------------------- */

void sl_core_submit(struct sl_core_domain *domain, struct sl_submission *submission);

/* How many commands the domain would take now without refusing one as too many: for those that
 * belong together. */
size_t sl_core_room(const struct sl_core_domain *domain);

/* A command id from text: a UUID as such, anything else hashed to 128 bits; and the id of the n-th
 * item of an array. */
struct sl_uuid sl_command_id(struct sl_text text);
struct sl_uuid sl_command_item_id(struct sl_uuid id, uint64_t item);

/* What a repeat of a command must equal (sl_digest_keyed), of several parts as if joined. The core
 * must be ready. */
struct sl_uuid sl_core_digest(const struct sl_core_domain *domain, const struct sl_slice *parts,
                              size_t count);

/* ---- Positions ------------------------------------------------------------------------------- */

/* Appends "bank:0123456789abcdef:1234": log's domain, salt of the reign, position. */
void sl_core_token(const struct sl_core_domain *domain, uint64_t position, struct sl_buf *out);

/* Reads a token. SL_INVALID: no token; SL_NOT_FOUND: of another domain; SL_CONFLICT: of a
 * history that this log does not have (P9). */
enum sl_err sl_core_token_read(const struct sl_core_domain *domain, struct sl_text token,
                               uint64_t *out_position) SL_USE_RESULT;

/* What a waiter waits for. */
enum sl_access_path { SL_PATH_LOOKUP = 1, SL_PATH_LIST, SL_PATH_LOG };

/* Waits until an access path of a view (or the log itself: durable) has applied all below
 * `position`, or the deadline passes, or the view is degraded below it. The struct is the caller's
 * until `done`, which is called inside when there is nothing to wait for. */
struct sl_wait {
    struct sl_deadline deadline; /* internal; first, so that the heap's node is the wait */
    struct sl_core_domain *domain;
    struct sl_view_table *view; /* NULL for SL_PATH_LOG */
    enum sl_access_path path;
    uint64_t position;
    int64_t until_ns; /* monotonic */
    void (*done)(struct sl_wait *wait, bool reached, uint64_t at);
    void *user;
    struct sl_wait *next, **link; /* internal; link NULL: not waiting */
};
void sl_core_wait(struct sl_wait *wait);
void sl_core_wait_cancel(struct sl_wait *wait); /* `done` is not called */

/* One row, for whoever asks: waits for the position, fetches the row if it is not in memory. */
enum sl_lookup_end { SL_LOOKUP_ROW = 1, SL_LOOKUP_NONE, SL_LOOKUP_LATE, SL_LOOKUP_BROKEN };
struct sl_lookup {
    struct sl_core_domain *domain;
    struct sl_view_table *view;
    struct sl_text key; /* lives until `done` */
    uint64_t position;  /* all below must be applied; 0: whatever is there now */
    int64_t until_ns;   /* monotonic */
    /* Once; from inside sl_core_lookup when no waiting is needed. `row` (else NULL) is borrowed
     * for the call; `position` is what the view has applied. */
    void (*done)(struct sl_lookup *lookup, enum sl_lookup_end end, const struct sl_view_row *row,
                 uint64_t position);
    void *user;
    struct sl_wait wait;            /* internal */
    struct sl_lookup *next, **link; /* internal */
};
void sl_core_lookup(struct sl_lookup *lookup);
void sl_core_lookup_cancel(struct sl_lookup *lookup); /* `done` is not called */

/* Doors call this once for each query they answer by themselves (sl_view_lookup): while readers are
 * about, the engine does not block on the disk itself. */
void sl_core_saw_reader(struct sl_core *core);

/* ---- Reading a log --------------------------------------------------------------------------- */

/* Reads events as JSON objects: {"position", "type", "stream", "revision", "time", "command",
 * "body"}. They are written, or decoded, in slices, one a turn, so that many do not hold up
 * everybody else. */
struct sl_core_read {
    struct sl_read read; /* by, key, from, until, backwards, count_max are the caller's to fill */
    struct sl_core_domain *domain;
    void (*done)(struct sl_core_read *read); /* close with sl_core_read_close when done with it */
    void *user;
    /* Answer: the events, separated by commas, behind what the caller has written there. */
    struct sl_buf json;
    /* Or, where `as_events` is set, as `evolve` sees them, without the engine's own; they live
     * until the read is closed. */
    bool as_events;
    bool as_stored; /* or neither: the caller looks at read.events, and at few */
    struct sl_event *events;
    size_t event_count;
    size_t next; /* internal: of the stored events, the first that is not done */
};
void sl_core_read(struct sl_core_read *read);
void sl_core_read_close(struct sl_core_read *read);

/* The position below which all events are that happened at the time or before: about
 * log2(positions) reads of one event. The struct is the caller's until `done`, which is called
 * once, from inside where the log is empty. */
struct sl_core_moment {
    struct sl_core_domain *domain;
    struct sl_time time;
    void (*done)(struct sl_core_moment *moment, enum sl_err err, uint64_t position);
    void *user;
    struct sl_core_read read;   /* internal, like all below */
    uint64_t low, high, middle; /* events below `low` are not after the time, that at `high` is */
};
void sl_core_moment(struct sl_core_moment *moment);

/* A stored event as `evolve` sees it: texts point into the stored one, the rest lives in `arena`.
 * SL_NOT_FOUND: the domain has given up its type, or retention has taken the event. */
enum sl_err sl_core_event_decode(const struct sl_core_domain *domain,
                                 const struct sl_stored_event *event, struct sl_arena *arena,
                                 struct sl_event *out, struct sl_error *error) SL_USE_RESULT;

/* Appends one stored event as JSON, decoded by its schema as the log describes it. */
enum sl_err sl_core_event_json(struct sl_core_domain *domain, const struct sl_stored_event *event,
                               struct sl_buf *out) SL_USE_RESULT;

/* Told, on the engine's thread, of each event as it becomes durable, in order. */
struct sl_log_watch {
    struct sl_log_watch *next;
    void (*happened)(struct sl_log_watch *watch, const struct sl_stored_event *event);
    void *user;
};
void sl_core_watch(struct sl_core_domain *domain, struct sl_log_watch *watch);
void sl_core_unwatch(struct sl_core_domain *domain, struct sl_log_watch *watch);

/* ---- Numbers --------------------------------------------------------------------------------- */

struct sl_domain_numbers {
    uint64_t accepted, refused, repeated, failed;
    uint64_t events, batches, batch_bytes;
    uint64_t next_position, durable_position, epoch, salt;
    uint64_t commands_waiting, aggregates, ids, processes_waiting, timers;
    struct sl_histogram command;  /* submitted to answered */
    struct sl_histogram decision; /* submitted to decided: the queue, and reading what it needs */
    struct sl_histogram append;   /* a batch: handed to the store to durable */
    bool failed_now;              /* the log takes nothing until it is reopened */
    const char *failed_why;
};
void sl_core_numbers(const struct sl_core_domain *domain, struct sl_domain_numbers *out);

/* Views of a domain, by place; name in view shape. */
size_t sl_core_view_count(const struct sl_core_domain *domain);
struct sl_view_table *sl_core_view_at(const struct sl_core_domain *domain, size_t place);

/* Lets a degraded view try its event again; it does so in the next turn. False: it is not degraded.
 */
bool sl_core_view_retry(struct sl_core_domain *domain, struct sl_view_table *table);

/* Has a degraded view skip the event at which it stands. First that is recorded in the log, as an
 * event of the engine's own by `principal`; then the view goes on, and `done` is called, once, with
 * the outcome of recording it. The caller owns `skip` and the principal until then; `done` and
 * `user` are his to fill. False: the view is not degraded, and nothing happens. */
struct sl_core_skip {
    void (*done)(struct sl_core_skip *skip, const struct sl_outcome *outcome);
    void *user;
    struct sl_submission submission; /* internal, like all below */
    struct sl_event_skipped event;
    struct sl_core_view *view;
    struct sl_process_runner *process;
    char why[240];
};
bool sl_core_view_skip(struct sl_core_domain *domain, const struct sl_view_table *table,
                       const struct sl_principal *principal, struct sl_core_skip *skip);

/* Builds views anew, those of the places where `wanted` is true, from the log's start, with one
 * scan for all; each takes its view's place when it has caught up (view.h). Meanwhile, and if it
 * fails, the views are what they were. SL_BUSY: views of this domain are being rebuilt, or one is
 * starting. */
enum sl_err sl_core_view_rebuild(struct sl_core_domain *domain, const bool *wanted,
                                 struct sl_error *error) SL_USE_RESULT;
/* Would it, now? */
enum sl_err sl_core_view_may_rebuild(const struct sl_core_domain *domain, const bool *wanted,
                                     struct sl_error *error) SL_USE_RESULT;

enum sl_rebuild_state {
    SL_REBUILD_NONE, /* since the start */
    SL_REBUILD_SCANS,
    SL_REBUILD_SWAPS,
    SL_REBUILD_REMOVES, /* the new build serves, or was given up; the other one is being removed */
    SL_REBUILD_DONE,
    SL_REBUILD_FAILED,
};
struct sl_rebuild_status {
    enum sl_rebuild_state state;
    uint64_t position; /* all events below are in the new build */
    double events_per_second;
    int64_t left_ns; /* about; -1: nobody knows */
    int64_t took_ns; /* so far, or in all */
    char why[240];   /* it failed, or what holds it up; else empty */
};
struct sl_rebuild_status sl_core_view_rebuild_status(const struct sl_core_domain *domain,
                                                     size_t place);

/* Processes of a domain, by place. */
size_t sl_core_process_count(const struct sl_core_domain *domain);
const char *sl_core_process_name(const struct sl_core_domain *domain, size_t place);
struct sl_process_status sl_core_process_status(const struct sl_core_domain *domain, size_t place);

/* One that is degraded, or whose command was not taken, tries at once. False: it is neither. */
bool sl_core_process_retry(struct sl_core_domain *domain, size_t place);

/* Has it go on behind the event at which it stands, as sl_core_view_skip does with a view; see
 * sl_process_skip for what becomes of the instance and the commands. */
bool sl_core_process_skip(struct sl_core_domain *domain, size_t place,
                          const struct sl_principal *principal, struct sl_core_skip *skip);

/* What an operator should know of the log, as JSON members. */
void sl_core_describe(struct sl_core_domain *domain, struct sl_buf *out);

#endif
