/* What may be transferred. */
#include "domains/bank/work.h"

enum { CODE_CORRECTION = 2 };

/* ---- One transfer ---------------------------------------------------------------------------- */

struct transfer {
    struct sl_text id;
    struct sl_text from;
    struct sl_text to;
    int64_t amount;
    char currency[4];
    struct sl_text reference;
    bool pending;
    uint32_t timeout;
    bool balancing_from;
    bool balancing_to;
    uint16_t code;
    sl_u128 user_data_128;
    uint64_t user_data_64;
    uint32_t user_data_32;
};

const struct sl_record bank_transfer_record = SL_RECORD(
    struct transfer,
    BANK_ID_FIELD(struct transfer, id, .help = "the transfer's, for ever; without: the command's"),
    BANK_ID_FIELD(struct transfer, from, .required = true, .help = "the account that is debited"),
    BANK_ID_FIELD(struct transfer, to, .required = true, .help = "the account that is credited"),
    SL_FIELD(struct transfer, amount, .required = true, SL_RANGE(0, BANK_AMOUNT_MAX),
             .help = "minor units"),
    SL_FIELD(struct transfer, currency, .required = true, .length_min = 3, .help = "ISO 4217"),
    SL_FIELD(struct transfer, reference, .length_max = BANK_REFERENCE_MAX),
    SL_FIELD(struct transfer, pending, .help = "holds the amount until it is posted or voided"),
    SL_FIELD(struct transfer, timeout, .help = "seconds after which a pending one is voided"),
    SL_FIELD(struct transfer, balancing_from, .help = "at most as much as the debited account has"),
    SL_FIELD(struct transfer, balancing_to, .help = "at most as much as the credited account owes"),
    SL_FIELD(struct transfer, code, .help = "what kind of transfer, your own numbering; 1"),
    SL_FIELD(struct transfer, user_data_128), SL_FIELD(struct transfer, user_data_64),
    SL_FIELD(struct transfer, user_data_32));

static bool as_transfer(const struct transfer *item, const struct sl_case *c, size_t i,
                        struct ledger_transfer *out)
{
    unsigned flags = 0;

    flags |= item->pending ? LEDGER_PENDING : 0u;
    flags |= item->balancing_from ? LEDGER_BALANCING_DEBIT : 0u;
    flags |= item->balancing_to ? LEDGER_BALANCING_CREDIT : 0u;
    *out = (struct ledger_transfer){
        .amount = (sl_u128)item->amount,
        .timeout = item->timeout,
        .ledger = bank_ledger_of(item->currency),
        .code = item->code ? item->code : 1,
        .flags = (uint16_t)flags,
        .user_data_128 = item->user_data_128,
        .user_data_64 = item->user_data_64,
        .user_data_32 = item->user_data_32,
    };
    return bank_read_id(item->id, c, i, &out->id) &&
           bank_id_read(item->from, &out->debit_account_id) &&
           bank_id_read(item->to, &out->credit_account_id);
}

void bank_transfer_needs(const struct sl_case *c, struct sl_needs *out)
{
    struct ledger_transfer transfer;

    if (as_transfer(c->command, c, 0, &transfer))
        bank_name_needs(&(struct bank_request){.transfers = &transfer, .count = 1}, c, out);
}

enum sl_verdict bank_decide_transfer(const struct sl_case *c, struct sl_decision *out)
{
    const struct transfer *command = c->command;
    struct ledger_transfer transfer;

    if (!as_transfer(command, c, 0, &transfer))
        return bank_refuse_id(out);
    if (transfer.ledger == 0)
        return bank_refuse_currency(out);
    const struct bank_note note = {.reference = command->reference};
    return bank_carry_out(
        &(struct bank_request){.transfers = &transfer, .count = 1, .notes = &note}, c, out);
}

/* ---- Several, all or none -------------------------------------------------------------------- */

struct transfer_all {
    struct sl_list transfers; /* struct transfer */
};

const struct sl_record bank_transfer_all_record = SL_RECORD(
    struct transfer_all, SL_FIELD(struct transfer_all, transfers, .record = &bank_transfer_record,
                                  .required = true, .length_max = BANK_CHAIN_MAX));

