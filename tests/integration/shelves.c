/*
 * A domain with routes of its own, for tests of what include/sluice/route.h promises. Things are
 * put on shelves until a shelf is full, so that the order of commands shows in their outcomes.
 *
 * POST /shelves/batch/put and batch/clear take records of 16 bytes {u32 shelf, u32 amount, u64 id
 * or 0} and answer records of 16 bytes {u32 status, u32 rule, u64 position of the event}. All are
 * little-endian, as the machines are on which this runs.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <sluice/route.h>

/* Built with SHELVES_BAD, it wants an address that is the server's. */
#ifdef SHELVES_BAD
#define PUT_LINE "/metrics"
#else
#define PUT_LINE "/put-line"
#endif

enum { CAPACITY = 1000 };

struct putting {
    uint32_t shelf;
    uint32_t amount;
};

static const struct sl_record putting_record =
    SL_RECORD(struct putting, SL_FIELD(struct putting, shelf),
              SL_FIELD(struct putting, amount, SL_RANGE(0, 5000)));

static const struct sl_event_type thing_put = {"ThingPut", 1, &putting_record, .tags = "shelf"};
static const struct sl_event_type shelf_cleared = {"ShelfCleared", 1, &putting_record,
                                                   .tags = "shelf"};

struct shelf {
    uint64_t held;
};

static const struct sl_record shelf_record = SL_RECORD(struct shelf, SL_FIELD(struct shelf, held));

static void evolve(void *state, const struct sl_event *event)
{
    struct shelf *shelf = state;
    const struct putting *putting = event->body;

    shelf->held = event->type == &shelf_cleared ? 0 : shelf->held + putting->amount;
}

static const struct sl_aggregate shelves = {"shelf", &shelf_record, evolve};

static enum sl_verdict decide_put(const struct sl_case *c, struct sl_decision *out)
{
    const struct putting *command = c->command;
    const struct shelf *shelf = c->state[0];

