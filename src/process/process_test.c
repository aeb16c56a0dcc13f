/*
 * What a process promises, promise by promise: on the real log, write side and view store, in the
 * simulated world. Its own domain's commands come back to it as events; doors may be shut to what
 * it sends, the power may fail at any step, clocks may jump, and its instances may be lost (V1,
 * V3).
 */
#include "process/process.h"

#include <stdio.h>
#include <string.h>

#include "base/env_sim.h"
#include "command/writer.h"
#include "consumer/consumer.h"
#include "stores/log/log_store.h"
#include "stores/sqlite/sqlite.h"
#include "tap/tap.h"

/* ---- The domain ------------------------------------------------------------------------------ */

struct thing {
    struct sl_text id, what;
    int64_t in_s;
};
static const struct sl_record thing_record =
    SL_RECORD(struct thing, SL_FIELD(struct thing, id), SL_FIELD(struct thing, what),
              SL_FIELD(struct thing, in_s));

struct things {
    uint64_t events;
};
static const struct sl_record things_record =
    SL_RECORD(struct things, SL_FIELD(struct things, events));

static const struct sl_event_type opened = {"Opened", 1, &thing_record};
static const struct sl_event_type paid = {"Paid", 1, &thing_record};
static const struct sl_event_type noted = {"Noted", 1, &thing_record};

static void evolve(void *state, const struct sl_event *event)
{
    (void)event;
    ((struct things *)state)->events++;
}

static const struct sl_aggregate things = {"thing", &things_record, evolve};

static bool says(struct sl_text text, const char *word)
{
    return sl_text_equals(text, (struct sl_text){word, strlen(word)});
}

