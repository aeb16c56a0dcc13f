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

/* ---- Who ----------------------------------------------------------------------------------- */

static bool authenticate(struct resp_session *session, struct sl_text token, struct sl_buf *out)
{
    const struct sl_principal *who = sl_auth_token(session->api->options.auth, token);

    if (!who) {
        resp_error(out, "WRONGPASS", "nobody has this token");
        return false;
    }
    session->who = who;
    session->prefix_len = 0; /* it was permitted to another */
    return true;
}

static enum sl_resp_result door_auth(struct resp_session *session, struct sl_resp_command *command)
{
    /* AUTH token, or AUTH name token; the name is not needed. */
    if (authenticate(session, command->words[command->word_count - 1], command->out))
        sl_resp_simple(command->out, "OK");
    return SL_RESP_DONE;
}

static void pair(struct sl_buf *out, const char *name, const char *value)
{
    sl_resp_bulk(out, api_text(name));
    sl_resp_bulk(out, api_text(value));
}

static void keep_name(struct resp_session *session, struct sl_text name)
{
    const size_t len = name.len < sizeof session->name - 1 ? name.len : sizeof session->name - 1;

    memcpy(session->name, name.ptr, len);
    session->name[len] = '\0';
}

static enum sl_resp_result door_hello(struct resp_session *session, struct sl_resp_command *command)
{
    struct sl_buf *out = command->out;
    uint64_t version = (uint64_t)sl_resp_version(command->session);
    uint32_t at = 1;

    if (command->word_count > 1 &&
        (!sl_url_number(command->words[at++], &version) || (version != 2 && version != 3))) {
        resp_error(out, "NOPROTO", "versions 2 and 3 are spoken here");
        return SL_RESP_DONE;
    }
    while (at < command->word_count) {
        const uint32_t left = command->word_count - at - 1;
        if (resp_is(command->words[at], "AUTH") && left >= 2) {
            if (!authenticate(session, command->words[at + 2], out))
                return SL_RESP_DONE;
            at += 3;
        } else if (resp_is(command->words[at], "SETNAME") && left >= 1) {
            keep_name(session, command->words[at + 1]);
            at += 2;
        } else {
            resp_error(out, "ERR", "HELLO takes a version, AUTH name token, SETNAME name");
            return SL_RESP_DONE;
        }
    }
    sl_resp_set_version(command->session, (int)version);
    sl_resp_map(out, 7, (int)version);
    pair(out, "server", "sluice");
    pair(out, "version", "7.0.0");
    sl_resp_bulk(out, SL_TEXT("proto"));
    sl_resp_integer(out, (int64_t)version);
    sl_resp_bulk(out, SL_TEXT("id"));
    sl_resp_integer(out, (int64_t)session->id);
    pair(out, "mode", "standalone");
    pair(out, "role", "master");
    sl_resp_bulk(out, SL_TEXT("modules"));
    sl_resp_array(out, 0);
    return SL_RESP_DONE;
}

static enum sl_resp_result door_client(struct resp_session *session,
                                       struct sl_resp_command *command)
{
    const struct sl_text what = command->words[1];
    struct sl_buf *out = command->out;
    char text[256];

    if (resp_is(what, "ID")) {
        sl_resp_integer(out, (int64_t)session->id);
    } else if (resp_is(what, "SETNAME") && command->word_count == 3) {
        keep_name(session, command->words[2]);
        sl_resp_simple(out, "OK");
    } else if (resp_is(what, "GETNAME")) {
        sl_resp_bulk(out, api_text(session->name));
    } else if (resp_is(what, "INFO") || resp_is(what, "LIST")) {
        snprintf(text, sizeof text, "id=%llu name=%s resp=%d user=%.*s\n",
                 (unsigned long long)session->id, session->name, sl_resp_version(command->session),
                 (int)session->who->name.len, session->who->name.ptr);
        sl_resp_bulk(out, api_text(text));
    } else if (resp_is(what, "SETINFO") || resp_is(what, "NO-EVICT") || resp_is(what, "NO-TOUCH")) {
        sl_resp_simple(out, "OK");
    } else {
        resp_error(out, "ERR", "CLIENT knows ID, INFO, LIST, SETNAME, GETNAME, SETINFO");
    }
    return SL_RESP_DONE;
}

/* ---- Small talk ---------------------------------------------------------------------------- */

static enum sl_resp_result door_ping(struct resp_session *session, struct sl_resp_command *command)
{
    (void)session;
    if (command->word_count > 1)
        sl_resp_bulk(command->out, command->words[1]);
    else
        sl_resp_simple(command->out, "PONG");
    return SL_RESP_DONE;
}

