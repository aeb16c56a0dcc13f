#include "stores/log/audit.h"

#include "stores/log/stone.h"

#include <stdio.h>
#include <stdlib.h>

struct examination {
    struct sl_log_audit *audit;
    struct sl_log_walk *walk;
    const struct sl_log_seen *seen;
    struct sl_error *error;
    uint32_t events, stones, outcomes, frames; /* of the batch, so far; stones are events, too */
};

static enum sl_err damaged(const struct examination *x, const char *why)
{
    return sl_log_walk_damage(x->walk, x->seen->segment, x->seen->offset, x->error, why);
}

static enum sl_err no_memory(const struct examination *x)
{
    return sl_fail(x->error, SL_NO_MEMORY, "no memory to look at the log's batches");
}

static enum sl_err count_event(const struct examination *x, uint32_t schema)
{
    struct sl_log_audit *audit = x->audit;

    if (schema >= audit->events_of_count) {
        const size_t count = ((size_t)schema + 1) * 2;
        uint64_t *events_of = realloc(audit->events_of, count * sizeof *events_of);
        if (!events_of)
            return no_memory(x);
        for (size_t i = audit->events_of_count; i < count; i++)
            events_of[i] = 0;
        audit->events_of = events_of;
        audit->events_of_count = count;
    }
    audit->events_of[schema]++;
    return SL_OK;
}

static enum sl_err check_revision(const struct examination *x,
                                  struct sl_log_revisions *revisions,
                                  const struct sl_log_event *event)
{
    uint64_t expected = 0;
    char why[160];

    const enum sl_err err =
        sl_log_revisions_take(revisions, event->stream, event->revision, &expected);
    if (err == SL_OK)
        return SL_OK;
    if (err != SL_CORRUPT)
        return no_memory(x);
    snprintf(why, sizeof why, "stream %.*s has revision %llu where %llu follows",
             (int)(event->stream.len < 60 ? event->stream.len : 60), event->stream.ptr,
             (unsigned long long)event->revision, (unsigned long long)expected);
    return damaged(x, why);
}

static enum sl_err check_body(const struct examination *x, const struct sl_schema *schema,
                              struct sl_slice body)
{
    const struct sl_record *record;
    struct sl_error error = {0};
    const void *item;
    char why[160];

    const enum sl_err err =
        sl_log_bodies_read(&x->audit->bodies, schema, body, &record, &item, &error);
    if (err == SL_OK)
        return SL_OK;
    if (err == SL_NO_MEMORY)
        return no_memory(x);
    snprintf(why, sizeof why, "the body of event %llu: %.100s",
             (unsigned long long)x->seen->head.first_position + x->events, error.message);
    return damaged(x, why);
}

static enum sl_err examine_event(struct examination *x, const struct sl_log_frame *frame)
{
    struct sl_log_audit *audit = x->audit;
    struct sl_log_event event;

    if (!sl_log_frame_event(frame, &event))
        return damaged(x, frame->kind == SL_LOG_STONE ? "a stone" : "an event");
    const struct sl_schema *schema = sl_log_catalog_schema(&audit->catalog, event.schema);
    if (!schema && !audit->begins_late)
        return damaged(x, "an event without its schema");
    enum sl_err err = count_event(x, event.schema);
    if (err == SL_OK && audit->revisions)
        err = check_revision(x, audit->revisions, &event);
    if (err == SL_OK && schema && audit->checks_bodies && frame->kind == SL_LOG_EVENT)
        err = check_body(x, schema, event.body);
    audit->streams += event.revision == 0;
    x->events++;
    x->stones += frame->kind == SL_LOG_STONE;
    return err;
}

static enum sl_err examine_outcome(struct examination *x, struct sl_slice payload)
{
    const uint64_t next = x->seen->head.first_position + x->seen->head.event_count;
    struct sl_stored_outcome outcome;

    if (!sl_log_outcome_read(payload, &outcome))
        return damaged(x, "an outcome");
    /* L4: it never speaks of events that the log does not have. */
    if (outcome.position > next || outcome.event_count > next - outcome.position)
        return damaged(x, "an outcome that knows events which the log does not have");
    x->outcomes++;
    return SL_OK;
}

static enum sl_err examine_schema(struct examination *x, struct sl_slice payload)
{
    struct sl_log_catalog *catalog = &x->audit->catalog;
    const struct sl_schema *copy;
    struct sl_schema schema;

    if (!sl_log_schema_read(payload, &schema))
        return damaged(x, "a schema");
    const enum sl_err err = sl_log_catalog_prepare(catalog, &schema, 0, &copy);
    if (err == SL_NO_MEMORY)
        return no_memory(x);
    if (err != SL_OK)
        return damaged(x, "a schema that contradicts an earlier one");
    sl_log_catalog_publish(catalog, copy);
    return SL_OK;
}

