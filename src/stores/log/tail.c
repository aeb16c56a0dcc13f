#include "stores/log/tail.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Blocks at a segment's end that only claims may use, so that a disk that is full, where no
     * next segment can be made, can still be claimed and recovered. */
    RESERVE_BYTES = 4 * SL_LOG_BLOCK,
    /* So that a new log starts in milliseconds; the next are four times as large each, up to the
     * setting. */
    FIRST_SEGMENT_BYTES = 1 << 20,
    GROWTH = 4,
    KEYED_STEP = 4 << 20,
    UNSEALED_MAX = 8, /* full segments, before appends wait for the sealer */
    OWN_SEGMENT_BYTES = 4 << 20,   /* made by the writer itself when there is no spare */
    LEAST_WRITE_NS = 1000, /* from nothing, the usual write can still grow */
    NOTE_ENTRIES = 256,
};

enum sl_err sl_log_tail_init(struct sl_log_tail *tail, struct sl_error *error)
{
    if (sl_mailbox_new(NULL, NULL, &tail->notes) != SL_OK ||
        sl_mailbox_new(NULL, NULL, &tail->spares) != SL_OK)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the log's mailboxes");
    sl_log_batch_reset(&tail->batch);
    return SL_OK;
}

void sl_log_tail_close(struct sl_log_tail *tail)
{
    if (tail->file)
        sl_file_close(tail->file);
    tail->file = NULL;
    sl_log_note_free(tail->note);
    tail->note = NULL;
    if (tail->notes) {
        struct sl_message *message = sl_mailbox_take_all(tail->notes);
        while (message) {
            struct sl_message *next = message->next;
            sl_log_note_free((struct sl_log_note *)message);
            message = next;
        }
    }
    if (tail->spares)
        (void)sl_mailbox_take_all(tail->spares); /* part of the tail itself */
    sl_mailbox_free(tail->notes);
    sl_mailbox_free(tail->spares);
    tail->notes = tail->spares = NULL;
    sl_log_catalog_close(&tail->catalog);
    sl_log_batch_close(&tail->batch);
}

/* ---- Failure --------------------------------------------------------------------------------- */

/* Nothing is accepted until the next claim. A file whose write or sync failed is not written to
 * again: what its cache holds and what the disk holds may differ. */
static enum sl_append_result fail(struct sl_log_tail *tail, enum sl_append_result result,
                                  const struct sl_error *error)
{
    if (tail->failure == 0) {
        tail->failure = result;
        tail->error = *error;
    }
    if (result == SL_APPEND_UNKNOWN && tail->file) {
        sl_file_close(tail->file);
        tail->file = NULL;
    }
    tail->numbers.failed = true;
    return result;
}

/* ---- Segments -------------------------------------------------------------------------------- */

static uint64_t next_segment_bytes(const struct sl_log_tail *tail)
{
    uint64_t bytes = tail->end.segment_bytes * GROWTH;

    if (tail->keyed_bytes > 0 && bytes > tail->keyed_bytes)
        bytes = tail->keyed_bytes;
    return bytes < tail->segment_bytes_max ? bytes : tail->segment_bytes_max;
}

/* Where keys fill a segment before its bytes do, zeros behind them would be work for nothing: the
 * next ones are a quarter larger than what was used, in steps, so that they can be recycled. */
static uint64_t keyed_bytes(const struct sl_log_tail *tail)
{
    const uint64_t used = tail->end.offset;
    const uint64_t step = used > KEYED_STEP ? KEYED_STEP : SL_LOG_SEGMENT_BYTES_MIN;

    if (tail->end.keys < tail->segment_keys_max)
        return 0;
    return (used + used / 4 + step - 1) / step * step;
}

