/*
 * Saving what is whole of a damaged log: into another folder, in order, up to the damage and never
 * past it (L1: a position that cannot be read must not be followed by one that can). The damaged
 * folder is only read.
 *
 * The copy is a log of the same identity that ends where the damage begins. Opening it raises the
 * epoch, so that position tokens of what was lost are refused (P9).
 */
#ifndef SL_STORES_LOG_SALVAGE_H
#define SL_STORES_LOG_SALVAGE_H

#include "stores/log/inspect.h"

struct sl_log_salvage {
    struct sl_env *env;
    const char *from; /* folders; `to` is made, and must hold no log */
    const char *to;
    /* Told now and then; NULL is allowed. */
    void (*progress)(void *context, uint64_t bytes_done);
    void *context;

    /* Answers. */
    bool is_damaged;          /* else the whole log was copied */
    struct sl_error damage;   /* what it met */
    char damaged_file[SL_LOG_PATH_MAX];
    uint64_t damage_offset;
    struct sl_uuid log;
    uint64_t segment, offset; /* where the copy ends */
    uint64_t batches;
    uint64_t position;        /* the copy's next position: all below is saved */
    uint64_t outcomes;
    struct sl_time last_time; /* of the last batch saved; ns 0: none */
    /* What is known to have been behind: positions [position, lost_until), of which so many are in
     * batches that are whole but follow a gap. */
    uint64_t lost_until;
    uint64_t whole_behind;
    uint64_t indexes_lost; /* of sealed segments, which got new ones and lost nothing by that */
};

/* SL_NOT_FOUND: there is no log, or nothing of it is whole. SL_CONFLICT: `to` holds a log already.
 * SL_UNSUPPORTED: a newer program wrote it. SL_IO, SL_LIMIT (disk full), SL_NO_MEMORY. After a
 * failure `to` holds nothing that opens as a log. */
enum sl_err sl_log_salvage(struct sl_log_salvage *salvage, struct sl_error *error) SL_USE_RESULT;

/* Copies [0, bytes) of a file and fills it up with zeros to `bytes_full`, durably but for its name,
 * which must not be taken. `*checksum` (NULL is allowed) is that of the copied bytes, as
 * sl_log_checksum continues it. Errors of the disk. */
enum sl_err sl_log_copy_file(struct sl_env *env, const char *from, const char *to, uint64_t bytes,
                             uint64_t bytes_full, uint64_t *checksum,
                             struct sl_error *error) SL_USE_RESULT;

/* The checksum of the first `bytes` of a file: XXH3-64 over pieces of 1 MiB, each seeded with the
 * checksum of the one before, the first with 0. SL_CORRUPT: the file is shorter. */
enum sl_err sl_log_checksum_file(struct sl_env *env, const char *path, uint64_t bytes,
                                 uint64_t *out, struct sl_error *error) SL_USE_RESULT;

#endif
