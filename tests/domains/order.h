/* Orders with lines, stock that they reserve, and a process that sees to their payment. */
#ifndef TESTS_DOMAINS_ORDER_H
#define TESTS_DOMAINS_ORDER_H

#include <sluice/domain.h>

extern const struct sl_domain order_domain;
extern const struct sl_spec order_specs[];
extern const size_t order_spec_count;

#endif
