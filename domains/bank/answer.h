/* What the words on the command line read out of the server's answers: arrays of flat objects, as
 * the server writes them. Texts borrow from the answer. */
#ifndef BANK_ANSWER_H
#define BANK_ANSWER_H

#include <sluice/types.h>

/* The next element of an array; `*p` stands behind "[" or an element. False: the end. */
bool bank_answer_next(const char **p, const char *end, struct sl_text *out);

/* The value behind "name": in an element, at any depth, the first; of a string what stands between
 * its quotes, with its escapes. False: it is not there. */
bool bank_answer_value(struct sl_text element, const char *name, struct sl_text *out);

/* Likewise a number, with or without quotes; false: there is none, or another value. */
bool bank_answer_number(struct sl_text element, const char *name, int64_t *out);
bool bank_answer_u128(struct sl_text element, const char *name, sl_u128 *out);

#endif
