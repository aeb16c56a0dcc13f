#include "conformance/event_store_bench.h"

#include "base/env_sim.h"
#include "tap/tap.h"

#include <string.h>

const struct sl_schema bench_schemas[2] = {
    {.id = 3, .version = 1, .name = {"Opened", 6}, .description = {"{\"fields\":[]}", 13}},
    {.id = 70, .version = 2, .name = {"Paid", 4}, .description = {"{\"fields\":[1]}", 14}},
};

/* ---- Events ---------------------------------------------------------------------------------- */

static struct sl_text make_text(struct bench *bench, const char *before, uint64_t number)
{
    return sl_arena_printf(&bench->scratch, "%s%llu", before, (unsigned long long)number);
}

void bench_event(struct bench *bench, uint64_t position, struct sl_stored_event *out)
{
    struct sl_text *tags = sl_arena_zeroed(&bench->scratch, SL_STORE_TAGS_MAX, sizeof *tags);
    size_t body_len = position % 11 == 5 ? 0 : 1 + (size_t)(position * 37 % 400);

    if (position % 503 == 502)
        body_len = 70000; /* more than any block, or a page of a store */
    uint8_t *body = sl_arena_take(&bench->scratch, body_len);
    for (size_t i = 0; i < body_len; i++)
        body[i] = (uint8_t)(position + i * 7);
    *out = (struct sl_stored_event){
        .position = position,
        .revision = position / BENCH_STREAMS,
        .time = {INT64_C(1700000000000000000) + (int64_t)position * 1000},
        .schema = &bench_schemas[position % 2],
        .stream = make_text(bench, "account/", position % BENCH_STREAMS),
        .tags = tags,
        .body = {body, body_len},
    };
    memcpy(out->command.bytes, &position, sizeof position);
    if (position % 3 == 0)
        tags[out->tag_count++] = make_text(bench, "account:", position % 5);
    if (position % 4 == 0)
        tags[out->tag_count++] = make_text(bench, "day:", position % 2);
    if (position % 101 == 100)
        while (out->tag_count < SL_STORE_TAGS_MAX) {
            tags[out->tag_count] = make_text(bench, "many:", out->tag_count);
            out->tag_count++;
        }
}

static bool same_schema(const struct sl_schema *got, const struct sl_schema *want)
{
    return got && got->id == want->id && got->version == want->version &&
           sl_text_equals(got->name, want->name) &&
           sl_text_equals(got->description, want->description);
}

