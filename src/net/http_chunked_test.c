#include "net/http_chunked.h"
#include "base/buf.h"
#include "tap/tap.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *bytes;
    const char *body; /* NULL: bad */
    bool more;        /* unfinished; `body` is what came so far */
} rows[] = {
    {"nothing in it", "0\r\n\r\n", "", false},
    {"two chunks", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde", false},
    {"hexadecimal in both cases", "a\r\n0123456789\r\n0A\r\n0123456789\r\n0\r\n\r\n",
     "01234567890123456789", false},
    {"zeros in front", "0003\r\nabc\r\n000\r\n\r\n", "abc", false},
    {"extensions", "1;a;b=c;d=\"e;\\\"\r\"\r\nx\r\n0\r\n\r\n", NULL, false},
    {"extensions without controls", "1;a;b=c;d=\"e;\\\" f\"\r\nx\r\n0;z\r\n\r\n", "x", false},
    {"trailers", "1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", "x", false},
    {"line breaks in the data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", false},
    {"unfinished", "3\r\nab", "ab", true},
    {"no last line", "3\r\nabc\r\n0\r\n", "abc", true},

    {"no digits", "\r\n", NULL, false},
    {"a sign", "+1\r\nx\r\n", NULL, false},
    {"0x", "0x1\r\nx\r\n", NULL, false},
    {"space before the size", " 1\r\nx\r\n", NULL, false},
    {"space behind the size", "1 \r\nx\r\n", NULL, false},
    {"space before an extension", "1 ;a\r\nx\r\n", NULL, false},
    {"an empty extension", "1;\r\nx\r\n", NULL, false},
    {"an extension without its value", "1;a=\r\nx\r\n", NULL, false},
    {"bare LF behind the size", "1\nx\r\n", NULL, false},
    {"bare LF in an extension", "1;a\nx\r\n", NULL, false},
    {"bare CR behind the size", "1\rx\r\n", NULL, false},
    {"CR and no LF behind the data", "1\r\nx\r0\r\n\r\n", NULL, false},
    {"bare LF behind the data", "1\r\nx\n", NULL, false},
    {"data longer than the size", "1\r\nxy\r\n", NULL, false},
    {"nine digits", "000000001\r\nx\r\n", NULL, false},
    {"sixteen digits", "ffffffffffffffff\r\nx\r\n", NULL, false},
    {"bare LF at the end", "0\r\n\n", NULL, false},
    {"a trailer without colon", "0\r\nA\r\n\r\n", NULL, false},
    {"a trailer with space before the colon", "0\r\nA : b\r\n\r\n", NULL, false},
    {"a folded trailer", "0\r\nA: b\r\n c\r\n\r\n", NULL, false},
    {"another request as a trailer", "0\r\nGET / HTTP/1.1\r\n\r\n", NULL, false},
};

/* Feeds pieces of at most `step` bytes. */
static enum sl_chunked_verdict feed(const char *bytes, size_t len, size_t step, struct sl_buf *out,
                                    size_t *out_used)
{
    struct sl_chunked chunked = {0};
    enum sl_chunked_verdict verdict = SL_CHUNKED_MORE;
    size_t at = 0;

    while (at < len) {
        const size_t piece = len - at < step ? len - at : step;
        uint8_t *copy = malloc(piece);
        memcpy(copy, bytes + at, piece);
        struct sl_slice data = {0};
        size_t used = 0;
        verdict = sl_chunked_next(&chunked, copy, piece, &used, &data);
        if (verdict == SL_CHUNKED_DATA)
            sl_buf_append(out, data.ptr, data.len);
        free(copy);
        at += used;
        if (verdict == SL_CHUNKED_BAD || verdict == SL_CHUNKED_DONE)
            break;
    }
    *out_used = at;
    return verdict;
}

static void decodes(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t step = 1; step <= 64; step *= 4) {
            struct sl_buf body = {0};
            size_t used;
            const size_t len = strlen(rows[i].bytes);
            const enum sl_chunked_verdict verdict = feed(rows[i].bytes, len, step, &body, &used);
            bool good = (verdict == SL_CHUNKED_BAD) == (rows[i].body == NULL);
            if (rows[i].body)
                good = good && (verdict != SL_CHUNKED_DONE) == rows[i].more && used == len &&
                       body.len == strlen(rows[i].body) &&
                       (body.len == 0 || memcmp(body.ptr, rows[i].body, body.len) == 0);
            if (!good)
                tap_note("%s, by %zu: verdict %d", rows[i].name, step, (int)verdict);
            CHECK(good);
            sl_buf_close(&body);
        }
    }
}

static void leaves_what_follows(void)
{
    struct sl_buf body = {0};
    size_t used;

    CHECK(feed("1\r\nx\r\n0\r\n\r\nGET /", 16, 64, &body, &used) == SL_CHUNKED_DONE);
    CHECK_U64(used, 11);
    sl_buf_close(&body);
}

static void bounds_what_is_thrown_away(void)
{
    struct sl_buf bytes = {0}, body = {0};
    size_t used;

    SL_BUF_LITERAL(&bytes, "0\r\n");
    while (bytes.len < 9000)
        SL_BUF_LITERAL(&bytes, "A: b\r\n");
    SL_BUF_LITERAL(&bytes, "\r\n");
    CHECK(feed((const char *)bytes.ptr, bytes.len, 64, &body, &used) == SL_CHUNKED_BAD);
    sl_buf_close(&bytes);
    sl_buf_close(&body);
}

int main(void)
{
    return TAP_RUN({"good and bad bodies, cut anywhere", decodes},
                   {"bytes behind the end are left", leaves_what_follows},
                   {"extensions and trailers are bounded", bounds_what_is_thrown_away});
}
