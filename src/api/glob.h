/*
 * Patterns as Redis has them, for SCAN's MATCH and PSUBSCRIBE: `*` any text, `?` one byte,
 * `[a-c^x]` one byte of a set (`[^…]`: not of it), `\` takes what follows as it stands. Bytes, not
 * letters.
 */
#ifndef SL_API_GLOB_H
#define SL_API_GLOB_H

#include "base/buf.h"

/* Takes at most pattern.len times text.len steps, whatever the pattern is. */
bool sl_glob_matches(struct sl_text pattern, struct sl_text text);

/* So many bytes at the pattern's start stand for themselves alone. */
size_t sl_glob_literal(struct sl_text pattern);

#endif
