/*
 * RESP on a connection: commands in, answers out, in the same order.
 *
 * Most commands are answered at once: while no earlier one is open, the handler writes straight
 * into what the connection sends, and nothing is copied or kept. A LATER command keeps the block in
 * which its words lie; answers behind it are held in their commands.
 */
#include "net/conn.h"
#include "net/resp_parse.h"

#include <stdlib.h>
#include <string.h>

enum { KEEP_HELD = 4096 };

/* From the pool. */
struct resp_command {
    struct sl_resp_command command; /* first: what the handler sees */
    struct resp_command *next;      /* in the session's line, or among the spare ones */
    struct sl_resp_parser parser;
    struct block *block; /* in which the words lie; only of commands in the line */
    struct sl_buf held;  /* the answer, if it cannot leave at once */
    bool calling;        /* the handler has not returned */
    bool answered;
    bool close; /* the connection ends behind the answer */
};

struct sl_resp_session {
    struct conn conn; /* first */
    struct sl_resp_handler handler;
    struct resp_command *first, *last; /* not all answered, in order */
    struct resp_command *arriving;
    void *user;
    int version;
};

static struct sl_resp_session *session_of(struct conn *conn)
{
    return (struct sl_resp_session *)conn;
}

/* ---- Commands from the pool ------------------------------------------------------------------ */

static struct resp_command *take_command(struct sl_resp_session *session)
{
    struct sl_net *net = session->conn.net;
    struct resp_command *c = net->spare_commands;

    if (c) {
        net->spare_commands = c->next;
        net->spare_command_count--;
    } else {
        c = calloc(1, sizeof *c);
        if (!c)
            return NULL;
        c->held.bytes_max = OUT_MAX;
    }
    c->command = (struct sl_resp_command){.session = session};
    c->next = NULL;
    c->answered = c->close = false;
    return c;
}

static void free_command(struct resp_command *c)
{
    sl_resp_parser_close(&c->parser);
    sl_buf_close(&c->held);
    free(c);
}

static void give_command(struct resp_command *c)
{
    struct sl_net *net = c->command.session->conn.net;

    sl_block_drop(net, c->block);
    c->block = NULL;
    sl_resp_parser_reset(&c->parser);
    if (c->held.capacity > KEEP_HELD)
        sl_buf_close(&c->held);
    sl_buf_reset(&c->held);
    if (net->spare_command_count == SPARES_MAX) {
        free_command(c);
        return;
    }
    c->next = net->spare_commands;
    net->spare_commands = c;
    net->spare_command_count++;
}

void sl_resp_free_spares(struct sl_net *net)
{
    while (net->spare_commands) {
        struct resp_command *next = net->spare_commands->next;
        free_command(net->spare_commands);
        net->spare_commands = next;
    }
}

/* ---- The line ---------------------------------------------------------------------------------
 */

static void line_up(struct sl_resp_session *session, struct resp_command *c)
{
    SL_ASSERT(session->conn.in, "a command was read from a block");
    c->block = session->conn.in;
    c->block->refs++;
    if (session->last)
        session->last->next = c;
    else
        session->first = c;
    session->last = c;
    session->conn.in_work++;
}

static void send_answered(struct sl_resp_session *session)
{
    struct conn *conn = &session->conn;

    while (session->first && session->first->answered) {
        struct resp_command *c = session->first;
        session->first = c->next;
        if (!session->first)
            session->last = NULL;
        conn->in_work--;
        conn->held_bytes -= c->held.len;
        if (!conn->closed) {
            struct sl_buf *out = sl_conn_out(conn);
            sl_buf_append(out, c->held.ptr, c->held.len);
            out->failed |= c->held.failed;
        }
        if (c->close)
            conn->ending = true;
        give_command(c);
    }
    if (conn->net->stopping && !session->first && !session->arriving)
        conn->ending = true;
    sl_conn_touch(conn);
}

void sl_resp_finish(struct sl_resp_command *command)
{
    struct resp_command *c = (struct resp_command *)command;

    SL_ASSERT(!c->answered);
    c->answered = true;
    if (c->calling)
        return;
    sl_conn_hold(&command->session->conn, c->held.len);
    send_answered(command->session);
}

/* ---- Commands that arrive ---------------------------------------------------------------------
 */

static void call(struct sl_resp_session *session, struct resp_command *c)
{
    const bool direct = !session->first;

    c->command.words = c->parser.words;
    c->command.word_count = c->parser.word_count;
    c->command.out = direct ? sl_conn_out(&session->conn) : &c->held;
    session->conn.net->numbers.requests_total++;
    c->calling = true;
    const enum sl_resp_result result =
        session->handler.command(session->handler.context, &c->command);
    c->calling = false;
    if (result == SL_RESP_CLOSE)
        session->conn.deaf = c->close = true;
    if (result != SL_RESP_LATER)
        c->answered = true;
    if (!direct || !c->answered) {
        c->command.out = &c->held;
        line_up(session, c);
        if (c->answered)
            sl_conn_hold(&session->conn, c->held.len);
        if (session->first->answered)
            send_answered(session); /* the handler has answered all those before it */
        return;
    }
    if (c->close)
        session->conn.ending = true;
    give_command(c);
}

static void refuse(struct sl_resp_session *session, struct resp_command *c)
{
    struct sl_buf *out = session->first ? &c->held : sl_conn_out(&session->conn);

    SL_MARK("resp protocol error");
    session->conn.net->numbers.requests_bad++;
    session->conn.deaf = true;
    SL_BUF_LITERAL(out, "-ERR Protocol error: ");
    sl_buf_append(out, c->parser.error, strlen(c->parser.error));
    SL_BUF_LITERAL(out, "\r\n");
    if (!session->first) {
        session->conn.ending = true;
        give_command(c);
        return;
    }
    c->answered = c->close = true;
    sl_conn_hold(&session->conn, c->held.len);
    line_up(session, c);
}

