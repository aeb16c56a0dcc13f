/*
 * What a ledger says to an account or a transfer: one row a verdict.
 *
 *     X(NAME, name, account, transfer, transient, sentence)
 *
 * `account` and `transfer` are the verdict's numbers in results of create_accounts and
 * create_transfers, 0 where it is not said there; a transient one is due to what the ledger holds
 * just now, and after it the transfer's id fails for ever (see ledger.h). Names and numbers are
 * TigerBeetle's (0.17.9, docs/reference/requests).
 */
#ifndef BANK_LEDGER_CODES_H
#define BANK_LEDGER_CODES_H

/* clang-format off */
#define LEDGER_CODES(X) \
    X(CREATED, created, 4294967295u, 4294967295u, 0, "it is stored") \
    X(LINKED_EVENT_FAILED, linked_event_failed, 1, 1, 0, "another one of its chain failed") \
    X(LINKED_EVENT_CHAIN_OPEN, linked_event_chain_open, 2, 2, 0, \
      "the last one is linked to none") \
    X(IMPORTED_EVENT_EXPECTED, imported_event_expected, 22, 56, 0, \
      "the first one is imported, this one is not") \
    X(IMPORTED_EVENT_NOT_EXPECTED, imported_event_not_expected, 23, 57, 0, \
      "this one is imported, the first one is not") \
    X(TIMESTAMP_MUST_BE_ZERO, timestamp_must_be_zero, 3, 3, 0, \
      "only what is imported brings a timestamp") \
    X(IMPORTED_EVENT_TIMESTAMP_OUT_OF_RANGE, imported_event_timestamp_out_of_range, 24, 58, 0, \
      "a timestamp is from 1 to 2^63-1") \
    X(IMPORTED_EVENT_TIMESTAMP_MUST_NOT_ADVANCE, \
      imported_event_timestamp_must_not_advance, 25, 59, 0, \
      "what is imported lies in the past") \
    X(RESERVED_FIELD, reserved_field, 4, 0, 0, "a reserved field must be zero") \
    X(RESERVED_FLAG, reserved_flag, 5, 4, 0, "a flag is set that means nothing") \
    X(ID_MUST_NOT_BE_ZERO, id_must_not_be_zero, 6, 5, 0, "an id is needed") \
    X(ID_MUST_NOT_BE_INT_MAX, id_must_not_be_int_max, 7, 6, 0, "2^128-1 is no id") \
    X(EXISTS_WITH_DIFFERENT_FLAGS, exists_with_different_flags, 15, 36, 0, \
      "the id is taken, with other flags") \
    X(EXISTS_WITH_DIFFERENT_PENDING_ID, exists_with_different_pending_id, 0, 40, 0, \
      "the id is taken, for another pending transfer") \
    X(EXISTS_WITH_DIFFERENT_TIMEOUT, exists_with_different_timeout, 0, 44, 0, \
      "the id is taken, with another time-out") \
    X(EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID, exists_with_different_debit_account_id, 0, 37, 0, \
      "the id is taken, with another debited account") \
    X(EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID, exists_with_different_credit_account_id, 0, 38, 0, \
      "the id is taken, with another credited account") \
    X(EXISTS_WITH_DIFFERENT_AMOUNT, exists_with_different_amount, 0, 39, 0, \
      "the id is taken, with another amount") \
    X(EXISTS_WITH_DIFFERENT_USER_DATA_128, exists_with_different_user_data_128, 16, 41, 0, \
      "the id is taken, with another user_data_128") \
    X(EXISTS_WITH_DIFFERENT_USER_DATA_64, exists_with_different_user_data_64, 17, 42, 0, \
      "the id is taken, with another user_data_64") \
    X(EXISTS_WITH_DIFFERENT_USER_DATA_32, exists_with_different_user_data_32, 18, 43, 0, \
      "the id is taken, with another user_data_32") \
    X(EXISTS_WITH_DIFFERENT_LEDGER, exists_with_different_ledger, 19, 67, 0, \
      "the id is taken, in another ledger or currency") \
    X(EXISTS_WITH_DIFFERENT_CODE, exists_with_different_code, 20, 45, 0, \
      "the id is taken, with another code") \
    X(EXISTS, exists, 21, 46, 0, "it was there already, the same") \
    X(ID_ALREADY_FAILED, id_already_failed, 0, 68, 0, \
      "a transfer with this id failed before; take a new id") \
    X(FLAGS_ARE_MUTUALLY_EXCLUSIVE, flags_are_mutually_exclusive, 8, 7, 0, \
      "two flags are set that exclude each other") \
    X(DEBITS_PENDING_MUST_BE_ZERO, debits_pending_must_be_zero, 9, 0, 0, \
      "an account begins with nothing") \
    X(DEBITS_POSTED_MUST_BE_ZERO, debits_posted_must_be_zero, 10, 0, 0, \
      "an account begins with nothing") \
    X(CREDITS_PENDING_MUST_BE_ZERO, credits_pending_must_be_zero, 11, 0, 0, \
      "an account begins with nothing") \
    X(CREDITS_POSTED_MUST_BE_ZERO, credits_posted_must_be_zero, 12, 0, 0, \
      "an account begins with nothing") \
    X(LEDGER_MUST_NOT_BE_ZERO, ledger_must_not_be_zero, 13, 19, 0, \
      "a ledger or currency is needed") \
    X(CODE_MUST_NOT_BE_ZERO, code_must_not_be_zero, 14, 20, 0, "a code is needed") \
    X(DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO, debit_account_id_must_not_be_zero, 0, 8, 0, \
      "an account to debit is needed") \
    X(DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX, debit_account_id_must_not_be_int_max, 0, 9, 0, \
      "2^128-1 is no account") \
    X(CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO, credit_account_id_must_not_be_zero, 0, 10, 0, \
      "an account to credit is needed") \
    X(CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX, credit_account_id_must_not_be_int_max, 0, 11, 0, \
      "2^128-1 is no account") \
    X(ACCOUNTS_MUST_BE_DIFFERENT, accounts_must_be_different, 0, 12, 0, \
      "a transfer needs two accounts") \
    X(PENDING_ID_MUST_BE_ZERO, pending_id_must_be_zero, 0, 13, 0, \
      "only a post or void names a pending transfer") \
    X(PENDING_ID_MUST_NOT_BE_ZERO, pending_id_must_not_be_zero, 0, 14, 0, \
      "a post or void names a pending transfer") \
    X(PENDING_ID_MUST_NOT_BE_INT_MAX, pending_id_must_not_be_int_max, 0, 15, 0, \
      "2^128-1 is no transfer") \
    X(PENDING_ID_MUST_BE_DIFFERENT, pending_id_must_be_different, 0, 16, 0, \
      "a transfer does not resolve itself") \
    X(TIMEOUT_RESERVED_FOR_PENDING_TRANSFER, timeout_reserved_for_pending_transfer, 0, 17, 0, \
      "only a pending transfer runs out") \
    X(CLOSING_TRANSFER_MUST_BE_PENDING, closing_transfer_must_be_pending, 0, 64, 0, \
      "a transfer that closes an account is pending") \
    X(DEBIT_ACCOUNT_NOT_FOUND, debit_account_not_found, 0, 21, 1, \
      "there is no account with the debited one's id") \
    X(CREDIT_ACCOUNT_NOT_FOUND, credit_account_not_found, 0, 22, 1, \
      "there is no account with the credited one's id") \
    X(ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER, accounts_must_have_the_same_ledger, 0, 23, 0, \
      "the accounts are kept in different ledgers or currencies") \
    X(TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS, \
      transfer_must_have_the_same_ledger_as_accounts, 0, 24, 0, \
      "the accounts are kept in another ledger or currency") \
    X(PENDING_TRANSFER_NOT_FOUND, pending_transfer_not_found, 0, 25, 1, \
      "there is no such pending transfer") \
    X(PENDING_TRANSFER_NOT_PENDING, pending_transfer_not_pending, 0, 26, 0, \
      "the transfer was never pending") \
    X(PENDING_TRANSFER_HAS_DIFFERENT_DEBIT_ACCOUNT_ID, \
      pending_transfer_has_different_debit_account_id, 0, 27, 0, \
      "the pending transfer debits another account") \
    X(PENDING_TRANSFER_HAS_DIFFERENT_CREDIT_ACCOUNT_ID, \
      pending_transfer_has_different_credit_account_id, 0, 28, 0, \
      "the pending transfer credits another account") \
    X(PENDING_TRANSFER_HAS_DIFFERENT_LEDGER, pending_transfer_has_different_ledger, 0, 29, 0, \
      "the pending transfer is of another ledger or currency") \
    X(PENDING_TRANSFER_HAS_DIFFERENT_CODE, pending_transfer_has_different_code, 0, 30, 0, \
      "the pending transfer has another code") \
    X(EXCEEDS_PENDING_TRANSFER_AMOUNT, exceeds_pending_transfer_amount, 0, 31, 0, \
      "that is more than is pending") \
    X(PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT, pending_transfer_has_different_amount, 0, 32, 0, \
      "a pending transfer is voided as a whole") \
    X(PENDING_TRANSFER_ALREADY_POSTED, pending_transfer_already_posted, 0, 33, 0, \
      "it was posted before") \
    X(PENDING_TRANSFER_ALREADY_VOIDED, pending_transfer_already_voided, 0, 34, 0, \
      "it was voided before") \
    X(PENDING_TRANSFER_EXPIRED, pending_transfer_expired, 0, 35, 0, "its time has run out") \
    X(IMPORTED_EVENT_TIMESTAMP_MUST_NOT_REGRESS, \
      imported_event_timestamp_must_not_regress, 26, 60, 0, \
      "a later one is stored already, or one at this very time") \
    X(IMPORTED_EVENT_TIMESTAMP_MUST_POSTDATE_DEBIT_ACCOUNT, \
      imported_event_timestamp_must_postdate_debit_account, 0, 61, 0, \
      "the debited account is younger") \
    X(IMPORTED_EVENT_TIMESTAMP_MUST_POSTDATE_CREDIT_ACCOUNT, \
      imported_event_timestamp_must_postdate_credit_account, 0, 62, 0, \
      "the credited account is younger") \
    X(IMPORTED_EVENT_TIMEOUT_MUST_BE_ZERO, imported_event_timeout_must_be_zero, 0, 63, 0, \
      "what is imported does not run out") \
    X(DEBIT_ACCOUNT_ALREADY_CLOSED, debit_account_already_closed, 0, 65, 1, \
      "the debited account is closed") \
    X(CREDIT_ACCOUNT_ALREADY_CLOSED, credit_account_already_closed, 0, 66, 1, \
      "the credited account is closed") \
    X(OVERFLOWS_DEBITS_PENDING, overflows_debits_pending, 0, 47, 0, \
      "the debited account's pending sum would pass 2^128-1") \
    X(OVERFLOWS_CREDITS_PENDING, overflows_credits_pending, 0, 48, 0, \
      "the credited account's pending sum would pass 2^128-1") \
    X(OVERFLOWS_DEBITS_POSTED, overflows_debits_posted, 0, 49, 0, \
      "the debited account's posted sum would pass 2^128-1") \
    X(OVERFLOWS_CREDITS_POSTED, overflows_credits_posted, 0, 50, 0, \
      "the credited account's posted sum would pass 2^128-1") \
    X(OVERFLOWS_DEBITS, overflows_debits, 0, 51, 0, \
      "all that the debited account gave and holds would pass 2^128-1") \
    X(OVERFLOWS_CREDITS, overflows_credits, 0, 52, 0, \
      "all that the credited account got and awaits would pass 2^128-1") \
    X(OVERFLOWS_TIMEOUT, overflows_timeout, 0, 53, 0, \
      "it would run out after the end of time, 2^63-1 ns") \
    X(EXCEEDS_CREDITS, exceeds_credits, 0, 54, 1, \
      "the debited account has not so much to give") \
    X(EXCEEDS_DEBITS, exceeds_debits, 0, 55, 1, "the credited account may not take so much")
/* clang-format on */

#endif
