/* Single values as text, and back: what JSON, places, URLs, CSV and SQL share. */
#ifndef SL_RECORD_VALUE_H
#define SL_RECORD_VALUE_H

#include <sluice/record.h>

#include "base/arena.h"
#include "base/buf.h"

/* Appends without quotes: "2026-11-20", "2026-11-20T10:00:00.5Z", "550e8400-…", "10.50", 128-bit digits. */
void sl_value_write_uuid(struct sl_buf *buf, struct sl_uuid value);
void sl_value_write_date(struct sl_buf *buf, struct sl_date value);
void sl_value_write_time(struct sl_buf *buf, struct sl_time value);
void sl_value_write_u128(struct sl_buf *buf, sl_u128 value);
void sl_value_write_decimal(struct sl_buf *buf, struct sl_decimal value);
void sl_value_write_double(struct sl_buf *buf, double value); /* the shortest that reads back equal */

/* Strict readers: the whole text or false, output untouched on false. */
bool sl_value_read_uuid(struct sl_text text, struct sl_uuid *out);
bool sl_value_read_date(struct sl_text text, struct sl_date *out);
bool sl_value_read_time(struct sl_text text, struct sl_time *out); /* offsets are turned into UTC */
bool sl_value_read_u128(struct sl_text text, sl_u128 *out);
bool sl_value_read_i64(struct sl_text text, int64_t *out);
bool sl_value_read_u64(struct sl_text text, uint64_t *out);
bool sl_value_read_decimal(struct sl_text text, struct sl_decimal *out);
bool sl_value_read_double(struct sl_text text, double *out);

/* A scalar field's value (any kind but list, nested, money) as text, and back into `value`. Chars are zero-filled; texts
 * are copied into `arena`. */
void sl_value_write(struct sl_buf *buf, const struct sl_field *field, const void *value);
bool sl_value_read(const struct sl_field *field, struct sl_text text, struct sl_arena *arena,
                   void *value);

/* As big as an enumeration's number, from 0; -1: no such name. */
int sl_value_enum(const struct sl_field *field, struct sl_text name);

/* Is a scalar's value zero, nil or empty? */
bool sl_value_is_empty(const struct sl_field *field, const void *value);

#endif
