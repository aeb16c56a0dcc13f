/*
 * Certificates: read, checked and, on request, read anew.
 *
 * Everything is tried before anything is replaced: a certificate and a key that do not belong
 * together never meet a connection, whether at start or when they are renewed.
 */
#include "net/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/conn.h"

/* A key with a passphrase would ask for it at the terminal; there is nobody. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
    (void)out;
    (void)size;
    (void)writing;
    *(bool *)context = true;
    return 0;
}

/* RFC 7301: who names protocols gets one of them, or none at all. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *offered, unsigned offered_len, void *context)
{
    const struct conn *conn = SSL_get_app_data(ssl);
    const struct sl_text ours = conn->protocol->alpn;
    unsigned char *chosen = NULL;

    (void)context;
    if (ours.len == 0)
        return SSL_TLSEXT_ERR_NOACK;
    if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)ours.ptr, (unsigned)ours.len,
                              offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* The first error is the reason; those behind it say who was concerned. */
static const char *reason(void)
{
    const unsigned long code = ERR_peek_error();
    const char *text = ERR_reason_error_string(code);

    if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE)
        return "it holds none in PEM (-----BEGIN …)";
    return text ? text : "it cannot be read";
}

/* So that a missing file is called missing, and not a bad certificate. */
static enum sl_err check_readable(const char *what, const char *path, struct sl_error *error)
{
    FILE *file = fopen(path, "rbe");

    if (!file)
        return sl_fail(error, SL_INVALID, "%s: cannot read %s: %s", what, path,
                       strerrordesc_np(errno));
    const int first = fgetc(file);
    const bool failed = ferror(file);
    const int number = errno;
    fclose(file);
    if (failed)
        return sl_fail(error, SL_INVALID, "%s: cannot read %s: %s", what, path,
                       strerrordesc_np(number));
    if (first == EOF)
        return sl_fail(error, SL_INVALID, "%s: %s is empty", what, path);
    return SL_OK;
}

static enum sl_err read_files(const struct sl_tls *tls, SSL_CTX *context, struct sl_error *error)
{
    bool asked = false;
    enum sl_err err = check_readable("tls_certificate", tls->certificate_path, error);

    if (err == SL_OK)
        err = check_readable("tls_key", tls->key_path, error);
    if (err != SL_OK)
        return err;
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, tls->certificate_path) != 1)
        return sl_fail(error, SL_INVALID, "tls_certificate: no certificate in %s: %s",
                       tls->certificate_path, reason());
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &asked);
    ERR_clear_error();
    const int status = SSL_CTX_use_PrivateKey_file(context, tls->key_path, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    if (asked)
        return sl_fail(error, SL_INVALID,
                       "tls_key: %s is locked by a passphrase, and nobody is there to type it; "
                       "write the key without one, readable by the server alone",
                       tls->key_path);
    if (status != 1 && ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
        return sl_fail(error, SL_INVALID, "tls_key: the key in %s is not that of %s", tls->key_path,
                       tls->certificate_path);
    if (status != 1)
        return sl_fail(error, SL_INVALID, "tls_key: no private key in %s: %s", tls->key_path,
                       reason());
    if (SSL_CTX_check_private_key(context) != 1)
        return sl_fail(error, SL_INVALID, "tls_key: the key in %s is not that of %s", tls->key_path,
                       tls->certificate_path);
    return SL_OK;
}

static enum sl_err make(const struct sl_tls *tls, SSL_CTX **out, struct sl_error *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1) {
        SSL_CTX_free(context);
        return sl_fail(error, SL_NO_MEMORY, "no memory for TLS");
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets hold what there is */
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    const enum sl_err err = read_files(tls, context, error);
    ERR_clear_error();
    if (err == SL_OK)
        *out = context;
    else
        SSL_CTX_free(context);
    return err;
}

enum sl_err sl_tls_new(const char *certificate_path, const char *key_path, struct sl_tls **out,
                       struct sl_error *error)
{
    struct sl_tls *tls = calloc(1, sizeof *tls);

    if (tls) {
        tls->method = sl_tls_bio_method();
        tls->certificate_path = strdup(certificate_path);
        tls->key_path = strdup(key_path);
    }
    if (!tls || !tls->method || !tls->certificate_path || !tls->key_path) {
        sl_tls_free(tls);
        return sl_fail(error, SL_NO_MEMORY, "no memory for TLS");
    }
    const enum sl_err err = make(tls, &tls->context, error);
    if (err == SL_OK)
        *out = tls;
    else
        sl_tls_free(tls);
    return err;
}

enum sl_err sl_tls_reload(struct sl_tls *tls, struct sl_error *error)
{
    SSL_CTX *fresh = NULL;
    const enum sl_err err = make(tls, &fresh, error);

    if (err != SL_OK)
        return err;
    SSL_CTX_free(tls->context);
    tls->context = fresh;
    return SL_OK;
}

bool sl_tls_describe(const struct sl_tls *tls, char *out, size_t size)
{
    const X509 *certificate = SSL_CTX_get0_certificate(tls->context);
    const ASN1_TIME *end = X509_get0_notAfter(certificate);
    struct tm tm = {0};
    char name[128] = "";

    X509_NAME_oneline(X509_get_subject_name(certificate), name, sizeof name);
    if (ASN1_TIME_to_tm(end, &tm) != 1)
        return false;
    snprintf(out, size, "%s, good until %04d-%02d-%02dT%02d:%02d:%02dZ", name, tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return X509_cmp_current_time(end) > 0 &&
           X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0;
}

void sl_tls_free(struct sl_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    free(tls->certificate_path);
    free(tls->key_path);
    free(tls);
}
