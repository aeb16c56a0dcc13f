#include "tests/sim/world_bank.h"

#include "domains/bank/bank.h"
#include "record/pack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t second = INT64_C(1000000000);

struct hold {
    unsigned made, posted, voided, expired;
    int64_t due_ns; /* 0: never */
    sl_u128 amount;
    size_t from, to;
};

struct world_books {
    struct world *world;
    struct sl_arena arena;
    struct bank_after sums[WORLD_ACCOUNTS];  /* by the amounts */
    struct bank_after after[WORLD_ACCOUNTS]; /* as the events say */
    struct hold *holds;                      /* by command */
};

struct world_books *world_books_new(struct world *world)
{
    struct world_books *books = calloc(1, sizeof *books);

    if (books)
        books->holds = calloc(world->command_count + 1, sizeof *books->holds);
    if (books && !books->holds) {
        free(books);
        return NULL;
    }
    if (books)
        books->world = world;
    return books;
}

void world_books_free(struct world_books *books)
{
    if (!books)
        return;
    sl_arena_close(&books->arena);
    free(books->holds);
    free(books);
}

/* The number behind the letter, below `limit`; what is none is complained of, and 0. */
static size_t number_of(struct world_books *books, struct sl_text text, size_t limit)
{
    char digits[24] = {0};

    if (text.len > 1 && text.len < sizeof digits)
        memcpy(digits, text.ptr + 1, text.len - 1);
    const size_t number = strtoull(digits, NULL, 10);
    if (!world_expect(books->world, digits[0] && number < limit,
                      "an account or a transfer that nobody named"))
        return 0;
    return number;
}

static struct hold *hold_of(struct world_books *books, struct sl_text id)
{
    return &books->holds[number_of(books, id, books->world->command_count)];
}

/* ---- Sums ------------------------------------------------------------------------------------ */

static bool are_same(const struct bank_after *a, const struct bank_after *b)
{
    return a->debits_pending == b->debits_pending && a->debits_posted == b->debits_posted &&
           a->credits_pending == b->credits_pending && a->credits_posted == b->credits_posted;
}

static struct bank_after total_of(const struct bank_after *accounts)
{
    struct bank_after total = {0};

    for (size_t i = 0; i < WORLD_ACCOUNTS; i++) {
        total.debits_pending += accounts[i].debits_pending;
        total.debits_posted += accounts[i].debits_posted;
        total.credits_pending += accounts[i].credits_pending;
        total.credits_posted += accounts[i].credits_posted;
    }
    return total;
}

