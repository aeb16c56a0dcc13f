/* A search's facets as JSON. */
#include "view/parts.h"

#include "record/kinds.h"

static void write_facet(struct sl_buf *out, const struct sl_facet *facet)
{
    sl_buf_printf(out, "\"%s\":{\"values\":[", facet->field->name);
    for (uint32_t i = 0; i < facet->count; i++) {
        const struct sl_facet_value *value = &facet->values[i];

        sl_buf_printf(out, "%s{\"value\":", i > 0 ? "," : "");
        if (sl_field_is_there(facet->field, value->row))
            sl_json_write_value(out, facet->field, sl_member(facet->field, value->row));
        else
            SL_BUF_LITERAL(out, "null");
        SL_BUF_LITERAL(out, ",\"count\":");
        sl_buf_u64(out, value->count);
        sl_buf_byte(out, '}');
    }
    sl_buf_printf(out, "],\"others\":%u}", facet->others);
}

void view_write_facets(struct sl_buf *out, const struct sl_facet *facets, uint32_t count)
{
    SL_BUF_LITERAL(out, ",\"facets\":{");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        write_facet(out, &facets[i]);
    }
    sl_buf_byte(out, '}');
}
