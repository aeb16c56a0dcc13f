#include "stores/log/query.h"

#include "stores/log/stone.h"
#include "stores/log/trace.h"

#include <string.h>

enum {
    ANSWER_EVENTS_MAX = 1 << 16, /* of one answer; `end` says that there are more */
    KEY_EVENTS_FIRST = 64,
};

struct query {
    struct sl_log_known *known;
    struct sl_read *read;
    uint64_t until; /* read->until, but not beyond what is durable */
    size_t count_max;
    size_t bytes; /* of frames handed out */
    bool full;    /* the arena has no room for more */
};

static bool has_room(const struct query *query, size_t count)
{
    return !query->full && count < query->count_max &&
           (count == 0 || query->bytes < query->read->bytes_max);
}

/* Memory ran out: what was found so far is an answer, nothing is an error. */
static enum sl_err no_room(struct query *query)
{
    struct sl_read *read = query->read;

    query->full = true;
    if (read->event_count > 0 || read->outcome_count > 0)
        return SL_OK;
    return sl_fail(&read->error, SL_NO_MEMORY, "the answer to a read does not fit into its arena");
}

static enum sl_err damaged(struct query *query, uint64_t position)
{
    return sl_fail(&query->read->error, SL_CORRUPT, "%s: the event at position %llu is damaged",
                   query->known->shelf.folder->path, (unsigned long long)position);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* Makes an event of a frame whose payload lies in the arena already. */
static enum sl_err make_event(struct query *query, const struct sl_log_frame *frame,
                              uint64_t position)
{
    const struct sl_log_known *known = query->known;
    struct sl_read *read = query->read;
    struct sl_text *tags = NULL;
    struct sl_log_event found;

    if (!sl_log_frame_event(frame, &found) || found.schema >= known->schema_count ||
        !known->schemas[found.schema])
        return damaged(query, position);
    if (found.tag_count > 0) {
        tags = sl_arena_take(&read->arena, found.tag_count * sizeof *tags);
        if (!tags)
            return no_room(query);
    }
    for (uint32_t i = 0; i < found.tag_count; i++)
        tags[i] = sl_log_tag_next(&found.tags);
    read->events[read->event_count++] = (struct sl_stored_event){
        .position = position,
        .revision = found.revision,
        .time = found.time,
        .command = found.command,
        .schema = known->schemas[found.schema],
        .stream = found.stream,
        .tags = tags,
        .tag_count = found.tag_count,
        .body = found.body,
        .is_stone = frame->kind == SL_LOG_STONE,
    };
    return SL_OK;
}

static enum sl_err take_events_array(struct query *query, uint64_t count)
{
    struct sl_read *read = query->read;

    if (count > read->count_max)
        count = read->count_max;
    if (count > ANSWER_EVENTS_MAX)
        count = ANSWER_EVENTS_MAX;
    if (count > read->bytes_max / 16 + 1)
        count = read->bytes_max / 16 + 1; /* no event is smaller */
    query->count_max = (size_t)count;
    if (count == 0)
        return SL_OK;
    read->events = sl_arena_take(&read->arena, query->count_max * sizeof *read->events);
    return read->events ? SL_OK : no_room(query);
}

/* The frame of the next event, or of its stone; others are passed over. */
static bool next_event(struct sl_cursor *cursor, struct sl_log_frame *frame)
{
    while (sl_log_frame_next(cursor, frame) == SL_OK)
        if (sl_log_has_position(frame))
            return true;
    return false;
}

/* ---- By position ----------------------------------------------------------------------------- */

/* `count` events of a batch from its `skip`-th on, all in one copy, or as many as bytes_max lets
 * through when `limited`. */
static enum sl_err copy_run(struct query *query, struct sl_slice frames, uint64_t position,
                            uint64_t skip, uint64_t count, bool limited)
{
    struct sl_read *read = query->read;
    struct sl_cursor cursor = sl_cursor_of(frames);
    struct sl_log_frame frame;
    const uint8_t *start = cursor.next;
    uint64_t taken = 0;

    for (; skip > 0; skip--) {
        if (!next_event(&cursor, &frame))
            return damaged(query, position);
        start = cursor.next;
    }
    while (taken < count && (!limited || has_room(query, read->event_count + (size_t)taken))) {
        if (!next_event(&cursor, &frame))
            return damaged(query, position + taken);
        query->bytes += frame.payload.len;
        taken++;
    }
    const struct sl_slice copy =
        sl_arena_slice(&read->arena, (struct sl_slice){start, (size_t)(cursor.next - start)});
    if (!copy.ptr)
        return no_room(query);
    cursor = sl_cursor_of(copy);
    for (uint64_t i = 0; i < taken && !query->full; i++) {
        if (!next_event(&cursor, &frame))
            return damaged(query, position + i);
        const enum sl_err err = make_event(query, &frame, position + i);
        if (err != SL_OK)
            return err;
    }
    return SL_OK;
}

static enum sl_err by_position(struct query *query)
{
    struct sl_log_known *known = query->known;
    struct sl_read *read = query->read;
    uint64_t position = read->from;
    struct sl_log_stretch stretch;

