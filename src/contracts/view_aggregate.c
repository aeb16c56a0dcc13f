/* The wrapper of a view store's aggregates: what a query must be before an adapter sees it. */
#include "contracts/view_store.h"
#include "record/kinds.h"

bool sl_aggregate_can_compare(const struct sl_field *field)
{
    return field->kind != SL_LIST_KIND && field->kind != SL_NESTED && field->kind != SL_MONEY;
}

/* Doubles that were computed are seldom equal, and one that is none equals not even itself. */
bool sl_aggregate_can_group(const struct sl_field *field)
{
    return sl_aggregate_can_compare(field) && field->kind != SL_DOUBLE;
}

bool sl_aggregate_can_add(const struct sl_field *field, enum sl_aggregate_kind kind)
{
    if (field->names)
        return false;
    return sl_kind_is_integer(field->kind) || field->kind == SL_U128 || field->kind == SL_DOUBLE ||
           field->kind == SL_DECIMAL || (field->kind == SL_MONEY && kind == SL_AGGREGATE_SUM);
}

static enum sl_err check_items(const struct sl_aggregate_query *query, struct sl_error *error)
{
    if (query->count < 1 || query->count > SL_AGGREGATES_MAX)
        return sl_fail(error, SL_INVALID, "a query has 1 to %d aggregates", SL_AGGREGATES_MAX);
    for (uint32_t i = 0; i < query->count; i++) {
        const struct sl_aggregate_item *item = &query->aggregates[i];
        const bool adds = item->kind == SL_AGGREGATE_SUM || item->kind == SL_AGGREGATE_AVG;

        if (item->kind == SL_AGGREGATE_COUNT)
            continue;
        SL_ASSERT(item->field && item->kind > 0 && item->kind <= SL_AGGREGATE_LAST);
        if (adds ? !sl_aggregate_can_add(item->field, item->kind)
                 : !sl_aggregate_can_compare(item->field))
            return sl_fail(error, SL_INVALID, "%s: values of this kind cannot be %s",
                           item->field->name, adds ? "added up" : "compared");
    }
    return SL_OK;
}

static enum sl_err check_groups(const struct sl_view_shape *shape,
                                const struct sl_aggregate_query *query, struct sl_error *error)
{
    const int64_t day_ns = INT64_C(86400) * 1000000000;
    const struct sl_list_query *rows = &query->rows;
    const struct sl_place *place = rows->index < 0 ? &shape->key : &shape->indexes[rows->index];

    for (uint32_t i = 0; i < rows->equal_count; i++)
        if (place->fields[i]->kind == SL_DECIMAL)
            return sl_fail(error, SL_INVALID,
                           "%s: rows that are equal in a decimal cannot be aggregated",
                           place->fields[i]->name);
    if (query->by && !sl_aggregate_can_group(query->by))
        return sl_fail(error, SL_INVALID, "%s: no groups can be made of its values",
                       query->by->name);
    if (query->every_ns == 0)
        return SL_OK;
    const struct sl_field *time =
        rows->equal_count < place->count ? place->fields[rows->equal_count] : NULL;
    if (query->every_ns < 0 || !time || (time->kind != SL_TIME && time->kind != SL_DATE))
        return sl_fail(error, SL_INVALID, "the list is not in order of a time");
    if (time->kind == SL_DATE && query->every_ns != day_ns)
        return sl_fail(error, SL_INVALID, "%s: a date has stretches of one day", time->name);
    if (query->by == time)
        return sl_fail(error, SL_INVALID, "%s: groups are either by its values or by stretches",
                       time->name);
    return SL_OK;
}

enum sl_err sl_view_reader_aggregate(struct sl_view_reader *reader,
                                     const struct sl_view_shape *shape,
                                     const struct sl_aggregate_query *query, struct sl_arena *arena,
                                     struct sl_aggregate_page *out, struct sl_error *error)
{
    struct sl_aggregate_page page = {0};
    enum sl_err err;

    SL_ASSERT(query->rows_max >= 1 && query->rows_max <= SL_AGGREGATE_ROWS_MAX, "M1");
    if (!reader->store->ops->aggregate)
        return sl_fail(error, SL_UNSUPPORTED, "the store %s has no aggregates",
                       reader->store->ops->scheme);
    if (query->rows.search.len > 0)
        return sl_fail(error, SL_INVALID, "a search has no aggregates");
    if ((err = sl_list_query_check(shape, &query->rows, error)) != SL_OK ||
        (err = check_items(query, error)) != SL_OK ||
        (err = check_groups(shape, query, error)) != SL_OK ||
        (err = reader->store->ops->aggregate(reader, shape, query, arena, &page, error)) != SL_OK)
        return err;
    SL_ASSERT(page.count <= query->rows.limit && page.rows_seen <= query->rows_max, "M1");
    SL_ASSERT(page.refusal == SL_AGGREGATE_DONE || page.count == 0);
    *out = page;
    return SL_OK;
}
