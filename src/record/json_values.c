#include "record/json_values.h"

#include <stdio.h>
#include <string.h>

#include "record/kinds.h"
#include "record/value.h"

/* ---- What went wrong ------------------------------------------------------------------------- */

bool sl_reader_flaw(struct sl_reader *r, const struct sl_spot *spot, enum sl_scan_flaw flaw)
{
    const size_t at = sl_scan_at(&r->scan);

    r->err = SL_INVALID;
    switch (flaw) {
    case SL_SCAN_FINE:
    case SL_SCAN_SYNTAX:
        return sl_break_rule(r->broken, spot, "syntax", "this is not JSON near byte %zu", at);
    case SL_SCAN_SURROGATE:
        return sl_break_rule(r->broken, spot, "utf8", "half of a surrogate pair near byte %zu", at);
    case SL_SCAN_NUL:
        return sl_break_rule(r->broken, spot, "format",
                             "text must not hold \\u0000, as near byte %zu", at);
    case SL_SCAN_DEPTH:
        return sl_break_rule(r->broken, spot, "depth", "more than %d levels at byte %zu",
                             SL_JSON_DEPTH_MAX, at);
    case SL_SCAN_NO_MEMORY:
        break;
    }
    r->err = SL_NO_MEMORY;
    return false;
}

/* "must be …" */
static const char *wanted(const struct sl_field *field)
{
    if (field->names)
        return "the name of a choice";
    switch (field->kind) {
    case SL_BOOL:
        return "true or false";
    case SL_U128:
        return "a whole number from 0 to 2^128-1, as a string of digits";
    case SL_DOUBLE:
        return "a number";
    case SL_TEXT_KIND:
    case SL_CHARS:
        return "a text";
    case SL_UUID:
        return "a UUID such as 550e8400-e29b-41d4-a716-446655440000";
    case SL_DATE:
        return "a date such as 2026-11-23";
    case SL_TIME:
        return "a time such as 2026-11-23T10:00:00Z";
    case SL_MONEY:
        return "money such as {\"minor\": 1050, \"currency\": \"EUR\"}";
    case SL_DECIMAL:
        return "a decimal such as \"10.50\", of at most 18 decimals";
    case SL_LIST_KIND:
        return "a list";
    case SL_NESTED:
        return "an object";
    default:
        return "a whole number";
    }
}

/* What stands here is a value, though not the one wanted; or it is none at all. */
static bool is_value(const struct sl_json_scan *scan)
{
    struct sl_json_scan ahead = *scan;
    const char c = sl_scan_peek(scan);

    return c == '{' || c == '[' || sl_scan_skip(&ahead, 0) == SL_SCAN_FINE;
}

bool sl_reader_type(struct sl_reader *r, const struct sl_field *field, const struct sl_spot *spot)
{
    if (!is_value(&r->scan))
        return sl_reader_flaw(r, spot, SL_SCAN_SYNTAX);
    return sl_break_rule(r->broken, spot, "type", "%s must be %s", field->name, wanted(field));
}

bool sl_reader_no_object(struct sl_reader *r, const struct sl_spot *spot)
{
    if (!is_value(&r->scan))
        return sl_reader_flaw(r, spot, SL_SCAN_SYNTAX);
    return sl_break_rule(r->broken, spot, "type", "an object is wanted");
}

static bool break_format(struct sl_reader *r, const struct sl_field *field,
                         const struct sl_spot *spot)
{
    return sl_break_rule(r->broken, spot, "format", "%s must be %s", field->name, wanted(field));
}

static bool break_enum(struct sl_reader *r, const struct sl_field *field,
                       const struct sl_spot *spot)
{
    char choices[160] = "";
    size_t len = 0;

    for (size_t i = 0; field->names[i]; i++) {
        const size_t more = strlen(field->names[i]) + (i > 0 ? 2 : 0);
        if (len + more + sizeof ", …" > sizeof choices) {
            snprintf(choices + len, sizeof choices - len, ", …");
            break;
        }
        snprintf(choices + len, sizeof choices - len, "%s%s", i > 0 ? ", " : "", field->names[i]);
        len += more;
    }
    return sl_break_rule(r->broken, spot, "enum", "%s must be one of %s", field->name, choices);
}

/* ---- Words and numbers ----------------------------------------------------------------------- */

bool sl_reader_null(struct sl_reader *r)
{
    struct sl_json_scan ahead = r->scan;

    if (!sl_text_equals(sl_scan_word(&ahead), SL_TEXT("null")))
        return false;
    r->scan = ahead;
    return true;
}

