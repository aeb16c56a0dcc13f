/* The table of recovery: what was done to a log's files, and what opening it says (L3, F1). */
#include "base/env_sim.h"
#include "base/hash.h"
#include "conformance/event_store_bench.h"
#include "stores/log/format.h"
#include "stores/log/log_store.h"
#include "tap/tap.h"

#include <stdio.h>
#include <string.h>

enum {
    EVENTS = 40, /* one a batch and block: four segments */
    LAST_SEGMENT = 3,
    IMAGE_BYTES = 64 << 10,
};

static const char *fresh(void)
{
    return "data/log";
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    if (strcmp(key, "seal") == 0)
        return "no"; /* sealed segments have a table of their own: sealing_test.c */
    return strcmp(key, "segment_bytes") == 0 ? "65536" : NULL;
}

struct scene {
    struct bench bench;
    struct event_store_subject subject;
    uint64_t end;                     /* of the last segment's batches: an offset */
    struct sl_log_batch_head last;    /* the last batch */
    struct sl_log_segment_head head;  /* of the last segment */
};

/* ---- Files ----------------------------------------------------------------------------------- */

static const char *segment_path(uint64_t number)
{
    static char path[64];

    snprintf(path, sizeof path, "data/log/%020llu.seg", (unsigned long long)number);
    return path;
}

static const uint8_t *image(struct scene *scene, uint64_t number)
{
    struct sl_slice bytes = {0};

    CHECK(sl_sim_disk_peek(scene->subject.env, segment_path(number), &bytes) == SL_OK);
    return bytes.ptr;
}

static void poke(struct scene *scene, uint64_t number, uint64_t offset, const void *bytes,
                 size_t len)
{
    CHECK(sl_sim_disk_poke(scene->subject.env, segment_path(number), offset,
                           (struct sl_slice){bytes, len}) == SL_OK);
}

static void flip(struct scene *scene, uint64_t number, uint64_t offset)
{
    const uint8_t byte = image(scene, number)[offset] ^ 0x40;

    poke(scene, number, offset, &byte, 1);
}

static void rewrite_head(struct scene *scene, uint64_t number, size_t offset, uint8_t value)
{
    uint8_t block[SL_LOG_BLOCK];

    memcpy(block, image(scene, number), sizeof block);
    block[offset] = value;
    sl_put_le64(block + 24, 0);
    sl_put_le64(block + 24, sl_hash64(block, sizeof block, 0));
    poke(scene, number, 0, block, sizeof block);
}

static void find_end(struct scene *scene)
{
    const uint8_t *bytes = image(scene, LAST_SEGMENT);
    struct sl_log_batch_head head;
    struct sl_error error = {0};

    CHECK(sl_log_segment_head_read(bytes, "last", &scene->head, &error) == SL_OK);
    CHECK_U64(scene->head.bytes, IMAGE_BYTES);
    for (scene->end = SL_LOG_BLOCK; sl_log_batch_peek(bytes + scene->end, scene->head.salt, &head);
         scene->end += SL_LOG_BLOCK)
        scene->last = head;
    CHECK(scene->end > 4 * SL_LOG_BLOCK && scene->end < IMAGE_BYTES - 2 * SL_LOG_BLOCK);
}

/* A batch of one block with these frames, that continues the log (or not, as `change` says). */
static void craft(struct scene *scene, uint64_t offset, const char *frames, size_t len,
                  const struct sl_log_batch_head *change)
{
    _Alignas(8) uint8_t block[SL_LOG_BLOCK] = {0};
    struct sl_log_batch_head head = scene->last;

    head.number++;
    head.first_position++;
    head.event_count = 0;
    head.previous = scene->last.checksum;
    head.durable_batches = head.number;
    head.durable_through = head.first_position;
    if (change)
        head = *change;
    head.payload_bytes = (uint32_t)len;
    if (len > 0)
        memcpy(block + SL_LOG_BATCH_HEAD, frames, len);
    sl_log_batch_seal(&head, block);
    poke(scene, LAST_SEGMENT, offset, block, sizeof block);
}

/* ---- Harm ------------------------------------------------------------------------------------ */

static void nothing(struct scene *scene)
{
    (void)scene;
}

static void tear_the_last_batch(struct scene *scene)
{
    flip(scene, LAST_SEGMENT, scene->end - SL_LOG_BLOCK + 200);
}

static void tear_the_last_head(struct scene *scene)
{
    const uint8_t zeros[512] = {0};

    poke(scene, LAST_SEGMENT, scene->end - SL_LOG_BLOCK, zeros, sizeof zeros);
}

