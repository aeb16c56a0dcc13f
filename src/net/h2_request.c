/*
 * Requests of HTTP/2, on their way in.
 *
 * nghttp2 has taken frames and HPACK apart and refused what breaks RFC 9113. What is left is a list
 * of fields; it is written down as the head that HTTP/1.1 would have, in full, and read by the
 * parser of HTTP/1.1. So there is one grammar for paths, hosts and headers, and nothing gets in by
 * one door that the other would refuse. Writing it down cannot be used to smuggle anything: names
 * and values hold no line breaks, the method and path no spaces.
 *
 * What speaks of framing is not written down: HTTP/2 has its own, and nghttp2 has compared it with
 * Content-Length.
 */
#include <string.h>

#include "net/h2.h"

enum { FIELD_BYTES = 32 /* what a field costs beside its name and value (RFC 9113, 6.5.2) */ };

static struct http_request *request_at(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

int64_t sl_h2_arriving_since(const struct http_conn *http)
{
    int64_t since_ns = 0;

    for (const struct http_request *r = http->first; r; r = r->next)
        if (!r->h2.dispatched && (since_ns == 0 || r->h2.since_ns < since_ns))
            since_ns = r->h2.since_ns;
    return since_ns;
}

/* It is the handler's from here on, or was refused: in both cases it has one answer to come. */
static void line_up(struct http_request *r)
{
    r->h2.dispatched = true;
    r->http->conn.in_work++;
    r->http->h2->body_bytes -= r->body.len;
}

void sl_h2_refuse(struct http_request *r, const struct sl_http_fault *fault)
{
    if (r->h2.dispatched)
        return;
    line_up(r);
    r->http->conn.net->numbers.requests_bad++;
    r->request.gone = NULL;
    sl_http_answer_fault(r, fault);
}

static void dispatch(struct http_request *r)
{
    struct http_conn *http = r->http;
    struct sl_net *net = http->conn.net;

    r->h2.whole = true;
    if (r->h2.dispatched)
        return; /* refused before it was whole */
    line_up(r);
    r->request.body = sl_buf_as_text(&r->body);
    r->request.arrived_ns = sl_net_now(net);
    net->numbers.requests_total++;
    http->handler(http->context, &r->request);
}

/* ---- The head ------------------------------------------------------------------------------- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct h2 *h2 = context;
    struct http_conn *http = h2->http;

    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers */
    if (h2->failed)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* said goodbye within the same bytes */
    struct http_request *r = sl_http_take(http);
    if (!r)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    h2->opened++;
    h2->last_id = frame->hd.stream_id;
    r->h2.id = frame->hd.stream_id;
    r->h2.open = true;
    r->h2.since_ns = sl_net_now(http->conn.net);
    r->h2.head.bytes_max = http->conn.net->options.head_bytes_max + 1024UL;
    r->body.bytes_max = http->conn.net->options.body_bytes_max;
    if (http->last)
        http->last->next = r;
    else
        http->first = r;
    http->last = r;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, r);
    return 0;
}

static struct sl_text copy(struct http_request *r, struct sl_text text)
{
    char *to = sl_arena_take(&r->arena, text.len + 1);

    if (!to) {
        r->http->conn.drop = true;
        return (struct sl_text){NULL, 0};
    }
    memcpy(to, text.ptr, text.len);
    return (struct sl_text){to, text.len};
}

static bool has_gaps(struct sl_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.ptr[i] <= ' ' || text.ptr[i] == 0x7f)
            return true;
    return text.len == 0;
}

static void take_pseudo(struct http_request *r, struct sl_text name, struct sl_text value)
{
    if (sl_text_equals(name, SL_TEXT(":method")))
        r->h2.method = copy(r, value);
    else if (sl_text_equals(name, SL_TEXT(":path")))
        r->h2.path = copy(r, value);
    else if (sl_text_equals(name, SL_TEXT(":authority")))
        r->h2.authority = copy(r, value);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *context)
{
    struct http_request *r = request_at(session, frame->hd.stream_id);
    const struct sl_text key = {(const char *)name, name_len};
    const struct sl_text text = {(const char *)value, value_len};

    (void)flags;
    (void)context;
    if (!r || r->h2.head_whole || r->h2.dispatched)
        return 0; /* trailers are read and not looked at */
    r->h2.head_bytes += name_len + value_len + FIELD_BYTES;
    if (r->h2.head_bytes > r->http->conn.net->options.head_bytes_max)
        return 0; /* refused when it is whole: until then HPACK has to go on */
    if (name_len > 0 && name[0] == ':') {
        take_pseudo(r, key, text);
        return 0;
    }
    if (sl_text_equals(key, SL_TEXT("content-length")))
        return 0;
    if (sl_text_equals(key, SL_TEXT("host")))
        r->h2.has_host = true;
    sl_buf_text(&r->h2.head, key);
    SL_BUF_LITERAL(&r->h2.head, ": ");
    sl_buf_text(&r->h2.head, text);
    SL_BUF_LITERAL(&r->h2.head, "\r\n");
    return 0;
}

