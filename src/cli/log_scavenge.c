/*
 * `sluice log scavenge`: takes bodies of events out of logs, by what their authors declared
 * (`keep` of sl_event_type).
 *
 * What may go is decided by types, never by what happens to be known elsewhere: that a snapshot
 * has an aggregate's state, or a view its rows, justifies nothing, because both can be lost and
 * made again from the log alone (P7). So the author says of a type after which time no state needs
 * it. The operator can only keep more: longer, or from a position on, or of other types.
 *
 * A process manager may not have come to an event yet, however old it is. It says in the log how
 * far it has carried out its commands; what it has still to see is kept.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/log_parts.h"
#include "model/keep.h"
#include "model/model.h"
#include "record/pack.h"
#include "record/place.h"
#include "stores/log/scavenge.h"

enum { TYPES_MAX = 256 };

/* One type that may go. */
struct rule {
    const struct sl_event_type *type;
    struct sl_time before;
    uint64_t below;      /* position: what a process has not seen stays */
    const char *process; /* whose position that is, or NULL */
};

struct job {
    const struct cli_log *log;
    struct sl_env *env;
    const struct sl_domain *domain;
    const char *older_than, *type; /* or NULL */
    int64_t older_ns;              /* 0: as declared */
    uint64_t before;               /* position */
    bool dry_run, json, names_all;
    struct rule rules[TYPES_MAX];
    size_t rule_count;
    struct cli_progress progress;
    struct sl_buf *out;
};

static int refuse(const struct job *job, const char *type, const char *why)
{
    fprintf(stderr, "sluice: %s: %s%s%s\n", job->log->name, type ? type : "",
            type ? " " : "", why);
    return SL_EXIT_FAILED;
}

/* ---- Rules ----------------------------------------------------------------------------------- */

static int add_rule(struct job *job, const struct sl_event_type *type, struct sl_time now)
{
    int64_t keep_ns = 0;

    if (job->type && strcmp(job->type, type->name) != 0)
        return SL_EXIT_OK;
    if (!type->keep)
        return job->type ? refuse(job, type->name, "is kept for ever: its domain does not say "
                                  "otherwise (keep)")
                         : SL_EXIT_OK;
    if (!sl_keep_read(type->keep, &keep_ns))
        return refuse(job, type->name, "has a `keep` that is no span of time");
    if (job->older_than && job->older_ns < keep_ns) {
        fprintf(stderr, "sluice: %s: %s is kept for %s, so nothing of it may go after %s; --type "
                "chooses other types\n", job->log->name, type->name, type->keep, job->older_than);
        return SL_EXIT_FAILED;
    }
    if (job->rule_count == TYPES_MAX)
        return refuse(job, NULL, "has too many types");
    const int64_t age_ns = job->older_than ? job->older_ns : keep_ns;
    job->rules[job->rule_count++] = (struct rule){
        .type = type, .before = {now.ns > INT64_MIN + age_ns ? now.ns - age_ns : INT64_MIN},
        .below = job->before};
    return SL_EXIT_OK;
}

