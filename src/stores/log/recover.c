#include "stores/log/recover.h"

#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_BYTES = 1 << 20,
};

struct scan {
    struct sl_log_recovery *recovery;
    struct sl_log_end *end;
    struct sl_error *error;
    char path[SL_LOG_PATH_MAX]; /* of the segment being read */
    struct sl_file *file;
    /* A stretch of the file in memory, zeros where the file is shorter. */
    uint8_t *window;
    size_t window_capacity;
    uint64_t window_offset;
    size_t window_len;
    /* Of the batch being learned. */
    struct sl_log_keys keys;
    const struct sl_schema **schemas;
    size_t schema_count;
    /* The greatest claims seen of what was durable (L3). */
    uint64_t durable_batches;
    uint64_t durable_through;
};

/* ---- Reading --------------------------------------------------------------------------------- */

/* `len` bytes at `offset`, valid until the next call; NULL after an error. */
static const uint8_t *look(struct scan *scan, uint64_t offset, size_t len)
{
    size_t got;

    if (scan->window && offset >= scan->window_offset &&
        offset + len <= scan->window_offset + scan->window_len)
        return scan->window + (offset - scan->window_offset);
    const size_t want = len > WINDOW_BYTES ? len : WINDOW_BYTES;
    if (scan->window_capacity < want) {
        free(scan->window);
        scan->window_capacity = 0;
        scan->window = aligned_alloc(SL_LOG_BLOCK, want);
        if (!scan->window) {
            (void)sl_fail(scan->error, SL_NO_MEMORY, "no memory to read %s", scan->path);
            return NULL;
        }
        scan->window_capacity = want;
    }
    scan->window_len = 0;
    SL_ASSERT(scan->window);
    if (sl_file_read(scan->file, offset, scan->window, want, &got, scan->error) != SL_OK)
        return NULL;
    memset(scan->window + got, 0, want - got);
    scan->window_offset = offset;
    scan->window_len = want;
    return scan->window;
}

static enum sl_err damaged(const struct scan *scan, const char *why)
{
    return sl_fail(scan->error, SL_CORRUPT, "%s: damaged at offset %llu (%s): restore it from a "
                   "backup or a follower, or see `sluice log salvage`", scan->path,
                   (unsigned long long)scan->end->offset, why);
}

/* The whole batch at `offset`, of this segment, or NULL with *err SL_OK if there is none. */
static const uint8_t *whole_batch(struct scan *scan, uint64_t offset,
                                  struct sl_log_batch_head *head, enum sl_err *err)
{
    *err = SL_OK;
    if (offset + SL_LOG_BLOCK > scan->end->segment_bytes)
        return NULL;
    const uint8_t *bytes = look(scan, offset, SL_LOG_BLOCK);
    if (!bytes)
        goto fail;
    if (!sl_log_batch_peek(bytes, scan->end->salt, head))
        return NULL;
    const size_t len = (size_t)head->block_count * SL_LOG_BLOCK;
    if (offset + len > scan->end->segment_bytes)
        return NULL;
    bytes = look(scan, offset, len);
    if (!bytes)
        goto fail;
    return sl_log_batch_is_whole(head, bytes) ? bytes : NULL;
fail:
    *err = scan->error->code;
    return NULL;
}

/* ---- Learning what a batch holds ------------------------------------------------------------- */

static enum sl_err learn_event(struct scan *scan, const uint8_t *batch,
                               const struct sl_log_frame *frame)
{
    struct sl_text tags[SL_LOG_TAGS_MAX];
    struct sl_log_event event;

    if (!sl_log_event_read(frame->payload, &event))
        return damaged(scan, "an event");
    for (uint32_t i = 0; i < event.tag_count; i++)
        tags[i] = sl_log_tag_next(&event.tags);
    if (!sl_log_keys_add(&scan->keys, (uint64_t)(frame->whole.ptr - batch), frame->whole,
                         event.stream, tags, event.tag_count))
        return sl_fail(scan->error, SL_NO_MEMORY, "no memory for the log's index");
    if (sl_log_catalog_schema(scan->recovery->catalog, event.schema))
        return SL_OK;
    for (size_t i = 0; i < scan->schema_count; i++)
        if (scan->schemas[i]->id == event.schema)
            return SL_OK;
    return damaged(scan, "an event without its schema");
}

