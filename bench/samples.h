/* What the two small programs of this folder share: a clock, and percentiles of what it said. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAMPLES_MAX ((size_t)1 << 21)

struct samples {
    uint64_t ns[SAMPLES_MAX];
    size_t count;
};

static inline uint64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static inline int samples_compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* One line of JSON on stdout; sorts the samples. */
static inline void samples_print(struct samples *samples, size_t failed)
{
    const size_t n = samples->count;

    qsort(samples->ns, n, sizeof *samples->ns, samples_compare);
    printf("{\"count\":%zu,\"failed\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", n, failed,
           n ? (double)samples->ns[n / 2] / 1e3 : 0.0,
           n ? (double)samples->ns[n - 1 - n / 100] / 1e3 : 0.0);
}

#endif
