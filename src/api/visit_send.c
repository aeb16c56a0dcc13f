/*
 * Commands of a visit. They are built in blocks of the request's memory, handed to the engine all
 * at once, so that they share batches, and decided in their order: nothing else comes between, and
 * one that waits for a read holds up those behind it (command/writer_admit.c).
 */
#include "api/visit.h"

#include <string.h>

#include "command/digest.h"
#include "record/pack.h"

enum { BLOCK_ITEMS = 256 };

struct visit_item {
    struct sl_submission submission; /* first: it is what comes back */
    uint32_t place;
    enum sl_permission permission;
    bool is_named; /* the handler gave its id */
};

struct visit_block {
    struct visit_block *next;
    struct visit_item items[BLOCK_ITEMS];
};

/* ---- Building ------------------------------------------------------------------------------ */

/* Finds the command, and may it be sent; remembered, because most are like the one before. */
static bool find_kind(struct sl_visit *visit, const char *name)
{
    struct visit_commands *commands = &visit->commands;
    struct api_call *call = visit->call;

    if (commands->name == name)
        return true;
    const struct sl_command *command = sl_core_command(call->domain, api_text(name));
    if (!command)
        return false;
    const struct sl_deed deed = {SL_DO_COMMAND, visit->own->domain->name, command->name,
                                 command->roles, command->internal};
    commands->name = name;
    commands->command = command;
    commands->permission = sl_auth_may(call->who, &deed);
    return true;
}

static struct visit_item *next_item(struct sl_visit *visit)
{
    struct visit_commands *commands = &visit->commands;
    const size_t at = commands->count % BLOCK_ITEMS;

    if (at == 0) {
        struct visit_block *block = sl_arena_zeroed(visit->call->request->arena, 1, sizeof *block);
        if (!block)
            return NULL;
        if (commands->last)
            commands->last->next = block;
        else
            commands->first = block;
        commands->last = block;
    }
    return &commands->last->items[at];
}

void *sl_visit_send(struct sl_visit *visit, const char *command, const struct sl_uuid *id)
{
    struct visit_commands *commands = &visit->commands;

    if (!find_kind(visit, command)) {
        visit_fault(visit, true);
        return visit_spoil(visit, SL_RECORD_BYTES_MAX);
    }
    const struct sl_record *record = commands->command->record;
    if (commands->count == SL_VISIT_ITEMS_MAX) {
        visit_refuse(visit, "too_many_items", VISIT_NO_POSITION,
                     "a request makes at most %d commands at once", SL_VISIT_ITEMS_MAX);
        return visit_spoil(visit, record->size);
    }
    struct visit_item *item = next_item(visit);
    void *body = sl_arena_zeroed(visit->call->request->arena, 1, record->size);
    if (!item || !body)
        return visit_spoil(visit, record->size);
    item->place = (uint32_t)commands->count++;
    item->permission = commands->permission;
    item->is_named = id != NULL;
    item->submission.command = commands->command;
    item->submission.body = body;
    item->submission.principal = visit->call->who;
    if (id)
        item->submission.id = *id;
    return body;
}

/* ---- Sending ------------------------------------------------------------------------------- */

void visit_commands_begin(struct sl_visit *visit, struct sl_uuid id)
{
    visit->commands.base = id;
}

static void digest_request(struct sl_visit *visit)
{
    struct visit_commands *commands = &visit->commands;
    const struct sl_request *request = visit->call->request;
    const struct sl_principal *who = visit->call->who;

    if (commands->has_digest)
        return;
    commands->has_digest = true;
    const struct sl_slice parts[] = {
        {(const uint8_t *)who->name.ptr, who->name.len},
        {(const uint8_t *)"", 1},
        {(const uint8_t *)request->raw_path.ptr, request->raw_path.len},
        {(const uint8_t *)"?", 1},
        {(const uint8_t *)request->query.ptr, request->query.len},
        {(const uint8_t *)"", 1},
        {(const uint8_t *)request->body.ptr, request->body.len},
    };
    const size_t count = sizeof parts / sizeof *parts;
    commands->digest = sl_core_digest(visit->call->domain, parts, count);
    commands->plain_digest = sl_digest_plain(parts, count);
}

/* What a repeat must equal to be one. Where the request made the id, it is the request, as with
 * arrays; where the handler did, the same command may come in another request. */
