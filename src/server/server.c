/*
 * The life of a server.
 *
 * Ports are taken first, so that a taken one is known before anything is opened, and answered from
 * the moment the loop runs: /readyz says 503 until logs are recovered. What was opened is closed in
 * the reverse order, but for one thing: the engine before the network, because its actors post to
 * the network's mailbox, and the doors' memory after it, because connections point into it.
 *
 * To stop: streams end, the engine takes no more commands and finishes what is under way,
 * connections close. What is not done after a second and a half is dropped; a second signal does
 * not wait.
 */
#include "server/server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "api/api.h"
#include "cli/exit_codes.h"
#include "server/parts.h"
#include "stores/log/log_store.h"
#include "stores/sqlite/sqlite.h"

#define DRAIN_NS INT64_C(1500000000)
#define LINGER_MS 300

struct server {
    const struct sl_server_options *options;
    struct sl_file *lock;
    struct sl_auth *auth;
    struct sl_net *net;
    struct sl_core *core;
    struct sl_api *api;
    uint16_t port, resp_port; /* as they were given; 0: not listening */
    char admin_token[SL_AUTH_ADMIN_TOKEN_SIZE];
    bool is_first_start;
    bool announced;
    bool stopping;
    int64_t stop_ns; /* when draining ends, come what may */
    int exit_code;
    char views[SERVER_PATH_MAX]; /* folder */
    char logs[SL_DOMAINS_MAX][SERVER_PATH_MAX];
    char ids[SL_DOMAINS_MAX][SERVER_PATH_MAX];
    char snapshots[SL_DOMAINS_MAX][SERVER_PATH_MAX];
};

/* ---- Stopping ------------------------------------------------------------------------------ */

static void drained(void *context)
{
    struct server *server = context;

    sl_net_stop(server->net, LINGER_MS);
}

static void stop(struct server *server)
{
    if (server->stopping) {
        sl_net_stop(server->net, 0);
        return;
    }
    server->stopping = true;
    server->stop_ns = sl_env_monotonic(server->options->env) + DRAIN_NS;
    sl_api_stop(server->api);
    sl_core_drain(server->core, drained, server);
}

/* SIGHUP: who renews a certificate says so by it. Connections keep theirs; one that is not good
 * changes nothing. */
static void reload(struct server *server)
{
    struct sl_tls *tls = server->options->tls;
    struct sl_error error = {0};
    char whose[256] = "";

    if (!tls) {
        fprintf(stderr, "sluice: SIGHUP: there is no certificate to read anew\n");
    } else if (sl_tls_reload(tls, &error) != SL_OK) {
        fprintf(stderr, "sluice: SIGHUP: the certificate stays as it was: %s\n", error.message);
    } else {
        const bool good = sl_tls_describe(tls, whose, sizeof whose);
        fprintf(stderr, "sluice: SIGHUP: %s: %s\n",
                good ? "a new certificate" : "warning: a certificate that is not good today",
                whose);
    }
}

static void on_signal(void *context, int number)
{
    if (number == SIGHUP)
        reload(context);
    else
        stop(context);
}

static void on_shutdown(void *context)
{
    struct server *server = context;

    if (!server->stopping)
        stop(server);
}

/* ---- The loop ------------------------------------------------------------------------------ */

static void announce(struct server *server)
{
    const struct sl_config *config = server->options->config;
    char address[300];

    server_address(config->host, server->port, address, sizeof address);
    const char *const scheme = server->options->tls ? "https" : "http";
    printf("sluice " SL_VERSION ": %s://%s/ui/\n", scheme, address);
    if (server->resp_port > 0) {
        char resp[300];
        server_address(config->host, server->resp_port, resp, sizeof resp);
        printf("redis protocol%s: %s\n", server->options->tls ? ", by TLS" : "", resp);
    }
    printf("try: curl %s://%s/%s\n", scheme, address,
           server->options->registry->count > 0 ? server->options->registry->domains[0]->name : "");
    if (server->is_first_start)
        printf("admin token, also in %s/admin.token: %s\n", config->data, server->admin_token);
    fflush(stdout);
    server->announced = true;
}

/* The engine cannot begin: damage, another process, a changed record. */
static bool has_failed(struct server *server)
{
    struct sl_error error = {0};
    const enum sl_err err = sl_core_failure(server->core, &error);

    if (err == SL_OK || server->stopping)
        return false;
    server->exit_code = server_complain(err, &error);
    stop(server);
    return true;
}

