/* What a view promises, promise by promise, in the simulated world. */
#include "view/view.h"

#include <stdio.h>
#include <string.h>

#include "tap/tap.h"
#include "view/bench.h"

/* ---- A projection that does what its event says ---------------------------------------------- */

/* "put 1 a", "edit 1 b", "delete 1", "need 1", "rekey 1 2", "fail", separated by semicolons. */
struct script {
    struct sl_text text;
};

struct thing {
    uint64_t id;
    struct sl_text word;
    struct sl_list words; /* of text; each edit adds one */
};

static const struct sl_record script_record =
    SL_RECORD(struct script, SL_FIELD(struct script, text));
static const struct sl_record thing_record =
    SL_RECORD(struct thing, SL_FIELD(struct thing, id), SL_FIELD(struct thing, word),
              SL_FIELD(struct thing, words, .item = SL_TEXT_KIND));
static const struct sl_event_type happened = {"Happened", 1, &script_record};

static char big[1100000];

static void do_one(struct sl_rows *rows, const char *verb, uint64_t id, struct sl_text word)
{
    struct thing *thing = NULL;

    if (strcmp(verb, "put") == 0 || strcmp(verb, "big") == 0) {
        thing = sl_row_put(rows);
        thing->id = id;
        thing->word = strcmp(verb, "big") == 0 ? (struct sl_text){big, sizeof big} : word;
    } else if (strcmp(verb, "edit") == 0) {
        thing = sl_row_edit(rows, &id);
        if (thing)
            thing->word = word;
        else
            sl_rows_fail(rows, "edited a row that is not there");
    } else if (strcmp(verb, "maybe") == 0) {
        thing = sl_row_edit(rows, &id);
        if (thing)
            thing->word = word;
    } else if (strcmp(verb, "delete") == 0) {
        sl_row_delete(rows, &id);
    } else if (strcmp(verb, "rekey") == 0) {
        thing = sl_row_edit(rows, &id);
        if (thing)
            thing->id++;
    } else {
        sl_rows_fail(rows, "the script says so");
    }
}

static void project_script(const struct sl_event *event, struct sl_rows *rows)
{
    const struct script *script = event->body;
    char copy[512], *step, *rest = copy;

    memcpy(copy, script->text.ptr, script->text.len);
    copy[script->text.len] = '\0';
    while ((step = strsep(&rest, ";"))) {
        char verb[16] = "", word[100] = "";
        unsigned long long id = 0;

        if (sscanf(step, " %15s %llu %99s", verb, &id, word) < 1)
            continue;
        /* What a row takes by pointer must live until the event was applied. */
        const char *at = strstr(script->text.ptr, word);
        do_one(rows, verb, id, (struct sl_text){at, strlen(word)});
    }
}

static const struct sl_view things = {"things",
                                      &thing_record,
                                      "id",
                                      project_script,
                                      .indexes =
                                          SL_LIST(const struct sl_index, {"by-word", "word"}),
                                      .search = "word"};

static enum sl_view_result happen(struct bench *bench, const char *what)
{
    const struct script script = {{what, strlen(what)}};
    const struct sl_event event = {.type = &happened,
                                   .body = &script,
                                   .position = sl_view_table_status(bench->table).position};

    return bench_project(bench, &event);
}

/* The row as JSON, "-" where there is none, "?" where nobody knows. */
static const char *see(struct bench *bench, const char *key)
{
    static char json[256];
    struct sl_view_row row;

    switch (bench_lookup(bench, key, &row)) {
    case SL_LOOKUP_FOUND:
        snprintf(json, sizeof json, "%.*s", (int)row.json.len, row.json.ptr);
        return json;
    case SL_LOOKUP_ABSENT:
        return "-";
    default:
        return "?";
    }
}

static bool begin(struct bench *bench, uint64_t seed)
{
    bench_begin(bench, seed, &things);
    if (!CHECK(bench_open(bench)))
        return false;
    bench_run(bench);
    return CHECK(sl_view_table_status(bench->table).state == SL_VIEW_RUNNING);
}

static bool restart(struct bench *bench)
{
    bench_close(bench);
    if (!CHECK(bench_open(bench)))
        return false;
    bench_run(bench);
    return true;
}

#define ROW(id, word) "{\"id\":" #id ",\"word\":\"" word "\",\"words\":[]}"

/* ---- One event ------------------------------------------------------------------------------- */

