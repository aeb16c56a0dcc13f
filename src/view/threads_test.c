/* A view on real threads and a real disk: what the thread sanitizer is for. */
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stores/sqlite/sqlite.h"
#include "tap/tap.h"
#include "view/bench.h"

enum { EVENTS = 20000, LISTS = 4 };

struct engine {
    struct sl_env *env;
    struct sl_mailbox *mailbox;
    struct sl_view_service *service;
    struct sl_view_table *table;
    const char *folder;
    const struct sl_view_store_ops *ops;
    uint32_t readers;
    struct asked {
        struct sl_view_listing list;
        bool busy;
        unsigned answers, wrong;
    } lists[LISTS];
};

static bool knows(void *context, uint64_t salt, uint64_t position)
{
    (void)context;
    (void)salt;
    (void)position;
    return true;
}

static void moved(void *context)
{
    (void)context;
}

static void list_done(struct sl_view_listing *list)
{
    struct asked *asked = (struct asked *)list;

    asked->busy = false;
    asked->answers++;
    asked->wrong += list->err != SL_OK || list->json.len == 0;
    sl_buf_close(&list->json);
}

static bool open_engine(struct engine *engine)
{
    const struct sl_view_service_options service = {.ops = engine->ops,
                                                    .store = {.location = engine->folder},
                                                    .engine = engine->mailbox,
                                                    .readers = engine->readers};
    const struct sl_view_table_options table = {.domain = "test",
                                                .view = &stock_view,
                                                .log = {{1}},
                                                .salt = 1,
                                                .knows = knows,
                                                .moved = moved,
                                                .memory_max = 60000,
                                                .flush_ms = 1};
    struct sl_error error = {0};

    if (CHECK(sl_view_service_open(engine->env, &service, &engine->service, &error) == SL_OK) &&
        CHECK(sl_view_table_open(engine->service, &table, &engine->table, &error) == SL_OK))
        return true;
    tap_note("%s", error.message);
    return false;
}

/* Takes mail, waiting for it if `wait`, and does what is due. */
static void turn(struct engine *engine, bool wait)
{
    const int64_t until = sl_env_monotonic(engine->env) + 1000000;
    struct sl_message *message =
        wait ? sl_mailbox_wait(engine->mailbox, until) : sl_mailbox_take_all(engine->mailbox);

    while (message) {
        struct sl_message *next = message->next;
        sl_view_service_step(engine->service, message);
        message = next;
    }
    const int64_t now = sl_env_monotonic(engine->env);
    if (sl_view_table_deadline(engine->table) <= now)
        sl_view_table_turn(engine->table, now);
}

static const struct sl_aggregate_item items[] = {{SL_AGGREGATE_COUNT, NULL}};
static const struct sl_aggregate_query counted = {
    .rows = {.index = 0, .limit = 1}, .aggregates = items, .count = 1, .rows_max = STOCK_KEYS};

static void ask(struct engine *engine, struct asked *asked, uint64_t position)
{
    if (asked->busy)
        return;
    asked->busy = true;
    asked->list = (struct sl_view_listing){.query = {.index = (int)(position % 2) - 1, .limit = 50},
                                           .aggregate = position % 3 == 0 ? &counted : NULL,
                                           .done = list_done};
    sl_view_list(engine->table, &asked->list);
}

static void live(struct engine *engine, struct stock_model *model, uint64_t from, uint64_t until)
{
    for (uint64_t position = from; position < until; position++) {
        struct sl_event event;
        struct stock_event body;

        stock_event_at(1, position, &event, &body);
        while (sl_view_project(engine->table, &event) == SL_VIEW_WAITS)
            turn(engine, true);
        stock_model_apply(model, 1, position);
        ask(engine, &engine->lists[position % LISTS], position);
        turn(engine, false);
    }
}

static unsigned differences(struct engine *engine, const struct stock_model *model)
{
    const struct bench bench = {.view = &stock_view};
    unsigned count = 0;

    for (uint64_t id = 0; id < STOCK_KEYS; id++) {
        char key[24];
        struct sl_view_row row;
        enum sl_lookup_result result;

        const int len = snprintf(key, sizeof key, "%" PRIu64, id);
        const struct sl_text text = {key, (size_t)len};
        while ((result = sl_view_lookup(engine->table, text, &row)) == SL_LOOKUP_PENDING) {
            if (sl_view_fetch(engine->table, text) != SL_OK)
                break;
            turn(engine, true);
        }
        count += !stock_row_is(&bench, model, id, result == SL_LOOKUP_FOUND ? row.row : NULL);
    }
    return count;
}

static void start_running(struct engine *engine)
{
    while (sl_view_table_status(engine->table).state == SL_VIEW_STARTING)
        turn(engine, true);
    CHECK(sl_view_table_status(engine->table).state == SL_VIEW_RUNNING);
}

static void remove_all(struct engine *engine)
{
    sl_mailbox_free(engine->mailbox);
    for (unsigned i = 0; i < 2; i++) {
        static const char *const names[] = {"test.stock.db", "lock"};
        char path[64];
        snprintf(path, sizeof path, "%s/%s", engine->folder, names[i]);
        CHECK(unlink(path) == 0);
    }
    CHECK(rmdir(engine->folder) == 0);
    sl_env_free(engine->env);
}

