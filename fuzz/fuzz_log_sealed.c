/*
 * Any bytes as a sealed segment of the event log, opened, claimed and read in every way. The first
 * byte says how: 0 to 7, what follows lies over a good sealed segment's header, blocks or pages at
 * an offset that the next two bytes give, with the checksums put right again, so that they do not
 * stand between the fuzzer and what lies behind them; 8 to 15, likewise over one that was scavenged
 * and is not compressed, so that its stones and marks are met; else the bytes are the file itself.
 * It is walked through and examined, too, as `sluice log verify` does.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/env_sim.h"
#include "stores/log/audit.h"
#include "stores/log/log_store.h"
#include "stores/log/packing.h"
#include "stores/log/scavenge.h"

enum { FILE_MAX = 256 << 10, EVENTS = 300 };

static const char *const sealed_path = "log/00000000000000000000.sealed";

static const char *setting(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "segment_bytes") == 0 ? "65536" : NULL;
}

static const struct sl_store_options options = {.location = "log", .name = "fuzz",
                                                .setting = setting};

static void wait_for(struct sl_env *env, struct sl_mailbox *mailbox)
{
    while (!sl_mailbox_take_all(mailbox)) {
        if (!sl_sim_step(env))
            (void)sl_sim_run(env, sl_env_monotonic(env) + 1000000);
    }
}

/* ---- A good log, made once ------------------------------------------------------------------- */

static const struct sl_schema schema = {
    .id = 1, .version = 1, .name = {"Done", 4}, .description = {"{}", 2}};

static void append_one(struct sl_env *env, struct sl_event_store *store,
                       struct sl_mailbox *mailbox, uint64_t epoch, uint64_t position)
{
    static const struct sl_text streams[] = {{"a/1", 3}, {"a/2", 3}, {"b/1", 3}};
    static const struct sl_text tag = {"a:1", 3};
    static const uint8_t body[200] = {1, 2, 3};
    const struct sl_schema *const schemas[] = {&schema};
    const struct sl_stored_event event = {.position = position, .schema = &schema,
                                          .stream = streams[position % 3], .tags = &tag,
                                          .tag_count = position % 2,
                                          .body = {body, position % sizeof body}};
    const struct sl_stored_outcome outcome = {.status = 201, .event_count = 1,
                                              .position = position};
    struct sl_append append = {.message = {.reply_to = mailbox}, .epoch = epoch,
                               .position = position, .events = &event, .event_count = 1,
                               .outcomes = &outcome, .outcome_count = 1, .schemas = schemas,
                               .schema_count = position == 0};

    if (!sl_event_store_append(store, &append))
        wait_for(env, mailbox);
    SL_ASSERT(append.result == SL_APPEND_DURABLE);
}

/* Files of the log whose first segments are sealed; the second byte of a path tells them apart. */
struct good {
    uint8_t *sealed, *scavenged, *raw;
    size_t sealed_len, scavenged_len, raw_len;
    char raw_path[40];
};

static uint8_t *copy_file(struct sl_env *env, const char *path, size_t *len)
{
    struct sl_slice bytes = {0};

    SL_ASSERT(sl_sim_disk_peek(env, path, &bytes) == SL_OK && bytes.len <= FILE_MAX);
    uint8_t *copy = malloc(bytes.len);
    SL_ASSERT(copy);
    memcpy(copy, bytes.ptr, bytes.len);
    *len = bytes.len;
    return copy;
}

static bool may_go(void *context, const struct sl_schema *its_schema, uint64_t position,
                   const struct sl_log_event *event)
{
    (void)context;
    (void)its_schema;
    (void)event;
    return position % 3 > 0;
}

static void pack(struct sl_log_packing *packing, const struct sl_log_seen *seen)
{
    struct sl_cursor cursor = sl_cursor_of(sl_log_batch_frames(seen->bytes));
    struct sl_error error = {0};
    struct sl_log_frame frame;

    SL_ASSERT(sl_log_packing_batch(packing, &seen->head, &error) == SL_OK);
    while (sl_log_frame_next_any(&cursor, &frame) == SL_OK)
        SL_ASSERT(sl_log_packing_frame(packing, &frame, &error) == SL_OK);
    SL_ASSERT(sl_log_packing_end_batch(packing));
}

