/*
 * The view store: where rows and their checkpoint are kept, together, in transactions (V1).
 *
 * Calls block: `src/view` makes them on threads of its own. A store has one writer at a time
 * (attach, apply, serve …) and any number of readers, each used by one thread; readers see
 * committed rows only.
 *
 * Rows cross this border as structs of the view's record. A row's key and index places travel as
 * the texts that record/place.h makes; the store may also take columns from the struct.
 */
#ifndef SL_CONTRACTS_VIEW_STORE_H
#define SL_CONTRACTS_VIEW_STORE_H

#include <sluice/domain.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/earth.h"
#include "base/env.h"
#include "record/place.h"

#define SL_VIEW_STORE_ABI 3u
#define SL_INDEXES_MAX 8

/* What a view looks like to its store. Lives as long as the store. */
struct sl_view_shape {
    const char *domain;
    const struct sl_view *view;
    struct sl_place key;
    struct sl_place indexes[SL_INDEXES_MAX]; /* as view->indexes; what is equal, in key order */
    struct sl_place search;                  /* of texts; count 0: the view cannot be searched */
    const struct sl_field *near[2]; /* latitude and longitude; NULL: it knows nothing of places */
    uint64_t digest; /* of record, key, indexes, search, near, version: another digest is another
                        build */
    /* Which of the view's builds this is, where several stand beside one another: 0, or what
     * `serving` tells, or a new one. Set before the shape is attached, and then constant. */
    uint64_t build;
};

/* How far a view is applied: all events below `position` of the log, in the reign `salt`. */
struct sl_checkpoint {
    struct sl_uuid log;
    uint64_t salt;
    uint64_t position;
    uint64_t generation; /* counts builds, from 1 */
    uint64_t digest;     /* of the shape it was built with */
};

/* One change. `row` NULL: the row is gone. */
struct sl_row_change {
    struct sl_text key;
    const void *row;
    uint64_t version; /* the position that made it, plus one */
};

struct sl_row_found {
    struct sl_text key;
    const void *row; /* a struct of the record, in the arena of the call; NULL: not there */
    uint64_t version;
};

/* A stretch of an index (or of the key's own order, `index` -1). Order is that of the values:
 * numbers and times by size, texts, UUIDs and names by bytes; an absent optional value comes first.
 */
struct sl_list_query {
    int index;
    uint32_t equal_count; /* this many leading fields must equal those of `equal` */
    const void *equal;    /* a struct of the record with these fields set */
    /* The range of the first field behind the equal ones, or NULL: structs of the record in which
     * it is set. `from` belongs to the range, `to` does not, whichever way the list goes. */
    const void *from;
    const void *to;
    struct sl_text after; /* cursor of an earlier answer of this range, or empty */
    bool descending;
    uint32_t limit;        /* 1 to 1,000 */
    struct sl_text search; /* words to find, or empty: then `index` is not used, best match first */
    /* Of a search alone, whose equal_count is 0: rows in which each of these fields is as in
     * `equal`. At most SL_FACETS_MAX, each once, like `facets`. */
    const struct sl_field *const *filters;
    uint32_t filter_count;
    /* Of a search alone: which values these fields have among all rows found, and how often. A
     * field's own filter does not narrow its facet: so the values show that could be chosen
     * instead.
     */
    const struct sl_field *const *facets;
    uint32_t facet_count;
};

#define SL_FACETS_MAX 8
#define SL_FACET_VALUES_MAX 50        /* that are handed out, of each */
#define SL_FACET_ROWS_MAX 100000u     /* that a search with facets may find */
#define SL_FACET_DIFFERENT_MAX 10000u /* values of one facet */

struct sl_facet_value {
    const void *row; /* a struct of the record, of which the field is set, or absent */
    uint64_t count;
};

struct sl_facet {
    const struct sl_field *field;
    struct sl_facet_value *values; /* the most frequent first, then in the order of lists */
    uint32_t count;
    uint32_t others; /* different values that are not handed out */
};

/* Rows, and where to go on. All in the arena of the call. */
struct sl_list_page {
    struct sl_row_found *rows;
    uint32_t count;
    struct sl_text next;             /* cursor; empty: nothing follows */
    struct sl_facet *facets;         /* as many as were asked for */
    struct sl_checkpoint checkpoint; /* of the very rows handed out */
};

/* What is asked about the rows of a list, instead of the rows. */
#define SL_AGGREGATES_MAX 16           /* of one query */
#define SL_AGGREGATE_ROWS_MAX 100000u  /* that one query may look at */
#define SL_AGGREGATE_GROUPS_MAX 10000u /* values of `by` in one stretch of time, or in all */