/* All but the last are linked. False: an id is none. `room` has one for each. */
static bool as_chain(const struct transfer_all *command, const struct sl_case *c,
                     struct ledger_transfer *room)
{
    const struct transfer *items = command->transfers.items;

    for (size_t i = 0; i < command->transfers.count; i++) {
        if (!as_transfer(&items[i], c, i, &room[i]))
            return false;
        if (i + 1 < command->transfers.count)
            room[i].flags |= LEDGER_LINKED;
    }
    return true;
}

/* Named one by one: what a chain needs is what its transfers need, in the same order. */
void bank_transfer_all_needs(const struct sl_case *c, struct sl_needs *out)
{
    const struct transfer_all *command = c->command;
    struct ledger_transfer *room = sl_needs_room(out, command->transfers.count, sizeof *room);

    if (room && as_chain(command, c, room))
        bank_name_needs(
            &(struct bank_request){.transfers = room, .count = command->transfers.count}, c, out);
}

enum sl_verdict bank_decide_transfer_all(const struct sl_case *c, struct sl_decision *out)
{
    const struct transfer_all *command = c->command;
    const struct transfer *items = command->transfers.items;
    const size_t count = command->transfers.count;
    struct ledger_transfer *chain = sl_room(out, count, sizeof *chain);
    struct bank_note *notes = sl_room(out, count, sizeof *notes);

    if (!as_chain(command, c, chain))
        return bank_refuse_id(out);
    for (size_t i = 0; i < count; i++) {
        if (chain[i].ledger == 0)
            return sl_refuse(out, "currency_unknown", "a currency is none of ISO 4217");
        notes[i].reference = items[i].reference;
    }
    return bank_carry_out(
        &(struct bank_request){
            .field = "transfers", .transfers = chain, .count = count, .notes = notes},
        c, out);
}

/* ---- From one currency into another ---------------------------------------------------------- */

struct exchange {
    struct sl_text id;
    struct sl_text from;
    int64_t amount;
    char currency[4];
    struct sl_text dealer_from;
    struct sl_text dealer_to;
    struct sl_text to;
    int64_t to_amount;
    char to_currency[4];
    struct sl_text reference;
};

const struct sl_record bank_exchange_record = SL_RECORD(
    struct exchange,
    BANK_ID_FIELD(struct exchange, id, .help = "the first leg's; the second's is one more"),
    BANK_ID_FIELD(struct exchange, from, .required = true, .help = "the account that pays"),
    SL_FIELD(struct exchange, amount, .required = true, SL_RANGE(1, BANK_AMOUNT_MAX)),
    SL_FIELD(struct exchange, currency, .required = true, .length_min = 3),
    BANK_ID_FIELD(struct exchange, dealer_from, .required = true,
                  .help = "the dealer's account that takes it"),
    BANK_ID_FIELD(struct exchange, dealer_to, .required = true,
                  .help = "the dealer's account that gives the other currency"),
    BANK_ID_FIELD(struct exchange, to, .required = true, .help = "the account that gets it"),
    SL_FIELD(struct exchange, to_amount, .required = true, SL_RANGE(1, BANK_AMOUNT_MAX)),
    SL_FIELD(struct exchange, to_currency, .required = true, .length_min = 3),
    SL_FIELD(struct exchange, reference, .length_max = BANK_REFERENCE_MAX));

static bool as_legs(const struct exchange *command, const struct sl_case *c,
                    struct ledger_transfer legs[2])
{
    const struct transfer in = {
        .from = command->from, .to = command->dealer_from, .amount = command->amount};
    const struct transfer out = {
        .from = command->dealer_to, .to = command->to, .amount = command->to_amount};

    if (!as_transfer(&in, c, 0, &legs[0]) || !as_transfer(&out, c, 1, &legs[1]) ||
        !bank_read_id(command->id, c, 0, &legs[0].id))
        return false;
    legs[0].flags |= LEDGER_LINKED;
    legs[0].ledger = bank_ledger_of(command->currency);
    legs[1].ledger = bank_ledger_of(command->to_currency);
    legs[1].id = legs[0].id + 1;
    return true;
}

