#include "stores/log/sealer.h"

#include "stores/log/grouping.h"
#include "stores/log/reader.h"
#include "stores/log/sealing.h"

#include <stdlib.h>

enum {
    PREPARE = 1,
    HURRY = 2,
    ROLLED = 3,
    PIECE_BYTES = 64 << 10,
    PIECES_A_HURRIED_TURN = 64,
    PAUSE_NS = 700000,          /* the shortest, and until a segment was seen to fill up */
    PAUSE_NS_MAX = 10000000,
    PIECES_A_PIECE = 4, /* of the log: one is read, one packed, one filled; and some in hand */
    ANSWER_NS = 2000000, /* how often it looks whether the reader has answered */
    BACKLOG = 2,         /* full segments that may wait before it stops pausing */
    UNGROUPED_MAX = 8,   /* segments sealed, while more wait, before groups have their turn */
};

struct sl_log_sealer {
    struct sl_log_sealer_options options;
    struct sl_mailbox *mailbox; /* of the actor; NULL: it was stopped */
    struct sl_mailbox *home;    /* where handovers come back */
    /* Owned by the actor. */
    struct sl_log_spare *spare; /* wanted, or NULL */
    struct sl_file *file;       /* that becomes the spare; NULL: not begun */
    uint64_t filled, fill_end;  /* zeros are written from one to the other */
    bool hurry;
    uint64_t full_below; /* segments that may be sealed */
    uint64_t sealed;     /* that are */
    uint64_t outcomes;   /* before the next one */
    int64_t rolled_ns;   /* when full_below rose last; 0: not yet */
    int64_t pause_ns;
    struct sl_log_sealing *sealing;
    struct sl_log_handover handover;
    bool handed;           /* and not come back */
    bool gave_up;          /* until the next segment is full */
    struct sl_error error; /* why */
    struct sl_log_lack lack;
    bool asks;                        /* the reader is to be asked which group lacks its file */
    bool asked;                       /* and has not answered */
    unsigned ungrouped;               /* segments sealed since it was asked last in vain */
    struct sl_log_grouping *grouping; /* the file that is being made; NULL: none */
};

static struct sl_env *env_of(const struct sl_log_sealer *sealer)
{
    return sealer->options.folder->env;
}

/* ---- The spare ------------------------------------------------------------------------------- */

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
    sl_log_path(sealer->options.folder, "spare.tmp", out);
}

/* Opens the file that is to be filled up to `fill_end`. */
static enum sl_err begin_filling(struct sl_log_sealer *sealer, unsigned flags, uint64_t fill_end,
                                 struct sl_error *error)
{
    char path[SL_LOG_PATH_MAX];

    sealer->filled = 0;
    sealer->fill_end = fill_end;
    spare_path(sealer, path);
    return sl_disk_open(env_of(sealer), path, SL_OPEN_WRITE | SL_OPEN_DIRECT | flags, &sealer->file,
                        error);
}

/* The spare gets its name only when all of it is durable: one that is there can be used. */
static enum sl_err finish(struct sl_log_sealer *sealer, struct sl_error *error)
{
    char from[SL_LOG_PATH_MAX], to[SL_LOG_PATH_MAX];

    spare_path(sealer, from);
    sl_log_path(sealer->options.folder, SL_LOG_SPARE, to);
    enum sl_err err = sl_file_sync(sealer->file, error);
    if (err == SL_OK)
        err = sl_disk_rename(env_of(sealer), from, to, error);
    if (err == SL_OK)
        err = sl_disk_sync_folder(env_of(sealer), sealer->options.folder->path, error);
    return err;
}

static void give_up_spare(struct sl_log_sealer *sealer, enum sl_err err)
{
    struct sl_error ignored = {0};
    char path[SL_LOG_PATH_MAX];

    SL_MARK("log: no spare");
    spare_path(sealer, path);
    /* Gives the room back; if that fails too, the next open removes it. */
    (void)!sl_disk_remove(env_of(sealer), path, &ignored);
    answer(sealer, err);
}

