/*
 * The format of a sealed segment, version 1.
 *
 * A segment that is full, and whose successor has begun, is sealed: its batches move without their
 * padding into blocks, compressed where that pays, and behind the blocks lies an index, so that
 * nothing of the segment need be read at open and little of it in memory. The file is
 * `00000000000000000007.sealed`; as soon as it has that name it is the segment, and
 * `…0007.seg`, if it is still there, is not looked at any more.
 *
 *     sealed    [header 4096][block][block]…[zeros up to 4096][page 4096][page]…
 *     block     [head 48][frames, stored as they are or as one zstd frame]
 *     page      [head 16][room 4080]
 *
 * Header: the first 104 bytes are those of a raw segment's header (format.c), with the salt, first
 * position, first batch, `previous` and time that the raw segment had; "bytes of the file" are this
 * file's. Then:
 *
 *    104  4  1: sealed (0 in raw ones)      144  8  first outcome     192  4  blocks
 *    108  4  flags: 1 has stones            152  8  next outcome      196  4  pairs of keys
 *            (stone.c); others refuse       160  8  latest outcome's  200  4  bytes of the catalog
 *    112  8  next position                          time              204  4  0
 *    120  8  next batch                     168  8  bytes of raw      208 40  first page u32 and
 *    128  8  checksum of the last batch             batches                   pages u32 of: places,
 *    136  8  offset behind the last block   176  8  bytes of frames           keys, guides, filter,
 *                                           184  8  stones                    catalog
 *
 * Block head. Blocks lie side by side from offset 4096 on, so that they can be found without the
 * footer. A block ends where it reaches 16 KiB of frames, at the end of a frame, in the midst of a
 * batch if need be.
 *
 *      0  8  checksum of all that          12  4  codec: 0 stored,      24  4  events
 *            follows, stored bytes                   1 zstd             28  4  outcomes
 *            included; seed = salt         16  4  bytes stored          32  8  first position
 *      8  4  "SlBk"                        20  4  bytes of frames       40  8  first batch: the one
 *                                                                              of the first frame
 *
 * Frames are those of format.c, copied byte by byte, and before those of each batch one more, kind
 * BATCH with the flag "may be skipped": checksum u64, time i64, bytes of frames varint, frames
 * varint, events varint, outcomes varint, epoch varint, number less durable_batches varint, first
 * position less durable_through varint. The rest of a batch's head follows from its place and the
 * batch before it, and its padding is zero: so each raw batch can be made again byte by byte, and
 * the chain of checksums be proven over sealed segments too (`sluice log verify` does). A segment
 * in which a batch could not be made again in this way is not sealed.
 *
 * Page head: checksum u64 of the rest of the page, seed = salt + page number; kind u16, 0 u16,
 * count u32. A page's number is its offset / 4096. Unused room is zero. By kind:
 *
 *     1 places   56 bytes a block: offset u64, bytes u32 (head included), bytes of frames u32,
 *                first position u64, first outcome u64, events u32, outcomes u32, latest outcome's
 *                time i64 (the least number if there is none), time i64 of the batch at its start
 *     2 keys     pairs (hash, position), sorted. A hash is the upper 40 bits of XXH3-64 of a
 *                stream (seed 1) or a tag (seed 2). Groups: hash varint, less the group's before it
 *                in this page; positions varint; then each position varint, the first less the
 *                segment's first position, others less the one before. count: positions
 *     3 guides   16 bytes a page of keys: hash u64 and position u64 of its first pair
 *     4 filter   Bloom filter over whole hashes: page ((hash >> 32) * pages) >> 32; in its room of
 *                32,640 bits those numbered (a + i * b) mod 32640, i from 0 to 6, where a = lower
 *                32 bits of hash, b = (32 bits of hash from bit 20 on) | 1, in 64-bit arithmetic
 *     5 catalog  frames SCHEMA and EPOCH of the segment in their order, cut into pages as it comes;
 *                count: bytes in this page
 *
 * Why 16 KiB and level 1 of zstd: of the bank's transfers of PaySim (107,562 events with as many
 * outcomes, 20 MB of frames in 447 batches) blocks of 8, 16, 32, 64, 256 KiB keep 44, 43, 42, 40,
 * 37 % of the bytes; to unpack one takes 21, 34, 62, 120, 470 us, and every event of a history may
 * lie in another. Level 3 is no smaller at these sizes, level 6 four times slower. A log of single
 * events, each padded to a block of its own, shrinks to a twentieth or less.
 *
 * Sealing, step by step, and what a crash after each step leaves:
 *   1. `…N.sealed.tmp` is written: blocks, pages, the header last, then synced. Removed at open.
 *   2. It is renamed to `…N.sealed`, and the folder synced. From the rename on there are two files
 *      with all of the segment; the sealed one is in force, at open the raw one is removed. Before
 *      the folder's sync a crash may take the name back: then the raw one is in force, whole.
 *   3. The reader changes over; only when it holds nothing of the raw file any more,
 *   4. the raw file is renamed to `spare.tmp`, filled with zeros, synced, and becomes `spare.seg`,
 *      or is removed where no spare of its size is wanted. A crash leaves it, in part zeros, under
 *      its old name at most, beside the sealed one: removed at open.
 * Nothing is sealed whose raw bytes were not all read again and found whole, chained from the
 * segment's header to that of the next segment; where they are not, the raw segment stays and the
 * damage is told. Segments are sealed in order, so that sealed ones come before raw ones. A full
 * disk gives the sealing up until the next segment begins.
 *
 * Damage: of a block, found when it is read; of a page, likewise: reads that need it are refused
 * with file and offset. Nothing is rebuilt in silence, since a disk that has begun to forget should
 * be told of; pages can be made again from the blocks (`sluice log salvage`). Of the header: the
 * log does not open.
 */
