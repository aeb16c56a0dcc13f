/* The parts of HTTP/2 to each other and to HTTP/1.1. Private to http*.c and h2*.c. */
#ifndef SL_NET_H2_H
#define SL_NET_H2_H

#include <nghttp2/nghttp2.h>

#include "net/http.h"

enum {
    H2_STREAMS_MAX = 128,           /* open at once */
    H2_STREAM_WINDOW = 256 << 10,   /* of a body that is being sent to us */
    H2_CONNECTION_WINDOW = 4 << 20, /* of all of them */
    H2_OUT_TARGET = PIECE_BYTES,    /* frames are made until so much waits to be written */
    H2_RESETS_BURST = 200,          /* streams that may be reset at once */
    H2_RESETS_PER_SECOND = 20,
    H2_IDLE_FRAMES_BURST = 1000, /* frames that carry nothing: PING, SETTINGS, empty DATA, … */
    H2_IDLE_FRAMES_PER_SECOND = 100,
    H2_ACKS_MAX = 200, /* answers to PING and SETTINGS that the peer does not read */
    H2_LINES_MAX = 48, /* headers of an answer */
};

struct h2 {
    struct http_conn *http;
    nghttp2_session *session;
    size_t body_bytes;      /* of requests that are not whole */
    int64_t idle_frames_ns; /* a bucket: the time up to which frames without use are paid for */
    int32_t opened;         /* streams of requests */
    int32_t last_id;        /* of the newest */
    bool said_goaway;
    bool failed; /* nothing of the peer is read any more */
};

/* h2.c: HTTP/2 has been chosen; takes the connection over. */
void sl_h2_start(struct http_conn *http);
/* The peer (or we) have ended it with GOAWAY ENHANCE_YOUR_CALM. */
void sl_h2_calm_down(struct h2 *h2);
/* Takes a request out of the connection's line and gives it back to the pool. */
void sl_h2_drop(struct http_request *r);
struct h2 *sl_h2_of(const struct http_request *r);

/* h2_request.c */
void sl_h2_set_request_callbacks(nghttp2_session_callbacks *callbacks);
/* Refuses what has not arrived whole. */
void sl_h2_refuse(struct http_request *r, const struct sl_http_fault *fault);
/* Since when the oldest request that is not whole is arriving; 0: none is. */
int64_t sl_h2_arriving_since(const struct http_conn *http);

/* h2_answer.c: as sl_request_answer; `bodiless` says that the length alone is told. An
 * `owned` body is taken, not copied. */
void sl_h2_answer(struct http_request *r, int status, const char *content_type,
                  struct sl_text headers, struct sl_text body, struct sl_buf *owned, bool bodiless);
/* The head of an answer that goes on until sl_h2_end. */
void sl_h2_begin_stream(struct http_request *r, struct sl_text headers);
/* So many bytes were added to r->held. */
void sl_h2_wrote(struct http_request *r, size_t bytes);
/* Nothing more is added: the answer is complete. */
void sl_h2_end(struct http_request *r);
/* Gives a stream up: its reader is too slow. */
void sl_h2_cancel(struct http_request *r);

#endif
