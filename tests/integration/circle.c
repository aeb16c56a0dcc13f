/*
 * Two domains that call each other, for tests of what one log may know of another: `asker` asks,
 * its process has `doer` do it, whose process has `asker` confirm. So every Confirmed needs a Done,
 * and every Done an Asked, in the other log. Built twice: with CIRCLE_DOER it is the other one.
 */
#include <sluice/domain.h>

struct asking {
    struct sl_uuid id;
};

static const struct sl_record asking_record = SL_RECORD(struct asking,
    SL_FIELD(struct asking, id, .required = true));

struct asked_row {
    struct sl_uuid id;
    uint32_t steps;
};

static const struct sl_record row_record = SL_RECORD(struct asked_row,
    SL_FIELD(struct asked_row, id, .required = true),
    SL_FIELD(struct asked_row, steps));

struct progress {
    uint32_t steps;
};

static const struct sl_record progress_record = SL_RECORD(struct progress,
    SL_FIELD(struct progress, steps));

static void evolve(void *state, const struct sl_event *event)
{
    (void)event;
    ((struct progress *)state)->steps++;
}

static const struct sl_aggregate things = { "thing", &progress_record, evolve };

static enum sl_verdict step(const struct sl_case *c, struct sl_decision *out, uint32_t at,
                            const struct sl_event_type *type)
{
    const struct progress *progress = c->state[0];

    if (progress->steps != at)
        return sl_refuse(out, "out_of_order", "{id} is not at this step");
    struct asking *event = sl_emit(out, type, 0);
    *event = *(const struct asking *)c->command;
    return SL_ACCEPTED;
}

static void project(const struct sl_event *event, struct sl_rows *rows)
{
    const struct asking *asking = event->body;
    struct asked_row *row = sl_row_edit(rows, &asking->id);

    if (!row)
        row = sl_row_put(rows);
    row->id = asking->id;
    row->steps++;
}

static void send(struct sl_reaction *out, const char *domain, const char *command,
                 const struct sl_event *event)
{
    struct asking *body = sl_send(out, domain, command);

    *body = *(const struct asking *)event->body;
}

#ifdef CIRCLE_DOER

static const struct sl_event_type done = { "Done", 1, &asking_record };

static enum sl_verdict decide_do(const struct sl_case *c, struct sl_decision *out)
{
    return step(c, out, 0, &done);
}

static void react(const struct sl_event *event, void *state, struct sl_reaction *out)
{
    (void)state;
    if (event->type == &done)
        send(out, "asker", "Confirm", event);
}

static const struct sl_domain domain = {
    .name = "doer",
    .commands = SL_LIST(const struct sl_command,
        { "Do", &asking_record, decide_do, SL_LIST(const struct sl_need, { &things, "id" }) }),
    .events = SL_LIST(const struct sl_event_type *const, &done),
    .views = SL_LIST(const struct sl_view, { "things", &row_record, "id", project }),
    .processes = SL_LIST(const struct sl_process, { "report", "id", &asking_record, react }),
};

#else

static const struct sl_event_type asked = { "Asked", 1, &asking_record };
static const struct sl_event_type confirmed = { "Confirmed", 1, &asking_record };

static enum sl_verdict decide_ask(const struct sl_case *c, struct sl_decision *out)
{
    return step(c, out, 0, &asked);
}

static enum sl_verdict decide_confirm(const struct sl_case *c, struct sl_decision *out)
{
    return step(c, out, 1, &confirmed);
}

static void react(const struct sl_event *event, void *state, struct sl_reaction *out)
{
    (void)state;
    if (event->type == &asked)
        send(out, "doer", "Do", event);
}

static const struct sl_domain domain = {
    .name = "asker",
    .commands = SL_LIST(const struct sl_command,
        { "Ask", &asking_record, decide_ask, SL_LIST(const struct sl_need, { &things, "id" }) },
        { "Confirm", &asking_record, decide_confirm,
          SL_LIST(const struct sl_need, { &things, "id" }) }),
    .events = SL_LIST(const struct sl_event_type *const, &asked, &confirmed),
    .views = SL_LIST(const struct sl_view, { "things", &row_record, "id", project }),
    .processes = SL_LIST(const struct sl_process, { "delegate", "id", &asking_record, react }),
};

#endif

SL_EXPORT_DOMAIN(domain);
