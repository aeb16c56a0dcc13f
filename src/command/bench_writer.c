#include "command/bench_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "stores/log/log_store.h"
#include "tap/tap.h"

enum { SUBMIT = 0x7000 };

/* ---- Allocations that fail ------------------------------------------------------------------- */

/* The linker hands us the write side's calls (--wrap). What others allocate for it (the log, the
 * simulator, the test) does not count. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static bool inside;
static uint64_t countdown;
static bool struck;

static bool strikes(void)
{
    if (!inside || countdown == 0 || --countdown > 0)
        return false;
    struck = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return strikes() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return strikes() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return strikes() ? NULL : __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return strikes() ? NULL : __real_aligned_alloc(alignment, size);
}

void rig_fail_allocation(uint64_t nth)
{
    countdown = nth;
    struck = false;
}

bool rig_allocation_failed(void)
{
    return struck;
}

/* ---- A store around the store, inside which allocations do not fail -------------------------- */

struct outer {
    struct sl_event_store store;
    struct sl_event_store_ops ops;
    struct sl_event_store *inner;
};

static void outer_claim(struct sl_event_store *store, struct sl_claim *claim)
{
    const bool was = inside;

    inside = false;
    sl_event_store_claim(((struct outer *)store)->inner, claim);
    inside = was;
}

static bool outer_append(struct sl_event_store *store, struct sl_append *append)
{
    const bool was = inside;

    inside = false;
    const bool done = sl_event_store_append(((struct outer *)store)->inner, append);
    inside = was;
    return done;
}

static bool outer_read(struct sl_event_store *store, struct sl_read *read)
{
    const bool was = inside;

    inside = false;
    const bool done = sl_event_store_read(((struct outer *)store)->inner, read);
    inside = was;
    return done;
}

static void outer_close(struct sl_event_store *store)
{
    sl_event_store_close(((struct outer *)store)->inner);
    free(store);
}

static enum sl_err outer_open(struct sl_env *env, const struct sl_store_options *options,
                              struct sl_event_store **out, struct sl_error *error)
{
    (void)env;
    (void)options;
    (void)out;
    return sl_fail(error, SL_UNSUPPORTED, "it stands around an open one");
}

static struct sl_event_store *wrap(struct sl_event_store *inner)
{
    struct outer *outer = calloc(1, sizeof *outer);

    outer->ops = (struct sl_event_store_ops){.abi = SL_EVENT_STORE_ABI,
                                             .scheme = "outer",
                                             .capabilities = inner->ops->capabilities,
                                             .open = outer_open,
                                             .claim = outer_claim,
                                             .append = outer_append,
                                             .read = outer_read,
                                             .close = outer_close};
    outer->store.ops = &outer->ops;
    outer->inner = inner;
    return &outer->store;
}

/* ---- The actor ------------------------------------------------------------------------------- */

static void step(void *self, struct sl_message *message)
{
    struct rig *rig = self;

    if (!rig->writer)
        return; /* what came after the end */
    inside = true;
    if (message->kind == SUBMIT)
        sl_writer_submit(rig->writer, &((struct rig_command *)(void *)message)->submission);
    else
        sl_writer_step(message);
    inside = false;
}

static int64_t turn(void *self)
{
    struct rig *rig = self;

    if (!rig->writer)
        return INT64_MAX;
    inside = true;
    const int64_t next = sl_writer_turn(rig->writer, false);
    inside = false;
    return next;
}

static void reigns(void *context)
{
    (void)context;
}

static void take_seen(struct rig *rig, const struct rig_seen *seen)
{
    rig->seen = *seen;
    snprintf(rig->seen_note, sizeof rig->seen_note, "%.*s", (int)seen->note.len,
             seen->note.ptr ? seen->note.ptr : "");
    rig->seen.note = (struct sl_text){rig->seen_note, strlen(rig->seen_note)};
}

/* L1: positions and revisions without gaps. Those of a batch that nobody knew to be durable were
 * not told. */
static void check_place(struct rig *rig, const struct sl_event *event)
{
    const uint64_t hash = sl_hash64(event->stream.ptr, event->stream.len, 1);
    size_t place = hash % RIG_STREAMS;

    while (rig->streams[place].hash != 0 && rig->streams[place].hash != hash)
        place = (place + 1) % RIG_STREAMS;
    struct rig_stream *stream = &rig->streams[place];
    const bool missed = event->position > rig->next_position;
    if (event->position < rig->next_position || event->revision < stream->next_revision ||
        (event->revision > stream->next_revision && !missed && !rig->missed)) {
        tap_note("L1: event %llu of %.*s has revision %llu", (unsigned long long)event->position,
                 (int)event->stream.len, event->stream.ptr, (unsigned long long)event->revision);
        rig->bad = true;
    }
    rig->missed = rig->missed || missed;
    rig->next_position = event->position + 1;
    *stream = (struct rig_stream){hash, event->revision + 1};
}

