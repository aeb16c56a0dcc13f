/*
 * TLS 1.3 (RFC 8446) with OpenSSL, which here neither sees a socket nor waits for one.
 *
 * Bytes come from libuv into one room that all connections share; OpenSSL takes them from there by
 * a BIO of ours, and what it decrypts goes straight into the connection's block. So an idle
 * connection holds its keys and nothing else. Only when the protocol takes no more (back pressure)
 * are bytes that came already kept, in `left`, until it does. On the way out everything that a turn
 * has to send is sealed at once, into `out`, which then is the system's to write.
 *
 * A connection goes through
 *
 *     shaking   until the handshake is done, for at most handshake_ms; bytes of it are the
 *               shaker's, a thread of its own, because a signature may take a millisecond. While
 *               he has the connection (`away`) all of this file's part of it is his, and nothing
 *               is read or written
 *     up        bytes pass
 *     ended     we have said that nothing more comes (close_notify)
 *
 * or is broken: OpenSSL has said why in an alert, which is sent, and nothing after it. The peer's
 * close_notify closes its direction alone, as the end of a TCP stream does; a stream that ends
 * without one is taken the same way, because a request is whole by its own framing and one that is
 * not is dropped: truncation gains nothing.
 *
 * TLS 1.3 knows neither renegotiation nor compression. Early data is not taken: it can be replayed.
 */
#include "net/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_context.h"

enum { RECORD_HANDSHAKE = 22 };

struct tls_conn {
    struct sl_message message; /* first: to the shaker and back */
    SSL *ssl;
    struct conn *conn;
    const uint8_t *in; /* what OpenSSL takes from, while it is asked */
    size_t in_len;
    struct sl_buf left;
    struct sl_buf given; /* what the shaker takes from */
    struct sl_buf out;
    int64_t since_ns;
    int shaken; /* his answer: SSL_ERROR_NONE, SSL_ERROR_WANT_READ, or something else */
    bool heard; /* the first byte has come */
    bool up;
    bool ended;
    bool broken;
};

/* ---- What OpenSSL reads from and writes to -------------------------------------------------- */

static int take_bytes(BIO *bio, char *to, size_t len, size_t *out_len)
{
    struct tls_conn *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (tls->in_len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (len > tls->in_len)
        len = tls->in_len;
    memcpy(to, tls->in, len);
    tls->in += len;
    tls->in_len -= len;
    *out_len = len;
    return 1;
}

static int put_bytes(BIO *bio, const char *bytes, size_t len, size_t *out_len)
{
    struct tls_conn *tls = BIO_get_data(bio);

    if (!tls->out.ptr && !tls->conn->away)
        sl_out_take(tls->conn->net, &tls->out);
    SL_ASSERT(tls->out.ptr || (tls->out.capacity == 0 && tls->out.len == 0));
    sl_buf_append(&tls->out, bytes, len);
    if (tls->out.failed)
        return 0;
    *out_len = len;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *sl_tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice");

    if (!method)
        return NULL;
    BIO_meth_set_read_ex(method, take_bytes);
    BIO_meth_set_write_ex(method, put_bytes);
    BIO_meth_set_ctrl(method, control);
    return method;
}

/* ---- Life ----------------------------------------------------------------------------------- */

bool sl_tls_start(struct conn *conn, const struct sl_tls *context)
{
    struct tls_conn *tls = calloc(1, sizeof *tls);
    BIO *bio = tls ? BIO_new(context->method) : NULL;
    SSL *ssl = bio ? SSL_new(context->context) : NULL;

    if (!ssl) {
        BIO_free(bio);
        free(tls);
        return false;
    }
    tls->ssl = ssl;
    tls->conn = conn;
    tls->out.bytes_max = OUT_MAX * 2UL;
    tls->left.bytes_max = TLS_RECEIVE_BYTES;
    tls->since_ns = sl_net_now(conn->net);
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, conn);
    SSL_set_accept_state(ssl);
    conn->tls = tls;
    return true;
}

