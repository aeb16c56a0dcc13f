/*
 * A connection, below its protocol, and the loop that it lives on. Private to this folder.
 *
 * Life: made by a listener; `closed` when either side ended it; freed when the handle is closed and
 * the protocol has nothing of it in work any more. Everything that has to be done for a connection
 * at the end of a turn (write, close, read on, wait) is done by one function, sl_conn_settle, for
 * those that were touched in the turn.
 *
 * Received bytes lie in blocks, which are counted by who refers to them: the connection that fills
 * one and the requests that lie in it. A connection without unparsed bytes and without work has
 * none.
 */
#ifndef SL_NET_CONN_H
#define SL_NET_CONN_H

#include "base/histogram.h"
#include "net/net.h"

#include <uv.h>

enum {
    BLOCK_BYTES = 16 << 10,     /* of a usual block, with its header */
    BACKLOG_MAX = 1 << 20,      /* answers waiting to be read by the peer before we stop reading,
                                   and what makes a stream's reader slow */
    OUT_MAX = 64 << 20,         /* more waiting answers than this, and the peer is dropped */
    SPARE_BYTES_MAX = 64 << 10, /* larger memory is not kept for reuse */
    SPARES_MAX = 256,           /* of each kind */
    LINGER_MS = 1000,
    PIECE_BYTES = 128 << 10, /* of a large answer, in a turn */
    AGAIN_MAX = 4,           /* connections that send another piece of one in a turn */
};

/* A constant of struct sl_text. */
#define SL_TEXT_INIT(literal)           \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }

struct block {
    struct block *next; /* among the spare ones */
    uint32_t refs;
    size_t size;
    uint8_t bytes[];
};

/* What a connection is waiting for, with a time limit each. */
enum wait {
    WAIT_NONE = 0,
    WAIT_IDLE,    /* the next request */
    WAIT_HEAD,    /* the rest of a head */
    WAIT_REQUEST, /* the rest of a request */
    WAIT_SEND,    /* the peer to read */
    WAIT_LINGER,  /* the peer to close, after we have */
    WAIT_SHAKE,   /* the handshake of TLS */
    WAIT_BEAT,    /* nothing: something is sent, so that all between see that we live */
    WAIT_KINDS,
};

struct conn;

struct protocol {
    /* New bytes lie in [in_from, in_to) of the block; takes as many as it can. */
    void (*receive)(struct conn *conn);
    /* A turn ends: puts into `out` what shall be sent now. May be NULL: it is there already. */
    void (*flush)(struct conn *conn);
    /* The peer sends nothing more (`eof`), or some were noted to be told (`tell`): tells those who
     * work for it, each once however often this is called. */
    void (*gone)(struct conn *conn);
    /* The connection is closed, its memory is not; after `gone`. */
    void (*closed)(struct conn *conn);
    /* A request has not arrived whole in time. */
    void (*late)(struct conn *conn);
    /* Puts a sign of life into each stream of events. */
    void (*beat)(struct conn *conn);
    /* The server stops. */
    void (*stop)(struct conn *conn);
    void (*free)(struct conn *conn);
    /* The handshake of TLS is done; `alpn` is what was chosen, or empty. May be NULL. */
    void (*secured)(struct conn *conn, struct sl_text alpn);
    struct sl_text alpn;     /* what it offers there, as on the wire; empty: it chooses nothing */
    struct sl_text says_tls; /* in clear, to who speaks in clear where TLS is spoken */
    uint32_t pipeline_max;   /* default */
    bool idle_limited;
};

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct sl_net *net;
    struct listener *next;
    /* Makes the protocol's connection, all but `conn.uv`; NULL: no memory. */
    struct conn *(*accept)(const struct listener *listener);
    void (*http)(void *context, struct sl_request *request);
    void *http_context;
    struct sl_resp_handler resp;
    bool local;
    bool listening;
};

struct conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_write_t write;
    struct sl_net *net;
    const struct protocol *protocol;
    struct conn *next, *previous; /* all of the net's */
    struct conn *next_touched;
    struct conn *next_again;

    struct tls_conn *tls; /* NULL: bytes go as they are */

    struct conn *wait_next, *wait_previous;
    int64_t wait_since_ns;
    size_t wait_queue;         /* bytes that the peer had not taken when we last looked */
    size_t added;              /* to them since */
    int64_t send_since_ns;     /* when WAIT_SEND began, moved on by what was taken */
    size_t fresh;              /* bytes that have just come, of those in the block */
    int64_t arriving_since_ns; /* the first byte of an unfinished request; 0: none */

    struct block *in;
    size_t in_from, in_to;
    size_t in_want; /* bytes from in_from on that must fit into the block */

    struct sl_buf out;     /* not yet handed to the system */
    struct sl_buf sending; /* belongs to libuv until the write is done */

    size_t windowed;   /* bytes that wait for the peer's window (HTTP/2) */
    size_t held_bytes; /* of answers that wait for an earlier one */

    uint32_t in_work; /* handed out, unanswered; keeps the connection's memory alive */
    uint32_t pipeline_max;
    uint32_t streams; /* of events, among what is in work */
    uint8_t wait;     /* enum wait */
    bool local;
    bool in_head; /* what is arriving is a head */
    bool touched;
    bool again; /* in net->again */
    bool more;  /* a rest of a large answer waits for its turn … */
    bool due;   /* … which is this one */
    bool reading;
    bool writing;
    bool receiving; /* inside protocol->receive: no second one */
    bool blocked;   /* the protocol takes no more for now */
    bool deaf;      /* the protocol takes no more at all: what comes is thrown away */
    bool eof;       /* the peer sends no more */
    bool ending;    /* close when all has been written */
    bool shut;      /* we have said that nothing more comes */
    bool drop;      /* close at once */
    bool tell;      /* call protocol->gone at the end of the turn */
    bool away;      /* the shaker has its TLS: nothing is read or written */
    bool closed;
    bool handle_closed;
};

