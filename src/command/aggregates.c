#include "command/aggregates.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "record/pack.h"

enum {
    OVERHEAD = 48, /* of the allocator, and the table's slot */
    TRIM_AT_ONCE = 4096,
};

static const struct sl_record guard_record =
    SL_RECORD(struct sl_tag_guard, SL_FIELD(struct sl_tag_guard, after));

static void evolve_guard(void *state, const struct sl_event *event)
{
    ((struct sl_tag_guard *)state)->after = event->position + 1;
}

const struct sl_aggregate sl_tag_guards = {"$tag", &guard_record, evolve_guard};

static bool same(const void *value, struct sl_slice key)
{
    const struct sl_held *held = value;
    return held->name.len == key.len && memcmp(held->name.ptr, key.ptr, key.len) == 0;
}

static struct sl_slice key_of(struct sl_text name)
{
    return (struct sl_slice){(const uint8_t *)name.ptr, name.len};
}

void sl_aggregates_init(struct sl_aggregates *aggregates, size_t bytes_max)
{
    *aggregates = (struct sl_aggregates){.table = {.same = same}, .bytes_max = bytes_max};
}

void sl_held_free(struct sl_held *held)
{
    if (held->apart)
        free(held->state);
    free(held);
}

static void unlink_held(struct sl_aggregates *aggregates, struct sl_held *held)
{
    if (held->newer)
        held->newer->older = held->older;
    else
        aggregates->newest = held->older;
    if (held->older)
        held->older->newer = held->newer;
    else
        aggregates->oldest = held->newer;
    held->newer = held->older = NULL;
}

static void link_newest(struct sl_aggregates *aggregates, struct sl_held *held)
{
    held->older = aggregates->newest;
    if (held->older)
        held->older->newer = held;
    else
        aggregates->oldest = held;
    aggregates->newest = held;
}

static void drop(struct sl_aggregates *aggregates, struct sl_held *held)
{
    unlink_held(aggregates, held);
    sl_table_remove(&aggregates->table, held->hash, held);
    aggregates->bytes -= held->bytes;
    aggregates->guard_count -= held->aggregate == &sl_tag_guards;
    if (held->stage == SL_HELD_LOADING)
        held->orphan = true;
    else
        sl_held_free(held);
}

void sl_aggregates_drop_all(struct sl_aggregates *aggregates)
{
    while (aggregates->oldest) {
        SL_ASSERT(aggregates->oldest->pins == 0, "T1");
        drop(aggregates, aggregates->oldest);
    }
}

void sl_aggregates_close(struct sl_aggregates *aggregates)
{
    while (aggregates->oldest) {
        aggregates->oldest->stage = SL_HELD_READY; /* nobody waits for its reading any more */
        drop(aggregates, aggregates->oldest);
    }
    sl_table_close(&aggregates->table);
}

uint64_t sl_aggregates_hash(struct sl_text name)
{
    return sl_hash64(name.ptr, name.len, 0);
}

struct sl_held *sl_aggregates_find(const struct sl_aggregates *aggregates, uint64_t hash,
                                   struct sl_text name)
{
    return sl_table_find(&aggregates->table, hash, key_of(name));
}

/* One piece of memory: the struct, the state, the name. */
static struct sl_held *make(const struct sl_aggregate *aggregate, struct sl_text name,
                            uint64_t hash)
{
    const size_t head = (sizeof(struct sl_held) + 15) / 16 * 16;
    const size_t size = head + aggregate->record->size + name.len;
    struct sl_held *held = calloc(1, size);

    if (!held)
        return NULL;
    held->aggregate = aggregate;
    held->hash = hash;
    held->state = (uint8_t *)held + head;
    char *text = (char *)held->state + aggregate->record->size;
    memcpy(text, name.ptr, name.len);
    held->name = (struct sl_text){text, name.len};
    held->flat = sl_record_is_flat(aggregate->record);
    held->bytes = size + OVERHEAD;
    return held;
}

struct sl_held *sl_aggregates_pin(struct sl_aggregates *aggregates,
                                  const struct sl_aggregate *aggregate, struct sl_text name)
{
    const uint64_t hash = sl_aggregates_hash(name);
    struct sl_held *held = sl_table_find(&aggregates->table, hash, key_of(name));

    if (held) {
        if (aggregates->newest != held) {
            unlink_held(aggregates, held);
            link_newest(aggregates, held);
        }
    } else {
        held = make(aggregate, name, hash);
        if (!held)
            return NULL;
        if (sl_table_add(&aggregates->table, hash, held) != SL_OK) {
            sl_held_free(held);
            return NULL;
        }
        link_newest(aggregates, held);
        aggregates->bytes += held->bytes;
        aggregates->guard_count += aggregate == &sl_tag_guards;
    }
    held->pins++;
    return held;
}

void sl_aggregates_unpin(struct sl_aggregates *aggregates, struct sl_held *held)
{
    (void)aggregates;
    SL_ASSERT(held->pins > 0, "T1");
    held->pins--;
}

void sl_held_evolve(struct sl_aggregates *aggregates, struct sl_held *held,
                    const struct sl_event *event)
{
    held->aggregate->evolve(held->state, event);
    held->unkept++;
    if (held->flat || held->next_unsettled)
        return;
    held->next_unsettled = aggregates->unsettled ? aggregates->unsettled : held;
    aggregates->unsettled = held;
}

void sl_held_forget(struct sl_held *held)
{
    memset(held->state, 0, held->aggregate->record->size);
    held->stage = SL_HELD_NEW;
    held->loaded = held->stream_count = 0;
    held->unkept = 0;
}

static bool settle(struct sl_aggregates *aggregates, struct sl_held *held)
{
    const struct sl_record *record = held->aggregate->record;
    const size_t size = sl_record_copy_size(record, held->state);
    void *memory = aligned_alloc(16, (size + 15) / 16 * 16);

    if (!memory)
        return false;
    sl_record_copy(record, held->state, memory);
    if (held->apart)
        free(held->state);
    held->state = memory;
    held->apart = true;

    const size_t bytes = sizeof *held + held->name.len + record->size + size + 2 * OVERHEAD;
    if (!held->orphan)
        aggregates->bytes += bytes - held->bytes;
    held->bytes = bytes;
    return true;
}

bool sl_held_replace(struct sl_aggregates *aggregates, struct sl_held *held, const void *state)
{
    memcpy(held->state, state, held->aggregate->record->size);
    if (held->flat || settle(aggregates, held))
        return true;
    sl_held_forget(held);
    return false;
}

void sl_aggregates_settle(struct sl_aggregates *aggregates)
{
    struct sl_held *held = aggregates->unsettled;

    aggregates->unsettled = NULL;
    while (held) {
        struct sl_held *next = held->next_unsettled == held ? NULL : held->next_unsettled;
        held->next_unsettled = NULL;
        if (held->stage != SL_HELD_NEW && !settle(aggregates, held))
            sl_held_forget(held);
        held = next;
    }
}

void sl_aggregates_trim(struct sl_aggregates *aggregates, uint64_t durable)
{
    struct sl_held *held = aggregates->oldest;

    for (int looked = 0;
         held && looked < TRIM_AT_ONCE && aggregates->bytes > aggregates->bytes_max; looked++) {
        struct sl_held *next = held->newer;
        if (held->pins == 0 && held->stage != SL_HELD_LOADING && held->touched <= durable) {
            if (aggregates->leaves)
                aggregates->leaves(aggregates->context, held);
            drop(aggregates, held);
        }
        held = next;
    }
}
