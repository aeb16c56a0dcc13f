#include "stores/log/trace.h"

#include <limits.h>

static size_t segment_count(const struct sl_log_known *known)
{
    return known->shelf.count + known->raw_count;
}

/* Positions of a segment, numbered through shelf and raw ones. */
static void bounds_of(const struct sl_log_known *known, size_t segment, uint64_t *first,
                      uint64_t *end)
{
    if (segment < known->shelf.count) {
        const struct sl_log_sealed_head *head = &known->shelf.segments[segment].head;
        *first = head->segment.first_position;
        *end = head->next_position;
    } else {
        const struct sl_log_index *raw = known->raws[segment - known->shelf.count];
        *first = raw->entries[0].first_position;
        *end = raw->next_position;
    }
}

void sl_log_trace_begin(struct sl_log_trace *trace, struct sl_log_known *known,
                        const uint64_t *stream_hash, const uint64_t *tag_hash, uint64_t from,
                        uint64_t until, bool backwards)
{
    *trace =
        (struct sl_log_trace){.known = known, .from = from, .until = until, .backwards = backwards};
    if (stream_hash)
        trace->lists[0] = (struct sl_log_trace_list){.hash = *stream_hash, .wanted = true};
    if (tag_hash)
        trace->lists[1] = (struct sl_log_trace_list){.hash = *tag_hash, .wanted = true};
    if (!backwards) {
        trace->edge = sl_log_shelf_at_position(&known->shelf, from);
    } else {
        const size_t last = until > 0 ? sl_log_shelf_at_position(&known->shelf, until - 1) : 0;
        trace->edge = last < known->shelf.count ? last + 1 : segment_count(known);
    }
}

/* ---- Groups ---------------------------------------------------------------------------------- */

/* Which parts of the segment's group may have events of the list? */
static unsigned parts_of(struct sl_log_trace *trace, struct sl_log_trace_list *list, unsigned level,
                         size_t segment)
{
    struct sl_log_shelf *shelf = &trace->known->shelf;
    struct sl_log_trace_group *group = &list->groups[level];
    const size_t index = segment >> sl_log_group_shift(level);

    if (index >= shelf->groups.counts[level])
        return SL_LOG_GROUP_UNKNOWN_PARTS;
    if (!group->asked || group->index != index)
        *group = (struct sl_log_trace_group){
            true, sl_log_groups_parts(shelf, level, index, list->hash), index};
    return group->parts;
}

/* The largest run of segments around this one, a group or one segment, in which the list has
 * nothing: the logarithm of its size, or -1. */
static int denied_by(struct sl_log_trace *trace, struct sl_log_trace_list *list, size_t segment)
{
    for (unsigned level = SL_LOG_GROUP_LEVELS; level-- > 0;) {
        const unsigned parts = parts_of(trace, list, level, segment);
        const unsigned shift = sl_log_group_shift(level);
        if (parts == 0)
            return (int)shift;
        if (!(parts >> sl_log_group_part(level, segment) & 1))
            return (int)shift - SL_LOG_GROUP_BITS;
    }
    return -1;
}

/* A group said of this very segment that it may have events of the list: its own filter would
 * hardly know better. */
static bool is_named(struct sl_log_trace *trace, struct sl_log_trace_list *list, size_t segment)
{
    return parts_of(trace, list, 0, segment) != SL_LOG_GROUP_UNKNOWN_PARTS;
}

/* The far end, in the direction of the walk, of the largest run around the segment in which no list
 * has anything; false: there is none. */
static bool pass_group(struct sl_log_trace *trace, size_t segment, size_t *out)
{
    int smallest = INT_MAX;

    if (segment >= trace->known->shelf.count)
        return false;
    for (int i = 0; i < 2 && smallest >= 0; i++) {
        struct sl_log_trace_list *list = &trace->lists[i];
        const int shift = list->wanted ? denied_by(trace, list, segment) : smallest;
        if (shift < smallest)
            smallest = shift;
    }
    if (smallest < 0)
        return false;
    SL_MARK("log: group passed");
    const unsigned shift = (unsigned)smallest;
    const size_t index = segment >> shift;
    *out = trace->backwards ? index << shift : (index + 1) << shift;
    return true;
}

/* ---- Entering a segment ---------------------------------------------------------------------- */

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

/* Cuts a list to what is left to hand out. */
static void set_list(const struct sl_log_trace *trace, struct sl_log_trace_list *list,
                     struct sl_log_positions found)
{
    const size_t first = first_at_or_above(found, trace->from);
    const size_t end = first_at_or_above(found, trace->until);

