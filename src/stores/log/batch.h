/* A batch in the making: frames one after the other in aligned memory, reused from batch to
 * batch. */
#ifndef SL_STORES_LOG_BATCH_H
#define SL_STORES_LOG_BATCH_H

#include "stores/log/catalog.h"
#include "stores/log/index.h"

struct sl_log_batch {
    uint8_t *bytes; /* aligned to a block; the head's place first */
    size_t capacity;
    size_t len; /* with the head's place */
    uint32_t frame_count;
    uint32_t event_count;
    uint32_t outcome_count;
    struct sl_time outcome_latest;
    struct sl_log_keys keys;          /* of its events */
    const struct sl_schema **schemas; /* new ones, prepared in the catalog */
    size_t schema_count;
    size_t schema_capacity;
};

/* Empty, memory kept unless it is much. */
void sl_log_batch_reset(struct sl_log_batch *batch);

/* Adds all of an append, or nothing: SL_LIMIT (the batch would become too large), SL_INVALID (an
 * event whose schema the log doesn't have), SL_CONFLICT (schemas), SL_NO_MEMORY. */
enum sl_err sl_log_batch_add(struct sl_log_batch *batch, struct sl_log_catalog *catalog,
                             const struct sl_append *append, struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_log_batch_add_epoch(struct sl_log_batch *batch, const struct sl_epoch *epoch,
                                   struct sl_error *error) SL_USE_RESULT;

/* Zeros up to a whole block, and what the head says of sizes and counts. The rest of the head is
 * the caller's; then sl_log_batch_seal. */
void sl_log_batch_pad(struct sl_log_batch *batch, struct sl_log_batch_head *head);

static inline size_t sl_log_batch_padded(const struct sl_log_batch *batch)
{
    return (batch->len + SL_LOG_BLOCK - 1) / SL_LOG_BLOCK * SL_LOG_BLOCK;
}

void sl_log_batch_close(struct sl_log_batch *batch);

#endif
