/* Running one specification; sl_run_specs of <sluice/sluice.h> runs many and speaks TAP. */
#ifndef SL_SPEC_SPEC_H
#define SL_SPEC_SPEC_H

#include "base/buf.h"
#include "model/model.h"
#include "record/json.h"

/* True: the domain does what the specification says. False: `report` says, in lines, what was
 * expected (marked -) and what came instead (+), or what in the specification cannot be read. */
bool sl_spec_holds(const struct sl_model *model, const struct sl_spec *spec,
                   struct sl_json_parser *parser, struct sl_buf *report) SL_USE_RESULT;

#endif
