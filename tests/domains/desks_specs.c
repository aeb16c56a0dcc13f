/* The specification of desks. */
#include "tests/domains/desks.h"

const struct sl_spec desks_specs[] = {
    { .name = "a free desk can be booked",
      .now = "2026-11-20",
      .when = "BookDesk {id: b1, desk: 'A4', day: '2026-11-23', who: 'Ada'}",
      .then = "DeskBooked {id: b1, desk: 'A4', day: '2026-11-23', who: 'Ada'}" },
    { .name = "a taken desk can not",
      .now = "2026-11-20",
      .given = "desk-day/A4,2026-11-23: "
               "DeskBooked {id: b1, desk: 'A4', day: '2026-11-23', who: 'Ada'}",
      .when = "BookDesk {id: b2, desk: 'A4', day: '2026-11-23', who: 'Alan'}",
      .refused = "desk_taken" },
    { .name = "nor one in the past",
      .now = "2026-11-24T00:00:00Z",
      .when = "BookDesk {id: b1, desk: 'A4', day: '2026-11-23', who: 'Ada'}",
      .refused = "day_has_passed" },
    { .name = "today is not the past",
      .now = "2026-11-23T23:59:59.999999999Z",
      .when = "BookDesk {id: b1, desk: A4, day: 2026-11-23, who: Ada}",
      .then = "desk-day/A4,2026-11-23: "
              "DeskBooked {id: b1, desk: A4, day: 2026-11-23, who: Ada}" },
    { .name = "a booking can be cancelled, whatever id the asker has in mind",
      .given = "desk-day/A4,2026-11-23: DeskBooked {id: b1, desk: A4, day: 2026-11-23, who: Ada}",
      .when = "CancelBooking {id: b2, desk: A4, day: 2026-11-23, who: Ada}",
      .then = "BookingCancelled {id: b1, desk: A4, day: 2026-11-23, who: Ada}" },
    { .name = "and the desk is free again",
      .given = "desk-day/A4,2026-11-23: DeskBooked {id: b1, desk: A4, day: 2026-11-23, who: Ada}\n"
               "desk-day/A4,2026-11-23: "
               "BookingCancelled {id: b1, desk: A4, day: 2026-11-23, who: Ada}",
      .when = "BookDesk {id: b2, desk: A4, day: 2026-11-23, who: Alan}",
      .then = "DeskBooked {id: b2, desk: A4, day: 2026-11-23, who: Alan}" },
    { .name = "another day is another desk",
      .given = "desk-day/A4,2026-11-23: DeskBooked {id: b1, desk: A4, day: 2026-11-23, who: Ada}",
      .when = "CancelBooking {id: b1, desk: A4, day: 2026-11-24, who: Ada}",
      .refused = "desk_free" },
    { .name = "a desk's name is short",
      .when = "BookDesk {id: b1, desk: 'seventeen letters', day: 2026-11-23, who: Ada}",
      .refused = "desk: length" },
};

const size_t desks_spec_count = sizeof desks_specs / sizeof *desks_specs;
