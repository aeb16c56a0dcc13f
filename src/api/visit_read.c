/*
 * Rows for a visit: many lookups at once, each from memory where it can be, and stretches of an
 * index. Both wait as queries over HTTP do, and both copy what they find, because a view's rows
 * change.
 */
#include "api/visit.h"

#include <string.h>

#include "record/pack.h"

enum { LIST_ROWS_MAX = 1000 };

struct visit_row {
    struct sl_lookup lookup;
    struct sl_visit *visit;
    struct visit_row *next;
    size_t place;
    bool is_done; /* found, or there can be none with this key */
};

struct visit_listing {
    struct sl_view_listing listing; /* first: it is what comes back */
    struct sl_visit *visit;
    struct sl_wait wait;
    struct sl_visit_page page;
    void (*then)(struct sl_visit *visit, const struct sl_visit_page *page);
};

void sl_visit_await(struct sl_visit *visit, uint64_t position)
{
    if (position > visit->wanted)
        visit->wanted = position;
}

/* ---- Views --------------------------------------------------------------------------------- */

/* NULL: the domain has none of this name, and the visit is refused. */
static struct sl_view_table *find_view(struct sl_visit *visit, const char *name)
{
    struct visit_rows *rows = &visit->rows;

    if (rows->name != name) {
        rows->view = sl_core_view(visit->call->domain, api_text(name));
        rows->name = name;
    }
    if (!rows->view)
        visit_fault(visit, true);
    return rows->view;
}

/* May it be read, and will it be as far as is wanted? Otherwise the visit is refused. */
static bool can_read(struct sl_visit *visit, const struct sl_view_table *table)
{
    const struct sl_view *view = sl_view_table_shape(table)->view;
    const struct sl_view_status status = sl_view_table_status(table);
    const struct sl_deed deed = {SL_DO_READ, visit->own->domain->name, view->name, view->roles,
                                 false};

    if (!visit_may(visit, &deed))
        return false;
    if (status.state == SL_VIEW_DEGRADED && visit->wanted > status.position) {
        visit_refuse(visit, "view_degraded", status.position, "%s", status.why);
        return false;
    }
    return true;
}

static const void *copied(struct sl_visit *visit, const struct sl_record *record, const void *row)
{
    void *memory = sl_arena_take(visit->call->request->arena, sl_record_copy_size(record, row));

    if (memory)
        return sl_record_copy(record, row, memory);
    visit->failed = true;
    return NULL;
}

/* ---- Lookups ------------------------------------------------------------------------------- */

void sl_visit_row_key(struct sl_visit *visit, const char *view, const void *const *values,
                      size_t count)
{
    struct visit_rows *rows = &visit->rows;
    struct sl_arena *arena = visit->call->request->arena;
    struct sl_view_table *table = find_view(visit, view);
    uint8_t bytes[SL_PLACE_BYTES_MAX];
    struct sl_buf key = {.ptr = bytes, .capacity = sizeof bytes, .bytes_max = sizeof bytes};

    if (!table)
        return;
    if (rows->count == SL_VISIT_ITEMS_MAX) {
        visit_refuse(visit, "too_many_items", VISIT_NO_POSITION,
                     "a request reads at most %d rows at once", SL_VISIT_ITEMS_MAX);
        return;
    }
    const struct sl_view_shape *shape = sl_view_table_shape(table);
    struct visit_row *row = sl_arena_zeroed(arena, 1, sizeof *row);
    if (!row) {
        visit->failed = true;
        return;
    }
    if (count != shape->key.count) {
        visit_fault(visit, true);
        return;
    }
    /* No row has a key that is longer than a place can be. */
    row->is_done = sl_place_write_values(&shape->key, values, count, &key) != SL_OK;
    row->lookup.view = table;
    row->lookup.key = sl_arena_text(arena, sl_buf_as_text(&key));
    row->visit = visit;
    row->place = rows->count++;
    if (rows->last)
        rows->last->next = row;
    else
        rows->first = row;
    rows->last = row;
    visit->failed = visit->failed || !row->lookup.key.ptr;
}

