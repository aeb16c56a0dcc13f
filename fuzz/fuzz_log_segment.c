/*
 * Any bytes as a segment of the event log, opened, recovered and read to its end. An even first
 * byte: what follows is the file itself. An odd one: it is the frames of a whole batch in a good
 * segment, so that the checksum does not stand between the fuzzer and what lies behind it.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/env_sim.h"
#include "stores/log/format.h"
#include "stores/log/log_store.h"

enum { FILE_BYTES = 64 << 10 };

static const char *setting(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "segment_bytes") == 0 ? "65536" : NULL;
}

/* The counts in the head are what the frames say, as far as they can be read. */
static void seal(uint8_t *batch, size_t payload, uint64_t salt)
{
    struct sl_log_batch_head head = {.block_count = (uint32_t)((SL_LOG_BATCH_HEAD + payload +
                                                                SL_LOG_BLOCK - 1) / SL_LOG_BLOCK),
                                     .payload_bytes = (uint32_t)payload,
                                     .salt = salt};
    struct sl_cursor cursor = {batch + SL_LOG_BATCH_HEAD, batch + SL_LOG_BATCH_HEAD + payload,
                               false};
    struct sl_log_frame frame;

    while (sl_log_frame_next(&cursor, &frame) == SL_OK) {
        head.event_count += frame.kind == SL_LOG_EVENT;
        head.outcome_count += frame.kind == SL_LOG_OUTCOME;
    }
    sl_log_batch_seal(&head, batch);
}

static void make_file(struct sl_env *env, const uint8_t *bytes, size_t len)
{
    const struct sl_log_segment_head head = {.salt = 77, .bytes = FILE_BYTES};
    uint8_t *file = calloc(1, FILE_BYTES);
    struct sl_error error = {0};
    struct sl_file *out;

    SL_ASSERT(file);
    if (bytes[0] % 2 == 0) {
        memcpy(file, bytes + 1, len - 1);
    } else {
        sl_log_segment_head_write(&head, file);
        memcpy(file + SL_LOG_BLOCK + SL_LOG_BATCH_HEAD, bytes + 1, len - 1);
        seal(file + SL_LOG_BLOCK, len - 1, head.salt);
    }
    SL_ASSERT(sl_disk_make_folder(env, "log", &error) == SL_OK);
    SL_ASSERT(sl_disk_open(env, "log/00000000000000000000.seg", SL_OPEN_WRITE | SL_OPEN_CREATE,
                           &out, &error) == SL_OK);
    SL_ASSERT(sl_file_write_durable(out, 0, file, FILE_BYTES, &error) == SL_OK);
    sl_file_close(out);
    free(file);
}

static void wait_for(struct sl_env *env, struct sl_mailbox *mailbox)
{
    while (!sl_mailbox_take_all(mailbox))
        SL_ASSERT(sl_sim_step(env), "T1");
}

/* What opened can be claimed and read, and L1 holds in it. */
static void use(struct sl_env *env, struct sl_event_store *store)
{
    struct sl_mailbox *mailbox;
    SL_ASSERT(sl_mailbox_new(NULL, NULL, &mailbox) == SL_OK);
    struct sl_claim claim = {.message = {.reply_to = mailbox}, .salt = 1};
    struct sl_read read = {.message = {.reply_to = mailbox}, .until = UINT64_MAX, .count_max = 100,
                           .bytes_max = SIZE_MAX};
    uint64_t next = 0;

    sl_event_store_claim(store, &claim);
    wait_for(env, mailbox);
    read.by = SL_READ_POSITION;
    do {
        sl_event_store_read(store, &read);
        wait_for(env, mailbox);
        SL_ASSERT(read.err == SL_OK, "what the recovery took can be read");
        for (size_t i = 0; i < read.event_count; i++)
            SL_ASSERT(read.events[i].position == next++ && read.events[i].schema, "L1");
        read.from = read.next;
        sl_arena_reset(&read.arena);
    } while (!read.end);
    SL_ASSERT(claim.err != SL_OK || claim.next_position == next, "L1");
    read.by = SL_READ_OUTCOMES;
    read.from = 0;
    sl_event_store_read(store, &read);
    wait_for(env, mailbox);
    SL_ASSERT(read.err == SL_OK, "what the recovery took can be read");
    sl_arena_close(&read.arena);
    sl_event_store_close(store);
    sl_mailbox_free(mailbox);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct sl_store_options options = {.location = "log", .name = "fuzz", .setting = setting};
    struct sl_event_store *store;
    struct sl_error error = {0};
    struct sl_env *env;

    if (len < 2 || len > FILE_BYTES - SL_LOG_BLOCK - SL_LOG_BATCH_HEAD)
        return 0;
    SL_ASSERT(sl_env_sim_new(1, &env) == SL_OK);
    make_file(env, bytes, len);
    const enum sl_err err =
        sl_event_store_open(&sl_log_store_ops, env, &options, &store, &error);
    SL_ASSERT(err == SL_OK || err == SL_CORRUPT || err == SL_UNSUPPORTED);
    if (err == SL_OK)
        use(env, store);
    sl_env_free(env);
    return 0;
}
