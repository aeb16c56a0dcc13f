#include "stores/log/log_store.h"

#include "stores/log/reader.h"
#include "stores/log/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INLINE_BYTES_MAX = 32 << 10,
    INLINE_NS_MAX = 500000, /* the usual write must be shorter */
    KEY_BYTES = 48, /* of a raw segment's index, for each word of keys, at most */
};

static const uint64_t segment_bytes_default = UINT64_C(64) << 20;
static const uint64_t segment_bytes_max = UINT64_C(1) << 40;
static const uint64_t index_memory_default = UINT64_C(64) << 20;
static const uint64_t index_memory_min = UINT64_C(256) << 10;
static const uint64_t index_memory_max = UINT64_C(1) << 40;

struct log_store {
    struct sl_event_store store;
    struct sl_log_folder folder;
    struct sl_file *lock; /* held while open: one process has the log */
    bool seals;
    uint64_t sealed, sealed_outcomes; /* at open */
    struct sl_log_sealer *sealer;
    struct sl_log_reader reader;
    struct sl_log_writer writer;
};

static struct log_store *log_of(struct sl_event_store *store)
{
    return (struct log_store *)store;
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* A plain number of bytes; `*out` keeps the default where it is not given. */
static enum sl_err read_bytes(const struct sl_store_options *options, const char *key,
                              uint64_t min, uint64_t max, uint64_t *out, struct sl_error *error)
{
    const char *text = options->setting(options->context, key);
    char *end;

    if (!text)
        return SL_OK;
    const unsigned long long bytes = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || bytes < min || bytes > max)
        return sl_fail(error, SL_INVALID, "%s = %s: must be a number of bytes from %llu to %llu",
                       key, text, (unsigned long long)min, (unsigned long long)max);
    *out = bytes;
    return SL_OK;
}

static enum sl_err read_settings(struct log_store *log, const struct sl_store_options *options,
                                 struct sl_error *error)
{
    const char *seal = options->setting(options->context, "seal");
    uint64_t bytes = segment_bytes_default, memory = index_memory_default;

    if (strlen(options->location) >= sizeof log->folder.path)
        return sl_fail(error, SL_LIMIT, "the log's folder has too long a name");
    memcpy(log->folder.path, options->location, strlen(options->location) + 1);
    if (seal && strcmp(seal, "yes") != 0 && strcmp(seal, "no") != 0)
        return sl_fail(error, SL_INVALID, "seal = %s: must be yes or no", seal);
    log->seals = !seal || strcmp(seal, "yes") == 0;
    enum sl_err err = read_bytes(options, "segment_bytes", SL_LOG_SEGMENT_BYTES_MIN,
                                 segment_bytes_max, &bytes, error);
    if (err == SL_OK)
        err = read_bytes(options, "index_memory", index_memory_min, index_memory_max, &memory,
                         error);
    if (err != SL_OK)
        return err;
    log->writer.tail.seals = log->seals;
    log->writer.tail.segment_bytes_max = bytes / SL_LOG_BLOCK * SL_LOG_BLOCK;
    /* Half for sealed segments, half for raw ones, of which there are two most of the time: one
     * that fills and one that is being sealed. */
    log->writer.tail.segment_keys_max = log->seals ? memory / 4 / KEY_BYTES : UINT64_MAX;
    return sl_log_reader_init(&log->reader, &log->folder, memory / 2);
}

static enum sl_err lock_folder(struct log_store *log, struct sl_error *error)
{
    char path[SL_LOG_PATH_MAX];

    enum sl_err err = sl_disk_make_folder(log->folder.env, log->folder.path, error);
    if (err != SL_OK)
        return err;
    sl_log_path(&log->folder, "lock", path);
    err = sl_disk_open(log->folder.env, path, SL_OPEN_WRITE | SL_OPEN_CREATE, &log->lock, error);
    if (err == SL_OK)
        err = sl_file_lock(log->lock, error);
    if (err == SL_BUSY)
        return sl_fail(error, SL_BUSY, "the log %s is open in another process: stop that one, or "
                       "give this one another folder", log->folder.path);
    return err;
}

static enum sl_err learn(void *context, const struct sl_log_learned *learned)
{
    struct log_store *log = context;

    log->writer.tail.numbers.bytes += (uint64_t)learned->entry.block_count * SL_LOG_BLOCK;
    return sl_log_reader_learn(&log->reader, &learned->entry, learned->keys, learned->key_count,
                               learned->schemas, learned->schema_count);
}

static enum sl_err shelve(void *context, const struct sl_log_sealed_head *head,
                          const struct sl_schema *const *schemas, size_t schema_count)
{
    struct log_store *log = context;

    log->writer.tail.numbers.bytes += head->raw_bytes;
    return sl_log_reader_learn_sealed(&log->reader, head, schemas, schema_count);
}

/* What lies in the folder, without what unfinished work left. Sealed segments come first and raw
 * ones behind them, none missing. */