#include "stores/log/sealed.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum {
    SEALED = 1,
    LEVEL = 1, /* of zstd */
    FILTER_BITS = SL_LOG_PAGE_ROOM * 8,
    FILTER_PROBES = 7,
};

static const uint32_t block_magic = 0x6b426c53u; /* "SlBk" */

/* ---- The header ------------------------------------------------------------------------------ */

void sl_log_sealed_head_write(const struct sl_log_sealed_head *head, uint8_t *block)
{
    sl_log_segment_head_write(&head->segment, block);
    sl_put_le32(block + 104, SEALED);
    sl_put_le32(block + 108, head->stones > 0 ? SL_LOG_SCAVENGED : 0);
    sl_put_le64(block + 112, head->next_position);
    sl_put_le64(block + 120, head->next_batch);
    sl_put_le64(block + 128, head->last);
    sl_put_le64(block + 136, head->data_end);
    sl_put_le64(block + 144, head->first_outcome);
    sl_put_le64(block + 152, head->next_outcome);
    sl_put_le64(block + 160, (uint64_t)head->outcome_latest.ns);
    sl_put_le64(block + 168, head->raw_bytes);
    sl_put_le64(block + 176, head->frame_bytes);
    sl_put_le64(block + 184, head->stones);
    sl_put_le32(block + 192, head->block_count);
    sl_put_le32(block + 196, head->key_count);
    sl_put_le32(block + 200, head->catalog_bytes);
    for (int i = 0; i < SL_LOG_PAGES_KINDS; i++) {
        sl_put_le32(block + 208 + 8 * i, head->pages[i].first);
        sl_put_le32(block + 212 + 8 * i, head->pages[i].count);
    }
    sl_log_segment_head_seal(block);
}

/* Sizes that do not fit each other would lead reads astray, checksum or not. */
static bool is_plausible(const struct sl_log_sealed_head *head)
{
    const uint64_t page_count = head->segment.bytes / SL_LOG_PAGE;
    const uint64_t key_pages = sl_log_sealed_pages(head, SL_LOG_PAGES_KEYS)->count;

    if (head->next_position < head->segment.first_position ||
        head->next_outcome < head->first_outcome || head->next_batch < head->segment.first_batch ||
        head->data_end < SL_LOG_BLOCK || head->data_end > head->segment.bytes)
        return false;
    for (int i = 0; i < SL_LOG_PAGES_KINDS; i++) {
        const struct sl_log_pages *pages = &head->pages[i];
        if ((uint64_t)pages->first + pages->count > page_count ||
            (uint64_t)pages->first * SL_LOG_PAGE < head->data_end)
            return false;
    }
    return (head->block_count + SL_LOG_PLACES_A_PAGE - 1) / SL_LOG_PLACES_A_PAGE ==
               sl_log_sealed_pages(head, SL_LOG_PAGES_PLACES)->count &&
           (key_pages + SL_LOG_GUIDES_A_PAGE - 1) / SL_LOG_GUIDES_A_PAGE ==
               sl_log_sealed_pages(head, SL_LOG_PAGES_GUIDES)->count &&
           (head->catalog_bytes + (uint64_t)SL_LOG_PAGE_ROOM - 1) / SL_LOG_PAGE_ROOM ==
               sl_log_sealed_pages(head, SL_LOG_PAGES_CATALOG)->count;
}

