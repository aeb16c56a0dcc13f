/*
 * The sealed segments as the reader knows them: their headers in memory, everything else read when
 * it is needed, through caches of a fixed size. What is handed out was verified. Owned by the
 * reader.
 */
#ifndef SL_STORES_LOG_SHELF_H
#define SL_STORES_LOG_SHELF_H

#include "stores/log/cache.h"
#include "stores/log/groups.h"
#include "stores/log/sealed.h"
#include "stores/log/segment.h"

enum {
    SL_LOG_SHELF_FILES_MAX = 512, /* open at once, if the system lets us */
};

struct sl_log_sealed {
    struct sl_log_sealed_head head;
    struct sl_file *file; /* NULL: not open */
    uint64_t used;
};

struct sl_log_shelf {
    const struct sl_log_folder *folder;
    struct sl_log_sealed *segments; /* from number 0 on, in order */
    size_t count, capacity;
    size_t open_count;
    size_t hand; /* where a file to be closed is looked for */
    uint64_t clock;
    struct sl_log_cache pages, blocks; /* pages of groups, too */
    struct sl_log_groups groups;
    struct sl_log_unpacker *unpacker;
    uint8_t *stored; /* a block as it is in its file */
    size_t stored_capacity;
    uint64_t page_reads, block_reads; /* from files */
    bool memory_only; /* what is not in the caches is SL_BUSY, and no file is touched */
};

/* `cache_bytes` are for both caches together. */
enum sl_err sl_log_shelf_init(struct sl_log_shelf *shelf, const struct sl_log_folder *folder,
                              uint64_t cache_bytes) SL_USE_RESULT;
void sl_log_shelf_close(struct sl_log_shelf *shelf);

/* The next segment. SL_NO_MEMORY. */
enum sl_err sl_log_shelf_add(struct sl_log_shelf *shelf,
                             const struct sl_log_sealed_head *head) SL_USE_RESULT;

/* The first segment that has or follows a position (outcome); count: none. */
size_t sl_log_shelf_at_position(const struct sl_log_shelf *shelf, uint64_t position);
size_t sl_log_shelf_at_outcome(const struct sl_log_shelf *shelf, uint64_t outcome);

/* Where block `number` of a segment lies. All that follow give SL_CORRUPT with file and offset,
 * SL_IO, SL_NO_MEMORY. */
enum sl_err sl_log_shelf_place(struct sl_log_shelf *shelf, size_t segment, uint32_t number,
                               struct sl_log_place *out, struct sl_error *error) SL_USE_RESULT;

/* The first block of the segment that has or follows the position (outcome); block_count: none. */
enum sl_err sl_log_shelf_find_place(struct sl_log_shelf *shelf, size_t segment, bool by_outcome,
                                    uint64_t sought, uint32_t *out_number, struct sl_log_place *out,
                                    struct sl_error *error) SL_USE_RESULT;

/* The frames of a block; valid until the next call of this function. */
enum sl_err sl_log_shelf_frames(struct sl_log_shelf *shelf, size_t segment, uint32_t number,
                                struct sl_slice *out, struct sl_error *error) SL_USE_RESULT;

/* May events of the segment have the hash? */
enum sl_err sl_log_shelf_may_have(struct sl_log_shelf *shelf, size_t segment, uint64_t hash,
                                  bool *out, struct sl_error *error) SL_USE_RESULT;

/* Positions under a hash that one page of keys holds. */
struct sl_log_hits {
    uint64_t positions[SL_LOG_KEYS_A_PAGE_MAX];
    size_t count;
    bool more; /* in the direction of the search, there may be further ones */
};

/* Forwards: positions from `bound` on, ascending; backwards: below `bound`, ascending, too. */
enum sl_err sl_log_shelf_hits(struct sl_log_shelf *shelf, size_t segment, uint64_t hash,
                              uint64_t bound, bool backwards, struct sl_log_hits *out,
                              struct sl_error *error) SL_USE_RESULT;

#endif
