/*
 * The write side's life: claim the epoch, remember the id window, run, and after a failure claim
 * again. See writer.h for what it promises, writer_admit.c, writer_decide.c and writer_answer.c for
 * the way of a command.
 */
#include "command/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/writer_parts.h"
#include "record/pack.h"

enum { RETRY_NS = 1000000000 };

void sl_writer_list_add(struct sl_work_list *list, struct sl_work *work)
{
    work->next = NULL;
    *list->end = work;
    list->end = &work->next;
    list->count++;
}

struct sl_work *sl_writer_list_pop(struct sl_work_list *list)
{
    struct sl_work *work = list->first;

    list->first = work->next;
    if (!list->first)
        list->end = &list->first;
    list->count--;
    return work;
}

static void start_claim(struct sl_writer *writer)
{
    struct sl_claim *claim = &writer->claim.claim;

    writer->stage = SL_WRITER_CLAIMING;
    writer->claim.under_way = true;
    *claim = (struct sl_claim){.message = {.reply_to = writer->options.mailbox,
                                           .kind = SL_WRITER_CLAIMED}};
    sl_env_random(writer->options.env, &claim->salt, sizeof claim->salt);
    sl_event_store_claim(writer->options.store, claim);
}

/* One is open, one with the store, one being answered: no more are ever needed. */
static bool spare_batches(struct sl_writer *writer)
{
    for (int i = 0; i < 2; i++) {
        struct sl_batch *batch = sl_batch_new(writer);
        if (!batch)
            return false;
        batch->next_free = writer->free_batches;
        writer->free_batches = batch;
    }
    return true;
}

enum sl_err sl_writer_open(const struct sl_writer_options *options, struct sl_writer **out,
                           struct sl_error *error)
{
    struct sl_writer *writer = calloc(1, sizeof *writer);
    const size_t events = options->model->event_count;

    if (!writer)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the write side");
    writer->options = *options;
    writer->claim.writer = writer->outcomes.writer = writer;
    writer->queue.end = &writer->queue.first;
    writer->line.end = &writer->line.first;
    sl_aggregates_init(&writer->aggregates, options->aggregate_memory_max);
    writer->aggregates.leaves = sl_writer_keep_leaving;
    writer->aggregates.context = writer;
    writer->schemas = calloc(events, sizeof *writer->schemas);
    writer->schema_sent = calloc(events, sizeof *writer->schema_sent);
    writer->open = sl_batch_new(writer);
    if (!writer->schemas || !writer->schema_sent || !writer->open || !spare_batches(writer) ||
        sl_decision_reserve(&writer->decision) != SL_OK) {
        sl_writer_close(writer);
        return sl_fail(error, SL_NO_MEMORY, "no memory for the write side");
    }
    enum sl_err err = sl_writer_ids_init(writer, error);
    if (!err)
        err = sl_writer_snapshots_init(writer, error);
    if (err) {
        sl_writer_close(writer);
        return err;
    }
    start_claim(writer);
    *out = writer;
    return SL_OK;
}

/* ---- Failure --------------------------------------------------------------------------------- */

static void answer_all(struct sl_writer *writer, struct sl_batch *batch, const char *rule,
                       const char *message)
{
    struct sl_work *work = batch->works;

    batch->works = NULL;
    batch->works_end = &batch->works;
    while (work) {
        struct sl_work *next = work->next;
        sl_writer_answer_failed(writer, work, rule, message);
        work = next;
    }
}

/* Nobody is told any more when a read comes back. */
static void forget_waiters(struct sl_writer *writer)
{
    for (struct sl_held *held = writer->aggregates.oldest; held; held = held->newer)
        held->waiters = NULL;
}

void sl_writer_fail(struct sl_writer *writer, const struct sl_error *error)
{
    static const char later[] = "the log takes nothing at the moment: try again";

    snprintf(writer->why, sizeof writer->why, "%s",
             error && error->message[0] ? error->message : "the log failed");
    writer->log.failed = writer->why;
    writer->log.failed_err = error ? error->code : SL_IO;
    writer->log.ready = false;
    writer->stage = SL_WRITER_FAILED;
    writer->retry_ns = sl_env_monotonic(writer->options.env);
    writer->log.next = writer->log.durable;
    answer_all(writer, writer->open, "log_failed", later);
    sl_batch_reset(writer->open);
    forget_waiters(writer);
    while (writer->line.first)
        sl_writer_answer_failed(writer, sl_writer_list_pop(&writer->line), "log_failed", later);
    while (writer->queue.first)
        sl_writer_answer_failed(writer, sl_writer_list_pop(&writer->queue), "log_failed", later);
    /* Above the durable position nothing is true any more; below, the log gives it back. */
    sl_aggregates_drop_all(&writer->aggregates);
    sl_writer_reload_stale(writer);
    sl_ids_reset(&writer->ids, 0);
}

