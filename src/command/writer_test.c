/*
 * The write side alone, in its corners: what fails under decided commands, what is sent twice, what
 * is too large, what is read while it changes, and memory that runs out.
 */
#include "command/bench_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap/tap.h"

static struct rig rig;

static bool begin(size_t aggregate_memory_max)
{
    return CHECK(rig_open(&rig, 7, (struct rig_options){aggregate_memory_max}));
}

static void end(void)
{
    CHECK(!rig.bad);
    rig_close(&rig);
}

/* What an account's state is now must be what its whole history makes of it (C2). */
static void check_accounts(struct rig *of, const char *const *names, size_t count)
{
    struct rig_seen before[16];
    char notes[16][256];

    for (size_t i = 0; i < count; i++) {
        CHECK(rig_look(of, names[i]));
        before[i] = of->seen;
        snprintf(notes[i], sizeof notes[i], "%s", of->seen_note);
    }
    REQUIRE(rig_reopen(of));
    for (size_t i = 0; i < count; i++) {
        bool good = CHECK(rig_look(of, names[i]));
        good = good && CHECK_U64(of->seen.balance, before[i].balance);
        good = good && CHECK_U64(of->seen.events, before[i].events);
        good = good && CHECK_U64(of->seen.folded, before[i].folded);
        good = good && CHECK_STRING(of->seen_note, notes[i]);
        if (!good)
            tap_note("account %s", names[i]);
    }
}

/* ---- Events out of states -------------------------------------------------------------------- */

static const char *const noted_before[] = {"", "", "one", "one", "two", "two"};
static const char *const noted_after[] = {"one", "one", "two", "two", "three", "three"};
static size_t noted;

static void see_noted(struct rig *of, const struct sl_event *event)
{
    const struct rig_noted *body = event->body;

    (void)of;
    if (event->type != &rig_noted_type)
        return;
    CHECK_TEXT(body->before, noted_before[noted]);
    CHECK_TEXT(body->after, noted_after[noted]);
    noted++;
}

static void texts_out_of_states(void)
{
    REQUIRE(begin(0));
    noted = 0;
    rig.on_event = see_noted;
    /* All three share a batch: each replaces the text that the last one's events point at. */
    for (size_t i = 0; i < 3; i++)
        rig_send(&rig, rig_note(&rig, "ada", noted_after[i * 2]));
    CHECK(rig_wait_all(&rig));
    CHECK_U64(noted, 6);
    CHECK(rig_look(&rig, "ada"));
    CHECK_STRING(rig.seen_note, "three");
    rig.on_event = NULL;
    check_accounts(&rig, (const char *const[]){"ada"}, 1);
    end();
}

/* ---- Batches that fail ----------------------------------------------------------------------- */

struct failing {
    const char *name;
    enum sl_append_result result;
    bool carried_out;
    const char *rule; /* that the first command is told */
};

/* Lets what was sent be decided while the first batch is on its way. */
static void send_while_flying(struct rig_command **commands, size_t count)
{
    sl_event_store_fault_delay(rig.faults, 1, INT64_C(1000000000));
    rig_send(&rig, commands[0]);
    rig_step(&rig, 200);
    CHECK_U64(commands[0]->status, 0);
    for (size_t i = 1; i < count; i++)
        rig_send(&rig, commands[i]);
    rig_step(&rig, 200);
    for (size_t i = 0; i < count; i++)
        CHECK_U64(commands[i]->answers, 0);
}

