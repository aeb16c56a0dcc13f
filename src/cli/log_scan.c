/*
 * `sluice log scan`: events as JSON lines, just as GET /{domain}/events shows them, read by the
 * schemas in the log itself.
 *
 * A segment says its first position, so a scan begins at the segment that has `--from`. Schemas
 * stand before their first use, often long before: those that are not met on the way are looked
 * for in the segments before. Backwards, segments are taken from the last to the first; of each,
 * the lines are kept in memory and printed in reverse, no more of them than `--limit` still wants.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/log_parts.h"
#include "model/model.h"
#include "record/json.h"
#include "record/value.h"
#include "stores/log/bodies.h"
#include "stores/log/catalog.h"

enum { OUT_BYTES = 64 << 10 };

static const uint64_t lines_bytes_max = UINT64_C(1) << 30; /* kept in memory, backwards */

struct line {
    char *text;
    size_t len;
};

struct scan {
    const struct cli_log *log;
    struct sl_env *env;
    bool names; /* several logs */
    uint64_t from, until, limit;
    struct sl_text stream, tag; /* len 0: any */
    bool backwards;

    struct cli_progress progress;
    struct sl_log_walk walk;
    struct sl_log_catalog catalog;
    struct sl_log_bodies bodies;
    uint64_t found;
    struct sl_buf out;
    struct sl_error error;
    bool cannot_print;

    /* Backwards: the lines of a segment, a ring of the last ones. */
    struct line *lines;
    size_t line_capacity, line_first, line_count;
    uint64_t line_bytes;
};

/* ---- Schemas --------------------------------------------------------------------------------- */

static enum sl_err know(struct scan *scan, struct sl_slice payload)
{
    const struct sl_schema *copy;
    struct sl_schema schema;

    if (!sl_log_schema_read(payload, &schema))
        return sl_fail(&scan->error, SL_CORRUPT, "%s has a damaged schema", scan->log->path);
    const enum sl_err err = sl_log_catalog_prepare(&scan->catalog, &schema, 0, &copy);
    if (err != SL_OK)
        return sl_fail(&scan->error, err, "%s has two schemas under number %u", scan->log->path,
                       schema.id);
    sl_log_catalog_publish(&scan->catalog, copy);
    return SL_OK;
}

/* Schemas of a batch are known before its events are looked at. */
static enum sl_err know_all(struct scan *scan, const struct sl_log_seen *seen)
{
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen->bytes));
    struct sl_log_frame frame;
    enum sl_err err = SL_OK;

    while (err == SL_OK && sl_log_frame_next_any(&cursor, &frame) == SL_OK)
        if (frame.kind == SL_LOG_SCHEMA)
            err = know(scan, frame.payload);
    return err;
}

/* Reads the log from its start until the schema was met. */
static enum sl_err look_for_schema(struct scan *scan, uint32_t id)
{
    struct sl_log_walk walk = {0};
    struct sl_log_seen seen;