/* Some more zeros. */
static void fill(struct sl_log_sealer *sealer)
{
    const int pieces = sealer->hurry ? PIECES_A_HURRIED_TURN : 1;
    struct sl_error *error = &sealer->spare->error;
    enum sl_err err = SL_OK;

    if (!sealer->file)
        err = begin_filling(sealer, SL_OPEN_CREATE, sealer->spare->bytes, error);
    for (int i = 0; err == SL_OK && i < pieces && sealer->filled < sealer->fill_end; i++) {
        uint64_t until = sealer->filled + PIECE_BYTES;
        if (until > sealer->fill_end)
            until = sealer->fill_end;
        err = sl_log_zero(sealer->file, sealer->filled, until, error);
        sealer->filled = until;
    }
    if (err == SL_OK && sealer->filled < sealer->fill_end)
        return;
    if (err == SL_OK)
        err = finish(sealer, error);
    if (err == SL_OK)
        answer(sealer, SL_OK);
    else
        give_up_spare(sealer, err);
}

/* ---- Raw files that are done with ------------------------------------------------------------ */

/* A spare is wanted, not begun, and the file has its size: it becomes the spare. What lies behind
 * its batches is zeros already. */
static enum sl_err recycle(struct sl_log_sealer *sealer, const char *path, uint64_t used,
                           struct sl_error *error)
{
    char to[SL_LOG_PATH_MAX];
    struct sl_file *file;
    uint64_t bytes = 0;

    if (!sealer->spare || sealer->file)
        return SL_NOT_FOUND;
    enum sl_err err = sl_disk_open(env_of(sealer), path, SL_OPEN_READ, &file, error);
    if (err != SL_OK)
        return err;
    err = sl_file_size(file, &bytes, error);
    sl_file_close(file);
    if (err == SL_OK && bytes != sealer->spare->bytes)
        err = SL_NOT_FOUND;
    spare_path(sealer, to);
    if (err == SL_OK)
        err = sl_disk_rename(env_of(sealer), path, to, error);
    if (err == SL_OK) {
        SL_MARK("log: recycled");
        err = begin_filling(sealer, 0, used, error);
    }
    return err;
}

/* The reader holds nothing of the raw file any more. A failure leaves it where it is: the next open
 * removes it. */
static void let_go(struct sl_log_sealer *sealer, const struct sl_log_sealed_head *head)
{
    const struct sl_log_folder *folder = sealer->options.folder;
    struct sl_error ignored = {0};
    char path[SL_LOG_PATH_MAX];

    sl_log_segment_path(folder, head->segment.number, path);
    if (recycle(sealer, path, SL_LOG_BLOCK + head->raw_bytes, &ignored) == SL_OK)
        return;
    if (sl_disk_remove(folder->env, path, &ignored) == SL_OK)
        (void)!sl_disk_sync_folder(folder->env, folder->path, &ignored);
}

/* ---- Sealing --------------------------------------------------------------------------------- */

static void give_up_sealing(struct sl_log_sealer *sealer)
{
    SL_MARK("log: sealing given up");
    sl_log_sealing_free(sealer->sealing);
    sealer->sealing = NULL;
    sealer->gave_up = true;
}

static void take_handover(struct sl_log_sealer *sealer)
{
    sealer->handed = false;
    if (sealer->handover.err != SL_OK) {
        sealer->gave_up = true;
        (void)sl_fail(&sealer->error, sealer->handover.err, "no memory for the log's index");
        sealer->options.seals = false; /* the reader answers nothing any more, either */
        return;
    }
    sealer->error = (struct sl_error){0};
    sealer->sealed++;
    sealer->ungrouped++;
    sealer->outcomes = sealer->handover.head.next_outcome;
    sealer->asks = true;
    let_go(sealer, &sealer->handover.head);
}

static bool has_to_seal(const struct sl_log_sealer *sealer)
{
    return sealer->sealing || sealer->handed ||
           (sealer->options.seals && !sealer->gave_up && sealer->sealed < sealer->full_below);
}

