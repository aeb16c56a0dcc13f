/*
 * Live rows, as server-sent events.
 *
 *     event: row
 *     id: bank:0123456789abcdef:1234
 *     data: {"key":"C1","row":{…}}
 *
 * `row` is null where the row is gone, or does not match the list's fields (any more).
 *
 * A single row is sent as it stands when the stream begins, and after each change; its id is the
 * position that the view has applied. Whoever comes back with it gets the row as far as that.
 *
 * A list sends what changes. It begins with one of these, whose data is {"position":token}:
 *
 *     event: ready    a new stream. GET the list with min_position of that token, and put the rows
 *                     that come over it.
 *     event: current  what changed since Last-Event-ID was sent before it, and nothing else did
 *     event: resync   what changed since is not known any more: as `ready`
 *
 * A list's row has the position of its event as id, not the one behind it: an event may change
 * several rows, and whoever comes back may have seen some of them only. `resync` comes later, too,
 * when the view was rebuilt and other rows may have taken the place of all.
 *
 * A view that gives up on an event (docs/views.md), or has done so before the stream began, says
 *
 *     event: degraded    data: {"position":token,"why":"…"}: nothing comes behind this position
 *     event: running     data: {"position":token}: it goes on from there
 *
 * What changed is known by the view's history (row_history.h), and is sent as it now stands. All of
 * it is sent at once, when the stream begins: so it is bounded, and beyond the bound the client
 * reads the list, which costs both of them less.
 */
#include "api/row_history.h"

#include <stdlib.h>
#include <string.h>

#include "record/place.h"

enum {
    PAST_CHANGES_MAX = 2000,
    PAST_BYTES_MAX = 512 << 10,
};

struct follow {
    struct api_stream stream;
    struct sl_view_watch watch;
    struct sl_core_domain *domain;
    struct sl_view_table *view;
    bool degraded;               /* and the peer was told so */
    struct row_history *history; /* of lists: so that who comes back can go on */
    struct sl_place place;       /* the fields that a row must have the same values in */
    struct sl_text wanted;       /* these values, as the place's text */
    char texts[2 * SL_PLACE_BYTES_MAX];
};

static void end_follow(struct api_stream *stream)
{
    struct follow *follow = (struct follow *)stream;

    sl_view_unwatch(follow->view, &follow->watch);
    if (follow->history)
        api_row_history_leave(follow->history);
    api_stream_close(stream);
    free(follow);
}

static bool matches(const struct follow *follow, const void *row)
{
    uint8_t room[SL_PLACE_BYTES_MAX];
    struct sl_buf text = {.ptr = room, .capacity = sizeof room, .bytes_max = sizeof room};

    return follow->place.count == 0 || (sl_place_write(&follow->place, row, &text) == SL_OK &&
                                        sl_text_equals(sl_buf_as_text(&text), follow->wanted));
}

static bool send_row(struct follow *follow, struct sl_text key, const struct sl_view_row *row,
                     uint64_t position)
{
    struct sl_buf *out = &follow->stream.api->out;
    uint8_t room[128];
    struct sl_buf id = {.ptr = room, .capacity = sizeof room, .bytes_max = sizeof room};

    sl_core_token(follow->domain, position, &id);
    sl_buf_reset(out);
    SL_BUF_LITERAL(out, "{\"key\":");
    sl_json_write_text(out, key);
    SL_BUF_LITERAL(out, ",\"row\":");
    if (!row || !row->row || !matches(follow, row->row))
        SL_BUF_LITERAL(out, "null");
    else if (row->json.len > 0)
        sl_buf_text(out, row->json);
    else
        sl_json_write(out, sl_view_table_shape(follow->view)->view->record, row->row);
    sl_buf_byte(out, '}');
    return sl_stream_send(follow->stream.stream, sl_buf_as_text(&id), SL_TEXT("row"),
                          sl_buf_as_text(out));
}

