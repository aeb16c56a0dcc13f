/* The bytes of sealed segments, and the footer in the making, without a disk. */
#include "stores/log/footer.h"
#include "stores/log/sealed.h"

#include "base/hash.h"
#include "tap/tap.h"

#include <stdlib.h>
#include <string.h>

enum { SALT = 99 };

static void a_header_is_read_as_it_was_written(void)
{
    struct sl_log_sealed_head head = {
        .segment = {.number = 7, .salt = 5, .bytes = 20 * SL_LOG_PAGE, .first_position = 100,
                    .first_batch = 30, .previous = 77, .time = {123}},
        .next_position = 200, .next_batch = 60, .last = 88, .first_outcome = 9, .next_outcome = 12,
        .outcome_latest = {INT64_MIN}, .raw_bytes = 4096, .frame_bytes = 4000,
        .data_end = 9 * SL_LOG_PAGE, .block_count = 3, .key_count = 10, .catalog_bytes = 5000,
        .pages = {{10, 1}, {11, 2}, {13, 1}, {14, 1}, {15, 2}},
    };
    uint8_t block[SL_LOG_BLOCK], again[SL_LOG_BLOCK];
    struct sl_log_sealed_head got;
    struct sl_error error = {0};

    sl_log_sealed_head_write(&head, block);
    CHECK(sl_log_segment_is_sealed(block));
    if (CHECK(sl_log_sealed_head_read(block, "x", &got, &error) == SL_OK)) {
        sl_log_sealed_head_write(&got, again);
        CHECK(memcmp(again, block, sizeof again) == 0);
        CHECK(got.segment.number == 7 && got.next_position == 200 && got.pages[4].first == 15);
    }
    head.pages[0].count = 2; /* more than three blocks want */
    sl_log_sealed_head_write(&head, block);
    CHECK_U64(sl_log_sealed_head_read(block, "x", &got, &error), SL_CORRUPT);
    head.pages[0].count = 1;
    head.pages[4].first = 19; /* over the end */
    sl_log_sealed_head_write(&head, block);
    CHECK_U64(sl_log_sealed_head_read(block, "x", &got, &error), SL_CORRUPT);
}

static void blocks_are_unpacked_as_they_were(void)
{
    static uint8_t frames[40000], block[40000 + SL_LOG_SEALED_BLOCK_HEAD], back[40000];
    static const struct {
        const char *name;
        bool random;
        enum sl_log_codec codec;
    } table[] = {{"text", false, SL_LOG_ZSTD}, {"noise", true, SL_LOG_STORED}};
    struct sl_log_packer *packer = sl_log_packer_new();

    REQUIRE(packer);
    for (size_t i = 0; i < 2; i++) {
        struct sl_log_block_head head = {.first_position = 5, .event_count = 2}, got;
        uint64_t noise = 1;
        for (size_t j = 0; j < sizeof frames; j++) {
            noise = noise * 6364136223846793005u + 1442695040888963407u;
            frames[j] = table[i].random ? (uint8_t)(noise >> 56) : (uint8_t)(j % 50);
        }
        sl_log_block_pack(packer, (struct sl_slice){frames, sizeof frames}, &head, block);
        sl_log_block_seal(&head, SALT, block);
        CHECK_U64(head.codec, table[i].codec);
        REQUIRE(sl_log_block_peek(block, &got));
        CHECK(got.checksum == head.checksum && got.codec == head.codec);
        CHECK(got.stored_bytes == head.stored_bytes && got.frame_bytes == sizeof frames);
        CHECK(got.first_position == 5 && got.event_count == 2 && got.outcome_count == 0);
        CHECK(sl_log_block_is_whole(&got, SALT, block));
        CHECK(!sl_log_block_is_whole(&got, SALT + 1, block)); /* of an earlier use of the file */
        CHECK(sl_log_block_unpack(&got, block, back));
        CHECK(memcmp(back, frames, sizeof frames) == 0);
        block[SL_LOG_SEALED_BLOCK_HEAD + head.stored_bytes - 1] ^= 1;
        CHECK(!sl_log_block_is_whole(&got, SALT, block));
        block[0] ^= 1;
        block[20] ^= 1; /* bytes of frames: what unpacks to another length is damage */
        CHECK(!sl_log_block_peek(block, &got) || !sl_log_block_unpack(&got, block, back));
    }
    sl_log_packer_free(packer);
}