static enum sl_err look(struct log_store *log, struct sl_log_listing *out, struct sl_error *error)
{
    const char *path = log->folder.path;

    enum sl_err err = sl_log_folder_sweep(&log->folder, error);
    if (err == SL_OK)
        err = sl_log_folder_list(&log->folder, out, error);
    if (err == SL_OK && out->sealed_count > 0 &&
        (out->sealed_first != 0 || out->sealed_last + 1 != out->sealed_count))
        return sl_fail(error, SL_CORRUPT, "%s: there are %llu sealed segments, the last is number "
                       "%llu: restore those that are missing from a backup", path,
                       (unsigned long long)out->sealed_count,
                       (unsigned long long)out->sealed_last);
    return err;
}

/* Those that are sealed need their raw file no more. */
static enum sl_err look_at_raw(struct log_store *log, struct sl_log_listing *out,
                               struct sl_error *error)
{
    const uint64_t sealed = out->sealed_count;
    enum sl_err err = SL_OK;

    if (sealed > 0 && out->segment_count > 0 && out->first < sealed)
        err = sl_log_folder_drop_raw(&log->folder, sealed - 1, error);
    if (err == SL_OK)
        err = sl_log_folder_list(&log->folder, out, error);
    /* Not to be mended with an empty one: a segment is sealed when its successor has begun, and
     * what that one held may have been acknowledged (L3). */
    if (err == SL_OK && out->segment_count == 0)
        return sl_fail(error, SL_CORRUPT, "%s: segment %llu is missing, the one that was written "
                       "to last: put it back, or restore a backup", log->folder.path,
                       (unsigned long long)sealed);
    if (err == SL_OK && (out->first != sealed ||
                         out->last - out->first + 1 != out->segment_count))
        return sl_fail(error, SL_CORRUPT, "%s: there are %llu segments behind %llu sealed ones, "
                       "the last is number %llu: restore those that are missing from a backup",
                       log->folder.path, (unsigned long long)out->segment_count,
                       (unsigned long long)sealed, (unsigned long long)out->last);
    return err;
}

static enum sl_err recover(struct log_store *log, bool *has_spare, struct sl_error *error)
{
    struct sl_log_tail *tail = &log->writer.tail;
    struct sl_log_recovery recovery = {.folder = &log->folder, .catalog = &tail->catalog,
                                       .learn = learn, .shelve = shelve, .context = log};
    struct sl_log_listing listing;

    enum sl_err err = look(log, &listing, error);
    if (err != SL_OK)
        return err;
    *has_spare = listing.has_spare;
    if (listing.segment_count + listing.sealed_count == 0)
        return sl_log_tail_create(tail, error);
    err = sl_log_recover_sealed(&recovery, listing.sealed_count, &tail->end, error);
    if (err == SL_OK)
        err = look_at_raw(log, &listing, error);
    if (err != SL_OK)
        return err;
    log->sealed = listing.sealed_count;
    log->sealed_outcomes = tail->end.outcome;
    recovery.last = listing.last;
    err = sl_log_recover(&recovery, &tail->end, &tail->file, error);
    tail->numbers.position = tail->end.position;
    tail->numbers.segments = listing.last + 1;
    tail->numbers.sealed = listing.sealed_count;
    return err;
}

static enum sl_err start_sealer(struct log_store *log, struct sl_error *error)
{
    const struct sl_log_sealer_options options = {
        .folder = &log->folder,
        .reader = log->reader.mailbox,
        .seals = log->seals,
        .sealed = log->sealed,
        .outcomes = log->sealed_outcomes,
    };

    return sl_log_sealer_start(&options, &log->sealer, error);
}

static void release(struct log_store *log)
{
    /* In the order in which messages flow: whoever still sends goes before who receives. */
    sl_log_writer_stop(&log->writer);
    sl_log_sealer_stop(log->sealer);
    sl_log_reader_close(&log->reader);
    sl_log_sealer_free(log->sealer);
    sl_log_tail_close(&log->writer.tail);
    if (log->lock)
        sl_file_close(log->lock);
    free(log);
}

/* Whoever meets damage is told the exact command, at the cost of the message's own end. */
static void name_salvage(const struct log_store *log, struct sl_error *error)
{
    char hint[sizeof error->message];
    const int len = snprintf(hint, sizeof hint, "; or save what is whole: sluice log salvage %s "
                             "--to DIR", log->folder.path);

    if (!error || len < 0 || (size_t)len >= sizeof hint)
        return;
    const size_t room = sizeof error->message - 1 - (size_t)len;
    const size_t kept = strlen(error->message) < room ? strlen(error->message) : room;
    memcpy(error->message + kept, hint, (size_t)len + 1);
}

static enum sl_err log_open(struct sl_env *env, const struct sl_store_options *options,
                            struct sl_event_store **out, struct sl_error *error)
{
    struct log_store *log = calloc(1, sizeof *log);
    bool has_spare = false;

