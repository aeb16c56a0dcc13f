/*
 * Served rows beside what follows from the log. A server goes on while it is audited: a row may
 * reflect events that come after those that were taken. So a row that does not fit is kept, and
 * compared again after each later event that concerns it, until it fits, or until the end.
 */
#include "domains/bank/audit_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct field {
    const char *name;
    sl_u128 expected, found;
};

enum { FIELDS_MAX = 9 };

/* Two's complement, so that any two numbers are compared alike. */
static sl_u128 widened(int64_t number)
{
    return (sl_u128)number; /* the sign is carried to all 128 bits */
}

static size_t balance_fields(const struct account *account, const struct bank_served *row,
                             struct field out[FIELDS_MAX])
{
    const sl_u128 *sums = account->sums;
    const struct field fields[] = {
        {"balance", widened(bank_balance_of(sums[3], sums[1])), widened(row->balance)},
        {"debits_pending", sums[0], row->sums[0]},
        {"debits_posted", sums[1], row->sums[1]},
        {"credits_pending", sums[2], row->sums[2]},
        {"credits_posted", sums[3], row->sums[3]},
        {"limit", widened(account->limit), widened(row->limit)},
        {"closed", (account->flags & LEDGER_CLOSED) != 0, row->closed},
        {"entries", account->entries, row->entries},
    };

    memcpy(out, fields, sizeof fields);
    return sizeof fields / sizeof *fields;
}

static size_t trial_fields(const struct ledger *ledger, const struct bank_served *row,
                           struct field out[FIELDS_MAX])
{
    const struct field fields[] = {
        {"accounts of the ledger", ledger->accounts, row->accounts},
        {"transfers of the ledger", ledger->transfers, row->entries},
        {"debits_pending of the ledger", ledger->claimed[0], row->sums[0]},
        {"debits_posted of the ledger", ledger->claimed[1], row->sums[1]},
        {"credits_pending of the ledger", ledger->claimed[2], row->sums[2]},
        {"credits_posted of the ledger", ledger->claimed[3], row->sums[3]},
    };

    memcpy(out, fields, sizeof fields);
    return sizeof fields / sizeof *fields;
}

static size_t chain_fields(const struct account *account, const struct bank_served *row,
                           struct field out[FIELDS_MAX])
{
    out[0] = (struct field){"links", account->links, row->links};
    out[1] = (struct field){"position", account->position, row->position};
    return 2;
}

static bool same_head(const struct account *account, const struct bank_served *row)
{
    return row->kind != BANK_SERVED_CHAIN ||
           memcmp(&account->head, &row->head, sizeof row->head) == 0;
}

/* What the row is to have; `account` or `ledger` is NULL, by its kind, and never both. */
static size_t fields_of(const struct account *account, const struct ledger *ledger,
                        const struct bank_served *row, struct field out[FIELDS_MAX])
{
    if (ledger)
        return trial_fields(ledger, row, out);
    return row->kind == BANK_SERVED_BALANCE ? balance_fields(account, row, out)
                                            : chain_fields(account, row, out);
}

static bool fits(const struct account *account, const struct ledger *ledger,
                 const struct bank_served *row)
{
    struct field fields[FIELDS_MAX];
    const size_t count = fields_of(account, ledger, row, fields);

    for (size_t i = 0; i < count; i++)
        if (fields[i].expected != fields[i].found)
            return false;
    return !account || same_head(account, row);
}

static bool keep(struct bank_audit *audit, const struct bank_served *row)
{
    if (audit->watch_count == audit->watch_max) {
        const size_t max = audit->watch_max ? audit->watch_max * 2 : 16;
        struct watch *grown = realloc(audit->watches, max * sizeof *grown);
        if (!grown)
            return false;
        audit->watches = grown;
        audit->watch_max = max;
    }
    struct watch *watch = &audit->watches[audit->watch_count++];
    *watch = (struct watch){.row = *row};
    watch->name.len = (uint8_t)row->account.len;
    if (row->account.len > 0)
        memcpy(watch->name.text, row->account.ptr, row->account.len);
    return true;
}

static struct sl_text id_of(const struct watch *watch)
{
    return (struct sl_text){watch->name.text, watch->name.len};
}

