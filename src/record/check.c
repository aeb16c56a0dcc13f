/*
 * Descriptions of structs are written by hand, and C checks few of their words. What is wrong with
 * one is found here, when the program starts, before it can read or write a byte beside a member.
 */
#include "record/pack.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "record/kinds.h"

struct checker {
    const struct sl_record *record;
    struct sl_error *error;
};

__attribute__((format(printf, 3, 4))) static enum sl_err
refuse(const struct checker *c, const struct sl_field *field, const char *format, ...)
{
    char why[160];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return sl_fail(c->error, SL_INVALID, "%s.%s %s", c->record->name, field->name, why);
}

/* ---- One field ------------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    size_t len = 0;

    if (!((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z')))
        return false;
    for (; name[len] != '\0'; len++) {
        const char c = name[len];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_'))
            return false;
    }
    return len <= SL_FIELD_NAME_MAX;
}

static bool is_scalar(enum sl_kind kind)
{
    return kind >= SL_BOOL && kind <= SL_DECIMAL && kind != SL_CHARS;
}

static bool is_ranged_kind(enum sl_kind kind)
{
    return sl_kind_is_integer(kind) || kind == SL_U128 || kind == SL_DOUBLE || kind == SL_MONEY ||
           kind == SL_DECIMAL;
}

/* The kind that `names`, `min` and `max` speak of. */
static enum sl_kind valued_kind(const struct sl_field *field)
{
    return field->kind == SL_LIST_KIND && !field->record ? field->item : field->kind;
}

static enum sl_err check_size(const struct checker *c, const struct sl_field *field)
{
    size_t size = sl_kind_size(field->kind);

    if (field->kind == SL_NESTED)
        size = field->record->size;
    else if (field->kind == SL_CHARS)
        size = field->size > 1 ? field->size : 2;
    if (field->size != size)
        return refuse(c, field, "has %u bytes, a %s takes %zu", field->size,
                      sl_kind_name(field->kind), size);
    if ((uint64_t)field->offset + field->size > c->record->size)
        return refuse(c, field, "lies outside of the struct of %u bytes", c->record->size);
    if (field->optional && field->has >= c->record->size)
        return refuse(c, field, "has its flag outside of the struct");
    return SL_OK;
}

static enum sl_err check_parts(const struct checker *c, const struct sl_field *field)
{
    const bool is_list = field->kind == SL_LIST_KIND;

    if (field->kind == SL_NESTED && !field->record)
        return refuse(c, field, "is a struct or no known type: it needs .record");
    if (field->record && !is_list && field->kind != SL_NESTED)
        return refuse(c, field, "is a %s and has no .record", sl_kind_name(field->kind));
    if (is_list && !field->record && !field->item)
        return refuse(c, field, "is a list: it needs .record or .item");
    if (is_list && field->record && field->item)
        return refuse(c, field, "has .record and .item");
    if (is_list && field->item && !is_scalar(field->item))
        return refuse(c, field, "is a list of what is no scalar");
    if (!is_list && field->item)
        return refuse(c, field, "is no list and has no .item");
    if (field->required && field->optional)
        return refuse(c, field, "is required and optional");
    return SL_OK;
}

static uint64_t largest_number(enum sl_kind kind)
{
    const size_t bits = 8 * sl_kind_size(kind) - (sl_kind_is_signed(kind) ? 1 : 0);

    return UINT64_MAX >> (64 - bits);
}

static enum sl_err check_names(const struct checker *c, const struct sl_field *field)
{
    size_t count = 0;

    if (!field->names)
        return SL_OK;
    if (!sl_kind_is_integer(valued_kind(field)))
        return refuse(c, field, "has names and is no integer");
    if (field->ranged)
        return refuse(c, field, "has names and a range");
    for (; field->names[count]; count++) {
        if (field->names[count][0] == '\0')
            return refuse(c, field, "has an empty name");
        for (size_t i = 0; i < count; i++)
            if (strcmp(field->names[i], field->names[count]) == 0)
                return refuse(c, field, "has the name %s twice", field->names[i]);
    }
    if (count == 0)
        return refuse(c, field, "has no names in .names");
    if (count - 1 > largest_number(valued_kind(field)))
        return refuse(c, field, "has more names than its type has numbers");
    return SL_OK;
}

static enum sl_err check_limits(const struct checker *c, const struct sl_field *field)
{
    const bool is_list = field->kind == SL_LIST_KIND;
    const bool has_length = is_list || field->kind == SL_TEXT_KIND || field->kind == SL_CHARS;
    const uint32_t max_without = is_list ? SL_LIST_ITEMS_MAX : SL_TEXT_BYTES_MAX;
    const uint32_t max = field->length_max > 0 ? field->length_max : max_without;