static void durable(void *context, const struct sl_event *events,
                    const struct sl_stored_event *stored, size_t count)
{
    struct rig *rig = context;
    const bool was = inside;

    inside = false;
    for (size_t i = 0; i < count; i++) {
        if (events[i].position != stored[i].position || events[i].revision != stored[i].revision)
            rig->bad = true;
        check_place(rig, &events[i]);
        if (events[i].type == &rig_seen_type)
            take_seen(rig, events[i].body);
        if (rig->on_event)
            rig->on_event(rig, &events[i]);
    }
    rig->durable += count;
    inside = was;
}

static void answer(void *context, struct sl_submission *submission,
                   const struct sl_outcome *outcome)
{
    (void)context;
    submission->done(submission, outcome);
}

static void keep(char *out, size_t size, struct sl_text text)
{
    snprintf(out, size, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

static void done(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct rig_command *command = submission->user;

    command->status = outcome->status;
    keep(command->rule, sizeof command->rule, outcome->rule);
    keep(command->told, sizeof command->told, outcome->message);
    keep(command->field, sizeof command->field, outcome->field);
    command->repeated = outcome->repeated;
    command->position = outcome->position;
    command->event_count = outcome->event_count;
    command->revision =
        outcome->event_count > 0 ? outcome->events[outcome->event_count - 1].revision : 0;
    command->answers++;
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "segment_bytes") == 0 ? "67108864" : NULL;
}

/* ---- Life ------------------------------------------------------------------------------------ */

bool rig_start(struct rig *rig)
{
    const struct sl_actor actor = {.name = "engine", .self = rig, .step = step, .turn = turn};
    const struct sl_store_options store = {"data/log", "rig", setting, NULL};
    struct sl_event_store *log = NULL;
    struct sl_error error = {0};

    rig->writer = NULL;
    if (sl_disk_make_folder(rig->env, "data", &error) != SL_OK ||
        sl_env_start(rig->env, &actor, &rig->mailbox, &error) != SL_OK ||
        sl_event_store_open(&sl_log_store_ops, rig->env, &store, &log, &error) != SL_OK ||
        sl_event_store_fault_new(rig->env, log, &rig->faults, &error) != SL_OK) {
        tap_note("%s", error.message);
        return false;
    }
    rig->store = wrap(rig->faults);
    const struct sl_writer_options options = {
        .env = rig->env,
        .mailbox = rig->mailbox,
        .model = &rig->model,
        .store = rig->store,
        .queue_max = 65536,
        .id_window_s = 3600,
        .aggregate_memory_max =
            rig->options.aggregate_memory_max ? rig->options.aggregate_memory_max : 64u << 20,
        .snapshots_folder = rig->options.snapshots,
        .snapshot_events = rig->options.snapshot_events,
        .reigns = reigns,
        .durable = durable,
        .answer = answer,
        .context = rig};
    if (sl_writer_open(&options, &rig->writer, &error) != SL_OK)
        return false;
    for (int i = 0; i < 100000 && !sl_writer_log(rig->writer)->ready; i++)
        if (!sl_sim_step(rig->env))
            sl_sim_advance(rig->env, 100000000);
    return sl_writer_log(rig->writer)->ready;
}

bool rig_open(struct rig *rig, uint64_t seed, struct rig_options options)
{
    struct sl_error error = {0};

    const struct sl_domain *domain = options.domain ? options.domain : &rig_domain;

    *rig = (struct rig){.options = options};
    return sl_env_sim_new(seed, &rig->env) == SL_OK &&
           sl_model_init(&rig->model, domain, &error) == SL_OK && rig_start(rig);
}

void rig_stop(struct rig *rig)
{
    struct sl_writer *writer = rig->writer;

    rig->writer = NULL; /* nothing reaches it any more */
    sl_event_store_close(rig->store);
    sl_writer_stop(writer);
    sl_env_stop(rig->env, rig->mailbox);
    sl_writer_close(writer);
}

void rig_crash(struct rig *rig)
{
    struct sl_writer *writer = rig->writer;

    rig->writer = NULL;
    sl_event_store_close(rig->store);
    sl_writer_stop(writer);
    sl_sim_power_loss(rig->env);
    sl_env_stop(rig->env, rig->mailbox);
    sl_writer_close(writer);
    for (size_t i = 0; i < rig->command_count; i++)
        rig->commands[i].message.kind = 0;
    rig->missed = true;
}

bool rig_reopen(struct rig *rig)
{
    rig_stop(rig);
    return rig_start(rig);
}

void rig_close(struct rig *rig)
{
    rig_stop(rig);
    sl_model_close(&rig->model);
    sl_env_free(rig->env);
}

/* ---- Commands -------------------------------------------------------------------------------- */

static struct sl_text name_in(struct rig_command *command, int place, const char *name)
{
    const int len =
        snprintf(command->names[place], sizeof command->names[place], "%s", name);
    return (struct sl_text){command->names[place], (size_t)len};
}

struct rig_command *rig_new(struct rig *rig, const char *name)
{
    static const struct sl_principal nobody;
    const size_t place = rig->command_count++;
    struct rig_command *command = &rig->commands[place];
    const struct sl_text text = {name, strlen(name)};

    SL_ASSERT(place < RIG_COMMANDS_MAX);
    const uint64_t id = ++rig->ids;

    *command = (struct rig_command){
        .rig = rig,
        .submission = {.command = sl_model_command(&rig->model, text)->command,
                       .body = &command->body,
                       .id = {{1, (uint8_t)id, (uint8_t)(id >> 8), (uint8_t)(id >> 16)}},
                       .digest = {{2, (uint8_t)id, (uint8_t)(id >> 8), (uint8_t)(id >> 16)}},
                       .principal = &nobody,
                       .done = done,
                       .user = command}};
    return command;
}

struct rig_command *rig_put(struct rig *rig, const char *id, int64_t amount)
{
    struct rig_command *command = rig_new(rig, "Put");

    command->body.put = (struct rig_put){name_in(command, 0, id), amount};
    return command;
}

struct rig_command *rig_move(struct rig *rig, const char *from, const char *to, int64_t amount)
{
    struct rig_command *command = rig_new(rig, "Move");
    char id[32];

    snprintf(id, sizeof id, "m%zu", rig->command_count);
    command->body.move = (struct rig_move){name_in(command, 0, id), name_in(command, 1, from),
                                           name_in(command, 2, to), amount};
    return command;
}

struct rig_command *rig_ping(struct rig *rig, const char *account)
{
    struct rig_command *command = rig_new(rig, "Ping");

    command->body.ping =
        (struct rig_ping){name_in(command, 0, "p"), name_in(command, 1, account)};
    return command;
}

struct rig_command *rig_note(struct rig *rig, const char *id, const char *note)
{
    struct rig_command *command = rig_new(rig, "Note");

    command->body.note = (struct rig_note){name_in(command, 0, id), name_in(command, 1, note)};
    return command;
}

struct rig_command *rig_many(struct rig *rig, const char *id, uint32_t count, uint32_t bytes)
{
    struct rig_command *command = rig_new(rig, "Many");

    command->body.many = (struct rig_many){name_in(command, 0, id), count, bytes};
    return command;
}

struct rig_command *rig_chain(struct rig *rig, uint32_t rounds, uint32_t width)
{
    struct rig_command *command = rig_new(rig, "Chain");

    command->body.chain = (struct rig_chain){name_in(command, 0, "c"), rounds, width};
    return command;
}

struct rig_command *rig_blame(struct rig *rig, const char *id)
{
    struct rig_command *command = rig_new(rig, "Blame");

    command->body.blame = (struct rig_blame){name_in(command, 0, id)};
    return command;
}

struct rig_command *rig_unless(struct rig_command *command, const char *tag, const char *other,
                               uint64_t since)
{
    command->unless[0] = (struct sl_text){tag, strlen(tag)};
    command->unless[1] = (struct sl_text){other, other ? strlen(other) : 0};
    command->submission.unless_tagged = command->unless;
    command->submission.unless_tag_count = other ? 2 : 1;
    command->submission.unless_since = since;
    return command;
}

void rig_send(struct rig *rig, struct rig_command *command)
{
    command->status = 0;
    command->message = (struct sl_message){.kind = SUBMIT};
    sl_mailbox_post(rig->mailbox, &command->message);
}

void rig_step(struct rig *rig, int steps)
{
    while (steps-- > 0 && sl_sim_step(rig->env))
        continue;
}

bool rig_wait(struct rig *rig, const struct rig_command *command)
{
    for (int i = 0; command->status == 0 && i < 400000; i++)
        if (!sl_sim_step(rig->env))
            sl_sim_advance(rig->env, 50000000);
    return command->status != 0;
}

bool rig_wait_all(struct rig *rig)
{
    for (size_t i = 0; i < rig->command_count; i++)
        if (rig->commands[i].message.kind == SUBMIT && !rig_wait(rig, &rig->commands[i]))
            return false;
    return true;
}

int rig_do(struct rig *rig, struct rig_command *command)
{
    rig_send(rig, command);
    rig_wait(rig, command);
    return command->status;
}

bool rig_look(struct rig *rig, const char *id)
{
    struct rig_command *command = rig_new(rig, "Look");

    command->body.look = (struct rig_look){name_in(command, 0, id)};
    const bool good = rig_do(rig, command) == 201;
    rig->command_count--; /* it may be used again */
    rig->commands[rig->command_count].message.kind = 0;
    return good;
}
