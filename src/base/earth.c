#include "base/earth.h"

#include <math.h>

#define RADIANS 0.017453292519943295 /* of a degree */
#define CELLS (1u << SL_EARTH_LEVELS)
#define SLACK 0.001 /* metres: more than rounding can move an edge by */

bool sl_spot_is_valid(struct sl_spot spot)
{
    return spot.lat >= -90 && spot.lat <= 90 && spot.lon >= -180 && spot.lon <= 180;
}

/* Radians. The haversine loses its digits near the antipode, that of the antipode near the spot:
 * each is used where the other does not say enough. `turn` is the difference of the longitudes. */
static double angle(double a, double b, double turn)
{
    const double both = cos(a) * cos(b);
    const double minus = sin((a - b) / 2), plus = sin((a + b) / 2);
    const double east = sin(turn / 2), west = cos(turn / 2);

    return 2 *
           atan2(sqrt(minus * minus + both * east * east), sqrt(plus * plus + both * west * west));
}

double sl_earth_metres(struct sl_spot a, struct sl_spot b)
{
    return SL_EARTH_RADIUS * angle(a.lat * RADIANS, b.lat * RADIANS, (a.lon - b.lon) * RADIANS);
}

/* ---- Cells ----------------------------------------------------------------------------------- */

static uint32_t slot_of(double part)
{
    const double slot = floor(part * CELLS);

    return slot >= CELLS ? CELLS - 1 : (uint32_t)slot;
}

/* Moves bit i to bit 2i. */
static uint64_t spread(uint64_t bits)
{
    bits = (bits | bits << 16) & 0x0000ffff0000ffff;
    bits = (bits | bits << 8) & 0x00ff00ff00ff00ff;
    bits = (bits | bits << 4) & 0x0f0f0f0f0f0f0f0f;
    bits = (bits | bits << 2) & 0x3333333333333333;
    return (bits | bits << 1) & 0x5555555555555555;
}

static uint32_t gather(uint64_t bits)
{
    bits &= 0x5555555555555555;
    bits = (bits | bits >> 1) & 0x3333333333333333;
    bits = (bits | bits >> 2) & 0x0f0f0f0f0f0f0f0f;
    bits = (bits | bits >> 4) & 0x00ff00ff00ff00ff;
    bits = (bits | bits >> 8) & 0x0000ffff0000ffff;
    return (uint32_t)(bits | bits >> 16);
}

int64_t sl_earth_cell(struct sl_spot spot)
{
    return (int64_t)(spread(slot_of((spot.lat + 90) / 180)) << 1 |
                     spread(slot_of((spot.lon + 180) / 360)));
}

int64_t sl_earth_cell_last(int64_t first, unsigned level)
{
    return first + ((INT64_C(1) << 2 * (SL_EARTH_LEVELS - level)) - 1);
}

/* The nearest of a meridian's stretch from `south` to `north`, all in radians. On the great circle
 * of the meridian the distance grows to both sides of one place, which may lie on its other half.
 */
static double meridian_angle(double lat, double south, double north, double turn)
{
    const double foot = atan2(sin(lat), cos(lat) * cos(turn));

    if (foot >= south && foot <= north)
        return angle(lat, foot, turn);
    return fmin(angle(lat, south, turn), angle(lat, north, turn));
}

double sl_earth_cell_metres(int64_t first, unsigned level, struct sl_spot spot)
{
    const double side = 1.0 / (double)(1u << level);
    const double y = (double)gather((uint64_t)first >> 1) / CELLS;
    const double x = (double)gather((uint64_t)first) / CELLS;
    const double south = (y * 180 - 90) * RADIANS, north = ((y + side) * 180 - 90) * RADIANS;
    const double west = x * 360 - 180, east = (x + side) * 360 - 180;
    const double lat = spot.lat * RADIANS;
    double near;

    if (spot.lon >= west && spot.lon <= east) {
        near = lat < south ? south - lat : lat > north ? lat - north : 0;
    } else {
        /* At any latitude the nearer edge is nearer than all between the edges. */
        const double to_west = fabs(remainder(spot.lon - west, 360));
        const double to_east = fabs(remainder(spot.lon - east, 360));
        near = meridian_angle(lat, south, north, fmin(to_west, to_east) * RADIANS);
    }
    return fmax(0, near * SL_EARTH_RADIUS - SLACK);
}
