/*
 * POST /bank/batch/{operation}: TigerBeetle's requests, record by record. What is created is sent
 * as commands, one a chain, in the request's order; what is asked for is read from the view of
 * balances and from the log.
 *
 * A reply's timestamps are those of what is stored; a record that failed has the time of the reply,
 * for there is no other.
 */
#include "domains/bank/bank.h"
#include "domains/bank/ids.h"
#include "domains/bank/ledger_book.h"
#include "domains/bank/ledger_query.h"

#include <stdlib.h>
#include <string.h>

struct batch;

struct operation {
    const char *name;
    size_t record; /* bytes of each of the request's */
    size_t count_max;
    void (*serve)(struct sl_visit *visit, struct batch *batch);
};

/* A record's fate. */
struct item {
    enum ledger_code code;
    uint64_t time;
    uint64_t position; /* of its event; UINT64_MAX: it has none */
};

struct batch {
    const struct operation *operation;
    void *records; /* copied, aligned */
    size_t count;
    struct item *items;
    size_t *chain_ends; /* one a command */
    size_t chain_count;
    size_t next;          /* the item whose time is looked for, or the id that is looked up */
    uint64_t from, until; /* of the log that is read: [from, until) */
    size_t limit;
    uint8_t *reply;
    size_t reply_len;
};

/* ---- The reply ------------------------------------------------------------------------------- */

static void make_reply(struct sl_visit *visit, struct batch *batch, size_t count, size_t size)
{
    batch->reply = sl_visit_room(visit, count > 0 ? count : 1, size);
}

static void add(struct batch *batch, const void *record, size_t size)
{
    memcpy(batch->reply + batch->reply_len, record, size);
    batch->reply_len += size;
}

static void reply(struct sl_visit *visit, const struct batch *batch)
{
    sl_visit_answer(visit, 200, "application/octet-stream",
                    (struct sl_text){(const char *)batch->reply, batch->reply_len});
}

/* ---- Creating -------------------------------------------------------------------------------- */

static bool is_accounts(const struct batch *batch)
{
    return strcmp(batch->operation->name, "create_accounts") == 0;
}

static bool is_linked(const struct batch *batch, size_t i)
{
    return is_accounts(batch)
               ? ((const struct ledger_account *)batch->records)[i].flags & LEDGER_ACCOUNT_LINKED
               : ((const struct ledger_transfer *)batch->records)[i].flags & LEDGER_LINKED;
}

static void reply_results(struct sl_visit *visit, struct batch *batch)
{
    const uint64_t now = (uint64_t)sl_visit_now(visit).ns;

    make_reply(visit, batch, batch->count, sizeof(struct ledger_result));
    for (size_t i = 0; i < batch->count; i++) {
        const struct ledger_verdict *verdict = ledger_verdict_of(batch->items[i].code);
        const struct ledger_result result = {
            .timestamp = batch->items[i].time ? batch->items[i].time : now,
            .status = is_accounts(batch) ? verdict->account : verdict->transfer,
        };
        add(batch, &result, sizeof result);
    }
    reply(visit, batch);
}

static void find_times_of_old(struct sl_visit *visit, struct batch *batch);

/* What was created now lies in the log between the first and the last of it. */
static void see_new_events(struct sl_visit *visit, const struct sl_visit_events *events);

static void find_times_of_new(struct sl_visit *visit, struct batch *batch)
{
    if (batch->from >= batch->until) {
        batch->next = 0;
        find_times_of_old(visit, batch);
        return;
    }
    sl_visit_events(visit,
                    &(struct sl_visit_log){.of = SL_EVENTS_OF_LOG,
                                           .from = batch->from,
                                           .until = batch->until,
                                           .limit = SL_VISIT_ITEMS_MAX},
                    see_new_events);
}

static uint64_t time_of(const struct sl_event *event)
{
    if (event->type == &bank_account_opened_event)
        return ((const struct bank_account_opened *)event->body)->timestamp;
    if (event->type == &bank_transferred_event)
        return ((const struct bank_transferred *)event->body)->timestamp;
    return 0;
}

static void see_new_events(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct batch *batch = sl_visit_user(visit);

    for (size_t i = 0; i < events->count && batch->next < batch->count;) {
        struct item *item = &batch->items[batch->next];
        if (item->position == UINT64_MAX || item->position < events->events[i].position) {
            batch->next++;
        } else if (item->position > events->events[i].position) {
            i++;
        } else {
            item->time = time_of(&events->events[i]);
            batch->next++;
            i++;
        }
    }
    batch->from = events->end ? batch->until : events->next;
    find_times_of_new(visit, batch);
}

