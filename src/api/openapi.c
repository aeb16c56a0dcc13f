/*
 * /openapi.json: OpenAPI 3.1, complete from the domains' tables and records. Every answer is
 * described, errors by one shared response per status.
 */
#include "api/parts.h"

#include <string.h>

struct writer {
    struct sl_buf *out;
    bool more_paths;
};

static void raw(struct writer *w, const char *json)
{
    sl_buf_append(w->out, json, strlen(json));
}

static void text(struct writer *w, const char *string)
{
    api_json_string(w->out, string);
}

/* Begins a path: "/domain/name" and the rest; the last two may be empty. */
static void path(struct writer *w, const char *domain, const char *name, const char *rest)
{
    raw(w, w->more_paths ? ",\"/" : "\"/");
    w->more_paths = true;
    sl_buf_printf(w->out, "%s%s%s%s\":{", domain, *name ? "/" : "", name, rest);
}

#define ERROR(status) "\"" #status "\":{\"$ref\":\"#/components/responses/problem\"}"
#define PARAMETER(name) "{\"$ref\":\"#/components/parameters/" name "\"}"

/* ---- Schemas ------------------------------------------------------------------------------- */

/* Components are named "bank.Transfer" (commands), "bank.balance" (rows), "bank.event.Opened". */
static void record_schemas(struct writer *w, const struct sl_domain *domain)
{
    for (size_t i = 0; i < domain->commands.count; i++) {
        if (domain->commands.items[i].internal)
            continue;
        sl_buf_printf(w->out, ",\"%s.%s\":", domain->name, domain->commands.items[i].name);
        sl_json_write_schema(w->out, domain->commands.items[i].record);
    }
    for (size_t i = 0; i < domain->views.count; i++) {
        sl_buf_printf(w->out, ",\"%s.%s\":", domain->name, domain->views.items[i].name);
        sl_json_write_schema(w->out, domain->views.items[i].record);
    }
    for (size_t i = 0; i < domain->events.count; i++) {
        sl_buf_printf(w->out, ",\"%s.event.%s\":", domain->name, domain->events.items[i]->name);
        sl_json_write_schema(w->out, domain->events.items[i]->record);
    }
}

static void components(struct writer *w, const struct sl_domain *const *domains, size_t count)
{
    raw(w,
        "},\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}"
        "},"
        "\"parameters\":{"
        "\"idempotency\":{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"description\":\"The "
        "command's id: "
        "a UUID, or any text. The same id is carried out once; made for you if "
        "absent.\",\"schema\":"
        "{\"type\":\"string\",\"minLength\":1,\"maxLength\":256}},"
        "\"expected\":{\"name\":\"Sluice-Expected-Revision\",\"in\":\"header\",\"description\":"
        "\"The revision at which the command's first stream must stand, or none.\","
        "\"schema\":{\"type\":\"string\"}},"
        "\"unless\":{\"name\":\"Sluice-Unless-Tagged\",\"in\":\"header\",\"description\":"
        "\"Refused (409, conflict) if an event with one of these tags lies at or above the "
        "position: account:7 account:8; since=TOKEN. Without since: if there is any.\","
        "\"schema\":{\"type\":\"string\"}},"
        "\"position\":{\"name\":\"min_position\",\"in\":\"query\",\"description\":\"A position "
        "token: the answer "
        "reflects all below it.\",\"schema\":{\"type\":\"string\"}},"
        "\"timeout\":{\"name\":\"Sluice-Timeout\",\"in\":\"header\",\"description\":\"Milliseconds "
        "to wait for "
        "the position.\",\"schema\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":60000}},"
        "\"after\":{\"name\":\"after\",\"in\":\"query\",\"description\":\"Where to go on: what "
        "`next` of the last "
        "answer said.\",\"schema\":{\"type\":\"string\"}},"
        "\"limit\":{\"name\":\"limit\",\"in\":\"query\",\"schema\":{\"type\":\"integer\","
        "\"minimum\":1,"
        "\"maximum\":1000}}},"
        "\"responses\":{\"problem\":{\"description\":\"An error (RFC 9457)\",\"content\":"
        "{\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}}},"
        "\"schemas\":{"
        "\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"rule\"],"
        "\"properties\":{"
        "\"type\":{\"type\":\"string\",\"description\":\"The address of a page that says what to "
        "do\"},"
        "\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":"
        "\"string\"},"
        "\"rule\":{\"type\":\"string\"},\"field\":{\"type\":\"string\"},\"id\":{\"type\":"
        "\"string\"},"
        "\"position\":{\"type\":\"string\"}}},"
        "\"Outcome\":{\"type\":\"object\",\"required\":[\"id\",\"position\",\"events\"],"
        "\"properties\":{"
        "\"id\":{\"type\":\"string\",\"format\":\"uuid\"},\"position\":{\"type\":\"string\"},"
        "\"events\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"type\":{"
        "\"type\":\"string\"},"
        "\"stream\":{\"type\":\"string\"},\"revision\":{\"type\":\"integer\"}}}}}},"
        "\"Event\":{\"type\":\"object\",\"properties\":{\"position\":{\"type\":\"integer\"},"
        "\"type\":{\"type\":\"string\"},\"stream\":{\"type\":\"string\"},\"revision\":{\"type\":"
        "\"integer\"},"
        "\"time\":{\"type\":\"string\",\"format\":\"date-time\"},\"command\":{\"type\":\"string\","
        "\"format\":\"uuid\"},\"body\":{\"type\":\"object\"}}},"
        "\"Events\":{\"type\":\"object\",\"properties\":{\"events\":{\"type\":\"array\",\"items\":"
        "{\"$ref\":\"#/components/schemas/Event\"}},\"next\":{\"type\":\"string\"},"
        "\"end\":{\"type\":\"boolean\"}}}");
    for (size_t i = 0; i < count; i++)
        record_schemas(w, domains[i]);
    raw(w, "}}}");
}

