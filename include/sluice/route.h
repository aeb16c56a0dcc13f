/*
 * Routes: addresses of a domain's own, for protocols that are not Sluice's.
 *
 *     static void serve_batch(struct sl_visit *visit)
 *     {
 *         const struct sl_text body = sl_visit_body(visit);
 *         for (size_t at = 0; at + 128 <= body.len; at += 128) {
 *             struct transfer *transfer = sl_visit_send(visit, "Transfer", NULL);
 *             …
 *         }
 *         sl_visit_submit(visit, answer_batch);
 *     }
 *
 *     .routes = SL_LIST(const struct sl_route,
 *         {.method = "POST", .path = "batch/{operation}", .serve = serve_batch,
 *          .content_type = "application/octet-stream", .body_max = 1 << 20})
 *
 * A visit is one request to a route. It is served in turns: `serve` is the first, and each function
 * that it hands to sl_visit_submit or to a reading call is a later one. In a turn a handler asks
 * for one thing more, or answers. What was asked for begins when the turn is over, so that no
 * handler is ever called from inside of one of its own calls.
 *
 * Turns run on the engine's thread, with all that it serves waiting: they do no I/O and are short
 * (a millisecond is long). Nothing here may be called from another thread, nor for a visit but the
 * one whose turn it is. Everything that a visit hands out, and memory of sl_visit_room, lives until
 * the turn that answers is over; bodies and texts that a handler passes are read before its call
 * returns, unless it says otherwise.
 *
 * What holds for other addresses holds for routes: who asks and from where is checked before
 * `serve`; commands and views ask for their own roles besides; a client that is gone is like any
 * other (commands are carried out, and the answer goes nowhere). Answers carry Sluice-Position, the
 * greatest position that a command's outcome or a row of the visit reflects.
 *
 * Mistakes of a handler are counted (sluice_route_faults_total) and harm nobody else: who asks or
 * answers twice in a turn gets what was first; who does neither has the client answered with 500
 * route_failed. Where memory is out, handlers need not look: what the calls return can be written
 * to, and the client is answered with 503 no_memory when the turn is over.
 */
#ifndef SLUICE_ROUTE_H
#define SLUICE_ROUTE_H

#include <sluice/domain.h>

/* Commands of one submission, rows of one reading. */
#define SL_VISIT_ITEMS_MAX 8190

struct sl_visit;

struct sl_route {
    const char *method; /* "GET" (which answers HEAD, too), "POST", "PUT", "PATCH" or "DELETE" */
    /* "batch/{operation}" is below /DOMAIN/; with a slash before it, at the server's root:
     * "/write". A part in braces stands for one segment that is not empty. Of several routes that
     * fit an address the first in the table serves it. An address that is a command's, a view's or
     * the server's own is refused when the server starts. At most 256 bytes, and 8 parts in
     * braces. */
    const char *path;
    const char *content_type; /* that a body must have, else 415; NULL: any */
    const char *answer_type;  /* that answers have, for OpenAPI; NULL: not said */
    /* Parameters of the query, words separated by spaces; others are refused (400). "*": any. */
    const char *parameters;
    size_t body_max; /* bytes, else 413; 0: 1 MiB; never more than the server takes (16 MiB) */
    void (*serve)(struct sl_visit *visit);
    const char *roles; /* who may: words, one of which the principal must have; NULL: anybody */
    const char *help;
    /* Of what sl_visit_answer_record answers, for OpenAPI, which then has its schema and says
     * application/json; NULL: not said. */
    const struct sl_record *answer_record;
};

/* ---- What was asked -------------------------------------------------------------------------- */

/* The segment of the path that stands at {name}, %XX decoded. The route must have it. */
struct sl_text sl_visit_part(struct sl_visit *visit, const char *name);

/* A parameter of the query, decoded, of several the first; ptr NULL where it is not given. */
struct sl_text sl_visit_parameter(struct sl_visit *visit, const char *name);

/* A header by its lower-case name, of several the first; ptr NULL where it is not given. */
struct sl_text sl_visit_header(struct sl_visit *visit, const char *name);

struct sl_text sl_visit_body(struct sl_visit *visit);

const struct sl_principal *sl_visit_principal(struct sl_visit *visit);

