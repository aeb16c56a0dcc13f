/*
 * GET /bank/journal: the bank's events in their canonical form (chain.h), for those who check them.
 *
 *     8 bytes   the position to go on from; it is `from` again where nothing follows yet
 *     then for each event
 *     2 bytes   the length of its canonical form
 *     2 bytes   the length of what it says of its accounts' sums after it: 0 or 148
 *     and both
 *
 * Numbers are little-endian. `from` is a position, `account` asks for the events of one account. A
 * reply has at most PAGE events, and with 1.2 KB for each of them at most 2.4 MB.
 */
#include "domains/bank/chain.h"
#include "domains/bank/ids.h"

#include <string.h>

enum { PAGE = 2000, FRAME_MAX = 4 + BANK_CANON_MAX + BANK_CLAIM_BYTES };

static void put_number(uint8_t *out, uint64_t number, size_t len)
{
    memcpy(out, &number, len); /* little-endian: ledger.h asserts that */
}

/* Its length; 0: the event has no canonical form. */
static size_t put_frame(uint8_t *out, const struct sl_event *event)
{
    const size_t canon = bank_canon_write(event, out + 4);
    size_t claim = 0;

    if (canon == 0)
        return 0;
    if (bank_claim_write(event, out + 4 + canon))
        claim = BANK_CLAIM_BYTES;
    put_number(out, canon, 2);
    put_number(out + 2, claim, 2);
    return 4 + canon + claim;
}

static void see_events(struct sl_visit *visit, const struct sl_visit_events *events)
{
    uint8_t *out = sl_visit_room(visit, 8 + events->count * FRAME_MAX, 1);
    size_t len = 8;

    put_number(out, events->next, 8);
    for (size_t i = 0; i < events->count; i++) {
        const size_t frame = put_frame(out + len, &events->events[i]);
        if (frame == 0) {
            sl_visit_problem(visit, 500, "event_has_no_form", SL_TEXT(""),
                             SL_TEXT("an event of the log has no canonical form"));
            return;
        }
        len += frame;
    }
    sl_visit_answer(visit, 200, "application/octet-stream",
                    (struct sl_text){(const char *)out, len});
}

void bank_serve_journal(struct sl_visit *visit)
{
    const struct sl_text account = sl_visit_parameter(visit, "account");
    const struct sl_text position = sl_visit_parameter(visit, "from");
    uint64_t from = 0;
    sl_u128 id = 0;

    if (position.len > 0 && !sl_visit_value(visit, SL_U64, position, &from)) {
        sl_visit_problem(visit, 400, "position_malformed", SL_TEXT("from"),
                         SL_TEXT("this is a position: a whole number"));
    } else if (!bank_id_read(account, &id)) {
        sl_visit_problem(visit, 400, "id_malformed", SL_TEXT("account"),
                         SL_TEXT("this is no account's id"));
    } else {
        const bool all = account.len == 0;
        sl_visit_events(
            visit,
            &(struct sl_visit_log){.of = all ? SL_EVENTS_OF_LOG : SL_EVENTS_OF_AGGREGATE,
                                   .name = all ? NULL : "account",
                                   .key = account,
                                   .from = from,
                                   .limit = PAGE},
            see_events);
    }
}
