/*
 * The write side of one domain: admit, deduplicate, load, decide, append, answer.
 *
 * Commands decided while a batch is on its way to the disk gather in the next one; a batch is
 * closed when the last one is durable, never by a timer. Every outcome, refusals and repeats too,
 * leaves only when all that it depends on is durable (L2).
 *
 * Everything runs on the engine's thread.
 */
#ifndef SL_COMMAND_WRITER_H
#define SL_COMMAND_WRITER_H

#include "base/env.h"
#include "base/histogram.h"
#include "command/submission.h"
#include "contracts/event_store.h"
#include "model/model.h"

/* Kinds of the writer's messages in the engine's mailbox. */
#define SL_WRITER_MESSAGE_FIRST 0x1000u
#define SL_WRITER_MESSAGE_LAST 0x100fu

struct sl_writer;

struct sl_writer_options {
    struct sl_env *env;
    struct sl_mailbox *mailbox; /* the engine's */
    const struct sl_model *model;
    struct sl_event_store *store;
    uint32_t queue_max;
    uint32_t id_window_s;
    size_t id_memory_max;   /* for ids of the window, about, if they may lie in files: */
    const char *ids_folder; /* copied; or NULL: all of them are in memory */
    size_t aggregate_memory_max;
    const char *snapshots_folder; /* copied; or NULL: histories are always read whole */
    uint32_t snapshot_events;     /* a history is long from so many on; 0: 64 */

    /* A reign has begun: log, epochs and positions are known (sl_writer_log). */
    void (*reigns)(void *context);
    /* These events are durable; all of it is borrowed for the call. Comes before the answers: what
     * whoever is answered must find; the answers wait for it. */
    void (*durable)(void *context, const struct sl_event *events,
                    const struct sl_stored_event *stored, size_t count);
    /* The same after the answers: what they need not wait for. May be NULL. */
    void (*answered)(void *context, const struct sl_event *events,
                     const struct sl_stored_event *stored, size_t count);
    /* An outcome may leave now. It must call submission->done, at once or (with copies) later. */
    void (*answer)(void *context, struct sl_submission *submission,
                   const struct sl_outcome *outcome);
    void *context;
};

/* Claims the log's next epoch; commands wait until it is there. */
enum sl_err sl_writer_open(const struct sl_writer_options *options, struct sl_writer **out,
                           struct sl_error *error) SL_USE_RESULT;

/* How many commands would be taken now, before they are refused as too many. */
size_t sl_writer_room(const struct sl_writer *writer);

void sl_writer_submit(struct sl_writer *writer, struct sl_submission *submission);

/* A message of the kinds above that belongs to a writer finds it by itself. */
void sl_writer_step(struct sl_message *message);

/* The end of a turn: decides what waits (for at most about a millisecond), hands over the batch.
 * `may_block`: a short write on this thread is welcome. Returns the next deadline. */
int64_t sl_writer_turn(struct sl_writer *writer, bool may_block);

/* No command is taken any more; is anything still on its way? */
void sl_writer_drain(struct sl_writer *writer);
bool sl_writer_is_idle(const struct sl_writer *writer);

/* Ends the actors of its id files and snapshots, if it has any: from now on only the store posts
 * messages of it. To be called before the mailbox is emptied for the last time. NULL is allowed. */
void sl_writer_stop(struct sl_writer *writer);

/* Nothing must be on its way, or the store be closed already. NULL is allowed. */
void sl_writer_close(struct sl_writer *writer);

/* What the log is; before the first reign all zero. */
struct sl_writer_log {
    struct sl_uuid log;
    uint64_t epoch;
    uint64_t salt;
    uint64_t next;    /* position of the next event to be decided */
    uint64_t durable; /* all events below are durable */
    const struct sl_epoch *epochs;
    size_t epoch_count;
    bool ready;
    const char *failed; /* why nothing is taken at the moment, or NULL */
    enum sl_err failed_err;
};
const struct sl_writer_log *sl_writer_log(const struct sl_writer *writer);

/* The salt of the reign in which a position lies: the last that began at or below it. */
uint64_t sl_writer_salt_at(const struct sl_writer_log *log, uint64_t position);

struct sl_writer_numbers {
    uint64_t accepted, refused, repeated, failed;
    uint64_t events, batches, batch_bytes;
    uint64_t waiting, aggregates, ids;
    uint64_t aggregate_bytes, loads, snapshots_kept, snapshots_used;
    uint64_t id_lookups; /* commands for whose id files were asked */
    struct sl_histogram command;  /* submitted to answered */
    struct sl_histogram decision; /* submitted to decided: the queue, and reading what it needs */
    struct sl_histogram append;   /* a batch: handed to the store to durable */
};
void sl_writer_numbers(const struct sl_writer *writer, struct sl_writer_numbers *out);

#endif
