/* Walking and examining logs, whole ones, damaged ones, and one whose writer is at work. */
#include "base/env_sim.h"
#include "conformance/event_store_bench.h"
#include "stores/log/audit.h"
#include "stores/log/log_store.h"
#include "tap/tap.h"

#include <stdio.h>
#include <string.h>

enum {
    EVENTS = 40, /* one a batch and block: four segments */
    LAST_SEGMENT = 3,
    REVISIONS_BYTES = 1 << 16,
};

static const char *fresh(void)
{
    return "data/log";
}

static bool seals; /* full segments; else all stay raw */

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
    uint64_t end; /* of the last segment's batches: an offset */
};

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

static bool set_scene(struct scene *scene)
{
    *scene = (struct scene){0};
    scene->subject = (struct event_store_subject){.ops = &sl_log_store_ops, .simulated = true,
                                                  .fresh = fresh, .setting = setting};
    if (!CHECK(sl_env_sim_new(7, &scene->subject.env) == SL_OK) ||
        !bench_begin(&scene->bench, &scene->subject))
        return false;
    for (int i = 0; i < EVENTS; i++)
        CHECK_U64(bench_append(&scene->bench, 1), SL_APPEND_DURABLE);
    for (scene->end = SL_LOG_BLOCK;
         sl_le32(image(scene, LAST_SEGMENT) + scene->end + 8) != 0;)
        scene->end += SL_LOG_BLOCK;
    return true;
}

static void strike_scene(struct scene *scene)
{
    bench_end(&scene->bench);
    sl_env_free(scene->subject.env);
}

/* What a walk over all of it came to. */
struct verdict {
    enum sl_err err;
    struct sl_error error;
    struct sl_log_walk walk; /* closed */
    uint64_t events, outcomes, streams, epochs;
};