static void damage_an_earlier_batch(struct scene *scene)
{
    flip(scene, LAST_SEGMENT, scene->end - 3 * SL_LOG_BLOCK + 200);
}

static void damage_padding(struct scene *scene)
{
    flip(scene, 0, 3 * SL_LOG_BLOCK - 1);
}

static void damage_the_end_of_a_full_segment(struct scene *scene)
{
    uint64_t offset = SL_LOG_BLOCK;

    while (sl_le32(image(scene, 1) + offset + 8) != 0)
        offset += SL_LOG_BLOCK;
    flip(scene, 1, offset - SL_LOG_BLOCK + 150);
}

static void damage_a_segment_header(struct scene *scene)
{
    flip(scene, 2, 70);
}

static void make_a_segment_newer(struct scene *scene)
{
    rewrite_head(scene, 2, 16, SL_LOG_VERSION + 1);
}

static void take_a_segment_of_another_log(struct scene *scene)
{
    rewrite_head(scene, 2, 40, 0xEE);
}

static void remove_segment(struct scene *scene, uint64_t number)
{
    struct sl_error error = {0};

    CHECK(sl_disk_remove(scene->subject.env, segment_path(number), &error) == SL_OK);
}

static void remove_the_first(struct scene *scene)
{
    remove_segment(scene, 0);
}

static void remove_one_between(struct scene *scene)
{
    remove_segment(scene, 2);
}

static void swap_two_segments(struct scene *scene)
{
    static uint8_t first[IMAGE_BYTES], second[IMAGE_BYTES];

    memcpy(first, image(scene, 1), sizeof first);
    memcpy(second, image(scene, 2), sizeof second);
    poke(scene, 1, 0, second, sizeof second);
    poke(scene, 2, 0, first, sizeof first);
}

static void leave_a_stale_batch(struct scene *scene)
{
    struct sl_log_batch_head head = scene->last;

    head.salt ^= 1; /* of the file's earlier use */
    head.number++;
    head.first_position++;
    head.previous = scene->last.checksum;
    head.event_count = 0;
    craft(scene, scene->end, "", 0, &head);
}

/* The last batch is torn, and the one after it, in flight at the same time, is whole. */
static void leave_a_hole(struct scene *scene)
{
    struct sl_log_batch_head head = scene->last;

    head.number++;
    head.first_position++;
    head.previous = scene->last.checksum;
    head.event_count = 0;
    head.durable_batches = scene->last.number;
    head.durable_through = scene->last.first_position;
    craft(scene, scene->end, "", 0, &head);
    tear_the_last_batch(scene);
}

static void damage_what_was_acknowledged(struct scene *scene)
{
    craft(scene, scene->end, "", 0, NULL);
    tear_the_last_batch(scene);
}

static void add_an_unknown_frame(struct scene *scene)
{
    craft(scene, scene->end, "\x63\x00\x01z", 4, NULL);
}

static void add_a_frame_to_skip(struct scene *scene)
{
    craft(scene, scene->end, "\x63\x01\x01z", 4, NULL);
}

static void add_unknown_flags(struct scene *scene)
{
    struct sl_log_batch_head head = scene->last;

    head.flags = 1;
    head.number++;
    head.first_position++;
    head.event_count = 0;
    head.previous = scene->last.checksum;
    craft(scene, scene->end, "", 0, &head);
}

/* Whole, and of this segment, but it follows another batch than the one before it. */
static void leave_a_batch_that_does_not_continue(struct scene *scene)
{
    struct sl_log_batch_head head = scene->last;

    head.number++;
    head.first_position++;
    head.event_count = 0;
    head.previous = scene->last.checksum ^ 1;
    head.durable_batches = scene->last.number;
    craft(scene, scene->end, "", 0, &head);
}

static void add_a_count_that_is_wrong(struct scene *scene)
{
    struct sl_log_batch_head head = scene->last;

    head.number++;
    head.first_position++;
    head.event_count = 1;
    head.previous = scene->last.checksum;
    craft(scene, scene->end, "", 0, &head);
}

static void leave_unfinished_files(struct scene *scene)
{
    static const char *const names[] = {"data/log/next.tmp", "data/log/spare.tmp"};

    for (int i = 0; i < 2; i++) {
        struct sl_error error = {0};
        struct sl_file *file;
        if (CHECK(sl_disk_open(scene->subject.env, names[i], SL_OPEN_WRITE | SL_OPEN_CREATE, &file,
                               &error) == SL_OK))
            sl_file_close(file);
    }
}

