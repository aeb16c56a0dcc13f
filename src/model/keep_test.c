#include "model/keep.h"

#include "tap/tap.h"

static void spans_are_read(void)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } table[] = {
        {"0s", 0},      {"90d", 90 * 86400}, {"12h", 43200}, {"30m", 1800},
        {"45s", 45},    {"106751d", INT64_C(106751) * 86400}, {"106752d", -1},
        {"", -1},       {"d", -1},           {"90", -1},     {"90 d", -1},
        {"-1d", -1},    {"1w", -1},          {"1dd", -1},    {"99999999999999999999s", -1},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t ns = -1;
        tap_note("'%s'", table[i].text);
        const bool good = sl_keep_read(table[i].text, &ns);
        CHECK(good == (table[i].seconds >= 0));
        if (good)
            CHECK(ns == table[i].seconds * INT64_C(1000000000));
    }
}

int main(void)
{
    return TAP_RUN({"spans are read", spans_are_read});
}
