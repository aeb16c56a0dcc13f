/*
 * The write side and its ids: what it remembers when a reign begins, and how it asks the files for
 * ids that memory does not know.
 *
 * Remembering: the files are opened, and each is believed only if the log has, where it ends, the
 * outcome that it saw there. The outcomes behind the last of them are read from the log; without
 * files, those of the window. So a start reads a few hundred thousand outcomes at most, however
 * many ids the window holds, and whatever becomes of the files the log alone decides (P7).
 *
 * Asking: most new ids are known to be new by the filters in memory. Where a file may know one, the
 * command waits, as for an aggregate, while the file is asked, and the log for the outcome itself.
 * The files may learn of outcomes while a command waits in the line; so before it is decided it is
 * asked anew if any outcome that is younger than its asking has left memory (C1).
 */
#include <stdlib.h>
#include <string.h>

#include "command/writer_parts.h"

enum {
    RETRY_NS = 1000000000,
    OUTCOMES_A_READ = 16384,
};

enum sl_err sl_writer_ids_init(struct sl_writer *writer, struct sl_error *error)
{
    const struct sl_ids_options options = {.env = writer->options.env,
                                           .owner = writer->options.mailbox,
                                           .folder = writer->options.ids_folder,
                                           .window_s = writer->options.id_window_s,
                                           .memory_max = writer->options.id_memory_max,
                                           .change_kind = SL_WRITER_ID_CHANGE,
                                           .job_kind = SL_WRITER_ID_JOB,
                                           .lookup_kind = SL_WRITER_ID_LOOKUP,
                                           .user = writer};

    return sl_ids_init(&writer->ids, &options, error);
}

static struct sl_time now_of(const struct sl_writer *writer)
{
    return sl_env_now(writer->options.env);
}

/* A reply is two or three terminated texts, and three in memory: check before they are believed. */
static char *copy_reply(struct sl_slice reply)
{
    if (reply.len < 2 || reply.ptr[reply.len - 1] != 0 ||
        !memchr(reply.ptr, 0, reply.len - 1))
        return NULL;
    char *copy = malloc(reply.len + 1);
    if (copy) {
        memcpy(copy, reply.ptr, reply.len);
        copy[reply.len] = 0;
    }
    return copy;
}

static struct sl_known_id known_of(const struct sl_stored_outcome *outcome)
{
    return (struct sl_known_id){.id = outcome->id,
                                .digest = outcome->digest,
                                .position = outcome->position,
                                .reply = copy_reply(outcome->reply),
                                .time_s = sl_id_seconds(outcome->time),
                                .status = (uint16_t)outcome->status,
                                .event_count = (uint16_t)outcome->event_count};
}

/* ---- Remembering ----------------------------------------------------------------------------- */

static void fail_to_remember(struct sl_writer *writer, struct sl_error *error, enum sl_err err)
{
    error->code = err;
    sl_writer_fail(writer, error);
    writer->retry_ns = sl_env_monotonic(writer->options.env) + RETRY_NS;
}

static void read_outcomes(struct sl_writer *writer, uint64_t from, struct sl_time since,
                          size_t count)
{
    struct sl_read *read = &writer->outcomes.read;

    writer->outcomes.under_way = true;
    sl_arena_reset(&read->arena);
    *read = (struct sl_read){.message = {.reply_to = writer->options.mailbox,
                                         .kind = SL_WRITER_OUTCOMES},
                             .by = SL_READ_OUTCOMES,
                             .from = from,
                             .until = UINT64_MAX,
                             .since = since,
                             .count_max = count,
                             .bytes_max = 4u << 20,
                             .arena = read->arena};
    sl_event_store_read(writer->options.store, read);
}

static const struct sl_time always = {INT64_MIN};

static struct sl_time window_before(const struct sl_writer *writer, struct sl_time time)
{
    return sl_time_after(time, -((int64_t)writer->options.id_window_s + SL_ID_SKEW_S));
}

/* From the first outcome in the window before `time` on all are read, also those whose time lies
 * before it: the clock went back, and they are younger than it says. */
