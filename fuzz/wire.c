/* The handlers and the loop behind wire.h. */
#include "wire.h"

#include "base/env_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BIG_BYTES = 300000, BODY_MAX = 64 << 10, HEAD_MAX = 4096, TURNS_MAX = 1000 };

/* ---- HTTP ------------------------------------------------------------------------------------ */

static bool has_break(struct sl_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\r' || text.ptr[i] == '\n' || text.ptr[i] == '\0')
            return true;
    return false;
}

static void check_request(const struct sl_request *r)
{
    SL_ASSERT(r->method >= SL_GET && r->method <= SL_QUERY, "a method we know");
    SL_ASSERT(r->path.len > 0 && (r->path.ptr[0] == '/' || r->path.ptr[0] == '*'), "a path");
    SL_ASSERT(!memchr(r->path.ptr, 0, r->path.len), "no NUL in a path");
    SL_ASSERT(!memmem(r->path.ptr, r->path.len, "/../", 4), "no way up in a path");
    SL_ASSERT(!has_break(r->raw_path) && !has_break(r->query) && !has_break(r->host), "one line");
    SL_ASSERT(r->header_count <= 100 && r->body.len <= BODY_MAX, "limits");
    for (uint32_t i = 0; i < r->header_count; i++) {
        const struct sl_header *header = &r->headers[i];
        SL_ASSERT(header->name.len > 0 && !has_break(header->name), "a name");
        SL_ASSERT(!has_break(header->value), "a value in one line");
        for (size_t c = 0; c < header->name.len; c++)
            SL_ASSERT(header->name.ptr[c] < 'A' || header->name.ptr[c] > 'Z', "lower-case");
    }
}

static void note_request(struct wire *wire, const struct sl_request *r)
{
    struct sl_buf *seen = &wire->seen;

    sl_buf_printf(seen, "%d ", r->method);
    sl_buf_text(seen, r->path);
    sl_buf_byte(seen, '?');
    sl_buf_text(seen, r->query);
    sl_buf_byte(seen, ' ');
    sl_buf_text(seen, r->host);
    for (uint32_t i = 0; i < r->header_count; i++) {
        sl_buf_byte(seen, '\t');
        sl_buf_text(seen, r->headers[i].name);
        sl_buf_byte(seen, ':');
        sl_buf_text(seen, r->headers[i].value);
    }
    sl_buf_byte(seen, '\t');
    sl_buf_text(seen, r->body);
    sl_buf_byte(seen, '\n');
}

static void on_gone(struct sl_request *request)
{
    request->gone = NULL; /* once */
    request->user = NULL;
}

static void answer(struct sl_request *request)
{
    static char big[BIG_BYTES];
    const struct sl_text path = request->path;
    const char last = path.ptr[path.len - 1];
    char number[32];

    if (last == 's' && request->method == SL_GET) {
        struct sl_stream *stream = sl_request_stream(request, SL_TEXT("X-A: b\r\n"));
        sl_stream_send(stream, SL_TEXT("1"), SL_TEXT("row"), SL_TEXT("a\nb"));
        sl_stream_send(stream, SL_TEXT(""), SL_TEXT(""), SL_TEXT(""));
        sl_stream_end(stream);
        return;
    }
    const int len = snprintf(number, sizeof number, "%zu", request->body.len);
    const struct sl_text body = {last == 'b' ? big : number,
                                 last == 'b' ? sizeof big : (size_t)len};
    sl_request_answer(request, last == 'n' ? 204 : 200, last == 'n' ? NULL : "text/plain",
                      SL_TEXT("X-A: b\r\n"), last == 'n' ? SL_TEXT("") : body);
}

static void on_request(void *context, struct sl_request *request)
{
    struct wire *wire = context;

    check_request(request);
    note_request(wire, request);
    request->gone = on_gone;
    request->user = wire;
    if (request->path.ptr[request->path.len / 2] == 'l' && wire->later_count < WIRE_LATER_MAX)
        wire->later[wire->later_count++] = request;
    else
        answer(request);
}

/* ---- RESP ------------------------------------------------------------------------------------ */

static enum sl_resp_result on_command(void *context, struct sl_resp_command *command)
{
    struct wire *wire = context;
    const struct sl_text name = command->words[0];

