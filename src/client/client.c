#include "client/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/secure.h"
#include "record/value.h"

#define ANSWER_BYTES_MAX (256u << 20)
#define REQUEST_BYTES_MAX (17u << 20)
#define SECOND_NS INT64_C(1000000000)

enum { PAUSE_MS_FIRST = 50, PAUSE_MS_MAX = 5000 };

static bool is_plain(const char *text)
{
    for (; text && *text; text++)
        if ((uint8_t)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static bool copy(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

enum sl_err sl_client_new(const struct sl_client_options *options, struct sl_client **out,
                          struct sl_error *error)
{
    struct sl_client *client;

    if (options->socket && strlen(options->socket) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return sl_fail(error, SL_INVALID, "the path of the socket is too long: %s",
                       options->socket);
    if (!is_plain(options->token))
        return sl_fail(error, SL_INVALID, "the token has spaces or control characters");
    client = calloc(1, sizeof *client);
    if (!client)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a client");
    client->fd = -1;
    client->port = options->port;
    client->tls = options->tls;
    client->request.bytes_max = REQUEST_BYTES_MAX;
    client->answer.bytes_max = ANSWER_BYTES_MAX;
    if (!copy(&client->socket, options->socket) || !copy(&client->host, options->host) ||
        !copy(&client->token, options->token) || !copy(&client->ca, options->ca) ||
        sl_env_posix_new(&client->env, error) != SL_OK) {
        sl_client_free(client);
        return sl_fail(error, SL_NO_MEMORY, "no memory for a client");
    }
    *out = client;
    return SL_OK;
}

void sl_client_free(struct sl_client *client)
{
    if (!client)
        return;
    if (client->progress_is_open)
        fputc('\n', stderr);
    client_disconnect(client);
    client_secure_free(client);
    sl_buf_close(&client->request);
    sl_buf_close(&client->answer);
    sl_env_free(client->env);
    free(client->socket);
    free(client->host);
    free(client->token);
    free(client->ca);
    free(client);
}

bool sl_client_url(const char *url, char host[256], uint16_t *out_port, bool *out_tls)
{
    const bool tls = strncmp(url, "https://", 8) == 0;
    unsigned long port = tls ? 443 : 80;

    if (!tls && strncmp(url, "http://", 7) != 0)
        return false;
    const char *at = url + (tls ? 8 : 7);
    const bool bracket = *at == '[';
    const size_t len = bracket ? strcspn(at + 1, "]") : strcspn(at, ":/");
    if (len == 0 || len > 255 || (bracket && at[len + 1] != ']'))
        return false;
    const char *rest = at + len + (bracket ? 2 : 0);
    if (*rest == ':') {
        char *end = NULL;
        port = strtoul(rest + 1, &end, 10);
        if (end == rest + 1 || port == 0 || port > 65535)
            return false;
        rest = end;
    }
    if (*rest != '\0' && strcmp(rest, "/") != 0)
        return false;
    memcpy(host, at + bracket, len);
    host[len] = '\0';
    *out_port = (uint16_t)port;
    *out_tls = tls;
    return true;
}

/* ---- Asking -------------------------------------------------------------------------------- */

static void begin_request(struct sl_client *client, const char *method, const char *path)
{
    struct sl_buf *request = &client->request;

    sl_buf_reset(request);
    sl_buf_printf(request, "%s %s HTTP/1.1\r\n", method, path);
    if (client->socket)
        SL_BUF_LITERAL(request, "Host: localhost\r\n");
    else
        sl_buf_printf(request, strchr(client->host, ':') ? "Host: [%s]:%u\r\n" : "Host: %s:%u\r\n",
                      client->host, (unsigned)client->port);
    if (client->token)
        sl_buf_printf(request, "Authorization: Bearer %s\r\n", client->token);
}

/* Is there hope that the same request will be answered later? */
static bool is_passing(enum sl_err err, int status)
{
    return err == SL_IO || (err == SL_OK && status == 503);
}

static void pause_ms(int64_t ms)
{
    const struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&span, NULL);
}

/* Asks until there is an answer that is not 503, or until the deadline. */
static enum sl_err ask(struct sl_client *client, int deadline_s, struct sl_answer *out,
                       struct sl_error *error)
{
    const int64_t until = sl_env_monotonic(client->env) + deadline_s * SECOND_NS;
    int64_t wait_ms = PAUSE_MS_FIRST;

    if (client->request.failed)
        return sl_fail(error, SL_LIMIT, "the request is larger than %u bytes", REQUEST_BYTES_MAX);
    for (;;) {
        struct client_head head = {0};
        size_t head_len = 0;
        const bool reused = client->fd >= 0;
        enum sl_err err = client_connect(client, error);
        if (err == SL_OK)
            err = client_exchange(client, &head, &head_len, error);
        if (err != SL_OK || head.close)
            client_disconnect(client);
        if (err == SL_OK)
            *out = (struct sl_answer){
                .status = head.status,
                .body = {(const char *)client->answer.ptr + head_len, head.length},
                .position = head.position};
        /* A connection that was idle may have been closed meanwhile: that costs no pause. */
        if (err == SL_IO && reused)
            continue;
        if (!is_passing(err, head.status) ||
            sl_env_monotonic(client->env) + wait_ms * 1000000 > until)
            return err;
        pause_ms(wait_ms);
        wait_ms = wait_ms * 2 < PAUSE_MS_MAX ? wait_ms * 2 : PAUSE_MS_MAX;
    }
}

enum sl_err sl_client_post(struct sl_client *client, const char *path, struct sl_text json,
                           struct sl_text id, int deadline_s, struct sl_answer *out,
                           struct sl_error *error)
{
    struct sl_buf *request = &client->request;

    if (!is_plain(path))
        return sl_fail(error, SL_INVALID, "the path has spaces or control characters");
    for (size_t i = 0; i < id.len; i++)
        if ((uint8_t)id.ptr[i] < ' ' || id.ptr[i] == 0x7f)
            return sl_fail(error, SL_INVALID, "the id has control characters");
    begin_request(client, "POST", path);
    SL_BUF_LITERAL(request, "Content-Type: application/json\r\nIdempotency-Key: ");
    /* Without an id a second attempt could do it twice. */
    if (id.len > 0)
        sl_buf_text(request, id);
    else
        sl_value_write_uuid(request, sl_env_uuid(client->env));
    sl_buf_printf(request, "\r\nContent-Length: %zu\r\n\r\n", json.len);
    sl_buf_text(request, json);
    return ask(client, deadline_s, out, error);
}

enum sl_err sl_client_get(struct sl_client *client, const char *path, struct sl_text position,
                          int deadline_s, struct sl_answer *out, struct sl_error *error)
{
    struct sl_buf *request = &client->request;

    if (!is_plain(path))
        return sl_fail(error, SL_INVALID, "the path has spaces or control characters");
    begin_request(client, "GET", path);
    if (position.len > 0) {
        SL_BUF_LITERAL(request, "Sluice-Position: ");
        sl_buf_text(request, position);
        SL_BUF_LITERAL(request, "\r\n");
    }
    SL_BUF_LITERAL(request, "Accept: application/json\r\n\r\n");
    return ask(client, deadline_s, out, error);
}

/* ---- Progress ------------------------------------------------------------------------------ */

void sl_client_progress(struct sl_client *client, const char *what, uint64_t done, uint64_t total)
{
    const bool terminal = isatty(STDERR_FILENO) == 1;
    const int64_t now = sl_env_monotonic(client->env);
    const bool last = total > 0 && done >= total;

    if (!last && now - client->progress_ns < (terminal ? SECOND_NS / 10 : 3 * SECOND_NS))
        return;
    client->progress_ns = now;
    fprintf(stderr, "%s%s: %llu", terminal ? "\r\033[K" : "", what, (unsigned long long)done);
    if (total > 0)
        fprintf(stderr, " of %llu (%.0f %%)", (unsigned long long)total,
                100.0 * (double)done / (double)total);
    client->progress_is_open = terminal && !last;
    if (!client->progress_is_open)
        fputc('\n', stderr);
}
