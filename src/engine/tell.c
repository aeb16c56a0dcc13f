/*
 * Telling those who watch a log. Usually an event is told in the turn in which its batch became
 * durable. But when nobody knew whether a batch was written, the next claim finds out: its events
 * were never announced, and are read from the log before anything later is told (P1).
 */
#include "engine/core.h"

enum {
    TELL_EVENTS = 1024,
    TELL_BYTES = 1 << 20,
};

static const int64_t again_after_ns = 1000000000;

static void tell_one(struct sl_core_domain *domain, const struct sl_stored_event *event)
{
    domain->tell.told = event->position + 1;
    for (struct sl_log_watch *watch = domain->watches, *next; watch; watch = next) {
        next = watch->next;
        watch->happened(watch, event);
    }
}

static void read_on(struct sl_core_domain *domain)
{
    struct sl_core_tell *tell = &domain->tell;
    const uint64_t durable = sl_writer_log(domain->writer)->durable;

    tell->again_ns = INT64_MAX;
    if (!domain->watches)
        tell->told = durable; /* whoever comes now is told of what comes now */
    if (tell->told >= durable)
        return;
    SL_MARK("engine: told from the log");
    tell->domain = domain;
    tell->under_way = true;
    tell->read = (struct sl_read){.message = {.reply_to = domain->core->options.mailbox,
                                              .kind = SL_CORE_TELL},
                                  .by = SL_READ_POSITION,
                                  .from = tell->told,
                                  .until = UINT64_MAX,
                                  .count_max = TELL_EVENTS,
                                  .bytes_max = TELL_BYTES,
                                  .arena = tell->read.arena};
    sl_event_store_read(domain->store, &tell->read);
}

void sl_core_tell_from(struct sl_core_domain *domain, uint64_t durable)
{
    const bool first = !domain->tell.domain;

    domain->tell.domain = domain;
    if (first)
        domain->tell.told = durable;
    if (!domain->tell.under_way)
        read_on(domain);
}

void sl_core_tell(struct sl_core_domain *domain, const struct sl_stored_event *events,
                  size_t count)
{
    if (domain->tell.under_way)
        return; /* the read, or the next one, meets them in the log */
    if (domain->tell.told != events[0].position && domain->watches) {
        read_on(domain);
        return;
    }
    domain->tell.told = events[0].position;
    for (size_t i = 0; i < count; i++)
        tell_one(domain, &events[i]);
}

void sl_core_tell_step(struct sl_message *message)
{
    struct sl_core_tell *tell = (struct sl_core_tell *)(void *)message;
    struct sl_read *read = &tell->read;

    tell->under_way = false;
    if (read->err) {
        sl_arena_close(&read->arena);
        tell->again_ns = sl_env_monotonic(tell->domain->core->options.env) + again_after_ns;
        return;
    }
    for (size_t i = 0; i < read->event_count; i++)
        if (read->events[i].position == tell->told)
            tell_one(tell->domain, &read->events[i]);
    sl_arena_close(&read->arena);
    read_on(tell->domain);
}

int64_t sl_core_tell_turn(struct sl_core_domain *domain, int64_t now)
{
    if (!domain->tell.domain || domain->tell.under_way)
        return INT64_MAX;
    if (domain->tell.again_ns <= now)
        read_on(domain);
    return domain->tell.again_ns;
}
