#include "conformance/view_range_model.h"

#include <string.h>

#include "record/kinds.h"
#include "record/specimen.h"
#include "record/value.h"

const struct sl_record reading_record = SL_RECORD(
    struct reading, SL_FIELD(struct reading, id), SL_FIELD(struct reading, device),
    SL_FIELD(struct reading, at), SL_FIELD(struct reading, day), SL_FIELD(struct reading, speed),
    SL_FIELD(struct reading, amount), SL_FIELD(struct reading, big), SL_FIELD(struct reading, wide),
    SL_FIELD(struct reading, price), SL_FIELD(struct reading, fee),
    SL_FIELD(struct reading, state, SL_NAMES("parked", "driving", "lost")),
    SL_FIELD(struct reading, note, SL_HAS(struct reading, has_note)),
    SL_FIELD(struct reading, seen, SL_HAS(struct reading, has_seen)));

const struct sl_view readings = {
    "readings", &reading_record, "device, id",
    .indexes = SL_LIST(const struct sl_index, {"by-device", "device, at"}, {"by-at", "at"},
                       {"by-state", "state, at, price"}, {"by-price", "price, device"},
                       {"by-note", "note, at"}, {"by-big", "big"}, {"by-day", "state, day"},
                       {"by-seen", "seen, wide"})};

static struct sl_text text_of(uint64_t *seed, const char *stem, uint64_t kinds,
                              struct sl_arena *arena)
{
    return sl_arena_printf(arena, "%s%u", stem, (unsigned)(specimen_random(seed) % kinds));
}

void reading_fill(struct reading *out, int64_t id, uint64_t *seed, struct sl_arena *arena)
{
    const int64_t second = 1000000000;
    static const char *const currencies[] = {"EUR", "EUR", "EUR", "USD"};

    *out = (struct reading){
        .id = id,
        .device = text_of(seed, "d", 3, arena),
        /* Four days, some of them before 1970, at full, half and odd seconds. */
        .at.ns = ((int64_t)(specimen_random(seed) % 6) - 2) * 57600 * second +
                 (int64_t)(specimen_random(seed) % 7) * second / 2,
        .day.days = (int32_t)(specimen_random(seed) % 5) - 2,
        .speed = (double)(int64_t)(specimen_random(seed) % 400) / 8 - 20,
        .amount = (int64_t)(specimen_random(seed) % 2001) - 1000,
        .big = specimen_random(seed) % 4 * (UINT64_MAX / 3),
        .wide = (sl_u128)(specimen_random(seed) % 3) << (specimen_random(seed) % 100),
        .price = {(int64_t)(specimen_random(seed) % 40) - 20, (uint8_t)(specimen_random(seed) % 3)},
        .fee.minor = (int64_t)(specimen_random(seed) % 100),
        .state = (enum range_state)(specimen_random(seed) % 3),
        .has_note = specimen_random(seed) % 3 > 0,
        .has_seen = specimen_random(seed) % 3 > 0,
    };
    memcpy(out->fee.currency, currencies[specimen_random(seed) % 4], 4);
    if (out->has_note)
        out->note = text_of(seed, "note ", 4, arena);
    if (out->has_seen)
        out->seen.ns = (int64_t)(specimen_random(seed) % 5) * 600 * second;
}

/* An absent value comes first. */
static int compare_field(const struct sl_field *field, const void *a, const void *b)
{
    const bool left = sl_field_is_there(field, a), right = sl_field_is_there(field, b);

    return left && right ? sl_value_compare(field, sl_member(field, a), sl_member(field, b))
                         : left - right;
}

static int compare_decimal_texts(const struct sl_field *field, const void *a, const void *b)
{
    uint8_t first[32], second[32];
    struct sl_buf left = {.ptr = first, .capacity = sizeof first, .bytes_max = sizeof first};
    struct sl_buf right = {.ptr = second, .capacity = sizeof second, .bytes_max = sizeof second};
    const struct sl_field text = {.kind = SL_TEXT_KIND};

    sl_value_write(&left, field, sl_member(field, a));
    sl_value_write(&right, field, sl_member(field, b));
    return sl_value_compare(&text, &(struct sl_text){(const char *)first, left.len},
                            &(struct sl_text){(const char *)second, right.len});
}

/* From the place's field `first` on. */
static int compare_place(const struct sl_place *place, uint32_t first, const void *a, const void *b)
{
    for (uint32_t i = first; i < place->count; i++) {
        int order = compare_field(place->fields[i], a, b);
        /* Those of one value stand in the order in which they are written. */
        if (order == 0 && place->fields[i]->kind == SL_DECIMAL)
            order = compare_decimal_texts(place->fields[i], a, b);
        if (order != 0)
            return order;
    }
    return 0;
}

static const struct sl_place *place_of(const struct sl_view_shape *shape, int index)
{
    return index < 0 ? &shape->key : &shape->indexes[index];
}

/* What is equal has no part in the order, not even by how a decimal is written. */
static int compare_rows(const struct sl_view_shape *shape, const struct sl_list_query *query,
                        const void *a, const void *b)
{
    const struct sl_place *place = place_of(shape, query->index);
    const int order = compare_place(place, query->equal_count, a, b);

    return order != 0 ? order : compare_place(&shape->key, 0, a, b);
}

static bool is_wanted(const struct sl_view_shape *shape, const struct sl_list_query *query,
                      const struct reading *row)
{
    const struct sl_place *place = place_of(shape, query->index);

    for (uint32_t i = 0; i < query->equal_count; i++)
        if (compare_field(place->fields[i], row, query->equal) != 0)
            return false;
    if (query->from && compare_field(place->fields[query->equal_count], row, query->from) < 0)
        return false;
    return !query->to || compare_field(place->fields[query->equal_count], row, query->to) < 0;
}

size_t reading_select(const struct sl_view_shape *shape, const struct sl_list_query *query,
                      const struct reading *rows, size_t count, const struct reading **out)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        size_t at = found;

        if (!is_wanted(shape, query, &rows[i]))
            continue;
        for (; at > 0; at--) {
            const int order = compare_rows(shape, query, out[at - 1], &rows[i]);
            if (query->descending ? order > 0 : order < 0)
                break;
            out[at] = out[at - 1];
        }
        out[at] = &rows[i];
        found++;
    }
    return found;
}
