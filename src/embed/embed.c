/*
 * The engine inside of a program: an actor with a thread of its own, and calls that are messages to
 * it. Each call waits on a mailbox of its own for its answer.
 */
#include <sluice/sluice.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/digest.h"
#include "engine/engine.h"
#include "record/value.h"
#include "stores/log/log_store.h"
#include "stores/sqlite/sqlite.h"

enum { CALL_KIND = 0x3000 };
static const int64_t patience_ns = INT64_C(10000000000);

enum call_what { CALL_OPEN = 1, CALL_EXECUTE, CALL_LOOKUP, CALL_LIST, CALL_CLOSE };

struct call {
    struct sl_message message;
    struct sl_engine *engine;
    enum call_what what;
    const char *domain_name;
    const char *name; /* of the command or view */
    struct sl_text text; /* JSON, or the key */
    struct sl_text id;
    const char *index;
    struct sl_text equal, after;
    uint32_t limit;
    uint64_t position;
    /* At work */
    struct sl_core_domain *domain;
    struct sl_arena arena;
    struct sl_submission submission;
    struct sl_lookup lookup;
    struct sl_wait wait;
    struct sl_view_listing list;
    /* Answer */
    enum sl_err err;
    struct sl_error error;
    int status;
    struct sl_buf body;
    uint64_t reached;
    bool has_position;
};

struct sl_engine {
    struct sl_env *env;
    struct sl_mailbox *mailbox;
    struct sl_options options;
    char *logs;
    char *ids;
    char *snapshots;
    char *views;
    struct sl_core *core;
    struct sl_json_parser *parser;
    struct call *opening;
};

static const struct sl_principal embedder = {.name = {"embedder", sizeof "embedder" - 1},
                                             .roles = {"admin user", sizeof "admin user" - 1}};

static void answer(struct call *call)
{
    sl_mailbox_post(call->message.reply_to, &call->message);
}

static void refuse(struct call *call, int status, const char *rule, const char *message)
{
    call->status = status;
    sl_buf_reset(&call->body);
    SL_BUF_LITERAL(&call->body, "{\"rule\":");
    sl_json_write_text(&call->body, (struct sl_text){rule, strlen(rule)});
    SL_BUF_LITERAL(&call->body, ",\"detail\":");
    sl_json_write_text(&call->body, (struct sl_text){message, strlen(message)});
    sl_buf_byte(&call->body, '}');
    answer(call);
}

/* ---- On the engine's thread ------------------------------------------------------------------ */

static const char *no_setting(void *context, const char *key)
{
    (void)context;
    (void)key;
    return NULL;
}

static void open_core(struct sl_engine *engine, struct call *call)
{
    const size_t count = engine->options.domains.count;
    struct sl_core_domain_options *domains = calloc(count + 1, sizeof *domains);
    char (*folders)[512] = calloc(count + 1, sizeof *folders);
    char (*ids)[512] = calloc(count + 1, sizeof *ids);
    char (*snapshots)[512] = calloc(count + 1, sizeof *snapshots);

    call->err = SL_NO_MEMORY;
    if (domains && folders && ids && snapshots) {
        for (size_t i = 0; i < count; i++) {
            const struct sl_domain *domain = engine->options.domains.items[i];
            snprintf(folders[i], sizeof folders[i], "%s/%s", engine->logs, domain->name);
            snprintf(ids[i], sizeof ids[i], "%s/%s", engine->ids, domain->name);
            snprintf(snapshots[i], sizeof snapshots[i], "%s/%s", engine->snapshots, domain->name);
            domains[i] = (struct sl_core_domain_options){
                .domain = domain,
                .store = &sl_log_store_ops,
                .store_options = {folders[i], domain->name, no_setting, NULL},
                .ids_folder = ids[i],
                .snapshots = snapshots[i]};
        }
        const struct sl_core_options options = {
            .env = engine->env,
            .mailbox = engine->mailbox,
            .domains = domains,
            .domain_count = count,
            .view_store = &sl_sqlite_view_store,
            .view_store_options = {engine->views, no_setting, NULL}};
        call->err = sl_core_open(&options, &engine->core, &call->error);
    }
    free(domains);
    free(folders);
    free(ids);
    free(snapshots);
    if (call->err)
        answer(call);
    else
        engine->opening = call; /* answered when the log is there, or cannot be had */
}

