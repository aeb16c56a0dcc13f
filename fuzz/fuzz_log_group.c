/*
 * The file of a group of sealed segments, as the embedded event log meets it at open.
 *
 * First byte 0: the rest is the file. 1: a little-endian u16 is an offset, and what follows is put
 * there over a good file. Whatever the file is, each event is found by its stream and by its tag,
 * both ways: a group never denies what its segments have. 2: likewise, with the checksums put right
 * again, so that only what is found is right.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env_sim.h"
#include "stores/log/group.h"
#include "stores/log/log_store.h"

enum { FILE_MAX = 64 << 10, EVENTS_A_BATCH = 4, BODY_BYTES = 50000 };

static const char *const group_path = "log/00000000000000000000.8.group";
static const char *seal = "yes";

static const char *setting(void *context, const char *key)
{
    (void)context;
    if (strcmp(key, "seal") == 0)
        return seal;
    return strcmp(key, "segment_bytes") == 0 ? "65536" : NULL;
}

/* A log whose first eight segments are sealed, closed; made once. */
static struct log {
    struct sl_env *env;
    struct sl_mailbox *mailbox;
    struct sl_event_store *store;
    uint64_t next;
    uint8_t good[FILE_MAX];
    size_t good_len;
} the_log;

static void wait_for(struct log *log)
{
    while (!sl_mailbox_take_all(log->mailbox)) {
        if (!sl_sim_step(log->env))
            (void)sl_sim_run(log->env, sl_env_monotonic(log->env) + 1000000);
    }
}

static void open_store(struct log *log)
{
    const struct sl_store_options options = {.location = "log", .name = "fuzz", .setting = setting};
    struct sl_error error = {0};

    SL_ASSERT(sl_event_store_open(&sl_log_store_ops, log->env, &options, &log->store, &error) ==
              SL_OK);
}

static struct sl_text name(char *out, size_t size, const char *format, uint64_t position)
{
    const int len = snprintf(out, size, "%s%llu", format, (unsigned long long)position);

    return (struct sl_text){out, (size_t)len};
}

static void append(struct log *log, uint64_t epoch)
{
    static const struct sl_schema schema = {
        .id = 1, .version = 1, .name = {"Done", 4}, .description = {"{}", 2}};
    static const struct sl_schema *const schemas[] = {&schema};
    static const uint8_t body[BODY_BYTES];
    struct sl_stored_event events[EVENTS_A_BATCH] = {{0}};
    char streams[EVENTS_A_BATCH][24], marks[EVENTS_A_BATCH][24];
    struct sl_text tags[EVENTS_A_BATCH];

    for (uint64_t i = 0; i < EVENTS_A_BATCH; i++) {
        tags[i] = name(marks[i], sizeof marks[i], "mark:", log->next + i);
        events[i] = (struct sl_stored_event){
            .position = log->next + i,
            .schema = &schema,
            .stream = name(streams[i], sizeof streams[i], "rare/", log->next + i),
            .tags = &tags[i],
            .tag_count = 1,
            .body = {body, i == 0 ? BODY_BYTES : i}};
    }
    struct sl_append append = {.message = {.reply_to = log->mailbox},
                               .epoch = epoch,
                               .position = log->next,
                               .events = events,
                               .event_count = EVENTS_A_BATCH,
                               .schemas = schemas,
                               .schema_count = log->next == 0,
                               .bytes = BODY_BYTES};
    if (!sl_event_store_append(log->store, &append))
        wait_for(log);
    SL_ASSERT(append.result == SL_APPEND_DURABLE);
    log->next += EVENTS_A_BATCH;
}

static struct log *get_log(void)
{
    struct log *log = &the_log;
    struct sl_slice bytes;

