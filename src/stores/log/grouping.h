/*
 * Making the file of a group (group.h) out of its sealed segments, a piece at a time. One owner.
 */
#ifndef SL_STORES_LOG_GROUPING_H
#define SL_STORES_LOG_GROUPING_H

#include "stores/log/group.h"
#include "stores/log/segment.h"

struct sl_log_grouping;

/* `folder` must outlive it. SL_NO_MEMORY. */
enum sl_err sl_log_grouping_begin(const struct sl_log_folder *folder, unsigned level,
                                  uint64_t index, struct sl_log_grouping **out,
                                  struct sl_error *error) SL_USE_RESULT;

/* Does one piece: reads or writes some 64 KiB. `*done`: the file is whole and has its name. After a
 * failure nothing may follow but sl_log_grouping_free. SL_CORRUPT: a segment's index is damaged,
 * and the group can't be made; SL_LIMIT: the disk is full, or too many keys; SL_IO, SL_NO_MEMORY,
 * SL_UNSUPPORTED. */
enum sl_err sl_log_grouping_step(struct sl_log_grouping *grouping, bool *done,
                                 struct sl_error *error) SL_USE_RESULT;

/* Removes what is unfinished, as far as that can be done; the next open removes the rest. NULL is
 * allowed. */
void sl_log_grouping_free(struct sl_log_grouping *grouping);

#endif
