#include "conformance/sqlite_places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env_sim.h"

static char folder[] = "/tmp/sluice-views-XXXXXX";
static bool is_real, is_system;
static unsigned places;
static char location[64];

static const char *setting(void *context, const char *key)
{
    (void)context;
    return strcmp(key, "vfs") == 0 ? (is_system ? "system" : "env") : NULL;
}

bool sqlite_places_begin(const char *kind)
{
    is_system = strcmp(kind, "system") == 0;
    is_real = is_system || strcmp(kind, "posix") == 0;
    return !is_real || mkdtemp(folder) != NULL;
}

struct sl_env *sqlite_place_start(struct sl_view_store_options *out)
{
    struct sl_env *env = NULL;

    snprintf(location, sizeof location, "%s/%u", is_real ? folder : "views", places++);
    *out = (struct sl_view_store_options){.location = location, .setting = setting};
    if ((is_real ? sl_env_posix_new(&env, NULL) : sl_env_sim_new(places, &env)) != SL_OK)
        abort();
    return env;
}

static void remove_name(void *context, const char *name)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", location, name);
    if (sl_disk_remove(context, path, NULL) != SL_OK)
        perror(path);
}

void sqlite_place_stop(struct sl_env *env)
{
    if (is_real) {
        if (sl_disk_list(env, location, remove_name, env, NULL) != SL_OK || rmdir(location) != 0)
            perror(location);
    }
    sl_env_free(env);
}

void sqlite_places_end(void)
{
    if (is_real)
        (void)rmdir(folder);
}