static void rows_turn(struct sl_visit *visit)
{
    struct visit_rows *rows = &visit->rows;
    const size_t count = rows->count;

    rows->first = rows->last = NULL;
    rows->count = 0;
    rows->then(visit, rows->found, count);
}

static void row_told(struct sl_visit *visit)
{
    if (--visit->rows.waiting > 0)
        return;
    api_waited(visit->call);
    visit_go_on(visit);
}

static void row_done(struct sl_lookup *lookup, enum sl_lookup_end end,
                     const struct sl_view_row *found, uint64_t position)
{
    struct visit_row *row = lookup->user;
    struct sl_visit *visit = row->visit;

    row->is_done = true;
    switch (end) {
    case SL_LOOKUP_ROW:
        visit->rows.found[row->place] =
            copied(visit, sl_view_table_shape(lookup->view)->view->record, found->row);
        visit_saw(visit, position);
        break;
    case SL_LOOKUP_NONE:
        visit_saw(visit, position);
        break;
    case SL_LOOKUP_LATE:
        visit_refuse(visit, "position_not_reached", position,
                     "the view was not as far in time; it has applied all below `position`");
        break;
    case SL_LOOKUP_BROKEN:
        visit_refuse(visit, "view_failed", position, "the view's store failed");
        break;
    }
    row_told(visit);
}

static void begin_rows(struct sl_visit *visit)
{
    struct visit_rows *rows = &visit->rows;
    const struct sl_view_table *checked = NULL;

    visit->turn = rows_turn;
    rows->waiting = 1;
    rows->found =
        sl_arena_zeroed(visit->call->request->arena, rows->count + 1, sizeof *rows->found);
    visit->failed = visit->failed || !rows->found;
    for (struct visit_row *row = rows->first; row && !visit->failed; row = row->next) {
        if (row->lookup.view != checked && !can_read(visit, row->lookup.view))
            break;
        checked = row->lookup.view;
    }
    if (visit->failed || visit->refusal.rule) {
        row_told(visit);
        return;
    }
    for (struct visit_row *row = rows->first; row; row = row->next)
        rows->waiting += !row->is_done;
    visit_waits(visit);
    for (struct visit_row *row = rows->first; row; row = row->next) {
        if (row->is_done)
            continue;
        row->lookup.domain = visit->call->domain;
        row->lookup.position = visit->wanted;
        row->lookup.until_ns = visit->until_ns;
        row->lookup.done = row_done;
        row->lookup.user = row;
        sl_core_lookup(&row->lookup);
    }
    row_told(visit);
}

void sl_visit_read(struct sl_visit *visit,
                   void (*then)(struct sl_visit *visit, const void *const *rows, size_t count))
{
    if (!visit_wishes(visit, VISIT_MORE))
        return;
    visit->rows.then = then;
    visit->begin = begin_rows;
}

/* ---- Lists --------------------------------------------------------------------------------- */

static void page_turn(struct sl_visit *visit)
{
    visit->listing->then(visit, &visit->listing->page);
}

static void keep_page(struct visit_listing *work)
{
    struct sl_visit *visit = work->visit;
    const struct sl_list_page *page = &work->listing.page;
    const struct sl_record *record = sl_view_table_shape(work->listing.table)->view->record;
    struct sl_arena *arena = visit->call->request->arena;
    const void **rows = sl_arena_zeroed(arena, page->count + 1, sizeof *rows);

    for (uint32_t i = 0; i < page->count && rows; i++)
        rows[i] = copied(visit, record, page->rows[i].row);
    work->page = (struct sl_visit_page){.rows = rows, .count = page->count};
    if (page->next.len > 0)
        work->page.next = sl_arena_text(arena, page->next);
    visit->failed = visit->failed || !rows || (page->next.len > 0 && !work->page.next.ptr);
    visit_saw(visit, work->listing.position);
}

