/* What happens in the bank, and what follows from it for accounts and transfers. */
#include "domains/bank/bank.h"
#include "domains/bank/ids.h"
#include "domains/bank/ledger_book.h"

/* ---- Records --------------------------------------------------------------------------------- */

static const struct sl_record opened_record = SL_RECORD(
    struct bank_account_opened, SL_FIELD(struct bank_account_opened, id, .required = true),
    SL_FIELD(struct bank_account_opened, currency), SL_FIELD(struct bank_account_opened, ledger),
    SL_FIELD(struct bank_account_opened, code), SL_FIELD(struct bank_account_opened, flags),
    SL_FIELD(struct bank_account_opened, limit),
    SL_FIELD(struct bank_account_opened, user_data_128),
    SL_FIELD(struct bank_account_opened, user_data_64),
    SL_FIELD(struct bank_account_opened, user_data_32),
    SL_FIELD(struct bank_account_opened, timestamp));

static const struct sl_record closed_record = SL_RECORD(
    struct bank_account_closed, SL_FIELD(struct bank_account_closed, id, .required = true));

static const struct sl_record limit_set_record =
    SL_RECORD(struct bank_limit_set, SL_FIELD(struct bank_limit_set, id, .required = true),
              SL_FIELD(struct bank_limit_set, limit));

static const struct sl_record after_record = SL_RECORD(
    struct bank_after, SL_FIELD(struct bank_after, debits_pending),
    SL_FIELD(struct bank_after, debits_posted), SL_FIELD(struct bank_after, credits_pending),
    SL_FIELD(struct bank_after, credits_posted), SL_FIELD(struct bank_after, entry),
    SL_FIELD(struct bank_after, flags));

static const struct sl_record transferred_record = SL_RECORD(
    struct bank_transferred, SL_FIELD(struct bank_transferred, id, .required = true),
    SL_FIELD(struct bank_transferred, from, .required = true),
    SL_FIELD(struct bank_transferred, to, .required = true),
    SL_FIELD(struct bank_transferred, amount), SL_FIELD(struct bank_transferred, currency),
    SL_FIELD(struct bank_transferred, ledger), SL_FIELD(struct bank_transferred, code),
    SL_FIELD(struct bank_transferred, flags), SL_FIELD(struct bank_transferred, reference),
    SL_FIELD(struct bank_transferred, timeout), SL_FIELD(struct bank_transferred, pending),
    SL_FIELD(struct bank_transferred, pending_amount),
    SL_FIELD(struct bank_transferred, pending_flags), SL_FIELD(struct bank_transferred, reverses),
    SL_FIELD(struct bank_transferred, hold), SL_FIELD(struct bank_transferred, user_data_128),
    SL_FIELD(struct bank_transferred, user_data_64),
    SL_FIELD(struct bank_transferred, user_data_32), SL_FIELD(struct bank_transferred, timestamp),
    SL_FIELD(struct bank_transferred, from_balance), SL_FIELD(struct bank_transferred, to_balance),
    SL_FIELD(struct bank_transferred, from_after, .record = &after_record),
    SL_FIELD(struct bank_transferred, to_after, .record = &after_record));

static const struct sl_record failed_record = SL_RECORD(
    struct bank_transfer_failed, SL_FIELD(struct bank_transfer_failed, id, .required = true),
    SL_FIELD(struct bank_transfer_failed, verdict));

static const struct sl_record expired_record = SL_RECORD(
    struct bank_transfer_expired, SL_FIELD(struct bank_transfer_expired, id, .required = true),
    SL_FIELD(struct bank_transfer_expired, from, .required = true),
    SL_FIELD(struct bank_transfer_expired, to, .required = true),
    SL_FIELD(struct bank_transfer_expired, amount), SL_FIELD(struct bank_transfer_expired, ledger),
    SL_FIELD(struct bank_transfer_expired, flags),
    SL_FIELD(struct bank_transfer_expired, from_after, .record = &after_record),
    SL_FIELD(struct bank_transfer_expired, to_after, .record = &after_record));

const struct sl_event_type bank_account_opened_event = {
    "AccountOpened", 1, &opened_record,
    .tags = "book=(), moment=timestamp, user-data-128=user_data_128, user-data-64=user_data_64, "
            "user-data-32=user_data_32"};
