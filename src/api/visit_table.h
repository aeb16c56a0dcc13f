/*
 * The routes of all domains (include/sluice/route.h): which of them serves an address. Pure, but
 * for making the table.
 *
 * A route's pattern is its whole address, "/bank/batch/{operation}"; a segment in braces fits any
 * one segment that is not empty, others fit themselves. What another door would serve is refused
 * when the table is made, so that routes can be looked for first.
 */
#ifndef SL_API_VISIT_TABLE_H
#define SL_API_VISIT_TABLE_H

#include <sluice/route.h>

#include "base/buf.h"
#include "net/net.h"

/* Of one piece of a visit's memory. */
#define SL_VISIT_ROOM_BYTES_MAX (16u << 20)

/* A route, and what the server knows of it. */
struct sl_own_route {
    const struct sl_domain *domain;
    const struct sl_route *route;
    enum sl_method method;
    struct sl_text pattern;
    uint64_t visits, faults; /* since the start */
};

/* Zero-initialised it has none. */
struct sl_own_table {
    struct sl_own_route *items;
    size_t count;
};

/* SL_INVALID names domain, route and what is wrong with it; SL_NO_MEMORY. The domains must outlive
 * the table. */
enum sl_err sl_own_table_open(struct sl_own_table *table, const struct sl_domain *const *domains,
                              size_t count, struct sl_error *error) SL_USE_RESULT;
void sl_own_table_close(struct sl_own_table *table);

/* The first route whose pattern fits the raw path, whatever its method; NULL: none. */
struct sl_own_route *sl_own_find(const struct sl_own_table *table, struct sl_text path);
/* The first whose method fits, too; HEAD is GET. */
struct sl_own_route *sl_own_find_method(const struct sl_own_table *table, struct sl_text path,
                                        enum sl_method method);
/* Appends "GET, HEAD, POST, OPTIONS": all that the routes of this path take. */
void sl_own_allows(const struct sl_own_table *table, struct sl_text path, struct sl_buf *out);

/* The raw segment of the path at the pattern's {name}; ptr NULL: the pattern has none so named. */
struct sl_text sl_own_part(struct sl_text pattern, struct sl_text path, const char *name);

/* The next segment of a path or pattern, which then begins behind it; false: there is none. */
bool sl_own_segment(struct sl_text *path, struct sl_text *out);

#endif
