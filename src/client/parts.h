/* What this folder's files share. Private to it. */
#ifndef SL_CLIENT_PARTS_H
#define SL_CLIENT_PARTS_H

#include "base/buf.h"
#include "base/env.h"
#include "client/client.h"

struct sl_client {
    struct sl_env *env;
    char *socket;
    char *host;
    char *token;
    char *ca;
    struct secure *secure; /* secure.c; NULL: nothing was said by TLS yet */
    uint16_t port;
    bool tls;
    int fd; /* -1: not connected */
    struct sl_buf request;
    struct sl_buf answer;  /* as it came: head and body */
    int64_t progress_ns;   /* when it was shown last */
    bool progress_is_open; /* a line on the terminal waits to be renewed */
};

/* What a head says. The texts point into it. */
struct client_head {
    int status;
    size_t length; /* of the body */
    bool close;    /* the connection ends with this answer */
    struct sl_text position;
};

/* Reads a whole head, its empty line included. SL_INVALID: it is none of ours. */
enum sl_err client_read_head(struct sl_text head, struct client_head *out,
                             struct sl_error *error) SL_USE_RESULT;

enum sl_err client_connect(struct sl_client *client, struct sl_error *error) SL_USE_RESULT;
void client_disconnect(struct sl_client *client);
/* Sends client->request and reads the answer into client->answer. `*out_head_len` bytes of it are
 * the head. */
enum sl_err client_exchange(struct sl_client *client, struct client_head *out, size_t *out_head_len,
                            struct sl_error *error) SL_USE_RESULT;

#endif
