/*
 * The simulated disk when the power fails and when it breaks. Most cases run one story with many
 * seeds and then say which endings must never be seen, and which must be seen sometimes: a disk
 * that is kinder than a real one would test nothing.
 */
#include "base/env_sim.h"
#include "tap/tap.h"

#include <string.h>

enum { SEEDS = 300 };
#define SECTOR ((size_t)512)

static struct sl_env *env;
static struct sl_error error;

static struct sl_file *open_file(const char *path)
{
    struct sl_file *file = NULL;

    CHECK(sl_disk_open(env, path, SL_OPEN_WRITE | SL_OPEN_CREATE, &file, &error) == SL_OK);
    return file;
}

static void fill(struct sl_file *file, uint64_t offset, char byte, size_t len)
{
    static char bytes[16 * SECTOR];

    SL_ASSERT(len <= sizeof bytes);
    memset(bytes, byte, len);
    CHECK(sl_file_write(file, offset, bytes, len, &error) == SL_OK);
}

static bool exists(const char *path)
{
    struct sl_slice bytes;

    return sl_sim_disk_peek(env, path, &bytes) == SL_OK;
}

static struct sl_slice content(const char *path)
{
    struct sl_slice bytes = {0};

    CHECK(sl_sim_disk_peek(env, path, &bytes) == SL_OK);
    return bytes;
}

/* Runs `story` with each seed; `ending` gives the number of the ending, below 8. Returns what was
 * seen as bits. */
static unsigned endings(void (*story)(void), unsigned (*ending)(void))
{
    unsigned seen = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (!CHECK(sl_env_sim_new(seed, &env) == SL_OK))
            return 0;
        story();
        sl_sim_power_loss(env);
        seen |= 1U << ending();
        sl_env_free(env);
    }
    return seen;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

enum { OLD, NEW, TORN, OTHER };

/* A durable file of eight sectors of 'o', in a synced folder. */
static struct sl_file *old_file(void)
{
    struct sl_file *file = open_file("f");

    fill(file, 0, 'o', 8 * SECTOR);
    CHECK(sl_file_sync(file, &error) == SL_OK);
    CHECK(sl_disk_sync_folder(env, ".", &error) == SL_OK);
    return file;
}

/* Whole sectors of 'o' or of 'n', eight of them. */
static unsigned old_or_new(void)
{
    const struct sl_slice bytes = content("f");
    unsigned new = 0;

    if (bytes.len != 8 * SECTOR)
        return OTHER;
    for (size_t i = 0; i < 8; i++) {
        const uint8_t byte = bytes.ptr[i * SECTOR];
        for (size_t j = 0; j < SECTOR; j++)
            if ((byte != 'o' && byte != 'n') || bytes.ptr[i * SECTOR + j] != byte)
                return OTHER;
        new += byte == 'n';
    }
    return new == 0 ? OLD : new == 8 ? NEW : TORN;
}

static void overwrite(void)
{
    struct sl_file *file = old_file();

    fill(file, 0, 'n', 8 * SECTOR);
    sl_file_close(file); /* closing syncs nothing */
}

static void overwrite_and_sync(void)
{
    struct sl_file *file = old_file();

    fill(file, 0, 'n', 8 * SECTOR);
    CHECK(sl_file_sync(file, &error) == SL_OK);
    sl_file_close(file);
}

static char new_bytes[8 * SECTOR];

static void overwrite_durably(void)
{
    struct sl_file *file = old_file();

    fill(file, 0, 'x', 8 * SECTOR); /* must not come back over what follows */
    CHECK(sl_file_write_durable(file, 0, new_bytes, sizeof new_bytes, &error) == SL_OK);
    sl_file_close(file);
}

static void overwrite_and_be_cut_off(void)
{
    struct sl_file *file = old_file();

    sl_sim_power_loss_at(env, 1);
    CHECK(sl_file_write_durable(file, 0, new_bytes, sizeof new_bytes, &error) == SL_IO);
    CHECK(sl_file_sync(file, &error) == SL_IO);
    sl_file_close(file);
}

