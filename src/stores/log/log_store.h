/*
 * The embedded event log as an event store: scheme "log", location a folder.
 *
 * Settings: `segment_bytes`, the size of a full segment as a plain number of bytes, from 64 KiB to
 * 1 TiB; 64 MiB if it is not given. `index_memory`, what the index may take in memory, likewise,
 * from 256 KiB to 1 TiB; 64 MiB if it is not given: half for what is read of sealed segments, half
 * for those that are not sealed yet, which are begun early so that their index fits; where sealing
 * cannot follow and eight are full, appends wait for it: half a second a segment at most, doubled
 * with each one more, up to half a minute. `seal`, yes or no: whether full segments are sealed;
 * with no, the whole index is in memory.
 */
#ifndef SL_STORES_LOG_LOG_STORE_H
#define SL_STORES_LOG_LOG_STORE_H

#include "contracts/event_store.h"

extern const struct sl_event_store_ops sl_log_store_ops;

#endif
