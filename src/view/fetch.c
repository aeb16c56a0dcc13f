/*
 * Fetching rows that are not in memory. While a reader looks for a row, its key has a place in the
 * table that cannot be evicted: who writes the row meanwhile finds that place and fills it, and the
 * answer, which may be older, is then dropped. So an old answer never covers a newer row, even if
 * that was flushed, and would have been evicted, in between.
 */
#include "view/parts.h"

#include <stdlib.h>
#include <string.h>

enum { SPARE_ARENA_BYTES = 16384 };

static struct view_fetch *take_fetch(struct sl_view_table *table)
{
    struct view_fetch *fetch = table->spare;

    if (fetch)
        table->spare = fetch->next;
    else
        fetch = calloc(1, sizeof *fetch);
    if (!fetch)
        return NULL;
    fetch->table = table;
    fetch->shape = &table->build->shape;
    fetch->incarnation = table->incarnation;
    fetch->err = SL_OK;
    fetch->error = (struct sl_error){0};
    fetch->previous = NULL;
    fetch->next = table->fetches;
    if (fetch->next)
        fetch->next->previous = fetch;
    table->fetches = fetch;
    table->fetch_count++;
    return fetch;
}

static void give_back(struct view_fetch *fetch)
{
    struct sl_view_table *table = fetch->table;

    if (fetch->previous)
        fetch->previous->next = fetch->next;
    else
        table->fetches = fetch->next;
    if (fetch->next)
        fetch->next->previous = fetch->previous;
    table->fetch_count--;
    if (fetch->arena.total > SPARE_ARENA_BYTES)
        sl_arena_close(&fetch->arena);
    else
        sl_arena_reset(&fetch->arena);
    fetch->next = table->spare;
    table->spare = fetch;
}

enum sl_err view_fetch_start(struct sl_view_table *table, uint64_t hash, struct sl_text key)
{
    struct view_row *row = view_find(table, hash, key);

    if (row && (row->flags & ROW_FETCHING))
        return SL_OK;
    if (table->fetch_count == VIEW_FETCHES_MAX)
        return SL_BUSY;
    struct view_fetch *fetch = take_fetch(table);
    if (!fetch)
        return SL_NO_MEMORY;
    if (!row) {
        row = view_row_new(table, hash, key);
        if (!row) {
            give_back(fetch);
            return SL_NO_MEMORY;
        }
        row->flags = ROW_UNKNOWN;
    }
    row->flags |= ROW_FETCHING;
    fetch->row = row;
    fetch->found = (struct sl_row_found){.key = {row->key, row->key_len}};
    view_post_fetch(table, fetch);
    return SL_OK;
}

enum sl_err sl_view_fetch(struct sl_view_table *table, struct sl_text key)
{
    if (table->failing)
        return SL_IO;
    if (!table->attached)
        return SL_BUSY;
    if (key.len == 0 || key.len > SL_PLACE_BYTES_MAX)
        return SL_INVALID;
    return view_fetch_start(table, view_hash(table, key), key);
}

/* The answer becomes the row. False: no memory. */
static bool fill(struct sl_view_table *table, struct view_row *row,
                 const struct sl_row_found *found)
{
    const struct sl_record *record = table->shape.view->record;

    if (found->row) {
        const size_t size = table->flat ? record->size : sl_record_copy_size(record, found->row);
        struct view_body *body = view_body_new(table, size);
        if (!body)
            return false;
        if (table->flat)
            memcpy(body->bytes, found->row, record->size);
        else
            (void)sl_record_copy(record, found->row, body->bytes);
        row->body = body;
    }
    row->version = found->version;
    row->flags = (uint8_t)((row->flags & ~ROW_UNKNOWN) | ROW_USED | ROW_FRESH);
    row->fetch_number = ++table->fetch_number;
    return true;
}

void view_fetch_done(struct view_fetch *fetch)
{
    struct sl_view_table *table = fetch->table;
    struct view_row *row = fetch->row;
    const bool current = fetch->incarnation == table->incarnation;

    row->flags &= (uint8_t)~ROW_FETCHING;
    const bool unanswered = (row->flags & ROW_UNKNOWN) &&
                            (!current || fetch->err != SL_OK || !fill(table, row, &fetch->found));
    const bool forlorn = !unanswered && !current && !(row->flags & ROW_PINNED) && !row->body;
    if (unanswered || forlorn)
        view_row_remove(table, row);
    if (current && fetch->err != SL_OK && !table->failing)
        view_fail(table, fetch->err, fetch->error.message);
    give_back(fetch);
    view_evict(table);
}

void view_fetches_free(struct sl_view_table *table)
{
    struct view_fetch *next;

    while (table->fetches) {
        struct view_fetch *fetch = table->fetches;
        /* After a power loss in the simulator nobody answers. */
        fetch->row->flags &= (uint8_t)~ROW_FETCHING;
        give_back(fetch);
    }
    for (struct view_fetch *fetch = table->spare; fetch; fetch = next) {
        next = fetch->next;
        sl_arena_close(&fetch->arena);
        free(fetch);
    }
    table->spare = NULL;
}
