/* Sealing as the whole store does it: cut off, failing, on a full disk, and what it leaves. */
#include "base/env_sim.h"
#include "conformance/event_store_bench.h"
#include "stores/log/log_store.h"
#include "stores/log/sealed.h"
#include "tap/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVENTS = 40, /* one a batch and block: four segments */
    SEGMENT_BYTES = 64 << 10,
};

static const char *seal = "yes";
static const char *index_memory;
static const char *segment_bytes = "65536";

static const char *fresh(void)
{
    return "data/log";
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    if (strcmp(key, "seal") == 0)
        return seal;
    if (strcmp(key, "index_memory") == 0)
        return index_memory;
    return strcmp(key, "segment_bytes") == 0 ? segment_bytes : NULL;
}

struct scene {
    struct bench bench;
    struct event_store_subject subject;
};

static const char *path_of(uint64_t number, const char *ending)
{
    static char path[64];

    snprintf(path, sizeof path, "data/log/%020llu.%s", (unsigned long long)number, ending);
    return path;
}

static bool is_there(struct scene *scene, uint64_t number, const char *ending)
{
    struct sl_slice bytes;

    return sl_sim_disk_peek(scene->subject.env, path_of(number, ending), &bytes) == SL_OK;
}

/* A log of four raw segments, the last of which is not full; the store is open, with its sealer
 * about to begin when `sealing`. */
static bool set_scene(struct scene *scene, uint64_t seed, bool sealing)
{
    *scene = (struct scene){0};
    scene->subject = (struct event_store_subject){.ops = &sl_log_store_ops, .simulated = true,
                                                  .fresh = fresh, .setting = setting};
    seal = "no";
    if (!CHECK(sl_env_sim_new(seed, &scene->subject.env) == SL_OK) ||
        !bench_begin(&scene->bench, &scene->subject))
        return false;
    for (int i = 0; i < EVENTS; i++)
        CHECK_U64(bench_append(&scene->bench, 1), SL_APPEND_DURABLE);
    sl_sim_run(scene->subject.env, INT64_MAX);
    bench_close(&scene->bench);
    seal = sealing ? "yes" : "no";
    return bench_open(&scene->bench);
}

static void strike_scene(struct scene *scene)
{
    bench_end(&scene->bench);
    sl_env_free(scene->subject.env);
    seal = "yes";
    index_memory = NULL;
    segment_bytes = "65536";
}

static bool concerns_account_3(uint64_t position)
{
    return position % BENCH_STREAMS == 3 || (position % 3 == 0 && position % 5 == 3);
}

static bool has_no_event(uint64_t position)
{
    (void)position;
    return false;
}

static bool has_day_0(uint64_t position)
{
    return position % 4 == 0;
}

static bool is_of_stream_2(uint64_t position)
{
    return position % BENCH_STREAMS == 2;
}

/* All that was appended is there, in every way of reading. */
static void check_all(struct bench *bench, size_t page)
{
    for (int backwards = 0; backwards < 2; backwards++) {
        sl_arena_reset(&bench->scratch);
        bench_check(bench, SL_READ_POSITION, SL_TEXT(""), page, backwards, NULL);
        bench_check(bench, SL_READ_STREAM, SL_TEXT("account/2"), page, backwards, is_of_stream_2);
        bench_check(bench, SL_READ_TAG, SL_TEXT("day:0"), page, backwards, has_day_0);
        bench_check(bench, SL_READ_TAG, SL_TEXT("day:1"), page, backwards, has_no_event);
        bench_check(bench, SL_READ_AGGREGATE, SL_TEXT("account/3"), page, backwards,
                    concerns_account_3);
    }
}

/* Of each segment there is the raw file or the sealed one, whatever happened. */
static void check_files(struct scene *scene)
{
    for (uint64_t number = 0; number < 4; number++)
        CHECK(is_there(scene, number, "seg") || is_there(scene, number, "sealed"));
}

/* ---- Power and disk -------------------------------------------------------------------------- */

static void the_power_fails_at_each_call(void)
{
    bool reached_the_end = false;

    for (uint64_t nth = 1; !reached_the_end && CHECK(nth < 300); nth++)
        for (uint64_t seed = 1; seed <= 6; seed++) {
            struct scene scene;
            if (!set_scene(&scene, seed, true))
                return;
            struct sl_env *env = scene.subject.env;
            sl_sim_power_loss_at(env, nth);
            sl_sim_run(env, INT64_MAX);
            reached_the_end = !sl_sim_power_is_out(env);
            bench_close(&scene.bench);
            sl_sim_power_loss(env);
            check_files(&scene);
            if (bench_open(&scene.bench) && bench_claim(&scene.bench)) {
                CHECK_U64(scene.bench.next, EVENTS);
                check_all(&scene.bench, 7);
                sl_sim_run(env, INT64_MAX); /* the rest is sealed now */
                check_all(&scene.bench, 100);
                CHECK(is_there(&scene, 2, "sealed") && !is_there(&scene, 2, "seg"));
            }
            strike_scene(&scene);
        }
    CHECK(sl_mark_count("log: raw beside sealed") > 10);
}

