/*
 * The loop.
 *
 * A turn: libuv waits until something happens and calls back for each event (bytes, mail, a signal,
 * the timer); what the callbacks do is handled at once, what they lead to is only noted:
 * connections are touched, `awake` is set. Then, once, the end of the turn: mail is handled, the
 * owner's `turn` closes its batch, time limits are looked at, and every touched connection is
 * settled, which writes its answers. Where settling let a waiting request in, there is another
 * round. At last the timer is armed for the earliest deadline there is, or stopped.
 *
 * The end of the turn is made behind the events (check) and once more before sleeping (prepare),
 * for the timer, which libuv calls in between. Both do nothing when nothing happened.
 */
#include "net/conn.h"
#include "net/http_gzip.h"
#include "net/tls.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const int64_t ms_ns = 1000000;

static void wake(void *context)
{
    struct sl_net *net = context;

    /* Cannot fail on a handle that is not closing, and senders are gone before it is. */
    uv_async_send(&net->async);
}

void sl_net_wake(struct sl_net *net)
{
    net->awake = true;
    (void)sl_net_now(net);
}

/* In the order in which they came, a few in a turn: whoever has asked for little is answered in
 * between. */
static void touch_again(struct sl_net *net)
{
    for (int i = 0; i < AGAIN_MAX && net->again; i++) {
        struct conn *conn = net->again;
        net->again = conn->next_again;
        conn->again = false;
        conn->due = true;
        sl_conn_touch(conn);
    }
    if (net->again)
        uv_async_send(&net->async);
}

static void on_async(uv_async_t *async)
{
    struct sl_net *net = async->data;

    sl_net_wake(net);
    touch_again(net);
}

static void on_timer(uv_timer_t *timer)
{
    struct sl_net *net = timer->data;

    net->now_ns = 0;
    net->armed_ns = INT64_MAX;
    sl_net_wake(net);
}

int64_t sl_net_now(struct sl_net *net)
{
    if (net->now_ns == 0)
        net->now_ns = sl_env_monotonic(net->options.env);
    return net->now_ns;
}

/* ---- The end of a turn -------------------------------------------------------------------- */

static void take_mail(struct sl_net *net)
{
    struct sl_message *message = sl_mailbox_take_all(net->mailbox);

    while (message) {
        struct sl_message *next = message->next;
        if (message->kind == NET_PACKED) {
            sl_http_packed(message);
        } else if (message->kind == NET_SHAKEN) {
            sl_tls_shaken(message);
        } else {
            SL_ASSERT(net->options.step, "T1");
            net->options.step(net->options.context, message);
        }
        message = next;
    }
}

static void settle_touched(struct sl_net *net)
{
    struct conn *conn = net->touched;

    net->touched = NULL;
    while (conn) {
        struct conn *next = conn->next_touched;
        conn->touched = false;
        sl_conn_settle(conn);
        conn = next;
    }
}

void sl_net_send(struct sl_net *net)
{
    for (struct conn *conn = net->touched; conn; conn = conn->next_touched)
        sl_conn_send(conn);
}

