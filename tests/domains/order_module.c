/* Orders as a shared object: the domain's files as one, and what the server looks for. */
#include "tests/domains/order.c"
#include "tests/domains/order_specs.c"

SL_EXPORT_DOMAIN(order_domain);
SL_EXPORT_SPECS(order_specs);