static void the_disk_fails_at_each_call(void)
{
    const unsigned before = sl_mark_count("log: sealing given up");

    for (uint64_t nth = 1; nth <= 100; nth++) {
        struct scene scene;
        if (!set_scene(&scene, nth, true) || !bench_claim(&scene.bench))
            return;
        struct sl_env *env = scene.subject.env;
        sl_sim_disk_fail_at(env, nth);
        sl_sim_run(env, INT64_MAX);
        sl_sim_disk_fail_at(env, 0);
        check_files(&scene);
        check_all(&scene.bench, 9);
        for (int i = 0; i < 15; i++) /* the next segment begins: another try */
            CHECK_U64(bench_append(&scene.bench, 1), SL_APPEND_DURABLE);
        sl_sim_run(env, INT64_MAX);
        CHECK(is_there(&scene, 2, "sealed"));
        check_all(&scene.bench, 100);
        bench_close(&scene.bench);
        sl_sim_power_loss(env);
        if (bench_open(&scene.bench) && bench_claim(&scene.bench))
            check_all(&scene.bench, 100);
        CHECK_U64(scene.bench.next, EVENTS + 15);
        strike_scene(&scene);
    }
    CHECK(sl_mark_count("log: sealing given up") > before + 10);
}

static void a_full_disk_leaves_the_raw_segment(void)
{
    struct scene scene;

    if (!set_scene(&scene, 3, true) || !bench_claim(&scene.bench))
        return;
    struct bench *bench = &scene.bench;
    const unsigned given_up = sl_mark_count("log: sealing given up");
    sl_sim_disk_size(scene.subject.env, 5 * SEGMENT_BYTES + 6000); /* with the spare it is full */
    sl_sim_run(scene.subject.env, INT64_MAX);
    CHECK(sl_mark_count("log: sealing given up") > given_up);
    CHECK(is_there(&scene, 0, "seg") && !is_there(&scene, 0, "sealed"));
    check_all(bench, 100);
    CHECK_U64(bench_append(bench, 1), SL_APPEND_DURABLE); /* commands go on while there is room */
    sl_sim_disk_size(scene.subject.env, 0);
    for (int i = 0; i < 15; i++)
        CHECK_U64(bench_append(bench, 1), SL_APPEND_DURABLE);
    sl_sim_run(scene.subject.env, INT64_MAX);
    CHECK(is_there(&scene, 0, "sealed") && !is_there(&scene, 0, "seg"));
    check_all(bench, 100);
    strike_scene(&scene);
}

/* ---- What is sealed -------------------------------------------------------------------------- */

static void damage_keeps_a_segment_raw(void)
{
    struct sl_buf text = {0};
    struct scene scene;

    if (!set_scene(&scene, 3, true) || !bench_claim(&scene.bench))
        return;
    struct bench *bench = &scene.bench;
    const char *path = path_of(1, "seg");
    CHECK(sl_sim_disk_poke(scene.subject.env, path, 3 * SL_LOG_BLOCK + 190,
                           (struct sl_slice){(const uint8_t *)"rot", 3}) == SL_OK);
    sl_sim_run(scene.subject.env, INT64_MAX);
    CHECK(is_there(&scene, 0, "sealed"));
    CHECK(is_there(&scene, 1, "seg") && !is_there(&scene, 1, "sealed"));
    CHECK(is_there(&scene, 2, "seg") && !is_there(&scene, 2, "sealed"));
    for (int i = 0; i < 30; i++)
        CHECK_U64(bench_append(bench, 1), SL_APPEND_DURABLE);
    sl_sim_run(scene.subject.env, INT64_MAX);
    sl_buf_reset(&text);
    sl_event_store_describe(bench->store, &text);
    sl_buf_byte(&text, '\0');
    CHECK(!text.failed && strstr((const char *)text.ptr, "\"sealed\":1,\"sealing_failed\":true"));
    sl_buf_close(&text);
    strike_scene(&scene);
}