static enum sl_err examine_epoch(struct examination *x, struct sl_slice payload)
{
    struct sl_log_catalog *catalog = &x->audit->catalog;
    struct sl_epoch epoch;

    if (!sl_log_epoch_read(payload, &epoch) ||
        epoch.first_position != x->seen->head.first_position ||
        (catalog->epoch_count > 0 &&
         epoch.number <= catalog->epochs[catalog->epoch_count - 1].number))
        return damaged(x, "an epoch");
    return sl_log_catalog_add_epoch(catalog, &epoch) == SL_OK ? SL_OK : no_memory(x);
}

static enum sl_err examine(struct examination *x, const struct sl_log_frame *frame)
{
    switch ((enum sl_log_frame_kind)frame->kind) {
    case SL_LOG_EVENT:
    case SL_LOG_STONE:
        return examine_event(x, frame);
    case SL_LOG_OUTCOME:
        return examine_outcome(x, frame->payload);
    case SL_LOG_SCHEMA:
        return examine_schema(x, frame->payload);
    case SL_LOG_EPOCH:
        return examine_epoch(x, frame->payload);
    default:
        if (frame->flags & SL_LOG_MAY_SKIP) {
            x->audit->skipped_frames++;
            return SL_OK;
        }
        return sl_fail(x->error, SL_UNSUPPORTED, "%s: the batch at offset %llu has a frame of a "
                       "kind that this program does not know: use a newer one", x->walk->path,
                       (unsigned long long)x->seen->offset);
    }
}

static bool is_of_this_reign(const struct sl_log_audit *audit, uint64_t epoch)
{
    const struct sl_log_catalog *catalog = &audit->catalog;

    if (catalog->epoch_count == 0)
        return audit->begins_late;
    return epoch == catalog->epochs[catalog->epoch_count - 1].number;
}

enum sl_err sl_log_audit_batch(struct sl_log_audit *audit, struct sl_log_walk *walk,
                               const struct sl_log_seen *seen, struct sl_error *error)
{
    struct examination x = {.audit = audit, .walk = walk, .seen = seen, .error = error};
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen->bytes));
    const struct sl_log_batch_head *head = &seen->head;
    struct sl_log_frame frame;
    enum sl_err err = SL_OK;

    while (err == SL_OK) {
        err = sl_log_frame_next_any(&cursor, &frame);
        if (err == SL_CORRUPT)
            return damaged(&x, "frames do not fit");
        if (err == SL_OK) {
            x.frames++;
            err = examine(&x, &frame);
        }
    }
    if (err != SL_NOT_FOUND)
        return err;
    if (x.events != head->event_count || x.outcomes != head->outcome_count)
        return damaged(&x, "counts of frames");
    if ((x.stones > 0) != (head->flags & SL_LOG_SCAVENGED))
        return damaged(&x, "stones where none were left");
    if (!is_of_this_reign(audit, head->epoch))
        return damaged(&x, "a batch of another epoch than the one that reigns");
    if (head->durable_batches > head->number || head->durable_through > head->first_position)
        return damaged(&x, "a batch that calls itself durable before it was written");
    audit->frames += x.frames;
    audit->events += x.events;
    audit->stones += x.stones;
    audit->outcomes += x.outcomes;
    audit->payload_bytes += head->payload_bytes;
    audit->last_time = head->time;
    return SL_OK;
}

enum sl_err sl_log_audit_revisions(struct sl_log_revisions *revisions, struct sl_log_walk *walk,
                                   const struct sl_log_seen *seen, struct sl_error *error)
{
    const struct examination x = {.walk = walk, .seen = seen, .error = error};
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen->bytes));
    struct sl_log_frame frame;
    struct sl_log_event event;
    enum sl_err err;

    while ((err = sl_log_frame_next_any(&cursor, &frame)) == SL_OK) {
        if (!sl_log_has_position(&frame))
            continue;
        if (!sl_log_frame_event(&frame, &event))
            return damaged(&x, "an event");
        err = check_revision(&x, revisions, &event);
        if (err != SL_OK)
            return err;
    }
    return err == SL_NOT_FOUND ? SL_OK : damaged(&x, "frames do not fit");
}

void sl_log_audit_close(struct sl_log_audit *audit)
{
    sl_log_catalog_close(&audit->catalog);
    sl_log_bodies_close(&audit->bodies);
    free(audit->events_of);
    *audit = (struct sl_log_audit){0};
}