/* Reads a text, of the address or the body, as a value of this kind (any but lists, nested records
 * and money): numbers, UUIDs, dates and times are written as in JSON, without quotes. `out` is what
 * a record's field of the kind would be. False: it is none, and `out` is as it was. */
bool sl_visit_value(struct sl_visit *visit, enum sl_kind kind, struct sl_text text, void *out);

/* The time, for what is no decision: commands have one of their own. */
struct sl_time sl_visit_now(struct sl_visit *visit);

/* ---- What a handler keeps -------------------------------------------------------------------- */

/* Zeroed memory that lives as long as the visit; 64 MiB a visit, together with all else that it
 * makes. At most 16 MiB a call. */
void *sl_visit_room(struct sl_visit *visit, size_t count, size_t size);

/* A word of the handler's, from one turn to the next; NULL at first. */
void sl_visit_set_user(struct sl_visit *visit, void *user);
void *sl_visit_user(struct sl_visit *visit);

/* ---- Commands -------------------------------------------------------------------------------- */

struct sl_visit_event {
    struct sl_text type;
    struct sl_text stream;
    uint64_t revision;
    uint64_t position;
    struct sl_time time;
    /* The event itself, where sl_visit_want_events asked for it; NULL also where it is known no
     * more (of a repeat: retention took it). */
    const struct sl_event *event;
};

/* What became of a command. All of it lives as long as the visit. */
struct sl_visit_outcome {
    /* As commands over HTTP: 201; 202 durable, a strong view is late; 400 the body broke a rule of
     * its record; 401 and 403 the visitor may not send it; 409, 413, 422 refused; 503 not accepted,
     * or nobody knows. */
    int status;
    bool repeated;          /* carried out before, under the same id */
    struct sl_text rule;    /* empty where it was accepted */
    struct sl_text message; /* for people */
    struct sl_text field;   /* what is to blame: "lines[2].quantity"; or empty */
    struct sl_uuid id;
    uint64_t position; /* the outcome reflects all below it */
    const struct sl_visit_event *events; /* that it made, also of a repeat */
    size_t event_count;
};

/* One command more for sl_visit_submit: returns its zeroed body, a struct of the command's record,
 * to be filled before the turn is over; texts and lists may point into the visit's memory or to
 * what is constant. `command` is a command of the route's domain. `id` is its id, copied; NULL: one
 * is made from the request's (Idempotency-Key) and the command's place in the visit, so that the
 * request as a whole can be repeated. */
void *sl_visit_send(struct sl_visit *visit, const char *command, const struct sl_uuid *id);

/* From now on outcomes have their events themselves, as `evolve` sees them: for answers that are
 * made of them. */
void sl_visit_want_events(struct sl_visit *visit);

/* Sends the commands: each is checked by its record and its roles, and those that are good are
 * decided in their order, each seeing the effects of those before it; a refusal of one stops none
 * of the others. `then` is called once, when all outcomes are durable, with one for each, in their
 * order (none, where there were no commands). Where the server cannot take all of them, it takes
 * none, and answers 503 overloaded by itself. */
void sl_visit_submit(struct sl_visit *visit,
                     void (*then)(struct sl_visit *visit, const struct sl_visit_outcome *outcomes,
                                  size_t count));

/* What is read from now on, rows and events, reflects all events below the position, as if the
 * request had named it: it is waited for, until the request's deadline (504). */
void sl_visit_await(struct sl_visit *visit, uint64_t position);

/* ---- Rows ------------------------------------------------------------------------------------ */

/* One row more for sl_visit_read: the row of the view (of the route's domain) with this key. Keys
 * are pointers to values of the key's fields, in order: sl_visit_row(visit, "days", &desk, &day).
 */
#define sl_visit_row(visit, view, ...)                                                             \
    sl_visit_row_key((visit), (view), (const void *const[]){__VA_ARGS__},                          \
                     sizeof((const void *const[]){__VA_ARGS__}) / sizeof(void *))
void sl_visit_row_key(struct sl_visit *visit, const char *view, const void *const *values,
                      size_t count);

/* Reads the rows. `then` is called with structs of the views' records, one for each in their order,
 * NULL where there is no such row. They are as lookups over HTTP find them: a position that the
 * request names (Sluice-Position, min_position) is waited for, and so are the effects of commands
 * that this visit has sent. What keeps a row from being read (the view is not as far in time, it
 * failed, the visitor may not read it) is answered as it is for GET, and `then` is not called. */