/* Scavenges the first segment, and packs it once more without compression. */
static void scavenge(struct sl_env *env)
{
    struct sl_log_scavenge work = {.env = env, .path = "log", .may_go = may_go};
    struct sl_log_walk walk = {0};
    struct sl_log_packing packing;
    struct sl_error error = {0};
    struct sl_log_seen seen;

    SL_ASSERT(sl_log_scavenge(&work, &error) == SL_OK && work.stones > 0);
    SL_ASSERT(sl_log_walk_open(&walk, env, "log", &error) == SL_OK);
    const struct sl_log_sealed_head head = walk.unseal.head;
    SL_ASSERT(sl_log_packing_begin(&packing, &walk.folder, &head.segment, 0, "log", &error) ==
              SL_OK);
    sl_log_packer_free(packing.packer);
    packing.packer = NULL;
    while (walk.batch < head.next_batch) {
        SL_ASSERT(sl_log_walk_next(&walk, &seen, &error) == SL_OK);
        pack(&packing, &seen);
    }
    SL_ASSERT(sl_log_packing_end(&packing, &error) == SL_OK);
    while (packing.phase != SL_LOG_PACKING_DONE)
        SL_ASSERT(sl_log_packing_step(&packing, &error) == SL_OK);
    sl_log_packing_close(&packing);
    sl_log_walk_close(&walk);
}

static const struct good *good_log(void)
{
    static struct good good;
    struct sl_event_store *store;
    struct sl_mailbox *mailbox;
    struct sl_error error = {0};
    struct sl_env *env;

    if (good.sealed)
        return &good;
    SL_ASSERT(sl_env_sim_new(1, &env) == SL_OK && sl_mailbox_new(NULL, NULL, &mailbox) == SL_OK);
    SL_ASSERT(sl_event_store_open(&sl_log_store_ops, env, &options, &store, &error) == SL_OK);
    struct sl_claim claim = {.message = {.reply_to = mailbox}, .salt = 1};
    sl_event_store_claim(store, &claim);
    wait_for(env, mailbox);
    struct sl_slice bytes;
    /* The first segment is sealed as soon as the second begins, and that one is kept. */
    for (uint64_t position = 0; position < EVENTS; position++) {
        append_one(env, store, mailbox, claim.epoch, position);
        (void)sl_sim_run(env, INT64_MAX);
        if (sl_sim_disk_peek(env, sealed_path, &bytes) == SL_OK)
            break;
    }
    strcpy(good.raw_path, "log/00000000000000000001.seg");
    good.sealed = copy_file(env, sealed_path, &good.sealed_len);
    good.raw = copy_file(env, good.raw_path, &good.raw_len);
    sl_event_store_close(store);
    scavenge(env);
    good.scavenged = copy_file(env, sealed_path, &good.scavenged_len);
    sl_mailbox_free(mailbox);
    sl_env_free(env);
    return &good;
}

/* ---- The file under test --------------------------------------------------------------------- */

/* All checksums, as far as sizes lead to them. */
static void seal_again(uint8_t *file, size_t len)
{
    const uint64_t salt = sl_le64(file + 56), data_end = sl_le64(file + 136);
    struct sl_log_block_head block;

    sl_log_segment_head_seal(file);
    for (uint64_t at = SL_LOG_BLOCK; at + SL_LOG_SEALED_BLOCK_HEAD <= len && at < data_end;) {
        if (!sl_log_block_peek(file + at, &block) ||
            block.stored_bytes > len - at - SL_LOG_SEALED_BLOCK_HEAD)
            break;
        sl_log_block_seal(&block, salt, file + at);
        at += SL_LOG_SEALED_BLOCK_HEAD + block.stored_bytes;
    }
    for (uint64_t number = (data_end + SL_LOG_PAGE - 1) / SL_LOG_PAGE;
         number < len / SL_LOG_PAGE; number++) {
        uint8_t *page = file + number * SL_LOG_PAGE;
        const struct sl_log_page_head head = {(enum sl_log_page_kind)sl_le16(page + 8),
                                              sl_le32(page + 12)};
        sl_log_page_seal(&head, salt, number, page);
    }
}