static void unsynced_writes_may_be_lost_and_torn(void)
{
    CHECK_U64(endings(overwrite, old_or_new), 1U << OLD | 1U << NEW | 1U << TORN);
}

static void synced_writes_stay(void)
{
    CHECK_U64(endings(overwrite_and_sync, old_or_new), 1U << NEW);
    CHECK_U64(endings(overwrite_durably, old_or_new), 1U << NEW);
}

static void a_write_may_be_cut_off(void)
{
    CHECK_U64(endings(overwrite_and_be_cut_off, old_or_new), 1U << OLD | 1U << NEW | 1U << TORN);
}

/* Sector 0 is written first, then sector 4; which of them survived? */
static void write_two(void)
{
    struct sl_file *file = old_file();

    fill(file, 0, 'n', SECTOR);
    fill(file, 4 * SECTOR, 'n', SECTOR);
    sl_file_close(file);
}

static unsigned which_of_two(void)
{
    const struct sl_slice bytes = content("f");

    return (bytes.ptr[0] == 'n') + 2U * (bytes.ptr[4 * SECTOR] == 'n');
}

static void later_writes_may_survive_earlier_ones(void)
{
    CHECK_U64(endings(write_two, which_of_two), 0xF);
}

/* A durable write says nothing about others. */
static void write_two_one_durably(void)
{
    struct sl_file *file = old_file();

    fill(file, 0, 'n', SECTOR);
    CHECK(sl_file_write_durable(file, 4 * SECTOR, new_bytes, 10, &error) == SL_OK);
    sl_file_close(file);
}

static void durable_writes_are_alone(void)
{
    CHECK_U64(endings(write_two_one_durably, which_of_two), 1U << 2 | 1U << 3);
}

/* ---- Sizes ----------------------------------------------------------------------------------- */

static void append(void)
{
    struct sl_file *file = old_file();

    fill(file, 8 * SECTOR, 'n', 100);
    sl_file_close(file);
}

enum { SHORT, LONG, ZEROS, WRONG };

static unsigned appended(void)
{
    const struct sl_slice bytes = content("f");

    if (bytes.len == 8 * SECTOR)
        return SHORT;
    if (bytes.len != 8 * SECTOR + 100)
        return WRONG;
    return bytes.ptr[8 * SECTOR] == 'n' ? LONG : bytes.ptr[8 * SECTOR] == 0 ? ZEROS : WRONG;
}

static void append_durably(void)
{
    struct sl_file *file = old_file();

    CHECK(sl_file_write_durable(file, 8 * SECTOR, new_bytes, 100, &error) == SL_OK);
    sl_file_close(file);
}

static void appends_may_be_lost_or_zeros(void)
{
    CHECK_U64(endings(append, appended), 1U << SHORT | 1U << LONG | 1U << ZEROS);
    CHECK_U64(endings(append_durably, appended), 1U << LONG);
}

/* What lay beyond a cut never comes back into a file that grew again and was synced. */
static void cut_and_grow(void)
{
    struct sl_file *file = old_file();

    fill(file, SECTOR, 'n', 7 * SECTOR);
    CHECK(sl_file_truncate(file, SECTOR + 10, &error) == SL_OK);
    CHECK(sl_file_truncate(file, 8 * SECTOR, &error) == SL_OK);
    CHECK(sl_file_sync(file, &error) == SL_OK);
    sl_file_close(file);
}

static unsigned is_cut(void)
{
    const struct sl_slice bytes = content("f");

    if (bytes.len != 8 * SECTOR)
        return 1;
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != (i < SECTOR ? 'o' : i < SECTOR + 10 ? 'n' : 0))
            return 1;
    return 0;
}

static void cut(void)
{
    struct sl_file *file = old_file();

    CHECK(sl_file_truncate(file, 100, &error) == SL_OK);
    sl_file_close(file);
}

static unsigned has_old_size(void)
{
    const size_t len = content("f").len;

    return len == 8 * SECTOR ? 1 : len == 100 ? 0 : 2;
}

