#include "conformance/view_range_suite.h"

#include <stdlib.h>
#include <string.h>

#include "conformance/view_range_model.h"
#include "record/kinds.h"
#include "record/specimen.h"
#include "tap/tap.h"

static const struct view_store_bench *bench;

enum { READINGS = 220 };

struct fixture {
    struct sl_env *env;
    struct sl_view_store_options options;
    struct sl_view_store *store;
    struct sl_view_reader *reader;
    struct sl_view_shape shape;
    struct sl_arena rows_arena;
    struct sl_arena arena; /* of one answer */
    struct sl_error error;
    uint64_t seed;
    struct reading rows[READINGS];
};

static struct fixture f;

static bool good(enum sl_err err)
{
    if (err != SL_OK)
        tap_note("%d: %s", (int)err, f.error.message);
    return err == SL_OK;
}

static bool put(const struct reading *rows, size_t count, uint64_t position)
{
    struct sl_row_change *changes = sl_arena_zeroed(&f.rows_arena, count, sizeof *changes);
    const struct sl_checkpoint checkpoint = {{{1}}, 77, position, 1, f.shape.digest};

    for (size_t i = 0; i < count; i++) {
        struct sl_buf key = {0};
        if (!CHECK(changes && sl_place_write(&f.shape.key, &rows[i], &key) == SL_OK))
            return false;
        changes[i] = (struct sl_row_change){sl_arena_text(&f.rows_arena, sl_buf_as_text(&key)),
                                            &rows[i], position};
        sl_buf_close(&key);
    }
    return CHECK(
        good(sl_view_store_apply(f.store, &f.shape, changes, count, &checkpoint, &f.error)));
}

static bool begin(size_t count)
{
    const char *seed = getenv("SLUICE_SEED");
    struct sl_checkpoint found;

    f = (struct fixture){0};
    f.seed = seed ? strtoull(seed, NULL, 10) : 5;
    tap_note("seed %llu", (unsigned long long)f.seed);
    f.env = bench->start(&f.options);
    if (!CHECK(good(sl_view_shape_init(&f.shape, "test", &readings, &f.error))) ||
        !CHECK(good(sl_view_store_open(bench->ops, f.env, &f.options, &f.store, &f.error))) ||
        !CHECK(good(sl_view_store_attach(f.store, &f.shape, &found, &f.error))) ||
        !CHECK(good(sl_view_reader_open(f.store, &f.reader, &f.error))))
        return false;
    for (size_t i = 0; i < count; i++)
        reading_fill(&f.rows[i], (int64_t)i, &f.seed, &f.rows_arena);
    return count == 0 || put(f.rows, count, count);
}

static void end(void)
{
    sl_view_reader_close(f.reader);
    sl_view_store_close(f.store);
    bench->stop(f.env);
    sl_arena_close(&f.rows_arena);
    sl_arena_close(&f.arena);
}

static uint64_t below(uint64_t end_of)
{
    return specimen_random(&f.seed) % end_of;
}

/* A list of the view at random: any index, as many equal fields as leave one, and ends of a range
 * that are values of rows, in either order, or none. */
static struct sl_list_query random_query(void)
{
    struct sl_list_query query = {.index = (int)below(readings.indexes.count + 1) - 1};
    const struct sl_place *place = query.index < 0 ? &f.shape.key : &f.shape.indexes[query.index];
    const struct reading *from = &f.rows[below(READINGS)], *to = &f.rows[below(READINGS)];

    query.equal_count = (uint32_t)below(place->count);
    query.equal = &f.rows[below(READINGS)];
    query.descending = below(2) > 0;
    const struct sl_field *field = place->fields[query.equal_count];
    if (below(3) > 0 && sl_field_is_there(field, from))
        query.from = from;
    if (below(3) > 0 && sl_field_is_there(field, to))
        query.to = to;
    return query;
}

static enum sl_err list(const struct sl_list_query *query, struct sl_list_page *page)
{
    enum sl_err err = sl_view_reader_begin(f.reader, &f.error);

    if (err != SL_OK)
        return err;
    err = sl_view_reader_list(f.reader, &f.shape, query, &f.arena, page, &f.error);
    sl_view_reader_end(f.reader);
    return err;
}

