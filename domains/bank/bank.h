/*
 * The bank: accounts, transfers, and what is shown of them; see README.md for the rules in words.
 *
 *     ids.h currencies.h     names and numbers of accounts, transfers and ledgers
 *     ledger*.h              the rules, pure, over TigerBeetle's records
 *     events.c               what happened, and the states that follow
 *     work.h                 what commands have in common: states into a book, a book into events
 *     accounts.c transfers.c pending.c requests.c   the commands
 *     views.c                what is shown
 *     chain.h audit.h        hash chains over what happened, and who checks them
 */
#ifndef BANK_BANK_H
#define BANK_BANK_H

#include "domains/bank/ledger.h"

#include <sluice/client.h>
#include <sluice/domain.h>
#include <sluice/route.h>

extern const struct sl_domain bank_domain;
extern const struct sl_spec bank_specs[];
extern const size_t bank_spec_count;

/* What an account holds for its owner: credits less debits, posted; at the ends of int64_t where
 * it does not fit. */
int64_t bank_balance_of(sl_u128 credits, sl_u128 debits);

/* ---- Events (events.c) ----------------------------------------------------------------------- */

struct bank_account_opened {
    struct sl_text id;
    char currency[4]; /* empty where the ledger is no currency's */
    uint32_t ledger;
    uint16_t code;
    uint16_t flags;
    int64_t limit;
    sl_u128 user_data_128;
    uint64_t user_data_64;
    uint32_t user_data_32;
    uint64_t timestamp;
};

struct bank_account_closed {
    struct sl_text id;
};

struct bank_limit_set {
    struct sl_text id;
    int64_t limit;
};

/* An account's sums after a transfer, and which of its entries that was, from 1. */
struct bank_after {
    sl_u128 debits_pending;
    sl_u128 debits_posted;
    sl_u128 credits_pending;
    sl_u128 credits_posted;
    uint64_t entry;
    uint16_t flags;
};

/* In the transfer's stream; both accounts are tagged, and what it posts, voids or reverses. */
struct bank_transferred {
    struct sl_text id;
    struct sl_text from; /* the debited account */
    struct sl_text to;
    sl_u128 amount;
    char currency[4];
    uint32_t ledger;
    uint16_t code;
    uint16_t flags;
    struct sl_text reference;
    uint32_t timeout;
    struct sl_text pending; /* the transfer that it posts or voids */
    sl_u128 pending_amount;
    uint16_t pending_flags;
    struct sl_text reverses; /* the transfer that it corrects */
    struct sl_text hold; /* the pending one, itself or that which it resolves, if that runs out */
    sl_u128 user_data_128;
    uint64_t user_data_64;
    uint32_t user_data_32;
    uint64_t timestamp;
    int64_t from_balance; /* bank_balance_of the sums after it */
    int64_t to_balance;
    struct bank_after from_after;
    struct bank_after to_after;
};

/* Its id fails from now on. */
struct bank_transfer_failed {
    struct sl_text id;
    struct sl_text verdict;
};

struct bank_transfer_expired {
    struct sl_text id;
    struct sl_text from;
    struct sl_text to;
    sl_u128 amount;
    uint32_t ledger;
    uint16_t flags;
    struct bank_after from_after;
    struct bank_after to_after;
};

extern const struct sl_event_type bank_account_opened_event;
extern const struct sl_event_type bank_account_closed_event;
extern const struct sl_event_type bank_limit_set_event;
extern const struct sl_event_type bank_transferred_event;
extern const struct sl_event_type bank_transfer_failed_event;
extern const struct sl_event_type bank_transfer_expired_event;

/* ---- States (events.c) ----------------------------------------------------------------------- */

/* Which kinds of things have a timestamp. */
struct bank_moment {
    uint32_t kinds; /* of enum ledger_kind */
};

extern const struct sl_record bank_ledger_account_record;  /* struct ledger_account */
extern const struct sl_record bank_ledger_transfer_record; /* struct ledger_transfer */
extern const struct sl_aggregate bank_accounts;            /* struct ledger_held_account */
extern const struct sl_aggregate bank_transfers;           /* struct ledger_held_transfer */
extern const struct sl_aggregate bank_book;                /* struct ledger_clock: there is one */
extern const struct sl_aggregate bank_moments;             /* struct bank_moment, by timestamp */

/* ---- Commands (accounts.c, transfers.c, pending.c, requests.c) ------------------------------- */

/* Money that comes from somewhere and goes somewhere: an external account (a merchant, another
 * bank, cash) has no bound; a client's debits may exceed its credits by its limit. */
enum bank_kind { BANK_CLIENT, BANK_EXTERNAL };

/* What comes in through the binary protocol: one, or a chain of linked ones. */
struct bank_create_accounts {
    struct sl_list accounts; /* struct ledger_account */
    bool imported;           /* the first of the whole batch is */
};

