/* Scavenging: what is left of a log reads, verifies and goes on as before; cut off anywhere, each
 * segment is the old one or the new one. */
#include "stores/log/scavenge.h"

#include "base/env_sim.h"
#include "base/hash.h"
#include "conformance/event_store_bench.h"
#include "stores/log/audit.h"
#include "stores/log/log_store.h"
#include "stores/log/packing.h"
#include "stores/log/stone.h"
#include "tap/tap.h"

#include <stdio.h>
#include <string.h>

enum { EVENTS = 60, REVISIONS_BYTES = 1 << 16 };

static const char *fresh(void)
{
    return "data/log";
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "segment_bytes") == 0 ? "65536" : NULL;
}

struct scene {
    struct bench bench;
    struct event_store_subject subject;
};

/* Events, and the outcome of their command. */
static void append(struct scene *scene, size_t count)
{
    struct sl_append *append = bench_make(&scene->bench, count);
    const struct sl_stored_outcome outcome = {.id = {{(uint8_t)append->position}}, .status = 201,
                                              .event_count = (uint32_t)count,
                                              .position = append->position,
                                              .reply = {(const uint8_t *)"{}", 2}};

    append->outcomes = &outcome;
    append->outcome_count = 1;
    CHECK_U64(bench_put(&scene->bench, append), SL_APPEND_DURABLE);
}

/* A log of some sealed segments and a raw one, closed. */
static bool set_scene(struct scene *scene, uint64_t seed)
{
    *scene = (struct scene){0};
    scene->subject = (struct event_store_subject){.ops = &sl_log_store_ops, .simulated = true,
                                                  .fresh = fresh, .setting = setting};
    if (!CHECK(sl_env_sim_new(seed, &scene->subject.env) == SL_OK) ||
        !bench_begin(&scene->bench, &scene->subject))
        return false;
    while (scene->bench.next < EVENTS)
        append(scene, 1 + sl_sim_random(scene->subject.env, 3));
    sl_sim_run(scene->subject.env, INT64_MAX);
    bench_close(&scene->bench);
    return true;
}

static void strike_scene(struct scene *scene)
{
    bench_end(&scene->bench);
    sl_env_free(scene->subject.env);
}

/* The first segment's file, which is sealed. */
static const char sealed_path[] = "data/log/00000000000000000000.sealed";

static const uint8_t *sealed_file(struct scene *scene)
{
    static const uint8_t nothing[SL_LOG_BLOCK];
    struct sl_slice bytes = {0};

    CHECK(sl_sim_disk_peek(scene->subject.env, sealed_path, &bytes) == SL_OK);
    return bytes.ptr ? bytes.ptr : nothing;
}

/* Of its header: changes with anything in it. */
static uint64_t head_checksum(struct scene *scene)
{
    return sl_le64(sealed_file(scene) + 24);
}

/* ---- What goes ------------------------------------------------------------------------------- */

static uint64_t going_below; /* position */
static uint64_t going_times; /* of the type "Paid": 0 all, else so many parts but for one */

static bool goes(uint64_t position)
{
    if (position >= going_below || position % 2 == 0)
        return false;
    return going_times == 0 || sl_hash64(&position, sizeof position, 0) % going_times > 0;
}

static bool may_go(void *context, const struct sl_schema *schema, uint64_t position,
                   const struct sl_log_event *event)
{
    (void)context;
    (void)event;
    CHECK((position % 2 == 1) == sl_text_equals(schema->name, SL_TEXT("Paid")));
    return goes(position);
}

static enum sl_err scavenge(struct scene *scene, struct sl_log_scavenge *out,
                            struct sl_error *error)
{
    out->env = scene->subject.env;
    out->path = "data/log";
    out->may_go = may_go;
    return sl_log_scavenge(out, error);
}

/* Scavenges what is sealed of positions below `until`. */
static struct sl_log_scavenge run(struct scene *scene, uint64_t until)
{
    struct sl_log_scavenge work = {0};
    struct sl_error error = {0};

    going_below = until;
    if (!CHECK_U64(scavenge(scene, &work, &error), SL_OK))
        tap_note("%s", error.message);
    if (going_below > work.next_raw)
        going_below = work.next_raw;
    scene->bench.is_stone = goes;
    return work;
}

