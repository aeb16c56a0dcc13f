/*
 * The view store's write side: one connection per view, of the writer's thread.
 *
 * V1: rows and checkpoint are written in one transaction; what interrupts it leaves the file as it
 * was before. A file that SQLite finds damaged is set aside and the view starts over (P7): at once
 * when it is attached, and after a failed call when it is attached again.
 */
#include "stores/sqlite/parts.h"

#include <stdlib.h>
#include <string.h>

struct written_view {
    struct written_view *next;
    struct sl_sqlite_db db;
    sqlite3_stmt *put;
    sqlite3_stmt *drop;
    sqlite3_stmt *write_checkpoint;
    sqlite3_stmt *keep;    /* of a temporal view (past.c) */
    struct sl_buf packed;  /* likewise */
    struct sl_arena arena; /* of one apply: keys, and the order of changes */
};

static enum sl_err store_open(struct sl_env *env, const struct sl_view_store_options *options,
                              struct sl_view_store **out, struct sl_error *error)
{
    struct sl_sqlite_store *made = calloc(1, sizeof *made);

    if (!made)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the view store");
    made->store.ops = &sl_sqlite_view_store;
    const enum sl_err err = sl_sqlite_place_open(&made->place, env, options, "env", error);
    if (err != SL_OK) {
        free(made);
        return err;
    }
    *out = &made->store;
    return SL_OK;
}

static struct written_view *view_of(struct sl_view_store *store, const struct sl_view_shape *shape)
{
    struct written_view *view = ((struct sl_sqlite_store *)store)->views;

    while (view && view->db.schema.shape != shape)
        view = view->next;
    return view;
}

static void finalize_all(struct written_view *view)
{
    (void)sqlite3_finalize(view->put);
    (void)sqlite3_finalize(view->drop);
    (void)sqlite3_finalize(view->write_checkpoint);
    (void)sqlite3_finalize(view->keep);
    view->put = view->drop = view->write_checkpoint = view->keep = NULL;
}

static void free_view(struct written_view *view)
{
    finalize_all(view);
    sl_sqlite_db_close(&view->db);
    sl_arena_close(&view->arena);
    sl_buf_close(&view->packed);
    free(view);
}

static void remove_view(struct sl_view_store *store, struct written_view *view)
{
    struct written_view **link = &((struct sl_sqlite_store *)store)->views;

    while (*link != view)
        link = &(*link)->next;
    *link = view->next;
    free_view(view);
}

/* ---- Attaching ------------------------------------------------------------------------------- */

static enum sl_err begin(struct written_view *view, struct sl_error *error)
{
    return sl_sqlite_exec(&view->db, "BEGIN IMMEDIATE", "begin a transaction", error);
}

