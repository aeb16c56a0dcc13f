/* Desks as a shared object: the domain's files as one, and what the server looks for. */
#include "tests/domains/desks.c"
#include "tests/domains/desks_specs.c"

SL_EXPORT_DOMAIN(desks_domain);
SL_EXPORT_SPECS(desks_specs);
