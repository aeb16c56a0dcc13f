/*
 * SCAN cursor [MATCH pattern] [COUNT n] [TYPE string]: keys of the rows that one may read, view
 * after view, each view in the order of its keys.
 *
 * Redis's cursors are numbers, and where a list goes on is a text. The api keeps the texts of the
 * latest scans of everybody under numbers: a cursor may be used again, from any connection, until
 * CURSORS_MAX younger ones came after it; one that is over is an error, never an early end.
 *
 * A key that is there from a scan's beginning to its end is found exactly once, whatever else
 * changes: rows are listed from the store, in order, and before the first page of a view the store
 * has what the memory had. Rows that come or go meanwhile may be found or not.
 */
#include "api/resp_parts.h"

#include <stdlib.h>
#include <string.h>

#include "api/glob.h"
#include "record/kinds.h"
#include "record/value.h"

enum { COUNT_DEFAULT = 10, COUNT_MAX = 1000, CURSORS_MAX = 4096, AFTER_BYTES_MAX = 1024 };

/* Where a scan goes on. */
struct scan_place {
    uint64_t number;
    size_t domain, view;
    size_t after_len;
    char *after; /* freed with the table, or when a younger cursor takes the place */
};

struct api_scans {
    uint64_t last;
    struct scan_place places[CURSORS_MAX]; /* by number */
};

struct scanning {
    struct sl_view_listing listing; /* first */
    struct api_pending pending;
    struct sl_wait wait;
    struct resp_session *session;
    struct sl_resp_command *command;
    struct sl_core_domain *domain;
    size_t domain_place, view_place;
    struct sl_text match; /* the command's; it lives until that is finished */
    struct sl_arena arena;
    char after[AFTER_BYTES_MAX];
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

/* ---- Cursors ------------------------------------------------------------------------------- */

void resp_scans_free(struct sl_api *api)
{
    for (size_t i = 0; api->scans && i < CURSORS_MAX; i++)
        free(api->scans->places[i].after);
    free(api->scans);
    api->scans = NULL;
}

/* NULL: it is over, or never was. */
static const struct scan_place *find_cursor(const struct sl_api *api, uint64_t number)
{
    const struct scan_place *place = api->scans ? &api->scans->places[number % CURSORS_MAX] : NULL;

    return place && number != 0 && place->number == number ? place : NULL;
}

/* The number of a place; 0: no memory. Numbers fit into a double, which clients keep them in, and
 * begin anywhere, so that one of an earlier life of the server is not taken for one of this. */
static uint64_t make_cursor(struct sl_api *api, size_t domain, size_t view, struct sl_text after)
{
    if (!api->scans) {
        api->scans = calloc(1, sizeof *api->scans);
        if (!api->scans)
            return 0;
        sl_env_random(api->options.env, &api->scans->last, 6);
    }
    char *copy = after.len > 0 ? malloc(after.len) : NULL;
    if (after.len > 0 && !copy)
        return 0;
    struct scan_place *place = &api->scans->places[++api->scans->last % CURSORS_MAX];
    free(place->after);
    *place = (struct scan_place){api->scans->last, domain, view, after.len, copy};
    if (copy)
        memcpy(copy, after.ptr, after.len);
    return place->number;
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
        if (write_key(scanning, row, key) &&
            (scanning->match.len == 0 || sl_glob_matches(scanning->match, sl_buf_as_text(key)))) {
            sl_resp_bulk(out, sl_buf_as_text(key));
            count++;
        }
    }
    return count;
}

/* ---- Where to go on ------------------------------------------------------------------------ */

/* Can a key of the view match? As far as the pattern's text and "domain:view:" go, they must be
 * the same. */
static bool may_match(struct sl_text match, const struct sl_domain *domain,
                      const struct sl_view *view)
{
    uint8_t room[RESP_PREFIX_MAX];
    struct sl_buf prefix = {.ptr = room, .capacity = sizeof room, .bytes_max = sizeof room};

    sl_buf_printf(&prefix, "%s:%s:", domain->name, view->name);
    const size_t literal = sl_glob_literal(match);
    const size_t both = literal < prefix.len ? literal : prefix.len;
    return match.len == 0 || memcmp(match.ptr, room, both) == 0;
}

/* The next view that the session may read, from this place on. */
static struct sl_view_table *find_view(struct resp_session *session, struct sl_text match,
                                       size_t *domain_place, size_t *view_place)
{
    struct sl_core *core = session->api->options.core;

    for (; *domain_place < sl_core_domain_count(core); ++*domain_place, *view_place = 0) {
        struct sl_core_domain *domain = sl_core_domain_at(core, *domain_place);
        for (; *view_place < sl_core_view_count(domain); ++*view_place) {
            struct sl_view_table *view = sl_core_view_at(domain, *view_place);
            const struct sl_view *shape = sl_view_table_shape(view)->view;
            const struct sl_deed deed = {SL_DO_READ, sl_core_domain_of(domain)->name, shape->name,
                                         shape->roles, false};
            if (may_match(match, sl_core_domain_of(domain), shape) &&
                sl_auth_may(session->who, &deed) == SL_PERMITTED)
                return view;
        }
    }
    return NULL;
}

/* The cursor behind what was answered, 0 at the end. False: there is no memory to keep it. */
static bool go_on(struct scanning *scanning, struct sl_text next, uint64_t *out_cursor)
{
    struct resp_session *session = scanning->session;
    size_t domain_place = scanning->domain_place, view_place = scanning->view_place;

    *out_cursor = 0;
    if (next.len == 0) {
        view_place++;
        if (!find_view(session, scanning->match, &domain_place, &view_place))
            return true;
    }
    if (next.len > AFTER_BYTES_MAX)
        return false;
    *out_cursor = make_cursor(session->api, domain_place, view_place, next);
    return *out_cursor != 0;
}