static size_t make_sealed(const struct good *good, const uint8_t *bytes, size_t len, uint8_t *file)
{
    if (bytes[0] > 15 || len < 4) {
        memcpy(file, bytes + 1, len - 1);
        return len - 1;
    }
    const size_t good_len = bytes[0] > 7 ? good->scavenged_len : good->sealed_len;
    const size_t at = (size_t)sl_le16(bytes + 1) % good_len;
    memcpy(file, bytes[0] > 7 ? good->scavenged : good->sealed, good_len);
    if (at + len - 3 > good_len)
        len = good_len - at + 3;
    memcpy(file + at, bytes + 3, len - 3);
    seal_again(file, good_len);
    return good_len;
}

static void write_file(struct sl_env *env, const char *path, const uint8_t *bytes, size_t len)
{
    struct sl_error error = {0};
    struct sl_file *file;

    SL_ASSERT(sl_disk_open(env, path, SL_OPEN_WRITE | SL_OPEN_CREATE, &file, &error) == SL_OK);
    SL_ASSERT(len == 0 || sl_file_write_durable(file, 0, bytes, len, &error) == SL_OK);
    sl_file_close(file);
}

/* What is read is right or refused: positions in order, each with its schema; never a crash. */
static void use(struct sl_env *env, struct sl_event_store *store)
{
    static const struct sl_text key = {"a/1", 3};
    struct sl_mailbox *mailbox;
    SL_ASSERT(sl_mailbox_new(NULL, NULL, &mailbox) == SL_OK);

    for (int by = SL_READ_POSITION; by <= SL_READ_OUTCOMES; by++)
        for (int backwards = 0; backwards < (by == SL_READ_OUTCOMES ? 1 : 2); backwards++) {
            struct sl_read read = {.message = {.reply_to = mailbox}, .by = (enum sl_read_by)by,
                                   .key = key, .until = UINT64_MAX, .backwards = backwards == 1,
                                   .count_max = 1000, .bytes_max = SIZE_MAX};
            sl_event_store_read(store, &read);
            wait_for(env, mailbox);
            SL_ASSERT(read.err == SL_OK || read.err == SL_CORRUPT || read.err == SL_NO_MEMORY);
            for (size_t i = 0; i < read.event_count; i++) {
                SL_ASSERT(read.events[i].schema, "F1");
                SL_ASSERT(i == 0 || by == SL_READ_OUTCOMES ||
                          (read.events[i].position < read.events[i - 1].position) ==
                              (backwards == 1), "L1");
            }
            sl_arena_close(&read.arena);
        }
    sl_mailbox_free(mailbox);
}

/* A whole walk says that there is nothing wrong, or what. */
static void examine(struct sl_env *env)
{
    struct sl_log_walk walk = {.checks_pages = true};
    struct sl_log_audit audit = {0};
    struct sl_error error = {0};
    struct sl_log_seen seen;

    enum sl_err err = sl_log_walk_open(&walk, env, "log", &error);
    while (err == SL_OK) {
        err = sl_log_walk_next(&walk, &seen, &error);
        if (err == SL_OK)
            err = sl_log_audit_batch(&audit, &walk, &seen, &error);
    }
    SL_ASSERT(err == SL_NOT_FOUND || err == SL_CORRUPT || err == SL_UNSUPPORTED ||
              err == SL_NO_MEMORY);
    SL_ASSERT(audit.stones <= audit.events);
    sl_log_walk_close(&walk);
    sl_log_audit_close(&audit);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct good *good = good_log();
    static uint8_t file[FILE_MAX];
    struct sl_event_store *store;
    struct sl_error error = {0};
    struct sl_env *env;

    if (len < 2 || len > FILE_MAX)
        return 0;
    SL_ASSERT(sl_env_sim_new(1, &env) == SL_OK);
    SL_ASSERT(sl_disk_make_folder(env, "log", &error) == SL_OK);
    write_file(env, sealed_path, file, make_sealed(good, bytes, len, file));
    write_file(env, good->raw_path, good->raw, good->raw_len);
    examine(env);
    const enum sl_err err =
        sl_event_store_open(&sl_log_store_ops, env, &options, &store, &error);
    SL_ASSERT(err == SL_OK || err == SL_CORRUPT || err == SL_UNSUPPORTED || err == SL_NO_MEMORY);
    if (err == SL_OK) {
        use(env, store);
        sl_event_store_close(store);
    }
    sl_env_free(env);
    return 0;
}
