/*
 * Both ports with TLS: bytes in place of a handshake, within it, and after it, on the wire or as
 * what is sealed. Whatever comes, the connection ends in good order and nobody is told of a request
 * that was not sealed.
 *
 * The first byte says when the bytes come and on which port; the second where the client's first
 * flight is damaged, and by what.
 */
#include "fuzz.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "wire.h"

enum when { INSTEAD = 0, WITHIN, BEHIND, SEALED };

static struct sl_tls *server;
static SSL_CTX *client;

/* A certificate of our own, in files that are memory. */
static void write_pair(char *certificate_path, char *key_path, size_t size)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    const int fds[2] = {memfd_create("certificate", 0), memfd_create("key", 0)};

    SL_ASSERT(key && certificate && fds[0] >= 0 && fds[1] >= 0);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    SL_ASSERT(X509_set_pubkey(certificate, key) == 1);
    SL_ASSERT(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *files[2] = {fdopen(dup(fds[0]), "w"), fdopen(dup(fds[1]), "w")};
    SL_ASSERT(files[0] && files[1] && PEM_write_X509(files[0], certificate) == 1);
    SL_ASSERT(PEM_write_PrivateKey(files[1], key, NULL, NULL, 0, NULL, NULL) == 1);
    SL_ASSERT(fclose(files[0]) == 0 && fclose(files[1]) == 0);
    snprintf(certificate_path, size, "/proc/self/fd/%d", fds[0]);
    snprintf(key_path, size, "/proc/self/fd/%d", fds[1]);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void prepare(void)
{
    char certificate[64], key[64];
    struct sl_error error = {0};

    write_pair(certificate, key, sizeof key);
    SL_ASSERT(sl_tls_new(certificate, key, &server, &error) == SL_OK, "a pair that is good");
    client = SSL_CTX_new(TLS_client_method());
    SL_ASSERT(client);
}

/* Passes on what the client has to say; `at`, `by`: which of its bytes is damaged, and how. */
static bool carry(struct wire *wire, SSL *ssl, size_t at, uint8_t by)
{
    uint8_t bytes[16384];
    int len;
    bool good = true;

    while (good && (len = BIO_read(SSL_get_wbio(ssl), bytes, sizeof bytes)) > 0) {
        if (by != 0)
            bytes[at % (size_t)len] ^= by;
        good = wire_send(wire, bytes, (size_t)len);
        wire_turn(wire);
    }
    if (wire->got.len > 0)
        BIO_write(SSL_get_rbio(ssl), wire->got.ptr, (int)wire->got.len);
    sl_buf_reset(&wire->got);
    return good;
}

static bool shake(struct wire *wire, SSL *ssl, size_t at, uint8_t by)
{
    for (int i = 0; i < 8 && !SSL_is_init_finished(ssl); i++) {
        SSL_do_handshake(ssl);
        if (!carry(wire, ssl, at, i == 0 ? by : 0))
            break;
    }
    return SSL_is_init_finished(ssl);
}

static SSL *new_client(bool h2)
{
    static const uint8_t offers[] = "\x02h2\x08http/1.1";
    SSL *ssl = SSL_new(client);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    SL_ASSERT(ssl && in && out);
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    SSL_set_alpn_protos(ssl, h2 ? offers : offers + 3, h2 ? sizeof offers - 1 : sizeof offers - 4);
    return ssl;
}

/* Sealed, in records whose lengths the bytes themselves say. */
static void seal(struct wire *wire, SSL *ssl, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        const size_t most = 1U + 4U * bytes[len / 2];
        const size_t piece = len < most ? len : most;
        if (SSL_write(ssl, bytes, (int)piece) <= 0 || !carry(wire, ssl, 0, 0))
            return;
        bytes += piece;
        len -= piece;
    }
    wire_answer(wire);
    carry(wire, ssl, 0, 0);
    SSL_shutdown(ssl);
    carry(wire, ssl, 0, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct wire wire;

    if (len < 3 || len > (16 << 10))
        return 0;
    if (!server)
        prepare();
    const enum when when = bytes[0] % 4;
    const size_t at = 5 + bytes[1] % 200U; /* behind the record's head, which nothing protects */
    const uint8_t by = bytes[2];
    const bool h2 = bytes[0] & 8;
    wire_open(&wire, bytes[0] & 4 ? WIRE_RESP : WIRE_HTTP, server, false);
    SSL *ssl = new_client(h2);
    if (when == WITHIN) {
        if (shake(&wire, ssl, at, by))
            SL_ASSERT(by == 0, "a handshake that was damaged is none");
    } else if (when != INSTEAD) {
        SL_ASSERT(shake(&wire, ssl, 0, 0), "a good handshake");
    }
    if (when == SEALED)
        seal(&wire, ssl, bytes + 3, len - 3);
    else
        wire_send(&wire, bytes + 3, len - 3);
    wire_turn(&wire);
    SL_ASSERT(when == SEALED || wire.seen.len == 0, "only what was sealed is carried out");
    wire_close(&wire);
    SSL_free(ssl);
    return 0;
}
