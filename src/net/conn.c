/*
 * A connection's bytes: in by blocks, out by one write a turn.
 *
 * Closing: what we end ourselves is first written out, then shut down, then read until the peer
 * closes too or LINGER_MS have passed; closing at once would, when the peer is still sending, reset
 * the connection and take back the answer that said why.
 */
#include "net/conn.h"
#include "net/tls.h"

#include <stdlib.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct conn *conn = handle->data;

    (void)suggested;
    if (conn->tls) {
        uint8_t *room = sl_tls_room(conn->net);
        *out = uv_buf_init((char *)room, room ? TLS_RECEIVE_BYTES : 0);
        return;
    }
    if (!sl_block_make_room(conn)) {
        *out = uv_buf_init(NULL, 0); /* reported as UV_ENOBUFS */
        return;
    }
    const size_t room = conn->in->size - conn->in_to;
    *out = uv_buf_init((char *)conn->in->bytes + conn->in_to, (unsigned)room);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes);

static void set_reading(struct conn *conn, bool reading)
{
    if (conn->reading == reading)
        return;
    conn->reading = reading;
    if (!reading)
        uv_read_stop(&conn->uv.stream);
    else if (uv_read_start(&conn->uv.stream, on_alloc, on_read) != 0)
        conn->drop = true;
}

void sl_conn_receive(struct conn *conn, size_t fresh)
{
    if (conn->receiving)
        return;
    conn->fresh = fresh;
    conn->receiving = true;
    if (!conn->deaf)
        conn->protocol->receive(conn);
    conn->receiving = false;
    if (conn->deaf)
        conn->in_from = conn->in_to;
    /* Often all was answered: the block, still in the processor's cache, goes to the next one. */
    if (conn->in && conn->in_from == conn->in_to && conn->in->refs == 1)
        sl_block_release(conn);
}

/* libuv reports a reset that came together with bytes as their plain end. */
static bool was_reset(const struct conn *conn)
{
    uv_os_fd_t fd;
    int error = 0;
    socklen_t len = sizeof error;

    return uv_fileno(&conn->uv.handle, &fd) != 0 ||
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0;
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes)
{
    struct conn *conn = stream->data;

    if (len == 0)
        return;
    sl_conn_touch(conn);
    if (len > 0) {
        conn->net->numbers.bytes_in += (uint64_t)len;
        if (conn->tls) {
            sl_tls_receive(conn, (const uint8_t *)bytes->base, (size_t)len);
        } else {
            conn->in_to += (size_t)len;
            sl_conn_receive(conn, (size_t)len);
        }
        if (conn->blocked || conn->drop || conn->away)
            set_reading(conn, false); /* at once: libuv would read on, and we would keep it */
        return;
    }
    conn->eof = true;
    set_reading(conn, false);
    if (len != UV_EOF || was_reset(conn))
        conn->drop = true;
    conn->protocol->gone(conn);
}

static void on_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;

    conn->handle_closed = true;
    sl_conn_release(conn);
}

void sl_conn_again(struct conn *conn)
{
    struct sl_net *net = conn->net;

    if (conn->again)
        return;
    conn->again = true;
    conn->next_again = NULL;
    if (net->again)
        net->last_again->next_again = conn;
    else
        net->again = conn;
    net->last_again = conn;
    uv_async_send(&net->async);
}

void sl_conn_touch(struct conn *conn)
{
    sl_net_wake(conn->net);
    if (conn->touched)
        return;
    conn->touched = true;
    conn->next_touched = conn->net->touched;
    conn->net->touched = conn;
}

void sl_conn_start(struct conn *conn)
{
    struct sl_net *net = conn->net;

    conn->uv.handle.data = conn;
    conn->out.bytes_max = OUT_MAX;
    conn->pipeline_max =
        net->options.pipeline_max > 0 ? net->options.pipeline_max : conn->protocol->pipeline_max;
    conn->next = net->conns;
    if (net->conns)
        net->conns->previous = conn;
    net->conns = conn;
    net->numbers.connections_now++;
    net->numbers.connections_total++;
    sl_conn_touch(conn);
}

void sl_conn_release(struct conn *conn)
{
    struct sl_net *net = conn->net;

    if (!conn->handle_closed || conn->in_work > 0 || conn->touched || conn->again ||
        conn->away)
        return;
    if (conn->previous)
        conn->previous->next = conn->next;
    else
        net->conns = conn->next;
    if (conn->next)
        conn->next->previous = conn->previous;
    sl_tls_free_conn(conn);
    conn->protocol->free(conn);
}

