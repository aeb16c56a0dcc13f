/* What the bank keeps to be shown: balances, and what is held; trial.c has the trial balance. */
#include "domains/bank/bank.h"

#include <string.h>

/* ---- Balances -------------------------------------------------------------------------------- */

const struct sl_record bank_balance_record = SL_RECORD(
    struct bank_balance, SL_FIELD(struct bank_balance, id),
    SL_FIELD(struct bank_balance, kind, SL_NAMES("client", "external")),
    SL_FIELD(struct bank_balance, currency),
    SL_FIELD(struct bank_balance, balance, .help = "credits less debits, posted, in minor units"),
    SL_FIELD(struct bank_balance, limit), SL_FIELD(struct bank_balance, closed),
    SL_FIELD(struct bank_balance, entries), SL_FIELD(struct bank_balance, last_time),
    SL_FIELD(struct bank_balance, debits_pending), SL_FIELD(struct bank_balance, debits_posted),
    SL_FIELD(struct bank_balance, credits_pending), SL_FIELD(struct bank_balance, credits_posted),
    SL_FIELD(struct bank_balance, user_data_128), SL_FIELD(struct bank_balance, user_data_64),
    SL_FIELD(struct bank_balance, user_data_32), SL_FIELD(struct bank_balance, ledger),
    SL_FIELD(struct bank_balance, code), SL_FIELD(struct bank_balance, flags),
    SL_FIELD(struct bank_balance, timestamp));

static void open_row(struct sl_rows *rows, const struct sl_event *event,
                     const struct bank_account_opened *opened)
{
    struct bank_balance *row = sl_row_put(rows);

    row->id = opened->id;
    row->kind = opened->flags & LEDGER_DEBITS_MUST_NOT_EXCEED_CREDITS ? BANK_CLIENT : BANK_EXTERNAL;
    memcpy(row->currency, opened->currency, sizeof row->currency);
    row->limit = opened->limit;
    row->closed = opened->flags & LEDGER_CLOSED;
    row->last_time = event->time;
    row->user_data_128 = opened->user_data_128;
    row->user_data_64 = opened->user_data_64;
    row->user_data_32 = opened->user_data_32;
    row->ledger = opened->ledger;
    row->code = opened->code;
    row->flags = opened->flags;
    row->timestamp = opened->timestamp;
}

static void set_sums(struct sl_rows *rows, const struct sl_event *event, const struct sl_text *id,
                     const struct bank_after *after)
{
    struct bank_balance *row = sl_row_edit(rows, id);

    if (!row)
        return;
    row->balance = bank_balance_of(after->credits_posted, after->debits_posted);
    row->debits_pending = after->debits_pending;
    row->debits_posted = after->debits_posted;
    row->credits_pending = after->credits_pending;
    row->credits_posted = after->credits_posted;
    row->flags = after->flags;
    row->closed = after->flags & LEDGER_CLOSED;
    row->entries = after->entry;
    row->last_time = event->time;
}

void bank_project_balance(const struct sl_event *event, struct sl_rows *rows)
{
    if (event->type == &bank_account_opened_event) {
        open_row(rows, event, event->body);
    } else if (event->type == &bank_transferred_event) {
        const struct bank_transferred *transferred = event->body;
        set_sums(rows, event, &transferred->from, &transferred->from_after);
        set_sums(rows, event, &transferred->to, &transferred->to_after);
    } else if (event->type == &bank_transfer_expired_event) {
        const struct bank_transfer_expired *expired = event->body;
        set_sums(rows, event, &expired->from, &expired->from_after);
        set_sums(rows, event, &expired->to, &expired->to_after);
    } else if (event->type == &bank_limit_set_event) {
        const struct bank_limit_set *set = event->body;
        struct bank_balance *row = sl_row_edit(rows, &set->id);
        if (row)
            row->limit = set->limit;
    } else if (event->type == &bank_account_closed_event) {
        const struct bank_account_closed *closed = event->body;
        struct bank_balance *row = sl_row_edit(rows, &closed->id);
        if (row) {
            row->closed = true;
            row->flags |= LEDGER_CLOSED;
        }
    }
}

/* ---- Holds ----------------------------------------------------------------------------------- */

struct held_row {
    struct sl_text id;
    struct sl_text from;
    struct sl_text to;
    sl_u128 amount;
    char currency[4];
    struct sl_text reference;
    struct sl_time time;
    struct sl_time due; /* 1970: never */
};

const struct sl_record bank_held_record =
    SL_RECORD(struct held_row, SL_FIELD(struct held_row, id), SL_FIELD(struct held_row, from),
              SL_FIELD(struct held_row, to), SL_FIELD(struct held_row, amount),
              SL_FIELD(struct held_row, currency), SL_FIELD(struct held_row, reference),
              SL_FIELD(struct held_row, time),
              SL_FIELD(struct held_row, due, .help = "when it runs out; 1970: never"));

static void hold(struct sl_rows *rows, const struct bank_transferred *transferred)
{
    const struct sl_time made = {(int64_t)transferred->timestamp};
    struct held_row *row = sl_row_put(rows);

    row->id = transferred->id;
    row->from = transferred->from;
    row->to = transferred->to;
    row->amount = transferred->amount;
    memcpy(row->currency, transferred->currency, sizeof row->currency);
    row->reference = transferred->reference;
    row->time = made;
    if (transferred->timeout > 0)
        row->due = sl_time_after(made, transferred->timeout);
}

void bank_project_holds(const struct sl_event *event, struct sl_rows *rows)
{
    if (event->type == &bank_transferred_event) {
        const struct bank_transferred *transferred = event->body;
        if (transferred->flags & LEDGER_PENDING)
            hold(rows, transferred);
        else if (transferred->pending.len > 0)
            sl_row_delete(rows, &transferred->pending);
    } else if (event->type == &bank_transfer_expired_event) {
        sl_row_delete(rows, &((const struct bank_transfer_expired *)event->body)->id);
    }
}
