/*
 * A write side alone, for tests: the simulated world, the real log behind a store that fails when
 * told, and a small domain whose commands reach the corners.
 */
#ifndef SL_COMMAND_BENCH_WRITER_H
#define SL_COMMAND_BENCH_WRITER_H

#include "base/env_sim.h"
#include "command/writer.h"
#include "contracts/event_store_fault.h"

/* ---- The domain ------------------------------------------------------------------------------ */

/* An account's history: what lies in its stream, and what is tagged with it. */
struct rig_account {
    int64_t balance;
    uint64_t events;
    uint64_t folded; /* over positions and amounts, in order: another history, another number */
    struct sl_text note;
};

struct rig_put { /* Put: adds to one account's balance; refused below zero */
    struct sl_text id;
    int64_t amount;
};
struct rig_move { /* Move: between two accounts, in a stream of its own, tagged with both */
    struct sl_text id, from, to;
    int64_t amount;
};
struct rig_ping { /* Ping: tagged with an account that it does not need */
    struct sl_text id, account;
};
struct rig_note { /* Note: two events that carry the note before, out of the state */
    struct sl_text id, note;
};
struct rig_noted {
    struct sl_text id, before, after;
};
struct rig_many { /* Many: `count` events of `bytes` bytes each */
    struct sl_text id;
    uint32_t count, bytes;
};
struct rig_text {
    struct sl_text id, text;
};
struct rig_chain { /* Chain: names `width` accounts a round, for `rounds` rounds */
    struct sl_text id;
    uint32_t rounds, width;
};
struct rig_blame { /* Blame: refused with an event; to blame is the item of how many there were */
    struct sl_text id;
};
struct rig_look { /* Look: writes down the state as it stands */
    struct sl_text id;
};
struct rig_seen {
    struct sl_text id;
    int64_t balance;
    uint64_t events, folded;
    struct sl_text note;
};

extern const struct sl_domain rig_domain;
/* The same, but for what accounts are: their `evolve` folds otherwise, and says so by its version;
 * their record has its fields in another order. (Neither has Chain.) */
extern const struct sl_domain rig_domain_evolved, rig_domain_reordered;
extern const struct sl_event_type rig_noted_type, rig_seen_type;

/* ---- The rig --------------------------------------------------------------------------------- */

enum { RIG_COMMANDS_MAX = 2048, RIG_STREAMS = 4096 };

struct rig_command {
    struct sl_message message;
    struct sl_submission submission;
    struct rig *rig;
    union {
        struct rig_put put;
        struct rig_move move;
        struct rig_ping ping;
        struct rig_note note;
        struct rig_many many;
        struct rig_text text;
        struct rig_chain chain;
        struct rig_blame blame;
        struct rig_look look;
    } body;
    char names[3][160];
    struct sl_text unless[2];
    /* The answer. */
    int status; /* 0: none yet */
    char rule[32], told[64], field[32];
    bool repeated;
    uint64_t position;
    size_t event_count;
    uint64_t revision; /* of the last event */
    unsigned answers;
};

struct rig_options {
    size_t aggregate_memory_max; /* 0: 64 MiB */
    const char *snapshots;       /* folder, or NULL */
    uint32_t snapshot_events;
    const struct sl_domain *domain; /* NULL: rig_domain */
};

struct rig {
    struct rig_options options;
    struct sl_env *env;
    struct sl_mailbox *mailbox;
    struct sl_model model;
    struct sl_event_store *faults; /* to be told how to fail */
    struct sl_event_store *store;
    struct sl_writer *writer;
    struct rig_command commands[RIG_COMMANDS_MAX];
    size_t command_count;
    uint64_t ids;
    uint64_t durable; /* events told durable */
    uint64_t next_position;
    struct rig_stream {
        uint64_t hash;
        uint64_t next_revision;
    } streams[RIG_STREAMS];
    bool missed; /* some events were not told */
    bool bad;    /* L1 was broken */
    /* Told of each durable event. */
    void (*on_event)(struct rig *rig, const struct sl_event *event);
    struct rig_seen seen; /* the last one; `note` in seen_note */
    char seen_note[256];
};

/* Counts allocations made by the write side from now on, and fails the nth; 0: none. */
void rig_fail_allocation(uint64_t nth);
bool rig_allocation_failed(void);

/* Makes a world of this seed and opens the write side. False: it did not come up. */
bool rig_open(struct rig *rig, uint64_t seed, struct rig_options options);
/* Closes all but the world, and opens again. */
bool rig_reopen(struct rig *rig);
bool rig_start(struct rig *rig);
void rig_stop(struct rig *rig); /* with whatever is under way */
void rig_close(struct rig *rig);
/* The power fails. What was under way is never answered. */
void rig_crash(struct rig *rig);

/* A command with an id of its own; texts are copied. It is not sent yet. */
struct rig_command *rig_new(struct rig *rig, const char *name);
struct rig_command *rig_put(struct rig *rig, const char *id, int64_t amount);
struct rig_command *rig_move(struct rig *rig, const char *from, const char *to, int64_t amount);
struct rig_command *rig_ping(struct rig *rig, const char *account);
struct rig_command *rig_note(struct rig *rig, const char *id, const char *note);
struct rig_command *rig_many(struct rig *rig, const char *id, uint32_t count, uint32_t bytes);
struct rig_command *rig_chain(struct rig *rig, uint32_t rounds, uint32_t width);
struct rig_command *rig_blame(struct rig *rig, const char *id);

/* The command holds unless an event at or above `since` has the tag (or the other, if not NULL). */
struct rig_command *rig_unless(struct rig_command *command, const char *tag, const char *other,
                               uint64_t since);

void rig_send(struct rig *rig, struct rig_command *command);
/* Lets the world go on until the command is answered; false: it never is. */
bool rig_wait(struct rig *rig, const struct rig_command *command);
bool rig_wait_all(struct rig *rig);
/* Sends and waits; the status. */
int rig_do(struct rig *rig, struct rig_command *command);
/* What an account's state is, in rig->seen. */
bool rig_look(struct rig *rig, const char *id);
/* Some steps, without moving the clock. */
void rig_step(struct rig *rig, int steps);

#endif
