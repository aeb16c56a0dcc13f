#include "stores/sqlite/db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/value.h"

enum { APPLICATION_ID = 0x534c5657, /* "SLVW" */ FORMAT_VERSION = 1 };

const char sl_sqlite_write_checkpoint_sql[] =
    "REPLACE INTO \"_checkpoint\" (\"only\", \"log\", \"salt\", \"position\", \"generation\", "
    "\"digest\") VALUES (1, ?1, ?2, ?3, ?4, ?5)";

/* ---- Where files are ------------------------------------------------------------------------- */

static const char *setting(const struct sl_view_store_options *options, const char *key)
{
    return options->setting ? options->setting(options->context, key) : NULL;
}

/* Outside of the env VFS nobody sees our locks: so one process alone may have the folder. */
static enum sl_err lock_folder(struct sl_sqlite_place *place, struct sl_error *error)
{
    char path[SL_SQLITE_PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/lock", place->folder);
    const enum sl_err err =
        sl_disk_open(place->env, path, SL_OPEN_WRITE | SL_OPEN_CREATE, &place->lock, error);
    return err != SL_OK ? err : sl_file_lock(place->lock, error);
}

enum sl_err sl_sqlite_place_open(struct sl_sqlite_place *place, struct sl_env *env,
                                 const struct sl_view_store_options *options, const char *vfs,
                                 struct sl_error *error)
{
    const char *chosen = setting(options, "vfs");
    const char *cache = setting(options, "cache_kib");
    enum sl_err err;

    *place = (struct sl_sqlite_place){.env = env, .cache_kib = 65536};
    if (chosen)
        vfs = chosen;
    if (strcmp(vfs, "env") != 0 && strcmp(vfs, "system") != 0)
        return sl_fail(error, SL_INVALID, "vfs = %s: must be env or system", vfs);
    if (cache && (!sl_value_read_i64((struct sl_text){cache, strlen(cache)}, &place->cache_kib) ||
                  place->cache_kib < 64 || place->cache_kib > 64 << 20))
        return sl_fail(error, SL_INVALID, "cache_kib = %s: must lie between 64 and 67108864",
                       cache);
    if (strlen(options->location) >= sizeof place->folder)
        return sl_fail(error, SL_INVALID, "the folder's name is longer than %d bytes",
                       SL_SQLITE_PATH_MAX);
    memcpy(place->folder, options->location, strlen(options->location));
    if ((err = sl_disk_make_folder(env, place->folder, error)) != SL_OK)
        return err;
    if (strcmp(vfs, "env") == 0 && ((err = sl_sqlite_vfs_new(env, &place->vfs, error)) != SL_OK ||
                                    (err = lock_folder(place, error)) != SL_OK))
        sl_sqlite_place_close(place);
    return err;
}

void sl_sqlite_place_close(struct sl_sqlite_place *place)
{
    sl_sqlite_vfs_free(place->vfs);
    sl_file_close(place->lock);
    *place = (struct sl_sqlite_place){0};
}

/* ---- Failures -------------------------------------------------------------------------------- */

enum sl_err sl_sqlite_fail(struct sl_sqlite_db *db, int code, const char *what,
                           struct sl_error *error)
{
    const char *why = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);

    switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        SL_MARK("sqlite: damaged file");
        db->damaged = true;
        return sl_fail(error, SL_CORRUPT, "%s: cannot %s: %s", db->path, what, why);
    case SQLITE_NOMEM:
        return sl_fail(error, SL_NO_MEMORY, "%s: cannot %s: no memory", db->path, what);
    case SQLITE_FULL:
        return sl_fail(error, SL_LIMIT, "%s: cannot %s: the disk is full", db->path, what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return sl_fail(error, SL_BUSY, "%s: cannot %s: %s", db->path, what, why);
    case SQLITE_ERROR:
        return sl_fail(error, SL_INVALID, "%s: cannot %s: %s", db->path, what, why);
    default:
        errno = errno != 0 ? errno : EIO;
        return sl_fail(error, SL_IO, "%s: cannot %s: %s", db->path, what, why);
    }
}

enum sl_err sl_sqlite_exec(struct sl_sqlite_db *db, const char *sql, const char *what,
                           struct sl_error *error)
{
    const int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? SL_OK : sl_sqlite_fail(db, code, what, error);
}

enum sl_err sl_sqlite_prepare(struct sl_sqlite_db *db, const char *sql, sqlite3_stmt **out,
                              struct sl_error *error)
{
    const int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

