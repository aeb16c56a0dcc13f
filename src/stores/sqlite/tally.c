/*
 * Sums that are never wrong: integers are added in 128 bits, which the rows of one query cannot
 * fill with 64-bit values, and are looked at when all are added; so what overflows on the way and
 * comes back is right. Decimals are added at the greatest scale that there was.
 */
#include "stores/sqlite/tally.h"

#include <math.h>

#include "record/kinds.h"
#include "record/value.h"

/* ---- Keeping a value ------------------------------------------------------------------------- */

/* Texts are kept in room that grows twofold, so that a text that is replaced often takes little. */
static bool keep_text(struct sl_sqlite_tally *tally, struct sl_text text, struct sl_arena *arena)
{
    if (text.len >= tally->kept_room) {
        const size_t room = text.len + tally->kept_room + 16;
        char *kept = sl_arena_take(arena, room);
        if (!kept)
            return false;
        tally->kept_text = kept;
        tally->kept_room = room;
    }
    if (text.len > 0)
        memcpy(tally->kept_text, text.ptr, text.len);
    *(struct sl_text *)tally->kept = (struct sl_text){tally->kept_text, text.len};
    return true;
}

static bool keep(struct sl_sqlite_tally *tally, const struct sl_field *field, const void *value,
                 struct sl_arena *arena)
{
    if (!tally->kept && !(tally->kept = sl_arena_zeroed(arena, 1, field->size)))
        return false;
    if (field->kind == SL_TEXT_KIND)
        return keep_text(tally, *(const struct sl_text *)value, arena);
    memcpy(tally->kept, value, field->size);
    return true;
}

/* Of values that are equal, though written differently (1.5 and 1.50), the first stands. */
static bool is_better(const struct sl_sqlite_tally *tally,
                      const struct sl_aggregate_item *aggregate, const void *value, bool descending)
{
    if (!tally->kept)
        return true;
    if (aggregate->kind == SL_AGGREGATE_FIRST || aggregate->kind == SL_AGGREGATE_LAST)
        return descending == (aggregate->kind == SL_AGGREGATE_FIRST);
    const int order = sl_value_compare(aggregate->field, value, tally->kept);
    if (order == 0)
        return descending;
    return (order < 0) == (aggregate->kind == SL_AGGREGATE_MIN);
}

/* ---- Adding up ------------------------------------------------------------------------------- */

static void add_wide(struct sl_sqlite_tally *tally, sl_sqlite_wide value)
{
    tally->overflows |= __builtin_add_overflow(tally->whole, value, &tally->whole);
}

static void add_decimal(struct sl_sqlite_tally *tally, const struct sl_decimal *decimal)
{
    sl_sqlite_wide value = decimal->unscaled;

    for (; tally->scale < decimal->scale; tally->scale++)
        tally->overflows |= __builtin_mul_overflow(tally->whole, (sl_sqlite_wide)10, &tally->whole);
    /* 2^63 × 10^18 is below 2^127. */
    for (uint8_t scale = decimal->scale; scale < tally->scale; scale++)
        value *= 10;
    add_wide(tally, value);
}

static void add_money(struct sl_sqlite_tally *tally, const struct sl_money *money)
{
    if (tally->count == 0)
        memcpy(tally->currency, money->currency, sizeof tally->currency);
    tally->mixes |= memcmp(tally->currency, money->currency, sizeof tally->currency) != 0;
    add_wide(tally, money->minor);
}

static void add(struct sl_sqlite_tally *tally, const struct sl_field *field, const void *value)
{
    sl_u128 wide;

    switch (field->kind) {
    case SL_DOUBLE:
        tally->number += *(const double *)value;
        break;
    case SL_DECIMAL:
        add_decimal(tally, value);
        break;
    case SL_MONEY:
        add_money(tally, value);
        break;
    case SL_U128:
        memcpy(&wide, value, sizeof wide);
        tally->overflows |=
            __builtin_add_overflow(tally->unsigned_whole, wide, &tally->unsigned_whole);
        break;
    default:
        add_wide(tally, sl_kind_is_signed(field->kind)
                            ? (sl_sqlite_wide)sl_load_signed(field->kind, value)
                            : (sl_sqlite_wide)sl_load_unsigned(field->kind, value));
    }
}

bool sl_sqlite_tally_add(struct sl_sqlite_tally *tally, const struct sl_aggregate_item *aggregate,
                         const void *row, bool descending, struct sl_arena *arena)
{
    const struct sl_field *field = aggregate->field;

    if (aggregate->kind == SL_AGGREGATE_COUNT) {
        tally->count++;
        return true;
    }
    if (!sl_field_is_there(field, row))
        return true;
    const void *value = sl_member(field, row);
    if (aggregate->kind == SL_AGGREGATE_SUM || aggregate->kind == SL_AGGREGATE_AVG) {
        add(tally, field, value);
        tally->count++;
        return true;
    }
    /* What is no number is neither the least nor the greatest. */
    if (field->kind == SL_DOUBLE && isnan(*(const double *)value) &&
        (aggregate->kind == SL_AGGREGATE_MIN || aggregate->kind == SL_AGGREGATE_MAX))
        return true;
    tally->count++;
    return !is_better(tally, aggregate, value, descending) || keep(tally, field, value, arena);
}

