#include "domains/bank/work.h"
#include "domains/bank/currencies.h"

#include <string.h>

/* ---- Ids ------------------------------------------------------------------------------------- */

bool bank_read_id(struct sl_text text, const struct sl_case *c, size_t i, sl_u128 *out)
{
    sl_u128 id = 0;

    if (text.len > 0)
        return bank_id_read(text, out);
    for (size_t byte = 0; byte < sizeof c->id.bytes; byte++)
        id = id << 8 | c->id.bytes[byte];
    *out = id + i;
    return true;
}

uint32_t bank_ledger_of(const char *currency)
{
    const struct bank_currency *found = bank_currency_named(currency);

    return found ? found->number : 0;
}

enum sl_verdict bank_refuse_id(struct sl_decision *out)
{
    return sl_refuse(out, "id_malformed",
                     "an id is a name of up to 21 letters, digits, _ and -, or a number");
}

enum sl_verdict bank_refuse_currency(struct sl_decision *out)
{
    return sl_refuse(out, "currency_unknown", "{currency} is no currency of ISO 4217");
}

/* ---- What is needed --------------------------------------------------------------------------
 *
 * Needs are named in two passes: first what the request itself names, then the accounts of the
 * pending transfers that it posts or voids, which are known once these were loaded. The decision
 * goes the same way again, and so finds each state at its place. */

/* Returns the state, or NULL where it is not loaded yet. */
typedef const void *(*bank_visit)(void *self, const struct sl_aggregate *aggregate, sl_u128 id);

static void visit_moment(const struct bank_request *request, uint64_t time, bool imported,
                         bank_visit visit, void *self)
{
    if (imported && request->imported && time != 0)
        visit(self, &bank_moments, time);
}

static void visit_accounts(const struct bank_request *request, bank_visit visit, void *self)
{
    for (size_t i = 0; i < request->count; i++) {
        const struct ledger_account *account = &request->accounts[i];
        visit(self, &bank_accounts, account->id);
        visit_moment(request, account->timestamp, account->flags & LEDGER_ACCOUNT_IMPORTED, visit,
                     self);
    }
    visit(self, &bank_book, 0);
}

static void visit_transfers(const struct bank_request *request, bank_visit visit, void *self)
{
    for (size_t i = 0; i < request->count; i++) {
        const struct ledger_transfer *transfer = &request->transfers[i];
        visit(self, &bank_transfers, transfer->id);
        visit(self, &bank_accounts, transfer->debit_account_id);
        visit(self, &bank_accounts, transfer->credit_account_id);
        visit(self, &bank_transfers, transfer->pending_id);
        visit_moment(request, transfer->timestamp, transfer->flags & LEDGER_IMPORTED, visit, self);
    }
    visit(self, &bank_book, 0);
    for (size_t i = 0; i < request->count; i++) {
        const struct ledger_held_transfer *pending =
            visit(self, &bank_transfers, request->transfers[i].pending_id);
        if (!pending || !pending->stored)
            continue;
        visit(self, &bank_accounts, pending->transfer.debit_account_id);
        visit(self, &bank_accounts, pending->transfer.credit_account_id);
    }
}

static void visit_all(const struct bank_request *request, bank_visit visit, void *self)
{
    if (request->accounts)
        visit_accounts(request, visit, self);
    else if (request->transfers)
        visit_transfers(request, visit, self);
}

static bool is_id(const struct sl_aggregate *aggregate, sl_u128 id)
{
    return aggregate == &bank_book || (id != 0 && id != LEDGER_U128_MAX);
}

struct naming {
    const struct sl_case *c;
    struct sl_needs *out;
};

size_t bank_need(struct sl_needs *out, const struct sl_aggregate *aggregate, sl_u128 id)
{
    char key[BANK_ID_MAX];

    return sl_need_key(out, aggregate, (struct sl_text){key, bank_id_write(id, key)});
}

size_t bank_need_book(struct sl_needs *out)
{
    return sl_need_key(out, &bank_book, SL_TEXT(""));
}

static const void *name_need(void *self, const struct sl_aggregate *aggregate, sl_u128 id)
{
    struct naming *naming = self;

    if (!is_id(aggregate, id))
        return NULL;
    size_t place;
    if (aggregate == &bank_book) {
        place = bank_need_book(naming->out);
    } else if (aggregate == &bank_moments) {
        const uint64_t time = (uint64_t)id;
        place = sl_need_key(naming->out, aggregate, sl_key_of(naming->out, SL_U64, &time));
    } else {
        place = bank_need(naming->out, aggregate, id);
    }
    return place < naming->c->state_count ? naming->c->state[place] : NULL;
}

void bank_name_needs(const struct bank_request *request, const struct sl_case *c,
                     struct sl_needs *out)
{
    visit_all(request, name_need, &(struct naming){c, out});
}

/* ---- The book -------------------------------------------------------------------------------- */

struct work {
    const struct sl_case *c;
    struct sl_decision *out;
    const struct bank_request *request;
    struct ledger_book book;
    size_t *account_places; /* of the book's accounts among the needs */
    size_t *transfer_places;
    size_t next; /* the place of the next new need */
    size_t made;
    struct bank_after *from_after, *to_after; /* of what was made */
    enum ledger_code *codes;
    uint64_t *times;
};

