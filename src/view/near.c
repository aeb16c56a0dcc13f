/* Nearby queries: what a reader answers. */
#include "view/parts.h"

static void write_page(struct sl_view_listing *list)
{
    const struct sl_near_page *page = &list->nearby;
    const struct sl_record *record = list->table->shape.view->record;

    SL_BUF_LITERAL(&list->json, "{\"rows\":[");
    for (uint32_t i = 0; i < page->count; i++) {
        sl_buf_printf(&list->json, "%s{\"metres\":%.3f,\"row\":", i > 0 ? "," : "",
                      page->metres[i]);
        sl_json_write(&list->json, record, page->rows[i].row);
        sl_buf_byte(&list->json, '}');
    }
    sl_buf_printf(&list->json, "],\"exact\":%s}", page->exact ? "true" : "false");
    if (list->json.failed)
        list->err = sl_fail(&list->error, SL_LIMIT,
                            "the rows take more than 16 MiB: ask for fewer at once");
}

void view_near(struct sl_view_reader *reader, struct sl_view_listing *list, struct sl_arena *arena)
{
    list->err =
        sl_view_reader_near(reader, &list->build->shape, list->near,
                            list->as_rows ? &list->arena : arena, &list->nearby, &list->error);
    if (list->err != SL_OK)
        return;
    list->position = list->nearby.checkpoint.position;
    if (!list->as_rows)
        write_page(list);
}