/* Ends the transaction that `err` is the outcome of. */
static enum sl_err finish(struct written_view *view, enum sl_err err, struct sl_error *error)
{
    if (err == SL_OK)
        err = sl_sqlite_exec(&view->db, "COMMIT", "commit", error);
    if (err != SL_OK && !sqlite3_get_autocommit(view->db.handle))
        (void)sqlite3_exec(view->db.handle, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

static bool has_checkpoint_table(struct written_view *view)
{
    return sqlite3_table_column_metadata(view->db.handle, "main", "_checkpoint", "digest", NULL,
                                         NULL, NULL, NULL, NULL) == SQLITE_OK;
}

static enum sl_err prepare_all(struct written_view *view, struct sl_error *error)
{
    enum sl_err err;

    if (view->put)
        return SL_OK;
    if ((err = sl_sqlite_prepare(&view->db, view->db.schema.put, &view->put, error)) != SL_OK ||
        (err = sl_sqlite_prepare(&view->db, view->db.schema.drop, &view->drop, error)) != SL_OK)
        return err;
    return sl_sqlite_prepare(&view->db, sl_sqlite_write_checkpoint_sql, &view->write_checkpoint,
                             error);
}

/* Makes empty tables; the number of builds is remembered. */
static enum sl_err start_over(struct written_view *view, uint64_t generation,
                              struct sl_error *error)
{
    const struct sl_checkpoint nothing = {.generation = generation};
    enum sl_err err;

    finalize_all(view);
    if ((err = begin(view, error)) != SL_OK)
        return err;
    if ((err = sl_sqlite_make_tables(&view->db, error)) == SL_OK &&
        (err = prepare_all(view, error)) == SL_OK)
        err = sl_sqlite_write_checkpoint(&view->db, view->write_checkpoint, &nothing, error);
    return finish(view, err, error);
}

static enum sl_err read_state(struct written_view *view, struct sl_checkpoint *out,
                              struct sl_error *error)
{
    struct sl_checkpoint found = {0};
    enum sl_err err;

    const bool made = has_checkpoint_table(view);
    if (!made && sqlite3_errcode(view->db.handle) != SQLITE_ERROR)
        return sl_sqlite_fail(&view->db, sqlite3_errcode(view->db.handle), "read its tables",
                              error);
    if (made && (err = sl_sqlite_read_checkpoint(&view->db, &found, error)) != SL_OK)
        return err;
    if (!made || found.digest != view->db.schema.shape->digest) {
        if ((err = start_over(view, found.generation, error)) != SL_OK)
            return err;
        found = (struct sl_checkpoint){.generation = found.generation};
    }
    *out = found;
    return prepare_all(view, error);
}

/* A view that is in the list is one that was open before, or that could not be opened. */
static enum sl_err attach_new(struct sl_view_store *store, const struct sl_view_shape *shape,
                              struct sl_checkpoint *out, struct sl_error *error)
{
    struct sl_sqlite_store *sqlite = (struct sl_sqlite_store *)store;
    struct written_view *view = calloc(1, sizeof *view);

    if (!view)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a view");
    view->next = sqlite->views;
    sqlite->views = view;
    const enum sl_err err = sl_sqlite_db_open(&view->db, &sqlite->place, shape, false, true, error);
    view->db.schema.shape = shape;
    return err != SL_OK ? err : read_state(view, out, error);
}

static enum sl_err store_attach(struct sl_view_store *store, const struct sl_view_shape *shape,
                                struct sl_checkpoint *out, struct sl_error *error)
{
    struct sl_error found = {0}, damage = {0};
    enum sl_err err;

    if (view_of(store, shape))
        err = sl_fail(&found, SL_CORRUPT, "%s is set aside, the view %s/%s starts over",
                      view_of(store, shape)->db.path, shape->domain, shape->view->name);
    else
        err = attach_new(store, shape, out, &found);
    if (err == SL_CORRUPT) {
        SL_MARK("sqlite: set aside");
        struct written_view *view = view_of(store, shape);
        SL_ASSERT(view);
        damage = found;
        finalize_all(view);
        err = sl_sqlite_db_set_aside(&view->db, &found);
        remove_view(store, view);
        if (err == SL_OK)
            err = attach_new(store, shape, out, &found);
    }
    if (err != SL_OK && view_of(store, shape))
        remove_view(store, view_of(store, shape)); /* the next attach opens it anew */
    if (error && (err != SL_OK || damage.code != SL_OK))
        *error = err != SL_OK ? found : damage;
    return err;
}

static enum sl_err store_clear(struct sl_view_store *store, const struct sl_view_shape *shape,
                               struct sl_error *error)
{
    struct written_view *view = view_of(store, shape);
    struct sl_checkpoint found = {0};

    SL_ASSERT(view);
    const enum sl_err err = sl_sqlite_read_checkpoint(&view->db, &found, error);
    return err != SL_OK ? err : start_over(view, found.generation, error);
}

/* ---- Applying -------------------------------------------------------------------------------- */

/* A change and what it is sorted by: neighbours in the table are neighbours in the work, which is
 * what makes a large table quick. */
struct ordered {
    int64_t number;
    const struct sl_row_change *change;
};

static int by_version(const void *a, const void *b)
{
    const uint64_t left = ((const struct ordered *)a)->change->version;
    const uint64_t right = ((const struct ordered *)b)->change->version;

    return (left > right) - (left < right);
}

static int by_number(const void *a, const void *b)
{
    const int64_t left = ((const struct ordered *)a)->number;
    const int64_t right = ((const struct ordered *)b)->number;

    return left != right ? (left > right) - (left < right) : by_version(a, b);
}

static int by_key(const void *a, const void *b)
{
    const struct sl_text left = ((const struct ordered *)a)->change->key;
    const struct sl_text right = ((const struct ordered *)b)->change->key;
    const int order = memcmp(left.ptr, right.ptr, left.len < right.len ? left.len : right.len);

    if (order != 0 || left.len != right.len)
        return order != 0 ? order : (left.len > right.len) - (left.len < right.len);
    return by_version(a, b);
}

static struct ordered *in_order(struct written_view *view, const struct sl_row_change *changes,
                                size_t count)
{
    const bool numbers = view->db.schema.integer_key;
    const struct sl_field *key = view->db.schema.shape->key.fields[0];
    struct ordered *out = sl_arena_take(&view->arena, count * sizeof *out);
    bool sorted = true;

    if (!out)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        out[i] = (struct ordered){0, &changes[i]};
        if (numbers && changes[i].row)
            out[i].number = sl_sqlite_integer(key, changes[i].row);
        else if (numbers && !sl_value_read_i64(changes[i].key, &out[i].number))
            out[i].number = 0;
        if (i > 0 && (numbers ? by_number(&out[i - 1], &out[i]) : by_key(&out[i - 1], &out[i])) > 0)
            sorted = false;
    }
    if (!sorted)
        qsort(out, count, sizeof *out, numbers ? by_number : by_key);
    return out;
}

static enum sl_err put_row(struct written_view *view, const struct sl_row_change *change,
                           struct sl_error *error)
{
    const struct sl_record *record = view->db.schema.shape->view->record;
    int at = 1, code = SQLITE_OK;

