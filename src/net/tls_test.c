/*
 * Handshakes of TLS, which are another thread's work. In the simulated world that thread runs when
 * the test says so: what the loop does meanwhile is what everybody else gets.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/env_sim.h"
#include "net/conn.h"
#include "tap/tap.h"

#define GET "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"

enum { TURNS = 200 };

static struct sl_tls *tls;
static SSL_CTX *client_context;

struct side {
    struct sl_env *env;
    struct sl_net *net;
    uint16_t port;
    char path[64];
};

static void handle(void *context, struct sl_request *request)
{
    (void)context;
    sl_request_answer(request, 200, "text/plain", (struct sl_text){0}, request->path);
}

/* A certificate of our own, in files that are memory. */
static bool make_certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    const int fds[2] = {memfd_create("certificate", 0), memfd_create("key", 0)};
    FILE *files[2] = {fdopen(dup(fds[0]), "w"), fdopen(dup(fds[1]), "w")};
    char paths[2][64];
    struct sl_error error = {0};

    if (!key || !certificate || !files[0] || !files[1])
        return false;
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    bool good = X509_set_pubkey(certificate, key) == 1 &&
                X509_sign(certificate, key, EVP_sha256()) > 0 &&
                PEM_write_X509(files[0], certificate) == 1 &&
                PEM_write_PrivateKey(files[1], key, NULL, NULL, 0, NULL, NULL) == 1;
    X509_free(certificate);
    EVP_PKEY_free(key);
    for (int i = 0; i < 2; i++) {
        good &= fclose(files[i]) == 0;
        snprintf(paths[i], sizeof paths[i], "/proc/self/fd/%d", fds[i]);
    }
    good = good && sl_tls_new(paths[0], paths[1], &tls, &error) == SL_OK;
    client_context = SSL_CTX_new(TLS_client_method());
    return good && client_context;
}

static bool begin(struct side *side)
{
    *side = (struct side){0};
    if (!CHECK(sl_env_sim_new(1, &side->env) == SL_OK))
        return false;
    const struct sl_net_options options = {.env = side->env, .tls = tls};
    snprintf(side->path, sizeof side->path, "/tmp/sluice-tls-%d", (int)getpid());
    return CHECK(sl_net_new(&options, &side->net, NULL) == SL_OK) &&
           CHECK(sl_http_listen(side->net, "127.0.0.1", 0, handle, NULL, &side->port, NULL) ==
                 SL_OK) &&
           CHECK(sl_http_listen_unix(side->net, side->path, handle, NULL, NULL) == SL_OK);
}

static void end(struct side *side)
{
    sl_net_free(side->net);
    sl_env_free(side->env);
}

/* The loop alone. */
static void turn(struct side *side)
{
    for (int i = 0; i < 3; i++)
        uv_run(&side->net->loop, UV_RUN_NOWAIT);
}

/* The loop, and who shakes hands. */
static void turn_all(struct side *side)
{
    turn(side);
    while (sl_sim_step(side->env))
        ;
    turn(side);
}

static int connect_tcp(const struct side *side)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(side->port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static int connect_unix(const struct side *side)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s", side->path);
    return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static SSL *new_client(void)
{
    SSL *ssl = SSL_new(client_context);

    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl);
    SSL_do_handshake(ssl);
    return ssl;
}

/* Sends what the client has to say. */
static bool say(SSL *ssl, int fd)
{
    char bytes[16384];
    const int len = BIO_read(SSL_get_wbio(ssl), bytes, sizeof bytes);

    return len <= 0 || send(fd, bytes, (size_t)len, MSG_NOSIGNAL) == len;
}

/* Gives the client what has come; how much that was, 0 at the end, -1: nothing. */
static ssize_t hear(SSL *ssl, int fd)
{
    char bytes[16384];
    const ssize_t len = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (len > 0)
        BIO_write(SSL_get_rbio(ssl), bytes, (int)len);
    return len;
}

static bool is_answered(struct side *side, int fd)
{
    char bytes[4096];

    if (send(fd, GET, strlen(GET), MSG_NOSIGNAL) != (ssize_t)strlen(GET))
        return false;
    for (int i = 0; i < TURNS; i++) {
        turn(side);
        if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            return memcmp(bytes, "HTTP/1.1 200", 12) == 0;
    }
    return false;
}

