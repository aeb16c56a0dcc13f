/*
 * A large log of the embedded store, made and used through the store's own interface:
 *
 *   log_open fill FOLDER EVENTS [BATCH]   appends events like the bank's transfers, each with its
 *                                         outcome; prints events a second and bytes on disk
 *   log_open rest FOLDER                  opens it, and waits until all full segments are sealed
 *                                         and their groups have files; prints how long that took,
 *                                         and bytes on disk
 *   log_open use FOLDER                   opens it, and prints how long that took, what memory it
 *                                         takes, and how long reads take
 *
 * An account's history is its stream and its tag. Half of the transfers' sides are among the first
 * thousand accounts, the others spread over as many accounts as there are fifties of events. One
 * line of JSON each. SLUICE_SEAL=no and SLUICE_INDEX_MEMORY=bytes are the store's settings. `use`
 * asks the system to forget what it has cached of the files before it opens them.
 */
#include "samples.h"
#include "stores/log/log_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BATCH_MAX = 4096,
    BATCH_USUAL = 256,
    POPULAR = 1000,
    LOOKUPS = 2000,
    TAGS = 2,
    ID_BYTES = 32,
    BODY_BYTES = 88,
};

static const struct sl_schema schema = {
    .id = 1, .version = 1, .name = {"Transferred", 11}, .description = {"{}", 2}};

static struct sl_env *env;
static struct sl_mailbox *mailbox;
static uint64_t noise = 88172645463325252u;

static uint64_t draw(uint64_t limit)
{
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    return noise % limit;
}

static _Noreturn void die(const char *what, const struct sl_error *error)
{
    fprintf(stderr, "log_open: %s: %s\n", what, error->message);
    exit(1);
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    if (strcmp(key, "seal") == 0)
        return getenv("SLUICE_SEAL");
    return strcmp(key, "index_memory") == 0 ? getenv("SLUICE_INDEX_MEMORY") : NULL;
}

static struct sl_event_store *open_store(const char *folder)
{
    const struct sl_store_options options = {.location = folder, .name = "bench",
                                             .setting = setting};
    struct sl_event_store *store = NULL;
    struct sl_error error = {0};

    if (sl_event_store_open(&sl_log_store_ops, env, &options, &store, &error) != SL_OK)
        die("open", &error);
    return store;
}

static struct sl_claim claim_store(struct sl_event_store *store)
{
    struct sl_claim claim = {.message = {.reply_to = mailbox}, .salt = now_ns()};

    sl_event_store_claim(store, &claim);
    (void)sl_mailbox_wait(mailbox, INT64_MAX);
    if (claim.err != SL_OK)
        die("claim", &claim.error);
    return claim;
}

/* Bytes of the folder's files, the spare left out; `forget` drops them from the system's cache. */
static uint64_t folder_bytes(const char *folder, bool forget)
{
    DIR *dir = opendir(folder);
    uint64_t bytes = 0;

    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const int fd = openat(dirfd(dir), entry->d_name, O_RDONLY);
        struct stat stat;
        if (fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) &&
            strncmp(entry->d_name, "spare", 5) != 0)
            bytes += (uint64_t)stat.st_size;
        if (fd >= 0 && forget)
            (void)!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        if (fd >= 0)
            close(fd);
    }
    if (dir)
        closedir(dir);
    return bytes;
}

static uint64_t resident_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[128];
    uint64_t kib = 0;

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtoull(line + 6, NULL, 10);
    if (file)
        fclose(file);
    return kib;
}

/* ---- Filling --------------------------------------------------------------------------------- */

static uint64_t pick_account(uint64_t event_count)
{
    return draw(2) == 0 ? draw(POPULAR) : POPULAR + draw(event_count / 50 + 1);
}

struct room {
    struct sl_stored_event events[BATCH_MAX];
    struct sl_stored_outcome outcomes[BATCH_MAX];
    struct sl_text tags[BATCH_MAX][TAGS];
    char stream[BATCH_MAX][ID_BYTES];
    char tag[BATCH_MAX][TAGS][ID_BYTES];
    uint8_t body[BATCH_MAX][BODY_BYTES];
};

