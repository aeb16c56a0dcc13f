#include "api/problem.h"

#include <string.h>

#include "record/json.h"

static const struct sl_rule rules[] = {
    /* What a body is refused by before any decision: its record's rules. */
    {"required", 400, "A field is missing", "A required field is absent, null or empty.",
     "Send the field named in `field`."},
    {"range", 400, "A number is out of range",
     "A number lies outside of the range that its field allows.",
     "Choose a value in the range that `detail` names."},
    {"length", 400, "A text or list is too long or too short",
     "A text has more or fewer bytes, or a list more or fewer items, than its field allows.",
     "See `detail` for the limit."},
    {"type", 400, "A value has the wrong type", "For instance a text where a number is expected.",
     "See the command's schema in /openapi.json."},
    {"unknown_field", 400, "There is no such field",
     "The body has a field that the command does not know. Nothing is ignored in silence.",
     "Correct the name, or leave the field out; the schema is in /openapi.json."},
    {"duplicate_field", 400, "A field stands twice",
     "The same name occurs twice in one object, so that nobody can say which value is meant.",
     "Send it once."},
    {"enum", 400, "A word is not among the choices", "The field takes one of a fixed set of words.",
     "Choose one of those that `detail` names."},
    {"format", 400, "A text has the wrong form",
     "For instance a date that is not YYYY-MM-DD, or a UUID that is none.",
     "See `detail` for the form."},
    {"syntax", 400, "The body is not JSON", "The body breaks the grammar of JSON (RFC 8259).",
     "Check quotes, commas and brackets at the place that `detail` names."},
    {"depth", 400, "The body is nested too deeply",
     "Objects and lists may lie at most 32 deep in each other.", "Send a flatter document."},
    {"utf8", 400, "The body is not UTF-8", "JSON is exchanged in UTF-8.",
     "Encode the body as UTF-8."},

    /* What the engine answers. */
    {"id_reused", 422, "The id was used for something else",
     "A command with this id has been carried out, with another body, by another name or by "
     "somebody else. Nothing was done now.",
     "Use a new Idempotency-Key for a new command; repeat a command with exactly the same body."},
    {"id_too_old", 422, "The id is older than the window",
     "Ids are remembered for a time (24 hours unless configured). An id that says itself that it "
     "is older cannot be checked any more.",
     "Look whether the command was carried out, then send it with a new id."},
    {"unexpected_revision", 409, "The stream stands at another revision",
     "Sluice-Expected-Revision names a revision that the stream has left, or not reached.",
     "Read the present state, decide anew, and send the revision you saw."},
    {"overloaded", 503, "Too many commands are waiting",
     "The queue of commands is full. Nothing was done.",
     "Send it again, with the same id, after Retry-After seconds."},
    {"closing", 503, "The server is stopping",
     "It finishes what is under way and takes nothing more. Nothing was done.",
     "Send it again, with the same id, when the server is back."},
    {"not_ready", 503, "The server is starting", "Logs are being recovered. Nothing was done.",
     "Wait for /readyz, then send it again with the same id."},
    {"log_failed", 503, "The log could not be written",
     "The disk or store refused the write, and the command is for certain not carried out.",
     "See /admin/status for the reason; then send it again with the same id."},
    {"outcome_unknown", 503, "Nobody knows the outcome",
     "The log failed while it was written. The command is carried out, or not at all.",
     "Send it again with the same id: it is carried out once, however often it is sent."},
    {"too_large", 413, "More than a command may be",
     "The command would touch or make more than a command may: 8,190 events, 16 MiB.",
     "Send it in parts."},

    /* What the doors refuse. */
    {"not_found", 404, "There is nothing at this address",
     "The path is none that this server knows.",
     "GET / lists the domains; GET /{domain} lists its commands and views."},
    {"unknown_domain", 404, "There is no such domain", "This server has no domain of this name.",
     "GET / lists the domains."},
    {"unknown_command", 404, "There is no such command",
     "The domain has no command of this name. Names are CamelCase.",
     "GET /{domain} lists its commands."},
    {"unknown_view", 404, "There is no such view",
     "The domain has no view of this name. Names are lower-case.",
     "GET /{domain} lists its views."},
    {"no_row", 404, "There is no such row",
     "The view has no row with this key, as of the position in Sluice-Position.",
     "After a command, ask with its position token (min_position=…) so that the view has caught "
     "up."},
    {"no_stream", 404, "There is no such stream", "No event was ever written to this stream.",
     "Streams are named aggregate/key, as events say in their `stream`."},
    {"method_not_allowed", 405, "The method does not fit the address",
     "Commands take POST, everything else GET and HEAD.", "See the Allow header."},
    {"unsupported_media_type", 415, "The body is of another type", "Commands are sent as JSON.",
     "Send Content-Type: application/json."},
    {"unauthorized", 401, "Say who you are", "This needs a token, or the one sent is not known.",
     "Send Authorization: Bearer TOKEN. The admin's token is in the file admin.token of the data "
     "folder."},
    {"forbidden", 403, "You may not do this", "The token's roles do not allow it.",
     "Ask whoever keeps the configuration for one of the needed roles."},
    {"unknown_host", 403, "The Host header is none of this server's names",
     "Requests must name localhost, 127.0.0.1, [::1] or a configured host, so that no other site "
     "can use this server through a browser.",
     "Add the name to `hosts` in [auth] of sluice.conf."},
    {"foreign_origin", 403, "A page of another site sent this",
     "The Origin header names a site that is not this server's own and not configured.",
     "Add it to `origins` in [auth] of sluice.conf, if its pages may use this server."},
    {"bad_id", 400, "The Idempotency-Key is none", "An id has 1 to 256 bytes.",
     "Send a UUID, or any text of at most 256 bytes."},
    {"bad_revision", 400, "Sluice-Expected-Revision is none",
     "It is a number from 0, or \"none\" for a stream that must not exist yet.",
     "Send the revision of the last event that you saw in the stream."},
    {"bad_position", 400, "The position token is none",
     "A token is what Sluice-Position and `position` say, unchanged.", "Send it as it came."},
    {"other_domain", 400, "The position is of another domain",
     "Each domain has a log of its own; its positions mean nothing to another.",
     "Send the token of this domain."},
    {"other_history", 409, "The position is of another history",
     "The log was restored from a backup or taken over, and does not have what this token speaks "
     "of.",
     "Drop what was read with it and start again from the present state."},
    {"position_not_reached", 504, "The position was not reached in time",
     "The view or log has not come as far as the token says; `position` tells how far it is.",
     "Ask again, or wait longer with Sluice-Timeout (milliseconds, at most 60,000)."},
    {"bad_timeout", 400, "Sluice-Timeout is none",
     "It is a number of milliseconds, at most 60,000.", "Send such a number."},
    {"bad_query", 400, "The query cannot be read",
     "Something behind the question mark is malformed or has a value that its name does not allow.",
     "See `field` and `detail`."},
    {"unknown_parameter", 400, "There is no such parameter", "Nothing is ignored in silence.",
     "See `detail` for those that this address knows."},
    {"no_index", 400, "No index serves this list",
     "A list is filtered by the leading fields of one of the view's indexes.",
     "GET /{domain} shows the indexes and their fields."},
    {"no_search", 400, "The view has no search", "Only views that say so can be searched with q=.",
     "GET /{domain} shows which can."},
    {"bad_cursor", 400, "The cursor is none",
     "`after` takes what `next` of an earlier answer said, unchanged.",
     "Start again without `after`."},
    {"too_many_items", 413, "Too many items in one request",
     "An array holds at most 8,190 commands.", "Send several requests."},
    {"view_failed", 503, "The view cannot answer",
     "Its store failed, or its projection gave up on an event.",
     "See /admin/status for the reason."},
    {"store_failed", 503, "The log cannot be read", "The disk or store failed.",
     "See /admin/status for the reason."},
    {"no_memory", 503, "A memory limit was reached",
     "The answer or the request does not fit into what one may take.", "Ask for less at once."},
    {"bad_command", 400, "The command line is malformed",
     "SLUICE.DO takes domain.Command, a JSON object, and perhaps ID and a text.",
     "SLUICE.DO bank.OpenAccount {\"id\":\"C1\"} ID my-id"},
};

