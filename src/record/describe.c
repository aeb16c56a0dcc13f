/*
 * The description of a packed form, as the log keeps it:
 *
 *   {"name":"order","fields":[
 *     {"name":"id","kind":"uuid"},
 *     {"name":"code","kind":"chars","size":8},
 *     {"name":"status","kind":"u32","names":["open","closed"]},
 *     {"name":"note","kind":"text","optional":true},
 *     {"name":"tags","kind":"list","item":"text"},
 *     {"name":"lines","kind":"list","record":"line","fields":[…]},
 *     {"name":"address","kind":"record","record":"address","fields":[…]}]}
 *
 * Members stand in this order and only where they say something: optional, size, names, item,
 * record, fields. There is no white space. What does not change the bytes (ranges, lengths, help)
 * is not in it, so that tightening a rule rebuilds nothing. It is read back by the record below
 * that describes descriptions; the struct that the bytes are read into is laid out anew.
 */
#include "record/pack.h"

#include <string.h>

#include "base/hash.h"
#include "record/json.h"
#include "record/kinds.h"

/* ---- Writing --------------------------------------------------------------------------------- */

static struct sl_text plain_name(const struct sl_record *record)
{
    const char *name = record->name;

    if (strncmp(name, "struct ", 7) == 0)
        name += 7;
    return (struct sl_text){name, strlen(name)};
}

static void describe_text(struct sl_buf *buf, const char *member, const char *text)
{
    sl_buf_append(buf, member, strlen(member));
    sl_json_write_text(buf, (struct sl_text){text, strlen(text)});
}

static void describe_fields(struct sl_buf *buf, const struct sl_record *record);

static void describe_field(struct sl_buf *buf, const struct sl_field *field)
{
    describe_text(buf, "{\"name\":", field->name);
    describe_text(buf, ",\"kind\":", sl_kind_name(field->kind));
    if (field->optional)
        SL_BUF_LITERAL(buf, ",\"optional\":true");
    if (field->kind == SL_CHARS) {
        SL_BUF_LITERAL(buf, ",\"size\":");
        sl_buf_u64(buf, field->size);
    }
    for (size_t i = 0; field->names && field->names[i]; i++)
        describe_text(buf, i == 0 ? ",\"names\":[" : ",", field->names[i]);
    if (field->names)
        sl_buf_byte(buf, ']');
    if (field->kind == SL_LIST_KIND && !field->record)
        describe_text(buf, ",\"item\":", sl_kind_name(field->item));
    if (field->record) {
        SL_BUF_LITERAL(buf, ",\"record\":");
        sl_json_write_text(buf, plain_name(field->record));
        describe_fields(buf, field->record);
    }
    sl_buf_byte(buf, '}');
}

static void describe_fields(struct sl_buf *buf, const struct sl_record *record)
{
    SL_BUF_LITERAL(buf, ",\"fields\":[");
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (i > 0)
            sl_buf_byte(buf, ',');
        describe_field(buf, &record->fields[i]);
    }
    sl_buf_byte(buf, ']');
}

void sl_record_describe(struct sl_buf *buf, const struct sl_record *record)
{
    SL_BUF_LITERAL(buf, "{\"name\":");
    sl_json_write_text(buf, plain_name(record));
    describe_fields(buf, record);
    sl_buf_byte(buf, '}');
}

uint64_t sl_record_digest(const struct sl_record *record)
{
    struct sl_buf buf = {0};

    sl_record_describe(&buf, record);
    const uint64_t digest = buf.failed ? 0 : sl_hash64(buf.ptr, buf.len, 0);
    sl_buf_close(&buf);
    return digest;
}

/* ---- The record of descriptions -------------------------------------------------------------- */

enum { TEXT_MAX = 128 };

