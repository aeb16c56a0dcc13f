/*
 * Records: one description of a struct, from which JSON in and out, validation, the packed form in
 * the log, SQL columns and OpenAPI follow.
 *
 *     struct line { struct sl_text sku; int64_t quantity; };
 *
 *     static const struct sl_record line_record = SL_RECORD(struct line,
 *         SL_FIELD(struct line, sku, .required = true, .length_max = 32),
 *         SL_FIELD(struct line, quantity, .required = true, SL_RANGE(1, 1000)));
 *
 * A field's kind is read off the struct member's C type. Descriptions are constant data and live
 * as long as the program; any thread may read them.
 *
 * How a kind looks in JSON: booleans and integers to 64 bits as such (integers are read from a
 * number or, so that JavaScript loses nothing, from a decimal string); 128-bit integers as decimal
 * strings; double as number; text and enumerations as string; UUID as 8-4-4-4-12 hex; date as
 * "2026-11-20"; time as RFC 3339 in UTC with up to nine decimals; money as {"minor": 1050,
 * "currency": "EUR"}; decimal as string "10.50"; list as array; nested record as object.
 */
#ifndef SLUICE_RECORD_H
#define SLUICE_RECORD_H

#include <sluice/types.h>

enum sl_kind {
    SL_BOOL = 1,
    SL_I8,
    SL_I16,
    SL_I32,
    SL_I64,
    SL_U8,
    SL_U16,
    SL_U32,
    SL_U64,
    SL_U128,
    SL_DOUBLE,
    SL_TEXT_KIND, /* struct sl_text */
    SL_CHARS,     /* char name[n]: up to n - 1 bytes of text inside the struct, zero-filled */
    SL_UUID,
    SL_DATE,
    SL_TIME,
    SL_MONEY,
    SL_DECIMAL,
    SL_LIST_KIND, /* struct sl_list; `.record` or `.item` says of what */
    SL_NESTED,    /* a struct member; `.record` describes it */
};

struct sl_record;

struct sl_field {
    const char *name; /* the member's name, and the field's in JSON and SQL */
    enum sl_kind kind;
    uint32_t offset; /* bytes from the start of the struct */
    uint32_t size;   /* bytes of the member */

    const struct sl_record *record; /* of a nested record, or of a list's items */
    enum sl_kind item;              /* a list of scalars: their kind (not CHARS, LIST or NESTED) */
    const char *const *names;       /* an enumeration: names of 0, 1, 2, … ended by NULL */

    bool required;       /* must be given, and text and lists must not be empty */
    bool optional;       /* may be absent, remembered in the bool at `has` (see SL_HAS) */
    bool ranged;         /* `min` and `max` hold (see SL_RANGE) */
    uint32_t has;        /* offset of a bool member */
    uint32_t length_min; /* bytes of text, or items of a list */
    uint32_t length_max; /* likewise; 0: text 65,536 bytes, lists 8,190 items */
    int64_t min;
    int64_t max;

    const char *personal_of; /* personal data: the field that names its subject */
    const char *help;        /* a sentence for OpenAPI and pages */
};

struct sl_record {
    const char *name; /* "struct line" */
    uint32_t size;    /* bytes of the struct */
    uint32_t field_count;
    const struct sl_field *fields;
};

#define SL_KIND_OF(member)                                                                         \
    _Generic((member),                                                                             \
        bool: SL_BOOL,                                                                             \
        int8_t: SL_I8,                                                                             \
        int16_t: SL_I16,                                                                           \
        int32_t: SL_I32,                                                                           \
        int64_t: SL_I64,                                                                           \
        uint8_t: SL_U8,                                                                            \
        uint16_t: SL_U16,                                                                          \
        uint32_t: SL_U32,                                                                          \
        uint64_t: SL_U64,                                                                          \
        sl_u128: SL_U128,                                                                          \
        double: SL_DOUBLE,                                                                         \
        struct sl_text: SL_TEXT_KIND,                                                              \
        char *: SL_CHARS,                                                                          \
        struct sl_uuid: SL_UUID,                                                                   \
        struct sl_date: SL_DATE,                                                                   \
        struct sl_time: SL_TIME,                                                                   \
        struct sl_money: SL_MONEY,                                                                 \
        struct sl_decimal: SL_DECIMAL,                                                             \
        struct sl_list: SL_LIST_KIND,                                                              \
        default: SL_NESTED)

/* SL_FIELD(struct type, member, .required = true, …) */
#define SL_FIELD(type, ...) SL_FIELD_OF(type, __VA_ARGS__, )
#define SL_FIELD_OF(type, member, ...)                                                             \
    {                                                                                              \
        .name = #member, .kind = SL_KIND_OF(((type *)0)->member),                                  \
        .offset = offsetof(type, member), .size = sizeof(((type *)0)->member), __VA_ARGS__         \
    }

/* Both ends belong to the range. */
#define SL_RANGE(lowest, highest) .ranged = true, .min = (lowest), .max = (highest)

/* The field may be absent or null; `member`, a bool of the same struct, says whether it is
 * there. */
#define SL_HAS(type, member) .optional = true, .has = offsetof(type, member)

/* An enumeration's names: SL_NAMES("open", "closed"). */
#define SL_NAMES(...) .names = (const char *const[]){__VA_ARGS__, NULL}

#define SL_RECORD(type, ...)                                                                       \
    {                                                                                              \
        .name = #type, .size = sizeof(type),                                                       \
        .field_count = sizeof((const struct sl_field[]){__VA_ARGS__}) / sizeof(struct sl_field),   \
        .fields = (const struct sl_field[]){__VA_ARGS__}                                           \
    }

#endif
