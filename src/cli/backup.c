/*
 * `sluice backup DIR`: a copy of all logs, taken while the server runs or when it does not.
 *
 *     DIR/manifest.json                        what is in force: logs, cuts, files, checksums
 *     DIR/logs/NAME/NUMBER-CHECKSUM.seg        a raw segment, batches only
 *     DIR/logs/NAME/NUMBER-CHECKSUM.sealed     a sealed one, as it is
 *     DIR/lock                                 one backup at a time
 *
 * In three steps:
 *   1. Segments that are full are copied, which may take long.
 *   2. The cut. The end of each log is found; then the clock is read: T; then each log is followed
 *      to the last batch stamped T or earlier. This is the cut of all logs.
 *   3. What lies between is copied, up to the cut, and the manifest is replaced.
 *
 * Why one time for all logs: a process manager's log remembers outcomes of commands that it sent to
 * other logs, and must never remember one that a restored log lacks. The batch with such an event
 * was stamped after the event was durable in the other log, whose batch was stamped before that; so
 * whoever has the later one, by its stamp, has the earlier one, whoever calls whom, in circles too.
 * A batch that was there before T was read is in the cut whatever its stamp, so a clock that once
 * jumped ahead takes nothing away. (A log that is called may hold more than its caller knows of.
 * That is harmless: the caller sends again, with the same ids.)
 *
 * What a cut holds is durable in the source when the manifest is written: the file that has the
 * log's end is synced from here, too.
 *
 * A file's name has its checksum, so files of two backups never collide, and one that is there is
 * complete. The next backup into DIR copies what DIR lacks. It takes the place of the one before in
 * the moment when the manifest is renamed; until then that one is whole, and files that only it
 * needed are removed after. A full segment need not be read again to know that DIR has it: the
 * header that follows it in the log repeats the checksum of its last batch, which is chained to
 * everything before (format.c), and the manifest has that checksum, too. Where they differ, DIR
 * holds another history, and is left alone. A sealed segment that was scavenged since has the same
 * history but other bytes, and another header (stone.c): then it is copied again.
 *
 * Every batch that is copied is checked, and every file is read back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/backup_parts.h"
#include "record/value.h"
#include "stores/log/raw.h"
#include "stores/log/salvage.h"

const char cli_backup_help[] =
    "Copies the logs of DATA to DIR, which becomes a backup. The server may run meanwhile. All\n"
    "logs are cut at one moment, so that what one of them knows of another is in the other, too.\n"
    "A second backup into the same DIR copies only what is new, and then takes the place of the\n"
    "first; if it fails, the first one is still there.\n\n"
    "  --verify     reads what DIR has already, and copies again what is damaged there\n"
    "  --json       says as JSON what was done\n"
    "  --progress   shows how far it is also where stderr is no terminal\n\n"
    "It holds logs alone: views are made again from them. Keep sluice.conf and DATA/auth.conf\n"
    "with your other configuration; admin.token is made anew. See: sluice help restore";

struct job {
    const struct cli_log *log;
    const struct backup_log *old; /* NULL: the backup has none of this log yet */
    struct sl_log_walk walk;
    uint64_t first_segment; /* that the walk began at */
    struct backup_file *files;
    size_t file_count, file_capacity;
    struct backup_log done;
    uint64_t salt; /* of the reign done.epoch */
    uint64_t copied, copied_bytes, kept, kept_bytes;
};

struct backup {
    struct sl_env *env;
    const char *dir;
    bool verify, json, forced_progress;
    struct sl_arena arena; /* of the manifests */
    struct backup_manifest old, new;
    bool is_first;
    struct sl_file *lock;
    struct job *jobs;
    size_t job_count;
    struct cli_progress progress;
    uint64_t bytes_done;
    struct sl_error error;
};

static enum sl_err no_memory(struct backup *backup)
{
    return sl_fail(&backup->error, SL_NO_MEMORY, "no memory for the backup");
}

/* ---- Histories ------------------------------------------------------------------------------- */

static enum sl_err other_history(struct backup *backup, const struct job *job, const char *how)
{
    return sl_fail(&backup->error, SL_CONFLICT, "%s holds a backup of %s that %s: name another "
                   "folder", backup->dir, job->log->name, how);
}

static uint64_t last_of(const struct backup_file *file)
{
    uint64_t last = 0;

    (void)backup_hex_read(file->last, &last); /* the manifest was checked */
    return last;
}

