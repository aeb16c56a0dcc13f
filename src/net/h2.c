/*
 * HTTP/2 (RFC 9113) on a connection, with nghttp2 for frames, HPACK and the state of streams.
 *
 * What HTTP is does not change: a request is one struct http_request, and the handler answers it as
 * it does any other. Only the line is none: requests are listed as they came, and their answers
 * leave as soon as they are there, each as fast as its reader's window and everybody's share allow.
 *
 * nghttp2 never writes: when a turn ends, frames are taken from it until H2_OUT_TARGET bytes wait
 * for the system. So one slow peer costs that much and what its answers hold, and what is sent
 * first is decided as late as possible.
 *
 * A request of HTTP/2 lives
 *
 *     arriving    from its HEADERS until it is whole; then the handler has it
 *     in work     until it is answered
 *     leaving     until its stream is closed: all was sent, or somebody has reset it
 *
 * and if the stream closes while it is in work, its handler is told and its answer goes nowhere.
 *
 * Against peers that make work for nothing:
 *
 *  - What is in work counts although its stream was reset (CVE-2023-44487): with twice as many as
 *    may be open at once, nothing more is read. Resets themselves have a rate, too.
 *  - Frames that carry nothing (PING, SETTINGS, PRIORITY, empty DATA) have a rate; who goes on is
 *    told ENHANCE_YOUR_CALM.
 *  - Answers to PING and SETTINGS that are not read have a number; a head may have 8 CONTINUATIONs.
 *  - Bodies that arrive at once have a sum; a request has a time to be whole; who holds answers
 *    back by a closed window has a time, as who does not read has.
 */
#include "net/h2.h"

#include <stdlib.h>
#include <string.h>

struct h2 *sl_h2_of(const struct http_request *r)
{
    return r->http->h2;
}

static struct http_conn *http_of(struct conn *conn)
{
    return (struct http_conn *)conn;
}

void sl_h2_drop(struct http_request *r)
{
    struct http_conn *http = r->http;
    struct http_request **at = &http->first, *before = NULL;

    while (*at != r) {
        before = *at;
        at = &before->next;
    }
    *at = r->next;
    if (http->last == r)
        http->last = before;
    sl_http_give(r);
}

/* ---- Peers that make work ----------------------------------------------------------------- */

void sl_h2_calm_down(struct h2 *h2)
{
    SL_MARK("h2 calm down");
    h2->failed = true;
    nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
    sl_conn_touch(&h2->http->conn);
}

/* Opening a stream closes those below it that were never opened (RFC 9113, 5.1.1); nghttp2 lets it
 * pass. Where no number was left out, the frame belongs to a stream that was closed, by us perhaps
 * and not long ago, and nghttp2 knows what to do. */
static bool goes_back(nghttp2_session *session, const struct h2 *h2, const nghttp2_frame_hd *frame)
{
    if (frame->type != NGHTTP2_HEADERS || frame->stream_id >= h2->last_id ||
        h2->opened * 2 - 1 >= h2->last_id)
        return false;
    nghttp2_stream *stream = nghttp2_session_find_stream(session, frame->stream_id);
    return !stream || nghttp2_stream_get_state(stream) == NGHTTP2_STREAM_STATE_IDLE;
}

/* A leaky bucket, kept as a time: each frame pays for a piece of it, and it cannot run further
 * ahead of the clock than the burst. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *frame, void *context)
{
    static const int64_t price_ns = 1000000000 / H2_IDLE_FRAMES_PER_SECOND;
    struct h2 *h2 = context;
    const bool ends = frame->flags & NGHTTP2_FLAG_END_STREAM;

    if (goes_back(session, h2, frame)) {
        SL_MARK("h2 goes back");
        h2->failed = true;
        nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
        return 0;
    }
    if (frame->type == NGHTTP2_HEADERS || frame->type == NGHTTP2_CONTINUATION ||
        frame->type == NGHTTP2_WINDOW_UPDATE || frame->type == NGHTTP2_RST_STREAM ||
        (frame->type == NGHTTP2_DATA && (frame->length > 0 || ends)))
        return 0;
    const int64_t now_ns = sl_net_now(h2->http->conn.net);
    if (h2->idle_frames_ns < now_ns)
        h2->idle_frames_ns = now_ns;
    h2->idle_frames_ns += price_ns;
    if (h2->idle_frames_ns - now_ns > H2_IDLE_FRAMES_BURST * price_ns && !h2->failed)
        sl_h2_calm_down(h2);
    return 0;
}

/* ---- In ------------------------------------------------------------------------------------- */

static void h2_receive(struct conn *conn)
{
    struct http_conn *http = http_of(conn);
    struct h2 *h2 = http->h2;

    conn->in_want = 0;
    if (conn->in_from == conn->in_to || conn->drop || !sl_conn_has_room(conn))
        return;
    if (!h2->failed) {
        const ssize_t used = nghttp2_session_mem_recv(h2->session, conn->in->bytes + conn->in_from,
                                                      conn->in_to - conn->in_from);
        if (used < 0) {
            SL_MARK("h2 broken");
            h2->failed = true;
            conn->net->numbers.requests_bad++;
            if (used == NGHTTP2_ERR_FLOODED)
                sl_h2_calm_down(h2);
            else
                conn->ending = true; /* its first bytes were no HTTP/2 at all, or memory is out */
        }
    }
    conn->in_from = conn->in_to;
    conn->arriving_since_ns = sl_h2_arriving_since(http);
}

/* ---- Out ------------------------------------------------------------------------------------ */