static void batch_fails(const struct failing *how)
{
    enum { COUNT = 5 };
    struct rig_command *sent[COUNT];

    REQUIRE(begin(0));
    CHECK_U64(rig_do(&rig, rig_put(&rig, "ada", 5)), 201);
    sent[0] = rig_put(&rig, "ada", 10);
    sent[1] = rig_put(&rig, "ada", -12); /* accepted on top of it */
    sent[2] = rig_put(&rig, "ada", -12); /* refused, but only on top of these two */
    sent[3] = rig_new(&rig, "Put");      /* a repeat of the first */
    sent[3]->body = sent[0]->body;
    sent[3]->submission.id = sent[0]->submission.id;
    sent[3]->submission.digest = sent[0]->submission.digest;
    sent[4] = rig_new(&rig, "Put"); /* its id, for something else */
    sent[4]->body = sent[1]->body;
    sent[4]->submission.id = sent[0]->submission.id;
    sl_event_store_fault_append(rig.faults, 1, how->result, how->carried_out);
    send_while_flying(sent, COUNT);
    CHECK(rig_wait_all(&rig));
    CHECK_STRING(sent[0]->rule, how->rule);
    for (size_t i = 0; i < COUNT; i++) {
        /* L2: neither what was decided on top of it, nor refusals, nor repeats. */
        CHECK_U64(sent[i]->status, 503);
        CHECK_U64(sent[i]->answers, 1);
        CHECK_U64(sent[i]->event_count, 0);
    }
    CHECK(sl_writer_log(rig.writer)->next == sl_writer_log(rig.writer)->durable);

    /* The same ids again, the other way round: decided anew, unless the first was carried out. */
    CHECK_U64(rig_do(&rig, sent[2]), how->carried_out ? 201 : 422);
    CHECK_U64(sent[2]->repeated, false);
    CHECK_U64(rig_do(&rig, sent[0]), 201);
    CHECK_U64(sent[0]->repeated, how->carried_out);
    CHECK_U64(sent[0]->event_count, 1);
    CHECK_U64(rig_do(&rig, sent[1]), how->carried_out ? 422 : 201);
    CHECK_U64(rig_do(&rig, sent[3]), 201);
    CHECK(sent[3]->repeated);
    CHECK_U64(rig_do(&rig, sent[4]), 422);
    CHECK_STRING(sent[4]->rule, "id_reused");
    CHECK(rig_look(&rig, "ada"));
    CHECK_U64(rig.seen.balance, 3);
    check_accounts(&rig, (const char *const[]){"ada"}, 1);
    end();
}

static void batches_fail(void)
{
    static const struct failing hows[] = {
        {"failed", SL_APPEND_FAILED, false, "log_failed"},
        {"unknown, not carried out", SL_APPEND_UNKNOWN, false, "outcome_unknown"},
        {"unknown, carried out", SL_APPEND_UNKNOWN, true, "outcome_unknown"},
    };

    for (size_t i = 0; i < sizeof hows / sizeof hows[0]; i++) {
        tap_note("%s", hows[i].name);
        batch_fails(&hows[i]);
    }
}

static uint64_t claim_for_another(struct sl_mailbox *mailbox)
{
    struct sl_claim claim = {.message = {.reply_to = mailbox}, .salt = 99};

    sl_event_store_claim(rig.store, &claim);
    for (int i = 0; i < 1000 && !sl_mailbox_take_all(mailbox); i++)
        rig_step(&rig, 1);
    CHECK(claim.err == SL_OK);
    return claim.epoch;
}

/* Another writer has claimed the log: this one's reign is over, and it does not take it back. */
static void fenced(void)
{
    struct sl_mailbox *mailbox = NULL;

    REQUIRE(begin(0));
    REQUIRE(sl_mailbox_new(NULL, NULL, &mailbox) == SL_OK);
    CHECK_U64(rig_do(&rig, rig_put(&rig, "ada", 5)), 201);
    const uint64_t epoch = claim_for_another(mailbox);
    struct rig_command *put = rig_put(&rig, "ada", 10);
    for (int hour = 0; hour < 3; hour++) {
        CHECK_U64(rig_do(&rig, put), 503);
        CHECK_STRING(put->rule, "log_failed");
        sl_sim_advance(rig.env, INT64_C(3600000000000));
        rig_step(&rig, 1000);
    }
    CHECK(!sl_writer_log(rig.writer)->ready);
    CHECK(sl_writer_log(rig.writer)->failed_err == SL_FENCED);
    CHECK_U64(claim_for_another(mailbox), epoch + 1); /* nobody reigned in between */
    REQUIRE(rig_reopen(&rig));
    CHECK_U64(rig_do(&rig, put), 201);
    CHECK(!put->repeated);
    sl_mailbox_free(mailbox);
    check_accounts(&rig, (const char *const[]){"ada"}, 1);
    end();
}

