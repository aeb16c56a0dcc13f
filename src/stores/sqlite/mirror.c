/*
 * A mirror in SQLite ("denormalised SQL"): a copy of each view's finished rows in a file of its
 * own, for programs that want SQL and nothing else. Its files are DOMAIN.VIEW.db in the location
 * folder.
 *
 * A row that is gone stays as a row marked `_deleted`, its values NULL, so that an older version
 * that comes late still loses. A damaged file is set aside, and the copy starts anew.
 */
#include "stores/sqlite/db.h"
#include "stores/sqlite/sqlite.h"

#include <stdlib.h>

struct mirror_view {
    struct mirror_view *next;
    const struct sl_view_shape *shape;
    struct sl_sqlite_db db;
    sqlite3_stmt *put;
    sqlite3_stmt *drop;
    sqlite3_stmt *write_checkpoint;
    struct sl_arena arena; /* of one put: keys */
};

struct sqlite_mirror {
    struct sl_mirror mirror;
    struct sl_sqlite_place place;
    struct mirror_view *views;
};

static enum sl_err mirror_open(struct sl_env *env, const struct sl_view_store_options *options,
                               struct sl_mirror **out, struct sl_error *error)
{
    struct sqlite_mirror *made = calloc(1, sizeof *made);

    if (!made)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a mirror");
    made->mirror.ops = &sl_sqlite_mirror;
    /* Other programs read it: with SQLite's own locks, unless the setting says otherwise. */
    const enum sl_err err = sl_sqlite_place_open(&made->place, env, options, "system", error);
    if (err != SL_OK) {
        free(made);
        return err;
    }
    *out = &made->mirror;
    return SL_OK;
}

static void finalize_all(struct mirror_view *view)
{
    (void)sqlite3_finalize(view->put);
    (void)sqlite3_finalize(view->drop);
    (void)sqlite3_finalize(view->write_checkpoint);
    view->put = view->drop = view->write_checkpoint = NULL;
}

static void close_view(struct mirror_view *view)
{
    finalize_all(view);
    sl_sqlite_db_close(&view->db);
}

/* The view with its file open. One that is damaged is set aside first. */
static enum sl_err view_of(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                           struct mirror_view **out, struct sl_error *error)
{
    struct sqlite_mirror *sqlite = (struct sqlite_mirror *)mirror;
    struct mirror_view *view = sqlite->views;
    enum sl_err err;

    while (view && view->shape != shape)
        view = view->next;
    if (!view) {
        view = calloc(1, sizeof *view);
        if (!view)
            return sl_fail(error, SL_NO_MEMORY, "no memory for a view");
        view->shape = shape;
        view->next = sqlite->views;
        sqlite->views = view;
    }
    if (view->db.damaged) {
        finalize_all(view);
        if ((err = sl_sqlite_db_set_aside(&view->db, error)) != SL_OK)
            return err;
    }
    if (!view->db.handle) {
        err = sl_sqlite_db_open(&view->db, &sqlite->place, shape, true, true, error);
        if (err != SL_OK) {
            const bool damaged = view->db.damaged;
            if (!damaged || sl_sqlite_db_set_aside(&view->db, error) != SL_OK)
                close_view(view);
            return err;
        }
    }
    *out = view;
    return SL_OK;
}

static enum sl_err begin(struct mirror_view *view, struct sl_error *error)
{
    return sl_sqlite_exec(&view->db, "BEGIN IMMEDIATE", "begin a transaction", error);
}

