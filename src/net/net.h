/*
 * Connections: listeners, HTTP/1.1, SSE and RESP on one event loop (libuv), all on one thread, the
 * one that calls sl_net_run. But for posting to the mailbox, every function here belongs to it.
 * Two threads of the net's own start when they are needed: for handshakes of TLS, and for packing.
 *
 * `net` knows protocols, not Sluice: it frames requests, hands them to a handler, and sends what
 * the handler answers, now or later, in the order of the requests. Replies of one turn of the loop
 * leave in one write per connection.
 */
#ifndef SL_NET_NET_H
#define SL_NET_NET_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"

struct sl_net;

/* ---- The loop ---------------------------------------------------------------------------- */

/* What is 0 gets the default named beside it. */
struct sl_net_options {
    struct sl_env *env;
    uint32_t connections_max; /* 10,000; more are closed as soon as they come */
    uint32_t head_bytes_max;  /* 16 KiB: request line and headers together, else 414 or 431 */
    uint32_t body_bytes_max;  /* 16 MiB, else 413 */
    /* Time limits. One timer is armed for the earliest, and only while something has one. */
    int64_t idle_ms;    /* 75,000: an HTTP connection without a request is closed. RESP sessions
                           may be idle for ever; the kernel probes whether their peer lives. */
    int64_t head_ms;    /* 10,000: from a request's first byte to the end of its head, else 408 */
    int64_t request_ms; /* 30,000: for its body, else 408; of RESP, for a whole command */
    int64_t send_ms;    /* 30,000: a reader that takes nothing for so long is dropped */
    int64_t beat_ms;    /* 15,000: a stream of events that was silent for so long gets a comment */
    /* Bytes a second, 16,384 and 1,024. A body's, or a reader's, time limit begins anew as far as
     * what was sent, or taken, would have taken time at this rate: who is faster never meets it. */
    uint32_t body_rate_min, send_rate_min;
    int64_t handshake_ms; /* 10,000: for the handshake of TLS */
    /* TLS is spoken on all addresses (not on Unix sockets). NULL: nowhere. Borrowed, and must live
     * longer than the net. */
    const struct sl_tls *tls;
    /* Requests of one connection in work, that is, handed out and not yet answered; 128 for HTTP,
     * 1,024 for RESP. When there are so many, nothing more is read from the connection until one
     * was answered. The same happens while over 1 MiB of answers waits for the peer to read. */
    uint32_t pipeline_max;
    /* Called at the end of every turn of the loop in which something happened, after all requests
     * that had arrived were handled and before replies are written. Returns the next deadline on
     * the monotonic clock (INT64_MAX: none), at which it is called again. May be NULL. */
    int64_t (*turn)(void *context);
    /* A message that was posted to the net's mailbox; it belongs to `step` now. May be NULL when
     * nobody posts. */
    void (*step)(void *context, struct sl_message *message);
    void *context;
};

/* Makes a loop; nothing runs yet. Free it with sl_net_free. Ignores SIGPIPE for the process: a peer
 * that left is seen by the error of the write. Errors: SL_NO_MEMORY, SL_IO. */
enum sl_err sl_net_new(const struct sl_net_options *options, struct sl_net **out,
                       struct sl_error *error) SL_USE_RESULT;

/* The mailbox of this thread; lives as long as the net. Posting wakes the loop, once a burst. */
struct sl_mailbox *sl_net_mailbox(struct sl_net *net);

/* Runs until sl_net_stop. When nothing happens it sleeps: no ticks. SL_IO: the loop failed. */
enum sl_err sl_net_run(struct sl_net *net, struct sl_error *error) SL_USE_RESULT;

/* In `turn` or `step`: writes what has been answered already, before the turn ends. */
void sl_net_send(struct sl_net *net);

/* Stops listening, closes idle connections, ends streams, lets requests in work (and those of which
 * a part has arrived) finish with "Connection: close" for at most `grace_ms`, drops the rest; then
 * sl_net_run returns. A second call may shorten the grace. */
void sl_net_stop(struct sl_net *net, int64_t grace_ms);

/* `handler` is called on SIGINT, SIGTERM or SIGHUP, on the loop. Once per net. SL_IO. */
enum sl_err sl_net_on_signal(struct sl_net *net, void (*handler)(void *context, int number),
                             void *context, struct sl_error *error) SL_USE_RESULT;

/* After sl_net_run has returned (or without it). Requests, streams and commands that are still out
 * are gone with it: do not answer them afterwards. The mailbox must be empty and no sender left.
 * NULL is allowed. */
void sl_net_free(struct sl_net *net);

struct sl_net_numbers {
    uint64_t connections_now, connections_total;
    uint64_t connections_refused; /* over connections_max */
    uint64_t requests_total;      /* handed to handlers */
    uint64_t requests_bad;        /* answered here, with an error */
    uint64_t bytes_in, bytes_out;
    uint64_t dropped_slow; /* connections whose peer did not read */
    uint64_t tls_total;    /* handshakes that were done */
    uint64_t tls_failed;   /* connections that TLS ended: no handshake, or a broken record */
    uint64_t wakeups;      /* turns of the loop, those for nothing included */
};
struct sl_net_numbers sl_net_numbers(const struct sl_net *net);

