/*
 * The ledger against PaySim's own books: 100,000 transactions judged one after the other, without a
 * server. Every refusal and every balance after every row must come out as in the data, and all
 * balances together must stay at zero.
 *
 * paysim_test FOLDER-OF-THE-DATA
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domains/bank/bank.h"
#include "domains/bank/csv.h"
#include "domains/bank/currencies.h"
#include "domains/bank/ids.h"
#include "domains/bank/ledger_book.h"
#include "tap/tap.h"

enum { HELD_MAX = 1 << 18, SLOTS = 1 << 19 };

static const char *folder;
static struct ledger_book book;
static struct ledger_undo undo[4];
static int64_t differences;
static uint64_t clock_ns;
static sl_u128 transfer_count;

static void *zeroed(void *memory, size_t count, size_t size)
{
    if (memory)
        memset(memory, 0, count * size);
    else
        memory = calloc(count, size);
    if (!memory)
        abort(); /* nothing can be tested */
    return memory;
}

static void open_book(void)
{
    static uint32_t *slots[3];

    book = (struct ledger_book){
        .accounts = zeroed(book.accounts, HELD_MAX, sizeof *book.accounts),
        .transfers = zeroed(book.transfers, HELD_MAX, sizeof *book.transfers),
        .moments = zeroed(book.moments, HELD_MAX, sizeof *book.moments),
        .undo = undo,
    };
    for (size_t i = 0; i < 3; i++)
        slots[i] = zeroed(slots[i], SLOTS, sizeof **slots);
    ledger_index_init(&book.by_account, slots[0], SLOTS);
    ledger_index_init(&book.by_transfer, slots[1], SLOTS);
    ledger_index_init(&book.by_moment, slots[2], SLOTS);
    clock_ns = 0;
    transfer_count = 0;
}

static sl_u128 number_of(struct sl_text name)
{
    sl_u128 id = 0;

    CHECK(bank_id_read(name, &id) && id != 0);
    return id;
}

static const struct ledger_held_account *open_account(sl_u128 id, bool client, int64_t limit)
{
    const struct ledger_account account = {
        .id = id,
        .ledger = bank_currency_named("XXX")->number,
        .code = 1,
        .flags = client ? LEDGER_DEBITS_MUST_NOT_EXCEED_CREDITS : 0,
    };
    enum ledger_code code;
    uint64_t time;

    ledger_book_create_accounts(&book, &account, 1, (struct ledger_request){.time = ++clock_ns},
                                &code, &time);
    CHECK(code == LEDGER_CREATED);
    struct ledger_held_account *held = ledger_book_account(&book, id);
    held->limit = (sl_u128)limit;
    return held;
}

static enum ledger_code transfer(const struct ledger_held_account *from,
                                 const struct ledger_held_account *to, int64_t amount)
{
    const struct ledger_transfer request = {
        .id = ++transfer_count,
        .debit_account_id = from->account.id,
        .credit_account_id = to->account.id,
        .amount = (sl_u128)amount,
        .ledger = from->account.ledger,
        .code = 1,
    };
    enum ledger_code code;
    uint64_t time;

    ledger_book_create_transfers(&book, &request, 1, (struct ledger_request){.time = ++clock_ns},
                                 &code, &time);
    return code;
}

static int64_t balance_of(const struct ledger_held_account *held)
{
    return bank_balance_of(held->account.credits_posted, held->account.debits_posted);
}

static bool open_file(struct bank_csv *csv, const char *name)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return CHECK(bank_csv_open(csv, path)) && CHECK(bank_csv_next(csv));
}

static void open_all(void)
{
    struct bank_csv csv;

    open_book();
    const struct ledger_held_account *opening =
        open_account(number_of(SL_TEXT("OPENING")), false, 0);
    if (!open_file(&csv, "paysim_accounts.csv"))
        return;
    while (bank_csv_next(&csv)) {
        int64_t balance = 0, floor = 0;
        CHECK(bank_csv_number(csv.fields[1], &balance) && bank_csv_number(csv.fields[2], &floor));
        const struct ledger_held_account *account =
            open_account(number_of(csv.fields[0]), true, -floor);
        CHECK(balance == 0 || transfer(opening, account, balance) == LEDGER_CREATED);
    }
    CHECK(bank_csv_close(&csv, folder));
}

static void differs(const struct bank_csv *csv, const char *what)
{
    if (differences++ < 10)
        tap_note("line %lu: %s", csv->line, what);
}

static void replay_row(const struct bank_csv *csv)
{
    const bool credits = sl_text_equals(csv->fields[2], SL_TEXT("CASH_IN"));
    const sl_u128 name = number_of(csv->fields[5]);
    const struct ledger_held_account *client =
        ledger_book_account(&book, number_of(csv->fields[4]));
    const struct ledger_held_account *other = ledger_book_account(&book, name);
    int64_t amount = 0, rejected = 0, after = 0, other_after = 0;

    if (csv->field_count != 10 || !bank_csv_number(csv->fields[3], &amount) ||
        !bank_csv_number(csv->fields[6], &rejected) || !bank_csv_number(csv->fields[8], &after))
        differs(csv, "not a row");
    REQUIRE(client);
    if (!other)
        other = open_account(name, false, 0);
    const enum ledger_code code =
        transfer(credits ? other : client, credits ? client : other, amount);
    if (code != (rejected ? LEDGER_EXCEEDS_CREDITS : LEDGER_CREATED))
        differs(csv, ledger_verdict_of(code)->name);
    if (balance_of(client) != after)
        differs(csv, "the balance after it");
    if (!rejected && bank_csv_number(csv->fields[9], &other_after) &&
        balance_of(other) != other_after)
        differs(csv, "the receiver's balance after it");
}

static void check_sums(void)
{
    int64_t sum = 0;

    for (size_t i = 0; i < book.account_count; i++)
        sum += balance_of(&book.accounts[i]);
    CHECK(sum == 0);
}

static void replay(const char *name, uint64_t rows_wanted)
{
    struct bank_csv csv;
    uint64_t rows = 0;

    open_all();
    differences = 0;
    if (!open_file(&csv, name))
        return;
    while (bank_csv_next(&csv)) {
        replay_row(&csv);
        rows++;
    }
    CHECK(bank_csv_close(&csv, name));
    CHECK_U64(rows, rows_wanted);
    CHECK_U64(differences, 0);
    check_sums();
}

static void sample(void)
{
    replay("paysim_sample_5000.csv", 5000);
}

static void whole(void)
{
    if (system("zstd --version >/dev/null 2>&1") != 0) /* NOLINT: asks whether it is there */
        tap_skip("the program zstd is missing");
    else
        replay("paysim_transactions.csv.zst", 100000);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: paysim_test FOLDER\n");
        return 2;
    }
    folder = argv[1];
    const int failed = TAP_RUN({"5,000 transactions", sample}, {"100,000 transactions", whole});
    free(book.accounts);
    free(book.transfers);
    free(book.moments);
    free(book.by_account.slots);
    free(book.by_transfer.slots);
    free(book.by_moment.slots);
    return failed;
}
