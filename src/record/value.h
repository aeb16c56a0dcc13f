/* Single values as text, and back: what JSON, places, URLs, CSV and SQL share. */
#ifndef SL_RECORD_VALUE_H
#define SL_RECORD_VALUE_H

#include <sluice/record.h>

#include "base/arena.h"
#include "base/buf.h"

/* Append without quotes: "2026-11-20", "2026-11-20T10:00:00.5Z", "550e8400-…", "10.50", 128-bit
 * digits. A date outside of the years 0001 to 9999 is written as the nearest one inside. */
void sl_value_write_uuid(struct sl_buf *buf, struct sl_uuid value);
void sl_value_write_date(struct sl_buf *buf, struct sl_date value);
void sl_value_write_time(struct sl_buf *buf, struct sl_time value);
void sl_value_write_u128(struct sl_buf *buf, sl_u128 value);
void sl_value_write_decimal(struct sl_buf *buf, struct sl_decimal value);
/* The shortest digits that read back equal, as a JSON number; "null" where it is not finite. */
void sl_value_write_double(struct sl_buf *buf, double value);

/* Strict readers: the whole text or false, output untouched on false. Numbers as in JSON: no plus,
 * no leading zeros, no white space. Times have seconds from 00 to 59 (a leap second has no place in
 * a count of nanoseconds), up to nine decimals, and Z or an offset, which is turned into UTC. */
bool sl_value_read_uuid(struct sl_text text, struct sl_uuid *out);
bool sl_value_read_date(struct sl_text text, struct sl_date *out);
bool sl_value_read_time(struct sl_text text, struct sl_time *out);
bool sl_value_read_u128(struct sl_text text, sl_u128 *out);
bool sl_value_read_i64(struct sl_text text, int64_t *out);
bool sl_value_read_u64(struct sl_text text, uint64_t *out);
bool sl_value_read_decimal(struct sl_text text, struct sl_decimal *out);
bool sl_value_read_double(struct sl_text text, double *out); /* finite */

/* Does the text follow the grammar of a JSON number? */
bool sl_value_is_number(struct sl_text text);

/* Well-formed UTF-8 without NUL: what every store can keep. */
bool sl_value_is_text(struct sl_text text);

/* A scalar field's value (any kind but list, nested, money) as text, and back into `value`. Chars
 * are zero-filled; texts are copied into `arena`. Neither looks at ranges and lengths, nor at
 * whether an optional value is there. An enumeration's number that has no name is written as
 * digits. */
void sl_value_write(struct sl_buf *buf, const struct sl_field *field, const void *value);
bool sl_value_read(const struct sl_field *field, struct sl_text text, struct sl_arena *arena,
                   void *value);

/* As big as an enumeration's number, from 0; -1: no such name. */
int sl_value_enum(const struct sl_field *field, struct sl_text name);

/* Below zero, zero or above: the order in which lists stand. Numbers, times and decimals by size,
 * texts, UUIDs and names of enumerations by bytes; of a field that a place can have. Decimals are
 * compared as doubles, as stores index them. */
int sl_value_compare(const struct sl_field *field, const void *a, const void *b);

/* Is the value zero, nil or empty? A nested record is where all of its fields are. */
bool sl_value_is_empty(const struct sl_field *field, const void *value);

#endif
