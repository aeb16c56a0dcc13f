#include "stores/log/sealer.h"

#include <stdlib.h>

enum {
    PREPARE = 1,
    HURRY = 2,
    PIECE_BYTES = 64 << 10,
    PIECES_A_HURRIED_TURN = 64,
    PAUSE_NS = 700000,
};

struct sl_log_sealer {
    const struct sl_log_folder *folder;
    struct sl_mailbox *mailbox;
    /* Owned by the actor. */
    struct sl_log_spare *spare; /* under way, or NULL */
    struct sl_file *file;
    uint64_t filled;
    bool hurry;
};

static void answer(struct sl_log_sealer *sealer, enum sl_err err)
{
    struct sl_log_spare *spare = sealer->spare;

    if (sealer->file)
        sl_file_close(sealer->file);
    sealer->file = NULL;
    sealer->spare = NULL;
    sealer->hurry = false;
    spare->err = err;
    sl_mailbox_post(spare->message.reply_to, &spare->message);
}

static void spare_path(const struct sl_log_sealer *sealer, char *out)
{
    sl_log_path(sealer->folder, "spare.tmp", out);
}

static void begin(struct sl_log_sealer *sealer, struct sl_log_spare *spare)
{
    char path[SL_LOG_PATH_MAX];

    SL_ASSERT(!sealer->spare, "T1");
    sealer->spare = spare;
    sealer->filled = 0;
    spare_path(sealer, path);
    const enum sl_err err =
        sl_disk_open(sealer->folder->env, path, SL_OPEN_WRITE | SL_OPEN_CREATE | SL_OPEN_DIRECT,
                     &sealer->file, &spare->error);
    if (err != SL_OK)
        answer(sealer, err);
}

/* The spare gets its name only when all of it is durable: one that is there can be used. */
static enum sl_err finish(struct sl_log_sealer *sealer, struct sl_error *error)
{
    struct sl_env *env = sealer->folder->env;
    char from[SL_LOG_PATH_MAX], to[SL_LOG_PATH_MAX];

    spare_path(sealer, from);
    sl_log_path(sealer->folder, SL_LOG_SPARE, to);
    enum sl_err err = sl_file_sync(sealer->file, error);
    if (err == SL_OK)
        err = sl_disk_rename(env, from, to, error);
    if (err == SL_OK)
        err = sl_disk_sync_folder(env, sealer->folder->path, error);
    return err;
}

static void give_up(struct sl_log_sealer *sealer, enum sl_err err)
{
    struct sl_error ignored = {0};
    char path[SL_LOG_PATH_MAX];

    SL_MARK("log: no spare");
    spare_path(sealer, path);
    /* Gives the room back; if that fails too, the next open removes it. */
    (void)!sl_disk_remove(sealer->folder->env, path, &ignored);
    answer(sealer, err);
}

static int64_t turn(void *self)
{
    struct sl_log_sealer *sealer = self;
    const int pieces = sealer->hurry ? PIECES_A_HURRIED_TURN : 1;

    if (!sealer->spare)
        return INT64_MAX;
    struct sl_log_spare *spare = sealer->spare;
    for (int i = 0; i < pieces && sealer->filled < spare->bytes; i++) {
        uint64_t until = sealer->filled + PIECE_BYTES;
        if (until > spare->bytes)
            until = spare->bytes;
        const enum sl_err err = sl_log_zero(sealer->file, sealer->filled, until, &spare->error);
        if (err != SL_OK) {
            give_up(sealer, err);
            return INT64_MAX;
        }
        sealer->filled = until;
    }
    if (sealer->filled == spare->bytes) {
        const enum sl_err err = finish(sealer, &spare->error);
        if (err != SL_OK)
            give_up(sealer, err);
        else
            answer(sealer, SL_OK);
        return INT64_MAX;
    }
    return sl_env_monotonic(sealer->folder->env) + (sealer->hurry ? 0 : PAUSE_NS);
}

static void step(void *self, struct sl_message *message)
{
    struct sl_log_sealer *sealer = self;

    if (message->kind == PREPARE) {
        begin(sealer, (struct sl_log_spare *)message);
        return;
    }
    sealer->hurry = sealer->spare != NULL;
    sl_mailbox_post(message->reply_to, message);
}

enum sl_err sl_log_sealer_start(const struct sl_log_folder *folder, struct sl_log_sealer **out,
                                struct sl_error *error)
{
    struct sl_log_sealer *sealer = calloc(1, sizeof *sealer);

    if (!sealer)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the log's sealer");
    sealer->folder = folder;
    const struct sl_actor actor = {"log-sealer", sealer, step, turn, true};
    const enum sl_err err = sl_env_start(folder->env, &actor, &sealer->mailbox, error);
    if (err != SL_OK) {
        free(sealer);
        return err;
    }
    *out = sealer;
    return SL_OK;
}

void sl_log_sealer_prepare(struct sl_log_sealer *sealer, struct sl_log_spare *spare)
{
    spare->message.kind = PREPARE;
    sl_mailbox_post(sealer->mailbox, &spare->message);
}

void sl_log_sealer_hurry(struct sl_log_sealer *sealer, struct sl_message *message)
{
    message->kind = HURRY;
    sl_mailbox_post(sealer->mailbox, message);
}

void sl_log_sealer_stop(struct sl_log_sealer *sealer)
{
    if (!sealer)
        return;
    sl_env_stop(sealer->folder->env, sealer->mailbox);
    if (sealer->file)
        sl_file_close(sealer->file);
    free(sealer);
}
