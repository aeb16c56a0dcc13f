#include "conformance/view_range_suite.h"

#include <stdlib.h>
#include <string.h>

#include "conformance/view_range_model.h"
#include "record/json.h"
#include "record/kinds.h"
#include "record/specimen.h"
#include "record/value.h"
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
    const char *seed = getenv("SLUICE_SEED"); /* NOLINT: no other thread changes it */
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

/* ---- Aggregates ------------------------------------------------------------------------------ */

static const struct sl_field *field_of(const char *name)
{
    for (uint32_t i = 0; i < reading_record.field_count; i++)
        if (strcmp(reading_record.fields[i].name, name) == 0)
            return &reading_record.fields[i];
    abort();
}

static enum sl_err aggregate(const struct sl_aggregate_query *query, struct sl_aggregate_page *page)
{
    enum sl_err err = sl_view_reader_begin(f.reader, &f.error);

    if (err != SL_OK)
        return err;
    err = sl_view_reader_aggregate(f.reader, &f.shape, query, &f.arena, page, &f.error);
    sl_view_reader_end(f.reader);
    return err;
}

static bool random_item(struct sl_aggregate_item *item)
{
    item->kind = (enum sl_aggregate_kind)(1 + below(SL_AGGREGATE_LAST));
    item->field = &reading_record.fields[below(reading_record.field_count)];
    if (item->kind == SL_AGGREGATE_COUNT)
        item->field = NULL;
    else if (item->kind <= SL_AGGREGATE_AVG)
        return sl_aggregate_can_add(item->field, item->kind);
    return item->kind == SL_AGGREGATE_COUNT || sl_aggregate_can_compare(item->field);
}

/* Of a random list; false where that has no such aggregates. */
static bool random_aggregate(struct sl_aggregate_query *query, struct sl_aggregate_item *items)
{
    static const int64_t every_s[] = {1, 10, 3600, 86400};

    *query = (struct sl_aggregate_query){.rows = random_query(), .aggregates = items};
    const int index = query->rows.index;
    const struct sl_place *place = index < 0 ? &f.shape.key : &f.shape.indexes[index];
    const struct sl_field *next = place->fields[query->rows.equal_count];
    query->rows.limit = 1 + (uint32_t)below(12);
    query->rows_max = READINGS;
    for (uint32_t i = 0; i < query->rows.equal_count; i++)
        if (place->fields[i]->kind == SL_DECIMAL)
            return false;
    while (query->count < 1 + below(5))
        query->count += random_item(&items[query->count]);
    if (next->kind == SL_TIME && below(3) > 0)
        query->every_ns = every_s[below(4)] * 1000000000;
    else if (next->kind == SL_DATE && below(3) > 0)
        query->every_ns = every_s[3] * 1000000000;
    const struct sl_field *by = &reading_record.fields[below(reading_record.field_count)];
    if (below(2) > 0 && sl_aggregate_can_group(by) && !(query->every_ns && by == next))
        query->by = by;
    return true;
}