void sl_conn_close(struct conn *conn)
{
    if (conn->closed)
        return;
    conn->closed = true;
    conn->eof = true;
    conn->net->numbers.connections_now--;
    sl_wait_set(conn, WAIT_NONE, 0);
    sl_block_release(conn);
    sl_out_give(conn->net, &conn->out);
    uv_close(&conn->uv.handle, on_closed);
    sl_conn_touch(conn);
    conn->protocol->gone(conn);
    conn->protocol->closed(conn);
}

struct sl_buf *sl_conn_out(struct conn *conn)
{
    if (!conn->out.ptr)
        sl_out_take(conn->net, &conn->out);
    return &conn->out;
}

size_t sl_conn_backlog(const struct conn *conn)
{
    return conn->held_bytes + conn->out.len +
           (conn->writing ? uv_stream_get_write_queue_size(&conn->uv.stream) : 0);
}

void sl_conn_hold(struct conn *conn, size_t bytes)
{
    conn->held_bytes += bytes;
    if (conn->held_bytes > OUT_MAX) {
        SL_MARK("net held too much");
        conn->drop = true;
    }
}

bool sl_conn_has_room(struct conn *conn)
{
    if (conn->in_work < conn->pipeline_max && sl_conn_backlog(conn) < BACKLOG_MAX)
        return true;
    SL_MARK("net blocked");
    conn->blocked = true;
    return false;
}

/* ---- Writing ------------------------------------------------------------------------------ */

static void on_written(uv_write_t *request, int status)
{
    struct conn *conn = request->handle->data;

    conn->writing = false;
    sl_out_give(conn->net, &conn->sending);
    if (status < 0)
        conn->drop = true;
    sl_conn_touch(conn);
}

/* What the system does not take at once goes to libuv, with its memory; answers that come meanwhile
 * are collected behind it. False: the connection is broken. */
static bool write_out(struct conn *conn)
{
    if (conn->writing || conn->away)
        return true;
    if (conn->tls && !sl_tls_seal(conn))
        return false;
    struct sl_buf *out = conn->tls ? sl_tls_out(conn->tls) : &conn->out;
    if (out->len == 0)
        return true;
    uv_buf_t bytes = uv_buf_init((char *)out->ptr, (unsigned)out->len);
    const int tried = uv_try_write(&conn->uv.stream, &bytes, 1);
    if (tried < 0 && tried != UV_EAGAIN)
        return false;
    const size_t sent = tried > 0 ? (size_t)tried : 0;
    conn->added += out->len;
    conn->net->numbers.bytes_out += out->len; /* the rest follows or the connection is lost */
    if (sent == out->len) {
        sl_buf_reset(out);
        sl_out_give(conn->net, out);
        return true;
    }
    SL_MARK("net partial write");
    conn->sending = *out;
    *out = (struct sl_buf){.bytes_max = out->bytes_max};
    bytes = uv_buf_init((char *)conn->sending.ptr + sent, (unsigned)(conn->sending.len - sent));
    conn->writing = true;
    if (uv_write(&conn->write, &conn->uv.stream, &bytes, 1, on_written) == 0)
        return true;
    conn->writing = false;
    sl_buf_close(&conn->sending);
    return false;
}

void sl_conn_send(struct conn *conn)
{
    if (!conn->closed && !conn->drop && !conn->out.failed && conn->out.len > 0 && !write_out(conn))
        conn->drop = true;
}

/* ---- The end of a turn ---------------------------------------------------------------------- */

/* Bytes that the peer could have taken. Those that the system holds are asked for: it may hold
 * megabytes, and says that there is room again only when many of them have left. */
static size_t untaken(const struct conn *conn)
{
    uv_os_fd_t fd;
    int held = 0;

    if (uv_fileno(&conn->uv.handle, &fd) != 0 || ioctl(fd, SIOCOUTQ, &held) != 0 || held < 0)
        held = 0;
    return conn->windowed + (size_t)held +
           (conn->writing ? uv_stream_get_write_queue_size(&conn->uv.stream) : 0);
}

int64_t sl_conn_pay(struct conn *conn, int64_t since_ns, size_t bytes, uint32_t rate_min)
{
    const int64_t now_ns = sl_net_now(conn->net);
    const int64_t most = (int64_t)(bytes < OUT_MAX ? bytes : OUT_MAX);
    const int64_t paid_ns = most * 1000000000 / rate_min;

    return paid_ns < now_ns - since_ns ? since_ns + paid_ns : now_ns;
}

