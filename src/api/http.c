#include "api/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

/* ---- Answers ------------------------------------------------------------------------------- */

struct sl_buf *api_headers(struct api_call *call)
{
    struct sl_buf *headers = &call->api->headers;

    sl_buf_reset(headers);
    SL_BUF_LITERAL(headers, "X-Content-Type-Options: nosniff\r\n");
    if (call->origin == SL_ORIGIN_FRIEND) {
        SL_BUF_LITERAL(headers, "Access-Control-Allow-Origin: ");
        sl_buf_text(headers, sl_request_header(call->request, "origin"));
        SL_BUF_LITERAL(headers, "\r\nAccess-Control-Expose-Headers: Sluice-Position, ETag, "
                                "Retry-After\r\n");
    }
    if (sl_auth_has_origins(call->api->options.auth))
        SL_BUF_LITERAL(headers, "Vary: Origin\r\n");
    return headers;
}

void api_send(struct api_call *call, int status, const char *type, struct sl_text body)
{
    call->request->gone = NULL;
    sl_request_answer(call->request, status, type, sl_buf_as_text(&call->api->headers), body);
}

void api_send_buf(struct api_call *call, int status, const char *type, struct sl_buf *body)
{
    call->request->gone = NULL;
    sl_request_answer_buf(call->request, status, type, sl_buf_as_text(&call->api->headers), body);
}

void api_answer(struct api_call *call, int status, const char *type, struct sl_text body)
{
    api_headers(call);
    api_send(call, status, type, body);
}

void api_header_position(struct api_call *call, uint64_t position)
{
    struct sl_buf *headers = &call->api->headers;

    SL_BUF_LITERAL(headers, "Sluice-Position: ");
    sl_core_token(call->domain, position, headers);
    SL_BUF_LITERAL(headers, "\r\n");
}

static void header_allow(struct api_call *call, const char *name)
{
    struct sl_buf *headers = &call->api->headers;

    sl_buf_printf(headers, "%s: ", name);
    if (call->route.kind == SL_ROUTE_OWN)
        sl_own_allows(&call->api->routes, call->request->raw_path, headers);
    else
        sl_buf_printf(headers, "%s", sl_route_allows(call->route.kind));
    SL_BUF_LITERAL(headers, "\r\n");
}

/* Headers that a status obliges to. */
static void headers_of_status(struct api_call *call, int status)
{
    struct sl_buf *headers = api_headers(call);

    if (status == 401)
        SL_BUF_LITERAL(headers, "WWW-Authenticate: Bearer\r\n");
    if (status == 503)
        SL_BUF_LITERAL(headers, "Retry-After: 1\r\n");
    if (status == 405)
        header_allow(call, "Allow");
}

static void send_problem(struct api_call *call, const struct sl_problem *problem)
{
    struct sl_buf *out = &call->api->out;

    sl_buf_reset(out);
    sl_problem_write(out, problem);
    api_send(call, problem->status, "application/problem+json", sl_buf_as_text(out));
}

/* What a request said stands in messages, and may be no UTF-8. */
static void make_ascii(char *text)
{
    for (; *text; text++)
        if ((uint8_t)*text >= 0x80)
            *text = '?';
}

void api_refuse(struct api_call *call, const char *rule, const char *field, const char *format, ...)
{
    const struct sl_rule *known = sl_rule_find(api_text(rule));
    char detail[512] = "";
    va_list arguments;

    SL_ASSERT(known);
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    make_ascii(detail);
    headers_of_status(call, known->status);
    send_problem(call, &(struct sl_problem){.status = known->status,
                                            .rule = api_text(rule),
                                            .field = api_text(field),
                                            .detail = api_text(detail)});
}

void api_refuse_at(struct api_call *call, const char *rule, uint64_t position, const char *detail)
{
    const struct sl_rule *known = sl_rule_find(api_text(rule));
    struct sl_buf token = {0};

    SL_ASSERT(known);
    headers_of_status(call, known->status);
    api_header_position(call, position);
    sl_core_token(call->domain, position, &token);
    send_problem(call, &(struct sl_problem){.status = known->status,
                                            .rule = api_text(rule),
                                            .position = sl_buf_as_text(&token),
                                            .detail = api_text(detail)});
    sl_buf_close(&token);
}

void api_no_memory(struct api_call *call)
{
    api_refuse(call, "no_memory", NULL, "the request does not fit into its memory");
}

bool api_etag_matches(struct api_call *call, struct sl_text body)
{
    /* Of the content, not of the version: a rebuilt view or a restored log may say something else
     * with the same version. */
    return api_etag_is(call, sl_hash64(body.ptr, body.len, 0));
}