/* One group of a page against the model's. */
static bool is_as_in_model(const struct sl_aggregate_query *query,
                           const struct sl_aggregate_group *group, const struct reading_group *want)
{
    const int index = query->rows.index;
    const struct sl_place *place = index < 0 ? &f.shape.key : &f.shape.indexes[index];
    bool good_group = true;

    if (query->every_ns) {
        const struct sl_field *time = place->fields[query->rows.equal_count];
        const void *start = sl_member(time, group->row);
        good_group &=
            CHECK((time->kind == SL_TIME ? ((const struct sl_time *)start)->ns
                                         : ((const struct sl_date *)start)->days) == want->start);
    }
    if (query->by && sl_field_is_there(query->by, want->rows[0]))
        good_group &= CHECK(sl_field_is_there(query->by, group->row) &&
                            sl_value_compare(query->by, sl_member(query->by, group->row),
                                             sl_member(query->by, want->rows[0])) == 0);
    for (uint32_t i = 0; i < query->count; i++) {
        const struct sl_aggregate_value *value = &group->values[i];
        struct sl_buf got = {0}, wanted = {0};

        if (value->value)
            sl_json_write_value(&got, value->form, value->value);
        else
            SL_BUF_LITERAL(&got, "null");
        good_group &=
            CHECK(reading_aggregate(want, &query->aggregates[i], &wanted) == SL_AGGREGATE_DONE);
        if (!CHECK(sl_text_equals(sl_buf_as_text(&got), sl_buf_as_text(&wanted)))) {
            tap_note("kind %d of %s: %.*s, wanted %.*s", (int)query->aggregates[i].kind,
                     query->aggregates[i].field ? query->aggregates[i].field->name : "rows",
                     (int)got.len, (const char *)got.ptr, (int)wanted.len,
                     (const char *)wanted.ptr);
            good_group = false;
        }
        sl_buf_close(&got);
        sl_buf_close(&wanted);
    }
    return good_group;
}

/* The first refusal among groups [at, end), in the order in which they are handed over. */
static enum sl_aggregate_refusal refusal_of(const struct sl_aggregate_query *query,
                                            const struct reading_group *groups, size_t at,
                                            size_t end_at)
{
    enum sl_aggregate_refusal refusal = SL_AGGREGATE_DONE;
    struct sl_buf text = {0};

    for (; at < end_at && refusal == SL_AGGREGATE_DONE; at++)
        for (uint32_t i = 0; i < query->count && refusal == SL_AGGREGATE_DONE; i++)
            refusal = reading_aggregate(&groups[at], &query->aggregates[i], &text);
    sl_buf_close(&text);
    return refusal;
}

static void aggregates_are_what_going_through_all_finds(void)
{
    unsigned groups = 0, pages = 0, refused = 0;

    REQUIRE(begin(READINGS));
    for (unsigned round = 0; round < 600; round++) {
        struct sl_aggregate_item items[6];
        struct sl_aggregate_query query;
        struct sl_aggregate_page page = {0};
        size_t count, at = 0;

        if (!random_aggregate(&query, items))
            continue;
        const struct reading_group *want =
            reading_groups(&f.shape, &query, f.rows, READINGS, &f.arena, &count);
        do {
            const size_t end_at = at + query.rows.limit < count ? at + query.rows.limit : count;
            const enum sl_aggregate_refusal refusal = refusal_of(&query, want, at, end_at);

            REQUIRE(good(aggregate(&query, &page)));
            REQUIRE(page.refusal == refusal);
            pages++;
            refused += refusal != SL_AGGREGATE_DONE;
            if (refusal != SL_AGGREGATE_DONE)
                break;
            REQUIRE(page.count == end_at - at);
            for (uint32_t i = 0; i < page.count; i++, at++)
                if (!is_as_in_model(&query, &page.groups[i], &want[at])) {
                    tap_note("round %u, index %d, equal %u, by %s, every %lld, descending %d, "
                             "group %zu of %zu",
                             round, query.rows.index, query.rows.equal_count,
                             query.by ? query.by->name : "none", (long long)query.every_ns,
                             query.rows.descending, at, count);
                    return;
                }
            CHECK((page.next.len > 0) == (at < count));
            query.rows.after = page.next;
        } while (page.next.len > 0 && at < count);
        groups += (unsigned)at;
        sl_arena_reset(&f.arena);
    }
    tap_note("%u groups, %u pages, %u refused", groups, pages, refused);
    CHECK(groups > 2000 && pages > 500 && refused > 5);
    end();
}

/* Rows at 0, 10, 20 … nanoseconds. */
static bool put_in_row(struct reading *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rows[i].id = (int64_t)i;
        rows[i].device = SL_TEXT("d");
        rows[i].at.ns = 10 * (int64_t)i;
    }
    return put(rows, count, count);
}

