#include "stores/log/bodies.h"

#include "record/json.h"

#include <stdlib.h>

static enum sl_err make_room(struct sl_log_bodies *bodies, uint32_t id, struct sl_error *error)
{
    if (id < bodies->record_count)
        return SL_OK;
    const size_t count = ((size_t)id + 1) * 2;
    const struct sl_record **records = realloc(bodies->records, count * sizeof *records);
    if (!records)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the log's schemas");
    for (size_t i = bodies->record_count; i < count; i++)
        records[i] = NULL;
    bodies->records = records;
    bodies->record_count = count;
    return SL_OK;
}

enum sl_err sl_log_bodies_read(struct sl_log_bodies *bodies, const struct sl_schema *schema,
                               struct sl_slice body, const struct sl_record **out_record,
                               const void **out, struct sl_error *error)
{
    enum sl_err err = make_room(bodies, schema->id, error);

    if (err == SL_OK && !bodies->records[schema->id])
        err = sl_record_from_description(schema->description, &bodies->arena,
                                         &bodies->records[schema->id], error);
    if (err != SL_OK)
        return err;
    const struct sl_record *record = bodies->records[schema->id];
    sl_arena_reset(&bodies->scratch);
    void *item = sl_arena_zeroed(&bodies->scratch, 1, record->size);
    if (!item)
        return sl_fail(error, SL_NO_MEMORY, "no memory for an event");
    err = sl_unpack(record, body, &bodies->scratch, item, error);
    if (err != SL_OK)
        return err;
    *out_record = record;
    *out = item;
    return SL_OK;
}

enum sl_err sl_log_bodies_json(struct sl_log_bodies *bodies, const struct sl_schema *schema,
                               struct sl_slice body, struct sl_buf *out, struct sl_error *error)
{
    const struct sl_record *record;
    const void *item;

    const enum sl_err err = sl_log_bodies_read(bodies, schema, body, &record, &item, error);
    if (err == SL_OK)
        sl_json_write(out, record, item);
    return err;
}

void sl_log_bodies_close(struct sl_log_bodies *bodies)
{
    sl_arena_close(&bodies->arena);
    sl_arena_close(&bodies->scratch);
    free(bodies->records);
    *bodies = (struct sl_log_bodies){0};
}
