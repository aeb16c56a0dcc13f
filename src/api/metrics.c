/* GET /metrics: the Prometheus text format, version 0.0.4. */
#include "api/parts.h"

#include <string.h>

static void head(struct sl_buf *out, const char *name, const char *type, const char *help)
{
    sl_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

struct domain_metric {
    const char *name;
    const char *type;
    const char *help;
    size_t offset; /* of a uint64_t in sl_domain_numbers */
};

#define METRIC(member, type, help)                                                \
    {                                                                             \
        "sluice_" #member, type, help, offsetof(struct sl_domain_numbers, member) \
    }

static const struct domain_metric domain_metrics[] = {
    {"sluice_commands_accepted_total", "counter", "Commands accepted.",
     offsetof(struct sl_domain_numbers, accepted)},
    {"sluice_commands_refused_total", "counter", "Commands refused by a rule.",
     offsetof(struct sl_domain_numbers, refused)},
    {"sluice_commands_repeated_total", "counter",
     "Commands answered from memory because their id was known.",
     offsetof(struct sl_domain_numbers, repeated)},
    {"sluice_commands_failed_total", "counter", "Commands that could not be carried out.",
     offsetof(struct sl_domain_numbers, failed)},
    {"sluice_events_total", "counter", "Events made since the start.",
     offsetof(struct sl_domain_numbers, events)},
    {"sluice_batches_total", "counter", "Batches appended since the start.",
     offsetof(struct sl_domain_numbers, batches)},
    {"sluice_batch_bytes_total", "counter", "Bytes of these batches.",
     offsetof(struct sl_domain_numbers, batch_bytes)},
    METRIC(durable_position, "gauge", "Events in the log."),
    METRIC(epoch, "gauge", "The present reign of the log."),
    METRIC(commands_waiting, "gauge", "Commands waiting or in work."),
    METRIC(aggregates, "gauge", "Aggregates in memory."),
    METRIC(ids, "gauge", "Command ids remembered."),
    METRIC(processes_waiting, "gauge", "Events that processes have not handled yet."),
    METRIC(timers, "gauge", "Timers set."),
};

static void write_domain_metrics(struct sl_core *core, struct sl_buf *out)
{
    struct sl_domain_numbers numbers;

    for (size_t m = 0; m < sizeof domain_metrics / sizeof *domain_metrics; m++) {
        const struct domain_metric *metric = &domain_metrics[m];
        head(out, metric->name, metric->type, metric->help);
        for (size_t i = 0; i < sl_core_domain_count(core); i++) {
            struct sl_core_domain *domain = sl_core_domain_at(core, i);
            uint64_t value;
            sl_core_numbers(domain, &numbers);
            memcpy(&value, (const char *)&numbers + metric->offset, sizeof value);
            sl_buf_printf(out, "%s{domain=\"%s\"} %llu\n", metric->name,
                          sl_core_domain_of(domain)->name, (unsigned long long)value);
        }
    }
    head(out, "sluice_log_failed", "gauge", "1: the log takes nothing until it is reopened.");
    for (size_t i = 0; i < sl_core_domain_count(core); i++) {
        struct sl_core_domain *domain = sl_core_domain_at(core, i);
        sl_core_numbers(domain, &numbers);
        sl_buf_printf(out, "sluice_log_failed{domain=\"%s\"} %d\n", sl_core_domain_of(domain)->name,
                      numbers.failed_now ? 1 : 0);
    }
}

static void write_routes(const struct sl_own_table *table, struct sl_buf *out)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } metrics[] = {
        {"sluice_route_visits_total", "Requests that a domain's own route served.",
         offsetof(struct sl_own_route, visits)},
        {"sluice_route_faults_total", "Mistakes of a domain's route: two answers, or none.",
         offsetof(struct sl_own_route, faults)},
    };

    for (size_t m = 0; table->count > 0 && m < sizeof metrics / sizeof *metrics; m++) {
        head(out, metrics[m].name, "counter", metrics[m].help);
        for (size_t i = 0; i < table->count; i++) {
            const struct sl_own_route *own = &table->items[i];
            uint64_t value;
            memcpy(&value, (const char *)own + metrics[m].offset, sizeof value);
            sl_buf_printf(out, "%s{domain=\"%s\",route=\"%s %s\"} %llu\n", metrics[m].name,
                          own->domain->name, own->route->method, own->route->path,
                          (unsigned long long)value);
        }
    }
}

