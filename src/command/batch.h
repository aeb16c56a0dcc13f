/*
 * The open batch: events and outcomes that will become durable together, and the commands that wait
 * for it.
 */
#ifndef SL_COMMAND_BATCH_H
#define SL_COMMAND_BATCH_H

#include "base/buf.h"
#include "command/aggregates.h"
#include "command/ids.h"
#include "command/recent.h"
#include "command/submission.h"
#include "contracts/event_store.h"
#include "model/model.h"

#define SL_TAG_BYTES_MAX 128 /* of an event; a store takes longer ones */
#define SL_BATCH_EVENTS_MAX 16384
#define SL_BATCH_BYTES_MAX (8u << 20) /* a batch is closed over this; the store takes 16 MiB */

struct sl_writer;
struct sl_work;
struct sl_ask;

/* One aggregate that a command needs, and its place among those who wait for it. */
struct sl_need_slot {
    struct sl_held *held;
    struct sl_work *work;
    struct sl_need_slot *next_waiter;
    bool waits;
};

#define SL_WORK_SLOTS 4

/* A command in work. */
struct sl_work {
    struct sl_work *next;
    struct sl_submission *submission;
    const struct sl_command_model *command;
    int64_t submitted_ns;
    struct sl_arena arena; /* taken only for needs beyond the table's, and guards */
    struct sl_need_slot own_slots[SL_WORK_SLOTS];
    struct sl_need_slot *slots;
    size_t slot_count;
    size_t slot_max;
    struct sl_need_slot *guards; /* for the tags of its condition */
    size_t guard_count;
    uint32_t missing; /* needs that are being loaded */
    uint32_t rounds;  /* of `more` that named something */
    bool prepared;
    struct sl_ask *ask;  /* of files of ids, or NULL */
    uint64_t asked_at;   /* outcomes below this cursor were in memory, or the files were asked */
    enum sl_err trouble; /* why it cannot be decided: LIMIT, NO_MEMORY, IO */
    /* The answer. */
    int status;
    bool repeated;
    bool recall; /* a repeat whose events must be read from the log */
    const char *rule;
    const char *message;
    const char *field; /* the item to blame, "lines[3]"; NULL or "": none */
    uint64_t position;
    size_t first_event; /* in the batch */
    size_t event_count;
};

struct sl_batch {
    struct sl_append append; /* first: it is the message */
    struct sl_writer *writer;
    struct sl_batch *next_free;
    struct sl_arena arena;
    struct sl_buf pack;
    struct sl_stored_event *stored;
    struct sl_event *events; /* the same, as live structs: valid until the batch is reset */
    size_t event_count, event_capacity;
    struct sl_stored_outcome *outcomes;
    size_t outcome_count, outcome_capacity;
    const struct sl_schema **schemas;
    size_t schema_count, schema_capacity;
    struct sl_recent recent; /* what its events are tagged with and memory does not hold */
    struct sl_work *works, **works_end;
    size_t work_count;
    size_t bytes;
    int64_t handed_ns;
};

struct sl_batch *sl_batch_new(struct sl_writer *writer);
void sl_batch_reset(struct sl_batch *batch);
void sl_batch_free(struct sl_batch *batch);

static inline bool sl_batch_is_full(const struct sl_batch *batch)
{
    return batch->bytes >= SL_BATCH_BYTES_MAX || batch->event_count >= SL_BATCH_EVENTS_MAX;
}

void sl_batch_add_work(struct sl_batch *batch, struct sl_work *work);

/* Adds an event; its body and all that it points at are copied. Position, revision and stream are
 * given by the caller, the stream in the batch's arena. The batch is unchanged on failure:
 * SL_NO_MEMORY; SL_LIMIT for a body over 1 MiB or a tag over 128 bytes; SL_BUSY for what does not
 * fit into a batch that holds so much already. */
enum sl_err sl_batch_add_event(struct sl_batch *batch, const struct sl_event_model *model,
                               const struct sl_schema *schema,
                               struct sl_event event) SL_USE_RESULT;

/* How full it is, so that it can be cut back to that. */
struct sl_batch_mark {
    size_t event_count;
    size_t outcome_count;
    size_t bytes;
};
struct sl_batch_mark sl_batch_mark(const struct sl_batch *batch);

/* Takes events and outcomes that came after the mark out again. */
void sl_batch_cut(struct sl_batch *batch, struct sl_batch_mark mark);

enum sl_err sl_batch_add_outcome(struct sl_batch *batch,
                                 struct sl_stored_outcome outcome) SL_USE_RESULT;
enum sl_err sl_batch_add_schema(struct sl_batch *batch,
                                const struct sl_schema *schema) SL_USE_RESULT;

#endif