static enum sl_err finish(struct mirror_view *view, enum sl_err err, struct sl_error *error)
{
    if (err == SL_OK)
        err = sl_sqlite_exec(&view->db, "COMMIT", "commit", error);
    if (err != SL_OK && !sqlite3_get_autocommit(view->db.handle))
        (void)sqlite3_exec(view->db.handle, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

/* Zeroed where the file has no table yet. */
static enum sl_err read_checkpoint(struct mirror_view *view, struct sl_checkpoint *out,
                                   struct sl_error *error)
{
    *out = (struct sl_checkpoint){0};
    if (sqlite3_table_column_metadata(view->db.handle, "main", "_checkpoint", "digest", NULL, NULL,
                                      NULL, NULL, NULL) == SQLITE_OK)
        return sl_sqlite_read_checkpoint(&view->db, out, error);
    const int code = sqlite3_errcode(view->db.handle);
    return code == SQLITE_ERROR ? SL_OK : sl_sqlite_fail(&view->db, code, "read its tables", error);
}

static enum sl_err mirror_checkpoint(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                                     struct sl_checkpoint *out, struct sl_error *error)
{
    struct sl_checkpoint found = {0};
    struct mirror_view *view;
    enum sl_err err;

    if ((err = view_of(mirror, shape, &view, error)) != SL_OK ||
        (err = read_checkpoint(view, &found, error)) != SL_OK)
        return err;
    /* A copy with other columns is none. */
    if (found.digest != shape->digest)
        found = (struct sl_checkpoint){0};
    *out = found;
    return SL_OK;
}

static enum sl_err prepare_all(struct mirror_view *view, struct sl_error *error)
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

static enum sl_err mirror_start(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                                const struct sl_checkpoint *checkpoint, struct sl_error *error)
{
    struct mirror_view *view;
    enum sl_err err;

    if ((err = view_of(mirror, shape, &view, error)) != SL_OK)
        return err;
    finalize_all(view);
    if ((err = begin(view, error)) != SL_OK)
        return err;
    if ((err = sl_sqlite_make_tables(&view->db, error)) == SL_OK &&
        (err = prepare_all(view, error)) == SL_OK)
        err = sl_sqlite_write_checkpoint(&view->db, view->write_checkpoint, checkpoint, error);
    return finish(view, err, error);
}

static enum sl_err change_row(struct mirror_view *view, const struct sl_row_change *change,
                              struct sl_error *error)
{
    const struct sl_record *record = view->shape->view->record;
    sqlite3_stmt *stmt = change->row ? view->put : view->drop;
    int at = 1, code = SQLITE_OK;

    if (change->row) {
        sl_sqlite_bind_start(&view->db.binder, stmt);
        for (uint32_t i = 0; i < record->field_count && code == SQLITE_OK; i++) {
            code = sl_sqlite_bind(&view->db.binder, at, &record->fields[i], change->row);
            at += sl_sqlite_column_count(&record->fields[i]);
        }
    } else {
        const enum sl_err err =
            sl_sqlite_bind_key(&view->db, stmt, change->key, &view->arena, error);
        if (err != SL_OK)
            return err;
        at += (int)view->shape->key.count;
    }
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(stmt, at, (int64_t)change->version);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    (void)sqlite3_reset(stmt);
    return code == SQLITE_DONE ? SL_OK : sl_sqlite_fail(&view->db, code, "write a row", error);
}

static bool same_copy(const struct sl_checkpoint *a, const struct sl_checkpoint *b)
{
    return sl_uuid_equals(a->log, b->log) && a->salt == b->salt && a->generation == b->generation &&
           a->digest == b->digest;
}

static enum sl_err put_all(struct mirror_view *view, const struct sl_row_change *changes,
                           size_t count, const struct sl_checkpoint *checkpoint,
                           struct sl_error *error)
{
    struct sl_checkpoint found = {0};
    enum sl_err err = read_checkpoint(view, &found, error);

    if (err == SL_OK && !same_copy(&found, checkpoint))
        return sl_fail(error, SL_CONFLICT, "%s is a copy of another build of the view",
                       view->db.path);
    if (err == SL_OK)
        err = prepare_all(view, error);
    for (size_t i = 0; i < count && err == SL_OK; i++)
        err = change_row(view, &changes[i], error);
    if (err == SL_OK && checkpoint->position > found.position)
        err = sl_sqlite_write_checkpoint(&view->db, view->write_checkpoint, checkpoint, error);
    return err;
}

static enum sl_err mirror_put(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                              const struct sl_row_change *changes, size_t count,
                              const struct sl_checkpoint *checkpoint, struct sl_error *error)
{
    struct mirror_view *view;
    enum sl_err err;

    if ((err = view_of(mirror, shape, &view, error)) != SL_OK ||
        (err = begin(view, error)) != SL_OK)
        return err;
    err = finish(view, put_all(view, changes, count, checkpoint, error), error);
    sl_arena_reset(&view->arena);
    return err;
}

static enum sl_err mirror_lookup(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                                 struct sl_row_found *found, size_t count, struct sl_arena *arena,
                                 struct sl_checkpoint *out, struct sl_error *error)
{
    struct sl_checkpoint checkpoint = {0};
    struct mirror_view *view;
    enum sl_err err;

    if ((err = view_of(mirror, shape, &view, error)) != SL_OK ||
        (err = read_checkpoint(view, &checkpoint, error)) != SL_OK)
        return err;
    if (checkpoint.digest == shape->digest)
        err = sl_sqlite_lookup(&view->db, found, count, arena, error);
    if (err == SL_OK)
        *out = checkpoint.digest == shape->digest ? checkpoint : (struct sl_checkpoint){0};
    return err;
}

static void mirror_close(struct sl_mirror *mirror)
{
    struct sqlite_mirror *sqlite = (struct sqlite_mirror *)mirror;

    for (struct mirror_view *view = sqlite->views, *next; view; view = next) {
        next = view->next;
        close_view(view);
        sl_arena_close(&view->arena);
        free(view);
    }
    sl_sqlite_place_close(&sqlite->place);
    free(sqlite);
}

const struct sl_mirror_ops sl_sqlite_mirror = {
    .abi = SL_MIRROR_ABI,
    .scheme = "sqlite-mirror",
    .open = mirror_open,
    .checkpoint = mirror_checkpoint,
    .start = mirror_start,
    .put = mirror_put,
    .lookup = mirror_lookup,
    .close = mirror_close,
};
