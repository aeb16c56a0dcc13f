#include "contracts/event_store.h"

/* Limits of one append, looked at before an adapter sees it, so that none has to. What breaks one
 * is a bug of the engine, which refuses commands that are too large long before. */
static void check_events(const struct sl_append *append, size_t *bytes)
{
    for (size_t i = 0; i < append->event_count; i++) {
        const struct sl_stored_event *event = &append->events[i];

        SL_ASSERT(event->position == append->position + i, "L1");
        SL_ASSERT(event->schema, "F1");
        SL_ASSERT(!event->is_stone);
        SL_ASSERT(event->stream.len > 0 && event->stream.len <= SL_STORE_STREAM_BYTES_MAX, "M1");
        SL_ASSERT(event->tag_count <= SL_STORE_TAGS_MAX, "M1");
        for (uint32_t tag = 0; tag < event->tag_count; tag++)
            SL_ASSERT(event->tags[tag].len <= SL_STORE_TAG_BYTES_MAX, "M1");
        SL_ASSERT(event->body.len <= SL_STORE_EVENT_BYTES_MAX, "M1");
        *bytes += event->body.len;
    }
}

static void check_append(const struct sl_append *append)
{
    size_t bytes = 0;

    SL_ASSERT(append->event_count == 0 || append->events);
    SL_ASSERT(append->outcome_count == 0 || append->outcomes);
    SL_ASSERT(append->schema_count == 0 || append->schemas);
    SL_ASSERT(append->position <= UINT64_MAX - append->event_count, "L1");
    check_events(append, &bytes);
    for (size_t i = 0; i < append->outcome_count; i++) {
        const struct sl_stored_outcome *outcome = &append->outcomes[i];

        SL_ASSERT(outcome->reply.len <= SL_STORE_EVENT_BYTES_MAX, "M1");
        SL_ASSERT(outcome->position <= append->position + append->event_count &&
                      outcome->event_count <=
                          append->position + append->event_count - outcome->position,
                  "L4"); /* an outcome never knows an event that the log does not have */
        bytes += outcome->reply.len;
    }
    SL_ASSERT(bytes <= SL_STORE_BATCH_BYTES_MAX, "M1");
}

static void check_message(const struct sl_message *message)
{
    SL_ASSERT(message->reply_to, "T1");
    SL_ASSERT(message->kind >> SL_STORE_KIND_BITS == 0, "T1");
}

enum sl_err sl_event_store_open(const struct sl_event_store_ops *ops, struct sl_env *env,
                                const struct sl_store_options *options,
                                struct sl_event_store **out, struct sl_error *error)
{
    struct sl_event_store *store = NULL;

    if (ops->abi != SL_EVENT_STORE_ABI)
        return sl_fail(error, SL_UNSUPPORTED,
                       "the event store %s was built for interface %u, this program has %u: "
                       "rebuild the adapter", ops->scheme, ops->abi, SL_EVENT_STORE_ABI);
    SL_ASSERT(ops->scheme && ops->open && ops->claim && ops->append && ops->read && ops->close);
    SL_ASSERT(env && options && options->location && options->name && options->setting);
    const enum sl_err err = ops->open(env, options, &store, error);
    if (err != SL_OK)
        return err;
    SL_ASSERT(store && store->ops == ops);
    *out = store;
    return SL_OK;
}

void sl_event_store_claim(struct sl_event_store *store, struct sl_claim *claim)
{
    check_message(&claim->message);
    *claim = (struct sl_claim){.message = claim->message, .salt = claim->salt};
    store->ops->claim(store, claim);
}

bool sl_event_store_append(struct sl_event_store *store, struct sl_append *append)
{
    check_message(&append->message);
    check_append(append);
    append->result = 0;
    append->error = (struct sl_error){0};
    const unsigned flags = append->flags;
    const bool done = store->ops->append(store, append);
    if (done) {
        /* When it is not done, it is no longer ours to look at. */
        SL_ASSERT(flags & SL_APPEND_MAY_BLOCK, "T1");
        SL_ASSERT(append->result >= SL_APPEND_DURABLE && append->result <= SL_APPEND_FENCED);
    }
    return done;
}

bool sl_event_store_read(struct sl_event_store *store, struct sl_read *read)
{
    const uint32_t capabilities = store->ops->capabilities;

    check_message(&read->message);
    SL_ASSERT(read->by >= SL_READ_POSITION && read->by <= SL_READ_OUTCOMES);
    SL_ASSERT(read->from <= read->until && read->count_max > 0);
    SL_ASSERT(!read->backwards || (read->by != SL_READ_OUTCOMES &&
                                   (capabilities & SL_STORE_BACKWARDS)));
    SL_ASSERT((read->by != SL_READ_TAG && read->by != SL_READ_AGGREGATE) ||
              (capabilities & SL_STORE_READS_TAGS));
    read->err = SL_OK;
    read->error = (struct sl_error){0};
    read->events = NULL;
    read->event_count = 0;
    read->outcomes = NULL;
    read->outcome_count = 0;
    read->next = 0;
    read->end = false;
    read->durable = 0;
    const bool at_once = read->at_once;
    const bool done = store->ops->read(store, read);
    /* When it is not done, it is no longer ours to look at. */
    SL_ASSERT(!done || (at_once && read->err == SL_OK), "T1");
    return done;
}

void sl_event_store_describe(struct sl_event_store *store, struct sl_buf *out)
{
    if (store->ops->describe)
        store->ops->describe(store, out);
}

void sl_event_store_close(struct sl_event_store *store)
{
    if (store)
        store->ops->close(store);
}
