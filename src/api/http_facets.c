/*
 * Searches with filters (`q=…&brand=…`) and facets (`facets=brand,colour`): which values fields
 * have among the rows found, and how often. A field's own filter does not narrow its facet.
 */
#include "api/listing.h"

#include <string.h>

enum api_take api_facets_take(struct api_facets *facets, struct api_call *call, struct sl_text name,
                              struct sl_text value)
{
    const struct sl_view *view = sl_view_table_shape(call->view)->view;
    const char *end = value.ptr + value.len;
    const char *why = NULL;

    if (!sl_text_equals(name, SL_TEXT("facets")))
        return API_NOT_MINE;
    if (facets->count > 0)
        why = "it stands twice";
    for (const char *at = value.ptr; at <= end && !why;) {
        const char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
        const size_t len = (size_t)((comma ? comma : end) - at);
        const struct sl_field *field = api_field_named(view->record, (struct sl_text){at, len});

        for (uint32_t i = 0; i < facets->count && field; i++)
            if (facets->fields[i] == field)
                why = "a field stands twice";
        if (!why && facets->count == SL_FACETS_MAX)
            why = "there may be 8 at most";
        else if (!why && (!field || !sl_aggregate_can_group(field)))
            why = field ? "a field has no facet: its values make no groups" : "no such field";
        if (why) {
            api_refuse(call, "bad_query", "facets", "%.*s, at place %u: %s",
                       (int)(len < 64 ? len : 64), at, facets->count + 1, why);
            return API_REFUSED;
        }
        facets->fields[facets->count++] = field;
        at += len + 1;
    }
    if (!why)
        return API_TAKEN;
    api_refuse(call, "bad_query", "facets", "%s", why);
    return API_REFUSED;
}

bool api_facets_read(const struct api_facets *facets, struct api_call *call,
                     const struct sl_field *const *given, uint32_t given_count,
                     struct sl_list_query *query)
{
    if (query->search.len == 0) {
        if (facets->count == 0)
            return true;
        api_refuse(call, "bad_query", "facets", "facets go with q=, which is missing");
        return false; /* and nothing of the request is there any more */
    }
    if ((facets->count > 0 || given_count > 0) && api_wants_stream(call)) {
        api_refuse(call, "bad_query", facets->count > 0 ? "facets" : given[0]->name,
                   "a search that is followed live has no filters and facets");
        return false;
    }
    query->equal_count = 0;
    query->filters = given;
    query->filter_count = given_count;
    query->facets = facets->fields;
    query->facet_count = facets->count;
    return true;
}
