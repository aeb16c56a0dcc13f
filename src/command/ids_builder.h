/*
 * The id files of one log: an actor of its own that writes, merges and forgets them, and one that
 * looks ids up in them, so that nobody else waits for the disk. See ids_builder.c.
 */
#ifndef SL_COMMAND_IDS_BUILDER_H
#define SL_COMMAND_IDS_BUILDER_H

#include "command/ids_file.h"
#include "contracts/event_store.h"

enum {
    SL_ID_FILES_MAX = 64,
    SL_ID_CHUNK = 512,
    SL_ID_FOUND_MAX = 16,
    SL_ID_ASKS_MAX = 2 * SL_ID_FILES_MAX,
};

/* Files in the order of their cursors, without a gap; only so many layers of a filter may be
 * used. */
struct sl_id_set {
    uint64_t seed;
    uint64_t expired; /* all below this cursor has left the window, with files that are gone */
    size_t count;
    struct sl_id_member {
        struct sl_id_file *file;
        uint8_t layers[SL_ID_CLASSES];
    } members[SL_ID_FILES_MAX];
};

/* The cursor up to which the files know all of the window; 0 where there never were any. */
static inline uint64_t sl_id_set_end(const struct sl_id_set *set)
{
    return set->count > 0 ? set->members[set->count - 1].file->head.end : set->expired;
}

/* From the builder to its owner, who takes the set over and posts the message to the looker behind
 * all that it asked of the set before. Thence it goes home, and what is no longer used is freed. */
struct sl_id_change {
    struct sl_message message;
    void *user;
    struct sl_mailbox *home;
    struct sl_id_set set;
    bool damaged; /* the youngest files are given up: what they knew must come from the log again */
};

/* Prints of outcomes, in the order of their cursors. */
struct sl_id_chunk {
    struct sl_id_chunk *next;
    uint64_t first; /* cursor */
    size_t count;
    int64_t newest_s, timed_from_s, timed_to_s;
    uint64_t counts[SL_ID_CLASSES];
    uint64_t witness; /* of the last */
    uint64_t prints[SL_ID_CHUNK];
};

enum sl_id_work {
    SL_ID_OPEN = 1, /* reads what there is: of this log, and of no other history of it */
    SL_ID_FLUSH,    /* makes a file of chunks */
    SL_ID_CUT,      /* gives up all files that know anything from `cursor` on */
    SL_ID_EXPIRE,   /* forgets files all of which is older than `before_s`, or below
                      `cursor`, oldest first */
};

/* One at a time; comes back done. A change that it makes is posted before. */
struct sl_id_job {
    struct sl_message message;
    void *user;
    enum sl_id_work work;
    struct sl_uuid log;
    const struct sl_epoch *epochs; /* live until it comes back */
    size_t epoch_count;
    uint64_t position;          /* the log's next; when flushing: all below is durable */
    struct sl_id_chunk *chunks; /* linked; they begin where the files end: */
    uint64_t follows;           /* the files' end as the owner knows it. Where damage has cut it off
                                   since, nothing is flushed: the files would have a gap */
    uint64_t cursor;
    int64_t before_s;
    /* Answer: of opening alone. Flushing and expiring is tried until it works. */
    enum sl_err err;
    struct sl_error error;
};

/* Is a print in one of these files? */
struct sl_id_ask {
    const struct sl_id_file *file;
    uint64_t print;
};
struct sl_id_lookup {
    struct sl_message message;
    size_t ask_count;
    struct sl_id_ask asks[SL_ID_ASKS_MAX];
    /* Answer. SL_CORRUPT: `damaged` is to be cut off. */
    enum sl_err err;
    struct sl_error error;
    const struct sl_id_file *damaged;
    size_t found_count;
    struct sl_id_found {
        const struct sl_id_file *file;
        uint64_t print, cursor;
    } found[SL_ID_FOUND_MAX];
};

struct sl_id_builder_options {
    struct sl_env *env;
    const char *folder; /* copied; made if it is missing */
    struct sl_mailbox *owner;
    uint32_t change_kind; /* of messages to the owner: not that of lookups or jobs */
    void *user;           /* of changes */
    uint64_t flush_count; /* ids in a new file, about */
    int64_t span_s;       /* files are not merged over more than this */
    size_t memory_max;    /* of fences and filters; fences are kept in any case */
};

struct sl_id_builder;

/* Starts both actors; jobs go to `*out_builder`, lookups and changes to `*out_looker`. */
enum sl_err sl_id_builder_start(const struct sl_id_builder_options *options,
                                struct sl_id_builder **out, struct sl_mailbox **out_builder,
                                struct sl_mailbox **out_looker,
                                struct sl_error *error) SL_USE_RESULT;
/* Ends both: no message is posted any more. NULL is allowed, and what is stopped already. */
void sl_id_builder_stop(struct sl_id_builder *builder);
/* Stops, and frees all but the chunks of a job that is out. NULL is allowed. */
void sl_id_builder_free(struct sl_id_builder *builder);

struct sl_id_builder_numbers {
    uint64_t files_written, merges, entries_written, failures;
};
/* After the stop, or from the simulator: what it did. */
void sl_id_builder_numbers(const struct sl_id_builder *builder, struct sl_id_builder_numbers *out);

#endif
