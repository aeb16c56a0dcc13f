/*
 * Bodies of events, read by the descriptions that the log itself holds: without the program that
 * wrote them. One owner.
 */
#ifndef SL_STORES_LOG_BODIES_H
#define SL_STORES_LOG_BODIES_H

#include "contracts/event_store.h"
#include "record/pack.h"

/* Zero-initialised it is empty. */
struct sl_log_bodies {
    struct sl_arena arena;            /* of the records made from descriptions */
    const struct sl_record **records; /* by the schema's id; NULL: not made yet */
    size_t record_count;
    struct sl_arena scratch; /* of one body */
};

/* Unpacks a body; `*out` lives until the next call. The schema is always the same for its id.
 * SL_CORRUPT: the bytes are no such record. SL_INVALID: the description is none. SL_NO_MEMORY. */
enum sl_err sl_log_bodies_read(struct sl_log_bodies *bodies, const struct sl_schema *schema,
                               struct sl_slice body, const struct sl_record **out_record,
                               const void **out, struct sl_error *error) SL_USE_RESULT;

/* Appends it as JSON. Errors as above; then nothing was appended. */
enum sl_err sl_log_bodies_json(struct sl_log_bodies *bodies, const struct sl_schema *schema,
                               struct sl_slice body, struct sl_buf *out,
                               struct sl_error *error) SL_USE_RESULT;

void sl_log_bodies_close(struct sl_log_bodies *bodies);

#endif
