/*
 * HTTP/1.1 on a connection: requests in, in order; answers out, in the same order.
 *
 * A request lies where it was received: its texts point into the block, which stays as long as the
 * request does. A body that does not fit behind its head gets a block of its own size; a chunked
 * one is decoded into a buffer. Requests in work form a line; only the first one's answer may
 * leave, an answer that comes early is held in its request.
 *
 * After a request that closes the connection, or one that is refused, the connection is deaf: what
 * follows was sent without knowing the answer and means nothing.
 */
#include "net/h2.h"

#include <stdlib.h>
#include <string.h>

enum { KEEP_ARENA = 64 << 10, KEEP_HELD = 4096 };

static struct http_conn *http_of(struct conn *conn)
{
    return (struct http_conn *)conn;
}

/* ---- Requests from the pool --------------------------------------------------------------- */

struct http_request *sl_http_take(struct http_conn *http)
{
    struct sl_net *net = http->conn.net;
    struct http_request *r = net->spare_requests;

    if (r) {
        net->spare_requests = r->next;
        net->spare_request_count--;
    } else {
        r = calloc(1, sizeof *r);
        if (!r)
            return NULL;
    }
    r->next = NULL;
    r->http = http;
    r->keep_alive = true;
    r->request.arena = &r->arena;
    return r;
}

static void free_request(struct http_request *r)
{
    sl_arena_close(&r->arena);
    sl_buf_close(&r->body);
    sl_buf_close(&r->held);
    sl_buf_close(&r->rest);
    sl_buf_close(&r->h2.head);
    free(r);
}

void sl_http_forget(struct http_request *r)
{
    struct sl_net *net = r->http->conn.net;

    sl_block_drop(net, r->head_block);
    sl_block_drop(net, r->body_block);
    r->head_block = r->body_block = NULL;
    if (r->arena.total > KEEP_ARENA || r->is_stream)
        sl_arena_close(&r->arena);
    else if (r->arena.total > 0)
        sl_arena_reset(&r->arena);
    sl_buf_close(&r->body);
}

void sl_http_give(struct http_request *r)
{
    struct sl_net *net = r->http->conn.net;

    sl_http_forget(r);
    sl_buf_close(&r->rest);
    if (net->spare_request_count == SPARES_MAX) {
        free_request(r);
        return;
    }
    if (r->held.capacity > KEEP_HELD)
        sl_buf_close(&r->held);
    if (r->h2.head.capacity > KEEP_HELD)
        sl_buf_close(&r->h2.head);
    sl_buf_reset(&r->held);
    sl_buf_reset(&r->h2.head);
    const struct sl_arena arena = r->arena;
    const struct sl_buf held = r->held, head = r->h2.head;
    *r = (struct http_request){
        .arena = arena, .held = held, .h2.head = head, .next = net->spare_requests};
    net->spare_requests = r;
    net->spare_request_count++;
}

void sl_http_free_spares(struct sl_net *net)
{
    while (net->spare_requests) {
        struct http_request *next = net->spare_requests->next;
        free_request(net->spare_requests);
        net->spare_requests = next;
    }
}

/* ---- The line ----------------------------------------------------------------------------- */

static void line_up(struct http_conn *http, struct http_request *r)
{
    if (http->last)
        http->last->next = r;
    else
        http->first = r;
    http->last = r;
    http->conn.in_work++;
}

static void send_continue(struct http_conn *http)
{
    http->continue_due = false;
    SL_BUF_LITERAL(sl_conn_out(&http->conn), "HTTP/1.1 100 Continue\r\n\r\n");
}

struct sl_buf *sl_http_out(struct http_request *r)
{
    struct http_conn *http = r->http;

    if (http->first == r && !http->h2)
        return sl_conn_out(&http->conn);
    r->held.bytes_max = OUT_MAX;
    return &r->held;
}

static void take_from_line(struct http_conn *http)
{
    struct http_request *r = http->first;

    http->first = r->next;
    if (!http->first)
        http->last = NULL;
    http->conn.in_work--;
    if (!r->keep_alive)
        http->conn.ending = true;
    sl_http_give(r);
}

