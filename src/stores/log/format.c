/*
 * The format of the embedded event log, version 1.
 *
 * A log is a folder. In it lie `lock` (held by the one process that has the log open) and segments,
 * `00000000000000000000.seg`, `…0001.seg`, …: raw ones, which this essay is about, and sealed ones,
 * `….sealed`, which full ones become (sealed.c). Raw ones are files of a fixed size, filled with
 * zeros before they are used, because writing over blocks that exist costs no change of the file
 * system's own tables at each sync. Integers are little-endian; "varint" is LEB128. Checksums are
 * XXH3-64.
 *
 *     segment   [header 4096][batch][batch]…[zeros]
 *     batch     [head 104][frames][zeros up to a multiple of 4096]
 *     frame     [kind u8][flags u8][length varint][payload]
 *
 * Segment header (the rest of its block is zero; written once, before the first batch):
 *
 *      0 16  "Sluice log file\n"         48  8  segment number        80  8  first batch's number
 *     16  4  version                     56  8  segment salt          88  8  checksum of the last
 *     20  4  block size, 4096            64  8  bytes of the file            batch before it
 *     24  8  checksum, seed 0, with      72  8  first position        96  8  time, ns since 1970
 *            this field zero                                         104  4  0; 1: a sealed segment
 *     32 16  the log's UUID
 *
 * Magic, version and checksum keep their places and meaning in all versions, so that a newer file
 * is told apart from a damaged one (F1).
 *
 * Batch head:
 *
 *      0  8  checksum of all that        24  4  frames                56  8  first position
 *            follows, padding included,  28  4  events                64  8  epoch
 *            seed = the segment's salt   32  4  outcomes              72  8  checksum of the
 *      8  4  "SlBt"                      36  4  0                               batch before it
 *     12  4  flags, 0                    40  8  segment salt          80  8  durable_batches
 *     16  4  blocks of 4096              48  8  batch number          88  8  durable_through
 *     20  4  bytes of frames                                          96  8  time
 *
 * Frames (the event's position is the batch's first position plus its place among the events):
 *
 *     EVENT    schema varint, revision varint, time i64, command 16 bytes, stream, tag count
 *              varint, tags, body (to the end); texts are a varint length and bytes
 *     OUTCOME  id 16, digest 16, time i64, status varint, event count varint, position varint,
 *              reply (to the end)
 *     SCHEMA   id varint, version varint, name, description (to the end); before its first use
 *     EPOCH    number varint, salt u64, first position varint; a claim is one batch with this frame
 *     STONE    what stays of an event that was scavenged, in sealed segments (stone.c)
 *
 * A batch is valid when its checksum is right, it carries its segment's salt, and number, position
 * and `previous` continue the batch before it. The salt tells what an earlier use of the file left
 * behind; `previous` chains everything to the first batch, across segments.
 *
 * Crash cases (L3). Let D be the greatest durable_batches of any whole batch or, for the last
 * segment, its header's first batch: a header is written only when everything before it is durable.
 *   - an invalid batch with number < D: it was acknowledged once, so this is damage. The log does
 *     not open, and the error says file and offset.
 *   - an invalid batch with number >= D: a write that nobody was told of. The log is cut there,
 *     whole batches behind it included, and the window is zeroed durably before anything is
 *     appended.
 *   - valid batches with number >= D may be in the system's cache alone, after a failed sync: they
 *     are written again, byte by byte the same, before the log goes on.
 * An acknowledged block is never written again.
 */
#include "stores/log/format.h"

#include "base/hash.h"

#include <string.h>

static const uint8_t segment_magic[16] = {'S', 'l', 'u', 'i', 'c', 'e', ' ', 'l',
                                          'o', 'g', ' ', 'f', 'i', 'l', 'e', '\n'};
static const uint32_t batch_magic = 0x74426c53u; /* "SlBt" */

/* ---- Segments -------------------------------------------------------------------------------- */

static uint64_t segment_checksum(const uint8_t *block)
{
    uint8_t copy[SL_LOG_BLOCK];

    memcpy(copy, block, sizeof copy);
    memset(copy + 24, 0, 8);
    return sl_hash64(copy, sizeof copy, 0);
}

void sl_log_segment_head_write(const struct sl_log_segment_head *head, uint8_t *block)
{
    memset(block, 0, SL_LOG_BLOCK);
    memcpy(block, segment_magic, sizeof segment_magic);
    sl_put_le32(block + 16, SL_LOG_VERSION);
    sl_put_le32(block + 20, SL_LOG_BLOCK);
    memcpy(block + 32, head->log.bytes, 16);
    sl_put_le64(block + 48, head->number);
    sl_put_le64(block + 56, head->salt);
    sl_put_le64(block + 64, head->bytes);
    sl_put_le64(block + 72, head->first_position);
    sl_put_le64(block + 80, head->first_batch);
    sl_put_le64(block + 88, head->previous);
    sl_put_le64(block + 96, (uint64_t)head->time.ns);
    sl_log_segment_head_seal(block);
}

