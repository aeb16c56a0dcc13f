#include "api/visit_table.h"

#include <string.h>

#include "tap/tap.h"

/* A domain's tables are short on purpose: what is not said is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static void serve(struct sl_visit *visit)
{
    (void)visit;
}

static const struct sl_command commands[] = {{.name = "Transfer"}};
static const struct sl_view views[] = {{.name = "balance"}};

static struct sl_domain domain_of(const char *name, const struct sl_route *routes, size_t count)
{
    return (struct sl_domain){
        .name = name, .commands = {commands, 1}, .views = {views, 1}, .routes = {routes, count}};
}

static struct sl_text text_of(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

/* ---- Who serves an address ------------------------------------------------------------------- */

static const struct sl_route routes[] = {
    {.method = "POST", .path = "batch/{operation}", .serve = serve},
    {.method = "GET", .path = "batch/{operation}", .serve = serve},
    {.method = "GET", .path = "accounts/{id}/transfers/{other}", .serve = serve},
    {.method = "GET", .path = "balance/{id}/{day}", .serve = serve},
    {.method = "POST", .path = "/write", .serve = serve},
    {.method = "POST", .path = "/api/v2/write", .serve = serve},
    {.method = "GET", .path = "latest/now", .serve = serve},
    {.method = "GET", .path = "latest/{what}", .serve = serve},
};

static const struct {
    const char *path;
    enum sl_method method;
    int place; /* -1: none with this method, -2: none at all */
    const char *part, *value;
} addresses[] = {
    {"/bank/batch/transfers", SL_POST, 0, "operation", "transfers"},
    {"/bank/batch/transfers", SL_GET, 1, "operation", "transfers"},
    {"/bank/batch/transfers", SL_HEAD, 1, "operation", "transfers"},
    {"/bank/batch/transfers", SL_PUT, -1, NULL, NULL},
    {"/bank/batch/a%2Fb", SL_POST, 0, "operation", "a%2Fb"},
    {"/bank/batch/", SL_POST, -2, NULL, NULL},
    {"/bank/batch", SL_POST, -2, NULL, NULL},
    {"/bank/batch/a/b", SL_POST, -2, NULL, NULL},
    {"/bank/batch/a/", SL_POST, -2, NULL, NULL},
    {"/bank/batches/a", SL_POST, -2, NULL, NULL},
    {"/shop/batch/a", SL_POST, -2, NULL, NULL},
    {"bank/batch/a", SL_POST, -2, NULL, NULL},
    {"", SL_POST, -2, NULL, NULL},
    {"*", SL_OPTIONS, -2, NULL, NULL},
    {"/bank/accounts/7/transfers/8", SL_GET, 2, "id", "7"},
    {"/bank/accounts/7/transfers/8", SL_GET, 2, "other", "8"},
    {"/bank/accounts/7/transfers/8", SL_GET, 2, "neither", NULL},
    {"/bank/balance/7/2026-11-23", SL_GET, 3, "day", "2026-11-23"},
    {"/bank/balance/7", SL_GET, -2, NULL, NULL},
    {"/write", SL_POST, 4, NULL, NULL},
    {"/bank/write", SL_POST, -2, NULL, NULL},
    {"/write/", SL_POST, -2, NULL, NULL},
    {"/api/v2/write", SL_POST, 5, NULL, NULL},
    {"/bank/latest/now", SL_GET, 6, NULL, NULL},
    {"/bank/latest/then", SL_GET, 7, "what", "then"},
};

static void who_serves(void)
{
    const struct sl_domain bank = domain_of("bank", routes, sizeof routes / sizeof *routes);
    const struct sl_domain *const domains[] = {&bank};
    struct sl_own_table table;
    struct sl_error error = {0};

    REQUIRE(sl_own_table_open(&table, domains, 1, &error) == SL_OK);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        const struct sl_text path = text_of(addresses[i].path);
        const struct sl_own_route *any = sl_own_find(&table, path);
        const struct sl_own_route *own = sl_own_find_method(&table, path, addresses[i].method);
        const int place = own ? (int)(own - table.items) : any ? -1 : -2;
        if (!CHECK(place == addresses[i].place))
            tap_note("%s", addresses[i].path);
        if (own && addresses[i].part) {
            const struct sl_text part = sl_own_part(own->pattern, path, addresses[i].part);
            CHECK((part.ptr != NULL) == (addresses[i].value != NULL));
            if (addresses[i].value)
                CHECK(sl_text_equals(part, text_of(addresses[i].value)));
        }
    }
    struct sl_buf allows = {0};
    sl_own_allows(&table, text_of("/bank/batch/x"), &allows);
    CHECK_TEXT(sl_buf_as_text(&allows), "GET, HEAD, POST, OPTIONS");
    sl_buf_close(&allows);
    sl_own_table_close(&table);
}

