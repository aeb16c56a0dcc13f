/*
 * Snapshots: a state that was kept, and what came after it, is the state of the whole history (C2),
 * whatever becomes of the files; and what another history left there is not believed (L4, P9).
 */
#include "command/bench_writer.h"
#include "command/snapshot_index.h"
#include "command/snapshots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap/tap.h"

/* The machine that loses its power frees nothing. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

enum { ACCOUNTS = 4, FILES_MAX = 64 };

static const char folder[] = "data/snapshots";
static const char *const names[ACCOUNTS] = {"ada", "ben", "cleo", "dan"};
static struct rig rig;
static struct sl_writer_numbers numbers; /* of all reigns of a life */

static void count_numbers(void)
{
    struct sl_writer_numbers now;

    sl_writer_numbers(rig.writer, &now);
    numbers.snapshots_kept += now.snapshots_kept;
    numbers.snapshots_used += now.snapshots_used;
}

static bool begin(uint64_t seed)
{
    numbers = (struct sl_writer_numbers){0};
    return CHECK(rig_open(&rig, seed, (struct rig_options){1, folder, 3, NULL}));
}

static bool again(void)
{
    count_numbers();
    return CHECK(rig_reopen(&rig));
}

static void live(int commands)
{
    static const char *const notes[] = {"", "short", "a rather longer note than the others"};

    while (commands-- > 0 && !sl_sim_power_is_out(rig.env)) {
        const char *one = names[sl_sim_random(rig.env, ACCOUNTS)];
        const char *two = names[sl_sim_random(rig.env, ACCOUNTS)];
        if (rig.command_count == RIG_COMMANDS_MAX)
            return;
        if (sl_sim_random(rig.env, 20) == 0)
            sl_event_store_fault_append(rig.faults, 1, SL_APPEND_FAILED, false);
        switch (sl_sim_random(rig.env, 5)) {
        case 0:
            rig_send(&rig, rig_put(&rig, one, (int64_t)sl_sim_random(rig.env, 20)));
            break;
        case 1:
            rig_send(&rig, rig_move(&rig, one, two, 1));
            break;
        case 2:
            rig_send(&rig, rig_ping(&rig, one));
            break;
        case 3: /* so many that it is kept while it is in use */
            rig_send(&rig, rig_many(&rig, one, (uint32_t)sl_sim_random(rig.env, 90), 3));
            break;
        default:
            rig_send(&rig, rig_note(&rig, one, notes[sl_sim_random(rig.env, 3)]));
            break;
        }
        rig_step(&rig, (int)sl_sim_random(rig.env, 40));
    }
}

struct states {
    struct rig_seen seen[ACCOUNTS];
    char notes[ACCOUNTS][256];
};

static void look(struct states *out)
{
    sl_event_store_fault_append(rig.faults, 0, SL_APPEND_FAILED, false);
    for (size_t i = 0; i < ACCOUNTS; i++) {
        CHECK(rig_look(&rig, names[i]));
        out->seen[i] = rig.seen;
        snprintf(out->notes[i], sizeof out->notes[i], "%s", rig.seen_note);
    }
}

static void check_same(const struct states *a, const struct states *b)
{
    for (size_t i = 0; i < ACCOUNTS; i++) {
        bool good = CHECK_U64(a->seen[i].balance, b->seen[i].balance);
        good = good && CHECK_U64(a->seen[i].events, b->seen[i].events);
        good = good && CHECK_U64(a->seen[i].folded, b->seen[i].folded);
        good = good && CHECK_STRING(a->notes[i], b->notes[i]);
        if (!good)
            tap_note("account %s", names[i]);
    }
}

/* With the files, and without: the same. */
static void check_and_close(void)
{
    struct states with, without;

    CHECK(rig_wait_all(&rig));
    if (!again())
        return;
    look(&with);
    count_numbers();
    rig.options.snapshots = NULL;
    REQUIRE(rig_reopen(&rig));
    look(&without);
    check_same(&with, &without);
    CHECK(!rig.bad);
    rig_close(&rig);
}

static void restarts(void)
{
    uint64_t used = 0;

    for (uint64_t seed = 1; seed <= TAP_TIMES(30, 6); seed++) {
        REQUIRE(begin(seed));
        for (int reign = 0; reign < 4; reign++) {
            live(40);
            CHECK(rig_wait_all(&rig));
            REQUIRE(again());
        }
        check_and_close();
        CHECK(numbers.snapshots_kept > 0);
        used += numbers.snapshots_used;
    }
    CHECK(used > 100);
}

