/* What connections to the same file share: locks and the WAL index. Private to vfs*.c. */
#ifndef SL_STORES_SQLITE_VFS_SHARED_H
#define SL_STORES_SQLITE_VFS_SHARED_H

#include <sqlite3.h>

#include "base/error.h"

struct shared_file;

/* All files of a VFS. Owner: nobody; every function here takes `mutex`. */
struct shared_files {
    sqlite3_mutex *mutex;
    struct shared_file *first;
};

/* One connection's part in a file. */
struct shared_holder {
    struct shared_files *all;
    struct shared_file *file;
    int level;             /* SQLITE_LOCK_… of the database file */
    uint16_t slots_shared; /* slots of the WAL index that it holds */
    uint16_t slots_exclusive;
};

/* Finds or makes what belongs to the path. False: no memory. */
bool shared_join(struct shared_files *all, const char *path, struct shared_holder *out);
/* Gives up all locks; the last one out frees the file's WAL index. */
void shared_leave(struct shared_holder *holder);
/* Nobody joins those who have this path open any more. */
void shared_part(struct shared_files *all, const char *path);

/* As SQLite's xLock, xUnlock, xCheckReservedLock, xShmMap and xShmLock. */
int shared_lock(struct shared_holder *holder, int level);
void shared_unlock(struct shared_holder *holder, int level);
bool shared_is_reserved(struct shared_holder *holder);
int shared_map(struct shared_holder *holder, int region, int size, bool extend,
               void volatile **out);
int shared_slot_lock(struct shared_holder *holder, int first, int count, int flags);
void shared_barrier(struct shared_holder *holder);

#endif
