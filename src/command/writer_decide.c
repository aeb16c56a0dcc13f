/*
 * Deciding for the open batch: events get their positions and revisions, aggregates in memory
 * evolve, and the outcome is remembered, all before anything is durable. L2 is kept by the answer,
 * which waits.
 */
#include <stdlib.h>
#include <string.h>

#include "command/digest.h"
#include "command/writer_parts.h"
#include "record/json.h"
#include "record/pack.h"

void sl_writer_repeat(struct sl_writer *writer, struct sl_work *work,
                      const struct sl_known_id *known)
{
    /* It decides nothing: what it pinned while it waited goes free. */
    sl_writer_unpin(writer, work);
    work->repeated = true;
    work->trouble = SL_OK;
    work->position = writer->log.next;
    if (!sl_digest_fits(work->submission, known->digest)) {
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
            const size_t both = rule + strlen(known->reply + rule) + 1;
            const size_t all = both + strlen(known->reply + both) + 1;
            /* Its own memory: its events may be asked for when the batch is long gone. */
            char *copy = sl_arena_take(&work->arena, all);
            if (!copy) {
                sl_writer_answer_failed(writer, work, "overloaded", "memory is out: try again");
                return;
            }
            memcpy(copy, known->reply, all);
            work->rule = copy;
            work->message = copy + rule;
            work->field = copy + both;
        }
    }
    sl_batch_add_work(writer->open, work);
}

void sl_writer_refuse_old(struct sl_writer *writer, struct sl_work *work)
{
    /* Decides nothing and is not remembered: it will be too old for ever. */
    for (size_t i = 0; i < work->slot_count; i++)
        sl_aggregates_unpin(&writer->aggregates, work->slots[i].held);
    work->slot_count = 0;
    work->position = writer->log.next;
    work->status = 422;
    work->rule = "id_too_old";
    work->message = "this command id says that it was made before what is remembered of ids: if "
                    "the command was never sent, send it with a new one";
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
        schema->description = sl_arena_text(&writer->schema_arena, sl_buf_as_text(&description));
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
 * with. For those that are not here, the batch notes what their reading must wait for. */
static void evolve_concerned(struct sl_writer *writer, struct sl_held *stream,
                             const struct sl_event *event, const struct sl_stored_event *stored)
{
    struct sl_held *concerned[2 * SL_TAGS_MAX + 2];
    size_t count = 0;
    char name[SL_TAG_BYTES_MAX];

    concerned[count++] = stream;
    for (uint32_t i = 0; i < stored->tag_count; i++) {
        const struct sl_text tag = stored->tags[i];
        struct sl_held *held;

        if (!sl_model_is_by(tag)) { /* whose name no aggregate has */
            char *colon = memchr(tag.ptr, ':', tag.len);

            memcpy(name, tag.ptr, tag.len);
            name[colon - tag.ptr] = '/';
            const struct sl_text text = {name, tag.len};
            const uint64_t hash = sl_aggregates_hash(text);
            held = sl_aggregates_find(&writer->aggregates, hash, text);
            if (!held)
                sl_recent_note(&writer->open->recent, hash, event->position + 1);
            else if (held != stream)
                concerned[count++] = held;
        }
        if (writer->aggregates.guard_count == 0)
            continue;
        held = sl_aggregates_find(&writer->aggregates, sl_aggregates_hash(tag), tag);
        if (held)
            concerned[count++] = held;
    }
    for (size_t i = 0; i < count; i++) {
        concerned[i]->touched = event->position + 1;
        if (concerned[i]->stage != SL_HELD_READY)
            continue; /* its reading will meet the event in the log */
        sl_held_evolve(&writer->aggregates, concerned[i], event);
        concerned[i]->loaded = event->position + 1;
    }
}

/* Adds the decision's events to the batch, without telling anybody yet. */
static enum sl_err add_events(struct sl_writer *writer, struct sl_work *work, struct sl_time now)
{
    struct sl_batch *batch = writer->open;
    const struct sl_decision *decision = &writer->decision;
    const struct sl_text who = work->submission->principal->name;
    const struct sl_text by = sl_model_is_somebody(who) ? who : (struct sl_text){0};

    for (size_t i = 0; i < work->slot_count; i++)
        work->slots[i].held->planned = work->slots[i].held->stream_count;
    for (size_t i = 0; i < decision->count; i++) {
        const struct sl_emitted *emitted = &decision->events[i];
        struct sl_held *held = work->slots[emitted->need].held;
        const struct sl_event_model *model = sl_model_event(writer->options.model, emitted->type);
        struct sl_broken_rule broken;

        SL_ASSERT(model, "a domain lists the events it emits");
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
                                       .revision = held->planned++,
                                       .time = now,
                                       .stream = stream,
                                       .command = work->submission->id,
                                       .principal = by};
        enum sl_err err = sl_batch_add_event(batch, model, schema, event);
        if (err)
            return err;
    }
    return SL_OK;
}

