/* What the files of the engine share. Nobody else includes this. */
#ifndef SL_ENGINE_CORE_H
#define SL_ENGINE_CORE_H

#include "command/writer.h"
#include "consumer/consumer.h"
#include "engine/engine.h"
#include "process/process.h"

enum sl_core_message {
    SL_CORE_READ = 0x1020, /* a door's read of the log */
};

/* A view at work: a table and the loop that feeds it. */
struct sl_core_view {
    struct sl_core_domain *domain;
    const struct sl_view *view;
    struct sl_view_table *table;
    struct sl_consumer consumer;
    bool moved; /* something has happened to it: pokes and waits are due at the end of the turn */
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
    struct sl_wait *waits;     /* for positions of this domain's log and views */
    struct sl_lookup *lookups; /* for rows being fetched */
    size_t reads_out;
};

struct sl_core {
    struct sl_core_options options;
    struct sl_core_domain *domains;
    size_t domain_count;
    struct sl_view_service *views;
    struct sl_heap deadlines; /* of waits */
    int64_t last_reader_ns;
    bool draining;
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

/* strong.c: holds an accepted command's reply back until the strong views have applied it. */
bool sl_core_is_behind(struct sl_core_domain *domain, uint64_t position);
void sl_core_hold(struct sl_core_domain *domain, struct sl_submission *submission,
                  const struct sl_outcome *outcome);

#endif
