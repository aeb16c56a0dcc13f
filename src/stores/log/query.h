/* Answering one read. Owned by the reader. */
#ifndef SL_STORES_LOG_QUERY_H
#define SL_STORES_LOG_QUERY_H

#include "stores/log/known.h"

/* Fills the answer of the read. */
void sl_log_query(struct sl_log_known *known, struct sl_read *read);

#endif
