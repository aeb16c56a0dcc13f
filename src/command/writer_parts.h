/* What the files of the write side share. Nobody else includes this. */
#ifndef SL_COMMAND_WRITER_PARTS_H
#define SL_COMMAND_WRITER_PARTS_H

#include "command/aggregates.h"
#include "command/batch.h"
#include "command/decide.h"
#include "command/ids.h"
#include "command/writer.h"

enum sl_writer_message {
    SL_WRITER_CLAIMED = SL_WRITER_MESSAGE_FIRST,
    SL_WRITER_APPENDED,
    SL_WRITER_LOADED,  /* an aggregate's history */
    SL_WRITER_RECALLED, /* a repeated command's events */
    SL_WRITER_OUTCOMES, /* outcomes of the id window, at start */
};

enum sl_writer_stage {
    SL_WRITER_CLAIMING = 1,
    SL_WRITER_REMEMBERING, /* reading the id window */
    SL_WRITER_RUNNING,
    SL_WRITER_FAILED, /* claims again at retry_ns */
};

struct sl_load {
    struct sl_read read; /* first: it is the message */
    struct sl_writer *writer;
    struct sl_held *held;
    struct sl_load *next; /* of those that must read again once more is durable */
    struct sl_load *others, **link; /* of all */
};

struct sl_recall {
    struct sl_read read;
    struct sl_writer *writer;
    struct sl_work *work;
    struct sl_recall *others, **link; /* of all */
};

struct sl_claim_call {
    struct sl_claim claim;
    struct sl_writer *writer;
    bool under_way;
};

struct sl_outcome_call {
    struct sl_read read;
    struct sl_writer *writer;
    bool under_way;
};

struct sl_work_list {
    struct sl_work *first, **end;
    size_t count;
};

struct sl_writer {
    struct sl_writer_options options;
    enum sl_writer_stage stage;
    bool draining;
    int64_t retry_ns;
    struct sl_writer_log log;
    struct sl_claim_call claim;
    struct sl_outcome_call outcomes;
    char why[240];

    struct sl_work_list queue; /* admitted, in order of arrival */
    struct sl_work_list line;  /* the same, their needs named: decided from its head */
    bool head_waits;           /* the head of the line waits for a read or for the next batch */
    struct sl_work *free_works;
    size_t works_out;  /* all that were not answered yet */
    size_t loads_out;  /* reads under way */
    struct sl_load *loads;       /* all of them */
    struct sl_recall *recalls;
    struct sl_load *stale_loads; /* to be read again when the batch on its way is durable */

    struct sl_aggregates aggregates;
    struct sl_id_window ids;
    struct sl_decision decision;
    struct sl_arena decision_arena; /* what one decide makes */
    struct sl_buf scratch;

    struct sl_batch *open;
    struct sl_batch *flying; /* with the store, or NULL */
    struct sl_batch *free_batches;

    const struct sl_schema **schemas; /* per event of the model; NULL: not in the log yet */
    bool *schema_sent;                /* is in the log, or in a batch on its way */
    uint32_t next_schema_id;
    struct sl_arena schema_arena;

    struct sl_event_made *made; /* scratch for answers */
    size_t made_capacity;
    struct sl_writer_numbers numbers;
};

/* writer_admit.c */
void sl_writer_run_queue(struct sl_writer *writer);
void sl_writer_loaded(struct sl_load *load);
void sl_writer_reload_stale(struct sl_writer *writer);
void sl_writer_end_load(struct sl_load *load); /* frees it */
void sl_writer_release(struct sl_writer *writer, struct sl_work *work);
struct sl_work *sl_writer_take_work(struct sl_writer *writer);

/* writer_decide.c: true: the work went into the open batch, or was answered for want of memory;
 * false: it must wait for the next batch. Work whose trouble is SL_LIMIT is refused, as a
 * decision. */
bool sl_writer_decide(struct sl_writer *writer, struct sl_work *work);
/* Puts a repeat of a known id into the open batch, or a misuse of it. */
void sl_writer_repeat(struct sl_writer *writer, struct sl_work *work,
                      const struct sl_known_id *known);

/* writer_answer.c */
void sl_writer_answer_batch(struct sl_writer *writer, struct sl_batch *batch);
void sl_writer_answer_failed(struct sl_writer *writer, struct sl_work *work, const char *rule,
                             const char *message);
void sl_writer_recalled(struct sl_recall *recall);
void sl_writer_end_recall(struct sl_recall *recall); /* frees it */

/* writer.c */
void sl_writer_list_add(struct sl_work_list *list, struct sl_work *work);
struct sl_work *sl_writer_list_pop(struct sl_work_list *list);
void sl_writer_fail(struct sl_writer *writer, const struct sl_error *error);

#endif
