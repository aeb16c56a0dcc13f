/* GET /{domain}/{view}/{key}: one row, perhaps of a position that is still to come, perhaps live.
 */
#include "api/parts.h"

#include <string.h>

struct row_query {
    struct sl_lookup lookup;
    struct api_call *call;
    bool live;
};

void api_header_degraded(struct api_call *call)
{
    if (sl_view_table_status(call->view).state == SL_VIEW_DEGRADED)
        SL_BUF_LITERAL(&call->api->headers, "Sluice-View: degraded\r\n");
}

bool api_can_reach(struct api_call *call, uint64_t wanted)
{
    const struct sl_view_status status = sl_view_table_status(call->view);

    if (status.state != SL_VIEW_DEGRADED || wanted <= status.position)
        return true;
    api_refuse_at(call, "view_degraded", status.position, status.why);
    return false;
}

static void send_row(struct api_call *call, const struct sl_view_row *row, uint64_t position)
{
    api_headers(call);
    api_header_position(call, position);
    api_header_degraded(call);
    if (api_etag_matches(call, row->json))
        api_send(call, 304, NULL, (struct sl_text){NULL, 0});
    else
        api_send(call, 200, API_JSON, row->json);
}

static void row_done(struct sl_lookup *lookup, enum sl_lookup_end end,
                     const struct sl_view_row *row, uint64_t position)
{
    struct row_query *query = lookup->user;
    struct api_call *call = query->call;

    api_waited(call);
    switch (end) {
    case SL_LOOKUP_ROW:
    case SL_LOOKUP_NONE:
        if (query->live)
            api_follow_row(call, lookup->key, row, position);
        else if (row)
            send_row(call, row, position);
        else
            api_refuse_at(call, "no_row", position, "the view has no row with this key");
        break;
    case SL_LOOKUP_LATE:
        if (!api_can_reach(call, lookup->position))
            break; /* it became degraded while this waited */
        api_refuse_at(call, "position_not_reached", position,
                      "the view was not as far in time; it has applied all below `position`");
        break;
    case SL_LOOKUP_BROKEN:
        api_refuse_at(call, "view_failed", position, "the view's store failed");
        break;
    }
}

static void row_cancelled(struct api_call *call)
{
    struct row_query *query = call->work;

    sl_core_lookup_cancel(&query->lookup);
}

/* The key as the view has it: "007" is the number 7, "AB…" the UUID "ab…". False: it was answered.
 */
static bool canonical_key(struct api_call *call, struct sl_text raw, struct sl_text *out)
{
    const struct sl_view_shape *shape = sl_view_table_shape(call->view);
    struct sl_arena *arena = call->request->arena;
    const struct sl_text key = sl_url_key(raw, arena);
    void *row = sl_arena_zeroed(arena, 1, shape->view->record->size);
    uint8_t room[SL_PLACE_BYTES_MAX];
    struct sl_buf text = {.ptr = room, .capacity = sizeof room, .bytes_max = sizeof room};
    struct sl_error error = {0};

    if (!row) {
        api_no_memory(call);
        return false;
    }
    if (!key.ptr || sl_place_read(&shape->key, key, arena, row, &error) != SL_OK ||
        sl_place_write(&shape->key, row, &text) != SL_OK) {
        api_refuse(call, "no_row", NULL, "no row can have this key (%s)", shape->view->key);
        return false;
    }
    *out = sl_arena_text(arena, sl_buf_as_text(&text));
    if (out->ptr)
        return true;
    api_no_memory(call);
    return false;
}

static bool wants_past(struct api_call *call, struct sl_text *out_at)
{
    struct sl_text rest = call->request->query, name, value;
    bool broken = false;

    while (sl_url_pair(&rest, call->request->arena, &name, &value, &broken))
        if (sl_text_equals(name, SL_TEXT("at"))) {
            *out_at = value;
            return true;
        }
    return false;
}

static void get_past(struct api_call *call, struct sl_text at)
{
    static const char *const parameters[] = {"at", NULL};
    struct sl_text key;

    if (api_knows_parameters(call, parameters) && canonical_key(call, call->route.rest, &key))
        api_get_past(call, key, at);
}

void api_get_row(struct api_call *call)
{
    static const char *const parameters[] = {"min_position", "since", NULL};
    struct sl_text at;
    struct row_query *query = sl_arena_zeroed(call->request->arena, 1, sizeof *query);
    uint64_t since = 0;
    bool has_since;

    if (wants_past(call, &at)) {
        get_past(call, at);
        return;
    }
    if (!query) {
        api_no_memory(call);
        return;
    }
    query->call = call;
    query->live = api_wants_stream(call);
    query->lookup.domain = call->domain;
    query->lookup.view = call->view;
    query->lookup.done = row_done;
    query->lookup.user = query;
    if (!api_knows_parameters(call, parameters) ||
        !canonical_key(call, call->route.rest, &query->lookup.key) ||
        !api_wanted_position(call, &query->lookup.position) ||
        !api_wanted_deadline(call, &query->lookup.until_ns) ||
        !api_wanted_since(call, &has_since, &since))
        return;
    /* Who comes back does not see the row go back, after a restart of the server either. */
    if (since > query->lookup.position)
        query->lookup.position = since;
    if (!api_can_reach(call, query->lookup.position))
        return;
    api_wait(call, row_cancelled, query);
    sl_core_lookup(&query->lookup);
}