static void changes_within_an_event(void)
{
    static const struct {
        const char *before, *event, *one, *two;
    } cases[] = {
        {"", "put 1 a", ROW(1, "a"), "-"},
        {"", "put 1 a; edit 1 b", ROW(1, "b"), "-"},
        {"", "put 1 a; put 1 b", ROW(1, "b"), "-"},
        {"", "put 1 a; delete 1", "-", "-"},
        {"", "put 1 a; delete 1; put 1 c", ROW(1, "c"), "-"},
        {"", "put 1 a; put 2 b; edit 1 c; edit 2 d", ROW(1, "c"), ROW(2, "d")},
        {"", "delete 1; maybe 2 x", "-", "-"},
        {"put 1 a", "edit 1 b", ROW(1, "b"), "-"},
        {"put 1 a", "edit 1 b; edit 1 longer-than-it-was-before",
         ROW(1, "longer-than-it-was-before"), "-"},
        {"put 1 a", "edit 1 b; delete 1", "-", "-"},
        {"put 1 a", "edit 1 b; put 1 c", ROW(1, "c"), "-"},
        {"put 1 a", "delete 1; maybe 1 b", "-", "-"},
        {"put 1 a", "delete 1; put 1 b; edit 1 c", ROW(1, "c"), "-"},
        {"put 1 a; put 2 b", "edit 2 c; delete 1", "-", ROW(2, "c")},
        {"put 1 a; delete 1", "put 1 b", ROW(1, "b"), "-"},
    };

    /* In memory only; written to the store before; and fetched from there. */
    for (unsigned how = 0; how < 3; how++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct bench bench;

            REQUIRE(begin(&bench, i + 1));
            CHECK(happen(&bench, cases[i].before) == SL_VIEW_APPLIED);
            if (how > 0)
                bench_settle(&bench);
            if (how > 1)
                REQUIRE(restart(&bench));
            const uint64_t position = sl_view_table_status(bench.table).position;
            CHECK(happen(&bench, cases[i].event) == SL_VIEW_APPLIED);
            CHECK_U64(sl_view_table_status(bench.table).position, position + 1);
            if (!CHECK_STRING(see(&bench, "1"), cases[i].one) ||
                !CHECK_STRING(see(&bench, "2"), cases[i].two))
                tap_note("%s / %s, %u", cases[i].before, cases[i].event, how);
            bench_settle(&bench);
            REQUIRE(restart(&bench));
            if (!CHECK_STRING(see(&bench, "1"), cases[i].one) ||
                !CHECK_STRING(see(&bench, "2"), cases[i].two))
                tap_note("stored: %s / %s, %u", cases[i].before, cases[i].event, how);
            bench_end(&bench);
        }
    }
}

