/* Pages of a search while rows are written between them. */
#include "view/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap/tap.h"
#include "view/bench.h"

/* An event is the row that it puts. */
struct thing {
    uint64_t id;
    struct sl_text word;
};

static const struct sl_record thing_record =
    SL_RECORD(struct thing, SL_FIELD(struct thing, id), SL_FIELD(struct thing, word));
static const struct sl_event_type happened = {"Happened", 1, &thing_record};

static void project(const struct sl_event *event, struct sl_rows *rows)
{
    struct thing *thing = sl_row_put(rows);

    *thing = *(const struct thing *)event->body;
}

static const struct sl_view things = {"things", &thing_record, "id", project, .search = "word"};

static enum sl_view_result put(struct bench *bench, uint64_t id, const char *word)
{
    const struct thing thing = {id, {word, strlen(word)}};
    const struct sl_event event = {
        .type = &happened, .body = &thing, .position = sl_view_table_status(bench->table).position};

    return bench_project(bench, &event);
}

/* Reads the ids below `count` on a page, and where the next one begins. False at the end. */
static bool read_page(const char *page, unsigned *seen, size_t count, char *after, size_t room)
{
    for (const char *at = page; (at = strstr(at, "\"id\":")); at++) {
        const unsigned long long id = strtoull(at + 5 + (at[5] == '"'), NULL, 10);
        if (id < count)
            seen[id]++;
    }
    const char *next = strstr(page, "\"next\":\"");
    if (!next)
        return false;
    snprintf(after, room, "%.*s", (int)strcspn(next + 8, "\""), next + 8);
    return true;
}

/* Rows that stay as they are come once each, whatever is written between a page and the next: rows
 * before the place, rows that make words rarer or rows longer on the average. */
static void pages_of_a_search_go_on(void)
{
    enum { ROWS = 60, BETWEEN = 40, LIMIT = 7 };
    unsigned seen[ROWS] = {0}, next_id = ROWS;
    char after[2048] = "", text[128];
    struct bench bench;
    bool more = true;

    bench_begin(&bench, 21, &things);
    REQUIRE(bench_open(&bench));
    bench_run(&bench);
    for (unsigned i = 0; i < ROWS; i++) {
        const char *const words[] = {"pear-fig", "pear-pear-fig", "pear-fig-fig-fig-fig",
                                     "pear-pear-pear-fig"};
        snprintf(text, sizeof text, "%s%.*s", words[i % 4], (int)(i * 7 % 31) * 2,
                 "-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a");
        CHECK(put(&bench, i, text) == SL_VIEW_APPLIED);
    }
    for (unsigned pages = 0; more && pages < 100; pages++) {
        sl_view_hurry(bench.table);
        bench_run(&bench);
        more = read_page(bench_list(&bench, (struct sl_list_query){.search = SL_TEXT("pear* fig"),
                                                                   .after = {after, strlen(after)},
                                                                   .limit = LIMIT}),
                         seen, ROWS, after, sizeof after);
        for (unsigned i = 0; pages < 8 && i < BETWEEN; i++) {
            const char *const words[] = {"pear-pear-fig", "fig",
                                         "a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a-a"};
            CHECK(put(&bench, next_id++, words[i < 2 ? 0 : 1 + pages % 2]) == SL_VIEW_APPLIED);
        }
    }
    CHECK(!more);
    for (unsigned i = 0; i < ROWS; i++)
        CHECK_U64(seen[i], 1);
    bench_end(&bench);
}

int main(void)
{
    return TAP_RUN({"pages of a search go on", pages_of_a_search_go_on});
}