/* What existed before is looked up, one after the other: that is seldom. */
static void see_old_event(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct batch *batch = sl_visit_user(visit);

    for (size_t i = 0; i < events->count && !batch->items[batch->next].time; i++)
        batch->items[batch->next].time = time_of(&events->events[i]);
    batch->next++;
    find_times_of_old(visit, batch);
}

static sl_u128 id_of(const struct batch *batch, size_t i)
{
    return is_accounts(batch) ? ((const struct ledger_account *)batch->records)[i].id
                              : ((const struct ledger_transfer *)batch->records)[i].id;
}

static void read_stream(struct sl_visit *visit, const char *aggregate, sl_u128 id,
                        void (*then)(struct sl_visit *visit, const struct sl_visit_events *events))
{
    char key[BANK_ID_MAX];

    sl_visit_events(visit,
                    &(struct sl_visit_log){.of = SL_EVENTS_OF_STREAM,
                                           .name = aggregate,
                                           .key = {key, bank_id_write(id, key)},
                                           .limit = 4},
                    then);
}

static void find_times_of_old(struct sl_visit *visit, struct batch *batch)
{
    while (batch->next < batch->count && batch->items[batch->next].code != LEDGER_EXISTS)
        batch->next++;
    if (batch->next == batch->count)
        reply_results(visit, batch);
    else
        read_stream(visit, is_accounts(batch) ? "account" : "transfer", id_of(batch, batch->next),
                    see_old_event);
}

/* The code of a refusal's rule; LEDGER_CREATED: it is none of the ledger's. */
static enum ledger_code code_of(struct sl_text rule)
{
    for (enum ledger_code code = 0; code < LEDGER_CODE_COUNT; code++) {
        const char *name = ledger_verdict_of(code)->name;
        if (sl_text_equals(rule, (struct sl_text){name, strlen(name)}))
            return code;
    }
    return LEDGER_CREATED;
}

/* The number in "transfers[3]". */
static size_t item_of(struct sl_text field)
{
    const char *bracket = field.len > 0 ? memchr(field.ptr, '[', field.len) : NULL;
    size_t number = 0;

    for (const char *p = bracket ? bracket + 1 : NULL;
         p && p < field.ptr + field.len && *p >= '0' && *p <= '9'; p++)
        number = number * 10 + (size_t)(*p - '0');
    return number;
}

/* False: the outcome is none of the ledger's, and the request fails with it. */
static bool take_outcome(struct batch *batch, size_t from, size_t to,
                         const struct sl_visit_outcome *outcome)
{
    const enum ledger_code code = code_of(outcome->rule);
    const bool accepted = outcome->status == 201 || outcome->status == 202;

    for (size_t i = from; i < to; i++) {
        struct item *item = &batch->items[i];
        const bool has_event = accepted && i - from < outcome->event_count;
        item->position = has_event ? outcome->events[i - from].position : UINT64_MAX;
        item->code = has_event  ? LEDGER_CREATED
                     : accepted ? LEDGER_EXISTS
                                : LEDGER_LINKED_EVENT_FAILED;
        if (!has_event)
            continue;
        if (item->position < batch->from)
            batch->from = item->position;
        if (item->position >= batch->until)
            batch->until = item->position + 1;
    }
    if (accepted)
        return true;
    if (outcome->status != 422 || code == LEDGER_CREATED)
        return false;
    const size_t failed = from + item_of(outcome->field);
    if (failed < to)
        batch->items[failed].code = code;
    if (is_linked(batch, to - 1))
        batch->items[to - 1].code = LEDGER_LINKED_EVENT_CHAIN_OPEN;
    return true;
}

static void see_outcomes(struct sl_visit *visit, const struct sl_visit_outcome *outcomes,
                         size_t count)
{
    struct batch *batch = sl_visit_user(visit);
    size_t from = 0;

    batch->from = UINT64_MAX;
    batch->until = 0;
    for (size_t i = 0; i < count; from = batch->chain_ends[i++]) {
        if (take_outcome(batch, from, batch->chain_ends[i], &outcomes[i]))
            continue;
        sl_visit_set_header(visit, "Retry-After", SL_TEXT("1"));
        sl_visit_problem(visit, outcomes[i].status, "batch_failed", outcomes[i].rule,
                         outcomes[i].message);
        return;
    }
    batch->next = 0;
    find_times_of_new(visit, batch);
}

