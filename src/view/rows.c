/*
 * Projecting one event. The projection works on copies in an arena (`staging`); when it is done,
 * the changes are prepared, which may fail, and then published, which may not: so an event is
 * applied whole or not at all, and may be projected again.
 *
 * A put's key is read when the projection is done, for the author may fill it in at the end.
 * Whether a later edit or delete means the row of an earlier put is decided by that one's key as it
 * then is.
 */
#include "view/parts.h"

#include <stdlib.h>
#include <string.h>

const char sl_view_no_memory[] = "no memory for the event's rows";

enum { ROW_BYTES_MAX = 1 << 20 };

/* Writes keys without allocating: a place is never longer. */
struct key_room {
    struct sl_buf buf;
    uint8_t bytes[SL_PLACE_BYTES_MAX + 64];
};

static void key_room_init(struct key_room *room)
{
    room->buf = (struct sl_buf){
        .ptr = room->bytes, .capacity = sizeof room->bytes, .bytes_max = sizeof room->bytes};
}

/* ---- What the projection calls --------------------------------------------------------------- */

void sl_rows_fail(struct sl_rows *rows, const char *why)
{
    if (!rows->why)
        rows->why = why;
}

static struct staged_row *stage(struct sl_rows *rows)
{
    if (rows->count == rows->capacity) {
        const size_t capacity = rows->capacity > 0 ? rows->capacity * 2 : 16;
        struct staged_row *staged = reallocarray(rows->staged, capacity, sizeof *staged);
        if (staged)
            rows->staged = staged;
        uint64_t *hashes = reallocarray(rows->hashes, capacity, sizeof *hashes);
        if (hashes)
            rows->hashes = hashes;
        if (!staged || !hashes)
            return NULL;
        rows->capacity = capacity;
    }
    struct staged_row *made = &rows->staged[rows->count];
    *made = (struct staged_row){0};
    rows->hashes[rows->count++] = 0;
    return made;
}

void *sl_row_put(struct sl_rows *rows)
{
    const struct sl_record *record = rows->table->shape.view->record;
    void *item = sl_arena_zeroed(&rows->arena, 1, record->size);
    struct staged_row *staged = item ? stage(rows) : NULL;

    if (!staged) {
        /* The projection needs a row to write to, whatever becomes of it. */
        sl_rows_fail(rows, sl_view_no_memory);
        return memset(rows->spare, 0, record->size);
    }
    staged->item = item;
    staged->put = true;
    return item;
}

/* Reads the keys of puts from place `from` on, as far as they are filled in. */
static void read_put_keys(struct sl_rows *rows, size_t from)
{
    const struct sl_view_table *table = rows->table;

    for (size_t i = from; i < rows->count; i++) {
        struct staged_row *staged = &rows->staged[i];
        struct key_room room;

        if (!staged->put)
            continue;
        key_room_init(&room);
        staged->key = (struct sl_text){NULL, 0};
        if (sl_place_write(&table->shape.key, staged->item, &room.buf) != SL_OK)
            continue;
        staged->key = sl_arena_text(&rows->arena, sl_buf_as_text(&room.buf));
        rows->hashes[i] = view_hash(table, staged->key);
    }
    rows->settled = rows->count;
}

/* The last change of this key, or NULL. */
static struct staged_row *staged_find(struct sl_rows *rows, uint64_t hash, struct sl_text key,
                                      size_t before)
{
    for (size_t i = before; i-- > 0;)
        if (rows->hashes[i] == hash && sl_text_equals(rows->staged[i].key, key))
            return &rows->staged[i];
    return NULL;
}

/* The key that the values make, in `room`; false: there can be no such row. */
static bool key_of(struct sl_rows *rows, const void *const *values, size_t count,
                   struct key_room *room, struct sl_text *out, uint64_t *out_hash)
{
    const struct sl_view_table *table = rows->table;

    if (count != table->shape.key.count) {
        sl_rows_fail(rows, "the projection named a key with a wrong number of fields");
        return false;
    }
    key_room_init(room);
    if (sl_place_write_values(&table->shape.key, values, count, &room->buf) != SL_OK)
        return false;
    *out = sl_buf_as_text(&room->buf);
    *out_hash = view_hash(table, *out);
    if (rows->settled < rows->count)
        read_put_keys(rows, rows->settled);
    return true;
}

