/*
 * Building views anew while they are read.
 *
 * All views of a domain that are rebuilt at once share one scan of the log: a consumer of their
 * own, whose sink hands each event to the tables beside them. Nothing but these tables hears of
 * it: no process, no watch of the log, no strong reply (V3). Once the scan has come to what is live
 * it is offered events as they become durable, like the views themselves, and each table changes
 * places with its view (view/generation.c).
 *
 * They do so one after the other: while one does, its view's lists wait for the writer, and that
 * should not have the others' files to sync.
 *
 * The engine's thread projects, for it is the one to which the views belong; so the scan goes in
 * slices, one a turn at most, and rests after each while anybody else wants something. What
 * somebody asks meanwhile waits for a slice and not for the scan.
 *
 * A table that fails on an event asks the log, as the view would, whether the event is to be
 * skipped; if not, the rebuild of that view has failed, its file is removed, and the view is what
 * it was. A store that fails ends it, too: it may be full because of what is built.
 */
#include "engine/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t slice_ns = 250000, rest_ns = 1000000, others_quiet_ns = 20000000;
static const int64_t rate_span_ns = 500000000;

enum {
    LIVE_EVENTS = 256, /* so near to the log's end the exchange begins */
    CLOCK_EVENTS = 8,  /* the clock is asked after so many */
};

/* A view on its way. */
struct rebuilt {
    struct sl_core_view beside; /* the table, what has moved, and what it asked the log */
    struct sl_rebuild_status *status;
    bool failed;
    bool gone; /* what stood beside the view is no more */
};

struct sl_core_rebuild {
    struct sl_core_domain *domain;
    struct sl_consumer consumer;
    struct rebuilt *views;
    size_t count;
    int64_t started_ns;

    bool in_slice;
    unsigned slice_events;
    int64_t slice_ends_ns;
    bool paused; /* it goes on at `rest_until_ns` */
    int64_t rest_until_ns;
    uint64_t submitted; /* commands, when the last slice ended */

    int64_t measured_ns;
    uint64_t measured_at;
};

static int64_t now_of(const struct sl_core_rebuild *rebuild)
{
    return sl_env_monotonic(rebuild->domain->core->options.env);
}

static bool is_fed(const struct rebuilt *view)
{
    return view->status->state == SL_REBUILD_SCANS || view->status->state == SL_REBUILD_SWAPS;
}

/* ---- Slices ---------------------------------------------------------------------------------- */

static void end_slice(struct sl_core_rebuild *rebuild, int64_t now)
{
    const struct sl_core *core = rebuild->domain->core;
    const bool others = core->submitted != rebuild->submitted ||
                        now - core->last_reader_ns < others_quiet_ns;

    rebuild->submitted = core->submitted;
    rebuild->in_slice = false;
    rebuild->paused = true;
    rebuild->rest_until_ns = others ? now + rest_ns : now;
}

/* Asked before each event. What is live is never put off: it keeps the views together. */
static bool must_rest(struct sl_core_rebuild *rebuild, uint64_t position)
{
    if (position + LIVE_EVENTS >= rebuild->consumer.durable)
        return false;
    if (rebuild->paused)
        return true;
    if (!rebuild->in_slice) {
        rebuild->in_slice = true;
        rebuild->slice_events = 0;
        rebuild->slice_ends_ns = now_of(rebuild) + slice_ns;
    }
    if (++rebuild->slice_events % CLOCK_EVENTS > 0)
        return false;
    const int64_t now = now_of(rebuild);
    if (now < rebuild->slice_ends_ns)
        return false;
    end_slice(rebuild, now);
    return true;
}

/* ---- The scan, as a sink --------------------------------------------------------------------- */

static uint64_t scan_position(void *self)
{
    const struct sl_core_rebuild *rebuild = self;
    uint64_t lowest = SL_SINK_NOT_STARTED;

    for (size_t i = 0; i < rebuild->count; i++) {
        if (!is_fed(&rebuild->views[i]))
            continue;
        const struct sl_view_status status =
            sl_view_table_status(rebuild->views[i].beside.table);
        if (!status.attached)
            return SL_SINK_NOT_STARTED;
        if (status.position < lowest)
            lowest = status.position;
    }
    return lowest;
}

