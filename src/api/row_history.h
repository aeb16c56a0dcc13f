/*
 * Which rows of a view changed lately, for streams and subscriptions that go on where they were.
 * A view has one history (history.h), from the first one that joins it until ten minutes after the
 * last one left: rows that somebody watches are dearer to change. Engine's thread.
 */
#ifndef SL_API_ROW_HISTORY_H
#define SL_API_ROW_HISTORY_H

#include "api/history.h"
#include "api/parts.h"

struct row_history {
    struct row_history *next;
    struct sl_api *api;
    struct sl_view_table *view;
    uint32_t users;  /* streams and subscriptions */
    int64_t left_ns; /* when the last one ended */
    struct sl_view_watch changes;
    struct sl_history history; /* a change stands there at the position of its event */
};

/* The view's, made if there is none; it stays as long as the caller does not leave. NULL: no
 * memory. */
struct row_history *api_row_history_join(struct sl_api *api, struct sl_view_table *view);
void api_row_history_leave(struct row_history *history);

enum api_rows_since {
    API_ROWS_KNOWN = 1, /* all changes since are in the history, from `*out_place` on */
    API_ROWS_TO_COME,   /* the view is not behind the position: what is missing is told live */
    API_ROWS_LOST,      /* nobody knows: the view has to be read again */
};
/* What is known of the changes at this position and above. */
enum api_rows_since api_rows_since(const struct sl_api *api, const struct sl_view_table *view,
                                   uint64_t position, uint64_t *out_place);

#endif
