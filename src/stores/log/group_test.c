/* Groups of sealed segments: what is asked for is found with them, without them, and with files
 * that are not right; and they are made, and made again. */
#include "stores/log/group.h"

#include "base/env_sim.h"
#include "base/hash.h"
#include "conformance/group_scene.h"
#include "stores/log/index.h"
#include "stores/log/log_store.h"
#include "stores/log/scavenge.h"
#include "stores/log/segment.h"
#include "tap/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 400 };

static struct sl_read read_of(enum sl_read_by by, const char *key, bool backwards)
{
    return (struct sl_read){.by = by,
                            .key = {key, strlen(key)},
                            .until = UINT64_MAX,
                            .backwards = backwards,
                            .count_max = 10,
                            .bytes_max = SIZE_MAX};
}

/* Reads; what is found is the event at `position`, or nothing when that is UINT64_MAX. */
static bool finds(struct scene *scene, struct sl_read read, uint64_t position)
{
    bench_read(&scene->bench, &read);
    const bool good = CHECK_U64(read.err, SL_OK) && CHECK(read.end) &&
                      (position == UINT64_MAX ? CHECK_U64(read.event_count, 0)
                                              : CHECK_U64(read.event_count, 1) &&
                                                    CHECK_U64(read.events[0].position, position));

    if (!good)
        tap_note("%.*s, %s, %s", (int)read.key.len, read.key.ptr,
                 read.backwards ? "backwards" : "forwards", read.error.message);
    sl_arena_close(&read.arena);
    return good;
}

/* One event in every way, alone in its range, at its ends and beside it. */
static bool finds_one(struct scene *scene, uint64_t position)
{
    struct names names;
    bool good = true;

    scene_name(position, &names);
    for (int backwards = 0; good && backwards < 2; backwards++) {
        struct sl_read read = read_of(SL_READ_STREAM, names.stream, backwards == 1);
        good = finds(scene, read, position);
        read.from = position;
        good = good && finds(scene, read, position);
        read.until = position + 1;
        good = good && finds(scene, read, position);
        read = read_of(SL_READ_STREAM, names.stream, backwards == 1);
        read.until = position > 0 ? position : 1;
        good = good && finds(scene, read, position > 0 ? UINT64_MAX : 0);
        good = good && finds(scene, read_of(SL_READ_TAG, names.tag, backwards == 1), position);
        good = good &&
               finds(scene, read_of(SL_READ_AGGREGATE, names.stream, backwards == 1), position);
        /* The tag "mark:7" belongs to the aggregate "mark/7". */
        memcpy(names.tag, "mark/", 5);
        good =
            good && finds(scene, read_of(SL_READ_AGGREGATE, names.tag, backwards == 1), position);
        memcpy(names.tag, "mark:", 5);
    }
    return good;
}

/* P1: every `step`-th event is found, and what isn't there is not. */
static void check_all(struct scene *scene, uint64_t step)
{
    for (uint64_t position = 0; position < scene->bench.next; position += step)
        if (!finds_one(scene, position))
            return;
    (void)!finds_one(scene, scene->bench.next - 1);
    for (int i = 0; i < 20; i++) {
        char key[24];
        snprintf(key, sizeof key, "nobody/%d", i);
        for (int backwards = 0; backwards < 2; backwards++) {
            CHECK(finds(scene, read_of(SL_READ_STREAM, key, backwards == 1), UINT64_MAX));
            CHECK(finds(scene, read_of(SL_READ_AGGREGATE, key, backwards == 1), UINT64_MAX));
        }
    }
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static void headers_are_one_or_none(void)
{
    struct sl_log_group_head head = {
        .log = {{1, 2, 3}}, .first = 64, .segment_count = 64, .page_count = 12, .identity = 99};
    struct sl_log_group_head read = head;
    uint8_t block[SL_LOG_BLOCK];
    char name[SL_LOG_GROUP_NAME_MAX];

    sl_log_group_head_write(&head, block);
    read.page_count = 500; /* at most */
    CHECK(sl_log_group_head_check(block, &read) && read.page_count == 12);
    read.page_count = 11;
    CHECK(!sl_log_group_head_check(block, &read) && read.page_count == 11);
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] ^= 1;
        read.page_count = 500;
        CHECK(!sl_log_group_head_check(block, &read));
        block[i] ^= 1;
    }
    head.page_count = 0; /* of segments without keys alone */
    sl_log_group_head_write(&head, block);
    CHECK(!sl_log_group_head_check(block, &read));
    read.page_count = 0;
    CHECK(sl_log_group_head_check(block, &read));
    sl_log_group_name(2, 3, name);
    CHECK(strcmp(name, "00000000000000001536.512.group") == 0);
    CHECK(sl_log_group_hash(0x123456789a000000) == sl_log_group_hash(0x123456789affffff));
    CHECK(sl_log_group_hash(0x123456789a000000) != sl_log_group_hash(0x123456789b000000));
    for (unsigned part = 0; part < SL_LOG_GROUP_PARTS; part++) {
        const uint64_t hash = sl_log_group_part_hash(0x123456789a000000, part);
        CHECK(hash == sl_log_group_part_hash(0x123456789affffff, part));
        CHECK(hash != sl_log_group_hash(0x123456789a000000));
        CHECK(part == 0 || hash != sl_log_group_part_hash(0x123456789a000000, part - 1));
    }
    CHECK(sl_log_group_part(0, 13) == 5 && sl_log_group_part(2, 127) == 1);
}

