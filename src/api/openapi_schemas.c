/* Components of /openapi.json: parameters, errors, the forms of answers, and every record. */
#include "api/openapi.h"

/* Components are named "bank.Transfer" (commands), "bank.balance" (rows), "bank.event.Opened". */
static void record_schemas(struct openapi *api, const struct sl_domain *domain)
{
    for (size_t i = 0; i < domain->commands.count; i++) {
        if (domain->commands.items[i].internal)
            continue;
        openapi_put(api, ",'%s.%s':", domain->name, domain->commands.items[i].name);
        sl_json_write_schema(api->out, domain->commands.items[i].record);
    }
    for (size_t i = 0; i < domain->views.count; i++) {
        openapi_put(api, ",'%s.%s':", domain->name, domain->views.items[i].name);
        sl_json_write_schema(api->out, domain->views.items[i].record);
    }
    for (size_t i = 0; i < domain->events.count; i++) {
        openapi_put(api, ",'%s.event.%s':", domain->name, domain->events.items[i]->name);
        sl_json_write_schema(api->out, domain->events.items[i]->record);
    }
}

/* An event as the log's doors show it: of a type of the domain, or of one that it has no longer. */
static void event_schema(struct openapi *api, const struct sl_domain *domain)
{
    openapi_put(api,
                ",'%s.Event':{'type':'object','required':['position','type','stream','revision',"
                "'time','body'],'properties':{'position':{'type':'integer','minimum':0},"
                "'type':{'type':'string'},'stream':{'type':'string'},"
                "'revision':{'type':'integer','minimum':0},"
                "'time':{'type':'string','format':'date-time'},"
                "'command':{'type':'string','format':'uuid'},"
                "'by':{'type':'string','description':'Who sent the command, if that is known'},"
                "'tags':{'type':'array','items':{'type':'string'}},'body':{}},'allOf':[",
                domain->name);
    for (size_t i = 0; i < domain->events.count; i++)
        openapi_put(api,
                    "%s{'if':{'properties':{'type':{'const':'%s'}}},"
                    "'then':{'properties':{'body':{'$ref':'#/components/schemas/%s.event.%s'}}}}",
                    i ? "," : "", domain->events.items[i]->name, domain->name,
                    domain->events.items[i]->name);
    openapi_put(api, "]}");
    openapi_put(api,
                ",'%s.Events':{'type':'object','required':['events','next','end'],'properties':{"
                "'events':{'type':'array','items':{'$ref':'#/components/schemas/%s.Event'}},"
                "'next':{'$ref':'#/components/schemas/Position'},'end':{'type':'boolean'}}}",
                domain->name, domain->name);
}

static void parameters(struct openapi *api)
{
    openapi_put(api,
                "'parameters':{"
                "'id':{'name':'Idempotency-Key','in':'header','description':'The id of the "
                "command: a UUID, or any text. The same id is carried out once; made for you if "
                "absent.','schema':{'type':'string','minLength':1,'maxLength':256}},"
                "'expected':{'name':'Sluice-Expected-Revision','in':'header','description':'The "
                "revision at which the first stream of the command must stand, or none.',"
                "'schema':{'type':'string','pattern':'^(none|[0-9]{1,19})$'}},"
                "'unless':{'name':'Sluice-Unless-Tagged','in':'header','description':'Refused "
                "(409, conflict) if an event with one of these tags lies at or above the "
                "position: account:7 account:8; since=TOKEN. Without since: if there is any.',"
                "'schema':{'type':'string','minLength':1}},");
    openapi_put(api,
                "'timeout':{'name':'Sluice-Timeout','in':'header','description':'Milliseconds to "
                "wait for the position.','schema':{'type':'integer','minimum':0,'maximum':60000}},"
                "'limit':{'name':'limit','in':'query','schema':{'type':'integer','minimum':1,"
                "'maximum':1000}},"
                "'desc':{'name':'desc','in':'query','description':'The other way round.',"
                "'schema':{'$ref':'#/components/schemas/Flag'}},"
                "'backwards':{'name':'backwards','in':'query','description':'The newest first.',"
                "'schema':{'$ref':'#/components/schemas/Flag'}},"
                "'tag':{'name':'tag','in':'query','description':'Events with this tag: account:7',"
                "'schema':{'type':'string','minLength':1}},"
                "'aggregate':{'name':'aggregate','in':'query','description':'Events of this "
                "stream, or tagged with it: account/7','schema':{'type':'string',"
                "'pattern':'^[^/]+/'}},"
                "'by':{'name':'by','in':'query','description':'Events that this principal caused; "
                "not with tag.','schema':{'type':'string','minLength':1,'maxLength':124}}},");
}

static void forms(struct openapi *api)
{
    openapi_put(api,
                "'Position':{'type':'string','description':'Says what has happened so far in a "
                "log: its domain, the salt of its reign, a number. Pass it on unchanged.',"
                "'pattern':'^[A-Za-z0-9_-]+:[0-9a-f]{16}:[0-9]{1,20}$'},"
                "'Flag':{'type':'string','enum':['','0','1','true','false','yes','no']},"
                "'Problem':{'type':'object','required':['type','title','status','rule'],"
                "'properties':{'type':{'type':'string','description':'The address of a page that "
                "says what to do'},'title':{'type':'string'},'status':{'type':'integer'},"
                "'detail':{'type':'string'},'rule':{'type':'string'},'field':{'type':'string'},"
                "'id':{'type':'string'},'position':{'$ref':'#/components/schemas/Position'}}},");
    openapi_put(api,
                "'Outcome':{'type':'object','required':['id','position','events'],'properties':{"
                "'id':{'type':'string','format':'uuid'},"
                "'position':{'$ref':'#/components/schemas/Position'},"
                "'status':{'type':'integer'},"
                "'events':{'type':'array','items':{'type':'object',"
                "'required':['type','stream','revision'],'properties':{"
                "'type':{'type':'string'},'stream':{'type':'string'},"
                "'revision':{'type':'integer','minimum':0}}}}}},"
                "'Outcomes':{'type':'array','items':{'anyOf':["
                "{'$ref':'#/components/schemas/Outcome'},"
                "{'$ref':'#/components/schemas/Problem'}]}}");
}

void openapi_components(struct openapi *api, const struct sl_domain *const *domains, size_t count)
{
    openapi_put(api, "'components':{'securitySchemes':{'token':{'type':'http',"
                     "'scheme':'bearer'}},");
    parameters(api);
    openapi_put(api,
                "'headers':{'position':{'description':'What the answer reflects, for "
                "min_position','schema':{'$ref':'#/components/schemas/Position'}},"
                "'etag':{'description':'For If-None-Match','schema':{'type':'string'}}},"
                "'responses':{'problem':{'description':'An error (RFC 9457)','content':"
                "{'application/problem+json':{'schema':{'$ref':'#/components/schemas/Problem'}}}},"
                "'same':{'description':'Not changed since the ETag in If-None-Match'}},"
                "'schemas':{");
    forms(api);
    for (size_t i = 0; i < count; i++) {
        record_schemas(api, domains[i]);
        event_schema(api, domains[i]);
    }
    openapi_put(api, "}}");
}
