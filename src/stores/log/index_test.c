#include "stores/log/index.h"

#include "tap/tap.h"

static const struct sl_slice frame = {(const uint8_t *)"frame", 5};
static const struct sl_text tags[] = {{"a:1", 3}, {"b:2", 3}, {"a:1", 3}};

/* One batch of events, each in the stream "s" and with so many of the tags. */
static enum sl_err add_batch(struct sl_log_index *index, const uint32_t *tag_counts, uint32_t count,
                             uint32_t outcomes)
{
    const struct sl_log_entry entry = {.first_position = index->next_position,
                                       .first_outcome = index->next_outcome,
                                       .event_count = count,
                                       .outcome_count = outcomes};
    struct sl_log_keys keys = {0};

    for (uint32_t i = 0; i < count; i++)
        CHECK(sl_log_keys_add(&keys, i, frame, SL_TEXT("s"), tags, tag_counts[i]));
    const enum sl_err err = sl_log_index_add(index, &entry, keys.items, keys.count);
    sl_log_keys_close(&keys);
    return err;
}

static void positions_lead_to_batches(void)
{
    static const uint32_t none[3] = {0};
    struct sl_log_index index;

    sl_log_index_init(&index);
    CHECK_U64(sl_log_index_at_position(&index, 0), 0);
    CHECK(add_batch(&index, none, 3, 0) == SL_OK); /* 0: 0 to 2 */
    CHECK(add_batch(&index, none, 0, 2) == SL_OK); /* 1: outcomes 0 and 1 */
    CHECK(add_batch(&index, none, 0, 0) == SL_OK); /* 2: neither, as a claim's */
    CHECK(add_batch(&index, none, 1, 1) == SL_OK); /* 3: 3, and outcome 2 */
    CHECK_U64(sl_log_index_at_position(&index, 0), 0);
    CHECK_U64(sl_log_index_at_position(&index, 2), 0);
    CHECK_U64(sl_log_index_at_position(&index, 3), 3);
    CHECK_U64(sl_log_index_at_position(&index, 4), 4);
    CHECK_U64(sl_log_index_at_outcome(&index, 0), 1);
    CHECK_U64(sl_log_index_at_outcome(&index, 1), 1);
    CHECK_U64(sl_log_index_at_outcome(&index, 2), 3);
    CHECK_U64(sl_log_index_at_outcome(&index, 3), 4);
    CHECK_U64(index.next_position, 4);
    CHECK_U64(index.next_outcome, 3);
    sl_log_index_close(&index);
}

static void keys_lead_to_positions(void)
{
    static const uint32_t tag_counts[4] = {0, 1, 3, 2};
    struct sl_log_index index;

    sl_log_index_init(&index);
    for (int i = 0; i < 1000; i++)
        CHECK(add_batch(&index, tag_counts, 4, 0) == SL_OK);
    const struct sl_log_positions stream =
        sl_log_index_find(&index, sl_log_stream_hash(SL_TEXT("s")));
    const struct sl_log_positions a = sl_log_index_find(&index, sl_log_tag_hash(SL_TEXT("a:1")));
    const struct sl_log_positions b = sl_log_index_find(&index, sl_log_tag_hash(SL_TEXT("b:2")));
    CHECK_U64(stream.count, 4000);
    CHECK_U64(a.count, 3000); /* twice on an event counts once */
    CHECK_U64(b.count, 2000);
    for (size_t i = 0; i < b.count; i++)
        CHECK_U64(b.items[i], i / 2 * 4 + 2 + i % 2);
    CHECK_U64(sl_log_index_find(&index, sl_log_stream_hash(SL_TEXT("a:1"))).count, 0);
    CHECK_U64(sl_log_index_find(&index, sl_log_tag_hash(SL_TEXT("c:3"))).count, 0);
    sl_log_index_close(&index);
}

static void many_keys_find_their_own(void)
{
    struct sl_log_index index;

    sl_log_index_init(&index);
    for (unsigned i = 0; i < 20000; i++) {
        const struct sl_log_entry entry = {.first_position = i, .event_count = 1};
        const uint64_t keys[] = {1, i % 5000 * UINT64_C(0x9E3779B97F4A7C15)};
        CHECK(sl_log_index_add(&index, &entry, keys, 2) == SL_OK);
    }
    for (unsigned i = 0; i < 5000; i++) {
        const struct sl_log_positions found =
            sl_log_index_find(&index, i * UINT64_C(0x9E3779B97F4A7C15));
        if (CHECK_U64(found.count, 4))
            CHECK(found.items[0] == i && found.items[3] == i + 15000);
    }
    sl_log_index_close(&index);
}

static void a_mark_finds_and_knows_its_frame(void)
{
    static const struct sl_slice other = {(const uint8_t *)"frane", 5};
    static const uint32_t offsets[] = {0, 104, (32u << 20) - 1};

    for (size_t i = 0; i < 3; i++) {
        const uint64_t mark = sl_log_mark(offsets[i], frame, 17);
        CHECK_U64(sl_log_mark_offset(mark), offsets[i]);
        CHECK_U64(sl_log_mark_keys(mark), 17);
        CHECK(sl_log_mark_fits(mark, frame));
        CHECK(!sl_log_mark_fits(mark, other));
    }
}

int main(void)
{
    return TAP_RUN({"positions lead to batches", positions_lead_to_batches},
                   {"keys lead to positions", keys_lead_to_positions},
                   {"a mark finds and knows its frame", a_mark_finds_and_knows_its_frame},
                   {"many keys find their own", many_keys_find_their_own});
}