static void row_changed(struct sl_view_watch *watch, struct sl_text key,
                        const struct sl_view_row *row, uint64_t position)
{
    struct follow *follow =
        (struct follow *)(void *)((char *)watch - offsetof(struct follow, watch));

    /* Too slow or gone: the peer comes back and gets the row as it then is. */
    if (!send_row(follow, key, row, follow->history ? position - 1 : position))
        end_follow(&follow->stream);
}

/* "ready", "current", "resync", "running", or "degraded" with its reason. */
static bool send_state(struct follow *follow, struct sl_text name, const char *why,
                       uint64_t position)
{
    uint8_t room[128];
    struct sl_buf token = {.ptr = room, .capacity = sizeof room, .bytes_max = sizeof room};
    struct sl_buf *out = &follow->stream.api->out;

    sl_core_token(follow->domain, position, &token);
    sl_buf_reset(out);
    sl_buf_printf(out, "{\"position\":\"%.*s\"", (int)token.len, (const char *)token.ptr);
    if (why) {
        SL_BUF_LITERAL(out, ",\"why\":");
        api_json_string(out, why);
    }
    sl_buf_byte(out, '}');
    return sl_stream_send(follow->stream.stream, sl_buf_as_text(&token), name, sl_buf_as_text(out));
}

static bool send_place(struct follow *follow, struct sl_text name, uint64_t position)
{
    return send_state(follow, name, NULL, position);
}

static void state_changed(struct sl_view_watch *watch, const char *why, uint64_t position)
{
    struct follow *follow =
        (struct follow *)(void *)((char *)watch - offsetof(struct follow, watch));

    follow->degraded = why != NULL;
    if (!send_state(follow, why ? SL_TEXT("degraded") : SL_TEXT("running"), why, position))
        end_follow(&follow->stream);
}

/* The first thing behind what a stream begins with. */
static bool send_degraded(struct follow *follow)
{
    const struct sl_view_status status = sl_view_table_status(follow->view);

    follow->degraded = status.state == SL_VIEW_DEGRADED;
    return !follow->degraded ||
           send_state(follow, SL_TEXT("degraded"), status.why, status.position);
}

static void rows_replaced(struct sl_view_watch *watch, uint64_t position)
{
    struct follow *follow =
        (struct follow *)(void *)((char *)watch - offsetof(struct follow, watch));
    struct sl_view_row row = {0};
    bool taken = false;

    if (watch->key.len == 0) {
        taken = send_place(follow, SL_TEXT("resync"), position);
    } else {
        const enum sl_lookup_result found = sl_view_lookup(follow->view, watch->key, &row);
        /* A row that is not in memory is fetched for who comes back. */
        taken = found != SL_LOOKUP_PENDING &&
                send_row(follow, watch->key, found == SL_LOOKUP_FOUND ? &row : NULL, position);
    }
    /* A new build took the place of one that stood still: it does not. */
    if (taken && follow->degraded)
        taken = send_place(follow, SL_TEXT("running"), position);
    follow->degraded = false;
    if (!taken)
        end_follow(&follow->stream);
}

/* The leading fields that the query names, and their values. */
static bool keep_filter(struct follow *follow, const struct sl_list_query *query)
{
    const struct sl_view_shape *shape = sl_view_table_shape(follow->view);
    struct sl_buf text = {.ptr = (uint8_t *)follow->texts + SL_PLACE_BYTES_MAX,
                          .capacity = SL_PLACE_BYTES_MAX,
                          .bytes_max = SL_PLACE_BYTES_MAX};

    if (query->equal_count == 0)
        return true;
    follow->place = query->index < 0 ? shape->key : shape->indexes[query->index];
    follow->place.count = query->equal_count;
    if (sl_place_write(&follow->place, query->equal, &text) != SL_OK)
        return false;
    follow->wanted = sl_buf_as_text(&text);
    return true;
}

/* ---- What changed since ---------------------------------------------------------------------- */

