/*
 * The simulated world: one thread, a seed, a clock that moves only when told, and a disk in memory
 * that forgets, tears and reorders what was not synced when the power fails.
 */
#ifndef SL_BASE_ENV_SIM_H
#define SL_BASE_ENV_SIM_H

#include "base/env.h"

enum sl_err sl_env_sim_new(uint64_t seed, struct sl_env **out) SL_USE_RESULT;

/* Runs actors in an order that the seed decides, moving the clock on to deadlines when nobody has
 * mail, until nothing is left to do or `until_ns` of simulated monotonic time is reached. Returns the number of steps taken. */
uint64_t sl_sim_run(struct sl_env *env, int64_t until_ns);

/* One step of one actor that the seed picks; false: nobody has mail (the clock is not moved). */
bool sl_sim_step(struct sl_env *env);

/* A number below `limit` from the seed. */
uint64_t sl_sim_random(struct sl_env *env, uint64_t limit);

void sl_sim_advance(struct sl_env *env, int64_t ns);  /* both clocks */
void sl_sim_jump(struct sl_env *env, int64_t ns);     /* the UTC clock alone, also backwards */

/* The power fails: all actors are gone without a word (their memory is the caller's to free), all files are closed; of each file's unsynced
 * writes, and of unsynced folder entries, the seed keeps some, drops some, and tears 512-byte sectors apart. What was
 * synced stays. The env goes on as the machine after its restart. */
void sl_sim_power_loss(struct sl_env *env);

/* The n-th next disk call that writes or syncs (1: the very next) fails the power instead of being done: it and everything after it
 * returns SL_IO until sl_sim_power_loss is called. 0: never. */
void sl_sim_power_loss_at(struct sl_env *env, uint64_t nth_call);
/* Number of writing or syncing disk calls so far. */
uint64_t sl_sim_disk_calls(struct sl_env *env);

/* The n-th next disk call of any kind fails once with SL_IO (0: never). */
void sl_sim_disk_fail_at(struct sl_env *env, uint64_t nth_call);
/* Bytes that fit on the disk; writes beyond fail with SL_LIMIT. 0: no limit. */
void sl_sim_disk_size(struct sl_env *env, uint64_t bytes);

/* Reads or changes stored bytes behind everybody's back: for tests of damage. SL_NOT_FOUND. */
enum sl_err sl_sim_disk_peek(struct sl_env *env, const char *path, struct sl_slice *out) SL_USE_RESULT;
enum sl_err sl_sim_disk_poke(struct sl_env *env, const char *path, uint64_t offset, struct sl_slice bytes) SL_USE_RESULT;

#endif