enum sl_aggregate_kind {
    SL_AGGREGATE_COUNT = 1, /* of rows */
    /* Of the values that there are; absent ones have no part in it, and without any it is NULL. */
    SL_AGGREGATE_SUM, /* as the field is; of integers 64 bits wide, of u128 u128 */
    SL_AGGREGATE_AVG, /* a double */
    SL_AGGREGATE_MIN, /* by the order of lists, like the next */
    SL_AGGREGATE_MAX,
    SL_AGGREGATE_FIRST, /* in the ascending order of the list, whichever way it goes */
    SL_AGGREGATE_LAST,
};

struct sl_aggregate_item {
    enum sl_aggregate_kind kind;
    const struct sl_field *field; /* of the view's record; NULL: of a count */
};

struct sl_aggregate_query {
    /* Which rows. `limit` and `after` are of groups, `descending` turns their order; no search. */
    struct sl_list_query rows;
    const struct sl_aggregate_item *aggregates;
    uint32_t count; /* 1 to SL_AGGREGATES_MAX */
    /* A group for each value of this field; NULL: not. */
    const struct sl_field *by;
    /* A group for each stretch of so long of the first field behind the equal ones, which is a
     * time, or a date (then a day); counted from 1970-01-01T00:00:00Z. Rows without a time are in
     * none. 0: not. With `by` a group for each pair. */
    int64_t every_ns;
    uint32_t rows_max; /* 1 to SL_AGGREGATE_ROWS_MAX */
};

struct sl_aggregate_value {
    const struct sl_field
        *form;         /* says how to read and write it; constant, for ever or as shapes */
    const void *value; /* NULL: there is none */
};

struct sl_aggregate_group {
    const void *row; /* a struct of the record, of which the time (its start) and `by` are set */
    const struct sl_aggregate_value *values;
};

enum sl_aggregate_refusal {
    SL_AGGREGATE_DONE,
    SL_AGGREGATE_ROWS,       /* more than rows_max would have to be looked at */
    SL_AGGREGATE_GROUPS,     /* more than SL_AGGREGATE_GROUPS_MAX */
    SL_AGGREGATE_OVERFLOW,   /* a sum does not fit */
    SL_AGGREGATE_CURRENCIES, /* a sum is of several currencies */
};

/* Groups in order of time, then of `by`; without either there is one, be there rows or not. All in
 * the arena of the call. */
struct sl_aggregate_page {
    enum sl_aggregate_refusal refusal; /* then there are no groups, */
    uint32_t refused;                  /* and of a sum this is its place among the aggregates */
    struct sl_aggregate_group *groups;
    uint32_t count;
    uint32_t rows_seen;
    struct sl_text next; /* cursor; empty: nothing follows */
    struct sl_checkpoint checkpoint;
};

/* The rows that are nearest to a spot. */
struct sl_near_query {
    struct sl_spot spot;
    double within;  /* metres: nothing beyond is wanted; INFINITY: no bound */
    uint32_t limit; /* 1 to 1,000 */
};

/* Rows, nearest first, in the arena of the call. Rows that lie within 2 cm of one another may stand
 * for each other where more of them than the limit are wanted. */
struct sl_near_page {
    struct sl_row_found *rows;
    double *metres;
    uint32_t count;
    bool exact;      /* false: too much was looked at (SL_NEAR_LOOKS); nearer rows may be missing */
    uint64_t looked; /* index entries and rows that were looked at */
    struct sl_checkpoint checkpoint;
};

/* So much is looked at, at most: some 30 entries for each row and 300 for the way there is usual.
 * Only thousands of rows that are equally far in many directions take more. */
#define SL_NEAR_LOOKS(limit) (8192u + 32u * (limit))

enum sl_view_store_capabilities {
    SL_VIEWS_LIST = 1,
    SL_VIEWS_SEARCH = 2,
    SL_VIEWS_GENERATIONS = 4,
    SL_VIEWS_AGGREGATES = 8,
    SL_VIEWS_NEAR = 16,
    SL_VIEWS_TEMPORAL = 32,
};

struct sl_view_store;
struct sl_view_reader;

struct sl_view_store_options {
    const char *location; /* a folder */
    const char *(*setting)(void *context, const char *key);
    void *context;
    void *wrapped; /* of a decorator alone: what it decorates (see view_store_fault.h) */
};

struct sl_view_store_ops {
    uint32_t abi;
    const char *scheme; /* "sqlite" */
    uint32_t capabilities;

    enum sl_err (*open)(struct sl_env *env, const struct sl_view_store_options *options,
                        struct sl_view_store **out, struct sl_error *error);

