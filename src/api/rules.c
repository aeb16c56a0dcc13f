/*
 * The rules that Sluice itself refuses by: those of records, of the engine, of the doors and of the
 * network. What is refused by a rule that is not here was refused by a domain.
 */
#include "api/problem.h"

#include <string.h>

#define NOT_HTTP                                                                                   \
    "The request breaks the grammar of HTTP/1.1 (RFC 9112), which is read strictly here, because " \
    "whatever two programs read differently can be used to smuggle requests."
#define SPEAK_HTTP "Look for what is wrong in the program that sent it, or in a proxy between."

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
    {"conflict", 409, "Something has happened since",
     "Sluice-Unless-Tagged names a tag that an event at or above its position has: what was read "
     "before is no longer the whole truth. Nothing was done.",
     "Read the present state, decide anew, and send its position, with a new id."},
    {"invalid_event", 422, "The decision contradicts itself",
     "The domain's code made an event that its own record forbids. Nothing was done.",
     "This is an error in the domain: tell its author what you sent."},
    {"load_failed", 503, "What decides could not be read",
     "The log could not be read just now. Nothing was done.",
     "Send it again, with the same id, after Retry-After seconds."},
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
     "The command would touch or make more than a command may: 32,768 aggregates, 8,190 events, "
     "1 MiB each, 16 MiB in all.",
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
    {"bad_condition", 400, "Sluice-Unless-Tagged is none",
     "It names 1 to 16 tags, of at most 128 bytes each, and perhaps a position: \"account:7 "
     "account:8; since=TOKEN\". Without a position it means: never.",
     "Write tags as /{domain}/events shows them, with a space between."},
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
    {"too_many_rows", 422, "An aggregate or facet would be of too many rows",
     "One request looks at 100,000 rows at most, and counts 10,000 values of a facet; nothing is "
     "cut in silence.",
     "Narrow the range by from and to, or search more narrowly. With every=, a smaller limit makes "
     "smaller pages."},
    {"too_many_groups", 422, "An aggregate would have too many groups",
     "The field that by= names has more than 10,000 values in these rows, or in one stretch of "
     "every=.",
     "Narrow the range by from and to, or group by another field."},
    {"sum_overflow", 422, "A sum does not fit",
     "The sum of the field that `field` names is beyond 64 bits (of 128-bit fields: 128).",
     "Add up fewer rows: narrow the range, or make more groups."},
    {"mixed_currencies", 422, "A sum would be of several currencies",
     "Amounts of money are added up in one currency only.",
     "Choose rows of one currency, or group by what decides it."},
    {"not_temporal", 400, "The view does not keep rows as they were",
     "`at` asks for a row as it was, which only temporal views know.",
     "GET /{domain} shows which are, as `temporal`. Ask for the row as it is, without `at`."},
    {"at_in_the_future", 400, "That is still to come",
     "`at` names a position that the log has not reached, or a time that is not over.",
     "Name an earlier one; to wait for a position, say min_position."},
    {"no_near", 400, "The view has no places",
     "Only views that say where on the earth their rows are can be asked for what is near.",
     "GET /{domain} shows which can, as `near`."},
    {"bad_cursor", 400, "The cursor is none",
     "`after` takes what `next` of an earlier answer said, unchanged.",
     "Start again without `after`."},
    {"too_many_items", 413, "Too many items in one request",
     "An array holds at most 8,190 commands.", "Send several requests."},
    {"view_degraded", 503, "The view stands still",
     "Its projection failed on the event at `position`, and until that is mended it will not reach "
     "the position that was asked for. Without a position it answers with the rows it has.",
     "`sluice view status` says why; after mending, `sluice view retry`."},
    {"not_degraded", 409, "The view is not degraded", "There is nothing to be tried again.",
     "`sluice view status` says how the view is."},
    {"not_stuck", 409, "The process does not stand still",
     "Its reaction has not failed, and no command of it waits to be taken.",
     "`sluice process status` says how the process is."},
    {"rebuilding", 409, "Views of this domain are being rebuilt",
     "One scan of a domain's log goes on at a time.", "`sluice view status` says how far it is."},
    {"view_failed", 503, "The view cannot answer",
     "Its store failed, or its projection gave up on an event.",
     "See /admin/status for the reason."},
    {"store_failed", 503, "The log cannot be read", "The disk or store failed.",
     "See /admin/status for the reason."},
    {"route_failed", 500, "The domain's route failed",
     "The address is a domain's own, and the function that serves it made a mistake: it gave no "
     "answer, or asked for something that the domain does not have.",
     "Commands that it sent before may have been carried out. Tell who wrote the domain."},
    {"no_memory", 503, "A memory limit was reached",
     "The answer or the request does not fit into what one may take.", "Ask for less at once."},
    {"bad_command", 400, "The command line is malformed",
     "SLUICE.DO takes domain.Command, a JSON object, and perhaps ID and a text.",
     "SLUICE.DO bank.OpenAccount {\"id\":\"C1\"} ID my-id"},

    /* What is no request at all: the network's own refusals. */
    {"bare_line_feed", 400, "A line ends with LF alone", NOT_HTTP, SPEAK_HTTP},
    {"bare_carriage_return", 400, "CR without LF", NOT_HTTP, SPEAK_HTTP},
    {"invalid_character", 400, "A character that is not allowed", NOT_HTTP, SPEAK_HTTP},
    {"bad_target", 400, "The address is malformed", NOT_HTTP, SPEAK_HTTP},
    {"bad_request_line", 400, "The request line is malformed", NOT_HTTP, SPEAK_HTTP},
    {"version_not_supported", 505, "Another version of HTTP", NOT_HTTP, SPEAK_HTTP},
    {"method_not_known", 501, "The method is not known", NOT_HTTP, SPEAK_HTTP},
    {"content_length_twice", 400, "More than one Content-Length", NOT_HTTP, SPEAK_HTTP},
    {"bad_content_length", 400, "Content-Length is not a number", NOT_HTTP, SPEAK_HTTP},
    {"transfer_encoding_twice", 400, "More than one Transfer-Encoding", NOT_HTTP, SPEAK_HTTP},
    {"bad_transfer_encoding", 501, "The only Transfer-Encoding is chunked", NOT_HTTP, SPEAK_HTTP},
    {"bad_host", 400, "Host is not a host's name", NOT_HTTP, SPEAK_HTTP},
    {"host_twice", 400, "More than one Host", NOT_HTTP, SPEAK_HTTP},
    {"host_missing", 400, "Host is missing", NOT_HTTP, SPEAK_HTTP},
    {"expectation_failed", 417, "The only expectation is 100-continue", NOT_HTTP, SPEAK_HTTP},
    {"folded_line", 400, "A header line starts with white space", NOT_HTTP, SPEAK_HTTP},
    {"bad_header", 400, "A header line without a colon", NOT_HTTP, SPEAK_HTTP},
    {"bad_header_name", 400, "A header's name is malformed", NOT_HTTP, SPEAK_HTTP},
    {"two_lengths", 400, "Content-Length and Transfer-Encoding together", NOT_HTTP, SPEAK_HTTP},
    {"bad_path", 400, "The path is malformed", NOT_HTTP, SPEAK_HTTP},
    {"tls_only", 400, "This port speaks TLS", "HTTP in clear was sent to a port that speaks TLS.",
     "Write https:// instead of http://."},
    {"bad_chunk", 400, "The chunked body is broken", NOT_HTTP, SPEAK_HTTP},
    {"too_many_headers", 431, "Too many headers", "A request has at most 100 header lines.",
     "Send fewer headers."},
    {"target_too_long", 414, "The address is too long",
     "Request line and headers together have at most 16 KiB.",
     "Send shorter headers, or move what is in the query into several requests."},
    {"head_too_large", 431, "The headers are too large",
     "Request line and headers together have at most 16 KiB.",
     "Send shorter headers, or move what is in the query into several requests."},
    {"body_too_large", 413, "The body is too large", "A body has at most 16 MiB.",
     "Send several requests."},
    {"request_too_slow", 408, "The request came too slowly",
     "A request must arrive whole within 30 seconds of its first byte.", "Send it again, faster."},
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
