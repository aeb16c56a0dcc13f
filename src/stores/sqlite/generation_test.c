/* Builds of a view beside one another: which serves, and what remains when the power fails. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env_sim.h"
#include "stores/sqlite/sqlite.h"
#include "tap/tap.h"

struct item {
    int64_t id;
    uint64_t made_by; /* the number of the build that wrote the row */
};

static const struct sl_record item_record =
    SL_RECORD(struct item, SL_FIELD(struct item, id), SL_FIELD(struct item, made_by));
static const struct sl_view items = {"items", &item_record, "id"};
static const struct sl_uuid log_id = {{3}};

enum { ROWS = 20, OLD_POSITION = 20, NEW_POSITION = 30 };

struct fixture {
    struct sl_env *env;
    struct sl_view_store *store;
    struct sl_view_reader *reader;
    struct sl_view_shape shapes[3]; /* the serving one, and others as a case wants them */
    struct sl_checkpoint checkpoint;
    struct sl_arena arena;
    struct sl_error error;
};

static void begin(struct fixture *f, uint64_t seed)
{
    *f = (struct fixture){0};
    SL_ASSERT(sl_env_sim_new(seed, &f->env) == SL_OK);
    for (size_t i = 0; i < sizeof f->shapes / sizeof *f->shapes; i++)
        CHECK(sl_view_shape_init(&f->shapes[i], "test", &items, &f->error) == SL_OK);
}

static void close_store(struct fixture *f)
{
    sl_view_reader_close(f->reader);
    sl_view_store_close(f->store);
    f->reader = NULL;
    f->store = NULL;
}

/* Opens the store and attaches the build that serves. */
static enum sl_err open_store(struct fixture *f)
{
    const struct sl_view_store_options options = {.location = "views"};

    f->error = (struct sl_error){0};
    enum sl_err err =
        sl_view_store_open(&sl_sqlite_view_store, f->env, &options, &f->store, &f->error);
    if (err == SL_OK)
        err = sl_view_store_serving(f->store, &f->shapes[0], &f->shapes[0].build, &f->error);
    if (err == SL_OK)
        err = sl_view_store_attach(f->store, &f->shapes[0], &f->checkpoint, &f->error);
    if (err == SL_OK)
        err = sl_view_reader_open(f->store, &f->reader, &f->error);
    return err;
}

static void end(struct fixture *f)
{
    close_store(f);
    sl_arena_close(&f->arena);
    sl_env_free(f->env);
}

/* All rows, as the shape's build would write them. */
static enum sl_err fill(struct fixture *f, const struct sl_view_shape *shape, uint64_t position)
{
    static struct item rows[ROWS];
    static char keys[ROWS][8];
    struct sl_row_change changes[ROWS];
    const struct sl_checkpoint checkpoint = {log_id, 1, position, shape->build + 1, shape->digest};

    for (int64_t id = 0; id < ROWS; id++) {
        const int len = snprintf(keys[id], sizeof keys[id], "%" PRId64, id);
        rows[id] = (struct item){id, shape->build};
        changes[id] = (struct sl_row_change){{keys[id], (size_t)len}, &rows[id], position};
    }
    return sl_view_store_apply(f->store, shape, changes, ROWS, &checkpoint, &f->error);
}

/* Are all rows the build's own? Says no for a mix, and for rows that are missing. */
static bool shows(struct fixture *f, const struct sl_view_shape *shape, uint64_t build)
{
    const struct sl_list_query query = {.index = -1, .limit = 1000};
    struct sl_list_page page = {0};

    enum sl_err err = sl_view_reader_begin(f->reader, &f->error);
    if (err == SL_OK)
        err = sl_view_reader_list(f->reader, shape, &query, &f->arena, &page, &f->error);
    sl_view_reader_end(f->reader);
    bool same = err == SL_OK && page.count == ROWS;
    for (uint32_t i = 0; i < page.count; i++)
        same = same && ((const struct item *)page.rows[i].row)->made_by == build;
    sl_arena_reset(&f->arena);
    return same;
}

static void note_name(void *context, const char *name)
{
    char *names = context;
    const size_t len = strlen(names);

    snprintf(names + len, 400 - len, "%s ", name);
}

static const char *names_of(struct fixture *f)
{
    static char names[400];

    names[0] = '\0';
    CHECK(sl_disk_list(f->env, "views", note_name, names, NULL) == SL_OK);
    return names;
}

/* Builds shapes[1] beside shapes[0] and has it serve. */
static enum sl_err build_beside(struct fixture *f)
{
    struct sl_checkpoint found;

