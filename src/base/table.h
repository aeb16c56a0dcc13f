/*
 * A hash table from bytes to pointers: open addressing, power-of-two capacity.
 *
 * It stores the 64-bit hash and the value; the caller's `same` decides whether a value has a key.
 * Zero-initialised but for `same` it is empty and valid. Grows by moving a few entries at each
 * insert, so that no insert pauses. One owner. Values are never NULL.
 */
#ifndef SL_BASE_TABLE_H
#define SL_BASE_TABLE_H

#include "base/error.h"

struct sl_table_slot {
    uint64_t hash;
    void *value;
};

struct sl_table {
    bool (*same)(const void *value, struct sl_slice key);
    struct sl_table_slot *slots;
    size_t capacity;
    struct sl_table_slot *old; /* while growing: what was not moved yet */
    size_t old_capacity;
    size_t old_next;
    size_t count;
    size_t filled; /* slots with an entry or a stone */
};

/* The value with this key, or NULL. `hash` is the key's, by the same function as at insert. */
void *sl_table_find(const struct sl_table *table, uint64_t hash, struct sl_slice key);

/* Adds a value whose key is not in the table. */
enum sl_err sl_table_add(struct sl_table *table, uint64_t hash, void *value) SL_USE_RESULT;

/* Takes out exactly this value, which must be in the table. */
void sl_table_remove(struct sl_table *table, uint64_t hash, const void *value);

/* Every value once, in no order; `*cursor` starts at 0; NULL ends. The table must not be added to
 * meanwhile; removing the value just handed out is allowed. */
void *sl_table_next(const struct sl_table *table, size_t *cursor);

void sl_table_close(struct sl_table *table);

#endif
