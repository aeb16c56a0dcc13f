/*
 * GET /bank/trial?at=…: the trial balance as of a position or a time.
 *
 * The view trial-kept has each ledger's sums as they stood when a stretch of positions was over in
 * which the ledger had events. The sums where the stretch of the position begins are therefore
 * those of the ledger's last row of an earlier stretch: the running one, or one that is found by
 * bisection over their numbers, of all ledgers at once. What is left are the events of one
 * stretch, less than BANK_TRIAL_STRETCH, read from the log and added.
 */
#include "domains/bank/bank.h"
#include "domains/bank/seek.h"
#include "domains/bank/trial.h"

#include <stdlib.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 1000 };

struct ledger {
    struct bank_trial sums;
    uint64_t low, high; /* numbers among which the row is still sought: [low, high) */
    uint64_t middle;
};

struct trial {
    struct bank_seek seek; /* first: see seek.h */
    uint64_t at;           /* the sums have all events below it */
    uint64_t stretch;
    uint64_t limit;
    bool by_time;
    struct ledger *ledgers; /* by number, rising */
    size_t count;
    struct sl_text next;
};

struct answer {
    uint64_t position;
    bool even;
    struct sl_list rows;
    struct sl_text next;
    bool has_next;
};

const struct sl_record bank_trial_at_record = SL_RECORD(
    struct answer, SL_FIELD(struct answer, position, .help = "all events below it are in the sums"),
    SL_FIELD(struct answer, even, .help = "debits are credits, in each ledger"),
    SL_FIELD(struct answer, rows, .record = &bank_trial_record),
    SL_FIELD(struct answer, next, SL_HAS(struct answer, has_next),
             .help = "for after=, where more ledgers follow"));

/* ---- The answer ------------------------------------------------------------------------------ */

static void answer(struct sl_visit *visit, const struct trial *trial)
{
    struct bank_trial *rows = sl_visit_room(visit, trial->count, sizeof *rows);
    struct answer out = {
        .position = trial->at,
        .even = true,
        .rows = {rows, 0},
        .next = trial->next,
        .has_next = trial->next.len > 0,
    };

    for (size_t i = 0; i < trial->count; i++) {
        const struct bank_trial *sums = &trial->ledgers[i].sums;
        if (sums->accounts == 0)
            continue; /* the ledger began later */
        out.even = out.even && sums->debits_posted == sums->credits_posted &&
                   sums->debits_pending == sums->credits_pending;
        rows[out.rows.count++] = *sums;
    }
    sl_visit_answer_record(visit, 200, &bank_trial_at_record, &out);
}

/* ---- The events of the stretch --------------------------------------------------------------- */

static void see_events(struct sl_visit *visit, const struct sl_visit_events *events);

static void read_events(struct sl_visit *visit, const struct trial *trial, uint64_t from)
{
    if (from >= trial->at)
        answer(visit, trial);
    else
        sl_visit_events(visit,
                        &(struct sl_visit_log){.of = SL_EVENTS_OF_LOG,
                                               .from = from,
                                               .until = trial->at,
                                               .limit = BANK_TRIAL_STRETCH},
                        see_events);
}

static int order(const void *number, const void *item)
{
    const uint32_t a = *(const uint32_t *)number, b = ((const struct ledger *)item)->sums.ledger;

    return (a > b) - (a < b);
}

static void see_events(struct sl_visit *visit, const struct sl_visit_events *events)
{
    const struct trial *trial = sl_visit_user(visit);

    for (size_t i = 0; i < events->count; i++) {
        const uint32_t number = bank_trial_ledger(&events->events[i]);
        struct ledger *ledger =
            bsearch(&number, trial->ledgers, trial->count, sizeof *ledger, order);
        if (ledger)
            bank_trial_add(&ledger->sums, &events->events[i]);
    }
    read_events(visit, trial, events->end ? trial->at : events->next);
}

/* ---- The sums where the stretch begins ------------------------------------------------------- */

static void see_middles(struct sl_visit *visit, const void *const *rows, size_t count);

static void search(struct sl_visit *visit, struct trial *trial)
{
    bool is_over = true;

    for (size_t i = 0; i < trial->count; i++) {
        struct ledger *ledger = &trial->ledgers[i];
        if (ledger->low >= ledger->high)
            continue;
        is_over = false;
        ledger->middle = ledger->low + (ledger->high - ledger->low) / 2;
        sl_visit_row(visit, "trial-kept", &ledger->sums.ledger, &ledger->middle);
    }
    if (is_over)
        read_events(visit, trial, trial->stretch * BANK_TRIAL_STRETCH);
    else
        sl_visit_read(visit, see_middles);
}