static void a_batch_mark_gives_the_head_again(void)
{
    struct sl_log_batch_head head = {.checksum = 1234567890123, .number = 500,
                                     .first_position = 9000, .payload_bytes = 30000,
                                     .frame_count = 40, .event_count = 30, .outcome_count = 9,
                                     .epoch = 3, .durable_batches = 498, .durable_through = 8000,
                                     .time = {-5}, .block_count = 8, .salt = SALT, .previous = 6};
    uint8_t bytes[SL_LOG_BATCH_FRAME_MAX];
    struct sl_log_batch_head got = {.number = 500, .first_position = 9000, .salt = SALT,
                                    .previous = 6};
    struct sl_log_frame frame;

    const size_t len = sl_log_batch_frame_write(bytes, &head);
    struct sl_cursor cursor = sl_cursor_of((struct sl_slice){bytes, len});
    CHECK(sl_log_frame_next_any(&cursor, &frame) == SL_OK && frame.kind == SL_LOG_BATCH);
    CHECK(sl_log_batch_frame_read(frame.payload, &got));
    CHECK(memcmp(&got, &head, sizeof got) == 0);
    /* Readers of events pass over it. */
    cursor = sl_cursor_of((struct sl_slice){bytes, len});
    CHECK_U64(sl_log_frame_next(&cursor, &frame), SL_NOT_FOUND);
    frame.payload.len--;
    CHECK(!sl_log_batch_frame_read(frame.payload, &got));
}

/* ---- Pages ----------------------------------------------------------------------------------- */

enum {
    FIRST = 1000000, /* position */
    EVENTS = 30000,
    RARE = 9973, /* hashes that have few positions each */
};

static uint64_t rare_hash(uint64_t position)
{
    return sl_hash64(&(uint64_t){position % RARE}, 8, 1);
}

static uint64_t common_hash(void)
{
    return sl_hash64("common", 6, 2);
}

/* All pages of a footer, as they lie in a file. */
static uint8_t *make_pages(struct sl_log_sealed_head *head, size_t *count)
{
    struct sl_log_footer footer = {0};
    uint8_t *pages = malloc((size_t)400 * SL_LOG_PAGE);
    enum sl_err err = SL_OK;

    SL_ASSERT(pages);
    for (uint64_t p = FIRST; p < FIRST + EVENTS; p++) {
        SL_ASSERT(sl_log_footer_pair(&footer, rare_hash(p), p));
        SL_ASSERT(sl_log_footer_pair(&footer, common_hash(), p));
        if (p % 7 == 0) /* a tag twice */
            SL_ASSERT(sl_log_footer_pair(&footer, common_hash(), p));
    }
    for (uint32_t i = 0; i < 200; i++)
        SL_ASSERT(sl_log_footer_place(&footer, &(struct sl_log_place){.offset = i}));
    for (int i = 0; i < 1000; i++)
        SL_BUF_LITERAL(&footer.catalog, "catalog!");
    SL_ASSERT(sl_log_footer_finish(&footer, 0));
    CHECK_U64(footer.pair_count, 2 * EVENTS);
    for (*count = 0; err == SL_OK; *count += err == SL_OK) {
        SL_ASSERT(*count < 400);
        err = sl_log_footer_page(&footer, head, pages + *count * SL_LOG_PAGE);
    }
    CHECK_U64(err, SL_NOT_FOUND);
    sl_log_footer_close(&footer);
    return pages;
}

/* From every hash on, and from one beside it, the page goes on as if it had been read up to it. */
static void seeks(const uint8_t *page, uint32_t count)
{
    struct sl_log_pair pair, found;
    struct sl_log_run all, run;
    uint64_t last = UINT64_MAX;

    sl_log_run_begin(&all, page, count, FIRST);
    while (sl_log_run_next(&all, &pair)) {
        if (pair.hash == last)
            continue;
        for (uint64_t below = 0; below < 2; below++) {
            sl_log_run_begin(&run, page, count, FIRST);
            sl_log_run_seek(&run, pair.hash - below);
            /* The one below is that of the group before, or of none. */
            if (below == 1 && pair.hash - 1 == last)
                continue;
            if (!CHECK(sl_log_run_next(&run, &found)) || !CHECK_U64(found.hash, pair.hash) ||
                !CHECK_U64(found.position, pair.position))
                return;
        }
        last = pair.hash;
    }
    sl_log_run_begin(&run, page, count, FIRST);
    sl_log_run_seek(&run, pair.hash + 1);
    CHECK(!sl_log_run_next(&run, &found) && !run.cursor.failed);
    /* A page that ends early makes no sense. */
    sl_log_run_begin(&run, page, count, FIRST);
    run.cursor.end = run.cursor.next + 1;
    sl_log_run_seek(&run, pair.hash + 1);
    CHECK(run.cursor.failed && !sl_log_run_next(&run, &found));
}

