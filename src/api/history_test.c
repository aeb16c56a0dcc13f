#include "api/history.h"

#include <stdio.h>
#include <string.h>

#include "tap/tap.h"

static void add(struct sl_history *history, uint64_t position, int number)
{
    char key[128];
    const int len = snprintf(key, sizeof key, "key-%0*d", number % 61, number);

    sl_history_add(history, position, (struct sl_text){key, (size_t)len});
}

static bool is_next(const struct sl_history *history, uint64_t *place, uint64_t position,
                    int number)
{
    char key[SL_HISTORY_KEY_MAX], wanted[128];
    const int wanted_len = snprintf(wanted, sizeof wanted, "key-%0*d", number % 61, number);
    uint64_t at = 0;
    size_t len = 0;
    bool lost;

    return sl_history_next(history, place, &at, key, &len, &lost) && at == position &&
           len == (size_t)wanted_len && memcmp(key, wanted, len) == 0;
}

static bool is_end(const struct sl_history *history, uint64_t *place, bool is_lost)
{
    char key[SL_HISTORY_KEY_MAX];
    uint64_t at;
    size_t len;
    bool lost;

    return !sl_history_next(history, place, &at, key, &len, &lost) && lost == is_lost;
}

static void few(void)
{
    struct sl_history history = {.from = 10};
    uint64_t place = 0;

    CHECK(!sl_history_find(&history, 9, &place));
    CHECK(sl_history_find(&history, 10, &place) && is_end(&history, &place, false));
    add(&history, 12, 1);
    add(&history, 12, 2);
    add(&history, 15, 3);
    CHECK(!sl_history_find(&history, 9, &place));
    CHECK(sl_history_find(&history, 10, &place) && is_next(&history, &place, 12, 1));
    CHECK(is_next(&history, &place, 12, 2) && is_next(&history, &place, 15, 3));
    CHECK(is_end(&history, &place, false));
    add(&history, 16, 4);
    CHECK(is_next(&history, &place, 16, 4));
    CHECK(sl_history_find(&history, 13, &place) && is_next(&history, &place, 15, 3));
    CHECK(sl_history_find(&history, 99, &place) && is_end(&history, &place, false));
    sl_history_close(&history);
}

/* More than it holds: what is kept is whole, what is forgotten is said to be. */
static void many(void)
{
    enum { COUNT = 200000 };
    struct sl_history history = {.from = 0};
    uint64_t first = 0, place;

    for (int i = 0; i < COUNT; i++)
        add(&history, (uint64_t)i / 2, i);
    CHECK(history.capacity == SL_HISTORY_BYTES_MAX && history.from > 0);
    CHECK(!sl_history_find(&history, history.from - 1, &place));
    CHECK(is_end(&history, &first, true));
    REQUIRE(sl_history_find(&history, history.from, &place));
    bool good = true;
    for (int i = (int)history.from * 2; i < COUNT; i++)
        good &= is_next(&history, &place, (uint64_t)i / 2, i);
    CHECK(good && is_end(&history, &place, false));
    for (uint64_t at = history.from; at < COUNT / 2; at += 7)
        good &= sl_history_find(&history, at, &place) && is_next(&history, &place, at, (int)at * 2);
    CHECK(good);
    CHECK(sl_history_find(&history, COUNT, &place) && is_end(&history, &place, false));
    sl_history_close(&history);
}

static void built_anew(void)
{
    struct sl_history history = {.from = 5};
    uint64_t old, place;

    add(&history, 7, 1);
    REQUIRE(sl_history_find(&history, 5, &old));
    add(&history, 0, 2);
    CHECK(is_end(&history, &old, true));
    CHECK(sl_history_find(&history, 0, &place) && is_next(&history, &place, 0, 2));
    sl_history_close(&history);
}

int main(void)
{
    return TAP_RUN({"changes are found from a position on", few},
                   {"the oldest are forgotten, a whole event's at once", many},
                   {"a view that is built anew has no older changes", built_anew});
}
