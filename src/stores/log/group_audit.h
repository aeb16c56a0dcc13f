/*
 * Looking at the files of groups from outside, read-only: for the operator's tools.
 *
 * They are no part of the log: one that is damaged costs speed, and the server makes it again. But
 * a disk that damages one may damage more; and a file that denies what its segments have, though
 * every checksum is right, would hide events from readers.
 */
#ifndef SL_STORES_LOG_GROUP_AUDIT_H
#define SL_STORES_LOG_GROUP_AUDIT_H

#include "stores/log/segment.h"

struct sl_log_group_audit {
    uint64_t files, bytes; /* that are there */
    uint64_t unused;       /* of them: whole, but of other segments, or of other programs */
    uint64_t damaged;

    /* The first damage. */
    char path[SL_LOG_PATH_MAX];
    uint64_t offset;
    const char *why; /* NULL: none */
};

/* Looks at each file of a group in the folder. `reads`: at every page, and whether it has each key
 * of its segments, which reads the index of every sealed segment up to three times; else only at
 * what is there. A file, or a segment, that goes meanwhile is passed over. SL_OK, damaged or not;
 * SL_IO, SL_NO_MEMORY. */
enum sl_err sl_log_group_audit(const struct sl_log_folder *folder, bool reads,
                               struct sl_log_group_audit *out,
                               struct sl_error *error) SL_USE_RESULT;

#endif
