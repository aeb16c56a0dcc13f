#include "net/resp_parse.h"
#include "base/buf.h"
#include "tap/tap.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *bytes;
    const char *words; /* joined by "|"; NULL: bad */
    const char *error; /* where it is bad */
} rows[] = {
    {"an array", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "GET|k", NULL},
    {"an empty word", "*1\r\n$0\r\n\r\n", "", NULL},
    {"line breaks in a word", "*1\r\n$4\r\na\r\nb\r\n", "a\r\nb", NULL},
    {"an empty array", "*0\r\n", NULL, NULL},
    {"a null array", "*-1\r\n", NULL, NULL},
    {"inline", "PING\r\n", "PING", NULL},
    {"inline by LF", "SET  k\tv \n", "SET|k|v", NULL},
    {"inline, quoted", "SET \"a b\\n\\x41\\\"\" 'c\\'d\\n'\r\n", "SET|a b\nA\"|c'd\\n", NULL},
    {"inline, empty quotes", "SET \"\" x\r\n", "SET||x", NULL},
    {"an empty line", "\r\n", NULL, NULL},

    {"a count of letters", "*x\r\n", NULL, "invalid multibulk length"},
    {"a count of nothing", "*\r\n", NULL, "invalid multibulk length"},
    {"too many words", "*8193\r\n", NULL, "invalid multibulk length"},
    {"a very long count", "*99999999999\r\n", NULL, "invalid multibulk length"},
    {"a count ended by LF", "*1\n$1\r\nx\r\n", NULL, "invalid multibulk length"},
    {"no dollar", "*1\r\nGET\r\n", NULL, "expected '$' before each word"},
    {"a negative length", "*1\r\n$-1\r\n", NULL, "invalid bulk length"},
    {"too long a word", "*1\r\n$16777217\r\n", NULL, "invalid bulk length"},
    {"a word longer than said", "*1\r\n$1\r\nab\r\n", NULL,
     "a word is longer than its length says"},
    {"an open quote", "GET \"a\r\n", NULL, "unbalanced quotes in request"},
    {"more behind a quote", "GET \"a\"b\r\n", NULL, "unbalanced quotes in request"},
    {"a browser", "POST / HTTP/1.1\r\n", NULL, "this is not an HTTP port"},
    {"a browser's header", "Host: a\r\n", NULL, "this is not an HTTP port"},
};

static void join(const struct sl_resp_parser *parser, struct sl_buf *out)
{
    for (uint32_t i = 0; i < parser->word_count; i++) {
        if (i > 0)
            sl_buf_byte(out, '|');
        sl_buf_text(out, parser->words[i]);
    }
}

/* Bytes arrive `step` at a time, each time at another place in memory. */
static enum sl_resp_verdict feed(const char *bytes, size_t len, size_t step,
                                 struct sl_resp_parser *parser, uint8_t **out_memory)
{
    enum sl_resp_verdict verdict = SL_RESP_MORE;
    uint8_t *memory = NULL;

    for (size_t at = 0; at < len && verdict == SL_RESP_MORE;) {
        const size_t next = at + step < len ? at + step : len;
        uint8_t *fresh = malloc(next);
        if (memory)
            memcpy(fresh, memory, at);
        memcpy(fresh + at, bytes + at, next - at);
        free(memory);
        memory = fresh;
        at = next;
        verdict = sl_resp_parse(parser, memory, at);
    }
    *out_memory = memory;
    return verdict;
}

static void check_row(size_t i, size_t step)
{
    struct sl_resp_parser parser = {0};
    struct sl_buf words = {0};
    uint8_t *memory;
    const size_t len = strlen(rows[i].bytes);
    const enum sl_resp_verdict verdict = feed(rows[i].bytes, len, step, &parser, &memory);
    bool good;

    join(&parser, &words);
    if (rows[i].error)
        good = verdict == SL_RESP_BAD && strcmp(parser.error, rows[i].error) == 0;
    else if (rows[i].words)
        good = verdict == SL_RESP_WHOLE && parser.used == len && parser.word_count > 0 &&
               words.len == strlen(rows[i].words) &&
               (words.len == 0 || memcmp(words.ptr, rows[i].words, words.len) == 0);
    else
        good = verdict == SL_RESP_WHOLE && parser.used == len && parser.word_count == 0;
    if (!good)
        tap_note("%s, by %zu: verdict %d %s", rows[i].name, step, (int)verdict,
                 verdict == SL_RESP_BAD ? parser.error : "");
    CHECK(good);
    sl_buf_close(&words);
    sl_resp_parser_close(&parser);
    free(memory);
}

static void judges(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t step = 1; step <= 64; step *= 4)
            check_row(i, step);
}

static void takes_one_after_the_other(void)
{
    uint8_t bytes[] = "PING\r\n*1\r\n$4\r\nECHO\r\nQUIT\n";
    static const char *const names[] = {"PING", "ECHO", "QUIT"};
    struct sl_resp_parser parser = {0};
    size_t at = 0;

    for (size_t i = 0; i < 3; i++) {
        CHECK(sl_resp_parse(&parser, bytes + at, sizeof bytes - 1 - at) == SL_RESP_WHOLE);
        REQUIRE(parser.word_count == 1);
        CHECK_TEXT(parser.words[0], names[i]);
        at += parser.used;
        sl_resp_parser_reset(&parser);
    }
    CHECK_U64(at, sizeof bytes - 1);
    sl_resp_parser_close(&parser);
}

/* A long word says how much must come before it is worth looking again. */
static void says_what_it_needs(void)
{
    uint8_t bytes[] = "*2\r\n$3\r\nSET\r\n$1000\r\nabc";
    struct sl_resp_parser parser = {0};

    CHECK(sl_resp_parse(&parser, bytes, sizeof bytes - 1) == SL_RESP_MORE);
    CHECK_U64(parser.need, 13 + 7 + 1000 + 2);
    sl_resp_parser_close(&parser);
}

static void bounds_lines_and_commands(void)
{
    struct sl_resp_parser parser = {0};
    uint8_t *bytes = malloc(SL_RESP_INLINE_MAX);
    REQUIRE(bytes);

    memset(bytes, 'a', SL_RESP_INLINE_MAX);
    CHECK(sl_resp_parse(&parser, bytes, SL_RESP_INLINE_MAX - 1) == SL_RESP_MORE);
    CHECK(sl_resp_parse(&parser, bytes, SL_RESP_INLINE_MAX) == SL_RESP_BAD);
    CHECK_STRING(parser.error, "too big inline request");
    sl_resp_parser_close(&parser);
    free(bytes);

    /* Two words, each within its limit, are together too long: known before they are there. */
    struct sl_buf two = {.bytes_max = 64 << 20};
    SL_BUF_LITERAL(&two, "*2\r\n$16777216\r\n");
    REQUIRE(sl_buf_reserve(&two, SL_RESP_BULK_MAX + 64));
    memset(two.ptr + two.len, 'x', SL_RESP_BULK_MAX);
    two.len += SL_RESP_BULK_MAX;
    SL_BUF_LITERAL(&two, "\r\n$16777216\r\n");
    CHECK(sl_resp_parse(&parser, two.ptr, two.len) == SL_RESP_BAD);
    CHECK_STRING(parser.error, "too big command");
    sl_resp_parser_close(&parser);
    sl_buf_close(&two);
}

int main(void)
{
    return TAP_RUN({"commands, good and bad, cut anywhere", judges},
                   {"one command after the other", takes_one_after_the_other},
                   {"a long word says what it needs", says_what_it_needs},
                   {"lines and commands are bounded", bounds_lines_and_commands});
}