static enum sl_err learn_schema(struct scan *scan, struct sl_slice payload)
{
    struct sl_schema schema;
    const struct sl_schema *copy;

    if (!sl_log_schema_read(payload, &schema) || scan->schema_count == SL_LOG_SCHEMAS_MAX)
        return damaged(scan, "a schema");
    const enum sl_err err =
        sl_log_catalog_prepare(scan->recovery->catalog, &schema, scan->schema_count, &copy);
    if (err == SL_NO_MEMORY)
        return sl_fail(scan->error, err, "no memory for the log's schemas");
    if (err != SL_OK)
        return damaged(scan, "a schema that contradicts an earlier one");
    scan->schemas[scan->schema_count++] = copy;
    return SL_OK;
}

static enum sl_err learn_epoch(struct scan *scan, struct sl_slice payload)
{
    const struct sl_log_catalog *catalog = scan->recovery->catalog;
    struct sl_epoch epoch;

    if (!sl_log_epoch_read(payload, &epoch) || epoch.first_position != scan->end->position ||
        (catalog->epoch_count > 0 &&
         epoch.number < catalog->epochs[catalog->epoch_count - 1].number))
        return damaged(scan, "an epoch");
    if (sl_log_catalog_add_epoch(scan->recovery->catalog, &epoch) != SL_OK)
        return sl_fail(scan->error, SL_NO_MEMORY, "no memory for the log's epochs");
    return SL_OK;
}

static enum sl_err learn_frame(struct scan *scan, const uint8_t *batch,
                               const struct sl_log_frame *frame, struct sl_log_entry *entry)
{
    struct sl_stored_outcome outcome;

    switch ((enum sl_log_frame_kind)frame->kind) {
    case SL_LOG_EVENT:
        entry->event_count++;
        return learn_event(scan, batch, frame);
    case SL_LOG_OUTCOME:
        if (!sl_log_outcome_read(frame->payload, &outcome))
            return damaged(scan, "an outcome");
        if (entry->outcome_count++ == 0 || entry->outcome_latest.ns < outcome.time.ns)
            entry->outcome_latest = outcome.time;
        return SL_OK;
    case SL_LOG_SCHEMA:
        return learn_schema(scan, frame->payload);
    case SL_LOG_EPOCH:
        return learn_epoch(scan, frame->payload);
    case SL_LOG_STONE:
        return damaged(scan, "a stone in a segment that was never scavenged");
    default:
        SL_ASSERT(false, "F1"); /* sl_log_frame_next hands out no others */
    }
}

static enum sl_err learn_batch(struct scan *scan, const struct sl_log_batch_head *head,
                               const uint8_t *bytes)
{
    const struct sl_log_end *end = scan->end;
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(bytes));
    struct sl_log_learned learned = {.entry = {.first_position = end->position,
                                               .first_outcome = end->outcome,
                                               .segment = (uint32_t)end->segment,
                                               .block = (uint32_t)(end->offset / SL_LOG_BLOCK),
                                               .block_count = head->block_count,
                                               .frame_count = head->frame_count}};
    struct sl_log_frame frame;
    enum sl_err err = SL_OK;

    scan->keys.count = 0;
    scan->schema_count = 0;
    while (err == SL_OK) {
        err = sl_log_frame_next(&cursor, &frame);
        if (err == SL_NOT_FOUND)
            break;
        if (err == SL_CORRUPT)
            return damaged(scan, "frames do not fit");
        if (err == SL_UNSUPPORTED)
            return sl_fail(scan->error, err, "%s: the batch at offset %llu has a frame of a kind "
                           "that this program does not know: use a newer one", scan->path,
                           (unsigned long long)end->offset);
        err = learn_frame(scan, bytes, &frame, &learned.entry);
    }
    if (err != SL_NOT_FOUND)
        return err;
    if (learned.entry.event_count != head->event_count ||
        learned.entry.outcome_count != head->outcome_count)
        return damaged(scan, "counts of frames");
    learned.keys = scan->keys.items;
    learned.key_count = scan->keys.count;
    learned.schemas = scan->schemas;
    learned.schema_count = scan->schema_count;
    err = scan->recovery->learn(scan->recovery->context, &learned);
    if (err != SL_OK)
        return sl_fail(scan->error, err, "no memory for the log's index");
    for (size_t i = 0; i < scan->schema_count; i++)
        sl_log_catalog_publish(scan->recovery->catalog, scan->schemas[i]);
    return SL_OK;
}

