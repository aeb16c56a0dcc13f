/*
 * The actors that may wait for the disk: a writer, and readers. What they share with the engine is
 * the store's ops, constant shapes, and the messages, each of which one of them has at a time (T1).
 * A reader does all that waits for it in one go, within one read transaction a view.
 *
 * The first readers fetch rows that are looked up and do nothing else: a list or a search takes
 * as long as it takes, a lookup never waits behind one. The others answer lists, and fetch what a
 * build beside a view needs; they have a low priority, for where processors are few, the engine
 * and whoever looks rows up should not wait for theirs.
 */
#include "view/parts.h"

#include <stdio.h>
#include <stdlib.h>

struct view_reader {
    struct sl_view_service *service;
    struct sl_mailbox *mailbox;
    struct sl_view_reader *reader; /* of the reader's thread once that runs */
    struct sl_message *first;      /* what waits for the turn */
    struct sl_message **last;
    struct sl_arena arena; /* of one list */
    char name[16];
};

struct sl_view_service {
    struct sl_env *env;
    struct sl_mailbox *engine;
    struct sl_view_store *store;
    struct sl_mailbox *writer;
    struct view_reader readers[VIEW_READERS_MAX]; /* the first VIEW_FETCHERS fetch */
    uint32_t reader_count;
    uint32_t fetcher_next; /* counts fetches */
    uint32_t lister_next;  /* counts lists */
    struct sl_view_table *tables;
    struct sl_view_digest *digests; /* under way */
    bool closing;
};

/* A reader's connections are opened anew. */
struct view_reopen {
    struct sl_message message;
};

/* ---- The writer's thread --------------------------------------------------------------------- */

/* Which of the view's files it is must be known before it is opened. */
static enum sl_err attach(struct sl_view_service *service, struct view_work *work)
{
    struct view_build *build = work->build;
    enum sl_err err = SL_OK;

    if (build->origin == BUILD_SERVES)
        err =
            sl_view_store_serving(service->store, &build->shape, &build->shape.build, &work->error);
    else if (build->origin == BUILD_IS_NEW)
        err = sl_view_store_discard(service->store, &build->shape, &work->error);
    if (err == SL_OK) {
        build->origin = BUILD_IS_KNOWN;
        err = sl_view_store_attach(service->store, &build->shape, &work->checkpoint, &work->error);
    }
    return err;
}

static void writer_step(void *self, struct sl_message *message)
{
    struct sl_view_service *service = self;
    struct view_work *work = (struct view_work *)message;
    const struct sl_view_shape *shape = &work->build->shape;
    const int64_t start = sl_env_monotonic(service->env);

    switch (message->kind) {
    case VIEW_ATTACH:
        work->err = attach(service, work);
        break;
    case VIEW_CLEAR:
        work->err = sl_view_store_clear(service->store, shape, &work->error);
        break;
    case VIEW_SETTLE:
        work->err = sl_view_store_settle(service->store, shape, &work->error);
        break;
    case VIEW_SERVE:
        work->err = sl_view_store_serve(service->store, shape, &work->error);
        break;
    case VIEW_DISCARD:
        sl_table_close(&work->slots);
        work->err = sl_view_store_discard(service->store, shape, &work->error);
        break;
    default:
        work->err = sl_view_store_apply(service->store, shape, work->changes, work->count,
                                        &work->checkpoint, &work->error);
        break;
    }
    work->took_ns = sl_env_monotonic(service->env) - start;
    sl_mailbox_post(message->reply_to, message);
}

/* ---- A reader's thread ----------------------------------------------------------------------- */

/* A key that is not written as the store would write it is another text for the same place: as a
 * row of its own it would never be kept up to date. */
static bool is_key(const struct sl_view_shape *shape, struct sl_text key, struct sl_arena *arena)
{
    uint8_t bytes[SL_PLACE_BYTES_MAX + 64];
    struct sl_buf text = {.ptr = bytes, .capacity = sizeof bytes, .bytes_max = sizeof bytes};
    void *item = sl_arena_zeroed(arena, 1, shape->view->record->size);

    return item && sl_place_read(&shape->key, key, arena, item, NULL) == SL_OK &&
           sl_place_write(&shape->key, item, &text) == SL_OK &&
           sl_text_equals(sl_buf_as_text(&text), key);
}

static void fetch_row(struct view_reader *reader, struct view_fetch *fetch)
{
    struct sl_checkpoint checkpoint;

    if (is_key(fetch->shape, fetch->found.key, &fetch->arena))
        fetch->err = sl_view_reader_lookup(reader->reader, fetch->shape, &fetch->found, 1,
                                           &fetch->arena, &checkpoint, &fetch->error);
}