/* Has the log, where it stands now, the history that the old backup has there? */
static enum sl_err check_history(struct backup *backup, const struct job *job,
                                 const struct sl_log_walk *walk)
{
    if (!job->old || job->old->files.count == 0)
        return SL_OK;
    const struct backup_file *files = job->old->files.items;
    const struct backup_file *end = &files[job->old->files.count - 1];
    if (!sl_uuid_equals(walk->segment.log, job->old->log))
        return other_history(backup, job, "is another log");
    if (walk->batch == end->next_batch && walk->previous != last_of(end))
        return other_history(backup, job, "went on differently");
    return SL_OK;
}

/* ---- Copying a segment ----------------------------------------------------------------------- */

static struct backup_file *add_file(struct backup *backup, struct job *job)
{
    if (job->file_count == job->file_capacity) {
        const size_t capacity = job->file_capacity * 2 + 16;
        struct backup_file *files = realloc(job->files, capacity * sizeof *files);
        if (!files) {
            (void)no_memory(backup);
            return NULL;
        }
        job->files = files;
        job->file_capacity = capacity;
    }
    struct backup_file *file = &job->files[job->file_count++];
    *file = (struct backup_file){0};
    return file;
}

/* Reigns that begin in a batch. */
static void note_epochs(struct job *job, const struct sl_log_seen *seen)
{
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen->bytes));
    struct sl_log_frame frame;
    struct sl_epoch epoch;

    job->done.last_time = seen->head.time;
    /* An early segment may be copied again: what is known may be of a later reign. */
    if (seen->head.event_count > 0 || seen->head.epoch < job->done.epoch)
        return; /* a claim is a batch of its own */
    job->done.epoch = seen->head.epoch;
    while (sl_log_frame_next_any(&cursor, &frame) == SL_OK)
        if (frame.kind == SL_LOG_EPOCH && sl_log_epoch_read(frame.payload, &epoch))
            job->salt = epoch.salt;
}

/* Walks through one segment up to a batch, checking; with `raw`, writes what it meets. */
static enum sl_err walk_segment(struct backup *backup, struct job *job, struct sl_log_walk *walk,
                                uint64_t until_batch, struct sl_log_raw *raw)
{
    const uint64_t number = walk->segment.number;
    struct sl_log_seen seen;
    enum sl_err err = check_history(backup, job, walk);

    while (err == SL_OK && walk->batch < until_batch) {
        err = sl_log_walk_next(walk, &seen, &backup->error);
        if (err != SL_OK || seen.segment != number)
            break;
        note_epochs(job, &seen);
        if (raw)
            err = sl_log_raw_add(raw, &seen, &backup->error);
        if (err == SL_OK)
            err = check_history(backup, job, walk);
        cli_progress_step(&backup->progress, backup->bytes_done + walk->bytes_seen);
    }
    return err == SL_NOT_FOUND
               ? sl_fail(&backup->error, SL_CORRUPT, "%s ends before batch %llu, which was there a "
                         "moment ago", walk->path, (unsigned long long)until_batch)
               : err;
}

/* Names the file after what it holds, once that was read back. */
static enum sl_err finish_file(struct backup *backup, struct job *job, const char *temporary,
                               struct backup_file *file)
{
    char path[CLI_PATH_MAX];
    uint64_t checksum;

    enum sl_err err = sl_log_checksum_file(backup->env, temporary, file->bytes, &checksum,
                                           &backup->error);
    if (err != SL_OK)
        return err;
    file->checksum = backup_hex(&backup->arena, checksum);
    file->file = sl_arena_printf(&backup->arena, "logs/%s/%020llu-%016llx.%s", job->log->name,
                                 (unsigned long long)file->segment, (unsigned long long)checksum,
                                 file->sealed ? "sealed" : "seg");
    if (!file->checksum.ptr || !file->file.ptr)
        return no_memory(backup);
    if (!backup_path(path, backup->dir, file->file.ptr, NULL))
        return sl_fail(&backup->error, SL_LIMIT, "%s has too long a name", backup->dir);
    job->copied++;
    job->copied_bytes += file->bytes;
    return sl_disk_rename(backup->env, temporary, path, &backup->error);
}

