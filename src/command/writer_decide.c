/*
 * Deciding for the open batch: events get their positions and revisions, aggregates in memory
 * evolve, and the outcome is remembered, all before anything is durable. L2 is kept by the answer,
 * which waits.
 */
#include <stdlib.h>
#include <string.h>

#include "command/writer_parts.h"
#include "record/json.h"
#include "record/pack.h"

static uint32_t seconds(struct sl_time time)
{
    return (uint32_t)(time.ns / 1000000000);
}

void sl_writer_repeat(struct sl_writer *writer, struct sl_work *work,
                      const struct sl_known_id *known)
{
    /* It decides nothing: what it pinned while it waited goes free. */
    for (size_t i = 0; i < work->slot_count; i++)
        sl_aggregates_unpin(&writer->aggregates, work->slots[i].held);
    work->slot_count = 0;
    work->repeated = true;
    work->position = writer->log.next;
    if (!sl_uuid_equals(known->digest, work->submission->digest)) {
        work->status = 422;
        work->rule = "id_reused";
        work->message = "this command id was used for another command";
        work->repeated = false;
    } else {
        work->status = known->status;
        work->position = known->position + known->event_count;
        work->recall = known->event_count > 0;
        work->first_event = 0;
        work->event_count = known->event_count;
        if (known->reply) {
            const size_t rule = strlen(known->reply) + 1;
            const size_t all = rule + strlen(known->reply + rule) + 1;
            char *copy = sl_arena_take(&writer->open->arena, all);
            if (copy) {
                memcpy(copy, known->reply, all);
                work->rule = copy;
                work->message = copy + rule;
            }
        }
    }
    sl_batch_add_work(writer->open, work);
}

/* The schema of an event type in this log; its first use writes it. */
static const struct sl_schema *schema_for(struct sl_writer *writer,
                                          const struct sl_event_model *event)
{
    const size_t place = (size_t)(event - writer->options.model->events);
    const struct sl_schema *known = writer->schemas[place];

    if (!known) {
        struct sl_schema *schema = sl_arena_zeroed(&writer->schema_arena, 1, sizeof *schema);
        if (!schema)
            return NULL;
        struct sl_buf description = {0};
        sl_record_describe(&description, event->type->record);
        schema->id = writer->next_schema_id++;
        schema->version = event->type->version;
        schema->name = (struct sl_text){event->type->name, strlen(event->type->name)};
        schema->description =
            sl_arena_text(&writer->schema_arena, sl_buf_as_text(&description));
        const bool bad = description.failed || !schema->description.ptr;
        sl_buf_close(&description);
        if (bad)
            return NULL;
        writer->schemas[place] = known = schema;
    }
    if (!writer->schema_sent[place]) {
        if (sl_batch_add_schema(writer->open, known) != SL_OK)
            return NULL;
        writer->schema_sent[place] = true;
    }
    return known;
}

/* Tells every aggregate in memory that the event concerns: its stream's, and those it is tagged
 * with. */
static enum sl_err evolve_concerned(struct sl_writer *writer, struct sl_held *stream,
                                    const struct sl_event *event,
                                    const struct sl_stored_event *stored)
{
    struct sl_held *concerned[SL_TAGS_MAX + 1];
    size_t count = 0;
    char name[SL_STORE_TAG_BYTES_MAX];

    if (stream)
        concerned[count++] = stream;
    for (uint32_t i = 0; i < stored->tag_count; i++) {
        const struct sl_text tag = stored->tags[i];
        char *colon = memchr(tag.ptr, ':', tag.len);

        memcpy(name, tag.ptr, tag.len);
        name[colon - tag.ptr] = '/';
        struct sl_held *held =
            sl_aggregates_find(&writer->aggregates, (struct sl_text){name, tag.len});
        if (held && held != stream)
            concerned[count++] = held;
    }
    for (size_t i = 0; i < count; i++) {
        concerned[i]->touched = event->position + 1;
        if (concerned[i]->stage != SL_HELD_READY)
            continue; /* its reading will meet the event in the log */
        sl_held_evolve(concerned[i], event);
        concerned[i]->loaded = event->position + 1;
        if (sl_held_settle(&writer->aggregates, concerned[i]) != SL_OK)
            return SL_NO_MEMORY;
    }
    return SL_OK;
}

