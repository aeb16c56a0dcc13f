/*
 * What remembering command ids costs: src/command/ids alone, on the real disk, with files and
 * merging as in the server. The log is not there: an outcome's id is a function of its cursor, by
 * which what files say is checked, as the log would.
 *
 *     ids FOLDER KIND MILLIONS MEMORY_MIB
 *
 * KIND is v7 (UUIDv7 of the moment, a simulated 11,574 a second, which is a billion a day) or
 * random.
 * Each id is first asked for, as a command's is: in memory, by the filters, and, where these do not
 * know, in the files; then it is added.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command/ids.h"

enum { IN_FLIGHT = 64, BATCH = 256, A_DAY = 1000000000 };

struct bench {
    struct sl_env *env;
    struct sl_mailbox *mailbox;
    struct sl_id_window ids;
    struct sl_uuid log;
    struct sl_epoch epoch;
    bool v7;
    struct sl_id_lookup lookups[IN_FLIGHT], *free[IN_FLIGHT];
    uint64_t wanted[IN_FLIGHT]; /* the cursor that must be found; UINT64_MAX: none */
    size_t free_count;
    uint64_t asked, vain, missed;
    bool opened;
};

static struct bench bench;

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

/* How long single calls took, in steps of an eighth of a power of two. */
struct times {
    uint64_t buckets[512], count;
    int64_t most_ns;
};

static void note(struct times *times, int64_t ns)
{
    const uint64_t value = ns > 0 ? (uint64_t)ns : 1;
    const int power = 63 - __builtin_clzll(value);
    const uint64_t eighth = power >= 3 ? value >> (power - 3) & 7 : 0;

    times->buckets[power * 8 + (int)eighth]++;
    times->count++;
    if (ns > times->most_ns)
        times->most_ns = ns;
}

/* An upper bound of what this share of calls took. */
static long long quantile(const struct times *times, double share)
{
    const uint64_t wanted = (uint64_t)(share * (double)times->count);
    uint64_t seen = 0;

    for (int i = 0; i < 512; i++) {
        seen += times->buckets[i];
        if (seen > wanted) {
            const int power = i / 8;
            return power >= 3 ? (long long)(8 + i % 8 + 1) << (power - 3) : 1ll << (power + 1);
        }
    }
    return times->most_ns;
}

static const int64_t start_s = 1800000000;

static int64_t time_ms(uint64_t cursor)
{
    return start_s * 1000 + (int64_t)(cursor * 86400 / (A_DAY / 1000));
}

static struct sl_uuid id_of(uint64_t cursor)
{
    struct sl_uuid id;
    const uint64_t a = mix(cursor * 2 + 1), b = mix(cursor * 2 + 2);

    memcpy(id.bytes, &a, 8);
    memcpy(id.bytes + 8, &b, 8);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | (bench.v7 ? 0x70 : 0x40));
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    for (int i = 0; i < 6 && bench.v7; i++)
        id.bytes[i] = (uint8_t)((uint64_t)time_ms(cursor) >> (40 - 8 * i));
    return id;
}

static void came(struct sl_message *message)
{
    if (message->kind == 1) {
        sl_ids_changed(&bench.ids, (struct sl_id_change *)(void *)message);
    } else if (message->kind == 2) {
        struct sl_id_job *job = (struct sl_id_job *)(void *)message;
        SL_ASSERT(job->err == SL_OK);
        bench.opened = bench.opened || job->work == SL_ID_OPEN;
        sl_ids_job_done(&bench.ids, job);
    } else {
        struct sl_id_lookup *lookup = (struct sl_id_lookup *)(void *)message;
        const uint64_t wanted = bench.wanted[lookup - bench.lookups];
        bool found = false;
        SL_ASSERT(lookup->err == SL_OK);
        for (size_t i = 0; i < lookup->found_count; i++)
            found = found || lookup->found[i].cursor == wanted;
        bench.vain += wanted == UINT64_MAX;
        bench.missed += wanted != UINT64_MAX && !found;
        bench.free[bench.free_count++] = lookup;
    }
}

