/*
 * Scavenging a log, segment by segment.
 *
 * Sealed segments alone: what is raw is young, and is sealed when it is full. Each is read once to
 * see what is in it that may go; where nothing is, it stays as it is, to the byte. Else it is
 * written anew:
 *
 *   1. `…N.sealed.tmp` is written, packed as a sealing packs (packing.h), with stones in the place
 *      of what goes: blocks, index, the header last; then synced.
 *   2. It is renamed to `…N.sealed`, over the old one, and the folder synced.
 *
 * A crash before the rename is durable leaves the old segment, whole, and perhaps a .tmp, which the
 * next open or scavenge removes; after it, the new one. Both have the same batches, positions,
 * outcomes and keys, and the same checksum of the last batch, so the segments around them do not
 * change and any mixture of old and new ones is a log. A segment is never renamed that did not come
 * to the same ends as the old one.
 *
 * The log's lock is held throughout, so no server runs on it; who only reads (verify, backup) has
 * the old file open or the new one.
 *
 * A batch whose frames would become too large with their stones, because there were no bodies to
 * speak of, keeps its events.
 */
#include "stores/log/scavenge.h"

#include "stores/log/packing.h"
#include "stores/log/stone.h"

#include <stdlib.h>
#include <string.h>

enum { PROGRESS_BYTES = 4 << 20 };

struct work {
    struct sl_log_scavenge *scavenge;
    struct sl_error *error;
    struct sl_log_walk walk;
    struct sl_log_catalog catalog;
    uint64_t told;
    /* Of the segment at hand. */
    uint64_t going;       /* events that may go */
    uint64_t going_bytes; /* of their bodies */
    struct sl_log_packing packing;
    uint8_t *batch; /* one in the making */
    size_t batch_capacity;
};

static enum sl_err no_memory(const struct work *work)
{
    return sl_fail(work->error, SL_NO_MEMORY, "no memory to scavenge %s", work->walk.folder.path);
}

static enum sl_err damaged(struct work *work, const struct sl_log_seen *seen, const char *why)
{
    return sl_log_walk_damage(&work->walk, seen->segment, seen->offset, work->error, why);
}

/* ---- What may go ----------------------------------------------------------------------------- */

static enum sl_err learn_schema(struct work *work, const struct sl_log_seen *seen,
                                struct sl_slice payload)
{
    const struct sl_schema *copy;
    struct sl_schema schema;

    if (!sl_log_schema_read(payload, &schema))
        return damaged(work, seen, "a schema");
    const enum sl_err err = sl_log_catalog_prepare(&work->catalog, &schema, 0, &copy);
    if (err == SL_NO_MEMORY)
        return no_memory(work);
    if (err != SL_OK)
        return damaged(work, seen, "a schema that contradicts an earlier one");
    sl_log_catalog_publish(&work->catalog, copy);
    return SL_OK;
}

/* SL_OK: the event may go; SL_NOT_FOUND: it stays. */
static enum sl_err ask(struct work *work, const struct sl_log_seen *seen, uint64_t position,
                       const struct sl_log_frame *frame, struct sl_log_event *event)
{
    struct sl_log_scavenge *scavenge = work->scavenge;

    if (!sl_log_frame_event(frame, event))
        return damaged(work, seen, "an event");
    if (frame->kind == SL_LOG_STONE)
        return SL_NOT_FOUND;
    const struct sl_schema *schema = sl_log_catalog_schema(&work->catalog, event->schema);
    if (!schema)
        return damaged(work, seen, "an event without its schema");
    return scavenge->may_go(scavenge->context, schema, position, event) ? SL_OK : SL_NOT_FOUND;
}

/* ---- One batch ------------------------------------------------------------------------------- */

/* Looks through a batch: how much of it goes, and how large it is then. */
static enum sl_err survey(struct work *work, const struct sl_log_seen *seen, uint64_t *going,
                          size_t *bytes)
{
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen->bytes));
    uint64_t position = seen->head.first_position, body_bytes = 0;
    struct sl_log_frame frame;
    struct sl_log_event event;
    enum sl_err err;

    *going = 0;
    *bytes = SL_LOG_BATCH_HEAD;
    while ((err = sl_log_frame_next_any(&cursor, &frame)) == SL_OK) {
        *bytes += frame.whole.len;
        if (frame.kind == SL_LOG_SCHEMA)
            err = learn_schema(work, seen, frame.payload);
        else if (sl_log_has_position(&frame))
            err = ask(work, seen, position++, &frame, &event);
        else
            continue;
        if (err == SL_OK && frame.kind == SL_LOG_EVENT) {
            *bytes += SL_LOG_STONE_ROOM - event.body.len;
            body_bytes += event.body.len;
            (*going)++;
        } else if (err != SL_OK && err != SL_NOT_FOUND) {
            return err;
        }
    }
    if (err != SL_NOT_FOUND)
        return damaged(work, seen, "frames do not fit");
    if (*bytes > SL_LOG_BATCH_BYTES_MAX) {
        SL_MARK("log: too large for its stones");
        *going = 0;
    }
    if (*going > 0)
        work->going_bytes += body_bytes;
    return SL_OK;
}

