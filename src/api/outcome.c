#include "api/parts.h"

#include <stdlib.h>
#include <string.h>

#include "command/digest.h"
#include "record/value.h"

void api_digest(const struct sl_core_domain *domain, struct sl_text body,
                struct sl_submission *submission)
{
    const char *name = submission->command->name;
    const struct sl_text who = submission->principal->name;
    const struct sl_slice parts[] = {
        {(const uint8_t *)name, strlen(name) + 1},
        {(const uint8_t *)who.ptr, who.len},
        {(const uint8_t *)"", 1},
        {(const uint8_t *)body.ptr, body.len},
    };

    submission->digest = sl_core_digest(domain, parts, sizeof parts / sizeof *parts);
    submission->plain_digest = sl_digest_plain(parts, sizeof parts / sizeof *parts);
}

static void write_events(const struct sl_outcome *outcome, struct sl_buf *out)
{
    SL_BUF_LITERAL(out, ",\"events\":[");
    for (size_t i = 0; i < outcome->event_count; i++) {
        const struct sl_event_made *event = &outcome->events[i];
        if (i > 0)
            sl_buf_byte(out, ',');
        SL_BUF_LITERAL(out, "{\"type\":");
        sl_json_write_text(out, event->type);
        SL_BUF_LITERAL(out, ",\"stream\":");
        sl_json_write_text(out, event->stream);
        SL_BUF_LITERAL(out, ",\"revision\":");
        sl_buf_u64(out, event->revision);
        sl_buf_byte(out, '}');
    }
    SL_BUF_LITERAL(out, "]");
}

static void write_refusal(struct sl_core_domain *domain, const struct sl_outcome *outcome,
                          struct sl_buf *out)
{
    uint8_t room[160];
    /* A UUID and a token fit into it: neither allocates. */
    struct sl_buf texts = {.ptr = room, .capacity = sizeof room, .bytes_max = sizeof room};

    sl_value_write_uuid(&texts, outcome->id);
    const size_t id_len = texts.len;
    sl_core_token(domain, outcome->position, &texts);
    sl_problem_write(
        out, &(struct sl_problem){.status = outcome->status,
                                  .rule = outcome->rule,
                                  .field = outcome->field,
                                  .detail = outcome->message,
                                  .id = {(const char *)room, id_len},
                                  .position = {(const char *)room + id_len, texts.len - id_len}});
}

void api_write_outcome(struct sl_core_domain *domain, const struct sl_outcome *outcome,
                       bool in_array, struct sl_buf *out)
{
    if (outcome->status != 201 && outcome->status != 202) {
        write_refusal(domain, outcome, out);
        return;
    }
    if (in_array) {
        SL_BUF_LITERAL(out, "{\"status\":");
        sl_buf_i64(out, outcome->status);
        SL_BUF_LITERAL(out, ",\"id\":\"");
    } else {
        SL_BUF_LITERAL(out, "{\"id\":\"");
    }
    sl_value_write_uuid(out, outcome->id);
    SL_BUF_LITERAL(out, "\",\"position\":\"");
    sl_core_token(domain, outcome->position, out);
    sl_buf_byte(out, '"');
    write_events(outcome, out);
    sl_buf_byte(out, '}');
}

void api_write_broken(const struct sl_broken_rule *broken, struct sl_text id, struct sl_buf *out)
{
    sl_problem_write(out, &(struct sl_problem){.status = 400,
                                               .rule = api_text(broken->rule),
                                               .field = api_text(broken->field),
                                               .detail = api_text(broken->message),
                                               .id = id});
}

void api_saw_rule(struct sl_api *api, const struct sl_domain *domain, struct sl_text rule)
{
    if (rule.len == 0 || rule.len >= sizeof api->seen->name || sl_rule_find(rule))
        return;
    for (size_t i = 0; i < api->seen_count; i++)
        if (api->seen[i].domain == domain && sl_text_equals(api_text(api->seen[i].name), rule))
            return;
    if (!api->seen)
        api->seen = calloc(API_RULES_SEEN_MAX, sizeof *api->seen);
    if (!api->seen || api->seen_count == API_RULES_SEEN_MAX)
        return;
    struct api_seen_rule *seen = &api->seen[api->seen_count++];
    seen->domain = domain;
    memcpy(seen->name, rule.ptr, rule.len);
}
