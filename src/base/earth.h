/*
 * Places on the earth, taken for a sphere of its mean radius: distances are off by 0.5 % at most.
 *
 * Cells: the rectangle of all longitudes and latitudes, cut in four LEVELS times. A cell of level n
 * is the range [first, first + 4^(31 - n)) of numbers of smallest cells (2 cm), so that an index of
 * integers finds all that lies in it. Neighbours in the world need not be neighbours in the
 * numbers, and poles and the 180th meridian are edges like others: who searches asks how far cells
 * are.
 */
#ifndef SL_BASE_EARTH_H
#define SL_BASE_EARTH_H

#include <stdbool.h>
#include <stdint.h>

#define SL_EARTH_LEVELS 31u
#define SL_EARTH_RADIUS 6371008.8 /* metres */

/* Degrees: latitude from -90 (south) to 90, longitude from -180 (west) to 180. */
struct sl_spot {
    double lat, lon;
};

/* Are both within their bounds, and numbers? */
bool sl_spot_is_valid(struct sl_spot spot);

/* Metres along the surface, by haversine, exact to a millimetre also for antipodes. */
double sl_earth_metres(struct sl_spot a, struct sl_spot b);

/* The smallest cell in which a valid spot lies: 0 to 4^31 - 1. */
int64_t sl_earth_cell(struct sl_spot spot);

/* The last smallest cell of the cell of this level that begins with `first`. */
int64_t sl_earth_cell_last(int64_t first, unsigned level);

/* Not more than the distance from the spot to any place in the cell, and less than that of the
 * nearest by 2 mm at most. */
double sl_earth_cell_metres(int64_t first, unsigned level, struct sl_spot spot);

#endif
