#include "record/place.h"

#include <string.h>

#include "record/kinds.h"
#include "record/value.h"

/* ---- The grammar ----------------------------------------------------------------------------- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static const char *skip_spaces(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n')
        p++;
    return p;
}

/* The word at `*p`, which moves behind it; empty where there is none. */
static struct sl_text take_word(const char **p)
{
    const char *start = *p;

    while (is_word(**p))
        ++*p;
    return (struct sl_text){start, (size_t)(*p - start)};
}

static bool may_stand_in_place(enum sl_kind kind)
{
    return kind != SL_DOUBLE && kind != SL_MONEY && kind != SL_LIST_KIND && kind != SL_NESTED;
}

static enum sl_err add_field(const struct sl_record *record, struct sl_text name,
                             struct sl_place *place, struct sl_error *error)
{
    const int name_len = (int)name.len;

    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        if (!sl_text_equals(name, (struct sl_text){field->name, strlen(field->name)}))
            continue;
        if (!may_stand_in_place(field->kind))
            return sl_fail(error, SL_INVALID, "%s of %s is a %s: it cannot stand in a place",
                           field->name, record->name, sl_kind_name(field->kind));
        for (uint32_t k = 0; k < place->count; k++)
            if (place->fields[k] == field)
                return sl_fail(error, SL_INVALID, "%s stands twice in a place", field->name);
        if (place->count == SL_PLACE_FIELDS_MAX)
            return sl_fail(error, SL_LIMIT, "a place has at most %d fields", SL_PLACE_FIELDS_MAX);
        place->fields[place->count++] = field;
        return SL_OK;
    }
    return sl_fail(error, SL_NOT_FOUND, "%s has no field %.*s", record->name, name_len, name.ptr);
}

enum sl_err sl_place_parse(const struct sl_record *record, const char *text, struct sl_place *out,
                           struct sl_error *error)
{
    struct sl_place place = {0};
    const char *p = text;

    for (;;) {
        p = skip_spaces(p);
        const struct sl_text name = take_word(&p);
        if (name.len == 0)
            break;
        const enum sl_err err = add_field(record, name, &place, error);
        if (err)
            return err;
        p = skip_spaces(p);
        if (*p == '\0') {
            *out = place;
            return SL_OK;
        }
        if (*p++ != ',')
            break;
    }
    return sl_fail(error, SL_INVALID, "\"%s\" is no list of fields such as \"desk, day\"", text);
}

static enum sl_err parse_tag(const struct sl_record *record, const char **p,
                             struct sl_tag_rule *out, struct sl_error *error)
{
    struct sl_text field = out->name = take_word(p);
    enum sl_err err;

    if (field.len == 0)
        return sl_fail(error, SL_INVALID, "a tag has no name at \"%s\"", *p);
    *p = skip_spaces(*p);
    if (**p != '=')
        return add_field(record, field, &out->place, error);
    *p = skip_spaces(*p + 1);
    if (**p != '(') {
        field = take_word(p);
        if (field.len == 0)
            return sl_fail(error, SL_INVALID, "a tag has no field at \"%s\"", *p);
        return add_field(record, field, &out->place, error);
    }
    for (++*p;;) {
        *p = skip_spaces(*p);
        field = take_word(p);
        if (field.len == 0)
            break;
        err = add_field(record, field, &out->place, error);
        if (err)
            return err;
    }
    if (**p != ')')
        return sl_fail(error, SL_INVALID, "a tag's fields do not end well at \"%s\"", *p);
    ++*p;
    return SL_OK;
}

enum sl_err sl_tags_parse(const struct sl_record *record, const char *text, struct sl_tag_rule *out,
                          size_t *out_count, struct sl_error *error)
{
    struct sl_tag_rule rules[SL_TAGS_MAX] = {0};
    const char *p = skip_spaces(text ? text : "");
    size_t count = 0;

    while (*p != '\0') {
        if (count == SL_TAGS_MAX)
            return sl_fail(error, SL_LIMIT, "an event has at most %d tags", SL_TAGS_MAX);
        const enum sl_err err = parse_tag(record, &p, &rules[count], error);
        if (err)
            return err;
        count++;
        p = skip_spaces(p);
        if (*p == '\0')
            break;
        if (*p != ',')
            return sl_fail(error, SL_INVALID, "tags are parted by commas: \"%s\"", text);
        p = skip_spaces(p + 1);
        if (*p == '\0')
            return sl_fail(error, SL_INVALID, "nothing follows the last comma: \"%s\"", text);
    }
    memcpy(out, rules, count * sizeof rules[0]);
    *out_count = count;
    return SL_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == 0x7f || c == '%' || c == ',' || c == '/' || c == ':';
}

