#include "stores/log/known.h"

#include <stdlib.h>
#include <string.h>

enum sl_err sl_log_known_init(struct sl_log_known *known, const struct sl_log_folder *folder,
                              uint64_t cache_bytes)
{
    known->windows.folder = folder;
    return sl_log_shelf_init(&known->shelf, folder, cache_bytes);
}

static void free_raw(struct sl_log_index *raw)
{
    sl_log_index_close(raw);
    free(raw);
}

void sl_log_known_close(struct sl_log_known *known)
{
    sl_log_windows_close(&known->windows);
    sl_log_shelf_close(&known->shelf);
    for (size_t i = 0; i < known->raw_count; i++)
        free_raw(known->raws[i]);
    free(known->raws);
    free(known->schemas);
}

/* ---- Learning -------------------------------------------------------------------------------- */

/* The index of the last raw segment, or that of a new one. */
static struct sl_log_index *raw_for(struct sl_log_known *known, uint32_t segment)
{
    if (known->raw_count > 0 && known->raws[known->raw_count - 1]->segment == segment)
        return known->raws[known->raw_count - 1];
    if (known->raw_count == known->raw_capacity) {
        const size_t capacity = known->raw_capacity > 0 ? known->raw_capacity * 2 : 8;
        struct sl_log_index **raws = realloc(known->raws, capacity * sizeof *known->raws);
        if (!raws)
            return NULL;
        known->raws = raws;
        known->raw_capacity = capacity;
    }
    struct sl_log_index *raw = calloc(1, sizeof *raw);
    if (!raw)
        return NULL;
    sl_log_index_init(raw);
    raw->segment = segment;
    raw->next_position = known->next_position;
    raw->next_outcome = known->next_outcome;
    known->raws[known->raw_count++] = raw;
    return raw;
}

enum sl_err sl_log_known_learn(struct sl_log_known *known, const struct sl_log_entry *entry,
                               const uint64_t *keys, size_t key_count)
{
    struct sl_log_index *raw = raw_for(known, entry->segment);

    if (!raw)
        return SL_NO_MEMORY;
    const enum sl_err err = sl_log_index_add(raw, entry, keys, key_count);
    if (err != SL_OK)
        return err;
    known->next_position = raw->next_position;
    known->next_outcome = raw->next_outcome;
    return SL_OK;
}

enum sl_err sl_log_known_schema(struct sl_log_known *known, const struct sl_schema *schema)
{
    if (schema->id >= known->schema_count) {
        const size_t count = ((size_t)schema->id + 1) * 2;
        const struct sl_schema **schemas = realloc(known->schemas, count * sizeof *known->schemas);
        if (!schemas)
            return SL_NO_MEMORY;
        for (size_t i = known->schema_count; i < count; i++)
            schemas[i] = NULL;
        known->schemas = schemas;
        known->schema_count = count;
    }
    known->schemas[schema->id] = schema;
    return SL_OK;
}

enum sl_err sl_log_known_shelve(struct sl_log_known *known, const struct sl_log_sealed_head *head)
{
    const uint64_t number = head->segment.number;
    const enum sl_err err = sl_log_shelf_add(&known->shelf, head);

    if (err != SL_OK)
        return err;
    if (known->next_position < head->next_position)
        known->next_position = head->next_position;
    if (known->next_outcome < head->next_outcome)
        known->next_outcome = head->next_outcome;
    if (known->raw_count > 0 && known->raws[0]->segment == number) {
        SL_ASSERT(known->raws[0]->next_position == head->next_position &&
                      known->raws[0]->next_outcome == head->next_outcome, "L4");
        free_raw(known->raws[0]);
        known->raw_count--;
        memmove(known->raws, known->raws + 1, known->raw_count * sizeof *known->raws);
    }
    sl_log_windows_forget(&known->windows, number);
    return SL_OK;
}

/* ---- Stretches ------------------------------------------------------------------------------- */

static void of_entry(const struct sl_log_known *known, size_t segment, size_t at,
                     struct sl_log_stretch *out)
{
    const struct sl_log_entry *entry = &known->raws[segment]->entries[at];

