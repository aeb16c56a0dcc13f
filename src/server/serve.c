/* `sluice serve`: arguments, which win over the configuration, which wins over what is usual. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/exit_codes.h"
#include "net/net.h"
#include "server/parts.h"

static const char help[] =
    "sluice serve: starts the server.\n\n"
    "  --host ADDRESS    address to listen on (default 127.0.0.1)\n"
    "  --port N          port of HTTP and the pages (default 7070; 0: any free one)\n"
    "  --resp-port N     port of RESP, for Redis clients (default 7071; 0: any; none)\n"
    "  --data DIR        where logs and views are kept (default: data)\n"
    "  --config FILE     the configuration (default: sluice.conf, if it is there)\n"
    "  --check           reads the configuration and checks the domains; starts nothing\n"
    "  --insecure        listens on an address that others reach, without TLS or tokens\n"
    "  --help            this text\n\n"
    "It stops at SIGINT or SIGTERM, when all that is under way has been answered. At\n"
    "SIGHUP it reads its certificate anew.\n";

struct arguments {
    const char *host, *port, *resp_port, *data, *config;
    bool check, insecure, help;
};

static bool takes_value(struct arguments *arguments, const char *name, const char ***out)
{
    const struct {
        const char *name;
        const char **target;
    } table[] = {{"--host", &arguments->host},
                 {"--port", &arguments->port},
                 {"--resp-port", &arguments->resp_port},
                 {"--data", &arguments->data},
                 {"--config", &arguments->config}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(name, table[i].name) == 0) {
            *out = table[i].target;
            return true;
        }
    }
    return false;
}

static int wrong(const char *what, const char *argument)
{
    fprintf(stderr, "sluice serve: %s %s (sluice serve --help says what there is)\n", what,
            argument);
    return SL_EXIT_USAGE;
}

/* 0, or an exit code. */
static int read_arguments(int argc, char **argv, struct arguments *out)
{
    for (int i = 1; i < argc; i++) {
        char name[32];
        const char **target = NULL;
        char *equals = strchr(argv[i], '=');
        const size_t len = equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);

        if (len >= sizeof name)
            return wrong("unknown option", argv[i]);
        memcpy(name, argv[i], len);
        name[len] = '\0';
        if (takes_value(out, name, &target)) {
            if (!equals && i + 1 == argc)
                return wrong("no value for", argv[i]);
            *target = equals ? equals + 1 : argv[++i];
        } else if (strcmp(argv[i], "--check") == 0) {
            out->check = true;
        } else if (strcmp(argv[i], "--insecure") == 0) {
            out->insecure = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            out->help = true;
        } else {
            return wrong("unknown option", argv[i]);
        }
    }
    return SL_EXIT_OK;
}

static bool read_port(const char *text, uint16_t *out)
{
    char *end = NULL;
    const unsigned long port = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || port > 65535)
        return false;
    *out = (uint16_t)port;
    return true;
}

static int apply(const struct arguments *arguments, struct sl_config *config)
{
    if (arguments->host)
        config->host = arguments->host;
    if (arguments->data)
        config->data = arguments->data;
    if (arguments->port && !read_port(arguments->port, &config->port))
        return wrong("no port:", arguments->port);
    if (arguments->resp_port) {
        config->no_resp = strcmp(arguments->resp_port, "none") == 0;
        if (!config->no_resp && !read_port(arguments->resp_port, &config->resp_port))
            return wrong("no port:", arguments->resp_port);
    }
    return SL_EXIT_OK;
}

int sl_server_config(struct sl_env *env, const char *path, struct sl_config *out)
{
    struct sl_error error = {0};
    const enum sl_err err = sl_config_read(out, env, path ? path : "sluice.conf", false, &error);

    if (err == SL_OK || (err == SL_NOT_FOUND && !path))
        return SL_EXIT_OK;
    fprintf(stderr, "sluice: %s\n", error.message);
    return SL_EXIT_CONFIG;
}

