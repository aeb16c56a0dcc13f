/* What both environments promise: each case runs on the real one and on the simulated one. */
#include "base/buf.h"
#include "base/env.h"
#include "base/env_sim.h"
#include "tap/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
    struct sl_env *env;
    char root[256];
};

static bool open_real(struct world *world)
{
    struct sl_error error;

    /* Where the build is: a disk is more likely there than below /tmp. */
    strcpy(world->root, "env-test-XXXXXX");
    return mkdtemp(world->root) && sl_env_posix_new(&world->env, &error) == SL_OK;
}

static bool open_simulated(struct world *world)
{
    struct sl_error error;

    strcpy(world->root, "root");
    return sl_env_sim_new(1, &world->env) == SL_OK &&
           sl_disk_make_folder(world->env, world->root, &error) == SL_OK;
}

/* A case is over: removes what it left in the root, which must then be empty. */
static void remove_one(void *context, const char *name)
{
    struct world *world = context;
    struct sl_error error;
    char path[600];

    snprintf(path, sizeof path, "%s/%s", world->root, name);
    CHECK(sl_disk_remove(world->env, path, &error) == SL_OK);
}

static void close_world(struct world *world)
{
    struct sl_error error;

    CHECK(sl_disk_list(world->env, world->root, remove_one, world, &error) == SL_OK);
    CHECK(sl_disk_remove(world->env, world->root, &error) == SL_OK);
    sl_env_free(world->env);
}

static void in_both(void (*run)(struct world *world))
{
    static bool (*const opens[])(struct world * world) = {open_real, open_simulated};

    for (int i = 0; i < 2; i++) {
        struct world world = {0};
        REQUIRE(opens[i](&world));
        tap_note("in the %s environment", i == 0 ? "real" : "simulated");
        run(&world);
        close_world(&world);
    }
}

static const char *path_in(struct world *world, const char *name)
{
    static char paths[4][600];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", world->root, name);
    return path;
}

static struct sl_file *create(struct world *world, const char *name)
{
    struct sl_error error;
    struct sl_file *file = NULL;

