#include "contracts/view_store.h"

#include <string.h>

#include "base/hash.h"
#include "contracts/near.h"
#include "record/kinds.h"
#include "record/pack.h"

/* ---- Shapes ---------------------------------------------------------------------------------- */

static enum sl_err refuse(struct sl_error *error, const struct sl_view_shape *shape,
                          const char *what, const char *why)
{
    return sl_fail(error, SL_INVALID, "view %s/%s: %s: %s", shape->domain, shape->view->name, what,
                   why);
}

static enum sl_err parse_place(const struct sl_view_shape *shape, const char *what,
                               const char *fields, struct sl_place *out, struct sl_error *error)
{
    struct sl_error inner = {0};

    if (sl_place_parse(shape->view->record, fields, out, &inner) != SL_OK)
        return refuse(error, shape, what, inner.message);
    return out->count > 0 ? SL_OK : refuse(error, shape, what, "no field is named");
}

static enum sl_err parse_key(struct sl_view_shape *shape, struct sl_error *error)
{
    if (!shape->view->key)
        return refuse(error, shape, "key", "every view has one");
    const enum sl_err err = parse_place(shape, "key", shape->view->key, &shape->key, error);
    if (err != SL_OK)
        return err;
    for (uint32_t i = 0; i < shape->key.count; i++)
        if (shape->key.fields[i]->optional)
            return refuse(error, shape, shape->key.fields[i]->name,
                          "a field of the key may not be optional");
    return SL_OK;
}

static enum sl_err parse_indexes(struct sl_view_shape *shape, struct sl_error *error)
{
    const struct sl_view *view = shape->view;

    if (view->indexes.count > SL_INDEXES_MAX)
        return refuse(error, shape, "indexes", "there may be 8 at most");
    for (size_t i = 0; i < view->indexes.count; i++) {
        const struct sl_index *index = &view->indexes.items[i];

        if (!index->name || !index->name[0] || !index->fields)
            return refuse(error, shape, "indexes", "each has a name and fields");
        for (size_t j = 0; j < i; j++)
            if (strcmp(view->indexes.items[j].name, index->name) == 0)
                return refuse(error, shape, index->name, "two indexes have this name");
        const enum sl_err err =
            parse_place(shape, index->name, index->fields, &shape->indexes[i], error);
        if (err != SL_OK)
            return err;
    }
    return SL_OK;
}

static enum sl_err parse_search(struct sl_view_shape *shape, struct sl_error *error)
{
    if (!shape->view->search)
        return SL_OK;
    const enum sl_err err =
        parse_place(shape, "search", shape->view->search, &shape->search, error);
    if (err != SL_OK)
        return err;
    for (uint32_t i = 0; i < shape->search.count; i++) {
        const enum sl_kind kind = shape->search.fields[i]->kind;

        if (kind != SL_TEXT_KIND && kind != SL_CHARS)
            return refuse(error, shape, shape->search.fields[i]->name,
                          "only texts can be searched");
    }
    return SL_OK;
}

static uint64_t digest_text(uint64_t seed, const char *text)
{
    return text ? sl_hash64(text, strlen(text) + 1, seed) : sl_hash64("", 0, seed);
}

/* `digest` is the record's. */
static uint64_t shape_digest(const struct sl_view *view, uint64_t digest)
{
    digest = digest_text(digest, view->key);
    for (size_t i = 0; i < view->indexes.count; i++) {
        digest = digest_text(digest, view->indexes.items[i].name);
        digest = digest_text(digest, view->indexes.items[i].fields);
    }
    digest = digest_text(digest, view->search);
    if (view->near)
        digest = digest_text(digest, view->near);
    if (view->temporal)
        digest = digest_text(digest, "temporal");
    return sl_hash64(&(uint8_t[4]){(uint8_t)view->version, (uint8_t)(view->version >> 8),
                                   (uint8_t)(view->version >> 16), (uint8_t)(view->version >> 24)},
                     4, digest);
}

