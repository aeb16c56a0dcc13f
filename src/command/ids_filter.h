/*
 * Prints of command ids, and filters over many of them.
 *
 * A print has 48 bits: two for the class and 46 of a hash of the id with a secret seed, so that
 * nobody can choose ids that meet.
 *
 * A filter has up to seven layers. Each has a block of 512 bits for every 355 prints, chosen by the
 * hash's high bits, and one bit set in it for each print, chosen by others: half of the bits are
 * set, so each layer passes half of the prints that were never added, at 1.44 bits of memory per
 * print. That is what the best Bloom filter of as many bits passes; but here layers can be had one
 * by one, as memory allows, and sorted prints fill the blocks in order. Most of the time a print
 * that is not there is known by the first or second layer.
 */
#ifndef SL_COMMAND_IDS_FILTER_H
#define SL_COMMAND_IDS_FILTER_H

#include "base/error.h"

enum sl_id_class {
    SL_ID_PLAIN = 0, /* says nothing about its time */
    SL_ID_STRAY = 1, /* UUIDv7 whose time is not that of its outcome */
    SL_ID_TIMED = 2, /* UUIDv7, made within a minute of its outcome */
    SL_ID_CLASSES = 3,
};

enum {
    SL_ID_LAYERS = 7,
    SL_ID_BLOCK_BYTES = 64,
    SL_ID_BLOCK_PRINTS = 355,
    SL_ID_SKEW_S = 60,
};

#define SL_ID_PRINT_BITS 48
#define SL_ID_HASH_BITS 46

uint64_t sl_id_hash(struct sl_uuid id, uint64_t seed);

static inline uint64_t sl_id_print(uint64_t hash, enum sl_id_class class)
{
    return (uint64_t)class << SL_ID_HASH_BITS | hash >> (64 - SL_ID_HASH_BITS);
}

static inline enum sl_id_class sl_id_print_class(uint64_t print)
{
    return (enum sl_id_class)(print >> SL_ID_HASH_BITS);
}

/* Seconds since 1970 that a UUIDv7 says it was made at; false: it is no UUIDv7. */
static inline bool sl_id_time(struct sl_uuid id, int64_t *out_s)
{
    uint64_t ms = 0;

    if (id.bytes[6] >> 4 != 7 || id.bytes[8] >> 6 != 2)
        return false;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id.bytes[i];
    *out_s = (int64_t)(ms / 1000);
    return true;
}

/* The class of an id whose outcome was decided at `time_s`. */
enum sl_id_class sl_id_classify(struct sl_uuid id, int64_t time_s);

struct sl_id_filter {
    uint64_t blocks;
    uint8_t *layers[SL_ID_LAYERS]; /* `blocks` blocks each, or NULL */
    unsigned loaded;               /* the first so many are there */
};

static inline uint64_t sl_id_filter_blocks(uint64_t count)
{
    return count > 0 ? count / SL_ID_BLOCK_PRINTS + 1 : 0;
}

/* Never falls as prints of a class rise. `blocks` is below 2^32. */
static inline uint64_t sl_id_filter_block(uint64_t print, uint64_t blocks)
{
    const uint64_t hash = print & ((UINT64_C(1) << SL_ID_HASH_BITS) - 1);
    return (hash >> (SL_ID_HASH_BITS - 32)) * blocks >> 32;
}

/* Nine bits for each layer, the first layer's lowest. */
static inline uint64_t sl_id_filter_bits(uint64_t print)
{
    uint64_t bits = print * UINT64_C(0x9E3779B97F4A7C15);

    bits ^= bits >> 32;
    bits *= UINT64_C(0xD6E8FEB86659FD93);
    return bits ^ bits >> 29;
}

/* May the print be there, as far as the first `layers` layers say? */
static inline bool sl_id_filter_passes(const struct sl_id_filter *filter, unsigned layers,
                                       uint64_t print)
{
    if (filter->blocks == 0)
        return false;
    const uint64_t block = sl_id_filter_block(print, filter->blocks);
    uint64_t bits = sl_id_filter_bits(print);

    for (unsigned i = 0; i < layers; i++, bits >>= 9)
        if (!(filter->layers[i][block * SL_ID_BLOCK_BYTES + (bits >> 3 & 63)] >> (bits & 7) & 1))
            return false;
    return true;
}

#endif