    /* Writer. Makes or opens what the view needs and tells how far it is applied. A build with
     * another digest, or one that cannot be read, is discarded: the view starts over. Then, and
     * where there was none, log, salt, position and digest are zero, and `generation` still counts
     * the builds made before. What was damaged is kept aside: SL_OK, with error->code SL_CORRUPT
     * and a message that names file and place. Attaching a view that is attached discards its
     * build, aside likewise: so a view recovers after SL_CORRUPT; readers opened before then see
     * the old rows and must be opened anew. */
    enum sl_err (*attach)(struct sl_view_store *store, const struct sl_view_shape *shape,
                          struct sl_checkpoint *out, struct sl_error *error);

    /* Writer. One transaction: all changes and the checkpoint, or nothing (V1), visible to readers
     * when it returns. A power loss may take back the last ones, whole, in reverse order. A key
     * occurs once; of a temporal view also more than once, with other versions, in any order: the
     * greatest is the row, and all of them are kept. */
    enum sl_err (*apply)(struct sl_view_store *store, const struct sl_view_shape *shape,
                         const struct sl_row_change *changes, size_t count,
                         const struct sl_checkpoint *checkpoint, struct sl_error *error);

    /* Writer. Empties the view, rows and checkpoint; `generation` still counts the builds. */
    enum sl_err (*clear)(struct sl_view_store *store, const struct sl_view_shape *shape,
                         struct sl_error *error);

    /* Where a view can have several builds (SL_VIEWS_GENERATIONS): */

    /* Writer. Tells which build serves: 0 until another one took its place. All others that are not
     * attached are removed: they are what an interrupted build left. */
    enum sl_err (*serving)(struct sl_view_store *store, const struct sl_view_shape *shape,
                           uint64_t *out, struct sl_error *error);
    /* Writer. Brings what was applied to an attached build onto the disk: no power loss takes it
     * back. */
    enum sl_err (*settle)(struct sl_view_store *store, const struct sl_view_shape *shape,
                          struct sl_error *error);
    /* Writer. Settles an attached build and makes it the one that serves. A power loss on the way
     * leaves the one before or this one; when it returns, this one. After a failure the one before
     * serves on. */
    enum sl_err (*serve)(struct sl_view_store *store, const struct sl_view_shape *shape,
                         struct sl_error *error);
    /* Writer. Removes a build, attached or not, and not the one that serves. No reader may have it
     * open any more (`forget`). */
    enum sl_err (*discard)(struct sl_view_store *store, const struct sl_view_shape *shape,
                           struct sl_error *error);
    /* A reader closes what it has open of a build. Not between begin and end. */
    void (*forget)(struct sl_view_reader *reader, const struct sl_view_shape *shape);

    /* A reader for one thread. Views must be attached before they are read. */
    enum sl_err (*reader_open)(struct sl_view_store *store, struct sl_view_reader **out,
                               struct sl_error *error);
    /* Between begin and end, all reads of a view see one committed state. */
    enum sl_err (*begin)(struct sl_view_reader *reader, struct sl_error *error);
    void (*end)(struct sl_view_reader *reader);
    /* found[i].key is given; row and version are filled in. */
    enum sl_err (*lookup)(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                          struct sl_row_found *found, size_t count, struct sl_arena *arena,
                          struct sl_checkpoint *out, struct sl_error *error);
    /* Of temporal views (SL_VIEWS_TEMPORAL): the row with found->key as it was when all events
     * below `position` had been applied, and no other. */
    enum sl_err (*lookup_at)(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                             uint64_t position, struct sl_row_found *found, struct sl_arena *arena,
                             struct sl_checkpoint *out, struct sl_error *error);
    /* SL_INVALID: a cursor or search that cannot be read. SL_LIMIT: a search with facets finds more
     * rows, or a facet has more values, than it may. */
    enum sl_err (*list)(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                        const struct sl_list_query *query, struct sl_arena *arena,
                        struct sl_list_page *out, struct sl_error *error);
    /* Where there are SL_VIEWS_AGGREGATES. SL_INVALID: a cursor that cannot be read. */
    enum sl_err (*aggregate)(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                             const struct sl_aggregate_query *query, struct sl_arena *arena,
                             struct sl_aggregate_page *out, struct sl_error *error);
    /* Of views that say what is near (SL_VIEWS_NEAR). near.h has the search itself. */
    enum sl_err (*near)(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                        const struct sl_near_query *query, struct sl_arena *arena,
                        struct sl_near_page *out, struct sl_error *error);
    void (*reader_close)(struct sl_view_reader *reader);

    void (*close)(struct sl_view_store *store); /* after its readers */
};

