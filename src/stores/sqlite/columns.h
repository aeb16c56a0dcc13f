/*
 * Fields as columns. A view's table can be read by any SQLite tool:
 *
 *   bool                    INTEGER 0 or 1
 *   integers to 63 bits     INTEGER
 *   u64, u128               INTEGER up to 2^63-1, above it TEXT of 20 or 39 digits: SQLite sorts
 *                           all integers before all texts, so that the order is right
 *   enumeration             TEXT, its name
 *   double                  REAL; NaN and -0.0, which SQLite would not keep, as a BLOB of 8 bytes
 *   text, chars             TEXT
 *   uuid                    TEXT, 8-4-4-4-12
 *   date                    TEXT, 2026-11-20
 *   time                    TEXT, 2026-11-20T10:00:00.000000000Z, always nine decimals: sorts right
 *   decimal                 TEXT, "10.50"; indexes are over CAST(column AS REAL), then the text
 *   money                   two columns: INTEGER minor units, and NAME_currency TEXT
 *   list, nested            TEXT, JSON
 *   absent optional value   NULL
 *
 * Private to this folder.
 */
#ifndef SL_STORES_SQLITE_COLUMNS_H
#define SL_STORES_SQLITE_COLUMNS_H

#include <sqlite3.h>

#include <sluice/record.h>

#include "base/arena.h"
#include "base/buf.h"
#include "record/json.h"

/* Appends "name" quoted for SQL. */
void sl_sqlite_name(struct sl_buf *sql, const char *name);
/* Appends the names of the field's columns; of several fields, separated by commas. */
void sl_sqlite_column_names(struct sl_buf *sql, const struct sl_field *field);
/* Appends the columns with their types: what stands in CREATE TABLE. */
void sl_sqlite_column_define(struct sl_buf *sql, const struct sl_field *field);
/* 2 for money, else 1. */
int sl_sqlite_column_count(const struct sl_field *field);

/* Kinds of integers that fit SQLite's: a key of one of these is the rowid. */
bool sl_sqlite_is_integer(const struct sl_field *field);
int64_t sl_sqlite_integer(const struct sl_field *field, const void *item);

/* Writes values into a statement. What it binds stays valid until the next sl_sqlite_bind_start. */
struct sl_sqlite_binder {
    sqlite3_stmt *stmt;
    struct sl_buf small; /* of a fixed size: texts made for small values */
    struct sl_buf json;
};

/* For a record: room for all of its small values. False: no memory. Zero-initialise before. */
bool sl_sqlite_binder_init(struct sl_sqlite_binder *binder, const struct sl_record *record);
void sl_sqlite_bind_start(struct sl_sqlite_binder *binder, sqlite3_stmt *stmt);
/* Binds the field's one or two columns from parameter `at` on. A SQLite code. */
int sl_sqlite_bind(struct sl_sqlite_binder *binder, int at, const struct sl_field *field,
                   const void *item);
void sl_sqlite_binder_close(struct sl_sqlite_binder *binder);

/* Reads the field's columns, the first of which is `column`, into the zeroed item. Texts live in
 * `arena`. `loose` describes the same record without rules (sl_sqlite_loosen): projections may
 * store what commands may not say. SL_CORRUPT, SL_NO_MEMORY. */
enum sl_err sl_sqlite_read(sqlite3_stmt *stmt, int column, const struct sl_record *loose,
                           uint32_t field, struct sl_json_parser *parser, struct sl_arena *arena,
                           void *item) SL_USE_RESULT;

/* The record without "required", ranges and lengths, at all depths; NULL: no memory. */
const struct sl_record *sl_sqlite_loosen(const struct sl_record *record, struct sl_arena *arena);

#endif
