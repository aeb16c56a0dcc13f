/*
 * The event log and the power: it fails at some write or sync of a random life of a log; then the
 * log is opened again, sometimes with another failure during that, and must hold whole batches
 * only, all that were acknowledged, each once (P2, L1, L3).
 */
#include "base/env_sim.h"
#include "conformance/event_store_bench.h"
#include "stores/log/log_store.h"
#include "tap/tap.h"

#include <string.h>

enum {
    LIVES = TAP_TIMES(600, 100),
    APPENDS_MAX = 120,
    IN_FLIGHT_MAX = 4,
};

static const char *fresh(void)
{
    return "data/log";
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "segment_bytes") == 0 ? "65536" : NULL;
}

/* What a life leaves behind. Its outcomes are numbered; that of append i has the id i + 1. */
struct life {
    struct bench bench;
    struct event_store_subject subject;
    uint64_t acknowledged;               /* positions below are promised, */
    uint64_t seen;                       /* and so are those that a read looked at (L2) */
    uint64_t bounds[APPENDS_MAX + 1];    /* where batches may end */
    size_t bound_count;
    bool promised[APPENDS_MAX];          /* outcomes */
    size_t append_count;
    struct sl_append *flying[IN_FLIGHT_MAX]; /* in order */
    size_t flying_count;
    bool failed; /* an append was: a claim must find out what the log holds */
};

static uint64_t draw(struct life *life, uint64_t limit)
{
    return sl_sim_random(life->subject.env, limit);
}

static bool is_bound(const struct life *life, uint64_t position)
{
    bool found = position == 0;

    for (size_t i = 0; i < life->bound_count; i++)
        found = found || life->bounds[i] == position;
    return found;
}

static void settle(struct life *life, const struct sl_append *append)
{
    if (append->result != SL_APPEND_DURABLE) {
        life->failed = true;
        return;
    }
    CHECK(!life->failed);
    life->acknowledged = append->position + append->event_count;
    if (append->outcome_count > 0) {
        uint64_t number;
        memcpy(&number, append->outcomes[0].id.bytes, sizeof number);
        life->promised[number - 1] = true;
    }
}

static void take_answers(struct life *life)
{
    for (struct sl_message *message = sl_mailbox_take_all(life->bench.mailbox); message;
         message = message->next) {
        CHECK(life->flying_count > 0 && message == &life->flying[0]->message);
        settle(life, life->flying[0]);
        life->flying_count--;
        memmove(life->flying, life->flying + 1, life->flying_count * sizeof *life->flying);
    }
}

static struct sl_append *make_append(struct life *life)
{
    struct bench *bench = &life->bench;
    const size_t sizes[] = {0, 1, 1, 1, 3, 10, 60};
    struct sl_append *append = bench_make(bench, sizes[draw(life, 7)]);
    struct sl_stored_outcome *outcome = sl_arena_zeroed(&bench->scratch, 1, sizeof *outcome);
    const uint64_t number = life->append_count + 1;

    memcpy(outcome->id.bytes, &number, sizeof number);
    outcome->position = append->position;
    append->outcomes = outcome;
    append->outcome_count = 1;
    append->flags = draw(life, 2) ? SL_APPEND_MAY_BLOCK : 0;
    life->append_count++;
    life->bounds[life->bound_count++] = bench->next;
    return append;
}

/* Hands a claim over and waits; false: it failed, or the power did. */
static bool claim(struct life *life)
{
    struct bench *bench = &life->bench;
    struct sl_message *message = NULL;

    bench->claim = (struct sl_claim){.message = {.reply_to = bench->mailbox}, .salt = 3};
    sl_event_store_claim(bench->store, &bench->claim);
    while (!(message = sl_mailbox_take_all(bench->mailbox)) && sl_sim_step(life->subject.env))
        continue;
    if (!message || bench->claim.err != SL_OK)
        return false;
    /* What a claim says is in the log is promised from then on. */
    CHECK(bench->claim.next_position >= life->acknowledged);
    CHECK(bench->claim.next_position >= life->seen);
    CHECK(is_bound(life, bench->claim.next_position));
    life->acknowledged = bench->next = bench->claim.next_position;
    life->failed = false;
    return true;
}

/* What a read hands out is durable, and as it must be. */
static void look(struct life *life)
{
    struct bench *bench = &life->bench;
    struct sl_read read = {.message = {.reply_to = bench->mailbox}, .by = SL_READ_POSITION,
                           .until = UINT64_MAX, .backwards = true, .count_max = 10,
                           .bytes_max = SIZE_MAX};
    struct sl_message *message = NULL;

    sl_event_store_read(bench->store, &read);
    while (!(message = sl_mailbox_take_all(bench->mailbox)) && sl_sim_step(life->subject.env))
        continue;
    if (!message) { /* the power failed first: closing answers it */
        bench_close(bench);
        (void)sl_mailbox_take_all(bench->mailbox);
    } else if (read.err == SL_OK) {
        CHECK(read.durable >= life->acknowledged);
        for (size_t i = 0; i < read.event_count; i++)
            bench_same(bench, &read.events[i]);
        life->seen = read.durable;
    }
    sl_arena_close(&read.arena);
}

/* Appends, one or some at a time, the disk failing now and then, until the power fails or it is
 * enough. */
