#include "contracts/near.h"

#include <math.h>
#include <string.h>

#include "record/kinds.h"

/* ---- Places of rows -------------------------------------------------------------------------- */

static enum sl_err refuse(struct sl_error *error, const struct sl_view_shape *shape,
                          struct sl_text name, const char *why)
{
    return sl_fail(error, SL_INVALID, "view %s/%s: near: %.*s%s%s", shape->domain,
                   shape->view->name, (int)name.len, name.ptr, name.len > 0 ? " " : "", why);
}

static enum sl_err parse_field(struct sl_view_shape *shape, int at, struct sl_text name,
                               struct sl_error *error)
{
    const struct sl_record *record = shape->view->record;

    for (uint32_t i = 0; i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];

        if (!sl_text_equals(name, (struct sl_text){field->name, strlen(field->name)}))
            continue;
        if (field->kind != SL_DOUBLE && field->kind != SL_DECIMAL)
            return refuse(error, shape, name, "must be a double or a decimal, in degrees");
        shape->near[at] = field;
        return SL_OK;
    }
    return refuse(error, shape, name, "is no field of the record");
}

enum sl_err sl_near_parse(struct sl_view_shape *shape, struct sl_error *error)
{
    const char *at = shape->view->near;
    enum sl_err err;

    for (int i = 0; at && i < 2; i++) {
        at += strspn(at, " ");
        const size_t len = strcspn(at, " ,");
        if ((err = parse_field(shape, i, (struct sl_text){at, len}, error)) != SL_OK)
            return err;
        at += len + strspn(at + len, " ");
        if (*at != (i == 0 ? ',' : '\0'))
            return refuse(error, shape, SL_TEXT(""), "two fields are named, \"lat, lon\"");
        at += i == 0;
    }
    if (at && shape->near[0] == shape->near[1])
        return refuse(error, shape, SL_TEXT(""), "latitude and longitude are one");
    return SL_OK;
}

static double degrees_of(const struct sl_field *field, const void *row)
{
    const void *value = sl_member(field, row);
    struct sl_decimal decimal;
    double degrees;

    if (!sl_field_is_there(field, row))
        return NAN;
    if (field->kind == SL_DOUBLE) {
        memcpy(&degrees, value, sizeof degrees);
        return degrees;
    }
    memcpy(&decimal, value, sizeof decimal);
    degrees = 1;
    for (unsigned i = 0; i < decimal.scale; i++)
        degrees *= 10;
    return (double)decimal.unscaled / degrees;
}

bool sl_near_spot(const struct sl_view_shape *shape, const void *row, struct sl_spot *out)
{
    *out = (struct sl_spot){degrees_of(shape->near[0], row), degrees_of(shape->near[1], row)};
    return sl_spot_is_valid(*out);
}

/* ---- The search ------------------------------------------------------------------------------ */

enum { FEW_ROWS = 16 }; /* a cell that holds no more is read */

/* A cell to go into, or a row. */
struct thing {
    double metres;
    uint64_t number; /* rows of one distance stand as they were read, and behind all cells of it */
    int64_t first;
    unsigned level;
    const struct sl_row_found *row; /* NULL: a cell */
};

struct search {
    const struct sl_view_shape *shape;
    const struct sl_near_query *query;
    const struct sl_near_source *source;
    struct sl_arena *arena;
    struct sl_near_page *out;
    struct sl_error *error;
    struct thing *things; /* a binary heap: things[0] is the nearest */
    size_t count, capacity;
    uint64_t rows; /* that were read */
};

static bool is_before(const struct thing *a, const struct thing *b)
{
    return a->metres < b->metres || (a->metres == b->metres && a->number < b->number);
}

static enum sl_err add(struct search *search, struct thing thing)
{
    if (!(thing.metres <= search->query->within))
        return SL_OK;
    if (search->count == search->capacity) {
        const size_t capacity = search->capacity > 0 ? 2 * search->capacity : 256;
        struct thing *more = sl_arena_take(search->arena, capacity * sizeof *more);
        if (!more)
            return sl_fail(search->error, SL_NO_MEMORY, "no memory to search for what is near");
        if (search->count > 0)
            memcpy(more, search->things, search->count * sizeof *more);
        search->things = more;
        search->capacity = capacity;
    }
    size_t at = search->count++;
    for (; at > 0 && is_before(&thing, &search->things[(at - 1) / 2]); at = (at - 1) / 2)
        search->things[at] = search->things[(at - 1) / 2];
    search->things[at] = thing;
    return SL_OK;
}

static struct thing take(struct search *search)
{
    const struct thing nearest = search->things[0];
    const struct thing last = search->things[--search->count];
    size_t at = 0, child;

