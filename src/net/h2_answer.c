/*
 * Answers of HTTP/2, on their way out: the same lines of headers as in HTTP/1.1, and a body that
 * lies in its request until the peer's window and the connection take it.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/h2.h"

struct fields {
    nghttp2_nv list[H2_LINES_MAX];
    size_t count;
};

/* nghttp2 makes names lower-case when it copies them. */
static void add(struct fields *fields, struct sl_text name, struct sl_text value)
{
    SL_ASSERT(fields->count < H2_LINES_MAX);
    fields->list[fields->count++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.ptr,
                                                 .value = (uint8_t *)(uintptr_t)value.ptr,
                                                 .namelen = name.len,
                                                 .valuelen = value.len,
                                                 .flags = NGHTTP2_NV_FLAG_NONE};
}

/* "Name: value\r\n" each, as handlers give them. */
static void add_lines(struct fields *fields, struct sl_text lines)
{
    const char *p = lines.ptr, *const end = lines.len > 0 ? p + lines.len : p;

    while (p < end) {
        const char *stop = memchr(p, '\r', (size_t)(end - p));
        const char *colon = stop ? memchr(p, ':', (size_t)(stop - p)) : NULL;
        if (!colon)
            return;
        const char *value = colon + 1;
        while (value < stop && *value == ' ')
            value++;
        add(fields, (struct sl_text){p, (size_t)(colon - p)},
            (struct sl_text){value, (size_t)(stop - value)});
        p = stop + 2;
    }
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct http_request *r = source->ptr;
    struct conn *conn = &r->http->conn;
    size_t len = r->held.len - r->h2.sent;

    (void)session;
    (void)id;
    (void)context;
    if (len > room)
        len = room;
    if (len == 0 && !r->h2.complete) {
        r->h2.asleep = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (len > 0)
        memcpy(to, r->held.ptr + r->h2.sent, len);
    r->h2.sent += len;
    conn->windowed -= len;
    if (r->h2.sent == r->held.len) {
        sl_buf_reset(&r->held);
        r->h2.sent = 0;
        if (r->h2.complete)
            *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)len;
}

static void submit(struct http_request *r, int status, const char *content_type,
                   struct sl_text headers, const char *length, bool has_body)
{
    const nghttp2_data_provider body = {.source.ptr = r, .read_callback = read_body};
    struct fields fields = {.count = 0};
    char number[16];

    const int len = snprintf(number, sizeof number, "%d", status);
    add(&fields, SL_TEXT(":status"), (struct sl_text){number, (size_t)len});
    /* "Date: " and the line's end are for HTTP/1.1 */
    add(&fields, SL_TEXT("date"), (struct sl_text){sl_http_date(r->http->conn.net) + 6, 29});
    if (content_type)
        add(&fields, SL_TEXT("content-type"), (struct sl_text){content_type, strlen(content_type)});
    if (length)
        add(&fields, SL_TEXT("content-length"), (struct sl_text){length, strlen(length)});
    add_lines(&fields, headers);
    if (nghttp2_submit_response(r->http->h2->session, r->h2.id, fields.list, fields.count,
                                has_body ? &body : NULL) != 0)
        r->http->conn.drop = true;
}

void sl_h2_wrote(struct http_request *r, size_t bytes)
{
    struct conn *conn = &r->http->conn;

    conn->windowed += bytes;
    conn->added += bytes;
    if (conn->windowed > OUT_MAX) {
        SL_MARK("h2 holds too much");
        conn->net->numbers.dropped_slow++;
        conn->drop = true;
    }
    /* What has left does not stay in memory because something always follows. */
    if (r->h2.sent > BLOCK_BYTES && r->h2.sent > r->held.len / 2) {
        memmove(r->held.ptr, r->held.ptr + r->h2.sent, r->held.len - r->h2.sent);
        r->held.len -= r->h2.sent;
        r->h2.sent = 0;
    }
    if (r->h2.asleep && r->h2.open) {
        r->h2.asleep = false;
        nghttp2_session_resume_data(r->http->h2->session, r->h2.id);
    }
    sl_conn_touch(conn);
}

void sl_h2_answer(struct http_request *r, int status, const char *content_type,
                  struct sl_text headers, struct sl_text body, struct sl_buf *owned, bool bodiless)
{
    char length[24];

    if (!r->h2.open || r->http->conn.closed)
        return;
    snprintf(length, sizeof length, "%zu", body.len);
    r->h2.complete = true;
    if (owned) {
        sl_buf_close(&r->held);
        r->held = *owned;
        *owned = (struct sl_buf){.bytes_max = owned->bytes_max};
    }
    r->held.bytes_max = OUT_MAX;
    if (!owned && !bodiless)
        sl_buf_text(&r->held, body);
    if (r->held.failed) {
        nghttp2_submit_rst_stream(r->http->h2->session, NGHTTP2_FLAG_NONE, r->h2.id,
                                  NGHTTP2_INTERNAL_ERROR);
        sl_buf_reset(&r->held);
        return;
    }
    submit(r, status, content_type, headers, status == 204 || status == 304 ? NULL : length,
           r->held.len > 0);
    sl_h2_wrote(r, r->held.len);
}

void sl_h2_begin_stream(struct http_request *r, struct sl_text headers)
{
    const bool has_body = r->request.method != SL_HEAD;

    if (!r->h2.open || r->http->conn.closed)
        return;
    r->held.bytes_max = OUT_MAX;
    r->h2.complete = !has_body;
    submit(r, 200, "text/event-stream", headers, NULL, has_body);
}

void sl_h2_end(struct http_request *r)
{
    r->h2.complete = true;
    if (r->h2.open && !r->http->conn.closed)
        sl_h2_wrote(r, 0);
}

void sl_h2_cancel(struct http_request *r)
{
    if (r->h2.open && !r->http->conn.closed)
        nghttp2_submit_rst_stream(r->http->h2->session, NGHTTP2_FLAG_NONE, r->h2.id,
                                  NGHTTP2_ENHANCE_YOUR_CALM);
}
