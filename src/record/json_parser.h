/* A JSON text made ready to walk: what the record's reader and sl_json_find begin with. */
#ifndef SL_RECORD_JSON_PARSER_H
#define SL_RECORD_JSON_PARSER_H

#include "record/json.h"
#include "record/json_scan.h"

/* Fills `scan`, valid until the parser's next use. SL_INVALID fills `broken`. */
enum sl_err sl_json_parser_begin(struct sl_json_parser *parser, struct sl_text json,
                                 struct sl_json_scan *scan,
                                 struct sl_broken_rule *broken) SL_USE_RESULT;

/* After each begin that succeeded. */
void sl_json_parser_end(struct sl_json_parser *parser);

#endif