void sl_log_tail_want_spare(struct sl_log_tail *tail, bool is_there)
{
    tail->spare.bytes = next_segment_bytes(tail);
    if (is_there) {
        struct sl_error error = {0};
        char path[SL_LOG_PATH_MAX];
        struct sl_file *file;

        tail->spare_state = SL_LOG_SPARE_READY;
        sl_log_path(tail->folder, SL_LOG_SPARE, path);
        if (sl_disk_open(tail->folder->env, path, SL_OPEN_READ, &file, &error) == SL_OK) {
            const enum sl_err err = sl_file_size(file, &tail->spare.bytes, &error);
            sl_file_close(file);
            if (err == SL_OK && tail->spare.bytes % SL_LOG_BLOCK == 0 &&
                tail->spare.bytes >= SL_LOG_SEGMENT_BYTES_MIN)
                return;
        }
        tail->spare.bytes = next_segment_bytes(tail); /* the sealer's rename replaces it */
    }
    tail->spare_state = SL_LOG_SPARE_ASKED;
    tail->spare.error = (struct sl_error){0};
    tail->spare.message.reply_to = tail->spares;
    sl_log_sealer_prepare(tail->sealer, &tail->spare);
}

static void take_rolled(struct sl_log_tail *tail)
{
    tail->rolled_sent = false;
    tail->numbers.sealed = tail->rolled.sealed;
    tail->numbers.sealing_failed = tail->rolled.error.code != SL_OK;
}

/* Takes in what the sealer answered. */
static void hear_sealer(struct sl_log_tail *tail)
{
    struct sl_message *message = sl_mailbox_take_all(tail->spares);

    for (; message; message = message->next) {
        if (message == &tail->hurry)
            tail->hurry_sent = false;
        else if (message == &tail->rolled.message)
            take_rolled(tail);
        else
            tail->spare_state =
                tail->spare.err == SL_OK ? SL_LOG_SPARE_READY : SL_LOG_SPARE_NONE;
    }
}

static void ask_sealer(struct sl_log_tail *tail)
{
    if (tail->rolled_sent)
        hear_sealer(tail);
    if (tail->rolled_sent)
        return; /* the next commit tries again */
    tail->rolled_sent = true;
    tail->rolled_told = tail->rolled.full_below = tail->end.segment;
    tail->rolled.bytes = tail->filled_bytes;
    tail->rolled.message.reply_to = tail->spares;
    sl_log_sealer_rolled(tail->sealer, &tail->rolled);
}

void sl_log_tail_tell_sealer(struct sl_log_tail *tail)
{
    if (tail->rolled_told != tail->end.segment)
        ask_sealer(tail);
}

/* How long a segment waits for another one to be sealed: half a second, doubled with each segment
 * more that waits, so that what lies in memory of raw segments has a bound where the sealer is
 * slow; and no longer than half a minute, so that one that hangs does not hold up everything. */
static int64_t longest_wait_ns(const struct sl_log_tail *tail)
{
    const uint64_t ahead = tail->end.segment - tail->numbers.sealed - UNSEALED_MAX;

    return INT64_C(500000000) << (ahead - 1 < 6 ? ahead - 1 : 6);
}

static bool is_far_ahead(const struct sl_log_tail *tail)
{
    return tail->end.segment - tail->numbers.sealed > UNSEALED_MAX &&
           tail->numbers.sealed == tail->sealed_before && !tail->numbers.sealing_failed;
}

bool sl_log_tail_must_wait(struct sl_log_tail *tail)
{
    if (!tail->seals || !is_far_ahead(tail) ||
        (tail->end.offset < tail->end.segment_bytes / 4 * 3 &&
         tail->end.keys < tail->segment_keys_max / 4 * 3))
        return false;
    ask_sealer(tail); /* what it told last may be old */
    hear_sealer(tail);
    if (!is_far_ahead(tail))
        return false;
    SL_MARK("log: appends wait for the sealer");
    const int64_t now = sl_env_monotonic(tail->folder->env);
    if (tail->wait_since == 0)
        tail->wait_since = now;
    return now - tail->wait_since < longest_wait_ns(tail);
}

/* Is the segment as good as full, by what its index takes? Then the next begins as soon as a spare
 * is there. */
