#include "client/secure.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A server that says nothing for so long is taken for gone; it answers within 60 s at most. */
enum { SILENCE_S = 75 };

void client_disconnect(struct sl_client *client)
{
    client_secure_end(client);
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

static enum sl_err connect_unix(struct sl_client *client, struct sl_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, client->socket, strlen(client->socket));
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        return sl_fail(error, SL_IO, "socket");
    if (connect(client->fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return SL_OK;
    const enum sl_err err =
        sl_fail(error, SL_IO, "no server answers at %s (start it: sluice serve)", client->socket);
    client_disconnect(client);
    return err;
}

static enum sl_err connect_tcp(struct sl_client *client, struct sl_error *error)
{
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char port[8];
    const int on = 1;

    snprintf(port, sizeof port, "%u", (unsigned)client->port);
    const int code = getaddrinfo(client->host, port, &wanted, &found);
    if (code != 0)
        return sl_fail(error, SL_NOT_FOUND, "%s: %s", client->host, gai_strerror(code));
    for (const struct addrinfo *at = found; at && client->fd < 0; at = at->ai_next) {
        client->fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (client->fd >= 0 && connect(client->fd, at->ai_addr, at->ai_addrlen) != 0) {
            const int why = errno;
            client_disconnect(client);
            errno = why;
        }
    }
    const int why = errno;
    freeaddrinfo(found);
    errno = why;
    if (client->fd < 0)
        return sl_fail(error, SL_IO, "no server answers at %s:%s", client->host, port);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return SL_OK;
}

enum sl_err client_connect(struct sl_client *client, struct sl_error *error)
{
    const struct timeval silence = {.tv_sec = SILENCE_S};

    if (client->fd >= 0)
        return SL_OK;
    enum sl_err err = client->socket ? connect_unix(client, error) : connect_tcp(client, error);
    if (err == SL_OK) {
        setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
        setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof silence);
    }
    if (err == SL_OK && client->tls)
        err = client_secure(client, error);
    if (err != SL_OK)
        client_disconnect(client);
    return err;
}

static enum sl_err send_all(struct sl_client *client, struct sl_error *error)
{
    size_t sent = 0;

    while (sent < client->request.len) {
        const uint8_t *bytes = client->request.ptr + sent;
        const size_t left = client->request.len - sent;
        const ssize_t n = client->tls ? client_secure_send(client, bytes, left)
                                      : send(client->fd, bytes, left, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return sl_fail(error, SL_IO, "sending failed");
        if (n > 0)
            sent += (size_t)n;
    }
    return SL_OK;
}

/* Some more bytes of the answer. */
static enum sl_err receive(struct sl_client *client, struct sl_error *error)
{
    enum { AT_ONCE = 16 << 10 };
    uint8_t *room = sl_buf_reserve(&client->answer, AT_ONCE);
    ssize_t n;

    if (!room)
        return sl_fail(error, SL_LIMIT, "the answer is larger than %zu bytes",
                       client->answer.bytes_max);
    do {
        n = client->tls ? client_secure_receive(client, room, AT_ONCE)
                        : recv(client->fd, room, AT_ONCE, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return sl_fail(error, SL_IO, "no answer");
    if (n == 0) {
        errno = ECONNRESET;
        return sl_fail(error, SL_IO, "the server closed the connection before it answered");
    }
    client->answer.len += (size_t)n;
    return SL_OK;
}

enum sl_err client_exchange(struct sl_client *client, struct client_head *out, size_t *out_head_len,
                            struct sl_error *error)
{
    enum sl_err err = send_all(client, error);
    const uint8_t *end = NULL;

    sl_buf_reset(&client->answer);
    while (err == SL_OK && !end) {
        err = receive(client, error);
        end = err == SL_OK ? memmem(client->answer.ptr, client->answer.len, "\r\n\r\n", 4) : NULL;
    }
    if (err != SL_OK)
        return err;
    const size_t head_len = (size_t)(end - client->answer.ptr) + 4;
    struct client_head head;
    err = client_read_head((struct sl_text){(const char *)client->answer.ptr, head_len}, &head,
                           error);
    while (err == SL_OK && client->answer.len < head_len + head.length)
        err = receive(client, error);
    /* The buffer may have moved. */
    if (err == SL_OK)
        err = client_read_head((struct sl_text){(const char *)client->answer.ptr, head_len}, out,
                               error);
    *out_head_len = head_len;
    return err;
}
