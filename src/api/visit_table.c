#include "api/visit_table.h"

#include <stdlib.h>
#include <string.h>

#include "api/route.h"

enum { PATTERN_BYTES_MAX = 256, PARTS_MAX = 8 };

static const struct {
    const char *name;
    enum sl_method method;
} methods[] = {
    {"GET", SL_GET}, {"POST", SL_POST}, {"PUT", SL_PUT}, {"PATCH", SL_PATCH}, {"DELETE", SL_DELETE},
};

static struct sl_text text_of(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

/* ---- Matching ------------------------------------------------------------------------------ */

bool sl_own_segment(struct sl_text *path, struct sl_text *out)
{
    if (path->len == 0 || path->ptr[0] != '/')
        return false;
    const char *slash = memchr(path->ptr + 1, '/', path->len - 1);
    const size_t len = slash ? (size_t)(slash - path->ptr) : path->len;

    *out = (struct sl_text){path->ptr + 1, len - 1};
    *path = (struct sl_text){path->ptr + len, path->len - len};
    return true;
}

static bool is_part(struct sl_text segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

static bool fits(struct sl_text pattern, struct sl_text path)
{
    struct sl_text wanted, given;

    while (sl_own_segment(&pattern, &wanted)) {
        if (!sl_own_segment(&path, &given))
            return false;
        if (is_part(wanted) ? given.len == 0 : !sl_text_equals(wanted, given))
            return false;
    }
    return path.len == 0;
}

struct sl_own_route *sl_own_find(const struct sl_own_table *table, struct sl_text path)
{
    for (size_t i = 0; i < table->count; i++)
        if (fits(table->items[i].pattern, path))
            return &table->items[i];
    return NULL;
}

struct sl_own_route *sl_own_find_method(const struct sl_own_table *table, struct sl_text path,
                                        enum sl_method method)
{
    if (method == SL_HEAD)
        method = SL_GET;
    for (size_t i = 0; i < table->count; i++)
        if (table->items[i].method == method && fits(table->items[i].pattern, path))
            return &table->items[i];
    return NULL;
}

void sl_own_allows(const struct sl_own_table *table, struct sl_text path, struct sl_buf *out)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (sl_own_find_method(table, path, methods[i].method))
            sl_buf_printf(out, "%s, %s", methods[i].name,
                          methods[i].method == SL_GET ? "HEAD, " : "");
    SL_BUF_LITERAL(out, "OPTIONS");
}

struct sl_text sl_own_part(struct sl_text pattern, struct sl_text path, const char *name)
{
    struct sl_text wanted, given;

    while (sl_own_segment(&pattern, &wanted) && sl_own_segment(&path, &given))
        if (is_part(wanted) &&
            sl_text_equals((struct sl_text){wanted.ptr + 1, wanted.len - 2}, text_of(name)))
            return given;
    return (struct sl_text){NULL, 0};
}

/* ---- Making the table ---------------------------------------------------------------------- */

static enum sl_err refuse(const struct sl_own_route *own, struct sl_error *error, const char *why)
{
    return sl_fail(error, SL_INVALID, "domain %s: the route \"%s\" %s", own->domain->name,
                   own->route->path ? own->route->path : "", why);
}

/* A segment of a pattern: what URLs hold unescaped, or a name in braces. */
static bool is_segment(struct sl_text segment)
{
    if (is_part(segment))
        return sl_route_is_name((struct sl_text){segment.ptr + 1, segment.len - 2});
    for (size_t i = 0; i < segment.len; i++) {
        const char c = segment.ptr[i];
        if (c <= ' ' || c >= 0x7f || strchr("{}%?#\"\\", c))
            return false;
    }
    return segment.len > 0;
}

static enum sl_err check_pattern(const struct sl_own_route *own, struct sl_error *error)
{
    struct sl_text rest = own->pattern, segment;
    size_t parts = 0;

    while (sl_own_segment(&rest, &segment)) {
        if (!is_segment(segment))
            return refuse(own, error,
                          "has a segment that is empty, or has characters that stand "
                          "in no address");
        parts += is_part(segment);
    }
    if (parts > PARTS_MAX)
        return refuse(own, error, "has more than 8 parts in braces");
    return SL_OK;
}

static bool has_view(const struct sl_domain *domain, struct sl_text name)
{
    for (size_t i = 0; i < domain->views.count; i++)
        if (sl_text_equals(name, text_of(domain->views.items[i].name)))
            return true;
    return false;
}

static bool has_command(const struct sl_domain *domain, struct sl_text name)
{
    for (size_t i = 0; i < domain->commands.count; i++)
        if (sl_text_equals(name, text_of(domain->commands.items[i].name)))
            return true;
    return false;
}

/* Would another door serve an address that the pattern fits? */
static enum sl_err check_doors(const struct sl_own_route *own,
                               const struct sl_domain *const *domains, size_t count,
                               struct sl_error *error)
{
    const struct sl_door door = sl_route_of(own->pattern);
    struct sl_text rest = own->pattern, first, second;
    const bool is_below = own->route->path[0] != '/';

    if (!sl_own_segment(&rest, &first) || is_part(first))
        return refuse(own, error, "begins with what may be anything");
    /* No door stands there with a word of the server's own: what does is a domain. */
    if (door.kind != SL_ROUTE_NONE && door.kind < SL_ROUTE_DOMAIN)
        return refuse(own, error, "is an address of the server's own");
    for (size_t i = 0; i < count; i++)
        if (!is_below && sl_text_equals(first, text_of(domains[i]->name)))
            return refuse(own, error, "is below a domain's name: write it without the slash");
    if (!is_below)
        return sl_route_is_reserved(first)
                   ? refuse(own, error, "is below an address of the server's own")
                   : SL_OK;
    if (!sl_own_segment(&rest, &second) || is_part(second))
        return refuse(own, error, "begins with what may be anything");
    if (door.kind == SL_ROUTE_EVENTS || door.kind == SL_ROUTE_STREAM ||
        (door.kind == SL_ROUTE_COMMAND && has_command(own->domain, second)) ||
        ((door.kind == SL_ROUTE_VIEW || door.kind == SL_ROUTE_ROW) &&
         has_view(own->domain, second)))
        return refuse(own, error, "is an address of a command, a view or the log");
    return SL_OK;
}

static enum sl_err add(struct sl_own_table *table, const struct sl_domain *domain,
                       const struct sl_route *route, struct sl_error *error)
{
    struct sl_own_route *own = &table->items[table->count];

    *own = (struct sl_own_route){.domain = domain, .route = route};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (route->method && strcmp(route->method, methods[i].name) == 0)
            own->method = methods[i].method;
    if (!own->method)
        return refuse(own, error, "has a method that is none of GET, POST, PUT, PATCH and DELETE");
    if (!route->path || !route->path[0] || !route->serve)
        return refuse(own, error, "lacks a path or a function");
    if (strlen(route->path) > PATTERN_BYTES_MAX)
        return refuse(own, error, "is longer than 256 bytes");
    struct sl_buf pattern = {0};
    if (route->path[0] != '/')
        sl_buf_printf(&pattern, "/%s/", domain->name);
    sl_buf_text(&pattern, text_of(route->path));
    if (pattern.failed) {
        sl_buf_close(&pattern);
        return sl_fail(error, SL_NO_MEMORY, "no memory for routes");
    }
    own->pattern = sl_buf_as_text(&pattern); /* freed with the table */
    table->count++;
    return check_pattern(own, error);
}

/* Two routes of the same method at the same address: the second would never be visited. Of one
 * domain the order in its table says what is meant; between two domains nothing does. */
static enum sl_err check_pair(const struct sl_own_table *table, const struct sl_own_route *own,
                              struct sl_error *error)
{
    for (const struct sl_own_route *other = table->items; other < own; other++)
        if (other->method == own->method && fits(other->pattern, own->pattern) &&
            (other->domain != own->domain || sl_text_equals(other->pattern, own->pattern)))
            return refuse(own, error, "is served by another route");
    return SL_OK;
}

enum sl_err sl_own_table_open(struct sl_own_table *table, const struct sl_domain *const *domains,
                              size_t count, struct sl_error *error)
{
    size_t routes = 0;
    enum sl_err err = SL_OK;

    *table = (struct sl_own_table){0};
    for (size_t i = 0; i < count; i++)
        routes += domains[i]->routes.count;
    if (routes == 0)
        return SL_OK;
    table->items = calloc(routes, sizeof *table->items);
    if (!table->items)
        return sl_fail(error, SL_NO_MEMORY, "no memory for routes");
    for (size_t i = 0; i < count && !err; i++)
        for (size_t r = 0; r < domains[i]->routes.count && !err; r++) {
            err = add(table, domains[i], &domains[i]->routes.items[r], error);
            if (!err)
                err = check_doors(&table->items[table->count - 1], domains, count, error);
            if (!err)
                err = check_pair(table, &table->items[table->count - 1], error);
        }
    if (err)
        sl_own_table_close(table);
    return err;
}

void sl_own_table_close(struct sl_own_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free((void *)(uintptr_t)table->items[i].pattern.ptr);
    free(table->items);
    *table = (struct sl_own_table){0};
}
