/*
 * Commands of the Redis protocol: bytes in, words out. No I/O.
 *
 * An array of bulk strings (what clients send) or an inline line of words (what people type).
 */
#ifndef SL_NET_RESP_PARSE_H
#define SL_NET_RESP_PARSE_H

#include "base/error.h"

enum {
    SL_RESP_WORDS_MAX = 8192,
    SL_RESP_BULK_MAX = 16 << 20,                  /* bytes of a word */
    SL_RESP_COMMAND_MAX = (16 << 20) + (1 << 18), /* bytes of a command, framing included */
    SL_RESP_INLINE_MAX = 64 << 10,
};

enum sl_resp_verdict {
    SL_RESP_WHOLE = 0, /* a command, `used` bytes long; of no words: skip it, it has no answer */
    SL_RESP_MORE,
    SL_RESP_BAD, /* `error` says why; nothing behind it can be trusted */
};

/* Zero-initialise it; sl_resp_parser_close frees the words' memory. */
struct sl_resp_parser {
    struct sl_text *words;
    uint32_t word_count;
    uint32_t word_capacity;
    uint32_t expected; /* words of the array */
    bool in_array;
    size_t used;         /* bytes understood so far */
    size_t need;         /* on MORE: no progress is possible with fewer bytes than this */
    const uint8_t *base; /* where the bytes lay in the last call: words are moved along */
    const char *error;
};

/* Goes on parsing the command at the start of `bytes`, of which there may be more than last time,
 * at another place. Quoted inline words are changed in place. Each byte is looked at once. */
enum sl_resp_verdict sl_resp_parse(struct sl_resp_parser *parser, uint8_t *bytes, size_t len);

/* For the next command; keeps the memory of few words. */
void sl_resp_parser_reset(struct sl_resp_parser *parser);
void sl_resp_parser_close(struct sl_resp_parser *parser);

#endif
