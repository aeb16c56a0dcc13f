#include "server/registry.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <sluice/sluice.h>

#include "api/visit_table.h"
#include "cli/exit_codes.h"
#include "model/model.h"

static const char *const reserved[] = {"admin",   "errors", "healthz", "live",
                                       "metrics", "readyz", "ui",      "new",
                                       "serve",   "status", "help",    "openapi"};

/* A domain's name is a word of URLs and of the command line. */
static enum sl_err check_name(const char *name, struct sl_error *error)
{
    const size_t len = name ? strlen(name) : 0;

    if (len == 0 || len > 32 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != len ||
        name[0] < 'a')
        return sl_fail(error, SL_INVALID,
                       "%s is no name for a domain: lower-case letters, digits, - and _",
                       name ? name : "(nothing)");
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(name, reserved[i]) == 0)
            return sl_fail(error, SL_INVALID, "%s is a reserved word, no name for a domain", name);
    return SL_OK;
}

static enum sl_err add(struct sl_registry *registry, const struct sl_domain *domain, void *module,
                       struct sl_error *error)
{
    struct sl_own_table routes = {0};
    struct sl_model *model;
    enum sl_err err = check_name(domain->name, error);

    if (err != SL_OK)
        return err;
    if (domain->abi > SL_DOMAIN_ABI)
        return sl_fail(error, SL_UNSUPPORTED, "%s was built for a newer version of Sluice",
                       domain->name);
    if (sl_registry_find(registry, domain->name))
        return sl_fail(error, SL_INVALID, "there are two domains named %s", domain->name);
    if (registry->count == SL_DOMAINS_MAX)
        return sl_fail(error, SL_LIMIT, "at most %d domains", SL_DOMAINS_MAX);
    model = &(struct sl_model){0};
    err = sl_model_init(model, domain, error);
    sl_model_close(model);
    if (err == SL_OK)
        err = sl_own_table_open(&routes, &domain, 1, error);
    sl_own_table_close(&routes);
    if (err != SL_OK)
        return err;
    registry->domains[registry->count] = domain;
    registry->modules[registry->count++] = module;
    return SL_OK;
}

static enum sl_err add_module(struct sl_registry *registry, const struct sl_config_domain *section,
                              struct sl_error *error)
{
    void *module = dlopen(section->module, RTLD_NOW | RTLD_LOCAL);

    if (!module)
        return sl_fail(error, SL_NOT_FOUND, "domain %s: %s", section->name,
                       dlerror()); /* NOLINT(concurrency-mt-unsafe): before there are threads */
    const struct sl_domain *const *exported = dlsym(module, "sl_exported_domain");
    enum sl_err err;
    if (!exported || !*exported)
        err =
            sl_fail(error, SL_INVALID, "%s exports no domain (SL_EXPORT_DOMAIN)", section->module);
    else if (strcmp((*exported)->name, section->name) != 0)
        err = sl_fail(error, SL_INVALID, "%s holds the domain %s, not %s", section->module,
                      (*exported)->name, section->name);
    else
        err = add(registry, *exported, module, error);
    if (err != SL_OK)
        dlclose(module);
    return err;
}

enum sl_err sl_registry_open(struct sl_registry *out, const struct sl_config *config,
                             struct sl_error *error)
{
    enum sl_err err = SL_OK;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sl_shipped_domain_count && err == SL_OK; i++) {
        const struct sl_config_domain *section =
            sl_config_domain(config, sl_shipped_domains[i]->name);
        if (!section || (!section->disabled && !section->module))
            err = add(out, sl_shipped_domains[i], NULL, error);
    }
    for (size_t i = 0; i < config->domain_count && err == SL_OK; i++) {
        const struct sl_config_domain *section = &config->domains[i];
        if (section->module && !section->disabled)
            err = add_module(out, section, error);
        else if (!section->disabled && !sl_registry_find(out, section->name))
            err = sl_fail(error, SL_NOT_FOUND,
                          "there is no domain %s in this program; name its shared object: module = "
                          "PATH",
                          section->name);
    }
    if (err != SL_OK)
        sl_registry_close(out);
    return err;
}

int sl_registry_check(const char *path)
{
    struct sl_registry registry = {0};
    struct sl_error error = {0};
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (!module) {
        fprintf(stderr, "sluice: %s\n", dlerror()); /* NOLINT(concurrency-mt-unsafe): one thread */
        return SL_EXIT_FAILED;
    }
    const struct sl_domain *const *domain = dlsym(module, "sl_exported_domain");
    const struct sl_spec_list *specs = dlsym(module, "sl_exported_specs");
    int code = SL_EXIT_CONFIG;
    if (!domain || !specs)
        fprintf(stderr,
                "sluice: %s exports no domain or no specifications (SL_EXPORT_DOMAIN, "
                "SL_EXPORT_SPECS)\n",
                path);
    else if (add(&registry, *domain, NULL, &error) != SL_OK)
        fprintf(stderr, "sluice: %s\n", error.message);
    else
        code = sl_run_specs(*domain, specs->items, specs->count) == 0 ? SL_EXIT_OK : SL_EXIT_FAILED;
    dlclose(module);
    return code;
}

void sl_registry_close(struct sl_registry *registry)
{
    for (size_t i = 0; i < registry->count; i++)
        if (registry->modules[i])
            dlclose(registry->modules[i]);
    registry->count = 0;
}

const struct sl_domain *sl_registry_find(const struct sl_registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->count; i++)
        if (strcmp(registry->domains[i]->name, name) == 0)
            return registry->domains[i];
    return NULL;
}
