/*
 * Waiting, without a thread: for a position of a log or of a view's access path, and for a row that
 * is being fetched. Waits are ended at the end of a turn in which something moved, or at their
 * deadline, or when the view has become degraded below the position.
 */
#include "engine/core.h"

static uint64_t reached(const struct sl_wait *wait)
{
    if (wait->path == SL_PATH_LOG)
        return sl_writer_log(wait->domain->writer)->durable;
    const struct sl_view_status status = sl_view_table_status(wait->view);
    return wait->path == SL_PATH_LIST ? status.stored : status.position;
}

/* The view stands below the position: no time brings it there. */
static bool is_in_vain(const struct sl_wait *wait)
{
    if (wait->path == SL_PATH_LOG)
        return false;
    const struct sl_view_status status = sl_view_table_status(wait->view);
    return status.state == SL_VIEW_DEGRADED && status.position < wait->position;
}

static void unlink_wait(struct sl_wait *wait)
{
    if (wait->domain->wait_checked_next == wait)
        wait->domain->wait_checked_next = wait->next;
    *wait->link = wait->next;
    if (wait->next)
        wait->next->link = wait->link;
    wait->link = NULL;
    sl_heap_remove(&wait->domain->core->deadlines, &wait->deadline);
}

void sl_core_wait(struct sl_wait *wait)
{
    struct sl_core_domain *domain = wait->domain;
    const uint64_t at = reached(wait);

    wait->link = NULL;
    if (at >= wait->position || is_in_vain(wait)) {
        wait->done(wait, at >= wait->position, at);
        return;
    }
    wait->deadline = (struct sl_deadline){.due = {wait->until_ns}};
    if (sl_heap_add(&domain->core->deadlines, &wait->deadline) != SL_OK) {
        wait->done(wait, false, at);
        return;
    }
    wait->next = domain->waits;
    wait->link = &domain->waits;
    if (wait->next)
        wait->next->link = &wait->next;
    domain->waits = wait;
    if (wait->path == SL_PATH_LIST)
        sl_view_hurry(wait->view);
}

void sl_core_wait_cancel(struct sl_wait *wait)
{
    if (wait->link)
        unlink_wait(wait);
}

static void end_lookup(struct sl_lookup *lookup, enum sl_lookup_end end,
                       const struct sl_view_row *row)
{
    const uint64_t position = sl_view_table_status(lookup->view).position;

    if (lookup->link) {
        *lookup->link = lookup->next;
        if (lookup->next)
            lookup->next->link = lookup->link;
        lookup->link = NULL;
    }
    sl_heap_remove(&lookup->domain->core->deadlines, &lookup->wait.deadline);
    lookup->done(lookup, end, row, position);
}

/* True: it has ended. */
static bool try_lookup(struct sl_lookup *lookup)
{
    struct sl_view_row row;

    switch (sl_view_lookup(lookup->view, lookup->key, &row)) {
    case SL_LOOKUP_FOUND:
        end_lookup(lookup, SL_LOOKUP_ROW, &row);
        return true;
    case SL_LOOKUP_ABSENT:
        end_lookup(lookup, SL_LOOKUP_NONE, NULL);
        return true;
    case SL_LOOKUP_PENDING:
        break;
    }
    if (sl_view_table_status(lookup->view).state == SL_VIEW_FAILED) {
        end_lookup(lookup, SL_LOOKUP_BROKEN, NULL);
        return true;
    }
    return false;
}

static void fetch(struct sl_lookup *lookup)
{
    struct sl_core_domain *domain = lookup->domain;

    if (try_lookup(lookup))
        return;
    const enum sl_err err = sl_view_fetch(lookup->view, lookup->key);

    /* Busy: the view is being attached, or too many are fetched. It is tried again when something
     * has moved. */
    if (err != SL_OK && err != SL_BUSY) {
        end_lookup(lookup, SL_LOOKUP_BROKEN, NULL);
        return;
    }
    /* Who waits for a row does so until the same moment as for the position. Without memory for the
     * deadline the row alone ends it. */
    if (lookup->wait.deadline.place == 0 && lookup->until_ns > 0) {
        lookup->wait.deadline.due = (struct sl_time){lookup->until_ns};
        (void)!sl_heap_add(&domain->core->deadlines, &lookup->wait.deadline);
    }
    lookup->next = domain->lookups;
    lookup->link = &domain->lookups;
    if (lookup->next)
        lookup->next->link = &lookup->next;
    domain->lookups = lookup;
}

