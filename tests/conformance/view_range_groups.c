/* What aggregates of readings must be, worked out from the groups' rows in the plainest way. */
#include "conformance/view_range_model.h"

#include <string.h>

#include "record/json.h"
#include "record/kinds.h"
#include "record/value.h"

__extension__ typedef __int128 wide;

/* ---- Groups ---------------------------------------------------------------------------------- */

static const struct sl_field *time_of(const struct sl_view_shape *shape,
                                      const struct sl_aggregate_query *query)
{
    const int index = query->rows.index;
    const struct sl_place *place = index < 0 ? &shape->key : &shape->indexes[index];

    return query->every_ns > 0 ? place->fields[query->rows.equal_count] : NULL;
}

static int64_t start_of(const struct sl_field *time, int64_t every_ns, const struct reading *row)
{
    if (!time)
        return 0;
    if (time->kind == SL_DATE)
        return ((const struct sl_date *)sl_member(time, row))->days;
    int64_t start = ((const struct sl_time *)sl_member(time, row))->ns;
    while (start % every_ns != 0)
        start = start > 0 ? start - start % every_ns : start - (every_ns + start % every_ns);
    return start;
}

static int compare_by(const struct sl_field *by, const struct reading *a, const struct reading *b)
{
    if (!by)
        return 0;
    const bool left = sl_field_is_there(by, a), right = sl_field_is_there(by, b);
    return left && right ? sl_value_compare(by, sl_member(by, a), sl_member(by, b)) : left - right;
}

struct reading_group *reading_groups(const struct sl_view_shape *shape,
                                     const struct sl_aggregate_query *query,
                                     const struct reading *rows, size_t count,
                                     struct sl_arena *arena, size_t *out_count)
{
    const struct sl_field *time = time_of(shape, query);
    const struct reading **chosen = sl_arena_zeroed(arena, count + 1, sizeof *chosen);
    struct reading_group *groups = sl_arena_zeroed(arena, count + 1, sizeof *groups);
    struct sl_list_query ascending = query->rows;
    size_t found = 0;

    ascending.descending = false;
    const size_t there = reading_select(shape, &ascending, rows, count, chosen);
    for (size_t i = 0; i < there; i++) {
        const struct reading *row = chosen[i];
        int order = 1;
        size_t at = 0;

        if (time && !sl_field_is_there(time, row))
            continue;
        const int64_t start = start_of(time, query->every_ns, row);
        for (; at < found; at++) {
            order = (groups[at].start > start) - (groups[at].start < start);
            if (order == 0)
                order = compare_by(query->by, groups[at].rows[0], row);
            if (query->rows.descending ? order <= 0 : order >= 0)
                break;
        }
        if (at == found || order != 0) {
            memmove(&groups[at + 1], &groups[at], (found - at) * sizeof *groups);
            groups[at] =
                (struct reading_group){start, sl_arena_zeroed(arena, there, sizeof *chosen), 0};
            found++;
        }
        groups[at].rows[groups[at].count++] = row;
    }
    if (found == 0 && !time && !query->by)
        found = 1;
    *out_count = found;
    return groups;
}

/* ---- Values ---------------------------------------------------------------------------------- */

struct sum {
    wide whole; /* of decimals at `scale` */
    sl_u128 unsigned_whole;
    long double number;
    uint8_t scale;
    bool mixes;
};

static void add_row(struct sum *sum, const struct sl_field *field, const struct reading *row,
                    const struct reading *first)
{
    wide unit = 1;

    switch (field->kind) {
    case SL_I64:
        sum->whole += *(const int64_t *)sl_member(field, row); /* id or amount */
        break;
    case SL_U64:
        sum->whole += (wide)row->big;
        break;
    case SL_U128:
        sum->unsigned_whole += row->wide; /* never so many that it overflows */
        break;
    case SL_DOUBLE:
        sum->number += row->speed;
        break;
    case SL_MONEY:
        sum->whole += row->fee.minor;
        sum->mixes |= memcmp(row->fee.currency, first->fee.currency, 4) != 0;
        break;
    default:
        for (uint8_t s = row->price.scale; s < sum->scale; s++)
            unit *= 10;
        sum->whole += (wide)row->price.unscaled * unit;
    }
}

