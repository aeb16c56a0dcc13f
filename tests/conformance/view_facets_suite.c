#include "conformance/view_facets_suite.h"

#include <stdlib.h>
#include <string.h>

#include "record/kinds.h"
#include "record/specimen.h"
#include "record/value.h"
#include "tap/tap.h"

static const struct view_store_bench *bench;

enum { ITEMS = 300 };
enum item_state { ITEM_NEW, ITEM_USED, ITEM_BROKEN };

struct item {
    int64_t id;
    struct sl_text title;
    struct sl_text brand;
    enum item_state state;
    struct sl_decimal price;
    bool has_colour;
    struct sl_text colour;
    uint64_t size;
    struct sl_date day;
    bool sold;
    double weight;
};

static const struct sl_record item_record = SL_RECORD(
    struct item, SL_FIELD(struct item, id), SL_FIELD(struct item, title),
    SL_FIELD(struct item, brand), SL_FIELD(struct item, state, SL_NAMES("new", "used", "broken")),
    SL_FIELD(struct item, price), SL_FIELD(struct item, colour, SL_HAS(struct item, has_colour)),
    SL_FIELD(struct item, size), SL_FIELD(struct item, day), SL_FIELD(struct item, sold),
    SL_FIELD(struct item, weight));

enum { FIRST_FACET = 2, FACETS = 7 }; /* brand to sold */

static const struct sl_view items = {"items", &item_record, "id", .search = "title, brand"};

static struct fixture {
    struct sl_env *env;
    struct sl_view_store_options options;
    struct sl_view_store *store;
    struct sl_view_reader *reader;
    struct sl_view_shape shape;
    struct sl_arena rows_arena;
    struct sl_arena arena; /* of one answer */
    struct sl_error error;
    uint64_t seed;
    struct item rows[ITEMS];
} f;

static bool good(enum sl_err err)
{
    if (err != SL_OK)
        tap_note("%d: %s", (int)err, f.error.message);
    return err == SL_OK;
}

static uint64_t below(uint64_t end_of)
{
    return specimen_random(&f.seed) % end_of;
}

static const char *const words[] = {"lamp", "desk", "chair", "shelf"};

static void fill(struct item *item, int64_t id)
{
    static const char *const brands[] = {"acme", "bolt", "cork"};
    static const char *const colours[] = {"red", "green", "blue", "dark red"};

    *item = (struct item){
        .id = id,
        .title = sl_arena_printf(&f.rows_arena, "%s %s", words[below(4)], words[below(4)]),
        .brand = sl_arena_printf(&f.rows_arena, "%s", brands[below(3)]),
        .state = (enum item_state)below(3),
        .price = {(int64_t)below(3) * 100, 2},
        .has_colour = below(4) > 0,
        .size = below(3) * (UINT64_MAX / 2),
        .day.days = (int32_t)below(60),
        .sold = below(2) > 0,
    };
    if (below(2) > 0) /* the same value, written otherwise */
        item->price = (struct sl_decimal){item->price.unscaled / 100, 0};
    if (item->has_colour)
        item->colour = sl_arena_printf(&f.rows_arena, "%s", colours[below(4)]);
}

static bool begin(void)
{
    const char *seed = getenv("SLUICE_SEED"); /* NOLINT: no other thread changes it */
    static struct sl_row_change changes[ITEMS];
    struct sl_checkpoint found;

    f = (struct fixture){.seed = seed ? strtoull(seed, NULL, 10) : 5};
    tap_note("seed %llu", (unsigned long long)f.seed);
    f.env = bench->start(&f.options);
    if (!CHECK(good(sl_view_shape_init(&f.shape, "test", &items, &f.error))) ||
        !CHECK(good(sl_view_store_open(bench->ops, f.env, &f.options, &f.store, &f.error))) ||
        !CHECK(good(sl_view_store_attach(f.store, &f.shape, &found, &f.error))) ||
        !CHECK(good(sl_view_reader_open(f.store, &f.reader, &f.error))))
        return false;
    for (int i = 0; i < ITEMS; i++) {
        fill(&f.rows[i], i);
        changes[i] = (struct sl_row_change){sl_arena_printf(&f.rows_arena, "%d", i), &f.rows[i], 9};
    }
    const struct sl_checkpoint checkpoint = {{{1}}, 77, 9, 1, f.shape.digest};
    return CHECK(
        good(sl_view_store_apply(f.store, &f.shape, changes, ITEMS, &checkpoint, &f.error)));
}

