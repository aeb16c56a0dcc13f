#include "base/hash.h"
#include "tap/tap.h"

#include <stdio.h>
#include <string.h>

/* What is stored must be found again by every later version: these numbers never change. */
static void hashes_as_ever(void)
{
    char text[33];
    const struct sl_uuid empty = sl_hash128(NULL, 0, 0);

    CHECK_U64(sl_hash64(NULL, 0, 0), UINT64_C(0x2D06800538D394C2));
    for (size_t i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", empty.bytes[i]);
    CHECK_STRING(text, "99aa06d3014798d86001c324468d497f");
    CHECK(sl_hash64("a", 1, 0) != sl_hash64("a", 1, 1));
}

static void joins_parts(void)
{
    uint8_t bytes[1000];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    const struct sl_slice whole = {bytes, sizeof bytes};
    const struct sl_uuid want = sl_hash128(&whole, 1, 5);
    for (size_t cut = 0; cut <= sizeof bytes; cut += 50) {
        const struct sl_slice parts[] = {
            {bytes, cut}, {NULL, 0}, {bytes + cut, sizeof bytes - cut}};
        CHECK(sl_uuid_equals(sl_hash128(parts, 3, 5), want));
        CHECK(!sl_uuid_equals(sl_hash128(parts, 3, 6), want));
    }
}

/* An id that is a hash is never taken for one with a time in it. */
static void hashed_ids_have_no_time(void)
{
    for (unsigned i = 0; i < 1000; i++) {
        const uint8_t bytes[] = {(uint8_t)i, (uint8_t)(i >> 8)};
        const struct sl_slice part = {bytes, sizeof bytes};
        const struct sl_uuid id = sl_hash_id(&part, 1, 7);
        CHECK(id.bytes[6] >> 4 == 8 && id.bytes[8] >> 6 == 2);
    }
}

/* Whichever bytes count up, the low bits (which tables use) spread evenly. */
static void spreads_uuids(void)
{
    enum { BUCKETS = 256, EACH = 64 };

    for (size_t byte = 0; byte + 1 < 16; byte++) {
        unsigned counts[BUCKETS] = {0}, fullest = 0;
        for (unsigned i = 0; i < BUCKETS * EACH; i++) {
            struct sl_uuid id = {{1, 2, 3, 4, 5, 6, 0x70, 0, 0x80}};
            id.bytes[byte] = (uint8_t)(i >> 8);
            id.bytes[byte + 1] = (uint8_t)i;
            const unsigned now = ++counts[sl_hash_uuid(id) % BUCKETS];
            if (now > fullest)
                fullest = now;
        }
        CHECK(fullest < 2 * EACH);
    }
}

int main(void)
{
    return TAP_RUN({"hashes as ever", hashes_as_ever}, {"joins parts", joins_parts},
                   {"spreads uuids", spreads_uuids},
                   {"hashed ids have no time", hashed_ids_have_no_time});
}
