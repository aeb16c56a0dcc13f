#include "contracts/event_store_fault.h"

#include <stdlib.h>

/*
 * Every request's answer comes to an actor of ours, which posts it on. Before a request goes to the
 * inner store, the actor gets a `passage` for it (a mailbox keeps the order), so that it knows
 * where the answer belongs, whether it is to be another one, and when it may leave.
 */

enum {
    PASSAGE = 1, /* above the caller's bits of message.kind */
};

enum what {
    CLAIM,
    APPEND,
    READ,
};

struct passage {
    struct sl_message message;
    struct passage *next;
    enum what what;
    struct sl_message *request;
    struct sl_mailbox *reply_to;
    unsigned flags;                /* of an append */
    enum sl_append_result instead; /* of an append's result; 0: leave it */
    int64_t delay_ns;
    bool answered;
    int64_t due; /* once answered */
};

struct countdown {
    uint64_t left; /* 0: none */
    int code;
    bool carried_out;
    int64_t delay_ns;
};

struct fault {
    struct sl_event_store store;
    struct sl_event_store_ops ops;
    struct sl_env *env;
    struct sl_event_store *inner;
    struct sl_mailbox *mailbox;
    /* The owner's. */
    struct countdown claim, append, read, delay;
    enum sl_append_result stuck; /* until the next claim; 0: not */
    /* The actor's. */
    struct passage *first, **end;
};

static struct fault *fault_of(struct sl_event_store *store)
{
    return (struct fault *)store;
}

static bool strikes(struct countdown *countdown)
{
    return countdown->left > 0 && --countdown->left == 0;
}

/* ---- The actor ------------------------------------------------------------------------------- */

static void step(void *self, struct sl_message *message)
{
    struct fault *fault = self;
    struct passage *passage;

    if (message->kind >> SL_STORE_KIND_BITS == PASSAGE) {
        passage = (struct passage *)message;
        *fault->end = passage;
        fault->end = &passage->next;
    } else {
        for (passage = fault->first; passage && passage->request != message;)
            passage = passage->next;
        SL_ASSERT(passage, "T1");
        passage->answered = true;
    }
    if (passage->answered)
        passage->due = sl_env_monotonic(fault->env) + passage->delay_ns;
}

static void deliver(struct passage *passage)
{
    struct sl_message *request = passage->request;

    request->reply_to = passage->reply_to;
    if (passage->what == APPEND) {
        struct sl_append *append = (struct sl_append *)request;
        append->flags = passage->flags;
        if (passage->instead != 0) {
            append->result = passage->instead;
            (void)sl_fail(&append->error, SL_IO, "made to fail by a test");
        }
    }
    sl_mailbox_post(request->reply_to, request);
    free(passage);
}

static int64_t turn(void *self)
{
    struct fault *fault = self;
    const int64_t now = sl_env_monotonic(fault->env);
    int64_t next = INT64_MAX;
    bool in_order = true; /* no claim or append is waiting before this one */

    for (struct passage **place = &fault->first; *place;) {
        struct passage *passage = *place;
        const bool may = passage->what == READ || in_order;
        if (may && passage->answered && passage->due <= now) {
            *place = passage->next;
            deliver(passage);
            continue;
        }
        if (may && passage->answered && passage->due < next)
            next = passage->due;
        in_order = in_order && passage->what == READ;
        place = &passage->next;
    }
    fault->end = &fault->first;
    while (*fault->end)
        fault->end = &(*fault->end)->next;
    return next;
}

/* ---- The owner ------------------------------------------------------------------------------- */

static struct passage *make_passage(struct fault *fault, enum what what,
                                    struct sl_message *request)
{
    struct passage *passage = calloc(1, sizeof *passage);

    SL_ASSERT(passage, "M1"); /* it is a tool of tests */
    passage->message.kind = (uint32_t)PASSAGE << SL_STORE_KIND_BITS;
    passage->what = what;
    passage->request = request;
    passage->reply_to = request->reply_to;
    if (strikes(&fault->delay))
        passage->delay_ns = fault->delay.delay_ns;
    return passage;
}

/* True: the request goes on to the inner store. */
static bool send(struct fault *fault, struct passage *passage, bool answered)
{
    passage->answered = answered;
    passage->request->reply_to = fault->mailbox;
    sl_mailbox_post(fault->mailbox, &passage->message);
    return !answered;
}

static void fault_claim(struct sl_event_store *store, struct sl_claim *claim)
{
    struct fault *fault = fault_of(store);
    struct passage *passage = make_passage(fault, CLAIM, &claim->message);
    const bool fails = strikes(&fault->claim);

    if (fails)
        claim->err = sl_fail(&claim->error, (enum sl_err)fault->claim.code,
                             "made to fail by a test");
    else
        fault->stuck = 0;
    if (send(fault, passage, fails))
        sl_event_store_claim(fault->inner, claim);
}

