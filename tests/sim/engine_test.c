/*
 * The whole engine, on one thread, in a world that a seed decides: the bank's clients send
 * transfers, some of them twice or again; the disk fails now and then, and the power some time.
 * Then the engine starts again, and it must be true that
 *
 *   P2  no acknowledged outcome is missing, refusals included,
 *   P4  no command was carried out twice, and its id gets the outcome it got before,
 *   L1  positions are 0,1,2,…,
 *   V1  what views show is what the log says.
 *
 * A failure prints its seed: SLUICE_SEED=N runs that life alone.
 */
#include "base/env_sim.h"
#include "domains/bank/bank.h"
#include "engine/engine.h"
#include "stores/log/log_store.h"
#include "stores/sqlite/sqlite.h"
#include "tap/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIVES = 60,
    LIVES_LONG = 3000,
    ACCOUNTS = 6,
    COMMANDS_MAX = 160,
    ENGINE_SUBMIT = 0x7000,
};

/* The machine that loses its power frees nothing. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

struct client_command {
    struct sl_message message;
    struct sl_submission submission;
    struct life *life;
    union {
        struct bank_open_account open;
        struct bank_transfer transfer;
    } body;
    bool under_way;
    int acknowledged; /* the status that was told; 0: none for certain */
};

struct life {
    uint64_t seed;
    struct sl_env *env;
    struct sl_core *core;
    struct sl_mailbox *mailbox;
    struct sl_core_domain *bank;
    struct client_command commands[COMMANDS_MAX];
    size_t command_count;
    bool bad;
};

static const char *const names[ACCOUNTS] = {"cash", "ada", "ben", "cleo", "dan", "eve"};

static struct sl_text name_of(size_t account)
{
    return (struct sl_text){names[account], strlen(names[account])};
}

static bool expect(struct life *life, bool good, const char *what)
{
    if (!good && !life->bad)
        tap_note("seed %llu: %s", (unsigned long long)life->seed, what);
    life->bad = life->bad || !good;
    return good;
}

/* ---- The engine as an actor ------------------------------------------------------------------ */

static void step(void *self, struct sl_message *message)
{
    struct life *life = self;

    if (message->kind == ENGINE_SUBMIT)
        sl_core_submit(life->bank, &((struct client_command *)(void *)message)->submission);
    else
        sl_core_step(life->core, message);
}

static int64_t turn(void *self)
{
    struct life *life = self;

    return life->core ? sl_core_turn(life->core) : INT64_MAX;
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "segment_bytes") == 0 ? "262144" : NULL;
}

/* False: the power failed meanwhile. */
static bool start(struct life *life)
{
    const struct sl_actor actor = {.name = "engine", .self = life, .step = step, .turn = turn};
    const struct sl_core_domain_options domain = {
        .domain = &bank_domain,
        .store = &sl_log_store_ops,
        .store_options = {"data/log", "bank", setting, NULL}};
    struct sl_error error = {0};

    life->core = NULL;
    if (sl_disk_make_folder(life->env, "data/views", &error) != SL_OK ||
        sl_env_start(life->env, &actor, &life->mailbox, &error) != SL_OK)
        return false;
    const struct sl_core_options options = {
        .env = life->env,
        .mailbox = life->mailbox,
        .domains = &domain,
        .domain_count = 1,
        .view_store = &sl_sqlite_view_store,
        .view_store_options = {"data/views", setting, NULL},
        .readers = 1};
    enum sl_err err = sl_core_open(&options, &life->core, &error);
    if (err != SL_OK) {
        expect(life, sl_sim_power_is_out(life->env), error.message);
        return false;
    }
    life->bank = sl_core_domain_at(life->core, 0);
    while (!sl_core_is_ready(life->core) && !sl_sim_power_is_out(life->env))
        if (!sl_sim_step(life->env))
            sl_sim_advance(life->env, 100000000);
    return !sl_sim_power_is_out(life->env);
}