    sl_sqlite_bind_start(&view->db.binder, view->put);
    for (uint32_t i = 0; i < record->field_count && code == SQLITE_OK; i++) {
        code = sl_sqlite_bind(&view->db.binder, at, &record->fields[i], change->row);
        at += sl_sqlite_column_count(&record->fields[i]);
    }
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(view->put, at++, (int64_t)change->version);
    if (code == SQLITE_OK && sl_sqlite_has_cell(&view->db.schema))
        code = sl_sqlite_near_bind(&view->db.schema, view->put, at, change->row);
    if (code == SQLITE_OK)
        code = sqlite3_step(view->put);
    (void)sqlite3_reset(view->put);
    return code == SQLITE_DONE ? SL_OK : sl_sqlite_fail(&view->db, code, "write a row", error);
}

static enum sl_err drop_row(struct written_view *view, struct sl_text key, struct sl_error *error)
{
    const enum sl_err err = sl_sqlite_bind_key(&view->db, view->drop, key, &view->arena, error);

    if (err != SL_OK)
        return err;
    const int code = sqlite3_step(view->drop);
    (void)sqlite3_reset(view->drop);
    return code == SQLITE_DONE ? SL_OK : sl_sqlite_fail(&view->db, code, "remove a row", error);
}

/* Of a temporal view all changes are kept, and the last of a row's is the row. */
static enum sl_err apply_change(struct written_view *view, const struct ordered *ordered,
                                size_t left, struct sl_error *error)
{
    const struct sl_row_change *change = ordered->change;
    enum sl_err err;

    if (view->db.schema.shape->view->temporal) {
        err = sl_sqlite_past_keep(&view->db, &view->keep, &view->packed, change, error);
        if (err != SL_OK || (left > 0 && sl_text_equals(ordered[1].change->key, change->key)))
            return err;
    }
    return change->row ? put_row(view, change, error) : drop_row(view, change->key, error);
}

static enum sl_err store_apply(struct sl_view_store *store, const struct sl_view_shape *shape,
                               const struct sl_row_change *changes, size_t count,
                               const struct sl_checkpoint *checkpoint, struct sl_error *error)
{
    struct written_view *view = view_of(store, shape);
    enum sl_err err;

    SL_ASSERT(view);
    if (view->db.damaged)
        return sl_fail(error, SL_CORRUPT, "%s is damaged", view->db.path);
    view->arena.bytes_max = SIZE_MAX;
    const struct ordered *ordered = count > 0 ? in_order(view, changes, count) : NULL;
    if (count > 0 && !ordered)
        return sl_fail(error, SL_NO_MEMORY, "%s: no memory for %zu rows", view->db.path, count);
    err = begin(view, error);
    if (err == SL_OK) {
        for (size_t i = 0; i < count && err == SL_OK; i++)
            err = apply_change(view, &ordered[i], count - i - 1, error);
        if (err == SL_OK)
            err = sl_sqlite_write_checkpoint(&view->db, view->write_checkpoint, checkpoint, error);
        err = finish(view, err, error);
    }
    sl_arena_reset(&view->arena);
    return err;
}

/* ---- Builds beside one another --------------------------------------------------------------- */

bool sl_sqlite_is_attached(const struct sl_view_store *store, const struct sl_view_shape *shape,
                           uint64_t build)
{
    const struct written_view *view = ((const struct sl_sqlite_store *)store)->views;

    for (; view; view = view->next) {
        const struct sl_view_shape *known = view->db.schema.shape;
        if (known->build == build && strcmp(known->view->name, shape->view->name) == 0 &&
            strcmp(known->domain, shape->domain) == 0)
            return true;
    }
    return false;
}

static enum sl_err store_settle(struct sl_view_store *store, const struct sl_view_shape *shape,
                                struct sl_error *error)
{
    struct written_view *view = view_of(store, shape);