static void take_mail(bool wait)
{
    struct sl_message *message = wait ? sl_mailbox_wait(bench.mailbox, INT64_MAX)
                                      : sl_mailbox_take_all(bench.mailbox);
    while (message) {
        struct sl_message *next = message->next;
        came(message);
        message = next;
    }
}

/* Asks for an id as a command does. Returns whether memory knew it. */
static bool ask(struct sl_uuid id, uint64_t wanted)
{
    struct sl_id_ask asks[SL_ID_ASKS_MAX];

    if (sl_ids_find(&bench.ids, id))
        return true;
    /* What is probed must be asked before files change. */
    while (bench.free_count == 0)
        take_mail(true);
    const size_t count = sl_ids_probe(&bench.ids, id, asks);
    if (count == 0) {
        bench.missed += wanted != UINT64_MAX;
        return false;
    }
    struct sl_id_lookup *lookup = bench.free[--bench.free_count];
    lookup->ask_count = count;
    memcpy(lookup->asks, asks, count * sizeof *asks);
    bench.wanted[lookup - bench.lookups] = wanted;
    bench.asked += count;
    sl_ids_look_up(&bench.ids, lookup);
    return false;
}

static void drain(void)
{
    while (bench.free_count < IN_FLIGHT)
        take_mail(true);
}

static double seconds_of(int64_t ns)
{
    return (double)ns / 1e9;
}

static size_t resident(void)
{
    unsigned long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file) {
        if (fscanf(file, "%lu %lu", &size, &pages) != 2)
            pages = 0;
        fclose(file);
    }
    return (size_t)pages * 4096;
}

static void turn(void)
{
    sl_ids_turn(&bench.ids, bench.log, &bench.epoch, 1, bench.ids.durable);
    take_mail(false);
}

static void fill(uint64_t count)
{
    struct times adds = {0};
    const int64_t begun = sl_env_monotonic(bench.env);
    int64_t waited = 0;

    for (uint64_t i = 0; i < count; i++) {
        const struct sl_uuid id = id_of(i);
        SL_ASSERT(!ask(id, UINT64_MAX));
        const struct sl_known_id known = {.id = id, .digest = id, .position = i, .status = 201,
                                          .time_s = (uint32_t)(time_ms(i) / 1000),
                                          .event_count = 1};
        const int64_t before = sl_env_monotonic(bench.env);
        while (sl_ids_is_full(&bench.ids)) {
            turn();
            if (sl_ids_is_full(&bench.ids))
                take_mail(true);
        }
        const int64_t from = sl_env_monotonic(bench.env);
        waited += from - before;
        SL_ASSERT(sl_ids_add(&bench.ids, known) == SL_OK);
        note(&adds, sl_env_monotonic(bench.env) - from);
        if (i % BATCH == BATCH - 1) {
            sl_ids_durable(&bench.ids, bench.ids.next);
            turn();
        }
    }
    const double took = seconds_of(sl_env_monotonic(bench.env) - begun);
    drain();
    printf("added              %.0f a second (%.1f s, of which %.1f s waiting for files)\n",
           (double)count / took, took, seconds_of(waited));
    printf("one add            p50 %lld ns, p99 %lld, p99.9 %lld, most %lld\n",
           quantile(&adds, 0.5), quantile(&adds, 0.99), quantile(&adds, 0.999),
           (long long)adds.most_ns);
    printf("asked in vain      %.4f reads of a file for each new id\n",
           (double)bench.asked / (double)count);
}

static void look(const char *what, uint64_t from, uint64_t span, uint64_t count, bool known)
{
    const int64_t begun = sl_env_monotonic(bench.env);

    bench.asked = 0;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t cursor = from + mix(i + 12345) % span;
        (void)ask(id_of(cursor), known ? cursor : UINT64_MAX);
    }
    drain();
    const double took = seconds_of(sl_env_monotonic(bench.env) - begun);
    printf("%-18s %.0f a second, %.3f reads each\n", what, (double)count / took,
           (double)bench.asked / (double)count);
}

