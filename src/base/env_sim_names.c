#include "base/env_sim_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- Paths ----------------------------------------------------------------------------------- */

char *sim_path(const char *path)
{
    char *out = sim_zeroed(strlen(path) + 1, 1);
    size_t len = 0;

    if (path[0] == '/')
        out[len++] = '/';
    while (*path) {
        const size_t part = strcspn(path, "/");

        if (part > 0 && !(part == 1 && path[0] == '.')) {
            if (len > 0 && out[len - 1] != '/')
                out[len++] = '/';
            memcpy(out + len, path, part);
            len += part;
        }
        path += part;
        path += strspn(path, "/");
    }
    out[len] = '\0';
    return out;
}

/* The name of `path` within `folder`; NULL: it lies elsewhere. */
static const char *name_in(const char *folder, const char *path)
{
    const size_t len = strlen(folder);
    const char *name = path + len;

    if (strncmp(path, folder, len) != 0)
        return NULL;
    if (len > 0 && strcmp(folder, "/") != 0) {
        if (*name != '/')
            return NULL;
        name++;
    }
    return *name == '\0' || strchr(name, '/') ? NULL : name;
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = sim_copy(path);

    if (!slash)
        parent[0] = '\0';
    else
        parent[slash == path ? 1 : slash - path] = '\0';
    return parent;
}

/* ---- Sets of names --------------------------------------------------------------------------- */

/* Where the path is or would be. */
static size_t place_of(const struct sim_names *names, const char *path, bool *found)
{
    size_t low = 0, high = names->count;

    *found = false;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(names->items[middle].path, path);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct sim_inode *sim_name_find(const struct sim_names *names, const char *path)
{
    bool found;
    const size_t i = place_of(names, path, &found);

    return found ? names->items[i].inode : NULL;
}

static void put(struct sim_env *sim, struct sim_names *names, const char *path,
                struct sim_inode *inode)
{
    bool found;
    const size_t i = place_of(names, path, &found);

    if (inode)
        inode->refs++;
    if (names->items && found) {
        sim_inode_release(sim, names->items[i].inode);
    } else {
        names->items = sim_room(names->items, &names->capacity, names->count, sizeof *names->items);
        memmove(names->items + i + 1, names->items + i, (names->count - i) * sizeof *names->items);
        names->count++;
        names->items[i].path = sim_copy(path);
    }
    names->items[i].inode = inode;
}

static void drop(struct sim_env *sim, struct sim_names *names, const char *path)
{
    bool found;
    const size_t i = place_of(names, path, &found);

    if (!found)
        return;
    free(names->items[i].path);
    sim_inode_release(sim, names->items[i].inode);
    names->count--;
    memmove(names->items + i, names->items + i + 1, (names->count - i) * sizeof *names->items);
}

static void clear(struct sim_env *sim, struct sim_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i].path);
        sim_inode_release(sim, names->items[i].inode);
    }
    free(names->items);
    *names = (struct sim_names){0};
}

bool sim_is_folder(const struct sim_env *sim, const char *path)
{
    bool found = path[0] == '\0' || strcmp(path, "/") == 0;

    if (!found)
        place_of(&sim->disk.folders, path, &found);
    return found;
}

bool sim_has_parent(const struct sim_env *sim, const char *path)
{
    char *parent = parent_of(path);
    const bool has = sim_is_folder(sim, parent);

    free(parent);
    return has;
}

/* ---- Changes --------------------------------------------------------------------------------- */

static void apply(struct sim_env *sim, struct sim_names *names, const struct sim_change *change)
{
    /* A change before this one may have been lost: `from` may be another file by now, or none. */
    if (change->from && sim_name_find(names, change->from) == change->inode)
        drop(sim, names, change->from);
    if (change->to)
        put(sim, names, change->to, change->inode);
}

void sim_names_change(struct sim_env *sim, const char *from, const char *to,
                      struct sim_inode *inode)
{
    struct sim_disk *disk = &sim->disk;

