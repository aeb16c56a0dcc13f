/*
 * Messages between threads. The only place in the program with locks.
 *
 * A message is the first member of a larger struct; posting it hands the whole struct over to the
 * receiver (T1). A request usually comes back to its sender as its own answer.
 */
#ifndef SL_BASE_QUEUE_H
#define SL_BASE_QUEUE_H

#include "base/error.h"

struct sl_message {
    struct sl_message *next;
    struct sl_mailbox *reply_to; /* where the receiver posts it back, or NULL */
    uint32_t kind;               /* of the receiver's own enumeration */
};

/* Any number of senders, one receiver. */
struct sl_mailbox;

/* `wake` (may be NULL) is called by a sender, outside of the lock, when the mailbox was empty. */
enum sl_err sl_mailbox_new(void (*wake)(void *context), void *context,
                           struct sl_mailbox **out) SL_USE_RESULT;

/* Hands a message over. Any thread. Never fails and never blocks: what bounds a queue is the
 * bounded number of messages its senders own. */
void sl_mailbox_post(struct sl_mailbox *mailbox, struct sl_message *message);

/* Takes all messages, oldest first, linked by `next`; NULL when there are none. Receiver only. */
struct sl_message *sl_mailbox_take_all(struct sl_mailbox *mailbox);

/* As above, but waits until there is one, or until `deadline_ns` on the monotonic clock (INT64_MAX:
 * for ever) has passed. Receiver only. */
struct sl_message *sl_mailbox_wait(struct sl_mailbox *mailbox, int64_t deadline_ns);

/* Is something waiting? Receiver only. */
bool sl_mailbox_has_mail(struct sl_mailbox *mailbox);

/* Borrows what the receiver works on: true if it rests in sl_mailbox_wait, with nothing in hand and
 * nothing waiting. It stays there until the mailbox is given back, by the same thread and within
 * microseconds. So a question whose answer lies in memory costs no change of threads. */
bool sl_mailbox_borrow(struct sl_mailbox *mailbox) SL_USE_RESULT;
void sl_mailbox_give_back(struct sl_mailbox *mailbox);

/* What was given to sl_mailbox_new. Any thread. */
void *sl_mailbox_context(const struct sl_mailbox *mailbox);

/* The mailbox must be empty and no sender left. NULL is allowed. */
void sl_mailbox_free(struct sl_mailbox *mailbox);

#endif