    enum sl_err err = take_events_array(query, query->until - position);
    if (err == SL_OK)
        err = sl_log_known_find(known, false, position, &stretch, &read->error);
    while (err == SL_OK && position < query->until && has_room(query, read->event_count)) {
        struct sl_slice frames;

        /* A stretch that has none of it was passed over, or holds no events. */
        if (position >= stretch.first_position + stretch.event_count) {
            err = sl_log_known_next(known, &stretch, &read->error);
            continue;
        }
        if (position < stretch.first_position)
            return damaged(query, position);
        uint64_t count = stretch.first_position + stretch.event_count - position;
        if (count > query->until - position)
            count = query->until - position;
        err = sl_log_known_frames(known, &stretch, true, &frames, &read->error);
        if (err == SL_OK)
            err = copy_run(query, frames, position, position - stretch.first_position, count, true);
        position = read->from + read->event_count;
    }
    if (err == SL_NOT_FOUND)
        return damaged(query, position);
    read->next = position;
    read->end = position >= query->until;
    return err;
}

static void turn_round(struct sl_stored_event *events, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        const struct sl_stored_event event = events[i];
        events[i] = events[count - 1 - i];
        events[count - 1 - i] = event;
    }
}

static enum sl_err by_position_backwards(struct query *query)
{
    struct sl_log_known *known = query->known;
    struct sl_read *read = query->read;
    uint64_t position = query->until; /* above the next one to hand out */

    enum sl_err err = take_events_array(query, position - read->from);
    while (err == SL_OK && position > read->from && has_room(query, read->event_count)) {
        const size_t before = read->event_count;
        struct sl_log_stretch stretch;
        struct sl_slice frames;

        err = sl_log_known_find(known, false, position - 1, &stretch, &read->error);
        if (err == SL_NOT_FOUND || (err == SL_OK && stretch.first_position >= position))
            return damaged(query, position - 1);
        if (err != SL_OK)
            break;
        uint64_t first = stretch.first_position > read->from ? stretch.first_position : read->from;
        if (position - first > query->count_max - before)
            first = position - (query->count_max - before);
        err = sl_log_known_frames(known, &stretch, false, &frames, &read->error);
        if (err == SL_OK)
            err = copy_run(query, frames, first, first - stretch.first_position, position - first,
                           false);
        if (err != SL_OK)
            break;
        if (query->full) {
            read->event_count = before; /* the older half of a batch is no answer */
            err = before == 0 ? no_room(query) : SL_OK;
            break;
        }
        turn_round(read->events + before, read->event_count - before);
        position = first;
    }
    read->next = position;
    read->end = position <= read->from;
    return err;
}

/* ---- By key ---------------------------------------------------------------------------------- */

/* The tag that stands for an aggregate: "account/7" is tagged "account:7". */
static bool is_tag_of(struct sl_text aggregate, struct sl_text tag)
{
    if (tag.len != aggregate.len)
        return false;
    const char *slash = memchr(aggregate.ptr, '/', aggregate.len);
    if (!slash)
        return false;
    const size_t name = (size_t)(slash - aggregate.ptr);
    return memcmp(tag.ptr, aggregate.ptr, name) == 0 && tag.ptr[name] == ':' &&
           memcmp(tag.ptr + name + 1, slash + 1, aggregate.len - name - 1) == 0;
}

static void begin_trace(struct query *query, struct sl_log_trace *trace)
{
    const struct sl_read *read = query->read;
    const uint64_t stream = sl_log_stream_hash(read->key);
    uint64_t tag = sl_log_tag_hash(read->key);
    bool has_tag = read->by == SL_READ_TAG;
    char text[SL_STORE_STREAM_BYTES_MAX];

    if (read->by == SL_READ_AGGREGATE && read->key.len <= sizeof text) {
        memcpy(text, read->key.ptr, read->key.len);
        char *slash = memchr(text, '/', read->key.len);
        if (slash) {
            *slash = ':';
            tag = sl_log_tag_hash((struct sl_text){text, read->key.len});
            has_tag = true;
        }
    }
    sl_log_trace_begin(trace, query->known, read->by != SL_READ_TAG ? &stream : NULL,
                       has_tag ? &tag : NULL, read->from, query->until, read->backwards);
}

