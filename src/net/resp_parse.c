/*
 *     *3\r\n $3\r\nSET\r\n $1\r\nk\r\n $1\r\nv\r\n     an array of bulk strings
 *     SET k "a value"\r\n                              an inline command; \n alone will do
 *
 * Inline words are separated by blanks; in double quotes \n \r \t \b \a \xHH and an escaped
 * character are understood, in single quotes \' alone, as redis-cli does.
 */
#include "net/resp_parse.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX = 32, KEEP_WORDS = 64 };

static enum sl_resp_verdict bad(struct sl_resp_parser *parser, const char *error)
{
    parser->error = error;
    return SL_RESP_BAD;
}

static enum sl_resp_verdict more(struct sl_resp_parser *parser, size_t need)
{
    parser->need = need;
    return SL_RESP_MORE;
}

static bool add_word(struct sl_resp_parser *parser, const uint8_t *ptr, size_t len)
{
    if (parser->word_count == parser->word_capacity) {
        const uint32_t capacity = parser->word_capacity ? parser->word_capacity * 2 : 8;
        struct sl_text *words = realloc(parser->words, capacity * sizeof *words);
        if (!words)
            return false;
        parser->words = words;
        parser->word_capacity = capacity;
    }
    parser->words[parser->word_count++] = (struct sl_text){(const char *)ptr, len};
    return true;
}

/* The number of a line "*3\r\n" or "$3\r\n" at `used`; what is wrong gives `error`. */
static enum sl_resp_verdict parse_number(struct sl_resp_parser *parser, const uint8_t *bytes,
                                         size_t len, const char *error, int64_t *out)
{
    size_t i = parser->used + 1;
    int64_t value = 0;
    bool negative = false;

    if (i < len && bytes[i] == '-') {
        negative = true;
        i++;
    }
    const size_t first = i;
    for (; i < len && bytes[i] >= '0' && bytes[i] <= '9' && i - first < 10; i++)
        value = value * 10 + (bytes[i] - '0');
    if (i == len)
        return more(parser, len + 1);
    if (i == first || bytes[i] != '\r')
        return bad(parser, error);
    if (i + 1 == len)
        return more(parser, len + 1);
    if (bytes[i + 1] != '\n')
        return bad(parser, error);
    parser->used = i + 2;
    *out = negative ? -value : value;
    return SL_RESP_WHOLE;
}

static enum sl_resp_verdict parse_bulk(struct sl_resp_parser *parser, const uint8_t *bytes,
                                       size_t len)
{
    const size_t start = parser->used;
    int64_t size;

    if (start == len)
        return more(parser, len + 1);
    if (bytes[start] != '$')
        return bad(parser, "expected '$' before each word");
    const enum sl_resp_verdict verdict =
        parse_number(parser, bytes, len, "invalid bulk length", &size);
    if (verdict != SL_RESP_WHOLE)
        return verdict;
    if (size < 0 || size > SL_RESP_BULK_MAX)
        return bad(parser, "invalid bulk length");
    const size_t end = parser->used + (size_t)size;
    if (end + 2 > SL_RESP_COMMAND_MAX)
        return bad(parser, "too big command");
    if (end + 2 > len) {
        parser->used = start;
        return more(parser, end + 2);
    }
    if (bytes[end] != '\r' || bytes[end + 1] != '\n')
        return bad(parser, "a word is longer than its length says");
    if (!add_word(parser, bytes + parser->used, (size_t)size))
        return bad(parser, "no memory");
    parser->used = end + 2;
    return SL_RESP_WHOLE;
}

static enum sl_resp_verdict parse_array(struct sl_resp_parser *parser, const uint8_t *bytes,
                                        size_t len)
{
    int64_t count;

    if (!parser->in_array) {
        const enum sl_resp_verdict verdict =
            parse_number(parser, bytes, len, "invalid multibulk length", &count);
        if (verdict != SL_RESP_WHOLE)
            return verdict;
        if (count > SL_RESP_WORDS_MAX)
            return bad(parser, "invalid multibulk length");
        parser->in_array = true;
        parser->expected = count > 0 ? (uint32_t)count : 0;
    }
    while (parser->word_count < parser->expected) {
        const enum sl_resp_verdict verdict = parse_bulk(parser, bytes, len);
        if (verdict != SL_RESP_WHOLE)
            return verdict;
    }
    return SL_RESP_WHOLE;
}

