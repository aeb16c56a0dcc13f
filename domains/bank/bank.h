/* The bank: accounts, transfers, limits; see README.md for the rules in words. */
#ifndef BANK_BANK_H
#define BANK_BANK_H

#include <sluice/client.h>
#include <sluice/domain.h>

extern const struct sl_domain bank_domain;
extern const struct sl_spec bank_specs[];
extern const size_t bank_spec_count;

/* An account's balance is what was credited less what was debited, in minor units of its
 * currency. A client's may fall to −limit; an external account (a merchant, another bank, cash)
 * has no bound. */
enum bank_kind { BANK_CLIENT, BANK_EXTERNAL };

/* ---- Commands and events --------------------------------------------------------------------- */

struct bank_open_account {
    struct sl_text id;
    enum bank_kind kind;
    char currency[4];
    int64_t limit; /* how far below zero a client's balance may go */
};

struct bank_close_account {
    struct sl_text id;
};

struct bank_set_limit {
    struct sl_text id;
    int64_t limit;
};

struct bank_transfer {
    struct sl_text from;
    struct sl_text to;
    int64_t amount;
    char currency[4];
    struct sl_text reference;
};

/* The debited account's stream carries it; both accounts are tagged. */
struct bank_transferred {
    struct sl_text from;
    struct sl_text to;
    int64_t amount;
    char currency[4];
    struct sl_text reference;
    int64_t from_balance; /* after it */
    int64_t to_balance;
    uint64_t from_entry; /* which entry it is of the account, from 1 */
    uint64_t to_entry;
};

extern const struct sl_event_type bank_account_opened;
extern const struct sl_event_type bank_account_closed;
extern const struct sl_event_type bank_limit_set;
extern const struct sl_event_type bank_transferred_event;

/* ---- The account, as decisions see it (account.c) -------------------------------------------- */

struct bank_account {
    char id[41]; /* its own, so that a transfer's side is known */
    bool opened;
    bool closed;
    enum bank_kind kind;
    char currency[4];
    int64_t limit;
    int64_t debits;
    int64_t credits;
    uint64_t entries;
};

extern const struct sl_aggregate bank_accounts;
extern const struct sl_record bank_open_account_record;
extern const struct sl_record bank_close_account_record;
extern const struct sl_record bank_set_limit_record;
extern const struct sl_record bank_transfer_record;

static inline int64_t bank_balance(const struct bank_account *account)
{
    return account->credits - account->debits;
}

enum sl_verdict bank_decide_open_account(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_close_account(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_set_limit(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_transfer(const struct sl_case *c, struct sl_decision *out);

/* ---- Views (views.c) ------------------------------------------------------------------------- */

extern const struct sl_record bank_balance_record;
extern const struct sl_record bank_entry_record;
void bank_project_balance(const struct sl_event *event, struct sl_rows *rows);
void bank_project_statement(const struct sl_event *event, struct sl_rows *rows);

/* ---- sluice bank import (import.c) ----------------------------------------------------------- */

int bank_import(struct sl_client *client, int argc, char **argv);

#endif
