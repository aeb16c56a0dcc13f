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
    const bool is_kept = row->kind == BANK_SERVED_KEPT;
    const bool is_over = is_kept && row->number > 0;
    const struct kept *sums = is_over ? &ledger->kept[row->number - 1] : &ledger->now;
    const struct field fields[] = {
        {"accounts of the ledger", sums->accounts, row->accounts},
        {"transfers of the ledger", sums->transfers, row->entries},
        {"debits_pending of the ledger", sums->claimed[0], row->sums[0]},
        {"debits_posted of the ledger", sums->claimed[1], row->sums[1]},
        {"credits_pending of the ledger", sums->claimed[2], row->sums[2]},
        {"credits_posted of the ledger", sums->claimed[3], row->sums[3]},
        {"stretch kept of the ledger", sums->stretch, row->stretch},
        {"stretches kept of the ledger", is_over ? 0 : ledger->kept_count, row->kept},
    };
    const size_t count = sizeof fields / sizeof *fields;

    memcpy(out, fields, sizeof fields);
    return is_kept ? count : count - 2;
}

static bool is_of_ledger(const struct bank_served *row)
{
    return row->kind == BANK_SERVED_TRIAL || row->kind == BANK_SERVED_KEPT;
}

/* The ledger, once it has what the row is to be compared with; or NULL. */
static const struct ledger *ledger_for(struct bank_audit *audit, const struct bank_served *row)
{
    const struct ledger *ledger = is_of_ledger(row) ? audit_ledger(audit, row->ledger) : NULL;

    return ledger && row->kind == BANK_SERVED_KEPT && row->number > ledger->kept_count ? NULL
                                                                                      : ledger;
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
    if (is_of_ledger(row)) {
        ledger = audit_ledger(audit, row->ledger);
        if (!ledger)
            return false;
        if (row->kind == BANK_SERVED_TRIAL)
            ledger->has_row = true;
        else if (row->number == 0)
            ledger->has_running = true;
        else
            ledger->kept_rows++;
        if (!ledger_for(audit, row))
            return keep(audit, row); /* its stretch may end with an event that is still to come */
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
    for (size_t i = 0; i < audit->ledger_count && audit->options.account.len == 0; i++) {
        const struct ledger *ledger = &audit->ledgers[i];
        if (!ledger->has_row)
            audit_compare(audit, (struct sl_text){0}, "ledger in the trial balance",
                          ledger->number, 0);
        if (!ledger->has_running)
            audit_compare(audit, (struct sl_text){0}, "ledger in the view trial-kept",
                          ledger->number, 0);
        if (ledger->kept_rows < ledger->kept_count)
            audit_compare(audit, (struct sl_text){0}, "rows kept of the ledger",
                          ledger->kept_count, ledger->kept_rows);
    }
}

static void try(struct bank_audit *audit, struct watch *watch)
{
    const bool of_ledger = is_of_ledger(&watch->row);
    const struct account *account =
        of_ledger ? NULL : id_table_find(&audit->accounts, id_of(watch));
    const struct ledger *ledger = ledger_for(audit, &watch->row);

    if (account || ledger)
        watch->fitted = fits(account, ledger, &watch->row);
}

static bool touches(const struct watch *watch, const struct change *change)
{
    const struct sl_text id = id_of(watch);

    return is_of_ledger(&watch->row)
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
    const bool of_ledger = is_of_ledger(&watch->row);
    const struct account *account =
        of_ledger ? NULL : id_table_find(&audit->accounts, id_of(watch));
    const struct ledger *ledger = ledger_for(audit, &watch->row);
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
