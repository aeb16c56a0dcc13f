/* What there is: the server's domains, and a domain's commands and views. And is it up. */
#include "api/parts.h"

static void member(struct sl_buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    sl_buf_printf(out, ",\"%s\":", name);
    api_json_string(out, value);
}

void api_get_root(struct api_call *call)
{
    struct sl_core *core = call->api->options.core;
    struct sl_buf *out = &call->api->out;

    if (call->api->options.asset_count > 0 && api_wants_page(call)) {
        struct sl_buf *headers = api_headers(call);
        SL_BUF_LITERAL(headers, "Location: /ui/\r\nVary: Accept\r\n");
        api_send(call, 302, NULL, (struct sl_text){NULL, 0});
        return;
    }
    sl_buf_reset(out);
    SL_BUF_LITERAL(out, "{\"name\":\"sluice\",\"version\":\"" SL_VERSION "\",\"domains\":[");
    for (size_t i = 0; i < sl_core_domain_count(core); i++) {
        const struct sl_domain *domain = sl_core_domain_of(sl_core_domain_at(core, i));
        if (i > 0)
            sl_buf_byte(out, ',');
        SL_BUF_LITERAL(out, "{\"name\":");
        api_json_string(out, domain->name);
        member(out, "title", domain->title);
        sl_buf_printf(out, ",\"href\":\"/%s\"}", domain->name);
    }
    SL_BUF_LITERAL(out, "],\"openapi\":\"/openapi.json\",\"metrics\":\"/metrics\","
                        "\"live\":\"/live\",\"errors\":\"/errors/\",\"pages\":\"/ui/\"}");
    struct sl_buf *headers = api_headers(call);
    SL_BUF_LITERAL(headers, "Vary: Accept\r\n");
    api_send(call, 200, API_JSON, sl_buf_as_text(out));
}

static void write_command(struct sl_buf *out, const struct sl_domain *domain,
                          const struct sl_command *command)
{
    SL_BUF_LITERAL(out, "{\"name\":");
    api_json_string(out, command->name);
    sl_buf_printf(out, ",\"href\":\"/%s/%s\"", domain->name, command->name);
    member(out, "help", command->help);
    member(out, "roles", command->roles);
    SL_BUF_LITERAL(out, ",\"schema\":");
    sl_json_write_schema(out, command->record);
    sl_buf_byte(out, '}');
}

static void write_view(struct sl_buf *out, const struct sl_domain *domain,
                       const struct sl_view *view)
{
    SL_BUF_LITERAL(out, "{\"name\":");
    api_json_string(out, view->name);
    sl_buf_printf(out, ",\"href\":\"/%s/%s\"", domain->name, view->name);
    member(out, "key", view->key);
    member(out, "search", view->search);
    member(out, "near", view->near);
    member(out, "help", view->help);
    member(out, "roles", view->roles);
    sl_buf_printf(out, ",\"strong\":%s,\"temporal\":%s,\"indexes\":[",
                  view->strong ? "true" : "false", view->temporal ? "true" : "false");
    for (size_t i = 0; i < view->indexes.count; i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        SL_BUF_LITERAL(out, "{\"name\":");
        api_json_string(out, view->indexes.items[i].name);
        member(out, "fields", view->indexes.items[i].fields);
        sl_buf_byte(out, '}');
    }
    SL_BUF_LITERAL(out, "],\"schema\":");
    sl_json_write_schema(out, view->record);
    sl_buf_byte(out, '}');
}

static void write_route(struct sl_buf *out, const struct sl_domain *domain,
                        const struct sl_route *route)
{
    const bool is_below = route->path[0] != '/';

    sl_buf_printf(out, "{\"method\":\"%s\",\"href\":\"%s%s%s%s\"", route->method,
                  is_below ? "/" : "", is_below ? domain->name : "", is_below ? "/" : "",
                  route->path);
    member(out, "content_type", route->content_type);
    member(out, "help", route->help);
    member(out, "roles", route->roles);
    sl_buf_byte(out, '}');
}

void api_get_domain(struct api_call *call)
{
    static const char *const parameters[] = {NULL};
    const struct sl_domain *domain = sl_core_domain_of(call->domain);
    struct sl_buf *out = &call->api->out;
    bool first = true;

    if (!api_knows_parameters(call, parameters))
        return;
    sl_buf_reset(out);
    SL_BUF_LITERAL(out, "{\"name\":");
    api_json_string(out, domain->name);
    member(out, "title", domain->title);
    SL_BUF_LITERAL(out, ",\"commands\":[");
    for (size_t i = 0; i < domain->commands.count; i++) {
        if (domain->commands.items[i].internal)
            continue;
        if (!first)
            sl_buf_byte(out, ',');
        first = false;
        write_command(out, domain, &domain->commands.items[i]);
    }
    SL_BUF_LITERAL(out, "],\"views\":[");
    for (size_t i = 0; i < domain->views.count; i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        write_view(out, domain, &domain->views.items[i]);
    }
    SL_BUF_LITERAL(out, "],\"events\":[");
    for (size_t i = 0; i < domain->events.count; i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        SL_BUF_LITERAL(out, "{\"type\":");
        api_json_string(out, domain->events.items[i]->name);
        member(out, "tags", domain->events.items[i]->tags);
        sl_buf_printf(out, ",\"version\":%u}", domain->events.items[i]->version);
    }
    SL_BUF_LITERAL(out, "],\"routes\":[");
    for (size_t i = 0; i < domain->routes.count; i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        write_route(out, domain, &domain->routes.items[i]);
    }
    sl_buf_printf(out, "],\"log\":\"/%s/events\"}", domain->name);
    api_answer(call, 200, API_JSON, sl_buf_as_text(out));
}

void api_get_health(struct api_call *call)
{
    api_answer(call, 200, "text/plain", SL_TEXT("ok\n"));
}

void api_get_ready(struct api_call *call)
{
    if (sl_api_is_ready(call->api))
        api_answer(call, 200, "text/plain", SL_TEXT("ready\n"));
    else
        api_refuse(call, "not_ready", NULL, "logs are being recovered");
}