static void a_footer_holds_every_pair_in_order(void)
{
    struct sl_log_sealed_head head = {.segment = {.salt = SALT, .first_position = FIRST}};
    struct sl_log_pair pair, before = {0, 0}, guide;
    uint32_t seen = 0, common = 0, count;
    size_t page_count;
    uint8_t *pages = make_pages(&head, &page_count);

    const struct sl_log_pages *keys = sl_log_sealed_pages(&head, SL_LOG_PAGES_KEYS);
    const struct sl_log_pages *guides = sl_log_sealed_pages(&head, SL_LOG_PAGES_GUIDES);
    CHECK(keys->count > 20);
    for (uint32_t i = 0; i < keys->count; i++) {
        const uint8_t *page = pages + (size_t)(keys->first + i) * SL_LOG_PAGE;
        struct sl_log_run run;
        CHECK(sl_log_page_check(page, SALT, keys->first + i, SL_LOG_PAGES_KEYS, &count));
        CHECK(!sl_log_page_check(page, SALT, keys->first + i + 1, SL_LOG_PAGES_KEYS, &count));
        sl_log_run_begin(&run, page, count, FIRST);
        sl_log_guide_read(pages + (size_t)(guides->first + i / SL_LOG_GUIDES_A_PAGE) * SL_LOG_PAGE +
                              SL_LOG_PAGE_HEAD + i % SL_LOG_GUIDES_A_PAGE * SL_LOG_GUIDE_BYTES,
                          &guide);
        for (uint32_t first = seen; sl_log_run_next(&run, &pair); seen++) {
            CHECK(seen > first || (guide.hash == pair.hash && guide.position == pair.position));
            CHECK(seen == 0 || pair.hash > before.hash ||
                  (pair.hash == before.hash && pair.position > before.position));
            if (pair.hash == sl_log_short_hash(common_hash()))
                CHECK_U64(pair.position, FIRST + common++);
            else
                CHECK_U64(pair.hash, sl_log_short_hash(rare_hash(pair.position)));
            before = pair;
        }
        CHECK(!run.cursor.failed);
        seeks(page, count);
    }
    CHECK_U64(seen, 2 * EVENTS);
    CHECK_U64(common, EVENTS);
    CHECK_U64(sl_log_sealed_pages(&head, SL_LOG_PAGES_PLACES)->count, 3);
    CHECK_U64(sl_log_sealed_pages(&head, SL_LOG_PAGES_CATALOG)->count, 2);
    free(pages);
}

/* No key is ever missed (a segment would be skipped that has it), and few others pass. */
static void the_filter_misses_no_key(void)
{
    struct sl_log_sealed_head head = {.segment = {.salt = SALT, .first_position = FIRST}};
    size_t page_count, false_alarms = 0;
    uint8_t *pages = make_pages(&head, &page_count);
    const struct sl_log_pages *filter = sl_log_sealed_pages(&head, SL_LOG_PAGES_FILTER);

    CHECK_U64(filter->count, RARE / SL_LOG_FILTER_KEYS_A_PAGE + 1);
    for (uint64_t i = 0; i < 2 * RARE; i++) {
        const uint64_t hash =
            i < RARE ? rare_hash(i) : i == RARE ? common_hash() : sl_hash64(&i, 8, 77);
        const uint32_t page = filter->first + sl_log_filter_page(hash, filter->count);
        const bool has = sl_log_filter_has(pages + (size_t)page * SL_LOG_PAGE, hash);
        if (i <= RARE)
            CHECK(has);
        else
            false_alarms += has;
    }
    tap_note("%zu of %d strangers pass", false_alarms, RARE - 1);
    CHECK(false_alarms < RARE / 50);
    free(pages);
}

int main(void)
{
    return TAP_RUN(
        {"a header is read as it was written", a_header_is_read_as_it_was_written},
        {"blocks are unpacked as they were", blocks_are_unpacked_as_they_were},
        {"a batch mark gives the head again", a_batch_mark_gives_the_head_again},
        {"a footer holds every pair in order", a_footer_holds_every_pair_in_order},
        {"the filter misses no key", the_filter_misses_no_key});
}
