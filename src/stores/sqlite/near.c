/*
 * What is near: a column "_cell" beside the record's, the number of the smallest cell that a row
 * lies in (base/earth.h) or NULL where it says of no place, and an index over it and the key. It is
 * a column, not an expression, so that any SQLite tool can read the table.
 */
#include "stores/sqlite/parts.h"

#include "contracts/near.h"

struct source {
    struct sl_sqlite_db *db;
    struct sl_sqlite_near *near;
    struct sl_arena *arena;
};

bool sl_sqlite_has_cell(const struct sl_sqlite_schema *schema)
{
    return schema->shape->near[0] && !schema->mirror;
}

void sl_sqlite_near_create(struct sl_buf *sql, const struct sl_sqlite_schema *schema)
{
    const char *table = schema->shape->view->name;
    const struct sl_sqlite_order *order = &schema->orders[0];

    /* No view's own index has this name: theirs is behind one slash. */
    sl_buf_printf(sql, "CREATE INDEX \"%s//near\" ON \"%s\" (\"_cell\"", table, table);
    for (uint32_t t = 0; t < order->count; t++)
        sl_buf_printf(sql, ", %s", order->terms[t].sql);
    SL_BUF_LITERAL(sql, ");\n");
}

int sl_sqlite_near_bind(const struct sl_sqlite_schema *schema, sqlite3_stmt *stmt, int at,
                        const void *row)
{
    struct sl_spot spot;

    return sl_near_spot(schema->shape, row, &spot)
               ? sqlite3_bind_int64(stmt, at, sl_earth_cell(spot))
               : sqlite3_bind_null(stmt, at);
}

static enum sl_err prepare(struct source *source, struct sl_error *error)
{
    const struct sl_sqlite_schema *schema = &source->db->schema;
    const char *table = schema->shape->view->name;
    struct sl_buf count = {0}, rows = {0};
    enum sl_err err = SL_OK;

    if (source->near->rows)
        return SL_OK;
    sl_buf_printf(&count,
                  "SELECT count(*) FROM (SELECT 1 FROM \"%s\" INDEXED BY \"%s//near\" WHERE "
                  "\"_cell\" BETWEEN ?1 AND ?2 LIMIT ?3)",
                  table, table);
    sl_buf_byte(&count, '\0');
    sl_buf_printf(&rows,
                  "SELECT %s FROM \"%s\" INDEXED BY \"%s//near\" WHERE \"_cell\" BETWEEN ?1 AND ?2 "
                  "ORDER BY \"_cell\"",
                  schema->columns, table, table);
    for (uint32_t t = 0; t < schema->orders[0].count; t++)
        sl_buf_printf(&rows, ", %s", schema->orders[0].terms[t].sql);
    SL_BUF_LITERAL(&rows, " LIMIT ?3");
    sl_buf_byte(&rows, '\0');
    if (count.failed || rows.failed)
        err = sl_fail(error, SL_NO_MEMORY, "no memory to search for what is near");
    if (err == SL_OK && !source->near->count)
        err = sl_sqlite_prepare(source->db, (const char *)count.ptr, &source->near->count, error);
    if (err == SL_OK)
        err = sl_sqlite_prepare(source->db, (const char *)rows.ptr, &source->near->rows, error);
    sl_buf_close(&count);
    sl_buf_close(&rows);
    return err;
}

static void bind(sqlite3_stmt *stmt, int64_t first, int64_t last, uint32_t most)
{
    (void)sqlite3_bind_int64(stmt, 1, first);
    (void)sqlite3_bind_int64(stmt, 2, last);
    (void)sqlite3_bind_int64(stmt, 3, most);
}

static enum sl_err count_rows(void *context, int64_t first, int64_t last, uint32_t most,
                              uint32_t *out_count, struct sl_error *error)
{
    struct source *source = context;
    sqlite3_stmt *stmt = source->near->count;

    bind(stmt, first, last, most);
    const int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        *out_count = (uint32_t)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return code == SQLITE_ROW ? SL_OK
                              : sl_sqlite_fail(source->db, code, "count what is near", error);
}

static enum sl_err read_rows(void *context, int64_t first, int64_t last, uint32_t most,
                             struct sl_row_found *rows, uint32_t *out_count, struct sl_error *error)
{
    struct source *source = context;
    sqlite3_stmt *stmt = source->near->rows;
    enum sl_err err = SL_OK;
    int code;

    bind(stmt, first, last, most);
    while (err == SL_OK && (code = sqlite3_step(stmt)) != SQLITE_DONE) {
        if (code != SQLITE_ROW) {
            err = sl_sqlite_fail(source->db, code, "read what is near", error);
        } else {
            err = sl_sqlite_read_row(source->db, stmt, source->arena, &rows[*out_count], error);
            *out_count += err == SL_OK;
        }
    }
    (void)sqlite3_reset(stmt);
    return err;
}

enum sl_err sl_sqlite_near_search(struct sl_sqlite_db *db, struct sl_sqlite_near *near,
                                  const struct sl_near_query *query, struct sl_arena *arena,
                                  struct sl_near_page *out, struct sl_error *error)
{
    struct source source = {db, near, arena};
    const struct sl_near_source of = {&source, count_rows, read_rows};
    const enum sl_err err = prepare(&source, error);

    return err != SL_OK ? err : sl_near_search(db->schema.shape, query, &of, arena, out, error);
}

void sl_sqlite_near_close(struct sl_sqlite_near *near)
{
    (void)sqlite3_finalize(near->count);
    (void)sqlite3_finalize(near->rows);
}