enum sl_err sl_log_sealed_head_read(const uint8_t *block, const char *path,
                                    struct sl_log_sealed_head *out, struct sl_error *error)
{
    struct sl_log_sealed_head head = {0};
    const enum sl_err err = sl_log_segment_head_read(block, path, &head.segment, error);

    if (err != SL_OK)
        return err;
    if (sl_le32(block + 104) > SEALED || sl_le32(block + 108) > SL_LOG_SCAVENGED)
        return sl_fail(error, SL_UNSUPPORTED, "%s: is a segment of a kind that this program does "
                       "not know: use a newer one", path);
    head.next_position = sl_le64(block + 112);
    head.next_batch = sl_le64(block + 120);
    head.last = sl_le64(block + 128);
    head.data_end = sl_le64(block + 136);
    head.first_outcome = sl_le64(block + 144);
    head.next_outcome = sl_le64(block + 152);
    head.outcome_latest.ns = (int64_t)sl_le64(block + 160);
    head.raw_bytes = sl_le64(block + 168);
    head.frame_bytes = sl_le64(block + 176);
    head.stones = sl_le64(block + 184);
    head.block_count = sl_le32(block + 192);
    head.key_count = sl_le32(block + 196);
    head.catalog_bytes = sl_le32(block + 200);
    for (int i = 0; i < SL_LOG_PAGES_KINDS; i++) {
        head.pages[i].first = sl_le32(block + 208 + 8 * i);
        head.pages[i].count = sl_le32(block + 212 + 8 * i);
    }
    if (sl_le32(block + 104) != SEALED || !is_plausible(&head) ||
        (head.stones > 0) != (sl_le32(block + 108) == SL_LOG_SCAVENGED))
        return sl_fail(error, SL_CORRUPT, "%s: impossible sizes in the header of a sealed segment: "
                       "restore it from a backup", path);
    *out = head;
    return SL_OK;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static uint64_t block_checksum(uint64_t salt, const uint8_t *block, uint32_t stored_bytes)
{
    return sl_hash64(block + 8, (size_t)SL_LOG_SEALED_BLOCK_HEAD - 8 + stored_bytes, salt);
}

void sl_log_block_seal(struct sl_log_block_head *head, uint64_t salt, uint8_t *block)
{
    sl_put_le32(block + 8, block_magic);
    sl_put_le32(block + 12, head->codec);
    sl_put_le32(block + 16, head->stored_bytes);
    sl_put_le32(block + 20, head->frame_bytes);
    sl_put_le32(block + 24, head->event_count);
    sl_put_le32(block + 28, head->outcome_count);
    sl_put_le64(block + 32, head->first_position);
    sl_put_le64(block + 40, head->first_batch);
    head->checksum = block_checksum(salt, block, head->stored_bytes);
    sl_put_le64(block, head->checksum);
}

bool sl_log_block_peek(const uint8_t *block, struct sl_log_block_head *out)
{
    if (sl_le32(block + 8) != block_magic)
        return false;
    *out = (struct sl_log_block_head){
        .checksum = sl_le64(block),
        .codec = sl_le32(block + 12),
        .stored_bytes = sl_le32(block + 16),
        .frame_bytes = sl_le32(block + 20),
        .event_count = sl_le32(block + 24),
        .outcome_count = sl_le32(block + 28),
        .first_position = sl_le64(block + 32),
        .first_batch = sl_le64(block + 40),
    };
    return out->frame_bytes <= SL_LOG_SEALED_BLOCK_BYTES_MAX &&
           out->stored_bytes <= out->frame_bytes && out->codec <= SL_LOG_ZSTD;
}

bool sl_log_block_is_whole(const struct sl_log_block_head *head, uint64_t salt,
                           const uint8_t *block)
{
    return head->checksum == block_checksum(salt, block, head->stored_bytes);
}

struct sl_log_packer *sl_log_packer_new(void)
{
    return (struct sl_log_packer *)ZSTD_createCCtx();
}

void sl_log_packer_free(struct sl_log_packer *packer)
{
    ZSTD_freeCCtx((ZSTD_CCtx *)packer);
}

void sl_log_block_pack(struct sl_log_packer *packer, struct sl_slice frames,
                       struct sl_log_block_head *head, uint8_t *block)
{
    uint8_t *to = block + SL_LOG_SEALED_BLOCK_HEAD;
    /* What saves less than an eighth is not worth unpacking at each read. */
    const size_t room = frames.len - frames.len / 8;
    size_t len = 0;

