/*
 * An event store on the bench: opened, driven, and compared with what it must hold.
 *
 * The event at position p is a function of p: bench_event. Its stream is one of seven accounts, its
 * tags, body and times vary, its schema is one of two.
 */
#ifndef CONFORMANCE_EVENT_STORE_BENCH_H
#define CONFORMANCE_EVENT_STORE_BENCH_H

#include "conformance/event_store_suite.h"

enum { BENCH_STREAMS = 7 };

struct bench {
    const struct event_store_subject *subject;
    const char *location;
    struct sl_event_store *store; /* NULL: closed */
    struct sl_mailbox *mailbox;
    struct sl_arena scratch; /* of what is appended and expected */
    struct sl_claim claim;   /* the last one */
    uint64_t next;           /* position of the next append */
    unsigned reads;          /* every second one takes an answer on the spot */
    /* Which events are stones; NULL: none. */
    bool (*is_stone)(uint64_t position);
};

/* Opens a store at a new location and claims it; false after a failed check. */
bool bench_begin(struct bench *bench, const struct event_store_subject *subject);
void bench_end(struct bench *bench);

bool bench_open(struct bench *bench);
void bench_close(struct bench *bench);
bool bench_claim(struct bench *bench); /* sets bench->next */

/* The message that comes back next, waited for; NULL: nothing comes (only in the simulator). */
struct sl_message *bench_wait(struct bench *bench);

/* Event, and its schema, that belong to a position. */
void bench_event(struct bench *bench, uint64_t position, struct sl_stored_event *out);
extern const struct sl_schema bench_schemas[2];

/* An append of `count` such events from bench->next on, which moves on; with both schemas when the
 * first event is at 0. In the scratch arena. */
struct sl_append *bench_make(struct bench *bench, size_t count);

/* Makes, appends, waits; the result. */
enum sl_append_result bench_append(struct bench *bench, size_t count);
/* Hands over and waits. */
enum sl_append_result bench_put(struct bench *bench, struct sl_append *append);

/* Hands over, waits; the answer is in `read`, whose arena the caller closes. */
void bench_read(struct bench *bench, struct sl_read *read);

/* Does the event equal the one of its position, in every member? Says what differs. */
bool bench_same(struct bench *bench, const struct sl_stored_event *event);

/* Reads by and key page by page (count_max events each), forwards or backwards, and compares with
 * all that `belongs` says of positions below bench->next. */
void bench_check(struct bench *bench, enum sl_read_by by, struct sl_text key, size_t count_max,
                 bool backwards, bool (*belongs)(uint64_t position));

#endif
