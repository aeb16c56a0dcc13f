/*
 * What must be true of a world, whatever happened to it:
 *
 *   P1, L1  positions are 0,1,2,…, revisions likewise, and what a follower saw is still there;
 *   P2      every acknowledged outcome is there, refusals included;
 *   P4, C1  no command was carried out twice, and asked again each is answered as it was;
 *   P5, V1  views say what the log says;
 *   V2, P7  views that are deleted come back the same, row by row, and the log did not change;
 *   and no process forgets: each order is shipped or cancelled when its time is over, each refusal
 *   of its payment was told once, each timer fired once; what is held by the bank is posted, voided
 *   or given back once, never given back before its time, and never kept after it (world_bank.c).
 */
#include "tests/sim/world.h"
#include "tests/sim/world_bank.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t second = INT64_C(1000000000);

struct order_truth {
    unsigned placed, authorized, shipped, cancelled, told, fired;
};

struct stream_truth {
    uint64_t hash;
    uint64_t next;
};

/* What the logs say. */
struct truth {
    struct world *world;
    struct sl_core_domain *domain;
    uint64_t next; /* position to be read */
    bool read_all;
    bool answered;
    uint64_t counts[2]; /* events of each domain, less the processes' own */
    unsigned opened[WORLD_ACCOUNTS];
    struct world_books *books;
    int64_t on_hand[WORLD_ITEMS], reserved[WORLD_ITEMS];
    unsigned stock_events[3];   /* reserved, released, shipped */
    struct order_truth *orders; /* by command */
    struct stream_truth *streams;
    size_t stream_capacity; /* a power of two */
};

/* ---- Reading the logs ------------------------------------------------------------------------ */

static bool starts(struct sl_text text, const char *with)
{
    return text.len >= strlen(with) && memcmp(text.ptr, with, strlen(with)) == 0;
}

static bool is_type(const struct sl_stored_event *event, const char *name)
{
    return event->schema->name.len == strlen(name) && starts(event->schema->name, name);
}

/* How often this was counted before. */
static uint64_t count_hash(struct truth *truth, uint64_t hash)
{
    size_t place = hash & (truth->stream_capacity - 1);

    hash |= 1;
    while (truth->streams[place].hash && truth->streams[place].hash != hash)
        place = (place + 1) & (truth->stream_capacity - 1);
    truth->streams[place].hash = hash;
    return truth->streams[place].next++;
}

static void check_revision(struct truth *truth, const struct sl_stored_event *event)
{
    const struct sl_uuid id = event->command;

    world_expect(truth->world,
                 count_hash(truth, sl_hash64(event->stream.ptr, event->stream.len, 1)) ==
                     event->revision,
                 "L1: revisions");
    if (event->schema->name.ptr[0] == '$')
        world_expect(truth->world, count_hash(truth, sl_hash64(id.bytes, sizeof id.bytes, 2)) == 0,
                     "C1: what a process does is done once");
}

/* The number at the end of "order/00000000-0000-4000-8000-…". */
static struct order_truth *order_of(struct truth *truth, struct sl_text stream, size_t *out)
{
    char digits[13] = {0};
    const size_t count = truth->world->command_count;

    if (stream.len >= 12)
        memcpy(digits, stream.ptr + stream.len - 12, 12);
    *out = strtoull(digits, NULL, 16);
    if (!world_expect(truth->world, *out < count, "an order of no command"))
        *out = 0;
    return &truth->orders[*out];
}

static void count_order(struct truth *truth, const struct sl_stored_event *event)
{
    size_t number;
    struct order_truth *order = order_of(truth, event->stream, &number);
    const struct world_command *placing = truth->world->commands[number];

    if (is_type(event, "OrderPlaced")) {
        order->placed++;
        truth->reserved[placing->a] += placing->amount;
    } else if (is_type(event, "OrderAuthorized")) {
        order->authorized++;
    } else if (is_type(event, "OrderShipped")) {
        order->shipped++;
        truth->reserved[placing->a] -= placing->amount;
        truth->on_hand[placing->a] -= placing->amount;
    } else if (is_type(event, "OrderCancelled")) {
        order->cancelled++;
        truth->reserved[placing->a] -= placing->amount;
    } else if (is_type(event, "$RefusalTold")) {
        order->told++;
    } else if (is_type(event, "$TimerFired")) {
        order->fired++;
    }
}

