/* A record as JSON Schema 2020-12. Lengths of text are bytes here and characters there: a schema's
 * limits are therefore the widest that can pass, and the server's answer is the exact one. */
#include "record/json.h"

#include <string.h>

#include "record/kinds.h"

static void write_text(struct sl_buf *buf, const char *text)
{
    sl_json_write_text(buf, (struct sl_text){text, strlen(text)});
}

static void write_number(struct sl_buf *buf, const char *member, uint64_t number)
{
    sl_buf_append(buf, member, strlen(member));
    sl_buf_u64(buf, number);
}

static void write_bounds(struct sl_buf *buf, int64_t min, int64_t max)
{
    SL_BUF_LITERAL(buf, ",\"minimum\":");
    sl_buf_i64(buf, min);
    SL_BUF_LITERAL(buf, ",\"maximum\":");
    sl_buf_i64(buf, max);
}

static void write_names(struct sl_buf *buf, const struct sl_field *field)
{
    SL_BUF_LITERAL(buf, "\"type\":\"string\",\"enum\":[");
    for (size_t i = 0; field->names[i]; i++) {
        if (i > 0)
            sl_buf_byte(buf, ',');
        write_text(buf, field->names[i]);
    }
    sl_buf_byte(buf, ']');
}

/* 64-bit numbers may also come as strings of digits, for JavaScript; what is written is a number.
 */
static void write_integer(struct sl_buf *buf, const struct sl_field *field)
{
    const size_t bits = 8 * sl_kind_size(field->kind);

    if (bits == 64)
        SL_BUF_LITERAL(buf, "\"type\":\"integer\",\"format\":\"int64\"");
    else if (bits == 32 && sl_kind_is_signed(field->kind))
        SL_BUF_LITERAL(buf, "\"type\":\"integer\",\"format\":\"int32\"");
    else
        SL_BUF_LITERAL(buf, "\"type\":\"integer\"");
    if (field->ranged)
        write_bounds(buf, field->min, field->max);
    else if (sl_kind_is_signed(field->kind))
        write_bounds(buf, INT64_MIN >> (64 - bits), INT64_MAX >> (64 - bits));
    else
        write_number(buf, ",\"minimum\":0,\"maximum\":", UINT64_MAX >> (64 - bits));
}

static void write_length(struct sl_buf *buf, const struct sl_field *field, uint32_t max_without)
{
    const uint32_t max = field->length_max > 0 ? field->length_max : max_without;

    /* A character has at most four bytes; so many must be there. What is not required may be empty.
     */
    if (field->required)
        write_number(buf,
                     ",\"minLength\":", field->length_min > 4 ? (field->length_min + 3) / 4 : 1);
    write_number(buf, ",\"maxLength\":", max);
}

/* What was left out is null in what is written. */
static bool may_be_null(const struct sl_field *field)
{
    return !field->required && !field->optional;
}

static void write_money(struct sl_buf *buf, const struct sl_field *field, bool in_list)
{
    if (may_be_null(field) && !in_list)
        SL_BUF_LITERAL(buf, "\"type\":[\"object\",\"null\"]");
    else
        SL_BUF_LITERAL(buf, "\"type\":\"object\"");
    SL_BUF_LITERAL(buf, ",\"properties\":{\"minor\":{\"type\":\"integer\",\"format\":\"int64\"");
    if (field->ranged)
        write_bounds(buf, field->min, field->max);
    SL_BUF_LITERAL(buf, "},\"currency\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{3}$\"}},"
                        "\"required\":[\"minor\",\"currency\"],\"additionalProperties\":false");
}

static void write_kind(struct sl_buf *buf, const struct sl_field *field, bool in_list);
static void write_object(struct sl_buf *buf, const struct sl_record *record);

static void write_list(struct sl_buf *buf, const struct sl_field *field)
{
    const struct sl_field item = sl_item_field(field);
    const uint32_t max = field->length_max > 0 ? field->length_max : SL_LIST_ITEMS_MAX;

    SL_BUF_LITERAL(buf, "\"type\":\"array\"");
    if (field->required)
        write_number(buf, ",\"minItems\":", field->length_min > 0 ? field->length_min : 1);
    write_number(buf, ",\"maxItems\":", max);
    SL_BUF_LITERAL(buf, ",\"items\":{");
    write_kind(buf, &item, true);
    sl_buf_byte(buf, '}');
}