/* ---- What is left ---------------------------------------------------------------------------- */

static bool has_tag_day_0(uint64_t position)
{
    return position % 4 == 0;
}

static bool has_tag_account_1(uint64_t position)
{
    return position % 3 == 0 && position % 5 == 1;
}

static bool is_of_stream_2(uint64_t position)
{
    return position % BENCH_STREAMS == 2;
}

static bool concerns_account_3(uint64_t position)
{
    return position % BENCH_STREAMS == 3 || (position % 3 == 0 && position % 5 == 3);
}

/* Everything is read, in every way, with stones where there should be some. */
static void check_reads(struct bench *bench, size_t page)
{
    for (int backwards = 0; backwards < 2; backwards++) {
        sl_arena_reset(&bench->scratch);
        bench_check(bench, SL_READ_POSITION, SL_TEXT(""), page, backwards, NULL);
        bench_check(bench, SL_READ_STREAM, SL_TEXT("account/2"), page, backwards, is_of_stream_2);
        bench_check(bench, SL_READ_TAG, SL_TEXT("day:0"), page, backwards, has_tag_day_0);
        bench_check(bench, SL_READ_TAG, SL_TEXT("account:1"), page, backwards, has_tag_account_1);
        bench_check(bench, SL_READ_AGGREGATE, SL_TEXT("account/3"), page, backwards,
                    concerns_account_3);
    }
}

struct counts {
    uint64_t events, stones, outcomes;
};

/* What `sluice log verify` does, but for bodies: those of the bench are no records. */
static enum sl_err verify(struct scene *scene, struct counts *out, struct sl_error *error)
{
    struct sl_log_walk walk = {.checks_pages = true};
    struct sl_log_revisions revisions;
    struct sl_log_seen seen;
    struct sl_log_audit audit = {.revisions = &revisions};

    sl_log_revisions_init(&revisions, REVISIONS_BYTES);
    enum sl_err err = sl_log_walk_open(&walk, scene->subject.env, "data/log", error);
    while (err == SL_OK) {
        err = sl_log_walk_next(&walk, &seen, error);
        if (err == SL_OK)
            err = sl_log_audit_batch(&audit, &walk, &seen, error);
    }
    *out = (struct counts){audit.events, audit.stones, audit.outcomes};
    sl_log_walk_close(&walk);
    sl_log_audit_close(&audit);
    sl_log_revisions_close(&revisions);
    return err == SL_NOT_FOUND ? SL_OK : err;
}

static uint64_t count_going(void)
{
    uint64_t count = 0;

    for (uint64_t position = 0; position < going_below; position++)
        count += goes(position);
    return count;
}

