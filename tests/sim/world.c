#include "tests/sim/world.h"

#include "domains/bank/bank.h"
#include "stores/log/log_store.h"
#include "stores/sqlite/sqlite.h"
#include "tap/tap.h"
#include "tests/domains/order.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORLD_SUBMIT = 0x7000, WORLD_LOOKUP, WORLD_DRAIN, WORLD_CLOSE, WORLD_REBUILD };

static const int64_t second = INT64_C(1000000000);

bool world_expect(struct world *world, bool good, const char *what)
{
    if (!good && !world->bad) {
        snprintf(world->complaint, sizeof world->complaint, "%s", what);
        if (!world->is_quiet)
            tap_note("seed %llu: %s", (unsigned long long)world->seed, what);
    }
    world->bad = world->bad || !good;
    return good;
}

/* ---- The engine as an actor ------------------------------------------------------------------ */

/* At the end of a turn, when no message of the engine's is in hand. */
static void close_core(struct world *world)
{
    sl_core_close(world->core);
    world->core = NULL;
    world->has_closed = true;
}

static void drained(void *context)
{
    close_core(context);
}

/* Half of the views, or all of them. That some are being rebuilt is no reason not to ask again. */
static void rebuild(struct world *world)
{
    bool wanted[16];
    struct sl_error error;

    world->rebuild_asked = false;
    for (size_t d = 0; d < 2; d++) {
        for (size_t i = 0; i < 16; i++)
            wanted[i] = world->rebuilds % 2 == 0 || i % 2 == d;
        const enum sl_err err =
            sl_core_view_rebuild(sl_core_domain_at(world->core, d), wanted, &error);
        world->rebuilds += err == SL_OK;
    }
}

static void step(void *self, struct sl_message *message)
{
    struct world *world = self;

    if (message->kind == WORLD_SUBMIT) {
        struct world_command *command = (struct world_command *)(void *)message;
        sl_core_submit(world_is_bank(command->kind) ? world->bank : world->order,
                       &command->submission);
    } else if (message->kind == WORLD_LOOKUP) {
        sl_core_lookup(&((struct world_question *)(void *)message)->lookup);
    } else if (message->kind == WORLD_REBUILD) {
        rebuild(world);
    } else if (message->kind == WORLD_DRAIN) {
        sl_core_drain(world->core, drained, world);
    } else if (message->kind == WORLD_CLOSE) {
        world->closing = true;
    } else {
        sl_core_step(world->core, message);
    }
}

static int64_t turn(void *self)
{
    struct world *world = self;

    const int64_t next = world->core ? sl_core_turn(world->core) : INT64_MAX;
    if (world->closing && world->core)
        close_core(world);
    return world->core ? next : INT64_MAX;
}

/* P1: what a follower sees has no holes, and stays as it was seen. */
static void happened(struct sl_log_watch *watch, const struct sl_stored_event *event)
{
    struct world *world = watch->user;
    struct world_seen *seen = &world->seen[watch == &world->order_watch];
    const struct sl_slice parts[] = {{event->body.ptr, event->body.len},
                                     {(const uint8_t *)event->stream.ptr, event->stream.len},
                                     {event->command.bytes, sizeof event->command.bytes}};
    const uint64_t digest = sl_hash_uuid(sl_hash128(parts, 3, event->revision));

    world_expect(world, seen->next == UINT64_MAX || seen->next == event->position,
                 "P1: a follower sees every event once, in order");
    seen->next = event->position + 1;
    while (event->position >= seen->capacity) {
        const uint64_t capacity = seen->capacity ? seen->capacity * 2 : 1024;
        sl_sim_takes_memory = sl_sim_takes_memory + 1;
        uint64_t *digests = reallocarray(seen->digests, capacity, sizeof *digests);
        int64_t *latest_ns = reallocarray(seen->latest_ns, capacity, sizeof *latest_ns);
        sl_sim_takes_memory = sl_sim_takes_memory - 1;
        SL_ASSERT(digests && latest_ns);
        memset(digests + seen->capacity, 0, (capacity - seen->capacity) * sizeof *digests);
        memset(latest_ns + seen->capacity, 0, (capacity - seen->capacity) * sizeof *latest_ns);
        seen->digests = digests;
        seen->latest_ns = latest_ns;
        seen->capacity = capacity;
    }
    if (seen->digests[event->position])
        world_expect(world, seen->digests[event->position] == digest,
                     "L1: an event that was seen became another one");
    else
        seen->latest_ns[event->position] = world->latest_ns;
    seen->digests[event->position] = digest;
    if (event->position >= seen->count)
        seen->count = event->position + 1;
}

