#include "stores/log/sealing.h"

#include "stores/log/packing.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 64 << 10 }; /* of reading at once */

struct sl_log_sealing {
    char raw_path[SL_LOG_PATH_MAX];
    struct sl_log_segment_head next; /* header of the segment behind */
    /* The raw segment. */
    struct sl_file *raw;
    uint8_t *window; /* bytes of it, from window_offset on; the first `used` are done with */
    size_t window_len, window_capacity, used;
    uint64_t window_offset;
    bool in_batch;
    bool has_read; /* all batches are packed */
    struct sl_cursor frames; /* that are left of the batch under way */
    struct sl_log_packing packing;
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
    const struct sl_log_sealed_head *head = &sealing->packing.head;
    struct sl_log_batch_head batch;
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
        batch.first_position != sealing->packing.position || batch.previous != head->last)
        return damaged(sealing, "a batch", error);
    if (!is_plain(&batch, bytes))
        return sl_fail(error, SL_UNSUPPORTED, "%s: the batch at offset %llu is of a form that "
                       "cannot be sealed", sealing->raw_path,
                       (unsigned long long)(sealing->window_offset + sealing->used));
    sealing->in_batch = true;
    sealing->frames = sl_cursor_of(sl_log_batch_frames(bytes));
    return sl_log_packing_batch(&sealing->packing, &batch, error);
}

static enum sl_err end_batch(struct sl_log_sealing *sealing, struct sl_error *error)
{
    if (!sl_log_packing_end_batch(&sealing->packing))
        return damaged(sealing, "counts of frames", error);
    sealing->in_batch = false;
    sealing->used += (size_t)sealing->packing.batch.block_count * SL_LOG_BLOCK;
    return SL_OK;
}

/* All batches are packed: the chain must lead to the next segment. */
static enum sl_err end_reading(struct sl_log_sealing *sealing, struct sl_error *error)
{
    if (sealing->packing.position != sealing->next.first_position ||
        sealing->packing.head.last != sealing->next.previous)
        return damaged(sealing, "the next segment continues another one", error);
    sealing->has_read = true; /* sorting is a step of its own */
    return SL_OK;
}

static enum sl_err read_some(struct sl_log_sealing *sealing, struct sl_error *error)
{
    const uint64_t window_end = sealing->window_offset + sealing->window_len;
    enum sl_err err = SL_OK;

    sealing->packing.wrote = false;
    while (err == SL_OK && !sealing->packing.wrote) {
        struct sl_log_frame frame;

        if (!sealing->in_batch) {
            if (sealing->packing.head.next_batch == sealing->next.first_batch)
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
            err = sl_log_packing_frame(&sealing->packing, &frame, error);
        else
            err = damaged(sealing, "frames do not fit", error);
        if (err == SL_INVALID)
            err = damaged(sealing, "an event or an outcome", error);
    }
    return err;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static enum sl_err open_raw(struct sl_log_sealing *sealing, const struct sl_log_folder *folder,
                            uint64_t number, struct sl_log_segment_head *head,
                            struct sl_error *error)
{
    struct sl_file *next;

    const enum sl_err err = sl_log_segment_open(folder, number + 1, SL_OPEN_READ, &sealing->next,
                                                &next, error);
    if (err != SL_OK)
        return err;
    sl_file_close(next);
    return sl_log_segment_open(folder, number, SL_OPEN_READ, head, &sealing->raw, error);
}

enum sl_err sl_log_sealing_begin(const struct sl_log_folder *folder, uint64_t number,
                                 uint64_t first_outcome, struct sl_log_sealing **out,
                                 struct sl_error *error)
{
    struct sl_log_sealing *sealing = calloc(1, sizeof *sealing);
    struct sl_log_segment_head head;

    if (!sealing)
        return no_memory(error);
    sl_log_segment_path(folder, number, sealing->raw_path);
    sealing->window_offset = SL_LOG_BLOCK;
    enum sl_err err = open_raw(sealing, folder, number, &head, error);
    if (err == SL_OK)
        err = sl_log_packing_begin(&sealing->packing, folder, &head, first_outcome,
                                   sealing->raw_path, error);
    if (err != SL_OK) {
        sl_log_sealing_free(sealing);
        return err;
    }
    *out = sealing;
    return SL_OK;
}

enum sl_err sl_log_sealing_step(struct sl_log_sealing *sealing, bool *done,
                                struct sl_error *error)
{
    enum sl_err err;

    if (sealing->packing.phase != SL_LOG_PACKING_FRAMES)
        err = sl_log_packing_step(&sealing->packing, error);
    else if (sealing->has_read)
        err = sl_log_packing_end(&sealing->packing, error);
    else
        err = read_some(sealing, error);
    if (err == SL_OK)
        *done = sealing->packing.phase == SL_LOG_PACKING_DONE;
    return err;
}

const struct sl_log_sealed_head *sl_log_sealing_head(const struct sl_log_sealing *sealing)
{
    SL_ASSERT(sealing->packing.phase == SL_LOG_PACKING_DONE, "L3");
    return &sealing->packing.head;
}

void sl_log_sealing_free(struct sl_log_sealing *sealing)
{
    if (!sealing)
        return;
    if (sealing->raw)
        sl_file_close(sealing->raw);
    sl_log_packing_close(&sealing->packing);
    free(sealing->window);
    free(sealing);
}
