/*
 * What has happened, as a specification tells it: the events, and the states that follow from
 * them. Pure; as the write side does it, by the same rules of streams, tags and needs.
 */
#ifndef SL_SPEC_WORLD_H
#define SL_SPEC_WORLD_H

#include "command/decide.h"
#include "record/json.h"
#include "spec/notation.h"

#define SL_WORLD_EVENTS_MAX 1024

struct sl_world {
    const struct sl_model *model;
    struct sl_json_parser *parser; /* the caller's */
    struct sl_arena arena;         /* of all that follows, and of what is read with it */
    struct sl_time now;
    struct sl_event *events; /* by position */
    size_t count;
};

/* Reads "2026-11-20" or an instant; NULL is the first moment of 2026. */
enum sl_err sl_world_set_now(struct sl_world *world, const char *now,
                             struct sl_error *error) SL_USE_RESULT;

/* Reads the body of an event or command by its record. `*out` lives in the arena. `broken` is
 * filled where the body breaks a rule of its record (SL_INVALID, and `error` empty). */
enum sl_err sl_world_read_body(struct sl_world *world, struct sl_text body,
                               const struct sl_record *record, void **out,
                               struct sl_broken_rule *broken, struct sl_error *error) SL_USE_RESULT;

/* The stream as the log would have it: words that stand for UUIDs in its key are turned into them.
 * `record` and `body`: of the event in it. */
enum sl_err sl_world_stream(struct sl_world *world, struct sl_text said,
                            const struct sl_record *record, const void *body, struct sl_text *out,
                            struct sl_error *error) SL_USE_RESULT;

/* Adds what is said to have happened. NULL is nothing. */
enum sl_err sl_world_happen(struct sl_world *world, const char *given,
                            struct sl_error *error) SL_USE_RESULT;

/* The states that a command needs, with `more` in its rounds. Each in memory of its own. */
struct sl_world_needs {
    const void *states[SL_COMMAND_NEEDS_MAX];
    struct sl_text streams[SL_COMMAND_NEEDS_MAX];
    size_t count;
};
enum sl_err sl_world_need(struct sl_world *world, const struct sl_command_model *command,
                          struct sl_case *c, struct sl_world_needs *out,
                          struct sl_error *error) SL_USE_RESULT;

void sl_world_close(struct sl_world *world);

#endif
