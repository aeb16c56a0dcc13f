#include "command/ids.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

enum {
    SLAB_ENTRIES = 1023,
    ENTRY_BYTES = 128, /* of memory, about, for each entry, its place in the table and its print */
    LEAVE_WITH_ADD = 4,
    LEAVE_IN_TURN = 256,
};

/* Entries are kept in the order of the log, so that cursors need not be stored, and forgetting the
 * oldest is giving a slab back. */
struct sl_id_slab {
    struct sl_id_slab *next;
    uint32_t first; /* entries below are forgotten */
    uint32_t count;
    int64_t newest_s; /* the youngest of these and of all before */
    struct sl_known_id entries[SLAB_ENTRIES];
};

static bool same(const void *value, struct sl_slice key)
{
    const struct sl_known_id *known = value;
    return memcmp(known->id.bytes, key.ptr, sizeof known->id.bytes) == 0;
}

static struct sl_slice key_of(const struct sl_uuid *id)
{
    return (struct sl_slice){id->bytes, sizeof id->bytes};
}

static bool has_files(const struct sl_id_window *ids)
{
    return ids->builder != NULL;
}

/* ---- Opening and closing --------------------------------------------------------------------- */

static void set_limits(struct sl_id_window *ids)
{
    /* An eighth for what is in memory; a quarter of that is what a new file takes over. */
    const size_t most = ids->options.memory_max / 8 / ENTRY_BYTES;

    ids->flush_count = most / 4 / SL_ID_CHUNK * SL_ID_CHUNK;
    if (ids->flush_count < SL_ID_CHUNK)
        ids->flush_count = SL_ID_CHUNK;
    ids->memory_count_max = most > 4 * ids->flush_count ? most : 4 * ids->flush_count;
}

enum sl_err sl_ids_init(struct sl_id_window *ids, const struct sl_ids_options *options,
                        struct sl_error *error)
{
    *ids = (struct sl_id_window){.table = {.same = same},
                                 .options = *options,
                                 .newest_s = INT64_MIN,
                                 .clock_ns = INT64_MIN,
                                 .mark_ns = INT64_MIN};
    sl_env_random(options->env, &ids->seed, sizeof ids->seed);
    ids->options.folder = NULL;
    if (!options->folder)
        return SL_OK;
    set_limits(ids);
    const size_t rest = options->memory_max - options->memory_max / 8;
    const size_t at_work = (size_t)16 << 20;
    const struct sl_id_builder_options builder = {.env = options->env,
                                                  .folder = options->folder,
                                                  .owner = options->owner,
                                                  .change_kind = options->change_kind,
                                                  .user = options->user,
                                                  .flush_count = ids->flush_count,
                                                  .span_s = options->window_s / 4,
                                                  .memory_max = rest > 2 * at_work ? rest - at_work
                                                                                   : rest / 2};
    return sl_id_builder_start(&builder, &ids->builder, &ids->to_builder, &ids->to_looker, error);
}

void sl_ids_stop(struct sl_id_window *ids)
{
    sl_id_builder_stop(ids->builder);
}