static void ranges_are_what_going_through_all_finds(void)
{
    const struct reading *wanted[READINGS];
    unsigned ranges = 0, rows = 0, pages = 0;

    REQUIRE(begin(READINGS));
    for (unsigned round = 0; round < 400; round++) {
        struct sl_list_query query = random_query();
        const size_t count = reading_select(&f.shape, &query, f.rows, READINGS, wanted);
        struct sl_list_page page = {0};
        size_t at = 0;

        query.limit = 1 + (uint32_t)below(60);
        do {
            REQUIRE(good(list(&query, &page)));
            for (uint32_t i = 0; i < page.count && at < count; i++, at++)
                if (!CHECK(((const struct reading *)page.rows[i].row)->id == wanted[at]->id)) {
                    tap_note("round %u, index %d, equal %u, row %zu of %zu", round, query.index,
                             query.equal_count, at, count);
                    return;
                }
            CHECK(page.count <= query.limit && (page.next.len == 0 || page.count == query.limit));
            query.after = page.next;
            pages++;
        } while (page.next.len > 0 && at < count);
        CHECK_U64(at, count);
        CHECK(page.next.len == 0);
        ranges += query.from || query.to;
        rows += (unsigned)count;
        sl_arena_reset(&f.arena);
    }
    tap_note("%u ranges, %u rows, %u pages", ranges, rows, pages);
    CHECK(ranges > 200 && rows > 1000 && pages > 400);
    end();
}

static void a_cursor_of_a_range_is_a_place(void)
{
    struct sl_list_query query = {.index = 1, .limit = 2};
    struct sl_list_page page;
    struct reading rows[5], from = {.at.ns = 10}, to = {.at.ns = 40};

    REQUIRE(begin(0));
    for (int i = 0; i < 5; i++)
        rows[i] = (struct reading){.id = i, .device = SL_TEXT("d"), .at.ns = 10 * i};
    REQUIRE(put(rows, 5, 5));
    query.from = &from;
    query.to = &to;
    REQUIRE(good(list(&query, &page)) && page.count == 2 && page.next.len > 0);
    CHECK(((const struct reading *)page.rows[0].row)->id == 1);
    /* The last row handed out goes, others come on both sides. */
    rows[2].at.ns = 50;
    rows[4].at.ns = 15;
    REQUIRE(put(rows, 5, 6));
    query.after = page.next;
    REQUIRE(good(list(&query, &page)) && page.count == 1 && page.next.len == 0);
    CHECK(((const struct reading *)page.rows[0].row)->id == 3);
    CHECK_U64(page.checkpoint.position, 6);
    end();
}

static void bad_ranges_are_refused(void)
{
    struct sl_list_query query = {.index = 1, .limit = 2};
    struct sl_list_page page;
    struct reading rows[4], at = {.device = SL_TEXT("d"), .at.ns = 20};

    REQUIRE(begin(0));
    for (int i = 0; i < 4; i++)
        rows[i] = (struct reading){.id = i, .device = SL_TEXT("d"), .at.ns = 10 * i};
    REQUIRE(put(rows, 4, 5));
    REQUIRE(good(list(&query, &page)));
    /* A cursor of a wider range: going on from there would leave this one. */
    query.after = page.next;
    query.from = &at;
    CHECK(list(&query, &page) == SL_INVALID && strstr(f.error.message, "range of at"));
    query.descending = true;
    CHECK(list(&query, &page) == SL_INVALID);
    query =
        (struct sl_list_query){.index = 0, .limit = 2, .equal = &at, .equal_count = 2, .from = &at};
    CHECK(list(&query, &page) == SL_INVALID && strstr(f.error.message, "no field is left"));
    query = (struct sl_list_query){.search = SL_TEXT("word"), .limit = 2, .to = &at};
    CHECK(list(&query, &page) == SL_INVALID);
    /* An empty range is a list without rows. */
    query = (struct sl_list_query){.index = 1, .limit = 2, .from = &at, .to = &at};
    CHECK(good(list(&query, &page)) && page.count == 0 && page.next.len == 0);
    end();
}

int view_range_suite(const struct view_store_bench *of)
{
    bench = of;
    return TAP_RUN(
        {"ranges are what going through all rows finds", ranges_are_what_going_through_all_finds},
        {"a cursor of a range is a place", a_cursor_of_a_range_is_a_place},
        {"bad ranges are refused", bad_ranges_are_refused});
}
