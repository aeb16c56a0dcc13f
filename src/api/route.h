/*
 * Paths: which door a request knocks at. Pure; any thread.
 *
 * Commands are CamelCase and views lower-case, so that they never collide; `events` and `streams`
 * are no names of views, and what stands in the table of fixed paths is no domain.
 */
#ifndef SL_API_ROUTE_H
#define SL_API_ROUTE_H

#include <sluice/types.h>

enum sl_route_kind {
    SL_ROUTE_NONE = 0,
    SL_ROUTE_ROOT,
    SL_ROUTE_HEALTH,
    SL_ROUTE_READY,
    SL_ROUTE_METRICS,
    SL_ROUTE_OPENAPI,
    SL_ROUTE_ERRORS,
    SL_ROUTE_ERROR, /* name: the rule */
    SL_ROUTE_LIVE,
    SL_ROUTE_ADMIN_STATUS,
    SL_ROUTE_ADMIN_SHUTDOWN,
    SL_ROUTE_ADMIN_VIEW_RETRY,
    SL_ROUTE_ADMIN_VIEW_SKIP,
    SL_ROUTE_ADMIN_VIEW_REBUILD,
    SL_ROUTE_ADMIN_VIEW_DIGEST,
    SL_ROUTE_ADMIN_PROCESS_RETRY,
    SL_ROUTE_ADMIN_PROCESS_SKIP,
    SL_ROUTE_PAGES_MOVED, /* "/ui" */
    SL_ROUTE_PAGES,       /* "/ui/…" */
    SL_ROUTE_DOMAIN,
    SL_ROUTE_COMMAND, /* name */
    SL_ROUTE_VIEW,    /* name */
    SL_ROUTE_ROW,     /* name, and rest: the raw key */
    SL_ROUTE_EVENTS,
    SL_ROUTE_STREAM, /* rest: the raw stream */
    SL_ROUTE_OWN,    /* a route of a domain's own (visit_table.h): never said by sl_route_of */
};

struct sl_door {
    enum sl_route_kind kind;
    struct sl_text domain;
    struct sl_text name;
    struct sl_text rest;
};

/* `path` is raw, without the query. The texts point into it. */
struct sl_door sl_route_of(struct sl_text path);

/* "GET, HEAD, OPTIONS" or "POST, OPTIONS": what the kind allows. */
const char *sl_route_allows(enum sl_route_kind kind);

/* Does it take POST, and nothing else? All others take GET and HEAD. */
bool sl_route_is_post(enum sl_route_kind kind);

/* May something be called so: letters, digits, "-" and "_", at most 64. */
bool sl_route_is_name(struct sl_text text);

/* Is it the first word of an address of the server's own? No domain is called so. */
bool sl_route_is_reserved(struct sl_text word);

#endif