bool api_etag_is(struct api_call *call, uint64_t hash)
{
    struct sl_buf *headers = &call->api->headers;
    char etag[24];

    snprintf(etag, sizeof etag, "\"%016llx\"", (unsigned long long)hash);
    sl_buf_printf(headers, "ETag: %s\r\nCache-Control: no-cache\r\n", etag);
    const struct sl_text wanted = sl_request_header(call->request, "if-none-match");
    return wanted.len > 0 && sl_url_etag_matches(wanted, api_text(etag));
}

/* ---- Waiting ------------------------------------------------------------------------------- */

static void peer_is_gone(struct sl_request *request)
{
    struct api_call *call = request->user;
    void (*cancel)(struct api_call *) = call->cancel;

    request->gone = NULL;
    if (call->api->closed || !cancel)
        return;
    call->cancel = NULL;
    cancel(call);
    api_refuse(call, "position_not_reached", NULL, "you sent your end, and waiting ended with it");
}

void api_wait(struct api_call *call, void (*cancel)(struct api_call *call), void *work)
{
    call->cancel = cancel;
    call->work = work;
    call->request->user = call;
    call->request->gone = peer_is_gone;
}

void api_waited(struct api_call *call)
{
    call->cancel = NULL;
    call->request->gone = NULL;
}

/* ---- What a request wants ------------------------------------------------------------------ */

bool api_wanted_position(struct api_call *call, uint64_t *out)
{
    struct sl_text token = sl_request_query(call->request, "min_position");

    if (!token.ptr)
        token = sl_request_header(call->request, "sluice-position");
    if (token.len == 0) {
        *out = 0;
        return true;
    }
    return api_read_position(call, token, out);
}

bool api_read_position(struct api_call *call, struct sl_text token, uint64_t *out)
{
    switch (sl_core_token_read(call->domain, token, out)) {
    case SL_OK:
        return true;
    case SL_CONFLICT:
        api_refuse(call, "other_history", NULL,
                   "the log does not have what this position speaks of");
        return false;
    case SL_NOT_FOUND:
        api_refuse(call, "other_domain", NULL, "this position belongs to another domain");
        return false;
    default:
        api_refuse(call, "bad_position", NULL, "a position looks like domain:salt:number");
        return false;
    }
}

bool api_wanted_deadline(struct api_call *call, int64_t *out_ns)
{
    const struct sl_text text = sl_request_header(call->request, "sluice-timeout");
    uint64_t ms = (uint64_t)call->api->options.timeout_ms;

    if (text.ptr && (!sl_url_number(text, &ms) || ms > API_TIMEOUT_MS_MAX)) {
        api_refuse(call, "bad_timeout", NULL, "Sluice-Timeout is at most %d milliseconds",
                   API_TIMEOUT_MS_MAX);
        return false;
    }
    *out_ns = sl_env_monotonic(call->api->options.env) + (int64_t)ms * 1000000;
    return true;
}

bool api_wants_stream(const struct api_call *call)
{
    return call->request->method == SL_GET &&
           sl_url_accepts(sl_request_header(call->request, "accept"), "text/event-stream");
}

bool api_wants_page(const struct api_call *call)
{
    return sl_url_accepts(sl_request_header(call->request, "accept"), "text/html");
}

static void refuse_parameter(struct api_call *call, struct sl_text name, const char *const *names)
{
    struct sl_buf known = {0};

    for (const char *const *at = names; *at; at++)
        sl_buf_printf(&known, "%s%s", at == names ? "" : ", ", *at);
    api_refuse(call, "unknown_parameter", NULL, "no parameter %.*s here; there are: %.*s",
               (int)(name.len < 64 ? name.len : 64), name.ptr, (int)known.len,
               known.len ? (const char *)known.ptr : "");
    sl_buf_close(&known);
}

bool api_knows_parameters(struct api_call *call, const char *const *names)
{
    struct sl_text rest = call->request->query, name, value;
    bool broken = false;

    while (sl_url_pair(&rest, call->request->arena, &name, &value, &broken)) {
        bool known = false;
        for (const char *const *at = names; *at && !known; at++)
            known = sl_text_equals(name, api_text(*at));
        if (!known) {
            refuse_parameter(call, name, names);
            return false;
        }
    }
    if (broken)
        api_refuse(call, "bad_query", NULL, "behind a %% come two hex digits, and texts are UTF-8");
    return !broken;
}

/* ---- The way in ---------------------------------------------------------------------------- */

