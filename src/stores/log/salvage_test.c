/* Salvage against random damage: what it saves opens as a log and is the log up to the damage, and
 * it calls damaged what the store itself refuses to open. */
#include "base/env_sim.h"
#include "conformance/event_store_bench.h"
#include "stores/log/log_store.h"
#include "stores/log/salvage.h"
#include "stores/log/scavenge.h"
#include "tap/tap.h"

#include <stdio.h>
#include <string.h>

enum { EVENTS = 60, SEGMENT_BYTES = 64 << 10, LIVES = 160 };

static const char *fresh(void)
{
    return "data/log";
}

static bool seals; /* full segments; else all stay raw */
static uint64_t scavenged_below;
static bool scavenges; /* sealed ones */

static const char *setting(void *context, const char *key)
{
    (void)context;
    if (strcmp(key, "seal") == 0)
        return seals ? "yes" : "no";
    return strcmp(key, "segment_bytes") == 0 ? "65536" : NULL;
}

struct scene {
    struct bench bench;
    struct event_store_subject subject;
    uint64_t last; /* segment */
};

/* The file that is in force; false: there is none. */
static bool find_segment(struct sl_env *env, uint64_t number, char out[80], struct sl_slice *bytes)
{
    snprintf(out, 80, "data/log/%020llu.sealed", (unsigned long long)number);
    if (sl_sim_disk_peek(env, out, bytes) == SL_OK)
        return true;
    snprintf(out, 80, "data/log/%020llu.seg", (unsigned long long)number);
    return sl_sim_disk_peek(env, out, bytes) == SL_OK;
}

static bool set_scene(struct scene *scene, uint64_t seed)
{
    *scene = (struct scene){0};
    scene->subject = (struct event_store_subject){.ops = &sl_log_store_ops, .simulated = true,
                                                  .fresh = fresh, .setting = setting};
    if (!CHECK(sl_env_sim_new(seed, &scene->subject.env) == SL_OK) ||
        !bench_begin(&scene->bench, &scene->subject))
        return false;
    while (scene->bench.next < EVENTS)
        CHECK_U64(bench_append(&scene->bench, 1 + sl_sim_random(scene->subject.env, 3)),
                  SL_APPEND_DURABLE);
    sl_sim_run(scene->subject.env, INT64_MAX);
    bench_close(&scene->bench);
    struct sl_slice bytes;
    char path[80];
    while (find_segment(scene->subject.env, scene->last + 1, path, &bytes))
        scene->last++;
    return CHECK(scene->last >= 2);
}

static void strike_scene(struct scene *scene)
{
    bench_end(&scene->bench);
    sl_env_free(scene->subject.env);
}

static bool is_stone(uint64_t position)
{
    return position < scavenged_below && position % 2 == 1;
}

static bool may_go(void *context, const struct sl_schema *schema, uint64_t position,
                   const struct sl_log_event *event)
{
    (void)context;
    (void)schema;
    (void)event;
    return position % 2 == 1;
}

static void scavenge(struct scene *scene)
{
    struct sl_log_scavenge work = {.env = scene->subject.env, .path = "data/log",
                                   .may_go = may_go};
    struct sl_error error = {0};

    CHECK_U64(sl_log_scavenge(&work, &error), SL_OK);
    CHECK(work.stones > 0);
    scavenged_below = work.next_raw;
    scene->bench.is_stone = is_stone;
}

static void flip_somewhere(struct scene *scene)
{
    struct sl_env *env = scene->subject.env;
    struct sl_slice bytes = {0};
    char path[80];

    if (!CHECK(find_segment(env, sl_sim_random(env, scene->last + 1), path, &bytes)))
        return;
    const uint64_t offset = sl_sim_random(env, bytes.len);
    const uint8_t byte = bytes.ptr[offset] ^ (uint8_t)(1u << sl_sim_random(env, 8));
    CHECK(sl_sim_disk_poke(env, path, offset, (struct sl_slice){&byte, 1}) == SL_OK);
}

/* The store's own judgement of the folder. Opening cuts torn tails: it comes last. */
static enum sl_err open_original(struct scene *scene, uint64_t *out_position)
{
    struct bench *bench = &scene->bench;
    const struct sl_store_options options = {.location = "data/log", .name = "bench",
                                             .setting = setting};
    struct sl_error error = {0};