    while ((child = 2 * at + 1) < search->count) {
        child += child + 1 < search->count &&
                 is_before(&search->things[child + 1], &search->things[child]);
        if (!is_before(&search->things[child], &last))
            break;
        search->things[at] = search->things[child];
        at = child;
    }
    search->things[at] = last;
    return nearest;
}

static enum sl_err read_cell(struct search *search, const struct thing *cell, uint32_t most)
{
    struct sl_row_found *rows = sl_arena_zeroed(search->arena, most, sizeof *rows);
    const int64_t last = sl_earth_cell_last(cell->first, cell->level);
    uint32_t count = 0;
    struct sl_spot spot;
    enum sl_err err;

    if (!rows)
        return sl_fail(search->error, SL_NO_MEMORY, "no memory for %u rows", most);
    err = search->source->read(search->source->context, cell->first, last, most, rows, &count,
                               search->error);
    search->out->looked += 1 + count;
    for (uint32_t i = 0; i < count && err == SL_OK; i++)
        if (sl_near_spot(search->shape, rows[i].row, &spot))
            err = add(search, (struct thing){.metres = sl_earth_metres(search->query->spot, spot),
                                             .number = ++search->rows,
                                             .row = &rows[i]});
    return err;
}

static enum sl_err cut_cell(struct search *search, const struct thing *cell)
{
    const unsigned level = cell->level + 1;
    const int64_t size = sl_earth_cell_last(0, level) + 1;
    enum sl_err err = SL_OK;

    for (int i = 0; i < 4 && err == SL_OK; i++) {
        const int64_t first = cell->first + i * size;
        err = add(search,
                  (struct thing){.metres = sl_earth_cell_metres(first, level, search->query->spot),
                                 .first = first,
                                 .level = level});
    }
    return err;
}

static enum sl_err enter_cell(struct search *search, const struct thing *cell)
{
    uint32_t count = 0;

    if (cell->level == SL_EARTH_LEVELS)
        return read_cell(search, cell, search->query->limit);
    const enum sl_err err = search->source->count(search->source->context, cell->first,
                                                  sl_earth_cell_last(cell->first, cell->level),
                                                  FEW_ROWS + 1, &count, search->error);
    search->out->looked += 1 + count;
    if (err != SL_OK || count == 0)
        return err;
    return count <= FEW_ROWS ? read_cell(search, cell, FEW_ROWS) : cut_cell(search, cell);
}

enum sl_err sl_near_search(const struct sl_view_shape *shape, const struct sl_near_query *query,
                           const struct sl_near_source *source, struct sl_arena *arena,
                           struct sl_near_page *out, struct sl_error *error)
{
    struct search search = {shape, query, source, arena, out, error, NULL, 0, 0, 0};
    /* What one cell more may take: its entries, and its rows. */
    const uint64_t looks = SL_NEAR_LOOKS(query->limit) - (2 * FEW_ROWS + 3) - query->limit;
    enum sl_err err;

    *out = (struct sl_near_page){.exact = true};
    out->rows = sl_arena_zeroed(arena, query->limit, sizeof *out->rows);
    out->metres = sl_arena_zeroed(arena, query->limit, sizeof *out->metres);
    if (!out->rows || !out->metres)
        return sl_fail(error, SL_NO_MEMORY, "no memory for %u rows", query->limit);
    err = add(&search, (struct thing){0});
    while (err == SL_OK && search.count > 0 && out->count < query->limit) {
        const struct thing nearest = take(&search);
        if (nearest.row) {
            out->rows[out->count] = *nearest.row;
            out->metres[out->count++] = nearest.metres;
        } else if (out->looked > looks) {
            out->exact = false;
        } else {
            err = enter_cell(&search, &nearest);
        }
    }
    return err;
}

/* ---- The wrapper ----------------------------------------------------------------------------- */

enum sl_err sl_view_reader_near(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                                const struct sl_near_query *query, struct sl_arena *arena,
                                struct sl_near_page *out, struct sl_error *error)
{
    struct sl_near_page page = {0};

    if (!shape->near[0])
        return sl_fail(error, SL_INVALID, "view %s/%s does not say where its rows are",
                       shape->domain, shape->view->name);
    if (query->limit < 1 || query->limit > 1000)
        return sl_fail(error, SL_INVALID, "limit must lie between 1 and 1000");
    if (!sl_spot_is_valid(query->spot))
        return sl_fail(error, SL_INVALID,
                       "latitude lies between -90 and 90, longitude between -180 and 180");
    if (!(query->within >= 0))
        return sl_fail(error, SL_INVALID, "within is a number of metres from 0 on");
    const enum sl_err err = reader->store->ops->near(reader, shape, query, arena, &page, error);
    if (err != SL_OK)
        return err;
    SL_ASSERT(page.count <= query->limit && page.looked <= SL_NEAR_LOOKS(query->limit), "M1");
    *out = page;
    return SL_OK;
}
