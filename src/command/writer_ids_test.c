/*
 * Command ids over a life: a write side on the real log and with id files, in the simulated world,
 * against a plain table of what each id's outcome was. Ids of all kinds, clocks that jump,
 * restarts, power that fails at any write, and damage (C1, L4, P7).
 */
#include "base/env_sim.h"
#include "base/hash.h"
#include "command/bench_writer.h"
#include "command/ids.h"
#include "stores/log/log_store.h"
#include "tap/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COMMANDS_MAX = 30000,
    WINDOW_S = 3600,
    POOR = 7, /* one in so many is refused */
};

enum kind { PLAIN, FRESH, LATE, EARLY };

/* What a client knows of a command. */
struct command {
    struct sl_message message;
    struct sl_submission submission;
    struct world *world;
    struct rig_put body;
    char name[16];
    int64_t sent_s; /* simulated UTC */
    int status;     /* of the first answer that says what became of it; 0: none */
    uint64_t position;
    bool refused;
    /* The answer at hand. */
    bool waits;
    int answer;
    bool repeated;
    char rule[32];
    uint64_t answer_position;
};

struct world {
    struct sl_env *env;
    struct sl_mailbox *mailbox;
    struct sl_model model;
    struct sl_event_store *store;
    struct sl_writer *writer;
    struct command *commands;
    size_t count, waiting;
    bool bad, files;
    uint64_t accepted;
    uint64_t repeats, lookups, reads;
};

static struct world world;

/* ---- The engine around the write side -------------------------------------------------------- */

static void step(void *self, struct sl_message *message)
{
    (void)self;
    if (!world.writer)
        return;
    if (message->kind == 1)
        sl_writer_submit(world.writer, &((struct command *)(void *)message)->submission);
    else
        sl_writer_step(message);
}

static int64_t turn(void *self)
{
    (void)self;
    return world.writer ? sl_writer_turn(world.writer, sl_sim_random(world.env, 2) == 0)
                        : INT64_MAX;
}

static void ignore(void *context)
{
    (void)context;
}

static void ignore_durable(void *context, const struct sl_event *events,
                           const struct sl_stored_event *stored, size_t count)
{
    (void)context, (void)events, (void)stored, (void)count;
}

static void answer(void *context, struct sl_submission *submission,
                   const struct sl_outcome *outcome)
{
    (void)context;
    submission->done(submission, outcome);
}

static void done(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct command *command = submission->user;

    command->waits = false;
    world.waiting--;
    command->answer = outcome->status;
    command->repeated = outcome->repeated;
    command->answer_position = outcome->position;
    snprintf(command->rule, sizeof command->rule, "%.*s", (int)outcome->rule.len,
             outcome->rule.ptr ? outcome->rule.ptr : "");
}

/* The log's reads are counted: a start must not read what the files know. */
static bool count_read(struct sl_event_store *store, struct sl_read *read);
static struct sl_event_store_ops counting_ops;
static const struct sl_event_store_ops *real_ops;

static bool count_read(struct sl_event_store *store, struct sl_read *read)
{
    world.reads += read->by == SL_READ_OUTCOMES;
    return real_ops->read(store, read);
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "segment_bytes") == 0 ? "1048576" : NULL;
}

