/*
 * A domain, compiled: places parsed, types numbered, tables checked. Made once at start, constant
 * afterwards, read by any thread.
 */
#ifndef SL_MODEL_MODEL_H
#define SL_MODEL_MODEL_H

#include <sluice/domain.h>

#include "base/arena.h"
#include "contracts/event_store.h"
#include "record/place.h"

#define SL_NEEDS_MAX 64                 /* of a command's table */
#define SL_COMMAND_NEEDS_MAX 32768      /* with those that `more` names */
#define SL_RECORD_BYTES_MAX (64u << 10) /* of an event's or an aggregate's struct */
#define SL_AGGREGATE_NAME_MAX 63        /* bytes */

struct sl_event_model {
    const struct sl_event_type *type;
    struct sl_tag_rule tags[SL_TAGS_MAX];
    size_t tag_count;
    uint64_t digest; /* of the packed form */
    bool flat;
};

struct sl_aggregate_model {
    const struct sl_aggregate *aggregate;
    bool flat;
};

struct sl_need_model {
    const struct sl_aggregate_model *aggregate;
    struct sl_place key;
};

struct sl_command_model {
    const struct sl_command *command;
    struct sl_need_model *needs;
    size_t need_count;
};

struct sl_model {
    const struct sl_domain *domain;
    struct sl_arena arena; /* of all that follows */
    struct sl_event_model *events;
    size_t event_count;
    struct sl_command_model *commands;
    size_t command_count;
    struct sl_aggregate_model *aggregates; /* all that commands need by their tables */
    size_t aggregate_count;
};

/* Checks the domain's tables and compiles them. SL_INVALID names what contradicts itself. */
enum sl_err sl_model_init(struct sl_model *model, const struct sl_domain *domain,
                          struct sl_error *error) SL_USE_RESULT;
void sl_model_close(struct sl_model *model);

/* Adds a command of the engine's own, whose names begin with `$`; at most 8. */
enum sl_err sl_model_add_command(struct sl_model *model, const struct sl_command *command,
                                 struct sl_error *error) SL_USE_RESULT;

const struct sl_command_model *sl_model_command(const struct sl_model *model, struct sl_text name);
const struct sl_event_model *sl_model_event(const struct sl_model *model,
                                            const struct sl_event_type *type);
/* Events that the engine itself writes (timers, refusals told to processes,
 * what an operator decided) belong to every
 * domain. */
const struct sl_event_model *sl_model_event_named(const struct sl_model *model,
                                                  struct sl_text name);

/* ---- Events of the engine itself ------------------------------------------------------------- */

struct sl_timer_fired {
    struct sl_text process;
    struct sl_text key;
    struct sl_text timer;
    struct sl_time due;
    uint64_t set_at; /* position of the event that set it */
};
struct sl_refusal_told {
    struct sl_text process;
    struct sl_text key;
    struct sl_text command;
    struct sl_text rule;
};
struct sl_process_advanced {
    struct sl_text process;
    uint64_t position; /* commands for all events below were carried out */
};
struct sl_event_skipped {
    struct sl_text view;
    uint64_t position; /* of the event that the view does not see */
    struct sl_text why;
};
extern const struct sl_record sl_timer_fired_record;
extern const struct sl_record sl_refusal_told_record;
extern const struct sl_record sl_process_advanced_record;
extern const struct sl_record sl_event_skipped_record;
extern const struct sl_event_type sl_timer_fired_type;
extern const struct sl_event_type sl_refusal_told_type;
extern const struct sl_event_type sl_process_advanced_type;
extern const struct sl_event_type sl_event_skipped_type;

/* ---- Who did it ------------------------------------------------------------------------------ */

/* Each event of a principal that is known has one tag more, "$by:NAME", the last one: so that what
 * somebody did is found as everything else is. Domains' own tags begin with a letter, digit, `-`
 * or `_`. */
#define SL_BY_TAG "$by:"
enum { SL_PRINCIPAL_BYTES_MAX = 124 }; /* of a name; a tag has 128 */

/* May `name` stand in the log? Not that of "anonymous", nor an empty one. */
bool sl_model_is_somebody(struct sl_text name);

/* Is this the tag that says who? */
bool sl_model_is_by(struct sl_text tag);

/* Who caused the event; empty: nobody that is known. Lives as the event does. */
struct sl_text sl_model_by(const struct sl_stored_event *stored);

/* ---- Decoding -------------------------------------------------------------------------------- */

/* Turns a stored event into the present version of its type. Texts point into the stored bytes, the
 * rest lives in `arena`. SL_NOT_FOUND: the domain does not know this type (any more), or the
 * event is a stone. */
enum sl_err sl_model_decode(const struct sl_model *model, const struct sl_stored_event *stored,
                            struct sl_arena *arena, struct sl_event *out,
                            struct sl_error *error) SL_USE_RESULT;

#endif