static int make_rules(struct job *job)
{
    const struct sl_time now = sl_env_now(job->env);
    bool is_known = false;
    int code = SL_EXIT_OK;

    for (size_t i = 0; i < job->domain->events.count && code == SL_EXIT_OK; i++) {
        const struct sl_event_type *type = job->domain->events.items[i];
        is_known = is_known || (job->type && strcmp(job->type, type->name) == 0);
        code = add_rule(job, type, now);
    }
    if (code == SL_EXIT_OK && job->type && !is_known)
        code = refuse(job, job->type, "is no event type of this domain");
    return code;
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* Positions that the processes of a log have come to, by what it says itself. */
struct reached {
    const struct sl_process *process;
    uint64_t position;
};

struct progress_pass {
    struct sl_log_walk walk;
    uint32_t schema; /* of $ProcessAdvanced, */
    bool is_known;   /* once it was met */
    struct reached reached[64];
    size_t count;
    struct sl_arena arena;
};

static enum sl_err note_progress(struct progress_pass *pass, struct sl_slice body,
                                 struct sl_error *error)
{
    struct sl_process_advanced advanced = {0};

    sl_arena_reset(&pass->arena);
    const enum sl_err err =
        sl_unpack(&sl_process_advanced_record, body, &pass->arena, &advanced, error);
    for (size_t i = 0; i < pass->count && err == SL_OK; i++) {
        const char *name = pass->reached[i].process->name;
        if (sl_text_equals(advanced.process, (struct sl_text){name, strlen(name)}))
            pass->reached[i].position = advanced.position;
    }
    return err;
}

static enum sl_err note_batch(struct progress_pass *pass, const struct sl_log_seen *seen,
                              struct sl_error *error)
{
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen->bytes));
    const char *name = sl_process_advanced_type.name;
    struct sl_log_frame frame;
    struct sl_log_event event;
    struct sl_schema schema;
    enum sl_err err = SL_OK;

    while (err == SL_OK && sl_log_frame_next_any(&cursor, &frame) == SL_OK) {
        if (frame.kind == SL_LOG_SCHEMA && sl_log_schema_read(frame.payload, &schema) &&
            sl_text_equals(schema.name, (struct sl_text){name, strlen(name)})) {
            pass->schema = schema.id;
            pass->is_known = true;
        } else if (frame.kind == SL_LOG_EVENT && pass->is_known &&
                   sl_log_event_read(frame.payload, &event) && event.schema == pass->schema) {
            err = note_progress(pass, event.body, error);
        }
    }
    return err;
}

static bool concerns(const struct sl_process *process, const struct sl_event_type *type)
{
    struct sl_error ignored = {0};
    struct sl_place place;

    return sl_place_parse(type->record, process->key, &place, &ignored) == SL_OK;
}

static void hold_back(struct job *job, const struct reached *reached)
{
    for (size_t i = 0; i < job->rule_count; i++) {
        struct rule *rule = &job->rules[i];
        if (concerns(reached->process, rule->type) && reached->position < rule->below) {
            rule->below = reached->position;
            rule->process = reached->process->name;
        }
    }
}

/* Reads the whole log for what its processes say of themselves. */
static enum sl_err ask_processes(struct job *job, struct sl_error *error)
{
    struct progress_pass pass = {0};
    struct sl_log_seen seen;

    for (size_t i = 0; i < job->domain->processes.count; i++) {
        const struct sl_process *process = &job->domain->processes.items[i];
        bool is_concerned = false;
        for (size_t r = 0; r < job->rule_count; r++)
            is_concerned = is_concerned || concerns(process, job->rules[r].type);
        if (is_concerned && pass.count == sizeof pass.reached / sizeof pass.reached[0])
            return sl_fail(error, SL_LIMIT, "%s has too many processes", job->log->name);
        if (is_concerned)
            pass.reached[pass.count++] = (struct reached){process, 0};
    }
    if (pass.count == 0)
        return SL_OK;
    enum sl_err err = sl_log_walk_open(&pass.walk, job->env, job->log->path, error);
    while (err == SL_OK) {
        err = sl_log_walk_next(&pass.walk, &seen, error);
        if (err == SL_OK)
            err = note_batch(&pass, &seen, error);
        cli_progress_step(&job->progress, pass.walk.bytes_seen);
    }
    sl_log_walk_close(&pass.walk);
    sl_arena_close(&pass.arena);
    for (size_t i = 0; i < pass.count && err == SL_NOT_FOUND; i++)
        hold_back(job, &pass.reached[i]);
    return err == SL_NOT_FOUND ? SL_OK : err;
}

/* ---- Scavenging ------------------------------------------------------------------------------ */