static void power_fails(void)
{
    uint64_t used = 0;

    for (uint64_t seed = 1; seed <= TAP_TIMES(60, 12); seed++) {
        REQUIRE(begin(seed));
        for (int reign = 0; reign < 4; reign++) {
            live(20);
            sl_sim_power_loss_at(rig.env, 1 + sl_sim_random(rig.env, 60));
            live(60);
            count_numbers();
            rig_crash(&rig);
            sl_sim_power_loss_at(rig.env, 0);
            REQUIRE(CHECK(rig_start(&rig)));
        }
        live(20);
        check_and_close();
        used += numbers.snapshots_used;
    }
    CHECK(used > 100);
}

/* L4: an aggregate in use is kept when a batch comes back; the next one, which it knows of,
 * fails. */
static void not_before_durable(void)
{
    struct rig_command *many, *put;

    REQUIRE(begin(1));
    rig.options.aggregate_memory_max = 0;
    REQUIRE(again());
    many = rig_many(&rig, "ada", 200, 3);
    put = rig_put(&rig, "ada", 5);
    sl_event_store_fault_delay(rig.faults, 1, 300000000);
    rig_send(&rig, many);
    rig_step(&rig, 200);
    sl_event_store_fault_append(rig.faults, 1, SL_APPEND_FAILED, false);
    rig_send(&rig, put);
    CHECK(rig_wait_all(&rig));
    CHECK_U64(many->status, 201);
    CHECK_U64(put->status, 503);
    CHECK_U64(rig_do(&rig, rig_put(&rig, "ada", 7)), 201);
    check_and_close();
}

/* ---- What else becomes of the files ---------------------------------------------------------- */

struct listing {
    char names[FILES_MAX][64];
    size_t count;
};

static void note_name(void *context, const char *name)
{
    struct listing *listing = context;

    if (listing->count < FILES_MAX)
        snprintf(listing->names[listing->count++], sizeof listing->names[0], "%s", name);
}

static void list(const char *path, struct listing *out)
{
    struct sl_error error = {0};

    *out = (struct listing){.count = 0};
    (void)!sl_disk_list(rig.env, path, note_name, out, &error);
}

static void damage_some(void)
{
    struct listing files;
    char path[128];

    list(folder, &files);
    CHECK(files.count > 0);
    for (size_t i = 0; i < files.count; i++) {
        struct sl_slice bytes = {0};
        snprintf(path, sizeof path, "%s/%s", folder, files.names[i]);
        if (!CHECK(sl_sim_disk_peek(rig.env, path, &bytes) == SL_OK))
            continue;
        for (int k = 0; k < 3; k++) {
            const uint64_t at = sl_sim_random(rig.env, bytes.len);
            const uint8_t byte = (uint8_t)(bytes.ptr[at] ^ (1u << sl_sim_random(rig.env, 8)));
            CHECK(sl_sim_disk_poke(rig.env, path, at, (struct sl_slice){&byte, 1}) == SL_OK);
        }
    }
}

static void damage(void)
{
    for (uint64_t seed = 1; seed <= TAP_TIMES(40, 8); seed++) {
        REQUIRE(begin(seed));
        for (int reign = 0; reign < 2; reign++) {
            live(60);
            CHECK(rig_wait_all(&rig));
            rig_stop(&rig);
            damage_some();
            REQUIRE(CHECK(rig_start(&rig)));
        }
        check_and_close();
    }
}

static void deleted(void)
{
    struct listing files;
    struct sl_error error = {0};
    char path[128];

    REQUIRE(begin(5));
    live(100);
    CHECK(rig_wait_all(&rig));
    rig_stop(&rig);
    list(folder, &files);
    CHECK(files.count > 0);
    for (size_t i = 0; i < files.count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files.names[i]);
        CHECK(sl_disk_remove(rig.env, path, &error) == SL_OK);
    }
    REQUIRE(CHECK(rig_start(&rig)));
    live(20);
    check_and_close();
}

static void disk_fails(void)
{
    for (uint64_t seed = 1; seed <= TAP_TIMES(30, 6); seed++) {
        REQUIRE(begin(seed));
        for (int i = 0; i < 100; i++) {
            if (i % 10 == 9)
                sl_sim_disk_fail_at(rig.env, 1 + sl_sim_random(rig.env, 8));
            live(1);
        }
        sl_sim_disk_fail_at(rig.env, 0);
        check_and_close();
    }
}

/* ---- Other histories ------------------------------------------------------------------------- */

struct copy {
    struct listing files;
    struct sl_slice bytes[FILES_MAX];
};