static bool start(void)
{
    const struct sl_actor actor = {.name = "engine", .self = &world, .step = step, .turn = turn};
    const struct sl_store_options store = {"data/log", "rig", setting, NULL};
    struct sl_error error = {0};

    world.writer = NULL;
    world.store = NULL;
    world.mailbox = NULL;
    world.reads = 0;
    if (sl_disk_make_folder(world.env, "data", &error) != SL_OK ||
        sl_env_start(world.env, &actor, &world.mailbox, &error) != SL_OK ||
        sl_event_store_open(&sl_log_store_ops, world.env, &store, &world.store, &error) != SL_OK)
        return false;
    real_ops = world.store->ops;
    counting_ops = *real_ops;
    counting_ops.read = count_read;
    world.store->ops = &counting_ops;
    const struct sl_writer_options options = {.env = world.env,
                                              .mailbox = world.mailbox,
                                              .model = &world.model,
                                              .store = world.store,
                                              .queue_max = 65536,
                                              .id_window_s = WINDOW_S,
                                              .id_memory_max = 64 << 10,
                                              .ids_folder = world.files ? "data/ids" : NULL,
                                              .aggregate_memory_max = 64u << 20,
                                              .reigns = ignore,
                                              .durable = ignore_durable,
                                              .answer = answer};
    if (sl_writer_open(&options, &world.writer, &error) != SL_OK)
        return false;
    for (int i = 0; i < 200000 && !sl_writer_log(world.writer)->ready; i++) {
        if (sl_sim_power_is_out(world.env))
            return false;
        if (!sl_sim_step(world.env))
            sl_sim_advance(world.env, 10000000);
    }
    return sl_writer_log(world.writer)->ready;
}

/* What nobody has answered is unknown from now on. */
static void stop(void)
{
    struct sl_writer *writer = world.writer;

    world.writer = NULL;
    sl_writer_stop(writer);
    sl_event_store_close(world.store);
    sl_env_stop(world.env, world.mailbox);
    sl_writer_close(writer);
    for (size_t i = 0; i < world.count; i++)
        world.commands[i].waits = false;
    world.waiting = 0;
}

static bool begin(uint64_t seed, bool files)
{
    struct sl_error error = {0};

    world = (struct world){.files = files};
    world.commands = calloc(COMMANDS_MAX, sizeof *world.commands);
    return CHECK(sl_env_sim_new(seed, &world.env) == SL_OK) &&
           CHECK(sl_model_init(&world.model, &rig_domain, &error) == SL_OK) && CHECK(start());
}

static void end(void)
{
    stop();
    sl_model_close(&world.model);
    sl_env_free(world.env);
    free(world.commands);
}

static uint64_t draw(uint64_t limit)
{
    return sl_sim_random(world.env, limit);
}

static int64_t now_s(void)
{
    return sl_env_now(world.env).ns / 1000000000;
}

/* ---- Commands -------------------------------------------------------------------------------- */

static struct sl_uuid make_id(enum kind kind)
{
    struct sl_uuid id;
    int64_t ms = sl_env_now(world.env).ns / 1000000;

    for (size_t i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (uint8_t)draw(256);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x40);
    if (kind == PLAIN)
        return id;
    if (kind == LATE)
        ms -= (int64_t)draw((WINDOW_S - 600) * 1000);
    if (kind == EARLY)
        ms += (int64_t)draw(5 * WINDOW_S * 1000);
    if (kind == FRESH)
        ms -= (int64_t)draw(5000);
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x70);
    return id;
}

static void send(struct command *command)
{
    command->waits = true;
    command->answer = 0;
    world.waiting++;
    command->message = (struct sl_message){.kind = 1};
    sl_mailbox_post(world.mailbox, &command->message);
}

static struct command *make(enum kind kind)
{
    static const struct sl_principal nobody;
    static const struct sl_text name = {"Put", 3};
    struct command *command = &world.commands[world.count];

    SL_ASSERT(world.count < COMMANDS_MAX);
    const bool poor = draw(POOR) == 0;
    snprintf(command->name, sizeof command->name, "%s%d", poor ? "poor" : "rich", (int)draw(20));
    command->body = (struct rig_put){{command->name, strlen(command->name)}, poor ? -1 : 1};
    command->refused = poor;
    command->sent_s = now_s();
    const uint64_t number = world.count++;
    command->submission =
        (struct sl_submission){.command = sl_model_command(&world.model, name)->command,
                               .body = &command->body,
                               .id = make_id(kind),
                               .digest = {{9, (uint8_t)number, (uint8_t)(number >> 8)}},
                               .principal = &nobody,
                               .done = done,
                               .user = command};
    return command;
}

