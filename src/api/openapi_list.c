/* What OpenAPI says of a list besides its rows: ranges and aggregates. */
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

/* ---- Aggregates ------------------------------------------------------------------------------ */

static void every_parameter(struct openapi *api)
{
    openapi_put(api, ",{'name':'every','in':'query','schema':{'type':'string','enum':[");
    for (size_t i = 0; api_every_names[i]; i++)
        openapi_put(api, "%s'%s'", i > 0 ? "," : "", api_every_names[i]);
    openapi_put(api, "]},'description':'With aggregate: a group for each stretch of time, in UTC, "
                     "of the first field behind those that are given by their value.'}");
}

void openapi_aggregate_parameters(struct openapi *api, const struct sl_view *view)
{
    const struct sl_record *record = view->record;
    bool more = false;

    openapi_put(api, ",{'name':'aggregate','in':'query','description':'Instead of rows, what they "
                     "add up to: count, and sum, avg, min, max, first and last of a field, as in "
                     "count,sum(amount).','schema':{'type':'string','pattern':'^(count|(sum|avg|"
                     "min|max|first|last)[(][A-Za-z0-9_]+[)])(,(count|(sum|avg|min|max|first|last)"
                     "[(][A-Za-z0-9_]+[)]))*$'}}");
    openapi_put(api, ",{'name':'by','in':'query','description':'With aggregate: a group for each "
                     "value of the field.','schema':{'type':'string','enum':[");
    for (uint32_t i = 0; i < record->field_count; i++) {
        if (!sl_aggregate_can_group(&record->fields[i]))
            continue;
        openapi_put(api, "%s'%s'", more ? "," : "", record->fields[i].name);
        more = true;
    }
    openapi_put(api, "]}}");
    every_parameter(api);
}

void openapi_facet_parameters(struct openapi *api, const struct sl_view *view)
{
    if (view->search)
        openapi_put(api,
                    ",{'name':'facets','in':'query','schema':{'type':'string','pattern':"
                    "'^[A-Za-z0-9_]+(,[A-Za-z0-9_]+){0,7}$'},'description':'With q: which "
                    "values these fields have among all rows found, and how often. Fields that "
                    "are given by their value filter the rows, and not their own facet.'}");
}

const char openapi_groups_schema[] =
    "{'type':'object','required':['groups','rows'],'properties':{'groups':{'type':'array',"
    "'description':'In order; each has what was asked for, and start and by where it has them.',"
    "'items':{'type':'object'}},'rows':{'type':'integer','description':'How many were looked at'},"
    "'next':{'type':'string'}}}";
