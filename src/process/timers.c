/* Timers: in the instance's row, so that they outlive the program, and in a heap, so that the
 * next one is known. What the heap says is believed only if the row says so, too. */
#include <stdlib.h>
#include <string.h>

#include "process/parts.h"

enum {
    LIST_LIMIT = 1000,
    FIRING_MAX = 256,  /* under way at a time: after a long stop, too, others get their turn (M1) */
    LOOKS_MAX = 1024,  /* due timers that one turn looks at */
};

/* A clock that is set forward must not make timers late for long: look at it now and then. */
static const int64_t longest_sleep_ns = INT64_C(60000000000);
static const int64_t look_again_ns = 20000000;
static const int64_t list_again_ns = 1000000000;

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
        reaction->failed = sl_view_no_memory;
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

/* Without memory for it the timer is found again later, in its row, when that is stored: it must
 * not be forgotten in silence. */
static void list_later(struct sl_process_runner *runner)
{
    SL_MARK("process: timers listed again");
    runner->timers_listed = false;
    runner->list_position = sl_view_table_status(runner->table).position;
    runner->list_ns = sl_env_monotonic(runner->options.env) + list_again_ns;
}

static void note(struct sl_process_runner *runner, struct sl_text key, struct sl_text name,
                 struct sl_time due, uint64_t set_at)
{
    struct sl_timer_node *node = calloc(1, sizeof *node + name.len + key.len);

    if (!node) {
        list_later(runner);
        return;
    }
    node->due = node->deadline.due = due;
    node->set_at = set_at;
    node->name_len = name.len;
    node->key_len = key.len;
    memcpy(node->texts, name.ptr, name.len);
    memcpy(node->texts + name.len, key.ptr, key.len);
    if (sl_heap_add(&runner->timers, &node->deadline) != SL_OK) {
        free(node);
        list_later(runner);
    }
}

static void note_row(struct sl_process_runner *runner, const struct sl_instance *instance)
{
    const struct sl_row_timer *timers = instance->timers.items;

    for (size_t i = 0; i < instance->timers.count; i++)
        note(runner, instance->key, timers[i].name, timers[i].due, timers[i].set_at);
}

void sl_process_note_timers(struct sl_process_runner *runner, uint64_t set_at, struct sl_text key)
{
    const struct sl_reaction *reaction = &runner->reaction;
    struct sl_view_row row;

    /* While they are listed, a row that changes may move from behind the cursor to before it, with
     * all its timers. */
    if (!runner->timers_listed && sl_view_lookup(runner->table, sl_process_row_key(runner, key),
                                                 &row) == SL_LOOKUP_FOUND) {
        note_row(runner, row.row);
        return;
    }
    for (size_t i = 0; i < reaction->count; i++) {
        const struct sl_wish *wish = &reaction->wishes[i];
        if (wish->timer && !wish->clear)
            note(runner, key, (struct sl_text){wish->timer, strlen(wish->timer)}, wish->due,
                 set_at);
    }
}

/* ---- After a start: those that are set already ----------------------------------------------- */

/* A copy of a record without what is required, ranges and lengths: a state need not keep to them,
 * and its timers must be found all the same. */
static const struct sl_record *relax(struct sl_arena *arena, const struct sl_record *record)
{
    struct sl_field *fields = sl_arena_zeroed(arena, record->field_count, sizeof *fields);
    struct sl_record *copy = sl_arena_zeroed(arena, 1, sizeof *copy);

    if (!fields || !copy)
        return NULL;
    for (uint32_t i = 0; i < record->field_count; i++) {
        fields[i] = record->fields[i];
        fields[i].required = fields[i].ranged = false;
        fields[i].length_min = 0;
        fields[i].length_max = UINT32_MAX;
        if (fields[i].record && !(fields[i].record = relax(arena, fields[i].record)))
            return NULL;
    }
    *copy = *record;
    copy->fields = fields;
    return copy;
}

enum sl_err sl_process_relax_rows(struct sl_process_runner *runner)
{
    const struct sl_record *relaxed = relax(&runner->list_arena, &runner->record);

    if (!relaxed)
        return SL_NO_MEMORY;
    runner->list_record = *relaxed;
    runner->list_limit = LIST_LIMIT;
    return SL_OK;
}

/* Notes the timers of a page's rows; false: it cannot be read, or memory is out. `next` is the
 * cursor behind it, empty after the last row with a timer. */
static bool note_page(struct sl_process_runner *runner, struct sl_text json,
                      struct sl_arena *arena, struct sl_text *next)
{
    struct sl_json_parser *parser = NULL;
    struct sl_broken_rule broken, *each;
    struct sl_text rows;
    void *items = NULL;
    size_t count = 0;
    bool good = sl_json_parser_new(&parser) == SL_OK &&
                sl_json_find(parser, json, "rows", arena, &rows) == SL_OK &&
                sl_json_read_array(parser, &runner->list_record, rows, LIST_LIMIT, arena, &items,
                                   &each, &count, &broken) == SL_OK;

