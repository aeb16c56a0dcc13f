/*
 * Bringing the store up to what memory shows.
 *
 * A flush is all dirty rows and the position they add up to: a state between two events (V1).
 * Nothing is copied: the rows' structs are frozen and lent to the writer, and who changes such a
 * row meanwhile gives it a new struct. At most one piece of work of a table is with the writer.
 */
#include "view/parts.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t ms_ns = 1000000;
static const int64_t checkpoint_alone_ms = 5000; /* the position moved, but no row */
/* After a flush the writer rests as many times as long as it took: the larger the next one, the
 * more of its rows share a page, and the processor is for those who wait for an answer. */
static const int64_t rest_times = 4, rest_ns_max = 5000000000;
static const int64_t retry_first_ns = 1000000000, retry_last_ns = 60000000000;

enum { EVICT_AT_ONCE = 1024 }; /* rows that are looked at: a tenth of a ms */

/* ---- What is dirty --------------------------------------------------------------------------- */

/* Room for rows under way, too: they come back when the flush fails, which must not fail itself. */
bool view_dirty_reserve(struct sl_view_table *table, size_t count)
{
    const size_t needed = table->dirty_count + count + (table->busy ? table->work.count : 0);

    if (needed <= table->dirty_capacity)
        return true;
    const size_t capacity = needed * 2;
    struct view_row **dirty = reallocarray(table->dirty, capacity, sizeof(struct view_row *));
    if (!dirty)
        return false;
    table->dirty = dirty;
    table->dirty_capacity = capacity;
    return true;
}

void view_dirty_add(struct sl_view_table *table, struct view_row *row)
{
    if (row->flags & ROW_DIRTY)
        return;
    SL_ASSERT(table->dirty_count < table->dirty_capacity);
    row->flags |= ROW_DIRTY;
    if (table->dirty_count++ == 0) {
        const int64_t due = sl_env_monotonic(view_env(table)) + table->options.flush_ms * ms_ns;
        view_flush_by(table, due > table->rest_until ? due : table->rest_until);
    }
    table->dirty[table->dirty_count - 1] = row;
    if (table->dirty_count >= table->dirty_max / 2)
        view_flush_by(table, 0); /* while it is written, there is room for as many again */
}

void view_flush_by(struct sl_view_table *table, int64_t due)
{
    if (due < table->flush_due)
        table->flush_due = due;
}

void sl_view_advance(struct sl_view_table *table, uint64_t position)
{
    if (position <= table->position || !table->attached || table->degraded)
        return;
    table->position = position;
    if (table->flush_due == INT64_MAX)
        view_flush_by(table, sl_env_monotonic(view_env(table)) + checkpoint_alone_ms * ms_ns);
}

void sl_view_hurry(struct sl_view_table *table)
{
    if (table->attached && table->stored < table->position)
        view_flush_by(table, 0);
}

/* ---- Flushing -------------------------------------------------------------------------------- */

static bool work_reserve(struct view_work *work, size_t count)
{
    if (count <= work->capacity)
        return true;
    struct sl_row_change *changes = reallocarray(work->changes, count, sizeof *changes);
    if (changes)
        work->changes = changes;
    struct view_row **rows = reallocarray(work->rows, count, sizeof(struct view_row *));
    if (rows)
        work->rows = rows;
    if (!changes || !rows)
        return false;
    work->capacity = count;
    return true;
}

static bool fill_flush(struct sl_view_table *table)
{
    struct view_work *work = &table->work;

    if (!work_reserve(work, table->former_count + table->dirty_count))
        return false;
    view_formers_lend(table);
    struct view_row **rows = work->rows + work->former_count;
    struct sl_row_change *changes = work->changes + work->former_count;
    for (size_t i = 0; i < table->dirty_count; i++) {
        struct view_row *row = table->dirty[i];

        rows[i] = row;
        changes[i] = (struct sl_row_change){
            .key = {row->key, row->key_len},
            .row = row->body ? row->body->bytes : NULL,
            .version = row->version,
        };
        row->flags &= (uint8_t)~ROW_DIRTY;
        row->flags |= row->body ? ROW_FLUSHING | ROW_FROZEN : ROW_FLUSHING;
    }
    work->count = work->former_count + table->dirty_count;
    table->dirty_count = 0;
    work->checkpoint = (struct sl_checkpoint){
        .log = table->options.log,
        .salt = table->options.salt,
        .position = table->position,
        .generation = table->generation,
        .digest = table->shape.digest,
    };
    return true;
}

