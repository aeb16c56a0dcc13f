/*
 * The packed form.
 *
 *   record    = field*                       in the order of the description, nothing between them
 *   field     = value                        where it is not optional
 *             | 0x00 | 0x01 value            where it is: absent, or there
 *   value     = 0x00 | 0x01                  bool
 *             | leb                          unsigned integers, 128 bits too
 *             | zigzag                       signed integers; dates, in days
 *             | 8 bytes, little-endian       times, in nanoseconds; doubles, by their bits
 *             | 16 bytes                     uuid
 *             | leb byte*                    text and chars: length, bytes
 *             | zigzag byte byte byte        money: minor units, currency
 *             | zigzag byte                  decimal: unscaled, scale
 *             | leb value*                   list: count, items
 *             | record                       a nested record
 *   leb       = LEB128, least significant seven bits first, in as few bytes as it takes
 *   zigzag    = leb of (n << 1) ^ (n >> 63)
 *
 * There is no version, length or checksum inside: the frame around it has them, and names the
 * description. An enumeration is its number, also one that has no name. Every value takes a byte at
 * least, so that a list's count never exceeds the bytes left: damage cannot ask for memory without
 * end.
 */
#include "record/pack.h"

#include <string.h>

#include "record/kinds.h"

/* ---- Writing --------------------------------------------------------------------------------- */

enum { SCALAR_BYTES_MAX = 32 }; /* presence and any scalar, or a length */