static void make_event(struct room *room, size_t i, uint64_t position, uint64_t event_count)
{
    const uint64_t accounts[TAGS] = {pick_account(event_count), pick_account(event_count)};
    const struct sl_time time = {INT64_C(1700000000000000000) + (int64_t)position * 20000};
    const uint64_t random[2] = {draw(UINT64_MAX), draw(UINT64_MAX)};
    const uint64_t amounts[2] = {draw(100000), draw(100000000)};

    for (int t = 0; t < TAGS; t++) {
        const int len = snprintf(room->tag[i][t], ID_BYTES, "account:%09" PRIu64, accounts[t]);
        room->tags[i][t] = (struct sl_text){room->tag[i][t], (size_t)len};
    }
    snprintf(room->stream[i], ID_BYTES, "account/%09" PRIu64, accounts[0]);
    memset(room->body[i], 0, BODY_BYTES);
    memcpy(room->body[i], room->tag[i][0] + 8, 9);
    memcpy(room->body[i] + 10, room->tag[i][1] + 8, 9);
    memcpy(room->body[i] + 20, amounts, sizeof amounts);
    snprintf((char *)room->body[i] + 40, 40, "EUR payment %" PRIu64, draw(100000));
    room->events[i] = (struct sl_stored_event){
        .position = position, .time = time, .schema = &schema, .tags = room->tags[i],
        .tag_count = TAGS, .stream = {room->stream[i], strlen(room->stream[i])},
        .body = {room->body[i], BODY_BYTES}};
    memcpy(room->events[i].command.bytes, random, 16);
    room->outcomes[i] = (struct sl_stored_outcome){.id = room->events[i].command, .time = time,
                                                   .status = 201, .event_count = 1,
                                                   .position = position};
    memcpy(room->outcomes[i].digest.bytes, random, 16);
}

static void fill(const char *folder, uint64_t event_count, size_t batch)
{
    struct sl_event_store *store = open_store(folder);
    const struct sl_claim claim = claim_store(store);
    const struct sl_schema *const schemas[] = {&schema};
    struct room *room = calloc(1, sizeof *room);
    uint64_t position = claim.next_position;
    const uint64_t end = position + event_count, start = now_ns();
    uint64_t slowest = 0;

    while (room && position < end) {
        struct sl_append append = {.message = {.reply_to = mailbox}, .epoch = claim.epoch,
                                   .position = position, .events = room->events,
                                   .event_count = batch, .outcomes = room->outcomes,
                                   .outcome_count = batch, .schemas = schemas,
                                   .schema_count = position == 0, .bytes = batch * 200,
                                   .flags = SL_APPEND_MAY_BLOCK};
        for (size_t i = 0; i < batch; i++)
            make_event(room, i, position + i, event_count);
        const uint64_t before = now_ns();
        if (!sl_event_store_append(store, &append))
            (void)sl_mailbox_wait(mailbox, INT64_MAX);
        if (append.result != SL_APPEND_DURABLE)
            die("append", &append.error);
        const uint64_t took = now_ns() - before;
        slowest = took > slowest ? took : slowest;
        position += batch;
    }
    const uint64_t took = now_ns() - start;
    printf("{\"events\":%" PRIu64 ",\"batch\":%zu,\"s\":%.2f,\"events_a_second\":%.0f,"
           "\"slowest_append_ms\":%.1f,\"rss_mib\":%.1f,\"disk_mib\":%.1f}\n",
           event_count, batch, (double)took / 1e9, (double)event_count / ((double)took / 1e9),
           (double)slowest / 1e6, (double)resident_kib() / 1024,
           (double)folder_bytes(folder, false) / 1048576);
    free(room);
    sl_event_store_close(store);
}

/* ---- Sealing --------------------------------------------------------------------------------- */

struct files {
    size_t raw; /* segments: the last is being written, all others wait to be sealed */
    size_t sealed, groups;
};

static struct files count_files(const char *folder)
{
    struct files files = {0};
    DIR *dir = opendir(folder);

    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot)
            continue;
        files.raw += strcmp(dot, ".seg") == 0 && strncmp(entry->d_name, "spare", 5) != 0;
        files.sealed += strcmp(dot, ".sealed") == 0;
        files.groups += strcmp(dot, ".group") == 0;
    }
    if (dir)
        closedir(dir);
    return files;
}

static bool is_at_rest(const char *folder)
{
    const struct files files = count_files(folder);

    return files.raw <= 1 &&
           files.groups >= files.sealed / 8 + files.sealed / 64 + files.sealed / 512;
}

static void rest(const char *folder)
{
    const struct files before = count_files(folder);
    const uint64_t start = now_ns();
    struct sl_event_store *store = open_store(folder);
    const uint64_t opened = now_ns();

    (void)claim_store(store);
    while (!is_at_rest(folder))
        (void)sl_mailbox_wait(mailbox, 100000000);
    const struct files after = count_files(folder);
    printf("{\"raw_segments\":%zu,\"sealed\":%zu,\"groups\":%zu,\"open_ms\":%.2f,\"s\":%.2f,"
           "\"disk_mib\":%.1f}\n", before.raw, after.sealed, after.groups,
           (double)(opened - start) / 1e6, (double)(now_ns() - start) / 1e9,
           (double)folder_bytes(folder, false) / 1048576);
    sl_event_store_close(store);
}