static void cuts_may_be_lost_until_synced(void)
{
    CHECK_U64(endings(cut_and_grow, is_cut), 1);
    CHECK_U64(endings(cut, has_old_size), 3);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void create_and_sync_bytes(void)
{
    struct sl_file *file = open_file("f");

    fill(file, 0, 'o', 8 * SECTOR);
    CHECK(sl_file_sync(file, &error) == SL_OK);
    sl_file_close(file);
}

static unsigned is_there(void)
{
    return exists("f");
}

static void names_need_a_synced_folder(void)
{
    CHECK_U64(endings(create_and_sync_bytes, is_there), 3);
    CHECK_U64(endings(overwrite, is_there), 2);
}

/* The usual way to replace a file: write beside it, sync, rename, sync the folder. */
static void replace(void)
{
    struct sl_file *file = open_file("f.tmp");

    CHECK(sl_file_write_durable(file, 0, new_bytes, sizeof new_bytes, &error) == SL_OK);
    sl_file_close(file);
    CHECK(sl_disk_rename(env, "f.tmp", "f", &error) == SL_OK);
}

static void replace_unsynced(void)
{
    sl_file_close(old_file());
    replace();
}

static void replace_synced(void)
{
    sl_file_close(old_file());
    replace();
    CHECK(sl_disk_sync_folder(env, "", &error) == SL_OK);
    CHECK(!exists("f.tmp"));
}

static void replace_and_be_cut_off(void)
{
    sl_file_close(old_file());
    sl_sim_power_loss_at(env, 3); /* 1: the new name, 2: the write, 3: the rename */
    struct sl_file *file = open_file("f.tmp");
    CHECK(sl_file_write_durable(file, 0, new_bytes, sizeof new_bytes, &error) == SL_OK);
    sl_file_close(file);
    CHECK(sl_disk_rename(env, "f.tmp", "f", &error) == SL_IO);
}

static void renames_are_old_or_new(void)
{
    CHECK_U64(endings(replace_unsynced, old_or_new), 1U << OLD | 1U << NEW);
    CHECK_U64(endings(replace_synced, old_or_new), 1U << NEW);
    CHECK_U64(endings(replace_and_be_cut_off, old_or_new), 1U << OLD | 1U << NEW);
}

/* A file moves between folders; only the new one is synced. It must be there, and there alone. */
static void move(void)
{
    CHECK(sl_disk_make_folder(env, "a", &error) == SL_OK);
    CHECK(sl_disk_make_folder(env, "b", &error) == SL_OK);
    sl_file_close(open_file("a/f"));
    CHECK(sl_disk_rename(env, "a/f", "b/f", &error) == SL_OK);
    CHECK(sl_disk_sync_folder(env, "b", &error) == SL_OK);
}

static unsigned where_it_is(void)
{
    return exists("a/f") + 2U * exists("b/f");
}

static void moves_are_whole(void)
{
    CHECK_U64(endings(move, where_it_is), 1U << 2);
}

static void remove_it(void)
{
    sl_file_close(old_file());
    CHECK(sl_disk_remove(env, "f", &error) == SL_OK);
    CHECK(!exists("f"));
}

static void remove_it_and_sync(void)
{
    remove_it();
    CHECK(sl_disk_sync_folder(env, ".", &error) == SL_OK);
}

static void removed_names_may_come_back(void)
{
    CHECK_U64(endings(remove_it, is_there), 3);
    CHECK_U64(endings(remove_it_and_sync, is_there), 1);
}

/* ---- Breakage -------------------------------------------------------------------------------- */

/* As Linux: the second sync says that all is well, and it is not. */
static void sync_fails_once(void)
{
    struct sl_file *file = old_file();

    fill(file, 0, 'n', 8 * SECTOR);
    sl_sim_disk_fail_at(env, 1);
    CHECK(sl_file_sync(file, &error) == SL_IO);
    CHECK(sl_file_sync(file, &error) == SL_OK);
    CHECK(old_or_new() == NEW); /* what reads show */
    sl_file_close(file);
}

static void failed_syncs_lose_writes(void)
{
    CHECK_U64(endings(sync_fails_once, old_or_new), 1U << OLD | 1U << NEW | 1U << TORN);
}

static void any_call_can_fail(void)
{
    REQUIRE(sl_env_sim_new(1, &env) == SL_OK);
    for (uint64_t n = 1; n <= 8; n++) {
        struct sl_file *file = NULL;
        char byte;
        size_t len;
        uint64_t size;
        unsigned failed = 0;

        sl_sim_disk_fail_at(env, n);
        failed += sl_disk_make_folder(env, "a", &error) == SL_IO;
        failed += sl_disk_open(env, "f", SL_OPEN_WRITE | SL_OPEN_CREATE, &file, &error) == SL_IO;
        if (!file)
            file = open_file("f");
        failed += sl_file_write(file, 0, "x", 1, &error) == SL_IO;
        failed += sl_file_read(file, 0, &byte, 1, &len, &error) == SL_IO;
        failed += sl_file_size(file, &size, &error) == SL_IO;
        failed += sl_file_truncate(file, 0, &error) == SL_IO;
        failed += sl_file_lock(file, &error) == SL_IO;
        sl_file_close(file);
        failed += sl_disk_remove(env, "f", &error) == SL_IO;
        CHECK_U64(failed, 1);
    }
    sl_env_free(env);
}

static void the_disk_can_be_full(void)
{
    struct sl_slice bytes;

    REQUIRE(sl_env_sim_new(1, &env) == SL_OK);
    struct sl_file *file = old_file();
    sl_sim_disk_size(env, 9 * SECTOR);
    fill(file, 0, 'n', 8 * SECTOR); /* takes no more room */
    fill(file, 8 * SECTOR, 'n', 100);
    CHECK(sl_file_write(file, 8 * SECTOR + 100, new_bytes, SECTOR, &error) == SL_LIMIT);
    CHECK_STRING(error.message, "cannot write f: the disk is full");
    CHECK(sl_sim_disk_peek(env, "f", &bytes) == SL_OK && bytes.len == 9 * SECTOR);
    CHECK(sl_file_truncate(file, 10 * SECTOR, &error) == SL_LIMIT);
    struct sl_file *other = open_file("g");
    CHECK(sl_file_write_durable(other, 0, "x", 1, &error) == SL_LIMIT);
    CHECK(sl_file_truncate(file, 8 * SECTOR, &error) == SL_OK);
    CHECK(sl_file_write_durable(other, 0, "x", 1, &error) == SL_OK);
    sl_file_close(file);
    CHECK(sl_disk_remove(env, "f", &error) == SL_OK);
    CHECK(sl_disk_sync_folder(env, ".", &error) == SL_OK);
    CHECK(sl_file_write(other, 0, new_bytes, 8 * SECTOR, &error) == SL_OK);
    sl_sim_disk_size(env, 0);
    CHECK(sl_file_write(other, UINT64_C(1) << 40, "x", 1, &error) == SL_LIMIT);
    sl_file_close(other);
    sl_env_free(env);
}

static void bytes_can_be_damaged(void)
{
    struct sl_slice bytes;
    const struct sl_slice damage = {(const uint8_t *)"!", 1};

    REQUIRE(sl_env_sim_new(1, &env) == SL_OK);
    struct sl_file *file = old_file();
    const uint64_t calls = sl_sim_disk_calls(env);
    CHECK(sl_sim_disk_poke(env, "f", 700, damage) == SL_OK);
    CHECK(sl_sim_disk_poke(env, "f", 8 * SECTOR, damage) == SL_INVALID);
    CHECK(sl_sim_disk_poke(env, "g", 0, damage) == SL_NOT_FOUND);
    CHECK(sl_sim_disk_peek(env, "g", &bytes) == SL_NOT_FOUND);
    CHECK_U64(sl_sim_disk_calls(env), calls);
    CHECK(content("f").ptr[700] == '!' && content("f").ptr[699] == 'o');
    sl_sim_power_loss(env);
    CHECK(content("f").ptr[700] == '!');
    sl_file_close(file);
    sl_env_free(env);
}

/* After any story, synced means synced: what reads show is what a power loss leaves. */
static void syncs_are_complete(void)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        static uint8_t before[64 * SECTOR];

        REQUIRE(sl_env_sim_new(seed, &env) == SL_OK);
        struct sl_file *file = old_file();
        for (int i = 0; i < 30; i++) {
            const uint64_t at = sl_sim_random(env, 20 * SECTOR);
            const size_t len = (size_t)sl_sim_random(env, 5 * SECTOR);
            const char byte = (char)('a' + sl_sim_random(env, 26));

            if (sl_sim_random(env, 4) == 0)
                CHECK(sl_file_truncate(file, at, &error) == SL_OK);
            else if (sl_sim_random(env, 4) == 0)
                CHECK(sl_file_write_durable(file, at, new_bytes, len, &error) == SL_OK);
            else
                fill(file, at, byte, len);
        }
        CHECK(sl_file_sync(file, &error) == SL_OK);
        const struct sl_slice now = content("f");
        REQUIRE(now.len <= sizeof before);
        memcpy(before, now.ptr, now.len);
        sl_sim_power_loss(env);
        sl_file_close(file);
        const struct sl_slice after = content("f");
        REQUIRE(after.len == now.len && memcmp(after.ptr, before, after.len) == 0);
        sl_env_free(env);
    }
}