/* The first block of a segment's file, which has a checksum of itself and counts the stones. */
static bool has_head(struct backup *backup, const char *path, const uint8_t *head)
{
    struct sl_error ignored = {0};
    uint8_t block[SL_LOG_BLOCK];
    struct sl_file *file;
    size_t got = 0;

    if (sl_disk_open(backup->env, path, SL_OPEN_READ, &file, &ignored) != SL_OK)
        return false;
    const enum sl_err err = sl_file_read(file, 0, block, sizeof block, &got, &ignored);
    sl_file_close(file);
    return err == SL_OK && got == sizeof block && memcmp(block, head, sizeof block) == 0;
}

/* Is the copy one of the file that the walk goes through? It is copied by its name, which a
 * scavenge may give to another file meanwhile. */
static enum sl_err check_copied(struct backup *backup, struct sl_log_walk *walk, const char *copy)
{
    uint8_t head[SL_LOG_BLOCK];
    size_t got = 0;

    const enum sl_err err = sl_file_read(walk->file, 0, head, sizeof head, &got, &backup->error);
    if (err == SL_OK && (got < sizeof head || !has_head(backup, copy, head)))
        return sl_fail(&backup->error, SL_CONFLICT, "%s was scavenged while it was copied: make "
                       "the backup again", walk->path);
    return err;
}

static enum sl_err copy_sealed(struct backup *backup, struct job *job, struct sl_log_walk *walk,
                               const char *temporary, struct backup_file *file)
{
    uint64_t copied, read_back;

    file->sealed = true;
    file->bytes = file->bytes_full = walk->segment.bytes;
    const struct sl_log_sealed_head head = walk->unseal.head;
    enum sl_err err = sl_log_unseal_check_pages(&walk->unseal, &backup->error);
    if (err == SL_CORRUPT)
        return sl_log_walk_damage(walk, walk->segment.number, walk->unseal.block, &backup->error,
                                  walk->unseal.why);
    if (err == SL_OK)
        err = sl_log_copy_file(backup->env, walk->path, temporary, file->bytes, 0, &copied,
                               &backup->error);
    if (err == SL_OK)
        err = check_copied(backup, walk, temporary);
    if (err == SL_OK)
        err = walk_segment(backup, job, walk, head.next_batch, NULL);
    if (err == SL_OK)
        err = sl_log_checksum_file(backup->env, temporary, file->bytes, &read_back,
                                   &backup->error);
    if (err == SL_OK && copied != read_back)
        err = sl_fail(&backup->error, SL_CORRUPT, "%s does not hold what was written to it: the "
                      "disk of the backup is not to be trusted", temporary);
    return err;
}

static enum sl_err copy_raw(struct backup *backup, struct job *job, struct sl_log_walk *walk,
                            uint64_t until_batch, const char *temporary, struct backup_file *file)
{
    struct sl_log_raw raw = {0};

    file->bytes_full = walk->raw_bytes_full;
    enum sl_err err = sl_log_raw_begin(&raw, backup->env, temporary, walk, &backup->error);
    if (err == SL_OK)
        err = walk_segment(backup, job, walk, until_batch, &raw);
    if (err == SL_OK)
        err = sl_log_raw_end(&raw, 0, &backup->error);
    file->bytes = raw.offset;
    sl_log_raw_close(&raw);
    return err;
}

/* Copies the segment, whole or up to the batch `until_batch`, from its own file. `next`: what the
 * header of the following segment says, if there is one. */
static enum sl_err copy_segment(struct backup *backup, struct job *job, uint64_t number,
                                const struct sl_log_segment_head *next, uint64_t until_batch)
{
    struct sl_log_walk walk = {.folder = job->walk.folder, .until.ns = INT64_MAX};
    char temporary[CLI_PATH_MAX];
    struct sl_error ignored = {0};
    struct backup_file file = {.segment = number, .complete = next != NULL};

    if (!backup_path(temporary, backup->dir, "segment.tmp", NULL))
        return sl_fail(&backup->error, SL_LIMIT, "%s has too long a name", backup->dir);
    (void)!sl_disk_remove(backup->env, temporary, &ignored); /* of an attempt that failed */
    enum sl_err err = sl_log_walk_start(&walk, number, &backup->error);
    if (err == SL_OK && walk.is_sealed && next)
        err = copy_sealed(backup, job, &walk, temporary, &file);
    else if (err == SL_OK)
        err = copy_raw(backup, job, &walk, until_batch, temporary, &file);
    if (err == SL_OK) {
        file.next_batch = until_batch;
        file.next_position = next ? next->first_position : job->done.position;
        file.last = backup_hex(&backup->arena, next ? next->previous : job->walk.previous);
        if (!file.last.ptr)
            err = no_memory(backup);
    }
    if (err == SL_OK)
        err = finish_file(backup, job, temporary, &file);
    backup->bytes_done += walk.bytes_seen;
    sl_log_walk_close(&walk);
    struct backup_file *added = err == SL_OK ? add_file(backup, job) : NULL;
    if (added)
        *added = file;
    return err == SL_OK && !added ? SL_NO_MEMORY : err;
}

