#include "api/route.h"

#include <string.h>

#include "tap/tap.h"

static const struct {
    const char *path;
    enum sl_route_kind kind;
    const char *domain, *name, *rest;
} table[] = {
    {"/", SL_ROUTE_ROOT, "", "", ""},
    {"/healthz", SL_ROUTE_HEALTH, "", "", ""},
    {"/readyz", SL_ROUTE_READY, "", "", ""},
    {"/metrics", SL_ROUTE_METRICS, "", "", ""},
    {"/openapi.json", SL_ROUTE_OPENAPI, "", "", ""},
    {"/errors", SL_ROUTE_ERRORS, "", "", ""},
    {"/errors/", SL_ROUTE_ERRORS, "", "", ""},
    {"/errors/desk_taken", SL_ROUTE_ERROR, "", "desk_taken", ""},
    {"/errors/a/b", SL_ROUTE_NONE, "", "", ""},
    {"/errors/%3Cscript%3E", SL_ROUTE_NONE, "", "", ""},
    {"/live", SL_ROUTE_LIVE, "", "", ""},
    {"/admin/status", SL_ROUTE_ADMIN_STATUS, "", "", ""},
    {"/admin/shutdown", SL_ROUTE_ADMIN_SHUTDOWN, "", "", ""},
    {"/admin/views/retry", SL_ROUTE_ADMIN_VIEW_RETRY, "", "", ""},
    {"/admin/views/skip", SL_ROUTE_ADMIN_VIEW_SKIP, "", "", ""},
    {"/admin/views/rebuild", SL_ROUTE_ADMIN_VIEW_REBUILD, "", "", ""},
    {"/admin/views/digest", SL_ROUTE_ADMIN_VIEW_DIGEST, "", "", ""},
    {"/admin/processes/retry", SL_ROUTE_ADMIN_PROCESS_RETRY, "", "", ""},
    {"/admin/processes/skip", SL_ROUTE_ADMIN_PROCESS_SKIP, "", "", ""},
    {"/admin/Other", SL_ROUTE_NONE, "", "", ""},
    {"/admin", SL_ROUTE_NONE, "", "", ""},
    {"/healthz/x", SL_ROUTE_NONE, "", "", ""},
    {"/ui", SL_ROUTE_PAGES_MOVED, "", "", ""},
    {"/ui/", SL_ROUTE_PAGES, "", "", ""},
    {"/ui/bank/app.js", SL_ROUTE_PAGES, "", "", "bank/app.js"},
    {"/bank", SL_ROUTE_DOMAIN, "bank", "", ""},
    {"/bank/", SL_ROUTE_NONE, "", "", ""},
    {"/bank/Transfer", SL_ROUTE_COMMAND, "bank", "Transfer", ""},
    {"/bank/Transfer/x", SL_ROUTE_NONE, "", "", ""},
    {"/bank/balance", SL_ROUTE_VIEW, "bank", "balance", ""},
    {"/bank/balance/", SL_ROUTE_NONE, "", "", ""},
    {"/bank/balance/C1", SL_ROUTE_ROW, "bank", "balance", "C1"},
    {"/bank/balance/a%2Fb", SL_ROUTE_ROW, "bank", "balance", "a%2Fb"},
    {"/bank/balance/a/b", SL_ROUTE_NONE, "", "", ""},
    {"/bank/events", SL_ROUTE_EVENTS, "bank", "events", ""},
    {"/bank/events/x", SL_ROUTE_NONE, "", "", ""},
    {"/bank/streams", SL_ROUTE_NONE, "", "", ""},
    {"/bank/streams/", SL_ROUTE_NONE, "", "", ""},
    {"/bank/streams/account/7", SL_ROUTE_STREAM, "bank", "streams", "account/7"},
    {"//", SL_ROUTE_NONE, "", "", ""},
    {"/bank//x", SL_ROUTE_NONE, "", "", ""},
    {"/ba%6ek/balance", SL_ROUTE_NONE, "", "", ""},
    {"*", SL_ROUTE_NONE, "", "", ""},
    {"", SL_ROUTE_NONE, "", "", ""},
    {"/0123456789012345678901234567890123456789012345678901234567890123456789", SL_ROUTE_NONE,
     "", "", ""},
};

static void paths(void)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct sl_door route =
            sl_route_of((struct sl_text){table[i].path, strlen(table[i].path)});
        bool good = CHECK_U64(route.kind, table[i].kind);
        good &= CHECK_TEXT(route.domain, table[i].domain);
        good &= CHECK_TEXT(route.name, table[i].name);
        good &= CHECK_TEXT(route.rest, table[i].rest);
        if (!good)
            tap_note("%s", table[i].path);
    }
}

static void methods(void)
{
    CHECK_STRING(sl_route_allows(SL_ROUTE_COMMAND), "POST, OPTIONS");
    CHECK_STRING(sl_route_allows(SL_ROUTE_ADMIN_SHUTDOWN), "POST, OPTIONS");
    CHECK_STRING(sl_route_allows(SL_ROUTE_ROW), "GET, HEAD, OPTIONS");
    CHECK_STRING(sl_route_allows(SL_ROUTE_EVENTS), "GET, HEAD, OPTIONS");
}

int main(void)
{
    return TAP_RUN({"paths", paths}, {"what they take", methods});
}
