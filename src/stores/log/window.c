#include "stores/log/window.h"

#include <stdlib.h>

enum {
    AHEAD_BYTES = 1 << 20,
    FRAME_GUESS = 1024, /* most frames are smaller */
};

static const struct sl_log_entry *entry_at(const struct sl_log_index *index, size_t at)
{
    return &index->entries[at];
}

/* ---- Files ----------------------------------------------------------------------------------- */

static enum sl_err open_segment(struct sl_log_windows *windows, uint64_t number,
                                struct sl_log_open_segment **out, struct sl_error *error)
{
    struct sl_log_open_segment *oldest = &windows->segments[0];
    struct sl_log_segment_head head;
    struct sl_file *file;

    for (size_t i = 0; i < SL_LOG_FILES_OPEN_MAX; i++) {
        struct sl_log_open_segment *segment = &windows->segments[i];
        if (segment->file && segment->number == number) {
            segment->used = ++windows->clock;
            *out = segment;
            return SL_OK;
        }
        if (!segment->file || (oldest->file && segment->used < oldest->used))
            oldest = segment;
    }
    const enum sl_err err =
        sl_log_segment_open(windows->folder, number, SL_OPEN_READ, &head, &file, error);
    if (err != SL_OK)
        return err;
    if (oldest->file)
        sl_file_close(oldest->file);
    *oldest = (struct sl_log_open_segment){number, head.salt, file, ++windows->clock};
    *out = oldest;
    return SL_OK;
}

/* ---- Windows --------------------------------------------------------------------------------- */

static struct sl_log_window *find(struct sl_log_windows *windows, uint64_t segment, size_t at)
{
    for (size_t i = 0; i < SL_LOG_WINDOWS; i++) {
        struct sl_log_window *window = &windows->windows[i];
        if (window->segment == segment && at >= window->first &&
            at - window->first < window->count)
            return window;
    }
    return NULL;
}

static struct sl_log_window *least_used(struct sl_log_windows *windows)
{
    struct sl_log_window *out = &windows->windows[0];

    for (size_t i = 1; i < SL_LOG_WINDOWS; i++)
        if (windows->windows[i].used < out->used)
            out = &windows->windows[i];
    return out;
}

/* How many entries from `at` on lie side by side and fit into one read. */
static size_t run_of(const struct sl_log_index *index, size_t at, bool ahead, size_t *blocks)
{
    const struct sl_log_entry *first = entry_at(index, at);
    size_t count = 1;

    *blocks = first->block_count;
    while (ahead && at + count < index->entry_count) {
        const struct sl_log_entry *next = entry_at(index, at + count);
        if (next->block != first->block + *blocks ||
            (*blocks + next->block_count) * SL_LOG_BLOCK > AHEAD_BYTES)
            break;
        *blocks += next->block_count;
        count++;
    }
    return count;
}

static const uint8_t *bytes_of(const struct sl_log_index *index,
                               const struct sl_log_window *window, size_t at)
{
    const uint64_t blocks = entry_at(index, at)->block - entry_at(index, window->first)->block;
    return window->bytes + blocks * SL_LOG_BLOCK;
}

static enum sl_err damaged(const struct sl_log_windows *windows, const struct sl_log_index *index,
                           size_t at, struct sl_error *error)
{
    const struct sl_log_entry *entry = entry_at(index, at);
    char path[SL_LOG_PATH_MAX];

    SL_MARK("log: damage met by a read");
    sl_log_segment_path(windows->folder, entry->segment, path);
    return sl_fail(error, SL_CORRUPT, "%s: damaged at offset %llu: restore it from a backup or a "
                   "follower", path, (unsigned long long)entry->block * SL_LOG_BLOCK);
}

static enum sl_err verify(const struct sl_log_windows *windows, const struct sl_log_index *index,
                          const struct sl_log_window *window, uint64_t salt,
                          struct sl_error *error)
{
    for (size_t at = window->first; at < window->first + window->count; at++) {
        const uint8_t *bytes = bytes_of(index, window, at);
        struct sl_log_batch_head head;
        if (!sl_log_batch_peek(bytes, salt, &head) ||
            head.block_count != entry_at(index, at)->block_count ||
            head.first_position != entry_at(index, at)->first_position ||
            !sl_log_batch_is_whole(&head, bytes))
            return damaged(windows, index, at, error);
    }
    return SL_OK;
}

static enum sl_err load(struct sl_log_windows *windows, const struct sl_log_index *index,
                        size_t at, bool ahead, struct sl_log_window *window,
                        struct sl_error *error)
{
    struct sl_log_open_segment *segment;
    size_t blocks, got;
    const size_t count = run_of(index, at, ahead, &blocks);
    const size_t len = blocks * SL_LOG_BLOCK;

