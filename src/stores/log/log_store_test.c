/* What is the embedded log's own, beyond the conformance suite. */
#include "stores/log/log_store.h"

#include "base/env_sim.h"
#include "conformance/event_store_bench.h"
#include "tap/tap.h"

#include <string.h>

static const char *segment_bytes = "65536";
static const char *seal = "yes";

static const char *fresh(void)
{
    return "data/log";
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    if (strcmp(key, "seal") == 0)
        return seal;
    return strcmp(key, "segment_bytes") == 0 ? segment_bytes : NULL;
}

struct scene {
    struct bench bench;
    struct event_store_subject subject;
};

static bool set_scene(struct scene *scene)
{
    *scene = (struct scene){0};
    scene->subject = (struct event_store_subject){.ops = &sl_log_store_ops, .simulated = true,
                                                  .fresh = fresh, .setting = setting};
    return CHECK(sl_env_sim_new(11, &scene->subject.env) == SL_OK) &&
           bench_begin(&scene->bench, &scene->subject);
}

static void strike_scene(struct scene *scene)
{
    bench_end(&scene->bench);
    sl_env_free(scene->subject.env);
}

static void a_small_append_is_done_on_the_callers_thread(void)
{
    struct scene scene;
    unsigned here = 0;

    if (!set_scene(&scene))
        return;
    for (int i = 0; i < 100; i++) {
        struct sl_append *append = bench_make(&scene.bench, 1);
        append->flags = SL_APPEND_MAY_BLOCK;
        if (sl_event_store_append(scene.bench.store, append))
            here++;
        else
            CHECK(bench_wait(&scene.bench) == &append->message);
        CHECK_U64(append->result, SL_APPEND_DURABLE);
    }
    /* Only the appends that begin a segment are handed over. */
    CHECK(here > 80 && here < 100);
    bench_check(&scene.bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);

    struct sl_append *large = bench_make(&scene.bench, 200);
    large->flags = SL_APPEND_MAY_BLOCK;
    large->bytes = 1; /* an estimate may be wrong */
    CHECK(!sl_event_store_append(scene.bench.store, large));
    CHECK(bench_wait(&scene.bench) == &large->message);
    CHECK_U64(large->result, SL_APPEND_DURABLE);

    struct sl_append *first = bench_make(&scene.bench, 1), *second = bench_make(&scene.bench, 1);
    second->flags = SL_APPEND_MAY_BLOCK;
    CHECK(!sl_event_store_append(scene.bench.store, first));
    CHECK(!sl_event_store_append(scene.bench.store, second)); /* one is in flight */
    while (first->result == 0 || second->result == 0)
        if (!CHECK(bench_wait(&scene.bench) != NULL))
            break;
    bench_check(&scene.bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);
    strike_scene(&scene);
}

static void waiting_appends_share_a_write(void)
{
    struct scene scene;

    if (!set_scene(&scene))
        return;
    CHECK_U64(bench_append(&scene.bench, 1), SL_APPEND_DURABLE);
    sl_sim_run(scene.subject.env, INT64_MAX);
    const uint64_t calls = sl_sim_disk_calls(scene.subject.env);
    for (int i = 0; i < 8; i++)
        CHECK(!sl_event_store_append(scene.bench.store, bench_make(&scene.bench, 1)));
    for (size_t answered = 0; answered < 8;)
        for (struct sl_message *message = bench_wait(&scene.bench); message;
             message = message->next)
            answered++;
    CHECK(sl_sim_disk_calls(scene.subject.env) - calls < 8);
    strike_scene(&scene);
}

static void a_full_disk_refuses_and_nothing_else(void)
{
    enum sl_append_result result = SL_APPEND_DURABLE;
    struct scene scene;

    if (!set_scene(&scene))
        return;
    struct bench *bench = &scene.bench;
    sl_sim_disk_size(scene.subject.env, 300000);
    while (result == SL_APPEND_DURABLE && CHECK(bench->next < 500)) {
        struct sl_append *append = bench_make(bench, 5);
        result = bench_put(bench, append);
        if (result != SL_APPEND_DURABLE) {
            CHECK_U64(result, SL_APPEND_FAILED); /* for certain: nothing of it was written */
            CHECK_U64(append->error.code, SL_LIMIT);
            bench->next -= 5;
        }
    }
    const uint64_t full = bench->next;
    CHECK(full >= 100);
    bench_check(bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);
    /* The log can be claimed and reopened while the disk is full. */
    REQUIRE(bench_claim(bench));
    CHECK_U64(bench->next, full);
    CHECK_U64(bench_append(bench, 5), SL_APPEND_FAILED);
    bench_close(bench);
    REQUIRE(bench_open(bench) && bench_claim(bench));
    CHECK_U64(bench->next, full);
    bench_check(bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);
    /* And there is room again. */
    sl_sim_disk_size(scene.subject.env, 0);
    REQUIRE(bench_claim(bench));
    for (int i = 0; i < 30; i++)
        CHECK_U64(bench_append(bench, 5), SL_APPEND_DURABLE);
    bench_check(bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);
    strike_scene(&scene);
}

