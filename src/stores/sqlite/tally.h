/* One value that grows while rows go by: a count, a sum, a least one. Private to this folder. */
#ifndef SL_STORES_SQLITE_TALLY_H
#define SL_STORES_SQLITE_TALLY_H

#include "contracts/view_store.h"

__extension__ typedef __int128 sl_sqlite_wide;

/* Zeroed: of no row. Lives in the arena that it is added to with. */
struct sl_sqlite_tally {
    uint64_t count; /* of the values that there were */
    sl_sqlite_wide whole;
    sl_u128 unsigned_whole; /* of u128 alone */
    double number;
    uint8_t scale; /* of `whole`, of decimals */
    char currency[4];
    bool overflows;
    bool mixes; /* currencies */
    void *kept; /* the least, first … */
    char *kept_text;
    size_t kept_room; /* bytes behind its text */
};

/* Takes the row's value. `descending`: rows come the other way round. False: no memory. */
bool sl_sqlite_tally_add(struct sl_sqlite_tally *tally, const struct sl_aggregate_item *aggregate,
                         const void *row, bool descending, struct sl_arena *arena) SL_USE_RESULT;

/* What it came to. SL_NO_MEMORY alone is a failure; `*out_refusal` says what else is wrong. */
enum sl_err sl_sqlite_tally_end(const struct sl_sqlite_tally *tally,
                                const struct sl_aggregate_item *aggregate, struct sl_arena *arena,
                                struct sl_aggregate_value *out,
                                enum sl_aggregate_refusal *out_refusal) SL_USE_RESULT;

#endif
