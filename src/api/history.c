#include "api/history.h"

#include <stdlib.h>
#include <string.h>

/* A change: position, length of the key, key. */
enum { HEAD_BYTES = 10, CAPACITY_FIRST = 64 << 10 };

/* Copies out of, or into, the ring, around its end. */
static void copy_out(const struct sl_history *history, uint64_t place, void *to, size_t len)
{
    const size_t at = (size_t)place & (history->capacity - 1);
    const size_t first = len < history->capacity - at ? len : history->capacity - at;

    memcpy(to, history->bytes + at, first);
    memcpy((uint8_t *)to + first, history->bytes, len - first);
}

static void copy_in(struct sl_history *history, const void *from, size_t len)
{
    const size_t at = (size_t)history->head & (history->capacity - 1);
    const size_t first = len < history->capacity - at ? len : history->capacity - at;

    memcpy(history->bytes + at, from, first);
    memcpy(history->bytes, (const uint8_t *)from + first, len - first);
    history->head += len;
}

static size_t read_head(const struct sl_history *history, uint64_t place, uint64_t *out_position)
{
    uint16_t len;

    copy_out(history, place, out_position, sizeof *out_position);
    copy_out(history, place + sizeof *out_position, &len, sizeof len);
    return len;
}

void sl_history_close(struct sl_history *history)
{
    free(history->bytes);
    *history = (struct sl_history){0};
}

static void forget_oldest(struct sl_history *history)
{
    uint64_t position;
    const size_t len = read_head(history, history->tail, &position);

    history->tail += HEAD_BYTES + len;
    history->from = position + 1;
}

static void grow(struct sl_history *history)
{
    const size_t capacity = history->capacity ? history->capacity * 2 : CAPACITY_FIRST;
    struct sl_history larger = *history;

    larger.bytes = malloc(capacity);
    if (!larger.bytes)
        return;
    larger.capacity = capacity;
    larger.head = history->tail;
    while (larger.head < history->head) {
        uint8_t piece[4096];
        const uint64_t left = history->head - larger.head;
        const size_t len = left < sizeof piece ? (size_t)left : sizeof piece;
        copy_out(history, larger.head, piece, len);
        copy_in(&larger, piece, len);
    }
    free(history->bytes);
    *history = larger;
}

/* A change at the head is about to be written. */
static void mark(struct sl_history *history, uint64_t position)
{
    const uint64_t stretch = history->head / SL_HISTORY_STRETCH;

    if (stretch == history->stretch)
        return;
    history->stretch = stretch;
    history->marks[stretch % SL_HISTORY_MARKS] = (struct sl_history_mark){history->head, position};
}

void sl_history_add(struct sl_history *history, uint64_t position, struct sl_text key)
{
    const size_t bytes = HEAD_BYTES + key.len;
    const uint16_t len = (uint16_t)key.len;

    SL_ASSERT(key.len <= SL_HISTORY_KEY_MAX, "M1");
    if (position < history->last) {
        SL_MARK("history of a view that is built anew");
        history->tail = history->head;
        history->from = position;
    }
    history->last = position;
    if (history->capacity - (history->head - history->tail) < bytes &&
        history->capacity < SL_HISTORY_BYTES_MAX)
        grow(history);
    if (history->capacity == 0) {
        history->from = position + 1;
        return;
    }
    while (history->capacity - (history->head - history->tail) < bytes)
        forget_oldest(history);
    mark(history, position);
    copy_in(history, &position, sizeof position);
    copy_in(history, &len, sizeof len);
    copy_in(history, key.ptr, key.len);
}

bool sl_history_find(const struct sl_history *history, uint64_t position, uint64_t *out_place)
{
    uint64_t place = history->tail, at;

    if (position < history->from)
        return false;
    for (size_t i = 0; i < SL_HISTORY_MARKS; i++) {
        const struct sl_history_mark *mark = &history->marks[i];
        if (mark->position < position && mark->place > place && mark->place < history->head)
            place = mark->place;
    }
    while (place < history->head) {
        const size_t len = read_head(history, place, &at);
        if (at >= position)
            break;
        place += HEAD_BYTES + len;
    }
    *out_place = place;
    return true;
}

bool sl_history_next(const struct sl_history *history, uint64_t *place, uint64_t *out_position,
                     char key[SL_HISTORY_KEY_MAX], size_t *out_len, bool *out_lost)
{
    *out_lost = *place < history->tail;
    if (*out_lost || *place == history->head)
        return false;
    const size_t len = read_head(history, *place, out_position);
    copy_out(history, *place + HEAD_BYTES, key, len);
    *out_len = len;
    *place += HEAD_BYTES + len;
    return true;
}
