#include "model/model.h"

#include <stdio.h>
#include <string.h>

#include "model/keep.h"
#include "record/pack.h"

const struct sl_record sl_timer_fired_record = SL_RECORD(struct sl_timer_fired,
    SL_FIELD(struct sl_timer_fired, process, .required = true),
    SL_FIELD(struct sl_timer_fired, key),
    SL_FIELD(struct sl_timer_fired, timer, .required = true),
    SL_FIELD(struct sl_timer_fired, due),
    SL_FIELD(struct sl_timer_fired, set_at));

const struct sl_record sl_refusal_told_record = SL_RECORD(struct sl_refusal_told,
    SL_FIELD(struct sl_refusal_told, process, .required = true),
    SL_FIELD(struct sl_refusal_told, key),
    SL_FIELD(struct sl_refusal_told, command, .required = true),
    SL_FIELD(struct sl_refusal_told, rule, .required = true));

const struct sl_record sl_process_advanced_record = SL_RECORD(struct sl_process_advanced,
    SL_FIELD(struct sl_process_advanced, process, .required = true),
    SL_FIELD(struct sl_process_advanced, position));

const struct sl_record sl_event_skipped_record = SL_RECORD(struct sl_event_skipped,
    SL_FIELD(struct sl_event_skipped, view, .required = true),
    SL_FIELD(struct sl_event_skipped, position),
    SL_FIELD(struct sl_event_skipped, why));

const struct sl_event_type sl_timer_fired_type = {"$TimerFired", 1, &sl_timer_fired_record};
const struct sl_event_type sl_refusal_told_type = {"$RefusalTold", 1, &sl_refusal_told_record};
const struct sl_event_type sl_process_advanced_type = {"$ProcessAdvanced", 1,
                                                       &sl_process_advanced_record};
const struct sl_event_type sl_event_skipped_type = {"$EventSkipped", 1, &sl_event_skipped_record};

static const struct sl_event_type *const own_types[] = {
    &sl_timer_fired_type, &sl_refusal_told_type, &sl_process_advanced_type,
    &sl_event_skipped_type};

enum { OWN_TYPES = sizeof own_types / sizeof own_types[0], OWN_COMMANDS = 8 };

static enum sl_err compile_event(struct sl_event_model *model, const struct sl_event_type *type,
                                 struct sl_error *error)
{
    struct sl_error inner = {0};

    model->type = type;
    if (!type->name || !type->name[0] || !type->record || type->version == 0)
        return sl_fail(error, SL_INVALID, "event %s needs a name, a record and a version from 1",
                       type->name ? type->name : "?");
    if (sl_record_check(type->record, &inner) != SL_OK)
        return sl_fail(error, SL_INVALID, "event %s: %s", type->name, inner.message);
    if (type->record->size > SL_RECORD_BYTES_MAX)
        return sl_fail(error, SL_LIMIT, "event %s: its struct has %u bytes, at most %u may be",
                       type->name, type->record->size, SL_RECORD_BYTES_MAX);
    if (type->tags &&
        sl_tags_parse(type->record, type->tags, model->tags, &model->tag_count, &inner) != SL_OK)
        return sl_fail(error, SL_INVALID, "event %s, tags: %s", type->name, inner.message);
    for (size_t i = 0; i < model->tag_count; i++)
        for (uint32_t f = 0; f < model->tags[i].place.count; f++)
            if (model->tags[i].place.fields[f]->personal_of)
                return sl_fail(error, SL_INVALID, "event %s, tags: %s is personal data", type->name,
                               model->tags[i].place.fields[f]->name);
    int64_t keep_ns;
    if (type->keep && !sl_keep_read(type->keep, &keep_ns))
        return sl_fail(error, SL_INVALID, "event %s, keep: %s is no span of time such as 90d",
                       type->name, type->keep);
    model->digest = sl_record_digest(type->record);
    if (model->digest == 0)
        return sl_fail(error, SL_NO_MEMORY, "no memory for event %s", type->name);
    model->flat = sl_record_is_flat(type->record);
    return SL_OK;
}

