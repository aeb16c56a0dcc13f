/*
 * What every event store must do: one suite, run on each adapter on a real server or disk.
 *
 * The cases know nothing of the adapter but its ops; the event at a position is a function of the
 * position (event_store_bench.h), so that every answer can be checked against it.
 */
#ifndef CONFORMANCE_EVENT_STORE_SUITE_H
#define CONFORMANCE_EVENT_STORE_SUITE_H

#include "contracts/event_store.h"

struct event_store_subject {
    const struct sl_event_store_ops *ops;
    struct sl_env *env;
    bool simulated; /* env is the simulator: actors run when the suite lets them */
    /* A location where no log is yet; another one at each call. Lives for the run. */
    const char *(*fresh)(void);
    const char *(*setting)(void *context, const char *key);
};

/* Runs all cases; the exit code of main. */
int event_store_suite_run(const struct event_store_subject *subject);

#endif
