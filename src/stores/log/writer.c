#include "stores/log/writer.h"

enum {
    /* Above the caller's bits of message.kind (SL_STORE_KIND_BITS). */
    RECEIPT = 0,
    CLAIM = 1,
    APPEND = 2,
    CLOSE = 3,
    WAIT_NS = 2000000, /* before it looks again whether the sealer has caught up */
    GROUP_BYTES_MAX = 1 << 20, /* appends join a batch until it is this large */
};

static uint32_t kind_of(const struct sl_message *message)
{
    return message->kind >> SL_STORE_KIND_BITS;
}

static void mark(struct sl_message *message, uint32_t kind)
{
    message->kind |= kind << SL_STORE_KIND_BITS;
}

static void unmark(struct sl_message *message)
{
    message->kind &= (UINT32_C(1) << SL_STORE_KIND_BITS) - 1;
}

/* ---- The actor ------------------------------------------------------------------------------- */

static void step(void *self, struct sl_message *message)
{
    struct sl_log_writer *writer = self;

    if (kind_of(message) == RECEIPT) {
        writer->receipt = (struct sl_log_receipt *)message;
        return;
    }
    if (kind_of(message) == CLOSE) {
        writer->closing = true;
        return;
    }
    message->next = NULL;
    if (writer->last)
        writer->last->next = message;
    else
        writer->first = message;
    writer->last = message;
}

static struct sl_message *take(struct sl_log_writer *writer)
{
    struct sl_message *message = writer->first;

    writer->first = message->next;
    if (!writer->first)
        writer->last = NULL;
    message->next = NULL;
    writer->handled++;
    return message;
}

/* Appends up to the next claim, as many as one write shall hold. Returns them in order. */
static struct sl_message *write_group(struct sl_log_writer *writer)
{
    struct sl_log_tail *tail = &writer->tail;
    struct sl_message *group = NULL, **end = &group;

    sl_log_tail_begin(tail);
    do {
        struct sl_message *message = take(writer);
        (void)sl_log_tail_add(tail, (struct sl_append *)message);
        *end = message;
        end = &message->next;
    } while (writer->first && kind_of(writer->first) == APPEND &&
             tail->batch.len < GROUP_BYTES_MAX);
    const enum sl_append_result result = sl_log_tail_commit(tail);
    for (struct sl_message *message = group; message; message = message->next) {
        struct sl_append *append = (struct sl_append *)message;
        if (append->result != 0)
            continue; /* not in the batch, answered when it was added */
        append->result = result;
        if (result != SL_APPEND_DURABLE)
            append->error = tail->error;
    }
    return group;
}

static void answer(struct sl_message *message)
{
    while (message) {
        struct sl_message *next = message->next;
        unmark(message);
        sl_mailbox_post(message->reply_to, message);
        message = next;
    }
}

static void send_receipt(struct sl_log_writer *writer)
{
    struct sl_log_receipt *receipt = writer->receipt;

    if (!receipt)
        return;
    writer->receipt = NULL;
    receipt->handled = writer->handled;
    receipt->numbers = writer->tail.numbers;
    sl_mailbox_post(writer->home, &receipt->message);
}

static int64_t turn(void *self)
{
    struct sl_log_writer *writer = self;

    while (writer->first) {
        struct sl_message *done;
        if (kind_of(writer->first) == APPEND && !writer->closing &&
            sl_log_tail_must_wait(&writer->tail))
            return sl_env_monotonic(writer->env) + WAIT_NS;
        if (kind_of(writer->first) == CLAIM) {
            done = take(writer);
            sl_log_tail_claim(&writer->tail, (struct sl_claim *)done);
        } else {
            done = write_group(writer);
        }
        /* The reader learns of the batch before its sender does (P3); the tail is given away before
         * the last answer, and not touched after. */
        sl_log_tail_tell(&writer->tail);
        if (!writer->first)
            send_receipt(writer);
        answer(done);
    }
    send_receipt(writer);
    return INT64_MAX;
}

/* ---- The owner ------------------------------------------------------------------------------- */

enum sl_err sl_log_writer_start(struct sl_log_writer *writer, struct sl_env *env,
                                struct sl_error *error)
{
    const struct sl_actor actor = {"log-writer", writer, step, turn, false};

    if (sl_mailbox_new(NULL, NULL, &writer->home) != SL_OK)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the log's mailboxes");
    writer->env = env;
    writer->held = &writer->the_receipt;
    writer->known = writer->tail.numbers;
    return sl_env_start(env, &actor, &writer->mailbox, error);
}

/* Takes the receipt in, if it came. */
static void collect(struct sl_log_writer *writer)
{
    struct sl_message *message = sl_mailbox_take_all(writer->home);

    if (!message)
        return;
    writer->held = (struct sl_log_receipt *)message;
    writer->known = writer->held->numbers;
}

struct sl_log_tail *sl_log_writer_tail(struct sl_log_writer *writer)
{
    if (!writer->held)
        collect(writer);
    return writer->held && writer->held->handled == writer->sent ? &writer->tail : NULL;
}

static void send(struct sl_log_writer *writer, struct sl_message *message, uint32_t kind)
{
    struct sl_log_tail *tail = sl_log_writer_tail(writer);

    /* What the owner made durable itself was noted before what the actor will note. */
    if (tail)
        sl_log_tail_tell(tail);
    if (writer->held) {
        struct sl_log_receipt *receipt = writer->held;
        writer->held = NULL;
        sl_mailbox_post(writer->mailbox, &receipt->message);
    }
    writer->sent++;
    mark(message, kind);
    sl_mailbox_post(writer->mailbox, message);
}

void sl_log_writer_claim(struct sl_log_writer *writer, struct sl_claim *claim)
{
    send(writer, &claim->message, CLAIM);
}

void sl_log_writer_append(struct sl_log_writer *writer, struct sl_append *append)
{
    send(writer, &append->message, APPEND);
}

void sl_log_writer_stop(struct sl_log_writer *writer)
{
    if (writer->mailbox) {
        mark(&writer->close, CLOSE);
        sl_mailbox_post(writer->mailbox, &writer->close);
        sl_env_stop(writer->env, writer->mailbox);
    }
    writer->mailbox = NULL;
    if (!writer->home)
        return;
    collect(writer);
    sl_mailbox_free(writer->home);
    writer->home = NULL;
}