static bool has_many_keys(const struct sl_log_tail *tail)
{
    return tail->end.keys >= tail->segment_keys_max && tail->spare_state == SL_LOG_SPARE_READY;
}

/* Near the end of a segment whose successor isn't ready, the sealer need not be polite any more. */
static void hurry_sealer(struct sl_log_tail *tail)
{
    if (tail->spare_state == SL_LOG_SPARE_ASKED && tail->end.keys >= tail->segment_keys_max)
        hear_sealer(tail);
    if (tail->hurry_sent || tail->spare_state != SL_LOG_SPARE_ASKED ||
        (tail->end.offset < tail->end.segment_bytes / 4 * 3 &&
         tail->end.keys < tail->segment_keys_max / 4 * 3))
        return;
    tail->hurry_sent = true;
    tail->hurry.reply_to = tail->spares;
    sl_log_sealer_hurry(tail->sealer, &tail->hurry);
}

/* Begins the next segment, with room for a batch of `size` bytes. Nothing of the batch is
 * written. */
static enum sl_err roll(struct sl_log_tail *tail, uint64_t size, struct sl_error *error)
{
    const uint64_t need = SL_LOG_BLOCK + size + RESERVE_BYTES;
    struct sl_env *env = tail->folder->env;
    struct sl_file *file;

    hear_sealer(tail);
    const bool spare = tail->spare_state == SL_LOG_SPARE_READY && tail->spare.bytes >= need;
    uint64_t bytes = tail->spare.bytes;
    if (!spare) {
        SL_MARK("log: segment without a spare");
        bytes = next_segment_bytes(tail);
        if (bytes > OWN_SEGMENT_BYTES)
            bytes = OWN_SEGMENT_BYTES;
        if (bytes < need)
            bytes = need;
    }
    struct sl_log_segment_head head = {.log = tail->end.log,
                                       .number = tail->end.segment + 1,
                                       .bytes = bytes,
                                       .first_position = tail->end.position,
                                       .first_batch = tail->end.batch,
                                       .previous = tail->end.previous,
                                       .time = sl_env_now(env)};
    sl_env_random(env, &head.salt, sizeof head.salt);
    const enum sl_err err = sl_log_segment_begin(tail->folder, &head, spare, &file, error);
    if (err != SL_OK)
        return err;
    if (tail->file)
        sl_file_close(tail->file);
    tail->file = file;
    tail->keyed_bytes = keyed_bytes(tail);
    tail->filled_bytes = tail->end.offset;
    tail->end.segment = head.number;
    tail->end.segment_bytes = bytes;
    tail->end.salt = head.salt;
    tail->end.offset = tail->end.sure_offset = SL_LOG_BLOCK;
    tail->end.keys = 0;
    tail->sealed_before = tail->numbers.sealed;
    tail->wait_since = 0;
    tail->numbers.segments = head.number + 1;
    sl_log_tail_tell_sealer(tail);
    if (spare || tail->spare_state == SL_LOG_SPARE_NONE)
        sl_log_tail_want_spare(tail, false);
    return SL_OK;
}

enum sl_err sl_log_tail_create(struct sl_log_tail *tail, struct sl_error *error)
{
    struct sl_env *env = tail->folder->env;
    struct sl_log_segment_head head = {.log = sl_env_uuid(env), .time = sl_env_now(env)};

    head.bytes = tail->segment_bytes_max < FIRST_SEGMENT_BYTES ? tail->segment_bytes_max
                                                               : FIRST_SEGMENT_BYTES;
    sl_env_random(env, &head.salt, sizeof head.salt);
    const enum sl_err err = sl_log_segment_begin(tail->folder, &head, false, &tail->file, error);
    if (err != SL_OK)
        return err;
    tail->end = (struct sl_log_end){.log = head.log,
                                    .segment_bytes = head.bytes,
                                    .salt = head.salt,
                                    .offset = SL_LOG_BLOCK,
                                    .sure_offset = SL_LOG_BLOCK};
    tail->numbers.segments = 1;
    return SL_OK;
}

