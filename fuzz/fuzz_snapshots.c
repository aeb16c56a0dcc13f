/*
 * Any bytes as a file of snapshots. The first byte says what they are: 0: the file itself; else
 * patches of a good file, three bytes of place and one of content each. 1: before it is read at the
 * start, its checksums made right again, so that these do not stand between the fuzzer and what
 * lies behind; 2: the same without that; 3: after it was read, so that memory knows what the disk
 * has no more. Nothing may crash; what is found is of the name that was asked for; and where no
 * checksum was made right, it is what was kept.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/env_sim.h"
#include "base/hash.h"
#include "base/queue.h"
#include "command/snapshots.h"

enum { NAMES = 5, VERSIONS = 3, HEADER = 4096, FRAME_HEAD = 80 };
enum how { ANY_FILE, SEALED, DAMAGED, DAMAGED_LATER };

static const char path[] = "snapshots/00000001.snap";
static const struct sl_uuid log_id = {{1, 2, 3}};
static struct sl_mailbox *answers;

static struct sl_snapshots *start(struct sl_env *env)
{
    const struct sl_snapshots_options options = {
        .env = env, .folder = "snapshots", .index_bytes = 1 << 16};
    struct sl_snapshots *snapshots;
    struct sl_error error;

    SL_ASSERT(sl_snapshots_start(&options, &snapshots, &error) == SL_OK);
    return snapshots;
}

static void run(struct sl_env *env)
{
    while (sl_sim_step(env))
        ;
    while (sl_mailbox_take_all(answers))
        ;
}

/* The state that was kept of a name the nth time: of another length each time. */
static size_t state_of(size_t name, size_t version, uint8_t out[64])
{
    const size_t len = name * 9 + version * 3;

    memset(out, (int)(16 * name + version), len);
    return len;
}

static struct sl_text name_of(size_t name)
{
    static const char *const names[NAMES] = {"a", "account/b", "account/bb", "", "account/0123456"};

    return (struct sl_text){names[name], strlen(names[name])};
}

static void make_good(struct sl_env *env)
{
    struct sl_snapshots *snapshots = start(env);
    uint8_t state[64];

    for (size_t i = 0; i < (size_t)NAMES * VERSIONS; i++) {
        const size_t len = state_of(i % NAMES, i / NAMES, state);
        struct sl_snapshot_put put = {.message = {.reply_to = answers, .kind = 5},
                                      .snapshot = {.name = name_of(i % NAMES),
                                                   .log = log_id,
                                                   .salt = 7,
                                                   .position = i,
                                                   .revision = i / NAMES,
                                                   .digest = 9,
                                                   .state = {state, len}}};
        sl_snapshots_put(snapshots, &put);
        run(env);
    }
    sl_snapshots_stop(snapshots);
}

static void put_file(struct sl_env *env, const uint8_t *bytes, size_t len)
{
    struct sl_error error;
    struct sl_file *file;

    SL_ASSERT(sl_disk_open(env, path, SL_OPEN_WRITE | SL_OPEN_CREATE, &file, &error) == SL_OK);
    SL_ASSERT(len == 0 || sl_file_write(file, 0, bytes, len, &error) == SL_OK);
    sl_file_close(file);
}

/* Makes the checksums of the header and of each frame right, as far as the frames say their size.
 */
static void seal(uint8_t *file, size_t size)
{
    sl_put_le64(file + 16, sl_hash64(file, 16, 0));
    for (size_t at = HEADER; at + FRAME_HEAD <= size;) {
        const size_t bytes = sl_le32(file + at);
        if (bytes < FRAME_HEAD || bytes > size - at)
            return;
        sl_put_le64(file + at + 8, sl_hash64(file + at + 16, bytes - 16, UINT64_C(1) << 32 ^ at));
        at += bytes;
    }
}

static void patch(struct sl_env *env, const uint8_t *bytes, size_t len, bool seals)
{
    struct sl_slice now;

    SL_ASSERT(sl_sim_disk_peek(env, path, &now) == SL_OK);
    const size_t size = now.len;
    uint8_t *file = malloc(size);
    SL_ASSERT(file);
    memcpy(file, now.ptr, size);
    for (; len >= 4; bytes += 4, len -= 4)
        file[(bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16) % size] ^= bytes[3];
    if (seals)
        seal(file, size);
    put_file(env, file, size);
    free(file);
}

static void look(struct sl_env *env, struct sl_snapshots *snapshots, size_t name, bool is_kept)
{
    struct sl_snapshot_get get = {
        .message = {.reply_to = answers, .kind = 6}, .name = name_of(name), .log = log_id};
    const struct sl_snapshot *found = &get.snapshot;
    uint8_t state[64];

    sl_snapshots_get(snapshots, &get);
    run(env);
    SL_ASSERT(!get.found || sl_text_equals(found->name, name_of(name)));
    if (get.found && is_kept) {
        SL_ASSERT(found->revision < VERSIONS, "L4");
        const size_t len = state_of(name, (size_t)found->revision, state);
        SL_ASSERT(found->salt == 7 && found->position == found->revision * NAMES + name, "L4");
        SL_ASSERT(found->state.len == len && memcmp(found->state.ptr, state, len) == 0, "L4");
    }
    sl_arena_close(&get.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sl_error error;
    struct sl_env *env;

    if (len < 1 || len > 1 << 20)
        return 0;
    const enum how how = (enum how)(bytes[0] % 4);
    SL_ASSERT(sl_env_sim_new(1, &env) == SL_OK);
    SL_ASSERT(sl_mailbox_new(NULL, NULL, &answers) == SL_OK);
    SL_ASSERT(sl_disk_make_folder(env, "snapshots", &error) == SL_OK);
    if (how == ANY_FILE)
        put_file(env, bytes + 1, len - 1);
    else
        make_good(env);
    if (how == SEALED || how == DAMAGED)
        patch(env, bytes + 1, len - 1, how == SEALED);
    struct sl_snapshots *snapshots = start(env);
    run(env);
    if (how == DAMAGED_LATER)
        patch(env, bytes + 1, len - 1, false);
    for (size_t name = 0; name < NAMES; name++)
        look(env, snapshots, name, how == DAMAGED || how == DAMAGED_LATER);
    sl_snapshots_stop(snapshots);
    sl_mailbox_free(answers);
    sl_env_free(env);
    return 0;
}
