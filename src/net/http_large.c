/*
 * Large answers, which no other request shall wait for.
 *
 * Two things about them take long. Packing is done by the packer, a thread that starts with the
 * first such answer; the request stays in work until the packed body comes back, by the net's
 * mailbox, and whoever left meanwhile was only left by a late answer. And what goes out is copied,
 * sealed and handed to the system: so a body above PIECE_BYTES stays in its request (`rest`) and
 * follows its head a piece a turn, and in a turn AGAIN_MAX connections send one (loop.c).
 *
 * A body that waits counts as held: who asks for more than he reads is read no further.
 */
#include "net/h2.h"
#include "net/http_gzip.h"

#include <stdlib.h>
#include <string.h>

enum { TYPE_BYTES = 64 };

/* One answer with the packer. Of the net's thread, but between post and answer the packer's, save
 * for the list. */
struct packing {
    struct sl_message message; /* first */
    struct packing *next, **link;
    struct http_request *r;
    int status;
    char type[TYPE_BYTES];
    struct sl_buf headers, body;
    size_t held; /* bytes that count as held meanwhile */
};

/* ---- The packer's thread --------------------------------------------------------------------- */

static void pack(void *self, struct sl_message *message)
{
    struct gzip **gzip = self;
    struct packing *packing = (struct packing *)(void *)message;
    struct sl_text headers = sl_buf_as_text(&packing->headers);
    struct sl_text body = sl_buf_as_text(&packing->body);

    if (sl_http_gzip(gzip, &headers, &body)) {
        struct sl_buf *out = sl_http_gzip_out(*gzip);
        sl_buf_close(&packing->body);
        packing->body = *out;
        *out = (struct sl_buf){0};
        SL_MARK("net packed elsewhere");
    } else {
        headers = sl_http_vary(gzip, headers);
    }
    if (headers.ptr != (const char *)packing->headers.ptr) {
        sl_buf_reset(&packing->headers);
        sl_buf_text(&packing->headers, headers);
    }
    sl_mailbox_post(message->reply_to, message);
}

/* ---- The net's ------------------------------------------------------------------------------- */

static bool start_packer(struct sl_net *net)
{
    const struct sl_actor actor = {
        .name = "packer", .self = &net->packer_gzip, .step = pack, .background = true};
    struct sl_error error;

    return net->packer || sl_env_start(net->options.env, &actor, &net->packer, &error) == SL_OK;
}

/* `to` gets the body: the memory itself, or a copy. */
static void take_body(struct sl_buf *to, struct sl_text body, struct sl_buf *owned)
{
    if (owned) {
        *to = *owned;
        *owned = (struct sl_buf){.bytes_max = owned->bytes_max};
    } else {
        sl_buf_text(to, body);
    }
    to->bytes_max = OUT_MAX;
}

static void free_packing(struct packing *packing)
{
    *packing->link = packing->next;
    if (packing->next)
        packing->next->link = packing->link;
    sl_buf_close(&packing->headers);
    sl_buf_close(&packing->body);
    free(packing);
}

bool sl_http_pack(struct http_request *r, int status, const char *content_type,
                  struct sl_text headers, struct sl_text body, struct sl_buf *owned)
{
    struct conn *conn = &r->http->conn;
    struct sl_net *net = conn->net;
    struct packing *packing = NULL;

    if (strlen(content_type) < TYPE_BYTES && start_packer(net))
        packing = calloc(1, sizeof *packing);
    if (!packing)
        return false;
    packing->message = (struct sl_message){.reply_to = net->mailbox, .kind = NET_PACKED};
    packing->r = r;
    packing->status = status;
    memcpy(packing->type, content_type, strlen(content_type));
    packing->held = body.len;
    packing->next = net->packings;
    packing->link = &net->packings;
    if (packing->next)
        packing->next->link = &packing->next;
    net->packings = packing;
    sl_buf_text(&packing->headers, headers);
    if (!packing->headers.failed)
        take_body(&packing->body, body, owned);
    if (packing->headers.failed || packing->body.failed) {
        free_packing(packing);
        return false;
    }
    r->packing = true;
    r->request.gone = NULL;
    sl_conn_hold(conn, packing->held);
    sl_conn_touch(conn);
    sl_mailbox_post(net->packer, &packing->message);
    return true;
}

void sl_http_packed(struct sl_message *message)
{
    struct packing *packing = (struct packing *)(void *)message;
    struct http_request *r = packing->r;
    struct conn *conn = &r->http->conn;

    r->packing = false;
    conn->held_bytes -= packing->held;
    conn->drop = conn->drop || packing->headers.failed;
    sl_http_send(r, packing->status, packing->type, sl_buf_as_text(&packing->headers),
                 sl_buf_as_text(&packing->body), &packing->body);
    free_packing(packing);
}

void sl_http_forget_packings(struct sl_net *net)
{
    for (struct packing *packing = net->packings, *next; packing; packing = next) {
        next = packing->next;
        free_packing(packing);
    }
    sl_http_free_gzip(net->packer_gzip);
}

/* ---- Pieces ---------------------------------------------------------------------------------- */

void sl_http_keep_rest(struct http_request *r, struct sl_text body, struct sl_buf *owned)
{
    SL_MARK("net answer in pieces");
    take_body(&r->rest, body, owned);
    if (r->rest.failed)
        r->http->conn.drop = true;
    r->rest_sent = 0;
    sl_conn_hold(&r->http->conn, r->rest.len);
}

void sl_http_flush(struct conn *conn)
{
    struct http_conn *http = (struct http_conn *)conn;
    const bool due = conn->due;

    conn->due = false;
    if (conn->writing)
        return; /* called again when the system has taken what it has */
    while (due && http->first && http->first->answered && conn->out.len < PIECE_BYTES) {
        struct http_request *r = http->first;
        const size_t left = r->rest.len - r->rest_sent, room = PIECE_BYTES - conn->out.len;
        const size_t piece = left < room ? left : room;

        sl_buf_append(sl_conn_out(conn), r->rest.ptr + r->rest_sent, piece);
        r->rest_sent += piece;
        conn->held_bytes -= piece;
        sl_http_advance(http);
    }
    conn->more = http->first && http->first->answered;
    if (conn->more)
        sl_conn_again(conn);
}

void sl_http_drop_rests(struct http_conn *http)
{
    for (struct http_request *r = http->first; r; r = r->next) {
        if (!r->answered)
            continue;
        http->conn.held_bytes -= r->rest.len - r->rest_sent;
        r->rest_sent = r->rest.len;
    }
    sl_http_advance(http);
}
