/* Commands of processes: ids derived from the event, sent again until their outcome is known, and
 * refusals told to the instance as an event. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "process/parts.h"
#include "record/pack.h"

enum { AGAIN_NS = 1000000000, ADVANCE_NS = 1000000000 };

struct sl_uuid sl_process_id(const struct sl_process_runner *runner, uint64_t position,
                             struct sl_text key, const char *what, uint64_t ordinal)
{
    const struct sl_process_host *host = &runner->options.host;
    const char *name = runner->options.process->name;
    struct sl_uuid log;
    uint64_t salt;
    uint8_t numbers[24];

    host->log(host->context, &log, &salt);
    /* Of the event's reign, not of this one: a later reign sends the same ids, and another history,
     * in which something else stands at that position, others. */
    sl_put_le64(numbers, host->salt_at(host->context, position));
    sl_put_le64(numbers + 8, position);
    sl_put_le64(numbers + 16, ordinal);
    const struct sl_slice parts[] = {{log.bytes, sizeof log.bytes},
                                     {numbers, sizeof numbers},
                                     {(const uint8_t *)name, strlen(name) + 1},
                                     {(const uint8_t *)what, strlen(what) + 1},
                                     {(const uint8_t *)key.ptr, key.len}};
    return sl_hash_id(parts, sizeof parts / sizeof parts[0], 0x9c0c);
}

static void hold_ends(struct sl_process_runner *runner)
{
    runner->sent = true;
    runner->sending = false;
    runner->given_up = false;
    runner->trouble.is = false;
    runner->moved = true;
    runner->reached = runner->sent_position + 1;
    if (runner->advance_ns == INT64_MAX)
        runner->advance_ns = sl_env_monotonic(runner->options.env) + ADVANCE_NS;
}

static void end_call(struct sl_send_call *call)
{
    struct sl_process_runner *runner = call->runner;

    runner->calls_out--;
    runner->firing -= call->submission.command == sl_fire_timer;
    if (call->holds && --runner->holding == 0)
        hold_ends(runner);
    if (call->submission.command == sl_advance)
        runner->advancing = false;
    free(call);
}

/* The refusal of an own command is known to the process before its event is done with. False:
 * memory is out. */
static bool tell(struct sl_send_call *call, const struct sl_outcome *outcome)
{
    struct sl_process_runner *runner = call->runner;
    const struct sl_refusal_told told = {
        .process = {runner->options.process->name, strlen(runner->options.process->name)},
        .key = {call->key, call->key_len},
        .command = {call->submission.command->name, strlen(call->submission.command->name)},
        .rule = outcome->rule};

    return sl_process_send(runner, runner->options.host.own, sl_tell_refusal, &told,
                           sl_process_id(runner, call->position, told.key, "refused",
                                         sl_hash_uuid(call->id)),
                           told.key, call->position, call->holds);
}

static void done(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct sl_send_call *call = submission->user;
    struct sl_process_runner *runner = call->runner;

    const bool refused = outcome->status >= 400;
    const bool is_own = submission->command->name[0] == '$';

    if (outcome->status == 503 || (refused && (is_own || !tell(call, outcome)))) {
        /* Nobody knows, or nobody took it, or its refusal cannot be told just now: the same id
         * again changes nothing. A timer that was not taken must not be forgotten either. */
        if (call->holds && runner->given_up) {
            end_call(call);
            return;
        }
        if (call->holds)
            sl_process_note_trouble(runner, call->position,
                                    (struct sl_text){call->key, call->key_len}, call,
                                    outcome->message.len > 0 ? outcome->message : outcome->rule);
        call->next = runner->again;
        runner->again = call;
        runner->again_ns = sl_env_monotonic(runner->options.env) + AGAIN_NS;
        return;
    }
    end_call(call);
}

static void submit(struct sl_send_call *call)
{
    call->runner->options.host.submit(call->domain, &call->submission);
}

