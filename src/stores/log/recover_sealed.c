/* The sealed part of a log at open: headers, and what of a catalog begins in each segment. */
#include "stores/log/recover.h"

#include <stdlib.h>
#include <string.h>

struct sealed_scan {
    struct sl_log_recovery *recovery;
    struct sl_log_end *end;
    struct sl_error *error;
    char path[SL_LOG_PATH_MAX];
    struct sl_log_sealed_head head;
    struct sl_file *file;
    const struct sl_schema **schemas;
    size_t schema_count;
};

static enum sl_err damaged(const struct sealed_scan *scan, uint64_t offset, const char *why)
{
    return sl_fail(scan->error, SL_CORRUPT, "%s: damaged at offset %llu (%s): restore it from a "
                   "backup or a follower, or see `sluice log salvage`", scan->path,
                   (unsigned long long)offset, why);
}

/* The chain, across the boundary of files (L3). */
static enum sl_err check_continuity(const struct sealed_scan *scan)
{
    const struct sl_log_segment_head *head = &scan->head.segment;
    const struct sl_log_end *end = scan->end;

    if (head->number > 0 && !sl_uuid_equals(head->log, end->log))
        return sl_fail(scan->error, SL_CORRUPT, "%s belongs to another log: put the right file "
                       "there", scan->path);
    if (head->first_batch != end->batch || head->first_position != end->position ||
        head->previous != end->previous || scan->head.first_outcome != end->outcome)
        return damaged(scan, 0, "it does not continue the segment before it");
    return SL_OK;
}

static enum sl_err learn_frame(struct sealed_scan *scan, const struct sl_log_frame *frame,
                               uint64_t offset)
{
    struct sl_log_catalog *catalog = scan->recovery->catalog;
    const struct sl_schema *copy;
    struct sl_schema schema;
    struct sl_epoch epoch;
    enum sl_err err;

    if (frame->kind == SL_LOG_EPOCH) {
        if (!sl_log_epoch_read(frame->payload, &epoch))
            return damaged(scan, offset, "an epoch");
        err = sl_log_catalog_add_epoch(catalog, &epoch);
        return err == SL_OK ? err : sl_fail(scan->error, err, "no memory for the log's epochs");
    }
    if (frame->kind != SL_LOG_SCHEMA || !sl_log_schema_read(frame->payload, &schema) ||
        scan->schema_count == SL_LOG_SCHEMAS_MAX)
        return damaged(scan, offset, "the catalog");
    err = sl_log_catalog_prepare(catalog, &schema, 0, &copy);
    if (err == SL_NO_MEMORY)
        return sl_fail(scan->error, err, "no memory for the log's schemas");
    if (err != SL_OK)
        return damaged(scan, offset, "a schema that contradicts an earlier one");
    sl_log_catalog_publish(catalog, copy);
    scan->schemas[scan->schema_count++] = copy;
    return SL_OK;
}

static enum sl_err learn_frames(struct sealed_scan *scan, struct sl_slice frames, uint64_t offset)
{
    struct sl_cursor cursor = sl_cursor_of(frames);
    struct sl_log_frame frame;
    enum sl_err err;

    while ((err = sl_log_frame_next(&cursor, &frame)) == SL_OK) {
        err = learn_frame(scan, &frame, offset);
        if (err != SL_OK)
            return err;
    }
    if (err == SL_UNSUPPORTED)
        return sl_fail(scan->error, err, "%s: has a frame of a kind that this program does not "
                       "know: use a newer one", scan->path);
    return err == SL_NOT_FOUND ? SL_OK : damaged(scan, offset, "the catalog");
}

/* Reads the catalog's pages and joins what is in them, in place. */
static enum sl_err read_catalog(struct sealed_scan *scan, uint8_t *bytes)
{
    const struct sl_log_pages *pages = sl_log_sealed_pages(&scan->head, SL_LOG_PAGES_CATALOG);
    const uint64_t offset = (uint64_t)pages->first * SL_LOG_PAGE;
    size_t len = 0, got;

    const enum sl_err err = sl_file_read(scan->file, offset, bytes,
                                         (size_t)pages->count * SL_LOG_PAGE, &got, scan->error);
    if (err != SL_OK)
        return err;
    for (uint32_t i = 0; i < pages->count; i++) {
        const uint8_t *page = bytes + (size_t)i * SL_LOG_PAGE;
        uint32_t count;
        if (got < ((size_t)i + 1) * SL_LOG_PAGE ||
            !sl_log_page_check(page, scan->head.segment.salt, pages->first + i,
                               SL_LOG_PAGES_CATALOG, &count))
            return damaged(scan, offset + (uint64_t)i * SL_LOG_PAGE, "the catalog");
        memmove(bytes + len, page + SL_LOG_PAGE_HEAD, count);
        len += count;
    }
    if (len != scan->head.catalog_bytes)
        return damaged(scan, offset, "the catalog");
    return learn_frames(scan, (struct sl_slice){bytes, len}, offset);
}

static enum sl_err learn_catalog(struct sealed_scan *scan)
{
    const struct sl_log_pages *pages = sl_log_sealed_pages(&scan->head, SL_LOG_PAGES_CATALOG);

    scan->schema_count = 0;
    if (pages->count == 0)
        return SL_OK;
    uint8_t *bytes = malloc((size_t)pages->count * SL_LOG_PAGE);
    if (!bytes)
        return sl_fail(scan->error, SL_NO_MEMORY, "no memory for the log's catalog");
    const enum sl_err err = read_catalog(scan, bytes);
    free(bytes);
    return err;
}

static enum sl_err recover_one(struct sealed_scan *scan, uint64_t number)
{
    struct sl_log_end *end = scan->end;

    sl_log_sealed_path(scan->recovery->folder, number, scan->path);
    enum sl_err err = sl_log_sealed_open(scan->recovery->folder, number, &scan->head, &scan->file,
                                         scan->error);
    if (err != SL_OK)
        return err;
    err = check_continuity(scan);
    if (err == SL_OK)
        err = learn_catalog(scan);
    sl_file_close(scan->file);
    if (err != SL_OK)
        return err;
    err = scan->recovery->shelve(scan->recovery->context, &scan->head, scan->schemas,
                                 scan->schema_count);
    if (err != SL_OK)
        return sl_fail(scan->error, err, "no memory for the log's index");
    end->log = scan->head.segment.log;
    end->segment = number + 1;
    end->batch = scan->head.next_batch;
    end->position = scan->head.next_position;
    end->outcome = scan->head.next_outcome;
    end->previous = scan->head.last;
    return SL_OK;
}

enum sl_err sl_log_recover_sealed(struct sl_log_recovery *recovery, uint64_t count,
                                  struct sl_log_end *end, struct sl_error *error)
{
    struct sl_error own = {0};
    struct sealed_scan scan = {.recovery = recovery, .end = end, .error = error ? error : &own};
    enum sl_err err = SL_OK;

    scan.schemas = calloc(SL_LOG_SCHEMAS_MAX, sizeof *scan.schemas);
    if (!scan.schemas)
        return sl_fail(scan.error, SL_NO_MEMORY, "no memory to recover the log");
    for (uint64_t number = 0; err == SL_OK && number < count; number++)
        err = recover_one(&scan, number);
    free(scan.schemas);
    return err;
}
