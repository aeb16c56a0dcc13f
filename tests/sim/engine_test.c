/*
 * Lives of the whole engine in a world that a seed decides: clients, from one to thousands at a
 * time, that repeat themselves, wait for positions and end what they began; threads that are left
 * alone; clocks that jump; disks that are slow, fail once or for a while, are full and have room
 * again; power that fails; views that are rebuilt meanwhile. In the end the machine is sound again,
 * the engine restarted or not, and what world_check.c lists must be true; much of it is looked at
 * on the way, too.
 *
 * Each run takes a fresh seed, after those that once found something (seeds.txt). A failure prints
 * its seed: SLUICE_SEED=N runs that life alone, and the same seed is the same life, bit for bit.
 */
#include "tap/tap.h"
#include "tests/sim/world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int64_t ms = INT64_C(1000000), second = INT64_C(1000000000);
static const char *seeds_path;

/* The machine that loses its power frees nothing. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* What a life is like. */
struct lot {
    size_t clients; /* who may wait at the same time */
    uint64_t acts;  /* of 64 moments, so many are a client's */
    unsigned steps; /* moments of a reign */
    int reigns;
    int64_t jumped, jumped_most; /* of the UTC clock, all in all */
    bool loses_power, disk_fails, disk_fills, disk_is_slow, clock_jumps, is_unfair, ends_in_heal;
    bool rebuilds; /* views, now and then */
};

static uint64_t draw(struct world *world, uint64_t limit)
{
    return sl_sim_random(world->env, limit);
}

static struct lot draw_lot(struct world *world)
{
    struct lot lot = {.rebuilds = world->seed % 2 == 0,
                      .clients = 1 + draw(world, 40),
                      .acts = 2 + draw(world, 20),
                      .steps = 500 + (unsigned)draw(world, 4000),
                      .reigns = 1 + (int)draw(world, 3)};

    if (draw(world, 24) == 0) { /* a crowd */
        lot.clients = 1000 + draw(world, 3000);
        lot.acts = 58;
        lot.steps = 8000;
        lot.reigns = 1;
    }
    lot.loses_power = draw(world, 3) > 0;
    lot.disk_fails = draw(world, 3) == 0;
    lot.disk_fills = draw(world, 4) == 0;
    lot.disk_is_slow = draw(world, 3) == 0;
    lot.clock_jumps = draw(world, 3) == 0;
    lot.is_unfair = draw(world, 3) > 0;
    lot.ends_in_heal = draw(world, 2) == 0;
    static const char *const segments[] = {"65536", "131072", "262144", "1048576"};
    world->segment_bytes = segments[draw(world, 4)];
    world->queue_max = draw(world, 3) == 0 ? 8 + (uint32_t)draw(world, 40) : 0;
    world->aggregate_memory_max = draw(world, 3) == 0 ? 2000 : 0;
    return lot;
}

static void jump(struct world *world, struct lot *lot, int64_t ns)
{
    lot->jumped += ns;
    if (lot->jumped > lot->jumped_most)
        lot->jumped_most = lot->jumped;
    sl_sim_jump(world->env, ns);
}

static void have_fault(struct world *world, struct lot *lot)
{
    const uint64_t what = draw(world, 6);

    if (what == 0 && lot->disk_fails)
        sl_sim_disk_fail_at(world->env, 1 + draw(world, 6));
    else if (what == 1 && lot->disk_fails)
        sl_sim_disk_fault(world->env, 1 + draw(world, 6), 1 + draw(world, 60), SL_IO);
    else if (what == 2 && lot->disk_fills)
        sl_sim_disk_size(world->env, 1 + draw(world, 3u << 20));
    else if (what == 3)
        sl_sim_disk_size(world->env, 0);
    else if (what == 4 && lot->disk_fills)
        sl_sim_disk_fault(world->env, 1 + draw(world, 6), 1 + draw(world, 30), SL_LIMIT);
    else if (what == 5 && lot->clock_jumps)
        jump(world, lot, ((int64_t)draw(world, 3600) - 1800) * second);
}

/* The clock is set right, too: what was due before it went back is due again. */
static void make_sound(struct world *world, struct lot *lot)
{
    jump(world, lot, lot->jumped_most - lot->jumped);
    sl_sim_disk_fail_at(world->env, 0);
    sl_sim_disk_size(world->env, 0);
    sl_sim_power_loss_at(world->env, 0);
}

static void reign(struct world *world, struct lot *lot)
{
    for (unsigned i = 0; i < lot->steps && !sl_sim_power_is_out(world->env); i++) {
        if (draw(world, 64) < lot->acts && world->under_way < lot->clients)
            world_act(world);
        else
            world_step(world, (int64_t)draw(world, 300) * ms);
        if (draw(world, 256) == 0)
            have_fault(world, lot);
        if (lot->rebuilds && i % 400 == 200)
            world_rebuild(world);
    }
}

/* A life that ends the program says which one it was. */
static char seed_text[64];

