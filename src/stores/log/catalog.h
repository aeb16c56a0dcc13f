/*
 * What a log says of itself besides events: its reigns and its schemas. Owned by whoever owns the
 * log's end; what is handed out is never changed and lives until sl_log_catalog_close, so that
 * pointers to it may travel between threads.
 */
#ifndef SL_STORES_LOG_CATALOG_H
#define SL_STORES_LOG_CATALOG_H

#include "stores/log/format.h"

struct sl_log_catalog {
    struct sl_arena arena; /* everything below lies here */
    struct sl_epoch *epochs; /* who holds the list looks at no more of it than there were then */
    size_t epoch_count;
    size_t epoch_capacity;
    const struct sl_schema **schemas; /* in the order of the log */
    size_t schema_count;
    size_t schema_capacity;
    const struct sl_schema **by_id;
    size_t by_id_count;
};

/* The list stays where it is, or moves to a larger place; who holds the old one keeps it. The last
 * one once more changes nothing. SL_NO_MEMORY. */
enum sl_err sl_log_catalog_add_epoch(struct sl_log_catalog *catalog,
                                     const struct sl_epoch *epoch) SL_USE_RESULT;

/* Copies the schema and makes room for it and `pending` others, but does not list it yet: it is in
 * the log only when its batch is durable (L4). `*out` is the copy, or the equal one that is listed
 * already. SL_CONFLICT: another schema has the id. SL_LIMIT (id), SL_NO_MEMORY. */
enum sl_err sl_log_catalog_prepare(struct sl_log_catalog *catalog, const struct sl_schema *schema,
                                   size_t pending, const struct sl_schema **out) SL_USE_RESULT;

/* Lists a prepared schema; nothing happens when it is listed. */
void sl_log_catalog_publish(struct sl_log_catalog *catalog, const struct sl_schema *schema);

/* NULL: not there. */
const struct sl_schema *sl_log_catalog_schema(const struct sl_log_catalog *catalog, uint32_t id);

void sl_log_catalog_close(struct sl_log_catalog *catalog);

#endif
