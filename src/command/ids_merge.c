/*
 * New id files: out of chunks, and out of eight files of about one size. Files grow by eight at a
 * time, so each id is written four or five times in its life; and no file spans more than a part of
 * the window, so that what is too old can go, a file at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "command/ids_builder_parts.h"

enum {
    ENTRIES_A_STEP = 1 << 17,
    FORCED_AT = SL_ID_FILES_MAX - 8, /* with so many files, neighbours are merged, whatever size */
};

static int by_print(const void *a, const void *b)
{
    const struct sl_id_entry *x = a, *y = b;

    if (x->print != y->print)
        return x->print < y->print ? -1 : 1;
    return x->cursor < y->cursor ? -1 : x->cursor > y->cursor;
}

static void merge_times(struct sl_id_head *head, int64_t newest_s, int64_t from_s, int64_t to_s)
{
    if (newest_s > head->newest_s)
        head->newest_s = newest_s;
    if (from_s > to_s)
        return;
    if (head->timed_from_s > head->timed_to_s || from_s < head->timed_from_s)
        head->timed_from_s = from_s;
    if (to_s > head->timed_to_s)
        head->timed_to_s = to_s;
}

static const struct sl_id_head empty_head = {.newest_s = INT64_MIN,
                                             .timed_from_s = INT64_MAX,
                                             .timed_to_s = INT64_MIN};

/* ---- From chunks ----------------------------------------------------------------------------- */

static void head_of_chunks(struct sl_id_builder *builder, const struct sl_id_job *job,
                           struct sl_id_head *out)
{
    *out = empty_head;
    out->log = job->log;
    out->salt = job->epochs[job->epoch_count - 1].salt;
    out->position = job->position;
    out->seed = builder->set.seed;
    sl_env_random(builder->options.env, &out->key, sizeof out->key);
    out->first = out->end = job->chunks->first;
    for (const struct sl_id_chunk *chunk = job->chunks; chunk; chunk = chunk->next) {
        SL_ASSERT(chunk->first == out->end && chunk->count > 0, "L4");
        out->end += chunk->count;
        out->witness = chunk->witness;
        merge_times(out, chunk->newest_s, chunk->timed_from_s, chunk->timed_to_s);
        for (size_t i = 0; i < SL_ID_CLASSES; i++)
            out->counts[i] += chunk->counts[i];
    }
    /* A predecessor's time is this one's, too: the clock may have gone back since. */
    if (builder->set.count > 0)
        merge_times(out, builder->set.members[builder->set.count - 1].file->head.newest_s, 1, 0);
}

static enum sl_err write_sorted(struct sl_id_builder *builder, const struct sl_id_head *head,
                                const struct sl_id_entry *entries, size_t count, uint64_t number,
                                struct sl_error *error)
{
    struct sl_id_file_writer *writer;
    enum sl_err err = sl_id_file_create(builder->options.env, builder->folder, number, head,
                                        &writer, error);

    if (err != SL_OK)
        return err;
    for (size_t i = 0; i < count && err == SL_OK; i++)
        err = sl_id_file_add(writer, entries[i], error);
    if (err == SL_OK)
        return sl_id_file_finish(writer, error);
    sl_id_file_abandon(writer);
    return err;
}

/* Puts the file of this number in the place of `count` members from `at` on. */
static enum sl_err adopt(struct sl_id_builder *builder, uint64_t number, size_t at, size_t count,
                         struct sl_error *error)
{
    struct sl_id_set set = builder->set;
    struct sl_id_file *file;
    enum sl_err err =
        sl_id_file_open(builder->options.env, builder->folder, number, &file, error);

    if (err != SL_OK)
        return err;
    memmove(&set.members[at + 1], &set.members[at + count],
            (set.count - at - count) * sizeof *set.members);
    set.members[at] = (struct sl_id_member){.file = file};
    set.count = set.count + 1 - count;
    sl_id_fill(builder, &set, at);
    err = sl_id_commit(builder, &set, error);
    if (err != SL_OK) {
        sl_id_file_close(file);
        return err;
    }
    builder->numbers.files_written++;
    builder->numbers.entries_written += file->head.end - file->head.first;
    return SL_OK;
}