static void free_chunks(struct sl_id_chunk *chunk)
{
    for (struct sl_id_chunk *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
}

static void free_slabs(struct sl_id_window *ids)
{
    for (struct sl_id_slab *slab = ids->oldest, *next; slab; slab = next) {
        next = slab->next;
        for (uint32_t i = slab->first; i < slab->count; i++)
            free(slab->entries[i].reply);
        free(slab);
    }
    ids->oldest = ids->newest = NULL;
}

void sl_ids_close(struct sl_id_window *ids)
{
    sl_id_builder_free(ids->builder);
    ids->builder = NULL;
    free_slabs(ids);
    sl_table_close(&ids->table);
    free_chunks(ids->chunks);
    free_chunks(ids->free_chunks);
    if (ids->job_out)
        free_chunks(ids->job.chunks);
    ids->chunks = ids->last_chunk = ids->free_chunks = NULL;
    ids->job_out = false;
}

static void drop_chunks(struct sl_id_window *ids, struct sl_id_chunk *chunk)
{
    for (struct sl_id_chunk *next; chunk; chunk = next) {
        next = chunk->next;
        chunk->next = ids->free_chunks;
        ids->free_chunks = chunk;
    }
}

void sl_ids_reset(struct sl_id_window *ids, uint64_t cursor)
{
    free_slabs(ids);
    sl_table_close(&ids->table);
    drop_chunks(ids, ids->chunks);
    ids->chunks = ids->last_chunk = NULL;
    ids->first = ids->next = ids->durable = cursor;
    if (ids->set.count > 0) {
        const struct sl_id_file *youngest = ids->set.members[ids->set.count - 1].file;
        if (youngest->head.newest_s > ids->newest_s)
            ids->newest_s = youngest->head.newest_s;
    }
    /* From here on cursors may stand for other outcomes, that are younger than the mark. */
    ids->past = 0;
    ids->mark_ns = INT64_MIN;
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* By the monotonic clock alone: what was there at the mark has been there for the window. */
static void move_mark(struct sl_id_window *ids, int64_t monotonic_ns)
{
    const int64_t window_ns = ((int64_t)ids->options.window_s + SL_ID_SKEW_S) * 1000000000;

    if (ids->mark_ns == INT64_MIN) {
        ids->newest_marked_s = INT64_MIN;
    } else if (monotonic_ns - ids->mark_ns <= window_ns) {
        return;
    } else {
        /* A time in the future that none has had since is one of those that are past. */
        ids->past = ids->mark;
        ids->newest_s = ids->newest_marked_s;
        ids->newest_marked_s = INT64_MIN;
    }
    ids->mark = ids->next;
    ids->mark_ns = monotonic_ns;
}

void sl_ids_tick(struct sl_id_window *ids, struct sl_time now, int64_t monotonic_ns)
{
    if (ids->clock_ns == INT64_MIN) {
        ids->clock_ns = now.ns;
        if (ids->newest_s != INT64_MIN && ids->newest_s < now.ns / 1000000000)
            ids->clock_ns = ids->newest_s * 1000000000;
    } else if (now.ns > ids->clock_ns) {
        const int64_t most = ids->clock_ns + 2 * (monotonic_ns - ids->clock_at_ns);
        ids->clock_ns = now.ns < most ? now.ns : most;
    }
    ids->clock_at_ns = monotonic_ns;
    move_mark(ids, monotonic_ns);
}

/* All that is older may be forgotten. The minute is for ids that run ahead of this clock: once
 * forgotten they are too old, too. */
static int64_t kept_from_s(const struct sl_id_window *ids)
{
    return ids->clock_ns == INT64_MIN
               ? INT64_MIN
               : ids->clock_ns / 1000000000 - ids->options.window_s - SL_ID_SKEW_S;
}

bool sl_ids_is_too_old(const struct sl_id_window *ids, struct sl_uuid id, struct sl_time now)
{
    const int64_t latest_ns = now.ns > ids->clock_ns ? now.ns : ids->clock_ns;
    int64_t own_s;

    return sl_id_time(id, &own_s) && own_s < latest_ns / 1000000000 - ids->options.window_s;
}

/* ---- Forgetting ------------------------------------------------------------------------------ */

/* status 0 marks an entry whose id has a younger one. */
static void forget(struct sl_id_window *ids, struct sl_known_id *known)
{
    if (known->status != 0)
        sl_table_remove(&ids->table, sl_id_hash(known->id, ids->seed), known);
    free(known->reply);
    known->reply = NULL;
    known->status = 0;
}

/* What files have taken over, or the window has left, at most `most` entries. */
static void leave(struct sl_id_window *ids, unsigned most)
{
    const uint64_t taken = sl_id_set_end(&ids->set);
    const int64_t from_s = kept_from_s(ids);

    while (ids->oldest && most > 0) {
        struct sl_id_slab *slab = ids->oldest;

        while (slab->first < slab->count && most > 0) {
            if (has_files(ids) ? ids->first >= taken
                               : ids->first >= ids->past && slab->newest_s >= from_s)
                return;
            forget(ids, &slab->entries[slab->first++]);
            ids->first++;
            most--;
        }
        if (slab->first < slab->count || slab == ids->newest)
            return;
        ids->oldest = slab->next;
        free(slab);
    }
}

/* ---- Adding ---------------------------------------------------------------------------------- */

uint32_t sl_id_seconds(struct sl_time time)
{
    const int64_t s = time.ns / 1000000000;
    return s < 0 ? 0 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

uint64_t sl_id_witness(const struct sl_known_id *known)
{
    uint8_t bytes[16 + 16 + 8 + 4 + 2 + 2];

    memcpy(bytes, known->id.bytes, 16);
    memcpy(bytes + 16, known->digest.bytes, 16);
    sl_put_le64(bytes + 32, known->position);
    sl_put_le32(bytes + 40, known->time_s);
    sl_put_le16(bytes + 44, known->status);
    sl_put_le16(bytes + 46, known->event_count);
    return sl_hash64(bytes, sizeof bytes, 0);
}

static bool add_slab(struct sl_id_window *ids)
{
    struct sl_id_slab *slab = malloc(sizeof *slab);

    if (!slab)
        return false;
    slab->next = NULL;
    slab->first = slab->count = 0;
    slab->newest_s = INT64_MIN;
    if (ids->newest)
        ids->newest->next = slab;
    else
        ids->oldest = slab;
    ids->newest = slab;
    return true;
}

static bool add_chunk(struct sl_id_window *ids)
{
    struct sl_id_chunk *chunk = ids->free_chunks;

    if (chunk)
        ids->free_chunks = chunk->next;
    else
        chunk = malloc(sizeof *chunk);
    if (!chunk)
        return false;
    chunk->next = NULL;
    chunk->first = ids->next;
    chunk->count = 0;
    chunk->newest_s = chunk->timed_to_s = INT64_MIN;
    chunk->timed_from_s = INT64_MAX;
    memset(chunk->counts, 0, sizeof chunk->counts);
    if (ids->last_chunk)
        ids->last_chunk->next = chunk;
    else
        ids->chunks = chunk;
    ids->last_chunk = chunk;
    return true;
}

static void add_print(struct sl_id_window *ids, const struct sl_known_id *known, uint64_t hash)
{
    struct sl_id_chunk *chunk = ids->last_chunk;
    const enum sl_id_class class = sl_id_classify(known->id, known->time_s);

    chunk->prints[chunk->count++] = sl_id_print(hash, class);
    chunk->counts[class]++;
    chunk->newest_s = ids->newest_s;
    if (class == SL_ID_TIMED && known->time_s < chunk->timed_from_s)
        chunk->timed_from_s = known->time_s;
    if (class == SL_ID_TIMED && known->time_s > chunk->timed_to_s)
        chunk->timed_to_s = known->time_s;
    if (chunk->count == SL_ID_CHUNK)
        chunk->witness = sl_id_witness(known);
}

bool sl_ids_is_full(const struct sl_id_window *ids)
{
    return has_files(ids) && ids->next - ids->first >= ids->memory_count_max;
}

/* The window's clock counts as well: it has come from times before, and goes on where seconds in 32
 * bits end (2106). */
static void note_time(struct sl_id_window *ids, int64_t time_s)
{
    const int64_t clock_s = ids->clock_ns == INT64_MIN ? INT64_MIN : ids->clock_ns / 1000000000;
    const int64_t from_s = clock_s > time_s ? clock_s : time_s;

    if (from_s > ids->newest_s)
        ids->newest_s = from_s;
    if (from_s > ids->newest_marked_s)
        ids->newest_marked_s = from_s;
}

enum sl_err sl_ids_add(struct sl_id_window *ids, struct sl_known_id known)
{
    const uint64_t hash = sl_id_hash(known.id, ids->seed);

    SL_ASSERT(known.status != 0, "C1");
    leave(ids, LEAVE_WITH_ADD);
    if (sl_ids_is_full(ids)) {
        free(known.reply);
        return SL_LIMIT;
    }
    if (((!ids->newest || ids->newest->count == SLAB_ENTRIES) && !add_slab(ids)) ||
        (has_files(ids) && (!ids->last_chunk || ids->last_chunk->count == SL_ID_CHUNK) &&
         !add_chunk(ids))) {
        free(known.reply);
        return SL_NO_MEMORY;
    }
    /* An id that the window had left by then, when it was used again. */
    struct sl_known_id *older = sl_table_find(&ids->table, hash, key_of(&known.id));
    if (older)
        forget(ids, older);
    struct sl_id_slab *slab = ids->newest;
    struct sl_known_id *entry = &slab->entries[slab->count];
    *entry = known;
    if (sl_table_add(&ids->table, hash, entry) != SL_OK) {
        free(known.reply);
        return SL_NO_MEMORY;
    }
    note_time(ids, known.time_s);
    slab->newest_s = ids->newest_s;
    slab->count++;
    if (has_files(ids))
        add_print(ids, &known, hash);
    ids->next++;
    return SL_OK;
}

void sl_ids_durable(struct sl_id_window *ids, uint64_t cursor)
{
    SL_ASSERT(cursor >= ids->durable && cursor <= ids->next, "L4");
    ids->durable = cursor;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

const struct sl_known_id *sl_ids_find(const struct sl_id_window *ids, struct sl_uuid id)
{
    return sl_table_find(&ids->table, sl_id_hash(id, ids->seed), key_of(&id));
}

/* All filters are asked at once: their memory is fetched while others are looked at. */
static void fetch(const struct sl_id_set *set, uint64_t print)
{
    const enum sl_id_class class = sl_id_print_class(print);

    for (size_t i = 0; i < set->count; i++) {
        const struct sl_id_member *member = &set->members[i];
        const struct sl_id_filter *filter = &member->file->filters[class];
        if (member->layers[class] > 0)
            __builtin_prefetch(filter->layers[0] +
                               sl_id_filter_block(print, filter->blocks) * SL_ID_BLOCK_BYTES);
    }
}

static size_t probe_class(const struct sl_id_set *set, uint64_t print, struct sl_id_ask *asks,
                          size_t count)
{
    const enum sl_id_class class = sl_id_print_class(print);

    fetch(set, print);
    for (size_t i = set->count; i > 0; i--) {
        const struct sl_id_member *member = &set->members[i - 1];
        if (sl_id_filter_passes(&member->file->filters[class], member->layers[class], print))
            asks[count++] = (struct sl_id_ask){member->file, print};
    }
    return count;
}

/* Only files with outcomes of about the id's own time can know it as such. */
static size_t probe_timed(const struct sl_id_set *set, uint64_t print, int64_t own_s,
                          struct sl_id_ask *asks)
{
    size_t count = 0;

    for (size_t i = set->count; i > 0; i--) {
        const struct sl_id_member *member = &set->members[i - 1];
        const struct sl_id_head *head = &member->file->head;
        if (head->timed_from_s <= head->timed_to_s && own_s >= head->timed_from_s - SL_ID_SKEW_S &&
            own_s <= head->timed_to_s + SL_ID_SKEW_S &&
            sl_id_filter_passes(&member->file->filters[SL_ID_TIMED], member->layers[SL_ID_TIMED],
                                print))
            asks[count++] = (struct sl_id_ask){member->file, print};
    }
    return count;
}

size_t sl_ids_probe(const struct sl_id_window *ids, struct sl_uuid id, struct sl_id_ask *asks)
{
    int64_t own_s;

    if (ids->set.count == 0)
        return 0;
    const uint64_t hash = sl_id_hash(id, ids->seed);
    if (!sl_id_time(id, &own_s))
        return probe_class(&ids->set, sl_id_print(hash, SL_ID_PLAIN), asks, 0);
    const size_t count = probe_timed(&ids->set, sl_id_print(hash, SL_ID_TIMED), own_s, asks);
    return probe_class(&ids->set, sl_id_print(hash, SL_ID_STRAY), asks, count);
}

void sl_ids_look_up(struct sl_id_window *ids, struct sl_id_lookup *lookup)
{
    lookup->message.reply_to = ids->options.owner;
    lookup->message.kind = ids->options.lookup_kind;
    sl_mailbox_post(ids->to_looker, &lookup->message);
}

bool sl_ids_has_print(const struct sl_id_window *ids, struct sl_uuid id, int64_t time_s,
                      uint64_t print)
{
    return sl_id_print(sl_id_hash(id, ids->seed), sl_id_classify(id, time_s)) == print;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void send(struct sl_id_window *ids, enum sl_id_work work)
{
    SL_ASSERT(has_files(ids) && !ids->job_out, "T1");
    ids->job.work = work;
    ids->job.user = ids->options.user;
    ids->job.message.reply_to = ids->options.owner;
    ids->job.message.kind = ids->options.job_kind;
    ids->job_out = true;
    sl_mailbox_post(ids->to_builder, &ids->job.message);
}

static void describe_log(struct sl_id_window *ids, struct sl_uuid log,
                         const struct sl_epoch *epochs, size_t epoch_count, uint64_t position)
{
    ids->job.log = log;
    ids->job.epochs = epochs;
    ids->job.epoch_count = epoch_count;
    ids->job.position = position;
}

void sl_ids_open_files(struct sl_id_window *ids, struct sl_uuid log, const struct sl_epoch *epochs,
                       size_t epoch_count, uint64_t position)
{
    describe_log(ids, log, epochs, epoch_count, position);
    send(ids, SL_ID_OPEN);
}

void sl_ids_cut_files(struct sl_id_window *ids, uint64_t cursor)
{
    ids->job.cursor = cursor;
    send(ids, SL_ID_CUT);
}

/* Takes full chunks of durable outcomes, about as many as a file is to have. */
static struct sl_id_chunk *take_chunks(struct sl_id_window *ids)
{
    struct sl_id_chunk *first = ids->chunks, *last = NULL;
    size_t count = 0;

    /* Asked in every turn, and mostly too early: then the chunks are not walked through. */
    if (!first || ids->durable < first->first + ids->flush_count)
        return NULL;
    for (struct sl_id_chunk *chunk = first; chunk && count < ids->flush_count;
         chunk = chunk->next) {
        if (chunk->count < SL_ID_CHUNK || chunk->first + chunk->count > ids->durable)
            return NULL;
        last = chunk;
        count += chunk->count;
    }
    if (!last || count < ids->flush_count)
        return NULL;
    ids->chunks = last->next;
    if (!ids->chunks)
        ids->last_chunk = NULL;
    last->next = NULL;
    return first;
}

void sl_ids_turn(struct sl_id_window *ids, struct sl_uuid log, const struct sl_epoch *epochs,
                 size_t epoch_count, uint64_t position)
{
    leave(ids, LEAVE_IN_TURN);
    if (!has_files(ids) || ids->job_out)
        return;
    /* L4: what a file knows is durable, so chunks wait until it is. */
    ids->job.chunks = take_chunks(ids);
    if (ids->job.chunks) {
        ids->job.follows = sl_id_set_end(&ids->set);
        describe_log(ids, log, epochs, epoch_count, position);
        send(ids, SL_ID_FLUSH);
    } else if (ids->set.count > 0) {
        const struct sl_id_head *oldest = &ids->set.members[0].file->head;
        if (oldest->newest_s >= kept_from_s(ids) && oldest->end > ids->past)
            return;
        ids->job.before_s = kept_from_s(ids);
        ids->job.cursor = ids->past;
        send(ids, SL_ID_EXPIRE);
    }
}

void sl_ids_changed(struct sl_id_window *ids, struct sl_id_change *change)
{
    ids->set = change->set;
    /* Memory is empty when files are opened: nothing has been hashed with another seed. */
    SL_ASSERT(ids->seed == ids->set.seed || ids->next == ids->first, "C1");
    ids->seed = ids->set.seed;
    sl_mailbox_post(ids->to_looker, &change->message);
}

void sl_ids_job_done(struct sl_id_window *ids, struct sl_id_job *job)
{
    SL_ASSERT(job == &ids->job && ids->job_out, "T1");
    ids->job_out = false;
    if (job->work == SL_ID_FLUSH)
        drop_chunks(ids, job->chunks);
    job->chunks = NULL;
}

uint64_t sl_ids_count(const struct sl_id_window *ids)
{
    const uint64_t from = ids->set.count > 0 ? ids->set.members[0].file->head.first : ids->first;
    return ids->next - from;
}
