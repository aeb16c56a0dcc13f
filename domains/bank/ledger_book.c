/* Requests of many, and chains: see ledger_book.h. */
#include "domains/bank/ledger_book.h"

/* ---- Finding --------------------------------------------------------------------------------- */

void ledger_index_init(struct ledger_index *index, uint32_t *slots, size_t count)
{
    index->slots = slots;
    index->mask = count - 1;
}

/* Ids are often counted upwards: all of their bits take part (the multiplier is that of
 * Fibonacci hashing, Knuth vol. 3, 6.4). */
static size_t spread(sl_u128 id)
{
    const uint64_t mixed = ((uint64_t)id ^ (uint64_t)(id >> 64) * UINT64_C(0xff51afd7ed558ccd)) *
                           UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(mixed ^ mixed >> 32);
}

static void enter(struct ledger_index *index, sl_u128 key, size_t place)
{
    if (!index->slots)
        return;
    size_t at = spread(key) & index->mask;
    while (index->slots[at])
        at = (at + 1) & index->mask;
    index->slots[at] = (uint32_t)place + 1;
}

#define FIND(items, count, index, key, field)                             \
    do {                                                                  \
        if (!(index)->slots) {                                            \
            for (size_t i = 0; i < (count); i++)                          \
                if ((items)[i].field == (key))                            \
                    return &(items)[i];                                   \
            return NULL;                                                  \
        }                                                                 \
        for (size_t at = spread(key) & (index)->mask; (index)->slots[at]; \
             at = (at + 1) & (index)->mask)                               \
            if ((items)[(index)->slots[at] - 1].field == (key))           \
                return &(items)[(index)->slots[at] - 1];                  \
        return NULL;                                                      \
    } while (0)

struct ledger_held_account *ledger_book_account(const struct ledger_book *book, sl_u128 id)
{
    FIND(book->accounts, book->account_count, &book->by_account, id, account.id);
}

struct ledger_held_transfer *ledger_book_transfer(const struct ledger_book *book, sl_u128 id)
{
    FIND(book->transfers, book->transfer_count, &book->by_transfer, id, transfer.id);
}

static struct ledger_moment *find_moment(const struct ledger_book *book, uint64_t time)
{
    FIND(book->moments, book->moment_count, &book->by_moment, time, time);
}

struct ledger_held_account *ledger_book_add_account(struct ledger_book *book,
                                                    const struct ledger_held_account *account)
{
    struct ledger_held_account *added = &book->accounts[book->account_count];

    *added = *account;
    enter(&book->by_account, account->account.id, book->account_count++);
    return added;
}

struct ledger_held_transfer *ledger_book_add_transfer(struct ledger_book *book,
                                                      const struct ledger_held_transfer *transfer)
{
    struct ledger_held_transfer *added = &book->transfers[book->transfer_count];

    *added = *transfer;
    enter(&book->by_transfer, transfer->transfer.id, book->transfer_count++);
    return added;
}

void ledger_book_add_moment(struct ledger_book *book, uint64_t time, unsigned kinds)
{
    struct ledger_moment *moment = find_moment(book, time);

    if (!moment) {
        moment = &book->moments[book->moment_count];
        moment->time = time;
        enter(&book->by_moment, time, book->moment_count++);
    }
    moment->kinds |= kinds;
}

bool ledger_book_knows_moment(const struct ledger_book *book, uint64_t time)
{
    return find_moment(book, time) != NULL;
}

static bool is_taken(const struct ledger_book *book, uint64_t time, enum ledger_kind kind)
{
    const struct ledger_moment *moment = find_moment(book, time);

    return moment && moment->kinds & kind;
}

/* ---- Taking back ----------------------------------------------------------------------------- */

/* An id that was taken back stays in the index, as one of which nothing is known. */
static void keep_account(struct ledger_book *book, struct ledger_held_account *account)
{
    book->undo[book->undo_count++] =
        (struct ledger_undo){.account = account, .old_account = *account};
}

static void keep_transfer(struct ledger_book *book, struct ledger_held_transfer *transfer)
{
    book->undo[book->undo_count++] =
        (struct ledger_undo){.transfer = transfer, .old_transfer = *transfer};
}