static void others_are_answered_meanwhile(void)
{
    struct side side;
    const unsigned before = sl_mark_count("tls shaken elsewhere");
    char bytes[4096] = "";
    REQUIRE(begin(&side));
    const int fd = connect_tcp(&side), other = connect_unix(&side);
    SSL *ssl = new_client();

    REQUIRE(fd >= 0 && other >= 0);
    CHECK(say(ssl, fd));
    for (int i = 0; i < TURNS && sl_mark_count("tls shaken elsewhere") == before; i++)
        turn(&side);
    CHECK_U64(sl_mark_count("tls shaken elsewhere"), before + 1);
    CHECK(hear(ssl, fd) == -1);
    CHECK(is_answered(&side, other));
    CHECK(hear(ssl, fd) == -1);
    /* His turn: the handshake goes on, and ends, and a request behind it is answered. */
    for (int i = 0; i < TURNS && !SSL_is_init_finished(ssl); i++) {
        turn_all(&side);
        if (hear(ssl, fd) > 0)
            SSL_do_handshake(ssl);
    }
    CHECK(SSL_is_init_finished(ssl));
    CHECK(SSL_write(ssl, GET, (int)strlen(GET)) > 0);
    CHECK(say(ssl, fd)); /* with the client's last word of the handshake, in one piece */
    int len = 0;
    for (int i = 0; i < TURNS && len <= 0; i++) {
        turn_all(&side);
        hear(ssl, fd);
        len = SSL_read(ssl, bytes, sizeof bytes);
    }
    CHECK(len > 0 && memcmp(bytes, "HTTP/1.1 200", 12) == 0);
    CHECK_U64(sl_mark_count("tls shaken elsewhere"), before + 2);
    CHECK_U64(sl_net_numbers(side.net).tls_total, 1);
    SSL_free(ssl);
    close(fd);
    close(other);
    end(&side);
}

/* Whoever leaves while the shaker has his connection: it is closed when it comes back. */
static void who_leaves_meanwhile_is_closed(void)
{
    struct side side;
    const unsigned before = sl_mark_count("tls shaken elsewhere");
    REQUIRE(begin(&side));
    const int fd = connect_tcp(&side), other = connect_unix(&side);
    SSL *ssl = new_client();

    REQUIRE(fd >= 0 && other >= 0);
    CHECK(say(ssl, fd));
    for (int i = 0; i < TURNS && sl_mark_count("tls shaken elsewhere") == before; i++)
        turn(&side);
    close(fd);
    CHECK(is_answered(&side, other));
    CHECK_U64(sl_net_numbers(side.net).connections_now, 2);
    for (int i = 0; i < TURNS && sl_net_numbers(side.net).connections_now > 1; i++)
        turn_all(&side);
    CHECK_U64(sl_net_numbers(side.net).connections_now, 1);
    SSL_free(ssl);
    close(other);
    end(&side);
}

static void what_is_no_handshake_fails(void)
{
    struct side side;
    static const uint8_t bytes[] = {22, 3, 1, 0, 5, 1, 0, 0, 1, 9};
    char heard[64];
    ssize_t len = -1;
    REQUIRE(begin(&side));
    const int fd = connect_tcp(&side);

    REQUIRE(fd >= 0 && send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) == sizeof bytes);
    for (int i = 0; i < TURNS && len < 0; i++) {
        turn_all(&side);
        len = recv(fd, heard, sizeof heard, MSG_DONTWAIT);
    }
    CHECK(len > 0 && heard[0] == 21); /* an alert says why */
    CHECK_U64(sl_net_numbers(side.net).tls_failed, 1);
    close(fd);
    end(&side);
}

/* The net ends while the shaker has connections, whether it was stopped before or not. */
static void the_end_does_not_wait_for_it(void)
{
    for (int stops = 0; stops < 2; stops++) {
        struct side side;
        const unsigned before = sl_mark_count("tls shaken elsewhere");
        SSL *ssl[3];
        int fds[3];
        REQUIRE(begin(&side));
        for (int i = 0; i < 3; i++) {
            ssl[i] = new_client();
            fds[i] = connect_tcp(&side);
            CHECK(say(ssl[i], fds[i]));
        }
        for (int i = 0; i < TURNS && sl_mark_count("tls shaken elsewhere") < before + 3; i++)
            turn(&side);
        CHECK_U64(sl_mark_count("tls shaken elsewhere"), before + 3);
        if (stops) {
            sl_net_stop(side.net, 0);
            turn(&side);
            CHECK_U64(sl_net_numbers(side.net).connections_now, 0);
        }
        end(&side);
        for (int i = 0; i < 3; i++) {
            SSL_free(ssl[i]);
            close(fds[i]);
        }
    }
}

int main(void)
{
    if (!make_certificate()) {
        printf("Bail out! no certificate\n");
        return 1;
    }
    const int code = TAP_RUN({"others are answered meanwhile", others_are_answered_meanwhile},
                             {"who leaves meanwhile is closed", who_leaves_meanwhile_is_closed},
                             {"what is no handshake fails", what_is_no_handshake_fails},
                             {"the end does not wait for it", the_end_does_not_wait_for_it});
    SSL_CTX_free(client_context);
    sl_tls_free(tls);
    return code;
}
