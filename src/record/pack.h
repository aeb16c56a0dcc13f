/*
 * Records as bytes, and as copies that stand alone.
 *
 * The packed form is what the log keeps (pack.c opens with its grammar). It is described by
 * sl_record_describe, so that it can be read without the program that wrote it.
 */
#ifndef SL_RECORD_PACK_H
#define SL_RECORD_PACK_H

#include <sluice/record.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"

/* Appends the packed form of the struct. Nothing is checked: sl_record_validate is what keeps a
 * struct's values within their rules. */
void sl_pack(struct sl_buf *buf, const struct sl_record *record, const void *item);

/* Reads a packed struct into the zeroed `out`. Texts point into `bytes`; lists are taken from
 * `arena`. SL_CORRUPT where the bytes are not exactly one packed struct, SL_NO_MEMORY where the
 * arena is full; nothing is read past the bytes. On failure `out` is in part filled and worthless.
 */
enum sl_err sl_unpack(const struct sl_record *record, struct sl_slice bytes, struct sl_arena *arena,
                      void *out, struct sl_error *error) SL_USE_RESULT;

/* Bytes that a copy which stands alone needs: the struct and all that it points at. */
size_t sl_record_copy_size(const struct sl_record *record, const void *item);

/* Copies the struct and all that it points at into `memory` (sl_record_copy_size bytes, aligned to
 * 16), pointers set right. Returns the copy, which is at `memory`. */
void *sl_record_copy(const struct sl_record *record, const void *item, void *memory);

/* Has the record any text or list, at any depth? If not, a copy is a memcpy of record->size. */
bool sl_record_is_flat(const struct sl_record *record);

/* Equal field by field: texts and lists by content, doubles by their bits, decimals by scale too;
 * what an absent optional field holds does not matter. */
bool sl_record_equals(const struct sl_record *record, const void *a, const void *b);

/* Appends a JSON description of the packed form: {"name": …, "fields": [{"name", "kind", …}]}.
 * Stable: equal records give equal bytes. The record has passed sl_record_check. */
void sl_record_describe(struct sl_buf *buf, const struct sl_record *record);

/* Makes a record from a description, in `arena`: sl_pack, sl_unpack and sl_json_write work with it.
 * SL_INVALID what is no description; SL_NO_MEMORY. */
enum sl_err sl_record_from_description(struct sl_text json, struct sl_arena *arena,
                                       const struct sl_record **out,
                                       struct sl_error *error) SL_USE_RESULT;

/* A number that changes with the packed form (of the description's bytes); 0: memory is out. */
uint64_t sl_record_digest(const struct sl_record *record);

/* Refuses a record whose fields overlap, lie outside of the struct, leave gaps larger than padding,
 * repeat a name, have a kind without its `record`, `item` or `names`, name a `personal_of` that is
 * not there, contradict themselves, or nest more than eight deep. SL_INVALID names the field. */
enum sl_err sl_record_check(const struct sl_record *record, struct sl_error *error) SL_USE_RESULT;

#endif
