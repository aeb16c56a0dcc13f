/*
 * GET /bank/statement/{account}: an account's entries, with the balance after each.
 *
 * They stand nowhere but in the log: a transfer's event carries both accounts' balances after it,
 * so a line is made of one event, and a page is read by the account's tag from wherever it begins.
 * What the account has besides (its opening, its limits) lies between and is passed over, so a page
 * looks at a bounded number of events and may have fewer lines than were asked for.
 */
#include "domains/bank/bank.h"
#include "domains/bank/ids.h"
#include "domains/bank/seek.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 1000, LOOK_MAX = 4 * LIMIT_MAX, CURSOR_BYTES = 24 };

struct line {
    struct sl_text account;
    uint64_t entry;
    struct sl_text transfer;
    struct sl_text other;
    int64_t amount;
    int64_t held;
    int64_t balance;
    struct sl_time time;
    struct sl_text reference;
    struct sl_text reverses;
    uint64_t position;
};

static const struct sl_record line_record = SL_RECORD(
    struct line, SL_FIELD(struct line, account),
    SL_FIELD(struct line, entry, .help = "counted from 1, without a gap"),
    SL_FIELD(struct line, transfer), SL_FIELD(struct line, other, .help = "whom it was with"),
    SL_FIELD(struct line, amount, .help = "credited, or below zero: debited"),
    SL_FIELD(struct line, held, .help = "likewise, of what is pending"),
    SL_FIELD(struct line, balance, .help = "after it"),
    SL_FIELD(struct line, time, .help = "the transfer's timestamp"),
    SL_FIELD(struct line, reference), SL_FIELD(struct line, reverses),
    SL_FIELD(struct line, position));

struct page {
    struct sl_list rows;
    struct sl_text next;
    bool has_next;
};

const struct sl_record bank_statement_record =
    SL_RECORD(struct page, SL_FIELD(struct page, rows, .record = &line_record),
              SL_FIELD(struct page, next, SL_HAS(struct page, has_next),
                       .help = "for after=, where more may follow"));

/* An end of the range: a position, or a time that becomes one. */
struct end {
    uint64_t position;
    uint64_t time; /* nanoseconds; 0: it is a position */
};

struct statement {
    struct bank_seek seek; /* first: see seek.h */
    struct sl_text account;
    struct end from, until;
    uint64_t after; /* where an earlier page ended */
    bool has_after;
    bool descending;
    uint64_t limit;
    size_t looked; /* at events */
    struct line *lines;
    size_t count;
};

/* ---- A line ---------------------------------------------------------------------------------- */

/* What a transfer changed, seen from the credited account: posted and pending. */
static int64_t posted_by(const struct bank_transferred *transferred)
{
    return transferred->flags & (LEDGER_PENDING | LEDGER_VOID)
               ? 0
               : bank_balance_of(transferred->amount, 0);
}

static int64_t held_by(const struct bank_transferred *transferred)
{
    if (transferred->flags & LEDGER_PENDING)
        return bank_balance_of(transferred->amount, 0);
    return bank_balance_of(0, transferred->pending_amount);
}

static struct line line_of(const struct bank_transferred *transferred, struct sl_text account,
                           uint64_t position)
{
    const bool debits = sl_text_equals(transferred->from, account);
    const int64_t sign = debits ? -1 : 1;

    return (struct line){
        .account = account,
        .entry = debits ? transferred->from_after.entry : transferred->to_after.entry,
        .transfer = transferred->id,
        .other = debits ? transferred->to : transferred->from,
        .amount = sign * posted_by(transferred),
        .held = sign * held_by(transferred),
        .balance = debits ? transferred->from_balance : transferred->to_balance,
        .time = {(int64_t)transferred->timestamp},
        .reference = transferred->reference,
        .reverses = transferred->reverses,
        .position = position,
    };
}

/* ---- A page ---------------------------------------------------------------------------------- */

static void read_on(struct sl_visit *visit, const struct statement *statement);

/* `next` is a place in the log: what comes and goes elsewhere shifts nothing. */
static void answer(struct sl_visit *visit, const struct statement *statement, bool more,
                   uint64_t next)
{
    char cursor[CURSOR_BYTES];
    const int len = snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)next);
    const struct page page = {.rows = {statement->lines, statement->count},
                              .next = {cursor, (size_t)len},
                              .has_next = more};

    sl_visit_answer_record(visit, 200, &bank_statement_record, &page);
}

static void see_events(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct statement *statement = sl_visit_user(visit);

    for (size_t i = 0; i < events->count; i++) {
        const struct sl_event *event = &events->events[i];
        if (event->type == &bank_transferred_event)
            statement->lines[statement->count++] =
                line_of(event->body, statement->account, event->position);
    }
    statement->looked += events->count;
    statement->after = events->next;
    statement->has_after = true;
    if (events->end || statement->count == statement->limit || statement->looked >= LOOK_MAX)
        answer(visit, statement, !events->end, events->next);
    else
        read_on(visit, statement);
}

