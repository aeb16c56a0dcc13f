#include "base/env_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * Why a file may have two descriptors: SL_OPEN_DIRECT wants writes past the page cache, which
 * O_DIRECT gives for whole blocks only, and reads of anything, which it does not. Reads, sizes,
 * syncs and locks use `fd`; whole-block writes use `direct_fd`, and the kernel drops what its cache
 * held of those blocks. Where the file system knows no O_DIRECT, everything goes through `fd`.
 */
struct posix_file {
    struct sl_file file;
    int fd;
    int direct_fd; /* -1: none */
    char path[];   /* for messages */
};

static const struct sl_file_ops file_ops;

/* 0: write and sync in one call works, as far as is known. One answer for all files: a kernel knows
 * RWF_DSYNC or it does not; a file system that alone refuses makes the others two calls slower
 * only. */
static atomic_bool dsync_refused;

enum { DIRECT_ALIGN = 4096 };

enum sl_err posix_fail(struct sl_error *error, const char *operation, const char *path)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return sl_fail(error, SL_NOT_FOUND, "cannot %s %s: no such file or folder", operation,
                       path);
    case EEXIST:
        return sl_fail(error, SL_CONFLICT, "cannot %s %s: it exists already", operation, path);
    case ENOTEMPTY:
        return sl_fail(error, SL_CONFLICT, "cannot %s %s: it is not empty", operation, path);
    case EISDIR:
        return sl_fail(error, SL_INVALID, "cannot %s %s: it is a folder", operation, path);
    case ENOSPC:
        return sl_fail(error, SL_LIMIT, "cannot %s %s: the disk is full", operation, path);
    case EDQUOT:
        return sl_fail(error, SL_LIMIT, "cannot %s %s: the disk quota is used up", operation, path);
    case ENOMEM:
        return sl_fail(error, SL_NO_MEMORY, "cannot %s %s: no memory", operation, path);
    default:
        return sl_fail(error, SL_IO, "cannot %s %s", operation, path);
    }
}

static int open_again(const char *path, int flags)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    return fd;
}

enum sl_err posix_open(struct sl_env *env, const char *path, unsigned flags, struct sl_file **out,
                       struct sl_error *error)
{
    const size_t path_size = strlen(path) + 1;
    struct posix_file *posix = malloc(sizeof *posix + path_size);

    (void)env;
    if (!posix)
        return sl_fail(error, SL_NO_MEMORY, "cannot open %s: no memory", path);
    posix->file = (struct sl_file){&file_ops, flags};
    posix->direct_fd = -1;
    memcpy(posix->path, path, path_size);

    const int how = (flags & SL_OPEN_WRITE ? O_RDWR : O_RDONLY) |
                    (flags & SL_OPEN_CREATE ? O_CREAT : 0) |
                    (flags & SL_OPEN_EXCLUSIVE ? O_EXCL : 0);
    posix->fd = open_again(path, how);
    if (posix->fd < 0) {
        free(posix);
        return posix_fail(error, "open", path);
    }
    struct stat status;
    if (fstat(posix->fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        /* The kernel refuses this itself only for writing. */
        close(posix->fd);
        free(posix);
        errno = EISDIR;
        return posix_fail(error, "open", path);
    }
    if ((flags & SL_OPEN_DIRECT) && (flags & SL_OPEN_WRITE))
        posix->direct_fd = open_again(path, O_RDWR | O_DIRECT);
    *out = &posix->file;
    return SL_OK;
}

static void posix_close(struct sl_file *file)
{
    struct posix_file *posix = (struct posix_file *)file;

    /* Errors of close say nothing that sync did not say before. */
    if (posix->direct_fd >= 0)
        close(posix->direct_fd);
    close(posix->fd);
    free(posix);
}

static enum sl_err posix_read(struct sl_file *file, uint64_t offset, void *bytes, size_t len,
                              size_t *out_len, struct sl_error *error)
{
    const struct posix_file *posix = (const struct posix_file *)file;
    size_t done = 0;

    while (done < len) {
        const ssize_t got =
            pread(posix->fd, (uint8_t *)bytes + done, len - done, (off_t)(offset + done));

        if (got == 0)
            break;
        if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            return posix_fail(error, "read", posix->path);
    }
    *out_len = done;
    return SL_OK;
}

/* One write of a part, past the cache if the part is whole blocks. `*dsync` wants it durable at
 * once, and is cleared if the system does not offer that. */
static ssize_t write_part(const struct posix_file *posix, uint64_t offset, const uint8_t *bytes,
                          size_t len, bool *dsync)
{
    const bool whole = (offset | len | (uintptr_t)bytes) % DIRECT_ALIGN == 0;
    int fd = posix->direct_fd >= 0 && whole ? posix->direct_fd : posix->fd;

    for (;;) {
        ssize_t done;

        if (*dsync) {
            const struct iovec part = {(uint8_t *)(uintptr_t)bytes, len};
            done = pwritev2(fd, &part, 1, (off_t)offset, RWF_DSYNC);
        } else {
            done = pwrite(fd, bytes, len, (off_t)offset);
        }
        if (done >= 0 || errno == EINTR) {
            if (done >= 0)
                return done;
        } else if (*dsync && (errno == EOPNOTSUPP || errno == ENOSYS)) {
            atomic_store_explicit(&dsync_refused, true, memory_order_relaxed);
            *dsync = false;
        } else if (errno == EINVAL && fd != posix->fd) {
            fd = posix->fd; /* O_DIRECT could be opened, but wants larger blocks than ours */
        } else {
            return -1;
        }
    }
}

static enum sl_err sync_now(const struct posix_file *posix, struct sl_error *error)
{
    int status;