/* False: nothing more can be done with what is there. */
static bool take_next(struct sl_resp_session *session)
{
    struct conn *conn = &session->conn;

    if (!session->arriving) {
        if (conn->in_from == conn->in_to || conn->net->stopping || !sl_conn_has_room(conn))
            return false;
        session->arriving = take_command(session);
        if (!session->arriving) {
            conn->drop = true;
            return false;
        }
        conn->arriving_since_ns = sl_net_now(conn->net);
    }
    struct resp_command *c = session->arriving;
    const enum sl_resp_verdict verdict = sl_resp_parse(
        &c->parser, conn->in ? conn->in->bytes + conn->in_from : NULL, conn->in_to - conn->in_from);
    if (verdict == SL_RESP_MORE) {
        conn->in_want = c->parser.need;
        return false;
    }
    session->arriving = NULL;
    conn->arriving_since_ns = 0;
    if (verdict == SL_RESP_BAD) {
        refuse(session, c);
        return false;
    }
    conn->in_from += c->parser.used;
    if (c->parser.word_count > 0)
        call(session, c);
    else
        give_command(c); /* an empty line or array: no answer */
    return !conn->deaf;
}

static void resp_receive(struct conn *conn)
{
    struct sl_resp_session *session = session_of(conn);

    conn->in_want = 0;
    while (take_next(session))
        ;
    if (conn->net->stopping && !session->arriving) {
        conn->deaf = true;
        if (!session->first)
            conn->ending = true;
    }
}

/* ---- Sessions ---------------------------------------------------------------------------------
 */

/* Where a message belongs that is pushed now: behind the last answer that was given, even if it
 * cannot leave yet, because it may be the one that says what the message is for. */
static struct resp_command *last_answered(const struct sl_resp_session *session)
{
    struct resp_command *last = NULL;

    for (struct resp_command *c = session->first; c; c = c->next)
        if (c->answered)
            last = c;
    return last;
}

bool sl_resp_push(struct sl_resp_session *session, struct sl_text bytes)
{
    struct conn *conn = &session->conn;

    if (conn->closed || conn->drop)
        return false;
    if (sl_conn_backlog(conn) + bytes.len > BACKLOG_MAX) {
        SL_MARK("resp slow reader");
        conn->net->numbers.dropped_slow++;
        sl_resp_drop(session);
        return false;
    }
    struct resp_command *behind = last_answered(session);
    if (behind) {
        SL_MARK("resp push behind an answer");
        const size_t before = behind->held.len;
        sl_buf_text(&behind->held, bytes);
        sl_conn_hold(conn, behind->held.len - before);
    } else {
        sl_buf_text(sl_conn_out(conn), bytes);
    }
    sl_conn_touch(conn);
    return true;
}

size_t sl_resp_backlog(const struct sl_resp_session *session)
{
    return sl_conn_backlog(&session->conn);
}

void sl_resp_drop(struct sl_resp_session *session)
{
    session->conn.drop = true;
    sl_conn_touch(&session->conn);
}

int sl_resp_version(const struct sl_resp_session *session)
{
    return session->version;
}

void sl_resp_set_version(struct sl_resp_session *session, int version)
{
    SL_ASSERT(version == 2 || version == 3);
    session->version = version;
}

void **sl_resp_user(struct sl_resp_session *session)
{
    return &session->user;
}

/* Who has shut his side down (printf … | nc) still gets his answers. */
static void resp_gone(struct conn *conn)
{
    (void)conn;
}

static void resp_closed(struct conn *conn)
{
    struct sl_resp_session *session = session_of(conn);

    if (session->arriving)
        give_command(session->arriving);
    session->arriving = NULL;
    if (session->handler.closed)
        session->handler.closed(session->handler.context, session);
}

static void resp_late(struct conn *conn)
{
    struct sl_resp_session *session = session_of(conn);
    struct resp_command *c = session->arriving;

    if (!c)
        return;
    session->arriving = NULL;
    conn->arriving_since_ns = 0;
    c->parser.error = "the command did not arrive whole in time";
    refuse(session, c);
}

static void resp_stop(struct conn *conn)
{
    struct sl_resp_session *session = session_of(conn);

    if (session->arriving)
        return;
    conn->deaf = true;
    if (!session->first && sl_conn_backlog(conn) == 0)
        conn->drop = true; /* nothing was said that a reset could take back */
    else if (!session->first)
        conn->ending = true;
}

static void resp_free(struct conn *conn)
{
    struct sl_resp_session *session = session_of(conn);

    while (session->first) {
        struct resp_command *next = session->first->next;
        give_command(session->first);
        session->first = next;
    }
    sl_buf_close(&conn->out);
    free(session);
}

static const struct protocol resp_protocol = {
    .receive = resp_receive,
    .gone = resp_gone,
    .closed = resp_closed,
    .late = resp_late,
    .stop = resp_stop,
    .free = resp_free,
    .says_tls = SL_TEXT_INIT("-ERR this port speaks TLS: connect with --tls\r\n"),
    .pipeline_max = 1024,
};

struct conn *sl_resp_accept(const struct listener *listener)
{
    struct sl_resp_session *session = calloc(1, sizeof *session);

    if (!session)
        return NULL;
    session->conn.protocol = &resp_protocol;
    session->handler = listener->resp;
    session->version = 2;
    return &session->conn;
}