    return code == SQLITE_OK ? SL_OK : sl_sqlite_fail(db, code, "prepare a statement", error);
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* One number that a PRAGMA tells. */
static enum sl_err ask(struct sl_sqlite_db *db, const char *pragma, int64_t *out,
                       struct sl_error *error)
{
    sqlite3_stmt *stmt = NULL;
    enum sl_err err = sl_sqlite_prepare(db, pragma, &stmt, error);

    if (err != SL_OK)
        return err;
    const int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    else
        err = sl_sqlite_fail(db, code, "read the file's head", error);
    (void)sqlite3_finalize(stmt);
    return err;
}

static enum sl_err check_format(struct sl_sqlite_db *db, struct sl_error *error)
{
    int64_t id = 0, version = 0;
    enum sl_err err;

    if ((err = ask(db, "PRAGMA application_id", &id, error)) != SL_OK ||
        (err = ask(db, "PRAGMA user_version", &version, error)) != SL_OK)
        return err;
    if (id != 0 && id != APPLICATION_ID)
        return sl_fail(error, SL_UNSUPPORTED, "%s is a database of another program: move it away",
                       db->path);
    if (version > FORMAT_VERSION)
        return sl_fail(error, SL_UNSUPPORTED,
                       "%s has format %lld, this program knows %d: use a newer program, or delete "
                       "the file to have the view rebuilt",
                       db->path, (long long)version, FORMAT_VERSION);
    return SL_OK;
}

static enum sl_err configure(struct sl_sqlite_db *db, bool writer, struct sl_error *error)
{
    char pragmas[512];

    /* synchronous = NORMAL: a power loss may take the last transactions back, whole and in reverse
     * order, which a view makes up for from the log (P7, V1). */
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA temp_store = MEMORY; PRAGMA synchronous = NORMAL; "
             "PRAGMA cache_size = -%lld; %s",
             (long long)(writer ? db->place->cache_kib : db->place->cache_kib / 8),
             writer ? "PRAGMA wal_autocheckpoint = 16000; PRAGMA journal_size_limit = 67108864; "
                      "PRAGMA journal_mode = WAL;"
                    : "PRAGMA query_only = ON;");
    return sl_sqlite_exec(db, pragmas, "configure it", error);
}

enum sl_err sl_sqlite_db_open(struct sl_sqlite_db *db, const struct sl_sqlite_place *place,
                              const struct sl_view_shape *shape, bool mirror, bool writer,
                              struct sl_error *error)
{
    /* A reader opens for writing, too: it may be the one to recover the WAL's index. */
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                      (writer ? SQLITE_OPEN_CREATE : 0);
    enum sl_err err;

    *db = (struct sl_sqlite_db){.place = place};
    int len = 0;
    sl_sqlite_build_path(place, shape, db->path, sizeof db->path, &len);
    if (len < 0 || (size_t)len >= sizeof db->path)
        return sl_fail(error, SL_INVALID, "the name of view %s/%s is too long", shape->domain,
                       shape->view->name);
    if ((err = sl_sqlite_schema_init(&db->schema, shape, mirror, &db->arena, error)) != SL_OK)
        return err;
    if (!sl_sqlite_binder_init(&db->binder, shape->view->record) ||
        sl_json_parser_new(&db->parser) != SL_OK)
        return sl_fail(error, SL_NO_MEMORY, "%s: no memory", db->path);
    const int code = sqlite3_open_v2(db->path, &db->handle, flags,
                                     place->vfs ? sl_sqlite_vfs_name(place->vfs) : NULL);
    if (code != SQLITE_OK)
        return sl_sqlite_fail(db, code, "open it", error);
    sqlite3_busy_timeout(db->handle, 5000);
    if ((err = check_format(db, error)) != SL_OK)
        return err;
    return configure(db, writer, error);
}

void sl_sqlite_db_close(struct sl_sqlite_db *db)
{
    (void)sqlite3_finalize(db->lookup);
    (void)sqlite3_finalize(db->read_checkpoint);
    if (db->handle)
        SL_ASSERT(sqlite3_close(db->handle) == SQLITE_OK); /* a statement was left */
    sl_json_parser_free(db->parser);
    sl_sqlite_binder_close(&db->binder);
    sl_arena_close(&db->arena);
    *db = (struct sl_sqlite_db){0};
}

