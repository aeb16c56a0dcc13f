#include "stores/log/batch.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_BYTES = 64 << 10,
    KEEP_BYTES = 4 << 20,
};

void sl_log_batch_reset(struct sl_log_batch *batch)
{
    if (batch->capacity > KEEP_BYTES) {
        free(batch->bytes);
        batch->bytes = NULL;
        batch->capacity = 0;
    }
    batch->len = SL_LOG_BATCH_HEAD;
    batch->frame_count = 0;
    batch->event_count = 0;
    batch->outcome_count = 0;
    batch->outcome_latest = (struct sl_time){0};
    batch->keys.count = 0;
    batch->schema_count = 0;
}

/* Room for `size` more bytes and the padding behind them. */
static enum sl_err make_room(struct sl_log_batch *batch, size_t size, struct sl_error *error)
{
    size_t capacity = batch->capacity > 0 ? batch->capacity : FIRST_BYTES;

    if (size > SL_LOG_BATCH_BYTES_MAX - SL_LOG_BLOCK - batch->len)
        return sl_fail(error, SL_LIMIT, "a batch of more than %u MiB: append less at once",
                       SL_LOG_BATCH_BYTES_MAX >> 20);
    while (capacity < batch->len + size + SL_LOG_BLOCK)
        capacity *= 2;
    if (capacity == batch->capacity)
        return SL_OK;
    uint8_t *bytes = aligned_alloc(SL_LOG_BLOCK, capacity);
    if (!bytes)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a batch of the log");
    if (batch->bytes)
        memcpy(bytes, batch->bytes, batch->len);
    free(batch->bytes);
    batch->bytes = bytes;
    batch->capacity = capacity;
    return SL_OK;
}

static size_t append_size(const struct sl_append *append)
{
    size_t size = 0;

    for (size_t i = 0; i < append->schema_count; i++)
        size += sl_log_schema_size(append->schemas[i]);
    for (size_t i = 0; i < append->event_count; i++)
        size += sl_log_event_size(&append->events[i]);
    for (size_t i = 0; i < append->outcome_count; i++)
        size += sl_log_outcome_size(&append->outcomes[i]);
    return size;
}

/* ---- Schemas --------------------------------------------------------------------------------- */

static bool is_pending(const struct sl_log_batch *batch, uint32_t id)
{
    for (size_t i = 0; i < batch->schema_count; i++)
        if (batch->schemas[i]->id == id)
            return true;
    return false;
}

static enum sl_err list_schema(struct sl_log_batch *batch, const struct sl_schema *schema)
{
    if (batch->schema_count == batch->schema_capacity) {
        const size_t capacity = batch->schema_capacity > 0 ? batch->schema_capacity * 2 : 16;
        const struct sl_schema **schemas =
            realloc(batch->schemas, capacity * sizeof *batch->schemas);
        if (!schemas)
            return SL_NO_MEMORY;
        batch->schemas = schemas;
        batch->schema_capacity = capacity;
    }
    batch->schemas[batch->schema_count++] = schema;
    return SL_OK;
}

static enum sl_err add_schemas(struct sl_log_batch *batch, struct sl_log_catalog *catalog,
                               const struct sl_append *append, struct sl_error *error)
{
    for (size_t i = 0; i < append->schema_count; i++) {
        const struct sl_schema *schema = append->schemas[i], *copy;

        if (is_pending(batch, schema->id) || batch->schema_count == SL_LOG_SCHEMAS_MAX)
            return sl_fail(error, SL_CONFLICT, "the schema id %u is given twice", schema->id);
        enum sl_err err = sl_log_catalog_prepare(catalog, schema, batch->schema_count, &copy);
        if (err == SL_OK)
            err = list_schema(batch, copy);
        if (err == SL_CONFLICT)
            return sl_fail(error, err, "the schema id %u belongs to another schema of this log",
                           schema->id);
        if (err != SL_OK)
            return sl_fail(error, err, "cannot keep the schema %u", schema->id);
        uint8_t *end = batch->bytes + batch->len;
        batch->len = (size_t)(sl_log_schema_write(end, copy) - batch->bytes);
        batch->frame_count++;
    }
    return SL_OK;
}