static bool read_bool(struct sl_reader *r, const struct sl_field *field, bool *out,
                      const struct sl_spot *spot)
{
    struct sl_json_scan ahead = r->scan;
    const struct sl_text word = sl_scan_word(&ahead);
    const bool yes = sl_text_equals(word, SL_TEXT("true"));

    if (!yes && !sl_text_equals(word, SL_TEXT("false")))
        return sl_reader_type(r, field, spot);
    r->scan = ahead;
    *out = yes;
    return true;
}

static bool read_double(struct sl_reader *r, const struct sl_field *field, double *out,
                        const struct sl_spot *spot)
{
    struct sl_json_scan ahead = r->scan;
    const struct sl_text word = sl_scan_word(&ahead);

    if (!sl_value_is_number(word))
        return sl_reader_type(r, field, spot);
    if (!sl_value_read_double(word, out))
        return sl_break_rule(r->broken, spot, "range", "%s is too large or too small for a number",
                             field->name);
    r->scan = ahead;
    return true;
}

/* A short string without escapes in it, as numbers, dates and the like are. One that is longer or
 * needs escapes is unescaped into `memory`; what then still does not fit is none of them. */
static bool take_short(struct sl_reader *r, char memory[512], struct sl_text *out,
                       const struct sl_spot *spot)
{
    bool escaped;

    if (!sl_scan_string(&r->scan, out, &escaped))
        return sl_reader_flaw(r, spot, SL_SCAN_SYNTAX);
    if (!escaped)
        return true;
    const struct sl_text raw = *out;
    *out = (struct sl_text){memory, 0};
    if (raw.len > 512)
        return true;
    const enum sl_scan_flaw flaw = sl_scan_unescape(raw, memory, &out->len);
    return flaw == SL_SCAN_FINE || sl_reader_flaw(r, spot, flaw);
}

/* "-12", though it may be too large for anything? */
static bool is_whole(struct sl_text text)
{
    if (!sl_value_is_number(text))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '.' || (text.ptr[i] | 0x20) == 'e')
            return false;
    return true;
}

static bool break_integer(struct sl_reader *r, const struct sl_field *field, struct sl_text text,
                          const struct sl_spot *spot)
{
    const size_t bits = 8 * sl_kind_size(field->kind);

    if (!is_whole(text))
        return sl_break_rule(r->broken, spot, "type", "%s must be %s", field->name, wanted(field));
    if (field->ranged)
        return sl_break_rule(r->broken, spot, "range", "%s must lie between %lld and %lld",
                             field->name, (long long)field->min, (long long)field->max);
    return sl_break_rule(r->broken, spot, "range", "%s must be a whole number of %zu bits%s",
                         field->name, bits,
                         sl_kind_is_signed(field->kind) ? "" : " without a sign");
}

/* From a number, or from a string of digits. */
static bool read_integer(struct sl_reader *r, const struct sl_field *field, void *value,
                         const struct sl_spot *spot)
{
    char memory[512];
    struct sl_text text = {NULL, 0};
    int64_t number;
    uint64_t size;
    bool good;
    const char c = sl_scan_peek(&r->scan);

    if (c == '"') {
        if (!take_short(r, memory, &text, spot))
            return false;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        text = sl_scan_word(&r->scan);
        if (sl_text_equals(text, SL_TEXT("-0")))
            text = SL_TEXT("0");
    } else {
        return sl_reader_type(r, field, spot);
    }
    if (field->kind == SL_U128)
        good = sl_value_read_u128(text, value);
    else if (sl_kind_is_signed(field->kind))
        good = sl_value_read_i64(text, &number) && sl_store_signed(field->kind, value, number);
    else
        good = sl_value_read_u64(text, &size) && sl_store_unsigned(field->kind, value, size);
    if (good)
        return true;
    if (c != '"' && !sl_value_is_number(text))
        return sl_reader_flaw(r, spot, SL_SCAN_SYNTAX);
    return break_integer(r, field, text, spot);
}

/* ---- Strings --------------------------------------------------------------------------------- */

static bool read_chars(struct sl_reader *r, const struct sl_field *field, char *out,
                       const struct sl_spot *spot)
{
    struct sl_text text = {NULL, 0};
    bool escaped;
    struct sl_json_scan ahead = r->scan;

    if (!sl_scan_string(&ahead, &text, &escaped))
        return sl_reader_flaw(r, spot, SL_SCAN_SYNTAX);
    if (escaped) {
        const enum sl_scan_flaw flaw = sl_scan_text(&r->scan, r->arena, &text);
        if (flaw)
            return sl_reader_flaw(r, spot, flaw);
    } else {
        r->scan = ahead;
    }
    if (text.len >= field->size)
        return sl_break_rule(r->broken, spot, "length", "%s must have at most %u bytes, not %zu",
                             field->name, field->size - 1, text.len);
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    return true;
}

