/* The bytes of stones, and of the marks and headers of segments that have them. */
#include "stores/log/stone.h"

#include "base/hash.h"
#include "stores/log/sealed.h"
#include "tap/tap.h"

#include <string.h>

static const struct sl_schema schema = {.id = 300, .version = 1, .name = {"Moved", 5}};

static size_t event_frame(uint8_t *bytes, size_t body_len, struct sl_log_frame *out)
{
    static const struct sl_text tags[] = {{"desk:7", 6}, {"day:0", 5}};
    static uint8_t body[5000];
    const struct sl_stored_event event = {.revision = 12, .time = {-3}, .command = {{1, 2, 3}},
                                          .schema = &schema, .stream = {"desk/7", 6},
                                          .tags = tags, .tag_count = 2,
                                          .body = {body, body_len}};

    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 7);
    const size_t len = (size_t)(sl_log_event_write(bytes, &event) - bytes);
    struct sl_cursor cursor = sl_cursor_of((struct sl_slice){bytes, len});
    CHECK(sl_log_frame_next(&cursor, out) == SL_OK && out->kind == SL_LOG_EVENT);
    return len;
}

static void a_stone_keeps_all_but_the_body(void)
{
    static const size_t lens[] = {0, 1, 16, 200, 5000};
    uint8_t bytes[6000], stone[6000];

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct sl_log_frame frame, left;
        struct sl_log_event was, is;
        struct sl_log_stone found;
        (void)event_frame(bytes, lens[i], &frame);
        CHECK(sl_log_event_read(frame.payload, &was));
        const size_t len = sl_log_stone_write(stone, frame.payload, &was);
        CHECK(len <= frame.payload.len - lens[i] + SL_LOG_STONE_ROOM);
        struct sl_cursor cursor = sl_cursor_of((struct sl_slice){stone, len});
        CHECK(sl_log_frame_next(&cursor, &left) == SL_OK && left.kind == SL_LOG_STONE);
        CHECK(sl_cursor_left(&cursor) == 0);
        if (!CHECK(sl_log_stone_read(left.payload, &is, &found)))
            continue;
        const struct sl_uuid hash = sl_hash128(&was.body, 1, 0);
        CHECK(found.bytes == lens[i] && sl_uuid_equals(found.hash, hash));
        CHECK(is.schema == 300 && is.revision == 12 && is.time.ns == -3);
        CHECK(sl_uuid_equals(is.command, was.command) && sl_text_equals(is.stream, was.stream));
        CHECK(is.tag_count == 2 && is.body.len == 0);
        (void)sl_log_tag_next(&is.tags);
        CHECK(sl_text_equals(sl_log_tag_next(&is.tags), SL_TEXT("day:0")));
    }
}

static void what_is_no_stone_is_not_read_as_one(void)
{
    uint8_t bytes[6000], stone[6000];
    struct sl_log_frame frame;
    struct sl_log_event event;

    (void)event_frame(bytes, 200, &frame);
    CHECK(sl_log_event_read(frame.payload, &event));
    CHECK(!sl_log_stone_read(frame.payload, &event, NULL)); /* a body where the hash should be */
    CHECK(sl_log_event_read(frame.payload, &event));
    const size_t len = sl_log_stone_write(stone, frame.payload, &event);
    struct sl_cursor cursor = sl_cursor_of((struct sl_slice){stone, len});
    CHECK(sl_log_frame_next(&cursor, &frame) == SL_OK);
    for (; frame.payload.len > 0; frame.payload.len--) {
        struct sl_slice shorter = {frame.payload.ptr, frame.payload.len - 1};
        CHECK(!sl_log_stone_read(shorter, &event, NULL));
    }
}

static void a_mark_has_both_checksums(void)
{
    const struct sl_log_batch_head head = {
        .checksum = 0x1234567890abcdef, .kept = 0xfedcba0987654321, .flags = SL_LOG_SCAVENGED,
        .number = UINT64_MAX, .first_position = UINT64_MAX, .payload_bytes = (31u << 20),
        .frame_count = UINT32_MAX, .event_count = UINT32_MAX, .outcome_count = UINT32_MAX,
        .epoch = UINT64_MAX, .block_count = ((31u << 20) + SL_LOG_BATCH_HEAD) / SL_LOG_BLOCK + 1,
    };
    struct sl_log_batch_head got = {.number = UINT64_MAX, .first_position = UINT64_MAX};
    uint8_t bytes[SL_LOG_BATCH_FRAME_MAX]; /* every number as long as it can be */
    struct sl_log_frame frame;

    const size_t len = sl_log_batch_frame_write(bytes, &head);
    struct sl_cursor cursor = sl_cursor_of((struct sl_slice){bytes, len});
    CHECK(sl_log_frame_next_any(&cursor, &frame) == SL_OK && frame.kind == SL_LOG_BATCH);
    CHECK(sl_log_batch_frame_read(frame.payload, &got));
    CHECK(memcmp(&got, &head, sizeof got) == 0);
    frame.payload.len--;
    CHECK(!sl_log_batch_frame_read(frame.payload, &got));
}

static void a_header_says_that_there_are_stones(void)
{
    struct sl_log_sealed_head head = {.segment = {.bytes = 2 * SL_LOG_PAGE},
                                      .data_end = SL_LOG_PAGE, .stones = 5,
                                      .pages = {{1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}}};
    uint8_t block[SL_LOG_BLOCK];
    struct sl_log_sealed_head got;
    struct sl_error error = {0};

    sl_log_sealed_head_write(&head, block);
    CHECK_U64(sl_le32(block + 108), SL_LOG_SCAVENGED);
    CHECK(sl_log_sealed_head_read(block, "x", &got, &error) == SL_OK && got.stones == 5);
    sl_put_le32(block + 108, 0);
    sl_log_segment_head_seal(block);
    CHECK_U64(sl_log_sealed_head_read(block, "x", &got, &error), SL_CORRUPT);
    sl_put_le32(block + 108, 2);
    sl_log_segment_head_seal(block);
    CHECK_U64(sl_log_sealed_head_read(block, "x", &got, &error), SL_UNSUPPORTED);
}

int main(void)
{
    return TAP_RUN(
        {"a stone keeps all but the body", a_stone_keeps_all_but_the_body},
        {"what is no stone is not read as one", what_is_no_stone_is_not_read_as_one},
        {"a mark has both checksums", a_mark_has_both_checksums},
        {"a header says that there are stones", a_header_says_that_there_are_stones});
}
