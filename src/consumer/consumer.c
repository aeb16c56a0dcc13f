#include "consumer/consumer.h"

static const int64_t retry_first_ns = 1000000000, retry_last_ns = 64000000000;

enum {
    READ_EVENTS = 1024, /* a step handles one read: about half a millisecond of projecting */
    READ_BYTES = 1 << 20,
    FORESEEN_EVENTS = 256, /* at most, beyond the one that waits */
};

static void start_read(struct sl_consumer *consumer, uint64_t from)
{
    struct sl_read *read = &consumer->call.read;

    sl_arena_reset(&read->arena);
    *read = (struct sl_read){.message = {.reply_to = consumer->mailbox,
                                         .kind = SL_CONSUMER_MESSAGE_READ},
                             .by = SL_READ_POSITION,
                             .from = from,
                             .until = UINT64_MAX,
                             .count_max = consumer->count_max ? consumer->count_max : READ_EVENTS,
                             .bytes_max = READ_BYTES,
                             .arena = read->arena};
    consumer->call.consumer = consumer;
    consumer->place = 0;
    consumer->reading = true;
    sl_event_store_read(consumer->store, read);
}

/* Each event is shown once, however often the sink waits for those before it. */
static bool is_foreseen(struct sl_consumer *consumer, uint64_t position)
{
    if (position < consumer->foreseen)
        return true;
    consumer->foreseen = position + 1;
    return false;
}

/* Shows the sink what comes behind the event for which it waits, as far as that was read. */
static void foresee(struct sl_consumer *consumer)
{
    struct sl_read *read = &consumer->call.read;
    struct sl_error ignored = {0};
    struct sl_event event;

    if (!consumer->sink.foresee)
        return;
    for (size_t i = consumer->place + 1;
         i < read->event_count && i <= consumer->place + FORESEEN_EVENTS; i++)
        if (!is_foreseen(consumer, read->events[i].position) &&
            sl_model_decode(consumer->model, &read->events[i], &read->arena, &event, &ignored) ==
                SL_OK)
            consumer->sink.foresee(consumer->sink.self, &event);
}

/* The same of events that became durable together. */
static void foresee_offered(struct sl_consumer *consumer, const struct sl_event *events,
                            size_t count)
{
    for (size_t i = 0; i < count && i < FORESEEN_EVENTS && consumer->sink.foresee; i++)
        if (!is_foreseen(consumer, events[i].position))
            consumer->sink.foresee(consumer->sink.self, &events[i]);
}

/* Hands on what was read. True: all of it was taken. */
static bool hand_on(struct sl_consumer *consumer)
{
    struct sl_read *read = &consumer->call.read;

    for (; consumer->place < read->event_count; consumer->place++) {
        const struct sl_stored_event *stored = &read->events[consumer->place];
        const uint64_t wanted = consumer->sink.position(consumer->sink.self);
        struct sl_event event;

        if (stored->position < wanted)
            continue;
        SL_ASSERT(stored->position == read->from + consumer->place, "P1");
        if (wanted < read->from) {
            /* The sink has started over meanwhile: it is read again from there. */
            SL_MARK("consumer: sink went back");
            consumer->foreseen = 0;
            read->event_count = consumer->place = 0;
            return true;
        }
        if (stored->position > wanted) {
            /* It took an event and did not move on: it has failed meanwhile. */
            SL_MARK("consumer: sink stood still");
            consumer->place = (size_t)(wanted - read->from);
            return false;
        }
        enum sl_err err = sl_model_decode(consumer->model, stored, &read->arena, &event,
                                          &consumer->error);
        if (err == SL_NOT_FOUND) {
            consumer->sink.advance(consumer->sink.self, stored->position + 1);
            continue;
        }
        if (err && err != SL_NO_MEMORY && consumer->sink.broken) {
            SL_MARK("consumer: event broken");
            consumer->sink.broken(consumer->sink.self, wanted, consumer->error.message);
            return false;
        }
        if (err) {
            consumer->err = err;
            return false;
        }
        const enum sl_sink_result result = consumer->sink.take(consumer->sink.self, &event);
        if (result == SL_SINK_WAITS)
            foresee(consumer);
        if (result != SL_SINK_TOOK)
            return false;
        consumer->retry_span_ns = 0;
    }
    return true;
}

