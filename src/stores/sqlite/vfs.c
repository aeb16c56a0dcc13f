/*
 * A VFS: SQLite's files are files of base/env, so that the simulator's disk, its power losses and
 * its failures reach the views.
 *
 * All connections to a file are connections of this process, opened through the same VFS; another
 * process is kept out by the lock that the store holds on its folder. So locks are counters and the
 * WAL index is memory, shared by the connections (vfs_shared.c), and WAL mode works without
 * shared-memory files. After a crash that memory is gone, as the rules of WAL allow: the first
 * connection finds an empty index and recovers it from the log's checksums.
 *
 * What must stay true:
 * - A new file's name is made durable no later than its first synced bytes: a WAL that vanished
 *   with its folder entry, after the database was written from it, would be damage.
 * - xSync returns only when the bytes are durable; writes before it are not taken to be.
 * - There are no temporary files (PRAGMA temp_store = MEMORY): one without a name is refused.
 */
#include "stores/sqlite/vfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stores/sqlite/vfs_shared.h"

enum { PATH_BYTES_MAX = 1024, SECTOR = 4096 };

struct sl_sqlite_vfs {
    sqlite3_vfs vfs;
    struct sl_env *env;
    struct shared_files shared;
    char name[32];
};

struct vfs_file {
    sqlite3_file base;
    struct sl_sqlite_vfs *vfs;
    struct sl_file *file;
    struct shared_holder holder; /* of a database file; else its `file` is NULL */
    char *path;                  /* set: its folder must be synced with the file's first sync */
};

static int code_of(enum sl_err err, int otherwise)
{
    switch (err) {
    case SL_OK:
        return SQLITE_OK;
    case SL_NO_MEMORY:
        return SQLITE_IOERR_NOMEM;
    case SL_LIMIT:
        return SQLITE_FULL;
    default:
        return otherwise;
    }
}

static enum sl_err sync_folder_of(struct sl_env *env, const char *path)
{
    char folder[PATH_BYTES_MAX + 1];
    const char *slash = strrchr(path, '/');
    const size_t len = slash ? (size_t)(slash - path) : 0;

    if (len >= sizeof folder)
        return SL_LIMIT;
    memcpy(folder, len > 0 ? path : ".", len > 0 ? len : 1);
    folder[len > 0 ? len : 1] = '\0';
    return sl_disk_sync_folder(env, slash == path ? "/" : folder, NULL);
}

/* ---- One file -------------------------------------------------------------------------------- */

