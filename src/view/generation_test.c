/* A view that is rebuilt: what readers see meanwhile and afterwards, and what the disk keeps. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tap/tap.h"
#include "view/bench.h"

enum { EVENTS = 1500 };

struct rig {
    struct bench bench;
    struct sl_view_table *beside;
    struct stock_model model; /* of the events up to `position` */
    uint64_t seed;
    uint64_t position; /* the log's end */
    uint64_t resyncs;
    struct sl_view_watch watch;
};

static void count_moved(void *context)
{
    ((struct bench *)context)->moved++;
}

static void resynced(struct sl_view_watch *watch, uint64_t position)
{
    struct rig *rig = (struct rig *)(void *)((char *)watch - offsetof(struct rig, watch));

    CHECK_U64(position, sl_view_table_status(rig->bench.table).position);
    rig->resyncs++;
}

static void changed(struct sl_view_watch *watch, struct sl_text key, const struct sl_view_row *row,
                    uint64_t position)
{
    (void)watch, (void)key, (void)row, (void)position;
}

/* The table gets all events from where it is to the log's end. False: the power is out. */
static bool catch_up(struct rig *rig, struct sl_view_table *table)
{
    struct sl_view_table *own = rig->bench.table;
    bool good = true;

    rig->bench.table = table; /* whom bench_project feeds */
    while (good && sl_view_table_status(table).position < rig->position) {
        struct stock_event body;
        struct sl_event event;
        stock_event_at(rig->seed, sl_view_table_status(table).position, &event, &body);
        good = bench_project(&rig->bench, &event) == SL_VIEW_APPLIED;
    }
    rig->bench.table = own;
    return good;
}

/* The log grows, and the view with it. */
static bool grow(struct rig *rig, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        stock_model_apply(&rig->model, rig->seed, rig->position++);
    return catch_up(rig, rig->bench.table);
}

static bool begin(struct rig *rig, uint64_t seed, size_t memory_max, uint64_t events)
{
    *rig = (struct rig){.seed = seed};
    bench_begin(&rig->bench, seed, &stock_view);
    rig->bench.memory_max = memory_max;
    if (!CHECK(bench_open(&rig->bench)))
        return false;
    bench_run(&rig->bench);
    rig->watch = (struct sl_view_watch){.changed = changed, .resync = resynced};
    sl_view_watch(rig->bench.table, &rig->watch);
    return CHECK(grow(rig, events));
}

static bool open_beside(struct rig *rig)
{
    return sl_view_beside_open(rig->bench.table, count_moved, &rig->bench, &rig->beside,
                               &rig->bench.error) == SL_OK;
}

/* Steps of the world, the one beside included; false: nobody has anything to do. */
static bool step(struct rig *rig)
{
    const int64_t now = sl_env_monotonic(rig->bench.env);

    if (bench_step(&rig->bench))
        return true;
    if (sl_view_table_deadline(rig->beside) > now)
        return false;
    sl_view_table_turn(rig->beside, now);
    return true;
}

/* Goes on with the exchange until it is over or the power fails. */
static enum sl_view_beside swap(struct rig *rig)
{
    const char *why = NULL;

    for (unsigned i = 0; i < 1000000 && !sl_sim_power_is_out(rig->bench.env); i++) {
        const enum sl_view_beside state = sl_view_beside_swap(rig->beside, &why);
        if (state == SL_VIEW_DONE || state == SL_VIEW_GAVE_UP)
            return state;
        if (!step(rig))
            sl_sim_advance(rig->bench.env, 1000000);
    }
    return SL_VIEW_PENDING;
}

static bool end_beside(struct rig *rig)
{
    for (unsigned i = 0; i < 1000000; i++) {
        if (sl_view_beside_end(rig->beside) == SL_VIEW_DONE) {
            rig->beside = NULL;
            return true;
        }
        (void)step(rig);
    }
    return false;
}

static void end(struct rig *rig)
{
    sl_view_service_close(rig->bench.service);
    rig->bench.service = NULL;
    if (rig->beside)
        sl_view_table_close(rig->beside);
    bench_end(&rig->bench);
}

struct asked {
    struct sl_view_digest digest;
    bool done;
};

static void digest_done(struct sl_view_digest *digest)
{
    ((struct asked *)(void *)digest)->done = true;
}