void sl_log_segment_head_seal(uint8_t *block)
{
    sl_put_le64(block + 24, segment_checksum(block));
}

enum sl_err sl_log_segment_head_read(const uint8_t *block, const char *path,
                                     struct sl_log_segment_head *out, struct sl_error *error)
{
    if (memcmp(block, segment_magic, sizeof segment_magic) != 0 ||
        sl_le64(block + 24) != segment_checksum(block))
        return sl_fail(error, SL_CORRUPT, "%s: damaged at offset 0 (segment header): restore it "
                       "from a backup", path);
    const uint32_t version = sl_le32(block + 16);
    if (version > SL_LOG_VERSION) {
        SL_MARK("log: newer format");
        return sl_fail(error, SL_UNSUPPORTED, "%s: has log format %u, this program reads up to %u: "
                       "use a newer one", path, version, SL_LOG_VERSION);
    }
    *out = (struct sl_log_segment_head){
        .number = sl_le64(block + 48),
        .salt = sl_le64(block + 56),
        .bytes = sl_le64(block + 64),
        .first_position = sl_le64(block + 72),
        .first_batch = sl_le64(block + 80),
        .previous = sl_le64(block + 88),
        .time = {(int64_t)sl_le64(block + 96)},
    };
    memcpy(out->log.bytes, block + 32, 16);
    if (sl_le32(block + 20) != SL_LOG_BLOCK || out->bytes % SL_LOG_BLOCK != 0 ||
        out->bytes < SL_LOG_BLOCK)
        return sl_fail(error, SL_CORRUPT, "%s: impossible sizes in the segment header", path);
    return SL_OK;
}

/* ---- Batches --------------------------------------------------------------------------------- */

void sl_log_batch_seal(struct sl_log_batch_head *head, uint8_t *batch)
{
    memset(batch, 0, SL_LOG_BATCH_HEAD);
    sl_put_le32(batch + 8, batch_magic);
    sl_put_le32(batch + 12, head->flags);
    sl_put_le32(batch + 16, head->block_count);
    sl_put_le32(batch + 20, head->payload_bytes);
    sl_put_le32(batch + 24, head->frame_count);
    sl_put_le32(batch + 28, head->event_count);
    sl_put_le32(batch + 32, head->outcome_count);
    sl_put_le64(batch + 40, head->salt);
    sl_put_le64(batch + 48, head->number);
    sl_put_le64(batch + 56, head->first_position);
    sl_put_le64(batch + 64, head->epoch);
    sl_put_le64(batch + 72, head->previous);
    sl_put_le64(batch + 80, head->durable_batches);
    sl_put_le64(batch + 88, head->durable_through);
    sl_put_le64(batch + 96, (uint64_t)head->time.ns);
    head->checksum =
        sl_hash64(batch + 8, (size_t)head->block_count * SL_LOG_BLOCK - 8, head->salt);
    sl_put_le64(batch, head->checksum);
}

bool sl_log_batch_peek(const uint8_t *block, uint64_t salt, struct sl_log_batch_head *out)
{
    if (sl_le32(block + 8) != batch_magic || sl_le64(block + 40) != salt)
        return false;
    *out = (struct sl_log_batch_head){
        .checksum = sl_le64(block),
        .flags = sl_le32(block + 12),
        .block_count = sl_le32(block + 16),
        .payload_bytes = sl_le32(block + 20),
        .frame_count = sl_le32(block + 24),
        .event_count = sl_le32(block + 28),
        .outcome_count = sl_le32(block + 32),
        .salt = salt,
        .number = sl_le64(block + 48),
        .first_position = sl_le64(block + 56),
        .epoch = sl_le64(block + 64),
        .previous = sl_le64(block + 72),
        .durable_batches = sl_le64(block + 80),
        .durable_through = sl_le64(block + 88),
        .time = {(int64_t)sl_le64(block + 96)},
    };
    const uint64_t bytes = (uint64_t)out->block_count * SL_LOG_BLOCK;
    return bytes > 0 && bytes <= SL_LOG_BATCH_BYTES_MAX &&
           (uint64_t)out->payload_bytes + SL_LOG_BATCH_HEAD <= bytes;
}

bool sl_log_batch_is_stale(const uint8_t *block, uint64_t salt)
{
    return sl_le32(block + 8) == batch_magic && sl_le64(block + 40) != salt;
}

bool sl_log_batch_is_whole(const struct sl_log_batch_head *head, const uint8_t *batch)
{
    return head->checksum ==
           sl_hash64(batch + 8, (size_t)head->block_count * SL_LOG_BLOCK - 8, head->salt);
}

