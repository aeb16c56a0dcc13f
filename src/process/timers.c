/* Timers: in the instance's row, so that they outlive the program, and in a heap, so that the
 * next one is known. What the heap says is believed only if the row says so, too. */
#include <stdlib.h>
#include <string.h>

#include "process/parts.h"

enum { LIST_LIMIT = 1000 };

/* A clock that is set forward must not make timers late for long: look at it now and then. */
static const int64_t longest_sleep_ns = INT64_C(60000000000);
static const int64_t look_again_ns = 20000000;

static struct sl_row_timer *find(const struct sl_instance *instance, struct sl_text name)
{
    struct sl_row_timer *timers = instance->timers.items;

    for (size_t i = 0; i < instance->timers.count; i++)
        if (sl_text_equals(timers[i].name, name))
            return &timers[i];
    return NULL;
}

static void remove_timer(struct sl_instance *instance, struct sl_row_timer *timer)
{
    struct sl_row_timer *timers = instance->timers.items;

    *timer = timers[--instance->timers.count];
}

static void set_next_due(struct sl_instance *instance)
{
    const struct sl_row_timer *timers = instance->timers.items;

    instance->next_due = (struct sl_time){SL_TIMER_NEVER};
    for (size_t i = 0; i < instance->timers.count; i++)
        if (sl_time_before(timers[i].due, instance->next_due))
            instance->next_due = timers[i].due;
}

bool sl_process_take_timer(struct sl_process_runner *runner, struct sl_instance *instance,
                           const struct sl_timer_fired *fired)
{
    struct sl_row_timer *timer = find(instance, fired->timer);

    (void)runner;
    if (!timer || timer->set_at != fired->set_at || timer->due.ns != fired->due.ns)
        return false; /* it was set anew or cleared before the event came */
    remove_timer(instance, timer);
    set_next_due(instance);
    return true;
}

void sl_process_apply_timers(struct sl_process_runner *runner, const struct sl_event *event,
                             struct sl_instance *instance)
{
    struct sl_reaction *reaction = &runner->reaction;
    struct sl_row_timer *timers = sl_arena_zeroed(
        &reaction->arena, instance->timers.count + SL_WISHES_MAX, sizeof *timers);

    if (!timers) {
        reaction->failed = "memory is out";
        return;
    }
    if (instance->timers.count > 0)
        memcpy(timers, instance->timers.items, instance->timers.count * sizeof *timers);
    instance->timers.items = timers;
    for (size_t i = 0; i < reaction->count; i++) {
        const struct sl_wish *wish = &reaction->wishes[i];
        if (!wish->timer)
            continue;
        const struct sl_text name = {wish->timer, strlen(wish->timer)};
        struct sl_row_timer *timer = find(instance, name);
        if (wish->clear) {
            if (timer)
                remove_timer(instance, timer);
            continue;
        }
        if (!timer)
            timer = &timers[instance->timers.count++];
        *timer = (struct sl_row_timer){name, wish->due, event->position};
    }
    set_next_due(instance);
}

static void note(struct sl_process_runner *runner, struct sl_text key, struct sl_text name,
                 struct sl_time due, uint64_t set_at)
{
    struct sl_timer_node *node = calloc(1, sizeof *node + name.len + key.len);

    SL_ASSERT(node, "M1"); /* a timer that is forgotten in silence would be a promise broken */
    node->due = node->deadline.due = due;
    node->set_at = set_at;
    node->name_len = name.len;
    node->key_len = key.len;
    memcpy(node->texts, name.ptr, name.len);
    memcpy(node->texts + name.len, key.ptr, key.len);
    SL_ASSERT(sl_heap_add(&runner->timers, &node->deadline) == SL_OK, "M1");
}

void sl_process_note_timers(struct sl_process_runner *runner, uint64_t set_at, struct sl_text key)
{
    const struct sl_reaction *reaction = &runner->reaction;

    for (size_t i = 0; i < reaction->count; i++) {
        const struct sl_wish *wish = &reaction->wishes[i];
        if (wish->timer && !wish->clear)
            note(runner, key, (struct sl_text){wish->timer, strlen(wish->timer)}, wish->due,
                 set_at);
    }
}

/* ---- After a start: those that are set already ----------------------------------------------- */

static void note_row(struct sl_process_runner *runner, const struct sl_instance *instance)
{
    const struct sl_row_timer *timers = instance->timers.items;

    for (size_t i = 0; i < instance->timers.count; i++)
        note(runner, instance->key, timers[i].name, timers[i].due, timers[i].set_at);
}