static void on_death(int signal_number)
{
    (void)!write(STDOUT_FILENO, seed_text, strlen(seed_text));
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

/* Of all lives: views that were rebuilt while the world went on, and rebuilds that gave up. */
static unsigned rebuilt, given_up;

static void count_rebuilt(struct world *world)
{
    struct sl_core_domain *const domains[] = {world->bank, world->order};

    for (size_t d = 0; world->core && d < 2; d++)
        for (size_t i = 0; i < sl_core_view_count(domains[d]); i++) {
            const struct sl_rebuild_status status = sl_core_view_rebuild_status(domains[d], i);
            rebuilt += status.state == SL_REBUILD_DONE;
            given_up += status.state == SL_REBUILD_FAILED;
        }
}

/* One life; false: something was wrong. */
static bool run_life(uint64_t seed, uint64_t *out_digest)
{
    static struct world world;

    snprintf(seed_text, sizeof seed_text, "# the end of seed %llu\n", (unsigned long long)seed);
    if (!CHECK(world_make(&world, seed)))
        return false;
    struct lot lot = draw_lot(&world);
    sl_sim_unfair(world.env, lot.is_unfair ? 400 : 0);
    sl_sim_disk_slow(world.env, lot.disk_is_slow ? (int64_t)draw(&world, 30) * ms : 0);
    enum world_start start = WORLD_REFUSED;
    for (int i = 0; i < lot.reigns && !world.bad; i++) {
        if (lot.loses_power)
            sl_sim_power_loss_at(world.env, 1 + draw(&world, 600));
        start = world_start(&world);
        if (start == WORLD_READY)
            reign(&world, &lot);
        count_rebuilt(&world);
        const bool is_last = i + 1 == lot.reigns && lot.ends_in_heal;
        if (start == WORLD_READY && is_last && !sl_sim_power_is_out(world.env))
            break; /* it must heal while it runs */
        if (start == WORLD_READY && !sl_sim_power_is_out(world.env) && draw(&world, 2))
            world_stop(&world);
        if (world.core || sl_sim_power_is_out(world.env))
            world_crash(&world);
        start = WORLD_REFUSED;
    }
    make_sound(&world, &lot);
    if (start == WORLD_READY)
        world_pass(&world, 150 * second);
    else
        start = world_start(&world);
    if (world_expect(&world, start == WORLD_READY, "a sound machine starts the engine"))
        world_check_all(&world);
    else
        tap_note("%s", world.error.message);
    if (world.core)
        world_crash(&world);
    *out_digest = sl_sim_digest(world.env) ^ world.told;
    const bool good = !world.bad;
    world_free(&world);
    return good;
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t fresh_seed(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return sl_hash64(&now, sizeof now, 0) >> 16;
}

static const char *only_seed(void)
{
    return getenv("SLUICE_SEED");
}

static void seeds_that_once_failed(void)
{
    FILE *file = only_seed() ? NULL : fopen(seeds_path, "r");
    char line[200];
    uint64_t digest;
    unsigned count = 0;

    if (only_seed()) {
        tap_skip("SLUICE_SEED asks for one life");
        return;
    }
    REQUIRE(file != NULL);
    while (fgets(line, sizeof line, file))
        if (line[0] >= '0' && line[0] <= '9') {
            CHECK(run_life(strtoull(line, NULL, 10), &digest));
            count++;
        }
    (void)!fclose(file);
    CHECK(count > 0);
}

static void a_seed_is_a_life(void)
{
    uint64_t first = 0, again = 0, other = 0;

    for (uint64_t seed = 1; seed <= 6; seed++) {
        CHECK(run_life(seed, &first) && run_life(seed, &again) && run_life(seed + 100, &other));
        CHECK_U64(first, again);
        CHECK(first != other);
    }
}

static void lives(void)
{
    const char *is_long = getenv("SLUICE_LONG");
    const double until = seconds_now() + (is_long && strcmp(is_long, "1") == 0 ? 600 : 20);
    uint64_t digest, seed = fresh_seed(), count = 0;

    if (only_seed()) {
        CHECK(run_life(strtoull(only_seed(), NULL, 10), &digest));
        tap_note("digest %016llx", (unsigned long long)digest);
        return;
    }
    tap_note("seeds from %llu", (unsigned long long)seed);
    while (seconds_now() < until && CHECK(run_life(seed, &digest))) {
        seed++;
        count++;
    }
    tap_note("%llu lives; %u views rebuilt in them, %u rebuilds given up",
             (unsigned long long)count, rebuilt, given_up);
    CHECK(rebuilt > 0 || count < 20);
}

int main(int argc, char **argv)
{
    (void)signal(SIGABRT, on_death);
    (void)signal(SIGSEGV, on_death);
    seeds_path = argc > 1 ? argv[1] : "seeds.txt";
    return TAP_RUN({"seeds that once failed", seeds_that_once_failed},
                   {"the same seed is the same life", a_seed_is_a_life}, {"lives", lives});
}
