/*
 * The RESP door: any Redis client reads views.
 *
 * A row is the value of the key "domain:view:key", a text (its JSON) and a hash (its fields) at
 * once; the key's last part is the place's text as it stands (record/place.h), so that it may hold
 * colons only as %3A. Rows are made by projections: what writes in Redis is refused here with that
 * reason. SLUICE.DO sends commands, SLUICE.WAIT waits for a position, and what a session has done
 * itself its own reads see at once.
 */
#include "api/resp_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Sessions ------------------------------------------------------------------------------ */

struct resp_session *resp_session_of(struct sl_api *api, struct sl_resp_session *net)
{
    static uint64_t last_id;
    struct resp_session **word = (struct resp_session **)(void *)sl_resp_user(net);

    if (!*word) {
        struct resp_session *session = calloc(1, sizeof *session);
        if (!session)
            return NULL;
        session->api = api;
        session->net = net;
        session->who = sl_auth_anonymous(api->options.auth);
        session->id = ++last_id;
        *word = session;
    }
    return *word;
}

static void free_session(struct resp_session *session)
{
    free(session->own);
    free(session);
}

void resp_hold(struct resp_session *session)
{
    session->refs++;
}

void resp_release(struct resp_session *session)
{
    SL_ASSERT(session->refs > 0);
    if (--session->refs == 0 && !session->net)
        free_session(session);
}

void sl_api_resp_closed(void *context, struct sl_resp_session *net)
{
    struct resp_session *session = *(struct resp_session **)(void *)sl_resp_user(net);

    (void)context;
    if (!session)
        return;
    resp_unwatch_all(session);
    session->net = NULL;
    if (session->refs == 0)
        free_session(session);
}

void resp_saw_position(struct resp_session *session, struct sl_core_domain *domain,
                       uint64_t position)
{
    struct sl_core *core = session->api->options.core;
    const size_t count = sl_core_domain_count(core);

    if (!session->own) {
        session->own = calloc(count, sizeof *session->own);
        if (!session->own)
            return;
        session->prefix_len = 0; /* what is cached does not know of it */
    }
    for (size_t i = 0; i < count; i++)
        if (sl_core_domain_at(core, i) == domain && position > session->own[i])
            session->own[i] = position;
}

void resp_forget_positions(struct resp_session *session)
{
    free(session->own);
    session->own = NULL;
    session->own_position = NULL;
    session->prefix_len = 0; /* what is cached was of another principal, or has the position */
}

/* ---- Words and errors ---------------------------------------------------------------------- */

bool resp_is(struct sl_text word, const char *capitals)
{
    return word.len == strlen(capitals) && strncasecmp(word.ptr, capitals, word.len) == 0;
}

void resp_error(struct sl_buf *out, const char *code, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    sl_resp_error(out, code, api_text(text));
}

bool resp_may(struct resp_session *session, const struct sl_deed *deed, struct sl_buf *out)
{
    switch (sl_auth_may(session->who, deed)) {
    case SL_PERMITTED:
        return true;
    case SL_UNKNOWN_ASKER:
        resp_error(out, "NOAUTH", "this takes a token: AUTH token");
        return false;
    default:
        resp_error(out, "NOPERM", "this takes a role among: %s",
                   deed->internal ? "none, only processes do it"
                   : deed->roles  ? deed->roles
                                  : "admin");
        return false;
    }
}

static bool resolve_anew(struct resp_session *session, struct sl_text domain_name,
                         struct sl_text view_name, struct sl_buf *out)
{
    struct sl_core *core = session->api->options.core;
    struct sl_core_domain *domain = sl_core_find(core, domain_name);
    struct sl_view_table *view = domain ? sl_core_view(domain, view_name) : NULL;

    if (!view) {
        resp_error(out, "ERR", "there is no view %.*s:%.*s", (int)domain_name.len, domain_name.ptr,
                   (int)view_name.len, view_name.ptr);
        return false;
    }
    const struct sl_view *shape = sl_view_table_shape(view)->view;
    const struct sl_deed deed = {SL_DO_READ, sl_core_domain_of(domain)->name, shape->name,
                                 shape->roles, false};
    if (!resp_may(session, &deed, out))
        return false;
    session->domain = domain;
    session->view = view;
    session->own_position = NULL;
    for (size_t i = 0; session->own && i < sl_core_domain_count(core); i++)
        if (sl_core_domain_at(core, i) == domain)
            session->own_position = &session->own[i];
    return true;
}

bool resp_resolve(struct resp_session *session, struct sl_text key, struct sl_text *out_rest,
                  struct sl_buf *out)
{
    const size_t known = session->prefix_len;

