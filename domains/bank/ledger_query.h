/*
 * Filters over accounts and transfers, as the binary protocol has them; see ledger.h for the
 * source. A field that is zero asks nothing; bounds belong to the range; the order is by timestamp.
 */
#ifndef BANK_LEDGER_QUERY_H
#define BANK_LEDGER_QUERY_H

#include "domains/bank/ledger.h"

enum {
    LEDGER_BATCH_MAX = 8189
}; /* records in a request or reply: 1 MiB less a header and trailer */

enum ledger_filter_flag {
    LEDGER_FILTER_DEBITS = 1,
    LEDGER_FILTER_CREDITS = 2,
    LEDGER_FILTER_REVERSED = 4,
    LEDGER_QUERY_REVERSED = 1,
};

struct ledger_account_filter {
    sl_u128 account_id;
    sl_u128 user_data_128;
    uint64_t user_data_64;
    uint32_t user_data_32;
    uint16_t code;
    uint8_t reserved[58];
    uint64_t timestamp_min;
    uint64_t timestamp_max;
    uint32_t limit;
    uint32_t flags;
};

struct ledger_query_filter {
    sl_u128 user_data_128;
    uint64_t user_data_64;
    uint32_t user_data_32;
    uint32_t ledger;
    uint16_t code;
    uint8_t reserved[6];
    uint64_t timestamp_min;
    uint64_t timestamp_max;
    uint32_t limit;
    uint32_t flags;
};

struct ledger_balance {
    sl_u128 debits_pending;
    sl_u128 debits_posted;
    sl_u128 credits_pending;
    sl_u128 credits_posted;
    uint64_t timestamp;
    uint8_t reserved[56];
};

_Static_assert(sizeof(struct ledger_account_filter) == 128 &&
                   sizeof(struct ledger_query_filter) == 64 && sizeof(struct ledger_balance) == 128,
               "the binary protocol's records");

/* A filter that is not valid finds nothing. */
bool ledger_account_filter_is_valid(const struct ledger_account_filter *filter);
bool ledger_query_filter_is_valid(const struct ledger_query_filter *filter);

bool ledger_account_filter_takes(const struct ledger_account_filter *filter,
                                 const struct ledger_transfer *transfer);
bool ledger_query_filter_takes_account(const struct ledger_query_filter *filter,
                                       const struct ledger_account *account);
bool ledger_query_filter_takes_transfer(const struct ledger_query_filter *filter,
                                        const struct ledger_transfer *transfer);

/* The account's sums as a row of its history, at the time of a transfer. */
struct ledger_balance ledger_balance_at(const struct ledger_account *account, uint64_t time);

#endif
