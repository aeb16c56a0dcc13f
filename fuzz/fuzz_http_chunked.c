/* A chunked body, whole and byte by byte: the same body, the same end, the same verdict. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/http_chunked.h"

static struct sl_buf whole, pieces;

static enum sl_chunked_verdict decode(const uint8_t *bytes, size_t len, size_t step,
                                      struct sl_buf *out, size_t *out_used)
{
    struct sl_chunked chunked = {0};
    enum sl_chunked_verdict verdict = SL_CHUNKED_MORE;
    size_t at = 0;

    sl_buf_reset(out);
    while (at < len && verdict != SL_CHUNKED_BAD && verdict != SL_CHUNKED_DONE) {
        const size_t piece = len - at < step ? len - at : step;
        struct sl_slice data = {0};
        size_t used = 0;
        uint8_t *copy = malloc(piece);
        SL_ASSERT(copy);
        memcpy(copy, bytes + at, piece);
        verdict = sl_chunked_next(&chunked, copy, piece, &used, &data);
        SL_ASSERT(verdict == SL_CHUNKED_BAD || used <= piece, "within");
        SL_ASSERT(verdict != SL_CHUNKED_MORE || used == piece, "more means all was used");
        if (verdict == SL_CHUNKED_DATA) {
            SL_ASSERT(data.ptr >= copy && data.ptr + data.len == copy + used, "data within");
            sl_buf_append(out, data.ptr, data.len);
        }
        free(copy);
        at += used;
    }
    *out_used = at;
    return verdict == SL_CHUNKED_DATA ? SL_CHUNKED_MORE : verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    size_t used, used_pieces;
    const enum sl_chunked_verdict verdict = decode(bytes, len, SIZE_MAX, &whole, &used);

    SL_ASSERT(decode(bytes, len, 1, &pieces, &used_pieces) == verdict, "the same verdict");
    SL_ASSERT(sl_text_equals(sl_buf_as_text(&whole), sl_buf_as_text(&pieces)), "the same body");
    SL_ASSERT(verdict == SL_CHUNKED_BAD || used == used_pieces, "the same end");
    if (verdict == SL_CHUNKED_DONE)
        SL_ASSERT(used >= 5 && memcmp(bytes + used - 2, "\r\n", 2) == 0, "ends with a line");
    return 0;
}
