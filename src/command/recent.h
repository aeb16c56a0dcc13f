/*
 * Which aggregates the events of one batch are tagged with: the hash of each one's name, and how
 * far up. An aggregate that is read from the log while the batch is on its way must wait for what
 * the log does not show yet; those that are in memory need no such note.
 *
 * A hash that two names share makes one of them wait in vain, and nothing worse. Zero-initialised
 * it is empty. Owned by the engine's thread.
 */
#ifndef SL_COMMAND_RECENT_H
#define SL_COMMAND_RECENT_H

#include "base/error.h"

struct sl_recent_slot {
    uint64_t hash;
    uint64_t upto;
    uint32_t round; /* of another round: the slot is free */
};

struct sl_recent {
    struct sl_recent_slot *slots;
    size_t capacity;
    size_t count;
    uint32_t round;
    uint64_t anybody; /* memory ran out: everybody waits for what lies below */
};

/* An event right below `upto` has a tag of this hash. */
void sl_recent_note(struct sl_recent *recent, uint64_t hash, uint64_t upto);

/* All events of the batch that may concern the name lie below; 0: none. */
uint64_t sl_recent_find(const struct sl_recent *recent, uint64_t hash);

void sl_recent_reset(struct sl_recent *recent);
void sl_recent_close(struct sl_recent *recent);

#endif
