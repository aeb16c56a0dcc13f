/* The parts of the view, to each other. Private to this folder. */
#ifndef SL_VIEW_PARTS_H
#define SL_VIEW_PARTS_H

#include "base/hash.h"
#include "record/json.h"
#include "record/pack.h"
#include "view/view.h"

/* ---- Rows in memory (table.c) ---------------------------------------------------------------- */

/* A row's struct with all that it points at. While it is frozen the writer reads it, and nobody
 * changes or frees it (T1). */
struct view_body {
    size_t capacity; /* of `bytes` */
    size_t unused;
    uint8_t bytes[]; /* at a multiple of 16 */
};

enum view_row_flags {
    ROW_DIRTY = 1,    /* in table.dirty: newer than what the store has or is being given */
    ROW_FLUSHING = 2, /* in table.flush */
    ROW_FROZEN = 4,   /* its body is in table.flush */
    ROW_FETCHING = 8, /* a reader looks for it */
    ROW_UNKNOWN = 16, /* only a place for what is fetched: nothing is known yet */
    ROW_USED = 32,    /* since the last visit of the eviction */
    ROW_FRESH = 64,   /* fetched, and nobody has looked at it yet */
};

enum { ROW_PINNED = ROW_DIRTY | ROW_FLUSHING | ROW_FETCHING };

/* A key that something is known about. Never moves. Of the engine's thread, but for the key, which
 * does not change. */
struct view_row {
    uint64_t hash;
    uint64_t version;       /* 0: as absent as the store says */
    struct view_body *body; /* NULL: there is no such row, unless ROW_UNKNOWN */
    char *json;             /* of `body`; NULL: not rendered yet */
    uint32_t json_len;
    uint32_t fetch_number; /* of ROW_FRESH */
    uint16_t key_len;
    uint8_t flags;
    char key[];
};

/* ---- One event's changes (rows.c) ------------------------------------------------------------ */

struct staged_row {
    struct sl_text key;     /* empty: a put whose key is not known before the projection is done */
    void *item;             /* in the arena; NULL: the row goes */
    struct view_row *row;   /* of an edit; of others set when the changes are prepared */
    struct view_body *body; /* likewise: where the item goes */
    bool put;
    bool made_row;  /* `row` is new */
    bool made_body; /* `body` is new */
    bool skip;      /* a later change of the same row stands */
};

struct sl_rows {
    struct sl_view_table *table;
    struct sl_arena arena;
    struct staged_row *staged;
    uint64_t *hashes; /* of staged keys; apart, to be searched quickly */
    size_t count;
    size_t capacity;
    size_t settled;  /* puts below this place had their keys read */
    void *spare;     /* a row to write to where there is no memory for one */
    bool waits;      /* a row must be fetched first */
    const char *why; /* the event failed */
};

/* ---- Messages -------------------------------------------------------------------------------- */

enum view_message {
    VIEW_ATTACH = SL_VIEW_MESSAGE_FIRST,
    VIEW_CLEAR,
    VIEW_FLUSH,
    VIEW_FETCH,
    VIEW_LIST,
    VIEW_REOPEN,
    VIEW_SETTLE,
    VIEW_SERVE,
    VIEW_DISCARD,
    VIEW_FORGET,
    VIEW_DIGEST,
};

enum {
    VIEW_FETCHERS = 2, /* a view that catches up fetches many rows beside each other */
    VIEW_LISTERS_MAX = 16,
    VIEW_READERS_MAX = VIEW_FETCHERS + VIEW_LISTERS_MAX,
};

/* A reader closes what it has open of a build. */
struct view_forget {
    struct sl_message message;
    struct sl_view_table *table; /* that waits for it */
    struct view_build *build;
};

/* One build of a view, as its store knows it. Whoever asks a reader about rows names the build, not
 * the table, so that an answer comes from the file that it was asked of, whatever takes the table's
 * place meanwhile. */
struct view_build {
    struct sl_view_shape shape;
    /* The writer's alone, and so is shape.build until the table is attached. */
    enum {
        BUILD_SERVES, /* the store says which it is */
        BUILD_IS_NEW, /* whatever its file may hold is thrown away first */
        BUILD_IS_KNOWN,
    } origin;
    size_t questions; /* lists and digests under way: it stays until they are answered */
    unsigned forgetting;
    struct view_forget forgets[VIEW_READERS_MAX];
};

/* A version of a row that was not brought to the store before the next one came (past.c). */
struct view_former {
    struct view_row *row;
    uint64_t version;
    struct view_body *body; /* NULL: there was no row */
};

