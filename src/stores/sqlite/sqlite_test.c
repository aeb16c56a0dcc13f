/* What is SQLite's own, beyond the suites: damage, power, full disks, what other programs see. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env_sim.h"
#include "record/pack.h"
#include "record/specimen.h"
#include "stores/sqlite/db.h"
#include "stores/sqlite/sqlite.h"
#include "tap/tap.h"

enum { ROWS = 40 };

struct item {
    int64_t id;
    struct sl_text name;
    uint64_t version; /* of the change that wrote it */
    struct sl_money price;
    struct sl_time at;
};

static const struct sl_record item_record = SL_RECORD(
    struct item, SL_FIELD(struct item, id), SL_FIELD(struct item, name),
    SL_FIELD(struct item, version), SL_FIELD(struct item, price), SL_FIELD(struct item, at));
static const struct sl_view items = {
    "items", &item_record, "id",
    .indexes = SL_LIST(const struct sl_index, {"by-name", "name, version"}), .search = "name"};

/* ---- A store, opened and closed -------------------------------------------------------------- */

struct fixture {
    struct sl_env *env;
    struct sl_view_store_options options;
    struct sl_view_shape shape;
    struct sl_view_store *store;
    struct sl_view_reader *reader;
    struct sl_arena arena;
    struct sl_checkpoint checkpoint;
    struct sl_error error;
};

static void begin(struct fixture *f, struct sl_env *env, const char *location)
{
    *f = (struct fixture){.env = env, .options.location = location};
    CHECK(sl_view_shape_init(&f->shape, "test", &items, &f->error) == SL_OK);
}

static void begin_sim(struct fixture *f, uint64_t seed)
{
    struct sl_env *env = NULL;

    SL_ASSERT(sl_env_sim_new(seed, &env) == SL_OK);
    begin(f, env, "views");
}

static void close_store(struct fixture *f)
{
    sl_view_reader_close(f->reader);
    sl_view_store_close(f->store);
    f->reader = NULL;
    f->store = NULL;
}

static enum sl_err open_store(struct fixture *f)
{
    enum sl_err err;

    f->error = (struct sl_error){0};
    err = sl_view_store_open(&sl_sqlite_view_store, f->env, &f->options, &f->store, &f->error);
    if (err == SL_OK)
        err = sl_view_store_attach(f->store, &f->shape, &f->checkpoint, &f->error);
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

/* Change n writes some rows and removes one, so that what is stored follows from n alone. */
static bool row_at(uint64_t position, int64_t id, struct item *out)
{
    static const char *const names[] = {"nuts", "bolts and washers", "a", ""};

    for (uint64_t n = position; n > 0; n--) {
        if (id == (int64_t)(n % ROWS))
            return false;
        if ((uint64_t)id % 3 == n % 3) {
            const char *name = names[(n + (uint64_t)id) % 4];
            *out = (struct item){.id = id,
                                 .name = {name, strlen(name)},
                                 .version = n,
                                 .price = {(int64_t)n, "EUR"},
                                 .at = {(int64_t)n * 1000000007}};
            return true;
        }
    }
    return false;
}

static enum sl_err apply(struct fixture *f, uint64_t n)
{
    static struct item rows[ROWS];
    static char keys[ROWS][8];
    struct sl_row_change changes[ROWS];
    size_t count = 0;