/* Reads that were under way when all was dropped come back to nobody. */
static void fails_while_reading(void)
{
    struct rig_command *sent[6];

    for (int steps = 0; steps < 40; steps++) {
        REQUIRE(begin(1));
        CHECK_U64(rig_do(&rig, rig_put(&rig, "ada", 5)), 201);
        sl_event_store_fault_append(rig.faults, 1, SL_APPEND_FAILED, false);
        for (int i = 0; i < 6; i++) {
            sent[i] = rig_move(&rig, i % 2 ? "ada" : "ben", i % 3 ? "cleo" : "dan", 1);
            rig_send(&rig, sent[i]);
            rig_step(&rig, steps);
        }
        CHECK(rig_wait_all(&rig));
        for (int i = 0; i < 6; i++)
            if (sent[i]->status == 503)
                CHECK_U64(rig_do(&rig, sent[i]), 201);
        check_accounts(&rig, (const char *const[]){"ada", "ben", "cleo", "dan"}, 4);
        end();
    }
}

static void reads_fail(void)
{
    struct rig_command *put;

    REQUIRE(begin(1));
    CHECK_U64(rig_do(&rig, rig_put(&rig, "ada", 5)), 201);
    CHECK_U64(rig_do(&rig, rig_put(&rig, "ben", 5)), 201);
    put = rig_put(&rig, "ada", -5);
    sl_event_store_fault_read(rig.faults, 1, SL_IO);
    CHECK_U64(rig_do(&rig, put), 503);
    CHECK_STRING(put->rule, "load_failed");
    CHECK_U64(rig_do(&rig, put), 201);
    CHECK(!put->repeated);
    end();
}

/* ---- The same id ----------------------------------------------------------------------------- */

static void same_ids(void)
{
    struct rig_command *sent[5];

    REQUIRE(begin(0));
    for (size_t i = 0; i < 5; i++) {
        sent[i] = rig_put(&rig, "ada", i == 3 ? 11 : 10);
        sent[i]->submission.id = sent[0]->submission.id;
        sent[i]->submission.digest = sent[0]->submission.digest;
    }
    sent[3]->submission.digest.bytes[5] = 1; /* another body */
    sent[4]->submission.digest.bytes[6] = 1; /* another principal */
    /* Twice in one batch while it is on its way, and in the next one. */
    rig_send(&rig, sent[0]);
    rig_send(&rig, sent[1]);
    send_while_flying(&sent[2], 1);
    rig_send(&rig, sent[3]);
    rig_send(&rig, sent[4]);
    CHECK(rig_wait_all(&rig));
    for (size_t i = 0; i < 3; i++) {
        CHECK_U64(sent[i]->status, 201);
        CHECK_U64(sent[i]->repeated, i > 0);
        CHECK_U64(sent[i]->position, sent[0]->position);
        CHECK_U64(sent[i]->event_count, 1);
        CHECK_U64(sent[i]->revision, 0);
    }
    for (size_t i = 3; i < 5; i++) {
        CHECK_U64(sent[i]->status, 422);
        CHECK_STRING(sent[i]->rule, "id_reused");
        CHECK_U64(sent[i]->event_count, 0);
        CHECK(!sent[i]->repeated);
    }
    CHECK(rig_look(&rig, "ada"));
    CHECK_U64(rig.seen.balance, 10);
    end();
}

