/*
 * Filters and facets of a search.
 *
 * All facets are counted in one walk over the rows that have the words, in no order and without
 * filters: a row that all filters take counts for each facet, and one that a single filter leaves
 * out counts for the facet of that filter's field, which is to show what else could be chosen.
 */
#include "stores/sqlite/parts.h"

#include <stdlib.h>

#include "record/kinds.h"

struct counted {
    void *row;
    uint64_t count;
    uint32_t place; /* in the order of values */
};

struct facet {
    const struct sl_field *field;
    struct counted *values; /* in order of the values, while rows are counted */
    uint32_t count;
    uint32_t room;
};

struct facets {
    struct sl_sqlite_db *db;
    const struct sl_list_query *query;
    struct sl_arena *arena;  /* of the answer */
    struct sl_arena scratch; /* of one row */
    void *row;
    uint32_t columns[2 * SL_FACETS_MAX]; /* places of fields in the record */
    uint32_t column_count;
    struct facet facets[SL_FACETS_MAX];
};

/* ---- Filters --------------------------------------------------------------------------------- */

enum sl_err sl_sqlite_filtered_search(struct sl_sqlite_db *db, const struct sl_list_query *query,
                                      sqlite3_stmt **out, struct sl_error *error)
{
    const char *table = db->schema.shape->view->name;
    struct sl_buf sql = {0};
    sqlite3_stmt *stmt = NULL;
    int code = SQLITE_OK;

    sl_buf_printf(&sql,
                  "SELECT %s, \"_rank\", \"_found\" FROM (SELECT rowid AS \"_found\", "
                  "sluice_rank(\"%s_search\", ?3) AS \"_rank\" FROM \"%s_search\" WHERE "
                  "\"%s_search\" MATCH ?1 AND (?4 IS NULL OR "
                  "(sluice_rank(\"%s_search\", ?3), rowid) > (?4, ?5))) "
                  "CROSS JOIN \"%s\" ON \"%s\".rowid = \"_found\"",
                  db->schema.columns, table, table, table, table, table, table);
    for (uint32_t i = 0; i < query->filter_count; i++) {
        const struct sl_field *field = query->filters[i];
        if (field->kind == SL_DECIMAL) /* however it is written */
            sl_buf_printf(&sql, "%s CAST(\"%s\" AS REAL) = CAST(?%u AS REAL)",
                          i > 0 ? " AND" : " WHERE", field->name, i + 6);
        else
            sl_buf_printf(&sql, "%s \"%s\" = ?%u", i > 0 ? " AND" : " WHERE", field->name, i + 6);
    }
    SL_BUF_LITERAL(&sql, " ORDER BY \"_rank\", \"_found\" LIMIT ?2");
    sl_buf_byte(&sql, '\0');
    const enum sl_err err = sql.failed ? sl_fail(error, SL_NO_MEMORY, "no memory for a search")
                                       : sl_sqlite_prepare(db, (const char *)sql.ptr, &stmt, error);
    sl_buf_close(&sql);
    if (err != SL_OK)
        return err;
    sl_sqlite_bind_start(&db->binder, stmt);
    for (uint32_t i = 0; i < query->filter_count && code == SQLITE_OK; i++)
        code = sl_sqlite_bind(&db->binder, (int)i + 6, query->filters[i], query->equal);
    if (code != SQLITE_OK) {
        (void)sqlite3_finalize(stmt);
        return sl_sqlite_fail(db, code, "filter a search", error);
    }
    *out = stmt;
    return SL_OK;
}

/* ---- Counting -------------------------------------------------------------------------------- */

static int compare(const struct sl_field *field, const void *a, const void *b)
{
    const bool left = sl_field_is_there(field, a), right = sl_field_is_there(field, b);

    return left && right ? sl_value_compare(field, sl_member(field, a), sl_member(field, b))
                         : left - right;
}

static bool grow(struct facets *facets, struct facet *facet)
{
    if (facet->count < facet->room)
        return true;
    const uint32_t room = facet->room > 0 ? 2 * facet->room : 16;
    struct counted *values = sl_arena_zeroed(facets->arena, room, sizeof *values);
    if (!values)
        return false;
    if (facet->count > 0)
        memcpy(values, facet->values, facet->count * sizeof *values);
    facet->values = values;
    facet->room = room;
    return true;
}

