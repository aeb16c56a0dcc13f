/*
 * Following a log from a position on, without a gap and without a repeat, for any door.
 *
 * A follower first catches up by reading pages, then is told of each event. It watches the log from
 * the beginning, but only notes how far that has come: it is live as soon as a read that found the
 * end of the log had looked at all that was noted. From then on what the watch tells is what
 * follows. A page is read only when most of the last one has left, so that a slow peer costs one
 * page.
 */
#include "api/log_follow.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGE_EVENTS = 256,
    PAGE_BYTES = 128 << 10,
    PAUSE_NS = 5000000,
};

/* The tag that stands for an aggregate: "account/7" is tagged "account:7". */
static bool is_tag_of(struct sl_text aggregate, struct sl_text tag)
{
    const char *slash = memchr(aggregate.ptr, '/', aggregate.len);
    const size_t name = (size_t)(slash - aggregate.ptr);

    return tag.len == aggregate.len && memcmp(tag.ptr, aggregate.ptr, name) == 0 &&
           tag.ptr[name] == ':' &&
           memcmp(tag.ptr + name + 1, slash + 1, aggregate.len - name - 1) == 0;
}

bool api_log_query_matches(const struct api_log_query *query, const struct sl_stored_event *event)
{
    if (query->by == SL_READ_STREAM)
        return sl_text_equals(event->stream, query->key);
    if (query->by == SL_READ_POSITION)
        return true;
    if (query->by == SL_READ_AGGREGATE && sl_text_equals(event->stream, query->key))
        return true;
    for (uint32_t i = 0; i < event->tag_count; i++)
        if (query->by == SL_READ_TAG ? sl_text_equals(event->tags[i], query->key)
                                     : is_tag_of(query->key, event->tags[i]))
            return true;
    return false;
}

/* The read that is under way when a follower ends, and what frees it when that is over. */
static void free_pending(struct api_pending *pending)
{
    struct api_follower *follower =
        (struct api_follower *)((char *)pending - offsetof(struct api_follower, pending));

    follower->free(follower);
}

static void unpause(struct api_follower *follower)
{
    struct api_follower **link = &follower->api->paused;

    while (*link != follower)
        link = &(*link)->next_paused;
    *link = follower->next_paused;
    follower->paused = false;
}

void api_follower_end(struct api_follower *follower)
{
    if (follower->paused)
        unpause(follower);
    if (!follower->api->closed)
        sl_core_unwatch(follower->domain, &follower->watch);
    follower->ended = true;
    if (follower->reading)
        api_pending_add(follower->api, &follower->pending, free_pending);
    else
        follower->free(follower);
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
        follower->free(follower);
        return;
    }
    for (size_t i = 0; i < read->event_count && good; i++)
        good = read->events[i].is_stone || follower->send(follower, &read->events[i]);
    if (good) {
        follower->query.from = read->end && read->durable > read->next ? read->durable : read->next;
        follower->live = read->end && follower->query.from >= follower->noted;
    }
    sl_core_read_close(core_read);
    if (!good)
        follower->give_up(follower);
    else if (!follower->live)
        read_or_pause(follower);
}

static void read_on(struct api_follower *follower)
{
    memset(&follower->read, 0, sizeof follower->read);
    follower->read.domain = follower->domain;
    follower->read.as_stored = true;
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
    struct sl_api *api = follower->api;

    if (follower->backlog(follower) <= API_FOLLOW_BACKLOG) {
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
    if (follower->backlog(follower) > API_FOLLOW_BACKLOG) {
        SL_MARK("log follower fell behind");
        follower->live = false;
        read_or_pause(follower);
        return;
    }
    SL_ASSERT(event->position == follower->query.from, "P1");
    follower->query.from = event->position + 1;
    if (api_log_query_matches(&follower->query, event) && !follower->send(follower, event))
        follower->give_up(follower);
}

bool api_follower_ask(struct api_follower *follower, const struct api_log_query *query)
{
    if (query->key.len > sizeof follower->key)
        return false;
    follower->query = *query;
    if (query->key.len > 0)
        memcpy(follower->key, query->key.ptr, query->key.len);
    follower->query.key = (struct sl_text){follower->key, query->key.len};
    return true;
}

void api_follower_start(struct api_follower *follower)
{
    follower->watch.happened = happened;
    follower->watch.user = follower;
    sl_core_watch(follower->domain, &follower->watch);
    read_on(follower);
}