/* Sends what changed from a place of the history on. False: not all of it can be. */
static bool send_past(struct follow *follow, uint64_t place)
{
    const struct sl_history *history = &follow->history->history;
    char bytes[SL_HISTORY_KEY_MAX];
    struct sl_view_row row;
    uint64_t position;
    bool lost = false;
    size_t len;

    for (int i = 0; sl_history_next(history, &place, &position, bytes, &len, &lost); i++) {
        const struct sl_text key = {bytes, len};
        const enum sl_lookup_result found = sl_view_lookup(follow->view, key, &row);
        if (i == PAST_CHANGES_MAX || found == SL_LOOKUP_PENDING ||
            sl_stream_backlog(follow->stream.stream) > PAST_BYTES_MAX)
            return false;
        /* One that changed again later comes with that change. */
        if (found == SL_LOOKUP_FOUND && row.version > position + 1)
            continue;
        if (!send_row(follow, key, found == SL_LOOKUP_FOUND ? &row : NULL, position))
            return false;
    }
    return !lost;
}

static bool begin_list(struct follow *follow, const uint64_t *since)
{
    uint64_t position = sl_view_table_status(follow->view).position, place = 0;

    if (!since)
        return send_place(follow, SL_TEXT("ready"), position);
    switch (api_rows_since(follow->stream.api, follow->view, *since, &place)) {
    case API_ROWS_TO_COME:
        return send_place(follow, SL_TEXT("current"), position);
    case API_ROWS_KNOWN:
        if (send_past(follow, place))
            return send_place(follow, SL_TEXT("current"), position);
        break;
    case API_ROWS_LOST:
        break;
    }
    SL_MARK("a list's past is not known");
    /* The list is not to go back behind what its reader has seen. */
    if (position < *since)
        position = *since;
    return send_place(follow, SL_TEXT("resync"), position);
}

/* ---- Begin ----------------------------------------------------------------------------------- */

bool api_wanted_since(struct api_call *call, bool *out_has, uint64_t *out)
{
    const struct sl_text since = sl_request_query(call->request, "since");
    struct sl_text token = sl_request_header(call->request, "last-event-id");

    *out_has = false;
    if (!api_wants_stream(call)) {
        if (since.ptr)
            api_refuse(call, "bad_query", "since",
                       "since is of a stream: Accept: text/event-stream");
        return !since.ptr;
    }
    if (token.len == 0)
        token = since;
    *out_has = token.len > 0;
    return !*out_has || api_read_position(call, token, out);
}

static struct follow *new_follow(struct api_call *call)
{
    struct follow *follow = calloc(1, sizeof *follow);

    if (!follow) {
        api_no_memory(call);
        return NULL;
    }
    follow->domain = call->domain;
    follow->view = call->view;
    follow->watch.changed = row_changed;
    follow->watch.resync = rows_replaced;
    follow->watch.state = state_changed;
    return follow;
}

void api_follow_row(struct api_call *call, struct sl_text key, const struct sl_view_row *first,
                    uint64_t position)
{
    struct follow *follow = new_follow(call);

    if (!follow)
        return;
    memcpy(follow->texts, key.ptr, key.len);
    follow->watch.key = (struct sl_text){follow->texts, key.len};
    api_stream_open(&follow->stream, call, end_follow);
    sl_view_watch(follow->view, &follow->watch);
    if (!send_row(follow, follow->watch.key, first, position) || !send_degraded(follow))
        end_follow(&follow->stream);
}

void api_follow_list(struct api_call *call, const struct sl_list_query *query,
                     const uint64_t *since)
{
    struct follow *follow = new_follow(call);
    const bool has_since = since != NULL;
    const uint64_t from = has_since ? *since : 0; /* the request is gone when the stream begins */

    if (!follow)
        return;
    if (query->search.len > 0) {
        free(follow);
        api_refuse(call, "bad_query", "q", "a search is not followed live: follow the list");
        return;
    }
    if (!keep_filter(follow, query)) {
        free(follow);
        api_refuse(call, "bad_query", NULL, "the fields' values are too long");
        return;
    }
    follow->history = api_row_history_join(call->api, follow->view);
    if (!follow->history) {
        free(follow);
        api_no_memory(call);
        return;
    }
    api_stream_open(&follow->stream, call, end_follow);
    sl_view_watch(follow->view, &follow->watch);
    if (!begin_list(follow, has_since ? &from : NULL) || !send_degraded(follow))
        end_follow(&follow->stream);
}
