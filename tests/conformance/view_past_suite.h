/* What every view store must do with rows as they were, where it keeps them (SL_VIEWS_TEMPORAL). */
#ifndef TESTS_CONFORMANCE_VIEW_PAST_SUITE_H
#define TESTS_CONFORMANCE_VIEW_PAST_SUITE_H

#include "conformance/view_store_suite.h"

/* Runs all cases; returns main's exit code. */
int view_past_suite(const struct view_store_bench *bench);

#endif
