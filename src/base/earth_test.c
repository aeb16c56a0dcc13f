#include "base/earth.h"

#include <math.h>
#include <stdlib.h>

#include "tap/tap.h"

static uint64_t seed = 11;

static double any(double low, double high)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (double)(seed >> 11) / 9007199254740992.0;
}

static void distances(void)
{
    static const struct {
        struct sl_spot a, b;
        double metres;
    } table[] = {
        {{0, 0}, {0, 0}, 0},
        {{0, 0}, {0, 1}, 111195.080},
        {{0, 179.5}, {0, -179.5}, 111195.080},
        {{90, 0}, {90, 123}, 0},
        {{89, 0}, {89, 180}, 222390.160},
        {{0, 0}, {0, 180}, 20015114.442},
        {{12, 34}, {-12, -146}, 20015114.442},
        {{12, 34}, {-12, -145.99999}, 20015113.355},
        {{52.5163, 13.3777}, {48.8584, 2.2945}, 879087.675},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const double metres = sl_earth_metres(table[i].a, table[i].b);
        if (!CHECK(fabs(metres - table[i].metres) < 0.01))
            tap_note("row %zu: %.3f", i, metres);
        CHECK(fabs(metres - sl_earth_metres(table[i].b, table[i].a)) < 1e-6);
    }
}

static void bounds(void)
{
    CHECK(sl_spot_is_valid((struct sl_spot){90, 180}) &&
          sl_spot_is_valid((struct sl_spot){-90, -180}));
    CHECK(!sl_spot_is_valid((struct sl_spot){90.001, 0}));
    CHECK(!sl_spot_is_valid((struct sl_spot){0, -180.001}));
    CHECK(!sl_spot_is_valid((struct sl_spot){NAN, 0}) &&
          !sl_spot_is_valid((struct sl_spot){0, NAN}));
    CHECK(sl_earth_cell((struct sl_spot){-90, -180}) == 0);
    CHECK(sl_earth_cell((struct sl_spot){90, 180}) == sl_earth_cell_last(0, 0));
}

/* No place of a cell is nearer than the cell, and one is as near. */
static void cells_are_as_far_as_their_nearest_place(void)
{
    for (int round = 0; round < 3000; round++) {
        const struct sl_spot from = {any(-90, 90), any(-180, 180)};
        const struct sl_spot in = {any(-90, 90), any(-180, 180)};
        const unsigned level = 1 + (unsigned)any(0, 12);
        const int64_t size = sl_earth_cell_last(0, level) + 1;
        const int64_t first = sl_earth_cell(in) / size * size;
        const double bound = sl_earth_cell_metres(first, level, from);
        const double height = 180.0 / (1u << level), width = 2 * height;
        const double south = floor((in.lat + 90) / height) * height - 90;
        const double west = floor((in.lon + 180) / width) * width - 180;
        double nearest = INFINITY;

        CHECK(in.lat >= south && in.lat <= south + height);
        for (int i = 0; i <= 40; i++)
            for (int j = 0; j <= 40; j++)
                nearest =
                    fmin(nearest, sl_earth_metres(from, (struct sl_spot){south + height * i / 40,
                                                                         west + width * j / 40}));
        /* The nearest lies within one step of the grid. */
        const double step = height / 40 * 111195.1;
        if (!CHECK(bound <= nearest && bound >= nearest - 3 * step)) {
            tap_note("level %u, %f %f: %f, not %f", level, from.lat, from.lon, bound, nearest);
            return;
        }
    }
}

int main(void)
{
    return TAP_RUN(
        {"distances", distances}, {"bounds", bounds},
        {"cells are as far as their nearest place", cells_are_as_far_as_their_nearest_place});
}
