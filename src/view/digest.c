/*
 * A digest of a view's rows, by which two builds are compared (V2).
 *
 * It is the sum, modulo 2^64, of XXH64 over each row's JSON, seeded with the row's version; so the
 * order says nothing, and a row that is missing, twice there or another changes it. The rows are
 * those of the store at one checkpoint. Reading them all takes long, so an actor of its own does
 * it, while lookups and lists have the readers.
 */
#include "view/parts.h"

enum { PAGE_ROWS = 1000 };

/* Adds a page; false: that was the last one, or an error. */
static bool add_page(struct sl_view_digest *digest, struct sl_view_reader *reader,
                     struct sl_list_query *query, struct sl_arena *arena, struct sl_buf *json)
{
    const struct sl_record *record = digest->build->shape.view->record;
    struct sl_list_page page;

    digest->err = sl_view_reader_list(reader, &digest->build->shape, query, arena, &page,
                                      &digest->error);
    if (digest->err != SL_OK)
        return false;
    for (uint32_t i = 0; i < page.count; i++) {
        sl_buf_reset(json);
        sl_json_write(json, record, page.rows[i].row);
        digest->sum += sl_hash64(json->ptr, json->len, page.rows[i].version);
    }
    if (json->failed)
        digest->err = sl_fail(&digest->error, SL_NO_MEMORY, "no memory for a row");
    digest->rows += page.count;
    digest->position = page.checkpoint.position;
    query->after = page.next;
    return page.next.len > 0 && digest->err == SL_OK;
}

static void add_all(struct sl_view_digest *digest, struct sl_view_reader *reader)
{
    struct sl_list_query query = {.index = -1, .limit = PAGE_ROWS};
    struct sl_arena arenas[2] = {{0}, {0}}; /* a page's cursor is read while the next is written */
    struct sl_buf json = {0};
    unsigned at = 0;

    while (add_page(digest, reader, &query, &arenas[at], &json)) {
        if (atomic_load(&digest->stops)) {
            digest->err = sl_fail(&digest->error, SL_BUSY, "the program ends");
            break;
        }
        at = !at;
        sl_arena_reset(&arenas[at]);
    }
    sl_arena_close(&arenas[0]);
    sl_arena_close(&arenas[1]);
    sl_buf_close(&json);
}

static void step(void *self, struct sl_message *message)
{
    struct sl_view_digest *digest = self;
    struct sl_view_reader *reader = NULL;

    digest->err = sl_view_reader_open(digest->store, &reader, &digest->error);
    if (digest->err == SL_OK)
        digest->err = sl_view_reader_begin(reader, &digest->error);
    if (digest->err == SL_OK) {
        add_all(digest, reader);
        sl_view_reader_end(reader);
    }
    sl_view_reader_close(reader);
    sl_mailbox_post(message->reply_to, message);
}

enum sl_err sl_view_digest(struct sl_view_table *table, struct sl_view_digest *digest,
                           struct sl_error *error)
{
    const struct sl_actor actor = {
        .name = "view-digest", .self = digest, .step = step, .background = true};

    if (!table->attached)
        return sl_fail(error, SL_BUSY, "the view %s/%s is starting", table->shape.domain,
                       table->shape.view->name);
    digest->table = table;
    digest->build = table->build;
    digest->err = SL_OK;
    digest->error = (struct sl_error){0};
    digest->sum = digest->rows = digest->position = 0;
    atomic_init(&digest->stops, false);
    digest->message = (struct sl_message){.kind = VIEW_DIGEST};
    view_service_digest_begins(table, digest);
    const enum sl_err err = sl_env_start(view_env(table), &actor, &digest->mailbox, error);
    if (err != SL_OK) {
        view_service_digest_ends(digest);
        return err;
    }
    digest->build->questions++;
    sl_mailbox_post(digest->mailbox, &digest->message);
    return SL_OK;
}