/* The list's rows and the text at which it goes on, empty at its end. */
static bool read_listing(struct scanning *scanning, struct sl_text *out_rows,
                         struct sl_text *out_next)
{
    struct sl_json_parser *parser = scanning->session->api->parser;
    const struct sl_text json = sl_buf_as_text(&scanning->listing.json);

    *out_next = (struct sl_text){NULL, 0};
    if (sl_json_find(parser, json, "rows", &scanning->arena, out_rows) != SL_OK)
        return false;
    if (sl_json_find(parser, json, "next", &scanning->arena, out_next) != SL_OK ||
        sl_text_equals(*out_next, SL_TEXT("null")))
        *out_next = (struct sl_text){NULL, 0};
    return true;
}

static void listed(struct sl_view_listing *listing)
{
    struct scanning *scanning = (struct scanning *)listing;
    struct sl_buf *out = scanning->command->out;
    struct sl_text rows, next;
    struct sl_buf keys = {0}, cursor = {0};
    uint64_t number;

    if (listing->err != SL_OK || !read_listing(scanning, &rows, &next)) {
        resp_error(out, "ERR", "%s", listing->error.message);
        end_scanning(scanning);
        return;
    }
    const size_t count = write_keys(scanning, rows, &keys);
    if (keys.failed || !go_on(scanning, next, &number)) {
        resp_error(out, "ERR", "no memory");
    } else {
        sl_buf_u64(&cursor, number);
        sl_resp_array(out, 2);
        sl_resp_bulk(out, sl_buf_as_text(&cursor));
        sl_resp_array(out, count);
        sl_buf_text(out, sl_buf_as_text(&keys));
    }
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
    return good && wish->match.len <= AFTER_BYTES_MAX;
}

static void answer_nothing(struct sl_buf *out)
{
    sl_resp_array(out, 2);
    sl_resp_bulk(out, SL_TEXT("0"));
    sl_resp_array(out, 0);
}

/* A pattern that names a view must name one that there is, and that one may read. False: an error
 * was written. */
static bool check_match(struct resp_session *session, struct sl_text match, struct sl_buf *out)
{
    struct sl_text literal = {match.ptr, sl_glob_literal(match)}, rest;
    size_t colons = 0;

    for (size_t i = 0; i < literal.len; i++)
        colons += literal.ptr[i] == ':';
    return colons < 2 || resp_resolve(session, literal, &rest, out);
}

static void list(struct sl_wait *wait, bool reached, uint64_t at)
{
    struct scanning *scanning = wait->user;

    if (reached) {
        sl_core_saw_reader(scanning->session->api->options.core);
        sl_view_list(scanning->listing.table, &scanning->listing);
        return;
    }
    if (resp_can_reach(wait->view, wait->position, scanning->command->out))
        resp_error(scanning->command->out, "TIMEOUT", "%s has stored all below %llu",
                   sl_view_table_shape(wait->view)->view->name, (unsigned long long)at);
    end_scanning(scanning);
}

static void start(struct scanning *scanning, const struct wish *wish)
{
    struct resp_session *session = scanning->session;
    struct sl_api *api = session->api;
    struct sl_wait *wait = &scanning->wait;

    scanning->match = wish->match;
    scanning->domain = sl_core_domain_at(api->options.core, scanning->domain_place);
    scanning->listing.table = sl_core_view_at(scanning->domain, scanning->view_place);
    scanning->listing.query.index = -1;
    scanning->listing.query.limit = (uint32_t)wish->count;
    scanning->listing.done = listed;
    resp_hold(session);
    api_pending_add(api, &scanning->pending, free_scanning);
    wait->domain = scanning->domain;
    wait->view = scanning->listing.table;
    wait->path = SL_PATH_LIST;
    if (scanning->listing.query.after.len == 0)
        wait->position = sl_view_table_status(wait->view).position;
    wait->until_ns = sl_env_monotonic(api->options.env) + api->options.timeout_ms * 1000000;
    wait->done = list;
    wait->user = scanning;
    sl_core_wait(wait);
}

enum sl_resp_result resp_scan(struct resp_session *session, struct sl_resp_command *command)
{
    struct sl_buf *out = command->out;
    struct wish wish = {0};
    size_t domain = 0, view = 0;

    if (!read_wish(command, &wish)) {
        resp_error(out, "ERR", "SCAN cursor [MATCH domain:view:*] [COUNT n] [TYPE string]");
        return SL_RESP_DONE;
    }
    const struct scan_place *place = find_cursor(session->api, wish.cursor);
    if (wish.cursor != 0 && !place) {
        resp_error(out, "ERR", "this cursor is over: begin with 0");
        return SL_RESP_DONE;
    }
    if (!check_match(session, wish.match, out))
        return SL_RESP_DONE;
    if (place) {
        domain = place->domain;
        view = place->view;
    }
    if (wish.nothing || !find_view(session, wish.match, &domain, &view)) {
        answer_nothing(out);
        return SL_RESP_DONE;
    }
    struct scanning *scanning = calloc(1, sizeof *scanning);
    if (!scanning) {
        resp_error(out, "ERR", "no memory");
        return SL_RESP_DONE;
    }
    scanning->session = session;
    scanning->command = command;
    scanning->domain_place = domain;
    scanning->view_place = view;
    if (place && place->domain == domain && place->view == view && place->after_len > 0) {
        memcpy(scanning->after, place->after, place->after_len);
        scanning->listing.query.after = (struct sl_text){scanning->after, place->after_len};
    }
    start(scanning, &wish);
    return SL_RESP_LATER;
}
