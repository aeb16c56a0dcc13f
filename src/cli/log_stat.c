/*
 * `sluice log stat` and `sluice log verify`: the same walk over all of a log, which reads every
 * byte; stat tells what is there, verify looks at everything that can be looked at.
 *
 * Beside a server at work the walk ends where the log ended when it began, or a little behind: at
 * the latest with the segment after the one that was the last then.
 */
#include <stdio.h>
#include <string.h>

#include "cli/log_parts.h"
#include "record/value.h"
#include "stores/log/audit.h"
#include "stores/log/group_audit.h"

enum { MEMORY_MIB = 256 };

struct look {
    const struct cli_log *log;
    struct sl_env *env;
    bool verify, json, forced_progress;
    size_t memory_bytes;
    struct sl_buf *out;

    struct sl_log_walk walk;
    struct sl_log_audit audit;
    struct sl_log_revisions revisions;
    struct sl_log_group_audit groups;
    struct sl_error error; /* SL_OK: whole */
};

/* ---- Walking --------------------------------------------------------------------------------- */

/* The first pass: until the end of the log as it was at the start, or about. */
static enum sl_err first_pass(struct look *look, struct cli_progress *progress)
{
    struct sl_log_walk *walk = &look->walk;
    struct sl_log_seen seen;

    enum sl_err err = sl_log_walk_open(walk, look->env, look->log->path, &look->error);
    const uint64_t last = walk->last + 1;
    while (err == SL_OK && walk->segment.number <= last) {
        err = sl_log_walk_next(walk, &seen, &look->error);
        if (err == SL_OK)
            err = sl_log_audit_batch(&look->audit, walk, &seen, &look->error);
        cli_progress_step(progress, walk->bytes_seen);
    }
    return err == SL_NOT_FOUND && walk->batches_seen > 0 ? SL_OK : err;
}

/* Further passes over the same batches, for the streams that were put off. */
static enum sl_err further_passes(struct look *look, struct cli_progress *progress)
{
    const uint64_t end = look->walk.batch;
    enum sl_err err = SL_OK;

    while (err == SL_OK && sl_log_revisions_again(&look->revisions)) {
        struct sl_log_walk walk = {0};
        struct sl_log_seen seen;
        progress->bytes_total += look->walk.bytes_seen;
        err = sl_log_walk_open(&walk, look->env, look->log->path, &look->error);
        while (err == SL_OK && walk.batch < end) {
            err = sl_log_walk_next(&walk, &seen, &look->error);
            if (err == SL_OK)
                err = sl_log_audit_revisions(&look->revisions, &walk, &seen, &look->error);
            cli_progress_step(progress, look->walk.bytes_seen * (look->revisions.passes - 1) +
                                            walk.bytes_seen);
        }
        if (err == SL_CORRUPT) {
            memcpy(look->walk.damage_path, walk.damage_path, sizeof walk.damage_path);
            look->walk.damage_segment = walk.damage_segment;
            look->walk.damage_offset = walk.damage_offset;
        }
        sl_log_walk_close(&walk);
    }
    return err;
}

/* The files beside the log that make lookups quick. A log that is damaged is told of alone. */
static enum sl_err look_at_groups(struct look *look)
{
    return sl_log_group_audit(&look->walk.folder, look->verify, &look->groups, &look->error);
}

/* ---- Telling --------------------------------------------------------------------------------- */

static uint64_t events_of(const struct look *look, uint32_t schema)
{
    return schema < look->audit.events_of_count ? look->audit.events_of[schema] : 0;
}

