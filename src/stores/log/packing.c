#include "stores/log/packing.h"

#include "stores/log/index.h"
#include "stores/log/stone.h"

#include <stdlib.h>
#include <string.h>

enum {
    FOOTER_BYTES_MAX = 1 << 30,
};

static enum sl_err no_memory(struct sl_error *error)
{
    return sl_fail(error, SL_NO_MEMORY, "no memory to pack a segment of the log");
}

/* ---- The sealed file ------------------------------------------------------------------------- */

static enum sl_err flush(struct sl_log_packing *packing, struct sl_error *error)
{
    const enum sl_err err = sl_file_write(packing->file, packing->written, packing->piece,
                                          packing->piece_len, error);

    packing->written += packing->piece_len;
    packing->piece_len = 0;
    packing->wrote = true;
    return err;
}

static enum sl_err put(struct sl_log_packing *packing, const uint8_t *bytes, size_t len,
                       struct sl_error *error)
{
    while (len > 0) {
        const size_t room = SL_LOG_PACKING_PIECE - packing->piece_len;
        const size_t part = len < room ? len : room;
        memcpy(packing->piece + packing->piece_len, bytes, part);
        packing->piece_len += part;
        bytes += part;
        len -= part;
        if (packing->piece_len == SL_LOG_PACKING_PIECE) {
            const enum sl_err err = flush(packing, error);
            if (err != SL_OK)
                return err;
        }
    }
    return SL_OK;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static enum sl_err end_block(struct sl_log_packing *packing, struct sl_error *error)
{
    struct sl_log_block_head *block = &packing->block;
    struct sl_log_place *place = &packing->place;
    const struct sl_slice frames = {packing->block_frames, packing->block_len};

    if (frames.len == 0)
        return SL_OK;
    sl_log_block_pack(packing->packer, frames, block, packing->packed);
    sl_log_block_seal(block, packing->head.segment.salt, packing->packed);
    /* The raw bytes go away for good: what stands for them is tried first. */
    if (!sl_log_block_unpack_with(packing->unpacker, block, packing->packed, packing->unpacked) ||
        memcmp(packing->unpacked, frames.ptr, frames.len) != 0)
        return sl_fail(error, SL_CORRUPT, "%s: a block cannot be unpacked again: it is not sealed",
                       packing->source);
    place->bytes = SL_LOG_SEALED_BLOCK_HEAD + block->stored_bytes;
    place->frame_bytes = block->frame_bytes;
    place->event_count = block->event_count;
    place->outcome_count = block->outcome_count;
    if (!sl_log_footer_place(&packing->footer, place))
        return no_memory(error);
    packing->head.block_count++;
    packing->head.frame_bytes += frames.len;
    packing->head.data_end += place->bytes;
    packing->block_len = 0;
    return put(packing, packing->packed, place->bytes, error);
}

/* Adds a frame of the batch under way to the block, or to the next one. */
static enum sl_err add_frame(struct sl_log_packing *packing, struct sl_slice frame,
                             struct sl_error *error)
{
    if (frame.len > SL_LOG_SEALED_BLOCK_BYTES_MAX)
        return sl_fail(error, SL_LIMIT, "%s: has a frame of %zu bytes, which is too large to seal",
                       packing->source, frame.len);
    if (packing->block_len + frame.len > SL_LOG_SEALED_BLOCK_BYTES) {
        const enum sl_err err = end_block(packing, error);
        if (err != SL_OK)
            return err;
    }
    if (packing->block_len == 0) {
        packing->block = (struct sl_log_block_head){.first_position = packing->position,
                                                    .first_batch = packing->batch.number};
        packing->place = (struct sl_log_place){.offset = packing->head.data_end,
                                               .first_position = packing->position,
                                               .first_outcome = packing->outcome,
                                               .outcome_latest = {INT64_MIN},
                                               .time = packing->batch.time};
    }
    memcpy(packing->block_frames + packing->block_len, frame.ptr, frame.len);
    packing->block_len += frame.len;
    return SL_OK;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static enum sl_err learn_event(struct sl_log_packing *packing, const struct sl_log_frame *frame,
                               struct sl_error *error)
{
    struct sl_log_footer *footer = &packing->footer;
    struct sl_log_event event;
    bool good;

