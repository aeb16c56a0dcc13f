/*
 * JSON straight into structs. The record says what comes next, so that a field is mostly found by
 * one comparison, and no value takes a form in between.
 *
 * Functions answer false once a rule is broken (`broken` is then filled) or memory is out (`err`).
 */
#include "record/json.h"

#include <string.h>

#include "record/json_parser.h"
#include "record/json_values.h"
#include "record/kinds.h"
#include "record/rules.h"

static bool read_object(struct sl_reader *r, const struct sl_record *record, void *out,
                        const struct sl_spot *outer, int depth);

static bool read_value(struct sl_reader *r, const struct sl_field *field, void *value,
                       bool may_be_missing, const struct sl_spot *spot, int depth);

static bool read_list(struct sl_reader *r, const struct sl_field *field, struct sl_list *out,
                      const struct sl_spot *spot, int depth)
{
    if (!sl_scan_take(&r->scan, '['))
        return sl_reader_type(r, field, spot);
    if (depth >= SL_JSON_DEPTH_MAX)
        return sl_reader_flaw(r, spot, SL_SCAN_DEPTH);
    /* Counted before memory is taken, so that a list that is too long costs none. */
    const struct sl_list list = {NULL, sl_scan_count(&r->scan)};
    if (!sl_rules_kept(field, &list, true, spot, r->broken))
        return false;
    if (list.count == 0)
        return sl_scan_take(&r->scan, ']') || sl_reader_flaw(r, spot, SL_SCAN_SYNTAX);

    const struct sl_field item = sl_item_field(field);
    uint8_t *items = sl_arena_zeroed(r->arena, list.count, item.size);
    if (!items)
        return sl_reader_flaw(r, spot, SL_SCAN_NO_MEMORY);
    for (size_t i = 0; i < list.count; i++) {
        const struct sl_spot at = {spot, NULL, i};
        if (!read_value(r, &item, items + i * item.size, false, &at, depth + 1))
            return false;
        if (!sl_scan_take(&r->scan, i + 1 < list.count ? ',' : ']'))
            return sl_reader_flaw(r, &at, SL_SCAN_SYNTAX);
    }
    *out = (struct sl_list){items, list.count};
    return true;
}

static bool read_value(struct sl_reader *r, const struct sl_field *field, void *value,
                       bool may_be_missing, const struct sl_spot *spot, int depth)
{
    switch (field->kind) {
    case SL_LIST_KIND:
        return read_list(r, field, value, spot, depth);
    case SL_NESTED:
        return read_object(r, field->record, value, spot, depth);
    default:
        return sl_reader_scalar(r, field, value, spot) &&
               (!sl_rules_any(field) ||
                sl_rules_kept(field, value, may_be_missing, spot, r->broken));
    }
}

/* ---- Objects --------------------------------------------------------------------------------- */

static bool name_is(const char *name, struct sl_text key)
{
    for (size_t i = 0; i < key.len; i++)
        if (name[i] != key.ptr[i]) /* a key holds no zero: the name's end differs from it */
            return false;
    return name[key.len] == '\0';
}

/* The field of that name; looks first where the last one's neighbour is. */
static const struct sl_field *find_field(const struct sl_record *record, struct sl_text key,
                                         uint32_t expected)
{
    for (uint32_t i = expected; i < record->field_count; i++)
        if (name_is(record->fields[i].name, key))
            return &record->fields[i];
    for (uint32_t i = 0; i < expected && i < record->field_count; i++)
        if (name_is(record->fields[i].name, key))
            return &record->fields[i];
    return NULL;
}

static bool unknown_field(struct sl_reader *r, struct sl_text key, const struct sl_spot *outer)
{
    char name[96];
    const size_t len = key.len < sizeof name - 1 ? key.len : sizeof name - 1;

    memcpy(name, key.ptr, len);
    name[len] = '\0';
    /* Cut where a character ends. */
    for (size_t end = len; len < key.len && end > 0 && (key.ptr[end] & 0xc0) == 0x80;)
        name[--end] = '\0';
    const struct sl_spot spot = {outer, name, 0};
    return sl_break_rule(r->broken, &spot, "unknown_field", "there is no field %s here", name);
}