/* The head as HTTP/1.1 has it, in the request's arena. Length 0: no memory. */
static struct sl_text write_head(struct http_request *r, char **out)
{
    const struct sl_text version = SL_TEXT(" HTTP/1.1\r\n"), host = SL_TEXT("host: ");
    const struct sl_text authority = r->h2.has_host ? (struct sl_text){NULL, 0} : r->h2.authority;
    const struct sl_text parts[] = {
        r->h2.method,
        SL_TEXT(" "),
        r->h2.path,
        version,
        sl_buf_as_text(&r->h2.head),
        authority.ptr ? host : (struct sl_text){NULL, 0},
        authority,
        authority.ptr ? SL_TEXT("\r\n\r\n") : SL_TEXT("\r\n"),
    };
    size_t len = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        len += parts[i].len;
    char *head = sl_arena_take(&r->arena, len), *p = head;
    if (!head)
        return (struct sl_text){NULL, 0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].len > 0)
            memcpy(p, parts[i].ptr, parts[i].len);
        p += parts[i].len;
    }
    *out = head;
    return (struct sl_text){head, len};
}

/* What is wrong with the fields before they are written down; a status of 0: nothing. */
static struct sl_http_fault check_fields(const struct http_request *r)
{
    const uint32_t bytes_max = r->http->conn.net->options.head_bytes_max;

    if (r->h2.head_bytes > bytes_max || r->h2.head.failed)
        return (struct sl_http_fault){431, "head_too_large", "the headers are too large"};
    if (has_gaps(r->h2.method) || has_gaps(r->h2.path))
        return (struct sl_http_fault){400, "bad_request_line", "a method or path that is none"};
    return (struct sl_http_fault){0};
}

/* :authority and Host are one thing said twice, or a trick. */
static bool hosts_agree(const struct http_request *r, const struct sl_http_head *head)
{
    return !r->h2.authority.ptr || !r->h2.has_host || sl_text_equals(r->h2.authority, head->host);
}

static void take_head(struct http_request *r, bool ends)
{
    struct http_conn *http = r->http;
    struct sl_http_head head = {.headers = http->conn.net->headers};
    struct sl_http_fault fault = check_fields(r);
    char *bytes = NULL;
    size_t used = 0;

    r->h2.head_whole = true;
    if (fault.status != 0) {
        sl_h2_refuse(r, &fault);
        return;
    }
    const struct sl_text text = write_head(r, &bytes);
    if (text.len == 0) {
        http->conn.drop = true;
        return;
    }
    const enum sl_head_verdict verdict =
        sl_http_head_parse(bytes, text.len, text.len + 1, &head, &used);
    r->request.method = head.method;
    fault = head.fault;
    if (verdict == SL_HEAD_WHOLE && !hosts_agree(r, &head))
        fault = (struct sl_http_fault){400, "bad_host", ":authority and Host differ"};
    else if (verdict == SL_HEAD_MORE || (verdict == SL_HEAD_WHOLE && used != text.len))
        fault = (struct sl_http_fault){400, "bad_header", "a header that is none"};
    if (fault.status != 0) {
        sl_h2_refuse(r, &fault);
        return;
    }
    r->request.query = head.query;
    r->request.host = head.host;
    r->request.local = http->conn.local;
    r->request.tls = http->conn.tls != NULL;
    if (!sl_http_take_headers(r, &head)) {
        http->conn.drop = true;
        return;
    }
    switch (sl_http_take_path(r, &head)) {
    case SL_HTTP_PATH_GOOD:
        break;
    case SL_HTTP_PATH_BAD:
        sl_h2_refuse(r, &sl_http_bad_path);
        return;
    default:
        http->conn.drop = true;
        return;
    }
    if (ends) {
        dispatch(r);
    } else if (head.expects_continue) {
        const nghttp2_nv proceed = {(uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "100",
                                    7, 3, NGHTTP2_NV_FLAG_NONE};
        nghttp2_submit_headers(http->h2->session, NGHTTP2_FLAG_NONE, r->h2.id, NULL, &proceed, 1,
                               NULL);
    }
}

/* ---- The body ------------------------------------------------------------------------------- */

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t len, void *context)
{
    struct http_request *r = request_at(session, id);
    struct h2 *h2 = context;

    (void)flags;
    if (!r || r->h2.dispatched)
        return 0;
    const struct sl_net_options *options = &h2->http->conn.net->options;
    r->h2.since_ns = sl_conn_pay(&h2->http->conn, r->h2.since_ns, len, options->body_rate_min);
    const size_t sum_max = 2UL * options->body_bytes_max;
    sl_buf_append(&r->body, bytes, len);
    if (!r->body.failed)
        h2->body_bytes += len;
    if (r->body.failed)
        sl_h2_refuse(r, &(struct sl_http_fault){413, "body_too_large", "the body is too large"});
    else if (h2->body_bytes > sum_max)
        sl_h2_refuse(r, &(struct sl_http_fault){413, "body_too_large",
                                                "the bodies that arrive at once are too large"});
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    const bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    (void)context;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct http_request *r = request_at(session, frame->hd.stream_id);
    if (!r)
        return 0;
    r->h2.whole |= ends;
    if (!r->h2.head_whole)
        take_head(r, ends);
    else if (ends)
        dispatch(r);
    return 0;
}

void sl_h2_set_request_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
}
