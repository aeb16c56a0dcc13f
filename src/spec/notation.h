/*
 * The notation of specifications: JSON as people write it by hand, turned into JSON.
 *
 *     desk-day/A4,2026-11-23: DeskBooked {id: b1, desk: 'A4', day: 2026-11-23, lines: [{n: 1}]}
 *
 * Names are bare or quoted; texts stand in single or double quotes or, where they are one word,
 * bare; numbers, true, false, null, lists and objects as in JSON. The record says what a bare word
 * means: where it wants a UUID, a word that is none stands for one that is made of it, the same
 * one everywhere.
 */
#ifndef SL_SPEC_NOTATION_H
#define SL_SPEC_NOTATION_H

#include <sluice/record.h>

#include "base/buf.h"

/* One event or command as it is written. All of it points into the source. */
struct sl_said {
    struct sl_text stream; /* empty: not said */
    struct sl_text name;
    struct sl_text body; /* with its braces; empty: none */
};

/* Cuts the next one off `*source`, which must have something in it but white space (see
 * sl_notation_is_over). SL_INVALID says what is wrong with it. */
enum sl_err sl_notation_next(struct sl_text *source, struct sl_said *out,
                             struct sl_error *error) SL_USE_RESULT;
bool sl_notation_is_over(struct sl_text source);

/* Appends the JSON of a body of this record; an empty body is {}. SL_INVALID quotes the place that
 * cannot be read. What fits the record is not looked at: reading the JSON will tell. */
enum sl_err sl_notation_to_json(struct sl_text body, const struct sl_record *record,
                                struct sl_buf *out, struct sl_error *error) SL_USE_RESULT;

/* The UUID (version 8) that a word stands for; a UUID's text stands for itself. */
struct sl_uuid sl_notation_uuid(struct sl_text word);

#endif