    *next = (struct sl_text){0};
    for (size_t i = 0; i < count && good; i++) {
        const struct sl_instance *instance =
            (const void *)((const uint8_t *)items + i * runner->record.size);
        good = !each[i].rule[0];
        if (good)
            note_row(runner, instance);
        if (i + 1 == count && instance->next_due.ns >= SL_TIMER_NEVER) {
            sl_json_parser_free(parser); /* rows follow by their next timer: no more have one */
            return good;
        }
    }
    if (good) {
        const enum sl_err err = sl_json_find(parser, json, "next", arena, next);
        good = (err == SL_OK || err == SL_NOT_FOUND) && next->len < sizeof runner->timer_cursor;
    }
    sl_json_parser_free(parser);
    return good;
}

static void ask_page(struct sl_process_runner *runner)
{
    runner->listing_timers = true;
    sl_view_list(runner->table, &runner->timer_list);
}

static void listed(struct sl_view_listing *listing)
{
    struct sl_process_runner *runner =
        (struct sl_process_runner *)(void *)((char *)listing -
                                             offsetof(struct sl_process_runner, timer_list));
    struct sl_arena arena = {.bytes_max = (size_t)256 << 20};
    struct sl_text next = {0};
    const bool is_late = listing->position < runner->list_position;

    runner->listing_timers = false;
    if (listing->err == SL_LIMIT && runner->list_limit > 1)
        runner->list_limit /= 2; /* large rows: fewer at a time */
    const bool good = listing->err == SL_OK && !is_late && !runner->closing &&
                      note_page(runner, sl_buf_as_text(&listing->json), &arena, &next);
    sl_buf_close(&listing->json);
    listing->json = (struct sl_buf){0};
    if (good && next.len > 0) {
        memcpy(runner->timer_cursor, next.ptr, next.len);
        listing->query.after = (struct sl_text){runner->timer_cursor, next.len};
        ask_page(runner);
    } else if (good && runner->list_ns == INT64_MAX) {
        runner->timers_listed = true;
    } else if (!runner->closing) {
        SL_MARK("process: timers listed again");
        runner->list_ns = sl_env_monotonic(runner->options.env) + list_again_ns;
    }
    sl_arena_close(&arena);
}

int64_t sl_process_list_timers(struct sl_process_runner *runner, int64_t now)
{
    const struct sl_view_status status = sl_view_table_status(runner->table);

    if (runner->timers_listed || runner->listing_timers || runner->closing ||
        status.state != SL_VIEW_RUNNING)
        return INT64_MAX;
    if (runner->list_ns != INT64_MAX && now < runner->list_ns)
        return runner->list_ns;
    runner->list_ns = INT64_MAX;
    if (status.stored < runner->list_position) {
        sl_view_hurry(runner->table);
        runner->list_ns = now + list_again_ns;
        return runner->list_ns;
    }
    runner->timer_list =
        (struct sl_view_listing){.table = runner->table,
                                 .query = {.index = 0, .limit = runner->list_limit},
                                 .done = listed};
    ask_page(runner);
    return INT64_MAX;
}

/* ---- Falling due ----------------------------------------------------------------------------- */

static bool fire(struct sl_process_runner *runner, const struct sl_timer_node *node)
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
    return sl_process_send(runner, runner->options.host.own, sl_fire_timer, &fired,
                           sl_process_id(runner, node->set_at, fired.key, name,
                                         (uint64_t)node->due.ns),
                           fired.key, UINT64_MAX, false);
}

/* The heap has just lost one, so that there is room. */
static void look_again(struct sl_process_runner *runner, struct sl_timer_node *node, int64_t at_ns)
{
    node->deadline.due = (struct sl_time){at_ns};
    SL_ASSERT(sl_heap_add(&runner->timers, &node->deadline) == SL_OK, "M1");
}

int64_t sl_process_fire_due(struct sl_process_runner *runner, int64_t now)
{
    const struct sl_time utc = sl_env_now(runner->options.env);
    struct sl_deadline *due;
    unsigned looks = 0;

    while (!runner->closing && runner->firing < FIRING_MAX && looks++ < LOOKS_MAX &&
           (due = sl_heap_pop_due(&runner->timers, utc))) {
        struct sl_timer_node *node = (struct sl_timer_node *)(void *)due;
        const struct sl_text key = sl_process_row_key(
            runner, (struct sl_text){node->texts + node->name_len, node->key_len});
        struct sl_view_row row;
        const enum sl_lookup_result result = sl_view_lookup(runner->table, key, &row);

        if (result == SL_LOOKUP_PENDING) {
            (void)!sl_view_fetch(runner->table, key);
            look_again(runner, node, utc.ns + look_again_ns);
            continue;
        }
        const struct sl_row_timer *timer =
            result == SL_LOOKUP_FOUND
                ? find(row.row, (struct sl_text){node->texts, node->name_len})
                : NULL;
        if (timer && timer->set_at == node->set_at && timer->due.ns == node->due.ns &&
            !fire(runner, node)) {
            look_again(runner, node, utc.ns + list_again_ns);
            break;
        }
        free(node);
    }
    const int64_t next = sl_heap_next(&runner->timers).ns;
    /* With as many under way as there may be, an answer brings the next turn. */
    if (next == INT64_MAX || runner->closing || runner->firing >= FIRING_MAX)
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
