/*
 * A view under random events, in the simulated world: rows against a model, with little memory,
 * with power losses (V1), and the live view against one rebuilt from the start (V2).
 *
 * SLUICE_LONG=1: a million events change rows, and more lives end in power losses.
 * SLUICE_TEST_EVENTS=N: so many for each view and size of memory.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap/tap.h"
#include "view/bench.h"

static const struct sl_view *const views[] = {&level_view, &stock_view};

static bool running(struct bench *bench)
{
    bench_run(bench);
    return CHECK(sl_view_table_status(bench->table).state == SL_VIEW_RUNNING);
}

/* Projects events up to `until`, with other things in between. Returns false when it gets stuck. */
static bool live_until(struct bench *bench, struct stock_model *model, uint64_t seed,
                       uint64_t until, unsigned *wrong)
{
    for (uint64_t position = sl_view_table_status(bench->table).position; position < until;
         position++) {
        struct sl_event event;
        struct stock_event body;
        struct sl_view_row row;
        char key[24];

        stock_event_at(seed, position, &event, &body);
        if (body.kind == STOCK_NOTHING)
            sl_view_advance(bench->table, position + 1);
        else if (bench_project(bench, &event) != SL_VIEW_APPLIED)
            return false;
        stock_model_apply(model, seed, position);
        const uint64_t id = sl_sim_random(bench->env, STOCK_KEYS);
        snprintf(key, sizeof key, "%" PRIu64, id);
        switch (sl_sim_random(bench->env, 8)) {
        case 0: {
            const enum sl_lookup_result result = bench_lookup(bench, key, &row);
            *wrong +=
                result == SL_LOOKUP_PENDING
                    ? sl_view_table_status(bench->table).state == SL_VIEW_RUNNING
                    : !stock_row_is(bench, model, id, result == SL_LOOKUP_FOUND ? row.row : NULL);
            break;
        }
        case 1:
            sl_sim_advance(bench->env, (int64_t)sl_sim_random(bench->env, 20000000));
            break;
        case 2:
            if (sl_view_fetch(bench->table, (struct sl_text){key, strlen(key)}) != SL_OK)
                *wrong += sl_view_table_status(bench->table).state == SL_VIEW_RUNNING;
            break;
        case 3:
            if (sl_sim_random(bench->env, 50) == 0)
                sl_view_hurry(bench->table);
            break;
        default:
            break;
        }
        for (uint64_t steps = sl_sim_random(bench->env, 4); steps > 0; steps--)
            (void)bench_step(bench);
    }
    return true;
}

static bool is_long(void)
{
    const char *value = getenv("SLUICE_LONG");

    return value && strcmp(value, "1") == 0;
}

/* For each of two views with each of two sizes of memory. */
static unsigned events_wanted(void)
{
    const char *more = getenv("SLUICE_TEST_EVENTS");

    return more ? (unsigned)strtoul(more, NULL, 10) : is_long() ? 250000 : TAP_TIMES(2500, 2000);
}

static void follow(const struct sl_view *view, size_t memory_max, unsigned events)
{
    struct stock_model model = {0};
    struct bench bench;
    unsigned wrong = 0;
    const uint64_t seed = memory_max + 3;

    bench_begin(&bench, seed, view);
    bench.memory_max = memory_max;
    REQUIRE(bench_open(&bench) && running(&bench));
    CHECK(live_until(&bench, &model, seed, events, &wrong));
    CHECK_U64(wrong, 0);
    CHECK_U64(stock_differences(&bench, &model), 0);
    bench_settle(&bench);
    struct sl_view_status status = sl_view_table_status(bench.table);
    CHECK_U64(status.stored, events);
    CHECK_U64(status.rows_dirty, 0);
    bench_close(&bench);
    REQUIRE(bench_open(&bench) && running(&bench));
    status = sl_view_table_status(bench.table);
    CHECK_U64(status.position, events);
    CHECK_U64(status.generation, 1);
    CHECK_U64(stock_differences(&bench, &model), 0);
    bench_end(&bench);
}

static void follows_the_model(void)
{
    for (size_t v = 0; v < 2; v++)
        follow(views[v], 0, events_wanted());
}

static void follows_with_little_memory(void)
{
    const unsigned before = sl_mark_count("view: evicted");

    for (size_t v = 0; v < 2; v++)
        follow(views[v], 20000, events_wanted());
    follow(views[1], 2000, events_wanted() / 10);
    CHECK(sl_mark_count("view: evicted") > before);
}

/* One life: from what the disk has to a power loss somewhere. */
static void live_once(struct bench *bench, uint64_t seed, unsigned *wrong, unsigned *lost)
{
    static struct stock_model model;
    const uint64_t before = sl_view_table_status(bench->table).position;

    memset(&model, 0, sizeof model);
    for (uint64_t position = 0; position < before; position++)
        stock_model_apply(&model, seed, position);
    *wrong += stock_differences(bench, &model);
    sl_sim_power_loss_at(bench->env, 1 + sl_sim_random(bench->env, 120));
    (void)live_until(bench, &model, seed, before + 200 + sl_sim_random(bench->env, 1500), wrong);
    sl_sim_power_loss(bench->env);
    *lost += 1;
    bench_close(bench);
}

