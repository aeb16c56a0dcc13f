/*
 * The files of snapshots.
 *
 * A folder has files 00000001.snap, 00000002.snap, …, each written from front to back by one run of
 * the program and never changed afterwards; a new run begins a new file. Nothing is synced: after a
 * power loss a frame is whole or its checksum says that it is not.
 *
 *   header, 4096 bytes: "sluicesn", u32 version (1), u32 number of the file, u64 checksum of these;
 *                       zeros
 *   frames, each at a multiple of 8:
 *     u32 bytes of the frame, a multiple of 8
 *     u32 kind (1: a snapshot; others are skipped)
 *     u64 checksum of the rest of the frame, seeded with file and offset, so that what lies where
 *         it was not written is none
 *     u64 hash of the name; 16 bytes log; u64 salt; u64 position; u64 revision; u64 digest
 *     u32 bytes of the name; u32 bytes of the state; name; state; zeros
 *
 * Integers are little-endian. The later of two snapshots of one name counts, by file and offset.
 * What cannot be read (an unknown version, a broken frame) ends the reading of its file: it is
 * derived data, and nobody misses it.
 *
 * At start, files are read newest first, a slice at a time, while requests are answered from what
 * was seen so far. When the folder has grown over its room, the oldest file goes; when a write
 * fails, the file is given up and the next one begun after a while.
 */
#include "command/snapshots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "command/snapshot_index.h"

enum {
    VERSION = 1,
    HEADER = 4096,
    FRAME_HEAD = 80,
    KIND_SNAPSHOT = 1,
    NAME_MAX_BYTES = 1024,
    FRAME_MAX = FRAME_HEAD + NAME_MAX_BYTES + SL_SNAPSHOT_STATE_MAX + 8,
    BUFFER = 1 << 20,
    SLICE = 1 << 20, /* of a scan, between two looks at the mailbox */
    FILES_MAX = 256,
    PATH_BYTES = 1024,
    PUT = 1,
    GET,
};

#define AGAIN_NS INT64_C(10000000000)

struct file {
    uint32_t number;
    struct sl_file *file;
    uint64_t bytes;
};

struct sl_snapshots {
    struct sl_snapshots_options options;
    char folder[PATH_BYTES];
    struct sl_mailbox *mailbox;
    /* The actor's. */
    struct sl_snapshot_index index;
    struct file files[FILES_MAX]; /* oldest first; the last is being written if `writes` */
    size_t file_count;
    uint32_t last_number;
    bool writes;
    int64_t again_ns;       /* no new file before */
    struct sl_buf buffer;   /* frames that belong at the end of the last file */
    size_t scan_left;       /* files below this place were not read yet */
    uint64_t scan_at;
    struct sl_buf scratch;
    struct sl_message begin; /* its first message, so that it takes its first turn */
};

static void path_of(const struct sl_snapshots *s, uint32_t number, char *out, size_t size)
{
    snprintf(out, size, "%s/%08x.snap", s->folder, number);
}

static uint64_t seed_of(uint32_t number, uint64_t offset)
{
    return (uint64_t)number << 32 ^ offset;
}

/* ---- Headers --------------------------------------------------------------------------------- */

static void write_header(uint8_t *out, uint32_t number)
{
    memset(out, 0, HEADER);
    memcpy(out, "sluicesn", 8);
    sl_put_le32(out + 8, VERSION);
    sl_put_le32(out + 12, number);
    sl_put_le64(out + 16, sl_hash64(out, 16, 0));
}

static bool header_is_good(const uint8_t *bytes, uint32_t number)
{
    return memcmp(bytes, "sluicesn", 8) == 0 && sl_le32(bytes + 8) == VERSION &&
           sl_le32(bytes + 12) == number && sl_le64(bytes + 16) == sl_hash64(bytes, 16, 0);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void close_file(struct file *file)
{
    sl_file_close(file->file);
    file->file = NULL;
}

static void remove_oldest(struct sl_snapshots *s)
{
    char path[PATH_BYTES + 16];
    struct sl_error error = {0};

    path_of(s, s->files[0].number, path, sizeof path);
    close_file(&s->files[0]);
    (void)!sl_disk_remove(s->options.env, path, &error);
    s->file_count--;
    memmove(s->files, s->files + 1, s->file_count * sizeof *s->files);
    if (s->scan_left > 0)
        s->scan_left--;
}

static void keep_room(struct sl_snapshots *s)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < s->file_count; i++)
        bytes += s->files[i].bytes;
    while (s->file_count > 1 &&
           (bytes + s->options.file_bytes > s->options.disk_bytes || s->file_count == FILES_MAX)) {
        bytes -= s->files[0].bytes;
        remove_oldest(s);
    }
}

