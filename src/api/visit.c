/* A visit from its first turn to its answer; what was asked; see visit.h. */
#include "api/visit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "record/json.h"
#include "record/kinds.h"
#include "record/value.h"

enum { BODY_BYTES_DEFAULT = 1 << 20 };

/* ---- Turns --------------------------------------------------------------------------------- */

bool visit_wishes(struct sl_visit *visit, enum visit_wish wish)
{
    if (visit->wish != VISIT_NOTHING) {
        visit_fault(visit, false);
        return false;
    }
    visit->wish = wish;
    return true;
}

void visit_saw(struct sl_visit *visit, uint64_t position)
{
    if (!visit->has_position || position > visit->position)
        visit->position = position;
    visit->has_position = true;
}

void visit_fault(struct sl_visit *visit, bool broken)
{
    visit->own->faults++;
    if (broken)
        visit_refuse(visit, "route_failed", VISIT_NO_POSITION, "the domain's route made a mistake");
}

void visit_refuse(struct sl_visit *visit, const char *rule, uint64_t position, const char *format,
                  ...)
{
    struct visit_refusal *refusal = &visit->refusal;
    va_list arguments;

    if (refusal->rule)
        return;
    refusal->rule = rule;
    refusal->position = position;
    va_start(arguments, format);
    vsnprintf(refusal->detail, sizeof refusal->detail, format, arguments);
    va_end(arguments);
}

bool visit_may(struct sl_visit *visit, const struct sl_deed *deed)
{
    const enum sl_permission permission = sl_auth_may(visit->call->who, deed);

    if (permission == SL_PERMITTED)
        return true;
    if (permission == SL_UNKNOWN_ASKER)
        visit_refuse(visit, "unauthorized", VISIT_NO_POSITION, "this takes a token");
    else
        visit_refuse(visit, "forbidden", VISIT_NO_POSITION, "this takes a role among: %s",
                     deed->roles ? deed->roles : "admin");
    return false;
}

static void waits_cancelled(struct api_call *call)
{
    struct sl_visit *visit = call->work;

    visit_reads_cancel(visit);
    visit_logs_cancel(visit);
    visit_logs_close(visit);
}

void visit_waits(struct sl_visit *visit)
{
    api_wait(visit->call, waits_cancelled, visit);
}

/* The answer takes back the request's memory, and with it the visit. */
static void send_refusal(struct sl_visit *visit)
{
    const struct visit_refusal refusal = visit->refusal;

    visit_logs_close(visit);
    if (refusal.position == VISIT_NO_POSITION)
        api_refuse(visit->call, refusal.rule, NULL, "%s", refusal.detail);
    else
        api_refuse_at(visit->call, refusal.rule, refusal.position, refusal.detail);
}

static void send_answer(struct sl_visit *visit)
{
    struct api_call *call = visit->call;
    struct sl_buf *headers = api_headers(call);

    visit_logs_close(visit);
    if (visit->has_position)
        api_header_position(call, visit->position);
    if (visit->status == 503 && !visit->retry_is_said)
        SL_BUF_LITERAL(headers, "Retry-After: 1\r\n");
    sl_buf_text(headers, visit->headers);
    api_send(call, visit->status, visit->type, sl_buf_as_text(&call->api->out));
}

/* One turn, and what follows from it. False: the visit is over, and gone. */
static bool take_turn(struct sl_visit *visit)
{
    visit->wish = VISIT_NOTHING;
    if (!visit->refusal.rule && !visit->failed) {
        visit->turn(visit);
        if (visit->wish == VISIT_NOTHING && !visit->refusal.rule && !visit->failed)
            visit_fault(visit, true);
    }
    if (visit->refusal.rule) {
        send_refusal(visit);
        return false;
    }
    if (visit->failed) {
        visit_logs_close(visit);
        api_no_memory(visit->call);
        return false;
    }
    if (visit->wish == VISIT_ANSWER) {
        send_answer(visit);
        return false;
    }
    visit->begin(visit);
    return true;
}

