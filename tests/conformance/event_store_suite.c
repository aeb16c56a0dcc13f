#include "conformance/event_store_suite.h"

#include "base/env_sim.h"
#include "conformance/event_store_bench.h"
#include "contracts/event_store_fault.h"
#include "tap/tap.h"

#include <assert.h>
#include <string.h>

static const struct event_store_subject *subject;

#define BENCH                                                                                      \
    struct bench bench;                                                                            \
    if (!bench_begin(&bench, subject)) {                                                           \
        bench_end(&bench);                                                                         \
        return;                                                                                    \
    }                                                                                              \
    static_assert(true, "")

static bool belongs_to_account_3(uint64_t position)
{
    return position % BENCH_STREAMS == 3;
}

static bool has_tag_account_3(uint64_t position)
{
    return position % 3 == 0 && position % 5 == 3;
}

static bool concerns_account_3(uint64_t position)
{
    return belongs_to_account_3(position) || has_tag_account_3(position);
}

static bool is_of_day_0(uint64_t position)
{
    return position % 4 == 0;
}

static bool has_many_tags(uint64_t position)
{
    return position % 101 == 100;
}

static bool belongs_to_nobody(uint64_t position)
{
    (void)position;
    return false;
}

/* ---- Claims ---------------------------------------------------------------------------------- */

static void a_new_log_is_empty(void)
{
    BENCH;
    CHECK(!sl_uuid_is_nil(bench.claim.log));
    CHECK(bench.claim.epoch >= 1);
    CHECK_U64(bench.claim.next_position, 0);
    CHECK_U64(bench.claim.epoch_count, 1);
    CHECK_U64(bench.claim.epochs[0].number, bench.claim.epoch);
    CHECK_U64(bench.claim.epochs[0].salt, bench.claim.salt);
    CHECK_U64(bench.claim.epochs[0].first_position, 0);
    CHECK_U64(bench.claim.schema_count, 0);
    bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), 10, false, NULL);
    bench_end(&bench);
}

static void a_reopened_log_is_what_it_was(void)
{
    BENCH;
    const struct sl_uuid log = bench.claim.log;

    CHECK_U64(bench_append(&bench, 40), SL_APPEND_DURABLE);
    bench_close(&bench);
    if (!bench_open(&bench) || !bench_claim(&bench)) {
        bench_end(&bench);
        return;
    }
    CHECK(sl_uuid_equals(bench.claim.log, log));
    CHECK_U64(bench.claim.next_position, 40);
    CHECK_U64(bench.claim.epoch_count, 2);
    CHECK(bench.claim.epochs[0].number < bench.claim.epochs[1].number);
    CHECK(bench.claim.epochs[0].salt != bench.claim.epochs[1].salt);
    CHECK_U64(bench.claim.epochs[1].first_position, 40);
    CHECK_U64(bench.claim.epochs[1].number, bench.claim.epoch);
    if (CHECK_U64(bench.claim.schema_count, 2))
        CHECK_TEXT(bench.claim.schemas[1]->name, "Paid");
    CHECK_U64(bench_append(&bench, 5), SL_APPEND_DURABLE);
    bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);
    bench_check(&bench, SL_READ_STREAM, SL_TEXT("account/3"), 1000, false, belongs_to_account_3);
    bench_end(&bench);
}

static void an_epoch_that_is_over_appends_nothing(void)
{
    BENCH;
    const uint64_t old = bench.claim.epoch;

    CHECK_U64(bench_append(&bench, 3), SL_APPEND_DURABLE);
    REQUIRE(bench_claim(&bench));
    CHECK(bench.claim.epoch > old);
    struct sl_append *append = bench_make(&bench, 2);
    append->epoch = old;
    CHECK_U64(bench_put(&bench, append), SL_APPEND_FENCED);
    CHECK_U64(append->error.code, SL_FENCED);
    bench.next = 3;
    CHECK_U64(bench_append(&bench, 2), SL_APPEND_DURABLE);
    bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), 10, false, NULL);
    bench_end(&bench);
}

