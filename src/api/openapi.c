/*
 * /openapi.json: OpenAPI 3.1, complete from the domains' tables and records: every address of this
 * server but its pages, with every status that it may answer. Errors are one form, by reference.
 * `security` says what takes a token here, as the roles of those without one allow.
 */
#include "api/openapi.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void openapi_put(struct openapi *api, const char *format, ...)
{
    char json[2048];
    va_list arguments;

    va_start(arguments, format);
    const int len = vsnprintf(json, sizeof json, format, arguments);
    va_end(arguments);
    SL_ASSERT(len >= 0 && (size_t)len < sizeof json, "pieces are short, names too");
    for (int i = 0; i < len; i++)
        sl_buf_byte(api->out, json[i] == '\'' ? '"' : (uint8_t)json[i]);
}

void openapi_text(struct openapi *api, const char *string)
{
    api_json_string(api->out, string);
}

/* ---- Operations ---------------------------------------------------------------------------- */

/* Begins a path; one that is open must be closed with }. */
static void path(struct openapi *api, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void path(struct openapi *api, const char *format, ...)
{
    char name[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    openapi_put(api, "%s'%s':{", api->more_paths ? "," : "", name);
    api->more_paths = true;
}

/* `deed` says what it takes; NULL: anybody may. The summary comes from a domain, or is ours. */
static void operation(struct openapi *api, const char *method, const char *id, const char *tag,
                      const char *summary, const struct sl_deed *deed)
{
    const bool is_open =
        !deed || (api->auth && sl_auth_may(sl_auth_anonymous(api->auth), deed) == SL_PERMITTED);

    openapi_put(api, "'%s':{'operationId':'%s','tags':['%s'],'summary':", method, id, tag);
    openapi_text(api, summary);
    openapi_put(api, ",'security':[%s{'token':[]}]", is_open || !api->auth ? "{}," : "");
    if (deed && deed->roles)
        openapi_put(api, ",'description':'Needs a role among: %s'", deed->roles);
}

/* What anything may be answered with: a request that is none, another host's or page's, too slow or
 * large; a server that starts. */
static const int everywhere[] = {400, 403, 408, 413, 414, 417, 431, 501, 503, 505};

/* Adds the errors, `more` of them ended by 0, and ends the operation. */
static void end_operation(struct openapi *api, const int *more)
{
    for (size_t i = 0; i < sizeof everywhere / sizeof *everywhere; i++)
        openapi_put(api, ",'%d':{'$ref':'#/components/responses/problem'}", everywhere[i]);
    for (; *more; more++)
        openapi_put(api, ",'%d':{'$ref':'#/components/responses/problem'}", *more);
    openapi_put(api, "}}");
}

/* The same, and ends the path. */
static void errors(struct openapi *api, const int *more)
{
    end_operation(api, more);
    openapi_put(api, "}");
}

#define ERRORS(api, ...) errors(api, (const int[]){__VA_ARGS__, 0})

/* min_position or after: tokens of the domain, and for `after` what else the pattern says. */
static void position_parameter(struct openapi *api, const char *name, const char *more,
                               const char *domain, const char *description)
{
    openapi_put(api,
                ",{'name':'%s','in':'query','description':'%s','schema':{'type':'string',"
                "'pattern':'^(|%s%s:[0-9a-f]{16}:[0-9]{1,19})$'}}",
                name, description, more, domain);
}

/* ---- Commands ------------------------------------------------------------------------------ */

static void command_path(struct openapi *api, const struct sl_domain *domain,
                         const struct sl_command *command)
{
    const struct sl_deed deed = {SL_DO_COMMAND, domain->name, command->name, command->roles, false};
    char id[160];

    path(api, "/%s/%s", domain->name, command->name);
    snprintf(id, sizeof id, "%s.%s", domain->name, command->name);
    operation(api, "post", id, domain->name, command->help ? command->help : command->name, &deed);
    openapi_put(api,
                ",'parameters':[{'$ref':'#/components/parameters/id'},"
                "{'$ref':'#/components/parameters/expected'},"
                "{'$ref':'#/components/parameters/unless'}],"
                "'requestBody':{'required':true,'content':{'application/json':{'schema':{'oneOf':["
                "{'$ref':'#/components/schemas/%s'},"
                "{'type':'array','maxItems':8190,'description':'Independent ones; "
                "each is judged alone.','items':{'anyOf':[{'$ref':'#/components/schemas/%s'},{}]}}"
                "]}}}}",
                id, id);
    openapi_put(api, ",'responses':{"
                     "'200':{'description':'Of an array: an outcome per item, in order','headers':"
                     "{'Sluice-Position':{'$ref':'#/components/headers/position'}},'content':"
                     "{'application/json':{'schema':{'$ref':'#/components/schemas/Outcomes'}}}},"
                     "'201':{'description':'Carried out, and durable','headers':"
                     "{'Sluice-Position':{'$ref':'#/components/headers/position'}},'content':"
                     "{'application/json':{'schema':{'$ref':'#/components/schemas/Outcome'}}}},"
                     "'202':{'description':'Durable; a strong view is late','headers':"
                     "{'Sluice-Position':{'$ref':'#/components/headers/position'}},'content':"
                     "{'application/json':{'schema':{'$ref':'#/components/schemas/Outcome'}}}}");
    ERRORS(api, 401, 409, 415, 422);
}

/* ---- Queries ------------------------------------------------------------------------------- */

/* Begins responses of a query: the answer as JSON of a schema's name, or live. */
static void answers(struct openapi *api, const char *description, const char *schema)
{
    openapi_put(api,
                ",'responses':{'200':{'description':'%s; with Accept: text/event-stream, live',"
                "'headers':{'Sluice-Position':{'$ref':'#/components/headers/position'},"
                "'ETag':{'$ref':'#/components/headers/etag'}},'content':{"
                "'application/json':{'schema':%s},"
                "'text/event-stream':{'schema':{'type':'string'}}}},"
                "'304':{'$ref':'#/components/responses/same'}",
                description, schema);
}

static void row_path(struct openapi *api, const struct sl_domain *domain,
                     const struct sl_view *view)
{
    const struct sl_deed deed = {SL_DO_READ, domain->name, view->name, view->roles, false};
    char text[200];

    path(api, "/%s/%s/{key}", domain->name, view->name);
    snprintf(text, sizeof text, "%s.%s.get", domain->name, view->name);
    operation(api, "get", text, domain->name, view->help ? view->help : view->name, &deed);
    openapi_put(api, ",'parameters':[{'name':'key','in':'path','required':true,'description':");
    openapi_text(api, view->key);
    openapi_put(api, ",'schema':{'type':'string','minLength':1}},"
                     "{'$ref':'#/components/parameters/timeout'}");
    position_parameter(api, "min_position", "", domain->name,
                       "A position token: the answer reflects all below it.");
    if (view->temporal)
        openapi_put(api, ",{'name':'at','in':'query','schema':{'type':'string','pattern':"
                         "'^([0-9]{1,18}|[0-9]{4}-[0-9]{2}-[0-9]{2}T.*Z|%s:.*)$'},'description':"
                         "'The row as it was, at a position, its token, or a time; alone.'}",
                    domain->name);
    openapi_put(api, "]");
    snprintf(text, sizeof text, "{'$ref':'#/components/schemas/%s.%s'}", domain->name, view->name);
    answers(api, "The row", text);
    ERRORS(api, 401, 404, 409, 504);
}

static void list_parameters(struct openapi *api, const struct sl_view *view)
{
    if (view->indexes.count > 0) {
        openapi_put(api, ",{'name':'index','in':'query','schema':{'type':'string','enum':[");
        for (size_t i = 0; i < view->indexes.count; i++)
            openapi_put(api, "%s'%s'", i ? "," : "", view->indexes.items[i].name);
        openapi_put(api, "]},'description':'Filtered by its leading fields, each a parameter of "
                         "its name: ");
        for (size_t i = 0; i < view->indexes.count; i++)
            openapi_put(api, "%s%s (%s)", i ? "; " : "", view->indexes.items[i].name,
                        view->indexes.items[i].fields);
        openapi_put(api, "'}");
    }
    if (view->search)
        openapi_put(api, ",{'name':'q','in':'query','schema':{'type':'string'},"
                         "'description':'Words to find'}");
}

static void list_path(struct openapi *api, const struct sl_domain *domain,
                      const struct sl_view *view)
{
    const struct sl_deed deed = {SL_DO_READ, domain->name, view->name, view->roles, false};
    char text[1400], near[OPENAPI_NEAR_BYTES];

    path(api, "/%s/%s", domain->name, view->name);
    snprintf(text, sizeof text, "%s.%s.list", domain->name, view->name);
    operation(api, "get", text, domain->name, view->help ? view->help : view->name, &deed);
    openapi_put(api, ",'parameters':[{'name':'after','in':'query','description':'Where to go on: "
                     "what next of the last answer said.','schema':{'type':'string'}},"
                     "{'$ref':'#/components/parameters/limit'},"
                     "{'$ref':'#/components/parameters/desc'},"
                     "{'$ref':'#/components/parameters/timeout'}");
    position_parameter(api, "min_position", "", domain->name,
                       "A position token: the answer reflects all below it.");
    list_parameters(api, view);
    openapi_range_parameters(api, domain, view);
    openapi_aggregate_parameters(api, view);
    openapi_facet_parameters(api, view);
    openapi_near_parameters(api, view);
    openapi_near_schema(domain, view, near, sizeof near);
    openapi_put(api, "]");
    snprintf(text, sizeof text,
             "{'anyOf':[{'type':'object','required':['rows'],'properties':{'rows':{'type':'array',"
             "'items':{'$ref':'#/components/schemas/%s.%s'}},'next':{'type':'string'},"
             "'facets':{'type':'object'}}},%s%s]}",
             domain->name, view->name, openapi_groups_schema, near);
    answers(api, "Rows in order; with aggregate, groups; with near, rows and distances", text);
    ERRORS(api, 401, 409, 422, 504);
}

/* ---- Logs ---------------------------------------------------------------------------------- */

static void log_answers(struct openapi *api, const struct sl_domain *domain)
{
    char schema[160];

    openapi_put(api, ",{'$ref':'#/components/parameters/backwards'},"
                     "{'$ref':'#/components/parameters/limit'},"
                     "{'$ref':'#/components/parameters/timeout'}");
    position_parameter(api, "after", "start|[0-9]{1,19}|", domain->name,
                       "Where to go on: what next of the last answer said, the position of the "
                       "last event seen, or start.");
    position_parameter(api, "min_position", "", domain->name,
                       "A position token: the answer reflects all below it.");
    openapi_put(api, "]");
    snprintf(schema, sizeof schema, "{'$ref':'#/components/schemas/%s.Events'}", domain->name);
    answers(api, "Events", schema);
    ERRORS(api, 401, 404, 409, 504);
}

static void log_paths(struct openapi *api, const struct sl_domain *domain)
{
    const struct sl_deed deed = {SL_DO_READ_LOG, domain->name, NULL, sl_auth_log_roles(domain),
                                 false};
    char id[160];

    path(api, "/%s/events", domain->name);
    snprintf(id, sizeof id, "%s.events", domain->name);
    operation(api, "get", id, domain->name, "Events of the log", &deed);
    openapi_put(api, ",'parameters':[{'$ref':'#/components/parameters/tag'},"
                     "{'$ref':'#/components/parameters/aggregate'},"
                     "{'$ref':'#/components/parameters/by'}");
    log_answers(api, domain);
    path(api, "/%s/streams/{aggregate}/{key}", domain->name);
    snprintf(id, sizeof id, "%s.stream", domain->name);
    operation(api, "get", id, domain->name, "Events of a stream", &deed);
    openapi_put(api, ",'parameters':[{'name':'aggregate','in':'path','required':true,"
                     "'schema':{'type':'string','minLength':1}},"
                     "{'name':'key','in':'path','required':true,"
                     "'schema':{'type':'string','minLength':1}}");
    log_answers(api, domain);
}

/* ---- Routes of a domain's own --------------------------------------------------------------- */

/* Begins an array of parameters, or goes on with it. */
static void route_parameter(struct openapi *api, size_t *count, struct sl_text name, bool in_path)
{
    openapi_put(api, "%s{'name':'%.*s','in':'%s',%s'schema':{'type':'string'%s}}",
                *count ? "," : "", (int)name.len, name.ptr, in_path ? "path" : "query",
                in_path ? "'required':true," : "", in_path ? ",'minLength':1" : "");
    ++*count;
}

static void route_parameters(struct openapi *api, const struct sl_route *route)
{
    const char *words = route->parameters ? route->parameters : "";
    size_t count = 0;

    openapi_put(api, ",'parameters':[");
    for (const char *at = strchr(route->path, '{'); at; at = strchr(at + 1, '{'))
        route_parameter(api, &count, (struct sl_text){at + 1, strcspn(at + 1, "}")}, true);
    for (words += strspn(words, " "); *words; words += strspn(words, " ")) {
        const struct sl_text word = {words, strcspn(words, " ")};
        if (!sl_text_equals(word, SL_TEXT("*")))
            route_parameter(api, &count, word, false);
        words += word.len;
    }
    openapi_put(api, "%s{'$ref':'#/components/parameters/timeout'}]", count ? "," : "");
}

/* Bytes, of which nothing more is known here. */
static void raw_content(struct openapi *api, const char *type)
{
    openapi_put(api, "'content':{'%s':{'schema':{'type':'string','format':'binary'}}}",
                type ? type : "*/*");
}

static void route_operation(struct openapi *api, const struct sl_domain *domain,
                            const struct sl_route *route)
{
    const struct sl_deed deed = {SL_DO_COMMAND, domain->name, route->path, route->roles, false};
    char method[8] = "", id[400];

    for (size_t i = 0; i + 1 < sizeof method && route->method[i]; i++)
        method[i] = (char)(route->method[i] | 0x20);
    snprintf(id, sizeof id, "%s.%s.%s", domain->name, method,
             route->path + (route->path[0] == '/'));
    for (char *c = id; *c; c++)
        if (strchr("/{}", *c))
            *c = '_';
    operation(api, method, id, domain->name, route->help ? route->help : route->path, &deed);
    route_parameters(api, route);
    if (strcmp(method, "get") != 0 && strcmp(method, "delete") != 0) {
        openapi_put(api, ",'requestBody':{'required':%s,", route->content_type ? "true" : "false");
        raw_content(api, route->content_type);
        openapi_put(api, "}");
    }
    openapi_put(api, ",'responses':{'200':{'description':'The answer','headers':"
                     "{'Sluice-Position':{'$ref':'#/components/headers/position'}},");
    if (route->answer_record) {
        openapi_put(api, "'content':{'application/json':{'schema':");
        sl_json_write_schema(api->out, route->answer_record);
        openapi_put(api, "}}");
    } else {
        raw_content(api, route->answer_type);
    }
    openapi_put(api, "},'default':{'description':'What the protocol says'}");
    end_operation(api, (const int[]){401, 415, 500, 0});
}

static void route_path(struct openapi *api, const struct sl_domain *domain, size_t at)
{
    const struct sl_route_list *routes = &domain->routes;
    const char *name = routes->items[at].path;

    for (size_t i = 0; i < at; i++)
        if (strcmp(routes->items[i].path, name) == 0)
            return; /* another method of the same path stands there */
    path(api, "%s%s%s%s", name[0] == '/' ? "" : "/", name[0] == '/' ? "" : domain->name,
         name[0] == '/' ? "" : "/", name);
    for (size_t i = at; i < routes->count; i++) {
        if (strcmp(routes->items[i].path, name) != 0)
            continue;
        if (i > at)
            openapi_put(api, ",");
        route_operation(api, domain, &routes->items[i]);
    }
    openapi_put(api, "}");
}

/* ---- The rest ------------------------------------------------------------------------------ */

static const struct sl_deed watch = {SL_DO_WATCH}, administer = {SL_DO_ADMIN};

#define OBJECT "'application/json':{'schema':{'type':'object'}}"
#define PAGE ",'text/html':{'schema':{'type':'string'}}"
#define TEXT "'text/plain':{'schema':{'type':'string'}}"

static void server_paths(struct openapi *api)
{
    static const struct {
        const char *path, *id, *summary, *content;
        const struct sl_deed *deed;
    } fixed[] = {
        {"/", "index", "What there is", OBJECT PAGE, NULL},
        {"/healthz", "healthz", "The process lives", TEXT, NULL},
        {"/readyz", "readyz", "Commands are taken", TEXT, NULL},
        {"/metrics", "metrics", "Numbers for Prometheus", TEXT, &watch},
        {"/live", "live", "Numbers, an event a second",
         "'text/event-stream':{'schema':{'type':'string'}}", &watch},
        {"/openapi.json", "openapi", "This document", OBJECT, NULL},
        {"/errors", "errors", "All errors", OBJECT PAGE, NULL},
        {"/admin/status", "status", "Domains, logs and views", OBJECT, &administer},
    };

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        path(api, "%s", fixed[i].path);
        operation(api, "get", fixed[i].id, "server", fixed[i].summary, fixed[i].deed);
        openapi_put(api,
                    ",'responses':{'200':{'description':'Here it is','content':{%s}},"
                    "'304':{'$ref':'#/components/responses/same'}",
                    fixed[i].content);
        ERRORS(api, 401);
    }
    path(api, "/errors/{rule}");
    operation(api, "get", "error", "server", "What an error means, and what to do", NULL);
    openapi_put(api, ",'parameters':[{'name':'rule','in':'path','required':true,"
                     "'schema':{'type':'string','minLength':1}}],'responses':{"
                     "'200':{'description':'Here it is','content':{" OBJECT PAGE "}}");
    ERRORS(api, 404);
}

static void admin_paths(struct openapi *api)
{
    path(api, "/admin/shutdown");
    operation(api, "post", "shutdown", "server", "Stops the server", &administer);
    openapi_put(api, ",'responses':{'202':{'description':'It finishes what is under way, and "
                     "stops','content':{" OBJECT "}}");
    ERRORS(api, 401);
    path(api, "/admin/views/retry");
    operation(api, "post", "retry", "server", "Lets a degraded view try its event again",
              &administer);
    openapi_put(api, ",'parameters':[{'name':'view','in':'query','required':true,"
                     "'description':'DOMAIN/VIEW','schema':{'type':'string'}}],"
                     "'responses':{'202':{'description':'It tries','content':{" OBJECT "}}");
    ERRORS(api, 401, 404, 409);
    path(api, "/admin/views/skip");
    operation(api, "post", "skip", "server", "Lets a degraded view go on behind its event",
              &administer);
    openapi_put(api, ",'parameters':[{'name':'view','in':'query','required':true,"
                     "'description':'DOMAIN/VIEW','schema':{'type':'string'}}],"
                     "'responses':{'200':{'description':'The log says that it was skipped',"
                     "'content':{" OBJECT "}}");
    ERRORS(api, 401, 404, 409);
    path(api, "/admin/views/rebuild");
    operation(api, "post", "rebuild", "server", "Builds views anew while they are read",
              &administer);
    openapi_put(api, ",'parameters':[{'name':'view','in':'query','required':true,"
                     "'description':'DOMAIN/VIEW, once for each view','schema':{'type':'array',"
                     "'items':{'type':'string'}}}],'responses':{'202':{'description':'It has "
                     "begun; /admin/status says how far it is','content':{" OBJECT "}}");
    ERRORS(api, 400, 401, 404, 409);
    path(api, "/admin/views/digest");
    operation(api, "get", "digest", "server", "A digest of a view's rows, as they are stored",
              &administer);
    openapi_put(api, ",'parameters':[{'name':'view','in':'query','required':true,"
                     "'description':'DOMAIN/VIEW','schema':{'type':'string'}}],"
                     "'responses':{'200':{'description':'The position, how many rows, and their "
                     "digest','content':{" OBJECT "}}");
    ERRORS(api, 401, 404);
}

static void process_paths(struct openapi *api)
{
    static const struct {
        const char *path, *name, *title, *status, *said;
    } verbs[] = {
        {"/admin/processes/retry", "retryProcess", "Lets a process that stands still try again",
         "202", "It tries"},
        {"/admin/processes/skip", "skipInProcess", "Lets a process go on behind its event", "200",
         "The log says that it was skipped"},
    };

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        path(api, "%s", verbs[i].path);
        operation(api, "post", verbs[i].name, "server", verbs[i].title, &administer);
        openapi_put(api,
                    ",'parameters':[{'name':'process','in':'query','required':true,"
                    "'description':'DOMAIN/PROCESS','schema':{'type':'string'}}],"
                    "'responses':{'%s':{'description':'%s','content':{" OBJECT "}}",
                    verbs[i].status, verbs[i].said);
        ERRORS(api, 401, 404, 409);
    }
}

