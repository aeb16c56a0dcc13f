/*
 * The batches of a sealed segment (sealed.c), put together again as they were in the raw one. One
 * owner.
 */
#ifndef SL_STORES_LOG_UNSEAL_H
#define SL_STORES_LOG_UNSEAL_H

#include "stores/log/sealed.h"
#include "stores/log/segment.h"

/* A batch that was handed out. */
struct sl_log_seen {
    struct sl_log_batch_head head;
    uint64_t segment;
    uint64_t offset; /* in a sealed segment, that of the block where it begins */
    const uint8_t *bytes; /* all of it; until the next call. With stones in it, that is no batch
                             that any raw segment had: head.checksum is the one of the batch that
                             was (stone.c) */
};

/* Zero-initialised it is closed. */
struct sl_log_unseal {
    struct sl_log_sealed_head head;
    struct sl_file *file; /* not its own */
    const char *path;
    uint64_t next_block; /* offsets */
    uint64_t block;
    uint8_t *stored; /* a block, and its frames */
    size_t stored_capacity;
    uint8_t *frames;
    size_t frames_capacity;
    struct sl_cursor cursor; /* in the frames */
    uint8_t *batch;
    size_t batch_capacity;
    const char *why; /* of SL_CORRUPT */
};

/* Begins at the first block. `file` and `path` stay until the next begin. */
void sl_log_unseal_begin(struct sl_log_unseal *unseal, const struct sl_log_sealed_head *head,
                         struct sl_file *file, const char *path);

/* The next batch. `out->head` comes with number, first_position, previous and salt. SL_NOT_FOUND:
 * that was all. SL_CORRUPT: unseal->block and unseal->why say where and why. SL_IO, SL_NO_MEMORY
 * fill `error`. */
enum sl_err sl_log_unseal_next(struct sl_log_unseal *unseal, struct sl_log_seen *out,
                               struct sl_error *error) SL_USE_RESULT;

/* Are all pages behind the blocks whole? SL_CORRUPT: unseal->block is the offset of one that is
 * not. */
enum sl_err sl_log_unseal_check_pages(struct sl_log_unseal *unseal,
                                      struct sl_error *error) SL_USE_RESULT;

void sl_log_unseal_close(struct sl_log_unseal *unseal);

#endif