/* An event says what two accounts hold after it. */
static void check_sums(struct world_books *books, size_t from, size_t to,
                       const struct bank_after *from_after, const struct bank_after *to_after)
{
    books->after[from] = *from_after;
    books->after[to] = *to_after;
    const struct bank_after total = total_of(books->after);
    world_expect(books->world,
                 total.debits_pending == total.credits_pending &&
                     total.debits_posted == total.credits_posted,
                 "the sums of debits and of credits are the same at every position");
    world_expect(books->world,
                 are_same(from_after, &books->sums[from]) && are_same(to_after, &books->sums[to]),
                 "an account holds what was moved to and from it");
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void note_hold(struct world_books *books, const struct bank_transferred *event, size_t from,
                      size_t to)
{
    struct hold *hold = hold_of(books, event->id);

    hold->made++;
    hold->amount = event->amount;
    hold->from = from;
    hold->to = to;
    hold->due_ns =
        event->timeout ? (int64_t)event->timestamp + (int64_t)event->timeout * second : 0;
    books->sums[from].debits_pending += event->amount;
    books->sums[to].credits_pending += event->amount;
}

static void note_resolved(struct world_books *books, const struct bank_transferred *event,
                          size_t from, size_t to)
{
    struct hold *hold = hold_of(books, event->pending);
    const sl_u128 amount = event->flags & LEDGER_POST ? event->amount : 0;

    hold->posted += (event->flags & LEDGER_POST) != 0;
    hold->voided += (event->flags & LEDGER_VOID) != 0;
    world_expect(books->world,
                 hold->made == 1 && hold->from == from && hold->to == to && amount <= hold->amount,
                 "what is posted or voided was held before");
    world_expect(books->world, hold->due_ns == 0 || (int64_t)event->timestamp < hold->due_ns,
                 "what has run out is not posted");
    books->sums[from].debits_pending -= hold->amount;
    books->sums[to].credits_pending -= hold->amount;
    books->sums[from].debits_posted += amount;
    books->sums[to].credits_posted += amount;
}

static void note_transferred(struct world_books *books, const struct bank_transferred *event)
{
    const size_t from = number_of(books, event->from, WORLD_ACCOUNTS);
    const size_t to = number_of(books, event->to, WORLD_ACCOUNTS);

    if (event->flags & LEDGER_PENDING) {
        note_hold(books, event, from, to);
    } else if (event->pending.len > 0) {
        note_resolved(books, event, from, to);
    } else {
        books->sums[from].debits_posted += event->amount;
        books->sums[to].credits_posted += event->amount;
    }
    check_sums(books, from, to, &event->from_after, &event->to_after);
}

/* Had the clock ever shown that time when the event was seen? Its own time is a witness only of a
 * clock that never went back; of an event that nobody saw then, no other is left. */
static bool had_come(const struct world *world, const struct sl_stored_event *event, int64_t due_ns)
{
    const struct world_seen *seen = &world->seen[0];
    const int64_t seen_ns = event->position < seen->count ? seen->latest_ns[event->position] : 0;

    return event->time.ns >= due_ns || (world->went_back && (seen_ns == 0 || seen_ns >= due_ns));
}

static void note_expired(struct world_books *books, const struct bank_transfer_expired *event,
                         const struct sl_stored_event *stored)
{
    const size_t from = number_of(books, event->from, WORLD_ACCOUNTS);
    const size_t to = number_of(books, event->to, WORLD_ACCOUNTS);
    struct hold *hold = hold_of(books, event->id);

    hold->expired++;
    world_expect(books->world, hold->made == 1 && event->amount == hold->amount,
                 "what runs out was held before");
    world_expect(books->world, hold->due_ns != 0 && had_come(books->world, stored, hold->due_ns),
                 "a pending transfer ran out before its time");
    books->sums[from].debits_pending -= hold->amount;
    books->sums[to].credits_pending -= hold->amount;
    check_sums(books, from, to, &event->from_after, &event->to_after);
}

void world_books_note(struct world_books *books, const struct sl_stored_event *event)
{
    static const struct sl_event_type *const types[] = {&bank_transferred_event,
                                                        &bank_transfer_expired_event};
    union {
        struct bank_transferred transferred;
        struct bank_transfer_expired expired;
    } body;

    for (size_t i = 0; i < 2; i++) {
        if (event->schema->name.len != strlen(types[i]->name) ||
            memcmp(event->schema->name.ptr, types[i]->name, event->schema->name.len) != 0)
            continue;
        memset(&body, 0, sizeof body);
        if (!world_expect(books->world,
                          sl_unpack(types[i]->record, event->body, &books->arena, &body, NULL) ==
                              SL_OK,
                          "an event can be read"))
            return;
        if (i == 0)
            note_transferred(books, &body.transferred);
        else
            note_expired(books, &body.expired, event);
    }
}

/* ---- What is asked of them ------------------------------------------------------------------- */

int64_t world_books_balance(const struct world_books *books, size_t account)
{
    return bank_balance_of(books->sums[account].credits_posted, books->sums[account].debits_posted);
}

bool world_books_holds(const struct world_books *books, size_t number)
{
    const struct hold *hold = &books->holds[number];

    return hold->made > hold->posted + hold->voided + hold->expired;
}

void world_books_trial(const struct world_books *books, char *out, size_t size)
{
    const struct bank_after total = total_of(books->sums);

    snprintf(out, size,
             "\"debits_pending\":\"%" PRIu64 "\",\"credits_pending\":\"%" PRIu64
             "\",\"debits_posted\":\"%" PRIu64 "\",\"credits_posted\":\"%" PRIu64 "\"",
             (uint64_t)total.debits_pending, (uint64_t)total.credits_pending,
             (uint64_t)total.debits_posted, (uint64_t)total.credits_posted);
}

void world_books_check(const struct world_books *books, bool is_late)
{
    struct world *world = books->world;
    char what[160];

    world->held = (struct world_held){0};
    for (size_t i = 0; i < world->command_count; i++) {
        const struct hold *hold = &books->holds[i];
        const unsigned ends = hold->posted + hold->voided + hold->expired;
        snprintf(what, sizeof what,
                 "pending transfer %zu: made %u, posted %u, voided %u, run out %u%s", i, hold->made,
                 hold->posted, hold->voided, hold->expired,
                 hold->due_ns ? "" : "; it has no time-out");
        world_expect(world, hold->made <= 1 && ends <= hold->made, what);
        world_expect(world, !is_late || !hold->due_ns || ends == hold->made, what);
        world->held.made += hold->made;
        world->held.posted += hold->posted;
        world->held.voided += hold->voided;
        world->held.expired += hold->expired;
    }
}