static enum sl_verdict emit(const struct sl_case *c, struct sl_decision *out,
                            const struct sl_event_type *type)
{
    struct thing *event = sl_emit(out, type, 0);

    *event = *(const struct thing *)c->command;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_open(const struct sl_case *c, struct sl_decision *out)
{
    return emit(c, out, &opened);
}

static enum sl_verdict decide_pay(const struct sl_case *c, struct sl_decision *out)
{
    if (says(((const struct thing *)c->command)->what, "poor"))
        return sl_refuse(out, "too_poor", "there is too little");
    return emit(c, out, &paid);
}

static enum sl_verdict decide_note(const struct sl_case *c, struct sl_decision *out)
{
    return emit(c, out, &noted);
}

/* What an instance knows: how many events it saw, and whether one came twice or out of order. */
struct clerk {
    struct sl_text id;
    uint64_t seen, next, wrong;
};
static const struct sl_record clerk_record =
    SL_RECORD(struct clerk, SL_FIELD(struct clerk, id), SL_FIELD(struct clerk, seen),
              SL_FIELD(struct clerk, next), SL_FIELD(struct clerk, wrong));

static const char *lost_domain; /* which commands of "lost" things go to */

static void send_thing(struct sl_reaction *out, const char *domain, const char *command,
                       struct sl_text id, struct sl_text what)
{
    struct thing *body = sl_send(out, domain, command);

    *body = (struct thing){.id = id, .what = what};
}

static void react(const struct sl_event *event, void *state, struct sl_reaction *out)
{
    struct clerk *clerk = state;
    struct sl_text rule;

    clerk->seen++;
    clerk->wrong += event->position < clerk->next;
    clerk->next = event->position + 1;
    if (sl_timer_fired(event, "late")) {
        send_thing(out, "test", "Note", clerk->id, SL_TEXT("fired"));
    } else if (sl_command_refused(event, "Pay", &rule)) {
        send_thing(out, "test", "Note", clerk->id, rule);
    } else if (event->type == &opened) {
        const struct thing *thing = event->body;
        clerk->id = thing->id;
        if (says(thing->what, "wait"))
            sl_timer_set(out, "late", sl_time_after(event->time, thing->in_s));
        else if (says(thing->what, "clear"))
            sl_timer_clear(out, "late");
        else
            send_thing(out, says(thing->what, "lost") ? lost_domain : "test", "Pay", thing->id,
                       thing->what);
    }
}

static const struct sl_command commands[] = {
    {"Open", &thing_record, decide_open, SL_LIST(const struct sl_need, {&things, "id"})},
    {"Pay", &thing_record, decide_pay, SL_LIST(const struct sl_need, {&things, "id"})},
    {"Note", &thing_record, decide_note, SL_LIST(const struct sl_need, {&things, "id"})},
};
static const struct sl_process clerks = {"clerk", "id", &clerk_record, react};
static const struct sl_domain domain = {
    .name = "test",
    .events = SL_LIST(const struct sl_event_type *const, &opened, &paid, &noted),
    .commands = {commands, 3},
    .processes = {&clerks, 1}};

/* ---- The engine around it -------------------------------------------------------------------- */

enum { OPEN = 1, SCAN, RETRY, SENT_MAX = 64, LOG_MAX = 1024 };

static struct world {
    struct sl_env *env;
    struct sl_mailbox *mailbox;
    struct sl_model model;
    struct sl_event_store *store;
    struct sl_view_service *views;
    struct sl_writer *writer;
    struct sl_process_runner *process;
    bool reigned, on;
    bool submitted; /* something, since the writer's last turn */
    bool shut;      /* what the process sends of the domain's commands is not taken */
    unsigned turned_away;
    struct sl_uuid sent[SENT_MAX]; /* ids of Pay and Note as they were sent, again and again */
    size_t sent_count;
    /* The one command of a test's hand. */
    struct sl_message message, retry;
    struct sl_submission open;
    struct thing body;
    char id[16], what[16];
    int status;
    unsigned opens;
    bool retried; /* it stood somewhere */
    /* The log as it was read last. */
    struct sl_read scan;
    bool scanned;
    struct line {
        char type[24], id[16], what[16];
        struct sl_time time;
    } log[LOG_MAX];
    size_t log_count;
} world;

static void *find_domain(void *context, const char *name)
{
    return strcmp(name, "test") == 0 ? context : NULL;
}

static const struct sl_command *find_command(void *context, const char *name)
{
    const struct sl_command_model *found =
        sl_model_command(&((struct world *)context)->model, (struct sl_text){name, strlen(name)});
    return found ? found->command : NULL;
}

static void submit(void *context, struct sl_submission *submission)
{
    (void)context;
    if (submission->command->name[0] != '$') {
        world.sent[world.sent_count++ % SENT_MAX] = submission->id;
        if (world.shut) {
            world.turned_away++;
            submission->done(submission, &(struct sl_outcome){.status = 503,
                                                              .rule = SL_TEXT("overloaded"),
                                                              .message = SL_TEXT("shut"),
                                                              .id = submission->id});
            return;
        }
    }
    world.submitted = true;
    sl_writer_submit(world.writer, submission);
}

static void tell_log(void *context, struct sl_uuid *log, uint64_t *salt)
{
    (void)context;
    *log = sl_writer_log(world.writer)->log;
    *salt = sl_writer_log(world.writer)->salt;
}

static bool knows(void *context, uint64_t salt, uint64_t position)
{
    const struct sl_writer_log *log = sl_writer_log(world.writer);

    (void)context;
    for (size_t i = 0; i < log->epoch_count; i++)
        if (log->epochs[i].salt == salt)
            return position <=
                   (i + 1 < log->epoch_count ? log->epochs[i + 1].first_position : log->durable);
    return false;
}

static uint64_t salt_at(void *context, uint64_t position)
{
    (void)context;
    return sl_writer_salt_at(sl_writer_log(world.writer), position);
}

static void on_reign(void *context)
{
    struct sl_error error = {0};

    (void)context;
    if (world.reigned)
        sl_process_reign_again(world.process);
    else
        SL_ASSERT(sl_process_reigns(world.process, &error) == SL_OK);
    world.reigned = true;
    sl_process_follow(world.process, sl_writer_log(world.writer)->durable);
}

static void on_durable(void *context, const struct sl_event *events,
                       const struct sl_stored_event *stored, size_t count)
{
    (void)context, (void)stored;
    sl_process_offer(world.process, events, count);
}

static void on_answer(void *context, struct sl_submission *submission,
                      const struct sl_outcome *outcome)
{
    (void)context;
    submission->done(submission, outcome);
}

static void note_scan(void)
{
    struct sl_read *read = &world.scan;

    for (size_t i = 0; i < read->event_count && world.log_count < LOG_MAX; i++) {
        struct line *line = &world.log[world.log_count++];
        struct sl_event event;
        struct sl_error error;
        SL_ASSERT(sl_model_decode(&world.model, &read->events[i], &read->arena, &event, &error) ==
                  SL_OK);
        *line = (struct line){.time = event.time};
        snprintf(line->type, sizeof line->type, "%s", event.type->name);
        if (event.type->name[0] == '$')
            continue;
        const struct thing *thing = event.body;
        snprintf(line->id, sizeof line->id, "%.*s", (int)thing->id.len, thing->id.ptr);
        snprintf(line->what, sizeof line->what, "%.*s", (int)thing->what.len, thing->what.ptr);
    }
    sl_arena_close(&read->arena);
    world.scanned = true;
}

static void step(void *self, struct sl_message *message)
{
    const uint32_t kind = message->kind;

    (void)self;
    if (!world.on)
        return;
    if (kind == OPEN)
        sl_writer_submit(world.writer, &world.open);
    else if (kind == RETRY)
        world.retried = sl_process_retry(world.process);
    else if (kind == SCAN)
        note_scan();
    else if (kind >= SL_WRITER_MESSAGE_FIRST && kind <= SL_WRITER_MESSAGE_LAST)
        sl_writer_step(message);
    else if (kind == SL_CONSUMER_MESSAGE_READ)
        sl_consumer_step(message);
    else if (kind >= SL_PROCESS_MESSAGE_FIRST && kind <= SL_PROCESS_MESSAGE_LAST)
        sl_process_step(message);
    else
        sl_view_service_step(world.views, message);
}

static int64_t turn(void *self)
{
    const int64_t now = sl_env_monotonic(world.env);

    (void)self;
    if (!world.on)
        return INT64_MAX;
    const int64_t process = sl_process_turn(world.process, now);
    world.submitted = false;
    const int64_t writer = sl_writer_turn(world.writer, false);
    if (world.submitted)
        return now;
    return process < writer ? process : writer;
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "segment_bytes") == 0 ? "1048576" : NULL;
}

