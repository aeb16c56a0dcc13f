/* Listeners: addresses, Unix sockets, and what becomes of those who connect. */
#include "net/conn.h"
#include "net/tls.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAITING_MAX = 1024, PROBE_AFTER_S = 300 };

/* ---- Accepting ------------------------------------------------------------------------------ */

static void on_refused_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Taken out of the system's queue and closed: left there, it would wake the loop for ever. */
static void refuse(struct listener *listener)
{
    uv_tcp_t *stream =
        malloc(sizeof(uv_tcp_t) > sizeof(uv_pipe_t) ? sizeof(uv_tcp_t) : sizeof(uv_pipe_t));

    listener->net->numbers.connections_refused++;
    if (!stream)
        return;
    if (listener->local)
        uv_pipe_init(&listener->net->loop, (uv_pipe_t *)(void *)stream, 0);
    else
        uv_tcp_init(&listener->net->loop, stream);
    (void)!uv_accept(&listener->uv.stream, (uv_stream_t *)stream);
    uv_close((uv_handle_t *)stream, on_refused_closed);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = stream->data;
    struct sl_net *net = listener->net;

    net->awake = true;
    if (status < 0)
        return;
    struct conn *conn = net->numbers.connections_now < net->options.connections_max
                            ? listener->accept(listener)
                            : NULL;
    if (!conn) {
        refuse(listener);
        return;
    }
    if (listener->local)
        uv_pipe_init(&net->loop, &conn->uv.pipe, 0);
    else
        uv_tcp_init(&net->loop, &conn->uv.tcp);
    conn->net = net;
    conn->local = listener->local;
    sl_conn_start(conn);
    const struct sl_tls *tls = listener->local ? NULL : net->options.tls;
    if (uv_accept(stream, &conn->uv.stream) != 0 || (tls && !sl_tls_start(conn, tls))) {
        sl_conn_close(conn);
        return;
    }
    if (!listener->local) {
        uv_tcp_nodelay(&conn->uv.tcp, 1);
        /* The kernel looks whether a silent peer still lives; no timer of ours does. */
        uv_tcp_keepalive(&conn->uv.tcp, 1, PROBE_AFTER_S);
    }
}

/* ---- Listening ------------------------------------------------------------------------------ */

static void on_gone(uv_handle_t *handle)
{
    free(handle->data);
}

static enum sl_err new_listener(struct sl_net *net, bool local, struct listener **out,
                                struct sl_error *error)
{
    struct listener *listener = calloc(1, sizeof *listener);

    if (!listener)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a listener");
    listener->net = net;
    listener->local = local;
    const int status = local ? uv_pipe_init(&net->loop, &listener->uv.pipe, 0)
                             : uv_tcp_init(&net->loop, &listener->uv.tcp);
    SL_ASSERT(status == 0);
    listener->uv.handle.data = listener;
    *out = listener;
    return SL_OK;
}

static void keep(struct listener *listener)
{
    listener->listening = true;
    listener->next = listener->net->listeners;
    listener->net->listeners = listener;
}

static enum sl_err fail_listen(struct sl_error *error, int status, const char *host, uint16_t port)
{
    switch (status) {
    case UV_EADDRINUSE:
        return sl_fail(error, SL_BUSY,
                       "port %u is taken: choose another with --port, or stop the program that "
                       "has it",
                       port);
    case UV_EACCES:
        errno = EACCES;
        return sl_fail(error, SL_IO, "may not listen on port %u: choose one above 1023", port);
    case UV_EADDRNOTAVAIL:
        return sl_fail(error, SL_INVALID, "this machine has no address %s", host);
    default:
        errno = -status;
        return sl_fail(error, SL_IO, "cannot listen on %s port %u", host, port);
    }
}

static enum sl_err find_address(const char *host, uint16_t port, struct sockaddr_storage *out,
                                struct sl_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found;
    char text[8];

    snprintf(text, sizeof text, "%u", port);
    const int status = getaddrinfo(host, text, &hints, &found);
    if (status != 0)
        return sl_fail(error, SL_INVALID, "%s is no address to listen on: %s", host,
                       gai_strerror(status));
    memcpy(out, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return SL_OK;
}

static uint16_t port_of(const uv_tcp_t *tcp)
{
    struct sockaddr_storage address = {0};
    int len = sizeof address;

    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&address, &len) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address)->sin_port);
}