    if (log->env)
        return log;
    SL_ASSERT(sl_env_sim_new(1, &log->env) == SL_OK &&
              sl_mailbox_new(NULL, NULL, &log->mailbox) == SL_OK);
    open_store(log);
    struct sl_claim claim = {.message = {.reply_to = log->mailbox}, .salt = 1};
    sl_event_store_claim(log->store, &claim);
    wait_for(log);
    while (sl_sim_disk_peek(log->env, group_path, &bytes) != SL_OK) {
        SL_ASSERT(log->next < 100);
        append(log, claim.epoch);
        (void)sl_sim_run(log->env, INT64_MAX);
    }
    SL_ASSERT(bytes.len <= sizeof log->good);
    memcpy(log->good, bytes.ptr, bytes.len);
    log->good_len = bytes.len;
    sl_event_store_close(log->store);
    seal = "no"; /* from now on nothing changes */
    return log;
}

/* ---- The file under test --------------------------------------------------------------------- */

static void seal_again(uint8_t *file, size_t len)
{
    const struct sl_log_page_head page = {.kind = SL_LOG_PAGES_FILTER};
    struct sl_log_group_head head = {.first = sl_le64(file + 48),
                                     .segment_count = sl_le32(file + 56),
                                     .page_count = sl_le32(file + 60),
                                     .identity = sl_le64(file + 64)};

    memcpy(head.log.bytes, file + 32, 16);
    sl_log_group_head_write(&head, file);
    for (size_t number = 1; (number + 1) * SL_LOG_PAGE <= len; number++)
        sl_log_page_seal(&page, head.identity, number, file + number * SL_LOG_PAGE);
}

static size_t make_file(const struct log *log, const uint8_t *bytes, size_t len, uint8_t *file)
{
    if (bytes[0] == 0 || len < 3) {
        memcpy(file, bytes + 1, len - 1);
        return len - 1;
    }
    const size_t at = (size_t)sl_le16(bytes + 1) % log->good_len;
    const size_t room = log->good_len - at;
    memcpy(file, log->good, log->good_len);
    memcpy(file + at, bytes + 3, len - 3 < room ? len - 3 : room);
    if (bytes[0] == 2)
        seal_again(file, log->good_len);
    return log->good_len;
}

static void write_file(struct log *log, const uint8_t *bytes, size_t len)
{
    struct sl_error error = {0};
    struct sl_file *file;

    SL_ASSERT(sl_disk_open(log->env, group_path, SL_OPEN_WRITE | SL_OPEN_CREATE, &file, &error) ==
              SL_OK);
    SL_ASSERT(sl_file_truncate(file, 0, &error) == SL_OK);
    SL_ASSERT(len == 0 || sl_file_write(file, 0, bytes, len, &error) == SL_OK);
    sl_file_close(file);
}

static void find(struct log *log, enum sl_read_by by, const char *what, uint64_t position,
                 bool may_miss)
{
    char key[24];

    for (int backwards = 0; backwards < 2; backwards++) {
        struct sl_read read = {.message = {.reply_to = log->mailbox},
                               .by = by,
                               .key = name(key, sizeof key, what, position),
                               .until = UINT64_MAX,
                               .backwards = backwards == 1,
                               .count_max = 10,
                               .bytes_max = SIZE_MAX};
        sl_event_store_read(log->store, &read);
        wait_for(log);
        SL_ASSERT(read.err == SL_OK && read.end);
        SL_ASSERT(read.event_count == 1 || (may_miss && read.event_count == 0), "P1");
        SL_ASSERT(read.event_count == 0 || read.events[0].position == position, "P1");
        sl_arena_close(&read.arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct log *log = get_log();
    static uint8_t file[FILE_MAX];

    if (len < 1 || len > FILE_MAX || bytes[0] > 2)
        return 0;
    write_file(log, file, make_file(log, bytes, len, file));
    open_store(log);
    for (uint64_t position = 0; position < log->next; position++) {
        find(log, SL_READ_STREAM, "rare/", position, bytes[0] == 2);
        find(log, SL_READ_TAG, "mark:", position, bytes[0] == 2);
        find(log, SL_READ_AGGREGATE, "mark/", position, bytes[0] == 2);
    }
    sl_event_store_close(log->store);
    return 0;
}