/* ---- Commands ------------------------------------------------------------------------------ */

static void command_path(struct writer *w, const struct sl_domain *domain,
                         const struct sl_command *command)
{
    path(w, domain->name, command->name, "");
    sl_buf_printf(w->out, "\"post\":{\"operationId\":\"%s.%s\",\"tags\":[\"%s\"],\"summary\":",
                  domain->name, command->name, domain->name);
    text(w, command->help ? command->help : command->name);
    if (command->roles) {
        raw(w, ",\"description\":");
        sl_buf_printf(w->out, "\"Needs a role among: %s\"", command->roles);
    }
    sl_buf_printf(
        w->out,
        ",\"parameters\":[" PARAMETER("idempotency") "," PARAMETER(
            "expected") "," PARAMETER("unless") "],"
                        "\"requestBody\":{\"required\":true,\"content\":{\"application/"
                        "json\":{\"schema\":"
                        "{\"oneOf\":[{\"$ref\":\"#/components/schemas/%s.%s\"},{\"type\":\"array\","
                        "\"maxItems\":8190,\"items\":{\"$ref\":\"#/components/schemas/"
                        "%s.%s\"}}]}}}},",
        domain->name, command->name, domain->name, command->name);
    raw(w,
        "\"responses\":{\"201\":{\"description\":\"Carried out, and durable\",\"headers\":"
        "{\"Sluice-Position\":{\"schema\":{\"type\":\"string\"}}},\"content\":{\"application/"
        "json\":"
        "{\"schema\":{\"$ref\":\"#/components/schemas/Outcome\"}}}},"
        "\"200\":{\"description\":\"Of an array: an outcome per item, in order\",\"content\":"
        "{\"application/json\":{\"schema\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}},"
        "\"202\":{\"description\":\"Durable; a strong view is "
        "late\",\"content\":{\"application/json\":"
        "{\"schema\":{\"$ref\":\"#/components/schemas/Outcome\"}}}},");
    raw(w, ERROR(400) "," ERROR(401) "," ERROR(403) "," ERROR(409) "," ERROR(413) "," ERROR(
               415) "," ERROR(422) "," ERROR(503) "}}}");
}

/* ---- Queries ------------------------------------------------------------------------------- */

static void row_path(struct writer *w, const struct sl_domain *domain, const struct sl_view *view)
{
    path(w, domain->name, view->name, "/{key}");
    sl_buf_printf(w->out, "\"get\":{\"operationId\":\"%s.%s.get\",\"tags\":[\"%s\"],\"summary\":",
                  domain->name, view->name, domain->name);
    text(w, view->help ? view->help : view->name);
    raw(w, ",\"parameters\":[{\"name\":\"key\",\"in\":\"path\",\"required\":true,\"description\":");
    text(w, view->key);
    sl_buf_printf(w->out,
                  ",\"schema\":{\"type\":\"string\"}}," PARAMETER("position") "," PARAMETER(
                      "timeout") "],\"responses\":{\"200\":{\"description\":\"The row; live, "
                                 "its "
                                 "changes\",\"headers\":{\"Sluice-Position\":{\"schema\":{\"type\":"
                                 "\"string\"}},"
                                 "\"ETag\":{\"schema\":{\"type\":\"string\"}}},\"content\":{"
                                 "\"application/json\":"
                                 "{\"schema\":{\"$ref\":\"#/components/schemas/%s.%s\"}},\"text/"
                                 "event-stream\":"
                                 "{\"schema\":{\"type\":\"string\"}}}},\"304\":{\"description\":"
                                 "\"Not changed\"},",
                  domain->name, view->name);
    raw(w, ERROR(400) "," ERROR(401) "," ERROR(403) "," ERROR(404) "," ERROR(409) "," ERROR(
               503) "," ERROR(504) "}}}");
}

