#include "stores/sqlite/vfs_shared.h"

#include <stdlib.h>
#include <string.h>

struct shared_file {
    struct shared_file *next;
    char *path;
    unsigned holders;
    bool parted; /* the path means another file now */

    /* The database file's lock: many SHARED; besides them one RESERVED, which then waits as
     * PENDING, letting no new ones in, and is EXCLUSIVE once it is alone. */
    unsigned shared;
    bool reserved;
    bool pending;
    bool exclusive;

    /* The WAL index: memory, because all who use the file are in this process. */
    void **regions;
    int region_count;
    struct {
        unsigned shared;
        bool exclusive;
    } slots[SQLITE_SHM_NLOCK];
};

static void release_file(struct shared_files *all, struct shared_file *file)
{
    struct shared_file **link = &all->first;

    while (*link != file)
        link = &(*link)->next;
    *link = file->next;
    for (int i = 0; i < file->region_count; i++)
        free(file->regions[i]);
    free(file->regions);
    free(file->path);
    free(file);
}

bool shared_join(struct shared_files *all, const char *path, struct shared_holder *out)
{
    struct shared_file *file;

    sqlite3_mutex_enter(all->mutex);
    for (file = all->first; file; file = file->next)
        if (!file->parted && strcmp(file->path, path) == 0)
            break;
    if (!file) {
        file = calloc(1, sizeof *file);
        char *copy = strdup(path);
        if (!file || !copy) {
            free(file);
            free(copy);
            sqlite3_mutex_leave(all->mutex);
            return false;
        }
        file->path = copy;
        file->next = all->first;
        all->first = file;
    }
    file->holders++;
    *out = (struct shared_holder){.all = all, .file = file};
    sqlite3_mutex_leave(all->mutex);
    return true;
}

static void unlock_slots(struct shared_holder *holder, uint16_t mask)
{
    for (unsigned i = 0; i < SQLITE_SHM_NLOCK; i++) {
        const uint16_t bit = (uint16_t)(1u << i);

        if (!(mask & bit))
            continue;
        if (holder->slots_shared & bit)
            holder->file->slots[i].shared--;
        if (holder->slots_exclusive & bit)
            holder->file->slots[i].exclusive = false;
    }
    holder->slots_shared &= (uint16_t)~mask;
    holder->slots_exclusive &= (uint16_t)~mask;
}

static void unlock_to(struct shared_holder *holder, int level)
{
    struct shared_file *file = holder->file;

    if (holder->level >= SQLITE_LOCK_RESERVED && level < SQLITE_LOCK_RESERVED)
        file->reserved = file->pending = file->exclusive = false;
    if (holder->level >= SQLITE_LOCK_SHARED && level < SQLITE_LOCK_SHARED)
        file->shared--;
    if (level < holder->level)
        holder->level = level;
}

void shared_leave(struct shared_holder *holder)
{
    struct shared_files *all = holder->all;

    if (!holder->file)
        return;
    sqlite3_mutex_enter(all->mutex);
    unlock_slots(holder, UINT16_MAX);
    unlock_to(holder, SQLITE_LOCK_NONE);
    if (--holder->file->holders == 0)
        release_file(all, holder->file);
    holder->file = NULL;
    sqlite3_mutex_leave(all->mutex);
}

void shared_part(struct shared_files *all, const char *path)
{
    sqlite3_mutex_enter(all->mutex);
    for (struct shared_file *file = all->first; file; file = file->next)
        if (strcmp(file->path, path) == 0)
            file->parted = true;
    sqlite3_mutex_leave(all->mutex);
}

static int lock_up(struct shared_holder *holder, int level)
{
    struct shared_file *file = holder->file;

    if (holder->level < SQLITE_LOCK_SHARED) {
        SL_ASSERT(level == SQLITE_LOCK_SHARED);
        if (file->pending || file->exclusive)
            return SQLITE_BUSY;
        file->shared++;
        holder->level = SQLITE_LOCK_SHARED;
        return SQLITE_OK;
    }
    if (holder->level < SQLITE_LOCK_RESERVED) {
        if (file->reserved)
            return SQLITE_BUSY;
        file->reserved = true;
        holder->level = SQLITE_LOCK_RESERVED;
    }
    if (level >= SQLITE_LOCK_PENDING) {
        file->pending = true;
        holder->level = SQLITE_LOCK_PENDING;
        if (file->shared > 1)
            return SQLITE_BUSY;
        file->exclusive = true;
        holder->level = SQLITE_LOCK_EXCLUSIVE;
    }
    return SQLITE_OK;
}