void sl_tls_free_conn(struct conn *conn)
{
    struct tls_conn *tls = conn->tls;

    if (!tls)
        return;
    SSL_free(tls->ssl);
    sl_buf_close(&tls->given);
    sl_buf_close(&tls->left);
    sl_buf_close(&tls->out);
    free(tls);
    conn->tls = NULL;
}

uint8_t *sl_tls_room(struct sl_net *net)
{
    if (!net->tls_room)
        net->tls_room = malloc(TLS_RECEIVE_BYTES);
    return net->tls_room;
}

struct sl_buf *sl_tls_out(struct tls_conn *tls)
{
    return &tls->out;
}

int64_t sl_tls_shaking_since(const struct tls_conn *tls)
{
    return tls->up || tls->broken ? 0 : tls->since_ns;
}

/* ---- In ------------------------------------------------------------------------------------- */

/* Nothing can be trusted any more. What the connection had to say cannot be said. */
static void fail(struct tls_conn *tls)
{
    struct conn *conn = tls->conn;

    SL_MARK("tls failed");
    conn->net->numbers.tls_failed++;
    tls->broken = true;
    tls->in_len = 0;
    conn->deaf = true;
    conn->ending = true;
    conn->arriving_since_ns = 0;
    conn->eof = conn->in_work > 0; /* who works for it is told */
    sl_conn_touch(conn);
}

/* The first byte is no TLS: somebody speaks in clear, and is told so in his own language. */
static bool is_clear(struct tls_conn *tls)
{
    const uint8_t first = tls->in[0];
    const struct sl_text says = tls->conn->protocol->says_tls;

    tls->heard = true;
    if (first == RECORD_HANDSHAKE)
        return false;
    if ((first >= ' ' && first < 0x7f) || first == '\r' || first == '\n') {
        SL_MARK("tls clear text");
        sl_out_take(tls->conn->net, &tls->out);
        sl_buf_text(&tls->out, says);
        fail(tls);
        return true;
    }
    return false;
}

static void shake_done(struct tls_conn *tls)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    struct conn *conn = tls->conn;

    tls->up = true;
    conn->net->numbers.tls_total++;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    if (conn->protocol->secured)
        conn->protocol->secured(conn, (struct sl_text){(const char *)name, len});
}

/* One record or less into the connection's block. False: there is nothing more for now. */
static bool open_one(struct tls_conn *tls)
{
    struct conn *conn = tls->conn;
    size_t len = 0;

    if (!sl_block_make_room(conn)) {
        conn->drop = true;
        return false;
    }
    ERR_clear_error();
    const int status =
        SSL_read_ex(tls->ssl, conn->in->bytes + conn->in_to, conn->in->size - conn->in_to, &len);
    if (!tls->up && SSL_is_init_finished(tls->ssl))
        shake_done(tls);
    if (status == 1) {
        conn->in_to += len;
        sl_conn_receive(conn, len);
        return true;
    }
    switch (SSL_get_error(tls->ssl, status)) {
    case SSL_ERROR_WANT_READ:
        return false;
    case SSL_ERROR_ZERO_RETURN:
        SL_MARK("tls peer ended");
        conn->eof = true;
        conn->protocol->gone(conn);
        return false;
    default:
        fail(tls);
        return false;
    }
}

static void open_records(struct tls_conn *tls)
{
    struct conn *conn = tls->conn;

    while (!tls->broken && !conn->drop && !conn->blocked && !conn->eof && open_one(tls))
        ;
    if (conn->in && conn->in_from == conn->in_to && conn->in->refs == 1)
        sl_block_release(conn);
}

static void keep_rest(struct tls_conn *tls)
{
    sl_buf_append(&tls->left, tls->in, tls->in_len);
    tls->in_len = 0;
    if (tls->left.failed)
        tls->conn->drop = true;
}

