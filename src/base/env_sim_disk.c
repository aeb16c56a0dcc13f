#include "base/env_sim_parts.h"
#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sim_file {
    struct sl_file file;
    struct sim_env *sim;
    struct sim_file *next;
    struct sim_inode *inode; /* NULL: closed by a power loss */
    char *path;              /* for messages */
};

static const struct sl_file_ops file_ops;
static const uint64_t file_bytes_max = UINT64_C(1) << 30;

/* ---- Faults ---------------------------------------------------------------------------------- */

/* Counts down to the call that is meant; true: this is it. */
static bool is_this(uint64_t *countdown)
{
    return *countdown > 0 && --*countdown == 0;
}

enum sim_gate sim_gate(struct sim_env *sim, bool changes)
{
    struct sim_disk *disk = &sim->disk;

    if (disk->power_is_out)
        return SIM_POWER_OUT;
    disk->all_calls++;
    if (changes) {
        disk->calls++;
        if (disk->slow_ns > 0)
            sl_sim_advance(&sim->env, (int64_t)sim_random(sim, (uint64_t)disk->slow_ns));
        if (is_this(&disk->power_loss_in)) {
            disk->power_is_out = true;
            return SIM_CUT_OFF;
        }
    }
    if (disk->fail_in > 1) {
        disk->fail_in--;
        return SIM_GO;
    }
    if (disk->fail_in == 0)
        return SIM_GO;
    if (--disk->fail_count == 0)
        disk->fail_in = 0;
    return disk->fail_as == SL_IO ? SIM_FAIL : changes ? SIM_FULL : SIM_GO;
}

enum sl_err sim_refuse(struct sl_error *error, enum sim_gate gate, const char *path)
{
    if (gate == SIM_FULL) {
        errno = ENOSPC;
        return sl_fail(error, SL_LIMIT, "cannot write %s: the disk is full", path);
    }
    errno = EIO;
    return sl_fail(error, SL_IO, gate == SIM_FAIL ? "%s: the disk fails" : "%s: the power is out",
                   path);
}

/* How many of `wanted` more bytes fit on the disk. */
static uint64_t room_for(const struct sim_env *sim, uint64_t wanted)
{
    uint64_t used = 0;

    if (sim->disk.bytes_max == 0)
        return wanted;
    for (const struct sim_inode *inode = sim->disk.inodes; inode; inode = inode->next)
        used += inode->now.size;
    const uint64_t room = used < sim->disk.bytes_max ? sim->disk.bytes_max - used : 0;
    return wanted < room ? wanted : room;
}

/* The size that a file can get on its way to `size`. */
static uint64_t size_that_fits(const struct sim_file *file, uint64_t size)
{
    const uint64_t now = file->inode->now.size;

    if (size > file_bytes_max)
        size = file_bytes_max;
    return size > now ? now + room_for(file->sim, size - now) : size;
}

static enum sl_err disk_is_full(struct sl_error *error, const struct sim_file *file)
{
    return sl_fail(error, SL_LIMIT, "cannot write %s: the disk is full", file->path);
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* As sim_gate, and closed for files from before a power loss. */
static enum sim_gate file_gate(const struct sim_file *file, bool changes)
{
    return file->inode ? sim_gate(file->sim, changes) : SIM_POWER_OUT;
}

enum sl_err sim_open(struct sl_env *env, const char *path, unsigned flags, struct sl_file **out,
                     struct sl_error *error)
{
    struct sim_env *sim = sim_of(env);
    char *whole = sim_path(path);
    struct sim_inode *inode = sim_name_find(&sim->disk.now, whole);
    const bool is_folder = sim_is_folder(sim, whole);
    const bool creates =
        !inode && !is_folder && (flags & SL_OPEN_CREATE) && sim_has_parent(sim, whole);
    const enum sim_gate gate = sim_gate(sim, creates);
    enum sl_err status = SL_OK;

