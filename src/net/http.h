/* The parts of HTTP/1.1 to each other. Private to http*.c. */
#ifndef SL_NET_HTTP_H
#define SL_NET_HTTP_H

#include "net/conn.h"
#include "net/http_chunked.h"
#include "net/http_head.h"

struct sl_stream {
    void (*gone)(void *context);
    void *context;
    bool dead; /* nothing is sent any more */
};

/* What HTTP/2 knows of a request; see h2.c. */
struct h2_part {
    int32_t id;
    int64_t since_ns;
    struct sl_text method, path, authority; /* in the arena */
    struct sl_buf head;                     /* the other fields, as lines */
    size_t head_bytes;                      /* as the peer counts them */
    size_t sent;                            /* of `held` */
    bool has_host;
    bool head_whole;
    bool whole;
    bool dispatched; /* handed to the handler, or refused */
    bool complete;   /* nothing is added to `held` any more */
    bool asleep;     /* nghttp2 waits to be told that there is more */
    bool open;       /* the stream is */
};

/* From the pool; lives from its first byte until its answer has left its place in the line. */
struct http_request {
    struct sl_request request; /* first: what the handler sees */
    struct http_conn *http;
    struct http_request *next; /* in the connection's line, or among the spare ones */
    struct sl_arena arena;
    struct block *head_block, *body_block;
    struct sl_buf body; /* of a chunked request */
    struct sl_buf held; /* the answer, while an earlier request has none */
    struct sl_buf rest; /* a large answer's body, of which `rest_sent` bytes are under way */
    size_t rest_sent;
    struct sl_stream stream;
    bool is_stream;
    bool http_1_0;
    bool keep_alive; /* the connection stays open behind the answer */
    bool answered;
    bool packing; /* its answer is with the packer */
    bool told;    /* that the peer has gone */
    struct h2_part h2;
};

enum http_place { IN_HEAD = 0, IN_LENGTH, IN_CHUNKS };

struct http_conn {
    struct conn conn; /* first */
    void (*handler)(void *context, struct sl_request *request);
    void *context;
    /* Those in work, in the order in which they came, which is the order of their answers. The
     * first one's answer is written straight into conn.out. */
    struct http_request *first, *last;
    struct http_request *arriving;
    enum http_place place;
    size_t head_seen; /* bytes of the unfinished head that hold no hope without a new line break */
    size_t body_bytes;
    struct sl_chunked chunked;
    bool continue_due; /* the peer waits for "100 Continue" */
    struct h2 *h2;     /* NULL: HTTP/1.1 */
};

/* http.c */
struct http_request *sl_http_take(struct http_conn *http);
void sl_http_give(struct http_request *r);
/* Fills in the path or headers of a request whose head was good; false: no memory. */
bool sl_http_take_headers(struct http_request *r, const struct sl_http_head *head);
enum sl_http_path { SL_HTTP_PATH_GOOD = 0, SL_HTTP_PATH_BAD, SL_HTTP_PATH_NO_MEMORY };
enum sl_http_path sl_http_take_path(struct http_request *r, const struct sl_http_head *head);
extern const struct sl_http_fault sl_http_bad_path;
/* As the protocol's, for both versions. */
void sl_http_gone(struct conn *conn);
void sl_http_free(struct conn *conn);
struct sl_buf *sl_http_out(struct http_request *r);
/* The answer (or stream) is complete; sends those that waited behind it. */
void sl_http_done(struct http_request *r);
/* Gives up what only the handler needed. */
void sl_http_forget(struct http_request *r);

/* http_large.c */
/* Has the packer pack an answer, of which it takes the body if it is `owned` (else copies it).
 * False: it cannot now, and nothing was done. */
bool sl_http_pack(struct http_request *r, int status, const char *content_type,
                  struct sl_text headers, struct sl_text body, struct sl_buf *owned);
/* The body follows the head in pieces; taken or copied as above. */
void sl_http_keep_rest(struct http_request *r, struct sl_text body, struct sl_buf *owned);
/* protocol->flush of HTTP/1.1. */
void sl_http_flush(struct conn *conn);
/* The connection is closed: what was not sent never is. */
void sl_http_drop_rests(struct http_conn *http);

/* http.c: those at the head of the line whose answer is all under way leave it. */
void sl_http_advance(struct http_conn *http);

/* A comment into each stream of events. */
void sl_http_beat(struct conn *conn);

/* http_answer.c */
/* What is left to do with an answer once its body is as it goes out. */
void sl_http_send(struct http_request *r, int status, const char *content_type,
                  struct sl_text headers, struct sl_text body, struct sl_buf *owned);
void sl_http_write_head(struct http_request *r, struct sl_buf *out, int status,
                        const char *content_type, struct sl_text headers, size_t body_bytes,
                        struct sl_text body);
/* "Date: …\r\n", 37 bytes. */
const char *sl_http_date(struct sl_net *net);
void sl_http_answer_fault(struct http_request *r, const struct sl_http_fault *fault);

#endif
