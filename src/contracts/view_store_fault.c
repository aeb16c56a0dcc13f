#include "contracts/view_store_fault.h"

#include <stdlib.h>

struct fault_store {
    struct sl_view_store store;
    struct sl_view_store *inner;
    struct sl_view_store_fault *fault;
};

struct fault_reader {
    struct sl_view_reader reader;
    struct sl_view_reader *inner;
};

void sl_view_store_fail_at(struct sl_view_store_fault *fault, uint64_t nth, enum sl_err code)
{
    atomic_store(&fault->code, (int)code);
    atomic_store(&fault->at, nth > 0 ? atomic_load(&fault->calls) + nth : 0);
}

static enum sl_err gate(struct sl_view_store *store, struct sl_error *error)
{
    struct sl_view_store_fault *fault = ((struct fault_store *)store)->fault;

    if (atomic_fetch_add(&fault->calls, 1) + 1 == atomic_load(&fault->at))
        return sl_fail(error, (enum sl_err)atomic_load(&fault->code), "the test wants a failure");
    return SL_OK;
}

static struct sl_view_store *inner_of(struct sl_view_store *store)
{
    return ((struct fault_store *)store)->inner;
}

static struct sl_view_reader *inner_reader(struct sl_view_reader *reader)
{
    return ((struct fault_reader *)reader)->inner;
}

static enum sl_err fault_open(struct sl_env *env, const struct sl_view_store_options *options,
                              struct sl_view_store **out, struct sl_error *error)
{
    struct fault_store *made = calloc(1, sizeof *made);

    SL_ASSERT(options->wrapped);
    if (!made)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a view store");
    made->fault = options->wrapped;
    made->store.ops = &sl_view_store_fault_ops;
    const enum sl_err err =
        sl_view_store_open(made->fault->inner, env, options, &made->inner, error);
    if (err != SL_OK) {
        free(made);
        return err;
    }
    *out = &made->store;
    return SL_OK;
}

static enum sl_err fault_attach(struct sl_view_store *store, const struct sl_view_shape *shape,
                                struct sl_checkpoint *out, struct sl_error *error)
{
    const enum sl_err err = gate(store, error);
    return err != SL_OK ? err : sl_view_store_attach(inner_of(store), shape, out, error);
}

static enum sl_err fault_apply(struct sl_view_store *store, const struct sl_view_shape *shape,
                               const struct sl_row_change *changes, size_t count,
                               const struct sl_checkpoint *checkpoint, struct sl_error *error)
{
    const enum sl_err err = gate(store, error);
    return err != SL_OK
               ? err
               : sl_view_store_apply(inner_of(store), shape, changes, count, checkpoint, error);
}

static enum sl_err fault_clear(struct sl_view_store *store, const struct sl_view_shape *shape,
                               struct sl_error *error)
{
    const enum sl_err err = gate(store, error);
    return err != SL_OK ? err : sl_view_store_clear(inner_of(store), shape, error);
}

static enum sl_err fault_serving(struct sl_view_store *store, const struct sl_view_shape *shape,
                                 uint64_t *out, struct sl_error *error)
{
    const enum sl_err err = gate(store, error);
    return err != SL_OK ? err : sl_view_store_serving(inner_of(store), shape, out, error);
}

static enum sl_err fault_settle(struct sl_view_store *store, const struct sl_view_shape *shape,
                                struct sl_error *error)
{
    const enum sl_err err = gate(store, error);
    return err != SL_OK ? err : sl_view_store_settle(inner_of(store), shape, error);
}

static enum sl_err fault_serve(struct sl_view_store *store, const struct sl_view_shape *shape,
                               struct sl_error *error)
{
    const enum sl_err err = gate(store, error);
    return err != SL_OK ? err : sl_view_store_serve(inner_of(store), shape, error);
}

static enum sl_err fault_discard(struct sl_view_store *store, const struct sl_view_shape *shape,
                                 struct sl_error *error)
{
    const enum sl_err err = gate(store, error);
    return err != SL_OK ? err : sl_view_store_discard(inner_of(store), shape, error);
}