    disk->changes =
        sim_room(disk->changes, &disk->change_capacity, disk->change_count, sizeof *disk->changes);
    struct sim_change *change = &disk->changes[disk->change_count++];
    *change = (struct sim_change){
        .from = from ? sim_copy(from) : NULL, .to = to ? sim_copy(to) : NULL, .inode = inode};
    inode->refs++;
    apply(sim, &disk->now, change);
}

static void forget(struct sim_env *sim, struct sim_change *change)
{
    free(change->from);
    free(change->to);
    sim_inode_release(sim, change->inode);
}

static bool is_path_of(const struct sim_change *change, const char *path)
{
    return path && ((change->from && strcmp(change->from, path) == 0) ||
                    (change->to && strcmp(change->to, path) == 0));
}

/* Marks the folder's changes, and those on which they stand: what happened before to the paths of a
 * marked one, which after a rename may lie in another folder. */
static void mark_synced(struct sim_disk *disk, const char *folder)
{
    for (size_t i = disk->change_count; i-- > 0;) {
        struct sim_change *change = &disk->changes[i];

        change->synced = (change->from && name_in(folder, change->from)) ||
                         (change->to && name_in(folder, change->to));
        for (size_t j = i + 1; j < disk->change_count && !change->synced; j++)
            change->synced =
                disk->changes[j].synced && (is_path_of(change, disk->changes[j].from) ||
                                            is_path_of(change, disk->changes[j].to));
    }
}

enum sl_err sim_sync_folder(struct sl_env *env, const char *path, struct sl_error *error)
{
    struct sim_env *sim = sim_of(env);
    struct sim_disk *disk = &sim->disk;
    const enum sim_gate gate = sim_gate(sim, true);
    size_t kept = 0;

    if (gate != SIM_GO && gate != SIM_FULL)
        return sim_refuse(error, gate, path);
    char *folder = sim_path(path);
    const bool is_folder = sim_is_folder(sim, folder);
    if (is_folder)
        mark_synced(disk, folder);
    free(folder);
    if (!is_folder)
        return sl_fail(error, SL_NOT_FOUND, "cannot sync %s: no such folder", path);
    for (size_t i = 0; i < disk->change_count; i++) {
        struct sim_change *change = &disk->changes[i];

        if (change->synced) {
            apply(sim, &disk->durable, change);
            forget(sim, change);
        } else {
            disk->changes[kept++] = *change;
        }
    }
    disk->change_count = kept;
    return SL_OK;
}

void sim_names_power_loss(struct sim_env *sim)
{
    struct sim_disk *disk = &sim->disk;
    const struct sim_mood mood = sim_mood(sim, 0, disk->change_count);

    for (size_t i = 0; i < disk->change_count; i++) {
        const enum sim_fate fate = sim_fate(sim, mood, i);

        /* One change of names is never torn. */
        if (fate == SIM_KEPT || (fate == SIM_TORN && sim_random(sim, 2) == 0))
            apply(sim, &disk->durable, &disk->changes[i]);
        forget(sim, &disk->changes[i]);
    }
    disk->change_count = 0;
    clear(sim, &disk->now);
    for (size_t i = 0; i < disk->durable.count; i++)
        put(sim, &disk->now, disk->durable.items[i].path, disk->durable.items[i].inode);
}

