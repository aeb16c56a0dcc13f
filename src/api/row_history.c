#include "api/row_history.h"

#include <stdlib.h>

/* For so long after the last one left. */
#define KEEP_NS (INT64_C(600) * 1000000000)

static struct row_history *history_of(struct sl_view_watch *watch)
{
    return (struct row_history *)(void *)((char *)watch - offsetof(struct row_history, changes));
}

static void forget(struct row_history *history)
{
    struct row_history **link = &history->api->histories;

    SL_MARK("a history that nobody asks for");
    while (*link != history)
        link = &(*link)->next;
    *link = history->next;
    sl_view_unwatch(history->view, &history->changes);
    sl_history_close(&history->history);
    free(history);
}

static void remember(struct sl_view_watch *watch, struct sl_text key, const struct sl_view_row *row,
                     uint64_t position)
{
    struct row_history *history = history_of(watch);

    (void)row;
    if (history->users == 0 &&
        sl_env_monotonic(history->api->options.env) - history->left_ns > KEEP_NS) {
        forget(history);
        return;
    }
    if (history->history.from == UINT64_MAX)
        history->history.from = position - 1;
    sl_history_add(&history->history, position - 1, key);
}

/* What changed before the view was rebuilt is no answer any more. */
static void start_over(struct sl_view_watch *watch, uint64_t position)
{
    struct row_history *history = history_of(watch);

    sl_history_close(&history->history);
    history->history = (struct sl_history){.from = position};
}

static struct row_history *find(const struct sl_api *api, const struct sl_view_table *view)
{
    struct row_history *history = api->histories;

    while (history && history->view != view)
        history = history->next;
    return history;
}

struct row_history *api_row_history_join(struct sl_api *api, struct sl_view_table *view)
{
    const struct sl_view_status status = sl_view_table_status(view);
    struct row_history *history = find(api, view);

    if (history) {
        history->users++;
        return history;
    }
    history = calloc(1, sizeof *history);
    if (!history)
        return NULL;
    history->api = api;
    history->view = view;
    history->users = 1;
    /* A view that is starting will be somewhere: nothing is known of what lies below that. */
    history->history.from = status.attached ? status.position : UINT64_MAX;
    history->changes.changed = remember;
    history->changes.resync = start_over;
    history->next = api->histories;
    api->histories = history;
    sl_view_watch(view, &history->changes);
    return history;
}

void api_row_history_leave(struct row_history *history)
{
    if (--history->users == 0)
        history->left_ns = sl_env_monotonic(history->api->options.env);
}

enum api_rows_since api_rows_since(const struct sl_api *api, const struct sl_view_table *view,
                                   uint64_t position, uint64_t *out_place)
{
    const struct sl_view_status status = sl_view_table_status(view);
    const struct row_history *history = find(api, view);

    if (!status.attached)
        return API_ROWS_LOST;
    if (position >= status.position)
        return API_ROWS_TO_COME;
    return history && sl_history_find(&history->history, position, out_place) ? API_ROWS_KNOWN
                                                                              : API_ROWS_LOST;
}

void api_row_histories_free(struct sl_api *api)
{
    while (api->histories) {
        struct row_history *next = api->histories->next;
        sl_history_close(&api->histories->history);
        free(api->histories);
        api->histories = next;
    }
}