static void crash(struct life *life)
{
    sl_core_close(life->core);
    life->core = NULL;
    sl_sim_power_loss(life->env);
    sl_env_stop(life->env, life->mailbox);
    for (size_t i = 0; i < life->command_count; i++)
        life->commands[i].under_way = false;
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void done(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct client_command *command = submission->user;
    struct life *life = command->life;

    command->under_way = false;
    if (outcome->status == 503)
        return; /* not taken, or nobody knows */
    if (command->acknowledged) {
        expect(life, command->acknowledged == outcome->status, "P4: another outcome for an id");
        expect(life, outcome->repeated, "C1: an acknowledged command was decided again");
    }
    command->acknowledged = outcome->status;
}

static void send(struct life *life, struct client_command *command)
{
    command->under_way = true;
    command->message = (struct sl_message){.kind = ENGINE_SUBMIT};
    sl_mailbox_post(life->mailbox, &command->message);
}

static struct client_command *new_command(struct life *life, const char *name)
{
    static const struct sl_principal nobody;
    const size_t place = life->command_count++;
    struct client_command *command = &life->commands[place];
    const struct sl_text text = {name, strlen(name)};

    command->life = life;
    command->submission =
        (struct sl_submission){.command = sl_core_command(life->bank, text),
                               .body = &command->body,
                               .id = {{1, (uint8_t)place, (uint8_t)(place >> 8)}},
                               .digest = {{2, (uint8_t)place}},
                               .principal = &nobody,
                               .done = done,
                               .user = command};
    return command;
}

static void open_account(struct life *life, size_t account)
{
    struct client_command *command = new_command(life, "OpenAccount");

    command->body.open = (struct bank_open_account){
        .id = name_of(account),
        .kind = account == 0 ? BANK_EXTERNAL : BANK_CLIENT,
        .currency = "EUR"};
    send(life, command);
}

static void transfer(struct life *life)
{
    struct client_command *command = new_command(life, "Transfer");

    command->body.transfer = (struct bank_transfer){
        .from = name_of(sl_sim_random(life->env, ACCOUNTS)),
        .to = name_of(sl_sim_random(life->env, ACCOUNTS)),
        .amount = 1 + (int64_t)sl_sim_random(life->env, 50),
        .currency = "EUR"};
    send(life, command);
}

static void again(struct life *life)
{
    struct client_command *command = &life->commands[sl_sim_random(life->env, life->command_count)];

    if (!command->under_way)
        send(life, command);
}

static void live(struct life *life, size_t commands)
{
    const bool disk_fails = sl_sim_random(life->env, 3) == 0;

    for (size_t account = 0; account < ACCOUNTS && life->command_count < ACCOUNTS; account++)
        open_account(life, account);
    while (!sl_sim_power_is_out(life->env) && life->command_count < commands) {
        const uint64_t what = sl_sim_random(life->env, 12);
        if (disk_fails && sl_sim_random(life->env, 200) == 0)
            sl_sim_disk_fail_at(life->env, 1 + sl_sim_random(life->env, 6));
        if (what == 0)
            transfer(life);
        else if (what == 1)
            again(life);
        else if (!sl_sim_step(life->env))
            sl_sim_advance(life->env, 1000000 + (int64_t)sl_sim_random(life->env, 300000000));
    }
}

/* ---- What must be true afterwards ------------------------------------------------------------ */

struct truth {
    struct life *life;
    int64_t balances[ACCOUNTS];
    unsigned times[COMMANDS_MAX]; /* events of each command */
    bool read;
};

static void run_until(struct life *life, const bool *flag)
{
    for (int i = 0; !*flag && i < 1000000; i++)
        if (!sl_sim_step(life->env))
            sl_sim_advance(life->env, 50000000);
}

static size_t account_named(struct sl_text name)
{
    for (size_t i = 0; i < ACCOUNTS; i++)
        if (sl_text_equals(name, name_of(i)))
            return i;
    return 0;
}

static void count_event(struct truth *truth, const struct sl_stored_event *stored)
{
    const size_t place = stored->command.bytes[1] | (size_t)stored->command.bytes[2] << 8;
    const struct client_command *command = &truth->life->commands[place];

    if (!expect(truth->life, place < truth->life->command_count, "an event of no command"))
        return;
    truth->times[place]++;
    if (place >= ACCOUNTS) {
        const struct bank_transfer *body = &command->body.transfer;
        truth->balances[account_named(body->from)] -= body->amount;
        truth->balances[account_named(body->to)] += body->amount;
    }
}

static void log_read(struct sl_core_read *read)
{
    struct truth *truth = read->user;

    expect(truth->life, read->read.err == SL_OK, "the log can be read");
    for (size_t i = 0; i < read->read.event_count; i++) {
        expect(truth->life, read->read.events[i].position == i, "L1: positions");
        count_event(truth, &read->read.events[i]);
    }
    truth->read = true;
}

static void row_read(struct sl_lookup *lookup, enum sl_lookup_end end,
                     const struct sl_view_row *row, uint64_t position)
{
    struct truth *truth = lookup->user;
    char wanted[64];

    (void)position;
    snprintf(wanted, sizeof wanted, "\"balance\":%lld,",
             (long long)truth->balances[account_named(lookup->key)]);
    if (expect(truth->life, end == SL_LOOKUP_ROW, "V1: an account is in the view"))
        expect(truth->life, memmem(row->json.ptr, row->json.len, wanted, strlen(wanted)) != NULL,
               "V1: the view's balance is the log's");
    truth->read = true;
}

static bool all_answered(const struct life *life)
{
    for (size_t i = 0; i < life->command_count; i++)
        if (life->commands[i].under_way)
            return false;
    return true;
}

/* Every id once more: whoever was told something is told it again. */
static void ask_all_again(struct life *life)
{
    for (size_t i = 0; i < life->command_count; i++)
        send(life, &life->commands[i]);
    for (int i = 0; !all_answered(life) && i < 1000000; i++)
        if (!sl_sim_step(life->env))
            sl_sim_advance(life->env, 50000000);
    expect(life, all_answered(life), "every command is answered");
}

static void check(struct life *life)
{
    struct truth truth = {.life = life};
    struct sl_core_read read = {.domain = life->bank,
                                .done = log_read,
                                .user = &truth,
                                .read = {.by = SL_READ_POSITION,
                                         .until = UINT64_MAX,
                                         .count_max = 100000,
                                         .bytes_max = 16u << 20}};
    struct sl_domain_numbers numbers;

    ask_all_again(life);
    sl_core_read(&read);
    run_until(life, &truth.read);
    sl_core_read_close(&read);
    for (size_t i = 0; i < life->command_count; i++) {
        const unsigned wanted = life->commands[i].acknowledged == 201;
        expect(life, truth.times[i] == wanted, "P2, P4: each accepted command is in the log once");
    }
    sl_core_numbers(life->bank, &numbers);
    for (size_t i = 0; i < ACCOUNTS; i++) {
        struct sl_lookup lookup = {.domain = life->bank,
                                   .view = sl_core_view(life->bank, SL_TEXT("balance")),
                                   .key = name_of(i),
                                   .position = numbers.durable_position,
                                   .until_ns = INT64_MAX,
                                   .done = row_read,
                                   .user = &truth};
        truth.read = false;
        sl_core_lookup(&lookup);
        run_until(life, &truth.read);
        expect(life, truth.read, "a lookup is answered");
    }
}

/* ---- Lives ----------------------------------------------------------------------------------- */

static bool run_life(uint64_t seed)
{
    static struct life life;
    const int reigns = 1 + (int)(seed % 3);

    life = (struct life){.seed = seed};
    if (sl_env_sim_new(seed, &life.env) != SL_OK)
        return false;
    for (int reign = 0; reign < reigns && !life.bad; reign++) {
        sl_sim_power_loss_at(life.env, 1 + sl_sim_random(life.env, 400));
        if (start(&life))
            live(&life, (size_t)(reign + 1) * COMMANDS_MAX / (size_t)reigns);
        crash(&life);
        sl_sim_power_loss_at(life.env, 0);
        sl_sim_disk_fail_at(life.env, 0);
    }
    sl_sim_power_loss_at(life.env, 0);
    if (expect(&life, start(&life), "it starts again") && life.command_count > 0)
        check(&life);
    crash(&life);
    sl_env_free(life.env);
    return !life.bad;
}

static void lives(void)
{
    const char *only = getenv("SLUICE_SEED");
    const char *is_long = getenv("SLUICE_LONG");
    const uint64_t count = is_long && strcmp(is_long, "1") == 0 ? LIVES_LONG : LIVES;

    if (only) {
        CHECK(run_life(strtoull(only, NULL, 10)));
        return;
    }
    for (uint64_t seed = 1; seed <= count; seed++)
        if (!CHECK(run_life(seed)))
            return;
}

int main(void)
{
    return TAP_RUN({"a bank's life, with failing disks and power", lives});
}