/* Each raw batch can be made again, byte by byte, out of the sealed segment. */
static void batches_are_made_again(void)
{
    static uint8_t raw[SEGMENT_BYTES], frames[SL_LOG_SEALED_BLOCK_BYTES_MAX];
    static uint8_t batch[SEGMENT_BYTES];
    struct sl_log_sealed_head head;
    struct sl_log_batch_head made = {0};
    struct sl_log_block_head block;
    struct sl_log_frame frame;
    struct sl_error error = {0};
    struct sl_slice bytes = {0};
    struct scene scene;
    uint64_t offset = SL_LOG_BLOCK;
    unsigned batches = 0;

    if (!set_scene(&scene, 3, true))
        return;
    struct sl_env *env = scene.subject.env;
    REQUIRE(sl_sim_disk_peek(env, path_of(1, "seg"), &bytes) == SL_OK && bytes.len == sizeof raw);
    memcpy(raw, bytes.ptr, sizeof raw);
    sl_sim_run(env, INT64_MAX);
    REQUIRE(sl_sim_disk_peek(env, path_of(1, "sealed"), &bytes) == SL_OK);
    REQUIRE(sl_log_sealed_head_read(bytes.ptr, "1", &head, &error) == SL_OK);
    CHECK_U64(head.segment.bytes, bytes.len);
    made.number = head.segment.first_batch;
    made.first_position = head.segment.first_position;
    made.previous = head.segment.previous;
    made.salt = head.segment.salt;
    for (uint64_t at = SL_LOG_BLOCK; at < head.data_end;) {
        REQUIRE(sl_log_block_peek(bytes.ptr + at, &block));
        REQUIRE(sl_log_block_is_whole(&block, head.segment.salt, bytes.ptr + at));
        REQUIRE(sl_log_block_unpack(&block, bytes.ptr + at, frames));
        at += SL_LOG_SEALED_BLOCK_HEAD + block.stored_bytes;
        struct sl_cursor cursor = sl_cursor_of((struct sl_slice){frames, block.frame_bytes});
        while (sl_log_frame_next_any(&cursor, &frame) == SL_OK) {
            REQUIRE(frame.kind == SL_LOG_BATCH && sl_log_batch_frame_read(frame.payload, &made));
            const uint64_t checksum = made.checksum;
            memset(batch, 0, sizeof batch);
            REQUIRE(made.payload_bytes <= sl_cursor_left(&cursor)); /* these batches are small */
            memcpy(batch + SL_LOG_BATCH_HEAD, sl_cursor_take(&cursor, made.payload_bytes).ptr,
                   made.payload_bytes);
            sl_log_batch_seal(&made, batch);
            CHECK_U64(made.checksum, checksum);
            CHECK(memcmp(batch, raw + offset, (size_t)made.block_count * SL_LOG_BLOCK) == 0);
            offset += (uint64_t)made.block_count * SL_LOG_BLOCK;
            made.number++;
            made.first_position += made.event_count;
            made.previous = checksum;
            batches++;
        }
    }
    CHECK(batches >= 10);
    CHECK_U64(made.number, head.next_batch);
    CHECK_U64(made.previous, head.last);
    strike_scene(&scene);
}

/* What a file's earlier use left in it is told by the salt, even where the zeros were lost. */
static void stale_frames_are_not_believed(void)
{
    static uint8_t old[SEGMENT_BYTES];
    struct sl_slice bytes = {0};
    struct scene scene;

    if (!set_scene(&scene, 3, false) || !bench_claim(&scene.bench))
        return;
    struct bench *bench = &scene.bench;
    struct sl_env *env = scene.subject.env;
    REQUIRE(sl_sim_disk_peek(env, path_of(2, "seg"), &bytes) == SL_OK && bytes.len == sizeof old);
    memcpy(old, bytes.ptr, sizeof old);
    sl_sim_run(env, INT64_MAX);
    REQUIRE(sl_sim_disk_poke(env, "data/log/spare.seg", 0,
                             (struct sl_slice){old, sizeof old}) == SL_OK);
    while (!is_there(&scene, 4, "seg") && CHECK(bench->next < EVENTS + 20))
        CHECK_U64(bench_append(bench, 1), SL_APPEND_DURABLE);
    bench_close(bench);
    const unsigned stale = sl_mark_count("log: stale batch");
    if (bench_open(bench) && bench_claim(bench))
        check_all(bench, 100);
    CHECK(sl_mark_count("log: stale batch") > stale);
    seal = "yes";
    bench_close(bench);
    if (bench_open(bench) && bench_claim(bench)) {
        sl_sim_run(env, INT64_MAX);
        CHECK(is_there(&scene, 3, "sealed"));
        check_all(bench, 100);
    }
    strike_scene(&scene);
}

/* Segments are recycled, and the log stays what it is, however small the memory of the index. */
static void a_long_life_in_little_memory(void)
{
    struct scene scene;

    index_memory = "262144";
    if (!set_scene(&scene, 3, true) || !bench_claim(&scene.bench))
        return;
    struct bench *bench = &scene.bench;
    const unsigned recycled = sl_mark_count("log: recycled");
    for (int i = 0; i < 90; i++) {
        CHECK_U64(bench_append(bench, 1 + (size_t)i % 60), SL_APPEND_DURABLE);
        if (i % 3 == 0)
            sl_sim_run(scene.subject.env, INT64_MAX);
        if (i % 30 == 0)
            sl_sim_jump(scene.subject.env, -INT64_C(3600000000000)); /* the clock goes back */
    }
    check_all(bench, 50);
    bench_close(bench);
    sl_sim_power_loss(scene.subject.env);
    if (bench_open(bench) && bench_claim(bench))
        check_all(bench, 333);
    CHECK(sl_mark_count("log: recycled") > recycled + 5);
    strike_scene(&scene);
}

