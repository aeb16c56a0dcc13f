#include "view/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stores/sqlite/sqlite.h"
#include "tap/tap.h"

/* ---- A world with one view ------------------------------------------------------------------- */

void bench_begin(struct bench *bench, uint64_t seed, const struct sl_view *view)
{
    *bench = (struct bench){.view = view,
                            .log = {{0xaa, 1}},
                            .salt = 5,
                            .known = UINT64_MAX,
                            .readers = 2,
                            .fault.inner = &sl_sqlite_view_store};
    SL_ASSERT(sl_env_sim_new(seed, &bench->env) == SL_OK);
    SL_ASSERT(sl_mailbox_new(NULL, NULL, &bench->engine) == SL_OK);
}

static bool knows(void *context, uint64_t salt, uint64_t position)
{
    const struct bench *bench = context;

    return salt <= bench->salt && position <= bench->known;
}

static void count_moved(void *context)
{
    ((struct bench *)context)->moved++;
}

bool bench_open(struct bench *bench)
{
    const struct sl_view_service_options service = {
        .ops = &sl_view_store_fault_ops,
        .store = {.location = "views", .wrapped = &bench->fault},
        .engine = bench->engine,
        .readers = bench->readers,
    };
    const struct sl_view_table_options table = {
        .domain = "test",
        .view = bench->view,
        .log = bench->log,
        .salt = bench->salt,
        .knows = knows,
        .moved = count_moved,
        .context = bench,
        .memory_max = bench->memory_max,
        .settles = bench->settles,
    };

    bench->error = (struct sl_error){0};
    return sl_view_service_open(bench->env, &service, &bench->service, &bench->error) == SL_OK &&
           sl_view_table_open(bench->service, &table, &bench->table, &bench->error) == SL_OK;
}

void bench_close(struct bench *bench)
{
    sl_view_service_close(bench->service);
    sl_view_table_close(bench->table);
    bench->service = NULL;
    bench->table = NULL;
}

void bench_end(struct bench *bench)
{
    bench_close(bench);
    sl_mailbox_free(bench->engine);
    sl_env_free(bench->env);
}

bool bench_step(struct bench *bench)
{
    const int64_t now = sl_env_monotonic(bench->env);
    const bool mail = sl_mailbox_has_mail(bench->engine);

    /* The engine is one of them. */
    if (!mail || sl_sim_random(bench->env, 3) > 0) {
        if (sl_sim_step(bench->env))
            return true;
        if (!mail) {
            if (!bench->table || sl_view_table_deadline(bench->table) > now)
                return false;
            sl_view_table_turn(bench->table, now);
            return true;
        }
    }
    struct sl_message *message = sl_mailbox_take_all(bench->engine);
    while (message) {
        struct sl_message *next = message->next;
        sl_view_service_step(bench->service, message);
        message = next;
    }
    if (sl_view_table_deadline(bench->table) <= now)
        sl_view_table_turn(bench->table, now);
    return true;
}

void bench_run(struct bench *bench)
{
    for (unsigned steps = 0; bench_step(bench); steps++)
        SL_ASSERT(steps < 10000000);
}

void bench_settle(struct bench *bench)
{
    for (unsigned rounds = 0; rounds < 1000; rounds++) {
        bench_run(bench);
        const int64_t deadline = sl_view_table_deadline(bench->table);
        if (deadline == INT64_MAX)
            return;
        sl_sim_advance(bench->env, deadline - sl_env_monotonic(bench->env));
    }
}

enum sl_view_result bench_project(struct bench *bench, const struct sl_event *event)
{
    for (;;) {
        const enum sl_view_result result = sl_view_project(bench->table, event);
        const unsigned moved = bench->moved;

        if (result != SL_VIEW_WAITS)
            return result;
        while (bench->moved == moved)
            if (!bench_step(bench))
                return SL_VIEW_WAITS; /* nobody will come: the power is out */
    }
}

enum sl_lookup_result bench_lookup(struct bench *bench, const char *key, struct sl_view_row *out)
{
    const struct sl_text text = {key, strlen(key)};

    for (;;) {
        const enum sl_lookup_result result = sl_view_lookup(bench->table, text, out);
        const unsigned moved = bench->moved;

        if (result != SL_LOOKUP_PENDING || sl_view_fetch(bench->table, text) != SL_OK)
            return result;
        while (bench->moved == moved)
            if (!bench_step(bench))
                return result;
    }
}

