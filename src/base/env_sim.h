/*
 * The simulated world: one thread, a seed, a clock that moves only when told, and a disk in memory
 * that forgets, tears and reorders what was not synced when the power fails. The same seed and the
 * same calls give the same run, bit for bit.
 *
 * The clocks start at 0 (monotonic) and 2026-01-01T00:00:00Z. Of folders, "", "." and "/" are
 * there. The simulator's own memory running out ends the program: it is a tool of tests.
 *
 * How the disk fails, which is what a program may rely on and no more:
 * - A write or truncation that was not synced may, after a power loss, be there, not be there, or
 *   be torn: each of its sectors of 512 bytes is old or new. Later writes may survive earlier ones.
 *   What was never written reads as zeros.
 * - sl_file_write_durable makes its own bytes and the file's size durable, not other writes.
 * - A file that was created, renamed or removed has its old or its new name until its folder was
 *   synced, whatever was synced of its bytes. A rename is one change: `to` is never missing when it
 *   was there before. Folders themselves are durable when made.
 * - A sync that fails has lost some of the writes it should have made durable, and the next sync
 *   does not bring them back, though reads still show them. A write that fails was done in part.
 */
#ifndef SL_BASE_ENV_SIM_H
#define SL_BASE_ENV_SIM_H

#include "base/env.h"

enum sl_err sl_env_sim_new(uint64_t seed, struct sl_env **out) SL_USE_RESULT;

/* ---- Actors and clocks ----------------------------------------------------------------------- */

/* Runs actors in an order that the seed decides, moving both clocks on to the earliest deadline
 * when nobody has anything to do, until nobody has a deadline either, or the next one lies after
 * `until_ns` of simulated monotonic time (which is then the time), or the power fails. Returns the
 * number of steps and turns taken. Ten million of them at one moment are taken for a busy loop,
 * which is a bug. Not from an actor. */
uint64_t sl_sim_run(struct sl_env *env, int64_t until_ns);

/* One step or turn of one actor that the seed picks among those with mail, an unfinished turn or a
 * deadline that has come; false: there is none, or the power is out. The clocks are not moved. */
bool sl_sim_step(struct sl_env *env);

/* A number below `limit` (at least 1) from the seed. */
uint64_t sl_sim_random(struct sl_env *env, uint64_t limit);

/* From now on the seed sometimes leaves an actor alone for up to so many steps of others, as a
 * system does with a thread; 0, as at the start: whoever has something to do is as likely as any
 * other. */
void sl_sim_unfair(struct sl_env *env, uint64_t steps_max);

/* The earliest deadline of all actors (monotonic ns); INT64_MAX: there is none. */
int64_t sl_sim_next_deadline(const struct sl_env *env);

/* A digest of all that happened: which actor took which message when, and what the disk was told.
 * The same seed and the same calls give the same one. */
uint64_t sl_sim_digest(const struct sl_env *env);

/* Not 0 while the simulator takes memory for itself: tests that let allocations fail let these
 * through. */
extern _Thread_local volatile unsigned sl_sim_takes_memory;

void sl_sim_advance(struct sl_env *env, int64_t ns); /* both clocks; not backwards */
void sl_sim_jump(struct sl_env *env, int64_t ns);    /* the UTC clock alone, also backwards */

/* ---- Faults ---------------------------------------------------------------------------------- */

/* The power fails, or has failed (sl_sim_power_loss_at), and comes back: all actors are gone
 * without a word, what they owned, messages to them included, is the caller's to free. All files
 * are closed. The seed decides about everything that was not synced. The env goes on as the machine
 * after its restart.
 *
 * Files and mailboxes from before may still be given to sl_file_close and sl_env_stop (which runs
 * nothing then), before or after; other calls on such files give SL_IO. Not from an actor. */
void sl_sim_power_loss(struct sl_env *env);

/* In the n-th next disk call that changes or syncs something (1: the very next) the power fails:
 * that call is cut off, done in part or not at all, and it and all disk calls after it return SL_IO
 * until sl_sim_power_loss is called. 0: never. What actors still send after that moment nobody
 * received. */
void sl_sim_power_loss_at(struct sl_env *env, uint64_t nth_call);
bool sl_sim_power_is_out(struct sl_env *env);
/* Number of disk calls so far that change or sync something. */
uint64_t sl_sim_disk_calls(struct sl_env *env);

/* The n-th next disk call of any kind fails once with SL_IO (0: never). */
void sl_sim_disk_fail_at(struct sl_env *env, uint64_t nth_call);
/* The n-th next disk call and those that follow, `count` in all, fail: with SL_IO, or with SL_LIMIT
 * as on a full disk those that write, create or rename, while reads, syncs and removals go on. */
void sl_sim_disk_fault(struct sl_env *env, uint64_t nth_call, uint64_t count, enum sl_err as);
/* Number of disk calls of any kind so far. */
uint64_t sl_sim_disk_all_calls(struct sl_env *env);
/* Each call that changes or syncs something takes up to so long, on both clocks; 0: no time. */
void sl_sim_disk_slow(struct sl_env *env, int64_t ns_max);
/* Bytes that fit on the disk; writes beyond do what fits and fail with SL_LIMIT. 0: no limit but 1
 * GiB a file. A removed file's room is free after its folder was synced and the file is closed. */
void sl_sim_disk_size(struct sl_env *env, uint64_t bytes);

/* Shows or changes stored bytes behind everybody's back, for tests of damage. What is shown lives
 * until the file is changed next. What is poked lies within the file (else SL_INVALID) and is
 * durable. SL_NOT_FOUND. */
enum sl_err sl_sim_disk_peek(struct sl_env *env, const char *path,
                             struct sl_slice *out) SL_USE_RESULT;
enum sl_err sl_sim_disk_poke(struct sl_env *env, const char *path, uint64_t offset,
                             struct sl_slice bytes) SL_USE_RESULT;

#endif
