/*
 * The world as the core sees it: clock, random bits, disk and threads. The server has the real one
 * (env_posix.c), the simulator one that a seed decides (env_sim.c). Nothing outside of these files
 * and `net` asks the operating system.
 *
 * All functions may be called by any thread, also at once. Writes to one file at once must not
 * overlap, and nobody closes what another still uses.
 */
#ifndef SL_BASE_ENV_H
#define SL_BASE_ENV_H

#include "base/queue.h"

struct sl_env;

/* ---- Clock and random ------------------------------------------------------------------------ */

/* UTC, of the system. May jump. */
struct sl_time sl_env_now(struct sl_env *env);
/* Nanoseconds since some start, never backwards: for deadlines and durations. */
int64_t sl_env_monotonic(struct sl_env *env);
void sl_env_random(struct sl_env *env, void *out, size_t len);
/* A UUIDv7 (RFC 9562) of this moment. */
struct sl_uuid sl_env_uuid(struct sl_env *env);

/* ---- Disk ------------------------------------------------------------------------------------ */

struct sl_file;

enum sl_open_flags {
    SL_OPEN_READ = 0,
    SL_OPEN_WRITE = 1,
    SL_OPEN_CREATE = 2,    /* make it if it is missing; durable only after sl_disk_sync_folder */
    SL_OPEN_EXCLUSIVE = 4, /* with CREATE: fail with SL_CONFLICT if it exists */
    SL_OPEN_DIRECT = 8, /* past the page cache where that is possible: offset, length and memory of
                           writes must be multiples of 4096; reads may be anything */
};

/* Paths are relative to the process, or absolute. CREATE wants WRITE. The file is the caller's, to
 * be closed. Errors: SL_NOT_FOUND (the file, or a folder on the way), SL_CONFLICT, SL_INVALID (it
 * is a folder), SL_LIMIT (disk full), SL_IO, SL_NO_MEMORY. */
enum sl_err sl_disk_open(struct sl_env *env, const char *path, unsigned flags, struct sl_file **out,
                         struct sl_error *error) SL_USE_RESULT;

/* Reads up to `len` bytes at `offset`; `*out_len` is less only at the file's end. */
enum sl_err sl_file_read(struct sl_file *file, uint64_t offset, void *bytes, size_t len,
                         size_t *out_len, struct sl_error *error) SL_USE_RESULT;

/* Writes all or fails, perhaps after a part; not durable before sl_file_sync. SL_LIMIT: the disk is
 * full. */
enum sl_err sl_file_write(struct sl_file *file, uint64_t offset, const void *bytes, size_t len,
                          struct sl_error *error) SL_USE_RESULT;

/* Writes all and makes it durable, in one call where the system has one; what other calls wrote is
 * not meant. After a failure nothing is known about these bytes, and the file must not be trusted
 * with more (failed fsync). */
enum sl_err sl_file_write_durable(struct sl_file *file, uint64_t offset, const void *bytes,
                                  size_t len, struct sl_error *error) SL_USE_RESULT;

/* Makes all writes to the file so far, and its size, durable. After a failure it must be taken that
 * some of them are lost, even if a later sync succeeds. */
enum sl_err sl_file_sync(struct sl_file *file, struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_file_size(struct sl_file *file, uint64_t *out, struct sl_error *error) SL_USE_RESULT;
/* Cuts the file, or lengthens it by zeros; not durable before sl_file_sync. */
enum sl_err sl_file_truncate(struct sl_file *file, uint64_t size,
                             struct sl_error *error) SL_USE_RESULT;
/* An exclusive lock for this opening of the file, held until close. SL_BUSY: another has it. */
enum sl_err sl_file_lock(struct sl_file *file, struct sl_error *error) SL_USE_RESULT;
/* NULL is allowed. Syncs nothing. */
void sl_file_close(struct sl_file *file);

/* Parents too; they and it may exist. Durable when it returns. SL_CONFLICT: a file is in the
 * way. */
enum sl_err sl_disk_make_folder(struct sl_env *env, const char *path,
                                struct sl_error *error) SL_USE_RESULT;
/* Gives a file another name, taking the place of a file that had it: at every moment, power losses
 * included, `to` is the old file or the new one. Durable after sl_disk_sync_folder. */
enum sl_err sl_disk_rename(struct sl_env *env, const char *from, const char *to,
                           struct sl_error *error) SL_USE_RESULT;
/* Removes a file or an empty folder (SL_CONFLICT: not empty). Open files go on until closed. */
enum sl_err sl_disk_remove(struct sl_env *env, const char *path,
                           struct sl_error *error) SL_USE_RESULT;
/* Makes the entries of a folder (created, renamed, removed) durable. */
enum sl_err sl_disk_sync_folder(struct sl_env *env, const char *path,
                                struct sl_error *error) SL_USE_RESULT;
/* Calls `each` with every plain file's name, in byte order. The names live for the call; `each` may
 * remove or rename files. */
enum sl_err sl_disk_list(struct sl_env *env, const char *path,
                         void (*each)(void *context, const char *name), void *context,
                         struct sl_error *error) SL_USE_RESULT;

/* ---- Threads --------------------------------------------------------------------------------- */

/* An actor owns its state alone and does one thing at a time. Each has a thread of its own in the
 * server; in the simulator all share one, in an order that the seed decides. */
struct sl_actor {
    const char *name; /* at most 15 bytes, for ps and gdb */
    void *self;
    /* Handles one message, which it now owns. */
    void (*step)(void *self, struct sl_message *message);
    /* After all waiting messages were handled, and when the deadline that it gave last is reached:
     * finishes the turn; returns the next deadline on the monotonic clock, INT64_MAX for none.
     * NULL: nothing to do. The first turn follows the first message; the last one follows
     * sl_env_stop. */
    int64_t (*turn)(void *self);
    bool background; /* low priority for processor and disk */
};

/* Starts an actor; messages posted to `*out` reach its step. `actor` is copied; the mailbox lives
 * until sl_env_stop. SL_LIMIT: the system gives no more threads. */
enum sl_err sl_env_start(struct sl_env *env, const struct sl_actor *actor, struct sl_mailbox **out,
                         struct sl_error *error) SL_USE_RESULT;

/* Ends an actor after it has handled all messages posted before, waits for it, and frees its
 * mailbox. Nobody may post to it any more. Not from the actor itself. NULL is allowed. */
void sl_env_stop(struct sl_env *env, struct sl_mailbox *mailbox);

/* Borrows an actor that rests: true if all that was posted to it has been handled. Until it is
 * given back, by the same thread and within microseconds, it takes no step, and what it works on is
 * the borrower's. Not from the actor itself. */
bool sl_env_borrow(struct sl_env *env, struct sl_mailbox *mailbox) SL_USE_RESULT;
void sl_env_give_back(struct sl_env *env, struct sl_mailbox *mailbox);

/* ---- The real one ---------------------------------------------------------------------------- */

enum sl_err sl_env_posix_new(struct sl_env **out, struct sl_error *error) SL_USE_RESULT;
/* All actors are stopped and all files closed. NULL is allowed. */
void sl_env_free(struct sl_env *env);

#endif