static void write_page(struct sl_view_listing *list)
{
    const struct sl_list_page *page = &list->page;
    const struct sl_record *record = list->table->shape.view->record;

    SL_BUF_LITERAL(&list->json, "{\"rows\":[");
    for (uint32_t i = 0; i < page->count; i++) {
        if (i > 0)
            sl_buf_byte(&list->json, ',');
        sl_json_write(&list->json, record, page->rows[i].row);
    }
    sl_buf_byte(&list->json, ']');
    if (page->next.len > 0) {
        SL_BUF_LITERAL(&list->json, ",\"next\":");
        sl_json_write_text(&list->json, page->next);
    }
    if (list->query.facet_count > 0)
        view_write_facets(&list->json, page->facets, list->query.facet_count);
    sl_buf_byte(&list->json, '}');
    if (list->json.failed)
        list->err = sl_fail(&list->error, SL_LIMIT,
                            "the rows take more than 16 MiB: ask for fewer at once");
}

static void answer_list(struct view_reader *reader, struct sl_view_listing *list)
{
    struct sl_arena *arena = list->as_rows ? &list->arena : &reader->arena;

    if (list->past) {
        view_past(reader->reader, list, &reader->arena);
        return;
    }
    if (list->near || list->aggregate) {
        (list->near ? view_near : view_aggregate)(reader->reader, list, &reader->arena);
        return;
    }
    list->err = sl_view_reader_list(reader->reader, &list->build->shape, &list->query, arena,
                                    &list->page, &list->error);
    if (list->err == SL_OK)
        list->position = list->page.checkpoint.position;
    if (list->err == SL_OK && !list->as_rows)
        write_page(list);
}

/* All that takes long is done here: the engine's thread gets what it has but to send. */
static void list_rows(struct view_reader *reader, struct sl_view_listing *list)
{
    answer_list(reader, list);
    if (list->err == SL_OK)
        list->hash = sl_hash64(list->json.ptr, list->json.len, 0);
    sl_arena_reset(&reader->arena);
}

static void reader_step(void *self, struct sl_message *message)
{
    struct view_reader *reader = self;

    message->next = NULL;
    *reader->last = message;
    reader->last = &message->next;
}

static enum sl_err reopen(struct view_reader *reader, struct sl_error *error)
{
    sl_view_reader_close(reader->reader);
    reader->reader = NULL;
    return sl_view_reader_open(reader->service->store, &reader->reader, error);
}

static void forget(struct view_reader *reader, struct view_forget *forgetting)
{
    if (reader->reader)
        sl_view_reader_forget(reader->reader, &forgetting->build->shape);
    sl_mailbox_post(forgetting->message.reply_to, &forgetting->message);
}

/* Answers one message; `err`: what kept the reader from beginning. */
static void answer(struct view_reader *reader, struct sl_message *message, enum sl_err err,
                   const struct sl_error *error)
{
    if (message->kind == VIEW_FETCH) {
        struct view_fetch *fetch = (struct view_fetch *)message;
        if (err == SL_OK) {
            fetch_row(reader, fetch);
        } else {
            fetch->err = err;
            fetch->error = *error;
        }
    } else {
        struct sl_view_listing *list = (struct sl_view_listing *)message;
        if (err == SL_OK) {
            list_rows(reader, list);
        } else {
            list->err = err;
            list->error = *error;
        }
    }
    sl_mailbox_post(message->reply_to, message);
}

static int64_t reader_turn(void *self)
{
    struct view_reader *reader = self;
    struct sl_message *message = reader->first;
    struct sl_error error = {0};
    enum sl_err err = SL_OK;
    bool begun = false;

    reader->first = NULL;
    reader->last = &reader->first;
    while (message) {
        struct sl_message *next = message->next; /* posting it gives it away */

        if (message->kind == VIEW_REOPEN || message->kind == VIEW_FORGET) {
            if (begun)
                sl_view_reader_end(reader->reader);
            begun = false;
            err = message->kind == VIEW_REOPEN ? reopen(reader, &error) : SL_OK;
            if (message->kind == VIEW_REOPEN)
                free(message);
            else
                forget(reader, (struct view_forget *)message);
        } else {
            if (!begun && !reader->reader)
                err = reopen(reader, &error);
            if (!begun && reader->reader) {
                err = sl_view_reader_begin(reader->reader, &error);
                begun = err == SL_OK;
            }
            answer(reader, message, err, &error);
        }
        message = next;
    }
    if (begun)
        sl_view_reader_end(reader->reader);
    return INT64_MAX;
}

/* ---- The engine's thread --------------------------------------------------------------------- */

