/* What the files of the write side share. Nobody else includes this. */
#ifndef SL_COMMAND_WRITER_PARTS_H
#define SL_COMMAND_WRITER_PARTS_H

#include "command/aggregates.h"
#include "command/batch.h"
#include "command/decide.h"
#include "command/ids.h"
#include "command/snapshots.h"
#include "command/writer.h"

enum sl_writer_message {
    SL_WRITER_CLAIMED = SL_WRITER_MESSAGE_FIRST,
    SL_WRITER_APPENDED,
    SL_WRITER_LOADED,  /* an aggregate's history */
    SL_WRITER_RECALLED, /* a repeated command's events */
    SL_WRITER_OUTCOMES, /* outcomes of the id window, at start */
    SL_WRITER_ID_CHANGE,  /* other files of ids */
    SL_WRITER_ID_JOB,     /* work on them is done */
    SL_WRITER_ID_LOOKUP,  /* files were asked for an id */
    SL_WRITER_ID_OUTCOME, /* and the log for its outcome */
    SL_WRITER_SNAPSHOT,   /* a state that was kept, or none */
    SL_WRITER_KEPT,
};

enum sl_writer_stage {
    SL_WRITER_CLAIMING = 1,
    SL_WRITER_REMEMBERING, /* reading the id window */
    SL_WRITER_RUNNING,
    SL_WRITER_HURT,   /* a file of ids is damaged: fails as soon as no batch is on its way */
    SL_WRITER_FAILED, /* claims again at retry_ns; never, once it was fenced */
};

/* What is being done, while the stage is REMEMBERING. */
enum sl_writer_remembers {
    SL_REMEMBERS_NOTHING = 0, /* waits for a job from before */
    SL_REMEMBERS_FILES,       /* they are being opened */
    SL_REMEMBERS_WITNESS,     /* a file's last outcome is read from the log */
    SL_REMEMBERS_CUT,         /* files are being given up */
    SL_REMEMBERS_START,       /* the first outcome in the window is looked for */
    SL_REMEMBERS_PAUSE,       /* the one before it is read: when was that? */
    SL_REMEMBERS_OUTCOMES,    /* and read, with all behind it */
};

struct sl_load;
struct sl_load_snapshot {
    struct sl_snapshot_get get; /* first: it is the message */
    struct sl_load *load;
};

struct sl_load {
    struct sl_read read; /* first: it is the message */
    struct sl_writer *writer;
    struct sl_held *held;
    struct sl_load *next; /* of those that must read again once more is durable */
    struct sl_load *others, **link; /* of all */
    bool asked; /* for a snapshot */
    struct sl_load_snapshot snapshot;
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

/* A command's question to files of ids, and to the log. */
struct sl_ask_read {
    struct sl_read read; /* first: it is the message */
    struct sl_ask *ask;
};

struct sl_ask {
    struct sl_id_lookup lookup; /* first: it is the message */
    struct sl_writer *writer;
    struct sl_work *work; /* NULL: nobody waits any more */
    struct sl_ask *next, **link; /* of all */
    struct sl_ask_read read;
    size_t at; /* of what was found */
    bool out;
    bool is_known;
    struct sl_known_id known;
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
    bool unprepared;           /* there was no time to look at all that came in */
    struct sl_work *free_works;
    size_t works_out;  /* all that were not answered yet */
    size_t loads_out;  /* reads under way */
    struct sl_load *loads;       /* all of them */
    struct sl_recall *recalls;
    struct sl_load *stale_loads; /* to be read again when the batch on its way is durable */

    struct sl_aggregates aggregates;
    struct sl_snapshots *snapshots; /* NULL: none */
    uint32_t long_history;          /* events */
    struct sl_kept *kepts;          /* on their way to the files */
    size_t kept_bytes;
    struct sl_aggregate_digest {
        const struct sl_aggregate *aggregate;
        uint64_t digest;
    } *digests;
    size_t digest_count;
    struct sl_id_window ids;
    enum sl_writer_remembers remembers;
    struct sl_ask *asks;
    uint64_t window_first;      /* outcome in the window, while the one before it is read, */
    struct sl_time window_from; /* and its time; the clock's, if the window has none */
    bool behind_pause;          /* the window is that of the last outcome before a pause */
    bool files_open;      /* they have been, and are believed */
    size_t files_checked; /* while they are opened */
    bool files_cut;       /* those that know anything from here on are not believed any more: */
    uint64_t files_cut_at;
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
/* What it needed goes free. */
void sl_writer_unpin(struct sl_writer *writer, struct sl_work *work);
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
/* Puts the refusal of an id that is older than the window into the open batch. */
void sl_writer_refuse_old(struct sl_writer *writer, struct sl_work *work);

/* writer_ids.c */
enum sl_writer_id {
    SL_WRITER_ID_NEW = 1,
    SL_WRITER_ID_WAITS,
    SL_WRITER_ID_ANSWERED, /* it is known, or too old */
};
enum sl_err sl_writer_ids_init(struct sl_writer *writer, struct sl_error *error) SL_USE_RESULT;
/* Reads what a reign must know of before it decides; then it runs. */
void sl_writer_remember(struct sl_writer *writer);
void sl_writer_outcomes(struct sl_writer *writer);
void sl_writer_id_change(struct sl_id_change *change);
void sl_writer_id_job(struct sl_id_job *job);
void sl_writer_id_lookup(struct sl_id_lookup *lookup);
void sl_writer_id_outcome(struct sl_ask_read *ask_read);
void sl_writer_id_turn(struct sl_writer *writer);
/* Asks the files for the command's id, if they may know it. */
void sl_writer_ask(struct sl_writer *writer, struct sl_work *work);
void sl_writer_forget_ask(struct sl_work *work);
void sl_writer_end_asks(struct sl_writer *writer);
/* What is known of the id of a command that waits for nothing else. */
enum sl_writer_id sl_writer_check_id(struct sl_writer *writer, struct sl_work *work);

/* Goes on with a load after a snapshot came, or did not. */
void sl_writer_load_on(struct sl_load *load, enum sl_err err);

/* writer_snapshots.c: keeping does nothing unless all is durable and there were so many events. */
enum sl_err sl_writer_snapshots_init(struct sl_writer *writer,
                                     struct sl_error *error) SL_USE_RESULT;
void sl_writer_keep(struct sl_writer *writer, struct sl_held *held, uint32_t events);
void sl_writer_keep_leaving(void *context, struct sl_held *held);
void sl_writer_keep_in_use(struct sl_writer *writer, struct sl_held *held);
void sl_writer_was_kept(struct sl_message *message);
bool sl_writer_ask_snapshot(struct sl_load *load); /* false: there is nothing to ask for */
void sl_writer_snapshot_came(struct sl_message *message);
void sl_writer_snapshots_close(struct sl_writer *writer);

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
