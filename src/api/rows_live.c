/*
 * Live rows, as server-sent events.
 *
 *     event: row
 *     id: bank:0123456789abcdef:1234
 *     data: {"key":"C1","row":{…}}
 *
 * `row` is null where the row is gone, or no longer matches the list's fields. The id is the
 * position that the view has applied.
 *
 * A single row is sent as it stands when the stream begins, and after each change: whoever
 * reconnects has missed nothing that matters, whatever Last-Event-ID says. A list begins with
 *
 *     event: ready
 *     data: {"position":"bank:0123456789abcdef:1230"}
 *
 * and sends what changes from then on. To show a list that is never stale: open the stream, wait
 * for `ready`, GET the list with min_position of that token, and then put the rows that come over
 * it. When the view was rebuilt meanwhile, and other rows may have taken the place of all, a row is
 * sent as it then stands, and of a list comes
 *
 *     event: resync
 *     data: {"position":"bank:0123456789abcdef:1300"}
 *
 * which asks for the same as `ready`: to GET the list again.
 */
#include "api/parts.h"

#include <stdlib.h>
#include <string.h>

#include "record/place.h"

struct follow {
    struct api_stream stream;
    struct sl_view_watch watch;
    struct sl_core_domain *domain;
    struct sl_view_table *view;
    struct sl_place place; /* the fields that a row must have the same values in */
    struct sl_text wanted; /* these values, as the place's text */
    char texts[2 * SL_PLACE_BYTES_MAX];
};

static void end_follow(struct api_stream *stream)
{
    struct follow *follow = (struct follow *)stream;

    sl_view_unwatch(follow->view, &follow->watch);
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
    if (!send_row(follow, key, row, position))
        end_follow(&follow->stream);
}

/* "ready" or "resync". */
static bool send_place(struct follow *follow, struct sl_text name, uint64_t position)
{
    uint8_t room[128];
    struct sl_buf token = {.ptr = room, .capacity = sizeof room, .bytes_max = sizeof room};
    struct sl_buf *out = &follow->stream.api->out;

    sl_core_token(follow->domain, position, &token);
    sl_buf_reset(out);
    sl_buf_printf(out, "{\"position\":\"%.*s\"}", (int)token.len, (const char *)token.ptr);
    return sl_stream_send(follow->stream.stream, sl_buf_as_text(&token), name,
                          sl_buf_as_text(out));
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

void api_follow_rows(struct api_call *call, struct sl_text key, const struct sl_list_query *query,
                     const struct sl_view_row *first, uint64_t position)
{
    struct follow *follow = calloc(1, sizeof *follow);

    if (!follow) {
        api_no_memory(call);
        return;
    }
    follow->domain = call->domain;
    follow->view = call->view;
    follow->watch.changed = row_changed;
    follow->watch.resync = rows_replaced;
    if (query && !keep_filter(follow, query)) {
        free(follow);
        api_refuse(call, "bad_query", NULL, "the fields' values are too long");
        return;
    }
    if (key.len > 0) {
        memcpy(follow->texts, key.ptr, key.len);
        follow->watch.key = (struct sl_text){follow->texts, key.len};
    }
    api_stream_open(&follow->stream, call, end_follow);
    sl_view_watch(follow->view, &follow->watch);
    const bool taken = key.len > 0 ? send_row(follow, follow->watch.key, first, position)
                                   : send_place(follow, SL_TEXT("ready"), position);
    if (!taken)
        end_follow(&follow->stream);
}
