/*
 * The write side and snapshots: when a state is kept, and when one that was kept is believed.
 *
 * Kept is an aggregate that rests, that is, all of whose events are durable (L4), and that has had
 * many events since it was last kept: when it is dropped for want of memory, when it has been read,
 * and now and then while it is in use.
 *
 * An aggregate is first read from the log; only if its history turns out to be long is the snapshot
 * asked for. So short histories, the most of them, cost one reading and no question.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "command/writer_parts.h"
#include "record/pack.h"

enum {
    EVENTS = 64,         /* a history is long from so many events on */
    IN_USE = 64, /* one that stays in memory is kept after so many times as many */
    BYTES_OUT_MAX = 8 << 20, /* of states on their way to the files; more are not kept */
};

struct sl_kept {
    struct sl_snapshot_put put; /* first: it is the message */
    struct sl_writer *writer;
    struct sl_kept *others, **link;
    size_t bytes;
    uint8_t memory[];
};

enum sl_err sl_writer_snapshots_init(struct sl_writer *writer, struct sl_error *error)
{
    const struct sl_snapshots_options options = {.env = writer->options.env,
                                                 .folder = writer->options.snapshots_folder,
                                                 .index_bytes =
                                                     writer->options.aggregate_memory_max / 16};

    writer->long_history =
        writer->options.snapshot_events ? writer->options.snapshot_events : EVENTS;
    if (!options.folder)
        return SL_OK;
    return sl_snapshots_start(&options, &writer->snapshots, error);
}

/* What a state means: its record, and the version of what evolves it. Few aggregates are known, and
 * each is described once. 0: no memory. */
static uint64_t digest_of(struct sl_writer *writer, const struct sl_aggregate *aggregate)
{
    struct sl_aggregate_digest *known = writer->digests;

    for (size_t i = 0; i < writer->digest_count; i++)
        if (known[i].aggregate == aggregate)
            return known[i].digest;
    known = realloc(known, (writer->digest_count + 1) * sizeof *known);
    if (!known)
        return 0;
    writer->digests = known;
    const uint64_t digest = sl_record_digest(aggregate->record) + aggregate->version;
    known[writer->digest_count++] = (struct sl_aggregate_digest){aggregate, digest};
    return digest;
}

/* ---- Keeping --------------------------------------------------------------------------------- */

void sl_writer_keep(struct sl_writer *writer, struct sl_held *held, uint32_t events)
{
    struct sl_buf *pack = &writer->scratch;

    if (!writer->snapshots || held->unkept < events || held->stage != SL_HELD_READY ||
        held->aggregate == &sl_tag_guards)
        return;
    /* L4: what it knows may be on its way to the disk, or be there without our having heard. */
    if (held->loaded > writer->log.durable)
        return;
    sl_buf_reset(pack);
    sl_pack(pack, held->aggregate->record, held->state);
    const uint64_t digest = digest_of(writer, held->aggregate);
    const size_t bytes = held->name.len + pack->len;
    if (pack->failed || digest == 0 || pack->len > SL_SNAPSHOT_STATE_MAX ||
        writer->kept_bytes + bytes > BYTES_OUT_MAX)
        return;
    struct sl_kept *kept = calloc(1, sizeof *kept + bytes);
    if (!kept)
        return;
    memcpy(kept->memory, held->name.ptr, held->name.len);
    if (pack->len > 0)
        memcpy(kept->memory + held->name.len, pack->ptr, pack->len);
    kept->put = (struct sl_snapshot_put){
        .message = {.reply_to = writer->options.mailbox, .kind = SL_WRITER_KEPT},
        .snapshot = {.name = {(const char *)kept->memory, held->name.len},
                     .log = writer->log.log,
                     .salt = writer->log.salt,
                     .position = held->loaded,
                     .revision = held->stream_count,
                     .digest = digest,
                     .state = {kept->memory + held->name.len, pack->len}}};
    kept->writer = writer;
    kept->bytes = bytes;
    kept->others = writer->kepts;
    kept->link = &writer->kepts;
    if (kept->others)
        kept->others->link = &kept->others;
    writer->kepts = kept;
    writer->kept_bytes += bytes;
    writer->numbers.snapshots_kept++;
    held->unkept = 0;
    sl_snapshots_put(writer->snapshots, &kept->put);
}