/* ---- The reign begins ------------------------------------------------------------------------ */

/* Types that the log knows already keep their schemas; one whose record changed without a new
 * version would be read wrongly. */
static enum sl_err match_schemas(struct sl_writer *writer, const struct sl_claim *claim,
                                 struct sl_error *error)
{
    const struct sl_model *model = writer->options.model;
    struct sl_buf description = {0};
    enum sl_err err = SL_OK;

    writer->next_schema_id = 1;
    for (size_t i = 0; i < model->event_count; i++) {
        writer->schemas[i] = NULL;
        writer->schema_sent[i] = false;
    }
    for (size_t s = 0; s < claim->schema_count; s++) {
        const struct sl_schema *schema = claim->schemas[s];
        const struct sl_event_model *event = sl_model_event_named(model, schema->name);

        if (schema->id >= writer->next_schema_id)
            writer->next_schema_id = schema->id + 1;
        if (!event || event->type->version != schema->version)
            continue;
        sl_buf_reset(&description);
        sl_record_describe(&description, event->type->record);
        if (!sl_text_equals(sl_buf_as_text(&description), schema->description)) {
            err = sl_fail(error, SL_UNSUPPORTED,
                          "event %s: its record differs from the one in the log: raise its version "
                          "and add an upcast", event->type->name);
            break;
        }
        const size_t place = (size_t)(event - model->events);
        writer->schemas[place] = schema;
        writer->schema_sent[place] = true;
    }
    sl_buf_close(&description);
    return err;
}

static void claimed(struct sl_writer *writer)
{
    struct sl_claim *claim = &writer->claim.claim;
    struct sl_error error = claim->error;
    enum sl_err err = claim->err;

    writer->claim.under_way = false;
    if (!err)
        err = match_schemas(writer, claim, &error);
    if (err) {
        error.code = err;
        sl_writer_fail(writer, &error);
        writer->retry_ns = sl_env_monotonic(writer->options.env) + RETRY_NS;
        return;
    }
    const bool first = writer->log.epoch == 0;
    SL_ASSERT(first || claim->next_position >= writer->log.durable, "L1");
    writer->log = (struct sl_writer_log){.log = claim->log,
                                         .epoch = claim->epoch,
                                         .salt = claim->salt,
                                         .next = claim->next_position,
                                         .durable = claim->next_position,
                                         .epochs = claim->epochs,
                                         .epoch_count = claim->epoch_count};
    writer->options.reigns(writer->options.context);
    sl_writer_remember(writer);
}

/* ---- Batches --------------------------------------------------------------------------------- */

static struct sl_batch *next_batch(struct sl_writer *writer)
{
    struct sl_batch *batch = writer->free_batches;

    SL_ASSERT(batch, "at most one batch is open, one with the store, one being answered");
    writer->free_batches = batch->next_free;
    return batch;
}

static void settle(struct sl_writer *writer, struct sl_batch *batch)
{
    struct sl_append *append = &batch->append;

    SL_ASSERT(writer->flying == batch, "T1");
    writer->flying = NULL;
    if (append->result != SL_APPEND_DURABLE) {
        answer_all(writer, batch,
                   append->result == SL_APPEND_UNKNOWN ? "outcome_unknown" : "log_failed",
                   append->result == SL_APPEND_UNKNOWN
                       ? "nobody knows yet whether the command was carried out: send it again with "
                         "the same id"
                       : "the log did not take the command: try again");
        if (append->result == SL_APPEND_FENCED)
            append->error.code = SL_FENCED;
        sl_writer_fail(writer, &append->error);
        /* Two writers that took a log from each other would never end. */
        if (append->result == SL_APPEND_FENCED)
            writer->retry_ns = INT64_MAX;
    } else {
        writer->log.durable = append->position + append->event_count;
        sl_ids_durable(&writer->ids, writer->ids.durable + append->outcome_count);
        writer->numbers.batches++;
        writer->numbers.events += batch->event_count;
        writer->numbers.batch_bytes += batch->bytes;
        sl_histogram_add(&writer->numbers.append,
                         sl_env_monotonic(writer->options.env) - batch->handed_ns);
    }
}

/* What a durable batch means to others; the next one is on its way to the disk by now. */
static void publish(struct sl_writer *writer, struct sl_batch *batch)
{
    if (batch->append.result == SL_APPEND_DURABLE) {
        const struct sl_writer_options *options = &writer->options;

        if (batch->event_count > 0)
            options->durable(options->context, batch->events, batch->stored, batch->event_count);
        sl_writer_answer_batch(writer, batch);
        if (options->answered)
            options->answered(options->context, batch->events, batch->stored, batch->event_count);
    }
    sl_batch_reset(batch);
    batch->next_free = writer->free_batches;
    writer->free_batches = batch;
    sl_writer_reload_stale(writer);
}