/* The field whose key and colon come next. */
static const struct sl_field *read_key(struct sl_reader *r, const struct sl_record *record,
                                       const struct sl_spot *outer, uint32_t expected)
{
    char plain[6 * (SL_FIELD_NAME_MAX + 1)];
    struct sl_text key;
    bool escaped;

    if (!sl_scan_string(&r->scan, &key, &escaped) || !sl_scan_take(&r->scan, ':')) {
        sl_reader_flaw(r, outer, SL_SCAN_SYNTAX);
        return NULL;
    }
    if (escaped && key.len <= sizeof plain) {
        const struct sl_text raw = key;
        const enum sl_scan_flaw flaw = sl_scan_unescape(raw, plain, &key.len);
        if (flaw) {
            sl_reader_flaw(r, outer, flaw);
            return NULL;
        }
        key.ptr = plain;
    }
    const struct sl_field *field = find_field(record, key, expected);
    if (!field)
        unknown_field(r, key, outer);
    return field;
}

static bool read_member(struct sl_reader *r, const struct sl_field *field, void *out,
                        const struct sl_spot *outer, int depth)
{
    const struct sl_spot spot = {outer, field->name, 0};

    if (sl_scan_peek(&r->scan) == 'n' && sl_reader_null(r)) {
        if (field->required)
            return sl_break_rule(r->broken, &spot, "required", "%s must be given", field->name);
        return true;
    }
    if (!read_value(r, field, sl_member_of(field, out), true, &spot, depth))
        return false;
    sl_field_set_there(field, out);
    return true;
}

static bool nothing_is_missing(struct sl_reader *r, const struct sl_record *record,
                               const uint64_t *seen, const struct sl_spot *outer)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        if (!field->required || (seen[i / 64] >> i % 64 & 1))
            continue;
        const struct sl_spot spot = {outer, field->name, 0};
        return sl_break_rule(r->broken, &spot, "required", "%s must be given", field->name);
    }
    return true;
}

static bool read_object(struct sl_reader *r, const struct sl_record *record, void *out,
                        const struct sl_spot *outer, int depth)
{
    uint64_t seen[SL_RECORD_FIELDS_MAX / 64] = {0};
    uint32_t expected = 0;

    SL_ASSERT(record->field_count <= SL_RECORD_FIELDS_MAX, "sl_record_check");
    if (!sl_scan_take(&r->scan, '{'))
        return sl_reader_no_object(r, outer);
    if (depth >= SL_JSON_DEPTH_MAX)
        return sl_reader_flaw(r, outer, SL_SCAN_DEPTH);
    if (sl_scan_take(&r->scan, '}'))
        return nothing_is_missing(r, record, seen, outer);
    do {
        const struct sl_field *field = read_key(r, record, outer, expected);
        if (!field)
            return false;
        const uint32_t index = (uint32_t)(field - record->fields);
        uint64_t *word = &seen[index / 64];
        const uint64_t bit = UINT64_C(1) << index % 64;
        if (*word & bit) {
            const struct sl_spot spot = {outer, field->name, 0};
            return sl_break_rule(r->broken, &spot, "duplicate_field", "%s stands twice",
                                 field->name);
        }
        *word |= bit;
        if (!read_member(r, field, out, outer, depth + 1))
            return false;
        expected = index + 1;
    } while (sl_scan_take(&r->scan, ','));
    if (!sl_scan_take(&r->scan, '}'))
        return sl_reader_flaw(r, outer, SL_SCAN_SYNTAX);
    return nothing_is_missing(r, record, seen, outer);
}

/* ---- Whole texts ----------------------------------------------------------------------------- */