    if (known > 0 && key.len > known && memcmp(key.ptr, session->prefix, known) == 0) {
        *out_rest = (struct sl_text){key.ptr + known, key.len - known};
        return true;
    }
    const char *first = key.len ? memchr(key.ptr, ':', key.len) : NULL;
    const size_t domain_len = first ? (size_t)(first - key.ptr) : 0;
    const char *second = first ? memchr(first + 1, ':', key.len - domain_len - 1) : NULL;

    if (!second || domain_len > 64 || second - first > 65) {
        resp_error(out, "ERR", "a key looks like domain:view:key");
        return false;
    }
    const struct sl_text domain = {key.ptr, domain_len};
    const struct sl_text view = {first + 1, (size_t)(second - first) - 1};
    session->prefix_len = 0;
    if (!sl_route_is_name(domain) || !sl_route_is_name(view)) {
        resp_error(out, "ERR", "a key looks like domain:view:key");
        return false;
    }
    if (!resolve_anew(session, domain, view, out))
        return false;
    const size_t prefix_len = (size_t)(second - key.ptr) + 1;
    memcpy(session->prefix, key.ptr, prefix_len);
    session->prefix_len = prefix_len;
    *out_rest = (struct sl_text){key.ptr + prefix_len, key.len - prefix_len};
    return true;
}

/* ---- The table ----------------------------------------------------------------------------- */

static resp_door resp_command;

static const struct door {
    const char *name;
    resp_door *run;
    const char *help;
    uint32_t least; /* words, the name included */
    uint32_t most;  /* 0: any */
    int last_key;   /* the first key is the first word behind the name; 0: there is none */
    bool at_once;   /* also while logs are being recovered */
    bool listening; /* also while a RESP2 client subscribes */
} doors[] = {
    {"GET", resp_get, "A row, as JSON", 2, 2, 1},
    {"MGET", resp_mget, "Rows, as JSON", 2, 0, -1},
    {"HGET", resp_hget, "A field of a row", 3, 3, 1},
    {"HMGET", resp_hmget, "Fields of a row", 3, 0, 1},
    {"HGETALL", resp_hgetall, "All fields of a row", 2, 2, 1},
    {"EXISTS", resp_exists, "How many of the rows there are", 2, 0, -1},
    {"TYPE", resp_type, "string, or none where there is no row", 2, 2, 1},
    {"SCAN", resp_scan, "Keys of rows", 2, 8},
    {"GEOSEARCH", resp_geosearch, "Keys of the rows nearest to a spot", 2, 16, 1},
    {"SLUICE.DO", resp_do, "Sends a command: domain.Command {json} [ID text]", 3, 5},
    {"SLUICE.WAIT", resp_wait, "Waits for a position: token [view]", 2, 3},
    {"SUBSCRIBE", resp_subscribe, "Rows as they change", 2, 0, .listening = true},
    {"PSUBSCRIBE", resp_psubscribe, "Rows and events as they happen", 2, 0, .listening = true},
    {"UNSUBSCRIBE", resp_unsubscribe, "Ends SUBSCRIBE", 1, 0, .listening = true},
    {"PUNSUBSCRIBE", resp_punsubscribe, "Ends PSUBSCRIBE", 1, 0, .listening = true},
    {"PING", resp_ping, "Answers", 1, 2, .at_once = true, .listening = true},
    {"ECHO", resp_echo, "Answers the word", 2, 2, .at_once = true},
    {"HELLO", resp_hello, "The protocol's version, and who asks", 1, 0, .at_once = true},
    {"AUTH", resp_auth, "Who asks: a token", 2, 3, .at_once = true},
    {"CLIENT", resp_client, "This connection", 2, 0, .at_once = true},
    {"COMMAND", resp_command, "What there is", 1, 0, .at_once = true},
    {"INFO", resp_info, "How the server is", 1, 0, .at_once = true},
    {"CONFIG", resp_config, "GET, for tools that ask", 2, 0, .at_once = true},
    {"SELECT", resp_select, "There is database 0", 2, 2, .at_once = true},
    {"RESET", resp_reset, "As a new connection", 1, 1, .at_once = true, .listening = true},
    {"QUIT", resp_quit, "Ends the connection", 1, 0, .at_once = true, .listening = true},
    {"POST", resp_http, NULL, 1, 0, .at_once = true, .listening = true},
    {"HOST:", resp_http, NULL, 1, 0, .at_once = true, .listening = true},
};

enum { DOORS = sizeof doors / sizeof *doors };

static const struct door *find_door(struct sl_text name)
{
    for (size_t i = 0; i < DOORS; i++)
        if (resp_is(name, doors[i].name))
            return &doors[i];
    return NULL;
}

