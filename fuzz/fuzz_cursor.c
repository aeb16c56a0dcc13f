/* Cursors of lists and searches, which clients hand back: the first byte says of which list, the
 * rest is the cursor. One that is taken is written again as one text, and taken as the same place.
 */
#include "fuzz.h"

#include <string.h>

#include "record/specimen.h"
#include "stores/sqlite/parts.h"

static void project(const struct sl_event *event, struct sl_rows *rows)
{
    (void)event;
    (void)rows;
}

static const struct sl_view view = {"specimens",
                                    &specimen_record,
                                    "id",
                                    project,
                                    SL_LIST(const struct sl_index, {"by-text", "text, i64"},
                                            {"by-day", "day, at"}, {"by-number", "u32, flag, i16"}),
                                    .search = "text"};

static struct sl_arena kept, arena;
static struct sl_view_shape shape;
static struct sl_sqlite_schema schema;

static void prepare(void)
{
    struct sl_error error;

    if (schema.shape)
        return;
    const bool good = sl_view_shape_init(&shape, "test", &view, &error) == SL_OK &&
                      sl_sqlite_schema_init(&schema, &shape, false, &kept, &error) == SL_OK;
    SL_ASSERT(good, "the view is sound");
}

static void check_place(struct sl_list_query query)
{
    struct specimen row = {0}, same = {0};
    struct sl_error error = {0};
    struct sl_text once, twice;

    if (sl_sqlite_cursor_read(&schema, &query, &arena, &row, &error) != SL_OK) {
        SL_ASSERT(error.message[0], "refused with reason");
        return;
    }
    bool good = sl_sqlite_cursor_write(&schema, &query, &row, &arena, &once) == SL_OK;
    query.after = once;
    good = good && sl_sqlite_cursor_read(&schema, &query, &arena, &same, &error) == SL_OK &&
           sl_sqlite_cursor_write(&schema, &query, &same, &arena, &twice) == SL_OK;
    SL_ASSERT(good && sl_text_equals(once, twice), "one place, one text");
    /* Of this list alone. */
    query.descending = !query.descending;
    SL_ASSERT(sl_sqlite_cursor_read(&schema, &query, &arena, &same, &error) == SL_INVALID,
              "not of the other way round");
}

static void check_found(struct sl_text cursor)
{
    struct sl_sqlite_found found, same;
    struct sl_error error;
    struct sl_text once, twice;

    if (sl_sqlite_cursor_read_found(cursor, &arena, &found, &error) != SL_OK)
        return;
    const bool good = sl_sqlite_cursor_write_found(&found, &arena, &once) == SL_OK &&
                      sl_sqlite_cursor_read_found(once, &arena, &same, &error) == SL_OK &&
                      sl_sqlite_cursor_write_found(&same, &arena, &twice) == SL_OK;
    SL_ASSERT(good && found.count == same.count && found.rowid == same.rowid &&
                  sl_text_equals(once, twice),
              "the same place");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return 0;
    prepare();
    sl_arena_reset(&arena);
    const struct sl_text cursor = {(const char *)bytes + 1, len - 1};
    check_place((struct sl_list_query){
        .index = (int)(bytes[0] >> 1 & 3) - 1, .descending = bytes[0] & 1, .after = cursor});
    check_found(cursor);
    return 0;
}
