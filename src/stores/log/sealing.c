#include "stores/log/sealing.h"

#include "stores/log/footer.h"
#include "stores/log/index.h"

#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BYTES = 64 << 10, /* of reading, and of writing, at once */
    FOOTER_BYTES_MAX = 1 << 30,
};

enum phase {
    READING,
    SORTING,
    INDEXING, /* pages of the footer are written */
    NAMING,
    DONE,
};

struct sl_log_sealing {
    const struct sl_log_folder *folder;
    enum phase phase;
    char raw_path[SL_LOG_PATH_MAX];
    char tmp_path[SL_LOG_PATH_MAX];
    struct sl_log_segment_head next; /* header of the segment behind */
    struct sl_log_sealed_head head;  /* of the sealed one, as far as it has come */
    /* The raw segment. */
    struct sl_file *raw;
    uint8_t *window; /* bytes of it, from window_offset on; the first `used` are done with */
    size_t window_len, window_capacity, used;
    uint64_t window_offset;
    struct sl_log_batch_head batch; /* the one under way */
    bool in_batch;
    struct sl_cursor frames; /* that are left of it */
    uint64_t position, outcome;
    /* The block in the making. */
    uint8_t *block_frames;
    size_t block_len;
    struct sl_log_block_head block;
    struct sl_log_place place;
    uint8_t *packed, *unpacked;
    struct sl_log_packer *packer;
    struct sl_log_unpacker *unpacker;
    /* The sealed file; what is not written yet lies in `piece`, aligned for direct writes. */
    struct sl_file *file;
    uint8_t *piece;
    size_t piece_len;
    uint64_t written; /* offset behind the last piece */
    bool wrote;       /* in this step */
    struct sl_log_footer footer;
};

static enum sl_err no_memory(struct sl_error *error)
{
    return sl_fail(error, SL_NO_MEMORY, "no memory to seal a segment of the log");
}

static enum sl_err damaged(const struct sl_log_sealing *sealing, const char *why,
                           struct sl_error *error)
{
    SL_MARK("log: damage met while sealing");
    return sl_fail(error, SL_CORRUPT, "%s: damaged at offset %llu (%s): it is not sealed; restore "
                   "it from a backup or a follower, or see `sluice log salvage`",
                   sealing->raw_path,
                   (unsigned long long)(sealing->window_offset + sealing->used), why);
}

/* ---- The sealed file ------------------------------------------------------------------------- */

static enum sl_err flush(struct sl_log_sealing *sealing, struct sl_error *error)
{
    const enum sl_err err = sl_file_write(sealing->file, sealing->written, sealing->piece,
                                          sealing->piece_len, error);

    sealing->written += sealing->piece_len;
    sealing->piece_len = 0;
    sealing->wrote = true;
    return err;
}