/* ---- Keeping a segment ----------------------------------------------------------------------- */

static bool is_there(struct backup *backup, const struct backup_file *file)
{
    struct sl_error ignored = {0};
    char path[CLI_PATH_MAX];
    uint64_t checksum, size = 0;
    struct sl_file *opened;

    if (!backup_path(path, backup->dir, file->file.ptr, NULL) ||
        sl_disk_open(backup->env, path, SL_OPEN_READ, &opened, &ignored) != SL_OK)
        return false;
    const enum sl_err err = sl_file_size(opened, &size, &ignored);
    sl_file_close(opened);
    if (err != SL_OK || size != file->bytes)
        return false;
    if (!backup->verify)
        return true;
    uint64_t expected = 0;
    (void)backup_hex_read(file->checksum, &expected);
    return sl_log_checksum_file(backup->env, path, file->bytes, &checksum, &ignored) == SL_OK &&
           checksum == expected;
}

/* Has the log the same sealed segment as the backup, or one that was scavenged since? */
static bool is_same_sealed(struct backup *backup, const struct job *job,
                           const struct backup_file *file)
{
    char source[SL_LOG_PATH_MAX], path[CLI_PATH_MAX];
    struct sl_error ignored = {0};
    uint8_t head[SL_LOG_BLOCK];
    struct sl_file *opened;
    size_t got = 0;

    sl_log_sealed_path(&job->walk.folder, file->segment, source);
    if (!backup_path(path, backup->dir, file->file.ptr, NULL) ||
        sl_disk_open(backup->env, source, SL_OPEN_READ, &opened, &ignored) != SL_OK)
        return false;
    const enum sl_err err = sl_file_read(opened, 0, head, sizeof head, &got, &ignored);
    sl_file_close(opened);
    return err == SL_OK && got == sizeof head && has_head(backup, path, head);
}

/* The old backup's file for a full segment, when it holds the same and is there. */
static enum sl_err keep(struct backup *backup, struct job *job, uint64_t number, bool is_sealed,
                        const struct sl_log_segment_head *next, bool *out_kept)
{
    *out_kept = false;
    if (!job->old || number >= job->old->files.count)
        return SL_OK;
    const struct backup_file *files = job->old->files.items;
    SL_ASSERT(files); /* their count is above 0 */
    const struct backup_file *file = &files[number];
    if (!file->complete)
        return SL_OK;
    if (file->next_batch != next->first_batch || file->next_position != next->first_position ||
        last_of(file) != next->previous)
        return other_history(backup, job, "went on differently");
    if (file->sealed != is_sealed || !is_there(backup, file) ||
        (is_sealed && !is_same_sealed(backup, job, file)))
        return SL_OK;
    struct backup_file *added = add_file(backup, job);
    if (!added)
        return SL_NO_MEMORY;
    *added = *file;
    job->kept++;
    job->kept_bytes += file->bytes;
    *out_kept = true;
    return SL_OK;
}

/* Nothing was written since the old backup: its end is the cut. */
static bool keep_end(struct backup *backup, struct job *job, uint64_t number, enum sl_err *err)
{
    const struct backup_file *files = job->old ? job->old->files.items : NULL;

    if (!job->old || number + 1 != job->old->files.count || job->walk.is_sealed)
        return false;
    const struct backup_file *file = &files[number];
    if (file->next_batch != job->walk.batch || last_of(file) != job->walk.previous ||
        file->sealed || file->complete || !is_there(backup, file))
        return false;
    struct backup_file *added = add_file(backup, job);
    if (!added) {
        *err = SL_NO_MEMORY;
        return true;
    }
    *added = *file;
    job->kept++;
    job->kept_bytes += file->bytes;
    return true;
}

