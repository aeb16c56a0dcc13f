#include "stores/sqlite/schema.h"

#include "stores/sqlite/parts.h"

#include <string.h>
#include <strings.h>

#include "stores/sqlite/columns.h"

/* ---- Orders ---------------------------------------------------------------------------------- */

/* Below all values that there are, of whatever type, so that an absent value comes first and no
 * term is ever NULL: a row value compared with NULL would be neither before nor after. */
#define LOWEST "-9e999"

static const char *term_sql(const struct sl_field *field, struct sl_arena *arena)
{
    return field->optional ? sl_arena_printf(arena, "IFNULL(\"%s\", " LOWEST ")", field->name).ptr
                           : sl_arena_printf(arena, "\"%s\"", field->name).ptr;
}

static bool add_terms(struct sl_sqlite_order *order, const struct sl_field *field,
                      struct sl_arena *arena)
{
    const char *sql = term_sql(field, arena);
    const char *parameter = field->optional ? "IFNULL(?%d, " LOWEST ")" : "?%d";

    if (!sql)
        return false;
    if (field->kind == SL_DECIMAL) {
        const char *cast = sl_arena_printf(arena, "CAST(%s AS REAL)", sql).ptr;
        const char *wrapped = sl_arena_printf(arena, "CAST(%s AS REAL)", parameter).ptr;
        if (!cast || !wrapped)
            return false;
        order->terms[order->count++] = (struct sl_sqlite_term){field, cast, wrapped, true, false};
    }
    order->terms[order->count++] =
        (struct sl_sqlite_term){field, sql, parameter, field->optional, field->kind == SL_DECIMAL};
    return true;
}

static bool has_field(const struct sl_place *place, const struct sl_field *field)
{
    for (uint32_t i = 0; i < place->count; i++)
        if (place->fields[i] == field)
            return true;
    return false;
}

/* The index's fields, then those of the key that it does not have. */
static bool make_order(struct sl_sqlite_order *order, const struct sl_view_shape *shape,
                       const struct sl_place *index, struct sl_arena *arena)
{
    struct sl_field *fields = sl_arena_zeroed(arena, SL_SQLITE_TERMS_MAX, sizeof *fields);
    uint32_t count = 0;

    if (!fields)
        return false;
    for (uint32_t i = 0; index && i < index->count; i++, count++) {
        fields[count] = *index->fields[i];
        if (!add_terms(order, index->fields[i], arena))
            return false;
    }
    for (uint32_t i = 0; i < shape->key.count; i++) {
        if (index && has_field(index, shape->key.fields[i]))
            continue;
        fields[count++] = *shape->key.fields[i];
        if (!add_terms(order, shape->key.fields[i], arena))
            return false;
    }
    order->cursor = (struct sl_record){"cursor", shape->view->record->size, count, fields};
    return true;
}

/* ---- Statements ------------------------------------------------------------------------------ */

static void append_key(struct sl_buf *sql, const struct sl_view_shape *shape, const char *prefix)
{
    for (uint32_t i = 0; i < shape->key.count; i++)
        sl_buf_printf(sql, "%s%s\"%s\"", i > 0 ? ", " : "", prefix, shape->key.fields[i]->name);
}

static void append_columns(struct sl_buf *sql, const struct sl_record *record)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (i > 0)
            SL_BUF_LITERAL(sql, ", ");
        sl_sqlite_column_names(sql, &record->fields[i]);
    }
}

static void append_definitions(struct sl_buf *sql, const struct sl_sqlite_schema *schema)
{
    const struct sl_view_shape *shape = schema->shape;
    const struct sl_record *record = shape->view->record;

    for (uint32_t i = 0; i < record->field_count; i++) {
        if (i > 0)
            SL_BUF_LITERAL(sql, ", ");
        sl_sqlite_column_define(sql, &record->fields[i]);
        if (schema->integer_key && shape->key.fields[0] == &record->fields[i])
            SL_BUF_LITERAL(sql, " PRIMARY KEY");
        else if (has_field(&shape->key, &record->fields[i]))
            SL_BUF_LITERAL(sql, " NOT NULL");
    }
    SL_BUF_LITERAL(sql, ", \"_version\" INTEGER NOT NULL");
    if (schema->mirror)
        SL_BUF_LITERAL(sql, ", \"_deleted\" INTEGER NOT NULL DEFAULT 0");
    if (sl_sqlite_has_cell(schema))
        SL_BUF_LITERAL(sql, ", \"_cell\" INTEGER");
}