/* ---- What it came to ------------------------------------------------------------------------- */

static const struct sl_field signed_form = {.name = "sum", .kind = SL_I64, .size = 8};
static const struct sl_field unsigned_form = {.name = "sum", .kind = SL_U64, .size = 8};
static const struct sl_field wide_form = {.name = "sum", .kind = SL_U128, .size = 16};
static const struct sl_field double_form = {.name = "sum", .kind = SL_DOUBLE, .size = 8};
static const struct sl_field decimal_form = {
    .name = "sum", .kind = SL_DECIMAL, .size = sizeof(struct sl_decimal)};
static const struct sl_field money_form = {
    .name = "sum", .kind = SL_MONEY, .size = sizeof(struct sl_money)};

static enum sl_err give(struct sl_arena *arena, const struct sl_field *form, const void *value,
                        struct sl_aggregate_value *out)
{
    void *copy = sl_arena_take(arena, form->size);

    if (!copy)
        return SL_NO_MEMORY;
    memcpy(copy, value, form->size);
    *out = (struct sl_aggregate_value){form, copy};
    return SL_OK;
}

static bool fits(const struct sl_sqlite_tally *tally, enum sl_kind kind)
{
    if (tally->overflows)
        return false;
    if (sl_kind_is_unsigned(kind))
        return tally->whole <= UINT64_MAX; /* and not below zero: none of the values is */
    return kind == SL_U128 || (tally->whole >= INT64_MIN && tally->whole <= INT64_MAX);
}

static enum sl_err end_sum(const struct sl_sqlite_tally *tally, const struct sl_field *field,
                           struct sl_arena *arena, struct sl_aggregate_value *out,
                           enum sl_aggregate_refusal *out_refusal)
{
    const int64_t whole = (int64_t)tally->whole;

    if (field->kind == SL_DOUBLE)
        return give(arena, &double_form, &tally->number, out);
    if (tally->mixes || !fits(tally, field->kind)) {
        *out_refusal = tally->mixes ? SL_AGGREGATE_CURRENCIES : SL_AGGREGATE_OVERFLOW;
        return SL_OK;
    }
    switch (field->kind) {
    case SL_U128:
        return give(arena, &wide_form, &tally->unsigned_whole, out);
    case SL_DECIMAL: {
        const struct sl_decimal decimal = {whole, tally->scale};
        return give(arena, &decimal_form, &decimal, out);
    }
    case SL_MONEY: {
        struct sl_money money = {.minor = whole};
        memcpy(money.currency, tally->currency, sizeof money.currency);
        return give(arena, &money_form, &money, out);
    }
    default: {
        const uint64_t bits = (uint64_t)tally->whole;
        return give(arena, sl_kind_is_signed(field->kind) ? &signed_form : &unsigned_form, &bits,
                    out);
    }
    }
}

static enum sl_err end_average(const struct sl_sqlite_tally *tally, const struct sl_field *field,
                               struct sl_arena *arena, struct sl_aggregate_value *out,
                               enum sl_aggregate_refusal *out_refusal)
{
    long double sum = field->kind == SL_DOUBLE ? (long double)tally->number
                      : field->kind == SL_U128 ? (long double)tally->unsigned_whole
                                               : (long double)tally->whole;

    if (tally->overflows) {
        *out_refusal = SL_AGGREGATE_OVERFLOW;
        return SL_OK;
    }
    for (uint8_t i = 0; i < tally->scale; i++)
        sum /= 10;
    const double average = (double)(sum / (long double)tally->count);
    return give(arena, &double_form, &average, out);
}

enum sl_err sl_sqlite_tally_end(const struct sl_sqlite_tally *tally,
                                const struct sl_aggregate_item *aggregate, struct sl_arena *arena,
                                struct sl_aggregate_value *out,
                                enum sl_aggregate_refusal *out_refusal)
{
    if (aggregate->kind == SL_AGGREGATE_COUNT)
        return give(arena, &unsigned_form, &tally->count, out);
    *out = (struct sl_aggregate_value){aggregate->field, NULL};
    if (tally->count == 0)
        return SL_OK;
    if (aggregate->kind == SL_AGGREGATE_SUM)
        return end_sum(tally, aggregate->field, arena, out, out_refusal);
    if (aggregate->kind == SL_AGGREGATE_AVG)
        return end_average(tally, aggregate->field, arena, out, out_refusal);
    out->value = tally->kept;
    return SL_OK;
}