static void write_average(const struct sum *sum, const struct sl_field *field, size_t count,
                          struct sl_buf *out)
{
    long double number = sum->number;

    if (field->kind != SL_DOUBLE)
        number =
            field->kind == SL_U128 ? (long double)sum->unsigned_whole : (long double)sum->whole;
    for (uint8_t s = 0; s < sum->scale; s++)
        number /= 10;
    sl_value_write_double(out, (double)(number / (long double)count));
}

static void write_sum(const struct sum *sum, const struct sl_field *field,
                      const struct reading *first, struct sl_buf *out)
{
    struct sl_money money = first->fee;

    switch (field->kind) {
    case SL_DOUBLE:
        sl_value_write_double(out, (double)sum->number);
        break;
    case SL_U128:
        sl_json_write_value(out, field, &sum->unsigned_whole);
        break;
    case SL_DECIMAL:
        sl_json_write_value(out, field, &(struct sl_decimal){(int64_t)sum->whole, sum->scale});
        break;
    case SL_MONEY:
        money.minor = (int64_t)sum->whole;
        sl_json_write_value(out, field, &money);
        break;
    case SL_U64:
        sl_buf_u64(out, (uint64_t)sum->whole);
        break;
    default:
        sl_buf_i64(out, (int64_t)sum->whole);
    }
}

static enum sl_aggregate_refusal sum_of(const struct reading_group *group,
                                        const struct sl_field *field, bool average,
                                        struct sl_buf *out)
{
    struct sum sum = {0};

    for (size_t i = 0; i < group->count; i++)
        if (field->kind == SL_DECIMAL && group->rows[i]->price.scale > sum.scale)
            sum.scale = group->rows[i]->price.scale;
    for (size_t i = 0; i < group->count; i++)
        add_row(&sum, field, group->rows[i], group->rows[0]);
    if (sum.mixes)
        return SL_AGGREGATE_CURRENCIES;
    if (!average && field->kind == SL_U64 && sum.whole > (wide)UINT64_MAX)
        return SL_AGGREGATE_OVERFLOW;
    if (average)
        write_average(&sum, field, group->count, out);
    else
        write_sum(&sum, field, group->rows[0], out);
    return SL_AGGREGATE_DONE;
}

static const struct reading *chosen_row(const struct reading_group *group,
                                        const struct sl_aggregate_item *item)
{
    const struct sl_field *field = item->field;
    const struct reading *best = NULL;

    for (size_t i = 0; i < group->count; i++) {
        const struct reading *row = group->rows[i];
        if (!sl_field_is_there(field, row))
            continue;
        const int order =
            best ? sl_value_compare(field, sl_member(field, row), sl_member(field, best)) : 0;
        if (!best || item->kind == SL_AGGREGATE_LAST ||
            (item->kind == SL_AGGREGATE_MIN && order < 0) ||
            (item->kind == SL_AGGREGATE_MAX && order > 0))
            best = row;
    }
    return best;
}

enum sl_aggregate_refusal reading_aggregate(const struct reading_group *group,
                                            const struct sl_aggregate_item *item,
                                            struct sl_buf *out)
{
    if (item->kind == SL_AGGREGATE_COUNT) {
        sl_buf_u64(out, group->count);
        return SL_AGGREGATE_DONE;
    }
    if ((item->kind == SL_AGGREGATE_SUM || item->kind == SL_AGGREGATE_AVG) && group->count > 0)
        return sum_of(group, item->field, item->kind == SL_AGGREGATE_AVG, out);
    const struct reading *row = chosen_row(group, item);
    if (row)
        sl_json_write_value(out, item->field, sl_member(item->field, row));
    else
        SL_BUF_LITERAL(out, "null");
    return SL_AGGREGATE_DONE;
}
