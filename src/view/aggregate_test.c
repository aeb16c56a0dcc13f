/* Aggregates as a view answers them: from what is stored, at a position, by its readers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tap/tap.h"
#include "view/bench.h"

enum { SEED = 3, EVENTS = 400 };

static const struct sl_field *field_of(const char *name)
{
    for (uint32_t i = 0; i < level_record.field_count; i++)
        if (strcmp(level_record.fields[i].name, name) == 0)
            return &level_record.fields[i];
    return NULL;
}

static struct stock_model model;

/* A view of levels that is stored up to the last event. */
static bool begin(struct bench *bench)
{
    memset(&model, 0, sizeof model);
    bench_begin(bench, SEED, &level_view);
    if (!CHECK(bench_open(bench)))
        return false;
    bench_run(bench);
    for (uint64_t position = 0; position < EVENTS; position++) {
        struct stock_event body;
        struct sl_event event = {0};

        stock_event_at(SEED, position, &event, &body);
        if (!CHECK(bench_project(bench, &event) == SL_VIEW_APPLIED))
            return false;
        stock_model_apply(&model, SEED, position);
    }
    sl_view_hurry(bench->table);
    bench_settle(bench);
    return CHECK(sl_view_table_status(bench->table).stored == EVENTS);
}

static void check_answer(struct bench *bench, const struct sl_aggregate_query *query,
                         const char *want)
{
    const char *answer = bench_aggregate(bench, query);

    CHECK_STRING(answer, want);
}

static void answers_what_is_stored(void)
{
    const struct sl_aggregate_item items[] = {{SL_AGGREGATE_COUNT, NULL},
                                              {SL_AGGREGATE_SUM, field_of("count")}};
    struct sl_aggregate_query query = {
        .rows = {.index = -1, .limit = 5}, .aggregates = items, .count = 2, .rows_max = 1000};
    struct bench bench;
    char want[200];
    unsigned rows = 0;
    int64_t sum = 0;

    REQUIRE(begin(&bench));
    for (size_t i = 0; i < STOCK_KEYS; i++) {
        rows += model.rows[i].there;
        sum += model.rows[i].there ? model.rows[i].count : 0;
    }
    snprintf(want, sizeof want,
             "%d {\"groups\":[{\"count\":%u,\"sum(count)\":%" PRId64 "}],\"rows\":%u}", EVENTS,
             rows, sum, rows);
    CHECK(rows > 100);
    check_answer(&bench, &query, want);
    query.rows_max = rows - 1;
    snprintf(want, sizeof want, "%d refused %d of 0", EVENTS, (int)SL_AGGREGATE_ROWS);
    check_answer(&bench, &query, want);
    query.rows.index = 7;
    check_answer(&bench, &query, "invalid");
    bench_end(&bench);
}

static void a_store_that_fails_is_said_so(void)
{
    const struct sl_aggregate_item items[] = {{SL_AGGREGATE_COUNT, NULL}};
    const struct sl_aggregate_query query = {
        .rows = {.index = -1, .limit = 5}, .aggregates = items, .count = 1, .rows_max = 1000};
    struct bench bench;

    REQUIRE(begin(&bench));
    sl_view_store_fail_at(&bench.fault, 2, SL_IO); /* the one after the reader's begin */
    check_answer(&bench, &query, sl_err_name(SL_IO));
    sl_view_store_fail_at(&bench.fault, 2, SL_NO_MEMORY);
    check_answer(&bench, &query, sl_err_name(SL_NO_MEMORY));
    CHECK(strncmp(bench_aggregate(&bench, &query), "400 {", 5) == 0);
    /* Damage is cured as when a list finds it: the view starts over. */
    sl_view_store_fail_at(&bench.fault, 2, SL_CORRUPT);
    check_answer(&bench, &query, sl_err_name(SL_CORRUPT));
    bench_settle(&bench);
    CHECK_U64(sl_view_table_status(bench.table).position, 0);
    bench_end(&bench);
}

int main(void)
{
    return TAP_RUN({"answers what is stored", answers_what_is_stored},
                   {"a store that fails is said so", a_store_that_fails_is_said_so});
}