    if (shelf->held + command->amount > CAPACITY)
        return sl_refuse(out, "shelf_full", "{amount} more are too many for shelf {shelf}");
    *(struct putting *)sl_emit(out, &thing_put, 0) = *command;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_clear(const struct sl_case *c, struct sl_decision *out)
{
    *(struct putting *)sl_emit(out, &shelf_cleared, 0) = *(const struct putting *)c->command;
    return SL_ACCEPTED;
}

struct shelf_row {
    uint32_t shelf;
    uint64_t held;
    uint32_t times;
};

static const struct sl_record shelf_row_record =
    SL_RECORD(struct shelf_row, SL_FIELD(struct shelf_row, shelf),
              SL_FIELD(struct shelf_row, held), SL_FIELD(struct shelf_row, times));

static void project_shelf(const struct sl_event *event, struct sl_rows *rows)
{
    const struct putting *putting = event->body;
    struct shelf_row *row = sl_row_edit(rows, &putting->shelf);

    if (!row) {
        row = sl_row_put(rows);
        row->shelf = putting->shelf;
    }
    row->held = event->type == &shelf_cleared ? 0 : row->held + putting->amount;
    row->times++;
}

/* ---- batch/{operation} ----------------------------------------------------------------------- */

struct wire_put {
    uint32_t shelf, amount;
    uint64_t id;
};

struct wire_outcome {
    uint32_t status, rule; /* 1 shelf_full, 2 forbidden, 3 range, 9 any other */
    uint64_t position;
};

static uint32_t number_of(struct sl_text rule)
{
    static const char *const rules[] = {"", "shelf_full", "forbidden", "range"};

    for (uint32_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rule.len == strlen(rules[i]) &&
            memcmp(rule.ptr ? rule.ptr : "", rules[i], rule.len) == 0)
            return i;
    return 9;
}

static void answer_batch(struct sl_visit *visit, const struct sl_visit_outcome *outcomes,
                         size_t count)
{
    struct wire_outcome *out = sl_visit_room(visit, count, sizeof *out);

    for (size_t i = 0; i < count; i++)
        out[i] = (struct wire_outcome){
            (uint32_t)outcomes[i].status, number_of(outcomes[i].rule),
            outcomes[i].event_count > 0 ? outcomes[i].events[0].position : UINT64_MAX};
    sl_visit_answer(visit, 200, "application/octet-stream",
                    (struct sl_text){(const char *)out, count * sizeof *out});
}

/* As batch/put, and answers what the events say: amount, and how many seconds ago. */
static void answer_telling(struct sl_visit *visit, const struct sl_visit_outcome *outcomes,
                           size_t count)
{
    struct wire_put *out = sl_visit_room(visit, count, sizeof *out);

    for (size_t i = 0; i < count; i++) {
        const struct sl_event *event = outcomes[i].event_count ? outcomes[i].events[0].event : NULL;
        const struct putting *putting = event ? event->body : NULL;
        if (putting && event->type == &thing_put &&
            event->position == outcomes[i].events[0].position &&
            event->time.ns == outcomes[i].events[0].time.ns)
            out[i] = (struct wire_put){
                putting->shelf, putting->amount,
                (uint64_t)(sl_visit_now(visit).ns - event->time.ns) / 1000000000};
    }
    sl_visit_answer(visit, 200, "application/octet-stream",
                    (struct sl_text){(const char *)out, count * sizeof *out});
}

static void serve_batch(struct sl_visit *visit)
{
    const struct sl_text body = sl_visit_body(visit);
    const struct sl_text operation = sl_visit_part(visit, "operation");
    const bool is_put = operation.len == 3 && memcmp(operation.ptr, "put", 3) == 0;
    const bool is_clear = operation.len == 5 && memcmp(operation.ptr, "clear", 5) == 0;

    const bool is_telling = operation.len == 4 && memcmp(operation.ptr, "tell", 4) == 0;

    if (!is_put && !is_clear && !is_telling) {
        sl_visit_problem(visit, 404, "no_operation", operation,
                         SL_TEXT("there are put and clear"));
        return;
    }
    if (body.len % sizeof(struct wire_put) != 0) {
        sl_visit_problem(visit, 400, "torn_record", (struct sl_text){NULL, 0},
                         SL_TEXT("records have 16 bytes"));
        return;
    }
    for (size_t at = 0; at < body.len; at += sizeof(struct wire_put)) {
        struct wire_put wire;
        struct sl_uuid id = {{0}};

        memcpy(&wire, body.ptr + at, sizeof wire);
        memcpy(id.bytes, &wire.id, sizeof wire.id);
        struct putting *putting =
            sl_visit_send(visit, is_clear ? "Clear" : "Put", wire.id ? &id : NULL);
        putting->shelf = wire.shelf;
        putting->amount = wire.amount;
    }
    if (is_telling)
        sl_visit_want_events(visit);
    sl_visit_submit(visit, is_telling ? answer_telling : answer_batch);
}

/* ---- /put-line: text, at the root ------------------------------------------------------------ */

static void answer_lines(struct sl_visit *visit, const struct sl_visit_outcome *outcomes,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (outcomes[i].status != 201) {
            sl_visit_answer_outcome(visit, &outcomes[i]);
            return;
        }
    }
    sl_visit_set_header(visit, "X-Lines", SL_TEXT("all\r\nX-Evil: 1"));
    sl_visit_answer(visit, 204, NULL, (struct sl_text){NULL, 0});
}