static bool start(void)
{
    const struct sl_actor actor = {.name = "engine", .self = &world, .step = step, .turn = turn};
    const struct sl_store_options store = {"data/log", "test", setting, NULL};
    struct sl_error error = {0};

    world.reigned = false;
    if (sl_disk_make_folder(world.env, "data", &error) != SL_OK ||
        sl_env_start(world.env, &actor, &world.mailbox, &error) != SL_OK ||
        sl_event_store_open(&sl_log_store_ops, world.env, &store, &world.store, &error) != SL_OK)
        return false;
    const struct sl_view_service_options service = {.ops = &sl_sqlite_view_store,
                                                    .store = {.location = "data/views"},
                                                    .engine = world.mailbox,
                                                    .readers = 1};
    const struct sl_process_options process = {.env = world.env,
                                               .mailbox = world.mailbox,
                                               .process = &clerks,
                                               .model = &world.model,
                                               .store = world.store,
                                               .host = {.find = find_domain,
                                                        .command = find_command,
                                                        .submit = submit,
                                                        .log = tell_log,
                                                        .knows = knows,
                                                        .salt_at = salt_at,
                                                        .context = &world,
                                                        .own = &world}};
    const struct sl_writer_options writer = {.env = world.env,
                                             .mailbox = world.mailbox,
                                             .model = &world.model,
                                             .store = world.store,
                                             .queue_max = 1024,
                                             .id_window_s = 86400,
                                             .aggregate_memory_max = 16u << 20,
                                             .reigns = on_reign,
                                             .durable = on_durable,
                                             .answer = on_answer};
    struct sl_process_options with_views = process;
    if (sl_view_service_open(world.env, &service, &world.views, &error) != SL_OK)
        return false;
    with_views.views = world.views;
    if (sl_process_open(&with_views, &world.process, &error) != SL_OK ||
        sl_writer_open(&writer, &world.writer, &error) != SL_OK)
        return false;
    world.on = true;
    return true;
}

/* With whatever is under way. */
static void stop(void)
{
    sl_process_stop(world.process);
    sl_writer_stop(world.writer);
    sl_event_store_close(world.store);
    sl_view_service_close(world.views);
    world.on = false;
    sl_env_stop(world.env, world.mailbox);
    sl_process_close(world.process);
    sl_writer_close(world.writer);
}

static bool begin(uint64_t seed)
{
    struct sl_error error = {0};

    world = (struct world){0};
    lost_domain = "nobody";
    return CHECK(sl_env_sim_new(seed, &world.env) == SL_OK) &&
           CHECK(sl_model_init(&world.model, &domain, &error) == SL_OK) &&
           CHECK(sl_process_prepare(&world.model, &error) == SL_OK) && CHECK(start());
}