static void look_for_start(struct sl_writer *writer, struct sl_time time)
{
    writer->remembers = SL_REMEMBERS_START;
    read_outcomes(writer, 0, window_before(writer, time), 1);
}

static void begin_reading(struct sl_writer *writer)
{
    const uint64_t end = sl_id_set_end(&writer->ids.set);

    /* What lies below has left the window, or is in files. */
    if (end > 0) {
        sl_ids_reset(&writer->ids, end);
        writer->remembers = SL_REMEMBERS_OUTCOMES;
        read_outcomes(writer, end, always, OUTCOMES_A_READ);
        return;
    }
    writer->behind_pause = false;
    look_for_start(writer, now_of(writer));
}

/* Asks the log for the last outcome that the next file knows. */
static void check_next_file(struct sl_writer *writer)
{
    const struct sl_id_set *set = &writer->ids.set;

    if (writer->files_checked >= set->count) {
        begin_reading(writer);
        return;
    }
    writer->remembers = SL_REMEMBERS_WITNESS;
    read_outcomes(writer, set->members[writer->files_checked].file->head.end - 1, always, 1);
}

static void witness_came(struct sl_writer *writer, const struct sl_read *read)
{
    const struct sl_id_set *set = &writer->ids.set;

    /* Filters that could not be read may have cut the set short meanwhile. */
    if (writer->files_checked < set->count) {
        const struct sl_id_head *head = &set->members[writer->files_checked].file->head;
        bool good = read->outcome_count == 1;
        if (good) {
            struct sl_known_id known = known_of(&read->outcomes[0]);
            good = sl_id_witness(&known) == head->witness;
            free(known.reply);
        }
        if (!good) {
            SL_MARK("ids: a witness of another history");
            writer->remembers = SL_REMEMBERS_CUT;
            sl_ids_cut_files(&writer->ids, head->first);
            return;
        }
        writer->files_checked++;
    }
    check_next_file(writer);
}

void sl_writer_remember(struct sl_writer *writer)
{
    struct sl_id_window *ids = &writer->ids;
    const struct sl_writer_log *log = &writer->log;

    writer->stage = SL_WRITER_REMEMBERING;
    if (ids->builder && ids->job_out) {
        writer->remembers = SL_REMEMBERS_NOTHING; /* begins when the job is done */
    } else if (ids->builder && !writer->files_open) {
        writer->remembers = SL_REMEMBERS_FILES;
        sl_ids_open_files(ids, log->log, log->epochs, log->epoch_count, log->next);
    } else if (ids->builder && writer->files_cut) {
        writer->remembers = SL_REMEMBERS_CUT;
        sl_ids_cut_files(ids, writer->files_cut_at);
    } else {
        begin_reading(writer);
    }
}

static void read_from(struct sl_writer *writer, uint64_t first)
{
    sl_ids_reset(&writer->ids, first);
    writer->remembers = SL_REMEMBERS_OUTCOMES;
    read_outcomes(writer, first, always, OUTCOMES_A_READ);
}

static void start_came(struct sl_writer *writer, const struct sl_read *read)
{
    if (read->outcome_count == 0 && !read->end) {
        read_outcomes(writer, read->next, read->since, 1);
        return;
    }
    const uint64_t first = read->next - read->outcome_count;
    if (first == 0 || writer->behind_pause) {
        read_from(writer, first);
        return;
    }
    writer->window_first = first;
    writer->window_from = read->outcome_count > 0 ? read->outcomes[0].time : now_of(writer);
    writer->remembers = SL_REMEMBERS_PAUSE;
    read_outcomes(writer, first - 1, always, 1);
}

/* Where nothing was decided for longer than the window, it may be the clock that has moved on and
 * not the time: what was decided before is remembered, too (C1). */
static void pause_came(struct sl_writer *writer, const struct sl_read *read)
{
    const struct sl_time window = window_before(writer, writer->window_from);

    if (read->outcome_count == 0 || !sl_time_before(read->outcomes[0].time, window)) {
        read_from(writer, writer->window_first);
        return;
    }
    SL_MARK("ids: a pause, or a clock that jumped");
    writer->behind_pause = true;
    look_for_start(writer, read->outcomes[0].time);
}