/* Hashes may collide: the event itself decides. */
static bool is_asked_for(const struct sl_read *read, struct sl_log_event event)
{
    if (read->by != SL_READ_TAG && sl_text_equals(event.stream, read->key))
        return true;
    for (uint32_t i = 0; i < event.tag_count && read->by != SL_READ_STREAM; i++) {
        const struct sl_text tag = sl_log_tag_next(&event.tags);
        if (read->by == SL_READ_TAG ? sl_text_equals(tag, read->key) : is_tag_of(read->key, tag))
            return true;
    }
    return false;
}

/* Where the walk through a stretch stands: its next event need not be looked for from its start. */
struct place {
    struct sl_log_stretch stretch;
    uint64_t next; /* position of the event that the cursor is before */
    struct sl_cursor cursor;
    bool known; /* the stretch is set, */
    bool valid; /* and the cursor */
};

static enum sl_err find_event(struct query *query, struct place *place, uint64_t position,
                              struct sl_log_frame *out)
{
    struct sl_log_stretch *stretch = &place->stretch;
    struct sl_error *error = &query->read->error;
    struct sl_slice frames;
    enum sl_err err;

    if (!place->known || position < stretch->first_position ||
        position - stretch->first_position >= stretch->event_count) {
        place->known = place->valid = false;
        err = sl_log_known_find(query->known, false, position, stretch, error);
        if (err == SL_NOT_FOUND || (err == SL_OK && position < stretch->first_position))
            return damaged(query, position);
        if (err != SL_OK)
            return err;
        place->known = true;
    }
    if (stretch->marks) {
        *out = (struct sl_log_frame){.kind = SL_LOG_EVENT}; /* raw segments have no stones */
        return sl_log_known_event(query->known, stretch,
                                  (uint32_t)(position - stretch->first_position), &out->payload,
                                  error);
    }
    if (!place->valid || place->next > position) {
        err = sl_log_known_frames(query->known, stretch, false, &frames, error);
        if (err != SL_OK)
            return err;
        place->cursor = sl_cursor_of(frames);
        place->next = stretch->first_position;
        place->valid = true;
    }
    do {
        if (!next_event(&place->cursor, out))
            return damaged(query, position);
    } while (place->next++ < position);
    return SL_OK;
}

/* Room for one more event: how many there are of a key is not known before. False: the arena has
 * none. */
static bool grow_events(struct query *query, size_t *capacity)
{
    struct sl_read *read = query->read;

    if (read->event_count < *capacity)
        return true;
    size_t more = *capacity == 0 ? KEY_EVENTS_FIRST : *capacity * 4;
    if (more > query->count_max)
        more = query->count_max;
    struct sl_stored_event *events = sl_arena_take(&read->arena, more * sizeof *events);
    if (!events)
        return false;
    if (read->event_count > 0)
        memcpy(events, read->events, read->event_count * sizeof *events);
    read->events = events;
    *capacity = more;
    return true;
}

static enum sl_err take_found(struct query *query, struct sl_log_frame frame, uint64_t position,
                              size_t *capacity)
{
    if (!grow_events(query, capacity))
        return no_room(query);
    query->bytes += frame.payload.len;
    frame.payload = sl_arena_slice(&query->read->arena, frame.payload);
    return frame.payload.ptr ? make_event(query, &frame, position) : no_room(query);
}

static enum sl_err by_key(struct query *query)
{
    struct sl_read *read = query->read;
    struct place place = {0};
    struct sl_log_trace trace;
    struct sl_log_event event;
    struct sl_log_frame frame;
    uint64_t position;
    size_t capacity = 0;
    enum sl_err err;

    begin_trace(query, &trace);
    query->count_max = read->count_max < ANSWER_EVENTS_MAX ? read->count_max : ANSWER_EVENTS_MAX;
    read->next = read->backwards ? read->from : query->until;
    read->end = true;
    while ((err = sl_log_trace_next(&trace, &position, &read->error)) == SL_OK) {
        const size_t before = read->event_count;

        if (has_room(query, before)) {
            err = find_event(query, &place, position, &frame);
            if (err != SL_OK)
                return err;
            if (!sl_log_frame_event(&frame, &event))
                return damaged(query, position);
            if (!is_asked_for(read, event)) {
                SL_MARK("log: hash of another key");
                continue;
            }
            err = take_found(query, frame, position, &capacity);
        }
        if (read->event_count == before) {
            read->next = read->backwards ? position + 1 : position;
            read->end = false;
            return err;
        }
    }
    return err == SL_NOT_FOUND ? SL_OK : err;
}

/* ---- Outcomes -------------------------------------------------------------------------------- */

static enum sl_err copy_outcomes(struct query *query, struct sl_slice frames, uint64_t first)
{
    struct sl_read *read = query->read;
    struct sl_cursor cursor = sl_cursor_of(frames);
    struct sl_log_frame frame;

