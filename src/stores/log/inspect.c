#include "stores/log/inspect.h"

#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_BYTES = 1 << 20,
    /* Of a raw segment that is made out of a sealed one: for what comes next. Rounds up, too. */
    RAW_ROOM_BYTES = 2 * SL_LOG_SEGMENT_BYTES_MIN - 1,
};

enum sl_err sl_log_walk_damage(struct sl_log_walk *walk, uint64_t segment, uint64_t offset,
                               struct sl_error *error, const char *why)
{
    walk->torn_bytes = 0;
    walk->damage_segment = segment;
    walk->damage_offset = offset;
    if (walk->is_sealed && segment == walk->segment.number)
        sl_log_sealed_path(&walk->folder, segment, walk->damage_path);
    else
        sl_log_segment_path(&walk->folder, segment, walk->damage_path);
    return sl_fail(error, SL_CORRUPT, "%s: damaged at offset %llu (%s)", walk->damage_path,
                   (unsigned long long)offset, why);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void forget(struct sl_log_walk *walk)
{
    walk->window_len = 0;
}

/* `len` bytes at `offset`, valid until the next call. */
static enum sl_err look(struct sl_log_walk *walk, uint64_t offset, size_t len,
                        const uint8_t **out, struct sl_error *error)
{
    const size_t want = len > WINDOW_BYTES ? len : WINDOW_BYTES;
    size_t got;

    if (offset < walk->window_offset || offset + len > walk->window_offset + walk->window_len) {
        if (walk->window_capacity < want) {
            free(walk->window);
            walk->window_capacity = walk->window_len = 0;
            walk->window = aligned_alloc(SL_LOG_BLOCK, want);
            if (!walk->window)
                return sl_fail(error, SL_NO_MEMORY, "no memory to read %s", walk->path);
            walk->window_capacity = want;
        }
        forget(walk);
        const enum sl_err err = sl_file_read(walk->file, offset, walk->window, want, &got, error);
        if (err != SL_OK)
            return err;
        memset(walk->window + got, 0, want - got);
        walk->window_offset = offset;
        walk->window_len = want;
    }
    *out = walk->window + (offset - walk->window_offset);
    return SL_OK;
}

/* A batch of this segment at `offset` that is whole by itself; SL_NOT_FOUND. */
static enum sl_err whole_batch(struct sl_log_walk *walk, uint64_t offset, struct sl_log_seen *out,
                               struct sl_error *error)
{
    const uint64_t end = walk->segment.bytes;
    const uint8_t *bytes;

    if (offset > end || end - offset < SL_LOG_BLOCK)
        return SL_NOT_FOUND;
    enum sl_err err = look(walk, offset, SL_LOG_BLOCK, &bytes, error);
    if (err != SL_OK)
        return err;
    if (!sl_log_batch_peek(bytes, walk->segment.salt, &out->head))
        return SL_NOT_FOUND;
    const size_t len = (size_t)out->head.block_count * SL_LOG_BLOCK;
    if (end - offset < len)
        return SL_NOT_FOUND;
    err = look(walk, offset, len, &bytes, error);
    if (err != SL_OK)
        return err;
    if (!sl_log_batch_is_whole(&out->head, bytes))
        return SL_NOT_FOUND;
    out->segment = walk->segment.number;
    out->offset = offset;
    out->bytes = bytes;
    return SL_OK;
}

/* ---- Segments -------------------------------------------------------------------------------- */

static enum sl_err list(struct sl_log_walk *walk, struct sl_error *error)
{
    struct sl_log_listing listing;
    const enum sl_err err = sl_log_folder_list(&walk->folder, &listing, error);

    if (err != SL_OK)
        return err;
    walk->segment_count = listing.segment_count + listing.sealed_count;
    walk->first = listing.segment_count > 0 ? listing.first : listing.sealed_first;
    walk->last = listing.segment_count > 0 ? listing.last : listing.sealed_last;
    if (listing.sealed_count > 0 && listing.sealed_first < walk->first)
        walk->first = listing.sealed_first;
    if (listing.sealed_count > 0 && listing.sealed_last > walk->last)
        walk->last = listing.sealed_last;
    /* A raw file may lie beside the sealed one that took its place. */
    if (walk->segment_count > walk->last - walk->first + 1)
        walk->segment_count = walk->last - walk->first + 1;
    return SL_OK;
}

/* A segment that was opened. */
struct opened {
    struct sl_log_sealed_head sealed; /* or its `segment` alone */
    bool is_sealed;
    struct sl_file *file;
};

static bool exists(const struct sl_log_walk *walk, uint64_t number, bool sealed)
{
    struct sl_error ignored = {0};
    char path[SL_LOG_PATH_MAX];
    struct sl_file *file;

    if (sealed)
        sl_log_sealed_path(&walk->folder, number, path);
    else
        sl_log_segment_path(&walk->folder, number, path);
    if (sl_disk_open(walk->folder.env, path, SL_OPEN_READ, &file, &ignored) != SL_OK)
        return false;
    sl_file_close(file);
    return true;
}

/* The sealed file where there is one. A writer may seal the raw one just now. */
static enum sl_err open_segment(struct sl_log_walk *walk, uint64_t number, struct opened *out,
                                struct sl_error *error)
{
    enum sl_err err;

