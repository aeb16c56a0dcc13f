#include "api/parts.h"

#include <stdlib.h>

#define OUT_BYTES_MAX (64u << 20)

/* The table of routes, and what is needed only where there is any. */
static enum sl_err open_routes(struct sl_api *api, struct sl_error *error)
{
    struct sl_core *core = api->options.core;
    const size_t count = sl_core_domain_count(core);
    const struct sl_domain **domains = calloc(count + 1, sizeof *domains);
    enum sl_err err = domains ? SL_OK : SL_NO_MEMORY;

    for (size_t i = 0; i < count && !err; i++)
        domains[i] = sl_core_domain_of(sl_core_domain_at(core, i));
    if (!err)
        err = sl_own_table_open(&api->routes, domains, count, error);
    free(domains);
    if (!err && api->routes.count > 0) {
        /* Untouched, it takes no memory. */
        api->visit_spare = calloc(1, SL_VISIT_ROOM_BYTES_MAX);
        err = api->visit_spare ? SL_OK : SL_NO_MEMORY;
    }
    return err == SL_NO_MEMORY ? sl_fail(error, err, "no memory for the doors") : err;
}

enum sl_err sl_api_new(const struct sl_api_options *options, struct sl_api **out,
                       struct sl_error *error)
{
    struct sl_api *api = calloc(1, sizeof *api);

    if (!api)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the doors");
    api->options = *options;
    if (api->options.timeout_ms <= 0)
        api->options.timeout_ms = 5000;
    api->out.bytes_max = api->frame.bytes_max = OUT_BYTES_MAX;
    api->started_ns = sl_env_monotonic(options->env);
    enum sl_err err = open_routes(api, error);
    if (!err && sl_json_parser_new(&api->parser) != SL_OK)
        err = sl_fail(error, SL_NO_MEMORY, "no memory for the doors");
    if (err) {
        sl_api_free(api);
        return err;
    }
    *out = api;
    return SL_OK;
}

static bool are_views_open(struct sl_core *core)
{
    for (size_t i = 0; i < sl_core_domain_count(core); i++) {
        struct sl_core_domain *domain = sl_core_domain_at(core, i);
        for (size_t v = 0; v < sl_core_view_count(domain); v++) {
            const struct sl_view_table *view = sl_core_view_at(domain, v);
            if (!view || sl_view_table_status(view).state == SL_VIEW_STARTING)
                return false;
        }
    }
    return true;
}

bool sl_api_is_ready(struct sl_api *api)
{
    if (!api->ready)
        api->ready = sl_core_is_ready(api->options.core) && are_views_open(api->options.core);
    return api->ready;
}

int64_t sl_api_turn(struct sl_api *api, int64_t monotonic_ns)
{
    /* A large answer was the exception: what it took is given back. */
    if (api->out.capacity > 1u << 20)
        sl_buf_close(&api->out);
    if (api->frame.capacity > 1u << 20)
        sl_buf_close(&api->frame);
    const int64_t numbers_ns = api->numbers ? api_numbers_turn(api, monotonic_ns) : INT64_MAX;
    const int64_t readers_ns = api->paused ? api_log_turn(api, monotonic_ns) : INT64_MAX;
    const int64_t rows_ns = api->paused_rows ? resp_rows_turn(api, monotonic_ns) : INT64_MAX;
    const int64_t next_ns = numbers_ns < readers_ns ? numbers_ns : readers_ns;
    return next_ns < rows_ns ? next_ns : rows_ns;
}

void sl_api_stop(struct sl_api *api)
{
    while (api->streams)
        api->streams->end(api->streams);
}

void sl_api_close(struct sl_api *api)
{
    api->closed = true;
}

void sl_api_free(struct sl_api *api)
{
    if (!api)
        return;
    while (api->pending) {
        struct api_pending *pending = api->pending;
        api_pending_remove(pending);
        pending->free(pending);
    }
    resp_scans_free(api);
    api_row_histories_free(api);
    sl_buf_close(&api->frame);
    sl_json_parser_free(api->parser);
    sl_buf_close(&api->out);
    sl_buf_close(&api->headers);
    free(api->seen);
    sl_own_table_close(&api->routes);
    free(api->visit_spare);
    free(api);
}

/* ---- Work that outlives its request or session --------------------------------------------- */

void api_pending_add(struct sl_api *api, struct api_pending *pending,
                     void (*release)(struct api_pending *pending))
{
    pending->free = release;
    pending->next = api->pending;
    pending->link = &api->pending;
    if (pending->next)
        pending->next->link = &pending->next;
    api->pending = pending;
}

void api_pending_remove(struct api_pending *pending)
{
    *pending->link = pending->next;
    if (pending->next)
        pending->next->link = pending->link;
}

/* ---- Streams ------------------------------------------------------------------------------- */

static void peer_left(void *context)
{
    struct api_stream *stream = context;

    if (!stream->api->closed)
        stream->end(stream);
}

void api_stream_open(struct api_stream *stream, struct api_call *call,
                     void (*end)(struct api_stream *stream))
{
    struct sl_api *api = call->api;
    const struct sl_buf *headers = api_headers(call);

    stream->api = api;
    stream->end = end;
    stream->next = api->streams;
    stream->link = &api->streams;
    if (stream->next)
        stream->next->link = &stream->next;
    api->streams = stream;
    api_waited(call);
    stream->stream = sl_request_stream(call->request, sl_buf_as_text(headers));
    sl_stream_on_gone(stream->stream, peer_left, stream);
}

void api_stream_close(struct api_stream *stream)
{
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    sl_stream_end(stream->stream);
}