static void list_parameters(struct writer *w, const struct sl_view *view)
{
    if (view->indexes.count > 0) {
        raw(w, ",{\"name\":\"index\",\"in\":\"query\",\"schema\":{\"enum\":[");
        for (size_t i = 0; i < view->indexes.count; i++) {
            raw(w, i ? "," : "");
            text(w, view->indexes.items[i].name);
        }
        raw(w,
            "]},\"description\":\"Filtered by its leading fields, each a parameter of its name: ");
        for (size_t i = 0; i < view->indexes.count; i++)
            sl_buf_printf(w->out, "%s%s (%s)", i ? "; " : "", view->indexes.items[i].name,
                          view->indexes.items[i].fields);
        raw(w, "\"}");
    }
    if (view->search)
        raw(w, ",{\"name\":\"q\",\"in\":\"query\",\"schema\":{\"type\":\"string\"},"
               "\"description\":\"Words to find\"}");
}

static void list_path(struct writer *w, const struct sl_domain *domain, const struct sl_view *view)
{
    path(w, domain->name, view->name, "");
    sl_buf_printf(w->out, "\"get\":{\"operationId\":\"%s.%s.list\",\"tags\":[\"%s\"],\"summary\":",
                  domain->name, view->name, domain->name);
    text(w, view->help ? view->help : view->name);
    raw(w, ",\"parameters\":[" PARAMETER("after") "," PARAMETER(
               "limit") ","
                        "{\"name\":\"desc\",\"in\":\"query\",\"schema\":{\"type\":\"boolean\"}}"
                        "," PARAMETER("position") "," PARAMETER("timeout"));
    list_parameters(w, view);
    sl_buf_printf(w->out,
                  "],\"responses\":{\"200\":{\"description\":\"Rows in order; live, those that "
                  "change\",\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\","
                  "\"properties\":{\"rows\":{\"type\":\"array\",\"items\":"
                  "{\"$ref\":\"#/components/schemas/%s.%s\"}},"
                  "\"next\":{\"type\":\"string\"}}}},\"text/"
                  "event-stream\":{\"schema\":{\"type\":\"string\"}}}},"
                  "\"304\":{\"description\":\"Not changed\"},",
                  domain->name, view->name);
    raw(w, ERROR(400) "," ERROR(401) "," ERROR(403) "," ERROR(409) "," ERROR(503) "," ERROR(
               504) "}}}");
}

static void log_paths(struct writer *w, const struct sl_domain *domain)
{
    static const char responses[] =
        "\"responses\":{\"200\":{\"description\":\"Events; live, as they happen\",\"content\":"
        "{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Events\"}},"
        "\"text/event-stream\":{\"schema\":{\"type\":\"string\"}}}}," ERROR(400) "," ERROR(
            401) "," ERROR(403) "," ERROR(404) "," ERROR(409) "," ERROR(503) "," ERROR(504) "}}}";

    path(w, domain->name, "events", "");
    sl_buf_printf(w->out,
                  "\"get\":{\"operationId\":\"%s.events\",\"tags\":[\"%s\"],\"summary\":"
                  "\"The log's events\",\"parameters\":[{\"name\":\"tag\",\"in\":\"query\","
                  "\"schema\":{\"type\":\"string\"}},{\"name\":\"backwards\",\"in\":\"query\","
                  "\"schema\":{\"type\":\"boolean\"}}," PARAMETER("after") "," PARAMETER(
                      "limit") "," PARAMETER("position") "," PARAMETER("timeout") "],",
                  domain->name, domain->name);
    raw(w, responses);
    path(w, domain->name, "streams", "/{stream}");
    sl_buf_printf(w->out,
                  "\"get\":{\"operationId\":\"%s.stream\",\"tags\":[\"%s\"],\"summary\":"
                  "\"A stream's events\",\"parameters\":[{\"name\":\"stream\",\"in\":\"path\","
                  "\"required\":true,\"description\":\"aggregate/key\",\"schema\":"
                  "{\"type\":\"string\"}},{\"name\":\"backwards\",\"in\":\"query\",\"schema\":"
                  "{\"type\":\"boolean\"}}," PARAMETER("after") "," PARAMETER(
                      "limit") "," PARAMETER("position") "," PARAMETER("timeout") "],",
                  domain->name, domain->name);
    raw(w, responses);
}

