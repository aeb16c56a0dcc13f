#include "stores/log/cache.h"

#include <stdlib.h>

enum { WAYS = 4 };

enum sl_err sl_log_cache_init(struct sl_log_cache *cache, uint64_t bytes, size_t slot_bytes)
{
    const uint64_t sets = bytes / slot_bytes / WAYS;

    cache->slot_count = (size_t)(sets > 0 ? sets : 1) * WAYS;
    cache->slots = calloc(cache->slot_count, sizeof *cache->slots);
    return cache->slots ? SL_OK : SL_NO_MEMORY;
}

void sl_log_cache_close(struct sl_log_cache *cache)
{
    for (size_t i = 0; i < cache->slot_count && cache->slots; i++)
        free(cache->slots[i].bytes);
    free(cache->slots);
    free(cache->large.bytes);
    *cache = (struct sl_log_cache){0};
}

static bool is_it(const struct sl_log_cached *slot, uint64_t segment, uint32_t number)
{
    return slot->bytes && slot->len > 0 && slot->segment == segment && slot->number == number;
}

struct sl_log_cached *sl_log_cache_slot(struct sl_log_cache *cache, uint64_t segment,
                                        uint32_t number, bool *hit)
{
    const uint64_t mixed = (segment * 0x9E3779B97F4A7C15u ^ number) * 0xD6E8FEB86659FD93u;
    struct sl_log_cached *set =
        &cache->slots[(size_t)((mixed >> 32) * (cache->slot_count / WAYS) >> 32) * WAYS];
    struct sl_log_cached *oldest = set;

    *hit = true;
    if (is_it(&cache->large, segment, number))
        return &cache->large;
    for (size_t i = 0; i < WAYS; i++) {
        if (is_it(&set[i], segment, number))
            return &set[i];
        if (set[i].used < oldest->used)
            oldest = &set[i];
    }
    *hit = false;
    return oldest;
}

bool sl_log_slot_room(struct sl_log_cached *slot, size_t len)
{
    slot->len = 0;
    uint8_t *bytes = realloc(slot->bytes, len > 0 ? len : 1);
    if (!bytes)
        return false;
    slot->bytes = bytes;
    return true;
}

void sl_log_cache_forget(struct sl_log_cache *cache, uint64_t segment)
{
    for (size_t i = 0; i < cache->slot_count; i++)
        if (cache->slots[i].segment == segment)
            cache->slots[i].len = 0;
    if (cache->large.segment == segment)
        cache->large.len = 0;
}