/* Adds the decision's events to the batch, without telling anybody yet. */
static enum sl_err add_events(struct sl_writer *writer, struct sl_work *work, struct sl_time now)
{
    struct sl_batch *batch = writer->open;
    const struct sl_decision *decision = &writer->decision;

    for (size_t i = 0; i < decision->count; i++) {
        const struct sl_emitted *emitted = &decision->events[i];
        const struct sl_held *held = work->slots[emitted->need].held;
        const struct sl_event_model *model =
            sl_model_event(writer->options.model, emitted->type);
        struct sl_broken_rule broken;
        uint64_t revision = held->stream_count;
        enum sl_err err;

        SL_ASSERT(model, "a domain lists the events it emits");
        for (size_t k = 0; k < i; k++)
            revision += work->slots[decision->events[k].need].held == held;
        if (sl_record_validate(emitted->type->record, emitted->body, &broken) != SL_OK)
            return SL_INVALID;
        const struct sl_schema *schema = schema_for(writer, model);
        if (!schema)
            return SL_NO_MEMORY;
        struct sl_text stream = sl_arena_text(&batch->arena, held->name);
        if (!stream.ptr)
            return SL_NO_MEMORY;
        const struct sl_event event = {.type = emitted->type,
                                       .body = emitted->body,
                                       .position = writer->log.next + i,
                                       .revision = revision,
                                       .time = now,
                                       .stream = stream,
                                       .command = work->submission->id};
        if (sl_batch_add_event(batch, model, schema, event, &err) == SIZE_MAX)
            return err;
    }
    return SL_OK;
}

static void refuse(struct sl_work *work, int status, const char *rule, const char *message)
{
    work->status = status;
    work->rule = rule;
    work->message = message;
}

/* Fills in a refusal's message, in the batch's memory. */
static void refuse_by_rule(struct sl_writer *writer, struct sl_work *work)
{
    const struct sl_decision *decision = &writer->decision;
    struct sl_buf *buf = &writer->scratch;

    sl_buf_reset(buf);
    sl_message_fill(buf, decision->message, work->command->command->record,
                    work->submission->body);
    sl_buf_byte(buf, 0);
    const char *text = sl_arena_text(&writer->open->arena, sl_buf_as_text(buf)).ptr;
    refuse(work, 422, decision->rule, text ? text : decision->message);
}

/* Remembers the outcome: in the batch for the log, and in memory. */
static enum sl_err remember(struct sl_writer *writer, struct sl_work *work, struct sl_time now)
{
    struct sl_known_id known = {.id = work->submission->id,
                                .digest = work->submission->digest,
                                .position = work->position - work->event_count,
                                .time_s = seconds(now),
                                .status = (uint16_t)work->status,
                                .event_count = (uint16_t)work->event_count};
    struct sl_slice reply = {0};

    if (work->rule) {
        const size_t rule = strlen(work->rule) + 1;
        const size_t message = strlen(work->message) + 1;
        uint8_t *bytes = sl_arena_take(&writer->open->arena, rule + message);
        known.reply = malloc(rule + message);
        if (!bytes || !known.reply) {
            free(known.reply);
            return SL_NO_MEMORY;
        }
        memcpy(bytes, work->rule, rule);
        memcpy(bytes + rule, work->message, message);
        memcpy(known.reply, bytes, rule + message);
        reply = (struct sl_slice){bytes, rule + message};
    }
    enum sl_err err = sl_batch_add_outcome(
        writer->open, (struct sl_stored_outcome){.id = known.id,
                                                 .digest = known.digest,
                                                 .time = now,
                                                 .status = (uint32_t)work->status,
                                                 .event_count = known.event_count,
                                                 .position = known.position,
                                                 .reply = reply});
    if (err) {
        free(known.reply);
        return err;
    }
    return sl_ids_add(&writer->ids, known);
}

