/*
 * POST /{domain}/{Command}: one command, or an array of independent ones.
 *
 * All items of an array are handed to the engine before any is answered, so that they share a
 * batch. Each has an id of its own, made from the request's and its place, so that the request as a
 * whole can be repeated. The answer has an outcome per item, in order; `waiting` counts those still
 * to come, and one more while items are being handed over, because a refusal may come at once.
 */
#include "api/parts.h"

#include <string.h>

#include "record/value.h"

struct post {
    struct api_call *call;
    struct sl_submission *submissions;
    struct sl_text *answers; /* of an array, by item */
    size_t count;
    size_t waiting;
    uint64_t position; /* the greatest of the outcomes' */
    bool any;          /* is there an outcome with a position? */
};

static void send_array(struct post *post)
{
    struct api_call *call = post->call;
    struct sl_buf *out = &call->api->out;

    sl_buf_reset(out);
    sl_buf_byte(out, '[');
    for (size_t i = 0; i < post->count; i++) {
        if (i > 0)
            sl_buf_byte(out, ',');
        sl_buf_text(out, post->answers[i]);
    }
    sl_buf_byte(out, ']');
    if (out->failed) {
        api_no_memory(call);
        return;
    }
    api_headers(call);
    if (post->any)
        api_header_position(call, post->position);
    api_send(call, 200, API_JSON, sl_buf_as_text(out));
}

static void item_done(struct post *post)
{
    if (--post->waiting == 0)
        send_array(post);
}

static void note_outcome(struct api_call *call, const struct sl_outcome *outcome)
{
    if (outcome->status == 422)
        api_saw_rule(call->api, sl_core_domain_of(call->domain), outcome->rule);
}

/* What an item is told when there is no memory for more. */
static struct sl_text bare_status(int status)
{
    switch (status) {
    case 201:
        return SL_TEXT("{\"status\":201}");
    case 202:
        return SL_TEXT("{\"status\":202}");
    case 409:
        return SL_TEXT("{\"status\":409}");
    case 413:
        return SL_TEXT("{\"status\":413}");
    case 422:
        return SL_TEXT("{\"status\":422}");
    default:
        return SL_TEXT("{\"status\":503}");
    }
}

static void array_item_done(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct post *post = submission->user;
    struct api_call *call = post->call;
    struct sl_buf *out = &call->api->out;
    const size_t place = (size_t)(submission - post->submissions);

    note_outcome(call, outcome);
    sl_buf_reset(out);
    api_write_outcome(call->domain, outcome, true, out);
    post->answers[place] = sl_arena_text(call->request->arena, sl_buf_as_text(out));
    if (!post->answers[place].ptr || out->failed)
        post->answers[place] = bare_status(outcome->status);
    if (!post->any || outcome->position > post->position)
        post->position = outcome->position;
    post->any = true;
    item_done(post);
}

static void single_done(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct post *post = submission->user;
    struct api_call *call = post->call;
    struct sl_buf *out = &call->api->out;
    const bool good = outcome->status == 201 || outcome->status == 202;

    note_outcome(call, outcome);
    sl_buf_reset(out);
    api_write_outcome(call->domain, outcome, false, out);
    api_headers(call);
    api_header_position(call, outcome->position);
    if (outcome->repeated)
        SL_BUF_LITERAL(&call->api->headers, "Idempotent-Replayed: true\r\n");
    if (outcome->status == 503)
        SL_BUF_LITERAL(&call->api->headers, "Retry-After: 1\r\n");
    api_send(call, outcome->status, good ? API_JSON : "application/problem+json",
             sl_buf_as_text(out));
}

/* ---- What the headers say ------------------------------------------------------------------ */

static bool is_json(struct sl_text type)
{
    return sl_url_accepts(type, API_JSON);
}

/* A structured field's string has quotes; a bare text is taken as well. */
static struct sl_text unquoted(struct sl_text text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        return (struct sl_text){text.ptr + 1, text.len - 2};
    return text;
}

