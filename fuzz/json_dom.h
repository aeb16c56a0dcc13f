/* What simdjson's own parser says of a text. */
#ifndef SL_FUZZ_JSON_DOM_H
#define SL_FUZZ_JSON_DOM_H

#include <stddef.h>
#include <stdint.h>

enum json_dom_answer {
    JSON_DOM_TAKEN,
    JSON_DOM_REFUSED,
    JSON_DOM_NUMBER, /* refused, for a number's sake */
    JSON_DOM_STRING, /* refused, for a string's sake */
};

#ifdef __cplusplus
extern "C"
#endif
enum json_dom_answer json_dom_parse(const uint8_t *bytes, size_t len);

#endif