static const struct sl_aggregate_model *aggregate_of(struct sl_model *model,
                                                     const struct sl_aggregate *aggregate)
{
    for (size_t i = 0; i < model->aggregate_count; i++)
        if (model->aggregates[i].aggregate == aggregate)
            return &model->aggregates[i];
    struct sl_aggregate_model *made = &model->aggregates[model->aggregate_count++];
    made->aggregate = aggregate;
    made->flat = sl_record_is_flat(aggregate->record);
    return made;
}

static enum sl_err compile_need(struct sl_model *model, struct sl_need_model *out,
                                const struct sl_command *command, const struct sl_need *need,
                                struct sl_error *error)
{
    struct sl_error inner = {0};
    const struct sl_aggregate *aggregate = need->aggregate;

    if (!aggregate || !aggregate->name || !aggregate->record || !aggregate->evolve)
        return sl_fail(error, SL_INVALID,
                       "command %s needs an aggregate without name, record or evolve",
                       command->name);
    if (strpbrk(aggregate->name, command->name[0] == '$' ? "/:, " : "/:,$ "))
        return sl_fail(error, SL_INVALID, "aggregate %s: a name has none of / : , $ and space",
                       aggregate->name);
    if (sl_record_check(aggregate->record, &inner) != SL_OK)
        return sl_fail(error, SL_INVALID, "aggregate %s: %s", aggregate->name, inner.message);
    if (strlen(aggregate->name) > SL_AGGREGATE_NAME_MAX ||
        aggregate->record->size > SL_RECORD_BYTES_MAX)
        return sl_fail(error, SL_LIMIT,
                       "aggregate %.70s: a name has at most %d bytes, a struct at most %u",
                       aggregate->name, SL_AGGREGATE_NAME_MAX, SL_RECORD_BYTES_MAX);
    /* Streams are told apart by the name alone. */
    for (size_t i = 0; i < model->aggregate_count; i++)
        if (model->aggregates[i].aggregate != aggregate &&
            strcmp(model->aggregates[i].aggregate->name, aggregate->name) == 0)
            return sl_fail(error, SL_INVALID, "two aggregates are named %s", aggregate->name);
    if (!need->key)
        return sl_fail(error, SL_INVALID, "command %s, need %s: it has no key", command->name,
                       aggregate->name);
    /* No fields: the aggregate of which there is but one. */
    if (need->key[0] != '\0' &&
        sl_place_parse(command->record, need->key, &out->key, &inner) != SL_OK)
        return sl_fail(error, SL_INVALID, "command %s, need %s: %s", command->name,
                       aggregate->name, inner.message);
    for (uint32_t f = 0; f < out->key.count; f++)
        if (out->key.fields[f]->personal_of)
            return sl_fail(error, SL_INVALID, "command %s, need %s: %s is personal data",
                           command->name, aggregate->name, out->key.fields[f]->name);
    out->aggregate = aggregate_of(model, aggregate);
    return SL_OK;
}

static enum sl_err compile_command(struct sl_model *model, struct sl_command_model *out,
                                   const struct sl_command *command, struct sl_error *error)
{
    struct sl_error inner = {0};

    out->command = command;
    if (!command->name || !command->record || !command->decide)
        return sl_fail(error, SL_INVALID, "command %s needs a name, a record and decide",
                       command->name ? command->name : "?");
    const bool own = command->name[0] == '$';
    if (strlen(command->name) > 64 ||
        (!own && (command->name[0] < 'A' || command->name[0] > 'Z')))
        return sl_fail(error, SL_INVALID, "command %s: a name is CamelCase and at most 64 bytes",
                       command->name);
    if (sl_record_check(command->record, &inner) != SL_OK)
        return sl_fail(error, SL_INVALID, "command %s: %s", command->name, inner.message);
    if (command->needs.count > SL_NEEDS_MAX)
        return sl_fail(error, SL_INVALID, "command %s: more than %d needs", command->name,
                       SL_NEEDS_MAX);
    out->needs = sl_arena_zeroed(&model->arena, command->needs.count + 1, sizeof *out->needs);
    if (!out->needs)
        return sl_fail(error, SL_NO_MEMORY, "no memory");
    for (size_t i = 0; i < command->needs.count; i++) {
        enum sl_err err =
            compile_need(model, &out->needs[i], command, &command->needs.items[i], error);
        if (err)
            return err;
    }
    out->need_count = command->needs.count;
    return SL_OK;
}

