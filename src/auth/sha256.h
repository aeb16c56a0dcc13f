/* SHA-256 (FIPS 180-4): what tokens are kept and compared as. Any thread. */
#ifndef SL_AUTH_SHA256_H
#define SL_AUTH_SHA256_H

#include <sluice/types.h>

struct sl_sha256 {
    uint8_t bytes[32];
};

/* The digest of the bytes, which may be none. */
struct sl_sha256 sl_sha256(struct sl_text bytes);

/* Takes the same time wherever they differ. */
bool sl_sha256_equals(const struct sl_sha256 *a, const struct sl_sha256 *b);

#endif