/* To the writer and back. One of a table at a time. */
struct view_work {
    struct sl_message message;
    struct sl_view_table *table;
    struct view_build *build;
    struct sl_table slots; /* of a discard: an empty table, whose memory takes long to give back */
    struct sl_checkpoint checkpoint; /* in: of the flush; out: of the attach */
    struct sl_row_change *changes; /* former versions first */
    struct view_row **rows;        /* of the changes; the engine's */
    struct view_former *formers;
    size_t former_count, former_capacity;
    size_t count;
    size_t capacity;
    enum sl_err err;
    struct sl_error error;
    int64_t took_ns;
};

/* To a reader and back. */
struct view_fetch {
    struct sl_message message;
    struct view_fetch *next; /* under way, or spare */
    struct view_fetch *previous;
    struct sl_view_table *table;
    const struct sl_view_shape *shape;
    struct view_row *row; /* pinned by ROW_FETCHING */
    uint64_t incarnation;
    struct sl_row_found found;
    struct sl_arena arena;
    enum sl_err err;
    struct sl_error error;
};

enum { VIEW_FETCHES_MAX = 1024 };

/* ---- The table ------------------------------------------------------------------------------- */

struct view_watches {
    struct sl_view_watch *all;
    struct sl_table by_key;     /* struct watched_key */
    struct sl_view_watch *next; /* of the round that is under way */
};

/* Owner: the engine's thread. */
struct sl_view_table {
    struct sl_view_table *next; /* of the service */
    struct sl_view_service *service;
    struct sl_view_table_options options;
    struct sl_view_shape shape; /* what others see: it stays where it is; its build says nothing */
    bool flat;                  /* rows point at nothing */
    uint64_t seed;              /* of hashes: clients choose keys */

    struct sl_table rows;
    size_t bytes;
    size_t evict_cursor;
    size_t evict_left; /* rows that are still to be looked at since the last flush */
    bool complete; /* what is not in memory is nowhere: nothing was in the store, nothing evicted */

    struct sl_rows staging;
    struct sl_buf scratch;
    struct view_watches watches;

    uint64_t position;
    uint64_t stored;
    uint64_t generation;
    uint64_t incarnation; /* counts starts: answers to questions of an earlier one are dropped */
    bool attached;
    bool waiting; /* the last projection waits for rows: nothing is evicted meanwhile */
    bool reattach;
    bool failing;
    const char *degraded; /* why it stands */
    bool unsettled;       /* nobody is told yet that it does: its event may be one to skip */
    char *broken;         /* the copy that `degraded` may point at */
    char why[240];        /* of `failing`, or what was found when it was attached */

    struct view_row **dirty;
    size_t dirty_count;
    size_t dirty_capacity;
    struct view_former *formers; /* of a temporal view */
    size_t former_count, former_capacity;
    struct view_work work; /* `busy`: it is under way */
    bool busy;
    int64_t flush_due;
    int64_t rest_until; /* of the writer's rest after a flush; who waits for the store breaks it */
    int64_t retry_due;
    int64_t retry_span;

    struct view_build *build;
    size_t dirty_max; /* rows that only the writer can free */
    struct view_beside {
        struct sl_view_table *of; /* the table beside which this one is; NULL: it is no such one */
        enum {
            BESIDE_CATCHES_UP,
            BESIDE_SETTLES,
            BESIDE_HOLDS,
            BESIDE_SERVES,
            BESIDE_ENDS,
            BESIDE_IS_FORGOTTEN,
            BESIDE_IS_DISCARDED,
        } step;
        bool asked;      /* the writer is at this step */
        bool served;     /* the store serves it already */
        bool flushing;   /* the last flush before the change was begun */
        enum sl_err err; /* what the writer answered */
        struct sl_error error;
    } beside;
    struct sl_view_table *has_beside;
    bool held; /* nothing is brought to the store: a table beside this one is about to replace it */

    struct view_fetch *fetches; /* under way */
    struct view_fetch *spare;
    size_t fetch_count;
    uint32_t fetch_number; /* counts answers */
};

/* table.c */
uint64_t view_hash(const struct sl_view_table *table, struct sl_text key);
struct view_row *view_find(const struct sl_view_table *table, uint64_t hash, struct sl_text key);
/* NULL: no memory. Its body is NULL, its flags 0. */
struct view_row *view_row_new(struct sl_view_table *table, uint64_t hash, struct sl_text key);
void view_row_remove(struct sl_view_table *table, struct view_row *row);
struct view_body *view_body_new(struct sl_view_table *table, size_t size);
void view_body_free(struct sl_view_table *table, struct view_body *body);
void view_json_drop(struct sl_view_table *table, struct view_row *row);
/* Renders it if need be. False: no memory. */
bool view_json(struct sl_view_table *table, struct view_row *row, struct sl_text *out);
enum { VIEW_EVICT_VISITS = 16 }; /* rows that one call looks at */
void view_evict(struct sl_view_table *table);
static inline bool view_is_over(const struct sl_view_table *table)
{
    return table->bytes > table->options.memory_max;
}
void view_rows_drop(struct sl_view_table *table); /* all of them, when none is under way */