static void count_command(struct truth *truth, const struct sl_stored_event *event)
{
    static const uint8_t clients[8] = {0xc1}; /* how the ids of world.c begin */
    struct world *world = truth->world;
    size_t number;

    if (memcmp(event->command.bytes, clients, sizeof clients) != 0)
        return; /* a process's */
    memcpy(&number, event->command.bytes + 8, sizeof number);
    if (!world_expect(world, number < world->command_count, "an event of no command"))
        return;
    struct world_command *command = world->commands[number];
    if (is_type(event, "TransferFailed")) {
        command->failures++;
        return;
    }
    if (is_type(event, "StockReserved") || is_type(event, "StockReleased") ||
        is_type(event, "StockShipped"))
        return; /* the second event of a command */
    command->events++;
    if (command->kind == WORLD_OPEN) {
        truth->opened[command->a]++;
    } else if (command->kind == WORLD_ADD) {
        truth->on_hand[command->a] += WORLD_STOCK;
    }
}

static void count_event(struct truth *truth, const struct sl_stored_event *event)
{
    const bool is_order = truth->domain == truth->world->order;

    if (!is_order)
        world_books_note(truth->books, event);
    check_revision(truth, event);
    count_command(truth, event);
    if (is_order && (starts(event->stream, "order/") || starts(event->stream, "$process/")))
        count_order(truth, event);
    truth->stock_events[0] += is_type(event, "StockReserved");
    truth->stock_events[1] += is_type(event, "StockReleased");
    truth->stock_events[2] += is_type(event, "StockShipped");
    if (event->schema->name.ptr[0] != '$')
        truth->counts[is_order]++;
}

static void page_read(struct sl_core_read *read)
{
    struct truth *truth = read->user;
    struct world *world = truth->world;
    const struct world_seen *seen = &world->seen[truth->domain == world->order];

    truth->answered = true;
    if (!world_expect(world, read->read.err == SL_OK, "the log can be read"))
        truth->read_all = true;
    for (size_t i = 0; i < read->read.event_count; i++) {
        const struct sl_stored_event *event = &read->read.events[i];
        const struct sl_slice parts[] = {{event->body.ptr, event->body.len},
                                         {(const uint8_t *)event->stream.ptr, event->stream.len},
                                         {event->command.bytes, sizeof event->command.bytes}};

        world_expect(world, event->position == truth->next, "L1: positions");
        truth->next = event->position + 1;
        if (event->position < seen->count && seen->digests[event->position])
            world_expect(world,
                         seen->digests[event->position] ==
                             sl_hash_uuid(sl_hash128(parts, 3, event->revision)),
                         "P1: an event that was seen is not the one in the log");
        count_event(truth, event);
    }
    if (read->read.event_count == 0)
        truth->read_all = true;
}

static void read_log(struct truth *truth, struct sl_core_domain *domain)
{
    truth->domain = domain;
    truth->next = 0;
    truth->read_all = false;
    while (!truth->read_all && !truth->world->bad) {
        struct sl_core_read read = {.domain = domain,
                                    .done = page_read,
                                    .user = truth,
                                    .read = {.by = SL_READ_POSITION,
                                             .from = truth->next,
                                             .until = UINT64_MAX,
                                             .count_max = 2000,
                                             .bytes_max = 4u << 20}};
        truth->answered = false;
        sl_core_read(&read);
        if (!world_expect(truth->world,
                          world_run_until(truth->world, &truth->answered, 60 * second),
                          "a read is answered"))
            return; /* the answer may yet come: the read is lost on purpose */
        sl_core_read_close(&read);
    }
    const struct world_seen *seen = &truth->world->seen[domain == truth->world->order];
    world_expect(truth->world, truth->next >= seen->count,
                 "P1, P2: events that were seen have gone");
}

static bool find_truth(struct truth *truth, struct world *world)
{
    *truth = (struct truth){.world = world, .stream_capacity = 1u << 17};
    truth->orders = calloc(world->command_count + 1, sizeof *truth->orders);
    truth->streams = calloc(truth->stream_capacity, sizeof *truth->streams);
    truth->books = world_books_new(world);
    if (!truth->orders || !truth->streams || !truth->books)
        return false;
    for (size_t i = 0; i < world->command_count; i++)
        world->commands[i]->events = world->commands[i]->failures = 0;
    read_log(truth, world->bank);
    memset(truth->streams, 0, truth->stream_capacity * sizeof *truth->streams);
    read_log(truth, world->order);
    return !world->bad;
}

static void free_truth(struct truth *truth)
{
    world_books_free(truth->books);
    free(truth->orders);
    free(truth->streams);
}

/* ---- Commands and processes ------------------------------------------------------------------ */

