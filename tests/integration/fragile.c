/*
 * A domain with two views of the same events, one of which fails on every event of 13 or more until
 * the environment says that it was mended. FRAGILE_NEWER makes its events of a later version, as a
 * newer build of the program would: the other one cannot read those.
 */
#include <stdlib.h>

#include <sluice/domain.h>

struct mark {
    uint32_t number;
};

static const struct sl_record mark_record =
    SL_RECORD(struct mark, SL_FIELD(struct mark, number, .required = true));

static struct sl_event_type marked = {"Marked", 1, &mark_record};

static __attribute__((constructor)) void choose_version(void)
{
    if (getenv("FRAGILE_NEWER"))
        marked.version = 2;
}

static void evolve(void *state, const struct sl_event *event)
{
    (void)state;
    (void)event;
}

static const struct sl_aggregate marks = {"mark", &mark_record, evolve};

static enum sl_verdict decide(const struct sl_case *c, struct sl_decision *out)
{
    struct mark *event = sl_emit(out, &marked, 0);

    *event = *(const struct mark *)c->command;
    return SL_ACCEPTED;
}

static void project_sturdy(const struct sl_event *event, struct sl_rows *rows)
{
    *(struct mark *)sl_row_put(rows) = *(const struct mark *)event->body;
}

static void project_fragile(const struct sl_event *event, struct sl_rows *rows)
{
    project_sturdy(event, rows);
    /* What no projection may do; here it stands for a new build of the program. */
    if (((const struct mark *)event->body)->number >= 13 && !getenv("FRAGILE_MENDED"))
        sl_rows_fail(rows, "thirteen");
}

static const struct sl_domain fragile_domain = {
    .name = "fragile",
    .commands = SL_LIST(const struct sl_command,
                        {"Mark", &mark_record, decide,
                         SL_LIST(const struct sl_need, {&marks, "number"})}),
    .events = SL_LIST(const struct sl_event_type *const, &marked),
    .views = SL_LIST(const struct sl_view, {"sturdy", &mark_record, "number", project_sturdy},
                     {"fragile", &mark_record, "number", project_fragile}),
};

SL_EXPORT_DOMAIN(fragile_domain);
