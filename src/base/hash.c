#include "base/hash.h"
#include "base/bytes.h"

#include <string.h>
/* Compiled in, not called: most keys are so short that the call would cost as much as the hash. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t sl_hash64(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

struct sl_uuid sl_hash128(const struct sl_slice *parts, size_t count, uint64_t seed)
{
    XXH128_hash_t hash;
    XXH128_canonical_t canonical;
    struct sl_uuid out;

    if (count == 1) {
        hash = XXH3_128bits_withSeed(parts[0].ptr, parts[0].len, seed);
    } else {
        XXH3_state_t state;
        XXH3_INITSTATE(&state);
        XXH3_128bits_reset_withSeed(&state, seed);
        for (size_t i = 0; i < count; i++)
            if (parts[i].len > 0)
                XXH3_128bits_update(&state, parts[i].ptr, parts[i].len);
        hash = XXH3_128bits_digest(&state);
    }
    XXH128_canonicalFromHash(&canonical, hash);
    memcpy(out.bytes, canonical.digest, sizeof out.bytes);
    return out;
}

struct sl_uuid sl_hash_id(const struct sl_slice *parts, size_t count, uint64_t seed)
{
    struct sl_uuid id = sl_hash128(parts, count, seed);

    id.bytes[6] = (uint8_t)(0x80 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

uint64_t sl_hash_uuid(struct sl_uuid id)
{
    /* Halves are multiplied apart, so that neither the clock's bits in front (UUIDv7) nor a counter
     * behind make neighbours; the finaliser is that of XXH3. */
    uint64_t hash = sl_le64(id.bytes) * UINT64_C(0x9E3779B185EBCA87) ^
                    sl_le64(id.bytes + 8) * UINT64_C(0xC2B2AE3D27D4EB4F);

    hash ^= hash >> 37;
    hash *= UINT64_C(0x165667919E3779F9);
    return hash ^ hash >> 32;
}
