/*
 * Reading raw segments by whole batches, verified, with a small cache: what was read last is still
 * there. Owned by the reader.
 */
#ifndef SL_STORES_LOG_WINDOW_H
#define SL_STORES_LOG_WINDOW_H

#include "stores/log/index.h"
#include "stores/log/segment.h"

enum {
    SL_LOG_WINDOWS = 8,
    SL_LOG_FILES_OPEN_MAX = 16,
};

/* A run of neighbouring batches in memory. */
struct sl_log_window {
    uint8_t *bytes;
    size_t capacity;
    uint64_t segment;
    size_t first, count; /* entries of the segment's index; count 0: nothing */
    uint64_t used;       /* when, for choosing which goes */
};

struct sl_log_open_segment {
    uint64_t number;
    uint64_t salt;
    struct sl_file *file; /* NULL: free */
    uint64_t used;
};

struct sl_log_windows {
    const struct sl_log_folder *folder;
    struct sl_log_window windows[SL_LOG_WINDOWS];
    struct sl_log_open_segment segments[SL_LOG_FILES_OPEN_MAX];
    uint64_t clock;
    uint8_t *frame; /* the last one that was read alone */
    size_t frame_capacity;
    bool memory_only; /* what is in no window is SL_BUSY, and no file is touched */
};

/* The frames of the index's entry `at`, whose checksum was verified; valid until the next call.
 * With `ahead` the entries behind it are read along. SL_CORRUPT names file and offset; SL_IO,
 * SL_NO_MEMORY. */
enum sl_err sl_log_windows_frames(struct sl_log_windows *windows,
                                  const struct sl_log_index *index, size_t at, bool ahead,
                                  struct sl_slice *out, struct sl_error *error) SL_USE_RESULT;

/* The payload of one event of an entry with marks, read alone and compared with its mark, or out of
 * a window that is there; valid until the next call. Errors as above. */
enum sl_err sl_log_windows_event(struct sl_log_windows *windows,
                                 const struct sl_log_index *index, size_t at, uint32_t event,
                                 struct sl_slice *out, struct sl_error *error) SL_USE_RESULT;

/* Lets go of all that is known of a segment, its file too. */
void sl_log_windows_forget(struct sl_log_windows *windows, uint64_t segment);

void sl_log_windows_close(struct sl_log_windows *windows);

#endif