    if (creates && (gate == SIM_GO || gate == SIM_CUT_OFF)) {
        inode = sim_inode_new(sim);
        sim_names_change(sim, NULL, whole, inode);
    }
    if (gate != SIM_GO)
        status = sim_refuse(error, gate, path);
    else if (is_folder)
        status = sl_fail(error, SL_INVALID, "cannot open %s: it is a folder", path);
    else if (!inode)
        status = sl_fail(error, SL_NOT_FOUND, "cannot open %s: no such file or folder", path);
    else if (!creates && (flags & SL_OPEN_EXCLUSIVE))
        status = sl_fail(error, SL_CONFLICT, "cannot open %s: it exists already", path);
    if (status != SL_OK) {
        free(whole);
        return status;
    }
    SL_ASSERT(inode);
    struct sim_file *file = calloc(1, sizeof *file);
    if (!file) {
        free(whole);
        return sl_fail(error, SL_NO_MEMORY, "no memory to open %s", path);
    }
    *file = (struct sim_file){{&file_ops, flags}, sim, sim->disk.files, inode, whole};
    inode->refs++;
    sim->disk.files = file;
    *out = &file->file;
    return SL_OK;
}

/* The file is closed, its memory stays. */
static void let_go(struct sim_file *file)
{
    if (!file->inode)
        return;
    if (file->inode->locked_by == &file->file)
        file->inode->locked_by = NULL;
    sim_inode_release(file->sim, file->inode);
    file->inode = NULL;
}

static void sim_close(struct sl_file *base)
{
    struct sim_file *file = (struct sim_file *)base;
    struct sim_file **place = &file->sim->disk.files;

    let_go(file);
    while (*place != file)
        place = &(*place)->next;
    *place = file->next;
    free(file->path);
    free(file);
}

static enum sl_err sim_read(struct sl_file *base, uint64_t offset, void *bytes, size_t len,
                            size_t *out_len, struct sl_error *error)
{
    const struct sim_file *file = (const struct sim_file *)base;
    const enum sim_gate gate = file_gate(file, false);

    if (gate != SIM_GO)
        return sim_refuse(error, gate, file->path);
    const struct sim_image *now = &file->inode->now;
    const size_t left = offset < now->size ? now->size - (size_t)offset : 0;
    const size_t done = len < left ? len : left;
    if (done > 0)
        memcpy(bytes, now->bytes + offset, done);
    *out_len = done;
    return SL_OK;
}

static enum sl_err sim_write(struct sl_file *base, uint64_t offset, const void *bytes, size_t len,
                             bool durable, struct sl_error *error)
{
    const struct sim_file *file = (const struct sim_file *)base;
    struct sim_env *sim = file->sim;
    const enum sim_gate gate = file_gate(file, true);

    if (gate == SIM_POWER_OUT)
        return sim_refuse(error, gate, file->path);
    const uint64_t end = size_that_fits(file, offset + len);
    size_t fits = end > offset ? (size_t)(end - offset) : 0;
    if (gate == SIM_FAIL || gate == SIM_FULL)
        fits = (size_t)sim_random(sim, fits + 1);
    if (fits > 0)
        sim_note(sim, sl_hash64(bytes, fits, offset));
    sim_inode_write(sim, file->inode, offset, bytes, fits);
    if (gate != SIM_GO)
        return sim_refuse(error, gate, file->path);
    if (fits < len)
        return disk_is_full(error, file);
    if (durable)
        sim_inode_harden(file->inode, offset, len);
    return SL_OK;
}

static enum sl_err sim_sync(struct sl_file *base, struct sl_error *error)
{
    const struct sim_file *file = (const struct sim_file *)base;
    const enum sim_gate gate = file_gate(file, true);

    if (gate == SIM_GO || gate == SIM_FULL) {
        sim_inode_sync(file->inode);
        return SL_OK;
    }
    /* As Linux does it: what could not be written counts as written. */
    if (gate == SIM_FAIL)
        sim_inode_settle(file->sim, file->inode, (struct sim_mood){SIM_KEEP_ANY, 0});
    return sim_refuse(error, gate, file->path);
}

static enum sl_err sim_size(struct sl_file *base, uint64_t *out, struct sl_error *error)
{
    const struct sim_file *file = (const struct sim_file *)base;
    const enum sim_gate gate = file_gate(file, false);

    if (gate != SIM_GO)
        return sim_refuse(error, gate, file->path);
    *out = file->inode->now.size;
    return SL_OK;
}

static enum sl_err sim_truncate(struct sl_file *base, uint64_t size, struct sl_error *error)
{
    const struct sim_file *file = (const struct sim_file *)base;
    const enum sim_gate gate = file_gate(file, true);

    if (gate != SIM_GO && gate != SIM_CUT_OFF)
        return sim_refuse(error, gate, file->path);
    const bool fits = size_that_fits(file, size) == size;
    if (fits)
        sim_inode_resize(file->sim, file->inode, (size_t)size);
    if (gate != SIM_GO)
        return sim_refuse(error, gate, file->path);
    return fits ? SL_OK : disk_is_full(error, file);
}

static enum sl_err sim_lock(struct sl_file *base, struct sl_error *error)
{
    const struct sim_file *file = (const struct sim_file *)base;
    const enum sim_gate gate = file_gate(file, false);

