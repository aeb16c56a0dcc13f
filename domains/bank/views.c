/* What the bank shows: balances, and each account's statement. */
#include "domains/bank/bank.h"

#include <string.h>

struct balance_row {
    struct sl_text id;
    enum bank_kind kind;
    char currency[4];
    int64_t balance;
    int64_t limit;
    bool closed;
    uint64_t entries;
    struct sl_time last_time; /* of the last thing that happened to it */
};

const struct sl_record bank_balance_record = SL_RECORD(struct balance_row,
    SL_FIELD(struct balance_row, id),
    SL_FIELD(struct balance_row, kind, SL_NAMES("client", "external")),
    SL_FIELD(struct balance_row, currency),
    SL_FIELD(struct balance_row, balance, .help = "minor units"),
    SL_FIELD(struct balance_row, limit),
    SL_FIELD(struct balance_row, closed),
    SL_FIELD(struct balance_row, entries),
    SL_FIELD(struct balance_row, last_time));

static void move(struct sl_rows *rows, const struct sl_event *event, const struct sl_text *id,
                 int64_t balance, uint64_t entry)
{
    struct balance_row *row = sl_row_edit(rows, id);

    if (!row)
        return;
    row->balance = balance;
    row->entries = entry;
    row->last_time = event->time;
}

void bank_project_balance(const struct sl_event *event, struct sl_rows *rows)
{
    if (event->type == &bank_account_opened) {
        const struct bank_open_account *opened = event->body;
        struct balance_row *row = sl_row_put(rows);
        row->id = opened->id;
        row->kind = opened->kind;
        memcpy(row->currency, opened->currency, sizeof row->currency);
        row->limit = opened->limit;
        row->last_time = event->time;
    } else if (event->type == &bank_transferred_event) {
        const struct bank_transferred *transferred = event->body;
        move(rows, event, &transferred->from, transferred->from_balance, transferred->from_entry);
        move(rows, event, &transferred->to, transferred->to_balance, transferred->to_entry);
    } else if (event->type == &bank_limit_set) {
        const struct bank_set_limit *set = event->body;
        struct balance_row *row = sl_row_edit(rows, &set->id);
        if (row)
            row->limit = set->limit;
    } else if (event->type == &bank_account_closed) {
        const struct bank_close_account *closed = event->body;
        struct balance_row *row = sl_row_edit(rows, &closed->id);
        if (row)
            row->closed = true;
    }
}

struct entry_row {
    struct sl_text account;
    uint64_t entry; /* from 1 */
    struct sl_text other;
    int64_t amount; /* credited, or below zero: debited */
    int64_t balance;
    struct sl_time time;
    struct sl_text reference;
    uint64_t position;
};

const struct sl_record bank_entry_record = SL_RECORD(struct entry_row,
    SL_FIELD(struct entry_row, account),
    SL_FIELD(struct entry_row, entry),
    SL_FIELD(struct entry_row, other),
    SL_FIELD(struct entry_row, amount),
    SL_FIELD(struct entry_row, balance),
    SL_FIELD(struct entry_row, time),
    SL_FIELD(struct entry_row, reference),
    SL_FIELD(struct entry_row, position));

static void add_entry(struct sl_rows *rows, const struct sl_event *event, struct entry_row entry)
{
    struct entry_row *row = sl_row_put(rows);

    *row = entry;
    row->time = event->time;
    row->position = event->position;
}

void bank_project_statement(const struct sl_event *event, struct sl_rows *rows)
{
    if (event->type != &bank_transferred_event)
        return;
    const struct bank_transferred *transferred = event->body;
    add_entry(rows, event,
              (struct entry_row){.account = transferred->from,
                                 .entry = transferred->from_entry,
                                 .other = transferred->to,
                                 .amount = -transferred->amount,
                                 .balance = transferred->from_balance,
                                 .reference = transferred->reference});
    add_entry(rows, event,
              (struct entry_row){.account = transferred->to,
                                 .entry = transferred->to_entry,
                                 .other = transferred->from,
                                 .amount = transferred->amount,
                                 .balance = transferred->to_balance,
                                 .reference = transferred->reference});
}
