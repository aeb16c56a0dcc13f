/* The rules of a field, asked by the JSON reader and by sl_record_validate alike. */
#ifndef SL_RECORD_RULES_H
#define SL_RECORD_RULES_H

#include "record/json.h"

/* Where a value stands: a chain from the outermost record inwards, on the stack of who walks it.
 * Made into text only when something is broken. */
struct sl_spot {
    const struct sl_spot *outer; /* NULL: the whole is around it */
    const char *name;            /* a field, or NULL: item `index` of a list */
    size_t index;
};

/* Fills all of `broken`; a place that is too long loses its end. Returns false, for `return`. */
bool sl_break_rule(struct sl_broken_rule *broken, const struct sl_spot *spot, const char *rule,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Does a value keep its field's own rules: range, length, names, format; a list its count? Not
 * asked: the fields of a nested record, the items of a list, whether text is UTF-8.
 *
 * `may_be_missing`: a field that is neither required nor optional may be left out, and what was
 * left out is zero; so its zero value passes, given or not. Else a struct could not tell what is
 * good. */
bool sl_rules_kept(const struct sl_field *field, const void *value, bool may_be_missing,
                   const struct sl_spot *spot, struct sl_broken_rule *broken);

/* May a value of the field that was read well still break a rule? Most kinds have none. */
static inline bool sl_rules_any(const struct sl_field *field)
{
    switch (field->kind) {
    case SL_TEXT_KIND:
    case SL_CHARS:
    case SL_LIST_KIND:
    case SL_MONEY:
        return true;
    default:
        return field->ranged;
    }
}

#endif
