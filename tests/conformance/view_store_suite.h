/* What every view store must do. An adapter's test says how a place to keep views is made. */
#ifndef TESTS_CONFORMANCE_VIEW_STORE_SUITE_H
#define TESTS_CONFORMANCE_VIEW_STORE_SUITE_H

#include "contracts/view_store.h"

struct view_store_bench {
    const struct sl_view_store_ops *ops;
    /* An env and an empty place; options live until `stop`. */
    struct sl_env *(*start)(struct sl_view_store_options *out);
    void (*stop)(struct sl_env *env);
};

/* Runs all cases; returns main's exit code. */
int view_store_suite(const struct view_store_bench *bench);

#endif
