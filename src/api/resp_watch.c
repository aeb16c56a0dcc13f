/*
 * SUBSCRIBE and PSUBSCRIBE: rows as they change, events as they happen.
 *
 *     SUBSCRIBE  domain:view:key            a row: its JSON at each change, "null" when it is gone
 *     PSUBSCRIBE domain:view:pattern        the rows of a view whose keys match
 *     PSUBSCRIBE domain:events:*            a log's events
 *     SUBSCRIBE  domain:events:tag:key      those with a tag
 *     SUBSCRIBE  domain:streams:stream/key  those of a stream
 *
 * An "@" behind the name makes each message say its position, as {"position":token, …}, and a token
 * behind that goes on from there: nothing is lost in between, and what was seen already may come
 * again (resp_rows.c, resp_events.c say how each keeps that). A key has no colon, so a token cannot
 * be a part of it; a key that ends in "@" is written with one more.
 *
 * Confirmations come before any message; messages come in the turn after.
 */
#include "api/resp_parts.h"

#include <stdlib.h>
#include <string.h>

#include "api/glob.h"

enum { WATCHES_MAX = 1024 }; /* of a session */

/* ---- Messages ------------------------------------------------------------------------------ */

static void write_kind(struct sl_buf *out, int version, const char *kind, size_t count)
{
    if (version >= 3)
        sl_buf_printf(out, ">%zu\r\n", count);
    else
        sl_resp_array(out, count);
    sl_resp_bulk(out, api_text(kind));
}

static struct sl_text channel_of(const struct resp_watch *watch)
{
    return (struct sl_text){watch->channel, watch->channel_len};
}

bool resp_tell(struct resp_watch *watch, struct sl_text prefix, struct sl_text rest)
{
    struct resp_session *session = watch->session;
    struct sl_buf *frame = &session->api->frame;

    sl_buf_reset(frame);
    write_kind(frame, sl_resp_version(session->net), watch->is_pattern ? "pmessage" : "message",
               watch->is_pattern ? 4 : 3);
    sl_resp_bulk(frame, channel_of(watch));
    if (watch->is_pattern) {
        sl_buf_printf(frame, "$%zu\r\n", prefix.len + rest.len);
        sl_buf_text(frame, prefix);
        sl_buf_text(frame, rest);
        SL_BUF_LITERAL(frame, "\r\n");
    }
    sl_resp_bulk(frame, sl_buf_as_text(&session->api->out));
    if (frame->failed || session->api->out.failed) {
        sl_resp_drop(session->net); /* who comes back with a position misses nothing */
        return false;
    }
    return sl_resp_push(session->net, sl_buf_as_text(frame));
}

void resp_tell_position(struct resp_watch *watch, struct sl_core_domain *domain, uint64_t position)
{
    struct sl_buf *out = &watch->session->api->out;

    sl_buf_reset(out);
    SL_BUF_LITERAL(out, "{\"position\":\"");
    sl_core_token(domain, position, out);
    SL_BUF_LITERAL(out, "\"");
}

/* ---- Channels ------------------------------------------------------------------------------ */

/* Cuts "@" and a token from the end of `rest`. False: an error was written. */
static bool read_position(struct resp_channel *channel, struct sl_buf *out)
{
    const char *at =
        channel->rest.len > 0 ? memrchr(channel->rest.ptr, '@', channel->rest.len) : NULL;
    const size_t len = at ? (size_t)(at - channel->rest.ptr) : 0;
    const struct sl_text token =
        at ? (struct sl_text){at + 1, channel->rest.len - len - 1} : SL_TEXT("");
    const bool is_start = channel->source != RESP_ROWS && sl_text_equals(token, SL_TEXT("start"));

    if (!at || (token.len > 0 && !is_start && !memchr(token.ptr, ':', token.len)))
        return true; /* it belongs to the key */
    channel->rest.len = len;
    channel->is_resumable = true;
    channel->has_position = token.len > 0;
    if (token.len == 0 || is_start)
        return true;
    switch (sl_core_token_read(channel->domain, token, &channel->position)) {
    case SL_OK:
        return true;
    case SL_CONFLICT:
        resp_error(out, "CONFLICT", "the log does not have what this position speaks of");
        return false;
    default:
        resp_error(out, "ERR", "behind @ stands a position of this domain: domain:salt:number");
        return false;
    }
}

