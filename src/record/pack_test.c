#include "record/pack.h"

#include <stdlib.h>
#include <string.h>

#include "record/specimen.h"
#include "tap/tap.h"

struct small {
    int32_t number;
    bool has_name;
    struct sl_text name;
    char code[4];
    struct sl_list counts;
    struct sl_time at;
    struct sl_money price;
    struct sl_decimal rate;
    sl_u128 wide;
};

static const struct sl_record small_record = SL_RECORD(struct small,
    SL_FIELD(struct small, number),
    SL_FIELD(struct small, name, SL_HAS(struct small, has_name)),
    SL_FIELD(struct small, code),
    SL_FIELD(struct small, counts, .item = SL_U16),
    SL_FIELD(struct small, at),
    SL_FIELD(struct small, price),
    SL_FIELD(struct small, rate),
    SL_FIELD(struct small, wide));

/* The format is on disks: these bytes never change. */
static void bytes_are_as_documented(void)
{
    uint16_t counts[] = {1, 300};
    const struct small item = {
        .number = -2,
        .has_name = true,
        .name = {"Ada", 3},
        .code = "x",
        .counts = {counts, 2},
        .at = {258},
        .price = {150, "EUR"},
        .rate = {-1, 2},
        .wide = (sl_u128)1 << 127,
    };
    static const uint8_t want[] = {
        3,                                           /* zigzag of -2 */
        1,    3,    'A',  'd',  'a',                 /* there, three bytes */
        1,    'x',                                   /* one byte */
        2,    1,    0xac, 2,                         /* two items: 1, 300 */
        2,    1,    0,    0,    0,    0,    0,    0, /* 258 */
        0xac, 2,    'E',  'U',  'R',                 /* zigzag of 150 is 300 */
        1,    2,                                     /* zigzag of -1, scale 2 */
        0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
        0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2, /* bit 127 = 126 + 1 */
    };
    struct sl_buf buf = {0};

    sl_pack(&buf, &small_record, &item);
    CHECK_U64(buf.len, sizeof want);
    CHECK(buf.len == sizeof want && memcmp(buf.ptr, want, sizeof want) == 0);
    sl_buf_reset(&buf);
    sl_pack(&buf, &small_record, &(struct small){.number = 1});
    CHECK_U64(buf.len, 1 + 1 + 1 + 1 + 8 + 4 + 2 + 1);
    sl_buf_close(&buf);
}

static void random_structs_come_back(void)
{
    struct sl_arena arena = {0};
    struct sl_buf buf = {0}, again = {0};
    uint64_t seed = 3;
    int failures = 0;

    for (int round = 0; round < 3000; round++) {
        struct specimen item, back = {0};
        struct sl_error error = {0};
        sl_arena_reset(&arena);
        sl_buf_reset(&buf);
        sl_buf_reset(&again);
        specimen_fill(&item, &seed, &arena);
        sl_pack(&buf, &specimen_record, &item);
        failures += buf.failed;
        failures += sl_unpack(&specimen_record, sl_buf_slice(&buf), &arena, &back, &error) != SL_OK;
        failures += !sl_record_equals(&specimen_record, &item, &back);
        sl_pack(&again, &specimen_record, &back);
        failures += !sl_text_equals(sl_buf_as_text(&buf), sl_buf_as_text(&again));
    }
    CHECK(failures == 0);
    sl_buf_close(&buf);
    sl_buf_close(&again);
    sl_arena_close(&arena);
}

/* Every beginning of a packed struct is refused, and so is every struct with something behind it.
 */
static void parts_are_refused(void)
{
    struct sl_arena arena = {0};
    struct sl_buf buf = {0};
    uint64_t seed = 5;
    struct specimen item;
    int taken = 0;

    specimen_fill(&item, &seed, &arena);
    sl_pack(&buf, &specimen_record, &item);
    for (size_t len = 0; len < buf.len; len++) {
        struct specimen back = {0};
        struct sl_error error = {0};
        taken += sl_unpack(&specimen_record, (struct sl_slice){buf.ptr, len}, &arena, &back,
                           &error) != SL_CORRUPT;
    }
    CHECK_U64(taken, 0);
    sl_buf_byte(&buf, 0);
    struct specimen back = {0};
    CHECK(sl_unpack(&specimen_record, sl_buf_slice(&buf), &arena, &back, NULL) == SL_CORRUPT);
    sl_buf_close(&buf);
    sl_arena_close(&arena);
}