static void write_text_kind(struct sl_buf *buf, const struct sl_field *field, bool in_list)
{
    SL_BUF_LITERAL(buf, "\"type\":\"string\"");
    if (!in_list)
        write_length(buf, field,
                     field->kind == SL_CHARS ? field->size - 1 : (uint32_t)SL_TEXT_BYTES_MAX);
}

/* The members that say what a value is, without the braces around them. */
static void write_kind(struct sl_buf *buf, const struct sl_field *field, bool in_list)
{
    switch (field->kind) {
    case SL_BOOL:
        SL_BUF_LITERAL(buf, "\"type\":\"boolean\"");
        return;
    case SL_U128:
        SL_BUF_LITERAL(buf, "\"type\":\"string\",\"pattern\":\"^(0|[1-9][0-9]{0,38})$\"");
        return;
    case SL_DOUBLE:
        SL_BUF_LITERAL(buf, "\"type\":\"number\",\"format\":\"double\"");
        if (field->ranged)
            write_bounds(buf, field->min, field->max);
        return;
    case SL_TEXT_KIND:
    case SL_CHARS:
        write_text_kind(buf, field, in_list);
        return;
    case SL_UUID:
        SL_BUF_LITERAL(buf, "\"type\":\"string\",\"format\":\"uuid\"");
        return;
    case SL_DATE:
        SL_BUF_LITERAL(buf, "\"type\":\"string\",\"format\":\"date\"");
        return;
    case SL_TIME:
        SL_BUF_LITERAL(buf, "\"type\":\"string\",\"format\":\"date-time\"");
        return;
    case SL_MONEY:
        write_money(buf, field, in_list);
        return;
    case SL_DECIMAL:
        SL_BUF_LITERAL(buf, "\"type\":\"string\","
                            "\"pattern\":\"^-?(0|[1-9][0-9]*)(\\\\.[0-9]{1,18})?$\"");
        return;
    case SL_LIST_KIND:
        write_list(buf, field);
        return;
    case SL_NESTED:
        if (may_be_null(field))
            SL_BUF_LITERAL(buf, "\"type\":[\"object\",\"null\"]");
        else
            SL_BUF_LITERAL(buf, "\"type\":\"object\"");
        write_object(buf, field->record);
        return;
    default:
        if (field->names)
            write_names(buf, field);
        else
            write_integer(buf, field);
    }
}

static void write_property(struct sl_buf *buf, const struct sl_field *field)
{
    write_text(buf, field->name);
    SL_BUF_LITERAL(buf, ":{");
    write_kind(buf, field, false);
    if (field->help) {
        SL_BUF_LITERAL(buf, ",\"description\":");
        write_text(buf, field->help);
    }
    if (field->personal_of) {
        SL_BUF_LITERAL(buf, ",\"x-personal-of\":");
        write_text(buf, field->personal_of);
    }
    sl_buf_byte(buf, '}');
}

/* The members of an object's schema that follow its type. */
static void write_object(struct sl_buf *buf, const struct sl_record *record)
{
    const char *before = ",\"required\":[";

    SL_BUF_LITERAL(buf, ",\"properties\":{");
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (i > 0)
            sl_buf_byte(buf, ',');
        write_property(buf, &record->fields[i]);
    }
    sl_buf_byte(buf, '}');
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (!record->fields[i].required)
            continue;
        sl_buf_append(buf, before, strlen(before));
        write_text(buf, record->fields[i].name);
        before = ",";
    }
    if (before[1] == '\0')
        sl_buf_byte(buf, ']');
    SL_BUF_LITERAL(buf, ",\"additionalProperties\":false");
}

void sl_json_write_schema(struct sl_buf *buf, const struct sl_record *record)
{
    SL_BUF_LITERAL(buf, "{\"type\":\"object\"");
    write_object(buf, record);
    sl_buf_byte(buf, '}');
}