static void write_catalog(const struct look *look)
{
    const struct sl_log_catalog *catalog = &look->audit.catalog;
    struct sl_buf *out = look->out;

    cli_json_name(out, "epochs");
    sl_buf_byte(out, '[');
    for (size_t i = 0; i < catalog->epoch_count; i++) {
        cli_json_item(out);
        cli_json_u64(out, "number", catalog->epochs[i].number);
        cli_json_hex(out, "salt", catalog->epochs[i].salt);
        cli_json_u64(out, "first_position", catalog->epochs[i].first_position);
        sl_buf_byte(out, '}');
    }
    sl_buf_byte(out, ']');
    cli_json_name(out, "schemas");
    sl_buf_byte(out, '[');
    for (size_t i = 0; i < catalog->schema_count; i++) {
        const struct sl_schema *schema = catalog->schemas[i];
        cli_json_item(out);
        cli_json_u64(out, "id", schema->id);
        cli_json_text(out, "name", schema->name.ptr);
        cli_json_u64(out, "version", schema->version);
        cli_json_u64(out, "events", events_of(look, schema->id));
        sl_buf_byte(out, '}');
    }
    sl_buf_byte(out, ']');
}

static void write_json(const struct look *look)
{
    const struct sl_log_walk *walk = &look->walk;
    struct sl_buf *out = look->out;

    cli_json_item(out);
    cli_json_text(out, "name", look->log->name);
    cli_json_text(out, "folder", look->log->path);
    cli_json_uuid(out, "log", walk->segment.log);
    cli_json_bool(out, "whole", look->error.code == SL_OK);
    cli_json_u64(out, "position", walk->position);
    cli_json_u64(out, "durable_through", walk->durable_through);
    cli_json_u64(out, "events", look->audit.events);
    cli_json_u64(out, "stones", look->audit.stones);
    cli_json_u64(out, "outcomes", look->audit.outcomes);
    cli_json_u64(out, "streams", look->audit.streams);
    cli_json_u64(out, "batches", walk->batches_seen);
    cli_json_u64(out, "segments", walk->segment_count);
    cli_json_u64(out, "bytes", walk->bytes_seen);
    cli_json_u64(out, "frame_bytes", look->audit.payload_bytes);
    cli_json_u64(out, "file_bytes", cli_log_bytes(look->env, look->log->path));
    cli_json_u64(out, "torn_bytes", walk->torn_bytes);
    cli_json_u64(out, "group_files", look->groups.files);
    cli_json_u64(out, "group_bytes", look->groups.bytes);
    if (walk->batches_seen > 0)
        cli_json_time(out, "last_time", look->audit.last_time);
    if (look->verify) {
        cli_json_u64(out, "passes", look->revisions.passes);
        cli_json_u64(out, "skipped_frames", look->audit.skipped_frames);
        cli_json_u64(out, "groups_unused", look->groups.unused);
        cli_json_u64(out, "groups_damaged", look->groups.damaged);
    }
    if (look->groups.why) {
        cli_json_text(out, "group_file", look->groups.path);
        cli_json_u64(out, "group_offset", look->groups.offset);
        cli_json_text(out, "group_error", look->groups.why);
    }
    if (look->error.code != SL_OK) {
        cli_json_text(out, "error", look->error.message);
        if (look->error.code == SL_CORRUPT) {
            cli_json_text(out, "file", walk->damage_path);
            cli_json_u64(out, "offset", walk->damage_offset);
        }
    }
    write_catalog(look);
    sl_buf_byte(out, '}');
}