static void work_is_bounded(void)
{
    const struct sl_aggregate_item items[] = {{SL_AGGREGATE_COUNT, NULL}};
    struct sl_aggregate_query query = {
        .rows = {.index = 1, .limit = 2}, .aggregates = items, .count = 1, .rows_max = 9};
    struct sl_aggregate_page page;
    struct reading rows[10] = {0};

    REQUIRE(begin(0) && put_in_row(rows, 10));
    REQUIRE(good(aggregate(&query, &page)));
    CHECK(page.refusal == SL_AGGREGATE_ROWS && page.count == 0);
    CHECK_U64(page.checkpoint.position, 10);
    query.rows_max = 10;
    REQUIRE(good(aggregate(&query, &page)));
    CHECK(page.refusal == SL_AGGREGATE_DONE && page.count == 1 && page.rows_seen == 10);
    /* A page of stretches looks at its own rows, and at the one that says that more follows. */
    query.every_ns = 20;
    query.rows_max = 5;
    REQUIRE(good(aggregate(&query, &page)) && page.refusal == SL_AGGREGATE_DONE);
    CHECK(page.count == 2 && page.rows_seen == 5 && page.next.len > 0);
    query.rows.after = page.next;
    REQUIRE(good(aggregate(&query, &page)) && page.refusal == SL_AGGREGATE_DONE);
    CHECK(page.count == 2 && page.rows_seen == 5);
    CHECK_U64((uint64_t)((const struct reading *)page.groups[0].row)->at.ns, 40);
    end();
}

static void sums_are_right_or_refused(void)
{
    const struct sl_aggregate_item items[] = {{SL_AGGREGATE_COUNT, NULL},
                                              {SL_AGGREGATE_SUM, field_of("amount")}};
    struct sl_aggregate_query query = {
        .rows = {.index = 1, .limit = 9}, .aggregates = items, .count = 2, .rows_max = 100};
    struct sl_aggregate_page page;
    struct reading rows[3] = {{.amount = INT64_MAX}, {.amount = 1}, {.amount = -1}}, to = {0};

    REQUIRE(begin(0) && put_in_row(rows, 3));
    /* Over 64 bits on the way, and back. */
    REQUIRE(good(aggregate(&query, &page)) && page.refusal == SL_AGGREGATE_DONE);
    CHECK(*(const int64_t *)page.groups[0].values[1].value == INT64_MAX);
    to.at.ns = 20;
    query.rows.to = &to;
    REQUIRE(good(aggregate(&query, &page)));
    CHECK(page.refusal == SL_AGGREGATE_OVERFLOW && page.refused == 1 && page.count == 0);
    /* No rows: a group all the same, whose sum is none. */
    to.at.ns = 0;
    REQUIRE(good(aggregate(&query, &page)) && page.count == 1);
    CHECK(*(const uint64_t *)page.groups[0].values[0].value == 0);
    CHECK(page.groups[0].values[1].value == NULL);
    end();
}

static void stretches_reach_to_the_ends_of_time(void)
{
    const struct sl_aggregate_item items[] = {{SL_AGGREGATE_COUNT, NULL}};
    struct sl_aggregate_query query = {.rows = {.index = 1, .limit = 1},
                                       .aggregates = items,
                                       .count = 1,
                                       .every_ns = INT64_C(86400) * 1000000000,
                                       .rows_max = 100};
    const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX};
    struct reading rows[5] = {0};

    REQUIRE(begin(0) && put_in_row(rows, 5));
    for (int i = 0; i < 5; i++)
        rows[i].at.ns = times[i];
    REQUIRE(put(rows, 5, 6));
    for (int descending = 0; descending < 2; descending++)
        for (int by = 0; by < 2; by++) {
            unsigned groups = 0, counted = 0;
            struct sl_aggregate_page page = {0};

            query.rows.descending = descending != 0;
            query.by = by ? field_of("device") : NULL;
            query.rows.after = (struct sl_text){0};
            do {
                REQUIRE(good(aggregate(&query, &page)) && groups < 9);
                groups += page.count;
                for (uint32_t i = 0; i < page.count; i++)
                    counted += (unsigned)*(const uint64_t *)page.groups[i].values[0].value;
                query.rows.after = page.next;
            } while (page.next.len > 0);
            CHECK_U64(groups, 4);
            CHECK_U64(counted, 5);
        }
    end();
}