/* How long the thread was busy at a stretch, from what woke it to its next sleep: requests, `step`,
 * `turn`, writing. Whatever comes meanwhile waits. Lives as long as the net. */
struct sl_histogram;
const struct sl_histogram *sl_net_turns(const struct sl_net *net);

/* ---- TLS --------------------------------------------------------------------------------- */

/* A certificate with its key, for servers: TLS 1.3 and nothing older. Belongs to the loop's thread
 * once a net has it. */
struct sl_tls;

/* Reads both files, which are PEM: the certificate with those between it and the root behind it,
 * and the private key, without a passphrase. Free it with sl_tls_free, after the net. SL_INVALID:
 * one cannot be read, is none, or they do not belong together: the message names the file and the
 * reason. SL_NO_MEMORY. */
enum sl_err sl_tls_new(const char *certificate_path, const char *key_path, struct sl_tls **out,
                       struct sl_error *error) SL_USE_RESULT;
/* Reads both anew. Connections that are open keep theirs; who comes later gets the new one. On an
 * error, as above, all stays as it was. */
enum sl_err sl_tls_reload(struct sl_tls *tls, struct sl_error *error) SL_USE_RESULT;
/* Whose the certificate is and how long it is good, for people; false: it is not good now. */
bool sl_tls_describe(const struct sl_tls *tls, char *out, size_t size);
void sl_tls_free(struct sl_tls *tls); /* NULL is allowed */

/* ---- HTTP -------------------------------------------------------------------------------- */

enum sl_method {
    SL_GET = 1,
    SL_HEAD,
    SL_POST,
    SL_PUT,
    SL_DELETE,
    SL_OPTIONS,
    SL_PATCH,
    SL_TRACE, /* known, so that it is refused as what fits no address (405), not as unknown (501) */
    SL_QUERY,
};

struct sl_header {
    struct sl_text name;  /* lower-case */
    struct sl_text value; /* without white space around */
};

/* A request, whole. It and all it borrows live until it was answered (or became a stream). */
struct sl_request {
    enum sl_method method;
    struct sl_text path;     /* %XX decoded once; no ".." segment, no NUL: "/bank/balance/C1";
                                "*" for OPTIONS * */
    struct sl_text raw_path; /* as it came, without the query: for keys that hold %2F; see
                                sl_request_decode */
    struct sl_text query;    /* behind "?", as it came; ptr NULL when there was none */
    struct sl_text host;     /* may be empty */
    const struct sl_header *headers; /* at most 100 */
    uint32_t header_count;
    struct sl_text body;
    bool local;             /* came over the Unix socket */
    bool tls;               /* came by TLS */
    int64_t arrived_ns;     /* monotonic: when the turn began in which it was whole */
    struct sl_arena *arena; /* given back when the request was answered: for the handler's use */
    void *user;             /* the handler's */
    /* May be set by the handler. Called at most once, on the loop, when the peer has gone, or will
     * send nothing more, before the answer: the handler may stop working for it, but must still
     * answer, here or later. */
    void (*gone)(struct sl_request *request);
};

/* The first such header's value, or an empty text with NULL. `name` lower-case. */
struct sl_text sl_request_header(const struct sl_request *request, const char *name);
/* A query parameter's value, decoded ("+" is a space) in the request's arena if need be; NULL ptr
 * where it is not given or memory is out; of several the first. */
struct sl_text sl_request_query(const struct sl_request *request, const char *name);
/* Decodes %XX once, in the request's arena if need be: for segments of raw_path. NULL ptr: memory
 * is out. */
struct sl_text sl_request_decode(const struct sl_request *request, struct sl_text raw);

/* Listens on an address or name of this machine; port 0 takes any that is free. `handler` is called
 * for each request and answers before it returns or any time later, exactly once. `out_port` may be
 * NULL. Errors: SL_BUSY the port is taken; SL_INVALID no such address; SL_IO; SL_NO_MEMORY. */
enum sl_err sl_http_listen(struct sl_net *net, const char *host, uint16_t port,
                           void (*handler)(void *context, struct sl_request *request),
                           void *context, uint16_t *out_port, struct sl_error *error) SL_USE_RESULT;
/* The same on a Unix socket, at a path of at most 107 bytes (mode 0600; a file that a dead program
 * left is replaced, SL_BUSY: a living one has it). Removed when listening ends. */
enum sl_err sl_http_listen_unix(struct sl_net *net, const char *path,
                                void (*handler)(void *context, struct sl_request *request),
                                void *context, struct sl_error *error) SL_USE_RESULT;

