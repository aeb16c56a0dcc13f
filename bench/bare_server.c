/*
 * What sockets, wake-ups and the disk take for one durable command, without anybody's program
 * around them: a server for one connection at a time that reads whatever comes, writes 4 KiB
 * durably as bare_sync.c does, and answers with a fixed reply. Prints its port, then serves until
 * it is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_BYTES 4096
#define FILE_BLOCKS 16384 /* 64 MiB */

static const char reply[] = "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\n"
                            "Content-Length: 8\r\n\r\ndurable\n";

static int complain(const char *what)
{
    fprintf(stderr, "bare_server: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

/* Zeros that are on the disk: a later write then changes no metadata. */
static int fill(int fd, char *block)
{
    for (int i = 0; i < FILE_BLOCKS; i++)
        if (pwrite(fd, block, BLOCK_BYTES, (off_t)i * BLOCK_BYTES) != BLOCK_BYTES)
            return complain("cannot fill the file");
    return fsync(fd) == 0 ? EXIT_SUCCESS : complain("fsync");
}

static int listen_on_loopback(int *out_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) != 0 ||
        listen(listener, 8) != 0 || getsockname(listener, (struct sockaddr *)&address, &len) != 0)
        return -1;
    *out_port = ntohs(address.sin_port);
    return listener;
}

/* Sleeps in epoll_wait between requests, as servers do. Until the peer closes. */
static int serve(int peer, int fd, const char *block)
{
    static off_t next;
    char request[BLOCK_BYTES];
    struct epoll_event event = {.events = EPOLLIN};
    const int poll = epoll_create1(EPOLL_CLOEXEC), yes = 1;
    int code = EXIT_SUCCESS;

    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, peer, &event) != 0)
        return complain("epoll");
    while (code == EXIT_SUCCESS && epoll_wait(poll, &event, 1, -1) == 1 &&
           read(peer, request, sizeof request) > 0) {
        const off_t at = next++ % FILE_BLOCKS * BLOCK_BYTES;
        if (pwrite(fd, block, BLOCK_BYTES, at) != BLOCK_BYTES)
            code = complain("cannot write");
        else if (write(peer, reply, sizeof reply - 1) != sizeof reply - 1)
            code = complain("cannot answer");
    }
    close(poll);
    return code;
}

int main(int argc, char **argv)
{
    char path[4096];
    void *block = NULL;
    int port = 0, code = EXIT_SUCCESS;

    if (argc != 2) {
        fprintf(stderr, "usage: bare_server FOLDER\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/bare_server.data", argv[1]);
    if (posix_memalign(&block, BLOCK_BYTES, BLOCK_BYTES) != 0)
        return complain("no memory");
    memset(block, 0, BLOCK_BYTES);
    const int plain = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (plain < 0 || fill(plain, block) != EXIT_SUCCESS)
        return complain(path);
    const int fd = open(path, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
    const int listener = listen_on_loopback(&port);
    if (fd < 0 || listener < 0)
        return complain("cannot begin");
    printf("%d\n", port);
    fflush(stdout);
    while (code == EXIT_SUCCESS) {
        const int peer = accept(listener, NULL, NULL);
        if (peer < 0)
            return complain("accept");
        code = serve(peer, fd, block);
        close(peer);
    }
    return code;
}
