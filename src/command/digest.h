/*
 * What a repeat of a command must equal to be one: a digest of its name, its body and who sent it,
 * remembered with the outcome of its id.
 *
 * It is keyed with the log's identity, which is random, the same for as long as there is the log,
 * wherever that goes, and told by no door. So nobody who may only send commands can make a body
 * whose digest is that of another's command, and learn its outcome. It was made without a key once:
 * what was remembered then is still known by that.
 */
#ifndef SL_COMMAND_DIGEST_H
#define SL_COMMAND_DIGEST_H

#include "command/submission.h"

/* Of several parts as if joined. Any thread. */
struct sl_uuid sl_digest_keyed(struct sl_uuid log, const struct sl_slice *parts, size_t count);

/* As it was made before, without a key. */
struct sl_uuid sl_digest_plain(const struct sl_slice *parts, size_t count);

/* Is the command the one whose digest is remembered? */
bool sl_digest_fits(const struct sl_submission *submission, struct sl_uuid known);

#endif
