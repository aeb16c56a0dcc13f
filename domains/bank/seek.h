/* From a time to a position, for the bank's routes. */
#ifndef BANK_SEEK_H
#define BANK_SEEK_H

#include <sluice/route.h>

/* The first member of what sl_visit_user gives, so that the search finds itself. */
struct bank_seek {
    struct sl_text account; /* the search is among its events; empty: among all of the bank's */
    uint64_t time;          /* nanoseconds */
    void (*then)(struct sl_visit *visit, uint64_t position);
    /* The search's own: events below `low` are not after `time`, the first at `high` or above is.
     */
    uint64_t low, high, middle;
};

/* When an event happened by the ledger's clock; of what has no timestamp of the ledger, by the
 * log's. */
uint64_t bank_stamp_of(const struct sl_event *event);

/* Finds the position below which all events are that happened at `time` or before, by bisection:
 * about log2(positions) turns of one event each. `account`, `time` and `then` are set. `then` is
 * called in a turn; position 0: there is no such event. */
void bank_seek(struct sl_visit *visit, struct bank_seek *seek);

#endif