/* Sends what was not confirmed yet; returns whether all is. A queue may be short: whoever is turned
 * away comes again. */
static bool ask_again(struct world *world)
{
    const size_t most = world->queue_max ? world->queue_max / 2 : 500;
    bool good = true;

    for (size_t i = 0; i < world->command_count; i++) {
        if (world->commands[i]->confirmed)
            continue;
        good = false;
        world_send(world, world->commands[i]);
        for (int tries = 0; tries < 100000 && world->under_way >= most; tries++)
            world_step(world, second);
    }
    return good;
}

static bool ask_all_again(struct world *world)
{
    const bool never = false;

    for (size_t i = 0; i < world->command_count; i++)
        world->commands[i]->confirmed = false;
    for (int tries = 0; tries < 300 && !ask_again(world); tries++)
        (void)world_run_until(world, &never, second);
    for (size_t i = 0; i < world->command_count; i++)
        if (!world_expect(world, world->commands[i]->confirmed,
                          "a sound machine answers every command"))
            return false;
    return true;
}

/* A refusal that is due to what the books held burns the transfer's id, by an event. */
static bool burns_its_id(const struct world_command *command)
{
    static const char not_found[] = "pending_transfer_not_found";

    if (command->status != 422)
        return false;
    if (command->kind == WORLD_TRANSFER || command->kind == WORLD_HOLD)
        return command->a != command->b;
    return (command->kind == WORLD_POST || command->kind == WORLD_VOID) &&
           command->rule == sl_hash64(not_found, strlen(not_found), 0);
}

static void check_commands(struct truth *truth)
{
    struct world *world = truth->world;

    for (size_t i = 0; i < world->command_count; i++) {
        const struct world_command *command = world->commands[i];
        if (command->kind == WORLD_OPEN) {
            world_expect(world, command->status == 201 && truth->opened[command->a] == 1,
                         "P2, P4: an account is opened once, however often that is asked for");
            continue;
        }
        world_expect(world, command->events == (command->status == 201),
                     "P2, P4: each accepted command is in the log once, and no other");
        world_expect(world, command->failures == burns_its_id(command),
                     "P2, P4: each transfer that was refused is, too, as one that failed");
    }
}

static void check_order(struct world *world, size_t number, const struct order_truth *order,
                        bool is_late)
{
    const unsigned ended = order->shipped + order->cancelled;
    char what[160];

    snprintf(what, sizeof what,
             "order %zu: placed %u, authorized %u, shipped %u, cancelled %u, refusals told %u, "
             "timers fired %u",
             number, order->placed, order->authorized, order->shipped, order->cancelled,
             order->told, order->fired);
    /* C1: nothing is done twice, and a timer fires once. */
    world_expect(world, order->placed <= 1 && order->authorized <= order->placed, what);
    world_expect(world, ended <= order->placed && order->fired <= order->placed, what);
    /* Refused may be its payment, a cancelling for that, and one when its time is over: the last
     * two only if somebody else ended it meanwhile. */
    world_expect(world, order->told + order->authorized <= (ended ? 3 : 1), what);
    /* Its process does not forget it. */
    world_expect(world, !is_late || ended == order->placed, what);
}

static void check_orders(struct truth *truth, bool is_late)
{
    unsigned placed = 0, shipped = 0, cancelled = 0;

    for (size_t i = 0; i < truth->world->command_count; i++) {
        const struct order_truth *order = &truth->orders[i];
        check_order(truth->world, i, order, is_late);
        placed += order->placed;
        shipped += order->shipped;
        cancelled += order->cancelled;
    }
    world_expect(truth->world,
                 truth->stock_events[0] == placed && truth->stock_events[1] == cancelled &&
                     truth->stock_events[2] == shipped,
                 "L3: an order and its stock change together");
}

/* ---- Views ----------------------------------------------------------------------------------- */

struct wanted_row {
    struct sl_lookup lookup;
    struct world *world;
    char key[48];
    char text[192]; /* stands in the row; empty: there is none */
    bool answered;
};

static void row_read(struct sl_lookup *lookup, enum sl_lookup_end end,
                     const struct sl_view_row *row, uint64_t position)
{
    struct wanted_row *wanted = lookup->user;

    (void)position;
    wanted->answered = true;
    if (!wanted->text[0]) {
        world_expect(wanted->world, end == SL_LOOKUP_NONE, "V1: a row that the log does not know");
        return;
    }
    if (world_expect(wanted->world, end == SL_LOOKUP_ROW, "V1: a row is missing"))
        world_expect(wanted->world,
                     memmem(row->json.ptr, row->json.len, wanted->text, strlen(wanted->text)) !=
                         NULL,
                     "V1: a row is not what the log says");
}