static void refuse(struct sl_work *work, int status, const char *rule, const char *message)
{
    work->status = status;
    work->rule = rule;
    work->message = message;
    work->field = NULL;
}

/* Fills in a refusal's message and the item to blame, in the batch's memory. */
static enum sl_err refuse_by_rule(struct sl_writer *writer, struct sl_work *work)
{
    const struct sl_decision *decision = &writer->decision;
    struct sl_buf *buf = &writer->scratch;

    sl_buf_reset(buf);
    sl_message_fill(buf, decision->message, work->command->command->record, work->submission->body);
    sl_buf_byte(buf, 0);
    const size_t field = buf->len;
    if (decision->field)
        sl_buf_printf(buf, "%s[%zu]", decision->field, decision->item);
    sl_buf_byte(buf, 0);
    const char *text =
        buf->failed ? NULL : sl_arena_text(&writer->open->arena, sl_buf_as_text(buf)).ptr;
    if (!text)
        return SL_NO_MEMORY;
    refuse(work, 422, decision->rule, text);
    work->field = text + field;
    return SL_OK;
}

/* Remembers the outcome: in the batch for the log, and in memory. */
static enum sl_err remember(struct sl_writer *writer, struct sl_work *work, struct sl_time now)
{
    struct sl_known_id known = {.id = work->submission->id,
                                .digest = work->submission->digest,
                                .position = work->position - work->event_count,
                                .time_s = sl_id_seconds(now),
                                .status = (uint16_t)work->status,
                                .event_count = (uint16_t)work->event_count};
    struct sl_slice reply = {0};

