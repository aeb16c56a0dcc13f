/*
 * GET /{domain}/{view}?index=…&field=…&from=…&to=…&after=…&limit=…&desc=…&q=…: a stretch of an
 * index, or a search; or live: all rows that match, from now on.
 *
 * Fields that are given must be the leading ones of the index, because that is what an index can
 * answer in a bounded time. Without `index`, the first one that they lead is taken; without fields,
 * the order of the key.
 */
#include "api/listing.h"

#include <string.h>

#include "record/kinds.h"
#include "record/value.h"

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 1000 };

struct list_query {
    struct sl_view_listing listing;
    struct sl_wait wait;
    struct api_call *call;
    const struct sl_field *given[SL_PLACE_FIELDS_MAX];
    uint32_t given_count;
    void *equal; /* a struct of the record */
    struct sl_text index;
    bool has_index;
    uint64_t since; /* a stream goes on there, if `has_since` */
    bool has_since;
    struct api_range range;
    struct api_aggregate aggregate;
    struct api_facets facets;
};

/* ---- Reading the query --------------------------------------------------------------------- */

const struct sl_field *api_field_named(const struct sl_record *record, struct sl_text name)
{
    for (uint32_t i = 0; i < record->field_count; i++)
        if (sl_text_equals(api_text(record->fields[i].name), name))
            return &record->fields[i];
    return NULL;
}

static bool take_field(struct list_query *query, struct sl_text name, struct sl_text value)
{
    struct api_call *call = query->call;
    const struct sl_view *view = sl_view_table_shape(call->view)->view;
    const struct sl_field *field = api_field_named(view->record, name);

    if (!field) {
        api_refuse(call, "unknown_parameter", NULL,
                   "no field or parameter %.*s here; there are: index, after, limit, desc, q, "
                   "from, to, aggregate, by, every, facets, min_position and the leading fields of "
                   "an index",
                   (int)(name.len < 64 ? name.len : 64), name.ptr);
        return false;
    }
    for (uint32_t i = 0; i < query->given_count; i++) {
        if (query->given[i] == field) {
            api_refuse(call, "bad_query", field->name, "%s stands twice", field->name);
            return false;
        }
    }
    if (query->given_count == SL_PLACE_FIELDS_MAX || field->kind == SL_LIST_KIND ||
        field->kind == SL_NESTED || field->kind == SL_MONEY || field->kind == SL_DOUBLE) {
        api_refuse(call, "no_index", field->name, "no index begins with %s", field->name);
        return false;
    }
    if (!sl_value_read(field, value, call->request->arena, sl_member_of(field, query->equal))) {
        api_refuse(call, "bad_query", field->name, "this is no value of %s", field->name);
        return false;
    }
    sl_field_set_there(field, query->equal);
    query->given[query->given_count++] = field;
    return true;
}

static bool take_limit(struct list_query *query, struct sl_text value)
{
    uint64_t limit = 0;

    if (!sl_url_number(value, &limit) || limit < 1 || limit > LIMIT_MAX) {
        api_refuse(query->call, "bad_query", "limit", "limit lies between 1 and %d", LIMIT_MAX);
        return false;
    }
    query->listing.query.limit = (uint32_t)limit;
    return true;
}

static bool take_search(struct list_query *query, struct sl_text value)
{
    const struct sl_view *view = sl_view_table_shape(query->call->view)->view;

    if (!view->search) {
        api_refuse(query->call, "no_search", "q", "%s cannot be searched", view->name);
        return false;
    }
    query->listing.query.search = value;
    return true;
}

