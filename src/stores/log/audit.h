/*
 * What is in the batches of a walk (inspect.h): counted, and checked against all that the format
 * and the invariants say of it: frames, counts, schemas before their events, reigns, positions that
 * outcomes speak of, and, when asked for, revisions of streams and bodies by their descriptions.
 * One owner.
 */
#ifndef SL_STORES_LOG_AUDIT_H
#define SL_STORES_LOG_AUDIT_H

#include "stores/log/bodies.h"
#include "stores/log/catalog.h"
#include "stores/log/inspect.h"
#include "stores/log/revisions.h"

/* Zero-initialised it is empty. */
struct sl_log_audit {
    /* Asked for. */
    struct sl_log_revisions *revisions; /* NULL: not checked */
    bool checks_bodies;
    bool begins_late; /* at a later segment: schemas and reigns before it are not known */

    /* Answers. */
    struct sl_log_catalog catalog;
    uint64_t frames, events, outcomes;
    uint64_t stones; /* among the events */
    uint64_t streams;        /* that began: events with revision 0 */
    uint64_t skipped_frames; /* of kinds that this program may skip */
    uint64_t payload_bytes;
    uint64_t *events_of; /* by the schema's id */
    size_t events_of_count;
    struct sl_time last_time; /* of a batch */

    struct sl_log_bodies bodies;
};

/* Examines the next batch. SL_CORRUPT names file and offset; the walk's damage_* are those of the
 * batch. SL_UNSUPPORTED, SL_NO_MEMORY. */
enum sl_err sl_log_audit_batch(struct sl_log_audit *audit, struct sl_log_walk *walk,
                               const struct sl_log_seen *seen,
                               struct sl_error *error) SL_USE_RESULT;

/* Looks at revisions alone: for passes after the first. */
enum sl_err sl_log_audit_revisions(struct sl_log_revisions *revisions, struct sl_log_walk *walk,
                                   const struct sl_log_seen *seen,
                                   struct sl_error *error) SL_USE_RESULT;

void sl_log_audit_close(struct sl_log_audit *audit);

#endif
