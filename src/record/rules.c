#include "record/rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "record/kinds.h"
#include "record/value.h"

/* ---- Saying what is broken ------------------------------------------------------------------- */

/* Cuts a text that was too long where a character ends, so that it stays UTF-8. */
static void cut_whole(char *text, size_t size, size_t wanted)
{
    size_t end = size - 1;

    if (wanted < size)
        return;
    while (end > 0 && ((unsigned char)text[end - 1] & 0xc0) == 0x80)
        end--;
    if (end > 0 && (unsigned char)text[end - 1] >= 0xc0)
        end--;
    text[end] = '\0';
}

/* Returns the length that the place would have with enough room. */
static size_t write_spot(const struct sl_spot *spot, char *out, size_t size)
{
    const size_t at = spot->outer ? write_spot(spot->outer, out, size) : 0;
    char *end = at < size ? out + at : out + size - 1;
    const size_t left = at < size ? size - at : 1;
    const int len = spot->name ? snprintf(end, left, "%s%s", at > 0 ? "." : "", spot->name)
                               : snprintf(end, left, "[%zu]", spot->index);

    return at + (len > 0 ? (size_t)len : 0);
}

bool sl_break_rule(struct sl_broken_rule *broken, const struct sl_spot *spot, const char *rule,
                   const char *format, ...)
{
    va_list arguments;

    memset(broken, 0, sizeof *broken);
    if (spot)
        cut_whole(broken->field, sizeof broken->field,
                  write_spot(spot, broken->field, sizeof broken->field));
    snprintf(broken->rule, sizeof broken->rule, "%s", rule);
    va_start(arguments, format);
    const int len = vsnprintf(broken->message, sizeof broken->message, format, arguments);
    va_end(arguments);
    cut_whole(broken->message, sizeof broken->message, len > 0 ? (size_t)len : 0);
    return false;
}

/* ---- Rules by kind --------------------------------------------------------------------------- */

static bool break_range(const struct sl_field *field, const struct sl_spot *spot,
                        struct sl_broken_rule *broken)
{
    return sl_break_rule(broken, spot, "range", "%s must lie between %" PRId64 " and %" PRId64,
                         field->name, field->min, field->max);
}

static bool decimal_in_range(const struct sl_field *field, struct sl_decimal decimal)
{
    __extension__ typedef __int128 wide;
    wide unit = 1;

    for (int i = 0; i < decimal.scale; i++)
        unit *= 10; /* scale 18 at most: 2^60, times 2^63 fits */
    return decimal.unscaled >= field->min * unit && decimal.unscaled <= field->max * unit;
}

static bool in_range(const struct sl_field *field, const void *value)
{
    const uint64_t below = field->max < 0 ? 0 : (uint64_t)field->max;
    const uint64_t above = field->min < 0 ? 0 : (uint64_t)field->min;
    double number;

    switch (field->kind) {
    case SL_U128:
        return field->max >= 0 && *(const sl_u128 *)value >= above &&
               *(const sl_u128 *)value <= below;
    case SL_DOUBLE:
        number = *(const double *)value;
        return number >= (double)field->min && number <= (double)field->max;
    case SL_MONEY:
        return ((const struct sl_money *)value)->minor >= field->min &&
               ((const struct sl_money *)value)->minor <= field->max;
    case SL_DECIMAL:
        return decimal_in_range(field, *(const struct sl_decimal *)value);
    default:
        if (!sl_kind_is_integer(field->kind))
            return true;
        if (sl_kind_is_signed(field->kind))
            return sl_load_signed(field->kind, value) >= field->min &&
                   sl_load_signed(field->kind, value) <= field->max;
        return field->max >= 0 && sl_load_unsigned(field->kind, value) >= above &&
               sl_load_unsigned(field->kind, value) <= below;
    }
}

static bool length_kept(const struct sl_field *field, size_t length, size_t max_without,
                        const char *unit, const struct sl_spot *spot, struct sl_broken_rule *broken)
{
    const size_t max = field->length_max > 0 ? field->length_max : max_without;
    const size_t min = field->length_min;

    if (length == 0 && field->required)
        return sl_break_rule(broken, spot, "required", "%s must not be empty", field->name);
    if (length >= min && length <= max)
        return true;
    if (min == 0)
        return sl_break_rule(broken, spot, "length", "%s must have at most %zu %s, not %zu",
                             field->name, max, unit, length);
    return sl_break_rule(broken, spot, "length", "%s must have %zu to %zu %s, not %zu", field->name,
                         min, max, unit, length);
}

static bool is_currency(const char *currency)
{
    for (int i = 0; i < 3; i++)
        if (currency[i] < 'A' || currency[i] > 'Z')
            return false;
    return currency[3] == '\0';
}

