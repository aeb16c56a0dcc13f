/*
 * Each allocation and each disk call fails in turn, once or from then on, while the engine starts,
 * carries commands out, repeats them, answers from views, waits for a timer, stops and starts
 * again. It may say no (503, a start refused with a reason, a view that heals); it must not die,
 * lose memory, or leave behind what does not satisfy world_check.c on a sound machine.
 *
 * Every fault has a process of its own, so that one that kills is told like the others. Of
 * allocations, ./test takes for each place in the program that allocates its 1st, 2nd, 5th, 17th, …
 * time; ./test --long takes all. Of disk calls it takes every n-th.
 */
#include "tap/tap.h"
#include "tests/fault/memory.h"
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DISK_FAULTS = TAP_TIMES(90, 12), /* of each kind */
    SEED = 7,
    COMPLAINTS_MAX = 12,
};

static const int64_t second = INT64_C(1000000000);

struct fault {
    uint64_t memory_nth, memory_count;
    uint64_t disk_nth, disk_count;
    enum sl_err disk_as;
};

/* What a run told its parent. */
struct verdict {
    uint64_t allocations, disk_calls, failed;
    bool good;
    char text[200];
};

static struct world world;

/* ---- What is done meanwhile ------------------------------------------------------------------ */

static void listed(struct sl_view_listing *list)
{
    *(bool *)((char *)list + sizeof *list) = true;
}

static void list_a_view(void)
{
    static struct {
        struct sl_view_listing list;
        bool answered;
    } page;

    page.list = (struct sl_view_listing){.query = {.index = -1, .limit = 10}, .done = listed};
    page.answered = false;
    sl_view_list(sl_core_view_at(world.order, 0), &page.list);
    (void)world_run_until(&world, &page.answered, 10 * second);
    sl_buf_close(&page.list.json);
}

static void send_again(void)
{
    for (size_t i = 0; i < world.command_count; i++)
        world_send(&world, world.commands[i]);
    world_pass(&world, 2 * second);
}

static void live(void)
{
    for (size_t i = 0; i < 3; i++)
        world_open(&world, i);
    world_add(&world, 0);
    world_pass(&world, second);
    struct world_command *transfer = world_transfer(&world, 0, 1, 40);
    world_transfer(&world, 1, 2, 30);
    world_transfer(&world, 1, 2, 30); /* refused */
    struct world_command *order = world_place(&world, 0, 2, 100, 100);
    world_place(&world, 0, 2, 90000, 100); /* declined, and cancelled */
    world_place(&world, 0, 1, 10, 5);       /* its time will be over */
    world_pass(&world, 2 * second);
    send_again();
    world_ask(&world, transfer);
    world_ask(&world, order);
    list_a_view();
    world_end_order(&world, WORLD_SHIP, order->number);
    world_pass(&world, 10 * second);
}

static void leave(void)
{
    if (world.core && !world_stop(&world))
        world_crash(&world);
}

static void scenario(void)
{
    if (world_start(&world) == WORLD_READY)
        live();
    leave();
    if (world_start(&world) == WORLD_READY) {
        send_again();
        world_ask(&world, world.command_count ? world.commands[0] : NULL);
        world_pass(&world, 5 * second);
    }
    leave();
}

/* One run with a fault, in this process. */
static void run(const struct fault *fault, struct verdict *verdict)
{
    memory_take_sqlite();
    const int64_t live_before = memory_live();
    if (!world_make(&world, SEED))
        return;
    world.is_quiet = world.may_stall = true;
    memory_fail(fault->memory_nth, fault->memory_count);
    if (fault->disk_nth)
        sl_sim_disk_fault(world.env, fault->disk_nth, fault->disk_count, fault->disk_as);
    scenario();
    verdict->failed = memory_failed();
    verdict->allocations = memory_count();
    verdict->disk_calls = sl_sim_disk_all_calls(world.env);
    memory_fail(0, 0);
    sl_sim_disk_fault(world.env, 0, 1, SL_IO);
    world.may_stall = false;
    const bool starts = world_start(&world) == WORLD_READY;
    world_expect(&world, starts, world.error.message);
    if (starts)
        world_check_all(&world);
    leave();
    verdict->good = !world.bad;
    memcpy(verdict->text, world.complaint, sizeof verdict->text);
    world_free(&world);
    if (verdict->good && memory_live() != live_before) {
        verdict->good = false;
        snprintf(verdict->text, sizeof verdict->text, "%lld blocks of memory were lost",
                 (long long)(memory_live() - live_before));
    }
}

/* ---- One process a fault --------------------------------------------------------------------- */

static void read_all(int file, char *out, size_t size)
{
    size_t len = 0;
    ssize_t got;

    while (len < size && (got = read(file, out + len, size - len)) > 0)
        len += (size_t)got;
}

static void be_child(const struct fault *fault, int out, int errors)
{
    struct verdict verdict = {0};

    (void)dup2(errors, STDERR_FILENO);
    (void)alarm(TAP_TIMES(30, 120));
    run(fault, &verdict);
    (void)!write(out, &verdict, sizeof verdict);
    _exit(0);
}