static void write_accepted(struct call *call, const struct sl_outcome *outcome)
{
    struct sl_buf *out = &call->body;

    SL_BUF_LITERAL(out, "{\"id\":\"");
    sl_value_write_uuid(out, outcome->id);
    SL_BUF_LITERAL(out, "\",\"position\":\"");
    sl_core_token(call->domain, outcome->position, out);
    SL_BUF_LITERAL(out, "\",\"events\":[");
    for (size_t i = 0; i < outcome->event_count; i++) {
        SL_BUF_LITERAL(out, "{\"type\":");
        sl_json_write_text(out, outcome->events[i].type);
        SL_BUF_LITERAL(out, ",\"stream\":");
        sl_json_write_text(out, outcome->events[i].stream);
        sl_buf_printf(out, ",\"revision\":%llu}%s",
                      (unsigned long long)outcome->events[i].revision,
                      i + 1 < outcome->event_count ? "," : "");
    }
    SL_BUF_LITERAL(out, "]}");
}

static void carried_out(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct call *call = submission->user;
    char rule[64], message[256];

    call->reached = outcome->position;
    call->has_position = true;
    if (outcome->status < 300) {
        call->status = outcome->status;
        write_accepted(call, outcome);
        answer(call);
        return;
    }
    snprintf(rule, sizeof rule, "%.*s", (int)outcome->rule.len, outcome->rule.ptr);
    snprintf(message, sizeof message, "%.*s", (int)outcome->message.len, outcome->message.ptr);
    refuse(call, outcome->status, rule, message);
}

static void execute(struct sl_engine *engine, struct call *call)
{
    const struct sl_text name = {call->name, strlen(call->name)};
    const struct sl_command *command = sl_core_command(call->domain, name);
    struct sl_broken_rule broken;

    if (!command || command->internal) {
        refuse(call, 404, "no_such_command", "the domain has no such command");
        return;
    }
    void *body = sl_arena_zeroed(&call->arena, 1, command->record->size);
    if (!body || sl_json_read(engine->parser, command->record, call->text, &call->arena, body,
                              &broken) != SL_OK) {
        refuse(call, 400, body ? broken.rule : "overloaded", body ? broken.message : "no memory");
        return;
    }
    const struct sl_slice parts[] = {{(const uint8_t *)call->name, strlen(call->name) + 1},
                                     {(const uint8_t *)call->text.ptr, call->text.len}};
    call->submission = (struct sl_submission){
        .command = command,
        .body = body,
        .id = call->id.len ? sl_command_id(call->id) : sl_env_uuid(engine->env),
        .principal = &embedder,
        .done = carried_out,
        .user = call};
    call->submission.digest = sl_core_digest(call->domain, parts, 2);
    call->submission.plain_digest = sl_digest_plain(parts, 2);
    sl_core_submit(call->domain, &call->submission);
}

static void looked_up(struct sl_lookup *lookup, enum sl_lookup_end end,
                      const struct sl_view_row *row, uint64_t position)
{
    struct call *call = lookup->user;

    call->reached = position;
    call->has_position = true;
    switch (end) {
    case SL_LOOKUP_ROW:
        call->status = 200;
        sl_buf_text(&call->body, row->json);
        answer(call);
        return;
    case SL_LOOKUP_NONE:
        refuse(call, 404, "no_such_row", "the view has no row with this key");
        return;
    case SL_LOOKUP_LATE:
        refuse(call, 504, "position_not_reached", "the view has not applied the position in time");
        return;
    case SL_LOOKUP_BROKEN:
        break;
    }
    refuse(call, 503, "view_failed", "the view cannot be read at the moment");
}

static void listed(struct sl_view_listing *list)
{
    struct call *call = (struct call *)(void *)((char *)list - offsetof(struct call, list));

    call->reached = list->position;
    call->has_position = true;
    if (list->err) {
        refuse(call, list->err == SL_INVALID ? 400 : 503, "list_failed", list->error.message);
        sl_buf_close(&list->json);
        return;
    }
    call->status = 200;
    sl_buf_close(&call->body);
    call->body = list->json;
    answer(call);
}

