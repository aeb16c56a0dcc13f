#include "base/env_posix.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct thread {
    struct sl_actor actor;
    struct sl_mailbox *mailbox;
    struct sl_message stop; /* posted once, last; handled by the loop itself */
    pthread_t id;
    char name[16];
};

/* Best effort: where the system refuses, the work is done all the same, at normal priority. */
static void lower_priority(void)
{
    const long who_thread = 1, class_best_effort = 2, level_lowest = 7;
    const pid_t self = (pid_t)syscall(SYS_gettid);

    (void)setpriority(PRIO_PROCESS, (id_t)self, 10);
    (void)syscall(SYS_ioprio_set, who_thread, (long)self, class_best_effort << 13 | level_lowest);
}

/* Nothing wakes the thread but a message or the deadline that the actor itself gave. */
static void *run(void *context)
{
    struct thread *thread = context;
    int64_t deadline = INT64_MAX;
    bool stopped = false;

    pthread_setname_np(pthread_self(), thread->name);
    if (thread->actor.background)
        lower_priority();
    while (!stopped) {
        struct sl_message *message = sl_mailbox_wait(thread->mailbox, deadline);

        while (message) {
            struct sl_message *next = message->next; /* step may give the message away */
            if (message == &thread->stop) {
                SL_ASSERT(!next, "T1"); /* posted after sl_env_stop */
                stopped = true;
            } else {
                thread->actor.step(thread->actor.self, message);
            }
            message = next;
        }
        if (thread->actor.turn)
            deadline = thread->actor.turn(thread->actor.self);
    }
    return NULL;
}

/* Signals are for the main thread: a new thread inherits the mask of the one that makes it. */
static int create_without_signals(struct thread *thread)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int status = pthread_create(&thread->id, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

enum sl_err posix_start(struct sl_env *env, const struct sl_actor *actor, struct sl_mailbox **out,
                        struct sl_error *error)
{
    struct posix_env *posix = (struct posix_env *)env;
    struct thread *thread = calloc(1, sizeof *thread);

    if (!thread || sl_mailbox_new(NULL, thread, &thread->mailbox) != SL_OK) {
        free(thread);
        return sl_fail(error, SL_NO_MEMORY, "no memory for the thread %s", actor->name);
    }
    thread->actor = *actor;
    memcpy(thread->name, actor->name, strlen(actor->name));
    thread->actor.name = thread->name;
    struct sl_mailbox *mailbox = thread->mailbox;
    const int status = create_without_signals(thread);
    if (status != 0) {
        sl_mailbox_free(mailbox);
        free(thread);
        return sl_fail(error, SL_LIMIT, "cannot start the thread %s: %s", actor->name,
                       strerrordesc_np(status));
    }
    atomic_fetch_add(&posix->actors, 1);
    *out = mailbox;
    return SL_OK;
}

void posix_stop(struct sl_env *env, struct sl_mailbox *mailbox)
{
    struct posix_env *posix = (struct posix_env *)env;
    struct thread *thread = sl_mailbox_context(mailbox);

    SL_ASSERT(!pthread_equal(thread->id, pthread_self()), "T1");
    sl_mailbox_post(mailbox, &thread->stop);
    pthread_join(thread->id, NULL);
    sl_mailbox_free(mailbox);
    free(thread);
    atomic_fetch_sub(&posix->actors, 1);
}

bool posix_borrow(struct sl_env *env, struct sl_mailbox *mailbox)
{
    (void)env;
    return sl_mailbox_borrow(mailbox);
}

void posix_give_back(struct sl_env *env, struct sl_mailbox *mailbox)
{
    (void)env;
    sl_mailbox_give_back(mailbox);
}
