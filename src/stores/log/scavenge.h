/*
 * Retention: putting stones in the place of events whose bodies may go (the essay stands in
 * scavenge.c; what a stone is, in stone.c). Of a log that no program has open; a dry run may look
 * at any.
 */
#ifndef SL_STORES_LOG_SCAVENGE_H
#define SL_STORES_LOG_SCAVENGE_H

#include "stores/log/catalog.h"
#include "stores/log/inspect.h"

struct sl_log_scavenge {
    struct sl_env *env;
    const char *path; /* the log's folder */
    /* May the body of this event go? Asked once or twice for each event of a sealed segment. */
    bool (*may_go)(void *context, const struct sl_schema *schema, uint64_t position,
                   const struct sl_log_event *event);
    /* Told now and then; NULL is allowed. */
    void (*progress)(void *context, uint64_t bytes_done);
    void *context;
    bool dry_run; /* only counts */

    /* Answers; after a failure, of what was done before it. */
    uint64_t sealed_segments, raw_segments; /* that are there; raw ones are left as they are */
    uint64_t next_raw;                      /* first position of the raw ones */
    uint64_t rewritten;                     /* sealed segments, or, of a dry run, to be rewritten */
    uint64_t stones_before;                 /* that were there */
    uint64_t stones;                        /* that were put there now */
    uint64_t body_bytes;                    /* of bodies that went */
    uint64_t bytes_before, bytes_after;     /* of the segments that were rewritten */
};

/* SL_BUSY: a program has the log open. SL_NOT_FOUND: there is no log. SL_CORRUPT names file and
 * offset: nothing is rewritten from there on. SL_LIMIT: the disk has no room for one more segment.
 * SL_IO, SL_NO_MEMORY, SL_UNSUPPORTED. Whatever happens, each segment is whole: as it was or
 * rewritten; doing it again goes on where it ended. */
enum sl_err sl_log_scavenge(struct sl_log_scavenge *scavenge,
                            struct sl_error *error) SL_USE_RESULT;

#endif