static void check_verified(struct scene *scene, uint64_t stones)
{
    struct counts counts;
    struct sl_error error = {0};

    if (!CHECK_U64(verify(scene, &counts, &error), SL_OK))
        tap_note("%s", error.message);
    CHECK_U64(counts.events, scene->bench.next);
    CHECK_U64(counts.stones, stones);
    CHECK(counts.outcomes > 0);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void stones_stand_where_events_were(void)
{
    struct scene scene;

    if (!set_scene(&scene, 11))
        return;
    struct bench *bench = &scene.bench;
    for (uint64_t until = 5; until < EVENTS + 20; until += 20) {
        const struct sl_log_scavenge done = run(&scene, until);
        CHECK(done.sealed_segments >= 2 && done.raw_segments == 1 && done.rewritten > 0);
        CHECK(done.bytes_before >= done.bytes_after && done.body_bytes > 0);
        CHECK_U64(done.stones_before + done.stones, count_going());
        check_verified(&scene, count_going());
        if (!bench_open(bench) || !bench_claim(bench))
            return;
        check_reads(bench, 7);
        check_reads(bench, 100);
        CHECK_U64(bench_append(bench, 3), SL_APPEND_DURABLE); /* it goes on */
        sl_sim_run(scene.subject.env, INT64_MAX);
        check_reads(bench, 100);
        bench_close(bench);
        check_verified(&scene, count_going());
    }
    strike_scene(&scene);
}

/* Batches of many events and frames larger than blocks; more goes each time, and more comes. */
static void a_long_life(void)
{
    struct scene scene;

    if (!set_scene(&scene, 15))
        return;
    struct bench *bench = &scene.bench;
    for (going_times = 2; going_times < 6; going_times += going_times) {
        if (!bench_open(bench) || !bench_claim(bench))
            return;
        for (int i = 0; i < 10; i++) {
            sl_arena_reset(&bench->scratch);
            append(&scene, 1 + sl_sim_random(scene.subject.env, 120));
        }
        sl_sim_run(scene.subject.env, INT64_MAX);
        bench_close(bench);
        (void)run(&scene, UINT64_MAX);
        check_verified(&scene, count_going());
        if (!bench_open(bench) || !bench_claim(bench))
            return;
        check_reads(bench, 1000);
        bench_close(bench);
    }
    CHECK(going_below > 600);
    going_times = 0;
    strike_scene(&scene);
}

static void nothing_to_do_changes_nothing(void)
{
    struct scene scene;

    if (!set_scene(&scene, 12))
        return;
    (void)run(&scene, 30);
    const uint64_t checksum = head_checksum(&scene);
    struct sl_log_scavenge again = run(&scene, 30);
    CHECK(again.rewritten == 0 && again.stones == 0 && again.stones_before == 15);
    CHECK_U64(head_checksum(&scene), checksum);

    /* A dry run counts, beside an open store, too. */
    struct sl_log_scavenge dry = {.dry_run = true};
    struct sl_error error = {0};
    going_below = EVENTS;
    if (!bench_open(&scene.bench))
        return;
    CHECK_U64(scavenge(&scene, &dry, &error), SL_OK);
    CHECK(dry.stones > 0 && dry.rewritten > 0 && dry.bytes_after == 0);
    CHECK_U64(head_checksum(&scene), checksum);
    struct sl_log_scavenge wet = {0};
    CHECK_U64(scavenge(&scene, &wet, &error), SL_BUSY);
    CHECK(strstr(error.message, "stop the server") != NULL);
    going_below = 30;
    strike_scene(&scene);
}

static void a_body_is_gone_and_its_hash_is_left(void)
{
    struct sl_log_walk walk = {0};
    struct sl_error error = {0};
    struct sl_log_seen seen;
    struct scene scene;
    uint64_t found = 0;

    if (!set_scene(&scene, 13))
        return;
    (void)run(&scene, 40);
    CHECK(sl_log_walk_open(&walk, scene.subject.env, "data/log", &error) == SL_OK);
    while (sl_log_walk_next(&walk, &seen, &error) == SL_OK) {
        struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen.bytes));
        uint64_t position = seen.head.first_position;
        struct sl_log_frame frame;
        while (sl_log_frame_next_any(&cursor, &frame) == SL_OK) {
            struct sl_stored_event was;
            struct sl_log_event event;
            struct sl_log_stone stone;
            if (!sl_log_has_position(&frame))
                continue;
            bench_event(&scene.bench, position, &was);
            CHECK((frame.kind == SL_LOG_STONE) == goes(position++));
            if (frame.kind != SL_LOG_STONE)
                continue;
            CHECK(sl_log_stone_read(frame.payload, &event, &stone));
            CHECK(stone.bytes == was.body.len);
            CHECK(sl_uuid_equals(stone.hash, sl_hash128(&was.body, 1, 0)));
            found++;
        }
    }
    CHECK_U64(found, count_going());
    sl_log_walk_close(&walk);
    strike_scene(&scene);
}