static enum sl_resp_result door_echo(struct resp_session *session, struct sl_resp_command *command)
{
    (void)session;
    sl_resp_bulk(command->out, command->words[1]);
    return SL_RESP_DONE;
}

static enum sl_resp_result door_quit(struct resp_session *session, struct sl_resp_command *command)
{
    (void)session;
    sl_resp_simple(command->out, "OK");
    return SL_RESP_CLOSE;
}

static enum sl_resp_result door_select(struct resp_session *session,
                                       struct sl_resp_command *command)
{
    (void)session;
    if (sl_text_equals(command->words[1], SL_TEXT("0")))
        sl_resp_simple(command->out, "OK");
    else
        resp_error(command->out, "ERR", "there is one database, 0; domains part the keys");
    return SL_RESP_DONE;
}

/* What redis-benchmark and libraries ask for: everything is durable, nothing else is known here. */
static enum sl_resp_result door_config(struct resp_session *session,
                                       struct sl_resp_command *command)
{
    const int version = sl_resp_version(command->session);
    struct sl_buf *out = command->out;

    (void)session;
    if (!resp_is(command->words[1], "GET") || command->word_count != 3) {
        resp_error(out, "ERR", "settings stand in sluice.conf");
    } else if (resp_is(command->words[2], "SAVE")) {
        sl_resp_map(out, 1, version);
        pair(out, "save", "");
    } else if (resp_is(command->words[2], "APPENDONLY")) {
        sl_resp_map(out, 1, version);
        pair(out, "appendonly", "yes");
    } else {
        sl_resp_map(out, 0, version);
    }
    return SL_RESP_DONE;
}

static enum sl_resp_result door_info(struct resp_session *session, struct sl_resp_command *command)
{
    struct sl_api *api = session->api;
    const struct sl_deed watch = {SL_DO_WATCH};
    struct sl_buf *out = &api->out;

    if (!resp_may(session, &watch, command->out))
        return SL_RESP_DONE;
    const struct sl_net_numbers net = sl_net_numbers(api->options.net);
    const int64_t up_ns = sl_env_monotonic(api->options.env) - api->started_ns;
    sl_buf_reset(out);
    sl_buf_printf(out,
                  "# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\n"
                  "sluice_version:" SL_VERSION "\r\nuptime_in_seconds:%lld\r\n"
                  "# Clients\r\nconnected_clients:%llu\r\n# Memory\r\nused_memory_rss:%llu\r\n"
                  "# Stats\r\ntotal_connections_received:%llu\r\n"
                  "total_commands_processed:%llu\r\n# Keyspace\r\n",
                  (long long)(up_ns / 1000000000), (unsigned long long)net.connections_now,
                  (unsigned long long)api_memory_bytes(api),
                  (unsigned long long)net.connections_total,
                  (unsigned long long)net.requests_total);
    sl_resp_bulk(command->out, sl_buf_as_text(out));
    return SL_RESP_DONE;
}

/* A browser was sent here to speak HTTP, which looks like inline commands: nothing of it is done.
 */
static enum sl_resp_result door_http(struct resp_session *session, struct sl_resp_command *command)
{
    (void)session;
    resp_error(command->out, "ERR", "this is the RESP port; HTTP has another");
    return SL_RESP_CLOSE;
}

static enum sl_resp_result door_command(struct resp_session *session,
                                        struct sl_resp_command *command);

/* ---- The table ----------------------------------------------------------------------------- */

