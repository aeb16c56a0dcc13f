#include "base/heap.h"

#include <stdlib.h>

enum { FIRST = 64 };

static bool is_before(const struct sl_deadline *a, const struct sl_deadline *b)
{
    return a->due.ns != b->due.ns ? a->due.ns < b->due.ns : a->order < b->order;
}

static void put(struct sl_heap *heap, size_t index, struct sl_deadline *deadline)
{
    heap->items[index] = deadline;
    deadline->place = index + 1;
}

/* Puts `deadline` at the hole `index` or above it. */
static void rise(struct sl_heap *heap, size_t index, struct sl_deadline *deadline)
{
    while (index > 0) {
        const size_t parent = (index - 1) / 2;

        if (!is_before(deadline, heap->items[parent]))
            break;
        put(heap, index, heap->items[parent]);
        index = parent;
    }
    put(heap, index, deadline);
}

/* Puts `deadline` at the hole `index` or below it. */
static void sink(struct sl_heap *heap, size_t index, struct sl_deadline *deadline)
{
    for (;;) {
        size_t child = 2 * index + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && is_before(heap->items[child + 1], heap->items[child]))
            child++;
        if (!is_before(heap->items[child], deadline))
            break;
        put(heap, index, heap->items[child]);
        index = child;
    }
    put(heap, index, deadline);
}

enum sl_err sl_heap_add(struct sl_heap *heap, struct sl_deadline *deadline)
{
    SL_ASSERT(deadline->place == 0, "T1");
    if (heap->count == heap->capacity) {
        const size_t capacity = heap->capacity > 0 ? heap->capacity * 2 : FIRST;
        struct sl_deadline **items = reallocarray(heap->items, capacity, sizeof(void *));

        if (!items)
            return SL_NO_MEMORY;
        heap->items = items;
        heap->capacity = capacity;
    }
    deadline->order = heap->next_order++;
    rise(heap, heap->count++, deadline);
    return SL_OK;
}

void sl_heap_remove(struct sl_heap *heap, struct sl_deadline *deadline)
{
    if (deadline->place == 0)
        return;
    const size_t index = deadline->place - 1;
    SL_ASSERT(index < heap->count && heap->items[index] == deadline, "T1");
    deadline->place = 0;
    struct sl_deadline *last = heap->items[--heap->count];
    if (last == deadline)
        return;
    if (index > 0 && is_before(last, heap->items[(index - 1) / 2]))
        rise(heap, index, last);
    else
        sink(heap, index, last);
}

struct sl_deadline *sl_heap_pop_due(struct sl_heap *heap, struct sl_time now)
{
    if (heap->count == 0 || heap->items[0]->due.ns > now.ns)
        return NULL;
    struct sl_deadline *first = heap->items[0];
    sl_heap_remove(heap, first);
    return first;
}

struct sl_time sl_heap_next(const struct sl_heap *heap)
{
    return heap->count > 0 ? heap->items[0]->due : (struct sl_time){INT64_MAX};
}

void sl_heap_close(struct sl_heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        heap->items[i]->place = 0;
    free(heap->items);
    *heap = (struct sl_heap){0};
}
