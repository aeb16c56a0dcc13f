/* What stands in addresses: queries, keys, streams, numbers; and patterns of Redis clients, against
 * a matcher that is slow and plain. The first line is the pattern, the rest the text. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "api/glob.h"
#include "api/url.h"

static struct sl_arena arena;
static struct sl_buf again;

/* ---- Queries ------------------------------------------------------------------------------- */

/* Every byte but letters and digits as %XX. */
static void write_escaped(struct sl_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = (uint8_t)text.ptr[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            sl_buf_byte(&again, c);
        else
            sl_buf_printf(&again, "%%%02X", c);
    }
}

/* What was read, written anew, is read as the same. */
static void check_query(struct sl_text query)
{
    struct sl_text rest = query, name, value;
    bool broken = false;

    for (size_t left = rest.len + 1; sl_url_pair(&rest, &arena, &name, &value, &broken) && !broken;
         left = rest.len) {
        SL_ASSERT(rest.len < left, "it is eaten");
        sl_buf_reset(&again);
        write_escaped(name);
        sl_buf_byte(&again, '=');
        write_escaped(value);
        struct sl_text copy = sl_buf_as_text(&again), same_name, same_value;
        bool same_broken = false;
        const bool good = sl_url_pair(&copy, &arena, &same_name, &same_value, &same_broken);
        SL_ASSERT(good && !same_broken && sl_text_equals(name, same_name) &&
                      sl_text_equals(value, same_value),
                  "the same pair");
    }
}

static void check_keys(struct sl_text raw)
{
    const struct sl_text key = sl_url_key(raw, &arena);
    const struct sl_text stream = sl_url_stream(raw, &arena);

    if (key.ptr) {
        const struct sl_text same = sl_url_key(key, &arena);
        SL_ASSERT(same.ptr && sl_text_equals(key, same), "a key has one form");
        SL_ASSERT(!memchr(key.ptr, ':', key.len) && !memchr(key.ptr, '/', key.len), "escaped");
    }
    if (stream.ptr) {
        const struct sl_text same = sl_url_stream(stream, &arena);
        SL_ASSERT(same.ptr && sl_text_equals(stream, same), "a stream has one form");
    }
}

static void check_number(struct sl_text text)
{
    uint64_t number;
    bool flag;

    if (sl_url_number(text, &number)) {
        size_t zeros = 0;
        while (zeros + 1 < text.len && text.ptr[zeros] == '0')
            zeros++;
        sl_buf_reset(&again);
        sl_buf_u64(&again, number);
        SL_ASSERT(sl_text_equals(sl_buf_as_text(&again),
                                 (struct sl_text){text.ptr + zeros, text.len - zeros}),
                  "the same digits");
    }
    (void)sl_url_flag(text, &flag);
    (void)sl_url_accepts(text, "text/html");
    (void)sl_url_etag_matches(text, SL_TEXT("\"a\""));
}

/* ---- Patterns ------------------------------------------------------------------------------ */

/* As glob.h says, tried in every way; sets are left out. */
static bool matches_plainly(struct sl_text pattern, struct sl_text text)
{
    if (pattern.len == 0)
        return text.len == 0;
    const struct sl_text behind = {pattern.ptr + 1, pattern.len - 1};
    if (*pattern.ptr == '*') {
        for (size_t i = 0; i <= text.len; i++)
            if (matches_plainly(behind, (struct sl_text){text.ptr + i, text.len - i}))
                return true;
        return false;
    }
    if (text.len == 0)
        return false;
    const struct sl_text rest = {text.ptr + 1, text.len - 1};
    if (*pattern.ptr == '\\' && pattern.len > 1)
        return pattern.ptr[1] == *text.ptr &&
               matches_plainly((struct sl_text){pattern.ptr + 2, pattern.len - 2}, rest);
    return (*pattern.ptr == '?' || *pattern.ptr == *text.ptr) && matches_plainly(behind, rest);
}

static void check_pattern(struct sl_text pattern, struct sl_text text)
{
    const bool matches = sl_glob_matches(pattern, text);
    const size_t literal = sl_glob_literal(pattern);

    SL_ASSERT(!matches || (text.len >= literal &&
                           (literal == 0 || memcmp(pattern.ptr, text.ptr, literal) == 0)),
              "what stands for itself is there");
    if (pattern.len <= 8 && text.len <= 12 &&
        (pattern.len == 0 || !memchr(pattern.ptr, '[', pattern.len)))
        SL_ASSERT(matches == matches_plainly(pattern, text), "the same verdict");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len > 1024)
        len = 1024;
    const struct sl_text text = {(const char *)bytes, len};
    const char *line = len > 0 ? memchr(text.ptr, '\n', len) : NULL;

    sl_arena_reset(&arena);
    check_query(text);
    check_keys(text);
    check_number(text);
    if (line) {
        const size_t first = (size_t)(line - text.ptr);
        check_pattern((struct sl_text){text.ptr, first},
                      (struct sl_text){line + 1, len - first - 1});
    }
    return 0;
}
