/* SQLite's files on base/env: see vfs.c. Private to this folder. */
#ifndef SL_STORES_SQLITE_VFS_H
#define SL_STORES_SQLITE_VFS_H

#include "base/env.h"

struct sl_sqlite_vfs;

/* Registers a VFS of its own with SQLite. Any number of connections, on any threads, may use it. */
enum sl_err sl_sqlite_vfs_new(struct sl_env *env, struct sl_sqlite_vfs **out,
                              struct sl_error *error) SL_USE_RESULT;
/* For sqlite3_open_v2; lives as long as the VFS. */
const char *sl_sqlite_vfs_name(const struct sl_sqlite_vfs *vfs);
/* Who opens this path from now on shares nothing with those who have it open: before a file is
 * renamed, so that its successor does not get its locks and its WAL index. */
void sl_sqlite_vfs_part(struct sl_sqlite_vfs *vfs, const char *path);
/* No connection may be left. NULL is allowed. */
void sl_sqlite_vfs_free(struct sl_sqlite_vfs *vfs);

#endif
