/* Aggregates of a list, asked of a reader and written as JSON. */
#include "view/parts.h"

#include "record/kinds.h"

const char *sl_aggregate_name(enum sl_aggregate_kind kind)
{
    static const char *const names[] = {"", "count", "sum", "avg", "min", "max", "first", "last"};

    return names[kind];
}

static void write_member(struct sl_buf *out, const char *name, const struct sl_field *field,
                         const void *row)
{
    sl_buf_printf(out, "\"%s\":", name);
    if (sl_field_is_there(field, row))
        sl_json_write_value(out, field, sl_member(field, row));
    else
        SL_BUF_LITERAL(out, "null");
    sl_buf_byte(out, ',');
}

static void write_group(struct sl_buf *out, const struct sl_aggregate_query *query,
                        const struct sl_field *time, const struct sl_aggregate_group *group)
{
    sl_buf_byte(out, '{');
    if (time)
        write_member(out, "start", time, group->row);
    if (query->by)
        write_member(out, "by", query->by, group->row);
    for (uint32_t i = 0; i < query->count; i++) {
        const struct sl_aggregate_item *item = &query->aggregates[i];
        const struct sl_aggregate_value *value = &group->values[i];

        sl_buf_printf(out, "%s\"%s", i > 0 ? "," : "", sl_aggregate_name(item->kind));
        if (item->field)
            sl_buf_printf(out, "(%s)", item->field->name);
        SL_BUF_LITERAL(out, "\":");
        if (value->value)
            sl_json_write_value(out, value->form, value->value);
        else
            SL_BUF_LITERAL(out, "null");
    }
    sl_buf_byte(out, '}');
}

static void write_groups(struct sl_view_listing *list, const struct sl_aggregate_page *page)
{
    const struct sl_aggregate_query *query = list->aggregate;
    const struct sl_view_shape *shape = &list->build->shape;
    const int index = query->rows.index;
    const struct sl_place *place = index < 0 ? &shape->key : &shape->indexes[index];
    const struct sl_field *time =
        query->every_ns > 0 ? place->fields[query->rows.equal_count] : NULL;
    struct sl_buf *out = &list->json;

    SL_BUF_LITERAL(out, "{\"groups\":[");
    for (uint32_t i = 0; i < page->count; i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        write_group(out, query, time, &page->groups[i]);
    }
    sl_buf_printf(out, "],\"rows\":%u", page->rows_seen);
    if (page->next.len > 0) {
        SL_BUF_LITERAL(out, ",\"next\":");
        sl_json_write_text(out, page->next);
    }
    sl_buf_byte(out, '}');
    if (out->failed)
        list->err = sl_fail(&list->error, SL_LIMIT,
                            "the groups take more than 16 MiB: ask for fewer at once");
}

void view_aggregate(struct sl_view_reader *reader, struct sl_view_listing *list,
                    struct sl_arena *arena)
{
    struct sl_aggregate_page page = {0};

    list->err = sl_view_reader_aggregate(reader, &list->build->shape, list->aggregate, arena, &page,
                                         &list->error);
    if (list->err != SL_OK)
        return;
    list->position = page.checkpoint.position;
    list->refusal = page.refusal;
    list->refused = page.refused;
    if (page.refusal == SL_AGGREGATE_DONE)
        write_groups(list, &page);
}