static const void *hold(void *self, const struct sl_aggregate *aggregate, sl_u128 id)
{
    struct work *work = self;
    struct ledger_book *book = &work->book;

    if (!is_id(aggregate, id))
        return NULL;
    if (aggregate == &bank_transfers) {
        const struct ledger_held_transfer *held = ledger_book_transfer(book, id);
        if (held)
            return held;
        struct ledger_held_transfer state =
            *(const struct ledger_held_transfer *)work->c->state[work->next];
        state.transfer.id = id;
        work->transfer_places[book->transfer_count] = work->next++;
        return ledger_book_add_transfer(book, &state);
    }
    if (aggregate == &bank_accounts) {
        if (ledger_book_account(book, id))
            return NULL;
        struct ledger_held_account state =
            *(const struct ledger_held_account *)work->c->state[work->next];
        state.account.id = id;
        work->account_places[book->account_count] = work->next++;
        ledger_book_add_account(book, &state);
        return NULL;
    }
    if (aggregate == &bank_book) {
        book->clock = *(const struct ledger_clock *)work->c->state[work->next++];
        return NULL;
    }
    if (!ledger_book_knows_moment(book, (uint64_t)id)) {
        const struct bank_moment *moment = work->c->state[work->next++];
        ledger_book_add_moment(book, (uint64_t)id, moment->kinds);
    }
    return NULL;
}

/* Memory for twice as many as an index is worth; small ones are searched. */
static void make_index(struct sl_decision *out, struct ledger_index *index, size_t most)
{
    size_t slots = 16;

    if (most <= 16)
        return;
    while (slots < 2 * most)
        slots *= 2;
    ledger_index_init(index, sl_room(out, slots, sizeof(uint32_t)), slots);
}

static void make_book(struct work *work)
{
    const size_t count = work->request->count;
    const bool transfers = work->request->transfers != NULL;
    const size_t accounts_max = transfers ? 4 * count : count;
    const size_t transfers_max = transfers ? 2 * count : 0;
    struct sl_decision *out = work->out;
    struct ledger_book *book = &work->book;

    book->accounts = sl_room(out, accounts_max, sizeof *book->accounts);
    book->transfers = sl_room(out, transfers_max + 1, sizeof *book->transfers);
    book->moments = sl_room(out, 2 * count, sizeof *book->moments);
    book->undo = sl_room(out, 4 * count, sizeof *book->undo);
    work->account_places = sl_room(out, accounts_max, sizeof *work->account_places);
    work->transfer_places = sl_room(out, transfers_max + 1, sizeof *work->transfer_places);
    make_index(out, &book->by_account, accounts_max);
    make_index(out, &book->by_transfer, transfers_max);
    make_index(out, &book->by_moment, 2 * count);
    work->codes = sl_room(out, count, sizeof *work->codes);
    work->times = sl_room(out, count, sizeof *work->times);
    work->from_after = sl_room(out, count, sizeof *work->from_after);
    work->to_after = sl_room(out, count, sizeof *work->to_after);
    visit_all(work->request, hold, work);
}

/* The ledger's own time: the clock's, but each thing that is stored has one of its own, and none
 * is before what is stored already. */
static uint64_t request_time(const struct work *work)
{
    const struct ledger_clock *clock = &work->book.clock;
    const uint64_t newest = clock->account > clock->transfer ? clock->account : clock->transfer;
    const uint64_t now = work->c->now.ns > 0 ? (uint64_t)work->c->now.ns : 0;
    const uint64_t count = work->request->count;

    return now >= newest + count ? now : newest + count;
}

/* ---- Events ---------------------------------------------------------------------------------- */

struct sl_text bank_text_of(struct sl_decision *out, sl_u128 id)
{
    char *text = sl_room(out, 1, BANK_ID_MAX);

    return (struct sl_text){text, bank_id_write(id, text)};
}

struct bank_after bank_after_of(const struct ledger_held_account *held)
{
    return (struct bank_after){
        .debits_pending = held->account.debits_pending,
        .debits_posted = held->account.debits_posted,
        .credits_pending = held->account.credits_pending,
        .credits_posted = held->account.credits_posted,
        .entry = held->entries,
        .flags = held->account.flags,
    };
}

static void name_currency(char out[4], uint32_t ledger)
{
    const struct bank_currency *currency = bank_currency_numbered(ledger);

    if (currency)
        memcpy(out, currency->code, sizeof currency->code);
}

static void on_created(void *user, const struct ledger_held_transfer *transfer,
                       const struct ledger_held_account *debit,
                       const struct ledger_held_account *credit)
{
    struct work *work = user;

    (void)transfer;
    work->from_after[work->made] = bank_after_of(debit);
    work->to_after[work->made] = bank_after_of(credit);
    work->made++;
}