static void a_failed_write_is_unknown_until_the_claim(void)
{
    unsigned kept = 0, lost = 0;

    for (int i = 0; i < 60; i++) {
        struct scene scene;
        if (!set_scene(&scene))
            return;
        struct bench *bench = &scene.bench;
        CHECK_U64(bench_append(bench, 3), SL_APPEND_DURABLE);
        for (int j = 0; j < i; j++)
            (void)sl_sim_random(scene.subject.env, 2); /* another fate each time */
        sl_sim_run(scene.subject.env, INT64_MAX);
        sl_sim_disk_fail_at(scene.subject.env, 1);
        CHECK_U64(bench_append(bench, 10), SL_APPEND_UNKNOWN);
        CHECK_U64(bench_append(bench, 1), SL_APPEND_UNKNOWN);
        if (bench_claim(bench)) {
            CHECK(bench->next == 3 || bench->next == 13);
            lost += bench->next == 3;
            kept += bench->next == 13;
        }
        CHECK_U64(bench_append(bench, 1), SL_APPEND_DURABLE);
        bench_check(bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);
        strike_scene(&scene);
    }
    CHECK(kept > 0 && lost > 0);
}

static void a_foreign_schema_is_refused(void)
{
    static const struct sl_schema other = {.id = 3, .version = 9, .name = {"Other", 5}};
    static const struct sl_schema unknown = {.id = 4, .version = 1, .name = {"New", 3}};
    static const struct {
        const struct sl_schema *listed, *used;
        enum sl_append_result result;
    } table[] = {
        {NULL, &unknown, SL_APPEND_FAILED},
        {&other, &other, SL_APPEND_FAILED}, /* the id belongs to another one */
        {&unknown, &unknown, SL_APPEND_DURABLE},
        {&bench_schemas[0], &bench_schemas[0], SL_APPEND_DURABLE}, /* again, and equal */
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct scene scene;
        if (!set_scene(&scene))
            return;
        CHECK_U64(bench_append(&scene.bench, 2), SL_APPEND_DURABLE);
        struct sl_append *append = bench_make(&scene.bench, 1);
        struct sl_stored_event event = append->events[0];
        event.schema = table[i].used;
        append->events = &event;
        append->schemas = &table[i].listed;
        append->schema_count = table[i].listed ? 1 : 0;
        CHECK_U64(bench_put(&scene.bench, append), table[i].result);
        CHECK(bench_claim(&scene.bench));
        CHECK_U64(scene.bench.next, table[i].result == SL_APPEND_DURABLE ? 3 : 2);
        strike_scene(&scene);
    }
}

static void settings_are_checked(void)
{
    static const struct {
        const char *value;
        enum sl_err err;
    } table[] = {
        {"65536", SL_OK}, {"65535", SL_INVALID}, {"64 MiB", SL_INVALID},
        {"-1", SL_INVALID}, {"", SL_INVALID}, {"99999999999999999999", SL_INVALID},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct sl_store_options options = {.location = "data/log", .name = "bench",
                                                 .setting = setting};
        struct sl_event_store *store = NULL;
        struct sl_error error = {0};
        struct sl_env *env;
        REQUIRE(sl_env_sim_new(1, &env) == SL_OK);
        segment_bytes = table[i].value;
        CHECK_U64(sl_event_store_open(&sl_log_store_ops, env, &options, &store, &error),
                  table[i].err);
        CHECK(table[i].err == SL_OK || strstr(error.message, "segment_bytes") != NULL);
        sl_event_store_close(store);
        sl_env_free(env);
    }
    segment_bytes = "65536";
    seal = "yes";
}

static void spares_are_made_ahead_and_used(void)
{
    struct scene scene;

    if (!set_scene(&scene))
        return;
    const unsigned before = sl_mark_count("log: segment without a spare");
    for (int i = 0; i < 60; i++) {
        CHECK_U64(bench_append(&scene.bench, 1), SL_APPEND_DURABLE);
        sl_sim_run(scene.subject.env, INT64_MAX); /* the sealer has all the time it wants */
    }
    CHECK_U64(sl_mark_count("log: segment without a spare"), before);
    bench_check(&scene.bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);
    strike_scene(&scene);
}

/* Small segments come first, so that a new log starts quickly; then they grow up to the setting. */
static void segments_grow(void)
{
    static const uint64_t sizes[] = {1 << 20, 4 << 20, 8 << 20};
    struct scene scene;
    struct sl_slice bytes;

    segment_bytes = "8388608";
    seal = "no"; /* so that the files stay to be looked at */
    if (!set_scene(&scene))
        return;
    for (int i = 0; i < 20; i++) {
        CHECK_U64(bench_append(&scene.bench, 1500), SL_APPEND_DURABLE);
        sl_arena_reset(&scene.bench.scratch);
        sl_sim_run(scene.subject.env, INT64_MAX);
    }
    for (int i = 0; i < 3; i++) {
        char path[64] = "data/log/0000000000000000000?.seg";
        path[28] = (char)('0' + i);
        if (CHECK(sl_sim_disk_peek(scene.subject.env, path, &bytes) == SL_OK))
            CHECK_U64(bytes.len, sizes[i]);
    }
    bench_check(&scene.bench, SL_READ_POSITION, SL_TEXT(""), 5000, false, NULL);
    strike_scene(&scene);
    segment_bytes = "65536";
    seal = "yes";
}

int main(void)
{
    return TAP_RUN(
        {"a small append is done on the caller's thread",
         a_small_append_is_done_on_the_callers_thread},
        {"waiting appends share a write", waiting_appends_share_a_write},
        {"a full disk refuses, and nothing else", a_full_disk_refuses_and_nothing_else},
        {"a failed write is unknown until the claim", a_failed_write_is_unknown_until_the_claim},
        {"a foreign schema is refused", a_foreign_schema_is_refused},
        {"settings are checked", settings_are_checked},
        {"spares are made ahead and used", spares_are_made_ahead_and_used},
        {"segments grow", segments_grow});
}
