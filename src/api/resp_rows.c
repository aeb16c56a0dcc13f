/*
 * Subscriptions to rows.
 *
 * A message is the row's JSON, "null" where the row is gone. Of a channel with "@" it is
 * {"position":token,"key":…,"row":…}: all changes below the position were sent before.
 *
 * A row with "@" begins with the row as it stands, once the view is as far as the token: whatever
 * happened in between is in it. A pattern with "@" begins with the changed rows as they stand, then
 * {"position":token} alone, which says that the past is over. Which rows changed since a position
 * is known by a history (history.h) of each view that is subscribed to so, or was lately; where
 * that does not reach back far enough, the subscription is refused, and the client reads the view
 * again. A message's position is the event's own, not the one behind it: an event may change
 * several rows, and whoever goes on from a message may have seen only some.
 *
 * When the view was rebuilt, and other rows may have taken the place of all, a row is sent as it
 * then stands; subscribers to patterns are dropped, and read the view again when they come back:
 * which rows differ nobody knows.
 */
#include "api/resp_parts.h"

#include <stdlib.h>
#include <string.h>

#include "api/glob.h"
#include "api/row_history.h"

enum { BACKLOG_MAX = 256 << 10, PAUSE_NS = 5000000 };

struct row_watch {
    struct resp_watch watch; /* first */
    struct sl_view_watch changes;
    struct sl_core_domain *domain;
    struct sl_view_table *view;
    bool live;    /* what changes is sent as it changes */
    bool waiting; /* in api->paused_rows: goes on in the next turn */
    bool asking;  /* `lookup` is under way */
    struct row_watch *next_waiting;
    struct row_history *kept;    /* of patterns with "@": stays as long as they do */
    struct row_history *history; /* the same, until they are live */
    uint64_t place;              /* there */
    uint64_t position;           /* of the change, or that the row is to be as far as */
    struct sl_lookup lookup;
    size_t key_len;
    char key[SL_HISTORY_KEY_MAX];
};

/* ---- Where it goes on ---------------------------------------------------------------------- */

bool resp_rows_can_go_on(struct resp_session *session, const struct resp_channel *channel,
                         struct sl_buf *out)
{
    uint64_t place;

    if (!channel->is_pattern || !channel->has_position ||
        api_rows_since(session->api, channel->view, channel->position, &place) != API_ROWS_LOST)
        return true;
    resp_error(out, "GONE",
               "which rows changed since that position is not known any more: subscribe with @ "
               "alone, then read the view from the position of the first message on");
    return false;
}

/* ---- Sending ------------------------------------------------------------------------------- */

static bool tell_row(struct row_watch *rows, struct sl_text key, const struct sl_view_row *row,
                     uint64_t position)
{
    struct resp_watch *watch = &rows->watch;
    struct sl_buf *out = &watch->session->api->out;

    sl_buf_reset(out);
    if (watch->is_resumable) {
        resp_tell_position(watch, rows->domain, position);
        SL_BUF_LITERAL(out, ",\"key\":");
        sl_json_write_text(out, key);
        SL_BUF_LITERAL(out, ",\"row\":");
    }
    if (!row || !row->row)
        SL_BUF_LITERAL(out, "null");
    else if (row->json.len > 0)
        sl_buf_text(out, row->json);
    else
        sl_json_write(out, sl_view_table_shape(rows->view)->view->record, row->row);
    if (watch->is_resumable)
        sl_buf_byte(out, '}');
    return resp_tell(watch, (struct sl_text){watch->channel, watch->prefix_len}, key);
}

static bool is_wanted(const struct row_watch *rows, struct sl_text key)
{
    return !rows->watch.is_pattern || sl_glob_matches(resp_watch_rest(&rows->watch), key);
}

static void changed(struct sl_view_watch *watch, struct sl_text key, const struct sl_view_row *row,
                    uint64_t position)
{
    struct row_watch *rows =
        (struct row_watch *)(void *)((char *)watch - offsetof(struct row_watch, changes));

    /* A peer that is too slow is dropped by the network, which then says `closed`. */
    if (rows->live && is_wanted(rows, key))
        (void)tell_row(rows, key, row, position - 1);
}

/* ---- The past ------------------------------------------------------------------------------ */

static void go_on_next_turn(struct row_watch *rows)
{
    struct sl_api *api = rows->watch.session->api;

    SL_ASSERT(!rows->waiting);
    rows->waiting = true;
    rows->next_waiting = api->paused_rows;
    api->paused_rows = rows;
}

static void replaced(struct sl_view_watch *watch, uint64_t position)
{
    struct row_watch *rows =
        (struct row_watch *)(void *)((char *)watch - offsetof(struct row_watch, changes));

    (void)position;
    if (rows->watch.is_pattern)
        sl_resp_drop(rows->watch.session->net);
    else if (!rows->waiting && !rows->asking)
        go_on_next_turn(rows);
}