    *out = (struct opened){0};
    out->is_sealed = exists(walk, number, true) ||
                     (!exists(walk, number, false) && exists(walk, number, true));
    if (out->is_sealed)
        err = sl_log_sealed_open(&walk->folder, number, &out->sealed, &out->file, error);
    else
        err = sl_log_segment_open(&walk->folder, number, SL_OPEN_READ, &out->sealed.segment,
                                  &out->file, error);
    if (err == SL_CORRUPT) {
        walk->damage_segment = number;
        walk->damage_offset = 0;
        if (out->is_sealed)
            sl_log_sealed_path(&walk->folder, number, walk->damage_path);
        else
            sl_log_segment_path(&walk->folder, number, walk->damage_path);
    }
    return err;
}

static enum sl_err unseal_damage(struct sl_log_walk *walk, struct sl_error *error)
{
    return sl_log_walk_damage(walk, walk->segment.number, walk->unseal.block, error,
                              walk->unseal.why);
}

static enum sl_err stand_in(struct sl_log_walk *walk, const struct opened *opened,
                            struct sl_error *error)
{
    const struct sl_log_segment_head *head = &opened->sealed.segment;

    sl_file_close(walk->file);
    walk->file = opened->file;
    walk->segment = *head;
    walk->is_sealed = opened->is_sealed;
    walk->raw_bytes_full = head->bytes;
    walk->offset = SL_LOG_BLOCK;
    forget(walk);
    /* A header is written when all before it is durable. */
    if (head->first_batch > walk->durable_batches)
        walk->durable_batches = head->first_batch;
    if (head->first_position > walk->durable_through)
        walk->durable_through = head->first_position;
    enum sl_err err = sl_file_size(opened->file, &walk->file_bytes, error);
    if (!walk->is_sealed) {
        sl_log_segment_path(&walk->folder, head->number, walk->path);
        return err;
    }
    sl_log_sealed_path(&walk->folder, head->number, walk->path);
    walk->raw_bytes_full = (opened->sealed.raw_bytes + SL_LOG_BLOCK + RAW_ROOM_BYTES) /
                           SL_LOG_SEGMENT_BYTES_MIN * SL_LOG_SEGMENT_BYTES_MIN;
    sl_log_unseal_begin(&walk->unseal, &opened->sealed, walk->file, walk->path);
    if (err == SL_OK && walk->checks_pages)
        err = sl_log_unseal_check_pages(&walk->unseal, error);
    return err == SL_CORRUPT ? unseal_damage(walk, error) : err;
}

enum sl_err sl_log_walk_start(struct sl_log_walk *walk, uint64_t segment, struct sl_error *error)
{
    struct opened opened;

    const enum sl_err err = open_segment(walk, segment, &opened, error);
    if (err != SL_OK)
        return err;
    const struct sl_log_segment_head *head = &opened.sealed.segment;
    if (segment == 0 && (head->first_batch != 0 || head->first_position != 0)) {
        sl_file_close(opened.file);
        return sl_log_walk_damage(walk, 0, 0, error, "batches are missing");
    }
    walk->batch = head->first_batch;
    walk->position = head->first_position;
    walk->previous = head->previous;
    walk->durable_batches = walk->durable_through = 0;
    return stand_in(walk, &opened, error);
}

enum sl_err sl_log_walk_open(struct sl_log_walk *walk, struct sl_env *env, const char *path,
                             struct sl_error *error)
{
    walk->folder.env = env;
    walk->until.ns = INT64_MAX;
    if (strlen(path) >= sizeof walk->folder.path)
        return sl_fail(error, SL_LIMIT, "the log's folder has too long a name");
    memcpy(walk->folder.path, path, strlen(path) + 1);
    const enum sl_err err = list(walk, error);
    if (err != SL_OK && err != SL_NOT_FOUND)
        return err;
    if (err == SL_NOT_FOUND || walk->segment_count == 0)
        return sl_fail(error, SL_NOT_FOUND, "%s holds no log", path);
    return sl_log_walk_start(walk, 0, error);
}

/* Goes on in the next segment, which is there. What lay before it was read after that was known. */
static enum sl_err enter_next(struct sl_log_walk *walk, struct sl_error *error)
{
    struct opened opened;