static void write_histogram(struct sl_buf *out, const char *name, const char *domain,
                            const struct sl_histogram *histogram)
{
    uint64_t below = 0;

    /* From 1 µs to 8.4 s; what is longer is in +Inf alone. */
    for (int i = 0; i < 24; i++) {
        below += histogram->buckets[i];
        sl_buf_printf(out, "%s_bucket{domain=\"%s\",le=\"%.6f\"} %llu\n", name, domain,
                      (double)(UINT64_C(1) << i) / 1e6, (unsigned long long)below);
    }
    sl_buf_printf(out, "%s_bucket{domain=\"%s\",le=\"+Inf\"} %llu\n", name, domain,
                  (unsigned long long)histogram->count);
    sl_buf_printf(out, "%s_sum{domain=\"%s\"} %.9f\n%s_count{domain=\"%s\"} %llu\n", name, domain,
                  (double)histogram->sum_ns / 1e9, name, domain,
                  (unsigned long long)histogram->count);
}

/* Where a command's time goes, stage by stage. */
static const struct stage {
    const char *name;
    const char *help;
    size_t offset; /* in the numbers */
} stages[] = {
    {"sluice_command_seconds", "From a command's submission to its answer.",
     offsetof(struct sl_domain_numbers, command)},
    {"sluice_decision_seconds",
     "From a command's submission to its decision: the queue, and reading what it needs.",
     offsetof(struct sl_domain_numbers, decision)},
    {"sluice_append_seconds", "From handing a batch to the store until it is durable.",
     offsetof(struct sl_domain_numbers, append)},
};

static void write_histograms(struct sl_core *core, struct sl_buf *out)
{
    struct sl_domain_numbers numbers;

    for (size_t stage = 0; stage < sizeof stages / sizeof *stages; stage++) {
        head(out, stages[stage].name, "histogram", stages[stage].help);
        for (size_t i = 0; i < sl_core_domain_count(core); i++) {
            struct sl_core_domain *domain = sl_core_domain_at(core, i);
            sl_core_numbers(domain, &numbers);
            write_histogram(
                out, stages[stage].name, sl_core_domain_of(domain)->name,
                (const struct sl_histogram *)((const char *)&numbers + stages[stage].offset));
        }
    }
}

enum view_metric { POSITION, STORED, LAG, ROWS, DIRTY, BYTES, DEGRADED, VIEW_METRICS };

static uint64_t view_value(const struct sl_view_status *status, uint64_t log,
                           enum view_metric which)
{
    switch (which) {
    case POSITION:
        return status->position;
    case STORED:
        return status->stored;
    case LAG:
        return log > status->position ? log - status->position : 0;
    case ROWS:
        return status->rows_in_memory;
    case DIRTY:
        return status->rows_dirty;
    case BYTES:
        return status->bytes;
    default:
        return status->state == SL_VIEW_DEGRADED || status->state == SL_VIEW_FAILED;
    }
}

