/*
 * The view store's read side: per reader, a connection to each view that it was asked about, opened
 * when first needed, with at most one read transaction between begin and end. A list's statements
 * are prepared once for each index, number of equal fields, direction, bounds and "with a cursor".
 */
#include "stores/sqlite/parts.h"

#include <stdlib.h>
#include <string.h>

#include "record/pack.h"

enum { DIRECTIONS = 2, CURSORS = 2, BOUNDS = 4, SEARCH_COUNT_MAX = 10000 };

struct read_view {
    struct read_view *next;
    struct sl_sqlite_db db;
    sqlite3_stmt *lists[SL_INDEXES_MAX + 1][SL_PLACE_FIELDS_MAX + 1][DIRECTIONS][CURSORS][BOUNDS];
    sqlite3_stmt *search;
    sqlite3_stmt *weigh;
    sqlite3_stmt *past;
    struct sl_sqlite_near near;
    struct sl_checkpoint checkpoint; /* within the transaction */
    bool reading;                    /* a transaction is open */
};

struct reader {
    struct sl_view_reader reader;
    struct read_view *views;
    bool begun;
};

enum sl_err sl_sqlite_reader_open(struct sl_view_store *store, struct sl_view_reader **out,
                                  struct sl_error *error)
{
    struct reader *made = calloc(1, sizeof *made);

    if (!made)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a reader");
    made->reader.store = store;
    *out = &made->reader;
    return SL_OK;
}

static void free_view(struct read_view *view)
{
    sqlite3_stmt **lists = &view->lists[0][0][0][0][0];

    for (size_t i = 0; i < sizeof view->lists / sizeof *lists; i++)
        (void)sqlite3_finalize(lists[i]);
    (void)sqlite3_finalize(view->search);
    (void)sqlite3_finalize(view->weigh);
    (void)sqlite3_finalize(view->past);
    sl_sqlite_near_close(&view->near);
    sl_sqlite_db_close(&view->db);
    free(view);
}

void sl_sqlite_reader_close(struct sl_view_reader *base)
{
    struct reader *reader = (struct reader *)base;

    for (struct read_view *view = reader->views, *next; view; view = next) {
        next = view->next;
        free_view(view);
    }
    free(reader);
}

void sl_sqlite_reader_forget(struct sl_view_reader *base, const struct sl_view_shape *shape)
{
    struct read_view **link = &((struct reader *)base)->views;

    while (*link && (*link)->db.schema.shape != shape)
        link = &(*link)->next;
    struct read_view *view = *link;
    if (!view)
        return;
    SL_ASSERT(!view->reading);
    *link = view->next;
    free_view(view);
}

enum sl_err sl_sqlite_reader_begin(struct sl_view_reader *base, struct sl_error *error)
{
    (void)error;
    ((struct reader *)base)->begun = true;
    return SL_OK;
}

void sl_sqlite_reader_end(struct sl_view_reader *base)
{
    struct reader *reader = (struct reader *)base;

    for (struct read_view *view = reader->views; view; view = view->next) {
        if (view->reading)
            (void)sqlite3_exec(view->db.handle, "COMMIT", NULL, NULL, NULL);
        view->reading = false;
    }
    reader->begun = false;
}

static enum sl_err open_view(struct reader *reader, const struct sl_view_shape *shape,
                             struct read_view **out, struct sl_error *error)
{
    const struct sl_sqlite_store *store = (const struct sl_sqlite_store *)reader->reader.store;
    struct read_view *view = calloc(1, sizeof *view);

    if (!view)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a view");
    const enum sl_err err = sl_sqlite_db_open(&view->db, &store->place, shape, false, false, error);
    if (err != SL_OK) {
        free_view(view);
        return err;
    }
    view->next = reader->views;
    reader->views = view;
    *out = view;
    return SL_OK;
}

/* The view with a read transaction open and its checkpoint read. */
static enum sl_err read_view(struct sl_view_reader *base, const struct sl_view_shape *shape,
                             struct read_view **out, struct sl_error *error)
{
    struct reader *reader = (struct reader *)base;
    struct read_view *view = reader->views;
    enum sl_err err;

