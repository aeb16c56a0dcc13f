/*
 * GET /{domain}/events and /{domain}/streams/{stream}: events as they are stored.
 *
 * `after` says where to go on: a position token, which stands before the event of its number ("all
 * below was seen"), or a plain number, the position of the last event seen. `next` of an answer is
 * the token for the following request; `end` says that there was nothing more. Backwards, the
 * newest come first and a token stands behind the events below it.
 *
 * With Accept: text/event-stream the same events come live, without a gap: see log_live.c.
 */
#include "api/parts.h"
#include "model/model.h"

#include <string.h>

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000, BYTES_MAX = 4 << 20 };

struct log_query {
    struct sl_core_read read;
    struct sl_wait wait;
    struct api_call *call;
    struct sl_text after;
    bool from_start;
    bool must_exist; /* a stream of which nothing is there is an error */
};

/* ---- Reading the query --------------------------------------------------------------------- */

static bool place_at(struct log_query *query, uint64_t position, bool is_number)
{
    struct sl_read *read = &query->read.read;

    if (read->backwards)
        read->until = position;
    else
        read->from = position + (is_number && position < UINT64_MAX);
    return true;
}

/* `after`, or Last-Event-ID: a token or a number. False: it was answered. */
static bool take_after(struct log_query *query, struct sl_text text)
{
    struct api_call *call = query->call;
    uint64_t position = 0;

    if (sl_url_number(text, &position))
        return place_at(query, position, true);
    switch (sl_core_token_read(call->domain, text, &position)) {
    case SL_OK:
        return place_at(query, position, false);
    case SL_CONFLICT:
        api_refuse(call, "other_history", "after",
                   "the log does not have what this position speaks of");
        return false;
    case SL_NOT_FOUND:
        api_refuse(call, "other_domain", "after", "this position belongs to another domain");
        return false;
    default:
        api_refuse(call, "bad_position", "after", "after is a position token, or a number");
        return false;
    }
}

/* Of all events, those that one of these picks. */
static bool is_choice(struct sl_text name)
{
    return sl_text_equals(name, SL_TEXT("tag")) || sl_text_equals(name, SL_TEXT("aggregate")) ||
           sl_text_equals(name, SL_TEXT("by"));
}

static bool choose(struct log_query *query, struct sl_text name, struct sl_text value)
{
    struct api_call *call = query->call;
    struct sl_read *read = &query->read.read;

    read->by = SL_READ_TAG;
    read->key = value;
    if (sl_text_equals(name, SL_TEXT("aggregate"))) {
        const char *slash = memchr(value.ptr, '/', value.len);
        if (!slash || slash == value.ptr) {
            api_refuse(call, "bad_query", "aggregate",
                       "an aggregate has a name and a key: account/7");
            return false;
        }
        read->by = SL_READ_AGGREGATE;
    } else if (sl_text_equals(name, SL_TEXT("by"))) {
        if (value.len > SL_PRINCIPAL_BYTES_MAX) {
            api_refuse(call, "bad_query", "by", "a name has at most %d bytes",
                       SL_PRINCIPAL_BYTES_MAX);
            return false;
        }
        read->key = sl_arena_printf(call->request->arena, SL_BY_TAG "%.*s", (int)value.len,
                                    value.ptr);
        if (!read->key.ptr) {
            api_no_memory(call);
            return false;
        }
    }
    return true;
}

static bool take(struct log_query *query, struct sl_text name, struct sl_text value)
{
    struct api_call *call = query->call;
    struct sl_read *read = &query->read.read;
    uint64_t limit = 0;

    if (sl_text_equals(name, SL_TEXT("after"))) {
        query->after = value;
        query->from_start = sl_text_equals(value, SL_TEXT("start"));
        return true;
    }
    if (sl_text_equals(name, SL_TEXT("min_position")))
        return true;
    if (is_choice(name) && read->by == SL_READ_POSITION && value.len > 0)
        return choose(query, name, value);
    if (sl_text_equals(name, SL_TEXT("limit"))) {
        if (sl_url_number(value, &limit) && limit >= 1 && limit <= LIMIT_MAX) {
            read->count_max = (size_t)limit;
            return true;
        }
        api_refuse(call, "bad_query", "limit", "limit lies between 1 and %d", LIMIT_MAX);
        return false;
    }
    if (sl_text_equals(name, SL_TEXT("backwards"))) {
        if (sl_url_flag(value, &read->backwards))
            return true;
        api_refuse(call, "bad_query", "backwards", "backwards is 1 or 0");
        return false;
    }
    api_refuse(call, "unknown_parameter", NULL,
               "no parameter %.*s here; there are: after, limit, backwards, min_position%s",
               (int)(name.len < 64 ? name.len : 64), name.ptr,
               read->by == SL_READ_STREAM ? "" : ", one of tag, aggregate, by");
    return false;
}

