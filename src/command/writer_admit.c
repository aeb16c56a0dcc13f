/*
 * Admission: a command's needs are named, found in memory or read from the log; once all of them
 * are there, and `more` names no others, it is decided. Commands are decided in the order in which
 * they came: one that waits for a read holds up those behind it, whose own reads are under way
 * meanwhile.
 */
#include <stdlib.h>
#include <string.h>

#include "command/writer_parts.h"

enum {
    ROUNDS_MAX = 4,
    PREPARE_NS = 400000, /* a turn prepares commands for at most about so long, … */
    SLICE_NS = 800000,   /* … and decides until this has passed */
    CLOCK_COMMANDS = 16, /* the clock is asked after so many */
    AHEAD = 4096,        /* commands whose needs are being read */
    AT_ONCE = 64,        /* events at most that are read on the engine's thread */
    LOAD_EVENTS = 4096,
    LOAD_BYTES = 1 << 20,
};

struct sl_work *sl_writer_take_work(struct sl_writer *writer)
{
    struct sl_work *work = writer->free_works;

    if (work)
        writer->free_works = work->next;
    else
        work = calloc(1, sizeof *work);
    if (!work)
        return NULL;
    struct sl_arena arena = work->arena;
    sl_arena_reset(&arena);
    *work = (struct sl_work){.arena = arena};
    work->slots = work->own_slots;
    work->slot_max = SL_WORK_SLOTS;
    writer->works_out++;
    return work;
}

void sl_writer_unpin(struct sl_writer *writer, struct sl_work *work)
{
    for (size_t i = 0; i < work->slot_count; i++) {
        sl_aggregates_unpin(&writer->aggregates, work->slots[i].held);
        sl_writer_keep_in_use(writer, work->slots[i].held);
    }
    for (size_t i = 0; i < work->guard_count; i++)
        sl_aggregates_unpin(&writer->aggregates, work->guards[i].held);
    work->slot_count = work->guard_count = 0;
}

/* Lets what the command needed go, and keeps its struct for the next one. */
void sl_writer_release(struct sl_writer *writer, struct sl_work *work)
{
    if (work->ask)
        sl_writer_forget_ask(work);
    sl_writer_unpin(writer, work);
    work->next = writer->free_works;
    writer->free_works = work;
    writer->works_out--;
}

static bool is_guard(const struct sl_held *held)
{
    return held->aggregate == &sl_tag_guards;
}

static bool reads_backwards(const struct sl_writer *writer)
{
    return writer->options.store->ops->capabilities & SL_STORE_BACKWARDS;
}

static void start_load(struct sl_writer *writer, struct sl_load *load)
{
    struct sl_held *held = load->held;
    struct sl_read *read = &load->read;

    held->stage = SL_HELD_LOADING;
    writer->loads_out++;
    writer->numbers.loads++;
    *read =
        (struct sl_read){.message = {.reply_to = writer->options.mailbox, .kind = SL_WRITER_LOADED},
                         .by = SL_READ_AGGREGATE,
                         .key = held->name,
                         .from = held->loaded,
                         .until = UINT64_MAX,
                         .count_max = LOAD_EVENTS,
                         .bytes_max = LOAD_BYTES,
                         .arena = read->arena};
    if (is_guard(held)) {
        /* The last one says all, where it can be had alone. */
        read->by = SL_READ_TAG;
        read->backwards = reads_backwards(writer);
        read->count_max = read->backwards ? 1 : LOAD_EVENTS;
    }
    /* A look at its beginning, before its snapshot is asked for. */
    if (writer->snapshots && held->loaded == 0 && !load->asked && !is_guard(held))
        read->count_max = writer->long_history;
    /* Most of what is not here was never there, as what a command makes: the store knows that
     * without a look at its files. */
    read->at_once = held->loaded == 0 && !load->asked && !is_guard(held);
    if (read->at_once && read->count_max > AT_ONCE)
        read->count_max = AT_ONCE;
    if (sl_event_store_read(writer->options.store, read))
        sl_writer_loaded(load);
}