    SL_ASSERT(reader->begun);
    while (view && view->db.schema.shape != shape)
        view = view->next;
    if (!view && (err = open_view(reader, shape, &view, error)) != SL_OK)
        return err;
    if (view->db.damaged)
        return sl_fail(error, SL_CORRUPT, "%s is damaged", view->db.path);
    if (!view->reading) {
        if ((err = sl_sqlite_exec(&view->db, "BEGIN", "begin to read", error)) != SL_OK)
            return err;
        view->reading = true;
        if ((err = sl_sqlite_read_checkpoint(&view->db, &view->checkpoint, error)) != SL_OK)
            return err;
    }
    *out = view;
    return SL_OK;
}

enum sl_err sl_sqlite_reader_lookup(struct sl_view_reader *base, const struct sl_view_shape *shape,
                                    struct sl_row_found *found, size_t count,
                                    struct sl_arena *arena, struct sl_checkpoint *out,
                                    struct sl_error *error)
{
    struct read_view *view;
    enum sl_err err;

    if ((err = read_view(base, shape, &view, error)) != SL_OK ||
        (err = sl_sqlite_lookup(&view->db, found, count, arena, error)) != SL_OK)
        return err;
    *out = view->checkpoint;
    return SL_OK;
}

enum sl_err sl_sqlite_reader_lookup_at(struct sl_view_reader *base,
                                       const struct sl_view_shape *shape, uint64_t position,
                                       struct sl_row_found *found, struct sl_arena *arena,
                                       struct sl_checkpoint *out, struct sl_error *error)
{
    struct read_view *view;
    enum sl_err err;

    if ((err = read_view(base, shape, &view, error)) != SL_OK ||
        (err = sl_sqlite_past_lookup(&view->db, &view->past, position, found, arena, error)) !=
            SL_OK)
        return err;
    *out = view->checkpoint;
    return SL_OK;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

/* Rows of a statement into the page; one more than the limit was asked for, and says whether
 * anything follows. `last`, of a search, becomes the place of the page's last row. */
static enum sl_err collect(struct read_view *view, sqlite3_stmt *stmt, uint32_t limit,
                           struct sl_arena *arena, struct sl_list_page *page, bool *out_more,
                           struct sl_sqlite_found *last, struct sl_error *error)
{
    enum sl_err err = SL_OK;
    int code;

    page->rows = sl_arena_zeroed(arena, limit, sizeof *page->rows);
    if (!page->rows)
        err = sl_fail(error, SL_NO_MEMORY, "no memory for %u rows", limit);
    *out_more = false;
    while (err == SL_OK && (code = sqlite3_step(stmt)) != SQLITE_DONE) {
        if (code != SQLITE_ROW) {
            err = sl_sqlite_fail(&view->db, code, "list rows", error);
        } else if (page->count == limit) {
            *out_more = true;
            break;
        } else {
            err = sl_sqlite_read_row(&view->db, stmt, arena, &page->rows[page->count], error);
            page->count += err == SL_OK;
            if (last && err == SL_OK) {
                last->rank = sqlite3_column_double(stmt, sqlite3_column_count(stmt) - 2);
                last->rowid = sqlite3_column_int64(stmt, sqlite3_column_count(stmt) - 1);
            }
        }
    }
    (void)sqlite3_reset(stmt);
    return err;
}

/* Keys are not stored as texts: they are made of the rows. */
static enum sl_err write_keys(const struct sl_view_shape *shape, struct sl_arena *arena,
                              struct sl_list_page *page, struct sl_error *error)
{
    uint8_t bytes[SL_PLACE_BYTES_MAX + 64];