    enum sl_err err = sl_log_walk_open(&walk, scan->env, scan->log->path, &scan->error);
    while (err == SL_OK && !sl_log_catalog_schema(&scan->catalog, id)) {
        err = sl_log_walk_next(&walk, &seen, &scan->error);
        if (err == SL_OK)
            err = know_all(scan, &seen);
        cli_progress_step(&scan->progress, walk.bytes_seen);
    }
    sl_log_walk_close(&walk);
    return err == SL_NOT_FOUND ? sl_fail(&scan->error, SL_CORRUPT, "%s has an event without its "
                                         "schema, number %u", scan->log->path, id)
                               : err;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static bool has_tag(const struct sl_log_event *event, struct sl_text tag)
{
    struct sl_cursor tags = event->tags;

    for (uint32_t i = 0; i < event->tag_count; i++)
        if (sl_text_equals(sl_log_tag_next(&tags), tag))
            return true;
    return false;
}

static void write_member(struct sl_buf *out, const char *name, struct sl_text text)
{
    cli_json_name(out, name);
    sl_json_write_text(out, text);
}

/* "by", where that is known, and "tags", as GET /{domain}/events has them. */
static void write_tags(struct sl_buf *out, const struct sl_log_event *event)
{
    struct sl_text tags[SL_STORE_TAGS_MAX];
    struct sl_cursor cursor = event->tags;

    SL_ASSERT(event->tag_count <= SL_STORE_TAGS_MAX, "M1");
    for (uint32_t i = 0; i < event->tag_count; i++)
        tags[i] = sl_log_tag_next(&cursor);
    const struct sl_stored_event stored = {.tags = tags, .tag_count = event->tag_count};
    const struct sl_text by = sl_model_by(&stored);
    if (by.len > 0)
        write_member(out, "by", by);
    SL_BUF_LITERAL(out, ",\"tags\":[");
    for (uint32_t i = 0; i < event->tag_count - (by.len > 0); i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        sl_json_write_text(out, tags[i]);
    }
    sl_buf_byte(out, ']');
}

static enum sl_err write_event(struct scan *scan, uint64_t position,
                               const struct sl_log_event *event)
{
    const struct sl_schema *schema = sl_log_catalog_schema(&scan->catalog, event->schema);
    struct sl_buf *out = &scan->out;
    enum sl_err err = SL_OK;

    if (!schema)
        err = look_for_schema(scan, event->schema);
    if (err != SL_OK)
        return err;
    schema = sl_log_catalog_schema(&scan->catalog, event->schema);
    sl_buf_byte(out, '{');
    if (scan->names)
        cli_json_text(out, "log", scan->log->name);
    cli_json_u64(out, "position", position);
    write_member(out, "type", schema->name);
    write_member(out, "stream", event->stream);
    cli_json_u64(out, "revision", event->revision);
    cli_json_time(out, "time", event->time);
    cli_json_uuid(out, "command", event->command);
    write_tags(out, event);
    SL_BUF_LITERAL(out, ",\"body\":");
    err = sl_log_bodies_json(&scan->bodies, schema, event->body, out, &scan->error);
    SL_BUF_LITERAL(out, "}\n");
    if (err == SL_OK && out->failed)
        err = sl_fail(&scan->error, SL_LIMIT, "event %llu is too large to be shown",
                      (unsigned long long)position);
    return err;
}

static enum sl_err print(struct scan *scan)
{
    if (!cli_print(&scan->out)) {
        scan->cannot_print = true;
        return SL_IO;
    }
    return SL_OK;
}

/* Takes the line out of the buffer; an older one goes when there are more than are wanted. */
static enum sl_err keep_line(struct scan *scan)
{
    const uint64_t wanted = scan->limit - scan->found;
    struct line line = {malloc(scan->out.len), scan->out.len};

    if (!line.text)
        return sl_fail(&scan->error, SL_NO_MEMORY, "no memory: give a --limit");
    memcpy(line.text, scan->out.ptr, line.len);
    sl_buf_reset(&scan->out);
    if (scan->line_count == wanted) {
        struct line *oldest = &scan->lines[scan->line_first];
        scan->line_bytes -= oldest->len;
        free(oldest->text);
        *oldest = line;
        scan->line_first = (scan->line_first + 1) % scan->line_count;
    } else {
        if (scan->line_count == scan->line_capacity) {
            const size_t capacity = scan->line_capacity * 2 + 64;
            struct line *lines = realloc(scan->lines, capacity * sizeof *lines);
            if (!lines) {
                free(line.text);
                return sl_fail(&scan->error, SL_NO_MEMORY, "no memory: give a --limit");
            }
            scan->lines = lines;
            scan->line_capacity = capacity;
        }
        scan->lines[scan->line_count++] = line;
    }
    scan->line_bytes += line.len;
    return scan->line_bytes <= lines_bytes_max
               ? SL_OK
               : sl_fail(&scan->error, SL_LIMIT, "a segment has more than 1 GiB of lines: give a "
                         "--limit, or scan forwards");
}

static enum sl_err print_lines(struct scan *scan)
{
    enum sl_err err = SL_OK;