enum sl_err sl_sqlite_db_set_aside(struct sl_sqlite_db *db, struct sl_error *error)
{
    static const char *const tails[] = {"-wal", "-journal", "-shm", ""};
    const struct sl_sqlite_place *place = db->place;
    char from[sizeof db->path + 16], to[sizeof db->path + 32], path[sizeof db->path];

    memcpy(path, db->path, sizeof path);
    if (place->vfs)
        sl_sqlite_vfs_part(place->vfs, path);
    /* Its log must not be written back on closing: it might be what is damaged. */
    if (db->handle)
        (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    sl_sqlite_db_close(db);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        snprintf(from, sizeof from, "%s%s", path, tails[i]);
        snprintf(to, sizeof to, "%s.damaged%s", path, tails[i]);
        const enum sl_err err = sl_disk_rename(place->env, from, to, error);
        if (err != SL_OK && err != SL_NOT_FOUND)
            return err;
    }
    return sl_disk_sync_folder(place->env, place->folder, error);
}

/* ---- Tables ---------------------------------------------------------------------------------- */

static enum sl_err drop_tables(struct sl_sqlite_db *db, struct sl_error *error)
{
    /* Virtual tables first: dropping one drops its shadow tables. */
    static const char next[] =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name "
        "<> '_checkpoint' ORDER BY sql NOT LIKE 'CREATE VIRTUAL%' LIMIT 1";
    enum sl_err err = SL_OK;

    for (;;) {
        sqlite3_stmt *stmt = NULL;
        if ((err = sl_sqlite_prepare(db, next, &stmt, error)) != SL_OK)
            return err;
        const int code = sqlite3_step(stmt);
        char *drop = code == SQLITE_ROW
                         ? sqlite3_mprintf("DROP TABLE \"%w\"", sqlite3_column_text(stmt, 0))
                         : NULL;
        (void)sqlite3_finalize(stmt);
        if (code == SQLITE_DONE)
            return SL_OK;
        if (code != SQLITE_ROW || !drop)
            return sl_sqlite_fail(db, code == SQLITE_ROW ? SQLITE_NOMEM : code, "list its tables",
                                  error);
        err = sl_sqlite_exec(db, drop, "drop a table", error);
        sqlite3_free(drop);
        if (err != SL_OK)
            return err;
    }
}

enum sl_err sl_sqlite_make_tables(struct sl_sqlite_db *db, struct sl_error *error)
{
    char head[512];
    enum sl_err err;

    snprintf(head, sizeof head,
             "PRAGMA application_id = %d; PRAGMA user_version = %d; CREATE TABLE IF NOT EXISTS "
             "\"_checkpoint\" (\"only\" INTEGER PRIMARY KEY, \"log\" TEXT, \"salt\" INTEGER, "
             "\"position\" INTEGER, \"generation\" INTEGER, \"digest\" INTEGER);",
             APPLICATION_ID, FORMAT_VERSION);
    if ((err = drop_tables(db, error)) != SL_OK ||
        (err = sl_sqlite_exec(db, head, "make its tables", error)) != SL_OK)
        return err;
    return sl_sqlite_exec(db, db->schema.create, "make its tables", error);
}

/* ---- Checkpoints ----------------------------------------------------------------------------- */

enum sl_err sl_sqlite_read_checkpoint(struct sl_sqlite_db *db, struct sl_checkpoint *out,
                                      struct sl_error *error)
{
    static const char sql[] = "SELECT \"log\", \"salt\", \"position\", \"generation\", \"digest\" "
                              "FROM \"_checkpoint\" WHERE \"only\" = 1";
    struct sl_checkpoint found = {0};
    enum sl_err err = SL_OK;

    if (!db->read_checkpoint &&
        (err = sl_sqlite_prepare(db, sql, &db->read_checkpoint, error)) != SL_OK)
        return err;
    sqlite3_stmt *stmt = db->read_checkpoint;
    const int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        const char *log = (const char *)sqlite3_column_text(stmt, 0);
        const size_t len = (size_t)sqlite3_column_bytes(stmt, 0);
        found.generation = (uint64_t)sqlite3_column_int64(stmt, 3);
        if (log && !sl_value_read_uuid((struct sl_text){log, len}, &found.log))
            err = sl_sqlite_fail(db, SQLITE_CORRUPT, "read its checkpoint", error);
        if (log && err == SL_OK) {
            found.salt = (uint64_t)sqlite3_column_int64(stmt, 1);
            found.position = (uint64_t)sqlite3_column_int64(stmt, 2);
            found.digest = (uint64_t)sqlite3_column_int64(stmt, 4);
        }
    } else if (code != SQLITE_DONE) {
        err = sl_sqlite_fail(db, code, "read its checkpoint", error);
    }
    (void)sqlite3_reset(stmt);
    if (err == SL_OK)
        *out = found;
    return err;
}

