/* The loop that follows a log, over a log of this test's own: what comes, once and in order, and
 * what happens when some of it cannot be read. */
#include "consumer/consumer.h"

#include <stdlib.h>
#include <string.h>

#include "record/pack.h"
#include "tap/tap.h"

/* ---- A domain with one event ----------------------------------------------------------------- */

struct mark {
    uint64_t number;
};

static const struct sl_record mark_record =
    SL_RECORD(struct mark, SL_FIELD(struct mark, number));
static const struct sl_event_type marked = {"Marked", 1, &mark_record};
static const struct sl_domain domain = {
    .name = "test", .events = SL_LIST(const struct sl_event_type *const, &marked)};

static const struct sl_schema known = {1, 1, {"Marked", 6}, {"", 0}};
static const struct sl_schema newer = {2, 9, {"Marked", 6}, {"", 0}};
static const struct sl_schema foreign = {3, 1, {"Other", 5}, {"", 0}};

/* ---- A log: a letter for each event ---------------------------------------------------------- */

/* '.' an event; 'o' of a type that the domain does not know; 'v' of a version that nobody upcasts;
 * 's' too short for its record; 'd' damaged: a read that comes to it fails as a whole. */
struct shelf {
    struct sl_event_store store;
    char events[4097];
    unsigned failing; /* so many reads end with SL_IO */
    unsigned reads;
};

static void put(struct sl_read *read, struct sl_stored_event *out, uint64_t position, char letter)
{
    struct sl_buf packed = {0};

    sl_pack(&packed, &mark_record, &(struct mark){position});
    const struct sl_text body = sl_arena_text(&read->arena, sl_buf_as_text(&packed));
    sl_buf_close(&packed);
    *out = (struct sl_stored_event){
        .position = position,
        .schema = letter == 'v' ? &newer : letter == 'o' ? &foreign : &known,
        .stream = {"mark/1", 6},
        .body = {(const uint8_t *)body.ptr, letter == 's' ? 0 : body.len}};
}

static bool shelf_read(struct sl_event_store *store, struct sl_read *read)
{
    struct shelf *shelf = (struct shelf *)store;
    const uint64_t end = strlen(shelf->events);
    size_t count = read->from < end ? (size_t)(end - read->from) : 0;

    shelf->reads++;
    count = count < read->count_max ? count : read->count_max;
    read->events = sl_arena_zeroed(&read->arena, count + 1, sizeof *read->events);
    if (shelf->failing > 0) {
        shelf->failing--;
        read->err = sl_fail(&read->error, SL_IO, "the disk is away");
    } else if (memchr(shelf->events + read->from, 'd', count)) {
        read->err = sl_fail(&read->error, SL_CORRUPT, "the file is damaged");
    } else {
        for (size_t i = 0; i < count; i++)
            put(read, &read->events[i], read->from + i, shelf->events[read->from + i]);
        read->event_count = count;
    }
    sl_mailbox_post(read->message.reply_to, &read->message);
    return false;
}

static const struct sl_event_store_ops shelf_ops = {.abi = SL_EVENT_STORE_ABI,
                                                    .scheme = "shelf",
                                                    .read = shelf_read};

/* ---- A sink that writes down what it is told ------------------------------------------------- */

struct bench {
    struct shelf shelf;
    struct sl_model model;
    struct sl_mailbox *mailbox;
    struct sl_consumer consumer;
    uint64_t position;
    uint64_t broken;      /* the last position that was said to be; UINT64_MAX: none */
    unsigned broken_times;
    uint64_t waits_at;    /* it waits there, once */
    uint64_t taken;
    uint64_t foreseen;    /* events that were shown ahead, */
    uint64_t foreseen_end; /* and one past the last of them */
    bool bad;             /* an event came that was not wanted, or with another's body */
};

static uint64_t position(void *self)
{
    return ((struct bench *)self)->position;
}

static enum sl_sink_result take(void *self, const struct sl_event *event)
{
    struct bench *bench = self;

    bench->bad = bench->bad || event->position != bench->position ||
                 ((const struct mark *)event->body)->number != bench->position;
    if (event->position == bench->waits_at) {
        bench->waits_at = UINT64_MAX;
        return SL_SINK_WAITS;
    }
    bench->position++;
    bench->taken++;
    return SL_SINK_TOOK;
}

static void foresee(void *self, const struct sl_event *event)
{
    struct bench *bench = self;

    /* Only what lies behind the event that it waits for, in order and once. */
    bench->bad = bench->bad || event->position <= bench->position ||
                 event->position < bench->foreseen_end ||
                 ((const struct mark *)event->body)->number != event->position;
    bench->foreseen_end = event->position + 1;
    bench->foreseen++;
}

static void advance(void *self, uint64_t to)
{
    ((struct bench *)self)->position = to;
}

