/*
 * From a time to a position, by bisection over the times of the log's events. They rise with the
 * positions as long as the system's clock does; where that went back, the place is one of those at
 * which events change from not after the time to after it.
 */
#include "engine/core.h"

static void saw(struct sl_core_read *read);

static void ask(struct sl_core_moment *moment, uint64_t position)
{
    moment->middle = position;
    moment->read = (struct sl_core_read){.read = {.by = SL_READ_POSITION,
                                                  .from = position,
                                                  .until = UINT64_MAX,
                                                  .count_max = 1,
                                                  .bytes_max = 4096},
                                         .domain = moment->domain,
                                         .done = saw,
                                         .user = moment,
                                         .as_stored = true};
    sl_core_read(&moment->read);
}

static void saw(struct sl_core_read *read)
{
    struct sl_core_moment *moment = read->user;
    const enum sl_err err =
        read->read.err || read->read.event_count > 0 ? read->read.err : SL_NOT_FOUND;
    const bool is_after = !err && sl_time_before(moment->time, read->read.events[0].time);

    sl_core_read_close(read);
    if (!err && is_after)
        moment->high = moment->middle;
    else
        moment->low = moment->middle + 1;
    if (err || moment->low >= moment->high)
        moment->done(moment, err, moment->high);
    else
        ask(moment, moment->low + (moment->high - moment->low) / 2);
}

void sl_core_moment(struct sl_core_moment *moment)
{
    moment->low = 0;
    moment->high = sl_writer_log(moment->domain->writer)->durable;
    if (moment->high == 0)
        moment->done(moment, SL_OK, 0);
    else
        ask(moment, moment->high - 1); /* most ask for what was a moment ago */
}