/* A struct with this one value of the row, copied. */
static void *copy_value(struct facets *facets, const struct sl_field *field)
{
    void *row = sl_arena_zeroed(facets->arena, 1, facets->db->schema.loose->size);

    if (!row || !sl_field_is_there(field, facets->row))
        return row;
    sl_field_set_there(field, row);
    memcpy(sl_member_of(field, row), sl_member(field, facets->row), field->size);
    if (field->kind != SL_TEXT_KIND)
        return row;
    struct sl_text *text = sl_member_of(field, row);
    *text = sl_arena_text(facets->arena, *text);
    return text->ptr ? row : NULL;
}

static enum sl_err count_value(struct facets *facets, struct facet *facet, struct sl_error *error)
{
    uint32_t low = 0, high = facet->count;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = compare(facet->field, facets->row, facet->values[middle].row);
        if (order == 0) {
            facet->values[middle].count++;
            return SL_OK;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    if (facet->count == SL_FACET_DIFFERENT_MAX)
        return sl_fail(error, SL_LIMIT,
                       "the facet %s has more than %u values: search more narrowly",
                       facet->field->name, SL_FACET_DIFFERENT_MAX);
    const struct counted made = {copy_value(facets, facet->field), 1, 0};
    if (!made.row || !grow(facets, facet))
        return sl_fail(error, SL_NO_MEMORY, "no memory for facets");
    memmove(&facet->values[low + 1], &facet->values[low],
            (facet->count - low) * sizeof *facet->values);
    facet->values[low] = made;
    facet->count++;
    return SL_OK;
}

static enum sl_err count_row(struct facets *facets, struct sl_error *error)
{
    const struct sl_list_query *query = facets->query;
    const struct sl_field *against = NULL;
    enum sl_err err = SL_OK;

    for (uint32_t i = 0; i < query->filter_count; i++) {
        const struct sl_field *filter = query->filters[i];
        if (sl_field_is_there(filter, facets->row) &&
            compare(filter, facets->row, query->equal) == 0)
            continue;
        if (against)
            return SL_OK;
        against = filter;
    }
    for (uint32_t i = 0; i < query->facet_count && err == SL_OK; i++)
        if (!against || against == facets->facets[i].field)
            err = count_value(facets, &facets->facets[i], error);
    return err;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static void want(struct facets *facets, const struct sl_field *field)
{
    const struct sl_record *record = facets->db->schema.shape->view->record;
    const uint32_t place = (uint32_t)(field - record->fields);

    for (uint32_t i = 0; i < facets->column_count; i++)
        if (facets->columns[i] == place)
            return;
    facets->columns[facets->column_count++] = place;
}

static enum sl_err prepare(struct facets *facets, sqlite3_stmt **out, struct sl_error *error)
{
    const struct sl_sqlite_schema *schema = &facets->db->schema;
    const char *table = schema->shape->view->name;
    struct sl_buf sql = {0};

    SL_BUF_LITERAL(&sql, "SELECT ");
    for (uint32_t i = 0; i < facets->column_count; i++)
        sl_buf_printf(&sql, "%s\"%s\"", i > 0 ? ", " : "",
                      schema->loose->fields[facets->columns[i]].name);
    sl_buf_printf(&sql,
                  " FROM (SELECT rowid AS \"_found\" FROM \"%s_search\" WHERE \"%s_search\" MATCH "
                  "?1) CROSS JOIN \"%s\" ON \"%s\".rowid = \"_found\" LIMIT ?2",
                  table, table, table, table);
    sl_buf_byte(&sql, '\0');
    const enum sl_err err = sql.failed
                                ? sl_fail(error, SL_NO_MEMORY, "no memory for facets")
                                : sl_sqlite_prepare(facets->db, (const char *)sql.ptr, out, error);
    sl_buf_close(&sql);
    return err;
}

static enum sl_err read_row(struct facets *facets, sqlite3_stmt *stmt, struct sl_error *error)
{
    const struct sl_record *loose = facets->db->schema.loose;