static void a_second_writer_is_refused_or_reigns(void)
{
    const struct sl_store_options options = {.location = NULL, .name = "bench",
                                             .setting = subject->setting};
    struct sl_store_options second_options = options;
    struct sl_event_store *second = NULL;
    struct sl_error error = {0};
    BENCH;

    second_options.location = bench.location;
    CHECK_U64(bench_append(&bench, 3), SL_APPEND_DURABLE);
    const enum sl_err err =
        sl_event_store_open(subject->ops, subject->env, &second_options, &second, &error);
    if (err == SL_OK) {
        struct sl_claim claim = {.message = {.reply_to = bench.mailbox}, .salt = 99};
        sl_event_store_claim(second, &claim);
        CHECK(bench_wait(&bench) == &claim.message);
        CHECK_U64(claim.err, SL_OK);
        CHECK_U64(claim.next_position, 3);
        CHECK_U64(bench_append(&bench, 1), SL_APPEND_FENCED);
        sl_event_store_close(second);
    } else {
        CHECK_U64(err, SL_BUSY);
        CHECK(error.message[0] != '\0');
        CHECK_U64(bench_append(&bench, 1), SL_APPEND_DURABLE);
    }
    bench_end(&bench);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void fill(struct bench *bench, size_t count)
{
    static const size_t sizes[] = {1, 30, 2, 1, 120, 7, 1};

    for (size_t i = 0; count > 0; i++) {
        size_t size = sizes[i % (sizeof sizes / sizeof *sizes)];
        if (size > count)
            size = count;
        if (!CHECK_U64(bench_append(bench, size), SL_APPEND_DURABLE))
            return;
        count -= size;
        sl_arena_reset(&bench->scratch);
    }
}

static void events_are_read_by_position(void)
{
    static const size_t pages[] = {1, 7, 100, 100000};
    BENCH;

    fill(&bench, 620);
    for (size_t i = 0; i < 4; i++)
        bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), pages[i], false, NULL);
    if (subject->ops->capabilities & SL_STORE_BACKWARDS)
        for (size_t i = 0; i < 4; i++)
            bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), pages[i], true, NULL);
    bench_end(&bench);
}

static void check_key(struct bench *bench, enum sl_read_by by, struct sl_text key,
                      bool (*belongs)(uint64_t))
{
    static const size_t pages[] = {1, 7, 100000};

    for (size_t i = 0; i < 3; i++) {
        bench_check(bench, by, key, pages[i], false, belongs);
        if (subject->ops->capabilities & SL_STORE_BACKWARDS)
            bench_check(bench, by, key, pages[i], true, belongs);
    }
}

static void events_are_read_by_stream(void)
{
    BENCH;
    fill(&bench, 420);
    check_key(&bench, SL_READ_STREAM, SL_TEXT("account/3"), belongs_to_account_3);
    check_key(&bench, SL_READ_STREAM, SL_TEXT("account/30"), belongs_to_nobody);
    check_key(&bench, SL_READ_STREAM, SL_TEXT("account:3"), belongs_to_nobody);
    bench_end(&bench);
}

static void events_are_read_by_tag(void)
{
    BENCH;
    if (!(subject->ops->capabilities & SL_STORE_READS_TAGS)) {
        tap_skip("this store reads no tags");
        bench_end(&bench);
        return;
    }
    fill(&bench, 420);
    check_key(&bench, SL_READ_TAG, SL_TEXT("account:3"), has_tag_account_3);
    check_key(&bench, SL_READ_TAG, SL_TEXT("day:0"), is_of_day_0);
    check_key(&bench, SL_READ_TAG, SL_TEXT("many:7"), has_many_tags);
    check_key(&bench, SL_READ_TAG, SL_TEXT("account/3"), belongs_to_nobody);
    bench_end(&bench);
}