static enum sl_err put(struct sl_log_sealing *sealing, const uint8_t *bytes, size_t len,
                       struct sl_error *error)
{
    while (len > 0) {
        const size_t room = PIECE_BYTES - sealing->piece_len;
        const size_t part = len < room ? len : room;
        memcpy(sealing->piece + sealing->piece_len, bytes, part);
        sealing->piece_len += part;
        bytes += part;
        len -= part;
        if (sealing->piece_len == PIECE_BYTES) {
            const enum sl_err err = flush(sealing, error);
            if (err != SL_OK)
                return err;
        }
    }
    return SL_OK;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static enum sl_err end_block(struct sl_log_sealing *sealing, struct sl_error *error)
{
    struct sl_log_block_head *block = &sealing->block;
    struct sl_log_place *place = &sealing->place;
    const struct sl_slice frames = {sealing->block_frames, sealing->block_len};

    if (frames.len == 0)
        return SL_OK;
    sl_log_block_pack(sealing->packer, frames, block, sealing->packed);
    sl_log_block_seal(block, sealing->head.segment.salt, sealing->packed);
    /* The raw bytes go away for good: what stands for them is tried first. */
    if (!sl_log_block_unpack_with(sealing->unpacker, block, sealing->packed, sealing->unpacked) ||
        memcmp(sealing->unpacked, frames.ptr, frames.len) != 0)
        return sl_fail(error, SL_CORRUPT, "%s: a block cannot be unpacked again: it is not sealed",
                       sealing->raw_path);
    place->bytes = SL_LOG_SEALED_BLOCK_HEAD + block->stored_bytes;
    place->frame_bytes = block->frame_bytes;
    place->event_count = block->event_count;
    place->outcome_count = block->outcome_count;
    if (!sl_log_footer_place(&sealing->footer, place))
        return no_memory(error);
    sealing->head.block_count++;
    sealing->head.frame_bytes += frames.len;
    sealing->head.data_end += place->bytes;
    sealing->block_len = 0;
    return put(sealing, sealing->packed, place->bytes, error);
}

/* Adds a frame of the batch under way to the block, or to the next one. */
static enum sl_err add_frame(struct sl_log_sealing *sealing, struct sl_slice frame,
                             struct sl_error *error)
{
    if (frame.len > SL_LOG_SEALED_BLOCK_BYTES_MAX)
        return sl_fail(error, SL_LIMIT, "%s: has a frame of %zu bytes, which is too large to seal",
                       sealing->raw_path, frame.len);
    if (sealing->block_len + frame.len > SL_LOG_SEALED_BLOCK_BYTES) {
        const enum sl_err err = end_block(sealing, error);
        if (err != SL_OK)
            return err;
    }
    if (sealing->block_len == 0) {
        sealing->block = (struct sl_log_block_head){.first_position = sealing->position,
                                                    .first_batch = sealing->batch.number};
        sealing->place = (struct sl_log_place){.offset = sealing->head.data_end,
                                               .first_position = sealing->position,
                                               .first_outcome = sealing->outcome,
                                               .outcome_latest = {INT64_MIN},
                                               .time = sealing->batch.time};
    }
    memcpy(sealing->block_frames + sealing->block_len, frame.ptr, frame.len);
    sealing->block_len += frame.len;
    return SL_OK;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static enum sl_err learn_event(struct sl_log_sealing *sealing, struct sl_slice payload,
                               struct sl_error *error)
{
    struct sl_log_footer *footer = &sealing->footer;
    struct sl_log_event event;
    bool good;

    if (!sl_log_event_read(payload, &event))
        return damaged(sealing, "an event", error);
    good = sl_log_footer_pair(footer, sl_log_stream_hash(event.stream), sealing->position);
    for (uint32_t i = 0; i < event.tag_count; i++)
        good = good && sl_log_footer_pair(footer, sl_log_tag_hash(sl_log_tag_next(&event.tags)),
                                          sealing->position);
    if (!good)
        return no_memory(error);
    sealing->position++;
    sealing->block.event_count++;
    return SL_OK;
}

static enum sl_err learn_outcome(struct sl_log_sealing *sealing, struct sl_slice payload,
                                 struct sl_error *error)
{
    struct sl_stored_outcome outcome;

    if (!sl_log_outcome_read(payload, &outcome))
        return damaged(sealing, "an outcome", error);
    sealing->outcome++;
    sealing->block.outcome_count++;
    if (sl_time_before(sealing->place.outcome_latest, outcome.time))
        sealing->place.outcome_latest = outcome.time;
    if (sl_time_before(sealing->head.outcome_latest, outcome.time))
        sealing->head.outcome_latest = outcome.time;
    return SL_OK;
}

static enum sl_err take_frame(struct sl_log_sealing *sealing, const struct sl_log_frame *frame,
                              struct sl_error *error)
{
    const enum sl_err err = add_frame(sealing, frame->whole, error);

    if (err != SL_OK)
        return err;
    switch (frame->kind) {
    case SL_LOG_EVENT:
        return learn_event(sealing, frame->payload, error);
    case SL_LOG_OUTCOME:
        return learn_outcome(sealing, frame->payload, error);
    case SL_LOG_SCHEMA:
    case SL_LOG_EPOCH:
        sl_buf_append(&sealing->footer.catalog, frame->whole.ptr, frame->whole.len);
        return sealing->footer.catalog.failed ? no_memory(error) : SL_OK;
    default:
        if (frame->flags & SL_LOG_MAY_SKIP && frame->kind != SL_LOG_BATCH)
            return SL_OK;
        return sl_fail(error, SL_UNSUPPORTED, "%s: has a frame of a kind that this program does "
                       "not know: it is not sealed", sealing->raw_path);
    }
}

/* ---- Batches --------------------------------------------------------------------------------- */

/* Makes the window hold `len` bytes of what is not done with; false: a piece was read, and more is
 * needed in another step, or *err. */
static bool fill_window(struct sl_log_sealing *sealing, size_t len, enum sl_err *err,
                        struct sl_error *error)
{
    size_t got;