static bool read_text(struct sl_reader *r, struct sl_text *out, const struct sl_spot *spot)
{
    const enum sl_scan_flaw flaw = sl_scan_text(&r->scan, r->arena, out);

    return flaw == SL_SCAN_FINE || sl_reader_flaw(r, spot, flaw);
}

static bool read_enum(struct sl_reader *r, const struct sl_field *field, void *value,
                      const struct sl_spot *spot)
{
    char memory[512];
    struct sl_text text = {NULL, 0};

    if (!take_short(r, memory, &text, spot))
        return false;
    const int place = sl_value_enum(field, text);
    const bool good = place >= 0 && (sl_kind_is_signed(field->kind)
                                         ? sl_store_signed(field->kind, value, place)
                                         : sl_store_unsigned(field->kind, value, (uint64_t)place));
    return good || break_enum(r, field, spot);
}

static bool read_string(struct sl_reader *r, const struct sl_field *field, void *value,
                        const struct sl_spot *spot)
{
    char memory[512];
    struct sl_text text = {NULL, 0};
    bool good;

    if (sl_scan_peek(&r->scan) != '"')
        return sl_reader_type(r, field, spot);
    if (field->kind == SL_TEXT_KIND)
        return read_text(r, value, spot);
    if (field->kind == SL_CHARS)
        return read_chars(r, field, value, spot);
    if (field->names)
        return read_enum(r, field, value, spot);
    if (!take_short(r, memory, &text, spot))
        return false;
    if (field->kind == SL_UUID)
        good = sl_value_read_uuid(text, value);
    else if (field->kind == SL_DATE)
        good = sl_value_read_date(text, value);
    else if (field->kind == SL_TIME)
        good = sl_value_read_time(text, value);
    else
        good = sl_value_read_decimal(text, value);
    return good || break_format(r, field, spot);
}

/* ---- Money ----------------------------------------------------------------------------------- */

/* {"minor": 1050, "currency": "EUR"}, in either order, nothing else. */
static bool read_money(struct sl_reader *r, const struct sl_field *field, struct sl_money *out,
                       const struct sl_spot *spot)
{
    static const struct sl_field minor = {.name = "minor", .kind = SL_I64, .size = 8};
    static const struct sl_field currency = {.name = "currency", .kind = SL_CHARS, .size = 4};
    bool has_minor = false, has_currency = false;

    if (!sl_scan_take(&r->scan, '{'))
        return sl_reader_type(r, field, spot);
    for (bool more = !sl_scan_take(&r->scan, '}'); more; more = sl_scan_take(&r->scan, ',')) {
        struct sl_text key;
        bool escaped;
        if (!sl_scan_string(&r->scan, &key, &escaped) || !sl_scan_take(&r->scan, ':'))
            return sl_reader_flaw(r, spot, SL_SCAN_SYNTAX);
        const bool is_minor = sl_text_equals(key, SL_TEXT("minor"));
        const struct sl_spot inner = {spot, is_minor ? "minor" : "currency", 0};
        if (!is_minor && !sl_text_equals(key, SL_TEXT("currency")))
            return sl_break_rule(r->broken, spot, "unknown_field", "%s must be %s", field->name,
                                 wanted(field));
        bool *has = is_minor ? &has_minor : &has_currency;
        if (*has)
            return sl_break_rule(r->broken, &inner, "duplicate_field", "%s stands twice",
                                 inner.name);
        *has = true;
        if (is_minor ? !read_integer(r, &minor, &out->minor, &inner)
                     : !read_string(r, &currency, out->currency, &inner))
            return false;
    }
    /* An empty object has no comma before its end, and took it already. */
    if ((has_minor || has_currency) && !sl_scan_take(&r->scan, '}'))
        return sl_reader_flaw(r, spot, SL_SCAN_SYNTAX);
    if (!has_minor || !has_currency)
        return sl_break_rule(r->broken, spot, "required", "%s must be %s", field->name,
                             wanted(field));
    return true;
}

bool sl_reader_scalar(struct sl_reader *r, const struct sl_field *field, void *value,
                      const struct sl_spot *spot)
{
    switch (field->kind) {
    case SL_TEXT_KIND:
    case SL_CHARS:
    case SL_UUID:
    case SL_DATE:
    case SL_TIME:
    case SL_DECIMAL:
        return read_string(r, field, value, spot);
    case SL_BOOL:
        return read_bool(r, field, value, spot);
    case SL_DOUBLE:
        return read_double(r, field, value, spot);
    case SL_MONEY:
        return read_money(r, field, value, spot);
    default:
        return field->names ? read_string(r, field, value, spot)
                            : read_integer(r, field, value, spot);
    }
}