static int64_t turn(void *context)
{
    struct server *server = context;
    const int64_t engine_ns = sl_core_turn(server->core);
    const int64_t now = sl_env_monotonic(server->options->env);
    const int64_t api_ns = sl_api_turn(server->api, now);
    int64_t next = engine_ns < api_ns ? engine_ns : api_ns;

    if (!server->announced && !has_failed(server) && sl_api_is_ready(server->api))
        announce(server);
    if (server->stopping) {
        if (now >= server->stop_ns)
            sl_net_stop(server->net, 0);
        else if (server->stop_ns < next)
            next = server->stop_ns;
    }
    return next;
}

static void step(void *context, struct sl_message *message)
{
    struct server *server = context;

    sl_core_step(server->core, message);
}

static void on_http(void *context, struct sl_request *request)
{
    struct server *server = context;

    sl_api_http(server->api, request);
}

static enum sl_resp_result on_resp(void *context, struct sl_resp_command *command)
{
    struct server *server = context;

    return sl_api_resp(server->api, command);
}

static void on_resp_closed(void *context, struct sl_resp_session *session)
{
    struct server *server = context;

    sl_api_resp_closed(server->api, session);
}

/* ---- Starting ------------------------------------------------------------------------------ */

static enum sl_err open_folder(struct server *server, struct sl_error *error)
{
    struct sl_env *env = server->options->env;
    const char *data = server->options->config->data;
    char path[SERVER_PATH_MAX];
    enum sl_err err = sl_disk_make_folder(env, data, error);

    if (err == SL_OK)
        err = server_path(path, data, "sluice.lock", error);
    if (err == SL_OK)
        err = sl_disk_open(env, path, SL_OPEN_WRITE | SL_OPEN_CREATE, &server->lock, error);
    if (err != SL_OK)
        return err;
    err = sl_file_lock(server->lock, error);
    if (err == SL_BUSY)
        return sl_fail(error, SL_BUSY,
                       "another server has the folder %s; stop it, or choose "
                       "another with --data",
                       data);
    return err;
}

static enum sl_err listen_all(struct server *server, struct sl_error *error)
{
    const struct sl_config *config = server->options->config;
    const struct sl_resp_handler resp = {on_resp, on_resp_closed, server};
    char path[SERVER_PATH_MAX];
    enum sl_err err = sl_http_listen(server->net, config->host, config->port, on_http, server,
                                     &server->port, error);

    if (err == SL_BUSY) {
        server->exit_code = SL_EXIT_TAKEN;
        return server_taken(error, config->host, config->port, "--port");
    }
    if (err == SL_OK && !config->no_resp)
        err = sl_resp_listen(server->net, config->host, config->resp_port, &resp,
                             &server->resp_port, error);
    if (err == SL_BUSY) {
        server->exit_code = SL_EXIT_TAKEN;
        return server_taken(error, config->host, config->resp_port, "--resp-port");
    }
    if (err == SL_OK)
        err = server_path(path, config->data, "sluice.sock", error);
    if (err == SL_OK)
        err = sl_http_listen_unix(server->net, path, on_http, server, error);
    return err;
}

static enum sl_err open_net(struct server *server, struct sl_error *error)
{
    const struct sl_config *config = server->options->config;
    const struct sl_net_options options = {.env = server->options->env,
                                           .connections_max = config->connections_max,
                                           .head_bytes_max = config->head_bytes_max,
                                           .body_bytes_max = config->body_bytes_max,
                                           .idle_ms = config->idle_ms,
                                           .head_ms = config->head_ms,
                                           .request_ms = config->request_ms,
                                           .body_rate_min = config->body_rate_min,
                                           .send_rate_min = config->send_rate_min,
                                           .send_ms = config->send_ms,
                                           .beat_ms = config->beat_ms,
                                           .handshake_ms = config->handshake_ms,
                                           .tls = server->options->tls,
                                           .turn = turn,
                                           .step = step,
                                           .context = server};
    enum sl_err err = sl_net_new(&options, &server->net, error);

    if (err == SL_OK)
        err = sl_net_on_signal(server->net, on_signal, server, error);
    return err == SL_OK ? listen_all(server, error) : err;
}

/* Settings are asked for with a context that is not const; they are only read. */
static void *section_context(const struct sl_config *config, const char *domain)
{
    for (size_t i = 0; i < config->domain_count; i++)
        if (strcmp(config->domains[i].name, domain) == 0)
            return (void *)(uintptr_t)&config->domains[i];
    return NULL;
}