const struct sl_event_type bank_account_closed_event = {"AccountClosed", 1, &closed_record};
const struct sl_event_type bank_limit_set_event = {"LimitSet", 1, &limit_set_record};
const struct sl_event_type bank_transferred_event = {
    "Transferred", 1, &transferred_record,
    .tags = "account=from, account=to, transfer=pending, transfer=reverses, book=(), "
            "moment=timestamp, user-data-128=user_data_128, user-data-64=user_data_64, "
            "user-data-32=user_data_32"};
const struct sl_event_type bank_transfer_failed_event = {"TransferFailed", 1, &failed_record};
const struct sl_event_type bank_transfer_expired_event = {"TransferExpired", 1, &expired_record,
                                                          .tags = "account=from, account=to"};

int64_t bank_balance_of(sl_u128 credits, sl_u128 debits)
{
    const sl_u128 most = INT64_MAX;

    if (credits >= debits)
        return credits - debits > most ? INT64_MAX : (int64_t)(credits - debits);
    return debits - credits > most ? INT64_MIN : -(int64_t)(debits - credits);
}

/* ---- Accounts -------------------------------------------------------------------------------- */

static sl_u128 number_of(struct sl_text id)
{
    sl_u128 number = 0;

    (void)bank_id_read(id, &number); /* it was one when it was written */
    return number;
}

static void open_account(struct ledger_held_account *held, const struct bank_account_opened *opened)
{
    held->account = (struct ledger_account){
        .id = number_of(opened->id),
        .user_data_128 = opened->user_data_128,
        .user_data_64 = opened->user_data_64,
        .user_data_32 = opened->user_data_32,
        .ledger = opened->ledger,
        .code = opened->code,
        .flags = opened->flags,
        .timestamp = opened->timestamp,
    };
    held->limit = opened->limit > 0 ? (sl_u128)opened->limit : 0;
}

static void move(struct ledger_held_account *held, const struct bank_transferred *event)
{
    const struct ledger_transfer transfer = {.amount = event->amount, .flags = event->flags};
    const struct ledger_transfer pending = {.amount = event->pending_amount,
                                            .flags = event->pending_flags};
    const struct ledger_transfer *resolved = event->pending.len > 0 ? &pending : NULL;

    held->entries++;
    if (held->account.id == number_of(event->from))
        ledger_debit(&held->account, &transfer, resolved);
    else
        ledger_credit(&held->account, &transfer, resolved);
}

static void expire(struct ledger_held_account *held, const struct bank_transfer_expired *event)
{
    const struct ledger_transfer pending = {.amount = event->amount, .flags = event->flags};

    if (held->account.id == number_of(event->from))
        ledger_expire_debit(&held->account, &pending);
    else
        ledger_expire_credit(&held->account, &pending);
}

static void evolve_account(void *state, const struct sl_event *event)
{
    struct ledger_held_account *held = state;

    if (event->type == &bank_account_opened_event) {
        open_account(held, event->body);
    } else if (event->type == &bank_account_closed_event) {
        held->account.flags |= LEDGER_CLOSED;
    } else if (event->type == &bank_limit_set_event) {
        held->limit = (sl_u128)((const struct bank_limit_set *)event->body)->limit;
    } else if (event->type == &bank_transferred_event) {
        move(held, event->body);
    } else if (event->type == &bank_transfer_expired_event) {
        expire(held, event->body);
    }
}

/* ---- Transfers ------------------------------------------------------------------------------- */

static void store_transfer(struct ledger_held_transfer *held, const struct bank_transferred *event)
{
    held->transfer = (struct ledger_transfer){
        .id = number_of(event->id),
        .debit_account_id = number_of(event->from),
        .credit_account_id = number_of(event->to),
        .amount = event->amount,
        .pending_id = number_of(event->pending),
        .user_data_128 = event->user_data_128,
        .user_data_64 = event->user_data_64,
        .user_data_32 = event->user_data_32,
        .timeout = event->timeout,
        .ledger = event->ledger,
        .code = event->code,
        .flags = event->flags,
        .timestamp = event->timestamp,
    };
    held->stored = true;
    held->stage = event->flags & LEDGER_PENDING ? LEDGER_IS_PENDING : LEDGER_IS_PLAIN;
}

