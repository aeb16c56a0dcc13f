/*
 * Aggregates held in memory: states that decide, with how far each has been read from the log.
 *
 * Conditions on tags are held likewise: a guard's name is the tag itself ("account:7", which no
 * aggregate's can be), its state how far up events have it. So it is read once, kept up to date by
 * what is decided, and dropped as others are.
 *
 * A pinned aggregate stays; others may be dropped when memory is over its ceiling, once all that
 * touched them is durable, since the log can give them back. Owned by the engine's thread.
 */
#ifndef SL_COMMAND_AGGREGATES_H
#define SL_COMMAND_AGGREGATES_H

#include <sluice/domain.h>

#include "base/table.h"

struct sl_need_slot;

/* What is held for a tag. */
struct sl_tag_guard {
    uint64_t after; /* one past the last event with the tag; 0: there is none */
};
extern const struct sl_aggregate sl_tag_guards;

enum sl_held_stage {
    SL_HELD_NEW = 0, /* nothing read yet */
    SL_HELD_LOADING, /* its history is being read */
    SL_HELD_READY,
};

struct sl_held {
    const struct sl_aggregate *aggregate;
    uint64_t hash;
    struct sl_text name; /* "account/7"; lies behind the struct */
    void *state;
    bool flat;
    bool apart;   /* `state` is memory of its own, not behind the struct */
    bool orphan;  /* no longer in the table: freed when its read comes back */
    uint8_t stage;
    uint32_t pins;
    uint32_t unkept;       /* events since its state was last kept */
    uint64_t loaded;       /* all events below have been evolved */
    uint64_t touched;      /* one past the last event of this reign that concerns it */
    uint64_t stream_count; /* events in its own stream: the next revision */
    uint64_t planned;      /* the same, while a decision's events are being numbered */
    struct sl_held *next_unsettled; /* itself: the last one; NULL: settled */
    struct sl_need_slot *waiters;
    struct sl_held *newer, *older;
    size_t bytes;
};

struct sl_aggregates {
    struct sl_table table;
    struct sl_held *newest, *oldest; /* in the order of use */
    size_t bytes;
    size_t bytes_max;
    size_t guard_count;
    void (*leaves)(void *context, struct sl_held *held); /* told before one is dropped, or NULL */
    void *context;
    struct sl_held *unsettled; /* whose states point into the memory of the last events */
};

void sl_aggregates_init(struct sl_aggregates *aggregates, size_t bytes_max);
void sl_aggregates_close(struct sl_aggregates *aggregates);

uint64_t sl_aggregates_hash(struct sl_text name);

/* The one that is held, or NULL. */
struct sl_held *sl_aggregates_find(const struct sl_aggregates *aggregates, uint64_t hash,
                                   struct sl_text name);

/* The same, made (stage NEW, state zeroed) if it is not held; pinned. NULL: no memory. */
struct sl_held *sl_aggregates_pin(struct sl_aggregates *aggregates,
                                  const struct sl_aggregate *aggregate, struct sl_text name);
void sl_aggregates_unpin(struct sl_aggregates *aggregates, struct sl_held *held);

/* Applies an event that concerns it. What the state takes by pointer must live until settled. */
void sl_held_evolve(struct sl_aggregates *aggregates, struct sl_held *held,
                    const struct sl_event *event);

/* Makes all states stand alone. One for which there is no memory is forgotten: the log gives it
 * back. */
void sl_aggregates_settle(struct sl_aggregates *aggregates);

/* Puts another state in the place of its own; what it points at is copied. False: no memory, and it
 * is forgotten. */
bool sl_held_replace(struct sl_aggregates *aggregates, struct sl_held *held, const void *state);

/* Its state is as if it had never been read (stage NEW). Those who have it pinned must look. */
void sl_held_forget(struct sl_held *held);

/* Drops resting ones, the longest unused first, until memory is under its ceiling; at most a few
 * thousand at once, so that a turn does not pause for it. `durable`: all below is durable. */
void sl_aggregates_trim(struct sl_aggregates *aggregates, uint64_t durable);

/* Drops all: nothing may be pinned. Those that are LOADING become orphans. */
void sl_aggregates_drop_all(struct sl_aggregates *aggregates);

/* Frees an orphan. */
void sl_held_free(struct sl_held *held);

#endif