    f->shapes[1].build = f->shapes[0].build + 1;
    enum sl_err err = sl_view_store_discard(f->store, &f->shapes[1], &f->error);
    if (err == SL_OK)
        err = sl_view_store_attach(f->store, &f->shapes[1], &found, &f->error);
    if (err == SL_OK)
        err = fill(f, &f->shapes[1], NEW_POSITION);
    return err != SL_OK ? err : sl_view_store_serve(f->store, &f->shapes[1], &f->error);
}

/* ---- Changing over --------------------------------------------------------------------------- */

static void a_new_build_takes_the_place_of_the_old(void)
{
    struct fixture f;

    begin(&f, 1);
    REQUIRE(open_store(&f) == SL_OK);
    CHECK_U64(f.shapes[0].build, 0);
    REQUIRE(fill(&f, &f.shapes[0], OLD_POSITION) == SL_OK);
    CHECK(shows(&f, &f.shapes[0], 0));
    REQUIRE(build_beside(&f) == SL_OK);
    /* A reader that has the old one open reads it to the end. */
    CHECK(shows(&f, &f.shapes[0], 0));
    CHECK(shows(&f, &f.shapes[1], 1));
    sl_view_reader_forget(f.reader, &f.shapes[0]);
    REQUIRE(sl_view_store_discard(f.store, &f.shapes[0], &f.error) == SL_OK);
    CHECK(shows(&f, &f.shapes[1], 1));
    close_store(&f);
    CHECK_STRING(names_of(&f), "lock test.items.1.db test.items.serving ");
    REQUIRE(open_store(&f) == SL_OK);
    CHECK_U64(f.shapes[0].build, 1);
    CHECK_U64(f.checkpoint.position, NEW_POSITION);
    CHECK_U64(f.checkpoint.generation, 2);
    CHECK(shows(&f, &f.shapes[0], 1));
    end(&f);
}

static void an_unfinished_build_is_removed_at_the_start(void)
{
    struct sl_checkpoint found;
    struct fixture f;

    begin(&f, 2);
    REQUIRE(open_store(&f) == SL_OK);
    REQUIRE(fill(&f, &f.shapes[0], OLD_POSITION) == SL_OK);
    f.shapes[1].build = 1;
    REQUIRE(sl_view_store_attach(f.store, &f.shapes[1], &found, &f.error) == SL_OK);
    REQUIRE(fill(&f, &f.shapes[1], NEW_POSITION) == SL_OK);
    /* Who asks again while it is at work, as after damage, does not take it away. */
    uint64_t serving = 9;
    REQUIRE(sl_view_store_serving(f.store, &f.shapes[0], &serving, &f.error) == SL_OK);
    CHECK_U64(serving, 0);
    CHECK(strstr(names_of(&f), "test.items.1.db") != NULL);
    close_store(&f);
    CHECK(strstr(names_of(&f), "test.items.1.db") != NULL);
    REQUIRE(open_store(&f) == SL_OK);
    CHECK(strstr(names_of(&f), "test.items.1.db") == NULL);
    CHECK(shows(&f, &f.shapes[0], 0));
    end(&f);
}

static void names_of_others_are_left_alone(void)
{
    static const char *const others[] = {"test.items.1.db.damaged", "test.items.db-copy",
                                         "test.itemsmore.1.db", "test.items.01.db",
                                         "test.items.1x.db", "test.items.1.dbx"};
    struct sl_file *file = NULL;
    char path[64];
    struct fixture f;

    begin(&f, 3);
    REQUIRE(open_store(&f) == SL_OK);
    close_store(&f);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(path, sizeof path, "views/%s", others[i]);
        REQUIRE(sl_disk_open(f.env, path, SL_OPEN_WRITE | SL_OPEN_CREATE, &file, &f.error) ==
                SL_OK);
        sl_file_close(file);
    }
    REQUIRE(open_store(&f) == SL_OK);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!CHECK(strstr(names_of(&f), others[i]) != NULL))
            tap_note("%s", others[i]);
    end(&f);
}

/* ---- The pointer ----------------------------------------------------------------------------- */

static void a_damaged_pointer_names_nothing(void)
{
    struct fixture f;

    begin(&f, 4);
    REQUIRE(open_store(&f) == SL_OK && fill(&f, &f.shapes[0], OLD_POSITION) == SL_OK);
    REQUIRE(build_beside(&f) == SL_OK);
    close_store(&f);
    REQUIRE(sl_sim_disk_poke(f.env, "views/test.items.serving", 20,
                             (struct sl_slice){(const uint8_t *)"0", 1}) == SL_OK);
    REQUIRE(open_store(&f) == SL_OK);
    /* The view starts over, and so does whoever opens it after that. */
    CHECK_U64(f.shapes[0].build, 2);
    CHECK(!sl_checkpoint_exists(&f.checkpoint));
    REQUIRE(fill(&f, &f.shapes[0], OLD_POSITION) == SL_OK);
    close_store(&f);
    CHECK_STRING(names_of(&f), "lock test.items.2.db test.items.serving ");
    REQUIRE(open_store(&f) == SL_OK);
    CHECK(shows(&f, &f.shapes[0], 2));
    end(&f);
}

