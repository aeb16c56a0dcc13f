/*
 * Making a client: a blocking speaker of HTTP/1.1, over the server's Unix socket, TCP, or TLS. What
 * it does is in <sluice/client.h>. One thread at a time.
 */
#ifndef SL_CLIENT_CLIENT_H
#define SL_CLIENT_CLIENT_H

#include <sluice/client.h>

#include "base/error.h"

struct sl_client_options {
    const char *socket; /* path of the Unix socket; NULL: TCP */
    const char *host;
    uint16_t port;
    const char *token; /* bearer token, or NULL */
    bool tls;          /* over TCP */
    const char *ca;    /* PEM file of those who may sign; NULL: whom this machine trusts */
};

/* Connects when first asked for something. Texts are copied. Errors: SL_NO_MEMORY, SL_INVALID (a
 * path that is too long, a token with control characters). */
enum sl_err sl_client_new(const struct sl_client_options *options, struct sl_client **out,
                          struct sl_error *error) SL_USE_RESULT;
void sl_client_free(struct sl_client *client); /* NULL is allowed */

/* A URL like http://127.0.0.1:7070 or https://shop.example, taken apart into `host` (256 bytes),
 * `out_port` and `out_tls`. False: it is none. */
bool sl_client_url(const char *url, char host[256], uint16_t *out_port, bool *out_tls);

#endif
