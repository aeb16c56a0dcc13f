#include "command/decide.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "record/json.h"
#include "record/value.h"

/* A body for events that cannot be taken any more, so that `decide` may go on writing: the whole
 * decision is thrown away afterwards. */
static _Thread_local _Alignas(16) uint8_t scrap[SL_RECORD_BYTES_MAX];

void sl_decision_reset(struct sl_decision *decision, struct sl_arena *arena, size_t need_count)
{
    decision->arena = arena;
    decision->need_count = need_count;
    decision->count = 0;
    decision->rule = decision->message = decision->field = NULL;
    decision->failed = SL_OK;
}

void sl_decision_close(struct sl_decision *decision)
{
    free(decision->events);
    free(decision->spare);
    *decision = (struct sl_decision){0};
}

enum sl_err sl_decision_reserve(struct sl_decision *decision)
{
    if (!decision->spare)
        decision->spare = malloc(SL_ROOM_BYTES_MAX);
    return decision->spare ? SL_OK : SL_NO_MEMORY;
}

static bool grow(struct sl_decision *decision)
{
    const size_t capacity = decision->capacity ? decision->capacity * 2 : 16;
    struct sl_emitted *events = realloc(decision->events, capacity * sizeof *events);

    if (!events)
        return false;
    decision->events = events;
    decision->capacity = capacity;
    return true;
}

static void *spoil(struct sl_decision *out, enum sl_err why, size_t size)
{
    void *room = size <= sizeof scrap ? scrap : out->spare;

    SL_ASSERT(room, "M1");
    if (!out->failed)
        out->failed = why;
    memset(room, 0, size);
    return room;
}

/* Memory from the arena failed: has it run into its ceiling, or is there none? */
static enum sl_err no_room(const struct sl_decision *out)
{
    const size_t max = out->arena->bytes_max ? out->arena->bytes_max : (size_t)64 << 20;
    return out->arena->total > max / 4 * 3 ? SL_LIMIT : SL_NO_MEMORY;
}

void *sl_emit(struct sl_decision *out, const struct sl_event_type *type, size_t need)
{
    const size_t size = type->record->size;

    if (need >= out->need_count)
        return spoil(out, SL_INVALID, size);
    if (out->count == SL_DECISION_EVENTS_MAX)
        return spoil(out, SL_LIMIT, size);
    if (out->count == out->capacity && !grow(out))
        return spoil(out, SL_NO_MEMORY, size);
    void *body = sl_arena_zeroed(out->arena, 1, size);
    if (!body)
        return spoil(out, no_room(out), size);
    out->events[out->count++] = (struct sl_emitted){type, body, need};
    return body;
}

void *sl_room(struct sl_decision *out, size_t count, size_t size)
{
    size_t bytes;

    SL_ASSERT(!__builtin_mul_overflow(count, size, &bytes) && bytes <= SL_ROOM_BYTES_MAX, "M1");
    void *room = sl_arena_zeroed(out->arena, count, size);
    return room ? room : spoil(out, no_room(out), bytes);
}

enum sl_verdict sl_refuse(struct sl_decision *out, const char *rule, const char *message)
{
    out->rule = rule;
    out->message = message;
    out->field = NULL;
    return SL_REFUSED;
}

enum sl_verdict sl_refuse_item(struct sl_decision *out, const char *rule, const char *message,
                               const char *field, size_t item)
{
    (void)sl_refuse(out, rule, message);
    out->field = field;
    out->item = item;
    return SL_REFUSED;
}

/* ---- Needs: searched one by one while they are few, then by hash ----------------------------- */

void sl_needs_init(struct sl_needs *needs, struct sl_arena *arena)
{
    needs->arena = arena;
    needs->asked = needs->few;
    needs->count = 0;
    needs->capacity = SL_NEEDS_FEW;
    needs->index = NULL;
    needs->failed = SL_OK;
}

static uint64_t hash_of(const struct sl_aggregate *aggregate, struct sl_text key)
{
    return sl_hash64(key.ptr, key.len, (uint64_t)(uintptr_t)aggregate);
}

static void enter(struct sl_needs *needs, size_t place)
{
    const size_t mask = 2 * needs->capacity - 1;
    size_t slot = hash_of(needs->asked[place].aggregate, needs->asked[place].key) & mask;

    while (needs->index[slot])
        slot = (slot + 1) & mask;
    needs->index[slot] = (uint32_t)place + 1;
}

static bool grow_needs(struct sl_needs *needs)
{
    const size_t capacity = needs->capacity * 4;
    struct sl_asked *asked = sl_arena_zeroed(needs->arena, capacity, sizeof *asked);
    uint32_t *index = sl_arena_zeroed(needs->arena, 2 * capacity, sizeof *index);

    if (!asked || !index)
        return false;
    memcpy(asked, needs->asked, needs->count * sizeof *asked);
    needs->asked = asked;
    needs->index = index;
    needs->capacity = capacity;
    for (size_t i = 0; i < needs->count; i++)
        enter(needs, i);
    return true;
}