static bool read_query(struct log_query *query)
{
    struct api_call *call = query->call;
    struct sl_text rest = call->request->query, name, value;
    bool broken = false;

    query->read.read.until = UINT64_MAX;
    query->read.read.count_max = LIMIT_DEFAULT;
    query->read.read.bytes_max = BYTES_MAX;
    while (sl_url_pair(&rest, call->request->arena, &name, &value, &broken))
        if (!take(query, name, value))
            return false;
    if (broken) {
        api_refuse(call, "bad_query", NULL, "behind a %% come two hex digits, and texts are UTF-8");
        return false;
    }
    const struct sl_text last = sl_request_header(call->request, "last-event-id");
    if (last.len > 0 && api_wants_stream(call)) {
        query->after = last;
        query->from_start = false;
    }
    if (query->after.len > 0 && !query->from_start)
        return take_after(query, query->after);
    return true;
}

/* ---- Answering ----------------------------------------------------------------------------- */

/* Answering takes back the request's memory, and with it the read: that is closed before. */
static void send_page(struct log_query *query)
{
    struct api_call *call = query->call;
    const struct sl_read *read = &query->read.read;
    const uint64_t durable = read->durable;
    struct sl_buf out = query->read.json; /* behind the head that `ask` wrote */
    uint64_t next = read->next;

    if (read->end && !read->backwards && read->durable > next)
        next = read->durable;
    SL_BUF_LITERAL(&out, "],\"next\":\"");
    sl_core_token(call->domain, next, &out);
    sl_buf_printf(&out, "\",\"end\":%s}", read->end ? "true" : "false");
    query->read.json = (struct sl_buf){0};
    sl_core_read_close(&query->read);
    api_headers(call);
    api_header_position(call, durable);
    if (out.failed)
        api_no_memory(call);
    else
        api_send_buf(call, 200, API_JSON, &out);
    sl_buf_close(&out);
}

static void page_read(struct sl_core_read *core_read)
{
    struct log_query *query = core_read->user;
    struct api_call *call = query->call;
    const struct sl_read *read = &core_read->read;
    const struct sl_error error = read->error;

    if (read->err != SL_OK || core_read->json.failed) {
        sl_core_read_close(core_read);
        api_refuse(call, "store_failed", NULL, "%s", error.message);
    } else if (query->must_exist && read->event_count == 0 && query->after.len == 0) {
        sl_core_read_close(core_read);
        api_refuse(call, "no_stream", NULL, "no event was ever written to this stream");
    } else {
        send_page(query);
    }
}

static void ask(struct log_query *query)
{
    query->read.domain = query->call->domain;
    query->read.done = page_read;
    query->read.user = query;
    SL_BUF_LITERAL(&query->read.json, "{\"events\":[");
    sl_core_read(&query->read);
}

static void follow(struct log_query *query)
{
    const struct sl_read *read = &query->read.read;
    struct api_log_query from = {.by = read->by, .key = read->key, .from = read->from};
    struct sl_domain_numbers numbers;

    if (read->backwards) {
        api_refuse(query->call, "bad_query", "backwards", "time does not run backwards");
        return;
    }
    if (query->after.len == 0) {
        sl_core_numbers(query->call->domain, &numbers);
        from.from = numbers.durable_position;
    }
    api_follow_log(query->call, &from);
}

static void log_waited(struct sl_wait *wait, bool reached, uint64_t at)
{
    struct log_query *query = wait->user;

    api_waited(query->call);
    if (!reached)
        api_refuse_at(query->call, "position_not_reached", at, "the log was not as far in time");
    else
        ask(query);
}

static void log_cancelled(struct api_call *call)
{
    struct log_query *query = call->work;

    sl_core_wait_cancel(&query->wait);
}

static void start(struct log_query *query)
{
    struct api_call *call = query->call;

    if (!read_query(query) || !api_wanted_position(call, &query->wait.position) ||
        !api_wanted_deadline(call, &query->wait.until_ns))
        return;
    if (api_wants_stream(call)) {
        follow(query);
    } else if (query->wait.position == 0) {
        ask(query);
    } else {
        query->wait.domain = call->domain;
        query->wait.path = SL_PATH_LOG;
        query->wait.done = log_waited;
        query->wait.user = query;
        api_wait(call, log_cancelled, query);
        sl_core_wait(&query->wait);
    }
}

static struct log_query *new_query(struct api_call *call)
{
    struct log_query *query = sl_arena_zeroed(call->request->arena, 1, sizeof *query);

    if (!query)
        api_no_memory(call);
    else
        query->call = call;
    return query;
}

void api_get_events(struct api_call *call)
{
    struct log_query *query = new_query(call);

    if (!query)
        return;
    query->read.read.by = SL_READ_POSITION;
    start(query);
}

void api_get_stream(struct api_call *call)
{
    struct log_query *query = new_query(call);

    if (!query)
        return;
    query->must_exist = true;
    query->read.read.by = SL_READ_STREAM;
    query->read.read.key = sl_url_stream(call->route.rest, call->request->arena);
    if (!query->read.read.key.ptr || query->read.read.key.len > SL_STORE_STREAM_BYTES_MAX) {
        api_refuse(call, "no_stream", NULL, "streams are named aggregate/key");
        return;
    }
    start(query);
}