static void emit_account(struct work *work, size_t i)
{
    const struct ledger_held_account *held =
        ledger_book_account(&work->book, work->request->accounts[i].id);
    const struct ledger_account *account = &held->account;
    struct bank_account_opened *event = sl_emit(work->out, &bank_account_opened_event,
                                                work->account_places[held - work->book.accounts]);

    *event = (struct bank_account_opened){
        .id = bank_text_of(work->out, account->id),
        .ledger = account->ledger,
        .code = account->code,
        .flags = account->flags,
        .limit = work->request->notes ? work->request->notes[i].limit : 0,
        .user_data_128 = account->user_data_128,
        .user_data_64 = account->user_data_64,
        .user_data_32 = account->user_data_32,
        .timestamp = account->timestamp,
    };
    name_currency(event->currency, account->ledger);
}

static void emit_transfer(struct work *work, size_t i)
{
    static const struct bank_note nothing;
    const struct ledger_held_transfer *held =
        ledger_book_transfer(&work->book, work->request->transfers[i].id);
    const struct ledger_transfer *transfer = &held->transfer;
    const struct bank_note *note = work->request->notes ? &work->request->notes[i] : &nothing;
    struct bank_transferred *event = sl_emit(work->out, &bank_transferred_event,
                                             work->transfer_places[held - work->book.transfers]);

    *event = (struct bank_transferred){
        .id = bank_text_of(work->out, transfer->id),
        .from = bank_text_of(work->out, transfer->debit_account_id),
        .to = bank_text_of(work->out, transfer->credit_account_id),
        .amount = transfer->amount,
        .ledger = transfer->ledger,
        .code = transfer->code,
        .flags = transfer->flags,
        .reference = note->reference,
        .reverses = note->reverses,
        .timeout = transfer->timeout,
        .user_data_128 = transfer->user_data_128,
        .user_data_64 = transfer->user_data_64,
        .user_data_32 = transfer->user_data_32,
        .timestamp = transfer->timestamp,
        .from_after = work->from_after[i],
        .to_after = work->to_after[i],
    };
    event->from_balance =
        bank_balance_of(event->from_after.credits_posted, event->from_after.debits_posted);
    event->to_balance =
        bank_balance_of(event->to_after.credits_posted, event->to_after.debits_posted);
    name_currency(event->currency, transfer->ledger);
    if (transfer->pending_id != 0) {
        const struct ledger_transfer *pending =
            &ledger_book_transfer(&work->book, transfer->pending_id)->transfer;
        event->pending = bank_text_of(work->out, pending->id);
        event->pending_amount = pending->amount;
        event->pending_flags = pending->flags;
        if (pending->timeout != 0)
            event->hold = event->pending;
    } else if (transfer->timeout != 0) {
        event->hold = event->id;
    }
}

/* A transfer that failed by what the ledger holds just now fails for ever: its id says so. */
static void emit_failed(struct work *work, size_t i)
{
    const struct ledger_verdict *verdict = ledger_verdict_of(work->codes[i]);

    if (!work->request->transfers || !verdict->transient)
        return;
    const sl_u128 id = work->request->transfers[i].id;
    const struct ledger_held_transfer *held = ledger_book_transfer(&work->book, id);
    struct bank_transfer_failed *event = sl_emit(
        work->out, &bank_transfer_failed_event, work->transfer_places[held - work->book.transfers]);
    event->id = bank_text_of(work->out, id);
    event->verdict = (struct sl_text){verdict->name, strlen(verdict->name)};
}

/* ---- Carrying out ---------------------------------------------------------------------------- */

/* The first that failed with a verdict of its own; `count`: none did. */
static size_t failed_of(const struct work *work)
{
    const size_t count = work->request->count;

    for (size_t i = 0; i < count; i++)
        if (work->codes[i] != LEDGER_CREATED && work->codes[i] != LEDGER_LINKED_EVENT_FAILED)
            return i;
    return count;
}

enum sl_verdict bank_carry_out(const struct bank_request *request, const struct sl_case *c,
                               struct sl_decision *out)
{
    struct work work = {.c = c, .out = out, .request = request, .next = request->needs_before};

    make_book(&work);
    work.book.on_created = on_created;
    work.book.user = &work;
    const struct ledger_request whole = {request->imported, request_time(&work)};
    if (request->accounts)
        ledger_book_create_accounts(&work.book, request->accounts, request->count, whole,
                                    work.codes, work.times);
    else
        ledger_book_create_transfers(&work.book, request->transfers, request->count, whole,
                                     work.codes, work.times);
    const size_t failed = failed_of(&work);
    if (failed < request->count) {
        if (request->count == 1 && work.codes[0] == LEDGER_EXISTS)
            return SL_ACCEPTED;
        emit_failed(&work, failed);
        const struct ledger_verdict *verdict = ledger_verdict_of(work.codes[failed]);
        return request->field
                   ? sl_refuse_item(out, verdict->name, verdict->sentence, request->field, failed)
                   : sl_refuse(out, verdict->name, verdict->sentence);
    }
    for (size_t i = 0; i < request->count; i++) {
        if (request->accounts)
            emit_account(&work, i);
        else
            emit_transfer(&work, i);
    }
    return SL_ACCEPTED;
}