static struct sl_load *make_load(struct sl_writer *writer, struct sl_held *held)
{
    struct sl_load *load = calloc(1, sizeof *load);

    if (!load)
        return NULL;
    load->writer = writer;
    load->held = held;
    load->others = writer->loads;
    load->link = &writer->loads;
    if (load->others)
        load->others->link = &load->others;
    writer->loads = load;
    return load;
}

static void wait_for(struct sl_need_slot *slot, struct sl_work *work)
{
    slot->work = work;
    slot->waits = true;
    slot->next_waiter = slot->held->waiters;
    slot->held->waiters = slot;
    work->missing++;
}

static bool make_room_for_slots(struct sl_work *work)
{
    if (work->slot_count < work->slot_max)
        return true;
    const size_t capacity = 4 * work->slot_max;
    struct sl_need_slot *slots = sl_arena_zeroed(&work->arena, capacity, sizeof *slots);
    if (!slots)
        return false;
    SL_ASSERT(work->missing == 0, "slots move only while nobody waits on them");
    memcpy(slots, work->slots, work->slot_count * sizeof *slots);
    work->slots = slots;
    work->slot_max = capacity;
    return true;
}

/* Events that are not durable yet may concern an aggregate that was not here when they were
 * decided: its reading must reach beyond them. */
static uint64_t undurable(const struct sl_writer *writer, const struct sl_held *held)
{
    const uint64_t open = sl_recent_find(&writer->open->recent, held->hash);

    if (open > 0 || !writer->flying)
        return open;
    return sl_recent_find(&writer->flying->recent, held->hash);
}

/* Pins one more need. */
static enum sl_err add_need(struct sl_writer *writer, struct sl_work *work,
                            const struct sl_aggregate *aggregate, struct sl_text name)
{
    if (work->slot_count == SL_COMMAND_NEEDS_MAX)
        return SL_LIMIT;
    if (!make_room_for_slots(work))
        return SL_NO_MEMORY;
    struct sl_held *held = sl_aggregates_pin(&writer->aggregates, aggregate, name);
    if (!held)
        return SL_NO_MEMORY;
    SL_ASSERT(held->aggregate == aggregate, "two aggregates have one name");
    work->slots[work->slot_count++] = (struct sl_need_slot){.held = held};
    if (held->stage == SL_HELD_NEW) {
        const uint64_t upto = undurable(writer, held);
        if (upto > held->touched)
            held->touched = upto;
        /* A log that is empty has no history to read. */
        if (writer->log.next == 0)
            held->stage = SL_HELD_READY;
    }
    return SL_OK;
}

/* Pins a guard for each tag of the command's condition. */
static enum sl_err add_guards(struct sl_writer *writer, struct sl_work *work)
{
    const struct sl_submission *submission = work->submission;

    SL_ASSERT(submission->unless_tag_count <= SL_UNLESS_TAGS_MAX, "M1");
    if (submission->unless_tag_count > 0)
        work->guards =
            sl_arena_zeroed(&work->arena, submission->unless_tag_count, sizeof *work->guards);
    for (size_t i = 0; i < submission->unless_tag_count; i++) {
        struct sl_held *held = work->guards ? sl_aggregates_pin(&writer->aggregates, &sl_tag_guards,
                                                                submission->unless_tagged[i])
                                            : NULL;
        if (!held)
            return SL_NO_MEMORY;
        work->guards[work->guard_count++] = (struct sl_need_slot){.held = held};
        if (held->stage == SL_HELD_NEW) {
            /* Any event that is not durable yet may have the tag. */
            held->touched = writer->log.next;
            if (writer->log.next == 0)
                held->stage = SL_HELD_READY;
        }
    }
    return SL_OK;
}