    if (field->ranged && !is_ranged_kind(valued_kind(field)))
        return refuse(c, field, "has a range and is no number");
    if (field->ranged && field->min > field->max)
        return refuse(c, field, "has a range that ends before it begins");
    if (!has_length && (field->length_min > 0 || field->length_max > 0))
        return refuse(c, field, "has a length and is neither text nor list");
    if (has_length && field->length_min > max)
        return refuse(c, field, "has a length_min above its length_max");
    if (field->kind == SL_CHARS && field->length_max >= field->size)
        return refuse(c, field, "has a length_max of more bytes than fit");
    return SL_OK;
}

static enum sl_err check_subject(const struct checker *c, const struct sl_field *field)
{
    if (!field->personal_of)
        return SL_OK;
    for (uint32_t i = 0; i < c->record->field_count; i++) {
        const struct sl_field *subject = &c->record->fields[i];
        if (strcmp(subject->name, field->personal_of) != 0)
            continue;
        if (!is_scalar(subject->kind) && subject->kind != SL_CHARS)
            return refuse(c, field, "is personal of %s, which is no scalar", field->personal_of);
        return SL_OK;
    }
    return refuse(c, field, "is personal of %s, which is no field here", field->personal_of);
}

static enum sl_err check_name(const struct checker *c, const struct sl_field *field)
{
    if (!field->name || !is_name(field->name))
        return sl_fail(c->error, SL_INVALID, "%s: \"%s\" is no name for a field", c->record->name,
                       field->name ? field->name : "");
    for (const struct sl_field *other = c->record->fields; other < field; other++)
        if (strcmp(other->name, field->name) == 0)
            return refuse(c, field, "stands twice");
    return SL_OK;
}

static enum sl_err check_field(const struct checker *c, const struct sl_field *field)
{
    enum sl_err err = check_name(c, field);

    if (!err && !sl_kind_name(field->kind))
        err = refuse(c, field, "has no kind");
    if (!err)
        err = check_parts(c, field);
    if (!err)
        err = check_size(c, field);
    if (!err)
        err = check_names(c, field);
    return err ? err : check_limits(c, field);
}

/* ---- The struct as a whole ------------------------------------------------------------------- */

/* A member, or the flag of an optional one. */
struct span {
    uint32_t start;
    uint32_t end;
    uint32_t align;
    const struct sl_field *field;
};

static uint32_t add_span(struct span *spans, uint32_t count, struct span span)
{
    uint32_t at = count;

    for (; at > 0 && spans[at - 1].start > span.start; at--)
        spans[at] = spans[at - 1];
    spans[at] = span;
    return count + 1;
}

static uint32_t round_up(uint32_t at, uint32_t align)
{
    return (at + align - 1) / align * align;
}

/* Members must follow each other as a compiler lays them out: a gap would be a member that is not
 * described, and lost by every copy that goes through bytes. */
static enum sl_err check_layout(const struct checker *c)
{
    struct span spans[2 * SL_RECORD_FIELDS_MAX];
    const struct sl_record *record = c->record;
    uint32_t count = 0, end = 0;

    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        const uint32_t align = (uint32_t)sl_field_align(field);
        count = add_span(spans, count,
                         (struct span){field->offset, field->offset + field->size, align, field});
        if (field->optional)
            count = add_span(spans, count, (struct span){field->has, field->has + 1, 1, field});
    }
    for (uint32_t i = 0; i < count; i++) {
        if (spans[i].start < end)
            return refuse(c, spans[i].field, "overlaps %s", spans[i - 1].field->name);
        if (spans[i].start != round_up(end, spans[i].align))
            return refuse(c, spans[i].field, "has bytes before it that no field describes");
        end = spans[i].end;
    }
    if (record->size != round_up(end, (uint32_t)sl_record_align(record)))
        return sl_fail(c->error, SL_INVALID, "%s has bytes at its end that no field describes",
                       record->name);
    return SL_OK;
}

static enum sl_err check_record(const struct sl_record *record, int depth, struct sl_error *error)
{
    const struct checker c = {record, error};
    enum sl_err err;

    if (!record->name || record->name[0] == '\0')
        return sl_fail(error, SL_INVALID, "a record has no name");
    if (depth > SL_RECORD_DEPTH_MAX)
        return sl_fail(error, SL_INVALID, "%s lies more than %d records deep", record->name,
                       SL_RECORD_DEPTH_MAX);
    if (record->field_count == 0 || record->field_count > SL_RECORD_FIELDS_MAX)
        return sl_fail(error, SL_INVALID, "%s has %u fields: 1 to %d are allowed", record->name,
                       record->field_count, SL_RECORD_FIELDS_MAX);
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        err = check_field(&c, field);
        if (!err && field->record)
            err = check_record(field->record, depth + 1, error);
        if (err)
            return err;
    }
    for (uint32_t i = 0; i < record->field_count; i++) {
        err = check_subject(&c, &record->fields[i]);
        if (err)
            return err;
    }
    return check_layout(&c);
}

enum sl_err sl_record_check(const struct sl_record *record, struct sl_error *error)
{
    return check_record(record, 1, error);
}
