/* The parts of the view store, to each other. Private to this folder. */
#ifndef SL_STORES_SQLITE_PARTS_H
#define SL_STORES_SQLITE_PARTS_H

#include "record/value.h"
#include "stores/sqlite/db.h"
#include "stores/sqlite/sqlite.h"

struct written_view;

struct sl_sqlite_store {
    struct sl_view_store store;
    struct sl_sqlite_place place; /* constant, read by all threads */
    struct written_view *views;   /* of the writer's thread */
};

/* store.c: does the writer have this build of the view open? */
bool sl_sqlite_is_attached(const struct sl_view_store *store, const struct sl_view_shape *shape,
                           uint64_t build);

/* generation.c */
enum sl_err sl_sqlite_serving(struct sl_view_store *store, const struct sl_view_shape *shape,
                              uint64_t *out, struct sl_error *error) SL_USE_RESULT;
/* The writer's connection: all that it committed is durable when this returns. */
enum sl_err sl_sqlite_settle(struct sl_sqlite_db *db, struct sl_error *error) SL_USE_RESULT;
/* From now on this build serves; it is durable. */
enum sl_err sl_sqlite_point_at(struct sl_view_store *store, const struct sl_view_shape *shape,
                               struct sl_error *error) SL_USE_RESULT;
/* The files of a build that nobody has open. */
enum sl_err sl_sqlite_remove_build(struct sl_view_store *store, const struct sl_view_shape *shape,
                                   struct sl_error *error) SL_USE_RESULT;

/* reader.c */
enum sl_err sl_sqlite_reader_open(struct sl_view_store *store, struct sl_view_reader **out,
                                  struct sl_error *error);
enum sl_err sl_sqlite_reader_begin(struct sl_view_reader *reader, struct sl_error *error);
void sl_sqlite_reader_end(struct sl_view_reader *reader);
enum sl_err sl_sqlite_reader_lookup(struct sl_view_reader *reader,
                                    const struct sl_view_shape *shape, struct sl_row_found *found,
                                    size_t count, struct sl_arena *arena, struct sl_checkpoint *out,
                                    struct sl_error *error);
enum sl_err sl_sqlite_reader_list(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                                  const struct sl_list_query *query, struct sl_arena *arena,
                                  struct sl_list_page *out, struct sl_error *error);
enum sl_err sl_sqlite_reader_aggregate(struct sl_view_reader *reader,
                                       const struct sl_view_shape *shape,
                                       const struct sl_aggregate_query *query,
                                       struct sl_arena *arena, struct sl_aggregate_page *out,
                                       struct sl_error *error);
void sl_sqlite_reader_forget(struct sl_view_reader *reader, const struct sl_view_shape *shape);
void sl_sqlite_reader_close(struct sl_view_reader *reader);

enum sl_err sl_sqlite_reader_near(struct sl_view_reader *base, const struct sl_view_shape *shape,
                                  const struct sl_near_query *query, struct sl_arena *arena,
                                  struct sl_near_page *out, struct sl_error *error);

/* near.c: a reader's statements for one view. Zero-initialise. */
struct sl_sqlite_near {
    sqlite3_stmt *count;
    sqlite3_stmt *rows;
};
/* Within a read transaction. Fills all but the checkpoint and the rows' keys. */
enum sl_err sl_sqlite_near_search(struct sl_sqlite_db *db, struct sl_sqlite_near *near,
                                  const struct sl_near_query *query, struct sl_arena *arena,
                                  struct sl_near_page *out, struct sl_error *error) SL_USE_RESULT;
void sl_sqlite_near_close(struct sl_sqlite_near *near);
/* Binds a row's cell to a parameter of `put`. A SQLite code. */
int sl_sqlite_near_bind(const struct sl_sqlite_schema *schema, sqlite3_stmt *stmt, int at,
                        const void *row);

