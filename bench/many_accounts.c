/*
 * How the write side fares with more accounts than memory holds.
 *
 *     many_accounts FOLDER ACCOUNTS MEMORY_MIB SECONDS [long]
 *
 * Makes the accounts, one event each, then adds to random ones, every one as likely as the next,
 * with 2,000 commands under way; prints commands a second, and what is resident. With `long`, a
 * thousand accounts get 2,000 events each, and after a restart each is asked for once: by
 * snapshots, then, these being taken away, by its whole history. The log and the files of ids are
 * the real ones on a real disk; ids have 32 MiB of memory. There are no views and no network.
 * SLUICE_INDEX_MEMORY=bytes is the log's setting.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/writer.h"
#include "stores/log/log_store.h"

enum { WINDOW = 2000, LONG_ACCOUNTS = 1000, LONG_EVENTS = 2000, ID_MEMORY = 32 << 20 };

struct add {
    uint64_t id;
    int64_t amount;
};
struct account {
    int64_t balance;
    uint64_t count;
    int64_t largest;
};

static const struct sl_record add_record =
    SL_RECORD(struct add, SL_FIELD(struct add, id), SL_FIELD(struct add, amount));
static const struct sl_record account_record = SL_RECORD(struct account,
    SL_FIELD(struct account, balance),
    SL_FIELD(struct account, count),
    SL_FIELD(struct account, largest));
static const struct sl_event_type added = {"Added", 1, &add_record};

static void evolve(void *state, const struct sl_event *event)
{
    struct account *account = state;
    const struct add *body = event->body;

    account->balance += body->amount;
    account->count++;
    if (body->amount > account->largest)
        account->largest = body->amount;
}

static const struct sl_aggregate accounts = {"account", &account_record, evolve};

static enum sl_verdict decide(const struct sl_case *c, struct sl_decision *out)
{
    *(struct add *)sl_emit(out, &added, 0) = *(const struct add *)c->command;
    return SL_ACCEPTED;
}

static const struct sl_domain domain = {
    .name = "bench",
    .commands = SL_LIST(const struct sl_command,
        {"Add", &add_record, decide, SL_LIST(const struct sl_need, {&accounts, "id"})}),
    .events = SL_LIST(const struct sl_event_type *const, &added),
};

struct slot {
    struct sl_submission submission;
    struct add body;
    bool busy;
};

struct bench {
    struct sl_env *env;
    struct sl_mailbox *mailbox;
    struct sl_model model;
    struct sl_event_store *store;
    struct sl_writer *writer;
    const char *log, *snapshots, *id_files;
    size_t memory;
    struct slot slots[WINDOW];
    struct slot *free_slots[WINDOW];
    size_t free_count;
    uint64_t ids, done, failed;
    uint64_t random;
};

static void nothing(void *context)
{
    (void)context;
}

static void durable(void *context, const struct sl_event *events,
                    const struct sl_stored_event *stored, size_t count)
{
    (void)context;
    (void)events;
    (void)stored;
    (void)count;
}

static void answer(void *context, struct sl_submission *submission,
                   const struct sl_outcome *outcome)
{
    (void)context;
    submission->done(submission, outcome);
}

static void done(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct bench *bench = submission->user;

    bench->done++;
    bench->failed += outcome->status != 201;
    bench->free_slots[bench->free_count++] = (struct slot *)(void *)submission;
}

static const char *setting(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "index_memory") == 0 ? getenv("SLUICE_INDEX_MEMORY") : NULL;
}

static void must(enum sl_err err, const struct sl_error *error)
{
    if (!err)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

/* Handles what has come, and ends the turn; waits for at most `wait_ns`. */
static void turn(struct bench *bench, int64_t wait_ns)
{
    struct sl_message *message = sl_mailbox_wait(
        bench->mailbox, wait_ns ? sl_env_monotonic(bench->env) + wait_ns : 0);

    while (message) {
        struct sl_message *next = message->next;
        sl_writer_step(message);
        message = next;
    }
    (void)sl_writer_turn(bench->writer, true);
}

static void start(struct bench *bench)
{
    struct sl_error error = {0};
    const struct sl_store_options store = {bench->log, "bench", setting, NULL};
    const int64_t before = sl_env_monotonic(bench->env);

    must(sl_event_store_open(&sl_log_store_ops, bench->env, &store, &bench->store, &error),
         &error);
    const struct sl_writer_options options = {.env = bench->env,
                                              .mailbox = bench->mailbox,
                                              .model = &bench->model,
                                              .store = bench->store,
                                              .queue_max = 65536,
                                              .id_window_s = 3600,
                                              .id_memory_max = ID_MEMORY,
                                              .ids_folder = bench->id_files,
                                              .aggregate_memory_max = bench->memory,
                                              .snapshots_folder = bench->snapshots,
                                              .reigns = nothing,
                                              .durable = durable,
                                              .answer = answer,
                                              .context = bench};
    must(sl_writer_open(&options, &bench->writer, &error), &error);
    while (!sl_writer_log(bench->writer)->ready)
        turn(bench, 1000000);
    printf("open in %.2f s\n", (double)(sl_env_monotonic(bench->env) - before) / 1e9);
}

static void stop(struct bench *bench)
{
    sl_writer_stop(bench->writer);
    sl_event_store_close(bench->store);
    (void)sl_mailbox_take_all(bench->mailbox);
    sl_writer_close(bench->writer);
}

