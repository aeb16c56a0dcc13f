#include "view/parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROW_OVERHEAD = sizeof(struct view_row) + sizeof(struct sl_table_slot) + 16,
    BODY_OVERHEAD = sizeof(struct view_body) + 16,
    DIRTY_ROWS_MAX = 200000,
};

/* ---- Rows ------------------------------------------------------------------------------------ */

uint64_t view_hash(const struct sl_view_table *table, struct sl_text key)
{
    return sl_hash64(key.ptr, key.len, table->seed);
}

static bool same_key(const void *value, struct sl_slice key)
{
    const struct view_row *row = value;

    return row->key_len == key.len && memcmp(row->key, key.ptr, key.len) == 0;
}

struct view_row *view_find(const struct sl_view_table *table, uint64_t hash, struct sl_text key)
{
    return sl_table_find(&table->rows, hash, (struct sl_slice){(const uint8_t *)key.ptr, key.len});
}

struct view_row *view_row_new(struct sl_view_table *table, uint64_t hash, struct sl_text key)
{
    struct view_row *row = malloc(sizeof *row + key.len);

    SL_ASSERT(key.len <= SL_PLACE_BYTES_MAX, "M1");
    if (!row)
        return NULL;
    *row = (struct view_row){.hash = hash, .key_len = (uint16_t)key.len};
    memcpy(row->key, key.ptr, key.len);
    if (sl_table_add(&table->rows, hash, row) != SL_OK) {
        free(row);
        return NULL;
    }
    table->bytes += ROW_OVERHEAD + key.len;
    return row;
}

void view_row_remove(struct sl_view_table *table, struct view_row *row)
{
    SL_ASSERT(!(row->flags & ROW_PINNED), "V1");
    view_json_drop(table, row);
    view_body_free(table, row->body);
    sl_table_remove(&table->rows, row->hash, row);
    table->bytes -= (size_t)ROW_OVERHEAD + row->key_len;
    free(row);
}

struct view_body *view_body_new(struct sl_view_table *table, size_t size)
{
    /* A row that grows by a little should find room where it is. */
    const size_t capacity = table->flat ? size : (size + size / 4 + 15) / 16 * 16;
    struct view_body *body = malloc(sizeof *body + capacity);

    if (!body)
        return NULL;
    body->capacity = capacity;
    table->bytes += BODY_OVERHEAD + capacity;
    return body;
}

