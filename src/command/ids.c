#include "command/ids.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { SLAB_ENTRIES = 1023 };

struct sl_id_slab {
    struct sl_id_slab *next;
    uint32_t first; /* entries below are forgotten */
    uint32_t count;
    struct sl_known_id entries[SLAB_ENTRIES];
};

static bool same(const void *value, struct sl_slice key)
{
    const struct sl_known_id *known = value;
    return memcmp(known->id.bytes, key.ptr, sizeof known->id.bytes) == 0;
}

static struct sl_slice key_of(const struct sl_uuid *id)
{
    return (struct sl_slice){id->bytes, sizeof id->bytes};
}

void sl_ids_init(struct sl_id_window *ids, uint32_t window_s)
{
    *ids = (struct sl_id_window){.table = {.same = same}, .window_s = window_s};
}

void sl_ids_close(struct sl_id_window *ids)
{
    for (struct sl_id_slab *slab = ids->oldest, *next; slab; slab = next) {
        next = slab->next;
        for (uint32_t i = slab->first; i < slab->count; i++)
            free(slab->entries[i].reply);
        free(slab);
    }
    sl_table_close(&ids->table);
    ids->oldest = ids->newest = NULL;
}

static bool is_old(const struct sl_id_window *ids, const struct sl_known_id *known, uint32_t now_s)
{
    /* A clock that went backwards forgets nothing. */
    return now_s > known->time_s && now_s - known->time_s > ids->window_s;
}

const struct sl_known_id *sl_ids_find(const struct sl_id_window *ids, struct sl_uuid id,
                                      uint32_t now_s)
{
    const struct sl_known_id *known =
        sl_table_find(&ids->table, sl_hash_uuid(id), key_of(&id));

    return known && !is_old(ids, known, now_s) ? known : NULL;
}

/* status 0 marks an entry that was removed. */
static void forget(struct sl_id_window *ids, struct sl_known_id *known)
{
    if (known->status != 0)
        sl_table_remove(&ids->table, sl_hash_uuid(known->id), known);
    free(known->reply);
    known->reply = NULL;
    known->status = 0;
}

void sl_ids_expire(struct sl_id_window *ids, uint32_t now_s, uint32_t most)
{
    while (ids->oldest && most > 0) {
        struct sl_id_slab *slab = ids->oldest;

        while (slab->first < slab->count && most > 0) {
            struct sl_known_id *known = &slab->entries[slab->first];
            if (known->status != 0 && !is_old(ids, known, now_s))
                return;
            forget(ids, known);
            slab->first++;
            most--;
        }
        if (slab->first < slab->count || slab == ids->newest)
            return;
        ids->oldest = slab->next;
        free(slab);
    }
}

enum sl_err sl_ids_add(struct sl_id_window *ids, struct sl_known_id known)
{
    SL_ASSERT(known.status != 0, "C1");
    sl_ids_expire(ids, known.time_s, 4);
    /* An id that is known but too old makes room for its successor. */
    sl_ids_remove(ids, known.id);
    if (!ids->newest || ids->newest->count == SLAB_ENTRIES) {
        struct sl_id_slab *slab = malloc(sizeof *slab);
        if (!slab) {
            free(known.reply);
            return SL_NO_MEMORY;
        }
        slab->next = NULL;
        slab->first = slab->count = 0;
        if (ids->newest)
            ids->newest->next = slab;
        else
            ids->oldest = slab;
        ids->newest = slab;
    }
    struct sl_known_id *entry = &ids->newest->entries[ids->newest->count];
    *entry = known;
    if (sl_table_add(&ids->table, sl_hash_uuid(known.id), entry) != SL_OK) {
        free(known.reply);
        return SL_NO_MEMORY;
    }
    ids->newest->count++;
    return SL_OK;
}

void sl_ids_remove(struct sl_id_window *ids, struct sl_uuid id)
{
    struct sl_known_id *known = sl_table_find(&ids->table, sl_hash_uuid(id), key_of(&id));

    if (known)
        forget(ids, known);
}

size_t sl_ids_count(const struct sl_id_window *ids)
{
    return ids->table.count;
}
