/*
 * TLS as a client speaks it, with OpenSSL between two buffers: what it has to say is sent from one,
 * what came is laid into the other. So a peer that has gone is seen by an error and not by a
 * signal.
 *
 * A certificate is good if somebody whom this machine trusts, or the file of --ca, has signed it
 * (or it stands in that file itself), if it is its time, and if it is for the name that was asked
 * for.
 */
#include "client/secure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { AT_ONCE = 16 << 10 };

struct secure {
    SSL_CTX *context;
    SSL *ssl;            /* NULL: no connection */
    struct sl_buf names; /* of a certificate that was refused */
};

/* ---- What is wrong, and what to do ---------------------------------------------------------- */

/* What a certificate says is a stranger's word: nothing of it may steer a terminal. */
static bool is_name(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    return true;
}

/* The names that a certificate is for, as people write them. */
static void list_names(X509 *certificate, struct sl_buf *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char text[INET6_ADDRSTRLEN] = "";
        const char *said = text;
        if (name->type == GEN_DNS) {
            said = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
        } else if (name->type == GEN_IPADD) {
            const int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
            inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text);
        }
        if (*said && is_name(said))
            sl_buf_printf(out, "%s%s", out->len > 0 ? ", " : "", said);
    }
    GENERAL_NAMES_free(names);
    if (out->len == 0)
        SL_BUF_LITERAL(out, "no name at all");
}

/* A certificate that is refused is not kept by OpenSSL: what it is for is written down here. */
static int on_verify(int good, X509_STORE_CTX *context)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct secure *secure = SSL_get_app_data(ssl);

    if (!good && secure->names.len == 0)
        list_names(X509_STORE_CTX_get0_cert(context), &secure->names);
    return good;
}

static enum sl_err fail_certificate(const struct sl_client *client, SSL *ssl,
                                    struct sl_error *error)
{
    const long why = SSL_get_verify_result(ssl);
    const struct sl_buf *names = &client->secure->names;

    switch (why) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return sl_fail(error, SL_INVALID,
                       "the certificate of the server at %s has expired: give the server a new one "
                       "(it reads it on SIGHUP)",
                       client->host);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return sl_fail(
            error, SL_INVALID,
            "the certificate of the server at %s is not valid yet: look at the clocks of "
            "both machines",
            client->host);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return sl_fail(error, SL_INVALID,
                       "the certificate of the server at %s is for %.*s: use such a name in --url",
                       client->host, (int)names->len, (const char *)names->ptr);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return sl_fail(error, SL_INVALID,
                       "nobody whom %s has signed the certificate of the server at %s: name the "
                       "file of its authority, or of the certificate itself, with --ca FILE",
                       client->ca ? "the file of --ca names" : "this machine trusts", client->host);
    default:
        return sl_fail(error, SL_INVALID, "the certificate of the server at %s is not good: %s",
                       client->host, X509_verify_cert_error_string(why));
    }
}

static enum sl_err fail_handshake(const struct sl_client *client, SSL *ssl, struct sl_error *error)
{
    const unsigned long code = ERR_peek_error();
    const int reason = ERR_GET_REASON(code);

    if (SSL_get_verify_result(ssl) != X509_V_OK)
        return fail_certificate(client, ssl, error);
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)
        return sl_fail(error, SL_INVALID,
                       "the server at %s:%u speaks no TLS: write http:// in --url", client->host,
                       (unsigned)client->port);
    return sl_fail(error, SL_INVALID,
                   "the server at %s:%u and this program do not agree on TLS: %s", client->host,
                   (unsigned)client->port,
                   code != 0 ? ERR_reason_error_string(code) : "no reason given");
}

/* ---- Bytes ---------------------------------------------------------------------------------- */

/* Sends what OpenSSL has to say. */
static bool send_out(struct sl_client *client)
{
    uint8_t bytes[AT_ONCE];
    int len;

    while ((len = BIO_read(SSL_get_wbio(client->secure->ssl), bytes, sizeof bytes)) > 0) {
        for (int sent = 0; sent < len;) {
            const ssize_t n = send(client->fd, bytes + sent, (size_t)(len - sent), MSG_NOSIGNAL);
            if (n < 0 && errno != EINTR)
                return false;
            sent += n > 0 ? (int)n : 0;
        }
    }
    return true;
}

