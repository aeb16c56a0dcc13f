/*
 * Stones: what stays of an event that was scavenged (the essay stands in stone.c). Pure functions
 * over memory.
 */
#ifndef SL_STORES_LOG_STONE_H
#define SL_STORES_LOG_STONE_H

#include "stores/log/format.h"

/* What a stone says of the body that is gone. */
struct sl_log_stone {
    uint64_t bytes;
    struct sl_uuid hash; /* XXH3-128 */
};

/* What a stone takes more than its event without the body, at most; its own header included. */
#define SL_LOG_STONE_ROOM 40u

/* Writes the stone of an event, of which `payload` is all; `p` has room for payload.len less the
 * body's bytes, and SL_LOG_STONE_ROOM. Returns the frame's bytes. */
size_t sl_log_stone_write(uint8_t *p, struct sl_slice payload, const struct sl_log_event *event);

/* Reads a stone's payload: `out` as of an event, but without a body. `stone` may be NULL. */
bool sl_log_stone_read(struct sl_slice payload, struct sl_log_event *out,
                       struct sl_log_stone *stone);

/* An event or a stone: what has a position. */
static inline bool sl_log_has_position(const struct sl_log_frame *frame)
{
    return frame->kind == SL_LOG_EVENT || frame->kind == SL_LOG_STONE;
}

/* Reads either. */
static inline bool sl_log_frame_event(const struct sl_log_frame *frame, struct sl_log_event *out)
{
    return frame->kind == SL_LOG_STONE ? sl_log_stone_read(frame->payload, out, NULL)
                                       : sl_log_event_read(frame->payload, out);
}

#endif
