/*
 * A walk over the tokens of a JSON text.
 *
 * The index says where tokens begin (cxx_seam.h): a bracket, colon or comma outside of strings, a
 * quote that opens a string, or the first byte of a number or word. It also promises that the whole
 * is UTF-8 and that no string holds a control character or stays open; and that what stands between
 * a string's closing quote and the next token is white space, for anything else would begin a
 * token. So a string's end is found from the next token backwards, without a look at its bytes. All
 * other grammar is checked here, token by token (and compared with simdjson's own by a fuzzer).
 */
#ifndef SL_RECORD_JSON_SCAN_H
#define SL_RECORD_JSON_SCAN_H

#include <string.h>

#include "base/arena.h"
#include "record/cxx_seam.h"

#define SL_JSON_DEPTH_MAX 32

struct sl_json_scan {
    const char *json;
    size_t len;
    const uint32_t *starts;
    size_t count;
    size_t next; /* the token that comes next; count: none */
    bool plain;  /* there is no backslash in the whole text */
};

/* Why a walk ended. Names what sl_broken_rule calls syntax, utf8, depth, format. */
enum sl_scan_flaw {
    SL_SCAN_FINE = 0,
    SL_SCAN_SYNTAX,
    SL_SCAN_SURROGATE, /* \ud800 without its other half */
    SL_SCAN_NUL,       /* \u0000, which SQL stores cannot keep */
    SL_SCAN_DEPTH,
    SL_SCAN_NO_MEMORY,
};

/* Byte of the next token; the text's length at the end. */
static inline size_t sl_scan_at(const struct sl_json_scan *scan)
{
    return scan->next < scan->count ? scan->starts[scan->next] : scan->len;
}

/* The next token's first byte; 0 at the end. */
static inline char sl_scan_peek(const struct sl_json_scan *scan)
{
    return scan->next < scan->count ? scan->json[scan->starts[scan->next]] : '\0';
}

/* Takes the bracket, colon or comma `c` if it comes next. */
static inline bool sl_scan_take(struct sl_json_scan *scan, char c)
{
    if (sl_scan_peek(scan) != c)
        return false;
    scan->next++;
    return true;
}

static inline bool sl_scan_is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The string that comes next, as it stands between its quotes, and whether it has escapes. Moves
 * behind it. Escapes are not looked at. */
static inline bool sl_scan_string(struct sl_json_scan *scan, struct sl_text *out, bool *out_escaped)
{
    if (sl_scan_peek(scan) != '"')
        return false;
    const size_t start = scan->starts[scan->next++] + (size_t)1;
    size_t end = sl_scan_at(scan);
    while (end > start && sl_scan_is_blank(scan->json[end - 1]))
        end--;
    if (end <= start || scan->json[end - 1] != '"')
        return false;
    *out = (struct sl_text){scan->json + start, end - 1 - start};
    *out_escaped = !scan->plain && memchr(out->ptr, '\\', out->len);
    return true;
}

/* Bytes that the text between quotes stands for, into `out`, which has room for raw.len. */
enum sl_scan_flaw sl_scan_unescape(struct sl_text raw, char *out, size_t *out_len);

/* The string that comes next, unescaped into `arena`. */
enum sl_scan_flaw sl_scan_text(struct sl_json_scan *scan, struct sl_arena *arena,
                               struct sl_text *out);

/* The number or word that comes next, up to white space or a bracket; moves behind it. */
struct sl_text sl_scan_word(struct sl_json_scan *scan);

/* Moves behind the value that comes next, checking all of its grammar. `depth` is how many objects
 * and arrays are open around it. */
enum sl_scan_flaw sl_scan_skip(struct sl_json_scan *scan, int depth);

/* Elements of the array whose first element, or end, comes next; does not move. What is no array in
 * the end gives some number. */
size_t sl_scan_count(const struct sl_json_scan *scan);

#endif