static bool integer_kept(const struct sl_field *field, const void *value,
                         const struct sl_spot *spot, struct sl_broken_rule *broken)
{
    if (field->names && !sl_enum_name(field, value))
        return sl_break_rule(broken, spot, "enum", "%s has a number without a name", field->name);
    return true;
}

static bool kept(const struct sl_field *field, const void *value, const struct sl_spot *spot,
                 struct sl_broken_rule *broken)
{
    if (field->kind == SL_DOUBLE && !isfinite(*(const double *)value))
        return sl_break_rule(broken, spot, "range", "%s must be a finite number", field->name);
    if (field->kind == SL_MONEY && !is_currency(((const struct sl_money *)value)->currency))
        return sl_break_rule(broken, spot, "format", "%s needs a currency of three capital letters",
                             field->name);
    if (field->kind == SL_DECIMAL && ((const struct sl_decimal *)value)->scale > 18)
        return sl_break_rule(broken, spot, "format", "%s must have at most 18 decimals",
                             field->name);
    if (field->ranged && field->kind != SL_LIST_KIND && !in_range(field, value))
        return break_range(field, spot, broken);

    switch (field->kind) {
    case SL_TEXT_KIND:
        return length_kept(field, ((const struct sl_text *)value)->len, SL_TEXT_BYTES_MAX, "bytes",
                           spot, broken);
    case SL_CHARS:
        return length_kept(field, sl_chars_text(field, value).len, field->size - 1, "bytes", spot,
                           broken);
    case SL_LIST_KIND:
        return length_kept(field, ((const struct sl_list *)value)->count, SL_LIST_ITEMS_MAX,
                           "items", spot, broken);
    default:
        return !sl_kind_is_integer(field->kind) || integer_kept(field, value, spot, broken);
    }
}

bool sl_rules_kept(const struct sl_field *field, const void *value, bool may_be_missing,
                   const struct sl_spot *spot, struct sl_broken_rule *broken)
{
    if (kept(field, value, spot, broken))
        return true;
    return may_be_missing && !field->required && !field->optional &&
           sl_value_is_empty(field, value);
}

/* ---- Whole structs --------------------------------------------------------------------------- */

static bool record_kept(const struct sl_record *record, const void *item,
                        const struct sl_spot *outer, struct sl_broken_rule *broken);

/* What JSON cannot bring in, and a program can. */
static bool form_kept(const struct sl_field *field, const void *value, const struct sl_spot *spot,
                      struct sl_broken_rule *broken)
{
    static const int32_t first_day = -719162, last_day = 2932896;
    struct sl_text text = {0};

    if (field->kind == SL_DATE) {
        const int32_t days = ((const struct sl_date *)value)->days;
        if (days < first_day || days > last_day)
            return sl_break_rule(broken, spot, "format", "%s must lie in the years 0001 to 9999",
                                 field->name);
    }
    if (field->kind == SL_TEXT_KIND)
        text = *(const struct sl_text *)value;
    else if (field->kind == SL_CHARS)
        text = sl_chars_text(field, value);
    if (!sl_value_is_text(text))
        return sl_break_rule(broken, spot, "utf8", "%s must be UTF-8 without zero bytes",
                             field->name);
    return true;
}

static bool value_kept(const struct sl_field *field, const void *value, bool may_be_missing,
                       const struct sl_spot *spot, struct sl_broken_rule *broken)
{
    if (field->kind == SL_NESTED) {
        if (may_be_missing && !field->required && !field->optional &&
            sl_value_is_empty(field, value))
            return true;
        return record_kept(field->record, value, spot, broken);
    }
    if (!sl_rules_kept(field, value, may_be_missing, spot, broken) ||
        !form_kept(field, value, spot, broken))
        return false;
    if (field->kind != SL_LIST_KIND)
        return true;
    const struct sl_field item = sl_item_field(field);
    const struct sl_list *list = value;
    for (size_t i = 0; i < list->count; i++) {
        const struct sl_spot at = {spot, NULL, i};
        if (!value_kept(&item, (const uint8_t *)list->items + i * item.size, false, &at, broken))
            return false;
    }
    return true;
}

static bool record_kept(const struct sl_record *record, const void *item,
                        const struct sl_spot *outer, struct sl_broken_rule *broken)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        const struct sl_spot spot = {outer, field->name, 0};

        if (sl_field_is_there(field, item) &&
            !value_kept(field, sl_member(field, item), true, &spot, broken))
            return false;
    }
    return true;
}

enum sl_err sl_record_validate(const struct sl_record *record, const void *item,
                               struct sl_broken_rule *broken)
{
    struct sl_broken_rule first;

    if (record_kept(record, item, NULL, &first))
        return SL_OK;
    *broken = first;
    return SL_INVALID;
}
