/* /admin/processes/…: processes that stand still, and what status and metrics say of all. */
#include <string.h>

#include "api/parts.h"
#include "record/value.h"

static const char *const states[] = {
    [SL_PROCESS_STARTING] = "starting", [SL_PROCESS_RUNNING] = "running",
    [SL_PROCESS_WAITING] = "waiting",   [SL_PROCESS_DEGRADED] = "degraded",
    [SL_PROCESS_FAILED] = "failed",
};

/* ---- What is said of them ------------------------------------------------------------------ */

static void write_text(struct sl_buf *out, const char *name, struct sl_text text)
{
    if (text.len == 0)
        return;
    sl_buf_printf(out, ",\"%s\":", name);
    sl_json_write_text(out, text);
}

static void write_process(const struct sl_core_domain *domain, size_t place, struct sl_buf *out)
{
    const struct sl_process_status status = sl_core_process_status(domain, place);

    SL_BUF_LITERAL(out, "{\"name\":");
    api_json_string(out, sl_core_process_name(domain, place));
    sl_buf_printf(out,
                  ",\"state\":\"%s\",\"stuck\":%s,\"position\":%llu,\"commands\":%llu,"
                  "\"timers\":%llu",
                  states[status.state], status.stuck ? "true" : "false",
                  (unsigned long long)status.position, (unsigned long long)status.commands,
                  (unsigned long long)status.timers);
    if (status.tries > 0) {
        SL_BUF_LITERAL(out, ",\"since\":\"");
        sl_value_write_time(out, status.since);
        sl_buf_printf(out, "\",\"tries\":%llu", (unsigned long long)status.tries);
    }
    write_text(out, "instance", status.key);
    write_text(out, "command", status.command);
    write_text(out, "why", status.why);
    sl_buf_byte(out, '}');
}

void api_write_processes(struct sl_core_domain *domain, struct sl_buf *out)
{
    SL_BUF_LITERAL(out, ",\"processes\":[");
    for (size_t i = 0; i < sl_core_process_count(domain); i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        write_process(domain, i, out);
    }
    sl_buf_byte(out, ']');
}

static void write_gauge(struct sl_core *core, struct sl_buf *out, const char *name,
                        const char *help, bool position)
{
    sl_buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
    for (size_t d = 0; d < sl_core_domain_count(core); d++) {
        const struct sl_core_domain *domain = sl_core_domain_at(core, d);
        for (size_t i = 0; i < sl_core_process_count(domain); i++) {
            const struct sl_process_status status = sl_core_process_status(domain, i);
            sl_buf_printf(out, "%s{domain=\"%s\",process=\"%s\"} %llu\n", name,
                          sl_core_domain_of(domain)->name, sl_core_process_name(domain, i),
                          (unsigned long long)(position ? status.position : status.stuck));
        }
    }
}

void api_write_process_metrics(struct sl_core *core, struct sl_buf *out)
{
    write_gauge(core, out, "sluice_process_position", "Events that the process is done with.",
                true);
    write_gauge(core, out, "sluice_process_stuck",
                "1: the process stands still, see /admin/status.", false);
}

/* ---- What an operator does to one ---------------------------------------------------------- */

/* ?process=DOMAIN/PROCESS. False: it was answered. */
static bool find_process(struct api_call *call, size_t *out_place)
{
    static const char *const parameters[] = {"process", NULL};
    struct sl_text rest = call->request->query, name, value = {"", 0};
    bool broken = false;

    if (!api_knows_parameters(call, parameters))
        return false;
    if (!sl_api_is_ready(call->api)) {
        api_refuse(call, "not_ready", NULL, "the logs are being opened");
        return false;
    }
    if (!sl_url_pair(&rest, call->request->arena, &name, &value, &broken) || broken) {
        api_refuse(call, "bad_query", "process", "process=DOMAIN/PROCESS says which");
        return false;
    }
    const char *slash = value.len > 0 ? memchr(value.ptr, '/', value.len) : NULL;
    const size_t len = slash ? (size_t)(slash - value.ptr) : value.len;
    call->domain = sl_core_find(call->api->options.core, (struct sl_text){value.ptr, len});
    for (size_t i = 0; call->domain && slash && i < sl_core_process_count(call->domain); i++) {
        const char *own = sl_core_process_name(call->domain, i);
        if (sl_text_equals((struct sl_text){slash + 1, value.len - len - 1},
                           (struct sl_text){own, strlen(own)})) {
            *out_place = i;
            return true;
        }
    }
    api_refuse(call, "not_found", "process", "there is no process of this name: DOMAIN/PROCESS");
    return false;
}

static void refuse_running(struct api_call *call)
{
    api_refuse(call, "not_stuck", NULL, "the process does not stand still");
}

void api_post_process_retry(struct api_call *call)
{
    size_t place;

    if (!find_process(call, &place))
        return; /* and the request is gone, since it was answered */
    if (sl_core_process_retry(call->domain, place))
        api_answer(call, 202, API_JSON, SL_TEXT("{\"retrying\":true}"));
    else
        refuse_running(call);
}

void api_post_process_skip(struct api_call *call)
{
    size_t place;

    if (!find_process(call, &place))
        return;
    struct sl_core_skip *skip = sl_arena_zeroed(call->request->arena, 1, sizeof *skip);
    if (!skip) {
        api_no_memory(call);
        return;
    }
    skip->done = api_skipped;
    skip->user = call;
    if (!sl_core_process_skip(call->domain, place, call->who, skip))
        refuse_running(call);
}
