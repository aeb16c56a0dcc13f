/*
 * Events that a view or a process skips because an operator said so.
 *
 * That is written into the log before anything is skipped: $EventSkipped, in the stream
 * "$skipped/VIEW", with the position, the reason of the failure, and who said so. A view that
 * cannot apply an event looks there first whether it is one that may be skipped; only if it is not,
 * the view is degraded, and said to be. So a restart, a rebuild and a restored backup do as the
 * operator did; and a rebuild after the projection was mended does not fail on that event, asks
 * nobody, and does not skip it.
 *
 * Of a process the same batch says how far it has advanced ($ProcessAdvanced), so that commands
 * that were given up are not sent by the next start (process/trouble.c).
 */
#include "engine/core.h"

#include <stdio.h>
#include <string.h>

#include "command/decide.h"

enum { SKIPS_MAX = 4096, SKIPS_BYTES = 1 << 20 };

static struct sl_text text_of(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

struct skips {
    uint64_t count;
};

static const struct sl_record skips_record =
    SL_RECORD(struct skips, SL_FIELD(struct skips, count));

static void evolve(void *state, const struct sl_event *event)
{
    (void)event;
    ((struct skips *)state)->count++;
}

static const struct sl_aggregate skipped_streams = {"$skipped", &skips_record, evolve};

static enum sl_verdict decide(const struct sl_case *c, struct sl_decision *out)
{
    struct sl_event_skipped *event = sl_emit(out, &sl_event_skipped_type, 0);

    *event = *(const struct sl_event_skipped *)c->command;
    return SL_ACCEPTED;
}

static const struct sl_command skip_event = {
    "$SkipEvent", &sl_event_skipped_record, decide,
    SL_LIST(const struct sl_need, {&skipped_streams, "view"}), .internal = true};

static enum sl_verdict decide_advance(const struct sl_case *c, struct sl_decision *out)
{
    const struct sl_event_skipped *skipped = c->command;

    (void)decide(c, out);
    struct sl_process_advanced *advanced = sl_emit(out, &sl_process_advanced_type, 1);
    *advanced = (struct sl_process_advanced){skipped->view, skipped->position + 1};
    return SL_ACCEPTED;
}

static const struct sl_command skip_and_advance = {
    "$SkipInProcess", &sl_event_skipped_record, decide_advance,
    SL_LIST(const struct sl_need, {&skipped_streams, "view"}, {&sl_process_progress, "view"}),
    .internal = true};

enum sl_err sl_core_prepare_skips(struct sl_model *model, struct sl_error *error)
{
    enum sl_err err = sl_model_add_command(model, &skip_event, error);

    return err ? err : sl_model_add_command(model, &skip_and_advance, error);
}

/* The view goes on behind the event, if it still stands there. */
static void go_on(struct sl_core_view *view, uint64_t position)
{
    if (view->table && sl_view_skip(view->table, position))
        view->moved = true;
}

/* ---- An operator says so --------------------------------------------------------------------- */

static void recorded(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct sl_core_skip *skip = submission->user;

    if (outcome->status == 201 && skip->view)
        go_on(skip->view, skip->event.position);
    else if (outcome->status == 201)
        sl_process_skip(skip->process, skip->event.position);
    skip->done(skip, outcome);
}

static void submit(struct sl_core_domain *domain, const struct sl_command *command,
                   const struct sl_principal *principal, struct sl_core_skip *skip,
                   struct sl_event_skipped event)
{
    skip->event = event;
    /* What it says may change before it is written. */
    snprintf(skip->why, sizeof skip->why, "%.*s", (int)event.why.len, event.why.ptr);
    skip->event.why = text_of(skip->why);
    skip->submission = (struct sl_submission){.command = command,
                                              .body = &skip->event,
                                              .id = sl_env_uuid(domain->core->options.env),
                                              .principal = principal,
                                              .done = recorded,
                                              .user = skip};
    sl_core_submit(domain, &skip->submission);
}

bool sl_core_view_skip(struct sl_core_domain *domain, const struct sl_view_table *table,
                       const struct sl_principal *principal, struct sl_core_skip *skip)
{
    const struct sl_view_status status = sl_view_table_status(table);
    size_t i = 0;

    while (domain->views[i].table != table)
        SL_ASSERT(++i < domain->view_count, "a view of this domain");
    if (status.state != SL_VIEW_DEGRADED)
        return false;
    skip->view = &domain->views[i];
    submit(domain, &skip_event, principal, skip,
           (struct sl_event_skipped){text_of(skip->view->view->name), status.position,
                                     text_of(status.why)});
    return true;
}

bool sl_core_process_skip(struct sl_core_domain *domain, size_t place,
                          const struct sl_principal *principal, struct sl_core_skip *skip)
{
    struct sl_process_runner *process = domain->processes[place];
    const struct sl_process_status status = sl_process_status(process);

    if (status.state != SL_PROCESS_DEGRADED && status.state != SL_PROCESS_WAITING)
        return false;
    skip->process = process;
    submit(domain, &skip_and_advance, principal, skip,
           (struct sl_event_skipped){text_of(sl_process_name(process)), status.position,
                                     status.why});
    return true;
}

/* ---- It was said before ---------------------------------------------------------------------- */

/* It stands, and waits may end for that. */
static void settle(struct sl_core_view *view)
{
    sl_view_settle(view->table);
    view->moved = true;
}

void sl_core_recall_skips(struct sl_core_view *view)
{
    const struct sl_view_status status = sl_view_table_status(view->table);
    struct sl_core_recall *recall = &view->recall;
    struct sl_buf key = {0};

    if (recall->under_way || !status.unsettled)
        return;
    if (recall->asked && recall->position == status.position) {
        settle(view);
        return;
    }
    sl_buf_printf(&key, "$skipped/%s", view->view->name);
    const struct sl_text stream = sl_arena_text(&recall->read.arena, sl_buf_as_text(&key));
    sl_buf_close(&key);
    if (!stream.ptr) {
        settle(view); /* no memory: a retry asks again */
        return;
    }
    recall->view = view;
    recall->position = status.position;
    recall->asked = recall->under_way = true;
    recall->read = (struct sl_read){.message = {.reply_to = view->domain->core->options.mailbox,
                                                .kind = SL_CORE_RECALL},
                                    .by = SL_READ_STREAM,
                                    .key = stream,
                                    .until = UINT64_MAX,
                                    .backwards = true,
                                    .count_max = SKIPS_MAX,
                                    .bytes_max = SKIPS_BYTES,
                                    .arena = recall->read.arena};
    sl_event_store_read(view->domain->store, &recall->read);
}

void sl_core_recall_step(struct sl_message *message)
{
    struct sl_core_recall *recall = (struct sl_core_recall *)(void *)message;
    struct sl_read *read = &recall->read;
    struct sl_core_view *view = recall->view;
    struct sl_event event;

    recall->under_way = false;
    recall->asked = !read->err;
    for (size_t i = 0; i < read->event_count && !read->err; i++)
        if (sl_model_decode(&view->domain->model, &read->events[i], &read->arena, &event,
                            &read->error) == SL_OK &&
            event.type == &sl_event_skipped_type &&
            ((const struct sl_event_skipped *)event.body)->position == recall->position) {
            SL_MARK("engine: skipped as recorded");
            go_on(view, recall->position);
        }
    sl_arena_close(&read->arena);
    if (!view->table || !sl_view_table_status(view->table).unsettled)
        return;
    /* What it was asked of may be gone: the view has started over, and stands elsewhere. */
    if (sl_view_table_status(view->table).position != recall->position)
        sl_core_recall_skips(view);
    else
        settle(view);
}