/* Those that have had the event already ignore it. */
static enum sl_sink_result scan_take(void *self, const struct sl_event *event)
{
    struct sl_core_rebuild *rebuild = self;
    enum sl_sink_result result = SL_SINK_TOOK;

    if (must_rest(rebuild, event->position))
        return SL_SINK_WAITS;
    for (size_t i = 0; i < rebuild->count; i++) {
        if (!is_fed(&rebuild->views[i]))
            continue;
        const enum sl_sink_result one = sl_core_view_take(&rebuild->views[i].beside, event);
        if (one != SL_SINK_TOOK)
            result = one;
    }
    return result;
}

static void scan_broken(void *self, uint64_t position, const char *why)
{
    struct sl_core_rebuild *rebuild = self;

    for (size_t i = 0; i < rebuild->count; i++)
        if (is_fed(&rebuild->views[i]))
            sl_core_view_broken(&rebuild->views[i].beside, position, why);
}

static void scan_advance(void *self, uint64_t position)
{
    struct sl_core_rebuild *rebuild = self;

    for (size_t i = 0; i < rebuild->count; i++)
        if (is_fed(&rebuild->views[i]))
            sl_view_advance(rebuild->views[i].beside.table, position);
}

/* ---- Beginning ------------------------------------------------------------------------------- */

enum sl_err sl_core_view_may_rebuild(const struct sl_core_domain *domain, const bool *wanted,
                                     struct sl_error *error)
{
    if (domain->rebuild)
        return sl_fail(error, SL_BUSY, "views of %s are being rebuilt already",
                       domain->domain->name);
    for (size_t i = 0; i < domain->view_count; i++)
        if (wanted[i] && !sl_view_table_status(domain->views[i].table).attached)
            return sl_fail(error, SL_BUSY, "the view %s/%s is starting", domain->domain->name,
                           domain->views[i].view->name);
    return SL_OK;
}

static void give_up(struct rebuilt *view, const char *why)
{
    SL_MARK("engine: rebuild given up");
    view->failed = view->beside.moved = true; /* the others' scan goes on without it */
    view->status->state = SL_REBUILD_REMOVES;
    snprintf(view->status->why, sizeof view->status->why, "%s", why);
}

static void begin(struct sl_core_rebuild *rebuild, size_t place)
{
    struct sl_core_domain *domain = rebuild->domain;
    struct rebuilt *view = &rebuild->views[rebuild->count++];
    struct sl_error error = {0};

    view->beside = (struct sl_core_view){.domain = domain, .view = domain->views[place].view};
    view->status = &domain->rebuilt[place];
    *view->status = (struct sl_rebuild_status){.state = SL_REBUILD_SCANS};
    if (sl_view_beside_open(domain->views[place].table, sl_core_view_moved, &view->beside,
                            &view->beside.table, &error) != SL_OK) {
        view->beside.table = NULL;
        give_up(view, error.message);
    }
}

enum sl_err sl_core_view_rebuild(struct sl_core_domain *domain, const bool *wanted,
                                 struct sl_error *error)
{
    const enum sl_err err = sl_core_view_may_rebuild(domain, wanted, error);

    if (err != SL_OK)
        return err;
    struct sl_core_rebuild *rebuild = calloc(1, sizeof *rebuild);
    if (!domain->rebuilt)
        domain->rebuilt = calloc(domain->view_count + 1, sizeof *domain->rebuilt);
    if (rebuild)
        rebuild->views = calloc(domain->view_count + 1, sizeof *rebuild->views);
    if (!rebuild || !rebuild->views || !domain->rebuilt) {
        free(rebuild);
        return sl_fail(error, SL_NO_MEMORY, "no memory to rebuild a view");
    }
    rebuild->domain = domain;
    rebuild->started_ns = rebuild->measured_ns = now_of(rebuild);
    rebuild->submitted = domain->core->submitted;
    rebuild->consumer = (struct sl_consumer){.sink = {.position = scan_position,
                                                      .take = scan_take,
                                                      .advance = scan_advance,
                                                      .self = rebuild,
                                                      .broken = scan_broken},
                                             .store = domain->store,
                                             .model = &domain->model,
                                             .mailbox = domain->core->options.mailbox};
    domain->rebuild = rebuild;
    for (size_t i = 0; i < domain->view_count; i++)
        if (wanted[i])
            begin(rebuild, i);
    sl_consumer_follow(&rebuild->consumer, sl_writer_log(domain->writer)->durable);
    return SL_OK;
}

