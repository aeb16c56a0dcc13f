/*
 * Groups of sealed segments, version 2.
 *
 * Each sealed segment has a filter that says which streams and tags it has no event of (sealed.c).
 * Whoever looks for a stream in a log of a thousand segments would ask a thousand filters, each a
 * page from somewhere on the disk: 19 ms to learn that an account is new. So the segments 8n to
 * 8n + 7, when all are sealed, get one filter together; eight such groups get another, and eight of
 * those a third: with 8, 64 and 512 segments. A lookup asks the largest group that there is, and
 * what is within it only if that may have the key: seven and seven and seven filters at most, and
 * one for each 512 segments. The page that says that a group has a key says, too, which of its
 * eight parts have it (the groups of the level below, or the segments), so that a key is followed
 * down to its segments by a page a level. A file of version 1 says nothing of parts: each has to be
 * asked. It stays in use as long as it is right.
 *
 * The file `NUMBER.COUNT.group` (first segment, as in the segments' names; 8, 64 or 512):
 *
 *     [header 4096][page 4096]…
 *
 * Header; what is not named is zero:
 *
 *      0 16  "Sluice log group"            32 16  UUID of the log
 *     16  4  version                       48  8  first segment
 *     20  4  4096                          56  4  segments
 *     24  8  checksum of the 4096 bytes    60  4  pages
 *            with this field zero, seed 0  64  8  identity
 *
 * Identity: for each segment in its order XXH3-64 of its number, salt, first position, next
 * position, checksum of the last batch, and pairs of keys, each u64; seed = the result for the
 * segment before it, 0 for the first. The checksum is that of a chain (L3), so it stands for all
 * that was ever written in the segment; scavenging leaves all six as they are, and the keys too.
 *
 * Pages: the head is that of a footer page (sealed.c), kind 4, count 0, number from 1 on, seed =
 * identity + number. They are filter pages, enough of them for ten bits a key and ten more for each
 * part that has it, and not more than twice those of the segments together: most keys of busy
 * segments are the same ones, and each is counted once. Page of a hash as in a segment; the bits of
 * a key are those of z, where z = (hash >> 24) * 0x9E3779B97F4A7C15, z = (z ^ z >> 32) *
 * 0xD6E8FEB86659FD93, z = z ^ z >> 32: segments keep the upper 40 bits of their keys only, and it
 * is made from what they keep. For part p, 0 to 7, likewise, with (hash >> 24) + (p + 1) * 2^40 at
 * the beginning, in the same page.
 *
 * What must stay true: a group never denies what one of its segments has. Therefore
 *   - it is made of the segments' keys, every page of which was found whole;
 *   - a header is believed only when it is, but for the number of pages and the checksum, the one
 *     that follows from the headers of the segments as they are now. So the file of another log, of
 * a log that was restored to another history, of a newer version, or a damaged header is no file
 * at all;
 *   - a page is believed only when its checksum, with that identity in it, is right. One that is
 *     not takes the whole group out of use.
 * Everything else is speed: without the file, lookups ask what is below it. It is made by the
 * sealer when all segments are there, and again when it is not right; it is no part of the log, and
 * no part of backups. A crash leaves a .tmp, which is removed at open, or the whole file.
 */
#include "stores/log/group.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>

static const char group_magic[16] = {'S', 'l', 'u', 'i', 'c', 'e', ' ', 'l',
                                     'o', 'g', ' ', 'g', 'r', 'o', 'u', 'p'};

void sl_log_group_add(struct sl_log_group_sum *sum, const struct sl_log_sealed_head *segment)
{
    uint8_t bytes[48];

    if (sum->head.segment_count == 0) {
        sum->head.log = segment->segment.log;
        sum->head.first = segment->segment.number;
    }
    sl_put_le64(bytes, segment->segment.number);
    sl_put_le64(bytes + 8, segment->segment.salt);
    sl_put_le64(bytes + 16, segment->segment.first_position);
    sl_put_le64(bytes + 24, segment->next_position);
    sl_put_le64(bytes + 32, segment->last);
    sl_put_le64(bytes + 40, segment->key_count);
    sum->head.identity = sl_hash64(bytes, sizeof bytes, sum->head.identity);
    sum->head.segment_count++;
    sum->filter_pages += sl_log_sealed_pages(segment, SL_LOG_PAGES_FILTER)->count;
    sum->key_count += segment->key_count;
}

bool sl_log_group_end(struct sl_log_group_sum *sum)
{
    /* Each key, and once more for a part that has it. */
    const uint64_t full =
        (2 * sum->key_count + SL_LOG_FILTER_KEYS_A_PAGE - 1) / SL_LOG_FILTER_KEYS_A_PAGE;
    const uint64_t most = 2 * sum->filter_pages;
    const uint64_t pages = full < most ? full : most;

    if (pages >= UINT32_MAX)
        return false;
    sum->head.page_count = (uint32_t)pages;
    return true;
}

bool sl_log_group_head_check(const uint8_t *block, struct sl_log_group_head *inout)
{
    const uint32_t pages_max = inout->page_count, page_count = sl_le32(block + 60);
    struct sl_log_group_head head = *inout;
    uint8_t want[SL_LOG_BLOCK];

    if (page_count > pages_max || (page_count == 0 && pages_max > 0))
        return false;
    head.page_count = page_count;
    head.version = sl_le32(block + 16) == SL_LOG_GROUP_VERSION_OLD ? SL_LOG_GROUP_VERSION_OLD
                                                                    : SL_LOG_GROUP_VERSION;
    sl_log_group_head_write(&head, want);
    if (memcmp(want, block, sizeof want) != 0)
        return false;
    *inout = head;
    return true;
}

bool sl_log_group_head_is_whole(const uint8_t *block)
{
    uint8_t copy[SL_LOG_BLOCK];

    memcpy(copy, block, sizeof copy);
    memset(copy + 24, 0, 8);
    return memcmp(block, group_magic, sizeof group_magic) == 0 &&
           sl_le64(block + 24) == sl_hash64(copy, sizeof copy, 0);
}

void sl_log_group_head_write(const struct sl_log_group_head *head, uint8_t *block)
{
    memset(block, 0, SL_LOG_BLOCK);
    memcpy(block, group_magic, sizeof group_magic);
    sl_put_le32(block + 16, head->version ? head->version : SL_LOG_GROUP_VERSION);
    sl_put_le32(block + 20, SL_LOG_BLOCK);
    memcpy(block + 32, head->log.bytes, 16);
    sl_put_le64(block + 48, head->first);
    sl_put_le32(block + 56, head->segment_count);
    sl_put_le32(block + 60, head->page_count);
    sl_put_le64(block + 64, head->identity);
    sl_put_le64(block + 24, sl_hash64(block, SL_LOG_BLOCK, 0));
}

void sl_log_group_name(unsigned level, uint64_t index, char *out)
{
    const unsigned shift = sl_log_group_shift(level);
    const unsigned long long first = index << shift;

    snprintf(out, SL_LOG_GROUP_NAME_MAX, "%020llu.%u.group", first, 1u << shift);
}

static uint64_t spread(uint64_t bits)
{
    uint64_t z = bits * 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 32) * 0xD6E8FEB86659FD93u;
    return z ^ z >> 32;
}

uint64_t sl_log_group_hash(uint64_t hash)
{
    return spread(sl_log_short_hash(hash));
}

uint64_t sl_log_group_part_hash(uint64_t hash, unsigned part)
{
    return spread(sl_log_short_hash(hash) + ((uint64_t)(part + 1) << 40));
}
