/* The pages that are embedded in the program; web/embed.py makes the table at build time. */
#ifndef SL_WEB_ASSETS_H
#define SL_WEB_ASSETS_H

#include "api/asset.h"

/* Sorted by path; lives as long as the program, may be read by any thread. */
extern const struct sl_asset sl_assets[];
extern const size_t sl_asset_count;

#endif