int shared_lock(struct shared_holder *holder, int level)
{
    int status = SQLITE_OK;

    sqlite3_mutex_enter(holder->all->mutex);
    if (level > holder->level)
        status = lock_up(holder, level);
    sqlite3_mutex_leave(holder->all->mutex);
    return status;
}

void shared_unlock(struct shared_holder *holder, int level)
{
    sqlite3_mutex_enter(holder->all->mutex);
    unlock_to(holder, level);
    sqlite3_mutex_leave(holder->all->mutex);
}

bool shared_is_reserved(struct shared_holder *holder)
{
    sqlite3_mutex_enter(holder->all->mutex);
    const bool reserved = holder->file->reserved;
    sqlite3_mutex_leave(holder->all->mutex);
    return reserved;
}

static int map_more(struct shared_file *file, int count, int size)
{
    void **regions = reallocarray(file->regions, (size_t)count, sizeof *regions);

    if (!regions)
        return SQLITE_NOMEM;
    file->regions = regions;
    while (file->region_count < count) {
        void *region = calloc(1, (size_t)size);
        if (!region)
            return SQLITE_NOMEM;
        regions[file->region_count++] = region;
    }
    return SQLITE_OK;
}

int shared_map(struct shared_holder *holder, int region, int size, bool extend, void volatile **out)
{
    struct shared_file *file = holder->file;
    int status = SQLITE_OK;

    *out = NULL;
    sqlite3_mutex_enter(holder->all->mutex);
    if (region >= file->region_count && extend)
        status = map_more(file, region + 1, size);
    if (status == SQLITE_OK && region < file->region_count)
        *out = file->regions[region];
    sqlite3_mutex_leave(holder->all->mutex);
    return status;
}

/* Could the holder have all slots of the mask in this way? */
static bool slots_are_free(const struct shared_holder *holder, uint16_t mask, bool exclusive)
{
    for (unsigned i = 0; i < SQLITE_SHM_NLOCK; i++) {
        const uint16_t bit = (uint16_t)(1u << i);

        if (!(mask & bit))
            continue;
        if (holder->file->slots[i].exclusive && !(holder->slots_exclusive & bit))
            return false;
        if (exclusive && holder->file->slots[i].shared > ((holder->slots_shared & bit) ? 1u : 0u))
            return false;
    }
    return true;
}

static void lock_slots(struct shared_holder *holder, uint16_t mask, bool exclusive)
{
    for (unsigned i = 0; i < SQLITE_SHM_NLOCK; i++) {
        const uint16_t bit = (uint16_t)(1u << i);

        if (!(mask & bit))
            continue;
        if (exclusive) {
            holder->file->slots[i].exclusive = true;
            holder->slots_exclusive |= bit;
        } else if (!(holder->slots_shared & bit)) {
            holder->file->slots[i].shared++;
            holder->slots_shared |= bit;
        }
    }
}

int shared_slot_lock(struct shared_holder *holder, int first, int count, int flags)
{
    const uint16_t mask = (uint16_t)(((1u << count) - 1u) << first);
    const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    int status = SQLITE_OK;

    sqlite3_mutex_enter(holder->all->mutex);
    if (flags & SQLITE_SHM_UNLOCK)
        unlock_slots(holder, mask);
    else if (slots_are_free(holder, mask, exclusive))
        lock_slots(holder, mask, exclusive);
    else
        status = SQLITE_BUSY;
    sqlite3_mutex_leave(holder->all->mutex);
    return status;
}

void shared_barrier(struct shared_holder *holder)
{
    __sync_synchronize();
    /* A lock taken and given back orders memory for the thread sanitizer, too. */
    sqlite3_mutex_enter(holder->all->mutex);
    sqlite3_mutex_leave(holder->all->mutex);
}
