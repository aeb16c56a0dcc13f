#include "base/buf.h"
#include "base/bytes.h"
#include "tap/tap.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void appends(void)
{
    struct sl_buf buf = {0};

    CHECK_TEXT(sl_buf_as_text(&buf), "");
    sl_buf_append(&buf, NULL, 0);
    SL_BUF_LITERAL(&buf, "a");
    sl_buf_text(&buf, SL_TEXT("bc"));
    sl_buf_byte(&buf, 'd');
    sl_buf_printf(&buf, "-%s-", "e");
    CHECK_TEXT(sl_buf_as_text(&buf), "abcd-e-");
    CHECK_U64(sl_buf_slice(&buf).len, 7);
    sl_buf_reset(&buf);
    CHECK(buf.len == 0 && buf.capacity > 0);
    for (int i = 0; i < 100000; i++)
        sl_buf_byte(&buf, (uint8_t)i);
    REQUIRE(!buf.failed && buf.len == 100000);
    for (int i = 0; i < 100000; i++)
        REQUIRE(buf.ptr[i] == (uint8_t)i);
    sl_buf_close(&buf);
    CHECK(!buf.ptr && buf.capacity == 0);
}

static void keeps_its_ceiling(void)
{
    struct sl_buf buf = {.bytes_max = 10};

    SL_BUF_LITERAL(&buf, "123456789");
    SL_BUF_LITERAL(&buf, "0");
    CHECK(!buf.failed);
    SL_BUF_LITERAL(&buf, "!");
    CHECK(buf.failed && buf.len == 10);
    sl_buf_reset(&buf);
    CHECK(!buf.failed);
    SL_BUF_LITERAL(&buf, "12345678");
    SL_BUF_LITERAL(&buf, "90!");
    /* After a failure even what would fit is refused: no text with a hole. */
    SL_BUF_LITERAL(&buf, "9");
    sl_buf_printf(&buf, "%d", 9);
    CHECK(!sl_buf_reserve(&buf, 0));
    CHECK(buf.failed);
    CHECK_TEXT(sl_buf_as_text(&buf), "12345678");
    sl_buf_close(&buf);
    CHECK_U64(buf.bytes_max, 10);

    struct sl_buf by_default = {0};
    CHECK(sl_buf_reserve(&by_default, 16 << 20));
    CHECK(!by_default.failed && !sl_buf_reserve(&by_default, (16 << 20) + 1) && by_default.failed);
    sl_buf_reset(&by_default);
    CHECK(!sl_buf_reserve(&by_default, SIZE_MAX));
    sl_buf_close(&by_default);
}

static void prints_what_just_fits(void)
{
    struct sl_buf buf = {.bytes_max = 300};

    for (int len = 0; len <= 301; len++) {
        sl_buf_reset(&buf);
        sl_buf_printf(&buf, "%*s", len, "");
        CHECK(buf.failed == (len > 300));
        CHECK_U64(buf.len, len > 300 ? 0 : len);
    }
    sl_buf_close(&buf);
}

static void writes_numbers(void)
{
    static const uint64_t unsigned_ones[] = {
        0,    1,     9,        10,        99,         100,       101,       999,
        1000, 12345, 99999999, 100000000, UINT32_MAX, INT64_MAX, UINT64_MAX};
    static const int64_t signed_ones[] = {0, -1, 1, -9, -10, -100, INT64_MAX, INT64_MIN};
    struct sl_buf buf = {0};
    char want[32];

    for (size_t i = 0; i < sizeof unsigned_ones / sizeof unsigned_ones[0]; i++) {
        sl_buf_reset(&buf);
        sl_buf_u64(&buf, unsigned_ones[i]);
        snprintf(want, sizeof want, "%" PRIu64, unsigned_ones[i]);
        CHECK_TEXT(sl_buf_as_text(&buf), want);
    }
    for (size_t i = 0; i < sizeof signed_ones / sizeof signed_ones[0]; i++) {
        sl_buf_reset(&buf);
        sl_buf_i64(&buf, signed_ones[i]);
        snprintf(want, sizeof want, "%" PRId64, signed_ones[i]);
        CHECK_TEXT(sl_buf_as_text(&buf), want);
    }
    sl_buf_close(&buf);
}

static void encodes_what_cursors_read(void)
{
    struct sl_buf buf = {0};

    sl_buf_le16(&buf, 0x0102);
    sl_buf_le32(&buf, 0x03040506);
    sl_buf_le64(&buf, UINT64_C(0x0708090A0B0C0D0E));
    CHECK(memcmp(buf.ptr, "\2\1\6\5\4\3\16\15\14\13\12\11\10\7", 14) == 0);
    for (unsigned bit = 0; bit < 64; bit++) {
        sl_buf_varint(&buf, UINT64_C(1) << bit);
        sl_buf_varint(&buf, (UINT64_C(1) << bit) - 1);
    }
    sl_buf_varint(&buf, UINT64_MAX);

    struct sl_cursor cursor = sl_cursor_of(sl_buf_slice(&buf));
    CHECK_U64(sl_cursor_le16(&cursor), 0x0102);
    CHECK_U64(sl_cursor_le32(&cursor), 0x03040506);
    CHECK_U64(sl_cursor_le64(&cursor), UINT64_C(0x0708090A0B0C0D0E));
    for (unsigned bit = 0; bit < 64; bit++) {
        CHECK_U64(sl_cursor_varint(&cursor), UINT64_C(1) << bit);
        CHECK_U64(sl_cursor_varint(&cursor), (UINT64_C(1) << bit) - 1);
    }
    CHECK_U64(sl_cursor_left(&cursor), 10);
    CHECK_U64(sl_cursor_varint(&cursor), UINT64_MAX);
    CHECK(!cursor.failed && sl_cursor_left(&cursor) == 0);
    sl_buf_close(&buf);
}

int main(void)
{
    return TAP_RUN({"appends", appends}, {"keeps its ceiling", keeps_its_ceiling},
                   {"prints what just fits", prints_what_just_fits},
                   {"writes numbers", writes_numbers},
                   {"encodes what cursors read", encodes_what_cursors_read});
}