/* ---- Inline commands ------------------------------------------------------------------------ */

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint8_t unescaped(uint8_t c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/* Decodes a quoted part that starts at `p` to `*write`, which never overtakes it. Returns what lies
 * behind the closing quote; NULL: there is none, or it is followed by more of the word. */
static const uint8_t *unquote(const uint8_t *p, const uint8_t *end, uint8_t **write)
{
    const uint8_t quote = *p++;

    for (; p < end && *p != quote; p++) {
        uint8_t c = *p;
        if (c == '\\' && end - p > 1 && quote == '\'' && p[1] == '\'') {
            c = *++p;
        } else if (c == '\\' && end - p > 3 && quote == '"' && p[1] == 'x' && hex(p[2]) >= 0 &&
                   hex(p[3]) >= 0) {
            c = (uint8_t)(hex(p[2]) << 4 | hex(p[3]));
            p += 3;
        } else if (c == '\\' && end - p > 1 && quote == '"') {
            c = unescaped(*++p);
        }
        *(*write)++ = c;
    }
    if (p >= end || (p + 1 < end && p[1] != ' ' && p[1] != '\t'))
        return NULL;
    return p + 1;
}

static enum sl_resp_verdict split_line(struct sl_resp_parser *parser, uint8_t *line, size_t len)
{
    const uint8_t *p = line, *const end = line + len;
    uint8_t *write = line;

    for (;;) {
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (p == end)
            return SL_RESP_WHOLE;
        const uint8_t *word = write;
        while (p < end && *p != ' ' && *p != '\t') {
            if (*p == '"' || *p == '\'') {
                p = unquote(p, end, &write);
                if (!p)
                    return bad(parser, "unbalanced quotes in request");
                break;
            }
            *write++ = *p++;
        }
        if (parser->word_count == SL_RESP_WORDS_MAX)
            return bad(parser, "too many words");
        if (!add_word(parser, word, (size_t)(write - word)))
            return bad(parser, "no memory");
    }
}

/* A page in a browser can be made to send an HTTP request here, whose body would be taken for
 * commands: no command is called so. */
static bool is_http(const struct sl_resp_parser *parser)
{
    const struct sl_text *first = parser->words;

    return parser->word_count > 0 &&
           ((first->len == 4 && strncasecmp(first->ptr, "post", 4) == 0) ||
            (first->len == 5 && strncasecmp(first->ptr, "host:", 5) == 0));
}

static enum sl_resp_verdict parse_inline(struct sl_resp_parser *parser, uint8_t *bytes, size_t len)
{
    const size_t most = len < SL_RESP_INLINE_MAX ? len : SL_RESP_INLINE_MAX;
    const uint8_t *line_feed =
        most > parser->used ? memchr(bytes + parser->used, '\n', most - parser->used) : NULL;

    if (!line_feed) {
        if (len >= SL_RESP_INLINE_MAX)
            return bad(parser, "too big inline request");
        parser->used = len;
        return more(parser, len + 1);
    }
    size_t line = (size_t)(line_feed - bytes);
    parser->used = line + 1;
    if (line > 0 && bytes[line - 1] == '\r')
        line--;
    const enum sl_resp_verdict verdict = split_line(parser, bytes, line);
    if (verdict == SL_RESP_WHOLE && is_http(parser))
        return bad(parser, "this is not an HTTP port");
    return verdict;
}

/* ---- All together --------------------------------------------------------------------------- */

/* Words found earlier move along with the bytes. The old place is only a number: nothing is read
 * there. */
static void follow(struct sl_resp_parser *parser, const uint8_t *bytes)
{
    if (parser->base == bytes)
        return;
    for (uint32_t i = 0; i < parser->word_count; i++) {
        const uintptr_t offset = (uintptr_t)parser->words[i].ptr - (uintptr_t)parser->base;
        parser->words[i].ptr = (const char *)bytes + offset;
    }
    parser->base = bytes;
}

enum sl_resp_verdict sl_resp_parse(struct sl_resp_parser *parser, uint8_t *bytes, size_t len)
{
    if (len == 0)
        return more(parser, 1);
    follow(parser, bytes);
    if (len < parser->need)
        return SL_RESP_MORE;
    return bytes[0] == '*' ? parse_array(parser, bytes, len) : parse_inline(parser, bytes, len);
}

void sl_resp_parser_reset(struct sl_resp_parser *parser)
{
    if (parser->word_capacity > KEEP_WORDS) {
        sl_resp_parser_close(parser);
        return;
    }
    parser->word_count = 0;
    parser->expected = 0;
    parser->in_array = false;
    parser->used = 0;
    parser->need = 0;
    parser->base = NULL;
    parser->error = NULL;
}

void sl_resp_parser_close(struct sl_resp_parser *parser)
{
    free(parser->words);
    *parser = (struct sl_resp_parser){0};
}
