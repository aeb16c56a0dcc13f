/* Answering one read. Owned by the reader. */
#ifndef SL_STORES_LOG_QUERY_H
#define SL_STORES_LOG_QUERY_H

#include "stores/log/window.h"

/* What the reader knows of its log. */
struct sl_log_known {
    struct sl_log_index index;
    struct sl_log_windows windows;
    const struct sl_schema **schemas; /* by id; NULL where there is none */
    size_t schema_count;
};

/* Fills the answer of the read. */
void sl_log_query(struct sl_log_known *known, struct sl_read *read);

#endif
