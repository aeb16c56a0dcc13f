/*
 * Aggregates: one walk along a list, within its bounds, with the columns that are asked about
 * alone.
 *
 * Stretches of time come one after the other, because the list is in order of it; so the groups of
 * one stretch alone are held at a time, sorted by the value of `by`, and are handed over when it
 * ends. A page is full when one more group than its limit is there; no row behind that is looked
 * at, and a cursor says where it ended: the next page's walk begins at that stretch. Without
 * stretches all rows are looked at for each page of groups.
 *
 * SQLite's own sums would do neither the wide integers nor the decimals, and cannot say which field
 * overflowed.
 */
#include "stores/sqlite/parts.h"

#include "base/hash.h"
#include "record/kinds.h"
#include "stores/sqlite/tally.h"

enum { COLUMNS_MAX = SL_AGGREGATES_MAX + 2 };

struct group {
    void *row; /* a struct of the record with time and `by` set */
    struct sl_sqlite_tally *tallies;
};

struct walk {
    struct sl_sqlite_db *db;
    const struct sl_aggregate_query *query;
    struct sl_list_query rows; /* the query's, with bounds by the cursor */
    struct sl_arena *arena;    /* of the answer */
    struct sl_arena scratch;   /* of one row */
    struct sl_error *error;
    const struct sl_field *time;   /* NULL: no stretches */
    int64_t every;                 /* in nanoseconds, or days of a date */
    uint32_t columns[COLUMNS_MAX]; /* places of fields in the record */
    uint32_t column_count;
    struct sl_field order_fields[2];
    struct sl_record order; /* what a cursor holds */
    const void *last;       /* the group before this page, or NULL */
    void *row;              /* as read */
    int64_t start;          /* of the stretch that is open */
    bool is_open;
    struct group *groups; /* of that stretch, by value */
    uint32_t group_count;
    uint32_t group_room;
    struct sl_aggregate_page *page;
    bool more; /* the page is full, and another group follows */
};

static enum sl_err no_memory(struct walk *walk)
{
    return sl_fail(walk->error, SL_NO_MEMORY,
                   "the groups take more memory than an answer may: ask for fewer at once");
}

/* ---- Time ------------------------------------------------------------------------------------ */

static int64_t time_of(const struct walk *walk, const void *row)
{
    const void *value = sl_member(walk->time, row);

    return walk->time->kind == SL_TIME ? ((const struct sl_time *)value)->ns
                                       : ((const struct sl_date *)value)->days;
}

static void set_time(const struct walk *walk, int64_t time, void *row)
{
    void *value = sl_member_of(walk->time, row);

    if (walk->time->kind == SL_TIME)
        ((struct sl_time *)value)->ns = time;
    else
        ((struct sl_date *)value)->days = (int32_t)time;
    sl_field_set_there(walk->time, row);
}

/* The start of the stretch; of the very first one, which begins before time does, that of time. */
static int64_t start_of(const struct walk *walk, int64_t time)
{
    int64_t start;
    const int64_t number = time / walk->every - (time % walk->every < 0);

    return __builtin_mul_overflow(number, walk->every, &start) ? INT64_MIN : start;
}

/* ---- What to walk along ---------------------------------------------------------------------- */

static void want(struct walk *walk, const struct sl_field *field)
{
    const struct sl_record *record = walk->db->schema.shape->view->record;

    if (!field)
        return;
    const uint32_t place = (uint32_t)(field - record->fields);
    for (uint32_t i = 0; i < walk->column_count; i++)
        if (walk->columns[i] == place)
            return;
    SL_ASSERT(walk->column_count < COLUMNS_MAX && place < record->field_count);
    walk->columns[walk->column_count++] = place;
}

static void choose_columns(struct walk *walk)
{
    const struct sl_aggregate_query *query = walk->query;
    const struct sl_field *keys[] = {walk->time, query->by};

    for (size_t i = 0; i < 2; i++) {
        want(walk, keys[i]);
        if (keys[i])
            walk->order_fields[walk->order.field_count++] = *keys[i];
    }
    for (uint32_t i = 0; i < query->count; i++)
        want(walk, query->aggregates[i].field);
}

static uint64_t digest(const struct walk *walk)
{
    const struct sl_list_query *rows = &walk->rows;
    char text[160];
    struct sl_buf buf = {.ptr = (uint8_t *)text, .capacity = sizeof text, .bytes_max = sizeof text};

    sl_buf_printf(&buf, "%d %u %d %lld %s", rows->index, rows->equal_count, rows->descending,
                  (long long)walk->query->every_ns, walk->query->by ? walk->query->by->name : "");
    return sl_hash64(text, buf.len, 0);
}