/* "3 10\n": 10 on shelf 3. */
static void serve_lines(struct sl_visit *visit)
{
    const struct sl_text body = sl_visit_body(visit);
    uint32_t numbers[2] = {0, 0};
    unsigned which = 0;

    for (size_t i = 0; i < body.len; i++) {
        const char c = body.ptr[i];
        if (c >= '0' && c <= '9')
            numbers[which] = numbers[which] * 10 + (uint32_t)(c - '0');
        else if (c == ' ')
            which = 1;
        if (c != '\n')
            continue;
        *(struct putting *)sl_visit_send(visit, "Put", NULL) =
            (struct putting){numbers[0], numbers[1]};
        numbers[0] = numbers[1] = which = 0;
    }
    sl_visit_submit(visit, answer_lines);
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct wire_row {
    uint32_t shelf, times;
    uint64_t held;
};

static void answer_lookup(struct sl_visit *visit, const void *const *rows, size_t count)
{
    struct wire_row *out = sl_visit_room(visit, count, sizeof *out);

    for (size_t i = 0; i < count; i++) {
        const struct shelf_row *row = rows[i];
        out[i] = row ? (struct wire_row){row->shelf, row->times, row->held}
                     : (struct wire_row){UINT32_MAX, 0, 0};
    }
    sl_visit_answer(visit, 200, "application/octet-stream",
                    (struct sl_text){(const char *)out, count * sizeof *out});
}

static void serve_lookup(struct sl_visit *visit)
{
    const struct sl_text body = sl_visit_body(visit);

    for (size_t at = 0; at + sizeof(uint32_t) <= body.len; at += sizeof(uint32_t)) {
        uint32_t shelf;
        memcpy(&shelf, body.ptr + at, sizeof shelf);
        sl_visit_row(visit, "rows", &shelf);
    }
    sl_visit_read(visit, answer_lookup);
}

/* Puts 1 on the shelf and answers what is on it then. */
static void look_again(struct sl_visit *visit, const struct sl_visit_outcome *outcomes,
                       size_t count)
{
    const uint32_t *shelf = sl_visit_user(visit);

    (void)outcomes;
    (void)count;
    sl_visit_row(visit, "rows", shelf);
    sl_visit_read(visit, answer_lookup);
}

static uint32_t number_in(struct sl_visit *visit, struct sl_text text)
{
    uint32_t number = 0;

    sl_visit_value(visit, SL_U32, text, &number);
    return number;
}

static void serve_touch(struct sl_visit *visit)
{
    uint32_t *shelf = sl_visit_room(visit, 1, sizeof *shelf);

    *shelf = number_in(visit, sl_visit_part(visit, "shelf"));
    sl_visit_set_user(visit, shelf);
    *(struct putting *)sl_visit_send(visit, "Put", NULL) = (struct putting){*shelf, 1};
    sl_visit_submit(visit, look_again);
}

struct lines {
    char *text;
    size_t len, room;
};

static void add_line(struct lines *lines, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_line(struct lines *lines, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    lines->len += (size_t)vsnprintf(lines->text + lines->len, lines->room - lines->len, format,
                                    arguments);
    va_end(arguments);
}

static void answer_lines_of(struct sl_visit *visit, const struct lines *lines)
{
    sl_visit_answer(visit, 200, "text/plain", (struct sl_text){lines->text, lines->len});
}

static void answer_top(struct sl_visit *visit, const struct sl_visit_page *page)
{
    struct lines lines = {.text = sl_visit_room(visit, 1, 64 << 10), .room = 64 << 10};

    for (size_t i = 0; i < page->count; i++) {
        const struct shelf_row *row = page->rows[i];
        add_line(&lines, "%u %llu\n", row->shelf, (unsigned long long)row->held);
    }
    sl_visit_set_header(visit, "X-Next", page->next);
    answer_lines_of(visit, &lines);
}

static void serve_top(struct sl_visit *visit)
{
    const struct shelf_row full = {.held = CAPACITY};
    const struct sl_visit_list list = {
        .view = "rows",
        .index = "by-held",
        .equal = &full,
        .equal_count = sl_visit_parameter(visit, "full").ptr ? 1 : 0,
        .descending = true,
        .limit = number_in(visit, sl_visit_parameter(visit, "limit")),
        .after = sl_visit_parameter(visit, "after"),
    };

    sl_visit_list(visit, &list, answer_top);
}

static void answer_history(struct sl_visit *visit, const struct sl_visit_events *events)
{
    struct lines lines = {.text = sl_visit_room(visit, 1, 64 << 10), .room = 64 << 10};

    for (size_t i = 0; i < events->count; i++) {
        const struct sl_event *event = &events->events[i];
        const struct putting *putting = event->body;
        add_line(&lines, "%s %u %u\n", event->type->name, putting->shelf, putting->amount);
    }
    add_line(&lines, "%llu%s\n", (unsigned long long)events->next, events->end ? " end" : "");
    answer_lines_of(visit, &lines);
}

static void serve_history(struct sl_visit *visit)
{
    const uint32_t shelf = number_in(visit, sl_visit_part(visit, "shelf"));
    const struct sl_visit_log log = {
        .of = SL_EVENTS_OF_TAG,
        .name = "shelf",
        .key = sl_visit_key(visit, SL_U32, &shelf),
        .from = number_in(visit, sl_visit_parameter(visit, "from")),
        .backwards = sl_visit_parameter(visit, "backwards").ptr != NULL,
        .limit = number_in(visit, sl_visit_parameter(visit, "limit")),
    };

    sl_visit_events(visit, &log, answer_history);
}

static void serve_secret(struct sl_visit *visit)
{
    const uint32_t shelf = 1;

    sl_visit_row(visit, "secret", &shelf);
    sl_visit_read(visit, answer_lookup);
}

static void answer_one(struct sl_visit *visit, const struct sl_visit_outcome *outcomes,
                       size_t count)
{
    (void)count;
    sl_visit_answer_outcome(visit, outcomes);
}

static void serve_one(struct sl_visit *visit)
{
    struct putting *putting = sl_visit_send(visit, "Put", NULL);

    if (!sl_visit_value(visit, SL_U32, sl_visit_part(visit, "shelf"), &putting->shelf) ||
        !sl_visit_value(visit, SL_U32, sl_visit_part(visit, "amount"), &putting->amount))
        sl_visit_problem(visit, 400, "no_number", (struct sl_text){NULL, 0}, SL_TEXT("no number"));
    else
        sl_visit_submit(visit, answer_one);
}

static void serve_get(struct sl_visit *visit)
{
    sl_visit_answer(visit, 200, "text/plain", SL_TEXT("GET"));
}

static void serve_delete(struct sl_visit *visit)
{
    sl_visit_answer(visit, 200, "text/plain", SL_TEXT("DELETE"));
}

/* ---- mistakes/{kind} ------------------------------------------------------------------------- */

static void then_nothing(struct sl_visit *visit, const struct sl_visit_outcome *outcomes,
                         size_t count)
{
    (void)visit;
    (void)outcomes;
    (void)count;
}

static void serve_mistake(struct sl_visit *visit)
{
    const struct sl_text kind = sl_visit_part(visit, "kind");
    const struct sl_text one = SL_TEXT("one"), two = SL_TEXT("two");

    switch (kind.ptr[0]) {
    case 't': /* twice */
        sl_visit_answer(visit, 200, "text/plain", one);
        sl_visit_answer(visit, 500, "text/plain", two);
        break;
    case 'u': /* unknown command */
        sl_visit_send(visit, "Nonsense", NULL);
        sl_visit_submit(visit, then_nothing);
        break;
    case 's': /* status that is none */
        sl_visit_answer(visit, 99, "text/plain", one);
        break;
    case 'l': /* lost behind a submission */
        sl_visit_submit(visit, then_nothing);
        break;
    case 'm': /* more memory than a visit has */
        for (int i = 0; i < 8; i++)
            memset(sl_visit_room(visit, 10, 1 << 20), 'x', 10 << 20);
        sl_visit_answer(visit, 200, "text/plain", one);
        break;
    default: /* never */
        break;
    }
}

static const struct sl_domain shelves_domain = {
    .name = "shelves",
    .commands = SL_LIST(const struct sl_command,
                        {"Put", &putting_record, decide_put,
                         SL_LIST(const struct sl_need, {&shelves, "shelf"})},
                        {"Clear", &putting_record, decide_clear,
                         SL_LIST(const struct sl_need, {&shelves, "shelf"}), .roles = "keeper"}),
    .events = SL_LIST(const struct sl_event_type *const, &thing_put, &shelf_cleared),
    .views = SL_LIST(const struct sl_view,
                     {"rows", &shelf_row_record, "shelf", project_shelf,
                      SL_LIST(const struct sl_index, {"by-held", "held, shelf"})},
                     {"kept", &shelf_row_record, "shelf", project_shelf, .temporal = true},
                     {"secret", &shelf_row_record, "shelf", project_shelf, .strong = true,
                      .roles = "auditor"}),
    .routes = SL_LIST(
        const struct sl_route,
        {.method = "POST", .path = "batch/{operation}", .serve = serve_batch,
         .content_type = "application/octet-stream", .answer_type = "application/octet-stream",
         .body_max = 8189 * sizeof(struct wire_put), .help = "Puts or clears, in order."},
        {.method = "POST", .path = PUT_LINE, .serve = serve_lines, .parameters = "db precision",
         .content_type = "text/plain", .roles = "keeper", .help = "Lines of shelf and amount."},
        {.method = "POST", .path = "lookup", .serve = serve_lookup,
         .content_type = "application/octet-stream", .answer_type = "application/octet-stream",
         .help = "Rows by their shelves."},
        {.method = "PUT", .path = "touch/{shelf}", .serve = serve_touch},
        {.method = "GET", .path = "top", .serve = serve_top, .answer_type = "text/plain",
         .parameters = "limit after full"},
        {.method = "GET", .path = "history/{shelf}", .serve = serve_history,
         .answer_type = "text/plain", .parameters = "from limit backwards"},
        {.method = "GET", .path = "open-history/{shelf}", .serve = serve_history,
         .answer_type = "text/plain", .parameters = "from limit backwards", .roles = "user"},
        {.method = "GET", .path = "hidden", .serve = serve_secret},
        {.method = "PUT", .path = "one/{shelf}/{amount}", .serve = serve_one},
        {.method = "GET", .path = "thing", .serve = serve_get},
        {.method = "DELETE", .path = "thing", .serve = serve_delete},
        {.method = "GET", .path = "mistakes/{kind}", .serve = serve_mistake}),
};

SL_EXPORT_DOMAIN(shelves_domain);