enum sl_err sl_view_shape_init(struct sl_view_shape *shape, const char *domain,
                               const struct sl_view *view, struct sl_error *error)
{
    struct sl_view_shape made = {.domain = domain, .view = view};
    enum sl_err err;

    SL_ASSERT(domain && view && view->name && view->record);
    if ((err = parse_key(&made, error)) != SL_OK || (err = parse_indexes(&made, error)) != SL_OK ||
        (err = parse_search(&made, error)) != SL_OK || (err = sl_near_parse(&made, error)) != SL_OK)
        return err;
    const uint64_t record = sl_record_digest(view->record);
    if (record == 0)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the view %s", view->name);
    made.digest = shape_digest(view, record);
    *shape = made;
    return SL_OK;
}

enum sl_err sl_view_store_check(const struct sl_view_store_ops *ops,
                                const struct sl_view_shape *shape, struct sl_error *error)
{
    const char *lacks = NULL;

    if (shape->search.count > 0 && !(ops->capabilities & SL_VIEWS_SEARCH))
        lacks = "search";
    if (shape->view->indexes.count > 0 && !(ops->capabilities & SL_VIEWS_LIST))
        lacks = "lists";
    if (shape->near[0] && !(ops->capabilities & SL_VIEWS_NEAR))
        lacks = "nearby queries";
    if (shape->view->temporal && !(ops->capabilities & SL_VIEWS_TEMPORAL))
        lacks = "rows as they were";
    if (lacks)
        return sl_fail(error, SL_UNSUPPORTED, "view %s/%s needs %s, which the store %s lacks",
                       shape->domain, shape->view->name, lacks, ops->scheme);
    return SL_OK;
}

/* ---- Writer ---------------------------------------------------------------------------------- */

enum sl_err sl_view_store_open(const struct sl_view_store_ops *ops, struct sl_env *env,
                               const struct sl_view_store_options *options,
                               struct sl_view_store **out, struct sl_error *error)
{
    struct sl_view_store *store = NULL;

    if (ops->abi != SL_VIEW_STORE_ABI)
        return sl_fail(error, SL_UNSUPPORTED,
                       "the view store %s was built for interface %u, this program has %u: "
                       "rebuild the adapter",
                       ops->scheme, ops->abi, SL_VIEW_STORE_ABI);
    SL_ASSERT(ops->scheme && ops->open && ops->attach && ops->apply && ops->clear &&
              ops->reader_open && ops->begin && ops->end && ops->lookup && ops->reader_close &&
              ops->close);
    SL_ASSERT(!(ops->capabilities & (SL_VIEWS_LIST | SL_VIEWS_SEARCH)) || ops->list);
    SL_ASSERT(!(ops->capabilities & SL_VIEWS_NEAR) || ops->near);
    SL_ASSERT(!(ops->capabilities & SL_VIEWS_TEMPORAL) || ops->lookup_at);
    SL_ASSERT(!(ops->capabilities & SL_VIEWS_GENERATIONS) ||
              (ops->serving && ops->settle && ops->serve && ops->discard && ops->forget));
    SL_ASSERT(!(ops->capabilities & SL_VIEWS_AGGREGATES) || ops->aggregate);
    SL_ASSERT(env && options && options->location);
    const enum sl_err err = ops->open(env, options, &store, error);
    if (err != SL_OK)
        return err;
    SL_ASSERT(store && store->ops == ops);
    *out = store;
    return SL_OK;
}

enum sl_err sl_view_store_attach(struct sl_view_store *store, const struct sl_view_shape *shape,
                                 struct sl_checkpoint *out, struct sl_error *error)
{
    struct sl_checkpoint found = {0};

    const enum sl_err err = store->ops->attach(store, shape, &found, error);
    if (err != SL_OK)
        return err;
    if (sl_checkpoint_exists(&found))
        SL_ASSERT(found.digest == shape->digest && found.generation > 0, "V2");
    else
        SL_ASSERT(found.position == 0 && found.salt == 0 && found.digest == 0, "V1");
    *out = found;
    return SL_OK;
}

