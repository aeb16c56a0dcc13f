/* `sluice log dump`: segments, batches and frames as they lie in the files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/log_parts.h"
#include "record/json.h"
#include "record/value.h"
#include "stores/log/stone.h"

enum { OUT_BYTES = 64 << 10 };

struct dump {
    const struct cli_log *log;
    struct sl_log_walk walk;
    bool json;
    struct sl_buf out;
    struct sl_error error;
    bool cannot_print;
};

static void print(struct dump *dump, size_t from)
{
    if (dump->out.len >= from && dump->out.len > 0 && !dump->cannot_print)
        dump->cannot_print = !cli_print(&dump->out);
}

/* ---- Segments and batches -------------------------------------------------------------------- */

static void show_segment(struct dump *dump)
{
    const struct sl_log_segment_head *head = &dump->walk.segment;
    struct sl_buf *out = &dump->out;

    if (dump->json) {
        sl_buf_reset(out);
        sl_buf_byte(out, '{');
        cli_json_text(out, "kind", "segment");
        cli_json_text(out, "file", dump->walk.path);
        cli_json_u64(out, "segment", head->number);
        cli_json_bool(out, "sealed", dump->walk.is_sealed);
        cli_json_uuid(out, "log", head->log);
        cli_json_u64(out, "bytes", head->bytes);
        cli_json_u64(out, "file_bytes", dump->walk.file_bytes);
        cli_json_hex(out, "salt", head->salt);
        cli_json_u64(out, "first_position", head->first_position);
        cli_json_u64(out, "first_batch", head->first_batch);
        cli_json_hex(out, "previous", head->previous);
        cli_json_time(out, "time", head->time);
        SL_BUF_LITERAL(out, "}\n");
    } else {
        sl_buf_printf(out, "%s: %s segment %llu of log ", dump->walk.path,
                      dump->walk.is_sealed ? "sealed" : "raw",
                      (unsigned long long)head->number);
        sl_value_write_uuid(out, head->log);
        sl_buf_printf(out, "\n  %llu bytes, salt %016llx, position %llu, batch %llu, previous "
                      "%016llx, begun ", (unsigned long long)head->bytes,
                      (unsigned long long)head->salt, (unsigned long long)head->first_position,
                      (unsigned long long)head->first_batch, (unsigned long long)head->previous);
        sl_value_write_time(out, head->time);
        sl_buf_byte(out, '\n');
    }
    print(dump, dump->json ? 0 : OUT_BYTES);
}

