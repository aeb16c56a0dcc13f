/* Packed answers. Private to http*.c. */
#ifndef SL_NET_HTTP_GZIP_H
#define SL_NET_HTTP_GZIP_H

#include "net/conn.h"

enum { GZIP_HERE_MAX = 8 << 10 }; /* larger bodies are the packer's */

/* Does its Accept-Encoding prefer gzip to no coding, or like it as much? */
bool sl_http_takes_gzip(const struct sl_request *request);
/* Is such an answer one that is packed for those who take it? */
bool sl_http_may_gzip(int status, const char *content_type, size_t body_bytes);

/* What packs, on one thread; made where `*at` is NULL. */
struct gzip;
/* Packs the body and says so in the headers; both then lie in its memory until the next call.
 * False: it would not get smaller, or memory is out; nothing was changed. */
bool sl_http_gzip(struct gzip **at, struct sl_text *headers, struct sl_text *body);
/* Where the last body that was packed lies; who takes it leaves an empty one. */
struct sl_buf *sl_http_gzip_out(struct gzip *gzip);
/* The headers of an answer that others would get packed. */
struct sl_text sl_http_vary(struct gzip **at, struct sl_text headers);
void sl_http_free_gzip(struct gzip *gzip); /* NULL is allowed */

#endif
