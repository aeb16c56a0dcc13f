/*
 * A connection of src/net as it really is, loop and all, on one end of a pair of sockets, with a
 * fuzzer on the other. Nothing depends on time: the clock stands still.
 *
 * What the handlers saw is written into `seen`, a line each, and asserted to keep the rules that
 * handlers rely on. How a request is answered follows from its path: at once, later and in another
 * order than it came, with much, or by a stream of events.
 */
#ifndef SL_FUZZ_WIRE_H
#define SL_FUZZ_WIRE_H

#include "net/h2.h"
#include "net/tls.h"

enum wire_kind { WIRE_HTTP = 0, WIRE_RESP, WIRE_KINDS };

enum { WIRE_LATER_MAX = 2048 };

struct wire {
    struct sl_net *net;
    struct listener listener;
    struct conn *conn; /* gone when net->conns is NULL */
    struct sl_buf got; /* what the server sent and nobody has taken yet */
    struct sl_buf seen;
    /* Requests or commands that wait for their answer. */
    void *later[WIRE_LATER_MAX];
    size_t later_count;
    enum wire_kind kind;
    int fd; /* the fuzzer's end */
};

/* `tls` NULL: in clear. With `h2`, HTTP/2 is spoken as if ALPN had chosen it. */
void wire_open(struct wire *wire, enum wire_kind kind, const struct sl_tls *tls, bool h2);
/* Turns of the loop until nothing more comes. */
void wire_turn(struct wire *wire);
/* Answers what waits, the newest first. */
void wire_answer(struct wire *wire);
/* Sends all of it, answering what waits where the server takes no more. False: it has closed, or
 * takes nothing whatever is answered. */
bool wire_send(struct wire *wire, const uint8_t *bytes, size_t len);
/* Has the peer leave, answers the rest; nothing of the connection may be left. */
void wire_close(struct wire *wire);

#endif