    *out = (struct sl_log_stretch){
        .first_position = entry->first_position,
        .first_outcome = entry->first_outcome,
        .event_count = entry->event_count,
        .outcome_count = entry->outcome_count,
        .outcome_latest = entry->outcome_latest,
        .marks = entry->marks,
        .segment = segment,
        .at = at,
    };
}

static void of_place(const struct sl_log_place *place, size_t segment, uint32_t number,
                     struct sl_log_stretch *out)
{
    *out = (struct sl_log_stretch){
        .first_position = place->first_position,
        .first_outcome = place->first_outcome,
        .event_count = place->event_count,
        .outcome_count = place->outcome_count,
        .outcome_latest = place->outcome_latest,
        .sealed = true,
        .segment = segment,
        .at = number,
    };
}

static enum sl_err find_raw(const struct sl_log_known *known, bool by_outcome, uint64_t sought,
                            struct sl_log_stretch *out)
{
    for (size_t i = 0; i < known->raw_count; i++) {
        const struct sl_log_index *raw = known->raws[i];
        if ((by_outcome ? raw->next_outcome : raw->next_position) <= sought)
            continue;
        of_entry(known, i,
                 by_outcome ? sl_log_index_at_outcome(raw, sought)
                            : sl_log_index_at_position(raw, sought), out);
        return SL_OK;
    }
    return SL_NOT_FOUND;
}

enum sl_err sl_log_known_find(struct sl_log_known *known, bool by_outcome, uint64_t sought,
                              struct sl_log_stretch *out, struct sl_error *error)
{
    struct sl_log_shelf *shelf = &known->shelf;
    const size_t segment = by_outcome ? sl_log_shelf_at_outcome(shelf, sought)
                                      : sl_log_shelf_at_position(shelf, sought);
    struct sl_log_place place;
    uint32_t number;

    if (segment == shelf->count)
        return find_raw(known, by_outcome, sought, out);
    const enum sl_err err =
        sl_log_shelf_find_place(shelf, segment, by_outcome, sought, &number, &place, error);
    if (err != SL_OK)
        return err;
    if (number == shelf->segments[segment].head.block_count)
        return sl_fail(error, SL_CORRUPT, "%s: the index of segment %zu and its header differ: see "
                       "`sluice log verify`", shelf->folder->path, segment);
    of_place(&place, segment, number, out);
    return SL_OK;
}

enum sl_err sl_log_known_next(struct sl_log_known *known, struct sl_log_stretch *stretch,
                              struct sl_error *error)
{
    struct sl_log_shelf *shelf = &known->shelf;
    size_t segment = stretch->segment, at = stretch->at + 1;

    if (stretch->sealed) {
        while (segment < shelf->count && at >= shelf->segments[segment].head.block_count) {
            segment++;
            at = 0;
        }
        if (segment < shelf->count) {
            struct sl_log_place place;
            const enum sl_err err =
                sl_log_shelf_place(shelf, segment, (uint32_t)at, &place, error);
            if (err == SL_OK)
                of_place(&place, segment, (uint32_t)at, stretch);
            return err;
        }
        segment = at = 0; /* on with the raw ones */
    }
    while (segment < known->raw_count && at >= known->raws[segment]->entry_count) {
        segment++;
        at = 0;
    }
    if (segment == known->raw_count)
        return SL_NOT_FOUND;
    of_entry(known, segment, at, stretch);
    return SL_OK;
}

enum sl_err sl_log_known_frames(struct sl_log_known *known, const struct sl_log_stretch *stretch,
                                bool ahead, struct sl_slice *out, struct sl_error *error)
{
    if (stretch->sealed)
        return sl_log_shelf_frames(&known->shelf, stretch->segment, (uint32_t)stretch->at, out,
                                   error);
    return sl_log_windows_frames(&known->windows, known->raws[stretch->segment], stretch->at,
                                 ahead, out, error);
}

enum sl_err sl_log_known_event(struct sl_log_known *known, const struct sl_log_stretch *stretch,
                               uint32_t event, struct sl_slice *out, struct sl_error *error)
{
    return sl_log_windows_event(&known->windows, known->raws[stretch->segment], stretch->at, event,
                                out, error);
}
