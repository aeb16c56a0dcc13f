/*
 * For tests: a net on a thread of its own, and blocking clients on the test's.
 *
 * Clients have a receive time-out of 10 s, so that a missing answer fails a test instead of hanging
 * it. The net's handlers are the test's and run on the net's thread.
 */
#ifndef SL_NET_RIG_H
#define SL_NET_RIG_H

#include "net/net.h"

struct rig {
    struct sl_env *env;
    struct sl_net *net;
    struct sl_mailbox *done;   /* of calls; freed when the net's thread has ended */
    struct sl_mailbox *runner; /* of the actor whose one step is sl_net_run */
    struct sl_message run;
    uint16_t http, resp;
    bool running;
    enum sl_err result; /* of sl_net_run */
    /* Set before rig_start. */
    struct sl_net_options options;
    void (*handler)(void *context, struct sl_request *request);
    struct sl_resp_handler resp_handler;
    const char *unix_path;
};

/* The handler's context, and the options', is the rig. False: it says why on stdout. */
bool rig_start(struct rig *rig);
/* Runs `what` on the net's thread and waits for it. */
void rig_call(struct rig *rig, void (*what)(struct rig *rig));
/* Stops with this grace, and joins; rig->net is still there. */
void rig_stop(struct rig *rig, int64_t grace_ms);
/* Waits until the net, told to stop, has stopped. */
void rig_join(struct rig *rig);
void rig_close(struct rig *rig);

/* Clients: a connected socket, or -1. */
int client_open(uint16_t port);
/* As above, with a receive buffer as small as the kernel has. */
int client_open_small(uint16_t port);
int client_open_unix(const char *path);
bool client_send(int fd, const char *text);
bool client_send_bytes(int fd, const void *bytes, size_t len);
/* Reads exactly what `want` says; false, with a note, if something else or nothing comes. */
bool client_expect(int fd, const char *want);
/* Reads until `mark` has come; returns all in a static buffer, terminated. NULL: end or time-out.
 */
const char *client_until(int fd, const char *mark);
/* Reads one HTTP answer with a Content-Length; its body in a static buffer. Returns the status, 0
 * at the end of the connection. The head is in client_head(). */
int client_answer(int fd, const char **out_body);
const char *client_head(void);
/* The peer has closed: nothing more comes. */
bool client_ended(int fd);

#endif
