#include <limits.h>

#include "record/kinds.h"
#include "record/value.h"
#include "tap/tap.h"

/* Texts of values, lowest first. */
struct row {
    const char *name;
    struct sl_field field;
    const char *values[6];
};

static const char *const states[] = {"open", "closed", "half-open", NULL};

static const struct row rows[] = {
    {"numbers below zero",
     {.name = "i64", .kind = SL_I64, .size = 8},
     {"-9223372036854775808", "-2", "-1", "0", "9223372036854775807"}},
    {"small numbers", {.name = "i8", .kind = SL_I8, .size = 1}, {"-128", "-1", "0", "127"}},
    {"numbers from 2^63 on",
     {.name = "u64", .kind = SL_U64, .size = 8},
     {"0", "9223372036854775807", "9223372036854775808", "18446744073709551615"}},
    {"128 bits",
     {.name = "u128", .kind = SL_U128, .size = 16},
     {"0", "18446744073709551615", "18446744073709551616",
      "340282366920938463463374607431768211455"}},
    {"texts by bytes",
     {.name = "text", .kind = SL_TEXT_KIND, .size = sizeof(struct sl_text)},
     {"", "A", "AB", "B", "a", "\xc3\xa4"}},
    {"chars by bytes", {.name = "code", .kind = SL_CHARS, .size = 8}, {"", "A", "AB", "a"}},
    {"dates",
     {.name = "day", .kind = SL_DATE, .size = 4},
     {"0001-01-01", "1969-12-31", "1970-01-01", "2026-11-23"}},
    {"times",
     {.name = "at", .kind = SL_TIME, .size = 8},
     {"1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.5Z",
      "2026-11-23T00:00:00Z"}},
    {"UUIDs",
     {.name = "id", .kind = SL_UUID, .size = 16},
     {"00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-0000000000ff",
      "ff000000-0000-0000-0000-000000000000"}},
    {"decimals by value",
     {.name = "price", .kind = SL_DECIMAL, .size = sizeof(struct sl_decimal)},
     {"-10", "-1.5", "0.5", "1.25", "1.5", "20"}},
    {"doubles", {.name = "speed", .kind = SL_DOUBLE, .size = 8}, {"-1e9", "-0.5", "0", "2.5"}},
    {"false before true", {.name = "flag", .kind = SL_BOOL, .size = 1}, {"false", "true"}},
    {"names by bytes, not by number",
     {.name = "state", .kind = SL_U8, .size = 1, .names = states},
     {"closed", "half-open", "open"}},
};

static void values_are_in_order(void)
{
    struct sl_arena arena = {0};

    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        _Alignas(16) uint8_t values[6][16] = {{0}};
        size_t count = 0;

        for (; count < 6 && rows[r].values[count]; count++)
            REQUIRE(sl_value_read(
                &rows[r].field,
                (struct sl_text){rows[r].values[count], strlen(rows[r].values[count])}, &arena,
                values[count]));
        CHECK(count > 1);
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < count; j++) {
                const int order = sl_value_compare(&rows[r].field, values[i], values[j]);
                if (!CHECK((order < 0) == (i < j) && (order > 0) == (i > j)))
                    tap_note("%s: %s and %s: %d", rows[r].name, rows[r].values[i],
                             rows[r].values[j], order);
            }
    }
    sl_arena_close(&arena);
}

static void decimals_are_equal_by_value(void)
{
    const struct sl_field field = {.kind = SL_DECIMAL, .size = sizeof(struct sl_decimal)};

    CHECK(sl_value_compare(&field, &(struct sl_decimal){15, 1}, &(struct sl_decimal){150, 2}) == 0);
}

static void a_number_without_a_name_stands_as_its_digits(void)
{
    const struct sl_field field = {.kind = SL_U8, .size = 1, .names = states};

    CHECK(sl_value_compare(&field, &(uint8_t){7}, &(uint8_t){1}) < 0);
    CHECK(sl_value_compare(&field, &(uint8_t){1}, &(uint8_t){7}) > 0);
    CHECK(sl_value_compare(&field, &(uint8_t){7}, &(uint8_t){10}) > 0);
}

int main(void)
{
    return TAP_RUN({"values of each kind are in order", values_are_in_order},
                   {"decimals are equal by value", decimals_are_equal_by_value},
                   {"a number without a name stands as its digits",
                    a_number_without_a_name_stands_as_its_digits});
}