bool bank_audit_served(struct bank_audit *audit, const struct bank_served *row)
{
    struct account *account = NULL;
    struct ledger *ledger = NULL;

    if (row->account.len > BANK_ID_MAX) {
        audit_differs(audit, row->account, "served row", "an id", "a longer text");
        return true;
    }
    if (row->kind == BANK_SERVED_TRIAL) {
        ledger = audit_ledger(audit, row->ledger);
        if (!ledger)
            return false;
        ledger->has_row = true;
    } else {
        account = id_table_find(&audit->accounts, row->account);
        if (!account)
            return keep(audit, row); /* it may be opened by an event that is still to come */
        account->has_row[row->kind] = true;
    }
    if (fits(account, ledger, row))
        return true;
    return keep(audit, row);
}

void bank_audit_served_all(struct bank_audit *audit)
{
    static const char *const names[2] = {"row of the view balance", "row of the view chain"};

    for (size_t i = 0; i < audit->accounts.count; i++) {
        const struct account *account = (const struct account *)audit->accounts.items + i;
        for (size_t kind = 0; kind < 2; kind++)
            if (!account->has_row[kind])
                audit_differs(audit, audit_id(account), names[kind], "a row", "none");
    }
    for (size_t i = 0; i < audit->ledger_count && audit->options.account.len == 0; i++)
        if (!audit->ledgers[i].has_row)
            audit_compare(audit, (struct sl_text){0}, "ledger in the trial balance",
                          audit->ledgers[i].number, 0);
}

static void try(struct bank_audit *audit, struct watch *watch)
{
    const bool trial = watch->row.kind == BANK_SERVED_TRIAL;
    const struct account *account = trial ? NULL : id_table_find(&audit->accounts, id_of(watch));
    const struct ledger *ledger = trial ? audit_ledger(audit, watch->row.ledger) : NULL;

    if (account || ledger)
        watch->fitted = fits(account, ledger, &watch->row);
}

static bool touches(const struct watch *watch, const struct change *change)
{
    const struct sl_text id = id_of(watch);

    return watch->row.kind == BANK_SERVED_TRIAL
               ? change->ledger == watch->row.ledger
               : sl_text_equals(id, change->from) || sl_text_equals(id, change->to) ||
                     sl_text_equals(id, change->id);
}

void audit_watch(struct bank_audit *audit, const struct change *change)
{
    for (size_t i = 0; i < audit->watch_count; i++)
        if (!audit->watches[i].fitted && touches(&audit->watches[i], change))
            try(audit, &audit->watches[i]);
}

static void tell(struct bank_audit *audit, const struct watch *watch)
{
    const bool trial = watch->row.kind == BANK_SERVED_TRIAL;
    const struct account *account = trial ? NULL : id_table_find(&audit->accounts, id_of(watch));
    const struct ledger *ledger = trial ? audit_ledger(audit, watch->row.ledger) : NULL;
    struct field fields[FIELDS_MAX];

    if (!account && !ledger) {
        audit_differs(audit, id_of(watch), "served row", "none", "a row");
        return;
    }
    if (account)
        audit->position = account->position;
    const size_t count = fields_of(account, ledger, &watch->row, fields);
    for (size_t i = 0; i < count; i++)
        if (fields[i].expected != fields[i].found && strcmp(fields[i].name, "balance") != 0)
            audit_compare(audit, id_of(watch), fields[i].name, fields[i].expected, fields[i].found);
    if (watch->row.kind == BANK_SERVED_BALANCE && fields[0].expected != fields[0].found) {
        char expected[24], found[24];
        snprintf(expected, sizeof expected, "%lld", (long long)fields[0].expected);
        snprintf(found, sizeof found, "%lld", (long long)fields[0].found);
        audit_differs(audit, id_of(watch), "balance", expected, found);
    }
    if (account && !same_head(account, &watch->row)) {
        char expected[BANK_HEAD_HEX + 1] = {0}, found[BANK_HEAD_HEX + 1] = {0};
        bank_head_write(&account->head, expected);
        bank_head_write(&watch->row.head, found);
        audit_differs(audit, id_of(watch), "head of the chain", expected, found);
    }
}

void audit_end_watches(struct bank_audit *audit)
{
    for (size_t i = 0; i < audit->watch_count; i++)
        if (!audit->watches[i].fitted)
            tell(audit, &audit->watches[i]);
}