static void a_newer_pointer_is_refused(void)
{
    struct fixture f;

    begin(&f, 5);
    REQUIRE(open_store(&f) == SL_OK && build_beside(&f) == SL_OK);
    close_store(&f);
    REQUIRE(sl_sim_disk_poke(f.env, "views/test.items.serving", 18,
                             (struct sl_slice){(const uint8_t *)"2", 1}) == SL_OK);
    CHECK(open_store(&f) == SL_UNSUPPORTED);
    CHECK(strstr(f.error.message, "views/test.items.serving") != NULL);
    end(&f);
}

/* ---- Power and disks ------------------------------------------------------------------------- */

/* V1: at each call of the disk on the way the power fails; then the old build serves or the new
 * one, whole, and never an empty one; once the change was told, it is the new one. */
static void power_may_fail_anywhere(void)
{
    unsigned old = 0, new = 0;

    for (uint64_t nth = 1; nth <= 60; nth++) {
        struct fixture f;

        begin(&f, nth);
        REQUIRE(open_store(&f) == SL_OK && fill(&f, &f.shapes[0], OLD_POSITION) == SL_OK);
        REQUIRE(sl_view_store_settle(f.store, &f.shapes[0], &f.error) == SL_OK);
        sl_sim_power_loss_at(f.env, nth);
        const bool told = build_beside(&f) == SL_OK;
        /* The power may fail in here, too. */
        if (told && sl_view_store_discard(f.store, &f.shapes[0], &f.error) != SL_OK)
            CHECK(sl_sim_power_is_out(f.env));
        sl_sim_power_loss(f.env);
        close_store(&f);
        if (!CHECK(open_store(&f) == SL_OK)) {
            tap_note("at %" PRIu64 ": %s", nth, f.error.message);
            end(&f);
            return;
        }
        const uint64_t build = f.shapes[0].build;
        const uint64_t position = build == 0 ? OLD_POSITION : NEW_POSITION;
        if (!CHECK(!told || build == 1) || !CHECK(build <= 1) ||
            !CHECK(f.checkpoint.position == position) || !CHECK(shows(&f, &f.shapes[0], build)))
            tap_note("at %" PRIu64 ", build %" PRIu64, nth, build);
        old += build == 0;
        new += build == 1;
        close_store(&f);
        CHECK_STRING(names_of(&f), build == 0 ? "lock test.items.db "
                                              : "lock test.items.1.db test.items.serving ");
        end(&f);
    }
    CHECK(old > 0 && new > 0);
}

/* One call of the disk fails: whoever was told of the failure finds the old build after a restart,
 * and can build again. */
static void each_disk_call_may_fail(void)
{
    unsigned failed = 0;

    for (uint64_t nth = 1; nth <= 80; nth++) {
        struct fixture f;

        begin(&f, nth);
        REQUIRE(open_store(&f) == SL_OK && fill(&f, &f.shapes[0], OLD_POSITION) == SL_OK);
        sl_sim_disk_fail_at(f.env, nth);
        const bool told = build_beside(&f) == SL_OK;
        sl_sim_disk_fail_at(f.env, 0);
        failed += !told;
        if (!told) {
            CHECK(sl_view_store_discard(f.store, &f.shapes[1], &f.error) == SL_OK);
            CHECK(shows(&f, &f.shapes[0], 0));
        }
        close_store(&f);
        REQUIRE(open_store(&f) == SL_OK);
        if (!CHECK_U64(f.shapes[0].build, told) || !CHECK(shows(&f, &f.shapes[0], told)))
            tap_note("at %" PRIu64, nth);
        CHECK(build_beside(&f) == SL_OK);
        end(&f);
    }
    CHECK(failed > 0);
}

int main(void)
{
    return TAP_RUN(
        {"a new build takes the place of the old", a_new_build_takes_the_place_of_the_old},
        {"an unfinished build is removed at the start",
         an_unfinished_build_is_removed_at_the_start},
        {"names of others are left alone", names_of_others_are_left_alone},
        {"a damaged pointer names nothing", a_damaged_pointer_names_nothing},
        {"a newer pointer is refused", a_newer_pointer_is_refused},
        {"V1: power may fail anywhere", power_may_fail_anywhere},
        {"each disk call may fail", each_disk_call_may_fail});
}
