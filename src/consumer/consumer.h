/*
 * The one loop that follows a log: it hands events, in order and each once, to a sink (a view, a
 * process, a relay), from the log while the sink is behind, and from memory as they become durable
 * once it has caught up. The sink keeps its own checkpoint; the loop has no state worth saving.
 *
 * Engine's thread.
 */
#ifndef SL_CONSUMER_CONSUMER_H
#define SL_CONSUMER_CONSUMER_H

#include "contracts/event_store.h"
#include "model/model.h"

/* Kind of the consumer's message in the engine's mailbox. */
#define SL_CONSUMER_MESSAGE_READ 0x1010u

enum sl_sink_result {
    SL_SINK_TOOK = 1,
    SL_SINK_WAITS, /* the same event will be offered again after sl_consumer_poke */
    SL_SINK_STUCK, /* it can not take this event; nothing is offered before a poke */
};

#define SL_SINK_NOT_STARTED UINT64_MAX

struct sl_sink {
    /* The position of the event it wants next, or SL_SINK_NOT_STARTED. */
    uint64_t (*position)(void *self);
    enum sl_sink_result (*take)(void *self, const struct sl_event *event);
    /* Events below `position` say nothing to it: the domain does not know their types. */
    void (*advance)(void *self, uint64_t position);
    void *self;
    /* The event at `position`, the one it wants, cannot be read: its schema is gone, or its bytes
     * are damaged. `why` is borrowed. The sink says so to whom it concerns, and where it stands;
     * nothing is offered before a poke. NULL: the loop itself stands still and tries again. */
    void (*broken)(void *self, uint64_t position, const char *why);
    /* While the sink waits: an event that it will be offered later, so that it can fetch what that
     * needs, too, instead of one event's rows after the other's. Or NULL. */
    void (*foresee)(void *self, const struct sl_event *event);
};

struct sl_consumer {
    struct sl_sink sink;
    struct sl_event_store *store;
    const struct sl_model *model;
    struct sl_mailbox *mailbox;
    uint64_t durable; /* all events below are there to be read */
    struct sl_read_call {
        struct sl_read read;
        struct sl_consumer *consumer;
    } call;
    bool reading;
    bool closing;
    size_t place; /* in the answer of the read: what was not handed on yet */
    uint64_t foreseen; /* events below it were shown to the sink, or offered */
    size_t count_max; /* of a read; fewer while something among them is damaged; 0: all */
    enum sl_err err; /* why it stands still, if a read or an event is broken; cleared by a poke */
    struct sl_error error;
    int64_t retry_ns;      /* when it is tried again; 0: not known yet */
    int64_t retry_span_ns; /* doubled with each failure, until something was taken */
};

/* Zero first; fill in sink, store, model and mailbox. */

/* Tells how far the log goes (a reign begins), and starts or goes on. */
void sl_consumer_follow(struct sl_consumer *consumer, uint64_t durable);

/* These events are durable now. */
void sl_consumer_offer(struct sl_consumer *consumer, const struct sl_event *events, size_t count);

/* The sink can go on: it has started, a row has come, an operator has mended something. */
void sl_consumer_poke(struct sl_consumer *consumer);

/* While it stands still for an error, it is tried again: after a second, then two, up to a minute.
 * Returns when to call again (monotonic ns); INT64_MAX: nothing is wrong. */
int64_t sl_consumer_turn(struct sl_consumer *consumer, int64_t now);

/* The answer to a read of some consumer. */
void sl_consumer_step(struct sl_message *message);

/* Is a read under way? Until it is not, the struct must stay. */
bool sl_consumer_is_reading(const struct sl_consumer *consumer);

/* Nothing more is handed on. */
void sl_consumer_stop(struct sl_consumer *consumer);
/* not while reading, unless the store is closed */
void sl_consumer_close(struct sl_consumer *consumer);

#endif
