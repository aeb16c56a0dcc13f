/*
 * The sealer: an actor of low priority that keeps one segment ready ahead of need (`spare.seg`).
 *
 * It fills slowly, because filling at full speed costs the writers' tail 13 ms at p99 where 64 KiB
 * every 0.7 ms cost 1 ms; told to hurry, it does not pause.
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

struct sl_log_sealer;

/* `folder` must outlive it. */
enum sl_err sl_log_sealer_start(const struct sl_log_folder *folder, struct sl_log_sealer **out,
                                struct sl_error *error) SL_USE_RESULT;

/* One at a time. */
void sl_log_sealer_prepare(struct sl_log_sealer *sealer, struct sl_log_spare *spare);

/* No pauses for the one under way. `message` is the caller's; it comes back to its reply_to. */
void sl_log_sealer_hurry(struct sl_log_sealer *sealer, struct sl_message *message);

/* Leaves what is unfinished; a request that was not answered is posted nowhere. NULL is allowed. */
void sl_log_sealer_stop(struct sl_log_sealer *sealer);

#endif
