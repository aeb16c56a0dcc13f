/* Answering one read. Owned by the reader. */
#ifndef SL_STORES_LOG_QUERY_H
#define SL_STORES_LOG_QUERY_H

#include "stores/log/known.h"

/* Fills the answer of the read. */
void sl_log_query(struct sl_log_known *known, struct sl_read *read);

/* The same out of memory alone, for a read by a key. False: there is no answer in memory, or it is
 * an error; nothing of the answer is filled in. */
bool sl_log_query_memory(struct sl_log_known *known, struct sl_read *read);

#endif