/* Full-text search keeps an index only, over the table's own texts; triggers keep it up to date. */
static void append_search(struct sl_buf *sql, const struct sl_sqlite_schema *schema)
{
    const struct sl_view_shape *shape = schema->shape;
    const char *table = shape->view->name;
    const char *rowid = schema->integer_key ? shape->key.fields[0]->name : "_id";
    struct sl_buf fields = {0}, new = {0}, old = {0}, differs = {0};

    for (uint32_t i = 0; i < shape->search.count; i++) {
        const char *name = shape->search.fields[i]->name;
        sl_buf_printf(&fields, "%s\"%s\"", i > 0 ? ", " : "", name);
        sl_buf_printf(&new, ", new.\"%s\"", name);
        sl_buf_printf(&old, ", old.\"%s\"", name);
        sl_buf_printf(&differs, "%sold.\"%s\" IS NOT new.\"%s\"", i > 0 ? " OR " : "", name, name);
    }
#define TEXT_OF(buf) (int)(buf).len, (const char *)(buf).ptr
    sl_buf_printf(sql,
                  "CREATE VIRTUAL TABLE \"%s_search\" USING fts5(%.*s, content='%s', "
                  "content_rowid='%s', tokenize='unicode61 remove_diacritics 2');\n",
                  table, TEXT_OF(fields), table, rowid);
    sl_buf_printf(sql,
                  "CREATE TRIGGER \"%s/put\" AFTER INSERT ON \"%s\" BEGIN INSERT INTO "
                  "\"%s_search\"(rowid, %.*s) VALUES (new.\"%s\"%.*s); END;\n",
                  table, table, table, TEXT_OF(fields), rowid, TEXT_OF(new));
    sl_buf_printf(sql,
                  "CREATE TRIGGER \"%s/drop\" AFTER DELETE ON \"%s\" BEGIN INSERT INTO "
                  "\"%s_search\"(\"%s_search\", rowid, %.*s) VALUES ('delete', old.\"%s\"%.*s); "
                  "END;\n",
                  table, table, table, table, TEXT_OF(fields), rowid, TEXT_OF(old));
    sl_buf_printf(sql,
                  "CREATE TRIGGER \"%s/edit\" AFTER UPDATE OF %.*s ON \"%s\" WHEN %.*s BEGIN "
                  "INSERT INTO \"%s_search\"(\"%s_search\", rowid, %.*s) VALUES ('delete', "
                  "old.\"%s\"%.*s); INSERT INTO \"%s_search\"(rowid, %.*s) VALUES "
                  "(new.\"%s\"%.*s); END;\n",
                  table, TEXT_OF(fields), table, TEXT_OF(differs), table, table, TEXT_OF(fields),
                  rowid, TEXT_OF(old), table, TEXT_OF(fields), rowid, TEXT_OF(new));
#undef TEXT_OF
    sl_buf_close(&fields);
    sl_buf_close(&new);
    sl_buf_close(&old);
    sl_buf_close(&differs);
}

static void write_create(struct sl_buf *sql, const struct sl_sqlite_schema *schema)
{
    const struct sl_view_shape *shape = schema->shape;
    const bool search = shape->search.count > 0 && !schema->mirror;

    sl_buf_printf(sql, "CREATE TABLE \"%s\" (", shape->view->name);
    /* The search index needs a rowid to point to; without one the key itself is the table. */
    if (search && !schema->integer_key)
        SL_BUF_LITERAL(sql, "\"_id\" INTEGER PRIMARY KEY, ");
    append_definitions(sql, schema);
    if (!schema->integer_key) {
        sl_buf_printf(sql, ", %s (", search ? "UNIQUE" : "PRIMARY KEY");
        append_key(sql, shape, "");
        SL_BUF_LITERAL(sql, ")");
    }
    sl_buf_printf(sql, ")%s;\n", search || schema->integer_key ? "" : " WITHOUT ROWID");
    for (size_t i = 0; i < shape->view->indexes.count; i++) {
        const struct sl_sqlite_order *order = &schema->orders[i + 1];
        sl_buf_printf(sql, "CREATE INDEX \"%s/%s\" ON \"%s\" (", shape->view->name,
                      shape->view->indexes.items[i].name, shape->view->name);
        for (uint32_t t = 0; t < order->count; t++)
            sl_buf_printf(sql, "%s%s", t > 0 ? ", " : "", order->terms[t].sql);
        SL_BUF_LITERAL(sql, ");\n");
    }
    if (sl_sqlite_has_cell(schema))
        sl_sqlite_near_create(sql, schema);
    if (search)
        append_search(sql, schema);
    if (shape->view->temporal && !schema->mirror)
        sl_buf_printf(sql, "%s", sl_sqlite_past_create);
}

