/*
 * Aggregates of a list: `aggregate=count,sum(amount)`, of all of its rows, or a group for each
 * value of a field (`by=`), each stretch of time (`every=`), or each pair of them.
 */
#include "api/listing.h"

#include <string.h>

#include "record/kinds.h"

const char *const api_every_names[] = {"1s", "10s", "1m", "1h", "1d", NULL};
static const int64_t every_s[] = {1, 10, 60, 3600, 86400};
enum { EVERY_DAY = 4 }; /* its place in both */

/* ---- Reading --------------------------------------------------------------------------------- */

static enum api_take refuse_item(struct api_call *call, uint32_t place, struct sl_text item,
                                 const char *why)
{
    api_refuse(call, "bad_query", "aggregate", "%.*s, at place %u: %s",
               (int)(item.len < 80 ? item.len : 80), item.ptr, place + 1, why);
    return API_REFUSED;
}

static const struct sl_record *record_of(struct api_call *call)
{
    return sl_view_table_shape(call->view)->view->record;
}

/* "sum(amount)" or "count": NULL, or why it is none. */
static const char *read_item(const struct sl_record *record, struct sl_text text,
                             struct sl_aggregate_item *out)
{
    const char *open = memchr(text.ptr, '(', text.len);
    const struct sl_text name = {text.ptr, open ? (size_t)(open - text.ptr) : text.len};

    *out = (struct sl_aggregate_item){0};
    for (int kind = SL_AGGREGATE_COUNT; kind <= SL_AGGREGATE_LAST; kind++)
        if (sl_text_equals(name, api_text(sl_aggregate_name((enum sl_aggregate_kind)kind))))
            out->kind = (enum sl_aggregate_kind)kind;
    if (out->kind == 0)
        return "there are count, and sum, avg, min, max, first and last with a field in brackets";
    if (out->kind == SL_AGGREGATE_COUNT)
        return open ? "count is of rows, and has no field" : NULL;
    if (!open || text.ptr[text.len - 1] != ')')
        return "a field in brackets belongs to it, as in sum(amount)";
    out->field = api_field_named(record, (struct sl_text){open + 1, text.len - name.len - 2});
    if (!out->field)
        return "the view has no such field";
    if (out->kind == SL_AGGREGATE_SUM || out->kind == SL_AGGREGATE_AVG)
        return sl_aggregate_can_add(out->field, out->kind) ? NULL : "the field is no number";
    return sl_aggregate_can_compare(out->field) ? NULL : "values of the field are in no order";
}

static enum api_take take_items(struct api_aggregate *aggregate, struct api_call *call,
                                struct sl_text value)
{
    struct sl_aggregate_query *query = &aggregate->query;

    for (const char *end = value.ptr + value.len; value.ptr <= end;) {
        const char *comma =
            value.ptr < end ? memchr(value.ptr, ',', (size_t)(end - value.ptr)) : NULL;
        const struct sl_text item = {value.ptr, (size_t)((comma ? comma : end) - value.ptr)};
        struct sl_aggregate_item *out = &aggregate->items[query->count];

        if (query->count == SL_AGGREGATES_MAX)
            return refuse_item(call, query->count, item, "there may be 16 at most");
        const char *why = read_item(record_of(call), item, out);
        if (why)
            return refuse_item(call, query->count, item, why);
        for (uint32_t i = 0; i < query->count; i++)
            if (aggregate->items[i].kind == out->kind && aggregate->items[i].field == out->field)
                return refuse_item(call, query->count, item, "it stands twice");
        query->count++;
        value.ptr += item.len + 1;
    }
    aggregate->is_given = true;
    return API_TAKEN;
}

static enum api_take take_by(struct api_aggregate *aggregate, struct api_call *call,
                             struct sl_text value)
{
    const struct sl_field *field = api_field_named(record_of(call), value);

    if (!field || !sl_aggregate_can_group(field)) {
        api_refuse(call, "bad_query", "by", field ? "no groups are made of %.*s" : "no field %.*s",
                   (int)(value.len < 64 ? value.len : 64), value.ptr);
        return API_REFUSED;
    }
    aggregate->query.by = field;
    return API_TAKEN;
}

static enum api_take take_every(struct api_aggregate *aggregate, struct api_call *call,
                                struct sl_text value)
{
    for (size_t i = 0; api_every_names[i]; i++) {
        if (sl_text_equals(value, api_text(api_every_names[i]))) {
            aggregate->query.every_ns = every_s[i] * 1000000000;
            return API_TAKEN;
        }
    }
    api_refuse(call, "bad_query", "every", "every is 1s, 10s, 1m, 1h or 1d");
    return API_REFUSED;
}

