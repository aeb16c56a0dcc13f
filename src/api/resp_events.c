/*
 * Subscriptions to a log: its events, those with a tag, or those of a stream, each once and in
 * order, from now on or from a position on, however long ago that was.
 *
 * A message is the event as JSON, as GET /domain/events has it; of a channel with "@" it is
 * {"position":token,"event":{…}}, and the token goes on behind the event.
 */
#include "api/resp_parts.h"

#include <stdlib.h>

#include "api/log_follow.h"

struct log_watch {
    struct resp_watch watch; /* first */
    struct api_follower follower;
};

static struct log_watch *log_watch_of(struct api_follower *follower)
{
    return (struct log_watch *)(void *)((char *)follower - offsetof(struct log_watch, follower));
}

static bool send_event(struct api_follower *follower, const struct sl_stored_event *event)
{
    struct resp_watch *watch = &log_watch_of(follower)->watch;
    struct sl_buf *out = &follower->api->out;
    uint8_t room[SL_STORE_STREAM_BYTES_MAX];
    struct sl_buf prefix = {.ptr = room, .capacity = sizeof room, .bytes_max = sizeof room};

    sl_buf_reset(out);
    if (watch->is_resumable) {
        resp_tell_position(watch, follower->domain, event->position + 1);
        SL_BUF_LITERAL(out, ",\"event\":");
    }
    if (sl_core_event_json(follower->domain, event, out) != SL_OK)
        return false;
    if (watch->is_resumable)
        sl_buf_byte(out, '}');
    sl_buf_printf(&prefix, "%s:streams:", sl_core_domain_of(follower->domain)->name);
    return resp_tell(watch, sl_buf_as_text(&prefix), event->stream);
}

static size_t backlog(struct api_follower *follower)
{
    return sl_resp_backlog(log_watch_of(follower)->watch.session->net);
}

/* The connection goes with it: a subscriber is never left without what it waits for. */
static void give_up(struct api_follower *follower)
{
    sl_resp_drop(log_watch_of(follower)->watch.session->net);
}

static void free_log_watch(struct api_follower *follower)
{
    free(log_watch_of(follower));
}

static void end_log_watch(struct resp_watch *watch)
{
    api_follower_end(&((struct log_watch *)watch)->follower);
}

struct resp_watch *resp_events_start(struct resp_session *session,
                                     const struct resp_channel *channel)
{
    struct resp_watch *watch = resp_watch_new(sizeof(struct log_watch), session, channel);
    struct log_watch *log = (struct log_watch *)watch;
    struct api_log_query query = {.by = SL_READ_POSITION, .from = channel->position};
    struct sl_domain_numbers numbers;

    if (!watch)
        return NULL;
    if (!channel->has_position) {
        sl_core_numbers(channel->domain, &numbers);
        query.from = numbers.durable_position;
    }
    if (!channel->is_pattern) {
        query.by = channel->source == RESP_STREAM ? SL_READ_STREAM : SL_READ_TAG;
        query.key = channel->rest;
    }
    watch->end = end_log_watch;
    log->follower.api = session->api;
    log->follower.domain = channel->domain;
    log->follower.send = send_event;
    log->follower.backlog = backlog;
    log->follower.give_up = give_up;
    log->follower.free = free_log_watch;
    const bool asked = api_follower_ask(&log->follower, &query);
    SL_ASSERT(asked, "the channel's length was looked at");
    api_follower_start(&log->follower);
    return watch;
}