static enum sl_err compile_all(struct sl_model *model, struct sl_error *error)
{
    const struct sl_domain *domain = model->domain;

    for (size_t i = 0; i < domain->events.count; i++, model->event_count++) {
        enum sl_err err = compile_event(&model->events[i], domain->events.items[i], error);
        if (err)
            return err;
        for (size_t k = 0; k < i; k++)
            if (strcmp(domain->events.items[k]->name, domain->events.items[i]->name) == 0)
                return sl_fail(error, SL_INVALID, "event %s stands twice",
                               domain->events.items[i]->name);
    }
    for (size_t i = 0; i < OWN_TYPES; i++, model->event_count++) {
        enum sl_err err = compile_event(&model->events[model->event_count], own_types[i], error);
        if (err)
            return err;
    }
    for (size_t i = 0; i < domain->commands.count; i++, model->command_count++) {
        enum sl_err err =
            compile_command(model, &model->commands[i], &domain->commands.items[i], error);
        if (err)
            return err;
    }
    return SL_OK;
}

enum sl_err sl_model_init(struct sl_model *model, const struct sl_domain *domain,
                          struct sl_error *error)
{
    size_t needs = 0;
    struct sl_error inner = {0};
    enum sl_err err;

    *model = (struct sl_model){.domain = domain};
    if (domain->abi > SL_DOMAIN_ABI)
        return sl_fail(error, SL_UNSUPPORTED,
                       "domain %s was built for a newer Sluice (%u, here %u)",
                       domain->name ? domain->name : "?", domain->abi, SL_DOMAIN_ABI);
    if (!domain->name || !domain->name[0] ||
        strspn(domain->name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(domain->name))
        return sl_fail(error, SL_INVALID, "a domain's name has small letters, digits and - only");
    for (size_t i = 0; i < domain->commands.count; i++)
        needs += domain->commands.items[i].needs.count;
    model->events = sl_arena_zeroed(&model->arena, domain->events.count + OWN_TYPES,
                                    sizeof *model->events);
    model->commands = sl_arena_zeroed(&model->arena, domain->commands.count + OWN_COMMANDS,
                                      sizeof *model->commands);
    model->aggregates =
        sl_arena_zeroed(&model->arena, needs + OWN_COMMANDS, sizeof *model->aggregates);
    if (!model->events || !model->commands || !model->aggregates)
        err = sl_fail(&inner, SL_NO_MEMORY, "no memory");
    else
        err = compile_all(model, &inner);
    if (err) {
        sl_model_close(model);
        return sl_fail(error, err, "domain %s: %s", domain->name, inner.message);
    }
    return SL_OK;
}

enum sl_err sl_model_add_command(struct sl_model *model, const struct sl_command *command,
                                 struct sl_error *error)
{
    SL_ASSERT(command->name[0] == '$');
    SL_ASSERT(model->command_count < model->domain->commands.count + OWN_COMMANDS);
    enum sl_err err =
        compile_command(model, &model->commands[model->command_count], command, error);
    if (!err)
        model->command_count++;
    return err;
}

void sl_model_close(struct sl_model *model)
{
    sl_arena_close(&model->arena);
    *model = (struct sl_model){0};
}

static bool named(const char *name, struct sl_text text)
{
    return strlen(name) == text.len && memcmp(name, text.ptr, text.len) == 0;
}

const struct sl_command_model *sl_model_command(const struct sl_model *model, struct sl_text name)
{
    for (size_t i = 0; i < model->command_count; i++)
        if (named(model->commands[i].command->name, name))
            return &model->commands[i];
    return NULL;
}

const struct sl_event_model *sl_model_event(const struct sl_model *model,
                                            const struct sl_event_type *type)
{
    for (size_t i = 0; i < model->event_count; i++)
        if (model->events[i].type == type)
            return &model->events[i];
    return NULL;
}

const struct sl_event_model *sl_model_event_named(const struct sl_model *model, struct sl_text name)
{
    for (size_t i = 0; i < model->event_count; i++)
        if (named(model->events[i].type->name, name))
            return &model->events[i];
    return NULL;
}

/* The record of the version in which an event was stored. */
static const struct sl_record *record_of_version(const struct sl_event_type *type, uint32_t version)
{
    if (version == type->version)
        return type->record;
    for (size_t i = 0; i < type->upcasts.count; i++)
        if (type->upcasts.items[i].version == version)
            return type->upcasts.items[i].record;
    return NULL;
}

static const struct sl_upcast *upcast_from(const struct sl_event_type *type, uint32_t version)
{
    for (size_t i = 0; i < type->upcasts.count; i++)
        if (type->upcasts.items[i].version == version)
            return &type->upcasts.items[i];
    return NULL;
}

bool sl_model_is_somebody(struct sl_text name)
{
    return name.len > 0 && !sl_text_equals(name, SL_TEXT("anonymous"));
}

bool sl_model_is_by(struct sl_text tag)
{
    return tag.len > 0 && tag.ptr[0] == SL_BY_TAG[0];
}

struct sl_text sl_model_by(const struct sl_stored_event *stored)
{
    const size_t skip = strlen(SL_BY_TAG);