/* The next one has become the first: what was held for it may leave. */
static void release_held(struct http_conn *http, struct http_request *r)
{
    struct sl_buf *out = &http->conn.out;

    if (!http->conn.closed && r->held.failed)
        out->failed = true;
    if (!http->conn.closed && r->held.len > 0)
        sl_buf_append(sl_conn_out(&http->conn), r->held.ptr, r->held.len);
    if (r->answered)
        http->conn.held_bytes -= r->held.len;
    sl_buf_reset(&r->held);
}

void sl_http_done(struct http_request *r)
{
    struct http_conn *http = r->http;

    r->answered = true;
    http->conn.streams -= r->is_stream;
    sl_conn_touch(&http->conn);
    if (http->h2) {
        http->conn.in_work--;
        sl_http_forget(r);
        if (r->h2.open)
            sl_h2_end(r);
        else
            sl_h2_drop(r);
        return;
    }
    if (http->first != r) {
        sl_conn_hold(&http->conn, r->held.len);
        sl_http_forget(r);
        return;
    }
    sl_http_forget(r);
    sl_http_advance(http);
}

void sl_http_advance(struct http_conn *http)
{
    while (http->first && http->first->answered &&
           http->first->rest_sent == http->first->rest.len) {
        take_from_line(http);
        if (http->first)
            release_held(http, http->first);
    }
    if (http->first)
        return;
    if (http->arriving && http->continue_due)
        send_continue(http);
    if (http->conn.net->stopping && !http->arriving)
        http->conn.ending = true;
}

/* ---- Requests that arrive ------------------------------------------------------------------ */

static void refuse(struct http_conn *http, const struct sl_http_fault *fault)
{
    struct http_request *r = http->arriving;

    http->arriving = NULL;
    http->continue_due = false;
    http->conn.arriving_since_ns = 0;
    http->conn.deaf = true;
    http->conn.net->numbers.requests_bad++;
    r->keep_alive = false;
    r->request.gone = NULL;
    line_up(http, r);
    sl_http_answer_fault(r, fault);
}

/* The request is whole. True: the next one may be looked for. */
static bool dispatch(struct http_conn *http)
{
    struct http_request *r = http->arriving;
    struct sl_net *net = http->conn.net;

    http->arriving = NULL;
    http->continue_due = false;
    http->conn.arriving_since_ns = 0;
    r->request.arrived_ns = sl_net_now(net);
    if (net->stopping)
        r->keep_alive = false;
    if (!r->keep_alive)
        http->conn.deaf = true;
    net->numbers.requests_total++;
    line_up(http, r);
    http->handler(http->context, &r->request);
    return true;
}

const struct sl_http_fault sl_http_bad_path = {400, "bad_path",
                                               "a path with a NUL or a .. segment"};

/* A path with escapes is decoded. */
enum sl_http_path sl_http_take_path(struct http_request *r, const struct sl_http_head *head)
{
    struct sl_request *request = &r->request;

    request->raw_path = request->path = head->path;
    if (head->path_escaped) {
        char *decoded = sl_arena_take(request->arena, head->path.len);
        if (!decoded)
            return SL_HTTP_PATH_NO_MEMORY;
        request->path = (struct sl_text){decoded, sl_http_decode(head->path, false, decoded)};
    }
    return sl_http_path_good(request->path) ? SL_HTTP_PATH_GOOD : SL_HTTP_PATH_BAD;
}

bool sl_http_take_headers(struct http_request *r, const struct sl_http_head *head)
{
    const size_t size = head->header_count * sizeof *head->headers;
    struct sl_header *headers = NULL;

    if (size > 0) {
        headers = sl_arena_take(&r->arena, size);
        if (!headers)
            return false;
        memcpy(headers, head->headers, size);
    }
    r->request.headers = headers;
    r->request.header_count = head->header_count;
    return true;
}

/* What follows the head. True: go on at once. */
static bool plan_body(struct http_conn *http, const struct sl_http_head *head)
{
    struct conn *conn = &http->conn;
    const uint32_t bytes_max = conn->net->options.body_bytes_max;

    if (head->content_length > bytes_max) {
        refuse(http, &(struct sl_http_fault){413, "body_too_large", "the body is too large"});
        return false;
    }
    if (!head->chunked && head->content_length == 0)
        return dispatch(http);
    http->place = head->chunked ? IN_CHUNKS : IN_LENGTH;
    conn->in_head = false;
    conn->arriving_since_ns = sl_net_now(conn->net);
    http->body_bytes = (size_t)head->content_length;
    http->chunked = (struct sl_chunked){0};
    http->arriving->body.bytes_max = bytes_max;
    /* Who has begun to send the body does not wait; and an interim answer has its place in the
     * line, too. */
    http->continue_due = head->expects_continue && conn->in_from == conn->in_to;
    if (http->continue_due && !http->first) {
        send_continue(http);
        sl_conn_touch(conn);
    }
    return true;
}

