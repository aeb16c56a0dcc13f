/*
 * What an environment implements: the real one (env_posix*.c) and the simulated one (env_sim*.c).
 * Private to this folder; everybody else calls the functions of env.h, which are the wrappers
 * (env.c) that check arguments before they come here.
 */
#ifndef SL_BASE_ENV_OPS_H
#define SL_BASE_ENV_OPS_H

#include "base/env.h"

struct sl_env_ops {
    struct sl_time (*now)(struct sl_env *env);
    int64_t (*monotonic)(struct sl_env *env);
    void (*random)(struct sl_env *env, void *out, size_t len);
    enum sl_err (*open)(struct sl_env *env, const char *path, unsigned flags, struct sl_file **out,
                        struct sl_error *error);
    enum sl_err (*make_folder)(struct sl_env *env, const char *path, struct sl_error *error);
    enum sl_err (*rename)(struct sl_env *env, const char *from, const char *to,
                          struct sl_error *error);
    enum sl_err (*remove)(struct sl_env *env, const char *path, struct sl_error *error);
    enum sl_err (*sync_folder)(struct sl_env *env, const char *path, struct sl_error *error);
    enum sl_err (*list)(struct sl_env *env, const char *path,
                        void (*each)(void *context, const char *name), void *context,
                        struct sl_error *error);
    enum sl_err (*start)(struct sl_env *env, const struct sl_actor *actor, struct sl_mailbox **out,
                         struct sl_error *error);
    void (*stop)(struct sl_env *env, struct sl_mailbox *mailbox);
    bool (*borrow)(struct sl_env *env, struct sl_mailbox *mailbox);
    void (*give_back)(struct sl_env *env, struct sl_mailbox *mailbox);
    void (*free)(struct sl_env *env);
};

struct sl_file_ops {
    enum sl_err (*read)(struct sl_file *file, uint64_t offset, void *bytes, size_t len,
                        size_t *out_len, struct sl_error *error);
    /* `durable`: see sl_file_write_durable. `len` is not 0. */
    enum sl_err (*write)(struct sl_file *file, uint64_t offset, const void *bytes, size_t len,
                         bool durable, struct sl_error *error);
    enum sl_err (*sync)(struct sl_file *file, struct sl_error *error);
    enum sl_err (*size)(struct sl_file *file, uint64_t *out, struct sl_error *error);
    enum sl_err (*truncate)(struct sl_file *file, uint64_t size, struct sl_error *error);
    enum sl_err (*lock)(struct sl_file *file, struct sl_error *error);
    void (*close)(struct sl_file *file);
};

/* The first member of each environment's own struct. */
struct sl_env {
    const struct sl_env_ops *ops;
};

/* The first member of each environment's own struct of an open file. */
struct sl_file {
    const struct sl_file_ops *ops;
    unsigned flags;
};

#endif
