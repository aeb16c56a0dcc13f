/*
 * Live events, as server-sent events, without a gap and without a repeat.
 *
 *     event: event
 *     id: bank:0123456789abcdef:1235
 *     data: {"position":1234,"type":…}
 *
 * The id is the token behind the event: Last-Event-ID goes on exactly there, and is refused where
 * the log has another history (P9).
 *
 * A follower first catches up by reading pages, then is told of each event. It watches the log from
 * the beginning, but only notes how far that has come: it is live as soon as a read that found the
 * end of the log had looked at all that was noted. From then on what the watch tells is what
 * follows. A page is read only when most of the last one has left, so that a slow peer costs one
 * page.
 */
#include "api/parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGE_EVENTS = 256,
    PAGE_BYTES = 128 << 10,
    BACKLOG_MAX = 256 << 10, /* bytes that the peer may not have read when the next page is */
    PAUSE_NS = 5000000,
};

struct api_follower {
    struct api_stream stream;
    struct api_pending
        pending; /* in the api's list while a read is under way and the peer is gone */
    struct sl_core_domain *domain;
    struct sl_log_watch watch;
    struct sl_core_read read;
    struct api_log_query query; /* `from`: all below was sent, or does not match */
    uint64_t noted;             /* the log is durable up to here, as the watch said */
    bool reading;
    bool live;
    bool ended;
    bool paused;
    struct api_follower *next_paused;
    char key[SL_STORE_STREAM_BYTES_MAX];
};

bool api_log_query_matches(const struct api_log_query *query, const struct sl_stored_event *event)
{
    if (query->by == SL_READ_STREAM)
        return sl_text_equals(event->stream, query->key);
    if (query->by != SL_READ_TAG)
        return true;
    for (uint32_t i = 0; i < event->tag_count; i++)
        if (sl_text_equals(event->tags[i], query->key))
            return true;
    return false;
}

static void free_follower(struct api_pending *pending)
{
    struct api_follower *follower =
        (struct api_follower *)((char *)pending - offsetof(struct api_follower, pending));

    free(follower);
}

static void unpause(struct api_follower *follower)
{
    struct api_follower **link = &follower->stream.api->paused;

    while (*link != follower)
        link = &(*link)->next_paused;
    *link = follower->next_paused;
    follower->paused = false;
}

static void end_follower(struct api_stream *stream)
{
    struct api_follower *follower = (struct api_follower *)stream;

    if (follower->paused)
        unpause(follower);
    sl_core_unwatch(follower->domain, &follower->watch);
    api_stream_close(stream);
    follower->ended = true;
    if (follower->reading)
        api_pending_add(stream->api, &follower->pending, free_follower);
    else
        free(follower);
}

/* False: the peer takes no more. */
static bool send_event(struct api_follower *follower, const struct sl_stored_event *event)
{
    struct sl_buf *out = &follower->stream.api->out;
    uint8_t room[128];
    struct sl_buf id = {.ptr = room, .capacity = sizeof room, .bytes_max = sizeof room};

    sl_buf_reset(out);
    if (sl_core_event_json(follower->domain, event, out) != SL_OK || out->failed)
        return false;
    sl_core_token(follower->domain, event->position + 1, &id);
    return sl_stream_send(follower->stream.stream, sl_buf_as_text(&id), SL_TEXT("event"),
                          sl_buf_as_text(out));
}

static void read_or_pause(struct api_follower *follower);

static void page_read(struct sl_core_read *core_read)
{
    struct api_follower *follower = core_read->user;
    const struct sl_read *read = &core_read->read;
    bool good = read->err == SL_OK;

    follower->reading = false;
    if (follower->ended) {
        sl_core_read_close(core_read);
        api_pending_remove(&follower->pending);
        free(follower);
        return;
    }
    for (size_t i = 0; i < read->event_count && good; i++)
        good = send_event(follower, &read->events[i]);
    if (good) {
        follower->query.from = read->end && read->durable > read->next ? read->durable : read->next;
        follower->live = read->end && follower->query.from >= follower->noted;
    }
    sl_core_read_close(core_read);
    if (!good)
        end_follower(&follower->stream);
    else if (!follower->live)
        read_or_pause(follower);
}

static void read_on(struct api_follower *follower)
{
    memset(&follower->read, 0, sizeof follower->read);
    follower->read.domain = follower->domain;
    follower->read.done = page_read;
    follower->read.user = follower;
    follower->read.read.by = follower->query.by;
    follower->read.read.key = follower->query.key;
    follower->read.read.from = follower->query.from;
    follower->read.read.until = UINT64_MAX;
    follower->read.read.count_max = PAGE_EVENTS;
    follower->read.read.bytes_max = PAGE_BYTES;
    follower->reading = true;
    sl_core_read(&follower->read);
}

static void read_or_pause(struct api_follower *follower)
{
    struct sl_api *api = follower->stream.api;

    if (sl_stream_backlog(follower->stream.stream) <= BACKLOG_MAX) {
        read_on(follower);
        return;
    }
    follower->paused = true;
    follower->next_paused = api->paused;
    api->paused = follower;
}

int64_t api_log_turn(struct sl_api *api, int64_t monotonic_ns)
{
    struct api_follower *follower = api->paused, *next;

    api->paused = NULL;
    for (; follower; follower = next) {
        next = follower->next_paused;
        follower->paused = false;
        read_or_pause(follower);
    }
    return api->paused ? monotonic_ns + PAUSE_NS : INT64_MAX;
}

static void happened(struct sl_log_watch *watch, const struct sl_stored_event *event)
{
    struct api_follower *follower = watch->user;

    follower->noted = event->position + 1;
    if (!follower->live || event->position < follower->query.from)
        return;
    /* A peer that falls behind catches up by reading pages again, at its own speed. */
    if (sl_stream_backlog(follower->stream.stream) > BACKLOG_MAX) {
        SL_MARK("log follower fell behind");
        follower->live = false;
        read_or_pause(follower);
        return;
    }
    SL_ASSERT(event->position == follower->query.from, "P1");
    follower->query.from = event->position + 1;
    if (api_log_query_matches(&follower->query, event) && !send_event(follower, event))
        end_follower(&follower->stream);
}

void api_follow_log(struct api_call *call, const struct api_log_query *query)
{
    struct api_follower *follower = calloc(1, sizeof *follower);

    if (!follower || query->key.len > sizeof follower->key) {
        free(follower);
        api_no_memory(call);
        return;
    }
    follower->domain = call->domain;
    follower->query = *query;
    if (query->key.len > 0)
        memcpy(follower->key, query->key.ptr, query->key.len);
    follower->query.key = (struct sl_text){follower->key, query->key.len};
    follower->watch.happened = happened;
    follower->watch.user = follower;
    api_stream_open(&follower->stream, call, end_follower);
    sl_core_watch(follower->domain, &follower->watch);
    read_on(follower);
}
