/*
 * An event store that fails and delays when a test says so, around one that works.
 *
 *     sl_event_store_fault_new(env, inner, &store, &error);
 *     sl_event_store_fault_append(store, 3, SL_APPEND_UNKNOWN, true);
 *
 * It keeps the contract: answers to claims and appends stay in order, and after an append that was
 * made to fail, the later ones get the same result until the next claim. It never answers inline.
 * Counting is by calls from now on, 1 being the very next; 0 takes the fault back. Only the store's
 * owner calls these functions.
 */
#ifndef SL_CONTRACTS_EVENT_STORE_FAULT_H
#define SL_CONTRACTS_EVENT_STORE_FAULT_H

#include "contracts/event_store.h"

/* `inner` is the new store's from now on, and closed with it; on failure it stays the caller's. */
enum sl_err sl_event_store_fault_new(struct sl_env *env, struct sl_event_store *inner,
                                     struct sl_event_store **out,
                                     struct sl_error *error) SL_USE_RESULT;

/* The nth append gets `result`, which is not DURABLE. With `carried_out`, for UNKNOWN only, the
 * inner store does it all the same. */
void sl_event_store_fault_append(struct sl_event_store *store, uint64_t nth,
                                 enum sl_append_result result, bool carried_out);

/* The nth claim, or read, gets `err` and the inner store hears nothing of it. */
void sl_event_store_fault_claim(struct sl_event_store *store, uint64_t nth, enum sl_err err);
void sl_event_store_fault_read(struct sl_event_store *store, uint64_t nth, enum sl_err err);

/* The answer to the nth request, of any kind, is held back for so long (by env's monotonic clock);
 * so are the answers that must not overtake it. */
void sl_event_store_fault_delay(struct sl_event_store *store, uint64_t nth, int64_t delay_ns);

#endif