    if (!sl_log_frame_event(frame, &event))
        return SL_INVALID;
    good = sl_log_footer_pair(footer, sl_log_stream_hash(event.stream), packing->position);
    for (uint32_t i = 0; i < event.tag_count; i++)
        good = good && sl_log_footer_pair(footer, sl_log_tag_hash(sl_log_tag_next(&event.tags)),
                                          packing->position);
    if (!good)
        return no_memory(error);
    packing->position++;
    packing->block.event_count++;
    packing->head.stones += frame->kind == SL_LOG_STONE;
    return SL_OK;
}

static enum sl_err learn_outcome(struct sl_log_packing *packing, struct sl_slice payload)
{
    struct sl_stored_outcome outcome;

    if (!sl_log_outcome_read(payload, &outcome))
        return SL_INVALID;
    packing->outcome++;
    packing->block.outcome_count++;
    if (sl_time_before(packing->place.outcome_latest, outcome.time))
        packing->place.outcome_latest = outcome.time;
    if (sl_time_before(packing->head.outcome_latest, outcome.time))
        packing->head.outcome_latest = outcome.time;
    return SL_OK;
}

enum sl_err sl_log_packing_frame(struct sl_log_packing *packing, const struct sl_log_frame *frame,
                                 struct sl_error *error)
{
    const enum sl_err err = add_frame(packing, frame->whole, error);

    if (err != SL_OK)
        return err;
    switch (frame->kind) {
    case SL_LOG_STONE:
        if ((packing->batch.flags & SL_LOG_SCAVENGED) == 0)
            return SL_INVALID;
        return learn_event(packing, frame, error);
    case SL_LOG_EVENT:
        return learn_event(packing, frame, error);
    case SL_LOG_OUTCOME:
        return learn_outcome(packing, frame->payload);
    case SL_LOG_SCHEMA:
    case SL_LOG_EPOCH:
        sl_buf_append(&packing->footer.catalog, frame->whole.ptr, frame->whole.len);
        return packing->footer.catalog.failed ? no_memory(error) : SL_OK;
    default:
        if (frame->flags & SL_LOG_MAY_SKIP && frame->kind != SL_LOG_BATCH)
            return SL_OK;
        return sl_fail(error, SL_UNSUPPORTED, "%s: has a frame of a kind that this program does "
                       "not know: it is not sealed", packing->source);
    }
}

/* ---- Batches --------------------------------------------------------------------------------- */

enum sl_err sl_log_packing_batch(struct sl_log_packing *packing,
                                 const struct sl_log_batch_head *batch, struct sl_error *error)
{
    uint8_t mark[SL_LOG_BATCH_FRAME_MAX];

    packing->batch = *batch;
    return add_frame(packing, (struct sl_slice){mark, sl_log_batch_frame_write(mark, batch)},
                     error);
}

bool sl_log_packing_end_batch(struct sl_log_packing *packing)
{
    const struct sl_log_batch_head *batch = &packing->batch;
    struct sl_log_sealed_head *head = &packing->head;

    head->raw_bytes += (uint64_t)batch->block_count * SL_LOG_BLOCK;
    head->last = batch->checksum;
    head->next_batch = batch->number + 1;
    return packing->position == batch->first_position + batch->event_count;
}

/* ---- The footer ------------------------------------------------------------------------------ */

enum sl_err sl_log_packing_end(struct sl_log_packing *packing, struct sl_error *error)
{
    static const uint8_t zeros[SL_LOG_BLOCK];

    enum sl_err err = end_block(packing, error);
    const size_t over = (size_t)(packing->head.data_end % SL_LOG_BLOCK);
    if (err == SL_OK && over > 0)
        err = put(packing, zeros, SL_LOG_BLOCK - over, error);
    if (err != SL_OK)
        return err;
    packing->head.next_position = packing->position;
    packing->head.next_outcome = packing->outcome;
    const uint64_t number = (packing->written + packing->piece_len) / SL_LOG_PAGE;
    if (number > UINT32_MAX / 2)
        return sl_fail(error, SL_LIMIT, "%s: is too large to be sealed", packing->source);
    if (!sl_log_footer_finish(&packing->footer, (uint32_t)number))
        return no_memory(error);
    packing->head.key_count = (uint32_t)packing->footer.pair_count;
    packing->head.catalog_bytes = (uint32_t)packing->footer.catalog.len;
    packing->phase = SL_LOG_PACKING_INDEX;
    return SL_OK;
}

static enum sl_err write_pages(struct sl_log_packing *packing, struct sl_error *error)
{
    uint8_t page[SL_LOG_PAGE];
    enum sl_err err = SL_OK;

