/* One SQLite file that holds one view: opening, its checkpoint, failures. Private to this folder.
 */
#ifndef SL_STORES_SQLITE_DB_H
#define SL_STORES_SQLITE_DB_H

#include <sqlite3.h>

#include "contracts/view_store.h"
#include "stores/sqlite/columns.h"
#include "stores/sqlite/schema.h"
#include "stores/sqlite/vfs.h"

enum { SL_SQLITE_PATH_MAX = 900 };

/* Where files are and how they are opened. Constant once it is open. */
struct sl_sqlite_place {
    struct sl_env *env;
    struct sl_sqlite_vfs *vfs; /* NULL: SQLite's own, which other programs can share files with */
    struct sl_file *lock;      /* held while the folder is in use, unless other programs may */
    char folder[SL_SQLITE_PATH_MAX];
    int64_t cache_kib;
};

/* The setting "vfs" chooses between "env" and "system"; `vfs` is what it is without the setting. */
enum sl_err sl_sqlite_place_open(struct sl_sqlite_place *place, struct sl_env *env,
                                 const struct sl_view_store_options *options, const char *vfs,
                                 struct sl_error *error) SL_USE_RESULT;
void sl_sqlite_place_close(struct sl_sqlite_place *place);

/* The path of the file of the shape's build. generation.c. */
void sl_sqlite_build_path(const struct sl_sqlite_place *place, const struct sl_view_shape *shape,
                          char *out, size_t size, int *out_len);

/* A connection to one view's file. Owner: the thread that works with it. */
struct sl_sqlite_db {
    const struct sl_sqlite_place *place;
    sqlite3 *handle;
    struct sl_arena arena; /* of the schema */
    struct sl_sqlite_schema schema;
    struct sl_sqlite_binder binder;
    struct sl_json_parser *parser;
    sqlite3_stmt *lookup;
    sqlite3_stmt *read_checkpoint;
    bool damaged; /* SQLite found the file broken: nothing more is read from it or written to it */
    char path[SL_SQLITE_PATH_MAX + 256];
};

/* Opens the build's file in the folder; `writer`: makes it if it is missing. After a failure the
 * struct is to be closed all the same. */
enum sl_err sl_sqlite_db_open(struct sl_sqlite_db *db, const struct sl_sqlite_place *place,
                              const struct sl_view_shape *shape, bool mirror, bool writer,
                              struct sl_error *error) SL_USE_RESULT;
void sl_sqlite_db_close(struct sl_sqlite_db *db); /* zeroed is allowed; zeroes */

/* Renames the file and its log to …damaged, replacing an earlier one. Closes `db`. */
enum sl_err sl_sqlite_db_set_aside(struct sl_sqlite_db *db, struct sl_error *error) SL_USE_RESULT;

/* What a failed call of SQLite means; `what` says what was being done. */
enum sl_err sl_sqlite_fail(struct sl_sqlite_db *db, int code, const char *what,
                           struct sl_error *error);

enum sl_err sl_sqlite_exec(struct sl_sqlite_db *db, const char *sql, const char *what,
                           struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_sqlite_prepare(struct sl_sqlite_db *db, const char *sql, sqlite3_stmt **out,
                              struct sl_error *error) SL_USE_RESULT;

/* The row in table _checkpoint; zeroed but for `generation` where no build is there. */
enum sl_err sl_sqlite_read_checkpoint(struct sl_sqlite_db *db, struct sl_checkpoint *out,
                                      struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_sqlite_write_checkpoint(struct sl_sqlite_db *db, sqlite3_stmt *stmt,
                                       const struct sl_checkpoint *checkpoint,
                                       struct sl_error *error) SL_USE_RESULT;
extern const char sl_sqlite_write_checkpoint_sql[];

/* Drops all tables and makes those of the schema, empty, within the caller's transaction. */
enum sl_err sl_sqlite_make_tables(struct sl_sqlite_db *db, struct sl_error *error) SL_USE_RESULT;

/* Binds the key's columns from a key as text; values live in `arena`. SL_INVALID: not a key, or not
 * written as sl_place_write would. */
enum sl_err sl_sqlite_bind_key(struct sl_sqlite_db *db, sqlite3_stmt *stmt, struct sl_text key,
                               struct sl_arena *arena, struct sl_error *error) SL_USE_RESULT;

/* The row on which a statement stands, which selected schema.columns. */
enum sl_err sl_sqlite_read_row(struct sl_sqlite_db *db, sqlite3_stmt *stmt, struct sl_arena *arena,
                               struct sl_row_found *out, struct sl_error *error) SL_USE_RESULT;

/* Looks keys up, with the rest of the contract's lookup left to the caller. */
enum sl_err sl_sqlite_lookup(struct sl_sqlite_db *db, struct sl_row_found *found, size_t count,
                             struct sl_arena *arena, struct sl_error *error) SL_USE_RESULT;

#endif
