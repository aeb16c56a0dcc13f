/* Answers of another program (openssl mac SIPHASH), and that parts are as if joined. */
#include "base/siphash.h"

#include <stdio.h>

#include "tap/tap.h"

enum { BYTES = 300 };

static struct sl_uuid the_key(void)
{
    struct sl_uuid key;

    for (size_t i = 0; i < sizeof key.bytes; i++)
        key.bytes[i] = (uint8_t)i;
    return key;
}

static void fill(uint8_t *bytes)
{
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (uint8_t)(i * 7 + 3);
}

static void answers_are_those_of_others(void)
{
    static const struct {
        size_t len;
        const char *hex;
    } cases[] = {
        {0, "a3817f04ba25a8e66df67214c7550293"},
        {1, "152ed8801e71b0369036fdf752c9822e"},
        {7, "4dc8ec25a19cab4636d44872e4e8d6ff"},
        {8, "c38b6777a9d63d87a62e1582170fce58"},
        {9, "451179a1a183ba4868b2fa1896356d30"},
        {15, "a7a5d0ed3edc27c112b49a5213dcf5ee"},
        {16, "e3e729bd44b072b782f4baa42eae65bd"},
        {63, "8206ef49a560cdfd2f2171b15f9cf3bc"},
        {64, "4c1e0601fbd7edb654065027d246e47e"},
        {255, "dba7c8e78279f6e7d85a0bcdecacb1b1"},
        {256, "0c66b8a6e3537a51749b10ecc2e12bb8"},
        {300, "928099f461d3201a48894fd3faaecf4e"},
    };
    uint8_t bytes[BYTES];
    char hex[33];

    fill(bytes);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sl_slice part = {bytes, cases[i].len};
        const struct sl_uuid hash = sl_siphash128(the_key(), &part, 1);
        for (size_t b = 0; b < sizeof hash.bytes; b++)
            snprintf(hex + 2 * b, 3, "%02x", hash.bytes[b]);
        CHECK_STRING(hex, cases[i].hex);
    }
}

static void parts_are_as_if_joined(void)
{
    uint8_t bytes[BYTES];

    fill(bytes);
    for (size_t len = 0; len < 40; len++) {
        const struct sl_slice whole = {bytes, len};
        const struct sl_uuid hash = sl_siphash128(the_key(), &whole, 1);
        for (size_t cut = 0; cut <= len; cut++) {
            const struct sl_slice parts[] = {{bytes, cut}, {NULL, 0}, {bytes + cut, len - cut}};
            CHECK(sl_uuid_equals(sl_siphash128(the_key(), parts, 3), hash));
        }
    }
}

static void another_key_is_another_hash(void)
{
    const struct sl_slice part = {(const uint8_t *)"pay", 3};
    const struct sl_uuid hash = sl_siphash128(the_key(), &part, 1);

    for (size_t bit = 0; bit < 128; bit++) {
        struct sl_uuid key = the_key();
        key.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(!sl_uuid_equals(sl_siphash128(key, &part, 1), hash));
    }
}

int main(void)
{
    return TAP_RUN({"answers are those of others", answers_are_those_of_others},
                   {"parts are as if joined", parts_are_as_if_joined},
                   {"another key is another hash", another_key_is_another_hash});
}