    sl_arena_reset(&facets->scratch);
    memset(facets->row, 0, loose->size);
    for (uint32_t i = 0; i < facets->column_count; i++) {
        const enum sl_err err = sl_sqlite_read(stmt, (int)i, loose, facets->columns[i],
                                               facets->db->parser, &facets->scratch, facets->row);
        if (err == SL_CORRUPT)
            return sl_sqlite_fail(facets->db, SQLITE_CORRUPT,
                                  loose->fields[facets->columns[i]].name, error);
        if (err != SL_OK)
            return sl_fail(error, err, "no memory for facets");
    }
    return SL_OK;
}

static enum sl_err walk(struct facets *facets, sqlite3_stmt *stmt, struct sl_error *error)
{
    enum sl_err err = SL_OK;
    uint32_t rows = 0;
    int code;

    while (err == SL_OK && (code = sqlite3_step(stmt)) != SQLITE_DONE) {
        if (code != SQLITE_ROW)
            err = sl_sqlite_fail(facets->db, code, "count facets", error);
        else if (rows++ == SL_FACET_ROWS_MAX)
            err = sl_fail(error, SL_LIMIT,
                          "more than %u rows have these words: search more narrowly, or without "
                          "facets",
                          SL_FACET_ROWS_MAX);
        else if ((err = read_row(facets, stmt, error)) == SL_OK)
            err = count_row(facets, error);
    }
    return err;
}

/* ---- The answer ------------------------------------------------------------------------------ */

static int more_frequent(const void *a, const void *b)
{
    const struct counted *left = a, *right = b;

    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return (left->place > right->place) - (left->place < right->place);
}

static bool hand_over(struct facets *facets, struct facet *facet, struct sl_facet *out)
{
    const uint32_t count = facet->count < SL_FACET_VALUES_MAX ? facet->count : SL_FACET_VALUES_MAX;
    struct sl_facet_value *values = sl_arena_zeroed(facets->arena, count + 1, sizeof *values);

    if (!values)
        return false;
    for (uint32_t i = 0; i < facet->count; i++)
        facet->values[i].place = i;
    if (facet->count > 0)
        qsort(facet->values, facet->count, sizeof *facet->values, more_frequent);
    for (uint32_t i = 0; i < count; i++)
        values[i] = (struct sl_facet_value){facet->values[i].row, facet->values[i].count};
    *out = (struct sl_facet){facet->field, values, count, facet->count - count};
    return true;
}

enum sl_err sl_sqlite_facets(struct sl_sqlite_db *db, const struct sl_list_query *query,
                             struct sl_text words, struct sl_arena *arena, struct sl_facet **out,
                             struct sl_error *error)
{
    struct facets facets = {.db = db, .query = query, .arena = arena};
    struct sl_facet *made = sl_arena_zeroed(arena, query->facet_count, sizeof *made);
    sqlite3_stmt *stmt = NULL;

    facets.row = sl_arena_zeroed(arena, 1, db->schema.loose->size);
    if (!facets.row || !made)
        return sl_fail(error, SL_NO_MEMORY, "no memory for facets");
    for (uint32_t i = 0; i < query->filter_count; i++)
        want(&facets, query->filters[i]);
    for (uint32_t i = 0; i < query->facet_count; i++) {
        facets.facets[i].field = query->facets[i];
        want(&facets, query->facets[i]);
    }
    enum sl_err err = prepare(&facets, &stmt, error);
    if (err == SL_OK) {
        (void)sqlite3_bind_text(stmt, 1, words.ptr, (int)words.len, SQLITE_STATIC);
        (void)sqlite3_bind_int64(stmt, 2, (int64_t)SL_FACET_ROWS_MAX + 1);
        err = walk(&facets, stmt, error);
    }
    (void)sqlite3_finalize(stmt);
    for (uint32_t i = 0; i < query->facet_count && err == SL_OK; i++)
        if (!hand_over(&facets, &facets.facets[i], &made[i]))
            err = sl_fail(error, SL_NO_MEMORY, "no memory for facets");
    sl_arena_close(&facets.scratch);
    if (err == SL_OK)
        *out = made;
    return err;
}