/* A batch that a failed sync left in the system's cache. */
static void leave_a_batch_in_the_cache(struct scene *scene)
{
    static uint8_t block[SL_LOG_BLOCK];
    const uint8_t zeros[SL_LOG_BLOCK] = {0};
    struct sl_error error = {0};
    struct sl_file *file;

    memcpy(block, image(scene, LAST_SEGMENT) + scene->end - SL_LOG_BLOCK, sizeof block);
    poke(scene, LAST_SEGMENT, scene->end - SL_LOG_BLOCK, zeros, sizeof zeros);
    if (!CHECK(sl_disk_open(scene->subject.env, segment_path(LAST_SEGMENT), SL_OPEN_WRITE, &file,
                            &error) == SL_OK))
        return;
    CHECK(sl_file_write(file, scene->end - SL_LOG_BLOCK, block, sizeof block, &error) == SL_OK);
    sl_file_close(file);
}

/* ---- The table ------------------------------------------------------------------------------- */

static const struct row {
    const char *name;
    void (*harm)(struct scene *scene);
    enum sl_err err;
    const char *says;  /* part of the message */
    uint64_t next;     /* after a successful open */
    const char *mark;  /* a branch that must have been taken */
} rows[] = {
    {"nothing", nothing, SL_OK, NULL, 40, NULL},
    {"torn tail", tear_the_last_batch, SL_OK, NULL, 39, "log: torn tail"},
    {"torn head", tear_the_last_head, SL_OK, NULL, 39, NULL},
    {"hole", leave_a_hole, SL_OK, NULL, 39, "log: whole batch behind a hole"},
    {"stale batch", leave_a_stale_batch, SL_OK, NULL, 40, "log: stale batch"},
    {"no continuation", leave_a_batch_that_does_not_continue, SL_OK, NULL, 40, "log: torn tail"},
    {"unfinished files", leave_unfinished_files, SL_OK, NULL, 40, "log: swept"},
    {"frame to skip", add_a_frame_to_skip, SL_OK, NULL, 40, "log: skipped frame"},
    {"in the cache", leave_a_batch_in_the_cache, SL_OK, NULL, 40, NULL},
    {"earlier batch", damage_an_earlier_batch, SL_CORRUPT, "3.seg: damaged at offset", 0,
     "log: damaged below durable_through"},
    {"acknowledged batch", damage_what_was_acknowledged, SL_CORRUPT, "3.seg: damaged at offset",
     0, "log: damaged below durable_through"},
    {"padding", damage_padding, SL_CORRUPT, "0.seg: damaged at offset 8192", 0,
     "log: damage in a full segment"},
    {"full segment", damage_the_end_of_a_full_segment, SL_CORRUPT, "1.seg: damaged at offset", 0,
     "log: damage in a full segment"},
    {"segment header", damage_a_segment_header, SL_CORRUPT, "2.seg: damaged at offset 0", 0, NULL},
    {"newer format", make_a_segment_newer, SL_UNSUPPORTED, "2.seg: has log format 2", 0,
     "log: newer format"},
    {"another log", take_a_segment_of_another_log, SL_CORRUPT, "2.seg belongs to another log", 0,
     NULL},
    {"first is missing", remove_the_first, SL_CORRUPT, "there are 3 segments", 0, NULL},
    {"one is missing", remove_one_between, SL_CORRUPT, "there are 3 segments", 0, NULL},
    {"swapped", swap_two_segments, SL_CORRUPT, "under a wrong name", 0, NULL},
    {"unknown frame", add_an_unknown_frame, SL_UNSUPPORTED, "use a newer one", 0, NULL},
    {"unknown flags", add_unknown_flags, SL_UNSUPPORTED, "use a newer one", 0, NULL},
    {"wrong count", add_a_count_that_is_wrong, SL_CORRUPT, "counts of frames", 0, NULL},
};

/* `disk_bytes`: 0 for no limit. */
static bool set_scene(struct scene *scene, uint64_t seed, uint64_t disk_bytes)
{
    *scene = (struct scene){0};
    scene->subject = (struct event_store_subject){.ops = &sl_log_store_ops, .simulated = true,
                                                  .fresh = fresh, .setting = setting};
    if (!CHECK(sl_env_sim_new(seed, &scene->subject.env) == SL_OK))
        return false;
    sl_sim_disk_size(scene->subject.env, disk_bytes);
    return bench_begin(&scene->bench, &scene->subject);
}

static void strike_scene(struct scene *scene)
{
    bench_end(&scene->bench);
    sl_env_free(scene->subject.env);
}