static void an_aggregate_is_its_stream_and_its_tag(void)
{
    BENCH;
    if (!(subject->ops->capabilities & SL_STORE_READS_TAGS)) {
        tap_skip("this store reads no tags");
        bench_end(&bench);
        return;
    }
    fill(&bench, 420);
    check_key(&bench, SL_READ_AGGREGATE, SL_TEXT("account/3"), concerns_account_3);
    check_key(&bench, SL_READ_AGGREGATE, SL_TEXT("account/99"), belongs_to_nobody);
    bench_end(&bench);
}

static void a_range_bounds_what_is_read(void)
{
    static const struct {
        enum sl_read_by by;
        uint64_t from, until;
        bool backwards;
        size_t count;
        uint64_t first;
    } rows[] = {
        {SL_READ_POSITION, 10, 20, false, 10, 10}, {SL_READ_POSITION, 10, 20, true, 10, 19},
        {SL_READ_POSITION, 10, 10, false, 0, 0},   {SL_READ_POSITION, 95, 300, false, 5, 95},
        {SL_READ_POSITION, 100, 300, false, 0, 0}, {SL_READ_POSITION, 200, 300, true, 0, 0},
        {SL_READ_STREAM, 3, 24, false, 3, 3},      {SL_READ_STREAM, 4, 25, true, 3, 24},
        {SL_READ_STREAM, 4, 10, false, 0, 0},
    };
    BENCH;

    fill(&bench, 100);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sl_read read = {.by = rows[i].by, .key = SL_TEXT("account/3"),
                               .from = rows[i].from, .until = rows[i].until,
                               .backwards = rows[i].backwards, .count_max = 1000,
                               .bytes_max = SIZE_MAX};
        if (rows[i].backwards && !(subject->ops->capabilities & SL_STORE_BACKWARDS))
            continue;
        bench_read(&bench, &read);
        CHECK_U64(read.err, SL_OK);
        CHECK(read.end);
        CHECK_U64(read.durable, 100);
        CHECK_U64(read.event_count, rows[i].count);
        if (read.event_count > 0)
            CHECK_U64(read.events[0].position, rows[i].first);
        sl_arena_close(&read.arena);
    }
    bench_end(&bench);
}

/* What nobody has ever written, asked for between appends: the answer comes on the spot, and knows
 * of the last of them. A reader that is busy at the moment, as with their news, may refuse. */
static void memory_answers_at_once(void)
{
    unsigned at_once = 0;
    BENCH;

    if (!(subject->ops->capabilities & SL_STORE_READS_AT_ONCE)) {
        tap_skip("this store answers later");
        bench_end(&bench);
        return;
    }
    for (unsigned tries = 0; tries < 1000 && at_once < 3; tries++) {
        struct sl_read read = {.message = {.reply_to = bench.mailbox},
                               .by = SL_READ_AGGREGATE,
                               .key = SL_TEXT("account/nobody"),
                               .until = UINT64_MAX,
                               .count_max = 10,
                               .bytes_max = SIZE_MAX,
                               .at_once = true};
        if (tries % 3 == 0)
            CHECK_U64(bench_append(&bench, 1), SL_APPEND_DURABLE);
        if (sl_event_store_read(bench.store, &read))
            at_once++;
        else
            REQUIRE(bench_wait(&bench) == &read.message);
        CHECK_U64(read.err, SL_OK);
        CHECK_U64(read.event_count, 0);
        CHECK_U64(read.durable, bench.next);
        CHECK(read.end);
        sl_arena_close(&read.arena);
    }
    CHECK_U64(at_once, 3);
    bench_end(&bench);
}

static void an_answer_is_bounded_in_bytes(void)
{
    struct sl_read read = {.by = SL_READ_POSITION, .until = UINT64_MAX, .count_max = 1000,
                           .bytes_max = 2000};
    BENCH;

    fill(&bench, 100);
    bench_read(&bench, &read);
    CHECK(read.event_count > 1 && read.event_count < 60);
    CHECK(!read.end);
    CHECK_U64(read.next, read.event_count);
    sl_arena_reset(&read.arena);
    read.bytes_max = 1;
    read.from = read.next;
    bench_read(&bench, &read);
    CHECK_U64(read.event_count, 1);
    sl_arena_close(&read.arena);
    bench_end(&bench);
}

