/* What the two halves of /openapi.json share. Private to this folder. */
#ifndef SL_API_OPENAPI_H
#define SL_API_OPENAPI_H

#include "api/parts.h"

struct openapi {
    struct sl_buf *out;
    const struct sl_auth *auth; /* says what takes a token; NULL: nobody knows */
    bool more_paths;
};

/* Appends JSON that is written with ' for ", formatted; what is put in must be plain names. */
void openapi_put(struct openapi *api, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void openapi_text(struct openapi *api, const char *string);

/* ,"components":{…}: what the paths refer to, and the records of the domains (openapi_schemas.c).
 */
void openapi_components(struct openapi *api, const struct sl_domain *const *domains, size_t count);

/* ,{…},{…}: the parameters of a list that begin or end a range (openapi_list.c). */
void openapi_range_parameters(struct openapi *api, const struct sl_domain *domain,
                              const struct sl_view *view);
/* ,{…}: facets, where the view can be searched. */
void openapi_facet_parameters(struct openapi *api, const struct sl_view *view);
/* ,{…},{…}: aggregate, by and every. */
void openapi_aggregate_parameters(struct openapi *api, const struct sl_view *view);
/* ,{…},{…}: near and within, where the view says what is near (openapi_near.c). */
void openapi_near_parameters(struct openapi *api, const struct sl_view *view);
/* What is answered then, behind a comma, as openapi_put takes it; else nothing. */
#define OPENAPI_NEAR_BYTES 480
void openapi_near_schema(const struct sl_domain *domain, const struct sl_view *view, char *out,
                         size_t size);
/* What is answered to aggregates, written as openapi_put takes it. */
extern const char openapi_groups_schema[];

#endif
