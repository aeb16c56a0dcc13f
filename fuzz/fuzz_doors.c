/*
 * Both ports in clear, with a whole connection of bytes: sent at once, and sent in pieces, with
 * answers that come in another order. Handlers see the same requests, the peer gets the same bytes.
 *
 * The first byte says which port, the next two how the bytes are cut.
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

/* "100 Continue" is said to who seems to wait for it, which does depend on the pieces. */
static void drop_continues(struct sl_buf *got)
{
    static const char proceed[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const size_t len = sizeof proceed - 1;
    uint8_t *at;

    while (got->len > 0 && (at = memmem(got->ptr, got->len, proceed, len))) {
        memmove(at, at + len, (size_t)(got->ptr + got->len - at) - len);
        got->len -= len;
    }
}

static void talk(struct wire *wire, enum wire_kind kind, const uint8_t *bytes, size_t len,
                 uint32_t cuts)
{
    size_t at = 0;

    wire_open(wire, kind, NULL, false);
    while (at < len) {
        size_t piece = len - at;
        if (cuts > 0) {
            const size_t most = 1 + next(&cuts) % (next(&cuts) % 4 == 0 ? 200 : 12);
            piece = piece < most ? piece : most;
        }
        if (!wire_send(wire, bytes + at, piece))
            break;
        at += piece;
        wire_turn(wire);
        if (cuts > 0 && next(&cuts) % 8 == 0)
            wire_answer(wire);
    }
    /* A head that is bad already may wait for the end of its line to be looked at. */
    if (at == len)
        wire_send(wire, (const uint8_t *)"\n", 1);
    wire_turn(wire);
    /* What was let in when something was answered may wait in its turn. */
    for (int i = 0; i < 64 && wire->later_count > 0; i++)
        wire_answer(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct wire whole, pieces;

    if (len < 3 || len > (32 << 10))
        return 0;
    const enum wire_kind kind = bytes[0] % WIRE_KINDS;
    const uint32_t cuts = 1U + bytes[1] + 256U * bytes[2];
    talk(&whole, kind, bytes + 3, len - 3, 0);
    talk(&pieces, kind, bytes + 3, len - 3, cuts);
    drop_continues(&whole.got);
    drop_continues(&pieces.got);
    SL_ASSERT(sl_text_equals(sl_buf_as_text(&whole.seen), sl_buf_as_text(&pieces.seen)),
              "the same requests");
    SL_ASSERT(sl_text_equals(sl_buf_as_text(&whole.got), sl_buf_as_text(&pieces.got)),
              "the same answers");
    wire_close(&pieces);
    wire_close(&whole);
    return 0;
}
