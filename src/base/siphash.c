#include "base/siphash.h"

#include "base/bytes.h"

enum { ROUNDS_A_WORD = 2, ROUNDS_AT_END = 4 };

struct state {
    uint64_t a, b, c, d;
    uint64_t word; /* bytes that do not make up one of eight yet */
    unsigned bits; /* of them */
    uint8_t len;   /* of all, modulo 256 */
};

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void mix(struct state *s, unsigned rounds)
{
    while (rounds-- > 0) {
        s->a += s->b;
        s->c += s->d;
        s->b = rotate(s->b, 13) ^ s->a;
        s->d = rotate(s->d, 16) ^ s->c;
        s->a = rotate(s->a, 32);
        s->c += s->b;
        s->a += s->d;
        s->b = rotate(s->b, 17) ^ s->c;
        s->d = rotate(s->d, 21) ^ s->a;
        s->c = rotate(s->c, 32);
    }
}

static void take_word(struct state *s, uint64_t word)
{
    s->d ^= word;
    mix(s, ROUNDS_A_WORD);
    s->a ^= word;
}

static void take_byte(struct state *s, uint8_t byte)
{
    s->word |= (uint64_t)byte << s->bits;
    s->bits += 8;
    if (s->bits < 64)
        return;
    take_word(s, s->word);
    s->word = 0;
    s->bits = 0;
}

static void take(struct state *s, struct sl_slice part)
{
    size_t at = 0;

    s->len = (uint8_t)(s->len + part.len);
    while (at < part.len && s->bits > 0)
        take_byte(s, part.ptr[at++]);
    for (; part.len - at >= 8; at += 8)
        take_word(s, sl_le64(part.ptr + at));
    while (at < part.len)
        take_byte(s, part.ptr[at++]);
}

struct sl_uuid sl_siphash128(struct sl_uuid key, const struct sl_slice *parts, size_t count)
{
    const uint64_t first = sl_le64(key.bytes), second = sl_le64(key.bytes + 8);
    /* "somepseudorandomlygeneratedbytes", as the authors chose; 0xee: of 128 bits. */
    struct state s = {.a = first ^ 0x736f6d6570736575u,
                      .b = second ^ 0x646f72616e646f6du ^ 0xee,
                      .c = first ^ 0x6c7967656e657261u,
                      .d = second ^ 0x7465646279746573u};
    struct sl_uuid out;

    for (size_t i = 0; i < count; i++)
        take(&s, parts[i]);
    take_word(&s, s.word | (uint64_t)s.len << 56);
    s.c ^= 0xee;
    mix(&s, ROUNDS_AT_END);
    sl_put_le64(out.bytes, s.a ^ s.b ^ s.c ^ s.d);
    s.b ^= 0xdd;
    mix(&s, ROUNDS_AT_END);
    sl_put_le64(out.bytes + 8, s.a ^ s.b ^ s.c ^ s.d);
    return out;
}