/* One parameter. False: it was answered. */
static bool take(struct list_query *query, struct sl_text name, struct sl_text value)
{
    if (sl_text_equals(name, SL_TEXT("index"))) {
        query->index = value;
        query->has_index = true;
        return true;
    }
    if (sl_text_equals(name, SL_TEXT("after"))) {
        query->listing.query.after = value;
        return true;
    }
    if (sl_text_equals(name, SL_TEXT("limit")))
        return take_limit(query, value);
    if (sl_text_equals(name, SL_TEXT("q")))
        return take_search(query, value);
    if (sl_text_equals(name, SL_TEXT("min_position")) || sl_text_equals(name, SL_TEXT("since")))
        return true;
    if (sl_text_equals(name, SL_TEXT("desc"))) {
        if (sl_url_flag(value, &query->listing.query.descending))
            return true;
        api_refuse(query->call, "bad_query", "desc", "desc is 1 or 0");
        return false;
    }
    enum api_take taken = api_range_take(&query->range, query->call, name, value);
    if (taken == API_NOT_MINE)
        taken = api_aggregate_take(&query->aggregate, query->call, name, value);
    if (taken == API_NOT_MINE)
        taken = api_facets_take(&query->facets, query->call, name, value);
    return taken == API_NOT_MINE ? take_field(query, name, value) : taken == API_TAKEN;
}

/* ---- Choosing the index -------------------------------------------------------------------- */

static bool is_given(const struct list_query *query, const struct sl_field *field)
{
    for (uint32_t i = 0; i < query->given_count; i++)
        if (query->given[i] == field)
            return true;
    return false;
}

/* Are the given fields the place's leading ones? */
static bool has_fields(const struct list_query *query, const struct sl_place *place)
{
    if (query->given_count > place->count)
        return false;
    for (uint32_t i = 0; i < query->given_count; i++)
        if (!is_given(query, place->fields[i]))
            return false;
    return true;
}

/* And does what else is asked for go on from them? */
static bool leads(const struct list_query *query, const struct sl_place *place)
{
    return has_fields(query, place) && api_range_fits(&query->range, place, query->given_count) &&
           api_aggregate_fits(&query->aggregate, place, query->given_count);
}

/* Why the named index does not serve. */
static void refuse_index(struct list_query *query, const struct sl_place *place,
                         const struct sl_index *index)
{
    if (!has_fields(query, place))
        api_refuse(query->call, "no_index", "index", "%s is filtered by the leading ones of: %s",
                   index->name, index->fields);
    else if (!api_range_fits(&query->range, place, query->given_count))
        api_range_refuse(&query->range, query->call, index->fields);
    else
        api_aggregate_refuse_index(query->call, index->fields);
}

static bool choose_named(struct list_query *query, const struct sl_view_shape *shape)
{
    const struct sl_view *view = shape->view;

    for (size_t i = 0; i < view->indexes.count; i++) {
        if (!sl_text_equals(query->index, api_text(view->indexes.items[i].name)))
            continue;
        query->listing.query.index = (int)i;
        if (leads(query, &shape->indexes[i]))
            return true;
        refuse_index(query, &shape->indexes[i], &view->indexes.items[i]);
        return false;
    }
    api_refuse(query->call, "no_index", "index", "%s has no such index", view->name);
    return false;
}

static bool choose_index(struct list_query *query)
{
    const struct sl_view_shape *shape = sl_view_table_shape(query->call->view);

    query->listing.query.index = -1;
    query->listing.query.equal = query->equal;
    query->listing.query.equal_count = query->given_count;
    if (query->has_index)
        return choose_named(query, shape);
    if (query->listing.query.search.len > 0)
        return true; /* its fields are filters, whichever they are */
    if (leads(query, &shape->key))
        return true;
    for (size_t i = 0; i < shape->view->indexes.count; i++) {
        if (leads(query, &shape->indexes[i])) {
            query->listing.query.index = (int)i;
            return true;
        }
    }
    api_refuse(query->call, "no_index", query->given_count > 0 ? query->given[0]->name : NULL,
               "no index of %s begins with the given fields%s", shape->view->name,
               query->aggregate.query.every_ns     ? " and goes on with a time or a date, for every"
               : api_range_is_given(&query->range) ? " and goes on with that of the range"
                                                   : "");
    return false;
}

