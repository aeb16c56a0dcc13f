/* What every view store must do with ranges of lists, and with aggregates over them. */
#ifndef TESTS_CONFORMANCE_VIEW_RANGE_SUITE_H
#define TESTS_CONFORMANCE_VIEW_RANGE_SUITE_H

#include "conformance/view_store_suite.h"

/* Runs all cases; returns main's exit code. SLUICE_SEED chooses the random ones. */
int view_range_suite(const struct view_store_bench *bench);

#endif
