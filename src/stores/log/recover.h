/* Reading a log from some point to its end: at open from the start, at a claim after a failed write
 * from the last batch that is known durable. The rules stand in format.c, "Crash cases". */
#ifndef SL_STORES_LOG_RECOVER_H
#define SL_STORES_LOG_RECOVER_H

#include "stores/log/catalog.h"
#include "stores/log/index.h"
#include "stores/log/sealed.h"
#include "stores/log/segment.h"

/* Where a log ends: what the next batch continues. */
struct sl_log_end {
    struct sl_uuid log;
    uint64_t segment;       /* number */
    uint64_t segment_bytes;
    uint64_t salt;          /* the segment's */
    uint64_t offset;        /* in the segment; 0: before its header */
    uint64_t sure_offset;   /* what lies below is durable for certain */
    uint64_t batch;         /* number of the next batch, */
    uint64_t position;      /* its first position, */
    uint64_t outcome;       /* its first outcome */
    uint64_t previous;      /* and the checksum of the one before it */
    uint64_t keys;          /* of the segment's events so far, in words of sl_log_keys */
};

/* What is told of each batch, in order; all of it lives for the call, but for the schemas. */
struct sl_log_learned {
    struct sl_log_entry entry;
    const uint64_t *keys;
    size_t key_count;
    const struct sl_schema *const *schemas;
    size_t schema_count;
};

struct sl_log_recovery {
    const struct sl_log_folder *folder;
    uint64_t last; /* the number of the last segment */
    struct sl_log_catalog *catalog;
    enum sl_err (*learn)(void *context, const struct sl_log_learned *learned);
    /* Of each sealed segment; the schemas are those that begin in it. */
    enum sl_err (*shelve)(void *context, const struct sl_log_sealed_head *head,
                          const struct sl_schema *const *schemas, size_t schema_count);
    void *context;
    uint64_t bytes_cut; /* answer: from the first to the last byte that was erased */
};

/* Takes in the sealed segments, of which there are `count` from number 0 on: reads their headers
 * and catalogs, proves that each continues the one before, and leaves `*end`, which is zero, at the
 * start of the first raw one. Errors as below. */
enum sl_err sl_log_recover_sealed(struct sl_log_recovery *recovery, uint64_t count,
                                  struct sl_log_end *end, struct sl_error *error) SL_USE_RESULT;

/* Reads on from `*end`, which moves to the log's end; cuts what was never acknowledged, durably;
 * opens the last segment for writing. SL_CORRUPT and SL_UNSUPPORTED name file and offset; SL_IO,
 * SL_NO_MEMORY. After a failure `*end` stands behind the last batch that was told of, and a second
 * call goes on there; until one succeeds, nothing that was told of is known to be durable. */
enum sl_err sl_log_recover(struct sl_log_recovery *recovery, struct sl_log_end *end,
                           struct sl_file **out_file, struct sl_error *error) SL_USE_RESULT;

#endif
