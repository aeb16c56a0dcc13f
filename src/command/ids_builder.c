/*
 * The life of a folder of id files
 * --------------------------------
 * The manifest (ids_manifest.c) names the files that count, in the order of their cursors and
 * without a gap, from the oldest that the window still holds to the youngest. A change of files is:
 * the new file written, synced, renamed, the folder synced; the manifest likewise; the owner told;
 * and when nobody looks into the old files any more, these removed. So after a power loss at any
 * moment either the old files count or the new ones, and both know the same. What the manifest does
 * not name is removed at the next opening.
 *
 * A file is believed (L4) if it is whole, the manifest knows its key, it is of this log, and what
 * it saw of it is part of the log's history: its position does not lie above the end of the reign
 * whose salt it has. The owner checks, too, that the last outcome it knows is the one the log
 * has there.
 * From the first that is not believed on all are given up, and the log's outcomes read from there:
 * so a file is never believed half, and nothing is forgotten.
 *
 * Order of work: jobs, as they come; else the merge under way; else filters. While a change is out
 * nothing else is done. A failed write leaves all as it was, and is tried again after a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/ids_builder_parts.h"

enum { RETRY_NS = 1000000000 };

/* ---- Sets ------------------------------------------------------------------------------------ */

void sl_id_take_set(struct sl_id_builder *builder, const struct sl_id_set *set, bool damaged)
{
    const struct sl_id_set old = builder->set;

    SL_ASSERT(!builder->change_out, "T1");
    for (size_t i = 0; i < old.count; i++) {
        bool kept = false;
        for (size_t k = 0; k < set->count; k++)
            kept = kept || set->members[k].file == old.members[i].file;
        if (!kept)
            builder->garbage[builder->garbage_count++] = old.members[i].file;
    }
    builder->unbalanced = builder->unbalanced || set->count != old.count || builder->garbage_count;
    builder->set = *set;
    builder->change.set = *set;
    builder->change.damaged = damaged;
    builder->change_out = true;
    sl_mailbox_post(builder->options.owner, &builder->change.message);
}

static enum sl_err write_manifest(struct sl_id_builder *builder, const struct sl_id_set *set,
                                  struct sl_error *error)
{
    struct sl_id_manifest manifest = {.log = builder->log,
                                      .seed = set->seed,
                                      .next_number = builder->next_number,
                                      .count = set->count};

    for (size_t i = 0; i < set->count; i++) {
        const struct sl_id_file *file = set->members[i].file;
        manifest.files[i] = (struct sl_id_listed){file->number, file->head.key, file->head.first,
                                                  file->head.end};
    }
    return sl_id_manifest_write(builder->options.env, builder->folder, &manifest, error);
}

enum sl_err sl_id_commit(struct sl_id_builder *builder, const struct sl_id_set *set,
                         struct sl_error *error)
{
    const enum sl_err err = write_manifest(builder, set, error);

    if (err == SL_OK)
        sl_id_take_set(builder, set, false);
    return err;
}