static void what_was_acknowledged_can_be_read_at_once(void)
{
    BENCH;
    for (int i = 0; i < 20; i++) {
        struct sl_read read = {.by = SL_READ_STREAM, .from = bench.next, .until = UINT64_MAX,
                               .count_max = 10, .bytes_max = SIZE_MAX};
        char key[32] = "account/0";
        key[8] = (char)('0' + bench.next % BENCH_STREAMS);
        read.key = (struct sl_text){key, 9};
        struct sl_append *append = bench_make(&bench, 1);
        append->flags = i % 2 == 0 ? SL_APPEND_MAY_BLOCK : 0;
        CHECK_U64(bench_put(&bench, append), SL_APPEND_DURABLE);
        bench_read(&bench, &read);
        CHECK_U64(read.event_count, 1);
        CHECK_U64(read.durable, bench.next);
        sl_arena_close(&read.arena);
    }
    bench_end(&bench);
}

/* ---- Appending ------------------------------------------------------------------------------- */

static void appends_in_flight_are_answered_in_order(void)
{
    enum { COUNT = 50 };
    struct sl_append *appends[COUNT];
    size_t answered = 0;
    BENCH;

    for (size_t i = 0; i < COUNT; i++) {
        appends[i] = bench_make(&bench, i % 4);
        CHECK(!sl_event_store_append(bench.store, appends[i]));
    }
    while (answered < COUNT) {
        struct sl_message *message = bench_wait(&bench);
        if (!CHECK(message != NULL))
            break;
        for (; message; message = message->next) {
            CHECK(message == &appends[answered]->message);
            CHECK_U64(appends[answered]->result, SL_APPEND_DURABLE);
            answered++;
        }
    }
    bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);
    bench_end(&bench);
}

static void an_append_out_of_place_fails_until_the_next_claim(void)
{
    BENCH;
    CHECK_U64(bench_append(&bench, 4), SL_APPEND_DURABLE);
    bench.next = 6;
    CHECK_U64(bench_append(&bench, 2), SL_APPEND_FAILED);
    bench.next = 4;
    CHECK_U64(bench_append(&bench, 2), SL_APPEND_FAILED);
    REQUIRE(bench_claim(&bench));
    CHECK_U64(bench.next, 4);
    CHECK_U64(bench_append(&bench, 2), SL_APPEND_DURABLE);
    bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);
    bench_end(&bench);
}

static void an_append_may_be_empty(void)
{
    BENCH;
    CHECK_U64(bench_append(&bench, 0), SL_APPEND_DURABLE);
    CHECK_U64(bench_append(&bench, 1), SL_APPEND_DURABLE);
    CHECK_U64(bench_append(&bench, 0), SL_APPEND_DURABLE);
    bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), 10, false, NULL);
    bench_end(&bench);
}

static void a_batch_may_be_large(void)
{
    enum { COUNT = 15, BODY = SL_STORE_EVENT_BYTES_MAX };
    struct sl_read read = {.by = SL_READ_STREAM, .key = {"account/0", 9}, .until = UINT64_MAX,
                           .count_max = 10, .bytes_max = SIZE_MAX};
    BENCH;

    struct sl_append *append = bench_make(&bench, COUNT);
    struct sl_stored_event *events =
        sl_arena_zeroed(&bench.scratch, COUNT, sizeof *events);
    uint8_t *body = sl_arena_take(&bench.scratch, BODY);
    memset(body, 0xA5, BODY);
    memcpy(events, append->events, COUNT * sizeof *events);
    for (size_t i = 0; i < COUNT; i++)
        events[i].body = (struct sl_slice){body, BODY};
    append->events = events;
    append->bytes = (size_t)COUNT * BODY;
    CHECK_U64(bench_put(&bench, append), SL_APPEND_DURABLE);
    bench_read(&bench, &read);
    if (CHECK_U64(read.event_count, 3))
        CHECK(read.events[2].body.len == BODY && memcmp(read.events[2].body.ptr, body, BODY) == 0);
    sl_arena_close(&read.arena);
    bench_end(&bench);
}