static void looked_up(struct sl_lookup *lookup, enum sl_lookup_end end,
                      const struct sl_view_row *row, uint64_t position)
{
    struct row_watch *rows = lookup->user;
    const struct sl_text key = lookup->key;

    rows->asking = false;
    if (end == SL_LOOKUP_BROKEN || (end == SL_LOOKUP_LATE && rows->history)) {
        sl_resp_drop(rows->watch.session->net); /* it comes back with its position */
        return;
    }
    if (end == SL_LOOKUP_LATE) {
        SL_MARK("a view is behind a subscriber's position");
        rows->position = 0; /* the row as it stands; what is still to come is sent as it comes */
        go_on_next_turn(rows);
        return;
    }
    const bool good = tell_row(rows, key, end == SL_LOOKUP_ROW ? row : NULL,
                               rows->history ? rows->position : position);
    if (good && rows->history)
        go_on_next_turn(rows);
}

static void look_up(struct row_watch *rows, struct sl_text key, uint64_t position)
{
    struct sl_api *api = rows->watch.session->api;

    rows->asking = true;
    rows->lookup = (struct sl_lookup){
        .domain = rows->domain,
        .view = rows->view,
        .key = key,
        .position = position,
        .until_ns = sl_env_monotonic(api->options.env) + api->options.timeout_ms * 1000000,
        .done = looked_up,
        .user = rows,
    };
    sl_core_lookup(&rows->lookup);
}

/* The past is over. */
static void go_live(struct row_watch *rows)
{
    rows->history = NULL;
    rows->live = true;
    resp_tell_position(&rows->watch, rows->domain, sl_view_table_status(rows->view).position);
    sl_buf_byte(&rows->watch.session->api->out, '}');
    (void)resp_tell(&rows->watch, (struct sl_text){rows->watch.channel, rows->watch.prefix_len},
                    resp_watch_rest(&rows->watch));
}

/* One change of the past. False: nothing more can be done now. */
static bool take_change(struct row_watch *rows)
{
    struct sl_view_row row;
    bool lost;

    if (sl_resp_backlog(rows->watch.session->net) > BACKLOG_MAX) {
        go_on_next_turn(rows);
        return false;
    }
    if (!sl_history_next(&rows->history->history, &rows->place, &rows->position, rows->key,
                         &rows->key_len, &lost)) {
        if (lost)
            sl_resp_drop(rows->watch.session->net);
        else
            go_live(rows);
        return false;
    }
    const struct sl_text key = {rows->key, rows->key_len};
    if (!is_wanted(rows, key))
        return true;
    switch (sl_view_lookup(rows->view, key, &row)) {
    case SL_LOOKUP_FOUND:
        /* It changed again later: it comes with that change. */
        return row.version > rows->position + 1 || tell_row(rows, key, &row, rows->position);
    case SL_LOOKUP_ABSENT:
        return tell_row(rows, key, NULL, rows->position);
    default:
        look_up(rows, key, 0);
        return false;
    }
}

static void go_on(struct row_watch *rows)
{
    if (rows->history) {
        while (take_change(rows))
            continue;
    } else {
        look_up(rows, resp_watch_rest(&rows->watch), rows->position);
    }
}

int64_t resp_rows_turn(struct sl_api *api, int64_t monotonic_ns)
{
    struct row_watch *rows = api->paused_rows, *next;

    api->paused_rows = NULL;
    for (; rows; rows = next) {
        next = rows->next_waiting;
        rows->waiting = false;
        go_on(rows);
    }
    return api->paused_rows ? monotonic_ns + PAUSE_NS : INT64_MAX;
}

/* ---- Begin and end ------------------------------------------------------------------------- */

static void end_rows(struct resp_watch *watch)
{
    struct row_watch *rows = (struct row_watch *)watch;
    struct sl_api *api = watch->session->api;
    struct row_watch **link = &api->paused_rows;

    if (rows->waiting) {
        while (*link != rows)
            link = &(*link)->next_waiting;
        *link = rows->next_waiting;
    }
    if (rows->kept)
        api_row_history_leave(rows->kept);
    if (!api->closed) {
        if (rows->asking)
            sl_core_lookup_cancel(&rows->lookup);
        sl_view_unwatch(rows->view, &rows->changes);
    }
    free(rows);
}

struct resp_watch *resp_rows_start(struct resp_session *session, const struct resp_channel *channel)
{
    const bool has_past = channel->is_resumable;
    struct row_history *history =
        has_past && channel->is_pattern ? api_row_history_join(session->api, channel->view) : NULL;

    if (has_past && channel->is_pattern && !history)
        return NULL;
    struct resp_watch *watch = resp_watch_new(sizeof(struct row_watch), session, channel);
    struct row_watch *rows = (struct row_watch *)watch;
    if (!watch) {
        if (history)
            api_row_history_leave(history);
        return NULL;
    }
    watch->end = end_rows;
    rows->domain = channel->domain;
    rows->view = channel->view;
    rows->position = channel->position;
    rows->changes.changed = changed;
    rows->changes.resync = replaced;
    if (!channel->is_pattern)
        rows->changes.key = resp_watch_rest(watch);
    rows->live = !history;
    if (history) {
        rows->history = rows->kept = history;
        /* A position that the view has not reached: all that is missing is still to come. */
        if (!channel->has_position || api_rows_since(session->api, rows->view, channel->position,
                                                     &rows->place) != API_ROWS_KNOWN)
            rows->place = history->history.head;
    }
    if (has_past)
        go_on_next_turn(rows);
    sl_view_watch(rows->view, &rows->changes);
    return watch;
}