static void report_memory(uint64_t count)
{
    const struct sl_id_set *set = &bench.ids.set;
    size_t fences = 0, filters = 0, disk = 0;

    for (size_t i = 0; i < set->count; i++) {
        const struct sl_id_member *member = &set->members[i];
        uint64_t size = 0;
        struct sl_error error;
        fences += sl_id_file_fence_bytes(member->file);
        for (unsigned class = 0; class < SL_ID_CLASSES; class++)
            filters += member->layers[class] *
                       sl_id_file_layer_bytes(member->file, (enum sl_id_class)class);
        SL_ASSERT(sl_file_size(member->file->file, &size, &error) == SL_OK);
        disk += size;
        printf("  file             %.1f M ids, filter layers %d/%d/%d\n",
               (double)(member->file->head.end - member->file->head.first) / 1e6,
               member->layers[0], member->layers[1], member->layers[2]);
    }
    const double in_files = (double)sl_id_set_end(set);
    printf("memory             %.1f MiB resident; filters %.1f MiB, fences %.1f MiB: %.2f bits an "
           "id in files\n", (double)resident() / 1048576, (double)filters / 1048576,
           (double)fences / 1048576, (double)(filters + fences) * 8 / in_files);
    printf("disk               %.2f bytes an id; %.1f M of %.1f M ids in %zu files\n",
           (double)disk / in_files, in_files / 1e6, (double)count / 1e6, set->count);
}

static void open_ids(const char *folder, size_t memory)
{
    const struct sl_ids_options options = {.env = bench.env, .owner = bench.mailbox,
                                           .folder = folder, .window_s = 86400,
                                           .memory_max = memory, .change_kind = 1, .job_kind = 2,
                                           .lookup_kind = 3};
    struct sl_error error;

    bench.opened = false;
    SL_ASSERT(sl_ids_init(&bench.ids, &options, &error) == SL_OK);
    sl_ids_open_files(&bench.ids, bench.log, &bench.epoch, 1, UINT64_MAX / 2);
    while (!bench.opened)
        take_mail(true);
    sl_ids_reset(&bench.ids, sl_id_set_end(&bench.ids.set));
}

int main(int argc, char **argv)
{
    struct sl_error error;

    if (argc != 5) {
        fprintf(stderr, "usage: ids FOLDER v7|random MILLIONS MEMORY_MIB\n");
        return 2;
    }
    const uint64_t count = strtoull(argv[3], NULL, 10) * 1000000;
    const size_t memory = (size_t)strtoull(argv[4], NULL, 10) << 20;
    bench.v7 = strcmp(argv[2], "v7") == 0;
    bench.epoch = (struct sl_epoch){1, 1, 0};
    for (size_t i = 0; i < IN_FLIGHT; i++)
        bench.free[bench.free_count++] = &bench.lookups[i];
    if (sl_env_posix_new(&bench.env, &error) != SL_OK ||
        sl_mailbox_new(NULL, NULL, &bench.mailbox) != SL_OK)
        return 1;
    open_ids(argv[1], memory);
    printf("%s, %.0f M ids, %zu MiB\n", argv[2], (double)count / 1e6, memory >> 20);
    fill(count);
    /* Merging goes on for a while. */
    const int64_t until = sl_env_monotonic(bench.env) + 5000000000;
    while (sl_env_monotonic(bench.env) < until) {
        turn();
        usleep(10000);
    }
    const uint64_t lookups = count / 10 < 300000 ? count / 10 : 300000;
    look("known ids", 0, count, lookups, true);
    if (!bench.v7)
        look("unknown ids", count, UINT64_C(1) << 40, lookups, false);
    report_memory(count);
    SL_ASSERT(bench.missed == 0, "C1");
    sl_ids_stop(&bench.ids);
    sl_ids_close(&bench.ids);
    (void)sl_mailbox_take_all(bench.mailbox);
    const int64_t begun = sl_env_monotonic(bench.env);
    open_ids(argv[1], memory);
    printf("opened again       in %.3f s\n", seconds_of(sl_env_monotonic(bench.env) - begun));
    sl_ids_stop(&bench.ids);
    sl_ids_close(&bench.ids);
    (void)sl_mailbox_take_all(bench.mailbox);
    sl_mailbox_free(bench.mailbox);
    sl_env_free(bench.env);
    return 0;
}