struct asked {
    struct sl_view_listing list;
    bool done;
};

static void list_done(struct sl_view_listing *list)
{
    ((struct asked *)list)->done = true;
}

static const char *ask(struct bench *bench, struct sl_list_query query,
                       const struct sl_aggregate_query *aggregate)
{
    static char answer[65536];
    struct asked asked = {.list = {.query = query, .aggregate = aggregate, .done = list_done}};

    sl_view_list(bench->table, &asked.list);
    bench_run(bench);
    SL_ASSERT(asked.done);
    if (asked.list.err != SL_OK)
        snprintf(answer, sizeof answer, "%s", sl_err_name(asked.list.err));
    else if (asked.list.refusal != SL_AGGREGATE_DONE)
        snprintf(answer, sizeof answer, "%" PRIu64 " refused %d of %u", asked.list.position,
                 (int)asked.list.refusal, asked.list.refused);
    else
        snprintf(answer, sizeof answer, "%" PRIu64 " %.*s", asked.list.position,
                 (int)asked.list.json.len, (const char *)asked.list.json.ptr);
    sl_buf_close(&asked.list.json);
    return answer;
}

const char *bench_past(struct bench *bench, const char *key, uint64_t position)
{
    static char answer[65536];
    const struct sl_past_query past = {{key, strlen(key)}, position};
    struct asked asked = {.list = {.past = &past, .done = list_done}};

    sl_view_list(bench->table, &asked.list);
    bench_run(bench);
    SL_ASSERT(asked.done);
    if (asked.list.err != SL_OK)
        snprintf(answer, sizeof answer, "%s", sl_err_name(asked.list.err));
    else
        snprintf(answer, sizeof answer, "%.*s", asked.list.json.len ? (int)asked.list.json.len : 1,
                 asked.list.json.len ? (const char *)asked.list.json.ptr : "-");
    sl_buf_close(&asked.list.json);
    return answer;
}

const char *bench_list(struct bench *bench, struct sl_list_query query)
{
    return ask(bench, query, NULL);
}

const char *bench_aggregate(struct bench *bench, const struct sl_aggregate_query *query)
{
    return ask(bench, (struct sl_list_query){0}, query);
}

/* ---- Stock ----------------------------------------------------------------------------------- */

const struct sl_record stock_record = SL_RECORD(struct stock,
    SL_FIELD(struct stock, id),
    SL_FIELD(struct stock, name),
    SL_FIELD(struct stock, count),
    SL_FIELD(struct stock, notes, .item = SL_TEXT_KIND));

const struct sl_record level_record = SL_RECORD(struct level,
    SL_FIELD(struct level, id),
    SL_FIELD(struct level, count),
    SL_FIELD(struct level, changes));

static const struct sl_record stock_event_record = SL_RECORD(struct stock_event,
    SL_FIELD(struct stock_event, kind),
    SL_FIELD(struct stock_event, from),
    SL_FIELD(struct stock_event, to),
    SL_FIELD(struct stock_event, count),
    SL_FIELD(struct stock_event, note));

static const struct sl_event_type event_types[] = {
    {"Added", 1, &stock_event_record},   {"Moved", 1, &stock_event_record},
    {"Dropped", 1, &stock_event_record}, {"Noted", 1, &stock_event_record},
    {"Counted", 1, &stock_event_record}, {"Nothing", 1, &stock_event_record},
};

