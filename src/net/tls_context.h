/* What connections take from the certificates' side. Private to tls*.c. */
#ifndef SL_NET_TLS_CONTEXT_H
#define SL_NET_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "net/net.h"

struct sl_tls {
    SSL_CTX *context; /* each connection holds its own: a new one concerns only those who come */
    BIO_METHOD *method;
    char *certificate_path;
    char *key_path;
};

BIO_METHOD *sl_tls_bio_method(void);

#endif
