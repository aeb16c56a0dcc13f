/*
 * Timestamps rise with positions, because the ledger sees to it; so the place of a time is found by
 * bisection. What is imported lies in the past and what runs out has no timestamp of the ledger:
 * where the two are mixed, the place is one of those at which events change from not after the time
 * to after it.
 */
#include "domains/bank/seek.h"
#include "domains/bank/bank.h"

uint64_t bank_stamp_of(const struct sl_event *event)
{
    if (event->type == &bank_transferred_event)
        return ((const struct bank_transferred *)event->body)->timestamp;
    if (event->type == &bank_account_opened_event)
        return ((const struct bank_account_opened *)event->body)->timestamp;
    return (uint64_t)event->time.ns;
}

/* Events that are none of the bank's are left out of what is read: a reading of one may have
 * none, and then it goes on. */
static void read_one(struct sl_visit *visit, const struct bank_seek *seek, uint64_t from,
                     bool backwards,
                     void (*then)(struct sl_visit *visit, const struct sl_visit_events *events))
{
    const bool all = seek->account.len == 0;

    sl_visit_events(visit,
                    &(struct sl_visit_log){.of = all ? SL_EVENTS_OF_LOG : SL_EVENTS_OF_AGGREGATE,
                                           .name = all ? NULL : "account",
                                           .key = seek->account,
                                           .from = from,
                                           .until = seek->high,
                                           .backwards = backwards,
                                           .limit = 1},
                    then);
}

static void see_middle(struct sl_visit *visit, const struct sl_visit_events *events);

static void bisect(struct sl_visit *visit, struct bank_seek *seek)
{
    if (seek->low >= seek->high) {
        seek->then(visit, seek->high);
        return;
    }
    seek->middle = seek->low + (seek->high - seek->low) / 2;
    read_one(visit, seek, seek->middle, false, see_middle);
}

static void see_middle(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct bank_seek *seek = sl_visit_user(visit);

    if (events->count == 0 && !events->end && events->next < seek->high) {
        read_one(visit, seek, events->next, false, see_middle);
        return;
    }
    if (events->count > 0 && bank_stamp_of(&events->events[0]) <= seek->time)
        seek->low = events->events[0].position + 1;
    else
        seek->high = seek->middle;
    bisect(visit, seek);
}

static void see_last(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct bank_seek *seek = sl_visit_user(visit);

    seek->high = events->next;
    if (events->count == 0 && (events->end || events->next == 0)) {
        seek->then(visit, 0);
    } else if (events->count == 0) {
        read_one(visit, seek, 0, true, see_last);
    } else if (bank_stamp_of(&events->events[0]) <= seek->time) {
        seek->then(visit, events->events[0].position + 1);
    } else {
        seek->high = events->events[0].position;
        bisect(visit, seek);
    }
}

void bank_seek(struct sl_visit *visit, struct bank_seek *seek)
{
    seek->low = 0;
    seek->high = UINT64_MAX;
    read_one(visit, seek, 0, true, see_last);
}
