/*
 * Time limits of connections. A limit is the same for all that wait for the same thing, so a list
 * per kind, in the order in which the waiting began, has the earliest in front: no heap, and
 * beginning to wait costs the same with one connection and with ten thousand.
 */
#include "net/conn.h"

static void take_out(struct wait_list *list, struct conn *conn)
{
    if (conn->wait_previous)
        conn->wait_previous->wait_next = conn->wait_next;
    else
        list->first = conn->wait_next;
    if (conn->wait_next)
        conn->wait_next->wait_previous = conn->wait_previous;
    else
        list->last = conn->wait_previous;
    conn->wait_next = conn->wait_previous = NULL;
}

void sl_wait_set(struct conn *conn, enum wait wait, int64_t since_ns)
{
    if (conn->wait == wait && (wait == WAIT_NONE || conn->wait_since_ns == since_ns))
        return;
    if (conn->wait != WAIT_NONE)
        take_out(&conn->net->waits[conn->wait], conn);
    conn->wait = (uint8_t)wait;
    conn->wait_since_ns = since_ns;
    if (wait == WAIT_NONE)
        return;
    struct wait_list *list = &conn->net->waits[wait];
    struct conn *before = list->last;
    /* Almost always the newest; a request that began while something else was waited for is not. */
    while (before && before->wait_since_ns > since_ns)
        before = before->wait_previous;
    conn->wait_previous = before;
    conn->wait_next = before ? before->wait_next : list->first;
    if (conn->wait_next)
        conn->wait_next->wait_previous = conn;
    else
        list->last = conn;
    if (before)
        before->wait_next = conn;
    else
        list->first = conn;
}

void sl_wait_expire(struct sl_net *net, int64_t now_ns)
{
    for (int kind = WAIT_IDLE; kind < WAIT_KINDS; kind++) {
        struct wait_list *list = &net->waits[kind];
        while (list->first && list->first->wait_since_ns + list->limit_ns <= now_ns) {
            struct conn *conn = list->first;
            sl_wait_set(conn, WAIT_NONE, 0);
            sl_conn_expire(conn, (enum wait)kind);
        }
    }
}

int64_t sl_wait_next(const struct sl_net *net)
{
    int64_t next_ns = INT64_MAX;

    for (int kind = WAIT_IDLE; kind < WAIT_KINDS; kind++) {
        const struct wait_list *list = &net->waits[kind];
        if (list->first && list->first->wait_since_ns + list->limit_ns < next_ns)
            next_ns = list->first->wait_since_ns + list->limit_ns;
    }
    return next_ns;
}