/* NULL: memory is out. */
static struct sl_send_call *make_call(struct sl_process_runner *runner, void *domain,
                                      const struct sl_command *command, const void *body,
                                      struct sl_uuid id, struct sl_text key, uint64_t position,
                                      bool holds)
{
    const size_t size = sl_record_copy_size(command->record, body);
    struct sl_send_call *call = aligned_alloc(16, (sizeof *call + size + 15) / 16 * 16);

    SL_ASSERT(key.len <= sizeof call->key, "M1");
    if (!call)
        return NULL;
    *call = (struct sl_send_call){.runner = runner,
                                  .domain = domain,
                                  .position = position,
                                  .id = id,
                                  .key_len = key.len,
                                  .holds = holds};
    if (key.len > 0)
        memcpy(call->key, key.ptr, key.len);
    void *copy = sl_record_copy(command->record, body, call->body);
    struct sl_buf packed = {0};
    sl_pack(&packed, command->record, copy);
    const struct sl_slice part = sl_buf_slice(&packed);
    call->submission = (struct sl_submission){.command = command,
                                              .body = copy,
                                              .id = id,
                                              .digest = sl_hash128(&part, 1, 0),
                                              .principal = &runner->principal,
                                              .done = done,
                                              .user = call};
    const bool failed = packed.failed;
    sl_buf_close(&packed);
    if (failed) {
        free(call);
        return NULL;
    }
    return call;
}

static void send_call(struct sl_send_call *call)
{
    call->runner->calls_out++;
    call->runner->holding += call->holds;
    call->runner->firing += call->submission.command == sl_fire_timer;
    submit(call);
}

bool sl_process_send(struct sl_process_runner *runner, void *domain,
                     const struct sl_command *command, const void *body, struct sl_uuid id,
                     struct sl_text key, uint64_t position, bool holds)
{
    struct sl_send_call *call =
        make_call(runner, domain, command, body, id, key, position, holds);

    if (call)
        send_call(call);
    return call != NULL;
}

static void free_calls(struct sl_send_call *call)
{
    while (call) {
        struct sl_send_call *next = call->next;
        free(call);
        call = next;
    }
}

bool sl_process_send_all(struct sl_process_runner *runner, const struct sl_event *event)
{
    struct sl_reaction *reaction = &runner->reaction;
    const struct sl_text key = sl_buf_as_text(&runner->key);
    struct sl_send_call *first = NULL, **end = &first;

    for (size_t i = 0, ordinal = 0; i < reaction->count; i++) {
        const struct sl_wish *wish = &reaction->wishes[i];
        if (!wish->command)
            continue;
        *end = make_call(runner, wish->domain, wish->command, wish->body,
                         sl_process_id(runner, event->position, key, wish->command->name, ordinal),
                         key, event->position, true);
        if (!*end) {
            free_calls(first);
            return false;
        }
        (*end)->domain_name = wish->domain_name;
        end = &(*end)->next;
        ordinal++;
    }
    runner->sending = true;
    runner->sent = false;
    runner->sent_position = event->position;
    /* One more than there are, so that answers from inside do not end it early. */
    runner->holding = 1;
    while (first) {
        struct sl_send_call *next = first->next;
        send_call(first);
        first = next;
    }
    if (--runner->holding == 0)
        hold_ends(runner);
    return true;
}

void sl_process_send_again(struct sl_process_runner *runner, int64_t now)
{
    struct sl_send_call *call = runner->again;

    if (!call || now < runner->again_ns || runner->closing)
        return;
    runner->again = NULL;
    runner->trouble.tries += runner->sending && runner->trouble.is;
    while (call) {
        struct sl_send_call *next = call->next;
        submit(call);
        call = next;
    }
}

void sl_process_give_up(struct sl_process_runner *runner)
{
    struct sl_send_call *call = runner->again;

    runner->given_up = true;
    runner->again = NULL;
    /* One more than there are, so that the walk's last one does not end it early. */
    runner->holding++;
    while (call) {
        struct sl_send_call *next = call->next;
        /* What the log says of the progress now is later than what could not be written. */
        if (call->holds || call->submission.command == sl_advance) {
            end_call(call);
        } else {
            call->next = runner->again;
            runner->again = call;
        }
        call = next;
    }
    if (--runner->holding == 0)
        hold_ends(runner);
}

void sl_process_drop_calls(struct sl_process_runner *runner)
{
    free_calls(runner->again);
    runner->again = NULL;
}