/* ---- The handshake --------------------------------------------------------------------------- */

/* On the shaker's thread. */
static void shake(void *self, struct sl_message *message)
{
    struct tls_conn *tls = (struct tls_conn *)(void *)message;

    (void)self;
    tls->in = tls->given.ptr;
    tls->in_len = tls->given.len;
    ERR_clear_error();
    const int status = SSL_do_handshake(tls->ssl);
    tls->shaken = status == 1 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, status);
    ERR_clear_error();
    sl_mailbox_post(message->reply_to, message);
}

static bool start_shaker(struct sl_net *net)
{
    const struct sl_actor actor = {.name = "tls-shaker", .step = shake, .background = true};
    struct sl_error error;

    return net->shaker || sl_env_start(net->options.env, &actor, &net->shaker, &error) == SL_OK;
}

/* False: it is done here, as far as these bytes go. */
static bool send_away(struct tls_conn *tls)
{
    struct conn *conn = tls->conn;

    if (tls->up || !start_shaker(conn->net))
        return false;
    SL_MARK("tls shaken elsewhere");
    sl_buf_reset(&tls->given);
    sl_buf_append(&tls->given, tls->in, tls->in_len);
    tls->in_len = 0;
    if (tls->given.failed) {
        conn->drop = true;
        return true;
    }
    conn->away = true;
    tls->message = (struct sl_message){.reply_to = conn->net->mailbox, .kind = NET_SHAKEN};
    sl_mailbox_post(conn->net->shaker, &tls->message);
    return true;
}

void sl_tls_shaken(struct sl_message *message)
{
    struct tls_conn *tls = (struct tls_conn *)(void *)message;
    struct conn *conn = tls->conn;

    conn->away = false;
    sl_conn_touch(conn);
    if (conn->closed)
        return; /* it is released when the turn ends */
    if (tls->shaken == SSL_ERROR_NONE) {
        shake_done(tls);
        open_records(tls); /* OpenSSL may have read ahead: also where no bytes are left */
        keep_rest(tls);
    } else if (tls->shaken != SSL_ERROR_WANT_READ) {
        fail(tls);
    }
    sl_buf_close(&tls->given);
}

void sl_tls_receive(struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct tls_conn *tls = conn->tls;

    if (tls->broken || conn->shut)
        return; /* it lingers */
    SL_ASSERT(tls->left.len == 0, "one reads only when nothing is left");
    tls->in = bytes;
    tls->in_len = len;
    if ((!tls->heard && is_clear(tls)) || send_away(tls))
        return;
    open_records(tls);
    keep_rest(tls);
}

void sl_tls_resume(struct conn *conn)
{
    struct tls_conn *tls = conn->tls;
    struct sl_buf left = tls->left;

    tls->left = (struct sl_buf){.bytes_max = TLS_RECEIVE_BYTES};
    tls->in = left.ptr;
    tls->in_len = left.len;
    open_records(tls);
    keep_rest(tls);
    sl_buf_close(&left);
}

/* ---- Out ------------------------------------------------------------------------------------ */

bool sl_tls_seal(struct conn *conn)
{
    struct tls_conn *tls = conn->tls;
    struct sl_buf *out = &conn->out;
    size_t sealed = 0;

    if (tls->broken)
        sl_buf_reset(out);
    if (out->len == 0 || !tls->up)
        return true;
    ERR_clear_error();
    const int status = SSL_write_ex(tls->ssl, out->ptr, out->len, &sealed);
    if (status != 1 || sealed != out->len)
        return false;
    sl_buf_reset(out);
    sl_out_give(conn->net, out);
    return true;
}

void sl_tls_say_end(struct conn *conn)
{
    struct tls_conn *tls = conn->tls;

    if (tls->ended || !tls->up || tls->broken)
        return;
    tls->ended = true;
    ERR_clear_error();
    if (SSL_shutdown(tls->ssl) < 0)
        tls->broken = true;
}