/* Updating in place, rather than replacing, keeps the rowid and fires the right trigger; replacing
 * is quicker where neither matters. A mirror keeps the greater version. */
static void write_put(struct sl_buf *sql, const struct sl_sqlite_schema *schema)
{
    const struct sl_view_shape *shape = schema->shape;
    const struct sl_record *record = shape->view->record;
    const bool in_place = schema->mirror || shape->search.count > 0;
    const bool cell = sl_sqlite_has_cell(schema);

    sl_buf_printf(sql, "%s INTO \"%s\" (", in_place ? "INSERT" : "REPLACE", shape->view->name);
    append_columns(sql, record);
    sl_buf_printf(sql, ", \"_version\"%s) VALUES (", cell ? ", \"_cell\"" : "");
    for (int i = 0; i < schema->column_count; i++)
        SL_BUF_LITERAL(sql, "?, ");
    sl_buf_printf(sql, "?%s)", cell ? ", ?" : "");
    if (!in_place)
        return;
    SL_BUF_LITERAL(sql, " ON CONFLICT (");
    append_key(sql, shape, "");
    SL_BUF_LITERAL(sql, ") DO UPDATE SET \"_version\" = excluded.\"_version\"");
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        if (has_field(&shape->key, field))
            continue;
        sl_buf_printf(sql, ", \"%s\" = excluded.\"%s\"", field->name, field->name);
        if (field->kind == SL_MONEY)
            sl_buf_printf(sql, ", \"%s_currency\" = excluded.\"%s_currency\"", field->name,
                          field->name);
    }
    if (cell)
        SL_BUF_LITERAL(sql, ", \"_cell\" = excluded.\"_cell\"");
    if (schema->mirror)
        sl_buf_printf(sql, ", \"_deleted\" = 0 WHERE excluded.\"_version\" > \"%s\".\"_version\"",
                      shape->view->name);
}

static void append_where_key(struct sl_buf *sql, const struct sl_view_shape *shape)
{
    for (uint32_t i = 0; i < shape->key.count; i++)
        sl_buf_printf(sql, "%s\"%s\" = ?%u", i > 0 ? " AND " : " WHERE ",
                      shape->key.fields[i]->name, i + 1);
}

static void write_drop(struct sl_buf *sql, const struct sl_sqlite_schema *schema)
{
    const struct sl_view_shape *shape = schema->shape;

    if (!schema->mirror) {
        sl_buf_printf(sql, "DELETE FROM \"%s\"", shape->view->name);
        append_where_key(sql, shape);
        return;
    }
    sl_buf_printf(sql, "INSERT INTO \"%s\" (", shape->view->name);
    append_key(sql, shape, "");
    SL_BUF_LITERAL(sql, ", \"_version\", \"_deleted\") VALUES (");
    for (uint32_t i = 0; i < shape->key.count; i++)
        SL_BUF_LITERAL(sql, "?, ");
    SL_BUF_LITERAL(sql, "?, 1) ON CONFLICT (");
    append_key(sql, shape, "");
    SL_BUF_LITERAL(sql, ") DO UPDATE SET \"_version\" = excluded.\"_version\", \"_deleted\" = 1");
    for (uint32_t i = 0; i < shape->view->record->field_count; i++) {
        const struct sl_field *field = &shape->view->record->fields[i];
        if (!has_field(&shape->key, field))
            sl_buf_printf(sql, ", \"%s\" = NULL", field->name);
        if (field->kind == SL_MONEY)
            sl_buf_printf(sql, ", \"%s_currency\" = NULL", field->name);
    }
    sl_buf_printf(sql, " WHERE excluded.\"_version\" > \"%s\".\"_version\"", shape->view->name);
}

static void write_lookup(struct sl_buf *sql, const struct sl_sqlite_schema *schema)
{
    sl_buf_printf(sql, "SELECT %s FROM \"%s\"", schema->columns, schema->shape->view->name);
    append_where_key(sql, schema->shape);
    if (schema->mirror)
        SL_BUF_LITERAL(sql, " AND \"_deleted\" = 0");
}

static void write_columns(struct sl_buf *sql, const struct sl_sqlite_schema *schema)
{
    append_columns(sql, schema->shape->view->record);
    SL_BUF_LITERAL(sql, ", \"_version\"");
}

