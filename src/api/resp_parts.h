/* What the RESP door's files share. Private to this folder. */
#ifndef SL_API_RESP_PARTS_H
#define SL_API_RESP_PARTS_H

#include "api/parts.h"

#define RESP_PREFIX_MAX 132 /* "domain:view:" */

struct resp_watch;

/* A connection, as the door knows it. Freed when it is closed and none of its commands is under
 * way. */
struct resp_session {
    struct sl_api *api;
    struct sl_resp_session *net; /* NULL: closed */
    const struct sl_principal *who;
    uint64_t id;
    uint32_t refs; /* commands under way */
    char name[64];

    /* The last "domain:view:" that a key began with, found and permitted. */
    char prefix[RESP_PREFIX_MAX];
    size_t prefix_len;
    struct sl_core_domain *domain;
    struct sl_view_table *view;
    uint64_t *own_position; /* of that domain, in `own`; NULL: no commands came by this session */

    uint64_t
        *own; /* by domain: what this session's commands have reached. Its reads wait for it (P3) */

    struct resp_watch *watches;
    uint32_t watch_count;
};

/* The session's own struct; NULL: no memory. */
struct resp_session *resp_session_of(struct sl_api *api, struct sl_resp_session *net);
void resp_hold(struct resp_session *session);
void resp_release(struct resp_session *session); /* may free it */

/* Finds domain and view of "domain:view:rest" and checks the policy. False: an error was written.
 */
bool resp_resolve(struct resp_session *session, struct sl_text key, struct sl_text *out_rest,
                  struct sl_buf *out);
/* What the session's own commands ask its reads of the resolved domain to wait for. */
static inline uint64_t resp_own_position(const struct resp_session *session)
{
    return session->own_position ? *session->own_position : 0;
}
/* Refuses to wait for what a degraded view will not apply. False: an error was written. */
bool resp_can_reach(const struct sl_view_table *view, uint64_t wanted, struct sl_buf *out);
/* Notes that a command of the session has reached a position. */
void resp_saw_position(struct resp_session *session, struct sl_core_domain *domain,
                       uint64_t position);

/* Its reads wait for nothing any more. */
void resp_forget_positions(struct resp_session *session);

/* Does it subscribe, and speak RESP2, so that all it reads are messages? */
static inline bool resp_is_listening(const struct resp_session *session)
{
    return session->watch_count > 0 && sl_resp_version(session->net) == 2;
}

/* May the session's principal do it? False: an error was written. */
bool resp_may(struct resp_session *session, const struct sl_deed *deed, struct sl_buf *out);

/* Is the word this one, which is in capitals, whatever its case? */
bool resp_is(struct sl_text word, const char *capitals);

void resp_error(struct sl_buf *out, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- Subscriptions (resp_watch.c) ---------------------------------------------------------- */

enum resp_source { RESP_ROWS = 1, RESP_EVENTS, RESP_STREAM };

/* What a channel's name says; texts lie in the name. */
struct resp_channel {
    struct sl_text name; /* as the client wrote it, and wants it back */
    bool is_pattern;
    enum resp_source source;
    struct sl_core_domain *domain;
    struct sl_view_table *view; /* of rows */
    struct sl_text prefix;      /* "domain:view:" */
    struct sl_text rest;        /* behind it, and before "@": key, pattern, tag, stream */
    bool is_resumable;          /* there is an "@": messages say their positions */
    bool has_position;          /* and a token behind it */
    uint64_t position;
};

/* The first member of each kind of subscription. */
struct resp_watch {
    struct resp_watch *next;
    struct resp_session *session;
    void (*end)(struct resp_watch *watch); /* gives all up, and frees it; the api may be closed */
    bool is_pattern;
    bool is_resumable;
    size_t prefix_len;
    size_t rest_len;
    size_t channel_len;
    char *channel; /* behind the struct of its kind, which keeps it */
};

static inline struct sl_text resp_watch_rest(const struct resp_watch *watch)
{
    return (struct sl_text){watch->channel + watch->prefix_len, watch->rest_len};
}

/* Sends the message that stands in api->out; a pattern's says the channel that it is of. Not from
 * inside of a command: what is sent must not overtake its answer. False: the peer takes no more,
 * and is dropped. */
bool resp_tell(struct resp_watch *watch, struct sl_text prefix, struct sl_text rest);
/* Begins a message that says its position in api->out: {"position":"…" */
void resp_tell_position(struct resp_watch *watch, struct sl_core_domain *domain, uint64_t position);

/* Memory for one, `size` bytes with the channel's name behind; NULL: there is none. */
struct resp_watch *resp_watch_new(size_t size, struct resp_session *session,
                                  const struct resp_channel *channel);
/* Can the subscription go on where the channel says? False: an error was written. */
bool resp_rows_can_go_on(struct resp_session *session, const struct resp_channel *channel,
                         struct sl_buf *out); /* resp_rows.c */
/* Begin one; NULL: no memory. */
struct resp_watch *resp_rows_start(struct resp_session *session,
                                   const struct resp_channel *channel);
struct resp_watch *resp_events_start(struct resp_session *session,
                                     const struct resp_channel *channel); /* resp_events.c */

/* ---- Commands, by file --------------------------------------------------------------------- */

typedef enum sl_resp_result resp_door(struct resp_session *session,
                                      struct sl_resp_command *command);

resp_door resp_get; /* resp_read.c */
resp_door resp_mget;
resp_door resp_exists;
resp_door resp_type;
resp_door resp_hget;
resp_door resp_hmget;
resp_door resp_hgetall;
resp_door resp_do; /* resp_do.c */
resp_door resp_wait;
resp_door resp_scan;      /* resp_scan.c */
resp_door resp_geosearch; /* resp_geo.c */
resp_door resp_subscribe; /* resp_watch.c */
resp_door resp_psubscribe;
resp_door resp_unsubscribe;
resp_door resp_punsubscribe;
resp_door resp_auth; /* resp_talk.c */
resp_door resp_hello;
resp_door resp_client;
resp_door resp_ping;
resp_door resp_echo;
resp_door resp_info;
resp_door resp_config;
resp_door resp_select;
resp_door resp_reset;
resp_door resp_quit;
resp_door resp_http;
resp_door resp_unknown; /* resp_refuse.c */
void resp_unwatch_all(struct resp_session *session);

#endif
