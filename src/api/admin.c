/* /admin/…: what only the admin may. */
#include "api/parts.h"

#include <string.h>
#include <unistd.h>

static const char *view_state(enum sl_view_state state)
{
    switch (state) {
    case SL_VIEW_STARTING:
        return "starting";
    case SL_VIEW_RUNNING:
        return "running";
    case SL_VIEW_DEGRADED:
        return "degraded";
    default:
        return "failed";
    }
}

static void write_number(struct sl_buf *out, const char *name, uint64_t value)
{
    sl_buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void write_view(struct sl_core_domain *domain, size_t place, struct sl_buf *out)
{
    struct sl_view_table *view = sl_core_view_at(domain, place);
    const struct sl_view_status status = sl_view_table_status(view);

    SL_BUF_LITERAL(out, "{\"name\":");
    api_json_string(out, sl_view_table_shape(view)->view->name);
    sl_buf_printf(out, ",\"state\":\"%s\"", view_state(status.state));
    write_number(out, "position", status.position);
    write_number(out, "stored", status.stored);
    write_number(out, "generation", status.generation);
    write_number(out, "rows_in_memory", status.rows_in_memory);
    write_number(out, "rows_dirty", status.rows_dirty);
    write_number(out, "bytes", status.bytes);
    if (status.why) {
        SL_BUF_LITERAL(out, ",\"why\":");
        api_json_string(out, status.why);
    }
    api_write_rebuild(domain, place, out);
    sl_buf_byte(out, '}');
}

static void write_numbers(struct sl_core_domain *domain, struct sl_buf *out)
{
    static const struct sl_histogram nothing;
    struct sl_domain_numbers numbers;

    sl_core_numbers(domain, &numbers);
    write_number(out, "position", numbers.durable_position);
    write_number(out, "epoch", numbers.epoch);
    sl_buf_printf(out, ",\"salt\":\"%016llx\"", (unsigned long long)numbers.salt);
    write_number(out, "accepted", numbers.accepted);
    write_number(out, "refused", numbers.refused);
    write_number(out, "repeated", numbers.repeated);
    write_number(out, "failed", numbers.failed);
    write_number(out, "events", numbers.events);
    write_number(out, "batches", numbers.batches);
    write_number(out, "commands_waiting", numbers.commands_waiting);
    write_number(out, "aggregates", numbers.aggregates);
    write_number(out, "ids", numbers.ids);
    write_number(out, "processes_waiting", numbers.processes_waiting);
    write_number(out, "timers", numbers.timers);
    sl_buf_printf(out, ",\"command_p50_us\":%.0f,\"command_p99_us\":%.0f",
                  api_histogram_share(&numbers.command, &nothing, 0.5),
                  api_histogram_share(&numbers.command, &nothing, 0.99));
    if (numbers.failed_now) {
        SL_BUF_LITERAL(out, ",\"failed_why\":");
        api_json_string(out, numbers.failed_why ? numbers.failed_why : "unknown");
    }
}

static void write_domain(struct sl_core_domain *domain, struct sl_buf *out)
{
    SL_BUF_LITERAL(out, "{\"name\":");
    api_json_string(out, sl_core_domain_of(domain)->name);
    write_numbers(domain, out);
    SL_BUF_LITERAL(out, ",\"log\":{");
    sl_core_describe(domain, out);
    SL_BUF_LITERAL(out, "},\"views\":[");
    for (size_t i = 0; i < sl_core_view_count(domain); i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        write_view(domain, i, out);
    }
    sl_buf_byte(out, ']');
    api_write_processes(domain, out);
    sl_buf_byte(out, '}');
}

void api_get_status(struct api_call *call)
{
    static const char *const parameters[] = {NULL};
    struct sl_api *api = call->api;
    struct sl_core *core = api->options.core;
    struct sl_buf *out = &api->out;
    const struct sl_net_numbers net = sl_net_numbers(api->options.net);
    const bool ready = sl_api_is_ready(api);
    const int64_t up_ns = sl_env_monotonic(api->options.env) - api->started_ns;

    if (!api_knows_parameters(call, parameters))
        return;
    sl_buf_reset(out);
    sl_buf_printf(out, "{\"version\":\"" SL_VERSION "\",\"ready\":%s,\"pid\":%d",
                  ready ? "true" : "false", (int)getpid());
    write_number(out, "uptime_s", (uint64_t)(up_ns / 1000000000));
    write_number(out, "memory_bytes", api_memory_bytes(api));
    write_number(out, "connections", net.connections_now);
    write_number(out, "requests", net.requests_total);
    SL_BUF_LITERAL(out, ",\"data\":");
    api_json_string(out, api->options.data ? api->options.data : "");
    SL_BUF_LITERAL(out, ",\"domains\":[");
    for (size_t i = 0; ready && i < sl_core_domain_count(core); i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        write_domain(sl_core_domain_at(core, i), out);
    }
    SL_BUF_LITERAL(out, "]}");
    api_answer(call, 200, API_JSON, sl_buf_as_text(out));
}

void api_post_shutdown(struct api_call *call)
{
    struct sl_api *api = call->api;

    api_answer(call, 202, API_JSON, SL_TEXT("{\"stopping\":true}"));
    api->options.shutdown(api->options.context);
}

/* ---- Views: what an operator does to one --------------------------------------------------- */

/* ?view=DOMAIN/VIEW. False: it was answered. */
static bool find_view(struct api_call *call)
{
    struct sl_text rest = call->request->query, name, value = {"", 0};
    bool broken = false;

    if (!sl_url_pair(&rest, call->request->arena, &name, &value, &broken) || broken) {
        api_refuse(call, "bad_query", "view", "view=DOMAIN/VIEW says which");
        return false;
    }
    const char *slash = memchr(value.ptr, '/', value.len);
    const size_t len = slash ? (size_t)(slash - value.ptr) : value.len;
    call->domain = sl_core_find(call->api->options.core, (struct sl_text){value.ptr, len});
    if (call->domain && slash)
        call->view =
            sl_core_view(call->domain, (struct sl_text){slash + 1, value.len - len - 1});
    if (call->view)
        return true;
    api_refuse(call, "not_found", "view", "there is no view of this name: DOMAIN/VIEW");
    return false;
}

/* The view that the request names, or NULL: it was answered. */
static struct sl_view_table *named_view(struct api_call *call)
{
    static const char *const parameters[] = {"view", NULL};

    if (!api_knows_parameters(call, parameters))
        return NULL;
    if (!sl_api_is_ready(call->api)) {
        api_refuse(call, "not_ready", NULL, "the views are being opened");
        return NULL;
    }
    return find_view(call) ? call->view : NULL;
}

static void refuse_running(struct api_call *call)
{
    api_refuse(call, "not_degraded", NULL, "the view is not degraded");
}

void api_post_view_retry(struct api_call *call)
{
    struct sl_view_table *view = named_view(call);

    if (view && sl_core_view_retry(call->domain, view))
        api_answer(call, 202, API_JSON, SL_TEXT("{\"retrying\":true}"));
    else if (view)
        refuse_running(call);
}

void api_skipped(struct sl_core_skip *skip, const struct sl_outcome *outcome)
{
    struct api_call *call = skip->user;
    struct sl_buf *out = &call->api->out;

    sl_buf_reset(out);
    if (outcome->status == 201)
        sl_buf_printf(out, "{\"skipped\":%llu}", (unsigned long long)skip->event.position);
    else
        api_write_outcome(call->domain, outcome, false, out);
    api_answer(call, outcome->status == 201 ? 200 : outcome->status,
               outcome->status == 201 ? API_JSON : "application/problem+json",
               sl_buf_as_text(out));
}

void api_post_view_skip(struct api_call *call)
{
    const struct sl_view_table *view = named_view(call);

    if (!view)
        return; /* and the request is gone, since it was answered */
    struct sl_core_skip *skip = sl_arena_zeroed(call->request->arena, 1, sizeof *skip);
    if (!skip) {
        api_no_memory(call);
        return;
    }
    skip->done = api_skipped;
    skip->user = call;
    if (!sl_core_view_skip(call->domain, view, call->who, skip))
        refuse_running(call);
}