/* A segment that another one follows. */
static enum sl_err take_full(struct backup *backup, struct job *job, uint64_t number)
{
    struct sl_log_walk walk = {.folder = job->walk.folder, .until.ns = INT64_MAX};
    bool kept = false;

    enum sl_err err = sl_log_walk_start(&walk, number, &backup->error);
    const bool is_sealed = walk.is_sealed;
    if (err == SL_OK)
        err = sl_log_walk_start(&walk, number + 1, &backup->error);
    const struct sl_log_segment_head next = walk.segment;
    sl_log_walk_close(&walk);
    if (err == SL_OK)
        err = keep(backup, job, number, is_sealed, &next, &kept);
    if (err != SL_OK || kept)
        return err;
    return copy_segment(backup, job, number, &next, next.first_batch);
}

/* ---- The steps ------------------------------------------------------------------------------- */

static enum sl_err begin_job(struct backup *backup, struct job *job)
{
    char folder[CLI_PATH_MAX], base[CLI_PATH_MAX];
    const struct backup_log *logs = backup->old.logs.items;

    for (size_t i = 0; i < backup->old.logs.count; i++)
        if (strcmp(logs[i].name.ptr, job->log->name) == 0)
            job->old = &logs[i];
    if (job->old) {
        job->done = *job->old;
        (void)backup_hex_read(job->old->salt, &job->salt);
    }
    if (!backup_path(base, backup->dir, "logs", NULL) ||
        !backup_path(folder, base, job->log->name, NULL))
        return sl_fail(&backup->error, SL_LIMIT, "%s has too long a name", backup->dir);
    enum sl_err err = sl_disk_make_folder(backup->env, folder, &backup->error);
    if (err == SL_OK)
        err = sl_log_walk_open(&job->walk, backup->env, job->log->path, &backup->error);
    if (err == SL_OK)
        err = check_history(backup, job, &job->walk);
    const uint64_t last = job->walk.last;
    for (uint64_t number = 0; err == SL_OK && number < last; number++)
        err = take_full(backup, job, number);
    job->first_segment = last;
    return err;
}

static enum sl_err follow(struct backup *backup, struct job *job)
{
    struct sl_log_seen seen;
    enum sl_err err;

    while ((err = sl_log_walk_next(&job->walk, &seen, &backup->error)) == SL_OK)
        note_epochs(job, &seen);
    return err == SL_NOT_FOUND ? SL_OK : err;
}

static enum sl_err cut(struct backup *backup)
{
    enum sl_err err = SL_OK;

    for (size_t i = 0; err == SL_OK && i < backup->job_count; i++) {
        struct job *job = &backup->jobs[i];
        err = sl_log_walk_start(&job->walk, job->first_segment, &backup->error);
        if (err == SL_OK)
            err = follow(backup, job);
    }
    backup->new.cut = sl_env_now(backup->env);
    for (size_t i = 0; err == SL_OK && i < backup->job_count; i++) {
        struct job *job = &backup->jobs[i];
        job->walk.until = backup->new.cut;
        err = follow(backup, job);
        if (err == SL_OK)
            err = sl_file_sync(job->walk.file, &backup->error);
        job->done.log = job->walk.segment.log;
        job->done.batches = job->walk.batch;
        job->done.position = job->walk.position;
    }
    return err;
}

static enum sl_err finish_job(struct backup *backup, struct job *job)
{
    const uint64_t last = job->walk.segment.number;
    enum sl_err err = SL_OK;
    char base[CLI_PATH_MAX], folder[CLI_PATH_MAX];

    if (job->old && job->done.batches < job->old->batches)
        return other_history(backup, job, "goes further than the log");
    for (uint64_t number = job->first_segment; err == SL_OK && number < last; number++)
        err = take_full(backup, job, number);
    if (err == SL_OK && !keep_end(backup, job, last, &err))
        err = copy_segment(backup, job, last, NULL, job->walk.batch);
    if (err == SL_OK && backup_path(base, backup->dir, "logs", NULL) &&
        backup_path(folder, base, job->log->name, NULL))
        err = sl_disk_sync_folder(backup->env, folder, &backup->error);
    job->done.name = sl_arena_text(&backup->arena,
                                   (struct sl_text){job->log->name, strlen(job->log->name)});
    job->done.salt = backup_hex(&backup->arena, job->salt);
    job->done.files = (struct sl_list){job->files, job->file_count};
    if (err == SL_OK && (!job->done.name.ptr || !job->done.salt.ptr))
        err = no_memory(backup);
    return err;
}