    window->count = 0;
    enum sl_err err = open_segment(windows, entry_at(index, at)->segment, &segment, error);
    if (err != SL_OK)
        return err;
    /* Grown to what is needed; given back when it was much and is no longer. */
    if (window->capacity < len || (window->capacity > AHEAD_BYTES && len <= AHEAD_BYTES)) {
        free(window->bytes);
        window->capacity = 0;
        window->bytes = malloc(len);
        if (!window->bytes)
            return sl_fail(error, SL_NO_MEMORY, "no memory to read the log");
        window->capacity = len;
    }
    const uint64_t offset = (uint64_t)entry_at(index, at)->block * SL_LOG_BLOCK;
    err = sl_file_read(segment->file, offset, window->bytes, len, &got, error);
    if (err != SL_OK)
        return err;
    if (got < len)
        return damaged(windows, index, at, error);
    window->segment = index->segment;
    window->first = at;
    window->count = count;
    err = verify(windows, index, window, segment->salt, error);
    if (err != SL_OK)
        window->count = 0;
    return err;
}

enum sl_err sl_log_windows_frames(struct sl_log_windows *windows,
                                  const struct sl_log_index *index, size_t at, bool ahead,
                                  struct sl_slice *out, struct sl_error *error)
{
    struct sl_log_window *window = find(windows, index->segment, at);

    if (!window && windows->memory_only)
        return SL_BUSY;
    if (!window) {
        window = least_used(windows);
        const enum sl_err err = load(windows, index, at, ahead, window, error);
        if (err != SL_OK)
            return err;
    }
    window->used = ++windows->clock;
    *out = sl_log_batch_frames(bytes_of(index, window, at));
    return SL_OK;
}

/* ---- Single events --------------------------------------------------------------------------- */

static enum sl_err read_frame(struct sl_log_windows *windows, struct sl_file *file,
                              uint64_t offset, size_t len, struct sl_slice *out,
                              struct sl_error *error)
{
    size_t got;

    if (windows->frame_capacity < len) {
        uint8_t *frame = realloc(windows->frame, len);
        if (!frame)
            return sl_fail(error, SL_NO_MEMORY, "no memory to read the log");
        windows->frame = frame;
        windows->frame_capacity = len;
    }
    const enum sl_err err = sl_file_read(file, offset, windows->frame, len, &got, error);
    *out = (struct sl_slice){windows->frame, err == SL_OK ? got : 0};
    return err;
}

/* Bytes of the frame that begins here, as its header says; 0 when that is nonsense. */
static size_t frame_len(struct sl_slice bytes, size_t max)
{
    struct sl_cursor cursor = sl_cursor_of(bytes);

    (void)sl_cursor_le16(&cursor);
    const uint64_t payload = sl_cursor_varint(&cursor);
    const size_t head = (size_t)(cursor.next - bytes.ptr);
    return cursor.failed || payload > max - head ? 0 : head + (size_t)payload;
}

enum sl_err sl_log_windows_event(struct sl_log_windows *windows,
                                 const struct sl_log_index *index, size_t at, uint32_t event,
                                 struct sl_slice *out, struct sl_error *error)
{
    const struct sl_log_entry *entry = entry_at(index, at);
    const uint64_t mark = entry->marks[event];
    const struct sl_log_window *window = find(windows, index->segment, at);
    const size_t max = (size_t)entry->block_count * SL_LOG_BLOCK - sl_log_mark_offset(mark);
    struct sl_log_open_segment *segment;
    struct sl_log_frame frame;
    struct sl_slice bytes;

    if (!window && windows->memory_only)
        return SL_BUSY;
    if (window) {
        bytes = (struct sl_slice){bytes_of(index, window, at) + sl_log_mark_offset(mark), max};
    } else {
        enum sl_err err = open_segment(windows, entry->segment, &segment, error);
        if (err != SL_OK)
            return err;
        const uint64_t offset = (uint64_t)entry->block * SL_LOG_BLOCK + sl_log_mark_offset(mark);
        err = read_frame(windows, segment->file, offset, max < FRAME_GUESS ? max : FRAME_GUESS,
                         &bytes, error);
        if (err == SL_OK && frame_len(bytes, max) > bytes.len)
            err = read_frame(windows, segment->file, offset, frame_len(bytes, max), &bytes, error);
        if (err != SL_OK)
            return err;
    }
    struct sl_cursor cursor = sl_cursor_of(bytes);
    if (sl_log_frame_next(&cursor, &frame) != SL_OK || frame.kind != SL_LOG_EVENT ||
        frame.whole.ptr != bytes.ptr || !sl_log_mark_fits(mark, frame.whole))
        return damaged(windows, index, at, error);
    *out = frame.payload;
    return SL_OK;
}

void sl_log_windows_forget(struct sl_log_windows *windows, uint64_t segment)
{
    for (size_t i = 0; i < SL_LOG_WINDOWS; i++)
        if (windows->windows[i].segment == segment)
            windows->windows[i].count = 0;
    for (size_t i = 0; i < SL_LOG_FILES_OPEN_MAX; i++) {
        struct sl_log_open_segment *open = &windows->segments[i];
        if (!open->file || open->number != segment)
            continue;
        sl_file_close(open->file);
        *open = (struct sl_log_open_segment){0};
    }
}

void sl_log_windows_close(struct sl_log_windows *windows)
{
    free(windows->frame);
    for (size_t i = 0; i < SL_LOG_WINDOWS; i++)
        free(windows->windows[i].bytes);
    for (size_t i = 0; i < SL_LOG_FILES_OPEN_MAX; i++)
        if (windows->segments[i].file)
            sl_file_close(windows->segments[i].file);
    *windows = (struct sl_log_windows){0};
}
