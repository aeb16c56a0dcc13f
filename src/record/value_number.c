/* Numbers as text: 64 and 128 bits, decimals, doubles. */
#include "record/value.h"

#include <math.h>

#include "record/cxx_seam.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits alone, without a leading zero before others. */
static bool read_digits(const char *text, size_t len, uint64_t *out)
{
    uint64_t value = 0;

    if (len == 0 || len > 20 || (text[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i]))
            return false;
        const uint64_t digit = (uint64_t)(text[i] - '0');
        /* Nineteen digits always fit. */
        if (i < 19)
            value = value * 10 + digit;
        else if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
                 __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool sl_value_read_u64(struct sl_text text, uint64_t *out)
{
    return read_digits(text.ptr, text.len, out);
}

bool sl_value_read_i64(struct sl_text text, int64_t *out)
{
    const bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t size;

    if (negative)
        text = (struct sl_text){text.ptr + 1, text.len - 1};
    if (!read_digits(text.ptr, text.len, &size))
        return false;
    if (size > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

bool sl_value_read_u128(struct sl_text text, sl_u128 *out)
{
    sl_u128 value = 0;
    uint64_t small;

    if (text.len < 20) { /* mostly: 64 bits are several times as quick */
        if (!read_digits(text.ptr, text.len, &small))
            return false;
        *out = small;
        return true;
    }
    if (text.len > 39 || text.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return false;
        const unsigned digit = (unsigned)(text.ptr[i] - '0');
        if (__builtin_mul_overflow(value, (sl_u128)10, &value) ||
            __builtin_add_overflow(value, (sl_u128)digit, &value))
            return false;
    }
    *out = value;
    return true;
}

void sl_value_write_u128(struct sl_buf *buf, sl_u128 value)
{
    char digits[40];
    char *first = digits + sizeof digits;

    while (value > UINT64_MAX) {
        *--first = (char)('0' + (int)(value % 10));
        value /= 10;
    }
    /* Divisions of 64 bits are many times faster: the rest goes that way. */
    uint64_t rest = (uint64_t)value;
    do {
        *--first = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    sl_buf_append(buf, first, (size_t)(digits + sizeof digits - first));
}

void sl_value_write_decimal(struct sl_buf *buf, struct sl_decimal value)
{
    char text[20 + 256 +
              3]; /* any scale that a byte can hold, although 18 is the greatest allowed */
    char *first = text + sizeof text;
    uint64_t rest = value.unscaled < 0 ? 0 - (uint64_t)value.unscaled : (uint64_t)value.unscaled;

    for (unsigned written = 0; rest > 0 || written <= value.scale; written++) {
        if (written == value.scale && value.scale > 0)
            *--first = '.';
        *--first = (char)('0' + (int)(rest % 10));
        rest /= 10;
    }
    if (value.unscaled < 0)
        *--first = '-';
    sl_buf_append(buf, first, (size_t)(text + sizeof text - first));
}

bool sl_value_read_decimal(struct sl_text text, struct sl_decimal *out)
{
    const bool negative = text.len > 0 && text.ptr[0] == '-';
    const size_t start = negative ? 1 : 0;
    size_t point = text.len;
    uint64_t size = 0;

    for (size_t i = start; i < text.len; i++) {
        if (text.ptr[i] == '.' && point == text.len) {
            point = i;
            continue;
        }
        if (!is_digit(text.ptr[i]) || __builtin_mul_overflow(size, UINT64_C(10), &size) ||
            __builtin_add_overflow(size, (uint64_t)(text.ptr[i] - '0'), &size))
            return false;
    }
    const size_t scale = point < text.len ? text.len - point - 1 : 0;
    if (point == start || (point < text.len && scale == 0) || scale > 18)
        return false;
    if (text.ptr[start] == '0' && point - start > 1)
        return false;
    if (size > (uint64_t)INT64_MAX + negative)
        return false;
    *out = (struct sl_decimal){negative ? (int64_t)(0 - size) : (int64_t)size, (uint8_t)scale};
    return true;
}

static size_t skip_digits(struct sl_text text, size_t at)
{
    while (at < text.len && is_digit(text.ptr[at]))
        at++;
    return at;
}

bool sl_value_is_number(struct sl_text text)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    size_t end = skip_digits(text, at);

    if (end == at || (text.ptr[at] == '0' && end > at + 1))
        return false;
    if (end < text.len && text.ptr[end] == '.') {
        at = end + 1;
        end = skip_digits(text, at);
        if (end == at)
            return false;
    }
    if (end < text.len && (text.ptr[end] == 'e' || text.ptr[end] == 'E')) {
        at = end + 1;
        if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
            at++;
        end = skip_digits(text, at);
        if (end == at)
            return false;
    }
    return end == text.len;
}

bool sl_value_read_double(struct sl_text text, double *out)
{
    return sl_value_is_number(text) && sl_double_parse(text.ptr, text.len, out);
}

void sl_value_write_double(struct sl_buf *buf, double value)
{
    const double whole_max = 1e15;

    if (!isfinite(value)) {
        SL_BUF_LITERAL(buf, "null");
        return;
    }
    /* Whole numbers that people count with: 100000, where the shortest would be 1e+05. */
    if (value == trunc(value) && fabs(value) < whole_max && !(value == 0 && signbit(value))) {
        sl_buf_i64(buf, (int64_t)value);
        return;
    }
    char digits[32];
    sl_buf_append(buf, digits, sl_double_digits(value, digits));
}