/* ---- Routes that are refused ----------------------------------------------------------------- */

static const struct {
    const char *method, *path;
    const char *error; /* a part of it; NULL: it is good */
} tables[] = {
    {"POST", "batch", NULL},
    {"DELETE", "batch", NULL},
    {"POST", "balance/{id}/{day}", NULL},
    {"POST", "Other", NULL},
    {"GET", "/metrics2", NULL},
    {"BREW", "batch", "method"},
    {NULL, "batch", "method"},
    {"POST", NULL, "lacks a path"},
    {"POST", "", "lacks a path"},
    {"POST", "batch//x", "empty"},
    {"POST", "batch/", "empty"},
    {"POST", "batch/{}", "empty"},
    {"POST", "batch/a{b}", "characters"},
    {"POST", "batch/a b", "characters"},
    {"POST", "batch/a%20b", "characters"},
    {"POST", "batch?x", "characters"},
    {"POST", "batch/{a b}", "characters"},
    {"POST", "x/{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}", NULL},
    {"POST", "x/{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}/{9}", "8 parts"},
    {"POST", "{anything}", "anything"},
    {"POST", "/{anything}", "anything"},
    {"POST", "Transfer", "address of a command"},
    {"GET", "balance", "address of a command, a view"},
    {"GET", "balance/{key}", "a view"},
    {"GET", "balance/7", "a view"},
    {"GET", "events", "the log"},
    {"GET", "streams/x/y", "the log"},
    {"GET", "/", "empty"},
    {"GET", "/metrics", "the server's own"},
    {"GET", "/ui/x", "the server's own"},
    {"GET", "/admin/{what}", "the server's own"},
    {"GET", "/errors/x", "the server's own"},
    {"GET", "/bank/x", "below a domain's name"},
    {"GET", "/shop", "below a domain's name"},
};

static void what_is_refused(void)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const struct sl_route route = {tables[i].method, tables[i].path, .serve = serve};
        const struct sl_domain bank = domain_of("bank", &route, 1);
        const struct sl_domain shop = {.name = "shop"};
        const struct sl_domain *const domains[] = {&bank, &shop};
        struct sl_own_table table;
        struct sl_error error = {0};

        const enum sl_err err = sl_own_table_open(&table, domains, 2, &error);
        bool good = CHECK(err == (tables[i].error ? SL_INVALID : SL_OK));
        if (tables[i].error)
            good &= CHECK(strstr(error.message, tables[i].error) != NULL);
        if (!good)
            tap_note("%s: %s", tables[i].path ? tables[i].path : "none", error.message);
        sl_own_table_close(&table);
    }
}

static void twice(void)
{
    static const struct {
        const char *first, *second;
        bool is_same_domain, is_good;
    } pairs[] = {
        {"/write", "/write", true, false},  {"/write", "/write", false, false},
        {"/{a}", "/b", false, false},       {"x/{a}", "x/{b}", true, true},
        {"/w/{a}", "/w/now", false, false}, {"/w/now", "/w/{a}", false, true},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct sl_route both[] = {{"POST", pairs[i].first, .serve = serve},
                                        {"POST", pairs[i].second, .serve = serve}};
        const struct sl_domain one = domain_of("one", both, pairs[i].is_same_domain ? 2 : 1);
        const struct sl_domain two = domain_of("two", both + 1, pairs[i].is_same_domain ? 0 : 1);
        const struct sl_domain *const domains[] = {&one, &two};
        struct sl_own_table table;
        struct sl_error error = {0};

        if (!CHECK((sl_own_table_open(&table, domains, 2, &error) == SL_OK) == pairs[i].is_good))
            tap_note("%s and %s", pairs[i].first, pairs[i].second);
        sl_own_table_close(&table);
    }
}

static void none(void)
{
    struct sl_own_table table;
    const struct sl_domain bank = {.name = "bank"};
    const struct sl_domain *const domains[] = {&bank};

    REQUIRE(sl_own_table_open(&table, domains, 1, NULL) == SL_OK);
    CHECK(table.count == 0 && !sl_own_find(&table, text_of("/bank/batch/x")));
    sl_own_table_close(&table);
}

int main(void)
{
    return TAP_RUN({"who serves an address", who_serves},
                   {"routes that contradict something are refused", what_is_refused},
                   {"two routes for one address", twice}, {"no routes", none});
}