static void live(struct life *life)
{
    struct bench *bench = &life->bench;
    const bool disk_fails = draw(life, 2) == 0;

    while (!sl_sim_power_is_out(life->subject.env) &&
           (life->append_count < APPENDS_MAX || life->flying_count > 0)) {
        if (disk_fails && draw(life, 30) == 0)
            sl_sim_disk_fail_at(life->subject.env, 1 + draw(life, 4));
        if (life->flying_count == 0 && draw(life, 6) == 0) {
            look(life);
        } else if (life->failed && life->flying_count == 0) {
            (void)claim(life);
        } else if (!life->failed && life->append_count < APPENDS_MAX &&
                   life->flying_count < IN_FLIGHT_MAX && draw(life, 3) > 0) {
            struct sl_append *append = make_append(life);
            if (sl_event_store_append(bench->store, append))
                settle(life, append);
            else
                life->flying[life->flying_count++] = append;
        } else if (!sl_sim_step(life->subject.env)) {
            sl_sim_advance(life->subject.env, 300000);
        }
        take_answers(life);
    }
}

/* The machine starts again; returns whether the log could be opened and claimed. */
static bool restart(struct life *life)
{
    struct bench *bench = &life->bench;

    bench_close(bench);
    (void)sl_mailbox_take_all(bench->mailbox);
    life->flying_count = 0;
    sl_sim_power_loss(life->subject.env);
    sl_sim_disk_fail_at(life->subject.env, 0);
    const bool again = draw(life, 3) == 0;
    if (again)
        sl_sim_power_loss_at(life->subject.env, 1 + draw(life, 8));
    const struct sl_store_options options = {.location = bench->location, .name = "bench",
                                             .setting = setting};
    struct sl_error error = {0};
    enum sl_err err = sl_event_store_open(life->subject.ops, life->subject.env, &options,
                                          &bench->store, &error);
    if (err == SL_OK && claim(life)) {
        sl_sim_power_loss_at(life->subject.env, 0);
        return true;
    }
    if (!sl_sim_power_is_out(life->subject.env) && err == SL_OK)
        err = bench->claim.err;
    if (!sl_sim_power_is_out(life->subject.env)) {
        tap_note("%s: %s", sl_err_name(err), error.message);
        (void)tap_check(false, __FILE__, __LINE__, "a log opens after a power loss");
    }
    return false;
}

static void check_outcomes(struct life *life)
{
    struct sl_read read = {.by = SL_READ_OUTCOMES, .until = UINT64_MAX, .since = {INT64_MIN},
                           .count_max = 1000, .bytes_max = SIZE_MAX};
    unsigned seen[APPENDS_MAX] = {0};

    bench_read(&life->bench, &read);
    CHECK_U64(read.err, SL_OK);
    for (size_t i = 0; i < read.outcome_count; i++) {
        uint64_t number;
        memcpy(&number, read.outcomes[i].id.bytes, sizeof number);
        if (CHECK(number >= 1 && number <= life->append_count))
            seen[number - 1]++;
        CHECK(read.outcomes[i].position <= life->bench.next); /* L4 */
    }
    for (size_t i = 0; i < life->append_count; i++)
        CHECK(seen[i] <= 1 && (seen[i] == 1 || !life->promised[i]));
    sl_arena_close(&read.arena);
}

static bool concerns_account_3(uint64_t position)
{
    return position % BENCH_STREAMS == 3 || (position % 3 == 0 && position % 5 == 3);
}

/* One life with its seed; false: something was wrong. */
static bool run_life(uint64_t seed)
{
    static struct life life;
    bool good;

    life = (struct life){0};
    life.subject = (struct event_store_subject){.ops = &sl_log_store_ops, .simulated = true,
                                                .fresh = fresh, .setting = setting};
    if (!CHECK(sl_env_sim_new(seed, &life.subject.env) == SL_OK) ||
        !bench_begin(&life.bench, &life.subject))
        return false;
    sl_sim_power_loss_at(life.subject.env, 1 + draw(&life, 150));
    live(&life);
    for (int tries = 0; !restart(&life); tries++)
        if (!CHECK(tries < 20)) {
            bench_end(&life.bench);
            return false;
        }
    good = !life.failed;
    bench_check(&life.bench, SL_READ_POSITION, SL_TEXT(""), 50, false, NULL);
    bench_check(&life.bench, SL_READ_AGGREGATE, SL_TEXT("account/3"), 50, false,
                concerns_account_3);
    check_outcomes(&life);
    /* It goes on, and what was recovered is still there after an orderly restart. */
    if (good && life.bench.claim.schema_count == 0 && life.bench.next > 0)
        good = tap_check(false, __FILE__, __LINE__, "events have their schemas");
    for (int i = 0; i < 3 && good; i++)
        good = CHECK_U64(bench_append(&life.bench, 20), SL_APPEND_DURABLE);
    bench_close(&life.bench);
    if (good && bench_open(&life.bench) && bench_claim(&life.bench))
        bench_check(&life.bench, SL_READ_POSITION, SL_TEXT(""), 5000, false, NULL);
    bench_end(&life.bench);
    sl_env_free(life.subject.env);
    return good;
}

static void the_power_fails_anywhere(void)
{
    for (uint64_t seed = 1; seed <= LIVES; seed++)
        if (!run_life(seed)) {
            tap_note("seed %llu", (unsigned long long)seed);
            return;
        }
    if (LIVES < 600)
        return;
    /* The lives led through what they are meant to lead through. */
    CHECK(sl_mark_count("log: torn tail") > 20);
    CHECK(sl_mark_count("log: failed sync") > 20);
    CHECK(sl_mark_count("log: segment not begun") > 5);
    CHECK(sl_mark_count("log: append on the caller's thread") > 1000);
    CHECK(sl_mark_count("log: swept") > 5);
    CHECK(sl_mark_count("log: sealed") > 100);
    CHECK(sl_mark_count("log: recycled") > 20);
    CHECK(sl_mark_count("log: raw beside sealed") > 5);
    CHECK(sl_mark_count("log: sealing given up") > 20);
}

int main(void)
{
    return TAP_RUN({"the power fails anywhere", the_power_fails_anywhere});
}