    for (int64_t id = 0; id < ROWS; id++) {
        const bool removed = id == (int64_t)(n % ROWS);
        if (!removed && (uint64_t)id % 3 != n % 3)
            continue;
        const int len = snprintf(keys[id], sizeof keys[id], "%" PRId64, id);
        (void)row_at(n, id, &rows[id]);
        changes[count++] =
            (struct sl_row_change){{keys[id], (size_t)len}, removed ? NULL : &rows[id], n};
    }
    const struct sl_checkpoint checkpoint = {{{3}}, 1, n, 1, f->shape.digest};
    return sl_view_store_apply(f->store, &f->shape, changes, count, &checkpoint, &f->error);
}

/* How many rows differ from what was stored up to the position; -1: they cannot be read. */
static int differences(struct fixture *f, uint64_t position)
{
    int count = 0;
    enum sl_err err = sl_view_reader_begin(f->reader, &f->error);

    for (int64_t id = 0; id < ROWS && err == SL_OK; id++) {
        char key[8];
        struct item want;
        struct sl_checkpoint checkpoint;
        const int len = snprintf(key, sizeof key, "%" PRId64, id);
        struct sl_row_found found = {.key = {key, (size_t)len}};

        err = sl_view_reader_lookup(f->reader, &f->shape, &found, 1, &f->arena, &checkpoint,
                                    &f->error);
        const bool there = row_at(position, id, &want);
        count += err == SL_OK && (there != (found.row != NULL) ||
                                  (there && !sl_record_equals(&item_record, found.row, &want)) ||
                                  checkpoint.position != position);
    }
    sl_view_reader_end(f->reader);
    sl_arena_reset(&f->arena);
    return err == SL_OK ? count : -1;
}

/* The search finds what the rows say: the index kept up with them. */
static unsigned found(struct fixture *f, const char *word)
{
    const struct sl_list_query query = {.search = {word, strlen(word)}, .limit = 1000};
    struct sl_list_page page = {0};

    CHECK(sl_view_reader_begin(f->reader, &f->error) == SL_OK);
    CHECK(sl_view_reader_list(f->reader, &f->shape, &query, &f->arena, &page, &f->error) == SL_OK);
    sl_view_reader_end(f->reader);
    return page.count;
}

static unsigned named(uint64_t position, const char *name)
{
    struct item item;
    unsigned count = 0;

    for (int64_t id = 0; id < ROWS; id++)
        count += row_at(position, id, &item) && item.name.len == strlen(name) &&
                 memcmp(item.name.ptr, name, item.name.len) == 0;
    return count;
}

/* ---- Power and disks ------------------------------------------------------------------------- */

/* V1: wherever the power fails, what is there afterwards is one state, not older than it may be. */
static void power_may_fail_anywhere(void)
{
    unsigned wrong = 0, lost_some = 0;

    for (uint64_t nth = 1; nth <= 240; nth++) {
        struct fixture f;
        uint64_t applied = 0;

        begin_sim(&f, nth);
        sl_sim_power_loss_at(f.env, nth);
        enum sl_err err = open_store(&f);
        for (uint64_t n = 1; n <= 12 && err == SL_OK; n++) {
            err = apply(&f, n);
            applied = err == SL_OK ? n : applied;
            /* Closing brings the log into the database: that, too, may be interrupted. */
            if (n % 4 == 0 && err == SL_OK) {
                close_store(&f);
                err = open_store(&f);
            }
        }
        sl_sim_power_loss(f.env);
        close_store(&f);
        if (!CHECK(open_store(&f) == SL_OK)) {
            tap_note("at %" PRIu64 ": %s", nth, f.error.message);
            end(&f);
            break;
        }
        wrong += f.error.code == SL_CORRUPT || f.checkpoint.position > applied + 1;
        lost_some += f.checkpoint.position < applied;
        if (sl_checkpoint_exists(&f.checkpoint)) {
            wrong += differences(&f, f.checkpoint.position) != 0;
            wrong += found(&f, "washers") != named(f.checkpoint.position, "bolts and washers");
        }
        for (uint64_t n = f.checkpoint.position + 1; n <= 15; n++)
            wrong += apply(&f, n) != SL_OK;
        wrong += differences(&f, 15) != 0;
        end(&f);
    }
    CHECK_U64(wrong, 0);
    CHECK(lost_some > 0); /* or nothing was tried */
}

/* Each disk call fails once: the apply that it was in fails or not, and all is well afterwards. */
static void each_disk_call_may_fail(void)
{
    unsigned wrong = 0, failures = 0;

    for (uint64_t nth = 1; nth <= 120; nth++) {
        struct fixture f;

        begin_sim(&f, nth);
        sl_sim_disk_fail_at(f.env, nth);
        if (open_store(&f) != SL_OK) {
            close_store(&f);
            failures++;
            if (!CHECK(open_store(&f) == SL_OK))
                tap_note("at %" PRIu64 ": %s", nth, f.error.message);
        }
        for (uint64_t n = f.checkpoint.position + 1; n <= 6; n++) {
            const enum sl_err err = apply(&f, n);
            failures += err != SL_OK;
            if (err != SL_OK && apply(&f, n) != SL_OK)
                wrong++;
        }
        const int differ = differences(&f, 6);
        failures += differ < 0;
        wrong += (differ < 0 ? differences(&f, 6) : differ) != 0;
        end(&f);
    }
    CHECK_U64(wrong, 0);
    CHECK(failures > 20);
}

static void a_full_disk_is_said_so(void)
{
    enum sl_err err = SL_OK;
    struct fixture f;
    uint64_t n = 0;

    begin_sim(&f, 3);
    REQUIRE(open_store(&f) == SL_OK);
    sl_sim_disk_size(f.env, 300000);
    while (err == SL_OK && n < 1000)
        err = apply(&f, ++n);
    CHECK(err == SL_LIMIT);
    CHECK(strstr(f.error.message, "full") != NULL);
    CHECK_U64(differences(&f, n - 1), 0);
    sl_sim_disk_size(f.env, 0);
    CHECK(apply(&f, n) == SL_OK);
    CHECK_U64(differences(&f, n), 0);
    end(&f);
}

/* ---- Damage ---------------------------------------------------------------------------------- */

static void note_name(void *context, const char *name)
{
    char *names = context;
    const size_t len = strlen(names);

    snprintf(names + len, 400 - len, "%s ", name);
}

/* P7: a file that is no database is set aside, and the view starts over. */
static void a_damaged_head_is_set_aside(void)
{
    char names[400] = "";
    struct fixture f;

    begin_sim(&f, 4);
    REQUIRE(open_store(&f) == SL_OK);
    CHECK(apply(&f, 1) == SL_OK);
    close_store(&f);
    REQUIRE(sl_sim_disk_poke(f.env, "views/test.items.db", 0,
                             (struct sl_slice){(const uint8_t *)"no database at all", 18}) ==
            SL_OK);
    REQUIRE(open_store(&f) == SL_OK);
    CHECK(f.error.code == SL_CORRUPT);
    CHECK(strstr(f.error.message, "views/test.items.db") != NULL);
    CHECK(!sl_checkpoint_exists(&f.checkpoint));
    CHECK(sl_disk_list(f.env, "views", note_name, names, NULL) == SL_OK);
    CHECK(strstr(names, "test.items.db.damaged ") != NULL);
    CHECK(apply(&f, 1) == SL_OK);
    CHECK_U64(differences(&f, 1), 0);
    end(&f);
}

/* A page that is none is seen when it is read, and attaching again cures it. (SQLite keeps no
 * checksums: damage inside a value is not seen.) */
static void damaged_pages_are_cured(void)
{
    unsigned seen = 0;
    struct sl_slice file;

    for (uint64_t at = 100; at < 100000; at = (at / 4096 + 1) * 4096) {
        static const uint8_t noise[64] = {0x5a, 0xff, 0x13};
        struct fixture f;

        begin_sim(&f, at);
        REQUIRE(open_store(&f) == SL_OK);
        for (uint64_t n = 1; n <= 5; n++)
            CHECK(apply(&f, n) == SL_OK);
        close_store(&f);
        REQUIRE(sl_sim_disk_peek(f.env, "views/test.items.db", &file) == SL_OK);
        if (at + sizeof noise > file.len) {
            end(&f);
            break;
        }
        REQUIRE(sl_sim_disk_poke(f.env, "views/test.items.db", at,
                                 (struct sl_slice){noise, sizeof noise}) == SL_OK);
        enum sl_err err = open_store(&f);
        bool damaged = f.error.code == SL_CORRUPT;
        if (err == SL_OK && !damaged)
            damaged = differences(&f, 5) == -1 && f.error.code == SL_CORRUPT;
        if (err == SL_OK && !damaged)
            damaged = apply(&f, 6) == SL_CORRUPT;
        seen += damaged;
        if (damaged && sl_checkpoint_exists(&f.checkpoint)) {
            sl_view_reader_close(f.reader);
            f.reader = NULL;
            CHECK(sl_view_store_attach(f.store, &f.shape, &f.checkpoint, &f.error) == SL_OK);
            CHECK(!sl_checkpoint_exists(&f.checkpoint));
            CHECK(sl_view_reader_open(f.store, &f.reader, &f.error) == SL_OK);
        }
        if (damaged) {
            CHECK(apply(&f, 1) == SL_OK);
            CHECK(differences(&f, 1) == 0);
        }
        end(&f);
    }
    CHECK(seen > 5);
}

/* ---- Whose file it is ------------------------------------------------------------------------ */

static void foreign_and_newer_files_are_refused(void)
{
    static const struct {
        uint64_t offset; /* of the head of an SQLite file */
        uint8_t bytes[4];
        const char *says;
    } cases[] = {
        {68, {1, 2, 3, 4}, "another program"},
        {60, {0, 0, 0, 2}, "format 2"},
    };

    for (size_t i = 0; i < 2; i++) {
        struct fixture f;

        begin_sim(&f, 5);
        REQUIRE(open_store(&f) == SL_OK);
        CHECK(apply(&f, 1) == SL_OK);
        close_store(&f);
        REQUIRE(sl_sim_disk_poke(f.env, "views/test.items.db", cases[i].offset,
                                 (struct sl_slice){cases[i].bytes, 4}) == SL_OK);
        CHECK(open_store(&f) == SL_UNSUPPORTED);
        CHECK(strstr(f.error.message, cases[i].says) != NULL);
        close_store(&f);
        end(&f);
    }
}

static void a_folder_has_one_store(void)
{
    struct fixture f, second;

    begin_sim(&f, 6);
    REQUIRE(open_store(&f) == SL_OK);
    begin(&second, f.env, "views");
    CHECK(open_store(&second) == SL_BUSY);
    close_store(&f);
    CHECK(open_store(&second) == SL_OK);
    close_store(&second);
    sl_arena_close(&second.arena);
    end(&f);
}

/* ---- What other programs see ----------------------------------------------------------------- */

static const char *system_vfs(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "vfs") == 0 ? "system" : NULL;
}

