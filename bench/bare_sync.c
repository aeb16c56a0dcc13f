/*
 * What the disk takes for one durable write, without anybody's program above it: 4 KiB by
 * pwrite(O_DIRECT|O_DSYNC), one after another, into a file that was filled with zeros before, as
 * the event log's segments are. Prints one line: how many writes, and percentiles in microseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "samples.h"

#define BLOCK_BYTES 4096
#define FILE_BLOCKS 16384 /* 64 MiB */
#define FILL_BLOCKS 256

static int complain(const char *what)
{
    fprintf(stderr, "bare_sync: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

/* Zeros that are on the disk: a later write then changes no metadata, and a sync is one write. */
static int fill(int fd, char *zeros)
{
    for (int i = 0; i < FILE_BLOCKS / FILL_BLOCKS; i++) {
        const off_t at = (off_t)i * FILL_BLOCKS * BLOCK_BYTES;

        if (pwrite(fd, zeros, FILL_BLOCKS * BLOCK_BYTES, at) != FILL_BLOCKS * BLOCK_BYTES)
            return complain("cannot fill the file");
    }
    return fsync(fd) == 0 ? EXIT_SUCCESS : complain("fsync");
}

static int measure(int fd, const char *block, double seconds, struct samples *samples)
{
    const uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);

    for (off_t i = 0; now_ns() < end && samples->count < SAMPLES_MAX; i++) {
        const uint64_t begun = now_ns();

        if (pwrite(fd, block, BLOCK_BYTES, i % FILE_BLOCKS * BLOCK_BYTES) != BLOCK_BYTES)
            return complain("cannot write");
        samples->ns[samples->count++] = now_ns() - begun;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct samples samples;
    char path[4096];
    void *memory = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: bare_sync FOLDER SECONDS\n");
        return 2;
    }
    if (posix_memalign(&memory, BLOCK_BYTES, FILL_BLOCKS * BLOCK_BYTES) != 0)
        return complain("no memory");
    memset(memory, 0, FILL_BLOCKS * BLOCK_BYTES);
    snprintf(path, sizeof path, "%s/bare_sync.tmp", argv[1]);
    const int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return complain(path);
    unlink(path);
    int code = fill(fd, memory);
    memset(memory, 0x5a, BLOCK_BYTES);
    if (code == EXIT_SUCCESS)
        code = measure(fd, memory, strtod(argv[2], NULL), &samples);
    if (code == EXIT_SUCCESS)
        samples_print(&samples, 0);
    close(fd);
    free(memory);
    return code;
}