bool sl_needs_add(struct sl_needs *needs, const struct sl_aggregate *aggregate, struct sl_text key)
{
    if (needs->count == SL_COMMAND_NEEDS_MAX) {
        needs->failed = SL_LIMIT;
        return false;
    }
    if (needs->count == needs->capacity && !grow_needs(needs)) {
        needs->failed = SL_NO_MEMORY;
        return false;
    }
    needs->asked[needs->count] = (struct sl_asked){aggregate, key};
    if (needs->index)
        enter(needs, needs->count);
    needs->count++;
    return true;
}

static bool is_asked(const struct sl_asked *asked, const struct sl_aggregate *aggregate,
                     struct sl_text key)
{
    return asked->aggregate == aggregate && sl_text_equals(asked->key, key);
}

/* Its place, the first of several; the count: it was not asked for. */
static size_t place_of(const struct sl_needs *needs, const struct sl_aggregate *aggregate,
                       struct sl_text key)
{
    if (!needs->index) {
        size_t place = 0;
        while (place < needs->count && !is_asked(&needs->asked[place], aggregate, key))
            place++;
        return place;
    }
    const size_t mask = 2 * needs->capacity - 1;
    for (size_t slot = hash_of(aggregate, key) & mask; needs->index[slot]; slot = (slot + 1) & mask)
        if (is_asked(&needs->asked[needs->index[slot] - 1], aggregate, key))
            return needs->index[slot] - 1;
    return needs->count;
}

size_t sl_need_key(struct sl_needs *out, const struct sl_aggregate *aggregate, struct sl_text key)
{
    const size_t place = place_of(out, aggregate, key);

    if (place < out->count)
        return place;
    if (key.len > SL_PLACE_BYTES_MAX) {
        out->failed = SL_LIMIT;
        return 0;
    }
    struct sl_text copy = sl_arena_text(out->arena, key);
    if (key.len > 0 && !copy.ptr) {
        out->failed = SL_NO_MEMORY;
        return 0;
    }
    return sl_needs_add(out, aggregate, copy) ? place : 0;
}

void *sl_needs_room(struct sl_needs *out, size_t count, size_t size)
{
    void *room = sl_arena_zeroed(out->arena, count, size);

    if (!room)
        out->failed = SL_NO_MEMORY;
    return room;
}

struct sl_text sl_key_of(struct sl_needs *out, enum sl_kind kind, const void *value)
{
    const struct sl_field field = {.name = "key", .kind = kind};
    const struct sl_place place = {1, {&field}};
    struct sl_buf buf = {.bytes_max = 4 * SL_PLACE_BYTES_MAX};
    struct sl_text key = {0};

    enum sl_err err = sl_place_write_values(&place, &value, 1, &buf);
    if (!err)
        key = sl_arena_text(out->arena, sl_buf_as_text(&buf));
    if (!err && !key.ptr)
        err = SL_NO_MEMORY;
    if (err)
        out->failed = err;
    sl_buf_close(&buf);
    return key;
}

enum sl_verdict sl_decide(const struct sl_command *command, const struct sl_case *c,
                          struct sl_decision *decision)
{
    enum sl_verdict verdict = command->decide(c, decision);

    if (verdict == SL_REFUSED) {
        SL_ASSERT(decision->rule, "a refusal names its rule");
        if (command->ids != SL_BY_DOMAIN)
            decision->count = 0;
    }
    return verdict;
}

static const struct sl_field *field_named(const struct sl_record *record, const char *name,
                                          size_t len)
{
    for (uint32_t i = 0; i < record->field_count; i++)
        if (strlen(record->fields[i].name) == len && memcmp(record->fields[i].name, name, len) == 0)
            return &record->fields[i];
    return NULL;
}

void sl_message_fill(struct sl_buf *out, const char *message, const struct sl_record *record,
                     const void *command)
{
    for (const char *p = message; *p; p++) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        const struct sl_field *field =
            end ? field_named(record, p + 1, (size_t)(end - p - 1)) : NULL;

        if (!field || field->personal_of) {
            sl_buf_byte(out, (uint8_t)*p);
            continue;
        }
        const void *value = (const uint8_t *)command + field->offset;
        if (field->kind == SL_LIST_KIND || field->kind == SL_NESTED || field->kind == SL_MONEY)
            sl_json_write_value(out, field, value);
        else
            sl_value_write(out, field, value);
        p = end;
    }
}

void sl_stream_name(struct sl_buf *out, const char *aggregate, struct sl_text key)
{
    sl_buf_append(out, aggregate, strlen(aggregate));
    sl_buf_byte(out, '/');
    sl_buf_text(out, key);
}