    CHECK(sl_disk_open(world->env, path_in(world, name), SL_OPEN_WRITE | SL_OPEN_CREATE, &file,
                       &error) == SL_OK);
    return file;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void reads_what_was_written(struct world *world)
{
    struct sl_error error;
    struct sl_file *file = create(world, "a");
    char bytes[16] = {0};
    uint64_t size;
    size_t len;

    REQUIRE(file);
    CHECK(sl_file_read(file, 0, bytes, 4, &len, &error) == SL_OK && len == 0);
    CHECK(sl_file_write(file, 0, "abcdef", 6, &error) == SL_OK);
    CHECK(sl_file_write_durable(file, 8, "XY", 2, &error) == SL_OK);
    CHECK(sl_file_write(file, 5, "", 0, &error) == SL_OK);
    CHECK(sl_file_sync(file, &error) == SL_OK);
    CHECK(sl_file_size(file, &size, &error) == SL_OK && size == 10);
    CHECK(sl_file_read(file, 0, bytes, 16, &len, &error) == SL_OK && len == 10);
    CHECK(memcmp(bytes, "abcdef\0\0XY", 10) == 0);
    CHECK(sl_file_read(file, 9, bytes, 16, &len, &error) == SL_OK && len == 1);
    CHECK(sl_file_read(file, 99, bytes, 16, &len, &error) == SL_OK && len == 0);
    /* What is cut off comes back as zeros. */
    CHECK(sl_file_truncate(file, 3, &error) == SL_OK);
    CHECK(sl_file_truncate(file, 6, &error) == SL_OK);
    CHECK(sl_file_read(file, 0, bytes, 16, &len, &error) == SL_OK && len == 6);
    CHECK(memcmp(bytes, "abc\0\0\0", 6) == 0);
    sl_file_close(file);
    sl_file_close(NULL);
}

static void writes_past_the_cache(struct world *world)
{
    const size_t block = 4096, count = 8;
    struct sl_error error;
    struct sl_file *file = NULL;
    uint8_t *blocks = aligned_alloc(block, block * count);
    uint8_t byte;
    size_t len;

    REQUIRE(blocks);
    for (size_t i = 0; i < block * count; i++)
        blocks[i] = (uint8_t)(i / 100);
    CHECK(sl_disk_open(world->env, path_in(world, "direct"),
                       SL_OPEN_WRITE | SL_OPEN_CREATE | SL_OPEN_DIRECT, &file, &error) == SL_OK);
    REQUIRE(file);
    CHECK(sl_file_write(file, 0, blocks, block * count, &error) == SL_OK);
    CHECK(sl_file_read(file, 5000, &byte, 1, &len, &error) == SL_OK && byte == 50);
    /* Reads through the cache see what is written past it. */
    CHECK(sl_file_write_durable(file, block, blocks, 2 * block, &error) == SL_OK);
    CHECK(sl_file_read(file, block + 5000, &byte, 1, &len, &error) == SL_OK && byte == 50);
    CHECK(sl_file_write_durable(file, block * count, blocks, block, &error) == SL_OK);
    CHECK(sl_file_read(file, block * count + 4095, &byte, 9, &len, &error) == SL_OK && len == 1);
    sl_file_close(file);
    free(blocks);
}

static void opens_as_told(struct world *world)
{
    static const struct {
        const char *name;
        unsigned flags;
        enum sl_err want;
    } cases[] = {
        {"none", SL_OPEN_READ, SL_NOT_FOUND},
        {"none", SL_OPEN_WRITE, SL_NOT_FOUND},
        {"none/x", SL_OPEN_WRITE | SL_OPEN_CREATE, SL_NOT_FOUND},
        {"there/x", SL_OPEN_READ, SL_NOT_FOUND},
        {"there", SL_OPEN_READ, SL_OK},
        {"there", SL_OPEN_WRITE | SL_OPEN_CREATE, SL_OK},
        {"there", SL_OPEN_WRITE | SL_OPEN_CREATE | SL_OPEN_EXCLUSIVE, SL_CONFLICT},
        {"new", SL_OPEN_WRITE | SL_OPEN_CREATE | SL_OPEN_EXCLUSIVE, SL_OK},
        {".", SL_OPEN_READ, SL_INVALID},
        {".", SL_OPEN_WRITE, SL_INVALID},
        {"./there", SL_OPEN_READ | SL_OPEN_DIRECT, SL_OK},
    };

    sl_file_close(create(world, "there"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_error error = {0};
        struct sl_file *file = NULL;
        const enum sl_err got =
            sl_disk_open(world->env, path_in(world, cases[i].name), cases[i].flags, &file, &error);
        if (!CHECK(got == cases[i].want))
            tap_note("case %zu: %s, %s", i, sl_err_name(got), error.message);
        CHECK((file != NULL) == (got == SL_OK) && error.code == got);
        sl_file_close(file);
    }
}

static void locks_once(struct world *world)
{
    struct sl_error error;
    struct sl_file *first = create(world, "lock"), *second = create(world, "lock");

    REQUIRE(first && second);
    CHECK(sl_file_lock(first, &error) == SL_OK);
    CHECK(sl_file_lock(first, &error) == SL_OK);
    CHECK(sl_file_lock(second, &error) == SL_BUSY);
    CHECK(strstr(error.message, "in use by another process") != NULL);
    sl_file_close(create(world, "lock")); /* gives nobody's lock away */
    CHECK(sl_file_lock(second, &error) == SL_BUSY);
    sl_file_close(first);
    CHECK(sl_file_lock(second, &error) == SL_OK);
    sl_file_close(second);
}

/* ---- Folders --------------------------------------------------------------------------------- */

static void append_name(void *context, const char *name)
{
    sl_buf_printf(context, "%s ", name);
}

static void lists_in_byte_order(struct world *world)
{
    static const char *const names[] = {"b", "a", "B", "a.b", "10", "9", "a-b"};
    struct sl_error error;
    struct sl_buf found = {0};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        sl_file_close(create(world, names[i]));
    CHECK(sl_disk_make_folder(world->env, path_in(world, "a/"), &error) == SL_CONFLICT);
    CHECK(sl_disk_make_folder(world->env, path_in(world, "f//g/"), &error) == SL_OK);
    CHECK(sl_disk_make_folder(world->env, path_in(world, "f/g"), &error) == SL_OK);
    CHECK(sl_disk_make_folder(world->env, path_in(world, "a/g"), &error) != SL_OK);
    sl_file_close(create(world, "f/g/inner"));
    CHECK(sl_disk_list(world->env, world->root, append_name, &found, &error) == SL_OK);
    CHECK_TEXT(sl_buf_as_text(&found), "10 9 B a a-b a.b b ");
    sl_buf_reset(&found);
    CHECK(sl_disk_list(world->env, path_in(world, "f/g"), append_name, &found, &error) == SL_OK);
    CHECK_TEXT(sl_buf_as_text(&found), "inner ");
    CHECK(sl_disk_list(world->env, path_in(world, "none"), append_name, &found, &error) ==
          SL_NOT_FOUND);
    CHECK(sl_disk_sync_folder(world->env, path_in(world, "none"), &error) == SL_NOT_FOUND);
    CHECK(sl_disk_sync_folder(world->env, path_in(world, "f/g"), &error) == SL_OK);
    CHECK(sl_disk_remove(world->env, path_in(world, "f/g"), &error) == SL_CONFLICT);
    CHECK(sl_disk_remove(world->env, path_in(world, "f/g/inner"), &error) == SL_OK);
    CHECK(sl_disk_remove(world->env, path_in(world, "f/g"), &error) == SL_OK);
    CHECK(sl_disk_remove(world->env, path_in(world, "f"), &error) == SL_OK);
    CHECK(sl_disk_remove(world->env, path_in(world, "f"), &error) == SL_NOT_FOUND);
    sl_buf_close(&found);
}

static void renames_and_removes(struct world *world)
{
    struct sl_error error;
    struct sl_file *old = create(world, "x"), *new = create(world, "x.tmp"), *file = NULL;
    char bytes[8];
    size_t len;

    REQUIRE(old && new);
    CHECK(sl_file_write(old, 0, "old", 3, &error) == SL_OK);
    CHECK(sl_file_write(new, 0, "new", 3, &error) == SL_OK);
    CHECK(sl_disk_rename(world->env, path_in(world, "x.tmp"), path_in(world, "x"), &error) ==
          SL_OK);
    CHECK(sl_disk_rename(world->env, path_in(world, "x.tmp"), path_in(world, "y"), &error) ==
          SL_NOT_FOUND);
    CHECK(sl_disk_rename(world->env, path_in(world, "x"), path_in(world, "none/y"), &error) ==
          SL_NOT_FOUND);
    CHECK(sl_disk_sync_folder(world->env, world->root, &error) == SL_OK);
    CHECK(sl_disk_open(world->env, path_in(world, "x"), SL_OPEN_READ, &file, &error) == SL_OK);
    CHECK(sl_file_read(file, 0, bytes, 8, &len, &error) == SL_OK && memcmp(bytes, "new", 3) == 0);
    /* Who has a file open keeps it. */
    CHECK(sl_file_read(old, 0, bytes, 8, &len, &error) == SL_OK && memcmp(bytes, "old", 3) == 0);
    CHECK(sl_disk_remove(world->env, path_in(world, "x"), &error) == SL_OK);
    CHECK(sl_disk_remove(world->env, path_in(world, "x"), &error) == SL_NOT_FOUND);
    CHECK(sl_file_read(file, 0, bytes, 8, &len, &error) == SL_OK && len == 3);
    sl_file_close(old);
    sl_file_close(new);
    sl_file_close(file);
}

/* ---- Clock, random, ids ---------------------------------------------------------------------- */

static void makes_ids(struct world *world)
{
    enum { IDS = 1000 };
    static struct sl_uuid ids[IDS];
    const uint64_t before = (uint64_t)sl_env_now(world->env).ns / 1000000;

    for (size_t i = 0; i < IDS; i++)
        ids[i] = sl_env_uuid(world->env);
    const uint64_t after = (uint64_t)sl_env_now(world->env).ns / 1000000;
    for (size_t i = 0; i < IDS; i++) {
        uint64_t ms = 0;
        for (int j = 0; j < 6; j++)
            ms = ms << 8 | ids[i].bytes[j];
        REQUIRE(ms >= before && ms <= after);
        REQUIRE(ids[i].bytes[6] >> 4 == 7 && ids[i].bytes[8] >> 6 == 2);
        for (size_t j = 0; j < i; j++)
            REQUIRE(!sl_uuid_equals(ids[i], ids[j]));
        /* The clock stood still or moved: the time's bits never sink. */
        REQUIRE(i == 0 || memcmp(ids[i - 1].bytes, ids[i].bytes, 8) <= 0);
    }
}

static void runs_forward(struct world *world)
{
    for (int i = 0; i < 100; i++) {
        const int64_t before = sl_env_monotonic(world->env);
        CHECK(sl_env_monotonic(world->env) >= before);
    }
}

static void gives_random_bytes(struct world *world)
{
    uint8_t bytes[3000] = {0};
    unsigned zeros = 0;

    for (size_t len = 0; len < 100; len++)
        sl_env_random(world->env, bytes + len * (len - 1) / 2 % 2900, len);
    sl_env_random(world->env, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        zeros += bytes[i] == 0;
    CHECK(zeros < 60);
}

/* ---- Actors ---------------------------------------------------------------------------------- */

struct counter {
    struct sl_mailbox *mailbox;
    struct sl_mailbox *forward;
    unsigned steps;
    unsigned turns;
    unsigned steps_at_turn;
    uint32_t last_kind;
};

static void count_step(void *self, struct sl_message *message)
{
    struct counter *counter = self;

    counter->steps++;
    CHECK_U64(message->kind, counter->last_kind + 1);
    counter->last_kind = message->kind;
    if (counter->forward)
        sl_mailbox_post(counter->forward, message);
}

static int64_t count_turn(void *self)
{
    struct counter *counter = self;

    counter->turns++;
    counter->steps_at_turn = counter->steps;
    return INT64_MAX;
}

/* Two actors in a row: all messages come through, in order, before each is stopped. */
static void actors_handle_all_before_they_stop(struct world *world)
{
    enum { MESSAGES = 1000 };
    static struct sl_message messages[MESSAGES];
    struct sl_error error;
    struct counter first = {0}, second = {0};

    CHECK(sl_env_start(world->env,
                       &(struct sl_actor){.name = "second, 15 byte",
                                          .self = &second,
                                          .step = count_step,
                                          .turn = count_turn,
                                          .background = true},
                       &second.mailbox, &error) == SL_OK);
    first.forward = second.mailbox;
    CHECK(sl_env_start(world->env,
                       &(struct sl_actor){.name = "first", .self = &first, .step = count_step},
                       &first.mailbox, &error) == SL_OK);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        messages[i].kind = i + 1;
        sl_mailbox_post(first.mailbox, &messages[i]);
    }
    sl_env_stop(world->env, first.mailbox);
    CHECK_U64(first.steps, MESSAGES);
    sl_env_stop(world->env, second.mailbox);
    CHECK_U64(second.steps, MESSAGES);
    CHECK_U64(second.steps_at_turn, MESSAGES);
    CHECK(second.turns >= 1 && second.turns <= MESSAGES + 1);
    sl_env_stop(world->env, NULL);
}

#define IN_BOTH(name)                \
    static void name##_in_both(void) \
    {                                \
        in_both(name);               \
    }
IN_BOTH(reads_what_was_written)
IN_BOTH(writes_past_the_cache)
IN_BOTH(opens_as_told)
IN_BOTH(locks_once)
IN_BOTH(lists_in_byte_order)
IN_BOTH(renames_and_removes)
IN_BOTH(makes_ids)
IN_BOTH(runs_forward)
IN_BOTH(gives_random_bytes)
IN_BOTH(actors_handle_all_before_they_stop)

int main(void)
{
    return TAP_RUN(
        {"reads what was written", reads_what_was_written_in_both},
        {"writes past the cache", writes_past_the_cache_in_both},
        {"opens as told", opens_as_told_in_both}, {"locks once", locks_once_in_both},
        {"lists in byte order", lists_in_byte_order_in_both},
        {"renames and removes", renames_and_removes_in_both}, {"makes ids", makes_ids_in_both},
        {"runs forward", runs_forward_in_both}, {"gives random bytes", gives_random_bytes_in_both},
        {"actors handle all before they stop", actors_handle_all_before_they_stop_in_both});
}