/* Its own event comes first; what concerns it by a tag comes after. */
static void evolve_transfer(void *state, const struct sl_event *event)
{
    struct ledger_held_transfer *held = state;

    if (event->type == &bank_transferred_event) {
        const struct bank_transferred *transferred = event->body;
        if (!held->stored)
            store_transfer(held, transferred);
        else if (transferred->pending.len > 0)
            held->stage = transferred->flags & LEDGER_POST ? LEDGER_IS_POSTED : LEDGER_IS_VOIDED;
        else
            held->reversed = true;
    } else if (event->type == &bank_transfer_failed_event) {
        held->burnt = true;
    } else if (event->type == &bank_transfer_expired_event) {
        held->stage = LEDGER_IS_EXPIRED;
    }
}

/* ---- All of them ----------------------------------------------------------------------------- */

static void evolve_book(void *state, const struct sl_event *event)
{
    struct ledger_clock *clock = state;

    if (event->type == &bank_account_opened_event)
        clock->account = ((const struct bank_account_opened *)event->body)->timestamp;
    else if (event->type == &bank_transferred_event)
        clock->transfer = ((const struct bank_transferred *)event->body)->timestamp;
}

static void evolve_moment(void *state, const struct sl_event *event)
{
    struct bank_moment *moment = state;

    moment->kinds |= event->type == &bank_account_opened_event ? (uint32_t)LEDGER_IS_ACCOUNT
                                                               : (uint32_t)LEDGER_IS_TRANSFER;
}

/* ---- States ---------------------------------------------------------------------------------- */

const struct sl_record bank_ledger_account_record = SL_RECORD(
    struct ledger_account, SL_FIELD(struct ledger_account, id),
    SL_FIELD(struct ledger_account, debits_pending), SL_FIELD(struct ledger_account, debits_posted),
    SL_FIELD(struct ledger_account, credits_pending),
    SL_FIELD(struct ledger_account, credits_posted), SL_FIELD(struct ledger_account, user_data_128),
    SL_FIELD(struct ledger_account, user_data_64), SL_FIELD(struct ledger_account, user_data_32),
    SL_FIELD(struct ledger_account, reserved), SL_FIELD(struct ledger_account, ledger),
    SL_FIELD(struct ledger_account, code), SL_FIELD(struct ledger_account, flags),
    SL_FIELD(struct ledger_account, timestamp));

static const struct sl_record held_account_record = SL_RECORD(
    struct ledger_held_account,
    SL_FIELD(struct ledger_held_account, account, .record = &bank_ledger_account_record),
    SL_FIELD(struct ledger_held_account, limit), SL_FIELD(struct ledger_held_account, entries));

const struct sl_record bank_ledger_transfer_record = SL_RECORD(
    struct ledger_transfer, SL_FIELD(struct ledger_transfer, id),
    SL_FIELD(struct ledger_transfer, debit_account_id),
    SL_FIELD(struct ledger_transfer, credit_account_id), SL_FIELD(struct ledger_transfer, amount),
    SL_FIELD(struct ledger_transfer, pending_id), SL_FIELD(struct ledger_transfer, user_data_128),
    SL_FIELD(struct ledger_transfer, user_data_64), SL_FIELD(struct ledger_transfer, user_data_32),
    SL_FIELD(struct ledger_transfer, timeout), SL_FIELD(struct ledger_transfer, ledger),
    SL_FIELD(struct ledger_transfer, code), SL_FIELD(struct ledger_transfer, flags),
    SL_FIELD(struct ledger_transfer, timestamp));

static const struct sl_record held_transfer_record = SL_RECORD(
    struct ledger_held_transfer,
    SL_FIELD(struct ledger_held_transfer, transfer, .record = &bank_ledger_transfer_record),
    SL_FIELD(struct ledger_held_transfer, stored), SL_FIELD(struct ledger_held_transfer, burnt),
    SL_FIELD(struct ledger_held_transfer, reversed),
    SL_FIELD(struct ledger_held_transfer, stage,
             SL_NAMES("plain", "pending", "posted", "voided", "expired")));

static const struct sl_record clock_record =
    SL_RECORD(struct ledger_clock, SL_FIELD(struct ledger_clock, account),
              SL_FIELD(struct ledger_clock, transfer));

static const struct sl_record moment_record =
    SL_RECORD(struct bank_moment, SL_FIELD(struct bank_moment, kinds));

const struct sl_aggregate bank_accounts = {"account", &held_account_record, evolve_account};
const struct sl_aggregate bank_transfers = {"transfer", &held_transfer_record, evolve_transfer};
const struct sl_aggregate bank_book = {"book", &clock_record, evolve_book};
const struct sl_aggregate bank_moments = {"moment", &moment_record, evolve_moment};
