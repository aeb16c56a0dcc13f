/*
 * Reading rows by RESP.
 *
 * Each command first tries to answer from memory, writing as it goes. What is not there, or not as
 * far as the session's own commands are, makes it forget what it wrote and ask the engine for all
 * keys; the answer then comes when the last row has.
 */
#include "api/resp_parts.h"

#include <stdlib.h>
#include <string.h>

#include "record/kinds.h"
#include "record/value.h"

/* How a row, or its absence, becomes a part of the answer. */
typedef void write_row(const struct sl_resp_command *command, const struct sl_view_table *view,
                       const struct sl_view_row *row, struct sl_buf *out);

struct form {
    write_row *write;
    uint32_t keys_from; /* the first word that is a key; those behind it are, too, if `many` */
    bool many;
    bool
        is_array; /* the parts are items of an array; else they are added up, or there is but one */
    bool is_count;
};

/* ---- Rows as RESP -------------------------------------------------------------------------- */

static void write_text(const struct sl_resp_command *command, const struct sl_view_table *view,
                       const struct sl_view_row *row, struct sl_buf *out)
{
    (void)view;
    if (row)
        sl_resp_bulk(out, row->json);
    else
        sl_resp_null(out, sl_resp_version(command->session));
}

static void write_presence(const struct sl_resp_command *command, const struct sl_view_table *view,
                           const struct sl_view_row *row, struct sl_buf *out)
{
    (void)command;
    (void)view;
    sl_buf_byte(out, row != NULL);
}

static void write_type(const struct sl_resp_command *command, const struct sl_view_table *view,
                       const struct sl_view_row *row, struct sl_buf *out)
{
    (void)command;
    (void)view;
    sl_resp_simple(out, row ? "string" : "none");
}

/* A scalar as text, all else as JSON. */
static void write_value(const struct sl_field *field, const void *row, struct sl_buf *out)
{
    struct sl_buf text = {0};

    if (field->kind == SL_LIST_KIND || field->kind == SL_NESTED || field->kind == SL_MONEY)
        sl_json_write_value(&text, field, sl_member(field, row));
    else
        sl_value_write(&text, field, sl_member(field, row));
    sl_resp_bulk(out, sl_buf_as_text(&text));
    sl_buf_close(&text);
}

static void write_field(const struct sl_resp_command *command, const struct sl_view_table *view,
                        const struct sl_view_row *row, struct sl_text name, struct sl_buf *out)
{
    const struct sl_record *record = sl_view_table_shape(view)->view->record;

    for (uint32_t i = 0; row && i < record->field_count; i++) {
        const struct sl_field *field = &record->fields[i];
        if (sl_text_equals(name, api_text(field->name)) && sl_field_is_there(field, row->row)) {
            write_value(field, row->row, out);
            return;
        }
    }
    sl_resp_null(out, sl_resp_version(command->session));
}

static void write_one_field(const struct sl_resp_command *command, const struct sl_view_table *view,
                            const struct sl_view_row *row, struct sl_buf *out)
{
    write_field(command, view, row, command->words[2], out);
}

static void write_fields(const struct sl_resp_command *command, const struct sl_view_table *view,
                         const struct sl_view_row *row, struct sl_buf *out)
{
    sl_resp_array(out, command->word_count - 2);
    for (uint32_t i = 2; i < command->word_count; i++)
        write_field(command, view, row, command->words[i], out);
}

static void write_all_fields(const struct sl_resp_command *command,
                             const struct sl_view_table *view, const struct sl_view_row *row,
                             struct sl_buf *out)
{
    const struct sl_record *record = sl_view_table_shape(view)->view->record;
    size_t count = 0;

    for (uint32_t i = 0; row && i < record->field_count; i++)
        count += sl_field_is_there(&record->fields[i], row->row);
    sl_resp_map(out, count, sl_resp_version(command->session));
    for (uint32_t i = 0; row && i < record->field_count; i++) {
        if (!sl_field_is_there(&record->fields[i], row->row))
            continue;
        sl_resp_bulk(out, api_text(record->fields[i].name));
        write_value(&record->fields[i], row->row, out);
    }
}

