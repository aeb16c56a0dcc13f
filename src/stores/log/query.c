#include "stores/log/query.h"

#include <string.h>

enum {
    ANSWER_EVENTS_MAX = 1 << 16, /* of one answer; `end` says that there are more */
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
                   query->known->windows.folder->path, (unsigned long long)position);
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* Makes an event of a frame that lies in the arena already. */
static enum sl_err make_event(struct query *query, struct sl_slice payload, uint64_t position)
{
    const struct sl_log_known *known = query->known;
    struct sl_read *read = query->read;
    struct sl_text *tags = NULL;
    struct sl_log_event found;

    if (!sl_log_event_read(payload, &found) || found.schema >= known->schema_count ||
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

/* The frame of the next event; others are passed over. */
static bool next_event(struct sl_cursor *cursor, struct sl_log_frame *frame)
{
    while (sl_log_frame_next(cursor, frame) == SL_OK)
        if (frame->kind == SL_LOG_EVENT)
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
        const enum sl_err err = make_event(query, frame.payload, position + i);
        if (err != SL_OK)
            return err;
    }
    return SL_OK;
}

static enum sl_err by_position(struct query *query)
{
    const struct sl_log_index *index = &query->known->index;
    struct sl_read *read = query->read;
    uint64_t position = read->from;

    enum sl_err err = take_events_array(query, query->until - position);
    size_t at = sl_log_index_at_position(index, position);
    while (err == SL_OK && position < query->until && has_room(query, read->event_count)) {
        const struct sl_log_entry *entry = &index->entries[at++];
        struct sl_slice frames;

        if (entry->event_count == 0)
            continue;
        uint64_t count = entry->first_position + entry->event_count - position;
        if (count > query->until - position)
            count = query->until - position;
        err = sl_log_windows_frames(&query->known->windows, at - 1, true, &frames, &read->error);
        if (err == SL_OK)
            err = copy_run(query, frames, position, position - entry->first_position, count, true);
        position = read->from + read->event_count;
    }
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
    const struct sl_log_index *index = &query->known->index;
    struct sl_read *read = query->read;
    uint64_t position = query->until; /* above the next one to hand out */

