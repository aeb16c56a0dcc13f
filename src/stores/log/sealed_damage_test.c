/* What is wrong with a sealed segment, and what the log says of it: at open, and to those who read
 * (F1, L3). */
#include "base/env_sim.h"
#include "base/hash.h"
#include "conformance/event_store_bench.h"
#include "stores/log/log_store.h"
#include "stores/log/inspect.h"
#include "stores/log/salvage.h"
#include "stores/log/sealed.h"
#include "tap/tap.h"

#include <stdio.h>
#include <string.h>

enum {
    EVENTS = 40, /* one a batch and block: three sealed segments and a raw one */
    HARMED = 1,  /* the segment that something is done to */
    IMAGE_MAX = 64 << 10,
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

struct scene {
    struct bench bench;
    struct event_store_subject subject;
    struct sl_log_sealed_head head;
};

static const char *sealed_path(uint64_t number)
{
    static char path[64];

    snprintf(path, sizeof path, "data/log/%020llu.sealed", (unsigned long long)number);
    return path;
}

static struct sl_slice image(struct scene *scene, uint64_t number)
{
    struct sl_slice bytes = {0};

    CHECK(sl_sim_disk_peek(scene->subject.env, sealed_path(number), &bytes) == SL_OK);
    return bytes;
}

static void poke(struct scene *scene, uint64_t number, uint64_t offset, const void *bytes,
                 size_t len)
{
    CHECK(sl_sim_disk_poke(scene->subject.env, sealed_path(number), offset,
                           (struct sl_slice){bytes, len}) == SL_OK);
}

static void flip(struct scene *scene, uint64_t offset)
{
    const uint8_t byte = image(scene, HARMED).ptr[offset] ^ 0x40;

    poke(scene, HARMED, offset, &byte, 1);
}

/* Changes the header and puts its checksum right. */
static void rewrite_head(struct scene *scene, size_t offset, uint8_t value)
{
    uint8_t block[SL_LOG_BLOCK];

    memcpy(block, image(scene, HARMED).ptr, sizeof block);
    block[offset] = value;
    sl_log_segment_head_seal(block);
    poke(scene, HARMED, 0, block, sizeof block);
}

static void flip_page(struct scene *scene, enum sl_log_page_kind kind)
{
    flip(scene, (uint64_t)sl_log_sealed_pages(&scene->head, kind)->first * SL_LOG_PAGE + 1000);
}

/* ---- Harm ------------------------------------------------------------------------------------ */

static void harm_a_block(struct scene *scene)
{
    flip(scene, SL_LOG_BLOCK + SL_LOG_SEALED_BLOCK_HEAD + 5);
}

static void harm_a_block_head(struct scene *scene)
{
    flip(scene, SL_LOG_BLOCK + 24);
}

static void harm_places(struct scene *scene)
{
    flip_page(scene, SL_LOG_PAGES_PLACES);
}

static void harm_keys(struct scene *scene)
{
    flip_page(scene, SL_LOG_PAGES_KEYS);
}

static void harm_the_filter(struct scene *scene)
{
    flip_page(scene, SL_LOG_PAGES_FILTER);
}

static void harm_the_catalog(struct scene *scene)
{
    uint8_t block[SL_LOG_BLOCK];

    /* The schemas are in the first segment: a catalog is looked for where there is none. */
    memcpy(block, image(scene, HARMED).ptr, sizeof block);
    sl_put_le32(block + 200, 10);
    sl_put_le32(block + 208 + 8 * 4, sl_le32(block + 208));
    sl_put_le32(block + 212 + 8 * 4, 1);
    sl_log_segment_head_seal(block);
    poke(scene, HARMED, 0, block, sizeof block);
}

static void harm_the_header(struct scene *scene)
{
    flip(scene, 115);
}

static void make_it_newer(struct scene *scene)
{
    rewrite_head(scene, 16, SL_LOG_VERSION + 1);
}

static void give_it_flags(struct scene *scene)
{
    rewrite_head(scene, 108, 2);
}

static void make_it_another_kind(struct scene *scene)
{
    rewrite_head(scene, 104, 2);
}

static void give_it_impossible_sizes(struct scene *scene)
{
    rewrite_head(scene, 193, 0xff);
}

static void take_it_from_another_log(struct scene *scene)
{
    rewrite_head(scene, 40, 0xee);
}

static void break_the_chain(struct scene *scene)
{
    rewrite_head(scene, 88, image(scene, HARMED).ptr[88] ^ 1);
}

static void cut_it(struct scene *scene)
{
    struct sl_error error = {0};
    struct sl_file *file;

    REQUIRE(sl_disk_open(scene->subject.env, sealed_path(HARMED), SL_OPEN_WRITE, &file, &error) ==
            SL_OK);
    CHECK(sl_file_truncate(file, scene->head.segment.bytes - SL_LOG_PAGE, &error) == SL_OK);
    sl_file_close(file);
}

static void remove_it(struct scene *scene)
{
    struct sl_error error = {0};

    CHECK(sl_disk_remove(scene->subject.env, sealed_path(HARMED), &error) == SL_OK);
}

static void swap_it(struct scene *scene)
{
    static uint8_t other[IMAGE_MAX];
    const struct sl_slice bytes = image(scene, 2);

    REQUIRE(bytes.len <= sizeof other && image(scene, HARMED).len >= SL_LOG_BLOCK);
    memcpy(other, bytes.ptr, SL_LOG_BLOCK);
    poke(scene, HARMED, 0, other, SL_LOG_BLOCK);
}

static void rename_file(struct scene *scene, const char *from, const char *to)
{
    struct sl_error error = {0};

    CHECK(sl_disk_rename(scene->subject.env, from, to, &error) == SL_OK);
}

static void name_it_raw(struct scene *scene)
{
    rename_file(scene, "data/log/00000000000000000002.sealed",
                "data/log/00000000000000000002.seg");
}

static void remove_the_last(struct scene *scene)
{
    struct sl_error error = {0};

    CHECK(sl_disk_remove(scene->subject.env, "data/log/00000000000000000003.seg", &error) ==
          SL_OK);
}

/* ---- The table ------------------------------------------------------------------------------- */

static const struct row {
    const char *name;
    void (*harm)(struct scene *scene);
    enum sl_err opens; /* what opening says, */
    enum sl_err reads; /* what reading all events says, */
    enum sl_err finds; /* and what reading a stream says */
    const char *says;  /* part of the message of the first that is refused */
} rows[] = {
    {"a block", harm_a_block, SL_OK, SL_CORRUPT, SL_CORRUPT, "1.sealed: damaged at offset 4096"},
    {"a block's head", harm_a_block_head, SL_OK, SL_CORRUPT, SL_CORRUPT,
     "1.sealed: damaged at offset 4096"},
    {"places", harm_places, SL_OK, SL_CORRUPT, SL_CORRUPT, "(index)"},
    {"keys", harm_keys, SL_OK, SL_OK, SL_CORRUPT, "(index)"},
    {"filter", harm_the_filter, SL_OK, SL_OK, SL_CORRUPT, "(index)"},
    {"catalog", harm_the_catalog, SL_CORRUPT, 0, 0, "(the catalog)"},
    {"header", harm_the_header, SL_CORRUPT, 0, 0, "1.sealed: damaged at offset 0"},
    {"newer version", make_it_newer, SL_UNSUPPORTED, 0, 0, "1.sealed: has log format 2"},
    {"unknown flags", give_it_flags, SL_UNSUPPORTED, 0, 0, "use a newer one"},
    {"another kind", make_it_another_kind, SL_UNSUPPORTED, 0, 0, "use a newer one"},
    {"sizes", give_it_impossible_sizes, SL_CORRUPT, 0, 0, "impossible sizes"},
    {"another log", take_it_from_another_log, SL_CORRUPT, 0, 0, "belongs to another log"},
    {"chain", break_the_chain, SL_CORRUPT, 0, 0, "does not continue"},
    {"cut", cut_it, SL_CORRUPT, 0, 0, "too short"},
    {"missing", remove_it, SL_CORRUPT, 0, 0, "there are 2 sealed segments"},
    {"swapped", swap_it, SL_CORRUPT, 0, 0, "under a wrong name"},
    {"named as a raw one", name_it_raw, SL_CORRUPT, 0, 0, "under the name of a raw one"},
    {"the last is missing", remove_the_last, SL_CORRUPT, 0, 0, "segment 3 is missing"},
};

static bool set_scene(struct scene *scene)
{
    struct sl_error error = {0};

    *scene = (struct scene){0};
    scene->subject = (struct event_store_subject){.ops = &sl_log_store_ops, .simulated = true,
                                                  .fresh = fresh, .setting = setting};
    if (!CHECK(sl_env_sim_new(5, &scene->subject.env) == SL_OK) ||
        !bench_begin(&scene->bench, &scene->subject))
        return false;
    for (int i = 0; i < EVENTS; i++)
        CHECK_U64(bench_append(&scene->bench, 1), SL_APPEND_DURABLE);
    sl_sim_run(scene->subject.env, INT64_MAX);
    bench_close(&scene->bench);
    return CHECK(sl_log_sealed_head_read(image(scene, HARMED).ptr, "1", &scene->head, &error) ==
                 SL_OK);
}

/* Reads everything; what is refused hands nothing out, and what lies before it can be read. */
static void check_read(struct scene *scene, const struct row *row, enum sl_read_by by,
                       enum sl_err want)
{
    struct sl_read read = {.by = by, .key = SL_TEXT("account/4"), .until = UINT64_MAX,
                           .count_max = 100, .bytes_max = SIZE_MAX};