static void bad_aggregates_are_refused(void)
{
    const struct sl_aggregate_item count[] = {{SL_AGGREGATE_COUNT, NULL}};
    const struct sl_aggregate_item text[] = {{SL_AGGREGATE_SUM, field_of("device")}};
    const struct sl_aggregate_item money[] = {{SL_AGGREGATE_MAX, field_of("fee")}};
    const struct sl_aggregate_item average[] = {{SL_AGGREGATE_AVG, field_of("fee")}};
    const struct reading some = {.device = SL_TEXT("d")};
    const struct sl_list_query rows = {.index = 1, .limit = 5};
    const struct sl_list_query by_day = {.index = 6, .limit = 5, .equal = &some, .equal_count = 1};
    const struct sl_list_query by_price = {
        .index = 3, .limit = 5, .equal = &some, .equal_count = 1};
    const int64_t hour = INT64_C(3600) * 1000000000;
    const struct sl_aggregate_query bad[] = {
        {rows, text, 1, NULL, 0, 10},
        {rows, money, 1, NULL, 0, 10},
        {rows, average, 1, NULL, 0, 10},
        {rows, count, 0, NULL, 0, 10},
        {rows, count, 17, NULL, 0, 10},
        {rows, count, 1, field_of("fee"), 0, 10},
        {rows, count, 1, field_of("speed"), 0, 10},
        {rows, count, 1, field_of("at"), hour, 10},
        {rows, count, 1, NULL, -1, 10},
        {by_day, count, 1, NULL, hour, 10},
        {by_price, count, 1, NULL, 0, 10},
        {{.index = -1, .limit = 5}, count, 1, NULL, hour, 10},
        {{.index = 1, .limit = 0}, count, 1, NULL, 0, 10},
        {{.index = 1, .limit = 5, .after = SL_TEXT("AQI")}, count, 1, NULL, 0, 10},
        {{.index = 1, .limit = 5, .search = SL_TEXT("word")}, count, 1, NULL, 0, 10},
    };
    struct sl_aggregate_page page;

    REQUIRE(begin(READINGS));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!CHECK(aggregate(&bad[i], &page) == SL_INVALID))
            tap_note("query %zu: %s", i, f.error.message);
    /* A cursor of another query. */
    struct sl_aggregate_query query = {rows, count, 1, field_of("device"), hour, READINGS};
    query.rows.limit = 1;
    REQUIRE(good(aggregate(&query, &page)) && page.next.len > 0);
    query.rows.after = page.next;
    CHECK(good(aggregate(&query, &page)));
    query.every_ns *= 2;
    CHECK(aggregate(&query, &page) == SL_INVALID);
    end();
}

int view_range_suite(const struct view_store_bench *of)
{
    bench = of;
    return TAP_RUN(
        {"ranges are what going through all rows finds", ranges_are_what_going_through_all_finds},
        {"a cursor of a range is a place", a_cursor_of_a_range_is_a_place},
        {"bad ranges are refused", bad_ranges_are_refused},
        {"aggregates are what going through all rows finds",
         aggregates_are_what_going_through_all_finds},
        {"work is bounded", work_is_bounded},
        {"sums are right or refused", sums_are_right_or_refused},
        {"stretches reach to the ends of time", stretches_reach_to_the_ends_of_time},
        {"bad aggregates are refused", bad_aggregates_are_refused});
}
