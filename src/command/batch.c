#include "command/batch.h"

#include <stdlib.h>
#include <string.h>

#include "record/pack.h"

enum { ARENA_BYTES_MAX = 64 << 20 };

/* Memory from the arena failed: has it run into its ceiling, or is there none? */
static enum sl_err no_room(const struct sl_batch *batch)
{
    return batch->arena.total > ARENA_BYTES_MAX / 2 ? SL_BUSY : SL_NO_MEMORY;
}

struct sl_batch *sl_batch_new(struct sl_writer *writer)
{
    struct sl_batch *batch = calloc(1, sizeof *batch);

    if (!batch)
        return NULL;
    batch->writer = writer;
    batch->works_end = &batch->works;
    batch->arena.bytes_max = ARENA_BYTES_MAX;
    /* One byte more than an event may have, taken at once: an append that fails is too large. */
    batch->pack.bytes_max = SL_STORE_EVENT_BYTES_MAX + 1;
    if (!sl_buf_reserve(&batch->pack, batch->pack.bytes_max)) {
        sl_batch_free(batch);
        return NULL;
    }
    return batch;
}

void sl_batch_reset(struct sl_batch *batch)
{
    SL_ASSERT(!batch->works, "every command is answered before its batch is used again");
    sl_arena_reset(&batch->arena);
    sl_recent_reset(&batch->recent);
    batch->event_count = batch->outcome_count = batch->schema_count = 0;
    batch->work_count = batch->bytes = 0;
    batch->works_end = &batch->works;
}

void sl_batch_free(struct sl_batch *batch)
{
    if (!batch)
        return;
    sl_arena_close(&batch->arena);
    sl_buf_close(&batch->pack);
    sl_recent_close(&batch->recent);
    free(batch->stored);
    free(batch->events);
    free(batch->outcomes);
    free(batch->schemas);
    free(batch);
}

void sl_batch_add_work(struct sl_batch *batch, struct sl_work *work)
{
    work->next = NULL;
    *batch->works_end = work;
    batch->works_end = &work->next;
    batch->work_count++;
}

static bool grow(void **items, size_t *capacity, size_t size)
{
    const size_t wanted = *capacity ? *capacity * 2 : 64;
    void *grown = realloc(*items, wanted * size);

    if (!grown)
        return false;
    *items = grown;
    *capacity = wanted;
    return true;
}

static bool grow_events(struct sl_batch *batch)
{
    void *stored = batch->stored;
    void *events = batch->events;
    size_t stored_capacity = batch->event_capacity;
    size_t events_capacity = batch->event_capacity;

    const bool first = grow(&stored, &stored_capacity, sizeof *batch->stored);
    batch->stored = stored;
    const bool second = grow(&events, &events_capacity, sizeof *batch->events);
    batch->events = events;
    if (!first || !second)
        return false;
    batch->event_capacity = stored_capacity;
    return true;
}

/* "name:key" of each tag that is not empty, and who did it. */
static enum sl_err add_tags(struct sl_batch *batch, const struct sl_event_model *model,
                            const void *body, struct sl_text by, struct sl_stored_event *out)
{
    struct sl_text *tags = sl_arena_take(&batch->arena, (model->tag_count + 1) * sizeof *tags);

    if (!tags)
        return no_room(batch);
    out->tags = tags;
    out->tag_count = 0;
    for (size_t i = 0; i < model->tag_count; i++) {
        const struct sl_tag_rule *rule = &model->tags[i];
        if (sl_place_is_empty(&rule->place, body))
            continue;
        sl_buf_reset(&batch->pack);
        sl_buf_text(&batch->pack, rule->name);
        sl_buf_byte(&batch->pack, ':');
        if (sl_place_write(&rule->place, body, &batch->pack) != SL_OK ||
            batch->pack.len > SL_TAG_BYTES_MAX)
            return SL_LIMIT;
        struct sl_text tag = sl_arena_text(&batch->arena, sl_buf_as_text(&batch->pack));
        if (!tag.ptr)
            return no_room(batch);
        bool twice = false;
        for (uint32_t k = 0; k < out->tag_count; k++)
            twice = twice || sl_text_equals(tags[k], tag);
        if (!twice)
            tags[out->tag_count++] = tag;
    }
    if (by.len > 0) {
        SL_ASSERT(by.len <= SL_PRINCIPAL_BYTES_MAX, "M1");
        const struct sl_text tag =
            sl_arena_printf(&batch->arena, SL_BY_TAG "%.*s", (int)by.len, by.ptr);
        if (!tag.ptr)
            return no_room(batch);
        tags[out->tag_count++] = tag;
    }
    return SL_OK;
}