static enum sl_err start_reader(struct sl_view_service *service, uint32_t number,
                                struct sl_error *error)
{
    struct view_reader *reader = &service->readers[number];
    const struct sl_actor actor = {.name = reader->name,
                                   .self = reader,
                                   .step = reader_step,
                                   .turn = reader_turn,
                                   .background = number >= VIEW_FETCHERS};
    enum sl_err err;

    reader->service = service;
    reader->last = &reader->first;
    snprintf(reader->name, sizeof reader->name, "view-%s-%u",
             number < VIEW_FETCHERS ? "fetch" : "reader", number % 100);
    if ((err = sl_view_reader_open(service->store, &reader->reader, error)) != SL_OK)
        return err;
    service->reader_count++;
    return sl_env_start(service->env, &actor, &reader->mailbox, error);
}

enum sl_err sl_view_service_open(struct sl_env *env, const struct sl_view_service_options *options,
                                 struct sl_view_service **out, struct sl_error *error)
{
    struct sl_view_service *made = calloc(1, sizeof *made);
    enum sl_err err;

    SL_ASSERT(options->readers >= 1 && options->readers <= VIEW_LISTERS_MAX && options->engine);
    if (!made)
        return sl_fail(error, SL_NO_MEMORY, "no memory for the view service");
    made->env = env;
    made->engine = options->engine;
    err = sl_view_store_open(options->ops, env, &options->store, &made->store, error);
    if (err == SL_OK)
        err = sl_env_start(
            env,
            &(struct sl_actor){
                .name = "view-writer", .self = made, .step = writer_step, .background = true},
            &made->writer, error);
    for (uint32_t i = 0; i < VIEW_FETCHERS + options->readers && err == SL_OK; i++)
        err = start_reader(made, i, error);
    if (err != SL_OK) {
        sl_view_service_close(made);
        return err;
    }
    *out = made;
    return SL_OK;
}

struct sl_env *view_env(const struct sl_view_table *table)
{
    return table->service->env;
}

void view_service_add(struct sl_view_service *service, struct sl_view_table *table)
{
    table->service = service;
    table->next = service->tables;
    service->tables = table;
}

void view_service_remove(struct sl_view_service *service, struct sl_view_table *table)
{
    struct sl_view_table **link = &service->tables;

    while (*link != table)
        link = &(*link)->next;
    *link = table->next;
    table->service = NULL;
}

void view_service_digest_begins(struct sl_view_table *table, struct sl_view_digest *digest)
{
    struct sl_view_service *service = table->service;

    digest->message.reply_to = service->engine;
    digest->store = service->store;
    digest->mailbox = NULL;
    digest->next = service->digests;
    service->digests = digest;
}

void view_service_digest_ends(struct sl_view_digest *digest)
{
    struct sl_view_service *service = digest->table->service;
    struct sl_view_digest **link = &service->digests;

    while (*link != digest)
        link = &(*link)->next;
    *link = digest->next;
    sl_env_stop(service->env, digest->mailbox);
    digest->mailbox = NULL;
}

static void digest_done(struct sl_view_digest *digest)
{
    struct sl_view_table *table = digest->table;

    view_service_digest_ends(digest);
    digest->build->questions--;
    if (table->has_beside)
        view_moved(table->has_beside);
    digest->done(digest);
}

bool view_is_closing(const struct sl_view_table *table)
{
    return table->service->closing;
}

void view_moved(struct sl_view_table *table)
{
    if (!table->service->closing)
        table->options.moved(table->options.context);
}

void view_post_work(struct sl_view_table *table, enum view_message kind)
{
    struct view_work *work = &table->work;

    SL_ASSERT(!table->busy, "T1");
    table->busy = true;
    work->message.kind = kind;
    work->message.reply_to = table->service->engine;
    work->err = SL_OK;
    work->error = (struct sl_error){0};
    sl_mailbox_post(table->service->writer, &work->message);
}

static struct sl_mailbox *next_fetcher(struct sl_view_service *service)
{
    return service->readers[service->fetcher_next++ % VIEW_FETCHERS].mailbox;
}

static struct sl_mailbox *next_lister(struct sl_view_service *service)
{
    const uint32_t listers = service->reader_count - VIEW_FETCHERS;

    return service->readers[VIEW_FETCHERS + service->lister_next++ % listers].mailbox;
}

void view_post_fetch(struct sl_view_table *table, struct view_fetch *fetch)
{
    struct sl_view_service *service = table->service;

    fetch->message.kind = VIEW_FETCH;
    fetch->message.reply_to = service->engine;
    sl_mailbox_post(table->beside.of ? next_lister(service) : next_fetcher(service),
                    &fetch->message);
}