void view_flush_start(struct sl_view_table *table)
{
    table->flush_due = INT64_MAX;
    if (!fill_flush(table)) {
        view_fail(table, SL_NO_MEMORY, "no memory to write rows to the store");
        return;
    }
    view_post_work(table, VIEW_FLUSH);
}

static void start_flush(struct sl_view_table *table)
{
    table->flush_due = INT64_MAX;
    /* While the store fails, a flush of nothing, too, shows whether it still does. */
    if (table->stored != table->position || table->dirty_count > 0 || table->failing)
        view_flush_start(table);
}

/* The body that the writer had, if the row has another one by now. */
static void free_lent(struct sl_view_table *table, const struct view_row *row,
                      const struct sl_row_change *change)
{
    if (change->row && !(row->flags & ROW_FROZEN))
        view_body_free(table, (struct view_body *)((uintptr_t)change->row -
                                                   offsetof(struct view_body, bytes)));
}

static void take_rows_back(struct sl_view_table *table, bool written)
{
    struct view_work *work = &table->work;
    size_t i = work->former_count;

    view_formers_take_back(table, written);
    for (; i < work->count; i++) {
        struct view_row *row = work->rows[i];

        if (!written && view_leaves_former(table, row)) /* it has changed meanwhile */
            view_former_lent(table, row, &work->changes[i]);
        else
            free_lent(table, row, &work->changes[i]);
        row->flags &= (uint8_t) ~(ROW_FLUSHING | ROW_FROZEN);
        if (!written)
            view_dirty_add(table, row);
        else if (!(row->flags & ROW_PINNED) && !row->body && table->complete)
            view_row_remove(table, row); /* gone for good, and known to be without it */
    }
    work->count = 0;
}

/* What was written may go: all that is over the ceiling, a little in each turn. */
static void evict_some(struct sl_view_table *table)
{
    for (size_t i = 0; i < EVICT_AT_ONCE && table->evict_left > 0 && view_is_over(table);
         i += VIEW_EVICT_VISITS) {
        view_evict(table);
        table->evict_left -= table->evict_left < VIEW_EVICT_VISITS ? table->evict_left
                                                                   : VIEW_EVICT_VISITS;
    }
    if (table->evict_left > 0 && view_is_over(table))
        view_flush_by(table, 0);
}

static void flush_done(struct sl_view_table *table)
{
    const struct view_work *work = &table->work;
    const bool written = work->err == SL_OK;

    take_rows_back(table, written);
    if (!written) {
        view_fail(table, work->err, work->error.message);
        return;
    }
    table->stored = work->checkpoint.position;
    table->failing = false;
    table->retry_span = 0;
    const int64_t rest = work->took_ns * rest_times;
    table->rest_until =
        sl_env_monotonic(view_env(table)) + (rest < rest_ns_max ? rest : rest_ns_max);
    /* Twice around at most: who was used is spared once. */
    table->evict_left = 2 * table->rows.count + EVICT_AT_ONCE;
    evict_some(table);
    if (table->stored < table->position && table->dirty_count == 0)
        view_flush_by(table, sl_env_monotonic(view_env(table)) + checkpoint_alone_ms * ms_ns);
}

/* The writer has gone without an answer: nobody reads what it was lent. */
void view_work_abandon(struct sl_view_table *table)
{
    if (table->busy && table->work.message.kind == VIEW_FLUSH)
        take_rows_back(table, false);
    table->busy = false;
}

void view_flush_now(struct sl_view_table *table, struct sl_view_store *store)
{
    struct view_work *work = &table->work;

    /* What stands beside a view is thrown away at the next start. */
    if (!table->attached || table->busy || table->failing || table->beside.of ||
        table->stored == table->position || !fill_flush(table))
        return;
    work->error = (struct sl_error){0};
    work->err = sl_view_store_apply(store, &table->build->shape, work->changes, work->count,
                                    &work->checkpoint, &work->error);
    flush_done(table);
}

