/*
 * Ranges of a list: `from`, which belongs to it, and `to`, which does not, of the first field of
 * the order behind the equal ones. FIELD.from and FIELD.to say which field that is to be; they
 * choose the index, too, and are the only way where a record has a field `from` or `to` of its own.
 */
#include "api/listing.h"

#include <string.h>

#include "record/kinds.h"
#include "record/value.h"

static bool ends_with(struct sl_text name, struct sl_text end)
{
    return name.len > end.len && memcmp(name.ptr + name.len - end.len, end.ptr, end.len) == 0;
}

static enum api_take refuse_field(struct api_call *call, struct sl_text name)
{
    const struct sl_view *view = sl_view_table_shape(call->view)->view;

    api_refuse(call, "unknown_parameter", NULL, "%s has no field for %.*s", view->name,
               (int)(name.len < 64 ? name.len : 64), name.ptr);
    return API_REFUSED;
}

static enum api_take take_end(struct api_range *range, struct api_call *call,
                              struct api_range_end *end, struct sl_text name, struct sl_text value,
                              const struct sl_field *field)
{
    if (end->name.len > 0) {
        api_refuse(call, "bad_query", end == &range->from ? "from" : "to",
                   "a range has one end on each side");
        return API_REFUSED;
    }
    if (field && range->field && field != range->field) {
        api_refuse(call, "bad_query", field->name, "a range is of one field, and %s has one, too",
                   range->field->name);
        return API_REFUSED;
    }
    *end = (struct api_range_end){name, value};
    if (field)
        range->field = field;
    return API_TAKEN;
}

enum api_take api_range_take(struct api_range *range, struct api_call *call, struct sl_text name,
                             struct sl_text value)
{
    const struct sl_record *record = sl_view_table_shape(call->view)->view->record;
    const bool is_from = sl_text_equals(name, SL_TEXT("from")) || ends_with(name, SL_TEXT(".from"));
    const bool is_to = sl_text_equals(name, SL_TEXT("to")) || ends_with(name, SL_TEXT(".to"));
    const size_t dot = is_from ? 5 : 3;
    const struct sl_field *field = NULL;

    if (!is_from && !is_to)
        return API_NOT_MINE;
    if (name.len > dot) {
        field = api_field_named(record, (struct sl_text){name.ptr, name.len - dot});
        if (!field)
            return refuse_field(call, name);
    } else if (api_field_named(record, name)) {
        return API_NOT_MINE;
    }
    return take_end(range, call, is_from ? &range->from : &range->to, name, value, field);
}

bool api_range_fits(const struct api_range *range, const struct sl_place *place,
                    uint32_t equal_count)
{
    if (!api_range_is_given(range))
        return true;
    return equal_count < place->count &&
           (!range->field || range->field == place->fields[equal_count]);
}

/* A parameter's name, terminated. */
static const char *given_name(const struct api_range *range, struct api_call *call)
{
    const struct sl_text name = range->from.name.len > 0 ? range->from.name : range->to.name;

    return sl_arena_text(call->request->arena, name).ptr;
}

void api_range_refuse(const struct api_range *range, struct api_call *call, const char *fields)
{
    api_refuse(call, "no_index", given_name(range, call),
               "a range is of the first field behind those that are given by their value; this "
               "index has: %s",
               fields);
}

static bool read_end(struct api_call *call, const struct api_range_end *end,
                     const struct sl_field *field, const void **out)
{
    const struct sl_record *record = sl_view_table_shape(call->view)->view->record;
    void *item;

    if (end->name.len == 0)
        return true;
    const char *name = sl_arena_text(call->request->arena, end->name).ptr;
    if (!name || !(item = sl_arena_zeroed(call->request->arena, 1, record->size))) {
        api_no_memory(call);
        return false;
    }
    if (!sl_value_read(field, end->value, call->request->arena, sl_member_of(field, item))) {
        api_refuse(call, "bad_query", name, "this is no value of %s, of which the range is",
                   field->name);
        return false;
    }
    sl_field_set_there(field, item);
    *out = item;
    return true;
}

bool api_range_read(const struct api_range *range, struct api_call *call,
                    struct sl_list_query *query)
{
    const struct sl_view_shape *shape = sl_view_table_shape(call->view);
    const struct sl_place *place = query->index < 0 ? &shape->key : &shape->indexes[query->index];

    if (!api_range_is_given(range))
        return true;
    if (query->search.len > 0) {
        api_refuse(call, "bad_query", given_name(range, call), "a search has no range");
        return false;
    }
    if (api_wants_stream(call)) {
        api_refuse(call, "bad_query", given_name(range, call),
                   "what is followed live has no range");
        return false;
    }
    const struct sl_field *field = place->fields[query->equal_count];
    return read_end(call, &range->from, field, &query->from) &&
           read_end(call, &range->to, field, &query->to);
}