    bench_read(&scene->bench, &read);
    CHECK_U64(read.err, want);
    CHECK(want == SL_OK || (strstr(read.error.message, row->says) && read.event_count == 0));
    CHECK(want == SL_OK || strstr(read.error.message, "sluice log salvage"));
    sl_arena_close(&read.arena);
    read = (struct sl_read){.by = by, .key = SL_TEXT("account/4"),
                            .until = scene->head.segment.first_position, .count_max = 100,
                            .bytes_max = SIZE_MAX};
    bench_read(&scene->bench, &read);
    CHECK_U64(read.err, SL_OK);
    CHECK(read.event_count > 0);
    for (size_t i = 0; i < read.event_count; i++)
        (void)bench_same(&scene->bench, &read.events[i]);
    sl_arena_close(&read.arena);
}

static void check_row(const struct row *row)
{
    const struct sl_store_options options = {.location = "data/log", .name = "bench",
                                             .setting = setting};
    struct sl_error error = {0};
    struct scene scene;

    if (!set_scene(&scene))
        return;
    row->harm(&scene);
    const enum sl_err err = sl_event_store_open(&sl_log_store_ops, scene.subject.env, &options,
                                                &scene.bench.store, &error);
    CHECK_U64(err, row->opens);
    if (err != SL_OK && !CHECK(strstr(error.message, row->says) != NULL))
        tap_note("it says: %s", error.message);
    if (err == SL_OK && bench_claim(&scene.bench)) {
        CHECK_U64(scene.bench.next, EVENTS);
        check_read(&scene, row, SL_READ_POSITION, row->reads);
        check_read(&scene, row, SL_READ_STREAM, row->finds);
        /* What is damaged below does not stop what is written above. */
        CHECK_U64(bench_append(&scene.bench, 1), SL_APPEND_DURABLE);
    }
    bench_end(&scene.bench);
    sl_env_free(scene.subject.env);
}

static void damage_is_told(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tap_note("%s", rows[i].name);
        check_row(&rows[i]);
    }
}