static bool read_query(struct list_query *query)
{
    struct api_call *call = query->call;
    struct sl_text rest = call->request->query, name, value;
    bool broken = false;

    query->listing.query.limit = LIMIT_DEFAULT;
    query->equal = sl_arena_zeroed(call->request->arena, 1,
                                   sl_view_table_shape(call->view)->view->record->size);
    if (!query->equal) {
        api_no_memory(call);
        return false;
    }
    while (sl_url_pair(&rest, call->request->arena, &name, &value, &broken))
        if (!take(query, name, value))
            return false;
    if (broken) {
        api_refuse(call, "bad_query", NULL, "behind a %% come two hex digits, and texts are UTF-8");
        return false;
    }
    return choose_index(query) && api_range_read(&query->range, call, &query->listing.query) &&
           api_facets_read(&query->facets, call, query->given, query->given_count,
                           &query->listing.query) &&
           api_aggregate_read(&query->aggregate, call, &query->listing);
}

/* ---- Answering ----------------------------------------------------------------------------- */

static void list_done(struct sl_view_listing *listing)
{
    struct list_query *query = (struct list_query *)listing;
    struct api_call *call = query->call;
    /* Answering takes back the request's memory, and with it the listing. */
    struct sl_buf json = listing->json;

    if (listing->err == SL_OK && listing->refusal != SL_AGGREGATE_DONE) {
        api_aggregate_refuse(call, listing);
    } else if (listing->err == SL_OK) {
        api_headers(call);
        api_header_position(call, listing->position);
        api_header_degraded(call);
        if (api_etag_is(call, listing->hash))
            api_send(call, 304, NULL, (struct sl_text){NULL, 0});
        else
            api_send_buf(call, 200, API_JSON, &json);
    } else if (listing->err == SL_INVALID) {
        api_refuse(call, listing->query.search.len ? "bad_query" : "bad_cursor",
                   listing->query.search.len ? "q" : "after", "%s", listing->error.message);
    } else if (listing->query.facet_count > 0 && listing->err == SL_LIMIT &&
               listing->page.count == 0) {
        api_refuse(call, "too_many_rows", "facets", "%s", listing->error.message);
    } else if (listing->aggregate && listing->err == SL_NO_MEMORY) {
        api_refuse(call, "no_memory", NULL, "%s", listing->error.message);
    } else {
        api_refuse(call, "view_failed", NULL, "%s", listing->error.message);
    }
    sl_buf_close(&json);
}

static void ask(struct list_query *query)
{
    query->listing.table = query->call->view;
    query->listing.done = list_done;
    sl_core_saw_reader(query->call->api->options.core);
    sl_view_list(query->call->view, &query->listing);
}

static void follow(struct list_query *query)
{
    api_follow_list(query->call, &query->listing.query, query->has_since ? &query->since : NULL);
}

static void list_waited(struct sl_wait *wait, bool reached, uint64_t at)
{
    struct list_query *query = wait->user;

    api_waited(query->call);
    if (reached)
        ask(query);
    else if (api_can_reach(query->call, wait->position))
        api_refuse_at(query->call, "position_not_reached", at,
                      "the stored view was not as far in time");
}

static void list_cancelled(struct api_call *call)
{
    struct list_query *query = call->work;

    sl_core_wait_cancel(&query->wait);
}

void api_get_list(struct api_call *call)
{
    if (api_is_near(call)) {
        api_get_near(call);
        return;
    }
    struct list_query *query = sl_arena_zeroed(call->request->arena, 1, sizeof *query);

    if (!query) {
        api_no_memory(call);
        return;
    }
    query->call = call;
    query->wait.domain = call->domain;
    query->wait.view = call->view;
    query->wait.path = SL_PATH_LIST;
    query->wait.done = list_waited;
    query->wait.user = query;
    if (!read_query(query) || !api_wanted_position(call, &query->wait.position) ||
        !api_wanted_deadline(call, &query->wait.until_ns) ||
        !api_wanted_since(call, &query->has_since, &query->since))
        return;
    if (!api_can_reach(call, query->wait.position))
        return;
    if (api_wants_stream(call)) {
        follow(query);
    } else if (query->wait.position == 0) {
        ask(query);
    } else {
        api_wait(call, list_cancelled, query);
        sl_view_hurry(call->view);
        sl_core_wait(&query->wait);
    }
}