/* Hands the open batch to the store. True: it is durable already, and to be published. */
static bool hand_over(struct sl_writer *writer, bool may_block, struct sl_batch **out_done)
{
    struct sl_batch *batch = writer->open;

    writer->open = next_batch(writer);
    writer->flying = batch;
    batch->handed_ns = sl_env_monotonic(writer->options.env);
    batch->append = (struct sl_append){.message = {.reply_to = writer->options.mailbox,
                                                   .kind = SL_WRITER_APPENDED},
                                       .epoch = writer->log.epoch,
                                       .position = writer->log.next - batch->event_count,
                                       .events = batch->stored,
                                       .event_count = batch->event_count,
                                       .outcomes = batch->outcomes,
                                       .outcome_count = batch->outcome_count,
                                       .schemas = batch->schemas,
                                       .schema_count = batch->schema_count,
                                       .bytes = batch->bytes,
                                       .flags = may_block ? SL_APPEND_MAY_BLOCK : 0};
    bool done = false;
    if (batch->event_count + batch->outcome_count + batch->schema_count == 0) {
        /* Repeats alone: all that they depend on is durable, since nothing is on its way. */
        batch->append.result = SL_APPEND_DURABLE;
        batch->append.position = writer->log.durable;
        done = true;
    } else {
        done = sl_event_store_append(writer->options.store, &batch->append);
    }
    if (done)
        *out_done = batch;
    return done;
}

static void appended(struct sl_writer *writer, struct sl_batch *batch)
{
    struct sl_batch *done = NULL;

    settle(writer, batch);
    if (writer->stage == SL_WRITER_RUNNING) {
        sl_writer_run_queue(writer);
        if (writer->open->works)
            hand_over(writer, false, &done);
    }
    publish(writer, batch);
    SL_ASSERT(!done || !done->append.message.next, "T1");
    if (done) {
        settle(writer, done);
        publish(writer, done);
    }
}

/* ---- Outside --------------------------------------------------------------------------------- */

static void turn_away(struct sl_submission *submission, const char *rule, const char *message)
{
    const struct sl_outcome outcome = {.status = 503,
                                       .rule = {rule, strlen(rule)},
                                       .message = {message, strlen(message)},
                                       .id = submission->id};
    submission->done(submission, &outcome);
}

size_t sl_writer_room(const struct sl_writer *writer)
{
    const size_t most = writer->options.queue_max;

    return most > writer->works_out ? most - writer->works_out : 0;
}

void sl_writer_submit(struct sl_writer *writer, struct sl_submission *submission)
{
    const struct sl_text name = {submission->command->name, strlen(submission->command->name)};

    if (writer->draining) {
        turn_away(submission, "closing", "the server is stopping");
        return;
    }
    if (writer->stage == SL_WRITER_FAILED) {
        turn_away(submission, "log_failed", writer->why);
        return;
    }
    struct sl_work *work =
        writer->works_out < writer->options.queue_max ? sl_writer_take_work(writer) : NULL;
    if (!work) {
        writer->numbers.failed++;
        turn_away(submission, "overloaded", "too many commands are waiting: try again later");
        return;
    }
    SL_ASSERT(!sl_uuid_is_nil(submission->id), "C1");
    work->submission = submission;
    work->command = sl_model_command(writer->options.model, name);
    SL_ASSERT(work->command, "a command of this domain");
    work->submitted_ns = sl_env_monotonic(writer->options.env);
    sl_writer_list_add(&writer->queue, work);
}

void sl_writer_step(struct sl_message *message)
{
    switch ((enum sl_writer_message)message->kind) {
    case SL_WRITER_CLAIMED:
        claimed(((struct sl_claim_call *)(void *)message)->writer);
        break;
    case SL_WRITER_APPENDED:
        appended(((struct sl_batch *)(void *)message)->writer, (struct sl_batch *)(void *)message);
        break;
    case SL_WRITER_LOADED:
        sl_writer_loaded((struct sl_load *)(void *)message);
        break;
    case SL_WRITER_RECALLED:
        sl_writer_recalled((struct sl_recall *)(void *)message);
        break;
    case SL_WRITER_OUTCOMES:
        sl_writer_outcomes(((struct sl_outcome_call *)(void *)message)->writer);
        break;
    case SL_WRITER_ID_CHANGE:
        sl_writer_id_change((struct sl_id_change *)(void *)message);
        break;
    case SL_WRITER_ID_JOB:
        sl_writer_id_job((struct sl_id_job *)(void *)message);
        break;
    case SL_WRITER_ID_LOOKUP:
        sl_writer_id_lookup((struct sl_id_lookup *)(void *)message);
        break;
    case SL_WRITER_ID_OUTCOME:
        sl_writer_id_outcome((struct sl_ask_read *)(void *)message);
        break;
    case SL_WRITER_SNAPSHOT:
        sl_writer_snapshot_came(message);
        break;
    case SL_WRITER_KEPT:
        sl_writer_was_kept(message);
        break;
    }
}