    do
        status = fdatasync(posix->fd);
    while (status < 0 && errno == EINTR);
    return status < 0 ? posix_fail(error, "sync", posix->path) : SL_OK;
}

static enum sl_err posix_write(struct sl_file *file, uint64_t offset, const void *bytes, size_t len,
                               bool durable, struct sl_error *error)
{
    const struct posix_file *posix = (const struct posix_file *)file;
    bool dsync = durable && !atomic_load_explicit(&dsync_refused, memory_order_relaxed);
    bool all_durable = dsync;
    size_t done = 0;

    while (done < len) {
        const ssize_t part =
            write_part(posix, offset + done, (const uint8_t *)bytes + done, len - done, &dsync);

        if (part == 0)
            errno = ENOSPC; /* no progress and no reason: as a full disk does it */
        if (part <= 0)
            return posix_fail(error, "write", posix->path);
        done += (size_t)part;
        all_durable = all_durable && dsync;
    }
    return durable && !all_durable ? sync_now(posix, error) : SL_OK;
}

static enum sl_err posix_sync(struct sl_file *file, struct sl_error *error)
{
    return sync_now((const struct posix_file *)file, error);
}

static enum sl_err posix_size(struct sl_file *file, uint64_t *out, struct sl_error *error)
{
    const struct posix_file *posix = (const struct posix_file *)file;
    struct stat status;

    if (fstat(posix->fd, &status) < 0)
        return posix_fail(error, "find the size of", posix->path);
    *out = (uint64_t)status.st_size;
    return SL_OK;
}

static enum sl_err posix_truncate(struct sl_file *file, uint64_t size, struct sl_error *error)
{
    const struct posix_file *posix = (const struct posix_file *)file;
    int status;

    do
        status = ftruncate(posix->fd, (off_t)size);
    while (status < 0 && errno == EINTR);
    return status < 0 ? posix_fail(error, "truncate", posix->path) : SL_OK;
}

/* flock, not fcntl: it belongs to this opening of the file, so that closing another one of the same
 * file does not give it away. */
static enum sl_err posix_lock(struct sl_file *file, struct sl_error *error)
{
    const struct posix_file *posix = (const struct posix_file *)file;
    int status;

    do
        status = flock(posix->fd, LOCK_EX | LOCK_NB);
    while (status < 0 && errno == EINTR);
    if (status < 0 && errno == EWOULDBLOCK)
        return sl_fail(error, SL_BUSY, "%s is in use by another process: stop that one first",
                       posix->path);
    return status < 0 ? posix_fail(error, "lock", posix->path) : SL_OK;
}

static const struct sl_file_ops file_ops = {
    .read = posix_read,
    .write = posix_write,
    .sync = posix_sync,
    .size = posix_size,
    .truncate = posix_truncate,
    .lock = posix_lock,
    .close = posix_close,
};