void bank_exchange_needs(const struct sl_case *c, struct sl_needs *out)
{
    struct ledger_transfer legs[2];

    if (as_legs(c->command, c, legs))
        bank_name_needs(&(struct bank_request){.transfers = legs, .count = 2}, c, out);
}

enum sl_verdict bank_decide_exchange(const struct sl_case *c, struct sl_decision *out)
{
    const struct exchange *command = c->command;
    const struct bank_note notes[2] = {{.reference = command->reference},
                                       {.reference = command->reference}};
    struct ledger_transfer legs[2];

    if (!as_legs(command, c, legs))
        return bank_refuse_id(out);
    if (legs[0].ledger == 0)
        return bank_refuse_currency(out);
    if (legs[1].ledger == 0)
        return sl_refuse(out, "currency_unknown", "{to_currency} is no currency of ISO 4217");
    return bank_carry_out(&(struct bank_request){.transfers = legs, .count = 2, .notes = notes}, c,
                          out);
}

/* ---- Correcting ------------------------------------------------------------------------------ */

struct reverse {
    struct sl_text id;
    struct sl_text transfer;
    struct sl_text reference;
};

const struct sl_record bank_reverse_record = SL_RECORD(
    struct reverse,
    BANK_ID_FIELD(struct reverse, id, .help = "of the correcting one; without: the command's"),
    BANK_ID_FIELD(struct reverse, transfer, .required = true, .help = "the one to be corrected"),
    SL_FIELD(struct reverse, reference, .length_max = BANK_REFERENCE_MAX, .required = true,
             .help = "why"));

/* The same amount the other way. `stored` NULL: what it corrects is not known yet. */
static bool as_reversal(const struct sl_case *c, const struct ledger_transfer *stored,
                        struct ledger_transfer *out)
{
    const struct reverse *command = c->command;

    *out = (struct ledger_transfer){.code = CODE_CORRECTION};
    if (stored) {
        out->debit_account_id = stored->credit_account_id;
        out->credit_account_id = stored->debit_account_id;
        out->amount = stored->amount;
        out->ledger = stored->ledger;
        out->user_data_128 = stored->id;
    }
    return bank_read_id(command->id, c, 0, &out->id);
}

/* The corrected transfer comes first, what follows from it in a later round. */
void bank_reverse_needs(const struct sl_case *c, struct sl_needs *out)
{
    const struct reverse *command = c->command;
    struct ledger_transfer transfer;
    sl_u128 corrected;

    if (!bank_id_read(command->transfer, &corrected))
        return;
    bank_need(out, &bank_transfers, corrected);
    if (c->state_count == 0)
        return;
    const struct ledger_held_transfer *held = c->state[0];
    if (held->stored && as_reversal(c, &held->transfer, &transfer) && transfer.id != corrected)
        bank_name_needs(
            &(struct bank_request){.needs_before = 1, .transfers = &transfer, .count = 1}, c, out);
}

enum sl_verdict bank_decide_reverse(const struct sl_case *c, struct sl_decision *out)
{
    const struct reverse *command = c->command;
    struct ledger_transfer transfer;
    sl_u128 corrected;

    if (!bank_id_read(command->transfer, &corrected) || !as_reversal(c, NULL, &transfer))
        return bank_refuse_id(out);
    const struct ledger_held_transfer *held = c->state[0];
    if (!held->stored || transfer.id == corrected)
        return sl_refuse(out, "transfer_not_found", "there is no transfer {transfer}");
    /* Corrected by this very transfer: then it exists, as any other that is sent again. */
    const struct ledger_held_transfer *own = c->state_count > 1 ? c->state[1] : NULL;
    if (held->reversed && !(own && own->stored))
        return sl_refuse(out, "transfer_already_reversed", "{transfer} was corrected before");
    if (held->transfer.flags & (LEDGER_PENDING | LEDGER_VOID))
        return sl_refuse(out, "transfer_not_posted",
                         "{transfer} moved nothing for good: void what is pending");
    (void)as_reversal(c, &held->transfer, &transfer);
    const struct bank_note note = {.reference = command->reference, .reverses = command->transfer};
    return bank_carry_out(
        &(struct bank_request){
            .needs_before = 1, .transfers = &transfer, .count = 1, .notes = &note},
        c, out);
}