/* Whatever tells segments apart changes the identity; scavenging does not. */
static void identities_tell_segments_apart(void)
{
    struct sl_log_sealed_head plain = {.segment = {.salt = 5}, .key_count = 4000};
    uint64_t seen[8];

    plain.pages[SL_LOG_PAGES_FILTER - 1].count = 2;
    for (int i = 0; i < 8; i++) {
        struct sl_log_sealed_head head = plain;
        struct sl_log_group_sum sum = {0};
        head.segment.number += i == 1;
        head.segment.salt += i == 2;
        head.segment.first_position += i == 3;
        head.next_position += i == 4;
        head.last += i == 5;
        head.key_count += i == 6;
        head.stones += i == 7;
        head.segment.bytes += i == 7;
        sl_log_group_add(&sum, &plain);
        sl_log_group_add(&sum, &head);
        CHECK(sl_log_group_end(&sum) && sum.head.segment_count == 2);
        CHECK_U64(sum.head.page_count, 5); /* 8,000 pairs twice; twice four pages at most */
        seen[i] = sum.head.identity;
        for (int j = 0; j < i; j++)
            CHECK((seen[i] == seen[j]) == (i == 7 && j == 0));
    }
}

/* ---- All levels ------------------------------------------------------------------------------ */

static void lookups_pass_groups(void)
{
    const uint64_t segments = TAP_TIMES(512 + 64 + 8 + 3, 64 + 8 + 3);
    struct scene scene;

    if (!scene_begin(&scene, 1))
        return;
    scene_grow(&scene, segments);
    scene_rest(&scene);
    CHECK(scene_has_sealed(&scene, segments - 1));
    CHECK(scene_has(&scene, scene_small_path));
    CHECK(scene_has(&scene, "data/log/00000000000000000000.64.group"));
    CHECK(TAP_IS_SANITIZED || scene_has(&scene, "data/log/00000000000000000000.512.group"));
    check_all(&scene, 41);
    /* Nobody's stream: the filters of the groups and of three segments are asked, and of a segment
     * more only when chance will have it. */
    const unsigned passed = sl_mark_count("log: group passed");
    const unsigned skipped = sl_mark_count("log: segment skipped by its filter");
    for (int i = 0; i < 100; i++) {
        char key[24];
        snprintf(key, sizeof key, "nobody/%d", i);
        CHECK(finds(&scene, read_of(SL_READ_STREAM, key, i % 2 == 1), UINT64_MAX));
    }
    CHECK(sl_mark_count("log: group passed") - passed >= 200);
    CHECK(sl_mark_count("log: segment skipped by its filter") - skipped < 800);
    /* One that is there is followed to its segment: only the last three, which are in no group,
     * have their filters asked. Large events are read twice; a few more by chance. */
    const unsigned asked = sl_mark_count("log: segment skipped by its filter");
    const unsigned named = sl_mark_count("log: segment named by its group");
    for (uint64_t i = 0; i < 100; i++) {
        struct names key;
        scene_name(i * 2, &key);
        CHECK(finds(&scene, read_of(SL_READ_STREAM, key.stream, i % 4 > 1), i * 2));
    }
    CHECK(sl_mark_count("log: segment skipped by its filter") - asked <= 600);
    const unsigned names = sl_mark_count("log: segment named by its group") - named;
    CHECK(names >= 100 && names <= 170);
    if (scene_reopen(&scene))
        check_all(&scene, 97);
    scene_end(&scene);
}