static void position_is_there(struct sl_wait *wait, bool is_there, uint64_t at)
{
    struct sl_lookup *lookup = wait->user;

    (void)at;
    if (is_there)
        fetch(lookup);
    else
        end_lookup(lookup, SL_LOOKUP_LATE, NULL);
}

void sl_core_lookup(struct sl_lookup *lookup)
{
    sl_core_saw_reader(lookup->domain->core);
    lookup->link = NULL;
    lookup->wait = (struct sl_wait){.domain = lookup->domain,
                                    .view = lookup->view,
                                    .path = SL_PATH_LOOKUP,
                                    .position = lookup->position,
                                    .until_ns = lookup->until_ns,
                                    .done = position_is_there,
                                    .user = lookup};
    sl_core_wait(&lookup->wait);
}

void sl_core_lookup_cancel(struct sl_lookup *lookup)
{
    sl_core_wait_cancel(&lookup->wait);
    sl_heap_remove(&lookup->domain->core->deadlines, &lookup->wait.deadline);
    if (lookup->link) {
        *lookup->link = lookup->next;
        if (lookup->next)
            lookup->next->link = lookup->link;
        lookup->link = NULL;
    }
}

/* One walk along the list. A callback may end or begin other waits: unlinking keeps the walk's next
 * one valid, and a new one goes before all that are still to come, looked at when it began. */
static bool end_waits(struct sl_core_domain *domain)
{
    bool ended = false;

    domain->wait_checked_next = domain->waits;
    while (domain->wait_checked_next) {
        struct sl_wait *wait = domain->wait_checked_next;
        const uint64_t at = reached(wait);

        domain->wait_checked_next = wait->next;
        if (at < wait->position && !is_in_vain(wait))
            continue;
        unlink_wait(wait);
        wait->done(wait, at >= wait->position, at);
        ended = true;
    }
    return ended;
}

void sl_core_check_waits(struct sl_core_domain *domain)
{
    struct sl_lookup *waiting;

    /* Again after a walk that ended some: a callback may have moved what others wait for. */
    while (end_waits(domain)) {
    }
    /* Each is tried once; a callback may cancel any of them, so that the list stays a proper
     * one. */
    waiting = domain->lookups;
    domain->lookups = NULL;
    if (waiting)
        waiting->link = &waiting;
    while (waiting) {
        struct sl_lookup *lookup = waiting;

        waiting = lookup->next;
        if (waiting)
            waiting->link = &waiting;
        lookup->link = NULL;
        fetch(lookup);
    }
}

void sl_core_expire_waits(struct sl_core *core, int64_t now)
{
    struct sl_deadline *due;

    while ((due = sl_heap_pop_due(&core->deadlines, (struct sl_time){now}))) {
        struct sl_wait *wait = (struct sl_wait *)(void *)due;
        const uint64_t at = reached(wait);

        if (!wait->link) { /* the position is there, the row is not */
            SL_MARK("engine: row late");
            end_lookup(wait->user, SL_LOOKUP_LATE, NULL);
            continue;
        }
        unlink_wait(wait);
        wait->done(wait, at >= wait->position, at);
    }
}

void sl_core_cancel_all(struct sl_core_domain *domain)
{
    while (domain->waits)
        unlink_wait(domain->waits);
    for (struct sl_lookup *lookup = domain->lookups; lookup; lookup = lookup->next)
        sl_heap_remove(&domain->core->deadlines, &lookup->wait.deadline);
    domain->lookups = NULL;
}