/* ---- Asking the engine --------------------------------------------------------------------- */

struct item {
    struct sl_lookup lookup;
    struct reading *reading;
    struct sl_buf part;
};

struct reading {
    struct api_pending pending; /* first */
    struct resp_session *session;
    struct sl_resp_command *command;
    const struct form *form;
    size_t count;
    size_t waiting;
    enum sl_lookup_end worst; /* LATE or BROKEN: the whole answer is an error */
    struct item items[];
};

static void free_reading(struct api_pending *pending)
{
    struct reading *reading = (struct reading *)pending;

    for (size_t i = 0; i < reading->count; i++)
        sl_buf_close(&reading->items[i].part);
    resp_release(reading->session);
    free(reading);
}

static void write_count(struct sl_buf *out, const struct reading *reading)
{
    int64_t count = 0;

    for (size_t i = 0; i < reading->count; i++)
        count += reading->items[i].part.len > 0 && reading->items[i].part.ptr[0];
    sl_resp_integer(out, count);
}

static void finish(struct reading *reading)
{
    struct sl_resp_command *command = reading->command;
    struct sl_buf *out = command->out;

    if (reading->worst == SL_LOOKUP_LATE) {
        bool can = true; /* one may have become degraded while this waited */
        for (size_t i = 0; i < reading->count && can; i++)
            can = resp_can_reach(reading->items[i].lookup.view, reading->items[i].lookup.position,
                                 out);
        if (can)
            resp_error(out, "TIMEOUT",
                       "the view was not as far in time as this session's commands");
    } else if (reading->worst == SL_LOOKUP_BROKEN) {
        resp_error(out, "ERR", "the view's store failed");
    } else if (reading->form->is_count) {
        write_count(out, reading);
    } else {
        if (reading->form->is_array)
            sl_resp_array(out, reading->count);
        for (size_t i = 0; i < reading->count; i++)
            sl_buf_text(out, sl_buf_as_text(&reading->items[i].part));
    }
    sl_resp_finish(command);
    api_pending_remove(&reading->pending);
    free_reading(&reading->pending);
}

static void row_done(struct sl_lookup *lookup, enum sl_lookup_end end,
                     const struct sl_view_row *row, uint64_t position)
{
    struct item *item = lookup->user;
    struct reading *reading = item->reading;

    (void)position;
    if (end == SL_LOOKUP_LATE || end == SL_LOOKUP_BROKEN)
        reading->worst = end;
    else
        reading->form->write(reading->command, lookup->view, row, &item->part);
    if (--reading->waiting == 0)
        finish(reading);
}

/* All keys are known to resolve. */
static enum sl_resp_result ask(struct resp_session *session, struct sl_resp_command *command,
                               const struct form *form)
{
    struct sl_api *api = session->api;
    const size_t count = form->many ? command->word_count - form->keys_from : 1;
    struct reading *reading = calloc(1, sizeof *reading + count * sizeof *reading->items);
    const int64_t until_ns = sl_env_monotonic(api->options.env) + api->options.timeout_ms * 1000000;

    if (!reading) {
        resp_error(command->out, "ERR", "no memory");
        return SL_RESP_DONE;
    }
    reading->session = session;
    reading->command = command;
    reading->form = form;
    reading->count = count;
    /* One more, so that rows that come at once do not finish before the last was asked for. */
    reading->waiting = count + 1;
    resp_hold(session);
    api_pending_add(api, &reading->pending, free_reading);
    for (size_t i = 0; i < count; i++) {
        struct item *item = &reading->items[i];
        item->reading = reading;
        /* Once more: each key may be of another view. It was permitted before. */
        const bool known = resp_resolve(session, command->words[form->keys_from + i],
                                        &item->lookup.key, &item->part);
        SL_ASSERT(known);
        item->lookup.domain = session->domain;
        item->lookup.view = session->view;
        item->lookup.position = resp_own_position(session);
        item->lookup.until_ns = until_ns;
        item->lookup.done = row_done;
        item->lookup.user = item;
    }
    for (size_t i = 0; i < count; i++)
        sl_core_lookup(&reading->items[i].lookup);
    if (--reading->waiting == 0)
        finish(reading);
    return SL_RESP_LATER;
}

