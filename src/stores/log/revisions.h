/*
 * The check that each stream's revisions are 0, 1, 2, … (L1), in bounded memory.
 *
 * One pass over the log holds the next revision of every stream in a table. When the table is full,
 * half of the streams, by a bit of their hash, are put off to a later pass, and so on: as many
 * passes as the streams need, each over a part of them that fits. Streams are told apart by 128
 * bits of hash.
 */
#ifndef SL_STORES_LOG_REVISIONS_H
#define SL_STORES_LOG_REVISIONS_H

#include "base/error.h"

enum { SL_LOG_REVISIONS_BYTES_MIN = 1 << 12 };

struct sl_log_revision;

struct sl_log_revisions {
    size_t bytes_max;
    struct sl_log_revision *slots;
    size_t capacity; /* a power of two */
    size_t count;
    uint64_t mask, value; /* this pass takes the streams with (hash & mask) == value */
    struct {
        uint64_t mask, value;
    } put_off[64];
    unsigned put_off_count;
    unsigned passes; /* begun */
};

/* At most `bytes_max` bytes of memory, at least the minimum above. */
void sl_log_revisions_init(struct sl_log_revisions *revisions, size_t bytes_max);

/* The next event of the log, in order. SL_CORRUPT: `*out_expected` is what it should have been.
 * SL_NO_MEMORY. */
enum sl_err sl_log_revisions_take(struct sl_log_revisions *revisions, struct sl_text stream,
                                  uint64_t revision, uint64_t *out_expected) SL_USE_RESULT;

/* After the log's end: is another pass needed? Then it has begun, and the same log comes again. */
bool sl_log_revisions_again(struct sl_log_revisions *revisions);

void sl_log_revisions_close(struct sl_log_revisions *revisions);

#endif
