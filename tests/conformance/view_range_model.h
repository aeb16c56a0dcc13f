/* Rows for the suite of ranges, and what a list or an aggregate of them must be: found by going
 * through all rows, without any index. */
#ifndef TESTS_CONFORMANCE_VIEW_RANGE_MODEL_H
#define TESTS_CONFORMANCE_VIEW_RANGE_MODEL_H

#include "base/arena.h"
#include "contracts/view_store.h"

enum range_state { RANGE_PARKED, RANGE_DRIVING, RANGE_LOST };

struct reading {
    int64_t id;
    struct sl_text device;
    struct sl_time at;
    struct sl_date day;
    double speed;
    int64_t amount;
    uint64_t big;
    sl_u128 wide;
    struct sl_decimal price;
    struct sl_money fee;
    enum range_state state;
    bool has_note, has_seen;
    struct sl_text note;
    struct sl_time seen;
};

extern const struct sl_record reading_record;
extern const struct sl_view readings;

/* Few different values of each field, so that ranges have equal ends and groups several rows. */
void reading_fill(struct reading *out, int64_t id, uint64_t *seed, struct sl_arena *arena);

/* The rows that the query asks for, in its order, from its start (`after` is not looked at).
 * Returns how many; `out` has room for `count`. */
size_t reading_select(const struct sl_view_shape *shape, const struct sl_list_query *query,
                      const struct reading *rows, size_t count, const struct reading **out);

/* A group that an aggregate must have, and what one of its aggregates must be. */
struct reading_group {
    int64_t start; /* of its stretch: nanoseconds, or days of a date; 0 without stretches */
    const struct reading **rows;
    size_t count;
};

/* The groups of all pages together, in order, in `arena`. */
struct reading_group *reading_groups(const struct sl_view_shape *shape,
                                     const struct sl_aggregate_query *query,
                                     const struct reading *rows, size_t count,
                                     struct sl_arena *arena, size_t *out_count);

/* As JSON, appended; SL_AGGREGATE_OVERFLOW and _CURRENCIES instead where it must be refused. */
enum sl_aggregate_refusal reading_aggregate(const struct reading_group *group,
                                            const struct sl_aggregate_item *item,
                                            struct sl_buf *out);

#endif
