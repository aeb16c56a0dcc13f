#include "net/http_head.h"
#include "tap/tap.h"

#include <stdlib.h>
#include <string.h>

#define H "Host: a\r\n"

struct row {
    const char *name;
    const char *bytes;
    int status; /* 0: good, 1: more is needed, else the refusal's */
    const char *rule;
};

static const struct row rows[] = {
    {"the least", "GET / HTTP/1.1\r\n" H "\r\n", 0, NULL},
    {"HTTP/1.0 without host", "GET / HTTP/1.0\r\n\r\n", 0, NULL},
    {"an empty line before", "\r\nGET / HTTP/1.1\r\n" H "\r\n", 0, NULL},
    {"an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, NULL},
    {"a host with a port", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0, NULL},
    {"absolute form", "GET http://A/x?y HTTP/1.1\r\n" H "\r\n", 0, NULL},
    {"absolute form without path", "GET HTTPS://a HTTP/1.1\r\n" H "\r\n", 0, NULL},
    {"asterisk", "OPTIONS * HTTP/1.1\r\n" H "\r\n", 0, NULL},
    {"no space behind the colon", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", 0, NULL},
    {"obs-text in a value", "GET / HTTP/1.1\r\n" H "X: \xc3\xa4\r\n\r\n", 0, NULL},
    {"browsers' queries", "GET /?a=[1]|{2}^` HTTP/1.1\r\n" H "\r\n", 0, NULL},
    {"chunked in any case", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n", 0, NULL},

    {"nothing", "", 1, NULL},
    {"half a method", "GE", 1, NULL},
    {"no empty line", "GET / HTTP/1.1\r\n" H, 1, NULL},
    {"half an empty line", "GET / HTTP/1.1\r\n" H "\r", 1, NULL},
    {"half a target", "GET http:", 1, NULL},

    {"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 400, "bad_request_line"},
    {"HTTP/0.9", "GET /\r\n\r\n", 400, "bad_target"},
    {"lower-case method", "get / HTTP/1.1\r\n" H "\r\n", 501, "method_not_known"},
    {"unknown method", "BREW / HTTP/1.1\r\n" H "\r\n", 501, "method_not_known"},
    {"CONNECT", "CONNECT a:1 HTTP/1.1\r\n" H "\r\n", 501, "method_not_known"},
    {"control in method", "G\x01T / HTTP/1.1\r\n", 400, "bad_request_line"},
    {"two spaces", "GET  / HTTP/1.1\r\n", 400, "bad_target"},
    {"a tab", "GET\t/ HTTP/1.1\r\n", 400, "bad_request_line"},
    {"space behind the version", "GET / HTTP/1.1 \r\n", 400, "invalid_character"},
    {"TLS", "\x16\x03\x01", 400, "bad_request_line"},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n", 501, "method_not_known"},
    {"HTTP/2.0", "GET / HTTP/2.0\r\n", 505, "version_not_supported"},
    {"HTTP/1.2", "GET / HTTP/1.2\r\n", 505, "version_not_supported"},
    {"http/1.1", "GET / http/1.1\r\n", 400, "bad_request_line"},
    {"HTTP/1.10", "GET / HTTP/1.10\r\n", 400, "invalid_character"},
    {"fragment", "GET /a#b HTTP/1.1\r\n", 400, "bad_target"},
    {"raw umlaut", "GET /\xc3\xa4 HTTP/1.1\r\n", 400, "bad_target"},
    {"NUL is no path", "GET /a\x7f HTTP/1.1\r\n", 400, "bad_target"},
    {"half an escape", "GET /a%2 HTTP/1.1\r\n", 400, "bad_target"},
    {"a wrong escape", "GET /a%zz HTTP/1.1\r\n", 400, "bad_target"},
    {"a wrong escape in the query", "GET /?%zz HTTP/1.1\r\n", 400, "bad_target"},
    {"relative target", "GET a HTTP/1.1\r\n", 400, "bad_target"},
    {"asterisk for GET", "GET * HTTP/1.1\r\n", 400, "bad_target"},
    {"user in the target", "GET http://u@b/ HTTP/1.1\r\n", 400, "bad_target"},
    {"another scheme", "GET ftp://b/ HTTP/1.1\r\n", 400, "bad_target"},
    {"absolute form of another host", "GET http://b/ HTTP/1.1\r\n" H "\r\n", 400, "bad_host"},
    {"absolute form of another port", "GET http://a:1/ HTTP/1.1\r\n" H "\r\n", 400, "bad_host"},
    {"absolute form, no host", "GET http:///x HTTP/1.1\r\n", 400, "bad_target"},

    {"bare LF behind the request line", "GET / HTTP/1.1\n" H "\r\n", 400, "bare_line_feed"},
    {"bare LF behind a header", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "bare_line_feed"},
    {"bare LF as empty line", "GET / HTTP/1.1\r\n" H "\n", 400, "bare_line_feed"},
    {"bare CR in a value", "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", 400, "bare_carriage_return"},
    {"bare CR as empty line", "GET / HTTP/1.1\r\n" H "\rX", 400, "bare_carriage_return"},
    {"folded line", "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 400, "folded_line"},
    {"folded by a tab", "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", 400, "folded_line"},
    {"space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "folded_line"},
    {"space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "bad_header_name"},
    {"tab before the colon", "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", 400, "bad_header_name"},
    {"no name", "GET / HTTP/1.1\r\n: a\r\n\r\n", 400, "bad_header_name"},
    {"no colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", 400, "bad_header"},
    {"a control in a value", "GET / HTTP/1.1\r\n" H "X: a\x0b\r\n\r\n", 400, "invalid_character"},
    {"no host", "GET / HTTP/1.1\r\n\r\n", 400, "host_missing"},
    {"absolute form needs one too", "GET http://b/ HTTP/1.1\r\n\r\n", 400, "host_missing"},
    {"two hosts", "GET / HTTP/1.1\r\n" H H "\r\n", 400, "host_twice"},
    {"two hosts in one", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "bad_host"},
    {"a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_host"},
    {"a host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "bad_host"},
    {"a port of letters", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, "bad_host"},
    {"another expectation", "GET / HTTP/1.1\r\n" H "Expect: 200-ok\r\n\r\n", 417,
     "expectation_failed"},

    /* Request smuggling: where two programs in a row would see different ends. */
    {"CL.TE", "POST / HTTP/1.1\r\n" H "Content-Length: 13\r\nTransfer-Encoding: chunked\r\n\r\n",
     400, "two_lengths"},
    {"TE.CL", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
     400, "two_lengths"},
    {"CL.CL differing", "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
     400, "content_length_twice"},
    {"CL.CL the same", "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
     400, "content_length_twice"},
    {"CL as a list", "POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n", 400,
     "bad_content_length"},
    {"CL with a sign", "POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n", 400,
     "bad_content_length"},
    {"CL below zero", "POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", 400,
     "bad_content_length"},
    {"CL in hexadecimal", "POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n", 400,
     "bad_content_length"},
    {"CL empty", "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400, "bad_content_length"},
    {"CL over 64 bits", "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551617\r\n\r\n", 400,
     "bad_content_length"},
    {"TE.TE", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
     400, "transfer_encoding_twice"},
    {"TE other", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 501,
     "bad_transfer_encoding"},
    {"TE a list", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501,
     "bad_transfer_encoding"},
    {"TE identity", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 501,
     "bad_transfer_encoding"},
    {"TE quoted", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n", 501,
     "bad_transfer_encoding"},
    {"TE with a vertical tab",
     "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
     "chunked\r\n\r\n",
     400, "invalid_character"},
    {"TE with space before the colon",
     "POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n", 400, "bad_header_name"},
    {"TE folded", "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n\r\n", 501,
     "bad_transfer_encoding"},
    {"TE hidden behind a bare CR",
     "POST / HTTP/1.1\r\n" H "X: a\rTransfer-Encoding: chunked\r\n\r\n", 400,
     "bare_carriage_return"},
    {"TE hidden behind a bare LF",
     "POST / HTTP/1.1\r\n" H "X: a\nTransfer-Encoding: chunked\r\n\r\n", 400, "bare_line_feed"},
    {"TE in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     "bad_transfer_encoding"},
};

static enum sl_head_verdict parse(const char *bytes, size_t len, size_t max,
                                  struct sl_http_head *head, size_t *out_used, char **out_copy)
{
    static struct sl_header headers[SL_HTTP_HEADERS_MAX];

    /* Exactly as large as the bytes, so that the sanitizer sees a read behind them. */
    *out_copy = malloc(len > 0 ? len : 1);
    if (len > 0)
        memcpy(*out_copy, bytes, len);
    *head = (struct sl_http_head){.headers = headers};
    return sl_http_head_parse(*out_copy, len, max, head, out_used);
}

static void check_row(const struct row *row)
{
    struct sl_http_head head;
    size_t used = 0;
    char *copy;
    const size_t len = strlen(row->bytes);
    const enum sl_head_verdict verdict = parse(row->bytes, len, 16384, &head, &used, &copy);
    bool good;

    if (row->status == 0)
        good = verdict == SL_HEAD_WHOLE && used == len;
    else if (row->status == 1)
        good = verdict == SL_HEAD_MORE;
    else
        good = verdict == SL_HEAD_BAD && head.fault.status == row->status &&
               strcmp(head.fault.rule, row->rule) == 0;
    if (!good)
        tap_note("%s: verdict %d, %d %s", row->name, (int)verdict, head.fault.status,
                 verdict == SL_HEAD_BAD ? head.fault.rule : "");
    CHECK(good);
    free(copy);
}

static void judges(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(&rows[i]);
}

/* No prefix of a good head is bad or whole, and what is bad stays bad with more behind it. */
static void does_not_depend_on_cuts(void)
{
    struct sl_http_head head;
    size_t used;
    char *copy;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool was_bad = false;
        for (size_t len = 0; len <= strlen(rows[i].bytes); len++) {
            const enum sl_head_verdict verdict =
                parse(rows[i].bytes, len, 16384, &head, &used, &copy);
            if (was_bad && verdict != SL_HEAD_BAD)
                tap_note("%s, cut at %zu", rows[i].name, len);
            CHECK(!was_bad || verdict == SL_HEAD_BAD);
            CHECK(rows[i].status > 1 || verdict != SL_HEAD_BAD);
            CHECK(verdict != SL_HEAD_WHOLE || len == strlen(rows[i].bytes));
            was_bad = verdict == SL_HEAD_BAD;
            free(copy);
        }
    }
}

static void finds_the_parts(void)
{
    static const char bytes[] = "POST /a%20b/c?x=1&y HTTP/1.1\r\nHost: h:1\r\nX-Two:  v w \t\r\n"
                                "Content-Length: 42\r\nExpect: 100-Continue\r\n\r\nbody";
    struct sl_http_head head;
    size_t used = 0;
    char *copy;

    REQUIRE(parse(bytes, sizeof bytes - 1, 16384, &head, &used, &copy) == SL_HEAD_WHOLE);
    CHECK_U64(used, sizeof bytes - 1 - 4);
    CHECK(head.method == SL_POST);
    CHECK_TEXT(head.path, "/a%20b/c");
    CHECK(head.path_escaped);
    CHECK_TEXT(head.query, "x=1&y");
    CHECK_TEXT(head.host, "h:1");
    CHECK_U64(head.header_count, 4);
    CHECK_TEXT(head.headers[1].name, "x-two");
    CHECK_TEXT(head.headers[1].value, "v w");
    CHECK(head.has_length && head.content_length == 42);
    CHECK(head.expects_continue && head.keep_alive && !head.chunked);
    free(copy);
}

static void knows_who_stays(void)
{
    static const struct {
        const char *bytes;
        bool stays;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", true},
        {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: x , CLOSE\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: x ,\tkeep-alive ,\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: x keep-alive\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" H "Connection: ,,x close, y\r\n\r\n", false},
    };
    struct sl_http_head head;
    size_t used;
    char *copy;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t len = strlen(cases[i].bytes);
        CHECK(parse(cases[i].bytes, len, 16384, &head, &used, &copy) == SL_HEAD_WHOLE);
        CHECK(head.keep_alive == cases[i].stays);
        free(copy);
    }
}

/* Host says the same, or the request is refused: see the table. */
static void target_names_the_host(void)
{
    static const char bytes[] = "GET http://b:1/x HTTP/1.1\r\nHost: B:1\r\n\r\n";
    struct sl_http_head head;
    size_t used;
    char *copy;

    REQUIRE(parse(bytes, sizeof bytes - 1, 16384, &head, &used, &copy) == SL_HEAD_WHOLE);
    CHECK_TEXT(head.host, "B:1");
    CHECK_TEXT(head.path, "/x");
    free(copy);
}

static void has_limits(void)
{
    static const char bytes[] = "GET /aaaa HTTP/1.1\r\nHost: a\r\n\r\n";
    const size_t len = sizeof bytes - 1;
    struct sl_http_head head;
    size_t used;
    char *copy, many[4096] = "GET / HTTP/1.1\r\nHost: a\r\n";

    CHECK(parse(bytes, len, len, &head, &used, &copy) == SL_HEAD_WHOLE);
    free(copy);
    CHECK(parse(bytes, len, len - 1, &head, &used, &copy) == SL_HEAD_BAD);
    CHECK_U64(head.fault.status, 431);
    free(copy);
    CHECK(parse(bytes, len - 1, len - 1, &head, &used, &copy) == SL_HEAD_BAD);
    CHECK_U64(head.fault.status, 431);
    free(copy);
    CHECK(parse(bytes, 12, 10, &head, &used, &copy) == SL_HEAD_BAD);
    CHECK_U64(head.fault.status, 414);
    free(copy);
    for (int i = 1; i < SL_HTTP_HEADERS_MAX; i++)
        strcat(many, "X: y\r\n");
    strcat(many, "\r\n");
    CHECK(parse(many, strlen(many), 16384, &head, &used, &copy) == SL_HEAD_WHOLE);
    CHECK_U64(head.header_count, SL_HTTP_HEADERS_MAX);
    free(copy);
    strcpy(many + strlen(many) - 2, "X: y\r\n\r\n");
    CHECK(parse(many, strlen(many), 16384, &head, &used, &copy) == SL_HEAD_BAD);
    CHECK_STRING(head.fault.rule, "too_many_headers");
    free(copy);
}

static void decodes_once(void)
{
    static const struct {
        const char *raw;
        bool plus;
        const char *decoded;
    } cases[] = {
        {"/a", false, "/a"},           {"/a%20b", false, "/a b"}, {"%2525", false, "%25"},
        {"a+b", false, "a+b"},         {"a+b%2B", true, "a b+"},  {"%zz%4", false, "%zz%4"},
        {"%c3%A4", false, "\xc3\xa4"},
    };
    char out[32];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct sl_text raw = {cases[i].raw, strlen(cases[i].raw)};
        const struct sl_text text = {out, sl_http_decode(raw, cases[i].plus, out)};
        CHECK_TEXT(text, cases[i].decoded);
    }
}

static void knows_good_paths(void)
{
    CHECK(sl_http_path_good(SL_TEXT("/")));
    CHECK(sl_http_path_good(SL_TEXT("/a/..b/c../...")));
    CHECK(!sl_http_path_good(SL_TEXT("/..")));
    CHECK(!sl_http_path_good(SL_TEXT("/../a")));
    CHECK(!sl_http_path_good(SL_TEXT("/a/../b")));
    CHECK(!sl_http_path_good(SL_TEXT("..")));
    CHECK(!sl_http_path_good(SL_TEXT("/a\0b")));
}

int main(void)
{
    return TAP_RUN(
        {"good, unfinished and bad heads", judges},
        {"a verdict does not depend on where the bytes were cut", does_not_depend_on_cuts},
        {"the parts of a head", finds_the_parts}, {"which connections stay", knows_who_stays},
        {"the target's authority counts", target_names_the_host},
        {"limits of bytes and lines", has_limits}, {"percent signs are decoded once", decodes_once},
        {"paths do not climb", knows_good_paths});
}