    list->items = found.items ? found.items + first : NULL;
    list->count = end - first;
}

/* The next page's worth of a list in a sealed segment. */
static enum sl_err refill(struct sl_log_trace *trace, size_t which, struct sl_error *error)
{
    struct sl_log_trace_list *list = &trace->lists[which];
    struct sl_log_hits *hits = &trace->known->hits[which];
    const enum sl_err err = sl_log_shelf_hits(&trace->known->shelf, trace->segment, list->hash,
                                              trace->backwards ? trace->until : trace->from,
                                              trace->backwards, hits, error);

    if (err != SL_OK)
        return err;
    list->more = hits->more;
    set_list(trace, list, (struct sl_log_positions){hits->positions, hits->count});
    if (list->count == 0)
        list->more = false; /* all that is further is out of the range */
    return SL_OK;
}

static enum sl_err enter(struct sl_log_trace *trace, struct sl_error *error)
{
    struct sl_log_known *known = trace->known;

    for (size_t which = 0; which < 2; which++) {
        struct sl_log_trace_list *list = &trace->lists[which];
        bool has = true;

        list->count = 0;
        list->more = false;
        if (!list->wanted)
            continue;
        if (trace->segment >= known->shelf.count) {
            set_list(
                trace, list,
                sl_log_index_find(known->raws[trace->segment - known->shelf.count], list->hash));
            continue;
        }
        if (denied_by(trace, list, trace->segment) >= 0)
            continue;
        enum sl_err err = SL_OK;
        if (is_named(trace, list, trace->segment))
            SL_MARK("log: segment named by its group");
        else
            err = sl_log_shelf_may_have(&known->shelf, trace->segment, list->hash, &has, error);
        if (err == SL_OK && has)
            err = refill(trace, which, error);
        else if (err == SL_OK)
            SL_MARK("log: segment skipped by its filter");
        if (err != SL_OK)
            return err;
    }
    return SL_OK;
}

/* Goes on to the next segment that has positions in the range; false: there is none. */
static bool move_on(struct sl_log_trace *trace)
{
    const size_t count = segment_count(trace->known);
    uint64_t first, end;

    while (trace->backwards ? trace->edge > 0 : trace->edge < count) {
        const size_t segment = trace->backwards ? trace->edge - 1 : trace->edge;
        bounds_of(trace->known, segment, &first, &end);
        if (trace->backwards ? end <= trace->from : first >= trace->until)
            return false;
        const bool reached = trace->backwards ? first < trace->until : end > trace->from;
        if (reached && pass_group(trace, segment, &trace->edge))
            continue;
        trace->segment = segment;
        trace->edge = trace->backwards ? segment : segment + 1;
        if (reached)
            return true;
    }
    return false;
}

/* ---- Walking --------------------------------------------------------------------------------- */

static uint64_t head_of(const struct sl_log_trace *trace, const struct sl_log_trace_list *list)
{
    return list->items[trace->backwards ? list->count - 1 : 0];
}

/* The next position of the lists as they are; false: both are empty. */
static bool take(struct sl_log_trace *trace, uint64_t *out)
{
    uint64_t best = 0;
    bool found = false;

    for (int i = 0; i < 2; i++) {
        const struct sl_log_trace_list *list = &trace->lists[i];
        if (list->count == 0)
            continue;
        const uint64_t position = head_of(trace, list);
        if (!found || (trace->backwards ? position > best : position < best))
            best = position;
        found = true;
    }
    for (int i = 0; i < 2 && found; i++) {
        struct sl_log_trace_list *list = &trace->lists[i];
        if (list->count == 0 || head_of(trace, list) != best)
            continue;
        list->items += trace->backwards ? 0 : 1;
        list->count--;
    }
    *out = best;
    return found;
}

enum sl_err sl_log_trace_next(struct sl_log_trace *trace, uint64_t *out, struct sl_error *error)
{
    for (;;) {
        for (size_t which = 0; which < 2; which++) {
            /* What is behind an empty list may come before what the other one holds. */
            if (trace->lists[which].count == 0 && trace->lists[which].more) {
                const enum sl_err err = refill(trace, which, error);
                if (err != SL_OK)
                    return err;
            }
        }
        if (take(trace, out)) {
            if (trace->backwards)
                trace->until = *out;
            else
                trace->from = *out + 1;
            return SL_OK;
        }
        if (!move_on(trace))
            return SL_NOT_FOUND;
        const enum sl_err err = enter(trace, error);
        if (err != SL_OK)
            return err;
    }
}
