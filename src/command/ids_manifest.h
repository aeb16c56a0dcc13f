/*
 * The manifest of a folder of id files: one page that says which files count. It is replaced whole,
 * by renaming, so a change of files is there or not. Format in ids_manifest.c.
 */
#ifndef SL_COMMAND_IDS_MANIFEST_H
#define SL_COMMAND_IDS_MANIFEST_H

#include "command/ids_builder.h"

struct sl_id_manifest {
    struct sl_uuid log;
    uint64_t seed;
    uint64_t next_number;
    size_t count;
    struct sl_id_listed {
        uint64_t number, key, first, end;
    } files[SL_ID_FILES_MAX];
};

/* SL_NOT_FOUND, SL_CORRUPT, SL_UNSUPPORTED, SL_IO. */
enum sl_err sl_id_manifest_read(struct sl_env *env, const char *folder, struct sl_id_manifest *out,
                                struct sl_error *error) SL_USE_RESULT;
/* Durable when it returns SL_OK; after a failure the old one or the new one counts. */
enum sl_err sl_id_manifest_write(struct sl_env *env, const char *folder,
                                 const struct sl_id_manifest *manifest,
                                 struct sl_error *error) SL_USE_RESULT;

#endif