    for (uint32_t i = 0; i < page->count; i++) {
        struct sl_buf key = {.ptr = bytes, .capacity = sizeof bytes, .bytes_max = sizeof bytes};

        if (sl_place_write(&shape->key, page->rows[i].row, &key) != SL_OK)
            return sl_fail(error, SL_CORRUPT, "view %s/%s: a row's key is longer than %d bytes",
                           shape->domain, shape->view->name, SL_PLACE_BYTES_MAX);
        page->rows[i].key = sl_arena_text(arena, sl_buf_as_text(&key));
        if (!page->rows[i].key.ptr)
            return sl_fail(error, SL_NO_MEMORY, "no memory for a key");
    }
    return SL_OK;
}

static enum sl_err list_statement(struct read_view *view, const struct sl_sqlite_list_form *form,
                                  sqlite3_stmt **out, struct sl_error *error)
{
    const int bounds = form->from + 2 * form->to;
    sqlite3_stmt **stmt =
        &view->lists[form->index + 1][form->equal_count][form->descending][form->after][bounds];
    struct sl_buf sql = {0};

    if (!*stmt) {
        sl_sqlite_list_sql(&sql, &view->db.schema, form);
        sl_buf_byte(&sql, '\0');
        const enum sl_err err =
            sql.failed ? sl_fail(error, SL_NO_MEMORY, "no memory for a list")
                       : sl_sqlite_prepare(&view->db, (const char *)sql.ptr, stmt, error);
        sl_buf_close(&sql);
        if (err != SL_OK)
            return err;
    }
    *out = *stmt;
    return SL_OK;
}

static enum sl_err list_index(struct read_view *view, const struct sl_list_query *query,
                              struct sl_arena *arena, struct sl_list_page *page,
                              struct sl_error *error)
{
    const struct sl_sqlite_list_form form =
        sl_sqlite_list_form(&view->db.schema, query, query->after.len > 0);
    void *after = NULL;
    sqlite3_stmt *stmt;
    bool more = false;
    enum sl_err err;

    if ((form.after &&
         (err = sl_sqlite_list_after(&view->db, query, arena, &after, error)) != SL_OK) ||
        (err = list_statement(view, &form, &stmt, error)) != SL_OK)
        return err;
    const int code =
        sl_sqlite_list_bind(&view->db, stmt, &form, query, after, (int64_t)query->limit + 1);
    if (code != SQLITE_OK)
        return sl_sqlite_fail(&view->db, code, "list rows", error);
    if ((err = collect(view, stmt, query->limit, arena, page, &more, NULL, error)) != SL_OK ||
        !more)
        return err;
    err = sl_sqlite_cursor_write(&view->db.schema, query, page->rows[page->count - 1].row, arena,
                                 &page->next);
    return err == SL_OK ? SL_OK : sl_fail(error, err, "no memory for a cursor");
}

/* What the words weigh now, for the first page and all that follow it. */
static enum sl_err weigh_words(struct read_view *view, struct sl_text words, struct sl_arena *arena,
                               struct sl_slice *out, struct sl_error *error)
{
    enum sl_err err = SL_OK;

    (void)sqlite3_bind_text(view->weigh, 1, words.ptr, (int)words.len, SQLITE_STATIC);
    const int code = sqlite3_step(view->weigh);
    if (code == SQLITE_ROW) {
        const int len = sqlite3_column_bytes(view->weigh, 0);
        uint8_t *copy = sl_arena_take(arena, (size_t)len + 1);
        if (copy && len > 0)
            memcpy(copy, sqlite3_column_blob(view->weigh, 0), (size_t)len);
        *out = (struct sl_slice){copy, (size_t)len};
        err = copy ? SL_OK : sl_fail(error, SL_NO_MEMORY, "no memory for a search");
    } else if (code != SQLITE_DONE) {
        err = sl_sqlite_fail(&view->db, code, "weigh words", error);
    }
    (void)sqlite3_reset(view->weigh);
    (void)sqlite3_clear_bindings(view->weigh);
    return err;
}

/* The one that is kept, or one of its own for a search with filters. */
static enum sl_err search_statement(struct read_view *view, const struct sl_list_query *query,
                                    sqlite3_stmt **out, struct sl_error *error)
{
    enum sl_err err = SL_OK;

    if (query->filter_count > 0)
        return sl_sqlite_filtered_search(&view->db, query, out, error);
    if (!view->search)
        err = sl_sqlite_prepare(&view->db, view->db.schema.search, &view->search, error);
    *out = view->search;
    return err;
}

/* Where the search goes on, or begins. */
static enum sl_err search_place(struct read_view *view, const struct sl_list_query *query,
                                struct sl_text words, struct sl_arena *arena,
                                struct sl_sqlite_found *out, struct sl_error *error)
{
    enum sl_err err = SL_OK;

