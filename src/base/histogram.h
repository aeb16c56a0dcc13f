/* Counts of durations, in powers of two of a microsecond. A plain value; one owner. */
#ifndef SL_BASE_HISTOGRAM_H
#define SL_BASE_HISTOGRAM_H

#include <stdint.h>

#define SL_HISTOGRAM_BUCKETS 32

/* Bucket i counts durations below 2^i microseconds, and at least half of that. */
struct sl_histogram {
    uint64_t buckets[SL_HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t sum_ns;
};

static inline void sl_histogram_add(struct sl_histogram *histogram, int64_t ns)
{
    const uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;
    const int bucket = us == 0 ? 0 : 64 - __builtin_clzll(us);

    histogram->buckets[bucket < SL_HISTOGRAM_BUCKETS ? bucket : SL_HISTOGRAM_BUCKETS - 1]++;
    histogram->count++;
    histogram->sum_ns += ns > 0 ? (uint64_t)ns : 0;
}

#endif
