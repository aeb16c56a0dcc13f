/* Desks: people book a desk for a day. One booking per desk and day. */
#include <sluice/domain.h>

struct booking {
    struct sl_uuid id;
    struct sl_text desk;
    struct sl_date day;
    struct sl_text who;
};

static const struct sl_record booking_record = SL_RECORD(struct booking,
    SL_FIELD(struct booking, id,   .required = true),
    SL_FIELD(struct booking, desk, .required = true, .length_max = 16),
    SL_FIELD(struct booking, day,  .required = true),
    SL_FIELD(struct booking, who,  .required = true, .length_max = 80, .personal_of = "who"));

static const struct sl_event_type desk_booked =
    { "DeskBooked", 1, &booking_record, .tags = "desk" };
static const struct sl_event_type booking_cancelled =
    { "BookingCancelled", 1, &booking_record, .tags = "desk" };

/* The write side: one desk on one day. */

struct desk_day {
    bool taken;
    struct sl_uuid booking;
};

static const struct sl_record desk_day_record = SL_RECORD(struct desk_day,
    SL_FIELD(struct desk_day, taken),
    SL_FIELD(struct desk_day, booking));

static void evolve_desk_day(void *state, const struct sl_event *event)
{
    struct desk_day *desk_day = state;
    const struct booking *booking = event->body;

    desk_day->taken = event->type == &desk_booked;
    desk_day->booking = booking->id;
}

static const struct sl_aggregate desk_days = { "desk-day", &desk_day_record, evolve_desk_day };

static enum sl_verdict decide_book(const struct sl_case *c, struct sl_decision *out)
{
    const struct booking *command = c->command;
    const struct desk_day *desk_day = c->state[0]; /* as `needs` of the command says */

    if (sl_date_before(command->day, sl_date_of(c->now)))
        return sl_refuse(out, "day_has_passed", "{day} lies before today");
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
    return SL_ACCEPTED;
}

/* The read side: who sits where. */

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

const struct sl_domain desks_domain = {
    .name = "desks",
    .commands = SL_LIST(const struct sl_command,
        { "BookDesk", &booking_record, decide_book,
          SL_LIST(const struct sl_need, { &desk_days, "desk, day" }) },
        { "CancelBooking", &booking_record, decide_cancel,
          SL_LIST(const struct sl_need, { &desk_days, "desk, day" }) }),
    .events = SL_LIST(const struct sl_event_type *const, &desk_booked, &booking_cancelled),
    .views = SL_LIST(const struct sl_view,
        { "bookings", &booking_record, "id", project_bookings,
          SL_LIST(const struct sl_index, { "by-day", "day, desk" }, { "by-person", "who, day" }) }),
};