static void expected_revisions(void)
{
    struct rig_command *sent[3];
    const uint64_t expected[] = {0, 1, 1};
    const int status[] = {201, 201, 409};

    REQUIRE(begin(0));
    for (size_t i = 0; i < 3; i++) {
        sent[i] = rig_put(&rig, "ada", 1);
        sent[i]->submission.has_expected = true;
        sent[i]->submission.expected_events = expected[i];
    }
    send_while_flying(sent, 3);
    CHECK(rig_wait_all(&rig));
    for (size_t i = 0; i < 3; i++)
        CHECK_U64(sent[i]->status, status[i]);
    CHECK_STRING(sent[2]->rule, "unexpected_revision");
    end();
}

/* ---- Conditions on tags ---------------------------------------------------------------------- */

static void unless_tagged(void)
{
    static const struct {
        const char *tag, *other;
        uint64_t since;
        int status;
    } cases[] = {
        /* 0: a put to ada, tagged holder:ada; 1: ada to ben; 2: a ping of cleo; 3: a put to ben */
        {"account:ada", NULL, 0, 409},
        {"account:ada", NULL, 1, 409},
        {"account:ada", NULL, 2, 201},
        {"account:ben", NULL, 1, 409},
        {"account:dan", NULL, 0, 201},
        {"account:ad", NULL, 0, 201},
        {"holder:ada", NULL, 0, 409},
        {"holder:ada", NULL, 1, 201},
        {"account:dan", "account:cleo", 2, 409},
        {"account:cleo", "account:dan", 3, 201},
        {"account:ada", NULL, UINT64_MAX, 201},
        {"nobody:ada", NULL, 0, 201},
    };

    for (int restarted = 0; restarted < 2; restarted++) {
        REQUIRE(begin(restarted ? 1 : 0));
        rig_do(&rig, rig_put(&rig, "ada", 5));
        rig_do(&rig, rig_move(&rig, "ada", "ben", 1));
        rig_do(&rig, rig_ping(&rig, "cleo"));
        rig_do(&rig, rig_put(&rig, "ben", 5));
        if (restarted)
            REQUIRE(rig_reopen(&rig));
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            /* What it does has a tag of its own. */
            struct rig_command *put =
                rig_unless(rig_put(&rig, "eve", 1), cases[i].tag, cases[i].other, cases[i].since);
            if (!CHECK_U64(rig_do(&rig, put), cases[i].status))
                tap_note("%s since %llu", cases[i].tag, (unsigned long long)cases[i].since);
            if (put->status == 409)
                CHECK_STRING(put->rule, "conflict");
            CHECK_U64(rig_do(&rig, put), cases[i].status);
            CHECK(put->repeated);
        }
        end();
    }
}

/* Of those who saw nothing, one wins: however far the first has come when the next are sent. */
static void one_of_many_wins(void)
{
    enum { COUNT = 5 };
    struct rig_command *sent[COUNT];

    for (int gap = 0; gap < 40; gap++) {
        int won = 0;

        REQUIRE(begin(gap % 3 ? 0 : 1));
        rig_do(&rig, rig_put(&rig, "ben", 5));
        rig_send(&rig, rig_ping(&rig, "dan"));
        if (gap % 2)
            sl_event_store_fault_delay(rig.faults, 1 + (uint64_t)gap % 5, 300000000);
        for (int i = 0; i < COUNT; i++) {
            sent[i] = rig_unless(rig_move(&rig, "ada", "ben", 1), "account:eve", "account:ada", 1);
            rig_send(&rig, sent[i]);
            rig_step(&rig, gap / 2);
        }
        CHECK(rig_wait_all(&rig));
        for (int i = 0; i < COUNT; i++) {
            won += sent[i]->status == 201;
            CHECK(sent[i]->status == 201 || sent[i]->status == 409);
        }
        CHECK_U64(won, 1);
        end();
    }
}

