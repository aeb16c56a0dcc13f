#include "spec/world.h"

#include <string.h>

#include "record/pack.h"
#include "record/value.h"

enum { ROUNDS_MAX = 4 };

static struct sl_text text_of(const char *string)
{
    return (struct sl_text){string, strlen(string)};
}

enum sl_err sl_world_set_now(struct sl_world *world, const char *now, struct sl_error *error)
{
    const struct sl_text text = text_of(now ? now : "2026-01-01");
    struct sl_date day;

    if (sl_value_read_time(text, &world->now))
        return SL_OK;
    if (!sl_value_read_date(text, &day))
        return sl_fail(error, SL_INVALID, "now is a day or an instant, not %s", now);
    world->now = sl_time_after((struct sl_time){0}, INT64_C(86400) * day.days);
    return SL_OK;
}

enum sl_err sl_world_read_body(struct sl_world *world, struct sl_text body,
                               const struct sl_record *record, void **out,
                               struct sl_broken_rule *broken, struct sl_error *error)
{
    struct sl_buf json = {0};
    void *item = sl_arena_zeroed(&world->arena, 1, record->size);
    enum sl_err err = item ? sl_notation_to_json(body, record, &json, error)
                           : sl_fail(error, SL_NO_MEMORY, "memory is out");

    if (!err) {
        err =
            sl_json_read(world->parser, record, sl_buf_as_text(&json), &world->arena, item, broken);
        if (!err)
            *out = item;
        else if (err != SL_INVALID)
            sl_fail(error, err, "a body cannot be read: %s", sl_err_name(err));
    }
    sl_buf_close(&json);
    return err;
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* The key of the aggregate as some command's table says it; NULL: none does. */
static const struct sl_place *place_of(const struct sl_model *model, struct sl_text aggregate)
{
    for (size_t i = 0; i < model->command_count; i++)
        for (size_t k = 0; k < model->commands[i].need_count; k++) {
            const struct sl_need_model *need = &model->commands[i].needs[k];
            if (sl_text_equals(text_of(need->aggregate->aggregate->name), aggregate))
                return &need->key;
        }
    return NULL;
}

/* Has the body a UUID that the word stands for? */
static bool has_uuid(const struct sl_record *record, const void *body, struct sl_text word)
{
    const struct sl_uuid id = sl_notation_uuid(word);

    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        const struct sl_uuid *value = (const void *)((const uint8_t *)body + field->offset);
        if (field->kind == SL_UUID && sl_uuid_equals(*value, id))
            return true;
    }
    return false;
}

enum sl_err sl_world_stream(struct sl_world *world, struct sl_text said,
                            const struct sl_record *record, const void *body, struct sl_text *out,
                            struct sl_error *error)
{
    const char *slash = said.len > 0 ? memchr(said.ptr, '/', said.len) : NULL;
    struct sl_buf stream = {0};

    if (!slash || slash == said.ptr)
        return sl_fail(error, SL_INVALID, "a stream is AGGREGATE/KEY, not \"%.*s\"", (int)said.len,
                       said.ptr);
    const struct sl_text aggregate = {said.ptr, (size_t)(slash - said.ptr)};
    const struct sl_place *place = place_of(world->model, aggregate);
    const char *end = said.ptr + said.len;
    uint32_t number = 0;
    sl_buf_text(&stream, aggregate);
    sl_buf_byte(&stream, '/');
    for (const char *part = slash + 1; part; number++) {
        const char *comma = memchr(part, ',', (size_t)(end - part));
        const struct sl_text word = {part, (size_t)((comma ? comma : end) - part)};
        if (place && number < place->count ? place->fields[number]->kind == SL_UUID
                                           : has_uuid(record, body, word))
            sl_value_write_uuid(&stream, sl_notation_uuid(word));
        else
            sl_buf_text(&stream, word);
        if (comma)
            sl_buf_byte(&stream, ',');
        part = comma ? comma + 1 : NULL;
    }
    *out = sl_arena_text(&world->arena, sl_buf_as_text(&stream));
    sl_buf_close(&stream);
    return out->ptr ? SL_OK : sl_fail(error, SL_NO_MEMORY, "memory is out");
}

/* ---- What happened --------------------------------------------------------------------------- */

static enum sl_err add_event(struct sl_world *world, const struct sl_said *said,
                             struct sl_error *error)
{
    const struct sl_event_model *model = sl_model_event_named(world->model, said->name);
    struct sl_event *event = &world->events[world->count];
    struct sl_broken_rule broken = {0};
    void *body;

    if (world->count == SL_WORLD_EVENTS_MAX)
        return sl_fail(error, SL_LIMIT, "more than %d events are given", SL_WORLD_EVENTS_MAX);
    if (!model)
        return sl_fail(error, SL_NOT_FOUND, "there is no event %.*s", (int)said->name.len,
                       said->name.ptr);
    enum sl_err err =
        sl_world_read_body(world, said->body, model->type->record, &body, &broken, error);
    if (err == SL_INVALID && broken.rule[0])
        sl_fail(error, err, "%s could not have happened: %s", model->type->name, broken.message);
    if (err)
        return err;
    *event = (struct sl_event){
        .type = model->type, .body = body, .position = world->count, .time = world->now};
    err = sl_world_stream(world, said->stream, model->type->record, body, &event->stream, error);
    if (err)
        return err;
    for (size_t i = 0; i < world->count; i++)
        event->revision += sl_text_equals(world->events[i].stream, event->stream);
    world->count++;
    return SL_OK;
}