/* From the second call on everything fails; on a full disk only what needs room. */
static void faults_last(void)
{
    REQUIRE(sl_env_sim_new(1, &env) == SL_OK);
    struct sl_file *file = open_file("f");
    const uint64_t calls = sl_sim_disk_all_calls(env);
    char byte;
    size_t len;

    sl_sim_disk_fault(env, 2, 2, SL_IO);
    CHECK(sl_file_write(file, 0, "x", 1, &error) == SL_OK);
    CHECK(sl_file_write(file, 0, "y", 1, &error) == SL_IO);
    CHECK(sl_file_read(file, 0, &byte, 1, &len, &error) == SL_IO);
    CHECK(sl_file_read(file, 0, &byte, 1, &len, &error) == SL_OK);
    CHECK_U64(sl_sim_disk_all_calls(env) - calls, 4);
    sl_sim_disk_fault(env, 1, UINT64_MAX, SL_LIMIT);
    CHECK(sl_file_write(file, 1, "y", 1, &error) == SL_LIMIT);
    CHECK(sl_disk_rename(env, "f", "g", &error) == SL_LIMIT);
    CHECK(sl_file_sync(file, &error) == SL_OK);
    CHECK(sl_disk_remove(env, "f", &error) == SL_OK);
    CHECK(sl_disk_sync_folder(env, ".", &error) == SL_OK);
    sl_sim_disk_fault(env, 0, 1, SL_IO);
    sl_sim_disk_slow(env, 1000);
    for (int i = 0; i < 10; i++)
        CHECK(sl_file_write(file, 0, "z", 1, &error) == SL_OK);
    CHECK(sl_env_monotonic(env) > 0);
    sl_file_close(file);
    sl_env_free(env);
}

int main(void)
{
    memset(new_bytes, 'n', sizeof new_bytes);
    return TAP_RUN(
        {"unsynced writes may be lost and torn", unsynced_writes_may_be_lost_and_torn},
        {"synced writes stay", synced_writes_stay},
        {"a write may be cut off", a_write_may_be_cut_off},
        {"later writes may survive earlier ones", later_writes_may_survive_earlier_ones},
        {"durable writes are alone", durable_writes_are_alone},
        {"appends may be lost or zeros", appends_may_be_lost_or_zeros},
        {"cuts may be lost until synced", cuts_may_be_lost_until_synced},
        {"names need a synced folder", names_need_a_synced_folder},
        {"renames are old or new", renames_are_old_or_new}, {"moves are whole", moves_are_whole},
        {"removed names may come back", removed_names_may_come_back},
        {"failed syncs lose writes", failed_syncs_lose_writes},
        {"any call can fail", any_call_can_fail}, {"the disk can be full", the_disk_can_be_full},
        {"bytes can be damaged", bytes_can_be_damaged}, {"syncs are complete", syncs_are_complete},
        {"faults last", faults_last});
}
