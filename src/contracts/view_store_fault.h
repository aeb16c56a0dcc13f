/*
 * A view store whose calls fail when a test says so.
 *
 *     struct sl_view_store_fault fault = {.inner = &sl_sqlite_view_store};
 *     options.wrapped = &fault;
 *     sl_view_store_open(&sl_view_store_fault_ops, env, &options, &store, &error);
 *     sl_view_store_fail_at(&fault, 3, SL_IO);
 */
#ifndef SL_CONTRACTS_VIEW_STORE_FAULT_H
#define SL_CONTRACTS_VIEW_STORE_FAULT_H

#include <stdatomic.h>

#include "contracts/view_store.h"

/* Of the test; outlives the store. Counted by all threads that use the store. */
struct sl_view_store_fault {
    const struct sl_view_store_ops *inner;
    atomic_uint_fast64_t calls; /* of all but open, end, forget and close, so far */
    atomic_uint_fast64_t at;    /* the number of the call that fails; 0: none */
    atomic_int code;            /* with this enum sl_err */
};

/* Capabilities are those of SQLite's store: lists, search, generations and aggregates; what the
 * inner one lacks it refuses. */
extern const struct sl_view_store_ops sl_view_store_fault_ops;

/* The nth call from now on (1: the very next) fails with `code`, and does nothing. 0: none does. */
void sl_view_store_fail_at(struct sl_view_store_fault *fault, uint64_t nth, enum sl_err code);

#endif
