/* SipHash-2-4 with 128 bits (Aumasson and Bernstein): a hash with a key. Who does not know the key
 * can neither guess it nor make two inputs that collide. */
#ifndef SL_BASE_SIPHASH_H
#define SL_BASE_SIPHASH_H

#include "base/error.h"

/* Several parts as if joined. Any thread. */
struct sl_uuid sl_siphash128(struct sl_uuid key, const struct sl_slice *parts, size_t count);

#endif
