/* Records as JSON text, straight into a buffer. */
#include "record/json.h"

#include <string.h>

#include "base/bytes.h"
#include "record/kinds.h"
#include "record/value.h"

/* ---- Text ------------------------------------------------------------------------------------ */

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

/* Bytes before the first quote, backslash or control character, found eight at once. */
static size_t plain_length(const char *start, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const char *p = start;

    for (; end - p >= 8; p += 8) {
        const uint64_t word = sl_le64((const uint8_t *)p);
        const uint64_t quote = word ^ ones * '"';
        const uint64_t backslash = word ^ ones * '\\';
        /* x - 1 & ~x has its top bit set where x is zero, word - 0x20 likewise where below 0x20,
         * and by a borrow perhaps in bytes above: the lowest is exact. */
        const uint64_t found = (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                                ((word - ones * 0x20) & ~word)) &
                               ones * 0x80;
        if (found)
            return (size_t)(p - start) + (size_t)__builtin_ctzll(found) / 8;
    }
    while (p < end && is_plain(*p))
        p++;
    return (size_t)(p - start);
}

static void write_escape(struct sl_buf *buf, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    const unsigned char byte = (unsigned char)c;

    if (byte >= 0x20)
        sl_buf_append(buf, (char[]){'\\', c}, 2);
    else if (byte < sizeof shorts && shorts[byte])
        sl_buf_append(buf, (char[]){'\\', shorts[byte]}, 2);
    else
        sl_buf_append(buf, (char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
}

void sl_json_write_text(struct sl_buf *buf, struct sl_text text)
{
    const char *p = text.ptr;
    const char *end = text.len > 0 ? p + text.len : p;
    size_t len = text.len > 0 ? plain_length(p, end) : 0;
    uint8_t *room = sl_buf_reserve(buf, len + 2);

    if (!room)
        return;
    room[0] = '"';
    if (len > 0)
        memcpy(room + 1, p, len);
    buf->len += len + 1;
    while (len < text.len) {
        write_escape(buf, p[len++]);
        const size_t more = plain_length(p + len, end);
        sl_buf_append(buf, p + len, more);
        len += more;
    }
    sl_buf_byte(buf, '"');
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void write_quoted(struct sl_buf *buf, const struct sl_field *field, const void *value)
{
    sl_buf_byte(buf, '"');
    sl_value_write(buf, field, value);
    sl_buf_byte(buf, '"');
}

static void write_money(struct sl_buf *buf, const struct sl_money *money)
{
    if (money->minor == 0 && money->currency[0] == '\0') {
        SL_BUF_LITERAL(buf, "null"); /* no currency would not read back */
        return;
    }
    SL_BUF_LITERAL(buf, "{\"minor\":");
    sl_buf_i64(buf, money->minor);
    SL_BUF_LITERAL(buf, ",\"currency\":");
    sl_json_write_text(buf, (struct sl_text){money->currency, strnlen(money->currency, 3)});
    sl_buf_byte(buf, '}');
}

static void write_list(struct sl_buf *buf, const struct sl_field *field, const struct sl_list *list)
{
    const struct sl_field item = sl_item_field(field);

    sl_buf_byte(buf, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            sl_buf_byte(buf, ',');
        sl_json_write_value(buf, &item, (const uint8_t *)list->items + i * item.size);
    }
    sl_buf_byte(buf, ']');
}

/* A nested record that may be missing and is: its zeros may break the rules of its own fields
 * and would not read back. */
static bool is_missing(const struct sl_field *field, const void *value)
{
    struct sl_broken_rule broken;

    return !field->required && sl_value_is_empty(field, value) &&
           sl_record_validate(field->record, value, &broken) != SL_OK;
}

static void write_integer(struct sl_buf *buf, const struct sl_field *field, const void *value)
{
    const char *name = field->names ? sl_enum_name(field, value) : NULL;

    if (name)
        sl_json_write_text(buf, (struct sl_text){name, strlen(name)});
    else if (sl_kind_is_signed(field->kind))
        sl_buf_i64(buf, sl_load_signed(field->kind, value));
    else
        sl_buf_u64(buf, sl_load_unsigned(field->kind, value));
}

void sl_json_write_value(struct sl_buf *buf, const struct sl_field *field, const void *value)
{
    switch (field->kind) {
    case SL_TEXT_KIND:
        sl_json_write_text(buf, *(const struct sl_text *)value);
        return;
    case SL_CHARS:
        sl_json_write_text(buf, sl_chars_text(field, value));
        return;
    case SL_BOOL:
    case SL_DOUBLE:
        sl_value_write(buf, field, value);
        return;
    case SL_U128:
    case SL_UUID:
    case SL_DATE:
    case SL_TIME:
    case SL_DECIMAL:
        write_quoted(buf, field, value);
        return;
    case SL_MONEY:
        write_money(buf, value);
        return;
    case SL_LIST_KIND:
        write_list(buf, field, value);
        return;
    case SL_NESTED:
        if (is_missing(field, value))
            SL_BUF_LITERAL(buf, "null");
        else
            sl_json_write(buf, field->record, value);
        return;
    default:
        write_integer(buf, field, value);
    }
}

void sl_json_write(struct sl_buf *buf, const struct sl_record *record, const void *item)
{
    const struct sl_field *end = record->fields + record->field_count;
    char before = '{';

    for (const struct sl_field *field = record->fields; field < end; field++) {
        if (!sl_field_is_there(field, item))
            continue;
        const size_t len = strlen(field->name);
        uint8_t *p = sl_buf_reserve(buf, len + 4);
        if (!p)
            return;
        p[0] = (uint8_t)before;
        p[1] = '"';
        memcpy(p + 2, field->name, len);
        p[len + 2] = '"';
        p[len + 3] = ':';
        buf->len += len + 4;
        before = ',';
        sl_json_write_value(buf, field, sl_member(field, item));
    }
    if (before == '{')
        sl_buf_byte(buf, '{');
    sl_buf_byte(buf, '}');
}