enum sl_err sl_id_flush(struct sl_id_builder *builder, const struct sl_id_job *job,
                        struct sl_error *error)
{
    const uint64_t number = builder->next_number;
    struct sl_id_head head;
    size_t count = 0;

    if (job->follows != sl_id_set_end(&builder->set)) {
        SL_MARK("ids: nothing flushed behind damage");
        return SL_OK;
    }
    SL_ASSERT(builder->set.count == 0 || job->chunks->first == job->follows, "C1");
    head_of_chunks(builder, job, &head);
    struct sl_id_entry *entries = malloc((size_t)(head.end - head.first) * sizeof *entries);
    if (!entries)
        return sl_fail(error, SL_NO_MEMORY, "no memory to sort ids");
    for (const struct sl_id_chunk *chunk = job->chunks; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->count; i++)
            entries[count++] = (struct sl_id_entry){chunk->prints[i], chunk->first + i};
    qsort(entries, count, sizeof *entries, by_print);
    enum sl_err err = write_sorted(builder, &head, entries, count, number, error);
    free(entries);
    /* A number is used once, so that nothing of a failed try is taken for something else. */
    builder->next_number++;
    return err == SL_OK ? adopt(builder, number, builder->set.count, 0, error) : err;
}

/* ---- From files ------------------------------------------------------------------------------ */

static uint64_t count_of(const struct sl_id_builder *builder, size_t at)
{
    const struct sl_id_head *head = &builder->set.members[at].file->head;
    return head->end - head->first;
}

static unsigned tier_of(const struct sl_id_builder *builder, size_t at)
{
    uint64_t count = count_of(builder, at) / builder->options.flush_count;
    unsigned tier = 0;

    for (; count >= SL_ID_FAN; count /= SL_ID_FAN)
        tier++;
    return tier;
}

/* How many of `count` members from `at` on lie within the span that a file may have. */
static size_t within_span(const struct sl_id_builder *builder, size_t at, size_t count)
{
    const struct sl_id_member *members = builder->set.members;
    size_t n = 1;

    while (n < count && members[at + n].file->head.newest_s - members[at].file->head.newest_s <=
                            builder->options.span_s)
        n++;
    return n;
}

/* Eight neighbours of one tier, or as many of these as a file may span; else, where there are too
 * many files, the two neighbours that are the least together. 0: nothing to do. */
static size_t choose(const struct sl_id_builder *builder, size_t *out_at)
{
    const size_t count = builder->set.count;
    size_t run = 0;

    for (size_t i = 0; i < count; i++) {
        run = i > 0 && tier_of(builder, i) == tier_of(builder, i - 1) ? run + 1 : 1;
        if (run < SL_ID_FAN)
            continue;
        for (size_t at = i + 1 - SL_ID_FAN; at < i; at++) {
            const size_t fit = within_span(builder, at, i + 1 - at);
            if (fit >= 2) {
                *out_at = at;
                return fit;
            }
        }
    }
    if (count < FORCED_AT)
        return 0;
    *out_at = 0;
    for (size_t i = 1; i + 1 < count; i++)
        if (count_of(builder, i) + count_of(builder, i + 1) <
            count_of(builder, *out_at) + count_of(builder, *out_at + 1))
            *out_at = i;
    return 2;
}

static void head_of_merge(const struct sl_id_builder *builder, const struct sl_id_merge *merge,
                          struct sl_id_head *out)
{
    const struct sl_id_member *members = &builder->set.members[merge->first];
    const struct sl_id_head *last = &members[merge->count - 1].file->head;