static void write_stat(const struct look *look)
{
    const struct sl_log_catalog *catalog = &look->audit.catalog;
    const struct sl_log_walk *walk = &look->walk;
    struct sl_buf *out = look->out;

    sl_buf_printf(out, "%s: %llu events in %llu streams, %llu outcomes; next position %llu, at "
                  "least %llu durable\n", look->log->name,
                  (unsigned long long)look->audit.events,
                  (unsigned long long)look->audit.streams,
                  (unsigned long long)look->audit.outcomes, (unsigned long long)walk->position,
                  (unsigned long long)walk->durable_through);
    sl_buf_printf(out, "  log ");
    sl_value_write_uuid(out, walk->segment.log);
    sl_buf_printf(out, ", in %s\n  %llu batches of %s, frames %s, in %llu segments of %s\n",
                  look->log->path, (unsigned long long)walk->batches_seen,
                  cli_size(walk->bytes_seen), cli_size(look->audit.payload_bytes),
                  (unsigned long long)walk->segment_count,
                  cli_size(cli_log_bytes(look->env, look->log->path)));
    if (look->audit.stones > 0)
        sl_buf_printf(out, "  %llu of the events are stones\n",
                      (unsigned long long)look->audit.stones);
    if (look->groups.files > 0)
        sl_buf_printf(out, "  %llu files of groups beside it, %s\n",
                      (unsigned long long)look->groups.files, cli_size(look->groups.bytes));
    if (walk->batches_seen > 0) {
        SL_BUF_LITERAL(out, "  last written ");
        sl_value_write_time(out, look->audit.last_time);
        sl_buf_byte(out, '\n');
    }
    for (size_t i = 0; i < catalog->epoch_count; i++)
        if (i < 3 || i + 3 >= catalog->epoch_count)
            sl_buf_printf(out, "  epoch %llu from position %llu, salt %016llx\n",
                          (unsigned long long)catalog->epochs[i].number,
                          (unsigned long long)catalog->epochs[i].first_position,
                          (unsigned long long)catalog->epochs[i].salt);
        else if (i == 3)
            SL_BUF_LITERAL(out, "  …\n");
    for (size_t i = 0; i < catalog->schema_count; i++)
        sl_buf_printf(out, "  %10llu %s, version %u\n",
                      (unsigned long long)events_of(look, catalog->schemas[i]->id),
                      catalog->schemas[i]->name.ptr, catalog->schemas[i]->version);
}

static void write_verify(const struct look *look)
{
    const struct sl_log_walk *walk = &look->walk;

    sl_buf_printf(look->out, "%s: whole: %llu events, %llu outcomes in %llu batches, %s, position "
                  "0 to %llu; checksums, chain, positions, bodies; revisions of %llu streams in "
                  "%u pass%s\n", look->log->name, (unsigned long long)look->audit.events,
                  (unsigned long long)look->audit.outcomes,
                  (unsigned long long)walk->batches_seen, cli_size(walk->bytes_seen),
                  (unsigned long long)walk->position, (unsigned long long)look->audit.streams,
                  look->revisions.passes, look->revisions.passes == 1 ? "" : "es");
    if (look->audit.stones > 0)
        sl_buf_printf(look->out, "  %llu of the events are stones: scavenged, without their "
                      "bodies\n", (unsigned long long)look->audit.stones);
}

static void write_groups(const struct look *look)
{
    const struct sl_log_group_audit *groups = &look->groups;

    if (groups->files - groups->unused - groups->damaged > 0)
        sl_buf_printf(look->out, "  %llu files of groups have every key of their segments\n",
                      (unsigned long long)(groups->files - groups->unused - groups->damaged));
    if (groups->unused > 0)
        sl_buf_printf(look->out, "  %llu files of groups belong to other segments than these: they "
                      "are not used, and replaced by the server\n",
                      (unsigned long long)groups->unused);
    if (groups->why)
        sl_buf_printf(look->out, "  %llu files of groups are DAMAGED, the first is %s at offset "
                      "%llu (%s): no event is lost; stop the server, remove the file, start it: it "
                      "is made again. See what else the disk damages\n",
                      (unsigned long long)groups->damaged, groups->path,
                      (unsigned long long)groups->offset, groups->why);
}

static void write_text(const struct look *look)
{
    const struct sl_log_walk *walk = &look->walk;

    if (look->error.code != SL_OK) {
        sl_buf_printf(look->out, "%s: %s: %s\n", look->log->name,
                      look->error.code == SL_CORRUPT ? "DAMAGED" : "cannot be read",
                      look->error.message);
        if (look->error.code == SL_CORRUPT)
            sl_buf_printf(look->out, "  whole up to position %llu. Restore a backup, or save what "
                          "is whole: sluice log salvage %s --to DIR\n",
                          (unsigned long long)walk->position, look->log->path);
        return;
    }
    if (look->verify) {
        write_verify(look);
        write_groups(look);
    } else {
        write_stat(look);
    }
    if (walk->torn_bytes > 0)
        sl_buf_printf(look->out, "  %s behind the last whole batch: a write that is under way, or "
                      "that was torn and promised to nobody; the next start cuts it off\n",
                      cli_size(walk->torn_bytes));
}