/* The tools find it, too, instead of taking the last sealed segment's end for the log's; and what
 * is saved opens. */
static void a_lost_tail_is_found_and_the_rest_saved(void)
{
    struct sl_log_walk walk = {0};
    struct sl_error error = {0};
    struct sl_log_seen seen;
    struct scene scene;
    enum sl_err err;

    if (!set_scene(&scene))
        return;
    remove_the_last(&scene);
    REQUIRE(sl_log_walk_open(&walk, scene.subject.env, "data/log", &error) == SL_OK);
    do {
        err = sl_log_walk_next(&walk, &seen, &error);
    } while (err == SL_OK);
    CHECK_U64(err, SL_CORRUPT);
    CHECK(strstr(error.message, "2.sealed: damaged") && strstr(error.message, "is missing"));
    CHECK_U64(walk.damage_segment, 2);
    const uint64_t position = walk.position;
    sl_log_walk_close(&walk);

    struct sl_log_salvage salvage = {.env = scene.subject.env, .from = "data/log",
                                     .to = "data/saved"};
    CHECK_U64(sl_log_salvage(&salvage, &error), SL_OK);
    CHECK(salvage.is_damaged);
    CHECK_U64(salvage.position, position);
    scene.bench.location = "data/saved";
    if (bench_open(&scene.bench) && bench_claim(&scene.bench)) {
        CHECK_U64(scene.bench.next, position);
        CHECK(position > 0 && position < EVENTS);
        CHECK_U64(bench_append(&scene.bench, 1), SL_APPEND_DURABLE);
    }
    bench_end(&scene.bench);
    sl_env_free(scene.subject.env);
}

static void a_second_process_is_refused(void)
{
    const struct sl_store_options options = {.location = "data/log", .name = "bench",
                                             .setting = setting};
    struct sl_event_store *second = NULL;
    struct sl_error error = {0};
    struct scene scene;

    if (!set_scene(&scene) || !bench_open(&scene.bench))
        return;
    CHECK_U64(sl_event_store_open(&sl_log_store_ops, scene.subject.env, &options, &second, &error),
              SL_BUSY);
    CHECK(strstr(error.message, "open in another process") != NULL);
    bench_end(&scene.bench);
    sl_env_free(scene.subject.env);
}

int main(void)
{
    return TAP_RUN({"damage is told", damage_is_told},
                   {"a lost tail is found, and the rest saved",
                    a_lost_tail_is_found_and_the_rest_saved},
                   {"a second process is refused", a_second_process_is_refused});
}