/* An event that never became durable is in nobody's way; one that is on its way, is. */
static void tagged_in_flight(void)
{
    struct rig_command *sent[3];

    for (int fails = 0; fails < 2; fails++) {
        REQUIRE(begin(0));
        rig_do(&rig, rig_put(&rig, "ben", 5));
        sent[0] = rig_ping(&rig, "ada");
        sent[1] = rig_unless(rig_put(&rig, "ben", 1), "account:ada", NULL, 0);
        sent[2] = rig_unless(rig_put(&rig, "ben", 1), "account:ada", NULL, 0);
        if (fails)
            sl_event_store_fault_append(rig.faults, 1, SL_APPEND_FAILED, false);
        send_while_flying(sent, 2);
        CHECK(rig_wait_all(&rig));
        CHECK_U64(sent[1]->status, fails ? 503 : 409);
        CHECK_U64(rig_do(&rig, sent[2]), fails ? 201 : 409);
        end();
    }
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void limits(void)
{
    static const struct {
        const char *name;
        uint32_t count, bytes;
        int status;
    } cases[] = {
        {"as many events as there may be", 8190, 100, 201},
        {"one more", 8191, 1, 413},
        {"an event of 1 MiB, less its frame", 1, (1 << 20) - 100, 201},
        {"an event beyond", 1, 1 << 20, 413},
        {"15 MiB of events", 15, (1 << 20) - 100, 201},
        {"17 MiB of events", 17, (1 << 20) - 100, 413},
        {"many events of many bytes", 8190, 100000, 413},
        {"none", 0, 0, 201},
    };
    uint64_t revision = 0;

    REQUIRE(begin(0));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tap_note("%s", cases[i].name);
        /* In company, so that others are in the batch. */
        struct rig_command *first = rig_put(&rig, "ben", 1);
        struct rig_command *many = rig_many(&rig, "ada", cases[i].count, cases[i].bytes);
        struct rig_command *last = rig_put(&rig, "ada", 1);
        rig_send(&rig, first);
        rig_send(&rig, many);
        rig_send(&rig, last);
        CHECK(rig_wait_all(&rig));
        CHECK_U64(first->status, 201);
        CHECK_U64(many->status, cases[i].status);
        if (cases[i].status == 413)
            CHECK_STRING(many->rule, "too_large");
        else
            revision += cases[i].count;
        /* Nothing of what was refused is there. */
        CHECK_U64(last->status, 201);
        CHECK_U64(last->revision, revision);
        CHECK_U64(rig_do(&rig, many), cases[i].status);
        CHECK(many->repeated);
        revision++;
    }
    const uint64_t events = rig.durable;
    CHECK_U64(sl_writer_log(rig.writer)->durable, events);
    check_accounts(&rig, (const char *const[]){"ada", "ben"}, 2);
    end();
}

static void long_tags(void)
{
    char name[150];

    REQUIRE(begin(0));
    memset(name, 'a', sizeof name);
    name[121] = '\0'; /* "holder:" and 121 bytes */
    CHECK_U64(rig_do(&rig, rig_put(&rig, name, 1)), 201);
    name[121] = 'a';
    name[122] = '\0';
    CHECK_U64(rig_do(&rig, rig_put(&rig, name, 1)), 413);
    end();
}

/* ---- Refusals that are events, of an item; an aggregate of which there is but one */

static void check_blamed(struct rig_command *command, const char *message, const char *field,
                         bool repeated)
{
    CHECK_U64(command->status, 422);
    CHECK_STRING(command->rule, "blamed");
    CHECK_STRING(command->told, message);
    CHECK_STRING(command->field, field);
    CHECK_U64(command->event_count, 1);
    CHECK_U64(command->repeated, repeated);
    /* It does not leave before its event is durable. */
    CHECK(command->position <= rig.durable);
}