/* ---- Appends --------------------------------------------------------------------------------- */

static enum sl_err add_events(struct sl_log_batch *batch, const struct sl_log_catalog *catalog,
                              const struct sl_append *append, struct sl_error *error)
{
    uint8_t *end = batch->bytes + batch->len;

    for (size_t i = 0; i < append->event_count; i++) {
        const struct sl_stored_event *event = &append->events[i];

        if (!sl_log_catalog_schema(catalog, event->schema->id) &&
            !is_pending(batch, event->schema->id))
            return sl_fail(error, SL_INVALID, "an event with schema %u, which the log lacks",
                           event->schema->id);
        const uint8_t *start = end;
        end = sl_log_event_write(end, event);
        if (!sl_log_keys_add(&batch->keys, (uint64_t)(start - batch->bytes),
                             (struct sl_slice){start, (size_t)(end - start)}, event->stream,
                             event->tags, event->tag_count))
            return sl_fail(error, SL_NO_MEMORY, "no memory for a batch of the log");
    }
    batch->len = (size_t)(end - batch->bytes);
    batch->event_count += (uint32_t)append->event_count;
    batch->frame_count += (uint32_t)append->event_count;
    return SL_OK;
}

static void add_outcomes(struct sl_log_batch *batch, const struct sl_append *append)
{
    uint8_t *end = batch->bytes + batch->len;

    for (size_t i = 0; i < append->outcome_count; i++) {
        const struct sl_stored_outcome *outcome = &append->outcomes[i];

        end = sl_log_outcome_write(end, outcome);
        if (batch->outcome_count++ == 0 || batch->outcome_latest.ns < outcome->time.ns)
            batch->outcome_latest = outcome->time;
    }
    batch->len = (size_t)(end - batch->bytes);
    batch->frame_count += (uint32_t)append->outcome_count;
}

enum sl_err sl_log_batch_add(struct sl_log_batch *batch, struct sl_log_catalog *catalog,
                             const struct sl_append *append, struct sl_error *error)
{
    enum sl_err err = make_room(batch, append_size(append), error);

    if (err != SL_OK)
        return err;
    const struct sl_log_batch before = *batch;
    err = add_schemas(batch, catalog, append, error);
    if (err == SL_OK)
        err = add_events(batch, catalog, append, error);
    if (err == SL_OK) {
        add_outcomes(batch, append);
        return SL_OK;
    }
    batch->len = before.len;
    batch->frame_count = before.frame_count;
    batch->schema_count = before.schema_count;
    batch->keys.count = before.keys.count;
    return err;
}

enum sl_err sl_log_batch_add_epoch(struct sl_log_batch *batch, const struct sl_epoch *epoch,
                                   struct sl_error *error)
{
    const enum sl_err err = make_room(batch, sl_log_epoch_size(epoch), error);

    if (err != SL_OK)
        return err;
    uint8_t *end = batch->bytes + batch->len;
    batch->len = (size_t)(sl_log_epoch_write(end, epoch) - batch->bytes);
    batch->frame_count++;
    return SL_OK;
}

void sl_log_batch_pad(struct sl_log_batch *batch, struct sl_log_batch_head *head)
{
    const size_t padded = sl_log_batch_padded(batch);

    memset(batch->bytes + batch->len, 0, padded - batch->len);
    head->block_count = (uint32_t)(padded / SL_LOG_BLOCK);
    head->payload_bytes = (uint32_t)(batch->len - SL_LOG_BATCH_HEAD);
    head->frame_count = batch->frame_count;
    head->event_count = batch->event_count;
    head->outcome_count = batch->outcome_count;
}

void sl_log_batch_close(struct sl_log_batch *batch)
{
    free(batch->bytes);
    free(batch->schemas);
    sl_log_keys_close(&batch->keys);
    *batch = (struct sl_log_batch){0};
}