/* ---- Attaching ------------------------------------------------------------------------------- */

void view_attach_start(struct sl_view_table *table)
{
    table->attached = false;
    table->incarnation++;
    table->flush_due = INT64_MAX;
    view_post_work(table, VIEW_ATTACH);
}

static void begin_at(struct sl_view_table *table, uint64_t position, uint64_t generation)
{
    view_rows_drop(table);
    table->position = table->stored = position;
    table->generation = generation;
    table->complete = position == 0;
    table->attached = true;
    table->failing = false;
    table->retry_span = 0;
    table->degraded = NULL;
    table->unsettled = false;
}

static void attach_done(struct sl_view_table *table)
{
    const struct view_work *work = &table->work;
    const struct sl_checkpoint *found = &work->checkpoint;

    if (work->err != SL_OK) {
        view_fail(table, work->err, work->error.message);
        return;
    }
    if (work->error.code == SL_CORRUPT) {
        SL_MARK("view: starts over");
        snprintf(table->why, sizeof table->why, "%s", work->error.message);
        view_reopen_readers(table->service);
    }
    if (!sl_checkpoint_exists(found)) {
        const uint64_t other = table->beside.of ? table->beside.of->generation : 0;
        begin_at(table, 0, (found->generation > other ? found->generation : other) + 1);
    } else if (!sl_uuid_equals(found->log, table->options.log) ||
               !table->options.knows(table->options.context, found->salt, found->position)) {
        /* P9: rows of another history. */
        SL_MARK("view: another history");
        view_post_work(table, VIEW_CLEAR);
    } else {
        begin_at(table, found->position, found->generation);
    }
}

static void clear_done(struct sl_view_table *table)
{
    if (table->work.err != SL_OK)
        view_fail(table, table->work.err, table->work.error.message);
    else
        begin_at(table, 0, table->work.checkpoint.generation + 1);
}

/* ---- Failures, and when to try again --------------------------------------------------------- */

void view_fail(struct sl_view_table *table, enum sl_err err, const char *why)
{
    snprintf(table->why, sizeof table->why, "%s", why);
    table->failing = true;
    if (err == SL_CORRUPT && table->attached) {
        /* P7: the log has it all. The damaged file is set aside and the view starts over. */
        table->reattach = true;
        return;
    }
    table->retry_span = table->retry_span == 0 ? retry_first_ns : table->retry_span * 2;
    if (table->retry_span > retry_last_ns)
        table->retry_span = retry_last_ns;
    table->retry_due = sl_env_monotonic(view_env(table)) + table->retry_span;
}

void view_work_done(struct sl_view_table *table)
{
    table->busy = false;
    switch (table->work.message.kind) {
    case VIEW_ATTACH:
        attach_done(table);
        break;
    case VIEW_CLEAR:
        clear_done(table);
        break;
    case VIEW_SETTLE:
    case VIEW_SERVE:
    case VIEW_DISCARD:
        table->beside.asked = false;
        table->beside.err = table->work.err;
        table->beside.error = table->work.error;
        break;
    default:
        flush_done(table);
        break;
    }
    if (table->reattach && !table->busy && !view_is_closing(table) && !view_is_still(table)) {
        table->reattach = false;
        view_rows_drop(table);
        view_attach_start(table);
    }
}

int64_t sl_view_table_deadline(const struct sl_view_table *table)
{
    if (table->busy || view_is_still(table))
        return INT64_MAX;
    if (table->reattach)
        return 0;
    return table->failing ? table->retry_due : table->flush_due;
}

void sl_view_table_turn(struct sl_view_table *table, int64_t monotonic_ns)
{
    if (table->busy || !table->service || monotonic_ns < sl_view_table_deadline(table))
        return;
    if (table->reattach) {
        table->reattach = false;
        view_rows_drop(table);
        view_attach_start(table);
    } else if (!table->attached) {
        table->retry_due = INT64_MAX;
        view_attach_start(table);
    } else {
        table->retry_due = INT64_MAX;
        start_flush(table);
        evict_some(table);
    }
}