/* Of what is stored, which is brought up to the log's end first. */
static bool digest_of(struct rig *rig, struct asked *out)
{
    sl_view_hurry(rig->bench.table);
    bench_settle(&rig->bench);
    *out = (struct asked){.digest.done = digest_done};
    if (!CHECK(sl_view_digest(rig->bench.table, &out->digest, &rig->bench.error) == SL_OK))
        return false;
    while (!out->done && bench_step(&rig->bench)) {
    }
    return CHECK(out->done) && CHECK(out->digest.err == SL_OK);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

/* V2, with rows that leave memory and are fetched again, and without. */
static void the_rebuilt_view_is_the_same(void)
{
    static const size_t memories[] = {0, 20000};

    for (size_t i = 0; i < 2; i++) {
        struct asked before, after;
        struct rig rig;

        REQUIRE(begin(&rig, 10 + i, memories[i], EVENTS));
        REQUIRE(digest_of(&rig, &before));
        CHECK_U64(before.digest.position, EVENTS);
        CHECK(before.digest.rows > 100);
        REQUIRE(open_beside(&rig));
        struct sl_view_table *second = NULL;
        CHECK(sl_view_beside_open(rig.bench.table, count_moved, &rig.bench, &second,
                                  &rig.bench.error) == SL_BUSY);
        while (step(&rig)) {
        }
        REQUIRE(catch_up(&rig, rig.beside));
        REQUIRE(grow(&rig, 100) && catch_up(&rig, rig.beside));
        CHECK_U64(rig.resyncs, 0);
        REQUIRE(swap(&rig) == SL_VIEW_DONE);
        CHECK_U64(rig.resyncs, 1);
        const struct sl_view_status status = sl_view_table_status(rig.bench.table);
        CHECK_U64(status.generation, 2);
        CHECK_U64(status.position, EVENTS + 100);
        CHECK(status.stored >= EVENTS);
        REQUIRE(end_beside(&rig));
        CHECK_U64(stock_differences(&rig.bench, &rig.model), 0);
        REQUIRE(digest_of(&rig, &before));
        /* Once more, from where it is. */
        REQUIRE(open_beside(&rig));
        while (step(&rig)) {
        }
        REQUIRE(catch_up(&rig, rig.beside) && swap(&rig) == SL_VIEW_DONE && end_beside(&rig));
        REQUIRE(digest_of(&rig, &after));
        CHECK_U64(after.digest.sum, before.digest.sum);
        CHECK_U64(after.digest.rows, before.digest.rows);
        CHECK_U64(after.digest.position, before.digest.position);
        CHECK(before.digest.position == EVENTS + 100);
        REQUIRE(grow(&rig, 1));
        end(&rig);
    }
}

static void a_digest_notices_a_row(void)
{
    struct asked before, after;
    struct rig rig;

    REQUIRE(begin(&rig, 30, 0, EVENTS) && digest_of(&rig, &before));
    REQUIRE(grow(&rig, 20) && digest_of(&rig, &after));
    CHECK(before.digest.sum != after.digest.sum);
    end(&rig);
}

struct listing {
    struct sl_view_listing list;
    bool done;
};

static void list_done(struct sl_view_listing *list)
{
    ((struct listing *)(void *)list)->done = true;
}

/* A list that was asked before the exchange is answered from the old file, whenever it comes. */
static void a_list_under_way_keeps_its_file(void)
{
    struct listing listing = {.list.query = {.index = -1, .limit = 1000}, .list.done = list_done};
    const char *why = NULL;
    struct rig rig;

    REQUIRE(begin(&rig, 40, 0, EVENTS));
    sl_view_hurry(rig.bench.table);
    bench_settle(&rig.bench);
    REQUIRE(open_beside(&rig));
    while (step(&rig)) {
    }
    REQUIRE(catch_up(&rig, rig.beside) && grow(&rig, 50) && catch_up(&rig, rig.beside));
    const uint64_t stored = sl_view_table_status(rig.bench.table).stored;
    sl_view_list(rig.bench.table, &listing.list);
    /* The exchange, while the readers are kept from doing anything but what the writer waits for
     * is not to be had in this world: the list may be answered before or after it. */
    while (sl_view_beside_swap(rig.beside, &why) != SL_VIEW_DONE)
        (void)step(&rig);
    REQUIRE(end_beside(&rig));
    CHECK(listing.done);
    CHECK(listing.list.err == SL_OK);
    CHECK(listing.list.position >= stored);
    sl_buf_close(&listing.list.json);
    end(&rig);
}

/* What was given up leaves the view as it was, and can be begun again. */
static void a_rebuild_may_be_given_up(void)
{
    struct rig rig;

    REQUIRE(begin(&rig, 50, 0, EVENTS));
    for (int i = 0; i < 3; i++) {
        REQUIRE(open_beside(&rig));
        for (int n = 0; n < i * 5; n++)
            (void)step(&rig);
        REQUIRE(end_beside(&rig));
        CHECK_U64(sl_view_table_status(rig.bench.table).generation, 1);
    }
    CHECK_U64(stock_differences(&rig.bench, &rig.model), 0);
    REQUIRE(open_beside(&rig));
    while (step(&rig)) {
    }
    REQUIRE(catch_up(&rig, rig.beside) && swap(&rig) == SL_VIEW_DONE && end_beside(&rig));
    CHECK_U64(stock_differences(&rig.bench, &rig.model), 0);
    end(&rig);
}

/* Each call of the store fails in turn: the exchange is given up or done, the rows are right. */
static void each_call_of_the_store_may_fail(void)
{
    unsigned gave_up = 0, done = 0;

    for (uint64_t nth = 1; nth <= 12; nth++) {
        struct rig rig;

        REQUIRE(begin(&rig, 60 + nth, 0, 200));
        REQUIRE(open_beside(&rig));
        sl_view_store_fail_at(&rig.bench.fault, nth, SL_IO);
        for (int i = 0; i < 1000 && !sl_view_table_status(rig.beside).attached; i++)
            if (!step(&rig))
                sl_sim_advance(rig.bench.env, 100000000);
        enum sl_view_beside state = SL_VIEW_PENDING;
        for (int i = 0; i < 200 && state == SL_VIEW_PENDING; i++) {
            if (!catch_up(&rig, rig.beside) || !catch_up(&rig, rig.bench.table)) {
                for (int n = 0; n < 1000 && step(&rig); n++) {
                }
                sl_sim_advance(rig.bench.env, 500000000);
                continue;
            }
            state = swap(&rig);
        }
        sl_view_store_fail_at(&rig.bench.fault, 0, SL_OK);
        gave_up += state == SL_VIEW_GAVE_UP;
        done += state == SL_VIEW_DONE;
        if (!CHECK(state == SL_VIEW_GAVE_UP || state == SL_VIEW_DONE))
            tap_note("at %" PRIu64, nth);
        REQUIRE(end_beside(&rig));
        bench_settle(&rig.bench);
        CHECK_U64(sl_view_table_status(rig.bench.table).generation, state == SL_VIEW_DONE ? 2 : 1);
        CHECK_U64(stock_differences(&rig.bench, &rig.model), 0);
        end(&rig);
    }
    CHECK(gave_up > 0 && done > 0);
}

/* The power fails at each call of the disk: afterwards the view is one build, whole, at a position
 * that the log makes up for, and what was half built is gone. */
static void power_may_fail_anywhere(void)
{
    unsigned old = 0, new = 0;

    for (uint64_t nth = 1; nth <= TAP_TIMES(80, 20); nth++) {
        struct rig rig;

        REQUIRE(begin(&rig, 100 + nth, 0, 40));
        sl_view_hurry(rig.bench.table);
        bench_settle(&rig.bench);
        sl_sim_power_loss_at(rig.bench.env, TAP_TIMES(nth * 2, nth * 8));
        enum sl_view_beside state = SL_VIEW_PENDING;
        if (open_beside(&rig)) {
            while (step(&rig)) {
            }
            if (catch_up(&rig, rig.beside) && swap(&rig) == SL_VIEW_DONE) {
                state = SL_VIEW_DONE;
                for (int i = 0; i < 100 && rig.beside && !sl_sim_power_is_out(rig.bench.env); i++) {
                    if (sl_view_beside_end(rig.beside) == SL_VIEW_DONE)
                        rig.beside = NULL;
                    else
                        (void)step(&rig);
                }
            }
        }
        sl_sim_power_loss(rig.bench.env);
        sl_view_service_close(rig.bench.service);
        rig.bench.service = NULL;
        if (rig.beside)
            sl_view_table_close(rig.beside);
        rig.beside = NULL;
        bench_close(&rig.bench);
        sl_mailbox_free(rig.bench.engine);
        SL_ASSERT(sl_mailbox_new(NULL, NULL, &rig.bench.engine) == SL_OK);
        REQUIRE(bench_open(&rig.bench));
        bench_run(&rig.bench);
        const struct sl_view_status status = sl_view_table_status(rig.bench.table);
        if (!CHECK(status.state == SL_VIEW_RUNNING) ||
            !CHECK(status.generation == 2 || (status.generation == 1 && state != SL_VIEW_DONE)))
            tap_note("at %" PRIu64 ": generation %" PRIu64, nth, status.generation);
        /* The old build was perhaps not synced yet; the new one was, before it began to serve. */
        if (!CHECK(status.generation == 1 || status.position == 40))
            tap_note("at %" PRIu64 ": generation %" PRIu64, nth, status.generation);
        REQUIRE(catch_up(&rig, rig.bench.table));
        CHECK_U64(stock_differences(&rig.bench, &rig.model), 0);
        old += status.generation == 1;
        new += status.generation == 2;
        end(&rig);
    }
    CHECK(old > 0 && new > 0);
}

int main(void)
{
    return TAP_RUN({"V2: the rebuilt view is the same", the_rebuilt_view_is_the_same},
                   {"a digest notices a row", a_digest_notices_a_row},
                   {"a list under way keeps its file", a_list_under_way_keeps_its_file},
                   {"a rebuild may be given up", a_rebuild_may_be_given_up},
                   {"each call of the store may fail", each_call_of_the_store_may_fail},
                   {"power may fail anywhere", power_may_fail_anywhere});
}
