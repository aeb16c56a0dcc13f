/* A view's shape as SQL: its statements, and what is bound to them. Private to this folder. */
#ifndef SL_STORES_SQLITE_SCHEMA_H
#define SL_STORES_SQLITE_SCHEMA_H

#include "contracts/view_store.h"

/* Fields of an index and of the key: what a list is ordered by. */
enum { SL_SQLITE_TERMS_MAX = 2 * SL_PLACE_FIELDS_MAX };

/* One step of an order: an expression over a column that is never NULL. */
struct sl_sqlite_term {
    const struct sl_field *field;
    const char *sql;         /* "\"day\"", "IFNULL(\"who\", '')", "CAST(\"price\" AS REAL)" */
    const char *placeholder; /* what a parameter is wrapped in, with its %d: "?%d" */
    bool expression;         /* SQLite cannot start a row value's range at it */
    bool repeats;            /* the field's second term: left out where the field must be equal */
};

struct sl_sqlite_order {
    uint32_t count;
    struct sl_sqlite_term terms[2 * SL_SQLITE_TERMS_MAX];
    struct sl_record cursor; /* the fields alone: packed, they are a cursor */
};

/* Constant after sl_sqlite_schema_init; lives as long as its arena. */
struct sl_sqlite_schema {
    const struct sl_view_shape *shape;
    const struct sl_record *loose;
    bool integer_key; /* the key is one integer, and the rowid */
    bool mirror;      /* a mirror's table: rows are marked deleted, not removed */
    struct sl_sqlite_order orders[SL_INDEXES_MAX + 1]; /* [0] the key's, [i + 1] index i's */

    /* SQL, in the arena. Parameters of `put` are the columns in order, then the version, then the
     * cell where the table has one; of `drop`
     * and `lookup` the key's columns; `drop` of a mirror ends with the version. Results of `lookup`
     * are the columns, then the version. `search` takes words, limit, weights (rank.c), and the
     * rank (or NULL) and rowid behind which it goes on, which end its results, too; `weigh` takes
     * words. */
    const char *create;
    const char *put;
    const char *drop;
    const char *lookup;
    const char *columns; /* what a list selects: as `lookup` */
    const char *search;
    const char *weigh;
    int column_count;
};

/* SL_INVALID: names that a table cannot have. */
enum sl_err sl_sqlite_schema_init(struct sl_sqlite_schema *schema,
                                  const struct sl_view_shape *shape, bool mirror,
                                  struct sl_arena *arena, struct sl_error *error) SL_USE_RESULT;

/* What a list's statement depends on. Constant but for `columns` where it is prepared once. */
struct sl_sqlite_list_form {
    const char *columns; /* what it selects */
    int index;           /* as in struct sl_list_query, like the next two */
    uint32_t equal_count;
    bool descending;
    bool from; /* bounds of the first term behind the equal fields */
    bool to;
    bool after; /* a cursor; then the bound on its side is not to be there */
};

/* near.c: has the table a column "_cell"? And the index over it. */
bool sl_sqlite_has_cell(const struct sl_sqlite_schema *schema);
void sl_sqlite_near_create(struct sl_buf *sql, const struct sl_sqlite_schema *schema);

/* list.c: appends the statement of a list. Parameters, in this order: the equal fields, `from`,
 * `to`, the terms behind the equal fields when there is a cursor, the limit. */
void sl_sqlite_list_sql(struct sl_buf *sql, const struct sl_sqlite_schema *schema,
                        const struct sl_sqlite_list_form *form);

#endif