static void digest_item(struct sl_visit *visit, struct visit_item *item)
{
    struct sl_submission *submission = &item->submission;
    const struct visit_commands *commands = &visit->commands;
    const char *name = submission->command->name;
    const struct sl_text who = submission->principal->name;
    struct sl_buf *scratch = &visit->call->api->out;
    struct sl_slice parts[] = {
        {(const uint8_t *)name, strlen(name) + 1},
        {(const uint8_t *)who.ptr, who.len},
        {(const uint8_t *)"", 1},
        {commands->plain_digest.bytes, sizeof commands->plain_digest.bytes},
    };
    const size_t count = sizeof parts / sizeof *parts;

    sl_buf_reset(scratch);
    if (item->is_named) {
        sl_pack(scratch, submission->command->record, submission->body);
        visit->failed = visit->failed || scratch->failed;
        parts[count - 1] = sl_buf_slice(scratch);
    }
    submission->plain_digest = sl_digest_plain(parts, count);
    if (!item->is_named)
        parts[count - 1].ptr = commands->digest.bytes;
    submission->digest = sl_core_digest(visit->call->domain, parts, count);
}

static void outcome_told(struct sl_visit *visit)
{
    if (--visit->commands.waiting == 0)
        visit_go_on(visit);
}

static struct sl_text kept(struct sl_visit *visit, struct sl_text text)
{
    if (text.len == 0)
        return (struct sl_text){NULL, 0};
    const struct sl_text copy = sl_arena_text(visit->call->request->arena, text);

    visit->failed = visit->failed || !copy.ptr;
    return copy.ptr ? copy : (struct sl_text){NULL, 0};
}

/* What a stored event points at is kept with it. NULL: it is known no more, or memory is out. */
static const struct sl_event *kept_event(struct sl_visit *visit, const struct sl_visit_event *of,
                                         const struct sl_stored_event *stored)
{
    struct sl_arena *arena = visit->call->request->arena;
    struct sl_stored_event copy = *stored;
    struct sl_event *event = sl_arena_take(arena, sizeof *event);
    struct sl_error error;

    copy.stream = of->stream;
    copy.body = sl_arena_slice(arena, stored->body);
    if (!event || !copy.body.ptr) {
        visit->failed = true;
        return NULL;
    }
    const enum sl_err err = sl_core_event_decode(visit->call->domain, &copy, arena, event, &error);
    visit->failed = visit->failed || err == SL_NO_MEMORY;
    return err == SL_OK ? event : NULL;
}

static void keep_events(struct sl_visit *visit, const struct sl_outcome *outcome,
                        struct sl_visit_outcome *out)
{
    struct sl_visit_event *events =
        sl_arena_zeroed(visit->call->request->arena, outcome->event_count, sizeof *events);

    if (!events) {
        visit->failed = true;
        return;
    }
    for (size_t i = 0; i < outcome->event_count; i++) {
        const struct sl_event_made *made = &outcome->events[i];
        events[i] = (struct sl_visit_event){.type = kept(visit, made->type),
                                            .stream = kept(visit, made->stream),
                                            .revision = made->revision,
                                            .position = made->position,
                                            .time = made->time};
        if (made->stored)
            events[i].event = kept_event(visit, &events[i], made->stored);
    }
    out->events = events;
    out->event_count = outcome->event_count;
}

static void command_done(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct sl_visit *visit = submission->user;
    const struct visit_item *item = (const struct visit_item *)submission;
    struct sl_visit_outcome *out = &visit->commands.outcomes[item->place];

    *out = (struct sl_visit_outcome){.status = outcome->status,
                                     .repeated = outcome->repeated,
                                     .rule = kept(visit, outcome->rule),
                                     .message = kept(visit, outcome->message),
                                     .field = kept(visit, outcome->field),
                                     .id = outcome->id,
                                     .position = outcome->position};
    if (outcome->event_count > 0)
        keep_events(visit, outcome, out);
    if (outcome->status == 422)
        api_saw_rule(visit->call->api, visit->own->domain, outcome->rule);
    visit_saw(visit, outcome->position);
    if (outcome->position > visit->wanted)
        visit->wanted = outcome->position;
    outcome_told(visit);
}

