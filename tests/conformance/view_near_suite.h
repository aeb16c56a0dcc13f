/* What every view store must do with nearby queries, where it has them (SL_VIEWS_NEAR). */
#ifndef TESTS_CONFORMANCE_VIEW_NEAR_SUITE_H
#define TESTS_CONFORMANCE_VIEW_NEAR_SUITE_H

#include "conformance/view_store_suite.h"

/* Runs all cases; returns main's exit code. SLUICE_SEED chooses the random ones. */
int view_near_suite(const struct view_store_bench *bench);

#endif