/* ---- Reading frames -------------------------------------------------------------------------- */

enum sl_err sl_log_frame_next_any(struct sl_cursor *cursor, struct sl_log_frame *out)
{
    if (sl_cursor_left(cursor) == 0)
        return SL_NOT_FOUND;
    struct sl_log_frame frame = {.whole = {cursor->next, 0}};
    frame.kind = sl_cursor_u8(cursor);
    frame.flags = sl_cursor_u8(cursor);
    const uint64_t length = sl_cursor_varint(cursor);
    if (cursor->failed || length > sl_cursor_left(cursor))
        return SL_CORRUPT;
    frame.payload = sl_cursor_take(cursor, (size_t)length);
    frame.whole.len = (size_t)(cursor->next - frame.whole.ptr);
    *out = frame;
    return SL_OK;
}

enum sl_err sl_log_frame_next(struct sl_cursor *cursor, struct sl_log_frame *out)
{
    struct sl_log_frame frame;
    enum sl_err err;

    while ((err = sl_log_frame_next_any(cursor, &frame)) == SL_OK) {
        if ((frame.kind >= SL_LOG_EVENT && frame.kind <= SL_LOG_EPOCH) ||
            frame.kind == SL_LOG_STONE) {
            *out = frame;
            return SL_OK;
        }
        if ((frame.flags & SL_LOG_MAY_SKIP) == 0)
            return SL_UNSUPPORTED;
        if (frame.kind != SL_LOG_BATCH)
            SL_MARK("log: skipped frame");
    }
    return err;
}

static struct sl_text take_text(struct sl_cursor *cursor)
{
    const uint64_t length = sl_cursor_varint(cursor);
    if (length > sl_cursor_left(cursor)) {
        cursor->failed = true;
        return (struct sl_text){0};
    }
    const struct sl_slice bytes = sl_cursor_take(cursor, (size_t)length);
    return (struct sl_text){(const char *)bytes.ptr, bytes.len};
}

static struct sl_slice take_rest(struct sl_cursor *cursor)
{
    return sl_cursor_take(cursor, sl_cursor_left(cursor));
}

static uint32_t take_u32(struct sl_cursor *cursor)
{
    const uint64_t value = sl_cursor_varint(cursor);
    if (value > UINT32_MAX)
        cursor->failed = true;
    return (uint32_t)value;
}

static struct sl_uuid take_uuid(struct sl_cursor *cursor)
{
    struct sl_uuid uuid = {{0}};
    const struct sl_slice bytes = sl_cursor_take(cursor, sizeof uuid.bytes);
    if (bytes.len == sizeof uuid.bytes)
        memcpy(uuid.bytes, bytes.ptr, sizeof uuid.bytes);
    return uuid;
}

bool sl_log_event_read(struct sl_slice payload, struct sl_log_event *out)
{
    struct sl_cursor cursor = sl_cursor_of(payload);

    out->schema = take_u32(&cursor);
    out->revision = sl_cursor_varint(&cursor);
    out->time.ns = (int64_t)sl_cursor_le64(&cursor);
    out->command = take_uuid(&cursor);
    out->stream = take_text(&cursor);
    out->tag_count = take_u32(&cursor);
    if (out->tag_count > SL_LOG_TAGS_MAX)
        return false;
    out->tags = cursor;
    for (uint32_t i = 0; i < out->tag_count; i++)
        (void)take_text(&cursor);
    if (cursor.failed)
        return false;
    out->body = take_rest(&cursor);
    return true;
}

struct sl_text sl_log_tag_next(struct sl_cursor *tags)
{
    return take_text(tags);
}

bool sl_log_outcome_read(struct sl_slice payload, struct sl_stored_outcome *out)
{
    struct sl_cursor cursor = sl_cursor_of(payload);

    out->id = take_uuid(&cursor);
    out->digest = take_uuid(&cursor);
    out->time.ns = (int64_t)sl_cursor_le64(&cursor);
    out->status = take_u32(&cursor);
    out->event_count = take_u32(&cursor);
    out->position = sl_cursor_varint(&cursor);
    if (cursor.failed)
        return false;
    out->reply = take_rest(&cursor);
    return true;
}

bool sl_log_schema_read(struct sl_slice payload, struct sl_schema *out)
{
    struct sl_cursor cursor = sl_cursor_of(payload);

    out->id = take_u32(&cursor);
    out->version = take_u32(&cursor);
    out->name = take_text(&cursor);
    if (cursor.failed || out->id > SL_LOG_SCHEMA_ID_MAX)
        return false;
    const struct sl_slice description = take_rest(&cursor);
    out->description = (struct sl_text){(const char *)description.ptr, description.len};
    return true;
}