static void seal(struct sl_log_sealer *sealer)
{
    bool done = false;
    enum sl_err err = SL_OK;

    if (!sealer->sealing)
        err = sl_log_sealing_begin(sealer->options.folder, sealer->sealed, sealer->outcomes,
                                   &sealer->sealing, &sealer->error);
    if (err == SL_OK)
        err = sl_log_sealing_step(sealer->sealing, &done, &sealer->error);
    if (err != SL_OK) {
        give_up_sealing(sealer);
    } else if (done) {
        SL_MARK("log: sealed");
        sealer->handover.head = *sl_log_sealing_head(sealer->sealing);
        sealer->handover.message.reply_to = sealer->home;
        sl_log_sealing_free(sealer->sealing);
        sealer->sealing = NULL;
        sealer->handed = true;
        sl_log_reader_hand_over(sealer->options.reader, &sealer->handover);
    }
}

/* ---- Groups ---------------------------------------------------------------------------------- */

/* That was it, or as much as can be: a failure is no loss but of speed, and told to nobody. */
static void end_grouping(struct sl_log_sealer *sealer, enum sl_err err)
{
    sl_log_grouping_free(sealer->grouping);
    sealer->grouping = NULL;
    sealer->lack.tried = true;
    sealer->lack.err = err;
    /* What could not be made because of the disk or memory may be tried with the next segment. */
    sealer->asks = err == SL_OK || err == SL_CORRUPT || err == SL_UNSUPPORTED;
    if (err == SL_OK)
        SL_MARK("log: group made");
    else
        SL_MARK("log: group given up");
}

static void begin_grouping(struct sl_log_sealer *sealer)
{
    struct sl_error ignored = {0};
    const enum sl_err err = sl_log_grouping_begin(sealer->options.folder, sealer->lack.level,
                                                  sealer->lack.index, &sealer->grouping, &ignored);

    if (err != SL_OK)
        end_grouping(sealer, err);
}

static void take_lack(struct sl_log_sealer *sealer)
{
    sealer->asked = false;
    if (sealer->lack.answer == SL_OK)
        begin_grouping(sealer);
    else if (sealer->lack.answer == SL_BUSY)
        sealer->asks = true;
}

/* A piece of it; returns when it goes on. */
static int64_t group(struct sl_log_sealer *sealer, int64_t now)
{
    struct sl_error ignored = {0};
    bool done = false;

    if (sealer->grouping) {
        const enum sl_err err = sl_log_grouping_step(sealer->grouping, &done, &ignored);
        if (err != SL_OK || done)
            end_grouping(sealer, err);
        return now + sealer->pause_ns;
    }
    if (sealer->asked)
        return now + ANSWER_NS;
    if (!sealer->asks || !sealer->options.seals)
        return INT64_MAX;
    sealer->asks = false;
    sealer->asked = true;
    sealer->lack.message.reply_to = sealer->home;
    sl_log_reader_ask(sealer->options.reader, &sealer->lack);
    return now + ANSWER_NS;
}

static void hear_reader(struct sl_log_sealer *sealer)
{
    struct sl_message *message = sl_mailbox_take_all(sealer->home);

    while (message) {
        struct sl_message *next = message->next;
        if (message == &sealer->handover.message)
            take_handover(sealer);
        else
            take_lack(sealer);
        message = next;
    }
}

/* ---- The actor ------------------------------------------------------------------------------- */

static int64_t turn(void *self)
{
    struct sl_log_sealer *sealer = self;
    const int64_t now = sl_env_monotonic(env_of(sealer));

    hear_reader(sealer);
    /* Sealing goes first, since it yields a file to fill; but not before a spare in need. */
    if (sealer->spare && (sealer->hurry || sealer->file || !has_to_seal(sealer))) {
        fill(sealer);
        return now + (sealer->hurry ? 0 : sealer->pause_ns);
    }
    if (sealer->handed)
        return now + ANSWER_NS;
    const bool is_behind = sealer->full_below - sealer->sealed > BACKLOG;
    if (has_to_seal(sealer) && (sealer->sealing || sealer->ungrouped < UNGROUPED_MAX)) {
        seal(sealer);
        return now + (is_behind ? 0 : sealer->pause_ns);
    }
    /* Where segments fill up as quickly as they are sealed, lookups need groups most. */
    const int64_t next = group(sealer, now);
    if (next == INT64_MAX) {
        sealer->ungrouped = 0;
        return has_to_seal(sealer) ? now : next;
    }
    return is_behind && sealer->grouping ? now : next;
}

