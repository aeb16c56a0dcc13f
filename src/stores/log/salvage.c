#include "stores/log/salvage.h"

#include "base/hash.h"
#include "stores/log/audit.h"
#include "stores/log/packing.h"
#include "stores/log/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BYTES = 1 << 20,
    PROGRESS_BYTES = 16 << 20,
};

/* ---- Files ----------------------------------------------------------------------------------- */

/* Reads a file piece by piece: into a checksum, and into `to` where that is not NULL. */
static enum sl_err read_through(struct sl_file *from, const char *path, uint64_t bytes,
                                struct sl_file *to, uint64_t *checksum, struct sl_error *error)
{
    uint8_t *piece = aligned_alloc(SL_LOG_BLOCK, PIECE_BYTES);
    enum sl_err err = SL_OK;

    if (!piece)
        return sl_fail(error, SL_NO_MEMORY, "no memory to read %s", path);
    *checksum = 0;
    for (uint64_t at = 0; at < bytes && err == SL_OK;) {
        const size_t len = bytes - at < PIECE_BYTES ? (size_t)(bytes - at) : PIECE_BYTES;
        size_t got;
        err = sl_file_read(from, at, piece, len, &got, error);
        if (err == SL_OK && got < len)
            err = sl_fail(error, SL_CORRUPT, "%s has %llu bytes where %llu are expected", path,
                          (unsigned long long)(at + got), (unsigned long long)bytes);
        if (err == SL_OK && to)
            err = sl_file_write(to, at, piece, len, error);
        if (err == SL_OK)
            *checksum = sl_hash64(piece, len, *checksum);
        at += len;
    }
    free(piece);
    return err;
}

enum sl_err sl_log_checksum_file(struct sl_env *env, const char *path, uint64_t bytes,
                                 uint64_t *out, struct sl_error *error)
{
    struct sl_file *file;
    uint64_t checksum;

    enum sl_err err = sl_disk_open(env, path, SL_OPEN_READ, &file, error);
    if (err != SL_OK)
        return err;
    err = read_through(file, path, bytes, NULL, &checksum, error);
    sl_file_close(file);
    if (err == SL_OK)
        *out = checksum;
    return err;
}

enum sl_err sl_log_copy_file(struct sl_env *env, const char *from, const char *to, uint64_t bytes,
                             uint64_t bytes_full, uint64_t *checksum, struct sl_error *error)
{
    struct sl_file *source = NULL, *target = NULL;
    uint64_t sum = 0;

    enum sl_err err = sl_disk_open(env, from, SL_OPEN_READ, &source, error);
    if (err == SL_OK)
        err = sl_disk_open(env, to, SL_OPEN_WRITE | SL_OPEN_CREATE | SL_OPEN_EXCLUSIVE, &target,
                           error);
    if (err == SL_OK)
        err = read_through(source, from, bytes, target, &sum, error);
    if (err == SL_OK && bytes_full > bytes)
        err = sl_log_zero(target, bytes, bytes_full, error);
    if (err == SL_OK)
        err = sl_file_sync(target, error);
    sl_file_close(source);
    sl_file_close(target);
    if (err == SL_OK && checksum)
        *checksum = sum;
    return err;
}

/* ---- Finding the cut ------------------------------------------------------------------------- */

/* Walks to the damage, or to the end; the walk then stands behind the last batch to be saved. */
static enum sl_err find_cut(struct sl_log_salvage *salvage, struct sl_log_walk *walk,
                            struct sl_error *error)
{
    struct sl_log_audit audit = {0};
    struct sl_log_seen seen;
    uint64_t told = 0;
    enum sl_err err;

    for (;;) {
        err = sl_log_walk_next(walk, &seen, error);
        if (err == SL_OK)
            err = sl_log_audit_batch(&audit, walk, &seen, error);
        if (err != SL_OK)
            break;
        salvage->segment = walk->segment.number;
        salvage->offset = walk->offset;
        salvage->batches = walk->batch;
        salvage->position = walk->position;
        salvage->last_time = seen.head.time;
        if (salvage->progress && walk->bytes_seen - told >= PROGRESS_BYTES) {
            told = walk->bytes_seen;
            salvage->progress(salvage->context, told);
        }
    }
    salvage->outcomes = audit.outcomes;
    salvage->lost_until = walk->durable_through > salvage->position ? walk->durable_through
                                                                    : salvage->position;
    sl_log_audit_close(&audit);
    return err == SL_NOT_FOUND ? SL_OK : err;
}