static void broken(void *self, uint64_t at, const char *why)
{
    struct bench *bench = self;

    bench->bad = bench->bad || at != bench->position || !why[0];
    bench->broken = at;
    bench->broken_times++;
}

static void begin(struct bench *bench, const char *events)
{
    struct sl_error error;

    *bench = (struct bench){.shelf.store.ops = &shelf_ops,
                            .broken = UINT64_MAX,
                            .waits_at = UINT64_MAX};
    memcpy(bench->shelf.events, events, strlen(events));
    SL_ASSERT(sl_model_init(&bench->model, &domain, &error) == SL_OK);
    SL_ASSERT(sl_mailbox_new(NULL, NULL, &bench->mailbox) == SL_OK);
    bench->consumer = (struct sl_consumer){.sink = {position, take, advance, bench, broken,
                                                    foresee},
                                           .store = &bench->shelf.store,
                                           .model = &bench->model,
                                           .mailbox = bench->mailbox};
}

static void run(struct bench *bench)
{
    for (unsigned i = 0; i < 100000; i++) {
        struct sl_message *message = sl_mailbox_take_all(bench->mailbox);
        if (!message)
            return;
        SL_ASSERT(!message->next, "one read at a time");
        sl_consumer_step(message);
    }
    CHECK(false); /* it comes to an end */
}

static void end(struct bench *bench)
{
    CHECK(!bench->bad);
    sl_consumer_close(&bench->consumer);
    sl_mailbox_free(bench->mailbox);
    sl_model_close(&bench->model);
}

static void follow(struct bench *bench)
{
    sl_consumer_follow(&bench->consumer, strlen(bench->shelf.events));
    run(bench);
}

/* ---- Cases ----------------------------------------------------------------------------------- */

/* What stands in the log, what is taken of it, and where it ends: broken, or at the end. */
static void reads_what_there_is(void)
{
    static const struct {
        const char *events;
        uint64_t taken, broken;
    } cases[] = {
        {"", 0, UINT64_MAX},     {".", 1, UINT64_MAX},  {"...", 3, UINT64_MAX},
        {"o", 0, UINT64_MAX},    {".o.", 2, UINT64_MAX}, {"v", 0, 0},
        {"..v..", 2, 2},         {"..s..", 2, 2},       {"d", 0, 0},
        {"d.......", 0, 0},      {".......d", 7, 7},    {"...d...d", 3, 3},
        {".o.o.d.", 3, 5},       {"..............v", 14, 14},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench bench;
        begin(&bench, cases[i].events);
        follow(&bench);
        CHECK_U64(bench.taken, cases[i].taken);
        CHECK_U64(bench.broken, cases[i].broken);
        const uint64_t ends = cases[i].broken == UINT64_MAX ? strlen(cases[i].events)
                                                            : cases[i].broken;
        CHECK_U64(bench.position, ends);
        end(&bench);
    }
}

/* Behind what is broken it goes on, when the sink was told to. */
static void goes_on_behind_what_is_broken(void)
{
    static const char *const logs[] = {"..v..v.", "..d..d.", "..d.v.s", "vd", "dddd", "..s"};

    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        struct bench bench;
        uint64_t whole = 0;
        begin(&bench, logs[i]);
        follow(&bench);
        for (const char *c = logs[i]; *c; c++)
            whole += *c == '.';
        for (unsigned skips = 0; bench.position < strlen(logs[i]) && skips < 10; skips++) {
            CHECK_U64(bench.broken, bench.position);
            bench.position++;
            sl_consumer_poke(&bench.consumer);
            run(&bench);
        }
        CHECK_U64(bench.taken, whole);
        CHECK_U64(bench.position, strlen(logs[i]));
        end(&bench);
    }
}

/* A log with damage far behind is read in large pieces up to it and after it. */
static void narrows_and_widens(void)
{
    struct bench bench;

    begin(&bench, "");
    memset(bench.shelf.events, '.', 4096);
    bench.shelf.events[1500] = 'd';
    follow(&bench);
    CHECK_U64(bench.broken, 1500);
    CHECK(bench.shelf.reads < 60);
    bench.position++;
    sl_consumer_poke(&bench.consumer);
    run(&bench);
    CHECK_U64(bench.position, 4096);
    CHECK_U64(bench.taken, 4095);
    CHECK(bench.shelf.reads < 90);
    end(&bench);
}

/* Without `broken` the loop stands still by itself, and tries again later and later. */
static void stands_still_by_itself(void)
{
    struct bench bench;

    begin(&bench, ".v.");
    bench.consumer.sink.broken = NULL;
    follow(&bench);
    CHECK_U64(bench.position, 1);
    CHECK(bench.consumer.err == SL_UNSUPPORTED);
    int64_t now = 5, spans[3];
    for (size_t i = 0; i < 3; i++) {
        const int64_t next = sl_consumer_turn(&bench.consumer, now);
        spans[i] = next - now;
        now = next;
        (void)sl_consumer_turn(&bench.consumer, now);
        run(&bench);
    }
    CHECK(spans[0] == 1000000000 && spans[1] == 2 * spans[0] && spans[2] == 2 * spans[1]);
    CHECK_U64(bench.position, 1);
    end(&bench);
}

