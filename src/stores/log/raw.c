#include "stores/log/raw.h"

#include <stdlib.h>
#include <string.h>

enum {
    BUFFER_BYTES = 1 << 20,
};

static enum sl_err flush(struct sl_log_raw *raw, struct sl_error *error)
{
    const size_t len = raw->len;

    raw->len = 0;
    return len > 0 ? sl_file_write(raw->file, raw->offset - len, raw->buffer, len, error) : SL_OK;
}

static enum sl_err add(struct sl_log_raw *raw, const uint8_t *bytes, size_t len,
                       struct sl_error *error)
{
    if (raw->len + len > BUFFER_BYTES) {
        const enum sl_err err = flush(raw, error);
        if (err != SL_OK)
            return err;
    }
    raw->offset += len;
    if (len > BUFFER_BYTES)
        return sl_file_write(raw->file, raw->offset - len, bytes, len, error);
    memcpy(raw->buffer + raw->len, bytes, len);
    raw->len += len;
    return SL_OK;
}

enum sl_err sl_log_raw_begin(struct sl_log_raw *raw, struct sl_env *env, const char *path,
                             const struct sl_log_walk *walk, struct sl_error *error)
{
    struct sl_log_segment_head head = walk->segment;
    _Alignas(8) uint8_t block[SL_LOG_BLOCK];

    *raw = (struct sl_log_raw){.path = path, .buffer = aligned_alloc(SL_LOG_BLOCK, BUFFER_BYTES)};
    if (!raw->buffer)
        return sl_fail(error, SL_NO_MEMORY, "no memory to write %s", path);
    const enum sl_err err = sl_disk_open(
        env, path, SL_OPEN_WRITE | SL_OPEN_CREATE | SL_OPEN_EXCLUSIVE, &raw->file, error);
    if (err != SL_OK)
        return err;
    head.bytes = walk->raw_bytes_full;
    sl_log_segment_head_write(&head, block);
    return add(raw, block, sizeof block, error);
}

enum sl_err sl_log_raw_add(struct sl_log_raw *raw, const struct sl_log_seen *seen,
                           struct sl_error *error)
{
    if (seen->head.flags & SL_LOG_SCAVENGED)
        return sl_fail(error, SL_UNSUPPORTED, "%s: segment %llu has stones, which no raw segment "
                       "can hold: it is copied whole or not at all", raw->path,
                       (unsigned long long)seen->segment);
    return add(raw, seen->bytes, (size_t)seen->head.block_count * SL_LOG_BLOCK, error);
}

enum sl_err sl_log_raw_end(struct sl_log_raw *raw, uint64_t bytes_full, struct sl_error *error)
{
    enum sl_err err = flush(raw, error);

    if (err == SL_OK && bytes_full > raw->offset)
        err = sl_log_zero(raw->file, raw->offset, bytes_full, error);
    return err == SL_OK ? sl_file_sync(raw->file, error) : err;
}

void sl_log_raw_close(struct sl_log_raw *raw)
{
    sl_file_close(raw->file);
    free(raw->buffer);
    *raw = (struct sl_log_raw){0};
}