bool api_wanted_id(struct api_call *call, struct sl_uuid *out)
{
    const struct sl_text header = sl_request_header(call->request, "idempotency-key");
    const struct sl_text text = unquoted(header);

    if (!header.ptr) {
        *out = sl_env_uuid(call->api->options.env);
        return true;
    }
    if (text.len == 0 || text.len > API_ID_BYTES_MAX) {
        api_refuse(call, "bad_id", NULL, "an id has 1 to %d bytes", API_ID_BYTES_MAX);
        return false;
    }
    *out = sl_command_id(text);
    if (sl_uuid_is_nil(*out)) {
        api_refuse(call, "bad_id", NULL, "the nil UUID is no id");
        return false;
    }
    return true;
}

static bool wanted_revision(struct api_call *call, struct sl_submission *out)
{
    const struct sl_text text = sl_request_header(call->request, "sluice-expected-revision");
    uint64_t revision = 0;

    if (!text.ptr)
        return true;
    out->has_expected = true;
    if (sl_text_equals(text, SL_TEXT("none")))
        return true;
    if (!sl_url_number(text, &revision) || revision == UINT64_MAX) {
        api_refuse(call, "bad_revision", NULL, "a revision is a number from 0, or none");
        return false;
    }
    out->expected_events = revision + 1;
    return true;
}

static bool bad_condition(struct api_call *call, const char *why)
{
    api_refuse(call, "bad_condition", NULL, "Sluice-Unless-Tagged: %s", why);
    return false;
}

static bool is_tag(struct sl_text text)
{
    const char *colon = memchr(text.ptr, ':', text.len);

    if (!colon || colon == text.ptr || text.len > API_TAG_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '/' || text.ptr[i] == ';')
            return false;
    return true;
}

/* "account:7 account:8": into the request's memory, since headers may move. */
static bool take_tags(struct api_call *call, struct sl_text list, struct sl_submission *out)
{
    struct sl_arena *arena = call->request->arena;
    struct sl_text *tags = sl_arena_zeroed(arena, SL_UNLESS_TAGS_MAX, sizeof *tags);

    list = sl_arena_text(arena, list);
    if (!tags || !list.ptr) {
        api_no_memory(call);
        return false;
    }
    for (size_t at = 0, end; at < list.len; at = end + 1) {
        for (end = at; end < list.len && list.ptr[end] != ' ';)
            end++;
        if (end == at)
            continue;
        const struct sl_text tag = {list.ptr + at, end - at};
        if (!is_tag(tag))
            return bad_condition(call, "a tag looks like account:7 and has at most 128 bytes");
        if (out->unless_tag_count == SL_UNLESS_TAGS_MAX)
            return bad_condition(call, "there may be at most 16 tags");
        tags[out->unless_tag_count++] = tag;
    }
    out->unless_tagged = tags;
    return out->unless_tag_count > 0 || bad_condition(call, "it names no tag");
}

/* Sluice-Unless-Tagged: account:7 account:8; since=bank:0123456789abcdef:42 */
static bool wanted_condition(struct api_call *call, struct sl_submission *out)
{
    const struct sl_text text = sl_request_header(call->request, "sluice-unless-tagged");

    if (!text.ptr)
        return true;
    const char *semicolon = memchr(text.ptr, ';', text.len);
    const size_t tags_len = semicolon ? (size_t)(semicolon - text.ptr) : text.len;
    struct sl_text since = {text.ptr + tags_len, text.len - tags_len};
    if (!take_tags(call, (struct sl_text){text.ptr, tags_len}, out))
        return false;
    if (!semicolon)
        return true;
    do {
        since.ptr++;
        since.len--;
    } while (since.len > 0 && *since.ptr == ' ');
    if (since.len < 6 || memcmp(since.ptr, "since=", 6) != 0)
        return bad_condition(call, "behind the semicolon stands since= and a position");
    return api_read_position(call, unquoted((struct sl_text){since.ptr + 6, since.len - 6}),
                             &out->unless_since);
}

/* ---- One ----------------------------------------------------------------------------------- */

static void refuse_body(struct api_call *call, enum sl_err err, const struct sl_broken_rule *broken)
{
    struct sl_buf *out = &call->api->out;

    if (err != SL_INVALID) {
        api_no_memory(call);
        return;
    }
    sl_buf_reset(out);
    api_write_broken(broken, (struct sl_text){NULL, 0}, out);
    api_answer(call, 400, "application/problem+json", sl_buf_as_text(out));
}

