/*
 * Connections: listeners, HTTP/1.1, SSE and RESP on one event loop (libuv), all on the engine's
 * thread.
 *
 * `net` knows protocols, not Sluice: it frames requests, hands them to a handler, and sends what the
 * handler answers, now or later, in the order of the requests. Replies of one turn of the loop leave
 * in one write per connection.
 */
#ifndef SL_NET_NET_H
#define SL_NET_NET_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"

struct sl_net;

/* ---- The loop ---------------------------------------------------------------------------------- */

struct sl_net_options {
    struct sl_env *env;
    uint32_t connections_max;   /* 0: 10,000 */
    uint32_t head_bytes_max;    /* 0: 16 KiB */
    uint32_t body_bytes_max;    /* 0: 16 MiB */
    int64_t idle_ms;            /* an idle connection is closed; 0: 75,000. A timer runs only while there are connections */
    int64_t request_ms;         /* a request must have arrived whole by then; 0: 30,000 */
    int64_t send_ms;            /* a reader that takes nothing for so long is dropped; 0: 30,000 */
    uint32_t pipeline_max;      /* requests of one connection in work; 0: 1,024 for HTTP, 100,000 bytes... see .c for RESP */
    /* Called at the end of every turn of the loop, after all requests that had arrived were handled and before
     * replies are written; returns the next deadline on the monotonic clock (INT64_MAX: none). */
    int64_t (*turn)(void *context);
    /* A message that was posted to the net's mailbox. */
    void (*step)(void *context, struct sl_message *message);
    void *context;
};

enum sl_err sl_net_new(const struct sl_net_options *options, struct sl_net **out,
                       struct sl_error *error) SL_USE_RESULT;

/* The mailbox of this thread: posting wakes the loop (one uv_async a burst). */
struct sl_mailbox *sl_net_mailbox(struct sl_net *net);

/* Runs until sl_net_stop. When nothing happens it sleeps: no ticks. */
enum sl_err sl_net_run(struct sl_net *net, struct sl_error *error) SL_USE_RESULT;

/* Stops listening, lets requests in work finish and replies leave for at most `grace_ms`, then
 * run returns. Loop's thread. */
void sl_net_stop(struct sl_net *net, int64_t grace_ms);

/* `handler` is called on SIGINT or SIGTERM, on the loop. */
enum sl_err sl_net_on_signal(struct sl_net *net, void (*handler)(void *context, int number), void *context,
                             struct sl_error *error) SL_USE_RESULT;

void sl_net_free(struct sl_net *net);

struct sl_net_numbers {
    uint64_t connections_now, connections_total, connections_refused;
    uint64_t requests_total, bytes_in, bytes_out, requests_bad;
};
struct sl_net_numbers sl_net_numbers(const struct sl_net *net);

/* ---- HTTP -------------------------------------------------------------------------------------- */

enum sl_method { SL_GET = 1, SL_HEAD, SL_POST, SL_PUT, SL_DELETE, SL_OPTIONS, SL_PATCH };

struct sl_header {
    struct sl_text name; /* lower-case */
    struct sl_text value; /* without white space around */
};

/* A request, whole. Borrowed texts live until it was answered. */
struct sl_request {
    enum sl_method method;
    struct sl_text path;  /* decoded once; no "..", no NUL; "/bank/balance/C1" */
    struct sl_text raw_path; /* as it came, without the query: for keys that hold %2F */
    struct sl_text query; /* behind "?", as it came */
    struct sl_text host;
    const struct sl_header *headers;
    uint32_t header_count;
    struct sl_text body;
    bool local;           /* came over the Unix socket */
    int64_t arrived_ns;   /* monotonic */
    struct sl_arena *arena; /* reset when the request was answered: for the handler's use */
    void *user;           /* the handler's */
    /* The peer went away before the answer: called once, on the loop, so that the handler stops
     * working for it; the request must still be answered (into nothing). May be set by the handler. */
    void (*gone)(struct sl_request *request);
};

