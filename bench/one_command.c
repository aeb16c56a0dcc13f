/*
 * One durable command after another on one connection, as a plain program sends them: POST, wait
 * for the whole reply, next. No event loop, so that what is measured is the server and the kernel.
 * Prints one line: how many commands, how many were not 201, and percentiles in microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "samples.h"

#define REPLY_MAX 16384

struct client {
    int socket;
    int port;
    unsigned accounts;
    const char *run; /* makes the ids of this run its own */
    uint64_t sent;
    uint64_t seed;
    char request[1024];
    char reply[REPLY_MAX];
};

static int complain(const char *what)
{
    fprintf(stderr, "one_command: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

/* xorshift64*: any spread over the accounts will do. */
static unsigned pick(struct client *client, unsigned below)
{
    client->seed ^= client->seed >> 12;
    client->seed ^= client->seed << 25;
    client->seed ^= client->seed >> 27;
    return (unsigned)((client->seed * UINT64_C(2685821657736338717)) >> 33) % below;
}

static int write_request(struct client *client)
{
    const unsigned from = pick(client, client->accounts);
    const unsigned to = (from + 1 + pick(client, client->accounts - 1)) % client->accounts;
    char body[160];
    const int len = snprintf(
        body, sizeof body,
        "{\"from\":\"%012u\",\"to\":\"%012u\",\"amount\":%u,\"currency\":\"EUR\"}", from, to,
        100 + pick(client, 900));

    return snprintf(client->request, sizeof client->request,
                    "POST /bank/Transfer HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                    "Content-Type: application/json\r\nIdempotency-Key: %s-one-%" PRIu64 "\r\n"
                    "Content-Length: %d\r\n\r\n%s",
                    client->port, client->run, client->sent++, len, body);
}

/* Reads until the head and as many bytes as it announces are there; the status, or -1. */
static int read_reply(struct client *client)
{
    size_t have = 0;

    while (have < REPLY_MAX - 1) {
        const ssize_t got = read(client->socket, client->reply + have, REPLY_MAX - 1 - have);

        if (got <= 0)
            return -1;
        have += (size_t)got;
        client->reply[have] = '\0';
        const char *end = strstr(client->reply, "\r\n\r\n");
        const char *length = strstr(client->reply, "Content-Length: ");
        if (end && length && length < end) {
            const size_t head = (size_t)(end + 4 - client->reply);

            if (have >= head + strtoul(length + 16, NULL, 10))
                return atoi(client->reply + 9); /* "HTTP/1.1 201" */
        }
    }
    return -1;
}

static int open_connection(struct client *client)
{
    const int yes = 1;
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)client->port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    client->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->socket < 0 ||
        connect(client->socket, (const struct sockaddr *)&address, sizeof address) != 0)
        return complain("cannot connect");
    setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return EXIT_SUCCESS;
}

static int measure(struct client *client, double seconds, struct samples *samples, size_t *failed)
{
    const uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);

    while (now_ns() < end && samples->count < SAMPLES_MAX) {
        const int len = write_request(client);
        const uint64_t begun = now_ns();

        if (write(client->socket, client->request, (size_t)len) != len)
            return complain("cannot send");
        const int status = read_reply(client);
        if (status < 0)
            return complain("cannot read the reply");
        samples->ns[samples->count++] = now_ns() - begun;
        *failed += status != 201;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct samples samples;
    static struct client client;
    size_t failed = 0;

    if (argc != 5) {
        fprintf(stderr, "usage: one_command PORT SECONDS ACCOUNTS RUN\n");
        return 2;
    }
    client.port = atoi(argv[1]);
    client.accounts = (unsigned)strtoul(argv[3], NULL, 10);
    client.run = argv[4];
    client.seed = now_ns() | 1;
    if (client.accounts < 2) {
        fprintf(stderr, "one_command: a transfer needs two accounts\n");
        return 2;
    }
    int code = open_connection(&client);
    if (code == EXIT_SUCCESS)
        code = measure(&client, strtod(argv[2], NULL), &samples, &failed);
    if (code == EXIT_SUCCESS)
        samples_print(&samples, failed);
    if (client.socket >= 0)
        close(client.socket);
    return code;
}
