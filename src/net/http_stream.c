/*
 * Server-sent events (WHATWG HTML, "text/event-stream").
 *
 * The answer has no length and ends with the connection (with the stream, in HTTP/2), so events
 * need no framing of their own. A reader that lets more than BACKLOG_MAX bytes wait is dropped: it
 * reconnects and says with Last-Event-ID what it has seen, while memory for it would be needed now.
 */
#include "net/h2.h"

#include <stddef.h>
#include <string.h>

#define STREAM_HEADERS "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n"

static struct http_request *request_of(struct sl_stream *stream)
{
    return (struct http_request *)(void *)((char *)stream - offsetof(struct http_request, stream));
}

static void begin_h2(struct http_request *r, struct sl_text headers)
{
    struct sl_buf lines = {0};

    SL_BUF_LITERAL(&lines, STREAM_HEADERS);
    sl_buf_text(&lines, headers);
    if (lines.failed)
        r->http->conn.drop = true;
    else
        sl_h2_begin_stream(r, sl_buf_as_text(&lines));
    sl_buf_close(&lines);
}

struct sl_stream *sl_request_stream(struct sl_request *request, struct sl_text headers)
{
    struct http_request *r = (struct http_request *)request;
    struct conn *conn = &r->http->conn;
    const struct sl_text none = {NULL, 0};

    SL_ASSERT(!r->answered && !r->is_stream);
    r->is_stream = true;
    conn->streams++;
    r->keep_alive = false;
    r->told = false;
    r->stream.dead = conn->eof || request->method == SL_HEAD || conn->net->stopping ||
                     (r->http->h2 && !r->h2.open);
    conn->tell = conn->tell || r->stream.dead;
    if (r->http->h2) {
        begin_h2(r, headers);
    } else if (!conn->closed) {
        /* Requests behind an endless answer would wait for ever. */
        conn->deaf = true;
        struct sl_buf *out = sl_http_out(r);
        sl_http_write_head(r, out, 200, "text/event-stream", none, SIZE_MAX, none);
        if (!out->failed) {
            out->len -= 2; /* the empty line comes behind further headers */
            SL_BUF_LITERAL(out, STREAM_HEADERS);
            sl_buf_text(out, headers);
            SL_BUF_LITERAL(out, "\r\n");
        }
    }
    sl_http_forget(r);
    sl_conn_touch(conn);
    return &r->stream;
}

static void put_field(struct sl_buf *out, struct sl_text name, struct sl_text value)
{
    if (value.len == 0 || memchr(value.ptr, '\n', value.len) || memchr(value.ptr, '\r', value.len))
        return;
    sl_buf_text(out, name);
    sl_buf_text(out, value);
    sl_buf_byte(out, '\n');
}

/* A line "data: …" for each of the text's; CRLF and CR alone end lines, too. */
static void put_data(struct sl_buf *out, struct sl_text data)
{
    const char *p = data.ptr, *const end = data.len > 0 ? p + data.len : p;

    for (;;) {
        const char *first = p;
        while (p < end && *p != '\n' && *p != '\r')
            p++;
        SL_BUF_LITERAL(out, "data: ");
        sl_buf_append(out, first, (size_t)(p - first));
        sl_buf_byte(out, '\n');
        if (p == end)
            break;
        p += *p == '\r' && p + 1 < end && p[1] == '\n' ? 2 : 1;
    }
    sl_buf_byte(out, '\n');
}

bool sl_stream_send(struct sl_stream *stream, struct sl_text id, struct sl_text event,
                    struct sl_text data)
{
    struct http_request *r = request_of(stream);
    struct conn *conn = &r->http->conn;

    if (stream->dead || conn->eof)
        return false;
    if (sl_stream_backlog(stream) + data.len > BACKLOG_MAX) {
        SL_MARK("net slow stream");
        conn->net->numbers.dropped_slow++;
        stream->dead = true;
        if (r->http->h2)
            sl_h2_cancel(r);
        else
            conn->drop = true;
        conn->tell = true;
        sl_conn_touch(conn);
        return false;
    }
    struct sl_buf *out = sl_http_out(r);
    const size_t before = out->len;
    put_field(out, SL_TEXT("id: "), id);
    put_field(out, SL_TEXT("event: "), event);
    put_data(out, data);
    if (r->http->h2)
        sl_h2_wrote(r, out->len - before);
    sl_conn_touch(conn);
    return !out->failed;
}

/* A comment, which readers pass over. */
static void beat(struct http_request *r)
{
    if (!r->http->h2 && r->http->first != r)
        return; /* it waits behind another answer */
    struct sl_buf *out = sl_http_out(r);
    const size_t before = out->len;

    SL_BUF_LITERAL(out, ":\n\n");
    if (r->http->h2)
        sl_h2_wrote(r, out->len - before);
}

void sl_http_beat(struct conn *conn)
{
    const struct http_conn *http = (struct http_conn *)(void *)conn;

    for (struct http_request *r = http->first; r; r = r->next)
        if (r->is_stream && !r->answered && !r->stream.dead)
            beat(r);
}

void sl_stream_on_gone(struct sl_stream *stream, void (*gone)(void *context), void *context)
{
    struct http_request *r = request_of(stream);

    stream->gone = gone;
    stream->context = context;
    if (stream->dead && !r->told) {
        r->http->conn.tell = true;
        sl_conn_touch(&r->http->conn);
    }
}

void sl_stream_end(struct sl_stream *stream)
{
    struct http_request *r = request_of(stream);

    SL_ASSERT(r->is_stream && !r->answered);
    stream->dead = true;
    sl_http_done(r);
}

size_t sl_stream_backlog(const struct sl_stream *stream)
{
    const struct http_request *r =
        (const struct http_request *)(const void *)((const char *)stream -
                                                    offsetof(struct http_request, stream));

    return sl_conn_backlog(&r->http->conn) + r->held.len - r->h2.sent;
}
