/* The parts of the simulated environment, to each other. Private to env_sim*.c. */
#ifndef SL_BASE_ENV_SIM_PARTS_H
#define SL_BASE_ENV_SIM_PARTS_H

#include "base/env_ops.h"
#include "base/env_sim.h"

/* ---- What a file holds (env_sim_inode.c) ----------------------------------------------------- */

enum { SIM_SECTOR = 512 };

/* Bytes between size and capacity are zero. */
struct sim_image {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

/* A part of a change that was not synced: a sector as it was after the change, or a new size. */
struct sim_piece {
    uint64_t op; /* pieces of one call share it */
    bool is_size;
    uint64_t at; /* number of the sector, or the size */
    uint8_t bytes[SIM_SECTOR];
};

/* Invariant: `durable`, with all pieces applied in order, is `now`. (After a failed sync it is not:
 * then some pieces are lost.) */
struct sim_inode {
    struct sim_inode *next; /* of all of the disk */
    struct sim_image now;   /* what reads show */
    struct sim_image durable;
    struct sim_piece *pieces;
    size_t piece_count;
    size_t piece_capacity;
    unsigned refs; /* names now, durable names, changes of names, open files */
    const struct sl_file *locked_by;
};

/* The seed's choice for a row of changes when the power fails. */
struct sim_mood {
    enum { SIM_KEEP_ALL, SIM_KEEP_NONE, SIM_KEEP_FIRST, SIM_KEEP_ANY } kind;
    uint64_t last; /* SIM_KEEP_FIRST: the last to be kept, torn */
};

enum sim_fate { SIM_KEPT, SIM_DROPPED, SIM_TORN };

struct sim_env;

struct sim_inode *sim_inode_new(struct sim_env *sim) __attribute__((returns_nonnull));
void sim_inode_release(struct sim_env *sim, struct sim_inode *inode);
/* Changes `now`, and remembers the change as not synced. */
void sim_inode_write(struct sim_env *sim, struct sim_inode *inode, uint64_t offset,
                     const void *bytes, size_t len);
void sim_inode_resize(struct sim_env *sim, struct sim_inode *inode, size_t size);
/* These bytes and the size are durable as they are now. */
void sim_inode_harden(struct sim_inode *inode, uint64_t offset, size_t len);
void sim_inode_sync(struct sim_inode *inode);
/* Some pieces become durable, the others are forgotten. `now` stays. */
void sim_inode_settle(struct sim_env *sim, struct sim_inode *inode, struct sim_mood mood);
/* `now` is what was durable. */
void sim_inode_revert(struct sim_inode *inode);

/* ---- Names (env_sim_names.c) ----------------------------------------------------------------- */

struct sim_name {
    char *path; /* as sim_path gives it */
    struct sim_inode *inode;
};

/* In byte order. */
struct sim_names {
    struct sim_name *items;
    size_t count;
    size_t capacity;
};

/* A change of names that no folder was synced for: it creates (`from` is NULL), removes (`to` is
 * NULL) or renames. */
struct sim_change {
    char *from;
    char *to;
    struct sim_inode *inode;
    bool synced;
};

/* The path without what does not matter (".", doubled and last slashes); the caller frees it. */
char *sim_path(const char *path) __attribute__((returns_nonnull));
struct sim_inode *sim_name_find(const struct sim_names *names, const char *path);
/* Is it a folder, or the place where a file could be? */
bool sim_is_folder(const struct sim_env *sim, const char *path);
bool sim_has_parent(const struct sim_env *sim, const char *path);
/* Changes the names now, and remembers the change as not synced. */
void sim_names_change(struct sim_env *sim, const char *from, const char *to,
                      struct sim_inode *inode);
/* The names after the power was lost. */
void sim_names_power_loss(struct sim_env *sim);
void sim_names_close(struct sim_env *sim);

enum sl_err sim_make_folder(struct sl_env *env, const char *path, struct sl_error *error);
enum sl_err sim_rename(struct sl_env *env, const char *from, const char *to,
                       struct sl_error *error);
enum sl_err sim_remove(struct sl_env *env, const char *path, struct sl_error *error);
enum sl_err sim_sync_folder(struct sl_env *env, const char *path, struct sl_error *error);
enum sl_err sim_list(struct sl_env *env, const char *path,
                     void (*each)(void *context, const char *name), void *context,
                     struct sl_error *error);

/* ---- Files and faults (env_sim_disk.c) ------------------------------------------------------- */

enum sim_gate { SIM_GO, SIM_FAIL, SIM_FULL, SIM_CUT_OFF, SIM_POWER_OUT };

/* Every disk call asks first. `changes`: it changes or syncs something. SIM_CUT_OFF: do it, but
 * make nothing durable, and return sim_refuse. SIM_FAIL: fail as a disk does, half done; SIM_FULL:
 * likewise, for want of room. */
enum sim_gate sim_gate(struct sim_env *sim, bool changes);
enum sl_err sim_refuse(struct sl_error *error, enum sim_gate gate, const char *path);

enum sl_err sim_open(struct sl_env *env, const char *path, unsigned flags, struct sl_file **out,
                     struct sl_error *error);
void sim_disk_power_loss(struct sim_env *sim);
void sim_disk_close(struct sim_env *sim);

/* ---- The whole (env_sim.c) ------------------------------------------------------------------- */

struct sim_disk {
    struct sim_names now;
    struct sim_names durable;
    struct sim_names folders; /* durable when made; without inodes */
    struct sim_change *changes;
    size_t change_count;
    size_t change_capacity;
    struct sim_inode *inodes;
    struct sim_file *files; /* open ones, and those that a power loss closed */
    uint64_t next_op;
    uint64_t calls;         /* changing or syncing ones so far */
    uint64_t power_loss_in; /* such calls until the power fails; 0: never */
    uint64_t all_calls;     /* of any kind so far */
    uint64_t fail_in;       /* calls until one fails; 0: never */
    uint64_t fail_count;    /* how many fail from that one on */
    enum sl_err fail_as;    /* SL_IO, or SL_LIMIT for what changes something */
    int64_t slow_ns;        /* a changing call takes up to so long */
    uint64_t bytes_max;     /* 0: no limit */
    bool power_is_out;
};

struct sim_env {
    struct sl_env env;
    uint64_t choices; /* state of the random numbers that decide */
    uint64_t bits;    /* and of those that sl_env_random hands out */
    int64_t monotonic_ns;
    int64_t utc_ns;
    struct sim_disk disk;
    struct sim_actor **actors; /* in order of their start; also those that a power loss ended */
    size_t actor_count;
    size_t actor_capacity;
    const struct sim_actor *running;
    const struct sim_actor *lent; /* to the running one; NULL: none */
    const struct sim_actor *held; /* the system does not run it for the moment */
    uint64_t held_steps;
    uint64_t held_steps_max; /* 0: every actor has its chance at each step */
    uint64_t digest;
};

static inline struct sim_env *sim_of(struct sl_env *env)
{
    return (struct sim_env *)env;
}

uint64_t sim_random(struct sim_env *sim, uint64_t limit);
/* What happened goes into the digest of the run. */
void sim_note(struct sim_env *sim, uint64_t what);
struct sim_mood sim_mood(struct sim_env *sim, uint64_t first, uint64_t last);
enum sim_fate sim_fate(struct sim_env *sim, struct sim_mood mood, uint64_t op);

/* Memory that is there: running out of it ends the simulation. */
void *sim_zeroed(size_t count, size_t size) __attribute__((returns_nonnull));
/* Room for one more item than `count`, the old items kept. */
void *sim_room(void *items, size_t *capacity, size_t count, size_t item_size)
    __attribute__((returns_nonnull));
char *sim_copy(const char *text) __attribute__((returns_nonnull));

#endif
