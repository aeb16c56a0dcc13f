/*
 * For tests of the view: an engine's side, in the simulated world, with events that follow from a
 * seed and their position, and a model that says what the rows must be.
 */
#ifndef SL_VIEW_BENCH_H
#define SL_VIEW_BENCH_H

#include "base/env_sim.h"
#include "contracts/view_store_fault.h"
#include "view/view.h"

/* ---- A world with one view ------------------------------------------------------------------- */

struct bench {
    struct sl_env *env;
    struct sl_mailbox *engine;
    struct sl_view_store_fault fault;
    struct sl_view_service *service;
    struct sl_view_table *table;
    const struct sl_view *view;
    struct sl_uuid log;
    uint64_t salt;
    uint64_t known; /* checkpoints above it are none of this log's */
    size_t memory_max;
    uint32_t readers;
    unsigned moved;
    bool settles; /* the option */
    struct sl_error error;
};

void bench_begin(struct bench *bench, uint64_t seed, const struct sl_view *view);
/* Opens service and table; `bench_run` brings it to RUNNING. False: an error, in bench->error. */
bool bench_open(struct bench *bench);
void bench_close(struct bench *bench);
void bench_end(struct bench *bench);

/* One step of somebody, as chance has it; false: nobody has anything to do. */
bool bench_step(struct bench *bench);
/* Until nobody has anything to do now. */
void bench_run(struct bench *bench);
/* Likewise, letting time pass until the table wants nothing more. */
void bench_settle(struct bench *bench);

/* Projects, waiting for rows as the engine does. */
enum sl_view_result bench_project(struct bench *bench, const struct sl_event *event);
/* Looks up, fetching if need be. */
enum sl_lookup_result bench_lookup(struct bench *bench, const char *key, struct sl_view_row *out);
/* What a list answers, or its error's name; lives until the next call. */
const char *bench_list(struct bench *bench, struct sl_list_query query);
/* A row as it was, as JSON; "-": there was none; or the error's name. Lives until the next call. */
const char *bench_past(struct bench *bench, const char *key, uint64_t position);
/* The same of aggregates; of a refusal "POSITION refused WHICH of PLACE". */
const char *bench_aggregate(struct bench *bench, const struct sl_aggregate_query *query);

/* ---- Stock: a view whose events are made of a seed ------------------------------------------- */

enum { STOCK_KEYS = 500 };

struct stock_event {
    uint32_t kind; /* enum stock_kind, in event_types[] too */
    uint64_t from;
    uint64_t to;
    int64_t count;
    struct sl_text note;
};

enum stock_kind { STOCK_ADD, STOCK_MOVE, STOCK_DROP, STOCK_NOTE, STOCK_BATCH, STOCK_NOTHING };

/* Not flat: names and notes. */
struct stock {
    uint64_t id;
    struct sl_text name;
    int64_t count;
    struct sl_list notes; /* of text, at most five, the oldest goes */
};

/* Flat. */
struct level {
    uint64_t id;
    int64_t count;
    uint32_t changes;
};

extern const struct sl_record stock_record, level_record;
extern const struct sl_view stock_view, level_view;
extern const struct sl_view stock_kept_view, level_kept_view; /* the same, and temporal */

/* What happens at a position. Texts live in static memory until the next call. */
void stock_event_at(uint64_t seed, uint64_t position, struct sl_event *out,
                    struct stock_event *body);

struct stock_model {
    struct {
        bool there;
        int64_t count;
        uint32_t changes;
        uint32_t note_count;
        uint64_t notes[5]; /* the positions that wrote them */
    } rows[STOCK_KEYS];
};

void stock_model_apply(struct stock_model *model, uint64_t seed, uint64_t position);

/* How many of the view's rows differ from the model; says which. */
unsigned stock_differences(struct bench *bench, const struct stock_model *model);
/* The same of the rows as they were when all below the position had been applied; which is stored.
 */
unsigned stock_past_differences(struct bench *bench, const struct stock_model *model,
                                uint64_t position);
/* Is this row as the model says? `row` NULL: there is none. */
bool stock_row_is(const struct bench *bench, const struct stock_model *model, uint64_t id,
                  const void *row);

#endif
