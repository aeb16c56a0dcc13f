/* The specifications of a domain that is linked in: specs_test NAME. */
#include <stdio.h>
#include <string.h>

#include <sluice/sluice.h>

#include "domains/bank/bank.h"
#include "tests/domains/desks.h"
#include "tests/domains/order.h"

int main(int argc, char **argv)
{
    const struct {
        const struct sl_domain *domain;
        const struct sl_spec *specs;
        size_t count;
    } known[] = {
        {&desks_domain, desks_specs, desks_spec_count},
        {&order_domain, order_specs, order_spec_count},
        {&bank_domain, bank_specs, bank_spec_count},
    };

    for (size_t i = 0; argc == 2 && i < sizeof known / sizeof *known; i++)
        if (strcmp(argv[1], known[i].domain->name) == 0)
            return sl_run_specs(known[i].domain, known[i].specs, known[i].count) > 0;
    fprintf(stderr, "usage: specs_test NAME-OF-A-DOMAIN\n");
    return 2;
}