/* DATA/KIND/DOMAIN */
static enum sl_err domain_path(char out[SERVER_PATH_MAX], const char *data, const char *kind,
                               const char *name, struct sl_error *error)
{
    char folder[SERVER_PATH_MAX];
    enum sl_err err = server_path(folder, data, kind, error);

    return err ? err : server_path(out, folder, name, error);
}

static void send_answers(void *net)
{
    sl_net_send(net);
}

static enum sl_err open_core(struct server *server, struct sl_error *error)
{
    const struct sl_config *config = server->options->config;
    const struct sl_registry *registry = server->options->registry;
    struct sl_core_domain_options domains[SL_DOMAINS_MAX] = {0};
    enum sl_err err = server_path(server->views, config->data, "views", error);

    for (size_t i = 0; i < registry->count && err == SL_OK; i++) {
        const char *name = registry->domains[i]->name;
        err = domain_path(server->logs[i], config->data, "logs", name, error);
        if (err == SL_OK)
            err = domain_path(server->ids[i], config->data, "ids", name, error);
        if (err == SL_OK)
            err = domain_path(server->snapshots[i], config->data, "snapshots", name, error);
        domains[i].ids_folder = server->ids[i];
        domains[i].snapshots = server->snapshots[i];
        domains[i].domain = registry->domains[i];
        domains[i].store = &sl_log_store_ops;
        domains[i].store_options =
            (struct sl_store_options){.location = server->logs[i],
                                      .name = name,
                                      .setting = sl_config_domain_setting,
                                      .context = section_context(config, name)};
    }
    if (err != SL_OK)
        return err;
    const struct sl_core_options options = {
        .env = server->options->env,
        .mailbox = sl_net_mailbox(server->net),
        .send = send_answers,
        .context = server->net,
        .domains = domains,
        .domain_count = registry->count,
        .view_store = &sl_sqlite_view_store,
        .view_store_options = {.location = server->views,
                               .setting = sl_config_view_setting,
                               .context = (void *)(uintptr_t)config},
        .readers = config->readers,
        .queue_max = config->queue_max,
        .id_window_s = config->id_window_s,
        .id_memory_max = (size_t)config->id_memory_bytes,
        .aggregate_memory_max = (size_t)config->aggregate_memory_bytes,
        .view_memory_max = (size_t)config->view_memory_bytes,
    };
    return sl_core_open(&options, &server->core, error);
}

static enum sl_err open_api(struct server *server, struct sl_error *error)
{
    const struct sl_api_options options = {.env = server->options->env,
                                           .core = server->core,
                                           .net = server->net,
                                           .auth = server->auth,
                                           .assets = server->options->assets,
                                           .asset_count = server->options->asset_count,
                                           .data = server->options->config->data,
                                           .timeout_ms = server->options->config->timeout_ms,
                                           .shutdown = on_shutdown,
                                           .context = server};

    return sl_api_new(&options, &server->api, error);
}

static enum sl_err open_all(struct server *server, struct sl_error *error)
{
    const struct server_rights rights = {.env = server->options->env,
                                         .config = server->options->config,
                                         .out_token = server->admin_token,
                                         .out_made = &server->is_first_start};
    enum sl_err err = open_folder(server, error);

    if (err == SL_OK)
        err = server_open_auth(&rights, &server->auth, error);
    if (err == SL_OK)
        err = open_net(server, error);
    if (err == SL_OK)
        err = open_core(server, error);
    return err == SL_OK ? open_api(server, error) : err;
}

static void close_all(struct server *server)
{
    sl_core_close(server->core);
    if (server->api)
        sl_api_close(server->api);
    sl_net_free(server->net);
    sl_api_free(server->api);
    sl_auth_free(server->auth);
    sl_file_close(server->lock);
}

int sl_server_run(const struct sl_server_options *options)
{
    static struct server server;
    struct sl_error error = {0};

    /* Everything in the data folder is its owner's alone, the admin's token most of all. */
    umask(077);
    server.options = options;
    enum sl_err err = open_all(&server, &error);
    if (err == SL_OK)
        err = sl_net_run(server.net, &error);
    close_all(&server);
    const int code = err == SL_OK ? SL_EXIT_OK : server_complain(err, &error);
    return server.exit_code != SL_EXIT_OK ? server.exit_code : code;
}
