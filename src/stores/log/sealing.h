/*
 * Making a sealed segment out of a raw one, a piece at a time: the steps of sealed.c's essay up to
 * the rename. One owner.
 */
#ifndef SL_STORES_LOG_SEALING_H
#define SL_STORES_LOG_SEALING_H

#include "stores/log/sealed.h"
#include "stores/log/segment.h"

struct sl_log_sealing;

/* Opens segment `number` and its successor, whose header is durable, and begins the sealed file.
 * `first_outcome`: outcomes of the log before the segment. `folder` must outlive it. SL_CORRUPT
 * names file and offset. */
enum sl_err sl_log_sealing_begin(const struct sl_log_folder *folder, uint64_t number,
                                 uint64_t first_outcome, struct sl_log_sealing **out,
                                 struct sl_error *error) SL_USE_RESULT;

/* Does one piece: reads or writes some 64 KiB, or sorts. `*done`: the sealed segment is there,
 * durably, under its name. After a failure nothing may follow but sl_log_sealing_free; SL_LIMIT:
 * the disk is full, or a segment that no sealed one can hold. */
enum sl_err sl_log_sealing_step(struct sl_log_sealing *sealing, bool *done,
                                struct sl_error *error) SL_USE_RESULT;

/* Of what is done. */
const struct sl_log_sealed_head *sl_log_sealing_head(const struct sl_log_sealing *sealing);

/* Removes what is unfinished, as far as that can be done; the next open removes the rest. NULL is
 * allowed. */
void sl_log_sealing_free(struct sl_log_sealing *sealing);

#endif