static void end(void)
{
    sl_view_reader_close(f.reader);
    sl_view_store_close(f.store);
    bench->stop(f.env);
    sl_arena_close(&f.rows_arena);
    sl_arena_close(&f.arena);
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

/* ---- The model: going through all rows ---------------------------------------------------------
 */

static bool is_equal(const struct sl_field *field, const void *a, const void *b)
{
    const bool left = sl_field_is_there(field, a), right = sl_field_is_there(field, b);

    return left == right &&
           (!left || sl_value_compare(field, sl_member(field, a), sl_member(field, b)) == 0);
}

/* Has the row the word, and the values of all filters but this field's? */
static bool is_found(const struct sl_list_query *query, const struct item *row,
                     const struct sl_field *but)
{
    if (!memmem(row->title.ptr, row->title.len, query->search.ptr, query->search.len))
        return false;
    for (uint32_t i = 0; i < query->filter_count; i++)
        if (query->filters[i] != but && (!sl_field_is_there(query->filters[i], row) ||
                                         !is_equal(query->filters[i], row, query->equal)))
            return false;
    return true;
}

static uint64_t count_of(const struct sl_list_query *query, const struct sl_field *field,
                         const void *value)
{
    uint64_t count = 0;

    for (size_t i = 0; i < ITEMS; i++)
        count += is_found(query, &f.rows[i], field) && is_equal(field, &f.rows[i], value);
    return count;
}

static unsigned different_values(const struct sl_list_query *query, const struct sl_field *field)
{
    unsigned count = 0;

    for (size_t i = 0; i < ITEMS; i++) {
        bool is_first = is_found(query, &f.rows[i], field);
        for (size_t j = 0; j < i && is_first; j++)
            is_first =
                !is_found(query, &f.rows[j], field) || !is_equal(field, &f.rows[i], &f.rows[j]);
        count += is_first;
    }
    return count;
}

static void check_facet(const struct sl_list_query *query, const struct sl_facet *facet)
{
    const unsigned different = different_values(query, facet->field);

    CHECK_U64(facet->count + facet->others, different);
    CHECK_U64(facet->count, different < SL_FACET_VALUES_MAX ? different : SL_FACET_VALUES_MAX);
    for (uint32_t i = 0; i < facet->count; i++) {
        const struct sl_facet_value *value = &facet->values[i];

        if (!CHECK(value->count == count_of(query, facet->field, value->row)))
            tap_note("facet %s, value %u: %llu", facet->field->name, i,
                     (unsigned long long)value->count);
        CHECK(i == 0 || value->count <= value[-1].count);
        for (uint32_t j = 0; j < i; j++)
            CHECK(!is_equal(facet->field, value->row, facet->values[j].row));
    }
}

/* All pages: each row that is wanted once, and no other. */
static void check_rows(struct sl_list_query query)
{
    bool seen[ITEMS] = {false};
    struct sl_list_page page;
    unsigned wanted = 0, found = 0;

    for (size_t i = 0; i < ITEMS; i++)
        wanted += is_found(&query, &f.rows[i], NULL);
    query.facet_count = 0;
    do {
        REQUIRE(good(list(&query, &page)));
        for (uint32_t i = 0; i < page.count; i++) {
            const struct item *row = page.rows[i].row;
            CHECK(!seen[row->id] && is_found(&query, &f.rows[row->id], NULL));
            seen[row->id] = true;
        }
        found += page.count;
        query.after = page.next;
    } while (page.next.len > 0 && found <= wanted);
    CHECK_U64(found, wanted);
}

static void facets_are_what_going_through_all_finds(void)
{
    unsigned filtered = 0;

    REQUIRE(begin());
    for (unsigned round = 0; round < 60; round++) {
        const struct sl_field *filters[3], *facets[FACETS];
        const struct item *equal = &f.rows[below(ITEMS)];
        const char *word = words[below(4)];
        struct sl_list_query query = {.index = -1,
                                      .limit = 1 + (uint32_t)below(60),
                                      .search = {word, strlen(word)},
                                      .equal = equal,
                                      .filters = filters,
                                      .facets = facets};
        struct sl_list_page page = {0};

        for (uint32_t i = 0; i < FACETS; i++)
            if (below(2) > 0)
                facets[query.facet_count++] = &item_record.fields[FIRST_FACET + i];
        for (uint32_t i = (uint32_t)below(FACETS + 2); i < FACETS && query.filter_count < 3;
             i += 1 + (uint32_t)below(FACETS))
            if (sl_field_is_there(&item_record.fields[FIRST_FACET + i], equal))
                filters[query.filter_count++] = &item_record.fields[FIRST_FACET + i];
        REQUIRE(good(list(&query, &page)));
        CHECK_U64(page.checkpoint.position, 9);
        for (uint32_t i = 0; i < query.facet_count; i++) {
            REQUIRE(page.facets[i].field == facets[i]);
            check_facet(&query, &page.facets[i]);
        }
        check_rows(query);
        filtered += query.filter_count > 0;
        sl_arena_reset(&f.arena);
    }
    tap_note("%u with filters", filtered);
    CHECK(filtered > 20);
    end();
}

static void bad_filters_and_facets_are_refused(void)
{
    const struct sl_field *weight[] = {&item_record.fields[9]};
    const struct sl_field *brand[] = {&item_record.fields[FIRST_FACET]};
    const struct sl_text word = SL_TEXT("lamp");
    const struct sl_list_query bad[] = {
        {.index = -1, .limit = 5, .facets = brand, .facet_count = 1},
        {.index = -1, .limit = 5, .equal = &f.rows[0], .filters = brand, .filter_count = 1},
        {.limit = 5, .search = word, .facets = weight, .facet_count = 1},
        {.limit = 5, .search = word, .equal = &f.rows[0], .filters = weight, .filter_count = 1},
        {.limit = 5, .search = word, .facets = brand, .facet_count = SL_FACETS_MAX + 1},
    };
    struct sl_list_page page;

    REQUIRE(begin());
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!CHECK(list(&bad[i], &page) == SL_INVALID))
            tap_note("query %zu", i);
    end();
}

int view_facets_suite(const struct view_store_bench *of)
{
    bench = of;
    return TAP_RUN(
        {"facets are what going through all rows finds", facets_are_what_going_through_all_finds},
        {"bad filters and facets are refused", bad_filters_and_facets_are_refused});
}
