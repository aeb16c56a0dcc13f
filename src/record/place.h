/*
 * Places: lists of fields ("desk, day") and the text that their values make ("A4,2026-11-23").
 *
 * Values are joined by commas, each as in JSON without quotes (false/true, digits, UUID hex, dates,
 * enumeration names). `%`, `,`, `/`, `:`, and bytes below 0x20 or 0x7f are written %XX; an optional
 * value that is absent is written "%-". So the text parses back, and two places never collide. At
 * most 512 bytes.
 */
#ifndef SL_RECORD_PLACE_H
#define SL_RECORD_PLACE_H

#include <sluice/record.h>

#include "base/arena.h"
#include "base/buf.h"

#define SL_PLACE_FIELDS_MAX 8
#define SL_PLACE_BYTES_MAX 512

struct sl_place {
    uint32_t count;
    const struct sl_field *fields[SL_PLACE_FIELDS_MAX];
};

/* Compiles "desk, day" against a record; the place borrows the record's fields. SL_NOT_FOUND names
 * the field that the record does not have (an event that lacks one does not concern a process);
 * SL_INVALID one that is a list, nested, money or double or stands twice, or what breaks the
 * grammar; SL_LIMIT more than eight. */
enum sl_err sl_place_parse(const struct sl_record *record, const char *text, struct sl_place *out,
                           struct sl_error *error) SL_USE_RESULT;

/* Appends the place's text for a struct. SL_LIMIT over 512 bytes, SL_NO_MEMORY where the buffer is
 * full; then nothing was appended. */
enum sl_err sl_place_write(const struct sl_place *place, const void *item,
                           struct sl_buf *buf) SL_USE_RESULT;

/* The same from pointers to the values, in the place's order. `count` must be the place's. NULL
 * stands for an optional value that is absent. */
enum sl_err sl_place_write_values(const struct sl_place *place, const void *const *values,
                                  size_t count, struct sl_buf *buf) SL_USE_RESULT;

/* Are all of the place's fields empty (zero, nil, no text, absent)? */
bool sl_place_is_empty(const struct sl_place *place, const void *item);

/* Reads the values back into the fields of a struct, which is zeroed or at least has zeroed
 * optional flags. Texts live in `arena`. SL_INVALID names the field; the struct is then in part
 * filled. */
enum sl_err sl_place_read(const struct sl_place *place, struct sl_text text, struct sl_arena *arena,
                          void *item, struct sl_error *error) SL_USE_RESULT;

/* Tags, compiled from an event type's `tags`: "desk", "account=debit, account=credit",
 * "desk-day=(desk day)". Names are letters, digits, `-` and `_`, and borrow from `text`. `out` has
 * room for SL_TAGS_MAX. Errors as sl_place_parse; NULL is no tags. */
struct sl_tag_rule {
    struct sl_text name;
    struct sl_place place;
};
#define SL_TAGS_MAX 15 /* and one of the engine's own */
enum sl_err sl_tags_parse(const struct sl_record *record, const char *text, struct sl_tag_rule *out,
                          size_t *out_count, struct sl_error *error) SL_USE_RESULT;

#endif