/* Reads the leading values that rows must have into a struct of the record. */
static bool read_equal(struct call *call, const struct sl_view_shape *shape,
                       const struct sl_place *order)
{
    struct sl_place leading = *order;
    void *equal = sl_arena_zeroed(&call->arena, 1, shape->view->record->size);
    uint32_t count = 1;

    if (!equal)
        return false;
    for (size_t i = 0; i < call->equal.len; i++)
        count += call->equal.ptr[i] == ',';
    if (count > order->count)
        return false;
    leading.count = count;
    call->list.query.equal = equal;
    call->list.query.equal_count = count;
    return sl_place_read(&leading, call->equal, &call->arena, equal, &call->error) == SL_OK;
}

static void list_rows(struct sl_wait *wait, bool reached, uint64_t at)
{
    struct call *call = wait->user;

    (void)at;
    if (reached)
        sl_view_list(wait->view, &call->list);
    else
        refuse(call, 504, "position_not_reached", "the view has not stored the position in time");
}

static void list(struct call *call, struct sl_view_table *view)
{
    const struct sl_view_shape *shape = sl_view_table_shape(view);
    const struct sl_place *order = &shape->key;

    call->list = (struct sl_view_listing){
        .table = view, .query = {.index = -1, .after = call->after, .limit = call->limit},
        .done = listed};
    for (size_t i = 0; call->index && i < shape->view->indexes.count; i++) {
        if (strcmp(shape->view->indexes.items[i].name, call->index) == 0) {
            call->list.query.index = (int)i;
            order = &shape->indexes[i];
        }
    }
    if (call->index && call->list.query.index < 0) {
        refuse(call, 404, "no_such_index", "the view has no such index");
        return;
    }
    if (call->equal.len > 0 && !read_equal(call, shape, order)) {
        refuse(call, 400, "bad_value", "the leading values do not fit the index's fields");
        return;
    }
    call->wait = (struct sl_wait){
        .domain = call->domain,
        .view = view,
        .path = SL_PATH_LIST,
        .position = call->position,
        .until_ns = sl_env_monotonic(call->engine->env) + patience_ns,
        .done = list_rows,
        .user = call};
    sl_core_wait(&call->wait);
}

static void read_view(struct call *call)
{
    const struct sl_text name = {call->name, strlen(call->name)};
    struct sl_view_table *view = sl_core_view(call->domain, name);

    if (!view) {
        refuse(call, 404, "no_such_view", "the domain has no such view");
    } else if (call->what == CALL_LIST) {
        list(call, view);
    } else {
        call->lookup = (struct sl_lookup){
            .domain = call->domain,
            .view = view,
            .key = call->text,
            .position = call->position,
            .until_ns = sl_env_monotonic(call->engine->env) + patience_ns,
            .done = looked_up,
            .user = call};
        sl_core_lookup(&call->lookup);
    }
}

static void drained(void *context)
{
    struct call *call = context;

    sl_core_close(call->engine->core);
    call->engine->core = NULL;
    answer(call);
}

static void step(void *self, struct sl_message *message)
{
    struct sl_engine *engine = self;
    struct call *call = (struct call *)(void *)message;

    if (message->kind != CALL_KIND) {
        sl_core_step(engine->core, message);
        return;
    }
    if (call->what == CALL_OPEN) {
        open_core(engine, call);
        return;
    }
    if (call->what == CALL_CLOSE) {
        sl_core_drain(engine->core, drained, call);
        return;
    }
    call->domain = sl_core_find(engine->core,
                                (struct sl_text){call->domain_name, strlen(call->domain_name)});
    if (!call->domain)
        refuse(call, 404, "no_such_domain", "the engine has no such domain");
    else if (call->what == CALL_EXECUTE)
        execute(engine, call);
    else
        read_view(call);
}

static int64_t turn(void *self)
{
    struct sl_engine *engine = self;

    if (!engine->core)
        return INT64_MAX;
    const int64_t next = sl_core_turn(engine->core);
    if (engine->opening) {
        struct call *call = engine->opening;
        call->err = sl_core_failure(engine->core, &call->error);
        if (call->err || sl_core_is_ready(engine->core)) {
            engine->opening = NULL;
            answer(call);
        }
    }
    return next;
}

/* ---- On the caller's thread ------------------------------------------------------------------ */

static enum sl_err ask(struct sl_engine *engine, struct call *call, struct sl_error *error)
{
    struct sl_mailbox *mine;

    if (sl_mailbox_new(NULL, NULL, &mine) != SL_OK)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a call");
    call->engine = engine;
    call->message = (struct sl_message){.reply_to = mine, .kind = CALL_KIND};
    sl_mailbox_post(engine->mailbox, &call->message);
    sl_mailbox_wait(mine, INT64_MAX);
    sl_mailbox_free(mine);
    sl_arena_close(&call->arena);
    if (call->err && error)
        *error = call->error;
    return call->err;
}