/* The row as it stands; NULL where there is none, or where that is not known yet. */
static struct view_row *known_row(struct sl_rows *rows, uint64_t hash, struct sl_text key)
{
    struct sl_view_table *table = rows->table;
    struct view_row *row = view_find(table, hash, key);

    if (row ? !(row->flags & ROW_UNKNOWN) : table->complete)
        return row;
    rows->waits = true;
    /* Too many are fetched already, or no memory: it is asked for again with the event. */
    (void)view_fetch_start(table, hash, key);
    return NULL;
}

static void *copy_for_edit(struct sl_rows *rows, const struct view_row *row)
{
    const struct sl_record *record = rows->table->shape.view->record;
    const void *item = row->body->bytes;

    if (rows->table->flat) {
        void *copy = sl_arena_take(&rows->arena, record->size);
        return copy ? memcpy(copy, item, record->size) : NULL;
    }
    void *room = sl_arena_take(&rows->arena, sl_record_copy_size(record, item));
    return room ? sl_record_copy(record, item, room) : NULL;
}

void *sl_row_edit_key(struct sl_rows *rows, const void *const *values, size_t count)
{
    struct key_room room;
    struct sl_text key;
    uint64_t hash;

    if (!key_of(rows, values, count, &room, &key, &hash))
        return NULL;
    struct staged_row *staged = staged_find(rows, hash, key, rows->count);
    if (staged)
        return staged->item;
    struct view_row *row = known_row(rows, hash, key);
    if (!row || !row->body)
        return NULL;
    row->flags |= ROW_USED;
    void *copy = copy_for_edit(rows, row);
    staged = copy ? stage(rows) : NULL;
    if (!staged) {
        sl_rows_fail(rows, sl_view_no_memory);
        return copy;
    }
    staged->key = (struct sl_text){row->key, row->key_len};
    staged->item = copy;
    staged->row = row; /* rows neither move nor go while an event is projected */
    rows->hashes[rows->count - 1] = hash;
    return copy;
}

void sl_row_delete_key(struct sl_rows *rows, const void *const *values, size_t count)
{
    struct key_room room;
    struct sl_text key;
    uint64_t hash;

    if (!key_of(rows, values, count, &room, &key, &hash))
        return;
    struct staged_row *staged = staged_find(rows, hash, key, rows->count);
    if (!staged) {
        const struct view_row *row = view_find(rows->table, hash, key);
        const bool absent = row ? !row->body && !(row->flags & ROW_UNKNOWN) : rows->table->complete;
        if (absent)
            return;
        staged = stage(rows);
        if (!staged) {
            sl_rows_fail(rows, sl_view_no_memory);
            return;
        }
        staged->key = sl_arena_text(&rows->arena, key);
        rows->hashes[rows->count - 1] = hash;
    }
    staged->item = NULL;
    staged->put = false;
    rows->settled = rows->count;
}

/* ---- Preparing: all that can fail ------------------------------------------------------------ */

static bool same_key_fields(const struct sl_place *key, const void *a, const void *b)
{
    for (uint32_t i = 0; i < key->count; i++) {
        const struct sl_field *field = key->fields[i];
        const void *left = (const uint8_t *)a + field->offset;
        const void *right = (const uint8_t *)b + field->offset;

        if (field->kind == SL_TEXT_KIND
                ? !sl_text_equals(*(const struct sl_text *)left, *(const struct sl_text *)right)
                : memcmp(left, right, field->size) != 0)
            return false;
    }
    return true;
}