static void judge(struct scene *scene, struct verdict *out)
{
    struct sl_log_revisions revisions;
    struct sl_log_audit audit = {.revisions = &revisions};
    struct sl_log_seen seen;

    *out = (struct verdict){.walk.checks_pages = true};
    sl_log_revisions_init(&revisions, REVISIONS_BYTES);
    out->err = sl_log_walk_open(&out->walk, scene->subject.env, "data/log", &out->error);
    while (out->err == SL_OK) {
        out->err = sl_log_walk_next(&out->walk, &seen, &out->error);
        if (out->err == SL_OK)
            out->err = sl_log_audit_batch(&audit, &out->walk, &seen, &out->error);
    }
    out->events = audit.events;
    out->streams = audit.streams;
    out->epochs = audit.catalog.epoch_count;
    sl_log_walk_close(&out->walk);
    sl_log_audit_close(&audit);
    sl_log_revisions_close(&revisions);
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

static void damage_an_earlier_batch(struct scene *scene)
{
    flip(scene, LAST_SEGMENT, scene->end - 3 * SL_LOG_BLOCK + 200);
}

static void damage_padding(struct scene *scene)
{
    flip(scene, 0, 3 * SL_LOG_BLOCK - 1);
}

static void damage_the_first_header(struct scene *scene)
{
    flip(scene, 0, 70);
}

static void damage_a_header(struct scene *scene)
{
    flip(scene, 2, 70);
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

static void remove_the_last(struct scene *scene)
{
    remove_segment(scene, LAST_SEGMENT);
}

static void swap_two_segments(struct scene *scene)
{
    static uint8_t first[64 << 10], second[64 << 10];

    memcpy(first, image(scene, 1), sizeof first);
    memcpy(second, image(scene, 2), sizeof second);
    poke(scene, 1, 0, second, sizeof second);
    poke(scene, 2, 0, first, sizeof first);
}

/* One block that a program wrote wrongly: its checksum is right. */
static void rewrite(struct scene *scene, size_t at, uint8_t with)
{
    static uint8_t block[SL_LOG_BLOCK];
    struct sl_log_segment_head segment;
    struct sl_log_batch_head head;
    struct sl_error error = {0};

    memcpy(block, image(scene, LAST_SEGMENT) + scene->end - SL_LOG_BLOCK, sizeof block);
    CHECK(sl_log_segment_head_read(image(scene, LAST_SEGMENT), "last", &segment, &error) == SL_OK);
    CHECK(sl_log_batch_peek(block, segment.salt, &head));
    if (at == 12)
        head.flags = with;
    else if (at == 64)
        head.epoch = with;
    else
        block[at] = with;
    sl_log_batch_seal(&head, block);
    poke(scene, LAST_SEGMENT, scene->end - SL_LOG_BLOCK, block, sizeof block);
}

static void write_unknown_flags(struct scene *scene)
{
    rewrite(scene, 12, 1);
}

static void write_an_unknown_frame(struct scene *scene)
{
    rewrite(scene, SL_LOG_BATCH_HEAD, 0x63);
}

static void write_a_frame_too_long(struct scene *scene)
{
    rewrite(scene, SL_LOG_BATCH_HEAD + 3, 0x7f);
}

static void write_a_wrong_epoch(struct scene *scene)
{
    rewrite(scene, 64, 9);
}

/* An event frame is kind, flags, two bytes of length, schema, revision. */
static void write_a_wrong_revision(struct scene *scene)
{
    rewrite(scene, SL_LOG_BATCH_HEAD + 5, 77);
}

static void write_a_wrong_schema(struct scene *scene)
{
    rewrite(scene, SL_LOG_BATCH_HEAD + 4, 99);
}

/* ---- The table ------------------------------------------------------------------------------- */

static const struct row {
    const char *name;
    void (*harm)(struct scene *scene);
    enum sl_err err;     /* SL_NOT_FOUND: the log's end, and all is well */
    const char *says;    /* part of the message */
    uint64_t position;   /* behind the last batch that was handed out whole */
    uint64_t torn_blocks;
} rows[] = {
    {"nothing", nothing, SL_NOT_FOUND, NULL, 40, 0},
    {"torn tail", tear_the_last_batch, SL_NOT_FOUND, NULL, 39, 1},
    {"earlier batch", damage_an_earlier_batch, SL_CORRUPT, "an acknowledged batch", 37, 0},
    {"padding", damage_padding, SL_CORRUPT, "0.seg: damaged at offset 8192", 0, 0},
    {"first header", damage_the_first_header, SL_CORRUPT, "0.seg: damaged at offset 0", 0, 0},
    {"header", damage_a_header, SL_CORRUPT, "2.seg: damaged at offset 0", 21, 0},
    {"first is missing", remove_the_first, SL_CORRUPT, "0.seg is missing", 0, 0},
    {"one is missing", remove_one_between, SL_CORRUPT, "2.seg is missing", 21, 0},
    /* Nothing in the files tells it from a log that never went on. */
    {"last is missing", remove_the_last, SL_NOT_FOUND, NULL, 32, 0},
    {"swapped", swap_two_segments, SL_CORRUPT, "under a wrong name", 10, 0},
    {"flags", write_unknown_flags, SL_UNSUPPORTED, "use a newer one", 39, 0},
    {"unknown frame", write_an_unknown_frame, SL_UNSUPPORTED, "use a newer one", 40, 0},
    {"frame too long", write_a_frame_too_long, SL_CORRUPT, "frames do not fit", 40, 0},
    {"wrong epoch", write_a_wrong_epoch, SL_CORRUPT, "another epoch", 40, 0},
    {"revision", write_a_wrong_revision, SL_CORRUPT, "has revision 77 where 5 follows", 40, 0},
    {"schema", write_a_wrong_schema, SL_CORRUPT, "an event without its schema", 40, 0},
};

static void a_walk_says_what_is_wrong(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene scene;
        struct verdict verdict;

        tap_note("%s", rows[i].name);
        if (!set_scene(&scene))
            return;
        bench_close(&scene.bench);
        rows[i].harm(&scene);
        const uint64_t calls = sl_sim_disk_calls(scene.subject.env);
        judge(&scene, &verdict);
        CHECK_U64(sl_sim_disk_calls(scene.subject.env), calls); /* it only reads */
        CHECK_U64(verdict.err, rows[i].err);
        if (rows[i].says && !CHECK(strstr(verdict.error.message, rows[i].says)))
            tap_note("%s", verdict.error.message);
        CHECK_U64(verdict.walk.position, rows[i].position);
        CHECK_U64(verdict.walk.torn_bytes, rows[i].torn_blocks * SL_LOG_BLOCK);
        strike_scene(&scene);
    }
}

static void a_whole_log_is_counted(void)
{
    struct scene scene;
    struct verdict verdict;

    if (!set_scene(&scene))
        return;
    judge(&scene, &verdict);
    CHECK_U64(verdict.err, SL_NOT_FOUND);
    CHECK_U64(verdict.events, EVENTS);
    CHECK_U64(verdict.streams, BENCH_STREAMS);
    CHECK_U64(verdict.epochs, 1);
    CHECK_U64(verdict.walk.batches_seen, EVENTS + 1);
    CHECK_U64(verdict.walk.durable_through, EVENTS - 1);
    strike_scene(&scene);
}

/* Sealed segments come back as the batches that they were made of, one by one; a walk that has
 * begun in a raw file, which is then sealed and emptied, goes on without noticing. */
static void a_walk_goes_through_sealed_segments(void)
{
    struct sl_log_walk early = {0};
    struct sl_error error = {0};
    struct sl_log_seen seen;
    struct verdict raw, sealed;
    struct scene scene;
    enum sl_err err;

    if (!set_scene(&scene))
        return;
    judge(&scene, &raw);
    REQUIRE(sl_log_walk_open(&early, scene.subject.env, "data/log", &error) == SL_OK);
    for (int i = 0; i < 4; i++)
        CHECK(sl_log_walk_next(&early, &seen, &error) == SL_OK);
    const unsigned changed = sl_mark_count("log: sealed under a walk");
    bench_close(&scene.bench);
    seals = true;
    if (bench_open(&scene.bench))
        sl_sim_run(scene.subject.env, INT64_MAX);
    seals = false;
    judge(&scene, &sealed);
    CHECK_U64(sealed.err, SL_NOT_FOUND);
    CHECK(sealed.walk.unseal.head.next_position > 0 || !sealed.walk.is_sealed);
    CHECK_U64(sealed.events, raw.events);
    CHECK_U64(sealed.streams, raw.streams);
    CHECK_U64(sealed.walk.position, raw.walk.position);
    CHECK_U64(sealed.walk.previous, raw.walk.previous);
    CHECK_U64(sealed.walk.batches_seen, raw.walk.batches_seen);
    struct sl_slice bytes;
    CHECK(sl_sim_disk_peek(scene.subject.env, "data/log/00000000000000000001.sealed", &bytes) ==
          SL_OK);
    early.window_len = 0; /* as if it had read no further than it went */
    while ((err = sl_log_walk_next(&early, &seen, &error)) == SL_OK)
        ;
    CHECK_U64(err, SL_NOT_FOUND);
    CHECK_U64(early.previous, raw.walk.previous);
    CHECK(sl_mark_count("log: sealed under a walk") > changed);
    sl_log_walk_close(&early);
    /* Damage in a block, and in a page of the index. */
    bench_close(&scene.bench);
    const char *path = "data/log/00000000000000000001.sealed";
    const uint64_t end = bytes.len;
    for (int page = 0; page < 2; page++) {
        const uint64_t offset = page == 0 ? SL_LOG_BLOCK + 100 : end - SL_LOG_BLOCK + 100;
        const uint8_t good = bytes.ptr[offset], bad = good ^ 1;
        CHECK(sl_sim_disk_poke(scene.subject.env, path, offset, (struct sl_slice){&bad, 1}) ==
              SL_OK);
        judge(&scene, &sealed);
        CHECK_U64(sealed.err, SL_CORRUPT);
        CHECK(strstr(sealed.error.message,
                     page == 0 ? "1.sealed: damaged at offset 4096 (a block)"
                               : "(a page of the index)"));
        CHECK(sl_sim_disk_poke(scene.subject.env, path, offset, (struct sl_slice){&good, 1}) ==
              SL_OK);
    }
    strike_scene(&scene);
}

/* What a reader's window holds is old when the writer goes on: it must neither skip nor call
 * damage what is only new. */
static void a_walk_goes_on_with_its_writer(void)
{
    struct sl_log_audit audit = {0};
    struct sl_log_walk walk = {0};
    struct sl_error error = {0};
    struct sl_log_seen seen;
    struct scene scene;
    enum sl_err err;

    if (!set_scene(&scene))
        return;
    REQUIRE(sl_log_walk_open(&walk, scene.subject.env, "data/log", &error) == SL_OK);
    for (int round = 0; round < 60; round++) {
        while ((err = sl_log_walk_next(&walk, &seen, &error)) == SL_OK)
            CHECK(sl_log_audit_batch(&audit, &walk, &seen, &error) == SL_OK);
        CHECK_U64(err, SL_NOT_FOUND);
        CHECK_U64(walk.position, scene.bench.next);
        CHECK_U64(audit.events, scene.bench.next);
        for (int i = 0; i <= round % 4; i++)
            CHECK_U64(bench_append(&scene.bench, 1), SL_APPEND_DURABLE);
    }
    CHECK(walk.segment.number > LAST_SEGMENT + 5);
    sl_log_walk_close(&walk);
    sl_log_audit_close(&audit);
    strike_scene(&scene);
}

/* The same, sealing as it goes. */
static void a_walk_goes_on_with_a_writer_that_seals(void)
{
    seals = true;
    a_walk_goes_on_with_its_writer();
    seals = false;
}

static void a_walk_ends_at_a_time(void)
{
    struct sl_log_walk walk = {0};
    struct sl_error error = {0};
    struct sl_log_seen seen;
    struct scene scene;

    if (!set_scene(&scene))
        return;
    const struct sl_time until = sl_env_now(scene.subject.env);
    sl_sim_advance(scene.subject.env, 1000);
    CHECK_U64(bench_append(&scene.bench, 1), SL_APPEND_DURABLE);
    REQUIRE(sl_log_walk_open(&walk, scene.subject.env, "data/log", &error) == SL_OK);
    walk.until = until;
    while (sl_log_walk_next(&walk, &seen, &error) == SL_OK)
        ;
    CHECK_U64(walk.position, EVENTS);
    CHECK_U64(walk.torn_bytes, 0);
    walk.until.ns = INT64_MAX;
    CHECK(sl_log_walk_next(&walk, &seen, &error) == SL_OK);
    CHECK_U64(walk.position, EVENTS + 1);
    sl_log_walk_close(&walk);
    strike_scene(&scene);
}

static void where_no_log_is(void)
{
    struct sl_log_walk walk = {0};
    struct sl_error error = {0};
    struct sl_env *env;

    REQUIRE(sl_env_sim_new(1, &env) == SL_OK);
    CHECK(sl_log_walk_open(&walk, env, "data/nowhere", &error) == SL_NOT_FOUND);
    CHECK(strstr(error.message, "data/nowhere holds no log"));
    CHECK(sl_disk_make_folder(env, "data/empty", &error) == SL_OK);
    CHECK(sl_log_walk_open(&walk, env, "data/empty", &error) == SL_NOT_FOUND);
    sl_log_walk_close(&walk);
    sl_env_free(env);
}

int main(void)
{
    return TAP_RUN({"a walk says what is wrong", a_walk_says_what_is_wrong},
                   {"a whole log is counted", a_whole_log_is_counted},
                   {"a walk goes on with its writer", a_walk_goes_on_with_its_writer},
                   {"a walk goes on with a writer that seals",
                    a_walk_goes_on_with_a_writer_that_seals},
                   {"a walk goes through sealed segments", a_walk_goes_through_sealed_segments},
                   {"a walk ends at a time", a_walk_ends_at_a_time},
                   {"where no log is", where_no_log_is});
}
