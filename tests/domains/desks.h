/* People book a desk for a day: the smallest domain that is one. */
#ifndef TESTS_DOMAINS_DESKS_H
#define TESTS_DOMAINS_DESKS_H

#include <sluice/domain.h>

extern const struct sl_domain desks_domain;
extern const struct sl_spec desks_specs[];
extern const size_t desks_spec_count;

#endif
