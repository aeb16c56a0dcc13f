#include "record/json_scan.h"

#include "record/value.h"

/* ---- Strings --------------------------------------------------------------------------------- */

/* Four hex digits at raw.ptr[at]; -1 where they are not there. */
static int32_t hex_at(struct sl_text raw, size_t at)
{
    int32_t value = 0;

    if (raw.len - at < 4)
        return -1;
    for (size_t i = at; i < at + 4; i++) {
        const char c = raw.ptr[i];
        const char lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value << 4 | (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value << 4 | (lower - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static size_t put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* The \u escape whose digits begin at raw.ptr[*at], which moves behind it. */
static enum sl_scan_flaw unescape_unicode(struct sl_text raw, size_t *at, char *out, size_t *len)
{
    const int32_t first = hex_at(raw, *at);
    int32_t code = first;

    if (first < 0)
        return SL_SCAN_SYNTAX;
    if (first == 0)
        return SL_SCAN_NUL;
    *at += 4;
    if (first >= 0xd800 && first <= 0xdfff) {
        if (first >= 0xdc00 || raw.len - *at < 6 || raw.ptr[*at] != '\\' || raw.ptr[*at + 1] != 'u')
            return SL_SCAN_SURROGATE;
        const int32_t second = hex_at(raw, *at + 2);
        if (second < 0)
            return SL_SCAN_SYNTAX;
        if (second < 0xdc00 || second > 0xdfff)
            return SL_SCAN_SURROGATE;
        *at += 6;
        code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    }
    *len += put_utf8(out + *len, (uint32_t)code);
    return SL_SCAN_FINE;
}

enum sl_scan_flaw sl_scan_unescape(struct sl_text raw, char *out, size_t *out_len)
{
    static const char plain[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    size_t len = 0;

    for (size_t at = 0; at < raw.len;) {
        if (raw.ptr[at] != '\\') {
            out[len++] = raw.ptr[at++];
            continue;
        }
        if (raw.len - at < 2)
            return SL_SCAN_SYNTAX;
        const unsigned char c = (unsigned char)raw.ptr[at + 1];
        at += 2;
        if (c == 'u') {
            const enum sl_scan_flaw flaw = unescape_unicode(raw, &at, out, &len);
            if (flaw)
                return flaw;
        } else if (plain[c]) {
            out[len++] = plain[c];
        } else {
            return SL_SCAN_SYNTAX;
        }
    }
    *out_len = len;
    return SL_SCAN_FINE;
}

enum sl_scan_flaw sl_scan_text(struct sl_json_scan *scan, struct sl_arena *arena,
                               struct sl_text *out)
{
    struct sl_text raw;
    bool escaped;

    if (!sl_scan_string(scan, &raw, &escaped))
        return SL_SCAN_SYNTAX;
    char *copy = sl_arena_take(arena, raw.len);
    if (!copy)
        return SL_SCAN_NO_MEMORY;
    size_t len = raw.len;
    if (escaped) {
        const enum sl_scan_flaw flaw = sl_scan_unescape(raw, copy, &len);
        if (flaw)
            return flaw;
    } else {
        memcpy(copy, raw.ptr, raw.len);
    }
    *out = (struct sl_text){copy, len};
    return SL_SCAN_FINE;
}

/* ---- Numbers, words, and what is not wanted -------------------------------------------------- */

static bool ends_word(char c)
{
    return sl_scan_is_blank(c) || c == ',' || c == '}' || c == ']' || c == ':' || c == '{' ||
           c == '[';
}

struct sl_text sl_scan_word(struct sl_json_scan *scan)
{
    if (scan->next >= scan->count)
        return (struct sl_text){NULL, 0};
    const size_t start = scan->starts[scan->next++];
    size_t end = start;

    while (end < scan->len && !ends_word(scan->json[end]))
        end++;
    return (struct sl_text){scan->json + start, end - start};
}

/* Bytes of the escape at `p`: \n, \u0041, or two that make one character. */
static size_t escape_length(const char *p, size_t left)
{
    size_t len = left > 1 && p[1] == 'u' ? 6 : 2;

    if (left >= 12 && len == 6 && (p[2] | 0x20) == 'd' && p[6] == '\\' && p[7] == 'u')
        len = 12;
    return len < left ? len : left;
}

/* Half a surrogate pair and NUL are allowed by the grammar; only who keeps the text refuses them.
 */
static enum sl_scan_flaw skip_string(struct sl_json_scan *scan)
{
    struct sl_text raw;
    bool escaped;

    if (!sl_scan_string(scan, &raw, &escaped))
        return SL_SCAN_SYNTAX;
    const char *end = raw.ptr + raw.len;
    for (const char *p = raw.ptr; escaped;) {
        char out[16];
        size_t len;
        p = memchr(p, '\\', (size_t)(end - p));
        if (!p)
            break;
        const size_t size = escape_length(p, (size_t)(end - p));
        if (sl_scan_unescape((struct sl_text){p, size}, out, &len) == SL_SCAN_SYNTAX)
            return SL_SCAN_SYNTAX;
        p += size;
    }
    return SL_SCAN_FINE;
}

static enum sl_scan_flaw skip_word(struct sl_json_scan *scan)
{
    const struct sl_text word = sl_scan_word(scan);
    const bool known = sl_text_equals(word, SL_TEXT("true")) ||
                       sl_text_equals(word, SL_TEXT("false")) ||
                       sl_text_equals(word, SL_TEXT("null")) || sl_value_is_number(word);

    return known ? SL_SCAN_FINE : SL_SCAN_SYNTAX;
}

/* After an opening bracket or a comma in an object: the key and its colon. */
static enum sl_scan_flaw skip_key(struct sl_json_scan *scan)
{
    const enum sl_scan_flaw flaw = skip_string(scan);

    if (flaw)
        return flaw;
    return sl_scan_take(scan, ':') ? SL_SCAN_FINE : SL_SCAN_SYNTAX;
}

enum sl_scan_flaw sl_scan_skip(struct sl_json_scan *scan, int depth)
{
    uint64_t objects = 0; /* a bit for each open bracket, the innermost lowest: is it an object? */
    int open = 0;
    enum sl_scan_flaw flaw = SL_SCAN_FINE;

    for (;;) {
        const char c = sl_scan_peek(scan);
        bool closed = true;
        if (c == '{' || c == '[') {
            if (depth + open >= SL_JSON_DEPTH_MAX)
                return SL_SCAN_DEPTH;
            scan->next++;
            objects = objects << 1 | (c == '{');
            open++;
            closed = sl_scan_take(scan, c == '{' ? '}' : ']');
            if (closed) {
                objects >>= 1;
                open--;
            }
        } else {
            flaw = c == '"' ? skip_string(scan) : skip_word(scan);
        }
        /* A value is complete: so are the brackets that close behind it. */
        while (!flaw && closed && open > 0 && !sl_scan_take(scan, ',')) {
            if (!sl_scan_take(scan, objects & 1 ? '}' : ']'))
                return SL_SCAN_SYNTAX;
            objects >>= 1;
            open--;
        }
        if (flaw || open == 0)
            return flaw;
        if (objects & 1) {
            flaw = skip_key(scan);
            if (flaw)
                return flaw;
        }
    }
}

size_t sl_scan_count(const struct sl_json_scan *scan)
{
    size_t count = 0;
    size_t open = 0;

    for (size_t i = scan->next; i < scan->count; i++) {
        const char c = scan->json[scan->starts[i]];
        if (i == scan->next && c != ']')
            count = 1;
        if (c == '{' || c == '[') {
            open++;
        } else if (c == '}' || c == ']') {
            if (open-- == 0)
                break;
        } else if (c == ',' && open == 0) {
            count++;
        }
    }
    return count;
}