/* ---- What the log tells ---------------------------------------------------------------------- */

void sl_core_rebuild_reigns(struct sl_core_domain *domain)
{
    struct sl_core_rebuild *rebuild = domain->rebuild;
    const struct sl_writer_log *log = sl_writer_log(domain->writer);

    if (!rebuild)
        return;
    for (size_t i = 0; i < rebuild->count; i++)
        if (rebuild->views[i].beside.table)
            sl_view_table_reign(rebuild->views[i].beside.table, log->salt);
    sl_consumer_follow(&rebuild->consumer, log->durable);
}

void sl_core_rebuild_offer(struct sl_core_domain *domain, const struct sl_event *events,
                           size_t count)
{
    if (domain->rebuild)
        sl_consumer_offer(&domain->rebuild->consumer, events, count);
}

/* ---- Going on -------------------------------------------------------------------------------- */

/* Its projection failed, and the log has not said yet whether the event is to be skipped. */
static bool asks_the_log(const struct rebuilt *view)
{
    /* It was asked in the same call in which the table gave up. */
    return view->beside.recall.under_way;
}

static bool one_swaps(const struct sl_core_rebuild *rebuild)
{
    for (size_t i = 0; i < rebuild->count; i++)
        if (rebuild->views[i].status->state == SL_REBUILD_SWAPS)
            return true;
    return false;
}

static void give_up_at(struct rebuilt *view, uint64_t position, const char *why)
{
    char text[sizeof view->status->why];

    snprintf(text, sizeof text, "at position %llu: %s", (unsigned long long)position, why);
    give_up(view, text);
}

static void go_on_scanning(const struct sl_core_rebuild *rebuild, struct rebuilt *view)
{
    const struct sl_view_status status = sl_view_table_status(view->beside.table);

    if (asks_the_log(view))
        return;
    if (status.state == SL_VIEW_FAILED || status.state == SL_VIEW_DEGRADED) {
        give_up_at(view, status.position, status.why);
        return;
    }
    view->status->position = status.position;
    if (status.attached && status.position + LIVE_EVENTS >= rebuild->consumer.durable &&
        !one_swaps(rebuild))
        view->status->state = SL_REBUILD_SWAPS;
}

/* True: at once again, for the view has moved, or the scan has one table less to feed. */
static bool go_on_swapping(struct rebuilt *view)
{
    const struct sl_view_status status = sl_view_table_status(view->beside.table);
    const char *why = NULL;

    if (asks_the_log(view))
        return false;
    switch (sl_view_beside_swap(view->beside.table, &why)) {
    case SL_VIEW_DONE:
        view->status->state = SL_REBUILD_REMOVES;
        return view->beside.moved = true;
    case SL_VIEW_GAVE_UP:
        give_up_at(view, status.position, why);
        return true;
    default:
        view->status->position = status.position;
        return false;
    }
}

/* True: at once again. */
static bool go_on_removing(const struct sl_core_rebuild *rebuild, struct rebuilt *view)
{
    const enum sl_view_beside end =
        view->beside.table ? sl_view_beside_end(view->beside.table) : SL_VIEW_DONE;

    if (end != SL_VIEW_DONE)
        return end == SL_VIEW_GOES_ON;
    view->beside.table = NULL;
    view->gone = !view->beside.recall.under_way;
    if (!view->gone)
        return false;
    sl_arena_close(&view->beside.recall.read.arena);
    view->status->state = view->failed ? SL_REBUILD_FAILED : SL_REBUILD_DONE;
    view->status->took_ns = now_of(rebuild) - rebuild->started_ns;
    return false;
}

/* Returns when it wants to be called again. */
static int64_t turn_view(const struct sl_core_rebuild *rebuild, struct rebuilt *view, int64_t now)
{
    bool again = false;

    if (view->gone)
        return INT64_MAX;
    if (view->beside.table && sl_view_table_deadline(view->beside.table) <= now)
        sl_view_table_turn(view->beside.table, now);
    if (view->status->state == SL_REBUILD_SCANS)
        go_on_scanning(rebuild, view);
    if (view->status->state == SL_REBUILD_SWAPS)
        again = go_on_swapping(view);
    if (view->status->state == SL_REBUILD_REMOVES)
        again = go_on_removing(rebuild, view) || again || view->beside.moved;
    if (again)
        return now;
    return view->beside.table ? sl_view_table_deadline(view->beside.table) : INT64_MAX;
}

