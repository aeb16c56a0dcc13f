/* The event store's suite on the embedded log: `posix` on the real disk, `sim` on the simulated
 * one. */
#include "base/env_sim.h"
#include "conformance/event_store_suite.h"
#include "stores/log/log_store.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char root[256];

static const char *fresh(void)
{
    static char places[64][300];
    static unsigned next;

    SL_ASSERT(next < 64);
    snprintf(places[next], sizeof places[next], "%s/log-%u", root, next);
    return places[next++];
}

/* Small segments: the suite's logs go through many. */
static const char *setting(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "segment_bytes") == 0 ? "262144" : NULL;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

int main(int argc, char **argv)
{
    const bool simulated = argc > 1 && strcmp(argv[1], "sim") == 0;
    const char *tmp = getenv("TMPDIR");
    struct sl_error error = {0};
    struct sl_env *env;

    if (simulated) {
        snprintf(root, sizeof root, "data");
        if (sl_env_sim_new(1, &env) != SL_OK)
            return 1;
    } else {
        snprintf(root, sizeof root, "%s/sluice-event-store-XXXXXX", tmp ? tmp : "/tmp");
        if (!mkdtemp(root) || sl_env_posix_new(&env, &error) != SL_OK)
            return 1;
    }
    const struct event_store_subject subject = {.ops = &sl_log_store_ops,
                                                .env = env,
                                                .simulated = simulated,
                                                .fresh = fresh,
                                                .setting = setting};
    const int status = event_store_suite_run(&subject);
    sl_env_free(env);
    if (!simulated)
        nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}