static void an_event_fails_whole(void)
{
    static const struct {
        const char *event, *why;
    } cases[] = {
        {"edit 1 b; put 3 c; delete 2; fail", "the script says so"},
        {"put 3 c; edit 4 x", "edited a row that is not there"},
        {"edit 1 b; put 3 c; big 5", "a row is larger than 1 MiB"},
        {"delete 2; put 3 c; rekey 1", "the projection changed the key of a row"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench bench;

        REQUIRE(begin(&bench, i + 1));
        CHECK(happen(&bench, "put 1 a; put 2 b") == SL_VIEW_APPLIED);
        CHECK(happen(&bench, cases[i].event) == SL_VIEW_STUCK);
        struct sl_view_status status = sl_view_table_status(bench.table);
        CHECK(status.state == SL_VIEW_DEGRADED);
        CHECK_STRING(status.why, cases[i].why);
        CHECK_U64(status.position, 1);
        CHECK(happen(&bench, "put 1 x") == SL_VIEW_STUCK);
        /* Tried again: the event that it stands at, whatever that is by now. */
        CHECK(sl_view_retry(bench.table) && !sl_view_retry(bench.table));
        CHECK(sl_view_table_status(bench.table).state == SL_VIEW_RUNNING);
        CHECK(happen(&bench, cases[i].event) == SL_VIEW_STUCK);
        /* Only the event at which it stands can be skipped. */
        CHECK(!sl_view_skip(bench.table, 0) && !sl_view_skip(bench.table, 2));
        CHECK_STRING(see(&bench, "1"), ROW(1, "a"));
        CHECK_STRING(see(&bench, "2"), ROW(2, "b"));
        CHECK_STRING(see(&bench, "3"), "-");
        /* What came before is stored all the same. */
        bench_settle(&bench);
        CHECK_U64(sl_view_table_status(bench.table).stored, 1);
        REQUIRE(restart(&bench));
        CHECK(sl_view_table_status(bench.table).state == SL_VIEW_RUNNING);
        CHECK_STRING(see(&bench, "2"), ROW(2, "b"));
        CHECK(happen(&bench, "put 3 c") == SL_VIEW_APPLIED);
        bench_end(&bench);
    }
}

static const char *degraded_told;
static unsigned times_told;

static void stood(struct sl_view_watch *watch, const char *why, uint64_t position)
{
    (void)watch;
    (void)position;
    degraded_told = why;
    times_told++;
}

/* While it is found out whether its event is to be skipped, a view stands and nobody is told. */
static void stands_untold_until_settled(void)
{
    static const struct {
        const char *name;
        bool skipped;
        const char *told;
        unsigned times;
    } cases[] = {{"skipped", true, NULL, 0}, {"not skipped", false, "the script says so", 1}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench bench;
        struct sl_view_watch watch = {.state = stood};

        REQUIRE(begin(&bench, 7));
        CHECK(happen(&bench, "put 1 a") == SL_VIEW_APPLIED);
        bench_close(&bench);
        bench.settles = true;
        REQUIRE(bench_open(&bench));
        bench_run(&bench);
        sl_view_watch(bench.table, &watch);
        degraded_told = NULL;
        times_told = 0;
        CHECK(happen(&bench, "fail") == SL_VIEW_STUCK);
        struct sl_view_status status = sl_view_table_status(bench.table);
        CHECK(status.state == SL_VIEW_RUNNING && status.unsettled && !status.why);
        CHECK_U64(status.position, 1);
        CHECK(!sl_view_retry(bench.table));
        CHECK(happen(&bench, "put 1 x") == SL_VIEW_STUCK);
        if (cases[i].skipped)
            CHECK(sl_view_skip(bench.table, 1));
        sl_view_settle(bench.table);
        sl_view_settle(bench.table);
        status = sl_view_table_status(bench.table);
        CHECK(status.state == (cases[i].skipped ? SL_VIEW_RUNNING : SL_VIEW_DEGRADED));
        CHECK(!status.unsettled);
        CHECK_U64(status.position, cases[i].skipped ? 2 : 1);
        CHECK_U64(times_told, cases[i].times);
        CHECK(cases[i].told ? degraded_told && strcmp(degraded_told, cases[i].told) == 0
                            : !degraded_told);
        sl_view_unwatch(bench.table, &watch);
        bench_end(&bench);
    }
}

/* ---- Rows that are elsewhere ----------------------------------------------------------------- */

static void waits_for_rows_and_tries_again(void)
{
    struct bench bench;

    REQUIRE(begin(&bench, 3));
    CHECK(happen(&bench, "put 1 a; put 2 b") == SL_VIEW_APPLIED);
    REQUIRE(restart(&bench));
    const struct script script = {SL_TEXT("edit 1 x; edit 2 y; maybe 9 z")};
    const struct sl_event event = {.type = &happened, .body = &script, .position = 1};
    /* All three are asked for at once; nothing is applied meanwhile. */
    CHECK(sl_view_project(bench.table, &event) == SL_VIEW_WAITS);
    CHECK_U64(sl_view_table_status(bench.table).position, 1);
    CHECK(sl_view_project(bench.table, &event) == SL_VIEW_WAITS);
    const unsigned moved = bench.moved;
    bench_run(&bench);
    CHECK_U64(bench.moved, moved + 3);
    CHECK(sl_view_project(bench.table, &event) == SL_VIEW_APPLIED);
    CHECK_STRING(see(&bench, "1"), ROW(1, "x"));
    CHECK_STRING(see(&bench, "2"), ROW(2, "y"));
    /* That 9 is absent is known now. */
    struct sl_view_row row;
    CHECK(sl_view_lookup(bench.table, SL_TEXT("9"), &row) == SL_LOOKUP_ABSENT);
    CHECK(sl_view_lookup(bench.table, SL_TEXT("8"), &row) == SL_LOOKUP_PENDING);
    bench_end(&bench);
}

/* Who writes a row while a reader looks for it is right, also when it was flushed meanwhile. */
static void an_old_answer_covers_nothing(void)
{
    static const char *const writes[] = {"put 1 new", "delete 1", "put 1 new; delete 1"};
    static const char *const rows[] = {ROW(1, "new"), "-", "-"};

    for (uint64_t seed = 1; seed <= 40; seed++) {
        for (size_t i = 0; i < 3; i++) {
            struct bench bench;

            bench_begin(&bench, seed, &things);
            bench.memory_max = 1; /* what may be evicted, is */
            REQUIRE(bench_open(&bench));
            bench_run(&bench);
            CHECK(happen(&bench, "put 1 old; put 2 b") == SL_VIEW_APPLIED);
            REQUIRE(restart(&bench));
            CHECK(sl_view_fetch(bench.table, SL_TEXT("1")) == SL_OK);
            for (uint64_t steps = sl_sim_random(bench.env, 4); steps > 0; steps--)
                (void)bench_step(&bench);
            CHECK(happen(&bench, writes[i]) == SL_VIEW_APPLIED);
            sl_view_hurry(bench.table);
            for (uint64_t steps = sl_sim_random(bench.env, 12); steps > 0; steps--)
                (void)bench_step(&bench);
            CHECK_STRING(see(&bench, "1"), rows[i]);
            bench_settle(&bench);
            CHECK_STRING(see(&bench, "1"), rows[i]);
            bench_end(&bench);
        }
    }
}

/* Rows of events that are still to come are fetched, and nothing else happens. */
static void rows_are_fetched_ahead(void)
{
    struct bench bench;

    REQUIRE(begin(&bench, 13));
    CHECK(happen(&bench, "put 1 a; put 2 b") == SL_VIEW_APPLIED);
    REQUIRE(restart(&bench));
    const struct script scripts[] = {{SL_TEXT("edit 1 x")}, {SL_TEXT("edit 2 y; put 3 c; fail")}};
    const struct sl_event first = {.type = &happened, .body = &scripts[0], .position = 1};
    const struct sl_event second = {.type = &happened, .body = &scripts[1], .position = 2};
    CHECK(sl_view_project(bench.table, &first) == SL_VIEW_WAITS);
    const uint64_t ahead = sl_mark_count("view: fetched ahead");
    sl_view_foresee(bench.table, &second);
    CHECK_U64(sl_mark_count("view: fetched ahead"), ahead + 1);
    bench_run(&bench);
    /* The row is there now: it is looked at once more, and left as it is. */
    sl_view_foresee(bench.table, &second);
    CHECK_U64(sl_mark_count("view: fetched ahead"), ahead + 1);
    struct sl_view_status status = sl_view_table_status(bench.table);
    CHECK(status.state == SL_VIEW_RUNNING && status.rows_dirty == 0);
    CHECK_U64(status.position, 1);
    CHECK_U64(status.rows_in_memory, 2);
    CHECK_STRING(see(&bench, "2"), ROW(2, "b"));
    CHECK(sl_view_project(bench.table, &first) == SL_VIEW_APPLIED);
    CHECK(sl_view_project(bench.table, &second) == SL_VIEW_STUCK);
    CHECK(sl_view_retry(bench.table));
    CHECK(happen(&bench, "edit 2 z") == SL_VIEW_APPLIED);
    CHECK_STRING(see(&bench, "1"), ROW(1, "x"));
    CHECK_STRING(see(&bench, "2"), ROW(2, "z"));
    CHECK_STRING(see(&bench, "3"), "-");
    bench_end(&bench);
}

/* A removed row is a stone until the store knows; then nothing of it is left. */
static void what_is_removed_takes_no_memory(void)
{
    struct bench bench;

    REQUIRE(begin(&bench, 12));
    CHECK(happen(&bench, "put 1 a; put 2 b; put 3 c") == SL_VIEW_APPLIED);
    bench_settle(&bench);
    CHECK(happen(&bench, "delete 1; delete 2; delete 3; delete 4") == SL_VIEW_APPLIED);
    CHECK_U64(sl_view_table_status(bench.table).rows_dirty, 3);
    CHECK_STRING(see(&bench, "1"), "-");
    bench_settle(&bench);
    CHECK_U64(sl_view_table_status(bench.table).rows_in_memory, 0);
    CHECK_U64(sl_view_table_status(bench.table).bytes, 0);
    CHECK_STRING(see(&bench, "1"), "-");
    bench_end(&bench);
}

static void keys_are_written_one_way(void)
{
    static const char *const keys[] = {"01", "+1", " 1", "1 ", "0x1", "", "1,1", "%31"};
    struct bench bench;

    REQUIRE(begin(&bench, 3));
    CHECK(happen(&bench, "put 1 a") == SL_VIEW_APPLIED);
    REQUIRE(restart(&bench));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *seen = see(&bench, keys[i]);
        CHECK(strcmp(seen, "-") == 0 || (keys[i][0] == '\0' && strcmp(seen, "?") == 0));
    }
    CHECK_STRING(see(&bench, "1"), ROW(1, "a"));
    bench_end(&bench);
}