static void write_view_metrics(struct sl_core *core, struct sl_buf *out)
{
    static const char *const names[][2] = {
        [POSITION] = {"sluice_view_position", "Events that the view in memory has applied."},
        [STORED] = {"sluice_view_stored_position", "Events that the stored view has applied."},
        [LAG] = {"sluice_view_lag", "Events in the log that the view has not applied."},
        [ROWS] = {"sluice_view_rows", "Rows in memory."},
        [DIRTY] = {"sluice_view_rows_dirty", "Rows in memory that are not stored yet."},
        [BYTES] = {"sluice_view_bytes", "Bytes of rows in memory."},
        [DEGRADED] = {"sluice_view_degraded", "1: the view gave up, see /admin/status."},
    };

    for (enum view_metric m = POSITION; m < VIEW_METRICS; m++) {
        head(out, names[m][0], "gauge", names[m][1]);
        for (size_t i = 0; i < sl_core_domain_count(core); i++) {
            struct sl_core_domain *domain = sl_core_domain_at(core, i);
            struct sl_domain_numbers numbers;
            sl_core_numbers(domain, &numbers);
            for (size_t v = 0; v < sl_core_view_count(domain); v++) {
                struct sl_view_table *view = sl_core_view_at(domain, v);
                const struct sl_view_status status = sl_view_table_status(view);
                sl_buf_printf(out, "%s{domain=\"%s\",view=\"%s\"} %llu\n", names[m][0],
                              sl_core_domain_of(domain)->name,
                              sl_view_table_shape(view)->view->name,
                              (unsigned long long)view_value(&status, numbers.durable_position, m));
            }
        }
    }
}

static void write_one(struct sl_buf *out, const char *name, const char *type, const char *help,
                      uint64_t value)
{
    head(out, name, type, help);
    sl_buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void write_process(struct sl_api *api, struct sl_buf *out)
{
    const struct sl_net_numbers net = sl_net_numbers(api->options.net);
    const int64_t up_ns = sl_env_monotonic(api->options.env) - api->started_ns;

    write_one(out, "sluice_connections", "gauge", "Connections now.", net.connections_now);
    write_one(out, "sluice_connections_total", "counter", "Connections since the start.",
              net.connections_total);
    write_one(out, "sluice_connections_refused_total", "counter", "Connections over the limit.",
              net.connections_refused);
    write_one(out, "sluice_requests_total", "counter", "Requests handed to the doors.",
              net.requests_total);
    write_one(out, "sluice_requests_bad_total", "counter", "Requests that were malformed.",
              net.requests_bad);
    write_one(out, "sluice_dropped_slow_total", "counter", "Connections whose peer did not read.",
              net.dropped_slow);
    write_one(out, "sluice_bytes_in_total", "counter", "Bytes received.", net.bytes_in);
    write_one(out, "sluice_bytes_out_total", "counter", "Bytes sent.", net.bytes_out);
    write_one(out, "sluice_tls_handshakes_total", "counter", "Handshakes of TLS that were done.",
              net.tls_total);
    write_one(out, "sluice_tls_failed_total", "counter", "Connections that TLS ended.",
              net.tls_failed);
    write_one(out, "sluice_loop_wakeups_total", "counter", "Turns of the event loop.", net.wakeups);
    write_one(out, "sluice_ready", "gauge", "1: commands are taken.", sl_api_is_ready(api));
    write_one(out, "sluice_uptime_seconds", "gauge", "Since the start.",
              (uint64_t)(up_ns / 1000000000));
    write_one(out, "process_resident_memory_bytes", "gauge", "Memory of the process.",
              api_memory_bytes(api));
    head(out, "sluice_build_info", "gauge", "The program's version.");
    SL_BUF_LITERAL(out, "sluice_build_info{version=\"" SL_VERSION "\"} 1\n");
}

void api_get_metrics(struct api_call *call)
{
    static const char *const parameters[] = {NULL};
    struct sl_api *api = call->api;

    if (!api_knows_parameters(call, parameters))
        return;
    sl_buf_reset(&api->out);
    if (sl_api_is_ready(api)) {
        write_domain_metrics(api->options.core, &api->out);
        write_histograms(api->options.core, &api->out);
        write_view_metrics(api->options.core, &api->out);
        api_write_rebuild_metrics(api, &api->out);
        api_write_process_metrics(api->options.core, &api->out);
        write_routes(&api->routes, &api->out);
    }
    write_process(api, &api->out);
    api_answer(call, 200, "text/plain; version=0.0.4; charset=utf-8", sl_buf_as_text(&api->out));
}
