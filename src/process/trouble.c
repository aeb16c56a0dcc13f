/*
 * A process that stands still: what is known of it, and how it goes on.
 *
 * It stands at one event, for one of two reasons. Its reaction fails, or the event cannot be read:
 * then the table of its instances is degraded, like a view's. Or a command of the event is not
 * taken: then that is sent again, every second, under the same id.
 *
 * Going on without it is an operator's word, which stands in the log before it is done (skip.c of
 * the engine): $EventSkipped, and in the same batch $ProcessAdvanced. The second is what a restart
 * asks before it sends anything, so that what was given up is never sent after all (V3); the first
 * is what a reaction that fails again asks for, after a restart or over a lost store.
 */
#include <stdio.h>
#include <string.h>

#include "process/parts.h"

enum {
    STUCK_TRIES = 3,
    SKIPS_MAX = 4096,
    SKIPS_BYTES = 1 << 20,
};

void sl_process_note_trouble(struct sl_process_runner *runner, uint64_t position,
                             struct sl_text key, const struct sl_send_call *call,
                             struct sl_text why)
{
    struct sl_trouble *trouble = &runner->trouble;

    if (!trouble->is || trouble->position != position)
        *trouble = (struct sl_trouble){.is = true,
                                       .position = position,
                                       .since = sl_env_now(runner->options.env),
                                       .tries = call ? 1 : 0};
    /* Commands are counted by rounds, when they are sent again: an event may have many. */
    trouble->tries += call == NULL;
    snprintf(trouble->why, sizeof trouble->why, "%.*s", (int)why.len, why.ptr);
    trouble->command[0] = 0;
    if (call)
        snprintf(trouble->command, sizeof trouble->command, "%s%s%s",
                 call->domain_name ? call->domain_name : "", call->domain_name ? "." : "",
                 call->submission.command->name);
    trouble->key_len = key.len < sizeof trouble->key ? key.len : sizeof trouble->key;
    memcpy(trouble->key, key.len > 0 ? key.ptr : "", trouble->key_len);
}

const char *sl_process_name(const struct sl_process_runner *runner)
{
    return runner->options.process->name;
}

static enum sl_process_state state_of(const struct sl_process_runner *runner,
                                      const struct sl_view_status *status)
{
    if (status->state == SL_VIEW_DEGRADED)
        return SL_PROCESS_DEGRADED;
    if (status->state == SL_VIEW_FAILED)
        return SL_PROCESS_FAILED;
    if (status->state == SL_VIEW_STARTING || !runner->started)
        return SL_PROCESS_STARTING;
    return runner->sending && runner->trouble.is ? SL_PROCESS_WAITING : SL_PROCESS_RUNNING;
}

struct sl_process_status sl_process_status(const struct sl_process_runner *runner)
{
    const struct sl_trouble *trouble = &runner->trouble;
    struct sl_process_status out = {.state = SL_PROCESS_STARTING,
                                    .commands = runner->calls_out,
                                    .timers = runner->timers.count};

    if (!runner->table)
        return out;
    const struct sl_view_status status = sl_view_table_status(runner->table);
    out.state = state_of(runner, &status);
    out.position = status.position;
    if (out.state == SL_PROCESS_FAILED && status.why)
        out.why = (struct sl_text){status.why, strlen(status.why)};
    if (trouble->is && (out.state == SL_PROCESS_WAITING || out.state == SL_PROCESS_DEGRADED)) {
        out.since = trouble->since;
        out.tries = trouble->tries;
        out.key = (struct sl_text){trouble->key, trouble->key_len};
        out.command = (struct sl_text){trouble->command, strlen(trouble->command)};
        out.why = (struct sl_text){trouble->why, strlen(trouble->why)};
    }
    out.stuck = out.state == SL_PROCESS_DEGRADED || out.state == SL_PROCESS_FAILED ||
                (out.state == SL_PROCESS_WAITING && out.tries >= STUCK_TRIES);
    return out;
}

bool sl_process_retry(struct sl_process_runner *runner)
{
    switch (sl_process_status(runner).state) {
    case SL_PROCESS_DEGRADED:
        runner->recall.asked = false;
        (void)sl_view_retry(runner->table);
        runner->moved = true;
        return true;
    case SL_PROCESS_WAITING:
        runner->again_ns = sl_env_monotonic(runner->options.env);
        return true;
    default:
        return false;
    }
}

void sl_process_skip(struct sl_process_runner *runner, uint64_t position)
{
    if (runner->table && sl_view_skip(runner->table, position)) {
        runner->reached = runner->reached > position ? runner->reached : position + 1;
        runner->trouble.is = false;
        runner->moved = true;
    } else if (runner->sending && runner->sent_position == position) {
        sl_process_give_up(runner);
    }
}

/* ---- It was said before ---------------------------------------------------------------------- */

void sl_process_recall_skips(struct sl_process_runner *runner)
{
    struct sl_process_recall *recall = &runner->recall;
    const uint64_t position = sl_view_table_status(runner->table).position;
    struct sl_buf key = {0};

    if (recall->under_way || (recall->asked && recall->position == position))
        return;
    sl_buf_printf(&key, "$skipped/%s", sl_process_name(runner));
    const struct sl_text stream = sl_arena_text(&recall->read.arena, sl_buf_as_text(&key));
    sl_buf_close(&key);
    if (!stream.ptr)
        return; /* no memory: it stays degraded, and a retry asks again */
    recall->runner = runner;
    recall->position = position;
    recall->asked = recall->under_way = true;
    recall->read = (struct sl_read){.message = {.reply_to = runner->options.mailbox,
                                                .kind = SL_PROCESS_SKIPS_READ},
                                    .by = SL_READ_STREAM,
                                    .key = stream,
                                    .until = UINT64_MAX,
                                    .backwards = true,
                                    .count_max = SKIPS_MAX,
                                    .bytes_max = SKIPS_BYTES,
                                    .arena = recall->read.arena};
    sl_event_store_read(runner->options.store, &recall->read);
}

void sl_process_recall_step(struct sl_message *message)
{
    struct sl_process_recall *recall = (struct sl_process_recall *)(void *)message;
    struct sl_read *read = &recall->read;
    struct sl_process_runner *runner = recall->runner;
    struct sl_event event;

    recall->under_way = false;
    recall->asked = !read->err;
    for (size_t i = 0; i < read->event_count && !read->err; i++)
        if (sl_model_decode(runner->options.model, &read->events[i], &read->arena, &event,
                            &read->error) == SL_OK &&
            event.type == &sl_event_skipped_type &&
            ((const struct sl_event_skipped *)event.body)->position == recall->position) {
            SL_MARK("process: skipped as recorded");
            sl_process_skip(runner, recall->position);
        }
    sl_arena_close(&read->arena);
}
