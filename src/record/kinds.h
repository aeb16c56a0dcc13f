/* What the kinds have in common: their size, alignment and name, and integers of every width. */
#ifndef SL_RECORD_KINDS_H
#define SL_RECORD_KINDS_H

#include <string.h>

#include <sluice/record.h>

#include "base/error.h"

/* Limits of a record: sl_record_check refuses more. Eight records inside of each other take at most
 * 17 levels of JSON, within its depth of 32. */
#define SL_RECORD_FIELDS_MAX 256
#define SL_RECORD_DEPTH_MAX 8
#define SL_FIELD_NAME_MAX 63

/* Used where a field says no maximum. */
#define SL_TEXT_BYTES_MAX 65536
#define SL_LIST_ITEMS_MAX 8190

/* Bytes and alignment of a value; 0 for CHARS, NESTED and what is no kind: their field knows. */
size_t sl_kind_size(enum sl_kind kind);
size_t sl_kind_align(enum sl_kind kind);

/* Alignment of a field's member, and of a record's struct, which has passed the depth check. */
size_t sl_field_align(const struct sl_field *field);
size_t sl_record_align(const struct sl_record *record);

/* "i64", "text", …; NULL for what is no kind. Names are part of the log's format. */
const char *sl_kind_name(enum sl_kind kind);

/* A list's items as a field of their own: its kind, size, names and range, its name for messages.
 */
static inline struct sl_field sl_item_field(const struct sl_field *list)
{
    struct sl_field item = {
        .name = list->name,
        .kind = list->record ? SL_NESTED : list->item,
        .record = list->record,
        .names = list->names,
        .ranged = list->ranged,
        .min = list->min,
        .max = list->max,
        .required = list->record != NULL,
    };

    SL_ASSERT(list->record || list->item != SL_NESTED, "sl_record_check");
    item.size = list->record ? list->record->size : (uint32_t)sl_kind_size(list->item);
    return item;
}

static inline bool sl_kind_is_signed(enum sl_kind kind)
{
    return kind >= SL_I8 && kind <= SL_I64;
}

static inline bool sl_kind_is_unsigned(enum sl_kind kind)
{
    return kind >= SL_U8 && kind <= SL_U64;
}

static inline bool sl_kind_is_integer(enum sl_kind kind)
{
    return kind >= SL_I8 && kind <= SL_U64;
}

static inline int64_t sl_load_signed(enum sl_kind kind, const void *value)
{
    switch (kind) {
    case SL_I8:
        return *(const int8_t *)value;
    case SL_I16:
        return *(const int16_t *)value;
    case SL_I32:
        return *(const int32_t *)value;
    default:
        return *(const int64_t *)value;
    }
}

static inline uint64_t sl_load_unsigned(enum sl_kind kind, const void *value)
{
    switch (kind) {
    case SL_U8:
        return *(const uint8_t *)value;
    case SL_U16:
        return *(const uint16_t *)value;
    case SL_U32:
        return *(const uint32_t *)value;
    default:
        return *(const uint64_t *)value;
    }
}

/* False, and nothing is stored, where the number does not fit the kind. */
static inline bool sl_store_signed(enum sl_kind kind, void *value, int64_t number)
{
    switch (kind) {
    case SL_I8:
        if (number < INT8_MIN || number > INT8_MAX)
            return false;
        *(int8_t *)value = (int8_t)number;
        return true;
    case SL_I16:
        if (number < INT16_MIN || number > INT16_MAX)
            return false;
        *(int16_t *)value = (int16_t)number;
        return true;
    case SL_I32:
        if (number < INT32_MIN || number > INT32_MAX)
            return false;
        *(int32_t *)value = (int32_t)number;
        return true;
    default:
        *(int64_t *)value = number;
        return true;
    }
}

static inline bool sl_store_unsigned(enum sl_kind kind, void *value, uint64_t number)
{
    switch (kind) {
    case SL_U8:
        if (number > UINT8_MAX)
            return false;
        *(uint8_t *)value = (uint8_t)number;
        return true;
    case SL_U16:
        if (number > UINT16_MAX)
            return false;
        *(uint16_t *)value = (uint16_t)number;
        return true;
    case SL_U32:
        if (number > UINT32_MAX)
            return false;
        *(uint32_t *)value = (uint32_t)number;
        return true;
    default:
        *(uint64_t *)value = number;
        return true;
    }
}

/* An enumeration's number; one below zero counts as too large. */
static inline uint64_t sl_load_enum(enum sl_kind kind, const void *value)
{
    return sl_kind_is_signed(kind) ? (uint64_t)sl_load_signed(kind, value)
                                   : sl_load_unsigned(kind, value);
}

/* Its name, or NULL where the program knows none for the number. */
static inline const char *sl_enum_name(const struct sl_field *field, const void *value)
{
    const uint64_t number = sl_load_enum(field->kind, value);

    for (uint64_t i = 0; field->names[i]; i++)
        if (i == number)
            return field->names[i];
    return NULL;
}

static inline const void *sl_member(const struct sl_field *field, const void *item)
{
    return (const uint8_t *)item + field->offset;
}

static inline void *sl_member_of(const struct sl_field *field, void *item)
{
    return (uint8_t *)item + field->offset;
}

/* Is an optional field there? Others always are. */
static inline bool sl_field_is_there(const struct sl_field *field, const void *item)
{
    return !field->optional || *(const bool *)((const uint8_t *)item + field->has);
}

static inline void sl_field_set_there(const struct sl_field *field, void *item)
{
    if (field->optional)
        *(bool *)((uint8_t *)item + field->has) = true;
}

/* The text in a CHARS member: up to its zero, or its end where a bug left none. */
static inline struct sl_text sl_chars_text(const struct sl_field *field, const void *value)
{
    return (struct sl_text){value, strnlen(value, field->size)};
}

#endif
