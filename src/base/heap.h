/* Deadlines: a binary heap of intrusive nodes, the earliest first, ties in order of insertion. */
#ifndef SL_BASE_HEAP_H
#define SL_BASE_HEAP_H

#include "base/error.h"

struct sl_deadline {
    struct sl_time due;
    uint64_t order; /* set by the heap */
    size_t place;   /* 1-based place in the heap; 0: not in one */
};

struct sl_heap {
    struct sl_deadline **items; /* items[0] is the earliest */
    size_t count;
    size_t capacity;
    uint64_t next_order;
};

enum sl_err sl_heap_add(struct sl_heap *heap, struct sl_deadline *deadline) SL_USE_RESULT;
/* Nothing happens when it is in no heap. */
void sl_heap_remove(struct sl_heap *heap, struct sl_deadline *deadline);
/* The earliest if it is due at `now`, taken out; else NULL. */
struct sl_deadline *sl_heap_pop_due(struct sl_heap *heap, struct sl_time now);
/* When the earliest is due; INT64_MAX ns when there is none. */
struct sl_time sl_heap_next(const struct sl_heap *heap);
void sl_heap_close(struct sl_heap *heap);

#endif
