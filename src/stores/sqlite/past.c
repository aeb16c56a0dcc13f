/*
 * Rows as they were: each version of each row of a temporal view, packed, beside the table of the
 * rows as they are and in the same transactions (V1). A version is in force from its own position
 * up to the next one of its key; one without bytes says that there was no row.
 */
#include "stores/sqlite/parts.h"

#include "record/pack.h"

const char sl_sqlite_past_create[] =
    "CREATE TABLE \"_kept\" (\"_key\" TEXT NOT NULL, \"_version\" INTEGER NOT NULL, \"_row\" "
    "BLOB, PRIMARY KEY (\"_key\", \"_version\")) WITHOUT ROWID;\n";

/* A transaction of which nobody knew whether it was committed is applied again. */
static const char keep_sql[] =
    "REPLACE INTO \"_kept\" (\"_key\", \"_version\", \"_row\") VALUES (?1, ?2, ?3)";
static const char lookup_sql[] =
    "SELECT \"_version\", \"_row\" FROM \"_kept\" WHERE \"_key\" = ?1 AND \"_version\" <= ?2 "
    "ORDER BY \"_version\" DESC LIMIT 1";

/* SQLite's integers are signed, and so is their order. */
static int64_t bounded(uint64_t version)
{
    return version < INT64_MAX ? (int64_t)version : INT64_MAX;
}

enum sl_err sl_sqlite_past_keep(struct sl_sqlite_db *db, sqlite3_stmt **keep, struct sl_buf *packed,
                                const struct sl_row_change *change, struct sl_error *error)
{
    enum sl_err err;

    if (!*keep && (err = sl_sqlite_prepare(db, keep_sql, keep, error)) != SL_OK)
        return err;
    (void)sqlite3_bind_text(*keep, 1, change->key.ptr, (int)change->key.len, SQLITE_STATIC);
    (void)sqlite3_bind_int64(*keep, 2, bounded(change->version));
    (void)sqlite3_bind_null(*keep, 3);
    if (change->row) {
        sl_buf_reset(packed);
        sl_pack(packed, db->schema.shape->view->record, change->row);
        if (packed->failed)
            return sl_fail(error, SL_NO_MEMORY, "%s: no memory for a row", db->path);
        (void)sqlite3_bind_blob(*keep, 3, packed->ptr, (int)packed->len, SQLITE_STATIC);
    }
    const int code = sqlite3_step(*keep);
    (void)sqlite3_reset(*keep);
    return code == SQLITE_DONE ? SL_OK : sl_sqlite_fail(db, code, "keep a row as it was", error);
}

/* The packed row on which the statement stands. */
static enum sl_err unpack(struct sl_sqlite_db *db, sqlite3_stmt *stmt, struct sl_arena *arena,
                          struct sl_row_found *found, struct sl_error *error)
{
    const struct sl_record *record = db->schema.shape->view->record;
    const struct sl_slice bytes = {sqlite3_column_blob(stmt, 1),
                                   (size_t)sqlite3_column_bytes(stmt, 1)};
    struct sl_error why = {0};

    found->version = (uint64_t)sqlite3_column_int64(stmt, 0);
    if (sqlite3_column_type(stmt, 1) == SQLITE_NULL)
        return SL_OK;
    const struct sl_slice copy = sl_arena_slice(arena, bytes);
    void *row = sl_arena_zeroed(arena, 1, record->size);
    if (!row || (!copy.ptr && bytes.len > 0))
        return sl_fail(error, SL_NO_MEMORY, "no memory for a row");
    const enum sl_err err = sl_unpack(record, copy, arena, row, &why);
    if (err == SL_CORRUPT)
        return sl_sqlite_fail(db, SQLITE_CORRUPT, "read a row as it was", error);
    found->row = err == SL_OK ? row : NULL;
    return err == SL_OK ? SL_OK : sl_fail(error, err, "no memory for a row");
}

enum sl_err sl_sqlite_past_lookup(struct sl_sqlite_db *db, sqlite3_stmt **lookup, uint64_t position,
                                  struct sl_row_found *found, struct sl_arena *arena,
                                  struct sl_error *error)
{
    enum sl_err err = SL_OK;

    if (!*lookup && (err = sl_sqlite_prepare(db, lookup_sql, lookup, error)) != SL_OK)
        return err;
    (void)sqlite3_bind_text(*lookup, 1, found->key.ptr, (int)found->key.len, SQLITE_STATIC);
    (void)sqlite3_bind_int64(*lookup, 2, bounded(position));
    const int code = sqlite3_step(*lookup);
    if (code == SQLITE_ROW)
        err = unpack(db, *lookup, arena, found, error);
    else if (code != SQLITE_DONE)
        err = sl_sqlite_fail(db, code, "look a row up as it was", error);
    (void)sqlite3_reset(*lookup);
    return err;
}
