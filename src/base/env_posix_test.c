/* What only the real environment does: a full disk, threads, deadlines, priorities. */
#include "base/env.h"
#include "tap/tap.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sl_env *env;

static void a_full_disk_is_a_limit(void)
{
    struct sl_error error = {0};
    struct sl_file *file = NULL;

    if (sl_disk_open(env, "/dev/full", SL_OPEN_WRITE, &file, &error) != SL_OK) {
        tap_skip("/dev/full is not there");
        return;
    }
    CHECK(sl_file_write(file, 0, "x", 1, &error) == SL_LIMIT);
    CHECK_STRING(error.message, "cannot write /dev/full: the disk is full");
    CHECK(sl_file_write_durable(file, 0, "x", 1, &error) == SL_LIMIT);
    sl_file_close(file);
}

/* Of a file that may grow no more a write is done in part: the rest is tried, and fails. */
static void a_partial_write_fails(void)
{
    struct sl_error error = {0};
    struct sl_file *file = NULL;
    struct rlimit before;
    char path[] = "env-posix-test-XXXXXX";
    static char bytes[10000];
    const int fd = mkstemp(path);

    REQUIRE(fd >= 0);
    close(fd);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const struct rlimit small = {6000, before.rlim_max};
    REQUIRE(sl_disk_open(env, path, SL_OPEN_WRITE, &file, &error) == SL_OK);
    void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const enum sl_err status = sl_file_write(file, 0, bytes, sizeof bytes, &error);
    uint64_t size = 0;
    const enum sl_err sized = sl_file_size(file, &size, NULL);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    CHECK(status == SL_IO && strstr(error.message, "File too large"));
    CHECK(sized == SL_OK && size == 6000);
    sl_file_close(file);
    unlink(path);
}

/* ---- Threads --------------------------------------------------------------------------------- */

struct probe {
    struct sl_mailbox *home; /* the test waits here */
    struct sl_message told;
    struct sl_mailbox *mailbox;
    pthread_t thread;
    char name[16];
    int nice;
    long io_priority;
    int64_t deadline;
    int64_t came;
    unsigned turns;
};

static void look_around(void *self, struct sl_message *message)
{
    struct probe *probe = self;

    probe->thread = pthread_self();
    pthread_getname_np(probe->thread, probe->name, sizeof probe->name);
    probe->nice = getpriority(PRIO_PROCESS, 0);
    probe->io_priority = syscall(SYS_ioprio_get, 1, 0);
    sl_mailbox_post(probe->home, message);
}

static void runs_on_its_own_thread(void)
{
    struct sl_error error;
    struct sl_message message = {0};
    struct probe probe = {0};

    for (int background = 0; background < 2; background++) {
        REQUIRE(sl_mailbox_new(NULL, NULL, &probe.home) == SL_OK);
        const struct sl_actor actor = {
            .name = "prober", .self = &probe, .step = look_around, .background = background == 1};
        REQUIRE(sl_env_start(env, &actor, &probe.mailbox, &error) == SL_OK);
        sl_mailbox_post(probe.mailbox, &message);
        CHECK(sl_mailbox_wait(probe.home, INT64_MAX) == &message);
        CHECK(!pthread_equal(probe.thread, pthread_self()));
        CHECK_STRING(probe.name, "prober");
        const int own = getpriority(PRIO_PROCESS, 0);
        CHECK(probe.nice == (background ? 10 : own));
        /* Where a system forbids it, the priority stays as it was: 0, "as the processor's". */
        CHECK(probe.io_priority == (background ? 2 << 13 | 7 : 0) || probe.io_priority <= 0);
        sl_env_stop(env, probe.mailbox);
        sl_mailbox_free(probe.home);
    }
}

static void set_deadline(void *self, struct sl_message *message)
{
    struct probe *probe = self;

    (void)message;
    probe->deadline = sl_env_monotonic(env) + 3000000;
}

/* The first turn sets a deadline, the second comes with it, and there is no third. */
static int64_t answer_at_deadline(void *self)
{
    struct probe *probe = self;

    probe->turns++;
    if (probe->turns == 1)
        return probe->deadline;
    if (probe->turns == 2) {
        probe->came = sl_env_monotonic(env);
        sl_mailbox_post(probe->home, &probe->told);
    }
    return INT64_MAX;
}

static void wakes_at_deadlines_alone(void)
{
    struct sl_error error;
    struct sl_message message = {0};
    struct probe probe = {0};

    REQUIRE(sl_mailbox_new(NULL, NULL, &probe.home) == SL_OK);
    const struct sl_actor actor = {
        .name = "waiter", .self = &probe, .step = set_deadline, .turn = answer_at_deadline};
    REQUIRE(sl_env_start(env, &actor, &probe.mailbox, &error) == SL_OK);
    sl_mailbox_post(probe.mailbox, &message);
    CHECK(sl_mailbox_wait(probe.home, INT64_MAX) == &probe.told);
    CHECK(probe.came >= probe.deadline);
    sl_env_stop(env, probe.mailbox);
    CHECK_U64(probe.turns, 3); /* the last one is that of the stop */
    sl_mailbox_free(probe.home);
}

int main(void)
{
    struct sl_error error;

    if (sl_env_posix_new(&env, &error) != SL_OK)
        return 1;
    const int status = TAP_RUN({"a full disk is a limit", a_full_disk_is_a_limit},
                               {"a partial write fails", a_partial_write_fails},
                               {"runs on its own thread", runs_on_its_own_thread},
                               {"wakes at deadlines alone", wakes_at_deadlines_alone});
    sl_env_free(env);
    return status;
}
