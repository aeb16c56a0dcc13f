#include "contracts/mirror.h"

enum sl_err sl_mirror_open(const struct sl_mirror_ops *ops, struct sl_env *env,
                           const struct sl_view_store_options *options, struct sl_mirror **out,
                           struct sl_error *error)
{
    struct sl_mirror *mirror = NULL;

    if (ops->abi != SL_MIRROR_ABI)
        return sl_fail(error, SL_UNSUPPORTED,
                       "the mirror %s was built for interface %u, this program has %u: "
                       "rebuild the adapter",
                       ops->scheme, ops->abi, SL_MIRROR_ABI);
    SL_ASSERT(ops->scheme && ops->open && ops->checkpoint && ops->start && ops->put &&
              ops->lookup && ops->close);
    SL_ASSERT(env && options && options->location);
    const enum sl_err err = ops->open(env, options, &mirror, error);
    if (err != SL_OK)
        return err;
    SL_ASSERT(mirror && mirror->ops == ops);
    *out = mirror;
    return SL_OK;
}

enum sl_err sl_mirror_checkpoint(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                                 struct sl_checkpoint *out, struct sl_error *error)
{
    return mirror->ops->checkpoint(mirror, shape, out, error);
}

enum sl_err sl_mirror_start(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                            const struct sl_checkpoint *checkpoint, struct sl_error *error)
{
    SL_ASSERT(sl_checkpoint_exists(checkpoint) && checkpoint->digest == shape->digest, "P9");
    return mirror->ops->start(mirror, shape, checkpoint, error);
}

enum sl_err sl_mirror_put(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                          const struct sl_row_change *changes, size_t count,
                          const struct sl_checkpoint *checkpoint, struct sl_error *error)
{
    SL_ASSERT(count == 0 || changes);
    SL_ASSERT(sl_checkpoint_exists(checkpoint) && checkpoint->digest == shape->digest, "P9");
    for (size_t i = 0; i < count; i++) {
        SL_ASSERT(changes[i].key.len <= SL_PLACE_BYTES_MAX, "M1");
        SL_ASSERT(changes[i].version > 0, "V1");
    }
    return mirror->ops->put(mirror, shape, changes, count, checkpoint, error);
}

enum sl_err sl_mirror_lookup(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                             struct sl_row_found *found, size_t count, struct sl_arena *arena,
                             struct sl_checkpoint *out, struct sl_error *error)
{
    for (size_t i = 0; i < count; i++) {
        found[i].row = NULL;
        found[i].version = 0;
    }
    return mirror->ops->lookup(mirror, shape, found, count, arena, out, error);
}

void sl_mirror_close(struct sl_mirror *mirror)
{
    if (mirror)
        mirror->ops->close(mirror);
}