static void read_on(struct sl_visit *visit, const struct statement *statement)
{
    uint64_t from = statement->from.position, until = statement->until.position;

    if (statement->has_after && statement->descending && statement->after < until)
        until = statement->after;
    if (statement->has_after && !statement->descending && statement->after > from)
        from = statement->after;
    if (from >= until) {
        answer(visit, statement, false, 0);
        return;
    }
    sl_visit_events(visit,
                    &(struct sl_visit_log){.of = SL_EVENTS_OF_AGGREGATE,
                                           .name = "account",
                                           .key = statement->account,
                                           .from = from,
                                           .until = until,
                                           .backwards = statement->descending,
                                           .limit = statement->limit - statement->count},
                    see_events);
}

/* ---- The range: times become positions, one after the other ---------------------------------- */

static void find_ends(struct sl_visit *visit, struct statement *statement);

static void take_place(struct sl_visit *visit, uint64_t position)
{
    struct statement *statement = sl_visit_user(visit);
    struct end *end = statement->from.time > 0 ? &statement->from : &statement->until;

    *end = (struct end){.position = position};
    find_ends(visit, statement);
}

static void find_ends(struct sl_visit *visit, struct statement *statement)
{
    const uint64_t time = statement->from.time > 0 ? statement->from.time : statement->until.time;

    if (time == 0) {
        read_on(visit, statement);
        return;
    }
    /* The range has what happened from the one time on and before the other. */
    statement->seek =
        (struct bank_seek){.account = statement->account, .time = time - 1, .then = take_place};
    bank_seek(visit, &statement->seek);
}

/* ---- The request ----------------------------------------------------------------------------- */

static bool read_end(struct sl_visit *visit, const char *name, struct end *end)
{
    const struct sl_text text = sl_visit_parameter(visit, name);
    struct sl_time time;

    if (!text.ptr || sl_visit_value(visit, SL_U64, text, &end->position))
        return true;
    if (!sl_visit_value(visit, SL_TIME, text, &time) || time.ns < 0) {
        sl_visit_problem(visit, 400, "range_malformed", (struct sl_text){name, strlen(name)},
                         SL_TEXT("this is a position, or a time such as 2026-11-23T10:00:00Z"));
        return false;
    }
    end->time = (uint64_t)time.ns;
    end->position = 0;
    return true;
}

static bool read_page(struct sl_visit *visit, struct statement *statement)
{
    const struct sl_text limit = sl_visit_parameter(visit, "limit");
    const struct sl_text after = sl_visit_parameter(visit, "after");
    const struct sl_text desc = sl_visit_parameter(visit, "desc");
    uint8_t descending = 0;

    statement->limit = LIMIT_DEFAULT;
    statement->has_after = after.len > 0;
    if (limit.ptr && (!sl_visit_value(visit, SL_U64, limit, &statement->limit) ||
                      statement->limit < 1 || statement->limit > LIMIT_MAX))
        sl_visit_problem(visit, 400, "bad_query", SL_TEXT("limit"),
                         SL_TEXT("limit lies between 1 and 1000"));
    else if (after.len > 0 && !sl_visit_value(visit, SL_U64, after, &statement->after))
        sl_visit_problem(visit, 400, "bad_cursor", SL_TEXT("after"),
                         SL_TEXT("this is not what an earlier page has as `next`"));
    else if (desc.ptr && (!sl_visit_value(visit, SL_U8, desc, &descending) || descending > 1))
        sl_visit_problem(visit, 400, "bad_query", SL_TEXT("desc"), SL_TEXT("desc is 1 or 0"));
    else {
        statement->descending = descending == 1;
        return true;
    }
    return false;
}

void bank_serve_statement(struct sl_visit *visit)
{
    struct statement *statement = sl_visit_room(visit, 1, sizeof *statement);
    sl_u128 id;

    statement->account = sl_visit_part(visit, "account");
    statement->until.position = UINT64_MAX;
    sl_visit_set_user(visit, statement);
    if (!bank_id_read(statement->account, &id)) {
        sl_visit_problem(visit, 400, "id_malformed", SL_TEXT("account"),
                         SL_TEXT("this is no account's id"));
        return;
    }
    if (!read_end(visit, "from", &statement->from) ||
        !read_end(visit, "until", &statement->until) || !read_page(visit, statement))
        return;
    statement->lines = sl_visit_room(visit, statement->limit, sizeof *statement->lines);
    find_ends(visit, statement);
}