static void runs_on_threads(void)
{
    char folder[] = "/tmp/sluice-view-XXXXXX";
    static struct stock_model model;
    struct engine engine = {.folder = mkdtemp(folder), .ops = &sl_sqlite_view_store, .readers = 3};

    REQUIRE(engine.folder);
    REQUIRE(sl_env_posix_new(&engine.env, NULL) == SL_OK);
    REQUIRE(sl_mailbox_new(NULL, NULL, &engine.mailbox) == SL_OK);
    REQUIRE(open_engine(&engine));
    start_running(&engine);
    live(&engine, &model, 0, EVENTS);
    CHECK_U64(differences(&engine, &model), 0);
    sl_view_service_close(engine.service);
    sl_view_table_close(engine.table);
    for (unsigned i = 0; i < LISTS; i++) {
        CHECK(!engine.lists[i].busy);
        CHECK(engine.lists[i].answers > 0);
        CHECK_U64(engine.lists[i].wrong, 0);
    }
    REQUIRE(open_engine(&engine));
    start_running(&engine);
    CHECK_U64(sl_view_table_status(engine.table).position, EVENTS);
    CHECK_U64(differences(&engine, &model), 0);
    sl_view_service_close(engine.service);
    sl_view_table_close(engine.table);
    remove_all(&engine);
}

/* ---- A list that takes for ever ------------------------------------------------------------- */

static sem_t list_began, list_may_end;
static struct sl_view_store_ops slow;

static enum sl_err slow_open(struct sl_env *env, const struct sl_view_store_options *options,
                             struct sl_view_store **out, struct sl_error *error)
{
    const enum sl_err err = sl_sqlite_view_store.open(env, options, out, error);

    if (err == SL_OK)
        (*out)->ops = &slow;
    return err;
}

static enum sl_err slow_list(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                             const struct sl_list_query *query, struct sl_arena *arena,
                             struct sl_list_page *out, struct sl_error *error)
{
    sem_post(&list_began);
    while (sem_wait(&list_may_end) != 0)
        ;
    return sl_sqlite_view_store.list(reader, shape, query, arena, out, error);
}

/* Looks a row up that lies in the store alone; false: it has not come, however long one waits. */
static bool comes(struct engine *engine, struct sl_text key)
{
    enum { PATIENCE = 20000 };
    struct sl_view_row row;

    for (int i = 0; i < PATIENCE; i++) {
        if (sl_view_lookup(engine->table, key, &row) != SL_LOOKUP_PENDING)
            return true;
        if (sl_view_fetch(engine->table, key) != SL_OK)
            return false;
        turn(engine, true);
    }
    return false;
}

static void a_lookup_does_not_wait_for_a_list(void)
{
    char folder[] = "/tmp/sluice-view-XXXXXX";
    static struct stock_model model;
    struct engine engine = {.folder = mkdtemp(folder), .ops = &sl_sqlite_view_store, .readers = 1};
    unsigned fetched = 0;

    slow = sl_sqlite_view_store;
    slow.open = slow_open;
    slow.list = slow_list;
    REQUIRE(engine.folder && sem_init(&list_began, 0, 0) == 0 &&
            sem_init(&list_may_end, 0, 0) == 0);
    REQUIRE(sl_env_posix_new(&engine.env, NULL) == SL_OK);
    REQUIRE(sl_mailbox_new(NULL, NULL, &engine.mailbox) == SL_OK);
    REQUIRE(open_engine(&engine));
    start_running(&engine);
    for (uint64_t position = 0; position < 1000; position++) {
        struct sl_event event;
        struct stock_event body;
        stock_event_at(1, position, &event, &body);
        while (sl_view_project(engine.table, &event) == SL_VIEW_WAITS)
            turn(&engine, true);
        stock_model_apply(&model, 1, position);
    }
    sl_view_service_close(engine.service);
    sl_view_table_close(engine.table);

    engine.ops = &slow;
    REQUIRE(open_engine(&engine));
    start_running(&engine);
    ask(&engine, &engine.lists[0], 1);
    while (sem_wait(&list_began) != 0)
        ;
    for (uint64_t id = 0; id < 20; id++) {
        char key[24];
        const int len = snprintf(key, sizeof key, "%" PRIu64, id);
        fetched += CHECK(comes(&engine, (struct sl_text){key, (size_t)len}));
        if (fetched <= id)
            break;
    }
    CHECK(engine.lists[0].busy);
    CHECK_U64(fetched, 20);
    sem_post(&list_may_end);
    while (engine.lists[0].busy)
        turn(&engine, true);
    CHECK_U64(engine.lists[0].wrong, 0);
    CHECK_U64(differences(&engine, &model), 0);
    sl_view_service_close(engine.service);
    sl_view_table_close(engine.table);
    remove_all(&engine);
    sem_destroy(&list_began);
    sem_destroy(&list_may_end);
}

int main(void)
{
    return TAP_RUN({"a view runs on threads", runs_on_threads},
                   {"a lookup does not wait for a list", a_lookup_does_not_wait_for_a_list});
}