/* ---- Start, stop, crash ---------------------------------------------------------------------- */

static const char *setting(void *context, const char *key)
{
    const struct world *world = context;

    return strcmp(key, "segment_bytes") == 0 ? world->segment_bytes : NULL;
}

bool world_make(struct world *world, uint64_t seed)
{
    *world = (struct world){.seed = seed, .segment_bytes = "262144"};
    /* SQLite has random numbers of its own, for the whole program. */
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(seed & 0xffffff) + 1, NULL);
    return sl_env_sim_new(seed, &world->env) == SL_OK &&
           sl_json_parser_new(&world->parser) == SL_OK &&
           (world->commands = calloc(WORLD_COMMANDS_MAX, sizeof(void *))) != NULL;
}

void world_free(struct world *world)
{
    for (size_t i = 0; i < world->command_count; i++) {
        sl_arena_close(&world->commands[i]->arena);
        free(world->commands[i]);
    }
    free(world->commands);
    free(world->seen[0].digests);
    free(world->seen[1].digests);
    free(world->seen[0].latest_ns);
    free(world->seen[1].latest_ns);
    sl_json_parser_free(world->parser);
    sl_env_free(world->env);
}

static enum sl_err open_core(struct world *world)
{
    const struct sl_core_domain_options domains[] = {
        {&bank_domain, &sl_log_store_ops, {"data/log/bank", "bank", setting, world}},
        {&order_domain, &sl_log_store_ops, {"data/log/order", "order", setting, world}}};
    const struct sl_core_options options = {.env = world->env,
                                            .mailbox = world->mailbox,
                                            .domains = domains,
                                            .domain_count = 2,
                                            .view_store = &sl_sqlite_view_store,
                                            .view_store_options = {"data/views", setting, world},
                                            .queue_max = world->queue_max,
                                            .aggregate_memory_max = world->aggregate_memory_max,
                                            .readers = 2};

    enum sl_err err = sl_disk_make_folder(world->env, "data/views", &world->error);
    return err ? err : sl_core_open(&options, &world->core, &world->error);
}

static void watch(struct world *world)
{
    world->bank_watch = (struct sl_log_watch){.happened = happened, .user = world};
    world->order_watch = world->bank_watch;
    world->seen[0].next = world->seen[1].next = UINT64_MAX;
    sl_core_watch(world->bank, &world->bank_watch);
    sl_core_watch(world->order, &world->order_watch);
}

static void forget_answers(struct world *world)
{
    for (size_t i = 0; i < world->command_count; i++) {
        struct world_command *command = world->commands[i];
        command->unknowns += command->under_way;
        command->under_way = false;
    }
    for (size_t i = 0; i < WORLD_QUESTIONS; i++)
        world->questions[i].answered = true;
    world->questions_open = 0;
    world->under_way = 0;
    world->rebuild_asked = false;
}

static enum world_start refuse(struct world *world)
{
    if (world->core) {
        world->message = (struct sl_message){.kind = WORLD_CLOSE};
        sl_mailbox_post(world->mailbox, &world->message);
        (void)world_run_until(world, &world->has_closed, 10 * second);
    }
    if (sl_sim_power_is_out(world->env))
        return WORLD_POWERLESS;
    sl_env_stop(world->env, world->mailbox);
    world->mailbox = NULL;
    return WORLD_REFUSED;
}

