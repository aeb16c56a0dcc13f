/*
 * Records and JSON.
 *
 * Reading validates everything: syntax, UTF-8, kinds, ranges, lengths, what is required, and that
 * there is no field that the record does not know and none that stands twice. The first rule broken is reported with the place
 * ("lines[2].quantity") and nothing is handed out.
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

/* A parser holds simdjson's memory; reuse one per thread. */
struct sl_json_parser;
enum sl_err sl_json_parser_new(struct sl_json_parser **out) SL_USE_RESULT;
void sl_json_parser_free(struct sl_json_parser *parser);

/* Reads one object into the zeroed struct at `out`. Texts and lists live in `arena`; `json` may go.
 * SL_INVALID fills `broken`. Depth at most 32. */
enum sl_err sl_json_read(struct sl_json_parser *parser, const struct sl_record *record,
                         struct sl_text json, struct sl_arena *arena, void *out,
                         struct sl_broken_rule *broken) SL_USE_RESULT;

/* Reads an array of objects into `*out_items`, `*out_count` structs one after the other. Each element is
 * checked alone: broken[i].rule is empty where element i is good (`*out_broken` has `*out_count`
 * entries). SL_INVALID only where the whole is no array of objects; SL_LIMIT over `count_max`. */
enum sl_err sl_json_read_array(struct sl_json_parser *parser, const struct sl_record *record,
                               struct sl_text json, size_t count_max, struct sl_arena *arena,
                               void **out_items, struct sl_broken_rule **out_broken,
                               size_t *out_count, struct sl_broken_rule *broken) SL_USE_RESULT;

/* Does the text, past white space, begin an array? */
bool sl_json_is_array(struct sl_text json);

/* Checks a struct that came from elsewhere than JSON (a process, an upcaster) by the same rules. */
enum sl_err sl_record_validate(const struct sl_record *record, const void *item,
                               struct sl_broken_rule *broken) SL_USE_RESULT;

/* Appends the struct as an object, fields in their order, absent optional ones left out. */
void sl_json_write(struct sl_buf *buf, const struct sl_record *record, const void *item);

/* Appends one value of a field, as sl_json_write would. */
void sl_json_write_value(struct sl_buf *buf, const struct sl_field *field, const void *value);

/* Appends text quoted and escaped. */
void sl_json_write_text(struct sl_buf *buf, struct sl_text text);

/* Appends the record's JSON Schema (2020-12, as OpenAPI 3.1 uses it), nested records in place. */
void sl_json_write_schema(struct sl_buf *buf, const struct sl_record *record);

/* ---- Reading JSON that no record describes (small documents: configuration, tests, clients) ---- */

/* Finds the value at a path of member names and array places ("events.0.type") in a well-formed document. Text comes unescaped in
 * `arena`; numbers, true, false, objects and arrays as they are written. SL_NOT_FOUND, SL_INVALID. */
enum sl_err sl_json_find(struct sl_json_parser *parser, struct sl_text json, const char *path,
                         struct sl_arena *arena, struct sl_text *out) SL_USE_RESULT;

#endif
