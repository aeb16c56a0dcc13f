/*
 * Command ids and their outcomes (C1): one id, one outcome, for the whole window.
 *
 * Every outcome of the log has a number, its cursor. The youngest are in memory, all of them from
 * `first` on; older ones are known by id files (ids_builder.c), of which memory holds filters.
 * Asking is in two steps: sl_ids_find looks into memory; sl_ids_probe says which files may know an
 * id, mostly none; these are asked by sl_ids_look_up, off this thread, and tell cursors, at which
 * the log has an outcome with this id, or, very rarely, with another one of the same print.
 *
 * Without a folder for files all is in memory, for the window and not longer.
 *
 * No call pauses: the table grows a few slots at a time, and what files have taken over leaves
 * memory a few entries at a time. Owned by the engine's thread.
 *
 * The window's clock. An outcome is forgotten when the window, and a minute, have passed since it
 * or any before it in the log. What has passed is told by a clock that follows the system's,
 * but never
 * goes back, and never runs at more than twice its speed: so a clock that jumps, either way, makes
 * nothing be forgotten early; after a start it goes on from the youngest outcome.
 *
 * A clock that was ahead leaves outcomes with times far in the future, which must not keep all that
 * follows: so what was there at a mark is forgotten, too, when the window and a minute have passed
 * since by the monotonic clock, whatever its times say. A start sets the mark anew.
 */
#ifndef SL_COMMAND_IDS_H
#define SL_COMMAND_IDS_H

#include "base/table.h"
#include "command/ids_builder.h"

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

struct sl_ids_options {
    struct sl_env *env;
    struct sl_mailbox *owner; /* the engine's */
    const char *folder;       /* of the files, copied; NULL: all in memory */
    uint32_t window_s;
    size_t memory_max;    /* of entries, filters and all: about; files only */
    uint32_t change_kind; /* of the messages that come: struct sl_id_change, */
    uint32_t job_kind;    /* struct sl_id_job, */
    uint32_t lookup_kind; /* struct sl_id_lookup */
    void *user;           /* of changes and jobs */
};

struct sl_id_window {
    struct sl_ids_options options;
    uint64_t seed; /* of hashes: secret, so that nobody can choose ids that meet */
    struct sl_table table;
    struct sl_id_slab *oldest, *newest;
    uint64_t first, next; /* cursors of what is in memory */
    uint64_t durable;     /* outcomes below are in the log for good */
    size_t memory_count_max, flush_count;
    int64_t clock_ns;    /* the window's */
    int64_t clock_at_ns; /* when, on the monotonic one */
    int64_t newest_s;    /* no outcome is younger, but for those below `past` */
    /* What was there at the mark, and the youngest time since; when the window has passed, all
     * below is past, whatever times it has, and there is a new mark. */
    uint64_t mark, past;
    int64_t mark_ns; /* monotonic; INT64_MIN: none yet */
    int64_t newest_marked_s;
    /* Prints on their way into a file, of outcomes from the files' end on. */
    struct sl_id_chunk *chunks, *last_chunk, *free_chunks;
    struct sl_id_set set;
    struct sl_id_builder *builder;
    struct sl_mailbox *to_builder, *to_looker;
    struct sl_id_job job;
    bool job_out;
};

enum sl_err sl_ids_init(struct sl_id_window *ids, const struct sl_ids_options *options,
                        struct sl_error *error) SL_USE_RESULT;
/* Ends the actors: no message comes any more. Those that came are the owner's to take. */
void sl_ids_stop(struct sl_id_window *ids);
void sl_ids_close(struct sl_id_window *ids);

/* Borrowed until the next add; NULL: memory does not know it. */
const struct sl_known_id *sl_ids_find(const struct sl_id_window *ids, struct sl_uuid id);

/* Which files may know an id that memory does not: fills at most SL_ID_ASKS_MAX, returns how many.
 * They live while a lookup that was posted before the next change of files asks them. */
size_t sl_ids_probe(const struct sl_id_window *ids, struct sl_uuid id, struct sl_id_ask *asks);
/* Asks them; `lookup` comes back in the owner's mailbox. */
void sl_ids_look_up(struct sl_id_window *ids, struct sl_id_lookup *lookup);
/* Does the outcome of `id`, decided at `time_s`, have this print? */
bool sl_ids_has_print(const struct sl_id_window *ids, struct sl_uuid id, int64_t time_s,
                      uint64_t print);

/* Remembers the log's next outcome. The id must not be known, or be remembered by files alone;
 * takes over `known.reply`, also on failure. SL_LIMIT: memory holds as much as it may, and
 * files are not
 * made as quickly (or not at all: the disk is full). SL_NO_MEMORY. */
enum sl_err sl_ids_add(struct sl_id_window *ids, struct sl_known_id known) SL_USE_RESULT;
bool sl_ids_is_full(const struct sl_id_window *ids);

/* UUIDv7 that are older than the window: what became of them may have been forgotten. */
bool sl_ids_is_too_old(const struct sl_id_window *ids, struct sl_uuid id, struct sl_time now);

/* Outcomes below the cursor are in the log for good; `log` is as it is now (see SL_ID_FLUSH). */
void sl_ids_durable(struct sl_id_window *ids, uint64_t cursor);

/* Empties memory: it knows the outcomes from `cursor` on, of which there are none yet. */
void sl_ids_reset(struct sl_id_window *ids, uint64_t cursor);

/* Moves the window's clock on. At the first call after the start it begins. */
void sl_ids_tick(struct sl_id_window *ids, struct sl_time now, int64_t monotonic_ns);
/* The end of a turn: forgets some, has files made, or removed. `position`: all below is durable.
 * `epochs` live until the store is closed. */
void sl_ids_turn(struct sl_id_window *ids, struct sl_uuid log, const struct sl_epoch *epochs,
                 size_t epoch_count, uint64_t position);

/* Opens the files, or gives up those that know anything from `cursor` on: ends with the job. No job
 * must be out. */
void sl_ids_open_files(struct sl_id_window *ids, struct sl_uuid log, const struct sl_epoch *epochs,
                       size_t epoch_count, uint64_t position);
void sl_ids_cut_files(struct sl_id_window *ids, uint64_t cursor);

/* Messages that came. After a change the files may know less than before: if less than up to
 * `first`, memory is to be reset and the log's outcomes read from sl_id_set_end on. */
void sl_ids_changed(struct sl_id_window *ids, struct sl_id_change *change);
void sl_ids_job_done(struct sl_id_window *ids, struct sl_id_job *job);

uint64_t sl_id_witness(const struct sl_known_id *known);

/* Seconds of an outcome's time as they are remembered: those that 32 bits do not hold count as the
 * nearest that they do. */
uint32_t sl_id_seconds(struct sl_time time);

/* Outcomes that are remembered, in memory and in files. */
uint64_t sl_ids_count(const struct sl_id_window *ids);

#endif