static void write_search(struct sl_buf *sql, const struct sl_sqlite_schema *schema)
{
    const char *table = schema->shape->view->name;

    sl_buf_printf(sql,
                  "SELECT %s, \"_rank\", \"_found\" FROM (SELECT rowid AS \"_found\", "
                  "sluice_rank(\"%s_search\", ?3) AS \"_rank\" FROM \"%s_search\" WHERE "
                  "\"%s_search\" MATCH ?1 AND (?4 IS NULL OR "
                  "(sluice_rank(\"%s_search\", ?3), rowid) > (?4, ?5)) "
                  "ORDER BY 2, 1 LIMIT ?2) CROSS JOIN \"%s\" ON \"%s\".rowid = \"_found\" "
                  "ORDER BY \"_rank\", \"_found\"",
                  schema->columns, table, table, table, table, table, table);
}

static void write_weigh(struct sl_buf *sql, const struct sl_sqlite_schema *schema)
{
    const char *table = schema->shape->view->name;

    sl_buf_printf(sql,
                  "SELECT sluice_weights(\"%s_search\") FROM \"%s_search\" WHERE \"%s_search\" "
                  "MATCH ?1 LIMIT 1",
                  table, table, table);
}

static const char *written(void (*write)(struct sl_buf *, const struct sl_sqlite_schema *),
                           const struct sl_sqlite_schema *schema, struct sl_arena *arena)
{
    struct sl_buf sql = {0};

    write(&sql, schema);
    const char *copy = sql.failed ? NULL : sl_arena_text(arena, sl_buf_as_text(&sql)).ptr;
    sl_buf_close(&sql);
    return copy;
}

/* Names of columns that we need ourselves, or that SQLite would not tell apart. */
static enum sl_err check_names(const struct sl_view_shape *shape, struct sl_error *error)
{
    static const char *const reserved[] = {"_id", "_version", "_deleted", "_cell", "rowid"};
    const struct sl_record *record = shape->view->record;

    for (uint32_t i = 0; i < record->field_count; i++) {
        const char *name = record->fields[i].name;
        bool taken = false;
        for (size_t j = 0; j < sizeof reserved / sizeof *reserved; j++)
            taken |= strcasecmp(name, reserved[j]) == 0;
        for (uint32_t j = 0; j < i; j++)
            taken |= strcasecmp(name, record->fields[j].name) == 0;
        for (uint32_t j = 0; j < record->field_count; j++) {
            const size_t len = strlen(record->fields[j].name);
            taken |= record->fields[j].kind == SL_MONEY &&
                     strncasecmp(name, record->fields[j].name, len) == 0 &&
                     strcasecmp(name + len, "_currency") == 0;
        }
        if (taken)
            return sl_fail(error, SL_INVALID,
                           "view %s/%s: the field %s has a name that SQLite's table needs for "
                           "another column: rename it",
                           shape->domain, shape->view->name, name);
    }
    return SL_OK;
}

enum sl_err sl_sqlite_schema_init(struct sl_sqlite_schema *schema,
                                  const struct sl_view_shape *shape, bool mirror,
                                  struct sl_arena *arena, struct sl_error *error)
{
    const struct sl_record *record = shape->view->record;
    bool good;

    *schema = (struct sl_sqlite_schema){.shape = shape, .mirror = mirror};
    const enum sl_err err = check_names(shape, error);
    if (err != SL_OK)
        return err;
    schema->integer_key = shape->key.count == 1 && sl_sqlite_is_integer(shape->key.fields[0]);
    for (uint32_t i = 0; i < record->field_count; i++)
        schema->column_count += sl_sqlite_column_count(&record->fields[i]);
    schema->loose = sl_sqlite_loosen(record, arena);
    good = schema->loose && make_order(&schema->orders[0], shape, NULL, arena);
    for (size_t i = 0; i < shape->view->indexes.count; i++)
        good = good && make_order(&schema->orders[i + 1], shape, &shape->indexes[i], arena);
    good = good && (schema->columns = written(write_columns, schema, arena)) &&
           (schema->create = written(write_create, schema, arena)) &&
           (schema->put = written(write_put, schema, arena)) &&
           (schema->drop = written(write_drop, schema, arena)) &&
           (schema->lookup = written(write_lookup, schema, arena)) &&
           (schema->search = written(write_search, schema, arena)) &&
           (schema->weigh = written(write_weigh, schema, arena));
    return good ? SL_OK
                : sl_fail(error, SL_NO_MEMORY, "no memory for the view %s/%s", shape->domain,
                          shape->view->name);
}
