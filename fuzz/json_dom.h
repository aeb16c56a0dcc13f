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
    /* `*out_texts` is json_text_sum over all of its keys and texts, in their order. */
    enum json_dom_answer
    json_dom_parse(const uint8_t *bytes, size_t len, uint64_t *out_texts);

/* One text more, and where it ends. */
static inline uint64_t json_text_sum(uint64_t sum, const char *ptr, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (uint8_t)ptr[i]) * UINT64_C(0x100000001b3);
    return (sum ^ 0x100) * UINT64_C(0x100000001b3);
}

#endif