static enum sl_err check_adapters(const struct sl_config *config, struct sl_error *error)
{
    for (size_t i = 0; i < config->domain_count; i++)
        if (config->domains[i].store && strcmp(config->domains[i].store, "log") != 0)
            return sl_fail(error, SL_UNSUPPORTED,
                           "domain %s: there is no store %s in this program; there is: log",
                           config->domains[i].name, config->domains[i].store);
    if (config->view_store && strcmp(config->view_store, "sqlite") != 0)
        return sl_fail(error, SL_UNSUPPORTED,
                       "views: there is no store %s in this program; there is: sqlite",
                       config->view_store);
    return SL_OK;
}

/* Where a certificate is configured. It is good until it is used: one that has run out is only
 * spoken of, for a server that does not start helps nobody. */
static enum sl_err open_tls(const struct sl_config *config, struct sl_tls **out,
                            struct sl_error *error)
{
    char whose[256] = "";

    if (!config->tls_certificate)
        return SL_OK;
    const enum sl_err err = sl_tls_new(config->tls_certificate, config->tls_key, out, error);
    if (err == SL_OK && !sl_tls_describe(*out, whose, sizeof whose))
        fprintf(stderr, "sluice: warning: the certificate in %s is not good today: %s\n",
                config->tls_certificate, whose);
    return err;
}

static int serve(const struct arguments *arguments, struct sl_env *env, struct sl_config *config,
                 const struct sl_asset *assets, size_t asset_count)
{
    struct sl_registry registry;
    struct sl_tls *tls = NULL;
    struct sl_error error = {0};

    if (!arguments->insecure && sl_config_check_exposure(config, &error) != SL_OK) {
        fprintf(stderr, "sluice: %s\n", error.message);
        return SL_EXIT_USAGE;
    }
    enum sl_err err = check_adapters(config, &error);
    if (err == SL_OK)
        err = server_check_rights(config, &error);
    if (err == SL_OK)
        err = open_tls(config, &tls, &error);
    if (err == SL_OK)
        err = sl_registry_open(&registry, config, &error);
    if (err != SL_OK) {
        sl_tls_free(tls);
        fprintf(stderr, "sluice: %s\n", error.message);
        return SL_EXIT_CONFIG;
    }
    int code = SL_EXIT_OK;
    if (arguments->check) {
        printf("the configuration is good; domains:");
        for (size_t i = 0; i < registry.count; i++)
            printf(" %s", registry.domains[i]->name);
        printf("\n");
    } else {
        code = sl_server_run(&(struct sl_server_options){.env = env,
                                                         .config = config,
                                                         .registry = &registry,
                                                         .tls = tls,
                                                         .assets = assets,
                                                         .asset_count = asset_count});
    }
    sl_registry_close(&registry);
    sl_tls_free(tls);
    return code;
}

int sl_serve(int argc, char **argv, const struct sl_asset *assets, size_t asset_count)
{
    struct arguments arguments = {0};
    struct sl_env *env = NULL;
    struct sl_config *config = NULL;
    struct sl_error error = {0};
    int code = read_arguments(argc, argv, &arguments);

    if (code != SL_EXIT_OK)
        return code;
    if (arguments.help) {
        fputs(help, stdout);
        return SL_EXIT_OK;
    }
    config = calloc(1, sizeof *config);
    if (!config || sl_env_posix_new(&env, &error) != SL_OK) {
        free(config);
        fprintf(stderr, "sluice: no memory\n");
        return SL_EXIT_FAILED;
    }
    sl_config_init(config);
    code = sl_server_config(env, arguments.config, config);
    if (code == SL_EXIT_OK)
        code = apply(&arguments, config);
    if (code == SL_EXIT_OK)
        code = serve(&arguments, env, config, assets, asset_count);
    sl_config_close(config);
    free(config);
    sl_env_free(env);
    return code;
}