bool sl_log_epoch_read(struct sl_slice payload, struct sl_epoch *out)
{
    struct sl_cursor cursor = sl_cursor_of(payload);

    out->number = sl_cursor_varint(&cursor);
    out->salt = sl_cursor_le64(&cursor);
    out->first_position = sl_cursor_varint(&cursor);
    return !cursor.failed;
}

/* ---- Writing frames -------------------------------------------------------------------------- */

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

static uint8_t *put_varint(uint8_t *p, uint64_t value)
{
    while (value >= 0x80) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

static uint8_t *put_bytes(uint8_t *p, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(p, bytes, len);
    return p + len;
}

static uint8_t *put_text(uint8_t *p, struct sl_text text)
{
    return put_bytes(put_varint(p, text.len), text.ptr, text.len);
}

static uint8_t *put_le64(uint8_t *p, uint64_t value)
{
    sl_put_le64(p, value);
    return p + 8;
}

static size_t text_size(struct sl_text text)
{
    return varint_size(text.len) + text.len;
}

static size_t frame_size(size_t payload)
{
    return 2 + varint_size(payload) + payload;
}

static uint8_t *put_frame(uint8_t *p, enum sl_log_frame_kind kind, size_t payload)
{
    *p++ = (uint8_t)kind;
    *p++ = 0;
    return put_varint(p, payload);
}

static size_t event_payload(const struct sl_stored_event *event)
{
    size_t size = varint_size(event->schema->id) + varint_size(event->revision) + 8 + 16 +
                  text_size(event->stream) + varint_size(event->tag_count) + event->body.len;
    for (uint32_t i = 0; i < event->tag_count; i++)
        size += text_size(event->tags[i]);
    return size;
}

size_t sl_log_event_size(const struct sl_stored_event *event)
{
    return frame_size(event_payload(event));
}

uint8_t *sl_log_event_write(uint8_t *p, const struct sl_stored_event *event)
{
    p = put_frame(p, SL_LOG_EVENT, event_payload(event));
    p = put_varint(p, event->schema->id);
    p = put_varint(p, event->revision);
    p = put_le64(p, (uint64_t)event->time.ns);
    p = put_bytes(p, event->command.bytes, 16);
    p = put_text(p, event->stream);
    p = put_varint(p, event->tag_count);
    for (uint32_t i = 0; i < event->tag_count; i++)
        p = put_text(p, event->tags[i]);
    return put_bytes(p, event->body.ptr, event->body.len);
}

static size_t outcome_payload(const struct sl_stored_outcome *outcome)
{
    return 16 + 16 + 8 + varint_size(outcome->status) + varint_size(outcome->event_count) +
           varint_size(outcome->position) + outcome->reply.len;
}

size_t sl_log_outcome_size(const struct sl_stored_outcome *outcome)
{
    return frame_size(outcome_payload(outcome));
}

uint8_t *sl_log_outcome_write(uint8_t *p, const struct sl_stored_outcome *outcome)
{
    p = put_frame(p, SL_LOG_OUTCOME, outcome_payload(outcome));
    p = put_bytes(p, outcome->id.bytes, 16);
    p = put_bytes(p, outcome->digest.bytes, 16);
    p = put_le64(p, (uint64_t)outcome->time.ns);
    p = put_varint(p, outcome->status);
    p = put_varint(p, outcome->event_count);
    p = put_varint(p, outcome->position);
    return put_bytes(p, outcome->reply.ptr, outcome->reply.len);
}

static size_t schema_payload(const struct sl_schema *schema)
{
    return varint_size(schema->id) + varint_size(schema->version) + text_size(schema->name) +
           schema->description.len;
}

size_t sl_log_schema_size(const struct sl_schema *schema)
{
    return frame_size(schema_payload(schema));
}

uint8_t *sl_log_schema_write(uint8_t *p, const struct sl_schema *schema)
{
    p = put_frame(p, SL_LOG_SCHEMA, schema_payload(schema));
    p = put_varint(p, schema->id);
    p = put_varint(p, schema->version);
    p = put_text(p, schema->name);
    return put_bytes(p, schema->description.ptr, schema->description.len);
}

static size_t epoch_payload(const struct sl_epoch *epoch)
{
    return varint_size(epoch->number) + 8 + varint_size(epoch->first_position);
}

size_t sl_log_epoch_size(const struct sl_epoch *epoch)
{
    return frame_size(epoch_payload(epoch));
}

uint8_t *sl_log_epoch_write(uint8_t *p, const struct sl_epoch *epoch)
{
    p = put_frame(p, SL_LOG_EPOCH, epoch_payload(epoch));
    p = put_varint(p, epoch->number);
    p = put_le64(p, epoch->salt);
    return put_varint(p, epoch->first_position);
}
