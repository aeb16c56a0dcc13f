/* A domain of taxis and where they are, for tests of nearby queries. */
#include <sluice/domain.h>

struct move {
    struct sl_text taxi;
    double lat, lon;
    bool is_off; /* it is nowhere any more */
};

static const struct sl_record move_record = SL_RECORD(struct move,
    SL_FIELD(struct move, taxi, .required = true, .length_max = 16),
    SL_FIELD(struct move, lat),
    SL_FIELD(struct move, lon),
    SL_FIELD(struct move, is_off));

static const struct sl_event_type taxi_moved = {"TaxiMoved", 1, &move_record};

struct taxi {
    uint32_t moves;
};

static const struct sl_record taxi_record = SL_RECORD(struct taxi, SL_FIELD(struct taxi, moves));

static void evolve(void *state, const struct sl_event *event)
{
    (void)event;
    ((struct taxi *)state)->moves++;
}

static const struct sl_aggregate taxis = {"taxi", &taxi_record, evolve};

static enum sl_verdict decide(const struct sl_case *c, struct sl_decision *out)
{
    *(struct move *)sl_emit(out, &taxi_moved, 0) = *(const struct move *)c->command;
    return SL_ACCEPTED;
}

struct row {
    struct sl_text taxi;
    double lat, lon;
};

static const struct sl_record row_record = SL_RECORD(struct row,
    SL_FIELD(struct row, taxi), SL_FIELD(struct row, lat), SL_FIELD(struct row, lon));

static void project(const struct sl_event *event, struct sl_rows *rows)
{
    const struct move *move = event->body;

    if (move->is_off)
        sl_row_delete(rows, &move->taxi);
    else
        *(struct row *)sl_row_put(rows) = (struct row){move->taxi, move->lat, move->lon};
}

static const struct sl_domain taxis_domain = {
    .name = "taxis",
    .commands = SL_LIST(const struct sl_command, {"Move", &move_record, decide,
                                                  SL_LIST(const struct sl_need, {&taxis, "taxi"})}),
    .events = SL_LIST(const struct sl_event_type *const, &taxi_moved),
    .views = SL_LIST(const struct sl_view,
                     {"free", &row_record, "taxi", project, .near = "lat, lon"},
                     {"secret", &row_record, "taxi", project, .near = "lat, lon",
                      .roles = "dispatcher"},
                     {"all", &row_record, "taxi", project}),
};

SL_EXPORT_DOMAIN(taxis_domain);