    const enum sl_err err = sl_event_store_open(&sl_log_store_ops, scene->subject.env, &options,
                                                &bench->store, &error);
    if (err == SL_OK && bench_claim(bench))
        *out_position = bench->next;
    if (err == SL_OK)
        bench_close(bench);
    else
        CHECK(err != SL_CORRUPT ||
              strstr(error.message, "; or save what is whole: sluice log salvage data/log --to "
                                    "DIR"));
    return err;
}

/* The copy opens, holds exactly the events below `position`, goes on, and outlasts the power. */
static void check_copy(struct scene *scene, uint64_t position)
{
    struct bench *bench = &scene->bench;

    sl_sim_power_loss(scene->subject.env);
    bench->location = "data/saved";
    if (!bench_open(bench) || !bench_claim(bench))
        return;
    CHECK_U64(bench->next, position);
    if (scavenged_below > position)
        scavenged_below = position; /* what comes now is new */
    bench_check(bench, SL_READ_POSITION, SL_TEXT(""), 100, false, NULL);
    if (position > 0)
        CHECK_U64(bench_append(bench, 9), SL_APPEND_DURABLE);
    bench_check(bench, SL_READ_POSITION, SL_TEXT(""), 100, false, NULL);
    bench_close(bench);
}

static void live(uint64_t seed, unsigned *damaged, unsigned *repaired)
{
    struct sl_log_salvage salvage = {.from = "data/log", .to = "data/saved"};
    struct sl_error error = {0};
    uint64_t position = UINT64_MAX;
    struct scene scene;

    if (!set_scene(&scene, seed))
        return;
    salvage.env = scene.subject.env;
    if (scavenges)
        scavenge(&scene);
    for (uint64_t i = sl_sim_random(salvage.env, 3); i > 0; i--)
        flip_somewhere(&scene);
    const enum sl_err err = sl_log_salvage(&salvage, &error);
    const enum sl_err opened = open_original(&scene, &position);
    if (err == SL_OK) {
        /* Of sealed segments, the store reads the headers alone. */
        const bool can_tell = !salvage.is_damaged && salvage.indexes_lost == 0;
        if (!seals || can_tell)
            CHECK_U64(opened, salvage.is_damaged ? SL_CORRUPT : SL_OK);
        *damaged += salvage.is_damaged;
        *repaired += salvage.indexes_lost > 0;
        CHECK(salvage.lost_until >= salvage.position);
        CHECK(salvage.lost_until <= EVENTS + 3);
        CHECK(salvage.whole_behind <= salvage.lost_until - salvage.position);
        if (can_tell)
            CHECK_U64(salvage.position, position);
        if (opened == SL_OK)
            CHECK(salvage.lost_until <= position);
        check_copy(&scene, salvage.position);
    } else {
        CHECK_U64(err, SL_NOT_FOUND); /* the very first header */
        CHECK_U64(opened, SL_CORRUPT);
    }
    if (salvage.is_damaged && !strstr(salvage.damage.message, ".seg"))
        CHECK(strstr(salvage.damage.message, "data/log"));
    strike_scene(&scene);
}

static void all_lives(void)
{
    unsigned damaged = 0, repaired = 0;

    for (uint64_t seed = 1; seed <= LIVES; seed++)
        live(seed, &damaged, &repaired);
    tap_note("%u of %d lives met damage, %u lost an index", damaged, LIVES, repaired);
    CHECK((repaired > 0) == seals);
    CHECK(damaged > LIVES / 6);
}

static void what_is_saved_is_the_log_up_to_the_damage(void)
{
    all_lives();
}

static void so_it_is_of_sealed_segments(void)
{
    seals = true;
    all_lives();
    seals = false;
}

static void so_it_is_of_scavenged_ones(void)
{
    seals = scavenges = true;
    all_lives();
    seals = scavenges = false;
}