    if (work->rule) {
        const size_t rule = strlen(work->rule) + 1;
        const size_t message = strlen(work->message) + 1;
        const char *blamed = work->field ? work->field : "";
        const size_t field = strlen(blamed) + 1;
        const size_t all = rule + message + field;
        uint8_t *bytes = sl_arena_take(&writer->open->arena, all);
        known.reply = malloc(all);
        if (!bytes || !known.reply) {
            free(known.reply);
            return SL_NO_MEMORY;
        }
        memcpy(bytes, work->rule, rule);
        memcpy(bytes + rule, work->message, message);
        memcpy(bytes + rule + message, blamed, field);
        memcpy(known.reply, bytes, all);
        reply = (struct sl_slice){bytes, all};
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

/* What no repetition makes smaller. */
static void refuse_too_large(struct sl_work *work)
{
    refuse(
        work, 413, "too_large",
        "the command needs or makes more than there may be (32,768 aggregates in 4 rounds; 8,190 "
        "events, 1 MiB each, 16 MiB in all, tags of 128 bytes)");
}

static bool stands_as_expected(const struct sl_work *work)
{
    const struct sl_submission *submission = work->submission;

    return !submission->has_expected ||
           (work->slot_count > 0 &&
            work->slots[0].held->stream_count == submission->expected_events);
}

/* Refuses where an event with a tag of the condition lies at or above its position. */
static enum sl_err check_guards(struct sl_writer *writer, struct sl_work *work)
{
    for (size_t i = 0; i < work->guard_count; i++) {
        const struct sl_held *held = work->guards[i].held;
        const struct sl_tag_guard *guard = held->state;

        if (guard->after <= work->submission->unless_since)
            continue;
        const char *message =
            sl_arena_printf(&writer->open->arena, "the event at %llu is tagged %.*s",
                            (unsigned long long)guard->after - 1, (int)held->name.len,
                            held->name.ptr)
                .ptr;
        if (!message)
            return SL_NO_MEMORY;
        refuse(work, 409, "conflict", message);
        return SL_OK;
    }
    return SL_OK;
}

/* What `decide` says, with all that surrounds it: events go into the batch. SL_NO_MEMORY, SL_BUSY:
 * nothing was decided. */
static enum sl_err run_decision(struct sl_writer *writer, struct sl_work *work, struct sl_time now)
{
    const struct sl_submission *submission = work->submission;
    struct sl_decision *decision = &writer->decision;
    const void *few[SL_NEEDS_MAX];

    sl_arena_reset(&writer->decision_arena);
    sl_decision_reset(decision, &writer->decision_arena, work->slot_count);
    if (work->trouble == SL_LIMIT) {
        refuse_too_large(work);
        return SL_OK;
    }
    if (!stands_as_expected(work)) {
        refuse(work, 409, "unexpected_revision", "the stream stands at another revision");
        return SL_OK;
    }
    enum sl_err err = check_guards(writer, work);
    if (err || work->rule)
        return err;
    const void **states =
        work->slot_count <= SL_NEEDS_MAX
            ? few
            : sl_arena_take(&writer->decision_arena, work->slot_count * sizeof *states);
    if (!states)
        return SL_NO_MEMORY;
    for (size_t i = 0; i < work->slot_count; i++)
        states[i] = work->slots[i].held->state;
    const struct sl_case c = {.command = submission->body,
                              .state = states,
                              .state_count = work->slot_count,
                              .now = now,
                              .id = submission->id,
                              .principal = submission->principal};
    const enum sl_verdict verdict = sl_decide(work->command->command, &c, decision);
    err = decision->failed ? decision->failed : add_events(writer, work, now);
    work->status = 201;
    if (!err && verdict == SL_REFUSED)
        err = refuse_by_rule(writer, work);
    if (err == SL_LIMIT || err == SL_INVALID) {
        decision->count = 0;
        refuse_too_large(work);
        if (err == SL_INVALID)
            refuse(work, 422, "invalid_event",
                   "the decision broke a rule of its own event's record");
        return SL_OK;
    }
    return err;
}

/* What the events mean to those in memory. Nothing fails from here on. */
static void evolve_all(struct sl_writer *writer, struct sl_work *work)
{
    struct sl_batch *batch = writer->open;

    for (size_t i = 0; i < work->event_count; i++) {
        const size_t place = work->first_event + i;
        struct sl_held *stream = work->slots[writer->decision.events[i].need].held;

        stream->stream_count = batch->events[place].revision + 1;
        evolve_concerned(writer, stream, &batch->events[place], &batch->stored[place]);
    }
    sl_aggregates_settle(&writer->aggregates);
}

bool sl_writer_decide(struct sl_writer *writer, struct sl_work *work)
{
    struct sl_batch *batch = writer->open;
    const bool fresh = !batch->works;
    const struct sl_time now = sl_env_now(writer->options.env);

    /* What commands that failed left in its memory. Schemas lie elsewhere, and stay. */
    if (fresh)
        sl_arena_reset(&batch->arena);
    const struct sl_batch_mark mark = sl_batch_mark(batch);
    enum sl_err err = run_decision(writer, work, now);
    if (err == SL_BUSY && fresh) {
        writer->decision.count = 0;
        refuse_too_large(work);
        err = SL_OK;
    }
    if (!err && writer->decision.count == 0)
        sl_batch_cut(batch, mark);
    if (!err && !fresh && batch->bytes > SL_STORE_BATCH_BYTES_MAX / 2)
        err = SL_BUSY;
    work->first_event = mark.event_count;
    work->event_count = writer->decision.count;
    work->position = writer->log.next + work->event_count;
    if (!err)
        err = remember(writer, work, now);
    if (err) {
        sl_batch_cut(batch, mark);
        work->rule = work->message = work->field = NULL;
        work->event_count = 0;
        if (!fresh)
            return false; /* there may be more room in the next one */
        sl_writer_answer_failed(writer, work, "overloaded", "memory is out: try again later");
        return true;
    }
    evolve_all(writer, work);
    writer->log.next += work->event_count;
    sl_batch_add_work(batch, work);
    sl_histogram_add(&writer->numbers.decision,
                     sl_env_monotonic(writer->options.env) - work->submitted_ns);
    return true;
}