static void see_middles(struct sl_visit *visit, const void *const *rows, size_t count)
{
    struct trial *trial = sl_visit_user(visit);
    size_t seen = 0;

    for (size_t i = 0; i < trial->count && seen < count; i++) {
        struct ledger *ledger = &trial->ledgers[i];
        if (ledger->low >= ledger->high)
            continue;
        const struct bank_trial_kept *row = rows[seen++];
        if (row && row->stretch < trial->stretch) {
            ledger->sums = row->sums;
            ledger->low = ledger->middle + 1;
        } else {
            ledger->high = ledger->middle;
        }
    }
    search(visit, trial);
}

static void see_ledgers(struct sl_visit *visit, const struct sl_visit_page *page)
{
    struct trial *trial = sl_visit_user(visit);

    trial->ledgers = sl_visit_room(visit, page->count, sizeof *trial->ledgers);
    trial->count = page->count;
    trial->next = page->next;
    for (size_t i = 0; i < page->count; i++) {
        const struct bank_trial_kept *running = page->rows[i];
        struct ledger *ledger = &trial->ledgers[i];
        if (running->stretch < trial->stretch) {
            ledger->sums = running->sums;
            continue;
        }
        ledger->sums.ledger = running->ledger;
        ledger->low = 1;
        ledger->high = running->kept + 1;
    }
    search(visit, trial);
}

static void begin_at(struct sl_visit *visit, uint64_t position)
{
    struct trial *trial = sl_visit_user(visit);
    const struct bank_trial_kept running = {.number = 0};

    trial->at = position;
    trial->stretch = position / BANK_TRIAL_STRETCH;
    sl_visit_await(visit, position);
    sl_visit_list(visit,
                  &(struct sl_visit_list){.view = "trial-kept",
                                          .index = "by-number",
                                          .equal = &running,
                                          .equal_count = 1,
                                          .limit = trial->limit,
                                          .after = sl_visit_parameter(visit, "after")},
                  see_ledgers);
}

/* ---- The request ----------------------------------------------------------------------------- */

static void see_end(struct sl_visit *visit, const struct sl_visit_events *events)
{
    const struct trial *trial = sl_visit_user(visit);

    begin_at(visit, trial->at < events->durable ? trial->at : events->durable);
}

static bool read_when(struct sl_visit *visit, struct trial *trial)
{
    const struct sl_text at = sl_visit_parameter(visit, "at");
    struct sl_time time;

    trial->at = UINT64_MAX;
    if (!at.ptr || sl_visit_value(visit, SL_U64, at, &trial->at))
        return true;
    if (!sl_visit_value(visit, SL_TIME, at, &time) || time.ns < 0) {
        sl_visit_problem(visit, 400, "at_malformed", SL_TEXT("at"),
                         SL_TEXT("at is a position, or a time such as 2026-11-23T10:00:00Z"));
        return false;
    }
    if (time.ns > sl_visit_now(visit).ns) {
        sl_visit_problem(visit, 400, "at_in_the_future", SL_TEXT("at"),
                         SL_TEXT("nobody knows yet what the sums will be then"));
        return false;
    }
    trial->by_time = true;
    trial->seek = (struct bank_seek){.time = (uint64_t)time.ns, .then = begin_at};
    return true;
}

void bank_serve_trial(struct sl_visit *visit)
{
    struct trial *trial = sl_visit_room(visit, 1, sizeof *trial);
    const struct sl_text limit = sl_visit_parameter(visit, "limit");

    trial->limit = LIMIT_DEFAULT;
    sl_visit_set_user(visit, trial);
    if (limit.ptr && (!sl_visit_value(visit, SL_U64, limit, &trial->limit) || trial->limit < 1 ||
                      trial->limit > LIMIT_MAX))
        sl_visit_problem(visit, 400, "bad_query", SL_TEXT("limit"),
                         SL_TEXT("limit lies between 1 and 1000"));
    else if (!read_when(visit, trial))
        return;
    else if (trial->by_time)
        bank_seek(visit, &trial->seek);
    else
        sl_visit_events(
            visit, &(struct sl_visit_log){.of = SL_EVENTS_OF_LOG, .backwards = true, .limit = 1},
            see_end);
}
