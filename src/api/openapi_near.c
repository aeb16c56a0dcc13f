/* What OpenAPI says of nearby queries. */
#include <stdio.h>

#include "api/openapi.h"

void openapi_near_parameters(struct openapi *api, const struct sl_view *view)
{
    if (!view->near)
        return;
    openapi_put(api,
                ",{'name':'near','in':'query','schema':{'type':'string','pattern':"
                "'^-?[0-9.]+,-?[0-9.]+$'},'description':'Latitude and longitude in degrees, "
                "as 52.52,13.4: the rows that are nearest (%s), nearest first, with their "
                "distance. Goes with limit, within and min_position alone.'}",
                view->near);
    openapi_put(api, ",{'name':'within','in':'query','schema':{'type':'number','minimum':0},"
                     "'description':'With near: nothing that is farther, in metres.'}");
}

void openapi_near_schema(const struct sl_domain *domain, const struct sl_view *view, char *out,
                         size_t size)
{
    out[0] = '\0';
    if (view->near)
        snprintf(out, size,
                 ",{'type':'object','required':['rows','exact'],'properties':{'rows':{'type':"
                 "'array','items':{'type':'object','required':['metres','row'],'properties':{"
                 "'metres':{'type':'number'},'row':{'$ref':'#/components/schemas/%s.%s'}}}},"
                 "'exact':{'type':'boolean'}}}",
                 domain->name, view->name);
}