static void end(void)
{
    stop();
    sl_model_close(&world.model);
    sl_env_free(world.env);
}

static void pass(int64_t seconds)
{
    sl_sim_run(world.env, sl_env_monotonic(world.env) + seconds * 1000000000);
}

/* ---- What tests do and see ------------------------------------------------------------------- */

static void answered(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    (void)submission;
    world.status = outcome->status;
}

/* Posts the command; `pass` brings its answer. */
static void open_thing(const char *id, const char *what, int64_t in_s)
{
    static const struct sl_principal nobody;

    snprintf(world.id, sizeof world.id, "%s", id);
    snprintf(world.what, sizeof world.what, "%s", what);
    world.body =
        (struct thing){{world.id, strlen(world.id)}, {world.what, strlen(world.what)}, in_s};
    const struct sl_uuid own = {{7, (uint8_t)++world.opens, 0, 0, 0, 0, 0x40, 0, 0x80}};
    world.open = (struct sl_submission){.command = &commands[0],
                                        .body = &world.body,
                                        .id = own,
                                        .digest = own,
                                        .principal = &nobody,
                                        .done = answered};
    world.message = (struct sl_message){.kind = OPEN};
    sl_mailbox_post(world.mailbox, &world.message);
}

/* An operator's word, on the engine's thread; false: it stands nowhere. */
static bool retry(void)
{
    world.retry = (struct sl_message){.kind = RETRY};
    sl_mailbox_post(world.mailbox, &world.retry);
    pass(0);
    return world.retried;
}

static void scan_log(void)
{
    world.scanned = false;
    world.log_count = 0;
    world.scan = (struct sl_read){.message = {.reply_to = world.mailbox, .kind = SCAN},
                                  .by = SL_READ_POSITION,
                                  .until = UINT64_MAX,
                                  .count_max = LOG_MAX,
                                  .bytes_max = 1 << 20};
    sl_event_store_read(world.store, &world.scan);
    for (int i = 0; i < 1000 && !world.scanned; i++)
        pass(1);
    CHECK(world.scanned);
}

/* Events in the log as it was read last; NULL: whichever. */
static unsigned events(const char *type, const char *id, const char *what)
{
    unsigned count = 0;

    for (size_t i = 0; i < world.log_count; i++)
        count += (!type || strcmp(world.log[i].type, type) == 0) &&
                 (!id || strcmp(world.log[i].id, id) == 0) &&
                 (!what || strcmp(world.log[i].what, what) == 0);
    return count;
}

/* A number of an instance's state; UINT64_MAX: there is no such instance. */
static uint64_t knowledge(const char *id, const char *field)
{
    const struct sl_text key = {id, strlen(id)};
    char name[32];
    struct sl_view_row row;
    enum sl_lookup_result result;
    unsigned long long number = 0;

    while ((result = sl_view_lookup(sl_process_table(world.process), key, &row)) ==
           SL_LOOKUP_PENDING) {
        if (!CHECK(sl_view_fetch(sl_process_table(world.process), key) == SL_OK))
            return UINT64_MAX;
        pass(1);
    }
    snprintf(name, sizeof name, "\"%s\":", field);
    const char *at =
        result == SL_LOOKUP_FOUND ? memmem(row.json.ptr, row.json.len, name, strlen(name)) : NULL;
    if (!CHECK(at) || !CHECK(sscanf(at + strlen(name), "%llu", &number) == 1))
        return UINT64_MAX;
    return number;
}