enum api_take api_aggregate_take(struct api_aggregate *aggregate, struct api_call *call,
                                 struct sl_text name, struct sl_text value)
{
    static const struct {
        const char *name;
        enum api_take (*take)(struct api_aggregate *aggregate, struct api_call *call,
                              struct sl_text value);
    } parameters[] = {{"aggregate", take_items}, {"by", take_by}, {"every", take_every}};
    const bool given[] = {aggregate->is_given, aggregate->query.by != NULL,
                          aggregate->query.every_ns > 0};

    for (size_t i = 0; i < 3; i++) {
        if (!sl_text_equals(name, api_text(parameters[i].name)))
            continue;
        if (!given[i])
            return parameters[i].take(aggregate, call, value);
        api_refuse(call, "bad_query", parameters[i].name, "%s stands twice", parameters[i].name);
        return API_REFUSED;
    }
    return API_NOT_MINE;
}

/* ---- The list that it is of ------------------------------------------------------------------ */

bool api_aggregate_fits(const struct api_aggregate *aggregate, const struct sl_place *place,
                        uint32_t equal_count)
{
    if (aggregate->query.every_ns == 0)
        return true;
    if (equal_count >= place->count)
        return false;
    const enum sl_kind kind = place->fields[equal_count]->kind;
    return kind == SL_TIME || kind == SL_DATE;
}

void api_aggregate_refuse_index(struct api_call *call, const char *fields)
{
    api_refuse(call, "no_index", "every",
               "the first field behind those that are given by their value is a time or a date, in "
               "an index for this; this one has: %s",
               fields);
}

/* The rules that depend on more than one parameter: the name of the one at fault, and why. */
static const char *broken_rule(const struct api_aggregate *aggregate,
                               const struct sl_list_query *rows, const struct sl_place *place,
                               const char **out_name)
{
    const struct sl_aggregate_query *query = &aggregate->query;

    *out_name = query->by ? "by" : "every";
    if (!aggregate->is_given)
        return query->by || query->every_ns ? "this goes with aggregate=, which is missing" : NULL;
    *out_name = "aggregate";
    if (rows->search.len > 0)
        return "a search has no aggregates";
    for (uint32_t i = 0; i < rows->equal_count; i++)
        if (place->fields[i]->kind == SL_DECIMAL)
            return "rows that are equal in a decimal have no aggregates";
    if (query->every_ns == 0)
        return NULL;
    const struct sl_field *time = place->fields[rows->equal_count];
    *out_name = "every";
    if (time->kind == SL_DATE && query->every_ns != every_s[EVERY_DAY] * 1000000000)
        return "the index is in order of a date, and so every is 1d";
    *out_name = "by";
    return query->by == time ? "every makes groups of this field already" : NULL;
}

bool api_aggregate_read(struct api_aggregate *aggregate, struct api_call *call,
                        struct sl_view_listing *listing)
{
    const struct sl_view_shape *shape = sl_view_table_shape(call->view);
    const int index = listing->query.index;
    const struct sl_place *place = index < 0 ? &shape->key : &shape->indexes[index];
    const char *name;
    const char *why = broken_rule(aggregate, &listing->query, place, &name);

    if (!why && aggregate->is_given && api_wants_stream(call)) {
        name = "aggregate";
        why = "what is followed live has no aggregates";
    }
    if (why) {
        api_refuse(call, "bad_query", name, "%s", why);
        return false;
    }
    if (!aggregate->is_given)
        return true;
    aggregate->query.rows = listing->query;
    aggregate->query.aggregates = aggregate->items;
    aggregate->query.rows_max = SL_AGGREGATE_ROWS_MAX;
    listing->aggregate = &aggregate->query;
    return true;
}

/* ---- What the reader refused ----------------------------------------------------------------- */

void api_aggregate_refuse(struct api_call *call, const struct sl_view_listing *listing)
{
    const struct sl_aggregate_item *item = &listing->aggregate->aggregates[listing->refused];
    const char *kind = sl_aggregate_name(item->kind);
    const char *field = item->field ? item->field->name : "";

    switch (listing->refusal) {
    case SL_AGGREGATE_ROWS:
        api_refuse(
            call, "too_many_rows", "aggregate",
            "more than %u rows would have to be looked at: narrow the range by from and to%s",
            SL_AGGREGATE_ROWS_MAX,
            listing->aggregate->every_ns ? ", or ask for fewer groups by limit" : "");
        break;
    case SL_AGGREGATE_GROUPS:
        api_refuse(call, "too_many_groups", "by",
                   "%s has more than %u values here: narrow the "
                   "range by from and to",
                   listing->aggregate->by->name, SL_AGGREGATE_GROUPS_MAX);
        break;
    case SL_AGGREGATE_OVERFLOW:
        SL_ASSERT(item->field, "only sums overflow");
        api_refuse(call, "sum_overflow", field, "%s(%s) does not fit %d bits: add up fewer rows",
                   kind, field, item->field->kind == SL_U128 ? 128 : 64);
        break;
    default:
        api_refuse(call, "mixed_currencies", field,
                   "%s(%s) is of several currencies: choose rows of one", kind, field);
    }
}
