/*
 * The chunked transfer coding (RFC 9112, section 7.1), decoded piece by piece: bytes in, verdict
 * out. No I/O, no memory of its own.
 */
#ifndef SL_NET_HTTP_CHUNKED_H
#define SL_NET_HTTP_CHUNKED_H

#include "base/error.h"

enum sl_chunked_verdict {
    SL_CHUNKED_MORE = 0, /* all bytes were used, and it goes on */
    SL_CHUNKED_DATA,     /* `*out_data` belongs to the body; call again with the rest */
    SL_CHUNKED_DONE,     /* the body is complete, trailers included */
    SL_CHUNKED_BAD,
};

/* Zero-initialise it. */
struct sl_chunked {
    uint64_t left;  /* bytes of the current chunk still to come */
    uint32_t aside; /* bytes of extensions and trailers so far */
    uint8_t state;
    uint8_t digits;
};

/* Extensions are checked and ignored, trailers likewise; both together at most 8 KiB a body. A
 * chunk has at most 8 digits of length. `*out_used` says how many bytes were consumed (not on BAD).
 */
enum sl_chunked_verdict sl_chunked_next(struct sl_chunked *chunked, const uint8_t *bytes,
                                        size_t len, size_t *out_used, struct sl_slice *out_data);

#endif