/* A bound of the list at a time: the nearer one of it and the bound that there was. */
static enum sl_err bound(struct walk *walk, int64_t time, const void **end, bool is_from)
{
    void *row = sl_arena_zeroed(walk->arena, 1, walk->order.size);

    if (!row)
        return no_memory(walk);
    if (*end && (is_from ? time_of(walk, *end) >= time : time_of(walk, *end) <= time))
        return SL_OK;
    set_time(walk, time, row);
    *end = row;
    return SL_OK;
}

/* Begins behind the stretch of the cursor, or with it where it may have more groups. */
static enum sl_err begin_after(struct walk *walk)
{
    const bool descending = walk->rows.descending;
    int64_t time = time_of(walk, walk->last);

    if ((walk->query->by != NULL) == descending &&
        __builtin_add_overflow(time, walk->every, &time)) /* that stretch is the last of all */
        return descending ? SL_OK : bound(walk, INT64_MIN, &walk->rows.to, false);
    return bound(walk, time, descending ? &walk->rows.to : &walk->rows.from, !descending);
}

static enum sl_err read_cursor(struct walk *walk)
{
    void *last = sl_arena_zeroed(walk->arena, 1, walk->order.size);

    if (!last)
        return no_memory(walk);
    const enum sl_err err = sl_sqlite_cursor_read_group(
        &walk->order, digest(walk), walk->rows.after, walk->arena, last, walk->error);
    if (err != SL_OK)
        return err;
    if (walk->time && !sl_field_is_there(walk->time, last))
        return sl_fail(walk->error, SL_INVALID, "the cursor is not one of this list");
    walk->last = last;
    return walk->time ? begin_after(walk) : SL_OK;
}

static enum sl_err begin(struct walk *walk)
{
    const struct sl_view_shape *shape = walk->db->schema.shape;
    const struct sl_list_query *rows = &walk->query->rows;
    const struct sl_place *place = rows->index < 0 ? &shape->key : &shape->indexes[rows->index];
    enum sl_err err = SL_OK;

    walk->rows = *rows;
    walk->order = (struct sl_record){"group", walk->db->schema.loose->size, 0, walk->order_fields};
    if (walk->query->every_ns > 0) {
        walk->time = place->fields[rows->equal_count];
        walk->every = walk->time->kind == SL_TIME ? walk->query->every_ns : 1;
        /* Rows without a time are in no stretch, and come before all others. */
        if (walk->time->optional && !rows->from)
            err = bound(walk, walk->time->kind == SL_TIME ? INT64_MIN : INT32_MIN, &walk->rows.from,
                        true);
    }
    choose_columns(walk);
    if (err == SL_OK && rows->after.len > 0)
        err = read_cursor(walk);
    walk->row = sl_arena_zeroed(walk->arena, 1, walk->order.size);
    walk->page->groups = sl_arena_zeroed(walk->arena, rows->limit, sizeof *walk->page->groups);
    return err != SL_OK ? err : walk->row && walk->page->groups ? SL_OK : no_memory(walk);
}

/* ---- Groups ---------------------------------------------------------------------------------- */

static int compare_by(const struct walk *walk, const void *a, const void *b)
{
    const struct sl_field *by = walk->query->by;

    if (!by)
        return 0;
    const bool left = sl_field_is_there(by, a), right = sl_field_is_there(by, b);
    return left && right ? sl_value_compare(by, sl_member(by, a), sl_member(by, b)) : left - right;
}

/* The place of the row's group, and whether it is there. The last one is asked first: rows that
 * are in order of `by` need no search. */
static uint32_t find(const struct walk *walk, bool *out_there)
{
    uint32_t low = 0, high = walk->group_count;

    if (high > 0) {
        const int order = compare_by(walk, walk->row, walk->groups[high - 1].row);
        *out_there = order == 0;
        if (order >= 0)
            return order == 0 ? high - 1 : high;
        high--;
    }
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = compare_by(walk, walk->row, walk->groups[middle].row);
        *out_there = order == 0;
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    *out_there = false;
    return low;
}

static bool grow(struct walk *walk)
{
    if (walk->group_count < walk->group_room)
        return true;
    const uint32_t room = walk->group_room > 0 ? 2 * walk->group_room : 16;
    struct group *groups = sl_arena_zeroed(walk->arena, room, sizeof *groups);
    if (!groups)
        return false;
    if (walk->group_count > 0)
        memcpy(groups, walk->groups, walk->group_count * sizeof *groups);
    walk->groups = groups;
    walk->group_room = room;
    return true;
}