void sim_names_close(struct sim_env *sim)
{
    struct sim_disk *disk = &sim->disk;

    for (size_t i = 0; i < disk->change_count; i++)
        forget(sim, &disk->changes[i]);
    free(disk->changes);
    clear(sim, &disk->now);
    clear(sim, &disk->durable);
    clear(sim, &disk->folders);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

enum sl_err sim_make_folder(struct sl_env *env, const char *path, struct sl_error *error)
{
    struct sim_env *sim = sim_of(env);
    const enum sim_gate gate = sim_gate(sim, true);
    enum sl_err status = SL_OK;

    if (gate != SIM_GO)
        return sim_refuse(error, gate, path);
    char *whole = sim_path(path);
    for (size_t i = 1; whole[0] && status == SL_OK; i++) {
        const char saved = whole[i];

        if (saved != '/' && saved != '\0')
            continue;
        whole[i] = '\0';
        if (sim_name_find(&sim->disk.now, whole))
            status = sl_fail(error, SL_CONFLICT, "cannot make %s: %s is a file", path, whole);
        else if (!sim_is_folder(sim, whole))
            put(sim, &sim->disk.folders, whole, NULL);
        whole[i] = saved;
        if (saved == '\0')
            break;
    }
    free(whole);
    return status;
}

enum sl_err sim_rename(struct sl_env *env, const char *from, const char *to, struct sl_error *error)
{
    struct sim_env *sim = sim_of(env);
    const enum sim_gate gate = sim_gate(sim, true);
    enum sl_err status = SL_OK;

    if (gate != SIM_GO && gate != SIM_CUT_OFF)
        return sim_refuse(error, gate, from);
    char *from_path = sim_path(from);
    char *to_path = sim_path(to);
    struct sim_inode *inode = sim_name_find(&sim->disk.now, from_path);
    if (!inode || !sim_has_parent(sim, to_path))
        status = sl_fail(error, SL_NOT_FOUND, "cannot rename %s to %s: no such file or folder",
                         from, to);
    else if (sim_is_folder(sim, to_path))
        status = sl_fail(error, SL_INVALID, "cannot rename %s to %s: it is a folder", from, to);
    else if (strcmp(from_path, to_path) != 0)
        sim_names_change(sim, from_path, to_path, inode);
    free(from_path);
    free(to_path);
    return gate == SIM_CUT_OFF ? sim_refuse(error, gate, from) : status;
}

static bool is_empty(const struct sim_names *names, const char *folder)
{
    for (size_t i = 0; i < names->count; i++)
        if (name_in(folder, names->items[i].path))
            return false;
    return true;
}

enum sl_err sim_remove(struct sl_env *env, const char *path, struct sl_error *error)
{
    struct sim_env *sim = sim_of(env);
    const enum sim_gate gate = sim_gate(sim, true);
    enum sl_err status = SL_OK;

    if (gate == SIM_FAIL || gate == SIM_POWER_OUT)
        return sim_refuse(error, gate, path);
    char *whole = sim_path(path);
    struct sim_inode *inode = sim_name_find(&sim->disk.now, whole);
    if (inode)
        sim_names_change(sim, whole, NULL, inode);
    else if (!sim_is_folder(sim, whole))
        status = sl_fail(error, SL_NOT_FOUND, "cannot remove %s: no such file or folder", path);
    else if (!is_empty(&sim->disk.now, whole) || !is_empty(&sim->disk.folders, whole))
        status = sl_fail(error, SL_CONFLICT, "cannot remove %s: it is not empty", path);
    else if (gate != SIM_CUT_OFF)
        drop(sim, &sim->disk.folders, whole);
    free(whole);
    return gate == SIM_CUT_OFF ? sim_refuse(error, gate, path) : status;
}

enum sl_err sim_list(struct sl_env *env, const char *path,
                     void (*each)(void *context, const char *name), void *context,
                     struct sl_error *error)
{
    struct sim_env *sim = sim_of(env);
    const enum sim_gate gate = sim_gate(sim, false);
    struct sim_names found = {0};

    if (gate != SIM_GO)
        return sim_refuse(error, gate, path);
    char *folder = sim_path(path);
    const bool is_folder = sim_is_folder(sim, folder);
    for (size_t i = 0; is_folder && i < sim->disk.now.count; i++) {
        const char *name = name_in(folder, sim->disk.now.items[i].path);
        if (name)
            put(sim, &found, name, NULL);
    }
    free(folder);
    if (!is_folder)
        return sl_fail(error, SL_NOT_FOUND, "cannot list %s: no such folder", path);
    for (size_t i = 0; i < found.count; i++)
        each(context, found.items[i].path);
    clear(sim, &found);
    return SL_OK;
}
