/* Pending transfers: posted, voided, or run out. */
#include "domains/bank/work.h"

/* ---- Posting and voiding --------------------------------------------------------------------- */

struct resolve {
    struct sl_text id;
    struct sl_text pending;
    int64_t amount;
    bool has_amount;
    struct sl_text reference;
};

const struct sl_record bank_post_record = SL_RECORD(
    struct resolve,
    BANK_ID_FIELD(struct resolve, id, .help = "of this transfer; without: the command's"),
    BANK_ID_FIELD(struct resolve, pending, .required = true, .help = "the pending transfer"),
    SL_FIELD(struct resolve, amount, SL_RANGE(0, BANK_AMOUNT_MAX),
             SL_HAS(struct resolve, has_amount), .help = "without: all that is pending"),
    SL_FIELD(struct resolve, reference, .length_max = BANK_REFERENCE_MAX));

struct give_back {
    struct sl_text id;
    struct sl_text pending;
    struct sl_text reference;
};

const struct sl_record bank_void_record = SL_RECORD(
    struct give_back,
    BANK_ID_FIELD(struct give_back, id, .help = "of this transfer; without: the command's"),
    BANK_ID_FIELD(struct give_back, pending, .required = true, .help = "the pending transfer"),
    SL_FIELD(struct give_back, reference, .length_max = BANK_REFERENCE_MAX));

static bool as_post(const struct sl_case *c, struct ledger_transfer *out)
{
    const struct resolve *command = c->command;

    *out = (struct ledger_transfer){.amount = command->has_amount ? (sl_u128)command->amount
                                                                  : LEDGER_U128_MAX,
                                    .flags = LEDGER_POST};
    return bank_read_id(command->id, c, 0, &out->id) &&
           bank_id_read(command->pending, &out->pending_id);
}

static bool as_void(const struct sl_case *c, struct ledger_transfer *out)
{
    const struct give_back *command = c->command;

    *out = (struct ledger_transfer){.flags = LEDGER_VOID};
    return bank_read_id(command->id, c, 0, &out->id) &&
           bank_id_read(command->pending, &out->pending_id);
}

void bank_post_needs(const struct sl_case *c, struct sl_needs *out)
{
    struct ledger_transfer transfer;

    if (as_post(c, &transfer))
        bank_name_needs(&(struct bank_request){.transfers = &transfer, .count = 1}, c, out);
}

void bank_void_needs(const struct sl_case *c, struct sl_needs *out)
{
    struct ledger_transfer transfer;

    if (as_void(c, &transfer))
        bank_name_needs(&(struct bank_request){.transfers = &transfer, .count = 1}, c, out);
}

enum sl_verdict bank_decide_post(const struct sl_case *c, struct sl_decision *out)
{
    const struct resolve *command = c->command;
    const struct bank_note note = {.reference = command->reference};
    struct ledger_transfer transfer;

    if (!as_post(c, &transfer))
        return bank_refuse_id(out);
    return bank_carry_out(
        &(struct bank_request){.transfers = &transfer, .count = 1, .notes = &note}, c, out);
}

enum sl_verdict bank_decide_void(const struct sl_case *c, struct sl_decision *out)
{
    const struct give_back *command = c->command;
    const struct bank_note note = {.reference = command->reference};
    struct ledger_transfer transfer;

    if (!as_void(c, &transfer))
        return bank_refuse_id(out);
    return bank_carry_out(
        &(struct bank_request){.transfers = &transfer, .count = 1, .notes = &note}, c, out);
}

/* ---- Running out ----------------------------------------------------------------------------- */

struct expire {
    struct sl_text id;
    struct sl_time due; /* a time that the clock has reached, whatever it shows now */
};

const struct sl_record bank_expire_record =
    SL_RECORD(struct expire, BANK_ID_FIELD(struct expire, id, .required = true),
              SL_FIELD(struct expire, due, .help = "a time that has come"));

void bank_expire_needs(const struct sl_case *c, struct sl_needs *out)
{
    const struct expire *command = c->command;
    sl_u128 id;

    if (!bank_id_read(command->id, &id))
        return;
    bank_need(out, &bank_transfers, id);
    if (c->state_count == 0)
        return;
    const struct ledger_held_transfer *held = c->state[0];
    if (held->stage != LEDGER_IS_PENDING)
        return;
    bank_need(out, &bank_accounts, held->transfer.debit_account_id);
    bank_need(out, &bank_accounts, held->transfer.credit_account_id);
}

/* Nothing happens to one that was posted or voided meanwhile. */
enum sl_verdict bank_decide_expire(const struct sl_case *c, struct sl_decision *out)
{
    const struct expire *command = c->command;
    const struct ledger_held_transfer *held = c->state_count > 0 ? c->state[0] : NULL;

    if (!held || !held->stored)
        return sl_refuse(out, "transfer_not_found", "there is no transfer {id}");
    const uint64_t expiry = ledger_expiry(&held->transfer);
    /* A timer fires once. A clock that was set back since must not make it as if it never had: what
     * is held would be held for ever. */
    const int64_t come_ns = command->due.ns > c->now.ns ? command->due.ns : c->now.ns;
    if (held->stage != LEDGER_IS_PENDING || expiry == 0 || come_ns < (int64_t)expiry)
        return SL_ACCEPTED;
    struct ledger_held_account from = *(const struct ledger_held_account *)c->state[1];
    struct ledger_held_account to = *(const struct ledger_held_account *)c->state[2];
    ledger_expire_debit(&from.account, &held->transfer);
    ledger_expire_credit(&to.account, &held->transfer);
    struct bank_transfer_expired *event = sl_emit(out, &bank_transfer_expired_event, 0);
    *event = (struct bank_transfer_expired){
        .id = command->id,
        .from = bank_text_of(out, from.account.id),
        .to = bank_text_of(out, to.account.id),
        .amount = held->transfer.amount,
        .ledger = held->transfer.ledger,
        .flags = held->transfer.flags,
        .from_after = bank_after_of(&from),
        .to_after = bank_after_of(&to),
    };
    return SL_ACCEPTED;
}

/* ---- The process ----------------------------------------------------------------------------- */

struct hold {
    struct sl_text id;
    struct sl_time due;
};

const struct sl_record bank_hold_record =
    SL_RECORD(struct hold, SL_FIELD(struct hold, id), SL_FIELD(struct hold, due));

void bank_react_hold(const struct sl_event *event, void *state, struct sl_reaction *out)
{
    struct hold *hold = state;

    if (event->type == &bank_transferred_event) {
        const struct bank_transferred *transferred = event->body;
        hold->id = transferred->hold;
        if (transferred->flags & LEDGER_PENDING) {
            const struct sl_time made = {(int64_t)transferred->timestamp};
            hold->due = sl_time_after(made, transferred->timeout);
            sl_timer_set(out, "expiry", hold->due);
        } else {
            sl_timer_clear(out, "expiry");
        }
    } else if (sl_timer_fired(event, "expiry")) {
        struct expire *command = sl_send(out, "bank", "ExpireTransfer");
        command->id = hold->id;
        command->due = hold->due;
    }
}
