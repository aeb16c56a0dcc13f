/*
 * The latest changes of a view's rows: which key changed at which position. For subscriptions that
 * go on where they were; it keeps no rows, because who comes back wants the row as it now is.
 *
 * A ring of bytes; when it is full, the oldest changes are forgotten. All changes at `from` and
 * above are in it. A mark in each stretch of it says where to begin to look for a position, so that
 * finding one takes microseconds.
 */
#ifndef SL_API_HISTORY_H
#define SL_API_HISTORY_H

#include "base/buf.h"

enum {
    SL_HISTORY_BYTES_MAX = 4 << 20,
    SL_HISTORY_KEY_MAX = 512,
    SL_HISTORY_STRETCH = 64 << 10,
    SL_HISTORY_MARKS = SL_HISTORY_BYTES_MAX / SL_HISTORY_STRETCH,
};

/* Zero-initialise it, and set `from`. */
struct sl_history {
    uint8_t *bytes;
    size_t capacity;     /* a power of two; grows up to SL_HISTORY_BYTES_MAX */
    uint64_t tail, head; /* all bytes ever forgotten, and written: places of changes */
    uint64_t from;
    uint64_t last;    /* position of the latest change */
    uint64_t stretch; /* number of the one that was marked last */
    struct sl_history_mark {
        uint64_t place, position; /* of the first change that begins in the stretch */
    } marks[SL_HISTORY_MARKS];    /* by the stretch's number */
};

void sl_history_close(struct sl_history *history);

/* Positions rise; one below the latest says that the view is built anew: all older is forgotten.
 * Where memory is out, all is forgotten up to this change. Keys up to SL_HISTORY_KEY_MAX bytes. */
void sl_history_add(struct sl_history *history, uint64_t position, struct sl_text key);

/* The place of the first change at `position` or above; false: some may be forgotten. */
bool sl_history_find(const struct sl_history *history, uint64_t position, uint64_t *out_place);

/* The change at `*place`, which then is that of the next. The key is copied. False: there is none
 * yet, or (`*out_lost`) it was forgotten. */
bool sl_history_next(const struct sl_history *history, uint64_t *place, uint64_t *out_position,
                     char key[SL_HISTORY_KEY_MAX], size_t *out_len, bool *out_lost);

#endif
