/* The account: what has happened to it, and what may happen next. Every rule of the bank stands
 * here. */
#include "domains/bank/bank.h"

#include <string.h>

#define ID_BYTES 40
#define AMOUNT_MAX INT64_C(1000000000000000)

const struct sl_record bank_open_account_record = SL_RECORD(struct bank_open_account,
    SL_FIELD(struct bank_open_account, id, .required = true, .length_max = ID_BYTES),
    SL_FIELD(struct bank_open_account, kind, SL_NAMES("client", "external")),
    SL_FIELD(struct bank_open_account, currency, .required = true, .length_min = 3,
             .help = "ISO 4217"),
    SL_FIELD(struct bank_open_account, limit, SL_RANGE(0, AMOUNT_MAX),
             .help = "minor units that the balance may fall below zero"));

const struct sl_record bank_close_account_record = SL_RECORD(struct bank_close_account,
    SL_FIELD(struct bank_close_account, id, .required = true, .length_max = ID_BYTES));

const struct sl_record bank_set_limit_record = SL_RECORD(struct bank_set_limit,
    SL_FIELD(struct bank_set_limit, id, .required = true, .length_max = ID_BYTES),
    SL_FIELD(struct bank_set_limit, limit, SL_RANGE(0, AMOUNT_MAX)));

const struct sl_record bank_transfer_record = SL_RECORD(struct bank_transfer,
    SL_FIELD(struct bank_transfer, from, .required = true, .length_max = ID_BYTES,
             .help = "the account that is debited"),
    SL_FIELD(struct bank_transfer, to, .required = true, .length_max = ID_BYTES,
             .help = "the account that is credited"),
    SL_FIELD(struct bank_transfer, amount, .required = true, SL_RANGE(1, AMOUNT_MAX),
             .help = "minor units"),
    SL_FIELD(struct bank_transfer, currency, .required = true, .length_min = 3),
    SL_FIELD(struct bank_transfer, reference, .length_max = 140));

static const struct sl_record transferred_record = SL_RECORD(struct bank_transferred,
    SL_FIELD(struct bank_transferred, from, .required = true),
    SL_FIELD(struct bank_transferred, to, .required = true),
    SL_FIELD(struct bank_transferred, amount, .required = true),
    SL_FIELD(struct bank_transferred, currency, .required = true),
    SL_FIELD(struct bank_transferred, reference),
    SL_FIELD(struct bank_transferred, from_balance),
    SL_FIELD(struct bank_transferred, to_balance),
    SL_FIELD(struct bank_transferred, from_entry),
    SL_FIELD(struct bank_transferred, to_entry));

const struct sl_event_type bank_account_opened = {"AccountOpened", 1, &bank_open_account_record,
                                                  .tags = "account=id"};
const struct sl_event_type bank_account_closed = {"AccountClosed", 1, &bank_close_account_record,
                                                  .tags = "account=id"};
const struct sl_event_type bank_limit_set = {"LimitSet", 1, &bank_set_limit_record,
                                             .tags = "account=id"};
const struct sl_event_type bank_transferred_event = {"Transferred", 1, &transferred_record,
                                                     .tags = "account=from, account=to"};

static const struct sl_record account_record = SL_RECORD(struct bank_account,
    SL_FIELD(struct bank_account, id),
    SL_FIELD(struct bank_account, opened),
    SL_FIELD(struct bank_account, closed),
    SL_FIELD(struct bank_account, kind, SL_NAMES("client", "external")),
    SL_FIELD(struct bank_account, currency),
    SL_FIELD(struct bank_account, limit),
    SL_FIELD(struct bank_account, debits),
    SL_FIELD(struct bank_account, credits),
    SL_FIELD(struct bank_account, entries));

static bool is(const struct bank_account *account, struct sl_text id)
{
    return strlen(account->id) == id.len && memcmp(account->id, id.ptr, id.len) == 0;
}

static void evolve_account(void *state, const struct sl_event *event)
{
    struct bank_account *account = state;

    if (event->type == &bank_account_opened) {
        const struct bank_open_account *opened = event->body;
        memcpy(account->id, opened->id.ptr, opened->id.len);
        account->opened = true;
        account->kind = opened->kind;
        account->limit = opened->limit;
        memcpy(account->currency, opened->currency, sizeof account->currency);
    } else if (event->type == &bank_account_closed) {
        account->closed = true;
    } else if (event->type == &bank_limit_set) {
        const struct bank_set_limit *set = event->body;
        account->limit = set->limit;
    } else if (event->type == &bank_transferred_event) {
        const struct bank_transferred *transferred = event->body;
        account->entries++;
        if (is(account, transferred->from))
            account->debits += transferred->amount;
        else
            account->credits += transferred->amount;
    }
}

