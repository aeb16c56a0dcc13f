#include "domains/bank/ledger_query.h"

static bool is_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static bool is_range(uint64_t min, uint64_t max)
{
    return min <= LEDGER_TIME_MAX && max <= LEDGER_TIME_MAX && (max == 0 || min <= max);
}

static bool is_within(uint64_t time, uint64_t min, uint64_t max)
{
    return time >= min && (max == 0 || time <= max);
}

bool ledger_account_filter_is_valid(const struct ledger_account_filter *filter)
{
    const unsigned sides = LEDGER_FILTER_DEBITS | LEDGER_FILTER_CREDITS;

    return filter->account_id != 0 && filter->account_id != LEDGER_U128_MAX &&
           filter->flags & sides && !(filter->flags & ~(sides | LEDGER_FILTER_REVERSED)) &&
           filter->limit > 0 && is_range(filter->timestamp_min, filter->timestamp_max) &&
           is_zero(filter->reserved, sizeof filter->reserved);
}

bool ledger_query_filter_is_valid(const struct ledger_query_filter *filter)
{
    return !(filter->flags & ~(unsigned)LEDGER_QUERY_REVERSED) && filter->limit > 0 &&
           is_range(filter->timestamp_min, filter->timestamp_max) &&
           is_zero(filter->reserved, sizeof filter->reserved);
}

bool ledger_account_filter_takes(const struct ledger_account_filter *filter,
                                 const struct ledger_transfer *transfer)
{
    const bool debits =
        filter->flags & LEDGER_FILTER_DEBITS && transfer->debit_account_id == filter->account_id;
    const bool credits =
        filter->flags & LEDGER_FILTER_CREDITS && transfer->credit_account_id == filter->account_id;

    return (debits || credits) &&
           (!filter->user_data_128 || transfer->user_data_128 == filter->user_data_128) &&
           (!filter->user_data_64 || transfer->user_data_64 == filter->user_data_64) &&
           (!filter->user_data_32 || transfer->user_data_32 == filter->user_data_32) &&
           (!filter->code || transfer->code == filter->code) &&
           is_within(transfer->timestamp, filter->timestamp_min, filter->timestamp_max);
}

bool ledger_query_filter_takes_account(const struct ledger_query_filter *filter,
                                       const struct ledger_account *account)
{
    return (!filter->user_data_128 || account->user_data_128 == filter->user_data_128) &&
           (!filter->user_data_64 || account->user_data_64 == filter->user_data_64) &&
           (!filter->user_data_32 || account->user_data_32 == filter->user_data_32) &&
           (!filter->ledger || account->ledger == filter->ledger) &&
           (!filter->code || account->code == filter->code) &&
           is_within(account->timestamp, filter->timestamp_min, filter->timestamp_max);
}

bool ledger_query_filter_takes_transfer(const struct ledger_query_filter *filter,
                                        const struct ledger_transfer *transfer)
{
    return (!filter->user_data_128 || transfer->user_data_128 == filter->user_data_128) &&
           (!filter->user_data_64 || transfer->user_data_64 == filter->user_data_64) &&
           (!filter->user_data_32 || transfer->user_data_32 == filter->user_data_32) &&
           (!filter->ledger || transfer->ledger == filter->ledger) &&
           (!filter->code || transfer->code == filter->code) &&
           is_within(transfer->timestamp, filter->timestamp_min, filter->timestamp_max);
}

struct ledger_balance ledger_balance_at(const struct ledger_account *account, uint64_t time)
{
    return (struct ledger_balance){
        .debits_pending = account->debits_pending,
        .debits_posted = account->debits_posted,
        .credits_pending = account->credits_pending,
        .credits_posted = account->credits_posted,
        .timestamp = time,
    };
}
