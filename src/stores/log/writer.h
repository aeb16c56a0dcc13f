/*
 * The writer: an actor that does what claims and appends ask for, in their order, several appends
 * with one write where they wait together.
 *
 * How the tail passes between the actor and the store's owner. The owner counts what it sends. The
 * actor counts what it has handled, and puts that number into the receipt, which it posts to the
 * owner's mailbox `home` when it has nothing left to do, before the last answers. When the owner
 * holds the receipt and its number equals what was sent, the actor has nothing and will touch
 * nothing: the tail is the owner's. With the next request that it sends, it gives the receipt back
 * first. A receipt that came home too early (more was sent meanwhile) is given back with the next
 * request, too. So the tail moves with messages, and there is one receipt.
 */
#ifndef SL_STORES_LOG_WRITER_H
#define SL_STORES_LOG_WRITER_H

#include "stores/log/tail.h"

struct sl_log_receipt {
    struct sl_message message;
    uint64_t handled;
    struct sl_log_numbers numbers; /* as they were then */
};

struct sl_log_writer {
    struct sl_mailbox *mailbox; /* the actor's */
    struct sl_mailbox *home;    /* the owner's, for the receipt */
    struct sl_env *env;
    /* The owner's. */
    uint64_t sent;
    struct sl_log_receipt *held; /* the receipt, or NULL while the actor has it */
    struct sl_log_numbers known; /* the last that a receipt told */
    /* The actor's. */
    struct sl_log_receipt *receipt; /* while the actor has it */
    uint64_t handled;
    struct sl_message *first, *last; /* requests not yet handled */
    bool closing;                   /* what waits is done without delay */
    struct sl_message close;
    /* Passes between them. */
    struct sl_log_receipt the_receipt;
    struct sl_log_tail tail;
};

/* Starts the actor over writer->tail, which is complete. `writer` stays where it is. */
enum sl_err sl_log_writer_start(struct sl_log_writer *writer, struct sl_env *env,
                                struct sl_error *error) SL_USE_RESULT;

/* The tail, when it is the owner's at this moment; else NULL. Until the next send. */
struct sl_log_tail *sl_log_writer_tail(struct sl_log_writer *writer);

void sl_log_writer_claim(struct sl_log_writer *writer, struct sl_claim *claim);
void sl_log_writer_append(struct sl_log_writer *writer, struct sl_append *append);

/* Waits for what is under way; the tail is the owner's from then on. Nothing happens when the
 * writer was not started. */
void sl_log_writer_stop(struct sl_log_writer *writer);

#endif
