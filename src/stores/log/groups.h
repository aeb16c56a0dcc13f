/*
 * The groups of the sealed segments on a shelf (group.h), as the reader knows them. A file is
 * looked at when it is first needed; one that is not there, or not right, costs time only. Owned by
 * the reader, as part of the shelf.
 */
#ifndef SL_STORES_LOG_GROUPS_H
#define SL_STORES_LOG_GROUPS_H

#include "stores/log/group.h"

enum { SL_LOG_GROUPS_FILES_MAX = 64 }; /* open at once */

enum sl_log_group_state {
    SL_LOG_GROUP_UNKNOWN = 0, /* not looked at yet */
    SL_LOG_GROUP_HERE,
    SL_LOG_GROUP_LACKING,
    SL_LOG_GROUP_GIVEN_UP, /* lacking, and it was tried to make it */
};

struct sl_log_group {
    enum sl_log_group_state state;
    bool has_parts;       /* one that is here: it is not of the old version; */
    uint32_t page_count;  /* likewise, */
    uint64_t identity;    /* likewise */
    struct sl_file *file; /* NULL: not open */
    uint64_t used;
};

struct sl_log_groups {
    struct sl_log_group *levels[SL_LOG_GROUP_LEVELS];
    size_t counts[SL_LOG_GROUP_LEVELS]; /* groups all of whose segments are on the shelf */
    size_t capacities[SL_LOG_GROUP_LEVELS];
    size_t open_count;
    uint64_t page_reads; /* from files */
};

struct sl_log_shelf;

/* The shelf is about to have `segment_count` segments. SL_NO_MEMORY: nothing was changed. */
enum sl_err sl_log_groups_grow(struct sl_log_groups *groups, size_t segment_count) SL_USE_RESULT;
void sl_log_groups_close(struct sl_log_groups *groups);

/* Which parts of the group (sl_log_group_part) may have events with the hash: a bit each; 0: none.
 * The group's segments must all be on the shelf. Never fails: where a file is of no use, the answer
 * is SL_LOG_GROUP_UNKNOWN_PARTS, in which all bits are set. */
unsigned sl_log_groups_parts(struct sl_log_shelf *shelf, unsigned level, size_t index,
                             uint64_t hash);
#define SL_LOG_GROUP_UNKNOWN_PARTS ((2u << SL_LOG_GROUP_PARTS) - 1)

/* Looks for a group that has no file, the smallest ones first, and at most at `looks_max` files.
 * SL_OK: this one; it is GIVEN_UP until sl_log_groups_made. SL_BUSY: ask again. SL_NOT_FOUND: there
 * is none. */
enum sl_err sl_log_groups_lacking(struct sl_log_shelf *shelf, unsigned looks_max,
                                  unsigned *out_level, size_t *out_index) SL_USE_RESULT;

/* A file was made of the group that was lacking; with `made` false: it was not, and may be tried
 * again. */
void sl_log_groups_made(struct sl_log_shelf *shelf, unsigned level, size_t index, bool made);

#endif