/* Files that the manifest now in force does not name. */
struct leftovers {
    struct backup *backup;
    const struct job *job;
};

static void remove_leftover(void *context, const char *name)
{
    const struct leftovers *leftovers = context;
    struct sl_error ignored = {0};
    char base[CLI_PATH_MAX], folder[CLI_PATH_MAX], path[CLI_PATH_MAX];

    for (size_t i = 0; i < leftovers->job->file_count; i++) {
        const char *slash = strrchr(leftovers->job->files[i].file.ptr, '/');
        if (slash && strcmp(slash + 1, name) == 0)
            return;
    }
    /* What can't be removed is in nobody's way. */
    if (backup_path(base, leftovers->backup->dir, "logs", NULL) &&
        backup_path(folder, base, leftovers->job->log->name, NULL) &&
        backup_path(path, folder, name, NULL))
        (void)!sl_disk_remove(leftovers->backup->env, path, &ignored);
}

static void clean_up(struct backup *backup)
{
    struct sl_error ignored = {0};
    char base[CLI_PATH_MAX], folder[CLI_PATH_MAX];

    for (size_t i = 0; i < backup->job_count; i++) {
        struct leftovers leftovers = {backup, &backup->jobs[i]};
        if (backup_path(base, backup->dir, "logs", NULL) &&
            backup_path(folder, base, backup->jobs[i].log->name, NULL))
            (void)!sl_disk_list(backup->env, folder, remove_leftover, &leftovers, &ignored);
    }
}

static enum sl_err write_manifest(struct backup *backup)
{
    struct backup_log *logs =
        sl_arena_zeroed(&backup->arena, backup->job_count, sizeof *logs);
    char folder[CLI_PATH_MAX];

    if (!logs)
        return no_memory(backup);
    for (size_t i = 0; i < backup->job_count; i++)
        logs[i] = backup->jobs[i].done;
    backup->new.format = SL_TEXT(BACKUP_FORMAT);
    backup->new.version = BACKUP_VERSION;
    backup->new.program = SL_TEXT(SL_VERSION);
    backup->new.logs = (struct sl_list){logs, backup->job_count};
    if (!backup_path(folder, backup->dir, "logs", NULL))
        return sl_fail(&backup->error, SL_LIMIT, "%s has too long a name", backup->dir);
    const enum sl_err err = sl_disk_sync_folder(backup->env, folder, &backup->error);
    return err == SL_OK
               ? backup_manifest_write(backup->env, backup->dir, &backup->new, &backup->error)
               : err;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* A log that the backup has and DATA has not would silently fall out of it. */
static enum sl_err check_names(struct backup *backup, const struct cli_logs *logs)
{
    const struct backup_log *old = backup->old.logs.items;

    for (size_t i = 0; i < backup->old.logs.count; i++) {
        bool found = false;
        for (size_t j = 0; j < logs->count; j++)
            found |= strcmp(old[i].name.ptr, logs->logs[j].name) == 0;
        if (!found)
            return sl_fail(&backup->error, SL_CONFLICT, "%s has a backup of the log %s, which is "
                           "not in the data folder: name another folder, or bring it back",
                           backup->dir, old[i].name.ptr);
    }
    return SL_OK;
}

static enum sl_err open_target(struct backup *backup)
{
    char path[CLI_PATH_MAX];

    if (!backup_path(path, backup->dir, "lock", NULL))
        return sl_fail(&backup->error, SL_LIMIT, "%s has too long a name", backup->dir);
    enum sl_err err = sl_disk_make_folder(backup->env, backup->dir, &backup->error);
    if (err == SL_OK)
        err = sl_disk_open(backup->env, path, SL_OPEN_WRITE | SL_OPEN_CREATE, &backup->lock,
                           &backup->error);
    if (err == SL_OK)
        err = sl_file_lock(backup->lock, &backup->error);
    if (err == SL_BUSY)
        return sl_fail(&backup->error, SL_BUSY, "another backup into %s is under way",
                       backup->dir);
    if (err == SL_OK)
        err = backup_manifest_read(backup->env, backup->dir, &backup->arena, &backup->old,
                                   &backup->error);
    backup->is_first = err == SL_NOT_FOUND;
    if (err == SL_CORRUPT)
        return sl_fail(&backup->error, err, "%s/manifest.json is damaged: remove it, and all is "
                       "copied again", backup->dir);
    return backup->is_first ? SL_OK : err;
}

static enum sl_err run(struct backup *backup, const struct cli_logs *logs)
{
    enum sl_err err = open_target(backup);