/* The records [from, to) are a chain, or a single one. */
static void send_chain(struct sl_visit *visit, const struct batch *batch, size_t from, size_t to)
{
    struct ledger_account *accounts = batch->records;
    struct ledger_transfer *transfers = batch->records;

    if (is_accounts(batch)) {
        struct bank_create_accounts *command = sl_visit_send(visit, "CreateAccounts", NULL);
        command->accounts = (struct sl_list){&accounts[from], to - from};
        command->imported = accounts->flags & LEDGER_ACCOUNT_IMPORTED;
    } else {
        struct bank_create_transfers *command = sl_visit_send(visit, "CreateTransfers", NULL);
        command->transfers = (struct sl_list){&transfers[from], to - from};
        command->imported = transfers->flags & LEDGER_IMPORTED;
    }
}

static void create(struct sl_visit *visit, struct batch *batch)
{
    batch->items = sl_visit_room(visit, batch->count + 1, sizeof *batch->items);
    batch->chain_ends = sl_visit_room(visit, batch->count + 1, sizeof *batch->chain_ends);
    for (size_t from = 0, to; from < batch->count; from = to) {
        for (to = from + 1; to < batch->count && is_linked(batch, to - 1);)
            to++;
        send_chain(visit, batch, from, to);
        batch->chain_ends[batch->chain_count++] = to;
    }
    sl_visit_submit(visit, see_outcomes);
}

/* ---- Looking up ------------------------------------------------------------------------------ */

static struct ledger_account account_of(const struct bank_balance *row)
{
    struct ledger_account account = {
        .debits_pending = row->debits_pending,
        .debits_posted = row->debits_posted,
        .credits_pending = row->credits_pending,
        .credits_posted = row->credits_posted,
        .user_data_128 = row->user_data_128,
        .user_data_64 = row->user_data_64,
        .user_data_32 = row->user_data_32,
        .ledger = row->ledger,
        .code = row->code,
        .flags = row->flags,
        .timestamp = row->timestamp,
    };

    (void)bank_id_read(row->id, &account.id); /* it was one when it was written */
    return account;
}

static void reply_accounts(struct sl_visit *visit, const void *const *rows, size_t count)
{
    struct batch *batch = sl_visit_user(visit);

    make_reply(visit, batch, count, sizeof(struct ledger_account));
    for (size_t i = 0; i < count; i++) {
        if (!rows[i])
            continue;
        const struct ledger_account account = account_of(rows[i]);
        add(batch, &account, sizeof account);
    }
    reply(visit, batch);
}

static void ask_for_account(struct sl_visit *visit, sl_u128 id)
{
    char *key = sl_visit_room(visit, 1, BANK_ID_MAX);
    const struct sl_text text = {key, bank_id_write(id, key)};

    sl_visit_row(visit, "balance", &text);
}

static void lookup_accounts(struct sl_visit *visit, struct batch *batch)
{
    const sl_u128 *ids = batch->records;

    for (size_t i = 0; i < batch->count; i++)
        ask_for_account(visit, ids[i]);
    sl_visit_read(visit, reply_accounts);
}

static struct ledger_transfer transfer_of(const struct bank_transferred *event)
{
    struct ledger_transfer transfer = {
        .amount = event->amount,
        .user_data_128 = event->user_data_128,
        .user_data_64 = event->user_data_64,
        .user_data_32 = event->user_data_32,
        .timeout = event->timeout,
        .ledger = event->ledger,
        .code = event->code,
        .flags = event->flags,
        .timestamp = event->timestamp,
    };

    (void)bank_id_read(event->id, &transfer.id);
    (void)bank_id_read(event->from, &transfer.debit_account_id);
    (void)bank_id_read(event->to, &transfer.credit_account_id);
    (void)bank_id_read(event->pending, &transfer.pending_id);
    return transfer;
}

static void look_up_next(struct sl_visit *visit, struct batch *batch);

static void see_transfer(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct batch *batch = sl_visit_user(visit);

    for (size_t i = 0; i < events->count; i++) {
        if (events->events[i].type != &bank_transferred_event)
            continue;
        const struct ledger_transfer transfer = transfer_of(events->events[i].body);
        add(batch, &transfer, sizeof transfer);
        break;
    }
    batch->next++;
    look_up_next(visit, batch);
}

static void look_up_next(struct sl_visit *visit, struct batch *batch)
{
    if (batch->next == batch->count)
        reply(visit, batch);
    else
        read_stream(visit, "transfer", ((const sl_u128 *)batch->records)[batch->next],
                    see_transfer);
}

static void lookup_transfers(struct sl_visit *visit, struct batch *batch)
{
    make_reply(visit, batch, batch->count, sizeof(struct ledger_transfer));
    look_up_next(visit, batch);
}

/* ---- Asking for what fits a filter ----------------------------------------------------------- */

