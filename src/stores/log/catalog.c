#include "stores/log/catalog.h"

#include <string.h>

enum sl_err sl_log_catalog_add_epoch(struct sl_log_catalog *catalog, const struct sl_epoch *epoch)
{
    if (catalog->epoch_count > 0 &&
        catalog->epochs[catalog->epoch_count - 1].number == epoch->number)
        return SL_OK;
    if (catalog->epoch_count == catalog->epoch_capacity) {
        const size_t capacity = (catalog->epoch_count + 8) * 2;
        struct sl_epoch *epochs = sl_arena_zeroed(&catalog->arena, capacity, sizeof *epochs);
        if (!epochs)
            return SL_NO_MEMORY;
        if (catalog->epoch_count > 0)
            memcpy(epochs, catalog->epochs, catalog->epoch_count * sizeof *epochs);
        catalog->epochs = epochs;
        catalog->epoch_capacity = capacity;
    }
    catalog->epochs[catalog->epoch_count++] = *epoch;
    return SL_OK;
}

/* Lists double into fresh memory of the arena: the old ones may be in somebody's hands. */
static bool make_room(struct sl_log_catalog *catalog, uint32_t id, size_t count_needed)
{
    if (catalog->schema_capacity < count_needed) {
        const size_t capacity = (count_needed + 8) * 2;
        const struct sl_schema **schemas =
            sl_arena_zeroed(&catalog->arena, capacity, sizeof *schemas);
        if (!schemas)
            return false;
        for (size_t i = 0; i < catalog->schema_count; i++)
            schemas[i] = catalog->schemas[i];
        catalog->schemas = schemas;
        catalog->schema_capacity = capacity;
    }
    if (id >= catalog->by_id_count) {
        const size_t count = ((size_t)id + 1) * 2;
        const struct sl_schema **by_id = sl_arena_zeroed(&catalog->arena, count, sizeof *by_id);
        if (!by_id)
            return false;
        for (size_t i = 0; i < catalog->by_id_count; i++)
            by_id[i] = catalog->by_id[i];
        catalog->by_id = by_id;
        catalog->by_id_count = count;
    }
    return true;
}

static const struct sl_schema *copy_schema(struct sl_arena *arena, const struct sl_schema *schema)
{
    struct sl_schema *copy = sl_arena_zeroed(arena, 1, sizeof *copy);

    if (!copy)
        return NULL;
    *copy = *schema;
    copy->name = sl_arena_text(arena, schema->name);
    copy->description = sl_arena_text(arena, schema->description);
    return copy->name.ptr && copy->description.ptr ? copy : NULL;
}

static bool same_schema(const struct sl_schema *a, const struct sl_schema *b)
{
    return a->version == b->version && sl_text_equals(a->name, b->name) &&
           sl_text_equals(a->description, b->description);
}

enum sl_err sl_log_catalog_prepare(struct sl_log_catalog *catalog, const struct sl_schema *schema,
                                   size_t pending, const struct sl_schema **out)
{
    if (schema->id > SL_LOG_SCHEMA_ID_MAX)
        return SL_LIMIT;
    const struct sl_schema *there = sl_log_catalog_schema(catalog, schema->id);
    if (there && !same_schema(there, schema))
        return SL_CONFLICT;
    if (!there) {
        if (!make_room(catalog, schema->id, catalog->schema_count + pending + 1))
            return SL_NO_MEMORY;
        there = copy_schema(&catalog->arena, schema);
    }
    if (!there)
        return SL_NO_MEMORY;
    *out = there;
    return SL_OK;
}

void sl_log_catalog_publish(struct sl_log_catalog *catalog, const struct sl_schema *schema)
{
    if (catalog->by_id[schema->id])
        return;
    SL_ASSERT(catalog->schema_count < catalog->schema_capacity, "L4");
    catalog->schemas[catalog->schema_count++] = schema;
    catalog->by_id[schema->id] = schema;
}

const struct sl_schema *sl_log_catalog_schema(const struct sl_log_catalog *catalog, uint32_t id)
{
    return id < catalog->by_id_count ? catalog->by_id[id] : NULL;
}

void sl_log_catalog_close(struct sl_log_catalog *catalog)
{
    sl_arena_close(&catalog->arena);
    *catalog = (struct sl_log_catalog){0};
}