static enum sl_err ask_for_reply(struct sl_engine *engine, struct call *call, struct sl_reply *out,
                                 struct sl_error *error)
{
    enum sl_err err = ask(engine, call, error);

    if (err) {
        sl_buf_close(&call->body);
        return err;
    }
    *out = (struct sl_reply){.status = call->status,
                             .body = sl_buf_as_text(&call->body),
                             .position = call->reached,
                             .has_position = call->has_position,
                             .memory = call->body.ptr};
    return SL_OK;
}

static char *join(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);

    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static void release(struct sl_engine *engine)
{
    if (engine->env)
        sl_env_stop(engine->env, engine->mailbox);
    if (engine->env)
        sl_env_free(engine->env);
    sl_json_parser_free(engine->parser);
    free(engine->logs);
    free(engine->ids);
    free(engine->snapshots);
    free(engine->views);
    free(engine);
}

static enum sl_err begin(struct sl_engine *engine, struct sl_error *error)
{
    const struct sl_actor actor = {.name = "engine", .self = engine, .step = step, .turn = turn};
    enum sl_err err = sl_env_posix_new(&engine->env, error);

    if (err)
        return err;
    engine->logs = join(engine->options.data, "log");
    engine->ids = join(engine->options.data, "ids");
    engine->snapshots = join(engine->options.data, "snapshots");
    engine->views = join(engine->options.data, "views");
    if (!engine->logs || !engine->ids || !engine->snapshots || !engine->views ||
        sl_json_parser_new(&engine->parser) != SL_OK)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the engine");
    err = sl_disk_make_folder(engine->env, engine->views, error);
    return err ? err : sl_env_start(engine->env, &actor, &engine->mailbox, error);
}

enum sl_err sl_open(const struct sl_options *options, struct sl_engine **out,
                    struct sl_error *error)
{
    struct sl_engine *engine = calloc(1, sizeof *engine);
    struct call call = {.what = CALL_OPEN};

    if (!engine)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the engine");
    engine->options = *options;
    enum sl_err err = begin(engine, error);
    if (err) {
        release(engine);
        return err;
    }
    err = ask(engine, &call, error);
    if (err) {
        if (engine->core) {
            struct call closing = {.what = CALL_CLOSE};
            (void)!ask(engine, &closing, NULL);
        }
        release(engine);
        return err;
    }
    *out = engine;
    return SL_OK;
}

enum sl_err sl_execute(struct sl_engine *engine, const char *domain, const char *command,
                       struct sl_text json, struct sl_text id, struct sl_reply *out,
                       struct sl_error *error)
{
    struct call call = {.what = CALL_EXECUTE,
                        .domain_name = domain,
                        .name = command,
                        .text = json,
                        .id = id};
    return ask_for_reply(engine, &call, out, error);
}

enum sl_err sl_lookup(struct sl_engine *engine, const char *domain, const char *view,
                      struct sl_text key, uint64_t position, struct sl_reply *out,
                      struct sl_error *error)
{
    struct call call = {.what = CALL_LOOKUP,
                        .domain_name = domain,
                        .name = view,
                        .text = key,
                        .position = position};
    return ask_for_reply(engine, &call, out, error);
}

enum sl_err sl_list(struct sl_engine *engine, const char *domain, const char *view,
                    const char *index, struct sl_text equal, struct sl_text after, uint32_t limit,
                    uint64_t position, struct sl_reply *out, struct sl_error *error)
{
    struct call call = {.what = CALL_LIST,
                        .domain_name = domain,
                        .name = view,
                        .index = index,
                        .equal = equal,
                        .after = after,
                        .limit = limit == 0 || limit > 1000 ? 1000 : limit,
                        .position = position};
    return ask_for_reply(engine, &call, out, error);
}

void sl_reply_close(struct sl_reply *reply)
{
    free(reply->memory);
    *reply = (struct sl_reply){0};
}

void sl_close(struct sl_engine *engine)
{
    struct call call = {.what = CALL_CLOSE};

    if (!engine)
        return;
    (void)!ask(engine, &call, NULL);
    release(engine);
}

const char *sl_version(void)
{
    return SL_VERSION;
}
