/*
 * `sluice restore DIR --data NEW`: a data folder out of a backup.
 *
 * It is made as NEW.restoring, which gets the name NEW when every byte of it is durable and was
 * checked: so a restore that was cut off leaves no folder that a server would open as shorter logs.
 * Views are not in a backup; the server makes them from the logs. It also begins a new epoch, so
 * that positions given after the cut by the lost history are refused, never believed (P9).
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/backup_parts.h"
#include "record/value.h"
#include "stores/log/audit.h"
#include "stores/log/salvage.h"

const char cli_restore_help[] =
    "Makes the data folder NEW out of the backup in DIR, after checking every checksum. NEW must\n"
    "not be there, or be empty. Then start a server on it: sluice serve --data NEW\n\n"
    "  --json       says as JSON what was restored\n"
    "  --progress   shows how far it is also where stderr is no terminal\n\n"
    "What was written after the backup is gone: clients that hold a position from then get 409,\n"
    "and commands that were answered after it may be sent again with the same ids.";

struct restore {
    struct sl_env *env;
    const char *dir;
    const char *data;
    bool json;
    char partial[CLI_PATH_MAX];
    struct sl_arena arena;
    struct backup_manifest manifest;
    struct cli_progress progress;
    uint64_t bytes_done;
    struct sl_error error;
};

/* ---- The target ------------------------------------------------------------------------------ */

static bool is_empty_or_missing(const char *path)
{
    DIR *dir = opendir(path);
    bool empty = true;

    if (!dir)
        return errno == ENOENT;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) /* NOLINT: one thread */
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    closedir(dir);
    return empty;
}

static enum sl_err check_target(struct restore *restore)
{
    char data[CLI_PATH_MAX];
    struct stat status;

    if (snprintf(data, sizeof data, "%s", restore->data) >= CLI_PATH_MAX - 16)
        return sl_fail(&restore->error, SL_LIMIT, "--data has too long a name");
    for (size_t len = strlen(data); len > 1 && data[len - 1] == '/'; len--)
        data[len - 1] = '\0';
    snprintf(restore->partial, sizeof restore->partial, "%.900s.restoring", data);
    if (cli_is_locked(restore->env, restore->data, "sluice.lock"))
        return sl_fail(&restore->error, SL_BUSY, "a server is at work in %s: restore into another "
                       "folder, stop it, and start it there", restore->data);
    if (!is_empty_or_missing(restore->data))
        return sl_fail(&restore->error, SL_CONFLICT, "%s is not empty: name a new folder with "
                       "--data", restore->data);
    if (stat(restore->partial, &status) == 0)
        return sl_fail(&restore->error, SL_CONFLICT, "%s is there, from a restore that was cut off "
                       "or is under way: remove it (rm -r) if it was cut off", restore->partial);
    return SL_OK;
}

/* ---- Logs ------------------------------------------------------------------------------------ */

static enum sl_err copy_file(struct restore *restore, const char *folder,
                             const struct backup_file *file)
{
    struct sl_log_folder target = {.env = restore->env};
    char from[CLI_PATH_MAX], to[SL_LOG_PATH_MAX];
    uint64_t checksum = 0, expected = 0;

    if (!backup_path(from, restore->dir, file->file.ptr, NULL) ||
        strlen(folder) >= sizeof target.path)
        return sl_fail(&restore->error, SL_LIMIT, "a folder has too long a name");
    memcpy(target.path, folder, strlen(folder) + 1);
    if (file->sealed)
        sl_log_sealed_path(&target, file->segment, to);
    else
        sl_log_segment_path(&target, file->segment, to);
    enum sl_err err = sl_log_copy_file(restore->env, from, to, file->bytes, file->bytes_full,
                                       &checksum, &restore->error);
    (void)backup_hex_read(file->checksum, &expected); /* the manifest was checked */
    if (err == SL_NOT_FOUND)
        return sl_fail(&restore->error, SL_CORRUPT, "%s is missing from the backup: take another "
                       "backup", from);
    if (err == SL_OK && checksum != expected)
        return sl_fail(&restore->error, SL_CORRUPT, "%s is damaged: its checksum is %016llx, not "
                       "%016llx: take another backup", from, (unsigned long long)checksum,
                       (unsigned long long)expected);
    restore->bytes_done += file->bytes;
    cli_progress_step(&restore->progress, restore->bytes_done);
    return err;
}

/* The log, as it lies there now, is the one of the manifest. */
static enum sl_err check_log(struct restore *restore, const char *folder,
                             const struct backup_log *log)
{
    struct sl_log_walk walk = {.checks_pages = true};
    struct sl_log_audit audit = {0};
    struct sl_log_seen seen;

    enum sl_err err = sl_log_walk_open(&walk, restore->env, folder, &restore->error);
    while (err == SL_OK) {
        err = sl_log_walk_next(&walk, &seen, &restore->error);
        if (err == SL_OK)
            err = sl_log_audit_batch(&audit, &walk, &seen, &restore->error);
    }
    if (err == SL_NOT_FOUND && walk.batches_seen > 0)
        err = SL_OK;
    if (err == SL_OK && (walk.position != log->position || walk.batch != log->batches ||
                         !sl_uuid_equals(walk.segment.log, log->log)))
        err = sl_fail(&restore->error, SL_CORRUPT, "the log %s ends at position %llu, the manifest "
                      "says %llu: take another backup", log->name.ptr,
                      (unsigned long long)walk.position, (unsigned long long)log->position);
    sl_log_walk_close(&walk);
    sl_log_audit_close(&audit);
    return err;
}