static void check_row(struct world *world, struct sl_core_domain *domain, struct sl_text view,
                      struct wanted_row *wanted)
{
    struct sl_domain_numbers numbers;

    sl_core_numbers(domain, &numbers);
    wanted->world = world;
    wanted->answered = false;
    wanted->lookup = (struct sl_lookup){.domain = domain,
                                        .view = sl_core_view(domain, view),
                                        .key = {wanted->key, strlen(wanted->key)},
                                        .position = numbers.durable_position,
                                        .until_ns = sl_env_monotonic(world->env) + 100 * second,
                                        .done = row_read,
                                        .user = wanted};
    sl_core_lookup(&wanted->lookup);
    world_expect(world, world_run_until(world, &wanted->answered, 120 * second),
                 "a lookup is answered");
}

static const char *status_of(const struct order_truth *order)
{
    return order->cancelled    ? "cancelled"
           : order->shipped    ? "shipped"
           : order->authorized ? "authorized"
                               : "placed";
}

static void check_views(struct truth *truth)
{
    static struct wanted_row wanted;
    struct world *world = truth->world;

    for (size_t i = 0; i < world->command_count && !world->bad; i++) {
        const struct world_command *command = world->commands[i];
        const struct order_truth *order = &truth->orders[i];
        if (command->kind == WORLD_OPEN && command->status == 201) {
            snprintf(wanted.key, sizeof wanted.key, "a%zu", command->a);
            snprintf(wanted.text, sizeof wanted.text, "\"balance\":%" PRId64 ",",
                     world_books_balance(truth->books, command->a));
            check_row(world, world->bank, SL_TEXT("balance"), &wanted);
        } else if (command->kind == WORLD_HOLD) {
            snprintf(wanted.key, sizeof wanted.key, "h%zu", i);
            snprintf(wanted.text, sizeof wanted.text, "\"amount\":\"%" PRId64 "\"",
                     command->amount);
            if (!world_books_holds(truth->books, i))
                wanted.text[0] = 0;
            check_row(world, world->bank, SL_TEXT("holds"), &wanted);
        } else if (command->kind == WORLD_PLACE) {
            snprintf(wanted.key, sizeof wanted.key, "00000000-0000-4000-8000-%012zx", i);
            snprintf(wanted.text, sizeof wanted.text, "\"status\":\"%s\"", status_of(order));
            if (!order->placed)
                wanted.text[0] = 0;
            check_row(world, world->order, SL_TEXT("orders"), &wanted);
        } else if (command->kind == WORLD_ADD && command->status == 201) {
            snprintf(wanted.key, sizeof wanted.key, "i%zu", command->a);
            snprintf(wanted.text, sizeof wanted.text,
                     "\"on_hand\":%" PRId64 ",\"reserved\":%" PRId64 "}",
                     truth->on_hand[command->a], truth->reserved[command->a]);
            check_row(world, world->order, SL_TEXT("stock"), &wanted);
        }
    }
}

static void check_trial(struct truth *truth)
{
    static struct wanted_row wanted;

    for (size_t i = 0; i < WORLD_ACCOUNTS; i++)
        if (truth->opened[i]) {
            snprintf(wanted.key, sizeof wanted.key, "978"); /* EUR */
            world_books_trial(truth->books, wanted.text, sizeof wanted.text);
            check_row(truth->world, truth->world->bank, SL_TEXT("trial-balance"), &wanted);
            return;
        }
}

static bool check(struct world *world, bool is_late, uint64_t counts[2])
{
    struct truth truth;

    if (ask_all_again(world) && find_truth(&truth, world)) {
        check_commands(&truth);
        check_orders(&truth, is_late);
        world_books_check(truth.books, is_late);
        check_views(&truth);
        check_trial(&truth);
        memcpy(counts, truth.counts, sizeof truth.counts);
        free_truth(&truth);
    }
    return !world->bad;
}

void world_check(struct world *world)
{
    uint64_t counts[2];

    (void)check(world, false, counts);
}

/* ---- Whole views ----------------------------------------------------------------------------- */

struct page {
    struct sl_view_listing list;
    bool answered;
};

static void page_listed(struct sl_view_listing *list)
{
    ((struct page *)(void *)((char *)list - offsetof(struct page, list)))->answered = true;
}

static void position_there(struct sl_wait *wait, bool is_there, uint64_t at)
{
    (void)at;
    *(bool *)wait->user = is_there;
}