static enum sl_err listen_tcp(struct sl_net *net, const char *host, uint16_t port,
                              struct listener **out, uint16_t *out_port, struct sl_error *error)
{
    struct sockaddr_storage address;
    struct listener *listener;
    enum sl_err err = find_address(host, port, &address, error);

    if (err == SL_OK)
        err = new_listener(net, false, &listener, error);
    if (err != SL_OK)
        return err;
    int status = uv_tcp_bind(&listener->uv.tcp, (const struct sockaddr *)&address, 0);
    if (status == 0)
        status = uv_listen(&listener->uv.stream, WAITING_MAX, on_connection);
    if (status != 0) {
        uv_close(&listener->uv.handle, on_gone);
        return fail_listen(error, status, host, port);
    }
    keep(listener);
    if (out_port)
        *out_port = port_of(&listener->uv.tcp);
    *out = listener;
    return SL_OK;
}

enum sl_err sl_http_listen(struct sl_net *net, const char *host, uint16_t port,
                           void (*handler)(void *context, struct sl_request *request),
                           void *context, uint16_t *out_port, struct sl_error *error)
{
    struct listener *listener;
    const enum sl_err err = listen_tcp(net, host, port, &listener, out_port, error);

    if (err != SL_OK)
        return err;
    listener->accept = sl_http_accept;
    listener->http = handler;
    listener->http_context = context;
    return SL_OK;
}

enum sl_err sl_resp_listen(struct sl_net *net, const char *host, uint16_t port,
                           const struct sl_resp_handler *handler, uint16_t *out_port,
                           struct sl_error *error)
{
    struct listener *listener;
    const enum sl_err err = listen_tcp(net, host, port, &listener, out_port, error);

    if (err != SL_OK)
        return err;
    listener->accept = sl_resp_accept;
    listener->resp = *handler;
    return SL_OK;
}

/* ---- Unix sockets --------------------------------------------------------------------------- */

/* Removes a socket that nobody listens on any more. */
static enum sl_err clear_path(const char *path, struct sl_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat info;

    if (lstat(path, &info) != 0)
        return errno == ENOENT ? SL_OK : sl_fail(error, SL_IO, "cannot look at %s", path);
    if (!S_ISSOCK(info.st_mode))
        return sl_fail(error, SL_INVALID, "%s is there already and is not a socket", path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return sl_fail(error, SL_IO, "cannot make a socket");
    memcpy(address.sun_path, path, strlen(path) + 1);
    /* A full queue (EAGAIN) has somebody behind it, too. */
    const int status = connect(fd, (const struct sockaddr *)&address, sizeof address);
    const bool lives = status == 0 || errno == EAGAIN || errno == EINPROGRESS;
    close(fd);
    if (lives)
        return sl_fail(error, SL_BUSY, "another process listens on %s", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return sl_fail(error, SL_IO, "cannot remove the old %s", path);
    return SL_OK;
}

enum sl_err sl_http_listen_unix(struct sl_net *net, const char *path,
                                void (*handler)(void *context, struct sl_request *request),
                                void *context, struct sl_error *error)
{
    struct listener *listener;

    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return sl_fail(error, SL_INVALID, "the path of a Unix socket has at most 107 bytes: %s",
                       path);
    enum sl_err err = clear_path(path, error);
    if (err == SL_OK)
        err = new_listener(net, true, &listener, error);
    if (err != SL_OK)
        return err;
    listener->accept = sl_http_accept;
    listener->http = handler;
    listener->http_context = context;
    int status = uv_pipe_bind(&listener->uv.pipe, path);
    /* Between bind and listen nobody can connect yet: no moment in which others might. */
    if (status == 0 && chmod(path, S_IRUSR | S_IWUSR) != 0)
        status = -errno;
    if (status == 0)
        status = uv_listen(&listener->uv.stream, WAITING_MAX, on_connection);
    if (status != 0) {
        uv_close(&listener->uv.handle, on_gone);
        errno = -status;
        return sl_fail(error, SL_IO, "cannot listen on %s", path);
    }
    keep(listener);
    return SL_OK;
}