static bool is_ours(struct api_call *call)
{
    const struct sl_auth *auth = call->api->options.auth;
    const struct sl_request *request = call->request;

    call->origin = SL_ORIGIN_NONE;
    if (request->local)
        return true;
    if (!sl_auth_host_is_ours(auth, request->host)) {
        api_refuse(call, "unknown_host", NULL, "this server is not called %.*s",
                   (int)(request->host.len < 100 ? request->host.len : 100), request->host.ptr);
        return false;
    }
    const enum sl_origin origin =
        sl_auth_origin(auth, sl_request_header(request, "origin"), request->host, request->tls);
    if (origin == SL_ORIGIN_FOREIGN) {
        api_refuse(call, "foreign_origin", NULL, "pages of this origin may not use this server");
        return false;
    }
    call->origin = origin;
    return true;
}

/* Finds domain, command and view of the route. False: it was answered. */
static bool find_names(struct api_call *call)
{
    struct sl_door *route = &call->route;

    if (route->kind < SL_ROUTE_DOMAIN)
        return true;
    if (!sl_api_is_ready(call->api)) {
        api_refuse(call, "not_ready", NULL, "logs are being recovered; see /readyz");
        return false;
    }
    call->domain = sl_core_find(call->api->options.core, route->domain);
    if (!call->domain) {
        api_refuse(call, "unknown_domain", NULL, "there is no domain %.*s", (int)route->domain.len,
                   route->domain.ptr);
        return false;
    }
    if (route->kind == SL_ROUTE_COMMAND) {
        call->command = sl_core_command(call->domain, route->name);
        if (call->command)
            return true;
        api_refuse(call, "unknown_command", NULL, "%.*s has no command %.*s",
                   (int)route->domain.len, route->domain.ptr, (int)route->name.len,
                   route->name.ptr);
        return false;
    }
    if (route->kind == SL_ROUTE_VIEW || route->kind == SL_ROUTE_ROW) {
        call->view = sl_core_view(call->domain, route->name);
        if (call->view)
            return true;
        api_refuse(call, "unknown_view", NULL, "%.*s has no view %.*s", (int)route->domain.len,
                   route->domain.ptr, (int)route->name.len, route->name.ptr);
        return false;
    }
    return true;
}

/* What the request is about to do; false: something that anybody may, whoever he is. */
static bool deed_of(const struct api_call *call, struct sl_deed *out)
{
    const struct sl_domain *domain = call->domain ? sl_core_domain_of(call->domain) : NULL;
    const struct sl_view *view = call->view ? sl_view_table_shape(call->view)->view : NULL;

    switch (call->route.kind) {
    case SL_ROUTE_METRICS:
    case SL_ROUTE_LIVE:
    case SL_ROUTE_DOMAIN:
        *out = (struct sl_deed){SL_DO_WATCH};
        return true;
    case SL_ROUTE_ADMIN_STATUS:
    case SL_ROUTE_ADMIN_SHUTDOWN:
    case SL_ROUTE_ADMIN_VIEW_RETRY:
    case SL_ROUTE_ADMIN_VIEW_SKIP:
    case SL_ROUTE_ADMIN_VIEW_REBUILD:
    case SL_ROUTE_ADMIN_VIEW_DIGEST:
    case SL_ROUTE_ADMIN_PROCESS_RETRY:
    case SL_ROUTE_ADMIN_PROCESS_SKIP:
        *out = (struct sl_deed){SL_DO_ADMIN};
        return true;
    case SL_ROUTE_COMMAND:
        SL_ASSERT(domain && call->command, "a route was found for it");
        *out = (struct sl_deed){SL_DO_COMMAND, domain->name, call->command->name,
                                call->command->roles, call->command->internal};
        return true;
    case SL_ROUTE_VIEW:
    case SL_ROUTE_ROW:
        SL_ASSERT(domain && view, "a route was found for it");
        *out = (struct sl_deed){SL_DO_READ, domain->name, view->name, view->roles, false};
        return true;
    case SL_ROUTE_EVENTS:
    case SL_ROUTE_STREAM:
        SL_ASSERT(domain, "a route was found for it");
        *out =
            (struct sl_deed){SL_DO_READ_LOG, domain->name, NULL, sl_auth_log_roles(domain), false};
        return true;
    case SL_ROUTE_OWN:
        *out = (struct sl_deed){SL_DO_COMMAND, domain ? domain->name : NULL, call->own->route->path,
                                call->own->route->roles, false};
        return true;
    default:
        return false;
    }
}

static bool is_permitted(struct api_call *call)
{
    const struct sl_auth *auth = call->api->options.auth;
    const struct sl_text header = sl_request_header(call->request, "authorization");
    struct sl_deed deed;

    if (call->request->local && header.len == 0)
        call->who = sl_auth_local(auth);
    else
        call->who = sl_auth_bearer(auth, header);
    if (!deed_of(call, &deed))
        return true;
    switch (sl_auth_may(call->who, &deed)) {
    case SL_PERMITTED:
        return true;
    case SL_UNKNOWN_ASKER:
        api_refuse(call, "unauthorized", NULL,
                   call->who ? "this takes a token" : "nobody has this token");
        return false;
    default:
        if (deed.internal)
            api_refuse(call, "forbidden", NULL, "only processes send this command");
        else
            api_refuse(call, "forbidden", NULL, "this takes a role among: %s",
                       deed.roles ? deed.roles : "admin");
        return false;
    }
}