struct http_request;
struct resp_command;

struct wait_list {
    struct conn *first, *last;
    int64_t limit_ns;
};

struct sl_net {
    struct sl_net_options options;
    uv_loop_t loop;
    uv_async_t async;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_signal_t signals[3];
    void (*on_signal)(void *context, int number);
    void *signal_context;
    bool has_signals;

    struct sl_mailbox *mailbox;
    struct listener *listeners;
    struct conn *conns;
    struct conn *touched;
    struct conn *again, *last_again; /* to be touched in coming turns, AGAIN_MAX in each */
    struct wait_list waits[WAIT_KINDS];

    int64_t now_ns; /* 0: to be asked for */
    int64_t turn_deadline_ns;
    int64_t armed_ns; /* INT64_MAX: the timer does not run */
    int64_t stop_deadline_ns;
    bool awake; /* something happened: the turn has an end to be made */
    bool stopping;
    bool running;

    struct block *spare_blocks;
    uint32_t spare_block_count;
    uint32_t spare_out_count;
    struct sl_buf spare_outs[SPARES_MAX];
    struct http_request *spare_requests;
    uint32_t spare_request_count;
    struct resp_command *spare_commands;
    uint32_t spare_command_count;

    struct gzip *gzip;         /* NULL until something was packed here */
    struct sl_mailbox *packer; /* NULL until a large answer was packed */
    struct packing *packings;  /* all that the packer has */
    struct gzip *packer_gzip;  /* the packer's thread's */
    struct sl_mailbox *shaker; /* NULL until a handshake of TLS came */
    uint8_t *tls_room;         /* bytes that came, before they are decrypted */
    struct sl_header *headers; /* of the head that is being parsed */
    int64_t date_second;
    int64_t date_turn_ns; /* the turn in which it was looked at */
    char date[40];        /* "Date: Mon, 23 Nov 2026 04:31:00 GMT\r\n" */

    struct sl_net_numbers numbers;
    struct sl_histogram turns;
};

/* conn.c */
void sl_conn_start(struct conn *conn);
/* The connection is settled at the end of this turn. */
void sl_conn_touch(struct conn *conn);
void sl_conn_settle(struct conn *conn);
/* Writes what `out` holds now. */
void sl_conn_send(struct conn *conn);
/* … and at the end of a coming turn: it has more to send than one turn may take. */
void sl_conn_again(struct conn *conn);
/* Has the protocol take what lies in the block, of which so many bytes are new. */
void sl_conn_receive(struct conn *conn, size_t fresh);
/* A time from which a limit is counted, moved on by what so many bytes are worth at a rate: who is
 * not slower than that never reaches the limit. Not beyond now. */
int64_t sl_conn_pay(struct conn *conn, int64_t since_ns, size_t bytes, uint32_t rate_min);
/* Ends it now; nothing more is sent. */
void sl_conn_close(struct conn *conn);
void sl_conn_expire(struct conn *conn, enum wait wait);
/* Frees it if nothing refers to it any more. */
void sl_conn_release(struct conn *conn);
/* Its `out`, with memory. */
struct sl_buf *sl_conn_out(struct conn *conn);
/* Bytes that wait for the peer, or for an earlier answer. */
size_t sl_conn_backlog(const struct conn *conn);
/* An answer of so many bytes waits for an earlier one. */
void sl_conn_hold(struct conn *conn, size_t bytes);
/* May the protocol take another request? Sets `blocked` if not. */
bool sl_conn_has_room(struct conn *conn);

/* blocks.c */
struct block *sl_block_take(struct sl_net *net, size_t size);
void sl_block_drop(struct sl_net *net, struct block *block);
/* Makes room behind in_to: at least one byte, and in_want bytes from in_from on. False: no memory.
 */
bool sl_block_make_room(struct conn *conn);
/* Drops the block of a connection that has no unparsed bytes. */
void sl_block_release(struct conn *conn);
void sl_out_take(struct sl_net *net, struct sl_buf *out);
void sl_out_give(struct sl_net *net, struct sl_buf *out);

/* waits.c */
void sl_wait_set(struct conn *conn, enum wait wait, int64_t since_ns);
/* Calls sl_conn_expire for all whose time is up. */
void sl_wait_expire(struct sl_net *net, int64_t now_ns);
int64_t sl_wait_next(const struct sl_net *net);

/* loop.c: this turn's time. */
int64_t sl_net_now(struct sl_net *net);
/* Something has happened: the turn has an end to be made, and begins now if it has not. */
void sl_net_wake(struct sl_net *net);

/* Messages of the net's own, in its mailbox: of http_large.c and of tls.c. */
#define NET_PACKED 0x4e01u
#define NET_SHAKEN 0x4e02u
void sl_http_packed(struct sl_message *message);
/* The packer has stopped: what it had is forgotten. */
void sl_http_forget_packings(struct sl_net *net);

/* http.c, resp.c */
struct conn *sl_http_accept(const struct listener *listener);
struct conn *sl_resp_accept(const struct listener *listener);
void sl_http_free_spares(struct sl_net *net);
void sl_resp_free_spares(struct sl_net *net);

#endif