/* Can groups be made of the field's values? Can these be compared? And be added up? */
bool sl_aggregate_can_group(const struct sl_field *field);
bool sl_aggregate_can_compare(const struct sl_field *field);
bool sl_aggregate_can_add(const struct sl_field *field, enum sl_aggregate_kind kind);

struct sl_view_store {
    const struct sl_view_store_ops *ops;
};
struct sl_view_reader {
    struct sl_view_store *store;
};

/* ---- Wrappers: what callers use -------------------------------------------------------------- */

/* Does the checkpoint say that a build is there at all? */
static inline bool sl_checkpoint_exists(const struct sl_checkpoint *checkpoint)
{
    return !sl_uuid_is_nil(checkpoint->log);
}

/* Compiles a view's places. SL_INVALID names view and field. Key fields may not be optional. */
enum sl_err sl_view_shape_init(struct sl_view_shape *shape, const char *domain,
                               const struct sl_view *view, struct sl_error *error) SL_USE_RESULT;

/* SL_UNSUPPORTED names the view and the capability that the store lacks. */
enum sl_err sl_view_store_check(const struct sl_view_store_ops *ops,
                                const struct sl_view_shape *shape,
                                struct sl_error *error) SL_USE_RESULT;

enum sl_err sl_view_store_open(const struct sl_view_store_ops *ops, struct sl_env *env,
                               const struct sl_view_store_options *options,
                               struct sl_view_store **out, struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_view_store_attach(struct sl_view_store *store, const struct sl_view_shape *shape,
                                 struct sl_checkpoint *out, struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_view_store_apply(struct sl_view_store *store, const struct sl_view_shape *shape,
                                const struct sl_row_change *changes, size_t count,
                                const struct sl_checkpoint *checkpoint,
                                struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_view_store_clear(struct sl_view_store *store, const struct sl_view_shape *shape,
                                struct sl_error *error) SL_USE_RESULT;
/* Where the store has no generations: SL_OK and 0; and the next three SL_UNSUPPORTED. */
enum sl_err sl_view_store_serving(struct sl_view_store *store, const struct sl_view_shape *shape,
                                  uint64_t *out, struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_view_store_settle(struct sl_view_store *store, const struct sl_view_shape *shape,
                                 struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_view_store_serve(struct sl_view_store *store, const struct sl_view_shape *shape,
                                struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_view_store_discard(struct sl_view_store *store, const struct sl_view_shape *shape,
                                  struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_view_reader_open(struct sl_view_store *store, struct sl_view_reader **out,
                                struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_view_reader_begin(struct sl_view_reader *reader,
                                 struct sl_error *error) SL_USE_RESULT;
void sl_view_reader_end(struct sl_view_reader *reader);
/* What the wrappers of lists and aggregates check: SL_INVALID names what breaks a rule. */
enum sl_err sl_list_query_check(const struct sl_view_shape *shape,
                                const struct sl_list_query *query,
                                struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_view_reader_lookup(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                                  struct sl_row_found *found, size_t count, struct sl_arena *arena,
                                  struct sl_checkpoint *out, struct sl_error *error) SL_USE_RESULT;
/* SL_UNSUPPORTED: the view is not temporal. */
enum sl_err sl_view_reader_lookup_at(struct sl_view_reader *reader,
                                     const struct sl_view_shape *shape, uint64_t position,
                                     struct sl_row_found *found, struct sl_arena *arena,
                                     struct sl_checkpoint *out,
                                     struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_view_reader_list(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                                const struct sl_list_query *query, struct sl_arena *arena,
                                struct sl_list_page *out, struct sl_error *error) SL_USE_RESULT;
/* SL_UNSUPPORTED: the store has no aggregates. SL_INVALID: a query that breaks a rule above, which
 * the message names, or a bad cursor. SL_NO_MEMORY: the groups take more than the arena may. */
enum sl_err sl_view_reader_aggregate(struct sl_view_reader *reader,
                                     const struct sl_view_shape *shape,
                                     const struct sl_aggregate_query *query, struct sl_arena *arena,
                                     struct sl_aggregate_page *out,
                                     struct sl_error *error) SL_USE_RESULT;
/* SL_INVALID: a spot, bound or limit out of bounds, or a view without places. */
enum sl_err sl_view_reader_near(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                                const struct sl_near_query *query, struct sl_arena *arena,
                                struct sl_near_page *out, struct sl_error *error) SL_USE_RESULT;
void sl_view_reader_forget(struct sl_view_reader *reader, const struct sl_view_shape *shape);
void sl_view_reader_close(struct sl_view_reader *reader); /* NULL is allowed */
void sl_view_store_close(struct sl_view_store *store);    /* NULL is allowed */

#endif