static void run(struct sl_writer *writer)
{
    sl_arena_close(&writer->outcomes.read.arena);
    sl_ids_tick(&writer->ids, now_of(writer), sl_env_monotonic(writer->options.env));
    writer->remembers = SL_REMEMBERS_NOTHING;
    writer->stage = SL_WRITER_RUNNING;
    writer->log.ready = true;
}

/* Goes on to read, as soon as memory has room for as many. */
static void read_on(struct sl_writer *writer)
{
    const struct sl_id_window *ids = &writer->ids;
    const uint64_t held = ids->next - ids->first;

    if (writer->outcomes.under_way || writer->remembers != SL_REMEMBERS_OUTCOMES)
        return;
    if (ids->builder && held >= ids->memory_count_max)
        return;
    const uint64_t room = ids->builder ? ids->memory_count_max - held : OUTCOMES_A_READ;
    read_outcomes(writer, ids->next, always,
                  room < OUTCOMES_A_READ ? (size_t)room : OUTCOMES_A_READ);
}

static void outcomes_came(struct sl_writer *writer, struct sl_read *read)
{
    struct sl_id_window *ids = &writer->ids;

    for (size_t i = 0; i < read->outcome_count; i++) {
        const enum sl_err err = sl_ids_add(ids, known_of(&read->outcomes[i]));
        if (err == SL_LIMIT)
            break; /* what was left in memory grew less slowly: the rest is read again */
        if (err != SL_OK) {
            sl_fail(&read->error, err, "no memory for the ids of the window");
            fail_to_remember(writer, &read->error, err);
            return;
        }
        sl_ids_durable(ids, ids->next);
    }
    if (read->end && ids->next == read->next)
        run(writer);
    else
        read_on(writer);
}

void sl_writer_outcomes(struct sl_writer *writer)
{
    struct sl_read *read = &writer->outcomes.read;

    writer->outcomes.under_way = false;
    if (writer->stage != SL_WRITER_REMEMBERING)
        return;
    if (read->err) {
        fail_to_remember(writer, &read->error, read->err);
        return;
    }
    switch (writer->remembers) {
    case SL_REMEMBERS_WITNESS:
        witness_came(writer, read);
        break;
    case SL_REMEMBERS_START:
        start_came(writer, read);
        break;
    case SL_REMEMBERS_PAUSE:
        pause_came(writer, read);
        break;
    case SL_REMEMBERS_OUTCOMES:
        outcomes_came(writer, read);
        break;
    case SL_REMEMBERS_NOTHING:
    case SL_REMEMBERS_FILES:
    case SL_REMEMBERS_CUT:
        break;
    }
}

/* ---- Files come and go ----------------------------------------------------------------------- */

/* A file that cannot be believed is in use. What depends on it is stopped here, at once; when no
 * batch is on its way, all begins anew, without the file. */
static void distrust(struct sl_writer *writer, const struct sl_id_file *file)
{
    const struct sl_id_set *set = &writer->ids.set;

    for (size_t i = 0; i < set->count; i++) {
        if (set->members[i].file != file)
            continue;
        const uint64_t at = file->head.first;
        SL_MARK("ids: a damaged file in use");
        if (!writer->files_cut || at < writer->files_cut_at)
            writer->files_cut_at = at;
        writer->files_cut = true;
        if (writer->stage == SL_WRITER_RUNNING)
            writer->stage = SL_WRITER_HURT;
    }
}

void sl_writer_id_change(struct sl_id_change *change)
{
    struct sl_writer *writer = change->user;
    struct sl_id_window *ids = &writer->ids;

    const bool damaged = change->damaged;
    const bool reads =
        writer->stage == SL_WRITER_REMEMBERING && writer->remembers == SL_REMEMBERS_OUTCOMES;

    sl_ids_changed(ids, change);
    if (damaged && (reads || writer->stage == SL_WRITER_RUNNING))
        writer->stage = SL_WRITER_HURT;
    else if (reads)
        read_on(writer);
}

