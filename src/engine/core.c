/*
 * The engine's life: open, step, turn, drain, close. How a domain is put together: the writer's
 * durable events go to each view's and process's loop, then its answers leave.
 */
#include "engine/core.h"

#include <stdlib.h>
#include <string.h>

enum { READER_QUIET_NS = 20000000 };

static struct sl_text text_of(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

/* ---- A view as a sink ------------------------------------------------------------------------ */

static uint64_t view_position(void *self)
{
    const struct sl_core_view *view = self;
    const struct sl_view_status status = sl_view_table_status(view->table);

    return status.attached ? status.position : SL_SINK_NOT_STARTED;
}

enum sl_sink_result sl_core_view_take(struct sl_core_view *view, const struct sl_event *event)
{
    /* The engine's own events are no business of a domain's views. */
    if (event->type->name[0] == '$') {
        sl_view_advance(view->table, event->position + 1);
        return SL_SINK_TOOK;
    }
    switch (sl_view_project(view->table, event)) {
    case SL_VIEW_APPLIED:
        return SL_SINK_TOOK;
    case SL_VIEW_WAITS:
        return SL_SINK_WAITS;
    case SL_VIEW_STUCK:
        sl_core_recall_skips(view);
        break;
    }
    return SL_SINK_STUCK;
}

static enum sl_sink_result view_take(void *self, const struct sl_event *event)
{
    return sl_core_view_take(self, event);
}

void sl_core_view_broken(struct sl_core_view *view, uint64_t position, const char *why)
{
    sl_view_break(view->table, position, why);
    sl_core_recall_skips(view);
}

static void view_broken(void *self, uint64_t position, const char *why)
{
    sl_core_view_broken(self, position, why);
}

static void view_foresee(void *self, const struct sl_event *event)
{
    if (event->type->name[0] != '$')
        sl_view_foresee(((struct sl_core_view *)self)->table, event);
}

static void view_advance(void *self, uint64_t position)
{
    sl_view_advance(((struct sl_core_view *)self)->table, position);
}

void sl_core_view_moved(void *context)
{
    struct sl_core_view *view = context;

    view->moved = true;
}

/* Is a checkpoint part of this log's history? (P9) */
static bool domain_knows(const struct sl_core_domain *domain, uint64_t salt, uint64_t position)
{
    const struct sl_writer_log *log = sl_writer_log(domain->writer);

    for (size_t i = 0; i < log->epoch_count; i++) {
        if (log->epochs[i].salt != salt)
            continue;
        const uint64_t end =
            i + 1 < log->epoch_count ? log->epochs[i + 1].first_position : log->durable;
        return position <= end;
    }
    return false;
}

static bool knows(void *context, uint64_t salt, uint64_t position)
{
    return domain_knows(((const struct sl_core_view *)context)->domain, salt, position);
}

static enum sl_err open_view(struct sl_core_view *view, struct sl_error *error)
{
    struct sl_core_domain *domain = view->domain;
    const struct sl_writer_log *log = sl_writer_log(domain->writer);
    const struct sl_view_table_options options = {.domain = domain->domain->name,
                                                  .view = view->view,
                                                  .log = log->log,
                                                  .salt = log->salt,
                                                  .knows = knows,
                                                  .memory_max =
                                                      domain->core->options.view_memory_max,
                                                  .moved = sl_core_view_moved,
                                                  .context = view,
                                                  .settles = true};

    view->consumer = (struct sl_consumer){
        .sink = {view_position, view_take, view_advance, view, view_broken, view_foresee},
        .store = domain->store,
        .model = &domain->model,
        .mailbox = domain->core->options.mailbox};
    return sl_view_table_open(domain->core->views, &options, &view->table, error);
}

/* ---- What the writer tells ------------------------------------------------------------------- */

static enum sl_err open_followers(struct sl_core_domain *domain, struct sl_error *error)
{
    enum sl_err err = SL_OK;

    for (size_t i = 0; i < domain->view_count && !err; i++)
        err = open_view(&domain->views[i], error);
    for (size_t i = 0; i < domain->process_count && !err; i++)
        err = sl_process_reigns(domain->processes[i], error);
    return err;
}

static void on_reign(void *context)
{
    struct sl_core_domain *domain = context;
    struct sl_core *core = domain->core;
    const struct sl_writer_log *log = sl_writer_log(domain->writer);

    if (core->err)
        return; /* the program ends for it */
    if (!domain->reigned) {
        domain->reigned = true;
        enum sl_err err = open_followers(domain, &core->error);
        if (err) {
            core->err = err;
            return;
        }
    } else {
        for (size_t i = 0; i < domain->view_count; i++)
            sl_view_table_reign(domain->views[i].table, log->salt);
        for (size_t i = 0; i < domain->process_count; i++)
            sl_process_reign_again(domain->processes[i]);
        sl_core_rebuild_reigns(domain);
    }
    for (size_t i = 0; i < domain->view_count; i++)
        sl_consumer_follow(&domain->views[i].consumer, log->durable);
    for (size_t i = 0; i < domain->process_count; i++)
        sl_process_follow(domain->processes[i], log->durable);
    sl_core_tell_from(domain, log->durable);
}

/* To the views that answers wait for, or to the others. */
static void offer(struct sl_core_domain *domain, bool strong, const struct sl_event *events,
                  size_t count)
{
    for (size_t i = 0; i < domain->view_count; i++)
        if (domain->views[i].view->strong == strong)
            sl_consumer_offer(&domain->views[i].consumer, events, count);
}

static void on_durable(void *context, const struct sl_event *events,
                       const struct sl_stored_event *stored, size_t count)
{
    (void)stored;
    offer(context, true, events, count);
}

/* No request is handled in between: whoever was answered and asks at once finds all of it done. */
static void on_answered(void *context, const struct sl_event *events,
                        const struct sl_stored_event *stored, size_t count)
{
    struct sl_core_domain *domain = context;
    const struct sl_core_options *options = &domain->core->options;

    if (options->send)
        options->send(options->context);
    if (count == 0)
        return;
    offer(domain, false, events, count);
    sl_core_rebuild_offer(domain, events, count);
    for (size_t i = 0; i < domain->process_count; i++)
        sl_process_offer(domain->processes[i], events, count);
    sl_core_tell(domain, stored, count);
    if (domain->waits)
        sl_core_check_waits(domain);
}

static void on_answer(void *context, struct sl_submission *submission,
                      const struct sl_outcome *outcome)
{
    struct sl_core_domain *domain = context;

    if (domain->has_strong && outcome->status == 201 &&
        sl_core_is_behind(domain, outcome->position))
        sl_core_hold(domain, submission, outcome);
    else
        submission->done(submission, outcome);
}

/* ---- Opening --------------------------------------------------------------------------------- */

static enum sl_err check_views(const struct sl_core *core, const struct sl_domain *domain,
                               struct sl_error *error)
{
    for (size_t i = 0; i < domain->views.count; i++) {
        struct sl_view_shape shape;
        enum sl_err err = sl_view_shape_init(&shape, domain->name, &domain->views.items[i], error);
        if (!err)
            err = sl_view_store_check(core->options.view_store, &shape, error);
        if (err)
            return err;
    }
    return SL_OK;
}

/* ---- What processes ask of their domain ------------------------------------------------------ */

static void *find_domain(void *context, const char *name)
{
    struct sl_core_domain *domain = context;

    return sl_core_find(domain->core, text_of(name));
}

static const struct sl_command *find_command(void *domain, const char *name)
{
    return sl_core_command(domain, text_of(name));
}

static void submit_to(void *domain, struct sl_submission *submission)
{
    sl_core_submit(domain, submission);
}

static void tell_log(void *context, struct sl_uuid *log, uint64_t *salt)
{
    const struct sl_writer_log *known =
        sl_writer_log(((const struct sl_core_domain *)context)->writer);

    *log = known->log;
    *salt = known->salt;
}

static uint64_t tell_salt(void *context, uint64_t position)
{
    return sl_writer_salt_at(sl_writer_log(((const struct sl_core_domain *)context)->writer),
                             position);
}

static bool process_knows(void *context, uint64_t salt, uint64_t position)
{
    return domain_knows(context, salt, position);
}

static enum sl_err open_processes(struct sl_core_domain *domain, struct sl_error *error)
{
    const struct sl_process_list *list = &domain->domain->processes;

    domain->processes = calloc(list->count + 1, sizeof(void *));
    if (!domain->processes)
        return sl_fail(error, SL_NO_MEMORY, "no memory for processes");
    for (size_t i = 0; i < list->count; i++) {
        for (size_t v = 0; v < domain->view_count; v++)
            if (strcmp(domain->views[v].view->name, list->items[i].name) == 0)
                return sl_fail(error, SL_INVALID, "a view and a process are both named %s",
                               list->items[i].name);
        const struct sl_process_options options = {.env = domain->core->options.env,
                                                   .mailbox = domain->core->options.mailbox,
                                                   .process = &list->items[i],
                                                   .model = &domain->model,
                                                   .store = domain->store,
                                                   .views = domain->core->views,
                                                   .host = {.find = find_domain,
                                                            .command = find_command,
                                                            .submit = submit_to,
                                                            .log = tell_log,
                                                            .knows = process_knows,
                                                            .salt_at = tell_salt,
                                                            .context = domain,
                                                            .own = domain}};
        enum sl_err err = sl_process_open(&options, &domain->processes[i], error);
        if (err)
            return err;
        domain->process_count++;
    }
    return SL_OK;
}

static enum sl_err open_domain(struct sl_core *core, struct sl_core_domain *domain,
                               const struct sl_core_domain_options *options, struct sl_error *error)
{
    const struct sl_view_list *views = &options->domain->views;
    enum sl_err err;

    domain->core = core;
    domain->domain = options->domain;
    err = sl_model_init(&domain->model, options->domain, error);
    if (!err)
        err = check_views(core, options->domain, error);
    if (!err)
        err = sl_process_prepare(&domain->model, error);
    if (!err)
        err = sl_core_prepare_skips(&domain->model, error);
    if (err)
        return err;
    domain->views = calloc(views->count + 1, sizeof *domain->views);
    if (!domain->views)
        return sl_fail(error, SL_NO_MEMORY, "no memory for views");
    for (size_t i = 0; i < views->count; i++, domain->view_count++) {
        domain->views[i].domain = domain;
        domain->views[i].view = &views->items[i];
        domain->has_strong = domain->has_strong || views->items[i].strong;
    }
    err = sl_event_store_open(options->store, core->options.env, &options->store_options,
                              &domain->store, error);
    if (!err)
        err = open_processes(domain, error);
    if (err)
        return err;
    const struct sl_writer_options writer = {.env = core->options.env,
                                             .mailbox = core->options.mailbox,
                                             .model = &domain->model,
                                             .store = domain->store,
                                             .queue_max = core->options.queue_max,
                                             .id_window_s = (uint32_t)core->options.id_window_s,
                                             .id_memory_max = core->options.id_memory_max,
                                             .ids_folder = options->ids_folder,
                                             .aggregate_memory_max =
                                                 core->options.aggregate_memory_max,
                                             .snapshots_folder = options->snapshots,
                                             .reigns = on_reign,
                                             .durable = on_durable,
                                             .answered = on_answered,
                                             .answer = on_answer,
                                             .context = domain};
    return sl_writer_open(&writer, &domain->writer, error);
}

static void set_defaults(struct sl_core_options *options)
{
    options->queue_max = options->queue_max ? options->queue_max : 65536;
    options->id_window_s = options->id_window_s ? options->id_window_s : 86400;
    options->id_memory_max = options->id_memory_max ? options->id_memory_max : (size_t)512 << 20;
    options->aggregate_memory_max =
        options->aggregate_memory_max ? options->aggregate_memory_max : (size_t)256 << 20;
    options->readers = options->readers ? options->readers : 2;
}

enum sl_err sl_core_open(const struct sl_core_options *options, struct sl_core **out,
                         struct sl_error *error)
{
    struct sl_core *core = calloc(1, sizeof *core);

    if (!core)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the engine");
    core->options = *options;
    core->last_reader_ns = INT64_MIN / 2;
    set_defaults(&core->options);
    core->domains = calloc(options->domain_count + 1, sizeof *core->domains);
    if (!core->domains) {
        free(core);
        return sl_fail(error, SL_NO_MEMORY, "no memory for domains");
    }
    const struct sl_view_service_options service = {.ops = options->view_store,
                                                    .store = options->view_store_options,
                                                    .engine = options->mailbox,
                                                    .readers = core->options.readers};
    enum sl_err err = sl_view_service_open(options->env, &service, &core->views, error);
    for (size_t i = 0; i < options->domain_count && !err; i++, core->domain_count++)
        err = open_domain(core, &core->domains[i], &options->domains[i], error);
    if (err) {
        sl_core_close(core);
        return err;
    }
    *out = core;
    return SL_OK;
}

/* ---- Running --------------------------------------------------------------------------------- */

void sl_core_step(struct sl_core *core, struct sl_message *message)
{
    const uint32_t kind = message->kind;

    if (kind >= SL_WRITER_MESSAGE_FIRST && kind <= SL_WRITER_MESSAGE_LAST)
        sl_writer_step(message);
    else if (kind == SL_CONSUMER_MESSAGE_READ)
        sl_consumer_step(message);
    else if (kind == SL_CORE_READ)
        sl_core_read_done(message);
    else if (kind == SL_CORE_TELL)
        sl_core_tell_step(message);
    else if (kind == SL_CORE_RECALL)
        sl_core_recall_step(message);
    else if (kind >= SL_PROCESS_MESSAGE_FIRST && kind <= SL_PROCESS_MESSAGE_LAST)
        sl_process_step(message);
    else
        sl_view_service_step(core->views, message);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Pokes what has moved, lets tables flush; returns the earliest of their deadlines. */
static int64_t turn_views(struct sl_core_domain *domain, int64_t now)
{
    int64_t next = INT64_MAX;
    bool moved = false;

    for (size_t i = 0; i < domain->view_count; i++) {
        struct sl_core_view *view = &domain->views[i];
        if (!view->table)
            continue;
        if (view->moved) {
            view->moved = false;
            moved = true;
            sl_consumer_poke(&view->consumer);
        }
        if (sl_view_table_deadline(view->table) <= now)
            sl_view_table_turn(view->table, now);
        next = earlier(next, sl_view_table_deadline(view->table));
        next = earlier(next, sl_consumer_turn(&view->consumer, now));
    }
    for (size_t i = 0; i < domain->process_count; i++)
        next = earlier(next, sl_process_turn(domain->processes[i], now));
    next = earlier(next, sl_core_tell_turn(domain, now));
    next = earlier(next, sl_core_rebuild_turn(domain, now));
    if (moved || domain->waits)
        sl_core_check_waits(domain);
    return next;
}

static bool is_drained(const struct sl_core *core)
{
    for (size_t i = 0; i < core->domain_count; i++)
        if (!sl_writer_is_idle(core->domains[i].writer) || core->domains[i].held)
            return false;
    return true;
}

int64_t sl_core_turn(struct sl_core *core)
{
    int64_t now = sl_env_monotonic(core->options.env);
    const bool may_block = now - core->last_reader_ns > READER_QUIET_NS;
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < core->domain_count; i++)
        next = earlier(next, sl_writer_turn(core->domains[i].writer, may_block));
    now = sl_env_monotonic(core->options.env);
    const uint64_t submitted = core->submitted;
    for (size_t i = 0; i < core->domain_count; i++)
        next = earlier(next, turn_views(&core->domains[i], now));
    sl_core_expire_waits(core, now);
    next = earlier(next, sl_heap_next(&core->deadlines).ns);
    /* Who was answered just now may have sent the next command: the writers have had their turn. */
    if (core->submitted != submitted)
        next = now;
    if (core->draining && core->drained && is_drained(core)) {
        void (*drained)(void *context) = core->drained;
        core->drained = NULL;
        drained(core->drained_context);
        return next; /* whoever drains may have closed it */
    }
    return next;
}

enum sl_err sl_core_failure(const struct sl_core *core, struct sl_error *out)
{
    if (core->err) {
        *out = core->error;
        return core->err;
    }
    for (size_t i = 0; i < core->domain_count; i++) {
        const struct sl_writer_log *log = sl_writer_log(core->domains[i].writer);
        if (log->failed && log->epoch == 0)
            return sl_fail(out, log->failed_err, "domain %s: %s", core->domains[i].domain->name,
                           log->failed);
    }
    return SL_OK;
}

bool sl_core_is_ready(const struct sl_core *core)
{
    for (size_t i = 0; i < core->domain_count; i++)
        if (!sl_writer_log(core->domains[i].writer)->ready)
            return false;
    return core->err == SL_OK;
}

void sl_core_drain(struct sl_core *core, void (*done)(void *context), void *context)
{
    core->draining = true;
    core->drained = done;
    core->drained_context = context;
    for (size_t i = 0; i < core->domain_count; i++)
        sl_writer_drain(core->domains[i].writer);
}

/* Nobody posts any more. What has come meanwhile lies in structs that are closed by their owners,
 * but for reads that nobody will hear of. */
static void drop_mail(struct sl_core *core)
{
    struct sl_message *message = sl_mailbox_take_all(core->options.mailbox);

    while (message) {
        struct sl_message *next = message->next;
        if (message->kind == SL_CORE_READ)
            sl_core_read_close((struct sl_core_read *)(void *)message);
        message = next;
    }
}

/* The order matters: what answers into our structs goes first, then the structs. */
void sl_core_close(struct sl_core *core)
{
    if (!core)
        return;
    for (size_t i = 0; i < core->options.domain_count; i++) {
        struct sl_core_domain *domain = &core->domains[i];
        for (size_t v = 0; v < domain->view_count; v++)
            sl_consumer_stop(&domain->views[v].consumer);
        for (size_t p = 0; p < domain->process_count; p++)
            sl_process_stop(domain->processes[p]);
        if (domain->core)
            sl_core_cancel_all(domain);
        sl_core_rebuild_stop(domain);
        sl_writer_stop(domain->writer);
        sl_event_store_close(domain->store);
    }
    sl_view_service_close(core->views);
    drop_mail(core);
    for (size_t i = 0; i < core->options.domain_count; i++) {
        struct sl_core_domain *domain = &core->domains[i];
        for (size_t v = 0; v < domain->view_count; v++) {
            sl_view_table_close(domain->views[v].table);
            sl_consumer_close(&domain->views[v].consumer);
            sl_arena_close(&domain->views[v].recall.read.arena);
        }
        sl_core_rebuild_close(domain);
        for (size_t p = 0; p < domain->process_count; p++)
            sl_process_close(domain->processes[p]);
        sl_core_drop_held(domain);
        sl_arena_close(&domain->tell.read.arena);
        sl_writer_close(domain->writer);
        free(domain->views);
        free(domain->processes);
        sl_model_close(&domain->model);
    }
    sl_heap_close(&core->deadlines);
    free(core->domains);
    free(core);
}

/* ---- What there is --------------------------------------------------------------------------- */

struct sl_core_domain *sl_core_find(struct sl_core *core, struct sl_text name)
{
    for (size_t i = 0; i < core->domain_count; i++)
        if (sl_text_equals(text_of(core->domains[i].domain->name), name))
            return &core->domains[i];
    return NULL;
}

size_t sl_core_domain_count(const struct sl_core *core)
{
    return core->domain_count;
}

struct sl_core_domain *sl_core_domain_at(struct sl_core *core, size_t place)
{
    return &core->domains[place];
}

const struct sl_domain *sl_core_domain_of(const struct sl_core_domain *domain)
{
    return domain->domain;
}

const struct sl_command *sl_core_command(const struct sl_core_domain *domain, struct sl_text name)
{
    for (size_t i = 0; i < domain->domain->commands.count; i++)
        if (sl_text_equals(text_of(domain->domain->commands.items[i].name), name))
            return &domain->domain->commands.items[i];
    return NULL;
}

struct sl_view_table *sl_core_view(const struct sl_core_domain *domain, struct sl_text name)
{
    for (size_t i = 0; i < domain->view_count; i++)
        if (sl_text_equals(text_of(domain->views[i].view->name), name))
            return domain->views[i].table;
    return NULL;
}

size_t sl_core_view_count(const struct sl_core_domain *domain)
{
    return domain->view_count;
}

struct sl_view_table *sl_core_view_at(const struct sl_core_domain *domain, size_t place)
{
    return domain->views[place].table;
}

size_t sl_core_process_count(const struct sl_core_domain *domain)
{
    return domain->process_count;
}

const char *sl_core_process_name(const struct sl_core_domain *domain, size_t place)
{
    return sl_process_name(domain->processes[place]);
}

struct sl_process_status sl_core_process_status(const struct sl_core_domain *domain, size_t place)
{
    return sl_process_status(domain->processes[place]);
}

bool sl_core_process_retry(struct sl_core_domain *domain, size_t place)
{
    return sl_process_retry(domain->processes[place]);
}

bool sl_core_view_retry(struct sl_core_domain *domain, struct sl_view_table *table)
{
    for (size_t i = 0; i < domain->view_count; i++) {
        if (domain->views[i].table != table || !sl_view_retry(table))
            continue;
        domain->views[i].moved = true;
        return true;
    }
    return false;
}

void sl_core_submit(struct sl_core_domain *domain, struct sl_submission *submission)
{
    domain->core->submitted++;
    sl_writer_submit(domain->writer, submission);
}

size_t sl_core_room(const struct sl_core_domain *domain)
{
    return sl_writer_room(domain->writer);
}

void sl_core_saw_reader(struct sl_core *core)
{
    core->last_reader_ns = sl_env_monotonic(core->options.env);
}
