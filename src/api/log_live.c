/*
 * Live events, as server-sent events, without a gap and without a repeat.
 *
 *     event: event
 *     id: bank:0123456789abcdef:1235
 *     data: {"position":1234,"type":…}
 *
 * The id is the token behind the event: Last-Event-ID goes on exactly there, and is refused where
 * the log has another history (P9).
 */
#include "api/log_follow.h"

#include <stdlib.h>

struct live_log {
    struct api_stream stream; /* first */
    struct api_follower follower;
};

static struct live_log *live_log_of(struct api_follower *follower)
{
    return (struct live_log *)(void *)((char *)follower - offsetof(struct live_log, follower));
}

static bool send_event(struct api_follower *follower, const struct sl_stored_event *event)
{
    struct sl_buf *out = &follower->api->out;
    uint8_t room[128];
    struct sl_buf id = {.ptr = room, .capacity = sizeof room, .bytes_max = sizeof room};

    sl_buf_reset(out);
    if (sl_core_event_json(follower->domain, event, out) != SL_OK || out->failed)
        return false;
    sl_core_token(follower->domain, event->position + 1, &id);
    return sl_stream_send(live_log_of(follower)->stream.stream, sl_buf_as_text(&id),
                          SL_TEXT("event"), sl_buf_as_text(out));
}

static size_t backlog(struct api_follower *follower)
{
    return sl_stream_backlog(live_log_of(follower)->stream.stream);
}

static void end_live_log(struct api_stream *stream)
{
    struct live_log *live = (struct live_log *)stream;

    api_stream_close(stream);
    api_follower_end(&live->follower);
}

static void give_up(struct api_follower *follower)
{
    end_live_log(&live_log_of(follower)->stream);
}

static void free_live_log(struct api_follower *follower)
{
    free(live_log_of(follower));
}

void api_follow_log(struct api_call *call, const struct api_log_query *query)
{
    struct live_log *live = calloc(1, sizeof *live);

    /* The query is gone with the request. */
    if (!live || !api_follower_ask(&live->follower, query)) {
        free(live);
        api_no_memory(call);
        return;
    }
    live->follower.api = call->api;
    live->follower.domain = call->domain;
    live->follower.send = send_event;
    live->follower.backlog = backlog;
    live->follower.give_up = give_up;
    live->follower.free = free_live_log;
    api_stream_open(&live->stream, call, end_live_log);
    api_follower_start(&live->follower);
}