static void the_power_fails_at_each_call(void)
{
    unsigned unfinished = 0, half = 0;
    bool reached_the_end = false;

    for (uint64_t nth = 1; !reached_the_end && CHECK(nth < 200); nth++)
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct sl_log_scavenge work = {0};
            struct sl_error error = {0};
            struct counts counts;
            struct scene scene;
            if (!set_scene(&scene, seed))
                return;
            going_below = EVENTS;
            sl_sim_power_loss_at(scene.subject.env, nth);
            const enum sl_err err = scavenge(&scene, &work, &error);
            reached_the_end = !sl_sim_power_is_out(scene.subject.env);
            CHECK(err == SL_OK || sl_sim_power_is_out(scene.subject.env));
            sl_sim_power_loss(scene.subject.env);
            if (!CHECK_U64(verify(&scene, &counts, &error), SL_OK))
                tap_note("call %llu, seed %llu: %s", (unsigned long long)nth,
                         (unsigned long long)seed, error.message);
            CHECK(counts.events == EVENTS || counts.events == scene.bench.next);
            unfinished += counts.stones == 0;
            /* Those that it reported are there for good. */
            CHECK(counts.stones >= work.stones);
            (void)run(&scene, EVENTS);
            half += counts.stones > 0 && counts.stones < count_going();
            check_verified(&scene, count_going());
            if (bench_open(&scene.bench) && bench_claim(&scene.bench))
                check_reads(&scene.bench, 100);
            strike_scene(&scene);
        }
    tap_note("%u cut off before the first segment, %u in between", unfinished, half);
    CHECK(unfinished > 10 && half > 10);
}

static void the_disk_fails_at_each_call(void)
{
    unsigned failed = 0;

    for (uint64_t nth = 1; nth <= 60; nth++)
        for (int is_full = 0; is_full < 2; is_full++) {
            struct sl_log_scavenge work = {0};
            struct sl_error error = {0};
            struct counts counts;
            struct scene scene;
            if (!set_scene(&scene, nth))
                return;
            going_below = EVENTS;
            sl_sim_disk_fault(scene.subject.env, nth, 1, is_full ? SL_LIMIT : SL_IO);
            const enum sl_err err = scavenge(&scene, &work, &error);
            sl_sim_disk_fail_at(scene.subject.env, 0);
            failed += err != SL_OK;
            CHECK(err == SL_OK || error.message[0] != '\0');
            CHECK_U64(verify(&scene, &counts, &error), SL_OK);
            CHECK(counts.stones >= work.stones);
            (void)run(&scene, EVENTS);
            check_verified(&scene, count_going());
            strike_scene(&scene);
        }
    CHECK(failed > 20);
}

/* Every byte of a scavenged segment that is turned is noticed, or meant nothing. */
static void damage_is_told(void)
{
    unsigned told = 0;

    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct sl_error error = {0};
        struct counts counts;
        struct scene scene;
        if (!set_scene(&scene, 14))
            return;
        (void)run(&scene, 40);
        const uint8_t *file = sealed_file(&scene);
        const uint64_t end = sl_le64(file + 136); /* of the blocks */
        const uint64_t offset = SL_LOG_BLOCK + (seed * 7919) % (end - SL_LOG_BLOCK);
        const uint8_t byte = file[offset] ^ (uint8_t)(1u << seed % 8);
        CHECK(sl_sim_disk_poke(scene.subject.env, sealed_path, offset,
                               (struct sl_slice){&byte, 1}) == SL_OK);
        told += verify(&scene, &counts, &error) == SL_CORRUPT;
        struct sl_log_scavenge work = {0};
        going_below = EVENTS;
        CHECK_U64(scavenge(&scene, &work, &error), SL_CORRUPT); /* and nothing is rewritten */
        CHECK_U64(work.rewritten, 0);
        strike_scene(&scene);
    }
    CHECK_U64(told, 150);
}

/* ---- A forger, who puts all checksums of blocks and pages right again ------------------------ */

enum forgery {
    NOTHING,
    A_HASH,    /* in a stone */
    AN_EVENT,  /* that was left beside a stone */
    THE_PROOF, /* of what is left */
    THE_CHAIN, /* the checksum that the batch had */
    THE_FLAG,  /* stones, and no word of them */
};

/* The last byte of the last stone, or event. */
static void forge_frames(uint8_t *bytes, uint32_t len, enum sl_log_frame_kind kind)
{
    struct sl_cursor cursor = sl_cursor_of((struct sl_slice){bytes, len});
    struct sl_log_frame frame;
    size_t at = 0;

    while (sl_log_frame_next_any(&cursor, &frame) == SL_OK)
        if (frame.kind == kind && frame.payload.len > 0)
            at = (size_t)(frame.payload.ptr - bytes) + frame.payload.len - 1;
    CHECK(at > 0);
    bytes[at] ^= 1;
}

