#include "base/env_posix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    SL_ASSERT(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct sl_time posix_now(struct sl_env *env)
{
    (void)env;
    return (struct sl_time){clock_ns(CLOCK_REALTIME)};
}

static int64_t posix_monotonic(struct sl_env *env)
{
    (void)env;
    return clock_ns(CLOCK_MONOTONIC);
}

static void from_kernel(uint8_t *out, size_t len)
{
    while (len > 0) {
        const ssize_t got = getrandom(out, len, 0);

        /* After the kernel's start it gives, or was interrupted. */
        SL_ASSERT(got > 0 || errno == EINTR);
        if (got > 0) {
            out += got;
            len -= (size_t)got;
        }
    }
}

/* An id per command is wanted in a fraction of a microsecond, so that small requests are served
 * from bytes fetched before. Bytes handed out are wiped: a later reader of this memory learns
 * nothing. */
static void posix_random(struct sl_env *env, void *out, size_t len)
{
    static _Thread_local struct {
        uint8_t bytes[512];
        size_t left;
    } pool;

    (void)env;
    if (len > sizeof pool.bytes / 8) {
        from_kernel(out, len);
        return;
    }
    if (pool.left < len) {
        from_kernel(pool.bytes, sizeof pool.bytes);
        pool.left = sizeof pool.bytes;
    }
    pool.left -= len;
    memcpy(out, pool.bytes + pool.left, len);
    memset(pool.bytes + pool.left, 0, len);
}

static void posix_free(struct sl_env *env)
{
    struct posix_env *posix = (struct posix_env *)env;

    SL_ASSERT(atomic_load(&posix->actors) == 0, "T1");
    free(posix);
}

static const struct sl_env_ops posix_ops = {
    .now = posix_now,
    .monotonic = posix_monotonic,
    .random = posix_random,
    .open = posix_open,
    .make_folder = posix_make_folder,
    .rename = posix_rename,
    .remove = posix_remove,
    .sync_folder = posix_sync_folder,
    .list = posix_list,
    .start = posix_start,
    .stop = posix_stop,
    .borrow = posix_borrow,
    .give_back = posix_give_back,
    .free = posix_free,
};

enum sl_err sl_env_posix_new(struct sl_env **out, struct sl_error *error)
{
    struct posix_env *posix = calloc(1, sizeof *posix);

    if (!posix)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the environment");
    posix->env.ops = &posix_ops;
    *out = &posix->env;
    return SL_OK;
}
