/*
 * A running server: environment, data folder, rights, engine, doors and listeners, put together; it
 * runs until a signal or POST /admin/shutdown ends it. Only this folder names adapters and domains.
 */
#ifndef SL_SERVER_SERVER_H
#define SL_SERVER_SERVER_H

#include "server/config.h"
#include "server/registry.h"

struct sl_asset;
struct sl_tls;

struct sl_server_options {
    struct sl_env *env;
    const struct sl_config *config;
    const struct sl_registry *registry;
    struct sl_tls *tls; /* NULL: it speaks in clear. Read anew at SIGHUP */
    const struct sl_asset *assets;
    size_t asset_count;
};

/* Runs, and returns the exit code (cli/exit_codes.h). Says on stdout when it is ready, on stderr
 * what went wrong. Blocks the usual effects of SIGINT, SIGTERM and SIGHUP. Once per process. */
int sl_server_run(const struct sl_server_options *options);

/* `sluice serve …`: reads arguments and configuration, then runs. argv[0] is "serve". */
int sl_serve(int argc, char **argv, const struct sl_asset *assets, size_t asset_count);

/* Reads the configuration that arguments such as --config name, for verbs that need the domains but
 * no server. NULL: sluice.conf, if it is there. Prints what is wrong and returns an exit code. */
int sl_server_config(struct sl_env *env, const char *path, struct sl_config *out);

#endif
