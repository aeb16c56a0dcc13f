/*
 * A cache of pages, or of blocks, of a fixed size: sets of four slots, of which the least used
 * goes. Owned by the reader.
 */
#ifndef SL_STORES_LOG_CACHE_H
#define SL_STORES_LOG_CACHE_H

#include "base/error.h"

struct sl_log_cached {
    uint8_t *bytes; /* NULL: nothing */
    size_t len;
    uint64_t segment; /* or another file's number, see groups.h */
    uint32_t number;  /* of the page or block in it */
    uint64_t used;    /* set by whoever uses it, rising */
};

struct sl_log_cache {
    struct sl_log_cached *slots;
    size_t slot_count;
    struct sl_log_cached large; /* what is too large for a slot: the last one */
};

/* Slots for `bytes`, one set at least; a slot's memory is taken when it is filled. SL_NO_MEMORY. */
enum sl_err sl_log_cache_init(struct sl_log_cache *cache, uint64_t bytes,
                              size_t slot_bytes) SL_USE_RESULT;
void sl_log_cache_close(struct sl_log_cache *cache); /* of zeros, too */

/* The slot that has it, or the one that it shall have; *hit says which. It stays what it is until
 * the next call for this cache. Who fills it sets segment, number and, last, len. */
struct sl_log_cached *sl_log_cache_slot(struct sl_log_cache *cache, uint64_t segment,
                                        uint32_t number, bool *hit);

/* Room for `len` bytes in a slot, which holds nothing until `len` is set. False: no memory. */
bool sl_log_slot_room(struct sl_log_cached *slot, size_t len);

/* Forgets all that it has of a segment. */
void sl_log_cache_forget(struct sl_log_cache *cache, uint64_t segment);

#endif