    SL_ASSERT(command->word_count > 0 && command->word_count <= 8192, "M1");
    for (uint32_t i = 0; i < command->word_count; i++) {
        sl_buf_text(&wire->seen, command->words[i]);
        sl_buf_byte(&wire->seen, '\t');
    }
    sl_buf_byte(&wire->seen, '\n');
    if (name.len > 0 && name.ptr[0] == 'l' && wire->later_count < WIRE_LATER_MAX) {
        wire->later[wire->later_count++] = command;
        return SL_RESP_LATER;
    }
    sl_resp_bulk(command->out, name);
    return name.len > 0 && name.ptr[0] == 'q' ? SL_RESP_CLOSE : SL_RESP_DONE;
}

static void finish(struct sl_resp_command *command)
{
    sl_resp_integer(command->out, command->word_count);
    sl_resp_finish(command);
}

/* ---- The loop -------------------------------------------------------------------------------- */

void wire_open(struct wire *wire, enum wire_kind kind, const struct sl_tls *tls, bool h2)
{
    static struct sl_env *env;
    int ends[2];

    *wire = (struct wire){.kind = kind};
    if (!env)
        SL_ASSERT(sl_env_sim_new(1, &env) == SL_OK);
    const struct sl_net_options options = {
        .env = env, .tls = tls, .body_bytes_max = BODY_MAX, .head_bytes_max = HEAD_MAX};
    SL_ASSERT(sl_net_new(&options, &wire->net, NULL) == SL_OK);
    SL_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    wire->fd = ends[0];
    wire->listener = (struct listener){
        .net = wire->net,
        .http = on_request,
        .http_context = wire,
        .resp = {.command = on_command, .context = wire},
    };
    struct conn *conn =
        kind == WIRE_HTTP ? sl_http_accept(&wire->listener) : sl_resp_accept(&wire->listener);
    SL_ASSERT(conn);
    uv_pipe_init(&wire->net->loop, &conn->uv.pipe, 0);
    conn->net = wire->net;
    sl_conn_start(conn);
    SL_ASSERT(uv_pipe_open(&conn->uv.pipe, ends[1]) == 0);
    if (tls)
        SL_ASSERT(sl_tls_start(conn, tls));
    if (h2)
        conn->protocol->secured(conn, SL_TEXT("h2"));
    wire->conn = conn;
    wire_turn(wire);
}

static size_t drain(struct wire *wire)
{
    uint8_t bytes[16384];
    size_t sum = 0;

    for (;;) {
        const ssize_t len = recv(wire->fd, bytes, sizeof bytes, 0);
        if (len <= 0)
            return sum;
        sl_buf_append(&wire->got, bytes, (size_t)len);
        sum += (size_t)len;
    }
}

void wire_turn(struct wire *wire)
{
    uint64_t before;
    bool helped;
    int turns = 0;

    do {
        before = wire->net->numbers.bytes_in;
        uv_run(&wire->net->loop, UV_RUN_NOWAIT);
        helped = false;
        while (sl_sim_step(wire->net->options.env)) /* who packs, and who shakes hands */
            helped = true;
        SL_ASSERT(++turns < TURNS_MAX, "a loop that comes to rest");
    } while (drain(wire) > 0 || wire->net->numbers.bytes_in != before || helped);
}

void wire_answer(struct wire *wire)
{
    while (wire->later_count > 0) {
        void *each = wire->later[--wire->later_count];
        if (wire->kind == WIRE_HTTP)
            answer(each);
        else
            finish(each);
    }
    wire_turn(wire);
}

bool wire_send(struct wire *wire, const uint8_t *bytes, size_t len)
{
    bool stuck = false;

    while (len > 0) {
        const ssize_t sent = send(wire->fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            if (stuck)
                return false;
            stuck = true;
            wire_answer(wire);
            continue;
        }
        if (sent < 0)
            return false;
        stuck = false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

void wire_close(struct wire *wire)
{
    wire_turn(wire);
    shutdown(wire->fd, SHUT_WR);
    wire_turn(wire);
    wire_answer(wire);
    wire_answer(wire); /* what was let in when the first were answered */
    close(wire->fd);
    wire_turn(wire);
    wire_answer(wire);
    sl_net_stop(wire->net, 0);
    wire_turn(wire);
    SL_ASSERT(wire->later_count == 0 && !wire->net->conns, "nothing of it is left");
    SL_ASSERT(wire->net->numbers.connections_now == 0, "nobody is counted");
    sl_net_free(wire->net);
    sl_buf_close(&wire->got);
    sl_buf_close(&wire->seen);
}