const struct sl_aggregate bank_accounts = {"account", &account_record, evolve_account};

/* ---- Rules ----------------------------------------------------------------------------------- */

static bool is_currency(const char *code)
{
    return strlen(code) == 3 && strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

enum sl_verdict bank_decide_open_account(const struct sl_case *c, struct sl_decision *out)
{
    const struct bank_open_account *command = c->command;
    const struct bank_account *account = c->state[0];

    if (account->opened)
        return sl_refuse(out, "account_exists", "account {id} is open already");
    if (!is_currency(command->currency))
        return sl_refuse(out, "currency_unknown",
                         "{currency} is no currency code: three capital letters, as in ISO 4217");
    struct bank_open_account *event = sl_emit(out, &bank_account_opened, 0);
    *event = *command;
    return SL_ACCEPTED;
}

enum sl_verdict bank_decide_close_account(const struct sl_case *c, struct sl_decision *out)
{
    const struct bank_account *account = c->state[0];

    if (!account->opened)
        return sl_refuse(out, "account_not_found", "there is no account {id}");
    if (account->closed)
        return sl_refuse(out, "account_closed", "account {id} is closed already");
    if (bank_balance(account) != 0)
        return sl_refuse(out, "balance_not_zero",
                         "account {id} can be closed at a balance of zero");
    struct bank_close_account *event = sl_emit(out, &bank_account_closed, 0);
    *event = *(const struct bank_close_account *)c->command;
    return SL_ACCEPTED;
}

enum sl_verdict bank_decide_set_limit(const struct sl_case *c, struct sl_decision *out)
{
    const struct bank_set_limit *command = c->command;
    const struct bank_account *account = c->state[0];

    if (!account->opened)
        return sl_refuse(out, "account_not_found", "there is no account {id}");
    if (account->closed)
        return sl_refuse(out, "account_closed", "account {id} is closed");
    if (bank_balance(account) < -command->limit)
        return sl_refuse(out, "balance_below_limit",
                         "the balance of account {id} lies below a limit of {limit}");
    struct bank_set_limit *event = sl_emit(out, &bank_limit_set, 0);
    *event = *command;
    return SL_ACCEPTED;
}

/* What speaks against a transfer, the first that does; NULL: nothing. */
static enum sl_verdict check_transfer(const struct bank_transfer *command,
                                      const struct bank_account *from,
                                      const struct bank_account *to, struct sl_decision *out)
{
    int64_t sum;

    if (!from->opened)
        return sl_refuse(out, "from_not_found", "there is no account {from}");
    if (!to->opened)
        return sl_refuse(out, "to_not_found", "there is no account {to}");
    if (from == to)
        return sl_refuse(out, "accounts_must_differ", "a transfer needs two accounts");
    if (from->closed)
        return sl_refuse(out, "from_closed", "account {from} is closed");
    if (to->closed)
        return sl_refuse(out, "to_closed", "account {to} is closed");
    if (strcmp(from->currency, command->currency) != 0)
        return sl_refuse(out, "from_currency_differs", "account {from} is not kept in {currency}");
    if (strcmp(to->currency, command->currency) != 0)
        return sl_refuse(out, "to_currency_differs", "account {to} is not kept in {currency}");
    if (__builtin_add_overflow(from->debits, command->amount, &sum) ||
        __builtin_add_overflow(to->credits, command->amount, &sum))
        return sl_refuse(out, "overflow", "an account's sum would pass 2^63");
    if (from->kind == BANK_CLIENT && bank_balance(from) - command->amount < -from->limit)
        return sl_refuse(out, "insufficient_funds", "account {from} has not {amount} to give");
    return SL_ACCEPTED;
}

enum sl_verdict bank_decide_transfer(const struct sl_case *c, struct sl_decision *out)
{
    const struct bank_transfer *command = c->command;
    const struct bank_account *from = c->state[0];
    const struct bank_account *to = c->state[1];

    if (check_transfer(command, from, to, out) == SL_REFUSED)
        return SL_REFUSED;
    struct bank_transferred *event = sl_emit(out, &bank_transferred_event, 0);
    event->from = command->from;
    event->to = command->to;
    event->amount = command->amount;
    memcpy(event->currency, command->currency, sizeof event->currency);
    event->reference = command->reference;
    event->from_balance = bank_balance(from) - command->amount;
    event->to_balance = bank_balance(to) + command->amount;
    event->from_entry = from->entries + 1;
    event->to_entry = to->entries + 1;
    return SL_ACCEPTED;
}