static void fetches_are_bounded(void)
{
    enum sl_err err = SL_OK;
    struct bench bench;
    unsigned count = 0;

    REQUIRE(begin(&bench, 3));
    CHECK(happen(&bench, "put 1 a") == SL_VIEW_APPLIED);
    REQUIRE(restart(&bench));
    while (err == SL_OK && count < 5000) {
        char key[24];
        snprintf(key, sizeof key, "%u", 1000 + count);
        err = sl_view_fetch(bench.table, (struct sl_text){key, strlen(key)});
        count += err == SL_OK;
    }
    CHECK(err == SL_BUSY);
    CHECK_U64(count, 1024);
    bench_run(&bench);
    CHECK_STRING(see(&bench, "1"), ROW(1, "a"));
    bench_end(&bench);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static void lists_what_is_stored(void)
{
    const struct sl_list_query all = {.index = -1, .limit = 10};
    struct bench bench;

    REQUIRE(begin(&bench, 4));
    CHECK_STRING(bench_list(&bench, all), "0 {\"rows\":[]}");
    CHECK(happen(&bench, "put 2 apple; put 1 pear") == SL_VIEW_APPLIED);
    CHECK_STRING(bench_list(&bench, all), "0 {\"rows\":[]}");
    sl_view_hurry(bench.table);
    CHECK(sl_view_table_deadline(bench.table) <= sl_env_monotonic(bench.env));
    bench_run(&bench);
    CHECK_U64(sl_view_table_status(bench.table).stored, 1);
    CHECK_STRING(bench_list(&bench, all), "1 {\"rows\":[" ROW(1, "pear") "," ROW(2, "apple") "]}");
    CHECK_STRING(bench_list(&bench, (struct sl_list_query){.index = 0, .limit = 10}),
                 "1 {\"rows\":[" ROW(2, "apple") "," ROW(1, "pear") "]}");
    CHECK_STRING(bench_list(&bench, (struct sl_list_query){.search = SL_TEXT("pea*"), .limit = 9}),
                 "1 {\"rows\":[" ROW(1, "pear") "]}");
    CHECK_STRING(bench_list(&bench, (struct sl_list_query){.index = 5, .limit = 10}), "invalid");
    const char *first = bench_list(&bench, (struct sl_list_query){.index = -1, .limit = 1});
    CHECK(strncmp(first, "1 {\"rows\":[" ROW(1, "pear") "],\"next\":\"",
                  strlen("1 {\"rows\":[" ROW(1, "pear") "],\"next\":\"")) == 0);
    bench_end(&bench);
}

static void hurry_reaches_the_latest(void)
{
    struct bench bench;

    REQUIRE(begin(&bench, 5));
    CHECK(happen(&bench, "put 1 a") == SL_VIEW_APPLIED);
    sl_view_hurry(bench.table);
    sl_view_table_turn(bench.table, sl_env_monotonic(bench.env));
    /* The flush is under way; what comes now needs another one. */
    CHECK(happen(&bench, "put 2 b") == SL_VIEW_APPLIED);
    sl_view_hurry(bench.table);
    bench_run(&bench); /* without any time passing */
    CHECK_U64(sl_view_table_status(bench.table).stored, 2);
    sl_view_advance(bench.table, 7);
    bench_run(&bench);
    CHECK_U64(sl_view_table_status(bench.table).stored, 2);
    sl_view_hurry(bench.table);
    bench_run(&bench);
    CHECK_U64(sl_view_table_status(bench.table).stored, 7);
    CHECK(sl_view_table_deadline(bench.table) == INT64_MAX);
    bench_end(&bench);
}

/* ---- Watches --------------------------------------------------------------------------------- */

struct listener {
    struct sl_view_watch watch;
    struct sl_view_table *table;
    struct sl_view_watch *drop; /* taken away when this one hears something */
    char heard[200];
};

static void hear(struct sl_view_watch *watch, struct sl_text key, const struct sl_view_row *row,
                 uint64_t position)
{
    struct listener *listener = (struct listener *)watch;
    const size_t len = strlen(listener->heard);

    snprintf(listener->heard + len, sizeof listener->heard - len, "%.*s%c%llu ", (int)key.len,
             key.ptr, row->row ? '=' : '!', (unsigned long long)position);
    if (listener->drop)
        sl_view_unwatch(listener->table, listener->drop);
    listener->drop = NULL;
}

static void watches_hear_in_order(void)
{
    struct bench bench;
    struct listener all = {.watch = {.changed = hear}};
    struct listener one = {.watch = {.changed = hear, .key = SL_TEXT("1")}};
    struct listener also = one, none = {.watch = {.changed = hear, .key = SL_TEXT("7")}};

    REQUIRE(begin(&bench, 6));
    sl_view_watch(bench.table, &all.watch);
    sl_view_watch(bench.table, &one.watch);
    sl_view_watch(bench.table, &also.watch);
    sl_view_watch(bench.table, &none.watch);
    CHECK(happen(&bench, "put 1 a; put 2 b") == SL_VIEW_APPLIED);
    CHECK(happen(&bench, "edit 1 c") == SL_VIEW_APPLIED);
    CHECK(happen(&bench, "fail") == SL_VIEW_STUCK);
    CHECK_STRING(all.heard, "1=1 2=1 1=2 ");
    CHECK_STRING(one.heard, "1=1 1=2 ");
    CHECK_STRING(also.heard, "1=1 1=2 ");
    CHECK_STRING(none.heard, "");
    sl_view_unwatch(bench.table, &none.watch);
    REQUIRE(restart(&bench));
    bench_end(&bench);
}

static void a_watch_may_end_any_watch(void)
{
    for (unsigned which = 0; which < 3; which++) {
        struct bench bench;
        struct listener listeners[3] = {{.watch = {.changed = hear, .key = SL_TEXT("1")}}};

        REQUIRE(begin(&bench, 7));
        listeners[1] = listeners[2] = listeners[0];
        for (unsigned i = 0; i < 3; i++) {
            listeners[i].table = bench.table;
            sl_view_watch(bench.table, &listeners[i].watch);
        }
        /* The last one to watch hears first. */
        listeners[2].drop = &listeners[which].watch;
        CHECK(happen(&bench, "put 1 a; put 2 b") == SL_VIEW_APPLIED);
        CHECK(happen(&bench, "delete 1") == SL_VIEW_APPLIED);
        for (unsigned i = 0; i < 3; i++)
            CHECK_STRING(listeners[i].heard, i != which ? "1=1 1!2 " : which == 2 ? "1=1 " : "");
        bench_end(&bench);
    }
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void a_failing_store_is_tried_again(void)
{
    struct bench bench;

    REQUIRE(begin(&bench, 8));
    CHECK(happen(&bench, "put 1 a; put 2 b") == SL_VIEW_APPLIED);
    sl_view_store_fail_at(&bench.fault, 1, SL_IO);
    sl_view_hurry(bench.table);
    bench_run(&bench);
    struct sl_view_status status = sl_view_table_status(bench.table);
    CHECK(status.state == SL_VIEW_FAILED);
    CHECK(strstr(status.why, "the test wants a failure") != NULL);
    CHECK_U64(status.rows_dirty, 2);
    /* Memory goes on answering; events wait. */
    CHECK_STRING(see(&bench, "1"), ROW(1, "a"));
    CHECK(happen(&bench, "put 1 x") == SL_VIEW_STUCK);
    bench_settle(&bench);
    status = sl_view_table_status(bench.table);
    CHECK(status.state == SL_VIEW_RUNNING);
    CHECK_U64(status.stored, 1);
    CHECK_U64(status.rows_dirty, 0);
    CHECK(happen(&bench, "put 1 x") == SL_VIEW_APPLIED);
    bench_end(&bench);
}

/* Each call in turn fails, and later works: nothing is lost, and nothing wrong is ever seen. */
static void every_call_may_fail_once(void)
{
    for (uint64_t nth = 1; nth <= 30; nth++) {
        struct bench bench;

        REQUIRE(begin(&bench, nth));
        CHECK(happen(&bench, "put 1 a; put 2 b") == SL_VIEW_APPLIED);
        bench_close(&bench);
        sl_view_store_fail_at(&bench.fault, nth, nth % 2 ? SL_IO : SL_NO_MEMORY);
        REQUIRE(bench_open(&bench));
        bench_settle(&bench);
        for (unsigned round = 0; round < 12; round++) {
            static const char *const events[] = {"edit 1 x; put 3 c", "delete 2", "maybe 9 y",
                                                 "edit 1 z"};
            while (sl_view_table_status(bench.table).position < 5) {
                const uint64_t at = sl_view_table_status(bench.table).position;
                if (at == 0 || happen(&bench, events[at - 1]) != SL_VIEW_APPLIED)
                    break;
                sl_view_hurry(bench.table);
            }
            bench_settle(&bench);
        }
        const struct sl_view_status status = sl_view_table_status(bench.table);
        CHECK(status.state == SL_VIEW_RUNNING);
        CHECK_U64(status.position, 5);
        CHECK_U64(status.stored, 5);
        CHECK_STRING(see(&bench, "1"), ROW(1, "z"));
        CHECK_STRING(see(&bench, "2"), "-");
        CHECK_STRING(see(&bench, "3"), ROW(3, "c"));
        bench_end(&bench);
    }
}

/* P7: whoever finds the damage, writer or reader, the view is built anew from the log. */
static void damage_starts_the_view_over(void)
{
    for (unsigned who = 0; who < 3; who++) {
        struct bench bench;

        REQUIRE(begin(&bench, 9 + who));
        CHECK(happen(&bench, "put 1 a; put 2 b") == SL_VIEW_APPLIED);
        REQUIRE(restart(&bench));
        sl_view_store_fail_at(&bench.fault, 2, SL_CORRUPT); /* the one after the reader's begin */
        if (who == 0)
            (void)bench_list(&bench, (struct sl_list_query){.index = -1, .limit = 5});
        else if (who == 1)
            CHECK(sl_view_fetch(bench.table, SL_TEXT("1")) == SL_OK);
        else {
            sl_view_store_fail_at(&bench.fault, 1, SL_CORRUPT);
            CHECK(happen(&bench, "put 3 c") == SL_VIEW_APPLIED);
        }
        bench_settle(&bench);
        const struct sl_view_status status = sl_view_table_status(bench.table);
        CHECK(status.state == SL_VIEW_RUNNING);
        CHECK_U64(status.position, 0);
        CHECK_U64(status.generation, 1); /* the damaged file's count is lost with it */
        CHECK_STRING(see(&bench, "1"), "-");
        CHECK(happen(&bench, "put 1 again") == SL_VIEW_APPLIED);
        sl_view_hurry(bench.table);
        bench_run(&bench);
        CHECK_STRING(bench_list(&bench, (struct sl_list_query){.index = -1, .limit = 5}),
                     "1 {\"rows\":[" ROW(1, "again") "]}");
        bench_end(&bench);
    }
}

/* P9: a checkpoint of another log, or of a stretch of this one that was lost, is none. */
static void another_history_starts_the_view_over(void)
{
    for (unsigned how = 0; how < 3; how++) {
        struct bench bench;

        REQUIRE(begin(&bench, 10));
        CHECK(happen(&bench, "put 1 a") == SL_VIEW_APPLIED);
        CHECK(happen(&bench, "put 2 b") == SL_VIEW_APPLIED);
        bench_close(&bench);
        if (how == 0)
            bench.log.bytes[5] = 1;
        else if (how == 1)
            bench.known = 1;
        else
            bench.salt = 4;
        REQUIRE(bench_open(&bench));
        bench_run(&bench);
        const struct sl_view_status status = sl_view_table_status(bench.table);
        CHECK(status.state == SL_VIEW_RUNNING);
        CHECK_U64(status.position, 0);
        CHECK_U64(status.generation, 2);
        CHECK_STRING(see(&bench, "1"), "-");
        bench_end(&bench);
    }
}

/* M1: rows that only the writer can free hold events back, and only until it has caught up. */
static void waits_for_its_writer(void)
{
    struct bench bench;
    bool waited = false;

    bench_begin(&bench, 11, &things);
    bench.memory_max = 4000;
    REQUIRE(bench_open(&bench));
    bench_run(&bench);
    for (unsigned i = 0; i < 200; i++) {
        char text[64];
        snprintf(text, sizeof text, "put %u word", i);
        const struct script script = {{text, strlen(text)}};
        const struct sl_event event = {.type = &happened, .body = &script, .position = i};
        waited |= sl_view_project(bench.table, &event) == SL_VIEW_WAITS;
        CHECK(bench_project(&bench, &event) == SL_VIEW_APPLIED);
        CHECK(sl_view_table_status(bench.table).bytes < 8000);
    }
    CHECK(waited);
    bench_settle(&bench);
    CHECK(sl_view_table_status(bench.table).rows_in_memory < 200);
    CHECK_STRING(see(&bench, "0"), ROW(0, "word"));
    CHECK_STRING(see(&bench, "199"), ROW(199, "word"));
    bench_end(&bench);
}

/* Whoever waits for a list when the service closes is told, and what is dirty is stored. */
static void told(struct sl_view_listing *list)
{
    list->message.kind = 1;
}

static void closing_loses_nothing(void)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct sl_view_listing list = {.query = {.index = -1, .limit = 5}, .done = told};
        struct sl_message other = {.kind = 77};
        struct bench bench;

        REQUIRE(begin(&bench, seed));
        CHECK(happen(&bench, "put 1 a") == SL_VIEW_APPLIED);
        sl_view_hurry(bench.table);
        sl_view_list(bench.table, &list);
        sl_mailbox_post(bench.engine, &other);
        for (uint64_t steps = sl_sim_random(bench.env, 5); steps > 0; steps--)
            (void)sl_sim_step(bench.env);
        sl_view_table_turn(bench.table, sl_env_monotonic(bench.env));
        CHECK(happen(&bench, "put 2 b") == SL_VIEW_APPLIED);
        sl_view_service_close(bench.service);
        bench.service = NULL;
        CHECK_U64(list.message.kind, 1);
        sl_buf_close(&list.json);
        CHECK(sl_mailbox_take_all(bench.engine) == &other);
        CHECK_U64(sl_view_table_status(bench.table).stored, 2);
        struct sl_view_row row;
        CHECK(sl_view_lookup(bench.table, SL_TEXT("2"), &row) == SL_LOOKUP_FOUND);
        REQUIRE(restart(&bench));
        CHECK_STRING(see(&bench, "2"), ROW(2, "b"));
        bench_end(&bench);
    }
}

