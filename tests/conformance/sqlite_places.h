/* Places for the tests of SQLite's adapters: on a simulated disk, on the real one, and there with
 * SQLite's own VFS. */
#ifndef TESTS_CONFORMANCE_SQLITE_PLACES_H
#define TESTS_CONFORMANCE_SQLITE_PLACES_H

#include "contracts/view_store.h"

/* `kind`: "sim", "posix" or "system". False: no folder could be made. */
bool sqlite_places_begin(const char *kind);
struct sl_env *sqlite_place_start(struct sl_view_store_options *out);
void sqlite_place_stop(struct sl_env *env);
void sqlite_places_end(void);

#endif