/* Where the change goes: its row, and room for its struct. Says what is wrong, or NULL. */
static const char *prepare_one(struct sl_rows *rows, size_t i)
{
    struct sl_view_table *table = rows->table;
    const struct sl_record *record = table->shape.view->record;
    struct staged_row *staged = &rows->staged[i];

    if (!staged->key.ptr || staged->key.len == 0)
        return "a row's key is empty or longer than 512 bytes";
    if (staged->put) {
        struct staged_row *earlier = staged_find(rows, rows->hashes[i], staged->key, i);
        if (earlier)
            earlier->skip = true;
    }
    if (!staged->row)
        staged->row = view_find(table, rows->hashes[i], staged->key);
    if (!staged->row) {
        staged->row = view_row_new(table, rows->hashes[i], staged->key);
        if (!staged->row)
            return sl_view_no_memory;
        staged->made_row = true;
    }
    if (!staged->item)
        return NULL;
    if (!staged->put && !same_key_fields(&table->shape.key, staged->item, staged->row->body->bytes))
        return "the projection changed the key of a row";
    const size_t size = table->flat ? record->size : sl_record_copy_size(record, staged->item);
    if (size > ROW_BYTES_MAX)
        return "a row is larger than 1 MiB";
    struct view_body *body = staged->row->body;
    if (body && body->capacity >= size && !(staged->row->flags & ROW_FROZEN) &&
        !view_leaves_former(table, staged->row)) {
        staged->body = body;
        return NULL;
    }
    staged->body = view_body_new(table, size);
    staged->made_body = true;
    return staged->body ? NULL : sl_view_no_memory;
}

static const char *prepare(struct sl_rows *rows)
{
    const char *why = NULL;

    read_put_keys(rows, 0);
    if (!view_dirty_reserve(rows->table, rows->count) ||
        (rows->table->shape.view->temporal && !view_formers_reserve(rows->table, rows->count)))
        return sl_view_no_memory;
    for (size_t i = 0; i < rows->count && !why; i++)
        why = prepare_one(rows, i);
    return why;
}

static void take_back(struct sl_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct staged_row *staged = &rows->staged[i];

        if (staged->made_body)
            view_body_free(rows->table, staged->body);
        if (staged->made_row)
            view_row_remove(rows->table, staged->row);
    }
}

/* ---- Publishing: nothing here fails ---------------------------------------------------------- */

static void drop_body(struct sl_view_table *table, struct view_row *row)
{
    /* A frozen one is the writer's until it answers; then it is freed. */
    if (!(row->flags & ROW_FROZEN))
        view_body_free(table, row->body);
    row->flags &= (uint8_t)~ROW_FROZEN;
    row->body = NULL;
}

static void publish_one(struct sl_view_table *table, struct staged_row *staged)
{
    const struct sl_record *record = table->shape.view->record;
    struct view_row *row = staged->row;

    view_json_drop(table, row);
    if (staged->item) {
        if (table->flat)
            memcpy(staged->body->bytes, staged->item, record->size);
        else
            (void)sl_record_copy(record, staged->item, staged->body->bytes);
    }
    if (view_leaves_former(table, row))
        view_former_add(table, row);
    else if (row->body && row->body != staged->body)
        drop_body(table, row);
    row->body = staged->body;
    row->version = table->position + 1;
    row->flags = (uint8_t)((row->flags & ~ROW_UNKNOWN) | ROW_USED);
    view_dirty_add(table, row);
}

/* Two changes of one row: the first one's work is undone, so that each row has one. */
static void skip_one(struct sl_view_table *table, struct staged_row *staged)
{
    if (staged->made_body)
        view_body_free(table, staged->body);
}

static void publish(struct sl_rows *rows)
{
    struct sl_view_table *table = rows->table;

    for (size_t i = 0; i < rows->count; i++) {
        if (rows->staged[i].skip)
            skip_one(table, &rows->staged[i]);
        else
            publish_one(table, &rows->staged[i]);
    }
    table->position++;
    if (!view_is_watched(table))
        return;
    for (size_t i = 0; i < rows->count; i++)
        if (!rows->staged[i].skip)
            view_watches_tell(table, rows->staged[i].row);
}

/* Rows that only the writer can free take so much memory that it must catch up first (M1). */
static bool is_behind(struct sl_view_table *table)
{
    const size_t under_way =
        table->dirty_count + table->former_count + (table->busy ? table->work.count : 0);

    if (under_way == 0 ||
        (under_way < table->dirty_max && table->bytes <= table->options.memory_max / 2 * 3))
        return false;
    view_evict(table);
    if (under_way < table->dirty_max && table->bytes <= table->options.memory_max / 2 * 3)
        return false;
    SL_MARK("view: waits for its writer");
    view_flush_by(table, 0);
    return true;
}

