/*
 * Errors as documents (RFC 9457), and the table of rules that Sluice itself refuses by.
 *
 * An error's type is "/errors/{rule}", which is also the address of a page that says what it means
 * and what to do. Rules of domains are lower_case names of their own.
 */
#ifndef SL_API_PROBLEM_H
#define SL_API_PROBLEM_H

#include "base/buf.h"

struct sl_rule {
    const char *name;
    int status;
    const char *title;
    const char *meaning;
    const char *advice; /* what to do */
};

/* NULL where the rule is none of Sluice's own. */
const struct sl_rule *sl_rule_find(struct sl_text name);
const struct sl_rule *sl_rule_at(size_t place); /* NULL behind the last */

struct sl_problem {
    int status;
    struct sl_text rule;
    struct sl_text detail; /* may be empty, as the others below */
    struct sl_text field;
    struct sl_text id;       /* the command's */
    struct sl_text position; /* token */
};

/* Appends the document. The title comes from the table; of a domain's rule, from its name. */
void sl_problem_write(struct sl_buf *out, const struct sl_problem *problem);

#endif
