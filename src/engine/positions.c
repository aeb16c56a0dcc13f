/* Position tokens, command ids, reading the log as JSON, and numbers. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "command/digest.h"
#include "engine/core.h"
#include "record/pack.h"
#include "record/value.h"

/* ---- Tokens ---------------------------------------------------------------------------------- */

static const char hex[] = "0123456789abcdef";

void sl_core_token(const struct sl_core_domain *domain, uint64_t position, struct sl_buf *out)
{
    const struct sl_writer_log *log = sl_writer_log(domain->writer);
    /* Of the reign that wrote the last event below it, and not of one that has begun there since:
     * so the token of a position stays the same, and a repeat gets the same reply (P4). */
    const uint64_t salt = position > 0          ? sl_writer_salt_at(log, position - 1)
                          : log->epoch_count > 0 ? log->epochs[0].salt
                                                 : log->salt;
    const char *name = domain->domain->name;

    sl_buf_append(out, name, strlen(name));
    sl_buf_byte(out, ':');
    for (int shift = 60; shift >= 0; shift -= 4)
        sl_buf_byte(out, (uint8_t)hex[salt >> shift & 15]);
    sl_buf_byte(out, ':');
    sl_buf_u64(out, position);
}

static bool read_salt(struct sl_text text, uint64_t *out)
{
    uint64_t salt = 0;

    if (text.len != 16)
        return false;
    for (size_t i = 0; i < 16; i++) {
        const char *digit = memchr(hex, text.ptr[i], 16);
        if (!digit)
            return false;
        salt = salt << 4 | (uint64_t)(digit - hex);
    }
    *out = salt;
    return true;
}

enum sl_err sl_core_token_read(const struct sl_core_domain *domain, struct sl_text token,
                               uint64_t *out_position)
{
    const struct sl_writer_log *log = sl_writer_log(domain->writer);
    const char *first = token.len ? memchr(token.ptr, ':', token.len) : NULL;
    const size_t name_len = first ? (size_t)(first - token.ptr) : 0;
    uint64_t salt, position;

    if (!first || token.len < name_len + 19 || token.ptr[name_len + 17] != ':' ||
        !read_salt((struct sl_text){first + 1, 16}, &salt) ||
        !sl_value_read_u64((struct sl_text){token.ptr + name_len + 18, token.len - name_len - 18},
                           &position))
        return SL_INVALID;
    if (strlen(domain->domain->name) != name_len ||
        memcmp(domain->domain->name, token.ptr, name_len) != 0)
        return SL_NOT_FOUND;
    /* P9: a token is valid inside its reign's stretch only. */
    for (size_t i = 0; i < log->epoch_count; i++) {
        if (log->epochs[i].salt != salt)
            continue;
        const bool last = i + 1 == log->epoch_count;
        if (position < log->epochs[i].first_position ||
            (!last && position > log->epochs[i + 1].first_position) ||
            (last && position > log->next))
            return SL_CONFLICT;
        *out_position = position;
        return SL_OK;
    }
    return SL_CONFLICT;
}

/* ---- Ids ------------------------------------------------------------------------------------- */

struct sl_uuid sl_command_id(struct sl_text text)
{
    struct sl_uuid id;

    if (sl_value_read_uuid(text, &id) && !sl_uuid_is_nil(id))
        return id;
    const struct sl_slice part = {(const uint8_t *)text.ptr, text.len};
    return sl_hash_id(&part, 1, 0x1d);
}

struct sl_uuid sl_command_item_id(struct sl_uuid id, uint64_t item)
{
    uint8_t number[8];

    for (int i = 0; i < 8; i++)
        number[i] = (uint8_t)(item >> (8 * i));
    const struct sl_slice parts[] = {{id.bytes, sizeof id.bytes}, {number, sizeof number}};
    return sl_hash_id(parts, 2, 0x17e3);
}