/* flush.c */
bool view_dirty_reserve(struct sl_view_table *table, size_t count);
void view_dirty_add(struct sl_view_table *table, struct view_row *row); /* after a reserve */
void view_flush_by(struct sl_view_table *table, int64_t due);
/* All that is dirty, and the position, even if neither has changed. */
void view_flush_start(struct sl_view_table *table);
void view_attach_start(struct sl_view_table *table);
void view_work_done(struct sl_view_table *table);
void view_fail(struct sl_view_table *table, enum sl_err err, const char *why);
void view_work_abandon(struct sl_view_table *table);
/* Flushes on the caller's thread: when the writer has gone. */
void view_flush_now(struct sl_view_table *table, struct sl_view_store *store);

/* generation.c */
struct view_build *view_build_new(const struct sl_view_shape *shape);
void view_beside_init(struct sl_view_table *beside, struct sl_view_table *table);
/* May the table ask its writer for anything of its own accord? */
static inline bool view_is_still(const struct sl_view_table *table)
{
    return table->held || table->beside.step >= BESIDE_ENDS;
}

/* fetch.c */
enum sl_err view_fetch_start(struct sl_view_table *table, uint64_t hash, struct sl_text key);
void view_fetch_done(struct view_fetch *fetch);
void view_fetches_free(struct sl_view_table *table);

/* rows.c */
bool view_staging_init(struct sl_rows *rows, struct sl_view_table *table);
void view_staging_close(struct sl_rows *rows);

/* aggregate.c: on a reader's thread; all memory but the answer's is in `arena`. */
void view_near(struct sl_view_reader *reader, struct sl_view_listing *list,
               struct sl_arena *arena); /* near.c */
void view_aggregate(struct sl_view_reader *reader, struct sl_view_listing *list,
                    struct sl_arena *arena);

/* facets.c: appends ,"facets":{"brand":{"values":[{"value":…,"count":…}],"others":0}} */
void view_write_facets(struct sl_buf *out, const struct sl_facet *facets, uint32_t count);

/* past.c: versions that are still to be brought to the store. Room for `count` more; what is under
 * way may come back. False: no memory. */
bool view_formers_reserve(struct sl_view_table *table, size_t count);
/* Does the row leave a former version behind when it changes now? */
static inline bool view_leaves_former(const struct sl_view_table *table, const struct view_row *row)
{
    return table->shape.view->temporal && (row->flags & ROW_DIRTY);
}
void view_former_add(struct sl_view_table *table, struct view_row *row); /* takes its body */
/* All of them become the first changes of the flush, for which there is room. */
void view_formers_lend(struct sl_view_table *table);
void view_formers_take_back(struct sl_view_table *table, bool written);
/* The flush failed, and the row has changed since: what was lent is a former version now. */
void view_former_lent(struct sl_view_table *table, struct view_row *row,
                      const struct sl_row_change *change);
bool view_formers_drop(struct sl_view_table *table, size_t most); /* true: none is left */
/* On a reader's thread. */
void view_past(struct sl_view_reader *reader, struct sl_view_listing *list,
               struct sl_arena *arena);

/* watch.c */
void view_watches_init(struct view_watches *watches);
void view_watches_tell(struct sl_view_table *table, struct view_row *row);
/* Other rows have taken the place of all. */
void view_watches_resync(struct sl_view_table *table);
/* The view became degraded, or goes on. */
void view_watches_state(struct sl_view_table *table);
void view_watches_close(struct view_watches *watches);
static inline bool view_is_watched(const struct sl_view_table *table)
{
    return table->watches.all || table->watches.by_key.count > 0;
}

/* service.c */
struct sl_env *view_env(const struct sl_view_table *table);
void view_post_work(struct sl_view_table *table, enum view_message kind);
void view_post_fetch(struct sl_view_table *table, struct view_fetch *fetch);
/* Readers see old rows: their connections are opened anew. */
void view_reopen_readers(struct sl_view_service *service);
void view_service_add(struct sl_view_service *service, struct sl_view_table *table);
void view_service_remove(struct sl_view_service *service, struct sl_view_table *table);
/* Its store and the engine's mailbox; it is among those that the service stops when it closes. */
void view_service_digest_begins(struct sl_view_table *table, struct sl_view_digest *digest);
void view_service_digest_ends(struct sl_view_digest *digest);
/* All readers are told; `build->forgetting` counts those that have not answered. */
void view_post_forgets(struct sl_view_table *table);
bool view_is_closing(const struct sl_view_table *table);
void view_moved(struct sl_view_table *table);

#endif