static const char *ask(sqlite3 *db, const char *sql)
{
    static char answer[4000];
    sqlite3_stmt *stmt = NULL;
    size_t len = 0;

    answer[0] = '\0';
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return sqlite3_errmsg(db);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(stmt); i++)
            len += (size_t)snprintf(answer + len, sizeof answer - len, "%s%s", len > 0 ? "|" : "",
                                    (const char *)sqlite3_column_text(stmt, i));
    sqlite3_finalize(stmt);
    return answer;
}

/* With vfs = system, another program reads live, and a state that was committed. */
static void other_programs_read_it(void)
{
    char folder[] = "/tmp/sluice-sqlite-XXXXXX", path[64];
    struct sl_env *env = NULL;
    sqlite3 *other = NULL;
    struct fixture f;

    REQUIRE(mkdtemp(folder) && sl_env_posix_new(&env, NULL) == SL_OK);
    begin(&f, env, folder);
    f.options.setting = system_vfs;
    REQUIRE(open_store(&f) == SL_OK);
    CHECK(apply(&f, 1) == SL_OK);
    CHECK(apply(&f, 2) == SL_OK);
    snprintf(path, sizeof path, "%s/test.items.db", folder);
    REQUIRE(sqlite3_open_v2(path, &other, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    CHECK_STRING(ask(other, "SELECT id, name, version, price, price_currency, at, _version FROM "
                            "items WHERE id = 8"),
                 "8|a|2|2|EUR|1970-01-01T00:00:02.000000014Z|2");
    CHECK_STRING(ask(other, "SELECT log, salt, position, generation FROM _checkpoint"),
                 "03000000-0000-0000-0000-000000000000|1|2|1");
    CHECK_STRING(ask(other, "PRAGMA integrity_check"), "ok");
    CHECK_STRING(ask(other, "BEGIN"), "");
    CHECK_STRING(ask(other, "SELECT position FROM _checkpoint"), "2");
    CHECK(apply(&f, 3) == SL_OK);
    CHECK_STRING(ask(other, "SELECT position FROM _checkpoint"), "2");
    CHECK_STRING(ask(other, "COMMIT"), "");
    CHECK_STRING(ask(other, "SELECT position FROM _checkpoint"), "3");
    sqlite3_close(other);
    close_store(&f);
    CHECK(unlink(path) == 0 && rmdir(folder) == 0);
    end(&f);
}

static const struct sl_view specimens = {
    "specimens", &specimen_record, "id",
    .indexes = SL_LIST(const struct sl_index, {"by-state", "state, day"}, {"by-decimal", "decimal"},
                       {"by-note", "note, i8"}, {"by-wide", "u128"}, {"by-limit", "limit, note"},
                       {"by-time", "at"})};

/* Every list walks its index: nothing is sorted, and nothing is gone through from its start. */
static void lists_walk_their_indexes(void)
{
    struct sl_sqlite_schema schema;
    struct sl_view_shape shape;
    struct sl_arena arena = {0};
    struct sl_error error = {0};
    sqlite3 *db = NULL;
    unsigned plans = 0;

    REQUIRE(sl_view_shape_init(&shape, "test", &specimens, &error) == SL_OK);
    REQUIRE(sl_sqlite_schema_init(&schema, &shape, false, &arena, &error) == SL_OK);
    REQUIRE(sqlite3_open(":memory:", &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, schema.create, NULL, NULL, NULL) == SQLITE_OK);
    for (int index = -1; index < (int)specimens.indexes.count; index++) {
        const uint32_t fields = index < 0 ? 1 : shape.indexes[index].count;
        for (uint32_t equal = 0; equal <= fields; equal++)
            for (unsigned how = 0; how < 16; how++) {
                struct sl_buf sql = {0};
                const struct sl_sqlite_list_form form = {
                    schema.columns,
                    index,
                    equal,
                    .descending = how & 1,
                    .after = how & 2,
                    .from = how & 4 && (!(how & 2) || how & 1),
                    .to = how & 8 && (!(how & 2) || !(how & 1)),
                };
                if (equal == fields && (form.from || form.to))
                    continue;
                SL_BUF_LITERAL(&sql, "EXPLAIN QUERY PLAN ");
                sl_sqlite_list_sql(&sql, &schema, &form);
                sl_buf_byte(&sql, 0);
                const char *plan = ask(db, (const char *)sql.ptr);
                const bool searches = equal > 0 || form.after || form.from || form.to;
                const bool both =
                    (form.from || form.after) && (form.to || form.after) && (form.from || form.to);
                /* A decimal that is equal may be written in several ways, which are sorted. */
                const bool sorts = index == 1 && equal == 1;
                if (!CHECK(strstr(plan, searches ? "SEARCH" : "SCAN") != NULL) ||
                    !CHECK(sorts || strstr(plan, "TEMP B-TREE") == NULL) ||
                    !CHECK(!both || (strchr(plan, '>') && strchr(plan, '<'))))
                    tap_note("%s: %s", (const char *)sql.ptr + 19, plan);
                sl_buf_close(&sql);
                plans++;
            }
    }
    CHECK(plans > 40);
    sqlite3_close(db);
    sl_arena_close(&arena);
}

static void names_that_clash_are_refused(void)
{
    struct clash {
        uint64_t id;
        struct sl_money price;
        struct sl_text other;
    };
    static const char *const names[] = {"_version", "_ID", "price_currency", "ID", "Price"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sl_field fields[] = {SL_FIELD(struct clash, id), SL_FIELD(struct clash, price),
                                    SL_FIELD(struct clash, other)};
        const struct sl_record record = {"struct clash", sizeof(struct clash), 3, fields};
        const struct sl_view view = {"clash", &record, "id"};
        struct sl_sqlite_schema schema;
        struct sl_view_shape shape;
        struct sl_arena arena = {0};
        struct sl_error error = {0};

        fields[2].name = names[i];
        REQUIRE(sl_view_shape_init(&shape, "test", &view, &error) == SL_OK);
        CHECK(sl_sqlite_schema_init(&schema, &shape, false, &arena, &error) == SL_INVALID);
        sl_arena_close(&arena);
    }
}

int main(void)
{
    return TAP_RUN({"V1: power may fail anywhere", power_may_fail_anywhere},
                   {"each disk call may fail", each_disk_call_may_fail},
                   {"a full disk is said so", a_full_disk_is_said_so},
                   {"P7: a damaged head is set aside", a_damaged_head_is_set_aside},
                   {"P7: damaged pages are cured", damaged_pages_are_cured},
                   {"F1: foreign and newer files are refused", foreign_and_newer_files_are_refused},
                   {"a folder has one store", a_folder_has_one_store},
                   {"other programs read it", other_programs_read_it},
                   {"lists walk their indexes", lists_walk_their_indexes},
                   {"names that clash are refused", names_that_clash_are_refused});
}