/* Lays what comes before OpenSSL: bytes, 0 at the end, -1 with errno. */
static ssize_t take_in(struct sl_client *client)
{
    uint8_t bytes[AT_ONCE];
    ssize_t n;

    do {
        n = recv(client->fd, bytes, sizeof bytes, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0 && BIO_write(SSL_get_rbio(client->secure->ssl), bytes, (int)n) != (int)n) {
        errno = ENOMEM;
        return -1;
    }
    return n;
}

ssize_t client_secure_send(struct sl_client *client, const void *bytes, size_t len)
{
    size_t sealed = 0;

    ERR_clear_error();
    if (SSL_write_ex(client->secure->ssl, bytes, len < AT_ONCE ? len : AT_ONCE, &sealed) != 1) {
        errno = EPROTO;
        return -1;
    }
    return send_out(client) ? (ssize_t)sealed : -1;
}

ssize_t client_secure_receive(struct sl_client *client, void *bytes, size_t size)
{
    SSL *ssl = client->secure->ssl;
    size_t got = 0;

    for (;;) {
        ERR_clear_error();
        const int status = SSL_read_ex(ssl, bytes, size, &got);
        if (status == 1)
            return (ssize_t)got;
        const int why = SSL_get_error(ssl, status);
        if (why == SSL_ERROR_ZERO_RETURN)
            return 0;
        if (why != SSL_ERROR_WANT_READ) {
            errno = EPROTO;
            return -1;
        }
        const ssize_t n = send_out(client) ? take_in(client) : -1;
        if (n <= 0)
            return n;
    }
}

/* ---- The connection ------------------------------------------------------------------------- */

static enum sl_err open_context(struct sl_client *client, struct sl_error *error)
{
    struct secure *secure = calloc(1, sizeof *secure);
    SSL_CTX *context = secure ? SSL_CTX_new(TLS_client_method()) : NULL;
    int good = 1;

    if (!context) {
        free(secure);
        return sl_fail(error, SL_NO_MEMORY, "no memory for TLS");
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verify);
    /* A certificate that stands in the file itself is trusted although it is no authority. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    if (client->ca)
        good = SSL_CTX_load_verify_locations(context, client->ca, NULL);
    else
        good = SSL_CTX_set_default_verify_paths(context);
    if (good != 1) {
        SSL_CTX_free(context);
        free(secure);
        return sl_fail(error, SL_INVALID, "no certificate (PEM) can be read from %s",
                       client->ca ? client->ca : "this machine's own store");
    }
    secure->context = context;
    secure->names.bytes_max = 512;
    client->secure = secure;
    return SL_OK;
}

/* Whom the certificate must be for. An address is not sent as a name: servers do not expect it. */
static bool expect_host(SSL *ssl, const char *host)
{
    uint8_t address[16];

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    /* SSL_set_tlsext_host_name, whose macro casts a const away; the name is copied. */
    return SSL_set1_host(ssl, host) == 1 &&
           SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)(uintptr_t)host) == 1;
}

static enum sl_err shake_hands(struct sl_client *client, struct sl_error *error)
{
    SSL *ssl = client->secure->ssl;

    for (;;) {
        ERR_clear_error();
        const int status = SSL_do_handshake(ssl);
        const int why = SSL_get_error(ssl, status);
        if (status != 1 && why != SSL_ERROR_WANT_READ) {
            const enum sl_err err = fail_handshake(client, ssl, error);
            (void)send_out(client); /* the alert; who gets it or not changes nothing here */
            return err;
        }
        if (!send_out(client))
            return sl_fail(error, SL_IO, "the handshake of TLS with %s failed", client->host);
        if (status == 1)
            return SL_OK;
        const ssize_t n = take_in(client);
        if (n == 0)
            errno = ECONNRESET;
        if (n <= 0)
            return sl_fail(error, SL_IO, "the handshake of TLS with %s failed", client->host);
    }
}

enum sl_err client_secure(struct sl_client *client, struct sl_error *error)
{
    static const uint8_t http[] = "\x08http/1.1";
    enum sl_err err = client->secure ? SL_OK : open_context(client, error);

    if (err != SL_OK)
        return err;
    SSL *ssl = SSL_new(client->secure->context);
    BIO *in = ssl ? BIO_new(BIO_s_mem()) : NULL, *out = in ? BIO_new(BIO_s_mem()) : NULL;
    if (!out) {
        BIO_free(in);
        SSL_free(ssl);
        return sl_fail(error, SL_NO_MEMORY, "no memory for TLS");
    }
    /* Nothing to read is no end, but a word to wait for more. */
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    SSL_set_app_data(ssl, client->secure);
    sl_buf_reset(&client->secure->names);
    client->secure->ssl = ssl;
    if (!expect_host(ssl, client->host) || SSL_set_alpn_protos(ssl, http, sizeof http - 1) != 0)
        return sl_fail(error, SL_INVALID, "%s is no name that a certificate can be for",
                       client->host);
    return shake_hands(client, error);
}

void client_secure_end(struct sl_client *client)
{
    if (!client->secure)
        return;
    SSL_free(client->secure->ssl);
    client->secure->ssl = NULL;
}

void client_secure_free(struct sl_client *client)
{
    if (!client->secure)
        return;
    client_secure_end(client);
    SSL_CTX_free(client->secure->context);
    sl_buf_close(&client->secure->names);
    free(client->secure);
    client->secure = NULL;
}
