/* The program: verbs, domains and pages, put together. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "api/asset.h"
#include "cli/cli.h"
#include "cli/exit_codes.h"
#include "server/server.h"

#ifdef SL_WITH_WEB
#include "web/assets.h"
#else
static const struct sl_asset sl_assets[1];
static const size_t sl_asset_count = 0;
#endif

/*
 * glibc puts some of what freeing costs off until it is much, and then does it all at once, which
 * the engine's thread has no time for: when a rebuilt view's old rows go, a few at a time, it gave
 * the heap's end back to the system in 40 ms, and joined small free pieces to larger ones in 28 ms.
 * So the heap keeps what it has, to be needed again, and pieces are joined as they are freed. The
 * first call also ends the growth of the size from which memory is mapped apart: it is said here.
 */
static void free_evenly(void)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): before any other thread */
    (void)mallopt(M_TRIM_THRESHOLD, -1);
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_MXFAST, 0);
    /* NOLINTEND(concurrency-mt-unsafe) */
}

/* Connections, and the segments of large logs, want more files than a shell allows at first. */
static void allow_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve(int argc, char **argv)
{
    free_evenly();
    allow_files();
    return sl_serve(argc, argv, sl_assets, sl_asset_count);
}

/* Once per process; what it opens lives until the end. */
static int domains(const char *path, const struct sl_domain *const **out, size_t *out_count)
{
    static struct sl_config config;
    static struct sl_registry registry;
    struct sl_env *env = NULL;
    struct sl_error error = {0};

    if (sl_env_posix_new(&env, &error) != SL_OK)
        return SL_EXIT_FAILED;
    sl_config_init(&config);
    int code = sl_server_config(env, path, &config);
    if (code == SL_EXIT_OK && sl_registry_open(&registry, &config, &error) != SL_OK) {
        fprintf(stderr, "sluice: %s\n", error.message);
        code = SL_EXIT_CONFIG;
    }
    sl_env_free(env);
    *out = registry.domains;
    *out_count = registry.count;
    return code;
}

int main(int argc, char **argv)
{
    struct sl_cli cli = {.serve = serve, .domains = domains, .check = sl_registry_check};

    return sl_cli_run(&cli, argc, argv);
}