static void show_batch(struct dump *dump, const struct sl_log_seen *seen, bool is_lost)
{
    const struct sl_log_batch_head *head = &seen->head;
    struct sl_buf *out = &dump->out;

    if (dump->json) {
        sl_buf_byte(out, '{');
        cli_json_text(out, "kind", is_lost ? "batch_behind_damage" : "batch");
        cli_json_u64(out, "segment", seen->segment);
        cli_json_u64(out, "offset", seen->offset);
        cli_json_u64(out, "batch", head->number);
        cli_json_u64(out, "blocks", head->block_count);
        cli_json_u64(out, "frame_bytes", head->payload_bytes);
        cli_json_u64(out, "frames", head->frame_count);
        cli_json_u64(out, "events", head->event_count);
        cli_json_u64(out, "outcomes", head->outcome_count);
        cli_json_u64(out, "position", head->first_position);
        cli_json_u64(out, "epoch", head->epoch);
        cli_json_u64(out, "durable_batches", head->durable_batches);
        cli_json_u64(out, "durable_through", head->durable_through);
        cli_json_hex(out, "checksum", head->checksum);
        cli_json_hex(out, "previous", head->previous);
        cli_json_time(out, "time", head->time);
        SL_BUF_LITERAL(out, "}\n");
    } else {
        sl_buf_printf(out, "%10llu %sbatch %llu: %u blocks, %u bytes in %u frames (%u events, %u "
                      "outcomes), position %llu, epoch %llu, durable below batch %llu and position "
                      "%llu, checksum %016llx, previous %016llx, ",
                      (unsigned long long)seen->offset, is_lost ? "behind the damage: " : "",
                      (unsigned long long)head->number, head->block_count, head->payload_bytes,
                      head->frame_count, head->event_count, head->outcome_count,
                      (unsigned long long)head->first_position, (unsigned long long)head->epoch,
                      (unsigned long long)head->durable_batches,
                      (unsigned long long)head->durable_through,
                      (unsigned long long)head->checksum, (unsigned long long)head->previous);
        sl_value_write_time(out, head->time);
        sl_buf_byte(out, '\n');
    }
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static void show_event(struct sl_buf *out, bool json, uint64_t position,
                       const struct sl_log_frame *frame)
{
    const bool is_stone = frame->kind == SL_LOG_STONE;
    struct sl_log_stone stone = {0};
    struct sl_log_event event;

    if (is_stone ? !sl_log_stone_read(frame->payload, &event, &stone)
                 : !sl_log_event_read(frame->payload, &event)) {
        sl_buf_text(out, json ? SL_TEXT(",\"broken\":true") : SL_TEXT(": broken"));
    } else if (json) {
        cli_json_u64(out, "position", position);
        cli_json_u64(out, "schema", event.schema);
        cli_json_name(out, "stream");
        sl_json_write_text(out, event.stream);
        cli_json_u64(out, "revision", event.revision);
        cli_json_u64(out, "tags", event.tag_count);
        cli_json_u64(out, "body_bytes", is_stone ? stone.bytes : event.body.len);
        if (is_stone)
            cli_json_uuid(out, "body_hash", stone.hash);
    } else {
        sl_buf_printf(out, " %llu: schema %u, %.*s revision %llu, %u tags, body of %llu bytes",
                      (unsigned long long)position, event.schema, (int)event.stream.len,
                      event.stream.ptr, (unsigned long long)event.revision, event.tag_count,
                      (unsigned long long)(is_stone ? stone.bytes : event.body.len));
        if (is_stone) {
            SL_BUF_LITERAL(out, ", which is gone; hash ");
            sl_value_write_uuid(out, stone.hash);
        }
    }
}

static void show_outcome(struct sl_buf *out, bool json, struct sl_slice payload)
{
    struct sl_stored_outcome outcome;

    if (!sl_log_outcome_read(payload, &outcome)) {
        sl_buf_text(out, json ? SL_TEXT(",\"broken\":true") : SL_TEXT(": broken"));
    } else if (json) {
        cli_json_uuid(out, "id", outcome.id);
        cli_json_u64(out, "status", outcome.status);
        cli_json_u64(out, "position", outcome.position);
        cli_json_u64(out, "events", outcome.event_count);
        cli_json_u64(out, "reply_bytes", outcome.reply.len);
    } else {
        SL_BUF_LITERAL(out, " of ");
        sl_value_write_uuid(out, outcome.id);
        sl_buf_printf(out, ": status %u, %u events, position %llu, reply of %zu bytes",
                      outcome.status, outcome.event_count, (unsigned long long)outcome.position,
                      outcome.reply.len);
    }
}

static void show_other(struct sl_buf *out, bool json, const struct sl_log_frame *frame)
{
    struct sl_schema schema;
    struct sl_epoch epoch;

    if (frame->kind == SL_LOG_SCHEMA && sl_log_schema_read(frame->payload, &schema)) {
        if (json) {
            cli_json_u64(out, "id", schema.id);
            cli_json_u64(out, "version", schema.version);
            cli_json_name(out, "name");
            sl_json_write_text(out, schema.name);
            cli_json_name(out, "description");
            sl_json_write_text(out, schema.description);
        } else {
            sl_buf_printf(out, " %u: %.*s, version %u: %.*s", schema.id, (int)schema.name.len,
                          schema.name.ptr, schema.version, (int)schema.description.len,
                          schema.description.ptr);
        }
    } else if (frame->kind == SL_LOG_EPOCH && sl_log_epoch_read(frame->payload, &epoch)) {
        if (json) {
            cli_json_u64(out, "number", epoch.number);
            cli_json_hex(out, "salt", epoch.salt);
            cli_json_u64(out, "first_position", epoch.first_position);
        } else {
            sl_buf_printf(out, " %llu: salt %016llx, from position %llu",
                          (unsigned long long)epoch.number, (unsigned long long)epoch.salt,
                          (unsigned long long)epoch.first_position);
        }
    }
}

static void show_frame(struct dump *dump, uint64_t offset, const struct sl_log_frame *frame,
                       uint64_t position)
{
    const char *name = sl_log_frame_name(frame->kind);
    struct sl_buf *out = &dump->out;
    char number[24];

    snprintf(number, sizeof number, "kind %u", frame->kind);
    if (dump->json) {
        sl_buf_byte(out, '{');
        cli_json_text(out, "kind", "frame");
        cli_json_text(out, "frame", name ? name : number);
        cli_json_u64(out, "offset", offset);
        cli_json_u64(out, "bytes", frame->whole.len);
        cli_json_u64(out, "flags", frame->flags);
    } else {
        sl_buf_printf(out, "%14llu %s", (unsigned long long)offset, name ? name : number);
    }
    if (sl_log_has_position(frame))
        show_event(out, dump->json, position, frame);
    else if (frame->kind == SL_LOG_OUTCOME)
        show_outcome(out, dump->json, frame->payload);
    else
        show_other(out, dump->json, frame);
    if (dump->json)
        SL_BUF_LITERAL(out, "}\n");
    else
        sl_buf_printf(out, " (%zu bytes)\n", frame->whole.len);
}

/* Offsets of frames are those in the batch as it was written, which a sealed segment packs. */
static void show_frames(struct dump *dump, const struct sl_log_seen *seen)
{
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen->bytes));
    const uint64_t base = dump->walk.is_sealed ? 0 : seen->offset;
    uint64_t position = seen->head.first_position;
    struct sl_log_frame frame;
    enum sl_err err;

    while ((err = sl_log_frame_next_any(&cursor, &frame)) == SL_OK) {
        show_frame(dump, base + (uint64_t)(frame.whole.ptr - seen->bytes), &frame, position);
        position += sl_log_has_position(&frame);
        print(dump, dump->json ? 0 : OUT_BYTES);
    }
    if (err == SL_CORRUPT)
        sl_buf_text(&dump->out, dump->json ? SL_TEXT("{\"kind\":\"broken_frames\"}\n")
                                           : SL_TEXT("               frames do not fit\n"));
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void show_damage(struct dump *dump)
{
    struct sl_buf *out = &dump->out;
    struct sl_error ignored = {0};
    struct sl_log_seen seen;
    uint64_t offset = dump->walk.offset;

    if (dump->json) {
        sl_buf_byte(out, '{');
        cli_json_text(out, "kind", "damage");
        cli_json_u64(out, "segment", dump->walk.damage_segment);
        cli_json_u64(out, "offset", dump->walk.damage_offset);
        cli_json_text(out, "error", dump->error.message);
        SL_BUF_LITERAL(out, "}\n");
    } else {
        sl_buf_printf(out, "%10llu DAMAGED: %s\n", (unsigned long long)dump->walk.damage_offset,
                      dump->error.message);
    }
    while (!dump->walk.is_sealed &&
           sl_log_walk_search(&dump->walk, &offset, &seen, &ignored) == SL_OK)
        show_batch(dump, &seen, true);
    print(dump, 0);
}