static bool make_room(struct work *work, size_t bytes)
{
    if (work->batch_capacity >= bytes)
        return true;
    free(work->batch);
    work->batch = malloc(bytes);
    work->batch_capacity = work->batch ? bytes : 0;
    return work->batch != NULL;
}

/* Makes the batch anew in work->batch, with stones. */
static enum sl_err put_stones(struct work *work, const struct sl_log_seen *seen, size_t bytes_max,
                              struct sl_log_batch_head *out)
{
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen->bytes));
    uint64_t position = seen->head.first_position;
    struct sl_log_batch_head head = seen->head;
    struct sl_log_frame frame;
    struct sl_log_event event;
    size_t len = SL_LOG_BATCH_HEAD;

    const size_t capacity = (bytes_max + SL_LOG_BLOCK - 1) / SL_LOG_BLOCK * SL_LOG_BLOCK;
    if (!make_room(work, capacity))
        return no_memory(work);
    while (sl_log_frame_next_any(&cursor, &frame) == SL_OK) {
        enum sl_err err = SL_NOT_FOUND;
        if (sl_log_has_position(&frame))
            err = ask(work, seen, position++, &frame, &event);
        if (err == SL_OK) {
            len += sl_log_stone_write(work->batch + len, frame.payload, &event);
        } else if (err == SL_NOT_FOUND) {
            memcpy(work->batch + len, frame.whole.ptr, frame.whole.len);
            len += frame.whole.len;
        } else {
            return err;
        }
    }
    head.payload_bytes = (uint32_t)(len - SL_LOG_BATCH_HEAD);
    head.block_count = (uint32_t)((len + SL_LOG_BLOCK - 1) / SL_LOG_BLOCK);
    head.flags |= SL_LOG_SCAVENGED;
    memset(work->batch + len, 0, (size_t)head.block_count * SL_LOG_BLOCK - len);
    sl_log_batch_seal(&head, work->batch);
    head.kept = head.checksum;
    head.checksum = seen->head.checksum;
    *out = head;
    return SL_OK;
}

static enum sl_err pack_batch(struct work *work, const struct sl_log_seen *seen)
{
    struct sl_log_batch_head head = seen->head;
    const uint8_t *bytes = seen->bytes;
    struct sl_log_frame frame;
    uint64_t going;
    size_t bytes_max;

    enum sl_err err = survey(work, seen, &going, &bytes_max);
    if (err == SL_OK && going > 0) {
        err = put_stones(work, seen, bytes_max, &head);
        bytes = work->batch;
    }
    if (err == SL_OK)
        err = sl_log_packing_batch(&work->packing, &head, work->error);
    if (err != SL_OK)
        return err;
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(bytes));
    while (err == SL_OK && sl_log_frame_next_any(&cursor, &frame) == SL_OK)
        err = sl_log_packing_frame(&work->packing, &frame, work->error);
    if (err == SL_INVALID || (err == SL_OK && !sl_log_packing_end_batch(&work->packing)))
        return damaged(work, seen, "a batch is not what its head says");
    return err;
}

/* ---- One segment ----------------------------------------------------------------------------- */

static void tell(struct work *work)
{
    const struct sl_log_scavenge *scavenge = work->scavenge;

    if (scavenge->progress && work->walk.bytes_seen - work->told >= PROGRESS_BYTES) {
        work->told = work->walk.bytes_seen;
        scavenge->progress(scavenge->context, work->told);
    }
}

/* Goes through the batches of a sealed segment from its first one on: counts what goes, or packs
 * all of it anew. */
static enum sl_err each_batch(struct work *work, uint64_t number, bool packs)
{
    struct sl_log_walk *walk = &work->walk;
    struct sl_log_seen seen;
    uint64_t going;
    size_t bytes;

    enum sl_err err = sl_log_walk_start(walk, number, work->error);
    const uint64_t next_batch = walk->unseal.head.next_batch;
    if (err == SL_OK && packs)
        err = sl_log_packing_begin(&work->packing, &walk->folder, &walk->segment,
                                   walk->unseal.head.first_outcome, walk->path, work->error);
    work->going_bytes = 0;
    while (err == SL_OK && walk->batch < next_batch) {
        err = sl_log_walk_next(walk, &seen, work->error);
        if (err == SL_OK && packs) {
            err = pack_batch(work, &seen);
        } else if (err == SL_OK) {
            err = survey(work, &seen, &going, &bytes);
            work->going += going;
        }
        tell(work);
    }
    return err;
}