/* Begins to read what is not here, and waits for it. */
static void wait_for_slots(struct sl_writer *writer, struct sl_work *work,
                           struct sl_need_slot *slots, size_t count)
{
    for (size_t i = 0; i < count && !work->trouble; i++) {
        struct sl_need_slot *slot = &slots[i];
        struct sl_load *load = NULL;

        if (slot->held->stage == SL_HELD_READY || slot->waits)
            continue;
        if (slot->held->stage == SL_HELD_NEW) {
            load = make_load(writer, slot->held);
            if (!load) {
                work->trouble = SL_NO_MEMORY;
                return;
            }
        }
        wait_for(slot, work); /* before the load, which may be over when it returns */
        if (load)
            start_load(writer, load);
    }
}

static void wait_where_missing(struct sl_writer *writer, struct sl_work *work)
{
    wait_for_slots(writer, work, work->slots, work->slot_count);
    wait_for_slots(writer, work, work->guards, work->guard_count);
}

static enum sl_err name_table_needs(struct sl_writer *writer, struct sl_work *work)
{
    const struct sl_command_model *command = work->command;
    enum sl_err err = SL_OK;

    for (size_t i = 0; i < command->need_count && !err; i++) {
        const struct sl_need_model *need = &command->needs[i];
        const char *name = need->aggregate->aggregate->name;

        sl_buf_reset(&writer->scratch);
        sl_buf_append(&writer->scratch, name, strlen(name));
        sl_buf_byte(&writer->scratch, '/');
        err = sl_place_write(&need->key, work->submission->body, &writer->scratch);
        if (!err)
            err = add_need(writer, work, need->aggregate->aggregate,
                           sl_buf_as_text(&writer->scratch));
    }
    return err;
}

/* Asks `more` for needs beyond those the command has. Its places count on from the table's. */
static enum sl_err name_more_needs(struct sl_writer *writer, struct sl_work *work)
{
    const struct sl_submission *submission = work->submission;
    const void *few[SL_NEEDS_MAX];
    const void **states = work->slot_count <= SL_NEEDS_MAX
                              ? few
                              : sl_arena_take(&work->arena, work->slot_count * sizeof *states);
    struct sl_needs needs;

    if (!states)
        return SL_NO_MEMORY;
    sl_needs_init(&needs, &work->arena);
    for (size_t i = 0; i < work->slot_count; i++) {
        const struct sl_held *held = work->slots[i].held;
        const char *slash = memchr(held->name.ptr, '/', held->name.len);
        const size_t skip = (size_t)(slash - held->name.ptr) + 1;

        states[i] = held->state;
        if (!sl_needs_add(&needs, held->aggregate,
                          (struct sl_text){held->name.ptr + skip, held->name.len - skip}))
            return needs.failed;
    }
    const size_t before = needs.count;
    const struct sl_case c = {.command = submission->body,
                              .state = states,
                              .state_count = before,
                              .now = sl_env_now(writer->options.env),
                              .id = submission->id,
                              .principal = submission->principal};
    work->command->command->more(&c, &needs);
    enum sl_err err = needs.failed;
    for (size_t i = before; i < needs.count && !err; i++) {
        sl_buf_reset(&writer->scratch);
        sl_stream_name(&writer->scratch, needs.asked[i].aggregate->name, needs.asked[i].key);
        err = writer->scratch.failed ? SL_NO_MEMORY
                                     : add_need(writer, work, needs.asked[i].aggregate,
                                                sl_buf_as_text(&writer->scratch));
    }
    return err;
}

/* `more` is asked when it is the command's turn, since its answer hangs on states that those before
 * it may change. Where it sees none, as the table names none, its first answer is the same now, and
 * what it names is read beside that of others instead of one command at a time. What is under way
 * stays bounded however much a command names. */
static bool may_name_early(const struct sl_writer *writer, const struct sl_work *work)
{
    return work->command->command->more && work->slot_count == 0 && writer->loads_out < AHEAD;
}