/* Reads on, page by page, until the reply is full or the log at its end. */
static void read_on(struct sl_visit *visit, struct batch *batch, const char *tag,
                    struct sl_text key, bool backwards,
                    void (*then)(struct sl_visit *visit, const struct sl_visit_events *events))
{
    sl_visit_events(visit,
                    &(struct sl_visit_log){.of = SL_EVENTS_OF_TAG,
                                           .name = tag,
                                           .key = key,
                                           .from = batch->from,
                                           .until = batch->until,
                                           .backwards = backwards,
                                           .limit = 1000},
                    then);
}

static bool go_on(struct batch *batch, const struct sl_visit_events *events, bool backwards,
                  size_t size)
{
    if (backwards)
        batch->until = events->next;
    else
        batch->from = events->next;
    return !events->end && batch->reply_len < batch->limit * size;
}

static bool is_full(const struct batch *batch, size_t size)
{
    return batch->reply_len >= batch->limit * size;
}

static void start_filter(struct sl_visit *visit, struct batch *batch, uint32_t limit, size_t size)
{
    batch->limit = limit < LEDGER_BATCH_MAX ? limit : LEDGER_BATCH_MAX;
    make_reply(visit, batch, batch->limit, size);
}

static void read_account(struct sl_visit *visit, struct batch *batch);

static void add_balance(struct batch *batch, const struct ledger_account_filter *filter,
                        const struct bank_transferred *event,
                        const struct ledger_transfer *transfer)
{
    const struct bank_after *after =
        transfer->debit_account_id == filter->account_id ? &event->from_after : &event->to_after;
    const struct ledger_balance balance = {
        .debits_pending = after->debits_pending,
        .debits_posted = after->debits_posted,
        .credits_pending = after->credits_pending,
        .credits_posted = after->credits_posted,
        .timestamp = transfer->timestamp,
    };

    if (after->flags & LEDGER_HISTORY)
        add(batch, &balance, sizeof balance);
}

static void see_account_events(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct batch *batch = sl_visit_user(visit);
    const struct ledger_account_filter *filter = batch->records;
    const bool balances = strcmp(batch->operation->name, "get_account_balances") == 0;
    const size_t size = sizeof(struct ledger_transfer);

    for (size_t i = 0; i < events->count && !is_full(batch, size); i++) {
        if (events->events[i].type != &bank_transferred_event)
            continue;
        const struct bank_transferred *event = events->events[i].body;
        const struct ledger_transfer transfer = transfer_of(event);
        if (!ledger_account_filter_takes(filter, &transfer))
            continue;
        if (balances)
            add_balance(batch, filter, event, &transfer);
        else
            add(batch, &transfer, sizeof transfer);
    }
    if (go_on(batch, events, filter->flags & LEDGER_FILTER_REVERSED, size))
        read_account(visit, batch);
    else
        reply(visit, batch);
}

static void read_account(struct sl_visit *visit, struct batch *batch)
{
    const struct ledger_account_filter *filter = batch->records;
    char key[BANK_ID_MAX];

    read_on(visit, batch, "account", (struct sl_text){key, bank_id_write(filter->account_id, key)},
            filter->flags & LEDGER_FILTER_REVERSED, see_account_events);
}

static void ask_account(struct sl_visit *visit, struct batch *batch)
{
    const struct ledger_account_filter *filter = batch->records;

    if (!ledger_account_filter_is_valid(filter)) {
        reply(visit, batch);
        return;
    }
    start_filter(visit, batch, filter->limit, sizeof(struct ledger_transfer));
    read_account(visit, batch);
}

static void read_query(struct sl_visit *visit, struct batch *batch);

/* The accounts that were found are shown as they are now. */
static void end_query(struct sl_visit *visit, struct batch *batch)
{
    const struct ledger_account *found = (const void *)batch->reply;
    const size_t count = batch->reply_len / sizeof *found;

    if (strcmp(batch->operation->name, "query_accounts") != 0) {
        reply(visit, batch);
        return;
    }
    for (size_t i = 0; i < count; i++)
        ask_for_account(visit, found[i].id);
    batch->reply_len = 0;
    sl_visit_read(visit, reply_accounts);
}