enum sl_err sl_sqlite_write_checkpoint(struct sl_sqlite_db *db, sqlite3_stmt *stmt,
                                       const struct sl_checkpoint *checkpoint,
                                       struct sl_error *error)
{
    uint8_t bytes[40];
    struct sl_buf text = {.ptr = bytes, .capacity = sizeof bytes};

    if (sl_checkpoint_exists(checkpoint)) {
        sl_value_write_uuid(&text, checkpoint->log);
        (void)sqlite3_bind_text(stmt, 1, (const char *)bytes, (int)text.len, SQLITE_STATIC);
    } else {
        (void)sqlite3_bind_null(stmt, 1);
    }
    (void)sqlite3_bind_int64(stmt, 2, (int64_t)checkpoint->salt);
    (void)sqlite3_bind_int64(stmt, 3, (int64_t)checkpoint->position);
    (void)sqlite3_bind_int64(stmt, 4, (int64_t)checkpoint->generation);
    (void)sqlite3_bind_int64(stmt, 5, (int64_t)checkpoint->digest);
    const int code = sqlite3_step(stmt);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return code == SQLITE_DONE ? SL_OK : sl_sqlite_fail(db, code, "write its checkpoint", error);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

enum sl_err sl_sqlite_bind_key(struct sl_sqlite_db *db, sqlite3_stmt *stmt, struct sl_text key,
                               struct sl_arena *arena, struct sl_error *error)
{
    const struct sl_place *place = &db->schema.shape->key;
    void *item = sl_arena_zeroed(arena, 1, db->schema.loose->size);
    enum sl_err err;

    if (!item)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a key");
    if ((err = sl_place_read(place, key, arena, item, error)) != SL_OK)
        return err;
    sl_sqlite_bind_start(&db->binder, stmt);
    for (uint32_t i = 0; i < place->count; i++) {
        const int code = sl_sqlite_bind(&db->binder, (int)i + 1, place->fields[i], item);
        if (code != SQLITE_OK)
            return sl_sqlite_fail(db, code, "bind a key", error);
    }
    return SL_OK;
}

enum sl_err sl_sqlite_read_row(struct sl_sqlite_db *db, sqlite3_stmt *stmt, struct sl_arena *arena,
                               struct sl_row_found *out, struct sl_error *error)
{
    const struct sl_record *loose = db->schema.loose;
    void *row = sl_arena_zeroed(arena, 1, loose->size);
    int column = 0;

    if (!row)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a row");
    for (uint32_t i = 0; i < loose->field_count; i++) {
        const enum sl_err err = sl_sqlite_read(stmt, column, loose, i, db->parser, arena, row);
        if (err == SL_CORRUPT)
            return sl_sqlite_fail(db, SQLITE_CORRUPT, loose->fields[i].name, error);
        if (err != SL_OK)
            return sl_fail(error, err, "no memory for a row");
        column += sl_sqlite_column_count(&loose->fields[i]);
    }
    out->row = row;
    out->version = (uint64_t)sqlite3_column_int64(stmt, column);
    return SL_OK;
}

enum sl_err sl_sqlite_lookup(struct sl_sqlite_db *db, struct sl_row_found *found, size_t count,
                             struct sl_arena *arena, struct sl_error *error)
{
    enum sl_err err = SL_OK;

    if (!db->lookup)
        err = sl_sqlite_prepare(db, db->schema.lookup, &db->lookup, error);
    for (size_t i = 0; i < count && err == SL_OK; i++) {
        err = sl_sqlite_bind_key(db, db->lookup, found[i].key, arena, NULL);
        if (err == SL_INVALID) {
            err = SL_OK; /* what is no key has no row */
            continue;
        }
        if (err != SL_OK)
            return sl_fail(error, err, "%s: no memory for a key", db->path);
        const int code = sqlite3_step(db->lookup);
        if (code == SQLITE_ROW)
            err = sl_sqlite_read_row(db, db->lookup, arena, &found[i], error);
        else if (code != SQLITE_DONE)
            err = sl_sqlite_fail(db, code, "look a row up", error);
        (void)sqlite3_reset(db->lookup);
    }
    return err;
}