/* past.c: rows as they were. Statements are made when they are first needed; `packed` is room. */
extern const char sl_sqlite_past_create[];
enum sl_err sl_sqlite_past_keep(struct sl_sqlite_db *db, sqlite3_stmt **keep, struct sl_buf *packed,
                                const struct sl_row_change *change,
                                struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_sqlite_past_lookup(struct sl_sqlite_db *db, sqlite3_stmt **lookup, uint64_t position,
                                  struct sl_row_found *found, struct sl_arena *arena,
                                  struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_sqlite_reader_lookup_at(struct sl_view_reader *reader,
                                       const struct sl_view_shape *shape, uint64_t position,
                                       struct sl_row_found *found, struct sl_arena *arena,
                                       struct sl_checkpoint *out, struct sl_error *error);

/* list.c: the statement that answers the query, its values, and the place to go on from. */
struct sl_sqlite_list_form sl_sqlite_list_form(const struct sl_sqlite_schema *schema,
                                               const struct sl_list_query *query, bool after);
/* A SQLite code. `after` is what sl_sqlite_list_after made, where the form has a cursor. */
int sl_sqlite_list_bind(struct sl_sqlite_db *db, sqlite3_stmt *stmt,
                        const struct sl_sqlite_list_form *form, const struct sl_list_query *query,
                        const void *after, int64_t limit);
/* Reads the query's cursor. SL_INVALID: none of this list, or outside of its range. */
enum sl_err sl_sqlite_list_after(struct sl_sqlite_db *db, const struct sl_list_query *query,
                                 struct sl_arena *arena, void **out,
                                 struct sl_error *error) SL_USE_RESULT;

enum { SL_SQLITE_WORDS_MAX = 32 }; /* of a search */

/* cursor.c: cursors are texts of A–Z a–z 0–9 - _ in an arena; SL_INVALID: not one for this list. */
enum sl_err sl_sqlite_cursor_write(const struct sl_sqlite_schema *schema,
                                   const struct sl_list_query *query, const void *row,
                                   struct sl_arena *arena, struct sl_text *out) SL_USE_RESULT;
/* `item`: a zeroed struct of the record, of which the order's fields are set. */
enum sl_err sl_sqlite_cursor_read(const struct sl_sqlite_schema *schema,
                                  const struct sl_list_query *query, struct sl_arena *arena,
                                  void *item, struct sl_error *error) SL_USE_RESULT;
/* Of a search: its last result, how many there were, and what words weigh (rank.c). */
enum { SL_SQLITE_WEIGHTS_MAX = 8 * (1 + SL_SQLITE_WORDS_MAX) };
struct sl_sqlite_found {
    uint64_t count;
    double rank;
    int64_t rowid;
    struct sl_slice weights; /* whole eights of bytes, at most SL_SQLITE_WEIGHTS_MAX */
};
enum sl_err sl_sqlite_cursor_write_found(const struct sl_sqlite_found *found,
                                         struct sl_arena *arena, struct sl_text *out) SL_USE_RESULT;
/* `out->weights` lies in the arena. */
enum sl_err sl_sqlite_cursor_read_found(struct sl_text cursor, struct sl_arena *arena,
                                        struct sl_sqlite_found *out,
                                        struct sl_error *error) SL_USE_RESULT;

/* Of groups: a struct of the record in which the fields of `order` are set; `of` tells queries
 * apart.
 */
enum sl_err sl_sqlite_cursor_write_group(const struct sl_record *order, uint64_t of,
                                         const void *row, struct sl_arena *arena,
                                         struct sl_text *out) SL_USE_RESULT;
enum sl_err sl_sqlite_cursor_read_group(const struct sl_record *order, uint64_t of,
                                        struct sl_text cursor, struct sl_arena *arena, void *row,
                                        struct sl_error *error) SL_USE_RESULT;

/* aggregate.c: within the caller's read transaction; all but the page's checkpoint. */
enum sl_err sl_sqlite_aggregate(struct sl_sqlite_db *db, const struct sl_aggregate_query *query,
                                struct sl_arena *arena, struct sl_aggregate_page *out,
                                struct sl_error *error) SL_USE_RESULT;

/* rank.c: gives the connection sluice_weights(search table), a blob, and sluice_rank(search table,
 * that blob), less of which is better. */
enum sl_err sl_sqlite_rank_add(struct sl_sqlite_db *db, struct sl_error *error) SL_USE_RESULT;

/* facets.c: a search that has filters: parameters as of the schema's `search`, then the filters'
 * values, which are bound. The caller finalizes it. */
enum sl_err sl_sqlite_filtered_search(struct sl_sqlite_db *db, const struct sl_list_query *query,
                                      sqlite3_stmt **out, struct sl_error *error) SL_USE_RESULT;
/* What the query's facets are among the rows that have the words. */
enum sl_err sl_sqlite_facets(struct sl_sqlite_db *db, const struct sl_list_query *query,
                             struct sl_text words, struct sl_arena *arena, struct sl_facet **out,
                             struct sl_error *error) SL_USE_RESULT;

/* search.c: the words that somebody typed as an FTS5 expression that finds rows with all of them;
 * none of its operators is reachable. SL_INVALID: too long, or no words. */
enum sl_err sl_sqlite_search_words(struct sl_text typed, struct sl_arena *arena,
                                   struct sl_text *out, struct sl_error *error) SL_USE_RESULT;

#endif