static void fail(const struct command *command, const char *what)
{
    if (!world.bad)
        tap_note("command %zu: %s: %d %s%s at %llu, was %d at %llu",
                 (size_t)(command - world.commands), what, command->answer, command->rule,
                 command->repeated ? " repeated" : "", (unsigned long long)command->answer_position,
                 command->status, (unsigned long long)command->position);
    world.bad = true;
}

/* Takes an answer: it says what became of the command, for the first time or as before. */
static void take(struct command *command)
{
    if (command->waits || command->answer == 503)
        return;
    /* Never decided: it is as if it had not been sent. */
    if (command->status == 0 && strcmp(command->rule, "id_too_old") == 0)
        return;
    if (command->status != 0) {
        world.repeats++;
        if (command->answer != command->status || !command->repeated)
            fail(command, "C1: another outcome");
        if (command->status == 201 && command->answer_position != command->position)
            fail(command, "C1: another position");
        return;
    }
    if (command->answer != (command->refused ? 422 : 201) ||
        (command->refused && strcmp(command->rule, "too_little") != 0))
        fail(command, "not as decided");
    command->status = command->answer;
    command->position = command->answer_position;
    world.accepted += command->answer == 201;
}

/* Until all are answered, or the power is out. */
static void wait(void)
{
    for (unsigned long i = 0; world.waiting > 0 && !sl_sim_power_is_out(world.env); i++) {
        if (!sl_sim_step(world.env))
            sl_sim_advance(world.env, 1000000);
        if (i > 3000000) {
            tap_note("%zu commands are not answered", world.waiting);
            world.bad = true;
            return;
        }
    }
}

static void send_new(size_t count, int kinds)
{
    const size_t first = world.count;

    for (size_t i = 0; i < count; i++)
        send(make(kinds >= 0 ? (enum kind)kinds : (enum kind)draw(4)));
    wait();
    for (size_t i = first; i < world.count; i++)
        take(&world.commands[i]);
}

/* Sends commands again, among them those of which nobody knows. */
static void send_again(size_t first, size_t last)
{
    for (size_t at = first; at < last;) {
        const size_t from = at;
        for (size_t n = 0; n < 500 && at < last; n++)
            send(&world.commands[at++]);
        wait();
        if (sl_sim_power_is_out(world.env))
            return;
        for (size_t i = from; i < at; i++)
            take(&world.commands[i]);
    }
}

/* Lets files be made and merged. */
static void settle(void)
{
    for (int i = 0; i < 4000 && !sl_sim_power_is_out(world.env); i++)
        if (!sl_sim_step(world.env))
            sl_sim_advance(world.env, 1000000);
}

static uint64_t lookups(void)
{
    struct sl_writer_numbers numbers;

    sl_writer_numbers(world.writer, &numbers);
    return numbers.id_lookups;
}

static uint64_t remembered(void)
{
    struct sl_writer_numbers numbers;

    sl_writer_numbers(world.writer, &numbers);
    return numbers.ids;
}

