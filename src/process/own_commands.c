/* The commands by which the engine writes its own events: a timer fired, a refusal told, a process
 * advanced. They go through the same admission, ids and batches as everybody's. */
#include "process/parts.h"

#include "command/decide.h"

struct stream_state {
    uint64_t events;
};

static const struct sl_record stream_state_record =
    SL_RECORD(struct stream_state, SL_FIELD(struct stream_state, events));

static void evolve_stream(void *state, const struct sl_event *event)
{
    struct stream_state *stream = state;

    (void)event;
    stream->events++;
}

static const struct sl_aggregate instance_streams = {"$process", &stream_state_record,
                                                     evolve_stream};
const struct sl_aggregate sl_process_progress = {SL_PROCESS_PROGRESS_STREAM, &stream_state_record,
                                                 evolve_stream};

static enum sl_verdict fire(const struct sl_case *c, struct sl_decision *out)
{
    struct sl_timer_fired *event = sl_emit(out, &sl_timer_fired_type, 0);

    *event = *(const struct sl_timer_fired *)c->command;
    return SL_ACCEPTED;
}

static enum sl_verdict tell(const struct sl_case *c, struct sl_decision *out)
{
    struct sl_refusal_told *event = sl_emit(out, &sl_refusal_told_type, 0);

    *event = *(const struct sl_refusal_told *)c->command;
    return SL_ACCEPTED;
}

static enum sl_verdict advance(const struct sl_case *c, struct sl_decision *out)
{
    struct sl_process_advanced *event = sl_emit(out, &sl_process_advanced_type, 0);

    *event = *(const struct sl_process_advanced *)c->command;
    return SL_ACCEPTED;
}

static const struct sl_command own_commands[] = {
    {"$FireTimer", &sl_timer_fired_record, fire,
     SL_LIST(const struct sl_need, {&instance_streams, "process, key"}), .internal = true},
    {"$TellRefusal", &sl_refusal_told_record, tell,
     SL_LIST(const struct sl_need, {&instance_streams, "process, key"}), .internal = true},
    {"$Advance", &sl_process_advanced_record, advance,
     SL_LIST(const struct sl_need, {&sl_process_progress, "process"}), .internal = true},
};

const struct sl_command *const sl_fire_timer = &own_commands[0];
const struct sl_command *const sl_tell_refusal = &own_commands[1];
const struct sl_command *const sl_advance = &own_commands[2];

enum sl_err sl_process_prepare(struct sl_model *model, struct sl_error *error)
{
    for (size_t i = 0; i < sizeof own_commands / sizeof own_commands[0]; i++) {
        enum sl_err err = sl_model_add_command(model, &own_commands[i], error);
        if (err)
            return err;
    }
    return SL_OK;
}
