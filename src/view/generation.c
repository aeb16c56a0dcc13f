/*
 * A view's next generation: a table beside its own, and how the two exchange what they hold.
 *
 * The exchange goes in steps, each of which waits for the writer:
 *
 *     catches up   what there is of the new build is brought to the store
 *     settles      … and onto the disk, most of it, so that what is left to do at the end is little
 *     holds        the old build is brought to the store no more; the new one is, to a position
 *                  that is not before the old one's
 *     serves       the store's pointer is moved: the one commit point (V1)
 *
 * and then, when the new table's rows are of the same position as the old one's or of a later one,
 * what the tables hold is exchanged, and the table beside the view holds the old rows. It ends when
 * nobody asks anything of them any more: the readers close the file, then the writer does, and
 * removes it. Between the pointer and the exchange a power loss finds the new build, which lacks at
 * most what the log makes up for (P7).
 */
#include "view/parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    BESIDE_DIRTY_MAX = 16384, /* handing half of them over takes the engine's thread half a ms */
    DROPPED_AT_ONCE = 200, /* a fifth of a ms */
};

struct view_build *view_build_new(const struct sl_view_shape *shape)
{
    struct view_build *build = calloc(1, sizeof *build);

    if (build)
        build->shape = *shape;
    return build;
}

enum sl_err sl_view_beside_open(struct sl_view_table *table, void (*moved)(void *context),
                                void *context, struct sl_view_table **out, struct sl_error *error)
{
    struct sl_view_table_options options = table->options;

    if (!table->attached || table->has_beside)
        return sl_fail(error, SL_BUSY, "the view %s/%s is %s", table->shape.domain,
                       table->shape.view->name,
                       table->has_beside ? "being rebuilt already" : "starting");
    options.moved = moved;
    options.context = context;
    options.beside = table;
    return sl_view_table_open(table->service, &options, out, error);
}

void view_beside_init(struct sl_view_table *beside, struct sl_view_table *table)
{
    beside->beside.of = table;
    table->has_beside = beside;
    beside->build->origin = BUILD_IS_NEW;
    beside->build->shape.build = table->build->shape.build + 1;
    beside->dirty_max = BESIDE_DIRTY_MAX;
    beside->seed = table->seed;
}

/* ---- Exchanging ------------------------------------------------------------------------------ */

#define EXCHANGE(field)                                                                            \
    do {                                                                                           \
        __typeof__(a->field) kept_ = a->field;                                                     \
        a->field = b->field;                                                                       \
        b->field = kept_;                                                                          \
    } while (0)

/* All that a table holds, but not what others see of it or have asked of it. The watches stay: so
 * both tables hash alike. */
static void exchange(struct sl_view_table *a, struct sl_view_table *b)
{
    SL_ASSERT(!a->busy && !b->busy, "T1");
    SL_ASSERT(a->seed == b->seed);
    EXCHANGE(rows);
    EXCHANGE(bytes);
    EXCHANGE(evict_cursor);
    EXCHANGE(complete);
    EXCHANGE(position);
    EXCHANGE(stored);
    EXCHANGE(generation);
    EXCHANGE(incarnation);
    EXCHANGE(attached);
    EXCHANGE(reattach);
    EXCHANGE(failing);
    EXCHANGE(degraded);
    EXCHANGE(unsettled);
    EXCHANGE(broken);
    EXCHANGE(dirty);
    EXCHANGE(dirty_count);
    EXCHANGE(dirty_capacity);
    EXCHANGE(formers);
    EXCHANGE(former_count);
    EXCHANGE(former_capacity);
    EXCHANGE(flush_due);
    EXCHANGE(rest_until);
    EXCHANGE(retry_due);
    EXCHANGE(retry_span);
    EXCHANGE(build);
    EXCHANGE(fetches);
    EXCHANGE(spare);
    EXCHANGE(fetch_count);
    EXCHANGE(fetch_number);
    char why[sizeof a->why];
    memcpy(why, a->why, sizeof why);
    memcpy(a->why, b->why, sizeof why);
    memcpy(b->why, why, sizeof why);
    a->work.build = a->build;
    b->work.build = b->build;
    a->waiting = b->waiting = false;
    /* A question's table is the engine's to read, whoever has the question now. */
    for (struct view_fetch *fetch = a->fetches; fetch; fetch = fetch->next)
        fetch->table = a;
    for (struct view_fetch *fetch = b->fetches; fetch; fetch = fetch->next)
        fetch->table = b;
}

/* No reader goes back to an earlier position, of lookups or of lists. */
static bool may_exchange(const struct sl_view_table *beside)
{
    const struct sl_view_table *table = beside->beside.of;

    return beside->attached && !beside->busy && !table->busy &&
           (!table->attached ||
            (beside->position >= table->position && beside->stored >= table->stored));
}