static void write_escaped(struct sl_buf *buf, struct sl_text text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t start = 0;

    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        if (!needs_escape(c))
            continue;
        sl_buf_append(buf, text.ptr + start, i - start);
        sl_buf_append(buf, (char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
        start = i + 1;
    }
    if (text.len > start)
        sl_buf_append(buf, text.ptr + start, text.len - start);
}

static void write_value(struct sl_buf *buf, const struct sl_field *field, const void *value)
{
    const char *name = field->names ? sl_enum_name(field, value) : NULL;
    uint8_t memory[64];
    struct sl_text text;

    if (field->kind == SL_TEXT_KIND) {
        text = *(const struct sl_text *)value;
    } else if (field->kind == SL_CHARS) {
        text = sl_chars_text(field, value);
    } else if (name) {
        text = (struct sl_text){name, strlen(name)};
    } else if (field->kind == SL_TIME) {
        /* The one scalar with a character of its own to escape. It fits: no memory is taken. */
        struct sl_buf small = {
            .ptr = memory, .capacity = sizeof memory, .bytes_max = sizeof memory};
        sl_value_write(&small, field, value);
        text = sl_buf_as_text(&small);
    } else {
        sl_value_write(buf, field, value);
        return;
    }
    /* What is longer than a place may be is not worth escaping. */
    if (text.len > SL_PLACE_BYTES_MAX)
        text.len = SL_PLACE_BYTES_MAX + 1;
    write_escaped(buf, text);
}

enum sl_err sl_place_write_values(const struct sl_place *place, const void *const *values,
                                  size_t count, struct sl_buf *buf)
{
    const size_t start = buf->len;

    SL_ASSERT(count == place->count, "a place gets as many values as it has fields");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            sl_buf_byte(buf, ',');
        if (values[i])
            write_value(buf, place->fields[i], values[i]);
        else
            SL_BUF_LITERAL(buf, "%-");
    }
    if (!buf->failed && buf->len - start <= SL_PLACE_BYTES_MAX)
        return SL_OK;
    buf->len = start;
    return buf->failed ? SL_NO_MEMORY : SL_LIMIT;
}

enum sl_err sl_place_write(const struct sl_place *place, const void *item, struct sl_buf *buf)
{
    const void *values[SL_PLACE_FIELDS_MAX];

    for (uint32_t i = 0; i < place->count; i++) {
        const struct sl_field *field = place->fields[i];
        values[i] = sl_field_is_there(field, item) ? sl_member(field, item) : NULL;
    }
    return sl_place_write_values(place, values, place->count, buf);
}

bool sl_place_is_empty(const struct sl_place *place, const void *item)
{
    for (uint32_t i = 0; i < place->count; i++) {
        const struct sl_field *field = place->fields[i];
        if (sl_field_is_there(field, item) && !sl_value_is_empty(field, sl_member(field, item)))
            return false;
    }
    return place->count > 0; /* of no field at all, it is there always */
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Into `out`, which has as much room as `text` is long. */
static bool unescape(struct sl_text text, char *out, size_t *out_len)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3)
                return false;
            const int high = hex_digit(text.ptr[i + 1]);
            const int low = hex_digit(text.ptr[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (needs_escape((unsigned char)c)) {
            return false;
        }
        out[len++] = c;
    }
    *out_len = len;
    return true;
}

static bool read_value(const struct sl_field *field, struct sl_text escaped, struct sl_arena *arena,
                       void *item)
{
    char plain[SL_PLACE_BYTES_MAX];
    struct sl_text text = {plain, 0};

    if (field->optional && sl_text_equals(escaped, SL_TEXT("%-")))
        return true;
    if (!unescape(escaped, plain, &text.len))
        return false;
    if (!sl_value_read(field, text, arena, sl_member_of(field, item)))
        return false;
    sl_field_set_there(field, item);
    return true;
}

enum sl_err sl_place_read(const struct sl_place *place, struct sl_text text, struct sl_arena *arena,
                          void *item, struct sl_error *error)
{
    size_t at = 0;

    if (text.len > SL_PLACE_BYTES_MAX)
        return sl_fail(error, SL_INVALID, "a key has at most %d bytes", SL_PLACE_BYTES_MAX);
    for (uint32_t i = 0; i < place->count; i++) {
        const bool last = i + 1 == place->count;
        size_t end = at;
        while (end < text.len && text.ptr[end] != ',')
            end++;
        if (last != (end == text.len))
            return sl_fail(error, SL_INVALID, "a key of %u values, parted by commas, is wanted",
                           (unsigned)place->count);
        const struct sl_text value = {text.ptr ? text.ptr + at : text.ptr, end - at};
        if (!read_value(place->fields[i], value, arena, item))
            return sl_fail(error, SL_INVALID, "\"%.*s\" is no %s", (int)value.len,
                           value.ptr ? value.ptr : "", place->fields[i]->name);
        at = end + 1;
    }
    return SL_OK;
}