static void add(struct bench *bench, uint64_t account)
{
    struct slot *slot = bench->free_slots[--bench->free_count];
    const uint64_t id = ++bench->ids;

    slot->body = (struct add){account, 5};
    slot->submission.id = (struct sl_uuid){{0}};
    memcpy(slot->submission.id.bytes, &id, sizeof id);
    memcpy(slot->submission.id.bytes + 8, &bench->random, sizeof bench->random);
    sl_writer_submit(bench->writer, &slot->submission);
}

static void finish(struct bench *bench)
{
    while (bench->free_count < WINDOW)
        turn(bench, 1000000);
}

static long resident_mib(const char *what)
{
    char line[200];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, what, strlen(what)) == 0)
            kib = strtol(line + strlen(what), NULL, 10);
    if (file)
        fclose(file);
    return kib / 1024;
}

static void report(struct bench *bench, const char *what, uint64_t count, int64_t since)
{
    struct sl_writer_numbers numbers;
    const double seconds = (double)(sl_env_monotonic(bench->env) - since) / 1e9;

    sl_writer_numbers(bench->writer, &numbers);
    printf("%s: %llu in %.1f s, %.0f/s; resident %ld MiB (peak %ld); %llu accounts in memory, "
           "%llu MiB; %llu readings, %llu snapshots kept, %llu used; %llu failed\n",
           what, (unsigned long long)count, seconds, (double)count / seconds,
           resident_mib("VmRSS:"), resident_mib("VmHWM:"),
           (unsigned long long)numbers.aggregates,
           (unsigned long long)numbers.aggregate_bytes >> 20, (unsigned long long)numbers.loads,
           (unsigned long long)numbers.snapshots_kept, (unsigned long long)numbers.snapshots_used,
           (unsigned long long)bench->failed);
    fflush(stdout);
}

/* Each of `count` accounts once, `times` over. */
static void each(struct bench *bench, const char *what, uint64_t first, uint64_t count,
                 uint64_t times)
{
    const int64_t since = sl_env_monotonic(bench->env);

    for (uint64_t i = 0; i < count * times; i++) {
        while (bench->free_count == 0)
            turn(bench, 1000000);
        add(bench, first + i % count);
    }
    finish(bench);
    report(bench, what, count * times, since);
}

static void uniform(struct bench *bench, uint64_t count, int64_t seconds)
{
    const int64_t since = sl_env_monotonic(bench->env);
    const uint64_t before = bench->done;

    while (sl_env_monotonic(bench->env) - since < seconds * 1000000000) {
        while (bench->free_count > 0) {
            bench->random = bench->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            add(bench, (bench->random >> 20) % count);
        }
        turn(bench, 1000000);
    }
    finish(bench);
    report(bench, "random", bench->done - before, since);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    static const struct sl_principal nobody;
    static char log[600], snapshots[600], ids[600];
    struct sl_error error = {0};

    if (argc < 5) {
        fprintf(stderr, "many_accounts FOLDER ACCOUNTS MEMORY_MIB SECONDS [long]\n");
        return 2;
    }
    const uint64_t count = strtoull(argv[2], NULL, 10);
    must(sl_env_posix_new(&bench.env, &error), &error);
    must(sl_model_init(&bench.model, &domain, &error), &error);
    must(sl_mailbox_new(NULL, NULL, &bench.mailbox), &error);
    snprintf(log, sizeof log, "%s/log", argv[1]);
    snprintf(snapshots, sizeof snapshots, "%s/snapshots", argv[1]);
    snprintf(ids, sizeof ids, "%s/ids", argv[1]);
    must(sl_disk_make_folder(bench.env, argv[1], &error), &error);
    bench.log = log;
    bench.snapshots = snapshots;
    bench.id_files = ids;
    bench.memory = (size_t)strtoull(argv[3], NULL, 10) << 20;
    for (size_t i = 0; i < WINDOW; i++) {
        bench.slots[i].submission = (struct sl_submission){.command = &domain.commands.items[0],
                                                           .body = &bench.slots[i].body,
                                                           .principal = &nobody,
                                                           .done = done,
                                                           .user = &bench};
        bench.free_slots[bench.free_count++] = &bench.slots[i];
    }
    sl_env_random(bench.env, &bench.random, sizeof bench.random);
    start(&bench);
    if (sl_writer_log(bench.writer)->durable < count)
        each(&bench, "made", 0, count, 1);
    uniform(&bench, count, (int64_t)strtoll(argv[4], NULL, 10));
    if (argc > 5) {
        each(&bench, "long histories", count, LONG_ACCOUNTS, LONG_EVENTS);
        stop(&bench);
        start(&bench);
        each(&bench, "read after a restart", count, LONG_ACCOUNTS, 1);
        stop(&bench);
        start(&bench);
        each(&bench, "by snapshots", count, LONG_ACCOUNTS, 1);
        stop(&bench);
        bench.snapshots = NULL;
        start(&bench);
        each(&bench, "by whole histories", count, LONG_ACCOUNTS, 1);
    }
    stop(&bench);
    sl_mailbox_free(bench.mailbox);
    sl_model_close(&bench.model);
    sl_env_free(bench.env);
    return 0;
}
