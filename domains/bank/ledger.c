/* The rules of the ledger, in the order in which they are told: see ledger.h. */
#include "domains/bank/ledger.h"

#define SECOND UINT64_C(1000000000)

static const struct ledger_verdict verdicts[] = {
#define LEDGER_ROW(NAME, name, account, transfer, transient, sentence) \
    {#name, sentence, account, transfer, transient},
    LEDGER_CODES(LEDGER_ROW)
#undef LEDGER_ROW
};

const struct ledger_verdict *ledger_verdict_of(enum ledger_code code)
{
    return &verdicts[code];
}

static bool passes(sl_u128 a, sl_u128 b)
{
    return a > LEDGER_U128_MAX - b;
}

static sl_u128 less(sl_u128 a, sl_u128 b)
{
    return a < b ? a : b;
}

static sl_u128 minus_or_zero(sl_u128 a, sl_u128 b)
{
    return a > b ? a - b : 0;
}

static bool is_resolving(const struct ledger_transfer *transfer)
{
    return transfer->flags & (LEDGER_POST | LEDGER_VOID);
}

uint64_t ledger_expiry(const struct ledger_transfer *pending)
{
    return pending->timeout ? pending->timestamp + pending->timeout * SECOND : 0;
}

/* ---- In its request -------------------------------------------------------------------------- */

static enum ledger_code check(bool imported, uint64_t timestamp,
                              const struct ledger_request *request)
{
    if (request->imported && !imported)
        return LEDGER_IMPORTED_EVENT_EXPECTED;
    if (!request->imported && imported)
        return LEDGER_IMPORTED_EVENT_NOT_EXPECTED;
    if (!imported)
        return timestamp == 0 ? LEDGER_CREATED : LEDGER_TIMESTAMP_MUST_BE_ZERO;
    if (timestamp == 0 || timestamp > LEDGER_TIME_MAX)
        return LEDGER_IMPORTED_EVENT_TIMESTAMP_OUT_OF_RANGE;
    if (timestamp >= request->time)
        return LEDGER_IMPORTED_EVENT_TIMESTAMP_MUST_NOT_ADVANCE;
    return LEDGER_CREATED;
}

enum ledger_code ledger_check_account(const struct ledger_account *account,
                                      const struct ledger_request *request)
{
    return check(account->flags & LEDGER_ACCOUNT_IMPORTED, account->timestamp, request);
}

enum ledger_code ledger_check_transfer(const struct ledger_transfer *transfer,
                                       const struct ledger_request *request)
{
    return check(transfer->flags & LEDGER_IMPORTED, transfer->timestamp, request);
}

/* ---- Accounts -------------------------------------------------------------------------------- */

static enum ledger_code compare_account(const struct ledger_account *a,
                                        const struct ledger_account *stored)
{
    if (a->flags != stored->flags)
        return LEDGER_EXISTS_WITH_DIFFERENT_FLAGS;
    if (a->user_data_128 != stored->user_data_128)
        return LEDGER_EXISTS_WITH_DIFFERENT_USER_DATA_128;
    if (a->user_data_64 != stored->user_data_64)
        return LEDGER_EXISTS_WITH_DIFFERENT_USER_DATA_64;
    if (a->user_data_32 != stored->user_data_32)
        return LEDGER_EXISTS_WITH_DIFFERENT_USER_DATA_32;
    if (a->ledger != stored->ledger)
        return LEDGER_EXISTS_WITH_DIFFERENT_LEDGER;
    if (a->code != stored->code)
        return LEDGER_EXISTS_WITH_DIFFERENT_CODE;
    return LEDGER_EXISTS;
}

enum ledger_code ledger_judge_account(const struct ledger_account *a, uint64_t time,
                                      const struct ledger_account_case *c,
                                      struct ledger_account *out)
{
    const unsigned both =
        LEDGER_DEBITS_MUST_NOT_EXCEED_CREDITS | LEDGER_CREDITS_MUST_NOT_EXCEED_DEBITS;

    if (a->reserved != 0)
        return LEDGER_RESERVED_FIELD;
    if (a->flags & ~(unsigned)LEDGER_ACCOUNT_FLAGS)
        return LEDGER_RESERVED_FLAG;
    if (a->id == 0)
        return LEDGER_ID_MUST_NOT_BE_ZERO;
    if (a->id == LEDGER_U128_MAX)
        return LEDGER_ID_MUST_NOT_BE_INT_MAX;
    if (c->existing)
        return compare_account(a, c->existing);
    if ((a->flags & both) == both)
        return LEDGER_FLAGS_ARE_MUTUALLY_EXCLUSIVE;
    if (a->debits_pending != 0)
        return LEDGER_DEBITS_PENDING_MUST_BE_ZERO;
    if (a->debits_posted != 0)
        return LEDGER_DEBITS_POSTED_MUST_BE_ZERO;
    if (a->credits_pending != 0)
        return LEDGER_CREDITS_PENDING_MUST_BE_ZERO;
    if (a->credits_posted != 0)
        return LEDGER_CREDITS_POSTED_MUST_BE_ZERO;
    if (a->ledger == 0)
        return LEDGER_LEDGER_MUST_NOT_BE_ZERO;
    if (a->code == 0)
        return LEDGER_CODE_MUST_NOT_BE_ZERO;
    if (a->flags & LEDGER_ACCOUNT_IMPORTED && (a->timestamp <= c->clock.account || c->time_taken))
        return LEDGER_IMPORTED_EVENT_TIMESTAMP_MUST_NOT_REGRESS;
    *out = *a;
    if (!(a->flags & LEDGER_ACCOUNT_IMPORTED))
        out->timestamp = time;
    return LEDGER_CREATED;
}

/* ---- Transfers: the same id again ------------------------------------------------------------ */

static bool is_same_amount(const struct ledger_transfer *t, const struct ledger_transfer *stored,
                           const struct ledger_transfer *pending)
{
    if (t->flags & (LEDGER_BALANCING_DEBIT | LEDGER_BALANCING_CREDIT))
        return t->amount >= stored->amount;
    if ((t->flags & LEDGER_VOID && t->amount == 0) ||
        (t->flags & LEDGER_POST && t->amount == LEDGER_U128_MAX))
        return pending && stored->amount == pending->amount;
    return t->amount == stored->amount;
}

/* A field that a post or void may leave at zero is then compared with what it stands for. */
static enum ledger_code compare_transfer(const struct ledger_transfer *t,
                                         const struct ledger_transfer *stored,
                                         const struct ledger_transfer *pending)
{
    const bool resolving = is_resolving(t);

    if (t->flags != stored->flags)
        return LEDGER_EXISTS_WITH_DIFFERENT_FLAGS;
    if (t->pending_id != stored->pending_id)
        return LEDGER_EXISTS_WITH_DIFFERENT_PENDING_ID;
    if (t->timeout != stored->timeout)
        return LEDGER_EXISTS_WITH_DIFFERENT_TIMEOUT;
    if (t->debit_account_id != stored->debit_account_id && !(resolving && t->debit_account_id == 0))
        return LEDGER_EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID;
    if (t->credit_account_id != stored->credit_account_id &&
        !(resolving && t->credit_account_id == 0))
        return LEDGER_EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID;
    if (!is_same_amount(t, stored, pending))
        return LEDGER_EXISTS_WITH_DIFFERENT_AMOUNT;
    const bool inherits = resolving && pending;
    if ((inherits && t->user_data_128 == 0 ? pending->user_data_128 : t->user_data_128) !=
        stored->user_data_128)
        return LEDGER_EXISTS_WITH_DIFFERENT_USER_DATA_128;
    if ((inherits && t->user_data_64 == 0 ? pending->user_data_64 : t->user_data_64) !=
        stored->user_data_64)
        return LEDGER_EXISTS_WITH_DIFFERENT_USER_DATA_64;
    if ((inherits && t->user_data_32 == 0 ? pending->user_data_32 : t->user_data_32) !=
        stored->user_data_32)
        return LEDGER_EXISTS_WITH_DIFFERENT_USER_DATA_32;
    if (t->ledger != stored->ledger && !(resolving && t->ledger == 0))
        return LEDGER_EXISTS_WITH_DIFFERENT_LEDGER;
    if (t->code != stored->code && !(resolving && t->code == 0))
        return LEDGER_EXISTS_WITH_DIFFERENT_CODE;
    return LEDGER_EXISTS;
}

static enum ledger_code judge_id(const struct ledger_transfer *t,
                                 const struct ledger_transfer_case *c)
{
    if (t->flags & ~(unsigned)LEDGER_TRANSFER_FLAGS)
        return LEDGER_RESERVED_FLAG;
    if (t->id == 0)
        return LEDGER_ID_MUST_NOT_BE_ZERO;
    if (t->id == LEDGER_U128_MAX)
        return LEDGER_ID_MUST_NOT_BE_INT_MAX;
    if (c->existing && c->existing->stored)
        return compare_transfer(t, &c->existing->transfer,
                                c->pending && c->pending->stored ? &c->pending->transfer : NULL);
    if (c->existing && c->existing->burnt)
        return LEDGER_ID_ALREADY_FAILED;
    return LEDGER_CREATED;
}

/* ---- Transfers: posts and voids -------------------------------------------------------------- */

static enum ledger_code judge_resolving_fields(const struct ledger_transfer *t)
{
    const unsigned alone = LEDGER_PENDING | LEDGER_BALANCING_DEBIT | LEDGER_BALANCING_CREDIT |
                           LEDGER_CLOSING_DEBIT | LEDGER_CLOSING_CREDIT;

    if (t->flags & alone || (t->flags & LEDGER_POST && t->flags & LEDGER_VOID))
        return LEDGER_FLAGS_ARE_MUTUALLY_EXCLUSIVE;
    if (t->pending_id == 0)
        return LEDGER_PENDING_ID_MUST_NOT_BE_ZERO;
    if (t->pending_id == LEDGER_U128_MAX)
        return LEDGER_PENDING_ID_MUST_NOT_BE_INT_MAX;
    if (t->pending_id == t->id)
        return LEDGER_PENDING_ID_MUST_BE_DIFFERENT;
    if (t->timeout != 0)
        return LEDGER_TIMEOUT_RESERVED_FOR_PENDING_TRANSFER;
    return LEDGER_CREATED;
}

static sl_u128 resolved_amount(const struct ledger_transfer *t,
                               const struct ledger_transfer *pending)
{
    const sl_u128 all = t->flags & LEDGER_VOID ? 0 : LEDGER_U128_MAX;

    return t->amount == all ? pending->amount : t->amount;
}

static enum ledger_code judge_against_pending(const struct ledger_transfer *t, uint64_t time,
                                              const struct ledger_held_transfer *held)
{
    const struct ledger_transfer *pending = &held->transfer;
    const sl_u128 amount = resolved_amount(t, pending);
    const uint64_t expiry = ledger_expiry(pending);

    if (!(pending->flags & LEDGER_PENDING))
        return LEDGER_PENDING_TRANSFER_NOT_PENDING;
    if (t->debit_account_id != 0 && t->debit_account_id != pending->debit_account_id)
        return LEDGER_PENDING_TRANSFER_HAS_DIFFERENT_DEBIT_ACCOUNT_ID;
    if (t->credit_account_id != 0 && t->credit_account_id != pending->credit_account_id)
        return LEDGER_PENDING_TRANSFER_HAS_DIFFERENT_CREDIT_ACCOUNT_ID;
    if (t->ledger != 0 && t->ledger != pending->ledger)
        return LEDGER_PENDING_TRANSFER_HAS_DIFFERENT_LEDGER;
    if (t->code != 0 && t->code != pending->code)
        return LEDGER_PENDING_TRANSFER_HAS_DIFFERENT_CODE;
    if (amount > pending->amount)
        return LEDGER_EXCEEDS_PENDING_TRANSFER_AMOUNT;
    if (t->flags & LEDGER_VOID && amount < pending->amount)
        return LEDGER_PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT;
    if (held->stage == LEDGER_IS_POSTED)
        return LEDGER_PENDING_TRANSFER_ALREADY_POSTED;
    if (held->stage == LEDGER_IS_VOIDED)
        return LEDGER_PENDING_TRANSFER_ALREADY_VOIDED;
    if (held->stage == LEDGER_IS_EXPIRED || (expiry && expiry <= time))
        return LEDGER_PENDING_TRANSFER_EXPIRED;
    return LEDGER_CREATED;
}

static enum ledger_code judge_resolving(const struct ledger_transfer *t, uint64_t time,
                                        const struct ledger_transfer_case *c,
                                        struct ledger_transfer *out)
{
    enum ledger_code code = judge_resolving_fields(t);

    if (code != LEDGER_CREATED)
        return code;
    if (!c->pending || !c->pending->stored)
        return LEDGER_PENDING_TRANSFER_NOT_FOUND;
    code = judge_against_pending(t, time, c->pending);
    if (code != LEDGER_CREATED)
        return code;
    if (t->flags & LEDGER_IMPORTED && (t->timestamp <= c->clock.transfer || c->time_taken))
        return LEDGER_IMPORTED_EVENT_TIMESTAMP_MUST_NOT_REGRESS;
    if (!(t->flags & LEDGER_VOID)) {
        if (c->debit->account.flags & LEDGER_CLOSED)
            return LEDGER_DEBIT_ACCOUNT_ALREADY_CLOSED;
        if (c->credit->account.flags & LEDGER_CLOSED)
            return LEDGER_CREDIT_ACCOUNT_ALREADY_CLOSED;
    }
    const struct ledger_transfer *pending = &c->pending->transfer;
    *out = *t;
    out->debit_account_id = pending->debit_account_id;
    out->credit_account_id = pending->credit_account_id;
    out->amount = resolved_amount(t, pending);
    out->user_data_128 = t->user_data_128 ? t->user_data_128 : pending->user_data_128;
    out->user_data_64 = t->user_data_64 ? t->user_data_64 : pending->user_data_64;
    out->user_data_32 = t->user_data_32 ? t->user_data_32 : pending->user_data_32;
    out->ledger = pending->ledger;
    out->code = pending->code;
    out->timestamp = time;
    return LEDGER_CREATED;
}

/* ---- Transfers: all others ------------------------------------------------------------------- */

static enum ledger_code judge_fields(const struct ledger_transfer *t)
{
    if (t->debit_account_id == 0)
        return LEDGER_DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO;
    if (t->debit_account_id == LEDGER_U128_MAX)
        return LEDGER_DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX;
    if (t->credit_account_id == 0)
        return LEDGER_CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO;
    if (t->credit_account_id == LEDGER_U128_MAX)
        return LEDGER_CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX;
    if (t->debit_account_id == t->credit_account_id)
        return LEDGER_ACCOUNTS_MUST_BE_DIFFERENT;
    if (t->pending_id != 0)
        return LEDGER_PENDING_ID_MUST_BE_ZERO;
    if (t->timeout != 0 && !(t->flags & LEDGER_PENDING))
        return LEDGER_TIMEOUT_RESERVED_FOR_PENDING_TRANSFER;
    if (t->flags & (LEDGER_CLOSING_DEBIT | LEDGER_CLOSING_CREDIT) && !(t->flags & LEDGER_PENDING))
        return LEDGER_CLOSING_TRANSFER_MUST_BE_PENDING;
    if (t->ledger == 0)
        return LEDGER_LEDGER_MUST_NOT_BE_ZERO;
    if (t->code == 0)
        return LEDGER_CODE_MUST_NOT_BE_ZERO;
    return LEDGER_CREATED;
}

static enum ledger_code judge_accounts(const struct ledger_transfer *t,
                                       const struct ledger_transfer_case *c)
{
    if (!c->debit)
        return LEDGER_DEBIT_ACCOUNT_NOT_FOUND;
    if (!c->credit)
        return LEDGER_CREDIT_ACCOUNT_NOT_FOUND;
    const struct ledger_account *debit = &c->debit->account, *credit = &c->credit->account;
    if (debit->ledger != credit->ledger)
        return LEDGER_ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER;
    if (t->ledger != debit->ledger)
        return LEDGER_TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS;
    if (t->flags & LEDGER_IMPORTED) {
        if (t->timestamp <= c->clock.transfer || c->time_taken)
            return LEDGER_IMPORTED_EVENT_TIMESTAMP_MUST_NOT_REGRESS;
        if (t->timestamp <= debit->timestamp)
            return LEDGER_IMPORTED_EVENT_TIMESTAMP_MUST_POSTDATE_DEBIT_ACCOUNT;
        if (t->timestamp <= credit->timestamp)
            return LEDGER_IMPORTED_EVENT_TIMESTAMP_MUST_POSTDATE_CREDIT_ACCOUNT;
        if (t->timeout != 0)
            return LEDGER_IMPORTED_EVENT_TIMEOUT_MUST_BE_ZERO;
    }
    if (debit->flags & LEDGER_CLOSED)
        return LEDGER_DEBIT_ACCOUNT_ALREADY_CLOSED;
    if (credit->flags & LEDGER_CLOSED)
        return LEDGER_CREDIT_ACCOUNT_ALREADY_CLOSED;
    return LEDGER_CREATED;
}

/* What a balancing transfer moves: no more than closes the gap. */
static sl_u128 actual_amount(const struct ledger_transfer *t, const struct ledger_account *debit,
                             const struct ledger_account *credit)
{
    sl_u128 amount = t->amount;

    if (t->flags & LEDGER_BALANCING_DEBIT)
        amount = less(amount, minus_or_zero(debit->credits_posted,
                                            debit->debits_posted + debit->debits_pending));
    if (t->flags & LEDGER_BALANCING_CREDIT)
        amount = less(amount, minus_or_zero(credit->debits_posted,
                                            credit->credits_posted + credit->credits_pending));
    return amount;
}

static enum ledger_code judge_sums(const struct ledger_transfer *t, sl_u128 amount, uint64_t time,
                                   const struct ledger_transfer_case *c)
{
    const struct ledger_account *debit = &c->debit->account, *credit = &c->credit->account;
    const sl_u128 debits = debit->debits_pending + debit->debits_posted;
    const sl_u128 credits = credit->credits_pending + credit->credits_posted;

    if (t->flags & LEDGER_PENDING) {
        if (passes(debit->debits_pending, amount))
            return LEDGER_OVERFLOWS_DEBITS_PENDING;
        if (passes(credit->credits_pending, amount))
            return LEDGER_OVERFLOWS_CREDITS_PENDING;
    }
    if (passes(debit->debits_posted, amount))
        return LEDGER_OVERFLOWS_DEBITS_POSTED;
    if (passes(credit->credits_posted, amount))
        return LEDGER_OVERFLOWS_CREDITS_POSTED;
    if (passes(debits, amount))
        return LEDGER_OVERFLOWS_DEBITS;
    if (passes(credits, amount))
        return LEDGER_OVERFLOWS_CREDITS;
    if (time + t->timeout * SECOND > LEDGER_TIME_MAX)
        return LEDGER_OVERFLOWS_TIMEOUT;
    if (debit->flags & LEDGER_DEBITS_MUST_NOT_EXCEED_CREDITS &&
        minus_or_zero(debits + amount, debit->credits_posted) > c->debit->limit)
        return LEDGER_EXCEEDS_CREDITS;
    if (credit->flags & LEDGER_CREDITS_MUST_NOT_EXCEED_DEBITS &&
        credits + amount > credit->debits_posted)
        return LEDGER_EXCEEDS_DEBITS;
    return LEDGER_CREATED;
}

enum ledger_code ledger_judge_transfer(const struct ledger_transfer *t, uint64_t time,
                                       const struct ledger_transfer_case *c,
                                       struct ledger_transfer *out)
{
    enum ledger_code code = judge_id(t, c);

    if (code != LEDGER_CREATED)
        return code;
    if (t->flags & LEDGER_IMPORTED)
        time = t->timestamp;
    if (is_resolving(t))
        return judge_resolving(t, time, c, out);
    code = judge_fields(t);
    if (code == LEDGER_CREATED)
        code = judge_accounts(t, c);
    if (code != LEDGER_CREATED)
        return code;
    const sl_u128 amount = actual_amount(t, &c->debit->account, &c->credit->account);
    code = judge_sums(t, amount, time, c);
    if (code != LEDGER_CREATED)
        return code;
    *out = *t;
    out->amount = amount;
    out->timestamp = time;
    return LEDGER_CREATED;
}

/* ---- What follows ---------------------------------------------------------------------------- */

void ledger_debit(struct ledger_account *account, const struct ledger_transfer *transfer,
                  const struct ledger_transfer *pending)
{
    if (transfer->flags & LEDGER_PENDING) {
        account->debits_pending += transfer->amount;
        if (transfer->flags & LEDGER_CLOSING_DEBIT)
            account->flags |= LEDGER_CLOSED;
        return;
    }
    if (pending)
        account->debits_pending -= pending->amount;
    if (transfer->flags & LEDGER_VOID) {
        if (pending && pending->flags & LEDGER_CLOSING_DEBIT)
            account->flags &= (uint16_t)~LEDGER_CLOSED;
        return;
    }
    account->debits_posted += transfer->amount;
}

void ledger_credit(struct ledger_account *account, const struct ledger_transfer *transfer,
                   const struct ledger_transfer *pending)
{
    if (transfer->flags & LEDGER_PENDING) {
        account->credits_pending += transfer->amount;
        if (transfer->flags & LEDGER_CLOSING_CREDIT)
            account->flags |= LEDGER_CLOSED;
        return;
    }
    if (pending)
        account->credits_pending -= pending->amount;
    if (transfer->flags & LEDGER_VOID) {
        if (pending && pending->flags & LEDGER_CLOSING_CREDIT)
            account->flags &= (uint16_t)~LEDGER_CLOSED;
        return;
    }
    account->credits_posted += transfer->amount;
}

void ledger_expire_debit(struct ledger_account *account, const struct ledger_transfer *pending)
{
    account->debits_pending -= pending->amount;
    if (pending->flags & LEDGER_CLOSING_DEBIT)
        account->flags &= (uint16_t)~LEDGER_CLOSED;
}

void ledger_expire_credit(struct ledger_account *account, const struct ledger_transfer *pending)
{
    account->credits_pending -= pending->amount;
    if (pending->flags & LEDGER_CLOSING_CREDIT)
        account->flags &= (uint16_t)~LEDGER_CLOSED;
}
