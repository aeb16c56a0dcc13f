/*
 * Reading a log for doors: the store reads on a thread of its own, what it has read is made into
 * JSON or into events here, on the engine's thread, because that takes the domain's model. A
 * thousand events would take milliseconds, in which nobody else is served: so they are done in
 * slices, and between two of them the read lies in the engine's mailbox, like any other mail.
 */
#include "engine/core.h"

enum { SLICE_EVENTS = 64, SLICE_BYTES = 64 << 10 }; /* a fifth of a millisecond */

void sl_core_read(struct sl_core_read *read)
{
    read->read.message =
        (struct sl_message){.reply_to = read->domain->core->options.mailbox, .kind = SL_CORE_READ};
    read->next = read->event_count = 0;
    read->events = NULL;
    read->domain->reads_out++;
    sl_core_saw_reader(read->domain->core);
    sl_event_store_read(read->domain->store, &read->read);
}

/* Decodes one of those that were read, into the read's own arena. */
static enum sl_err decode_one(struct sl_core_read *read, const struct sl_stored_event *stored)
{
    struct sl_read *raw = &read->read;

    if (!read->events)
        read->events = sl_arena_zeroed(&raw->arena, raw->event_count + 1, sizeof *read->events);
    if (!read->events)
        return SL_NO_MEMORY;
    struct sl_event *event = &read->events[read->event_count];
    enum sl_err err = sl_core_event_decode(read->domain, stored, &raw->arena, event, &raw->error);
    if (err == SL_NOT_FOUND)
        return SL_OK; /* a type that the domain gave up */
    read->event_count += !err && event->type->name[0] != '$';
    return err;
}

static enum sl_err write_one(struct sl_core_read *read, const struct sl_stored_event *stored)
{
    if (read->event_count++ > 0)
        sl_buf_byte(&read->json, ',');
    return sl_core_event_json(read->domain, stored, &read->json);
}

/* Some of the events, so many as do no harm in one go. True: there are more. */
static bool do_slice(struct sl_core_read *read)
{
    struct sl_read *raw = &read->read;
    size_t bytes = 0;

    for (size_t i = 0; i < SLICE_EVENTS && bytes < SLICE_BYTES; i++) {
        if (raw->err || read->next == raw->event_count)
            return false;
        const struct sl_stored_event *stored = &raw->events[read->next++];
        bytes += stored->body.len;
        if (!stored->is_stone)
            raw->err = read->as_events ? decode_one(read, stored) : write_one(read, stored);
    }
    return !raw->err && read->next < raw->event_count;
}

/* What is left is done when the mail that has come meanwhile, and whatever it led to, is. */
void sl_core_read_done(struct sl_message *message)
{
    struct sl_core_read *read = (struct sl_core_read *)(void *)message;

    if (!read->as_stored && do_slice(read)) {
        SL_MARK("engine: a read goes on in another turn");
        sl_mailbox_post(read->domain->core->options.mailbox, message);
        return;
    }
    read->domain->reads_out--;
    read->done(read);
}

void sl_core_read_close(struct sl_core_read *read)
{
    sl_arena_close(&read->read.arena);
    sl_buf_close(&read->json);
}