static void survives_power_losses(void)
{
    const uint64_t lives = is_long() ? 32 : TAP_TIMES(5, 3);

    for (uint64_t seed = 1; seed <= lives; seed++) {
        struct bench bench;
        unsigned wrong = 0, lost = 0;
        uint64_t most = 0;

        bench_begin(&bench, seed, views[seed % 2]);
        bench.memory_max = seed % 3 == 0 ? 20000 : 0;
        for (unsigned life = 0; life < 12; life++) {
            REQUIRE(bench_open(&bench));
            bench_run(&bench);
            if (!CHECK(sl_view_table_status(bench.table).state == SL_VIEW_RUNNING)) {
                tap_note("seed %" PRIu64 ": %s", seed, sl_view_table_status(bench.table).why);
                break;
            }
            const uint64_t position = sl_view_table_status(bench.table).position;
            most = position > most ? position : most;
            live_once(&bench, seed, &wrong, &lost);
        }
        if (!CHECK_U64(wrong, 0))
            tap_note("seed %" PRIu64, seed);
        CHECK(most > 0);
        bench_end(&bench);
    }
}

/* V2, and C2: what was built with stops, losses and evictions equals what one run builds. */
static void replay_equals_live(void)
{
    for (size_t v = 0; v < 2; v++) {
        struct stock_model model = {0};
        struct bench bench;
        unsigned wrong = 0;
        const uint64_t seed = 99, until = 3000;

        bench_begin(&bench, seed, views[v]);
        bench.memory_max = 20000;
        for (uint64_t to = 500; to <= until; to += 500) {
            REQUIRE(bench_open(&bench) && running(&bench));
            CHECK(live_until(&bench, &model, seed, to, &wrong));
            bench_close(&bench);
        }
        REQUIRE(bench_open(&bench) && running(&bench));
        CHECK_U64(stock_differences(&bench, &model), 0);
        bench_settle(&bench);
        const char *live =
            bench_list(&bench, (struct sl_list_query){.index = -1, .limit = STOCK_KEYS});
        char *kept = strdup(live);
        bench_end(&bench);

        struct stock_model again = {0};
        bench_begin(&bench, seed + 1, views[v]);
        REQUIRE(bench_open(&bench) && running(&bench));
        CHECK(live_until(&bench, &again, seed, until, &wrong));
        bench_settle(&bench);
        CHECK_STRING(kept,
                     bench_list(&bench, (struct sl_list_query){.index = -1, .limit = STOCK_KEYS}));
        CHECK_U64(wrong, 0);
        free(kept);
        bench_end(&bench);
    }
}

static const struct sl_view *const kept_views[] = {&level_kept_view, &stock_kept_view};

/* At positions here and there up to `until`, which is stored. */
static unsigned past_differences(struct bench *bench, uint64_t seed, uint64_t until)
{
    struct stock_model model = {0};
    unsigned count = 0;

    for (uint64_t position = 0; position <= until; position++) {
        if (sl_sim_random(bench->env, until / 40 + 1) == 0 || position == until)
            count += stock_past_differences(bench, &model, position);
        stock_model_apply(&model, seed, position);
    }
    return count;
}

/* Each version is there, of rows that changed many times between two flushes, and after flushes
 * that failed. */
static void rows_as_they_were(void)
{
    for (unsigned i = 0; i < 4; i++) {
        struct stock_model model = {0};
        struct bench bench;
        unsigned wrong = 0;
        const uint64_t seed = 200 + i, until = TAP_TIMES(3000, 800);

        bench_begin(&bench, seed, kept_views[i % 2]);
        bench.memory_max = i < 2 ? 0 : 20000;
        REQUIRE(bench_open(&bench) && running(&bench));
        for (uint64_t to = until / 10; to <= until; to += until / 10) {
            sl_view_store_fail_at(&bench.fault, 1 + sl_sim_random(bench.env, 4),
                                  sl_sim_random(bench.env, 2) ? SL_IO : SL_LIMIT);
            while (!live_until(&bench, &model, seed, to, &wrong)) {
                memset(&model, 0, sizeof model);
                bench_settle(&bench);
                const uint64_t position = sl_view_table_status(bench.table).position;
                for (uint64_t at = 0; at < position; at++)
                    stock_model_apply(&model, seed, at);
            }
        }
        sl_view_store_fail_at(&bench.fault, 0, SL_OK);
        bench_settle(&bench);
        REQUIRE(CHECK_U64(sl_view_table_status(bench.table).stored, until));
        CHECK_U64(past_differences(&bench, seed, until), 0);
        bench_close(&bench);
        REQUIRE(bench_open(&bench) && running(&bench));
        CHECK_U64(past_differences(&bench, seed, until), 0);
        bench_end(&bench);
    }
}

static void rows_as_they_were_after_power_losses(void)
{
    for (uint64_t seed = 300; seed < 300 + TAP_TIMES(6, 3); seed++) {
        struct bench bench;
        unsigned wrong = 0, lost = 0;

        bench_begin(&bench, seed, kept_views[seed % 2]);
        bench.memory_max = seed % 3 == 0 ? 20000 : 0;
        for (unsigned life = 0; life < 6; life++) {
            REQUIRE(bench_open(&bench) && running(&bench));
            CHECK_U64(past_differences(&bench, seed, sl_view_table_status(bench.table).stored), 0);
            live_once(&bench, seed, &wrong, &lost);
        }
        if (!CHECK_U64(wrong, 0))
            tap_note("seed %" PRIu64, seed);
        bench_end(&bench);
    }
}

int main(void)
{
    return TAP_RUN({"rows follow the model", follows_the_model},
                   {"rows follow the model with little memory", follows_with_little_memory},
                   {"V1: rows and checkpoint agree after power losses", survives_power_losses},
                   {"V2: a replay equals the live view", replay_equals_live},
                   {"rows as they were", rows_as_they_were},
                   {"rows as they were, after power losses",
                    rows_as_they_were_after_power_losses});
}
