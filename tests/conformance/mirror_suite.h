/* What every mirror must do. An adapter's test says how a place to keep copies is made. */
#ifndef TESTS_CONFORMANCE_MIRROR_SUITE_H
#define TESTS_CONFORMANCE_MIRROR_SUITE_H

#include "contracts/mirror.h"

struct mirror_bench {
    const struct sl_mirror_ops *ops;
    /* An env and an empty place; options live until `stop`. */
    struct sl_env *(*start)(struct sl_view_store_options *out);
    void (*stop)(struct sl_env *env);
};

/* Runs all cases; returns main's exit code. */
int mirror_suite(const struct mirror_bench *bench);

#endif