static uint64_t mix(uint64_t seed, uint64_t position, uint64_t what)
{
    uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + position * UINT64_C(0xd1342543de82ef95) +
                 what * UINT64_C(0xaef17502108ef2d9);

    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

static struct sl_text note_of(uint64_t seed, uint64_t position, char *room, size_t size)
{
    const int padding = (int)(mix(seed, position, 9) % 60);
    const int len = snprintf(room, size, "note %" PRIu64 " %.*s", position, padding,
                             "............................................................");

    return (struct sl_text){room, (size_t)len};
}

/* A few keys are hot, so that rows are changed again while they are flushed. */
static uint64_t key_at(uint64_t seed, uint64_t position, uint64_t what)
{
    const uint64_t x = mix(seed, position, what);

    return x % 3 == 0 ? x / 3 % 7 : x / 3 % STOCK_KEYS;
}

void stock_event_at(uint64_t seed, uint64_t position, struct sl_event *out,
                    struct stock_event *body)
{
    static char room[128];
    static const uint32_t kinds[] = {STOCK_ADD,  STOCK_ADD,  STOCK_MOVE, STOCK_MOVE, STOCK_MOVE,
                                     STOCK_DROP, STOCK_NOTE, STOCK_NOTE, STOCK_BATCH,
                                     STOCK_NOTHING};

    *body = (struct stock_event){
        .kind = kinds[mix(seed, position, 1) % (sizeof kinds / sizeof *kinds)],
        .from = key_at(seed, position, 2),
        .to = key_at(seed, position, 3),
        .count = (int64_t)(mix(seed, position, 4) % 100),
        .note = note_of(seed, position, room, sizeof room),
    };
    *out = (struct sl_event){
        .type = &event_types[body->kind], .body = body, .position = position};
}

static void change_level(struct sl_rows *rows, uint64_t id, int64_t count)
{
    struct level *level = sl_row_edit(rows, &id);

    if (!level) {
        level = sl_row_put(rows);
        level->id = id;
    }
    level->count += count;
    level->changes++;
}

static void project_level(const struct sl_event *event, struct sl_rows *rows)
{
    const struct stock_event *body = event->body;

    switch (body->kind) {
    case STOCK_ADD:
        change_level(rows, body->from, body->count);
        break;
    case STOCK_MOVE:
        change_level(rows, body->from, -body->count);
        change_level(rows, body->to, body->count);
        break;
    case STOCK_DROP:
        sl_row_delete(rows, &body->from);
        break;
    case STOCK_NOTE:
        change_level(rows, body->from, 0);
        break;
    case STOCK_BATCH:
        for (uint64_t i = 0; i < 20; i++)
            change_level(rows, (body->from + i) % STOCK_KEYS, 1);
        break;
    default:
        break;
    }
}

static struct stock *stock_of(struct sl_rows *rows, uint64_t id)
{
    static const char *const names[] = {"nuts", "bolts", "a rather longer name", ""};
    struct stock *stock = sl_row_edit(rows, &id);

    if (!stock) {
        stock = sl_row_put(rows);
        stock->id = id;
        stock->name = (struct sl_text){names[id % 4], strlen(names[id % 4])};
    }
    return stock;
}

/* The list's memory must outlive the projection: it is of the event's notes and the row's own. */
static void add_note(struct stock *stock, struct sl_text note)
{
    static struct sl_text notes[STOCK_KEYS][5];
    struct sl_text *kept = notes[stock->id];
    const struct sl_text *old = stock->notes.items;
    size_t count = stock->notes.count, skip = count == 5;

    for (size_t i = skip; i < count; i++)
        kept[i - skip] = old[i];
    kept[count - skip] = note;
    stock->notes = (struct sl_list){kept, count - skip + 1};
}

static void project_stock(const struct sl_event *event, struct sl_rows *rows)
{
    const struct stock_event *body = event->body;

    switch (body->kind) {
    case STOCK_ADD:
        stock_of(rows, body->from)->count += body->count;
        break;
    case STOCK_MOVE:
        stock_of(rows, body->from)->count -= body->count;
        stock_of(rows, body->to)->count += body->count;
        break;
    case STOCK_DROP:
        sl_row_delete(rows, &body->from);
        break;
    case STOCK_NOTE:
        add_note(stock_of(rows, body->from), body->note);
        break;
    case STOCK_BATCH:
        for (uint64_t i = 0; i < 20; i++)
            stock_of(rows, (body->from + i) % STOCK_KEYS)->count++;
        break;
    default:
        break;
    }
}

const struct sl_view stock_view = {
    "stock", &stock_record, "id", project_stock,
    .indexes = SL_LIST(const struct sl_index, {"by-count", "count"}), .search = "name"};
const struct sl_view level_view = {
    "level", &level_record, "id", project_level,
    .indexes = SL_LIST(const struct sl_index, {"by-count", "count"})};
const struct sl_view stock_kept_view = {"stock",           &stock_record, "id",
                                        project_stock,     .search = "name",
                                        .temporal = true};
const struct sl_view level_kept_view = {"level", &level_record, "id", project_level,
                                        .temporal = true};

/* ---- The model ------------------------------------------------------------------------------- */

static void model_change(struct stock_model *model, uint64_t id, int64_t count)
{
    model->rows[id].there = true;
    model->rows[id].count += count;
    model->rows[id].changes++;
}

void stock_model_apply(struct stock_model *model, uint64_t seed, uint64_t position)
{
    struct sl_event event;
    struct stock_event body;

    stock_event_at(seed, position, &event, &body);
    switch (body.kind) {
    case STOCK_ADD:
        model_change(model, body.from, body.count);
        break;
    case STOCK_MOVE:
        model_change(model, body.from, -body.count);
        model_change(model, body.to, body.count);
        break;
    case STOCK_DROP:
        memset(&model->rows[body.from], 0, sizeof model->rows[body.from]);
        break;
    case STOCK_NOTE:
        model_change(model, body.from, 0);
        if (model->rows[body.from].note_count == 5) {
            memmove(model->rows[body.from].notes, model->rows[body.from].notes + 1,
                    4 * sizeof(uint64_t));
            model->rows[body.from].note_count--;
        }
        model->rows[body.from].notes[model->rows[body.from].note_count++] = position;
        break;
    case STOCK_BATCH:
        for (uint64_t i = 0; i < 20; i++)
            model_change(model, (body.from + i) % STOCK_KEYS, 1);
        break;
    default:
        break;
    }
}

static bool notes_are(const struct stock_model *model, uint64_t id, const struct stock *stock)
{
    const struct sl_text *notes = stock->notes.items;
    char start[40];

    if (stock->notes.count != model->rows[id].note_count)
        return false;
    for (size_t i = 0; i < stock->notes.count; i++) {
        snprintf(start, sizeof start, "note %" PRIu64 " ", model->rows[id].notes[i]);
        if (notes[i].len < strlen(start) || memcmp(notes[i].ptr, start, strlen(start)) != 0)
            return false;
    }
    return true;
}

bool stock_row_is(const struct bench *bench, const struct stock_model *model, uint64_t id,
                  const void *row)
{
    if (!row || !model->rows[id].there)
        return !row && !model->rows[id].there;
    if (bench->view->record == &level_record) {
        const struct level *level = row;
        return level->id == id && level->count == model->rows[id].count &&
               level->changes == model->rows[id].changes;
    }
    const struct stock *stock = row;
    return stock->id == id && stock->count == model->rows[id].count &&
           notes_are(model, id, stock);
}

unsigned stock_differences(struct bench *bench, const struct stock_model *model)
{
    unsigned count = 0;

    for (uint64_t id = 0; id < STOCK_KEYS; id++) {
        struct sl_view_row row = {0};
        char key[24];

        snprintf(key, sizeof key, "%" PRIu64, id);
        const enum sl_lookup_result result = bench_lookup(bench, key, &row);
        if (result == SL_LOOKUP_PENDING ||
            !stock_row_is(bench, model, id, result == SL_LOOKUP_FOUND ? row.row : NULL)) {
            if (count++ < 3)
                tap_note("row %s differs (lookup %d)", key, (int)result);
        }
    }
    return count;
}

unsigned stock_past_differences(struct bench *bench, const struct stock_model *model,
                                uint64_t position)
{
    unsigned count = 0;

    for (uint64_t id = 0; id < STOCK_KEYS; id += 1 + sl_sim_random(bench->env, 40)) {
        char key[24];
        snprintf(key, sizeof key, "%" PRIu64, id);
        const struct sl_past_query past = {{key, strlen(key)}, position};
        struct asked asked = {.list = {.past = &past, .done = list_done, .as_rows = true}};
        sl_view_list(bench->table, &asked.list);
        bench_run(bench);
        const void *row = asked.list.page.count > 0 ? asked.list.page.rows[0].row : NULL;
        if ((!asked.done || asked.list.err != SL_OK ||
             !stock_row_is(bench, model, id, row)) && count++ < 3)
            tap_note("row %s differs at position %" PRIu64 " (%s)", key, position,
                     asked.list.error.message);
        sl_arena_close(&asked.list.arena);
    }
    return count;
}
