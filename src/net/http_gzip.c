/*
 * gzip for answers (RFC 9110, 8.4.1.3 and 12.5.3), where the peer takes it and it is worth it.
 *
 * Only texts are packed, only from GZIP_BYTES_MIN on, where the head is no longer most of it, and
 * only up to GZIP_BYTES_MAX, which bounds what the packer works for one answer; above GZIP_HERE_MAX
 * it is the packer who does it, a thread of its own, because everybody waits while the loop packs.
 * Fastest level: the step from nothing to it saves more than all further ones. Streams are not
 * packed: an event has to leave when it happens.
 *
 * What may come packed or not says so (Vary), also when it comes as it is; and a strong ETag, which
 * promises the same bytes, becomes a weak one, which promises the same content.
 */
#include "net/http_gzip.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum { GZIP_BYTES_MIN = 1024, GZIP_BYTES_MAX = 4 << 20, GZIP_FORMAT = 16, LEVEL = 1 };

/* ---- What the peer takes ------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct sl_text trim(struct sl_text text)
{
    while (text.len > 0 && is_space(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* Takes the part before the next `mark` off the text. */
static struct sl_text cut(struct sl_text *text, char mark)
{
    const char *stop = text->len > 0 ? memchr(text->ptr, mark, text->len) : NULL;
    const struct sl_text part = {text->ptr, stop ? (size_t)(stop - text->ptr) : text->len};
    const size_t used = part.len + (stop != NULL);

    text->ptr += used;
    text->len -= used;
    return trim(part);
}

/* A weight in thousandths: "0.5" is 500. What is none counts as 0, so that a mistake gets what
 * everybody can read. */
static int read_weight(struct sl_text text)
{
    int weight = 0, unit = 1000;

    if (text.len == 0 || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1'))
        return 0;
    weight = (text.ptr[0] - '0') * unit;
    if (text.len > 1 && text.ptr[1] != '.')
        return 0;
    for (size_t i = 2; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return 0;
        unit /= 10;
        weight += (text.ptr[i] - '0') * unit;
    }
    return weight <= 1000 ? weight : 0;
}

static bool is_word(struct sl_text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

struct weights {
    int gzip, identity, others; /* -1: not spoken of */
};

static void take_coding(struct weights *weights, struct sl_text item)
{
    const struct sl_text coding = cut(&item, ';');
    int weight = 1000;

    while (item.len > 0) {
        struct sl_text parameter = cut(&item, ';');
        const struct sl_text name = cut(&parameter, '=');
        if (is_word(name, "q"))
            weight = read_weight(trim(parameter));
    }
    if (is_word(coding, "gzip") || is_word(coding, "x-gzip"))
        weights->gzip = weight;
    else if (is_word(coding, "identity"))
        weights->identity = weight;
    else if (is_word(coding, "*"))
        weights->others = weight;
}

bool sl_http_takes_gzip(const struct sl_request *request)
{
    const struct sl_text name = SL_TEXT("accept-encoding");
    struct weights weights = {-1, -1, -1};

    for (uint32_t i = 0; i < request->header_count; i++) {
        struct sl_text value = request->headers[i].value;
        while (sl_text_equals(request->headers[i].name, name) && value.len > 0)
            take_coding(&weights, cut(&value, ','));
    }
    const int gzip = weights.gzip >= 0 ? weights.gzip : weights.others;
    return gzip > 0 && gzip >= weights.identity;
}

/* ---- What is worth it ---------------------------------------------------------------------- */

static bool is_text(const char *content_type)
{
    static const char *const types[] = {
        "application/json", "application/problem+json", "text/html",    "text/plain", "text/css",
        "text/javascript",  "application/javascript",   "image/svg+xml"};

    for (size_t i = 0; content_type && i < sizeof types / sizeof *types; i++) {
        const size_t len = strlen(types[i]);
        if (strncmp(content_type, types[i], len) == 0 &&
            (content_type[len] == '\0' || content_type[len] == ';'))
            return true;
    }
    return false;
}

bool sl_http_may_gzip(int status, const char *content_type, size_t body_bytes)
{
    return body_bytes >= GZIP_BYTES_MIN && body_bytes <= GZIP_BYTES_MAX && status != 204 &&
           status != 304 && is_text(content_type);
}

/* ---- Packing ------------------------------------------------------------------------------- */

struct gzip {
    z_stream stream;
    bool ready; /* the stream is: it takes a quarter of a megabyte, and is made when it is needed */
    struct sl_buf out;
    struct sl_buf headers;
};

static struct gzip *memory(struct gzip **at)
{
    if (!*at)
        *at = calloc(1, sizeof **at);
    if (*at)
        sl_buf_reset(&(*at)->headers);
    return *at;
}

static bool make_ready(struct gzip *gzip)
{
    if (gzip->ready)
        return deflateReset(&gzip->stream) == Z_OK;
    gzip->ready = deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, MAX_WBITS + GZIP_FORMAT,
                               MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
    return gzip->ready;
}

void sl_http_free_gzip(struct gzip *gzip)
{
    if (!gzip)
        return;
    if (gzip->ready)
        deflateEnd(&gzip->stream);
    sl_buf_close(&gzip->out);
    sl_buf_close(&gzip->headers);
    free(gzip);
}

/* The lines, with each strong ETag made weak. */
static void copy_headers(struct sl_buf *out, struct sl_text lines)
{
    const char *p = lines.ptr, *const end = lines.len > 0 ? p + lines.len : p;

    while (p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        const size_t len = stop ? (size_t)(stop - p) + 1 : (size_t)(end - p);
        const struct sl_text etag = SL_TEXT("ETag: ");
        if (len > etag.len && strncasecmp(p, etag.ptr, etag.len) == 0 && p[etag.len] == '"') {
            SL_BUF_LITERAL(out, "ETag: W/");
            sl_buf_append(out, p + etag.len, len - etag.len);
        } else {
            sl_buf_append(out, p, len);
        }
        p += len;
    }
}

bool sl_http_gzip(struct gzip **at, struct sl_text *headers, struct sl_text *body)
{
    struct gzip *gzip = memory(at);

    if (!gzip || !make_ready(gzip))
        return false;
    sl_buf_reset(&gzip->out);
    /* A few bytes less than there were: what does not get smaller stays as it is. */
    uint8_t *room = sl_buf_reserve(&gzip->out, body->len);
    if (!room)
        return false;
    gzip->stream.next_in = (Bytef *)(uintptr_t)body->ptr;
    gzip->stream.avail_in = (uInt)body->len;
    gzip->stream.next_out = room;
    gzip->stream.avail_out = (uInt)(body->len - body->len / 16);
    if (deflate(&gzip->stream, Z_FINISH) != Z_STREAM_END)
        return false;
    gzip->out.len = gzip->stream.total_out;
    copy_headers(&gzip->headers, *headers);
    SL_BUF_LITERAL(&gzip->headers, "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n");
    if (gzip->headers.failed)
        return false;
    *headers = sl_buf_as_text(&gzip->headers);
    *body = sl_buf_as_text(&gzip->out);
    return true;
}

struct sl_buf *sl_http_gzip_out(struct gzip *gzip)
{
    return &gzip->out;
}

struct sl_text sl_http_vary(struct gzip **at, struct sl_text headers)
{
    struct gzip *gzip = memory(at);

    if (!gzip)
        return headers;
    sl_buf_text(&gzip->headers, headers);
    SL_BUF_LITERAL(&gzip->headers, "Vary: Accept-Encoding\r\n");
    return gzip->headers.failed ? headers : sl_buf_as_text(&gzip->headers);
}
