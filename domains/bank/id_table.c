#include "domains/bank/id_table.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(struct sl_text id)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a */

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (uint8_t)id.ptr[i]) * 1099511628211u;
    return hash ^ hash >> 29;
}

static void *item_at(const struct id_table *table, size_t place)
{
    return table->items + place * table->item_bytes;
}

static struct sl_text id_of(const void *item)
{
    const struct id_name *name = item;

    return (struct sl_text){name->text, name->len};
}

/* The slot where the id is, or would be. */
static size_t slot_of(const struct id_table *table, struct sl_text id)
{
    size_t slot = hash_of(id) & (table->slot_count - 1);

    while (table->slots[slot] && !sl_text_equals(id_of(item_at(table, table->slots[slot] - 1)), id))
        slot = (slot + 1) & (table->slot_count - 1);
    return slot;
}

void *id_table_find(const struct id_table *table, struct sl_text id)
{
    if (table->count == 0)
        return NULL;
    const uint32_t place = table->slots[slot_of(table, id)];
    return place ? item_at(table, place - 1) : NULL;
}

/* Twice as many slots as items at least, so that a search ends. */
static bool grow(struct id_table *table)
{
    const size_t max = table->max ? table->max * 2 : 256;

    if (max > UINT32_MAX / 4)
        return false;
    uint32_t *slots = calloc(max * 2, sizeof *slots);
    uint8_t *items = slots ? realloc(table->items, max * table->item_bytes) : NULL;
    if (!items) {
        free(slots);
        return false;
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count = max * 2;
    table->items = items;
    table->max = max;
    for (size_t i = 0; i < table->count; i++)
        slots[slot_of(table, id_of(item_at(table, i)))] = (uint32_t)i + 1;
    return true;
}

void *id_table_add(struct id_table *table, struct sl_text id)
{
    if (id.len > BANK_ID_MAX || (table->count == table->max && !grow(table)))
        return NULL;
    struct id_name *item = item_at(table, table->count);
    memset(item, 0, table->item_bytes);
    item->len = (uint8_t)id.len;
    memcpy(item->text, id.ptr, id.len);
    table->slots[slot_of(table, id)] = (uint32_t)++table->count;
    return item;
}

void id_table_free(struct id_table *table)
{
    free(table->items);
    free(table->slots);
}