struct sl_uuid sl_core_digest(const struct sl_core_domain *domain, const struct sl_slice *parts,
                              size_t count)
{
    const struct sl_uuid log = sl_writer_log(domain->writer)->log;

    SL_ASSERT(!sl_uuid_is_nil(log), "a log is known once it was claimed");
    return sl_digest_keyed(log, parts, count);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void write_member(struct sl_buf *out, const char *name, struct sl_text text)
{
    sl_buf_printf(out, ",\"%s\":", name);
    sl_json_write_text(out, text);
}

static enum sl_err write_body(struct sl_core_domain *domain, const struct sl_stored_event *event,
                              struct sl_arena *arena, struct sl_buf *out)
{
    const struct sl_record *record;
    struct sl_error error = {0};
    const struct sl_event_model *model = sl_model_event_named(&domain->model, event->schema->name);
    enum sl_err err = SL_OK;

    /* As the log describes it: the event is shown as it was written, whatever the program has
     * since. */
    if (model && model->type->version == event->schema->version)
        record = model->type->record;
    else
        err = sl_record_from_description(event->schema->description, arena, &record, &error);
    if (err)
        return err;
    void *body = sl_arena_zeroed(arena, 1, record->size);
    if (!body)
        return SL_NO_MEMORY;
    err = sl_unpack(record, event->body, arena, body, &error);
    if (!err)
        sl_json_write(out, record, body);
    return err;
}

enum sl_err sl_core_event_json(struct sl_core_domain *domain, const struct sl_stored_event *event,
                               struct sl_buf *out)
{
    struct sl_arena arena = {0};
    const size_t before = out->len;

    SL_BUF_LITERAL(out, "{\"position\":");
    sl_buf_u64(out, event->position);
    write_member(out, "type", event->schema->name);
    write_member(out, "stream", event->stream);
    SL_BUF_LITERAL(out, ",\"revision\":");
    sl_buf_u64(out, event->revision);
    SL_BUF_LITERAL(out, ",\"time\":\"");
    sl_value_write_time(out, event->time);
    SL_BUF_LITERAL(out, "\",\"command\":\"");
    sl_value_write_uuid(out, event->command);
    sl_buf_byte(out, '"');
    const struct sl_text by = sl_model_by(event);
    if (by.len > 0)
        write_member(out, "by", by);
    SL_BUF_LITERAL(out, ",\"tags\":[");
    for (uint32_t i = 0; i < event->tag_count - (by.len > 0); i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        sl_json_write_text(out, event->tags[i]);
    }
    SL_BUF_LITERAL(out, "],\"body\":");
    enum sl_err err = write_body(domain, event, &arena, out);
    sl_buf_byte(out, '}');
    sl_arena_close(&arena);
    if (err || out->failed)
        out->len = before;
    return err ? err : out->failed ? SL_LIMIT : SL_OK;
}

enum sl_err sl_core_event_decode(const struct sl_core_domain *domain,
                                 const struct sl_stored_event *event, struct sl_arena *arena,
                                 struct sl_event *out, struct sl_error *error)
{
    return sl_model_decode(&domain->model, event, arena, out, error);
}

void sl_core_watch(struct sl_core_domain *domain, struct sl_log_watch *watch)
{
    watch->next = domain->watches;
    domain->watches = watch;
}

void sl_core_unwatch(struct sl_core_domain *domain, struct sl_log_watch *watch)
{
    struct sl_log_watch **link = &domain->watches;

    while (*link && *link != watch)
        link = &(*link)->next;
    if (*link)
        *link = watch->next;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

void sl_core_numbers(const struct sl_core_domain *domain, struct sl_domain_numbers *out)
{
    const struct sl_writer_log *log = sl_writer_log(domain->writer);
    struct sl_writer_numbers numbers;

    sl_writer_numbers(domain->writer, &numbers);
    *out = (struct sl_domain_numbers){.accepted = numbers.accepted,
                                      .refused = numbers.refused,
                                      .repeated = numbers.repeated,
                                      .failed = numbers.failed,
                                      .events = numbers.events,
                                      .batches = numbers.batches,
                                      .batch_bytes = numbers.batch_bytes,
                                      .next_position = log->next,
                                      .durable_position = log->durable,
                                      .epoch = log->epoch,
                                      .salt = log->salt,
                                      .commands_waiting = numbers.waiting,
                                      .aggregates = numbers.aggregates,
                                      .ids = numbers.ids,
                                      .command = numbers.command,
                                      .decision = numbers.decision,
                                      .append = numbers.append,
                                      .failed_now = log->failed != NULL,
                                      .failed_why = log->failed};
    for (size_t i = 0; i < domain->process_count; i++)
        sl_process_count(domain->processes[i], &out->processes_waiting, &out->timers);
}

void sl_core_describe(struct sl_core_domain *domain, struct sl_buf *out)
{
    sl_event_store_describe(domain->store, out);
}
