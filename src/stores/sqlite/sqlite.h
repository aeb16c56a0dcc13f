/*
 * SQLite as a view store ("sqlite") and as a mirror ("sqlite-mirror").
 *
 * One file per view in the location folder, DOMAIN.VIEW.db, with a table named as the view whose
 * columns are the record's fields (columns.h), `_version`, and a table `_checkpoint`.
 *
 * Settings: "vfs" = "env" (the folder is this process's alone) or "system" (other programs may read
 * the files while they are written to, with SQLite's own locks; not in the simulator). Without it
 * the view store takes "env" and the mirror "system". "cache_kib" = page cache of a view's writer.
 */
#ifndef SL_STORES_SQLITE_SQLITE_H
#define SL_STORES_SQLITE_SQLITE_H

#include "contracts/mirror.h"
#include "contracts/view_store.h"

extern const struct sl_view_store_ops sl_sqlite_view_store;
extern const struct sl_mirror_ops sl_sqlite_mirror;

#endif