static bool read_head(struct http_conn *http)
{
    struct conn *conn = &http->conn;
    struct http_request *r = http->arriving;
    char *bytes = (char *)conn->in->bytes + conn->in_from;
    const size_t len = conn->in_to - conn->in_from;
    const size_t bytes_max = conn->net->options.head_bytes_max;
    struct sl_http_head head = {.headers = conn->net->headers};
    size_t used = 0;

    if (http->head_seen > 0 && len < bytes_max &&
        !memchr(bytes + http->head_seen, '\n', len - http->head_seen)) {
        http->head_seen = len;
        return false;
    }
    const enum sl_head_verdict verdict = sl_http_head_parse(bytes, len, bytes_max, &head, &used);
    if (verdict == SL_HEAD_MORE) {
        http->head_seen = len;
        return false;
    }
    http->head_seen = 0;
    r->http_1_0 = head.http_1_0;
    r->request.method = head.method;
    if (verdict == SL_HEAD_BAD) {
        refuse(http, &head.fault);
        return false;
    }
    conn->in_from += used;
    r->head_block = conn->in;
    r->head_block->refs++;
    r->keep_alive = head.keep_alive;
    r->request.query = head.query;
    r->request.host = head.host;
    r->request.local = conn->local;
    r->request.tls = conn->tls != NULL;
    const enum sl_http_path path = sl_http_take_path(r, &head);
    if (path == SL_HTTP_PATH_BAD) {
        refuse(http, &sl_http_bad_path);
        return false;
    }
    if (path != SL_HTTP_PATH_GOOD || !sl_http_take_headers(r, &head)) {
        conn->drop = true;
        return false;
    }
    return plan_body(http, &head);
}

static bool read_length(struct http_conn *http)
{
    struct conn *conn = &http->conn;
    struct http_request *r = http->arriving;

    if (conn->in_to - conn->in_from < http->body_bytes) {
        conn->in_want = http->body_bytes;
        return false;
    }
    r->body_block = conn->in;
    r->body_block->refs++;
    r->request.body =
        (struct sl_text){(const char *)conn->in->bytes + conn->in_from, http->body_bytes};
    conn->in_from += http->body_bytes;
    return dispatch(http);
}

static bool read_chunks(struct http_conn *http)
{
    struct conn *conn = &http->conn;
    struct http_request *r = http->arriving;

    for (;;) {
        const uint8_t *bytes = conn->in ? conn->in->bytes + conn->in_from : NULL;
        struct sl_slice data = {0};
        size_t used = 0;
        const enum sl_chunked_verdict verdict =
            sl_chunked_next(&http->chunked, bytes, conn->in_to - conn->in_from, &used, &data);
        conn->in_from += used;
        sl_buf_append(&r->body, data.ptr, data.len);
        /* A chunk that is announced as too long is not waited for. */
        if (r->body.failed ||
            (verdict != SL_CHUNKED_BAD && http->chunked.left > r->body.bytes_max - r->body.len)) {
            refuse(http, &(struct sl_http_fault){413, "body_too_large", "the body is too large"});
            return false;
        }
        if (verdict == SL_CHUNKED_MORE)
            return false;
        if (verdict == SL_CHUNKED_BAD) {
            refuse(http, &(struct sl_http_fault){400, "bad_chunk", "the chunked body is broken"});
            return false;
        }
        if (verdict == SL_CHUNKED_DONE) {
            r->request.body = sl_buf_as_text(&r->body);
            return dispatch(http);
        }
    }
}

/* A new request begins with the next byte. False: not now. */
static bool begin(struct http_conn *http)
{
    struct conn *conn = &http->conn;

    if (conn->in_from == conn->in_to)
        return false;
    if (conn->net->stopping) {
        conn->deaf = true;
        return false;
    }
    if (!sl_conn_has_room(conn))
        return false;
    http->arriving = sl_http_take(http);
    if (!http->arriving) {
        conn->drop = true;
        return false;
    }
    http->place = IN_HEAD;
    http->head_seen = 0;
    conn->in_head = true;
    conn->arriving_since_ns = sl_net_now(conn->net);
    return true;
}