/* ---- More keys than are filtered at once ----------------------------------------------------- */

enum { CROWD = 1000, CROWD_TAGS = 16, CROWD_NAME = 48 };

struct crowd {
    struct sl_stored_event events[CROWD];
    struct sl_text tags[CROWD][CROWD_TAGS];
    char names[CROWD][CROWD_TAGS][CROWD_NAME];
};

static struct sl_text crowd_tag(uint64_t position, uint64_t tag, char *out)
{
    const int len = snprintf(out, CROWD_NAME, "%llu:%llu", (unsigned long long)tag,
                             (unsigned long long)position);

    return (struct sl_text){out, (size_t)len};
}

static void append_crowd(struct scene *scene, struct crowd *crowd)
{
    static const struct sl_schema *const schemas[] = {&bench_schemas[0]};
    struct bench *bench = &scene->bench;

    for (uint64_t i = 0; i < CROWD; i++) {
        for (uint64_t t = 0; t < CROWD_TAGS; t++)
            crowd->tags[i][t] = crowd_tag(bench->next + i, t, crowd->names[i][t]);
        crowd->events[i] = (struct sl_stored_event){.position = bench->next + i,
                                                    .schema = schemas[0],
                                                    .stream = SL_TEXT("one/1"),
                                                    .tags = crowd->tags[i],
                                                    .tag_count = CROWD_TAGS};
    }
    struct sl_append append = {.message = {.reply_to = bench->mailbox, .kind = 9},
                               .epoch = bench->claim.epoch,
                               .position = bench->next,
                               .events = crowd->events,
                               .event_count = CROWD,
                               .schemas = schemas,
                               .schema_count = bench->next == 0,
                               .bytes = CROWD * 300};
    CHECK_U64(bench_put(bench, &append), SL_APPEND_DURABLE);
    bench->next += CROWD;
}

/* The filter is made window by window: a million keys take several. */
static void large_groups_are_made_in_windows(void)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    struct sl_slice bytes = {0};
    struct scene scene;
    char name[CROWD_NAME];

    scene_segment_bytes = "2097152";
    if (!crowd || !scene_begin(&scene, 1))
        return;
    while (!scene_has_sealed(&scene, SMALL - 1)) {
        append_crowd(&scene, crowd);
        scene_rest(&scene);
    }
    free(crowd);
    CHECK(sl_sim_disk_peek(scene.subject.env, scene_small_path, &bytes) == SL_OK);
    CHECK(bytes.len > 260 * SL_LOG_PAGE);
    for (uint64_t position = 0; position < scene.bench.next; position += TAP_TIMES(97, 290)) {
        const struct sl_text tag = crowd_tag(position, position % CROWD_TAGS, name);
        struct sl_read read = read_of(SL_READ_TAG, tag.ptr, position % 2 == 0);
        if (!finds(&scene, read, position))
            break;
    }
    scene_end(&scene);
}

/* ---- Files that are not right ---------------------------------------------------------------- */

static void seal_head(struct image *image)
{
    struct sl_log_group_head head = {.first = sl_le64(image->bytes + 48),
                                     .segment_count = sl_le32(image->bytes + 56),
                                     .page_count = sl_le32(image->bytes + 60),
                                     .identity = sl_le64(image->bytes + 64)};

    memcpy(head.log.bytes, image->bytes + 32, 16);
    sl_log_group_head_write(&head, image->bytes);
}

static void cut_to_nothing(struct image *image)
{
    image->len = 0;
}

static void cut_its_pages(struct image *image)
{
    image->len = SL_LOG_BLOCK;
}

static void flip_the_header(struct image *image)
{
    image->bytes[64] ^= 1;
}

static void flip_a_page(struct image *image)
{
    image->bytes[SL_LOG_BLOCK + 2000] ^= 0xff;
}