void sl_writer_id_job(struct sl_id_job *job)
{
    struct sl_writer *writer = job->user;
    const enum sl_id_work work = job->work;

    sl_ids_job_done(&writer->ids, job);
    if (work == SL_ID_CUT)
        writer->files_cut = false;
    if (writer->stage != SL_WRITER_REMEMBERING)
        return;
    if (writer->remembers == SL_REMEMBERS_FILES) {
        if (job->err) {
            fail_to_remember(writer, &job->error, job->err);
            return;
        }
        writer->files_open = true;
        writer->files_checked = 0;
        check_next_file(writer);
    } else if (writer->remembers == SL_REMEMBERS_CUT) {
        begin_reading(writer);
    } else if (writer->remembers == SL_REMEMBERS_NOTHING) {
        sl_writer_remember(writer);
    } else {
        read_on(writer);
    }
}

void sl_writer_id_turn(struct sl_writer *writer)
{
    const struct sl_writer_log *log = &writer->log;

    if (writer->stage == SL_WRITER_HURT && !writer->flying && !writer->outcomes.under_way) {
        struct sl_error error;
        (void)sl_fail(&error, SL_CORRUPT, "an id file is damaged: it is made again from the log");
        sl_writer_fail(writer, &error);
    }
    if (writer->stage != SL_WRITER_RUNNING && writer->stage != SL_WRITER_REMEMBERING)
        return;
    if (writer->stage == SL_WRITER_RUNNING)
        sl_ids_tick(&writer->ids, now_of(writer), sl_env_monotonic(writer->options.env));
    else if (writer->remembers != SL_REMEMBERS_OUTCOMES)
        return;
    sl_ids_turn(&writer->ids, log->log, log->epochs, log->epoch_count, log->durable);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static void end_ask(struct sl_ask *ask)
{
    *ask->link = ask->next;
    if (ask->next)
        ask->next->link = ask->link;
    sl_arena_close(&ask->read.read.arena);
    free(ask->known.reply);
    free(ask);
}

void sl_writer_forget_ask(struct sl_work *work)
{
    struct sl_ask *ask = work->ask;

    work->ask = NULL;
    ask->work = NULL;
    if (!ask->out)
        end_ask(ask);
}

void sl_writer_end_asks(struct sl_writer *writer)
{
    for (struct sl_ask *ask = writer->asks, *next; ask; ask = next) {
        next = ask->next;
        end_ask(ask);
    }
}

void sl_writer_ask(struct sl_writer *writer, struct sl_work *work)
{
    struct sl_id_ask asks[SL_ID_ASKS_MAX];

    if (work->ask)
        sl_writer_forget_ask(work);
    work->asked_at = writer->ids.next;
    const size_t count = sl_ids_probe(&writer->ids, work->submission->id, asks);
    if (count == 0)
        return;
    struct sl_ask *ask = calloc(1, sizeof *ask);
    if (!ask) {
        work->trouble = SL_NO_MEMORY;
        return;
    }
    ask->writer = writer;
    ask->work = work;
    ask->read.ask = ask;
    ask->next = writer->asks;
    ask->link = &writer->asks;
    if (ask->next)
        ask->next->link = &ask->next;
    writer->asks = ask;
    ask->lookup.ask_count = count;
    memcpy(ask->lookup.asks, asks, count * sizeof *asks);
    ask->out = true;
    work->ask = ask;
    work->missing++;
    writer->loads_out++;
    writer->numbers.id_lookups++;
    sl_ids_look_up(&writer->ids, &ask->lookup);
}

/* The command goes on, if it is still there. */
static void answered(struct sl_ask *ask, bool failed)
{
    struct sl_work *work = ask->work;

    ask->out = false;
    if (!work) {
        end_ask(ask);
        return;
    }
    work->missing--;
    if (failed)
        work->trouble = SL_IO;
    if (!ask->is_known)
        sl_writer_forget_ask(work);
}

static void read_found(struct sl_ask *ask)
{
    struct sl_writer *writer = ask->writer;
    struct sl_read *read = &ask->read.read;

    writer->loads_out++;
    sl_arena_reset(&read->arena);
    *read = (struct sl_read){.message = {.reply_to = writer->options.mailbox,
                                         .kind = SL_WRITER_ID_OUTCOME},
                             .by = SL_READ_OUTCOMES,
                             .from = ask->lookup.found[ask->at].cursor,
                             .until = UINT64_MAX,
                             .since = always,
                             .count_max = 1,
                             .bytes_max = SL_STORE_BATCH_BYTES_MAX,
                             .arena = read->arena};
    sl_event_store_read(writer->options.store, read);
}

/* The youngest first: an id that was used again, after the window, is what it was used for last. */
static int by_youth(const void *a, const void *b)
{
    const struct sl_id_found *x = a, *y = b;

    return x->cursor > y->cursor ? -1 : x->cursor < y->cursor;
}

void sl_writer_id_lookup(struct sl_id_lookup *lookup)
{
    struct sl_ask *ask = (struct sl_ask *)(void *)lookup;

    ask->writer->loads_out--;
    if (lookup->err == SL_CORRUPT)
        distrust(ask->writer, lookup->damaged);
    if (!ask->work || lookup->err != SL_OK || lookup->found_count == 0) {
        answered(ask, lookup->err != SL_OK);
        return;
    }
    qsort(lookup->found, lookup->found_count, sizeof *lookup->found, by_youth);
    read_found(ask);
}

void sl_writer_id_outcome(struct sl_ask_read *ask_read)
{
    struct sl_ask *ask = ask_read->ask;
    struct sl_writer *writer = ask->writer;
    const struct sl_read *read = &ask_read->read;
    const struct sl_id_found *found = &ask->lookup.found[ask->at];

    writer->loads_out--;
    if (!ask->work || read->err) {
        answered(ask, true);
        return;
    }
    const struct sl_stored_outcome *outcome = read->outcome_count == 1 ? read->outcomes : NULL;
    const int64_t time_s = outcome ? sl_id_seconds(outcome->time) : 0;
    if (!outcome || !sl_ids_has_print(&writer->ids, outcome->id, time_s, found->print)) {
        distrust(writer, found->file);
        answered(ask, true);
    } else if (sl_uuid_equals(outcome->id, ask->work->submission->id)) {
        ask->known = known_of(outcome);
        ask->is_known = true;
        answered(ask, false);
    } else if (++ask->at < ask->lookup.found_count) {
        SL_MARK("ids: two ids with one print");
        read_found(ask);
    } else {
        answered(ask, false);
    }
}

/* ---- At the decision ------------------------------------------------------------------------- */

enum sl_writer_id sl_writer_check_id(struct sl_writer *writer, struct sl_work *work)
{
    const struct sl_uuid id = work->submission->id;
    const struct sl_known_id *known;

    if (work->missing > 0)
        return SL_WRITER_ID_WAITS;
    known = sl_ids_find(&writer->ids, id);
    if (!known && work->ask && work->ask->is_known)
        known = &work->ask->known;
    if (known) {
        sl_writer_repeat(writer, work, known);
        return SL_WRITER_ID_ANSWERED;
    }
    if (work->trouble)
        return SL_WRITER_ID_NEW; /* and is answered for that */
    if (writer->ids.first > work->asked_at) {
        SL_MARK("ids: asked again");
        sl_writer_ask(writer, work);
        if (work->missing > 0)
            return SL_WRITER_ID_WAITS;
    }
    if (sl_ids_is_too_old(&writer->ids, id, now_of(writer))) {
        sl_writer_refuse_old(writer, work);
        return SL_WRITER_ID_ANSWERED;
    }
    /* A new outcome must be remembered: it waits until files have taken some over. */
    return sl_ids_is_full(&writer->ids) ? SL_WRITER_ID_WAITS : SL_WRITER_ID_NEW;
}
