/*
 * GET /bank/past/{account}?at=…: what an account held as of a position or a time.
 *
 * Every event that changes an account's sums carries them as they then are, so the answer is one
 * event, however long the history: the last one below the position. A time becomes a position by
 * bisection over the account's own events, whose timestamps rise with their positions: about
 * log2(positions) reads of one event each.
 */
#include "domains/bank/bank.h"
#include "domains/bank/ids.h"

#include <stdio.h>

enum { PAGE = 16, DIGITS_MAX = 40 };

struct past {
    struct sl_text account;
    uint64_t until; /* the answer lies in the events below it */
    /* Of the bisection: the account's events below `low` are not after `time`; its first one at
     * `until` or above is. */
    uint64_t low, middle;
    uint64_t time; /* nanoseconds, as timestamps are */
    bool by_time;
    bool closed;
};

/* ---- The answer ------------------------------------------------------------------------------ */

struct digits {
    char text[DIGITS_MAX];
};

static const char *print_number(sl_u128 number, struct digits *room)
{
    char *at = &room->text[DIGITS_MAX - 1];

    *at = '\0';
    do
        *--at = (char)('0' + (int)(number % 10));
    while ((number /= 10) > 0);
    return at;
}

static void answer(struct sl_visit *visit, const struct past *past, const struct sl_event *event,
                   const struct bank_after *after, uint64_t timestamp)
{
    struct digits room[4];
    char json[1024];

    const int len =
        snprintf(json, sizeof json,
                 "{\"id\":\"%.*s\",\"balance\":%lld,\"closed\":%s,\"entries\":%llu,"
                 "\"debits_pending\":\"%s\",\"debits_posted\":\"%s\",\"credits_pending\":\"%s\","
                 "\"credits_posted\":\"%s\",\"flags\":%u,\"timestamp\":%llu,\"position\":%llu}",
                 (int)past->account.len, past->account.ptr,
                 (long long)bank_balance_of(after->credits_posted, after->debits_posted),
                 past->closed || after->flags & LEDGER_CLOSED ? "true" : "false",
                 (unsigned long long)after->entry, print_number(after->debits_pending, &room[0]),
                 print_number(after->debits_posted, &room[1]),
                 print_number(after->credits_pending, &room[2]),
                 print_number(after->credits_posted, &room[3]), (unsigned)after->flags,
                 (unsigned long long)timestamp, (unsigned long long)event->position);
    sl_visit_answer(visit, 200, "application/json", (struct sl_text){json, (size_t)len});
}

static void answer_none(struct sl_visit *visit)
{
    sl_visit_problem(visit, 404, "no_account", SL_TEXT("account"),
                     SL_TEXT("there was no such account then"));
}

/* ---- The last event that has sums ------------------------------------------------------------ */

/* The account's sums behind the event. False: it says nothing of them. */
static bool sums_of(const struct past *past, const struct sl_event *event, struct bank_after *out,
                    uint64_t *out_timestamp)
{
    *out_timestamp = (uint64_t)event->time.ns;
    if (event->type == &bank_transferred_event) {
        const struct bank_transferred *transferred = event->body;
        *out = sl_text_equals(transferred->from, past->account) ? transferred->from_after
                                                                : transferred->to_after;
        *out_timestamp = transferred->timestamp;
        return true;
    }
    if (event->type == &bank_transfer_expired_event) {
        const struct bank_transfer_expired *expired = event->body;
        *out =
            sl_text_equals(expired->from, past->account) ? expired->from_after : expired->to_after;
        return true;
    }
    if (event->type == &bank_account_opened_event) {
        const struct bank_account_opened *opened = event->body;
        *out = (struct bank_after){.flags = opened->flags};
        *out_timestamp = opened->timestamp;
        return true;
    }
    return false;
}