/* ---- The verbs ------------------------------------------------------------------------------- */

static int look_at(struct look *look)
{
    struct cli_progress progress = {.env = look->env,
                                    .what = look->log->name,
                                    .bytes_total = cli_log_bytes(look->env, look->log->path),
                                    .forced = look->forced_progress};

    if (look->verify) {
        sl_log_revisions_init(&look->revisions, look->memory_bytes);
        look->audit.revisions = &look->revisions;
        look->audit.checks_bodies = true;
        look->walk.checks_pages = true;
    }
    enum sl_err err = first_pass(look, &progress);
    if (err == SL_OK && look->verify)
        err = further_passes(look, &progress);
    if (err == SL_OK)
        err = look_at_groups(look);
    cli_progress_end(&progress);
    look->error.code = err;
    int code = SL_EXIT_OK;
    if (err == SL_NOT_FOUND || (err != SL_OK && err != SL_CORRUPT && err != SL_UNSUPPORTED)) {
        code = cli_log_failed(&look->error);
    } else {
        code = err == SL_CORRUPT || look->groups.why ? SL_EXIT_DAMAGED
               : err == SL_OK                        ? SL_EXIT_OK
                                                     : SL_EXIT_FAILED;
        if (look->json)
            write_json(look);
        else
            write_text(look);
    }
    sl_log_walk_close(&look->walk);
    sl_log_audit_close(&look->audit);
    sl_log_revisions_close(&look->revisions);
    return code;
}

/* Damage counts most, then other failures. */
static int worse(int a, int b)
{
    if (a == SL_EXIT_DAMAGED || b == SL_EXIT_DAMAGED)
        return SL_EXIT_DAMAGED;
    return a != SL_EXIT_OK ? a : b;
}

static int stat_or_verify(struct sl_cli *cli, bool verify, int argc, char **argv)
{
    bool json = false, progress = false;
    uint64_t memory_mib = MEMORY_MIB;
    const struct cli_option options[] = {{"--json", CLI_FLAG, &json},
                                         {"--progress", CLI_FLAG, &progress},
                                         {"--memory", CLI_NUMBER, &memory_mib}};
    const char *which = NULL;
    struct sl_buf out = {0};
    struct cli_logs logs;
    int words = 0;

    int code = cli_read_options(argc, argv, options, verify ? 3 : 2, &which, 1, &words);
    if (code != SL_EXIT_OK)
        return code;
    if (memory_mib == 0 || memory_mib > SIZE_MAX >> 20)
        return cli_wrong("--memory is a number of MiB, at least 1");
    code = cli_logs_open(cli, which, &logs);
    if (json && code == SL_EXIT_OK)
        SL_BUF_LITERAL(&out, "{\"logs\":[");
    const bool go = code == SL_EXIT_OK;
    for (size_t i = 0; go && i < logs.count; i++) {
        struct look look = {.log = &logs.logs[i], .env = logs.env, .verify = verify,
                            .json = json, .forced_progress = progress, .out = &out,
                            .memory_bytes = (size_t)memory_mib << 20};
        code = worse(code, look_at(&look));
        if (!json && !cli_print(&out))
            code = worse(code, SL_EXIT_FAILED);
    }
    if (json && go) {
        SL_BUF_LITERAL(&out, "]}\n");
        if (!cli_print(&out))
            code = worse(code, SL_EXIT_FAILED);
    }
    cli_logs_close(&logs);
    sl_buf_close(&out);
    return code;
}

int cli_log_stat(struct sl_cli *cli, int argc, char **argv)
{
    return stat_or_verify(cli, false, argc, argv);
}

int cli_log_verify(struct sl_cli *cli, int argc, char **argv)
{
    return stat_or_verify(cli, true, argc, argv);
}