/* The values that make the group, copied. */
static bool name_group(struct walk *walk, struct group *group)
{
    const struct sl_field *by = walk->query->by;

    if (walk->time)
        set_time(walk, walk->start, group->row);
    if (!by || !walk->is_open || !sl_field_is_there(by, walk->row))
        return true;
    sl_field_set_there(by, group->row);
    memcpy(sl_member_of(by, group->row), sl_member(by, walk->row), by->size);
    if (by->kind != SL_TEXT_KIND)
        return true;
    struct sl_text *text = sl_member_of(by, group->row);
    *text = sl_arena_text(walk->arena, *text);
    return text->ptr != NULL;
}

static bool add_group(struct walk *walk, uint32_t at)
{
    struct group made = {
        .row = sl_arena_zeroed(walk->arena, 1, walk->order.size),
        .tallies = sl_arena_zeroed(walk->arena, walk->query->count, sizeof *made.tallies),
    };

    if (!made.row || !made.tallies || !grow(walk) || !name_group(walk, &made))
        return false;
    memmove(&walk->groups[at + 1], &walk->groups[at],
            (walk->group_count - at) * sizeof *walk->groups);
    walk->groups[at] = made;
    walk->group_count++;
    return true;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

static enum sl_err hand_over(struct walk *walk, const struct group *group)
{
    const struct sl_aggregate_query *query = walk->query;
    struct sl_aggregate_value *values = sl_arena_zeroed(walk->arena, query->count, sizeof *values);
    enum sl_err err = values ? SL_OK : SL_NO_MEMORY;

    for (uint32_t i = 0; i < query->count && err == SL_OK; i++) {
        err = sl_sqlite_tally_end(&group->tallies[i], &query->aggregates[i], walk->arena,
                                  &values[i], &walk->page->refusal);
        if (walk->page->refusal != SL_AGGREGATE_DONE) {
            walk->page->refused = i;
            return SL_OK;
        }
    }
    if (err != SL_OK)
        return no_memory(walk);
    walk->page->groups[walk->page->count++] = (struct sl_aggregate_group){group->row, values};
    return SL_OK;
}

/* Was the group on an earlier page? */
static bool was_seen(const struct walk *walk, const struct group *group)
{
    if (!walk->last || !walk->query->by || (walk->time && time_of(walk, walk->last) != walk->start))
        return false;
    const int order = compare_by(walk, group->row, walk->last);
    return walk->rows.descending ? order >= 0 : order <= 0;
}

/* Hands over the groups of the stretch that is open. */
static enum sl_err close_stretch(struct walk *walk)
{
    enum sl_err err = SL_OK;

    for (uint32_t i = 0; i < walk->group_count && err == SL_OK && !walk->more; i++) {
        const uint32_t at = walk->rows.descending ? walk->group_count - 1 - i : i;
        if (was_seen(walk, &walk->groups[at]))
            continue;
        if (walk->page->count == walk->rows.limit)
            walk->more = true;
        else
            err = hand_over(walk, &walk->groups[at]);
        if (walk->page->refusal != SL_AGGREGATE_DONE)
            return err;
    }
    walk->group_count = 0;
    return err;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static enum sl_err read_columns(struct walk *walk, sqlite3_stmt *stmt)
{
    const struct sl_record *loose = walk->db->schema.loose;
    int column = 0;

    sl_arena_reset(&walk->scratch);
    memset(walk->row, 0, walk->order.size);
    for (uint32_t i = 0; i < walk->column_count; i++) {
        const struct sl_field *field = &loose->fields[walk->columns[i]];
        const enum sl_err err = sl_sqlite_read(stmt, column, loose, walk->columns[i],
                                               walk->db->parser, &walk->scratch, walk->row);
        if (err == SL_CORRUPT)
            return sl_sqlite_fail(walk->db, SQLITE_CORRUPT, field->name, walk->error);
        if (err != SL_OK)
            return no_memory(walk);
        column += sl_sqlite_column_count(field);
    }
    return SL_OK;
}

static enum sl_err take_row(struct walk *walk)
{
    const struct sl_aggregate_query *query = walk->query;
    const int64_t start = walk->time ? start_of(walk, time_of(walk, walk->row)) : 0;
    bool there = false;

    if (walk->is_open && start != walk->start) {
        const enum sl_err err = close_stretch(walk);
        /* A stretch begins here, with a group that the page has no room for. */
        walk->more |= walk->page->count == walk->rows.limit;
        if (err != SL_OK || walk->more || walk->page->refusal != SL_AGGREGATE_DONE)
            return err;
    }
    walk->start = start;
    walk->is_open = true;
    const uint32_t at = find(walk, &there);
    if (!there && walk->group_count == SL_AGGREGATE_GROUPS_MAX) {
        walk->page->refusal = SL_AGGREGATE_GROUPS;
        return SL_OK;
    }
    if (!there && !add_group(walk, at))
        return no_memory(walk);
    for (uint32_t i = 0; i < query->count; i++)
        if (!sl_sqlite_tally_add(&walk->groups[at].tallies[i], &query->aggregates[i], walk->row,
                                 walk->rows.descending, walk->arena))
            return no_memory(walk);
    return SL_OK;
}

static enum sl_err walk_rows(struct walk *walk, sqlite3_stmt *stmt)
{
    struct sl_aggregate_page *page = walk->page;
    enum sl_err err = SL_OK;
    int code;

    while (err == SL_OK && !walk->more && page->refusal == SL_AGGREGATE_DONE &&
           (code = sqlite3_step(stmt)) != SQLITE_DONE) {
        if (code != SQLITE_ROW) {
            err = sl_sqlite_fail(walk->db, code, "walk along a list", walk->error);
        } else if (page->rows_seen == walk->query->rows_max) {
            page->refusal = SL_AGGREGATE_ROWS;
        } else {
            page->rows_seen++;
            err = read_columns(walk, stmt);
            if (err == SL_OK)
                err = take_row(walk);
        }
    }
    if (err != SL_OK || walk->more || page->refusal != SL_AGGREGATE_DONE)
        return err;
    /* All rows together are a group even where there are none. */
    if (!walk->is_open && !walk->time && !walk->query->by && !add_group(walk, 0))
        return no_memory(walk);
    return close_stretch(walk);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static enum sl_err prepare(struct walk *walk, sqlite3_stmt **out)
{
    struct sl_sqlite_list_form form = sl_sqlite_list_form(&walk->db->schema, &walk->rows, false);
    struct sl_buf columns = {0}, sql = {0};
    enum sl_err err = SL_OK;

    for (uint32_t i = 0; i < walk->column_count; i++) {
        if (i > 0)
            SL_BUF_LITERAL(&columns, ", ");
        sl_sqlite_column_names(&columns, &walk->db->schema.loose->fields[walk->columns[i]]);
    }
    if (walk->column_count == 0)
        SL_BUF_LITERAL(&columns, "1");
    sl_buf_byte(&columns, '\0');
    form.columns = (const char *)columns.ptr;
    if (!columns.failed)
        sl_sqlite_list_sql(&sql, &walk->db->schema, &form);
    sl_buf_byte(&sql, '\0');
    err = columns.failed || sql.failed
              ? no_memory(walk)
              : sl_sqlite_prepare(walk->db, (const char *)sql.ptr, out, walk->error);
    sl_buf_close(&columns);
    sl_buf_close(&sql);
    if (err != SL_OK)
        return err;
    const int code = sl_sqlite_list_bind(walk->db, *out, &form, &walk->rows, NULL,
                                         (int64_t)walk->query->rows_max + 1);
    return code == SQLITE_OK ? SL_OK
                             : sl_sqlite_fail(walk->db, code, "walk along a list", walk->error);
}

enum sl_err sl_sqlite_aggregate(struct sl_sqlite_db *db, const struct sl_aggregate_query *query,
                                struct sl_arena *arena, struct sl_aggregate_page *out,
                                struct sl_error *error)
{
    struct walk walk = {.db = db, .query = query, .arena = arena, .error = error, .page = out};
    sqlite3_stmt *stmt = NULL;
    enum sl_err err = begin(&walk);

    if (err == SL_OK)
        err = prepare(&walk, &stmt);
    if (err == SL_OK)
        err = walk_rows(&walk, stmt);
    (void)sqlite3_finalize(stmt);
    sl_arena_close(&walk.scratch);
    if (err == SL_OK && out->refusal != SL_AGGREGATE_DONE)
        out->count = 0;
    if (err == SL_OK && walk.more && out->count > 0 &&
        sl_sqlite_cursor_write_group(&walk.order, digest(&walk), out->groups[out->count - 1].row,
                                     arena, &out->next) != SL_OK)
        err = no_memory(&walk);
    return err;
}
