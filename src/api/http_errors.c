/*
 * /errors/ and /errors/{rule}: what each error means and what to do, as a page or as JSON.
 *
 * Sluice's own rules stand in the table of problem.c. Rules of domains are literals in their code;
 * a domain is named here once it was seen refusing by one.
 */
#include "api/parts.h"

#include <string.h>

/* Texts of the table and of domains, as HTML. */
static void html_text(struct sl_buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            SL_BUF_LITERAL(out, "&lt;");
            break;
        case '&':
            SL_BUF_LITERAL(out, "&amp;");
            break;
        case '>':
            SL_BUF_LITERAL(out, "&gt;");
            break;
        default:
            sl_buf_byte(out, (uint8_t)*text);
        }
    }
}

static void page_head(struct sl_buf *out, const char *title)
{
    SL_BUF_LITERAL(out, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
                        "<meta name=\"viewport\" content=\"width=device-width\"><title>");
    html_text(out, title);
    SL_BUF_LITERAL(out, "</title><h1>");
    html_text(out, title);
    SL_BUF_LITERAL(out, "</h1>");
}

static void send_either(struct api_call *call, int status, bool page)
{
    struct sl_buf *headers = api_headers(call);

    SL_BUF_LITERAL(headers, "Vary: Accept\r\n");
    if (page)
        SL_BUF_LITERAL(headers, "Content-Security-Policy: default-src 'self'\r\n");
    api_send(call, status, page ? "text/html; charset=utf-8" : API_JSON,
             sl_buf_as_text(&call->api->out));
}

/* ---- The list ------------------------------------------------------------------------------ */

static void list_page(const struct sl_api *api, struct sl_buf *out)
{
    const struct sl_rule *rule;

    page_head(out, "Errors");
    SL_BUF_LITERAL(out, "<p>Each error names its rule; each rule has a page.</p><ul>");
    for (size_t i = 0; (rule = sl_rule_at(i)); i++) {
        sl_buf_printf(out, "<li><a href=\"/errors/%s\">%s</a> (%d): ", rule->name, rule->name,
                      rule->status);
        html_text(out, rule->title);
    }
    for (size_t i = 0; i < api->seen_count; i++)
        sl_buf_printf(out, "<li><a href=\"/errors/%s\">%s</a> (422), of the domain %s",
                      api->seen[i].name, api->seen[i].name, api->seen[i].domain->name);
    SL_BUF_LITERAL(out, "</ul>");
}

static void list_json(const struct sl_api *api, struct sl_buf *out)
{
    const struct sl_rule *rule;

    SL_BUF_LITERAL(out, "{\"errors\":[");
    for (size_t i = 0; (rule = sl_rule_at(i)); i++) {
        sl_buf_printf(out, "%s{\"rule\":\"%s\",\"status\":%d,\"title\":", i ? "," : "", rule->name,
                      rule->status);
        api_json_string(out, rule->title);
        sl_buf_byte(out, '}');
    }
    for (size_t i = 0; i < api->seen_count; i++)
        sl_buf_printf(out, ",{\"rule\":\"%s\",\"status\":422,\"domain\":\"%s\"}", api->seen[i].name,
                      api->seen[i].domain->name);
    SL_BUF_LITERAL(out, "]}");
}

void api_get_errors(struct api_call *call)
{
    const bool page = api_wants_page(call);

    sl_buf_reset(&call->api->out);
    if (page)
        list_page(call->api, &call->api->out);
    else
        list_json(call->api, &call->api->out);
    send_either(call, 200, page);
}

/* ---- One ----------------------------------------------------------------------------------- */

static void own_rule(struct sl_buf *out, const struct sl_rule *rule, bool page)
{
    if (page) {
        page_head(out, rule->title);
        sl_buf_printf(out, "<p><code>%s</code>, status %d</p><h2>What it means</h2><p>", rule->name,
                      rule->status);
        html_text(out, rule->meaning);
        SL_BUF_LITERAL(out, "</p><h2>What to do</h2><p>");
        html_text(out, rule->advice);
        SL_BUF_LITERAL(out, "</p><p><a href=\"/errors/\">All errors</a></p>");
        return;
    }
    sl_buf_printf(out, "{\"rule\":\"%s\",\"status\":%d,\"title\":", rule->name, rule->status);
    api_json_string(out, rule->title);
    SL_BUF_LITERAL(out, ",\"meaning\":");
    api_json_string(out, rule->meaning);
    SL_BUF_LITERAL(out, ",\"advice\":");
    api_json_string(out, rule->advice);
    sl_buf_byte(out, '}');
}

#define DOMAIN_RULE                                                                               \
    "A rule of a domain refused the command. Nothing was changed, and the refusal is remembered " \
    "for the command's id."
#define DOMAIN_ADVICE                                                                            \
    "The error's `detail` says why. Correct the command and send it with a new id; the same id " \
    "gets the same refusal."

/* `name` is a name (route.h), and needs no escapes. */
static void domain_rule(const struct sl_api *api, struct sl_buf *out, struct sl_text name,
                        bool page)
{
    bool first = true;

    if (page) {
        char title[65] = "";
        memcpy(title, name.ptr, name.len);
        page_head(out, title);
        SL_BUF_LITERAL(out, "<p>" DOMAIN_RULE "</p><p>Seen in:");
    } else {
        sl_buf_printf(out,
                      "{\"rule\":\"%.*s\",\"status\":422,\"meaning\":\"" DOMAIN_RULE
                      "\",\"advice\":\"" DOMAIN_ADVICE "\",\"domains\":[",
                      (int)name.len, name.ptr);
    }
    for (size_t i = 0; i < api->seen_count; i++) {
        if (!sl_text_equals(api_text(api->seen[i].name), name))
            continue;
        sl_buf_printf(out, page ? " %s%s" : "%s\"%s\"", first || page ? "" : ",",
                      api->seen[i].domain->name);
        first = false;
    }
    if (page && first)
        SL_BUF_LITERAL(out, " no domain since this server was started");
    if (page)
        SL_BUF_LITERAL(out, ".</p><h2>What to do</h2><p>" DOMAIN_ADVICE "</p>");
    else
        SL_BUF_LITERAL(out, "]}");
}

void api_get_error(struct api_call *call)
{
    const struct sl_rule *rule = sl_rule_find(call->route.name);
    const bool page = api_wants_page(call);
    struct sl_buf *out = &call->api->out;

    sl_buf_reset(out);
    if (rule)
        own_rule(out, rule, page);
    else
        domain_rule(call->api, out, call->route.name, page);
    send_either(call, 200, page);
}