static void check_erased(struct scene *scene, uint64_t from)
{
    const uint8_t *bytes = image(scene, LAST_SEGMENT);

    for (uint64_t i = from; i < IMAGE_BYTES; i++)
        if (bytes[i] != 0) {
            (void)tap_check(false, __FILE__, __LINE__, "what was cut is erased");
            return;
        }
}

static void check_row(const struct row *row)
{
    struct scene scene;
    struct sl_error error = {0};

    if (!set_scene(&scene, 5, 0))
        return;
    struct bench *bench = &scene.bench;
    for (int i = 0; i < EVENTS; i++)
        CHECK_U64(bench_append(bench, 1), SL_APPEND_DURABLE);
    bench_close(bench);
    find_end(&scene);
    const unsigned marks = row->mark ? sl_mark_count(row->mark) : 0;
    row->harm(&scene);
    const struct sl_store_options options = {.location = bench->location, .name = "bench",
                                             .setting = setting};
    const enum sl_err err = sl_event_store_open(&sl_log_store_ops, scene.subject.env, &options,
                                                &bench->store, &error);
    CHECK_U64(err, row->err);
    CHECK(!row->mark || sl_mark_count(row->mark) > marks);
    if (err != SL_OK) {
        CHECK(row->says && strstr(error.message, row->says));
    } else if (row->err == SL_OK) {
        if (row->harm != add_a_frame_to_skip)
            check_erased(&scene, scene.end - (EVENTS - row->next) * SL_LOG_BLOCK);
        if (bench_claim(bench)) {
            CHECK_U64(bench->next, row->next);
            CHECK_U64(bench->claim.epoch, 2);
        }
        /* It goes on, and all of it outlasts the power. */
        CHECK_U64(bench_append(bench, 5), SL_APPEND_DURABLE);
        bench_close(bench);
        sl_sim_power_loss(scene.subject.env);
        if (bench_open(bench) && bench_claim(bench)) {
            CHECK_U64(bench->next, row->next + 5);
            bench_check(bench, SL_READ_POSITION, SL_TEXT(""), 100, false, NULL);
        }
    }
    strike_scene(&scene);
}

static void opening_says_what_is_wrong(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tap_note("%s", rows[i].name);
        check_row(&rows[i]);
    }
}

/* The nth disk call of the append that begins a new segment fails. Whatever it was (a file not
 * made, a name not synced), the next claim knows, and the log goes on through a loss of power.
 * Where the disk is `tight`, the sealer can make no spare, and so never syncs the folder behind the
 * writer's back. */
static void begin_a_segment(uint64_t nth, uint64_t seed, bool tight)
{
    struct scene scene;

    if (!set_scene(&scene, seed, tight ? IMAGE_BYTES * 3 / 2 : 0))
        return;
    struct bench *bench = &scene.bench;
    struct sl_env *env = scene.subject.env;
    for (int i = 0; i < 10; i++) /* the claim and these fill the first segment */
        CHECK_U64(bench_append(bench, 1), SL_APPEND_DURABLE);
    if (tight || seed % 2 == 0)
        sl_sim_run(env, INT64_MAX); /* the spare is ready, or not */
    sl_sim_disk_size(env, tight ? IMAGE_BYTES * 5 / 2 : 0);
    sl_sim_disk_fail_at(env, nth);
    struct sl_append *append = bench_make(bench, 1);
    append->flags = SL_APPEND_MAY_BLOCK;
    const enum sl_append_result result = bench_put(bench, append);
    sl_sim_disk_fail_at(env, 0);
    CHECK(result != SL_APPEND_FENCED);
    if (result != SL_APPEND_DURABLE && bench_claim(bench))
        CHECK(bench->next == 10 || (bench->next == 11 && result == SL_APPEND_UNKNOWN));
    CHECK_U64(bench_append(bench, 1), SL_APPEND_DURABLE);
    const uint64_t promised = bench->next;
    bench_close(bench);
    sl_sim_power_loss(env);
    if (bench_open(bench) && bench_claim(bench)) {
        CHECK_U64(bench->next, promised);
        bench_check(bench, SL_READ_POSITION, SL_TEXT(""), 100, false, NULL);
    }
    strike_scene(&scene);
}

static void beginning_a_segment_may_fail_anywhere(void)
{
    const unsigned before = sl_mark_count("log: segment not begun");

    for (uint64_t nth = 1; nth <= 12; nth++)
        for (uint64_t seed = 1; seed <= 24; seed++)
            begin_a_segment(nth, seed, seed > 12);
    CHECK(sl_mark_count("log: segment not begun") > before + 10);
}

