/*
 * An audit: a bank's events, in their canonical form, checked by arithmetic of its own. What
 * follows from them (sums, chains) is computed from the canonical forms alone, and compared with
 * what the events say followed, and then with what is served.
 *
 * It checks that
 *     positions rise, and so do, strictly, the timestamps of accounts and those of transfers;
 *     accounts are opened once, and are there, and of the transfer's ledger, when money moves;
 *     a pending transfer is posted, voided or run out at most once, and for no more than it held;
 *     the sums after each transfer are those that follow from it;
 *     by what the events say, debits equal credits in each ledger after each event.
 *
 * One thread. Memory: about 300 bytes an account and 100 a pending transfer, resolved ones too.
 */
#ifndef BANK_AUDIT_H
#define BANK_AUDIT_H

#include "domains/bank/chain.h"

struct bank_audit;

/* A difference. Texts live for the call; `account` is empty where none is concerned. */
struct bank_difference {
    struct sl_text account;
    uint64_t position;
    const char *what;
    const char *expected;
    const char *found;
};

struct bank_audit_options {
    struct sl_text
        account;       /* not empty: only this account's events come, and it alone is checked */
    bool has_expected; /* the log's head before the event at this position is to be this */
    uint64_t expected_at;
    struct bank_head expected;
    void (*differs)(void *user, const struct bank_difference *difference);
    void *user;
};

/* NULL: no memory. Options are copied; the account's text and `user` outlive the audit. */
struct bank_audit *bank_audit_new(const struct bank_audit_options *options);
void bank_audit_free(struct bank_audit *audit);

/* Takes events as GET /bank/journal has them, behind its first eight bytes. False: the bytes are no
 * such events, or memory is out; nothing more can be taken then. */
bool bank_audit_take(struct bank_audit *audit, const uint8_t *bytes, size_t len);

/* A served row: only those fields that the view has. Rows may reflect events that come later: they
 * are compared with what was taken so far, and after each event that follows, until they fit. */
enum bank_served_kind {
    BANK_SERVED_BALANCE,
    BANK_SERVED_CHAIN,
    BANK_SERVED_TRIAL,
    BANK_SERVED_KEPT, /* of the view trial-kept */
};

struct bank_served {
    enum bank_served_kind kind;
    struct sl_text account; /* of a ledger's rows none */
    uint32_t ledger;
    sl_u128 sums[4]; /* debits pending, debits posted, credits pending, credits posted */
    int64_t balance;
    int64_t limit;
    bool closed;
    uint64_t entries; /* of a ledger's rows transfers */
    uint64_t accounts;
    uint64_t number, stretch, kept;
    uint64_t links;
    uint64_t position;
    struct bank_head head;
};

/* False: memory is out. */
bool bank_audit_served(struct bank_audit *audit, const struct bank_served *row);

/* Call it when the rows have been served, and before events are taken that came later: accounts
 * and ledgers without a row are differences. */
void bank_audit_served_all(struct bank_audit *audit);

/* Call it at last: rows that never fitted are differences, and so is an expected head that was not
 * reached. `end` is the position to which the log was read. */
void bank_audit_end(struct bank_audit *audit, uint64_t end);

struct bank_audit_result {
    uint64_t accounts, entries, events, differences;
    struct bank_head head; /* the log's; with an account in the options that account's */
};

struct bank_audit_result bank_audit_result(const struct bank_audit *audit);

#endif