enum world_start world_start(struct world *world)
{
    const struct sl_actor actor = {.name = "engine", .self = world, .step = step, .turn = turn};
    const int64_t until = sl_env_monotonic(world->env) + 300 * second;

    world->core = NULL;
    world->closing = world->has_closed = false;
    world->error = (struct sl_error){0};
    if (sl_env_start(world->env, &actor, &world->mailbox, &world->error) != SL_OK) {
        world->mailbox = NULL;
        return WORLD_REFUSED;
    }
    if (open_core(world) != SL_OK)
        return refuse(world);
    world->bank = sl_core_domain_at(world->core, 0);
    world->order = sl_core_domain_at(world->core, 1);
    watch(world);
    while (!sl_core_is_ready(world->core)) {
        if (sl_sim_power_is_out(world->env) || sl_core_failure(world->core, &world->error) != SL_OK)
            return refuse(world);
        if (sl_env_monotonic(world->env) >= until) {
            world_expect(world, world->may_stall, "it starts or says why not");
            return refuse(world);
        }
        world_step(world, second);
    }
    return sl_sim_power_is_out(world->env) ? refuse(world) : WORLD_READY;
}

bool world_stop(struct world *world)
{
    world->message = (struct sl_message){.kind = WORLD_DRAIN};
    sl_mailbox_post(world->mailbox, &world->message);
    const bool good = world_run_until(world, &world->has_closed, 120 * second);
    if (!sl_sim_power_is_out(world->env) && !world->may_stall)
        world_expect(world, good, "a drain comes to its end");
    forget_answers(world);
    if (world->core) /* the power has failed */
        return false;
    sl_env_stop(world->env, world->mailbox);
    world->mailbox = NULL;
    return good;
}

void world_crash(struct world *world)
{
    if (world->core && !sl_sim_power_is_out(world->env))
        sl_sim_power_loss_at(world->env, 1);
    sl_core_close(world->core);
    world->core = NULL;
    sl_sim_power_loss(world->env);
    sl_env_stop(world->env, world->mailbox);
    world->mailbox = NULL;
    sl_sim_power_loss_at(world->env, 0);
    sl_sim_disk_fail_at(world->env, 0);
    forget_answers(world);
}

void world_rebuild(struct world *world)
{
    if (!world->core || world->rebuild_asked)
        return;
    world->rebuild_asked = true;
    world->rebuild = (struct sl_message){.kind = WORLD_REBUILD};
    sl_mailbox_post(world->mailbox, &world->rebuild);
}

/* ---- Time ------------------------------------------------------------------------------------ */

void world_step(struct world *world, int64_t far_ns)
{
    const int64_t now = sl_env_monotonic(world->env);
    const int64_t utc_ns = sl_env_now(world->env).ns;

    world->went_back = world->went_back || utc_ns < world->latest_ns;
    world->latest_ns = utc_ns > world->latest_ns ? utc_ns : world->latest_ns;
    /* P8: who does something for ever at one moment runs in circles. */
    world->steps_now = now == world->steps_at ? world->steps_now + 1 : 0;
    world->steps_at = now;
    if (!world_expect(world, world->steps_now < 300000, "P8: somebody runs in circles"))
        sl_sim_advance(world->env, second);
    if (sl_sim_step(world->env))
        return;
    const int64_t next = sl_sim_next_deadline(world->env);

    if (next > now)
        sl_sim_advance(world->env, next - now < far_ns ? next - now : far_ns);
}

bool world_run_until(struct world *world, const bool *flag, int64_t ns)
{
    const int64_t until = sl_env_monotonic(world->env) + ns;

    while (!*flag && !sl_sim_power_is_out(world->env) && sl_env_monotonic(world->env) < until)
        world_step(world, second);
    return *flag;
}

