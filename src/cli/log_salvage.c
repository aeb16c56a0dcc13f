/* `sluice log salvage`: saves what is whole of damaged logs into another data folder. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/log_parts.h"
#include "record/value.h"
#include "stores/log/salvage.h"

static void step(void *context, uint64_t bytes_done)
{
    cli_progress_step(context, bytes_done);
}

static void write_json(struct sl_buf *out, const struct cli_log *log,
                       const struct sl_log_salvage *salvage)
{
    cli_json_item(out);
    cli_json_text(out, "name", log->name);
    cli_json_text(out, "from", salvage->from);
    cli_json_text(out, "to", salvage->to);
    cli_json_uuid(out, "log", salvage->log);
    cli_json_bool(out, "damaged", salvage->is_damaged);
    cli_json_u64(out, "position", salvage->position);
    cli_json_u64(out, "batches", salvage->batches);
    cli_json_u64(out, "outcomes", salvage->outcomes);
    cli_json_u64(out, "lost_until", salvage->lost_until);
    cli_json_u64(out, "lost_events", salvage->lost_until - salvage->position);
    cli_json_u64(out, "whole_behind", salvage->whole_behind);
    cli_json_u64(out, "indexes_lost", salvage->indexes_lost);
    if (salvage->is_damaged) {
        cli_json_text(out, "file", salvage->damaged_file);
        cli_json_u64(out, "offset", salvage->damage_offset);
        cli_json_text(out, "error", salvage->damage.message);
    }
    sl_buf_byte(out, '}');
}

static void write_text(struct sl_buf *out, const struct cli_log *log,
                       const struct sl_log_salvage *salvage)
{
    const unsigned long long position = salvage->position;
    const unsigned long long lost = salvage->lost_until - salvage->position;

    sl_buf_printf(out, "%s: %s, %llu events and %llu outcomes saved to %s\n", log->name,
                  salvage->is_damaged ? "damaged" : "whole", position,
                  (unsigned long long)salvage->outcomes, salvage->to);
    if (salvage->indexes_lost > 0)
        sl_buf_printf(out, "  %llu sealed segments have a damaged index; their events are whole "
                      "and saved\n", (unsigned long long)salvage->indexes_lost);
    if (!salvage->is_damaged)
        return;
    sl_buf_printf(out, "  %s\n", salvage->damage.message);
    if (salvage->last_time.ns != 0) {
        SL_BUF_LITERAL(out, "  the last batch saved was written ");
        sl_value_write_time(out, salvage->last_time);
        sl_buf_byte(out, '\n');
    }
    if (lost > 0)
        sl_buf_printf(out, "  LOST: positions %llu to %llu, %llu events or more, with the outcomes "
                      "of their commands; %llu of them are in batches that are whole behind the "
                      "gap: sluice log dump %s shows where\n", position,
                      (unsigned long long)(salvage->lost_until - 1), lost,
                      (unsigned long long)salvage->whole_behind, salvage->from);
    else
        sl_buf_printf(out, "  LOST: what was written from position %llu on; how much can't be "
                      "told, perhaps outcomes of commands alone\n", position);
    sl_buf_printf(out, "  clients that hold a position from %llu on are told 409\n", position);
}

static int salvage_log(const struct cli_log *log, struct sl_env *env, const char *to, bool progress,
                       bool json, struct sl_buf *out)
{
    struct cli_progress shown = {.env = env,
                                 .what = log->name,
                                 .bytes_total = cli_log_bytes(env, log->path),
                                 .forced = progress};
    char folder[CLI_PATH_MAX + 200];
    struct sl_log_salvage salvage = {.env = env, .from = log->path, .to = folder,
                                     .progress = step, .context = &shown};
    struct sl_error error = {0};

    snprintf(folder, sizeof folder, "%.900s/logs/%.127s", to, log->name);
    const enum sl_err err = sl_log_salvage(&salvage, &error);
    cli_progress_end(&shown);
    if (err != SL_OK)
        return cli_log_failed(&error);
    if (json)
        write_json(out, log, &salvage);
    else
        write_text(out, log, &salvage);
    return SL_EXIT_OK;
}

/* A server in either folder would write while this reads or writes. */
static int check_free(const struct cli_logs *logs, const char *to)
{
    const char *taken = cli_is_locked(logs->env, to, "sluice.lock") ? to : NULL;

    for (size_t i = 0; i < logs->count; i++)
        if (cli_is_locked(logs->env, logs->logs[i].path, "lock"))
            taken = logs->logs[i].path;
    if (!taken)
        return SL_EXIT_OK;
    fprintf(stderr, "sluice: a server is at work in %s: stop it first (sluice stop); to copy the "
            "logs of a running server, use sluice backup\n", taken);
    return SL_EXIT_IN_USE;
}

int cli_log_salvage(struct sl_cli *cli, int argc, char **argv)
{
    const char *which = NULL, *to = NULL;
    bool json = false, progress = false;
    const struct cli_option options[] = {{"--to", CLI_TEXT, &to},
                                         {"--json", CLI_FLAG, &json},
                                         {"--progress", CLI_FLAG, &progress}};
    struct sl_buf out = {0};
    struct cli_logs logs;
    int words = 0;

    int code = cli_read_options(argc, argv, options, 3, &which, 1, &words);
    if (code != SL_EXIT_OK)
        return code;
    if (!to || !*to)
        return cli_wrong("log salvage needs --to DIR, a data folder to save into");
    if (strlen(to) > 900)
        return cli_wrong("--to has too long a name");
    umask(077); /* a log is its owner's alone, and so is what is saved of it */
    code = cli_logs_open(cli, which, &logs);
    if (code == SL_EXIT_OK)
        code = check_free(&logs, to);
    const bool go = code == SL_EXIT_OK;
    if (json && go)
        SL_BUF_LITERAL(&out, "{\"logs\":[");
    for (size_t i = 0; code == SL_EXIT_OK && i < logs.count; i++)
        code = salvage_log(&logs.logs[i], logs.env, to, progress, json, &out);
    if (json && go)
        SL_BUF_LITERAL(&out, "]}\n");
    if (go && !cli_print(&out) && code == SL_EXIT_OK)
        code = SL_EXIT_FAILED;
    cli_logs_close(&logs);
    sl_buf_close(&out);
    return code;
}