/* The new segment must end just as the old one does: else it is not given its name. */
static bool is_same(const struct sl_log_packing *packing, const struct sl_log_sealed_head *old,
                    uint64_t going)
{
    const struct sl_log_sealed_head *head = &packing->head;

    return packing->position == old->next_position && packing->outcome == old->next_outcome &&
           head->next_batch == old->next_batch && head->last == old->last &&
           head->outcome_latest.ns == old->outcome_latest.ns &&
           head->stones == old->stones + going;
}

static enum sl_err rewrite(struct work *work, uint64_t number)
{
    struct sl_log_scavenge *scavenge = work->scavenge;
    struct sl_log_packing *packing = &work->packing;

    enum sl_err err = each_batch(work, number, true);
    const struct sl_log_sealed_head old = work->walk.unseal.head;
    if (err == SL_OK && !is_same(packing, &old, work->going))
        err = sl_fail(work->error, SL_CORRUPT, "%s: with stones it would be another segment: it is "
                      "left as it is", work->walk.path);
    if (err == SL_OK)
        err = sl_log_packing_end(packing, work->error);
    while (err == SL_OK && packing->phase != SL_LOG_PACKING_DONE)
        err = sl_log_packing_step(packing, work->error);
    if (err == SL_OK) {
        SL_MARK("log: scavenged");
        scavenge->bytes_before += old.segment.bytes;
        scavenge->bytes_after += packing->head.segment.bytes;
    }
    sl_log_packing_close(packing);
    return err;
}

static enum sl_err do_segment(struct work *work, uint64_t number)
{
    struct sl_log_scavenge *scavenge = work->scavenge;

    work->going = 0;
    enum sl_err err = each_batch(work, number, false);
    if (err == SL_OK)
        scavenge->stones_before += work->walk.unseal.head.stones;
    if (err != SL_OK || work->going == 0)
        return err;
    const uint64_t body_bytes = work->going_bytes;
    if (!scavenge->dry_run)
        err = rewrite(work, number);
    if (err == SL_OK) {
        scavenge->rewritten++;
        scavenge->stones += work->going;
        scavenge->body_bytes += body_bytes;
    }
    return err;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static enum sl_err lock(const struct sl_log_folder *folder, struct sl_file **out,
                        struct sl_error *error)
{
    char path[SL_LOG_PATH_MAX];

    sl_log_path(folder, "lock", path);
    enum sl_err err =
        sl_disk_open(folder->env, path, SL_OPEN_WRITE | SL_OPEN_CREATE, out, error);
    if (err == SL_OK)
        err = sl_file_lock(*out, error);
    if (err == SL_BUSY)
        return sl_fail(error, err, "%s is open in another program: stop the server first",
                       folder->path);
    return err;
}

static enum sl_err each_segment(struct work *work)
{
    struct sl_log_scavenge *scavenge = work->scavenge;
    const struct sl_log_folder *folder = &work->walk.folder;
    struct sl_log_listing listing;

    enum sl_err err = sl_log_folder_list(folder, &listing, work->error);
    if (err != SL_OK)
        return err;
    /* What a crash left, as at open: a raw file beside the sealed one still has all bodies. */
    if (!scavenge->dry_run)
        err = sl_log_folder_sweep(folder, work->error);
    if (err == SL_OK && !scavenge->dry_run && listing.sealed_count > 0)
        err = sl_log_folder_drop_raw(folder, listing.sealed_last, work->error);
    if (err == SL_OK)
        err = sl_log_folder_list(folder, &listing, work->error);
    scavenge->sealed_segments = listing.sealed_count;
    scavenge->raw_segments = listing.segment_count;
    for (uint64_t number = 0; err == SL_OK && number < listing.sealed_count; number++)
        err = do_segment(work, number);
    if (err == SL_OK && listing.sealed_count > 0)
        scavenge->next_raw = work->walk.unseal.head.next_position;
    return err;
}

enum sl_err sl_log_scavenge(struct sl_log_scavenge *scavenge, struct sl_error *error)
{
    struct sl_error own = {0};
    struct work work = {.scavenge = scavenge, .error = error ? error : &own};
    struct sl_file *locked = NULL;

    enum sl_err err = sl_log_walk_open(&work.walk, scavenge->env, scavenge->path, work.error);
    if (err == SL_OK && !scavenge->dry_run)
        err = lock(&work.walk.folder, &locked, work.error);
    if (err == SL_OK)
        err = each_segment(&work);
    if (locked)
        sl_file_close(locked);
    sl_log_walk_close(&work.walk);
    sl_log_catalog_close(&work.catalog);
    free(work.batch);
    return err;
}
