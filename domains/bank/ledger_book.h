/*
 * A book: accounts and transfers in memory, on which requests of many are carried out in order,
 * each seeing what those before it did. What is linked by flags.linked up to the first without it
 * happens all or none; the first that fails keeps its verdict, the others of its chain get
 * linked_event_failed.
 *
 * A command makes a small book of the states that it needs; a test keeps a whole bank in one.
 *
 * The memory is the caller's, and zeroed: nothing is allocated or freed here.
 */
#ifndef BANK_LEDGER_BOOK_H
#define BANK_LEDGER_BOOK_H

#include "domains/bank/ledger.h"

enum ledger_kind { LEDGER_IS_ACCOUNT = 1, LEDGER_IS_TRANSFER = 2 };

/* Which kinds have this timestamp. */
struct ledger_moment {
    uint64_t time;
    unsigned kinds;
};

/* What a change was made to, as it was before; for taking chains back. */
struct ledger_undo {
    struct ledger_held_account *account;
    struct ledger_held_transfer *transfer;
    struct ledger_held_account old_account;
    struct ledger_held_transfer old_transfer;
};

struct ledger_index {
    uint32_t *slots; /* NULL: searched one by one */
    size_t mask;
};

struct ledger_book {
    struct ledger_held_account *accounts;
    size_t account_count, account_max;
    struct ledger_held_transfer *transfers;
    size_t transfer_count, transfer_max;
    struct ledger_moment *moments;
    size_t moment_count, moment_max;
    struct ledger_undo *undo; /* four for each of a request */
    size_t undo_count, undo_max;
    struct ledger_clock clock;
    struct ledger_index by_account, by_transfer, by_moment;
    /* NULL, or called when a transfer is stored, with its accounts after it; it may be taken back
     * and stored again. */
    void (*on_created)(void *user, const struct ledger_held_transfer *transfer,
                       const struct ledger_held_account *debit,
                       const struct ledger_held_account *credit);
    void *user;
};

/* A result of the binary protocol. */
struct ledger_result {
    uint64_t timestamp;
    uint32_t status;
    uint32_t reserved;
};

/* Gives the index memory: `slots` zeroed, their count a power of two at least twice what is held.
 * Before anything is added. */
void ledger_index_init(struct ledger_index *index, uint32_t *slots, size_t count);

/* By id; NULL: there is none. Valid until the book goes. */
struct ledger_held_account *ledger_book_account(const struct ledger_book *book, sl_u128 id);
struct ledger_held_transfer *ledger_book_transfer(const struct ledger_book *book, sl_u128 id);

/* Adds what is stored already; there must be room, and the id not be there. The clock is not
 * touched. */
struct ledger_held_account *ledger_book_add_account(struct ledger_book *book,
                                                    const struct ledger_held_account *account);
struct ledger_held_transfer *ledger_book_add_transfer(struct ledger_book *book,
                                                      const struct ledger_held_transfer *transfer);
/* `kinds` of enum ledger_kind; they may be none. */
void ledger_book_add_moment(struct ledger_book *book, uint64_t time, unsigned kinds);
bool ledger_book_knows_moment(const struct ledger_book *book, uint64_t time);

/* Carries out `count` items of a request: item i has the time request.time - count + i + 1, and
 * the last one ends its chain or leaves it open. Fills one code and one time an item: a created or
 * existing one's is the stored one's. There must be room for all of them. */
void ledger_book_create_accounts(struct ledger_book *book, const struct ledger_account *accounts,
                                 size_t count, struct ledger_request request,
                                 enum ledger_code *codes, uint64_t *times);
void ledger_book_create_transfers(struct ledger_book *book, const struct ledger_transfer *transfers,
                                  size_t count, struct ledger_request request,
                                  enum ledger_code *codes, uint64_t *times);

/* The pending transfer's time has come. */
void ledger_book_expire(struct ledger_book *book, struct ledger_held_transfer *pending);

#endif