static void take_copy(const char *path, struct copy *out)
{
    list(path, &out->files);
    for (size_t i = 0; i < out->files.count; i++) {
        char name[128];
        struct sl_slice bytes = {0};
        snprintf(name, sizeof name, "%s/%s", path, out->files.names[i]);
        CHECK(sl_sim_disk_peek(rig.env, name, &bytes) == SL_OK);
        uint8_t *copy = malloc(bytes.len + 1);
        if (bytes.len > 0)
            memcpy(copy, bytes.ptr, bytes.len);
        out->bytes[i] = (struct sl_slice){copy, bytes.len};
    }
}

static void put_back(const char *path, struct copy *copy)
{
    struct listing now;
    struct sl_error error = {0};
    char name[128];

    list(path, &now);
    for (size_t i = 0; i < now.count; i++) {
        snprintf(name, sizeof name, "%s/%s", path, now.names[i]);
        CHECK(sl_disk_remove(rig.env, name, &error) == SL_OK);
    }
    CHECK(sl_disk_make_folder(rig.env, path, &error) == SL_OK);
    for (size_t i = 0; i < copy->files.count; i++) {
        struct sl_file *file = NULL;
        snprintf(name, sizeof name, "%s/%s", path, copy->files.names[i]);
        CHECK(sl_disk_open(rig.env, name, SL_OPEN_WRITE | SL_OPEN_CREATE, &file, &error) ==
                  SL_OK &&
              sl_file_write(file, 0, copy->bytes[i].ptr, copy->bytes[i].len, &error) == SL_OK);
        sl_file_close(file);
        free((void *)(uintptr_t)copy->bytes[i].ptr);
    }
}

/* A backup of the log is restored, the snapshots are of what came after it. */
static void restored_log(void)
{
    for (uint64_t seed = 1; seed <= TAP_TIMES(10, 4); seed++) {
        struct copy copy;

        REQUIRE(begin(seed));
        live(50);
        CHECK(rig_wait_all(&rig));
        rig_stop(&rig);
        take_copy("data/log", &copy);
        REQUIRE(CHECK(rig_start(&rig)));
        live(50);
        CHECK(rig_wait_all(&rig));
        rig_stop(&rig);
        put_back("data/log", &copy);
        rig.next_position = 0;
        memset(rig.streams, 0, sizeof rig.streams);
        rig.missed = true;
        rig.command_count = 0;
        REQUIRE(CHECK(rig_start(&rig)));
        /* Another history, longer than the one that was lost. */
        live(90);
        check_and_close();
    }
}

static void another_log(void)
{
    struct copy copy;

    REQUIRE(begin(1));
    live(80);
    CHECK(rig_wait_all(&rig));
    rig_stop(&rig);
    take_copy(folder, &copy);
    sl_model_close(&rig.model);
    sl_env_free(rig.env);
    CHECK(copy.files.count > 0);
    REQUIRE(begin(2));
    live(80);
    CHECK(rig_wait_all(&rig));
    rig_stop(&rig);
    put_back(folder, &copy);
    REQUIRE(CHECK(rig_start(&rig)));
    live(10);
    check_and_close();
}

/* A program whose accounts mean something else makes them anew of their histories. */
static void another_meaning(void)
{
    static const struct sl_domain *const changed[] = {&rig_domain_evolved, &rig_domain_reordered};
    struct sl_error error = {0};

    for (size_t i = 0; i < 2; i++) {
        REQUIRE(begin(3));
        live(80);
        CHECK(rig_wait_all(&rig));
        rig_stop(&rig);
        sl_model_close(&rig.model);
        REQUIRE(CHECK(sl_model_init(&rig.model, changed[i], &error) == SL_OK));
        REQUIRE(CHECK(rig_start(&rig)));
        live(10);
        check_and_close();
    }
}

/* ---- The files alone ------------------------------------------------------------------------- */

static void index_forgets_the_oldest(void)
{
    struct sl_snapshot_index index;

    REQUIRE(sl_snapshot_index_init(&index, 1) == SL_OK); /* one bucket of eight */
    for (uint32_t i = 1; i <= 8; i++)
        sl_snapshot_index_add(&index, (uint64_t)i << 32, (struct sl_snapshot_place){i, 7});
    sl_snapshot_index_add(&index, UINT64_C(3) << 32, (struct sl_snapshot_place){9, 1});
    sl_snapshot_index_add(&index, UINT64_C(2) << 32, (struct sl_snapshot_place){1, 9}); /* late */
    sl_snapshot_index_add(&index, UINT64_C(77) << 32, (struct sl_snapshot_place){10, 1});
    CHECK_U64(sl_snapshot_index_find(&index, UINT64_C(1) << 32).file, 0);
    CHECK_U64(sl_snapshot_index_find(&index, UINT64_C(2) << 32).file, 2);
    CHECK_U64(sl_snapshot_index_find(&index, UINT64_C(3) << 32).file, 9);
    CHECK_U64(sl_snapshot_index_find(&index, UINT64_C(77) << 32).file, 10);
    sl_snapshot_index_close(&index);
}

