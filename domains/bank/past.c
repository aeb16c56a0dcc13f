/*
 * GET /bank/past/{account}?at=…: what an account held as of a position or a time.
 *
 * Every event that changes an account's sums carries them as they then are, so the answer is one
 * event, however long the history: the last one below the position.
 */
#include "domains/bank/bank.h"
#include "domains/bank/ids.h"
#include "domains/bank/seek.h"

#include <stdio.h>

enum { PAGE = 16, DIGITS_MAX = 40 };

struct past {
    struct bank_seek seek; /* first: see seek.h */
    struct sl_text account;
    uint64_t until; /* the answer lies in the events below it */
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
static bool sums_of(const struct past *past, const struct sl_event *event, struct bank_after *out)
{
    if (event->type == &bank_transferred_event) {
        const struct bank_transferred *transferred = event->body;
        *out = sl_text_equals(transferred->from, past->account) ? transferred->from_after
                                                                : transferred->to_after;
        return true;
    }
    if (event->type == &bank_transfer_expired_event) {
        const struct bank_transfer_expired *expired = event->body;
        *out =
            sl_text_equals(expired->from, past->account) ? expired->from_after : expired->to_after;
        return true;
    }
    if (event->type == &bank_account_opened_event) {
        *out =
            (struct bank_after){.flags = ((const struct bank_account_opened *)event->body)->flags};
        return true;
    }
    return false;
}

static void find_sums(struct sl_visit *visit, const struct sl_visit_events *events);

static void read_back(struct sl_visit *visit, const struct past *past)
{
    sl_visit_events(visit,
                    &(struct sl_visit_log){.of = SL_EVENTS_OF_AGGREGATE,
                                           .name = "account",
                                           .key = past->account,
                                           .until = past->until,
                                           .backwards = true,
                                           .limit = PAGE},
                    find_sums);
}

static void find_sums(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct past *past = sl_visit_user(visit);

    for (size_t i = 0; i < events->count; i++) {
        const struct sl_event *event = &events->events[i];
        struct bank_after after;

        if (sums_of(past, event, &after)) {
            answer(visit, past, event, &after, bank_stamp_of(event));
            return;
        }
        past->closed |= event->type == &bank_account_closed_event;
    }
    past->until = events->next;
    if (events->end || past->until == 0)
        answer_none(visit);
    else
        read_back(visit, past);
}

/* ---- The request ----------------------------------------------------------------------------- */

static void answer_before(struct sl_visit *visit, uint64_t position)
{
    struct past *past = sl_visit_user(visit);

    past->until = position;
    if (position == 0)
        answer_none(visit);
    else
        read_back(visit, past);
}

static bool read_when(struct sl_visit *visit, struct past *past)
{
    const struct sl_text at = sl_visit_parameter(visit, "at");
    struct sl_time time;

    if (sl_visit_value(visit, SL_U64, at, &past->until))
        return true;
    if (!sl_visit_value(visit, SL_TIME, at, &time) || time.ns < 0)
        return false;
    past->by_time = true;
    past->seek.time = (uint64_t)time.ns;
    return true;
}

void bank_serve_past(struct sl_visit *visit)
{
    struct past *past = sl_visit_room(visit, 1, sizeof *past);
    sl_u128 id;

    past->account = sl_visit_part(visit, "account");
    past->seek.account = past->account;
    past->seek.then = answer_before;
    sl_visit_set_user(visit, past);
    if (!bank_id_read(past->account, &id))
        sl_visit_problem(visit, 400, "id_malformed", SL_TEXT("account"),
                         SL_TEXT("this is no account's id"));
    else if (!read_when(visit, past))
        sl_visit_problem(visit, 400, "at_malformed", SL_TEXT("at"),
                         SL_TEXT("at is a position, or a time such as 2026-11-23T10:00:00Z"));
    else if (past->by_time && past->seek.time > (uint64_t)sl_visit_now(visit).ns)
        sl_visit_problem(visit, 400, "at_in_the_future", SL_TEXT("at"),
                         SL_TEXT("nobody knows yet what the account will hold then"));
    else if (past->by_time)
        bank_seek(visit, &past->seek);
    else
        answer_before(visit, past->until);
}
