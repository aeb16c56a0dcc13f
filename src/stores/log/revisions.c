#include "stores/log/revisions.h"

#include "base/bytes.h"
#include "base/hash.h"

#include <stdlib.h>

struct sl_log_revision {
    uint64_t place; /* two halves of the stream's hash: where it lies in the table, */
    uint64_t part;  /* and in which pass */
    uint64_t next;  /* 0: the slot is empty */
};

enum { CAPACITY_FIRST = 32 };

void sl_log_revisions_init(struct sl_log_revisions *revisions, size_t bytes_max)
{
    *revisions = (struct sl_log_revisions){.bytes_max = bytes_max, .passes = 1};
    if (bytes_max < SL_LOG_REVISIONS_BYTES_MIN)
        revisions->bytes_max = SL_LOG_REVISIONS_BYTES_MIN;
}

static struct sl_log_revision *find(const struct sl_log_revisions *revisions, uint64_t place,
                                    uint64_t part)
{
    const size_t mask = revisions->capacity - 1;

    for (size_t i = (size_t)place & mask;; i = (i + 1) & mask) {
        struct sl_log_revision *slot = &revisions->slots[i];
        if (slot->next == 0 || (slot->place == place && slot->part == part))
            return slot;
    }
}

/* Twice as large; the old table stands beside it meanwhile. False: the ceiling, or no memory. */
static bool grow(struct sl_log_revisions *revisions)
{
    struct sl_log_revision *old = revisions->slots;
    const size_t old_capacity = revisions->capacity;
    const size_t capacity = old_capacity > 0 ? old_capacity * 2 : CAPACITY_FIRST;

    if ((capacity + old_capacity) * sizeof *old > revisions->bytes_max)
        return false;
    struct sl_log_revision *slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return false;
    revisions->slots = slots;
    revisions->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].next != 0)
            *find(revisions, old[i].place, old[i].part) = old[i];
    free(old);
    return true;
}

/* Takes the entry at `hole` out: what lies behind it in its run moves up. */
static void take_out(struct sl_log_revisions *revisions, size_t hole)
{
    const size_t mask = revisions->capacity - 1;
    struct sl_log_revision *slots = revisions->slots;

    for (size_t i = (hole + 1) & mask; slots[i].next != 0; i = (i + 1) & mask) {
        const size_t home = (size_t)slots[i].place & mask;
        /* May it lie in the hole? Only if that is not before its home. */
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            slots[hole] = slots[i];
            hole = i;
        }
    }
    slots[hole].next = 0;
    revisions->count--;
}

/* Half of the streams of this pass come in another one. */
static bool put_off_half(struct sl_log_revisions *revisions)
{
    const uint64_t bit = revisions->mask + 1;

    if (bit == 0 || revisions->put_off_count ==
                        sizeof revisions->put_off / sizeof *revisions->put_off)
        return false;
    SL_MARK("log: streams put off");
    revisions->put_off[revisions->put_off_count].mask = revisions->mask | bit;
    revisions->put_off[revisions->put_off_count++].value = revisions->value | bit;
    revisions->mask |= bit;
    for (size_t i = 0; i < revisions->capacity;) {
        const struct sl_log_revision *slot = &revisions->slots[i];
        if (slot->next != 0 && (slot->part & revisions->mask) != revisions->value)
            take_out(revisions, i);
        else
            i++;
    }
    return true;
}

enum sl_err sl_log_revisions_take(struct sl_log_revisions *revisions, struct sl_text stream,
                                  uint64_t revision, uint64_t *out_expected)
{
    const struct sl_slice bytes = {(const uint8_t *)stream.ptr, stream.len};
    const struct sl_uuid hash = sl_hash128(&bytes, 1, 0);
    const uint64_t place = sl_le64(hash.bytes);
    const uint64_t part = sl_le64(hash.bytes + 8);

    if ((part & revisions->mask) != revisions->value)
        return SL_OK;
    while (revisions->count + 1 > revisions->capacity / 4 * 3)
        if (!grow(revisions) && (revisions->count == 0 || !put_off_half(revisions)))
            return SL_NO_MEMORY;
    if ((part & revisions->mask) != revisions->value)
        return SL_OK; /* it was put off just now */
    struct sl_log_revision *slot = find(revisions, place, part);
    if (revision != slot->next) {
        *out_expected = slot->next;
        return SL_CORRUPT;
    }
    if (slot->next == 0) {
        slot->place = place;
        slot->part = part;
        revisions->count++;
    }
    slot->next++;
    return SL_OK;
}

bool sl_log_revisions_again(struct sl_log_revisions *revisions)
{
    if (revisions->put_off_count == 0)
        return false;
    revisions->put_off_count--;
    revisions->mask = revisions->put_off[revisions->put_off_count].mask;
    revisions->value = revisions->put_off[revisions->put_off_count].value;
    for (size_t i = 0; i < revisions->capacity; i++)
        revisions->slots[i].next = 0;
    revisions->count = 0;
    revisions->passes++;
    return true;
}

void sl_log_revisions_close(struct sl_log_revisions *revisions)
{
    free(revisions->slots);
    *revisions = (struct sl_log_revisions){0};
}
