/*
 * A world for tests: the whole engine with the bank and the orders, on a simulated machine, and
 * clients that write down what they were told. What must then be true is in world_check.c.
 *
 * Everything of a world is on one thread; nothing is shared between worlds.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "base/env_sim.h"
#include "base/hash.h"
#include "engine/engine.h"

enum {
    WORLD_ACCOUNTS = 12, /* the first is cash, without a bound */
    WORLD_ITEMS = 4,
    WORLD_COMMANDS_MAX = 60000,
    WORLD_STOCK = 1000, /* what AddStock adds */
};

enum world_kind {
    WORLD_OPEN = 1, /* account `a` */
    WORLD_TRANSFER, /* from `a` to `b` */
    WORLD_HOLD,     /* likewise, pending, named after its number; runs out `within_s`; 0: never */
    WORLD_POST,     /* `amount` of what command `a` holds; 0: all */
    WORLD_VOID,     /* what command `a` holds */
    WORLD_ADD,      /* to the stock of item `a` */
    WORLD_PLACE,    /* an order, numbered like its command, for `amount` of item `a` */
    WORLD_SHIP,     /* the order of command `a` */
    WORLD_CANCEL,   /* likewise */
};

enum world_start { WORLD_READY = 1, WORLD_REFUSED, WORLD_POWERLESS };

/* A command, and what its client knows of it. */
struct world_command {
    struct sl_message message;
    struct sl_submission submission;
    struct world *world;
    struct sl_arena arena;
    enum world_kind kind;
    size_t number;
    size_t a, b;
    int64_t amount, price, within_s;
    bool under_way;
    bool confirmed; /* told once more since it was last asked for (world_check) */
    unsigned sends, unknowns;
    int status;        /* what was told; 0: nothing that says whether it was carried out */
    uint64_t position; /* that was told with it */
    uint64_t rule;     /* the refusal's, hashed */
    size_t events;     /* that the log holds of it (world_check) */
    size_t failures;   /* likewise, TransferFailed */
};

/* A question for a row that must show what its asker was told of. */
struct world_question {
    struct sl_message message;
    struct sl_lookup lookup;
    struct world *world;
    char key[48];
    bool must_be_there;
    bool answered;
};

enum { WORLD_QUESTIONS = 256 };

struct world {
    uint64_t seed;
    struct sl_env *env;
    struct sl_mailbox *mailbox;
    struct sl_core *core;
    struct sl_core_domain *bank, *order;
    struct sl_json_parser *parser;
    struct world_command **commands;
    size_t command_count;
    size_t under_way;
    struct world_question questions[WORLD_QUESTIONS];
    unsigned questions_open;
    struct sl_log_watch bank_watch, order_watch;
    struct world_seen {
        uint64_t *digests;  /* of the events that were seen, by position */
        int64_t *latest_ns; /* that the clock had ever shown when they were, first; 0: not seen */
        uint64_t count;
        uint64_t capacity;
        uint64_t next; /* of the present reign: the next one to be seen; UINT64_MAX: any */
    } seen[2];
    struct sl_error error;     /* why it did not start */
    struct sl_message message; /* to the engine's actor */
    struct sl_message rebuild; /* likewise; on its way while `rebuild_asked` */
    bool rebuild_asked;
    unsigned rebuilds; /* that were begun */
    bool closing;
    bool has_closed;
    int64_t latest_ns;  /* that the UTC clock ever showed */
    bool went_back;     /* the UTC clock, at some time */
    uint64_t steps_now; /* taken at this moment: */
    int64_t steps_at;
    bool bad;
    struct world_held {
        unsigned made, posted, voided, expired;
    } held;         /* pending transfers in the log, when it was last checked */
    bool may_stall; /* the machine is so broken that nothing need come to an end */
    bool is_quiet;  /* a complaint is not printed: the caller tells it */
    char complaint[200];
    uint64_t told; /* a digest of what clients were told */
    uint32_t queue_max;
    size_t aggregate_memory_max;
    const char *segment_bytes;
};

/* A fresh machine. False: no memory. */
bool world_make(struct world *world, uint64_t seed);
void world_free(struct world *world);

/* Starts the engine and lets it run until it takes commands. WORLD_REFUSED: it did not want to, and
 * is closed again; `world->error` says why. */
enum world_start world_start(struct world *world);

/* Drains the engine and ends it in good order. False: the drain came to no end, and a crash must
 * follow. */
bool world_stop(struct world *world);

/* The power fails, now if it has not yet, and comes back. The engine is gone. */
void world_crash(struct world *world);

/* Has views rebuilt, if none of their domain are already. */
void world_rebuild(struct world *world);

/* One step of the machine, or, when nobody has anything to do, time until somebody has; `far`: at
 * most that much. */
void world_step(struct world *world, int64_t far_ns);

/* Complains, once. Returns `good`. */
bool world_expect(struct world *world, bool good, const char *what);

/* ---- Clients --------------------------------------------------------------------------------- */

/* A command is made and sent. NULL: the world is full, or memory is out. */
struct world_command *world_open(struct world *world, size_t account);
struct world_command *world_transfer(struct world *world, size_t from, size_t to, int64_t amount);
struct world_command *world_hold(struct world *world, size_t from, size_t to, int64_t amount,
                                 int64_t within_s);
struct world_command *world_resolve(struct world *world, enum world_kind kind, size_t hold,
                                    int64_t amount);
struct world_command *world_add(struct world *world, size_t item);
struct world_command *world_place(struct world *world, size_t item, int64_t amount, int64_t price,
                                  int64_t within_s);
struct world_command *world_end_order(struct world *world, enum world_kind kind, size_t order);
/* Whose command that is. */
static inline bool world_is_bank(enum world_kind kind)
{
    return kind <= WORLD_VOID;
}

/* The same again. Nothing happens while it is under way. */
void world_send(struct world *world, struct world_command *command);
/* Asks for the row that an accepted command must have left, at its position (P3). */
void world_ask(struct world *world, const struct world_command *command);
/* One thing that some client might do. */
void world_act(struct world *world);

/* ---- What must be true (world_check.c) ------------------------------------------------------- */

/* All that was told is told again, and is in the log; the log is whole; views say what the log
 * says. The engine must be ready and the machine sound. */
void world_check(struct world *world);

/* As world_check, and: when time has passed, no order is left open and nothing is held whose time
 * is over (no timer, no command of a process was lost); and views that are deleted come back the
 * same (V2, P7). The engine is stopped and started for that. */
void world_check_all(struct world *world);

/* Runs until the flag is set, at most for so long in simulated time. */
bool world_run_until(struct world *world, const bool *flag, int64_t ns);
/* Lets so much time pass. */
void world_pass(struct world *world, int64_t ns);

#endif