static void read_events(struct sl_visit *visit, const struct past *past, uint64_t from, size_t back,
                        void (*then)(struct sl_visit *visit, const struct sl_visit_events *events))
{
    sl_visit_events(visit,
                    &(struct sl_visit_log){.of = SL_EVENTS_OF_AGGREGATE,
                                           .name = "account",
                                           .key = past->account,
                                           .from = from,
                                           .until = past->until,
                                           .backwards = back > 0,
                                           .limit = back > 0 ? back : 1},
                    then);
}

static void find_sums(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct past *past = sl_visit_user(visit);

    for (size_t i = 0; i < events->count; i++) {
        const struct sl_event *event = &events->events[i];
        struct bank_after after;
        uint64_t timestamp;

        if (sums_of(past, event, &after, &timestamp)) {
            answer(visit, past, event, &after, timestamp);
            return;
        }
        past->closed |= event->type == &bank_account_closed_event;
    }
    past->until = events->next;
    if (events->end || past->until == 0)
        answer_none(visit);
    else
        read_events(visit, past, 0, PAGE, find_sums);
}

/* ---- From a time to a position --------------------------------------------------------------- */

static void bisect(struct sl_visit *visit, struct past *past);

static bool is_after(const struct past *past, const struct sl_event *event)
{
    struct bank_after after;
    uint64_t timestamp;

    (void)sums_of(past, event, &after, &timestamp);
    return timestamp > past->time;
}

static void see_middle(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct past *past = sl_visit_user(visit);

    if (events->count > 0 && !is_after(past, &events->events[0]))
        past->low = events->events[0].position + 1;
    else
        past->until = past->middle;
    bisect(visit, past);
}

static void bisect(struct sl_visit *visit, struct past *past)
{
    if (past->low < past->until) {
        past->middle = past->low + (past->until - past->low) / 2;
        read_events(visit, past, past->middle, 0, see_middle);
    } else if (past->until == 0) {
        answer_none(visit);
    } else {
        read_events(visit, past, 0, PAGE, find_sums);
    }
}

static void see_last(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct past *past = sl_visit_user(visit);

    if (events->count == 0) {
        answer_none(visit);
        return;
    }
    past->until = events->events[0].position;
    if (is_after(past, &events->events[0])) {
        bisect(visit, past);
    } else {
        past->until++;
        read_events(visit, past, 0, PAGE, find_sums);
    }
}

/* ---- The request ----------------------------------------------------------------------------- */

static bool read_when(struct sl_visit *visit, struct past *past)
{
    const struct sl_text at = sl_visit_parameter(visit, "at");
    struct sl_time time;

    if (sl_visit_value(visit, SL_U64, at, &past->until))
        return true;
    if (!sl_visit_value(visit, SL_TIME, at, &time) || time.ns < 0)
        return false;
    past->by_time = true;
    past->time = (uint64_t)time.ns;
    return true;
}

void bank_serve_past(struct sl_visit *visit)
{
    struct past *past = sl_visit_room(visit, 1, sizeof *past);
    sl_u128 id;

    past->account = sl_visit_part(visit, "account");
    sl_visit_set_user(visit, past);
    if (!bank_id_read(past->account, &id))
        sl_visit_problem(visit, 400, "id_malformed", SL_TEXT("account"),
                         SL_TEXT("this is no account's id"));
    else if (!read_when(visit, past))
        sl_visit_problem(visit, 400, "at_malformed", SL_TEXT("at"),
                         SL_TEXT("at is a position, or a time such as 2026-11-23T10:00:00Z"));
    else if (past->by_time && past->time > (uint64_t)sl_visit_now(visit).ns)
        sl_visit_problem(visit, 400, "at_in_the_future", SL_TEXT("at"),
                         SL_TEXT("nobody knows yet what the account will hold then"));
    else if (past->by_time)
        read_events(visit, past, 0, 1, see_last);
    else if (past->until == 0)
        answer_none(visit);
    else
        read_events(visit, past, 0, PAGE, find_sums);
}