/* False: it could not be run. */
static bool run_apart(const struct fault *fault, struct verdict *verdict)
{
    int out[2], errors[2], status;
    char message[180] = {0};

    *verdict = (struct verdict){0};
    if (getenv("SLUICE_HERE")) { /* for a debugger */
        run(fault, verdict);
        return true;
    }
    if (pipe(out) != 0 || pipe(errors) != 0)
        return false;
    const pid_t child = fork();
    if (child == 0)
        be_child(fault, out[1], errors[1]);
    (void)close(out[1]);
    (void)close(errors[1]);
    read_all(out[0], (char *)verdict, sizeof *verdict);
    read_all(errors[0], message, sizeof message - 1);
    (void)close(out[0]);
    (void)close(errors[0]);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    message[strcspn(message, "\n")] = 0;
    verdict->good = false;
    snprintf(verdict->text, sizeof verdict->text, "ended by signal %d: %s",
             WIFSIGNALED(status) ? WTERMSIG(status) : 0, message);
    return true;
}

/* Complaints, each kind once. */
struct complaints {
    char texts[COMPLAINTS_MAX][200];
    size_t count;
    unsigned bad, runs, hit;
};

static void judge(struct complaints *all, const char *what, uint64_t nth, const void *site,
                  const struct verdict *verdict)
{
    all->runs++;
    if (verdict->good)
        return;
    all->bad++;
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->texts[i], verdict->text) == 0)
            return;
    if (all->count == COMPLAINTS_MAX)
        return;
    memcpy(all->texts[all->count++], verdict->text, sizeof verdict->text);
    if (site)
        tap_note("%s %llu, asked for at %p: %s", what, (unsigned long long)nth, site,
                 verdict->text);
    else
        tap_note("%s %llu: %s", what, (unsigned long long)nth, verdict->text);
}

static bool is_long(void)
{
    const char *value = getenv("SLUICE_LONG");

    return value && strcmp(value, "1") == 0;
}

static uint64_t wanted(const char *name)
{
    const char *value = getenv(name);

    return value ? strtoull(value, NULL, 10) : 0;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static const void *sites[MEMORY_SITES_MAX];

/* Is this the 1st, 2nd, 5th, 17th, … time that its place asks? */
static bool is_chosen(uint64_t nth)
{
    uint64_t earlier = 0;

    for (uint64_t i = 0; i + 1 < nth; i++)
        earlier += sites[i] == sites[nth - 1];
    if (TAP_IS_SANITIZED)
        return earlier == 0;
    while (earlier > 1 && earlier % 4 == 0)
        earlier /= 4;
    return earlier <= 1;
}

static void allocations_fail(uint64_t count, const char *what)
{
    static struct complaints all;
    const struct fault none = {0};
    const uint64_t only = wanted("SLUICE_ALLOCATION");
    struct verdict verdict;

    all = (struct complaints){0};
    memory_record(sites);
    run(&none, &verdict);
    memory_record(NULL);
    REQUIRE(verdict.good || !CHECK_STRING(verdict.text, ""));
    const uint64_t total = verdict.allocations;
    for (uint64_t nth = only ? only : 1; nth <= (only ? only : total); nth++) {
        const struct fault fault = {.memory_nth = nth, .memory_count = count};
        if (!only && !is_long() && !is_chosen(nth))
            continue;
        REQUIRE(run_apart(&fault, &verdict));
        all.hit += verdict.failed > 0;
        judge(&all, what, nth, sites[nth - 1], &verdict);
    }
    tap_note("%u of %llu allocations failed, %u badly", all.runs, (unsigned long long)total,
             all.bad);
    CHECK(all.hit > 0 || only);
    CHECK_U64(all.bad, 0);
}

static void an_allocation_fails(void)
{
    allocations_fail(1, "allocation");
}

static void all_allocations_fail(void)
{
    allocations_fail(UINT64_MAX, "allocations from");
}

/* ---- Disk ------------------------------------------------------------------------------------ */

static void disk_calls_fail(uint64_t count, enum sl_err as, const char *what)
{
    static struct complaints all;
    const struct fault none = {0};
    const uint64_t only = wanted("SLUICE_CALL");
    struct verdict verdict;

    all = (struct complaints){0};
    REQUIRE(run_apart(&none, &verdict) && CHECK(verdict.good));
    const uint64_t total = verdict.disk_calls;
    const uint64_t stride = is_long() || total < DISK_FAULTS ? 1 : total / DISK_FAULTS;
    for (uint64_t nth = only ? only : 1; nth <= (only ? only : total); nth += stride) {
        const struct fault fault = {.disk_nth = nth, .disk_count = count, .disk_as = as};
        REQUIRE(run_apart(&fault, &verdict));
        judge(&all, what, nth, NULL, &verdict);
    }
    tap_note("%u of %llu calls failed, %u badly", all.runs, (unsigned long long)total, all.bad);
    CHECK_U64(all.bad, 0);
}

static void a_call_fails(void)
{
    disk_calls_fail(1, SL_IO, "disk call");
}

static void some_calls_fail(void)
{
    disk_calls_fail(25, SL_IO, "disk calls from");
}

static void all_calls_fail(void)
{
    disk_calls_fail(UINT64_MAX, SL_IO, "all disk calls from");
}

static void the_disk_is_full_once(void)
{
    disk_calls_fail(1, SL_LIMIT, "full at call");
}

static void the_disk_stays_full(void)
{
    disk_calls_fail(UINT64_MAX, SL_LIMIT, "full from call");
}

int main(void)
{
    return TAP_RUN({"an allocation fails", an_allocation_fails},
                   {"all allocations fail from one on", all_allocations_fail},
                   {"a disk call fails", a_call_fails},
                   {"some disk calls fail", some_calls_fail},
                   {"all disk calls fail from one on", all_calls_fail},
                   {"the disk is full for one call", the_disk_is_full_once},
                   {"the disk is full and stays so", the_disk_stays_full});
}