/* ---- COMMAND ------------------------------------------------------------------------------- */

static void write_door_name(const struct door *door, struct sl_buf *out)
{
    char name[16];
    const size_t len = strlen(door->name);

    for (size_t i = 0; i < len; i++)
        name[i] = (char)(door->name[i] | (door->name[i] >= 'A' ? 0x20 : 0));
    sl_resp_bulk(out, (struct sl_text){name, len});
}

static void write_door(const struct door *door, struct sl_buf *out)
{
    const bool is_fixed = door->least == door->most;

    sl_resp_array(out, 6);
    write_door_name(door, out);
    sl_resp_integer(out, is_fixed ? (int64_t)door->least : -(int64_t)door->least);
    sl_resp_array(out, 1);
    sl_resp_simple(out, door->last_key ? "readonly" : "fast");
    sl_resp_integer(out, door->last_key != 0);
    sl_resp_integer(out, door->last_key);
    sl_resp_integer(out, door->last_key != 0);
}

static void write_doc(const struct door *door, int version, struct sl_buf *out)
{
    write_door_name(door, out);
    sl_resp_map(out, 1, version);
    sl_resp_bulk(out, SL_TEXT("summary"));
    sl_resp_bulk(out, api_text(door->help));
}

/* COMMAND INFO or DOCS, with names or for all. */
static void describe(const struct sl_resp_command *command, bool is_docs)
{
    const int version = sl_resp_version(command->session);
    struct sl_buf *out = command->out;
    size_t count = 0;

    if (command->word_count > 2) {
        for (uint32_t i = 2; i < command->word_count; i++)
            count += !is_docs || find_door(command->words[i]);
    } else {
        for (size_t i = 0; i < DOORS; i++)
            count += doors[i].help != NULL;
    }
    if (is_docs)
        sl_resp_map(out, count, version);
    else
        sl_resp_array(out, count);
    for (uint32_t i = 2; i < command->word_count; i++) {
        const struct door *door = find_door(command->words[i]);
        if (door && is_docs)
            write_doc(door, version, out);
        else if (door)
            write_door(door, out);
        else if (!is_docs)
            sl_resp_null(out, version);
    }
    for (size_t i = 0; command->word_count <= 2 && i < DOORS; i++) {
        if (doors[i].help && is_docs)
            write_doc(&doors[i], version, out);
        else if (doors[i].help)
            write_door(&doors[i], out);
    }
}

static enum sl_resp_result resp_command(struct resp_session *session,
                                        struct sl_resp_command *command)
{
    const struct sl_text what = command->word_count > 1 ? command->words[1] : SL_TEXT("INFO");
    struct sl_buf *out = command->out;
    size_t count = 0;

    (void)session;
    for (size_t i = 0; i < DOORS; i++)
        count += doors[i].help != NULL;
    if (resp_is(what, "COUNT")) {
        sl_resp_integer(out, (int64_t)count);
    } else if (resp_is(what, "LIST")) {
        sl_resp_array(out, count);
        for (size_t i = 0; i < DOORS; i++)
            if (doors[i].help)
                write_door_name(&doors[i], out);
    } else if (resp_is(what, "INFO")) {
        describe(command, false);
    } else if (resp_is(what, "DOCS")) {
        describe(command, true);
    } else {
        resp_error(out, "ERR", "COMMAND knows COUNT, LIST, INFO, DOCS");
    }
    return SL_RESP_DONE;
}

/* ---- The way in ---------------------------------------------------------------------------- */

enum sl_resp_result sl_api_resp(void *context, struct sl_resp_command *command)
{
    struct sl_api *api = context;
    struct resp_session *session = resp_session_of(api, command->session);
    const struct door *door = find_door(command->words[0]);

    if (!session) {
        resp_error(command->out, "ERR", "no memory for a session");
        return SL_RESP_CLOSE;
    }
    if (resp_is_listening(session) && !(door && door->listening)) {
        resp_error(command->out, "ERR",
                   "while it subscribes, a RESP2 connection takes (P)SUBSCRIBE, (P)UNSUBSCRIBE, "
                   "PING, RESET and QUIT alone; HELLO 3 before it lifts that");
        return SL_RESP_DONE;
    }
    if (!door)
        return resp_unknown(session, command);
    if (command->word_count < door->least || (door->most && command->word_count > door->most)) {
        resp_error(command->out, "ERR", "wrong number of arguments for '%s'", door->name);
        return SL_RESP_DONE;
    }
    if (!door->at_once && !sl_api_is_ready(api)) {
        resp_error(command->out, "LOADING", "logs are being recovered");
        return SL_RESP_DONE;
    }
    return door->run(session, command);
}