static void listed(struct sl_view_listing *listing)
{
    struct sl_process_runner *runner =
        (struct sl_process_runner *)(void *)((char *)listing -
                                             offsetof(struct sl_process_runner, timer_list));
    struct sl_arena arena = {0};
    struct sl_json_parser *parser = NULL;
    struct sl_broken_rule broken, *each;
    struct sl_text rows, next = {0};
    void *items = NULL;
    size_t count = 0;
    bool more = false;

    runner->listing_timers = false;
    if (listing->err == SL_OK && !runner->closing && sl_json_parser_new(&parser) == SL_OK &&
        sl_json_find(parser, sl_buf_as_text(&listing->json), "rows", &arena, &rows) == SL_OK &&
        sl_json_read_array(parser, &runner->record, rows, LIST_LIMIT, &arena, &items, &each,
                           &count, &broken) == SL_OK) {
        for (size_t i = 0; i < count; i++) {
            const struct sl_instance *instance =
                (const void *)((const uint8_t *)items + i * runner->record.size);
            more = instance->next_due.ns < SL_TIMER_NEVER;
            note_row(runner, instance);
        }
        if (sl_json_find(parser, sl_buf_as_text(&listing->json), "next", &arena, &next) != SL_OK)
            next.len = 0;
    }
    sl_json_parser_free(parser);
    sl_buf_close(&listing->json);
    listing->json = (struct sl_buf){0};
    if (more && next.len > 0 && next.len < sizeof runner->timer_cursor &&
        !sl_text_equals(next, SL_TEXT("null"))) {
        memcpy(runner->timer_cursor, next.ptr, next.len);
        listing->query.after = (struct sl_text){runner->timer_cursor, next.len};
        runner->listing_timers = true;
        sl_view_list(runner->table, listing);
    }
    sl_arena_close(&arena);
}

void sl_process_list_timers(struct sl_process_runner *runner)
{
    runner->timers_listed = true;
    runner->listing_timers = true;
    runner->timer_list = (struct sl_view_listing){
        .table = runner->table, .query = {.index = 0, .limit = LIST_LIMIT}, .done = listed};
    sl_view_list(runner->table, &runner->timer_list);
}

/* ---- Falling due ----------------------------------------------------------------------------- */

static void fire(struct sl_process_runner *runner, const struct sl_timer_node *node)
{
    const struct sl_process *process = runner->options.process;
    const struct sl_timer_fired fired = {.process = {process->name, strlen(process->name)},
                                         .key = {node->texts + node->name_len, node->key_len},
                                         .timer = {node->texts, node->name_len},
                                         .due = node->due,
                                         .set_at = node->set_at};
    char name[65];

    memcpy(name, node->texts, node->name_len);
    name[node->name_len] = 0;
    sl_process_send(runner, runner->options.host.own, sl_fire_timer, &fired,
                    sl_process_id(runner, node->set_at, fired.key, name, 0), fired.key,
                    UINT64_MAX, false);
}

int64_t sl_process_fire_due(struct sl_process_runner *runner, int64_t now)
{
    const struct sl_time utc = sl_env_now(runner->options.env);
    struct sl_deadline *due;

    while (!runner->closing && (due = sl_heap_pop_due(&runner->timers, utc))) {
        struct sl_timer_node *node = (struct sl_timer_node *)(void *)due;
        const struct sl_text key = sl_process_row_key(
            runner, (struct sl_text){node->texts + node->name_len, node->key_len});
        struct sl_view_row row;
        const enum sl_lookup_result result = sl_view_lookup(runner->table, key, &row);

        if (result == SL_LOOKUP_PENDING) {
            (void)!sl_view_fetch(runner->table, key);
            node->deadline.due = (struct sl_time){utc.ns + look_again_ns};
            SL_ASSERT(sl_heap_add(&runner->timers, &node->deadline) == SL_OK, "M1");
            continue;
        }
        const struct sl_row_timer *timer =
            result == SL_LOOKUP_FOUND
                ? find(row.row, (struct sl_text){node->texts, node->name_len})
                : NULL;
        if (timer && timer->set_at == node->set_at && timer->due.ns == node->due.ns)
            fire(runner, node);
        free(node);
    }
    const int64_t next = sl_heap_next(&runner->timers).ns;
    if (next == INT64_MAX || runner->closing)
        return INT64_MAX;
    const int64_t sleep = next - utc.ns > 0 ? next - utc.ns : 0;
    return now + (sleep < longest_sleep_ns ? sleep : longest_sleep_ns);
}

void sl_process_drop_timers(struct sl_process_runner *runner)
{
    struct sl_deadline *due;

    while ((due = sl_heap_pop_due(&runner->timers, (struct sl_time){INT64_MAX})))
        free(due);
    sl_heap_close(&runner->timers);
}