/* A write failed, and then the claim that was to find out what became of it: at each of its disk
 * calls. What a read shows in between outlasts the power (L2). */
static void a_claim_may_fail_anywhere(void)
{
    for (uint64_t nth = 1; nth <= 10; nth++)
        for (uint64_t seed = 1; seed <= 20; seed++) {
            struct sl_read read = {.by = SL_READ_POSITION, .until = UINT64_MAX, .count_max = 100,
                                   .bytes_max = SIZE_MAX};
            struct scene scene;
            if (!set_scene(&scene, seed, IMAGE_BYTES * 3 / 2))
                return;
            struct bench *bench = &scene.bench;
            struct sl_env *env = scene.subject.env;
            CHECK_U64(bench_append(bench, 1), SL_APPEND_DURABLE);
            sl_sim_run(env, INT64_MAX);
            sl_sim_disk_fail_at(env, 1);
            CHECK_U64(bench_append(bench, 1), SL_APPEND_UNKNOWN);
            sl_sim_disk_fail_at(env, nth);
            bench->claim = (struct sl_claim){.message = {.reply_to = bench->mailbox}, .salt = 8};
            sl_event_store_claim(bench->store, &bench->claim);
            CHECK(bench_wait(bench) == &bench->claim.message);
            sl_sim_disk_fail_at(env, 0);
            bench_read(bench, &read);
            CHECK_U64(read.err, SL_OK);
            const uint64_t durable = read.durable;
            CHECK(durable >= 1);
            sl_arena_close(&read.arena);
            bench_close(bench);
            sl_sim_power_loss(env);
            if (bench_open(bench) && bench_claim(bench)) {
                CHECK(bench->next >= durable);
                bench_check(bench, SL_READ_POSITION, SL_TEXT(""), 100, false, NULL);
            }
            strike_scene(&scene);
        }
}

/* Bits that rot after the open are met by reads, and said so; nothing wrong is handed out (P1). */
static void a_read_meets_damage(void)
{
    struct sl_read read = {.by = SL_READ_POSITION, .until = UINT64_MAX, .count_max = 100,
                           .bytes_max = SIZE_MAX};
    struct scene scene;

    if (!set_scene(&scene, 5, 0))
        return;
    for (int i = 0; i < EVENTS; i++)
        CHECK_U64(bench_append(&scene.bench, 1), SL_APPEND_DURABLE);
    flip(&scene, 2, 2 * SL_LOG_BLOCK + 200);
    bench_read(&scene.bench, &read);
    CHECK_U64(read.err, SL_CORRUPT);
    CHECK(strstr(read.error.message, "2.seg: damaged at offset 8192") != NULL);
    CHECK_U64(read.event_count, 0);
    sl_arena_reset(&read.arena);
    read.until = 20;
    bench_read(&scene.bench, &read);
    CHECK_U64(read.event_count, 20);
    sl_arena_close(&read.arena);
    strike_scene(&scene);
}

/* Of a large batch, events are read alone: only who asks for the damaged one is refused. */
static void a_read_meets_damage_in_a_large_batch(void)
{
    struct scene scene;
    unsigned refused = 0;

    if (!set_scene(&scene, 5, 0))
        return;
    CHECK_U64(bench_append(&scene.bench, 1500), SL_APPEND_DURABLE);
    flip(&scene, 1, 200000); /* the batch is too large for the first segment */
    for (int i = 0; i < BENCH_STREAMS; i++) {
        struct sl_read read = {.by = SL_READ_STREAM, .until = UINT64_MAX, .count_max = 1500,
                               .bytes_max = SIZE_MAX};
        char key[] = "account/0";
        key[8] = (char)('0' + i);
        read.key = (struct sl_text){key, 9};
        bench_read(&scene.bench, &read);
        if (read.err == SL_OK)
            CHECK(read.event_count >= 214 && bench_same(&scene.bench, &read.events[213]));
        else
            refused += read.err == SL_CORRUPT;
        sl_arena_close(&read.arena);
    }
    CHECK_U64(refused, 1);
    strike_scene(&scene);
}

int main(void)
{
    return TAP_RUN({"opening says what is wrong", opening_says_what_is_wrong},
                   {"beginning a segment may fail anywhere", beginning_a_segment_may_fail_anywhere},
                   {"a claim may fail anywhere", a_claim_may_fail_anywhere},
                   {"a read meets damage", a_read_meets_damage},
                   {"a read meets damage in a large batch", a_read_meets_damage_in_a_large_batch});
}
