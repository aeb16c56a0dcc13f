/* A file of the pages, embedded in the program. Tables of it are made at build time (web/). */
#ifndef SL_API_ASSET_H
#define SL_API_ASSET_H

#include <stddef.h>
#include <stdint.h>

struct sl_asset {
    const char *path; /* below /ui/: "index.html", "app/bank.js" */
    const char *content_type;
    const char *etag; /* quoted, as the header has it */
    const uint8_t *bytes;
    size_t len;
};

#endif