/* Events of batches behind the damage in a raw segment, and of all that follows in a sealed one. */
static enum sl_err count_behind(struct sl_log_salvage *salvage, struct sl_log_walk *walk,
                                uint64_t at)
{
    const uint64_t number = walk->segment.number;
    struct sl_error ignored = {0};
    struct sl_log_seen seen;
    enum sl_err err;

    for (;;) {
        if (walk->is_sealed)
            err = sl_log_walk_next(walk, &seen, &ignored);
        else
            err = sl_log_walk_search(walk, &at, &seen, &ignored);
        if (err != SL_OK || seen.segment != number)
            return err == SL_NO_MEMORY ? err : SL_OK;
        const uint64_t until = seen.head.first_position + seen.head.event_count;
        if (until > salvage->lost_until)
            salvage->lost_until = until;
        if (seen.head.first_position >= salvage->position)
            salvage->whole_behind += seen.head.event_count;
    }
}

/* What lies behind the damage, as far as it can be read: told, never saved. */
static enum sl_err look_behind(struct sl_log_salvage *salvage, struct sl_log_walk *walk)
{
    struct sl_error ignored = {0};

    walk->checks_pages = false;
    for (uint64_t number = salvage->segment; number <= walk->last; number++) {
        enum sl_err err = sl_log_walk_start(walk, number, &ignored);
        if (err == SL_OK && walk->position > salvage->lost_until)
            salvage->lost_until = walk->position;
        if (err == SL_OK && walk->is_sealed &&
            walk->unseal.head.next_position > salvage->lost_until)
            salvage->lost_until = walk->unseal.head.next_position;
        /* A segment that can't be read tells nothing. */
        if (err == SL_OK)
            err = count_behind(salvage, walk,
                               number == salvage->segment ? salvage->offset : SL_LOG_BLOCK);
        if (err == SL_NO_MEMORY)
            return err;
    }
    return SL_OK;
}

/* ---- Copying --------------------------------------------------------------------------------- */

/* Where the copy is made: what was sealed stays so, what was raw too; sealed ones come first. A
 * sealed segment is never a log's last, so where the cut is in one, an empty raw one follows. */
struct target {
    struct sl_log_folder folder;
    uint64_t first_raw; /* segments from this number on are raw */
    uint64_t last;
};

static void temporary_path(const struct target *target, uint64_t number, char *out)
{
    char name[48];

    if (number < target->first_raw) {
        sl_log_sealed_tmp_path(&target->folder, number, out);
        return;
    }
    snprintf(name, sizeof name, "%020llu.seg.tmp", (unsigned long long)number);
    sl_log_path(&target->folder, name, out);
}

/* Can the sealed segment that the walk stands in be copied as it is? */
static bool is_whole_sealed(struct sl_log_salvage *salvage, struct sl_log_walk *walk)
{
    struct sl_error ignored = {0};

    const bool is_whole = sl_log_unseal_check_pages(&walk->unseal, &ignored) == SL_OK;
    salvage->indexes_lost += !is_whole;
    return is_whole && walk->unseal.head.next_batch <= salvage->batches;
}

static enum sl_err pack_batch(struct sl_log_packing *packing, const struct sl_log_seen *seen,
                              struct sl_error *error)
{
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen->bytes));
    struct sl_log_frame frame;

    enum sl_err err = sl_log_packing_batch(packing, &seen->head, error);
    while (err == SL_OK && sl_log_frame_next_any(&cursor, &frame) == SL_OK)
        err = sl_log_packing_frame(packing, &frame, error);
    if (err == SL_INVALID || (err == SL_OK && !sl_log_packing_end_batch(packing)))
        return sl_fail(error, SL_CORRUPT, "%s: a batch is not what its head says", packing->source);
    return err;
}