/* The session has ended, in good order or by an error: what is still in work has no reader. */
static void give_up(struct http_conn *http)
{
    http->conn.ending = true;
    http->conn.windowed = 0;
    sl_conn_touch(&http->conn);
    for (struct http_request *r = http->first; r; r = r->next) {
        r->h2.open = false;
        r->stream.dead = true;
        http->conn.tell = true;
    }
}

static void h2_flush(struct conn *conn)
{
    struct http_conn *http = http_of(conn);
    struct h2 *h2 = http->h2;
    const uint8_t *bytes = NULL;

    if (conn->writing || conn->ending)
        return;
    while (conn->out.len < H2_OUT_TARGET) {
        const ssize_t len = nghttp2_session_mem_send(h2->session, &bytes);
        if (len < 0)
            conn->drop = true;
        if (len <= 0)
            break;
        sl_buf_append(sl_conn_out(conn), bytes, (size_t)len);
    }
    conn->arriving_since_ns = sl_h2_arriving_since(http);
    if (conn->out.len >= H2_OUT_TARGET) {
        sl_conn_again(conn);
        return;
    }
    if (h2->said_goaway && !http->first)
        conn->ending = true;
    if (!nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session))
        give_up(http);
    conn->deaf |= conn->ending;
}

/* ---- Ends ----------------------------------------------------------------------------------- */

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    struct http_request *r = nghttp2_session_get_stream_user_data(session, id);

    (void)code;
    (void)context;
    if (!r)
        return 0;
    struct conn *conn = &r->http->conn;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    r->h2.open = false;
    conn->windowed -= r->held.len - r->h2.sent;
    r->h2.sent = r->held.len;
    sl_conn_touch(conn);
    if (r->answered || !r->h2.dispatched) {
        if (!r->h2.dispatched)
            r->http->h2->body_bytes -= r->body.len;
        sl_h2_drop(r);
        return 0;
    }
    SL_MARK("h2 reset in work");
    r->stream.dead = true;
    conn->tell = true;
    return 0;
}

/* Who was answered before all of his body had come shall not send the rest. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct h2 *h2 = context;

    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        const struct http_request *r =
            nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (r && !r->h2.whole)
            nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                      NGHTTP2_NO_ERROR);
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        h2->said_goaway = true;
    }
    return 0;
}

static void h2_closed(struct conn *conn)
{
    struct http_conn *http = http_of(conn);
    struct http_request *r = http->first;

    nghttp2_session_del(http->h2->session);
    http->h2->session = NULL;
    conn->windowed = 0;
    while (r) {
        struct http_request *next = r->next;
        r->h2.open = false;
        if (r->answered || !r->h2.dispatched)
            sl_h2_drop(r);
        r = next;
    }
}

static void h2_late(struct conn *conn)
{
    const int64_t since_ns = sl_h2_arriving_since(http_of(conn));
    struct http_request *r = http_of(conn)->first;

    while (r && (r->h2.dispatched || r->h2.since_ns != since_ns))
        r = r->next;
    if (r && r->h2.head_whole)
        sl_h2_refuse(r, &(struct sl_http_fault){408, "request_too_slow",
                                                "the request did not arrive whole in time"});
    else if (r)
        conn->drop = true; /* in the middle of a head there is nothing that can be said */
}

static void h2_stop(struct conn *conn)
{
    struct http_conn *http = http_of(conn);
    struct h2 *h2 = http->h2;

    for (struct http_request *r = http->first; r; r = r->next)
        if (r->is_stream) {
            r->stream.dead = true;
            conn->tell = true;
        }
    nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(h2->session), NGHTTP2_NO_ERROR,
                          NULL, 0);
}

static void h2_free(struct conn *conn)
{
    struct http_conn *http = http_of(conn);

    nghttp2_session_del(http->h2->session);
    free(http->h2);
    http->h2 = NULL;
    sl_http_free(conn);
}

/* ---- The beginning -------------------------------------------------------------------------- */

static const struct protocol h2_protocol = {
    .receive = h2_receive,
    .flush = h2_flush,
    .gone = sl_http_gone,
    .closed = h2_closed,
    .late = h2_late,
    .beat = sl_http_beat,
    .stop = h2_stop,
    .free = h2_free,
    .idle_limited = true,
};

static bool open_session(struct h2 *h2)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    bool good = nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0;

    if (good) {
        sl_h2_set_request_callbacks(callbacks);
        nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
        nghttp2_option_set_max_outbound_ack(option, H2_ACKS_MAX);
        nghttp2_option_set_stream_reset_rate_limit(option, H2_RESETS_BURST, H2_RESETS_PER_SECOND);
        good = nghttp2_session_server_new2(&h2->session, callbacks, h2, option) == 0;
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return good;
}

static bool say_settings(struct h2 *h2)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h2->http->conn.net->options.head_bytes_max},
    };

    return nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof *settings) == 0 &&
           nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                                 H2_CONNECTION_WINDOW) == 0;
}

void sl_h2_start(struct http_conn *http)
{
    struct h2 *h2 = calloc(1, sizeof *h2);

    if (!h2) {
        http->conn.drop = true;
        return;
    }
    h2->http = http;
    if (!open_session(h2) || !say_settings(h2)) {
        nghttp2_session_del(h2->session);
        free(h2);
        http->conn.drop = true;
        return;
    }
    http->h2 = h2;
    http->conn.protocol = &h2_protocol;
    http->conn.pipeline_max = 2 * H2_STREAMS_MAX;
    sl_conn_touch(&http->conn);
}
