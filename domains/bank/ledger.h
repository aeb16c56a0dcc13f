/*
 * The ledger: accounts, transfers between them, and what is said to each. Pure rules over structs.
 *
 * Model, layouts, verdicts and their precedence are TigerBeetle's (0.17.9: docs/reference/account,
 * transfer, requests; docs/coding). An account is debited and credited, and holds pending
 * and posted sums of both; a transfer debits one and credits another of the same ledger. A
 * pending transfer moves pending sums; a second one posts all or a part of it, or voids it, at most
 * once, and at its time-out it expires. Transfers that are linked happen all or none.
 *
 * One thing is ours: a limit, by which the debits of an account with debits_must_not_exceed_credits
 * may exceed its credits.
 *
 * The structs are the records of the binary protocol as they stand: 128 bytes, little-endian.
 * Times are nanoseconds since 1970, amounts minor units, time-outs seconds.
 *
 * All functions are pure but for what they are handed to write; any thread may call them.
 */
#ifndef BANK_LEDGER_H
#define BANK_LEDGER_H

#include "domains/bank/ledger_codes.h"

#include <sluice/types.h>

#define LEDGER_U128_MAX (~(sl_u128)0)
#define LEDGER_TIME_MAX ((uint64_t)INT64_MAX)

enum ledger_account_flag {
    LEDGER_ACCOUNT_LINKED = 1,
    LEDGER_DEBITS_MUST_NOT_EXCEED_CREDITS = 2,
    LEDGER_CREDITS_MUST_NOT_EXCEED_DEBITS = 4,
    LEDGER_HISTORY = 8,
    LEDGER_ACCOUNT_IMPORTED = 16,
    LEDGER_CLOSED = 32,
    LEDGER_ACCOUNT_FLAGS = 63,
};

enum ledger_transfer_flag {
    LEDGER_LINKED = 1,
    LEDGER_PENDING = 2,
    LEDGER_POST = 4,
    LEDGER_VOID = 8,
    LEDGER_BALANCING_DEBIT = 16,
    LEDGER_BALANCING_CREDIT = 32,
    LEDGER_CLOSING_DEBIT = 64,
    LEDGER_CLOSING_CREDIT = 128,
    LEDGER_IMPORTED = 256,
    LEDGER_TRANSFER_FLAGS = 511,
};

struct ledger_account {
    sl_u128 id;
    sl_u128 debits_pending;
    sl_u128 debits_posted;
    sl_u128 credits_pending;
    sl_u128 credits_posted;
    sl_u128 user_data_128;
    uint64_t user_data_64;
    uint32_t user_data_32;
    uint32_t reserved;
    uint32_t ledger;
    uint16_t code;
    uint16_t flags;
    uint64_t timestamp;
};

struct ledger_transfer {
    sl_u128 id;
    sl_u128 debit_account_id;
    sl_u128 credit_account_id;
    sl_u128 amount;
    sl_u128 pending_id;
    sl_u128 user_data_128;
    uint64_t user_data_64;
    uint32_t user_data_32;
    uint32_t timeout;
    uint32_t ledger;
    uint16_t code;
    uint16_t flags;
    uint64_t timestamp;
};

_Static_assert(sizeof(struct ledger_account) == 128 && sizeof(struct ledger_transfer) == 128,
               "the binary protocol's records");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are used as they come");

/* ---- Verdicts -------------------------------------------------------------------------------- */

enum ledger_code {
#define LEDGER_ENUM(NAME, ...) LEDGER_##NAME,
    LEDGER_CODES(LEDGER_ENUM)
#undef LEDGER_ENUM
        LEDGER_CODE_COUNT,
};

struct ledger_verdict {
    const char *name;     /* "exceeds_credits" */
    const char *sentence; /* for people */
    uint32_t account;     /* its number in results; 0: never said to an account */
    uint32_t transfer;
    bool transient;
};

/* What the code is called; a constant. */
const struct ledger_verdict *ledger_verdict_of(enum ledger_code code);

/* ---- What is stored -------------------------------------------------------------------------- */

enum ledger_stage {
    LEDGER_IS_PLAIN, /* it never was pending */
    LEDGER_IS_PENDING,
    LEDGER_IS_POSTED,
    LEDGER_IS_VOIDED,
    LEDGER_IS_EXPIRED,
};

/* What is known of a transfer's id. Neither stored nor burnt: nothing. */
struct ledger_held_transfer {
    struct ledger_transfer transfer; /* as it was stored: amounts and inherited fields are actual */
    bool stored;
    bool burnt;    /* failed with a transient verdict: the id is never used again */
    bool reversed; /* another one corrects it */
    enum ledger_stage stage;
};

struct ledger_held_account {
    struct ledger_account account; /* timestamp 0: there is none */
    sl_u128 limit;                 /* how far its debits may exceed its credits */
    uint64_t entries;              /* transfers that touched it */
};

/* What was stored last, for what is imported. */
struct ledger_clock {
    uint64_t account; /* the newest account's timestamp */
    uint64_t transfer;
};

/* ---- Judging one ----------------------------------------------------------------------------- */

/* What a request says of all that it holds. */
struct ledger_request {
    bool imported; /* its first item is */
    uint64_t time; /* its own, which is that of its last item */
};

/* What stands against a record before anything stored is looked at; LEDGER_CREATED: nothing. */
enum ledger_code ledger_check_account(const struct ledger_account *account,
                                      const struct ledger_request *request);
enum ledger_code ledger_check_transfer(const struct ledger_transfer *transfer,
                                       const struct ledger_request *request);

/* What an account is judged from. */
struct ledger_account_case {
    const struct ledger_account *existing; /* of the same id, or NULL */
    struct ledger_clock clock;
    bool time_taken; /* a transfer has the timestamp of this one, which is imported */
};

/* What stands against the account, the first in TigerBeetle's order. LEDGER_CREATED: nothing, and
 * `out` is what is to be stored, at `time`; what is imported keeps its own. */
enum ledger_code ledger_judge_account(const struct ledger_account *account, uint64_t time,
                                      const struct ledger_account_case *c,
                                      struct ledger_account *out);

/* What a transfer is judged from: found by the ids that it names. */
struct ledger_transfer_case {
    const struct ledger_held_transfer *existing; /* what is known of its id, or NULL */
    const struct ledger_held_transfer *pending;  /* of its pending_id, or NULL */
    const struct ledger_held_account *debit;  /* those that it names, of a post or void those of */
    const struct ledger_held_account *credit; /* the pending transfer; NULL: there is none */
    struct ledger_clock clock;
    bool time_taken; /* an account has the timestamp of this one, which is imported */
};

enum ledger_code ledger_judge_transfer(const struct ledger_transfer *transfer, uint64_t time,
                                       const struct ledger_transfer_case *c,
                                       struct ledger_transfer *out);

/* ---- What follows ---------------------------------------------------------------------------- */

/* What a stored transfer does to its accounts; `pending` is what it posts or voids, else NULL. */
void ledger_debit(struct ledger_account *account, const struct ledger_transfer *transfer,
                  const struct ledger_transfer *pending);
void ledger_credit(struct ledger_account *account, const struct ledger_transfer *transfer,
                   const struct ledger_transfer *pending);

/* What the expiry of a pending transfer does to them. */
void ledger_expire_debit(struct ledger_account *account, const struct ledger_transfer *pending);
void ledger_expire_credit(struct ledger_account *account, const struct ledger_transfer *pending);

/* When a pending transfer expires; 0: never. */
uint64_t ledger_expiry(const struct ledger_transfer *pending);

#endif