static const struct door {
    const char *name;
    resp_door *run;
    uint32_t least; /* words, the name included */
    uint32_t most;  /* 0: any */
    bool at_once;   /* also while logs are being recovered */
    bool has_key;
} doors[] = {
    {"GET", resp_get, 2, 2, .has_key = true},
    {"MGET", resp_mget, 2, 0, .has_key = true},
    {"HGET", resp_hget, 3, 3, .has_key = true},
    {"HMGET", resp_hmget, 3, 0, .has_key = true},
    {"HGETALL", resp_hgetall, 2, 2, .has_key = true},
    {"EXISTS", resp_exists, 2, 0, .has_key = true},
    {"TYPE", resp_type, 2, 2, .has_key = true},
    {"SCAN", resp_scan, 2, 8},
    {"SLUICE.DO", resp_do, 3, 5},
    {"SLUICE.WAIT", resp_wait, 2, 3},
    {"SUBSCRIBE", resp_subscribe, 2, 0},
    {"PSUBSCRIBE", resp_psubscribe, 2, 0},
    {"UNSUBSCRIBE", resp_unsubscribe, 1, 0},
    {"PUNSUBSCRIBE", resp_punsubscribe, 1, 0},
    {"PING", door_ping, 1, 2, .at_once = true},
    {"ECHO", door_echo, 2, 2, .at_once = true},
    {"HELLO", door_hello, 1, 0, .at_once = true},
    {"AUTH", door_auth, 2, 3, .at_once = true},
    {"CLIENT", door_client, 2, 0, .at_once = true},
    {"COMMAND", door_command, 1, 0, .at_once = true},
    {"INFO", door_info, 1, 0, .at_once = true},
    {"CONFIG", door_config, 2, 0, .at_once = true},
    {"SELECT", door_select, 2, 2, .at_once = true},
    {"QUIT", door_quit, 1, 0, .at_once = true},
    {"POST", door_http, 1, 0, .at_once = true},
    {"HOST:", door_http, 1, 0, .at_once = true},
};

enum { DOORS = sizeof doors / sizeof *doors };

/* What writes in Redis. */
static const char *const writers[] = {
    "SET",      "SETEX",       "SETNX",   "PSETEX",  "MSET",  "MSETNX",  "GETSET",  "GETDEL",
    "GETEX",    "APPEND",      "DEL",     "UNLINK",  "INCR",  "INCRBY",  "DECR",    "DECRBY",
    "EXPIRE",   "PEXPIRE",     "HSET",    "HSETNX",  "HMSET", "HDEL",    "HINCRBY", "LPUSH",
    "RPUSH",    "LPOP",        "RPOP",    "SADD",    "SREM",  "SPOP",    "ZADD",    "ZREM",
    "ZINCRBY",  "XADD",        "RENAME",  "PERSIST", "COPY",  "RESTORE", "FLUSHDB", "FLUSHALL",
    "SETRANGE", "INCRBYFLOAT", "PUBLISH", "LSET",
};

static enum sl_resp_result door_command(struct resp_session *session,
                                        struct sl_resp_command *command)
{
    struct sl_buf *out = command->out;

    (void)session;
    if (command->word_count > 1 && resp_is(command->words[1], "COUNT")) {
        sl_resp_integer(out, DOORS);
        return SL_RESP_DONE;
    }
    if (command->word_count > 1) { /* DOCS, GETKEYS, …: clients live without */
        sl_resp_map(out, 0, sl_resp_version(command->session));
        return SL_RESP_DONE;
    }
    sl_resp_array(out, DOORS);
    for (size_t i = 0; i < DOORS; i++) {
        const bool fixed = doors[i].least == doors[i].most;
        char name[16];
        size_t len = strlen(doors[i].name);
        for (size_t c = 0; c < len; c++)
            name[c] = (char)(doors[i].name[c] | (doors[i].name[c] >= 'A' ? 0x20 : 0));
        sl_resp_array(out, 6);
        sl_resp_bulk(out, (struct sl_text){name, len});
        sl_resp_integer(out, fixed ? (int64_t)doors[i].least : -(int64_t)doors[i].least);
        sl_resp_array(out, 1);
        sl_resp_simple(out, doors[i].has_key ? "readonly" : "fast");
        sl_resp_integer(out, doors[i].has_key);
        sl_resp_integer(out, doors[i].has_key);
        sl_resp_integer(out, doors[i].has_key);
    }
    return SL_RESP_DONE;
}

static enum sl_resp_result unknown(const struct sl_resp_command *command)
{
    const struct sl_text name = command->words[0];

    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        if (!resp_is(name, writers[i]))
            continue;
        resp_error(command->out, "READONLY",
                   "%s is refused: rows are made by projections of events. Send a command: "
                   "SLUICE.DO domain.Command {json}",
                   writers[i]);
        return SL_RESP_DONE;
    }
    resp_error(command->out, "ERR", "unknown command '%.*s'", (int)(name.len < 64 ? name.len : 64),
               name.ptr);
    return SL_RESP_DONE;
}

enum sl_resp_result sl_api_resp(void *context, struct sl_resp_command *command)
{
    struct sl_api *api = context;
    struct resp_session *session = resp_session_of(api, command->session);

    if (!session) {
        resp_error(command->out, "ERR", "no memory for a session");
        return SL_RESP_CLOSE;
    }
    for (size_t i = 0; i < DOORS; i++) {
        const struct door *door = &doors[i];
        if (!resp_is(command->words[0], door->name))
            continue;
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
    return unknown(command);
}