static void take_back(struct ledger_book *book, struct ledger_clock clock)
{
    while (book->undo_count > 0) {
        const struct ledger_undo *undo = &book->undo[--book->undo_count];
        if (undo->account)
            *undo->account = undo->old_account;
        else
            *undo->transfer = undo->old_transfer;
    }
    book->clock = clock;
}

/* ---- One item -------------------------------------------------------------------------------- */

/* Of accounts and transfers alike: which records, and what is done with one. */
struct request {
    struct ledger_book *book;
    const struct ledger_account *accounts; /* one of the two */
    const struct ledger_transfer *transfers;
    size_t count;
    struct ledger_request whole;
    enum ledger_code *codes;
    uint64_t *times;
};

/* One that was taken back has no time. */
static struct ledger_held_account *stored_account(const struct ledger_book *book, sl_u128 id)
{
    struct ledger_held_account *held = ledger_book_account(book, id);

    return held && held->account.timestamp != 0 ? held : NULL;
}

static enum ledger_code create_account(struct request *request, size_t i)
{
    struct ledger_book *book = request->book;
    const struct ledger_account *account = &request->accounts[i];
    struct ledger_held_account *held = ledger_book_account(book, account->id);
    const bool exists = held && held->account.timestamp != 0;
    struct ledger_account made;
    const struct ledger_account_case c = {
        .existing = exists ? &held->account : NULL,
        .clock = book->clock,
        .time_taken = account->flags & LEDGER_ACCOUNT_IMPORTED &&
                      is_taken(book, account->timestamp, LEDGER_IS_TRANSFER),
    };
    const enum ledger_code code = ledger_judge_account(account, request->times[i], &c, &made);

    if (code == LEDGER_EXISTS && held)
        request->times[i] = held->account.timestamp;
    if (code != LEDGER_CREATED)
        return code;
    if (!held)
        held = ledger_book_add_account(
            book, &(struct ledger_held_account){.account = {.id = account->id}});
    keep_account(book, held);
    held->account = made;
    book->clock.account = request->times[i] = made.timestamp;
    return code;
}

static enum ledger_code create_transfer(struct request *request, size_t i)
{
    struct ledger_book *book = request->book;
    const struct ledger_transfer *transfer = &request->transfers[i];
    struct ledger_held_transfer *held = ledger_book_transfer(book, transfer->id);
    struct ledger_held_transfer *pending =
        transfer->pending_id ? ledger_book_transfer(book, transfer->pending_id) : NULL;
    const bool resolving = transfer->flags & (LEDGER_POST | LEDGER_VOID);
    const struct ledger_transfer *named =
        resolving && pending && pending->stored ? &pending->transfer : transfer;
    struct ledger_held_account *debit = stored_account(book, named->debit_account_id);
    struct ledger_held_account *credit = stored_account(book, named->credit_account_id);
    struct ledger_transfer made;
    const struct ledger_transfer_case c = {
        .existing = held,
        .pending = pending,
        .debit = debit,
        .credit = credit,
        .clock = book->clock,
        .time_taken = transfer->flags & LEDGER_IMPORTED &&
                      is_taken(book, transfer->timestamp, LEDGER_IS_ACCOUNT),
    };
    const enum ledger_code code = ledger_judge_transfer(transfer, request->times[i], &c, &made);

    if (code == LEDGER_EXISTS && held)
        request->times[i] = held->transfer.timestamp;
    if (code != LEDGER_CREATED)
        return code;
    if (!held)
        held = ledger_book_add_transfer(
            book, &(struct ledger_held_transfer){.transfer = {.id = transfer->id}});
    keep_transfer(book, held);
    keep_account(book, debit);
    keep_account(book, credit);
    held->transfer = made;
    held->stored = true;
    held->stage = made.flags & LEDGER_PENDING ? LEDGER_IS_PENDING : LEDGER_IS_PLAIN;
    debit->entries++;
    credit->entries++;
    ledger_debit(&debit->account, &made, resolving ? &pending->transfer : NULL);
    ledger_credit(&credit->account, &made, resolving ? &pending->transfer : NULL);
    if (resolving && pending) {
        keep_transfer(book, pending);
        pending->stage = made.flags & LEDGER_POST ? LEDGER_IS_POSTED : LEDGER_IS_VOIDED;
    }
    book->clock.transfer = request->times[i] = made.timestamp;
    if (book->on_created)
        book->on_created(book->user, held, debit, credit);
    return code;
}