    if (packer)
        len = ZSTD_compressCCtx((ZSTD_CCtx *)packer, to, room, frames.ptr, frames.len, LEVEL);
    head->codec = SL_LOG_ZSTD;
    head->frame_bytes = (uint32_t)frames.len;
    if (!packer || ZSTD_isError(len)) {
        head->codec = SL_LOG_STORED;
        len = frames.len;
        memcpy(to, frames.ptr, len);
    }
    head->stored_bytes = (uint32_t)len;
}

struct sl_log_unpacker *sl_log_unpacker_new(void)
{
    return (struct sl_log_unpacker *)ZSTD_createDCtx();
}

void sl_log_unpacker_free(struct sl_log_unpacker *unpacker)
{
    ZSTD_freeDCtx((ZSTD_DCtx *)unpacker);
}

bool sl_log_block_unpack(const struct sl_log_block_head *head, const uint8_t *block,
                         uint8_t *frames)
{
    struct sl_log_unpacker *unpacker = sl_log_unpacker_new();
    const bool good = unpacker && sl_log_block_unpack_with(unpacker, head, block, frames);

    sl_log_unpacker_free(unpacker);
    return good;
}

bool sl_log_block_unpack_with(struct sl_log_unpacker *unpacker,
                              const struct sl_log_block_head *head, const uint8_t *block,
                              uint8_t *frames)
{
    const uint8_t *from = block + SL_LOG_SEALED_BLOCK_HEAD;

    if (head->codec == SL_LOG_ZSTD)
        return ZSTD_decompressDCtx((ZSTD_DCtx *)unpacker, frames, head->frame_bytes, from,
                                   head->stored_bytes) == head->frame_bytes;
    if (head->stored_bytes != head->frame_bytes)
        return false;
    memcpy(frames, from, head->frame_bytes);
    return true;
}

/* ---- Batch marks ----------------------------------------------------------------------------- */

static uint8_t *put_varint(uint8_t *p, uint64_t value)
{
    while (value >= 0x80) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

size_t sl_log_batch_frame_write(uint8_t *p, const struct sl_log_batch_head *head)
{
    uint8_t *payload = p + 3, *end;

    sl_put_le64(payload, head->checksum);
    sl_put_le64(payload + 8, (uint64_t)head->time.ns);
    end = put_varint(payload + 16, head->payload_bytes);
    end = put_varint(end, head->frame_count);
    end = put_varint(end, head->event_count);
    end = put_varint(end, head->outcome_count);
    end = put_varint(end, head->epoch);
    end = put_varint(end, head->number - head->durable_batches);
    end = put_varint(end, head->first_position - head->durable_through);
    if (head->flags & SL_LOG_SCAVENGED) {
        sl_put_le64(end, head->kept);
        end += 8;
    }
    SL_ASSERT(end - payload < 0x80 && end - p <= (ptrdiff_t)SL_LOG_BATCH_FRAME_MAX);
    p[0] = SL_LOG_BATCH;
    p[1] = SL_LOG_MAY_SKIP;
    p[2] = (uint8_t)(end - payload);
    return (size_t)(end - p);
}

static uint32_t take_u32(struct sl_cursor *cursor)
{
    const uint64_t value = sl_cursor_varint(cursor);
    if (value > UINT32_MAX)
        cursor->failed = true;
    return (uint32_t)value;
}

bool sl_log_batch_frame_read(struct sl_slice payload, struct sl_log_batch_head *inout)
{
    struct sl_cursor cursor = sl_cursor_of(payload);

    inout->checksum = sl_cursor_le64(&cursor);
    inout->time.ns = (int64_t)sl_cursor_le64(&cursor);
    inout->payload_bytes = take_u32(&cursor);
    inout->frame_count = take_u32(&cursor);
    inout->event_count = take_u32(&cursor);
    inout->outcome_count = take_u32(&cursor);
    inout->epoch = sl_cursor_varint(&cursor);
    inout->durable_batches = inout->number - sl_cursor_varint(&cursor);
    inout->durable_through = inout->first_position - sl_cursor_varint(&cursor);
    inout->flags = sl_cursor_left(&cursor) == 8 ? SL_LOG_SCAVENGED : 0;
    inout->kept = inout->flags ? sl_cursor_le64(&cursor) : 0;
    if (cursor.failed || sl_cursor_left(&cursor) > 0 ||
        inout->payload_bytes > SL_LOG_BATCH_BYTES_MAX - SL_LOG_BATCH_HEAD)
        return false;
    inout->block_count =
        (inout->payload_bytes + SL_LOG_BATCH_HEAD + SL_LOG_BLOCK - 1) / SL_LOG_BLOCK;
    return true;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static uint64_t page_checksum(const uint8_t *page, uint64_t salt, uint64_t number)
{
    return sl_hash64(page + 8, SL_LOG_PAGE - 8, salt + number);
}

void sl_log_page_seal(const struct sl_log_page_head *head, uint64_t salt, uint64_t number,
                      uint8_t *page)
{
    sl_put_le16(page + 8, (uint16_t)head->kind);
    sl_put_le16(page + 10, 0);
    sl_put_le32(page + 12, head->count);
    sl_put_le64(page, page_checksum(page, salt, number));
}

bool sl_log_page_check(const uint8_t *page, uint64_t salt, uint64_t number,
                       enum sl_log_page_kind kind, uint32_t *out_count)
{
    static const uint32_t count_max[] = {0, SL_LOG_PLACES_A_PAGE, SL_LOG_KEYS_A_PAGE_MAX,
                                         SL_LOG_GUIDES_A_PAGE, 0, SL_LOG_PAGE_ROOM};

    *out_count = sl_le32(page + 12);
    return sl_le64(page) == page_checksum(page, salt, number) && sl_le16(page + 8) == kind &&
           *out_count <= count_max[kind];
}

void sl_log_place_write(uint8_t *p, const struct sl_log_place *place)
{
    sl_put_le64(p, place->offset);
    sl_put_le32(p + 8, place->bytes);
    sl_put_le32(p + 12, place->frame_bytes);
    sl_put_le64(p + 16, place->first_position);
    sl_put_le64(p + 24, place->first_outcome);
    sl_put_le32(p + 32, place->event_count);
    sl_put_le32(p + 36, place->outcome_count);
    sl_put_le64(p + 40, (uint64_t)place->outcome_latest.ns);
    sl_put_le64(p + 48, (uint64_t)place->time.ns);
}

void sl_log_place_read(const uint8_t *p, struct sl_log_place *out)
{
    *out = (struct sl_log_place){
        .offset = sl_le64(p),
        .bytes = sl_le32(p + 8),
        .frame_bytes = sl_le32(p + 12),
        .first_position = sl_le64(p + 16),
        .first_outcome = sl_le64(p + 24),
        .event_count = sl_le32(p + 32),
        .outcome_count = sl_le32(p + 36),
        .outcome_latest = {(int64_t)sl_le64(p + 40)},
        .time = {(int64_t)sl_le64(p + 48)},
    };
}

/* ---- Runs of keys ---------------------------------------------------------------------------- */

void sl_log_run_begin(struct sl_log_run *run, const uint8_t *page, uint32_t count, uint64_t base)
{
    *run = (struct sl_log_run){
        .cursor = sl_cursor_of((struct sl_slice){page + SL_LOG_PAGE_HEAD, SL_LOG_PAGE_ROOM}),
        .base = base,
        .left = count,
    };
}

/* Adds a difference, which is above zero for all but the first: what is sorted has no two alike. */
static void advance(struct sl_log_run *run, uint64_t *value, bool first)
{
    const uint64_t by = sl_cursor_varint(&run->cursor);

    if ((by == 0 && !first) || __builtin_add_overflow(*value, by, value))
        run->cursor.failed = true;
}

/* A page has some five hundred pairs, and one of them is wanted: the others are not made. */
void sl_log_run_seek(struct sl_log_run *run, uint64_t hash)
{
    SL_ASSERT(run->in_group == 0);
    while (run->left > 0) {
        const struct sl_log_run before = *run;

        advance(run, &run->pair.hash, !run->begun);
        const uint32_t count = take_u32(&run->cursor);
        if (count == 0 || count > run->left)
            run->cursor.failed = true;
        if (run->cursor.failed)
            return;
        if (run->pair.hash >= hash) {
            *run = before;
            return;
        }
        sl_cursor_skip_varints(&run->cursor, count);
        run->left -= count;
        run->begun = true;
    }
}

bool sl_log_run_next(struct sl_log_run *run, struct sl_log_pair *out)
{
    if (run->left == 0 || run->cursor.failed)
        return false;
    const bool begins_group = run->in_group == 0;
    if (begins_group) {
        advance(run, &run->pair.hash, !run->begun);
        run->begun = true;
        run->in_group = take_u32(&run->cursor);
        run->pair.position = run->base;
        if (run->in_group == 0 || run->in_group > run->left)
            run->cursor.failed = true;
    }
    advance(run, &run->pair.position, begins_group);
    if (run->cursor.failed)
        return false;
    run->in_group--;
    run->left--;
    *out = run->pair;
    return true;
}

/* How many of the pairs belong to the hash of the first, and fit with it into `room`; their bytes,
 * without the group's head. */
static size_t group_of(const struct sl_log_pair *pairs, size_t count, uint64_t base, size_t room,
                       size_t *bytes)
{
    uint8_t scratch[10];
    uint64_t before = base;
    size_t taken = 0;

    *bytes = 0;
    while (taken < count && pairs[taken].hash == pairs[0].hash) {
        const size_t size =
            (size_t)(put_varint(scratch, pairs[taken].position - before) - scratch);
        if (*bytes + size > room)
            break;
        before = pairs[taken].position;
        *bytes += size;
        taken++;
    }
    return taken;
}

size_t sl_log_run_write(uint8_t *page, const struct sl_log_pair *pairs, size_t count,
                        uint64_t base)
{
    enum { GROUP_HEAD_MAX = 6 + 3 }; /* a hash of 40 bits, a count below 2^21 */
    uint8_t *p = page + SL_LOG_PAGE_HEAD, *end = page + SL_LOG_PAGE;
    uint64_t hash = 0;
    size_t written = 0;

    while (written < count && end - p > GROUP_HEAD_MAX) {
        size_t bytes;
        const size_t taken = group_of(pairs + written, count - written, base,
                                      (size_t)(end - p) - GROUP_HEAD_MAX, &bytes);
        uint64_t before = base;

        if (taken == 0)
            break;
        p = put_varint(p, pairs[written].hash - hash);
        p = put_varint(p, taken);
        hash = pairs[written].hash;
        for (size_t i = 0; i < taken; i++, written++) {
            p = put_varint(p, pairs[written].position - before);
            before = pairs[written].position;
        }
    }
    memset(p, 0, (size_t)(end - p));
    return written;
}

void sl_log_guide_write(uint8_t *p, const struct sl_log_pair *first)
{
    sl_put_le64(p, first->hash);
    sl_put_le64(p + 8, first->position);
}

void sl_log_guide_read(const uint8_t *p, struct sl_log_pair *out)
{
    *out = (struct sl_log_pair){sl_le64(p), sl_le64(p + 8)};
}

/* ---- The filter ------------------------------------------------------------------------------ */

uint32_t sl_log_filter_page(uint64_t hash, uint32_t page_count)
{
    return (uint32_t)((hash >> 32) * page_count >> 32);
}

void sl_log_filter_add(uint8_t *page, uint64_t hash)
{
    const uint64_t a = (uint32_t)hash, b = (uint32_t)(hash >> 20) | 1u;

    for (uint64_t i = 0; i < FILTER_PROBES; i++) {
        const uint64_t bit = (a + i * b) % FILTER_BITS;
        page[SL_LOG_PAGE_HEAD + bit / 8] |= (uint8_t)(1u << bit % 8);
    }
}

bool sl_log_filter_has(const uint8_t *page, uint64_t hash)
{
    const uint64_t a = (uint32_t)hash, b = (uint32_t)(hash >> 20) | 1u;

    for (uint64_t i = 0; i < FILTER_PROBES; i++) {
        const uint64_t bit = (a + i * b) % FILTER_BITS;
        if ((page[SL_LOG_PAGE_HEAD + bit / 8] & 1u << bit % 8) == 0)
            return false;
    }
    return true;
}
