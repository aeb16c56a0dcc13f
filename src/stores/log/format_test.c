#include "stores/log/format.h"

#include "base/hash.h"
#include "stores/log/batch.h"
#include "tap/tap.h"

#include <stdlib.h>
#include <string.h>

/* ---- A batch to look at ---------------------------------------------------------------------- */

static const uint64_t salt = UINT64_C(0x1122334455667788);

static const struct sl_schema schema = {.id = 300, .version = 2, .name = {"Paid", 4},
                                        .description = {"{\"f\":1}", 7}};

struct sample {
    struct sl_log_catalog catalog;
    struct sl_log_batch batch;
    struct sl_log_batch_head head;
    size_t bytes;
};

static const struct sl_text tags[] = {{"account:7", 9}, {"", 0}, {"day:monday", 10}};
static const uint8_t body[5000] = {1, 2, 3};

static void make_sample(struct sample *sample, size_t body_len)
{
    static const struct sl_schema *const schemas[] = {&schema};
    const struct sl_stored_event events[] = {
        {.position = 40, .revision = UINT64_MAX, .time = {-5}, .command = {{9, 8, 7}},
         .schema = &schema, .stream = SL_TEXT("account/7"), .tags = tags, .tag_count = 3,
         .body = {body, body_len}},
        {.position = 41, .time = {INT64_MAX}, .schema = &schema, .stream = SL_TEXT("x")},
    };
    const struct sl_stored_outcome outcome = {.id = {{1}}, .digest = {{2}}, .time = {77},
                                              .status = 422, .event_count = 2, .position = 40,
                                              .reply = {body, 3}};
    const struct sl_append append = {.position = 40, .events = events, .event_count = 2,
                                     .outcomes = &outcome, .outcome_count = 1,
                                     .schemas = schemas, .schema_count = 1};
    const struct sl_epoch epoch = {.number = 6, .salt = UINT64_MAX, .first_position = 40};
    struct sl_error error = {0};

    *sample = (struct sample){0};
    sl_log_batch_reset(&sample->batch);
    CHECK(sl_log_batch_add(&sample->batch, &sample->catalog, &append, &error) == SL_OK);
    CHECK(sl_log_batch_add_epoch(&sample->batch, &epoch, &error) == SL_OK);
    sample->head = (struct sl_log_batch_head){.salt = salt, .number = 12, .first_position = 40,
                                              .epoch = 6, .previous = 99, .durable_batches = 11,
                                              .durable_through = 38, .time = {123456}};
    sl_log_batch_pad(&sample->batch, &sample->head);
    sl_log_batch_seal(&sample->head, sample->batch.bytes);
    sample->bytes = (size_t)sample->head.block_count * SL_LOG_BLOCK;
}

static void close_sample(struct sample *sample)
{
    sl_log_batch_close(&sample->batch);
    sl_log_catalog_close(&sample->catalog);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void a_segment_header_comes_back(void)
{
    const struct sl_log_segment_head head = {.log = {{1, 2, 3}}, .number = 7, .salt = 8,
                                             .bytes = 65536, .first_position = 10,
                                             .first_batch = 11, .previous = 12, .time = {13}};
    struct sl_log_segment_head got;
    struct sl_error error = {0};
    uint8_t block[SL_LOG_BLOCK];

    sl_log_segment_head_write(&head, block);
    REQUIRE(sl_log_segment_head_read(block, "a.seg", &got, &error) == SL_OK);
    CHECK(memcmp(&got, &head, sizeof head) == 0);
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] ^= 0x10;
        error = (struct sl_error){0};
        if (!CHECK(sl_log_segment_head_read(block, "a.seg", &got, &error) == SL_CORRUPT))
            tap_note("byte %zu", i);
        block[i] ^= 0x10;
    }
    CHECK(strstr(error.message, "a.seg") != NULL);
}

static void a_newer_segment_is_refused_by_name(void)
{
    const struct sl_log_segment_head head = {.number = 7, .bytes = 65536};
    struct sl_log_segment_head got;
    struct sl_error error = {0};
    uint8_t block[SL_LOG_BLOCK];

    sl_log_segment_head_write(&head, block);
    sl_put_le32(block + 16, SL_LOG_VERSION + 1);
    CHECK_U64(sl_log_segment_head_read(block, "a.seg", &got, &error), SL_CORRUPT);
    /* As a newer program would: the checksum keeps its place and meaning. */
    sl_put_le64(block + 24, 0);
    sl_put_le64(block + 24, sl_hash64(block, sizeof block, 0));
    CHECK_U64(sl_log_segment_head_read(block, "a.seg", &got, &error), SL_UNSUPPORTED);
    CHECK(strstr(error.message, "a.seg") && strstr(error.message, "format 2"));
}

