#include "base/arena.h"
#include "tap/tap.h"

#include <string.h>

static void gives_aligned_memory(void)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4000, 5000, 1 << 20, (1 << 20) + 1, 3};
    struct sl_arena arena = {0};
    uint8_t *pieces[10];

    for (size_t i = 0; i < 10; i++) {
        pieces[i] = sl_arena_take(&arena, sizes[i]);
        REQUIRE(pieces[i]);
        CHECK((uintptr_t)pieces[i] % 16 == 0);
        memset(pieces[i], (int)i, sizes[i]);
    }
    /* None lies in another. */
    for (size_t i = 0; i < 10; i++)
        for (size_t j = 0; j < sizes[i]; j += 97)
            REQUIRE(pieces[i][j] == i);
    sl_arena_close(&arena);
}

static void zeroes_and_checks_sizes(void)
{
    struct sl_arena arena = {0};

    memset(sl_arena_take(&arena, 64), 0xFF, 64);
    sl_arena_reset(&arena);
    const uint8_t *zeros = sl_arena_zeroed(&arena, 8, 8);
    REQUIRE(zeros);
    for (int i = 0; i < 64; i++)
        CHECK(zeros[i] == 0);
    CHECK(!sl_arena_zeroed(&arena, SIZE_MAX / 2, 3));
    CHECK(!sl_arena_take(&arena, SIZE_MAX));
    CHECK(!sl_arena_take(&arena, SIZE_MAX - 15));
    CHECK(!sl_arena_text(&arena, (struct sl_text){"x", SIZE_MAX}).ptr);
    sl_arena_close(&arena);
}

static void keeps_its_ceiling(void)
{
    struct sl_arena arena = {.bytes_max = 100};

    CHECK(sl_arena_take(&arena, 80));
    CHECK(!sl_arena_take(&arena, 17));
    CHECK(sl_arena_take(&arena, 16));
    CHECK(!sl_arena_take(&arena, 1));
    sl_arena_reset(&arena);
    CHECK(sl_arena_take(&arena, 96));
    sl_arena_close(&arena);
    CHECK_U64(arena.bytes_max, 100);
    CHECK(!sl_arena_take(&arena, 101));

    struct sl_arena by_default = {0};
    CHECK(!sl_arena_take(&by_default, (64 << 20) + 1));
    sl_arena_close(&by_default);
}

static void copies(void)
{
    struct sl_arena arena = {0};
    char text[] = "desk";
    const struct sl_text copy = sl_arena_text(&arena, (struct sl_text){text, 4});
    const struct sl_slice bytes = sl_arena_slice(&arena, (struct sl_slice){(uint8_t *)text, 2});

    memset(text, 'x', 4);
    CHECK_TEXT(copy, "desk");
    CHECK_STRING(copy.ptr, "desk");
    CHECK(bytes.len == 2 && memcmp(bytes.ptr, "de", 2) == 0);
    const struct sl_text empty = sl_arena_text(&arena, (struct sl_text){NULL, 0});
    CHECK(empty.ptr && empty.len == 0);
    CHECK_TEXT(sl_arena_printf(&arena, "%s-%d", "A", 4), "A-4");
    CHECK_U64(sl_arena_printf(&arena, "%5000d", 1).len, 5000);
    arena.bytes_max = arena.total;
    CHECK(!sl_arena_printf(&arena, "x").ptr);
    CHECK(!sl_arena_text(&arena, (struct sl_text){text, 4}).ptr);
    sl_arena_close(&arena);
}

static void work(struct sl_arena *arena, size_t count)
{
    for (size_t i = 0; i < count; i++)
        REQUIRE(sl_arena_take(arena, 100));
}

static void stops_allocating_when_reused(void)
{
    struct sl_arena arena = {0};

    for (int round = 0; round < 4; round++) {
        work(&arena, 1000);
        sl_arena_reset(&arena);
        CHECK_U64(arena.total, 0);
    }
    /* By now one block holds the whole work. */
    const struct sl_arena_block *block = arena.current;
    work(&arena, 1000);
    CHECK(arena.current == block);
    sl_arena_reset(&arena);
    CHECK(arena.current == block);
    /* Large pieces are not kept. */
    CHECK(sl_arena_take(&arena, 8 << 20));
    sl_arena_reset(&arena);
    CHECK((size_t)(arena.end - arena.next) <= 1 << 20);
    sl_arena_close(&arena);
    sl_arena_close(&arena);
    sl_arena_reset(&arena);
    CHECK(!arena.current);
}

int main(void)
{
    return TAP_RUN({"gives aligned memory", gives_aligned_memory},
                   {"zeroes and checks sizes", zeroes_and_checks_sizes},
                   {"keeps its ceiling", keeps_its_ceiling}, {"copies", copies},
                   {"stops allocating when reused", stops_allocating_when_reused});
}