/* ---- The chain ------------------------------------------------------------------------------- */

static void trust(struct scan *scan, const struct sl_log_batch_head *head)
{
    if (head->durable_batches > scan->durable_batches)
        scan->durable_batches = head->durable_batches;
    if (head->durable_through > scan->durable_through)
        scan->durable_through = head->durable_through;
}

/* Follows the chain through one segment as far as it goes. */
static enum sl_err follow(struct scan *scan)
{
    struct sl_log_end *end = scan->end;
    struct sl_log_batch_head head;
    enum sl_err err;

    for (;;) {
        const uint8_t *bytes = whole_batch(scan, end->offset, &head, &err);
        if (!bytes)
            return err;
        if (head.number != end->batch || head.first_position != end->position ||
            head.previous != end->previous)
            return SL_OK; /* whole, but no continuation */
        if (head.flags != 0)
            return sl_fail(scan->error, SL_UNSUPPORTED, "%s: the batch at offset %llu has flags "
                           "that this program does not know: use a newer one", scan->path,
                           (unsigned long long)end->offset);
        err = learn_batch(scan, &head, bytes);
        if (err != SL_OK)
            return err;
        trust(scan, &head);
        if (head.durable_batches == head.number)
            end->sure_offset = end->offset;
        end->offset += (uint64_t)head.block_count * SL_LOG_BLOCK;
        end->batch++;
        end->position += head.event_count;
        end->outcome += head.outcome_count;
        end->previous = head.checksum;
        end->keys += scan->keys.count;
    }
}

/* Opens a segment; at its start, checks that its header continues what was read so far. */
static enum sl_err enter(struct scan *scan, uint64_t number)
{
    struct sl_log_end *end = scan->end;
    const bool last = number == scan->recovery->last;
    const unsigned flags = last ? SL_OPEN_WRITE | SL_OPEN_DIRECT : SL_OPEN_READ;
    struct sl_log_segment_head head;
    const enum sl_err err = sl_log_segment_open(scan->recovery->folder, number, flags, &head,
                                                &scan->file, scan->error);

    if (err != SL_OK)
        return err;
    scan->window_len = 0;
    if (number == end->segment && end->offset > 0) {
        sl_log_segment_path(scan->recovery->folder, number, scan->path);
        return SL_OK;
    }
    if (number > 0 && !sl_uuid_equals(head.log, end->log)) {
        sl_log_segment_path(scan->recovery->folder, number, scan->path);
        return sl_fail(scan->error, SL_CORRUPT, "%s belongs to another log: put the right file "
                       "there", scan->path);
    }
    if (head.first_batch != end->batch || head.first_position != end->position ||
        head.previous != end->previous) {
        /* `path` and `offset` are still those of the segment before, where the chain ends too
         * early: the next header says that more was durable. */
        SL_MARK("log: damage in a full segment");
        if (number == 0)
            sl_log_segment_path(scan->recovery->folder, number, scan->path);
        return damaged(scan, "batches are missing");
    }
    sl_log_segment_path(scan->recovery->folder, number, scan->path);
    end->log = head.log;
    end->segment = number;
    end->segment_bytes = head.bytes;
    end->salt = head.salt;
    end->offset = SL_LOG_BLOCK;
    end->sure_offset = SL_LOG_BLOCK;
    end->keys = 0;
    return SL_OK;
}

/* ---- The end --------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, SL_LOG_BLOCK - 1) == 0;
}

/* Looks at everything behind the chain's end: whole batches there may prove that what is missing
 * was durable. `*dirty_end` is the end of the last block that isn't zero, or end->offset. */
