/* What every view store must do with filters and facets of searches. */
#ifndef TESTS_CONFORMANCE_VIEW_FACETS_SUITE_H
#define TESTS_CONFORMANCE_VIEW_FACETS_SUITE_H

#include "conformance/view_store_suite.h"

/* Runs all cases; returns main's exit code. SLUICE_SEED chooses the random ones. */
int view_facets_suite(const struct view_store_bench *bench);

#endif
