/* Answers: heads made of ready pieces, the Date of this second, problems as JSON. */
#include "net/h2.h"
#include "net/http_gzip.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define STATUS(number, title)                                             \
    {                                                                     \
        number, SL_TEXT_INIT("HTTP/1.1 " #number " " title "\r\n"), title \
    }

static const struct status {
    int number;
    struct sl_text line;
    const char *title;
} statuses[] = {
    STATUS(200, "OK"),
    STATUS(201, "Created"),
    STATUS(202, "Accepted"),
    STATUS(204, "No Content"),
    STATUS(303, "See Other"),
    STATUS(304, "Not Modified"),
    STATUS(308, "Permanent Redirect"),
    STATUS(400, "Bad Request"),
    STATUS(401, "Unauthorized"),
    STATUS(403, "Forbidden"),
    STATUS(404, "Not Found"),
    STATUS(405, "Method Not Allowed"),
    STATUS(406, "Not Acceptable"),
    STATUS(408, "Request Timeout"),
    STATUS(409, "Conflict"),
    STATUS(410, "Gone"),
    STATUS(411, "Length Required"),
    STATUS(412, "Precondition Failed"),
    STATUS(413, "Content Too Large"),
    STATUS(414, "URI Too Long"),
    STATUS(415, "Unsupported Media Type"),
    STATUS(417, "Expectation Failed"),
    STATUS(421, "Misdirected Request"),
    STATUS(422, "Unprocessable Content"),
    STATUS(426, "Upgrade Required"),
    STATUS(428, "Precondition Required"),
    STATUS(429, "Too Many Requests"),
    STATUS(431, "Request Header Fields Too Large"),
    STATUS(500, "Internal Server Error"),
    STATUS(501, "Not Implemented"),
    STATUS(502, "Bad Gateway"),
    STATUS(503, "Service Unavailable"),
    STATUS(504, "Gateway Timeout"),
    STATUS(505, "HTTP Version Not Supported"),
    STATUS(507, "Insufficient Storage"),
};

static const struct status *find_status(int number)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i].number == number)
            return &statuses[i];
    return NULL;
}

/* "Date: Mon, 23 Nov 2026 04:31:00 GMT\r\n", written anew when the second has changed; the clock is
 * asked once a turn. */
const char *sl_http_date(struct sl_net *net)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const int64_t now_ns = sl_net_now(net);
    struct tm tm;

    if (net->date_turn_ns == now_ns)
        return net->date;
    net->date_turn_ns = now_ns;
    const time_t second = (time_t)(sl_env_now(net->options.env).ns / 1000000000);
    if (second == net->date_second || !gmtime_r(&second, &tm))
        return net->date;
    net->date_second = second;
    snprintf(net->date, sizeof net->date, "Date: %.3s, %02u %.3s %04u %02u:%02u:%02u GMT\r\n",
             days + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100U, months + 3 * tm.tm_mon,
             ((unsigned)tm.tm_year + 1900U) % 10000U, (unsigned)tm.tm_hour % 100U,
             (unsigned)tm.tm_min % 100U, (unsigned)tm.tm_sec % 100U);
    return net->date;
}

static uint8_t *put(uint8_t *p, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(p, bytes, len);
    return p + len;
}

#define PUT(p, literal) put((p), "" literal, sizeof(literal) - 1)

