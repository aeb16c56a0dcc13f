/*
 * Strong views: the reply to a command is held back until they have applied it. After two seconds
 * it leaves as 202, durable but not applied everywhere.
 */
#include "engine/core.h"

#include <stdlib.h>
#include <string.h>

enum { HELD_NS = 2000000000 };

struct sl_held_reply {
    struct sl_wait wait;
    struct sl_held_reply *next, **link; /* of the domain's */
    struct sl_core_domain *domain;
    struct sl_submission *submission;
    struct sl_outcome outcome;
    struct sl_event_made events[]; /* what they point at follows */
};

static struct sl_view_table *first_behind(struct sl_core_domain *domain, uint64_t position)
{
    for (size_t i = 0; i < domain->view_count; i++) {
        struct sl_core_view *view = &domain->views[i];
        if (view->view->strong && sl_view_table_status(view->table).position < position)
            return view->table;
    }
    return NULL;
}

bool sl_core_is_behind(struct sl_core_domain *domain, uint64_t position)
{
    return first_behind(domain, position) != NULL;
}

static void leave(struct sl_held_reply *reply, int status)
{
    *reply->link = reply->next;
    if (reply->next)
        reply->next->link = reply->link;
    reply->outcome.status = status;
    reply->submission->done(reply->submission, &reply->outcome);
    free(reply);
}

static void applied(struct sl_wait *wait, bool in_time, uint64_t at)
{
    struct sl_held_reply *reply = wait->user;
    struct sl_view_table *behind = first_behind(reply->domain, reply->outcome.position);

    (void)at;
    if (!in_time) {
        leave(reply, 202);
    } else if (!behind) {
        leave(reply, 201);
    } else {
        wait->view = behind;
        sl_core_wait(wait);
    }
}

/* Bytes of what the events point at. */
static size_t events_size(const struct sl_outcome *outcome)
{
    size_t size = 0;

    for (size_t i = 0; i < outcome->event_count; i++) {
        const struct sl_event_made *made = &outcome->events[i];
        size += made->stream.len;
        if (made->stored)
            size += sizeof *made->stored + made->stored->body.len;
    }
    return size;
}

/* The events, with what they point at behind them. The names of types live as long as the log. */
static void copy_events(struct sl_held_reply *reply, const struct sl_outcome *outcome)
{
    const size_t count = outcome->event_count;
    struct sl_stored_event *stored = (struct sl_stored_event *)&reply->events[count];
    char *text = (char *)stored;

    for (size_t i = 0; i < count; i++)
        text += outcome->events[i].stored ? sizeof *stored : 0;
    for (size_t i = 0; i < count; i++) {
        struct sl_event_made *made = &reply->events[i];
        *made = outcome->events[i];
        if (made->stream.len > 0)
            memcpy(text, made->stream.ptr, made->stream.len);
        made->stream.ptr = text;
        text += made->stream.len;
        if (!made->stored)
            continue;
        *stored = *made->stored;
        stored->stream = made->stream;
        stored->tags = NULL;
        stored->tag_count = 0;
        if (stored->body.len > 0)
            memcpy(text, stored->body.ptr, stored->body.len);
        stored->body.ptr = (const uint8_t *)text;
        text += stored->body.len;
        made->stored = stored++;
    }
}

void sl_core_hold(struct sl_core_domain *domain, struct sl_submission *submission,
                  const struct sl_outcome *outcome)
{
    struct sl_held_reply *reply =
        calloc(1, sizeof *reply + outcome->event_count * sizeof *reply->events +
                      events_size(outcome));
    if (!reply) {
        struct sl_outcome late = *outcome;
        late.status = 202;
        submission->done(submission, &late);
        return;
    }
    reply->next = domain->held;
    reply->link = &domain->held;
    if (reply->next)
        reply->next->link = &reply->next;
    domain->held = reply;
    reply->domain = domain;
    reply->submission = submission;
    reply->outcome = *outcome;
    reply->outcome.events = reply->events;
    copy_events(reply, outcome);
    reply->wait = (struct sl_wait){
        .domain = domain,
        .view = first_behind(domain, outcome->position),
        .path = SL_PATH_LOOKUP,
        .position = outcome->position,
        .until_ns = sl_env_monotonic(domain->core->options.env) + HELD_NS,
        .done = applied,
        .user = reply};
    sl_core_wait(&reply->wait);
}

void sl_core_drop_held(struct sl_core_domain *domain)
{
    while (domain->held) {
        struct sl_held_reply *reply = domain->held;
        domain->held = reply->next;
        free(reply);
    }
}
