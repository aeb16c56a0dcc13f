/* Rows as they were: no version is lost, whatever a flush had of them, and how often it failed. */
#include "view/view.h"

#include <stdio.h>
#include <string.h>

#include "tap/tap.h"
#include "view/bench.h"

/* ---- A view of which each event says what a row becomes -------------------------------------- */

struct word {
    uint64_t id;
    struct sl_text word; /* empty: the row goes */
};

static const struct sl_record word_record =
    SL_RECORD(struct word, SL_FIELD(struct word, id), SL_FIELD(struct word, word));
static const struct sl_event_type said = {"Said", 1, &word_record};

static void project(const struct sl_event *event, struct sl_rows *rows)
{
    const struct word *word = event->body;
    struct word *row = sl_row_edit(rows, &word->id);

    if (word->word.len == 0)
        sl_row_delete(rows, &word->id);
    else
        *(row ? row : (struct word *)sl_row_put(rows)) = *word;
}

static const struct sl_view words = {"words", &word_record, "id", project, .temporal = true};

static bool say(struct bench *bench, uint64_t id, const char *what)
{
    const struct word word = {id, {what, strlen(what)}};
    const struct sl_event event = {.type = &said,
                                   .body = &word,
                                   .position = sl_view_table_status(bench->table).position};

    return CHECK(bench_project(bench, &event) == SL_VIEW_APPLIED);
}

static bool begin(struct bench *bench, uint64_t seed)
{
    bench_begin(bench, seed, &words);
    if (!CHECK(bench_open(bench)))
        return false;
    bench_run(bench);
    return CHECK(sl_view_table_status(bench->table).state == SL_VIEW_RUNNING);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static const struct {
    uint64_t id;
    const char *word;
} events[] = {{1, "a"}, {1, "b"}, {1, ""}, {1, "c"}, {1, "longer"}, {2, "z"}, {1, "e"}, {1, ""}};

enum { EVENTS = sizeof events / sizeof *events };

static void check(struct bench *bench)
{
    for (uint64_t id = 1; id <= 2; id++) {
        char key[2] = {(char)('0' + id), '\0'}, wanted[64] = "-";

        for (uint64_t position = 0; position <= EVENTS; position++) {
            if (position > 0 && events[position - 1].id == id)
                snprintf(wanted, sizeof wanted, "{\"id\":%d,\"word\":\"%s\"}", (int)id,
                         events[position - 1].word);
            if (position > 0 && events[position - 1].id == id && !events[position - 1].word[0])
                snprintf(wanted, sizeof wanted, "-");
            if (!CHECK_STRING(bench_past(bench, key, position), wanted))
                tap_note("row %s at position %d", key, (int)position);
        }
    }
}

/* A flush begins behind `first` events, and `fails` or not; `meanwhile` come while it is under way,
 * and the rest when it is over. */
static void flush_within(unsigned first, unsigned meanwhile, bool fails)
{
    struct bench bench;

    REQUIRE(begin(&bench, 40 + first));
    for (unsigned i = 0; i < EVENTS; i++) {
        if (i == first && first > 0) {
            sl_view_store_fail_at(&bench.fault, fails ? 1 : 0, SL_IO);
            sl_view_hurry(bench.table);
            sl_view_table_turn(bench.table, sl_env_monotonic(bench.env));
        }
        if (i == first + meanwhile)
            bench_settle(&bench);
        say(&bench, events[i].id, events[i].word);
    }
    bench_settle(&bench);
    CHECK_U64(sl_view_table_status(bench.table).stored, EVENTS);
    CHECK_U64(sl_view_table_status(bench.table).rows_dirty, 0);
    check(&bench);
    bench_close(&bench);
    REQUIRE(CHECK(bench_open(&bench)));
    bench_run(&bench);
    check(&bench);
    bench_end(&bench);
}

static void every_version_is_kept(void)
{
    for (unsigned first = 0; first < EVENTS; first++)
        for (unsigned meanwhile = 0; first + meanwhile < EVENTS; meanwhile++)
            for (unsigned fails = 0; fails < 2; fails++)
                flush_within(first, meanwhile, fails > 0);
}

static void moved(void *context)
{
    (void)context;
}

/* A view that is built anew knows them all, and so does whoever asks the new build. */
static void a_new_build_has_them(void)
{
    struct sl_view_table *beside;
    struct bench bench;
    const char *why = NULL;
    enum sl_view_beside end = SL_VIEW_PENDING;

    REQUIRE(begin(&bench, 3));
    for (unsigned i = 0; i < EVENTS; i++)
        say(&bench, events[i].id, events[i].word);
    REQUIRE(CHECK(sl_view_beside_open(bench.table, moved, NULL, &beside, &bench.error) == SL_OK));
    bench_run(&bench);
    for (unsigned i = 0; i < EVENTS; i++) {
        const struct word word = {events[i].id, {events[i].word, strlen(events[i].word)}};
        const struct sl_event event = {.type = &said, .body = &word, .position = i};
        CHECK(sl_view_project(beside, &event) == SL_VIEW_APPLIED);
    }
    for (int i = 0; i < 1000 && (end = sl_view_beside_swap(beside, &why)) != SL_VIEW_DONE; i++)
        bench_run(&bench);
    REQUIRE(CHECK(end == SL_VIEW_DONE));
    for (int i = 0; i < 1000 && sl_view_beside_end(beside) != SL_VIEW_DONE; i++)
        bench_run(&bench);
    bench_settle(&bench);
    CHECK_U64(sl_view_table_status(bench.table).generation, 2);
    check(&bench);
    bench_end(&bench);
}

int main(void)
{
    return TAP_RUN({"every version is kept, whatever becomes of a flush", every_version_is_kept},
                   {"a new build has them", a_new_build_has_them});
}