/* The last file is not written any more. */
static void give_up(struct sl_snapshots *s)
{
    s->writes = false;
    sl_buf_reset(&s->buffer);
    s->again_ns = sl_env_monotonic(s->options.env) + AGAIN_NS;
}

static bool begin_file(struct sl_snapshots *s)
{
    char path[PATH_BYTES + 16];
    uint8_t header[HEADER];
    struct sl_error error = {0};
    struct sl_file *file = NULL;

    keep_room(s);
    s->last_number++;
    path_of(s, s->last_number, path, sizeof path);
    write_header(header, s->last_number);
    if (sl_disk_make_folder(s->options.env, s->folder, &error) != SL_OK ||
        sl_disk_open(s->options.env, path, SL_OPEN_WRITE | SL_OPEN_CREATE | SL_OPEN_EXCLUSIVE,
                     &file, &error) != SL_OK ||
        sl_file_write(file, 0, header, sizeof header, &error) != SL_OK) {
        sl_file_close(file);
        return false;
    }
    s->files[s->file_count++] = (struct file){s->last_number, file, HEADER};
    s->writes = true;
    return true;
}

static void flush(struct sl_snapshots *s)
{
    struct sl_error error = {0};

    if (s->buffer.len == 0)
        return;
    struct file *file = &s->files[s->file_count - 1];
    if (sl_file_write(file->file, file->bytes, s->buffer.ptr, s->buffer.len, &error) != SL_OK) {
        give_up(s);
        return;
    }
    file->bytes += s->buffer.len;
    sl_buf_reset(&s->buffer);
    if (file->bytes >= s->options.file_bytes)
        s->writes = false;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

static bool can_write(struct sl_snapshots *s)
{
    if (s->writes)
        return true;
    if (sl_env_monotonic(s->options.env) < s->again_ns)
        return false;
    if (begin_file(s))
        return true;
    give_up(s);
    return false;
}

static uint64_t hash_of(struct sl_text name)
{
    return sl_hash64(name.ptr, name.len, 0);
}

static void put(struct sl_snapshots *s, const struct sl_snapshot *snapshot)
{
    struct sl_buf *buffer = &s->buffer;

    if (snapshot->name.len > NAME_MAX_BYTES || snapshot->state.len > SL_SNAPSHOT_STATE_MAX ||
        !can_write(s))
        return;
    const struct file *file = &s->files[s->file_count - 1];
    const uint64_t offset = file->bytes + buffer->len;
    const size_t start = buffer->len;
    const size_t bytes = (FRAME_HEAD + snapshot->name.len + snapshot->state.len + 7) / 8 * 8;
    uint8_t *frame = sl_buf_reserve(buffer, bytes);
    if (!frame) {
        buffer->failed = false; /* there is no memory: it is not kept */
        return;
    }
    memset(frame, 0, bytes);
    sl_put_le32(frame, (uint32_t)bytes);
    sl_put_le32(frame + 4, KIND_SNAPSHOT);
    sl_put_le64(frame + 16, hash_of(snapshot->name));
    memcpy(frame + 24, snapshot->log.bytes, 16);
    sl_put_le64(frame + 40, snapshot->salt);
    sl_put_le64(frame + 48, snapshot->position);
    sl_put_le64(frame + 56, snapshot->revision);
    sl_put_le64(frame + 64, snapshot->digest);
    sl_put_le32(frame + 72, (uint32_t)snapshot->name.len);
    sl_put_le32(frame + 76, (uint32_t)snapshot->state.len);
    memcpy(frame + FRAME_HEAD, snapshot->name.ptr, snapshot->name.len);
    if (snapshot->state.len > 0)
        memcpy(frame + FRAME_HEAD + snapshot->name.len, snapshot->state.ptr, snapshot->state.len);
    sl_put_le64(frame + 8, sl_hash64(frame + 16, bytes - 16, seed_of(file->number, offset)));
    buffer->len = start + bytes;
    sl_snapshot_index_add(&s->index, hash_of(snapshot->name),
                          (struct sl_snapshot_place){file->number, (uint32_t)(offset / 8)});
    if (buffer->len >= BUFFER)
        flush(s);
}

/* Is there a whole frame at the front of these bytes? Its size, or 0. */
static size_t frame_at(const uint8_t *bytes, size_t len, uint32_t number, uint64_t offset)
{
    if (len < FRAME_HEAD)
        return 0;
    const size_t size = sl_le32(bytes);
    if (size < FRAME_HEAD || size > FRAME_MAX || size % 8 != 0 || size > len)
        return 0;
    if (sl_le64(bytes + 8) != sl_hash64(bytes + 16, size - 16, seed_of(number, offset)))
        return 0;
    const uint64_t inside = (uint64_t)sl_le32(bytes + 72) + sl_le32(bytes + 76);
    return inside <= size - FRAME_HEAD ? size : 0;
}

static void read_frame(const uint8_t *frame, struct sl_snapshot *out)
{
    *out = (struct sl_snapshot){
        .name = {(const char *)frame + FRAME_HEAD, sl_le32(frame + 72)},
        .salt = sl_le64(frame + 40),
        .position = sl_le64(frame + 48),
        .revision = sl_le64(frame + 56),
        .digest = sl_le64(frame + 64),
        .state = {frame + FRAME_HEAD + sl_le32(frame + 72), sl_le32(frame + 76)}};
    memcpy(out->log.bytes, frame + 24, 16);
}

/* ---- Finding --------------------------------------------------------------------------------- */

static struct file *file_numbered(struct sl_snapshots *s, uint32_t number)
{
    for (size_t i = s->file_count; i > 0; i--)
        if (s->files[i - 1].number == number)
            return &s->files[i - 1];
    return NULL;
}

static bool find(struct sl_snapshots *s, struct sl_snapshot_get *get)
{
    const struct sl_snapshot_place place = sl_snapshot_index_find(&s->index, hash_of(get->name));
    const uint64_t offset = (uint64_t)place.offset * 8;
    uint8_t head[FRAME_HEAD];
    struct sl_error error = {0};
    size_t len = 0;

    const struct file *file = place.file ? file_numbered(s, place.file) : NULL;
    if (!file)
        return false;
    if (offset >= file->bytes)
        flush(s);
    if (sl_file_read(file->file, offset, head, sizeof head, &len, &error) != SL_OK ||
        len < sizeof head || sl_le32(head) < FRAME_HEAD || sl_le32(head) > FRAME_MAX)
        return false;
    const size_t size = sl_le32(head);
    uint8_t *bytes = sl_arena_take(&get->arena, size);
    if (!bytes || sl_file_read(file->file, offset, bytes, size, &len, &error) != SL_OK ||
        frame_at(bytes, len, place.file, offset) != size ||
        sl_le32(bytes + 4) != KIND_SNAPSHOT)
        return false;
    read_frame(bytes, &get->snapshot);
    return sl_text_equals(get->snapshot.name, get->name) &&
           sl_uuid_equals(get->snapshot.log, get->log);
}

/* ---- What is there at start ------------------------------------------------------------------ */

static void note_file(void *context, const char *name)
{
    struct sl_snapshots *s = context;
    char *end = NULL;
    const unsigned long number = strlen(name) == 13 ? strtoul(name, &end, 16) : 0;
    char path[PATH_BYTES + 16];
    struct sl_error error = {0};
    struct file file = {.number = (uint32_t)number};

    if (number == 0 || number >= UINT32_MAX || end != name + 8 || strcmp(end, ".snap") != 0)
        return;
    /* Names come in order, and the newest are the ones to have. */
    if (s->file_count == FILES_MAX)
        remove_oldest(s);
    s->last_number = file.number;
    path_of(s, file.number, path, sizeof path);
    if (sl_disk_open(s->options.env, path, SL_OPEN_READ, &file.file, &error) == SL_OK &&
        sl_file_size(file.file, &file.bytes, &error) == SL_OK)
        s->files[s->file_count++] = file;
    else
        sl_file_close(file.file);
}

/* Reads one slice of the file before `scan_left`. */
static void scan(struct sl_snapshots *s)
{
    struct file *file = &s->files[s->scan_left - 1];
    struct sl_error error = {0};
    size_t len = 0, at = 0;

    sl_buf_reset(&s->scratch);
    uint8_t *bytes = sl_buf_reserve(&s->scratch, SLICE + FRAME_MAX);
    if (!bytes || sl_file_read(file->file, s->scan_at, bytes, SLICE + FRAME_MAX, &len, &error) !=
                      SL_OK)
        len = 0;
    if (s->scan_at == 0) {
        if (len < HEADER || !header_is_good(bytes, file->number))
            len = 0;
        at = HEADER;
    }
    bool more = len > 0;
    while (more && at < SLICE) {
        const uint64_t offset = s->scan_at + at;
        const size_t size = frame_at(bytes + at, len - at, file->number, offset);
        if (size > 0 && sl_le32(bytes + at + 4) == KIND_SNAPSHOT)
            sl_snapshot_index_add(
                &s->index, sl_le64(bytes + at + 16),
                (struct sl_snapshot_place){file->number, (uint32_t)(offset / 8)});
        at += size;
        more = size > 0 && at < len;
    }
    s->scan_at += at;
    if (!more) {
        s->scan_left--;
        s->scan_at = 0;
    }
}

/* ---- The actor ------------------------------------------------------------------------------- */

static void step(void *self, struct sl_message *message)
{
    struct sl_snapshots *s = self;

    /* Above the caller's 16 bits of the kind stands which of the two it is. */
    const uint32_t what = message->kind >> 16;

    if (message == &s->begin)
        return;
    message->kind &= 0xffffu;
    if (what == PUT) {
        put(s, &((struct sl_snapshot_put *)(void *)message)->snapshot);
    } else {
        struct sl_snapshot_get *get = (struct sl_snapshot_get *)(void *)message;
        get->found = find(s, get);
    }
    sl_mailbox_post(message->reply_to, message);
}

static int64_t turn(void *self)
{
    struct sl_snapshots *s = self;

    flush(s);
    if (s->scan_left == 0) {
        sl_buf_close(&s->scratch);
        return INT64_MAX;
    }
    scan(s);
    return sl_env_monotonic(s->options.env);
}

enum sl_err sl_snapshots_start(const struct sl_snapshots_options *options,
                               struct sl_snapshots **out, struct sl_error *error)
{
    struct sl_snapshots *s = calloc(1, sizeof *s);
    struct sl_error ignored = {0};

    if (!s)
        return sl_fail(error, SL_NO_MEMORY, "no memory for snapshots");
    if (strlen(options->folder) >= sizeof s->folder) {
        free(s);
        return sl_fail(error, SL_LIMIT, "the path of the snapshots is too long");
    }
    s->options = *options;
    memcpy(s->folder, options->folder, strlen(options->folder) + 1);
    s->options.folder = s->folder;
    if (!s->options.disk_bytes)
        s->options.disk_bytes = UINT64_C(4) << 30;
    if (!s->options.file_bytes)
        s->options.file_bytes = UINT64_C(64) << 20;
    s->buffer.bytes_max = BUFFER + FRAME_MAX;
    s->scratch.bytes_max = SLICE + FRAME_MAX;
    s->again_ns = INT64_MIN;
    const size_t index_bytes = options->index_bytes ? options->index_bytes : (size_t)16 << 20;
    const struct sl_actor actor = {.name = "snapshots", .self = s, .step = step, .turn = turn};
    enum sl_err err = sl_snapshot_index_init(&s->index, index_bytes);
    if (err) {
        sl_fail(error, err, "no memory for snapshots");
    } else {
        /* No folder, no snapshots. */
        (void)!sl_disk_list(options->env, s->folder, note_file, s, &ignored);
        s->scan_left = s->file_count;
        err = sl_env_start(options->env, &actor, &s->mailbox, error);
    }
    if (err) {
        sl_snapshots_stop(s);
        return err;
    }
    sl_mailbox_post(s->mailbox, &s->begin);
    *out = s;
    return SL_OK;
}

void sl_snapshots_stop(struct sl_snapshots *s)
{
    if (!s)
        return;
    sl_env_stop(s->options.env, s->mailbox);
    for (size_t i = 0; i < s->file_count; i++)
        close_file(&s->files[i]);
    sl_snapshot_index_close(&s->index);
    sl_buf_close(&s->buffer);
    sl_buf_close(&s->scratch);
    free(s);
}

void sl_snapshots_put(struct sl_snapshots *s, struct sl_snapshot_put *put_)
{
    put_->message.kind |= PUT << 16;
    sl_mailbox_post(s->mailbox, &put_->message);
}

void sl_snapshots_get(struct sl_snapshots *s, struct sl_snapshot_get *get)
{
    get->found = false;
    get->message.kind |= GET << 16;
    sl_mailbox_post(s->mailbox, &get->message);
}
