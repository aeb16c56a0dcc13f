/* Parsers, and single values out of small documents. */
#include "record/json_parser.h"

#include <stdlib.h>
#include <string.h>

#include "record/rules.h"
#include "record/value.h"

struct sl_json_parser {
    struct sl_json_index *index;
};

enum sl_err sl_json_parser_new(struct sl_json_parser **out)
{
    struct sl_json_parser *parser = calloc(1, sizeof *parser);

    if (!parser)
        return SL_NO_MEMORY;
    parser->index = sl_json_index_new();
    if (!parser->index) {
        free(parser);
        return SL_NO_MEMORY;
    }
    *out = parser;
    return SL_OK;
}

void sl_json_parser_free(struct sl_json_parser *parser)
{
    if (!parser)
        return;
    sl_json_index_free(parser->index);
    free(parser);
}

enum sl_err sl_json_parser_begin(struct sl_json_parser *parser, struct sl_text json,
                                 struct sl_json_scan *scan, struct sl_broken_rule *broken)
{
    if (json.len >= UINT32_MAX)
        return SL_LIMIT;
    *scan = (struct sl_json_scan){.json = json.ptr, .len = json.len};
    switch (sl_json_index_make(parser->index, json.ptr, json.len, &scan->starts, &scan->count)) {
    case SL_INDEX_OK:
        scan->plain = !memchr(json.ptr, '\\', json.len);
        return SL_OK;
    case SL_INDEX_NO_MEMORY:
        return SL_NO_MEMORY;
    case SL_INDEX_UTF8:
        sl_break_rule(broken, NULL, "utf8", "the text is not UTF-8");
        return SL_INVALID;
    case SL_INDEX_CONTROL:
        sl_break_rule(broken, NULL, "syntax", "a string holds a control character unescaped");
        return SL_INVALID;
    case SL_INDEX_UNCLOSED:
        sl_break_rule(broken, NULL, "syntax", "a string does not end");
        return SL_INVALID;
    case SL_INDEX_EMPTY:
        break;
    }
    sl_break_rule(broken, NULL, "syntax", "there is no JSON");
    return SL_INVALID;
}

void sl_json_parser_end(struct sl_json_parser *parser)
{
    sl_json_index_trim(parser->index);
}

bool sl_json_is_array(struct sl_text json)
{
    size_t at = 0;

    while (at < json.len && (json.ptr[at] == ' ' || json.ptr[at] == '\n' || json.ptr[at] == '\r' ||
                             json.ptr[at] == '\t'))
        at++;
    return at < json.len && json.ptr[at] == '[';
}

/* ---- Finding --------------------------------------------------------------------------------- */

static enum sl_err err_of(enum sl_scan_flaw flaw)
{
    return flaw == SL_SCAN_FINE ? SL_OK : flaw == SL_SCAN_NO_MEMORY ? SL_NO_MEMORY : SL_INVALID;
}

/* Moves to the value of the member, behind the opening bracket. */
static enum sl_err enter_member(struct sl_json_scan *scan, struct sl_text name,
                                struct sl_arena *arena)
{
    if (sl_scan_take(scan, '}'))
        return SL_NOT_FOUND;
    do {
        struct sl_text key;
        enum sl_err err = err_of(sl_scan_text(scan, arena, &key));
        if (err)
            return err;
        if (!sl_scan_take(scan, ':'))
            return SL_INVALID;
        if (sl_text_equals(key, name))
            return SL_OK;
        err = err_of(sl_scan_skip(scan, 0));
        if (err)
            return err;
    } while (sl_scan_take(scan, ','));
    return SL_NOT_FOUND;
}

/* Moves to the element, behind the opening bracket. */
static enum sl_err enter_element(struct sl_json_scan *scan, struct sl_text name)
{
    uint64_t place;

    if (!sl_value_read_u64(name, &place) || sl_scan_take(scan, ']'))
        return SL_NOT_FOUND;
    for (uint64_t i = 0; i < place; i++) {
        const enum sl_err err = err_of(sl_scan_skip(scan, 0));
        if (err)
            return err;
        if (!sl_scan_take(scan, ','))
            return SL_NOT_FOUND;
    }
    return SL_OK;
}

/* The value that comes next, as it is written or, a text, as it is meant. */
static enum sl_err take_value(struct sl_json_scan *scan, struct sl_arena *arena,
                              struct sl_text *out)
{
    if (sl_scan_peek(scan) == '"')
        return err_of(sl_scan_text(scan, arena, out));
    const size_t start = sl_scan_at(scan);
    const enum sl_err err = err_of(sl_scan_skip(scan, 0));
    if (err)
        return err;
    size_t end = sl_scan_at(scan);
    while (end > start && strchr(" \t\r\n", scan->json[end - 1]))
        end--;
    const struct sl_text copy =
        sl_arena_text(arena, (struct sl_text){scan->json + start, end - start});
    if (!copy.ptr)
        return SL_NO_MEMORY;
    *out = copy;
    return SL_OK;
}

static enum sl_err find(struct sl_json_scan *scan, const char *path, struct sl_arena *arena,
                        struct sl_text *out)
{
    enum sl_err err = err_of(sl_scan_skip(scan, 0));

    /* The whole is looked at first: what is found stands in a document that is well-formed. */
    if (err)
        return err;
    if (scan->next != scan->count)
        return SL_INVALID;
    scan->next = 0;
    while (*path != '\0') {
        const size_t len = strcspn(path, ".");
        const struct sl_text name = {path, len};
        path += path[len] == '.' ? len + 1 : len;
        if (sl_scan_take(scan, '{'))
            err = enter_member(scan, name, arena);
        else if (sl_scan_take(scan, '['))
            err = enter_element(scan, name);
        else
            err = SL_NOT_FOUND;
        if (err)
            return err;
    }
    return take_value(scan, arena, out);
}

enum sl_err sl_json_find(struct sl_json_parser *parser, struct sl_text json, const char *path,
                         struct sl_arena *arena, struct sl_text *out)
{
    struct sl_json_scan scan;
    struct sl_broken_rule broken;
    enum sl_err err = sl_json_parser_begin(parser, json, &scan, &broken);

    if (err)
        return err;
    err = find(&scan, path, arena, out);
    sl_json_parser_end(parser);
    return err;
}