    const enum sl_err err = open_segment(walk, walk->segment.number + 1, &opened, error);
    if (err != SL_OK)
        return err;
    const struct sl_log_segment_head *head = &opened.sealed.segment;
    const char *why = NULL;
    uint64_t segment = walk->segment.number;
    uint64_t offset = walk->offset;
    if (!sl_uuid_equals(head->log, walk->segment.log)) {
        why = "it belongs to another log: put the right file there";
        segment = head->number;
        offset = 0;
    } else if (head->first_batch != walk->batch || head->first_position != walk->position ||
               head->previous != walk->previous) {
        why = "batches are missing that the next segment follows";
    }
    if (why) {
        sl_file_close(opened.file);
        return sl_log_walk_damage(walk, segment, offset, error, why);
    }
    return stand_in(walk, &opened, error);
}

/* ---- The end --------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, SL_LOG_BLOCK - 1) == 0;
}

static void trust(struct sl_log_walk *walk, const struct sl_log_batch_head *head)
{
    if (head->durable_batches > walk->durable_batches)
        walk->durable_batches = head->durable_batches;
    if (head->durable_through > walk->durable_through)
        walk->durable_through = head->durable_through;
}

/* Looks behind the chain's end for proofs of what was durable, and for what a torn write left. */
static enum sl_err look_behind(struct sl_log_walk *walk, struct sl_error *error)
{
    struct sl_log_seen seen;
    const uint8_t *block;

    walk->torn_bytes = 0;
    for (uint64_t at = walk->offset;
         at < walk->file_bytes && walk->segment.bytes - at >= SL_LOG_BLOCK;) {
        enum sl_err err = look(walk, at, SL_LOG_BLOCK, &block, error);
        if (err != SL_OK)
            return err;
        uint64_t next = at + SL_LOG_BLOCK;
        if (!is_zero(block)) {
            err = whole_batch(walk, at, &seen, error);
            if (err == SL_OK) {
                trust(walk, &seen.head);
                next = at + (uint64_t)seen.head.block_count * SL_LOG_BLOCK;
            } else if (err != SL_NOT_FOUND) {
                return err;
            }
            walk->torn_bytes = next - walk->offset;
        }
        at = next;
    }
    return SL_OK;
}

static bool is_promised(const struct sl_log_walk *walk)
{
    return walk->durable_batches > walk->batch || walk->durable_through > walk->position;
}

/* The next batch of a sealed segment; SL_NOT_FOUND. */
static enum sl_err unsealed(struct sl_log_walk *walk, struct sl_log_seen *out,
                            struct sl_error *error)
{
    out->head = (struct sl_log_batch_head){.number = walk->batch,
                                           .first_position = walk->position,
                                           .previous = walk->previous,
                                           .salt = walk->segment.salt};
    const enum sl_err err = sl_log_unseal_next(&walk->unseal, out, error);
    walk->offset = walk->unseal.block;
    return err == SL_CORRUPT ? unseal_damage(walk, error) : err;
}

/* The batch that continues the chain; SL_NOT_FOUND. */
static enum sl_err continuation(struct sl_log_walk *walk, struct sl_log_seen *out,
                                struct sl_error *error)
{
    if (walk->is_sealed)
        return unsealed(walk, out, error);
    const enum sl_err err = whole_batch(walk, walk->offset, out, error);

    if (err == SL_OK && (out->head.number != walk->batch ||
                         out->head.first_position != walk->position ||
                         out->head.previous != walk->previous))
        return SL_NOT_FOUND;
    return err;
}

static enum sl_err hand_out(struct sl_log_walk *walk, const struct sl_log_seen *seen,
                            struct sl_error *error)
{
    const uint64_t bytes = (uint64_t)seen->head.block_count * SL_LOG_BLOCK;

    walk->torn_bytes = 0;
    if (seen->head.time.ns > walk->until.ns)
        return SL_NOT_FOUND;
    if ((seen->head.flags & ~(walk->is_sealed ? SL_LOG_SCAVENGED : 0u)) != 0)
        return sl_fail(error, SL_UNSUPPORTED, "%s: the batch at offset %llu has flags that this "
                       "program does not know: use a newer one", walk->path,
                       (unsigned long long)walk->offset);
    trust(walk, &seen->head);
    if (!walk->is_sealed)
        walk->offset += bytes;
    walk->batch++;
    walk->position += seen->head.event_count;
    walk->previous = seen->head.checksum;
    walk->batches_seen++;
    walk->bytes_seen += bytes;
    return SL_OK;
}

static enum sl_err enter_and_go_on(struct sl_log_walk *walk, struct sl_log_seen *out,
                                   struct sl_error *error)
{
    const enum sl_err err = enter_next(walk, error);

    return err == SL_OK ? sl_log_walk_next(walk, out, error) : err;
}

/* The segment was sealed while its raw file was read, which then became zeros: goes on at the same
 * batch in the sealed one. */
static enum sl_err change_over(struct sl_log_walk *walk, struct sl_log_seen *out,
                               struct sl_error *error)
{
    const uint64_t batch = walk->batch, position = walk->position, previous = walk->previous;
    struct opened opened;

