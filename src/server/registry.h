/*
 * The domains that this program runs: those built into it, and those that the configuration names
 * as shared objects. Made once, constant afterwards.
 */
#ifndef SL_SERVER_REGISTRY_H
#define SL_SERVER_REGISTRY_H

#include <sluice/domain.h>

#include "server/config.h"

#define SL_DOMAINS_MAX 64

struct sl_registry {
    const struct sl_domain *domains[SL_DOMAINS_MAX];
    void *modules[SL_DOMAINS_MAX]; /* handle of each that is a shared object */
    size_t count;
};

/* The domains that are built in. */
extern const struct sl_domain *const sl_shipped_domains[];
extern const size_t sl_shipped_domain_count;

/* Checks names and tables, too. SL_INVALID, SL_NOT_FOUND and SL_UNSUPPORTED name the domain. */
enum sl_err sl_registry_open(struct sl_registry *out, const struct sl_config *config,
                             struct sl_error *error) SL_USE_RESULT;
void sl_registry_close(struct sl_registry *registry);

/* Runs the specifications that a shared object exports (SL_EXPORT_SPECS), speaking TAP. Returns the
 * exit code. */
int sl_registry_check(const char *path);

/* NULL: no such domain. */
const struct sl_domain *sl_registry_find(const struct sl_registry *registry, const char *name);

#endif
