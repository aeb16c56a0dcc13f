/*
 * A walk over the tokens of a JSON text.
 *
 * The index says where tokens begin (cxx_seam.h): a bracket, colon or comma outside of strings, a
 * quote that opens a string, or the first byte of a number or word. It also promises that the whole is
 * UTF-8 and that no string holds a control character or stays open. All other grammar is checked
 * here, token by token: what stands between a token's end and the next one's start must be white
 * space, so that nothing goes unseen.
 */
#ifndef SL_RECORD_JSON_SCAN_H
#define SL_RECORD_JSON_SCAN_H

#include "base/arena.h"
#include "record/cxx_seam.h"

#define SL_JSON_DEPTH_MAX 32

struct sl_json_scan {
    const char *json;
    size_t len;
    const uint32_t *starts;
    size_t count;
    size_t next; /* the token that comes next; count: none */
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

/* Does only white space stand between `end` and the next token? */
bool sl_scan_gap_is_blank(const struct sl_json_scan *scan, size_t end);

/* The string that comes next, as it stands between its quotes, and whether it has escapes. Moves
 * behind it. Escapes are not looked at. */
bool sl_scan_string(struct sl_json_scan *scan, struct sl_text *out, bool *out_escaped);

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