static void post_single(struct api_call *call, struct sl_submission *pattern)
{
    struct sl_arena *arena = call->request->arena;
    const struct sl_record *record = call->command->record;
    struct post *post = sl_arena_zeroed(arena, 1, sizeof *post);
    struct sl_submission *submission = sl_arena_zeroed(arena, 1, sizeof *submission);
    void *body = sl_arena_zeroed(arena, 1, record->size);
    struct sl_broken_rule broken;

    if (!post || !submission || !body) {
        api_no_memory(call);
        return;
    }
    const enum sl_err err =
        sl_json_read(call->api->parser, record, call->request->body, arena, body, &broken);
    if (err != SL_OK) {
        refuse_body(call, err, &broken);
        return;
    }
    *submission = *pattern;
    submission->body = body;
    submission->done = single_done;
    submission->user = post;
    *post = (struct post){.call = call, .submissions = submission, .count = 1, .waiting = 1};
    sl_core_submit(call->domain, submission);
}

/* ---- Many ---------------------------------------------------------------------------------- */

static struct sl_text broken_item(struct api_call *call, const struct sl_broken_rule *broken,
                                  struct sl_uuid id)
{
    struct sl_buf *out = &call->api->out;
    struct sl_buf text = {0};

    sl_value_write_uuid(&text, id);
    sl_buf_reset(out);
    api_write_broken(broken, sl_buf_as_text(&text), out);
    sl_buf_close(&text);
    return sl_arena_text(call->request->arena, sl_buf_as_text(out));
}

static void post_items(struct post *post, const struct sl_submission *pattern, const uint8_t *items,
                       const struct sl_broken_rule *broken)
{
    struct api_call *call = post->call;

    post->waiting = post->count + 1;
    for (size_t i = 0; i < post->count; i++) {
        struct sl_submission *submission = &post->submissions[i];
        *submission = *pattern;
        submission->id = sl_command_item_id(pattern->id, i);
        submission->body = items + i * call->command->record->size;
        submission->done = array_item_done;
        submission->user = post;
        if (broken[i].rule[0]) {
            post->answers[i] = broken_item(call, &broken[i], submission->id);
            item_done(post);
        } else {
            sl_core_submit(call->domain, submission);
        }
    }
    item_done(post);
}

static void post_array(struct api_call *call, const struct sl_submission *pattern)
{
    struct sl_arena *arena = call->request->arena;
    struct sl_broken_rule *broken = NULL;
    struct sl_broken_rule whole;
    void *items = NULL;
    size_t count = 0;
    const enum sl_err err =
        sl_json_read_array(call->api->parser, call->command->record, call->request->body,
                           API_ITEMS_MAX, arena, &items, &broken, &count, &whole);

    if (err == SL_LIMIT) {
        api_refuse(call, "too_many_items", NULL, "an array holds at most %d commands",
                   API_ITEMS_MAX);
        return;
    }
    if (err != SL_OK) {
        refuse_body(call, err, &whole);
        return;
    }
    if (pattern->has_expected) {
        api_refuse(call, "bad_revision", NULL, "an array's items are independent of a revision");
        return;
    }
    if (pattern->unless_tag_count > 0) {
        bad_condition(call, "an array's items are independent of it");
        return;
    }
    struct post *post = sl_arena_zeroed(arena, 1, sizeof *post);
    if (post) {
        post->call = call;
        post->count = count;
        post->submissions = sl_arena_zeroed(arena, count + 1, sizeof *post->submissions);
        post->answers = sl_arena_zeroed(arena, count + 1, sizeof *post->answers);
    }
    if (!post || !post->submissions || !post->answers)
        api_no_memory(call);
    else
        post_items(post, pattern, items, broken);
}

void api_post_command(struct api_call *call)
{
    struct sl_submission pattern = {
        .command = call->command,
        .principal = call->who,
    };

    api_digest(call->domain, call->request->body, &pattern);
    if (!is_json(sl_request_header(call->request, "content-type"))) {
        api_refuse(call, "unsupported_media_type", NULL, "commands are sent as " API_JSON);
        return;
    }
    if (!api_wanted_id(call, &pattern.id) || !wanted_revision(call, &pattern) ||
        !wanted_condition(call, &pattern))
        return;
    if (sl_json_is_array(call->request->body))
        post_array(call, &pattern);
    else
        post_single(call, &pattern);
}