    if (err == SL_OK)
        err = check_names(backup, logs);
    backup->jobs = calloc(logs->count, sizeof *backup->jobs);
    if (err == SL_OK && !backup->jobs)
        err = no_memory(backup);
    for (size_t i = 0; err == SL_OK && i < logs->count; i++) {
        backup->jobs[backup->job_count].log = &logs->logs[i];
        err = begin_job(backup, &backup->jobs[backup->job_count++]);
    }
    if (err == SL_OK)
        err = cut(backup);
    for (size_t i = 0; err == SL_OK && i < backup->job_count; i++)
        err = finish_job(backup, &backup->jobs[i]);
    if (err == SL_OK)
        err = write_manifest(backup);
    if (err == SL_OK)
        clean_up(backup);
    cli_progress_end(&backup->progress);
    return err;
}

static void tell(const struct backup *backup)
{
    struct sl_buf out = {0};

    if (backup->json) {
        sl_buf_byte(&out, '{');
        cli_json_text(&out, "backup", backup->dir);
        cli_json_time(&out, "cut", backup->new.cut);
        cli_json_name(&out, "logs");
        sl_buf_byte(&out, '[');
    }
    for (size_t i = 0; i < backup->job_count; i++) {
        const struct job *job = &backup->jobs[i];
        if (backup->json) {
            cli_json_item(&out);
            cli_json_text(&out, "name", job->log->name);
            cli_json_uuid(&out, "log", job->done.log);
            cli_json_u64(&out, "epoch", job->done.epoch);
            cli_json_text(&out, "salt", job->done.salt.ptr);
            cli_json_u64(&out, "position", job->done.position);
            cli_json_u64(&out, "files_copied", job->copied);
            cli_json_u64(&out, "bytes_copied", job->copied_bytes);
            cli_json_u64(&out, "files_kept", job->kept);
            cli_json_u64(&out, "bytes_kept", job->kept_bytes);
            sl_buf_byte(&out, '}');
        } else {
            sl_buf_printf(&out, "%s: positions below %llu; %llu files of %s copied, %llu of %s "
                          "were there\n", job->log->name, (unsigned long long)job->done.position,
                          (unsigned long long)job->copied, cli_size(job->copied_bytes),
                          (unsigned long long)job->kept, cli_size(job->kept_bytes));
        }
    }
    if (backup->json) {
        SL_BUF_LITERAL(&out, "]}\n");
    } else {
        SL_BUF_LITERAL(&out, "cut at ");
        sl_value_write_time(&out, backup->new.cut);
        sl_buf_printf(&out, "; to go back to it: sluice restore %s --data NEW\n", backup->dir);
    }
    (void)cli_print(&out);
    sl_buf_close(&out);
}

int cli_backup(struct sl_cli *cli, int argc, char **argv)
{
    struct backup backup = {0};
    const struct cli_option options[] = {{"--json", CLI_FLAG, &backup.json},
                                         {"--verify", CLI_FLAG, &backup.verify},
                                         {"--progress", CLI_FLAG, &backup.forced_progress}};
    struct cli_logs logs;
    int words = 0;

    int code = cli_read_options(argc, argv, options, 3, &backup.dir, 1, &words);
    if (code != SL_EXIT_OK)
        return code;
    if (words == 0 || !*backup.dir)
        return cli_wrong("backup needs a folder to copy to");
    umask(077); /* a log is its owner's alone, and so is its copy */
    code = cli_logs_open(cli, NULL, &logs);
    if (code == SL_EXIT_OK) {
        backup.env = logs.env;
        backup.progress = (struct cli_progress){.env = logs.env, .what = "backup",
                                                .forced = backup.forced_progress};
        if (run(&backup, &logs) == SL_OK)
            tell(&backup);
        else
            code = cli_log_failed(&backup.error);
    }
    for (size_t i = 0; i < backup.job_count; i++) {
        sl_log_walk_close(&backup.jobs[i].walk);
        free(backup.jobs[i].files);
    }
    free(backup.jobs);
    sl_arena_close(&backup.arena);
    sl_file_close(backup.lock);
    cli_logs_close(&logs);
    return code;
}