static void check_all(void)
{
    send_again(0, world.count);
    CHECK(!world.bad);
    /* Every event is that of one accepted command. */
    CHECK_U64(sl_writer_log(world.writer)->durable, world.accepted);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void files_know_what_memory_forgot(void)
{
    for (int kind = PLAIN; kind <= EARLY; kind++) {
        if (!begin((uint64_t)kind + 1, true))
            return;
        for (int i = 0; i < 12; i++) {
            send_new(500, kind);
            settle();
        }
        const uint64_t before = lookups();
        check_all();
        CHECK(lookups() > before + 3000);
        CHECK_U64(remembered(), 6000);
        stop();
        REQUIRE(start());
        /* The outcomes that the files know are not read from the log again. */
        CHECK(world.reads < 16);
        check_all();
        end();
    }
}

/* New ids are known to be new, nearly always, without asking a file. */
static void new_ids_ask_nobody(void)
{
    if (!begin(5, true))
        return;
    for (int i = 0; i < 12; i++) {
        send_new(500, i % 2 ? FRESH : PLAIN);
        settle();
    }
    const uint64_t before = lookups();
    send_new(1000, PLAIN);
    send_new(1000, FRESH);
    CHECK(!world.bad);
    CHECK(lookups() - before < 200);
    end();
}

static void another_body_or_principal(void)
{
    if (!begin(6, true))
        return;
    send_new(3000, -1);
    settle();
    for (size_t i = 0; i < world.count; i += 50) {
        struct command *command = &world.commands[i];
        /* Another principal's digest differs, as another body's does (api_digest). */
        command->submission.digest.bytes[15] ^= 1;
        send(command);
        wait();
        CHECK_U64(command->answer, 422);
        CHECK_STRING(command->rule, "id_reused");
        CHECK(!command->repeated);
        /* Nothing of the first outcome: the position is where the log is now. */
        CHECK_U64(command->answer_position, sl_writer_log(world.writer)->next);
        command->submission.digest.bytes[15] ^= 1;
    }
    check_all();
    end();
}

static void older_than_the_window(void)
{
    for (int files = 0; files < 2; files++) {
        if (!begin(7, files == 1))
            return;
        send_new(2100, FRESH);
        settle();
        const size_t first = world.count;
        sl_sim_advance(world.env, (int64_t)(WINDOW_S - 30) * 1000000000);
        send_again(0, 100);
        CHECK(!world.bad); /* known to the end of the window */
        sl_sim_advance(world.env, (int64_t)150 * 1000000000);
        for (int i = 0; i < 4; i++) { /* the clock of the window catches up; files go */
            send_new(600, FRESH);
            settle();
            sl_sim_advance(world.env, (int64_t)60 * 1000000000);
        }
        send_new(600, FRESH);
        settle();
        CHECK(remembered() < 600 * 5 + 1100);
        /* That files go is no damage: it is still the first reign. */
        CHECK_U64(sl_writer_log(world.writer)->epoch, 1);
        struct command *old = &world.commands[3];
        send(old);
        wait();
        CHECK_U64(old->answer, 422);
        CHECK_STRING(old->rule, "id_too_old");
        send_again(first, world.count);
        CHECK(!world.bad);
        CHECK_U64(sl_writer_log(world.writer)->durable, world.accepted);
        end();
    }
}

static void clocks_that_jump(void)
{
    static const int64_t hours[] = {-1, -30, 2, 48, -48, 1, -200};

    for (int files = 0; files < 2; files++) {
        if (!begin(8 + (uint64_t)files, files == 1))
            return;
        for (size_t i = 0; i < TAP_TIMES(sizeof hours / sizeof *hours, 4); i++) {
            send_new(700, PLAIN);
            settle();
            sl_sim_jump(world.env, hours[i] * 3600 * 1000000000);
            /* No time has passed, whatever the clock says. */
            send_new(700, PLAIN);
            settle();
            check_all();
            if (hours[i] < 0) {
                stop();
                REQUIRE(start());
                check_all();
            }
        }
        end();
    }
}

/* A machine comes up with a clock that is ahead by days, and is set right later. */
static void starts_under_a_wrong_clock(void)
{
    const int64_t ahead = (int64_t)50 * 3600 * 1000000000;

    for (uint64_t seed = 20; seed < 24; seed++) {
        if (!begin(seed, true))
            return;
        send_new(400 + draw(1200), PLAIN);
        if (seed % 2)
            settle();
        stop();
        sl_sim_jump(world.env, ahead);
        REQUIRE(start());
        check_all();
        /* Until somebody looks at the clock. */
        send_new(100 + draw(1500), PLAIN);
        check_all();
        sl_sim_jump(world.env, -ahead);
        check_all();
        stop();
        REQUIRE(start());
        check_all();
        end();
    }
}

/* Some are decided under a clock that is ahead by ten years. They and what follows are remembered
 * for the window, and not for ten years. */
static void far_in_the_future(void)
{
    const int64_t ahead = (int64_t)87600 * 3600 * 1000000000;

    for (uint64_t seed = 30; seed < 33; seed++) {
        if (!begin(seed, seed != 30))
            return;
        send_new(600, PLAIN);
        sl_sim_jump(world.env, ahead);
        send_new(600, PLAIN);
        sl_sim_jump(world.env, -ahead);
        if (seed == 32) { /* the files of a start have these times, too */
            stop();
            REQUIRE(start());
        }
        for (int i = 0; i < 16; i++) {
            const size_t first = world.count;
            send_new(600, PLAIN);
            settle();
            sl_sim_advance(world.env, (int64_t)(WINDOW_S / 4) * 1000000000);
            /* Three quarters of a window, and what passes while it settles. */
            send_again(first > 1200 ? first - 1200 : 0, world.count);
            CHECK(!world.bad);
        }
        /* Two windows are ten of these; a file more may be on its way. */
        CHECK(remembered() < 600 * 11 + 1100);
        CHECK_U64(sl_writer_log(world.writer)->durable, world.accepted);
        end();
    }
}

/* Seconds since 1970 do not fit into 32 bits. */
static void behind_the_year_2106(void)
{
    for (int files = 0; files < 2; files++) {
        if (!begin(40 + (uint64_t)files, files == 1))
            return;
        stop();
        sl_sim_jump(world.env, (INT64_C(4294967296) + 40000000 - now_s()) * 1000000000);
        REQUIRE(start());
        for (int i = 0; i < 6; i++) {
            send_new(500, -1);
            settle();
        }
        check_all();
        stop();
        REQUIRE(start());
        check_all();
        end();
    }
}

/* ---- Power ----------------------------------------------------------------------------------- */

static bool recover(void)
{
    stop();
    for (int tries = 0; tries < 20; tries++) {
        sl_sim_power_loss(world.env);
        sl_sim_power_loss_at(world.env, tries < 3 && draw(3) == 0 ? 1 + draw(30) : 0);
        const bool good = start();
        if (good && !sl_sim_power_is_out(world.env)) {
            sl_sim_power_loss_at(world.env, 0);
            return true;
        }
        stop();
    }
    return false;
}

/* The clock goes back, or what it went back forward again, and a little more. */
static void jump(int64_t *back)
{
    const int64_t by = draw(2) == 0 ? -(int64_t)draw(7200) : (int64_t)draw((uint64_t)*back + 60);

    *back -= by;
    if (*back < 0)
        *back = 0;
    sl_sim_jump(world.env, by * 1000000000);
}

/* Damages a random byte of some file of ids. */
static void damage_one(void *context, const char *name)
{
    char path[128];
    struct sl_slice bytes;

    (void)context;
    snprintf(path, sizeof path, "data/ids/%s", name);
    if (draw(4) != 0 || sl_sim_disk_peek(world.env, path, &bytes) != SL_OK || bytes.len == 0)
        return;
    const uint64_t at = draw(bytes.len);
    const uint8_t other = (uint8_t)(bytes.ptr[at] ^ (1u << draw(8)));
    CHECK(sl_sim_disk_poke(world.env, path, at, (struct sl_slice){&other, 1}) == SL_OK);
}

static void life(uint64_t seed, bool damage)
{
    struct sl_error error;
    int64_t back = 0;

    if (!begin(seed, true))
        return;
    for (int round = 0; round < 4 && !world.bad; round++) {
        sl_sim_power_loss_at(world.env, 1 + draw(400));
        for (int i = 0; i < 6 && !sl_sim_power_is_out(world.env); i++) {
            send_new(100 + draw(600), -1);
            if (draw(2) == 0)
                settle();
            if (draw(4) == 0)
                jump(&back);
        }
        if (sl_sim_power_is_out(world.env)) {
            REQUIRE(recover());
        } else {
            sl_sim_power_loss_at(world.env, 0);
            stop();
            if (damage && draw(2) == 0)
                CHECK(sl_disk_list(world.env, "data/ids", damage_one, NULL, &error) == SL_OK);
            REQUIRE(start());
        }
        if (damage)
            CHECK(sl_disk_list(world.env, "data/ids", damage_one, NULL, &error) == SL_OK);
        check_all();
    }
    if (world.bad || !CHECK(!world.bad))
        tap_note("seed %llu", (unsigned long long)seed);
    end();
}

static void power_losses(void)
{
    for (uint64_t seed = 100; seed < TAP_TIMES(120, 104) && !world.bad; seed++)
        life(seed, false);
}

static void damaged_files(void)
{
    for (uint64_t seed = 300; seed < TAP_TIMES(315, 303) && !world.bad; seed++)
        life(seed, true);
}

/* ---- Another history ------------------------------------------------------------------------- */

/* A copy of the log's folder. */
static struct copy {
    char name[80];
    uint8_t *bytes;
    size_t len;
} copies[64];
static size_t copy_count;

static void copy_one(void *context, const char *name)
{
    struct copy *copy = &copies[copy_count];
    struct sl_slice bytes;

    (void)context;
    SL_ASSERT(copy_count < sizeof copies / sizeof *copies);
    snprintf(copy->name, sizeof copy->name, "data/log/%s", name);
    if (!CHECK(sl_sim_disk_peek(world.env, copy->name, &bytes) == SL_OK))
        return;
    copy->len = bytes.len;
    copy->bytes = malloc(bytes.len + 1);
    SL_ASSERT(copy->bytes);
    if (bytes.len > 0)
        memcpy(copy->bytes, bytes.ptr, bytes.len);
    copy_count++;
}

static void remove_one(void *context, const char *name)
{
    struct sl_error error;
    char path[80];

    (void)context;
    snprintf(path, sizeof path, "data/log/%s", name);
    CHECK(sl_disk_remove(world.env, path, &error) == SL_OK);
}

static void restore(void)
{
    struct sl_error error;
    struct sl_file *file;

    CHECK(sl_disk_list(world.env, "data/log", remove_one, NULL, &error) == SL_OK);
    for (size_t i = 0; i < copy_count; i++) {
        struct copy *copy = &copies[i];
        REQUIRE(sl_disk_open(world.env, copy->name, SL_OPEN_WRITE | SL_OPEN_CREATE, &file,
                             &error) == SL_OK);
        if (copy->len > 0)
            CHECK(sl_file_write_durable(file, 0, copy->bytes, copy->len, &error) == SL_OK);
        sl_file_close(file);
        free(copy->bytes);
    }
    copy_count = 0;
}

/* The log is put back to an earlier time, the files of ids are not: what came later has not
 * happened, and what happens instead is not taken for it. */
static void another_history(void)
{
    struct sl_error error;

    for (uint64_t seed = 40; seed < TAP_TIMES(46, 42); seed++) {
        if (!begin(seed, true))
            return;
        send_new(1000 + draw(1000), -1);
        settle();
        stop();
        CHECK(sl_disk_list(world.env, "data/log", copy_one, NULL, &error) == SL_OK);
        const size_t count = world.count;
        const uint64_t accepted = world.accepted;
        REQUIRE(start());
        send_new(1000 + draw(500), -1);
        settle();
        send_new(1000, -1);
        settle();
        stop();
        restore();
        for (size_t i = count; i < world.count; i++)
            world.commands[i].status = 0;
        world.accepted = accepted;
        /* Others in their place, while nobody looks at the files: the log is as long. */
        world.files = seed % 2 == 0;
        REQUIRE(start());
        if (!world.files) {
            send_new(3500, PLAIN);
            stop();
            world.files = true;
            REQUIRE(start());
            send_again(world.count - 3500, world.count);
        }
        check_all();
        end();
    }
}

int main(void)
{
    return TAP_RUN(
        {"files know what memory forgot", files_know_what_memory_forgot},
        {"new ids ask nobody", new_ids_ask_nobody},
        {"another body or principal", another_body_or_principal},
        {"older than the window", older_than_the_window}, {"clocks that jump", clocks_that_jump},
        {"starts under a wrong clock", starts_under_a_wrong_clock},
        {"far in the future", far_in_the_future}, {"behind the year 2106", behind_the_year_2106},
        {"another history", another_history}, {"the power fails", power_losses},
        {"files are damaged", damaged_files});
}
