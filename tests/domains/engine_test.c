/*
 * Desks and orders through the engine in this program: commands, views, lists, the process that
 * has orders authorised, its timer, and what a restart keeps.
 */
#include <sluice/sluice.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tap/tap.h"
#include "tests/domains/desks.h"
#include "tests/domains/order.h"

#define O(n) "00000000-0000-4000-8000-00000000000" #n

static const struct sl_domain *const domains[] = {&desks_domain, &order_domain};
static char folder[] = "/tmp/sluice-domains-XXXXXX";
static struct sl_engine *engine;

static struct sl_text text_of(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

static void start(void)
{
    const struct sl_options options = {.data = folder, .domains = {domains, 2}};
    struct sl_error error = {0};

    if (sl_open(&options, &engine, &error) != SL_OK) {
        printf("Bail out! %s\n", error.message);
        exit(1);
    }
}

static bool contains(const struct sl_reply *reply, const char *wanted)
{
    return memmem(reply->body.ptr, reply->body.len, wanted, strlen(wanted)) != NULL;
}

/* Carries a command out and checks its status; `told` stands in the body. Returns its position. */
static uint64_t carry_out(const char *domain, const char *command, const char *json, int status,
                          const char *told)
{
    struct sl_reply reply = {0};
    struct sl_error error = {0};

    if (!CHECK(sl_execute(engine, domain, command, text_of(json), (struct sl_text){0}, &reply,
                          &error) == SL_OK))
        return 0;
    if (!CHECK(reply.status == status) || !CHECK(contains(&reply, told)))
        tap_note("%s: %d %.*s", command, reply.status, (int)reply.body.len, reply.body.ptr);
    const uint64_t position = reply.position;
    sl_reply_close(&reply);
    return position;
}

/* Is this in the row, once the view has applied all below the position? */
static bool shows(const char *domain, const char *view, const char *key, uint64_t position,
                  const char *told)
{
    struct sl_reply reply = {0};
    struct sl_error error = {0};

    if (!CHECK(sl_lookup(engine, domain, view, text_of(key), position, &reply, &error) == SL_OK))
        return false;
    const bool good = reply.status == 200 && contains(&reply, told);
    if (!good && position > 0)
        tap_note("%s/%s: %d %.*s", view, key, reply.status, (int)reply.body.len, reply.body.ptr);
    sl_reply_close(&reply);
    return good;
}

static void print_row(const char *domain, const char *view, const char *key)
{
    struct sl_reply reply = {0};
    struct sl_error error = {0};

    if (sl_lookup(engine, domain, view, text_of(key), 0, &reply, &error) == SL_OK) {
        tap_note("%s/%s: %d %.*s", view, key, reply.status, (int)reply.body.len, reply.body.ptr);
        sl_reply_close(&reply);
    }
}

/* What a process does, nobody can be told beforehand at which position: look until it is there. */
static bool comes_to_show(const char *view, const char *key, const char *told)
{
    const struct timespec pause = {.tv_nsec = 5000000};

    for (int i = 0; i < 3000; i++) {
        if (shows("order", view, key, 0, told))
            return true;
        nanosleep(&pause, NULL);
    }
    print_row("order", view, key);
    return false;
}

static bool lists(const char *domain, const char *view, const char *index, const char *equal,
                  uint64_t position, const char *told)
{
    struct sl_reply reply = {0};
    struct sl_error error = {0};

    if (!CHECK(sl_list(engine, domain, view, index, text_of(equal), (struct sl_text){0}, 0,
                       position, &reply, &error) == SL_OK))
        return false;
    const bool good = reply.status == 200 && contains(&reply, told);
    if (!good)
        tap_note("%s by %s: %d %.*s", view, index, reply.status, (int)reply.body.len,
                 reply.body.ptr);
    sl_reply_close(&reply);
    return good;
}

static uint64_t place(const char *id, const char *item, int quantity, int minor, int within_s)
{
    char json[400];

    snprintf(json, sizeof json,
             "{\"id\":\"%s\",\"reference\":\"340282366920938463463374607431768211455\","
             "\"customer\":\"Ada\",\"channel\":\"shop\",\"note\":\"ring\",\"discount\":\"2.50\","
             "\"lines\":[{\"item\":\"%s\",\"quantity\":%d,"
             "\"price\":{\"minor\":%d,\"currency\":\"EUR\"}}],\"ship_within_s\":%d}",
             id, item, quantity, minor, within_s);
    return carry_out("order", "PlaceOrder", json, 201, "\"StockReserved\"");
}

static void desks(void)
{
    const char *const json = "{\"id\":\"" O(1) "\",\"desk\":\"A4\",\"day\":\"9999-11-23\","
                             "\"who\":\"Ada\"}";
    const uint64_t at = carry_out("desks", "BookDesk", json, 201, "\"desk-day/A4,9999-11-23\"");

    CHECK(shows("desks", "bookings", O(1), at, "\"who\":\"Ada\""));
    CHECK(lists("desks", "bookings", "by-day", "9999-11-23", at, "\"A4\""));
    CHECK(lists("desks", "bookings", "by-day", "9999-11-24", at, "\"rows\":[]"));
    carry_out("desks", "BookDesk", json, 422, "\"desk_taken\"");
    carry_out("desks", "BookDesk", "{}", 400, "required");
}

static void an_order_is_authorised(void)
{
    carry_out("order", "AddStock", "{\"item\":\"book\",\"quantity\":9}", 201, "stock/book");
    const uint64_t at = place(O(1), "book", 2, 1000, 3600);

    CHECK(shows("order", "orders", O(1), at,
                "\"reference\":\"340282366920938463463374607431768211455\""));
    CHECK(shows("order", "orders", O(1), at, "\"total\":{\"minor\":1950,\"currency\":\"EUR\"}"));
    CHECK(shows("order", "orders", O(1), at, "\"note\":\"ring\",\"discount\":\"2.50\""));
    CHECK(shows("order", "stock", "book", at, "\"on_hand\":9,\"reserved\":2"));
    CHECK(comes_to_show("orders", O(1), "\"status\":\"authorized\""));
    carry_out("order", "Authorize",
              "{\"id\":\"" O(1) "\",\"amount\":{\"minor\":1,\"currency\":\"EUR\"}}", 404,
              "no_such_command");
}

static void a_shipped_one_takes_its_stock(void)
{
    const uint64_t at =
        carry_out("order", "ShipOrder", "{\"id\":\"" O(1) "\"}", 201, "\"StockShipped\"");

    CHECK(shows("order", "orders", O(1), at, "\"status\":\"shipped\""));
    CHECK(shows("order", "stock", "book", at, "\"on_hand\":7,\"reserved\":0"));
    carry_out("order", "CancelOrder", "{\"id\":\"" O(1) "\"}", 422, "order_not_open");
}

static void a_declined_one_is_cancelled(void)
{
    place(O(2), "book", 7, 20000, 3600);
    CHECK(comes_to_show("orders", O(2), "\"status\":\"cancelled\",\"reason\":\"declined\""));
    CHECK(comes_to_show("stock", "book", "\"on_hand\":7,\"reserved\":0"));
}

static void an_expired_one_is_cancelled(void)
{
    struct timespec before, after;

    clock_gettime(CLOCK_REALTIME, &before);
    place(O(3), "book", 7, 1000, 1);
    CHECK(comes_to_show("orders", O(3), "\"status\":\"authorized\""));
    CHECK(comes_to_show("orders", O(3), "\"status\":\"cancelled\",\"reason\":\"expired\""));
    clock_gettime(CLOCK_REALTIME, &after);
    CHECK((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >=
          1000); /* a timer is never early */
    CHECK(comes_to_show("stock", "book", "\"on_hand\":7,\"reserved\":0"));
}

static void a_restart_keeps_all(void)
{
    place(O(4), "book", 3, 1000, 2);
    place(O(5), "book", 1, 1000, 3600);
    CHECK(comes_to_show("orders", O(4), "\"status\":\"authorized\""));
    CHECK(comes_to_show("orders", O(5), "\"status\":\"authorized\""));
    sl_close(engine);
    start();
    CHECK(shows("desks", "bookings", O(1), 1, "\"who\":\"Ada\""));
    CHECK(shows("order", "orders", O(1), 1, "\"status\":\"shipped\""));
    CHECK(shows("order", "orders", O(2), 1, "\"reason\":\"declined\""));
    CHECK(shows("order", "orders", O(3), 1, "\"reason\":\"expired\""));
    CHECK(lists("order", "orders", "by-status", "shipped", 1, O(1)));
    carry_out("desks", "BookDesk",
              "{\"id\":\"" O(2) "\",\"desk\":\"A4\",\"day\":\"9999-11-23\",\"who\":\"Alan\"}", 422,
              "\"desk_taken\"");
}

static void a_timer_outlives_a_restart(void)
{
    CHECK(comes_to_show("orders", O(4), "\"status\":\"cancelled\",\"reason\":\"expired\""));
    CHECK(comes_to_show("stock", "book", "\"on_hand\":7,\"reserved\":1"));
    CHECK(shows("order", "orders", O(5), 1, "\"status\":\"authorized\""));
    const uint64_t at =
        carry_out("order", "ShipOrder", "{\"id\":\"" O(5) "\"}", 201, "\"StockShipped\"");
    CHECK(shows("order", "stock", "book", at, "\"on_hand\":6,\"reserved\":0"));
}

int main(void)
{
    char command[sizeof folder + 16];

    if (!mkdtemp(folder)) {
        printf("Bail out! no temporary folder\n");
        return 1;
    }
    start();
    const int failed = TAP_RUN({"desks are booked", desks},
                               {"an order is authorised", an_order_is_authorised},
                               {"a shipped one takes its stock", a_shipped_one_takes_its_stock},
                               {"a declined one is cancelled", a_declined_one_is_cancelled},
                               {"an expired one is cancelled", an_expired_one_is_cancelled},
                               {"a restart keeps all", a_restart_keeps_all},
                               {"a timer outlives a restart", a_timer_outlives_a_restart});
    sl_close(engine);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0 || failed; /* NOLINT: the folder is ours */
}
