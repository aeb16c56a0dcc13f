#include "base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/*
 * A list under a mutex. The receiver takes the whole list at once, so that under load a message
 * costs it a share of one lock; a sender signals only a receiver that waits, so that under load
 * nobody makes a system call.
 */
struct sl_mailbox {
    void (*wake)(void *context);
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t mail;
    /* Under the lock, but for looking whether `first` is NULL. */
    _Atomic(struct sl_message *) first;
    struct sl_message *last;
    bool waiting;
    bool borrowed;
    bool overslept; /* the receiver would have gone on, were it not borrowed */
};

enum sl_err sl_mailbox_new(void (*wake)(void *context), void *context, struct sl_mailbox **out)
{
    pthread_condattr_t attributes;
    struct sl_mailbox *mailbox = calloc(1, sizeof *mailbox);

    if (!mailbox)
        return SL_NO_MEMORY;
    mailbox->wake = wake;
    mailbox->context = context;
    /* On Linux none of these takes memory or can fail with valid arguments. */
    SL_ASSERT(pthread_mutex_init(&mailbox->lock, NULL) == 0);
    SL_ASSERT(pthread_condattr_init(&attributes) == 0);
    SL_ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    SL_ASSERT(pthread_cond_init(&mailbox->mail, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    *out = mailbox;
    return SL_OK;
}

void sl_mailbox_post(struct sl_mailbox *mailbox, struct sl_message *message)
{
    message->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    const bool was_empty = !atomic_load_explicit(&mailbox->first, memory_order_relaxed);
    if (was_empty)
        atomic_store_explicit(&mailbox->first, message, memory_order_relaxed);
    else
        mailbox->last->next = message;
    mailbox->last = message;
    void (*wake)(void *context) = was_empty ? mailbox->wake : NULL;
    void *context = mailbox->context;
    /* Under the lock: a receiver that waits for one answer frees its mailbox once it has it, so
     * that nothing of it may be touched after the unlock. */
    if (mailbox->waiting)
        pthread_cond_signal(&mailbox->mail);
    mailbox->waiting = false;
    pthread_mutex_unlock(&mailbox->lock);
    if (wake)
        wake(context);
}

/* Under the lock. */
static struct sl_message *take_locked(struct sl_mailbox *mailbox)
{
    struct sl_message *first = atomic_load_explicit(&mailbox->first, memory_order_relaxed);

    atomic_store_explicit(&mailbox->first, NULL, memory_order_relaxed);
    mailbox->last = NULL;
    return first;
}

struct sl_message *sl_mailbox_take_all(struct sl_mailbox *mailbox)
{
    /* A message posted at this moment is seen next time: its sender wakes us after this look. */
    if (!sl_mailbox_has_mail(mailbox))
        return NULL;
    pthread_mutex_lock(&mailbox->lock);
    struct sl_message *messages = take_locked(mailbox);
    pthread_mutex_unlock(&mailbox->lock);
    return messages;
}

struct sl_message *sl_mailbox_wait(struct sl_mailbox *mailbox, int64_t deadline_ns)
{
    const int64_t second = INT64_C(1000000000);
    const struct timespec deadline = {
        .tv_sec = deadline_ns > 0 ? deadline_ns / second : 0,
        .tv_nsec = deadline_ns > 0 ? deadline_ns % second : 0,
    };
    int status = 0;

    pthread_mutex_lock(&mailbox->lock);
    while (mailbox->borrowed || (!sl_mailbox_has_mail(mailbox) && status != ETIMEDOUT)) {
        mailbox->waiting = true;
        mailbox->overslept = mailbox->borrowed;
        if (deadline_ns == INT64_MAX || mailbox->borrowed)
            status = pthread_cond_wait(&mailbox->mail, &mailbox->lock);
        else
            status = pthread_cond_timedwait(&mailbox->mail, &mailbox->lock, &deadline);
        SL_ASSERT(status == 0 || status == ETIMEDOUT, "T1");
    }
    mailbox->waiting = false;
    struct sl_message *messages = take_locked(mailbox);
    pthread_mutex_unlock(&mailbox->lock);
    return messages;
}

bool sl_mailbox_borrow(struct sl_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    const bool rests = mailbox->waiting && !sl_mailbox_has_mail(mailbox);
    SL_ASSERT(!rests || !mailbox->borrowed, "T1");
    mailbox->borrowed = rests;
    pthread_mutex_unlock(&mailbox->lock);
    return rests;
}

void sl_mailbox_give_back(struct sl_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    SL_ASSERT(mailbox->borrowed, "T1");
    mailbox->borrowed = false;
    if (mailbox->overslept)
        pthread_cond_signal(&mailbox->mail);
    mailbox->overslept = false;
    pthread_mutex_unlock(&mailbox->lock);
}

bool sl_mailbox_has_mail(struct sl_mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->first, memory_order_relaxed) != NULL;
}

void *sl_mailbox_context(const struct sl_mailbox *mailbox)
{
    return mailbox->context;
}

void sl_mailbox_free(struct sl_mailbox *mailbox)
{
    if (!mailbox)
        return;
    SL_ASSERT(!sl_mailbox_has_mail(mailbox), "T1");
    pthread_cond_destroy(&mailbox->mail);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}