/* ---- Notes ----------------------------------------------------------------------------------- */

/* The note that the next batch goes into, with room for it: so that nothing can fail once the batch
 * is durable. */
static enum sl_err open_note(struct sl_log_tail *tail, size_t key_count, size_t schema_count)
{
    if (tail->note && tail->note->entry_count >= NOTE_ENTRIES)
        sl_log_tail_tell(tail);
    if (!tail->note) {
        struct sl_message *back = sl_mailbox_take_all(tail->notes);

        tail->note = (struct sl_log_note *)back;
        for (struct sl_message *next, *more = back ? back->next : NULL; more; more = next) {
            next = more->next;
            if (next)
                sl_log_note_free((struct sl_log_note *)more); /* many came at once: keep two */
            else
                sl_mailbox_post(tail->notes, more);
        }
    }
    if (!tail->note) {
        tail->note = calloc(1, sizeof *tail->note);
        if (!tail->note)
            return SL_NO_MEMORY;
    }
    return sl_log_note_reserve(tail->note, key_count, schema_count) ? SL_OK : SL_NO_MEMORY;
}

static void write_note(struct sl_log_note *note, const struct sl_log_entry *entry,
                       const uint64_t *keys, size_t key_count,
                       const struct sl_schema *const *schemas, size_t schema_count)
{
    note->entries[note->entry_count++] = *entry;
    if (key_count > 0)
        memcpy(note->keys.items + note->keys.count, keys, key_count * sizeof *keys);
    note->keys.count += key_count;
    for (size_t i = 0; i < schema_count; i++)
        note->schemas[note->schema_count++] = schemas[i];
}

struct sl_log_note *sl_log_tail_untold(const struct sl_log_tail *tail)
{
    return tail->note && tail->note->entry_count > 0 && !tail->unsettled ? tail->note : NULL;
}