    for (size_t i = scan->line_count; i-- > 0;) {
        struct line *line = &scan->lines[(scan->line_first + i) % scan->line_count];
        if (err == SL_OK) {
            sl_buf_append(&scan->out, line->text, line->len);
            scan->found++;
            if (scan->out.len >= OUT_BYTES)
                err = print(scan);
        }
        free(line->text);
    }
    scan->line_count = scan->line_first = 0;
    scan->line_bytes = 0;
    /* The buffer is where the next line is made. */
    return err == SL_OK && scan->out.len > 0 ? print(scan) : err;
}

/* ---- Walking --------------------------------------------------------------------------------- */

static enum sl_err take_event(struct scan *scan, uint64_t position, struct sl_slice payload)
{
    struct sl_log_event event;

    if (position < scan->from || position >= scan->until)
        return SL_OK;
    if (!sl_log_event_read(payload, &event))
        return sl_fail(&scan->error, SL_CORRUPT, "%s: event %llu is damaged", scan->log->path,
                       (unsigned long long)position);
    if ((scan->stream.len > 0 && !sl_text_equals(event.stream, scan->stream)) ||
        (scan->tag.len > 0 && !has_tag(&event, scan->tag)))
        return SL_OK;
    const enum sl_err err = write_event(scan, position, &event);
    if (err != SL_OK)
        return err;
    if (scan->backwards)
        return keep_line(scan);
    scan->found++;
    return scan->out.len >= OUT_BYTES ? print(scan) : SL_OK;
}

static enum sl_err take_batch(struct scan *scan, const struct sl_log_seen *seen)
{
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen->bytes));
    uint64_t position = seen->head.first_position;
    struct sl_log_frame frame;

    enum sl_err err = know_all(scan, seen);
    while (err == SL_OK && (scan->backwards || scan->found < scan->limit) &&
           sl_log_frame_next_any(&cursor, &frame) == SL_OK)
        if (frame.kind == SL_LOG_EVENT)
            err = take_event(scan, position++, frame.payload);
        else
            position += frame.kind == SL_LOG_STONE; /* it has nothing to show */
    return err;
}

/* Takes batches from where the walk stands to the end of the range; with `one`, of this segment
 * alone. */
static enum sl_err take_batches(struct scan *scan, bool one)
{
    struct sl_log_walk *walk = &scan->walk;
    const uint64_t segment = walk->segment.number;
    struct sl_log_seen seen;
    enum sl_err err = SL_OK;

    while (walk->position < scan->until && (scan->backwards || scan->found < scan->limit)) {
        err = sl_log_walk_next(walk, &seen, &scan->error);
        if (err != SL_OK || (one && seen.segment != segment))
            break;
        err = take_batch(scan, &seen);
        if (err != SL_OK)
            break;
        cli_progress_step(&scan->progress, walk->bytes_seen);
    }
    return err == SL_NOT_FOUND ? SL_OK : err;
}

/* Stands in the last segment that begins at or below the position. */
static enum sl_err seek(struct scan *scan, uint64_t position)
{
    struct sl_log_walk *walk = &scan->walk;
    enum sl_err err = SL_OK;

    if (position == 0)
        return SL_OK;
    for (uint64_t number = walk->last;; number--) {
        err = sl_log_walk_start(walk, number, &scan->error);
        if (err != SL_OK || walk->position <= position || number == 0)
            return err;
    }
}

static enum sl_err scan_backwards(struct scan *scan)
{
    struct sl_log_walk *walk = &scan->walk;
    enum sl_err err = seek(scan, scan->until > 0 ? scan->until - 1 : 0);

