#include "api/route.h"

#include <string.h>

static const struct {
    const char *path;
    enum sl_route_kind kind;
} fixed[] = {
    {"/", SL_ROUTE_ROOT},
    {"/healthz", SL_ROUTE_HEALTH},
    {"/readyz", SL_ROUTE_READY},
    {"/metrics", SL_ROUTE_METRICS},
    {"/openapi.json", SL_ROUTE_OPENAPI},
    {"/errors", SL_ROUTE_ERRORS},
    {"/errors/", SL_ROUTE_ERRORS},
    {"/live", SL_ROUTE_LIVE},
    {"/admin/status", SL_ROUTE_ADMIN_STATUS},
    {"/admin/shutdown", SL_ROUTE_ADMIN_SHUTDOWN},
    {"/admin/views/retry", SL_ROUTE_ADMIN_VIEW_RETRY},
    {"/admin/views/skip", SL_ROUTE_ADMIN_VIEW_SKIP},
    {"/admin/views/rebuild", SL_ROUTE_ADMIN_VIEW_REBUILD},
    {"/admin/views/digest", SL_ROUTE_ADMIN_VIEW_DIGEST},
    {"/admin/processes/retry", SL_ROUTE_ADMIN_PROCESS_RETRY},
    {"/admin/processes/skip", SL_ROUTE_ADMIN_PROCESS_SKIP},
    {"/ui", SL_ROUTE_PAGES_MOVED},
};

/* First words of paths that no domain may have as its name. */
static const char *const reserved[] = {"healthz", "readyz", "metrics", "errors",
                                       "live",    "admin",  "ui"};

static bool is(struct sl_text text, const char *with)
{
    return sl_text_equals(text, (struct sl_text){with, strlen(with)});
}

bool sl_route_is_name(struct sl_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return text.len > 0 && text.len <= 64;
}

bool sl_route_is_reserved(struct sl_text word)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (is(word, reserved[i]))
            return true;
    return false;
}

/* The word up to the next slash; `path` then begins behind that, and has ptr NULL where there is
 * none. */
static struct sl_text next_word(struct sl_text *path)
{
    const char *slash = path->len ? memchr(path->ptr, '/', path->len) : NULL;
    const struct sl_text word = {path->ptr, slash ? (size_t)(slash - path->ptr) : path->len};

    if (slash)
        *path = (struct sl_text){slash + 1, path->len - word.len - 1};
    else
        *path = (struct sl_text){NULL, 0};
    return word;
}

static struct sl_door below_domain(struct sl_door route, struct sl_text path)
{
    const struct sl_door none = {.kind = SL_ROUTE_NONE};

    route.name = next_word(&path);
    route.rest = path;
    if (!sl_route_is_name(route.name))
        return none;
    if (is(route.name, "events")) {
        route.kind = path.ptr ? SL_ROUTE_NONE : SL_ROUTE_EVENTS;
    } else if (is(route.name, "streams")) {
        route.kind = path.len > 0 ? SL_ROUTE_STREAM : SL_ROUTE_NONE;
    } else if (route.name.ptr[0] >= 'A' && route.name.ptr[0] <= 'Z') {
        route.kind = path.ptr ? SL_ROUTE_NONE : SL_ROUTE_COMMAND;
    } else if (!path.ptr) {
        route.kind = SL_ROUTE_VIEW;
    } else {
        route.kind =
            path.len > 0 && !memchr(path.ptr, '/', path.len) ? SL_ROUTE_ROW : SL_ROUTE_NONE;
    }
    return route.kind == SL_ROUTE_NONE ? none : route;
}

struct sl_door sl_route_of(struct sl_text path)
{
    const struct sl_door none = {.kind = SL_ROUTE_NONE};
    struct sl_door route = {.kind = SL_ROUTE_NONE};

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (is(path, fixed[i].path))
            return (struct sl_door){.kind = fixed[i].kind};
    if (path.len < 2 || path.ptr[0] != '/')
        return none;
    path = (struct sl_text){path.ptr + 1, path.len - 1};
    route.domain = next_word(&path);
    if (is(route.domain, "ui"))
        return (struct sl_door){.kind = SL_ROUTE_PAGES, .rest = path};
    if (is(route.domain, "errors"))
        return sl_route_is_name(path) ? (struct sl_door){.kind = SL_ROUTE_ERROR, .name = path}
                                      : none;
    if (sl_route_is_reserved(route.domain) || !sl_route_is_name(route.domain))
        return none;
    if (!path.ptr) {
        route.kind = SL_ROUTE_DOMAIN;
        return route;
    }
    return below_domain(route, path);
}

bool sl_route_is_post(enum sl_route_kind kind)
{
    return kind == SL_ROUTE_COMMAND || kind == SL_ROUTE_ADMIN_SHUTDOWN ||
           kind == SL_ROUTE_ADMIN_VIEW_RETRY || kind == SL_ROUTE_ADMIN_VIEW_SKIP ||
           kind == SL_ROUTE_ADMIN_VIEW_REBUILD || kind == SL_ROUTE_ADMIN_PROCESS_RETRY ||
           kind == SL_ROUTE_ADMIN_PROCESS_SKIP;
}

const char *sl_route_allows(enum sl_route_kind kind)
{
    return sl_route_is_post(kind) ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
}