static void blames(void)
{
    struct rig_command *sent[3];

    REQUIRE(begin(1)); /* states are forgotten, and read again by their tags */
    CHECK_U64(rig_do(&rig, rig_put(&rig, "ada", 1)), 201);
    sent[0] = rig_blame(&rig, "ada");
    sent[1] = rig_blame(&rig, "ben");
    sent[2] = rig_blame(&rig, "ada");
    sl_event_store_fault_delay(rig.faults, 1, INT64_C(1000000000));
    rig_send(&rig, sent[0]);
    rig_step(&rig, 200);
    CHECK_U64(sent[0]->answers, 0); /* on its way */
    rig_send(&rig, sent[1]);
    CHECK(rig_wait_all(&rig));
    for (int life = 0; life < 2; life++) {
        if (life > 0) {
            CHECK_U64(rig_do(&rig, sent[0]), 422);
            CHECK_U64(rig_do(&rig, sent[1]), 422);
        }
        check_blamed(sent[0], "ada is to blame", "lines[0]", life > 0);
        check_blamed(sent[1], "ben is to blame", "lines[1]", life > 0);
        REQUIRE(rig_reopen(&rig));
    }
    rig_do(&rig, sent[2]);
    check_blamed(sent[2], "ada is to blame", "lines[2]", false);
    CHECK_U64(sent[2]->revision, 2);
    /* One that names none has none, also as a repeat. */
    struct rig_command *put = rig_put(&rig, "ada", -100);
    for (int time = 0; time < 2; time++) {
        CHECK_U64(rig_do(&rig, put), 422);
        CHECK_STRING(put->told, "ada has too little");
        CHECK_STRING(put->field, "");
        CHECK_U64(put->repeated, time);
    }
    end();
}

/* ---- Histories that grow while they are read ------------------------------------------------- */

/* Events tagged with an account come from streams that do not need it, while it is not in memory,
 * while it is read, and while they are on their way to the disk. */
static void tags_from_elsewhere(void)
{
    for (int gap = 0; gap < 60; gap++) {
        REQUIRE(begin(0));
        CHECK_U64(rig_do(&rig, rig_put(&rig, "ben", 1)), 201);
        if (gap % 2)
            sl_event_store_fault_delay(rig.faults, 1 + (uint64_t)gap % 5, 300000000);
        for (int i = 0; i < 4; i++) {
            rig_send(&rig, rig_ping(&rig, "ada"));
            rig_step(&rig, gap / 2);
        }
        CHECK(rig_look(&rig, "ada"));
        if (!CHECK_U64(rig.seen.events, 4))
            tap_note("with %d steps between", gap / 2);
        rig_send(&rig, rig_ping(&rig, "ada"));
        rig_send(&rig, rig_move(&rig, "ada", "ada", 3));
        CHECK(rig_look(&rig, "ada"));
        CHECK_U64(rig.seen.events, 6);
        check_accounts(&rig, (const char *const[]){"ada", "ben"}, 2);
        end();
    }
}

/* ---- Memory runs out ------------------------------------------------------------------------- */

static char last_note[256];

/* Each note's event says what the one before it left. */
static void see_chain(struct rig *of, const struct sl_event *event)
{
    const struct rig_noted *body = event->body;

    if (event->type != &rig_noted_type)
        return;
    if (event->revision % 2 == 0)
        CHECK_TEXT(body->before, of->missed ? "" : last_note);
    else
        snprintf(last_note, sizeof last_note, "%.*s", (int)body->after.len, body->after.ptr);
}

/* True: the allocation was reached. With `restart`, commands are sent again to a new reign, which
 * knows only what the log says. */