    if (err == SL_OK && scan->until > 0 && walk->segment.number == 0)
        err = sl_log_walk_start(walk, 0, &scan->error);
    for (uint64_t number = walk->segment.number; err == SL_OK; number--) {
        const bool is_first = number == 0 || walk->position <= scan->from;
        err = take_batches(scan, true);
        if (err == SL_OK && scan->line_count > 0)
            err = print_lines(scan);
        if (err != SL_OK || is_first || scan->found >= scan->limit)
            break;
        err = sl_log_walk_start(walk, number - 1, &scan->error);
    }
    return err;
}

static int scan_log(struct scan *scan)
{
    enum sl_err err = sl_log_walk_open(&scan->walk, scan->env, scan->log->path, &scan->error);

    if (err == SL_OK && scan->backwards)
        err = scan_backwards(scan);
    else if (err == SL_OK)
        err = seek(scan, scan->from);
    if (err == SL_OK && !scan->backwards)
        err = take_batches(scan, false);
    cli_progress_end(&scan->progress);
    if (scan->out.len > 0 && !scan->cannot_print && print(scan) != SL_OK)
        err = SL_IO;
    for (size_t i = 0; i < scan->line_count; i++)
        free(scan->lines[i].text);
    free(scan->lines);
    sl_log_walk_close(&scan->walk);
    sl_log_catalog_close(&scan->catalog);
    sl_log_bodies_close(&scan->bodies);
    sl_buf_close(&scan->out);
    if (err == SL_OK)
        return SL_EXIT_OK;
    return scan->cannot_print ? SL_EXIT_FAILED : cli_log_failed(&scan->error);
}

static struct sl_text text_of(const char *string)
{
    return string ? (struct sl_text){string, strlen(string)} : (struct sl_text){"", 0};
}

int cli_log_scan(struct sl_cli *cli, int argc, char **argv)
{
    uint64_t from = 0, until = UINT64_MAX, limit = UINT64_MAX;
    const char *stream = NULL, *tag = NULL, *by = NULL, *which = NULL;
    bool backwards = false, progress = false;
    const struct cli_option options[] = {
        {"--from", CLI_NUMBER, &from},          {"--until", CLI_NUMBER, &until},
        {"--limit", CLI_NUMBER, &limit},        {"--stream", CLI_TEXT, &stream},
        {"--tag", CLI_TEXT, &tag},              {"--backwards", CLI_FLAG, &backwards},
        {"--progress", CLI_FLAG, &progress},    {"--by", CLI_TEXT, &by},
    };
    char by_tag[SL_STORE_TAG_BYTES_MAX] = "";
    struct cli_logs logs;
    int words = 0;

    int code = cli_read_options(argc, argv, options, sizeof options / sizeof *options, &which, 1,
                                &words);
    if (code != SL_EXIT_OK)
        return code;
    if (by && (tag || strlen(by) > SL_PRINCIPAL_BYTES_MAX))
        return cli_wrong("--by takes a name of at most %d bytes, and no --tag beside it",
                         SL_PRINCIPAL_BYTES_MAX);
    if (by) {
        snprintf(by_tag, sizeof by_tag, SL_BY_TAG "%s", by);
        tag = by_tag;
    }
    code = cli_logs_open(cli, which, &logs);
    for (size_t i = 0; code == SL_EXIT_OK && i < logs.count; i++) {
        struct scan scan = {.log = &logs.logs[i],
                            .env = logs.env,
                            .names = !which,
                            .from = from,
                            .until = until,
                            .limit = limit,
                            .stream = text_of(stream),
                            .tag = text_of(tag),
                            .backwards = backwards,
                            .progress = {.env = logs.env, .what = logs.logs[i].name,
                                         .forced = progress}};
        scan.progress.bytes_total = cli_log_bytes(logs.env, logs.logs[i].path);
        code = scan_log(&scan);
    }
    cli_logs_close(&logs);
    return code;
}
