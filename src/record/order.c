/* The order of single values, which is that of lists and their ranges. */
#include "record/kinds.h"
#include "record/value.h"

static int compare_texts(struct sl_text a, struct sl_text b)
{
    const size_t shared = a.len < b.len ? a.len : b.len;
    const int order = shared > 0 ? memcmp(a.ptr, b.ptr, shared) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* A name, or the digits of a number that the program knows no name for: what a store keeps. */
static struct sl_text name_of(const struct sl_field *field, const void *value, struct sl_buf *room)
{
    const char *name = sl_enum_name(field, value);

    if (name)
        return (struct sl_text){name, strlen(name)};
    sl_value_write(room, field, value);
    return sl_buf_as_text(room);
}

static int compare_names(const struct sl_field *field, const void *a, const void *b)
{
    uint8_t first[24], second[24];
    struct sl_buf left = {.ptr = first, .capacity = sizeof first, .bytes_max = sizeof first};
    struct sl_buf right = {.ptr = second, .capacity = sizeof second, .bytes_max = sizeof second};

    return compare_texts(name_of(field, a, &left), name_of(field, b, &right));
}

static double decimal_of(const void *value)
{
    const struct sl_decimal *decimal = value;
    double power = 1;

    for (unsigned i = 0; i < decimal->scale; i++)
        power *= 10;
    return (double)decimal->unscaled / power;
}

static int compare_signed(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_doubles(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_wide(const void *a, const void *b)
{
    sl_u128 left, right;

    memcpy(&left, a, sizeof left);
    memcpy(&right, b, sizeof right);
    return (left > right) - (left < right);
}

int sl_value_compare(const struct sl_field *field, const void *a, const void *b)
{
    if (field->names)
        return compare_names(field, a, b);
    switch (field->kind) {
    case SL_TEXT_KIND:
        return compare_texts(*(const struct sl_text *)a, *(const struct sl_text *)b);
    case SL_CHARS:
        return compare_texts(sl_chars_text(field, a), sl_chars_text(field, b));
    case SL_UUID:
        return memcmp(a, b, sizeof(struct sl_uuid));
    case SL_DATE:
        return compare_signed(((const struct sl_date *)a)->days, ((const struct sl_date *)b)->days);
    case SL_TIME:
        return compare_signed(((const struct sl_time *)a)->ns, ((const struct sl_time *)b)->ns);
    case SL_U128:
        return compare_wide(a, b);
    case SL_DECIMAL:
        return compare_doubles(decimal_of(a), decimal_of(b));
    case SL_DOUBLE:
        return compare_doubles(*(const double *)a, *(const double *)b);
    case SL_BOOL:
        return compare_signed(*(const bool *)a, *(const bool *)b);
    default:
        break;
    }
    if (sl_kind_is_signed(field->kind))
        return compare_signed(sl_load_signed(field->kind, a), sl_load_signed(field->kind, b));
    const uint64_t left = sl_load_unsigned(field->kind, a),
                   right = sl_load_unsigned(field->kind, b);
    return (left > right) - (left < right);
}