static bool starve(uint64_t nth, bool restart)
{
    static const char *const names[] = {"ada", "ben", "cleo"};
    size_t first;

    if (!begin(1))
        return false;
    last_note[0] = '\0';
    rig.on_event = see_chain;
    CHECK_U64(rig_do(&rig, rig_note(&rig, "ada", "a note that lies in memory of its own")), 201);
    CHECK_U64(rig_do(&rig, rig_put(&rig, "ben", 7)), 201);
    first = rig.command_count;
    rig_note(&rig, "ada", "another note, rather longer than the one before");
    rig_put(&rig, "ben", -100); /* refused */
    rig_move(&rig, "ada", "ben", 2);
    rig_ping(&rig, "cleo");
    rig_chain(&rig, 2, 6);
    rig_many(&rig, "cleo", 3, 100000);
    rig_note(&rig, "ada", "the last one");
    rig_put(&rig, "ben", 3);
    rig_new(&rig, "Note"); /* a repeat */
    rig.commands[first + 8].body = rig.commands[first].body;
    rig.commands[first + 8].submission.id = rig.commands[first].submission.id;
    rig.commands[first + 8].submission.digest = rig.commands[first].submission.digest;
    const size_t last = rig.command_count;
    rig_fail_allocation(nth);
    for (size_t i = first; i < last; i++)
        rig_send(&rig, &rig.commands[i]);
    CHECK(rig_wait_all(&rig));
    const bool reached = rig_allocation_failed();
    rig_fail_allocation(0);
    rig.on_event = NULL;
    if (restart && !CHECK(rig_reopen(&rig)))
        return false;
    for (size_t i = first; i < last; i++) {
        struct rig_command *command = &rig.commands[i];
        CHECK_U64(command->answers, 1);
        if (command->status == 503 && i + 1 < last)
            CHECK_STRING(command->rule, "overloaded");
        const int before = command->status;
        rig_do(&rig, command);
        if (before != 503 && !CHECK_U64(command->status, before))
            tap_note("command %zu changed its outcome", i - first);
        CHECK_U64(command->status, i == first + 1 ? 422 : 201);
    }
    CHECK(rig_look(&rig, "ben"));
    CHECK_U64(rig.seen.balance, 10);
    check_accounts(&rig, names, 3);
    end();
    return reached;
}

static void memory_runs_out(void)
{
    uint64_t nth = 1;

    while (starve(nth, false) && starve(nth, true) && nth < 2000)
        nth++;
    tap_note("%llu allocations", (unsigned long long)nth);
    CHECK(nth > 40 && nth < 2000);
}

/* The log must not hear of an outcome for which the window of ids has no room: its command was
 * answered 503, and is decided when it comes again. Ids lie in slabs of 1,023. */
static void outcomes_without_room(void)
{
    unsigned failed = 0;

    for (uint64_t nth = 1; nth < 12; nth++) {
        REQUIRE(begin(0));
        for (int i = 0; i < 1023; i++)
            rig_send(&rig, rig_put(&rig, "ben", 1));
        CHECK(rig_wait_all(&rig));
        struct rig_command *put = rig_put(&rig, "ben", 1);
        rig_fail_allocation(nth);
        failed += rig_do(&rig, put) == 503;
        rig_fail_allocation(0);
        const bool again = put->status == 503;
        CHECK_U64(rig_do(&rig, rig_put(&rig, "ben", 1)), 201);
        REQUIRE(rig_reopen(&rig));
        CHECK_U64(rig_do(&rig, put), 201);
        CHECK_U64(put->repeated, !again);
        CHECK(rig_look(&rig, "ben"));
        CHECK_U64(rig.seen.balance, 1025);
        end();
    }
    CHECK(failed > 1);
}

/* ---- Random lives ---------------------------------------------------------------------------- */

static void random_command(void)
{
    static const char *const names[] = {"ada", "ben", "cleo", "dan", "eve"};
    static const char *const notes[] = {"", "short", "a rather longer note than the others"};
    const char *one = names[sl_sim_random(rig.env, 5)];
    const char *two = names[sl_sim_random(rig.env, 5)];
    struct rig_command *command;

    switch (sl_sim_random(rig.env, 6)) {
    case 0:
        command = rig_put(&rig, one, (int64_t)sl_sim_random(rig.env, 20) - 9);
        break;
    case 1:
        command = rig_move(&rig, one, two, 1);
        break;
    case 2:
        command = rig_ping(&rig, one);
        break;
    case 3:
        command = rig_note(&rig, one, notes[sl_sim_random(rig.env, 3)]);
        break;
    case 4:
        command = rig_many(&rig, one, (uint32_t)sl_sim_random(rig.env, 90), 3);
        break;
    default:
        command = &rig.commands[sl_sim_random(rig.env, rig.command_count)];
        if (command->message.kind != 0 && command->status == 0)
            return;
        break;
    }
    rig_send(&rig, command);
}