/* Two batches rot in the middle: what is whole behind them is counted, not saved. */
static void what_is_lost_is_told(void)
{
    struct sl_log_salvage salvage = {.from = "data/log", .to = "data/saved"};
    const uint8_t rot[SL_LOG_BLOCK] = {1};
    struct sl_error error = {0};
    struct scene scene;
    char path[80];

    if (!set_scene(&scene, 3))
        return;
    salvage.env = scene.subject.env;
    struct sl_slice bytes;
    CHECK(find_segment(salvage.env, 1, path, &bytes));
    CHECK(sl_sim_disk_poke(salvage.env, path, SL_LOG_BLOCK, (struct sl_slice){rot, sizeof rot}) ==
          SL_OK);
    const uint64_t calls = sl_sim_disk_calls(salvage.env);
    REQUIRE(sl_log_salvage(&salvage, &error) == SL_OK);
    CHECK(sl_sim_disk_calls(salvage.env) > calls);
    CHECK(salvage.is_damaged);
    CHECK_U64(salvage.segment, 0);
    CHECK(salvage.position > 5 && salvage.position < 30);
    CHECK(salvage.lost_until >= EVENTS);
    /* All but the batch that rotted. */
    CHECK(salvage.whole_behind >= salvage.lost_until - salvage.position - 3);
    CHECK(salvage.whole_behind < salvage.lost_until - salvage.position);
    /* Not twice into the same folder. */
    CHECK(sl_log_salvage(&salvage, &error) == SL_CONFLICT);
    CHECK(strstr(error.message, "name another folder"));
    check_copy(&scene, salvage.position);
    strike_scene(&scene);
}

/* So that the first segment is packed again. */
static void rot_an_index(struct scene *scene)
{
    struct sl_slice bytes = {0};
    char path[80];

    CHECK(find_segment(scene->subject.env, 0, path, &bytes) && strstr(path, ".sealed"));
    if (bytes.len == 0)
        return;
    const uint8_t byte = bytes.ptr[bytes.len - 2000] ^ 1;
    CHECK(sl_sim_disk_poke(scene->subject.env, path, bytes.len - 2000,
                           (struct sl_slice){&byte, 1}) == SL_OK);
}

/* Each disk call fails in turn, and the power with it: what is left never opens as a shorter
 * log. */
static unsigned fail_each_call(void)
{
    unsigned failed = 0;

    for (uint64_t nth = 1; nth <= 60; nth++) {
        struct sl_log_salvage salvage = {.from = "data/log", .to = "data/saved"};
        struct sl_error error = {0};
        struct scene scene;

        if (!set_scene(&scene, nth))
            return failed;
        salvage.env = scene.subject.env;
        if (seals)
            rot_an_index(&scene);
        sl_sim_power_loss_at(salvage.env, nth);
        const enum sl_err err = sl_log_salvage(&salvage, &error);
        sl_sim_power_loss_at(salvage.env, 0);
        const bool power_out = sl_sim_power_is_out(salvage.env);
        sl_sim_power_loss(salvage.env);
        failed += err != SL_OK;
        CHECK(err != SL_OK || !power_out);
        struct sl_log_salvage copy = {.env = salvage.env, .from = "data/saved", .to = "data/copy"};
        const enum sl_err again = sl_log_salvage(&copy, &error);
        if (again == SL_OK)
            CHECK_U64(copy.position, scene.bench.next);
        else
            CHECK(err != SL_OK && again == SL_NOT_FOUND);
        strike_scene(&scene);
    }
    return failed;
}

static void a_salvage_that_fails_leaves_no_log(void)
{
    const unsigned raw = fail_each_call();
    seals = true;
    const unsigned sealed = fail_each_call();
    seals = false;
    tap_note("%u of raw ones failed, %u of sealed ones", raw, sealed);
    CHECK(raw > 10 && sealed > 10);
}

int main(void)
{
    return TAP_RUN({"what is saved is the log up to the damage",
                    what_is_saved_is_the_log_up_to_the_damage},
                   {"so it is of sealed segments", so_it_is_of_sealed_segments},
                   {"so it is of scavenged ones", so_it_is_of_scavenged_ones},
                   {"what is lost is told", what_is_lost_is_told},
                   {"a salvage that fails leaves no log", a_salvage_that_fails_leaves_no_log});
}