enum { RULES = sizeof rules / sizeof *rules };

const struct sl_rule *sl_rule_find(struct sl_text name)
{
    for (size_t i = 0; i < RULES; i++)
        if (sl_text_equals(name, (struct sl_text){rules[i].name, strlen(rules[i].name)}))
            return &rules[i];
    return NULL;
}

const struct sl_rule *sl_rule_at(size_t place)
{
    return place < RULES ? &rules[place] : NULL;
}

/* "desk_taken" → "Desk taken"; rules are lower_case names, which JSON takes as they are. */
static void write_title(struct sl_buf *out, struct sl_text rule)
{
    for (size_t i = 0; i < rule.len; i++) {
        char c = rule.ptr[i];
        if (i == 0 && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        sl_buf_byte(out, (uint8_t)(c == '_' ? ' ' : c));
    }
}

static void write_member(struct sl_buf *out, const char *name, struct sl_text value)
{
    if (value.len == 0)
        return;
    sl_buf_printf(out, ",\"%s\":", name);
    sl_json_write_text(out, value);
}

void sl_problem_write(struct sl_buf *out, const struct sl_problem *problem)
{
    const struct sl_rule *known = sl_rule_find(problem->rule);

    SL_BUF_LITERAL(out, "{\"type\":\"/errors/");
    sl_buf_text(out, problem->rule);
    SL_BUF_LITERAL(out, "\",\"title\":\"");
    if (known)
        sl_buf_append(out, known->title, strlen(known->title));
    else
        write_title(out, problem->rule);
    SL_BUF_LITERAL(out, "\",\"status\":");
    sl_buf_i64(out, problem->status);
    write_member(out, "detail", problem->detail);
    SL_BUF_LITERAL(out, ",\"rule\":\"");
    sl_buf_text(out, problem->rule);
    sl_buf_byte(out, '"');
    write_member(out, "field", problem->field);
    write_member(out, "id", problem->id);
    write_member(out, "position", problem->position);
    sl_buf_byte(out, '}');
}
