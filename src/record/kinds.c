#include "record/kinds.h"

size_t sl_kind_size(enum sl_kind kind)
{
    static const uint8_t sizes[] = {
        [SL_BOOL] = sizeof(bool),
        [SL_I8] = 1,
        [SL_I16] = 2,
        [SL_I32] = 4,
        [SL_I64] = 8,
        [SL_U8] = 1,
        [SL_U16] = 2,
        [SL_U32] = 4,
        [SL_U64] = 8,
        [SL_U128] = 16,
        [SL_DOUBLE] = sizeof(double),
        [SL_TEXT_KIND] = sizeof(struct sl_text),
        [SL_UUID] = sizeof(struct sl_uuid),
        [SL_DATE] = sizeof(struct sl_date),
        [SL_TIME] = sizeof(struct sl_time),
        [SL_MONEY] = sizeof(struct sl_money),
        [SL_DECIMAL] = sizeof(struct sl_decimal),
        [SL_LIST_KIND] = sizeof(struct sl_list),
        [SL_NESTED] = 0,
    };

    return (size_t)kind < sizeof sizes ? sizes[kind] : 0;
}

size_t sl_kind_align(enum sl_kind kind)
{
    static const uint8_t aligns[] = {
        [SL_BOOL] = _Alignof(bool),
        [SL_I8] = 1,
        [SL_I16] = _Alignof(int16_t),
        [SL_I32] = _Alignof(int32_t),
        [SL_I64] = _Alignof(int64_t),
        [SL_U8] = 1,
        [SL_U16] = _Alignof(uint16_t),
        [SL_U32] = _Alignof(uint32_t),
        [SL_U64] = _Alignof(uint64_t),
        [SL_U128] = _Alignof(sl_u128),
        [SL_DOUBLE] = _Alignof(double),
        [SL_TEXT_KIND] = _Alignof(struct sl_text),
        [SL_UUID] = _Alignof(struct sl_uuid),
        [SL_DATE] = _Alignof(struct sl_date),
        [SL_TIME] = _Alignof(struct sl_time),
        [SL_MONEY] = _Alignof(struct sl_money),
        [SL_DECIMAL] = _Alignof(struct sl_decimal),
        [SL_LIST_KIND] = _Alignof(struct sl_list),
        [SL_NESTED] = 0,
    };

    return (size_t)kind < sizeof aligns ? aligns[kind] : 0;
}

size_t sl_field_align(const struct sl_field *field)
{
    if (field->kind == SL_NESTED)
        return sl_record_align(field->record);
    return field->kind == SL_CHARS ? 1 : sl_kind_align(field->kind);
}

size_t sl_record_align(const struct sl_record *record)
{
    size_t greatest = 1;

    for (uint32_t i = 0; i < record->field_count; i++) {
        const size_t align = sl_field_align(&record->fields[i]);
        if (align > greatest)
            greatest = align;
    }
    return greatest;
}

const char *sl_kind_name(enum sl_kind kind)
{
    static const char *const names[] = {
        [SL_BOOL] = "bool",      [SL_I8] = "i8",         [SL_I16] = "i16",
        [SL_I32] = "i32",        [SL_I64] = "i64",       [SL_U8] = "u8",
        [SL_U16] = "u16",        [SL_U32] = "u32",       [SL_U64] = "u64",
        [SL_U128] = "u128",      [SL_DOUBLE] = "double", [SL_TEXT_KIND] = "text",
        [SL_CHARS] = "chars",    [SL_UUID] = "uuid",     [SL_DATE] = "date",
        [SL_TIME] = "time",      [SL_MONEY] = "money",   [SL_DECIMAL] = "decimal",
        [SL_LIST_KIND] = "list", [SL_NESTED] = "record",
    };

    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : NULL;
}