/* Makes a sealed segment anew, up to the cut: its index was damaged, or what is behind the cut. */
static enum sl_err pack_again(const struct sl_log_salvage *salvage, const struct target *target,
                              struct sl_log_walk *walk, struct sl_error *error)
{
    const uint64_t next_batch = walk->unseal.head.next_batch;
    const uint64_t until = next_batch < salvage->batches ? next_batch : salvage->batches;
    struct sl_log_packing packing;
    struct sl_log_seen seen;

    enum sl_err err =
        sl_log_packing_begin(&packing, &target->folder, &walk->segment,
                             walk->unseal.head.first_outcome, walk->path, error);
    packing.stays_unnamed = true;
    while (err == SL_OK && walk->batch < until) {
        err = sl_log_walk_next(walk, &seen, error);
        if (err == SL_OK)
            err = pack_batch(&packing, &seen, error);
    }
    if (err == SL_OK)
        err = sl_log_packing_end(&packing, error);
    while (err == SL_OK && packing.phase != SL_LOG_PACKING_DONE)
        err = sl_log_packing_step(&packing, error);
    sl_log_packing_close(&packing);
    return err;
}

/* The raw segment behind a sealed one that ends at the cut. `walk` stands at the cut. */
static enum sl_err add_empty(const struct sl_log_salvage *salvage, struct target *target,
                             const struct sl_log_walk *walk, struct sl_error *error)
{
    struct sl_log_walk next = {.segment = walk->segment,
                               .raw_bytes_full = SL_LOG_SEGMENT_BYTES_MIN};
    struct sl_log_raw raw = {0};
    char to[SL_LOG_PATH_MAX];

    target->last = target->first_raw = walk->segment.number + 1;
    next.segment.number = target->last;
    next.segment.first_batch = walk->batch;
    next.segment.first_position = walk->position;
    next.segment.previous = walk->previous;
    next.segment.time = salvage->last_time;
    sl_env_random(salvage->env, &next.segment.salt, sizeof next.segment.salt);
    temporary_path(target, target->last, to);
    enum sl_err err = sl_log_raw_begin(&raw, salvage->env, to, &next, error);
    if (err == SL_OK)
        err = sl_log_raw_end(&raw, next.raw_bytes_full, error);
    sl_log_raw_close(&raw);
    return err;
}

static enum sl_err copy_raw(const struct sl_log_salvage *salvage, struct sl_log_walk *walk,
                            const char *to, struct sl_error *error)
{
    const uint64_t number = walk->segment.number, bytes_full = walk->raw_bytes_full;
    struct sl_log_raw raw = {0};
    struct sl_log_seen seen;

    enum sl_err err = sl_log_raw_begin(&raw, salvage->env, to, walk, error);
    while (err == SL_OK && walk->batch < salvage->batches) {
        err = sl_log_walk_next(walk, &seen, error);
        if (err != SL_OK || seen.segment != number)
            break;
        err = sl_log_raw_add(&raw, &seen, error);
    }
    if (err == SL_OK)
        err = sl_log_raw_end(&raw, bytes_full, error);
    sl_log_raw_close(&raw);
    return err;
}

/* Reads on to the cut. */
static enum sl_err walk_to_cut(const struct sl_log_salvage *salvage, struct sl_log_walk *walk,
                               struct sl_error *error)
{
    struct sl_log_seen seen;
    enum sl_err err = SL_OK;

    while (err == SL_OK && walk->batch < salvage->batches)
        err = sl_log_walk_next(walk, &seen, error);
    return err;
}

static enum sl_err copy_segment(struct sl_log_salvage *salvage, struct target *target,
                                struct sl_log_walk *walk, uint64_t number, struct sl_error *error)
{
    char to[SL_LOG_PATH_MAX];