static uint8_t *put_varint(uint8_t *p, uint64_t value)
{
    while (value >= 0x80) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

static uint8_t *put_zigzag(uint8_t *p, int64_t value)
{
    return put_varint(p, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

static uint8_t *put_u128(uint8_t *p, sl_u128 value)
{
    while (value > UINT64_MAX) {
        *p++ = (uint8_t)((uint8_t)value | 0x80);
        value >>= 7;
    }
    return put_varint(p, (uint64_t)value);
}

static uint8_t *put_bytes(uint8_t *p, const void *bytes, size_t len)
{
    memcpy(p, bytes, len);
    return p + len;
}

/* Writes a scalar of a fixed bound; the caller has made room. */
static uint8_t *put_scalar(uint8_t *p, enum sl_kind kind, const void *value)
{
    switch (kind) {
    case SL_BOOL:
        *p = *(const bool *)value ? 1 : 0;
        return p + 1;
    case SL_I8:
    case SL_I16:
    case SL_I32:
    case SL_I64:
        return put_zigzag(p, sl_load_signed(kind, value));
    case SL_U128:
        return put_u128(p, *(const sl_u128 *)value);
    case SL_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, value, sizeof bits);
        sl_put_le64(p, bits);
        return p + 8;
    }
    case SL_UUID:
        return put_bytes(p, value, 16);
    case SL_DATE:
        return put_zigzag(p, ((const struct sl_date *)value)->days);
    case SL_TIME:
        sl_put_le64(p, (uint64_t)((const struct sl_time *)value)->ns);
        return p + 8;
    case SL_MONEY: {
        const struct sl_money *money = value;
        return put_bytes(put_zigzag(p, money->minor), money->currency, 3);
    }
    case SL_DECIMAL: {
        const struct sl_decimal *decimal = value;
        p = put_zigzag(p, decimal->unscaled);
        *p = decimal->scale;
        return p + 1;
    }
    default:
        return put_varint(p, sl_load_unsigned(kind, value));
    }
}

static void pack_list(struct sl_buf *buf, const struct sl_field *field, const struct sl_list *list)
{
    const size_t size = field->record ? field->record->size : sl_kind_size(field->item);
    const uint8_t *item = list->items;

    sl_buf_varint(buf, list->count);
    for (size_t i = 0; i < list->count; i++, item += size) {
        if (field->record) {
            sl_pack(buf, field->record, item);
        } else if (field->item == SL_TEXT_KIND) {
            const struct sl_text *text = (const void *)item;
            sl_buf_varint(buf, text->len);
            sl_buf_text(buf, *text);
        } else {
            uint8_t *p = sl_buf_reserve(buf, SCALAR_BYTES_MAX);
            if (!p)
                return;
            buf->len += (size_t)(put_scalar(p, field->item, item) - p);
        }
    }
}

void sl_pack(struct sl_buf *buf, const struct sl_record *record, const void *item)
{
    const struct sl_field *end = record->fields + record->field_count;

    for (const struct sl_field *field = record->fields; field < end; field++) {
        const void *value = sl_member(field, item);
        struct sl_text text;

        if (buf->failed ||
            (buf->capacity - buf->len < SCALAR_BYTES_MAX && !sl_buf_reserve(buf, SCALAR_BYTES_MAX)))
            return;
        if (field->optional) {
            const bool there = sl_field_is_there(field, item);
            buf->ptr[buf->len++] = there ? 1 : 0;
            if (!there)
                continue;
        }
        switch (field->kind) {
        case SL_TEXT_KIND:
        case SL_CHARS:
            text = field->kind == SL_CHARS ? sl_chars_text(field, value)
                                           : *(const struct sl_text *)value;
            buf->len = (size_t)(put_varint(buf->ptr + buf->len, text.len) - buf->ptr);
            sl_buf_text(buf, text);
            break;
        case SL_LIST_KIND:
            pack_list(buf, field, value);
            break;
        case SL_NESTED:
            sl_pack(buf, field->record, value);
            break;
        default:
            buf->len = (size_t)(put_scalar(buf->ptr + buf->len, field->kind, value) - buf->ptr);
        }
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct unpacker {
    struct sl_cursor cursor;
    struct sl_arena *arena;
    bool no_memory;
};

static uint64_t take_varint(struct sl_cursor *cursor)
{
    if (cursor->next < cursor->end && *cursor->next < 0x80 && !cursor->failed)
        return *cursor->next++;
    return sl_cursor_varint(cursor);
}

static int64_t take_zigzag(struct sl_cursor *cursor)
{
    const uint64_t value = take_varint(cursor);

    return (int64_t)(value >> 1 ^ (value & 1 ? UINT64_MAX : 0));
}

static void take_u128(struct sl_cursor *cursor, sl_u128 *out)
{
    sl_u128 value = 0;

    for (unsigned shift = 0; shift < 133; shift += 7) {
        const uint8_t byte = sl_cursor_u8(cursor);
        if (shift == 126 && byte > 3)
            break; /* bits beyond the 128th, or a further byte */
        value |= (sl_u128)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return;
        }
    }
    cursor->failed = true;
}

static void take_bool(struct sl_cursor *cursor, bool *out)
{
    const uint8_t byte = sl_cursor_u8(cursor);

    /* A bool that holds 2 is undefined in C: damage must not make one. */
    cursor->failed |= byte > 1;
    *out = byte == 1;
}

static void take_bytes(struct sl_cursor *cursor, void *out, size_t len)
{
    if (sl_cursor_left(cursor) < len) {
        cursor->failed = true;
        return;
    }
    memcpy(out, cursor->next, len);
    cursor->next += len;
}

static void take_text(struct sl_cursor *cursor, struct sl_text *out)
{
    const uint64_t len = take_varint(cursor);

    if (len > sl_cursor_left(cursor)) {
        cursor->failed = true;
        return;
    }
    *out = (struct sl_text){(const char *)cursor->next, (size_t)len};
    cursor->next += len;
}

static void take_chars(struct sl_cursor *cursor, const struct sl_field *field, char *out)
{
    struct sl_text text = {0};

    take_text(cursor, &text);
    if (text.len >= field->size || (text.len > 0 && memchr(text.ptr, 0, text.len))) {
        cursor->failed = true;
        return;
    }
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
}

static void take_scalar(struct sl_cursor *cursor, enum sl_kind kind, void *value)
{
    switch (kind) {
    case SL_BOOL:
        take_bool(cursor, value);
        return;
    case SL_I8:
    case SL_I16:
    case SL_I32:
    case SL_I64:
        cursor->failed |= !sl_store_signed(kind, value, take_zigzag(cursor));
        return;
    case SL_U128:
        take_u128(cursor, value);
        return;
    case SL_DOUBLE: {
        const uint64_t bits = sl_cursor_le64(cursor);
        memcpy(value, &bits, sizeof bits);
        return;
    }
    case SL_TEXT_KIND:
        take_text(cursor, value);
        return;
    case SL_UUID:
        take_bytes(cursor, value, 16);
        return;
    case SL_DATE:
        cursor->failed |=
            !sl_store_signed(SL_I32, &((struct sl_date *)value)->days, take_zigzag(cursor));
        return;
    case SL_TIME:
        ((struct sl_time *)value)->ns = (int64_t)sl_cursor_le64(cursor);
        return;
    case SL_MONEY:
        ((struct sl_money *)value)->minor = take_zigzag(cursor);
        take_bytes(cursor, ((struct sl_money *)value)->currency, 3);
        return;
    case SL_DECIMAL:
        ((struct sl_decimal *)value)->unscaled = take_zigzag(cursor);
        ((struct sl_decimal *)value)->scale = sl_cursor_u8(cursor);
        return;
    default:
        cursor->failed |= !sl_store_unsigned(kind, value, take_varint(cursor));
    }
}

static void unpack_fields(struct unpacker *u, const struct sl_record *record, void *out);

static void unpack_list(struct unpacker *u, const struct sl_field *field, struct sl_list *out)
{
    const size_t size = field->record ? field->record->size : sl_kind_size(field->item);
    const uint64_t count = take_varint(&u->cursor);

    if (count > sl_cursor_left(&u->cursor)) {
        u->cursor.failed = true;
        return;
    }
    if (count == 0)
        return;
    uint8_t *item = sl_arena_zeroed(u->arena, (size_t)count, size);
    if (!item) {
        u->no_memory = u->cursor.failed = true;
        return;
    }
    *out = (struct sl_list){item, (size_t)count};
    for (uint64_t i = 0; i < count && !u->cursor.failed; i++, item += size) {
        if (field->record)
            unpack_fields(u, field->record, item);
        else
            take_scalar(&u->cursor, field->item, item);
    }
}

static void unpack_fields(struct unpacker *u, const struct sl_record *record, void *out)
{
    const struct sl_field *end = record->fields + record->field_count;

    for (const struct sl_field *field = record->fields; field < end; field++) {
        void *value = sl_member_of(field, out);

        if (u->cursor.failed)
            return;
        if (field->optional) {
            bool there;
            take_bool(&u->cursor, &there);
            if (!there)
                continue;
            sl_field_set_there(field, out);
        }
        switch (field->kind) {
        case SL_CHARS:
            take_chars(&u->cursor, field, value);
            break;
        case SL_LIST_KIND:
            unpack_list(u, field, value);
            break;
        case SL_NESTED:
            unpack_fields(u, field->record, value);
            break;
        default:
            take_scalar(&u->cursor, field->kind, value);
        }
    }
}

enum sl_err sl_unpack(const struct sl_record *record, struct sl_slice bytes, struct sl_arena *arena,
                      void *out, struct sl_error *error)
{
    struct unpacker u = {.cursor = sl_cursor_of(bytes), .arena = arena};

    unpack_fields(&u, record, out);
    if (u.no_memory)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the lists of a packed %s", record->name);
    if (u.cursor.failed)
        return sl_fail(error, SL_CORRUPT, "%zu bytes are no packed %s", bytes.len, record->name);
    if (sl_cursor_left(&u.cursor) > 0)
        return sl_fail(error, SL_CORRUPT, "%zu bytes are left over after a packed %s",
                       sl_cursor_left(&u.cursor), record->name);
    return SL_OK;
}