/* Damage gives SL_CORRUPT or another struct, never a read outside: the sanitizers watch, for the
 * bytes lie in memory of exactly their size. What was accepted can be written again. */
static void damage_is_survived(void)
{
    struct sl_arena arena = {0};
    struct sl_buf buf = {0}, again = {0};
    uint64_t seed = 11;
    int refused = 0, accepted = 0, odd = 0;

    for (int round = 0; round < 20000; round++) {
        struct specimen item, back = {0};
        sl_arena_reset(&arena);
        sl_buf_reset(&buf);
        sl_buf_reset(&again);
        specimen_fill(&item, &seed, &arena);
        sl_pack(&buf, &specimen_record, &item);
        const size_t len = buf.len - specimen_random(&seed) % 3;
        uint8_t *bytes = malloc(len);
        memcpy(bytes, buf.ptr, len);
        for (uint64_t i = 0; i <= specimen_random(&seed) % 3; i++)
            bytes[specimen_random(&seed) % len] = (uint8_t)specimen_random(&seed);
        const enum sl_err err =
            sl_unpack(&specimen_record, (struct sl_slice){bytes, len}, &arena, &back, NULL);
        refused += err == SL_CORRUPT;
        accepted += err == SL_OK;
        odd += err != SL_OK && err != SL_CORRUPT;
        if (err == SL_OK) {
            sl_pack(&again, &specimen_record, &back);
            odd += again.failed || again.len > len;
        }
        free(bytes);
    }
    CHECK(refused > 1000 && accepted > 1000);
    CHECK_U64(odd, 0);
    sl_buf_close(&buf);
    sl_buf_close(&again);
    sl_arena_close(&arena);
}

struct flag {
    bool flag;
};
struct byte {
    uint8_t byte;
};
struct wide {
    sl_u128 wide;
};
struct chars {
    char code[4];
};
static const struct sl_record flag = SL_RECORD(struct flag, SL_FIELD(struct flag, flag));
static const struct sl_record byte = SL_RECORD(struct byte, SL_FIELD(struct byte, byte));
static const struct sl_record wide = SL_RECORD(struct wide, SL_FIELD(struct wide, wide));
static const struct sl_record chars = SL_RECORD(struct chars, SL_FIELD(struct chars, code));

static void refuses_what_no_writer_makes(void)
{
    static const struct {
        const struct sl_record *record;
        uint8_t bytes[24];
        size_t len;
        enum sl_err err;
    } cases[] = {
        {&flag, {1}, 1, SL_OK},
        {&flag, {2}, 1, SL_CORRUPT},
        {&byte, {0xff, 1}, 2, SL_OK},
        {&byte, {0x80, 2}, 2, SL_CORRUPT},
        {&byte, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}, 10, SL_CORRUPT},
        {&wide,
         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff, 0xff, 3},
         19,
         SL_OK},
        {&wide,
         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff, 0xff, 4},
         19,
         SL_CORRUPT},
        {&wide,
         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x83, 0},
         20,
         SL_CORRUPT},
        {&chars, {3, 'a', 'b', 'c'}, 4, SL_OK},
        {&chars, {4, 'a', 'b', 'c', 'd'}, 5, SL_CORRUPT}, /* no room for its zero */
        {&chars, {2, 'a', 0}, 3, SL_CORRUPT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        _Alignas(16) uint8_t out[32] = {0};
        struct sl_arena arena = {0};
        if (!CHECK(sl_unpack(cases[i].record, (struct sl_slice){cases[i].bytes, cases[i].len},
                             &arena, out, NULL) == cases[i].err))
            tap_note("case %zu", i);
        sl_arena_close(&arena);
    }
}

static void lists_stay_below_the_ceiling(void)
{
    struct sl_arena arena = {.bytes_max = 4096};
    struct sl_buf buf = {0};
    struct specimen item = {0}, back = {0};
    struct sl_list counts = {calloc(1000, sizeof(uint64_t)), 1000};

    item.counts = counts;
    sl_pack(&buf, &specimen_record, &item);
    CHECK(sl_unpack(&specimen_record, sl_buf_slice(&buf), &arena, &back, NULL) == SL_NO_MEMORY);
    free(counts.items);
    sl_buf_close(&buf);
    sl_arena_close(&arena);
}