/* Kinds in the order of enum sl_kind, less one: the number of a name is the kind before it. */
#define KIND_NAMES                                                                           \
    SL_NAMES("bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "u128", "double", \
             "text", "chars", "uuid", "date", "time", "money", "decimal", "list", "record")

struct described_field {
    struct sl_text name;
    uint32_t kind;
    bool optional;
    bool has_item;
    uint32_t size;
    struct sl_list names;
    uint32_t item;
    struct sl_text record;
    struct sl_list fields;
};

struct described_record {
    struct sl_text name;
    struct sl_list fields;
};

/* Declared before it is defined, for it describes itself: a field may have fields. How deep is
 * limited by the depth of JSON. */
static const struct sl_record described_field_record;

static const struct sl_record described_field_record = SL_RECORD(struct described_field,
    SL_FIELD(struct described_field, name, .required = true, .length_max = SL_FIELD_NAME_MAX),
    SL_FIELD(struct described_field, kind, .required = true, KIND_NAMES),
    SL_FIELD(struct described_field, optional),
    SL_FIELD(struct described_field, size, SL_RANGE(2, SL_TEXT_BYTES_MAX)),
    SL_FIELD(struct described_field, names, .item = SL_TEXT_KIND, .length_max = 4096),
    SL_FIELD(struct described_field, item, SL_HAS(struct described_field, has_item), KIND_NAMES),
    SL_FIELD(struct described_field, record, .length_max = TEXT_MAX),
    SL_FIELD(struct described_field, fields, .record = &described_field_record,
             .length_max = SL_RECORD_FIELDS_MAX));

static const struct sl_record described_record_record = SL_RECORD(struct described_record,
    SL_FIELD(struct described_record, name, .required = true, .length_max = TEXT_MAX),
    SL_FIELD(struct described_record, fields, .required = true, .record = &described_field_record,
             .length_max = SL_RECORD_FIELDS_MAX));

/* ---- Making a record ------------------------------------------------------------------------- */

struct maker {
    struct sl_arena *arena;
    struct sl_error *error;
};

static enum sl_err no_memory(const struct maker *maker)
{
    return sl_fail(maker->error, SL_NO_MEMORY, "no memory for a record's description");
}

static const char *terminated(struct sl_arena *arena, struct sl_text text)
{
    return sl_arena_text(arena, text).ptr;
}

static enum sl_err make_names(const struct maker *maker, const struct sl_list *texts,
                              const char *const **out)
{
    const char **names = sl_arena_zeroed(maker->arena, texts->count + 1, sizeof *names);

    if (!names)
        return no_memory(maker);
    for (size_t i = 0; i < texts->count; i++) {
        names[i] = terminated(maker->arena, ((const struct sl_text *)texts->items)[i]);
        if (!names[i])
            return no_memory(maker);
    }
    *out = names;
    return SL_OK;
}

/* Room for `size` bytes behind the struct's members so far. */
static uint32_t place(struct sl_record *record, size_t size, size_t align)
{
    const size_t offset = (record->size + align - 1) / align * align;

    record->size = (uint32_t)(offset + size);
    return (uint32_t)offset;
}

static enum sl_err make_record(const struct maker *maker, struct sl_text name,
                               const struct sl_list *fields, const struct sl_record **out);

static enum sl_err make_field(const struct maker *maker, const struct described_field *from,
                              struct sl_record *record, struct sl_field *field)
{
    enum sl_err err;

    field->name = terminated(maker->arena, from->name);
    if (!field->name)
        return no_memory(maker);
    field->kind = (enum sl_kind)(from->kind + 1);
    field->optional = from->optional;
    field->item = from->has_item ? (enum sl_kind)(from->item + 1) : (enum sl_kind)0;
    field->size = field->kind == SL_CHARS ? from->size : (uint32_t)sl_kind_size(field->kind);
    if (from->names.count > 0) {
        err = make_names(maker, &from->names, &field->names);
        if (err)
            return err;
    }
    if (from->fields.count > 0) {
        err = make_record(maker, from->record, &from->fields, &field->record);
        if (err)
            return err;
    }
    if (field->kind == SL_NESTED && !field->record)
        return sl_fail(maker->error, SL_INVALID, "%s is a record without fields", field->name);
    if (field->kind == SL_NESTED)
        field->size = field->record->size;
    field->offset = place(record, field->size, sl_field_align(field));
    if (field->optional)
        field->has = place(record, sizeof(bool), _Alignof(bool));
    return SL_OK;
}

static enum sl_err make_record(const struct maker *maker, struct sl_text name,
                               const struct sl_list *fields, const struct sl_record **out)
{
    const struct described_field *from = fields->items;
    struct sl_record *record = sl_arena_zeroed(maker->arena, 1, sizeof *record);
    struct sl_field *made = sl_arena_zeroed(maker->arena, fields->count, sizeof *made);

    if (!record || !made)
        return no_memory(maker);
    record->name = terminated(maker->arena, name);
    if (!record->name)
        return no_memory(maker);
    record->fields = made;
    record->field_count = (uint32_t)fields->count;
    for (size_t i = 0; i < fields->count; i++) {
        const enum sl_err err = make_field(maker, &from[i], record, &made[i]);
        if (err)
            return err;
        if (record->size > UINT32_MAX / SL_RECORD_FIELDS_MAX)
            return sl_fail(maker->error, SL_INVALID, "a described record is too large");
    }
    place(record, 0, sl_record_align(record));
    *out = record;
    return SL_OK;
}

enum sl_err sl_record_from_description(struct sl_text json, struct sl_arena *arena,
                                       const struct sl_record **out, struct sl_error *error)
{
    const struct maker maker = {arena, error};
    struct described_record described = {0};
    struct sl_broken_rule broken = {0};
    struct sl_json_parser *parser;
    const struct sl_record *record = NULL;

    enum sl_err err = sl_json_parser_new(&parser);
    if (err)
        return no_memory(&maker);
    err = sl_json_read(parser, &described_record_record, json, arena, &described, &broken);
    sl_json_parser_free(parser);
    if (err)
        return sl_fail(error, err, "no description of a record: %s %s", broken.field,
                       broken.message);
    err = make_record(&maker, described.name, &described.fields, &record);
    if (err)
        return err;
    err = sl_record_check(record, error);
    if (err)
        return err;
    *out = record;
    return SL_OK;
}