    SL_MARK("log: sealed under a walk");
    enum sl_err err = open_segment(walk, walk->segment.number, &opened, error);
    if (err != SL_OK)
        return err;
    walk->batch = opened.sealed.segment.first_batch;
    walk->position = opened.sealed.segment.first_position;
    walk->previous = opened.sealed.segment.previous;
    err = stand_in(walk, &opened, error);
    while (err == SL_OK && walk->batch < batch) {
        err = unsealed(walk, out, error);
        if (err == SL_OK) {
            walk->batch++;
            walk->position += out->head.event_count;
            walk->previous = out->head.checksum;
        }
    }
    if (err == SL_OK && (walk->position != position || walk->previous != previous))
        return sl_log_walk_damage(walk, walk->segment.number, walk->offset, error,
                                  "the sealed segment is another one than the raw");
    return err == SL_OK ? sl_log_walk_next(walk, out, error) : err;
}

/* A segment is sealed when its successor has begun, so a sealed one is never a log's last: what was
 * written behind it may have been acknowledged (L3), and nothing here says how much it was. */
static enum sl_err successor_missing(struct sl_log_walk *walk, struct sl_error *error)
{
    SL_MARK("log: nothing behind a sealed segment");
    return sl_log_walk_damage(walk, walk->segment.number, walk->offset, error,
                              "the segment behind it is missing");
}

/* Nothing continues the chain in this segment, as it was read before anything that follows was
 * asked: asks, reads once more, and only then believes it. */
static enum sl_err conclude(struct sl_log_walk *walk, struct sl_log_seen *out,
                            struct sl_error *error)
{
    enum sl_err err = list(walk, error);

    if (err != SL_OK)
        return err;
    const bool is_last = walk->segment.number >= walk->last;
    if (walk->is_sealed)
        return is_last ? successor_missing(walk, error) : enter_and_go_on(walk, out, error);
    if (is_last) {
        forget(walk);
        err = look_behind(walk, error);
        if (err != SL_OK)
            return err;
    }
    forget(walk);
    err = continuation(walk, out, error);
    if (err == SL_OK)
        return hand_out(walk, out, error);
    if (err != SL_NOT_FOUND)
        return err;
    if (!is_last && exists(walk, walk->segment.number, true))
        return change_over(walk, out, error);
    if (!is_last)
        return enter_and_go_on(walk, out, error);
    /* Was it still the last one when it was read? If not, it may be sealed and empty by now. */
    err = list(walk, error);
    if (err != SL_OK)
        return err;
    if (walk->segment.number < walk->last) {
        SL_MARK("log: a segment began under a walk");
        return conclude(walk, out, error);
    }
    if (is_promised(walk))
        return sl_log_walk_damage(walk, walk->segment.number, walk->offset, error,
                                  "an acknowledged batch");
    return SL_NOT_FOUND;
}

enum sl_err sl_log_walk_next(struct sl_log_walk *walk, struct sl_log_seen *out,
                             struct sl_error *error)
{
    walk->torn_bytes = 0;
    const enum sl_err err = continuation(walk, out, error);
    if (err == SL_OK)
        return hand_out(walk, out, error);
    return err == SL_NOT_FOUND ? conclude(walk, out, error) : err;
}

enum sl_err sl_log_walk_search(struct sl_log_walk *walk, uint64_t *offset, struct sl_log_seen *out,
                               struct sl_error *error)
{
    for (; *offset < walk->file_bytes; *offset += SL_LOG_BLOCK) {
        const enum sl_err err = whole_batch(walk, *offset, out, error);
        if (err == SL_OK)
            *offset += (uint64_t)out->head.block_count * SL_LOG_BLOCK;
        if (err != SL_NOT_FOUND)
            return err;
    }
    return SL_NOT_FOUND;
}

void sl_log_walk_close(struct sl_log_walk *walk)
{
    sl_file_close(walk->file);
    sl_log_unseal_close(&walk->unseal);
    free(walk->window);
    walk->file = NULL;
    walk->window = NULL;
    walk->window_capacity = walk->window_len = 0;
}

const char *sl_log_frame_name(uint8_t kind)
{
    static const char *const names[] = {
        [SL_LOG_EVENT] = "event",         [SL_LOG_OUTCOME] = "outcome",
        [SL_LOG_SCHEMA] = "schema",       [SL_LOG_EPOCH] = "epoch",
        [SL_LOG_ENCRYPTED] = "encrypted", [SL_LOG_STONE] = "stone",
        [SL_LOG_PROGRESS] = "progress",   [SL_LOG_BATCH] = "batch",
    };

    return kind < sizeof names / sizeof *names ? names[kind] : NULL;
}
