/* Reading one scalar of JSON by its field's kind; part of json_read.c's walk. */
#ifndef SL_RECORD_JSON_VALUES_H
#define SL_RECORD_JSON_VALUES_H

#include "record/json_scan.h"
#include "record/rules.h"

struct sl_reader {
    struct sl_json_scan scan;
    struct sl_arena *arena;
    struct sl_broken_rule *broken;
    enum sl_err err; /* what to answer after a false: SL_INVALID, or SL_NO_MEMORY */
};

/* All return false where the value is not read; `broken` says why. */

/* Any kind but lists and nested records. The field's rules are not asked yet. */
bool sl_reader_scalar(struct sl_reader *r, const struct sl_field *field, void *value,
                      const struct sl_spot *spot);

/* Takes the word null; does not move, and breaks no rule, where another one stands there. */
bool sl_reader_null(struct sl_reader *r);

/* Says that something else than the field's kind stands here, or what no JSON value is. */
bool sl_reader_type(struct sl_reader *r, const struct sl_field *field, const struct sl_spot *spot);
bool sl_reader_no_object(struct sl_reader *r, const struct sl_spot *spot);

bool sl_reader_flaw(struct sl_reader *r, const struct sl_spot *spot, enum sl_scan_flaw flaw);

#endif