static enum sl_err pack(struct sl_log_packing *packing, const struct sl_log_batch_head *head,
                        struct sl_slice frames, struct sl_error *error)
{
    struct sl_cursor cursor = sl_cursor_of(frames);
    struct sl_log_frame frame;

    enum sl_err err = sl_log_packing_batch(packing, head, error);
    while (err == SL_OK && sl_log_frame_next_any(&cursor, &frame) == SL_OK)
        err = sl_log_packing_frame(packing, &frame, error);
    return err == SL_OK && !sl_log_packing_end_batch(packing) ? SL_CORRUPT : err;
}

/* Makes the first segment anew, with one batch that is forged: one that has stones, and events. */
static enum sl_err forge(struct scene *scene, enum forgery forgery)
{
    struct sl_log_walk walk = {0};
    struct sl_log_packing packing;
    struct sl_error error = {0};
    struct sl_log_seen seen;
    bool done = false;

    enum sl_err err = sl_log_walk_open(&walk, scene->subject.env, "data/log", &error);
    const struct sl_log_sealed_head old = walk.unseal.head;
    CHECK(sl_log_packing_begin(&packing, &walk.folder, &old.segment, 0, "forged", &error) == SL_OK);
    while (err == SL_OK && walk.batch < old.next_batch) {
        uint8_t frames[16384];
        err = sl_log_walk_next(&walk, &seen, &error);
        CHECK(seen.head.payload_bytes <= sizeof frames);
        memcpy(frames, sl_log_batch_frames(seen.bytes).ptr, seen.head.payload_bytes);
        if (!done && seen.head.flags && seen.head.event_count == 3) {
            done = true;
            if (forgery == A_HASH || forgery == AN_EVENT)
                forge_frames(frames, seen.head.payload_bytes,
                             forgery == A_HASH ? SL_LOG_STONE : SL_LOG_EVENT);
            seen.head.kept ^= forgery == THE_PROOF;
            seen.head.checksum ^= forgery == THE_CHAIN;
            seen.head.flags = forgery == THE_FLAG ? 0 : SL_LOG_SCAVENGED;
        }
        if (err == SL_OK)
            err = pack(&packing, &seen.head, (struct sl_slice){frames, seen.head.payload_bytes},
                       &error);
    }
    CHECK(done);
    if (err == SL_OK)
        err = sl_log_packing_end(&packing, &error);
    while (err == SL_OK && packing.phase != SL_LOG_PACKING_DONE)
        err = sl_log_packing_step(&packing, &error);
    sl_log_packing_close(&packing);
    sl_log_walk_close(&walk);
    return err;
}

static void what_is_left_is_proven(void)
{
    static const struct {
        const char *name;
        enum forgery forgery;
        enum sl_err forged, verified;
    } table[] = {
        {"nothing", NOTHING, SL_OK, SL_OK},
        {"a hash", A_HASH, SL_OK, SL_CORRUPT},
        {"an event", AN_EVENT, SL_OK, SL_CORRUPT},
        {"the proof", THE_PROOF, SL_OK, SL_CORRUPT},
        {"the chain", THE_CHAIN, SL_OK, SL_CORRUPT},
        {"the flag", THE_FLAG, SL_INVALID, SL_OK}, /* nobody packs such a batch */
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct sl_error error = {0};
        struct counts counts;
        struct scene scene;
        if (!set_scene(&scene, 14))
            return;
        (void)run(&scene, 40);
        tap_note("%s", table[i].name);
        CHECK_U64(forge(&scene, table[i].forgery), table[i].forged);
        CHECK_U64(verify(&scene, &counts, &error), table[i].verified);
        strike_scene(&scene);
    }
}

int main(void)
{
    return TAP_RUN(
        {"stones stand where events were", stones_stand_where_events_were},
        {"a long life", a_long_life},
        {"nothing to do changes nothing", nothing_to_do_changes_nothing},
        {"a body is gone and its hash is left", a_body_is_gone_and_its_hash_is_left},
        {"the power fails at each call", the_power_fails_at_each_call},
        {"the disk fails at each call", the_disk_fails_at_each_call},
        {"damage is told", damage_is_told},
        {"what is left is proven", what_is_left_is_proven});
}
