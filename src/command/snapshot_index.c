#include "command/snapshot_index.h"

#include <stdlib.h>

enum { WAYS = 8 };

struct sl_snapshot_bucket {
    uint32_t prints[WAYS];
    struct sl_snapshot_place places[WAYS];
};

enum sl_err sl_snapshot_index_init(struct sl_snapshot_index *index, size_t bytes)
{
    size_t count = 1;

    while (count * 2 * sizeof *index->buckets <= bytes)
        count *= 2;
    /* Zeroed memory of this size is given page by page, when first touched. */
    index->buckets = calloc(count, sizeof *index->buckets);
    index->bucket_count = count;
    return index->buckets ? SL_OK : SL_NO_MEMORY;
}

void sl_snapshot_index_close(struct sl_snapshot_index *index)
{
    free(index->buckets);
    *index = (struct sl_snapshot_index){0};
}

static struct sl_snapshot_bucket *bucket_of(const struct sl_snapshot_index *index, uint64_t hash)
{
    return &index->buckets[hash & (index->bucket_count - 1)];
}

static bool is_later(struct sl_snapshot_place a, struct sl_snapshot_place b)
{
    return a.file != b.file ? a.file > b.file : a.offset > b.offset;
}

void sl_snapshot_index_add(struct sl_snapshot_index *index, uint64_t hash,
                           struct sl_snapshot_place place)
{
    struct sl_snapshot_bucket *bucket = bucket_of(index, hash);
    const uint32_t print = (uint32_t)(hash >> 32);
    size_t oldest = 0;

    for (size_t i = 0; i < WAYS; i++) {
        if (bucket->prints[i] == print && bucket->places[i].file != 0) {
            oldest = i;
            break;
        }
        if (is_later(bucket->places[oldest], bucket->places[i]))
            oldest = i;
    }
    if (!is_later(place, bucket->places[oldest]))
        return;
    bucket->prints[oldest] = print;
    bucket->places[oldest] = place;
}

struct sl_snapshot_place sl_snapshot_index_find(const struct sl_snapshot_index *index,
                                                uint64_t hash)
{
    const struct sl_snapshot_bucket *bucket = bucket_of(index, hash);
    const uint32_t print = (uint32_t)(hash >> 32);

    for (size_t i = 0; i < WAYS; i++)
        if (bucket->prints[i] == print)
            return bucket->places[i];
    return (struct sl_snapshot_place){0};
}