static void http_receive(struct conn *conn)
{
    struct http_conn *http = http_of(conn);
    bool more = true;

    conn->in_want = 0;
    if (http->arriving && http->place != IN_HEAD)
        conn->arriving_since_ns = sl_conn_pay(conn, conn->arriving_since_ns, conn->fresh,
                                              conn->net->options.body_rate_min);
    while (more && !conn->deaf && !conn->drop && (http->arriving || begin(http))) {
        if (http->place == IN_HEAD)
            more = conn->in_from < conn->in_to && read_head(http);
        else
            more = http->place == IN_LENGTH ? read_length(http) : read_chunks(http);
    }
}

/* ---- Ends ----------------------------------------------------------------------------------- */

static bool is_dead(const struct http_request *r)
{
    return r->http->conn.eof || (r->is_stream && r->stream.dead) ||
           (r->http->h2 && r->h2.dispatched && !r->h2.open);
}

void sl_http_gone(struct conn *conn)
{
    struct http_request *r = http_of(conn)->first;

    while (r) {
        if (r->told || r->answered || !is_dead(r) || (r->http->h2 && !r->h2.dispatched)) {
            r = r->next;
            continue;
        }
        void (*gone)(void *) = r->stream.gone;
        void (*request_gone)(struct sl_request *) = r->request.gone;
        /* A stream without an ear yet is told when it gets one. */
        r->told = !r->is_stream || gone;
        r->stream.dead = true;
        if (r->is_stream && gone)
            gone(r->stream.context);
        else if (!r->is_stream && request_gone)
            request_gone(&r->request);
        else {
            r = r->next;
            continue;
        }
        r = http_of(conn)
                ->first; /* being told, it may have been answered, and the line be another */
    }
}

static void http_closed(struct conn *conn)
{
    struct http_conn *http = http_of(conn);

    if (http->arriving)
        sl_http_give(http->arriving);
    http->arriving = NULL;
    sl_http_drop_rests(http);
}

static void http_late(struct conn *conn)
{
    struct http_conn *http = http_of(conn);

    if (http->arriving)
        refuse(http, &(struct sl_http_fault){408, "request_too_slow",
                                             "the request did not arrive whole in time"});
}

static void http_stop(struct conn *conn)
{
    struct http_conn *http = http_of(conn);

    for (struct http_request *r = http->first; r; r = r->next)
        if (r->is_stream) {
            r->stream.dead = true;
            conn->tell = true;
        }
    if (http->arriving)
        return;
    conn->deaf = true;
    if (!http->first && sl_conn_backlog(conn) == 0)
        conn->drop = true; /* nothing was said that a reset could take back */
    else if (!http->first)
        conn->ending = true;
}

void sl_http_free(struct conn *conn)
{
    struct http_conn *http = http_of(conn);

    while (http->first) {
        struct http_request *next = http->first->next;
        sl_http_give(http->first);
        http->first = next;
    }
    sl_buf_close(&conn->out);
    free(http);
}

static void http_secured(struct conn *conn, struct sl_text alpn)
{
    if (sl_text_equals(alpn, SL_TEXT("h2")))
        sl_h2_start(http_of(conn));
}

static const struct protocol http_protocol = {
    .receive = http_receive,
    .flush = sl_http_flush,
    .gone = sl_http_gone,
    .closed = http_closed,
    .late = http_late,
    .beat = sl_http_beat,
    .stop = http_stop,
    .free = sl_http_free,
    .secured = http_secured,
    .alpn = SL_TEXT_INIT("\x02h2\x08http/1.1"),
    .says_tls =
        SL_TEXT_INIT("HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
                     "Connection: close\r\n\r\n"
                     "{\"type\":\"/errors/tls_only\",\"title\":\"Bad Request\",\"status\":400,"
                     "\"detail\":\"this port speaks TLS: write https\",\"rule\":\"tls_only\"}"),
    .pipeline_max = 128,
    .idle_limited = true,
};

struct conn *sl_http_accept(const struct listener *listener)
{
    struct http_conn *http = calloc(1, sizeof *http);

    if (!http)
        return NULL;
    http->conn.protocol = &http_protocol;
    http->handler = listener->http;
    http->context = listener->http_context;
    return &http->conn;
}