    if (stored->tag_count == 0)
        return (struct sl_text){0};
    const struct sl_text last = stored->tags[stored->tag_count - 1];
    return sl_model_is_by(last) && last.len > skip
               ? (struct sl_text){last.ptr + skip, last.len - skip}
               : (struct sl_text){0};
}

enum sl_err sl_model_decode(const struct sl_model *model, const struct sl_stored_event *stored,
                            struct sl_arena *arena, struct sl_event *out, struct sl_error *error)
{
    if (stored->is_stone)
        return sl_fail(error, SL_NOT_FOUND, "the event at %llu is gone: retention took it",
                       (unsigned long long)stored->position);
    const struct sl_event_model *event = sl_model_event_named(model, stored->schema->name);
    if (!event)
        return sl_fail(error, SL_NOT_FOUND, "domain %s knows no event %.*s", model->domain->name,
                       (int)stored->schema->name.len, stored->schema->name.ptr);

    const struct sl_event_type *type = event->type;
    uint32_t version = stored->schema->version;
    const struct sl_record *record = record_of_version(type, version);
    if (!record)
        return sl_fail(error, SL_UNSUPPORTED,
                       "event %s at %llu has version %u, which nothing upcasts", type->name,
                       (unsigned long long)stored->position, version);

    void *body = sl_arena_zeroed(arena, 1, record->size);
    if (!body)
        return sl_fail(error, SL_NO_MEMORY, "no memory for an event of %u bytes", record->size);
    enum sl_err err = sl_unpack(record, stored->body, arena, body, error);
    if (err)
        return err;
    while (version < type->version) {
        const struct sl_upcast *upcast = upcast_from(type, version);
        record = record_of_version(type, version + 1);
        void *raised = upcast && record ? sl_arena_zeroed(arena, 1, record->size) : NULL;
        if (!raised)
            return sl_fail(error, SL_UNSUPPORTED, "event %s: no way from version %u to %u",
                           type->name, version, type->version);
        upcast->raise(body, raised);
        body = raised;
        version++;
    }
    *out = (struct sl_event){.type = type,
                             .body = body,
                             .position = stored->position,
                             .revision = stored->revision,
                             .time = stored->time,
                             .stream = stored->stream,
                             .command = stored->command,
                             .principal = sl_model_by(stored)};
    return SL_OK;
}