/* `decide` may have let texts and lists point into states, which change or go before the batch is
 * durable: from here on the event is what the log will have of it, and stands alone (C2). */
static bool detach(struct sl_batch *batch, bool flat, struct sl_slice packed,
                   struct sl_event *event)
{
    const struct sl_record *record = event->type->record;
    struct sl_error error = {0};
    void *body = sl_arena_zeroed(&batch->arena, 1, record->size);

    if (!body)
        return false;
    if (flat)
        memcpy(body, event->body, record->size);
    else if (sl_unpack(record, packed, &batch->arena, body, &error) != SL_OK)
        return false;
    event->body = body;
    return true;
}

static size_t bytes_of(const struct sl_stored_event *stored)
{
    size_t bytes = stored->body.len + stored->stream.len + 64;

    for (uint32_t i = 0; i < stored->tag_count; i++)
        bytes += stored->tags[i].len + 8;
    return bytes;
}

enum sl_err sl_batch_add_event(struct sl_batch *batch, const struct sl_event_model *model,
                               const struct sl_schema *schema, struct sl_event event)
{
    struct sl_stored_event stored = {.position = event.position,
                                     .revision = event.revision,
                                     .time = event.time,
                                     .command = event.command,
                                     .schema = schema,
                                     .stream = event.stream};
    enum sl_err err = SL_OK;

    if (batch->event_count == batch->event_capacity && !grow_events(batch))
        return SL_NO_MEMORY;
    if (model->tag_count > 0 || event.principal.len > 0)
        err = add_tags(batch, model, event.body, event.principal, &stored);
    if (err)
        return err;
    event.principal = sl_model_by(&stored);
    sl_buf_reset(&batch->pack);
    sl_pack(&batch->pack, event.type->record, event.body);
    if (batch->pack.failed || batch->pack.len > SL_STORE_EVENT_BYTES_MAX)
        return SL_LIMIT;
    stored.body = sl_arena_slice(&batch->arena, sl_buf_slice(&batch->pack));
    if (!stored.body.ptr || !detach(batch, model->flat, stored.body, &event))
        return no_room(batch);
    if (batch->bytes + bytes_of(&stored) > SL_STORE_BATCH_BYTES_MAX)
        return SL_BUSY;
    batch->stored[batch->event_count] = stored;
    batch->events[batch->event_count] = event;
    batch->bytes += bytes_of(&stored);
    batch->event_count++;
    return SL_OK;
}

struct sl_batch_mark sl_batch_mark(const struct sl_batch *batch)
{
    return (struct sl_batch_mark){batch->event_count, batch->outcome_count, batch->bytes};
}

void sl_batch_cut(struct sl_batch *batch, struct sl_batch_mark mark)
{
    batch->event_count = mark.event_count;
    batch->outcome_count = mark.outcome_count;
    batch->bytes = mark.bytes;
}

enum sl_err sl_batch_add_outcome(struct sl_batch *batch, struct sl_stored_outcome outcome)
{
    void *outcomes = batch->outcomes;

    if (batch->outcome_count == batch->outcome_capacity) {
        if (!grow(&outcomes, &batch->outcome_capacity, sizeof *batch->outcomes))
            return SL_NO_MEMORY;
        batch->outcomes = outcomes;
    }
    batch->outcomes[batch->outcome_count++] = outcome;
    batch->bytes += 64 + outcome.reply.len;
    return SL_OK;
}

enum sl_err sl_batch_add_schema(struct sl_batch *batch, const struct sl_schema *schema)
{
    void *schemas = (void *)batch->schemas;

    if (batch->schema_count == batch->schema_capacity) {
        if (!grow(&schemas, &batch->schema_capacity, sizeof *batch->schemas))
            return SL_NO_MEMORY;
        batch->schemas = schemas;
    }
    batch->schemas[batch->schema_count++] = schema;
    batch->bytes += schema->description.len;
    return SL_OK;
}
