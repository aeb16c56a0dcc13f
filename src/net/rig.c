#include "net/rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- The server's side -------------------------------------------------------------------- */

struct call {
    struct sl_message message;
    void (*what)(struct rig *rig);
};

static void step(void *context, struct sl_message *message)
{
    struct call *call = (struct call *)message;
    struct rig *rig = context;

    call->what(rig);
    sl_mailbox_post(rig->done, message);
}

void rig_call(struct rig *rig, void (*what)(struct rig *rig))
{
    struct call call = {.what = what};

    sl_mailbox_post(sl_net_mailbox(rig->net), &call.message);
    sl_mailbox_wait(rig->done, INT64_MAX);
}

static void run(void *self, struct sl_message *message)
{
    struct rig *rig = self;
    struct sl_error error = {0};

    (void)message;
    rig->result = sl_net_run(rig->net, &error);
}

bool rig_start(struct rig *rig)
{
    struct sl_error error = {0};

    if (sl_env_posix_new(&rig->env, &error) != SL_OK ||
        sl_mailbox_new(NULL, NULL, &rig->done) != SL_OK)
        goto fail;
    rig->options.env = rig->env;
    rig->options.step = step;
    rig->options.context = rig;
    if (sl_net_new(&rig->options, &rig->net, &error) != SL_OK)
        goto fail;
    if (rig->handler &&
        sl_http_listen(rig->net, "127.0.0.1", 0, rig->handler, rig, &rig->http, &error) != SL_OK)
        goto fail;
    if (rig->unix_path &&
        sl_http_listen_unix(rig->net, rig->unix_path, rig->handler, rig, &error) != SL_OK)
        goto fail;
    rig->resp_handler.context = rig;
    if (rig->resp_handler.command &&
        sl_resp_listen(rig->net, "127.0.0.1", 0, &rig->resp_handler, &rig->resp, &error) != SL_OK)
        goto fail;
    const struct sl_actor actor = {.name = "net", .self = rig, .step = run};
    if (sl_env_start(rig->env, &actor, &rig->runner, &error) != SL_OK)
        goto fail;
    sl_mailbox_post(rig->runner, &rig->run);
    rig->running = true;
    return true;
fail:
    printf("# the rig does not start: %s\n", error.message);
    return false;
}

/* Written before the call that reads it is posted. */
static int64_t stop_grace_ms;

static void stop(struct rig *rig)
{
    sl_net_stop(rig->net, stop_grace_ms);
}

void rig_stop(struct rig *rig, int64_t grace_ms)
{
    if (!rig->running)
        return;
    stop_grace_ms = grace_ms;
    rig_call(rig, stop);
    rig_join(rig);
}

void rig_join(struct rig *rig)
{
    sl_env_stop(rig->env, rig->runner);
    rig->running = false;
    SL_ASSERT(rig->result == SL_OK);
}

void rig_close(struct rig *rig)
{
    rig_stop(rig, 0);
    sl_net_free(rig->net);
    sl_mailbox_free(rig->done);
    sl_env_free(rig->env);
}

/* ---- Clients ------------------------------------------------------------------------------ */

static int connect_to(int family, const struct sockaddr *address, socklen_t len, int receive_bytes)
{
    const struct timeval limit = {.tv_sec = 10};
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (receive_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    if (connect(fd, address, len) == 0)
        return fd;
    close(fd);
    return -1;
}

static int open_tcp(uint16_t port, int receive_bytes)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    const int fd =
        connect_to(AF_INET, (const struct sockaddr *)&address, sizeof address, receive_bytes);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

int client_open(uint16_t port)
{
    return open_tcp(port, 0);
}

int client_open_small(uint16_t port)
{
    return open_tcp(port, 4096);
}

int client_open_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return connect_to(AF_UNIX, (const struct sockaddr *)&address, sizeof address, 0);
}

bool client_send_bytes(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len > 0) {
        const ssize_t sent = send(fd, p, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        p += sent;
        len -= (size_t)sent;
    }
    return true;
}

bool client_send(int fd, const char *text)
{
    return client_send_bytes(fd, text, strlen(text));
}

bool client_expect(int fd, const char *want)
{
    static char got[65536];
    const size_t len = strlen(want);
    size_t have = 0;

    while (have < len) {
        const ssize_t n = recv(fd, got + have, len - have, 0);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    got[have] = '\0';
    if (have == len && memcmp(got, want, len) == 0)
        return true;
    printf("# got \"%s\" instead of \"%s\"\n", got, want);
    return false;
}

const char *client_until(int fd, const char *mark)
{
    static char got[1 << 16];
    size_t have = 0;

    while (have + 1 < sizeof got) {
        if (recv(fd, got + have, 1, 0) <= 0)
            return NULL;
        got[++have] = '\0';
        if (have >= strlen(mark) && strcmp(got + have - strlen(mark), mark) == 0)
            return got;
    }
    return NULL;
}

static char answer_head[1 << 16];

const char *client_head(void)
{
    return answer_head;
}

int client_answer(int fd, const char **out_body)
{
    static char body[1 << 21];
    const char *head = client_until(fd, "\r\n\r\n");

    *out_body = "";
    answer_head[0] = '\0';
    if (!head)
        return 0;
    memcpy(answer_head, head, strlen(head) + 1);
    const char *length = strstr(answer_head, "Content-Length: ");
    const size_t len = length ? strtoul(length + 16, NULL, 10) : 0;
    size_t have = 0;
    while (have < len && have + 1 < sizeof body) {
        const ssize_t n = recv(fd, body + have, len - have, 0);
        if (n <= 0)
            return 0;
        have += (size_t)n;
    }
    body[have] = '\0';
    *out_body = body;
    return atoi(answer_head + 9);
}

bool client_ended(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) == 0;
}