void sl_writer_keep_leaving(void *context, struct sl_held *held)
{
    struct sl_writer *writer = context;

    sl_writer_keep(writer, held, writer->long_history);
}

void sl_writer_keep_in_use(struct sl_writer *writer, struct sl_held *held)
{
    if (held->unkept >= IN_USE * writer->long_history)
        sl_writer_keep(writer, held, IN_USE * writer->long_history);
}

static void end_kept(struct sl_kept *kept)
{
    kept->writer->kept_bytes -= kept->bytes;
    *kept->link = kept->others;
    if (kept->others)
        kept->others->link = kept->link;
    free(kept);
}

void sl_writer_was_kept(struct sl_message *message)
{
    end_kept((struct sl_kept *)(void *)message);
}

/* ---- Believing ------------------------------------------------------------------------------- */

bool sl_writer_ask_snapshot(struct sl_load *load)
{
    struct sl_writer *writer = load->writer;

    if (!writer->snapshots || load->asked || load->held->aggregate == &sl_tag_guards)
        return false;
    load->asked = true;
    load->snapshot = (struct sl_load_snapshot){
        .get = {.message = {.reply_to = writer->options.mailbox, .kind = SL_WRITER_SNAPSHOT},
                .name = load->held->name,
                .log = writer->log.log},
        .load = load};
    writer->loads_out++;
    sl_snapshots_get(writer->snapshots, &load->snapshot.get);
    return true;
}

/* Is the place part of this log's history, and durable? (P9) */
static bool knows(const struct sl_writer *writer, uint64_t salt, uint64_t position)
{
    const struct sl_writer_log *log = &writer->log;

    for (size_t i = 0; i < log->epoch_count; i++)
        if (log->epochs[i].salt == salt)
            return position <= (i + 1 < log->epoch_count ? log->epochs[i + 1].first_position
                                                         : log->durable);
    return false;
}

/* Puts the snapshot in the state's place. SL_CONFLICT: it is not to be believed, or says less than
 * what was read already. */
static enum sl_err adopt(struct sl_writer *writer, struct sl_held *held,
                         struct sl_snapshot_get *get)
{
    const struct sl_snapshot *snapshot = &get->snapshot;
    const struct sl_record *record = held->aggregate->record;
    struct sl_error error = {0};

    if (!get->found || snapshot->position <= held->loaded ||
        snapshot->digest != digest_of(writer, held->aggregate) ||
        !knows(writer, snapshot->salt, snapshot->position))
        return SL_CONFLICT;
    void *state = sl_arena_zeroed(&get->arena, 1, record->size);
    if (!state)
        return SL_NO_MEMORY;
    if (sl_unpack(record, snapshot->state, &get->arena, state, &error) != SL_OK)
        return SL_CONFLICT;
    if (!sl_held_replace(&writer->aggregates, held, state))
        return SL_NO_MEMORY;
    held->loaded = snapshot->position;
    held->stream_count = snapshot->revision;
    held->unkept = 0;
    writer->numbers.snapshots_used++;
    return SL_OK;
}

void sl_writer_snapshot_came(struct sl_message *message)
{
    struct sl_load *load = ((struct sl_load_snapshot *)(void *)message)->load;
    struct sl_writer *writer = load->writer;
    struct sl_held *held = load->held;
    enum sl_err err = SL_OK;

    writer->loads_out--;
    if (!held->orphan)
        err = adopt(writer, held, &load->snapshot.get);
    sl_arena_close(&load->snapshot.get.arena);
    if (err == SL_CONFLICT)
        err = SL_OK; /* the log says it all, too */
    sl_writer_load_on(load, err);
}

void sl_writer_snapshots_close(struct sl_writer *writer)
{
    for (struct sl_kept *kept = writer->kepts, *next; kept; kept = next) {
        next = kept->others;
        end_kept(kept);
    }
    free(writer->digests);
    writer->digests = NULL;
}
