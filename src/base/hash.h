/* Hashes: XXH3 (xxhash) for tables, checksums and digests. Not for secrets. */
#ifndef SL_BASE_HASH_H
#define SL_BASE_HASH_H

#include "base/error.h"

uint64_t sl_hash64(const void *bytes, size_t len, uint64_t seed);

/* 128 bits: for ids made from text, digests of bodies. Several parts as if joined. */
struct sl_uuid sl_hash128(const struct sl_slice *parts, size_t count, uint64_t seed);

/* An id made of other things: as sl_hash128, but marked as a UUID of version 8 (RFC 9562), so that
 * nobody takes it for one of version 7 and believes the time in it. */
struct sl_uuid sl_hash_id(const struct sl_slice *parts, size_t count, uint64_t seed);

/* A number that a UUID's own bits make, well spread. Whoever can choose ids can make them collide:
 * tables over ids from strangers take sl_hash64 with a random seed. */
uint64_t sl_hash_uuid(struct sl_uuid id);

#endif