/* "domain:events:…" or "domain:streams:…". False: it is neither; `*out_good` is set if it is. */
static bool read_log_channel(struct resp_session *session, struct resp_channel *channel,
                             bool *out_good, struct sl_buf *out)
{
    const struct sl_text name = channel->name;
    const char *colon = name.len > 0 ? memchr(name.ptr, ':', name.len) : NULL;
    const size_t domain_len = colon ? (size_t)(colon - name.ptr) : 0;
    const struct sl_text behind = {name.ptr + domain_len, name.len - domain_len};
    static const struct {
        struct sl_text word;
        enum resp_source source;
    } words[] = {{{":events:", 8}, RESP_EVENTS}, {{":streams:", 9}, RESP_STREAM}};

    for (size_t i = 0; colon && i < sizeof words / sizeof *words; i++) {
        const size_t len = words[i].word.len;
        if (behind.len < len || memcmp(behind.ptr, words[i].word.ptr, len) != 0)
            continue;
        channel->source = words[i].source;
        channel->prefix = (struct sl_text){name.ptr, domain_len + len};
        channel->rest = (struct sl_text){behind.ptr + len, behind.len - len};
    }
    if (!channel->source)
        return false;
    const struct sl_text domain = {name.ptr, domain_len};
    channel->domain = sl_core_find(session->api->options.core, domain);
    *out_good = channel->domain != NULL;
    if (!channel->domain)
        resp_error(out, "ERR", "there is no domain %.*s", (int)(domain_len < 64 ? domain_len : 64),
                   name.ptr);
    return true;
}

static bool check_log_channel(struct resp_session *session, const struct resp_channel *channel,
                              struct sl_buf *out)
{
    const struct sl_domain *domain = sl_core_domain_of(channel->domain);
    const struct sl_deed deed = {SL_DO_READ_LOG, domain->name, NULL, sl_auth_log_roles(domain),
                                 false};
    const bool is_all = sl_text_equals(channel->rest, SL_TEXT("*"));
    const char between = channel->source == RESP_STREAM ? '/' : ':';

    if (channel->is_pattern ? channel->source == RESP_EVENTS && is_all
                            : channel->rest.len <= SL_STORE_STREAM_BYTES_MAX &&
                                  memchr(channel->rest.ptr, between, channel->rest.len))
        return resp_may(session, &deed, out);
    resp_error(out, "ERR",
               "of a log there are: PSUBSCRIBE domain:events:*, SUBSCRIBE domain:events:tag:key, "
               "SUBSCRIBE domain:streams:stream/key");
    return false;
}

/* False: an error was written. */
static bool read_channel(struct resp_session *session, struct sl_text name, bool is_pattern,
                         struct resp_channel *channel, struct sl_buf *out)
{
    bool good = false;

    *channel = (struct resp_channel){.name = name, .is_pattern = is_pattern};
    if (read_log_channel(session, channel, &good, out))
        return good && read_position(channel, out) && check_log_channel(session, channel, out);
    channel->source = RESP_ROWS;
    if (!resp_resolve(session, name, &channel->rest, out))
        return false;
    channel->domain = session->domain;
    channel->view = session->view;
    channel->prefix = (struct sl_text){name.ptr, name.len - channel->rest.len};
    if (!read_position(channel, out))
        return false;
    if (channel->rest.len == 0 || sl_glob_literal(name) < channel->prefix.len) {
        resp_error(out, "ERR",
                   is_pattern ? "a pattern looks like domain:view:*, of one view"
                              : "a channel looks like domain:view:key");
        return false;
    }
    return resp_rows_can_go_on(session, channel, out);
}

/* ---- A session's subscriptions ------------------------------------------------------------- */

struct resp_watch *resp_watch_new(size_t size, struct resp_session *session,
                                  const struct resp_channel *channel)
{
    struct resp_watch *watch = calloc(1, size + channel->name.len);

    if (!watch)
        return NULL;
    watch->session = session;
    watch->is_pattern = channel->is_pattern;
    watch->is_resumable = channel->is_resumable;
    watch->prefix_len = channel->prefix.len;
    watch->rest_len = channel->rest.len;
    watch->channel_len = channel->name.len;
    watch->channel = (char *)watch + size;
    memcpy(watch->channel, channel->name.ptr, channel->name.len);
    return watch;
}