static void answer_options(struct api_call *call)
{
    struct sl_buf *headers = api_headers(call);

    header_allow(call, "Allow");
    if (call->origin == SL_ORIGIN_FRIEND) {
        header_allow(call, "Access-Control-Allow-Methods");
        SL_BUF_LITERAL(headers,
                       "Access-Control-Allow-Headers: Authorization, Content-Type, "
                       "Idempotency-Key, If-None-Match, Last-Event-ID, Sluice-Expected-Revision, "
                       "Sluice-Position, Sluice-Timeout, Sluice-Unless-Tagged\r\n"
                       "Access-Control-Max-Age: 600\r\n");
    }
    api_send(call, 204, NULL, (struct sl_text){NULL, 0});
}

static void (*const doors[])(struct api_call *call) = {
    [SL_ROUTE_ROOT] = api_get_root,
    [SL_ROUTE_HEALTH] = api_get_health,
    [SL_ROUTE_READY] = api_get_ready,
    [SL_ROUTE_METRICS] = api_get_metrics,
    [SL_ROUTE_OPENAPI] = api_get_openapi,
    [SL_ROUTE_ERRORS] = api_get_errors,
    [SL_ROUTE_ERROR] = api_get_error,
    [SL_ROUTE_LIVE] = api_get_live,
    [SL_ROUTE_ADMIN_STATUS] = api_get_status,
    [SL_ROUTE_ADMIN_SHUTDOWN] = api_post_shutdown,
    [SL_ROUTE_ADMIN_VIEW_RETRY] = api_post_view_retry,
    [SL_ROUTE_ADMIN_VIEW_SKIP] = api_post_view_skip,
    [SL_ROUTE_ADMIN_VIEW_REBUILD] = api_post_view_rebuild,
    [SL_ROUTE_ADMIN_VIEW_DIGEST] = api_get_view_digest,
    [SL_ROUTE_ADMIN_PROCESS_RETRY] = api_post_process_retry,
    [SL_ROUTE_ADMIN_PROCESS_SKIP] = api_post_process_skip,
    [SL_ROUTE_PAGES_MOVED] = api_get_page_moved,
    [SL_ROUTE_PAGES] = api_get_page,
    [SL_ROUTE_DOMAIN] = api_get_domain,
    [SL_ROUTE_COMMAND] = api_post_command,
    [SL_ROUTE_VIEW] = api_get_list,
    [SL_ROUTE_ROW] = api_get_row,
    [SL_ROUTE_EVENTS] = api_get_events,
    [SL_ROUTE_STREAM] = api_get_stream,
    [SL_ROUTE_OWN] = api_visit,
};

/* A domain's route, where one fits the address, else one of the server's own doors. */
static void find_door(struct api_call *call)
{
    const struct sl_own_table *routes = &call->api->routes;
    const struct sl_request *request = call->request;
    const struct sl_own_route *own =
        routes->count > 0 ? sl_own_find(routes, request->raw_path) : NULL;

    call->route =
        own ? (struct sl_door){.kind = SL_ROUTE_OWN, .domain = api_text(own->domain->name)}
            : sl_route_of(request->raw_path);
}

static bool takes_method(struct api_call *call)
{
    const enum sl_method method = call->request->method;

    if (call->route.kind == SL_ROUTE_OWN) {
        call->own = sl_own_find_method(&call->api->routes, call->request->raw_path, method);
        return call->own != NULL;
    }
    return sl_route_is_post(call->route.kind) ? method == SL_POST
                                              : method == SL_GET || method == SL_HEAD;
}

void sl_api_http(void *context, struct sl_request *request)
{
    struct api_call *call = sl_arena_zeroed(request->arena, 1, sizeof *call);
    struct api_call broke = {.api = context, .request = request};

    if (!call) {
        api_no_memory(&broke);
        return;
    }
    call->api = context;
    call->request = request;
    find_door(call);
    if (!is_ours(call))
        return;
    if (call->route.kind == SL_ROUTE_NONE) {
        api_refuse(call, "not_found", NULL, "there is nothing at this address");
        return;
    }
    if (request->method == SL_OPTIONS) {
        answer_options(call);
        return;
    }
    if (!takes_method(call)) {
        api_refuse(call, "method_not_allowed", NULL,
                   "the Allow header says what this address takes");
        return;
    }
    if (find_names(call) && is_permitted(call))
        doors[call->route.kind](call);
}
