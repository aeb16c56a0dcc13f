#include "spec/notation.h"

#include <string.h>

#include "base/hash.h"
#include "record/json.h"
#include "record/kinds.h"
#include "record/value.h"

enum { DEPTH_MAX = 32 };

struct reader {
    const char *next, *end;
    struct sl_buf *out;
    struct sl_error *error;
    int depth;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct sl_text trimmed(struct sl_text text)
{
    while (text.len > 0 && is_space(text.ptr[0]))
        text = (struct sl_text){text.ptr + 1, text.len - 1};
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

struct sl_uuid sl_notation_uuid(struct sl_text word)
{
    struct sl_uuid id;

    if (sl_value_read_uuid(word, &id))
        return id;
    const struct sl_slice part = {(const uint8_t *)word.ptr, word.len};
    id = sl_hash128(&part, 1, 0);
    id.bytes[6] = (uint8_t)(0x80 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

/* ---- Cutting --------------------------------------------------------------------------------- */

bool sl_notation_is_over(struct sl_text source)
{
    return trimmed(source).len == 0;
}

/* One past the quote that closes the one at `p`, or NULL. */
static const char *skip_quoted(const char *p, const char *end)
{
    const char quote = *p++;

    for (; p < end && *p != quote; p++)
        if (*p == '\\')
            p++;
    return p < end ? p + 1 : NULL;
}

/* One past the brace that closes the one at `p`, or NULL. */
static const char *skip_braces(const char *p, const char *end)
{
    int depth = 0;

    while (p && p < end) {
        if (*p == '\'' || *p == '"') {
            p = skip_quoted(p, end);
            continue;
        }
        depth += (*p == '{') - (*p == '}');
        p++;
        if (depth == 0)
            return p;
    }
    return NULL;
}

enum sl_err sl_notation_next(struct sl_text *source, struct sl_said *out, struct sl_error *error)
{
    const struct sl_text text = trimmed(*source);
    const char *end = text.ptr + text.len;
    const char *head_end = text.ptr;

    while (head_end < end && *head_end != '{' && *head_end != '\n')
        head_end++;
    struct sl_text head = trimmed((struct sl_text){text.ptr, (size_t)(head_end - text.ptr)});
    struct sl_text body = {head_end, 0};
    if (head_end < end && *head_end == '{') {
        const char *body_end = skip_braces(head_end, end);
        if (!body_end)
            return sl_fail(error, SL_INVALID, "a brace or quote is not closed in: %.*s",
                           (int)text.len, text.ptr);
        body.len = (size_t)(body_end - head_end);
    }
    *out = (struct sl_said){.body = body};
    const char *colon = memrchr(head.ptr, ':', head.len);
    if (colon) {
        out->stream = trimmed((struct sl_text){head.ptr, (size_t)(colon - head.ptr)});
        head = trimmed((struct sl_text){colon + 1, (size_t)(head.ptr + head.len - colon) - 1});
    }
    out->name = head;
    if (head.len == 0 || memchr(head.ptr, ' ', head.len))
        return sl_fail(error, SL_INVALID, "a name and {fields} are expected at: %.*s",
                       (int)text.len, text.ptr);
    const char *rest = body.ptr + body.len;
    *source = (struct sl_text){rest, (size_t)(end - rest)};
    return SL_OK;
}

/* ---- Turning into JSON ----------------------------------------------------------------------- */

static enum sl_err wrong(struct reader *r, const char *expected)
{
    return sl_fail(r->error, SL_INVALID, "%s is expected at: %.*s", expected,
                   (int)(r->end - r->next), r->next);
}

static char peek(struct reader *r)
{
    while (r->next < r->end && is_space(*r->next))
        r->next++;
    return r->next < r->end ? *r->next : '\0';
}

static bool took(struct reader *r, char c)
{
    if (peek(r) != c)
        return false;
    r->next++;
    return true;
}

/* A word ends where white space or one of these signs begins. A value may have colons inside, as
 * instants do: 2026-11-20T10:00:00Z. */
static const char after_name[] = ",:{}[]'\"";
static const char after_value[] = ",{}[]'\"";

static struct sl_text take_word(struct reader *r, const char *signs)
{
    const char *start = r->next;

    while (r->next < r->end && !is_space(*r->next) && !strchr(signs, *r->next))
        r->next++;
    return (struct sl_text){start, (size_t)(r->next - start)};
}

/* Appends what stands between quotes as a JSON string: in single ones " is plain and \' escaped. */
static void write_quoted(struct sl_buf *out, struct sl_text inside, char quote)
{
    sl_buf_byte(out, '"');
    for (size_t i = 0; i < inside.len; i++) {
        const char c = inside.ptr[i];
        const bool escapes = c == '\\' && i + 1 < inside.len;

        if (escapes && inside.ptr[i + 1] == '\'')
            continue;
        if (c == '"' && quote == '\'')
            sl_buf_byte(out, '\\');
        sl_buf_byte(out, (uint8_t)c);
        if (escapes)
            sl_buf_byte(out, (uint8_t)inside.ptr[++i]);
    }
    sl_buf_byte(out, '"');
}

static void write_uuid(struct sl_buf *out, struct sl_text word)
{
    sl_buf_byte(out, '"');
    sl_value_write_uuid(out, sl_notation_uuid(word));
    sl_buf_byte(out, '"');
}

/* Does JSON write values of this field as strings, whatever they look like? */
static bool is_text(const struct sl_field *field)
{
    if (!field)
        return false;
    switch (field->kind) {
    case SL_U128:
    case SL_TEXT_KIND:
    case SL_CHARS:
    case SL_DATE:
    case SL_TIME:
    case SL_DECIMAL:
        return true;
    default:
        return false;
    }
}

static bool is_literal(struct sl_text word)
{
    return sl_text_equals(word, SL_TEXT("true")) || sl_text_equals(word, SL_TEXT("false")) ||
           sl_value_is_number(word);
}

static enum sl_err read_scalar(struct reader *r, const struct sl_field *field)
{
    const bool is_id = field && field->kind == SL_UUID;
    const char first = peek(r);

    if (first == '\'' || first == '"') {
        const char *after = skip_quoted(r->next, r->end);
        if (!after)
            return wrong(r, "the end of a text");
        const struct sl_text inside = {r->next + 1, (size_t)(after - r->next) - 2};
        if (is_id)
            write_uuid(r->out, inside);
        else
            write_quoted(r->out, inside, first);
        r->next = after;
        return SL_OK;
    }
    const struct sl_text word = take_word(r, after_value);
    if (word.len == 0)
        return wrong(r, "a value");
    if (sl_text_equals(word, SL_TEXT("null")) || (!is_text(field) && is_literal(word)))
        sl_buf_text(r->out, word);
    else if (is_id)
        write_uuid(r->out, word);
    else
        sl_json_write_text(r->out, word);
    return SL_OK;
}

static const struct sl_field *field_named(const struct sl_record *record, struct sl_text name)
{
    for (uint32_t i = 0; record && i < record->field_count; i++)
        if (strlen(record->fields[i].name) == name.len &&
            memcmp(record->fields[i].name, name.ptr, name.len) == 0)
            return &record->fields[i];
    return NULL;
}

static enum sl_err read_value(struct reader *r, const struct sl_field *field);

static enum sl_err read_member(struct reader *r, const struct sl_record *record)
{
    const char first = peek(r);
    struct sl_text name;

    if (first == '\'' || first == '"') {
        const char *after = skip_quoted(r->next, r->end);
        if (!after)
            return wrong(r, "the end of a name");
        name = (struct sl_text){r->next + 1, (size_t)(after - r->next) - 2};
        r->next = after;
    } else {
        name = take_word(r, after_name);
    }
    if (name.len == 0)
        return wrong(r, "a field's name");
    sl_json_write_text(r->out, name);
    if (!took(r, ':'))
        return wrong(r, "a colon");
    sl_buf_byte(r->out, ':');
    return read_value(r, field_named(record, name));
}

/* The elements of an object (`record`) or of a list (`item`), up to the sign that closes it. */
static enum sl_err read_elements(struct reader *r, char close, const struct sl_record *record,
                                 const struct sl_field *item)
{
    enum sl_err err = SL_OK;

    if (took(r, close))
        return SL_OK;
    do {
        if (close == '}')
            err = read_member(r, record);
        else
            err = read_value(r, item);
        if (!err && peek(r) == ',')
            sl_buf_byte(r->out, ',');
    } while (!err && took(r, ','));
    if (!err && !took(r, close))
        err = wrong(r, close == '}' ? "a comma or }" : "a comma or ]");
    return err;
}

static enum sl_err read_value(struct reader *r, const struct sl_field *field)
{
    const char first = peek(r);
    enum sl_err err;

    if (first != '{' && first != '[')
        return read_scalar(r, field);
    if (r->depth++ == DEPTH_MAX)
        return wrong(r, "less depth");
    r->next++;
    sl_buf_byte(r->out, (uint8_t)first);
    if (first == '{') {
        const bool is_nested = field && field->kind == SL_NESTED;
        err = read_elements(r, '}', is_nested ? field->record : NULL, NULL);
    } else {
        const bool is_list = field && field->kind == SL_LIST_KIND;
        const struct sl_field item = is_list ? sl_item_field(field) : (struct sl_field){0};
        err = read_elements(r, ']', NULL, is_list ? &item : NULL);
    }
    r->depth--;
    sl_buf_byte(r->out, first == '{' ? '}' : ']');
    return err;
}

enum sl_err sl_notation_to_json(struct sl_text body, const struct sl_record *record,
                                struct sl_buf *out, struct sl_error *error)
{
    struct reader reader = {
        .next = body.ptr, .end = body.ptr + body.len, .out = out, .error = error};
    const struct sl_field whole = {.kind = SL_NESTED, .record = record};

    if (body.len == 0) {
        SL_BUF_LITERAL(out, "{}");
        return SL_OK;
    }
    enum sl_err err = read_value(&reader, &whole);
    if (!err && peek(&reader) != '\0')
        err = wrong(&reader, "the end");
    if (!err && out->failed)
        err = sl_fail(error, SL_NO_MEMORY, "memory is out");
    return err;
}