/* From where the walk stands; of one segment alone, or to the end. */
static enum sl_err show(struct dump *dump, bool one)
{
    struct sl_log_walk *walk = &dump->walk;
    uint64_t segment = walk->segment.number;
    struct sl_log_seen seen;
    enum sl_err err;

    show_segment(dump);
    while ((err = sl_log_walk_next(walk, &seen, &dump->error)) == SL_OK && !dump->cannot_print) {
        if (seen.segment != segment) {
            if (one)
                return SL_OK;
            segment = seen.segment;
            show_segment(dump);
        }
        show_batch(dump, &seen, false);
        show_frames(dump, &seen);
        print(dump, dump->json ? 0 : OUT_BYTES);
    }
    if (err == SL_NOT_FOUND && walk->torn_bytes > 0) {
        if (dump->json)
            sl_buf_printf(&dump->out, "{\"kind\":\"torn\",\"offset\":%llu,\"bytes\":%llu}\n",
                          (unsigned long long)walk->offset, (unsigned long long)walk->torn_bytes);
        else
            sl_buf_printf(&dump->out, "%10llu torn: %llu bytes that no batch is\n",
                          (unsigned long long)walk->offset, (unsigned long long)walk->torn_bytes);
    } else if (err == SL_CORRUPT) {
        show_damage(dump);
    }
    return err == SL_NOT_FOUND ? SL_OK : err;
}

static int dump_log(struct dump *dump, struct sl_env *env, uint64_t segment)
{
    enum sl_err err = sl_log_walk_open(&dump->walk, env, dump->log->path, &dump->error);

    if (segment != UINT64_MAX && (err == SL_OK || err == SL_CORRUPT)) {
        if (segment < dump->walk.first || segment > dump->walk.last)
            err = sl_fail(&dump->error, SL_NOT_FOUND, "%s has segments %llu to %llu",
                          dump->log->path, (unsigned long long)dump->walk.first,
                          (unsigned long long)dump->walk.last);
        else
            err = sl_log_walk_start(&dump->walk, segment, &dump->error);
    }
    if (err == SL_OK)
        err = show(dump, segment != UINT64_MAX);
    print(dump, 0);
    sl_log_walk_close(&dump->walk);
    sl_buf_close(&dump->out);
    if (dump->cannot_print)
        return SL_EXIT_FAILED;
    return err == SL_OK ? SL_EXIT_OK : cli_log_failed(&dump->error);
}

int cli_log_dump(struct sl_cli *cli, int argc, char **argv)
{
    uint64_t segment = UINT64_MAX;
    const char *which = NULL;
    bool json = false;
    const struct cli_option options[] = {{"--segment", CLI_NUMBER, &segment},
                                         {"--json", CLI_FLAG, &json}};
    struct cli_logs logs;
    int words = 0;

    int code = cli_read_options(argc, argv, options, 2, &which, 1, &words);
    if (code != SL_EXIT_OK)
        return code;
    code = cli_logs_open(cli, which, &logs);
    for (size_t i = 0; code == SL_EXIT_OK && i < logs.count; i++) {
        struct dump dump = {.log = &logs.logs[i], .json = json};
        code = dump_log(&dump, logs.env, segment);
    }
    cli_logs_close(&logs);
    return code;
}