/* Answers, and takes the request back. `status` 200 to 599. `headers` are further header lines,
 * each ended by "\r\n" (may be empty); Date, Content-Length and Connection are made here, and
 * Content-Type when `content_type` is not NULL. All is copied. To HEAD goes the head alone.
 *
 * A large body leaves a piece a turn, and is packed, for those who take gzip, by a thread of its
 * own: no answer holds up the others. */
void sl_request_answer(struct sl_request *request, int status, const char *content_type,
                       struct sl_text headers, struct sl_text body);
/* The same with a body that is given away, not copied: `body` is empty afterwards. */
void sl_request_answer_buf(struct sl_request *request, int status, const char *content_type,
                           struct sl_text headers, struct sl_buf *body);

/* Answers with a stream of server-sent events, open until the peer or sl_stream_end closes it, and
 * takes the request back. `headers` as above. Never NULL: when memory is out, the stream is dead
 * from the start, and says so by `gone`. To HEAD goes the head alone, then `gone` is called. */
struct sl_stream;
struct sl_stream *sl_request_stream(struct sl_request *request, struct sl_text headers);
/* Sends one event; `id` and `event` may be empty, and are left out when they hold a line break;
 * `data` may have many lines. False: over 1 MiB waits for a peer that is too slow (it is dropped),
 * or the peer has gone: end the stream. */
bool sl_stream_send(struct sl_stream *stream, struct sl_text id, struct sl_text event,
                    struct sl_text data);
/* `gone` is called once, on the loop and never from inside a call of yours, when the peer has left,
 * was dropped, or the server stops; the stream must then be ended, too, there or later. */
void sl_stream_on_gone(struct sl_stream *stream, void (*gone)(void *context), void *context);
/* Exactly once for each stream. Closes the connection when what was sent has left. */
void sl_stream_end(struct sl_stream *stream);
/* Bytes that wait for the peer: who has much to send sends on when there are few. */
size_t sl_stream_backlog(const struct sl_stream *stream);

/* ---- RESP (Redis serialization protocol, versions 2 and 3) -------------------------------- */

struct sl_resp_session; /* a connection */

/* One command: words[0] is its name. At most 8,192 words, 16 MiB together. Borrowed until answered.
 * Answers leave in the order of the commands. */
struct sl_resp_command {
    struct sl_resp_session *session;
    const struct sl_text *words; /* never empty, and may be changed in place by nobody */
    uint32_t word_count;
    struct sl_buf *out; /* where the handler writes its answer; read it anew in a LATER command */
    void *user;
};

enum sl_resp_result {
    SL_RESP_DONE = 1, /* the answer has been written to `out` */
    SL_RESP_LATER, /* nothing was written; the answer comes by sl_resp_finish; `words` are kept */
    SL_RESP_CLOSE, /* as DONE, and the connection is closed behind it */
};

struct sl_resp_handler {
    enum sl_resp_result (*command)(void *context, struct sl_resp_command *command);
    /* The connection is closed; called once per session, after which nothing may be pushed. LATER
     * commands must still be finished. May be NULL. */
    void (*closed)(void *context, struct sl_resp_session *session);
    void *context;
};
/* As sl_http_listen. */
enum sl_err sl_resp_listen(struct sl_net *net, const char *host, uint16_t port,
                           const struct sl_resp_handler *handler, uint16_t *out_port,
                           struct sl_error *error) SL_USE_RESULT;
/* Ends a LATER command, exactly once: its answer is in command->out. The command is gone then. */
void sl_resp_finish(struct sl_resp_command *command);
/* Sends a push (RESP3) or message out of band: for SUBSCRIBE. It leaves behind all answers that
 * were given, and before those that were not. Not while the handler has written a part of an
 * answer. False: over 1 MiB waits (the peer is dropped), or the session is closed. */
bool sl_resp_push(struct sl_resp_session *session, struct sl_text bytes);
/* Bytes that wait for the peer: who has much to push goes on when there are few. */
size_t sl_resp_backlog(const struct sl_resp_session *session);
/* Closes the connection in this turn; what waits for the peer is lost. */
void sl_resp_drop(struct sl_resp_session *session);
int sl_resp_version(const struct sl_resp_session *session); /* 2 (at first) or 3 */
void sl_resp_set_version(struct sl_resp_session *session, int version);
/* The handler's word for the session, NULL at first. Lives as long as the session: until `closed`
 * was called and all its commands are finished. */
void **sl_resp_user(struct sl_resp_session *session);

/* Writers of RESP values. */
void sl_resp_simple(struct sl_buf *out, const char *text); /* +OK */
/* "-ERR text"; line breaks in the text become spaces. */
void sl_resp_error(struct sl_buf *out, const char *code, struct sl_text text);
void sl_resp_integer(struct sl_buf *out, int64_t value);
void sl_resp_bulk(struct sl_buf *out, struct sl_text text);
void sl_resp_null(struct sl_buf *out, int version);
void sl_resp_array(struct sl_buf *out, size_t count);
void sl_resp_map(struct sl_buf *out, size_t pairs, int version); /* an array of 2n in RESP2 */

#endif
