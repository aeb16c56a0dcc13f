/*
 * What our parsers make of bytes, for comparing with another's: reads inputs from stdin, each a
 * length of four bytes (big-endian) and so many bytes, and prints a line of JSON for each:
 *
 *     {"ends": [[40, 0], [97, 5]], "last": "refused", "why": "bare_line_feed"}
 *
 * Where each request ends and how long its body is; and what is behind the last one: "more" has to
 * come, the connection is "closed" because that request said so, or what follows is "refused".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_chunked.h"
#include "net/http_head.h"

enum { INPUT_MAX = 1 << 20, HEAD_MAX = 16 << 10 };

static struct sl_header headers[SL_HTTP_HEADERS_MAX];

/* Length of the body at `bytes`; false: it is not whole, or broken (`*out_why`). */
static bool read_body(const struct sl_http_head *head, const uint8_t *bytes, size_t len,
                      size_t *out_used, size_t *out_body, const char **out_why)
{
    struct sl_chunked chunked = {0};
    size_t at = 0, body = 0;

    *out_used = *out_body = (size_t)head->content_length;
    if (!head->chunked)
        return head->content_length <= len;
    for (;;) {
        struct sl_slice data = {0};
        size_t used = 0;
        const enum sl_chunked_verdict verdict =
            sl_chunked_next(&chunked, bytes + at, len - at, &used, &data);
        if (verdict == SL_CHUNKED_BAD)
            *out_why = "bad_chunk";
        if (verdict == SL_CHUNKED_BAD || verdict == SL_CHUNKED_MORE)
            return false;
        at += used;
        body += data.len;
        *out_used = at;
        *out_body = body;
        if (verdict == SL_CHUNKED_DONE)
            return true;
    }
}

static void judge(uint8_t *bytes, size_t len)
{
    const char *last = "more", *why = NULL, *comma = "";
    size_t at = 0;

    printf("{\"ends\": [");
    while (at < len) {
        struct sl_http_head head = {.headers = headers};
        size_t used = 0, body_used = 0, body = 0;
        const enum sl_head_verdict verdict =
            sl_http_head_parse((char *)bytes + at, len - at, HEAD_MAX, &head, &used);
        if (verdict == SL_HEAD_BAD)
            why = head.fault.rule;
        if (verdict != SL_HEAD_WHOLE ||
            !read_body(&head, bytes + at + used, len - at - used, &body_used, &body, &why))
            break;
        at += used + body_used;
        printf("%s[%zu, %zu]", comma, at, body);
        comma = ", ";
        if (!head.keep_alive) {
            last = "closed";
            break;
        }
    }
    printf("], \"last\": \"%s\", \"why\": \"%s\"}\n", why ? "refused" : last, why ? why : "");
}

int main(void)
{
    uint8_t size[4];

    while (fread(size, 1, sizeof size, stdin) == sizeof size) {
        const size_t len =
            (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | (size_t)size[3];
        /* Exactly as large as the bytes, so that a sanitizer sees a read behind them. */
        uint8_t *bytes = len <= INPUT_MAX ? malloc(len > 0 ? len : 1) : NULL;
        if (!bytes || fread(bytes, 1, len, stdin) != len) {
            free(bytes);
            return 1;
        }
        judge(bytes, len);
        free(bytes);
    }
    return 0;
}