static void change_over(struct sl_view_table *beside)
{
    struct sl_view_table *table = beside->beside.of;

    SL_MARK("view: the new build takes the old one's place");
    exchange(table, beside);
    table->held = false;
    beside->beside.step = BESIDE_ENDS;
    view_watches_resync(table);
    view_moved(table);
}

static enum sl_view_beside give_up(struct sl_view_table *beside, const char *why,
                                   const char **out_why)
{
    beside->beside.of->held = false;
    *out_why = why;
    return SL_VIEW_GAVE_UP;
}

static void ask(struct sl_view_table *beside, enum view_message kind)
{
    beside->beside.step = kind == VIEW_SETTLE ? BESIDE_SETTLES : BESIDE_SERVES;
    beside->beside.asked = true;
    view_post_work(beside, kind);
}

/* The old build stands still; is the new one stored far enough? */
static enum sl_view_beside hold(struct sl_view_table *beside)
{
    struct sl_view_table *table = beside->beside.of;
    struct view_beside *state = &beside->beside;

    table->held = true;
    if (state->served) {
        if (!may_exchange(beside))
            return SL_VIEW_PENDING;
        change_over(beside);
        return SL_VIEW_DONE;
    }
    if (table->busy || (table->attached && beside->position < table->position))
        return SL_VIEW_PENDING;
    if (!state->flushing || beside->stored < table->stored) {
        /* The old one may have started over meanwhile. */
        if (beside->generation <= table->generation)
            beside->generation = table->generation + 1;
        state->flushing = true;
        view_flush_start(beside);
    } else {
        ask(beside, VIEW_SERVE);
    }
    return SL_VIEW_PENDING;
}

enum sl_view_beside sl_view_beside_swap(struct sl_view_table *beside, const char **out_why)
{
    struct view_beside *state = &beside->beside;

    if (state->step >= BESIDE_ENDS)
        return SL_VIEW_DONE;
    if (beside->busy)
        return SL_VIEW_PENDING;
    SL_ASSERT(!state->asked);
    if (state->step == BESIDE_SETTLES || state->step == BESIDE_SERVES) {
        if (state->err != SL_OK)
            return give_up(beside, state->error.message, out_why);
        state->served = state->step == BESIDE_SERVES;
        state->step = BESIDE_HOLDS;
    }
    if (!state->served && beside->degraded)
        return give_up(beside, beside->degraded, out_why);
    if (!state->served && beside->failing)
        return give_up(beside, beside->why, out_why);
    if (!state->served && !beside->attached)
        return SL_VIEW_PENDING;
    if (state->step == BESIDE_HOLDS)
        return hold(beside);
    ask(beside, VIEW_SETTLE);
    return SL_VIEW_PENDING;
}

/* ---- The end --------------------------------------------------------------------------------- */

/* So many rows as do no harm in one go. True: there are none left. */
static bool drop_some(struct sl_view_table *table)
{
    if (!view_formers_drop(table, DROPPED_AT_ONCE))
        return false;
    for (int i = 0; i < DROPPED_AT_ONCE && table->rows.count > 0; i++) {
        struct view_row *row = sl_table_next(&table->rows, &table->evict_cursor);

        if (!row) {
            table->evict_cursor = 0;
            continue;
        }
        row->flags = 0;
        view_row_remove(table, row);
    }
    return table->rows.count == 0;
}

enum sl_view_beside sl_view_beside_end(struct sl_view_table *beside)
{
    struct view_beside *state = &beside->beside;

    SL_ASSERT(state->step >= BESIDE_ENDS || (!state->served && state->step != BESIDE_SERVES) ||
                  state->err != SL_OK,
              "V1");
    if (state->step < BESIDE_ENDS) {
        state->of->held = false;
        state->step = BESIDE_ENDS;
    }
    if (beside->busy)
        return SL_VIEW_PENDING;
    switch (state->step) {
    case BESIDE_ENDS:
        if (beside->fetch_count > 0 || beside->build->questions > 0)
            return SL_VIEW_PENDING;
        beside->dirty_count = 0;
        if (!drop_some(beside))
            return SL_VIEW_GOES_ON;
        state->step = BESIDE_IS_FORGOTTEN;
        view_post_forgets(beside);
        return SL_VIEW_PENDING;
    case BESIDE_IS_FORGOTTEN:
        if (beside->build->forgetting > 0)
            return SL_VIEW_PENDING;
        state->step = BESIDE_IS_DISCARDED;
        beside->work.slots = beside->rows;
        beside->rows = (struct sl_table){.same = beside->rows.same};
        view_post_work(beside, VIEW_DISCARD);
        return SL_VIEW_PENDING;
    default:
        /* Could the file not be removed, the next start does it. */
        state->of->has_beside = NULL;
        view_service_remove(beside->service, beside);
        sl_view_table_close(beside);
        return SL_VIEW_DONE;
    }
}
