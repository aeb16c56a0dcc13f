#include "base/table.h"

#include <stdlib.h>

/*
 * Linear probing. A slot is free (value NULL), an entry, or a stone: "taken once, search on". The
 * table grows when three quarters of its slots are filled, into twice as many slots, or into as
 * many again when most of what fills it are stones. Growing, it has two slot arrays: each insert
 * goes to the new one and brings the next MOVES slots of the old one along.
 *
 * What must stay true:
 * - An entry is in exactly one array. Moving one leaves a stone, so that searches pass.
 * - The old array is gone before the new one is three quarters full: moving takes capacity / MOVES
 *   inserts. After doubling, at most 3/8 of the new slots came along and at most 1/8 were added
 *   meanwhile; at the same size, 3/8 and 1/4.
 */

enum { FIRST = 16, MOVES = 4 };

static char stone_place;
#define STONE ((void *)&stone_place)

static void *find_in(const struct sl_table *table, const struct sl_table_slot *slots,
                     size_t capacity, uint64_t hash, struct sl_slice key)
{
    const size_t mask = capacity - 1;

    for (size_t i = (size_t)hash & mask; slots[i].value; i = (i + 1) & mask)
        if (slots[i].hash == hash && slots[i].value != STONE && table->same(slots[i].value, key))
            return slots[i].value;
    return NULL;
}

void *sl_table_find(const struct sl_table *table, uint64_t hash, struct sl_slice key)
{
    void *value = NULL;

    if (table->capacity > 0)
        value = find_in(table, table->slots, table->capacity, hash, key);
    if (!value && table->old)
        value = find_in(table, table->old, table->old_capacity, hash, key);
    return value;
}

static void insert(struct sl_table *table, uint64_t hash, void *value)
{
    const size_t mask = table->capacity - 1;
    size_t i = (size_t)hash & mask;

    while (table->slots[i].value && table->slots[i].value != STONE)
        i = (i + 1) & mask;
    if (!table->slots[i].value)
        table->filled++;
    table->slots[i] = (struct sl_table_slot){hash, value};
}

static void move_some(struct sl_table *table)
{
    for (unsigned n = 0; table->old && n < MOVES; n++) {
        struct sl_table_slot *slot = &table->old[table->old_next++];

        if (slot->value && slot->value != STONE) {
            insert(table, slot->hash, slot->value);
            slot->value = STONE;
        }
        if (table->old_next == table->old_capacity) {
            free(table->old);
            table->old = NULL;
            table->old_capacity = table->old_next = 0;
        }
    }
}

static enum sl_err grow(struct sl_table *table)
{
    size_t capacity = FIRST;

    SL_ASSERT(!table->old);
    if (table->capacity > 0)
        capacity = table->count > table->capacity / 8 * 3 ? table->capacity * 2 : table->capacity;
    /* calloc gives large memory as zero pages of the kernel, so that this pauses nobody. */
    struct sl_table_slot *slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return SL_NO_MEMORY;
    table->old = table->slots;
    table->old_capacity = table->capacity;
    table->old_next = 0;
    table->slots = slots;
    table->capacity = capacity;
    table->filled = 0;
    return SL_OK;
}

enum sl_err sl_table_add(struct sl_table *table, uint64_t hash, void *value)
{
    SL_ASSERT(value && table->same);
    if (table->filled >= table->capacity / 4 * 3) {
        const enum sl_err status = grow(table);

        if (status != SL_OK)
            return status;
    }
    insert(table, hash, value);
    table->count++;
    move_some(table);
    return SL_OK;
}

/* Where the value lies; NULL: not in this array. */
static struct sl_table_slot *slot_of(struct sl_table_slot *slots, size_t capacity, uint64_t hash,
                                     const void *value)
{
    const size_t mask = capacity - 1;

    for (size_t i = (size_t)hash & mask; slots[i].value; i = (i + 1) & mask)
        if (slots[i].value == value)
            return &slots[i];
    return NULL;
}

void sl_table_remove(struct sl_table *table, uint64_t hash, const void *value)
{
    struct sl_table_slot *slot =
        table->capacity > 0 ? slot_of(table->slots, table->capacity, hash, value) : NULL;

    if (!slot) {
        slot = table->old ? slot_of(table->old, table->old_capacity, hash, value) : NULL;
        SL_ASSERT(slot, "T1");
        slot->value = STONE;
        table->count--;
        return;
    }
    slot->value = STONE;
    table->count--;
    /* Stones in front of a free slot hold no search up: a table whose entries come and go stays
     * almost free of them. */
    const size_t mask = table->capacity - 1;
    size_t i = (size_t)(slot - table->slots);
    if (table->slots[(i + 1) & mask].value)
        return;
    while (table->slots[i].value == STONE) {
        table->slots[i].value = NULL;
        table->filled--;
        i = (i - 1) & mask;
    }
}

void *sl_table_next(const struct sl_table *table, size_t *cursor)
{
    while (*cursor < table->capacity + table->old_capacity) {
        const size_t i = (*cursor)++;
        void *value =
            i < table->capacity ? table->slots[i].value : table->old[i - table->capacity].value;

        if (value && value != STONE)
            return value;
    }
    return NULL;
}

void sl_table_close(struct sl_table *table)
{
    free(table->slots);
    free(table->old);
    *table = (struct sl_table){.same = table->same};
}
