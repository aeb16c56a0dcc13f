/*
 * TLS on a connection: records in, records out. Private to this folder; the certificates' side of
 * it is public (net.h).
 *
 * The connection's protocol sees what was decrypted and writes what is to be encrypted, and knows
 * nothing of it.
 */
#ifndef SL_NET_TLS_H
#define SL_NET_TLS_H

#include "net/conn.h"

enum { TLS_RECEIVE_BYTES = 64 << 10 };

/* Who connects shall shake hands first. False: no memory. */
bool sl_tls_start(struct conn *conn, const struct sl_tls *tls);
void sl_tls_free_conn(struct conn *conn);
/* Bytes came, and lie in the net's own room for them: they are used, or kept, before it returns. */
void sl_tls_receive(struct conn *conn, const uint8_t *bytes, size_t len);
/* The shaker has sent the connection back. */
void sl_tls_shaken(struct sl_message *message);
/* Goes on with what was left when the protocol took no more. */
void sl_tls_resume(struct conn *conn);
/* Encrypts the connection's `out`, if it can be yet. False: the connection is broken. */
bool sl_tls_seal(struct conn *conn);
/* Says, once, that nothing more will be sent; it still has to be written. */
void sl_tls_say_end(struct conn *conn);
/* The room for bytes that come, before they are decrypted; NULL: no memory. */
uint8_t *sl_tls_room(struct sl_net *net);

struct tls_conn;
/* What is encrypted and not yet handed to the system. */
struct sl_buf *sl_tls_out(struct tls_conn *tls);
/* Since when the handshake is waited for; 0: it is done, or has failed. */
int64_t sl_tls_shaking_since(const struct tls_conn *tls);

#endif