static enum sl_err restore_log(struct restore *restore, const struct backup_log *log)
{
    const struct backup_file *files = log->files.items;
    char base[CLI_PATH_MAX], folder[CLI_PATH_MAX];

    if (!backup_path(base, restore->partial, "logs", NULL) ||
        !backup_path(folder, base, log->name.ptr, NULL))
        return sl_fail(&restore->error, SL_LIMIT, "--data has too long a name");
    enum sl_err err = sl_disk_make_folder(restore->env, folder, &restore->error);
    for (size_t i = 0; err == SL_OK && i < log->files.count; i++)
        err = copy_file(restore, folder, &files[i]);
    if (err == SL_OK)
        err = sl_disk_sync_folder(restore->env, folder, &restore->error);
    return err == SL_OK ? check_log(restore, folder, log) : err;
}

/* An empty folder may have the name: rename replaces it. */
static enum sl_err give_name(struct restore *restore)
{
    char parent[CLI_PATH_MAX];

    if (rename(restore->partial, restore->data) != 0)
        return sl_fail(&restore->error, SL_IO, "cannot rename %s to %s", restore->partial,
                       restore->data);
    snprintf(parent, sizeof parent, "%s", restore->partial);
    char *slash = strrchr(parent, '/');
    if (slash)
        *(slash == parent ? slash + 1 : slash) = '\0';
    return sl_disk_sync_folder(restore->env, slash ? parent : ".", &restore->error);
}

static enum sl_err run(struct restore *restore)
{
    const struct backup_log *logs;

    enum sl_err err = check_target(restore);
    if (err == SL_OK)
        err = backup_manifest_read(restore->env, restore->dir, &restore->arena,
                                   &restore->manifest, &restore->error);
    logs = restore->manifest.logs.items;
    for (size_t i = 0; err == SL_OK && i < restore->manifest.logs.count; i++) {
        const struct backup_file *files = logs[i].files.items;
        for (size_t j = 0; j < logs[i].files.count; j++)
            restore->progress.bytes_total += files[j].bytes;
    }
    for (size_t i = 0; err == SL_OK && i < restore->manifest.logs.count; i++)
        err = restore_log(restore, &logs[i]);
    cli_progress_end(&restore->progress);
    return err == SL_OK ? give_name(restore) : err;
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void tell(const struct restore *restore)
{
    const struct backup_log *logs = restore->manifest.logs.items;
    struct sl_buf out = {0};

    if (restore->json) {
        sl_buf_byte(&out, '{');
        cli_json_text(&out, "data", restore->data);
        cli_json_time(&out, "cut", restore->manifest.cut);
        cli_json_name(&out, "logs");
        sl_buf_byte(&out, '[');
    }
    for (size_t i = 0; i < restore->manifest.logs.count; i++) {
        if (restore->json) {
            cli_json_item(&out);
            cli_json_text(&out, "name", logs[i].name.ptr);
            cli_json_uuid(&out, "log", logs[i].log);
            cli_json_u64(&out, "epoch", logs[i].epoch);
            cli_json_text(&out, "salt", logs[i].salt.ptr);
            cli_json_u64(&out, "position", logs[i].position);
            cli_json_time(&out, "last_time", logs[i].last_time);
            sl_buf_byte(&out, '}');
        } else {
            sl_buf_printf(&out, "%s: %llu events, the last batch of ", logs[i].name.ptr,
                          (unsigned long long)logs[i].position);
            sl_value_write_time(&out, logs[i].last_time);
            sl_buf_byte(&out, '\n');
        }
    }
    if (restore->json) {
        SL_BUF_LITERAL(&out, "]}\n");
    } else {
        SL_BUF_LITERAL(&out, "as of ");
        sl_value_write_time(&out, restore->manifest.cut);
        sl_buf_printf(&out, "; start it: sluice serve --data %s\n", restore->data);
    }
    (void)cli_print(&out);
    sl_buf_close(&out);
}

int cli_restore(struct sl_cli *cli, int argc, char **argv)
{
    struct restore restore = {.data = cli->data};
    const struct cli_option options[] = {{"--json", CLI_FLAG, &restore.json},
                                         {"--progress", CLI_FLAG, &restore.progress.forced}};
    int words = 0;

    int code = cli_read_options(argc, argv, options, 2, &restore.dir, 1, &words);
    if (code != SL_EXIT_OK)
        return code;
    if (words == 0 || !*restore.dir)
        return cli_wrong("restore needs the folder of a backup");
    umask(077);
    if (sl_env_posix_new(&restore.env, &restore.error) != SL_OK)
        return cli_log_failed(&restore.error);
    restore.progress.env = restore.env;
    restore.progress.what = "restore";
    if (run(&restore) == SL_OK)
        tell(&restore);
    else
        code = cli_log_failed(&restore.error);
    sl_arena_close(&restore.arena);
    sl_env_free(restore.env);
    return code;
}