    if (!view->weigh &&
        ((err = sl_sqlite_rank_add(&view->db, error)) != SL_OK ||
         (err = sl_sqlite_prepare(&view->db, view->db.schema.weigh, &view->weigh, error)) != SL_OK))
        return err;
    *out = (struct sl_sqlite_found){0};
    if (query->after.len == 0)
        return weigh_words(view, words, arena, &out->weights, error);
    err = sl_sqlite_cursor_read_found(query->after, arena, out, error);
    if (err == SL_OK && out->count > SEARCH_COUNT_MAX)
        return sl_fail(error, SL_INVALID, "a search shows its first %d results only",
                       SEARCH_COUNT_MAX);
    return err;
}

static enum sl_err list_found(struct read_view *view, const struct sl_list_query *query,
                              struct sl_arena *arena, struct sl_list_page *page,
                              struct sl_error *error)
{
    struct sl_text words;
    struct sl_sqlite_found found;
    sqlite3_stmt *stmt;
    bool more = false;
    enum sl_err err;

    if ((err = sl_sqlite_search_words(query->search, arena, &words, error)) != SL_OK ||
        (err = search_place(view, query, words, arena, &found, error)) != SL_OK ||
        (err = search_statement(view, query, &stmt, error)) != SL_OK)
        return err;
    (void)sqlite3_bind_text(stmt, 1, words.ptr, (int)words.len, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 2, (int64_t)query->limit + 1);
    (void)sqlite3_bind_blob(stmt, 3, found.weights.ptr, (int)found.weights.len, SQLITE_STATIC);
    if (query->after.len > 0) /* otherwise from the first on */
        (void)sqlite3_bind_double(stmt, 4, found.rank);
    (void)sqlite3_bind_int64(stmt, 5, found.rowid);
    err = collect(view, stmt, query->limit, arena, page, &more, &found, error);
    (void)sqlite3_clear_bindings(stmt);
    if (stmt != view->search)
        (void)sqlite3_finalize(stmt);
    if (err == SL_OK && query->facet_count > 0)
        err = sl_sqlite_facets(&view->db, query, words, arena, &page->facets, error);
    found.count += query->limit;
    if (err != SL_OK || !more || found.count > SEARCH_COUNT_MAX)
        return err;
    err = sl_sqlite_cursor_write_found(&found, arena, &page->next);
    return err == SL_OK ? SL_OK : sl_fail(error, err, "no memory for a cursor");
}

enum sl_err sl_sqlite_reader_list(struct sl_view_reader *base, const struct sl_view_shape *shape,
                                  const struct sl_list_query *query, struct sl_arena *arena,
                                  struct sl_list_page *out, struct sl_error *error)
{
    struct read_view *view;
    enum sl_err err;

    if ((err = read_view(base, shape, &view, error)) != SL_OK)
        return err;
    err = query->search.len > 0 ? list_found(view, query, arena, out, error)
                                : list_index(view, query, arena, out, error);
    if (err == SL_OK)
        err = write_keys(shape, arena, out, error);
    out->checkpoint = view->checkpoint;
    return err;
}

enum sl_err sl_sqlite_reader_aggregate(struct sl_view_reader *base,
                                       const struct sl_view_shape *shape,
                                       const struct sl_aggregate_query *query,
                                       struct sl_arena *arena, struct sl_aggregate_page *out,
                                       struct sl_error *error)
{
    struct read_view *view;
    enum sl_err err;

    if ((err = read_view(base, shape, &view, error)) != SL_OK ||
        (err = sl_sqlite_aggregate(&view->db, query, arena, out, error)) != SL_OK)
        return err;
    out->checkpoint = view->checkpoint;
    return SL_OK;
}

enum sl_err sl_sqlite_reader_near(struct sl_view_reader *base, const struct sl_view_shape *shape,
                                  const struct sl_near_query *query, struct sl_arena *arena,
                                  struct sl_near_page *out, struct sl_error *error)
{
    struct read_view *view;
    enum sl_err err;

    if ((err = read_view(base, shape, &view, error)) != SL_OK ||
        (err = sl_sqlite_near_search(&view->db, &view->near, query, arena, out, error)) != SL_OK)
        return err;
    out->checkpoint = view->checkpoint;
    return write_keys(shape, arena, &(struct sl_list_page){.rows = out->rows, .count = out->count},
                      error);
}
