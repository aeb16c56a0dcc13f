/*
 * Numbers of the running server, live: GET /live sends an event a second while somebody watches.
 * With nobody there is no timer and nothing is kept.
 */
#include "api/parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

struct watcher {
    struct api_stream stream;
    struct watcher *next;
};

struct api_numbers {
    struct watcher *watchers;
    int64_t due_ns;
    int64_t last_ns;
    size_t count;
    struct sl_domain_numbers *before; /* of each domain, at `last_ns` */
};

uint64_t api_memory_bytes(struct sl_api *api)
{
    struct sl_file *file = NULL;
    char text[128];
    size_t len = 0;
    uint64_t pages = 0;

    if (sl_disk_open(api->options.env, "/proc/self/statm", SL_OPEN_READ, &file, NULL) != SL_OK)
        return 0;
    if (sl_file_read(file, 0, text, sizeof text - 1, &len, NULL) != SL_OK)
        len = 0;
    sl_file_close(file);
    text[len] = '\0';
    /* The second number: pages in memory. */
    const char *at = strchr(text, ' ');
    while (at && *++at >= '0' && *at <= '9')
        pages = pages * 10 + (uint64_t)(*at - '0');
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

double api_histogram_share(const struct sl_histogram *now, const struct sl_histogram *before,
                           double share)
{
    const uint64_t total = now->count - before->count;
    uint64_t below = 0;

    if (total == 0)
        return 0;
    const double wanted = (double)total * share;
    for (int i = 0; i < SL_HISTOGRAM_BUCKETS; i++) {
        const uint64_t count = now->buckets[i] - before->buckets[i];
        if ((double)(below + count) >= wanted && count > 0) {
            /* Durations are taken to lie evenly in their bucket. */
            const double low = i == 0 ? 0 : (double)(UINT64_C(1) << (i - 1));
            const double high = (double)(UINT64_C(1) << i);
            return low + (high - low) * (wanted - (double)below) / (double)count;
        }
        below += count;
    }
    return (double)(UINT64_C(1) << (SL_HISTOGRAM_BUCKETS - 1));
}

/* ---- An event ------------------------------------------------------------------------------ */

static void write_views(struct sl_core_domain *domain, uint64_t head, struct sl_buf *out)
{
    SL_BUF_LITERAL(out, ",\"views\":[");
    for (size_t i = 0; i < sl_core_view_count(domain); i++) {
        struct sl_view_table *view = sl_core_view_at(domain, i);
        const struct sl_view_status status = sl_view_table_status(view);
        sl_buf_printf(out, "%s{\"name\":\"%s\",\"lag\":%llu,\"stored_lag\":%llu,\"rows\":%llu}",
                      i ? "," : "", sl_view_table_shape(view)->view->name,
                      (unsigned long long)(head > status.position ? head - status.position : 0),
                      (unsigned long long)(head > status.stored ? head - status.stored : 0),
                      (unsigned long long)status.rows_in_memory);
    }
    SL_BUF_LITERAL(out, "]");
}

static void write_domain(struct sl_core_domain *domain, struct sl_domain_numbers *before,
                         double seconds, struct sl_buf *out)
{
    struct sl_domain_numbers now;

    sl_core_numbers(domain, &now);
    const uint64_t commands = now.accepted + now.refused + now.repeated;
    const uint64_t earlier = before->accepted + before->refused + before->repeated;
    sl_buf_printf(out,
                  "{\"name\":\"%s\",\"commands\":%llu,\"events\":%llu,"
                  "\"commands_per_second\":%.1f,\"events_per_second\":%.1f,"
                  "\"p50_us\":%.0f,\"p99_us\":%.0f,\"waiting\":%llu,\"position\":%llu",
                  sl_core_domain_of(domain)->name, (unsigned long long)commands,
                  (unsigned long long)now.events, (double)(commands - earlier) / seconds,
                  (double)(now.events - before->events) / seconds,
                  api_histogram_share(&now.command, &before->command, 0.5),
                  api_histogram_share(&now.command, &before->command, 0.99),
                  (unsigned long long)now.commands_waiting,
                  (unsigned long long)now.durable_position);
    write_views(domain, now.durable_position, out);
    sl_buf_byte(out, '}');
    *before = now;
}

static void write_numbers(struct sl_api *api, double seconds, struct sl_buf *out)
{
    const struct sl_net_numbers net = sl_net_numbers(api->options.net);

    sl_buf_reset(out);
    SL_BUF_LITERAL(out, "{\"domains\":[");
    for (size_t i = 0; i < api->numbers->count; i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        write_domain(sl_core_domain_at(api->options.core, i), &api->numbers->before[i], seconds,
                     out);
    }
    sl_buf_printf(out, "],\"connections\":%llu,\"requests\":%llu,\"memory_bytes\":%llu}",
                  (unsigned long long)net.connections_now, (unsigned long long)net.requests_total,
                  (unsigned long long)api_memory_bytes(api));
}

int64_t api_numbers_turn(struct sl_api *api, int64_t monotonic_ns)
{
    struct api_numbers *numbers = api->numbers;
    struct watcher *watcher, *next;

    if (monotonic_ns < numbers->due_ns)
        return numbers->due_ns;
    write_numbers(api, (double)(monotonic_ns - numbers->last_ns) / 1e9, &api->out);
    numbers->last_ns = monotonic_ns;
    numbers->due_ns = monotonic_ns + SECOND_NS;
    for (watcher = numbers->watchers; watcher; watcher = next) {
        next = watcher->next;
        if (!sl_stream_send(watcher->stream.stream, SL_TEXT(""), SL_TEXT("numbers"),
                            sl_buf_as_text(&api->out)))
            watcher->stream.end(&watcher->stream);
    }
    return api->numbers ? api->numbers->due_ns : INT64_MAX;
}

/* ---- Coming and going ---------------------------------------------------------------------- */

static void end_watcher(struct api_stream *stream)
{
    struct watcher *watcher = (struct watcher *)stream;
    struct sl_api *api = stream->api;
    struct watcher **link = &api->numbers->watchers;

    while (*link != watcher)
        link = &(*link)->next;
    *link = watcher->next;
    api_stream_close(stream);
    free(watcher);
    if (!api->numbers->watchers) {
        free(api->numbers->before);
        free(api->numbers);
        api->numbers = NULL;
    }
}

static struct api_numbers *new_numbers(struct sl_api *api)
{
    struct api_numbers *numbers = calloc(1, sizeof *numbers);
    struct sl_core *core = api->options.core;

    if (!numbers)
        return NULL;
    numbers->count = sl_core_domain_count(core);
    numbers->before = calloc(numbers->count + 1, sizeof *numbers->before);
    if (!numbers->before) {
        free(numbers);
        return NULL;
    }
    for (size_t i = 0; i < numbers->count; i++)
        sl_core_numbers(sl_core_domain_at(core, i), &numbers->before[i]);
    numbers->last_ns = sl_env_monotonic(api->options.env);
    /* The first watcher shall see something soon. */
    numbers->due_ns = numbers->last_ns + SECOND_NS / 10;
    return numbers;
}

void api_get_live(struct api_call *call)
{
    static const char *const parameters[] = {NULL};
    struct sl_api *api = call->api;

    if (!api_knows_parameters(call, parameters))
        return;
    if (!sl_api_is_ready(api)) {
        api_refuse(call, "not_ready", NULL, "logs are being recovered; see /readyz");
        return;
    }
    struct watcher *watcher = calloc(1, sizeof *watcher);
    if (!api->numbers)
        api->numbers = watcher ? new_numbers(api) : NULL;
    if (!watcher || !api->numbers) {
        free(watcher);
        api_no_memory(call);
        return;
    }
    watcher->next = api->numbers->watchers;
    api->numbers->watchers = watcher;
    api_stream_open(&watcher->stream, call, end_watcher);
}
