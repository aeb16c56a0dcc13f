#include "base/table.h"

#include <stdlib.h>
#include <sys/mman.h>

/*
 * Linear probing. A slot is free (value NULL), an entry, or a stone: "taken once, search on". The
 * table grows when three quarters of its slots are filled, into twice as many slots, or into as
 * many again when most of what fills it are stones. Growing, it has two slot arrays: each insert
 * goes to the new one and brings the next MOVES slots of the old one along.
 *
 * What must stay true:
 * - An entry is in exactly one array. Old slots below `old_next` are gone: whatever a search would
 *   find there was moved, so that it begins, or goes on from the array's end, at `old_next`. (An
 *   entry is reached from its home over filled slots only, and a tail of such a row is one, too.)
 * - The old array is gone before the new one is three quarters full: moving takes capacity / MOVES
 *   inserts. After doubling, at most 3/8 of the new slots came along and at most 1/8 were added
 *   meanwhile; at the same size, 3/8 and 1/4.
 * - No insert pauses: the old array's memory goes back in pieces, too. In one, a hundred MiB take
 *   the kernel 10 ms.
 */

enum {
    FIRST = 16,
    MOVES = 4,
    PIECE = 1 << 20, /* bytes */
};

static char stone_place;
#define STONE ((void *)&stone_place)

/* Large arrays come as zero pages of the kernel, which calloc does not promise: it may fill old
 * memory with zeros instead, all at once. */
static struct sl_table_slot *take_slots(size_t count)
{
    struct sl_table_slot *slots = NULL;
    size_t size;

    if (__builtin_mul_overflow(count, sizeof *slots, &size))
        return NULL;
    if (size < PIECE)
        return calloc(count, sizeof *slots);
    slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return slots != MAP_FAILED ? slots : NULL;
}

static void give_slots(struct sl_table_slot *slots, size_t count)
{
    const size_t size = count * sizeof *slots;

    if (size < PIECE)
        free(slots);
    else
        munmap(slots, size);
}

/* Of the old slots, those of a piece that was moved are given back. */
static void give_moved_piece(const struct sl_table *table)
{
    const size_t moved = table->old_next * sizeof *table->old;

    if (moved % PIECE == 0)
        (void)madvise((char *)table->old + moved - PIECE, PIECE, MADV_DONTNEED);
}

static void *find_in(const struct sl_table *table, const struct sl_table_slot *slots,
                     size_t capacity, size_t start, uint64_t hash, struct sl_slice key)
{
    size_t i = (size_t)hash & (capacity - 1);

    if (i < start)
        i = start;
    for (size_t left = capacity - start; left > 0 && slots[i].value; left--) {
        if (slots[i].hash == hash && slots[i].value != STONE && table->same(slots[i].value, key))
            return slots[i].value;
        if (++i == capacity)
            i = start;
    }
    return NULL;
}

void *sl_table_find(const struct sl_table *table, uint64_t hash, struct sl_slice key)
{
    void *value = NULL;

    if (table->capacity > 0)
        value = find_in(table, table->slots, table->capacity, 0, hash, key);
    if (!value && table->old)
        value = find_in(table, table->old, table->old_capacity, table->old_next, hash, key);
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
        const struct sl_table_slot *slot = &table->old[table->old_next++];

        if (slot->value && slot->value != STONE)
            insert(table, slot->hash, slot->value);
        if (table->old_next < table->old_capacity) {
            give_moved_piece(table);
            continue;
        }
        give_slots(table->old, table->old_capacity);
        table->old = NULL;
        table->old_capacity = table->old_next = 0;
    }
}

static enum sl_err grow(struct sl_table *table)
{
    size_t capacity = FIRST;

    SL_ASSERT(!table->old);
    if (table->capacity > 0)
        capacity = table->count > table->capacity / 8 * 3 ? table->capacity * 2 : table->capacity;
    struct sl_table_slot *slots = take_slots(capacity);
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
static struct sl_table_slot *slot_of(struct sl_table_slot *slots, size_t capacity, size_t start,
                                     uint64_t hash, const void *value)
{
    size_t i = (size_t)hash & (capacity - 1);

    if (i < start)
        i = start;
    for (size_t left = capacity - start; left > 0 && slots[i].value; left--) {
        if (slots[i].value == value)
            return &slots[i];
        if (++i == capacity)
            i = start;
    }
    return NULL;
}

void sl_table_remove(struct sl_table *table, uint64_t hash, const void *value)
{
    struct sl_table_slot *slot =
        table->capacity > 0 ? slot_of(table->slots, table->capacity, 0, hash, value) : NULL;

    if (!slot) {
        SL_ASSERT(table->old, "T1");
        slot = slot_of(table->old, table->old_capacity, table->old_next, hash, value);
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
    /* Behind the new slots those of the old ones that were not moved yet. */
    const size_t left = table->old_capacity - table->old_next;

    while (*cursor < table->capacity + left) {
        const size_t i = (*cursor)++;
        void *value = i < table->capacity ? table->slots[i].value
                                          : table->old[table->old_next + i - table->capacity].value;

        if (value && value != STONE)
            return value;
    }
    return NULL;
}

void sl_table_close(struct sl_table *table)
{
    give_slots(table->slots, table->capacity);
    give_slots(table->old, table->old_capacity);
    *table = (struct sl_table){.same = table->same};
}
