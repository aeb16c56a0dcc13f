/* The domains that are built into this program: the build says which (SL_WITH_…). */
#include "server/registry.h"

#ifdef SL_WITH_BANK
#include "domains/bank/bank.h"
#endif

const struct sl_domain *const sl_shipped_domains[] = {
#ifdef SL_WITH_BANK
    &bank_domain,
#endif
    NULL,
};

const size_t sl_shipped_domain_count = sizeof sl_shipped_domains / sizeof *sl_shipped_domains - 1;