static void arm(struct sl_net *net)
{
    int64_t next_ns = sl_wait_next(net);

    if (net->turn_deadline_ns < next_ns)
        next_ns = net->turn_deadline_ns;
    if (net->stopping && net->stop_deadline_ns < next_ns)
        next_ns = net->stop_deadline_ns;
    if (next_ns == net->armed_ns)
        return;
    net->armed_ns = next_ns;
    if (next_ns == INT64_MAX) {
        uv_timer_stop(&net->timer);
        return;
    }
    /* libuv counts whole milliseconds: rounded so, the timer is never early, which would be a
     * wake-up for nothing. */
    const int64_t now_ms = sl_env_monotonic(net->options.env) / ms_ns;
    const int64_t left_ms = next_ns / ms_ns + (next_ns % ms_ns > 0) - now_ms;
    uv_update_time(&net->loop);
    uv_timer_start(&net->timer, on_timer, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

static void end_stop(struct sl_net *net)
{
    if (net->stop_deadline_ns <= sl_net_now(net))
        for (struct conn *conn = net->conns; conn; conn = conn->next)
            sl_conn_close(conn);
    if (net->numbers.connections_now == 0)
        uv_stop(&net->loop);
}

static void end_turn(struct sl_net *net)
{
    do {
        take_mail(net);
        if (net->options.turn)
            net->turn_deadline_ns = net->options.turn(net->options.context);
        sl_wait_expire(net, sl_net_now(net));
        net->awake = false;
        settle_touched(net);
        if (net->stopping)
            end_stop(net);
    } while (net->awake);
    arm(net);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct sl_net *net = prepare->data;

    if (net->awake)
        end_turn(net);
    net->numbers.wakeups++;
    if (net->now_ns > 0)
        sl_histogram_add(&net->turns, sl_env_monotonic(net->options.env) - net->now_ns);
    net->now_ns = 0;
}

static void on_check(uv_check_t *check)
{
    struct sl_net *net = check->data;

    if (net->awake)
        end_turn(net);
}

/* ---- Running and stopping -------------------------------------------------------------------- */

enum sl_err sl_net_run(struct sl_net *net, struct sl_error *error)
{
    net->running = true;
    net->awake = true; /* the owner may have had a deadline before anything came */
    const int status = uv_run(&net->loop, UV_RUN_DEFAULT);
    net->running = false;
    if (!net->stopping)
        return sl_fail(error, SL_IO, "the event loop ended by itself (%d)", status);
    return SL_OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;

    listener->listening = false;
}

static void close_listeners(struct sl_net *net)
{
    for (struct listener *each = net->listeners; each; each = each->next)
        if (each->listening && !uv_is_closing(&each->uv.handle))
            uv_close(&each->uv.handle, on_listener_closed);
}

void sl_net_stop(struct sl_net *net, int64_t grace_ms)
{
    const int64_t now_ns = sl_env_monotonic(net->options.env);
    const int64_t most_ms = (INT64_MAX - now_ns) / ms_ns - 1;
    const int64_t grace_ns = (grace_ms < most_ms ? grace_ms : most_ms) * ms_ns;
    const int64_t deadline_ns = now_ns + (grace_ns > 0 ? grace_ns : 0);

    net->awake = true;
    if (net->stopping) {
        if (deadline_ns < net->stop_deadline_ns)
            net->stop_deadline_ns = deadline_ns;
        return;
    }
    net->stopping = true;
    net->stop_deadline_ns = deadline_ns;
    close_listeners(net);
    for (struct conn *conn = net->conns; conn; conn = conn->next) {
        if (conn->closed)
            continue;
        conn->protocol->stop(conn);
        sl_conn_touch(conn);
    }
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct sl_net *net = signal->data;

    sl_net_wake(net);
    net->on_signal(net->signal_context, number);
}

enum sl_err sl_net_on_signal(struct sl_net *net, void (*handler)(void *context, int number),
                             void *context, struct sl_error *error)
{
    static const int numbers[3] = {SIGINT, SIGTERM, SIGHUP};

    SL_ASSERT(!net->has_signals);
    net->has_signals = true;
    net->on_signal = handler;
    net->signal_context = context;
    for (int i = 0; i < 3; i++) {
        uv_signal_init(&net->loop, &net->signals[i]);
        net->signals[i].data = net;
        const int status = uv_signal_start(&net->signals[i], on_signal, numbers[i]);
        if (status != 0)
            return sl_fail(error, SL_IO, "cannot catch signal %d: %s", numbers[i],
                           uv_strerror(status));
    }
    return SL_OK;
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void set_defaults(struct sl_net *net, const struct sl_net_options *options)
{
    struct sl_net_options *o = &net->options;

    *o = *options;
    o->connections_max = o->connections_max ? o->connections_max : 10000;
    o->head_bytes_max = o->head_bytes_max ? o->head_bytes_max : 16 << 10;
    o->body_bytes_max = o->body_bytes_max ? o->body_bytes_max : 16 << 20;
    o->idle_ms = o->idle_ms > 0 ? o->idle_ms : 75000;
    o->request_ms = o->request_ms > 0 ? o->request_ms : 30000;
    o->send_ms = o->send_ms > 0 ? o->send_ms : 30000;
    o->beat_ms = o->beat_ms > 0 ? o->beat_ms : 15000;
    o->head_ms = o->head_ms > 0 ? o->head_ms : 10000;
    o->body_rate_min = o->body_rate_min ? o->body_rate_min : 16 << 10;
    o->send_rate_min = o->send_rate_min ? o->send_rate_min : 1 << 10;
    o->handshake_ms = o->handshake_ms > 0 ? o->handshake_ms : 10000;
    net->waits[WAIT_IDLE].limit_ns = o->idle_ms * ms_ns;
    net->waits[WAIT_HEAD].limit_ns = o->head_ms * ms_ns;
    net->waits[WAIT_REQUEST].limit_ns = o->request_ms * ms_ns;
    net->waits[WAIT_SEND].limit_ns = o->send_ms * ms_ns;
    net->waits[WAIT_BEAT].limit_ns = o->beat_ms * ms_ns;
    net->waits[WAIT_SHAKE].limit_ns = o->handshake_ms * ms_ns;
    net->waits[WAIT_LINGER].limit_ns = LINGER_MS * ms_ns;
}

static void init_handles(struct sl_net *net)
{
    uv_timer_init(&net->loop, &net->timer);
    uv_prepare_init(&net->loop, &net->prepare);
    uv_check_init(&net->loop, &net->check);
    net->async.data = net->timer.data = net->prepare.data = net->check.data = net;
    uv_prepare_start(&net->prepare, on_prepare);
    uv_check_start(&net->check, on_check);
}

enum sl_err sl_net_new(const struct sl_net_options *options, struct sl_net **out,
                       struct sl_error *error)
{
    struct sl_net *net = calloc(1, sizeof *net);
    struct sl_header *headers = calloc(100, sizeof *headers);
    int status = net && headers ? uv_loop_init(&net->loop) : UV_ENOMEM;

    if (status != 0)
        goto fail;
    net->headers = headers;
    net->armed_ns = net->turn_deadline_ns = INT64_MAX;
    net->date_second = -1;
    set_defaults(net, options);
    status = sl_mailbox_new(wake, net, &net->mailbox) == SL_OK ? 0 : UV_ENOMEM;
    if (status == 0)
        status = uv_async_init(&net->loop, &net->async, on_async);
    if (status != 0) {
        sl_mailbox_free(net->mailbox);
        uv_loop_close(&net->loop);
        goto fail;
    }
    init_handles(net);
    signal(SIGPIPE, SIG_IGN);
    *out = net;
    return SL_OK;
fail:
    free(headers);
    free(net);
    return sl_fail(error, status == UV_ENOMEM ? SL_NO_MEMORY : SL_IO,
                   "cannot make an event loop: %s", uv_strerror(status));
}

struct sl_mailbox *sl_net_mailbox(struct sl_net *net)
{
    return net->mailbox;
}

const struct sl_histogram *sl_net_turns(const struct sl_net *net)
{
    return &net->turns;
}

struct sl_net_numbers sl_net_numbers(const struct sl_net *net)
{
    return net->numbers;
}

static void close_rest(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void free_listeners(struct sl_net *net)
{
    while (net->listeners) {
        struct listener *next = net->listeners->next;
        free(net->listeners);
        net->listeners = next;
    }
}

static void free_spares(struct sl_net *net)
{
    while (net->spare_blocks) {
        struct block *next = net->spare_blocks->next;
        free(net->spare_blocks);
        net->spare_blocks = next;
    }
    for (uint32_t i = 0; i < net->spare_out_count; i++)
        sl_buf_close(&net->spare_outs[i]);
    sl_http_free_spares(net);
    sl_resp_free_spares(net);
}

/* The threads that work for connections; before these go. */
static void stop_helpers(struct sl_net *net)
{
    const bool had_any = net->packer || net->shaker;

    sl_env_stop(net->options.env, net->packer);
    sl_env_stop(net->options.env, net->shaker);
    if (had_any)
        (void)sl_mailbox_take_all(net->mailbox); /* their answers: of others there is nothing */
    sl_http_forget_packings(net);
}

void sl_net_free(struct sl_net *net)
{
    if (!net)
        return;
    SL_ASSERT(!net->running);
    stop_helpers(net);
    for (struct conn *conn = net->conns; conn; conn = conn->next)
        sl_conn_close(conn);
    close_listeners(net);
    uv_walk(&net->loop, close_rest, NULL);
    uv_run(&net->loop, UV_RUN_DEFAULT);
    SL_ASSERT(uv_loop_close(&net->loop) == 0);
    while (net->conns) { /* those of which something was never answered */
        struct conn *conn = net->conns;
        net->conns = conn->next;
        sl_tls_free_conn(conn);
        conn->protocol->free(conn);
    }
    free_listeners(net);
    free_spares(net);
    sl_mailbox_free(net->mailbox);
    sl_http_free_gzip(net->gzip);
    free(net->tls_room);
    free(net->headers);
    free(net);
}
