/*
 * SCAN cursor [MATCH domain:view:*] [COUNT n]: the keys of one view, or of all that the session may
 * read, one view after the other.
 *
 * Redis's cursors are numbers and a list's are texts. The session keeps the text of its latest scan
 * under a number; another number is no cursor any more. Keys come in the order of the view, each
 * once, from what is stored: rows of the last moments may be missing.
 */
#include "api/resp_parts.h"

#include <stdlib.h>
#include <string.h>

#include "record/kinds.h"
#include "record/value.h"

enum { COUNT_DEFAULT = 10, COUNT_MAX = 1000 };

struct scanning {
    struct sl_view_listing listing; /* first */
    struct api_pending pending;
    struct resp_session *session;
    struct sl_resp_command *command;
    struct sl_core_domain *domain;
    size_t domain_place, view_place;
    bool one_view; /* MATCH names it */
    struct sl_arena arena;
    char after[sizeof((struct resp_session *)0)->scan.after];
};

static void free_scanning(struct api_pending *pending)
{
    struct scanning *scanning =
        (struct scanning *)(void *)((char *)pending - offsetof(struct scanning, pending));

    sl_buf_close(&scanning->listing.json);
    sl_arena_close(&scanning->arena);
    resp_release(scanning->session);
    free(scanning);
}

static void end_scanning(struct scanning *scanning)
{
    sl_resp_finish(scanning->command);
    api_pending_remove(&scanning->pending);
    free_scanning(&scanning->pending);
}

/* ---- Keys of rows -------------------------------------------------------------------------- */

/* The next object of a JSON array's inside; ptr NULL at its end. */
static struct sl_text next_object(struct sl_text *rest)
{
    size_t at = 0, depth = 0, start = 0;
    bool in_string = false;

    for (; at < rest->len; at++) {
        const char c = rest->ptr[at];
        if (in_string) {
            at += c == '\\'; /* whatever is escaped, it ends no string */
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{') {
            if (depth++ == 0)
                start = at;
        } else if (c == '}' && --depth == 0) {
            const struct sl_text object = {rest->ptr + start, at + 1 - start};
            *rest = (struct sl_text){rest->ptr + at + 1, rest->len - at - 1};
            return object;
        }
    }
    return (struct sl_text){NULL, 0};
}

/* Writes the key of a row that is JSON: its fields are read one by one, because the row as a whole
 * need not pass the rules that commands pass. */
static bool write_key(struct scanning *scanning, struct sl_text row, struct sl_buf *out)
{
    const struct sl_view_shape *shape = sl_view_table_shape(scanning->listing.table);
    void *item = sl_arena_zeroed(&scanning->arena, 1, shape->view->record->size);

    if (!item)
        return false;
    for (uint32_t i = 0; i < shape->key.count; i++) {
        const struct sl_field *field = shape->key.fields[i];
        struct sl_text value;
        if (sl_json_find(scanning->session->api->parser, row, field->name, &scanning->arena,
                         &value) != SL_OK ||
            !sl_value_read(field, value, &scanning->arena, sl_member_of(field, item)))
            return false;
        sl_field_set_there(field, item);
    }
    sl_buf_reset(out);
    sl_buf_printf(out, "%s:%s:", shape->domain, shape->view->name);
    return sl_place_write(&shape->key, item, out) == SL_OK;
}

static size_t write_keys(struct scanning *scanning, struct sl_text rows, struct sl_buf *out)
{
    struct sl_buf *key = &scanning->session->api->out;
    struct sl_text row;
    size_t count = 0;

    while ((row = next_object(&rows)).ptr) {
        if (write_key(scanning, row, key)) {
            sl_resp_bulk(out, sl_buf_as_text(key));
            count++;
        }
    }
    return count;
}

/* ---- Where to go on ------------------------------------------------------------------------ */

/* The next view that the session may read, from this place on. */
static struct sl_view_table *find_view(struct resp_session *session, size_t *domain_place,
                                       size_t *view_place)
{
    struct sl_core *core = session->api->options.core;

    for (; *domain_place < sl_core_domain_count(core); ++*domain_place, *view_place = 0) {
        struct sl_core_domain *domain = sl_core_domain_at(core, *domain_place);
        for (; *view_place < sl_core_view_count(domain); ++*view_place) {
            struct sl_view_table *view = sl_core_view_at(domain, *view_place);
            const struct sl_view *shape = sl_view_table_shape(view)->view;
            const struct sl_deed deed = {SL_DO_READ, sl_core_domain_of(domain)->name, shape->name,
                                         shape->roles, false};
            if (sl_auth_may(session->who, &deed) == SL_PERMITTED)
                return view;
        }
    }
    return NULL;
}

/* Remembers the place behind what was answered; returns the cursor, 0 at the end. */
static uint64_t go_on(struct scanning *scanning, struct sl_text next)
{
    struct resp_session *session = scanning->session;
    size_t domain_place = scanning->domain_place, view_place = scanning->view_place;

    if (next.len == 0) {
        view_place++;
        if (scanning->one_view || !find_view(session, &domain_place, &view_place))
            return 0;
    }
    if (next.len > sizeof session->scan.after)
        return 0;
    session->scan.number++;
    session->scan.domain = domain_place;
    session->scan.view = view_place;
    session->scan.after_len = next.len;
    if (next.len > 0)
        memcpy(session->scan.after, next.ptr, next.len);
    return session->scan.number;
}

static void listed(struct sl_view_listing *listing)
{
    struct scanning *scanning = (struct scanning *)listing;
    struct sl_json_parser *parser = scanning->session->api->parser;
    struct sl_buf *out = scanning->command->out;
    struct sl_text rows, next = {NULL, 0};
    struct sl_buf keys = {0}, cursor = {0};

    if (listing->err != SL_OK || sl_json_find(parser, sl_buf_as_text(&listing->json), "rows",
                                              &scanning->arena, &rows) != SL_OK) {
        resp_error(out, "ERR", "%s", listing->error.message);
        end_scanning(scanning);
        return;
    }
    if (sl_json_find(parser, sl_buf_as_text(&listing->json), "next", &scanning->arena, &next) !=
            SL_OK ||
        sl_text_equals(next, SL_TEXT("null")))
        next = (struct sl_text){NULL, 0};
    const size_t count = write_keys(scanning, rows, &keys);
    sl_buf_u64(&cursor, go_on(scanning, next));
    sl_resp_array(out, 2);
    sl_resp_bulk(out, sl_buf_as_text(&cursor));
    sl_resp_array(out, count);
    sl_buf_text(out, sl_buf_as_text(&keys));
    sl_buf_close(&keys);
    sl_buf_close(&cursor);
    end_scanning(scanning);
}

/* ---- The command --------------------------------------------------------------------------- */

struct wish {
    uint64_t cursor;
    uint64_t count;
    struct sl_text match;
    bool nothing; /* asked for what no key is: TYPE hash, … */
};

static bool read_wish(const struct sl_resp_command *command, struct wish *wish)
{
    wish->count = COUNT_DEFAULT;
    bool good = sl_url_number(command->words[1], &wish->cursor) && command->word_count % 2 == 0;
    for (uint32_t i = 2; good && i + 1 < command->word_count; i += 2) {
        if (resp_is(command->words[i], "MATCH"))
            wish->match = command->words[i + 1];
        else if (resp_is(command->words[i], "COUNT"))
            good = sl_url_number(command->words[i + 1], &wish->count) && wish->count > 0;
        else if (resp_is(command->words[i], "TYPE"))
            wish->nothing = !resp_is(command->words[i + 1], "STRING");
        else
            good = false;
    }
    if (wish->count > COUNT_MAX)
        wish->count = COUNT_MAX;
    return good;
}

static void answer_nothing(struct sl_buf *out)
{
    sl_resp_array(out, 2);
    sl_resp_bulk(out, SL_TEXT("0"));
    sl_resp_array(out, 0);
}

/* "domain:view:*" or "*" alone. False: an error was written. */
static bool place_of_match(struct resp_session *session, const struct wish *wish, size_t *domain,
                           size_t *view, bool *one_view, struct sl_buf *out)
{
    struct sl_core *core = session->api->options.core;
    struct sl_text rest;

    *one_view = wish->match.len > 0 && !sl_text_equals(wish->match, SL_TEXT("*"));
    if (!*one_view)
        return true;
    if (!resp_resolve(session, wish->match, &rest, out))
        return false;
    if (!sl_text_equals(rest, SL_TEXT("*"))) {
        resp_error(out, "ERR", "MATCH takes domain:view:* or *");
        return false;
    }
    for (*domain = 0; sl_core_domain_at(core, *domain) != session->domain; ++*domain)
        continue;
    for (*view = 0; sl_core_view_at(session->domain, *view) != session->view; ++*view)
        continue;
    return true;
}

static void start(struct resp_session *session, struct sl_resp_command *command,
                  struct scanning *scanning, uint32_t count)
{
    struct sl_core *core = session->api->options.core;