static void wait_for_mail(struct sl_env *env, struct sl_mailbox *mailbox)
{
    for (int i = 0; i < 1000 && !sl_mailbox_take_all(mailbox); i++)
        if (!sl_sim_step(env))
            sl_sim_advance(env, 1000000);
}

enum { STATE = 1000 };

/* Of `count` snapshots of so many names, the newest of each that is found is the right one. */
static unsigned find_newest(struct sl_snapshots *snapshots, struct sl_mailbox *mailbox,
                            uint64_t count, uint64_t name_count)
{
    unsigned found = 0;

    for (uint64_t i = 0; i < name_count; i++) {
        const uint64_t last = i + name_count < count ? i + name_count : i;
        char name[16];
        const int len = snprintf(name, sizeof name, "a/%llu", (unsigned long long)i);
        struct sl_snapshot_get get = {.message = {.reply_to = mailbox, .kind = 6},
                                      .name = {name, (size_t)len}};
        sl_snapshots_get(snapshots, &get);
        wait_for_mail(rig.env, mailbox);
        found += get.found;
        if (get.found) {
            CHECK_U64(get.snapshot.position, last + 1);
            CHECK_U64(get.snapshot.state.len, STATE);
            CHECK_U64(get.snapshot.state.ptr[0], (uint8_t)last);
        }
        CHECK(get.found || last + 300 < count);
        sl_arena_close(&get.arena);
        get.log.bytes[3] = 1; /* another log's */
        sl_snapshots_get(snapshots, &get);
        wait_for_mail(rig.env, mailbox);
        CHECK(!get.found);
        sl_arena_close(&get.arena);
    }
    return found;
}

/* The room on the disk is bounded: the oldest files go, the newest snapshots stay. */
static void room_is_bounded(void)
{
    enum { SNAPSHOTS = 2000, NAMES = 1500 };
    static uint8_t state[STATE];
    struct sl_snapshots *snapshots = NULL;
    struct sl_mailbox *mailbox = NULL;
    struct sl_error error = {0};
    struct listing files;

    REQUIRE(sl_env_sim_new(1, &rig.env) == SL_OK);
    REQUIRE(sl_mailbox_new(NULL, NULL, &mailbox) == SL_OK);
    const struct sl_snapshots_options options = {.env = rig.env,
                                                 .folder = "kept",
                                                 .index_bytes = 1 << 20,
                                                 .disk_bytes = 500000,
                                                 .file_bytes = 100000};
    REQUIRE(sl_snapshots_start(&options, &snapshots, &error) == SL_OK);
    for (uint64_t i = 0; i < SNAPSHOTS; i++) {
        char name[16];
        const int len = snprintf(name, sizeof name, "a/%llu", (unsigned long long)i % NAMES);
        state[0] = (uint8_t)i;
        struct sl_snapshot_put put = {.message = {.reply_to = mailbox, .kind = 5},
                                      .snapshot = {.name = {name, (size_t)len},
                                                   .position = i + 1,
                                                   .state = {state, STATE}}};
        sl_snapshots_put(snapshots, &put);
        wait_for_mail(rig.env, mailbox);
        CHECK_U64(put.message.kind, 5);
    }
    list("kept", &files);
    CHECK(files.count >= 4 && files.count <= 5);
    for (int restarted = 0; restarted < 2; restarted++) {
        const unsigned found = find_newest(snapshots, mailbox, SNAPSHOTS, NAMES);
        CHECK(found > 300 && found < 500);
        sl_snapshots_stop(snapshots);
        snapshots = NULL;
        if (!restarted) {
            REQUIRE(sl_snapshots_start(&options, &snapshots, &error) == SL_OK);
            sl_sim_run(rig.env, sl_env_monotonic(rig.env) + 1000000000);
        }
    }
    sl_mailbox_free(mailbox);
    sl_env_free(rig.env);
}

int main(void)
{
    return TAP_RUN({"the index forgets the oldest", index_forgets_the_oldest},
                   {"the room on the disk is bounded", room_is_bounded},
                   {"states over restarts", restarts},
                   {"states over power losses", power_fails},
                   {"nothing is kept before it is durable", not_before_durable},
                   {"damaged files", damage},
                   {"deleted files", deleted},
                   {"a disk that fails", disk_fails},
                   {"a log that was restored", restored_log},
                   {"snapshots of another log", another_log},
                   {"aggregates that mean something else", another_meaning});
}
