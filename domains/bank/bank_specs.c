/* What the bank does, as examples. Flags of accounts: 2 debits_must_not_exceed_credits, 8 history,
 * 32 closed; of transfers: 1 linked, 2 pending, 4 post, 8 void. */
#include "domains/bank/bank.h"

#define NOW "1970-01-01T00:00:01Z"
#define ACCOUNT(name, more)                                                                        \
    "account/" name ": AccountOpened {id: " name ", currency: EUR, ledger: 978, code: 1, " more "}"
#define ADA ACCOUNT("ada", "flags: 10, limit: 500, timestamp: 1")
#define BEN ACCOUNT("ben", "flags: 10, timestamp: 2")
#define CASH ACCOUNT("cash", "flags: 8, timestamp: 3")
#define DEE                                                                                        \
    "account/dee: AccountOpened {id: dee, currency: USD, ledger: 840, code: 1, flags: 8, "         \
    "timestamp: 4}"
#define DEALER                                                                                     \
    ACCOUNT("dealer-eur", "flags: 8, timestamp: 5")                                                \
    "\naccount/dealer-usd: AccountOpened {id: dealer-usd, currency: USD, ledger: 840, code: 1, "   \
    "flags: 8, timestamp: 6}"

#define PENDING                                                                                    \
    "transfer/7: Transferred {id: 7, from: ada, to: ben, amount: 300, currency: EUR, "             \
    "ledger: 978, code: 1, flags: 2, timeout: 60, hold: 7, timestamp: 7}"
#define MOVED                                                                                      \
    "transfer/8: Transferred {id: 8, from: ada, to: ben, amount: 300, currency: EUR, "             \
    "ledger: 978, code: 1, timestamp: 7}"