    if (gate != SIM_GO)
        return sim_refuse(error, gate, file->path);
    if (file->inode->locked_by && file->inode->locked_by != base)
        return sl_fail(error, SL_BUSY, "%s is in use by another process: stop that one first",
                       file->path);
    file->inode->locked_by = base;
    return SL_OK;
}

static const struct sl_file_ops file_ops = {
    .read = sim_read,
    .write = sim_write,
    .sync = sim_sync,
    .size = sim_size,
    .truncate = sim_truncate,
    .lock = sim_lock,
    .close = sim_close,
};

/* ---- Power and tests ------------------------------------------------------------------------- */

void sim_disk_power_loss(struct sim_env *sim)
{
    struct sim_disk *disk = &sim->disk;

    disk->power_is_out = false;
    disk->power_loss_in = disk->fail_in = 0;
    for (struct sim_file *file = disk->files; file; file = file->next)
        let_go(file);
    /* Each file has a mood of its own: one may keep all, while another loses all. */
    for (struct sim_inode *inode = disk->inodes; inode; inode = inode->next) {
        const size_t count = inode->piece_count;

        if (count > 0)
            sim_inode_settle(sim, inode,
                             sim_mood(sim, inode->pieces[0].op, inode->pieces[count - 1].op));
        sim_inode_revert(inode);
    }
    sim_names_power_loss(sim);
}

void sim_disk_close(struct sim_env *sim)
{
    struct sim_file *next;

    /* Files that nobody closed stay: what leaks them is found by the address sanitizer. */
    for (struct sim_file *file = sim->disk.files; file; file = next) {
        next = file->next;
        if (!file->inode)
            sim_close(&file->file);
        else
            let_go(file);
    }
    sim_names_close(sim);
}

uint64_t sl_sim_disk_calls(struct sl_env *env)
{
    return sim_of(env)->disk.calls;
}

void sl_sim_power_loss_at(struct sl_env *env, uint64_t nth_call)
{
    sim_of(env)->disk.power_loss_in = nth_call;
}

bool sl_sim_power_is_out(struct sl_env *env)
{
    return sim_of(env)->disk.power_is_out;
}

void sl_sim_disk_fail_at(struct sl_env *env, uint64_t nth_call)
{
    sl_sim_disk_fault(env, nth_call, 1, SL_IO);
}

void sl_sim_disk_fault(struct sl_env *env, uint64_t nth_call, uint64_t count, enum sl_err as)
{
    struct sim_disk *disk = &sim_of(env)->disk;

    SL_ASSERT(count > 0 && (as == SL_IO || as == SL_LIMIT));
    disk->fail_in = nth_call;
    disk->fail_count = count;
    disk->fail_as = as;
}

uint64_t sl_sim_disk_all_calls(struct sl_env *env)
{
    return sim_of(env)->disk.all_calls;
}

void sl_sim_disk_slow(struct sl_env *env, int64_t ns_max)
{
    sim_of(env)->disk.slow_ns = ns_max;
}

void sl_sim_disk_size(struct sl_env *env, uint64_t bytes)
{
    sim_of(env)->disk.bytes_max = bytes;
}

static struct sim_inode *inode_at(struct sl_env *env, const char *path)
{
    char *whole = sim_path(path);
    struct sim_inode *inode = sim_name_find(&sim_of(env)->disk.now, whole);

    free(whole);
    return inode;
}

enum sl_err sl_sim_disk_peek(struct sl_env *env, const char *path, struct sl_slice *out)
{
    const struct sim_inode *inode = inode_at(env, path);

    if (!inode)
        return SL_NOT_FOUND;
    *out = (struct sl_slice){inode->now.bytes, inode->now.size};
    return SL_OK;
}

enum sl_err sl_sim_disk_poke(struct sl_env *env, const char *path, uint64_t offset,
                             struct sl_slice bytes)
{
    struct sim_inode *inode = inode_at(env, path);

    if (!inode)
        return SL_NOT_FOUND;
    if (offset > inode->now.size || bytes.len > inode->now.size - offset)
        return SL_INVALID;
    if (bytes.len == 0)
        return SL_OK;
    sim_inode_write(sim_of(env), inode, offset, bytes.ptr, bytes.len);
    sim_inode_harden(inode, offset, bytes.len);
    return SL_OK;
}