static void a_full_buffer_fails(void)
{
    struct sl_arena arena = {0};
    uint64_t seed = 5;
    struct specimen item;

    specimen_fill(&item, &seed, &arena);
    for (size_t max = 1; max < 200; max += 7) {
        struct sl_buf buf = {.bytes_max = max};
        sl_pack(&buf, &specimen_record, &item);
        CHECK(buf.failed && buf.len <= max);
        sl_buf_close(&buf);
    }
    sl_arena_close(&arena);
}

static void copies_stand_alone(void)
{
    struct sl_arena arena = {0};
    struct sl_buf before = {0}, after = {0};
    uint64_t seed = 17;
    int failures = 0;

    for (int round = 0; round < 1000; round++) {
        struct specimen item;
        sl_arena_reset(&arena);
        sl_buf_reset(&before);
        sl_buf_reset(&after);
        specimen_fill(&item, &seed, &arena);
        sl_pack(&before, &specimen_record, &item);
        /* malloc aligns to 16; one byte too many is seen by the sanitizer. */
        const size_t size = sl_record_copy_size(&specimen_record, &item);
        void *memory = malloc(size);
        struct specimen *copy = sl_record_copy(&specimen_record, &item, memory);
        failures += (void *)copy != memory || !sl_record_equals(&specimen_record, &item, copy);
        failures += sl_record_copy_size(&specimen_record, copy) != size;
        /* Nothing of the original is used any more. */
        for (size_t i = 0; i < item.parts.count; i++)
            memset((struct specimen_part *)item.parts.items + i, 0xee,
                   sizeof(struct specimen_part));
        sl_arena_reset(&arena);
        sl_pack(&after, &specimen_record, copy);
        failures += !sl_text_equals(sl_buf_as_text(&before), sl_buf_as_text(&after));
        free(memory);
    }
    CHECK(failures == 0);
    sl_buf_close(&before);
    sl_buf_close(&after);
    sl_arena_close(&arena);
}

static void copies_leave_no_stray_pointer(void)
{
    struct small item = {.number = 1, .has_name = false, .name = {"stray", 5}};
    struct small copy;

    CHECK_U64(sl_record_copy_size(&small_record, &item), sizeof item);
    sl_record_copy(&small_record, &item, &copy);
    CHECK(copy.name.ptr == NULL && copy.name.len == 0);
    CHECK(sl_record_equals(&small_record, &item, &copy));
}

static void sees_differences(void)
{
    struct sl_arena arena = {0};
    uint64_t seed = 23;
    struct specimen item;

    do
        specimen_fill(&item, &seed, &arena);
    while (item.parts.count == 0 || item.wide.count == 0 || !item.has_note || !item.note.len);
    struct specimen other = item;
    CHECK(sl_record_equals(&specimen_record, &item, &other));
    other.number = -item.number;
    CHECK(!sl_record_equals(&specimen_record, &item, &other));
    other = item;
    other.decimal.scale++;
    CHECK(!sl_record_equals(&specimen_record, &item, &other));
    other = item;
    other.money.currency[2] = '?';
    CHECK(!sl_record_equals(&specimen_record, &item, &other));
    other = item;
    other.note.len--;
    CHECK(!sl_record_equals(&specimen_record, &item, &other));
    other = item;
    other.has_note = false;
    CHECK(!sl_record_equals(&specimen_record, &item, &other));
    other = item;
    other.parts.count--;
    CHECK(!sl_record_equals(&specimen_record, &item, &other));
    struct specimen_part parts[8];
    memcpy(parts, item.parts.items, sizeof parts[0] * item.parts.count);
    parts[item.parts.count - 1].quantity++;
    other = item;
    other.parts.items = parts;
    CHECK(!sl_record_equals(&specimen_record, &item, &other));
    sl_arena_close(&arena);
}

static void knows_what_is_flat(void)
{
    CHECK(sl_record_is_flat(&specimen_point_record));
    CHECK(!sl_record_is_flat(&specimen_part_record));
    CHECK(!sl_record_is_flat(&specimen_record));
}

int main(void)
{
    return TAP_RUN(
        {"bytes are as documented", bytes_are_as_documented},
        {"random structs come back", random_structs_come_back},
        {"parts are refused", parts_are_refused}, {"damage is survived", damage_is_survived},
        {"refuses what no writer makes", refuses_what_no_writer_makes},
        {"lists stay below the ceiling", lists_stay_below_the_ceiling},
        {"a full buffer fails", a_full_buffer_fails}, {"copies stand alone", copies_stand_alone},
        {"copies leave no stray pointer", copies_leave_no_stray_pointer},
        {"sees differences", sees_differences}, {"knows what is flat", knows_what_is_flat});
}