/* Runs the projection on copies. */
static void run(struct sl_rows *rows, const struct sl_event *event)
{
    struct sl_view_table *table = rows->table;

    sl_arena_reset(&rows->arena);
    rows->count = rows->settled = 0;
    rows->waits = false;
    rows->why = NULL;
    if (table->options.project)
        table->options.project(table->options.project_context, event, rows);
    else
        table->shape.view->project(event, rows);
}

/* Projects and prepares: NULL, or why the event cannot be applied, and then nothing of it is. */
static const char *project_once(struct sl_rows *rows, const struct sl_event *event)
{
    run(rows, event);
    if (rows->waits || rows->why)
        return rows->why;
    const char *why = prepare(rows);
    if (why)
        take_back(rows);
    return why;
}

/* NULL: it goes on. */
static void degrade(struct sl_view_table *table, const char *why)
{
    table->degraded = why;
    table->unsettled = why && table->options.settles;
    if (!table->unsettled)
        view_watches_state(table);
}

void sl_view_settle(struct sl_view_table *table)
{
    if (!table->degraded || !table->unsettled)
        return;
    table->unsettled = false;
    view_watches_state(table);
}

enum sl_view_result sl_view_project(struct sl_view_table *table, const struct sl_event *event)
{
    struct sl_rows *rows = &table->staging;

    if (event->position < table->position)
        return SL_VIEW_APPLIED;
    if (table->failing || table->degraded)
        return SL_VIEW_STUCK;
    if (!table->attached || is_behind(table))
        return SL_VIEW_WAITS;
    if (event->position > table->position)
        sl_view_advance(table, event->position);
    const char *why = project_once(rows, event);
    if (why && !rows->waits && why != sl_view_no_memory) {
        SL_MARK("view: projected again");
        why = project_once(rows, event);
    }
    table->waiting = rows->waits;
    if (rows->waits)
        return SL_VIEW_WAITS; /* what failed may have failed for want of the row */
    if (why) {
        if (why == sl_view_no_memory) /* the store's next flush shows whether it has passed */
            view_fail(table, SL_NO_MEMORY, why);
        else
            degrade(table, why);
        return SL_VIEW_STUCK;
    }
    if (rows->count == 0) {
        sl_view_advance(table, event->position + 1);
        return SL_VIEW_APPLIED;
    }
    publish(rows);
    view_evict(table);
    return SL_VIEW_APPLIED;
}

void sl_view_foresee(struct sl_view_table *table, const struct sl_event *event)
{
    /* Half of what may be fetched at once is left to those who look rows up. */
    if (!table->attached || table->complete || table->failing || table->degraded ||
        event->position <= table->position || table->fetch_count >= VIEW_FETCHES_MAX / 2)
        return;
    run(&table->staging, event);
    if (table->staging.waits)
        SL_MARK("view: fetched ahead");
    table->staging.count = 0;
}

void sl_view_break(struct sl_view_table *table, uint64_t position, const char *why)
{
    if (!table->attached || table->failing || table->degraded || table->position != position)
        return;
    free(table->broken);
    table->broken = strdup(why);
    degrade(table, table->broken ? table->broken : "its event cannot be read");
}

bool sl_view_retry(struct sl_view_table *table)
{
    if (!table->degraded || table->unsettled)
        return false;
    degrade(table, NULL);
    return true;
}

bool sl_view_skip(struct sl_view_table *table, uint64_t position)
{
    if (!table->degraded || table->position != position)
        return false;
    const bool was_told = !table->unsettled;
    table->degraded = NULL;
    table->unsettled = false;
    sl_view_advance(table, position + 1);
    if (was_told)
        view_watches_state(table);
    return true;
}

bool view_staging_init(struct sl_rows *rows, struct sl_view_table *table)
{
    rows->table = table;
    rows->spare = malloc(table->shape.view->record->size);
    return rows->spare != NULL;
}

void view_staging_close(struct sl_rows *rows)
{
    free(rows->spare);
    sl_arena_close(&rows->arena);
    free(rows->staged);
    free(rows->hashes);
}
