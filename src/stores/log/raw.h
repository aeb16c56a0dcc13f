/*
 * Writing a raw segment anew, batch by batch: for copies that end before the segment does, and for
 * those that unpack a sealed one. The bytes are those that the log's own writer wrote.
 */
#ifndef SL_STORES_LOG_RAW_H
#define SL_STORES_LOG_RAW_H

#include "stores/log/inspect.h"

/* Zero-initialised it is closed. */
struct sl_log_raw {
    struct sl_file *file;
    const char *path;
    uint64_t offset; /* behind the last batch */
    uint8_t *buffer; /* what is not written yet: [offset - len, offset) */
    size_t len;
};

/* Makes the file, which must not be there, for batches of the segment that the walk stands in. */
enum sl_err sl_log_raw_begin(struct sl_log_raw *raw, struct sl_env *env, const char *path,
                             const struct sl_log_walk *walk, struct sl_error *error) SL_USE_RESULT;

/* SL_UNSUPPORTED: the batch was scavenged. */
enum sl_err sl_log_raw_add(struct sl_log_raw *raw, const struct sl_log_seen *seen,
                           struct sl_error *error) SL_USE_RESULT;

/* Zeros up to `bytes_full`, if that is more; makes the bytes durable, not the name. */
enum sl_err sl_log_raw_end(struct sl_log_raw *raw, uint64_t bytes_full,
                           struct sl_error *error) SL_USE_RESULT;

void sl_log_raw_close(struct sl_log_raw *raw);

#endif