enum sl_err sl_view_store_apply(struct sl_view_store *store, const struct sl_view_shape *shape,
                                const struct sl_row_change *changes, size_t count,
                                const struct sl_checkpoint *checkpoint, struct sl_error *error)
{
    SL_ASSERT(count == 0 || changes);
    SL_ASSERT(sl_checkpoint_exists(checkpoint) && checkpoint->generation > 0, "V1");
    SL_ASSERT(checkpoint->digest == shape->digest, "V1");
    for (size_t i = 0; i < count; i++) {
        SL_ASSERT(changes[i].key.len <= SL_PLACE_BYTES_MAX, "M1");
        /* A row never knows an event that its checkpoint does not cover. */
        SL_ASSERT(changes[i].version > 0 && changes[i].version <= checkpoint->position, "V1");
    }
    return store->ops->apply(store, shape, changes, count, checkpoint, error);
}

enum sl_err sl_view_store_clear(struct sl_view_store *store, const struct sl_view_shape *shape,
                                struct sl_error *error)
{
    return store->ops->clear(store, shape, error);
}

/* ---- Builds beside one another --------------------------------------------------------------- */

static bool has_generations(const struct sl_view_store *store)
{
    return (store->ops->capabilities & SL_VIEWS_GENERATIONS) != 0;
}

static enum sl_err refuse_generations(const struct sl_view_store *store, struct sl_error *error)
{
    return sl_fail(error, SL_UNSUPPORTED, "the store %s keeps one build of a view only",
                   store->ops->scheme);
}

enum sl_err sl_view_store_serving(struct sl_view_store *store, const struct sl_view_shape *shape,
                                  uint64_t *out, struct sl_error *error)
{
    *out = 0;
    return has_generations(store) ? store->ops->serving(store, shape, out, error) : SL_OK;
}

enum sl_err sl_view_store_settle(struct sl_view_store *store, const struct sl_view_shape *shape,
                                 struct sl_error *error)
{
    return has_generations(store) ? store->ops->settle(store, shape, error)
                                  : refuse_generations(store, error);
}

enum sl_err sl_view_store_serve(struct sl_view_store *store, const struct sl_view_shape *shape,
                                struct sl_error *error)
{
    return has_generations(store) ? store->ops->serve(store, shape, error)
                                  : refuse_generations(store, error);
}

enum sl_err sl_view_store_discard(struct sl_view_store *store, const struct sl_view_shape *shape,
                                  struct sl_error *error)
{
    return has_generations(store) ? store->ops->discard(store, shape, error)
                                  : refuse_generations(store, error);
}

void sl_view_store_close(struct sl_view_store *store)
{
    if (store)
        store->ops->close(store);
}

/* ---- Readers --------------------------------------------------------------------------------- */

enum sl_err sl_view_reader_open(struct sl_view_store *store, struct sl_view_reader **out,
                                struct sl_error *error)
{
    struct sl_view_reader *reader = NULL;

    const enum sl_err err = store->ops->reader_open(store, &reader, error);
    if (err != SL_OK)
        return err;
    SL_ASSERT(reader && reader->store == store);
    *out = reader;
    return SL_OK;
}

enum sl_err sl_view_reader_begin(struct sl_view_reader *reader, struct sl_error *error)
{
    return reader->store->ops->begin(reader, error);
}

void sl_view_reader_end(struct sl_view_reader *reader)
{
    reader->store->ops->end(reader);
}

enum sl_err sl_view_reader_lookup(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                                  struct sl_row_found *found, size_t count, struct sl_arena *arena,
                                  struct sl_checkpoint *out, struct sl_error *error)
{
    for (size_t i = 0; i < count; i++) {
        found[i].row = NULL;
        found[i].version = 0;
    }
    return reader->store->ops->lookup(reader, shape, found, count, arena, out, error);
}

enum sl_err sl_view_reader_lookup_at(struct sl_view_reader *reader,
                                     const struct sl_view_shape *shape, uint64_t position,
                                     struct sl_row_found *found, struct sl_arena *arena,
                                     struct sl_checkpoint *out, struct sl_error *error)
{
    if (!shape->view->temporal)
        return sl_fail(error, SL_UNSUPPORTED, "the view %s/%s does not keep rows as they were",
                       shape->domain, shape->view->name);
    found->row = NULL;
    found->version = 0;
    const enum sl_err err =
        reader->store->ops->lookup_at(reader, shape, position, found, arena, out, error);
    SL_ASSERT(err != SL_OK || found->version <= position, "V1");
    return err;
}