/* Names the needs that the command's table says, and begins to read what is not here. */
static void prepare(struct sl_writer *writer, struct sl_work *work)
{
    if (sl_ids_find(&writer->ids, work->submission->id))
        return; /* a repeat needs nothing */
    work->prepared = true;
    work->trouble = name_table_needs(writer, work);
    if (!work->trouble && may_name_early(writer, work)) {
        work->rounds++;
        work->trouble = name_more_needs(writer, work);
    }
    if (!work->trouble)
        work->trouble = add_guards(writer, work);
    sl_writer_ask(writer, work);
    wait_where_missing(writer, work);
}

/* Round by round, until `more` names nothing new, or what it named is being read. */
static void name_all_needs(struct sl_writer *writer, struct sl_work *work)
{
    /* What it waited for may have been forgotten again meanwhile. */
    wait_where_missing(writer, work);
    while (work->command->command->more && work->missing == 0 && !work->trouble) {
        const size_t before = work->slot_count;

        work->trouble = name_more_needs(writer, work);
        if (work->slot_count == before)
            return;
        if (!work->trouble && ++work->rounds > ROUNDS_MAX)
            work->trouble = SL_LIMIT;
        wait_where_missing(writer, work);
    }
}

enum step { STEP_DONE, STEP_WAITS, STEP_FULL };

/* Decides the command at the head of the line, if all it needs is here. */
static enum step step_head(struct sl_writer *writer, struct sl_work *work)
{
    if (!work->prepared)
        prepare(writer, work);
    /* The first with the same id may have been decided while this one waited for its needs. */
    const enum sl_writer_id id = sl_writer_check_id(writer, work);
    if (id != SL_WRITER_ID_NEW)
        return id == SL_WRITER_ID_WAITS ? STEP_WAITS : STEP_DONE;
    if (work->missing == 0 && !work->trouble)
        name_all_needs(writer, work);
    if (work->missing > 0)
        return STEP_WAITS;
    if (work->trouble == SL_NO_MEMORY) {
        sl_writer_answer_failed(writer, work, "overloaded", "memory is out: try again later");
        return STEP_DONE;
    }
    if (work->trouble && work->trouble != SL_LIMIT) {
        sl_writer_answer_failed(writer, work, "load_failed",
                                "the history that decides could not be read: try again");
        return STEP_DONE;
    }
    return sl_writer_decide(writer, work) ? STEP_DONE : STEP_FULL;
}

static int64_t now_of(const struct sl_writer *writer)
{
    return sl_env_monotonic(writer->options.env);
}

/* Prepares what has come, as far as it may stand in line and there is time. */
static void prepare_some(struct sl_writer *writer, int64_t until)
{
    unsigned prepared = 0;

    while (writer->queue.first && writer->line.count < AHEAD) {
        struct sl_work *work = sl_writer_list_pop(&writer->queue);
        prepare(writer, work);
        sl_writer_list_add(&writer->line, work);
        if (++prepared % CLOCK_COMMANDS == 0 && now_of(writer) >= until) {
            SL_MARK("writer: the rest is prepared in another turn");
            writer->unprepared = writer->queue.first;
            return;
        }
    }
}

/* What is prepared is decided in the same turn, as far as there is time: so both get on, whatever
 * each of them takes. */
void sl_writer_run_queue(struct sl_writer *writer)
{
    const int64_t began = now_of(writer);
    unsigned done = 0;

    writer->head_waits = writer->unprepared = false;
    for (;;) {
        if (!writer->unprepared)
            prepare_some(writer, began + PREPARE_NS);
        if (!writer->line.first || sl_batch_is_full(writer->open))
            return;
        struct sl_work *work = sl_writer_list_pop(&writer->line);
        const enum step step = step_head(writer, work);
        if (step != STEP_DONE) {
            /* It stays the first: nobody passes, so that commands are decided as they came. */
            work->next = writer->line.first;
            writer->line.first = work;
            if (!work->next)
                writer->line.end = &work->next;
            writer->line.count++;
            writer->head_waits = true;
            return;
        }
        if (++done % CLOCK_COMMANDS == 0 && now_of(writer) >= began + SLICE_NS)
            return;
    }
}