    enum sl_err err = sl_log_walk_start(walk, number, error);
    if (err != SL_OK)
        return err;
    /* The very first segment, of which nothing is whole, becomes a raw one without batches. */
    const bool is_sealed = walk->is_sealed && salvage->batches > 0;
    if (!is_sealed && number < target->first_raw)
        target->first_raw = number;
    temporary_path(target, number, to);
    if (!is_sealed)
        return copy_raw(salvage, walk, to, error);
    if (is_whole_sealed(salvage, walk)) {
        err = sl_log_copy_file(salvage->env, walk->path, to, walk->segment.bytes, 0, NULL, error);
        if (err == SL_OK && number == salvage->segment)
            err = walk_to_cut(salvage, walk, error);
    } else {
        err = pack_again(salvage, target, walk, error);
    }
    return err == SL_OK && number == salvage->segment ? add_empty(salvage, target, walk, error)
                                                      : err;
}

/* Names come last, segment 0's at the very end: a folder that was left unfinished lacks its first
 * segment, and so never opens as a shorter log. */
static enum sl_err give_names(const struct sl_log_salvage *salvage,
                              const struct target *target, struct sl_error *error)
{
    const struct sl_log_folder *folder = &target->folder;
    char from[SL_LOG_PATH_MAX], to[SL_LOG_PATH_MAX];
    enum sl_err err = SL_OK;

    for (uint64_t number = target->last + 1; number-- > 0 && err == SL_OK;) {
        temporary_path(target, number, from);
        if (number < target->first_raw)
            sl_log_sealed_path(folder, number, to);
        else
            sl_log_segment_path(folder, number, to);
        if (number == 0)
            err = sl_disk_sync_folder(salvage->env, folder->path, error);
        if (err == SL_OK)
            err = sl_disk_rename(salvage->env, from, to, error);
    }
    return err == SL_OK ? sl_disk_sync_folder(salvage->env, folder->path, error) : err;
}

static enum sl_err copy(struct sl_log_salvage *salvage, struct sl_log_walk *walk,
                        struct sl_error *error)
{
    struct target target = {.folder.env = salvage->env, .first_raw = UINT64_MAX,
                            .last = salvage->segment};
    struct sl_log_folder *folder = &target.folder;
    struct sl_log_listing listing;

    if (strlen(salvage->to) >= sizeof folder->path)
        return sl_fail(error, SL_LIMIT, "the target folder has too long a name");
    memcpy(folder->path, salvage->to, strlen(salvage->to) + 1);
    enum sl_err err = sl_disk_make_folder(salvage->env, folder->path, error);
    if (err == SL_OK)
        err = sl_log_folder_list(folder, &listing, error);
    if (err == SL_OK &&
        (listing.segment_count > 0 || listing.sealed_count > 0 || listing.has_spare))
        err = sl_fail(error, SL_CONFLICT, "%s holds a log already: name another folder",
                      folder->path);
    /* What an attempt before this one left unfinished. */
    if (err == SL_OK)
        err = sl_log_folder_sweep(folder, error);
    for (uint64_t number = 0; number <= salvage->segment && err == SL_OK; number++)
        err = copy_segment(salvage, &target, walk, number, error);
    return err == SL_OK ? give_names(salvage, &target, error) : err;
}

enum sl_err sl_log_salvage(struct sl_log_salvage *salvage, struct sl_error *error)
{
    struct sl_log_walk walk = {0};
    struct sl_error met = {0};

    enum sl_err err = sl_log_walk_open(&walk, salvage->env, salvage->from, &met);
    salvage->log = walk.segment.log;
    salvage->segment = 0;
    salvage->offset = SL_LOG_BLOCK;
    if (err == SL_OK)
        err = find_cut(salvage, &walk, &met);
    else if (err == SL_CORRUPT)
        err = sl_fail(&met, SL_NOT_FOUND, "%s: its first segment can't be read: nothing can be "
                      "saved; restore a backup", salvage->from);
    if (err == SL_CORRUPT) {
        salvage->is_damaged = true;
        salvage->damage = met;
        salvage->damage_offset = walk.damage_offset;
        memcpy(salvage->damaged_file, walk.damage_path, sizeof walk.damage_path);
        err = look_behind(salvage, &walk);
        if (err == SL_NO_MEMORY)
            (void)sl_fail(&met, err, "no memory to look behind the damage");
    }
    if (err == SL_OK)
        err = copy(salvage, &walk, &met);
    if (err != SL_OK && error)
        *error = met;
    sl_log_walk_close(&walk);
    return err;
}