static void fault_forget(struct sl_view_reader *reader, const struct sl_view_shape *shape)
{
    sl_view_reader_forget(inner_reader(reader), shape);
}

static enum sl_err fault_reader_open(struct sl_view_store *store, struct sl_view_reader **out,
                                     struct sl_error *error)
{
    struct fault_reader *made = calloc(1, sizeof *made);

    if (!made)
        return sl_fail(error, SL_NO_MEMORY, "no memory for a reader");
    made->reader.store = store;
    const enum sl_err err = sl_view_reader_open(inner_of(store), &made->inner, error);
    if (err != SL_OK) {
        free(made);
        return err;
    }
    *out = &made->reader;
    return SL_OK;
}

static enum sl_err fault_begin(struct sl_view_reader *reader, struct sl_error *error)
{
    const enum sl_err err = gate(reader->store, error);
    return err != SL_OK ? err : sl_view_reader_begin(inner_reader(reader), error);
}

static void fault_end(struct sl_view_reader *reader)
{
    sl_view_reader_end(inner_reader(reader));
}

static enum sl_err fault_lookup(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                                struct sl_row_found *found, size_t count, struct sl_arena *arena,
                                struct sl_checkpoint *out, struct sl_error *error)
{
    const enum sl_err err = gate(reader->store, error);
    return err != SL_OK ? err
                        : sl_view_reader_lookup(inner_reader(reader), shape, found, count, arena,
                                                out, error);
}

static enum sl_err fault_lookup_at(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                                   uint64_t position, struct sl_row_found *found,
                                   struct sl_arena *arena, struct sl_checkpoint *out,
                                   struct sl_error *error)
{
    const enum sl_err err = gate(reader->store, error);
    return err != SL_OK ? err
                        : sl_view_reader_lookup_at(inner_reader(reader), shape, position, found,
                                                   arena, out, error);
}

static enum sl_err fault_list(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                              const struct sl_list_query *query, struct sl_arena *arena,
                              struct sl_list_page *out, struct sl_error *error)
{
    const enum sl_err err = gate(reader->store, error);
    return err != SL_OK
               ? err
               : sl_view_reader_list(inner_reader(reader), shape, query, arena, out, error);
}

static enum sl_err fault_aggregate(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                                   const struct sl_aggregate_query *query, struct sl_arena *arena,
                                   struct sl_aggregate_page *out, struct sl_error *error)
{
    const enum sl_err err = gate(reader->store, error);
    return err != SL_OK
               ? err
               : sl_view_reader_aggregate(inner_reader(reader), shape, query, arena, out, error);
}

static enum sl_err fault_near(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                              const struct sl_near_query *query, struct sl_arena *arena,
                              struct sl_near_page *out, struct sl_error *error)
{
    const enum sl_err err = gate(reader->store, error);
    return err != SL_OK
               ? err
               : sl_view_reader_near(inner_reader(reader), shape, query, arena, out, error);
}

static void fault_reader_close(struct sl_view_reader *reader)
{
    sl_view_reader_close(inner_reader(reader));
    free(reader);
}

static void fault_close(struct sl_view_store *store)
{
    sl_view_store_close(inner_of(store));
    free(store);
}

const struct sl_view_store_ops sl_view_store_fault_ops = {
    .abi = SL_VIEW_STORE_ABI,
    .scheme = "fault",
    .capabilities = SL_VIEWS_LIST | SL_VIEWS_SEARCH | SL_VIEWS_GENERATIONS | SL_VIEWS_AGGREGATES |
                    SL_VIEWS_NEAR | SL_VIEWS_TEMPORAL,
    .open = fault_open,
    .attach = fault_attach,
    .apply = fault_apply,
    .clear = fault_clear,
    .serving = fault_serving,
    .settle = fault_settle,
    .serve = fault_serve,
    .discard = fault_discard,
    .forget = fault_forget,
    .reader_open = fault_reader_open,
    .begin = fault_begin,
    .end = fault_end,
    .lookup = fault_lookup,
    .lookup_at = fault_lookup_at,
    .list = fault_list,
    .aggregate = fault_aggregate,
    .near = fault_near,
    .reader_close = fault_reader_close,
    .close = fault_close,
};
