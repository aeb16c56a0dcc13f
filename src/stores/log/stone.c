/*
 * Stones, and the segments that have them.
 *
 * Retention takes bodies of events away, never events: `sluice log scavenge` puts a stone in the
 * place of each event whose type its author declared to be of passing use (`keep_days`) and which
 * is old enough. A frame STONE is the frame EVENT with other bytes where the body was:
 *
 *     STONE     schema varint, revision varint, time i64, command 16 bytes, stream, tag count
 *               varint, tags, bytes of the body varint, XXH3-128 of the body (16 bytes)
 *
 * So position, revision, stream, tags and type stay, and with them every position in the log (L1),
 * every revision of a stream, every condition on a tag, every index. Whoever kept the body
 * elsewhere can show that it is the one. Outcomes stay as they are: a command that was carried out
 * before is still known by its id.
 *
 * Only sealed segments have stones (sealed.c): the segment is written anew, in its blocks other
 * frames, in its index the same keys. Two things in it are different:
 *   - its header has the flag SCAVENGED (offset 108: 1) and the number of its stones (184 u64), so
 *     that a program which knows no stones refuses the file, and two states of a segment are told
 *     apart: each scavenge that changes it leaves more of them;
 *   - the mark of a batch that has stones ends with 8 more bytes. It says bytes of frames as they
 *     are now, and as the batch's checksum the one that it had: that is what the batch behind it
 *     chains to. The 8 bytes are the checksum of the batch as it would be now, made again from mark
 *     and frames with SCAVENGED (1) as its flags. So the chain of checksums still reaches from the
 *     first batch to the last; of a batch with stones it is taken from the mark, which the checksum
 *     of what is left, and that of the block, prove to be whole.
 *
 * What a removed body was is believed of the stone; what is left is proven.
 */
#include "stores/log/stone.h"

#include "base/hash.h"

#include <string.h>

static uint8_t *put_varint(uint8_t *p, uint64_t value)
{
    while (value >= 0x80) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

size_t sl_log_stone_write(uint8_t *p, struct sl_slice payload, const struct sl_log_event *event)
{
    const struct sl_uuid hash = sl_hash128(&event->body, 1, 0);
    const size_t kept = payload.len - event->body.len;
    uint8_t rest[10 + sizeof hash.bytes], *end = put_varint(rest, event->body.len);

    memcpy(end, hash.bytes, sizeof hash.bytes);
    end += sizeof hash.bytes;
    const size_t rest_len = (size_t)(end - rest);
    uint8_t *const start = p;
    *p++ = SL_LOG_STONE;
    *p++ = 0;
    p = put_varint(p, kept + rest_len);
    memcpy(p, payload.ptr, kept);
    memcpy(p + kept, rest, rest_len);
    return (size_t)(p + kept + rest_len - start);
}

bool sl_log_stone_read(struct sl_slice payload, struct sl_log_event *out,
                       struct sl_log_stone *stone)
{
    struct sl_log_stone found = {0};

    if (!sl_log_event_read(payload, out))
        return false;
    struct sl_cursor cursor = sl_cursor_of(out->body);
    found.bytes = sl_cursor_varint(&cursor);
    const struct sl_slice hash = sl_cursor_take(&cursor, sizeof found.hash.bytes);
    if (cursor.failed || sl_cursor_left(&cursor) > 0)
        return false;
    memcpy(found.hash.bytes, hash.ptr, sizeof found.hash.bytes);
    if (stone)
        *stone = found;
    out->body.len = 0;
    return true;
}
