/*
 * Lists: a stretch of an index as a statement, and what is bound to it.
 *
 * Every condition narrows one end of one range of the index, so that SQLite starts at the first row
 * that is wanted and stops behind the last: equal fields, then `from` and `to` of the next term. A
 * cursor lies inside of the range (sl_sqlite_list_after sees to it) and so takes the place of the
 * bound on the side that the list comes from. With both, SQLite would choose one to start at, and
 * might go through all rows before the cursor again for each page.
 */
#include "stores/sqlite/parts.h"

#include "record/kinds.h"

/* ---- Statements ------------------------------------------------------------------------------ */

static void append_parameter(struct sl_buf *sql, const struct sl_sqlite_term *term, int number)
{
    for (const char *c = term->placeholder; *c; c++) {
        if (c[0] == '%' && c[1] == 'd') {
            sl_buf_i64(sql, number);
            c++;
        } else {
            sl_buf_byte(sql, (uint8_t)*c);
        }
    }
}

/* (a, b, key) > (?, ?, ?), and a >= ? before it where SQLite cannot see that by itself. */
static void append_after(struct sl_buf *sql, const struct sl_sqlite_order *order, uint32_t first,
                         int parameter, bool descending)
{
    const char *sign = descending ? "<" : ">";

    if (order->terms[first].expression) {
        sl_buf_printf(sql, "%s %s= ", order->terms[first].sql, sign);
        append_parameter(sql, &order->terms[first], parameter);
        SL_BUF_LITERAL(sql, " AND ");
    }
    SL_BUF_LITERAL(sql, "(");
    for (uint32_t t = first; t < order->count; t++)
        sl_buf_printf(sql, "%s%s", t > first ? ", " : "", order->terms[t].sql);
    sl_buf_printf(sql, ") %s (", sign);
    for (uint32_t t = first; t < order->count; t++) {
        if (t > first)
            SL_BUF_LITERAL(sql, ", ");
        append_parameter(sql, &order->terms[t], parameter + (int)(t - first));
    }
    SL_BUF_LITERAL(sql, ")");
}

/* The first term behind the equal fields. */
static uint32_t append_equal(struct sl_buf *sql, const struct sl_sqlite_order *order,
                             uint32_t equal_count, int *parameter)
{
    uint32_t equal = 0, first = 0;

    for (; first < order->count; first++) {
        if (order->terms[first].repeats)
            continue;
        if (equal == equal_count)
            break;
        sl_buf_printf(sql, "%s%s = ", equal++ > 0 ? " AND " : " WHERE ", order->terms[first].sql);
        append_parameter(sql, &order->terms[first], (*parameter)++);
    }
    return first;
}

static void append_bound(struct sl_buf *sql, const struct sl_sqlite_term *term, const char *sign,
                         int *parameter)
{
    sl_buf_printf(sql, "%s%s %s ", *parameter > 1 ? " AND " : " WHERE ", term->sql, sign);
    append_parameter(sql, term, (*parameter)++);
}

void sl_sqlite_list_sql(struct sl_buf *sql, const struct sl_sqlite_schema *schema,
                        const struct sl_sqlite_list_form *form)
{
    const struct sl_sqlite_order *order = &schema->orders[form->index + 1];
    int parameter = 1;

    sl_buf_printf(sql, "SELECT %s FROM \"%s\"", form->columns, schema->shape->view->name);
    const uint32_t first = append_equal(sql, order, form->equal_count, &parameter);
    if (form->from)
        append_bound(sql, &order->terms[first], ">=", &parameter);
    if (form->to)
        append_bound(sql, &order->terms[first], "<", &parameter);
    if (form->after && first < order->count) {
        sl_buf_printf(sql, "%s", parameter > 1 ? " AND " : " WHERE ");
        append_after(sql, order, first, parameter, form->descending);
        parameter += (int)(order->count - first);
    }
    for (uint32_t i = first; i < order->count; i++)
        sl_buf_printf(sql, "%s%s%s", i > first ? ", " : " ORDER BY ", order->terms[i].sql,
                      form->descending ? " DESC" : "");
    sl_buf_printf(sql, " LIMIT ?%d", parameter);
}

/* ---- Values ---------------------------------------------------------------------------------- */

struct sl_sqlite_list_form sl_sqlite_list_form(const struct sl_sqlite_schema *schema,
                                               const struct sl_list_query *query, bool after)
{
    return (struct sl_sqlite_list_form){
        .columns = schema->columns,
        .index = query->index,
        .equal_count = query->equal_count,
        .descending = query->descending,
        .from = query->from && (!after || query->descending),
        .to = query->to && (!after || !query->descending),
        .after = after,
    };
}

int sl_sqlite_list_bind(struct sl_sqlite_db *db, sqlite3_stmt *stmt,
                        const struct sl_sqlite_list_form *form, const struct sl_list_query *query,
                        const void *after, int64_t limit)
{
    const struct sl_sqlite_order *order = &db->schema.orders[form->index + 1];
    struct sl_sqlite_binder *binder = &db->binder;
    uint32_t equal = 0, t = 0;
    int at = 1, code = SQLITE_OK;

    sl_sqlite_bind_start(binder, stmt);
    for (; t < order->count && code == SQLITE_OK; t++) {
        if (order->terms[t].repeats)
            continue;
        if (equal == form->equal_count)
            break;
        code = sl_sqlite_bind(binder, at++, order->terms[t].field, query->equal);
        equal++;
    }
    if (form->from && code == SQLITE_OK)
        code = sl_sqlite_bind(binder, at++, order->terms[t].field, query->from);
    if (form->to && code == SQLITE_OK)
        code = sl_sqlite_bind(binder, at++, order->terms[t].field, query->to);
    for (; form->after && t < order->count && code == SQLITE_OK; t++)
        code = sl_sqlite_bind(binder, at++, order->terms[t].field, after);
    return code != SQLITE_OK ? code : sqlite3_bind_int64(stmt, at, limit);
}

/* ---- Cursors --------------------------------------------------------------------------------- */

/* An absent value comes before all others, and so before any `from`. */
static bool is_inside(const struct sl_field *field, const struct sl_list_query *query,
                      const void *item)
{
    if (!sl_field_is_there(field, item))
        return !query->from;
    const void *value = sl_member(field, item);
    return (!query->from || sl_value_compare(field, value, sl_member(field, query->from)) >= 0) &&
           (!query->to || sl_value_compare(field, value, sl_member(field, query->to)) < 0);
}

enum sl_err sl_sqlite_list_after(struct sl_sqlite_db *db, const struct sl_list_query *query,
                                 struct sl_arena *arena, void **out, struct sl_error *error)
{
    const struct sl_view_shape *shape = db->schema.shape;
    const struct sl_place *place = query->index < 0 ? &shape->key : &shape->indexes[query->index];
    void *after = sl_arena_zeroed(arena, 1, db->schema.loose->size);

    if (!after)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a cursor");
    const enum sl_err err = sl_sqlite_cursor_read(&db->schema, query, arena, after, error);
    if (err != SL_OK)
        return err;
    if ((query->from || query->to) && !is_inside(place->fields[query->equal_count], query, after))
        return sl_fail(error, SL_INVALID, "the cursor lies outside of the range of %s",
                       place->fields[query->equal_count]->name);
    *out = after;
    return SL_OK;
}
