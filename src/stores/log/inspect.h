/*
 * Walking the files of a log, read-only: batch by batch, in order, as far as the chain holds.
 *
 * For the operator's tools. Nothing is locked and nothing is written, so a walk works on a folder
 * of a stopped server, on one that may not be written to, and while a writer is at work. What tells
 * a writer's moving end from damage:
 *   - what is broken is read once more before it is believed, because the writer may have been
 *     there a moment ago;
 *   - whether more segments follow is asked before that second reading, and proofs that a batch was
 *     durable (L3) are taken before it: a header of a later segment, or a later batch, is written
 *     only when what lies before it is durable, so what is still broken then is damage.
 * A torn batch behind the last durable one is never damage: its writer was told of nothing, or is
 * still writing it.
 *
 * Sealed segments are handed out as what they were made of: each batch is put together again, byte
 * by byte, and its checksum proves it, or, where it has stones, the checksum of what is left
 * (stone.c). A raw file that is sealed, and then emptied, while it is
 * read, is left for the sealed one.
 *
 * A walk looks at batches as a whole (checksum, salt, number, position, chain, flags); what is in
 * them is the matter of audit.h. One owner.
 */
#ifndef SL_STORES_LOG_INSPECT_H
#define SL_STORES_LOG_INSPECT_H

#include "stores/log/unseal.h"

struct sl_log_walk {
    struct sl_log_folder folder;
    uint64_t segment_count; /* files that are there, the last time they were listed */
    uint64_t first, last;   /* their numbers */
    struct sl_time until;   /* a batch stamped later ends the walk; INT64_MAX at open */
    bool checks_pages;      /* of sealed segments; may be set before open */

    /* Where it stands: behind the last batch handed out. */
    struct sl_log_segment_head segment;
    char path[SL_LOG_PATH_MAX]; /* the segment's */
    bool is_sealed;             /* it was packed; batches are handed out as they were */
    uint64_t raw_bytes_full;    /* the size that its raw file has, or at least needs */
    uint64_t file_bytes;        /* its size, less than segment.bytes where the end was cut off */
    uint64_t offset; /* in a sealed segment, that of a block */
    uint64_t batch;    /* number of the next batch, */
    uint64_t position; /* its first position, */
    uint64_t previous; /* and the checksum of the one before */
    uint64_t durable_batches, durable_through; /* the greatest that was seen */
    uint64_t batches_seen, bytes_seen;         /* by this walk, padding included */

    /* When it ended (SL_NOT_FOUND): bytes behind the end that are no zeros, up to the last of them:
     * a torn write, that the next start cuts off. */
    uint64_t torn_bytes;
    /* When it met damage (SL_CORRUPT). */
    uint64_t damage_segment;
    uint64_t damage_offset;
    char damage_path[SL_LOG_PATH_MAX];

    struct sl_file *file;
    struct sl_log_unseal unseal; /* of a sealed segment */
    uint8_t *window; /* a stretch of the file, zeros where the file is shorter */
    size_t window_capacity;
    uint64_t window_offset;
    size_t window_len;
};

/* Lists the folder and stands at the start of segment 0. SL_NOT_FOUND: there is no log here; else
 * as sl_log_walk_start. `walk` is zeroed (but for checks_pages); to be
 * closed whatever the result. */
enum sl_err sl_log_walk_open(struct sl_log_walk *walk, struct sl_env *env, const char *path,
                             struct sl_error *error) SL_USE_RESULT;

/* Stands at the start of any segment, believing its header about what lies before. SL_CORRUPT
 * (damage_* say where), SL_UNSUPPORTED, SL_IO, SL_NO_MEMORY. */
enum sl_err sl_log_walk_start(struct sl_log_walk *walk, uint64_t segment,
                              struct sl_error *error) SL_USE_RESULT;

/* The next batch. SL_NOT_FOUND: the log's end, or `until`; the next call looks again, for a writer
 * may have gone on. SL_CORRUPT, SL_UNSUPPORTED name file and offset. */
enum sl_err sl_log_walk_next(struct sl_log_walk *walk, struct sl_log_seen *out,
                             struct sl_error *error) SL_USE_RESULT;

/* Any batch, whole by itself but perhaps without connection, at or behind `*offset` of the segment
 * that the walk stands in: what may be behind damage. `*offset` moves behind it. SL_NOT_FOUND:
 * there is none. */
enum sl_err sl_log_walk_search(struct sl_log_walk *walk, uint64_t *offset, struct sl_log_seen *out,
                               struct sl_error *error) SL_USE_RESULT;

/* Says where and why, and what to do; returns SL_CORRUPT. */
enum sl_err sl_log_walk_damage(struct sl_log_walk *walk, uint64_t segment, uint64_t offset,
                               struct sl_error *error, const char *why);

void sl_log_walk_close(struct sl_log_walk *walk);

/* "event", …; NULL for a kind that this program does not know. */
const char *sl_log_frame_name(uint8_t kind);

#endif