/* A flood of appends: what is not sealed yet stays bounded, nothing is refused, and closing does
 * not wait for the sealer. */
static void appends_wait_for_the_sealer(void)
{
    struct scene scene;

    if (!set_scene(&scene, 3, true) || !bench_claim(&scene.bench))
        return;
    struct bench *bench = &scene.bench;
    const unsigned waits = sl_mark_count("log: appends wait for the sealer");
    for (int i = 0; i < 400; i++) {
        struct sl_append *append = bench_make(bench, 1);
        append->flags = i % 2 == 0 ? SL_APPEND_MAY_BLOCK : 0;
        CHECK_U64(bench_put(bench, append), SL_APPEND_DURABLE);
        uint64_t raw = 0;
        for (uint64_t number = 0; number < 60; number++)
            raw += is_there(&scene, number, "seg") && !is_there(&scene, number, "sealed");
        CHECK(raw <= 8 + 3);
    }
    CHECK(sl_mark_count("log: appends wait for the sealer") > waits);
    for (int i = 0; i < 30; i++)
        CHECK(!sl_event_store_append(bench->store, bench_make(bench, 1)));
    bench_close(bench);
    unsigned durable = 0;
    for (struct sl_message *message = sl_mailbox_take_all(bench->mailbox); message;
         message = message->next)
        durable += ((struct sl_append *)message)->result == SL_APPEND_DURABLE;
    CHECK_U64(durable, 30);
    if (bench_open(bench) && bench_claim(bench)) {
        CHECK_U64(bench->next, EVENTS + 430);
        check_all(bench, 100);
    }
    strike_scene(&scene);
}

/* Zeros first of all: the salt is there for what a disk does not keep. */
static void a_recycled_file_is_zeros(void)
{
    struct sl_slice bytes = {0};
    struct scene scene;

    if (!set_scene(&scene, 3, false))
        return;
    bench_close(&scene.bench);
    struct sl_error error = {0};
    CHECK(sl_disk_remove(scene.subject.env, "data/log/spare.seg", &error) == SL_OK);
    const unsigned recycled = sl_mark_count("log: recycled");
    seal = "yes";
    if (bench_open(&scene.bench)) {
        sl_sim_run(scene.subject.env, INT64_MAX);
        CHECK_U64(sl_mark_count("log: recycled"), recycled + 1);
        REQUIRE(sl_sim_disk_peek(scene.subject.env, "data/log/spare.seg", &bytes) == SL_OK);
        CHECK_U64(bytes.len, SEGMENT_BYTES);
        CHECK(bytes.ptr[0] == 0 && memcmp(bytes.ptr, bytes.ptr + 1, bytes.len - 1) == 0);
    }
    strike_scene(&scene);
}

/* Keys with more positions than a page holds, walked both ways. */
static void common_keys_fill_several_pages(void)
{
    struct scene scene;

    if (!set_scene(&scene, 3, true))
        return;
    struct bench *bench = &scene.bench;
    bench_close(bench);
    segment_bytes = "8388608";
    if (!bench_open(bench) || !bench_claim(bench))
        return;
    for (int i = 0; i < 40; i++) {
        CHECK_U64(bench_append(bench, 1500), SL_APPEND_DURABLE);
        sl_arena_reset(&bench->scratch);
    }
    sl_sim_run(scene.subject.env, INT64_MAX);
    check_all(bench, 5000);
    bench_close(bench);
    if (bench_open(bench) && bench_claim(bench))
        check_all(bench, 777);
    strike_scene(&scene);
}

int main(void)
{
    return TAP_RUN(
        {"the power fails at each call", the_power_fails_at_each_call},
        {"the disk fails at each call", the_disk_fails_at_each_call},
        {"a full disk leaves the raw segment", a_full_disk_leaves_the_raw_segment},
        {"damage keeps a segment raw", damage_keeps_a_segment_raw},
        {"batches are made again", batches_are_made_again},
        {"stale frames are not believed", stale_frames_are_not_believed},
        {"a long life in little memory", a_long_life_in_little_memory},
        {"appends wait for the sealer", appends_wait_for_the_sealer},
        {"a recycled file is zeros", a_recycled_file_is_zeros},
        {"common keys fill several pages", common_keys_fill_several_pages});
}