/* Checks what the handler made of it. True: it is to be sent; false: its outcome is there. */
static bool is_good(struct sl_visit *visit, struct visit_item *item)
{
    struct sl_visit_outcome *out = &visit->commands.outcomes[item->place];
    struct sl_submission *submission = &item->submission;
    struct sl_broken_rule broken;

    if (!item->is_named)
        submission->id =
            sl_command_item_id(visit->commands.base, visit->commands.earlier + item->place);
    *out = (struct sl_visit_outcome){.id = submission->id};
    if (item->permission != SL_PERMITTED) {
        out->status = (int)item->permission;
        out->rule =
            item->permission == SL_FORBIDDEN ? SL_TEXT("forbidden") : SL_TEXT("unauthorized");
        out->message = SL_TEXT("the visitor may not send this command");
        return false;
    }
    if (sl_record_validate(submission->command->record, submission->body, &broken) != SL_OK) {
        out->status = 400;
        out->rule = kept(visit, api_text(broken.rule));
        out->message = kept(visit, api_text(broken.message));
        out->field = kept(visit, api_text(broken.field));
        return false;
    }
    if (sl_uuid_is_nil(submission->id)) {
        out->status = 400;
        out->rule = SL_TEXT("bad_id");
        out->message = SL_TEXT("the nil UUID is no id");
        return false;
    }
    digest_item(visit, item);
    submission->wants_stored = visit->commands.wants_events;
    submission->done = command_done;
    submission->user = visit;
    return true;
}

static void outcomes_turn(struct sl_visit *visit)
{
    struct visit_commands *commands = &visit->commands;
    const size_t count = commands->count;

    commands->earlier += count;
    commands->count = 0;
    commands->first = commands->last = NULL;
    commands->then(visit, commands->outcomes, count);
}

static void begin_submission(struct sl_visit *visit)
{
    struct visit_commands *commands = &visit->commands;
    size_t left = commands->count;

    visit->turn = outcomes_turn;
    commands->waiting = 1;
    commands->outcomes =
        sl_arena_zeroed(visit->call->request->arena, left + 1, sizeof *commands->outcomes);
    if (!commands->outcomes) {
        visit->failed = true;
    } else if (sl_core_room(visit->call->domain) < left) {
        visit_refuse(visit, "overloaded", VISIT_NO_POSITION,
                     "too many commands are waiting: try again later");
    } else {
        digest_request(visit);
        for (struct visit_block *block = commands->first; block; block = block->next) {
            for (size_t i = 0; i < BLOCK_ITEMS && left > 0; i++, left--) {
                if (!is_good(visit, &block->items[i]))
                    continue;
                commands->waiting++;
                sl_core_submit(visit->call->domain, &block->items[i].submission);
            }
        }
    }
    outcome_told(visit);
}

void sl_visit_want_events(struct sl_visit *visit)
{
    visit->commands.wants_events = true;
}

void sl_visit_submit(struct sl_visit *visit,
                     void (*then)(struct sl_visit *visit, const struct sl_visit_outcome *outcomes,
                                  size_t count))
{
    if (!visit_wishes(visit, VISIT_MORE))
        return;
    visit->commands.then = then;
    visit->begin = begin_submission;
}

void sl_visit_answer_outcome(struct sl_visit *visit, const struct sl_visit_outcome *outcome)
{
    struct api_call *call = visit->call;
    const bool good = outcome->status == 201 || outcome->status == 202;
    struct sl_event_made *events = sl_visit_room(visit, outcome->event_count, sizeof *events);

    if (!visit_wishes(visit, VISIT_ANSWER))
        return;
    for (size_t i = 0; i < outcome->event_count; i++)
        events[i] = (struct sl_event_made){.type = outcome->events[i].type,
                                           .stream = outcome->events[i].stream,
                                           .revision = outcome->events[i].revision,
                                           .position = outcome->events[i].position};
    visit->status = outcome->status;
    visit->type = good ? API_JSON : "application/problem+json";
    sl_buf_reset(&call->api->out);
    api_write_outcome(call->domain,
                      &(struct sl_outcome){.status = outcome->status,
                                           .rule = outcome->rule,
                                           .message = outcome->message,
                                           .field = outcome->field,
                                           .id = outcome->id,
                                           .position = outcome->position,
                                           .events = events,
                                           .event_count = outcome->event_count},
                      false, &call->api->out);
    visit->failed = visit->failed || call->api->out.failed;
}