static int file_close(sqlite3_file *base)
{
    struct vfs_file *file = (struct vfs_file *)base;

    shared_leave(&file->holder);
    sl_file_close(file->file);
    free(file->path);
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *bytes, int len, sqlite3_int64 offset)
{
    const struct vfs_file *file = (const struct vfs_file *)base;
    size_t got = 0;

    const enum sl_err err =
        sl_file_read(file->file, (uint64_t)offset, bytes, (size_t)len, &got, NULL);
    if (err != SL_OK)
        return code_of(err, SQLITE_IOERR_READ);
    if (got == (size_t)len)
        return SQLITE_OK;
    memset((uint8_t *)bytes + got, 0, (size_t)len - got); /* SQLite relies on the zeros */
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *bytes, int len, sqlite3_int64 offset)
{
    const struct vfs_file *file = (const struct vfs_file *)base;

    return code_of(sl_file_write(file->file, (uint64_t)offset, bytes, (size_t)len, NULL),
                   SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    const struct vfs_file *file = (const struct vfs_file *)base;

    return code_of(sl_file_truncate(file->file, (uint64_t)size, NULL), SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct vfs_file *file = (struct vfs_file *)base;
    enum sl_err err = sl_file_sync(file->file, NULL);

    (void)flags;
    if (err == SL_OK && file->path) {
        err = sync_folder_of(file->vfs->env, file->path);
        if (err == SL_OK) {
            free(file->path);
            file->path = NULL;
        }
    }
    return code_of(err, SQLITE_IOERR_FSYNC);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *out)
{
    const struct vfs_file *file = (const struct vfs_file *)base;
    uint64_t size = 0;

    const enum sl_err err = sl_file_size(file->file, &size, NULL);
    *out = (sqlite3_int64)size;
    return code_of(err, SQLITE_IOERR_FSTAT);
}

static int file_lock(sqlite3_file *base, int level)
{
    return shared_lock(&((struct vfs_file *)base)->holder, level);
}

static int file_unlock(sqlite3_file *base, int level)
{
    shared_unlock(&((struct vfs_file *)base)->holder, level);
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *out)
{
    *out = shared_is_reserved(&((struct vfs_file *)base)->holder);
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *argument)
{
    (void)base;
    (void)op;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base)
{
    (void)base;
    return SECTOR;
}

static int file_characteristics(sqlite3_file *base)
{
    (void)base;
    /* A write that the power loss tears leaves the bytes around it alone. */
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int file_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
    return shared_map(&((struct vfs_file *)base)->holder, region, size, extend != 0, out);
}

static int file_shm_lock(sqlite3_file *base, int first, int count, int flags)
{
    return shared_slot_lock(&((struct vfs_file *)base)->holder, first, count, flags);
}

static void file_shm_barrier(sqlite3_file *base)
{
    shared_barrier(&((struct vfs_file *)base)->holder);
}

static int file_shm_unmap(sqlite3_file *base, int delete)
{
    (void)base;
    (void)delete; /* the memory goes with the last connection */
    return SQLITE_OK;
}

static const sqlite3_io_methods database_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* ---- The file system ------------------------------------------------------------------------- */

static struct sl_sqlite_vfs *vfs_of(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static int open_path(struct vfs_file *file, const char *path, int flags)
{
    struct sl_env *env = file->vfs->env;
    const unsigned how = flags & SQLITE_OPEN_READWRITE ? SL_OPEN_WRITE : SL_OPEN_READ;
    enum sl_err err = sl_disk_open(env, path, how, &file->file, NULL);

    if (err == SL_NOT_FOUND && (flags & SQLITE_OPEN_CREATE)) {
        file->path = strdup(path);
        if (!file->path)
            return SQLITE_NOMEM;
        err = sl_disk_open(env, path, how | SL_OPEN_CREATE, &file->file, NULL);
    }
    return err == SL_OK ? SQLITE_OK : code_of(err, SQLITE_CANTOPEN);
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
                    int *out_flags)
{
    struct vfs_file *file = (struct vfs_file *)base;

    memset(file, 0, sizeof *file); /* no methods: SQLite does not close what did not open */
    if (!path)
        return SQLITE_CANTOPEN;
    file->vfs = vfs_of(vfs);
    const int status = open_path(file, path, flags);
    if (status == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) &&
        !shared_join(&file->vfs->shared, path, &file->holder)) {
        file_close(base);
        return SQLITE_NOMEM;
    }
    if (status != SQLITE_OK) {
        free(file->path);
        return status;
    }
    file->base.pMethods = &database_methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    struct sl_env *env = vfs_of(vfs)->env;
    enum sl_err err = sl_disk_remove(env, path, NULL);

    if (err == SL_NOT_FOUND)
        return SQLITE_IOERR_DELETE_NOENT;
    if (err == SL_OK && sync_folder)
        err = sync_folder_of(env, path);
    return code_of(err, SQLITE_IOERR_DELETE);
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    struct sl_file *file = NULL;

    (void)flags;
    const enum sl_err err = sl_disk_open(vfs_of(vfs)->env, path, SL_OPEN_READ, &file, NULL);
    *out = err == SL_OK;
    sl_file_close(file);
    return err == SL_OK || err == SL_NOT_FOUND ? SQLITE_OK : code_of(err, SQLITE_IOERR_ACCESS);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
    const size_t len = strlen(path);

    (void)vfs;
    if (len >= (size_t)size)
        return SQLITE_CANTOPEN;
    memcpy(out, path, len + 1);
    return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int len, char *out)
{
    sl_env_random(vfs_of(vfs)->env, out, (size_t)len);
    return len;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    /* Of the real world, past the env: asked for only while a connection on another thread holds a
     * lock of the WAL index, for microseconds. In the simulator there is no other thread. */
    const struct timespec span = {microseconds / 1000000, (microseconds % 1000000) * 1000L};

    (void)vfs;
    (void)nanosleep(&span, NULL);
    return microseconds;
}

static int vfs_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    const sqlite3_int64 unix_epoch_ms = 210866760000000; /* of the Julian day */

    *out = unix_epoch_ms + sl_env_now(vfs_of(vfs)->env).ns / 1000000;
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    sqlite3_int64 ms = 0;

    vfs_time_ms(vfs, &ms);
    *out = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int len, char *out)
{
    (void)vfs;
    if (len > 0)
        out[0] = '\0';
    return 0;
}

enum sl_err sl_sqlite_vfs_new(struct sl_env *env, struct sl_sqlite_vfs **out,
                              struct sl_error *error)
{
    struct sl_sqlite_vfs *made = calloc(1, sizeof *made);

    if (!made || sqlite3_initialize() != SQLITE_OK)
        goto fail;
    made->env = env;
    made->shared.mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_FAST);
    snprintf(made->name, sizeof made->name, "sluice-%p", (void *)made);
    made->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct vfs_file),
        .mxPathname = PATH_BYTES_MAX,
        .zName = made->name,
        .pAppData = made,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time_ms,
    };
    if (!made->shared.mutex || sqlite3_vfs_register(&made->vfs, 0) != SQLITE_OK)
        goto fail;
    *out = made;
    return SL_OK;

fail:
    if (made)
        sqlite3_mutex_free(made->shared.mutex);
    free(made);
    return sl_fail(error, SL_NO_MEMORY, "no memory for SQLite's files");
}

const char *sl_sqlite_vfs_name(const struct sl_sqlite_vfs *vfs)
{
    return vfs->name;
}

void sl_sqlite_vfs_part(struct sl_sqlite_vfs *vfs, const char *path)
{
    shared_part(&vfs->shared, path);
}

void sl_sqlite_vfs_free(struct sl_sqlite_vfs *vfs)
{
    if (!vfs)
        return;
    SL_ASSERT(!vfs->shared.first, "T1");
    sqlite3_vfs_unregister(&vfs->vfs);
    sqlite3_mutex_free(vfs->shared.mutex);
    free(vfs);
}