/* The change is home: nobody uses what the set no longer has. */
static void tidy(struct sl_id_builder *builder)
{
    char path[SL_ID_PATH_MAX];
    struct sl_error error;

    builder->change_out = false;
    for (size_t i = 0; i < builder->garbage_count; i++) {
        struct sl_id_file *file = builder->garbage[i];
        sl_id_file_path(builder->folder, file->number, path);
        sl_id_file_close(file);
        (void)!sl_disk_remove(builder->options.env, path, &error);
    }
    builder->garbage_count = 0;
    sl_id_trim(builder);
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* P9: is what the file saw of the log part of this history? */
static bool is_history(const struct sl_id_job *job, const struct sl_id_head *head)
{
    for (size_t i = 0; i < job->epoch_count; i++)
        if (job->epochs[i].salt == head->salt)
            return head->position <= (i + 1 < job->epoch_count ? job->epochs[i + 1].first_position
                                                               : job->position);
    return false;
}

static bool open_listed(struct sl_id_builder *builder, const struct sl_id_job *job,
                        const struct sl_id_manifest *manifest, size_t i)
{
    const struct sl_id_listed *listed = &manifest->files[i];
    struct sl_id_file *file;
    struct sl_error error;

    if (sl_id_file_open(builder->options.env, builder->folder, listed->number, &file, &error) !=
        SL_OK)
        return false;
    const struct sl_id_head *head = &file->head;
    if (head->key != listed->key || head->first != listed->first || head->end != listed->end ||
        head->seed != manifest->seed || !sl_uuid_equals(head->log, job->log) ||
        !is_history(job, head)) {
        SL_MARK("ids: a file of another history");
        sl_id_file_close(file);
        return false;
    }
    builder->set.members[builder->set.count++] = (struct sl_id_member){.file = file};
    return true;
}

struct sweep {
    const struct sl_id_builder *builder;
    uint64_t highest;
};

/* Removes what the set does not name: leftovers of crashes, and files that are not believed. */
static void sweep_one(void *context, const char *name)
{
    struct sweep *sweep = context;
    const struct sl_id_builder *builder = sweep->builder;
    char path[SL_ID_PATH_MAX];
    struct sl_error error;
    char *end;
    const uint64_t number = strtoull(name, &end, 16);

    if (strcmp(name, "MANIFEST") == 0)
        return;
    if (end != name && number >= sweep->highest)
        sweep->highest = number + 1;
    for (size_t i = 0; i < builder->set.count; i++)
        if (builder->set.members[i].file->number == number && strcmp(end, ".ids") == 0)
            return;
    const size_t len = strlen(name);
    if (len < 4 || (strcmp(name + len - 4, ".ids") != 0 && strcmp(name + len - 4, ".tmp") != 0))
        return;
    if (snprintf(path, sizeof path, "%s/%s", builder->folder, name) < (int)sizeof path)
        (void)!sl_disk_remove(builder->options.env, path, &error);
}

static enum sl_err open_folder(struct sl_id_builder *builder, struct sl_id_job *job)
{
    struct sl_env *env = builder->options.env;
    struct sl_id_manifest manifest = {0};
    enum sl_err err = sl_disk_make_folder(env, builder->folder, &job->error);

    if (err != SL_OK)
        return err;
    builder->log = job->log;
    if (sl_id_manifest_read(env, builder->folder, &manifest, &job->error) != SL_OK ||
        !sl_uuid_equals(manifest.log, job->log)) {
        manifest = (struct sl_id_manifest){0};
        sl_env_random(env, &manifest.seed, sizeof manifest.seed);
    }
    builder->set.seed = manifest.seed;
    builder->next_number = manifest.next_number;
    for (size_t i = 0; i < manifest.count && open_listed(builder, job, &manifest, i); i++)
        continue;
    /* First the manifest, then the files that it no longer names. */
    if (builder->set.count < manifest.count)
        err = write_manifest(builder, &builder->set, &job->error);
    struct sweep sweep = {builder, builder->next_number};
    if (err == SL_OK)
        err = sl_disk_list(env, builder->folder, sweep_one, &sweep, &job->error);
    builder->next_number = sweep.highest;
    if (err != SL_OK) {
        for (size_t i = 0; i < builder->set.count; i++)
            sl_id_file_close(builder->set.members[i].file);
        builder->set.count = 0;
    }
    return err;
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

static enum sl_err expire(struct sl_id_builder *builder, const struct sl_id_job *job,
                          struct sl_error *error)
{
    struct sl_id_set set = builder->set;
    size_t gone = 0;

    while (gone < set.count && (set.members[gone].file->head.newest_s < job->before_s ||
                                set.members[gone].file->head.end <= job->cursor))
        gone++;
    if (gone == 0)
        return SL_OK;
    sl_id_merge_give_up(builder);
    set.expired = set.members[gone - 1].file->head.end;
    set.count -= gone;
    memmove(set.members, set.members + gone, set.count * sizeof *set.members);
    return sl_id_commit(builder, &set, error);
}

static enum sl_err cut(struct sl_id_builder *builder, const struct sl_id_job *job)
{
    struct sl_id_set set = builder->set;
    struct sl_error error;

    while (set.count > 0 && set.members[set.count - 1].file->head.end > job->cursor)
        set.count--;
    if (set.count == builder->set.count)
        return SL_OK;
    sl_id_merge_give_up(builder);
    /* Not believed from now on, even where the manifest cannot be written: then it names files that
     * will be gone, which ends the list for whoever opens it. */
    (void)!write_manifest(builder, &set, &error);
    sl_id_take_set(builder, &set, false);
    return SL_OK;
}

/* SL_OK: done, or failed for good as the job says. */
static enum sl_err run_job(struct sl_id_builder *builder, struct sl_id_job *job)
{
    struct sl_error error;

    job->err = SL_OK;
    switch (job->work) {
    case SL_ID_OPEN:
        job->err = open_folder(builder, job);
        if (job->err == SL_OK) {
            const struct sl_id_set set = builder->set;
            builder->unbalanced = set.count > 0;
            sl_id_take_set(builder, &set, false);
        }
        return SL_OK;
    case SL_ID_FLUSH:
        return sl_id_flush(builder, job, &error);
    case SL_ID_CUT:
        return cut(builder, job);
    case SL_ID_EXPIRE:
        return expire(builder, job, &error);
    }
    return SL_OK;
}

static void step(void *self, struct sl_message *message)
{
    struct sl_id_builder *builder = self;

    if (message == &builder->change.message) {
        tidy(builder);
        return;
    }
    message->next = NULL;
    *builder->jobs_end = message;
    builder->jobs_end = &message->next;
}

static int64_t turn(void *self)
{
    struct sl_id_builder *builder = self;
    const int64_t now = sl_env_monotonic(builder->options.env);
    const bool room = builder->set.count < SL_ID_FILES_MAX;
    struct sl_id_job *job = (struct sl_id_job *)(void *)builder->jobs;

    if (builder->change_out)
        return INT64_MAX;
    if (now < builder->retry_ns)
        return builder->retry_ns;
    if (job && (room || job->work != SL_ID_FLUSH)) {
        if (run_job(builder, job) != SL_OK) {
            builder->numbers.failures++;
            return builder->retry_ns = now + RETRY_NS;
        }
        builder->jobs = job->message.next;
        if (!builder->jobs)
            builder->jobs_end = &builder->jobs;
        sl_mailbox_post(job->message.reply_to, &job->message);
        return now;
    }
    if (!builder->merge.on)
        sl_id_merge_begin(builder);
    if (builder->merge.on) {
        sl_id_merge_step(builder);
        return builder->change_out ? INT64_MAX : now;
    }
    if (builder->unbalanced && !builder->change_out)
        sl_id_balance(builder);
    return builder->change_out ? INT64_MAX : builder->retry_ns > now ? builder->retry_ns
                                                                     : INT64_MAX;
}

/* ---- The looker ------------------------------------------------------------------------------ */

static void look_up(struct sl_id_lookup *lookup)
{
    uint64_t cursors[SL_ID_FOUND_MAX];

    lookup->err = SL_OK;
    lookup->found_count = 0;
    lookup->damaged = NULL;
    for (size_t i = 0; i < lookup->ask_count; i++) {
        const struct sl_id_ask *ask = &lookup->asks[i];
        size_t count = 0;

        lookup->err = sl_id_file_find(ask->file, ask->print, cursors,
                                      SL_ID_FOUND_MAX - lookup->found_count, &count,
                                      &lookup->error);
        if (lookup->err != SL_OK) {
            lookup->damaged = lookup->err == SL_CORRUPT ? ask->file : NULL;
            break;
        }
        for (size_t k = 0; k < count; k++)
            lookup->found[lookup->found_count++] =
                (struct sl_id_found){ask->file, ask->print, cursors[k]};
    }
    sl_mailbox_post(lookup->message.reply_to, &lookup->message);
}

static void look_step(void *self, struct sl_message *message)
{
    const struct sl_id_builder *builder = self;

    if (message->kind == builder->options.change_kind)
        sl_mailbox_post(((struct sl_id_change *)(void *)message)->home, message);
    else
        look_up((struct sl_id_lookup *)(void *)message);
}

/* ---- Starting and stopping ------------------------------------------------------------------- */

enum sl_err sl_id_builder_start(const struct sl_id_builder_options *options,
                                struct sl_id_builder **out, struct sl_mailbox **out_builder,
                                struct sl_mailbox **out_looker, struct sl_error *error)
{
    struct sl_id_builder *builder = calloc(1, sizeof *builder);

    if (!builder)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the id files");
    builder->options = *options;
    builder->jobs_end = &builder->jobs;
    builder->retry_ns = INT64_MIN;
    if (snprintf(builder->folder, sizeof builder->folder, "%s", options->folder) >=
        SL_ID_PATH_MAX - 32) {
        free(builder);
        return sl_fail(error, SL_LIMIT, "the folder of the id files has too long a name");
    }
    builder->options.folder = builder->folder;
    const struct sl_actor writes = {.name = "ids-write", .self = builder, .step = step,
                                    .turn = turn, .background = true};
    const struct sl_actor looks = {.name = "ids", .self = builder, .step = look_step};
    enum sl_err err = sl_env_start(options->env, &writes, &builder->mailbox, error);
    if (err == SL_OK)
        err = sl_env_start(options->env, &looks, &builder->looker, error);
    if (err != SL_OK) {
        sl_env_stop(options->env, builder->mailbox);
        free(builder);
        return err;
    }
    builder->change.message.kind = options->change_kind;
    builder->change.user = options->user;
    builder->change.home = builder->mailbox;
    *out_builder = builder->mailbox;
    *out_looker = builder->looker;
    *out = builder;
    return SL_OK;
}

void sl_id_builder_stop(struct sl_id_builder *builder)
{
    if (!builder)
        return;
    /* The looker first: it may send changes home. */
    sl_env_stop(builder->options.env, builder->looker);
    sl_env_stop(builder->options.env, builder->mailbox);
    builder->looker = builder->mailbox = NULL;
}

void sl_id_builder_free(struct sl_id_builder *builder)
{
    if (!builder)
        return;
    sl_id_builder_stop(builder);
    sl_id_merge_give_up(builder);
    for (size_t i = 0; i < builder->garbage_count; i++)
        sl_id_file_close(builder->garbage[i]);
    for (size_t i = 0; i < builder->set.count; i++)
        sl_id_file_close(builder->set.members[i].file);
    free(builder);
}

void sl_id_builder_numbers(const struct sl_id_builder *builder, struct sl_id_builder_numbers *out)
{
    *out = builder->numbers;
}