/* ---- Using ----------------------------------------------------------------------------------- */

static struct samples samples;

/* One read; what it took goes into the samples. Events it found. */
static size_t read_once(struct sl_event_store *store, struct sl_read *read)
{
    const uint64_t start = now_ns();

    read->message.reply_to = mailbox;
    read->bytes_max = SIZE_MAX;
    sl_event_store_read(store, read);
    (void)sl_mailbox_wait(mailbox, INT64_MAX);
    if (read->err != SL_OK)
        die("read", &read->error);
    if (samples.count < SAMPLES_MAX)
        samples.ns[samples.count++] = now_ns() - start;
    const size_t found = read->event_count;
    sl_arena_close(&read->arena);
    return found;
}

static void report(const char *what, size_t found)
{
    printf("{\"read\":\"%s\",\"events\":%zu,\"rss_mib\":%.1f} ", what, found,
           (double)resident_kib() / 1024);
    samples_print(&samples, 0);
    samples.count = 0;
}

static void read_histories(struct sl_event_store *store, const char *what, uint64_t low,
                           uint64_t high, size_t count_max)
{
    size_t found = 0;

    for (int i = 0; i < LOOKUPS; i++) {
        char key[ID_BYTES];
        const int len =
            snprintf(key, sizeof key, "account/%09" PRIu64, low + draw(high - low));
        struct sl_read read = {.by = SL_READ_AGGREGATE, .key = {key, (size_t)len},
                               .until = UINT64_MAX, .backwards = true, .count_max = count_max};
        found += read_once(store, &read);
    }
    report(what, found);
}

static void use(const char *folder)
{
    const uint64_t bytes = folder_bytes(folder, true), empty_kib = resident_kib();
    const uint64_t start = now_ns();
    struct sl_event_store *store = open_store(folder);
    const uint64_t opened = now_ns();
    const struct sl_claim claim = claim_store(store);
    const uint64_t end = claim.next_position;
    size_t found = 0;

    printf("{\"events\":%" PRIu64 ",\"disk_mib\":%.1f,\"open_ms\":%.2f,\"claim_ms\":%.2f,"
           "\"rss_mib\":%.1f,\"before_open_mib\":%.1f}\n", end, (double)bytes / 1048576,
           (double)(opened - start) / 1e6, (double)(now_ns() - opened) / 1e6,
           (double)resident_kib() / 1024, (double)empty_kib / 1024);
    read_histories(store, "nobody's history", end, 2 * end, SIZE_MAX);
    read_histories(store, "an account's history", POPULAR, POPULAR + end / 50, SIZE_MAX);
    read_histories(store, "the last 20 of a popular account", 0, POPULAR, 20);
    for (int i = 0; i < LOOKUPS; i++) {
        struct sl_read read = {.by = SL_READ_POSITION, .from = draw(end), .until = UINT64_MAX,
                               .count_max = 1};
        found += read_once(store, &read);
    }
    report("one position", found);
    found = 0;
    for (uint64_t next = 0; next < end && next < 2000000;) {
        struct sl_read read = {.by = SL_READ_POSITION, .from = next, .until = UINT64_MAX,
                               .count_max = 4096};
        found += read_once(store, &read);
        next = read.next;
    }
    report("from the start, 4096 at a time", found);
    sl_event_store_close(store);
}

int main(int argc, char **argv)
{
    struct sl_error error = {0};

    if (sl_env_posix_new(&env, &error) != SL_OK || sl_mailbox_new(NULL, NULL, &mailbox) != SL_OK)
        die("start", &error);
    if (argc >= 4 && strcmp(argv[1], "fill") == 0) {
        const size_t batch = argc > 4 ? strtoull(argv[4], NULL, 10) : BATCH_USUAL;
        fill(argv[2], strtoull(argv[3], NULL, 10), batch > 0 && batch <= BATCH_MAX ? batch : 1);
    } else if (argc == 3 && strcmp(argv[1], "rest") == 0) {
        rest(argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "use") == 0) {
        use(argv[2]);
    } else {
        fprintf(stderr, "usage: log_open fill FOLDER EVENTS [BATCH] | rest FOLDER | use FOLDER\n");
        return 2;
    }
    sl_mailbox_free(mailbox);
    sl_env_free(env);
    return 0;
}
