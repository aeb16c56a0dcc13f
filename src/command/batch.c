#include "command/batch.h"

#include <stdlib.h>
#include <string.h>

#include "record/pack.h"

struct sl_batch *sl_batch_new(struct sl_writer *writer)
{
    struct sl_batch *batch = calloc(1, sizeof *batch);

    if (!batch)
        return NULL;
    batch->writer = writer;
    batch->works_end = &batch->works;
    batch->arena.bytes_max = 64u << 20;
    batch->pack.bytes_max = 2u << 20;
    return batch;
}

void sl_batch_reset(struct sl_batch *batch)
{
    SL_ASSERT(!batch->works, "every command is answered before its batch is used again");
    sl_arena_reset(&batch->arena);
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

/* "name:key" of each tag that is not empty. */
static enum sl_err add_tags(struct sl_batch *batch, const struct sl_event_model *model,
                            const void *body, struct sl_stored_event *out)
{
    struct sl_text *tags = sl_arena_take(&batch->arena, model->tag_count * sizeof *tags + 1);

    if (!tags)
        return SL_NO_MEMORY;
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
            batch->pack.len > SL_STORE_TAG_BYTES_MAX)
            return SL_LIMIT;
        struct sl_text tag = sl_arena_text(&batch->arena, sl_buf_as_text(&batch->pack));
        if (!tag.ptr)
            return SL_NO_MEMORY;
        bool twice = false;
        for (uint32_t k = 0; k < out->tag_count; k++)
            twice = twice || sl_text_equals(tags[k], tag);
        if (!twice)
            tags[out->tag_count++] = tag;
    }
    return SL_OK;
}

/* `decide` may have let texts and lists point into states, which change or go before the batch is
 * durable: from here on the event is what the log will have of it, and stands alone (C2). */
static bool detach(struct sl_batch *batch, struct sl_slice packed, struct sl_event *event)
{
    const struct sl_record *record = event->type->record;
    struct sl_error error = {0};
    void *body = sl_arena_zeroed(&batch->arena, 1, record->size);

    if (!body || sl_unpack(record, packed, &batch->arena, body, &error) != SL_OK)
        return false;
    event->body = body;
    return true;
}

size_t sl_batch_add_event(struct sl_batch *batch, const struct sl_event_model *model,
                          const struct sl_schema *schema, struct sl_event event, enum sl_err *err)
{
    struct sl_stored_event stored = {.position = event.position,
                                     .revision = event.revision,
                                     .time = event.time,
                                     .command = event.command,
                                     .schema = schema,
                                     .stream = event.stream};

    *err = SL_NO_MEMORY;
    if (batch->event_count == batch->event_capacity && !grow_events(batch))
        return SIZE_MAX;
    if (model->tag_count > 0) {
        *err = add_tags(batch, model, event.body, &stored);
        if (*err)
            return SIZE_MAX;
    }
    sl_buf_reset(&batch->pack);
    sl_pack(&batch->pack, event.type->record, event.body);
    if (batch->pack.failed || batch->pack.len > SL_STORE_EVENT_BYTES_MAX) {
        *err = SL_LIMIT;
        return SIZE_MAX;
    }
    stored.body = sl_arena_slice(&batch->arena, sl_buf_slice(&batch->pack));
    if ((!stored.body.ptr && stored.body.len > 0) ||
        (!model->flat && !detach(batch, stored.body, &event))) {
        *err = SL_NO_MEMORY;
        return SIZE_MAX;
    }
    *err = SL_OK;
    batch->stored[batch->event_count] = stored;
    batch->events[batch->event_count] = event;
    batch->bytes += stored.body.len + stored.stream.len + 64;
    return batch->event_count++;
}

void sl_batch_cut(struct sl_batch *batch, size_t event_count, size_t bytes)
{
    batch->event_count = event_count;
    batch->bytes = bytes;
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
