#include "base/heap.h"
#include "tap/tap.h"

static uint32_t pick(uint64_t *state, uint32_t limit)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (uint32_t)((*state >> 33) % limit);
}

enum { DEADLINES = 300 };
static struct sl_deadline deadlines[DEADLINES];

/* The earliest by looking at all; among equals the one added first. */
static struct sl_deadline *earliest(void)
{
    struct sl_deadline *best = NULL;

    for (size_t i = 0; i < DEADLINES; i++) {
        struct sl_deadline *one = &deadlines[i];
        if (one->place > 0 && (!best || one->due.ns < best->due.ns ||
                               (one->due.ns == best->due.ns && one->order < best->order)))
            best = one;
    }
    return best;
}

static void agrees_with_a_model(void)
{
    struct sl_heap heap = {0};
    uint64_t state = 3;
    size_t count = 0;

    for (int i = 0; i < 30000; i++) {
        struct sl_deadline *one = &deadlines[pick(&state, DEADLINES)];
        const bool more = i / 5000 % 2 == 0;

        if (one->place == 0 && (more || pick(&state, 3) == 0)) {
            one->due.ns = pick(&state, 100); /* many ties */
            REQUIRE(sl_heap_add(&heap, one) == SL_OK);
            count++;
        } else if (one->place > 0 && pick(&state, 2) == 0) {
            sl_heap_remove(&heap, one);
            CHECK(one->place == 0);
            count--;
        } else {
            struct sl_deadline *want = earliest();
            const struct sl_time now = {pick(&state, 100)};
            CHECK(sl_heap_next(&heap).ns == (want ? want->due.ns : INT64_MAX));
            if (want && want->due.ns > now.ns)
                want = NULL;
            REQUIRE(sl_heap_pop_due(&heap, now) == want);
            count -= want != NULL;
        }
        REQUIRE(heap.count == count);
    }
    sl_heap_close(&heap);
    for (size_t i = 0; i < DEADLINES; i++)
        CHECK(deadlines[i].place == 0);
}

static void pops_in_order_of_insertion(void)
{
    struct sl_heap heap = {0};
    struct sl_deadline ties[100] = {0};

    for (size_t i = 0; i < 100; i++)
        REQUIRE(sl_heap_add(&heap, &ties[i]) == SL_OK);
    CHECK(!sl_heap_pop_due(&heap, (struct sl_time){-1}));
    for (size_t i = 0; i < 100; i++)
        CHECK(sl_heap_pop_due(&heap, (struct sl_time){0}) == &ties[i]);
    sl_heap_close(&heap);
}

static void empty_ones_are_valid(void)
{
    struct sl_heap heap = {0};
    struct sl_deadline alone = {0};

    CHECK(sl_heap_next(&heap).ns == INT64_MAX);
    CHECK(!sl_heap_pop_due(&heap, (struct sl_time){INT64_MAX}));
    sl_heap_remove(&heap, &alone);
    sl_heap_close(&heap);
}

int main(void)
{
    return TAP_RUN({"agrees with a model", agrees_with_a_model},
                   {"pops in order of insertion", pops_in_order_of_insertion},
                   {"empty ones are valid", empty_ones_are_valid});
}