static void domain_paths(struct openapi *api, const struct sl_domain *domain)
{
    path(api, "/%s", domain->name);
    operation(api, "get", domain->name, domain->name, "Commands, views and events", &watch);
    openapi_put(api,
                ",'responses':{'200':{'description':'Here it is','content':{" OBJECT PAGE "}}");
    ERRORS(api, 401);
    for (size_t i = 0; i < domain->commands.count; i++)
        if (!domain->commands.items[i].internal)
            command_path(api, domain, &domain->commands.items[i]);
    for (size_t i = 0; i < domain->views.count; i++) {
        list_path(api, domain, &domain->views.items[i]);
        row_path(api, domain, &domain->views.items[i]);
    }
    log_paths(api, domain);
    for (size_t i = 0; i < domain->routes.count; i++)
        route_path(api, domain, i);
}

static void write_openapi(struct openapi *api, const struct sl_domain *const *domains, size_t count)
{
    openapi_put(api, "{'openapi':'3.1.0','info':{'title':'Sluice','version':'" SL_VERSION "',"
                     "'description':'Commands, queries and events of the domains that this "
                     "server runs.'},'servers':[{'url':'/'}],'tags':[{'name':'server'}");
    for (size_t i = 0; i < count; i++) {
        openapi_put(api, ",{'name':'%s','description':", domains[i]->name);
        openapi_text(api, domains[i]->title ? domains[i]->title : domains[i]->name);
        openapi_put(api, "}");
    }
    openapi_put(api, "],'paths':{");
    server_paths(api);
    admin_paths(api);
    process_paths(api);
    for (size_t i = 0; i < count; i++)
        domain_paths(api, domains[i]);
    openapi_put(api, "},");
    openapi_components(api, domains, count);
    openapi_put(api, "}");
}

void sl_api_write_openapi(struct sl_buf *out, const struct sl_domain *const *domains, size_t count)
{
    write_openapi(&(struct openapi){.out = out}, domains, count);
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
    write_openapi(&(struct openapi){.out = out, .auth = call->api->options.auth}, domains, count);
    api_headers(call);
    if (api_etag_matches(call, sl_buf_as_text(out)))
        api_send(call, 304, NULL, (struct sl_text){NULL, 0});
    else
        api_send(call, 200, API_JSON, sl_buf_as_text(out));
}
