/*
 * Snapshots: states of aggregates with long histories, so that these need not be read whole again.
 *
 * Derived data (P7, L4): a snapshot says of which log, reign, position and record it is, and its
 * reader believes it only where the log says the same. One that is lost, damaged or forgotten costs
 * a longer reading and nothing else; deleting the folder is allowed at any time.
 *
 * An actor of its own has the files; memory for finding snapshots and room on the disk are bounded,
 * beyond which the oldest are forgotten. See snapshots.c for the format.
 */
#ifndef SL_COMMAND_SNAPSHOTS_H
#define SL_COMMAND_SNAPSHOTS_H

#include "base/arena.h"
#include "base/env.h"

#define SL_SNAPSHOT_STATE_MAX (1u << 20)

struct sl_snapshot {
    struct sl_text name; /* "account/7" */
    struct sl_uuid log;
    uint64_t salt;     /* of the reign in which it was made */
    uint64_t position; /* all events below are in it */
    uint64_t revision; /* of the next event of its stream */
    uint64_t digest;   /* of the state's record, and of what evolves it */
    struct sl_slice state; /* packed */
};

struct sl_snapshots;

struct sl_snapshots_options {
    struct sl_env *env;
    const char *folder; /* made when the first snapshot is; copied */
    size_t index_bytes; /* memory for finding them; 0: 16 MiB */
    uint64_t disk_bytes; /* 0: 4 GiB */
    uint64_t file_bytes; /* 0: 64 MiB */
};

enum sl_err sl_snapshots_start(const struct sl_snapshots_options *options,
                               struct sl_snapshots **out, struct sl_error *error) SL_USE_RESULT;

/* Handles what was asked before, and ends. NULL is allowed. */
void sl_snapshots_stop(struct sl_snapshots *snapshots);

/* Keeps a snapshot, or does not: nobody is told. All that it points at lives until the message
 * comes back. */
struct sl_snapshot_put {
    struct sl_message message;
    struct sl_snapshot snapshot;
};
void sl_snapshots_put(struct sl_snapshots *snapshots, struct sl_snapshot_put *put);

/* Looks for the latest snapshot of `name` in `log`. */
struct sl_snapshot_get {
    struct sl_message message;
    struct sl_text name;
    struct sl_uuid log;
    /* Answer; lives in the arena, which the caller closes. */
    bool found;
    struct sl_snapshot snapshot;
    struct sl_arena arena;
};
void sl_snapshots_get(struct sl_snapshots *snapshots, struct sl_snapshot_get *get);

#endif