enum sl_err sl_json_read(struct sl_json_parser *parser, const struct sl_record *record,
                         struct sl_text json, struct sl_arena *arena, void *out,
                         struct sl_broken_rule *broken)
{
    struct sl_broken_rule first;
    struct sl_reader r = {.arena = arena, .broken = &first, .err = SL_INVALID};
    enum sl_err err = sl_json_parser_begin(parser, json, &r.scan, broken);

    if (err)
        return err;
    if (!read_object(&r, record, out, NULL, 0)) {
        err = r.err;
    } else if (r.scan.next != r.scan.count) {
        sl_reader_flaw(&r, NULL, SL_SCAN_SYNTAX);
        err = SL_INVALID;
    }
    if (err)
        memset(out, 0, record->size);
    if (err == SL_INVALID)
        *broken = first;
    sl_json_parser_end(parser);
    return err;
}

/* Reads the elements behind the opening bracket. */
static bool read_elements(struct sl_reader *r, const struct sl_record *record, uint8_t *items,
                          struct sl_broken_rule *each, size_t count)
{
    struct sl_broken_rule *whole = r->broken;

    for (size_t i = 0; i < count; i++) {
        const size_t start = r->scan.next;
        uint8_t *item = items + i * record->size;

        each[i].field[0] = each[i].rule[0] = each[i].message[0] = '\0';
        r->broken = &each[i];
        if (!read_object(r, record, item, NULL, 1)) {
            /* What it broke may be the grammar of all that follows. */
            r->broken = whole;
            if (r->err != SL_INVALID)
                return false;
            r->scan.next = start;
            const enum sl_scan_flaw flaw = sl_scan_skip(&r->scan, 1);
            if (flaw)
                return sl_reader_flaw(r, NULL, flaw);
            memset(item, 0, record->size);
        } else if (each[i].rule[0]) {
            each[i].field[0] = each[i].rule[0] = each[i].message[0] = '\0';
        }
        r->broken = whole;
        if (!sl_scan_take(&r->scan, i + 1 < count ? ',' : ']'))
            return sl_reader_flaw(r, NULL, SL_SCAN_SYNTAX);
    }
    return true;
}

static bool read_array(struct sl_reader *r, const struct sl_record *record, size_t count,
                       void **out_items, struct sl_broken_rule **out_broken)
{
    uint8_t *items = sl_arena_zeroed(r->arena, count, record->size);
    struct sl_broken_rule *each = sl_arena_take(r->arena, count * sizeof *each);

    if (!items || !each)
        return sl_reader_flaw(r, NULL, SL_SCAN_NO_MEMORY);
    if (count == 0 && !sl_scan_take(&r->scan, ']'))
        return sl_reader_flaw(r, NULL, SL_SCAN_SYNTAX);
    if (!read_elements(r, record, items, each, count))
        return false;
    if (r->scan.next != r->scan.count)
        return sl_reader_flaw(r, NULL, SL_SCAN_SYNTAX);
    *out_items = items;
    *out_broken = each;
    return true;
}

enum sl_err sl_json_read_array(struct sl_json_parser *parser, const struct sl_record *record,
                               struct sl_text json, size_t count_max, struct sl_arena *arena,
                               void **out_items, struct sl_broken_rule **out_broken,
                               size_t *out_count, struct sl_broken_rule *broken)
{
    struct sl_broken_rule first;
    struct sl_reader r = {.arena = arena, .broken = &first, .err = SL_INVALID};
    size_t count = 0;
    enum sl_err err = sl_json_parser_begin(parser, json, &r.scan, broken);

    if (err)
        return err;
    if (sl_scan_take(&r.scan, '[')) {
        count = sl_scan_count(&r.scan);
        if (count > count_max)
            err = SL_LIMIT;
        else if (!read_array(&r, record, count, out_items, out_broken))
            err = r.err;
    } else {
        sl_break_rule(&first, NULL, "type", "an array of objects is wanted");
        err = SL_INVALID;
    }
    if (err == SL_OK)
        *out_count = count;
    else if (err == SL_INVALID)
        *broken = first;
    sl_json_parser_end(parser);
    return err;
}
