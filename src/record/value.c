/* Values as text by their field's kind; UUIDs, enumerations, and what counts as text. */
#include "record/value.h"

#include <string.h>

#include "record/kinds.h"

/* ---- UUIDs ----------------------------------------------------------------------------------- */

/* Where the bytes' digits stand in 8-4-4-4-12. */
static const uint8_t uuid_at[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

void sl_value_write_uuid(struct sl_buf *buf, struct sl_uuid value)
{
    static const char hex[] = "0123456789abcdef";
    char text[36];

    text[8] = text[13] = text[18] = text[23] = '-';
    for (int i = 0; i < 16; i++) {
        text[uuid_at[i]] = hex[value.bytes[i] >> 4];
        text[uuid_at[i] + 1] = hex[value.bytes[i] & 15];
    }
    sl_buf_append(buf, text, sizeof text);
}

/* A digit's value plus one, so that what is none is the table's zero. */
static const uint8_t hex_plus_one[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* `count` bytes from twice as many digits; more than 15 where another character stands there. */
static inline unsigned read_hex(const char *digits, uint8_t *out, int count)
{
    const uint8_t *in = (const uint8_t *)digits;
    unsigned bad = 0;

    for (int i = 0; i < count; i++) {
        const unsigned high = hex_plus_one[in[2 * i]] - 1u;
        const unsigned low = hex_plus_one[in[2 * i + 1]] - 1u;
        bad |= high | low;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return bad;
}

bool sl_value_read_uuid(struct sl_text text, struct sl_uuid *out)
{
    struct sl_uuid value;

    if (text.len != 36 || text.ptr[8] != '-' || text.ptr[13] != '-' || text.ptr[18] != '-' ||
        text.ptr[23] != '-')
        return false;
    const unsigned bad =
        read_hex(text.ptr, value.bytes, 4) | read_hex(text.ptr + 9, value.bytes + 4, 2) |
        read_hex(text.ptr + 14, value.bytes + 6, 2) | read_hex(text.ptr + 19, value.bytes + 8, 2) |
        read_hex(text.ptr + 24, value.bytes + 10, 6);
    if (bad > 15)
        return false;
    *out = value;
    return true;
}

/* ---- Text ------------------------------------------------------------------------------------ */

/* Bytes of the character that begins at `p`, 0 where it is malformed, overlong, a surrogate or
 * beyond U+10FFFF. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t len = p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;

    if (len == 0 || len > left)
        return 0;
    uint32_t code = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    return len;
}

/* Eight bytes at once: all ASCII, and none zero? */
static bool is_plain_word(const uint8_t *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return (((word - ones) | word) & ones * 0x80) == 0;
}

bool sl_value_is_text(struct sl_text text)
{
    const uint8_t *p = (const uint8_t *)text.ptr;

    for (size_t i = 0; i < text.len;) {
        if (text.len - i >= 8 && is_plain_word(p + i)) {
            i += 8;
            continue;
        }
        if (p[i] != 0 && p[i] < 0x80) {
            i++;
            continue;
        }
        const size_t len = p[i] == 0 ? 0 : utf8_length(p + i, text.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

/* ---- By kind --------------------------------------------------------------------------------- */

int sl_value_enum(const struct sl_field *field, struct sl_text name)
{
    for (int i = 0; field->names[i]; i++)
        if (sl_text_equals(name, (struct sl_text){field->names[i], strlen(field->names[i])}))
            return i;
    return -1;
}

static void write_integer(struct sl_buf *buf, const struct sl_field *field, const void *value)
{
    const char *name = field->names ? sl_enum_name(field, value) : NULL;

    if (name)
        sl_buf_append(buf, name, strlen(name));
    else if (sl_kind_is_signed(field->kind))
        sl_buf_i64(buf, sl_load_signed(field->kind, value));
    else
        sl_buf_u64(buf, sl_load_unsigned(field->kind, value));
}

void sl_value_write(struct sl_buf *buf, const struct sl_field *field, const void *value)
{
    switch (field->kind) {
    case SL_BOOL:
        if (*(const bool *)value)
            SL_BUF_LITERAL(buf, "true");
        else
            SL_BUF_LITERAL(buf, "false");
        return;
    case SL_U128:
        sl_value_write_u128(buf, *(const sl_u128 *)value);
        return;
    case SL_DOUBLE:
        sl_value_write_double(buf, *(const double *)value);
        return;
    case SL_TEXT_KIND:
        sl_buf_text(buf, *(const struct sl_text *)value);
        return;
    case SL_CHARS:
        sl_buf_text(buf, sl_chars_text(field, value));
        return;
    case SL_UUID:
        sl_value_write_uuid(buf, *(const struct sl_uuid *)value);
        return;
    case SL_DATE:
        sl_value_write_date(buf, *(const struct sl_date *)value);
        return;
    case SL_TIME:
        sl_value_write_time(buf, *(const struct sl_time *)value);
        return;
    case SL_DECIMAL:
        sl_value_write_decimal(buf, *(const struct sl_decimal *)value);
        return;
    case SL_MONEY:
    case SL_LIST_KIND:
    case SL_NESTED:
        SL_ASSERT(false, "sl_value_write takes scalars only");
        return;
    default:
        write_integer(buf, field, value);
    }
}

static bool read_bool(struct sl_text text, bool *out)
{
    const bool yes = sl_text_equals(text, SL_TEXT("true"));

    if (!yes && !sl_text_equals(text, SL_TEXT("false")))
        return false;
    *out = yes;
    return true;
}

static bool read_integer(const struct sl_field *field, struct sl_text text, void *value)
{
    int64_t number;
    uint64_t size;

    if (field->names) {
        const int place = sl_value_enum(field, text);
        if (place < 0)
            return false;
        return sl_kind_is_signed(field->kind)
                   ? sl_store_signed(field->kind, value, place)
                   : sl_store_unsigned(field->kind, value, (uint64_t)place);
    }
    if (sl_kind_is_signed(field->kind))
        return sl_value_read_i64(text, &number) && sl_store_signed(field->kind, value, number);
    return sl_value_read_u64(text, &size) && sl_store_unsigned(field->kind, value, size);
}

static bool read_text(struct sl_text text, struct sl_arena *arena, struct sl_text *out)
{
    if (!sl_value_is_text(text))
        return false;
    const struct sl_text copy = sl_arena_text(arena, text);
    if (!copy.ptr)
        return false;
    *out = copy;
    return true;
}

static bool read_chars(const struct sl_field *field, struct sl_text text, char *out)
{
    if (text.len >= field->size || !sl_value_is_text(text))
        return false;
    memset(out, 0, field->size);
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    return true;
}

bool sl_value_read(const struct sl_field *field, struct sl_text text, struct sl_arena *arena,
                   void *value)
{
    switch (field->kind) {
    case SL_BOOL:
        return read_bool(text, value);
    case SL_U128:
        return sl_value_read_u128(text, value);
    case SL_DOUBLE:
        return sl_value_read_double(text, value);
    case SL_TEXT_KIND:
        return read_text(text, arena, value);
    case SL_CHARS:
        return read_chars(field, text, value);
    case SL_UUID:
        return sl_value_read_uuid(text, value);
    case SL_DATE:
        return sl_value_read_date(text, value);
    case SL_TIME:
        return sl_value_read_time(text, value);
    case SL_DECIMAL:
        return sl_value_read_decimal(text, value);
    case SL_MONEY:
    case SL_LIST_KIND:
    case SL_NESTED:
        SL_ASSERT(false, "sl_value_read takes scalars only");
        return false;
    default:
        return read_integer(field, text, value);
    }
}

static bool record_is_empty(const struct sl_record *record, const void *item)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        if (field->optional ? sl_field_is_there(field, item)
                            : !sl_value_is_empty(field, sl_member(field, item)))
            return false;
    }
    return true;
}

bool sl_value_is_empty(const struct sl_field *field, const void *value)
{
    switch (field->kind) {
    case SL_BOOL:
        return !*(const bool *)value;
    case SL_U128:
        return *(const sl_u128 *)value == 0;
    case SL_DOUBLE: {
        uint64_t bits; /* minus zero is a value of its own: what is packed must come back */
        memcpy(&bits, value, sizeof bits);
        return bits == 0;
    }
    case SL_TEXT_KIND:
        return ((const struct sl_text *)value)->len == 0;
    case SL_CHARS:
        return *(const char *)value == '\0';
    case SL_UUID:
        return sl_uuid_is_nil(*(const struct sl_uuid *)value);
    case SL_DATE:
        return ((const struct sl_date *)value)->days == 0;
    case SL_TIME:
        return ((const struct sl_time *)value)->ns == 0;
    case SL_MONEY:
        return ((const struct sl_money *)value)->minor == 0 &&
               ((const struct sl_money *)value)->currency[0] == '\0';
    case SL_DECIMAL:
        return ((const struct sl_decimal *)value)->unscaled == 0 &&
               ((const struct sl_decimal *)value)->scale == 0;
    case SL_LIST_KIND:
        return ((const struct sl_list *)value)->count == 0;
    case SL_NESTED:
        return record_is_empty(field->record, value);
    default:
        return sl_load_enum(field->kind, value) == 0;
    }
}