static enum sl_err evolve_page(struct sl_writer *writer, struct sl_load *load)
{
    struct sl_held *held = load->held;
    struct sl_read *read = &load->read;
    struct sl_error error = {0};
    enum sl_err err = SL_OK;

    if (is_guard(held)) {
        if (read->event_count > 0)
            ((struct sl_tag_guard *)held->state)->after =
                read->events[read->backwards ? 0 : read->event_count - 1].position + 1;
        return SL_OK;
    }
    for (size_t i = 0; i < read->event_count && !err; i++) {
        const struct sl_stored_event *stored = &read->events[i];
        struct sl_event event;

        if (sl_text_equals(stored->stream, held->name))
            held->stream_count = stored->revision + 1;
        err = sl_model_decode(writer->options.model, stored, &read->arena, &event, &error);
        if (err == SL_NOT_FOUND)
            err = SL_OK; /* a type that the domain gave up says nothing to it */
        else if (!err)
            sl_held_evolve(&writer->aggregates, held, &event);
    }
    if (err) /* what it took by pointer goes with the page */
        sl_held_forget(held);
    sl_aggregates_settle(&writer->aggregates);
    return held->stage == SL_HELD_NEW && !err ? SL_NO_MEMORY : err;
}

/* All who waited for it have one need less, or fail with it when it is their turn. */
static void wake_waiters(struct sl_held *held, enum sl_err err)
{
    for (struct sl_need_slot *slot = held->waiters; slot; slot = slot->next_waiter) {
        slot->waits = false;
        slot->work->missing--;
        if (err)
            slot->work->trouble = err == SL_NO_MEMORY ? SL_NO_MEMORY : SL_IO;
    }
    held->waiters = NULL;
}

void sl_writer_end_load(struct sl_load *load)
{
    *load->link = load->others;
    if (load->others)
        load->others->link = load->link;
    sl_arena_close(&load->read.arena);
    sl_arena_close(&load->snapshot.get.arena);
    free(load);
}

void sl_writer_load_on(struct sl_load *load, enum sl_err err)
{
    struct sl_writer *writer = load->writer;
    struct sl_held *held = load->held;

    if (held->orphan) {
        sl_held_free(held);
        sl_writer_end_load(load);
    } else if (err) {
        /* Half a history must not decide: it is read again from its beginning, by the next
         * command. */
        sl_held_forget(held);
        wake_waiters(held, err);
        sl_writer_end_load(load);
    } else {
        start_load(writer, load);
    }
}

void sl_writer_loaded(struct sl_load *load)
{
    struct sl_writer *writer = load->writer;
    struct sl_held *held = load->held;
    struct sl_read *read = &load->read;

    writer->loads_out--;
    enum sl_err err = SL_OK;
    if (!held->orphan)
        err = read->err ? read->err : evolve_page(writer, load);
    if (held->orphan || err) {
        sl_writer_load_on(load, err ? err : SL_IO);
        return;
    }
    const bool end = read->end || read->backwards;
    held->loaded = end ? read->durable : read->next;
    sl_arena_reset(&read->arena);
    if (!end) {
        if (!sl_writer_ask_snapshot(load))
            start_load(writer, load);
    } else if (held->touched > read->durable && held->touched <= writer->log.durable) {
        start_load(writer, load);
    } else if (held->touched > read->durable) {
        /* What concerns it is still on its way to the disk: the rest is read when it is there. */
        load->next = writer->stale_loads;
        writer->stale_loads = load;
    } else {
        held->stage = SL_HELD_READY;
        sl_writer_keep(writer, held, writer->long_history);
        wake_waiters(held, SL_OK);
        sl_writer_end_load(load);
    }
}

void sl_writer_reload_stale(struct sl_writer *writer)
{
    struct sl_load *load = writer->stale_loads;

    writer->stale_loads = NULL;
    while (load) {
        struct sl_load *next = load->next;
        if (load->held->orphan) {
            sl_held_free(load->held);
            sl_writer_end_load(load);
        } else {
            start_load(writer, load);
        }
        load = next;
    }
}
