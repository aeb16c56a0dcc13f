/* A mirror whose calls fail when a test says so: see view_store_fault.h, which it is like. */
#ifndef SL_CONTRACTS_MIRROR_FAULT_H
#define SL_CONTRACTS_MIRROR_FAULT_H

#include "contracts/mirror.h"

/* Of the test; outlives the mirror; of the mirror's thread. options.wrapped points to it. */
struct sl_mirror_fault {
    const struct sl_mirror_ops *inner;
    uint64_t calls; /* checkpoint, start, put and lookup so far */
    uint64_t at;    /* the number of the call that fails; 0: none */
    enum sl_err code;
    bool done_before; /* the call is done, and fails all the same: an answer that was lost */
};

extern const struct sl_mirror_ops sl_mirror_fault_ops;

/* The nth call from now on (1: the very next) fails with `code`. 0: none does. */
void sl_mirror_fail_at(struct sl_mirror_fault *fault, uint64_t nth, enum sl_err code);

#endif