static bool same_slice(struct sl_slice a, struct sl_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool bench_same(struct bench *bench, const struct sl_stored_event *event)
{
    struct sl_stored_event want;
    bool good = true;

    bench_event(bench, event->position, &want);
    good = good && CHECK_U64(event->revision, want.revision);
    good = good && CHECK_U64(event->time.ns, want.time.ns);
    good = good && CHECK(sl_uuid_equals(event->command, want.command));
    good = good && CHECK(same_schema(event->schema, want.schema));
    good = good && CHECK(sl_text_equals(event->stream, want.stream));
    good = good && CHECK_U64(event->tag_count, want.tag_count);
    for (uint32_t i = 0; good && i < want.tag_count; i++)
        good = CHECK(sl_text_equals(event->tags[i], want.tags[i]));
    if (bench->is_stone && bench->is_stone(event->position))
        good = good && CHECK(event->is_stone && event->body.len == 0);
    else
        good = good && CHECK(!event->is_stone && same_slice(event->body, want.body));
    if (!good)
        tap_note("at position %llu", (unsigned long long)event->position);
    return good;
}

/* ---- Driving --------------------------------------------------------------------------------- */

struct sl_message *bench_wait(struct bench *bench)
{
    struct sl_message *message;

    if (!bench->subject->simulated)
        return sl_mailbox_wait(bench->mailbox, INT64_MAX);
    while (!(message = sl_mailbox_take_all(bench->mailbox))) {
        if (sl_sim_step(bench->subject->env))
            continue;
        const int64_t now = sl_env_monotonic(bench->subject->env);
        if (sl_sim_run(bench->subject->env, now + INT64_C(1000000000)) == 0)
            return sl_mailbox_take_all(bench->mailbox);
    }
    return message;
}

bool bench_open(struct bench *bench)
{
    const struct sl_store_options options = {.location = bench->location,
                                             .name = "bench",
                                             .setting = bench->subject->setting};
    struct sl_error error = {0};
    const enum sl_err err = sl_event_store_open(bench->subject->ops, bench->subject->env,
                                                &options, &bench->store, &error);

    if (err != SL_OK)
        tap_note("open: %s: %s", sl_err_name(err), error.message);
    return CHECK_U64(err, SL_OK);
}

void bench_close(struct bench *bench)
{
    sl_event_store_close(bench->store);
    bench->store = NULL;
}

bool bench_claim(struct bench *bench)
{
    bench->claim = (struct sl_claim){.message = {.reply_to = bench->mailbox, .kind = 7},
                                     .salt = bench->claim.salt * 31 + 5};
    sl_event_store_claim(bench->store, &bench->claim);
    if (!CHECK(bench_wait(bench) == &bench->claim.message))
        return false;
    if (bench->claim.err != SL_OK)
        tap_note("claim: %s", bench->claim.error.message);
    bench->next = bench->claim.next_position;
    return CHECK_U64(bench->claim.err, SL_OK) && CHECK_U64(bench->claim.message.kind, 7);
}

bool bench_begin(struct bench *bench, const struct event_store_subject *subject)
{
    *bench = (struct bench){.subject = subject, .location = subject->fresh()};
    bench->scratch.bytes_max = SIZE_MAX / 2;
    return CHECK(sl_mailbox_new(NULL, NULL, &bench->mailbox) == SL_OK) && bench_open(bench) &&
           bench_claim(bench);
}

void bench_end(struct bench *bench)
{
    bench_close(bench);
    if (bench->mailbox)
        (void)sl_mailbox_take_all(bench->mailbox);
    sl_mailbox_free(bench->mailbox);
    sl_arena_close(&bench->scratch);
}

struct sl_append *bench_make(struct bench *bench, size_t count)
{
    static const struct sl_schema *const schemas[] = {&bench_schemas[0], &bench_schemas[1]};
    struct sl_append *append = sl_arena_zeroed(&bench->scratch, 1, sizeof *append);
    struct sl_stored_event *events = sl_arena_zeroed(&bench->scratch, count, sizeof *events);

    for (size_t i = 0; i < count; i++)
        bench_event(bench, bench->next + i, &events[i]);
    append->message.reply_to = bench->mailbox;
    append->message.kind = 9;
    append->epoch = bench->claim.epoch;
    append->position = bench->next;
    append->events = events;
    append->event_count = count;
    for (size_t i = 0; i < count; i++)
        append->bytes += events[i].body.len + 100;
    if (bench->next == 0 && count > 0) {
        append->schemas = schemas;
        append->schema_count = 2;
    }
    bench->next += count;
    return append;
}

enum sl_append_result bench_put(struct bench *bench, struct sl_append *append)
{
    if (!sl_event_store_append(bench->store, append) &&
        !CHECK(bench_wait(bench) == &append->message))
        return 0;
    CHECK_U64(append->message.kind, 9);
    return append->result;
}

enum sl_append_result bench_append(struct bench *bench, size_t count)
{
    return bench_put(bench, bench_make(bench, count));
}

void bench_read(struct bench *bench, struct sl_read *read)
{
    read->message.reply_to = bench->mailbox;
    read->message.kind = 8;
    /* An answer on the spot is the same as one that is posted. */
    read->at_once = bench->reads++ % 2 == 0;
    if (!sl_event_store_read(bench->store, read))
        CHECK(bench_wait(bench) == &read->message);
    CHECK_U64(read->message.kind, 8);
}

/* ---- Comparing ------------------------------------------------------------------------------- */

/* One page; moves `*from` or `*until`. False: it was the last, or something differs. */
static bool check_page(struct bench *bench, struct sl_read *read, bool (*belongs)(uint64_t),
                       uint64_t *expected, uint64_t *seen)
{
    bool good = true;

    bench_read(bench, read);
    if (read->err != SL_OK)
        tap_note("read: %s", read->error.message);
    good = CHECK_U64(read->err, SL_OK) && CHECK_U64(read->durable, bench->next) &&
           CHECK(read->event_count <= read->count_max) && CHECK(read->event_count > 0 || read->end);
    for (size_t i = 0; good && i < read->event_count; i++) {
        while (*expected < bench->next && belongs && !belongs(*expected))
            *expected += read->backwards ? UINT64_MAX : 1; /* one down, or one up */
        good = CHECK_U64(read->events[i].position, *expected) &&
               bench_same(bench, &read->events[i]);
        *expected += read->backwards ? UINT64_MAX : 1;
        (*seen)++;
    }
    if (read->backwards)
        read->until = read->next;
    else
        read->from = read->next;
    sl_arena_reset(&read->arena);
    sl_arena_reset(&bench->scratch);
    return good && !read->end;
}

void bench_check(struct bench *bench, enum sl_read_by by, struct sl_text key, size_t count_max,
                 bool backwards, bool (*belongs)(uint64_t position))
{
    struct sl_read read = {.by = by, .key = key, .until = UINT64_MAX, .backwards = backwards,
                           .count_max = count_max, .bytes_max = SIZE_MAX};
    uint64_t expected = backwards ? bench->next - 1 : 0;
    uint64_t seen = 0, total = 0;

    for (uint64_t position = 0; position < bench->next; position++)
        total += !belongs || belongs(position);
    while (check_page(bench, &read, belongs, &expected, &seen))
        continue;
    CHECK_U64(seen, total);
    sl_arena_close(&read.arena);
}
