/* What the files of the engine share. Nobody else includes this. */
#ifndef SL_ENGINE_CORE_H
#define SL_ENGINE_CORE_H

#include "command/writer.h"
#include "consumer/consumer.h"
#include "engine/engine.h"
#include "process/process.h"

enum sl_core_message {
    SL_CORE_READ = 0x1020,   /* a door's read of the log */
    SL_CORE_TELL = 0x1021,   /* a read of events that watchers were not told of */
    SL_CORE_RECALL = 0x1022, /* a read of what a view was told to skip */
};

/* A view at work: a table and the loop that feeds it. */
struct sl_core_view {
    struct sl_core_domain *domain;
    const struct sl_view *view;
    struct sl_view_table *table;
    struct sl_consumer consumer;
    bool moved; /* something has happened to it: pokes and waits are due at the end of the turn */
    struct sl_core_recall {
        struct sl_read read; /* first: it is the message */
        struct sl_core_view *view;
        uint64_t position; /* of the event about which it asks */
        bool asked;        /* the log has said all it knows of that position */
        bool under_way;
    } recall;
};

struct sl_core_domain {
    struct sl_core *core;
    const struct sl_domain *domain;
    struct sl_model model;
    struct sl_event_store *store;
    struct sl_writer *writer;
    struct sl_core_view *views;
    size_t view_count;
    bool has_strong;
    bool reigned; /* views and processes have been opened */
    struct sl_process_runner **processes;
    size_t process_count;
    struct sl_log_watch *watches;
    struct sl_core_tell {
        struct sl_read read; /* first: it is the message */
        struct sl_core_domain *domain;
        uint64_t told; /* all below was told to the watches */
        bool under_way;
        int64_t again_ns; /* a read failed; INT64_MAX: none did */
    } tell;
    struct sl_held_reply *held;        /* for strong views */
    struct sl_wait *waits;             /* for positions of this domain's log and views */
    struct sl_wait *wait_checked_next; /* of the walk along them that is under way */
    struct sl_lookup *lookups;         /* for rows being fetched */
    size_t reads_out;
    struct sl_core_rebuild *rebuild;   /* under way, or NULL */
    struct sl_rebuild_status *rebuilt; /* of each view, by place; NULL before the first */
};

struct sl_core {
    struct sl_core_options options;
    struct sl_core_domain *domains;
    size_t domain_count;
    struct sl_view_service *views;
    struct sl_heap deadlines; /* of waits */
    int64_t last_reader_ns;
    bool draining;
    uint64_t submitted; /* commands so far */
    void (*drained)(void *context);
    void *drained_context;
    struct sl_error error; /* why a domain could not be opened */
    enum sl_err err;
};

/* Looks whether waits and lookups of this domain can end. */
void sl_core_check_waits(struct sl_core_domain *domain);
/* Ends the waits whose deadline has passed. */
void sl_core_expire_waits(struct sl_core *core, int64_t now);
void sl_core_cancel_all(struct sl_core_domain *domain);

void sl_core_read_done(struct sl_message *message);

/* core.c: a view as a sink, and what it is told by its table. */
enum sl_sink_result sl_core_view_take(struct sl_core_view *view, const struct sl_event *event);
void sl_core_view_broken(struct sl_core_view *view, uint64_t position, const char *why);
void sl_core_view_moved(void *context);

/* rebuild.c: tables beside views, fed by a scan of their own. */
void sl_core_rebuild_reigns(struct sl_core_domain *domain);
void sl_core_rebuild_offer(struct sl_core_domain *domain, const struct sl_event *events,
                           size_t count);
int64_t sl_core_rebuild_turn(struct sl_core_domain *domain, int64_t now);
/* It is handed nothing more; then, after the view service has closed, its tables go. */
void sl_core_rebuild_stop(struct sl_core_domain *domain);
void sl_core_rebuild_close(struct sl_core_domain *domain);

/* tell.c: who watches a log is told of each event once, in order, also of those that were found to
 * be durable only by a later claim. */
void sl_core_tell_from(struct sl_core_domain *domain, uint64_t durable);
void sl_core_tell(struct sl_core_domain *domain, const struct sl_stored_event *events,
                  size_t count);
void sl_core_tell_step(struct sl_message *message);
int64_t sl_core_tell_turn(struct sl_core_domain *domain, int64_t now);

/* skip.c: events that a view skips because an operator said so. */
enum sl_err sl_core_prepare_skips(struct sl_model *model, struct sl_error *error) SL_USE_RESULT;
/* A view that stands may have been told before to skip its event: asks the log, once, and only then
 * is the view degraded. */
void sl_core_recall_skips(struct sl_core_view *view);
void sl_core_recall_step(struct sl_message *message);

/* strong.c: holds an accepted command's reply back until the strong views have applied it. */
bool sl_core_is_behind(struct sl_core_domain *domain, uint64_t position);
void sl_core_hold(struct sl_core_domain *domain, struct sl_submission *submission,
                  const struct sl_outcome *outcome);
/* Held replies are forgotten; nobody is told. */
void sl_core_drop_held(struct sl_core_domain *domain);

#endif
