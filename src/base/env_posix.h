/* The parts of the real environment, to each other. Private to env_posix*.c. */
#ifndef SL_BASE_ENV_POSIX_H
#define SL_BASE_ENV_POSIX_H

#include "base/env_ops.h"

#include <stdatomic.h>

struct posix_env {
    struct sl_env env;
    atomic_size_t actors; /* started and not yet stopped */
};

/* env_posix_disk.c */
enum sl_err posix_open(struct sl_env *env, const char *path, unsigned flags, struct sl_file **out,
                       struct sl_error *error);
/* As sl_fail, with the code that errno means and the operation and path as the message. */
enum sl_err posix_fail(struct sl_error *error, const char *operation, const char *path);

/* env_posix_folders.c */
enum sl_err posix_make_folder(struct sl_env *env, const char *path, struct sl_error *error);
enum sl_err posix_rename(struct sl_env *env, const char *from, const char *to,
                         struct sl_error *error);
enum sl_err posix_remove(struct sl_env *env, const char *path, struct sl_error *error);
enum sl_err posix_sync_folder(struct sl_env *env, const char *path, struct sl_error *error);
enum sl_err posix_list(struct sl_env *env, const char *path,
                       void (*each)(void *context, const char *name), void *context,
                       struct sl_error *error);

/* env_posix_threads.c */
enum sl_err posix_start(struct sl_env *env, const struct sl_actor *actor, struct sl_mailbox **out,
                        struct sl_error *error);
void posix_stop(struct sl_env *env, struct sl_mailbox *mailbox);
bool posix_borrow(struct sl_env *env, struct sl_mailbox *mailbox);
void posix_give_back(struct sl_env *env, struct sl_mailbox *mailbox);

#endif