void visit_go_on(struct sl_visit *visit)
{
    visit->due = true;
    if (visit->in_turn)
        return;
    visit->in_turn = true;
    while (visit->due) {
        visit->due = false;
        if (!take_turn(visit))
            return;
    }
    visit->in_turn = false;
}

/* ---- The way in ---------------------------------------------------------------------------- */

static bool is_word_of(const char *words, struct sl_text name)
{
    return sl_auth_has_word(api_text(words), name);
}

static bool knows_parameters(struct api_call *call, const struct sl_route *route)
{
    struct sl_text rest = call->request->query, name, value;
    const char *known = route->parameters ? route->parameters : "";
    bool broken = false;

    if (strcmp(known, "*") == 0)
        return true;
    while (sl_url_pair(&rest, call->request->arena, &name, &value, &broken)) {
        if (is_word_of(known, name) || sl_text_equals(name, SL_TEXT("min_position")))
            continue;
        api_refuse(call, "unknown_parameter", NULL, "no parameter %.*s here; there are: %s",
                   (int)(name.len < 64 ? name.len : 64), name.ptr, known);
        return false;
    }
    if (broken)
        api_refuse(call, "bad_query", NULL, "behind a %% come two hex digits, and texts are UTF-8");
    return !broken;
}

static bool takes_body(struct api_call *call, const struct sl_route *route)
{
    const size_t body_max = route->body_max ? route->body_max : BODY_BYTES_DEFAULT;

    if (route->content_type &&
        !sl_url_accepts(sl_request_header(call->request, "content-type"), route->content_type)) {
        api_refuse(call, "unsupported_media_type", NULL, "bodies here are %s", route->content_type);
        return false;
    }
    if (call->request->body.len > body_max) {
        api_refuse(call, "body_too_large", NULL, "a body here has at most %zu bytes", body_max);
        return false;
    }
    return true;
}

void api_visit(struct api_call *call)
{
    struct sl_own_route *own = call->own;
    struct sl_visit *visit;
    struct sl_uuid id;
    uint64_t wanted;
    int64_t until_ns;

    if (!knows_parameters(call, own->route) || !takes_body(call, own->route) ||
        !api_wanted_id(call, &id) || !api_wanted_position(call, &wanted) ||
        !api_wanted_deadline(call, &until_ns))
        return;
    visit = sl_arena_zeroed(call->request->arena, 1, sizeof *visit);
    if (!visit) {
        api_no_memory(call);
        return;
    }
    own->visits++;
    visit->call = call;
    visit->own = own;
    visit->wanted = wanted;
    visit->until_ns = until_ns;
    visit->turn = own->route->serve;
    visit_commands_begin(visit, id);
    visit_go_on(visit);
}

/* ---- What was asked ------------------------------------------------------------------------ */

struct sl_text sl_visit_part(struct sl_visit *visit, const char *name)
{
    struct sl_request *request = visit->call->request;
    const struct sl_text raw = sl_own_part(visit->own->pattern, request->raw_path, name);

    if (!raw.ptr) {
        visit_fault(visit, true);
        return raw;
    }
    const struct sl_text part = sl_request_decode(request, raw);
    if (!part.ptr)
        visit->failed = true;
    return part;
}

struct sl_text sl_visit_parameter(struct sl_visit *visit, const char *name)
{
    return sl_request_query(visit->call->request, name);
}

struct sl_text sl_visit_header(struct sl_visit *visit, const char *name)
{
    return sl_request_header(visit->call->request, name);
}

struct sl_text sl_visit_body(struct sl_visit *visit)
{
    return visit->call->request->body;
}

const struct sl_principal *sl_visit_principal(struct sl_visit *visit)
{
    return visit->call->who;
}

