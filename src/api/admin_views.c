/* /admin/views/rebuild and /admin/views/digest, and what status and metrics say of rebuilds. */
#include <stdlib.h>
#include <string.h>

#include "api/parts.h"

static const int64_t digest_wait_ns = INT64_C(30000000000);

/* ---- Names --------------------------------------------------------------------------------- */

/* DOMAIN/VIEW. False: it was answered. */
static bool find_view(struct api_call *call, struct sl_text name, size_t *out_place)
{
    const char *slash = name.len > 0 ? memchr(name.ptr, '/', name.len) : NULL;
    const size_t len = slash ? (size_t)(slash - name.ptr) : name.len;
    const struct sl_view_table *view = NULL;

    call->domain = sl_core_find(call->api->options.core, (struct sl_text){name.ptr, len});
    if (call->domain && slash)
        view = sl_core_view(call->domain, (struct sl_text){slash + 1, name.len - len - 1});
    for (size_t i = 0; view && i < sl_core_view_count(call->domain); i++)
        if (sl_core_view_at(call->domain, i) == view) {
            *out_place = i;
            return true;
        }
    api_refuse(call, "not_found", "view", "there is no view of this name: DOMAIN/VIEW");
    return false;
}

static bool is_possible(struct api_call *call)
{
    static const char *const parameters[] = {"view", NULL};

    if (!api_knows_parameters(call, parameters))
        return false;
    if (!sl_api_is_ready(call->api)) {
        api_refuse(call, "not_ready", NULL, "the views are being opened");
        return false;
    }
    return true;
}

/* ---- Rebuilding ---------------------------------------------------------------------------- */

/* Of each domain, which of its views; NULL: none. */
static bool add_wanted(struct api_call *call, size_t place, bool **wanted)
{
    struct sl_core *core = call->api->options.core;
    size_t d = 0;

    while (sl_core_domain_at(core, d) != call->domain)
        d++;
    if (!wanted[d])
        wanted[d] =
            sl_arena_zeroed(call->request->arena, sl_core_view_count(call->domain), sizeof(bool));
    if (!wanted[d]) {
        api_no_memory(call);
        return false;
    }
    return wanted[d][place] = true;
}

/* False: it was answered. */
static bool read_wanted(struct api_call *call, bool **wanted)
{
    struct sl_text rest = call->request->query, name, value = {"", 0};
    bool broken = false, some = false;
    size_t place = 0;

    while (sl_url_pair(&rest, call->request->arena, &name, &value, &broken)) {
        if (!find_view(call, value, &place) || !add_wanted(call, place, wanted))
            return false;
        some = true;
    }
    if (!some)
        api_refuse(call, "bad_query", "view", "view=DOMAIN/VIEW says which, and may be repeated");
    return some;
}

void api_post_view_rebuild(struct api_call *call)
{
    struct sl_core *core = call->api->options.core;
    struct sl_error error = {0};
    enum sl_err err = SL_OK;

    if (!is_possible(call))
        return;
    bool **wanted =
        sl_arena_zeroed(call->request->arena, sl_core_domain_count(core), sizeof *wanted);
    if (!wanted) {
        api_no_memory(call);
        return;
    }
    if (!read_wanted(call, wanted))
        return;
    for (size_t d = 0; d < sl_core_domain_count(core) && err == SL_OK; d++)
        if (wanted[d])
            err = sl_core_view_may_rebuild(sl_core_domain_at(core, d), wanted[d], &error);
    for (size_t d = 0; d < sl_core_domain_count(core) && err == SL_OK; d++)
        if (wanted[d])
            err = sl_core_view_rebuild(sl_core_domain_at(core, d), wanted[d], &error);
    if (err == SL_OK)
        api_answer(call, 202, API_JSON, SL_TEXT("{\"rebuilding\":true}"));
    else if (err == SL_BUSY)
        api_refuse(call, "rebuilding", "view", "%s", error.message);
    else
        api_no_memory(call);
}

static const char *state_name(enum sl_rebuild_state state)
{
    switch (state) {
    case SL_REBUILD_SCANS:
        return "scanning";
    case SL_REBUILD_SWAPS:
        return "swapping";
    case SL_REBUILD_REMOVES:
        return "removing";
    case SL_REBUILD_DONE:
        return "done";
    default:
        return "failed";
    }
}

void api_write_rebuild(struct sl_core_domain *domain, size_t place, struct sl_buf *out)
{
    const struct sl_rebuild_status status = sl_core_view_rebuild_status(domain, place);

    if (status.state == SL_REBUILD_NONE)
        return;
    sl_buf_printf(out,
                  ",\"rebuild\":{\"state\":\"%s\",\"position\":%llu,\"events_per_second\":%.0f,"
                  "\"seconds\":%.1f",
                  state_name(status.state), (unsigned long long)status.position,
                  status.events_per_second, (double)status.took_ns / 1e9);
    if (status.left_ns >= 0)
        sl_buf_printf(out, ",\"seconds_left\":%.1f", (double)status.left_ns / 1e9);
    if (status.why[0]) {
        SL_BUF_LITERAL(out, ",\"why\":");
        api_json_string(out, status.why);
    }
    sl_buf_byte(out, '}');
}

/* ---- Metrics ------------------------------------------------------------------------------- */

enum metric { RUNNING, POSITION, SECONDS_LEFT, FAILED, METRICS };