enum sl_err sl_world_happen(struct sl_world *world, const char *given, struct sl_error *error)
{
    struct sl_text source = text_of(given ? given : "");
    enum sl_err err = SL_OK;

    if (!world->events)
        world->events = sl_arena_zeroed(&world->arena, SL_WORLD_EVENTS_MAX, sizeof *world->events);
    if (!world->events)
        return sl_fail(error, SL_NO_MEMORY, "memory is out");
    while (!err && !sl_notation_is_over(source)) {
        struct sl_said said;
        err = sl_notation_next(&source, &said, error);
        if (!err)
            err = add_event(world, &said, error);
    }
    return err;
}

/* ---- States ---------------------------------------------------------------------------------- */

/* Is the event tagged with this aggregate's name and key? */
static bool is_tagged(const struct sl_model *model, const struct sl_event *event,
                      struct sl_text name, struct sl_text key)
{
    const struct sl_event_model *event_model = sl_model_event(model, event->type);
    struct sl_buf text = {0};
    bool found = false;

    for (size_t i = 0; i < event_model->tag_count && !found; i++) {
        const struct sl_tag_rule *tag = &event_model->tags[i];
        sl_buf_reset(&text);
        found = sl_text_equals(tag->name, name) && !sl_place_is_empty(&tag->place, event->body) &&
                sl_place_write(&tag->place, event->body, &text) == SL_OK &&
                sl_text_equals(sl_buf_as_text(&text), key);
    }
    sl_buf_close(&text);
    return found;
}

/* The state after all that happened. Like the write side, it keeps of a state only what the record
 * describes. */
static const void *state_of(struct sl_world *world, const struct sl_aggregate *aggregate,
                            struct sl_text stream)
{
    const struct sl_record *record = aggregate->record;
    const size_t name_len = strlen(aggregate->name);
    const struct sl_text name = {stream.ptr, name_len};
    const struct sl_text key = {stream.ptr + name_len + 1, stream.len - name_len - 1};
    void *state = sl_arena_zeroed(&world->arena, 1, record->size);

    for (size_t i = 0; i < world->count && state; i++) {
        const struct sl_event *event = &world->events[i];
        if (!sl_text_equals(event->stream, stream) && !is_tagged(world->model, event, name, key))
            continue;
        aggregate->evolve(state, event);
        void *copy = sl_arena_take(&world->arena, sl_record_copy_size(record, state));
        state = copy ? sl_record_copy(record, state, copy) : NULL;
    }
    return state;
}

static enum sl_err add_need(struct sl_world *world, const struct sl_aggregate *aggregate,
                            struct sl_text key, struct sl_world_needs *needs)
{
    struct sl_buf stream = {0};

    if (needs->count == SL_COMMAND_NEEDS_MAX)
        return SL_LIMIT;
    sl_stream_name(&stream, aggregate->name, key);
    const struct sl_text name = sl_arena_text(&world->arena, sl_buf_as_text(&stream));
    sl_buf_close(&stream);
    const void *state = NULL;
    for (size_t i = 0; i < needs->count && name.ptr; i++)
        if (sl_text_equals(needs->streams[i], name))
            state = needs->states[i]; /* one aggregate has one state, however often it is named */
    if (!state && name.ptr)
        state = state_of(world, aggregate, name);
    if (!state)
        return SL_NO_MEMORY;
    needs->streams[needs->count] = name;
    needs->states[needs->count++] = state;
    return SL_OK;
}

/* One round of `more`: adds what it names. */
static enum sl_err add_more(struct sl_world *world, const struct sl_command *command,
                            const struct sl_case *c, struct sl_needs *asked,
                            struct sl_world_needs *needs)
{
    const size_t before = asked->count;

    command->more(c, asked);
    enum sl_err err = asked->failed;
    for (size_t i = before; i < asked->count && !err; i++)
        err = add_need(world, asked->asked[i].aggregate, asked->asked[i].key, needs);
    return err;
}

enum sl_err sl_world_need(struct sl_world *world, const struct sl_command_model *command,
                          struct sl_case *c, struct sl_world_needs *out, struct sl_error *error)
{
    struct sl_needs asked;
    struct sl_buf key = {0};
    enum sl_err err = SL_OK;

    out->count = 0;
    sl_needs_init(&asked, &world->arena);
    for (size_t i = 0; i < command->need_count && !err; i++) {
        const struct sl_aggregate *aggregate = command->needs[i].aggregate->aggregate;
        sl_buf_reset(&key);
        err = sl_place_write(&command->needs[i].key, c->command, &key);
        const struct sl_text text = sl_arena_text(&world->arena, sl_buf_as_text(&key));
        if (!err)
            err = add_need(world, aggregate, text, out);
        if (!err && !sl_needs_add(&asked, aggregate, text))
            err = asked.failed;
    }
    sl_buf_close(&key);
    c->state = out->states;
    c->state_count = out->count;
    for (int round = 0; !err && command->command->more; round++) {
        err = add_more(world, command->command, c, &asked, out);
        if (!err && out->count == c->state_count)
            break;
        if (round == ROUNDS_MAX)
            err = SL_LIMIT;
        c->state_count = out->count;
    }
    return err ? sl_fail(error, err, "%s needs too much: %s", command->command->name,
                         sl_err_name(err))
               : SL_OK;
}

void sl_world_close(struct sl_world *world)
{
    sl_arena_close(&world->arena);
    *world = (struct sl_world){0};
}