    scanning->session = session;
    scanning->command = command;
    scanning->domain = sl_core_domain_at(core, scanning->domain_place);
    scanning->listing.table = sl_core_view_at(scanning->domain, scanning->view_place);
    scanning->listing.query.index = -1;
    scanning->listing.query.limit = count;
    scanning->listing.done = listed;
    resp_hold(session);
    api_pending_add(session->api, &scanning->pending, free_scanning);
    sl_core_saw_reader(core);
    sl_view_list(scanning->listing.table, &scanning->listing);
}

enum sl_resp_result resp_scan(struct resp_session *session, struct sl_resp_command *command)
{
    struct sl_buf *out = command->out;
    struct wish wish = {0};
    size_t domain = 0, view = 0;
    bool one_view = false;

    if (!read_wish(command, &wish)) {
        resp_error(out, "ERR", "SCAN cursor [MATCH domain:view:*] [COUNT n] [TYPE string]");
        return SL_RESP_DONE;
    }
    if (wish.cursor != 0 && wish.cursor != session->scan.number) {
        resp_error(out, "ERR", "this cursor is over: a session has one scan at a time");
        return SL_RESP_DONE;
    }
    if (!place_of_match(session, &wish, &domain, &view, &one_view, out))
        return SL_RESP_DONE;
    if (wish.cursor != 0) {
        domain = session->scan.domain;
        view = session->scan.view;
    }
    if (wish.nothing || !find_view(session, &domain, &view)) {
        answer_nothing(out);
        return SL_RESP_DONE;
    }
    struct scanning *scanning = calloc(1, sizeof *scanning);
    if (!scanning) {
        resp_error(out, "ERR", "no memory");
        return SL_RESP_DONE;
    }
    scanning->domain_place = domain;
    scanning->view_place = view;
    scanning->one_view = one_view;
    if (wish.cursor != 0) {
        memcpy(scanning->after, session->scan.after, session->scan.after_len);
        scanning->listing.query.after = (struct sl_text){scanning->after, session->scan.after_len};
    }
    start(session, command, scanning, (uint32_t)wish.count);
    return SL_RESP_LATER;
}
