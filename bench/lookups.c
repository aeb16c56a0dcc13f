/*
 * One lookup after another on one RESP connection, at random keys: GET, wait for the whole reply,
 * next. Prints one line of JSON: how many, how many were no row, percentiles and the longest in
 * microseconds, and how many took at most so many microseconds (powers of two, from 32).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "samples.h"

#define REPLY_MAX 16384
#define BUCKETS 14 /* the last: 262 ms and more */

static int complain(const char *what)
{
    fprintf(stderr, "lookups: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

static int open_connection(int port)
{
    const int yes = 1;
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (made < 0 || connect(made, (const struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return made;
}

/* Reads "$LENGTH\r\n" and the row. 1: a row; 0: something else; -1: the connection ended. */
static int read_row(int connection)
{
    static char reply[REPLY_MAX];
    size_t have = 0;

    while (have < REPLY_MAX - 1) {
        const ssize_t got = read(connection, reply + have, REPLY_MAX - 1 - have);

        if (got <= 0)
            return -1;
        have += (size_t)got;
        reply[have] = '\0';
        const char *end = strstr(reply, "\r\n");
        if (!end)
            continue;
        if (reply[0] != '$' || reply[1] == '-')
            return 0;
        if (have >= (size_t)(end + 2 - reply) + strtoul(reply + 1, NULL, 10) + 2)
            return 1;
    }
    return -1;
}

static int measure(int connection, double seconds, unsigned accounts, struct samples *samples,
                   size_t *failed)
{
    const uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    uint64_t seed = end | 1;
    char request[64];

    while (now_ns() < end && samples->count < SAMPLES_MAX) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const int len =
            snprintf(request, sizeof request, "*2\r\n$3\r\nGET\r\n$25\r\nbank:balance:%012u\r\n",
                     (unsigned)(seed >> 33) % accounts);
        const uint64_t begun = now_ns();
        if (write(connection, request, (size_t)len) != len)
            return complain("cannot send");
        const int row = read_row(connection);
        if (row < 0)
            return complain("cannot read the reply");
        samples->ns[samples->count++] = now_ns() - begun;
        *failed += row == 0;
    }
    return EXIT_SUCCESS;
}

static double at_us(const struct samples *samples, double part)
{
    return samples->count ? (double)samples->ns[(size_t)(part * (double)(samples->count - 1))] / 1e3
                          : 0.0;
}

static void print(struct samples *samples, size_t failed)
{
    size_t counts[BUCKETS] = {0};

    qsort(samples->ns, samples->count, sizeof *samples->ns, samples_compare);
    for (size_t i = 0; i < samples->count; i++) {
        size_t bucket = 0;
        while (bucket + 1 < BUCKETS && samples->ns[i] > (uint64_t)32000 << bucket)
            bucket++;
        counts[bucket]++;
    }
    printf("{\"count\":%zu,\"failed\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
           "\"most_us\":%.1f,\"buckets\":[",
           samples->count, failed, at_us(samples, 0.5), at_us(samples, 0.99), at_us(samples, 0.999),
           at_us(samples, 1));
    for (size_t i = 0; i < BUCKETS; i++)
        printf("%s%zu", i ? "," : "", counts[i]);
    printf("]}\n");
}

int main(int argc, char **argv)
{
    static struct samples samples;
    size_t failed = 0;

    if (argc != 4 || strtoul(argv[3], NULL, 10) == 0) {
        fprintf(stderr, "usage: lookups PORT SECONDS ACCOUNTS\n");
        return 2;
    }
    const int connection = open_connection(atoi(argv[1]));
    if (connection < 0)
        return complain("cannot connect");
    const int code = measure(connection, strtod(argv[2], NULL),
                             (unsigned)strtoul(argv[3], NULL, 10), &samples, &failed);
    if (code == EXIT_SUCCESS)
        print(&samples, failed);
    close(connection);
    return code;
}
