/*
 * SUBSCRIBE domain:view:key and PSUBSCRIBE domain:view:*: rows as they change.
 *
 * A channel is a row's key, a message its JSON, "null" where the row is gone. Whoever subscribes
 * first and then reads, misses nothing.
 */
#include "api/resp_parts.h"

#include <stdlib.h>
#include <string.h>

#include "api/glob.h"

enum { WATCHES_MAX = 1024 }; /* of a session */

struct resp_watch {
    struct resp_watch *next;
    struct resp_session *session;
    struct sl_view_watch watch;
    struct sl_view_table *view;
    bool is_pattern;
    size_t prefix_len; /* of "domain:view:" in `channel` */
    size_t channel_len;
    char channel[]; /* as the client wrote it */
};

static void write_kind(struct sl_buf *out, int version, const char *kind, size_t count)
{
    if (version >= 3) {
        sl_buf_printf(out, ">%zu\r\n", count);
    } else {
        sl_resp_array(out, count);
    }
    sl_resp_bulk(out, api_text(kind));
}

static void changed(struct sl_view_watch *view_watch, struct sl_text key,
                    const struct sl_view_row *row, uint64_t position)
{
    struct resp_watch *watch =
        (struct resp_watch *)(void *)((char *)view_watch - offsetof(struct resp_watch, watch));
    struct resp_session *session = watch->session;
    const int version = sl_resp_version(session->net);
    struct sl_buf *out = &session->api->out;
    struct sl_buf channel = {0};

    (void)position;
    const struct sl_text glob = {watch->channel + watch->prefix_len,
                                 watch->channel_len - watch->prefix_len};
    if (watch->is_pattern && !sl_glob_matches(glob, key))
        return;
    sl_buf_append(&channel, watch->channel, watch->prefix_len);
    sl_buf_text(&channel, key);
    sl_buf_reset(out);
    write_kind(out, version, watch->is_pattern ? "pmessage" : "message", watch->is_pattern ? 4 : 3);
    if (watch->is_pattern)
        sl_resp_bulk(out, (struct sl_text){watch->channel, watch->channel_len});
    sl_resp_bulk(out, sl_buf_as_text(&channel));
    if (!row || !row->row) {
        sl_resp_bulk(out, SL_TEXT("null"));
    } else if (row->json.len > 0) {
        sl_resp_bulk(out, row->json);
    } else {
        sl_buf_reset(&channel);
        sl_json_write(&channel, sl_view_table_shape(watch->view)->view->record, row->row);
        sl_resp_bulk(out, sl_buf_as_text(&channel));
    }
    sl_buf_close(&channel);
    /* A peer that is too slow is dropped by the network, which then says `closed`. */
    (void)sl_resp_push(session->net, sl_buf_as_text(out));
}

static struct sl_text channel_of(const struct resp_watch *watch)
{
    return (struct sl_text){watch->channel, watch->channel_len};
}

static void drop(struct resp_session *session, struct resp_watch **link)
{
    struct resp_watch *watch = *link;

    *link = watch->next;
    if (!session->api->closed)
        sl_view_unwatch(watch->view, &watch->watch);
    free(watch);
    session->watch_count--;
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
           ((*link)->is_pattern != is_pattern ||
            !sl_text_equals((struct sl_text){(*link)->channel, (*link)->channel_len}, channel)))
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

/* False: an error was written. */
static bool check(struct resp_session *session, struct sl_text channel, bool is_pattern,
                  struct sl_buf *out)
{
    struct sl_text key;

    if (!resp_resolve(session, channel, &key, out))
        return false;
    if (is_pattern && sl_glob_literal(channel) < channel.len - key.len) {
        resp_error(out, "ERR", "a pattern looks like domain:view:*, of one view");
        return false;
    }
    return true;
}

static bool add(struct resp_session *session, struct sl_text channel, bool is_pattern)
{
    struct sl_buf none = {0};
    struct sl_text key;

    if (*find(session, channel, is_pattern))
        return true;
    const bool known = resp_resolve(session, channel, &key, &none);
    SL_ASSERT(known, "it was checked");
    struct resp_watch *watch = calloc(1, sizeof *watch + channel.len);
    if (!watch)
        return false;
    watch->session = session;
    watch->view = session->view;
    watch->is_pattern = is_pattern;
    watch->prefix_len = channel.len - key.len;
    watch->channel_len = channel.len;
    memcpy(watch->channel, channel.ptr, channel.len);
    watch->watch.changed = changed;
    if (!is_pattern)
        watch->watch.key = (struct sl_text){watch->channel + watch->prefix_len, key.len};
    watch->next = session->watches;
    session->watches = watch;
    session->watch_count++;
    sl_view_watch(watch->view, &watch->watch);
    return true;
}

/* All channels, or none: an error among confirmations could not be told which one it is of. */
static enum sl_resp_result subscribe_all(struct resp_session *session,
                                         struct sl_resp_command *command, bool is_pattern)
{
    struct sl_buf *out = command->out;

    if (session->watch_count + command->word_count - 1 > WATCHES_MAX) {
        resp_error(out, "ERR", "a connection subscribes to at most %d channels", WATCHES_MAX);
        return SL_RESP_DONE;
    }
    for (uint32_t i = 1; i < command->word_count; i++)
        if (!check(session, command->words[i], is_pattern, out))
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

    for (uint32_t i = 1; i < command->word_count; i++) {
        struct resp_watch **found = find(session, command->words[i], is_pattern);
        if (*found)
            drop(session, found);
        confirm(session, command->out, kind, command->words[i]);
    }
    if (command->word_count > 1)
        return SL_RESP_DONE;
    bool had_one = false;
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
