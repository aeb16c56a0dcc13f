/* The bank's descriptor: what there is. Rules stand in account.c, views in views.c. */
#include "domains/bank/bank.h"

const struct sl_domain bank_domain = {
    .name = "bank",
    .title = "Bank",
    .commands = SL_LIST(const struct sl_command,
        { "OpenAccount", &bank_open_account_record, bank_decide_open_account,
          SL_LIST(const struct sl_need, { &bank_accounts, "id" }),
          .help = "Opens an account, at a balance of zero." },
        { "CloseAccount", &bank_close_account_record, bank_decide_close_account,
          SL_LIST(const struct sl_need, { &bank_accounts, "id" }),
          .help = "Closes an account whose balance is zero; it refuses transfers from then on." },
        { "SetLimit", &bank_set_limit_record, bank_decide_set_limit,
          SL_LIST(const struct sl_need, { &bank_accounts, "id" }),
          .help = "Sets how far below zero a client's balance may fall." },
        { "Transfer", &bank_transfer_record, bank_decide_transfer,
          SL_LIST(const struct sl_need, { &bank_accounts, "from" }, { &bank_accounts, "to" }),
          .help = "Moves an amount from one account to another." }),
    .events = SL_LIST(const struct sl_event_type *const, &bank_account_opened,
        &bank_account_closed, &bank_limit_set, &bank_transferred_event),
    .views = SL_LIST(const struct sl_view,
        { "balance", &bank_balance_record, "id", bank_project_balance,
          SL_LIST(const struct sl_index, { "by-kind", "kind, id" },
                                         { "by-currency", "currency, id" }),
          .help = "What each account holds now." },
        { "statement", &bank_entry_record, "account, entry", bank_project_statement,
          SL_LIST(const struct sl_index, { "by-account", "account, entry" }),
          .help = "Each account's entries, with the balance after each." }),
    .verbs = SL_LIST(const struct sl_verb,
        { "import", "ACCOUNTS.csv TRANSACTIONS.csv[.zst] [--check] [--limit N]",
          "Opens the accounts and replays the transactions of a PaySim run (see data/SOURCE.md). "
          "Safe to repeat while the server remembers ids (24 hours, unless configured otherwise): "
          "every transaction has an id of its own.", bank_import }),
};