/* When the time limit of a reader began, given what it has taken since we last looked. */
static int64_t sending_since(struct conn *conn)
{
    const size_t queue = untaken(conn), before = conn->wait_queue + conn->added;

    conn->wait_queue = queue;
    conn->added = 0;
    conn->send_since_ns =
        sl_conn_pay(conn, conn->send_since_ns, before > queue ? before - queue : 0,
                    conn->net->options.send_rate_min);
    return conn->send_since_ns;
}

static void set_wait(struct conn *conn)
{
    const int64_t now_ns = sl_net_now(conn->net);

    if (conn->shut) {
        if (conn->wait != WAIT_LINGER)
            sl_wait_set(conn, WAIT_LINGER, now_ns);
    } else if (conn->writing || conn->more || conn->windowed > 0) {
        if (conn->wait != WAIT_SEND) {
            conn->send_since_ns = now_ns;
            conn->added = 0;
            conn->wait_queue = 0; /* nothing seems taken of what was there before */
        }
        sl_wait_set(conn, WAIT_SEND, sending_since(conn));
    } else if (conn->tls && sl_tls_shaking_since(conn->tls) > 0) {
        sl_wait_set(conn, WAIT_SHAKE, sl_tls_shaking_since(conn->tls));
    } else if (conn->arriving_since_ns > 0 && !conn->blocked && !conn->deaf) {
        sl_wait_set(conn, conn->in_head ? WAIT_HEAD : WAIT_REQUEST, conn->arriving_since_ns);
    } else if (conn->in_work == 0 && conn->protocol->idle_limited) {
        sl_wait_set(conn, WAIT_IDLE, now_ns);
    } else if (conn->streams > 0 && !conn->drop) {
        sl_wait_set(conn, WAIT_BEAT, now_ns);
    } else {
        sl_wait_set(conn, WAIT_NONE, 0);
    }
}

/* All is written and nothing more will be. */
static void finish(struct conn *conn)
{
    uv_os_fd_t fd;

    if (conn->eof || uv_fileno(&conn->uv.handle, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        sl_conn_close(conn);
        return;
    }
    conn->shut = true;
    conn->deaf = true;
}

void sl_conn_settle(struct conn *conn)
{
    if (conn->tell || conn->eof) {
        conn->tell = false;
        conn->protocol->gone(conn);
    }
    if (conn->closed) {
        sl_conn_release(conn);
        return;
    }
    if (conn->out.failed) {
        SL_MARK("net out of bounds");
        conn->net->numbers.dropped_slow++;
        conn->drop = true;
    }
    if (!conn->drop && conn->protocol->flush)
        conn->protocol->flush(conn);
    if (!conn->drop && !write_out(conn))
        conn->drop = true;
    if (!conn->drop && conn->blocked) {
        conn->blocked = false;
        if (conn->arriving_since_ns > 0)
            conn->arriving_since_ns = sl_net_now(conn->net); /* it was we who did not read */
        if (sl_conn_has_room(conn)) {
            sl_conn_touch(conn); /* what is answered now is written in another round */
            sl_conn_receive(conn, 0);
            if (conn->tls)
                sl_tls_resume(conn);
        }
    }
    const bool over = conn->shut ? conn->eof : conn->ending || (conn->eof && !conn->blocked);
    bool done = conn->in_work == 0 && conn->out.len == 0 && !conn->writing && !conn->away;
    if (!conn->drop && done && over && conn->tls) {
        sl_tls_say_end(conn);
        conn->drop = !write_out(conn);
        done = !conn->writing;
    }
    if (!conn->drop && done && over)
        finish(conn);
    if (conn->closed)
        return;
    if (!conn->drop)
        set_reading(conn, !conn->blocked && !conn->eof && !conn->away);
    if (conn->drop) {
        sl_conn_close(conn);
        return;
    }
    if (conn->in && conn->in_from == conn->in_to && conn->in_work == 0)
        sl_block_release(conn);
    set_wait(conn);
}

void sl_conn_expire(struct conn *conn, enum wait wait)
{
    sl_conn_touch(conn);
    if (wait == WAIT_SEND) {
        const int64_t limit_ns = conn->net->waits[WAIT_SEND].limit_ns;
        if (sending_since(conn) + limit_ns <= sl_net_now(conn->net)) {
            SL_MARK("net slow reader");
            conn->net->numbers.dropped_slow++;
            conn->drop = true;
        } else {
            sl_wait_set(conn, WAIT_SEND, conn->send_since_ns);
        }
    } else if (wait == WAIT_REQUEST || wait == WAIT_HEAD) {
        SL_MARK("net slow sender");
        conn->protocol->late(conn);
    } else if (wait == WAIT_BEAT) {
        conn->protocol->beat(conn);
    } else {
        conn->drop = true;
    }
}
