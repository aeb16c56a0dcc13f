/* What the bank does, as examples. */
#include "domains/bank/bank.h"

#define ADA "account/ada: AccountOpened {id: ada, kind: client, currency: EUR, limit: 500}"
#define BEN "account/ben: AccountOpened {id: ben, kind: client, currency: EUR}"
#define CASH "account/cash: AccountOpened {id: cash, kind: external, currency: EUR}"
#define DOLLARS "account/dee: AccountOpened {id: dee, kind: client, currency: USD}"

const struct sl_spec bank_specs[] = {
    { .name = "an account can be opened",
      .when = "OpenAccount {id: ada, currency: EUR, limit: 500}",
      .then = "AccountOpened {id: ada, kind: client, currency: EUR, limit: 500}" },
    { .name = "but not twice",
      .given = ADA,
      .when = "OpenAccount {id: ada, currency: EUR}",
      .refused = "account_exists" },
    { .name = "nor in a currency that is none",
      .when = "OpenAccount {id: ada, currency: eur}",
      .refused = "currency_unknown" },
    { .name = "money moves from one account to another",
      .given = ADA "\n" BEN,
      .when = "Transfer {from: ada, to: ben, amount: 200, currency: EUR, reference: rent}",
      .then = "Transferred {from: ada, to: ben, amount: 200, currency: EUR, reference: rent, "
              "from_balance: -200, to_balance: 200, from_entry: 1, to_entry: 1}" },
    { .name = "down to the limit",
      .given = ADA "\n" BEN,
      .when = "Transfer {from: ada, to: ben, amount: 500, currency: EUR}",
      .then = "Transferred {from: ada, to: ben, amount: 500, currency: EUR, reference: '', "
              "from_balance: -500, to_balance: 500, from_entry: 1, to_entry: 1}" },
    { .name = "and not below",
      .given = ADA "\n" BEN,
      .when = "Transfer {from: ada, to: ben, amount: 501, currency: EUR}",
      .refused = "insufficient_funds" },
    { .name = "an external account has no limit",
      .given = BEN "\n" CASH,
      .when = "Transfer {from: cash, to: ben, amount: 100000, currency: EUR}",
      .then = "Transferred {from: cash, to: ben, amount: 100000, currency: EUR, reference: '', "
              "from_balance: -100000, to_balance: 100000, from_entry: 1, to_entry: 1}" },
    { .name = "a transfer needs an account to take from",
      .given = BEN,
      .when = "Transfer {from: ada, to: ben, amount: 1, currency: EUR}",
      .refused = "from_not_found" },
    { .name = "and one to give to",
      .given = ADA,
      .when = "Transfer {from: ada, to: ben, amount: 1, currency: EUR}",
      .refused = "to_not_found" },
    { .name = "and two of them",
      .given = ADA,
      .when = "Transfer {from: ada, to: ada, amount: 1, currency: EUR}",
      .refused = "accounts_must_differ" },
    { .name = "in its own currency",
      .given = ADA "\n" DOLLARS,
      .when = "Transfer {from: ada, to: dee, amount: 1, currency: EUR}",
      .refused = "to_currency_differs" },
    { .name = "on both sides",
      .given = ADA "\n" DOLLARS,
      .when = "Transfer {from: ada, to: dee, amount: 1, currency: USD}",
      .refused = "from_currency_differs" },
    { .name = "a closed account gives nothing",
      .given = ADA "\n" BEN "\naccount/ada: AccountClosed {id: ada}",
      .when = "Transfer {from: ada, to: ben, amount: 1, currency: EUR}",
      .refused = "from_closed" },
    { .name = "and takes nothing",
      .given = ADA "\n" BEN "\naccount/ben: AccountClosed {id: ben}",
      .when = "Transfer {from: ada, to: ben, amount: 1, currency: EUR}",
      .refused = "to_closed" },
    { .name = "an account is closed at zero",
      .given = BEN,
      .when = "CloseAccount {id: ben}",
      .then = "AccountClosed {id: ben}" },
    { .name = "and only there",
      .given = ADA "\n" BEN "\naccount/ada: Transferred {from: ada, to: ben, amount: 1, "
               "currency: EUR, reference: x, from_balance: -1, to_balance: 1, "
               "from_entry: 1, to_entry: 1}",
      .when = "CloseAccount {id: ben}",
      .refused = "balance_not_zero" },
    { .name = "a limit can be set",
      .given = BEN,
      .when = "SetLimit {id: ben, limit: 1000}",
      .then = "LimitSet {id: ben, limit: 1000}" },
    { .name = "but not above what is owed",
      .given = ADA "\n" BEN "\naccount/ada: Transferred {from: ada, to: ben, amount: 300, "
               "currency: EUR, reference: x, from_balance: -300, to_balance: 300, "
               "from_entry: 1, to_entry: 1}",
      .when = "SetLimit {id: ada, limit: 299}",
      .refused = "balance_below_limit" },
    { .name = "an account that is not there has no limit",
      .when = "SetLimit {id: ada, limit: 1}",
      .refused = "account_not_found" },
};

const size_t bank_spec_count = sizeof bank_specs / sizeof *bank_specs;