static void drop(struct resp_session *session, struct resp_watch **link)
{
    struct resp_watch *watch = *link;

    *link = watch->next;
    session->watch_count--;
    watch->end(watch);
}

void resp_unwatch_all(struct resp_session *session)
{
    while (session->watches)
        drop(session, &session->watches);
}

static struct resp_watch **find(struct resp_session *session, struct sl_text channel,
                                bool is_pattern)
{
    struct resp_watch **link = &session->watches;

    while (*link &&
           ((*link)->is_pattern != is_pattern || !sl_text_equals(channel_of(*link), channel)))
        link = &(*link)->next;
    return link;
}

static void confirm(struct resp_session *session, struct sl_buf *out, const char *kind,
                    struct sl_text channel)
{
    const int version = sl_resp_version(session->net);

    write_kind(out, version, kind, 3);
    if (channel.ptr)
        sl_resp_bulk(out, channel);
    else
        sl_resp_null(out, version);
    sl_resp_integer(out, session->watch_count);
}

static bool add(struct resp_session *session, struct sl_text name, bool is_pattern)
{
    struct sl_buf none = {0};
    struct resp_channel channel;

    if (*find(session, name, is_pattern))
        return true;
    const bool known = read_channel(session, name, is_pattern, &channel, &none);
    SL_ASSERT(known, "it was read before");
    struct resp_watch *watch = channel.source == RESP_ROWS ? resp_rows_start(session, &channel)
                                                           : resp_events_start(session, &channel);
    if (!watch)
        return false;
    watch->next = session->watches;
    session->watches = watch;
    session->watch_count++;
    return true;
}

/* All channels, or none: an error among confirmations could not be told which one it is of. */
static enum sl_resp_result subscribe_all(struct resp_session *session,
                                         struct sl_resp_command *command, bool is_pattern)
{
    struct sl_buf *out = command->out;
    struct resp_channel channel;

    if (session->watch_count + command->word_count - 1 > WATCHES_MAX) {
        resp_error(out, "ERR", "a connection subscribes to at most %d channels", WATCHES_MAX);
        return SL_RESP_DONE;
    }
    for (uint32_t i = 1; i < command->word_count; i++)
        if (!read_channel(session, command->words[i], is_pattern, &channel, out))
            return SL_RESP_DONE;
    for (uint32_t i = 1; i < command->word_count; i++) {
        if (add(session, command->words[i], is_pattern))
            confirm(session, out, is_pattern ? "psubscribe" : "subscribe", command->words[i]);
        else
            resp_error(out, "ERR", "no memory");
    }
    return SL_RESP_DONE;
}

static enum sl_resp_result unsubscribe_all(struct resp_session *session,
                                           struct sl_resp_command *command, bool is_pattern)
{
    const char *kind = is_pattern ? "punsubscribe" : "unsubscribe";
    struct resp_watch **link = &session->watches;
    bool had_one = false;

    for (uint32_t i = 1; i < command->word_count; i++) {
        struct resp_watch **found = find(session, command->words[i], is_pattern);
        if (*found)
            drop(session, found);
        confirm(session, command->out, kind, command->words[i]);
    }
    if (command->word_count > 1)
        return SL_RESP_DONE;
    while (*link) {
        if ((*link)->is_pattern != is_pattern) {
            link = &(*link)->next;
            continue;
        }
        session->watch_count--; /* as the client is to read it */
        confirm(session, command->out, kind, channel_of(*link));
        session->watch_count++;
        drop(session, link);
        had_one = true;
    }
    if (!had_one)
        confirm(session, command->out, kind, (struct sl_text){NULL, 0});
    return SL_RESP_DONE;
}

enum sl_resp_result resp_subscribe(struct resp_session *session, struct sl_resp_command *command)
{
    return subscribe_all(session, command, false);
}

enum sl_resp_result resp_psubscribe(struct resp_session *session, struct sl_resp_command *command)
{
    return subscribe_all(session, command, true);
}

enum sl_resp_result resp_unsubscribe(struct resp_session *session, struct sl_resp_command *command)
{
    return unsubscribe_all(session, command, false);
}

enum sl_resp_result resp_punsubscribe(struct resp_session *session, struct sl_resp_command *command)
{
    return unsubscribe_all(session, command, true);
}
