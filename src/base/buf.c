#include "base/buf.h"
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 16 << 20, FIRST = 256 };

uint8_t *sl_buf_reserve(struct sl_buf *buf, size_t size)
{
    const size_t max = buf->bytes_max > 0 ? buf->bytes_max : BYTES_MAX;

    if (buf->failed)
        return NULL;
    if (buf->ptr && buf->capacity - buf->len >= size)
        return buf->ptr + buf->len;
    if (buf->len > max || size > max - buf->len) {
        buf->failed = true;
        return NULL;
    }
    size_t capacity = buf->capacity < FIRST ? FIRST : buf->capacity;
    while (capacity - buf->len < size)
        capacity += capacity; /* below 2 × max: no overflow */
    if (capacity > max)
        capacity = max;
    /* One byte more, for the zero that vsnprintf writes behind a text that just fits. */
    uint8_t *ptr = realloc(buf->ptr, capacity + 1);
    if (!ptr) {
        buf->failed = true;
        return NULL;
    }
    buf->ptr = ptr;
    buf->capacity = capacity;
    return ptr + buf->len;
}

void sl_buf_append_slow(struct sl_buf *buf, const void *bytes, size_t len)
{
    uint8_t *room = sl_buf_reserve(buf, len);

    if (!room)
        return;
    if (len > 0)
        memcpy(room, bytes, len);
    buf->len += len;
}

void sl_buf_printf(struct sl_buf *buf, const char *format, ...)
{
    va_list arguments, again;
    char *room = (char *)sl_buf_reserve(buf, 0);

    if (!room)
        return;
    va_start(arguments, format);
    va_copy(again, arguments);
    const size_t left = buf->capacity - buf->len;
    const int len = vsnprintf(room, left + 1, format, arguments);
    if (len < 0) {
        buf->failed = true;
    } else if ((size_t)len <= left) {
        buf->len += (size_t)len;
    } else {
        room = (char *)sl_buf_reserve(buf, (size_t)len);
        if (room) {
            vsnprintf(room, (size_t)len + 1, format, again);
            buf->len += (size_t)len;
        }
    }
    va_end(again);
    va_end(arguments);
}

void sl_buf_u64(struct sl_buf *buf, uint64_t value)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    char digits[20];
    char *first = digits + sizeof digits;

    while (value >= 100) {
        first -= 2;
        memcpy(first, pairs + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        first -= 2;
        memcpy(first, pairs + 2 * value, 2);
    } else {
        *--first = (char)('0' + value);
    }
    sl_buf_append(buf, first, (size_t)(digits + sizeof digits - first));
}

void sl_buf_i64(struct sl_buf *buf, int64_t value)
{
    if (value >= 0) {
        sl_buf_u64(buf, (uint64_t)value);
        return;
    }
    sl_buf_byte(buf, '-');
    sl_buf_u64(buf, 0 - (uint64_t)value);
}

void sl_buf_le16(struct sl_buf *buf, uint16_t value)
{
    uint8_t bytes[2];

    sl_put_le16(bytes, value);
    sl_buf_append(buf, bytes, sizeof bytes);
}

void sl_buf_le32(struct sl_buf *buf, uint32_t value)
{
    uint8_t bytes[4];

    sl_put_le32(bytes, value);
    sl_buf_append(buf, bytes, sizeof bytes);
}

void sl_buf_le64(struct sl_buf *buf, uint64_t value)
{
    uint8_t bytes[8];

    sl_put_le64(bytes, value);
    sl_buf_append(buf, bytes, sizeof bytes);
}

void sl_buf_varint(struct sl_buf *buf, uint64_t value)
{
    uint8_t bytes[10];
    size_t len = 0;

    while (value >= 0x80) {
        bytes[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[len++] = (uint8_t)value;
    sl_buf_append(buf, bytes, len);
}

void sl_buf_close(struct sl_buf *buf)
{
    free(buf->ptr);
    *buf = (struct sl_buf){.bytes_max = buf->bytes_max};
}
