/*
 * What the bank's commands have in common: the accounts and transfers that a request names become
 * needs, their states a book; the request is carried out in it, and what was stored becomes
 * events.
 *
 * A request is one chain, all or none. It is at most BANK_CHAIN_MAX long.
 */
#ifndef BANK_WORK_H
#define BANK_WORK_H

#include "domains/bank/bank.h"
#include "domains/bank/ids.h"
#include "domains/bank/ledger_book.h"

enum { BANK_CHAIN_MAX = 8189, BANK_REFERENCE_MAX = 140 };

#define BANK_AMOUNT_MAX INT64_C(1000000000000000) /* minor units, of what comes in by name */

#define BANK_ID_FIELD(type, member, ...) \
    SL_FIELD(type, member, .length_max = BANK_ID_MAX, __VA_ARGS__)

/* Transfers or accounts; the other is NULL. What else is said of item i stands in `notes[i]`. */
struct bank_note {
    struct sl_text reference;
    struct sl_text reverses;
    int64_t limit;
};

struct bank_request {
    size_t needs_before; /* needs that were named before the request's */
    const char *field;   /* the command's list, to tell which item failed; NULL: it has none */
    const struct ledger_account *accounts;
    const struct ledger_transfer *transfers;
    size_t count;
    const struct bank_note *notes; /* NULL: nothing */
    bool imported;                 /* the first of the whole batch is */
};

/* Names what the request is judged from; called in each round of `more`. */
void bank_name_needs(const struct bank_request *request, const struct sl_case *c,
                     struct sl_needs *out);

/* Names an account or a transfer by its number, or the book. Returns its place. */
size_t bank_need(struct sl_needs *out, const struct sl_aggregate *aggregate, sl_u128 id);
size_t bank_need_book(struct sl_needs *out);

/* Carries it out. The needs are those that bank_name_needs named, and no others. What existed
 * before, the same, is accepted without an event. */
enum sl_verdict bank_carry_out(const struct bank_request *request, const struct sl_case *c,
                               struct sl_decision *out);

/* A transfer's id: the text's, or without one the command's, which is a number of 128 bits as well;
 * the i-th of a command i more. False: the text is no id. */
bool bank_read_id(struct sl_text text, const struct sl_case *c, size_t i, sl_u128 *out);

/* The number of a currency's ledger; 0: there is no such currency. */
uint32_t bank_ledger_of(const char *currency);

/* What is wrong with a text that should be an id, or with {currency}. */
enum sl_verdict bank_refuse_id(struct sl_decision *out);
enum sl_verdict bank_refuse_currency(struct sl_decision *out);

/* The id as a text that lives as long as the decision. */
struct sl_text bank_text_of(struct sl_decision *out, sl_u128 id);

/* An account after its last transfer. */
struct bank_after bank_after_of(const struct ledger_held_account *held);

#endif