    *err = SL_OK;
    if (sealing->window_len - sealing->used >= len)
        return true;
    if (sealing->used > 0) {
        sealing->window_len -= sealing->used;
        sealing->window_offset += sealing->used;
        memmove(sealing->window, sealing->window + sealing->used, sealing->window_len);
        sealing->used = 0;
    }
    if (sealing->window_capacity < sealing->window_len + PIECE_BYTES) {
        uint8_t *window = realloc(sealing->window, sealing->window_len + 2 * PIECE_BYTES);
        if (!window) {
            *err = no_memory(error);
            return false;
        }
        sealing->window = window;
        sealing->window_capacity = sealing->window_len + 2 * PIECE_BYTES;
    }
    *err = sl_file_read(sealing->raw, sealing->window_offset + sealing->window_len,
                        sealing->window + sealing->window_len, PIECE_BYTES, &got, error);
    if (*err != SL_OK)
        return false;
    if (got == 0) {
        *err = damaged(sealing, "the file is too short", error);
        return false;
    }
    sealing->window_len += got;
    return sealing->window_len >= len;
}

/* Can the batch be made again out of its mark and its frames? */
static bool is_plain(const struct sl_log_batch_head *head, const uint8_t *bytes)
{
    const size_t len = (size_t)head->block_count * SL_LOG_BLOCK;

    if (head->flags != 0 || sl_le32(bytes + 36) != 0 || head->durable_batches > head->number ||
        head->durable_through > head->first_position ||
        len - head->payload_bytes - SL_LOG_BATCH_HEAD >= SL_LOG_BLOCK)
        return false;
    for (size_t i = SL_LOG_BATCH_HEAD + head->payload_bytes; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* The next batch, once all of it is in the window: verified like at recovery, its mark added. */
static enum sl_err begin_batch(struct sl_log_sealing *sealing, struct sl_error *error)
{
    struct sl_log_sealed_head *head = &sealing->head;
    struct sl_log_batch_head batch;
    uint8_t mark[SL_LOG_BATCH_FRAME_MAX];
    enum sl_err err;

    if (!fill_window(sealing, SL_LOG_BLOCK, &err, error))
        return err;
    if (!sl_log_batch_peek(sealing->window + sealing->used, head->segment.salt, &batch))
        return damaged(sealing, "no batch", error);
    const size_t len = (size_t)batch.block_count * SL_LOG_BLOCK;
    if (!fill_window(sealing, len, &err, error))
        return err;
    const uint8_t *bytes = sealing->window + sealing->used;
    if (!sl_log_batch_is_whole(&batch, bytes) || batch.number != head->next_batch ||
        batch.first_position != sealing->position || batch.previous != head->last)
        return damaged(sealing, "a batch", error);
    if (!is_plain(&batch, bytes))
        return sl_fail(error, SL_UNSUPPORTED, "%s: the batch at offset %llu is of a form that "
                       "cannot be sealed", sealing->raw_path,
                       (unsigned long long)(sealing->window_offset + sealing->used));
    sealing->batch = batch;
    sealing->in_batch = true;
    sealing->frames = sl_cursor_of(sl_log_batch_frames(bytes));
    return add_frame(sealing, (struct sl_slice){mark, sl_log_batch_frame_write(mark, &batch)},
                     error);
}

static enum sl_err end_batch(struct sl_log_sealing *sealing, struct sl_error *error)
{
    const struct sl_log_batch_head *batch = &sealing->batch;
    struct sl_log_sealed_head *head = &sealing->head;
    const size_t len = (size_t)batch->block_count * SL_LOG_BLOCK;

    if (sealing->position != batch->first_position + batch->event_count)
        return damaged(sealing, "counts of frames", error);
    sealing->in_batch = false;
    sealing->used += len;
    head->raw_bytes += len;
    head->last = batch->checksum;
    head->next_batch = batch->number + 1;
    return SL_OK;
}

/* All batches are in blocks: the chain must lead to the next segment. */
static enum sl_err end_reading(struct sl_log_sealing *sealing, struct sl_error *error)
{
    const enum sl_err err = end_block(sealing, error);

    if (err != SL_OK)
        return err;
    if (sealing->position != sealing->next.first_position ||
        sealing->head.last != sealing->next.previous)
        return damaged(sealing, "the next segment continues another one", error);
    sealing->head.next_position = sealing->position;
    sealing->head.next_outcome = sealing->outcome;
    sealing->phase = SORTING;
    return SL_OK;
}

static enum sl_err read_some(struct sl_log_sealing *sealing, struct sl_error *error)
{
    const uint64_t window_end = sealing->window_offset + sealing->window_len;
    enum sl_err err = SL_OK;

    while (err == SL_OK && !sealing->wrote) {
        struct sl_log_frame frame;

        if (!sealing->in_batch) {
            if (sealing->head.next_batch == sealing->next.first_batch)
                return end_reading(sealing, error);
            err = begin_batch(sealing, error);
            /* Reading is a piece of work, too. */
            if (window_end != sealing->window_offset + sealing->window_len)
                return err;
            continue;
        }
        err = sl_log_frame_next_any(&sealing->frames, &frame);
        if (err == SL_NOT_FOUND)
            err = end_batch(sealing, error);
        else if (err == SL_OK)
            err = take_frame(sealing, &frame, error);
        else
            err = damaged(sealing, "frames do not fit", error);
    }
    return err;
}

/* ---- The footer ------------------------------------------------------------------------------ */

static enum sl_err sort(struct sl_log_sealing *sealing, struct sl_error *error)
{
    static const uint8_t zeros[SL_LOG_BLOCK];
    const size_t over = (size_t)(sealing->head.data_end % SL_LOG_BLOCK);

    if (over > 0) {
        const enum sl_err err = put(sealing, zeros, SL_LOG_BLOCK - over, error);
        if (err != SL_OK)
            return err;
    }
    const uint64_t number = (sealing->written + sealing->piece_len) / SL_LOG_PAGE;
    if (number > UINT32_MAX / 2)
        return sl_fail(error, SL_LIMIT, "%s: is too large to be sealed", sealing->raw_path);
    if (!sl_log_footer_finish(&sealing->footer, (uint32_t)number))
        return no_memory(error);
    sealing->head.key_count = (uint32_t)sealing->footer.pair_count;
    sealing->head.catalog_bytes = (uint32_t)sealing->footer.catalog.len;
    sealing->phase = INDEXING;
    return SL_OK;
}

static enum sl_err write_pages(struct sl_log_sealing *sealing, struct sl_error *error)
{
    uint8_t page[SL_LOG_PAGE];
    enum sl_err err = SL_OK;

    while (err == SL_OK && !sealing->wrote) {
        err = sl_log_footer_page(&sealing->footer, &sealing->head, page);
        if (err == SL_NOT_FOUND) {
            sealing->phase = NAMING;
            return sealing->piece_len > 0 ? flush(sealing, error) : SL_OK;
        }
        err = err == SL_OK ? put(sealing, page, sizeof page, error) : no_memory(error);
    }
    return err;
}

/* The header last: a file without it is nothing. Then the name, when all of it is durable. */
static enum sl_err name(struct sl_log_sealing *sealing, struct sl_error *error)
{
    const struct sl_log_folder *folder = sealing->folder;
    char path[SL_LOG_PATH_MAX];

    sealing->head.segment.bytes = sealing->written;
    memset(sealing->piece, 0, SL_LOG_BLOCK);
    sl_log_sealed_head_write(&sealing->head, sealing->piece);
    sl_log_sealed_path(folder, sealing->head.segment.number, path);
    enum sl_err err = sl_file_write(sealing->file, 0, sealing->piece, SL_LOG_BLOCK, error);
    if (err == SL_OK)
        err = sl_file_sync(sealing->file, error);
    if (err == SL_OK)
        err = sl_disk_rename(folder->env, sealing->tmp_path, path, error);
    if (err == SL_OK)
        err = sl_disk_sync_folder(folder->env, folder->path, error);
    if (err == SL_OK)
        sealing->phase = DONE;
    return err;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static enum sl_err open_files(struct sl_log_sealing *sealing, uint64_t number,
                              struct sl_error *error)
{
    const struct sl_log_folder *folder = sealing->folder;
    struct sl_log_segment_head *head = &sealing->head.segment;
    struct sl_file *next;

    enum sl_err err = sl_log_segment_open(folder, number + 1, SL_OPEN_READ, &sealing->next, &next,
                                          error);
    if (err != SL_OK)
        return err;
    sl_file_close(next);
    err = sl_log_segment_open(folder, number, SL_OPEN_READ, head, &sealing->raw, error);
    if (err == SL_OK)
        err = sl_disk_open(folder->env, sealing->tmp_path,
                           SL_OPEN_WRITE | SL_OPEN_CREATE | SL_OPEN_DIRECT, &sealing->file, error);
    if (err == SL_OK) /* what an earlier try left is not mixed in */
        err = sl_file_truncate(sealing->file, 0, error);
    return err;
}

enum sl_err sl_log_sealing_begin(const struct sl_log_folder *folder, uint64_t number,
                                 uint64_t first_outcome, struct sl_log_sealing **out,
                                 struct sl_error *error)
{
    struct sl_log_sealing *sealing = calloc(1, sizeof *sealing);
    const size_t frames_max = SL_LOG_SEALED_BLOCK_BYTES_MAX;
    enum sl_err err = SL_OK;

    if (!sealing)
        return no_memory(error);
    sealing->folder = folder;
    sl_log_segment_path(folder, number, sealing->raw_path);
    sl_log_sealed_tmp_path(folder, number, sealing->tmp_path);
    sealing->footer.catalog.bytes_max = FOOTER_BYTES_MAX;
    sealing->piece = aligned_alloc(SL_LOG_BLOCK, PIECE_BYTES);
    sealing->block_frames = malloc(frames_max);
    sealing->packed = malloc(frames_max + SL_LOG_SEALED_BLOCK_HEAD);
    sealing->unpacked = malloc(frames_max);
    sealing->packer = sl_log_packer_new();
    sealing->unpacker = sl_log_unpacker_new();
    if (!sealing->piece || !sealing->block_frames || !sealing->packed || !sealing->unpacked ||
        !sealing->packer || !sealing->unpacker)
        err = no_memory(error);
    if (err == SL_OK)
        err = open_files(sealing, number, error);
    if (err != SL_OK) {
        sl_log_sealing_free(sealing);
        return err;
    }
    struct sl_log_sealed_head *head = &sealing->head;
    head->next_batch = head->segment.first_batch;
    head->last = head->segment.previous;
    head->first_outcome = sealing->outcome = first_outcome;
    head->outcome_latest.ns = INT64_MIN;
    head->data_end = SL_LOG_BLOCK;
    sealing->position = head->segment.first_position;
    sealing->window_offset = sealing->written = SL_LOG_BLOCK;
    *out = sealing;
    return SL_OK;
}

enum sl_err sl_log_sealing_step(struct sl_log_sealing *sealing, bool *done,
                                struct sl_error *error)
{
    enum sl_err err = SL_OK;

    sealing->wrote = false;
    switch (sealing->phase) {
    case READING:
        err = read_some(sealing, error);
        break;
    case SORTING:
        err = sort(sealing, error);
        break;
    case INDEXING:
        err = write_pages(sealing, error);
        break;
    case NAMING:
        err = name(sealing, error);
        break;
    case DONE:
        SL_ASSERT(false, "L3");
    }
    if (err == SL_OK)
        *done = sealing->phase == DONE;
    return err;
}

const struct sl_log_sealed_head *sl_log_sealing_head(const struct sl_log_sealing *sealing)
{
    SL_ASSERT(sealing->phase == DONE, "L3");
    return &sealing->head;
}

void sl_log_sealing_free(struct sl_log_sealing *sealing)
{
    struct sl_error ignored = {0};

    if (!sealing)
        return;
    if (sealing->raw)
        sl_file_close(sealing->raw);
    if (sealing->file) {
        sl_file_close(sealing->file);
        /* After a failure past the rename this finds nothing, and the sealed file stays: at the
         * next open it is in force if it is there, and the raw one if not. */
        if (sealing->phase != DONE)
            (void)!sl_disk_remove(sealing->folder->env, sealing->tmp_path, &ignored);
    }
    free(sealing->window);
    free(sealing->piece);
    free(sealing->block_frames);
    free(sealing->packed);
    free(sealing->unpacked);
    sl_log_packer_free(sealing->packer);
    sl_log_unpacker_free(sealing->unpacker);
    sl_log_footer_close(&sealing->footer);
    free(sealing);
}