void view_reopen_readers(struct sl_view_service *service)
{
    for (uint32_t i = 0; i < service->reader_count; i++) {
        struct view_reopen *reopening = calloc(1, sizeof *reopening);

        SL_ASSERT(reopening, "M1");
        reopening->message.kind = VIEW_REOPEN;
        sl_mailbox_post(service->readers[i].mailbox, &reopening->message);
    }
}

void view_post_forgets(struct sl_view_table *table)
{
    struct sl_view_service *service = table->service;

    for (uint32_t i = 0; i < service->reader_count; i++) {
        struct view_forget *forgetting = &table->build->forgets[i];

        *forgetting =
            (struct view_forget){.message = {.kind = VIEW_FORGET, .reply_to = service->engine},
                                 .table = table,
                                 .build = table->build};
        table->build->forgetting++;
        sl_mailbox_post(service->readers[i].mailbox, &forgetting->message);
    }
}

void sl_view_list(struct sl_view_table *table, struct sl_view_listing *list)
{
    list->table = table;
    list->build = table->build;
    list->build->questions++;
    list->message.kind = VIEW_LIST;
    list->message.reply_to = table->service->engine;
    list->err = SL_OK;
    list->error = (struct sl_error){0};
    list->json = (struct sl_buf){0};
    list->hash = 0;
    list->page = (struct sl_list_page){0};
    list->nearby = (struct sl_near_page){0};
    list->refusal = SL_AGGREGATE_DONE;
    list->refused = 0;
    list->arena = (struct sl_arena){0};
    list->position = 0;
    if (table->attached) {
        sl_mailbox_post(next_lister(table->service), &list->message);
        return;
    }
    list->err = sl_fail(&list->error, SL_BUSY, "the view %s/%s is starting", table->shape.domain,
                        table->shape.view->name);
    sl_mailbox_post(table->service->engine, &list->message);
}

void sl_view_service_step(struct sl_view_service *service, struct sl_message *message)
{
    struct sl_view_table *table;

    switch (message->kind) {
    case VIEW_FETCH:
        table = ((struct view_fetch *)message)->table;
        view_fetch_done((struct view_fetch *)message);
        view_moved(table);
        break;
    case VIEW_LIST: {
        struct sl_view_listing *list = (struct sl_view_listing *)message;
        table = list->table;
        list->build->questions--;
        if (list->err == SL_CORRUPT && !table->failing && list->build == table->build)
            view_fail(table, list->err, list->error.message);
        if (table->has_beside)
            view_moved(table->has_beside); /* the build may be one that waits for its end */
        list->done(list);
        break;
    }
    case VIEW_DIGEST:
        digest_done((struct sl_view_digest *)message);
        break;
    case VIEW_FORGET:
        table = ((struct view_forget *)message)->table;
        table->build->forgetting--;
        view_moved(table);
        break;
    default:
        table = ((struct view_work *)message)->table;
        /* Whoever closes may have closed the log: its history is not asked for any more. */
        if (service->closing && message->kind != VIEW_FLUSH)
            view_work_abandon(table);
        else
            view_work_done(table);
        view_moved(table);
        break;
    }
}

/* The actors have gone: their last answers are handled, everybody else's mail stays. */
static void take_answers(struct sl_view_service *service)
{
    struct sl_message *message = sl_mailbox_take_all(service->engine);

    while (message) {
        struct sl_message *next = message->next;
        if (message->kind >= SL_VIEW_MESSAGE_FIRST && message->kind <= SL_VIEW_MESSAGE_LAST)
            sl_view_service_step(service, message);
        else
            sl_mailbox_post(service->engine, message);
        message = next;
    }
}

void sl_view_service_close(struct sl_view_service *service)
{
    if (!service)
        return;
    service->closing = true;
    for (struct sl_view_digest *digest = service->digests; digest; digest = digest->next)
        atomic_store(&digest->stops, true);
    for (struct sl_view_digest *digest = service->digests; digest; digest = digest->next) {
        sl_env_stop(service->env, digest->mailbox);
        digest->mailbox = NULL;
    }
    for (uint32_t i = 0; i < service->reader_count; i++)
        sl_env_stop(service->env, service->readers[i].mailbox);
    sl_env_stop(service->env, service->writer);
    service->writer = NULL;
    take_answers(service);
    for (struct sl_view_table *table = service->tables, *next; table; table = next) {
        next = table->next;
        view_flush_now(table, service->store);
        view_work_abandon(table); /* after a power loss in the simulator nobody answers */
        table->service = NULL;
    }
    for (uint32_t i = 0; i < service->reader_count; i++) {
        sl_view_reader_close(service->readers[i].reader);
        sl_arena_close(&service->readers[i].arena);
    }
    sl_view_store_close(service->store);
    free(service);
}
