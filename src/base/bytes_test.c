#include "base/bytes.h"
#include "tap/tap.h"

#include <stdlib.h>
#include <string.h>

static void puts_and_gets(void)
{
    uint8_t bytes[8];

    sl_put_le16(bytes, 0xFEDC);
    CHECK(bytes[0] == 0xDC && sl_le16(bytes) == 0xFEDC);
    sl_put_le32(bytes, 0xFEDCBA98);
    CHECK(bytes[0] == 0x98 && sl_le32(bytes) == 0xFEDCBA98);
    sl_put_le64(bytes, UINT64_C(0xFEDCBA9876543210));
    CHECK(bytes[0] == 0x10 && sl_le64(bytes) == UINT64_C(0xFEDCBA9876543210));
}

static uint64_t take_u8(struct sl_cursor *cursor)
{
    return sl_cursor_u8(cursor);
}

static uint64_t take_le16(struct sl_cursor *cursor)
{
    return sl_cursor_le16(cursor);
}

static uint64_t take_le32(struct sl_cursor *cursor)
{
    return sl_cursor_le32(cursor);
}

static uint64_t take_slice(struct sl_cursor *cursor)
{
    return sl_cursor_take(cursor, 3).len;
}

static void never_runs_over(void)
{
    static const struct {
        uint64_t (*take)(struct sl_cursor *cursor);
        size_t size;
    } readers[] = {
        {take_u8, 1}, {take_le16, 2}, {take_slice, 3}, {take_le32, 4}, {sl_cursor_le64, 8}};

    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        for (size_t len = 0; len <= 9; len++) {
            /* On the heap, of the exact size: the address sanitizer sees a byte too much. */
            uint8_t *bytes = malloc(len > 0 ? len : 1);
            SL_ASSERT(bytes);
            memset(bytes, 0xFF, len);
            struct sl_cursor cursor = sl_cursor_of((struct sl_slice){bytes, len});
            const bool fits = readers[i].size <= len;
            CHECK((readers[i].take(&cursor) != 0) == fits);
            CHECK(cursor.failed == !fits);
            CHECK_U64(sl_cursor_left(&cursor), fits ? len - readers[i].size : 0);
            if (!fits) {
                /* A failure stays one, also for what would fit. */
                CHECK(sl_cursor_u8(&cursor) == 0);
                CHECK(!sl_cursor_take(&cursor, 0).ptr && cursor.failed);
            }
            free(bytes);
        }
}

static void takes_nothing_of_nothing(void)
{
    struct sl_cursor cursor = sl_cursor_of((struct sl_slice){NULL, 0});

    CHECK(sl_cursor_take(&cursor, 0).len == 0 && !cursor.failed);
    CHECK(sl_cursor_left(&cursor) == 0);
    CHECK(!sl_cursor_take(&cursor, SIZE_MAX).ptr && cursor.failed);
}

static void checks_varints(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool good;
        uint64_t value;
        size_t left;
    } cases[] = {
        {"", 0, false, 0, 0},
        {"\x00", 1, true, 0, 0},
        {"\x7F\x01", 2, true, 127, 1},
        {"\x80", 1, false, 0, 0},
        {"\x80\x01", 2, true, 128, 0},
        {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 10, true, UINT64_MAX, 0},
        {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 10, false, 0, 0},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x81\x00", 11, false, 0, 0},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10, true, 0, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_cursor cursor =
            sl_cursor_of((struct sl_slice){(const uint8_t *)cases[i].bytes, cases[i].len});
        CHECK_U64(sl_cursor_varint(&cursor), cases[i].value);
        CHECK(cursor.failed == !cases[i].good);
        CHECK_U64(sl_cursor_left(&cursor), cases[i].left);
    }
}

static void skips_varints(void)
{
    static const uint8_t bytes[] = {0x00, 0x80, 0x01, 0xff, 0xff, 0x7f, 0x05, 0x80};
    static const size_t ends[] = {0, 1, 3, 6, 7};

    for (size_t count = 0; count < 6; count++) {
        struct sl_cursor cursor = sl_cursor_of((struct sl_slice){bytes, sizeof bytes});
        sl_cursor_skip_varints(&cursor, count);
        CHECK(cursor.failed == (count == 5));
        if (count < 5)
            CHECK_U64(sl_cursor_left(&cursor), sizeof bytes - ends[count]);
        cursor.failed = true;
        const uint8_t *at = cursor.next;
        sl_cursor_skip_varints(&cursor, 1);
        CHECK(cursor.next == at && cursor.failed);
    }
}

int main(void)
{
    return TAP_RUN({"puts and gets", puts_and_gets}, {"never runs over", never_runs_over},
                   {"takes nothing of nothing", takes_nothing_of_nothing},
                   {"checks varints", checks_varints},
                   {"skips varints", skips_varints});
}
