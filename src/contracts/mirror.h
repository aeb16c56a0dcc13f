/*
 * The mirror: a copy of a view's finished rows in another system.
 *
 * It gets whole rows with their version; of two versions of a row the greater stays, and a tie
 * changes nothing, so that applying twice or late does no harm. Its checkpoint is kept with it and
 * says how far the copy goes: {log, salt, generation, digest, position}. Another log, salt,
 * generation or digest is another copy (P9): `put` answers SL_CONFLICT until `start` has been
 * called for it.
 *
 * Calls block; one thread uses a mirror at a time.
 */
#ifndef SL_CONTRACTS_MIRROR_H
#define SL_CONTRACTS_MIRROR_H

#include "contracts/view_store.h"

#define SL_MIRROR_ABI 1u

struct sl_mirror;

struct sl_mirror_ops {
    uint32_t abi;
    const char *scheme;

    enum sl_err (*open)(struct sl_env *env, const struct sl_view_store_options *options,
                        struct sl_mirror **out, struct sl_error *error);
    /* How far the view's copy goes; zeroed where there is none. */
    enum sl_err (*checkpoint)(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                              struct sl_checkpoint *out, struct sl_error *error);
    /* Begins a copy of this log, salt and generation from nothing; rows of another are gone. */
    enum sl_err (*start)(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                         const struct sl_checkpoint *checkpoint, struct sl_error *error);
    /* Puts rows and moves the checkpoint on (never back), both or neither visible after a crash, or
     * rows first. */
    enum sl_err (*put)(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                       const struct sl_row_change *changes, size_t count,
                       const struct sl_checkpoint *checkpoint, struct sl_error *error);
    /* found[i].key is given; row and version are filled in. A row marked deleted is not there. */
    enum sl_err (*lookup)(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                          struct sl_row_found *found, size_t count, struct sl_arena *arena,
                          struct sl_checkpoint *out, struct sl_error *error);
    void (*close)(struct sl_mirror *mirror);
};

struct sl_mirror {
    const struct sl_mirror_ops *ops;
};

/* Wrappers: what callers use. */
enum sl_err sl_mirror_open(const struct sl_mirror_ops *ops, struct sl_env *env,
                           const struct sl_view_store_options *options, struct sl_mirror **out,
                           struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_mirror_checkpoint(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                                 struct sl_checkpoint *out, struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_mirror_start(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                            const struct sl_checkpoint *checkpoint,
                            struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_mirror_put(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                          const struct sl_row_change *changes, size_t count,
                          const struct sl_checkpoint *checkpoint,
                          struct sl_error *error) SL_USE_RESULT;
enum sl_err sl_mirror_lookup(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                             struct sl_row_found *found, size_t count, struct sl_arena *arena,
                             struct sl_checkpoint *out, struct sl_error *error) SL_USE_RESULT;
void sl_mirror_close(struct sl_mirror *mirror); /* NULL is allowed */

#endif