static void go_on(struct sl_consumer *consumer)
{
    if (consumer->reading || consumer->closing || consumer->err)
        return;
    const uint64_t wanted = consumer->sink.position(consumer->sink.self);
    if (wanted == SL_SINK_NOT_STARTED)
        return;
    if (consumer->place < consumer->call.read.event_count && !hand_on(consumer))
        return;
    const uint64_t next = consumer->sink.position(consumer->sink.self);
    if (next < consumer->durable) {
        start_read(consumer, next);
    } else if (consumer->call.read.event_count > 0) {
        /* Caught up: what is live needs no memory of ours. */
        consumer->call.read.event_count = consumer->place = 0;
        sl_arena_close(&consumer->call.read.arena);
    }
}

void sl_consumer_follow(struct sl_consumer *consumer, uint64_t durable)
{
    consumer->durable = durable;
    go_on(consumer);
}

void sl_consumer_offer(struct sl_consumer *consumer, const struct sl_event *events, size_t count)
{
    const uint64_t first = events[0].position;

    consumer->durable = first + count;
    if (consumer->reading || consumer->closing || consumer->err ||
        consumer->place < consumer->call.read.event_count)
        return; /* it will meet them in the log */
    if (consumer->sink.position(consumer->sink.self) == first) {
        enum sl_sink_result result = SL_SINK_TOOK;
        size_t offered = 0;
        while (offered < count && result == SL_SINK_TOOK)
            result = consumer->sink.take(consumer->sink.self, &events[offered++]);
        if (result == SL_SINK_WAITS)
            foresee_offered(consumer, events + offered, count - offered);
        if (result != SL_SINK_TOOK)
            return; /* it waits or is stuck: a poke will read on from the log */
    } else {
        go_on(consumer);
    }
}

void sl_consumer_poke(struct sl_consumer *consumer)
{
    consumer->err = SL_OK;
    consumer->retry_ns = 0;
    go_on(consumer);
}

int64_t sl_consumer_turn(struct sl_consumer *consumer, int64_t now)
{
    if (!consumer->err || consumer->closing)
        return INT64_MAX;
    if (consumer->retry_ns == 0) {
        const int64_t span = consumer->retry_span_ns * 2;
        consumer->retry_span_ns = span == 0             ? retry_first_ns
                                  : span < retry_last_ns ? span
                                                         : retry_last_ns;
        consumer->retry_ns = now + consumer->retry_span_ns;
    }
    if (now < consumer->retry_ns)
        return consumer->retry_ns;
    SL_MARK("consumer: tried again");
    sl_consumer_poke(consumer);
    return consumer->err ? now : INT64_MAX;
}

/* Something among the events is damaged: fewer are asked for, until it is clear which one. */
static void narrow(struct sl_consumer *consumer)
{
    const uint64_t wanted = consumer->sink.position(consumer->sink.self);
    const size_t count = consumer->call.read.count_max;

    if (wanted != consumer->call.read.from || count > 1) {
        SL_MARK("consumer: reads fewer");
        consumer->count_max = count > 1 ? count / 2 : 1;
        go_on(consumer);
        return;
    }
    consumer->err = SL_CORRUPT; /* read again now and then: the file may be mended */
    SL_MARK("consumer: event damaged");
    consumer->sink.broken(consumer->sink.self, wanted, consumer->call.read.error.message);
}

void sl_consumer_step(struct sl_message *message)
{
    struct sl_consumer *consumer = ((struct sl_read_call *)(void *)message)->consumer;
    struct sl_read *read = &consumer->call.read;

    consumer->reading = false;
    if (read->err == SL_CORRUPT && consumer->sink.broken && !consumer->closing) {
        read->event_count = 0;
        consumer->error = read->error;
        narrow(consumer);
        return;
    }
    if (consumer->count_max > 0)
        consumer->count_max = consumer->count_max < READ_EVENTS / 2 ? consumer->count_max * 2 : 0;
    if (read->err) {
        consumer->err = read->err;
        consumer->error = read->error;
        read->event_count = 0;
        return;
    }
    go_on(consumer);
}

bool sl_consumer_is_reading(const struct sl_consumer *consumer)
{
    return consumer->reading;
}

void sl_consumer_stop(struct sl_consumer *consumer)
{
    consumer->closing = true;
}

void sl_consumer_close(struct sl_consumer *consumer)
{
    sl_arena_close(&consumer->call.read.arena);
}
