/* What clients say before and beside their work: who they are, what is spoken, how the server is.
 */
#include "api/resp_parts.h"

#include <stdio.h>
#include <string.h>

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

enum sl_resp_result resp_auth(struct resp_session *session, struct sl_resp_command *command)
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

enum sl_resp_result resp_hello(struct resp_session *session, struct sl_resp_command *command)
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

enum sl_resp_result resp_client(struct resp_session *session, struct sl_resp_command *command)
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
        resp_error(out, "ERR",
                   "CLIENT knows ID, INFO, LIST, SETNAME, GETNAME, SETINFO; %.*s is none",
                   (int)(what.len < 32 ? what.len : 32), what.ptr);
    }
    return SL_RESP_DONE;
}

/* ---- Small talk ---------------------------------------------------------------------------- */

enum sl_resp_result resp_ping(struct resp_session *session, struct sl_resp_command *command)
{
    const bool has_text = command->word_count > 1;

    /* A RESP2 client that subscribes takes everything for a message: so this looks like one. */
    if (resp_is_listening(session)) {
        sl_resp_array(command->out, 2);
        sl_resp_bulk(command->out, SL_TEXT("pong"));
        sl_resp_bulk(command->out, has_text ? command->words[1] : SL_TEXT(""));
    } else if (has_text) {
        sl_resp_bulk(command->out, command->words[1]);
    } else {
        sl_resp_simple(command->out, "PONG");
    }
    return SL_RESP_DONE;
}

enum sl_resp_result resp_echo(struct resp_session *session, struct sl_resp_command *command)
{
    (void)session;
    sl_resp_bulk(command->out, command->words[1]);
    return SL_RESP_DONE;
}

enum sl_resp_result resp_quit(struct resp_session *session, struct sl_resp_command *command)
{
    (void)session;
    sl_resp_simple(command->out, "OK");
    return SL_RESP_CLOSE;
}

/* As a new connection: nobody, RESP2, nothing watched, nothing of its own to wait for. */
enum sl_resp_result resp_reset(struct resp_session *session, struct sl_resp_command *command)
{
    resp_unwatch_all(session);
    resp_forget_positions(session);
    session->who = sl_auth_anonymous(session->api->options.auth);
    session->name[0] = '\0';
    sl_resp_set_version(command->session, 2);
    sl_resp_simple(command->out, "RESET");
    return SL_RESP_DONE;
}

enum sl_resp_result resp_select(struct resp_session *session, struct sl_resp_command *command)
{
    (void)session;
    if (sl_text_equals(command->words[1], SL_TEXT("0")))
        sl_resp_simple(command->out, "OK");
    else
        resp_error(command->out, "ERR", "there is one database, 0; domains part the keys");
    return SL_RESP_DONE;
}

/* What redis-benchmark and libraries ask for: everything is durable, nothing else is known here. */
enum sl_resp_result resp_config(struct resp_session *session, struct sl_resp_command *command)
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

enum sl_resp_result resp_info(struct resp_session *session, struct sl_resp_command *command)
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
enum sl_resp_result resp_http(struct resp_session *session, struct sl_resp_command *command)
{
    (void)session;
    resp_error(command->out, "ERR", "this is the RESP port; HTTP has another");
    return SL_RESP_CLOSE;
}
