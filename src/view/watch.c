#include "view/parts.h"

#include <stdlib.h>

/* A key that somebody watches, and who. */
struct watched_key {
    uint64_t hash;
    struct sl_text key; /* the first watch's, copied */
    struct sl_view_watch *first;
    char bytes[];
};

static bool same_key(const void *value, struct sl_slice key)
{
    const struct watched_key *watched = value;

    return sl_text_equals(watched->key, (struct sl_text){(const char *)key.ptr, key.len});
}

void view_watches_init(struct view_watches *watches)
{
    watches->by_key.same = same_key;
}

static struct watched_key *find(const struct sl_view_table *table, uint64_t hash,
                                struct sl_text key)
{
    return sl_table_find(&table->watches.by_key, hash,
                         (struct sl_slice){(const uint8_t *)key.ptr, key.len});
}

/* ---- Watching -------------------------------------------------------------------------------- */

void sl_view_watch(struct sl_view_table *table, struct sl_view_watch *watch)
{
    struct sl_view_watch **list = &table->watches.all;

    if (watch->key.len > 0) {
        const uint64_t hash = view_hash(table, watch->key);
        struct watched_key *watched = find(table, hash, watch->key);
        if (!watched) {
            watched = malloc(sizeof *watched + watch->key.len);
            SL_ASSERT(watched, "M1");
            watched->hash = hash;
            watched->first = NULL;
            __builtin_memcpy(watched->bytes, watch->key.ptr, watch->key.len);
            watched->key = (struct sl_text){watched->bytes, watch->key.len};
            SL_ASSERT(sl_table_add(&table->watches.by_key, hash, watched) == SL_OK, "M1");
        }
        list = &watched->first;
    }
    watch->next = *list;
    *list = watch;
}

static bool unlink_watch(struct sl_view_watch **list, const struct sl_view_watch *watch)
{
    for (; *list; list = &(*list)->next) {
        if (*list == watch) {
            *list = watch->next;
            return true;
        }
    }
    return false;
}

void sl_view_unwatch(struct sl_view_table *table, struct sl_view_watch *watch)
{
    if (table->watches.next == watch)
        table->watches.next = watch->next;
    if (watch->key.len == 0) {
        SL_ASSERT(unlink_watch(&table->watches.all, watch));
        return;
    }
    const uint64_t hash = view_hash(table, watch->key);
    struct watched_key *watched = find(table, hash, watch->key);
    SL_ASSERT(watched && unlink_watch(&watched->first, watch));
    if (watched->first)
        return;
    sl_table_remove(&table->watches.by_key, hash, watched);
    free(watched);
}

/* ---- Telling --------------------------------------------------------------------------------- */

/* A watch may be taken away by whom it tells, the next one too: `next` follows. */
static void tell(struct sl_view_table *table, struct sl_view_watch *first, struct sl_text key,
                 const struct sl_view_row *row)
{
    for (struct sl_view_watch *watch = first; watch; watch = table->watches.next) {
        table->watches.next = watch->next;
        watch->changed(watch, key, row, table->position);
    }
    table->watches.next = NULL;
}

void view_watches_tell(struct sl_view_table *table, struct view_row *row)
{
    const struct sl_text key = {row->key, row->key_len};
    struct sl_view_row shown = {.version = row->version};

    if (!table->watches.all && !find(table, row->hash, key))
        return;
    if (row->body) {
        shown.row = row->body->bytes;
        /* Without memory for the text the watchers still learn that the row changed. */
        (void)view_json(table, row, &shown.json);
    }
    const struct watched_key *watched = find(table, row->hash, key);
    if (watched)
        tell(table, watched->first, key, &shown);
    tell(table, table->watches.all, key, &shown);
}

static void resync_all(struct sl_view_table *table, struct sl_view_watch *first)
{
    for (struct sl_view_watch *watch = first; watch; watch = table->watches.next) {
        table->watches.next = watch->next;
        if (watch->resync)
            watch->resync(watch, table->position);
    }
    table->watches.next = NULL;
}

void view_watches_resync(struct sl_view_table *table)
{
    struct watched_key *watched;
    size_t cursor = 0;

    resync_all(table, table->watches.all);
    /* Unwatching may take out the key just handed out, which the table allows. */
    while ((watched = sl_table_next(&table->watches.by_key, &cursor)))
        resync_all(table, watched->first);
}

static void state_all(struct sl_view_table *table, struct sl_view_watch *first)
{
    for (struct sl_view_watch *watch = first; watch; watch = table->watches.next) {
        table->watches.next = watch->next;
        if (watch->state)
            watch->state(watch, table->degraded, table->position);
    }
    table->watches.next = NULL;
}

void view_watches_state(struct sl_view_table *table)
{
    struct watched_key *watched;
    size_t cursor = 0;

    state_all(table, table->watches.all);
    while ((watched = sl_table_next(&table->watches.by_key, &cursor)))
        state_all(table, watched->first);
}

void view_watches_close(struct view_watches *watches)
{
    size_t cursor = 0;
    void *watched;

    while ((watched = sl_table_next(&watches->by_key, &cursor)))
        free(watched);
    sl_table_close(&watches->by_key);
}