struct bank_create_transfers {
    struct sl_list transfers; /* struct ledger_transfer */
    bool imported;
};

extern const struct sl_record bank_open_account_record;
extern const struct sl_record bank_close_account_record;
extern const struct sl_record bank_set_limit_record;
extern const struct sl_record bank_create_accounts_record;
extern const struct sl_record bank_create_transfers_record;
extern const struct sl_record bank_transfer_record;
extern const struct sl_record bank_transfer_all_record;
extern const struct sl_record bank_exchange_record;
extern const struct sl_record bank_reverse_record;
extern const struct sl_record bank_post_record;
extern const struct sl_record bank_void_record;
extern const struct sl_record bank_expire_record;

void bank_open_account_needs(const struct sl_case *c, struct sl_needs *out);
void bank_create_accounts_needs(const struct sl_case *c, struct sl_needs *out);
void bank_create_transfers_needs(const struct sl_case *c, struct sl_needs *out);
void bank_transfer_needs(const struct sl_case *c, struct sl_needs *out);
void bank_transfer_all_needs(const struct sl_case *c, struct sl_needs *out);
void bank_exchange_needs(const struct sl_case *c, struct sl_needs *out);
void bank_reverse_needs(const struct sl_case *c, struct sl_needs *out);
void bank_post_needs(const struct sl_case *c, struct sl_needs *out);
void bank_void_needs(const struct sl_case *c, struct sl_needs *out);
void bank_expire_needs(const struct sl_case *c, struct sl_needs *out);

enum sl_verdict bank_decide_open_account(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_close_account(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_set_limit(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_create_accounts(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_create_transfers(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_transfer(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_transfer_all(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_exchange(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_reverse(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_post(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_void(const struct sl_case *c, struct sl_decision *out);
enum sl_verdict bank_decide_expire(const struct sl_case *c, struct sl_decision *out);

/* Lets pending transfers run out. */
extern const struct sl_record bank_hold_record;
void bank_react_hold(const struct sl_event *event, void *state, struct sl_reaction *out);

/* ---- Views (views.c, trial.c) ---------------------------------------------------------------- */

struct bank_balance {
    struct sl_text id;
    enum bank_kind kind;
    char currency[4];
    int64_t balance;
    int64_t limit;
    bool closed;
    uint64_t entries;
    struct sl_time last_time; /* of the last thing that happened to it */
    sl_u128 debits_pending;
    sl_u128 debits_posted;
    sl_u128 credits_pending;
    sl_u128 credits_posted;
    sl_u128 user_data_128;
    uint64_t user_data_64;
    uint32_t user_data_32;
    uint32_t ledger;
    uint16_t code;
    uint16_t flags;
    uint64_t timestamp;
};

extern const struct sl_record bank_balance_record;
extern const struct sl_record bank_held_record;
void bank_project_balance(const struct sl_event *event, struct sl_rows *rows);
void bank_project_holds(const struct sl_event *event, struct sl_rows *rows);
void bank_project_trial(const struct sl_event *event, struct sl_rows *rows);
void bank_project_trial_kept(const struct sl_event *event, struct sl_rows *rows);

/* ---- Hash chains (chain.c, journal.c, verify.c) ---------------------------------------------- */

extern const struct sl_record bank_chain_record;
void bank_project_chain(const struct sl_event *event, struct sl_rows *rows);
void bank_serve_journal(struct sl_visit *visit);
int bank_verify(struct sl_client *client, int argc, char **argv);

/* ---- POST /bank/batch/{operation} (batch.c) -------------------------------------------------- */

/* TigerBeetle's requests and replies, as they stand: see ledger_query.h. */
void bank_serve_batch(struct sl_visit *visit);

/* ---- GET /bank/export/{format} (export.c) and sluice bank export (verbs.c) ------------------- */

void bank_serve_export(struct sl_visit *visit);
int bank_export(struct sl_client *client, int argc, char **argv);

/* ---- GET /bank/past/{account} (past.c) ------------------------------------------------------- */

void bank_serve_past(struct sl_visit *visit);

/* ---- GET /bank/statement/{account} (statement.c) --------------------------------------------- */

extern const struct sl_record bank_statement_record;
void bank_serve_statement(struct sl_visit *visit);

/* ---- GET /bank/trial (trial_at.c) ------------------------------------------------------------ */

extern const struct sl_record bank_trial_at_record;
void bank_serve_trial(struct sl_visit *visit);

/* ---- sluice bank import (import.c) ----------------------------------------------------------- */

int bank_import(struct sl_client *client, int argc, char **argv);

/* Of a table that was exported (import_table.c); the exit code. */
int bank_import_table(struct sl_client *client, const char *path);

#endif
