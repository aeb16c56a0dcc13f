/* What a backup holds: its manifest, and paths in it. The essay stands in backup.c. */
#ifndef SL_CLI_BACKUP_PARTS_H
#define SL_CLI_BACKUP_PARTS_H

#include "base/arena.h"
#include "cli/log_parts.h"

#include <sluice/record.h>

#define BACKUP_FORMAT "sluice-backup"
enum { BACKUP_VERSION = 1, BACKUP_SEGMENTS_MAX = 1 << 20 };

/* A segment's file. Numbers of batches, positions and the checksum of the last batch say where it
 * ends: what the next segment's header must continue. */
struct backup_file {
    struct sl_text file; /* below the backup's folder */
    uint64_t segment;
    bool sealed;
    bool complete;       /* a segment follows it: it will not change any more */
    uint64_t bytes;      /* of the file in the backup */
    uint64_t bytes_full; /* in a restored log: filled up with zeros */
    struct sl_text checksum; /* 16 hex digits */
    uint64_t next_batch;
    uint64_t next_position;
    struct sl_text last; /* checksum of the last batch, 16 hex digits */
};

struct backup_log {
    struct sl_text name;
    struct sl_uuid log;
    uint64_t epoch; /* that reigned at the cut, */
    struct sl_text salt; /* and its salt, 16 hex digits */
    uint64_t batches; /* in it */
    uint64_t position; /* the next one: all below is in it */
    struct sl_time last_time; /* of the last batch */
    struct sl_list files; /* struct backup_file, by segment */
};

struct backup_manifest {
    struct sl_text format;
    uint32_t version;
    struct sl_text program;
    struct sl_time cut; /* of all logs, by the clock of the machine */
    struct sl_list logs; /* struct backup_log */
};

/* Reads DIR/manifest.json and checks it. Everything lives in `arena`. SL_NOT_FOUND: there is no
 * backup; SL_CORRUPT; SL_UNSUPPORTED: a newer program wrote it. */
enum sl_err backup_manifest_read(struct sl_env *env, const char *dir, struct sl_arena *arena,
                                 struct backup_manifest *out,
                                 struct sl_error *error) SL_USE_RESULT;

/* Replaces it, atomically and durably. */
enum sl_err backup_manifest_write(struct sl_env *env, const char *dir,
                                  const struct backup_manifest *manifest,
                                  struct sl_error *error) SL_USE_RESULT;

struct sl_text backup_hex(struct sl_arena *arena, uint64_t value); /* ptr NULL: no memory */
bool backup_hex_read(struct sl_text text, uint64_t *out);

/* "a/b", or "a/b/c"; false where it is too long. */
bool backup_path(char out[CLI_PATH_MAX], const char *a, const char *b, const char *c);

#endif