static void clear_a_page(struct image *image)
{
    memset(image->bytes + SL_LOG_BLOCK + SL_LOG_PAGE_HEAD, 0, SL_LOG_PAGE_ROOM);
}

/* A filter that has nothing at all, well sealed: of other segments. */
static void make_it_of_others(struct image *image)
{
    const struct sl_log_page_head page = {.kind = SL_LOG_PAGES_FILTER};

    image->bytes[70] ^= 1;
    seal_head(image);
    clear_a_page(image);
    sl_log_page_seal(&page, sl_le64(image->bytes + 64), 1, image->bytes + SL_LOG_BLOCK);
}

static void make_it_of_another_log(struct image *image)
{
    image->bytes[40] ^= 1;
    seal_head(image);
}

static void make_it_of_other_numbers(struct image *image)
{
    image->bytes[48] = SMALL;
    seal_head(image);
}

static void give_it_more_pages(struct image *image)
{
    image->bytes[62] = 1;
    seal_head(image);
}

static void give_it_no_pages(struct image *image)
{
    memset(image->bytes + 60, 0, 4);
    seal_head(image);
}

static void make_it_newer(struct image *image)
{
    image->bytes[16]++;
}

static const struct harm {
    const char *name;
    void (*harm)(struct image *image);
    bool in_pages; /* met by lookups only */
} harms[] = {
    {"nothing", NULL, false},
    {"empty", cut_to_nothing, false},
    {"without pages", cut_its_pages, true},
    {"header", flip_the_header, false},
    {"page", flip_a_page, true},
    {"page of zeros", clear_a_page, true},
    {"other segments", make_it_of_others, false},
    {"another log", make_it_of_another_log, false},
    {"other numbers", make_it_of_other_numbers, false},
    {"more pages", give_it_more_pages, false},
    {"no pages", give_it_no_pages, false},
    {"newer", make_it_newer, false},
};

static void what_is_not_right_is_made_again(void)
{
    static struct image good, bad;

    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
        const struct harm *harm = &harms[i];
        struct scene scene;
        tap_note("%s", harm->name);
        if (!scene_begin(&scene, i + 1))
            return;
        scene_grow(&scene, SMALL + 1);
        scene_rest(&scene);
        bench_close(&scene.bench);
        if (!image_take(&scene, scene_small_path, &good))
            return;
        bad = good;
        if (harm->harm)
            harm->harm(&bad);
        image_put(&scene, &bad);
        const unsigned made = sl_mark_count("log: group made");
        if (scene_reopen(&scene)) {
            check_all(&scene, 1); /* before the sealer has looked, or while it does */
            scene_rest(&scene);
            check_all(&scene, 1);
            if (harm->in_pages) { /* the sealer hears of it with the next segment */
                scene_grow(&scene, SMALL + 3);
                scene_rest(&scene);
            }
        }
        CHECK_U64(sl_mark_count("log: group made") - made, harm->harm ? 1 : 0);
        if (image_take(&scene, scene_small_path, &bad))
            CHECK(bad.len == good.len && memcmp(bad.bytes, good.bytes, good.len) == 0);
        check_all(&scene, 1);
        scene_end(&scene);
    }
}

/* What a program of the first version left: its pages say nothing of parts. */
static void make_it_older(struct image *image)
{
    const struct sl_log_page_head page = {.kind = SL_LOG_PAGES_FILTER};
    uint8_t *room = image->bytes + SL_LOG_BLOCK;
    struct names names;

    image->bytes[16] = SL_LOG_GROUP_VERSION_OLD;
    memset(image->bytes + 24, 0, 8);
    sl_put_le64(image->bytes + 24, sl_hash64(image->bytes, SL_LOG_BLOCK, 0));
    clear_a_page(image);
    for (uint64_t position = 0; position < SMALL * EVENTS_A_BATCH; position++) {
        scene_name(position, &names);
        const struct sl_text stream = {names.stream, strlen(names.stream)};
        const struct sl_text tag = {names.tag, strlen(names.tag)};
        sl_log_filter_add(room, sl_log_group_hash(sl_log_stream_hash(stream)));
        sl_log_filter_add(room, sl_log_group_hash(sl_log_tag_hash(tag)));
    }
    sl_log_page_seal(&page, sl_le64(image->bytes + 64), 1, room);
}

