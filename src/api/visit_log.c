/*
 * Events for a visit: read by the store's threads, decoded on the engine's, borrowed from the read
 * until the visit is over.
 */
#include "api/visit.h"

#include <string.h>

#include "record/place.h"

enum { EVENTS_BYTES_MAX = 16 << 20 };

struct visit_log {
    struct sl_core_read read;
    struct sl_wait wait;
    struct sl_visit *visit;
    struct visit_log *next; /* of those to be closed */
    struct sl_visit_events events;
    void (*then)(struct sl_visit *visit, const struct sl_visit_events *events);
    bool is_read;
};

struct sl_text sl_visit_key(struct sl_visit *visit, enum sl_kind kind, const void *value)
{
    const struct sl_field field = {.name = "key", .kind = kind};
    const struct sl_place place = {1, {&field}};
    uint8_t bytes[SL_PLACE_BYTES_MAX];
    struct sl_buf buf = {.ptr = bytes, .capacity = sizeof bytes, .bytes_max = sizeof bytes};
    struct sl_text key = {NULL, 0};

    if (sl_place_write_values(&place, &value, 1, &buf) == SL_OK)
        key = sl_arena_text(visit->call->request->arena, sl_buf_as_text(&buf));
    else
        visit_fault(visit, true);
    if (!key.ptr)
        visit->failed = true;
    return key;
}

void visit_logs_close(struct sl_visit *visit)
{
    for (struct visit_log *log = visit->logs; log; log = log->next)
        if (log->is_read)
            sl_core_read_close(&log->read);
    visit->logs = NULL;
}

static void events_turn(struct sl_visit *visit)
{
    visit->logs->then(visit, &visit->logs->events);
}

static void events_read(struct sl_core_read *core_read)
{
    struct visit_log *log = core_read->user;
    struct sl_visit *visit = log->visit;
    const struct sl_read *read = &core_read->read;

    log->is_read = true;
    if (read->err != SL_OK) {
        visit_refuse(visit, read->err == SL_NO_MEMORY ? "no_memory" : "store_failed",
                     VISIT_NO_POSITION, "%s", read->error.message);
    } else {
        log->events = (struct sl_visit_events){.events = core_read->events,
                                               .count = core_read->event_count,
                                               .next = read->next,
                                               .end = read->end,
                                               .durable = read->durable};
        visit_saw(visit, read->durable);
    }
    visit_go_on(visit);
}

static void ask(struct visit_log *log)
{
    log->read.domain = log->visit->call->domain;
    log->read.as_events = true;
    log->read.done = events_read;
    log->read.user = log;
    sl_core_read(&log->read);
}

static void log_waited(struct sl_wait *wait, bool reached, uint64_t at)
{
    struct visit_log *log = wait->user;

    api_waited(log->visit->call);
    if (reached) {
        ask(log);
        return;
    }
    visit_refuse(log->visit, "position_not_reached", at, "the log was not as far in time");
    visit_go_on(log->visit);
}

void visit_logs_cancel(struct sl_visit *visit)
{
    if (visit->logs)
        sl_core_wait_cancel(&visit->logs->wait);
}

/* A route without roles is no way around those of the log. */
static bool may_read(struct sl_visit *visit)
{
    const struct sl_domain *domain = visit->own->domain;
    const struct sl_deed deed = {SL_DO_READ_LOG, domain->name, NULL, sl_auth_log_roles(domain),
                                 false};

    return visit->own->route->roles || visit_may(visit, &deed);
}

static void begin_events(struct sl_visit *visit)
{
    struct visit_log *log = visit->logs;

    visit->turn = events_turn;
    if (!may_read(visit)) {
        visit_go_on(visit);
        return;
    }
    log->wait = (struct sl_wait){.domain = visit->call->domain,
                                 .path = SL_PATH_LOG,
                                 .position = visit->wanted,
                                 .until_ns = visit->until_ns,
                                 .done = log_waited,
                                 .user = log};
    visit_waits(visit);
    sl_core_wait(&log->wait);
}

static bool name_key(struct sl_visit *visit, const struct sl_visit_log *wanted, struct sl_read *out)
{
    static const enum sl_read_by by[] = {
        [SL_EVENTS_OF_LOG] = SL_READ_POSITION,
        [SL_EVENTS_OF_STREAM] = SL_READ_STREAM,
        [SL_EVENTS_OF_TAG] = SL_READ_TAG,
        [SL_EVENTS_OF_AGGREGATE] = SL_READ_AGGREGATE,
    };
    const bool has_name = wanted->of != SL_EVENTS_OF_LOG;

    if (wanted->of > SL_EVENTS_OF_AGGREGATE || has_name != (wanted->name != NULL) ||
        wanted->limit < 1 || wanted->limit > SL_VISIT_ITEMS_MAX ||
        wanted->key.len > SL_PLACE_BYTES_MAX) {
        visit_fault(visit, true);
        return false;
    }
    out->by = by[wanted->of];
    if (has_name)
        out->key = sl_arena_printf(visit->call->request->arena, "%s%c%.*s", wanted->name,
                                   wanted->of == SL_EVENTS_OF_TAG ? ':' : '/', (int)wanted->key.len,
                                   wanted->key.ptr ? wanted->key.ptr : "");
    return !has_name || out->key.ptr;
}

void sl_visit_events(struct sl_visit *visit, const struct sl_visit_log *log,
                     void (*then)(struct sl_visit *visit, const struct sl_visit_events *events))
{
    if (!visit_wishes(visit, VISIT_MORE))
        return;
    struct visit_log *work = sl_arena_zeroed(visit->call->request->arena, 1, sizeof *work);
    if (!work || !name_key(visit, log, &work->read.read)) {
        visit->failed = true;
        return;
    }
    struct sl_read *read = &work->read.read;
    read->from = log->from;
    read->until = log->until ? log->until : UINT64_MAX;
    read->backwards = log->backwards;
    read->count_max = log->limit;
    read->bytes_max = EVENTS_BYTES_MAX;
    work->visit = visit;
    work->then = then;
    work->next = visit->logs;
    visit->logs = work;
    visit->begin = begin_events;
}
