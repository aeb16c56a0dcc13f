/*
 * HTTP/2 as src/net uses nghttp2: a connection behind its preface, in pieces, with answers in
 * between. After each piece the sums that decide about time limits and about who may send on are
 * counted anew.
 *
 * The first byte says what the rest is: raw bytes, or (odd) frames as {type, flags, stream, bytes
 * of payload}, a byte each, and the payload, so that what is mutated stays a row of frames. The
 * next two say how it is cut.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "wire.h"

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

static void write_frames(struct sl_buf *out, const uint8_t *p, size_t len)
{
    while (len >= 4) {
        size_t payload = p[3];
        if (payload > len - 4)
            payload = len - 4;
        const uint8_t head[9] = {0, 0, (uint8_t)payload, p[0] % 16, p[1], 0, 0, 0, p[2]};
        sl_buf_append(out, head, sizeof head);
        sl_buf_append(out, p + 4, payload);
        p += 4 + payload;
        len -= 4 + payload;
    }
}

static void check_sums(const struct wire *wire)
{
    if (!wire->net->conns || wire->conn->closed)
        return;
    const struct http_conn *http = (const struct http_conn *)wire->conn;
    size_t windowed = 0, bodies = 0, in_work = 0;
    bool last_found = !http->first && !http->last;

    for (const struct http_request *r = http->first; r; r = r->next) {
        windowed += r->held.len - r->h2.sent;
        bodies += r->h2.dispatched ? 0 : r->body.len;
        in_work += r->h2.dispatched && !r->answered;
        last_found |= r == http->last && !r->next;
    }
    SL_ASSERT(last_found, "the list has its end");
    SL_ASSERT(http->conn.in_work == in_work, "what is in work");
    SL_ASSERT(http->h2->body_bytes == bodies, "bodies that arrive");
    SL_ASSERT(http->conn.ending || http->conn.windowed == windowed, "what waits for the window");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    struct sl_buf sent = {.bytes_max = 1 << 20};
    struct wire wire;
    size_t at = 0;

    if (len < 3 || len > (16 << 10))
        return 0;
    uint32_t cuts = bytes[1] + 256U * bytes[2];
    sl_buf_append(&sent, preface, sizeof preface - 1);
    if (bytes[0] & 1) {
        const uint8_t settings[9] = {0, 0, 0, NGHTTP2_SETTINGS};
        sl_buf_append(&sent, settings, sizeof settings);
        write_frames(&sent, bytes + 3, len - 3);
    } else {
        sl_buf_append(&sent, bytes + 3, len - 3);
    }
    wire_open(&wire, WIRE_HTTP, NULL, true);
    while (at < sent.len) {
        size_t piece = sent.len - at;
        if (cuts > 0) {
            const size_t most = 1 + next(&cuts) % (next(&cuts) % 2 == 0 ? 400 : 20);
            piece = piece < most ? piece : most;
        }
        if (!wire_send(&wire, sent.ptr + at, piece))
            break;
        at += piece;
        wire_turn(&wire);
        check_sums(&wire);
        if (cuts > 0 && next(&cuts) % 8 == 0) {
            wire_answer(&wire);
            check_sums(&wire);
        }
    }
    wire_answer(&wire);
    check_sums(&wire);
    wire_close(&wire);
    sl_buf_close(&sent);
    return 0;
}
