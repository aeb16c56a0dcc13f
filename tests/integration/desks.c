/*
 * A domain for the tests of the doors: it has what the shipped ones may not have all of. People
 * book desks; a caretaker closes them; nobody but an auditor sees who complained.
 */
#include <sluice/domain.h>

struct booking {
    struct sl_uuid id;
    struct sl_text desk;
    struct sl_date day;
    struct sl_text who;
    bool has_seats;
    uint8_t seats;
};

static const struct sl_record booking_record =
    SL_RECORD(struct booking,
              SL_FIELD(struct booking, id, .required = true),
              SL_FIELD(struct booking, desk, .required = true, .length_max = 16),
              SL_FIELD(struct booking, day, .required = true),
              SL_FIELD(struct booking, who, .required = true, .length_max = 80),
              SL_FIELD(struct booking, seats, SL_HAS(struct booking, has_seats), SL_RANGE(1, 8)));

static const struct sl_event_type desk_booked = {"DeskBooked", 1, &booking_record, .tags = "desk"};
static const struct sl_event_type booking_cancelled = {"BookingCancelled", 1, &booking_record,
                                                       .tags = "desk"};

struct desk_day {
    bool taken;
    struct sl_uuid booking;
    struct sl_text who;
};

static const struct sl_record desk_day_record =
    SL_RECORD(struct desk_day, SL_FIELD(struct desk_day, taken),
              SL_FIELD(struct desk_day, booking), SL_FIELD(struct desk_day, who));

static void evolve_desk_day(void *state, const struct sl_event *event)
{
    struct desk_day *desk_day = state;
    const struct booking *booking = event->body;

    desk_day->taken = event->type == &desk_booked;
    desk_day->booking = booking->id;
    desk_day->who = booking->who;
}

static const struct sl_aggregate desk_days = {"desk-day", &desk_day_record, evolve_desk_day};

static enum sl_verdict decide_book(const struct sl_case *c, struct sl_decision *out)
{
    const struct booking *command = c->command;
    const struct desk_day *desk_day = c->state[0];

    if (desk_day->taken)
        return sl_refuse(out, "desk_taken", "desk {desk} is taken on {day}");

    struct booking *event = sl_emit(out, &desk_booked, 0);
    *event = *command;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_cancel(const struct sl_case *c, struct sl_decision *out)
{
    const struct booking *command = c->command;
    const struct desk_day *desk_day = c->state[0];

    if (!desk_day->taken)
        return sl_refuse(out, "desk_free", "desk {desk} is not booked on {day}");

    struct booking *event = sl_emit(out, &booking_cancelled, 0);
    *event = *command;
    event->id = desk_day->booking;
    event->who = desk_day->who;
    return SL_ACCEPTED;
}

static void project_bookings(const struct sl_event *event, struct sl_rows *rows)
{
    const struct booking *booking = event->body;

    if (event->type == &booking_cancelled) {
        sl_row_delete(rows, &booking->id);
        return;
    }
    struct booking *row = sl_row_put(rows);
    *row = *booking;
}

/* Keyed by two fields, one a text with anything in it. */
struct day_row {
    struct sl_text desk;
    struct sl_date day;
    uint32_t times;
};

static const struct sl_record day_record =
    SL_RECORD(struct day_row, SL_FIELD(struct day_row, desk, .required = true, .length_max = 16),
              SL_FIELD(struct day_row, day, .required = true), SL_FIELD(struct day_row, times));

static void project_days(const struct sl_event *event, struct sl_rows *rows)
{
    const struct booking *booking = event->body;
    struct day_row *row = sl_row_edit(rows, &booking->desk, &booking->day);

    if (!row) {
        row = sl_row_put(rows);
        row->desk = booking->desk;
        row->day = booking->day;
    }
    row->times++;
}

static const struct sl_domain desks_domain = {
    .name = "desks",
    .title = "Desks for a day",
    .commands =
        SL_LIST(const struct sl_command,
                {"BookDesk", &booking_record, decide_book,
                 SL_LIST(const struct sl_need, {&desk_days, "desk, day"}), .help = "Books a desk."},
                {"CancelBooking", &booking_record, decide_cancel,
                 SL_LIST(const struct sl_need, {&desk_days, "desk, day"}), .roles = "caretaker"},
                {"Sweep", &booking_record, decide_cancel,
                 SL_LIST(const struct sl_need, {&desk_days, "desk, day"}), .internal = true}),
    .events = SL_LIST(const struct sl_event_type *const, &desk_booked, &booking_cancelled),
    .views = SL_LIST(const struct sl_view,
                     {"bookings", &booking_record, "id", project_bookings,
                      SL_LIST(const struct sl_index, {"by-day", "day, desk"},
                              {"by-person", "who, day"}),
                      .search = "who, desk"},
                     {"days", &day_record, "desk, day", project_days, .strong = true},
                     {"ledger", &booking_record, "id", project_bookings, .roles = "auditor"}),
};

SL_EXPORT_DOMAIN(desks_domain);

static const struct sl_spec desks_specs[] = {
    {.name = "a free desk can be booked",
     .now = "2026-11-20",
     .when = "BookDesk {id: b1, desk: 'A4', day: '2026-11-23', who: 'Ada'}",
     .then = "DeskBooked {id: b1, desk: 'A4', day: '2026-11-23', who: 'Ada'}"},
};

SL_EXPORT_SPECS(desks_specs);
