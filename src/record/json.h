/*
 * Records and JSON.
 *
 * Reading validates everything: syntax, UTF-8, kinds, ranges, lengths, what is required, and that
 * there is no field that the record does not know and none that stands twice. The first rule broken
 * is reported with the place ("lines[2].quantity") and nothing is handed out.
 *
 * A field that is absent or null is zero, or, where it is optional, not there. What is neither
 * required nor optional may be absent, and absent is zero: so its zero value passes, whatever
 * its range, length or format, and what was written reads back. Text with \u0000 is refused,
 * because SQL stores cannot keep it.
 */
#ifndef SL_RECORD_JSON_H
#define SL_RECORD_JSON_H

#include <sluice/record.h>

#include "base/arena.h"
#include "base/buf.h"

/* What bad input broke. All texts are terminated and fit. */
struct sl_broken_rule {
    char field[128];   /* "lines[2].quantity"; empty: the whole */
    char rule[32];     /* "required", "range", "length", "type", "unknown_field", "duplicate_field",
                          "enum", "format", "syntax", "depth", "utf8" */
    char message[200]; /* "quantity must lie between 1 and 1000" */
};

/* A parser keeps the memory of its token index, at most 4 MiB between uses; reuse one per thread.
 */
struct sl_json_parser;
enum sl_err sl_json_parser_new(struct sl_json_parser **out) SL_USE_RESULT;
/* NULL is allowed. */
void sl_json_parser_free(struct sl_json_parser *parser);

/* Reads one object into the zeroed struct at `out`. Texts and lists live in `arena`; `json` may go.
 * SL_INVALID fills `broken`; SL_NO_MEMORY; SL_LIMIT from 4 GiB. On failure `out` is zeroed again.
 * Depth at most 32. A record has at most 256 fields. */
enum sl_err sl_json_read(struct sl_json_parser *parser, const struct sl_record *record,
                         struct sl_text json, struct sl_arena *arena, void *out,
                         struct sl_broken_rule *broken) SL_USE_RESULT;

/* Reads an array of objects into `*out_items`, `*out_count` structs one after the other. Each
 * element is checked alone: broken[i].rule is empty where element i is good, else its struct is
 * zero and the place in broken[i] is inside of the element (`*out_broken` has `*out_count` entries,
 * of which good ones have empty texts and nothing else). SL_INVALID only where the whole is no
 * array of objects or is no JSON; SL_LIMIT over `count_max`; SL_NO_MEMORY. */
enum sl_err sl_json_read_array(struct sl_json_parser *parser, const struct sl_record *record,
                               struct sl_text json, size_t count_max, struct sl_arena *arena,
                               void **out_items, struct sl_broken_rule **out_broken,
                               size_t *out_count, struct sl_broken_rule *broken) SL_USE_RESULT;

/* Does the text, past white space, begin an array? */
bool sl_json_is_array(struct sl_text json);

/* Checks a struct that came from elsewhere than JSON (a decision, a process, an upcaster) by the
 * same rules. SL_INVALID fills `broken`. What passes is written by sl_json_write so that
 * sl_json_read takes it. */
enum sl_err sl_record_validate(const struct sl_record *record, const void *item,
                               struct sl_broken_rule *broken) SL_USE_RESULT;

/* Appends the struct as an object, fields in their order, absent optional ones left out. Money
 * without a currency, and a nested record that may be missing and is, are null; so are doubles that
 * are not finite. */
void sl_json_write(struct sl_buf *buf, const struct sl_record *record, const void *item);

/* Appends one value of a field, as sl_json_write would. */
void sl_json_write_value(struct sl_buf *buf, const struct sl_field *field, const void *value);

/* Appends text quoted and escaped. */
void sl_json_write_text(struct sl_buf *buf, struct sl_text text);

/* Appends the record's JSON Schema (2020-12, as OpenAPI 3.1 uses it), nested records in place. It
 * describes what sl_json_write writes, and what clients should send. */
void sl_json_write_schema(struct sl_buf *buf, const struct sl_record *record);

/* ---- Reading JSON that no record describes (small documents: configuration, tests, clients) ----
 */

/* Finds the value at a path of member names and array places ("events.0.type"; "" is the whole) in
 * a document, of which the first member of a name counts. The result lives in `arena`: text
 * unescaped; numbers, true, false, null, objects and arrays as they are written. SL_NOT_FOUND;
 * SL_INVALID where the document is not well-formed or deeper than 32; SL_NO_MEMORY, SL_LIMIT. */
enum sl_err sl_json_find(struct sl_json_parser *parser, struct sl_text json, const char *path,
                         struct sl_arena *arena, struct sl_text *out) SL_USE_RESULT;

#endif