static void closing_answers_what_is_under_way(void)
{
    struct sl_append *appends[3];
    size_t answered = 0;
    BENCH;

    for (int i = 0; i < 3; i++) {
        appends[i] = bench_make(&bench, 2);
        CHECK(!sl_event_store_append(bench.store, appends[i]));
    }
    bench_close(&bench);
    for (struct sl_message *message = sl_mailbox_take_all(bench.mailbox); message;
         message = message->next)
        answered += message == &appends[answered]->message &&
                    appends[answered]->result == SL_APPEND_DURABLE;
    CHECK_U64(answered, 3);
    if (bench_open(&bench) && bench_claim(&bench))
        CHECK_U64(bench.next, 6);
    bench_end(&bench);
}

/* ---- Outcomes -------------------------------------------------------------------------------- */

static struct sl_stored_outcome outcome_of(uint64_t number)
{
    static const char reply[] = "0123456789abcdef";
    struct sl_stored_outcome outcome = {.time = {(int64_t)number * 10},
                                        .status = number % 3 == 0 ? 422 : 201,
                                        .reply = {(const uint8_t *)reply, number % 17}};

    memcpy(outcome.id.bytes, &number, sizeof number);
    outcome.digest.bytes[3] = (uint8_t)number;
    return outcome;
}

static void append_outcomes(struct bench *bench, uint64_t first, size_t count, size_t event_count)
{
    struct sl_append *append = bench_make(bench, event_count);
    struct sl_stored_outcome *outcomes =
        sl_arena_zeroed(&bench->scratch, count, sizeof *outcomes);

    for (size_t i = 0; i < count; i++) {
        outcomes[i] = outcome_of(first + i);
        outcomes[i].position = append->position;
        outcomes[i].event_count = (uint32_t)event_count;
    }
    append->outcomes = outcomes;
    append->outcome_count = count;
    CHECK_U64(bench_put(bench, append), SL_APPEND_DURABLE);
}

static void check_outcomes(struct bench *bench, int64_t since, size_t count_max, uint64_t first,
                           uint64_t end)
{
    struct sl_read read = {.by = SL_READ_OUTCOMES, .until = UINT64_MAX, .since = {since},
                           .count_max = count_max, .bytes_max = SIZE_MAX};

    do {
        bench_read(bench, &read);
        if (!CHECK_U64(read.err, SL_OK))
            break;
        for (size_t i = 0; i < read.outcome_count; i++) {
            const struct sl_stored_outcome want = outcome_of(first++);
            const struct sl_stored_outcome *got = &read.outcomes[i];
            CHECK(sl_uuid_equals(got->id, want.id));
            CHECK(sl_uuid_equals(got->digest, want.digest));
            CHECK_U64(got->time.ns, want.time.ns);
            CHECK_U64(got->status, want.status);
            CHECK_U64(got->reply.len, want.reply.len);
            CHECK(want.reply.len == 0 || !memcmp(got->reply.ptr, want.reply.ptr, want.reply.len));
        }
        read.from = read.next;
        sl_arena_reset(&read.arena);
    } while (!read.end);
    CHECK_U64(first, end);
    sl_arena_close(&read.arena);
}