    packing->wrote = false;
    while (err == SL_OK && !packing->wrote) {
        err = sl_log_footer_page(&packing->footer, &packing->head, page);
        if (err == SL_NOT_FOUND) {
            packing->phase = SL_LOG_PACKING_NAME;
            return packing->piece_len > 0 ? flush(packing, error) : SL_OK;
        }
        err = err == SL_OK ? put(packing, page, sizeof page, error) : no_memory(error);
    }
    return err;
}

/* The header last: a file without it is nothing. Then the name, when all of it is durable. */
static enum sl_err name(struct sl_log_packing *packing, struct sl_error *error)
{
    const struct sl_log_folder *folder = packing->folder;
    char path[SL_LOG_PATH_MAX];

    packing->head.segment.bytes = packing->written;
    memset(packing->piece, 0, SL_LOG_BLOCK);
    sl_log_sealed_head_write(&packing->head, packing->piece);
    sl_log_sealed_path(folder, packing->head.segment.number, path);
    enum sl_err err = sl_file_write(packing->file, 0, packing->piece, SL_LOG_BLOCK, error);
    if (err == SL_OK)
        err = sl_file_sync(packing->file, error);
    if (err == SL_OK && !packing->stays_unnamed)
        err = sl_disk_rename(folder->env, packing->tmp_path, path, error);
    if (err == SL_OK && !packing->stays_unnamed)
        err = sl_disk_sync_folder(folder->env, folder->path, error);
    if (err == SL_OK)
        packing->phase = SL_LOG_PACKING_DONE;
    return err;
}

enum sl_err sl_log_packing_step(struct sl_log_packing *packing, struct sl_error *error)
{
    SL_ASSERT(packing->phase == SL_LOG_PACKING_INDEX || packing->phase == SL_LOG_PACKING_NAME,
              "L3");
    return packing->phase == SL_LOG_PACKING_INDEX ? write_pages(packing, error)
                                                  : name(packing, error);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static enum sl_err open_file(struct sl_log_packing *packing, struct sl_error *error)
{
    const enum sl_err err =
        sl_disk_open(packing->folder->env, packing->tmp_path,
                     SL_OPEN_WRITE | SL_OPEN_CREATE | SL_OPEN_DIRECT, &packing->file, error);

    /* What an earlier try left is not mixed in. */
    return err == SL_OK ? sl_file_truncate(packing->file, 0, error) : err;
}

enum sl_err sl_log_packing_begin(struct sl_log_packing *packing,
                                 const struct sl_log_folder *folder,
                                 const struct sl_log_segment_head *head, uint64_t first_outcome,
                                 const char *source, struct sl_error *error)
{
    const size_t frames_max = SL_LOG_SEALED_BLOCK_BYTES_MAX;

    *packing = (struct sl_log_packing){.folder = folder,
                                       .source = source,
                                       .head = {.segment = *head,
                                                .next_batch = head->first_batch,
                                                .last = head->previous,
                                                .first_outcome = first_outcome,
                                                .outcome_latest = {INT64_MIN},
                                                .data_end = SL_LOG_BLOCK},
                                       .position = head->first_position,
                                       .outcome = first_outcome,
                                       .written = SL_LOG_BLOCK};
    sl_log_sealed_tmp_path(folder, head->number, packing->tmp_path);
    packing->footer.catalog.bytes_max = FOOTER_BYTES_MAX;
    packing->piece = aligned_alloc(SL_LOG_BLOCK, SL_LOG_PACKING_PIECE);
    packing->block_frames = malloc(frames_max);
    packing->packed = malloc(frames_max + SL_LOG_SEALED_BLOCK_HEAD);
    packing->unpacked = malloc(frames_max);
    packing->packer = sl_log_packer_new();
    packing->unpacker = sl_log_unpacker_new();
    if (!packing->piece || !packing->block_frames || !packing->packed || !packing->unpacked ||
        !packing->packer || !packing->unpacker)
        return no_memory(error);
    return open_file(packing, error);
}

void sl_log_packing_close(struct sl_log_packing *packing)
{
    struct sl_error ignored = {0};

    if (packing->file) {
        sl_file_close(packing->file);
        /* After a failure past the rename this finds nothing, and the sealed file stays: at the
         * next open it is in force if it is there, and what was there before if not. */
        if (packing->phase != SL_LOG_PACKING_DONE)
            (void)!sl_disk_remove(packing->folder->env, packing->tmp_path, &ignored);
    }
    free(packing->piece);
    free(packing->block_frames);
    free(packing->packed);
    free(packing->unpacked);
    sl_log_packer_free(packing->packer);
    sl_log_unpacker_free(packing->unpacker);
    sl_log_footer_close(&packing->footer);
    *packing = (struct sl_log_packing){0};
}