const struct sl_spec bank_specs[] = {
    { .name = "an account can be opened",
      .now = NOW,
      .when = "OpenAccount {id: ada, currency: EUR, limit: 500}",
      .then = "AccountOpened {id: ada, currency: EUR, ledger: 978, code: 1, flags: 10, "
              "limit: 500, timestamp: 1000000000}" },
    { .name = "which is no retry in another currency",
      .now = NOW,
      .given = ADA,
      .when = "OpenAccount {id: ada, currency: USD}",
      .refused = "exists_with_different_ledger" },
    { .name = "but is where it is the same",
      .now = NOW,
      .given = ADA,
      .when = "OpenAccount {id: ada, currency: EUR}",
      .then = "" },
    { .name = "nor in a currency that is none",
      .now = NOW,
      .when = "OpenAccount {id: ada, currency: EUX}",
      .refused = "currency_unknown" },
    { .name = "nor under a name that is none",
      .now = NOW,
      .when = "OpenAccount {id: 'ada lovelace', currency: EUR}",
      .refused = "id_malformed" },
    { .name = "money moves from one account to another",
      .now = NOW,
      .given = ADA "\n" BEN,
      .when = "Transfer {id: 9, from: ada, to: ben, amount: 200, currency: EUR, reference: rent}",
      .then = "Transferred {id: 9, from: ada, to: ben, amount: 200, currency: EUR, ledger: "
              "978, code: 1, reference: rent, timestamp: 1000000000, from_balance: -200, "
              "to_balance: 200, from_after: {debits_posted: 200, entry: 1, flags: 10}, "
              "to_after: {credits_posted: 200, entry: 1, flags: 10}}" },
    { .name = "down to the limit",
      .now = NOW,
      .given = ADA "\n" BEN,
      .when = "Transfer {id: 9, from: ada, to: ben, amount: 500, currency: EUR}",
      .then = "Transferred {id: 9, from: ada, to: ben, amount: 500, currency: EUR, ledger: "
              "978, code: 1, timestamp: 1000000000, from_balance: -500, to_balance: 500, "
              "from_after: {debits_posted: 500, entry: 1, flags: 10}, to_after: "
              "{credits_posted: 500, entry: 1, flags: 10}}" },
    { .name = "and not below; the id is burnt",
      .now = NOW,
      .given = ADA "\n" BEN,
      .when = "Transfer {id: 9, from: ada, to: ben, amount: 501, currency: EUR}",
      .then = "TransferFailed {id: 9, verdict: exceeds_credits}",
      .refused = "exceeds_credits" },
    { .name = "so that it fails for ever",
      .now = NOW,
      .given = ADA "\n" BEN "\ntransfer/9: TransferFailed {id: 9, verdict: exceeds_credits}",
      .when = "Transfer {id: 9, from: ada, to: ben, amount: 1, currency: EUR}",
      .refused = "id_already_failed" },
    { .name = "an external account has no limit",
      .now = NOW,
      .given = BEN "\n" CASH,
      .when = "Transfer {id: 9, from: cash, to: ben, amount: 100000, currency: EUR}",
      .then = "Transferred {id: 9, from: cash, to: ben, amount: 100000, currency: EUR, "
              "ledger: 978, code: 1, timestamp: 1000000000, from_balance: -100000, "
              "to_balance: 100000, from_after: {debits_posted: 100000, entry: 1, flags: 8}, "
              "to_after: {credits_posted: 100000, entry: 1, flags: 10}}" },
    { .name = "a transfer needs an account to take from",
      .now = NOW,
      .given = BEN,
      .when = "Transfer {id: 9, from: ada, to: ben, amount: 1, currency: EUR}",
      .then = "TransferFailed {id: 9, verdict: debit_account_not_found}",
      .refused = "debit_account_not_found" },
    { .name = "and one to give to",
      .now = NOW,
      .given = ADA,
      .when = "Transfer {id: 9, from: ada, to: ben, amount: 1, currency: EUR}",
      .then = "TransferFailed {id: 9, verdict: credit_account_not_found}",
      .refused = "credit_account_not_found" },
    { .name = "and two of them",
      .now = NOW,
      .given = ADA,
      .when = "Transfer {id: 9, from: ada, to: ada, amount: 1, currency: EUR}",
      .refused = "accounts_must_be_different" },
    { .name = "of one currency",
      .now = NOW,
      .given = ADA "\n" DEE,
      .when = "Transfer {id: 9, from: ada, to: dee, amount: 1, currency: EUR}",
      .refused = "accounts_must_have_the_same_ledger" },
    { .name = "its own",
      .now = NOW,
      .given = ADA "\n" BEN,
      .when = "Transfer {id: 9, from: ada, to: ben, amount: 1, currency: USD}",
      .refused = "transfer_must_have_the_same_ledger_as_accounts" },
    { .name = "a closed account gives nothing",
      .now = NOW,
      .given = ADA "\n" BEN "\naccount/ada: AccountClosed {id: ada}",
      .when = "Transfer {id: 9, from: ada, to: ben, amount: 1, currency: EUR}",
      .then = "TransferFailed {id: 9, verdict: debit_account_already_closed}",
      .refused = "debit_account_already_closed" },
    { .name = "and takes nothing",
      .now = NOW,
      .given = ADA "\n" BEN "\naccount/ben: AccountClosed {id: ben}",
      .when = "Transfer {id: 9, from: ada, to: ben, amount: 1, currency: EUR}",
      .then = "TransferFailed {id: 9, verdict: credit_account_already_closed}",
      .refused = "credit_account_already_closed" },
    { .name = "the same transfer again changes nothing",
      .now = NOW,
      .given = ADA "\n" BEN "\n" MOVED,
      .when = "Transfer {id: 8, from: ada, to: ben, amount: 300, currency: EUR}",
      .then = "" },
    { .name = "another one under its id is refused",
      .now = NOW,
      .given = ADA "\n" BEN "\n" MOVED,
      .when = "Transfer {id: 8, from: ada, to: ben, amount: 301, currency: EUR}",
      .refused = "exists_with_different_amount" },
    { .name = "money is held",
      .now = NOW,
      .given = ADA "\n" BEN,
      .when = "Transfer {id: 7, from: ada, to: ben, amount: 300, currency: EUR, pending: true, "
              "timeout: 60}",
      .then = "Transferred {id: 7, from: ada, to: ben, amount: 300, currency: EUR, ledger: "
              "978, code: 1, flags: 2, timeout: 60, hold: 7, timestamp: 1000000000, "
              "from_after: {debits_pending: 300, entry: 1, flags: 10}, to_after: "
              "{credits_pending: 300, entry: 1, flags: 10}}" },
    { .name = "what is held cannot be spent",
      .now = NOW,
      .given = ADA "\n" BEN "\n" PENDING,
      .when = "Transfer {id: 9, from: ada, to: ben, amount: 201, currency: EUR}",
      .then = "TransferFailed {id: 9, verdict: exceeds_credits}",
      .refused = "exceeds_credits" },
    { .name = "a part of it is taken",
      .now = NOW,
      .given = ADA "\n" BEN "\n" PENDING,
      .when = "PostTransfer {id: 9, pending: 7, amount: 100}",
      .then = "Transferred {id: 9, from: ada, to: ben, amount: 100, currency: EUR, ledger: "
              "978, code: 1, flags: 4, pending: 7, pending_amount: 300, pending_flags: 2, "
              "hold: 7, timestamp: 1000000000, from_balance: -100, to_balance: 100, "
              "from_after: {debits_posted: 100, entry: 2, flags: 10}, to_after: "
              "{credits_posted: 100, entry: 2, flags: 10}}" },
    { .name = "but not more",
      .now = NOW,
      .given = ADA "\n" BEN "\n" PENDING,
      .when = "PostTransfer {id: 9, pending: 7, amount: 301}",
      .refused = "exceeds_pending_transfer_amount" },
    { .name = "or all is given back",
      .now = NOW,
      .given = ADA "\n" BEN "\n" PENDING,
      .when = "VoidTransfer {id: 9, pending: 7}",
      .then = "Transferred {id: 9, from: ada, to: ben, amount: 300, currency: EUR, ledger: "
              "978, code: 1, flags: 8, pending: 7, pending_amount: 300, pending_flags: 2, "
              "hold: 7, timestamp: 1000000000, from_after: {entry: 2, flags: 10}, to_after: "
              "{entry: 2, flags: 10}}" },
    { .name = "when its time is over it is too late",
      .now = "2026-11-23",
      .given = ADA "\n" BEN "\n" PENDING,
      .when = "PostTransfer {id: 9, pending: 7}",
      .refused = "pending_transfer_expired" },
    { .name = "and the hold ends",
      .now = "2026-11-23",
      .given = ADA "\n" BEN "\n" PENDING,
      .when = "ExpireTransfer {id: 7}",
      .then = "TransferExpired {id: 7, from: ada, to: ben, amount: 300, ledger: 978, flags: "
              "2, from_after: {entry: 1, flags: 10}, to_after: {entry: 1, flags: 10}}" },
    { .name = "not before",
      .now = "1970-01-01T00:00:59Z",
      .given = ADA "\n" BEN "\n" PENDING,
      .when = "ExpireTransfer {id: 7}",
      .then = "" },
    { .name = "but when its timer has fired, also by a clock that was set back since",
      .now = "1970-01-01T00:00:59Z",
      .given = ADA "\n" BEN "\n" PENDING,
      .when = "ExpireTransfer {id: 7, due: 1970-01-01T00:01:01Z}",
      .then = "TransferExpired {id: 7, from: ada, to: ben, amount: 300, ledger: 978, flags: "
              "2, from_after: {entry: 1, flags: 10}, to_after: {entry: 1, flags: 10}}" },
    { .name = "of several transfers all happen",
      .now = NOW,
      .given = ADA "\n" BEN "\n" CASH,
      .when = "TransferAll {transfers: [{id: 9, from: cash, to: ada, amount: 10, currency: EUR}, "
              "{id: 10, from: ada, to: ben, amount: 510, currency: EUR}]}",
      .then = "Transferred {id: 9, from: cash, to: ada, amount: 10, currency: EUR, ledger: "
              "978, code: 1, flags: 1, timestamp: 999999999, from_balance: -10, to_balance: "
              "10, from_after: {debits_posted: 10, entry: 1, flags: 8}, to_after: "
              "{credits_posted: 10, entry: 1, flags: 10}}"
              "\n"
              "Transferred {id: 10, from: ada, to: ben, amount: 510, currency: EUR, ledger: "
              "978, code: 1, timestamp: 1000000000, from_balance: -500, to_balance: 510, "
              "from_after: {debits_posted: 510, credits_posted: 10, entry: 2, flags: 10}, "
              "to_after: {credits_posted: 510, entry: 1, flags: 10}}" },
    { .name = "or none",
      .now = NOW,
      .given = ADA "\n" BEN "\n" CASH,
      .when = "TransferAll {transfers: [{id: 9, from: cash, to: ada, amount: 10, currency: EUR}, "
              "{id: 10, from: ada, to: ben, amount: 511, currency: EUR}]}",
      .then = "TransferFailed {id: 10, verdict: exceeds_credits}",
      .refused = "exceeds_credits at transfers[1]" },
    { .name = "one currency is paid, another got",
      .now = NOW,
      .given = ADA "\n" DEE "\n" DEALER,
      .when = "Exchange {id: 9, from: ada, amount: 100, currency: EUR, dealer_from: dealer-eur, "
              "dealer_to: dealer-usd, to: dee, to_amount: 108, to_currency: USD}",
      .then = "Transferred {id: 9, from: ada, to: dealer-eur, amount: 100, currency: EUR, "
              "ledger: 978, code: 1, flags: 1, timestamp: 999999999, from_balance: -100, "
              "to_balance: 100, from_after: {debits_posted: 100, entry: 1, flags: 10}, "
              "to_after: {credits_posted: 100, entry: 1, flags: 8}}"
              "\n"
              "Transferred {id: 10, from: dealer-usd, to: dee, amount: 108, currency: USD, "
              "ledger: 840, code: 1, timestamp: 1000000000, from_balance: -108, to_balance: "
              "108, from_after: {debits_posted: 108, entry: 1, flags: 8}, to_after: "
              "{credits_posted: 108, entry: 1, flags: 8}}" },
    { .name = "a transfer is corrected by one the other way",
      .now = NOW,
      .given = ADA "\n" BEN "\n" MOVED,
      .when = "ReverseTransfer {id: 9, transfer: 8, reference: 'paid twice'}",
      .then = "Transferred {id: 9, from: ben, to: ada, amount: 300, currency: EUR, ledger: "
              "978, code: 2, reference: 'paid twice', reverses: 8, user_data_128: 8, "
              "timestamp: 1000000000, from_after: {debits_posted: 300, credits_posted: 300, "
              "entry: 2, flags: 10}, to_after: {debits_posted: 300, credits_posted: 300, "
              "entry: 2, flags: 10}}" },
    { .name = "once",
      .now = NOW,
      .given = ADA "\n" BEN "\n" MOVED
               "\ntransfer/9: Transferred {id: 9, from: ben, to: ada, amount: 300, currency: EUR, "
               "ledger: 978, code: 2, reverses: 8, timestamp: 8}",
      .when = "ReverseTransfer {id: 10, transfer: 8, reference: 'paid twice'}",
      .refused = "transfer_already_reversed" },
    { .name = "the same correction again changes nothing",
      .now = NOW,
      .given = ADA "\n" BEN "\n" MOVED
               "\ntransfer/9: Transferred {id: 9, from: ben, to: ada, amount: 300, currency: EUR, "
               "ledger: 978, code: 2, reverses: 8, user_data_128: 8, timestamp: 8}",
      .when = "ReverseTransfer {id: 9, transfer: 8, reference: 'paid twice'}",
      .then = "" },
    { .name = "what is pending is voided instead",
      .now = NOW,
      .given = ADA "\n" BEN "\n" PENDING,
      .when = "ReverseTransfer {id: 10, transfer: 7, reference: 'paid twice'}",
      .refused = "transfer_not_posted" },
    { .name = "an account at zero can be closed",
      .now = NOW,
      .given = ADA,
      .when = "CloseAccount {id: ada}",
      .then = "AccountClosed {id: ada}" },
    { .name = "one with money cannot",
      .now = NOW,
      .given = ADA "\n" BEN "\n" MOVED,
      .when = "CloseAccount {id: ben}",
      .refused = "balance_not_zero" },
    { .name = "nor one for which money is held",
      .now = NOW,
      .given = ADA "\n" BEN "\n" PENDING,
      .when = "CloseAccount {id: ben}",
      .refused = "transfers_are_pending" },
    { .name = "nor one that was never opened",
      .now = NOW,
      .when = "CloseAccount {id: ada}",
      .refused = "account_not_found" },
    { .name = "a limit can be set",
      .now = NOW,
      .given = ADA,
      .when = "SetLimit {id: ada, limit: 100}",
      .then = "LimitSet {id: ada, limit: 100}" },
    { .name = "but not below what is owed",
      .now = NOW,
      .given = ADA "\n" BEN "\n" MOVED,
      .when = "SetLimit {id: ada, limit: 299}",
      .refused = "balance_below_limit" },
    { .name = "and not where there is none",
      .now = NOW,
      .given = CASH,
      .when = "SetLimit {id: cash, limit: 1}",
      .refused = "account_has_no_limit" },
};
const size_t bank_spec_count = sizeof bank_specs / sizeof *bank_specs;