/* F1: it is used, and stays. */
static void a_group_of_version_1_is_used(void)
{
    static struct image old, after;
    struct scene scene;

    REQUIRE(scene_begin(&scene, 3));
    scene_grow(&scene, SMALL + 1);
    scene_rest(&scene);
    bench_close(&scene.bench);
    REQUIRE(image_take(&scene, scene_small_path, &old) && old.len == SL_LOG_BLOCK + SL_LOG_PAGE);
    make_it_older(&old);
    image_put(&scene, &old);
    const unsigned made = sl_mark_count("log: group made");
    const unsigned passed = sl_mark_count("log: group passed");
    const unsigned named = sl_mark_count("log: segment named by its group");
    if (scene_reopen(&scene)) {
        scene_rest(&scene);
        check_all(&scene, 1);
    }
    CHECK_U64(sl_mark_count("log: group made"), made);
    CHECK(sl_mark_count("log: group passed") - passed >= 20);
    CHECK(sl_mark_count("log: segment named by its group") == named);
    CHECK(image_take(&scene, scene_small_path, &after) &&
          memcmp(after.bytes, old.bytes, old.len) == 0);
    scene_end(&scene);
}

/* A group is not made of segments whose index is damaged, nor tried for ever; what is asked of the
 * others is answered. */
static void damaged_segments_have_no_group(void)
{
    static const char *const path = "data/log/00000000000000000006.sealed";
    struct sl_log_sealed_head head;
    struct sl_error error = {0};
    struct sl_slice bytes;
    struct scene scene;

    if (!scene_begin(&scene, 4))
        return;
    scene_grow(&scene, SMALL + 1);
    scene_rest(&scene);
    bench_close(&scene.bench);
    CHECK(sl_disk_remove(scene.subject.env, scene_small_path, &error) == SL_OK);
    REQUIRE(sl_sim_disk_peek(scene.subject.env, path, &bytes) == SL_OK);
    REQUIRE(sl_log_sealed_head_read(bytes.ptr, path, &head, &error) == SL_OK);
    CHECK(sl_sim_disk_poke(scene.subject.env, path,
                           sl_log_sealed_pages(&head, SL_LOG_PAGES_KEYS)->first * SL_LOG_PAGE + 99,
                           (struct sl_slice){(const uint8_t *)"rot", 3}) == SL_OK);
    const unsigned given_up = sl_mark_count("log: group given up");
    if (scene_reopen(&scene)) {
        scene_rest(&scene);
        scene_grow(&scene, SMALL + 3);
        scene_rest(&scene);
        CHECK(!scene_has(&scene, scene_small_path));
        CHECK_U64(sl_mark_count("log: group given up") - given_up, 1);
        for (uint64_t position = 0; position < head.segment.first_position; position++)
            (void)!finds_one(&scene, position);
    }
    scene_end(&scene);
}

/* ---- Power and disk -------------------------------------------------------------------------- */

/* Eight sealed segments and no file of their group; open, its sealer about to begin. */
static bool set_lacking(struct scene *scene, uint64_t seed)
{
    struct sl_error error = {0};

    if (!scene_begin(scene, seed))
        return false;
    scene_grow(scene, SMALL + 1);
    scene_rest(scene);
    bench_close(&scene->bench);
    return CHECK(sl_disk_remove(scene->subject.env, scene_small_path, &error) == SL_OK) &&
           scene_reopen(scene);
}

static void the_power_fails_at_each_call(void)
{
    bool reached_the_end = false;

    for (uint64_t nth = 1; !reached_the_end && CHECK(nth < CALLS_MAX); nth += TAP_TIMES(1, 7)) {
        struct scene scene;
        if (!set_lacking(&scene, nth))
            return;
        struct sl_env *env = scene.subject.env;
        sl_sim_power_loss_at(env, nth);
        scene_rest(&scene);
        reached_the_end = !sl_sim_power_is_out(env);
        bench_close(&scene.bench);
        sl_sim_power_loss(env);
        if (scene_reopen(&scene)) {
            CHECK(!scene_has(&scene, "data/log/00000000000000000000.8.group.tmp"));
            check_all(&scene, 9);
            scene_rest(&scene);
            CHECK(scene_has(&scene, scene_small_path));
            check_all(&scene, 9);
        }
        scene_end(&scene);
    }
}