/* All of an instance's events, each once and in order. */
static void saw(const char *id, uint64_t count)
{
    CHECK_U64(knowledge(id, "seen"), count);
    CHECK_U64(knowledge(id, "wrong"), 0);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void each_event_once_and_in_order(void)
{
    static const char *const ids[] = {"a", "b", "c"};

    if (!begin(1))
        return;
    for (int i = 0; i < 12; i++) {
        open_thing(ids[i % 3], "pay", 0);
        pass(3);
        CHECK_U64(world.status, 201);
        if (i % 4 == 3) {
            stop();
            REQUIRE(start());
        }
    }
    scan_log();
    CHECK_U64(events("Paid", NULL, NULL), 12);
    for (int i = 0; i < 3; i++) {
        CHECK_U64(events("Paid", ids[i], NULL), 4);
        saw(ids[i], 8);
    }
    end();
}

/* The power fails after any number of steps; what was sent is sent again, and changes nothing. */
static void a_crash_sends_nothing_twice(void)
{
    unsigned again = 0;

    for (uint64_t steps = 1; steps < 160; steps += TAP_TIMES(4, 12)) {
        if (!begin(1000 + steps))
            return;
        pass(2);
        open_thing("a", "pay", 0);
        for (uint64_t i = 0; i < steps; i++)
            if (!sl_sim_step(world.env))
                sl_sim_advance(world.env, 20000000);
        stop();
        sl_sim_power_loss(world.env);
        sl_sim_advance(world.env, 1000000000);
        REQUIRE(start());
        pass(5);
        scan_log();
        CHECK_U64(events("Paid", "a", NULL), events("Opened", "a", NULL));
        if (events("Opened", "a", NULL) == 1)
            saw("a", 2);
        /* Always the same id. */
        for (size_t i = 1; i < world.sent_count; i++)
            CHECK(sl_uuid_equals(world.sent[i], world.sent[0]));
        again += world.sent_count > 1;
        end();
    }
    CHECK(again > 0);
}

static void a_timer_is_never_early_and_fires_once(void)
{
    if (!begin(3))
        return;
    pass(1);
    open_thing("a", "wait", 100);
    pass(90);
    scan_log();
    CHECK_U64(events("$TimerFired", NULL, NULL), 0);
    const int64_t set_ns = world.log[0].time.ns;
    pass(200);
    scan_log();
    CHECK_U64(events("$TimerFired", NULL, NULL), 1);
    CHECK_U64(events("Noted", "a", "fired"), 1);
    for (size_t i = 0; i < world.log_count; i++)
        if (strcmp(world.log[i].type, "$TimerFired") == 0)
            CHECK(world.log[i].time.ns >= set_ns + INT64_C(100000000000));
    saw("a", 3);
    stop();
    REQUIRE(start());
    pass(300);
    scan_log();
    CHECK_U64(events("$TimerFired", NULL, NULL), 1);
    end();
}

/* Set anew it fires at the new time alone; cleared, not at all. */
static void a_timer_is_set_anew_or_cleared(void)
{
    if (!begin(4))
        return;
    pass(1);
    open_thing("a", "wait", 100);
    pass(50);
    open_thing("a", "wait", 100);
    pass(10);
    open_thing("b", "wait", 100);
    pass(10);
    open_thing("b", "clear", 0);
    pass(60);
    scan_log();
    CHECK_U64(events("Noted", NULL, "fired"), 0);
    pass(300);
    scan_log();
    CHECK_U64(events("Noted", "a", "fired"), 1);
    CHECK_U64(events("Noted", "b", "fired"), 0);
    end();
}

static void a_timer_that_fell_due_while_stopped(void)
{
    if (!begin(5))
        return;
    pass(1);
    open_thing("a", "wait", 100);
    pass(10);
    stop();
    sl_sim_advance(world.env, INT64_C(1000000000000));
    REQUIRE(start());
    pass(5);
    scan_log();
    CHECK_U64(events("Noted", "a", "fired"), 1);
    saw("a", 3);
    end();
}

static void clocks_that_jump(void)
{
    if (!begin(6))
        return;
    pass(1);
    open_thing("a", "wait", 1000);
    pass(10);
    /* Backwards: it waits longer, and is not lost. */
    sl_sim_jump(world.env, -INT64_C(500000000000));
    pass(1200);
    scan_log();
    CHECK_U64(events("Noted", NULL, NULL), 0);
    /* Forward: noticed within a minute. */
    sl_sim_jump(world.env, INT64_C(500000000000));
    pass(62);
    scan_log();
    CHECK_U64(events("Noted", "a", "fired"), 1);
    sl_sim_jump(world.env, -INT64_C(900000000000));
    pass(2000);
    scan_log();
    CHECK_U64(events("Noted", NULL, NULL), 1);
    end();
}

static void a_refusal_comes_back(void)
{
    if (!begin(7))
        return;
    pass(1);
    open_thing("a", "poor", 0);
    pass(5);
    scan_log();
    CHECK_U64(events("$RefusalTold", NULL, NULL), 1);
    CHECK_U64(events("Noted", "a", "too_poor"), 1);
    CHECK_U64(events("Paid", NULL, NULL), 0);
    saw("a", 3); /* Opened, the refusal, Noted */
    CHECK(sl_process_status(world.process).state == SL_PROCESS_RUNNING);
    end();
}

/* What is not taken is sent again under the same id, is seen, and nothing overtakes it. */
static void a_shut_door(void)
{
    if (!begin(8))
        return;
    pass(1);
    world.shut = true;
    open_thing("a", "pay", 0);
    pass(1);
    open_thing("b", "pay", 0);
    pass(10);
    struct sl_process_status status = sl_process_status(world.process);
    CHECK(status.state == SL_PROCESS_WAITING && status.stuck && status.tries >= 3);
    CHECK_U64(status.position, 0);
    CHECK(says(status.key, "a") && says(status.command, "test.Pay") && says(status.why, "shut"));
    for (size_t i = 1; i < world.sent_count; i++)
        CHECK(sl_uuid_equals(world.sent[i], world.sent[0]));
    const unsigned turned_away = world.turned_away;
    CHECK(retry());
    CHECK(world.turned_away > turned_away);
    world.shut = false;
    pass(5);
    scan_log();
    CHECK_U64(events("Paid", "a", NULL), 1);
    CHECK_U64(events("Paid", "b", NULL), 1);
    status = sl_process_status(world.process);
    CHECK(status.state == SL_PROCESS_RUNNING && !status.stuck);
    CHECK(!retry());
    end();
}

/* Its reaction fails: it stands there, also over a restart, until that is mended. */
static void a_failing_reaction(void)
{
    if (!begin(9))
        return;
    pass(1);
    open_thing("a", "lost", 0);
    pass(2);
    open_thing("b", "pay", 0);
    pass(2);
    for (int i = 0; i < 2; i++) {
        const struct sl_process_status status = sl_process_status(world.process);
        CHECK(status.state == SL_PROCESS_DEGRADED && status.stuck);
        CHECK_U64(status.position, 0);
        CHECK(says(status.key, "a") && status.why.len > 0);
        CHECK(retry());
        pass(2);
        CHECK(sl_process_status(world.process).tries > status.tries);
        stop();
        REQUIRE(start());
        pass(2);
    }
    lost_domain = "test";
    CHECK(retry());
    pass(5);
    CHECK(sl_process_status(world.process).state == SL_PROCESS_RUNNING);
    scan_log();
    CHECK_U64(events("Paid", "a", NULL), 1);
    CHECK_U64(events("Paid", "b", NULL), 1);
    end();
}

static void remove_one(void *context, const char *name)
{
    char path[256];
    struct sl_error error;

    (void)context;
    snprintf(path, sizeof path, "data/views/%s", name);
    CHECK(sl_disk_remove(world.env, path, &error) == SL_OK);
}

/* The instances are lost: they come back out of the log, timers and all, and nothing is sent. */
static void lost_instances(void)
{
    struct sl_error error;

    if (!begin(10))
        return;
    pass(1);
    open_thing("a", "pay", 0);
    pass(5);
    open_thing("b", "wait", 1000);
    pass(5);
    stop();
    const size_t sent = world.sent_count;
    CHECK(sl_disk_list(world.env, "data/views", remove_one, NULL, &error) == SL_OK);
    REQUIRE(start());
    pass(10);
    saw("a", 2);
    saw("b", 1);
    CHECK_U64(world.sent_count, sent);
    pass(1100);
    scan_log();
    CHECK_U64(events("Paid", "a", NULL), 1);
    CHECK_U64(events("Noted", "b", "fired"), 1);
    end();
}

int main(void)
{
    return TAP_RUN({"each event once and in order", each_event_once_and_in_order},
                   {"a crash sends nothing twice", a_crash_sends_nothing_twice},
                   {"a timer is never early and fires once", a_timer_is_never_early_and_fires_once},
                   {"a timer is set anew or cleared", a_timer_is_set_anew_or_cleared},
                   {"a timer that fell due while stopped", a_timer_that_fell_due_while_stopped},
                   {"clocks that jump", clocks_that_jump},
                   {"a refusal comes back", a_refusal_comes_back}, {"a shut door", a_shut_door},
                   {"a failing reaction", a_failing_reaction}, {"lost instances", lost_instances});
}
