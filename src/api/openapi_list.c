/* What OpenAPI says of a list besides its rows: ranges. */
#include "api/listing.h"
#include "api/openapi.h"

static void end_parameter(struct openapi *api, const char *field, const char *end)
{
    const char *dot = field[0] ? "." : "", *of = field[0] ? field : "the first field behind those";

    openapi_put(api, ",{'name':'%s%s%s','in':'query','schema':{'type':'string'},'description':'",
                field, dot, end);
    openapi_put(api,
                end[0] == 'f' ? "A range of %s%s: values from this one on, itself too."
                              : "A range of %s%s: values below this one.",
                of, field[0] ? "" : " that are given by their value, in the order of the index");
    openapi_put(api, "'}");
}

/* Is the field one of an index's or of the key's? */
static bool is_ordered(const struct sl_view_shape *shape, const struct sl_field *field)
{
    for (int i = -1; i < (int)shape->view->indexes.count; i++) {
        const struct sl_place *place = i < 0 ? &shape->key : &shape->indexes[i];
        for (uint32_t j = 0; j < place->count; j++)
            if (place->fields[j] == field)
                return true;
    }
    return false;
}

void openapi_range_parameters(struct openapi *api, const struct sl_domain *domain,
                              const struct sl_view *view)
{
    static const char *const ends[] = {"from", "to"};
    struct sl_error error = {0};
    struct sl_view_shape shape;

    for (size_t i = 0; i < 2; i++)
        if (!api_field_named(view->record, api_text(ends[i])))
            end_parameter(api, "", ends[i]);
    if (sl_view_shape_init(&shape, domain->name, view, &error) != SL_OK)
        return;
    for (uint32_t i = 0; i < view->record->field_count; i++)
        for (size_t j = 0; j < 2 && is_ordered(&shape, &view->record->fields[i]); j++)
            end_parameter(api, view->record->fields[i].name, ends[j]);
}