/* ---- Commands ------------------------------------------------------------------------------ */

/* Is the row there, or known not to be, as new as the session asks for? */
static bool look_up(struct resp_session *session, struct sl_text key, struct sl_view_row *row,
                    bool *out_found)
{
    const uint64_t own = resp_own_position(session);

    if (own > 0 && sl_view_table_status(session->view).position < own)
        return false;
    switch (sl_view_lookup(session->view, key, row)) {
    case SL_LOOKUP_FOUND:
        *out_found = true;
        return true;
    case SL_LOOKUP_ABSENT:
        *out_found = false;
        return true;
    default:
        return false;
    }
}

static enum sl_resp_result read_rows(struct resp_session *session, struct sl_resp_command *command,
                                     const struct form *form)
{
    struct sl_buf *out = command->out;
    const size_t start = out->len;
    const uint32_t end = form->many ? command->word_count : form->keys_from + 1;
    bool all = true;
    int64_t count = 0;

    sl_core_saw_reader(session->api->options.core);
    if (form->is_array)
        sl_resp_array(out, end - form->keys_from);
    for (uint32_t i = form->keys_from; i < end; i++) {
        struct sl_view_row row;
        struct sl_text key;
        bool found;
        const size_t before = out->len;
        if (!resp_resolve(session, command->words[i], &key, out) ||
            !resp_can_reach(session->view, resp_own_position(session), out)) {
            /* Only the error is answered. */
            memmove(out->ptr + start, out->ptr + before, out->len - before);
            out->len -= before - start;
            return SL_RESP_DONE;
        }
        if (!all || !look_up(session, key, &row, &found))
            all = false;
        else if (form->is_count)
            count += found;
        else
            form->write(command, session->view, found ? &row : NULL, out);
    }
    if (!all) {
        out->len = start;
        return ask(session, command, form);
    }
    if (form->is_count)
        sl_resp_integer(out, count);
    return SL_RESP_DONE;
}

enum sl_resp_result resp_get(struct resp_session *session, struct sl_resp_command *command)
{
    static const struct form form = {.write = write_text, .keys_from = 1};
    return read_rows(session, command, &form);
}

enum sl_resp_result resp_mget(struct resp_session *session, struct sl_resp_command *command)
{
    static const struct form form = {
        .write = write_text, .keys_from = 1, .many = true, .is_array = true};
    return read_rows(session, command, &form);
}

enum sl_resp_result resp_exists(struct resp_session *session, struct sl_resp_command *command)
{
    static const struct form form = {
        .write = write_presence, .keys_from = 1, .many = true, .is_count = true};
    return read_rows(session, command, &form);
}

enum sl_resp_result resp_type(struct resp_session *session, struct sl_resp_command *command)
{
    static const struct form form = {.write = write_type, .keys_from = 1};
    return read_rows(session, command, &form);
}

enum sl_resp_result resp_hget(struct resp_session *session, struct sl_resp_command *command)
{
    static const struct form form = {.write = write_one_field, .keys_from = 1};
    return read_rows(session, command, &form);
}

enum sl_resp_result resp_hmget(struct resp_session *session, struct sl_resp_command *command)
{
    static const struct form form = {.write = write_fields, .keys_from = 1};
    return read_rows(session, command, &form);
}

enum sl_resp_result resp_hgetall(struct resp_session *session, struct sl_resp_command *command)
{
    static const struct form form = {.write = write_all_fields, .keys_from = 1};
    return read_rows(session, command, &form);
}
