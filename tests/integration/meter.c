/*
 * A domain with events of passing use, for tests of retention: readings of meters may go at once,
 * the names of meters never, alarms after an hour and only when the watchman has seen to them,
 * which it never says, and doors that were opened when the porter has, who reads the meter then.
 */
#include <sluice/domain.h>

struct reading {
    struct sl_text meter;
    int64_t value;
    struct sl_text note;
};

struct alarm {
    struct sl_text meter;
    struct sl_text alarm;
};

static const struct sl_record reading_record = SL_RECORD(struct reading,
    SL_FIELD(struct reading, meter, .required = true, .length_max = 16),
    SL_FIELD(struct reading, value),
    SL_FIELD(struct reading, note, .length_max = 1000));

static const struct sl_record alarm_record = SL_RECORD(struct alarm,
    SL_FIELD(struct alarm, meter, .required = true, .length_max = 16),
    SL_FIELD(struct alarm, alarm, .required = true, .length_max = 16));

struct door {
    struct sl_text meter;
    struct sl_text door;
};

static const struct sl_record door_record = SL_RECORD(struct door,
    SL_FIELD(struct door, meter, .required = true, .length_max = 16),
    SL_FIELD(struct door, door, .required = true, .length_max = 16));

static const struct sl_event_type meter_named = {"MeterNamed", 1, &reading_record};
static const struct sl_event_type meter_read = {
    "MeterRead", 1, &reading_record, .tags = "day=value", .keep = "0s"};
static const struct sl_event_type alarm_raised = {"AlarmRaised", 1, &alarm_record, .keep = "1h"};

static const struct sl_event_type door_opened = {"DoorOpened", 1, &door_record, .keep = "0s"};

/* The state that decides needs no reading. */
struct meter {
    uint32_t names;
};

static const struct sl_record meter_record = SL_RECORD(struct meter,
    SL_FIELD(struct meter, names));

static void evolve(void *state, const struct sl_event *event)
{
    if (event->type == &meter_named)
        ((struct meter *)state)->names++;
}

static const struct sl_aggregate meters = {"meter", &meter_record, evolve};

/* A name comes with a reading: in one batch something goes and something stays. */
static enum sl_verdict decide_name(const struct sl_case *c, struct sl_decision *out)
{
    *(struct reading *)sl_emit(out, &meter_read, 0) = *(const struct reading *)c->command;
    *(struct reading *)sl_emit(out, &meter_named, 0) = *(const struct reading *)c->command;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_read(const struct sl_case *c, struct sl_decision *out)
{
    if (((const struct meter *)c->state[0])->names == 0)
        return sl_refuse(out, "no_such_meter", "{meter} has no name yet");
    *(struct reading *)sl_emit(out, &meter_read, 0) = *(const struct reading *)c->command;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_raise(const struct sl_case *c, struct sl_decision *out)
{
    *(struct alarm *)sl_emit(out, &alarm_raised, 0) = *(const struct alarm *)c->command;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_open(const struct sl_case *c, struct sl_decision *out)
{
    *(struct door *)sl_emit(out, &door_opened, 0) = *(const struct door *)c->command;
    return SL_ACCEPTED;
}

/* How often a meter was read, as far as the log still says. */
struct row {
    struct sl_text meter;
    uint32_t names;
    uint32_t readings;
};

static const struct sl_record row_record = SL_RECORD(struct row,
    SL_FIELD(struct row, meter, .required = true),
    SL_FIELD(struct row, names),
    SL_FIELD(struct row, readings));

static void project(const struct sl_event *event, struct sl_rows *rows)
{
    const struct reading *reading = event->body;

    if (event->type == &alarm_raised || event->type == &door_opened)
        return;
    struct row *row = sl_row_edit(rows, &reading->meter);
    if (!row) {
        row = sl_row_put(rows);
        row->meter = reading->meter;
    }
    row->names += event->type == &meter_named;
    row->readings += event->type == &meter_read;
}

static void watch(const struct sl_event *event, void *state, struct sl_reaction *out)
{
    (void)event;
    (void)out;
    ((struct meter *)state)->names++;
}

static void read_meter(const struct sl_event *event, void *state, struct sl_reaction *out)
{
    struct reading *reading = sl_send(out, "meter", "Read");

    (void)state;
    reading->meter = ((const struct door *)event->body)->meter;
}

static const struct sl_domain meter_domain = {
    .name = "meter",
    .commands = SL_LIST(const struct sl_command,
        {"Name", &reading_record, decide_name,
         SL_LIST(const struct sl_need, {&meters, "meter"})},
        {"Read", &reading_record, decide_read,
         SL_LIST(const struct sl_need, {&meters, "meter"})},
        {"Raise", &alarm_record, decide_raise,
         SL_LIST(const struct sl_need, {&meters, "meter"})},
        {"Open", &door_record, decide_open,
         SL_LIST(const struct sl_need, {&meters, "meter"})}),
    .events = SL_LIST(const struct sl_event_type *const, &meter_named, &meter_read, &alarm_raised,
                      &door_opened),
    .views = SL_LIST(const struct sl_view, {"meters", &row_record, "meter", project}),
    .processes = SL_LIST(const struct sl_process,
        {"watchman", "alarm", &meter_record, watch},
        {"porter", "door", &meter_record, read_meter}),
};

SL_EXPORT_DOMAIN(meter_domain);