/* Filters and facets are of searches, and of fields of which groups can be made. */
static enum sl_err check_facets(const struct sl_list_query *query, struct sl_error *error)
{
    if (query->filter_count > SL_FACETS_MAX || query->facet_count > SL_FACETS_MAX)
        return sl_fail(error, SL_INVALID, "a search has at most %d filters and facets",
                       SL_FACETS_MAX);
    if (query->search.len == 0 && query->filter_count + query->facet_count > 0)
        return sl_fail(error, SL_INVALID, "only a search has filters and facets");
    for (uint32_t i = 0; i < query->filter_count; i++)
        if (!sl_aggregate_can_group(query->filters[i]))
            return sl_fail(error, SL_INVALID, "%s: nothing is filtered by it",
                           query->filters[i]->name);
    for (uint32_t i = 0; i < query->facet_count; i++)
        if (!sl_aggregate_can_group(query->facets[i]))
            return sl_fail(error, SL_INVALID, "%s: it has no facet", query->facets[i]->name);
    return SL_OK;
}

enum sl_err sl_list_query_check(const struct sl_view_shape *shape,
                                const struct sl_list_query *query, struct sl_error *error)
{
    if (query->limit < 1 || query->limit > 1000)
        return sl_fail(error, SL_INVALID, "limit must lie between 1 and 1000");
    const enum sl_err err = check_facets(query, error);
    if (err != SL_OK)
        return err;
    if (query->search.len > 0 && (query->from || query->to))
        return sl_fail(error, SL_INVALID, "a search has no range");
    if (query->search.len > 0)
        return shape->search.count > 0 ? SL_OK
                                       : sl_fail(error, SL_INVALID, "view %s/%s has no search",
                                                 shape->domain, shape->view->name);
    if (query->index < -1 || query->index >= (int)shape->view->indexes.count)
        return sl_fail(error, SL_INVALID, "view %s/%s has no such index", shape->domain,
                       shape->view->name);
    const struct sl_place *place = query->index < 0 ? &shape->key : &shape->indexes[query->index];
    if (query->equal_count > place->count)
        return sl_fail(error, SL_INVALID, "the index has %u fields only", place->count);
    SL_ASSERT(query->equal_count == 0 || query->equal);
    if (!query->from && !query->to)
        return SL_OK;
    if (query->equal_count == place->count)
        return sl_fail(error, SL_INVALID, "no field is left for a range: the index has %u",
                       place->count);
    const struct sl_field *field = place->fields[query->equal_count];
    SL_ASSERT((!query->from || sl_field_is_there(field, query->from)) &&
              (!query->to || sl_field_is_there(field, query->to)));
    return SL_OK;
}

enum sl_err sl_view_reader_list(struct sl_view_reader *reader, const struct sl_view_shape *shape,
                                const struct sl_list_query *query, struct sl_arena *arena,
                                struct sl_list_page *out, struct sl_error *error)
{
    struct sl_list_page page = {0};
    enum sl_err err;

    if (!reader->store->ops->list)
        return sl_fail(error, SL_UNSUPPORTED, "the store %s has no lists",
                       reader->store->ops->scheme);
    if ((err = sl_list_query_check(shape, query, error)) != SL_OK ||
        (err = reader->store->ops->list(reader, shape, query, arena, &page, error)) != SL_OK)
        return err;
    SL_ASSERT(page.count <= query->limit, "M1");
    *out = page;
    return SL_OK;
}

void sl_view_reader_forget(struct sl_view_reader *reader, const struct sl_view_shape *shape)
{
    if (has_generations(reader->store))
        reader->store->ops->forget(reader, shape);
}

void sl_view_reader_close(struct sl_view_reader *reader)
{
    if (reader)
        reader->store->ops->reader_close(reader);
}