void sl_log_tail_tell(struct sl_log_tail *tail)
{
    if (!sl_log_tail_untold(tail))
        return;
    tail->note->message.reply_to = tail->notes;
    sl_mailbox_post(tail->reader, &tail->note->message);
    tail->note = NULL;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void measure(struct sl_log_tail *tail, uint64_t took_ns, uint64_t bytes)
{
    struct sl_log_numbers *numbers = &tail->numbers;

    numbers->last_write_ns = took_ns;
    /* One that waited for somebody else's sync does not make writes slow: that shows only when many
     * in a row are. */
    const uint64_t most_ns = 2 * numbers->usual_write_ns + LEAST_WRITE_NS;
    if (numbers->writes > 0 && took_ns > most_ns)
        took_ns = most_ns;
    numbers->usual_write_ns = numbers->writes == 0
                                  ? took_ns
                                  : numbers->usual_write_ns - numbers->usual_write_ns / 8 +
                                        took_ns / 8;
    numbers->writes++;
    numbers->bytes += bytes;
}

/* The batch is durable: moves the end on and notes what the reader must know. */
static void advance(struct sl_log_tail *tail, const struct sl_log_batch_head *head)
{
    const struct sl_log_batch *batch = &tail->batch;
    struct sl_log_end *end = &tail->end;
    const struct sl_log_entry entry = {.first_position = end->position,
                                       .first_outcome = end->outcome,
                                       .outcome_latest = batch->outcome_latest,
                                       .event_count = batch->event_count,
                                       .outcome_count = batch->outcome_count,
                                       .segment = (uint32_t)end->segment,
                                       .block = (uint32_t)(end->offset / SL_LOG_BLOCK),
                                       .block_count = head->block_count,
                                       .frame_count = head->frame_count};

    write_note(tail->note, &entry, batch->keys.items, batch->keys.count, batch->schemas,
               batch->schema_count);
    for (size_t i = 0; i < batch->schema_count; i++)
        sl_log_catalog_publish(&tail->catalog, batch->schemas[i]);
    end->offset += (uint64_t)head->block_count * SL_LOG_BLOCK;
    end->sure_offset = end->offset;
    end->batch++;
    end->position += batch->event_count;
    end->outcome += batch->outcome_count;
    end->previous = head->checksum;
    end->keys += batch->keys.count;
    tail->numbers.position = end->position;
}

/* Writes the batch where there is room for it. FAILED: not a byte of it was written. */
static enum sl_append_result write_batch(struct sl_log_tail *tail, uint64_t epoch,
                                         uint64_t reserve, struct sl_error *error)
{
    struct sl_log_batch *batch = &tail->batch;
    struct sl_env *env = tail->folder->env;
    const uint64_t size = sl_log_batch_padded(batch);

    if (open_note(tail, batch->keys.count, batch->schema_count) != SL_OK) {
        (void)sl_fail(error, SL_NO_MEMORY, "no memory for the log's index");
        return SL_APPEND_FAILED;
    }
    if ((tail->end.offset + size + reserve > tail->end.segment_bytes || has_many_keys(tail)) &&
        roll(tail, size, error) != SL_OK)
        return SL_APPEND_FAILED;
    struct sl_log_batch_head head = {.salt = tail->end.salt,
                                     .number = tail->end.batch,
                                     .first_position = tail->end.position,
                                     .epoch = epoch,
                                     .previous = tail->end.previous,
                                     /* One write at a time: all before it is durable. */
                                     .durable_batches = tail->end.batch,
                                     .durable_through = tail->end.position,
                                     .time = sl_env_now(env)};
    sl_log_batch_pad(batch, &head);
    sl_log_batch_seal(&head, batch->bytes);
    const int64_t start = sl_env_monotonic(env);
    if (sl_file_write_durable(tail->file, tail->end.offset, batch->bytes, (size_t)size, error) !=
        SL_OK) {
        SL_MARK("log: failed sync");
        return SL_APPEND_UNKNOWN;
    }
    measure(tail, (uint64_t)(sl_env_monotonic(env) - start), size);
    advance(tail, &head);
    hurry_sealer(tail);
    sl_log_tail_tell_sealer(tail);
    return SL_APPEND_DURABLE;
}

/* ---- Appends --------------------------------------------------------------------------------- */

void sl_log_tail_begin(struct sl_log_tail *tail)
{
    sl_log_batch_reset(&tail->batch);
}

bool sl_log_tail_add(struct sl_log_tail *tail, struct sl_append *append)
{
    struct sl_error error = {0};

    if (append->epoch != tail->epoch || tail->epoch == 0) {
        append->result = SL_APPEND_FENCED;
        (void)sl_fail(&append->error, SL_FENCED, "epoch %llu is over: %llu reigns",
                      (unsigned long long)append->epoch, (unsigned long long)tail->epoch);
        return false;
    }
    if (tail->failure == 0) {
        const uint64_t expected = tail->end.position + tail->batch.event_count;

        if (append->position != expected)
            (void)sl_fail(&error, SL_CONFLICT, "an append at position %llu, the log's next is %llu",
                          (unsigned long long)append->position, (unsigned long long)expected);
        else
            (void)!sl_log_batch_add(&tail->batch, &tail->catalog, append, &error);
        if (error.code == SL_OK)
            return true;
        (void)fail(tail, SL_APPEND_FAILED, &error);
    }
    append->result = tail->failure;
    append->error = tail->error;
    return false;
}

enum sl_append_result sl_log_tail_commit(struct sl_log_tail *tail)
{
    struct sl_error error = {0};

    if (tail->batch.frame_count == 0)
        return SL_APPEND_DURABLE;
    const enum sl_append_result result =
        write_batch(tail, tail->epoch, RESERVE_BYTES, &error);
    return result == SL_APPEND_DURABLE ? result : fail(tail, result, &error);
}

bool sl_log_tail_has_room(const struct sl_log_tail *tail, size_t bytes_max)
{
    const uint64_t size = sl_log_batch_padded(&tail->batch);

    return size <= bytes_max && !has_many_keys(tail) &&
           tail->end.offset + size + RESERVE_BYTES <= tail->end.segment_bytes;
}

/* ---- Claims ---------------------------------------------------------------------------------- */

static enum sl_err learn(void *context, const struct sl_log_learned *learned)
{
    struct sl_log_tail *tail = context;
    const enum sl_err err = open_note(tail, learned->key_count, learned->schema_count);

    if (err == SL_OK)
        write_note(tail->note, &learned->entry, learned->keys, learned->key_count,
                   learned->schemas, learned->schema_count);
    return err;
}

/* What became of the batch whose write failed? The disk says. */
static enum sl_err reopen(struct sl_log_tail *tail, struct sl_error *error)
{
    struct sl_log_recovery recovery = {
        .folder = tail->folder, .catalog = &tail->catalog, .learn = learn, .context = tail};
    struct sl_log_listing listing;

    if (tail->file)
        sl_file_close(tail->file);
    tail->file = NULL;
    enum sl_err err = sl_log_folder_list(tail->folder, &listing, error);
    if (err != SL_OK)
        return err;
    if (listing.segment_count == 0 || listing.last < tail->end.segment)
        return sl_fail(error, SL_CORRUPT, "%s: segments are missing", tail->folder->path);
    recovery.last = listing.last;
    sl_log_tail_tell(tail);
    tail->unsettled = true;
    err = sl_log_recover(&recovery, &tail->end, &tail->file, error);
    if (err != SL_OK)
        return err;
    tail->numbers.position = tail->end.position;
    tail->numbers.segments = tail->end.segment + 1;
    tail->unsettled = false;
    tail->failure = 0;
    tail->numbers.failed = false;
    hear_sealer(tail);
    if (tail->spare_state != SL_LOG_SPARE_ASKED)
        sl_log_tail_want_spare(tail, listing.has_spare);
    sl_log_tail_tell_sealer(tail);
    return SL_OK;
}

static enum sl_err write_epoch(struct sl_log_tail *tail, const struct sl_epoch *epoch,
                               struct sl_error *error)
{
    sl_log_tail_begin(tail);
    enum sl_err err = sl_log_batch_add_epoch(&tail->batch, epoch, error);
    if (err != SL_OK)
        return err;
    /* Before the write: once it is durable, nothing may fail. */
    const size_t epoch_count = tail->catalog.epoch_count;
    err = sl_log_catalog_add_epoch(&tail->catalog, epoch);
    if (err != SL_OK)
        return sl_fail(error, err, "no memory for the log's epochs");
    const enum sl_append_result result = write_batch(tail, epoch->number, 0, error);
    if (result == SL_APPEND_DURABLE)
        return SL_OK;
    tail->catalog.epoch_count = epoch_count;
    (void)fail(tail, result, error);
    return error->code;
}

void sl_log_tail_claim(struct sl_log_tail *tail, struct sl_claim *claim)
{
    const struct sl_log_catalog *catalog = &tail->catalog;

    if (tail->failure != 0 || !tail->file)
        claim->err = reopen(tail, &claim->error);
    if (claim->err != SL_OK)
        return;
    const struct sl_epoch epoch = {
        .number = catalog->epoch_count > 0
                      ? catalog->epochs[catalog->epoch_count - 1].number + 1 : 1,
        .salt = claim->salt,
        .first_position = tail->end.position,
    };
    claim->err = write_epoch(tail, &epoch, &claim->error);
    if (claim->err != SL_OK)
        return;
    tail->epoch = tail->numbers.epoch = epoch.number;
    claim->log = tail->end.log;
    claim->epoch = epoch.number;
    claim->next_position = tail->end.position;
    claim->epochs = catalog->epochs;
    claim->epoch_count = catalog->epoch_count;
    claim->schemas = catalog->schemas;
    claim->schema_count = catalog->schema_count;
}
