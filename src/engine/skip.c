/*
 * Events that a view skips because an operator said so.
 *
 * That is written into the log before anything is skipped: $EventSkipped, in the stream
 * "$skipped/VIEW", with the position, the reason of the failure, and who said so. A view that is
 * degraded looks there first whether its event is one that may be skipped. So a restart, a rebuild
 * and a restored backup do as the operator did; and a rebuild after the projection was mended does
 * not fail on that event, asks nobody, and does not skip it.
 */
#include "engine/core.h"

#include <string.h>

#include "command/decide.h"

enum { SKIPS_MAX = 4096, SKIPS_BYTES = 1 << 20 };

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

enum sl_err sl_core_prepare_skips(struct sl_model *model, struct sl_error *error)
{
    return sl_model_add_command(model, &skip_event, error);
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

    if (outcome->status == 201)
        go_on(skip->view, skip->event.position);
    skip->done(skip, outcome);
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
    const char *name = domain->views[i].view->name;
    skip->view = &domain->views[i];
    skip->event = (struct sl_event_skipped){.view = {name, strlen(name)},
                                            .position = status.position,
                                            .why = {status.why, strlen(status.why)}};
    skip->submission = (struct sl_submission){.command = &skip_event,
                                              .body = &skip->event,
                                              .id = sl_env_uuid(domain->core->options.env),
                                              .principal = principal,
                                              .done = recorded,
                                              .user = skip};
    sl_core_submit(domain, &skip->submission);
    return true;
}

/* ---- It was said before ---------------------------------------------------------------------- */

void sl_core_recall_skips(struct sl_core_view *view)
{
    const struct sl_view_status status = sl_view_table_status(view->table);
    struct sl_core_recall *recall = &view->recall;
    struct sl_buf key = {0};

    if (recall->under_way || status.state != SL_VIEW_DEGRADED ||
        (recall->asked && recall->position == status.position))
        return;
    sl_buf_printf(&key, "$skipped/%s", view->view->name);
    const struct sl_text stream = sl_arena_text(&recall->read.arena, sl_buf_as_text(&key));
    sl_buf_close(&key);
    if (!stream.ptr)
        return; /* no memory: it stays degraded, and a retry asks again */
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
}