static void a_batch_comes_back(void)
{
    struct sample sample;
    struct sl_log_batch_head head;
    struct sl_log_frame frame;
    struct sl_log_event event;
    struct sl_stored_outcome outcome;
    struct sl_schema read_schema;
    struct sl_epoch epoch;

    make_sample(&sample, 100);
    CHECK_U64(sample.bytes, SL_LOG_BLOCK);
    REQUIRE(sl_log_batch_peek(sample.batch.bytes, salt, &head));
    CHECK(memcmp(&head, &sample.head, sizeof head) == 0);
    CHECK(sl_log_batch_is_whole(&head, sample.batch.bytes));
    CHECK(!sl_log_batch_peek(sample.batch.bytes, salt + 1, &head));
    CHECK(sl_log_batch_is_stale(sample.batch.bytes, salt + 1));
    CHECK(!sl_log_batch_is_stale(sample.batch.bytes, salt));

    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(sample.batch.bytes));
    REQUIRE(sl_log_frame_next(&cursor, &frame) == SL_OK && frame.kind == SL_LOG_SCHEMA);
    CHECK(sl_log_schema_read(frame.payload, &read_schema));
    CHECK(read_schema.id == 300 && read_schema.version == 2);
    CHECK_TEXT(read_schema.name, "Paid");
    CHECK_TEXT(read_schema.description, "{\"f\":1}");
    REQUIRE(sl_log_frame_next(&cursor, &frame) == SL_OK && frame.kind == SL_LOG_EVENT);
    REQUIRE(sl_log_event_read(frame.payload, &event));
    CHECK(event.schema == 300 && event.revision == UINT64_MAX && event.time.ns == -5);
    CHECK(event.command.bytes[0] == 9 && event.tag_count == 3 && event.body.len == 100);
    CHECK_TEXT(event.stream, "account/7");
    for (int i = 0; i < 3; i++) {
        const struct sl_text tag = sl_log_tag_next(&event.tags);
        CHECK(sl_text_equals(tag, tags[i]));
    }
    REQUIRE(sl_log_frame_next(&cursor, &frame) == SL_OK && frame.kind == SL_LOG_EVENT);
    REQUIRE(sl_log_event_read(frame.payload, &event));
    CHECK(event.tag_count == 0 && event.body.len == 0 && event.time.ns == INT64_MAX);
    REQUIRE(sl_log_frame_next(&cursor, &frame) == SL_OK && frame.kind == SL_LOG_OUTCOME);
    REQUIRE(sl_log_outcome_read(frame.payload, &outcome));
    CHECK(outcome.id.bytes[0] == 1 && outcome.digest.bytes[0] == 2 && outcome.time.ns == 77);
    CHECK(outcome.status == 422 && outcome.event_count == 2 && outcome.position == 40);
    CHECK_U64(outcome.reply.len, 3);
    REQUIRE(sl_log_frame_next(&cursor, &frame) == SL_OK && frame.kind == SL_LOG_EPOCH);
    REQUIRE(sl_log_epoch_read(frame.payload, &epoch));
    CHECK(epoch.number == 6 && epoch.salt == UINT64_MAX && epoch.first_position == 40);
    CHECK(sl_log_frame_next(&cursor, &frame) == SL_NOT_FOUND);
    close_sample(&sample);
}

static void every_changed_byte_is_noticed(void)
{
    static const size_t body_lens[] = {0, 100, 5000};

    for (size_t n = 0; n < 3; n++) {
        struct sample sample;
        struct sl_log_batch_head head;

        make_sample(&sample, body_lens[n]);
        for (size_t i = 0; i < sample.bytes; i++) {
            uint8_t *byte = &sample.batch.bytes[i];
            *byte ^= (uint8_t)(1u << i % 8);
            /* A changed size may point past the batch: the reader has only what the file has. */
            const bool good = sl_log_batch_peek(sample.batch.bytes, salt, &head) &&
                              (size_t)head.block_count * SL_LOG_BLOCK <= sample.bytes &&
                              sl_log_batch_is_whole(&head, sample.batch.bytes);
            if (!CHECK(!good))
                tap_note("byte %zu", i);
            *byte ^= (uint8_t)(1u << i % 8);
        }
        close_sample(&sample);
    }
}

/* Frames behind a right checksum are believed by nobody either: whatever bytes they are, reading
 * them stays within them and ends. */