static enum sl_err look_behind(struct scan *scan, uint64_t *dirty_end)
{
    const struct sl_log_end *end = scan->end;
    struct sl_log_batch_head head;
    enum sl_err err;

    *dirty_end = end->offset;
    for (uint64_t at = end->offset; at + SL_LOG_BLOCK <= end->segment_bytes;) {
        const uint8_t *block = look(scan, at, SL_LOG_BLOCK);
        if (!block)
            return scan->error->code;
        uint64_t next = at + SL_LOG_BLOCK;
        if (!is_zero(block)) {
            *dirty_end = next;
            if (sl_log_batch_is_stale(block, end->salt))
                SL_MARK("log: stale batch");
            if (whole_batch(scan, at, &head, &err)) {
                SL_MARK("log: whole batch behind a hole");
                trust(scan, &head);
                next = at + (uint64_t)head.block_count * SL_LOG_BLOCK;
                *dirty_end = next;
            } else if (err != SL_OK) {
                return err;
            }
        }
        at = next;
    }
    return SL_OK;
}

/* Batches that nobody may have been told of are in the file, perhaps only in the system's cache:
 * the same bytes again, this time durably. */
static enum sl_err write_again(struct scan *scan)
{
    for (uint64_t at = scan->end->sure_offset; at < scan->end->offset;) {
        const uint64_t left = scan->end->offset - at;
        const size_t len = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        const uint8_t *bytes = look(scan, at, len);
        if (!bytes)
            return scan->error->code;
        /* look() may have answered from the middle of its window; blocks keep it aligned. */
        const enum sl_err err = sl_file_write(scan->file, at, bytes, len, scan->error);
        if (err != SL_OK)
            return err;
        at += len;
    }
    return SL_OK;
}

/* L3: damage is reported, the rest is cut. */
static enum sl_err settle(struct scan *scan)
{
    const struct sl_log_folder *folder = scan->recovery->folder;
    struct sl_log_end *end = scan->end;
    uint64_t dirty_end;

    enum sl_err err = look_behind(scan, &dirty_end);
    if (err != SL_OK)
        return err;
    if (scan->durable_batches > end->batch || scan->durable_through > end->position) {
        SL_MARK("log: damaged below durable_through");
        return damaged(scan, "an acknowledged batch");
    }
    err = write_again(scan);
    if (err == SL_OK && dirty_end > end->offset) {
        SL_MARK("log: torn tail");
        scan->recovery->bytes_cut = dirty_end - end->offset;
        err = sl_log_zero(scan->file, end->offset, dirty_end, scan->error);
    }
    if (err == SL_OK)
        err = sl_file_sync(scan->file, scan->error);
    /* The last segment may have its name since a moment before the crash only. */
    if (err == SL_OK)
        err = sl_disk_sync_folder(folder->env, folder->path, scan->error);
    if (err == SL_OK)
        end->sure_offset = end->offset;
    return err;
}

enum sl_err sl_log_recover(struct sl_log_recovery *recovery, struct sl_log_end *end,
                           struct sl_file **out_file, struct sl_error *error)
{
    struct sl_error own = {0};
    struct scan scan = {.recovery = recovery, .end = end, .error = error ? error : &own};
    enum sl_err err = SL_OK;

    recovery->bytes_cut = 0;
    scan.schemas = calloc(SL_LOG_SCHEMAS_MAX, sizeof *scan.schemas);
    if (!scan.schemas)
        err = sl_fail(scan.error, SL_NO_MEMORY, "no memory to recover the log");
    for (uint64_t number = end->segment; err == SL_OK && number <= recovery->last; number++) {
        if (scan.file)
            sl_file_close(scan.file);
        scan.file = NULL;
        err = enter(&scan, number);
        if (err == SL_OK)
            err = follow(&scan);
    }
    if (err == SL_OK)
        err = settle(&scan);
    if (err == SL_OK)
        *out_file = scan.file;
    else if (scan.file)
        sl_file_close(scan.file);
    free(scan.schemas);
    free(scan.window);
    sl_log_keys_close(&scan.keys);
    return err;
}