void world_pass(struct world *world, int64_t ns)
{
    const bool never = false;

    (void)world_run_until(world, &never, ns);
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void done(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct world_command *command = submission->user;
    struct world *world = command->world;
    struct sl_core_domain *domain = world_is_bank(command->kind) ? world->bank : world->order;
    const uint64_t rule = sl_hash64(outcome->rule.ptr, outcome->rule.len, 0);
    /* 202 says of an accepted one only that a strong view was late for this answer. */
    const int status = outcome->status == 202 ? 201 : outcome->status;
    struct sl_domain_numbers numbers;

    world_expect(world, command->under_way, "a command is answered once");
    command->under_way = false;
    world->under_way--;
    const uint64_t told[] = {command->number, (uint64_t)outcome->status, outcome->position};
    world->told = sl_hash64(told, sizeof told, world->told);
    if (outcome->status == 503) {
        command->unknowns++;
        return; /* not taken, or nobody knows */
    }
    world_expect(world, status == 201 || status == 422, "only these are told");
    sl_core_numbers(domain, &numbers);
    world_expect(world, outcome->position <= numbers.durable_position,
                 "L2: what is told does not depend on what is not durable");
    if (command->status) {
        world_expect(world, command->status == status && command->rule == rule,
                     "P4: another outcome for the same id");
        world_expect(world, outcome->repeated, "C1: an acknowledged command was decided again");
        world_expect(world, status != 201 || command->position == outcome->position,
                     "P4: another position for the same id");
    }
    command->confirmed = true;
    command->status = status;
    command->position = outcome->position;
    command->rule = rule;
}

void world_send(struct world *world, struct world_command *command)
{
    if (command->under_way)
        return;
    command->under_way = true;
    command->sends++;
    world->under_way++;
    command->message = (struct sl_message){.kind = WORLD_SUBMIT};
    sl_mailbox_post(world->mailbox, &command->message);
}

static size_t print_json(const struct world_command *c, char *json, size_t size)
{
    const char *const order = "00000000-0000-4000-8000-";
    int len = 0;

    switch (c->kind) {
    case WORLD_OPEN:
        len = snprintf(json, size, "{\"id\":\"a%zu\",\"kind\":\"%s\",\"currency\":\"EUR\"}", c->a,
                       c->a == 0 ? "external" : "client");
        break;
    case WORLD_TRANSFER:
        len = snprintf(json, size,
                       "{\"from\":\"a%zu\",\"to\":\"a%zu\",\"amount\":%lld,\"currency\":\"EUR\"}",
                       c->a, c->b, (long long)c->amount);
        break;
    case WORLD_HOLD:
        len = snprintf(json, size,
                       "{\"id\":\"h%zu\",\"from\":\"a%zu\",\"to\":\"a%zu\",\"amount\":%lld,"
                       "\"currency\":\"EUR\",\"pending\":true,\"timeout\":%lld}",
                       c->number, c->a, c->b, (long long)c->amount, (long long)c->within_s);
        break;
    case WORLD_POST:
        len = c->amount ? snprintf(json, size, "{\"pending\":\"h%zu\",\"amount\":%lld}", c->a,
                                   (long long)c->amount)
                        : snprintf(json, size, "{\"pending\":\"h%zu\"}", c->a);
        break;
    case WORLD_VOID:
        len = snprintf(json, size, "{\"pending\":\"h%zu\"}", c->a);
        break;
    case WORLD_ADD:
        len = snprintf(json, size, "{\"item\":\"i%zu\",\"quantity\":%d}", c->a, WORLD_STOCK);
        break;
    case WORLD_PLACE:
        len = snprintf(json, size,
                       "{\"id\":\"%s%012zx\",\"customer\":\"c\",\"lines\":[{\"item\":\"i%zu\","
                       "\"quantity\":%lld,\"price\":{\"minor\":%lld,\"currency\":\"EUR\"}}],"
                       "\"ship_within_s\":%lld}",
                       order, c->number, c->a, (long long)c->amount, (long long)c->price,
                       (long long)c->within_s);
        break;
    case WORLD_SHIP:
    case WORLD_CANCEL:
        len = snprintf(json, size, "{\"id\":\"%s%012zx\"}", order, c->a);
        break;
    }
    return (size_t)len;
}

static const char *const names[] = {
    "",         "OpenAccount", "Transfer",  "Transfer",   "PostTransfer", "VoidTransfer",
    "AddStock", "PlaceOrder",  "ShipOrder", "CancelOrder"};

/* Makes the command's body and sends it. */
static struct world_command *make(struct world *world, struct world_command given)
{
    static const struct sl_principal nobody;
    const struct sl_text name = {names[given.kind], strlen(names[given.kind])};
    struct sl_broken_rule broken;
    char json[400];

    if (world->command_count == WORLD_COMMANDS_MAX || !world->core)
        return NULL;
    sl_sim_takes_memory = sl_sim_takes_memory + 1; /* clients are other programs */
    struct world_command *command = calloc(1, sizeof *command);
    SL_ASSERT(command);
    *command = given;
    command->world = world;
    command->number = world->command_count;
    const struct sl_command *found =
        sl_core_command(world_is_bank(given.kind) ? world->bank : world->order, name);
    void *body = sl_arena_zeroed(&command->arena, 1, found->record->size);
    const struct sl_text text = {json, print_json(command, json, sizeof json)};
    SL_ASSERT(sl_json_read(world->parser, found->record, text, &command->arena, body, &broken) ==
              SL_OK);
    sl_sim_takes_memory = sl_sim_takes_memory - 1;
    command->submission = (struct sl_submission){
        .command = found, .body = body, .principal = &nobody, .done = done, .user = command};
    command->submission.id.bytes[0] = command->submission.digest.bytes[0] = 0xc1;
    memcpy(command->submission.id.bytes + 8, &command->number, sizeof command->number);
    memcpy(command->submission.digest.bytes + 8, &command->number, sizeof command->number);
    world->commands[world->command_count++] = command;
    world_send(world, command);
    return command;
}

struct world_command *world_open(struct world *world, size_t account)
{
    return make(world, (struct world_command){.kind = WORLD_OPEN, .a = account});
}

struct world_command *world_transfer(struct world *world, size_t from, size_t to, int64_t amount)
{
    return make(world, (struct world_command){
                           .kind = WORLD_TRANSFER, .a = from, .b = to, .amount = amount});
}

struct world_command *world_hold(struct world *world, size_t from, size_t to, int64_t amount,
                                 int64_t within_s)
{
    return make(
        world, (struct world_command){
                   .kind = WORLD_HOLD, .a = from, .b = to, .amount = amount, .within_s = within_s});
}

struct world_command *world_resolve(struct world *world, enum world_kind kind, size_t hold,
                                    int64_t amount)
{
    return make(world, (struct world_command){.kind = kind, .a = hold, .amount = amount});
}

struct world_command *world_add(struct world *world, size_t item)
{
    return make(world, (struct world_command){.kind = WORLD_ADD, .a = item});
}

struct world_command *world_place(struct world *world, size_t item, int64_t amount, int64_t price,
                                  int64_t within_s)
{
    return make(world, (struct world_command){.kind = WORLD_PLACE,
                                              .a = item,
                                              .amount = amount,
                                              .price = price,
                                              .within_s = within_s});
}

struct world_command *world_end_order(struct world *world, enum world_kind kind, size_t order)
{
    return make(world, (struct world_command){.kind = kind, .a = order});
}

static void looked_up(struct sl_lookup *lookup, enum sl_lookup_end end,
                      const struct sl_view_row *row, uint64_t position)
{
    struct world_question *question = lookup->user;
    struct world *world = question->world;

    (void)row;
    question->answered = true;
    world->questions_open--;
    const uint64_t told[] = {(uint64_t)end, position};
    world->told = sl_hash64(told, sizeof told, world->told);
    if (end == SL_LOOKUP_LATE || end == SL_LOOKUP_BROKEN)
        return; /* the disk may have failed: said, not lied */
    world_expect(world, position >= lookup->position, "P3: a view is read where it was asked for");
    world_expect(world, !question->must_be_there || end == SL_LOOKUP_ROW,
                 "P3: what was written is read");
}

void world_ask(struct world *world, const struct world_command *command)
{
    struct world_question *question =
        command ? &world->questions[command->number % WORLD_QUESTIONS] : NULL;

    if (!command || command->status != 201 || command->kind > WORLD_PLACE ||
        command->kind == WORLD_POST || command->kind == WORLD_VOID ||
        (question->world && !question->answered))
        return;
    *question = (struct world_question){.world = world, .must_be_there = true};
    struct sl_core_domain *domain = world_is_bank(command->kind) ? world->bank : world->order;
    struct sl_text view = SL_TEXT("balance");
    if (command->kind == WORLD_ADD) {
        view = SL_TEXT("stock");
        snprintf(question->key, sizeof question->key, "i%zu", command->a);
    } else if (command->kind == WORLD_PLACE) {
        view = SL_TEXT("orders");
        snprintf(question->key, sizeof question->key, "00000000-0000-4000-8000-%012zx",
                 command->number);
    } else {
        snprintf(question->key, sizeof question->key, "a%zu", command->a);
    }
    question->lookup = (struct sl_lookup){.domain = domain,
                                          .view = sl_core_view(domain, view),
                                          .key = {question->key, strlen(question->key)},
                                          .position = command->position,
                                          .until_ns = sl_env_monotonic(world->env) + 10 * second,
                                          .done = looked_up,
                                          .user = question};
    world->questions_open++;
    question->message = (struct sl_message){.kind = WORLD_LOOKUP};
    sl_mailbox_post(world->mailbox, &question->message);
}

static struct world_command *any(struct world *world)
{
    return world->commands[sl_sim_random(world->env, world->command_count)];
}

void world_act(struct world *world)
{
    const uint64_t what = world->command_count ? sl_sim_random(world->env, 16) : 15;
    struct world_command *command = world->command_count ? any(world) : NULL;

    if (what < 2) {
        /* Cash has what the others, at first, have not. Of those with a time-out, a part runs out.
         */
        world_hold(world, sl_sim_random(world->env, 3) ? 0 : sl_sim_random(world->env, 4),
                   1 + sl_sim_random(world->env, 3), 1 + (int64_t)sl_sim_random(world->env, 50),
                   (int64_t)sl_sim_random(world->env, 4) * 5);
    } else if (what < 5) {
        world_transfer(world, sl_sim_random(world->env, WORLD_ACCOUNTS),
                       sl_sim_random(world->env, WORLD_ACCOUNTS),
                       1 + (int64_t)sl_sim_random(world->env, 50));
    } else if (what < 8) {
        /* About one in three costs too much, and is declined. */
        world_place(world, sl_sim_random(world->env, WORLD_ITEMS),
                    1 + (int64_t)sl_sim_random(world->env, 4),
                    (int64_t)sl_sim_random(world->env, 60000),
                    1 + (int64_t)sl_sim_random(world->env, 3) * 20);
    } else if (what < 10 && command->kind == WORLD_PLACE) {
        world_end_order(world, what == 8 ? WORLD_SHIP : WORLD_CANCEL, command->number);
    } else if (what < 11 && command->kind == WORLD_HOLD) {
        world_resolve(world, what % 2 ? WORLD_POST : WORLD_VOID, command->number,
                      what % 2 ? (int64_t)sl_sim_random(world->env, 40) : 0);
    } else if (what < 13) {
        world_send(world, command);
    } else if (what < 14 && command) {
        world_ask(world, command);
    } else if (sl_sim_random(world->env, 2)) {
        world_open(world, sl_sim_random(world->env, WORLD_ACCOUNTS));
    } else {
        world_add(world, sl_sim_random(world->env, WORLD_ITEMS));
    }
}
