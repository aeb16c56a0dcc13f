#include "stores/log/unseal.h"

#include <stdlib.h>
#include <string.h>

void sl_log_unseal_begin(struct sl_log_unseal *unseal, const struct sl_log_sealed_head *head,
                         struct sl_file *file, const char *path)
{
    unseal->head = *head;
    unseal->file = file;
    unseal->path = path;
    unseal->next_block = unseal->block = SL_LOG_BLOCK;
    unseal->cursor = (struct sl_cursor){0};
}

static enum sl_err damaged(struct sl_log_unseal *unseal, const char *why)
{
    unseal->why = why;
    return SL_CORRUPT;
}

static bool make_room(uint8_t **bytes, size_t *capacity, size_t need)
{
    if (*capacity >= need)
        return true;
    free(*bytes);
    *capacity = 0;
    *bytes = malloc(need);
    if (!*bytes)
        return false;
    *capacity = need;
    return true;
}

static enum sl_err no_memory(const struct sl_log_unseal *unseal, struct sl_error *error)
{
    return sl_fail(error, SL_NO_MEMORY, "no memory to read %s", unseal->path);
}

static enum sl_err read_at(const struct sl_log_unseal *unseal, uint64_t offset, uint8_t *to,
                           size_t len, struct sl_error *error)
{
    size_t got;

    const enum sl_err err = sl_file_read(unseal->file, offset, to, len, &got, error);
    if (err == SL_OK)
        memset(to + got, 0, len - got);
    return err;
}

/* Unpacks the next block; SL_NOT_FOUND behind the last one. */
static enum sl_err load_block(struct sl_log_unseal *unseal, struct sl_error *error)
{
    const uint64_t end = unseal->head.data_end;
    struct sl_log_block_head head;
    uint8_t bytes[SL_LOG_SEALED_BLOCK_HEAD];

    if (unseal->next_block == end)
        return SL_NOT_FOUND;
    unseal->block = unseal->next_block;
    if (unseal->block > end || end - unseal->block < sizeof bytes)
        return damaged(unseal, "blocks do not fit");
    enum sl_err err = read_at(unseal, unseal->block, bytes, sizeof bytes, error);
    if (err != SL_OK)
        return err;
    if (!sl_log_block_peek(bytes, &head) ||
        head.stored_bytes > end - unseal->block - sizeof bytes)
        return damaged(unseal, "a block's head");
    const size_t len = sizeof bytes + head.stored_bytes;
    if (!make_room(&unseal->stored, &unseal->stored_capacity, len) ||
        !make_room(&unseal->frames, &unseal->frames_capacity, (size_t)head.frame_bytes + 1))
        return no_memory(unseal, error);
    err = read_at(unseal, unseal->block, unseal->stored, len, error);
    if (err != SL_OK)
        return err;
    if (!sl_log_block_is_whole(&head, unseal->head.segment.salt, unseal->stored) ||
        !sl_log_block_unpack(&head, unseal->stored, unseal->frames))
        return damaged(unseal, "a block");
    unseal->cursor = sl_cursor_of((struct sl_slice){unseal->frames, head.frame_bytes});
    unseal->next_block = unseal->block + len;
    return SL_OK;
}

static enum sl_err next_frame(struct sl_log_unseal *unseal, struct sl_log_frame *out,
                              struct sl_error *error)
{
    enum sl_err err = sl_log_frame_next_any(&unseal->cursor, out);

    while (err == SL_NOT_FOUND) {
        err = load_block(unseal, error);
        if (err == SL_OK)
            err = sl_log_frame_next_any(&unseal->cursor, out);
        else
            return err;
    }
    return err == SL_CORRUPT ? damaged(unseal, "frames do not fit") : err;
}

/* Copies the batch's frames, which may go on in further blocks. */
static enum sl_err gather(struct sl_log_unseal *unseal, const struct sl_log_batch_head *head,
                          struct sl_error *error)
{
    uint8_t *to = unseal->batch + SL_LOG_BATCH_HEAD;
    size_t left = head->payload_bytes;
    struct sl_log_frame frame;

    while (left > 0) {
        const enum sl_err err = next_frame(unseal, &frame, error);
        if (err == SL_NOT_FOUND)
            return damaged(unseal, "a batch ends too early");
        if (err != SL_OK)
            return err;
        if (frame.whole.len > left || frame.kind == SL_LOG_BATCH)
            return damaged(unseal, "frames do not fit their batch");
        memcpy(to, frame.whole.ptr, frame.whole.len);
        to += frame.whole.len;
        left -= frame.whole.len;
    }
    return SL_OK;
}

enum sl_err sl_log_unseal_next(struct sl_log_unseal *unseal, struct sl_log_seen *out,
                               struct sl_error *error)
{
    struct sl_log_batch_head head = out->head;
    struct sl_log_frame frame;

    enum sl_err err = next_frame(unseal, &frame, error);
    if (err == SL_NOT_FOUND && (head.number != unseal->head.next_batch ||
                                head.first_position != unseal->head.next_position ||
                                head.previous != unseal->head.last))
        return damaged(unseal, "batches are missing");
    if (err != SL_OK)
        return err;
    const uint64_t block = unseal->block;
    if (frame.kind != SL_LOG_BATCH || !sl_log_batch_frame_read(frame.payload, &head))
        return damaged(unseal, "no batch begins where one should");
    const uint64_t checksum = head.checksum;
    const size_t bytes = (size_t)head.block_count * SL_LOG_BLOCK;
    if (!make_room(&unseal->batch, &unseal->batch_capacity, bytes))
        return no_memory(unseal, error);
    memset(unseal->batch, 0, bytes);
    err = gather(unseal, &head, error);
    if (err != SL_OK)
        return err;
    sl_log_batch_seal(&head, unseal->batch);
    if (head.checksum != (head.flags & SL_LOG_SCAVENGED ? head.kept : checksum)) {
        unseal->block = block;
        return damaged(unseal, "a batch is not what was sealed");
    }
    head.checksum = checksum; /* the one that the batch behind it chains to */
    *out = (struct sl_log_seen){.head = head, .segment = unseal->head.segment.number,
                                .offset = block, .bytes = unseal->batch};
    return SL_OK;
}

enum sl_err sl_log_unseal_check_pages(struct sl_log_unseal *unseal, struct sl_error *error)
{
    uint8_t page[SL_LOG_PAGE];
    uint32_t count;

    for (int kind = 1; kind <= SL_LOG_PAGES_KINDS; kind++) {
        const struct sl_log_pages *pages =
            sl_log_sealed_pages(&unseal->head, (enum sl_log_page_kind)kind);
        for (uint32_t i = 0; i < pages->count; i++) {
            const uint64_t number = (uint64_t)pages->first + i;
            const enum sl_err err =
                read_at(unseal, number * SL_LOG_PAGE, page, sizeof page, error);
            if (err != SL_OK)
                return err;
            if (!sl_log_page_check(page, unseal->head.segment.salt, number,
                                   (enum sl_log_page_kind)kind, &count)) {
                unseal->block = number * SL_LOG_PAGE;
                return damaged(unseal, "a page of the index");
            }
        }
    }
    return SL_OK;
}

void sl_log_unseal_close(struct sl_log_unseal *unseal)
{
    free(unseal->stored);
    free(unseal->frames);
    free(unseal->batch);
    *unseal = (struct sl_log_unseal){0};
}