static double value_of(const struct sl_rebuild_status *status, enum metric which)
{
    const bool running = status->state >= SL_REBUILD_SCANS && status->state <= SL_REBUILD_REMOVES;

    switch (which) {
    case RUNNING:
        return running;
    case POSITION:
        return (double)status->position;
    case SECONDS_LEFT:
        return status->left_ns >= 0 ? (double)status->left_ns / 1e9 : 0;
    default:
        return status->state == SL_REBUILD_FAILED;
    }
}

/* Whatever the engine does, and rebuilds before all, is done in turns; a lookup waits for the one
 * that is under way when it comes. */
static void write_turns(const struct sl_histogram *turns, struct sl_buf *out)
{
    uint64_t below = 0;

    SL_BUF_LITERAL(out, "# HELP sluice_turn_seconds How long the engine's thread was busy at a "
                        "stretch: what comes meanwhile waits.\n"
                        "# TYPE sluice_turn_seconds histogram\n");
    for (int i = 0; i < 24; i++) {
        below += turns->buckets[i];
        sl_buf_printf(out, "sluice_turn_seconds_bucket{le=\"%.6f\"} %llu\n",
                      (double)(UINT64_C(1) << i) / 1e6, (unsigned long long)below);
    }
    sl_buf_printf(out,
                  "sluice_turn_seconds_bucket{le=\"+Inf\"} %llu\n"
                  "sluice_turn_seconds_sum %.9f\nsluice_turn_seconds_count %llu\n",
                  (unsigned long long)turns->count, (double)turns->sum_ns / 1e9,
                  (unsigned long long)turns->count);
}

void api_write_rebuild_metrics(struct sl_api *api, struct sl_buf *out)
{
    struct sl_core *const core = api->options.core;
    static const char *const names[METRICS][2] = {
        [RUNNING] = {"sluice_view_rebuilding", "1: the view is being built anew."},
        [POSITION] = {"sluice_view_rebuild_position", "Events that the new build has applied."},
        [SECONDS_LEFT] = {"sluice_view_rebuild_seconds_left",
                          "About how long the scan still takes; 0 where nobody knows."},
        [FAILED] = {"sluice_view_rebuild_failed", "1: the last rebuild failed; see /admin/status."},
    };

    write_turns(sl_net_turns(api->options.net), out);
    for (enum metric m = RUNNING; m < METRICS; m++) {
        sl_buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", names[m][0], names[m][1],
                      names[m][0]);
        for (size_t d = 0; d < sl_core_domain_count(core); d++) {
            struct sl_core_domain *domain = sl_core_domain_at(core, d);
            for (size_t v = 0; v < sl_core_view_count(domain); v++) {
                const struct sl_rebuild_status status = sl_core_view_rebuild_status(domain, v);
                sl_buf_printf(out, "%s{domain=\"%s\",view=\"%s\"} %.10g\n", names[m][0],
                              sl_core_domain_of(domain)->name,
                              sl_view_table_shape(sl_core_view_at(domain, v))->view->name,
                              value_of(&status, m));
            }
        }
    }
}

/* ---- Digests ------------------------------------------------------------------------------- */

struct digest_query {
    struct sl_view_digest digest; /* first: it is what `done` is told */
    struct sl_wait wait;
    struct api_call *call;
};

static void digest_done(struct sl_view_digest *digest)
{
    struct api_call *call = ((struct digest_query *)(void *)digest)->call;
    struct sl_buf *out = &call->api->out;

    if (digest->err != SL_OK) {
        api_refuse(call, "view_failed", NULL, "%s", digest->error.message);
        return;
    }
    sl_buf_reset(out);
    sl_buf_printf(out, "{\"position\":%llu,\"rows\":%llu,\"digest\":\"%016llx\"}",
                  (unsigned long long)digest->position, (unsigned long long)digest->rows,
                  (unsigned long long)digest->sum);
    api_answer(call, 200, API_JSON, sl_buf_as_text(out));
}

/* However far the store has come by now: the answer says it. */
static void digest_waited(struct sl_wait *wait, bool reached, uint64_t at)
{
    struct digest_query *query = wait->user;
    struct sl_error error = {0};

    (void)reached, (void)at;
    api_waited(query->call);
    query->digest.done = digest_done;
    if (sl_view_digest(query->wait.view, &query->digest, &error) != SL_OK)
        api_refuse(query->call, "view_failed", NULL, "%s", error.message);
}

static void digest_cancelled(struct api_call *call)
{
    sl_core_wait_cancel(&((struct digest_query *)call->work)->wait);
}

void api_get_view_digest(struct api_call *call)
{
    struct sl_text rest = call->request->query, name, value = {"", 0};
    bool broken = false;
    size_t place = 0;

    if (!is_possible(call))
        return;
    if (!sl_url_pair(&rest, call->request->arena, &name, &value, &broken) || broken) {
        api_refuse(call, "bad_query", "view", "view=DOMAIN/VIEW says which");
        return;
    }
    if (!find_view(call, value, &place))
        return;
    struct digest_query *query = sl_arena_zeroed(call->request->arena, 1, sizeof *query);
    if (!query) {
        api_no_memory(call);
        return;
    }
    query->call = call;
    struct sl_view_table *view = sl_core_view_at(call->domain, place);
    query->wait =
        (struct sl_wait){.domain = call->domain,
                         .view = view,
                         .path = SL_PATH_LIST,
                         .position = sl_view_table_status(view).position,
                         .until_ns = sl_env_monotonic(call->api->options.env) + digest_wait_ns,
                         .done = digest_waited,
                         .user = query};
    api_wait(call, digest_cancelled, query);
    sl_view_hurry(view);
    sl_core_wait(&query->wait);
}