/* ---- All of them ----------------------------------------------------------------------------- */

static bool is_linked(const struct request *request, size_t i)
{
    return request->accounts ? request->accounts[i].flags & LEDGER_ACCOUNT_LINKED
                             : request->transfers[i].flags & LEDGER_LINKED;
}

static enum ledger_code create(struct request *request, size_t i)
{
    const enum ledger_code code =
        request->accounts ? ledger_check_account(&request->accounts[i], &request->whole)
                          : ledger_check_transfer(&request->transfers[i], &request->whole);

    if (code != LEDGER_CREATED)
        return code;
    return request->accounts ? create_account(request, i) : create_transfer(request, i);
}

/* What stays of a chain that failed: an id whose verdict was transient is burnt. */
static void burn(struct request *request, size_t i)
{
    struct ledger_book *book = request->book;

    if (!request->transfers || !ledger_verdict_of(request->codes[i])->transient)
        return;
    const sl_u128 id = request->transfers[i].id;
    struct ledger_held_transfer *held = ledger_book_transfer(book, id);
    if (!held)
        held =
            ledger_book_add_transfer(book, &(struct ledger_held_transfer){.transfer = {.id = id}});
    held->burnt = true;
}

/* What is stored of a chain has timestamps, from now on. */
static void settle(struct request *request, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (request->codes[i] == LEDGER_CREATED)
            ledger_book_add_moment(request->book, request->times[i],
                                   request->accounts ? LEDGER_IS_ACCOUNT : LEDGER_IS_TRANSFER);
    request->book->undo_count = 0;
}

/* Carries out the chain that begins at `first`; returns what is behind it. The time of what is
 * taken back stays what it was given. */
static size_t run_chain(struct request *request, size_t first)
{
    struct ledger_book *book = request->book;
    const struct ledger_clock clock = book->clock;
    size_t end = first, failed = SIZE_MAX;

    do {
        if (end == request->count - 1 && is_linked(request, end)) {
            request->codes[end] = LEDGER_LINKED_EVENT_CHAIN_OPEN;
            failed = failed == SIZE_MAX ? end : failed;
        } else if (failed != SIZE_MAX) {
            request->codes[end] = LEDGER_LINKED_EVENT_FAILED;
        } else {
            request->codes[end] = create(request, end);
            if (request->codes[end] != LEDGER_CREATED)
                failed = end;
        }
    } while (is_linked(request, end++) && end < request->count);
    if (failed == SIZE_MAX) {
        settle(request, first, end);
        return end;
    }
    take_back(book, clock);
    for (size_t i = first; i < failed; i++)
        request->codes[i] = LEDGER_LINKED_EVENT_FAILED;
    burn(request, failed);
    return end;
}

static void run(struct request *request)
{
    for (size_t i = 0; i < request->count; i++)
        request->times[i] = request->whole.time - request->count + i + 1;
    for (size_t i = 0; i < request->count;)
        i = run_chain(request, i);
}

void ledger_book_create_accounts(struct ledger_book *book, const struct ledger_account *accounts,
                                 size_t count, struct ledger_request request,
                                 enum ledger_code *codes, uint64_t *times)
{
    run(&(struct request){book, accounts, NULL, count, request, codes, times});
}

void ledger_book_create_transfers(struct ledger_book *book, const struct ledger_transfer *transfers,
                                  size_t count, struct ledger_request request,
                                  enum ledger_code *codes, uint64_t *times)
{
    run(&(struct request){book, NULL, transfers, count, request, codes, times});
}

void ledger_book_expire(struct ledger_book *book, struct ledger_held_transfer *pending)
{
    const struct ledger_transfer *transfer = &pending->transfer;

    ledger_expire_debit(&ledger_book_account(book, transfer->debit_account_id)->account, transfer);
    ledger_expire_credit(&ledger_book_account(book, transfer->credit_account_id)->account,
                         transfer);
    pending->stage = LEDGER_IS_EXPIRED;
}
