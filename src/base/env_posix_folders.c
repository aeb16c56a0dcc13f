#include "base/env_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum sl_err posix_sync_folder(struct sl_env *env, const char *path, struct sl_error *error)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum sl_err status = SL_OK;

    (void)env;
    if (fd < 0)
        return posix_fail(error, "open the folder", path);
    if (fsync(fd) < 0)
        status = posix_fail(error, "sync the folder", path);
    close(fd);
    return status;
}

/* Makes one folder whose parent exists, durably. `path` is ours to write in, and comes back as it
 * was. */
static enum sl_err make_one(char *path, struct sl_error *error)
{
    if (mkdir(path, 0777) < 0) {
        struct stat status;
        const int why = errno;

        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
            return SL_OK;
        errno = why;
        return posix_fail(error, "make the folder", path);
    }
    char *slash = strrchr(path, '/');
    if (!slash)
        return posix_sync_folder(NULL, ".", error);
    if (slash == path)
        return posix_sync_folder(NULL, "/", error);
    *slash = '\0';
    const enum sl_err status = posix_sync_folder(NULL, path, error);
    *slash = '/';
    return status;
}

enum sl_err posix_make_folder(struct sl_env *env, const char *path, struct sl_error *error)
{
    char *copy = strdup(path);
    enum sl_err status = SL_OK;

    (void)env;
    if (!copy)
        return sl_fail(error, SL_NO_MEMORY, "cannot make the folder %s: no memory", path);
    for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
        copy[len - 1] = '\0';
    /* Each slash in turn ends a parent. */
    for (char *slash = strchr(copy + 1, '/'); slash && status == SL_OK;
         slash = strchr(slash + 1, '/')) {
        if (slash[-1] == '/')
            continue;
        *slash = '\0';
        status = make_one(copy, error);
        *slash = '/';
    }
    if (status == SL_OK)
        status = make_one(copy, error);
    free(copy);
    return status;
}

enum sl_err posix_rename(struct sl_env *env, const char *from, const char *to,
                         struct sl_error *error)
{
    (void)env;
    return rename(from, to) < 0 ? posix_fail(error, "rename", from) : SL_OK;
}

enum sl_err posix_remove(struct sl_env *env, const char *path, struct sl_error *error)
{
    (void)env;
    return remove(path) < 0 ? posix_fail(error, "remove", path) : SL_OK;
}

/* Byte order, whatever the locale says. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_plain(int folder, const struct dirent *entry)
{
    struct stat status;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_REG;
    return fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(status.st_mode);
}

enum sl_err posix_list(struct sl_env *env, const char *path,
                       void (*each)(void *context, const char *name), void *context,
                       struct sl_error *error)
{
    struct dirent **entries = NULL;
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum sl_err status = SL_OK;

    (void)env;
    if (folder < 0)
        return posix_fail(error, "open the folder", path);
    const int count = scandirat(folder, ".", &entries, NULL, by_name);
    if (count < 0)
        status = posix_fail(error, "list the folder", path);
    for (int i = 0; i < count; i++) {
        if (is_plain(folder, entries[i]))
            each(context, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    close(folder);
    return status;
}