static void the_disk_fails_at_each_call(void)
{
    const unsigned given_up = sl_mark_count("log: group given up");

    for (uint64_t nth = 1; nth <= 60; nth += TAP_TIMES(1, 5)) {
        struct scene scene;
        if (!set_lacking(&scene, nth))
            return;
        sl_sim_disk_fail_at(scene.subject.env, nth);
        scene_rest(&scene);
        sl_sim_disk_fail_at(scene.subject.env, 0);
        check_all(&scene, 9);
        scene_grow(&scene, SMALL + 3); /* another try */
        scene_rest(&scene);
        CHECK(scene_has(&scene, scene_small_path));
        check_all(&scene, 9);
        scene_end(&scene);
    }
    CHECK(sl_mark_count("log: group given up") > given_up + TAP_TIMES(20, 4));
}

static void a_full_disk_has_no_group(void)
{
    struct scene scene;

    if (!set_lacking(&scene, 3))
        return;
    const unsigned given_up = sl_mark_count("log: group given up");
    sl_sim_disk_size(scene.subject.env, 1 << 16);
    scene_rest(&scene);
    CHECK_U64(sl_mark_count("log: group given up"), given_up + 1);
    CHECK(!scene_has(&scene, scene_small_path));
    check_all(&scene, 3);
    sl_sim_disk_size(scene.subject.env, 0);
    scene_grow(&scene, SMALL + 3);
    scene_rest(&scene);
    CHECK(scene_has(&scene, scene_small_path));
    check_all(&scene, 3);
    scene_end(&scene);
}

/* ---- What else is done to logs --------------------------------------------------------------- */

static bool may_go(void *context, const struct sl_schema *schema, uint64_t position,
                   const struct sl_log_event *event)
{
    (void)context;
    (void)schema;
    (void)event;
    return position % 3 == 0;
}

/* Scavenged segments have the keys that they had: their groups stay, and stay right. */
static void scavenging_leaves_groups(void)
{
    static struct image before, after;
    struct sl_error error = {0};
    struct scene scene;

    if (!scene_begin(&scene, 6))
        return;
    scene_grow(&scene, SMALL + 1);
    scene_rest(&scene);
    bench_close(&scene.bench);
    struct sl_log_scavenge scavenge = {
        .env = scene.subject.env, .path = "data/log", .may_go = may_go};
    CHECK(image_take(&scene, scene_small_path, &before));
    CHECK_U64(sl_log_scavenge(&scavenge, &error), SL_OK);
    CHECK(scavenge.rewritten >= SMALL);
    const unsigned refused = sl_mark_count("log: not this group");
    if (scene_reopen(&scene)) {
        scene_rest(&scene);
        check_all(&scene, 1);
    }
    CHECK_U64(sl_mark_count("log: not this group"), refused);
    if (image_take(&scene, scene_small_path, &after))
        CHECK(before.len == after.len && memcmp(before.bytes, after.bytes, after.len) == 0);
    scene_end(&scene);
}

/* With `scene_seal = no` nothing is written, and what is there is used. */
static void without_sealing_nothing_is_made(void)
{
    struct scene scene;

    if (!set_lacking(&scene, 7))
        return;
    bench_close(&scene.bench);
    scene_seal = "no";
    if (scene_reopen(&scene)) {
        scene_rest(&scene);
        CHECK(!scene_has(&scene, scene_small_path));
        check_all(&scene, 3);
    }
    scene_end(&scene);
}

int main(void)
{
    return TAP_RUN({"headers are one or none", headers_are_one_or_none},
                   {"identities tell segments apart", identities_tell_segments_apart},
                   {"lookups pass groups", lookups_pass_groups},
                   {"large groups are made in windows", large_groups_are_made_in_windows},
                   {"what is not right is made again", what_is_not_right_is_made_again},
                   {"a group of version 1 is used", a_group_of_version_1_is_used},
                   {"damaged segments have no group", damaged_segments_have_no_group},
                   {"the power fails at each call", the_power_fails_at_each_call},
                   {"the disk fails at each call", the_disk_fails_at_each_call},
                   {"a full disk has no group", a_full_disk_has_no_group},
                   {"scavenging leaves groups", scavenging_leaves_groups},
                   {"without sealing nothing is made", without_sealing_nothing_is_made});
}
