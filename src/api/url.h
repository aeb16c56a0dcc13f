/*
 * Texts in URLs: queries, keys and streams.
 *
 * A row's key in a path is the place's text (record/place.h), in which `%`, `,`, `/` and `:` of
 * values are written %XX; a path says other bytes so, too, as browsers do. Both are brought to one
 * form: /desks/days/A4,2026-11-23 and /desks/days/%41%34,2026%2D11%2D23 are the same row, and a
 * slash in a value is %2F in either.
 */
#ifndef SL_API_URL_H
#define SL_API_URL_H

#include "base/arena.h"

/* The next pair of a query ("a=1&b=x%20y"), decoded, in `arena`. False at the end, and where
 * something is malformed (`*out_broken`). `*rest` is the caller's copy of the query, which is
 * eaten. */
bool sl_url_pair(struct sl_text *rest, struct sl_arena *arena, struct sl_text *out_name,
                 struct sl_text *out_value, bool *out_broken);

/* The place's text of a key as it stands in a raw path; ptr NULL where it is malformed or memory is
 * out. */
struct sl_text sl_url_key(struct sl_text raw, struct sl_arena *arena);

/* The stream's name of "account/7": what follows the first slash is a key. ptr NULL likewise. */
struct sl_text sl_url_stream(struct sl_text raw, struct sl_arena *arena);

/* Digits only, at most 2^64 - 1. */
bool sl_url_number(struct sl_text text, uint64_t *out);

/* "1", "true", "yes" or nothing at all; "0", "false", "no". False: neither. */
bool sl_url_flag(struct sl_text text, bool *out);

/* Is the value among those of a list header ("text/html, application/json;q=0.9")? */
bool sl_url_accepts(struct sl_text header, const char *value);

/* Is the entity tag, quoted, among those of If-None-Match, or is that "*"? */
bool sl_url_etag_matches(struct sl_text header, struct sl_text etag);

#endif
