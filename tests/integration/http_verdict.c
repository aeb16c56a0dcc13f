/*
 * What our parsers make of bytes, for comparing with another's: reads inputs from stdin, each a
 * length of four bytes (big-endian), four bytes that say how they come (0: at once; else the seed
 * of pieces) and so many bytes, and prints a line of JSON for each:
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

enum { INPUT_MAX = 1 << 20, HEAD_MAX = 16 << 10, PIECE_MAX = 24 };

static struct sl_header headers[SL_HTTP_HEADERS_MAX];

struct reading {
    uint8_t *bytes;
    size_t at, have; /* of the bytes, so many have come */
    struct sl_http_head head;
    struct sl_chunked chunked;
    size_t body;
    const char *why;
    uint32_t count; /* requests that were whole */
    bool in_body;
    bool closed;
};

/* False: more has to come, or the body is broken (`why`). */
static bool read_body(struct reading *r)
{
    if (!r->head.chunked) {
        r->body = (size_t)r->head.content_length;
        if (r->head.content_length > r->have - r->at)
            return false;
        r->at += r->body;
        return true;
    }
    for (;;) {
        struct sl_slice data = {0};
        size_t used = 0;
        const enum sl_chunked_verdict verdict =
            sl_chunked_next(&r->chunked, r->bytes + r->at, r->have - r->at, &used, &data);
        if (verdict == SL_CHUNKED_BAD) {
            r->why = "bad_chunk";
            return false;
        }
        r->at += used;
        r->body += data.len;
        if (verdict == SL_CHUNKED_MORE || verdict == SL_CHUNKED_DONE)
            return verdict == SL_CHUNKED_DONE;
    }
}

/* Reads one request, or goes on with it. False: there is no more to be made of what has come. */
static bool read_one(struct reading *r)
{
    size_t used = 0;

    if (!r->in_body) {
        r->head = (struct sl_http_head){.headers = headers};
        const enum sl_head_verdict verdict = sl_http_head_parse(
            (char *)r->bytes + r->at, r->have - r->at, HEAD_MAX, &r->head, &used);
        if (verdict == SL_HEAD_BAD)
            r->why = r->head.fault.rule;
        if (verdict != SL_HEAD_WHOLE)
            return false;
        r->at += used;
        r->in_body = true;
        r->chunked = (struct sl_chunked){0};
        r->body = 0;
    }
    if (!read_body(r))
        return false;
    printf("%s[%zu, %zu]", r->count++ > 0 ? ", " : "", r->at, r->body);
    r->in_body = false;
    r->closed = !r->head.keep_alive;
    return !r->closed;
}

/* `cuts` 0: all bytes have come at once; else it is the seed of the pieces. */
static void judge(uint8_t *bytes, size_t len, uint32_t cuts)
{
    struct reading r = {.bytes = bytes};

    printf("{\"ends\": [");
    while (r.have < len && !r.why && !r.closed) {
        cuts = cuts * 1664525 + (cuts > 0 ? 1013904223 : 0);
        const size_t piece = cuts > 0 ? 1 + (cuts >> 16) % PIECE_MAX : len;
        r.have = len - r.have < piece ? len : r.have + piece;
        while ((r.in_body || r.at < r.have) && read_one(&r))
            ;
    }
    const char *last = r.why ? "refused" : r.closed ? "closed" : "more";
    printf("], \"last\": \"%s\", \"why\": \"%s\"}\n", last, r.why ? r.why : "");
}

static uint32_t word(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

int main(void)
{
    uint8_t start[8];

    while (fread(start, 1, sizeof start, stdin) == sizeof start) {
        const size_t len = word(start);
        /* Exactly as large as the bytes, so that a sanitizer sees a read behind them. */
        uint8_t *bytes = len <= INPUT_MAX ? malloc(len > 0 ? len : 1) : NULL;
        if (!bytes || fread(bytes, 1, len, stdin) != len) {
            free(bytes);
            return 1;
        }
        judge(bytes, len, word(start + 4));
        free(bytes);
    }
    return 0;
}