    SL_ASSERT(view);
    return view->db.damaged ? sl_fail(error, SL_CORRUPT, "%s is damaged", view->db.path)
                            : sl_sqlite_settle(&view->db, error);
}

static enum sl_err store_serve(struct sl_view_store *store, const struct sl_view_shape *shape,
                               struct sl_error *error)
{
    const enum sl_err err = store_settle(store, shape, error);

    return err != SL_OK ? err : sl_sqlite_point_at(store, shape, error);
}

static enum sl_err store_discard(struct sl_view_store *store, const struct sl_view_shape *shape,
                                 struct sl_error *error)
{
    struct written_view *view = view_of(store, shape);

    if (view) {
        /* Nobody wants what its log would bring into it. */
        (void)sqlite3_db_config(view->db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
        remove_view(store, view);
    }
    return sl_sqlite_remove_build(store, shape, error);
}

static void store_close(struct sl_view_store *store)
{
    struct sl_sqlite_store *sqlite = (struct sl_sqlite_store *)store;

    for (struct written_view *view = sqlite->views, *next; view; view = next) {
        next = view->next;
        free_view(view);
    }
    sl_sqlite_place_close(&sqlite->place);
    free(sqlite);
}

const struct sl_view_store_ops sl_sqlite_view_store = {
    .abi = SL_VIEW_STORE_ABI,
    .scheme = "sqlite",
    .capabilities = SL_VIEWS_LIST | SL_VIEWS_SEARCH | SL_VIEWS_GENERATIONS | SL_VIEWS_AGGREGATES |
                    SL_VIEWS_NEAR | SL_VIEWS_TEMPORAL,
    .open = store_open,
    .attach = store_attach,
    .apply = store_apply,
    .clear = store_clear,
    .serving = sl_sqlite_serving,
    .settle = store_settle,
    .serve = store_serve,
    .discard = store_discard,
    .forget = sl_sqlite_reader_forget,
    .reader_open = sl_sqlite_reader_open,
    .begin = sl_sqlite_reader_begin,
    .end = sl_sqlite_reader_end,
    .lookup = sl_sqlite_reader_lookup,
    .lookup_at = sl_sqlite_reader_lookup_at,
    .list = sl_sqlite_reader_list,
    .aggregate = sl_sqlite_reader_aggregate,
    .near = sl_sqlite_reader_near,
    .reader_close = sl_sqlite_reader_close,
    .close = store_close,
};