    for (uint64_t ordinal = first; sl_log_frame_next(&cursor, &frame) == SL_OK;) {
        struct sl_stored_outcome outcome;

        if (frame.kind != SL_LOG_OUTCOME || ordinal++ < read->next)
            continue;
        if (!has_room(query, read->outcome_count))
            return SL_OK;
        if (!sl_log_outcome_read(frame.payload, &outcome))
            return sl_fail(&read->error, SL_CORRUPT, "%s: an outcome is damaged",
                           query->known->shelf.folder->path);
        if (!sl_time_before(outcome.time, read->since)) {
            outcome.reply = sl_arena_slice(&read->arena, outcome.reply);
            if (!outcome.reply.ptr)
                return no_room(query);
            query->bytes += frame.payload.len;
            read->outcomes[read->outcome_count++] = outcome;
        }
        read->next = ordinal;
    }
    return SL_OK;
}

/* The outcomes of a stretch that lie at or behind read->next; those that are too old are passed
 * over, unread where all of them are. */
static enum sl_err take_outcomes(struct query *query, const struct sl_log_stretch *stretch)
{
    const uint64_t end = stretch->first_outcome + stretch->outcome_count;
    struct sl_read *read = query->read;
    struct sl_slice frames;

    if (stretch->outcome_count == 0 || read->next >= end)
        return SL_OK;
    if (sl_time_before(stretch->outcome_latest, read->since)) {
        read->next = end;
        return SL_OK;
    }
    const enum sl_err err =
        sl_log_known_frames(query->known, stretch, true, &frames, &read->error);
    return err == SL_OK ? copy_outcomes(query, frames, stretch->first_outcome) : err;
}

/* Sealed segments with nothing but older outcomes are not looked into. */
static void pass_old_segments(struct query *query)
{
    const struct sl_log_shelf *shelf = &query->known->shelf;
    struct sl_read *read = query->read;

    for (size_t i = sl_log_shelf_at_outcome(shelf, read->next); i < shelf->count; i++) {
        const struct sl_log_sealed_head *head = &shelf->segments[i].head;
        if (!sl_time_before(head->outcome_latest, read->since))
            return;
        read->next = head->next_outcome;
    }
}

static enum sl_err by_outcome(struct query *query)
{
    struct sl_log_known *known = query->known;
    struct sl_read *read = query->read;
    const uint64_t left =
        known->next_outcome > read->from ? known->next_outcome - read->from : 0;
    struct sl_log_stretch stretch;

    query->count_max = left < read->count_max ? (size_t)left : read->count_max;
    if (query->count_max > ANSWER_EVENTS_MAX)
        query->count_max = ANSWER_EVENTS_MAX;
    read->next = read->from;
    if (query->count_max > 0) {
        read->outcomes =
            sl_arena_take(&read->arena, query->count_max * sizeof *read->outcomes);
        if (!read->outcomes)
            return no_room(query);
    }
    pass_old_segments(query);
    enum sl_err err = sl_log_known_find(known, true, read->next, &stretch, &read->error);
    while (err == SL_OK && has_room(query, read->outcome_count)) {
        err = take_outcomes(query, &stretch);
        if (err == SL_OK && read->next < stretch.first_outcome + stretch.outcome_count)
            break;
        if (err == SL_OK)
            err = sl_log_known_next(known, &stretch, &read->error);
    }
    read->end = read->next >= known->next_outcome;
    return err == SL_NOT_FOUND ? SL_OK : err;
}

void sl_log_query(struct sl_log_known *known, struct sl_read *read)
{
    const uint64_t durable = known->next_position;
    struct query query = {.known = known, .read = read};

    read->durable = durable;
    query.until = read->until < durable ? read->until : durable;
    if (read->by == SL_READ_OUTCOMES) {
        read->err = by_outcome(&query);
    } else if (read->from >= query.until) {
        read->next = read->from;
        read->end = true;
        read->err = SL_OK;
    } else if (read->by == SL_READ_POSITION) {
        read->err = read->backwards ? by_position_backwards(&query) : by_position(&query);
    } else {
        read->err = by_key(&query);
    }
    if (read->err != SL_OK) {
        read->event_count = 0;
        read->outcome_count = 0;
        read->end = false;
    }
}

bool sl_log_query_memory(struct sl_log_known *known, struct sl_read *read)
{
    if (read->by == SL_READ_POSITION || read->by == SL_READ_OUTCOMES)
        return false;
    known->shelf.memory_only = known->windows.memory_only = true;
    sl_log_query(known, read);
    known->shelf.memory_only = known->windows.memory_only = false;
    if (read->err == SL_OK)
        return true;
    read->err = SL_OK;
    read->error = (struct sl_error){0};
    sl_arena_reset(&read->arena);
    read->events = NULL;
    read->next = 0;
    return false;
}