void view_body_free(struct sl_view_table *table, struct view_body *body)
{
    if (body)
        table->bytes -= BODY_OVERHEAD + body->capacity;
    free(body);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

void view_json_drop(struct sl_view_table *table, struct view_row *row)
{
    if (!row->json)
        return;
    table->bytes -= row->json_len;
    free(row->json);
    row->json = NULL;
    row->json_len = 0;
}

bool view_json(struct sl_view_table *table, struct view_row *row, struct sl_text *out)
{
    if (!row->json) {
        sl_buf_reset(&table->scratch);
        sl_json_write(&table->scratch, table->shape.view->record, row->body->bytes);
        char *copy = table->scratch.failed ? NULL : malloc(table->scratch.len + 1);
        if (!copy)
            return false;
        memcpy(copy, table->scratch.ptr, table->scratch.len);
        row->json = copy;
        row->json_len = (uint32_t)table->scratch.len;
        table->bytes += row->json_len;
    }
    *out = (struct sl_text){row->json, row->json_len};
    return true;
}

/* ---- Eviction -------------------------------------------------------------------------------- */

/* What was fetched stays until somebody has looked at it, or else whoever asked for it might fetch
 * it again and again; the last VIEW_FETCHES_MAX at most, for some ask and never look. */
static bool is_awaited(const struct sl_view_table *table, const struct view_row *row)
{
    return (row->flags & ROW_FRESH) && table->fetch_number - row->fetch_number < VIEW_FETCHES_MAX;
}

/* A second-chance clock over the table's slots, a few at a time: it is called after whatever took
 * memory, so that a few are enough. */
void view_evict(struct sl_view_table *table)
{
    if (table->bytes <= table->options.memory_max || table->waiting)
        return;
    for (int visits = 0; visits < VIEW_EVICT_VISITS; visits++) {
        struct view_row *row = sl_table_next(&table->rows, &table->evict_cursor);

        if (!row) {
            table->evict_cursor = 0;
            continue;
        }
        if ((row->flags & ROW_PINNED) || is_awaited(table, row))
            continue;
        if (row->flags & ROW_USED) {
            row->flags &= (uint8_t)~ROW_USED;
            continue;
        }
        SL_MARK("view: evicted");
        table->complete = false;
        view_row_remove(table, row);
        if (table->bytes <= table->options.memory_max)
            return;
    }
    /* What is dirty stays: when that is most of it, the writer must help. */
    if (table->dirty_count > table->rows.count / 2)
        view_flush_by(table, 0);
}

void view_rows_drop(struct sl_view_table *table)
{
    size_t cursor = 0;
    struct view_row *row;

    SL_ASSERT(!table->busy, "T1");
    (void)view_formers_drop(table, SIZE_MAX);
    table->dirty_count = 0;
    while ((row = sl_table_next(&table->rows, &cursor))) {
        row->flags &= ROW_FETCHING;
        if (row->flags & ROW_FETCHING) {
            /* Its fetch points to it. */
            view_json_drop(table, row);
            view_body_free(table, row->body);
            row->body = NULL;
            row->version = 0;
            row->flags |= ROW_UNKNOWN;
        } else {
            view_row_remove(table, row);
        }
    }
    table->evict_cursor = 0;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

enum sl_err sl_view_table_open(struct sl_view_service *service,
                               const struct sl_view_table_options *options,
                               struct sl_view_table **out, struct sl_error *error)
{
    struct sl_view_table *table = calloc(1, sizeof *table);

    SL_ASSERT(options->knows && options->moved && !sl_uuid_is_nil(options->log));
    if (!table)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the view %s", options->view->name);
    const enum sl_err err =
        sl_view_shape_init(&table->shape, options->domain, options->view, error);
    if (err != SL_OK) {
        free(table);
        return err;
    }
    table->build = view_build_new(&table->shape);
    if (!table->build || !view_staging_init(&table->staging, table)) {
        free(table->build);
        free(table);
        return sl_fail(error, SL_NO_MEMORY, "no memory for the view %s", options->view->name);
    }
    table->options = *options;
    if (table->options.memory_max == 0)
        table->options.memory_max = (size_t)64 << 20;
    if (table->options.flush_ms == 0)
        table->options.flush_ms = 250;
    table->flat = sl_record_is_flat(options->view->record);
    table->rows.same = same_key;
    view_watches_init(&table->watches);
    table->flush_due = table->retry_due = INT64_MAX;
    table->work.table = table;
    table->work.build = table->build;
    table->dirty_max = DIRTY_ROWS_MAX;
    view_service_add(service, table);
    sl_env_random(view_env(table), &table->seed, sizeof table->seed);
    if (options->beside)
        view_beside_init(table, options->beside);
    view_attach_start(table);
    *out = table;
    return SL_OK;
}

void sl_view_table_close(struct sl_view_table *table)
{
    if (!table)
        return;
    SL_ASSERT(!table->service, "T1"); /* the writer might still read rows */
    view_fetches_free(table);
    view_rows_drop(table);
    SL_ASSERT(table->bytes == 0);
    sl_table_close(&table->rows);
    view_staging_close(&table->staging);
    view_watches_close(&table->watches);
    sl_buf_close(&table->scratch);
    free(table->dirty);
    free(table->formers);
    free(table->work.formers);
    free(table->work.changes);
    free(table->work.rows);
    sl_table_close(&table->work.slots); /* had the writer gone before it came to it */
    free(table->build);
    free(table->broken);
    free(table);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

struct sl_view_status sl_view_table_status(const struct sl_view_table *table)
{
    struct sl_view_status status = {
        .state = SL_VIEW_RUNNING,
        .attached = table->attached,
        .position = table->position,
        .stored = table->stored,
        .generation = table->generation,
        .rows_in_memory = table->rows.count,
        .rows_dirty = table->dirty_count + (table->busy ? table->work.count : 0),
        .bytes = table->bytes,
    };

    if (table->failing) {
        status.state = SL_VIEW_FAILED;
        status.why = table->why;
    } else if (!table->attached) {
        status.state = SL_VIEW_STARTING;
    } else if (table->degraded && !table->unsettled) {
        status.state = SL_VIEW_DEGRADED;
        status.why = table->degraded;
    }
    status.unsettled = status.state == SL_VIEW_RUNNING && table->unsettled;
    return status;
}

const struct sl_view_shape *sl_view_table_shape(const struct sl_view_table *table)
{
    return &table->shape;
}

enum sl_lookup_result sl_view_lookup(struct sl_view_table *table, struct sl_text key,
                                     struct sl_view_row *out)
{
    struct sl_text json;

    view_evict(table); /* what earlier reads rendered and fetched */
    struct view_row *row = view_find(table, view_hash(table, key), key);
    if (!row)
        return table->complete ? SL_LOOKUP_ABSENT : SL_LOOKUP_PENDING;
    row->flags = (uint8_t)((row->flags & ~ROW_FRESH) | ROW_USED);
    if (!row->body)
        return row->flags & ROW_UNKNOWN ? SL_LOOKUP_PENDING : SL_LOOKUP_ABSENT;
    if (!view_json(table, row, &json))
        return SL_LOOKUP_PENDING; /* no memory: its reader comes again */
    *out = (struct sl_view_row){json, row->body->bytes, row->version};
    return SL_LOOKUP_FOUND;
}

void sl_view_table_reign(struct sl_view_table *table, uint64_t salt)
{
    table->options.salt = salt;
}
