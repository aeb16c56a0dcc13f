#include "base/env_ops.h"

#include <string.h>

enum { DIRECT_ALIGN = 4096, NAME_MAX_LEN = 15 };

/* Offsets beyond fit no signed 64-bit offset of the operating system. */
static const uint64_t file_bytes_max = (uint64_t)INT64_MAX;

struct sl_time sl_env_now(struct sl_env *env)
{
    return env->ops->now(env);
}

int64_t sl_env_monotonic(struct sl_env *env)
{
    return env->ops->monotonic(env);
}

void sl_env_random(struct sl_env *env, void *out, size_t len)
{
    if (len > 0)
        env->ops->random(env, out, len);
}

struct sl_uuid sl_env_uuid(struct sl_env *env)
{
    const uint64_t ms_ns = 1000000;
    const struct sl_time now = sl_env_now(env);
    const uint64_t ns = now.ns > 0 ? (uint64_t)now.ns : 0;
    const uint64_t ms = ns / ms_ns;
    /* RFC 9562, 6.2, method 3: the bits behind the milliseconds continue them, so that ids sort by
     * when they were made down to a quarter of a microsecond. */
    const uint64_t fraction = (ns % ms_ns) * 4096 / ms_ns;
    struct sl_uuid id;

    sl_env_random(env, id.bytes + 8, 8);
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    id.bytes[6] = (uint8_t)(0x70 | fraction >> 8);
    id.bytes[7] = (uint8_t)fraction;
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3F));
    return id;
}

/* ---- Disk ------------------------------------------------------------------------------------ */

enum sl_err sl_disk_open(struct sl_env *env, const char *path, unsigned flags, struct sl_file **out,
                         struct sl_error *error)
{
    SL_ASSERT(!(flags & SL_OPEN_CREATE) || (flags & SL_OPEN_WRITE));
    SL_ASSERT(!(flags & SL_OPEN_EXCLUSIVE) || (flags & SL_OPEN_CREATE));
    return env->ops->open(env, path, flags, out, error);
}

enum sl_err sl_file_read(struct sl_file *file, uint64_t offset, void *bytes, size_t len,
                         size_t *out_len, struct sl_error *error)
{
    SL_ASSERT(offset <= file_bytes_max && len <= file_bytes_max - offset);
    return file->ops->read(file, offset, bytes, len, out_len, error);
}

static enum sl_err write_checked(struct sl_file *file, uint64_t offset, const void *bytes,
                                 size_t len, bool durable, struct sl_error *error)
{
    SL_ASSERT(file->flags & SL_OPEN_WRITE);
    SL_ASSERT(offset <= file_bytes_max && len <= file_bytes_max - offset);
    SL_ASSERT(!(file->flags & SL_OPEN_DIRECT) ||
              (offset % DIRECT_ALIGN == 0 && len % DIRECT_ALIGN == 0 &&
               (uintptr_t)bytes % DIRECT_ALIGN == 0));
    if (len == 0)
        return durable ? file->ops->sync(file, error) : SL_OK;
    return file->ops->write(file, offset, bytes, len, durable, error);
}

enum sl_err sl_file_write(struct sl_file *file, uint64_t offset, const void *bytes, size_t len,
                          struct sl_error *error)
{
    return write_checked(file, offset, bytes, len, false, error);
}

enum sl_err sl_file_write_durable(struct sl_file *file, uint64_t offset, const void *bytes,
                                  size_t len, struct sl_error *error)
{
    return write_checked(file, offset, bytes, len, true, error);
}

enum sl_err sl_file_sync(struct sl_file *file, struct sl_error *error)
{
    return file->ops->sync(file, error);
}

enum sl_err sl_file_size(struct sl_file *file, uint64_t *out, struct sl_error *error)
{
    return file->ops->size(file, out, error);
}

enum sl_err sl_file_truncate(struct sl_file *file, uint64_t size, struct sl_error *error)
{
    SL_ASSERT(file->flags & SL_OPEN_WRITE);
    SL_ASSERT(size <= file_bytes_max);
    return file->ops->truncate(file, size, error);
}

enum sl_err sl_file_lock(struct sl_file *file, struct sl_error *error)
{
    return file->ops->lock(file, error);
}

void sl_file_close(struct sl_file *file)
{
    if (file)
        file->ops->close(file);
}

enum sl_err sl_disk_make_folder(struct sl_env *env, const char *path, struct sl_error *error)
{
    return env->ops->make_folder(env, path, error);
}

enum sl_err sl_disk_rename(struct sl_env *env, const char *from, const char *to,
                           struct sl_error *error)
{
    return env->ops->rename(env, from, to, error);
}

enum sl_err sl_disk_remove(struct sl_env *env, const char *path, struct sl_error *error)
{
    return env->ops->remove(env, path, error);
}

enum sl_err sl_disk_sync_folder(struct sl_env *env, const char *path, struct sl_error *error)
{
    return env->ops->sync_folder(env, path, error);
}

enum sl_err sl_disk_list(struct sl_env *env, const char *path,
                         void (*each)(void *context, const char *name), void *context,
                         struct sl_error *error)
{
    return env->ops->list(env, path, each, context, error);
}

/* ---- Actors ---------------------------------------------------------------------------------- */

enum sl_err sl_env_start(struct sl_env *env, const struct sl_actor *actor, struct sl_mailbox **out,
                         struct sl_error *error)
{
    SL_ASSERT(actor->step && actor->name && strlen(actor->name) <= NAME_MAX_LEN);
    return env->ops->start(env, actor, out, error);
}

void sl_env_stop(struct sl_env *env, struct sl_mailbox *mailbox)
{
    if (mailbox)
        env->ops->stop(env, mailbox);
}

bool sl_env_borrow(struct sl_env *env, struct sl_mailbox *mailbox)
{
    return env->ops->borrow(env, mailbox);
}

void sl_env_give_back(struct sl_env *env, struct sl_mailbox *mailbox)
{
    env->ops->give_back(env, mailbox);
}

void sl_env_free(struct sl_env *env)
{
    if (env)
        env->ops->free(env);
}