/* A segment was filled up: how long the log took for a piece of it says how long the pauses may be,
 * so that the work is spread over the life of the next one. */
static void set_pace(struct sl_log_sealer *sealer, uint64_t bytes)
{
    const int64_t now = sl_env_monotonic(env_of(sealer));
    const int64_t took_ns = now - sealer->rolled_ns;

    if (sealer->rolled_ns > 0 && bytes >= PIECE_BYTES) {
        const int64_t pause_ns = took_ns / (int64_t)(bytes / PIECE_BYTES) / PIECES_A_PIECE;
        sealer->pause_ns = pause_ns < PAUSE_NS       ? PAUSE_NS
                           : pause_ns > PAUSE_NS_MAX ? PAUSE_NS_MAX
                                                     : pause_ns;
    }
    sealer->rolled_ns = now;
}

static void take_rolled(struct sl_log_sealer *sealer, struct sl_log_rolled *rolled)
{
    if (rolled->full_below > sealer->full_below) {
        sealer->full_below = rolled->full_below;
        sealer->gave_up = false;
        set_pace(sealer, rolled->bytes);
    }
    rolled->sealed = sealer->sealed;
    rolled->error = sealer->error;
    sl_mailbox_post(rolled->message.reply_to, &rolled->message);
}

static void step(void *self, struct sl_message *message)
{
    struct sl_log_sealer *sealer = self;

    switch (message->kind) {
    case PREPARE:
        SL_ASSERT(!sealer->spare, "T1");
        sealer->spare = (struct sl_log_spare *)message;
        break;
    case ROLLED:
        take_rolled(sealer, (struct sl_log_rolled *)message);
        break;
    default:
        sealer->hurry = sealer->spare != NULL;
        sl_mailbox_post(message->reply_to, message);
    }
}

enum sl_err sl_log_sealer_start(const struct sl_log_sealer_options *options,
                                struct sl_log_sealer **out, struct sl_error *error)
{
    struct sl_log_sealer *sealer = calloc(1, sizeof *sealer);

    if (!sealer || sl_mailbox_new(NULL, NULL, &sealer->home) != SL_OK) {
        free(sealer);
        return sl_fail(error, SL_NO_MEMORY, "no memory for the log's sealer");
    }
    sealer->options = *options;
    sealer->sealed = options->sealed;
    sealer->outcomes = options->outcomes;
    sealer->asks = options->sealed > 0;
    sealer->pause_ns = PAUSE_NS;
    const struct sl_actor actor = {"log-sealer", sealer, step, turn, true};
    const enum sl_err err = sl_env_start(options->folder->env, &actor, &sealer->mailbox, error);
    if (err != SL_OK) {
        sl_log_sealer_free(sealer);
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

void sl_log_sealer_rolled(struct sl_log_sealer *sealer, struct sl_log_rolled *rolled)
{
    rolled->message.kind = ROLLED;
    sl_mailbox_post(sealer->mailbox, &rolled->message);
}

void sl_log_sealer_stop(struct sl_log_sealer *sealer)
{
    if (!sealer)
        return;
    sl_env_stop(env_of(sealer), sealer->mailbox);
    sealer->mailbox = NULL;
    if (sealer->file)
        sl_file_close(sealer->file);
    sealer->file = NULL;
    sl_log_sealing_free(sealer->sealing);
    sealer->sealing = NULL;
    sl_log_grouping_free(sealer->grouping);
    sealer->grouping = NULL;
}

void sl_log_sealer_free(struct sl_log_sealer *sealer)
{
    if (!sealer)
        return;
    (void)sl_mailbox_take_all(sealer->home); /* part of the sealer itself */
    sl_mailbox_free(sealer->home);
    free(sealer);
}
