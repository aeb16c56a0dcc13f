/* Spans of time as people write them, for how long events are kept: "90d", "12h", "30m", "0s". */
#ifndef SL_MODEL_KEEP_H
#define SL_MODEL_KEEP_H

#include "base/error.h"

/* A whole number and one of s, m, h, d, up to some 290 years; false: it is no such text. */
bool sl_keep_read(const char *text, int64_t *out_ns) SL_USE_RESULT;

#endif
