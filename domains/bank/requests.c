/* Accounts and transfers as the ledger has them, number by number: one, or a chain of linked ones.
 * What comes in through the binary protocol becomes these. */
#include "domains/bank/work.h"

/* ---- Accounts -------------------------------------------------------------------------------- */

const struct sl_record bank_create_accounts_record =
    SL_RECORD(struct bank_create_accounts,
              SL_FIELD(struct bank_create_accounts, accounts, .record = &bank_ledger_account_record,
                       .required = true, .length_max = BANK_CHAIN_MAX,
                       .help = "one, or a chain of linked ones"),
              SL_FIELD(struct bank_create_accounts, imported, .help = "the batch's first one is"));

static struct bank_request accounts_request(const struct bank_create_accounts *command)
{
    return (struct bank_request){.field = "accounts",
                                 .accounts = command->accounts.items,
                                 .count = command->accounts.count,
                                 .imported = command->imported};
}

void bank_create_accounts_needs(const struct sl_case *c, struct sl_needs *out)
{
    const struct bank_request request = accounts_request(c->command);

    bank_name_needs(&request, c, out);
}

enum sl_verdict bank_decide_create_accounts(const struct sl_case *c, struct sl_decision *out)
{
    const struct bank_request request = accounts_request(c->command);

    for (size_t i = 0; i + 1 < request.count; i++)
        if (!(request.accounts[i].flags & LEDGER_ACCOUNT_LINKED))
            return sl_refuse(out, "chain_must_be_linked", "all but the last one must be linked");
    return bank_carry_out(&request, c, out);
}

/* ---- Transfers ------------------------------------------------------------------------------- */

const struct sl_record bank_create_transfers_record =
    SL_RECORD(struct bank_create_transfers,
              SL_FIELD(struct bank_create_transfers, transfers,
                       .record = &bank_ledger_transfer_record, .required = true,
                       .length_max = BANK_CHAIN_MAX, .help = "one, or a chain of linked ones"),
              SL_FIELD(struct bank_create_transfers, imported, .help = "the batch's first one is"));

static struct bank_request transfers_request(const struct bank_create_transfers *command)
{
    return (struct bank_request){.field = "transfers",
                                 .transfers = command->transfers.items,
                                 .count = command->transfers.count,
                                 .imported = command->imported};
}

void bank_create_transfers_needs(const struct sl_case *c, struct sl_needs *out)
{
    const struct bank_request request = transfers_request(c->command);

    bank_name_needs(&request, c, out);
}

enum sl_verdict bank_decide_create_transfers(const struct sl_case *c, struct sl_decision *out)
{
    const struct bank_request request = transfers_request(c->command);

    for (size_t i = 0; i + 1 < request.count; i++)
        if (!(request.transfers[i].flags & LEDGER_LINKED))
            return sl_refuse(out, "chain_must_be_linked", "all but the last one must be linked");
    return bank_carry_out(&request, c, out);
}
