#include "process/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/decide.h"
#include "process/parts.h"
#include "record/pack.h"
#include "record/place.h"

static const struct sl_record row_timer_record = SL_RECORD(struct sl_row_timer,
    SL_FIELD(struct sl_row_timer, name),
    SL_FIELD(struct sl_row_timer, due),
    SL_FIELD(struct sl_row_timer, set_at));

static const struct sl_index due_index[] = {{"due", "next_due"}};

static const struct sl_field key_field = {.name = "key",
                                          .kind = SL_TEXT_KIND,
                                          .size = sizeof(struct sl_text)};

static struct sl_text text_of(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

struct sl_text sl_process_row_key(struct sl_process_runner *runner, struct sl_text key)
{
    const struct sl_place place = {1, {&key_field}};

    sl_buf_reset(&runner->row_key);
    if (sl_place_write(&place, &key, &runner->row_key) != SL_OK)
        sl_buf_reset(&runner->row_key);
    return sl_buf_as_text(&runner->row_key);
}

/* ---- What react calls ------------------------------------------------------------------------ */

static _Thread_local _Alignas(16) uint8_t scrap[16 * 1024];

static struct sl_wish *wish(struct sl_reaction *out)
{
    static _Thread_local struct sl_wish lost;

    if (out->count < SL_WISHES_MAX)
        return &out->wishes[out->count++];
    out->failed = "a reaction sends or sets more than 64";
    return &lost;
}

void *sl_send(struct sl_reaction *out, const char *domain, const char *command)
{
    const struct sl_process_host *host = &out->runner->options.host;
    void *target = host->find(host->context, domain);
    const struct sl_command *found = target ? host->command(target, command) : NULL;
    void *body = found ? sl_arena_zeroed(&out->arena, 1, found->record->size) : NULL;

    if (!body) {
        out->failed = found ? sl_view_no_memory : "it sends a command that no domain here has";
        memset(scrap, 0, sizeof scrap);
        return scrap;
    }
    *wish(out) = (struct sl_wish){
        .domain_name = domain, .domain = target, .command = found, .body = body};
    out->sends++;
    return body;
}

void sl_timer_set(struct sl_reaction *out, const char *name, struct sl_time due)
{
    SL_ASSERT(strlen(name) <= 64, "M1");
    *wish(out) = (struct sl_wish){.timer = name, .due = due};
}

void sl_timer_clear(struct sl_reaction *out, const char *name)
{
    *wish(out) = (struct sl_wish){.timer = name, .clear = true};
}

bool sl_timer_fired(const struct sl_event *event, const char *name)
{
    if (event->type != &sl_timer_fired_type)
        return false;
    const struct sl_timer_fired *fired = event->body;
    return sl_text_equals(fired->timer, text_of(name));
}

bool sl_command_refused(const struct sl_event *event, const char *command, struct sl_text *out_rule)
{
    if (event->type != &sl_refusal_told_type)
        return false;
    const struct sl_refusal_told *told = event->body;
    if (!sl_text_equals(told->command, text_of(command)))
        return false;
    if (out_rule)
        *out_rule = told->rule;
    return true;
}

/* ---- Which instance an event concerns -------------------------------------------------------- */

/* False: none of ours. Else runner->key is the instance's key. */
static bool find_key(struct sl_process_runner *runner, const struct sl_event *event)
{
    const struct sl_text own = text_of(runner->options.process->name);

    sl_buf_reset(&runner->key);
    if (event->type == &sl_timer_fired_type) {
        const struct sl_timer_fired *fired = event->body;
        sl_buf_text(&runner->key, fired->key);
        return sl_text_equals(fired->process, own);
    }
    if (event->type == &sl_refusal_told_type) {
        const struct sl_refusal_told *told = event->body;
        sl_buf_text(&runner->key, told->key);
        return sl_text_equals(told->process, own);
    }
    for (size_t i = 0; i < runner->rule_count; i++) {
        const struct sl_key_rule *rule = &runner->rules[i];
        if (rule->type == event->type)
            return !sl_place_is_empty(&rule->place, event->body) &&
                   sl_place_write(&rule->place, event->body, &runner->key) == SL_OK;
    }
    return false;
}

/* ---- Reacting -------------------------------------------------------------------------------- */

/* Runs `react` on an instance; false: the event says nothing to it (a timer that was set anew). */
static bool react(struct sl_process_runner *runner, const struct sl_event *event,
                  struct sl_instance *instance)
{
    struct sl_reaction *reaction = &runner->reaction;

    sl_arena_reset(&reaction->arena);
    reaction->count = reaction->sends = 0;
    reaction->failed = NULL;
    if (event->type == &sl_timer_fired_type &&
        !sl_process_take_timer(runner, instance, event->body))
        return false;
    runner->options.process->react(event, (uint8_t *)instance + runner->state_offset, reaction);
    sl_process_apply_timers(runner, event, instance);
    return true;
}

/* The view's projection: the same reaction again, on the row itself. */
static void project(void *context, const struct sl_event *event, struct sl_rows *rows)
{
    struct sl_process_runner *runner = context;
    const struct sl_text key = sl_buf_as_text(&runner->key);
    struct sl_instance *instance = sl_row_edit(rows, &key);

    if (!instance) {
        if (event->type == &sl_timer_fired_type)
            return;
        instance = sl_row_put(rows);
        instance->key = key;
        instance->next_due = (struct sl_time){SL_TIMER_NEVER};
    }
    react(runner, event, instance);
    if (runner->reaction.failed)
        sl_rows_fail(rows, runner->reaction.failed);
}

enum { LOOK_AGAIN_NS = 1000000000 };

/* Something passed that will be over: the event is tried again. */
static enum sl_sink_result try_again(struct sl_process_runner *runner)
{
    SL_MARK("process: tried again");
    runner->look_ns = sl_env_monotonic(runner->options.env) + LOOK_AGAIN_NS;
    return SL_SINK_WAITS;
}

/* Looks which commands the event makes the instance send. SL_SINK_WAITS: its row is not here
 * yet. */
static enum sl_sink_result foresee(struct sl_process_runner *runner, const struct sl_event *event)
{
    const struct sl_text place = sl_process_row_key(runner, sl_buf_as_text(&runner->key));
    struct sl_arena arena = {0};
    struct sl_view_row row;
    struct sl_instance *instance = NULL;

    switch (sl_view_lookup(runner->table, place, &row)) {
    case SL_LOOKUP_PENDING:
        return sl_view_fetch(runner->table, place) == SL_OK ? SL_SINK_WAITS : try_again(runner);
    case SL_LOOKUP_FOUND: {
        void *memory = sl_arena_take(&arena, sl_record_copy_size(&runner->record, row.row));
        if (memory)
            instance = sl_record_copy(&runner->record, row.row, memory);
        break;
    }
    case SL_LOOKUP_ABSENT:
        instance = sl_arena_zeroed(&arena, 1, runner->record.size);
        break;
    }
    if (!instance) {
        sl_arena_close(&arena);
        return try_again(runner);
    }
    if (!react(runner, event, instance))
        runner->reaction.count = runner->reaction.sends = 0;
    if (!runner->reaction.failed && runner->reaction.sends > 0 &&
        event->position >= runner->reached) {
        const bool sent = sl_process_send_all(runner, event);
        sl_arena_close(&arena);
        return sent ? SL_SINK_WAITS : try_again(runner);
    }
    sl_arena_close(&arena);
    /* Applied without its commands having been sent, it would forget them. */
    return runner->reaction.failed == sl_view_no_memory ? try_again(runner) : SL_SINK_TOOK;
}

static void note_failure(struct sl_process_runner *runner, uint64_t at, struct sl_text key)
{
    const struct sl_view_status status = sl_view_table_status(runner->table);

    if (status.state != SL_VIEW_DEGRADED)
        return; /* its store failed: that is not the event's fault */
    sl_process_note_trouble(runner, at, key, NULL, text_of(status.why));
    sl_process_recall_skips(runner);
}

static enum sl_sink_result take(void *self, const struct sl_event *event)
{
    struct sl_process_runner *runner = self;

    if (runner->sending)
        return SL_SINK_WAITS;
    if (!find_key(runner, event)) {
        sl_view_advance(runner->table, event->position + 1);
        return SL_SINK_TOOK;
    }
    if (!runner->sent || runner->sent_position != event->position) {
        enum sl_sink_result result = foresee(runner, event);
        if (result != SL_SINK_TOOK)
            return result;
    }
    switch (sl_view_project(runner->table, event)) {
    case SL_VIEW_WAITS:
        return SL_SINK_WAITS;
    case SL_VIEW_STUCK:
        note_failure(runner, event->position, sl_buf_as_text(&runner->key));
        return SL_SINK_STUCK;
    case SL_VIEW_APPLIED:
        break;
    }
    runner->sent = false;
    runner->trouble.is = false;
    sl_process_note_timers(runner, event->position, sl_buf_as_text(&runner->key));
    return SL_SINK_TOOK;
}

static void broken(void *self, uint64_t at, const char *why)
{
    struct sl_process_runner *runner = self;

    sl_view_break(runner->table, at, why);
    note_failure(runner, at, (struct sl_text){0});
}

static uint64_t position(void *self)
{
    const struct sl_process_runner *runner = self;

    if (!runner->started || !runner->table)
        return SL_SINK_NOT_STARTED;
    const struct sl_view_status status = sl_view_table_status(runner->table);
    return status.attached ? status.position : SL_SINK_NOT_STARTED;
}

static void advance(void *self, uint64_t to)
{
    sl_view_advance(((struct sl_process_runner *)self)->table, to);
}

static void moved(void *context)
{
    ((struct sl_process_runner *)context)->moved = true;
}

static bool knows(void *context, uint64_t salt, uint64_t at)
{
    const struct sl_process_host *host = &((struct sl_process_runner *)context)->options.host;

    return host->knows(host->context, salt, at);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static enum sl_err compile_keys(struct sl_process_runner *runner, struct sl_error *error)
{
    const struct sl_model *model = runner->options.model;
    const struct sl_process *process = runner->options.process;

    runner->rules = calloc(model->event_count + 1, sizeof *runner->rules);
    if (!runner->rules)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a process");
    for (size_t i = 0; i < model->event_count; i++) {
        const struct sl_event_type *type = model->events[i].type;
        struct sl_key_rule *rule = &runner->rules[runner->rule_count];
        struct sl_error inner = {0};

        if (type->name[0] == '$')
            continue;
        if (sl_place_parse(type->record, process->key, &rule->place, &inner) != SL_OK)
            continue; /* its record lacks a field of the key: it does not concern the process */
        rule->type = type;
        runner->rule_count++;
    }
    if (runner->rule_count == 0)
        return sl_fail(error, SL_INVALID, "process %s: no event has the fields of its key, %s",
                       process->name, process->key);
    return SL_OK;
}

/* A row is the instance's header and, behind it, its state. */
static void describe_row(struct sl_process_runner *runner)
{
    const struct sl_process *process = runner->options.process;

    runner->state_offset = (sizeof(struct sl_instance) + 15) / 16 * 16;
    runner->fields[0] = (struct sl_field)SL_FIELD(struct sl_instance, key);
    runner->fields[1] = (struct sl_field)SL_FIELD(struct sl_instance, next_due);
    runner->fields[2] =
        (struct sl_field)SL_FIELD(struct sl_instance, timers, .record = &row_timer_record);
    runner->fields[3] = (struct sl_field){.name = "state",
                                          .kind = SL_NESTED,
                                          .offset = (uint32_t)runner->state_offset,
                                          .size = process->record->size,
                                          .record = process->record};
    runner->record =
        (struct sl_record){.name = process->name,
                           .size = (uint32_t)((runner->state_offset + process->record->size + 15) /
                                              16 * 16),
                           .field_count = 4,
                           .fields = runner->fields};
    runner->view = (struct sl_view){.name = process->name,
                                    .record = &runner->record,
                                    .key = "key",
                                    .indexes = {due_index, 1},
                                    .version = 1};
}

enum sl_err sl_process_open(const struct sl_process_options *options,
                            struct sl_process_runner **out, struct sl_error *error)
{
    const struct sl_process *process = options->process;
    struct sl_process_runner *runner;

    if (!process->name || !process->key || !process->record || !process->react)
        return sl_fail(error, SL_INVALID, "a process needs name, key, record and react");
    runner = calloc(1, sizeof *runner);
    if (!runner)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a process");
    runner->options = *options;
    snprintf(runner->name, sizeof runner->name, "process/%s", process->name);
    runner->principal = (struct sl_principal){text_of(runner->name), SL_TEXT("process")};
    runner->reaction.runner = runner;
    runner->advance_ns = runner->again_ns = runner->look_ns = runner->list_ns = INT64_MAX;
    describe_row(runner);
    runner->consumer = (struct sl_consumer){.sink = {position, take, advance, runner, broken},
                                            .store = options->store,
                                            .model = options->model,
                                            .mailbox = options->mailbox};
    enum sl_err err = compile_keys(runner, error);
    if (!err && sl_process_relax_rows(runner) != SL_OK)
        err = sl_fail(error, SL_NO_MEMORY, "no memory for a process");
    if (err) {
        sl_process_close(runner);
        return err;
    }
    *out = runner;
    return SL_OK;
}

/* Reads how far commands were carried out, as the log says it. */
static void read_progress(struct sl_process_runner *runner)
{
    struct sl_read *read = &runner->progress.read;

    sl_arena_reset(&runner->reaction.arena);
    sl_buf_reset(&runner->key);
    sl_stream_name(&runner->key, SL_PROCESS_PROGRESS_STREAM,
                   text_of(runner->options.process->name));
    const struct sl_text key =
        sl_arena_text(&runner->reaction.arena, sl_buf_as_text(&runner->key));
    if (runner->key.failed || !key.ptr) {
        (void)try_again(runner);
        return;
    }
    runner->progress.runner = runner;
    runner->progress_under_way = true;
    *read = (struct sl_read){.message = {.reply_to = runner->options.mailbox,
                                         .kind = SL_PROCESS_PROGRESS_READ},
                             .by = SL_READ_STREAM,
                             .key = key,
                             .until = UINT64_MAX,
                             .backwards = true,
                             .count_max = 1,
                             .bytes_max = 4096};
    sl_event_store_read(runner->options.store, read);
}

enum sl_err sl_process_reigns(struct sl_process_runner *runner, struct sl_error *error)
{
    const struct sl_process_host *host = &runner->options.host;
    struct sl_view_table_options options = {.domain = runner->options.model->domain->name,
                                            .view = &runner->view,
                                            .knows = knows,
                                            .moved = moved,
                                            .context = runner,
                                            .project = project,
                                            .project_context = runner};

    host->log(host->context, &options.log, &options.salt);
    enum sl_err err = sl_view_table_open(runner->options.views, &options, &runner->table, error);
    if (err)
        return err;
    read_progress(runner);
    return SL_OK;
}

static void progress_read(struct sl_process_runner *runner)
{
    struct sl_read *read = &runner->progress.read;
    struct sl_event event;

    runner->progress_under_way = false;
    enum sl_err err = read->err;
    if (!err && read->event_count > 0) {
        err = sl_model_decode(runner->options.model, &read->events[0], &read->arena, &event,
                              &read->error);
        if (!err && event.type == &sl_process_advanced_type)
            runner->reached = ((const struct sl_process_advanced *)event.body)->position;
    }
    sl_arena_close(&read->arena);
    if (err) { /* V3: to begin from nothing would pay twice */
        (void)try_again(runner);
        return;
    }
    runner->started = true;
    runner->moved = true;
}

void sl_process_step(struct sl_message *message)
{
    if (message->kind == SL_PROCESS_SKIPS_READ) {
        sl_process_recall_step(message);
        return;
    }
    SL_ASSERT(message->kind == SL_PROCESS_PROGRESS_READ);
    progress_read(((struct sl_progress_call *)(void *)message)->runner);
}

void sl_process_reign_again(struct sl_process_runner *runner)
{
    const struct sl_process_host *host = &runner->options.host;
    struct sl_uuid log;
    uint64_t salt;

    host->log(host->context, &log, &salt);
    sl_view_table_reign(runner->table, salt);
}

/* ---- Running --------------------------------------------------------------------------------- */

void sl_process_follow(struct sl_process_runner *runner, uint64_t durable)
{
    sl_consumer_follow(&runner->consumer, durable);
}

void sl_process_offer(struct sl_process_runner *runner, const struct sl_event *events, size_t count)
{
    sl_consumer_offer(&runner->consumer, events, count);
}

/* Says in the log how far commands were carried out. */
static void say_progress(struct sl_process_runner *runner, int64_t now)
{
    if (runner->advance_ns > now || runner->advancing || runner->closing)
        return;
    const struct sl_process_advanced advanced = {.process = text_of(runner->options.process->name),
                                                 .position = runner->reached};
    runner->advance_ns = INT64_MAX;
    runner->advancing = true;
    if (!sl_process_send(runner, runner->options.host.own, sl_advance, &advanced,
                         sl_process_id(runner, runner->reached - 1, (struct sl_text){0},
                                       "advanced", 0),
                         (struct sl_text){0}, UINT64_MAX, false)) {
        runner->advance_ns = now + LOOK_AGAIN_NS;
        runner->advancing = false;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t sl_process_turn(struct sl_process_runner *runner, int64_t now)
{
    const size_t calls = runner->calls_out;

    if (!runner->table)
        return INT64_MAX;
    if (runner->look_ns <= now) {
        runner->look_ns = INT64_MAX;
        runner->moved = true;
        if (!runner->started && !runner->progress_under_way)
            read_progress(runner);
    }
    if (runner->moved) {
        runner->moved = false;
        sl_consumer_poke(&runner->consumer);
    }
    sl_process_send_again(runner, now);
    say_progress(runner, now);
    int64_t next = earlier(sl_process_fire_due(runner, now), sl_process_list_timers(runner, now));
    next = earlier(next, sl_consumer_turn(&runner->consumer, now));
    next = earlier(next, runner->look_ns);
    if (sl_view_table_deadline(runner->table) <= now)
        sl_view_table_turn(runner->table, now);
    const int64_t flush = sl_view_table_deadline(runner->table);
    next = flush < next ? flush : next;
    next = runner->advancing || runner->advance_ns > next ? next : runner->advance_ns;
    next = runner->again && runner->again_ns < next ? runner->again_ns : next;
    return runner->calls_out > calls || runner->moved ? now : next;
}

void sl_process_stop(struct sl_process_runner *runner)
{
    runner->closing = true;
    sl_consumer_stop(&runner->consumer);
}

void sl_process_count(const struct sl_process_runner *runner, uint64_t *waiting, uint64_t *timers)
{
    *waiting += runner->calls_out;
    *timers += runner->timers.count;
}

struct sl_view_table *sl_process_table(const struct sl_process_runner *runner)
{
    return runner->table;
}

void sl_process_close(struct sl_process_runner *runner)
{
    if (!runner)
        return;
    sl_view_table_close(runner->table);
    sl_consumer_close(&runner->consumer);
    sl_process_drop_calls(runner);
    sl_process_drop_timers(runner);
    sl_arena_close(&runner->progress.read.arena);
    sl_arena_close(&runner->recall.read.arena);
    sl_arena_close(&runner->reaction.arena);
    sl_arena_close(&runner->list_arena);
    sl_buf_close(&runner->key);
    sl_buf_close(&runner->row_key);
    free(runner->rules);
    free(runner);
}