static void see_query_events(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct batch *batch = sl_visit_user(visit);
    const struct ledger_query_filter *filter = batch->records;
    const bool accounts = strcmp(batch->operation->name, "query_accounts") == 0;
    const size_t size = sizeof(struct ledger_transfer);

    for (size_t i = 0; i < events->count && !is_full(batch, size); i++) {
        const struct sl_event *event = &events->events[i];
        if (accounts && event->type == &bank_account_opened_event) {
            const struct bank_account_opened *opened = event->body;
            struct ledger_account account = {
                .user_data_128 = opened->user_data_128,
                .user_data_64 = opened->user_data_64,
                .user_data_32 = opened->user_data_32,
                .ledger = opened->ledger,
                .code = opened->code,
                .timestamp = opened->timestamp,
            };
            (void)bank_id_read(opened->id, &account.id);
            if (ledger_query_filter_takes_account(filter, &account))
                add(batch, &account, sizeof account);
        } else if (!accounts && event->type == &bank_transferred_event) {
            const struct ledger_transfer transfer = transfer_of(event->body);
            if (ledger_query_filter_takes_transfer(filter, &transfer))
                add(batch, &transfer, sizeof transfer);
        }
    }
    if (go_on(batch, events, filter->flags & LEDGER_QUERY_REVERSED, size))
        read_query(visit, batch);
    else
        end_query(visit, batch);
}

/* By the narrowest tag there is; without user data the whole book is read through. */
static void read_query(struct sl_visit *visit, struct batch *batch)
{
    const struct ledger_query_filter *filter = batch->records;
    const char *tag = "book";
    struct sl_text key = SL_TEXT("");

    if (filter->user_data_128) {
        tag = "user-data-128";
        key = sl_visit_key(visit, SL_U128, &filter->user_data_128);
    } else if (filter->user_data_64) {
        tag = "user-data-64";
        key = sl_visit_key(visit, SL_U64, &filter->user_data_64);
    } else if (filter->user_data_32) {
        tag = "user-data-32";
        key = sl_visit_key(visit, SL_U32, &filter->user_data_32);
    }
    read_on(visit, batch, tag, key, filter->flags & LEDGER_QUERY_REVERSED, see_query_events);
}

static void ask_query(struct sl_visit *visit, struct batch *batch)
{
    const struct ledger_query_filter *filter = batch->records;

    if (!ledger_query_filter_is_valid(filter)) {
        reply(visit, batch);
        return;
    }
    start_filter(visit, batch, filter->limit, sizeof(struct ledger_transfer));
    read_query(visit, batch);
}

/* ---- The request ----------------------------------------------------------------------------- */

static const struct operation operations[] = {
    {"create_accounts", sizeof(struct ledger_account), LEDGER_BATCH_MAX, create},
    {"create_transfers", sizeof(struct ledger_transfer), LEDGER_BATCH_MAX, create},
    {"lookup_accounts", sizeof(sl_u128), LEDGER_BATCH_MAX, lookup_accounts},
    {"lookup_transfers", sizeof(sl_u128), LEDGER_BATCH_MAX, lookup_transfers},
    {"get_account_transfers", sizeof(struct ledger_account_filter), 1, ask_account},
    {"get_account_balances", sizeof(struct ledger_account_filter), 1, ask_account},
    {"query_accounts", sizeof(struct ledger_query_filter), 1, ask_query},
    {"query_transfers", sizeof(struct ledger_query_filter), 1, ask_query},
};

static const struct operation *operation_named(struct sl_text name)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (sl_text_equals(name, (struct sl_text){operations[i].name, strlen(operations[i].name)}))
            return &operations[i];
    return NULL;
}

void bank_serve_batch(struct sl_visit *visit)
{
    const struct operation *operation = operation_named(sl_visit_part(visit, "operation"));
    const struct sl_text body = sl_visit_body(visit);

    if (!operation) {
        sl_visit_problem(visit, 404, "operation_unknown", SL_TEXT("operation"),
                         SL_TEXT("there are create_accounts, create_transfers, lookup_accounts, "
                                 "lookup_transfers, get_account_transfers, get_account_balances, "
                                 "query_accounts and query_transfers"));
        return;
    }
    if (body.len % operation->record != 0 ||
        (operation->count_max == 1 && body.len != operation->record)) {
        sl_visit_problem(visit, 400, "records_incomplete", SL_TEXT("body"),
                         SL_TEXT("the body is no whole number of the operation's records"));
        return;
    }
    if (body.len / operation->record > operation->count_max) {
        sl_visit_problem(visit, 413, "too_much_data", SL_TEXT("body"),
                         SL_TEXT("a request has at most 8,189 records"));
        return;
    }
    struct batch *batch = sl_visit_room(visit, 1, sizeof *batch);
    batch->operation = operation;
    batch->records = sl_visit_room(visit, body.len + 1, 1);
    if (body.len > 0)
        memcpy(batch->records, body.ptr, body.len);
    batch->count = body.len / operation->record;
    sl_visit_set_user(visit, batch);
    operation->serve(visit, batch);
}