static void outcomes_are_remembered(void)
{
    BENCH;
    append_outcomes(&bench, 0, 1, 2);
    append_outcomes(&bench, 1, 20, 0); /* refusals come without events */
    CHECK_U64(bench_append(&bench, 3), SL_APPEND_DURABLE);
    append_outcomes(&bench, 21, 3, 1);
    for (int round = 0; round < 2; round++) {
        check_outcomes(&bench, 0, 100, 0, 24);
        check_outcomes(&bench, 0, 5, 0, 24);
        check_outcomes(&bench, 75, 1, 8, 24);
        check_outcomes(&bench, 230, 7, 23, 24);
        check_outcomes(&bench, 9999, 7, 24, 24);
        bench_close(&bench);
        REQUIRE(bench_open(&bench) && bench_claim(&bench));
    }
    bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);
    bench_end(&bench);
}

/* ---- In the hands of the fault decorator ----------------------------------------------------- */

static bool make_faulty(struct bench *bench)
{
    struct sl_event_store *faulty;
    struct sl_error error = {0};

    if (!CHECK(sl_event_store_fault_new(subject->env, bench->store, &faulty, &error) == SL_OK))
        return false;
    bench->store = faulty;
    return true;
}

static void a_failed_append_stays_failed_until_the_next_claim(void)
{
    static const struct {
        enum sl_append_result result;
        bool carried_out;
        uint64_t next;
    } rows[] = {
        {SL_APPEND_FAILED, false, 4},
        {SL_APPEND_UNKNOWN, false, 4},
        {SL_APPEND_UNKNOWN, true, 6},
        {SL_APPEND_FENCED, false, 4},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        BENCH;
        if (!make_faulty(&bench)) {
            bench_end(&bench);
            return;
        }
        sl_event_store_fault_append(bench.store, 3, rows[i].result, rows[i].carried_out);
        CHECK_U64(bench_append(&bench, 2), SL_APPEND_DURABLE);
        CHECK_U64(bench_append(&bench, 2), SL_APPEND_DURABLE);
        CHECK_U64(bench_append(&bench, 2), rows[i].result);
        CHECK_U64(bench_append(&bench, 2), rows[i].result);
        if (bench_claim(&bench)) {
            CHECK_U64(bench.next, rows[i].next);
            CHECK_U64(bench_append(&bench, 2), SL_APPEND_DURABLE);
            bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), 1000, false, NULL);
        }
        bench_end(&bench);
    }
}

static void claims_and_reads_fail_when_told(void)
{
    struct sl_read read = {.by = SL_READ_POSITION, .until = UINT64_MAX, .count_max = 9,
                           .bytes_max = SIZE_MAX};
    struct sl_claim claim = {.salt = 4};
    BENCH;

    if (!make_faulty(&bench)) {
        bench_end(&bench);
        return;
    }
    claim.message.reply_to = bench.mailbox;
    CHECK_U64(bench_append(&bench, 2), SL_APPEND_DURABLE);
    sl_event_store_fault_read(bench.store, 1, SL_IO);
    bench_read(&bench, &read);
    CHECK_U64(read.err, SL_IO);
    bench_read(&bench, &read);
    CHECK_U64(read.err, SL_OK);
    CHECK_U64(read.event_count, 2);
    sl_arena_close(&read.arena);
    sl_event_store_fault_claim(bench.store, 1, SL_TIMEOUT);
    sl_event_store_claim(bench.store, &claim);
    CHECK(bench_wait(&bench) == &claim.message);
    CHECK_U64(claim.err, SL_TIMEOUT);
    CHECK(bench_claim(&bench));
    CHECK_U64(bench.next, 2);
    bench_end(&bench);
}

static void a_delayed_answer_is_not_overtaken(void)
{
    struct sl_append *appends[3];
    size_t answered = 0;
    BENCH;

    if (!make_faulty(&bench)) {
        bench_end(&bench);
        return;
    }
    const int64_t start = sl_env_monotonic(subject->env);
    sl_event_store_fault_delay(bench.store, 2, 2000000);
    for (int i = 0; i < 3; i++) {
        appends[i] = bench_make(&bench, 1);
        CHECK(!sl_event_store_append(bench.store, appends[i]));
    }
    while (answered < 3) {
        struct sl_message *message = bench_wait(&bench);
        if (!CHECK(message != NULL))
            break;
        for (; message; message = message->next)
            CHECK(message == &appends[answered++]->message);
    }
    CHECK(sl_env_monotonic(subject->env) - start >= 2000000);
    bench_end(&bench);
}

