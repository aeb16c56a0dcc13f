#include "api/url.h"

#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that text[at] begins to say, and how many characters that takes; -1: malformed. */
static int byte_at(struct sl_text text, size_t at, size_t *out_len)
{
    *out_len = 1;
    if (text.ptr[at] != '%')
        return (uint8_t)text.ptr[at];
    if (text.len - at < 3)
        return -1;
    const int high = hex_digit(text.ptr[at + 1]);
    const int low = hex_digit(text.ptr[at + 2]);
    *out_len = 3;
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Well-formed UTF-8: no overlong forms, no surrogates, nothing over U+10FFFF. */
static bool is_utf8(const char *bytes, size_t len)
{
    const uint8_t *p = (const uint8_t *)bytes;

    for (size_t at = 0; at < len;) {
        const uint8_t first = p[at++];
        const int more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || len - at < (size_t)more)
            return false;
        if (more > 0) {
            const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
            const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
            if (p[at] < low || p[at] > high)
                return false;
        }
        for (int i = 1; i < more; i++)
            if (p[at + (size_t)i] >> 6 != 2)
                return false;
        at += (size_t)more;
    }
    return true;
}

static bool decode(struct sl_text raw, struct sl_arena *arena, struct sl_text *out)
{
    char *bytes = sl_arena_take(arena, raw.len + 1);
    size_t len = 0;

    if (!bytes)
        return false;
    for (size_t at = 0, step; at < raw.len; at += step) {
        const int byte = byte_at(raw, at, &step);
        if (byte < 0)
            return false;
        bytes[len++] = raw.ptr[at] == '+' ? ' ' : (char)byte;
    }
    bytes[len] = '\0';
    *out = (struct sl_text){bytes, len};
    return is_utf8(bytes, len);
}

bool sl_url_pair(struct sl_text *rest, struct sl_arena *arena, struct sl_text *out_name,
                 struct sl_text *out_value, bool *out_broken)
{
    struct sl_text name, value = {"", 0};

    while (rest->len > 0 && rest->ptr[0] == '&') {
        rest->ptr++;
        rest->len--;
    }
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->ptr, '&', rest->len);
    const size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    const char *equals = memchr(rest->ptr, '=', len);
    const size_t name_len = equals ? (size_t)(equals - rest->ptr) : len;

    if (!decode((struct sl_text){rest->ptr, name_len}, arena, &name) ||
        (equals && !decode((struct sl_text){equals + 1, len - name_len - 1}, arena, &value))) {
        *out_broken = true;
        return false;
    }
    rest->ptr += len;
    rest->len -= len;
    *out_name = name;
    *out_value = value;
    return true;
}

/* Written %XX inside of a value, so that it does not end it. */
static bool is_escaped_in_place(int byte)
{
    return byte == '%' || byte == ',' || byte == '/' || byte == ':' || byte < 0x20 || byte == 0x7f;
}

struct sl_text sl_url_key(struct sl_text raw, struct sl_arena *arena)
{
    static const char digits[] = "0123456789ABCDEF";
    const struct sl_text none = {NULL, 0};
    char *bytes = sl_arena_take(arena, 3 * raw.len + 1);
    size_t len = 0;

    if (!bytes)
        return none;
    for (size_t at = 0, step; at < raw.len; at += step) {
        const int byte = byte_at(raw, at, &step);
        if (byte < 0)
            return none;
        /* A plain comma parts two values; an escaped one stands in a value. */
        if (is_escaped_in_place(byte) && !(byte == ',' && step == 1)) {
            bytes[len++] = '%';
            bytes[len++] = digits[byte >> 4];
            bytes[len++] = digits[byte & 15];
        } else {
            bytes[len++] = (char)byte;
        }
    }
    return is_utf8(bytes, len) ? (struct sl_text){bytes, len} : none;
}

struct sl_text sl_url_stream(struct sl_text raw, struct sl_arena *arena)
{
    const struct sl_text none = {NULL, 0};
    const char *slash = raw.len ? memchr(raw.ptr, '/', raw.len) : NULL;

    if (!slash)
        return none;
    const size_t name_len = (size_t)(slash - raw.ptr);
    const struct sl_text name = sl_url_key((struct sl_text){raw.ptr, name_len}, arena);
    const struct sl_text key =
        sl_url_key((struct sl_text){slash + 1, raw.len - name_len - 1}, arena);
    if (!name.ptr || !key.ptr || name.len == 0 || key.len == 0)
        return none;
    return sl_arena_printf(arena, "%.*s/%.*s", (int)name.len, name.ptr, (int)key.len, key.ptr);
}

bool sl_url_number(struct sl_text text, uint64_t *out)
{
    uint64_t number = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(number, UINT64_C(10), &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.ptr[i] - '0'), &number))
            return false;
    }
    *out = number;
    return true;
}

bool sl_url_flag(struct sl_text text, bool *out)
{
    static const char *const yes[] = {"", "1", "true", "yes"};
    static const char *const no[] = {"0", "false", "no"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (sl_text_equals(text, (struct sl_text){yes[i], strlen(yes[i])})) {
            *out = true;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        if (sl_text_equals(text, (struct sl_text){no[i], strlen(no[i])})) {
            *out = false;
            return true;
        }
    }
    return false;
}

/* The next member of a comma-separated list, without white space and what follows a semicolon. */
static bool next_member(struct sl_text *rest, struct sl_text *out)
{
    while (rest->len > 0 && (*rest->ptr == ' ' || *rest->ptr == ',' || *rest->ptr == '\t')) {
        rest->ptr++;
        rest->len--;
    }
    if (rest->len == 0)
        return false;
    const char *comma = memchr(rest->ptr, ',', rest->len);
    const size_t len = comma ? (size_t)(comma - rest->ptr) : rest->len;
    const char *semicolon = memchr(rest->ptr, ';', len);
    size_t own = semicolon ? (size_t)(semicolon - rest->ptr) : len;

    while (own > 0 && (rest->ptr[own - 1] == ' ' || rest->ptr[own - 1] == '\t'))
        own--;
    *out = (struct sl_text){rest->ptr, own};
    rest->ptr += len;
    rest->len -= len;
    return true;
}

bool sl_url_accepts(struct sl_text header, const char *value)
{
    const size_t len = strlen(value);
    struct sl_text member;

    while (next_member(&header, &member))
        if (member.len == len && strncasecmp(member.ptr, value, len) == 0)
            return true;
    return false;
}

bool sl_url_etag_matches(struct sl_text header, struct sl_text etag)
{
    struct sl_text member;

    while (next_member(&header, &member)) {
        if (member.len == 1 && member.ptr[0] == '*')
            return true;
        /* If-None-Match compares weakly. */
        if (member.len > 2 && memcmp(member.ptr, "W/", 2) == 0)
            member = (struct sl_text){member.ptr + 2, member.len - 2};
        if (sl_text_equals(member, etag))
            return true;
    }
    return false;
}