/* A disk that is away is no fault of the event. */
static void tries_a_failed_read_again(void)
{
    struct bench bench;

    begin(&bench, "....");
    bench.shelf.failing = 2;
    follow(&bench);
    CHECK_U64(bench.position, 0);
    CHECK(bench.consumer.err == SL_IO);
    int64_t now = 0;
    for (unsigned turns = 0; bench.position < 4 && turns < 10; turns++) {
        const int64_t next = sl_consumer_turn(&bench.consumer, now);
        now = next == INT64_MAX ? now : next;
        run(&bench);
    }
    CHECK_U64(bench.position, 4);
    CHECK_U64(bench.broken_times, 0);
    end(&bench);
}

/* A sink that waits is offered the same event again, and no other. */
static void waits(void)
{
    struct bench bench;

    begin(&bench, ".....");
    bench.waits_at = 2;
    follow(&bench);
    CHECK_U64(bench.position, 2);
    sl_consumer_poke(&bench.consumer);
    run(&bench);
    CHECK_U64(bench.position, 5);
    CHECK_U64(bench.shelf.reads, 1);
    end(&bench);
}

/* What is live is handed on without a read; what was missed meanwhile is read. */
static void takes_what_is_live(void)
{
    struct bench bench;
    struct mark bodies[2] = {{3}, {4}};
    const struct sl_event live[2] = {{.type = &marked, .body = &bodies[0], .position = 3},
                                     {.type = &marked, .body = &bodies[1], .position = 4}};

    begin(&bench, ".....");
    sl_consumer_follow(&bench.consumer, 3);
    run(&bench);
    bench.position = 3;
    const unsigned reads = bench.shelf.reads;
    sl_consumer_offer(&bench.consumer, live, 2);
    CHECK_U64(bench.position, 5);
    CHECK_U64(bench.shelf.reads, reads);
    bench.position = 1; /* its store was lost: it starts over */
    sl_consumer_poke(&bench.consumer);
    run(&bench);
    CHECK_U64(bench.position, 5);
    end(&bench);
}

/* While the sink waits for one event it is shown those behind it, each once. */
static void shows_what_is_behind(void)
{
    struct bench bench;

    begin(&bench, "");
    memset(bench.shelf.events, '.', 1000);
    bench.shelf.events[250] = 'o'; /* not of this domain, */
    bench.shelf.events[260] = 'v'; /* and not to be read */
    bench.waits_at = 200;
    follow(&bench);
    CHECK_U64(bench.position, 200);
    CHECK_U64(bench.foreseen, 254);
    CHECK_U64(bench.foreseen_end, 457);
    bench.waits_at = 210;
    sl_consumer_poke(&bench.consumer);
    run(&bench);
    CHECK_U64(bench.foreseen, 264);
    CHECK_U64(bench.foreseen_end, 467);
    bench.waits_at = UINT64_MAX;
    sl_consumer_poke(&bench.consumer);
    run(&bench);
    CHECK_U64(bench.broken, 260);
    CHECK_U64(bench.foreseen, 264); /* nothing waits any more */
    end(&bench);
}

/* Likewise of those that became durable together with it. */
static void shows_what_is_offered_with_it(void)
{
    struct mark bodies[6];
    struct sl_event events[6];
    struct bench bench;

    begin(&bench, "");
    follow(&bench);
    for (uint64_t i = 0; i < 6; i++) {
        bodies[i] = (struct mark){i};
        events[i] = (struct sl_event){.type = &marked, .body = &bodies[i], .position = i};
    }
    memset(bench.shelf.events, '.', 6);
    bench.waits_at = 2;
    sl_consumer_offer(&bench.consumer, events, 6);
    CHECK_U64(bench.position, 2);
    CHECK_U64(bench.foreseen, 3);
    CHECK_U64(bench.foreseen_end, 6);
    bench.waits_at = 3;
    sl_consumer_poke(&bench.consumer);
    run(&bench);
    sl_consumer_poke(&bench.consumer);
    run(&bench);
    CHECK_U64(bench.position, 6);
    CHECK_U64(bench.foreseen, 3);
    end(&bench);
}

int main(void)
{
    return TAP_RUN({"reads what there is", reads_what_there_is},
                   {"goes on behind what is broken", goes_on_behind_what_is_broken},
                   {"narrows and widens around damage", narrows_and_widens},
                   {"stands still by itself", stands_still_by_itself},
                   {"a failed read is tried again", tries_a_failed_read_again},
                   {"a sink that waits", waits}, {"what is live", takes_what_is_live},
                   {"what is behind is shown ahead", shows_what_is_behind},
                   {"what is offered is shown ahead", shows_what_is_offered_with_it});
}
