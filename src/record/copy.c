/*
 * Copies that stand alone. In memory: the struct, and behind it, in the order of the fields, every
 * text, and every list at the next multiple of 16. Counting and copying walk the same way, so that
 * the sizes agree; copying checks nothing.
 */
#include "record/pack.h"

#include <string.h>

#include "record/kinds.h"

enum { ALIGN = 16 };

static size_t aligned(size_t at)
{
    return (at + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

bool sl_record_is_flat(const struct sl_record *record)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        if (field->kind == SL_TEXT_KIND || field->kind == SL_LIST_KIND)
            return false;
        if (field->kind == SL_NESTED && !sl_record_is_flat(field->record))
            return false;
    }
    return true;
}

/* Where the struct's texts and lists end that begin at `at`. */
static size_t measure(const struct sl_record *record, const void *item, size_t at);

static size_t measure_list(const struct sl_field *field, const struct sl_list *list, size_t at)
{
    if (list->count == 0)
        return at;
    const size_t size = field->record ? field->record->size : sl_kind_size(field->item);
    const uint8_t *item = list->items;
    at = aligned(at) + size * list->count;
    if (!field->record && field->item != SL_TEXT_KIND)
        return at;
    for (size_t i = 0; i < list->count; i++, item += size)
        at = field->record ? measure(field->record, item, at)
                           : at + ((const struct sl_text *)(const void *)item)->len;
    return at;
}

static size_t measure(const struct sl_record *record, const void *item, size_t at)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        const void *value = sl_member(field, item);

        if (!sl_field_is_there(field, item))
            continue;
        if (field->kind == SL_TEXT_KIND)
            at += ((const struct sl_text *)value)->len;
        else if (field->kind == SL_LIST_KIND)
            at = measure_list(field, value, at);
        else if (field->kind == SL_NESTED)
            at = measure(field->record, value, at);
    }
    return at;
}

size_t sl_record_copy_size(const struct sl_record *record, const void *item)
{
    return measure(record, item, record->size);
}

/* What the struct at `item`, a bytewise copy of its original, points at is copied to base + at. */
static size_t settle(const struct sl_record *record, void *item, uint8_t *base, size_t at);

static size_t settle_text(struct sl_text *text, uint8_t *base, size_t at)
{
    if (text->len == 0) {
        text->ptr = NULL;
        return at;
    }
    memcpy(base + at, text->ptr, text->len);
    text->ptr = (const char *)(base + at);
    return at + text->len;
}

static size_t settle_list(const struct sl_field *field, struct sl_list *list, uint8_t *base,
                          size_t at)
{
    if (list->count == 0) {
        list->items = NULL;
        return at;
    }
    const size_t size = field->record ? field->record->size : sl_kind_size(field->item);
    uint8_t *item = base + aligned(at);
    memcpy(item, list->items, size * list->count);
    list->items = item;
    at = aligned(at) + size * list->count;
    if (!field->record && field->item != SL_TEXT_KIND)
        return at;
    for (size_t i = 0; i < list->count; i++, item += size)
        at = field->record ? settle(field->record, item, base, at)
                           : settle_text((void *)item, base, at);
    return at;
}

static size_t settle(const struct sl_record *record, void *item, uint8_t *base, size_t at)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        void *value = sl_member_of(field, item);

        if (!sl_field_is_there(field, item)) {
            /* Nobody may follow a pointer that an absent value has left. */
            memset(value, 0, field->size);
            continue;
        }
        if (field->kind == SL_TEXT_KIND)
            at = settle_text(value, base, at);
        else if (field->kind == SL_LIST_KIND)
            at = settle_list(field, value, base, at);
        else if (field->kind == SL_NESTED)
            at = settle(field->record, value, base, at);
    }
    return at;
}

void *sl_record_copy(const struct sl_record *record, const void *item, void *memory)
{
    memcpy(memory, item, record->size);
    settle(record, memory, memory, record->size);
    return memory;
}

/* ---- Equality -------------------------------------------------------------------------------- */

static bool values_equal(const struct sl_field *field, const void *a, const void *b);

static bool lists_equal(const struct sl_field *field, const struct sl_list *a,
                        const struct sl_list *b)
{
    const struct sl_field item = sl_item_field(field);

    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!values_equal(&item, (const uint8_t *)a->items + i * item.size,
                          (const uint8_t *)b->items + i * item.size))
            return false;
    return true;
}

static bool values_equal(const struct sl_field *field, const void *a, const void *b)
{
    const struct sl_money *money_a = a, *money_b = b;
    const struct sl_decimal *decimal_a = a, *decimal_b = b;

    switch (field->kind) {
    case SL_TEXT_KIND:
        return sl_text_equals(*(const struct sl_text *)a, *(const struct sl_text *)b);
    case SL_CHARS:
        return sl_text_equals(sl_chars_text(field, a), sl_chars_text(field, b));
    case SL_MONEY:
        return money_a->minor == money_b->minor &&
               memcmp(money_a->currency, money_b->currency, 3) == 0;
    case SL_DECIMAL:
        return decimal_a->unscaled == decimal_b->unscaled && decimal_a->scale == decimal_b->scale;
    case SL_LIST_KIND:
        return lists_equal(field, a, b);
    case SL_NESTED:
        return sl_record_equals(field->record, a, b);
    default:
        return memcmp(a, b, field->size) == 0; /* no padding, and doubles by their bits */
    }
}

bool sl_record_equals(const struct sl_record *record, const void *a, const void *b)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        const bool there = sl_field_is_there(field, a);

        if (there != sl_field_is_there(field, b))
            return false;
        if (there && !values_equal(field, sl_member(field, a), sl_member(field, b)))
            return false;
    }
    return true;
}