    enum sl_err err = take_events_array(query, position - read->from);
    while (err == SL_OK && position > read->from && has_room(query, read->event_count)) {
        const size_t at = sl_log_index_at_position(index, position - 1);
        const struct sl_log_entry *entry = &index->entries[at];
        const size_t before = read->event_count;
        struct sl_slice frames;
        uint64_t first = entry->first_position > read->from ? entry->first_position : read->from;

        if (position - first > query->count_max - before)
            first = position - (query->count_max - before);
        err = sl_log_windows_frames(&query->known->windows, at, false, &frames, &read->error);
        if (err == SL_OK)
            err = copy_run(query, frames, first, first - entry->first_position, position - first,
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

/* Up to two ascending lists, walked as one without repeats. */
struct merged {
    struct sl_log_positions lists[2];
    bool backwards;
};

static size_t first_at_or_above(struct sl_log_positions list, uint64_t position)
{
    size_t low = 0, high = list.count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (list.items[middle] < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct sl_log_positions between(struct sl_log_positions list, uint64_t from, uint64_t until)
{
    const size_t first = first_at_or_above(list, from);
    const size_t end = first_at_or_above(list, until);

    return (struct sl_log_positions){list.items ? list.items + first : NULL, end - first};
}

static bool next_position(struct merged *merged, uint64_t *out)
{
    uint64_t best = 0;
    bool found = false;

    for (int i = 0; i < 2; i++) {
        const struct sl_log_positions *list = &merged->lists[i];
        if (list->count == 0)
            continue;
        const uint64_t position = list->items[merged->backwards ? list->count - 1 : 0];
        if (!found || (merged->backwards ? position > best : position < best))
            best = position;
        found = true;
    }
    for (int i = 0; i < 2 && found; i++) {
        struct sl_log_positions *list = &merged->lists[i];
        if (list->count == 0 || list->items[merged->backwards ? list->count - 1 : 0] != best)
            continue;
        list->items += merged->backwards ? 0 : 1;
        list->count--;
    }
    *out = best;
    return found;
}

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

static struct merged find_positions(const struct sl_log_known *known, const struct sl_read *read)
{
    char tag[SL_STORE_STREAM_BYTES_MAX];
    struct merged merged = {.backwards = read->backwards};

    if (read->by != SL_READ_TAG)
        merged.lists[0] = sl_log_index_find(&known->index, sl_log_stream_hash(read->key));
    if (read->by == SL_READ_TAG)
        merged.lists[1] = sl_log_index_find(&known->index, sl_log_tag_hash(read->key));
    if (read->by == SL_READ_AGGREGATE && read->key.len <= sizeof tag) {
        char *slash = memchr(read->key.ptr, '/', read->key.len);
        memcpy(tag, read->key.ptr, read->key.len);
        if (slash) {
            tag[slash - read->key.ptr] = ':';
            merged.lists[1] = sl_log_index_find(
                &known->index, sl_log_tag_hash((struct sl_text){tag, read->key.len}));
        }
    }
    return merged;
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

/* Where the walk through a batch stands: its next event need not be looked for from its start. */
struct place {
    size_t at;
    uint64_t next; /* position of the event that the cursor is before */
    struct sl_cursor cursor;
    bool valid;
};

static enum sl_err find_event(struct query *query, struct place *place, uint64_t position,
                              struct sl_slice *out)
{
    const size_t at = sl_log_index_at_position(&query->known->index, position);
    const struct sl_log_entry *entry = &query->known->index.entries[at];
    struct sl_log_windows *windows = &query->known->windows;
    struct sl_error *error = &query->read->error;
    struct sl_log_frame frame;
    struct sl_slice frames;

    if (entry->marks) {
        place->valid = false;
        return sl_log_windows_event(windows, at, (uint32_t)(position - entry->first_position), out,
                                    error);
    }
    const enum sl_err err = sl_log_windows_frames(windows, at, false, &frames, error);
    if (err != SL_OK)
        return err;
    if (!place->valid || place->at != at || place->next > position)
        *place = (struct place){at, entry->first_position, sl_cursor_of(frames), true};
    do {
        if (!next_event(&place->cursor, &frame))
            return damaged(query, position);
    } while (place->next++ < position);
    *out = frame.payload;
    return SL_OK;
}

static enum sl_err by_key(struct query *query)
{
    struct sl_read *read = query->read;
    struct merged merged = find_positions(query->known, read);
    struct place place = {0};
    struct sl_log_event event;
    struct sl_slice payload;
    uint64_t position;

    for (int i = 0; i < 2; i++)
        merged.lists[i] = between(merged.lists[i], read->from, query->until);
    enum sl_err err = take_events_array(query, merged.lists[0].count + merged.lists[1].count);
    read->next = read->backwards ? read->from : query->until;
    read->end = true;
    while (err == SL_OK && next_position(&merged, &position)) {
        const size_t before = read->event_count;
        bool here = has_room(query, before);

        if (here) {
            err = find_event(query, &place, position, &payload);
            if (err != SL_OK)
                return err;
            if (!sl_log_event_read(payload, &event))
                return damaged(query, position);
            if (!is_asked_for(read, event)) {
                SL_MARK("log: hash of another key");
                continue;
            }
            const struct sl_slice copy = sl_arena_slice(&read->arena, payload);
            err = copy.ptr ? make_event(query, copy, position) : no_room(query);
            query->bytes += payload.len;
            here = read->event_count > before;
        }
        if (!here) {
            read->next = read->backwards ? position + 1 : position;
            read->end = false;
            break;
        }
    }
    return err;
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
                           query->known->windows.folder->path);
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

static enum sl_err by_outcome(struct query *query)
{
    const struct sl_log_index *index = &query->known->index;
    struct sl_read *read = query->read;
    const uint64_t left =
        index->next_outcome > read->from ? index->next_outcome - read->from : 0;
    enum sl_err err = SL_OK;

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
    size_t at = sl_log_index_at_outcome(index, read->from);
    while (err == SL_OK && at < index->entry_count && has_room(query, read->outcome_count)) {
        const struct sl_log_entry *entry = &index->entries[at];
        struct sl_slice frames;

        if (entry->outcome_count > 0 && !sl_time_before(entry->outcome_latest, read->since)) {
            err = sl_log_windows_frames(&query->known->windows, at, true, &frames, &read->error);
            if (err == SL_OK)
                err = copy_outcomes(query, frames, entry->first_outcome);
            if (read->next < entry->first_outcome + entry->outcome_count)
                break;
        } else if (read->next < entry->first_outcome + entry->outcome_count) {
            read->next = entry->first_outcome + entry->outcome_count;
        }
        at++;
    }
    read->end = read->next >= index->next_outcome;
    return err;
}

void sl_log_query(struct sl_log_known *known, struct sl_read *read)
{
    const uint64_t durable = known->index.next_position;
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
