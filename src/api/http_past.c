/* GET /{domain}/{view}/{key}?at=…: a row of a temporal view as it was. */
#include "api/parts.h"

#include <string.h>

#include "record/value.h"

struct past_query {
    struct sl_view_listing listing; /* first */
    struct sl_past_query past;
    struct sl_core_moment moment;
    struct sl_wait wait;
    struct api_call *call;
};

/* ---- Answering ----------------------------------------------------------------------------- */

static void past_done(struct sl_view_listing *listing)
{
    struct past_query *query = (struct past_query *)listing;
    struct api_call *call = query->call;
    /* Answering takes back the request's memory, and with it the listing. */
    struct sl_buf json = listing->json;
    const uint64_t position = query->past.position;

    if (listing->err != SL_OK) {
        api_refuse(call, "view_failed", NULL, "%s", listing->error.message);
    } else if (json.len == 0) {
        api_refuse_at(call, "no_row", position, "the view had no row with this key then");
    } else {
        api_headers(call);
        api_header_position(call, position);
        if (api_etag_is(call, listing->hash))
            api_send(call, 304, NULL, (struct sl_text){NULL, 0});
        else
            api_send_buf(call, 200, API_JSON, &json);
    }
    sl_buf_close(&json);
}

static void past_waited(struct sl_wait *wait, bool reached, uint64_t at)
{
    struct past_query *query = wait->user;

    api_waited(query->call);
    if (reached) {
        query->listing.past = &query->past;
        query->listing.done = past_done;
        sl_core_saw_reader(query->call->api->options.core);
        sl_view_list(query->call->view, &query->listing);
    } else if (api_can_reach(query->call, wait->position)) {
        api_refuse_at(query->call, "position_not_reached", at,
                      "the stored view was not as far in time");
    }
}

static void past_cancelled(struct api_call *call)
{
    sl_core_wait_cancel(&((struct past_query *)call->work)->wait);
}

static void ask(struct past_query *query, uint64_t position)
{
    struct api_call *call = query->call;

    query->past.position = position;
    if (!api_wanted_deadline(call, &query->wait.until_ns) || !api_can_reach(call, position))
        return;
    query->wait.domain = call->domain;
    query->wait.view = call->view;
    query->wait.path = SL_PATH_LIST;
    query->wait.position = position;
    query->wait.done = past_waited;
    query->wait.user = query;
    api_wait(call, past_cancelled, query);
    sl_core_wait(&query->wait);
}

static void moment_found(struct sl_core_moment *moment, enum sl_err err, uint64_t position)
{
    struct past_query *query = moment->user;

    if (err)
        api_refuse(query->call, "store_failed", NULL, "the log could not be read");
    else
        ask(query, position);
}

/* ---- Reading the query --------------------------------------------------------------------- */

static void ask_time(struct past_query *query, struct sl_time time)
{
    struct api_call *call = query->call;

    if (sl_time_before(sl_env_now(call->api->options.env), time)) {
        api_refuse(call, "at_in_the_future", "at", "nobody knows yet what there will be then");
        return;
    }
    query->moment = (struct sl_core_moment){
        .domain = call->domain, .time = time, .done = moment_found, .user = query};
    sl_core_saw_reader(call->api->options.core);
    sl_core_moment(&query->moment);
}

static void ask_position(struct past_query *query, uint64_t position)
{
    struct sl_domain_numbers numbers;

    sl_core_numbers(query->call->domain, &numbers);
    if (position > numbers.durable_position)
        api_refuse_at(query->call, "at_in_the_future", numbers.durable_position,
                      "the log has not come to this position");
    else
        ask(query, position);
}

/* "bank:0123456789abcdef:12", while a time has a hyphen behind its year. */
static bool is_token(const struct api_call *call, struct sl_text at)
{
    const char *name = sl_core_domain_of(call->domain)->name;
    const size_t len = strlen(name);

    return at.len > len && memcmp(at.ptr, name, len) == 0 && at.ptr[len] == ':';
}

void api_get_past(struct api_call *call, struct sl_text key, struct sl_text at)
{
    const struct sl_view *view = sl_view_table_shape(call->view)->view;
    struct past_query *query = sl_arena_zeroed(call->request->arena, 1, sizeof *query);
    struct sl_time time;
    uint64_t position;

    if (!query) {
        api_no_memory(call);
        return;
    }
    const bool is_number = sl_url_number(at, &position);
    query->call = call;
    query->past.key = key;
    if (!view->temporal)
        api_refuse(call, "not_temporal", "at", "%s does not keep rows as they were", view->name);
    else if (api_wants_stream(call))
        api_refuse(call, "bad_query", "at", "what was does not change: at and live are two things");
    else if (!is_number && sl_value_read_time(at, &time))
        ask_time(query, time);
    else if (!is_number && !is_token(call, at))
        api_refuse(call, "bad_query", "at",
                   "at is a position, a token of one, or a time such as 2026-11-23T10:00:00Z");
    else if (is_number || api_read_position(call, at, &position))
        ask_position(query, position);
}