/* Of all rows, as they are stored. */
static uint64_t digest_view(struct world *world, struct sl_core_domain *domain,
                            struct sl_view_table *table, uint64_t digest)
{
    struct sl_domain_numbers numbers;
    struct sl_arena arena = {0};
    struct sl_text after = {0};
    bool is_stored = false, is_done = false;

    sl_core_numbers(domain, &numbers);
    struct sl_wait wait = {.domain = domain,
                           .view = table,
                           .path = SL_PATH_LIST,
                           .position = numbers.durable_position,
                           .until_ns = sl_env_monotonic(world->env) + 100 * second,
                           .done = position_there,
                           .user = &is_stored};
    sl_core_wait(&wait);
    if (!world_expect(world, world_run_until(world, &is_stored, 120 * second),
                      "a view is stored to the log's end"))
        return 0;
    while (!is_done && !world->bad) {
        struct page page = {
            .list = {.query = {.index = -1, .limit = 500, .after = after}, .done = page_listed}};
        sl_view_list(table, &page.list);
        if (!world_expect(world, world_run_until(world, &page.answered, 60 * second),
                          "a list is answered") ||
            !world_expect(world, page.list.err == SL_OK || page.list.err == SL_BUSY,
                          "a view can be listed"))
            break;
        if (page.list.err == SL_BUSY) { /* it is starting: a list of nothing need not wait */
            world_pass(world, second / 10);
            continue;
        }
        struct sl_text rows = {0};
        const struct sl_text all = sl_buf_as_text(&page.list.json);
        if (sl_json_find(world->parser, all, "rows", &arena, &rows) == SL_OK)
            digest = sl_hash64(rows.ptr, rows.len, digest);
        if (sl_json_find(world->parser, all, "next", &arena, &after) != SL_OK)
            after.len = 0;
        sl_buf_close(&page.list.json);
        is_done = after.len == 0;
    }
    sl_arena_close(&arena);
    return digest;
}

static uint64_t digest_views(struct world *world)
{
    struct sl_core_domain *const domains[] = {world->bank, world->order};
    uint64_t digest = 0;

    for (size_t d = 0; d < 2; d++)
        for (size_t i = 0; i < sl_core_view_count(domains[d]) && !world->bad; i++)
            digest = digest_view(world, domains[d], sl_core_view_at(domains[d], i), digest);
    return digest;
}

static void remove_file(void *context, const char *name)
{
    struct world *world = context;
    char path[300];

    snprintf(path, sizeof path, "data/views/%s", name);
    world_expect(world, sl_disk_remove(world->env, path, NULL) == SL_OK, "a file can be removed");
}

/* Processes have taken all that is in the logs now. A slow disk and a crowd may have left them far
 * behind: each event waits for the outcomes of its commands. */
static void catch_up(struct world *world)
{
    struct sl_core_domain *const domains[] = {world->bank, world->order};
    const int64_t until = sl_env_monotonic(world->env) + 3600 * second;

    for (size_t d = 0; d < 2; d++) {
        struct sl_domain_numbers numbers;
        sl_core_numbers(domains[d], &numbers);
        for (size_t i = 0; i < sl_core_process_count(domains[d]); i++)
            while (sl_core_process_status(domains[d], i).position < numbers.durable_position) {
                if (!world_expect(world, sl_env_monotonic(world->env) < until,
                                  "a process comes to the end of its log"))
                    return;
                world_step(world, second);
            }
    }
}

/* All that is due falls due, and what follows from it is done: timers are set when a process has
 * taken the event that sets them, and fire when their time has come. */
static void settle(struct world *world)
{
    catch_up(world);
    world_pass(world, 200 * second);
    catch_up(world);
}

void world_check_all(struct world *world)
{
    uint64_t before[2] = {0}, after[2] = {0};

    if (!ask_all_again(world))
        return;
    settle(world);
    if (!check(world, true, before))
        return;
    const uint64_t live = digest_views(world);
    if (!world_stop(world))
        return;
    (void)!sl_disk_list(world->env, "data/views", remove_file, world, NULL);
    (void)!sl_disk_sync_folder(world->env, "data/views", NULL);
    if (!world_expect(world, world_start(world) == WORLD_READY, "P7: it starts without views"))
        return;
    const uint64_t rebuilt = digest_views(world);
    world_expect(world, live == rebuilt, "V2: a view that was rebuilt differs");
    settle(world);
    if (check(world, true, after))
        world_expect(world, before[0] == after[0] && before[1] == after[1],
                     "V3: a replay made events");
}