    if (!log)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the log");
    struct sl_log_tail *tail = &log->writer.tail;
    log->store.ops = &sl_log_store_ops;
    log->folder.env = env;
    tail->folder = &log->folder;
    enum sl_err err = read_settings(log, options, error);
    if (err == SL_OK)
        err = lock_folder(log, error);
    if (err == SL_OK)
        err = sl_log_tail_init(tail, error);
    if (err == SL_OK)
        err = recover(log, &has_spare, error);
    if (err == SL_OK)
        err = sl_log_reader_start(&log->reader, env, error);
    if (err == SL_OK)
        err = start_sealer(log, error);
    if (err == SL_OK) {
        tail->sealer = log->sealer;
        tail->reader = log->reader.mailbox;
        sl_log_tail_want_spare(tail, has_spare);
        sl_log_tail_tell_sealer(tail);
        err = sl_log_writer_start(&log->writer, env, error);
    }
    if (err == SL_CORRUPT)
        name_salvage(log, error);
    if (err != SL_OK) {
        release(log);
        return err;
    }
    *out = &log->store;
    return SL_OK;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void log_claim(struct sl_event_store *store, struct sl_claim *claim)
{
    sl_log_writer_claim(&log_of(store)->writer, claim);
}

/* On the caller's thread, when that costs it less than handing over: nothing is under way, the
 * batch is small, writes are quick, and no segment must be begun. */
static bool append_here(struct log_store *log, struct sl_append *append)
{
    if (!(append->flags & SL_APPEND_MAY_BLOCK) || append->bytes > INLINE_BYTES_MAX)
        return false;
    struct sl_log_tail *tail = sl_log_writer_tail(&log->writer);
    if (!tail || tail->numbers.usual_write_ns >= INLINE_NS_MAX)
        return false;
    sl_log_tail_begin(tail);
    if (!sl_log_tail_add(tail, append))
        return true;
    if (!sl_log_tail_has_room(tail, INLINE_BYTES_MAX) || sl_log_tail_must_wait(tail))
        return false;
    SL_MARK("log: append on the caller's thread");
    append->result = sl_log_tail_commit(tail);
    if (append->result != SL_APPEND_DURABLE)
        append->error = tail->error;
    return true;
}

static bool log_append(struct sl_event_store *store, struct sl_append *append)
{
    struct log_store *log = log_of(store);

    append->result = 0;
    if (append_here(log, append))
        return true;
    sl_log_writer_append(&log->writer, append);
    return false;
}

static bool log_read(struct sl_event_store *store, struct sl_read *read)
{
    struct log_store *log = log_of(store);
    struct sl_log_tail *tail = sl_log_writer_tail(&log->writer);

    if (read->at_once &&
        sl_log_reader_now(&log->reader, tail ? sl_log_tail_untold(tail) : NULL, read))
        return true;
    /* What was made durable on the owner's thread is told to the reader only when somebody asks, so
     * that small appends need not wake another thread each. */
    if (tail)
        sl_log_tail_tell(tail);
    sl_log_reader_read(&log->reader, read);
    return false;
}

static void log_describe(struct sl_event_store *store, struct sl_buf *out)
{
    struct log_store *log = log_of(store);
    const struct sl_log_tail *tail = sl_log_writer_tail(&log->writer);
    const struct sl_log_numbers *numbers = tail ? &tail->numbers : &log->writer.known;

    sl_buf_printf(out,
                  "\"segments\":%llu,\"sealed\":%llu,\"sealing_failed\":%s,\"bytes\":%llu,"
                  "\"next_position\":%llu,\"epoch\":%llu,"
                  "\"writes\":%llu,\"last_write_us\":%llu,\"usual_write_us\":%llu,\"failed\":%s",
                  (unsigned long long)numbers->segments, (unsigned long long)numbers->sealed,
                  numbers->sealing_failed ? "true" : "false", (unsigned long long)numbers->bytes,
                  (unsigned long long)numbers->position, (unsigned long long)numbers->epoch,
                  (unsigned long long)numbers->writes,
                  (unsigned long long)numbers->last_write_ns / 1000,
                  (unsigned long long)numbers->usual_write_ns / 1000,
                  numbers->failed ? "true" : "false");
}

static void log_close(struct sl_event_store *store)
{
    release(log_of(store));
}

const struct sl_event_store_ops sl_log_store_ops = {
    .abi = SL_EVENT_STORE_ABI,
    .scheme = "log",
    .capabilities =
        SL_STORE_READS_TAGS | SL_STORE_BACKWARDS | SL_STORE_APPENDS_INLINE | SL_STORE_READS_AT_ONCE,
    .open = log_open,
    .claim = log_claim,
    .append = log_append,
    .read = log_read,
    .describe = log_describe,
    .close = log_close,
};