/* ---- The rest ------------------------------------------------------------------------------ */

static void server_paths(struct writer *w)
{
    static const struct {
        const char *path;
        const char *id;
        const char *method;
        const char *summary;
        const char *type;
    } fixed[] = {
        {"", "index", "get", "What there is", "application/json"},
        {"healthz", "healthz", "get", "The process lives", "text/plain"},
        {"readyz", "readyz", "get", "Commands are taken", "text/plain"},
        {"metrics", "metrics", "get", "Numbers for Prometheus", "text/plain"},
        {"live", "live", "get", "Numbers, an event a second", "text/event-stream"},
        {"openapi.json", "openapi", "get", "This document", "application/json"},
        {"errors/", "errors", "get", "All errors", "application/json"},
        {"admin/status", "status", "get", "Domains, logs and views", "application/json"},
    };

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        path(w, fixed[i].path, "", "");
        sl_buf_printf(w->out,
                      "\"%s\":{\"operationId\":\"%s\",\"tags\":[\"server\"],\"summary\":\"%s\","
                      "\"responses\":{\"200\":{\"description\":\"Here it is\",\"content\":"
                      "{\"%s\":{\"schema\":%s}}},",
                      fixed[i].method, fixed[i].id, fixed[i].summary, fixed[i].type,
                      strcmp(fixed[i].type, API_JSON) == 0 ? "{\"type\":\"object\"}"
                                                           : "{\"type\":\"string\"}");
        raw(w, ERROR(401) "," ERROR(403) "," ERROR(503) "}}}");
    }
    path(w, "errors", "", "/{rule}");
    raw(w, "\"get\":{\"operationId\":\"error\",\"tags\":[\"server\"],\"summary\":\"What an error "
           "means\","
           "\"parameters\":[{\"name\":\"rule\",\"in\":\"path\",\"required\":true,\"schema\":"
           "{\"type\":\"string\"}}],\"responses\":{\"200\":{\"description\":\"Here it "
           "is\",\"content\":"
           "{\"application/json\":{\"schema\":{\"type\":\"object\"}}}}," ERROR(404) "}}}");
    path(w, "admin", "shutdown", "");
    raw(w, "\"post\":{\"operationId\":\"shutdown\",\"tags\":[\"server\"],\"summary\":\"Stops the "
           "server\","
           "\"responses\":{\"202\":{\"description\":\"It finishes what is under way, and "
           "stops\"}," ERROR(401) "," ERROR(403) "}}}");
}

void sl_api_write_openapi(struct sl_buf *out, const struct sl_domain *const *domains, size_t count)
{
    struct writer writer = {.out = out};
    struct writer *w = &writer;

    raw(w,
        "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Sluice\",\"version\":\"" SL_VERSION "\","
        "\"description\":\"Commands, queries and events of the domains that this server runs.\"},"
        "\"servers\":[{\"url\":\"/\"}],\"security\":[{},{\"token\":[]}],\"tags\":["
        "{\"name\":\"server\"}");
    for (size_t i = 0; i < count; i++) {
        sl_buf_printf(out, ",{\"name\":\"%s\",\"description\":", domains[i]->name);
        text(w, domains[i]->title ? domains[i]->title : domains[i]->name);
        raw(w, "}");
    }
    raw(w, "],\"paths\":{");
    server_paths(w);
    for (size_t i = 0; i < count; i++) {
        const struct sl_domain *domain = domains[i];
        for (size_t c = 0; c < domain->commands.count; c++)
            if (!domain->commands.items[c].internal)
                command_path(w, domain, &domain->commands.items[c]);
        for (size_t v = 0; v < domain->views.count; v++) {
            list_path(w, domain, &domain->views.items[v]);
            row_path(w, domain, &domain->views.items[v]);
        }
        log_paths(w, domain);
    }
    components(w, domains, count);
}

void api_get_openapi(struct api_call *call)
{
    struct sl_core *core = call->api->options.core;
    const size_t count = sl_core_domain_count(core);
    struct sl_buf *out = &call->api->out;
    const struct sl_domain **domains =
        sl_arena_zeroed(call->request->arena, count + 1, sizeof *domains);

    if (!domains) {
        api_no_memory(call);
        return;
    }
    for (size_t i = 0; i < count; i++)
        domains[i] = sl_core_domain_of(sl_core_domain_at(core, i));
    sl_buf_reset(out);
    sl_api_write_openapi(out, domains, count);
    api_headers(call);
    if (api_etag_matches(call, sl_buf_as_text(out)))
        api_send(call, 304, NULL, (struct sl_text){NULL, 0});
    else
        api_send(call, 200, API_JSON, sl_buf_as_text(out));
}
