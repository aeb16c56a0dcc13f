/*
 * Rows as they were. The store keeps each version of a temporal view's rows; a row that changes
 * again before the writer has its last version leaves that behind as a *former* one, and the next
 * flush brings all of them. A former one belongs to a row that is dirty, so that the row stays.
 */
#include "view/parts.h"

#include <stdlib.h>

/* ---- Former versions ------------------------------------------------------------------------- */

bool view_formers_reserve(struct sl_view_table *table, size_t count)
{
    const size_t under_way = table->busy ? table->work.former_count + table->work.count : 0;
    const size_t needed = table->former_count + count + under_way;

    if (needed <= table->former_capacity)
        return true;
    const size_t capacity = needed * 2;
    struct view_former *formers = reallocarray(table->formers, capacity, sizeof *formers);
    if (!formers)
        return false;
    table->formers = formers;
    table->former_capacity = capacity;
    return true;
}

static void add(struct sl_view_table *table, struct view_former former)
{
    SL_ASSERT(table->former_count < table->former_capacity);
    table->formers[table->former_count++] = former;
}

void view_former_add(struct sl_view_table *table, struct view_row *row)
{
    add(table, (struct view_former){row, row->version, row->body});
    row->body = NULL;
    if (table->former_count >= table->dirty_max / 2)
        view_flush_by(table, 0);
}

/* The arrays are exchanged: what becomes former from now on is not in the flush. */
void view_formers_lend(struct sl_view_table *table)
{
    struct view_work *work = &table->work;
    struct view_former *const spare = work->formers;
    const size_t spare_capacity = work->former_capacity;

    SL_ASSERT(work->former_count == 0);
    work->formers = table->formers;
    work->former_count = table->former_count;
    work->former_capacity = table->former_capacity;
    table->formers = spare;
    table->former_count = 0;
    table->former_capacity = spare_capacity;
    for (size_t i = 0; i < work->former_count; i++) {
        const struct view_former *former = &work->formers[i];
        work->rows[i] = former->row;
        work->changes[i] = (struct sl_row_change){
            .key = {former->row->key, former->row->key_len},
            .row = former->body ? former->body->bytes : NULL,
            .version = former->version,
        };
    }
}

void view_formers_take_back(struct sl_view_table *table, bool written)
{
    struct view_work *work = &table->work;

    if (!written && table->former_capacity < work->former_count) {
        /* Nothing was projected meanwhile, or there would be room. */
        SL_ASSERT(table->former_count == 0);
        free(table->formers);
        table->formers = work->formers;
        table->former_count = work->former_count;
        table->former_capacity = work->former_capacity;
        work->formers = NULL;
        work->former_count = work->former_capacity = 0;
        return;
    }
    for (size_t i = 0; i < work->former_count; i++) {
        if (written)
            view_body_free(table, work->formers[i].body);
        else
            add(table, work->formers[i]);
    }
    work->former_count = 0;
}

void view_former_lent(struct sl_view_table *table, struct view_row *row,
                      const struct sl_row_change *change)
{
    struct view_body *body =
        change->row ? (struct view_body *)((uintptr_t)change->row -
                                           offsetof(struct view_body, bytes))
                    : NULL;

    add(table, (struct view_former){row, change->version, body});
}

bool view_formers_drop(struct sl_view_table *table, size_t most)
{
    while (table->former_count > 0 && most-- > 0)
        view_body_free(table, table->formers[--table->former_count].body);
    return table->former_count == 0;
}

/* ---- A reader's thread ----------------------------------------------------------------------- */

void view_past(struct sl_view_reader *reader, struct sl_view_listing *list, struct sl_arena *arena)
{
    const struct sl_view_shape *shape = &list->build->shape;
    struct sl_row_found *found =
        sl_arena_zeroed(list->as_rows ? &list->arena : arena, 1, sizeof *found);
    struct sl_checkpoint checkpoint;

    if (!found) {
        list->err = sl_fail(&list->error, SL_NO_MEMORY, "no memory for a row");
        return;
    }
    found->key = list->past->key;
    list->err = sl_view_reader_lookup_at(reader, shape, list->past->position, found,
                                         list->as_rows ? &list->arena : arena, &checkpoint,
                                         &list->error);
    if (list->err != SL_OK)
        return;
    list->position = checkpoint.position;
    if (list->position < list->past->position) {
        list->err = sl_fail(&list->error, SL_BUSY, "the view %s/%s is being built again",
                            shape->domain, shape->view->name);
    } else if (list->as_rows) {
        list->page.rows = found;
        list->page.count = found->row != NULL;
    } else if (found->row) {
        sl_json_write(&list->json, shape->view->record, found->row);
        if (list->json.failed)
            list->err = sl_fail(&list->error, SL_NO_MEMORY, "no memory for a row");
    }
}
