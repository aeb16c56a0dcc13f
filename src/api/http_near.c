/*
 * GET /{domain}/{view}?near=LAT,LON&limit=…&within=…: the rows that are nearest to a spot, with
 * their distance in metres.
 */
#include "api/listing.h"

#include <math.h>
#include <string.h>

#include "record/value.h"

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 1000 };

struct near_query {
    struct sl_view_listing listing; /* first */
    struct sl_near_query near;
    struct sl_wait wait;
    struct api_call *call;
    bool has_limit, has_within, has_spot;
};

bool api_is_near(struct api_call *call)
{
    const struct sl_view_shape *shape = sl_view_table_shape(call->view);
    struct sl_text rest = call->request->query, name, value;
    bool broken = false;

    /* A view of no places may have a field of that name. */
    if (!shape->near[0] && api_field_named(shape->view->record, SL_TEXT("near")))
        return false;
    while (sl_url_pair(&rest, call->request->arena, &name, &value, &broken))
        if (sl_text_equals(name, SL_TEXT("near")))
            return true;
    return false;
}

/* ---- Reading the query --------------------------------------------------------------------- */

static bool refuse(struct near_query *query, const char *name, const char *why)
{
    api_refuse(query->call, "bad_query", name, "%s", why);
    return false;
}

static bool take_spot(struct near_query *query, struct sl_text value)
{
    const char *comma = memchr(value.ptr, ',', value.len);
    struct sl_spot *spot = &query->near.spot;

    if (query->has_spot)
        return refuse(query, "near", "near stands twice");
    query->has_spot = true;
    if (!comma)
        return refuse(query, "near", "near is latitude and longitude, as 52.52,13.4");
    const size_t len = (size_t)(comma - value.ptr);
    if (!sl_value_read_double((struct sl_text){value.ptr, len}, &spot->lat) || spot->lat < -90 ||
        spot->lat > 90)
        return refuse(query, "near", "the latitude is a number of degrees between -90 and 90");
    if (!sl_value_read_double((struct sl_text){comma + 1, value.len - len - 1}, &spot->lon) ||
        spot->lon < -180 || spot->lon > 180)
        return refuse(query, "near", "the longitude is a number of degrees between -180 and 180");
    return true;
}

static bool take_within(struct near_query *query, struct sl_text value)
{
    if (query->has_within)
        return refuse(query, "within", "within stands twice");
    query->has_within = true;
    return (sl_value_read_double(value, &query->near.within) && query->near.within >= 0) ||
           refuse(query, "within", "within is a number of metres, from 0 on");
}

static bool take_limit(struct near_query *query, struct sl_text value)
{
    uint64_t limit = 0;

    if (query->has_limit)
        return refuse(query, "limit", "limit stands twice");
    query->has_limit = true;
    if (!sl_url_number(value, &limit) || limit < 1 || limit > LIMIT_MAX)
        return refuse(query, "limit", "limit lies between 1 and 1000");
    query->near.limit = (uint32_t)limit;
    return true;
}

/* One parameter. False: it was answered. */
static bool take(struct near_query *query, struct sl_text name, struct sl_text value)
{
    if (sl_text_equals(name, SL_TEXT("near")))
        return take_spot(query, value);
    if (sl_text_equals(name, SL_TEXT("within")))
        return take_within(query, value);
    if (sl_text_equals(name, SL_TEXT("limit")))
        return take_limit(query, value);
    if (sl_text_equals(name, SL_TEXT("min_position")))
        return true;
    api_refuse(query->call, "unknown_parameter", NULL,
               "with near there are: within, limit and min_position, and no %.*s",
               (int)(name.len < 64 ? name.len : 64), name.ptr);
    return false;
}

static bool read_query(struct near_query *query)
{
    struct api_call *call = query->call;
    const struct sl_view_shape *shape = sl_view_table_shape(call->view);
    struct sl_text rest = call->request->query, name, value;
    bool broken = false;

    if (!shape->near[0]) {
        api_refuse(call, "no_near", "near", "%s does not say where its rows are",
                   shape->view->name);
        return false;
    }
    if (api_wants_stream(call))
        return refuse(query, "near", "what is followed live is not asked for by its distance");
    query->near.within = INFINITY;
    query->near.limit = LIMIT_DEFAULT;
    while (sl_url_pair(&rest, call->request->arena, &name, &value, &broken))
        if (!take(query, name, value))
            return false;
    if (broken)
        return refuse(query, NULL, "behind a % come two hex digits, and texts are UTF-8");
    return true;
}

/* ---- Answering ----------------------------------------------------------------------------- */

static void near_done(struct sl_view_listing *listing)
{
    struct api_call *call = ((struct near_query *)listing)->call;
    /* Answering takes back the request's memory, and with it the listing. */
    struct sl_buf json = listing->json;

    if (listing->err == SL_OK) {
        api_headers(call);
        api_header_position(call, listing->position);
        api_header_degraded(call);
        if (api_etag_is(call, listing->hash))
            api_send(call, 304, NULL, (struct sl_text){NULL, 0});
        else
            api_send_buf(call, 200, API_JSON, &json);
    } else {
        api_refuse(call, "view_failed", NULL, "%s", listing->error.message);
    }
    sl_buf_close(&json);
}

static void ask(struct near_query *query)
{
    query->listing.near = &query->near;
    query->listing.done = near_done;
    sl_core_saw_reader(query->call->api->options.core);
    sl_view_list(query->call->view, &query->listing);
}

static void near_waited(struct sl_wait *wait, bool reached, uint64_t at)
{
    struct near_query *query = wait->user;

    api_waited(query->call);
    if (reached)
        ask(query);
    else if (api_can_reach(query->call, wait->position))
        api_refuse_at(query->call, "position_not_reached", at,
                      "the stored view was not as far in time");
}

static void near_cancelled(struct api_call *call)
{
    sl_core_wait_cancel(&((struct near_query *)call->work)->wait);
}

void api_get_near(struct api_call *call)
{
    struct near_query *query = sl_arena_zeroed(call->request->arena, 1, sizeof *query);

    if (!query) {
        api_no_memory(call);
        return;
    }
    query->call = call;
    query->wait.domain = call->domain;
    query->wait.view = call->view;
    query->wait.path = SL_PATH_LIST;
    query->wait.done = near_waited;
    query->wait.user = query;
    if (!read_query(query) || !api_wanted_position(call, &query->wait.position) ||
        !api_wanted_deadline(call, &query->wait.until_ns) ||
        !api_can_reach(call, query->wait.position))
        return;
    if (query->wait.position == 0) {
        ask(query);
        return;
    }
    api_wait(call, near_cancelled, query);
    sl_view_hurry(call->view);
    sl_core_wait(&query->wait);
}