/* The header's value, or an empty text with NULL. `name` lower-case. */
struct sl_text sl_request_header(const struct sl_request *request, const char *name);
/* A query parameter's decoded value in the request's arena; NULL ptr where it is not given. */
struct sl_text sl_request_query(const struct sl_request *request, const char *name);

/* Calls the handler for each request; it answers before returning or any time later, exactly once. */
enum sl_err sl_http_listen(struct sl_net *net, const char *host, uint16_t port,
                           void (*handler)(void *context, struct sl_request *request), void *context,
                           uint16_t *out_port, struct sl_error *error) SL_USE_RESULT;
/* The same on a Unix socket (mode 0600; a stale file is replaced). */
enum sl_err sl_http_listen_unix(struct sl_net *net, const char *path,
                                void (*handler)(void *context, struct sl_request *request), void *context,
                                struct sl_error *error) SL_USE_RESULT;

/* Answers. `headers` are further header lines, each ended by "\r\n" (may be empty); Content-Length, Date and
 * Connection are made here. The body is copied. Loop's thread. */
void sl_request_answer(struct sl_request *request, int status, const char *content_type,
                       struct sl_text headers, struct sl_text body);

/* Answers with a stream of server-sent events, open until the peer or sl_stream_end closes it. */
struct sl_stream;
struct sl_stream *sl_request_stream(struct sl_request *request, struct sl_text headers);
/* Sends one event; `id`, `event` may be empty. False: the peer is too slow (over 1 MiB waits) or gone: end it. */
bool sl_stream_send(struct sl_stream *stream, struct sl_text id, struct sl_text event, struct sl_text data);
/* `gone` is called once when the peer leaves; the stream must then be ended, too. */
void sl_stream_on_gone(struct sl_stream *stream, void (*gone)(void *context), void *context);
void sl_stream_end(struct sl_stream *stream);

/* ---- RESP (Redis serialization protocol, versions 2 and 3) ----------------------------------------- */

struct sl_resp_session; /* a connection */

/* One command: words[0] is its name. Borrowed until answered. Answers leave in order. */
struct sl_resp_command {
    struct sl_resp_session *session;
    const struct sl_text *words;
    uint32_t word_count;
    struct sl_buf *out;  /* where the handler writes its answer when it can at once */
    void *user;
};

enum sl_resp_result {
    SL_RESP_DONE = 1, /* the answer has been written to `out` */
    SL_RESP_LATER,    /* the answer will come by sl_resp_finish; `words` are kept */
    SL_RESP_CLOSE,    /* as DONE, and the connection is closed behind it */
};

struct sl_resp_handler {
    enum sl_resp_result (*command)(void *context, struct sl_resp_command *command);
    void (*closed)(void *context, struct sl_resp_session *session); /* may be NULL */
    void *context;
};
enum sl_err sl_resp_listen(struct sl_net *net, const char *host, uint16_t port,
                           const struct sl_resp_handler *handler, uint16_t *out_port,
                           struct sl_error *error) SL_USE_RESULT;
/* Ends a LATER command: its answer is in command->out. */
void sl_resp_finish(struct sl_resp_command *command);
/* Sends a push (RESP3) or message out of band: for SUBSCRIBE. False: too slow or gone. */
bool sl_resp_push(struct sl_resp_session *session, struct sl_text bytes);
int sl_resp_version(const struct sl_resp_session *session);       /* 2 or 3 */
void sl_resp_set_version(struct sl_resp_session *session, int version);
void **sl_resp_user(struct sl_resp_session *session);             /* the handler's word for the session */

/* Writers of RESP values. */
void sl_resp_simple(struct sl_buf *out, const char *text);          /* +OK */
void sl_resp_error(struct sl_buf *out, const char *code, struct sl_text text); /* -ERR … one line */
void sl_resp_integer(struct sl_buf *out, int64_t value);
void sl_resp_bulk(struct sl_buf *out, struct sl_text text);
void sl_resp_null(struct sl_buf *out, int version);
void sl_resp_array(struct sl_buf *out, size_t count);
void sl_resp_map(struct sl_buf *out, size_t pairs, int version);    /* an array of 2n in RESP2 */

#endif
