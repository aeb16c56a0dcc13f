#include "contracts/mirror_fault.h"

#include <stdlib.h>

struct fault_mirror {
    struct sl_mirror mirror;
    struct sl_mirror *inner;
    struct sl_mirror_fault *fault;
};

void sl_mirror_fail_at(struct sl_mirror_fault *fault, uint64_t nth, enum sl_err code)
{
    fault->code = code;
    fault->at = nth > 0 ? fault->calls + nth : 0;
}

/* Does the failure strike this call? */
static bool strikes(struct sl_mirror *mirror)
{
    struct sl_mirror_fault *fault = ((struct fault_mirror *)mirror)->fault;

    return ++fault->calls == fault->at;
}

static enum sl_err strike(struct sl_mirror *mirror, struct sl_error *error)
{
    return sl_fail(error, ((struct fault_mirror *)mirror)->fault->code, "the test wants a failure");
}

static bool done_before(struct sl_mirror *mirror)
{
    return ((struct fault_mirror *)mirror)->fault->done_before;
}

static struct sl_mirror *inner_of(struct sl_mirror *mirror)
{
    return ((struct fault_mirror *)mirror)->inner;
}

static enum sl_err fault_open(struct sl_env *env, const struct sl_view_store_options *options,
                              struct sl_mirror **out, struct sl_error *error)
{
    struct fault_mirror *made = calloc(1, sizeof *made);

    SL_ASSERT(options->wrapped);
    if (!made)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a mirror");
    made->fault = options->wrapped;
    made->mirror.ops = &sl_mirror_fault_ops;
    const enum sl_err err = sl_mirror_open(made->fault->inner, env, options, &made->inner, error);
    if (err != SL_OK) {
        free(made);
        return err;
    }
    *out = &made->mirror;
    return SL_OK;
}

static enum sl_err fault_checkpoint(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                                    struct sl_checkpoint *out, struct sl_error *error)
{
    if (strikes(mirror))
        return strike(mirror, error);
    return sl_mirror_checkpoint(inner_of(mirror), shape, out, error);
}

static enum sl_err fault_start(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                               const struct sl_checkpoint *checkpoint, struct sl_error *error)
{
    const bool struck = strikes(mirror);

    if (struck && !done_before(mirror))
        return strike(mirror, error);
    const enum sl_err err = sl_mirror_start(inner_of(mirror), shape, checkpoint, error);
    return struck ? strike(mirror, error) : err;
}

static enum sl_err fault_put(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                             const struct sl_row_change *changes, size_t count,
                             const struct sl_checkpoint *checkpoint, struct sl_error *error)
{
    const bool struck = strikes(mirror);

    if (struck && !done_before(mirror))
        return strike(mirror, error);
    const enum sl_err err =
        sl_mirror_put(inner_of(mirror), shape, changes, count, checkpoint, error);
    return struck ? strike(mirror, error) : err;
}

static enum sl_err fault_lookup(struct sl_mirror *mirror, const struct sl_view_shape *shape,
                                struct sl_row_found *found, size_t count, struct sl_arena *arena,
                                struct sl_checkpoint *out, struct sl_error *error)
{
    if (strikes(mirror))
        return strike(mirror, error);
    return sl_mirror_lookup(inner_of(mirror), shape, found, count, arena, out, error);
}

static void fault_close(struct sl_mirror *mirror)
{
    sl_mirror_close(inner_of(mirror));
    free(mirror);
}

const struct sl_mirror_ops sl_mirror_fault_ops = {
    .abi = SL_MIRROR_ABI,
    .scheme = "fault",
    .open = fault_open,
    .checkpoint = fault_checkpoint,
    .start = fault_start,
    .put = fault_put,
    .lookup = fault_lookup,
    .close = fault_close,
};
