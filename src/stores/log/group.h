/*
 * Groups: runs of 8, 64 or 512 sealed segments, and the file that says which hashes are in none of
 * them, or in which eighth of them. The bytes of the file: pure functions; the essay stands in
 * group.c.
 */
#ifndef SL_STORES_LOG_GROUP_H
#define SL_STORES_LOG_GROUP_H

#include "stores/log/sealed.h"

enum {
    SL_LOG_GROUP_LEVELS = 3,
    SL_LOG_GROUP_BITS = 3, /* a group of the next level has 2^3 of the one below */
    SL_LOG_GROUP_PARTS = 1 << SL_LOG_GROUP_BITS,
    SL_LOG_GROUP_VERSION = 2,
    SL_LOG_GROUP_VERSION_OLD = 1, /* says nothing of parts */
};

#define SL_LOG_GROUP_NAME_MAX 48u

/* How many segments a group has: those from index << shift on. Levels are numbered from 0. */
static inline unsigned sl_log_group_shift(unsigned level)
{
    return (level + 1) * SL_LOG_GROUP_BITS;
}

struct sl_log_group_head {
    struct sl_uuid log;
    uint64_t first; /* segment */
    uint32_t segment_count;
    uint32_t page_count; /* behind the header; page n begins at n * SL_LOG_PAGE, from 1 on */
    uint64_t identity;   /* of the segments, see sl_log_group_add; the salt of the pages */
    uint32_t version;    /* 0: SL_LOG_GROUP_VERSION */
};

/* What the header of a group must be, from those of its segments, first to last, one by one. Begins
 * with zeros. */
struct sl_log_group_sum {
    struct sl_log_group_head head;
    uint64_t filter_pages;
    uint64_t key_count;
};

void sl_log_group_add(struct sl_log_group_sum *sum, const struct sl_log_sealed_head *segment);

/* That was the last one: head.page_count is how many pages there are at most. False: such a group
 * would be too large, and has no file. */
bool sl_log_group_end(struct sl_log_group_sum *sum);

/* Is a block of SL_LOG_BLOCK bytes the header of the group, with as many pages at most, and of one
 * of the two versions? Then sets how many, and which. */
bool sl_log_group_head_check(const uint8_t *block, struct sl_log_group_head *inout);

/* Is it whole by itself: the header of some group, of this version or another? */
bool sl_log_group_head_is_whole(const uint8_t *block);

/* Fills such a block. */
void sl_log_group_head_write(const struct sl_log_group_head *head, uint8_t *block);

/* Name of the file in the log's folder; `out` has SL_LOG_GROUP_NAME_MAX bytes. */
void sl_log_group_name(unsigned level, uint64_t index, char *out);

/* What stands for a key in a group's filter: sl_log_filter_add and _has take it. A function of the
 * upper 40 bits of the hash, which is what segments keep. */
uint64_t sl_log_group_hash(uint64_t hash);

/* The same for a key in a part of the group, numbered from 0: a group of the level below, or a
 * segment. */
uint64_t sl_log_group_part_hash(uint64_t hash, unsigned part);

/* Which part of its group a segment is in. */
static inline unsigned sl_log_group_part(unsigned level, uint64_t segment)
{
    return (unsigned)(segment >> (sl_log_group_shift(level) - SL_LOG_GROUP_BITS)) &
           (SL_LOG_GROUP_PARTS - 1);
}

#endif