/* ---- Everything at once ---------------------------------------------------------------------- */

static uint64_t draw(uint64_t *state, uint64_t limit)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % limit;
}

static void a_random_life(void)
{
    uint64_t state = 20261123;
    BENCH;

    for (int i = 0; i < 150; i++) {
        const uint64_t what = draw(&state, 12);
        if (what < 8) {
            const size_t count = (size_t)draw(&state, what == 0 ? 700 : 12);
            struct sl_append *append = bench_make(&bench, count);
            append->flags = draw(&state, 2) == 0 ? SL_APPEND_MAY_BLOCK : 0;
            REQUIRE(CHECK_U64(bench_put(&bench, append), SL_APPEND_DURABLE));
        } else if (what == 8) {
            bench_close(&bench);
            REQUIRE(bench_open(&bench) && bench_claim(&bench));
        } else if (what == 9) {
            REQUIRE(bench_claim(&bench));
        } else if (what == 10 && (subject->ops->capabilities & SL_STORE_READS_TAGS)) {
            bench_check(&bench, SL_READ_AGGREGATE, SL_TEXT("account/3"), 1 + draw(&state, 99),
                        false, concerns_account_3);
        } else {
            bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), 1 + draw(&state, 300), false, NULL);
        }
        sl_arena_reset(&bench.scratch);
    }
    bench_check(&bench, SL_READ_POSITION, SL_TEXT(""), 5000, false, NULL);
    bench_end(&bench);
}

static void it_describes_itself(void)
{
    struct sl_buf out = {0};
    BENCH;

    CHECK_U64(bench_append(&bench, 2), SL_APPEND_DURABLE);
    sl_event_store_describe(bench.store, &out);
    CHECK(!out.failed);
    CHECK(!subject->ops->describe || (out.len > 2 && out.ptr[0] == '"'));
    sl_buf_close(&out);
    bench_end(&bench);
}

int event_store_suite_run(const struct event_store_subject *the_subject)
{
    subject = the_subject;
    return TAP_RUN(
        {"a new log is empty", a_new_log_is_empty},
        {"a reopened log is what it was", a_reopened_log_is_what_it_was},
        {"an epoch that is over appends nothing", an_epoch_that_is_over_appends_nothing},
        {"a second writer is refused, or reigns", a_second_writer_is_refused_or_reigns},
        {"events are read by position", events_are_read_by_position},
        {"events are read by stream", events_are_read_by_stream},
        {"events are read by tag", events_are_read_by_tag},
        {"an aggregate is its stream and its tag", an_aggregate_is_its_stream_and_its_tag},
        {"a range bounds what is read", a_range_bounds_what_is_read},
        {"memory answers at once", memory_answers_at_once},
        {"an answer is bounded in bytes", an_answer_is_bounded_in_bytes},
        {"what was acknowledged can be read at once", what_was_acknowledged_can_be_read_at_once},
        {"appends in flight are answered in order", appends_in_flight_are_answered_in_order},
        {"an append out of place fails until the next claim",
         an_append_out_of_place_fails_until_the_next_claim},
        {"an append may be empty", an_append_may_be_empty},
        {"a batch may be large", a_batch_may_be_large},
        {"closing answers what is under way", closing_answers_what_is_under_way},
        {"outcomes are remembered", outcomes_are_remembered},
        {"a failed append stays failed until the next claim",
         a_failed_append_stays_failed_until_the_next_claim},
        {"claims and reads fail when told", claims_and_reads_fail_when_told},
        {"a delayed answer is not overtaken", a_delayed_answer_is_not_overtaken},
        {"a random life", a_random_life},
        {"it describes itself", it_describes_itself});
}