/* How quick it is, now and then. */
static void measure(struct sl_core_rebuild *rebuild, int64_t now)
{
    const uint64_t position = scan_position(rebuild);
    const int64_t span = now - rebuild->measured_ns;

    if (position == SL_SINK_NOT_STARTED || span < rate_span_ns || position < rebuild->measured_at)
        return;
    const double rate = (double)(position - rebuild->measured_at) * 1e9 / (double)span;
    for (size_t i = 0; i < rebuild->count; i++)
        if (is_fed(&rebuild->views[i]))
            rebuild->views[i].status->events_per_second = rate;
    rebuild->measured_ns = now;
    rebuild->measured_at = position;
}

static void close_rebuild(struct sl_core_domain *domain)
{
    struct sl_core_rebuild *rebuild = domain->rebuild;

    sl_consumer_close(&rebuild->consumer);
    free(rebuild->views);
    free(rebuild);
    domain->rebuild = NULL;
}

int64_t sl_core_rebuild_turn(struct sl_core_domain *domain, int64_t now)
{
    struct sl_core_rebuild *rebuild = domain->rebuild;
    bool moved = false, gone = true;
    int64_t next;

    if (!rebuild)
        return INT64_MAX;
    rebuild->in_slice = false;
    next = sl_consumer_turn(&rebuild->consumer, now);
    for (size_t i = 0; i < rebuild->count; i++) {
        struct rebuilt *view = &rebuild->views[i];
        moved = moved || view->beside.moved;
        view->beside.moved = false;
        const int64_t wanted = turn_view(rebuild, view, now);
        next = wanted < next ? wanted : next;
        gone = gone && view->gone;
    }
    if (gone && !sl_consumer_is_reading(&rebuild->consumer)) {
        close_rebuild(domain);
        return INT64_MAX;
    }
    if (rebuild->paused && now >= rebuild->rest_until_ns) {
        rebuild->paused = false;
        moved = true;
    }
    if (moved)
        sl_consumer_poke(&rebuild->consumer);
    measure(rebuild, now);
    return rebuild->paused && rebuild->rest_until_ns < next ? rebuild->rest_until_ns : next;
}

/* ---- Asking and ending ----------------------------------------------------------------------- */

struct sl_rebuild_status sl_core_view_rebuild_status(const struct sl_core_domain *domain,
                                                     size_t place)
{
    struct sl_rebuild_status status = {.state = SL_REBUILD_NONE, .left_ns = -1};
    const struct sl_core_rebuild *rebuild = domain->rebuild;

    if (!domain->rebuilt)
        return status;
    status = domain->rebuilt[place];
    status.left_ns = -1;
    if (rebuild && status.state != SL_REBUILD_DONE && status.state != SL_REBUILD_FAILED &&
        status.state != SL_REBUILD_NONE)
        status.took_ns = now_of(rebuild) - rebuild->started_ns;
    if (rebuild && rebuild->consumer.err && status.state == SL_REBUILD_SCANS)
        snprintf(status.why, sizeof status.why, "%s", rebuild->consumer.error.message);
    const uint64_t head = sl_writer_log(domain->writer)->durable;
    const uint64_t left = head > status.position ? head - status.position : 0;
    if (status.state == SL_REBUILD_SCANS && status.events_per_second > 0)
        status.left_ns = (int64_t)((double)left * 1e9 / status.events_per_second);
    return status;
}

void sl_core_rebuild_stop(struct sl_core_domain *domain)
{
    if (domain->rebuild)
        sl_consumer_stop(&domain->rebuild->consumer);
}

void sl_core_rebuild_close(struct sl_core_domain *domain)
{
    struct sl_core_rebuild *rebuild = domain->rebuild;

    for (size_t i = 0; rebuild && i < rebuild->count; i++) {
        sl_view_table_close(rebuild->views[i].beside.table);
        sl_arena_close(&rebuild->views[i].beside.recall.read.arena);
    }
    if (rebuild)
        close_rebuild(domain);
    free(domain->rebuilt);
    domain->rebuilt = NULL;
}