static bool may_go(void *context, const struct sl_schema *schema, uint64_t position,
                   const struct sl_log_event *event)
{
    struct job *job = context;

    for (size_t i = 0; i < job->rule_count; i++) {
        const struct rule *rule = &job->rules[i];
        if (position < rule->below && sl_time_before(event->time, rule->before) &&
            sl_text_equals(schema->name,
                           (struct sl_text){rule->type->name, strlen(rule->type->name)}))
            return true;
    }
    return false;
}

static void step(void *context, uint64_t bytes_done)
{
    cli_progress_step(&((struct job *)context)->progress, bytes_done);
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void write_json(const struct job *job, const struct sl_log_scavenge *done)
{
    struct sl_buf *out = job->out;

    cli_json_item(out);
    cli_json_text(out, "name", job->log->name);
    cli_json_text(out, "folder", job->log->path);
    cli_json_bool(out, "dry_run", job->dry_run);
    cli_json_u64(out, "stones", done->stones);
    cli_json_u64(out, "stones_before", done->stones_before);
    cli_json_u64(out, "body_bytes", done->body_bytes);
    cli_json_u64(out, "segments", done->sealed_segments);
    cli_json_u64(out, "segments_rewritten", done->rewritten);
    cli_json_u64(out, "bytes_before", done->bytes_before);
    cli_json_u64(out, "bytes_after", done->bytes_after);
    cli_json_u64(out, "sealed_below", done->next_raw);
    cli_json_name(out, "types");
    sl_buf_byte(out, '[');
    for (size_t i = 0; i < job->rule_count; i++) {
        const struct rule *rule = &job->rules[i];
        cli_json_item(out);
        cli_json_text(out, "name", rule->type->name);
        cli_json_text(out, "keep", rule->type->keep);
        cli_json_time(out, "before", rule->before);
        if (rule->process) {
            cli_json_text(out, "process", rule->process);
            cli_json_u64(out, "below", rule->below);
        }
        sl_buf_byte(out, '}');
    }
    sl_buf_byte(out, ']');
    sl_buf_byte(out, '}');
}

static void write_text(const struct job *job, const struct sl_log_scavenge *done)
{
    struct sl_buf *out = job->out;

    if (job->rule_count == 0) {
        sl_buf_printf(out, "%s: no event type of this domain says that it may go (keep)\n",
                      job->log->name);
        return;
    }
    sl_buf_printf(out, "%s: %llu bodies of %s %s, %llu were gone before", job->log->name,
                  (unsigned long long)done->stones, cli_size(done->body_bytes),
                  job->dry_run ? "would go" : "are gone",
                  (unsigned long long)done->stones_before);
    if (job->dry_run)
        sl_buf_printf(out, "; %llu of %llu sealed segments would be rewritten\n",
                      (unsigned long long)done->rewritten,
                      (unsigned long long)done->sealed_segments);
    else
        sl_buf_printf(out, "; %llu of %llu sealed segments rewritten, %s became %s\n",
                      (unsigned long long)done->rewritten,
                      (unsigned long long)done->sealed_segments, cli_size(done->bytes_before),
                      cli_size(done->bytes_after));
    for (size_t i = 0; i < job->rule_count; i++)
        if (job->rules[i].process)
            sl_buf_printf(out, "  %s is kept from position %llu on, which is as far as the process "
                          "%s has come\n", job->rules[i].type->name,
                          (unsigned long long)job->rules[i].below, job->rules[i].process);
    if (done->raw_segments > 0)
        sl_buf_printf(out, "  what lies from position %llu on is in segments that are not sealed "
                      "yet, and stays\n", (unsigned long long)done->next_raw);
}

/* ---- The verb -------------------------------------------------------------------------------- */

/* Files that are made anew belong to who makes them: the server must still be able to read them. */
static int check_owner(const struct job *job)
{
    struct stat folder;

    if (job->dry_run || stat(job->log->path, &folder) != 0 || folder.st_uid == geteuid())
        return SL_EXIT_OK;
    fprintf(stderr, "sluice: %s belongs to the user with number %u: do this as that user\n",
            job->log->path, (unsigned)folder.st_uid);
    return SL_EXIT_FAILED;
}

static int scavenge_log(struct job *job)
{
    struct sl_log_scavenge done = {.env = job->env, .path = job->log->path, .may_go = may_go,
                                   .progress = step, .context = job,
                                   .dry_run = job->dry_run};
    struct sl_error error = {0};

    int code = check_owner(job);
    if (code == SL_EXIT_OK)
        code = make_rules(job);
    if (code != SL_EXIT_OK)
        return code;
    if (job->rule_count == 0 && !job->names_all)
        return refuse(job, NULL, "no event type of this domain says that it may go (keep)");
    enum sl_err err = job->rule_count > 0 ? ask_processes(job, &error) : SL_OK;
    if (err == SL_OK && job->rule_count > 0)
        err = sl_log_scavenge(&done, &error);
    cli_progress_end(&job->progress);
    if (err != SL_OK && done.rewritten > 0)
        fprintf(stderr, "sluice: %s: %llu segments were rewritten before this:\n", job->log->name,
                (unsigned long long)done.rewritten);
    if (err != SL_OK)
        return cli_log_failed(&error);
    if (job->json)
        write_json(job, &done);
    else
        write_text(job, &done);
    return SL_EXIT_OK;
}

static int find_domain(struct job *job, const struct sl_domain *const *domains, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(domains[i]->name, job->log->name) == 0)
            job->domain = domains[i];
    if (!job->domain)
        return refuse(job, NULL, "there is no domain of that name, which would say what may go: "
                      "see --config");
    return SL_EXIT_OK;
}

