/* A command on its way in, and its outcome on the way out. */
#ifndef SL_COMMAND_SUBMISSION_H
#define SL_COMMAND_SUBMISSION_H

#include <sluice/domain.h>

#include "contracts/event_store.h"

struct sl_event_made {
    struct sl_text type;
    struct sl_text stream;
    uint64_t revision;
    uint64_t position;
    struct sl_time time;
    /* As it is stored, its body packed; NULL unless the submission wants it. */
    const struct sl_stored_event *stored;
};

/* An outcome as it leaves: all that it depends on is durable (L2). Borrowed for the call of
 * `done`. */
struct sl_outcome {
    int status; /* 201 accepted; 202 accepted, a strong view is late; 409 another revision, or a
                   tag since; 413 more than a command may make or need; 422 refused, or the id was
                   used for something else; 503 not accepted, or nobody knows (see rule) */
    struct sl_text rule;    /* the refusal's name, "id_reused", "unexpected_revision", "conflict",
                               "too_large", "invalid_event", "overloaded", "load_failed",
                               "closing", "log_failed", "outcome_unknown"; empty when accepted */
    struct sl_text message; /* for people, {field}s filled in */
    struct sl_text field;   /* of a refusal: the item that is to blame, "lines[3]"; or empty */
    struct sl_uuid id;
    bool repeated;          /* answered from memory: this id had been carried out before */
    uint64_t position;      /* the outcome reflects all below it */
    const struct sl_event_made *events; /* also of a repeat */
    size_t event_count;
};

#define SL_UNLESS_TAGS_MAX 16

/* The caller owns the struct and all it points at until `done`. */
struct sl_submission {
    const struct sl_command *command;
    const void *body;      /* a validated struct of the command's record */
    struct sl_uuid id;     /* not nil */
    struct sl_uuid digest; /* of name, body and principal: see digest.h */
    struct sl_uuid plain_digest; /* as it was made before, without a key; nil: never */
    const struct sl_principal *principal;
    bool has_expected;     /* the first need's stream must hold this many events: */
    uint64_t expected_events;
    /* No event with any of these tags ("account:7") may lie at or above the position. The texts
     * live until `done`. */
    const struct sl_text *unless_tagged;
    size_t unless_tag_count; /* at most 16 */
    uint64_t unless_since;
    bool wants_stored; /* the events of the outcome, as they are stored */
    /* Exactly once; from inside the call that submits only when refused before any work
     * (overloaded, closing). */
    void (*done)(struct sl_submission *submission, const struct sl_outcome *outcome);
    void *user;
};

#endif