static uint8_t *put_number(uint8_t *p, size_t value)
{
    uint8_t digits[20];
    size_t first = sizeof digits;

    do {
        digits[--first] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return put(p, digits + first, sizeof digits - first);
}

static uint8_t *put_status(uint8_t *p, int number)
{
    const struct status *status = find_status(number);

    if (status)
        return put(p, status->line.ptr, status->line.len);
    p = PUT(p, "HTTP/1.1 ");
    p = put_number(p, (size_t)number);
    return PUT(p, " \r\n");
}

/* Says the answer that the connection ends behind it? Only the last one may while stopping. */
static bool stays_open(const struct http_request *r)
{
    const struct http_conn *http = r->http;

    return r->keep_alive && !(http->conn.net->stopping && !r->next && !http->arriving);
}

void sl_http_write_head(struct http_request *r, struct sl_buf *out, int status,
                        const char *content_type, struct sl_text headers, size_t body_bytes,
                        struct sl_text body)
{
    enum { FIXED = 256 }; /* more than all the pieces of known length */
    const size_t type_len = content_type ? strlen(content_type) : 0;
    uint8_t *const room = sl_buf_reserve(out, FIXED + type_len + headers.len + body.len);
    const bool open = stays_open(r);
    uint8_t *p = room;

    if (!p)
        return;
    p = put_status(p, status);
    p = put(p, sl_http_date(r->http->conn.net), 37);
    if (content_type) {
        p = PUT(p, "Content-Type: ");
        p = put(p, content_type, type_len);
        p = PUT(p, "\r\n");
    }
    /* 204 and 304 have no body, and so no length (RFC 9110, 8.6); a stream ends with the
     * connection. */
    if (status != 204 && status != 304 && body_bytes != SIZE_MAX) {
        p = PUT(p, "Content-Length: ");
        p = put_number(p, body_bytes);
        p = PUT(p, "\r\n");
    }
    if (!open)
        p = PUT(p, "Connection: close\r\n");
    else if (r->http_1_0)
        p = PUT(p, "Connection: keep-alive\r\n");
    p = put(p, headers.ptr, headers.len);
    p = PUT(p, "\r\n");
    p = put(p, body.ptr, body.len);
    out->len += (size_t)(p - room);
}

void sl_http_send(struct http_request *r, int status, const char *content_type,
                  struct sl_text headers, struct sl_text body, struct sl_buf *owned)
{
    const struct sl_text none = {NULL, 0};
    const bool bodiless = r->request.method == SL_HEAD || status == 204 || status == 304;
    const bool large = !bodiless && body.len > PIECE_BYTES;

    if (r->http->h2) {
        sl_h2_answer(r, status, content_type, headers, body, bodiless ? NULL : owned, bodiless);
    } else if (!r->http->conn.closed) {
        sl_http_write_head(r, sl_http_out(r), status, content_type, headers, body.len,
                           bodiless || large ? none : body);
        if (large)
            sl_http_keep_rest(r, body, owned);
    }
    sl_http_done(r);
}

static void answer(struct http_request *r, int status, const char *content_type,
                   struct sl_text headers, struct sl_text body, struct sl_buf *owned)
{
    struct sl_net *net = r->http->conn.net;

    SL_ASSERT(!r->answered && !r->is_stream && !r->packing);
    SL_ASSERT(status >= 200 && status <= 599);
    if (sl_http_may_gzip(status, content_type, body.len) && !r->http->conn.closed) {
        const bool takes = sl_http_takes_gzip(&r->request), here = body.len <= GZIP_HERE_MAX;
        if (takes && !here && sl_http_pack(r, status, content_type, headers, body, owned))
            return;
        if (!takes || !here || !sl_http_gzip(&net->gzip, &headers, &body))
            headers = sl_http_vary(&net->gzip, headers);
        else
            owned = NULL; /* what leaves lies elsewhere */
    }
    sl_http_send(r, status, content_type, headers, body, owned);
}

void sl_request_answer(struct sl_request *request, int status, const char *content_type,
                       struct sl_text headers, struct sl_text body)
{
    answer((struct http_request *)request, status, content_type, headers, body, NULL);
}

void sl_request_answer_buf(struct sl_request *request, int status, const char *content_type,
                           struct sl_text headers, struct sl_buf *body)
{
    struct sl_buf owned = *body; /* which may lie in the request's memory */

    *body = (struct sl_buf){.bytes_max = owned.bytes_max};
    answer((struct http_request *)request, status, content_type, headers, sl_buf_as_text(&owned),
           &owned);
    sl_buf_close(&owned);
}

void sl_http_answer_fault(struct http_request *r, const struct sl_http_fault *fault)
{
    const struct status *status = find_status(fault->status);
    char body[320];

    /* RFC 9457. All of it are literals of ours: nothing to escape. */
    const int len = snprintf(
        body, sizeof body,
        "{\"type\":\"/errors/%s\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\","
        "\"rule\":\"%s\"}",
        fault->rule, status ? status->title : "Error", fault->status, fault->detail, fault->rule);
    answer(r, fault->status, "application/problem+json", (struct sl_text){NULL, 0},
           (struct sl_text){body, (size_t)len}, NULL);
}

/* ---- Looking into requests ------------------------------------------------------------------ */

struct sl_text sl_request_header(const struct sl_request *request, const char *name)
{
    const struct sl_text wanted = {name, strlen(name)};

    for (uint32_t i = 0; i < request->header_count; i++)
        if (sl_text_equals(request->headers[i].name, wanted))
            return request->headers[i].value;
    return (struct sl_text){NULL, 0};
}

static struct sl_text decode(const struct sl_request *request, struct sl_text raw, bool plus)
{
    if (raw.len == 0 ||
        (!memchr(raw.ptr, '%', raw.len) && (!plus || !memchr(raw.ptr, '+', raw.len))))
        return raw;
    char *out = sl_arena_take(request->arena, raw.len);
    if (!out)
        return (struct sl_text){NULL, 0};
    return (struct sl_text){out, sl_http_decode(raw, plus, out)};
}

struct sl_text sl_request_decode(const struct sl_request *request, struct sl_text raw)
{
    return decode(request, raw.ptr ? raw : SL_TEXT(""), false);
}

struct sl_text sl_request_query(const struct sl_request *request, const char *name)
{
    const struct sl_text wanted = {name, strlen(name)};
    const char *p = request->query.ptr, *const end = p ? p + request->query.len : NULL;

    while (p && p < end) {
        const char *stop = memchr(p, '&', (size_t)(end - p));
        stop = stop ? stop : end;
        const char *equals = memchr(p, '=', (size_t)(stop - p));
        const struct sl_text key = {p, (size_t)((equals ? equals : stop) - p)};
        if (sl_text_equals(decode(request, key, true), wanted)) {
            const char *value = equals ? equals + 1 : stop;
            return decode(request, (struct sl_text){value, (size_t)(stop - value)}, true);
        }
        p = stop + 1;
    }
    return (struct sl_text){NULL, 0};
}