int cli_log_scavenge(struct sl_cli *cli, int argc, char **argv)
{
    struct job options = {.before = UINT64_MAX};
    bool progress = false;
    const struct cli_option table[] = {
        {"--older-than", CLI_TEXT, &options.older_than}, {"--before", CLI_NUMBER, &options.before},
        {"--type", CLI_TEXT, &options.type},             {"--dry-run", CLI_FLAG, &options.dry_run},
        {"--json", CLI_FLAG, &options.json},             {"--progress", CLI_FLAG, &progress},
    };
    const char *which = NULL;
    const struct sl_domain *const *domains = NULL;
    struct sl_buf out = {0};
    struct cli_logs logs;
    size_t domain_count = 0;
    int words = 0;

    int code = cli_read_options(argc, argv, table, sizeof table / sizeof *table, &which, 1,
                                &words);
    if (code != SL_EXIT_OK)
        return code;
    if (options.older_than && !sl_keep_read(options.older_than, &options.older_ns))
        return cli_wrong("--older-than %s: a span such as 90d, 12h, 30m or 0s is wanted",
                         options.older_than);
    code = cli->domains(cli->config, &domains, &domain_count);
    if (code != SL_EXIT_OK)
        return code;
    umask(077); /* a log is its owner's alone */
    code = cli_logs_open(cli, which, &logs);
    if (options.json && code == SL_EXIT_OK)
        SL_BUF_LITERAL(&out, "{\"logs\":[");
    const bool go = code == SL_EXIT_OK;
    for (size_t i = 0; code == SL_EXIT_OK && i < logs.count; i++) {
        struct job job = options;
        job.log = &logs.logs[i];
        job.env = logs.env;
        job.names_all = !which && !options.type;
        job.out = &out;
        job.progress = (struct cli_progress){
            .env = logs.env, .what = job.log->name, .forced = progress,
            .bytes_total = cli_log_bytes(logs.env, job.log->path)};
        code = find_domain(&job, domains, domain_count);
        if (code == SL_EXIT_OK)
            code = scavenge_log(&job);
    }
    if (options.json && go)
        SL_BUF_LITERAL(&out, "]}\n");
    if (go && !cli_print(&out) && code == SL_EXIT_OK)
        code = SL_EXIT_FAILED;
    cli_logs_close(&logs);
    sl_buf_close(&out);
    return code;
}
