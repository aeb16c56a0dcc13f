/*
 * Command ids and their outcomes (C1): one id, one outcome, for the whole window.
 *
 * Entries are kept in the order of time, in slabs, so that forgetting the oldest is giving a slab
 * back. Adding may forget at most a few, so that no call pauses. Owned by the engine's thread.
 */
#ifndef SL_COMMAND_IDS_H
#define SL_COMMAND_IDS_H

#include "base/table.h"

struct sl_known_id {
    struct sl_uuid id;
    struct sl_uuid digest;
    uint64_t position; /* of its first event; the next position at the decision, if it has none */
    char *reply;       /* refused: rule, zero, message, zero; on the heap; else NULL */
    uint32_t time_s;   /* seconds since 1970 */
    uint16_t status;
    uint16_t event_count;
};

struct sl_id_slab;

struct sl_id_window {
    struct sl_table table;
    struct sl_id_slab *oldest;
    struct sl_id_slab *newest;
    uint32_t window_s;
};

void sl_ids_init(struct sl_id_window *ids, uint32_t window_s);
void sl_ids_close(struct sl_id_window *ids);

/* Borrowed until the next add; NULL: not known, or too long ago. */
const struct sl_known_id *sl_ids_find(const struct sl_id_window *ids, struct sl_uuid id,
                                      uint32_t now_s);

/* Remembers. The id must not be known; takes over `known.reply`, also on failure. */
enum sl_err sl_ids_add(struct sl_id_window *ids, struct sl_known_id known) SL_USE_RESULT;

/* Forgets an id that turned out never to have been durable. Nothing happens if it is not known. */
void sl_ids_remove(struct sl_id_window *ids, struct sl_uuid id);

/* Forgets what is older than the window, at most `most` entries. */
void sl_ids_expire(struct sl_id_window *ids, uint32_t now_s, uint32_t most);

size_t sl_ids_count(const struct sl_id_window *ids);

#endif
