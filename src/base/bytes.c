#include "base/bytes.h"

struct sl_slice sl_cursor_take(struct sl_cursor *cursor, size_t len)
{
    if (cursor->failed || (size_t)(cursor->end - cursor->next) < len) {
        cursor->failed = true;
        return (struct sl_slice){NULL, 0};
    }
    const struct sl_slice out = {cursor->next, len};
    if (len > 0)
        cursor->next += len;
    return out;
}

uint8_t sl_cursor_u8(struct sl_cursor *cursor)
{
    const struct sl_slice bytes = sl_cursor_take(cursor, 1);

    return bytes.ptr ? bytes.ptr[0] : 0;
}

uint16_t sl_cursor_le16(struct sl_cursor *cursor)
{
    const struct sl_slice bytes = sl_cursor_take(cursor, 2);

    return bytes.ptr ? sl_le16(bytes.ptr) : 0;
}

uint32_t sl_cursor_le32(struct sl_cursor *cursor)
{
    const struct sl_slice bytes = sl_cursor_take(cursor, 4);

    return bytes.ptr ? sl_le32(bytes.ptr) : 0;
}

uint64_t sl_cursor_le64(struct sl_cursor *cursor)
{
    const struct sl_slice bytes = sl_cursor_take(cursor, 8);

    return bytes.ptr ? sl_le64(bytes.ptr) : 0;
}

uint64_t sl_cursor_varint(struct sl_cursor *cursor)
{
    const uint8_t *next = cursor->next;
    uint64_t value = 0;

    if (cursor->failed)
        return 0;
    for (unsigned shift = 0; shift < 64 && next < cursor->end; shift += 7) {
        const uint8_t byte = *next++;

        /* Of the tenth byte only one bit still fits, and none may follow it. */
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            cursor->next = next;
            return value;
        }
    }
    cursor->failed = true;
    return 0;
}

void sl_cursor_skip_varints(struct sl_cursor *cursor, size_t count)
{
    const uint8_t *next = cursor->next;

    if (cursor->failed)
        return;
    while (count > 0 && next < cursor->end)
        count -= *next++ < 0x80;
    cursor->failed = count > 0;
    cursor->next = next;
}
