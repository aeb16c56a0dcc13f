/*
 * The power fails at every write and every sync of lives of the whole engine: log, ids, views and
 * processes. A life is lived once to count its disk calls, and then again for each of them, cut off
 * there; now and then the power fails again during the restart. Afterwards all that world_check.c
 * lists must be true: nothing acknowledged is missing, nothing is done twice, refusals included,
 * and views are what a rebuild from position 0 makes of the log.
 *
 * 500 cuts; SLUICE_LONG=1: 10,000. SLUICE_SEED=N and SLUICE_CUT=M run one.
 */
#include "tap/tap.h"
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CUTS = TAP_TIMES(500, 60),
    CUTS_LONG = 10000,
    CUTS_A_LIFE = 125, /* of a life's calls, every n-th that makes so many */
};

static const int64_t ms = INT64_C(1000000);
static struct world world;
static struct world_held held; /* in all lives */

/* The machine that loses its power frees nothing. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static uint64_t draw(uint64_t limit)
{
    return sl_sim_random(world.env, limit);
}

/* Two reigns, with an end in good order between them. */
static void live(void)
{
    for (int reign = 0; reign < 2 && !sl_sim_power_is_out(world.env); reign++) {
        if (world_start(&world) != WORLD_READY)
            return;
        for (size_t i = 0; i < 4 && reign == 0; i++)
            world_open(&world, i);
        for (int i = 0; i < 500 && !sl_sim_power_is_out(world.env); i++) {
            if (draw(8) == 0)
                world_act(&world);
            else
                world_step(&world, (int64_t)draw(100) * ms);
        }
        if (reign == 0 && !sl_sim_power_is_out(world.env))
            world_stop(&world);
    }
}

/* Starts again, perhaps with the power failing once more. */
static bool recover(void)
{
    for (int again = (int)draw(3); again > 0; again--) {
        sl_sim_power_loss_at(world.env, 1 + draw(60));
        if (world_start(&world) == WORLD_READY)
            world_step(&world, ms);
        world_crash(&world);
    }
    /* What is pending may run out while nobody is there. */
    sl_sim_advance(world.env, (int64_t)draw(3) * 8000 * ms);
    return world_expect(&world, world_start(&world) == WORLD_READY, world.error.message);
}

/* A life, cut off at the n-th call; 0: never. Returns the calls that it made; 0: it went wrong. */
static uint64_t run_life(uint64_t seed, uint64_t cut)
{
    static const char *const segments[] = {"65536", "262144"};

    if (!CHECK(world_make(&world, seed)))
        return 0;
    world.segment_bytes = segments[seed % 2];
    sl_sim_unfair(world.env, seed % 3 == 0 ? 200 : 0);
    sl_sim_power_loss_at(world.env, cut);
    live();
    const uint64_t calls = sl_sim_disk_calls(world.env);
    world_crash(&world);
    if (recover())
        world_check_all(&world);
    if (world.bad)
        tap_note("SLUICE_SEED=%llu SLUICE_CUT=%llu", (unsigned long long)seed,
                 (unsigned long long)cut);
    held.made += world.held.made;
    held.posted += world.held.posted;
    held.voided += world.held.voided;
    held.expired += world.held.expired;
    const bool good = CHECK(!world.bad);
    world_crash(&world);
    world_free(&world);
    return good ? calls : 0;
}

static uint64_t setting_of(const char *name)
{
    const char *value = getenv(name);

    return value ? strtoull(value, NULL, 10) : 0;
}

static void the_power_fails_at_each_call(void)
{
    const uint64_t wanted = setting_of("SLUICE_LONG") == 1 ? CUTS_LONG : CUTS;
    uint64_t cuts = 0;

    if (setting_of("SLUICE_SEED")) {
        (void)run_life(setting_of("SLUICE_SEED"), setting_of("SLUICE_CUT"));
        return;
    }
    for (uint64_t seed = 1; cuts < wanted; seed++) {
        const uint64_t calls = run_life(seed, 0);
        const uint64_t stride = 1 + calls / CUTS_A_LIFE;
        if (calls == 0)
            return;
        for (uint64_t cut = 1 + seed % stride; cut <= calls && cuts < wanted; cut += stride) {
            cuts++;
            if (run_life(seed, cut) == 0)
                return;
        }
    }
    tap_note("%llu cuts; %u pending transfers: %u posted, %u voided, %u ran out",
             (unsigned long long)cuts, held.made, held.posted, held.voided, held.expired);
    CHECK(held.posted > 0 && held.voided > 0 && held.expired > 0);
}

int main(void)
{
    return TAP_RUN({"the power fails at each call", the_power_fails_at_each_call});
}