    *out = empty_head;
    out->log = last->log;
    out->salt = last->salt;
    out->position = last->position;
    out->seed = last->seed;
    out->witness = last->witness;
    out->first = members[0].file->head.first;
    out->end = last->end;
    sl_env_random(builder->options.env, &out->key, sizeof out->key);
    for (size_t i = 0; i < merge->count; i++) {
        const struct sl_id_head *head = &members[i].file->head;
        merge_times(out, head->newest_s, head->timed_from_s, head->timed_to_s);
        for (size_t c = 0; c < SL_ID_CLASSES; c++)
            out->counts[c] += head->counts[c];
    }
}

void sl_id_merge_give_up(struct sl_id_builder *builder)
{
    struct sl_id_merge *merge = &builder->merge;

    if (!merge->on)
        return;
    for (size_t i = 0; i < merge->count; i++)
        sl_id_scan_close(&merge->scans[i]);
    sl_id_file_abandon(merge->writer);
    *merge = (struct sl_id_merge){0};
}

/* What cannot be written is tried again later. What cannot be read for damage is cut off, with all
 * that is younger: the log has it. */
static void failed(struct sl_id_builder *builder, enum sl_err err, size_t damaged)
{
    struct sl_id_set set = builder->set;

    sl_id_merge_give_up(builder);
    builder->numbers.failures++;
    builder->retry_ns = sl_env_monotonic(builder->options.env) + 1000000000;
    if (err == SL_CORRUPT) {
        set.count = damaged;
        sl_id_take_set(builder, &set, true);
    }
}

static enum sl_err advance(struct sl_id_merge *merge, size_t i, struct sl_error *error)
{
    const enum sl_err err = sl_id_scan_next(&merge->scans[i], &merge->entries[i], error);

    merge->ended[i] = err == SL_NOT_FOUND;
    return merge->ended[i] ? SL_OK : err;
}

void sl_id_merge_begin(struct sl_id_builder *builder)
{
    struct sl_id_merge *merge = &builder->merge;
    struct sl_id_head head;
    struct sl_error error;
    size_t i = 0;

    merge->count = choose(builder, &merge->first);
    if (merge->count == 0)
        return;
    merge->on = true;
    merge->number = builder->next_number++;
    head_of_merge(builder, merge, &head);
    enum sl_err err = sl_id_file_create(builder->options.env, builder->folder, merge->number,
                                        &head, &merge->writer, &error);
    for (i = 0; i < merge->count && err == SL_OK; i++) {
        err = sl_id_scan_open(&merge->scans[i], builder->set.members[merge->first + i].file);
        if (err == SL_OK)
            err = advance(merge, i, &error);
    }
    if (err != SL_OK)
        failed(builder, err, merge->first + (i > 0 ? i - 1 : 0));
}

void sl_id_merge_step(struct sl_id_builder *builder)
{
    struct sl_id_merge *merge = &builder->merge;
    struct sl_error error;
    enum sl_err err = SL_OK;
    size_t least = 0;

    for (unsigned n = 0; n < ENTRIES_A_STEP && err == SL_OK; n++) {
        least = merge->count;
        for (size_t i = 0; i < merge->count; i++)
            if (!merge->ended[i] &&
                (least == merge->count || merge->entries[i].print < merge->entries[least].print))
                least = i;
        if (least == merge->count) {
            err = sl_id_file_finish(merge->writer, &error);
            merge->writer = NULL;
            if (err == SL_OK)
                err = adopt(builder, merge->number, merge->first, merge->count, &error);
            builder->numbers.merges += err == SL_OK;
            if (err == SL_OK)
                sl_id_merge_give_up(builder);
            break;
        }
        err = sl_id_file_add(merge->writer, merge->entries[least], &error);
        if (err == SL_OK)
            err = advance(merge, least, &error);
    }
    /* A new file that is damaged already is no reason to give up the old ones. */
    if (err != SL_OK)
        failed(builder, merge->writer ? err : SL_IO, merge->first + least);
}
