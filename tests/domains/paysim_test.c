/*
 * The bank against PaySim's own books: 100,000 transactions decided one after the other, without a
 * server. Every refusal and every balance after every row must come out as in the data, and all
 * balances together must stay at zero.
 *
 * paysim_test FOLDER-OF-THE-DATA
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "command/decide.h"
#include "domains/bank/bank.h"
#include "domains/bank/csv.h"
#include "tap/tap.h"

enum { SLOTS = 1 << 17, NAME_BYTES = 40, CURRENCY_BYTES = 4 };

struct account {
    char name[NAME_BYTES];
    size_t name_len;
    struct bank_account state;
};

static const char *folder;
static struct account *accounts; /* SLOTS of them, open addressing; few enough to fit */
static int64_t differences;
static struct sl_arena arena;
static struct sl_decision decision;

static struct account *account_of(struct sl_text name)
{
    size_t slot = sl_hash64(name.ptr, name.len, 0) % SLOTS;

    while (accounts[slot].name_len > 0 &&
           !sl_text_equals((struct sl_text){accounts[slot].name, accounts[slot].name_len}, name))
        slot = (slot + 1) % SLOTS;
    if (accounts[slot].name_len == 0 && name.len < NAME_BYTES) {
        memcpy(accounts[slot].name, name.ptr, name.len);
        accounts[slot].name_len = name.len;
    }
    return &accounts[slot];
}

static struct sl_text name_of(const struct account *account)
{
    return (struct sl_text){account->name, account->name_len};
}

static const struct sl_command *command_named(const char *name)
{
    for (size_t i = 0; i < bank_domain.commands.count; i++)
        if (strcmp(bank_domain.commands.items[i].name, name) == 0)
            return &bank_domain.commands.items[i];
    return NULL;
}

/* Decides and, if it is accepted, evolves the accounts. The rule that refused, or NULL. */
static const char *carry_out(const char *name, const void *body, struct account *first,
                             struct account *second)
{
    const void *states[] = {&first->state, second ? &second->state : NULL};
    const struct sl_case c = {.command = body, .state = states, .state_count = second ? 2 : 1};

    sl_arena_reset(&arena);
    sl_decision_reset(&decision, &arena, c.state_count);
    if (sl_decide(command_named(name), &c, &decision) == SL_REFUSED)
        return decision.rule;
    for (size_t i = 0; i < decision.count; i++) {
        const struct sl_event event = {.type = decision.events[i].type,
                                       .body = decision.events[i].body};
        bank_accounts.evolve(&first->state, &event);
        if (second)
            bank_accounts.evolve(&second->state, &event);
    }
    return NULL;
}

static const char *open_account(struct account *account, enum bank_kind kind, int64_t limit)
{
    struct bank_open_account command = {.id = name_of(account), .kind = kind, .limit = limit};

    memcpy(command.currency, "XXX", CURRENCY_BYTES);
    return carry_out("OpenAccount", &command, account, NULL);
}

static const char *transfer(struct account *from, struct account *to, int64_t amount)
{
    struct bank_transfer command = {.from = name_of(from), .to = name_of(to), .amount = amount};

    memcpy(command.currency, "XXX", CURRENCY_BYTES);
    return carry_out("Transfer", &command, from, to);
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

    memset(accounts, 0, SLOTS * sizeof *accounts);
    struct account *opening = account_of(SL_TEXT("OPENING"));
    CHECK(open_account(opening, BANK_EXTERNAL, 0) == NULL);
    if (!open_file(&csv, "paysim_accounts.csv"))
        return;
    while (bank_csv_next(&csv)) {
        struct account *account = account_of(csv.fields[0]);
        int64_t balance = 0, floor = 0;
        CHECK(bank_csv_number(csv.fields[1], &balance) && bank_csv_number(csv.fields[2], &floor));
        CHECK(open_account(account, BANK_CLIENT, -floor) == NULL);
        CHECK(balance == 0 || transfer(opening, account, balance) == NULL);
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
    struct account *client = account_of(csv->fields[4]), *other = account_of(csv->fields[5]);
    int64_t amount = 0, rejected = 0, after = 0, other_after = 0;

    if (csv->field_count != 10 || !bank_csv_number(csv->fields[3], &amount) ||
        !bank_csv_number(csv->fields[6], &rejected) || !bank_csv_number(csv->fields[8], &after))
        differs(csv, "not a row");
    if (!other->state.opened && open_account(other, BANK_EXTERNAL, 0) != NULL)
        differs(csv, "an external account cannot be opened");
    const char *rule = transfer(credits ? other : client, credits ? client : other, amount);
    if (rejected ? !rule || strcmp(rule, "insufficient_funds") != 0 : rule != NULL)
        differs(csv, rule ? rule : "not refused");
    if (bank_balance(&client->state) != after)
        differs(csv, "the balance after it");
    if (!rule) {
        const struct bank_transferred *told = decision.events[0].body;
        if ((credits ? told->to_balance : told->from_balance) != after)
            differs(csv, "the balance that the event tells");
        if (bank_csv_number(csv->fields[9], &other_after) &&
            (told->to_balance != other_after || bank_balance(&other->state) != other_after))
            differs(csv, "the receiver's balance after it");
    }
}

static void check_sums(void)
{
    int64_t sum = 0;

    for (size_t i = 0; i < SLOTS; i++)
        sum += bank_balance(&accounts[i].state);
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
    accounts = calloc(SLOTS, sizeof *accounts);
    if (!accounts)
        return 1;
    const int failed = TAP_RUN({"5,000 transactions", sample}, {"100,000 transactions", whole});
    free(accounts);
    sl_decision_close(&decision);
    sl_arena_close(&arena);
    return failed;
}