static void page_done(struct sl_view_listing *listing)
{
    struct visit_listing *work = (struct visit_listing *)listing;
    struct sl_visit *visit = work->visit;

    if (listing->err == SL_OK)
        keep_page(work);
    else
        visit_refuse(visit, listing->err == SL_INVALID ? "bad_cursor" : "view_failed",
                     VISIT_NO_POSITION, "%s", listing->error.message);
    sl_arena_close(&listing->arena);
    sl_buf_close(&listing->json);
    visit_go_on(visit);
}

static void list_waited(struct sl_wait *wait, bool reached, uint64_t at)
{
    struct visit_listing *work = wait->user;
    struct sl_visit *visit = work->visit;

    api_waited(visit->call);
    if (reached) {
        work->listing.done = page_done;
        work->listing.as_rows = true;
        sl_core_saw_reader(visit->call->api->options.core);
        sl_view_list(work->listing.table, &work->listing);
        return;
    }
    visit_refuse(visit, "position_not_reached", at, "the stored view was not as far in time");
    visit_go_on(visit);
}

static void begin_list(struct sl_visit *visit)
{
    struct visit_listing *work = visit->listing;

    visit->turn = page_turn;
    if (!can_read(visit, work->listing.table)) {
        visit_go_on(visit);
        return;
    }
    work->wait = (struct sl_wait){.domain = visit->call->domain,
                                  .view = work->listing.table,
                                  .path = SL_PATH_LIST,
                                  .position = visit->wanted,
                                  .until_ns = visit->until_ns,
                                  .done = list_waited,
                                  .user = work};
    visit_waits(visit);
    sl_core_wait(&work->wait);
}

/* False: the domain's view has no such index, or the handler's query is none. */
static bool read_query(const struct sl_view_shape *shape, const struct sl_visit_list *list,
                       struct sl_list_query *out)
{
    const struct sl_view *view = shape->view;
    size_t fields = shape->key.count;

    out->index = -1;
    for (size_t i = 0; list->index && i < view->indexes.count; i++) {
        if (strcmp(view->indexes.items[i].name, list->index) == 0) {
            out->index = (int)i;
            fields = shape->indexes[i].count;
        }
    }
    if ((list->index && out->index < 0) || list->equal_count > fields ||
        (list->equal_count > 0 && !list->equal) || list->limit < 1 || list->limit > LIST_ROWS_MAX)
        return false;
    out->equal_count = (uint32_t)list->equal_count;
    out->limit = (uint32_t)list->limit;
    out->descending = list->descending;
    return true;
}

void sl_visit_list(struct sl_visit *visit, const struct sl_visit_list *list,
                   void (*then)(struct sl_visit *visit, const struct sl_visit_page *page))
{
    struct sl_arena *arena = visit->call->request->arena;
    struct sl_view_table *table = find_view(visit, list->view);

    if (!table || !visit_wishes(visit, VISIT_MORE))
        return;
    struct visit_listing *work = sl_arena_zeroed(arena, 1, sizeof *work);
    if (!work) {
        visit->failed = true;
        return;
    }
    const struct sl_view_shape *shape = sl_view_table_shape(table);
    const struct sl_record *record = shape->view->record;
    struct sl_list_query *query = &work->listing.query;
    if (!read_query(shape, list, query)) {
        visit_fault(visit, true);
        return;
    }
    query->equal =
        list->equal ? copied(visit, record, list->equal) : sl_arena_zeroed(arena, 1, record->size);
    query->after = sl_arena_text(arena, list->after);
    visit->failed = visit->failed || !query->equal || !query->after.ptr;
    work->listing.table = table;
    work->visit = visit;
    work->then = then;
    visit->listing = work;
    visit->begin = begin_list;
}

void visit_reads_cancel(struct sl_visit *visit)
{
    for (struct visit_row *row = visit->rows.first; row && visit->rows.waiting > 0; row = row->next)
        if (!row->is_done)
            sl_core_lookup_cancel(&row->lookup);
    if (visit->listing)
        sl_core_wait_cancel(&visit->listing->wait);
}