/* Whatever happens: each command is answered, and states are what their histories say. */
static void random_life(uint64_t seed, struct rig_options options)
{
    REQUIRE(rig_open(&rig, seed, options));
    rig_put(&rig, "ada", 100);
    for (int i = 0; i < 700; i++) {
        if (sl_sim_random(rig.env, 4) == 0)
            random_command();
        if (sl_sim_random(rig.env, 150) == 0)
            sl_event_store_fault_append(rig.faults, 1, SL_APPEND_FAILED, false);
        if (sl_sim_random(rig.env, 150) == 0)
            sl_event_store_fault_read(rig.faults, 1, SL_IO);
        if (sl_sim_random(rig.env, 40) == 0)
            sl_event_store_fault_delay(rig.faults, 1 + sl_sim_random(rig.env, 4), 50000000);
        rig_step(&rig, (int)sl_sim_random(rig.env, 12));
    }
    CHECK(rig_wait_all(&rig));
    sl_event_store_fault_append(rig.faults, 0, SL_APPEND_FAILED, false);
    sl_event_store_fault_read(rig.faults, 0, SL_IO);
    /* The last fault may have met the beginning of a reign, which is tried again after a second. */
    for (int i = 0; i < 100 && !sl_writer_log(rig.writer)->ready; i++) {
        sl_sim_advance(rig.env, 100000000);
        rig_step(&rig, 50);
    }
    check_accounts(&rig, (const char *const[]){"ada", "ben", "cleo", "dan", "eve"}, 5);
    CHECK_U64(sl_writer_log(rig.writer)->durable, sl_writer_log(rig.writer)->next);
    end();
}

static void random_lives(void)
{
    static const size_t memories[] = {1, 2000, 0};

    for (uint64_t seed = 1; seed <= TAP_TIMES(60, 12); seed++)
        random_life(seed, (struct rig_options){memories[seed % 3]});
}

/* Closing with all of it under way leaves nothing behind (the leak sanitizer looks). */
static void closes_at_any_moment(void)
{
    for (int steps = 0; steps < 30; steps++) {
        REQUIRE(begin(1));
        CHECK_U64(rig_do(&rig, rig_put(&rig, "ada", 5)), 201);
        struct rig_command *first = &rig.commands[0];
        for (int i = 0; i < 5; i++)
            rig_send(&rig, rig_move(&rig, "ada", "ben", 1));
        rig_step(&rig, steps);
        rig_send(&rig, first); /* its events are recalled */
        rig_step(&rig, steps / 3);
        end();
    }
}

int main(void)
{
    return TAP_RUN({"events carry texts out of states that change", texts_out_of_states},
                   {"nothing gets out of a batch that failed, nor what stood on it", batches_fail},
                   {"another writer reigns: this one stays out", fenced},
                   {"a batch fails while histories are read", fails_while_reading},
                   {"a history that cannot be read", reads_fail},
                   {"the same id: once, whoever asks", same_ids},
                   {"expected revisions hold over batches", expected_revisions},
                   {"conditions on tags", unless_tagged},
                   {"of those who saw nothing, one wins", one_of_many_wins},
                   {"conditions on what is on its way", tagged_in_flight},
                   {"as much as there may be, and more", limits},
                   {"tags have 128 bytes", long_tags},
                   {"refusals with events, of items, by an only aggregate", blames},
                   {"events tagged from other streams while it is read", tags_from_elsewhere},
                   {"each allocation fails", memory_runs_out},
                   {"outcomes for which there is no room", outcomes_without_room},
                   {"random lives", random_lives}, {"closing at any moment", closes_at_any_moment});
}