static void mutated_frames_are_read_without_harm(void)
{
    struct sample sample;
    uint64_t state = 7;
    unsigned refused = 0;

    make_sample(&sample, 50);
    const struct sl_slice frames = sl_log_batch_frames(sample.batch.bytes);
    for (int round = 0; round < 20000; round++) {
        /* Exactly so many, so that a sanitizer sees the first byte too far. */
        uint8_t *copy = malloc(frames.len);
        REQUIRE(copy);
        memcpy(copy, frames.ptr, frames.len);
        for (int flips = 0; flips < 1 + round % 4; flips++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
            copy[(state >> 33) % frames.len] ^= (uint8_t)(state >> 20);
        }
        struct sl_cursor cursor = sl_cursor_of((struct sl_slice){copy, frames.len});
        struct sl_log_frame frame;
        enum sl_err err;
        while ((err = sl_log_frame_next(&cursor, &frame)) == SL_OK) {
            struct sl_log_event event;
            struct sl_stored_outcome outcome;
            struct sl_schema read_schema;
            struct sl_epoch epoch;
            if (sl_log_event_read(frame.payload, &event))
                for (uint32_t i = 0; i < event.tag_count; i++)
                    CHECK(sl_log_tag_next(&event.tags).len <= frame.payload.len);
            else
                refused++;
            refused += !sl_log_outcome_read(frame.payload, &outcome);
            refused += !sl_log_schema_read(frame.payload, &read_schema);
            refused += !sl_log_epoch_read(frame.payload, &epoch);
        }
        refused += err != SL_NOT_FOUND;
        free(copy);
    }
    CHECK(refused > 1000);
    close_sample(&sample);
}

static void unknown_frames_are_refused_or_skipped(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum sl_err err;
    } rows[] = {
        {"", 0, SL_NOT_FOUND},
        {"\x04\x00\x01z", 4, SL_OK},
        {"\x05\x00\x01z", 4, SL_UNSUPPORTED},     /* ENCRYPTED, reserved */
        {"\x63\x00\x01z", 4, SL_UNSUPPORTED},
        {"\x63\x01\x01z", 4, SL_NOT_FOUND},       /* may be skipped */
        {"\x63\x01\x01z\x04\x00\x00", 7, SL_OK},
        {"\x00\x00\x00", 3, SL_UNSUPPORTED},
        {"\x04\x00\x02z", 4, SL_CORRUPT},
        {"\x04\x00", 2, SL_CORRUPT},
        {"\x04", 1, SL_CORRUPT},
        {"\x04\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, SL_CORRUPT},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sl_cursor cursor =
            sl_cursor_of((struct sl_slice){(const uint8_t *)rows[i].bytes, rows[i].len});
        struct sl_log_frame frame;
        if (!CHECK_U64(sl_log_frame_next(&cursor, &frame), rows[i].err))
            tap_note("row %zu", i);
    }
}

static void a_batch_takes_an_append_whole_or_not(void)
{
    static const struct sl_schema stranger = {.id = 5, .name = {"Stranger", 8}};
    const struct sl_stored_event events[] = {
        {.position = 42, .schema = &schema, .stream = SL_TEXT("x")},
        {.position = 43, .schema = &stranger, .stream = SL_TEXT("x")},
    };
    const struct sl_append append = {.position = 42, .events = events, .event_count = 2};
    struct sl_error error = {0};
    struct sample sample;

    make_sample(&sample, 10);
    const struct sl_log_batch before = sample.batch;
    CHECK_U64(sl_log_batch_add(&sample.batch, &sample.catalog, &append, &error), SL_INVALID);
    CHECK_U64(sample.batch.len, before.len);
    CHECK_U64(sample.batch.keys.count, before.keys.count);
    CHECK_U64(sample.batch.frame_count, before.frame_count);
    CHECK_U64(sample.batch.event_count, before.event_count);
    close_sample(&sample);
}

int main(void)
{
    return TAP_RUN({"a segment header comes back", a_segment_header_comes_back},
                   {"a newer segment is refused by name", a_newer_segment_is_refused_by_name},
                   {"a batch comes back", a_batch_comes_back},
                   {"every changed byte is noticed", every_changed_byte_is_noticed},
                   {"mutated frames are read without harm", mutated_frames_are_read_without_harm},
                   {"unknown frames are refused or skipped", unknown_frames_are_refused_or_skipped},
                   {"a batch takes an append whole or not", a_batch_takes_an_append_whole_or_not});
}