int64_t sl_writer_turn(struct sl_writer *writer, bool may_block)
{
    const int64_t now = sl_env_monotonic(writer->options.env);
    struct sl_batch *done = NULL;

    sl_writer_id_turn(writer);
    if (writer->stage == SL_WRITER_FAILED && !writer->flying && !writer->draining) {
        if (now < writer->retry_ns)
            return writer->retry_ns;
        start_claim(writer);
    }
    if (writer->stage != SL_WRITER_RUNNING)
        return INT64_MAX;
    sl_writer_run_queue(writer);
    while (!writer->flying && writer->open->works && hand_over(writer, may_block, &done)) {
        settle(writer, done);
        publish(writer, done);
        if (writer->stage != SL_WRITER_RUNNING)
            return now;
        sl_writer_run_queue(writer);
    }
    sl_aggregates_trim(&writer->aggregates, writer->log.durable);
    /* A full open batch waits for the one on its way; anything else goes on at once. */
    const bool more = writer->unprepared || (writer->queue.first && writer->line.count == 0) ||
                      (writer->line.first && !writer->head_waits);
    return more && !sl_batch_is_full(writer->open) ? now : INT64_MAX;
}

void sl_writer_drain(struct sl_writer *writer)
{
    writer->draining = true;
}

bool sl_writer_is_idle(const struct sl_writer *writer)
{
    return writer->works_out == 0 && writer->loads_out == 0 && !writer->flying &&
           !writer->claim.under_way && !writer->outcomes.under_way;
}

static void keep_works(struct sl_writer *writer, struct sl_work *work)
{
    while (work) {
        struct sl_work *next = work->next;
        work->next = writer->free_works;
        writer->free_works = work;
        work = next;
    }
}

/* Those that nobody will answer any more join the free ones, which go next. */
static void free_works(struct sl_writer *writer)
{
    keep_works(writer, writer->queue.first);
    keep_works(writer, writer->line.first);
    if (writer->open)
        keep_works(writer, writer->open->works);
    if (writer->flying)
        keep_works(writer, writer->flying->works);
    while (writer->recalls) {
        writer->recalls->work->next = NULL;
        keep_works(writer, writer->recalls->work);
        sl_writer_end_recall(writer->recalls);
    }
    for (struct sl_work *work = writer->free_works, *next; work; work = next) {
        next = work->next;
        sl_arena_close(&work->arena);
        free(work);
    }
}

void sl_writer_stop(struct sl_writer *writer)
{
    if (!writer)
        return;
    sl_ids_stop(&writer->ids);
    sl_snapshots_stop(writer->snapshots);
    writer->snapshots = NULL;
}

void sl_writer_close(struct sl_writer *writer)
{
    if (!writer)
        return;
    sl_writer_stop(writer);
    sl_writer_end_asks(writer);
    free_works(writer);
    while (writer->loads) {
        if (writer->loads->held->orphan)
            sl_held_free(writer->loads->held);
        sl_writer_end_load(writer->loads);
    }
    sl_batch_free(writer->open);
    sl_batch_free(writer->flying);
    for (struct sl_batch *batch = writer->free_batches, *next; batch; batch = next) {
        next = batch->next_free;
        sl_batch_free(batch);
    }
    sl_aggregates_close(&writer->aggregates);
    sl_writer_snapshots_close(writer);
    sl_ids_close(&writer->ids);
    sl_decision_close(&writer->decision);
    sl_arena_close(&writer->decision_arena);
    sl_buf_close(&writer->scratch);
    sl_arena_close(&writer->outcomes.read.arena);
    sl_arena_close(&writer->schema_arena);
    free(writer->schemas);
    free(writer->schema_sent);
    free(writer->made);
    free(writer);
}

const struct sl_writer_log *sl_writer_log(const struct sl_writer *writer)
{
    return &writer->log;
}

uint64_t sl_writer_salt_at(const struct sl_writer_log *log, uint64_t position)
{
    for (size_t i = log->epoch_count; i > 0; i--)
        if (log->epochs[i - 1].first_position <= position)
            return log->epochs[i - 1].salt;
    return log->salt;
}

void sl_writer_numbers(const struct sl_writer *writer, struct sl_writer_numbers *out)
{
    *out = writer->numbers;
    out->waiting = writer->works_out;
    out->aggregates = writer->aggregates.table.count;
    out->aggregate_bytes = writer->aggregates.bytes;
    out->ids = sl_ids_count(&writer->ids);
}