static bool fault_append(struct sl_event_store *store, struct sl_append *append)
{
    struct fault *fault = fault_of(store);
    struct passage *passage = make_passage(fault, APPEND, &append->message);
    bool goes_on = fault->stuck == 0;

    passage->flags = append->flags;
    passage->instead = fault->stuck;
    if (strikes(&fault->append) && goes_on) {
        fault->stuck = passage->instead = (enum sl_append_result)fault->append.code;
        goes_on = fault->append.carried_out;
    }
    append->flags &= ~(unsigned)SL_APPEND_MAY_BLOCK;
    if (send(fault, passage, !goes_on)) {
        const bool done = sl_event_store_append(fault->inner, append);
        SL_ASSERT(!done, "T1");
    }
    return false;
}

static bool fault_read(struct sl_event_store *store, struct sl_read *read)
{
    struct fault *fault = fault_of(store);
    struct passage *passage = make_passage(fault, READ, &read->message);
    const bool fails = strikes(&fault->read);

    if (fails)
        read->err = sl_fail(&read->error, (enum sl_err)fault->read.code, "made to fail by a test");
    read->at_once = false;
    if (send(fault, passage, fails))
        (void)sl_event_store_read(fault->inner, read);
    return false;
}

static void fault_describe(struct sl_event_store *store, struct sl_buf *out)
{
    sl_event_store_describe(fault_of(store)->inner, out);
}

static void fault_close(struct sl_event_store *store)
{
    struct fault *fault = fault_of(store);

    /* The inner store answers what it has into our mailbox; then nobody posts there any more. */
    sl_event_store_close(fault->inner);
    sl_env_stop(fault->env, fault->mailbox);
    while (fault->first) {
        struct passage *passage = fault->first;
        fault->first = passage->next;
        SL_ASSERT(passage->answered, "T1");
        deliver(passage); /* closing waits for no delay */
    }
    free(fault);
}

static enum sl_err fault_open(struct sl_env *env, const struct sl_store_options *options,
                              struct sl_event_store **out, struct sl_error *error)
{
    (void)env;
    (void)options;
    (void)out;
    return sl_fail(error, SL_UNSUPPORTED, "made by sl_event_store_fault_new alone");
}

enum sl_err sl_event_store_fault_new(struct sl_env *env, struct sl_event_store *inner,
                                     struct sl_event_store **out, struct sl_error *error)
{
    struct fault *fault = calloc(1, sizeof *fault);

    if (!fault)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a store that fails");
    fault->ops = (struct sl_event_store_ops){
        .abi = SL_EVENT_STORE_ABI,
        .scheme = inner->ops->scheme,
        .capabilities = inner->ops->capabilities &
                        ~(uint32_t)(SL_STORE_APPENDS_INLINE | SL_STORE_READS_AT_ONCE),
        .open = fault_open,
        .claim = fault_claim,
        .append = fault_append,
        .read = fault_read,
        .describe = fault_describe,
        .close = fault_close,
    };
    fault->store.ops = &fault->ops;
    fault->env = env;
    fault->inner = inner;
    fault->end = &fault->first;
    const struct sl_actor actor = {"store-fault", fault, step, turn, false};
    const enum sl_err err = sl_env_start(env, &actor, &fault->mailbox, error);
    if (err != SL_OK) {
        free(fault);
        return err;
    }
    *out = &fault->store;
    return SL_OK;
}

void sl_event_store_fault_append(struct sl_event_store *store, uint64_t nth,
                                 enum sl_append_result result, bool carried_out)
{
    SL_ASSERT(result != SL_APPEND_DURABLE && (!carried_out || result == SL_APPEND_UNKNOWN));
    fault_of(store)->append = (struct countdown){.left = nth, .code = (int)result,
                                                 .carried_out = carried_out};
}

void sl_event_store_fault_claim(struct sl_event_store *store, uint64_t nth, enum sl_err err)
{
    fault_of(store)->claim = (struct countdown){.left = nth, .code = (int)err};
}

void sl_event_store_fault_read(struct sl_event_store *store, uint64_t nth, enum sl_err err)
{
    fault_of(store)->read = (struct countdown){.left = nth, .code = (int)err};
}

void sl_event_store_fault_delay(struct sl_event_store *store, uint64_t nth, int64_t delay_ns)
{
    fault_of(store)->delay = (struct countdown){.left = nth, .delay_ns = delay_ns};
}
