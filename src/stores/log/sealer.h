/*
 * The sealer: an actor of low priority that seals segments which are full (sealing.h), and keeps
 * one segment ready ahead of need (`spare.seg`): a sealed one's raw file, filled with zeros again,
 * or a new file.
 *
 * It works in pieces with pauses, because filling at full speed costs the writers' tail 13 ms at
 * p99 where 64 KiB every 0.7 ms cost 1 ms; and the longer the log takes to fill a segment, the
 * longer they are. Told to hurry, or with several full segments waiting, it does not pause.
 *
 * When nothing else is to be done, and after every eighth segment, it makes the files of groups of
 * sealed segments (group.h), as the reader says which are lacking.
 *
 * A raw file is let go in this order: the sealed one is durable, name and all; the reader was
 * handed it and has answered that it holds nothing of the raw one; then only is the raw file
 * touched.
 */
#ifndef SL_STORES_LOG_SEALER_H
#define SL_STORES_LOG_SEALER_H

#include "stores/log/segment.h"

/* A request for a spare. Comes back to `message.reply_to` when the spare is there, or can't be. */
struct sl_log_spare {
    struct sl_message message;
    uint64_t bytes;
    enum sl_err err;
    struct sl_error error;
};

/* All segments below `full_below` are full and their successors durable: they may be sealed. Comes
 * back at once, with how far sealing had come. */
struct sl_log_rolled {
    struct sl_message message;
    uint64_t full_below;
    uint64_t bytes;        /* of the last of them, as far as it was used */
    uint64_t sealed;       /* answer: segments that are sealed, and handed over */
    struct sl_error error; /* why the last try failed; SL_OK: none did since */
};

struct sl_log_sealer;

struct sl_log_sealer_options {
    const struct sl_log_folder *folder; /* outlives the sealer */
    struct sl_mailbox *reader;          /* of the reader's actor */
    bool seals;                         /* else it only prepares spares */
    uint64_t sealed;                    /* segments that are sealed already, */
    uint64_t outcomes;                  /* and outcomes in them */
};

enum sl_err sl_log_sealer_start(const struct sl_log_sealer_options *options,
                                struct sl_log_sealer **out, struct sl_error *error) SL_USE_RESULT;

/* One at a time. */
void sl_log_sealer_prepare(struct sl_log_sealer *sealer, struct sl_log_spare *spare);

/* No pauses for the one under way. `message` is the caller's; it comes back to its reply_to. */
void sl_log_sealer_hurry(struct sl_log_sealer *sealer, struct sl_message *message);

void sl_log_sealer_rolled(struct sl_log_sealer *sealer, struct sl_log_rolled *rolled);

/* Leaves what is unfinished; a request that was not answered is posted nowhere. The reader may
 * still answer. NULL is allowed. */
void sl_log_sealer_stop(struct sl_log_sealer *sealer);

/* After the reader was closed. NULL is allowed. */
void sl_log_sealer_free(struct sl_log_sealer *sealer);

#endif
