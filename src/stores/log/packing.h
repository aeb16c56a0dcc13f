/*
 * A sealed segment's file in the making, from frames to its name: for what seals (sealing.h) and
 * for what scavenges (scavenge.h). The order of calls is that of the file: each batch with its
 * frames, then the steps that end it. One owner.
 */
#ifndef SL_STORES_LOG_PACKING_H
#define SL_STORES_LOG_PACKING_H

#include "stores/log/footer.h"
#include "stores/log/segment.h"

enum { SL_LOG_PACKING_PIECE = 64 << 10 }; /* bytes that are written at once */

enum sl_log_packing_phase {
    SL_LOG_PACKING_FRAMES = 0,
    SL_LOG_PACKING_INDEX, /* pages of the footer are written */
    SL_LOG_PACKING_NAME,
    SL_LOG_PACKING_DONE,
};

struct sl_log_packing {
    const struct sl_log_folder *folder;
    enum sl_log_packing_phase phase;
    const char *source; /* the file that the batches come from, for messages */
    char tmp_path[SL_LOG_PATH_MAX];
    struct sl_log_sealed_head head; /* as far as it has come */
    uint64_t position, outcome;     /* of the next ones */
    /* The block in the making. */
    struct sl_log_batch_head batch; /* the one under way */
    uint8_t *block_frames;
    size_t block_len;
    struct sl_log_block_head block;
    struct sl_log_place place;
    uint8_t *packed, *unpacked;
    struct sl_log_packer *packer;
    struct sl_log_unpacker *unpacker;
    /* The file; what is not written yet lies in `piece`, aligned for direct writes. */
    struct sl_file *file;
    uint8_t *piece;
    size_t piece_len;
    uint64_t written; /* offset behind the last piece */
    bool wrote;       /* since the owner set it to false */
    struct sl_log_footer footer;
    /* May be set after the beginning: the file, whole and durable, is left under its temporary
     * name. */
    bool stays_unnamed;
};

/* Begins the file of a segment, under its temporary name. `folder` and `source` outlive it. To be
 * closed whatever the result. SL_NO_MEMORY, SL_IO, SL_LIMIT (a full disk). */
enum sl_err sl_log_packing_begin(struct sl_log_packing *packing,
                                 const struct sl_log_folder *folder,
                                 const struct sl_log_segment_head *head, uint64_t first_outcome,
                                 const char *source, struct sl_error *error) SL_USE_RESULT;

/* Adds a batch's mark. */
enum sl_err sl_log_packing_batch(struct sl_log_packing *packing,
                                 const struct sl_log_batch_head *batch,
                                 struct sl_error *error) SL_USE_RESULT;

/* Adds a frame of that batch. SL_INVALID, without a message: it is broken, or a stone where the
 * batch has none. SL_LIMIT: too large a frame; SL_UNSUPPORTED: of a kind that is not known. */
enum sl_err sl_log_packing_frame(struct sl_log_packing *packing, const struct sl_log_frame *frame,
                                 struct sl_error *error) SL_USE_RESULT;

/* That was all of the batch; false: it has not the events that its head says. */
bool sl_log_packing_end_batch(struct sl_log_packing *packing);

/* That was the last one. Sorts the index. */
enum sl_err sl_log_packing_end(struct sl_log_packing *packing,
                               struct sl_error *error) SL_USE_RESULT;

/* Afterwards, until the phase is DONE: writes some of the index, then header and name, durably. */
enum sl_err sl_log_packing_step(struct sl_log_packing *packing,
                                struct sl_error *error) SL_USE_RESULT;

/* Removes what is unfinished, as far as that can be done; the next open removes the rest. */
void sl_log_packing_close(struct sl_log_packing *packing);

#endif
