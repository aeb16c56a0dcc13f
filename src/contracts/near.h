/*
 * Which rows are nearest to a spot: the search, for every store that can go through rows in the
 * order of a number. It goes into the cells of base/earth.h, the nearest first, cuts those that
 * hold more than a few rows, and reads the others; a row that is nearer than all cells that are
 * left is the next of the answer. So it looks at what lies around the answer, however much there is
 * elsewhere, and rows that crowd at one place cost no more than the limit.
 */
#ifndef SL_CONTRACTS_NEAR_H
#define SL_CONTRACTS_NEAR_H

#include "contracts/view_store.h"

/* Where the rows are. Both tell of rows whose cell lies between `first` and `last`, both included,
 * at most `most` of them. */
struct sl_near_source {
    void *context;
    enum sl_err (*count)(void *context, int64_t first, int64_t last, uint32_t most,
                         uint32_t *out_count, struct sl_error *error);
    /* In the order of their cells, and of their keys therein; `rows` has room for them. */
    enum sl_err (*read)(void *context, int64_t first, int64_t last, uint32_t most,
                        struct sl_row_found *rows, uint32_t *out_count, struct sl_error *error);
};

/* Fills rows, metres, count, exact and looked. Everything lives in `arena`, also what was read and
 * is not in the answer. */
enum sl_err sl_near_search(const struct sl_view_shape *shape, const struct sl_near_query *query,
                           const struct sl_near_source *source, struct sl_arena *arena,
                           struct sl_near_page *out, struct sl_error *error) SL_USE_RESULT;

/* Where the row is. False: it says of no place. */
bool sl_near_spot(const struct sl_view_shape *shape, const void *row, struct sl_spot *out);

/* Compiles view->near into shape->near. SL_INVALID names the field. */
enum sl_err sl_near_parse(struct sl_view_shape *shape, struct sl_error *error) SL_USE_RESULT;

#endif
