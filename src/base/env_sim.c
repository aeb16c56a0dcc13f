#include "base/env_sim_parts.h"

#include <stdlib.h>
#include <string.h>

struct sim_actor {
    struct sl_actor actor;
    char name[16];
    struct sl_mailbox *mailbox;
    struct sl_message *taken; /* taken from the mailbox, not yet handled */
    bool owes_turn;           /* handled all it took */
    int64_t deadline;
    bool gone; /* ended by a power loss */
};

/* ---- Random numbers -------------------------------------------------------------------------- */

static uint64_t next_number(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

uint64_t sim_random(struct sim_env *sim, uint64_t limit)
{
    SL_ASSERT(limit > 0);
    return next_number(&sim->choices) % limit;
}

uint64_t sl_sim_random(struct sl_env *env, uint64_t limit)
{
    return sim_random(sim_of(env), limit);
}

void sim_note(struct sim_env *sim, uint64_t what)
{
    sim->digest ^= what;
    sim->digest = next_number(&sim->digest);
}

uint64_t sl_sim_digest(const struct sl_env *env)
{
    return ((const struct sim_env *)env)->digest;
}

/* Each number alone would almost never keep or lose all; what programs trip over is both. */
struct sim_mood sim_mood(struct sim_env *sim, uint64_t first, uint64_t last)
{
    switch (sim_random(sim, 4)) {
    case 0:
        return (struct sim_mood){SIM_KEEP_ALL, 0};
    case 1:
        return (struct sim_mood){SIM_KEEP_NONE, 0};
    case 2:
        return (struct sim_mood){SIM_KEEP_FIRST, first + sim_random(sim, last - first + 1)};
    default:
        return (struct sim_mood){SIM_KEEP_ANY, 0};
    }
}

enum sim_fate sim_fate(struct sim_env *sim, struct sim_mood mood, uint64_t op)
{
    static const enum sim_fate any[] = {SIM_KEPT, SIM_DROPPED, SIM_TORN};

    switch (mood.kind) {
    case SIM_KEEP_ALL:
        return SIM_KEPT;
    case SIM_KEEP_FIRST:
        if (op == mood.last)
            return SIM_TORN;
        return op < mood.last ? SIM_KEPT : SIM_DROPPED;
    case SIM_KEEP_ANY:
        return any[sim_random(sim, 3)];
    case SIM_KEEP_NONE:
        break;
    }
    return SIM_DROPPED;
}

static void sim_env_random(struct sl_env *env, void *out, size_t len)
{
    uint8_t *byte = out;

    for (size_t i = 0; i < len; i++)
        byte[i] = (uint8_t)(next_number(&sim_of(env)->bits) >> 56);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

_Thread_local volatile unsigned sl_sim_takes_memory;

void *sim_zeroed(size_t count, size_t size)
{
    sl_sim_takes_memory = sl_sim_takes_memory + 1;
    void *out = calloc(count > 0 ? count : 1, size);
    sl_sim_takes_memory = sl_sim_takes_memory - 1;
    SL_ASSERT(out, "M1");
    return out;
}

void *sim_room(void *items, size_t *capacity, size_t count, size_t item_size)
{
    if (count < *capacity)
        return items;
    *capacity = count > 0 ? count * 2 : 8;
    sl_sim_takes_memory = sl_sim_takes_memory + 1;
    void *out = reallocarray(items, *capacity, item_size);
    sl_sim_takes_memory = sl_sim_takes_memory - 1;
    SL_ASSERT(out, "M1");
    return out;
}

char *sim_copy(const char *text)
{
    sl_sim_takes_memory = sl_sim_takes_memory + 1;
    char *copy = strdup(text);
    sl_sim_takes_memory = sl_sim_takes_memory - 1;
    SL_ASSERT(copy, "M1");
    return copy;
}

/* ---- Clocks ---------------------------------------------------------------------------------- */

static struct sl_time sim_now(struct sl_env *env)
{
    return (struct sl_time){sim_of(env)->utc_ns};
}

static int64_t sim_monotonic(struct sl_env *env)
{
    return sim_of(env)->monotonic_ns;
}

void sl_sim_advance(struct sl_env *env, int64_t ns)
{
    SL_ASSERT(ns >= 0);
    sim_of(env)->monotonic_ns += ns;
    sim_of(env)->utc_ns += ns;
}

void sl_sim_jump(struct sl_env *env, int64_t ns)
{
    sim_of(env)->utc_ns += ns;
}

/* ---- Actors ---------------------------------------------------------------------------------- */

static enum sl_err sim_start(struct sl_env *env, const struct sl_actor *actor,
                             struct sl_mailbox **out, struct sl_error *error)
{
    struct sim_env *sim = sim_of(env);
    struct sim_actor *new = calloc(1, sizeof *new);

    if (!new || sl_mailbox_new(NULL, new, &new->mailbox) != SL_OK) {
        free(new);
        return sl_fail(error, SL_NO_MEMORY, "no memory for the actor %s", actor->name);
    }
    new->actor = *actor;
    memcpy(new->name, actor->name, strlen(actor->name));
    new->actor.name = new->name;
    new->deadline = INT64_MAX;
    sim->actors = sim_room(sim->actors, &sim->actor_capacity, sim->actor_count, sizeof(void *));
    sim->actors[sim->actor_count++] = new;
    *out = new->mailbox;
    return SL_OK;
}

static bool has_work(const struct sim_env *sim, const struct sim_actor *actor)
{
    SL_ASSERT(actor);
    if (actor->gone || actor == sim->running)
        return false;
    return actor->taken || actor->owes_turn || sl_mailbox_has_mail(actor->mailbox) ||
           actor->deadline <= sim->monotonic_ns;
}

static uint64_t sim_place_of(const struct sim_env *sim, const struct sim_actor *actor)
{
    uint64_t i = 0;

    while (sim->actors[i] != actor)
        i++;
    return i;
}

/* One message, or the turn after the last one. The turn is a step of its own: in the server, too,
 * others get between. */
static void act(struct sim_env *sim, struct sim_actor *actor)
{
    const struct sim_actor *outer =
        sim->running; /* not NULL within sl_env_stop of an actor's step */

    SL_ASSERT(outer != actor, "T1");
    sim->running = actor;
    if (!actor->taken && !actor->owes_turn)
        actor->taken = sl_mailbox_take_all(actor->mailbox);
    sim_note(sim, sim_place_of(sim, actor) << 32 ^ (uint64_t)sim->monotonic_ns);
    if (actor->taken) {
        struct sl_message *message = actor->taken;
        sim_note(sim, message->kind);
        actor->taken = message->next;
        actor->owes_turn = !actor->taken;
        actor->actor.step(actor->actor.self, message);
    } else {
        actor->owes_turn = false;
        actor->deadline = actor->actor.turn ? actor->actor.turn(actor->actor.self) : INT64_MAX;
    }
    sim->running = outer;
}

static void remove_actor(struct sim_env *sim, struct sim_actor *actor)
{
    const size_t i = sim_place_of(sim, actor);

    if (sim->held == actor)
        sim->held = NULL;
    sim->actor_count--;
    memmove(sim->actors + i, sim->actors + i + 1, (sim->actor_count - i) * sizeof(void *));
    (void)sl_mailbox_take_all(actor->mailbox); /* to a dead one; they belong to the test */
    sl_mailbox_free(actor->mailbox);
    free(actor);
}

static void sim_stop(struct sl_env *env, struct sl_mailbox *mailbox)
{
    struct sim_env *sim = sim_of(env);
    struct sim_actor *actor = sl_mailbox_context(mailbox);

    SL_ASSERT(actor != sim->running, "T1");
    if (!actor->gone) {
        while (actor->taken || sl_mailbox_has_mail(mailbox))
            act(sim, actor);
        actor->owes_turn = true;
        act(sim, actor);
    }
    remove_actor(sim, actor);
}

/* Now and then it is refused, as where the actor is a moment late. */
static bool sim_borrow(struct sl_env *env, struct sl_mailbox *mailbox)
{
    struct sim_env *sim = sim_of(env);
    const struct sim_actor *actor = sl_mailbox_context(mailbox);
    const uint64_t refused_in = 4;

    SL_ASSERT(actor != sim->running && !sim->lent, "T1");
    if (actor->gone || actor->taken || (actor->owes_turn && actor->actor.turn) ||
        sl_mailbox_has_mail(mailbox) || sim_random(sim, refused_in) == 0)
        return false;
    sim->lent = actor;
    return true;
}

static void sim_give_back(struct sl_env *env, struct sl_mailbox *mailbox)
{
    struct sim_env *sim = sim_of(env);

    SL_ASSERT(sim->lent == sl_mailbox_context(mailbox), "T1");
    sim->lent = NULL;
}

/* The seed takes the processor from an actor, and gives it back some steps later. */
static void hold_somebody(struct sim_env *sim)
{
    const uint64_t one_in = 32;

    if (sim->held_steps > 0) {
        sim->held_steps--;
        return;
    }
    sim->held = NULL;
    if (sim->held_steps_max == 0 || sim->actor_count == 0 || sim_random(sim, one_in) > 0)
        return;
    sim->held = sim->actors[sim_random(sim, sim->actor_count)];
    sim->held_steps = sim_random(sim, sim->held_steps_max);
}

bool sl_sim_step(struct sl_env *env)
{
    struct sim_env *sim = sim_of(env);
    uint64_t count = 0;

    if (sim->disk.power_is_out)
        return false;
    hold_somebody(sim);
    for (size_t i = 0; i < sim->actor_count; i++)
        count += sim->actors[i] != sim->held && has_work(sim, sim->actors[i]);
    if (count == 0) { /* the processor has nothing else to do */
        sim->held = NULL;
        for (size_t i = 0; i < sim->actor_count; i++)
            count += has_work(sim, sim->actors[i]);
    }
    if (count == 0)
        return false;
    uint64_t nth = sim_random(sim, count);
    for (size_t i = 0;; i++) {
        if (sim->actors[i] != sim->held && has_work(sim, sim->actors[i]) && nth-- == 0) {
            act(sim, sim->actors[i]);
            return true;
        }
    }
}

void sl_sim_unfair(struct sl_env *env, uint64_t steps_max)
{
    sim_of(env)->held_steps_max = steps_max;
}

int64_t sl_sim_next_deadline(const struct sl_env *env)
{
    const struct sim_env *sim = (const struct sim_env *)env;
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < sim->actor_count; i++)
        if (!sim->actors[i]->gone && sim->actors[i]->deadline < next)
            next = sim->actors[i]->deadline;
    return next;
}

uint64_t sl_sim_run(struct sl_env *env, int64_t until_ns)
{
    /* An actor that asks for a deadline in the past again and again would turn for ever. */
    const uint64_t steps_max = 10000000;
    struct sim_env *sim = sim_of(env);
    uint64_t steps = 0, steps_now = 0;

    SL_ASSERT(!sim->running, "T1");
    for (;;) {
        while (sl_sim_step(env)) {
            SL_ASSERT(++steps_now < steps_max, "M1");
            steps++;
        }
        const int64_t next = sl_sim_next_deadline(env);
        if (next == INT64_MAX || sim->disk.power_is_out || sim->monotonic_ns >= until_ns)
            return steps;
        sl_sim_advance(env, (next < until_ns ? next : until_ns) - sim->monotonic_ns);
        if (next > until_ns)
            return steps;
        steps_now = 0;
    }
}

void sl_sim_power_loss(struct sl_env *env)
{
    struct sim_env *sim = sim_of(env);

    SL_ASSERT(!sim->running, "T1");
    for (size_t i = 0; i < sim->actor_count; i++)
        sim->actors[i]->gone = true;
    sim_disk_power_loss(sim);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void sim_free(struct sl_env *env)
{
    struct sim_env *sim = sim_of(env);

    while (sim->actor_count > 0) {
        struct sim_actor *last = sim->actors[sim->actor_count - 1];
        SL_ASSERT(last->gone, "T1");
        remove_actor(sim, last);
    }
    free(sim->actors);
    sim_disk_close(sim);
    free(sim);
}

static const struct sl_env_ops sim_ops = {
    .now = sim_now,
    .monotonic = sim_monotonic,
    .random = sim_env_random,
    .open = sim_open,
    .make_folder = sim_make_folder,
    .rename = sim_rename,
    .remove = sim_remove,
    .sync_folder = sim_sync_folder,
    .list = sim_list,
    .start = sim_start,
    .stop = sim_stop,
    .borrow = sim_borrow,
    .give_back = sim_give_back,
    .free = sim_free,
};

enum sl_err sl_env_sim_new(uint64_t seed, struct sl_env **out)
{
    const int64_t start_s = INT64_C(1767225600); /* 2026-01-01T00:00:00Z */
    struct sim_env *sim = calloc(1, sizeof *sim);

    if (!sim)
        return SL_NO_MEMORY;
    sim->env.ops = &sim_ops;
    sim->choices = seed;
    sim->bits = ~seed;
    next_number(&sim->choices);
    sim->utc_ns = start_s * 1000000000;
    *out = &sim->env;
    return SL_OK;
}
