/*
 * Deciding: a command and states in, events or a refusal out. Pure; used by the write side, by
 * specifications and by tests alike.
 */
#ifndef SL_COMMAND_DECIDE_H
#define SL_COMMAND_DECIDE_H

#include "base/arena.h"
#include "base/buf.h"
#include "model/model.h"

#define SL_DECISION_EVENTS_MAX 8190
#define SL_ROOM_BYTES_MAX ((size_t)16 << 20) /* of one sl_room */

struct sl_emitted {
    const struct sl_event_type *type;
    void *body;
    size_t need; /* to the stream of the aggregate at this place */
};

/* What `decide` writes into. Bodies live in `arena`; texts in them may point anywhere that `decide`
 * could see. Zero-initialise, then set arena and need_count. `events` and `spare` are kept over a
 * reset. */
struct sl_decision {
    struct sl_arena *arena;
    void *spare; /* SL_ROOM_BYTES_MAX, for a decision that fails; NULL: then memory must suffice */
    size_t need_count;
    struct sl_emitted *events;
    size_t count;
    size_t capacity;
    const char *rule; /* refused by this */
    const char *message;
    const char *field; /* a list's, whose item is to blame; NULL: none */
    size_t item;
    /* SL_LIMIT: too many events; SL_NO_MEMORY; SL_INVALID: a need that is not there */
    enum sl_err failed;
};

void sl_decision_reset(struct sl_decision *decision, struct sl_arena *arena, size_t need_count);
void sl_decision_close(struct sl_decision *decision);

/* Takes the spare room, so that a `decide` for which memory runs out can be let run to its end. It
 * is not touched before. */
enum sl_err sl_decision_reserve(struct sl_decision *decision) SL_USE_RESULT;

/* What `more` writes into: aggregates and keys, each once. */
struct sl_asked {
    const struct sl_aggregate *aggregate;
    struct sl_text key;
};
#define SL_NEEDS_FEW 16
struct sl_needs {
    struct sl_arena *arena;
    struct sl_asked *asked; /* `few`, or in the arena */
    size_t count;
    size_t capacity;
    uint32_t *index; /* places and 1, by hash, twice as many as there is room for; NULL while few */
    struct sl_asked few[SL_NEEDS_FEW];
    enum sl_err failed; /* SL_LIMIT: over 32,768 needs, or a key over 512 bytes */
};

/* None yet. `needs` must stay where it is. */
void sl_needs_init(struct sl_needs *needs, struct sl_arena *arena);

/* Adds one without looking whether it is there already. False: failed says why. */
bool sl_needs_add(struct sl_needs *needs, const struct sl_aggregate *aggregate, struct sl_text key);

/* Runs the command's `decide` and checks what came out. */
enum sl_verdict sl_decide(const struct sl_command *command, const struct sl_case *c,
                          struct sl_decision *decision);

/* Appends `message` with each {field} filled in from the command. */
void sl_message_fill(struct sl_buf *out, const char *message, const struct sl_record *record,
                     const void *command);

/* Appends the stream "name/key" of an aggregate. */
void sl_stream_name(struct sl_buf *out, const char *aggregate, struct sl_text key);

#endif
