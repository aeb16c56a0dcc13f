/*
 * A visit at work (include/sluice/route.h). Private to the files visit*.c.
 *
 * A visit goes from turn to turn. In a turn the handler wishes for one thing; what was wished for
 * begins when the turn is over (`begin`), and when it is there, visit_go_on has the next turn run.
 * So no turn runs inside of another, and a visit that answered or wished for nothing is over there
 * and then: nothing of it is under way, and its memory, the request's, can go.
 */
#ifndef SL_API_VISIT_H
#define SL_API_VISIT_H

#include "api/parts.h"
#include "api/visit_table.h"

#define VISIT_NO_POSITION UINT64_MAX

enum visit_wish {
    VISIT_NOTHING = 0,
    VISIT_MORE,   /* `begin` begins it */
    VISIT_ANSWER, /* it stands in the api's `out` */
};

/* Commands that were built, and their outcomes (visit_send.c). */
struct visit_commands {
    struct visit_block *first, *last;
    size_t count;
    size_t earlier; /* commands of earlier submissions */
    size_t waiting; /* outcomes to come, and one while commands are handed over */
    bool wants_events;
    struct sl_visit_outcome *outcomes;
    void (*then)(struct sl_visit *visit, const struct sl_visit_outcome *outcomes, size_t count);
    /* Of the kind that was sent last: */
    const char *name;
    const struct sl_command *command;
    enum sl_permission permission;
    struct sl_uuid base;   /* from which ids are made */
    struct sl_uuid digest, plain_digest; /* of the request; made when first needed */
    bool has_digest;
};

struct visit_row;

/* Rows that are looked up (visit_read.c). */
struct visit_rows {
    struct visit_row *first, *last;
    size_t count;
    size_t waiting; /* rows to come, and one while they are asked for */
    const void **found;
    void (*then)(struct sl_visit *visit, const void *const *rows, size_t count);
    /* The view that was asked last: */
    const char *name;
    struct sl_view_table *view;
};

struct visit_listing;
struct visit_log;

struct sl_visit {
    struct api_call *call;
    struct sl_own_route *own;
    void *user;

    void (*turn)(struct sl_visit *visit); /* the next */
    void (*begin)(struct sl_visit *visit);
    enum visit_wish wish;
    bool in_turn, due;
    bool failed; /* memory is out */
    /* Instead of another turn the client is told this: */
    struct visit_refusal {
        const char *rule;  /* NULL: nothing */
        uint64_t position; /* or VISIT_NO_POSITION */
        char detail[300];
    } refusal;

    int status;
    const char *type;
    struct sl_text headers; /* lines of the handler's */
    bool retry_is_said;     /* Retry-After is among them */
    uint64_t position;      /* the greatest that was seen */
    bool has_position;

    uint64_t wanted;  /* that reads wait for: what the request names, and what its commands did */
    int64_t until_ns; /* how long reads wait for it */

    struct visit_commands commands;
    struct visit_rows rows;
    struct visit_listing *listing; /* the last list that was asked for */
    struct visit_log *logs;        /* events that were read, to be closed */
};

/* The handler's turn wants this next; false: it had a wish already. */
bool visit_wishes(struct sl_visit *visit, enum visit_wish wish);
/* What was wished for is there: runs the next turn, now, or when `begin` has returned. The visit
 * may be gone afterwards, unless this is called by `begin`. */
void visit_go_on(struct sl_visit *visit);
/* The client is answered with one of Sluice's own rules when the visit goes on. */
void visit_refuse(struct sl_visit *visit, const char *rule, uint64_t position, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/* A mistake of the handler's; `broken`: of a kind that leaves the client without an answer. */
void visit_fault(struct sl_visit *visit, bool broken);
/* Memory to write to where there is none. */
void *visit_spoil(struct sl_visit *visit, size_t size);
/* May the visitor? Otherwise the visit is refused. */
bool visit_may(struct sl_visit *visit, const struct sl_deed *deed);
/* From now on, and until api_waited, the visit ends when the client goes. */
void visit_waits(struct sl_visit *visit);
/* Forgets what still waits (visit_read.c, visit_log.c). */
void visit_reads_cancel(struct sl_visit *visit);
void visit_logs_cancel(struct sl_visit *visit);
/* Gives back what is not the request's memory (visit_log.c). */
void visit_logs_close(struct sl_visit *visit);
/* What the request says of the commands that the handler will send (visit_send.c). */
void visit_commands_begin(struct sl_visit *visit, struct sl_uuid id);
/* An outcome or a row reflects all below this. */
void visit_saw(struct sl_visit *visit, uint64_t position);

#endif