void sl_visit_read(struct sl_visit *visit,
                   void (*then)(struct sl_visit *visit, const void *const *rows, size_t count));

/* A stretch of a view in an order of its own. */
struct sl_visit_list {
    const char *view;
    const char *index;   /* NULL: the order of the key */
    const void *equal;   /* a struct of the view's record: rows must have what it has */
    size_t equal_count;  /* in the order's first so many fields; 0: all rows */
    bool descending;
    size_t limit;         /* 1 to 1,000 */
    struct sl_text after; /* `next` of an earlier page, also of an earlier request; or empty */
};

struct sl_visit_page {
    const void *const *rows; /* structs of the view's record */
    size_t count;
    struct sl_text next; /* where to go on; empty: nothing follows */
};

/* Reads the stretch as lists over HTTP do: from what is stored, which may be a little older than
 * what sl_visit_read finds, unless a position is waited for; errors likewise. `list` is copied. */
void sl_visit_list(struct sl_visit *visit, const struct sl_visit_list *list,
                   void (*then)(struct sl_visit *visit, const struct sl_visit_page *page));

/* ---- Events ---------------------------------------------------------------------------------- */

enum sl_events_of {
    SL_EVENTS_OF_LOG = 0,   /* all of the domain */
    SL_EVENTS_OF_STREAM,    /* of the stream `name` "/" `key` */
    SL_EVENTS_OF_TAG,       /* tagged `name` ":" `key` */
    SL_EVENTS_OF_AGGREGATE, /* either: an aggregate's history */
};

struct sl_visit_log {
    enum sl_events_of of;
    const char *name;
    struct sl_text key; /* as places are written: see sl_visit_key */
    uint64_t from;      /* positions in [from, until); */
    uint64_t until;     /* 0: to the end */
    bool backwards;     /* the newest first */
    size_t limit;       /* 1 to 8,190 */
};

struct sl_visit_events {
    const struct sl_event *events; /* in order, as `evolve` sees them */
    /* May be less than the limit, or none, before the end: an answer takes at most 16 MiB, and the
     * server's own events in the log are left out. */
    size_t count;
    uint64_t next;    /* `from` of what follows; backwards: its `until` */
    bool end;         /* nothing follows */
    uint64_t durable; /* where the log ended then: the position behind its last event */
};

/* The key that is made of one value: sl_visit_key(visit, SL_U64, &account). At most 512 bytes. */
struct sl_text sl_visit_key(struct sl_visit *visit, enum sl_kind kind, const void *value);

/* Reads events that are durable, those of this visit's commands included; a position that the
 * request names is waited for. Who may visit the route may read what it reads; where the route says
 * no roles, it takes those of the log (/DOMAIN/events). `log` is copied. */
void sl_visit_events(struct sl_visit *visit, const struct sl_visit_log *log,
                     void (*then)(struct sl_visit *visit, const struct sl_visit_events *events));

/* ---- The answer ------------------------------------------------------------------------------ */

/* A header of the answer. Both are copied; line breaks are none of it. Not the headers that the
 * server makes: Content-Type, Content-Length, Connection, Date, Sluice-Position. 503 has
 * "Retry-After: 1" unless this says another. */
void sl_visit_set_header(struct sl_visit *visit, const char *name, struct sl_text value);

/* Answers; the body is copied. `status` 200 to 599; `content_type` NULL: there is none. */
void sl_visit_answer(struct sl_visit *visit, int status, const char *content_type,
                     struct sl_text body);

/* Answers with a struct of the record, as JSON: see record.h. `item` and what it points to are read
 * before this returns. */
void sl_visit_answer_record(struct sl_visit *visit, int status, const struct sl_record *record,
                            const void *item);

/* Answers with a problem document (RFC 9457). `rule` is a lower_case name, the domain's or one of
 * Sluice's own; `field` and `detail` may be empty. */
void sl_visit_problem(struct sl_visit *visit, int status, const char *rule, struct sl_text field,
                      struct sl_text detail);

/* Answers as the command's own address would: where it was accepted with 201 or 202 and what it
 * made, as JSON, else with the refusal as a problem. */
void sl_visit_answer_outcome(struct sl_visit *visit, const struct sl_visit_outcome *outcome);

#endif
