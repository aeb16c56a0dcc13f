/* TLS on a client's connection. Private to this folder. */
#ifndef SL_CLIENT_SECURE_H
#define SL_CLIENT_SECURE_H

#include <sys/types.h>

#include "client/parts.h"

/* Shakes hands over client->fd and looks at the server's certificate; TLS 1.2 at least. SL_IO: the
 * connection broke. SL_INVALID: who answers is not to be trusted, or speaks no TLS, or client->ca
 * cannot be read; the message says what to do, and trying again does not help. */
enum sl_err client_secure(struct sl_client *client, struct sl_error *error) SL_USE_RESULT;
/* As send and recv of a socket that blocks: bytes, 0 at the end, -1 with errno. */
ssize_t client_secure_send(struct sl_client *client, const void *bytes, size_t len);
ssize_t client_secure_receive(struct sl_client *client, void *bytes, size_t size);
/* Forgets the connection's keys; what was read of client->ca too with the client itself. */
void client_secure_end(struct sl_client *client);
void client_secure_free(struct sl_client *client);

#endif
