/* What may be done with an account. */
#include "domains/bank/currencies.h"
#include "domains/bank/ids.h"
#include "domains/bank/work.h"

#define LIMIT_MAX INT64_C(1000000000000000)

struct open_account {
    struct sl_text id;
    enum bank_kind kind;
    char currency[4];
    int64_t limit;
    uint16_t code;
    sl_u128 user_data_128;
    uint64_t user_data_64;
    uint32_t user_data_32;
};

const struct sl_record bank_open_account_record = SL_RECORD(
    struct open_account,
    SL_FIELD(struct open_account, id, .required = true, .length_max = BANK_ID_MAX,
             .help = "a name of up to 21 letters, digits, _ and -, or a number"),
    SL_FIELD(struct open_account, kind, SL_NAMES("client", "external")),
    SL_FIELD(struct open_account, currency, .required = true, .length_min = 3, .help = "ISO 4217"),
    SL_FIELD(struct open_account, limit, SL_RANGE(0, LIMIT_MAX),
             .help = "minor units that a client's balance may fall below zero"),
    SL_FIELD(struct open_account, code, .help = "what kind of account, your own numbering; 1"),
    SL_FIELD(struct open_account, user_data_128), SL_FIELD(struct open_account, user_data_64),
    SL_FIELD(struct open_account, user_data_32));

/* As the ledger has it. A history is kept of every account that is opened by name. */
static bool as_account(const struct open_account *command, struct ledger_account *out)
{
    const struct bank_currency *currency = bank_currency_named(command->currency);

    *out = (struct ledger_account){
        .user_data_128 = command->user_data_128,
        .user_data_64 = command->user_data_64,
        .user_data_32 = command->user_data_32,
        .ledger = currency ? currency->number : 0,
        .code = command->code ? command->code : 1,
        .flags = LEDGER_HISTORY,
    };
    if (command->kind == BANK_CLIENT)
        out->flags |= LEDGER_DEBITS_MUST_NOT_EXCEED_CREDITS;
    return bank_id_read(command->id, &out->id);
}

void bank_open_account_needs(const struct sl_case *c, struct sl_needs *out)
{
    struct ledger_account account;

    if (as_account(c->command, &account))
        bank_name_needs(&(struct bank_request){.accounts = &account, .count = 1}, c, out);
}

enum sl_verdict bank_decide_open_account(const struct sl_case *c, struct sl_decision *out)
{
    const struct open_account *command = c->command;
    const struct bank_note note = {.limit = command->limit};
    struct ledger_account account;

    if (!as_account(command, &account))
        return sl_refuse(out, "id_malformed", "{id} is no account's id: see ids.h of the bank");
    if (account.ledger == 0)
        return sl_refuse(out, "currency_unknown", "{currency} is no currency of ISO 4217");
    return bank_carry_out(&(struct bank_request){.accounts = &account, .count = 1, .notes = &note},
                          c, out);
}

/* ---- Closing, limits ------------------------------------------------------------------------- */

struct close_account {
    struct sl_text id;
};

struct set_limit {
    struct sl_text id;
    int64_t limit;
};

const struct sl_record bank_close_account_record =
    SL_RECORD(struct close_account,
              SL_FIELD(struct close_account, id, .required = true, .length_max = BANK_ID_MAX));

const struct sl_record bank_set_limit_record = SL_RECORD(
    struct set_limit, SL_FIELD(struct set_limit, id, .required = true, .length_max = BANK_ID_MAX),
    SL_FIELD(struct set_limit, limit, SL_RANGE(0, LIMIT_MAX)));

/* Is there such an account, and is it open? */
static enum sl_verdict check_open(const struct ledger_held_account *held, struct sl_decision *out)
{
    if (held->account.timestamp == 0)
        return sl_refuse(out, "account_not_found", "there is no account {id}");
    if (held->account.flags & LEDGER_CLOSED)
        return sl_refuse(out, "account_already_closed", "account {id} is closed");
    return SL_ACCEPTED;
}

enum sl_verdict bank_decide_close_account(const struct sl_case *c, struct sl_decision *out)
{
    const struct close_account *command = c->command;
    const struct ledger_held_account *held = c->state[0];
    const struct ledger_account *account = &held->account;

    if (check_open(held, out) == SL_REFUSED)
        return SL_REFUSED;
    if (account->debits_posted != account->credits_posted)
        return sl_refuse(out, "balance_not_zero",
                         "account {id} can be closed at a balance of zero");
    if (account->debits_pending != 0 || account->credits_pending != 0)
        return sl_refuse(out, "transfers_are_pending",
                         "account {id} has transfers that are neither posted nor voided");
    struct bank_account_closed *event = sl_emit(out, &bank_account_closed_event, 0);
    event->id = command->id;
    return SL_ACCEPTED;
}

enum sl_verdict bank_decide_set_limit(const struct sl_case *c, struct sl_decision *out)
{
    const struct set_limit *command = c->command;
    const struct ledger_held_account *held = c->state[0];
    const struct ledger_account *account = &held->account;
    const sl_u128 debits = account->debits_posted + account->debits_pending;

    if (check_open(held, out) == SL_REFUSED)
        return SL_REFUSED;
    if (!(account->flags & LEDGER_DEBITS_MUST_NOT_EXCEED_CREDITS))
        return sl_refuse(out, "account_has_no_limit", "account {id} may go below zero anyway");
    if (debits > account->credits_posted &&
        debits - account->credits_posted > (sl_u128)command->limit)
        return sl_refuse(out, "balance_below_limit",
                         "the balance of account {id} lies below a limit of {limit}");
    struct bank_limit_set *event = sl_emit(out, &bank_limit_set_event, 0);
    event->id = command->id;
    event->limit = command->limit;
    return SL_ACCEPTED;
}