/* Nobody need ask for anything. */
static void what_is_over_the_ceiling_goes(void)
{
    struct bench bench;
    char what[64];

    bench_begin(&bench, 50, &things);
    bench.memory_max = 20000;
    REQUIRE(CHECK(bench_open(&bench)));
    bench_run(&bench);
    for (unsigned i = 0; sl_view_table_status(bench.table).bytes < 25000; i++) {
        snprintf(what, sizeof what, "put %u some-words-that-take-room-of-their-own", i);
        CHECK(happen(&bench, what) == SL_VIEW_APPLIED);
    }
    bench_settle(&bench);
    CHECK(sl_view_table_status(bench.table).bytes <= 20000);
    CHECK_STRING(see(&bench, "7"), ROW(7, "some-words-that-take-room-of-their-own"));
    bench_end(&bench);
}

int main(void)
{
    memset(big, 'x', sizeof big);
    return TAP_RUN(
        {"changes of one event see each other", changes_within_an_event},
        {"an event fails whole, and degrades the view", an_event_fails_whole},
        {"rows are fetched ahead", rows_are_fetched_ahead},
        {"a view stands untold until it is settled", stands_untold_until_settled},
        {"an event waits for rows", waits_for_rows_and_tries_again},
        {"an old answer covers nothing", an_old_answer_covers_nothing},
        {"what is removed takes no memory", what_is_removed_takes_no_memory},
        {"keys are written in one way", keys_are_written_one_way},
        {"M1: fetches are bounded", fetches_are_bounded},
        {"lists show what is stored", lists_what_is_stored},
        {"hurry reaches the latest", hurry_reaches_the_latest},
        {"watches hear in order", watches_hear_in_order},
        {"a watch may end any watch", a_watch_may_end_any_watch},
        {"a failing store is tried again", a_failing_store_is_tried_again},
        {"every call may fail once", every_call_may_fail_once},
        {"P7: damage starts the view over", damage_starts_the_view_over},
        {"P9: another history starts the view over", another_history_starts_the_view_over},
        {"M1: events wait for the writer", waits_for_its_writer},
        {"closing loses nothing", closing_loses_nothing},
                   {"what is over the ceiling goes when it is stored",
                    what_is_over_the_ceiling_goes});
}
