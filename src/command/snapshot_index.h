/*
 * Where snapshots lie: from a name's hash to file and offset, in memory of a fixed size. Buckets of
 * eight; in a full one the oldest place is forgotten. A print that two names share is found out by
 * whoever reads the snapshot.
 */
#ifndef SL_COMMAND_SNAPSHOT_INDEX_H
#define SL_COMMAND_SNAPSHOT_INDEX_H

#include "base/error.h"

struct sl_snapshot_place {
    uint32_t file;   /* from 1; 0: none */
    uint32_t offset; /* in units of eight bytes */
};

struct sl_snapshot_index {
    struct sl_snapshot_bucket *buckets;
    size_t bucket_count; /* a power of two */
};

enum sl_err sl_snapshot_index_init(struct sl_snapshot_index *index, size_t bytes) SL_USE_RESULT;
void sl_snapshot_index_close(struct sl_snapshot_index *index);

/* The later place wins. */
void sl_snapshot_index_add(struct sl_snapshot_index *index, uint64_t hash,
                           struct sl_snapshot_place place);
struct sl_snapshot_place sl_snapshot_index_find(const struct sl_snapshot_index *index,
                                                uint64_t hash);

#endif
