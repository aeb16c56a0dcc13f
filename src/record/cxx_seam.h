/*
 * All that the project takes from C++: simdjson's first stage, and the standard library's shortest
 * doubles. The other side is cxx_seam.cc; neither exceptions nor memory cross.
 */
#ifndef SL_RECORD_CXX_SEAM_H
#define SL_RECORD_CXX_SEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sl_index_result {
    SL_INDEX_OK = 0,
    SL_INDEX_NO_MEMORY,
    SL_INDEX_EMPTY,    /* nothing but white space */
    SL_INDEX_UTF8,     /* the bytes are not UTF-8 */
    SL_INDEX_CONTROL,  /* a control character inside of a string */
    SL_INDEX_UNCLOSED, /* a string that does not end */
};

struct sl_json_index;

/* NULL when memory is out. Free with sl_json_index_free, which takes NULL. One thread at a time. */
struct sl_json_index *sl_json_index_new(void);
void sl_json_index_free(struct sl_json_index *index);

/* Finds where the tokens of a JSON text begin: every bracket, colon and comma outside of strings,
 * and the first byte of every string, number and word. Checks UTF-8 and control characters of the
 * whole; the grammar is the caller's. Nothing is read past `len`, which is below 2^32.
 * `*out_starts` lives until the next call. Memory grows with the largest text seen. */
enum sl_index_result sl_json_index_make(struct sl_json_index *index, const char *json, size_t len,
                                        const uint32_t **out_starts, size_t *out_count);

/* Gives back memory that a large text took. */
void sl_json_index_trim(struct sl_json_index *index);

/* Writes the shortest digits that read back equal, at most 32 bytes; returns how many. Finite only.
 */
size_t sl_double_digits(double value, char out[32]);

/* Reads a JSON number, of which the caller knows that it is one. False: too large or too small. */
bool sl_double_parse(const char *text, size_t len, double *out);

#ifdef __cplusplus
}
#endif

#endif