bool sl_visit_value(struct sl_visit *visit, enum sl_kind kind, struct sl_text text, void *out)
{
    const struct sl_field field = {
        .name = "value", .kind = kind, .size = (uint32_t)sl_kind_size(kind)};

    return text.ptr && sl_kind_size(kind) > 0 && kind != SL_MONEY && kind != SL_LIST_KIND &&
           sl_value_read(&field, text, visit->call->request->arena, out);
}

struct sl_time sl_visit_now(struct sl_visit *visit)
{
    return sl_env_now(visit->call->api->options.env);
}

/* ---- What a handler keeps ------------------------------------------------------------------ */

void *visit_spoil(struct sl_visit *visit, size_t size)
{
    void *spare = visit->call->api->visit_spare;

    SL_ASSERT(size <= SL_VISIT_ROOM_BYTES_MAX, "M1");
    visit->failed = true;
    memset(spare, 0, size);
    return spare;
}

void *sl_visit_room(struct sl_visit *visit, size_t count, size_t size)
{
    size_t bytes;

    SL_ASSERT(!__builtin_mul_overflow(count, size, &bytes) && bytes <= SL_VISIT_ROOM_BYTES_MAX,
              "M1");
    void *room = sl_arena_zeroed(visit->call->request->arena, count, size);
    return room ? room : visit_spoil(visit, bytes);
}

void sl_visit_set_user(struct sl_visit *visit, void *user)
{
    visit->user = user;
}

void *sl_visit_user(struct sl_visit *visit)
{
    return visit->user;
}

/* ---- The answer ---------------------------------------------------------------------------- */

void sl_visit_set_header(struct sl_visit *visit, const char *name, struct sl_text value)
{
    struct sl_arena *arena = visit->call->request->arena;
    struct sl_text line = sl_arena_text(arena, value);

    for (size_t i = 0; line.ptr && i < line.len; i++) {
        char *at = (char *)(uintptr_t)&line.ptr[i];
        if ((uint8_t)*at < ' ' || *at == 0x7f)
            *at = ' ';
    }
    if (line.ptr)
        line = sl_arena_printf(arena, "%.*s%s: %.*s\r\n", (int)visit->headers.len,
                               visit->headers.ptr ? visit->headers.ptr : "", name, (int)line.len,
                               line.ptr);
    visit->retry_is_said = visit->retry_is_said || strcasecmp(name, "Retry-After") == 0;
    if (line.ptr)
        visit->headers = line;
    else
        visit->failed = true;
}

/* The buffer for the answer's body; NULL: this is none, or not the first. */
static struct sl_buf *begin_answer(struct sl_visit *visit, int status, const char *type)
{
    struct sl_buf *out = &visit->call->api->out;

    if (status < 200 || status > 599) {
        visit_fault(visit, true);
        return NULL;
    }
    if (!visit_wishes(visit, VISIT_ANSWER))
        return NULL;
    visit->status = status;
    visit->type = type;
    sl_buf_reset(out);
    return out;
}

void sl_visit_answer(struct sl_visit *visit, int status, const char *content_type,
                     struct sl_text body)
{
    struct sl_buf *out = begin_answer(visit, status, content_type);

    if (!out)
        return;
    sl_buf_text(out, body);
    visit->failed = visit->failed || out->failed;
}

void sl_visit_answer_record(struct sl_visit *visit, int status, const struct sl_record *record,
                            const void *item)
{
    struct sl_buf *out = begin_answer(visit, status, API_JSON);

    if (!out)
        return;
    sl_json_write(out, record, item);
    visit->failed = visit->failed || out->failed;
}

void sl_visit_problem(struct sl_visit *visit, int status, const char *rule, struct sl_text field,
                      struct sl_text detail)
{
    struct api_call *call = visit->call;
    struct sl_buf *out = begin_answer(visit, status, "application/problem+json");

    if (!out)
        return;
    sl_problem_write(
        out, &(struct sl_problem){
                 .status = status, .rule = api_text(rule), .field = field, .detail = detail});
    visit->failed = visit->failed || out->failed;
    api_saw_rule(call->api, visit->own->domain, api_text(rule));
}