static const char *limit_message(enum sl_err err)
{
    return err == SL_LIMIT ? "the command makes more or larger events than there may be (8,190 "
                             "events, 1 MiB each, tags of 128 bytes)"
           : err == SL_INVALID ? "the decision broke a rule of its own event's record"
                               : "memory is out";
}

/* What `decide` says, with all that surrounds it. Events are in the batch behind
 * `work->first_event`. */
static void run_decision(struct sl_writer *writer, struct sl_work *work, struct sl_time now)
{
    const struct sl_submission *submission = work->submission;
    struct sl_decision *decision = &writer->decision;
    const void *states[SL_NEEDS_MAX];

    for (size_t i = 0; i < work->slot_count; i++)
        states[i] = work->slots[i].held->state;
    sl_decision_reset(decision, &writer->open->arena, work->slot_count);
    if (submission->has_expected &&
        (work->slot_count == 0 ||
         work->slots[0].held->stream_count != submission->expected_events)) {
        refuse(work, 409, "unexpected_revision", "the stream stands at another revision");
        return;
    }
    const struct sl_case c = {.command = submission->body,
                              .state = states,
                              .state_count = work->slot_count,
                              .now = now,
                              .id = submission->id,
                              .principal = submission->principal};
    const enum sl_verdict verdict = sl_decide(work->command->command, &c, decision);
    enum sl_err err = decision->failed ? decision->failed : add_events(writer, work, now);
    if (err) {
        decision->count = 0;
        refuse(work, 422, "limit", limit_message(err));
    } else if (verdict == SL_REFUSED) {
        refuse_by_rule(writer, work);
    } else {
        work->status = 201;
    }
}

bool sl_writer_decide(struct sl_writer *writer, struct sl_work *work)
{
    struct sl_batch *batch = writer->open;
    const size_t events_before = batch->event_count;
    const size_t bytes_before = batch->bytes;
    const struct sl_time now = sl_env_now(writer->options.env);

    /* The first with the same id may have been decided while this one waited for its needs. */
    const struct sl_known_id *known = sl_ids_find(&writer->ids, work->submission->id, seconds(now));
    if (known) {
        sl_writer_repeat(writer, work, known);
        return true;
    }
    run_decision(writer, work, now);
    if (writer->decision.count == 0)
        sl_batch_cut(batch, events_before, bytes_before);
    if (batch->bytes > SL_STORE_BATCH_BYTES_MAX / 2 && batch->work_count > 0) {
        sl_batch_cut(batch, events_before, bytes_before);
        work->rule = NULL;
        return false;
    }
    work->first_event = events_before;
    work->event_count = writer->decision.count;
    work->position = writer->log.next + work->event_count;
    if (remember(writer, work, now) != SL_OK) {
        sl_batch_cut(batch, events_before, bytes_before);
        sl_writer_answer_failed(writer, work, "overloaded", "memory is out: try again later");
        return true;
    }
    for (size_t i = 0; i < work->event_count; i++) {
        const struct sl_event *event = &batch->events[events_before + i];
        struct sl_held *stream = work->slots[writer->decision.events[i].need].held;

        stream->stream_count = event->revision + 1;
        /* A state that cannot be kept is dropped by failing the batch: the log alone is the
         * truth. */
        SL_ASSERT(evolve_concerned(writer, stream, event, &batch->stored[events_before + i]) ==
                      SL_OK,
                  "M1");
    }
    writer->log.next += work->event_count;
    sl_batch_add_work(batch, work);
    return true;
}
