#include "command/recent.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 256 };

/* The slot of this hash, or the free one where it belongs; rounds are counted from 1. */
static struct sl_recent_slot *slot_of(const struct sl_recent *recent, uint64_t hash)
{
    size_t place = hash & (recent->capacity - 1);

    while (recent->slots[place].round == recent->round + 1 && recent->slots[place].hash != hash)
        place = (place + 1) & (recent->capacity - 1);
    return &recent->slots[place];
}

static bool grow(struct sl_recent *recent)
{
    const struct sl_recent before = *recent;
    const size_t capacity = before.capacity ? before.capacity * 2 : FIRST_CAPACITY;
    struct sl_recent_slot *slots = calloc(capacity, sizeof *slots);

    if (!slots)
        return false;
    recent->slots = slots;
    recent->capacity = capacity;
    for (size_t i = 0; i < before.capacity; i++)
        if (before.slots[i].round == before.round + 1)
            *slot_of(recent, before.slots[i].hash) = before.slots[i];
    free(before.slots);
    return true;
}

void sl_recent_note(struct sl_recent *recent, uint64_t hash, uint64_t upto)
{
    if (recent->count * 2 >= recent->capacity && !grow(recent)) {
        recent->anybody = upto;
        return;
    }
    struct sl_recent_slot *slot = slot_of(recent, hash);
    if (slot->round != recent->round + 1)
        recent->count++;
    *slot = (struct sl_recent_slot){hash, upto, recent->round + 1};
}

uint64_t sl_recent_find(const struct sl_recent *recent, uint64_t hash)
{
    if (recent->count == 0)
        return recent->anybody;
    const struct sl_recent_slot *slot = slot_of(recent, hash);
    const uint64_t upto = slot->round == recent->round + 1 ? slot->upto : 0;
    return upto > recent->anybody ? upto : recent->anybody;
}

void sl_recent_reset(struct sl_recent *recent)
{
    recent->count = 0;
    recent->anybody = 0;
    if (++recent->round == UINT32_MAX - 1) {
        /* Rounds begin anew, and no slot may be taken for one of theirs. */
        free(recent->slots);
        *recent = (struct sl_recent){0};
    }
}

void sl_recent_close(struct sl_recent *recent)
{
    free(recent->slots);
    *recent = (struct sl_recent){0};
}
